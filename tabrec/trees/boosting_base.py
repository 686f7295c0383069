"""`BoostingMixin`: lets scikit-learn's histogram gradient boosting take raw frames."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import column_or_1d
from threadpoolctl import threadpool_limits

from tabrec.preprocess.warm_start import check_target_kept
from tabrec.tables.class_weights import check_class_weights
from tabrec.tables.columns import read_frame
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.folds import split_into_folds
from tabrec.tables.names import learn_names
from tabrec.tables.progress import show_progress, track
from tabrec.tables.row_labels import CheckedScoreMixin, check_row_labels
from tabrec.tables.weights import Weighting, read_weights
from tabrec.trees.target_encoding import CONSTRAINTS, TargetEncodingMixin

Pairs = list[tuple[np.ndarray, np.ndarray]]  # positions of training rows and of rows held out

_N_FOLDS = 5
_FEW_ROWS = 5_000
# early_stopping="auto" stops early beyond this many rows, as in scikit-learn.
_MANY_ROWS = 10_000
# The number of iterations is chosen on every fold if the number of rows (times that of the classes, if more than two)
# is at most the first size, and on one fold if the number of rows is at most the second.
_ALL_FOLDS = 10_000
_ONE_FOLD = 100_000
_MOST_ITERATIONS = 1000
_MOST_ITERATIONS_OF_CLASSES = 500
# A fold stops when its score has not improved for this many iterations.
_PATIENCE = 50

BOOSTING_CONSTRAINTS: dict = {
    **CONSTRAINTS,
    "max_iter": [Interval(Integral, 1, None, closed="left"), None],
    "cv": ["cv_object"],
}


class BoostingMixin(CheckedScoreMixin, TargetEncodingMixin):
    """Base of our boosting estimators, listed before scikit-learn's histogram gradient boosting."""

    _kept_names = (*TargetEncodingMixin._kept_names, "loss", "quantile", "max_bins")
    max_iter: Any
    verbose: Any

    @restores_on_failure
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the boosted trees.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            A raw pandas, polars or arrow table, an encoded frame, which is used as it is, or chunks (`tabrec.scale`).
        y : array-like of shape (n_rows,)
            Target, without gaps; its column in chunks.
        sample_weight : array-like of shape (n_rows,), default=None
            Integer weights are frequencies: a row of weight k counts as k rows, in medians and vocabularies too (up to
            ten times as many rows as there are); its own k copies never enter its target encoding. Other weights are
            used as scikit-learn's boosting uses them.
        X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
            Rows to watch for early stopping instead of a random share of X, their target and their weights.

        Returns
        -------
        self
        """
        self._validate_params()
        frame = read_frame(X)
        check_row_labels(X, y=y, sample_weight=sample_weight)
        check_row_labels(X_val, y_val=y_val, sample_weight_val=sample_weight_val)
        y = column_or_1d(self._check_fit_target(y, len(frame)), warn=True)
        weighting = read_weights(sample_weight, len(frame))
        chooses = self.max_iter is None and X_val is None and not self._stops_early(len(weighting.rows))
        given = self._read_splits(frame, y) if chooses else None
        y = y[weighting.rows]
        if is_classifier(self):
            check_class_weights(self.class_weight, y)
            self._check_stratified(y, has_validation=X_val is not None)
        is_warm = self.warm_start and hasattr(self, "_predictors")
        self._kept_bins: Any = None
        if is_warm:
            X = self._check_kept(X)
            frame = read_frame(X)
            check_target_kept(self, y)
            self._kept_bins = self._bin_mapper
            self._predictors: list = list(self._predictors)  # scikit-learn appends to it in place
        encoded, order = self._fit_encoding(X, frame, y, weighting, is_warm=is_warm)
        weights = None if weighting.weights is None else weighting.weights[order]
        watched = {}
        if X_val is not None or y_val is not None:
            watched = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        n_trees, oof = self.max_iter or self._most_iterations(y), None
        # For few rows threads gain little, and cost much when they wait for each other on a busy machine.
        with threadpool_limits(1 if len(order) < _FEW_ROWS else None, user_api="openmp"):
            if chooses:
                folds = self._split_rows(y, weighting, order, given)
                n_trees, held_out = self._choose_n_trees(encoded, y, weighting.weights, folds)
                if held_out:
                    oof = self._predict_held_out(held_out, encoded, y, n_trees, weighting.rows, len(frame))
            if is_warm and self.max_iter is None:
                n_trees = max(n_trees, len(self._predictors))
            with self._shown(is_warm, n_trees):
                super().fit(encoded.iloc[order], y[order], weights, **watched)
        self.oof_prediction_ = oof
        # The parent class has learned the encoded columns.
        learn_names(self, X, frame)
        self._kept_bins = None
        return self

    def _trees_per_iteration(self, y: np.ndarray) -> int:
        n_classes = len(np.unique(y)) if is_classifier(self) else 1
        return n_classes if n_classes > 2 else 1

    def _most_iterations(self, y: np.ndarray) -> int:
        return _MOST_ITERATIONS if self._trees_per_iteration(y) == 1 else _MOST_ITERATIONS_OF_CLASSES

    def _stops_early(self, n_rows: int) -> bool:
        return n_rows > _MANY_ROWS if self.early_stopping == "auto" else bool(self.early_stopping)

    def _read_splits(self, frame: pd.DataFrame, y: np.ndarray) -> Pairs | None:
        """Return the positions of the rows of a splitter or an iterable; None for a number of folds."""
        if self.cv is None or isinstance(self.cv, Integral):
            return None
        splitter, rows = check_cv(self.cv, y, classifier=is_classifier(self)), np.arange(len(frame))
        if isinstance(splitter, GroupsConsumerMixin):
            raise ValueError(f"cv={self.cv} needs groups, which fit does not take: pass list(cv.split(X, y, groups)).")
        try:
            pairs = [(rows[train], rows[held]) for train, held in splitter.split(frame, y)]
        except IndexError as error:
            raise ValueError(f"cv has a position that the {len(rows)} rows do not have: {error}.") from error
        if not pairs:
            raise ValueError("cv has no folds: pass a number of folds, a splitter or at least one pair of positions.")
        return pairs

    def _split_rows(self, y: np.ndarray, weighting: Weighting, order: np.ndarray, given: Pairs | None) -> Pairs:
        """Return the positions of training rows and of rows held out, from which the number of trees is chosen."""
        rows = weighting.rows[order]
        if given is not None:
            return [(order[np.isin(rows, train)], order[np.isin(rows, held)]) for train, held in given]
        groups = np.cumsum(np.diff(rows, prepend=rows[0]) != 0)  # copies of a row are held out together
        n_folds = min(self.cv or _N_FOLDS, int(groups[-1]) + 1)
        size = len(order) * self._trees_per_iteration(y)
        if n_folds < 2 or len(order) > _ONE_FOLD:
            return []
        seed = int(self.random_state) if isinstance(self.random_state, (int, np.integer)) else 0
        folds = split_into_folds(groups, n_folds, seed)[: None if size <= _ALL_FOLDS else 1]
        return [(order[train], order[held]) for train, held in folds]

    def _choose_n_trees(
        self,
        encoded: pd.DataFrame,
        y: np.ndarray,
        weights: np.ndarray | None,
        folds: Pairs,
    ) -> tuple[int, list[tuple[Any, np.ndarray]]]:
        """Return the number of iterations with the best mean score on the rows held out; if all tie, the most.

        Also returns the models of the folds, each with the rows that were held out from it.
        """
        most = self._most_iterations(y)
        settings = {"max_iter": most, "early_stopping": True, "n_iter_no_change": _PATIENCE, "verbose": 0}
        model = clone(self).set_params(**settings, warm_start=False, preprocessor=None, categorical_features=None)
        scores, sizes, models = [], [], []
        for train, held in track(folds, "Choosing the number of trees", len(folds), self.verbose):
            if is_classifier(self):
                held = held[np.isin(y[held], y[train])]
            if not len(held):
                continue
            w, w_held = (None, None) if weights is None else (weights[train], weights[held])
            watched = {"X_val": encoded.iloc[held], "y_val": y[held], "sample_weight_val": w_held}
            models.append((clone(model).fit(encoded.iloc[train], y[train], w, **watched), held))
            scores.append(models[-1][0].validation_score_)
            sizes.append(len(held) if w_held is None else w_held.sum())
        n_iterations = max(map(len, scores), default=0)
        curves = [np.pad(score, (0, n_iterations - len(score)), mode="edge") for score in scores]
        if not curves or not np.ptp(curves, axis=1).any():
            return most, models
        return max(int(np.argmax(np.average(curves, axis=0, weights=sizes))), 1), models

    def _predict_held_out(
        self,
        models: list[tuple[Any, np.ndarray]],
        encoded: pd.DataFrame,
        y: np.ndarray,
        n_trees: int,
        rows: np.ndarray,
        n_rows: int,
    ) -> np.ndarray:
        """Predict each row by the models it was held out from: (n_rows,) or (n_rows, n_classes), NaN without one."""
        classes = np.unique(y) if is_classifier(self) else None
        found = np.full(n_rows if classes is None else (n_rows, len(classes)), np.nan)
        for model, held in models:
            model._predictors = model._predictors[:n_trees]
            if classes is None:
                found[rows[held]] = model.predict(encoded.iloc[held])
            else:
                found[rows[held]] = 0.0
                found[np.ix_(rows[held], np.isin(classes, model.classes_))] = model.predict_proba(encoded.iloc[held])
        return found

    @contextmanager
    def _shown(self, is_warm: bool, n_trees: int) -> Iterator[None]:
        """Grow `n_trees` and show the progress; the parent class prints its own for any other `verbose` than 0."""
        former = None if is_warm else getattr(self, "_predictors", None)
        verbose, max_iter = self.verbose, self.max_iter

        def count() -> int:
            found = getattr(self, "_predictors", former)
            return 0 if found is None or found is former else len(found)

        self.verbose, self.max_iter = 0, n_trees
        try:
            with show_progress("Boosting", n_trees, verbose, count):
                yield
        finally:
            self.verbose, self.max_iter = verbose, max_iter

    def _check_stratified(self, y: np.ndarray, has_validation: bool) -> None:
        """Refuse a class of one row where early stopping sets aside rows of every class."""
        if not self._stops_early(len(y)) or has_validation or self.validation_fraction is None:
            return
        classes, counts = np.unique(y, return_counts=True)
        if counts.min() == 1:
            raise ValueError(
                f"The class {classes[counts == 1].tolist()[0]!r} has 1 row, but early stopping validates on a share of "
                "the rows of every class, which needs at least 2: merge or drop the class, pass X_val and y_val, or "
                "set early_stopping=False."
            )

    def _predict_iterations(
        self, X: np.ndarray, predictors: list, raw: np.ndarray, is_binned: bool, n_threads: int
    ) -> None:
        """Predict encoded rows; called by the parent class. One thread is used for few rows, as in `fit`."""
        super()._predict_iterations(X, predictors, raw, is_binned, 1 if len(X) < _FEW_ROWS else n_threads)

    def _bin_data(self, X: np.ndarray, *args: Any, is_training_data: bool) -> np.ndarray:
        """Bin the numbers; trees of an earlier fit need its bins, which scikit-learn would learn again."""
        if self._kept_bins is None:
            return super()._bin_data(X, *args, is_training_data=is_training_data)
        self._bin_mapper = self._kept_bins
        known = zip(self._bin_mapper.bin_thresholds_, self._bin_mapper.is_categorical_, X.T, strict=True)
        for categories, is_category, column in known:
            if is_category:
                column[~np.isin(column, categories)] = np.nan
        binned = self._bin_mapper.transform(X)
        return binned if is_training_data else np.ascontiguousarray(binned)

    def _most_levels(self) -> int:
        """Return the largest number of levels that are split as categories; missing has a bin of its own."""
        most = super()._most_levels()
        return self.max_bins if most is None else min(most, self.max_bins)

    def _preprocess_X(self, X: Any, *, reset: bool) -> Any:
        """Convert X, an encoded frame in `fit` and a raw one otherwise; the parent class calls this hook."""
        if not reset:
            return _to_matrix(self.encode(X))
        self.n_features_in_, self.feature_names_in_ = X.shape[1], self.encoded_names_
        is_category = np.array([isinstance(dtype, pd.CategoricalDtype) for dtype in X.dtypes])
        matrix = _to_matrix(X)
        self._preprocessor = None
        if not is_category.any():
            self.is_categorical_ = self._is_categorical_remapped = None
            return matrix, None
        self.is_categorical_ = is_category
        self._is_categorical_remapped = np.sort(is_category)[::-1]
        known = [
            np.unique(column[~np.isnan(column)]) if flag else None
            for column, flag in zip(matrix.T, self._is_categorical_remapped, strict=True)
        ]
        return matrix, known

    def _matrix_columns(self) -> list[str]:
        if self.is_categorical_ is None:
            return list(self.encoded_names_)
        return [*self.encoded_names_[self.is_categorical_], *self.encoded_names_[~self.is_categorical_]]

    def _check_interaction_cst(self, n_features: int) -> Any:
        """Return the sets of columns that may interact, by position in the matrix, which holds categories first."""
        constraints = super()._check_interaction_cst(n_features)
        if constraints is None or self.is_categorical_ is None:
            return constraints
        place = np.argsort(np.argsort(~self.is_categorical_, kind="stable"))
        return [{int(place[column]) for column in columns} for columns in constraints]


def _to_matrix(encoded: pd.DataFrame) -> np.ndarray:
    """Return the frame as float64 numbers, categories first, where the parent class expects them.

    Labels count from 0, and code 0 (missing or never seen) is NaN, which has a bin of its own.
    """
    matrix = np.empty(encoded.shape, dtype=np.float64, order="F")
    is_category = [isinstance(dtype, pd.CategoricalDtype) for dtype in encoded.dtypes]
    for place, position in enumerate(np.argsort(np.logical_not(is_category), kind="stable")):
        column = encoded.iloc[:, position]
        if is_category[position]:
            codes = column.cat.codes.to_numpy(np.float64)
            matrix[:, place] = np.where(codes == 0, np.nan, codes - 1)
        else:
            matrix[:, place] = column
    return matrix
