"""Convert encoded frames and targets to tensors, and read the bounds of predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tabrec.neural.embeddings import quantile_edges
from tabrec.tables.numbers import needs_float64

# Bin edges are computed from at most this many evenly spaced rows.
_MAX_ROWS_FOR_EDGES = 100_000
_MIN_STD = 1e-37
# Numbers are clipped at this many standard deviations beyond the extremes of the training rows.
_MAX_EXCESS = 1.0
# Margin of "auto" on each side, as a share of the range of the target.
_MARGIN = 0.05


class FrameReader:
    """Converts encoded frames to tensors, with the columns and scales of the training frame.

    Numbers are standardised by `means` and `scales`, and clipped at one standard deviation beyond the extremes of the
    training frame; an offset is subtracted first from columns of which float32 would merge values. `category_sizes`
    holds the number of codes by category column; the other columns are `continuous`.
    """

    def __init__(self, encoded: pd.DataFrame):
        self.category_sizes = {
            str(name): len(dtype.categories)
            for name, dtype in encoded.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        self._n_codes = np.array(list(self.category_sizes.values()), dtype=np.int32)
        self.continuous = [str(name) for name in encoded.columns if name not in self.category_sizes]
        self._offsets = {
            name: float(encoded[name].mean()) for name in self.continuous if needs_float64(encoded[name].to_numpy())
        }
        numbers = self._raw_numbers(columns_of(encoded))
        self.means = numbers.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = numbers.std(axis=0, dtype=np.float64)
        # A spread within the rounding error of float32 counts as constant.
        has_spread = spread > np.maximum(1e-6 * np.abs(self.means), _MIN_STD)
        self.scales = np.where(has_spread, spread, 1.0).astype(np.float32)
        middle = self.means / self.scales
        self._lowest = numbers.min(axis=0) / self.scales - middle - _MAX_EXCESS
        self._highest = numbers.max(axis=0) / self.scales - middle + _MAX_EXCESS

    def read(self, columns: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Convert columns to codes, int32 (n_rows, n_categories), and numbers, float32 (n_rows, n_continuous)."""
        n_rows = len(next(iter(columns.values())))
        codes = np.empty((n_rows, len(self.category_sizes)), dtype=np.int32)
        for position, name in enumerate(self.category_sizes):
            codes[:, position] = columns[name].codes
        codes[(codes < 0) | (codes >= self._n_codes)] = 0
        numbers = self._raw_numbers(columns)
        # Divide first, because differences of the largest float32 numbers would overflow.
        numbers /= self.scales
        numbers -= self.means / self.scales
        np.clip(numbers, self._lowest, self._highest, out=numbers)
        return torch.from_numpy(codes), torch.from_numpy(numbers)

    def bin_edges(self, numbers: Tensor, n_bins: int) -> list[np.ndarray]:
        """Return the bin edges of each continuous column from the numbers of `read`; few rows get fewer bins."""
        n_bins = min(n_bins, max(8, len(numbers) // 64))
        rows = numbers[:: max(1, len(numbers) // _MAX_ROWS_FOR_EDGES)].numpy()
        return [quantile_edges(column, n_bins) for column in rows.T]

    def _raw_numbers(self, columns: Mapping[str, Any]) -> np.ndarray:
        numbers = np.empty((len(next(iter(columns.values()))), len(self.continuous)), dtype=np.float32)
        for position, name in enumerate(self.continuous):
            column = columns[name]
            numbers[:, position] = column - self._offsets[name] if name in self._offsets else column
        if not np.isfinite(numbers).all():
            name = self.continuous[int(np.argmax(~np.isfinite(numbers).all(axis=0)))]
            raise ValueError(
                f"The preprocessor leaves missing or infinite numbers in column {name!r}: add FillMissing to it."
            )
        return numbers


def columns_of(encoded: pd.DataFrame) -> dict[str, Any]:
    """Return the columns of a frame as arrays and categoricals, by name."""
    return {str(name): column.array for name, column in encoded.items()}


class TargetScaler:
    """Standardises each output of a target to mean 0 and standard deviation 1, and inverts it."""

    def __init__(self, y: np.ndarray):
        self.means = (y / len(y)).sum(axis=0)  # divide first, because the sum of large numbers would overflow
        centred = y - self.means
        largest = np.abs(centred).max(axis=0)
        largest = np.where(largest > 0, largest, 1.0)
        # Divide by the largest first, because the squares of large numbers would overflow.
        spread = largest * np.sqrt(((centred / largest) ** 2).mean(axis=0))
        self.scales = np.where(spread > 1e-12 * np.abs(self.means), spread, 1.0)

    def scale(self, y: Any) -> np.ndarray:
        """Standardise the target: float64, (n_rows, n_outputs)."""
        return (y - self.means) / self.scales

    def restore(self, scaled: np.ndarray) -> np.ndarray:
        """Convert back to the units of the target: (n_rows, n_outputs[, n_quantiles])."""
        if scaled.ndim == 3:
            return scaled * self.scales[:, None] + self.means[:, None]
        return scaled * self.scales + self.means

    def restore_tensors(self, *scaled: Tensor) -> tuple[Tensor, ...]:
        """Convert tensors of shape (n_rows, n_outputs) back to the units of the target."""
        means, scales = (scaled[0].new_tensor(part) for part in (self.means, self.scales))
        return tuple(part * scales + means for part in scaled)


def read_range(
    y_range: Any, y: np.ndarray, margin: Callable[[np.ndarray], float] | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Validate `y_range` and return the lower and upper bound in the units of the target, which must lie within.

    "auto" extends the range of the target by `margin(y)`, or by 5 % of the range.
    """
    if y_range is None:
        return None
    if isinstance(y_range, str):
        low, high = y.min(axis=0).astype(np.float64), y.max(axis=0).astype(np.float64)
        extra = np.where(high > low, _MARGIN * (high - low), 1.0) if margin is None else margin(y)
        return low - extra, high + extra
    bounds: Any = np.asarray(y_range, dtype=object)
    if len(bounds) != 2 or not all(isinstance(bound, Real) and math.isfinite(bound) for bound in bounds.ravel()):
        raise ValueError(f"y_range must be two finite numbers (low, high), 'auto' or None; got {y_range!r}.")
    low, high = np.asarray(y_range[0], dtype=np.float64), np.asarray(y_range[1], dtype=np.float64)
    if not np.all(low < high):
        raise ValueError(f"y_range must satisfy low < high; got {y_range!r}.")
    outside = (y < low) | (y > high)
    if outside.any():
        raise ValueError(f"y_range={y_range!r} does not contain the target {y[outside].ravel()[0]:g}.")
    return low, high


def keep_in_range(restored: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """Clip predictions, (n_rows, n_outputs[, n_quantiles]), to bounds that rounding may exceed."""
    if bounds is None:
        return restored
    low, high = (np.reshape(bound, (-1, 1)) if restored.ndim == 3 else bound for bound in bounds)
    return np.clip(restored, low, high)
