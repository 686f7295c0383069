"""The metric that models are compared by: a scorer of scikit-learn that suits the task."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names

from tabrec.tables.spelling import nearest_labels

# Scorers that every run is scored by, with their names in the metrics of a run.
_KEYS = {
    "neg_root_mean_squared_error": "rmse",
    "r2": "r2",
    "neg_log_loss": "log_loss",
    "accuracy": "accuracy",
    "roc_auc": "auc",
}
_DEFAULTS = {"regression": "neg_root_mean_squared_error", "classification": "neg_log_loss"}
# Scorers by task, without those of clustering, multilabel targets and likelihood ratios.
_AVERAGES = ("", "_macro", "_micro", "_weighted")
_SCORERS = {
    "regression": (
        *("neg_root_mean_squared_error", "r2", "neg_mean_absolute_error", "neg_median_absolute_error"),
        *("neg_mean_squared_error", "neg_mean_absolute_percentage_error", "neg_max_error", "explained_variance"),
        *("neg_root_mean_squared_log_error", "neg_mean_squared_log_error", "d2_absolute_error_score"),
        *("neg_mean_poisson_deviance", "neg_mean_gamma_deviance"),
    ),
    "classification": (
        *("neg_log_loss", "roc_auc", "accuracy", "balanced_accuracy", "average_precision", "neg_brier_score"),
        *("roc_auc_ovr", "roc_auc_ovo", "roc_auc_ovr_weighted", "roc_auc_ovo_weighted", "matthews_corrcoef"),
        *(f"{name}{average}" for name in ("f1", "precision", "recall", "jaccard") for average in _AVERAGES),
        *("d2_log_loss_score", "d2_brier_score"),
    ),
}


class TaskMetric(NamedTuple):
    """A scorer of scikit-learn by its name, such as "neg_mean_absolute_error"."""

    name: str

    @property
    def key(self) -> str:
        """Its name in the metrics of a run, where errors are positive."""
        return _KEYS.get(self.name, self.name.removeprefix("neg_"))

    @property
    def is_common(self) -> bool:
        """Whether every run has it."""
        return self.name in _KEYS

    def loss(self, value: float) -> float:
        """Convert a score to a loss, lower for better scores; infinite if the score could not be computed."""
        return np.inf if value != value else value if self.name.startswith("neg_") else -value

    def score(self, y: np.ndarray, predicted: np.ndarray) -> float:
        """Return the score of predicted numbers, or of probabilities (n_rows, n_classes) for codes of classes."""
        predictions = (_PredictedNumbers if predicted.ndim == 1 else _PredictedClasses)(predicted)
        value = get_scorer(self.name)(predictions, np.arange(len(y)), y)
        return float(-value if self.name.startswith("neg_") else value)


def choose_metric(name: str | None, task: str, y: np.ndarray) -> TaskMetric:
    """Return the metric of this name, or the default of the task; a ValueError if it does not suit the target `y`."""
    suitable = [scorer for scorer in _SCORERS[task] if scorer in get_scorer_names()]
    if name is None:
        return TaskMetric(_DEFAULTS[task])
    if name not in suitable:
        near = ", ".join(map(repr, nearest_labels(name, suitable)))
        hint = f" (the nearest: {near})" if near else ""
        raise ValueError(f"metric={name!r} does not suit a {task}{hint}. Accepted: {', '.join(suitable)}.")
    metric = TaskMetric(name)
    try:
        with warnings.catch_warnings(action="ignore"):
            metric.score(*_constant_prediction(task, y))
    except ValueError as error:
        raise ValueError(f"metric={name!r} does not suit this target: {error}") from error
    return metric


def _constant_prediction(task: str, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if task == "regression":
        return y, np.full(len(y), y.mean())
    codes = np.unique(y, return_inverse=True)[1]
    return codes, np.tile(np.bincount(codes) / len(y), (len(y), 1))


class _PredictedNumbers(RegressorMixin, BaseEstimator):
    """An estimator whose `predict` looks up given predictions by row number, which scorers pass as `X`."""

    def __init__(self, predicted: Any = None):
        self.predicted = predicted

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.predicted[X]


class _PredictedClasses(ClassifierMixin, BaseEstimator):
    """An estimator whose `predict_proba` looks up given probabilities by row number, which scorers pass as `X`."""

    def __init__(self, predicted: Any = None):
        self.predicted = predicted

    @property
    def classes_(self) -> np.ndarray:
        return np.arange(self.predicted.shape[1])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return self.predicted[X]

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.predicted[X].argmax(axis=1)
