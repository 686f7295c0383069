"""`shap_values`: exact Shapley values of forests and single trees."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tabrec.interpret.attribution._shapley_tree import tree_shapley
from tabrec.interpret.attribution.path_contributions import Contributions, describe
from tabrec.trees.fitted_trees import FittedTrees, read_trees

# Largest number of values that a tree computes at once.
_MOST_NUMBERS = 2**22


def shap_values(model: Any, X: Any) -> Contributions:
    """Decompose the predictions of a forest or tree into Shapley values, one for each column.

    A column's value is its contribution to the prediction, averaged over all orders in which the columns can become
    known. While a column is unknown a row goes both ways at its splits, by the shares of the training weight. The
    values equal those of shap's ``TreeExplainer(..., feature_perturbation="tree_path_dependent")``. Values are exact
    for trees of any depth; columns that no split tests get exactly 0.

    `contributions` is faster and adds up the changes at the splits on the path of the row, but favours columns that are
    tested near the leaves.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one. The forest's `n_jobs`
        sets the number of threads.
    X : table or array-like of shape (n_rows, n_features)
        Rows to explain, as the model takes them.

    Returns
    -------
    Contributions
        With `prediction`, `bias` (the mean of the leaves by training weight) and `contributions`, by encoded column,
        for each class or output; ``.row(i)`` for one row, ``.by_source()`` for raw columns.

    Raises
    ------
    TypeError
        The model is neither a forest nor a single tree.
    ValueError
        Columns of fit are missing.
    sklearn.exceptions.NotFittedError

    See Also
    --------
    contributions : Faster contributions for forests and trees, and contributions for any model.
    waterfall : Plot of the contributions to one prediction.

    References
    ----------
    Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees", Nature
    Machine Intelligence 2, algorithm 1. Yu et al. (2022), "Linear TreeShap".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import shap_values
    >>> auctions = make_auctions(300, random_state=0)[["YearMade", "ProductSize", "saledate", "SalePrice"]]
    >>> price = auctions.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=10, random_state=0).fit(auctions, price)
    >>> reasons = shap_values(forest, auctions.head(2)).by_source()
    >>> reasons.columns
    ['YearMade', 'ProductSize', 'saledate']
    >>> abs(reasons.bias + reasons.contributions.sum(axis=1) - reasons.prediction).max() < 1e-9
    np.True_
    """
    trees = read_trees(
        model,
        "shap_values",
        "contributions(model, X, method='occlusion', background=X_train), which estimates Shapley values",
    )
    encoded = trees.encode(X)
    return describe(trees, X, encoded, "shap", *_mean_over_trees(trees, trees.to_matrix(encoded)))


def _mean_over_trees(trees: FittedTrees, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return predictions (n_rows, n_outputs), bias (n_outputs,) and Shapley values (n_rows, n_columns, n_outputs)."""
    n_rows, n_columns = matrix.shape
    n_outputs = trees.flat_values(trees.trees[0]).shape[1]
    prediction = np.zeros((n_rows, n_outputs))
    shapley = np.zeros((n_rows, n_columns, n_outputs))
    at_once = max(_MOST_NUMBERS // (n_columns * n_outputs), 1)
    for start in range(0, n_rows, at_once):
        part = slice(start, start + at_once)
        bias = np.zeros(n_outputs)
        for predicted, of_root, of_columns in trees.map(partial(_explain_tree, trees, matrix[part])):
            prediction[part] += predicted
            bias += of_root
            shapley[part] += of_columns
    n_trees = len(trees.trees)
    return prediction / n_trees, bias / n_trees, np.divide(shapley, n_trees, out=shapley)


def _explain_tree(trees: FittedTrees, matrix: np.ndarray, tree: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = trees.flat_values(tree)
    return values[tree.apply(matrix)], *tree_shapley(tree, values, matrix)
