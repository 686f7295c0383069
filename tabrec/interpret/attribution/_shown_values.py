"""Values of encoded columns in their original form, for display."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.categorify import MISSING_LABEL
from tabrec.trees.fitted_trees import FittedTrees

# Kinds of encoded columns that represent the raw value itself.
_SHOWN_RAW = ("value", "codes", "target mean")
_LARGEST_WHOLE = 1e15


def show_encoded(trees: FittedTrees, raw: pd.DataFrame, encoded: pd.DataFrame) -> pd.DataFrame:
    """Return the values of encoded columns for display: labels, dates and numbers as passed, and date parts."""
    shown: dict[str, Any] = {}
    for name, origin in trees.origins.items():
        source = trees.sources[name]
        is_plain = origin is None or origin.kind in _SHOWN_RAW or origin.part == "Elapsed"
        if source in raw and is_plain:
            shown[name] = _mark_unseen(raw[source], encoded[name], name in trees.labels)
        else:
            shown[name] = _labels_of(encoded[name], trees.labels.get(name))
    return pd.DataFrame(shown, index=raw.index)


def _mark_unseen(raw: pd.Series, encoded: pd.Series, has_codes: bool) -> Any:
    """Return the raw column, with labels that were not in fit marked as unseen."""
    if not has_codes:
        return raw.array.copy()
    codes = encoded.cat.codes if isinstance(encoded.dtype, pd.CategoricalDtype) else encoded
    is_unseen = (codes.to_numpy() == 0) & raw.notna().to_numpy()
    if not is_unseen.any():
        return raw.array.copy()
    marked = raw.to_numpy(dtype=object).copy()
    marked[is_unseen] = [f"{label} (never seen)" for label in marked[is_unseen]]
    return marked


def _labels_of(encoded: pd.Series, labels: list | None) -> Any:
    """Replace codes by their labels; return other columns unchanged."""
    if labels is None:
        return encoded.array
    codes = encoded.cat.codes if isinstance(encoded.dtype, pd.CategoricalDtype) else encoded
    return np.asarray([str(label) for label in labels], dtype=object)[codes.to_numpy().astype(np.intp)]


def has_order(column: pd.Series) -> bool:
    """Return whether a column holds numbers or dates, and not labels or flags."""
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return is_number or pd.api.types.is_datetime64_any_dtype(column)


def to_text(value: Any) -> str:
    """Return a value as text: integers without decimals, days without the time, missing values as "missing"."""
    if (pd.api.types.is_scalar(value) and pd.isna(value)) or (isinstance(value, str) and value == MISSING_LABEL):
        return "missing"
    if isinstance(value, (float, np.floating)):
        return f"{value:.0f}" if float(value).is_integer() and abs(float(value)) < _LARGEST_WHOLE else f"{value:.6g}"
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value == value.normalize() else str(value)
    return str(value)
