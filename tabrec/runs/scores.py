"""Scores of a model on its training, out-of-bag and validation rows, compared with a baseline."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score, root_mean_squared_error

from tabrec.runs.metrics import TaskMetric

_N_RESAMPLES = 100

Scores = dict[str, float]

# The names of metrics and of sets of rows as they are printed.
METRIC_NAMES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "log_loss": "log loss",
    "auc": "AUC",
    "rmse_cold": "RMSE, new",
    "recall": "recall@10",
    "ndcg": "NDCG@10",
}
ROW_NAMES = {
    "train": "training",
    "oob": "out-of-bag",
    "validation": "validation",
    "baseline": "baseline, validation",
    "folds": "folds, mean",
    "folds_error": "folds, standard error",
}


def metric_name(metric: str) -> str:
    """Return the name of a metric as it is printed."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def predict_numbers(estimator: Any, X: Any) -> np.ndarray:
    """Return the probabilities of a classifier, or the predictions of a regressor."""
    return estimator.predict_proba(X) if hasattr(estimator, "classes_") else estimator.predict(X)


def score_run(
    estimator: Any,
    X_train: pd.DataFrame,
    y_train: np.ndarray,
    y_valid: np.ndarray,
    predicted: np.ndarray,
    metric: TaskMetric,
) -> dict[str, Scores]:
    """Return the scores by set of rows and metric, given the result of `predict_numbers` for the validation rows."""
    classes = getattr(estimator, "classes_", None)
    is_classifier = classes is not None
    dummy: Any = DummyClassifier() if is_classifier else DummyRegressor()
    oob = "oob_decision_function_" if is_classifier else "oob_prediction_"
    found = {"train": (y_train, predict_numbers(estimator, X_train))}
    if hasattr(estimator, oob):
        found["oob"] = (y_train, getattr(estimator, oob))
    found["validation"] = (y_valid, predicted)
    found["baseline"] = (y_valid, predict_numbers(dummy.fit(X_train, y_train), np.zeros((len(y_valid), 1))))
    return {name: score(*pair, classes, metric) for name, pair in found.items()}


def score(y: np.ndarray, predicted: np.ndarray, classes: np.ndarray | None, metric: TaskMetric) -> Scores:
    """Return RMSE and R², or accuracy, log loss and AUC, and the metric; NaN where a score cannot be computed."""
    seen = ~np.isnan(predicted if classes is None else predicted[:, 0])  # NaN: not out of bag
    y, predicted = y[seen], predicted[seen]
    scores = _regression_scores(y, predicted) if classes is None else _class_scores(y, predicted, classes)
    if metric.is_common:
        return {**scores, metric.key: scores.get(metric.key, np.nan)}
    if classes is not None:
        y, predicted = _codes_of_known(y, predicted, classes)
    try:
        return {**scores, metric.key: metric.score(y, predicted)}
    except ValueError:  # a score may be undefined, such as AUC for one class
        return {**scores, metric.key: np.nan}


def standard_error(
    y: np.ndarray, predicted: np.ndarray, classes: np.ndarray | None, metric: TaskMetric, random_state: int
) -> float:
    """Estimate the standard error of the metric by bootstrapping rows."""
    rng = np.random.default_rng(random_state)
    drawn = (rng.integers(len(y), size=len(y)) for _ in range(_N_RESAMPLES))
    with warnings.catch_warnings(action="ignore"):  # scores may be undefined in samples of few rows
        values = np.array([score(y[rows], predicted[rows], classes, metric)[metric.key] for rows in drawn])
    values = values[~np.isnan(values)]
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def _regression_scores(y: np.ndarray, predicted: np.ndarray) -> Scores:
    r2 = r2_score(y, predicted) if len(y) > 1 else np.nan
    return {"rmse": float(root_mean_squared_error(y, predicted)), "r2": float(r2)}


def _class_scores(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> Scores:
    """Return the accuracy, log loss and AUC (one class against the rest, averaged).

    Rows of classes that were not in training count as wrong for the accuracy, and are left out of the other two.
    """
    scores = {"accuracy": float(accuracy_score(y, classes[probabilities.argmax(axis=1)]))}
    codes, probabilities = _codes_of_known(y, probabilities, classes)
    if not len(codes):
        return scores
    scores["log_loss"] = float(log_loss(codes, probabilities, labels=np.arange(len(classes))))
    present = [k for k in range(len(classes)) if 0 < (codes == k).sum() < len(codes)]
    if len(classes) == 2:
        present = present[-1:]
    areas = [roc_auc_score(codes == k, probabilities[:, k]) for k in present]
    return scores | ({"auc": float(np.mean(areas))} if areas else {})


def _codes_of_known(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the codes and probabilities of the rows whose class was in training."""
    known = np.isin(y, classes)
    return np.searchsorted(classes, y[known]), probabilities[known]
