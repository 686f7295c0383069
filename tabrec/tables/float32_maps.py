"""`Float32Map`: map the numbers of a column to float32, for models that compute in float32 only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.messages import warn_caller
from tabrec.tables.numbers import needs_float64

# scikit-learn's trees do not split between values that differ by less than 1e-7. In a column with a range below
# `_SMALLEST_RANGE`, they would merge values that differ by more than 1e-5 of the range.
_SMALLEST_RANGE = 2.0**-7
_SMALLEST_STEP = np.float32(1e-7)
# Mapped columns have about this range, so that steps are large.
_LOG2_OF_RANGE = 20
_LARGEST = float(np.finfo(np.float32).max)
# float32 represents all ranks up to this one.
_MOST_LEVELS = 2**24


class Float32Map:
    """An increasing function from the numbers of a column to float32 that keeps the numbers of fit distinct.

    An offset is subtracted and the range scaled by a power of two, so that the distances between numbers keep their
    proportions. Where that would merge some of them, numbers are mapped to their rank among those of fit, with linear
    interpolation in between.

    `levels` holds the distinct numbers of fit in ascending order.
    """

    def __init__(self, levels: np.ndarray):
        # The offset is a value of the column, so that subtracting it from values near it is exact.
        self.offset = float(levels[len(levels) // 2])
        self.log2_scale = _LOG2_OF_RANGE - int(np.frexp(levels[-1] - levels[0])[1])
        self.levels: np.ndarray | None = None
        if not self.keeps(levels) and len(levels) <= _MOST_LEVELS:
            self.levels = levels

    def apply(self, numbers: np.ndarray) -> np.ndarray:
        """Map numbers to float32; NaN stays NaN."""
        numbers = numbers.astype(np.float64)
        if self.levels is not None:
            mapped = np.interp(numbers, self.levels, np.arange(len(self.levels)))
        else:
            mapped = np.ldexp(numbers - self.offset, self.log2_scale)
        # Numbers far beyond those of fit must not overflow.
        return np.clip(mapped, -_LARGEST, _LARGEST).astype(np.float32)

    def invert(self, mapped: Any) -> np.ndarray:
        """Map back to the numbers of the column, as float64."""
        mapped = np.asarray(mapped, dtype=np.float64)
        if self.levels is not None:
            return np.interp(mapped, np.arange(len(self.levels)), self.levels)
        return np.ldexp(mapped, -self.log2_scale) + self.offset

    @property
    def precision(self) -> float:
        """The largest difference that mapping a number of the column and back makes; 0 for ranks."""
        return 0.0 if self.levels is not None else float(np.ldexp(1.0, _LOG2_OF_RANGE - 24 - self.log2_scale))

    def keeps(self, levels: np.ndarray) -> bool:
        """Return whether trees distinguish all of these ascending numbers."""
        mapped = self.apply(levels)
        return bool((mapped[1:] > mapped[:-1] + _SMALLEST_STEP).all())


def learn_maps(encoded: pd.DataFrame) -> dict[str, Float32Map]:
    """Find the columns of an encoded frame of which float32 or a tree would merge values, and map them.

    A column that cannot be kept distinct is named in a warning.
    """
    maps = {}
    for name, column in encoded.items():
        if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == bool:
            continue
        numbers = column.to_numpy()
        numbers = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
        if _needs_map(numbers):
            levels = np.unique(numbers.astype(np.float64))
            maps[str(name)] = Float32Map(levels)
            if maps[str(name)].levels is None and not maps[str(name)].keeps(levels):
                warn_caller(
                    f"Column {name!r} holds {len(levels):,} distinct numbers, of which the trees distinguish only "
                    "some; round them, or split the column into several."
                )
    return maps


def _needs_map(numbers: np.ndarray) -> bool:
    if not len(numbers):
        return False
    with np.errstate(over="ignore"):
        extent = float(numbers.max()) - float(numbers.min())
    return np.isfinite(extent) and extent > 0 and (extent < _SMALLEST_RANGE or needs_float64(numbers))
