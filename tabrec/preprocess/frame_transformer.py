"""`FrameTransformer`: checks, learned names and tags that all transformers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.lineage import LineageMixin, Origins, input_names, values_of
from tabrec.preprocess.warm_start import check_parameters_kept, describe_parameters, select_kept_columns
from tabrec.tables.chunks import TakesChunksMixin
from tabrec.tables.columns import Column, as_frame, from_columns, is_table, read_frame, to_columns
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.names import align_names, check_named, learn_names
from tabrec.tables.output import as_output

# Larger tables take seconds to transform, so their progress is shown.
_MANY_VALUES = 5_000_000


class FrameTransformer(TakesChunksMixin, LineageMixin, TransformerMixin, BaseEstimator, ABC):
    """Base class of transformers that take any table and return a new pandas frame.

    A subclass implements `_fit_columns(columns, reset)`, which learns from a dict of `Column` by name, and
    `_transform_columns(columns)`, which returns the arrays of the output frame by name and must not modify its input.
    """

    # Parameters that list columns have no constraint, because the errors of check_named are clearer.
    _parameter_constraints: ClassVar[dict[str, list]] = {}

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
            A pandas, polars or arrow table, an array, or chunks (`tabrec.scale`). It is not modified.
        y : None
            Ignored; present for API consistency.

        Returns
        -------
        self
        """
        self._learn(X)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from one more chunk of a table that need not fit into memory.

        The first chunk determines the columns and their kinds. Fits to successive chunks give the same as one fit to
        all rows, unless Notes say otherwise.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            The next rows of the table.
        y : None
            Ignored; present for API consistency.

        Returns
        -------
        self
        """
        self._learn(X, reset=not hasattr(self, "n_features_in_"))
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Transform the columns of X, matched by name to those of fit.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            The columns seen in fit, in any order; other columns are ignored.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns_out)
            A new frame, with the index of X if X has one.
        """
        frame, columns = self._read(X)
        return as_output(self, self._to_frame(columns, frame.index))

    def transform_to_arrays(self, X: Any) -> dict[str, Any]:
        """Transform the columns of X without making a frame of them, which takes most of the time for one row.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            The columns seen in fit, in any order; other columns are ignored.

        Returns
        -------
        dict of str to array
            The output columns by name. They may share memory with X and must not be modified.
        """
        return self._transform_columns(self._read(X)[1])

    def fit_transform(self, X: Any, y: Any = None) -> pd.DataFrame:
        """Fit to X, then transform it; the same as `fit` followed by `transform`, but X is read once.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            A pandas, polars or arrow table, or an array. It is not modified.
        y : None
            Ignored; present for API consistency.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns_out)
            A new frame, with the index of X if X has one.
        """
        frame, columns = self._learn(X)
        return as_output(self, self._to_frame(columns, frame.index))

    def origins(self) -> Origins:
        """Return the `Origin` of each output column by name, in the order of the output; see `trace_columns`."""
        check_is_fitted(self)
        return values_of(self._kept_names()) | self._new_origins()

    def _kept_names(self) -> list[str]:
        """Return the input columns that are output columns too."""
        return input_names(self)

    def _new_origins(self) -> Origins:
        """Return the origins of output columns that are not the input columns themselves."""
        return {}

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Get the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : sequence of str, default=None
            Names of the columns of fit; they are only checked.

        Returns
        -------
        ndarray of str of shape (n_columns_out,)
        """
        check_is_fitted(self)
        if input_features is not None:
            self._check_input_features(list(input_features))
        return np.asarray(list(self.origins()), dtype=object)

    def _read(self, X: Any) -> tuple[pd.DataFrame, dict[str, Column]]:
        check_is_fitted(self)
        frame = align_names(self, X, read_frame(X), self._unused())
        return frame, to_columns(frame)

    def _to_frame(self, columns: dict[str, Column], index: pd.Index) -> pd.DataFrame:
        # Columns that pass through are copied, so that writing into the output does not change the caller's table.
        passed = {id(column.raw) for column in columns.values()}
        arrays = {n: a.copy() if id(a) in passed else a for n, a in self._transform_columns(columns).items()}
        if not hasattr(self, "feature_names_in_"):
            # For an array, scikit-learn returns an array, which a boolean column would turn into one of objects.
            arrays = {n: a.astype(np.float32) if a.dtype == bool else a for n, a in arrays.items()}
        return from_columns(arrays, index)

    @restores_on_failure
    def _learn(self, X: Any, reset: bool = True) -> tuple[pd.DataFrame, dict[str, Column]]:
        self._validate_params()
        if reset:
            self._kept_parameters = describe_parameters(self, self.get_params(deep=False))
            frame = read_frame(X)
            learn_names(self, X, frame)
            columns = to_columns(frame)
        else:
            check_parameters_kept(self, getattr(self, "_kept_parameters", {}))  # absent from transformers of tabrec 0.1
            frame, columns = self._read(select_kept_columns(self, X))
        self._fit_columns(columns, reset)
        return frame, columns

    def _fit_to_columns(self, columns: dict[str, Column], reset: bool = True) -> Self:
        """Fit as a step of another transformer, which has read the columns."""
        self.n_features_in_ = len(columns)
        self.feature_names_in_ = np.asarray(list(columns), dtype=object)
        self._fit_columns(columns, reset)
        return self

    def _apply(self, columns: dict[str, Column]) -> dict[str, Column]:
        """Transform as a step of another transformer; columns that pass through stay the same objects."""
        arrays = self._transform_columns(columns)
        return {
            name: columns[name] if name in columns and columns[name].raw is array else Column(name, array)
            for name, array in arrays.items()
        }

    def _unused(self) -> list[str]:
        """Return columns of fit that `transform` does not need."""
        return []

    def _check_input_features(self, names: list) -> None:
        if hasattr(self, "feature_names_in_") and names != list(self.feature_names_in_):
            raise ValueError("input_features is not equal to feature_names_in_")
        if len(names) != self.n_features_in_:
            raise ValueError(f"input_features should have length equal to number of features ({self.n_features_in_})")

    @abstractmethod
    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        """Learn from the columns; continue the earlier fit if `reset` is False.

        Values of attributes are replaced, never modified, so that a failure leaves them as they were.
        """

    @abstractmethod
    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        """Return the arrays of the output frame by name."""


class InvertibleTransformer(FrameTransformer):
    """Base class of transformers that have an inverse transformation.

    A subclass also implements `_restore_columns(columns)`, which returns the arrays of the restored frame by name, and
    `_restored_from()`, the output columns that it needs.
    """

    def inverse_transform(self, X: Any) -> pd.DataFrame:
        """Turn the output of `transform` back into columns as those of fit; see the Notes of the class.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns_out)
            A table with the output columns, or an array in the order of `get_feature_names_out`.

        Returns
        -------
        pandas.DataFrame
            The restored columns, and the other columns of X as they are.
        """
        check_is_fitted(self)
        frame = as_frame(X)
        names = self.get_feature_names_out()
        if not is_table(X) and frame.shape[1] == len(names):
            frame.columns = names
        check_named(type(self).__name__, self._restored_from(), frame.columns)
        columns = to_columns(frame)
        passed = {id(column.raw) for column in columns.values()}
        restored = self._restore_columns(columns)
        return from_columns({n: a.copy() if id(a) in passed else a for n, a in restored.items()}, frame.index)

    def _restore(self, columns: dict[str, Column]) -> dict[str, Column]:
        """Restore as a step of another transformer."""
        return {name: Column(name, array) for name, array in self._restore_columns(columns).items()}

    @abstractmethod
    def _restored_from(self) -> Iterable[str]:
        """Return the output columns that `inverse_transform` needs."""

    @abstractmethod
    def _restore_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        """Return the arrays of the restored frame by name."""


def verbose_if_large(columns: Mapping[str, Column]) -> Any:
    """Return the value of `verbose` with which only large tables show the progress of their transformation."""
    return "auto" if sum(len(column.raw) for column in columns.values()) > _MANY_VALUES else False
