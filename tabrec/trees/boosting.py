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
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.names import learn_names
from tabrec.tables.weights import read_weights
from tabrec.trees.target_encoding import CONSTRAINTS, TargetEncodingMixin

_FEW_ROWS = 5_000


class BoostingMixin(TargetEncodingMixin):
    """Base of our boosting estimators, listed before scikit-learn's histogram gradient boosting."""

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
            A raw pandas, polars or arrow table, or an encoded frame, which is used as it is.
        y : array-like of shape (n_rows,)
            Target, without gaps.
        sample_weight : array-like of shape (n_rows,), default=None
            Integer weights are frequencies: a row of weight k counts as k rows, in medians and vocabularies too (up to
            ten times as many rows as there are); its own k copies never enter its target encoding. Other weights are
            used as scikit-learn's boosting uses them.
        X_val : table or array-like of shape (n_val_rows, n_features), default=None
            Rows to watch for early stopping, instead of a random share of X.
        y_val : array-like of shape (n_val_rows,), default=None
            Their target.
        sample_weight_val : array-like of shape (n_val_rows,), default=None
            Their weights.

        Returns
        -------
        self
        """
        self._validate_params()
        if self.warm_start and hasattr(self, "_predictors"):  # scikit-learn would append to the list of a former fit
            self._predictors: list = list(self._predictors)
        frame = read_frame(X)
        y = column_or_1d(self._check_fit_target(y, len(frame)), warn=True)
        weighting = read_weights(sample_weight, len(frame))
        y = y[weighting.rows]
        encoded, order = self._fit_encoding(X, frame, y, weighting.rows)
        weights = None if weighting.weights is None else weighting.weights[order]
        watched = {}
        if X_val is not None or y_val is not None:
            watched = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        # For few rows threads gain little, and cost much when they wait for each other on a busy machine.
        with threadpool_limits(1 if len(order) < _FEW_ROWS else None, user_api="openmp"):
            super().fit(encoded.iloc[order], y[order], weights, **watched)
        # The parent class has learned the encoded columns.
        learn_names(self, X, frame)
        return self

    def _most_levels(self) -> int:
        """Bins hold `max_bins` levels; missing has a bin of its own."""
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
        Loss that is minimised.
    quantile : float, default=None
        Level of the quantile that ``loss="quantile"`` estimates, between 0 and 1.
    learning_rate : float, default=0.03
        Factor that each tree's contribution is multiplied by.
    max_iter : int, default=1000
        Number of boosting iterations: trees, or with more than two classes, trees per class.
    max_leaf_nodes : int or None, default=15
        Maximum number of leaves of a tree; None sets no limit.
    max_depth : int or None, default=None
        Maximum depth of a tree; None sets no limit.
    min_samples_leaf : int, default=20
        Minimum number of rows in a leaf.
    l2_regularization : float, default=0.0
        L2 penalty on the values of leaves.
    max_features : float, default=0.2
        Share of the columns that each split chooses from. The defaults of this, `learning_rate`, `max_iter` and
        `max_leaf_nodes` differ from scikit-learn's: slow learning with small, varied trees had the lowest error in
        cross-validation within the training rows of two regression benchmarks.
    max_bins : int, default=255
        Maximum number of bins of a column, besides one for missing values.
    monotonic_cst : array-like or dict, default=None
        Monotonicity constraint by encoded column: 1 (increasing), -1 (decreasing) or 0 (none).
    interaction_cst : {"pairwise", "no_interactions"} or sequence of sequences of int, default=None
        Sets of encoded columns, by position, that may interact in a branch of a tree; None allows all to.
    warm_start : bool, default=False
        Whether `fit` keeps the trees of an earlier fit and adds to them; the rows must be the same.
    early_stopping : bool or "auto", default=False
        Whether to stop when the score no longer improves; "auto" does so above 10,000 rows.
    scoring : str, callable or None, default="loss"
        Score to watch for early stopping: the loss, a scorer of scikit-learn's, or None for the default score.
    validation_fraction : int, float or None, default=0.1
        Number or share of the rows set aside for early stopping; None watches the training rows.
    n_iter_no_change : int, default=10
        Number of iterations without improvement after which training stops early.
    tol : float, default=1e-7
        Improvements of the score below this do not count.
    verbose : int, default=0
        Verbosity while fitting.
    random_state : int, RandomState or None, default=None
        Seed of the draws of columns, bins and validation rows.
    high_cardinality : int or None, default=255
        Categories with more levels than this are replaced by the mean target of their level, which is computed out of
        fold for training rows; above `max_bins` this cannot be turned off.
    categorical_features : list of str or int, default=None
        Names or positions of columns that are categories whatever their dtype; for arrays, which have no dtypes.
    preprocessor : transformer, default=None
        Transformer that encodes the frame; it must return pandas frames. None is ``TabularPreprocessor("forest")``.

    Attributes
    ----------
    preprocessor_ : transformer
        The fitted preprocessor.
    encoded_names_ : ndarray of str
        Columns that the trees see.
    input_to_outputs_ : dict of str to list of str
        The encoded columns that come from each raw column.
    output_to_input_ : dict of str to (str or None)
        The raw column that each encoded column comes from; None where it is not known.
    target_encoded_ : list of str
        Columns that are replaced by the mean target of their level.
    target_encoder_ : sklearn.preprocessing.TargetEncoder or None
        The fitted encoder of these columns; None if there are none.
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Number of raw columns.
    feature_names_in_ : ndarray of str
        Names of the raw columns; set only if X had names.

    See Also
    --------
    BoostingClassifier : The same for classes.
    ForestRegressor : A random forest of raw frames, which needs less tuning.

    References
    ----------
    Friedman (2001), "Greedy function approximation: a gradient boosting machine". Ke et al. (2017), "LightGBM: a highly
    efficient gradient boosting decision tree".

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

    _parameter_constraints: dict = {**HistGradientBoostingRegressor._parameter_constraints, **CONSTRAINTS}

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

    It is :class:`sklearn.ensemble.HistGradientBoostingClassifier` over the frame that its preprocessor encodes.

    Parameters
    ----------
    loss : {"log_loss"}, default="log_loss"
        Loss that is minimised.
    learning_rate : float, default=0.05
        Factor that each tree's contribution is multiplied by.
    max_iter : int, default=300
        Number of boosting iterations: trees, or with more than two classes, trees per class.
    max_leaf_nodes : int or None, default=15
        Maximum number of leaves of a tree; None sets no limit.
    max_depth : int or None, default=None
        Maximum depth of a tree; None sets no limit.
    min_samples_leaf : int, default=10
        Minimum number of rows in a leaf.
    l2_regularization : float, default=0.0
        L2 penalty on the values of leaves.
    max_features : float, default=0.3
        Share of the columns that each split chooses from.
    max_bins : int, default=255
        Maximum number of bins of a column, besides one for missing values.
    monotonic_cst : array-like or dict, default=None
        Monotonicity constraint by encoded column: 1 (increasing), -1 (decreasing) or 0 (none).
    interaction_cst : {"pairwise", "no_interactions"} or sequence of sequences of int, default=None
        Sets of encoded columns, by position, that may interact in a branch of a tree; None allows all to.
    warm_start : bool, default=False
        Whether `fit` keeps the trees of an earlier fit and adds to them; the rows must be the same.
    early_stopping : bool or "auto", default=False
        Whether to stop when the score no longer improves; "auto" does so above 10,000 rows.
    scoring : str, callable or None, default="loss"
        Score to watch for early stopping: the loss, a scorer of scikit-learn's, or None for the default score.
    validation_fraction : int, float or None, default=0.1
        Number or share of the rows set aside for early stopping; None watches the training rows.
    n_iter_no_change : int, default=10
        Number of iterations without improvement after which training stops early.
    tol : float, default=1e-7
        Improvements of the score below this do not count.
    verbose : int, default=0
        Verbosity while fitting.
    random_state : int, RandomState or None, default=None
        Seed of the draws of columns, bins and validation rows.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" weights them inversely to their frequency, None gives all of them weight 1.
    high_cardinality : int or None, default=255
        Categories with more levels than this are replaced by the mean target of their level, which is computed out of
        fold for training rows; above `max_bins` this cannot be turned off. With more than two classes, such a column
        becomes one column per class, ``<name>_<class>``.
    categorical_features : list of str or int, default=None
        Names or positions of columns that are categories whatever their dtype; for arrays, which have no dtypes.
    preprocessor : transformer, default=None
        Transformer that encodes the frame; it must return pandas frames. None is ``TabularPreprocessor("forest")``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes in order.
    preprocessor_ : transformer
        The fitted preprocessor.
    encoded_names_ : ndarray of str
        Columns that the trees see.
    input_to_outputs_ : dict of str to list of str
        The encoded columns that come from each raw column.
    output_to_input_ : dict of str to (str or None)
        The raw column that each encoded column comes from; None where it is not known.
    target_encoded_ : list of str
        Columns that are replaced by the mean target of their level.
    target_encoder_ : sklearn.preprocessing.TargetEncoder or None
        The fitted encoder of these columns; None if there are none.
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Number of raw columns.
    feature_names_in_ : ndarray of str
        Names of the raw columns; set only if X had names.

    See Also
    --------
    BoostingRegressor : The same for numbers.
    ForestClassifier : A random forest of raw frames, which needs less tuning.

    References
    ----------
    Friedman (2001), "Greedy function approximation: a gradient boosting machine". Ke et al. (2017), "LightGBM: a highly
    efficient gradient boosting decision tree".

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

    _parameter_constraints: dict = {**HistGradientBoostingClassifier._parameter_constraints, **CONSTRAINTS}

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
