"""Whether new rows are later than those a model was fitted on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tabrec.interpret.models import find_dates
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
        raw: trees.names.index(name)
        for raw, parts in find_dates(trees.origins).items()
        for name, part in parts.items()
        if part == "Elapsed"
    }
    known = _last_values(trees, training_matrix) if dates else None
    if known is None:
        return {}
    last, n_training = known
    matrix = trees.matrix(X)
    shares = {raw: float(np.mean(matrix[:, position] > last[position])) for raw, position in dates.items()}
    return {raw: share for raw, share in shares.items() if _is_late(share, len(matrix), n_training)}


def _last_values(trees: FittedTrees, training_matrix: Callable[[], np.ndarray] | None) -> tuple[np.ndarray, int] | None:
    maximum = trees.training_maximum()
    if maximum is not None:
        return maximum, trees.n_training_rows
    if training_matrix is None:
        return None
    matrix = training_matrix()
    return matrix.max(axis=0), len(matrix)


def _is_late(share: float, n_rows: int, n_training: int) -> bool:
    """In random order, k given rows lie after the last training row with probability about (m / (m + n)) ** k."""
    n_late = share * n_rows
    return n_late > 0 and (n_rows / (n_rows + n_training)) ** n_late < _BY_CHANCE
