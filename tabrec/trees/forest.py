"""`ForestRegressor` and `ForestClassifier`: scikit-learn's random forests for raw frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, r2_score

from tabrec.tables.columns import read_frame
from tabrec.tables.target import check_target
from tabrec.trees.forest_base import ForestMixin


class ForestRegressor(ForestMixin, RandomForestRegressor):
    """A random forest that predicts numbers from a raw frame.

    It is :class:`sklearn.ensemble.RandomForestRegressor` over the frame that its preprocessor encodes: dates become
    parts, labels codes, gaps are filled and marked, and columns of many levels are encoded by the target, out of fold.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.
    criterion : str, default="squared_error"
        Measure of a split's quality; see :class:`sklearn.ensemble.RandomForestRegressor`.
    max_depth : int, default=None
    min_samples_split : int or float, default=2
    min_samples_leaf : int or float, default=2
        Rows that a leaf holds at least.
    min_weight_fraction_leaf : float, default=0.0
    max_features : float, int, "sqrt", "log2" or None, default=0.5
        Share (or number) of the columns that each split chooses from.
    max_leaf_nodes : int, default=None
    min_impurity_decrease : float, default=0.0
        The tree parameters are those of :class:`sklearn.ensemble.RandomForestRegressor`.
    bootstrap : bool, default=True
        Whether each tree draws its rows with replacement.
    oob_score : bool or callable, default=True
        Whether to predict each row by the trees that did not draw it; needs `bootstrap`, without which it is passed
        over.
    n_jobs : int, default=-1
        Threads; -1 takes all processors.
    random_state : int, RandomState or None, default=None
        The same seed and rows give the same forest, in whatever order the rows come.
    verbose : int, default=0
    warm_start : bool, default=False
        Whether `fit` adds trees to those there are; the rows must be the same.
    ccp_alpha : float, default=0.0
    max_samples : int or float, default=200_000
        Rows that each tree draws: a share, or at most this number (all of them where there are fewer).
    monotonic_cst : array-like of shape (n_encoded_columns,), default=None
        1, 0 or -1 for each column of ``encode(X)``.
    high_cardinality : int or None, default=100
        Categories of more levels than this are replaced by the mean target of their level, which for training rows is
        taken out of fold. None leaves every category as its codes; 1 encodes them all, which takes longer and is worth
        a try where labels have no natural order.
    categorical_features : list of str or int, default=None
        Columns, by name or position, that are categories whatever their dtype: for arrays, which have no kinds.
    preprocessor : transformer, default=None
        What encodes the frame; it must return pandas frames. None is ``TabularPreprocessor("forest")``.

    Attributes
    ----------
    preprocessor_ : transformer
        What encoded the training frame.
    encoded_names_ : ndarray of str
        Columns that the trees see, in the order of `feature_importances_`.
    target_encoded_ : list of str
        Columns replaced by their mean target.
    target_encoder_ : sklearn.preprocessing.TargetEncoder or None
    estimators_ : list of trees
    oob_score_ : float
        R² of the out-of-bag predictions.
    oob_prediction_ : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Prediction of each training row, in the order of fit, by the trees that did not draw it; NaN where there is
        none.
    oob_spread_ : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Standard deviation of the predictions of those trees.
    oob_target_ : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        The target of each training row, which the residuals of the out-of-bag predictions need.
    encoded_range_ : ndarray of shape (2, len(encoded_names_))
        Smallest and largest value of each encoded column in training.
    n_features_in_ : int
        Raw columns.
    feature_names_in_ : ndarray of str

    References
    ----------
    Breiman (2001), "Random forests". Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9,
    "Random forests". Wright & König (2019), "Splitting on categorical predictors in random forests". Micci-Barreca
    (2001), "A preprocessing scheme for high-cardinality categorical attributes".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(500, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=20, random_state=0).fit(auctions, price)
    >>> forest.predict(auctions).shape, forest.predict_spread(auctions).shape
    ((500,), (500,))
    """

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        criterion: str = "squared_error",
        max_depth: int | None = None,
        min_samples_split: int | float = 2,
        min_samples_leaf: int | float = 2,
        min_weight_fraction_leaf: float = 0.0,
        max_features: float | int | str | None = 0.5,
        max_leaf_nodes: int | None = None,
        min_impurity_decrease: float = 0.0,
        bootstrap: bool = True,
        oob_score: Any = True,
        n_jobs: int | None = -1,
        random_state: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        ccp_alpha: float = 0.0,
        max_samples: int | float | None = 200_000,
        monotonic_cst: Any = None,
        high_cardinality: int | None = 100,
        categorical_features: Sequence | None = None,
        preprocessor: Any = None,
    ):
        super().__init__(
            n_estimators,
            criterion=criterion,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_features=max_features,
            max_leaf_nodes=max_leaf_nodes,
            min_impurity_decrease=min_impurity_decrease,
            bootstrap=bootstrap,
            oob_score=oob_score,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
            warm_start=warm_start,
            ccp_alpha=ccp_alpha,
            max_samples=max_samples,
            monotonic_cst=monotonic_cst,
        )
        self.high_cardinality = high_cardinality
        self.categorical_features = categorical_features
        self.preprocessor = preprocessor

    _default_oob_scorer = staticmethod(r2_score)

    def _keep_oob(self, by_row: np.ndarray) -> None:
        self.oob_prediction_ = by_row[:, 0, 0] if self.n_outputs_ == 1 else by_row[:, 0]

    def predict(self, X: Any) -> np.ndarray:
        """Mean prediction of the trees.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
        """
        return self._mean_prediction(X, "predict")[0]

    def staged_predict(self, X: Any) -> Iterator[np.ndarray]:
        """Predictions of the first tree, the first two, and so on.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)

        Yields
        ------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
        """
        total: Any = 0.0
        for n, prediction in enumerate(self._tree_predictions(X), start=1):
            total = total + prediction
            yield total / n

    def staged_rmse(self, X: Any, y: Any) -> np.ndarray:
        """Root mean squared error by number of trees, for the book's plot of how many trees are enough.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)

        Returns
        -------
        ndarray of shape (n_estimators,)
            In units of the target.
        """
        y = check_target(y, len(read_frame(X)), type(self).__name__, numeric=True)
        if self.n_outputs_ == 1:
            y = y.reshape(len(y))
        return np.array([np.sqrt(np.mean((prediction - y) ** 2)) for prediction in self.staged_predict(X)])


class ForestClassifier(ForestMixin, RandomForestClassifier):
    """A random forest that predicts classes from a raw frame.

    It is :class:`sklearn.ensemble.RandomForestClassifier` over the frame that its preprocessor encodes; see
    `ForestRegressor`.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.
    criterion : {"gini", "entropy", "log_loss"}, default="gini"
        Measure of a split's quality.
    min_samples_leaf : int or float, default=5
    max_features : float, int, "sqrt", "log2" or None, default="sqrt"
        These two differ from those of the regressor: smaller choices and larger leaves gave better probabilities on
        the Adult table, in its out-of-bag rows as in its test file.
    class_weight : dict, "balanced", "balanced_subsample" or None, default=None
        Weights of the classes; see :class:`sklearn.ensemble.RandomForestClassifier`.
    max_depth, min_samples_split, min_weight_fraction_leaf, max_leaf_nodes : as of `ForestRegressor`
    min_impurity_decrease, bootstrap : as of `ForestRegressor`
    oob_score, n_jobs, random_state, verbose, warm_start, ccp_alpha, max_samples : as of `ForestRegressor`
    monotonic_cst : as of `ForestRegressor`
    high_cardinality, categorical_features, preprocessor : as of `ForestRegressor`
        With more than two classes, a high-cardinality column becomes one column a class, ``<name>_<class>``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    oob_decision_function_ : ndarray of shape (n_rows, n_classes)
        Probabilities of each training row, in the order of fit, by the trees that did not draw it; NaN where there are
        none.
    oob_prediction_ : ndarray of shape (n_rows,)
        The most probable class of each row of `oob_decision_function_`; None where there is none.
    oob_target_ : ndarray of shape (n_rows,)
        The class of each training row.
    encoded_range_ : ndarray of shape (2, len(encoded_names_))
        Smallest and largest value of each encoded column in training.
    oob_score_ : float
        Accuracy of the out-of-bag predictions.
    preprocessor_, encoded_names_, target_encoded_, target_encoder_, estimators_, n_features_in_, feature_names_in_
        As of `ForestRegressor`.

    References
    ----------
    See `ForestRegressor`.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import ForestClassifier
    >>> X = pd.DataFrame({"state": ["Ohio", "Utah"] * 50, "hours": range(100)})
    >>> y = ["low" if state == "Ohio" else "high" for state in X["state"]]
    >>> forest = ForestClassifier(n_estimators=20, random_state=0).fit(X, y)
    >>> forest.predict(pd.DataFrame({"hours": [70], "state": ["Utah"]}))
    array(['high'], dtype=object)
    """

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        criterion: str = "gini",
        max_depth: int | None = None,
        min_samples_split: int | float = 2,
        min_samples_leaf: int | float = 5,
        min_weight_fraction_leaf: float = 0.0,
        max_features: float | int | str | None = "sqrt",
        max_leaf_nodes: int | None = None,
        min_impurity_decrease: float = 0.0,
        bootstrap: bool = True,
        oob_score: Any = True,
        n_jobs: int | None = -1,
        random_state: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        class_weight: Any = None,
        ccp_alpha: float = 0.0,
        max_samples: int | float | None = 200_000,
        monotonic_cst: Any = None,
        high_cardinality: int | None = 100,
        categorical_features: Sequence | None = None,
        preprocessor: Any = None,
    ):
        super().__init__(
            n_estimators,
            criterion=criterion,
            max_depth=max_depth,
            min_samples_split=min_samples_split,
            min_samples_leaf=min_samples_leaf,
            min_weight_fraction_leaf=min_weight_fraction_leaf,
            max_features=max_features,
            max_leaf_nodes=max_leaf_nodes,
            min_impurity_decrease=min_impurity_decrease,
            bootstrap=bootstrap,
            oob_score=oob_score,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
            warm_start=warm_start,
            class_weight=class_weight,
            ccp_alpha=ccp_alpha,
            max_samples=max_samples,
            monotonic_cst=monotonic_cst,
        )
        self.high_cardinality = high_cardinality
        self.categorical_features = categorical_features
        self.preprocessor = preprocessor

    _default_oob_scorer = staticmethod(accuracy_score)

    def _keep_oob(self, by_row: np.ndarray) -> None:
        if self.n_outputs_ > 1:
            self.oob_decision_function_ = by_row
            return
        self.oob_decision_function_ = probabilities = by_row[:, :, 0]
        seen = ~np.isnan(probabilities[:, 0])
        self.oob_prediction_ = np.full(len(probabilities), None, dtype=object)
        self.oob_prediction_[seen] = self.classes_[probabilities[seen].argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Mean class probabilities of the trees.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), or a list of such for several outputs
            In the order of `classes_`.
        """
        probabilities = self._mean_prediction(X, "predict_proba")
        return probabilities[0] if self.n_outputs_ == 1 else probabilities

    def staged_predict_proba(self, X: Any) -> Iterator[np.ndarray]:
        """Class probabilities by the first tree, the first two, and so on.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)

        Yields
        ------
        ndarray of shape (n_rows, n_classes)
        """
        total: Any = 0.0
        for n, probabilities in enumerate(self._tree_predictions(X), start=1):
            total = total + probabilities
            yield total / n
