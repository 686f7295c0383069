"""Search spaces of the models: a list of values, or a distribution of scipy, for each parameter."""

from __future__ import annotations

from typing import Any

from scipy.stats import loguniform, uniform
from sklearn.pipeline import Pipeline

_TREES = {
    "max_features": uniform(0.1, 0.9),
    "min_samples_leaf": [1, 2, 3, 5, 10, 20],
    "high_cardinality": [10, 30, 100],
    "max_samples": [0.5, 0.8, 1.0],
}
_BOOSTING = {
    "learning_rate": loguniform(0.02, 0.2),
    "max_leaf_nodes": [7, 15, 31, 63],
    "min_samples_leaf": [5, 10, 20, 40],
    "l2_regularization": loguniform(1e-3, 10),
    "max_features": uniform(0.1, 0.9),
}
_NET = {
    "layers": [(128, 128), (256, 256), (512, 256), (256, 256, 256)],
    "learning_rate": loguniform(2e-3, 2e-2),
    "weight_decay": loguniform(0.03, 1),
    "dropout": uniform(0, 0.4),
    "n_bins": [16, 32, 64, 128],
}
_SPACES: dict[str, dict[str, Any]] = {
    "ForestRegressor": _TREES,
    "ForestClassifier": _TREES,
    "BoostingRegressor": _BOOSTING,
    "BoostingClassifier": _BOOSTING,
    "TabularRegressor": _NET,
    "TabularClassifier": _NET,
    "Ridge": {"alpha": loguniform(1e-3, 1e3)},
    "LogisticRegression": {"C": loguniform(1e-3, 1e3)},
    "KNeighborsRegressor": {"n_neighbors": [3, 5, 10, 25, 50], "weights": ["uniform", "distance"]},
    "KNeighborsClassifier": {"n_neighbors": [3, 5, 10, 25, 50], "weights": ["uniform", "distance"]},
}


def search_space(estimator: Any) -> dict[str, Any]:
    """Get the parameters of a model that `tune` searches, with the values to draw from.

    Parameters
    ----------
    estimator : estimator
        A forest, boosting or a net of this package, a linear model or nearest neighbours of scikit-learn, or a pipeline
        that ends with one.

    Returns
    -------
    dict of str to list or distribution
        Lists of values and frozen distributions of scipy, as for `sklearn.model_selection.RandomizedSearchCV`.

    Raises
    ------
    ValueError
        There is no search space for the estimator.

    See Also
    --------
    tune : Searches the space.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.ensemble import search_space
    >>> sorted(search_space(ForestRegressor()))
    ['high_cardinality', 'max_features', 'max_samples', 'min_samples_leaf']
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return {f"{name}__{parameter}": values for parameter, values in search_space(last).items()}
    for cls in type(estimator).__mro__:
        if cls.__name__ in _SPACES:
            return dict(_SPACES[cls.__name__])
    raise ValueError(f"There is no search space for {type(estimator).__name__}: pass it, as {{'alpha': [1, 10]}}.")
