"""Predictions of rows by models that have not seen them: out of bag where a forest has left rows out, or by folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from tabrec.interpret._models import is_forest, predictor, read_training, read_trees, split_pipeline
from tabrec.interpret._out_of_bag_rows import out_of_bag
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.rows import rows_of
from tabrec.tables.target import check_target

_N_FOLDS = 5


@dataclass(frozen=True)
class LeftOut:
    """Predictions of rows by models that have not seen them.

    Attributes
    ----------
    predicted : ndarray of shape (n_rows, n_outputs); of a classifier (n_rows, n_classes)
    seen : ndarray of bool, of shape (n_rows,)
        Which rows have one.
    classes : ndarray or None
    """

    predicted: np.ndarray
    seen: np.ndarray
    classes: Any


def draws_rows(model: Any) -> bool:
    """Whether a model is a forest each of whose trees leaves out rows."""
    return is_forest(model) and getattr(split_pipeline(model)[1], "bootstrap", False)


def read_target(model: Any, y: Any, n_rows: int, function: str) -> np.ndarray:
    """The target as the metrics take it; a ValueError for several outputs of classes."""
    target = check_target(y, n_rows, function, numeric=not is_classifier(model))
    if target.ndim == 2 and target.shape[1] == 1:
        target = target.ravel()
    if is_classifier(model) and target.ndim == 2:
        raise ValueError(
            f"{function} is for one target of classes, but y has {target.shape[1]}: fit one model for each."
        )
    return target


def left_out_by_trees(model: Any, X: Any, y: Any, function: str) -> LeftOut:
    """Out-of-bag predictions of the training rows of a forest, in the order of the table."""
    trees = read_trees(model, function)
    training = read_training(trees, X, y, function)
    found = out_of_bag(trees, training)
    predicted = np.zeros((training.rows.max() + 1, found.prediction.shape[1]))
    count = np.zeros(len(predicted))
    predicted[training.rows], count[training.rows] = found.prediction, found.count
    return LeftOut(predicted, count > 0, trees.classes)


def left_out_by_folds(make: Callable[[], Any], X: Any, y: np.ndarray, cv: Any, seed: int) -> LeftOut:
    """Predictions of each row by a model fitted on the folds without it.

    Parameters
    ----------
    make : callable
        Gives unfitted models.
    X : table or array-like
    y : ndarray
    cv : None, int or splitter
        Folds; an integer and None (5) shuffle rows, of classifiers within classes.
    seed : int
    """
    frame = read_frame(X)
    classes = np.unique(y) if is_classifier(make()) else None
    predicted: Any = None
    seen = np.zeros(len(frame), dtype=bool)
    for train, test in _splitter(cv, y, classes, seed).split(frame, y):
        model = make().fit(rows_of(X, train), y[train])
        values = predictor(model)(rows_of(X, test))
        if predicted is None:
            predicted = np.zeros((len(frame), values.shape[1] if classes is None else len(classes)))
        columns = slice(None) if classes is None else np.searchsorted(classes, model.classes_)
        predicted[test[:, None], np.arange(predicted.shape[1])[columns]] = values
        seen[test] = True
    return LeftOut(predicted, seen, classes)


def without(X: Any, columns: list[str]) -> Any:
    """A table or an array without the given columns."""
    frame = read_frame(X)
    kept = [position for position, name in enumerate(frame.columns) if name not in columns]
    return frame.iloc[:, kept] if is_table(X) else np.asarray(X)[:, kept]


def like(X: Any, other: Any) -> Any:
    """A table with the columns of another, in their order; a ValueError where one is missing. Arrays are left alone."""
    if not (is_table(X) and is_table(other)):
        return X
    frame, columns = read_frame(X), read_frame(other).columns.tolist()
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ValueError(f"X_valid lacks column(s) {absent} of X; it has {frame.columns.tolist()[:20]}.")
    return frame[columns]


def _splitter(cv: Any, y: np.ndarray, classes: Any, seed: int) -> Any:
    if cv is not None and not isinstance(cv, (int, np.integer)):
        return check_cv(cv, y, classifier=classes is not None)
    n_folds = _N_FOLDS if cv is None else int(cv)
    if not 2 <= n_folds <= len(y):
        raise ValueError(f"cv={cv!r}: {n_folds} folds need from 2 to as many as there are rows, {len(y)}.")
    fills_folds = classes is not None and np.unique(y, return_counts=True)[1].min() >= n_folds
    return (StratifiedKFold if fills_folds else KFold)(n_folds, shuffle=True, random_state=seed)
