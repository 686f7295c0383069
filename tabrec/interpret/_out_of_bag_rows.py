"""What a forest says of its training rows through the trees that did not draw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tabrec.interpret._models import Training, Trees, read_training, training_positions
from tabrec.tables.columns import read_frame
from tabrec.tables.target import check_target
from tabrec.trees.forest_base import ForestMixin


@dataclass(frozen=True)
class OutOfBag:
    """Out-of-bag predictions of the rows that a forest was grown on; a row of weight k stands there k times.

    Attributes
    ----------
    y : ndarray of shape (n,) or (n, n_outputs)
    prediction : ndarray of shape (n, n_outputs); of a classifier (n, n_classes)
        NaN where no tree left the row out.
    spread : ndarray of shape (n,)
        Standard deviation over the trees that left the row out; of a classifier and of several outputs 0.
    count : ndarray of shape (n,)
        How many trees left the row out.
    """

    y: np.ndarray
    prediction: np.ndarray
    spread: np.ndarray
    count: np.ndarray


def keeps_out_of_bag(trees: Trees) -> bool:
    """Whether a forest of ours has kept its out-of-bag predictions."""
    return isinstance(trees.estimator, ForestMixin) and hasattr(trees.estimator, "oob_target_")


def read_training_rows(trees: Trees, X: Any, y: Any, function: str) -> Training:
    """The training rows of any forest or tree as its trees saw them; without bootstrap, none is left out.

    Parameters
    ----------
    trees : Trees
    X, y : as given to the model's `fit`
    function : str
        Who asks, for messages.
    """
    model = trees.estimator
    if getattr(model, "bootstrap", False):
        return read_training(trees, X, y, function)
    check_fitted_rows(trees, X, function)
    n_rows = len(read_frame(X))
    y = check_target(y, n_rows, type(model).__name__, numeric=not trees.is_classifier)
    rows = training_positions(trees, n_rows)
    matrix = model._training_matrix(trees._enter(X), y) if isinstance(model, ForestMixin) else trees.matrix(X)
    return Training(matrix, y[rows], [np.arange(len(rows))] * len(trees.trees), rows)


def check_fitted_rows(trees: Trees, X: Any, function: str) -> None:
    """That X has as many rows as the trees were fitted on."""
    n_rows, n_fitted = len(read_frame(X)), _n_fitted(trees)
    if n_rows != n_fitted:
        raise ValueError(
            f"{function} needs the rows that the model was fitted on, in their order: it was fitted on {n_fitted} "
            f"rows, but X has {n_rows}."
        )


def _n_fitted(trees: Trees) -> int:
    if isinstance(trees.estimator, ForestMixin):
        return trees.estimator._n_raw_rows
    return getattr(trees.estimator, "_n_samples", int(trees.trees[0].n_node_samples[0]))


def kept_out_of_bag(trees: Trees) -> OutOfBag:
    """The out-of-bag predictions that a forest of ours of one target, or a regressor, has kept since fit."""
    forest = trees.estimator
    rows = forest._rows
    if trees.is_classifier:
        prediction, spread = forest.oob_decision_function_[rows], np.zeros(len(rows))
    else:
        prediction = forest.oob_prediction_.reshape(forest._n_raw_rows, -1)[rows]
        spread = forest.oob_spread_[rows] if trees.n_outputs == 1 else np.zeros(len(rows))
    count = np.zeros(forest._n_raw_rows, dtype=np.int32)
    for drawn in forest._get_estimators_indices():
        left_out = np.ones(forest._n_raw_rows, dtype=bool)
        left_out[rows[drawn]] = False
        count += left_out
    return OutOfBag(forest.oob_target_[rows], prediction, spread, count[rows])


def out_of_bag(trees: Trees, training: Training) -> OutOfBag:
    """The out-of-bag predictions of a forest, a tree at a time."""
    n = len(training.matrix)
    centre = 0.0 if trees.is_classifier else training.y.mean(axis=0)
    total: Any = None
    count = np.zeros(n, dtype=np.int32)
    for position, tree in enumerate(trees.trees):
        left_out = training.left_out(position)
        if not len(left_out):
            continue
        values = _tree_prediction(trees, tree, training.matrix[left_out]) - centre
        if total is None:
            total, squares = np.zeros((n, values.shape[1])), np.zeros((n, values.shape[1]))
        total[left_out] += values
        squares[left_out] += np.square(values)
        count[left_out] += 1
    if total is None:
        total = squares = np.zeros((n, len(trees.classes) if trees.is_classifier else trees.n_outputs))
    with np.errstate(invalid="ignore"):
        mean = total / count[:, None]
        spread = np.sqrt(np.maximum(squares / count[:, None] - np.square(mean), 0))
    one_number = not trees.is_classifier and trees.n_outputs == 1
    return OutOfBag(training.y, mean + centre, spread[:, 0] if one_number else np.zeros(n), count)


class Spreads(NamedTuple):
    """Mean over the trees, and standard deviation over all and over the first of them: each of shape (n_rows,)."""

    mean: np.ndarray
    spread: np.ndarray
    of_first: np.ndarray


def predict_with_spread(trees: Trees, X: Any, n_first: int) -> Spreads:
    """What the trees of a regressor of one output predict, a tree at a time.

    Parameters
    ----------
    trees : Trees
    X : table or array-like of shape (n_rows, n_features)
    n_first : int
        Over how many trees `of_first` is.
    """
    matrix = trees.matrix(X)
    mean, squares, of_first = np.zeros(len(matrix)), np.zeros(len(matrix)), np.zeros(len(matrix))
    for n, tree in enumerate(trees.trees, start=1):
        values = _tree_prediction(trees, tree, matrix)[:, 0]
        step = values - mean
        mean += step / n
        squares += step * (values - mean)
        if n == n_first:
            of_first = np.sqrt(squares / n)
    return Spreads(mean, np.sqrt(squares / len(trees.trees)), of_first)


def _tree_prediction(trees: Trees, tree: Any, matrix: np.ndarray) -> np.ndarray:
    """Of a regressor (n_rows, n_outputs), of a classifier of one output (n_rows, n_classes)."""
    values = trees.values(tree)
    values = values[:, 0, :] if trees.is_classifier else values[:, :, 0]
    return values[tree.apply(matrix)]
