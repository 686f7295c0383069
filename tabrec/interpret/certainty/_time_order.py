"""Whether new rows are later than those a model was fitted on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabrec.trees.fitted_trees import FittedTrees

# Rows are late if rows drawn at random would be as late with a smaller probability than this.
_BY_CHANCE = 0.01


def late_columns(
    trees: FittedTrees, X: Any, training_matrix: Callable[[], np.ndarray] | None = None
) -> dict[str, float]:
    """The raw date columns in which more rows lie after all training rows than chance explains, with their share.

    `training_matrix` returns the rows that the trees were grown on, which only our forests do without, as they record
    the range of their columns; without it the result is empty.
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
    """In random order, k given rows lie after the last training row with probability about (m / (m + n)) ** k."""
    n_late = share * n_rows
    return n_late > 0 and (n_rows / (n_rows + n_training)) ** n_late < _BY_CHANCE
