"""Frames that are already encoded: how they are recognised and read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabrec.tables.columns import Column, Labels, are_codes
from tabrec.tables.messages import warn_caller
from tabrec.tables.numbers import as_numbers, needs_float64


@dataclass(frozen=True)
class EncodedSample:
    """Encoded rows with their targets."""

    encoded: pd.DataFrame
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)


def are_encoded(columns: list[Column]) -> bool:
    """Return whether columns form an encoded frame; float64 columns alone do not, as raw frames have them too."""
    dtypes = [column.raw.dtype for column in columns]
    has_codes, has_float32 = any(are_codes(dtype) for dtype in dtypes), np.float32 in dtypes
    if np.float64 in dtypes and not has_float32 and not has_codes:
        return False
    # A subset of the rows of an encoded frame, as in cross-validation, may not need float64 although all rows do.
    return all(_is_encoded(column, takes_float64=has_codes and has_float32) for column in columns)


def _is_encoded(column: Column, takes_float64: bool) -> bool:
    """Return whether the dtype and values of a column are valid in an encoded frame."""
    dtype = column.raw.dtype
    if are_codes(dtype) or dtype == np.dtype(bool):
        return True
    if dtype not in (np.float32, np.float64) or np.isnan(column.raw).any():
        return False
    return dtype == np.float32 or takes_float64 or needs_float64(column.raw)


def without_code_0(column: Column) -> Column:
    """Replace code 0 by missing values in a column of codes."""
    codes, labels = column.values
    zero = [position for position, label in enumerate(labels) if isinstance(label, int) and label == 0]
    return Column.of_labels(column.name, column.raw, Labels(np.where(np.isin(codes, zero), -1, codes), labels))


def read_flag(column: Column, warned: set[str]) -> Column:
    """Read a column that was a flag in fit as booleans; missing values cause one warning."""
    if column.raw.dtype == np.dtype(bool):
        return column
    numbers = as_numbers(column)
    missing = np.isnan(numbers)
    odd = numbers[~missing & (numbers != 0) & (numbers != 1)]
    if len(odd):
        raise ValueError(f"Column {column.name!r} held true and false in fit, but now holds {odd[0]:g}.")
    if missing.any() and column.name not in warned:
        warned.add(column.name)
        warn_caller(f"Column {column.name!r} had no missing values in fit but has some now; they are read as False.")
    return Column(column.name, numbers == 1)
