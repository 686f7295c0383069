"""`FittedTrees`: one interface to fitted forests and trees of this package and of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.categorify import MISSING_LABEL
from tabrec.preprocess.lineage import Origin, input_names, trace_columns, values_of
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.float32_maps import Float32Map
from tabrec.tables.names import align_names
from tabrec.trees.forest_base import ForestMixin
from tabrec.trees.grower.walking import find_leaves
from tabrec.trees.out_of_bag import OutOfBagRows, TreeSpread, left_out_rows, map_in_order, mean_and_spread
from tabrec.trees.target_encoding import to_matrix

_FORESTS = (RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor, ExtraTreesClassifier)


@dataclass(frozen=True)
class FittedTrees:
    """A fitted forest or tree of scikit-learn, or a pipeline that ends in one."""

    model: Any  # the model as given
    estimator: Any  # the forest or tree
    steps: Any  # the pipeline of the steps before it, or None

    @property
    def is_single(self) -> bool:
        """Whether this is a single tree rather than a forest."""
        return isinstance(self.estimator, BaseDecisionTree)

    @property
    def members(self) -> list[Any]:
        """The tree estimators."""
        return [self.estimator] if self.is_single else self.estimator.estimators_

    @cached_property
    def trees(self) -> list[Any]:
        """The `tree_` of each member."""
        return [member.tree_ for member in self.members]

    @property
    def n_jobs(self) -> int | None:
        """Number of threads that the forest works with; 1 for a single tree."""
        return 1 if self.is_single else self.estimator.n_jobs

    @cached_property
    def names(self) -> list[str]:
        """Encoded columns, in the order in which the trees number them."""
        if hasattr(self.estimator, "feature_names_in_"):
            return [str(name) for name in self.estimator.feature_names_in_]
        return _names_out(self.steps, self.estimator.n_features_in_)

    @cached_property
    def origins(self) -> dict[str, Origin | None]:
        """Where each encoded column comes from; None where it is not known."""
        return origins_of(self.model, self.names)

    @cached_property
    def sources(self) -> dict[str, str]:
        """The raw column that each encoded column comes from; its own name where that is not known."""
        return {name: name if origin is None else origin.column for name, origin in self.origins.items()}

    @cached_property
    def labels(self) -> dict[str, list]:
        """Labels by code of each encoded column that holds codes; code 0 stands for missing and unseen labels."""
        return {
            name: coded_labels(origin)
            for name, origin in self.origins.items()
            if origin is not None and origin.kind == "codes" and coded_labels(origin)
        }

    @property
    def is_classifier(self) -> bool:
        return is_classifier(self.estimator)

    @property
    def n_outputs(self) -> int:
        return self.estimator.n_outputs_

    @property
    def classes(self) -> Any:
        """Classes in order; a list of them for several outputs; None for a regressor."""
        return self.estimator.classes_ if self.is_classifier else None

    @property
    def n_classes(self) -> list[int]:
        """Number of values that each output has in a node: its classes, or 1 for a regressor."""
        return np.atleast_1d(self.estimator.n_classes_).tolist() if self.is_classifier else [1] * self.n_outputs

    @property
    def target_encoded(self) -> list[str]:
        """Encoded columns that hold the mean of the target by label."""
        return [name for name, origin in self.origins.items() if origin is not None and origin.kind == "target mean"]

    @property
    def draws_rows(self) -> bool:
        """Whether each tree was grown on rows drawn at random, so that it leaves some out."""
        return not self.is_single and bool(self.estimator.bootstrap)

    @property
    def n_training_rows(self) -> int:
        """Number of rows of the table that the model was fitted on."""
        return int(self.trees[0].n_node_samples[0]) if self.is_single else self.estimator._n_samples

    @property
    def preprocessor(self) -> Any:
        """The transformer that encodes frames inside of the forest, if any."""
        return None

    @property
    def float32_maps(self) -> dict[str, Float32Map]:
        """The map of columns of which float32 would merge values to those that the trees see."""
        return {}

    def enter(self, X: Any) -> Any:
        """Return X as it enters the forest or tree, after the steps of a pipeline."""
        return X if self.steps is None else self.steps.transform(X)

    def encode(self, X: Any) -> pd.DataFrame:
        """Return the frame that the trees see, by encoded column; X is as the model takes it."""
        matrix = self.matrix(X)
        return pd.DataFrame(matrix, columns=self.names, index=read_frame(X).index, copy=False)

    def matrix(self, X: Any) -> np.ndarray:
        """Return the numbers that the trees see: float32 array of shape (n_rows, n_encoded)."""
        entered = self.enter(X)
        if is_table(entered):
            entered = align_names(self.estimator, entered, read_frame(entered))
            entered = entered.to_numpy() if not hasattr(self.estimator, "feature_names_in_") else entered
        if issparse(entered):
            entered = entered.toarray()
        if self.is_single:
            return self.estimator._validate_X_predict(entered, check_input=True)
        return self.estimator._validate_X_predict(entered)

    def to_matrix(self, encoded: pd.DataFrame) -> np.ndarray:
        """Return the numbers that the trees see of an encoded frame."""
        return to_matrix(encoded, maps=self.float32_maps)

    def restore(self, name: str, seen: Any) -> Any:
        """Convert values or thresholds of a column, as the trees see them, to the units of the encoded frame."""
        return self.float32_maps[name].invert(seen) if name in self.float32_maps else seen

    def values(self, tree: Any) -> np.ndarray:
        """Return the mean or class shares in nodes, (n_nodes, n_outputs, n_values); 0 for classes an output lacks."""
        values = np.asarray(tree.value, dtype=np.float64)
        return values / values.sum(axis=2, keepdims=True) if self.is_classifier else values

    def flat_values(self, tree: Any) -> np.ndarray:
        """Return the prediction of each node, (n_nodes, n_predictions); classes of several outputs are side by side."""
        values = self.values(tree)
        return np.concatenate([values[:, output, :n] for output, n in enumerate(self.n_classes)], axis=1)

    def predict_tree(self, tree: Any, matrix: np.ndarray) -> np.ndarray:
        """Predict (n_rows, n_outputs) by a regression tree, (n_rows, n_classes) by a classifier of one output."""
        values = self.values(tree)
        return (values[:, 0, :] if self.is_classifier else values[:, :, 0])[tree.apply(matrix)]

    def predict_rows(self, tree: Any, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the result of `predict_tree` for the given rows of a matrix."""
        values = self.values(tree)
        return (values[:, 0, :] if self.is_classifier else values[:, :, 0])[find_leaves(tree, matrix, rows)]

    def predict_with_spread(self, X: Any, n_first: int) -> TreeSpread:
        """Return the mean and standard deviation over the trees of a regressor of one output, (n_rows,) each."""
        matrix = self.matrix(X)
        return mean_and_spread((self.predict_tree(tree, matrix)[:, 0] for tree in self.trees), n_first)

    def map(self, work: Callable[[Any], Any], in_threads: bool = True) -> Iterator[Any]:
        """Apply `work` to each tree in the threads of the forest; results are in the order of the trees."""
        return map_in_order(work, self.trees, n_jobs=self.n_jobs if in_threads else 1)

    def training_positions(self, n_rows: int) -> np.ndarray:
        """Return the positions in the table of fit of the training rows; a row of weight k occurs k times."""
        return np.arange(n_rows)

    def training_matrix(self, X: Any, y: np.ndarray) -> np.ndarray:
        """Return the rows that the trees were grown on as the trees saw them, from the table and target of fit."""
        return self.matrix(X)

    def training_maximum(self) -> np.ndarray | None:
        """Return the largest value of each encoded column in training; None where the model does not record it."""
        return None

    def has_target(self, y: np.ndarray) -> bool:
        """Return whether a target is that of fit, as far as the model records it."""
        return True

    @property
    def keeps_out_of_bag(self) -> bool:
        """Whether the model keeps its out-of-bag predictions with their targets."""
        return False

    @property
    def kept_oob_prediction(self) -> np.ndarray:
        """The out-of-bag predictions that were kept in fit, (n_training_rows, n_predictions)."""
        raise ValueError(f"{type(self.estimator).__name__} keeps no out-of-bag predictions with their targets.")

    def kept_out_of_bag(self) -> OutOfBagRows:
        """Return the out-of-bag rows that were kept in fit, for a model with `keeps_out_of_bag`."""
        raise ValueError(f"{type(self.estimator).__name__} keeps no out-of-bag predictions with their targets.")


