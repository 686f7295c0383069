"""Find date columns in which new rows are later than the training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabrec.trees.fitted_trees import FittedTrees

# Significance level of the test that rows are later than random ones.
_BY_CHANCE = 0.01


def late_columns(
    trees: FittedTrees, X: Any, training_matrix: Callable[[], np.ndarray] | None = None
) -> dict[str, float]:
    """Return the date columns in which more rows than by chance are after all training rows, with their share.

    `training_matrix` returns the training rows. Forests of this package do not need it, because they record the range
    of columns; for others, the result is empty without it.
    """
    dates = {
        origin.column: position
        for position, origin in enumerate(trees.origins.values())
        if origin is not None and origin.kind == "date part" and origin.part == "Elapsed"
    }
    last = trees.training_maximum() if dates else None
    if last is not None:
        n_training = trees.n_training_rows
    elif dates and training_matrix is not None:
        training = training_matrix()
        last, n_training = training.max(axis=0), len(training)
    else:
        return {}
    encoded = trees.encode(X)
    shares = {raw: float((encoded.iloc[:, at] > last[at]).mean()) for raw, at in dates.items()}
    return {raw: share for raw, share in shares.items() if _is_late(share, len(encoded), n_training)}


def _is_late(share: float, n_rows: int, n_training: int) -> bool:
    """Return whether more rows are late than by chance."""
    n_late = share * n_rows
    # In random order, k of the m rows are after all n training rows with probability about (m / (m + n)) ** k.
    return n_late > 0 and (n_rows / (n_rows + n_training)) ** n_late < _BY_CHANCE
