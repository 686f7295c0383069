"""Metrics as functions of gains per row, so that scores on the same rows can be compared with standard errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from tabrec.interpret._numbers import show_number


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of the mean of gains over rows."""

    name: str  # for tables and axes
    # (y, predicted, classes, sample weights or None) -> gain of each row, larger is better
    gains: Callable[..., np.ndarray]
    score: Callable[..., float]  # (gains, weights or None) -> the reported metric
    greater_is_better: bool  # whether a greater reported metric is better

    def gain(self, before: float, after: float) -> float:
        """Return the improvement of a score, negative if it is worse."""
        return after - before if self.greater_is_better else before - after

    def linear(self, gains: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return gains whose mean changes like the score; those of RMSE are linearised (delta method)."""
        if self.name != "RMSE":
            return gains
        score = self.score(gains, weights)
        return gains / (2 * score) if score > 0 else gains

    def standard_error(self, gains: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the standard error of the score; NaN for a single row."""
        return error_of_mean(self.linear(gains, weights), weights)

    def paired_error(self, before: np.ndarray, after: np.ndarray, weights: np.ndarray | None = None) -> float:
        """Return the standard error of the difference of two scores on the same rows."""
        return error_of_mean(self.linear(after, weights) - self.linear(before, weights), weights)


def error_of_mean(values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the standard error of a mean, weighted if there are weights; NaN for a single value."""
    n = len(values)
    if n < 2:
        return np.nan
    if weights is None:
        return float(values.std(ddof=1) / np.sqrt(n))
    parts = weights / weights.sum() * (values - np.average(values, weights=weights))
    return float(np.sqrt(n / (n - 1) * (parts @ parts)))


def _squared(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
    return -np.square(_as_columns(y) - predicted).mean(axis=1)


def _absolute(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
    return -np.abs(_as_columns(y) - predicted).mean(axis=1)


def _explained(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
    """Return gains whose mean is R², averaged over outputs, and whose spread is that of R² to first order.

    R² is a ratio of two means, so each gain includes the effect of its row on the variance of the target.
    """
    y = _as_columns(y)
    squares = np.square(y - np.average(y, axis=0, weights=weights))
    variance = np.average(squares, axis=0, weights=weights)
    known = np.where(variance > 0, variance, 1.0)
    left = np.square(y - predicted) / known
    own_part = np.where(variance > 0, squares / known - 1, 0.0)
    return 1 - (left - np.average(left, axis=0, weights=weights) * own_part).mean(axis=1)


def _right(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
    return (np.asarray(classes)[predicted.argmax(axis=1)] == y).astype(np.float64)


def _log_likelihood(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
    hit = np.asarray(classes)[None, :] == np.asarray(y)[:, None]
    of_true = np.where(hit, predicted, 0).sum(axis=1)
    return np.log(np.clip(of_true, np.finfo(np.float64).eps, 1))


def _squared_probability(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
    return -np.square((np.asarray(classes)[None, :] == np.asarray(y)[:, None]) - predicted).sum(axis=1)


def _as_columns(y: np.ndarray) -> np.ndarray:
    y = np.asarray(y, dtype=np.float64)
    return y.reshape(len(y), -1)


def _mean(gains: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(np.average(gains, weights=weights))


def _loss(gains: np.ndarray, weights: np.ndarray | None = None) -> float:
    return -_mean(gains, weights)


def _root(gains: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(np.sqrt(-_mean(gains, weights)))


METRICS: dict[str, Metric] = {
    "rmse": Metric("RMSE", _squared, _root, False),
    "mae": Metric("MAE", _absolute, _loss, False),
    "r2": Metric("R²", _explained, _mean, True),
    "accuracy": Metric("accuracy", _right, _mean, True),
    "log_loss": Metric("log loss", _log_likelihood, _loss, False),
}
# Log loss is the default, because accuracy ignores the probabilities of rare classes.
BRIER = Metric("Brier score", _squared_probability, _loss, False)
_OF_CLASSIFIERS = ("accuracy", "log_loss")


def add_even_tree(predicted: np.ndarray, n_trees: np.ndarray) -> np.ndarray:
    """Smooth the class shares of a forest by one more tree that gives all classes the same share.

    With few trees, a true class often has the share 0, whose log loss dominates all others. `n_trees` is the number of
    trees that predicted each row.
    """
    n_trees = n_trees[:, None]
    return (predicted * n_trees + 1 / predicted.shape[1]) / (n_trees + 1)


def beats_baseline(
    y: np.ndarray, predicted: np.ndarray, baseline: np.ndarray, classes: Any, weights: np.ndarray | None = None
) -> tuple[bool, str]:
    """Return whether predictions are significantly better than a baseline, and a phrase with both scores.

    They are compared by the Brier score of classifiers and by RMSE, and are clearly better by more than 2 standard
    errors.
    """
    metric = METRICS["rmse"] if classes is None else BRIER
    gains = [metric.gains(y, each, classes, weights) for each in (predicted, baseline)]
    scores = [metric.score(each, weights) for each in gains]
    difference, error = scores[1] - scores[0], metric.paired_error(gains[0], gains[1], weights)
    shown, of_baseline = map(show_number, scores)
    gain = f"{show_number(difference, 2)} ± {show_number(2 * error, 2)}"
    text = f"{metric.name} {shown}, baseline {of_baseline}, difference {gain}"
    return bool(difference > 2 * error), text


def read_metric(model: Any, metric: str | None, default: str = "rmse") -> Metric:
    """Return the named metric; None is `default` for regressors and log loss for classifiers."""
    if metric is None:
        return METRICS["log_loss" if is_classifier(model) else default]
    fitting = [name for name in METRICS if (name in _OF_CLASSIFIERS) == is_classifier(model)]
    if metric not in fitting:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(fitting)} for a {type(model).__name__}.")
    return METRICS[metric]
