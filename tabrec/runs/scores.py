"""Scores of a model on its training, out-of-bag and validation rows, beside a baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score, root_mean_squared_error


def score_run(
    estimator: Any, X_train: pd.DataFrame, y_train: np.ndarray, X_valid: pd.DataFrame, y_valid: np.ndarray
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Scores by set of rows and metric, and the predictions of the validation rows."""
    if hasattr(estimator, "classes_"):
        classes, dummy, method, oob = estimator.classes_, DummyClassifier(), "predict_proba", "oob_decision_function_"
    else:
        classes, dummy, method, oob = None, DummyRegressor(), "predict", "oob_prediction_"
    predict = getattr(estimator, method)
    found = {"train": (y_train, predict(X_train))}
    if hasattr(estimator, oob):
        found["oob"] = (y_train, getattr(estimator, oob))
    found["validation"] = (y_valid, predict(X_valid))
    found["baseline"] = (y_valid, getattr(dummy.fit(X_train, y_train), method)(X_valid))
    predicted = found["validation"][1]
    if classes is None:
        return {name: _regression_scores(*pair) for name, pair in found.items()}, predicted
    return {name: _class_scores(*pair, classes) for name, pair in found.items()}, classes[predicted.argmax(axis=1)]


def _regression_scores(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    seen = ~np.isnan(predicted)  # rows that every tree trained on have no out-of-bag prediction
    y, predicted = y[seen], predicted[seen]
    r2 = r2_score(y, predicted) if len(y) > 1 else np.nan
    return {"rmse": float(root_mean_squared_error(y, predicted)), "r2": float(r2)}


def _class_scores(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Accuracy, log loss and AUC (one class against the rest, averaged).

    Rows of classes that were not in training count as wrong for the accuracy; the other two leave them out.
    """
    seen = ~np.isnan(probabilities[:, 0])
    y, probabilities = y[seen], probabilities[seen]
    scores = {"accuracy": float(accuracy_score(y, classes[probabilities.argmax(axis=1)]))}
    known = np.isin(y, classes)
    codes = np.searchsorted(classes, y[known])
    scores["log_loss"] = float(log_loss(codes, probabilities[known], labels=np.arange(len(classes))))
    present = [k for k in range(len(classes)) if 0 < (codes == k).sum() < len(codes)]
    if len(classes) == 2:
        present = present[-1:]
    areas = [roc_auc_score(codes == k, probabilities[known][:, k]) for k in present]
    return scores | ({"auc": float(np.mean(areas))} if areas else {})
