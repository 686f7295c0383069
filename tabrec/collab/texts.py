"""Encode columns of free text, such as descriptions, as frequencies of words (TF-IDF)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

# A column is free text if more than this share of its values is distinct, with this many words on average.
_LEAST_DISTINCT = 0.5
_LEAST_WORDS = 5
# Only the most frequent words are used, to bound the memory of their columns.
_MOST_WORDS = 200


def learn_texts(features: pd.DataFrame, min_frequency: int, others: Collection[str]) -> dict[str, dict[str, float]]:
    """Learn the words of columns of free text, except `others`, with their inverse document frequencies."""
    found = {}
    for name, column in features.items():
        if str(name) in others or not _is_free_text(column):
            continue
        vectorizer = TfidfVectorizer(min_df=min(min_frequency, len(column)), max_features=_MOST_WORDS)
        try:
            vectorizer.fit(_documents(column))
        except ValueError:  # no word is frequent enough
            continue
        words = vectorizer.get_feature_names_out().tolist()
        found[str(name)] = dict(zip(words, vectorizer.idf_.tolist(), strict=True))
    return found


def encode_texts(features: pd.DataFrame, texts: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Encode texts as TF-IDF vectors of unit length, a float32 column for each word."""
    blocks = [pd.DataFrame(index=features.index)]
    for name, idf in texts.items():
        vectorizer = TfidfVectorizer(vocabulary=list(idf), dtype=np.float32)
        vectorizer.idf_ = np.array(list(idf.values()), dtype=np.float32)
        column = features[next(column for column in features.columns if str(column) == name)]
        names = [f"{name}: {word}" for word in idf]
        numbers = vectorizer.transform(_documents(column)).toarray()
        blocks.append(pd.DataFrame(numbers, columns=names, index=features.index))
    return pd.concat(blocks, axis=1)


def without_texts(features: pd.DataFrame, texts: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return the table without the columns of free text."""
    return features[[name for name in features.columns if str(name) not in texts]] if texts else features


def _is_free_text(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(column.dtype):
        return False
    texts = [value for value in column if isinstance(value, str)]
    if not texts or len(set(texts)) <= _LEAST_DISTINCT * len(column):
        return False
    return float(np.mean([len(text.split()) for text in texts])) >= _LEAST_WORDS


def _documents(column: pd.Series) -> list[str]:
    return [value if isinstance(value, str) else "" for value in column]
