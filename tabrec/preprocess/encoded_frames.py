"""Frames that are already encoded: how they are recognised and read."""

from __future__ import annotations

import numpy as np

from tabrec.tables.columns import Column, Labels, are_codes
from tabrec.tables.numbers import needs_float64


def are_encoded(columns: list[Column]) -> bool:
    """Whether columns form an encoded frame, which float64 columns alone do not: raw frames have them too."""
    dtypes = [column.raw.dtype for column in columns]
    has_codes, has_float32 = any(are_codes(dtype) for dtype in dtypes), np.float32 in dtypes
    if np.float64 in dtypes and not has_float32 and not has_codes:
        return False
    # Some rows of an encoded frame, as in cross-validation, may not need the float64 that all of its rows need.
    return all(_is_encoded(column, takes_float64=has_codes and has_float32) for column in columns)


def _is_encoded(column: Column, takes_float64: bool) -> bool:
    """Whether a column has a form that it can have in an encoded frame."""
    dtype = column.raw.dtype
    if are_codes(dtype) or dtype == np.dtype(bool):
        return True
    if dtype not in (np.float32, np.float64) or np.isnan(column.raw).any():
        return False
    return dtype == np.float32 or takes_float64 or needs_float64(column.raw)


def without_code_0(column: Column) -> Column:
    """A column of codes with 0 as missing."""
    codes, labels = column.values
    entered = Column(column.name, column.raw)
    zero = [position for position, label in enumerate(labels) if isinstance(label, int) and label == 0]
    entered._values = Labels(np.where(np.isin(codes, zero), -1, codes), labels)
    return entered
