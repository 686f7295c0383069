"""`TrainingRows`: the rows that a fitted forest was grown on, with the trees that drew them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees
from tabrec.trees.out_of_bag import OutOfBagRows, left_out_rows, predict_out_of_bag


@dataclass(frozen=True)
class TrainingRows:
    """The rows that a forest was grown on, as its trees saw them."""

    matrix: np.ndarray  # float32, (n, n_encoded)
    y: np.ndarray  # as given: (n,) or (n, n_outputs)
    drawn: Sequence[np.ndarray]  # for each tree, the positions in the matrix of the rows that it drew
    rows: np.ndarray  # position in the table of fit of each row of the matrix; a row of weight k occurs k times

    def left_out(self, tree: int) -> np.ndarray:
        """Return the positions of the rows of which a tree drew no copy."""
        return left_out_rows(self.rows, self.drawn[tree])


class DrawnRows(Sequence):
    """The rows that each tree of a forest drew, drawn again on access, as all of them together need much memory."""

    def __init__(self, forest: Any):
        self._forest = forest

    def __len__(self) -> int:
        return len(self._forest.estimators_)

    def __getitem__(self, tree: Any) -> Any:
        alone = copy(self._forest)
        alone.estimators_ = [self._forest.estimators_[tree]]
        return next(iter(alone._get_estimators_indices()))


def read_drawn_rows(trees: FittedTrees, X: Any, y: Any, function: str) -> TrainingRows:
    """Return the training rows of a forest whose trees draw rows; X and y are as given to its `fit`."""
    if not trees.draws_rows:
        what = "a single tree" if trees.is_single else "a forest with bootstrap=False"
        raise ValueError(
            f"{function} needs rows that trees left out, but in {what} every tree has seen every row: "
            "fit a forest with bootstrap=True, or use rows held out of fit."
        )
    y = _check_rows(trees, X, y, function, "forest")
    training = _as_drawn(trees, X, y)
    if not (trees.has_target(y) and _were_grown_on(trees, training)):
        raise ValueError(
            f"{function}: X and y have the right number of rows but differ from the training data in content or order "
            "(or warm_start added trees fitted to other rows). Pass X and y as given to fit; for other rows, use "
            "feature_importance with method='permutation'."
        )
    return training


def find_drawn_rows(trees: FittedTrees, X: Any, y: np.ndarray) -> TrainingRows | None:
    """Return the result of `read_drawn_rows`, or None if X and y are not the training rows in their order."""
    if not trees.draws_rows or len(y) != trees.n_training_rows or not trees.has_target(y):
        return None
    training = _as_drawn(trees, X, y)
    return training if _were_grown_on(trees, training) else None


def read_training_rows(trees: FittedTrees, X: Any, y: Any, function: str) -> TrainingRows:
    """Return the training rows of any forest or tree; without bootstrap, none is left out."""
    if trees.draws_rows:
        return read_drawn_rows(trees, X, y, function)
    y = _check_rows(trees, X, y, function, "model")
    rows = trees.training_positions(len(y))
    return TrainingRows(trees.training_matrix(X, y), y[rows], [np.arange(len(rows))] * len(trees.trees), rows)


def check_fitted_rows(trees: FittedTrees, X: Any, function: str, what: str = "model") -> None:
    """Check that X has as many rows as the table of fit."""
    n_rows, n_fitted = len(read_frame(X)), trees.n_training_rows
    if n_rows != n_fitted:
        raise ValueError(
            f"{function} needs the rows that the {what} was fitted on, in their order: it was fitted on {n_fitted} "
            f"rows, but X has {n_rows}."
        )


def predict_training_rows(trees: FittedTrees, training: TrainingRows) -> OutOfBagRows:
    """Return the out-of-bag predictions of a forest's training rows; a classifier has one output."""
    mean, spread, count = predict_out_of_bag(
        trees.predict_rows,
        trees.trees,
        training.drawn,
        training.matrix,
        training.rows,
        shape=(max(trees.n_classes) if trees.is_classifier else trees.n_outputs,),
        centre=None if trees.is_classifier else training.y.mean(axis=0),
        n_jobs=trees.n_jobs,
    )
    is_one_number = not trees.is_classifier and trees.n_outputs == 1
    return OutOfBagRows(training.y, mean, spread[:, 0] if is_one_number else np.zeros(len(training.y)), count)


def _check_rows(trees: FittedTrees, X: Any, y: Any, function: str, what: str) -> np.ndarray:
    check_fitted_rows(trees, X, function, what)
    check_row_labels(X, y=y)
    return check_target(y, len(read_frame(X)), type(trees.estimator).__name__, numeric=not trees.is_classifier)


def _as_drawn(trees: FittedTrees, X: Any, y: np.ndarray) -> TrainingRows:
    rows = trees.training_positions(len(y))
    return TrainingRows(trees.training_matrix(X, y), y[rows], DrawnRows(trees.estimator), rows)


def _were_grown_on(trees: FittedTrees, training: TrainingRows) -> bool:
    """Return whether every leaf of the first tree holds at least as many of its drawn rows as it recorded."""
    # One tree suffices, because other rows or another order hardly ever fill all of its leaves.
    tree, drawn = trees.trees[0], np.unique(training.drawn[0])
    held = np.bincount(tree.apply(np.ascontiguousarray(training.matrix[drawn])), minlength=tree.node_count)
    is_leaf = tree.children_left < 0
    return not (held[is_leaf] < tree.n_node_samples[is_leaf]).any()
