"""What the reasons are asked of: any fitted estimator, and forests tree by tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import clone, is_classifier
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import check_is_fitted

from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.names import align_names
from tabrec.tables.target import check_target
from tabrec.trees.forest_base import ForestMixin
from tabrec.trees.target_encoding import to_matrix

_FORESTS = (RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor, ExtraTreesClassifier)


@dataclass(frozen=True)
class Trees:
    """A fitted forest (ours or scikit-learn's), a single tree, or a pipeline that ends in one, as the trees see it.

    Attributes
    ----------
    model : estimator
        What the caller gave.
    estimator : estimator
        The forest or tree itself.
    steps : Pipeline or None
        What comes before it in a pipeline.
    """

    model: Any
    estimator: Any
    steps: Any

    @cached_property
    def trees(self) -> list[Any]:
        """The `tree_` of each."""
        members = getattr(self.estimator, "estimators_", [self.estimator])
        return [member.tree_ for member in members]

    @cached_property
    def names(self) -> list[str]:
        """Encoded columns, in the order in which the trees number them."""
        if isinstance(self.estimator, ForestMixin):
            return [str(name) for name in self.estimator.encoded_names_]
        names = getattr(self.estimator, "feature_names_in_", None)
        if names is None:
            names = _names_out(self.steps, self.estimator.n_features_in_)
        return [str(name) for name in names]

    @property
    def is_classifier(self) -> bool:
        return is_classifier(self.estimator)

    @property
    def n_outputs(self) -> int:
        return self.estimator.n_outputs_

    @property
    def classes(self) -> Any:
        """Classes in order; a list of such for several outputs; None of a regressor."""
        return self.estimator.classes_ if self.is_classifier else None

    def encode(self, X: Any) -> pd.DataFrame:
        """The frame that the trees see, by encoded column; a ValueError where columns of fit are missing.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            As the model takes it.
        """
        if isinstance(self.estimator, ForestMixin):
            return self.estimator.encode(self._enter(X))
        matrix = self.matrix(X)
        index = read_frame(X).index
        return pd.DataFrame(matrix, columns=self.names, index=index, copy=False)

    def matrix(self, X: Any) -> np.ndarray:
        """The numbers that the trees see: float32 array of shape (n_rows, n_encoded)."""
        if isinstance(self.estimator, ForestMixin):
            return to_matrix(self.estimator.encode(self._enter(X)))
        entered = self._enter(X)
        if is_table(entered):
            entered = align_names(self.estimator, entered, read_frame(entered))
            entered = entered.to_numpy() if not hasattr(self.estimator, "feature_names_in_") else entered
        if issparse(entered):
            entered = entered.toarray()
        if isinstance(self.estimator, BaseDecisionTree):
            return self.estimator._validate_X_predict(entered, check_input=True)
        return self.estimator._validate_X_predict(entered)

    def _enter(self, X: Any) -> Any:
        return X if self.steps is None else self.steps.transform(X)

    def values(self, tree: Any) -> np.ndarray:
        """What each node of a tree predicts: its mean, or its class shares.

        Returns
        -------
        ndarray of shape (n_nodes, n_outputs, n_values)
            One value an output for a regressor; for a classifier one for each class, zeros for those that an output
            lacks.
        """
        values = np.asarray(tree.value, dtype=np.float64)
        return values / values.sum(axis=2, keepdims=True) if self.is_classifier else values

    @cached_property
    def sources(self) -> dict[str, str]:
        """The raw column that each encoded column comes from."""
        return find_sources(self.model, self.names)

    @cached_property
    def labels(self) -> dict[str, list]:
        """Labels by code of each encoded column that holds codes; label 0 stands for missing or never seen."""
        target_encoded = getattr(self.estimator, "target_encoded_", [])
        known = find_labels(self.model)
        return {name: known[name] for name in self.names if name in known and name not in target_encoded}


@dataclass(frozen=True)
class Training:
    """The rows a forest was grown on, as its trees saw them.

    Attributes
    ----------
    matrix : ndarray of float32, of shape (n, n_encoded)
    y : ndarray of shape (n,) or (n, n_outputs)
        Target, as given.
    drawn : sequence of ndarray
        For each tree the positions, in `matrix`, of the rows it drew.
    rows : ndarray of shape (n,)
        Position in the caller's table of each row of `matrix`; a row of weight k stands there k times.
    """

    matrix: np.ndarray
    y: np.ndarray
    drawn: Sequence[np.ndarray]
    rows: np.ndarray

    def left_out(self, tree: int) -> np.ndarray:
        """Positions of the rows of which a tree drew no copy."""
        in_bag = np.zeros(self.rows.max() + 1, dtype=bool)
        in_bag[self.rows[self.drawn[tree]]] = True
        return np.flatnonzero(~in_bag[self.rows])


class Draws(Sequence):
    """The rows that each tree of a forest drew, drawn again when they are asked for: all at once are large.

    Parameters
    ----------
    forest : estimator
        Ours or scikit-learn's, fitted with ``bootstrap=True``.
    """

    def __init__(self, forest: Any):
        self._forest = forest

    def __len__(self) -> int:
        return len(self._forest.estimators_)

    def __getitem__(self, tree: Any) -> Any:
        alone = copy(self._forest)
        alone.estimators_ = [self._forest.estimators_[tree]]
        return next(iter(alone._get_estimators_indices()))


def read_trees(model: Any, function: str, instead: str = "") -> Trees:
    """A fitted forest or tree.

    Parameters
    ----------
    model : estimator
    function : str
        Who asks, for the message.
    instead : str
        What serves other models, for the message.

    Raises
    ------
    TypeError
        The model is no forest and no single tree.
    sklearn.exceptions.NotFittedError
    """
    steps, estimator = split_pipeline(model)
    if not isinstance(estimator, (*_FORESTS, BaseDecisionTree)):
        advice = f" For this one use {instead}." if instead else ""
        raise TypeError(
            f"{function} reads forests and single trees (ForestRegressor, ForestClassifier, scikit-learn's random "
            f"forests, extra trees and decision trees, or a pipeline that ends in one), not {type(estimator).__name__}."
            f"{advice}"
        )
    check_is_fitted(estimator)
    return Trees(model, estimator, steps)


def is_forest(model: Any) -> bool:
    """Whether `read_trees` takes the model."""
    return isinstance(split_pipeline(model)[1], (*_FORESTS, BaseDecisionTree))


def read_training(trees: Trees, X: Any, y: Any, function: str) -> Training:
    """The training rows of a forest as its trees saw them, and which tree drew which.

    Parameters
    ----------
    trees : Trees
    X, y : as given to the model's `fit`
        The same rows in the same order.

    Raises
    ------
    ValueError
        The forest draws no rows (a single tree, or ``bootstrap=False``), or was fitted on other rows.
    """
    forest = trees.estimator
    if not getattr(forest, "bootstrap", False):
        what = "a single tree" if isinstance(forest, BaseDecisionTree) else "a forest with bootstrap=False"
        raise ValueError(
            f"{function} needs rows that trees left out, but in {what} every tree has seen every row: "
            "fit a forest with bootstrap=True, or use rows held out of fit."
        )
    n_rows = len(read_frame(X))
    n_fitted = forest._n_raw_rows if isinstance(forest, ForestMixin) else forest._n_samples
    if n_rows != n_fitted:
        raise ValueError(
            f"{function} needs the rows that the forest was fitted on, in their order: it was fitted on {n_fitted} "
            f"rows, but X has {n_rows}."
        )
    y = check_target(y, n_rows, type(forest).__name__, numeric=not trees.is_classifier)
    training = _as_drawn(trees, X, y)
    if not (has_target(trees, y) and _were_grown_on(trees, training)):
        raise ValueError(
            f"{function}: X and y have as many rows as those that the forest was fitted on, but are not those rows in "
            "that order. Give them as given to fit; for other rows feature_importance has method='permutation'."
        )
    return training


def find_training(trees: Trees, X: Any, y: np.ndarray) -> Training | None:
    """What `read_training` gives, or None where X and y are not the rows that a forest drew from, in their order.

    Parameters
    ----------
    trees : Trees
    X : table or array-like of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    """
    forest = trees.estimator
    n_fitted = getattr(forest, "_n_raw_rows", getattr(forest, "_n_samples", None))
    if not getattr(forest, "bootstrap", False) or len(y) != n_fitted:
        return None
    training = _as_drawn(trees, X, y) if has_target(trees, y) else None
    return training if training is not None and _were_grown_on(trees, training) else None


def training_positions(trees: Trees, n_rows: int) -> np.ndarray:
    """Positions in the table of fit of the rows that count: one of weight k comes k times, of weight 0 never."""
    return trees.estimator._rows if isinstance(trees.estimator, ForestMixin) else np.arange(n_rows)


def _as_drawn(trees: Trees, X: Any, y: np.ndarray) -> Training:
    forest, rows = trees.estimator, training_positions(trees, len(y))
    matrix = forest._training_matrix(trees._enter(X), y) if isinstance(forest, ForestMixin) else trees.matrix(X)
    return Training(matrix, y[rows], Draws(forest), rows)


def has_target(trees: Trees, y: np.ndarray) -> bool:
    """Whether a target is that of fit, as far as a forest remembers."""
    kept, rows = getattr(trees.estimator, "oob_target_", None), training_positions(trees, len(y))
    return kept is None or np.array_equal(kept[rows].ravel(), y[rows].ravel())


def _were_grown_on(trees: Trees, training: Training) -> bool:
    """Whether no leaf of the first tree lacks rows that it held."""
    tree, drawn = trees.trees[0], np.unique(training.drawn[0])
    held = np.bincount(tree.apply(np.ascontiguousarray(training.matrix[drawn])), minlength=tree.node_count)
    is_leaf = tree.children_left < 0
    return not (held[is_leaf] < tree.n_node_samples[is_leaf]).any()


def split_pipeline(model: Any) -> tuple[Any, Any]:
    """What comes before the last step of a pipeline (None where nothing does), and that step."""
    if not isinstance(model, Pipeline):
        return None, model
    before = model[:-1] if len(model.steps) > 1 else None
    return before, model.steps[-1][1]


def find_labels(model: Any) -> dict[str, list]:
    """Labels by code of the categorical columns that a model encodes, wherever its preprocessor is."""
    labels: dict[str, list] = {}
    for step in _encoders(model):
        found = getattr(step, "categories_", None)
        labels = (found if isinstance(found, dict) else {}) | labels  # a later step sees the codes of an earlier one
    return labels


def find_dates(model: Any) -> dict[str, list[str]]:
    """The raw date columns that a model takes apart, with the encoded columns that each becomes."""
    found: dict[str, list[str]] = {}
    for step in _encoders(model):
        found |= getattr(step, "parts_", {})
    return found


def find_sources(model: Any, names: list[str]) -> dict[str, str]:
    """The raw column that each of a model's encoded columns comes from."""
    raw = [str(name) for name in getattr(model, "feature_names_in_", [])]
    raw = raw or [f"x{i}" for i in range(getattr(model, "n_features_in_", 0))]
    dates = {part: name for name, parts in find_dates(model).items() for part in parts}
    return {name: dates.get(name) or dates.get(name.removesuffix("_na")) or _source(name, raw) for name in names}


def make_model(model_factory: Any) -> Any:
    """A new unfitted estimator: what a function returns, or a clone of an estimator."""
    if hasattr(model_factory, "fit"):
        return clone(model_factory)
    if not callable(model_factory):
        raise TypeError(
            f"model_factory={model_factory!r} must be an estimator, which is cloned, or a function that returns one."
        )
    return model_factory()


def predictor(model: Any) -> Callable[[Any], np.ndarray]:
    """A function from X to predictions, as the reasons speak of them.

    Returns
    -------
    callable
        Gives an array of shape (n_rows, n_outputs) for a regressor; for a classifier, the probabilities of its classes,
        (n_rows, n_classes).

    Raises
    ------
    TypeError
        The model is no regressor and no classifier with probabilities.
    """
    check_is_fitted(model)
    if is_classifier(model):
        if not hasattr(model, "predict_proba"):
            raise TypeError(f"{type(model).__name__} gives no probabilities: it lacks predict_proba.")
        return lambda X: np.asarray(model.predict_proba(X), dtype=np.float64)
    if not hasattr(model, "predict"):
        raise TypeError(f"{type(model).__name__} predicts nothing: it lacks predict.")
    return lambda X: np.asarray(model.predict(X), dtype=np.float64).reshape(len(read_frame(X)), -1)


def _encoders(model: Any) -> list[Any]:
    """The fitted transformers of a model, flattened: of pipelines, of `preprocessor_`, and of an ensemble's first."""
    if isinstance(model, Pipeline):
        return [found for _, step in model.steps for found in _encoders(step)]
    if hasattr(model, "preprocessor_"):
        return _encoders(model.preprocessor_)
    members = getattr(model, "estimators_", None)
    if isinstance(members, list) and members and hasattr(members[0], "preprocessor_"):
        return _encoders(members[0])
    if hasattr(model, "date_parts_"):
        return [model.date_parts_, model]
    return [model]


def _names_out(steps: Any, n_columns: int) -> list[str]:
    """Names for the columns of an array that comes out of steps, which are not those that went in."""
    if steps is None:
        return [f"x{i}" for i in range(n_columns)]
    try:
        return [str(name) for name in steps.get_feature_names_out()]
    except (AttributeError, TypeError, ValueError):  # a step that cannot tell
        return [f"encoded{i}" for i in range(n_columns)]


def _source(name: str, raw: list[str]) -> str:
    """The raw column of an encoded one: its own name, or what stands before a label, a class or `_na`.

    A ColumnTransformer puts the name of the transformer and two underscores before.
    """
    for known in (name, name.partition("__")[2]):
        if known in raw:
            return known
    for longer in (name.partition("__")[2], name):
        starts = [column for column in raw if longer.startswith(f"{column}_")]
        if starts:
            return max(starts, key=len)
    return name
