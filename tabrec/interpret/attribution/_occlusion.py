"""Occlusion: contributions to the predictions of any model, by replacing the columns of background rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Largest number of cells of a frame that is predicted at once.
_MOST_CELLS = 2**21


@dataclass(frozen=True)
class AgainstBackground:
    """Contributions to predictions, relative to the mean prediction of background rows."""

    prediction: np.ndarray  # (n_rows, n_outputs)
    base: np.ndarray  # (n_outputs,)
    contributions: np.ndarray  # (n_rows, n_columns, n_outputs)
    standard_error: np.ndarray | None = None  # standard error of the contributions; None if they are exact
    residual: np.ndarray | None = None  # the error of the sum of contributions, which was distributed over them


def occlude(
    predict: Callable[[Any], np.ndarray],
    rows: pd.DataFrame,
    background: pd.DataFrame,
    rng: np.random.Generator,
    as_array: bool,
) -> AgainstBackground:
    """Estimate Shapley values by replacing the columns of background rows in random orders and their reverses."""
    mixed = _Mixed(predict, rows, background, as_array)
    n_rows, n_background, n_columns = len(rows), len(background), rows.shape[1]
    ends, starts = mixed.predict(np.arange(n_rows)[:, None]), mixed.predict(n_rows + np.arange(n_background)[:, None])
    n_outputs = ends.shape[1]
    total = np.zeros((n_rows, n_columns, n_outputs))
    squares = np.zeros_like(total)
    pairs_at_once = max(_MOST_CELLS // (2 * n_columns**2), 1)
    pairs = np.stack(np.meshgrid(np.arange(n_rows), np.arange(n_background), indexing="ij"), axis=-1).reshape(-1, 2)
    for first in range(0, len(pairs), pairs_at_once):
        row, other = pairs[first : first + pairs_at_once].T
        forth = rng.permuted(np.tile(np.arange(n_columns), (len(row), 1)), axis=1)
        gains = np.zeros((len(row), n_columns, n_outputs))
        for rank in (forth, n_columns - 1 - forth):
            gains += mixed.gains(row, other, rank, starts[other], ends[row]) / 2
        np.add.at(total, row, gains)
        np.add.at(squares, row, gains**2)
    mean = total / n_background
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(squares / n_background - mean**2, 0) / (n_background - 1)
    return AgainstBackground(ends, starts.mean(axis=0), mean, np.sqrt(variance))


class _Mixed:
    """Predicts rows whose columns are taken from two tables."""

    def __init__(
        self, predict: Callable[[Any], np.ndarray], rows: pd.DataFrame, background: pd.DataFrame, as_array: bool
    ):
        self._predict = predict
        self._columns = {name: _join(rows[name], background[name]) for name in rows.columns}
        self._n_rows = len(rows)
        self._as_array = as_array

    def predict(self, positions: np.ndarray) -> np.ndarray:
        """Predict rows, (n, n_outputs), by the positions of their values, (n, n_columns or 1), in the joined tables."""
        positions = np.broadcast_to(positions, (len(positions), len(self._columns)))
        frame = pd.DataFrame(
            {name: values.take(positions[:, at]) for at, (name, values) in enumerate(self._columns.items())}
        )
        return self._predict(frame.to_numpy() if self._as_array else frame)

    def gains(
        self, row: np.ndarray, other: np.ndarray, rank: np.ndarray, start: np.ndarray, end: np.ndarray
    ) -> np.ndarray:
        """Return the change of predictions when each column is replaced: (n_pairs, n_columns, n_outputs)."""
        n_pairs, n_columns = rank.shape
        n_given = np.arange(1, n_columns)[None, :, None]  # number of columns replaced
        positions = np.where(rank[:, None] < n_given, row[:, None, None], self._n_rows + other[:, None, None])
        path = np.empty((n_pairs, n_columns + 1, start.shape[1]))
        path[:, 0], path[:, -1] = start, end
        if n_columns > 1:
            path[:, 1:-1] = self.predict(positions.reshape(-1, n_columns)).reshape(n_pairs, n_columns - 1, -1)
        return np.take_along_axis(np.diff(path, axis=1), rank[:, :, None], axis=1)


def _join(rows: pd.Series, background: pd.Series) -> Any:
    """Concatenate two columns to an array with a dtype that preserves all values."""
    if rows.dtype == background.dtype:
        return pd.concat([rows, background], ignore_index=True).array
    if all(isinstance(part.dtype, np.dtype) and part.dtype.kind in "iuf" for part in (rows, background)):
        return np.concatenate([rows.to_numpy(), background.to_numpy()])
    return np.concatenate([rows.to_numpy(dtype=object), background.to_numpy(dtype=object)])
