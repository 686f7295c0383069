"""Metrics as one gain a row, so that two scores on the same rows can be compared with a standard error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from tabrec.interpret._numbers import show_number


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of the mean over rows."""

    name: str  # for tables and axes
    # (y, predicted, classes, weights of the rows or None) -> one per row, larger is better
    gains: Callable[..., np.ndarray]
    score: Callable[..., float]  # (gains, weights or None) -> the metric as it is reported
    greater_is_better: bool  # for the reported score

    def gain(self, before: float, after: float) -> float:
        """By how much a score has improved; negative when it has become worse."""
        return after - before if self.greater_is_better else before - after

    def linear(self, gains: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return gains whose mean changes as the score does: for RMSE its linear approximation (the delta method)."""
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
    """Return gains whose mean is R² (averaged over outputs) and whose spread is that of R² to first order.

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
# Probabilities of a rare class may be good although the most probable class is always the other one.
BRIER = Metric("Brier score", _squared_probability, _loss, False)
_OF_CLASSIFIERS = ("accuracy", "log_loss")


def add_even_tree(predicted: np.ndarray, n_trees: np.ndarray) -> np.ndarray:
    """Return class shares of a forest with one more tree, which gives all classes the same share.

    Few trees often leave a class at 0, whose log loss hides all others. `n_trees` predicted each row.
    """
    n_trees = n_trees[:, None]
    return (predicted * n_trees + 1 / predicted.shape[1]) / (n_trees + 1)


def beats_baseline(
    y: np.ndarray, predicted: np.ndarray, baseline: np.ndarray, classes: Any, weights: np.ndarray | None = None
) -> tuple[bool, str]:
    """Return whether predictions are clearly better than those of a baseline, and the scores of both in a phrase.

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
    """The requested metric; for None `default` for a regressor and log loss for a classifier. Others are refused."""
    if metric is None:
        return METRICS["log_loss" if is_classifier(model) else default]
    fitting = [name for name in METRICS if (name in _OF_CLASSIFIERS) == is_classifier(model)]
    if metric not in fitting:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(fitting)} for a {type(model).__name__}.")
    return METRICS[metric]
