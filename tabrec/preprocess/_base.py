"""What every transformer of frames shares: checks, learned names, tags."""

from __future__ import annotations

import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess._frames import Column, from_columns, is_table, read_frame, to_columns


def learn_names(estimator: Any, X: Any, frame: pd.DataFrame) -> None:
    """Set `n_features_in_` and, where X names its columns, `feature_names_in_`."""
    estimator.n_features_in_ = frame.shape[1]
    if is_table(X):
        estimator.feature_names_in_ = np.asarray(frame.columns, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def align_names(estimator: Any, X: Any, frame: pd.DataFrame, unused: Iterable[str] = ()) -> pd.DataFrame:
    """The columns known from fit, in the order of fit.

    A frame's columns are matched by name (reordered, extra ones ignored, `unused` ones not missed); an array's by
    position.

    Raises
    ------
    ValueError
        A column known from fit is missing, or an array has another number of columns.
    """
    owner = type(estimator).__name__
    named = hasattr(estimator, "feature_names_in_")
    if named and is_table(X):
        known = estimator.feature_names_in_
        if len(known) == frame.shape[1] and (frame.columns.to_numpy() == known).all():
            return frame
        spared = set(frame.columns) | set(unused)
        absent = [name for name in known if name not in spared]
        if absent:
            raise ValueError(
                f"Column(s) {absent} seen in fit are missing; the table has {frame.columns.tolist()[:20]}. "
                f"{owner} needs every column it learned from."
            )
        return frame[[name for name in known if name in frame.columns]]
    if frame.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {frame.shape[1]} features, but {owner} is expecting {estimator.n_features_in_} features as input."
        )
    if named:
        warn_caller(f"X does not have valid feature names, but {owner} was fitted with feature names")
        return frame.set_axis(list(estimator.feature_names_in_), axis=1)
    if is_table(X):
        warn_caller(f"X has feature names, but {owner} was fitted without feature names")
        return frame.set_axis([f"x{i}" for i in range(frame.shape[1])], axis=1)
    return frame


class FrameTransformer(TransformerMixin, BaseEstimator, ABC):
    """Base of the transformers: any table in, a new pandas frame out.

    A subclass implements `_fit_columns(columns, reset)`, which learns from a dict of `Column` by name (adding to what
    it knows where `reset` is False), and `_transform_columns(columns)`, which returns the dict of arrays that make up
    the output frame; it must not write into what it is given.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the columns of X.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            A pandas, polars or arrow table, or an array. It is never changed.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._learn(X)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Transform the columns of X, matched by name to those of fit.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns_out)
            A new frame with the index of X, if X has one.
        """
        check_is_fitted(self)
        frame = self._check_transform(X)
        return self._to_frame(to_columns(frame), frame.index)

    def fit_transform(self, X: Any, y: Any = None) -> pd.DataFrame:
        """Fit to X, then transform it: the same as one after the other, with the columns read once.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : object, default=None
            Passed over.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns_out)
        """
        frame, columns = self._learn(X)
        return self._to_frame(columns, frame.index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns that transform returns.

        Parameters
        ----------
        input_features : sequence of str, default=None
            The columns of fit, or None.

        Returns
        -------
        ndarray of str of shape (n_columns_out,)
        """
        check_is_fitted(self)
        if input_features is not None:
            self._check_input_features(list(input_features))
        return np.asarray(self._names_out(), dtype=object)

    def _to_frame(self, columns: dict[str, Column], index: pd.Index) -> pd.DataFrame:
        # What passes through is copied: who writes into the output must not write into the caller's table.
        passed = {id(column.raw) for column in columns.values()}
        arrays = {n: a.copy() if id(a) in passed else a for n, a in self._transform_columns(columns).items()}
        if not hasattr(self, "feature_names_in_"):
            # Fitted on an array, which has no kinds: nor has the result, or it would turn into objects as an array.
            arrays = {n: a.astype(np.float32) if a.dtype == bool else a for n, a in arrays.items()}
        return from_columns(arrays, index)

    def _learn(self, X: Any, reset: bool = True) -> tuple[pd.DataFrame, dict[str, Column]]:
        frame = self._check_fit(X) if reset else self._check_transform(X)
        columns = to_columns(frame)
        self._fit_columns(columns, reset)
        return frame, columns

    def _learn_more(self, X: Any) -> Self:
        """What `partial_fit` of a subclass does: the first chunk fits, later ones add to it."""
        self._learn(X, reset=not hasattr(self, "n_features_in_"))
        return self

    def _fit_to_columns(self, columns: dict[str, Column], reset: bool = True) -> Self:
        """Fit as a step of a composition, which has checked the columns."""
        self.n_features_in_ = len(columns)
        self.feature_names_in_ = np.asarray(list(columns), dtype=object)
        self._fit_columns(columns, reset)
        return self

    def _apply(self, columns: dict[str, Column]) -> dict[str, Column]:
        """Transform as a step of a composition: columns that pass through stay the same objects."""
        arrays = self._transform_columns(columns)
        return {
            name: columns[name] if name in columns and columns[name].raw is array else Column(name, array)
            for name, array in arrays.items()
        }

    def _check_fit(self, X: Any) -> pd.DataFrame:
        frame = read_frame(X)
        learn_names(self, X, frame)
        return frame

    def _check_transform(self, X: Any) -> pd.DataFrame:
        return align_names(self, X, read_frame(X), self._unused())

    def _unused(self) -> list[str]:
        """Columns of fit that transform can do without."""
        return []

    def _names_in(self) -> list[str]:
        if hasattr(self, "feature_names_in_"):
            return list(self.feature_names_in_)
        return [f"x{i}" for i in range(self.n_features_in_)]

    def _names_out(self) -> list[str]:
        return self._names_in()

    def _check_input_features(self, names: list) -> None:
        if hasattr(self, "feature_names_in_") and names != list(self.feature_names_in_):
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(names) != self.n_features_in_:
            raise ValueError(f"input_features should have length equal to number of features ({self.n_features_in_})")

    @abstractmethod
    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        """Learn from the columns; add to what is known where `reset` is False."""

    @abstractmethod
    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        """The arrays of the output frame by name."""


def warn_caller(message: str) -> None:
    """Warn, pointing at the line outside this package and scikit-learn that led here."""
    frame, depth = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(("tabrec.", "sklearn.")):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, stacklevel=depth)


def check_named(parameter: str, names: Iterable, columns: Iterable[str]) -> list[str]:
    """The columns given in a parameter, by name or (an integer) by position."""
    if isinstance(names, str):
        raise TypeError(f"{parameter}={names!r} must be a list of column names, such as [{names!r}].")
    known = list(columns)
    found = [known[name] if _is_position(name, known) else str(name) for name in names]
    absent = [name for name in found if name not in known]
    if absent:
        raise ValueError(f"{parameter} names {absent}, but the table has no such column; it has {known[:20]}.")
    return found


def _is_position(name: Any, known: list[str]) -> bool:
    return isinstance(name, (int, np.integer)) and str(name) not in known and 0 <= int(name) < len(known)
