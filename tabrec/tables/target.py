"""Check targets before any work."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from tabrec.tables.columns import is_table, read_frame


def check_target(y: Any, n_rows: int, owner: str, *, numeric: bool) -> np.ndarray:
    """Convert a target to an array of shape (n_rows,) or (n_rows, n_outputs), finite numbers if `numeric`.

    Raises a ValueError, which names the estimator `owner`, if the target is absent, of another length or not numeric,
    or if values are missing or infinite.
    """
    if y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
    target = _as_array(y)
    if target.ndim not in (1, 2):
        raise ValueError(f"y should be a 1d array, got an array of shape {target.shape} instead.")
    if len(target) != n_rows:
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, but y has {len(target)}."
        )
    missing = pd.isna(target)
    if missing.any():
        raise ValueError(f"Input y contains NaN: {int(missing.sum())} missing, the first in {_place(missing)}.")
    if numeric or target.dtype.kind in "fc":
        return _finite_numbers(target, owner)
    return _classes_of_one_type(target) if target.dtype == object else target


def has_numbers_to_predict(y: Any) -> bool:
    """Return whether a target suits regression: numbers with more than two distinct values."""
    target = pd.Series(y).infer_objects()
    return types.is_numeric_dtype(target) and not types.is_bool_dtype(target) and target.nunique() > 2


def _as_array(y: Any) -> np.ndarray:
    lacks_array = is_table(y) and not hasattr(y, "__array__")  # a lazy frame cannot be converted otherwise
    array = read_frame(y).to_numpy() if lacks_array else np.asarray(y)
    return array if array.dtype.kind not in "US" else array.astype(object)


def _classes_of_one_type(target: np.ndarray) -> np.ndarray:
    """Objects as numbers or booleans where all are; text mixed with other types, which has no order, is an error."""
    values = target.ravel()
    is_text = np.array([isinstance(value, str) for value in values])
    if is_text.any() and not is_text.all():
        text, other = values[np.argmax(is_text)], values[np.argmin(is_text)]
        raise ValueError(
            f"y mixes text, such as {text!r}, with other types, such as {other!r} ({type(other).__name__}): convert "
            "all classes to one type, for example with y.astype(str)."
        )
    return target if is_text.all() else pd.Series(values).infer_objects().to_numpy().reshape(target.shape)


def _finite_numbers(target: np.ndarray, owner: str) -> np.ndarray:
    if target.dtype.kind == "c":
        raise ValueError("Complex data not supported: y holds complex numbers.")
    if target.dtype.kind not in "biuf":
        odd = [value for value in target.ravel() if not isinstance(value, (Real, Decimal, np.bool_))]
        if odd:
            raise ValueError(
                f"{owner} predicts numbers, but y holds {odd[0]!r} ({type(odd[0]).__name__}). Unknown label type: "
                "convert y to numbers, for example with pandas.to_numeric, or use a classifier for labels."
            )
        target = target.astype(np.float64)
    infinite = np.isinf(target) if target.dtype.kind == "f" else np.zeros(target.shape, bool)
    if infinite.any():
        raise ValueError(
            f"Input y contains infinity or a value too large for dtype('float64'): the first in {_place(infinite)}."
        )
    return target


def _place(marked: np.ndarray) -> str:
    row = int(np.argmax(marked.reshape(len(marked), -1).any(axis=1)))
    return f"row {row} (counted from 0)"
