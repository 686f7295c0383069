"""`BoostingRegressor` and `BoostingClassifier`: scikit-learn's histogram gradient boosting for raw frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.utils.validation import column_or_1d
from threadpoolctl import threadpool_limits

from tabrec.tables.columns import read_frame
from tabrec.tables.names import learn_names
from tabrec.tables.weights import read_weights
from tabrec.trees.target_encoding import TargetEncodingMixin

_FEW_ROWS = 5_000


class BoostingMixin(TargetEncodingMixin):
    """Stands before scikit-learn's histogram gradient boosting among the bases of ours."""

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
            A raw pandas, polars or arrow table, or an encoded frame, which is used as it is.
        y : array-like of shape (n_rows,)
            Target, without gaps.
        sample_weight : array-like of shape (n_rows,), default=None
            Whole weights are frequencies: a row of weight k counts as k rows, in medians and vocabularies too (up to
            ten times as many rows as there are); only a target encoding takes none of its k copies into account. Other
            weights are used as scikit-learn's boosting uses them.
        X_val, y_val, sample_weight_val : as X, y and sample_weight, default=None
            Rows to watch for early stopping, instead of a random share of X.

        Returns
        -------
        self
        """
        self._validate_params()
        frame = read_frame(X)
        y = column_or_1d(self._check_fit_target(y, len(frame)), warn=True)
        weighting = read_weights(sample_weight, len(frame))
        y = y[weighting.rows]
        encoded, order = self._fit_encoding(X, frame, y, weighting.rows)
        weights = None if weighting.weights is None else weighting.weights[order]
        watched = {}
        if X_val is not None or y_val is not None:
            watched = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        # Over few rows threads gain little, and lose much where they wait for each other on a busy machine.
        with threadpool_limits(1 if len(order) < _FEW_ROWS else None, user_api="openmp"):
            super().fit(encoded.iloc[order], y[order], weights, **watched)
        # The parent class has learned the encoded columns.
        learn_names(self, X, frame)
        return self

    def _most_levels(self) -> int:
        """scikit-learn's bins hold `max_bins` levels; missing has a bin of its own."""
        most = super()._most_levels()
        return self.max_bins if most is None else min(most, self.max_bins)

    def _preprocess_X(self, X: Any, *, reset: bool) -> Any:
        """The hook through which the parent class reads X: an encoded frame from `fit`, else a raw one."""
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
            _distinct(column) if flag else None
            for column, flag in zip(matrix.T, self._is_categorical_remapped, strict=True)
        ]
        return matrix, known

    def _matrix_columns(self) -> list[str]:
        if self.is_categorical_ is None:
            return list(self.encoded_names_)
        return [*self.encoded_names_[self.is_categorical_], *self.encoded_names_[~self.is_categorical_]]

    def _check_interaction_cst(self, n_features: int) -> Any:
        """The sets of columns that may interact, by position in the matrix, which holds categories first."""
        constraints = super()._check_interaction_cst(n_features)
        if constraints is None or self.is_categorical_ is None:
            return constraints
        place = np.argsort(np.argsort(~self.is_categorical_, kind="stable"))
        return [{int(place[column]) for column in columns} for columns in constraints]


