"""Columns with several labels in a row, such as the genres of a film: lists, or text joined by "|"."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.categorify import sorted_labels

_JOINT = "|"
_LISTS = (list, tuple, set, frozenset, np.ndarray)
# If a smaller share of texts contains the separator, it may be there by chance.
_LEAST_JOINED = 0.1
# Only the most frequent labels are used, to bound the memory of their columns.
_MOST_LABELS = 200


def learn_multi_labels(features: pd.DataFrame, min_frequency: int) -> dict[str, list]:
    """Learn the labels of each column with several labels per row; rare labels are left out."""
    found = {}
    for name, column in features.items():
        if _is_multi_label(column):
            counts = Counter(label for labels in _split(column) for label in labels)
            frequent = [label for label, count in counts.most_common(_MOST_LABELS) if count >= min_frequency]
            # At least one label is kept, so that the table has a column.
            found[str(name)] = sorted_labels(frequent or [label for label, _ in counts.most_common(1)] or [""])
    return found


def split_multi_labels(features: pd.DataFrame, labels: dict[str, list]) -> pd.DataFrame:
    """Replace columns with several labels per row by a boolean column for each label."""
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
