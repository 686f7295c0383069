"""The models that a run chooses from: fitted and scored on folds and on the rows held out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tabrec.ensemble import EnsembleClassifier, EnsembleRegressor, compare_models
from tabrec.ensemble.members import DEFAULT_KINDS, make_member
from tabrec.runs.metrics import TaskMetric
from tabrec.runs.scores import Scores, predict_numbers, score, score_run, standard_error
from tabrec.tables.copies import clone_for_refit

SINGLE_MODELS = ("forest", "boosting", "net")
MODELS = (*SINGLE_MODELS, "ensemble", "all")

# Columns of the result of `compare_models`: the score that ranks models, and columns that are not scores.
_RANK = "rank"
_NOT_SCORES = ["model", "fold", _RANK, "fit_seconds", "predict_seconds"]
Folds = Sequence[tuple[np.ndarray, np.ndarray]]


def make_estimator(model: str, task: str, columns: dict, device: str | None, random_state: int) -> Any:
    """Return a new model of a kind; `columns` are parameters of `TabularPreprocessor`."""
    of_classes = task == "classification"
    if model == "ensemble":
        members = [(name, make_estimator(name, task, columns, device, random_state)) for name in DEFAULT_KINDS]
        return (EnsembleClassifier if of_classes else EnsembleRegressor)(members, random_state=random_state)
    return make_member(model, of_classes=of_classes, columns=columns, device=device, random_state=random_state)


def preprocessor_options(
    drop: Sequence[str], categorical: Sequence[str], time_column: str | None, date_format: str | None
) -> dict[str, Any]:
    """Convert options of `train` to parameters of `TabularPreprocessor`."""
    dates = {time_column: date_format} if date_format is not None else None
    return {"drop_columns": list(drop), "categorical_columns": list(categorical), "date_columns": dates}


def say_stages(verbose: bool) -> Callable[[str], None]:
    """Return a function that prints a stage and the time since the first one to standard error, or nothing."""
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
    error: float = np.nan  # standard error of the metric, over the validation rows
    fit_seconds: float = np.nan
    predict_seconds: float = np.nan

    def summary(self, metric: TaskMetric) -> dict[str, Any]:
        """Return a row of the leaderboard."""
        key = metric.key
        if self.folds:
            means, errors = average_folds(self.folds)
            value, error = means[key], errors[key]
        else:
            value, error = self.metrics["validation"][key], self.error
        seconds = {"fit_seconds": round(self.fit_seconds, 3), "predict_seconds": round(self.predict_seconds, 3)}
        return {"model": self.name, key: value, "standard_error": error, **seconds}


def average_folds(folds: list[Scores]) -> tuple[Scores, Scores]:
    """Return the means of the scores over folds, and their standard errors; a single fold has none."""
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
    verbose: bool

    def compare(self, trials: list[Trial], random_state: int) -> list[Trial]:
        """Score models on the folds, or else on the rows held out; those that fail are left out, with a warning."""
        names = ", ".join(trial.name for trial in trials)
        where = f"{len(self.folds)} folds of {len(self.train):,} rows" if self.folds else f"{len(self.train):,} rows"
        self.say(f"{names}: fitting on {where}")
        comparison = compare_models(
            self.X,
            self.y,
            [(trial.name, trial.estimator) for trial in trials],
            cv=self.folds or [(self.train, self.valid)],
            scoring=self._scores,
            return_estimator=not self.folds,
            verbose=self.verbose or "auto",
        )
        by_model = dict(list(comparison.by_fold.groupby("model")))
        kept = [trial for trial in trials if trial.name in by_model]
        for trial in kept:
            table = by_model[trial.name]
            trial.fit_seconds, trial.predict_seconds = table["fit_seconds"].mean(), table["predict_seconds"].mean()
            if self.folds:
                trial.folds = table.drop(columns=_NOT_SCORES).to_dict("records")
                continue
            trial.estimator = comparison.estimators[trial.name][0]
            predicted = self._describe(trial)
            if len(trials) > 1:
                classes = getattr(trial.estimator, "classes_", None)
                trial.error = standard_error(self.y[self.valid], predicted, classes, self.metric, random_state)
        return kept

    def validate(self, trial: Trial) -> None:
        """Fit the model on the training rows and score it on those held out."""
        self.say(f"{trial.name}: fitting on {len(self.train):,} rows")
        started = time.perf_counter()
        trial.estimator.fit(self.X.iloc[self.train], self.y[self.train])
        trial.fit_seconds = time.perf_counter() - started
        self._describe(trial)

    def _describe(self, trial: Trial) -> np.ndarray:
        """Score the model on the rows held out, and return its predictions for them."""
        self.say(f"{trial.name}: scoring on {len(self.valid):,} validation rows")
        started = time.perf_counter()
        trial.predicted = predicted = predict_numbers(trial.estimator, self.X.iloc[self.valid])
        trial.predict_seconds = time.perf_counter() - started
        X_train, y = self.X.iloc[self.train], self.y
        trial.metrics = score_run(trial.estimator, X_train, y[self.train], y[self.valid], predicted, self.metric)
        return predicted

    def _scores(self, model: Any, X: pd.DataFrame, y: np.ndarray) -> Scores:
        """Return the scores of a fold, that which models are compared by first; greater is better in that one alone."""
        found = score(y, predict_numbers(model, X), getattr(model, "classes_", None), self.metric)
        return {_RANK: -self.metric.loss(found.get(self.metric.key, np.nan)), **found}

    def refit(self, trial: Trial) -> None:
        """Fit the model on all rows."""
        self.say(f"{trial.name}: fitting on all {len(self.y):,} rows")
        trial.estimator = clone_for_refit(trial.estimator).fit(self.X, self.y)
