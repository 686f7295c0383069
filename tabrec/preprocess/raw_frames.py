"""How every estimator takes raw frames: by a preprocessor of its own, on rows in an order of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import LineageMixin, Origins, input_names, trace_columns
from tabrec.preprocess.tabular_preprocessor import TabularPreprocessor
from tabrec.tables.columns import to_columns
from tabrec.tables.rows import canonical_order, take_rows
from tabrec.tables.target import check_target

# For the type checker: what a class with this mixin inherits beside it.
_Estimator: Any = BaseEstimator if TYPE_CHECKING else object


class RawFrameMixin(LineageMixin, _Estimator):
    """Gives an estimator a preprocessor of its own.

    Expects the parameters `preprocessor` and `categorical_features`; sets `preprocessor_` and `encoded_names_`.
    """

    _encoded_for = "forest"  # or "net": see TabularPreprocessor

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def encode(self, X: Any) -> pd.DataFrame:
        """The frame that the model sees: X encoded.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, len(encoded_names_))
        """
        check_is_fitted(self)
        return self.preprocessor_.transform(X)

    def origins(self) -> Origins:
        """The raw column that each encoded column comes from.

        Returns
        -------
        dict of str to (Origin or None)
            By name in the order of `encoded_names_`; see `tabrec.preprocess.lineage.trace_columns`.
        """
        check_is_fitted(self)
        preprocessed = trace_columns(self.preprocessor_, input_names(self))
        return {str(name): preprocessed.get(str(name)) for name in self.encoded_names_}

    def _encode_columns(self, X: Any) -> dict[str, Any]:
        """The columns of `encode(X)` by name, for reading only; for one row, making a frame of them takes longest."""
        if isinstance(self.preprocessor_, FrameTransformer):
            frame = self.preprocessor_._check_transform(X)
            return self.preprocessor_._transform_columns(to_columns(frame))
        return {str(name): column.array for name, column in self.preprocessor_.transform(X).items()}

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        """The target, checked before any work."""
        y = check_target(y, n_rows, type(self).__name__, numeric=not is_classifier(self))
        if is_classifier(self):
            check_classification_targets(y)
        return y

    def _fit_encoding(self, X: Any, frame: pd.DataFrame, y: np.ndarray, rows: np.ndarray) -> tuple[Any, np.ndarray]:
        """Fit the preprocessor to the given rows of X.

        Parameters
        ----------
        X : table or array-like
        frame : pandas.DataFrame
            X, as `read_frame` gives it.
        y : ndarray of shape (len(rows),) or (len(rows), n_outputs)
        rows : ndarray of int
            Positions in X, a row of weight k standing there k times.

        Returns
        -------
        encoded : pandas.DataFrame of len(rows) rows
        order : ndarray of shape (len(rows),)
            An order of the encoded rows that does not depend on that of X.
        """
        self.preprocessor_ = self._make_preprocessor()
        encoded = self.preprocessor_.fit_transform(take_rows(X, frame, rows), y)
        self._check_encoded(encoded)
        self.encoded_names_ = np.asarray(encoded.columns, dtype=object)
        return encoded, canonical_order(encoded, y)

    def _make_preprocessor(self) -> Any:
        if self.preprocessor is None:
            return TabularPreprocessor(self._encoded_for, categorical_columns=self.categorical_features)
        if self.categorical_features is not None:
            raise ValueError(
                "categorical_features is for the built-in preprocessor: name the columns in preprocessor= instead."
            )
        return clone(self.preprocessor)

    def _check_encoded(self, encoded: Any) -> None:
        """Of a preprocessor of the caller's: category codes that depend on the batch would be silently wrong."""
        if not isinstance(encoded, pd.DataFrame):
            raise TypeError(
                f"preprocessor={self.preprocessor!r} must return pandas frames, not {type(encoded).__name__}: "
                "call its set_output(transform='pandas')."
            )
        for name, dtype in encoded.dtypes.items():
            if isinstance(dtype, pd.CategoricalDtype):
                fits = np.array_equal(dtype.categories, np.arange(len(dtype.categories)))
            else:
                fits = isinstance(dtype, np.dtype) and dtype.kind in "biuf"
            if not fits:
                raise TypeError(
                    f"preprocessor={self.preprocessor!r} gives column {name!r} of dtype {dtype}: "
                    "it must give numbers, booleans, or categories 0..K, as Categorify does."
                )
