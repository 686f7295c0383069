"""The rows a model learns from: whole weights as repeated rows, in an order that does not depend on how they came."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _check_sample_weight

# Beyond this many times the rows of the table, repeating them costs more memory than exactness is worth.
_MOST_COPIES = 10


class Weighting(NamedTuple):
    """Which rows count, and how much.

    `rows` are positions in the table: rows of weight 0 are left out, rows of whole weight k stand there k times.
    `weights` belong to them where weights are not whole; None counts all the same.
    """

    rows: np.ndarray
    weights: np.ndarray | None


def read_weights(sample_weight: Any, n_rows: int) -> Weighting:
    """Check sample weights and tell whole ones, which are frequencies, from others.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,) or None
    n_rows : int

    Returns
    -------
    Weighting

    Raises
    ------
    ValueError
        Another length, a negative or missing weight, or no weight above 0.
    """
    everything = np.arange(n_rows, dtype=np.int32)
    if sample_weight is None:
        return Weighting(everything, None)
    weights = _check_sample_weight(sample_weight, everything[:, None])
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"sample_weight must not be negative, but is {weights[row]} in row {row} (counted from 0).")
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    if (weights == np.floor(weights)).all() and weights.sum() <= _MOST_COPIES * n_rows:
        return Weighting(np.repeat(everything, weights.astype(np.int64)), None)
    used = everything[weights > 0]
    return Weighting(used, weights[used])