class FittedFrameForest(FittedTrees):
    """A fitted forest of this package, which encodes raw frames, or a pipeline that ends in one."""

    @cached_property
    def names(self) -> list[str]:
        return [str(name) for name in self.estimator.encoded_names_]

    @property
    def preprocessor(self) -> Any:
        return self.estimator.preprocessor_

    @property
    def n_training_rows(self) -> int:
        return self.estimator._n_raw_rows

    @property
    def keeps_out_of_bag(self) -> bool:
        return hasattr(self.estimator, "oob_target_")

    def encode(self, X: Any) -> pd.DataFrame:
        return self.estimator.encode(self.enter(X))

    def matrix(self, X: Any) -> np.ndarray:
        return self.to_matrix(self.encode(X))

    @property
    def float32_maps(self) -> dict[str, Float32Map]:
        return self.estimator._float32_maps

    def training_positions(self, n_rows: int) -> np.ndarray:
        return self.estimator._rows

    def training_matrix(self, X: Any, y: np.ndarray) -> np.ndarray:
        return self.estimator._training_matrix(self.enter(X), y)

    def training_maximum(self) -> np.ndarray:
        return self.estimator.encoded_range_[1]

    def has_target(self, y: np.ndarray) -> bool:
        if not self.estimator.drew_from_one_table:
            return False
        rows = self.estimator._rows
        return not self.keeps_out_of_bag or np.array_equal(self.estimator.oob_target_[rows].ravel(), y[rows].ravel())

    @property
    def kept_oob_prediction(self) -> np.ndarray:
        forest = self.estimator
        if self.is_classifier:
            return forest.oob_decision_function_
        return forest.oob_prediction_.reshape(forest._n_raw_rows, -1)

    def kept_out_of_bag(self) -> OutOfBagRows:
        forest, rows = self.estimator, self.estimator._rows
        prediction = self.kept_oob_prediction[rows]
        has_spread = not self.is_classifier and self.n_outputs == 1
        spread = forest.oob_spread_[rows] if has_spread else np.zeros(len(rows))
        count = np.zeros(len(rows), dtype=np.int32)
        for drawn in forest._get_estimators_indices():
            count[left_out_rows(rows, drawn)] += 1
        return OutOfBagRows(forest.oob_target_[rows], prediction, spread, count)


