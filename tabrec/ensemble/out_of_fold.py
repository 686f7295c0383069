"""Out-of-fold predictions of models: each row is predicted by fits that have not seen it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tabrec.ensemble.calibration import Calibration
from tabrec.ensemble.clock import Clock
from tabrec.ensemble.folds import Folds
from tabrec.ensemble.members import weight_parameters
from tabrec.tables.rows import take_rows


@dataclass(frozen=True)
class MemberRows:
    """A table with its target and weights; `classes` are None for numbers."""

    X: Any
    frame: pd.DataFrame
    y: np.ndarray
    weights: np.ndarray | None
    classes: np.ndarray | None

    def fit(self, estimator: Any, rows: np.ndarray) -> Any:
        """Return a clone of an estimator, fitted to some of the rows."""
        weights = weight_parameters(estimator, None if self.weights is None else self.weights[rows])
        return clone(estimator).fit(self.take(rows), self.y[rows], **weights)

    def take(self, rows: np.ndarray) -> Any:
        """Return some rows of the table."""
        return take_rows(self.X, rows, self.frame)

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        """Return the predictions of a fitted model for some of the rows."""
        return predict_values(model, self.take(rows), self.classes)

    def seen_with_class(self, folds: Folds) -> np.ndarray:
        """Return a mask of rows that are tested by a fold whose training rows contain their class."""
        seen = np.zeros(len(self.y), dtype=bool)
        for train, test in folds:
            seen[test] |= True if self.classes is None else np.isin(self.y[test], self.y[train])
        return seen


@dataclass
class OutOfFold:
    """A member after its pass over the folds: `prediction` is NaN for rows that no fold tests."""

    name: str
    estimator: Any
    prediction: np.ndarray  # (n_rows, 1), or (n_rows, n_classes) of probabilities
    fits: list[Any] = field(default_factory=list)
    is_final: bool = False  # whether the fits used all rows
    refitted: Any = None  # a fit to all rows, if there is one already
    calibration: Calibration = field(default_factory=Calibration)  # calibrations of probabilities
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0


def predict_values(model: Any, X: Any, classes: np.ndarray | None) -> np.ndarray:
    """Return the predictions as float64 (n_rows, 1), or probabilities of all classes (n_rows, n_classes)."""
    if classes is None:
        return np.asarray(model.predict(X), dtype=np.float64).reshape(-1, 1)
    found = np.asarray(model.predict_proba(X), dtype=np.float64)
    if len(model.classes_) == len(classes):
        return found
    values = np.zeros((len(found), len(classes)))
    values[:, np.searchsorted(classes, model.classes_)] = found
    return values


def predict_out_of_fold(
    name: str,
    estimator: Any,
    data: MemberRows,
    folds: Folds,
    *,
    keeps_fits: bool,
    clock: Clock,
    advance: Callable[[], None],
) -> OutOfFold:
    """Fit an estimator to each fold; raises `OutOfTime` as soon as the folds cannot all be fitted in time."""
    n_columns = 1 if data.classes is None else len(data.classes)
    total, counts = np.zeros((len(data.y), n_columns)), np.zeros(len(data.y))
    found = OutOfFold(name, estimator, total)
    for done, (train, test) in enumerate(folds):
        clock.check((found.fit_seconds + found.predict_seconds) / max(done, 1) * (len(folds) - done))
        started = time.perf_counter()
        model = data.fit(estimator, train)
        fitted = time.perf_counter()
        with warnings.catch_warnings():
            # That a fold has labels or gaps which the others lack is due to the split, not to the table.
            warnings.simplefilter("ignore", UserWarning)
            total[test] += data.predict(model, test)
        counts[test] += 1
        found.fit_seconds += fitted - started
        found.predict_seconds += time.perf_counter() - fitted
        if keeps_fits:
            found.fits.append(model)
        advance()
    with np.errstate(invalid="ignore"):
        found.prediction = total / counts[:, None]
    return found


def predict_unseen(name: str, estimator: Any, data: MemberRows, rows: np.ndarray) -> OutOfFold:
    """Fit a model once to the given rows, and take its predictions of rows that it did not train on.

    These are the out-of-bag rows of a forest and the rows that boosting and nets hold out; `prediction` is all NaN if a
    model holds out none.
    """
    started = time.perf_counter()
    model = data.fit(estimator, rows)
    prediction = np.full((len(data.y), 1 if data.classes is None else len(data.classes)), np.nan)
    attributes = ("oof_prediction_", "oob_prediction_" if data.classes is None else "oob_decision_function_")
    values = next((found for name in attributes if (found := getattr(model, name, None)) is not None), None)
    if values is not None:
        columns = slice(None) if data.classes is None else np.isin(data.classes, model.classes_)
        prediction[rows] = 0.0
        prediction[rows[:, None], np.arange(prediction.shape[1])[columns]] = values.reshape(len(rows), -1)
    seconds = time.perf_counter() - started
    return OutOfFold(name, estimator, prediction, [model], is_final=True, fit_seconds=seconds)


def predicts_unseen(estimator: Any) -> bool:
    """Return whether a fitted estimator may have predictions of training rows that some of its parts have not seen."""
    has_out_of_bag = getattr(estimator, "bootstrap", False) and getattr(estimator, "oob_score", False)
    return bool(has_out_of_bag or getattr(estimator, "max_iter", 1) is None or getattr(estimator, "n_nets", 1) != 1)
