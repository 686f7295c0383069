"""Read sample weights, for all functions that compute a score, an importance or an effect.

A row of integer weight k counts as k rows, and a row of weight 0 is ignored. If weights are not integers, they multiply
the value of each row.
"""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.weights import Weighting, check_weights, read_weights


def weigh_rows(X: Any, sample_weight: Any) -> Weighting:
    """Return the rows to use, repeated by integer weights, and their weights if these are not integers."""
    check_row_labels(X, sample_weight=sample_weight)
    return read_weights(sample_weight, len(read_frame(X)))


def weight_of_rows(X: Any, sample_weight: Any) -> np.ndarray | None:
    """Return one weight per row without repeating rows, as for rows in folds; None without weights."""
    check_row_labels(X, sample_weight=sample_weight)
    return None if sample_weight is None else check_weights(sample_weight, len(read_frame(X)))


def weights_of_copies(rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
    """Return the weight of each training row of a forest, in which rows of integer weights occur several times.

    `rows` holds their positions in the table of fit. None is returned if all weights are equal.
    """
    if weights is None:
        return None
    shared = (weights / np.maximum(np.bincount(rows, minlength=len(weights)), 1))[rows]
    return None if np.ptp(shared) == 0 else shared


def as_fit_parameter(model: Any, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return the weights by the name of the parameter of `fit` of a model, or of a pipeline's last step."""
    prefix, last = (f"{model.steps[-1][0]}__", model[-1]) if isinstance(model, Pipeline) else ("", model)
    taken = signature(last.fit).parameters.values()
    if not any(each.name == "sample_weight" or each.kind is Parameter.VAR_KEYWORD for each in taken):
        raise TypeError(f"sample_weight was given, but fit of {type(last).__name__} takes none.")
    return {f"{prefix}sample_weight": weights}