def read_trees(model: Any, function: str, instead: str = "") -> FittedTrees:
    """Return the view of a fitted forest or tree; for other models, the TypeError names the calling function."""
    steps, estimator = split_pipeline(model)
    if not is_forest(model):
        advice = f" For this one use {instead}." if instead else ""
        raise TypeError(
            f"{function} reads forests and single trees (ForestRegressor, ForestClassifier, scikit-learn's random "
            f"forests, extra trees and decision trees, or a pipeline that ends in one), not {type(estimator).__name__}."
            f"{advice}"
        )
    check_is_fitted(estimator)
    return (FittedFrameForest if isinstance(estimator, ForestMixin) else FittedTrees)(model, estimator, steps)


def is_forest(model: Any) -> bool:
    """Return whether `read_trees` accepts the model."""
    return isinstance(split_pipeline(model)[1], (*_FORESTS, BaseDecisionTree))


def split_pipeline(model: Any) -> tuple[Any, Any]:
    """Return the steps before the last of a pipeline (None if there are none), and the last step."""
    if not isinstance(model, Pipeline):
        return None, model
    before = model[:-1] if len(model.steps) > 1 else None
    return before, model.steps[-1][1]


def origins_of(model: Any, names: list[str]) -> dict[str, Origin | None]:
    """Return where each of a fitted model's encoded columns, in their order, comes from; None where it is not known."""
    if not (isinstance(model, Pipeline) or hasattr(model, "origins")):
        return dict(values_of(names))
    if not hasattr(model, "n_features_in_"):  # the first step of a pipeline may not record its columns
        return dict.fromkeys(names)
    origins = list(trace_columns(model, input_names(model)).values())
    return dict(zip(names, origins, strict=True)) if len(origins) == len(names) else dict.fromkeys(names)


def coded_labels(origin: Origin) -> list:
    """Return the labels by code if code 0 stands for a missing or unseen label; otherwise an empty list."""
    labels = list(origin.labels or [])
    return labels if labels and labels[0] == MISSING_LABEL else []


def _names_out(steps: Any, n_columns: int) -> list[str]:
    """Return the names of the columns that the steps of a pipeline return; they may differ from those of its input."""
    if steps is None:
        return [f"x{i}" for i in range(n_columns)]
    try:
        return [str(name) for name in steps.get_feature_names_out()]
    except (AttributeError, TypeError, ValueError):  # a step does not name its columns
        return [f"encoded{i}" for i in range(n_columns)]
