"""`clone_for_refit`: a copy of a fitted model that is to learn from other rows or columns."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline


def clone_for_refit(model: Any) -> Any:
    """Clone a model; a clone of fitted boosting grows the same number of trees instead of choosing it again.

    Parameters
    ----------
    model : estimator
        A model, fitted or not.

    Returns
    -------
    estimator
        The clone, not fitted.
    """
    made = clone(model)
    last, fitted = _innermost(made), _innermost(model)
    if getattr(last, "max_iter", 0) is None and hasattr(fitted, "n_iter_"):
        last.set_params(max_iter=fitted.n_iter_)
    return made


def _innermost(model: Any) -> Any:
    """Return the last step of pipelines and the regressor of transformed targets, fitted if the model is."""
    if isinstance(model, Pipeline):
        return _innermost(model[-1])
    if isinstance(model, TransformedTargetRegressor):
        return _innermost(getattr(model, "regressor_", model.regressor))
    return model
