"""`split_into_folds`: folds of rows with similar targets, in which equal rows stay together."""

from __future__ import annotations

import numpy as np

# More rows in a fold would hardly improve the estimate, and would be missing in training.
_MOST_HELD_OUT = 10_000


def split_into_folds(groups: np.ndarray, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draw folds of rows, of at most 10,000 groups each.

    Consecutive groups are dealt to different folds, so that the folds are stratified if groups are ordered by target.

    Parameters
    ----------
    groups : ndarray of int of shape (n_rows,)
        Group of each row, in ascending order from 0. Equal rows should share one, so that a row is not held out from
        its own copy.
    n_folds : int
        Number of folds, at most as many as groups. Of a large table they do not hold all rows.
    seed : int
        Seed of the draws.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Positions of the training rows and of the rows held out, for each fold.
    """
    n_groups = int(groups[-1]) + 1
    n_parts = max(n_folds, -(-n_groups // _MOST_HELD_OUT))
    dealt = np.random.default_rng(seed).random((-(-n_groups // n_parts), n_parts)).argsort(axis=1).ravel()
    parts = dealt[groups]
    return [(np.flatnonzero(parts != part), np.flatnonzero(parts == part)) for part in range(n_folds)]
