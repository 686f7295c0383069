"""Columns with several labels in a row, such as the genres of a film: lists, or text joined by "|"."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.categorify import sorted_labels

_JOINT = "|"
_LISTS = (list, tuple, set, frozenset, np.ndarray)
# A smaller share of the texts may be joined by chance.
_LEAST_JOINED = 0.1
# Of more labels the most frequent ones are used, to bound the memory of the block.
_MOST_LABELS = 200


def learn_multi_labels(features: pd.DataFrame, min_frequency: int) -> dict[str, list]:
    """Return the labels of each column that holds several in a row; labels of fewer rows are left out."""
    found = {}
    for name, column in features.items():
        if _is_multi_label(column):
            counts = Counter(label for labels in _split(column) for label in labels)
            frequent = [label for label, count in counts.most_common(_MOST_LABELS) if count >= min_frequency]
            # At least one, so that the table keeps a column.
            found[str(name)] = sorted_labels(frequent or [label for label, _ in counts.most_common(1)] or [""])
    return found


def split_multi_labels(features: pd.DataFrame, labels: dict[str, list]) -> pd.DataFrame:
    """Return the table with a column of booleans for each label in place of the columns with several labels."""
    if not labels:
        return features
    columns: dict[str, Any] = {}
    for name in features.columns:
        if str(name) not in labels:
            columns[name] = features[name].array
            continue
        rows = _split(features[name])
        columns |= {
            f"{name}: {label}": np.array([label in row for row in rows], dtype=bool) for label in labels[str(name)]
        }
    return pd.DataFrame(columns, index=features.index)


def _is_multi_label(column: pd.Series) -> bool:
    """Return whether some values are lists, or many are joined text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(column.cat.categories)
    if not (column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.ArrowDtype)):
        return False
    if any(isinstance(value, _LISTS) for value in column):
        return True
    texts = {value for value in column if isinstance(value, str)}
    joined = sum(_JOINT in text.strip(_JOINT) for text in texts)
    return joined > _LEAST_JOINED * len(texts)


def _split(column: pd.Series) -> list[set]:
    """Return the labels of each row; a missing value has none."""
    return [_labels_of(value) for value in column.astype(object)]


def _labels_of(value: Any) -> set:
    if isinstance(value, str):
        return {label.strip() for label in value.split(_JOINT)} - {""}
    if isinstance(value, _LISTS):
        return set(value)
    return set()
