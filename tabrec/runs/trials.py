"""The models that a run chooses from: fitted and scored on folds and on the rows held out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier, VotingRegressor

import tabrec
from tabrec.preprocess import TabularPreprocessor
from tabrec.runs.metrics import TaskMetric
from tabrec.runs.scores import Scores, predict_numbers, score, score_run, standard_error
from tabrec.tables.progress import track

# By model: the kind of preprocessing, the regressor and the classifier.
_ESTIMATORS = {
    "forest": ("forest", "ForestRegressor", "ForestClassifier"),
    "boosting": ("forest", "BoostingRegressor", "BoostingClassifier"),
    "net": ("net", "TabularRegressor", "TabularClassifier"),
}
MEMBERS = ("forest", "net")  # of an ensemble
KINDS = tuple(_ESTIMATORS)
MODELS = (*KINDS, "ensemble", "all")

Folds = Sequence[tuple[np.ndarray, np.ndarray]]


def make_estimator(model: str, task: str, columns: dict, device: str | None, random_state: int) -> Any:
    """A new model of a kind; `columns` are parameters of `TabularPreprocessor`."""
    is_regression = task == "regression"
    if model == "ensemble":
        members = [(name, make_estimator(name, task, columns, device, random_state)) for name in MEMBERS]
        return VotingRegressor(members) if is_regression else VotingClassifier(members, voting="soft")
    purpose, regressor, classifier = _ESTIMATORS[model]
    options = {"device": device} if device is not None and model == "net" else {}
    # Looked up by name, so that only nets load torch.
    estimator = getattr(tabrec, regressor if is_regression else classifier)
    return estimator(random_state=random_state, preprocessor=TabularPreprocessor(purpose, **columns), **options)


def preprocessor_options(
    drop: Sequence[str], categorical: Sequence[str], time_column: str | None, date_format: str | None
) -> dict[str, Any]:
    """The parameters of `TabularPreprocessor` for options of `train`."""
    dates = {time_column: date_format} if date_format is not None else None
    return {"drop_columns": list(drop), "categorical_columns": list(categorical), "date_columns": dates}


def purpose_of(model: str) -> str:
    """The `purpose` of the preprocessor of a model that is not an ensemble."""
    return _ESTIMATORS[model][0]


def say_stages(verbose: bool) -> Callable[[str], None]:
    """A function that prints a stage and the time since the first one to standard error, or nothing."""
    started = time.perf_counter()

    def say(text: str) -> None:
        if verbose:
            print(f"{time.perf_counter() - started:6.1f} s  {text}", file=sys.stderr, flush=True)

    return say


@dataclass
class Trial:
    """A model with its scores: `folds` are those of the test rows of each fold."""

    name: str
    estimator: Any
    folds: list[Scores] = field(default_factory=list)
    metrics: dict[str, Scores] = field(default_factory=dict)
    predicted: np.ndarray | None = None
    error: float = np.nan  # standard error of the metric over the validation rows
    fit_seconds: float = np.nan
    predict_seconds: float = np.nan

    def summary(self, metric: TaskMetric) -> dict[str, Any]:
        """A row of the leaderboard."""
        key = metric.key
        if self.folds:
            means, errors = average_folds(self.folds)
            value, error = means[key], errors[key]
        else:
            value, error = self.metrics["validation"][key], self.error
        seconds = {"fit_seconds": round(self.fit_seconds, 3), "predict_seconds": round(self.predict_seconds, 3)}
        return {"model": self.name, key: value, "standard_error": error, **seconds}


def average_folds(folds: list[Scores]) -> tuple[Scores, Scores]:
    """Means of the scores over folds, and their standard errors; a single fold has none."""
    table = pd.DataFrame(folds)
    errors: pd.Series = table.std(ddof=1) / np.sqrt(table.count())
    return {str(k): float(v) for k, v in table.mean().items()}, {str(k): float(v) for k, v in errors.items()}


@dataclass(frozen=True)
class TrialRows:
    """A table with its target, divided into rows to train on and to validate on, and into folds of the former."""

    X: pd.DataFrame
    y: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    folds: Folds
    metric: TaskMetric
    say: Callable[[str], None]

    def cross_validate(self, trial: Trial) -> None:
        """Score the model on each fold."""
        fitting, predicting = [], []
        title = f"Fitting {trial.name} on folds"
        for number, (train, test) in enumerate(track(self.folds, title, len(self.folds)), start=1):
            self.say(f"{trial.name}: fitting fold {number} of {len(self.folds)} on {len(train):,} rows")
            model = clone(trial.estimator)
            predicted = self._fit_and_predict(trial, model, train, test)
            trial.folds.append(score(self.y[test], predicted, getattr(model, "classes_", None), self.metric))
            fitting.append(trial.fit_seconds)
            predicting.append(trial.predict_seconds)
        trial.fit_seconds, trial.predict_seconds = float(np.mean(fitting)), float(np.mean(predicting))

    def validate(self, trial: Trial, *, random_state: int, with_error: bool) -> None:
        """Fit the model on the training rows and score it on those held out."""
        self.say(f"{trial.name}: fitting on {len(self.train):,} rows")
        model, y = trial.estimator, self.y
        trial.predicted = self._fit_and_predict(trial, model, self.train, self.valid)
        self.say(f"{trial.name}: scoring on {len(self.valid):,} validation rows")
        y_valid = y[self.valid]
        X_train = self.X.iloc[self.train]
        trial.metrics = score_run(model, X_train, y[self.train], y_valid, trial.predicted, self.metric)
        if with_error:
            classes = getattr(model, "classes_", None)
            trial.error = standard_error(y_valid, trial.predicted, classes, self.metric, random_state)

    def refit(self, trial: Trial) -> None:
        """Fit the model on all rows."""
        self.say(f"{trial.name}: fitting on all {len(self.y):,} rows")
        trial.estimator = clone(trial.estimator).fit(self.X, self.y)

    def _fit_and_predict(self, trial: Trial, model: Any, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        started = time.perf_counter()
        model.fit(self.X.iloc[train], self.y[train])
        fitted = time.perf_counter()
        predicted = predict_numbers(model, self.X.iloc[test])
        trial.fit_seconds, trial.predict_seconds = fitted - started, time.perf_counter() - fitted
        return predicted
