"""What a report is about: a model, the rows it learned from, the rows it is judged by."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor

from tabrec.interpret._models import Trees, has_target, is_forest, predictor, read_trees
from tabrec.interpret._out_of_bag_rows import check_fitted_rows
from tabrec.interpret.reliance.importance import feature_importance
from tabrec.tables.columns import read_frame
from tabrec.tables.target import check_target

# Rows that suffice for a picture or an average; what needs every row takes every row.
MANY_ROWS = 20_000
SOME_ROWS = 2_000

# What scikit-learn warns of when a model fitted to an array is given a frame of the same columns, as it is here.
FRAME_FOR_ARRAY = "X has feature names, but"


@dataclass(frozen=True)
class Subject:
    """A fitted model with its data; tables as `read_frame` gives them.

    Attributes
    ----------
    model : estimator
    X, y : pandas.DataFrame and ndarray
        The rows of fit.
    X_valid, y_valid : pandas.DataFrame and ndarray, or None
        Rows held out.
    X_new : pandas.DataFrame or None
        The newest rows, whose target need not be known.
    target : str
        What the target is called.
    random_state : int
    """

    model: Any
    X: pd.DataFrame
    y: np.ndarray
    X_valid: pd.DataFrame | None
    y_valid: np.ndarray | None
    X_new: pd.DataFrame | None
    target: str
    random_state: int

    @property
    def is_classifier(self) -> bool:
        return is_classifier(self.model)

    @cached_property
    def trees(self) -> Trees | None:
        """The model as trees, where it is a forest or a tree."""
        return read_trees(self.model, "report") if is_forest(self.model) else None

    @property
    def has_oob(self) -> bool:
        """Whether the model can judge its own rows by the trees that did not draw them."""
        return self.trees is not None and bool(getattr(self.trees.estimator, "bootstrap", False))

    @property
    def newest(self) -> pd.DataFrame | None:
        return self.X_valid if self.X_new is None else self.X_new

    @cached_property
    def judged(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Rows to show predictions of: those held out, or else those of fit."""
        return (self.X, self.y) if self.X_valid is None or self.y_valid is None else (self.X_valid, self.y_valid)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Predictions of the judged rows, as `predictor` gives them."""
        return predictor(self.model)(self.judged[0])

    @cached_property
    def importance(self) -> Any:
        """Out of bag where that can be, else by shuffling columns of the judged rows."""
        if self.has_oob:
            return feature_importance(
                self.model, self.X, self.y, groups="source", max_rows=MANY_ROWS, random_state=self.random_state
            )
        rows = self.sample(len(self.judged[0]), SOME_ROWS)
        X, y = self.judged
        return feature_importance(
            self.model, X.iloc[rows], y[rows], method="permutation", random_state=self.random_state
        )

    def top_columns(self, n: int) -> list[str]:
        """The columns that the model relies on most, as it sees them, those of no importance left out."""
        table = self.importance.table
        table = table[~table["is_group"] & (table["importance"] > 0)]
        return table["column"].head(n).tolist()

    def sample(self, n_rows: int, most: int) -> np.ndarray:
        """Positions of at most so many of n rows, in order."""
        if n_rows <= most:
            return np.arange(n_rows)
        return np.sort(np.random.default_rng(self.random_state).choice(n_rows, most, replace=False))

    def errors(self) -> np.ndarray:
        """How wrong each judged row is predicted: predicted less actual, or less than sure of the true class."""
        y = self.judged[1]
        if not self.is_classifier:
            return self.predicted[:, 0] - np.asarray(y, dtype=np.float64).reshape(len(y), -1)[:, 0]
        hit = np.asarray(self.model.classes_)[None, :] == np.asarray(y)[:, None]
        return np.where(hit, self.predicted, 0).sum(axis=1) - 1


def read_subject(
    model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any, X_new: Any, target: str | None, random_state: int
) -> Subject:
    """Check that model, tables and targets go together, before any work."""
    if not (is_classifier(model) or is_regressor(model)):
        raise TypeError(f"report explains what predicts numbers or classes, not {type(model).__name__}.")
    if X is None or y is None:
        raise ValueError(f"report needs the rows that the {type(model).__name__} was fitted on: give X and y.")
    if (X_valid is None) != (y_valid is None):
        raise ValueError("X_valid and y_valid belong together: give both or neither (X_new needs no target).")
    named = getattr(y, "name", None)
    frame = read_frame(X)
    valid = None if X_valid is None else read_frame(X_valid)
    subject = Subject(
        model,
        frame,
        _read_target("y", model, frame, y),
        valid,
        None if valid is None else _read_target("y_valid", model, valid, y_valid),
        None if X_new is None else read_frame(X_new),
        str(target if target is not None else named if named is not None else "target"),
        random_state,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", FRAME_FOR_ARRAY)
        for given in (subject.X, subject.X_valid, subject.X_new):
            if given is not None:
                predictor(model)(given.head(1))  # names the columns that are missing
    if subject.trees is not None and subject.has_oob:
        check_fitted_rows(subject.trees, subject.X, "report")
        if not has_target(subject.trees, subject.y):
            raise ValueError("y is not the target that the forest was fitted on: give X and y as given to fit.")
    return subject


def _read_target(name: str, model: Any, frame: pd.DataFrame, values: Any) -> np.ndarray:
    if len(values) != len(frame):
        raise ValueError(f"{name} has {len(values)} values, but its table has {len(frame)} rows.")
    target = check_target(values, len(frame), "report", numeric=not is_classifier(model))
    if target.ndim > 1 and target.shape[1] > 1:
        raise ValueError(f"{name} has {target.shape[1]} columns: a report is about one target.")
    return target.ravel()
