"""`ForestRegressor`: a random forest of numbers for raw frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from tabrec.tables.columns import read_frame
from tabrec.tables.target import check_target
from tabrec.trees.forest_base import FOREST_CONSTRAINTS, ForestMixin


class ForestRegressor(ForestMixin, RandomForestRegressor):
    """A random forest that predicts numbers from a raw frame.

    It is :class:`sklearn.ensemble.RandomForestRegressor` over the frame that its preprocessor encodes: dates become
    parts, labels codes, missing values are filled and marked, and columns of many levels are encoded by the target, out
    of fold.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.
    criterion : {"squared_error", "absolute_error", "friedman_mse", "poisson"}, default="squared_error"
        Function that measures the quality of a split.
    splitter : {"best", "random"}, default="best"
        Whether a split is the best one of the columns drawn, or the best of one random threshold for each of them,
        which is faster and varies the trees more (extremely randomised trees).
    max_depth : int, default=None
        Maximum depth of a tree. None grows nodes until they are pure or hold fewer than `min_samples_split` rows.
    min_samples_split : int or float, default=2
        Minimum number of rows that a node needs to be split, or a share of the rows.
    min_samples_leaf : int or float, default=2
        Minimum number of rows in a leaf, or a share of the rows.
    min_weight_fraction_leaf : float, default=0.0
        Minimum share of the total weight in a leaf.
    max_features : float, int, "sqrt", "log2" or None, default=0.5
        Share (or number) of the columns that each split chooses from.
    max_leaf_nodes : int, default=None
        Maximum number of leaves; the splits that decrease impurity most come first. None sets no limit.
    min_impurity_decrease : float, default=0.0
        A node is split only if that decreases the impurity by at least this much.
    bootstrap : bool, default=True
        Whether each tree draws its rows with replacement; if False, each tree sees all rows.
    oob_score : bool or callable, default=True
        Whether to predict each row by the trees that did not draw it and to score these predictions; a callable is the
        metric, ``metric(y_true, y_pred)``. Ignored without `bootstrap`.
    n_jobs : int, default=-1
        Number of threads; -1 uses all processors.
    random_state : int, RandomState or None, default=None
        Seed of the draws of rows and columns. The same seed and rows give the same forest, in any order of the rows.
    verbose : bool, int or "auto", default="auto"
        Whether `fit` shows the number of grown trees and the time left; "auto" does so in terminals and notebooks.
    warm_start : bool, default=False
        Whether `fit` adds trees to an earlier fit, whose encoding it keeps; on other rows without out-of-bag results.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning; 0 prunes nothing.
    max_samples : int or float, default=200_000
        Number of rows that each tree draws (all of them if there are fewer), or a share of the rows.
    monotonic_cst : array-like of shape (n_encoded_columns,), default=None
        Monotonicity constraint for each column of ``encode(X)``: 1 (increasing), -1 (decreasing) or 0 (none).
    high_cardinality : int or None, default=100
        Categories with more levels than this are replaced by the mean target of their level, which is computed out of
        fold for training rows. None keeps the codes of every category; 1 encodes every category by the target, which
        takes longer and may help where labels have no natural order.
    categorical_features : list of str or int, default=None
        Names or positions of columns that are categories whatever their dtype; for arrays, which have no dtypes.
    preprocessor : transformer, default=None
        Transformer that encodes the frame; it must return pandas frames. None is ``TabularPreprocessor("forest")``.

    Attributes
    ----------
    preprocessor_ : transformer
        The fitted preprocessor.
    encoded_names_ : ndarray of str
        Columns that the trees see, in the order of `feature_importances_`.
    input_to_outputs_, output_to_input_ : dict
        The encoded columns that come from each raw column, and the raw column (or None) of each encoded one.
    target_encoded_, target_encoder_ : list of str, and sklearn.preprocessing.TargetEncoder or None
        Columns that are replaced by the mean target of their level, and their fitted encoder; None if there are none.
    estimators_, grower_ : list of trees, and str
        The fitted trees, and the builder of the latest fit: the compiled grower, or scikit-learn's and why.
    oob_score_ : float
        R² of the out-of-bag predictions.
    oob_prediction_, oob_spread_, oob_target_ : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        For each training row, in the order of fit: mean and standard deviation of the predictions of the trees that did
        not draw it, NaN if there are none, and its target.
    encoded_range_ : ndarray of shape (2, len(encoded_names_))
        Smallest and largest value of each encoded column in training.
    n_features_in_, feature_names_in_ : int and ndarray of str
        Number of raw columns, and their names, which are set only if X had names.

    See Also
    --------
    ForestClassifier : The same for classes.
    BoostingRegressor : Gradient boosting of raw frames.
    tabrec.interpret.feature_importance : Which columns a forest relies on.

    References
    ----------
    Breiman (2001), "Random forests". Geurts, Ernst & Wehenkel (2006), "Extremely randomized trees". Howard & Gugger,
    *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Random forests". Wright & König (2019), "Splitting
    on categorical predictors in random forests". Micci-Barreca (2001), "A preprocessing scheme for high-cardinality
    categorical attributes".

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

    _parameter_constraints: dict = {**RandomForestRegressor._parameter_constraints, **FOREST_CONSTRAINTS}

    def __init__(
        self,
        n_estimators: int = 100,
        *,
        criterion: str = "squared_error",
        splitter: str = "best",
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
        verbose: bool | int | str = "auto",
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
        self.splitter = splitter
        self.high_cardinality = high_cardinality
        self.categorical_features = categorical_features
        self.preprocessor = preprocessor

    def predict(self, X: Any) -> np.ndarray:
        """Predict the mean over the trees.

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
        """Predict with the first tree, the first two, and so on.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Yields
        ------
        ndarray of shape (n_rows,) or (n_rows, n_outputs)
        """
        yield from self._staged_means(X)

    def staged_rmse(self, X: Any, y: Any) -> np.ndarray:
        """Compute the root mean squared error by number of trees, which shows how many trees are enough.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their target.

        Returns
        -------
        ndarray of shape (n_estimators,)
        """
        y = check_target(y, len(read_frame(X)), type(self).__name__, numeric=True)
        if self.n_outputs_ == 1:
            y = y.reshape(len(y))
        return np.array([np.sqrt(np.mean((prediction - y) ** 2)) for prediction in self.staged_predict(X)])
