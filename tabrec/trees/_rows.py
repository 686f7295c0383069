"""The rows trees are grown on: whole weights as repeated rows, in an order that does not depend on how the rows came."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_sample_weight

# Beyond this many times the rows of the table, repeating them costs more memory than exactness is worth.
_MOST_COPIES = 10


class Weighting(NamedTuple):
    """Which rows count, and how much.

    `used` are the positions of the rows whose weight is not 0; each has whole `copies`, or a share of the `weights`, or
    neither, where all count the same.
    """

    used: np.ndarray
    copies: np.ndarray | None
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
        return Weighting(everything, None, None)
    weights = _check_sample_weight(sample_weight, everything[:, None])
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"sample_weight must not be negative, but is {weights[row]} in row {row} (counted from 0).")
    if not (weights > 0).any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    used = everything[weights > 0]
    if (weights == np.floor(weights)).all() and weights.sum() <= _MOST_COPIES * n_rows:
        return Weighting(used, weights[used].astype(np.int64), None)
    return Weighting(used, None, weights[used])


def canonical_order(encoded: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """An order of the rows that depends on their content alone: by target, then by a hash of their numbers.

    Random draws are by position, so growing in this order makes a model independent of the order in which rows came.

    Parameters
    ----------
    encoded : pandas.DataFrame of shape (n_rows, n_columns)
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    hashes = np.zeros(len(encoded), dtype=np.uint64)
    for _, column in encoded.items():
        values = column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column
        # Adding 0 makes -0.0 the 0.0 that it equals.
        hashes = hashes * np.uint64(1_000_003) + pd.util.hash_array(values.to_numpy() + np.int8(0))
    targets = [pd.factorize(output, sort=True)[0] for output in y.reshape(len(y), -1).T]
    return np.lexsort([hashes, *targets[::-1]])


def rows_to_grow_on(encoded: pd.DataFrame, y: np.ndarray, weighting: Weighting) -> np.ndarray:
    """Positions in `encoded`, in canonical order, each as often as it has copies."""
    order = canonical_order(encoded, y)
    return order if weighting.copies is None else np.repeat(order, weighting.copies[order])
