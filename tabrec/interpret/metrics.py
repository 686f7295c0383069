"""Metrics as one gain a row, so that two scores on the same rows can be compared with a standard error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of the mean over rows."""

    name: str  # for tables and axes
    # (y, predicted, classes) -> one per row, larger is better
    gains: Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
    score: Callable[[np.ndarray], float]  # gains -> the metric as it is reported
    greater_is_better: bool  # for the reported score

    def gain(self, before: float, after: float) -> float:
        """By how much a score has improved; negative when it has become worse."""
        return after - before if self.greater_is_better else before - after

    def linear(self, gains: np.ndarray) -> np.ndarray:
        """Gains whose mean changes as the score does: for RMSE its linear approximation (the delta method)."""
        if self.name != "RMSE":
            return gains
        score = self.score(gains)
        return gains / (2 * score) if score > 0 else gains

    def standard_error(self, gains: np.ndarray) -> float:
        """Standard error of the score; NaN for a single row."""
        return _error_of_mean(self.linear(gains))

    def paired_error(self, before: np.ndarray, after: np.ndarray) -> float:
        """Standard error of the difference of two scores on the same rows."""
        return _error_of_mean(self.linear(after) - self.linear(before))


def _error_of_mean(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _squared(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    return -np.square(_as_columns(y) - predicted).mean(axis=1)


def _absolute(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    return -np.abs(_as_columns(y) - predicted).mean(axis=1)


def _explained(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    """Gains whose mean is R² (averaged over outputs) and whose spread is that of R² to first order.

    R² is a ratio of two means, so each gain includes the effect of its row on the variance of the target.
    """
    y = _as_columns(y)
    variance = y.var(axis=0)
    known = np.where(variance > 0, variance, 1.0)
    left = np.square(y - predicted) / known
    own_part = np.where(variance > 0, np.square(y - y.mean(axis=0)) / known - 1, 0.0)
    return 1 - (left - left.mean(axis=0) * own_part).mean(axis=1)


def _right(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    return (np.asarray(classes)[predicted.argmax(axis=1)] == y).astype(np.float64)


def _log_likelihood(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    hit = np.asarray(classes)[None, :] == np.asarray(y)[:, None]
    of_true = np.where(hit, predicted, 0).sum(axis=1)
    return np.log(np.clip(of_true, np.finfo(np.float64).eps, 1))


def _as_columns(y: np.ndarray) -> np.ndarray:
    y = np.asarray(y, dtype=np.float64)
    return y.reshape(len(y), -1)


def _mean(gains: np.ndarray) -> float:
    return float(np.mean(gains))


METRICS: dict[str, Metric] = {
    "rmse": Metric("RMSE", _squared, lambda gains: float(np.sqrt(-np.mean(gains))), False),
    "mae": Metric("MAE", _absolute, lambda gains: -_mean(gains), False),
    "r2": Metric("R²", _explained, _mean, True),
    "accuracy": Metric("accuracy", _right, _mean, True),
    "log_loss": Metric("log loss", _log_likelihood, lambda gains: -_mean(gains), False),
}
_OF_CLASSIFIERS = ("accuracy", "log_loss")


def read_metric(model: Any, metric: str | None, default: str = "rmse") -> Metric:
    """The requested metric; for None `default` for a regressor and accuracy for a classifier. Others are refused."""
    if metric is None:
        return METRICS["accuracy" if is_classifier(model) else default]
    fitting = [name for name in METRICS if (name in _OF_CLASSIFIERS) == is_classifier(model)]
    if metric not in fitting:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(fitting)} for a {type(model).__name__}.")
    return METRICS[metric]
