"""`ForestMixin`: lets scikit-learn's forests take raw frames, independent of the order of rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.warm_start import check_target_kept
from tabrec.tables.class_weights import check_class_weights
from tabrec.tables.columns import read_frame
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.float32_maps import Float32Map, learn_maps
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import learn_names
from tabrec.tables.progress import show_progress, track
from tabrec.tables.row_labels import CheckedScoreMixin, check_row_labels
from tabrec.tables.weights import read_weights
from tabrec.trees.grower.growth import ForestGrower, check_class_count, fastest_grower, is_grown
from tabrec.trees.grower.walking import predict_rows, sum_predictions
from tabrec.trees.out_of_bag import map_in_order, mean_and_spread, predict_out_of_bag
from tabrec.trees.target_encoding import CONSTRAINTS, TargetEncodingMixin, to_matrix
from tabrec.trees.target_units import TargetUnits, choose_units

# With fewer rows, threads cost more than they save.
_FEW_ROWS = 500
FOREST_CONSTRAINTS: dict = {**CONSTRAINTS, "splitter": [StrOptions({"best", "random"})]}
_OOB_ATTRIBUTES = ("oob_score_", "oob_prediction_", "oob_decision_function_", "oob_spread_", "oob_target_")


class ForestMixin(CheckedScoreMixin, TargetEncodingMixin):
    """Base of our forests, listed before scikit-learn's."""

    _kept_names = (*TargetEncodingMixin._kept_names, "bootstrap", "max_samples", "class_weight")
    max_samples: Any
    oob_score: Any
    encoded_range_: np.ndarray
    _n_raw_rows: int
    criterion: str
    splitter: str
    verbose: Any
    n_estimators: int
    grower_: str
    _grower: ForestGrower | None
    min_impurity_decrease: float
    ccp_alpha: float
    _float32_maps: dict[str, Float32Map]

    @restores_on_failure
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Grow the forest.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            A raw pandas, polars or arrow table, an encoded frame, which is used as it is, or chunks (`tabrec.scale`).
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target, without gaps; its column in chunks. Several outputs share each split, which decreases the mean of
            their impurities: a regressor hardly splits for outputs of small scale, so standardise them, or fit several.
        sample_weight : array-like of shape (n_rows,), default=None
            Integer weights are frequencies: a row of weight k counts as k rows, in medians and vocabularies too (up to
            ten times as many rows as there are); its own k copies never enter its target encoding. Other weights are
            used as scikit-learn's forest uses them.

        Returns
        -------
        self
        """
        self._validate_params()
        frame = read_frame(X)
        check_row_labels(X, y=y, sample_weight=sample_weight)
        y = self._check_fit_target(y, len(frame))
        self._check_classes(y)
        weighting = read_weights(sample_weight, len(frame))
        if is_classifier(self):
            check_class_weights(self.class_weight, y[weighting.rows])
        is_warm = self.warm_start and hasattr(self, "estimators_")
        if is_warm:
            X = self._check_kept(X)
            frame = read_frame(X)
            check_target_kept(self, y[weighting.rows])
            self.estimators_: list = list(self.estimators_)  # scikit-learn extends it in place
        encoded, order = self._fit_encoding(X, frame, y[weighting.rows], weighting, is_warm=is_warm)
        self._n_raw_rows, self._rows = len(frame), weighting.rows[order]
        if not is_warm:
            self._float32_maps = learn_maps(encoded)
        matrix = to_matrix(encoded, order, self._float32_maps)
        lowest, highest = self.encoded_range_ if is_warm else (np.inf, -np.inf)
        smallest, largest = self._range_of(encoded, matrix)
        self.encoded_range_ = np.stack([np.fmin(smallest, lowest), np.fmax(largest, highest)])
        del encoded
        y = y[self._rows]
        weights = None if weighting.weights is None else weighting.weights[order]
        self._forget_oob()
        with fastest_grower(self, matrix, y) as grower:
            matrix = matrix if grower is None else grower.stand_in  # frees the table
            self._grow(matrix, y, weights, grower, n_kept=len(self.estimators_) if is_warm else 0)
            if self.bootstrap and self.oob_score:
                if self.drew_from_one_table:
                    self._score_out_of_bag(matrix, y, grower)
                else:
                    warn_caller(
                        "warm_start added trees on other rows than those of the earlier fit (another X, y or "
                        "sample_weight), so there are no out-of-bag predictions: pass oob_score=False."
                    )
        # The parent class has learned the encoded columns.
        learn_names(self, X, frame)
        return self

    def _grow(
        self, matrix: np.ndarray, y: np.ndarray, weights: np.ndarray | None, grower: ForestGrower | None, n_kept: int
    ) -> None:
        """Grow the trees after the first `n_kept` on a scaled target, and convert them to the units of the target."""
        units = None if is_classifier(self) else choose_units(y, weights, self.criterion)
        growing: list[Any] = []
        self._growing, self._grower = growing, grower  # read by `_make_estimator`

        def count() -> int:
            return n_kept + sum(map(is_grown, growing))

        with (
            show_progress("Growing trees", self.n_estimators, self.verbose, count),
            self._parameters_that_fit(len(matrix), units),
        ):
            super().fit(matrix, y if units is None else units.scale(y), sample_weight=weights)
        del self._growing, self._grower
        if units is None:
            return
        for tree in self.estimators_[n_kept:]:
            units.restore(tree.tree_)
            tree.min_impurity_decrease, tree.ccp_alpha = self.min_impurity_decrease, self.ccp_alpha

    def _make_estimator(self, append: bool = True, random_state: Any = None) -> Any:
        """Make a tree; the parent class calls this hook for every tree, before it grows them."""
        if self._growing:  # trees differ by their seed alone; copying is faster than setting the parameters of each
            tree = copy.copy(self._growing[0])
            tree.random_state = random_state.randint(np.iinfo(np.int32).max)
            if append:
                self.estimators_.append(tree)
        else:
            tree = super()._make_estimator(append, random_state).set_params(splitter=self.splitter)
        self._growing.append(tree)
        if self._grower is not None:
            self._grower.take_over(tree)
        return tree

    def apply(self, X: Any) -> np.ndarray:
        """Find the leaf of each row in each tree.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        ndarray of shape (n_rows, n_estimators)
            Indices of leaves.
        """
        return super(ForestMixin, self._quiet()).apply(X)

    def decision_path(self, X: Any) -> Any:
        """Find the nodes that each row passes in each tree.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        indicator : sparse matrix of shape (n_rows, n_nodes)
            1 where a row passes a node.
        n_nodes_ptr : ndarray of shape (n_estimators + 1,)
            The columns of the i-th tree are ``n_nodes_ptr[i]:n_nodes_ptr[i + 1]``.
        """
        return super(ForestMixin, self._quiet()).decision_path(X)

    def _quiet(self) -> Self:
        """Return a shallow copy with verbose=0, because the parent class accepts only numbers."""
        quiet = copy.copy(self)
        quiet.verbose = 0
        return quiet

    def predict_spread(self, X: Any) -> np.ndarray:
        """Compute the standard deviation of the predictions of the trees.

        It ranks rows by uncertainty, but is not an interval; see `tabrec.interpret.confidence`.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs), for a classifier (n_rows, n_classes)
            In units of the target; for a classifier, of probabilities.
        """
        return mean_and_spread(self._tree_predictions(X)).spread

    @property
    def estimators_samples_(self) -> list[np.ndarray]:
        """The rows of the training table that each tree drew, with repeats."""
        check_is_fitted(self)
        if not self.drew_from_one_table:
            raise AttributeError("estimators_samples_ is not known, as warm_start added trees on other rows.")
        return [self._rows[drawn] for drawn in self._get_estimators_indices()]

    @property
    def drew_from_one_table(self) -> bool:
        """Whether all trees drew their rows from the same table, or warm starts added trees on other rows."""
        return getattr(self, "_table_hash", None) != ""

    @property
    def feature_importances_(self) -> np.ndarray:
        """Impurity-based importance of each encoded column: ndarray of shape (len(encoded_names_),), adding up to 1.

        It is biased towards columns with many distinct values; prefer permutation importance.
        """
        if all(tree.tree_.node_count == 1 for tree in self.estimators_):
            return np.zeros(len(self.encoded_names_))
        return super().feature_importances_

    @contextmanager
    def _parameters_that_fit(self, n_rows: int, units: TargetUnits | None) -> Iterator[None]:
        """While growing, limit `max_samples` to the number of rows, and leave the out-of-bag score to this class.

        Impurities are in the given units. `max_samples` as a share refers to the rows; newer releases of scikit-learn
        would refer it to the sum of the weights.
        """
        given = self.max_samples, self.oob_score, self.min_impurity_decrease, self.ccp_alpha, self.verbose
        self.oob_score, self.verbose = False, 0
        if not self.bootstrap:
            self.max_samples = None
        elif isinstance(self.max_samples, (int, np.integer)):
            self.max_samples = min(self.max_samples, n_rows)
        elif self.max_samples is not None and self.max_samples <= 1:
            self.max_samples = max(int(self.max_samples * n_rows), 1)
        if units is not None:
            self.min_impurity_decrease = units.scale_impurity(self.min_impurity_decrease)
            self.ccp_alpha = units.scale_impurity(self.ccp_alpha)
        try:
            yield
        finally:
            self.max_samples, self.oob_score, self.min_impurity_decrease, self.ccp_alpha, self.verbose = given

    def _validate_X_predict(self, X: Any) -> np.ndarray:
        """Encode X; the predicting methods of the parent class call this hook."""
        return self._to_matrix(self.encode_to_arrays(X))

    def _to_matrix(self, encoded: Any) -> np.ndarray:
        """Return the numbers that the trees see of an encoded frame or its arrays."""
        return to_matrix(encoded, maps=self._float32_maps)

    def _range_of(self, encoded: pd.DataFrame, matrix: np.ndarray) -> np.ndarray:
        """Return the smallest and largest value of each encoded column in its own units."""
        extremes = np.stack([matrix.min(axis=0), matrix.max(axis=0)])
        if not self._float32_maps:
            return extremes
        extremes = extremes.astype(np.float64)
        for position, name in enumerate(encoded.columns):
            if name in self._float32_maps:
                extremes[:, position] = encoded[name].min(), encoded[name].max()
        return extremes

    def _to_tree_units(self, names: list[str], grid: np.ndarray) -> np.ndarray:
        columns = zip(names, np.asarray(grid, dtype=np.float64).T, strict=True)
        maps = self._float32_maps
        return np.column_stack([maps[name].apply(values) if name in maps else values for name, values in columns])

    def _mean_prediction(self, X: Any, method: str) -> list[np.ndarray]:
        """Return the mean over the trees, one array per output; trees are summed in order for reproducible rounding."""
        check_is_fitted(self)
        matrix = self._validate_X_predict(X)
        n_jobs = 1 if len(matrix) < _FEW_ROWS else self.n_jobs
        sums = sum_predictions([tree.tree_ for tree in self.estimators_], matrix, n_jobs)
        if sums is not None:
            means = sums / len(self.estimators_)
            if not is_classifier(self):
                return [means[:, :, 0] if self.n_outputs_ > 1 else means[:, 0, 0]]
            return [means[:, output, :n] for output, n in enumerate(np.atleast_1d(self.n_classes_))]
        totals: list[Any] = []
        for predicted in self._by_tree(matrix, method):
            outputs = predicted if isinstance(predicted, list) else [predicted]
            totals = [a + b for a, b in zip(totals, outputs, strict=True)] if totals else outputs
        return [total / len(self.estimators_) for total in totals]

    def _training_matrix(self, X: Any, y: np.ndarray) -> np.ndarray:
        """Return the rows that the trees were grown on, from the table and target of `fit`, in the order of `_rows`."""
        return self._to_matrix(self._encode_training(X, y, self._rows))

    def _tree_predictions(self, X: Any) -> Iterator[np.ndarray]:
        """Yield the prediction of each tree in turn (of a classifier: its probabilities)."""
        check_is_fitted(self)
        if is_classifier(self) and self.n_outputs_ > 1:
            raise ValueError(
                f"This is for one output, but the forest was fitted on {self.n_outputs_}: fit one forest for each."
            )
        yield from self._by_tree(self._validate_X_predict(X), "predict_proba" if is_classifier(self) else "predict")

    def _staged_means(self, X: Any) -> Iterator[np.ndarray]:
        """Yield the mean over the first tree, the first two, and so on."""
        total: Any = 0.0
        for n, prediction in enumerate(self._tree_predictions(X), start=1):
            total = total + prediction
            yield total / n

    def _by_tree(self, matrix: np.ndarray, method: str) -> Iterator[Any]:
        def predict(tree: Any) -> Any:
            return getattr(tree, method)(matrix, check_input=False)

        n_jobs = 1 if len(matrix) < _FEW_ROWS else self.n_jobs
        return map_in_order(predict, self.estimators_, n_jobs=n_jobs, n_rows=len(matrix))

    def _check_classes(self, y: np.ndarray) -> None:
        if is_classifier(self):
            for output in y.reshape(len(y), -1).T:
                check_class_count(output)
        if is_classifier(self) and self.bootstrap and self.oob_score and type_of_target(y) == "multiclass-multioutput":
            raise ValueError(
                "y holds several outputs of more than two classes, for which there is no out-of-bag score: "
                "pass oob_score=False."
            )

    def _score_out_of_bag(self, X: np.ndarray, y: np.ndarray, grower: ForestGrower | None) -> None:
        """Set `oob_score_` and the out-of-bag predictions; X and y are the rows that the trees were grown on."""

        def predict(tree: Any, X: np.ndarray, rows: np.ndarray) -> np.ndarray:
            return predict_rows(tree, X, rows) if grower is None else grower.predict_rows(tree, rows)

        n_values = 1 if not is_classifier(self) else int(np.max(self.n_classes_))
        values, spread, count = predict_out_of_bag(
            predict,
            track([tree.tree_ for tree in self.estimators_], "Predicting out of bag", self.n_estimators, self.verbose),
            self._get_estimators_indices(),
            X,
            self._rows,
            shape=(n_values, self.n_outputs_),
            centre=None if is_classifier(self) else y.mean(axis=0),
            n_jobs=self.n_jobs,
        )
        seen = count > 0
        if not seen.all():
            warn_caller(
                f"{int((~seen).sum())} rows were drawn by every tree, so their out-of-bag prediction is NaN: "
                "grow more trees."
            )
        self.oob_target_ = self._by_raw_row(y, None if is_classifier(self) else np.nan)
        if not is_classifier(self):
            self.oob_spread_ = self._by_raw_row(spread[:, 0] if self.n_outputs_ > 1 else spread[:, 0, 0], np.nan)
        y = y.reshape(len(y), -1)
        if is_classifier(self):
            y = np.column_stack([np.unique(output, return_inverse=True)[1] for output in y.T])
        predicted = values.argmax(axis=1) if is_classifier(self) else values[:, 0]
        default = accuracy_score if is_classifier(self) else r2_score
        score = self.oob_score if callable(self.oob_score) else default
        self.oob_score_ = np.nan
        if seen.any():
            y, predicted = (y[seen, 0], predicted[seen, 0]) if y.shape[1] == 1 else (y[seen], predicted[seen])
            self.oob_score_ = score(y, predicted)
        self._keep_oob(self._by_raw_row(values, np.nan))

    def _keep_oob(self, by_row: np.ndarray) -> None:
        """Set the out-of-bag predictions: (n_rows, 1 or n_classes, n_outputs), in the order of the caller's table."""
        of_one = self.n_outputs_ == 1
        if not is_classifier(self):
            self.oob_prediction_ = by_row[:, 0, 0] if of_one else by_row[:, 0]
            return
        self.oob_decision_function_ = by_row[:, :, 0] if of_one else by_row
        if of_one:
            seen = ~np.isnan(by_row[:, 0, 0])
            self.oob_prediction_ = np.full(len(by_row), None, dtype=object)
            self.oob_prediction_[seen] = self.classes_[by_row[seen, :, 0].argmax(axis=1)]

    def _forget_oob(self) -> None:
        """Remove the out-of-bag results of an earlier fit, which had other rows."""
        for name in _OOB_ATTRIBUTES:
            if hasattr(self, name):
                delattr(self, name)

    def _by_raw_row(self, values: np.ndarray, missing: Any) -> np.ndarray:
        """Return the values of the rows of the training matrix in the order of the caller's table."""
        by_row = np.full((self._n_raw_rows, *values.shape[1:]), missing)
        by_row[self._rows] = values
        return by_row
