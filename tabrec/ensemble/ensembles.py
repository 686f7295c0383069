"""`EnsembleRegressor` and `EnsembleClassifier`: weighted averages of different kinds of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from tabrec.ensemble.blending import (
    greedy_weights,
    log_loss,
    mean_and_error,
    mixture_weights,
    nnls_weights,
    squared_error,
)
from tabrec.ensemble.calibration import Calibration
from tabrec.ensemble.ensemble_base import EnsembleBase
from tabrec.ensemble.members import DEFAULT_KINDS
from tabrec.ensemble.out_of_fold import MemberRows, OutOfFold
from tabrec.tables.row_labels import CheckedScoreMixin


class EnsembleRegressor(CheckedScoreMixin, RegressorMixin, EnsembleBase):
    """A weighted mean of different kinds of models that predicts numbers from a raw frame.

    Each member predicts rows that it has not seen: those out of its bags, or of folds of the rows. These out-of-fold
    predictions determine the weights of the members by their squared error.

    Parameters
    ----------
    estimators : list of str and of (str, estimator), default=("forest", "extra_trees", "linear", "boosting", "net")
        Members: short names ("forest", "extra_trees", "linear", "boosting", "net" and "neighbors", nearest neighbours
        by the embeddings of a net) of models with default parameters, and pairs of a name and a regressor, or "drop".
    cv : int, cross-validation splitter, iterable or None, default=5
        Number of random folds (None is 5), or folds by a splitter, such as ``TimeSplit(3, column="saledate")``. Rows
        that no fold tests do not count for the weights.
    n_repeats : int, default=1
        How often random folds are drawn; the predictions of a row are averaged.
    method : {"greedy", "nnls"}, default="greedy"
        How weights are chosen: by greedy selection with replacement, or as those that minimise the error, are not
        negative and add up to 1.
    refit : bool, default=True
        Whether the members are fitted to all rows after the folds; False averages the fits of the folds, which saves
        a fit of each member and takes longer to predict.
    use_oob : bool, default=True
        Whether members that predict training rows which a part of them has not seen are fitted once, to all rows, if
        folds are random and there are 1,000 such rows or all: forests (out of bag), boosting that chooses its number
        of iterations by folds, and several nets, each validated on other rows. About four times as fast as folds.
    time_budget : float, default=None
        Seconds that `fit` may take. Members whose folds cannot be fitted in time are left out, with a warning.
    verbose : bool, int or "auto", default="auto"
        Whether `fit` shows a table by member and the time left; "auto" does so in terminals and notebooks.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of members whose own is None.

    Attributes
    ----------
    leaderboard_ : pandas.DataFrame
        A row for each member, the best first: member, rmse (out of fold), standard_error (over rows), weight,
        fit_seconds and predict_seconds of all folds.
    weights_ : dict of str to float
        Weight of each member.
    estimators_ : list of estimators
        The fitted models that are averaged: of each member with a positive weight one, or one for each fold.
    estimator_weights_ : ndarray of shape (len(estimators_),)
        Their weights.
    oof_prediction_ : ndarray of shape (n_rows,)
        Weighted out-of-fold predictions of the training rows; NaN for rows that no fold tests.
    n_features_in_, feature_names_in_ : int and ndarray of str
        Number of columns, and their names, which are set only if X had names.

    Raises
    ------
    ValueError
        If the parameters or the data are invalid, or `time_budget` is too short for any member. If all members fail,
        the error of the first one.

    Warns
    -----
    UserWarning
        A member fails, or its time is up: it is left out.

    See Also
    --------
    EnsembleClassifier : The same for classes.
    compare_models : Scores of models by cross-validation, without an ensemble.
    sklearn.ensemble.StackingRegressor : Learns any model of out-of-fold predictions.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew & Ksikes (2004), "Ensemble selection from libraries of models". Breiman (1996),
    "Stacked regressions".

    Examples
    --------
    >>> from tabrec import BoostingRegressor, EnsembleRegressor, ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(300, random_state=0)[["SalePrice", "YearMade", "ProductSize"]]
    >>> price = auctions.pop("SalePrice")
    >>> members = [("forest", ForestRegressor(20)), ("boosting", BoostingRegressor(max_iter=20)), "linear"]
    >>> ensemble = EnsembleRegressor(members, cv=3, random_state=0).fit(auctions, price)
    >>> sorted(ensemble.leaderboard_["member"])
    ['boosting', 'forest', 'linear']
    >>> ensemble.predict(auctions.head(2)).shape
    (2,)
    """

    _metric = "rmse"

    def __init__(
        self,
        estimators: Sequence = DEFAULT_KINDS,
        *,
        cv: Any = 5,
        n_repeats: int = 1,
        method: str = "greedy",
        refit: bool = True,
        use_oob: bool = True,
        time_budget: float | None = None,
        verbose: bool | int | str = "auto",
        random_state: Any = None,
    ):
        self.estimators = estimators
        self.cv = cv
        self.n_repeats = n_repeats
        self.method = method
        self.refit = refit
        self.use_oob = use_oob
        self.time_budget = time_budget
        self.verbose = verbose
        self.random_state = random_state

    def predict(self, X: Any) -> np.ndarray:
        """Predict the weighted mean of the members.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Rows to predict, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        return self._blend(X)[:, 0]

    def _learn_classes(self, y: np.ndarray) -> None:
        return None

    def _row_values(self, prediction: np.ndarray, data: MemberRows) -> np.ndarray:
        return prediction[:, 0]

    def _choose_weights(self, values: np.ndarray, y: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
        if self.method == "nnls":
            return nnls_weights(values, y, row_weights)
        return greedy_weights(values, squared_error(y), row_weights)

    def _error(self, values: np.ndarray, y: np.ndarray, row_weights: np.ndarray) -> tuple[float, float]:
        mean, error = mean_and_error(squared_error(y)(values), row_weights)
        rmse = float(np.sqrt(mean))
        return rmse, error / (2 * rmse) if rmse > 0 else 0.0

    def _keep_out_of_fold(
        self, blended: np.ndarray, data: MemberRows, known: np.ndarray, row_weights: np.ndarray
    ) -> None:
        self.oof_prediction_ = blended[:, 0]


class EnsembleClassifier(CheckedScoreMixin, ClassifierMixin, EnsembleBase):
    """A weighted mean of the probabilities of different kinds of models, from a raw frame.

    Each member predicts rows that it has not seen: those out of its bags, or of folds of the rows. These out-of-fold
    probabilities determine the calibration of each member, the weights of the members, by their log-loss, and the
    calibration of the mean.

    Parameters
    ----------
    estimators : list of str and of (str, estimator), default=("forest", "extra_trees", "linear", "boosting", "net")
        Members: short names ("forest", "extra_trees", "linear", "boosting", "net" and "neighbors", nearest neighbours
        by the embeddings of a net) of models with default parameters, and pairs of a name and a classifier with
        `predict_proba`, or "drop".
    cv : int, cross-validation splitter, iterable or None, default=5
        Number of random folds with the same class frequencies (None is 5), or folds by a splitter, such as
        ``TimeSplit(3, column="saledate")``. Rows that no fold tests, and rows whose class is absent from the training
        rows of their folds, do not count for the weights.
    n_repeats : int, default=1
        How often random folds are drawn; the probabilities of a row are averaged.
    method : {"greedy", "nnls"}, default="greedy"
        How weights are chosen: by greedy selection with replacement, or as those that minimise the log-loss, are not
        negative and add up to 1.
    refit : bool, default=True
        Whether the members are fitted to all rows after the folds; False averages the fits of the folds, which saves
        a fit of each member and takes longer to predict.
    use_oob : bool, default=True
        Whether members that predict training rows which a part of them has not seen are fitted once, to all rows, if
        folds are random and there are 1,000 such rows or all: forests (out of bag), boosting that chooses its number
        of iterations by folds, and several nets, each validated on other rows. About four times as fast as folds.
    calibrate : bool, default=True
        Whether to calibrate the probabilities of each member, and then their mean: an offset is added to them, and
        the sum is taken to the power of an exponent. Both are learned from out-of-fold rows, and used if they lower
        the log-loss of rows that they were not learned on.
    time_budget : float, default=None
        Seconds that `fit` may take. Members whose folds cannot be fitted in time are left out, with a warning.
    verbose : bool, int or "auto", default="auto"
        Whether `fit` shows a table by member and the time left; "auto" does so in terminals and notebooks.
    random_state : int, RandomState or None, default=None
        Seed of the folds, and of members whose own is None.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes in order.
    leaderboard_ : pandas.DataFrame
        A row for each member, the best first: member, log_loss (out of fold), standard_error (over rows), weight,
        fit_seconds and predict_seconds of all folds.
    weights_ : dict of str to float
        Weight of each member.
    estimators_ : list of estimators
        The fitted models that are averaged: of each member with a positive weight one, or one for each fold.
    estimator_weights_ : ndarray of shape (len(estimators_),)
        Their weights.
    estimator_calibration_ : ndarray of shape (len(estimators_), 2)
        Exponent and offset of each model; 1 and 0 leave its probabilities as they are.
    calibration_ : ndarray of shape (2,)
        Exponent and offset of the mean.
    oof_prediction_ : ndarray of shape (n_rows, n_classes)
        Calibrated out-of-fold probabilities of the training rows; NaN for rows that no fold tests.
    n_features_in_, feature_names_in_ : int and ndarray of str
        Number of columns, and their names, which are set only if X had names.

    Raises
    ------
    ValueError
        If the parameters or the data are invalid, or `time_budget` is too short for any member. If all members fail,
        the error of the first one.

    Warns
    -----
    UserWarning
        A member fails, or its time is up: it is left out.

    See Also
    --------
    EnsembleRegressor : The same for numbers.
    compare_models : Scores of models by cross-validation, without an ensemble.
    sklearn.ensemble.StackingClassifier : Learns any model of out-of-fold probabilities.

    References
    ----------
    Those of `EnsembleRegressor`. Guo, Pleiss, Sun & Weinberger (2017), "On calibration of modern neural networks".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import EnsembleClassifier, ForestClassifier
    >>> X = pd.DataFrame({"state": ["Ohio", "Utah"] * 50, "hours": range(100)})
    >>> y = ["low" if state == "Ohio" else "high" for state in X["state"]]
    >>> ensemble = EnsembleClassifier([("forest", ForestClassifier(20)), "linear"], random_state=0).fit(X, y)
    >>> ensemble.predict(pd.DataFrame({"hours": [70], "state": ["Utah"]}))
    array(['high'], dtype=object)
    """

    _metric = "log_loss"
    _parameter_constraints: ClassVar[dict] = {**EnsembleBase._parameter_constraints, "calibrate": ["boolean"]}

    def __init__(
        self,
        estimators: Sequence = DEFAULT_KINDS,
        *,
        cv: Any = 5,
        n_repeats: int = 1,
        method: str = "greedy",
        refit: bool = True,
        use_oob: bool = True,
        calibrate: bool = True,
        time_budget: float | None = None,
        verbose: bool | int | str = "auto",
        random_state: Any = None,
    ):
        self.estimators = estimators
        self.cv = cv
        self.n_repeats = n_repeats
        self.method = method
        self.refit = refit
        self.use_oob = use_oob
        self.calibrate = calibrate
        self.time_budget = time_budget
        self.verbose = verbose
        self.random_state = random_state

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities, the calibrated weighted mean of the members.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Rows to predict, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_classes)
            Probabilities in the order of `classes_`.
        """
        blended = self._blend(X)
        return Calibration(*self.calibration_).apply(blended / blended.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Rows to predict, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        probable = self.predict_proba(X).argmax(axis=1)
        return self.classes_[probable]

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        target = super()._check_fit_target(y, n_rows)
        check_classification_targets(target)
        return target

    def _learn_classes(self, y: np.ndarray) -> np.ndarray:
        self.classes_ = np.unique(y)
        return self.classes_

    def _row_values(self, prediction: np.ndarray, data: MemberRows) -> np.ndarray:
        codes = np.searchsorted(self.classes_, data.y).clip(max=len(self.classes_) - 1)
        return prediction[np.arange(len(prediction)), codes]

    def _choose_weights(self, values: np.ndarray, y: np.ndarray, row_weights: np.ndarray) -> np.ndarray:
        if self.method == "nnls":
            return mixture_weights(values, row_weights)
        return greedy_weights(values, log_loss, row_weights)

    def _error(self, values: np.ndarray, y: np.ndarray, row_weights: np.ndarray) -> tuple[float, float]:
        return mean_and_error(log_loss(values), row_weights)

    def _keep_out_of_fold(
        self, blended: np.ndarray, data: MemberRows, known: np.ndarray, row_weights: np.ndarray
    ) -> None:
        calibration = Calibration()
        if self.calibrate and len(self.classes_) > 1:
            codes = np.searchsorted(self.classes_, data.y[known])
            calibration = Calibration.learn(blended[known], codes, row_weights)
        self.calibration_ = np.array([calibration.exponent, calibration.offset])
        self.oof_prediction_ = calibration.apply(blended)

    def _calibrate_member(self, found: OutOfFold, data: MemberRows) -> None:
        if not self.calibrate or len(self.classes_) < 2:
            return
        known = ~np.isnan(found.prediction[:, 0]) & np.isin(data.y, self.classes_)
        codes = np.searchsorted(self.classes_, data.y[known])
        row_weights = np.ones(len(codes)) if data.weights is None else data.weights[known]
        found.calibration = Calibration.learn(found.prediction[known], codes, row_weights)
        found.prediction = found.calibration.apply(found.prediction)

    def _keep_calibration(self, by_estimator: list[Calibration]) -> None:
        self.estimator_calibration_ = np.array([[each.exponent, each.offset] for each in by_estimator])

    def _calibrate(self, predicted: np.ndarray, position: int) -> np.ndarray:
        return Calibration(*self.estimator_calibration_[position]).apply(predicted)
