"""`BoostingRegressor` and `BoostingClassifier`: scikit-learn's histogram gradient boosting for raw frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tabrec.tables.class_weights import weigh_classes
from tabrec.trees.boosting_base import BOOSTING_CONSTRAINTS, BoostingMixin


class BoostingRegressor(BoostingMixin, HistGradientBoostingRegressor):
    """Boosted trees that predict numbers from a raw frame.

    It is :class:`sklearn.ensemble.HistGradientBoostingRegressor` over the frame that its preprocessor encodes:
    categories with up to 255 levels are split as categories; those with more levels are replaced by out-of-fold means
    of the target.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "gamma", "poisson", "quantile"}, default="squared_error"
        Loss that is minimised.
    quantile : float, default=None
        Level of the quantile that ``loss="quantile"`` estimates, between 0 and 1.
    learning_rate : float, default=0.03
        Factor that each tree's contribution is multiplied by.
    max_iter : int or None, default=None
        Number of trees. None chooses the number, up to 1,000, that has the smallest mean loss on the rows held out of
        `cv` folds, and fits all rows with it. Beyond 10,000 rows only one fold is held out, beyond 100,000 none:
        1,000 trees are grown.
    cv : int, splitter or iterable, default=5
        Number of random folds that choose the number of iterations; a splitter of the rows, such as `TimeSplit`; or
        pairs of positions of training rows and rows held out. None is 5. The copies of a row of weight k stay together.
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
        Whether `fit` keeps the encoding, the classes, the bins and the trees of an earlier fit and adds trees, on the
        same rows or on others. Labels that the earlier fit did not see are treated as unseen, with a warning.
    early_stopping : bool or "auto", default=False
        Whether to stop when the score no longer improves on rows set aside, instead of choosing the number of
        iterations by `cv`; "auto" does so above 10,000 rows.
    scoring : str, callable or None, default="loss"
        Score to watch for early stopping: the loss, a scorer of scikit-learn's, or None for the default score.
    validation_fraction : int, float or None, default=0.1
        Number or share of the rows set aside for early stopping; None watches the training rows.
    n_iter_no_change : int, default=10
        Number of iterations without improvement after which training stops early.
    tol : float, default=1e-7
        Improvements of the score below this do not count.
    verbose : bool, int or "auto", default="auto"
        Whether `fit` shows the number of iterations and the time left; "auto" does so in terminals and notebooks.
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
    input_to_outputs_, output_to_input_ : dict
        The encoded columns that come from each raw column, and the raw column (or None) of each encoded one.
    target_encoded_, target_encoder_ : list of str, and sklearn.preprocessing.TargetEncoder or None
        Columns that are replaced by the mean target of their level, and their fitted encoder; None if there are none.
    n_iter_ : int
        Number of iterations.
    oof_prediction_ : ndarray of shape (n_rows,) or None
        Predictions of training rows by trees that have not seen them, those of the folds by which the number of
        iterations was chosen; NaN for rows that no fold holds out. None if it was not chosen by folds.
    n_features_in_, feature_names_in_ : int and ndarray of str
        Number of raw columns, and their names, which are set only if X had names.

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

    _parameter_constraints: dict = {**HistGradientBoostingRegressor._parameter_constraints, **BOOSTING_CONSTRAINTS}

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        quantile: float | None = None,
        learning_rate: float = 0.03,
        max_iter: int | None = None,
        cv: Any = 5,
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
        verbose: bool | int | str = "auto",
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
        self.cv = cv
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
    max_iter : int or None, default=None
        Number of trees, with more than two classes of trees per class. None chooses the number, up to 1,000 (500 per
        class), that has the smallest mean loss on the rows held out of `cv` folds, and fits all rows with it. Beyond
        10,000 rows, with more than two classes times their number, only one fold is held out; beyond 100,000 rows none
        is, and all trees are grown.
    cv : int, splitter or iterable, default=5
        Number of random folds that choose the number of iterations; a splitter of the rows, such as `TimeSplit`; or
        pairs of positions of training rows and rows held out. None is 5. The copies of a row of weight k stay together.
    max_leaf_nodes : int or None, default=15
        Maximum number of leaves of a tree; None sets no limit.
    max_depth : int or None, default=None
        Maximum depth of a tree; None sets no limit.
    min_samples_leaf : int, default=10
        Minimum number of rows in a leaf.
    l2_regularization : float, default=1.0
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
        Whether `fit` keeps the encoding, the classes, the bins and the trees of an earlier fit and adds trees, on the
        same rows or on others. Labels that the earlier fit did not see are treated as unseen, with a warning.
    early_stopping : bool or "auto", default=False
        Whether to stop when the score no longer improves on rows set aside, instead of choosing the number of
        iterations by `cv`; "auto" does so above 10,000 rows.
    scoring : str, callable or None, default="loss"
        Score to watch for early stopping: the loss, a scorer of scikit-learn's, or None for the default score.
    validation_fraction : int, float or None, default=0.1
        Number or share of the rows set aside for early stopping; None watches the training rows.
    n_iter_no_change : int, default=10
        Number of iterations without improvement after which training stops early.
    tol : float, default=1e-7
        Improvements of the score below this do not count.
    verbose : bool, int or "auto", default="auto"
        Whether `fit` shows the number of iterations and the time left; "auto" does so in terminals and notebooks.
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
    input_to_outputs_, output_to_input_ : dict
        The encoded columns that come from each raw column, and the raw column (or None) of each encoded one.
    target_encoded_, target_encoder_ : list of str, and sklearn.preprocessing.TargetEncoder or None
        Columns that are replaced by the mean target of their level, and their fitted encoder; None if there are none.
    n_iter_ : int
        Number of iterations.
    oof_prediction_ : ndarray of shape (n_rows, n_classes) or None
        Probabilities of training rows by trees that have not seen them, those of the folds by which the number of
        iterations was chosen; NaN for rows that no fold holds out. None if it was not chosen by folds.
    n_features_in_, feature_names_in_ : int and ndarray of str
        Number of raw columns, and their names, which are set only if X had names.

    See Also
    --------
    BoostingRegressor : The same for numbers.
    ForestClassifier : A random forest of raw frames, which needs less tuning.

    References
    ----------
    Those of `BoostingRegressor`.

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

    _parameter_constraints: dict = {**HistGradientBoostingClassifier._parameter_constraints, **BOOSTING_CONSTRAINTS}

    def __init__(
        self,
        loss: str = "log_loss",
        *,
        learning_rate: float = 0.05,
        max_iter: int | None = None,
        cv: Any = 5,
        max_leaf_nodes: int | None = 15,
        max_depth: int | None = None,
        min_samples_leaf: int = 10,
        l2_regularization: float = 1.0,
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
        verbose: bool | int | str = "auto",
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
        self.cv = cv
        self.high_cardinality = high_cardinality
        self.preprocessor = preprocessor

    def _finalize_sample_weight(self, sample_weight: Any, y: np.ndarray) -> Any:
        """Apply `class_weight`, which has labels; the parent class calls this with codes of the classes."""
        if self.class_weight is None:
            return sample_weight
        weights = weigh_classes(self.class_weight, self.classes_[y.astype(np.intp)])
        return weights if sample_weight is None else sample_weight * weights
