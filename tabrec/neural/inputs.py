"""From an encoded frame to what a net takes: a matrix of codes and one of numbers of like scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tabrec.neural.embeddings import quantile_edges

# Edges of bins are taken from so many rows at most, evenly spaced in an order that has nothing to do with time.
_MOST_ROWS_FOR_EDGES = 100_000
_LEAST_SPREAD = 1e-37
# So many standard deviations beyond the training rows a net may look; what lies further is taken to lie there.
_BEYOND = 1.0


class FrameReader:
    """Reads encoded frames as it has learned to from the training one.

    Attributes
    ----------
    category_sizes : dict of str to int
        Number of codes of each category column.
    continuous : list of str
        All other columns.
    means, scales : ndarray of shape (n_continuous,), float32
        Of the training frame; numbers are given to the net with mean 0 and standard deviation 1, and no further than
        one standard deviation beyond those of the training frame.
    """

    def __init__(self, encoded: pd.DataFrame):
        self.category_sizes = {
            str(name): len(dtype.categories)
            for name, dtype in encoded.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        self._n_codes = np.array(list(self.category_sizes.values()), dtype=np.int32)
        self.continuous = [str(name) for name in encoded.columns if name not in self.category_sizes]
        numbers = self._raw_numbers(columns_of(encoded))
        self.means = numbers.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = numbers.std(axis=0, dtype=np.float64)
        # A spread within rounding of float32 is none.
        has_spread = spread > np.maximum(1e-6 * np.abs(self.means), _LEAST_SPREAD)
        self.scales = np.where(has_spread, spread, 1.0).astype(np.float32)
        middle = self.means / self.scales
        self._lowest = numbers.min(axis=0) / self.scales - middle - _BEYOND
        self._highest = numbers.max(axis=0) / self.scales - middle + _BEYOND

    def read(self, columns: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Codes, int32 of shape (n_rows, n_categories), and numbers, float32 of shape (n_rows, n_continuous).

        Parameters
        ----------
        columns : mapping of str to array
            The columns of an encoded frame; see `columns_of`.
        """
        n_rows = len(next(iter(columns.values())))
        codes = np.empty((n_rows, len(self.category_sizes)), dtype=np.int32)
        for position, name in enumerate(self.category_sizes):
            codes[:, position] = columns[name].codes
        codes[(codes < 0) | (codes >= self._n_codes)] = 0
        numbers = self._raw_numbers(columns)
        # Divided first, or what lies at the two ends of float32 would overflow.
        numbers /= self.scales
        numbers -= self.means / self.scales
        np.clip(numbers, self._lowest, self._highest, out=numbers)
        return torch.from_numpy(codes), torch.from_numpy(numbers)

    def bin_edges(self, numbers: Tensor, n_bins: int) -> list[np.ndarray]:
        """Edges of the bins of each continuous column, from what `read` gave; few rows have fewer bins."""
        n_bins = min(n_bins, max(8, len(numbers) // 64))
        rows = numbers[:: max(1, len(numbers) // _MOST_ROWS_FOR_EDGES)].numpy()
        return [quantile_edges(column, n_bins) for column in rows.T]

    def _raw_numbers(self, columns: Mapping[str, Any]) -> np.ndarray:
        numbers = np.empty((len(next(iter(columns.values()))), len(self.continuous)), dtype=np.float32)
        for position, name in enumerate(self.continuous):
            numbers[:, position] = columns[name]
        if not np.isfinite(numbers).all():
            name = self.continuous[int(np.argmax(~np.isfinite(numbers).all(axis=0)))]
            raise ValueError(
                f"The preprocessor leaves missing or infinite numbers in column {name!r}: let it end with FillMissing."
            )
        return numbers


def columns_of(encoded: pd.DataFrame) -> dict[str, Any]:
    """The columns of a frame as plain arrays and categoricals."""
    return {str(name): column.array for name, column in encoded.items()}


class TargetScaler:
    """Brings numeric targets to mean 0 and standard deviation 1, each output by itself, and back."""

    def __init__(self, y: np.ndarray):
        self.means = (y / len(y)).sum(axis=0)  # divided first, or the sum of large numbers would overflow
        gaps = y - self.means
        largest = np.abs(gaps).max(axis=0)
        largest = np.where(largest > 0, largest, 1.0)
        # In two steps, or the squares of large numbers would overflow.
        spread = largest * np.sqrt(((gaps / largest) ** 2).mean(axis=0))
        self.scales = np.where(spread > 1e-12 * np.abs(self.means), spread, 1.0)

    def scale(self, y: Any) -> np.ndarray:
        """float64 of shape (n_rows, n_outputs), standardised."""
        return (y - self.means) / self.scales

    def restore(self, scaled: np.ndarray) -> np.ndarray:
        """The target's own units again: (n_rows, n_outputs[, n_quantiles])."""
        if scaled.ndim == 3:
            return scaled * self.scales[:, None] + self.means[:, None]
        return scaled * self.scales + self.means
