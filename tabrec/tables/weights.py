"""Read sample weights: integer weights repeat rows, and other weights are kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _check_sample_weight

# Repeating rows beyond this many times the rows of the table needs too much memory.
_MOST_COPIES = 10


class Weighting(NamedTuple):
    """Rows to learn from, and their weights."""

    rows: np.ndarray  # positions without rows of weight 0; a row of integer weight k occurs k times
    weights: np.ndarray | None  # weights of `rows`; None if all weights are integers


def read_weights(sample_weight: Any, n_rows: int) -> Weighting:
    """Check sample weights, and convert integer weights, which are frequencies, to repeated rows.

    None weights all rows equally. Raises a ValueError if the number of weights is not `n_rows`, a weight is negative or
    missing, or no weight is positive.
    """
    everything = np.arange(n_rows, dtype=np.int32)
    if sample_weight is None:
        return Weighting(everything, None)
    weights = check_weights(sample_weight, n_rows)
    if (weights == np.floor(weights)).all() and weights.sum() <= _MOST_COPIES * n_rows:
        return Weighting(np.repeat(everything, weights.astype(np.int64)), None)
    used = everything[weights > 0]
    return Weighting(used, weights[used])


def check_weights(sample_weight: Any, n_rows: int) -> np.ndarray:
    """Check sample weights as `read_weights` does, and return one number for each row."""
    weights = _check_sample_weight(sample_weight, np.empty((n_rows, 1)))
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"sample_weight must not be negative, but is {weights[row]} in row {row} (counted from 0).")
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
