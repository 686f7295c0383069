"""How well a model predicts, as one gain a row: what comparisons and their standard errors are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of the mean over rows.

    Attributes
    ----------
    name : str
        For tables and axes.
    gains : callable
        From (y, predicted, classes) to one number a row, the larger the better; `predicted` is what `predictor` of
        `_models` gives.
    score : callable
        From gains to the metric as it is reported.
    greater_is_better : bool
        Of the reported score.
    """

    name: str
    gains: Callable[[np.ndarray, np.ndarray, Any], np.ndarray]
    score: Callable[[np.ndarray], float]
    greater_is_better: bool


def _squared(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    return -np.square(_flat(y) - predicted).mean(axis=1)


def _absolute(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    return -np.abs(_flat(y) - predicted).mean(axis=1)


def _explained(y: np.ndarray, predicted: np.ndarray, classes: Any) -> np.ndarray:
    """Gains whose mean is R² (of several outputs: its mean), and whose spread is that of R² to first order.

    For that, each row says how far it alone moves the variance of the target, too.
    """
    y = _flat(y)
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


def _flat(y: np.ndarray) -> np.ndarray:
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
    """The metric asked for, or what suits the model: `default` for a regressor, accuracy for a classifier.

    Raises
    ------
    ValueError
        An unknown metric, or one that the model does not have.
    """
    if metric is None:
        return METRICS["accuracy" if is_classifier(model) else default]
    fitting = [name for name in METRICS if (name in _OF_CLASSIFIERS) == is_classifier(model)]
    if metric not in fitting:
        raise ValueError(f"metric={metric!r} must be one of {', '.join(fitting)} for a {type(model).__name__}.")
    return METRICS[metric]