def _to_matrix(encoded: pd.DataFrame) -> np.ndarray:
    """The frame as float64 numbers, categories first, where the parent class expects them.

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


def _distinct(column: np.ndarray) -> np.ndarray:
    return np.unique(column[~np.isnan(column)])


class BoostingRegressor(BoostingMixin, HistGradientBoostingRegressor):
    """Boosted trees that predict numbers from a raw frame.

    It is :class:`sklearn.ensemble.HistGradientBoostingRegressor` over the frame that its preprocessor encodes:
    categories of up to 255 levels are split as categories, those of more by the mean target of their level, out of
    fold.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "gamma", "poisson", "quantile"}, default="squared_error"
    quantile : float, default=None
        The quantile that ``loss="quantile"`` estimates.
    learning_rate : float, default=0.03
    max_iter : int, default=1000
        Number of trees.
    max_leaf_nodes : int, default=15
    max_depth : int, default=None
    min_samples_leaf : int, default=20
    l2_regularization : float, default=0.0
    max_features : float, default=0.2
        Share of the columns that each split chooses from. Learning rate, trees, leaves and this share differ from
        scikit-learn's defaults: slower learning with small, varied trees had the lowest error in cross-validation
        within the training rows of the benchmarks' two regressions.
    max_bins : int, default=255
    monotonic_cst : array-like or dict, default=None
        1, 0 or -1 by encoded column.
    interaction_cst : {"pairwise", "no_interactions"} or sequence of sequences of int, default=None
    warm_start : bool, default=False
    early_stopping : bool or "auto", default=False
        "auto" stops early above 10,000 rows, on a random tenth of them.
    scoring : str, callable or None, default="loss"
    validation_fraction : int, float or None, default=0.1
    n_iter_no_change : int, default=10
    tol : float, default=1e-7
    verbose : int, default=0
        All of these are explained at :class:`sklearn.ensemble.HistGradientBoostingRegressor`.
    random_state : int, RandomState or None, default=None
    high_cardinality : int or None, default=255
        Categories of more levels than this are replaced by the mean target of their level, which for training rows is
        taken out of fold; above `max_bins` that cannot be turned off.
    categorical_features : list of str or int, default=None
        Columns, by name or position, that are categories whatever their dtype: for arrays, which have no kinds.
    preprocessor : transformer, default=None
        What encodes the frame; it must return pandas frames. None is ``TabularPreprocessor("forest")``.

    Attributes
    ----------
    preprocessor_ : transformer
        What encoded the training frame.
    encoded_names_ : ndarray of str
        Columns that the trees see.
    target_encoded_ : list of str
        Columns replaced by their mean target.
    target_encoder_ : sklearn.preprocessing.TargetEncoder or None
    n_iter_ : int
    n_features_in_ : int
        Raw columns.
    feature_names_in_ : ndarray of str

    References
    ----------
    Friedman (2001), "Greedy function approximation: a gradient boosting machine". Ke et al. (2017), "LightGBM".

    Examples
    --------
    >>> from tabrec import BoostingRegressor
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(500, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> boosting = BoostingRegressor(max_iter=50, random_state=0).fit(auctions, price)
    >>> boosting.predict(auctions.head(3)).shape
    (3,)
    """

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        quantile: float | None = None,
        learning_rate: float = 0.03,
        max_iter: int = 1000,
        max_leaf_nodes: int | None = 15,
        max_depth: int | None = None,
        min_samples_leaf: int = 20,
        l2_regularization: float = 0.0,
        max_features: float = 0.2,
        max_bins: int = 255,
        monotonic_cst: Any = None,
        interaction_cst: Any = None,
        warm_start: bool = False,
        early_stopping: bool | str = False,
        scoring: Any = "loss",
        validation_fraction: int | float | None = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-7,
        verbose: int = 0,
        random_state: Any = None,
        high_cardinality: int | None = 255,
        categorical_features: Sequence | None = None,
        preprocessor: Any = None,
    ):
        super().__init__(
            loss,
            quantile=quantile,
            learning_rate=learning_rate,
            max_iter=max_iter,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=max_depth,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            max_features=max_features,
            max_bins=max_bins,
            categorical_features=categorical_features,
            monotonic_cst=monotonic_cst,
            interaction_cst=interaction_cst,
            warm_start=warm_start,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
        )
        self.high_cardinality = high_cardinality
        self.preprocessor = preprocessor


class BoostingClassifier(BoostingMixin, HistGradientBoostingClassifier):
    """Boosted trees that predict classes from a raw frame.

    It is :class:`sklearn.ensemble.HistGradientBoostingClassifier` over the frame that its preprocessor encodes; see
    `BoostingRegressor`.

    Parameters
    ----------
    loss : {"log_loss"}, default="log_loss"
    learning_rate : float, default=0.05
    max_iter : int, default=300
        Number of trees; with more than two classes, of trees a class.
    max_leaf_nodes : int, default=15
    min_samples_leaf : int, default=10
    max_features : float, default=0.3
    class_weight : dict, "balanced" or None, default=None
    max_depth, l2_regularization, max_bins, monotonic_cst, interaction_cst, warm_start : as of `BoostingRegressor`
    early_stopping, scoring, validation_fraction, n_iter_no_change, tol, verbose : as of `BoostingRegressor`
    random_state, high_cardinality, categorical_features, preprocessor : as of `BoostingRegressor`

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    preprocessor_, encoded_names_, target_encoded_, target_encoder_, n_iter_, n_features_in_, feature_names_in_
        As of `BoostingRegressor`.

    References
    ----------
    See `BoostingRegressor`.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import BoostingClassifier
    >>> X = pd.DataFrame({"state": ["Ohio", "Utah"] * 50, "hours": range(100)})
    >>> y = ["low" if state == "Ohio" else "high" for state in X["state"]]
    >>> boosting = BoostingClassifier(max_iter=20, random_state=0).fit(X, y)
    >>> boosting.predict(pd.DataFrame({"hours": [70], "state": ["Utah"]}))
    array(['high'], dtype=object)
    """

    def __init__(
        self,
        loss: str = "log_loss",
        *,
        learning_rate: float = 0.05,
        max_iter: int = 300,
        max_leaf_nodes: int | None = 15,
        max_depth: int | None = None,
        min_samples_leaf: int = 10,
        l2_regularization: float = 0.0,
        max_features: float = 0.3,
        max_bins: int = 255,
        monotonic_cst: Any = None,
        interaction_cst: Any = None,
        warm_start: bool = False,
        early_stopping: bool | str = False,
        scoring: Any = "loss",
        validation_fraction: int | float | None = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-7,
        verbose: int = 0,
        random_state: Any = None,
        class_weight: Any = None,
        high_cardinality: int | None = 255,
        categorical_features: Sequence | None = None,
        preprocessor: Any = None,
    ):
        super().__init__(
            loss,
            learning_rate=learning_rate,
            max_iter=max_iter,
            max_leaf_nodes=max_leaf_nodes,
            max_depth=max_depth,
            min_samples_leaf=min_samples_leaf,
            l2_regularization=l2_regularization,
            max_features=max_features,
            max_bins=max_bins,
            categorical_features=categorical_features,
            monotonic_cst=monotonic_cst,
            interaction_cst=interaction_cst,
            warm_start=warm_start,
            early_stopping=early_stopping,
            scoring=scoring,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
            class_weight=class_weight,
        )
        self.high_cardinality = high_cardinality
        self.preprocessor = preprocessor
