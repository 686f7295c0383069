"""What every transformer of frames shares: checks, learned names, tags."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.lineage import LineageMixin, Origins, input_names, values_of
from tabrec.tables.columns import Column, from_columns, read_frame, to_columns
from tabrec.tables.names import align_names, learn_names


class FrameTransformer(LineageMixin, TransformerMixin, BaseEstimator, ABC):
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

    def origins(self) -> Origins:
        """The raw column that each output column comes from, by name in the order of the output columns.

        Returns
        -------
        dict of str to Origin
            See `tabrec.preprocess.lineage.trace_columns`.
        """
        check_is_fitted(self)
        return values_of(self._kept_names()) | self._new_origins()

    def _kept_names(self) -> list[str]:
        """The input columns that are output columns too."""
        return input_names(self)

    def _new_origins(self) -> Origins:
        """The origins of output columns that are not the input columns themselves."""
        return {}

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
        return np.asarray(list(self.origins()), dtype=object)

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
