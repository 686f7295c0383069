"""`RawFrameMixin`: lets estimators take raw frames, which they encode by their own preprocessor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import LineageMixin, Origins, input_names, trace_columns
from tabrec.preprocess.tabular_preprocessor import TabularPreprocessor
from tabrec.preprocess.warm_start import (
    check_parameters_kept,
    describe_parameters,
    select_kept_columns,
    warn_of_new_labels,
)
from tabrec.tables.chunks import TakesChunksMixin
from tabrec.tables.columns import are_codes, is_table, read_frame
from tabrec.tables.output import pandas_output
from tabrec.tables.rows import canonical_order, take_rows
from tabrec.tables.target import check_target
from tabrec.tables.weights import Weighting

# For the type checker: a class with this mixin is also an estimator.
_Estimator: Any = BaseEstimator if TYPE_CHECKING else object


class RawFrameMixin(TakesChunksMixin, LineageMixin, _Estimator):
    """Encode raw frames by a preprocessor that is fitted with the estimator.

    `fit` of the estimator calls `_check_fit_target` and `_fit_encoding`, which sets `preprocessor_` and
    `encoded_names_`; its predicting methods call `encode`. The estimator has the parameters `preprocessor` and
    `categorical_features`.
    """

    _purpose = "forest"  # or "net"; see TabularPreprocessor
    # Parameters that a fit which continues an earlier one cannot change.
    _kept_names: tuple[str, ...] = ("preprocessor", "categorical_features")
    preprocessor_: Any
    _fitted_before: Any = None  # the preprocessor passed to `fit_encoded`, while it runs
    _kept_parameters: dict[str, str]  # the values of `_KEPT` in the first fit, as text

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def encode(self, X: Any) -> pd.DataFrame:
        """Encode X as the model sees it.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            A raw table, or one that is already encoded.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, len(encoded_names_))
        """
        if self._fitted_before is not None:
            return X  # rows that `fit` holds out of those that are encoded
        check_is_fitted(self)
        return self._preprocess("transform", X)

    def encode_to_arrays(self, X: Any) -> dict[str, Any]:
        """Encode X without making a frame, which takes most of the time for one row.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            A raw table, or one that is already encoded.

        Returns
        -------
        dict of str to array
            The columns of `encode(X)` by name. They may share memory with X and must not be modified.
        """
        if isinstance(self.preprocessor_, FrameTransformer):
            return self.preprocessor_.transform_to_arrays(X)
        return {str(name): column.array for name, column in self._preprocess("transform", X).items()}

    def origins(self) -> Origins:
        """Return the `Origin` of each encoded column by name, in the order of `encoded_names_`; see `trace_columns`."""
        check_is_fitted(self)
        preprocessed = trace_columns(self.preprocessor_, input_names(self))
        return {str(name): preprocessed.get(str(name)) for name in self.encoded_names_}

    def fit_encoded(self, encoded: pd.DataFrame, y: np.ndarray, preprocessor: Any) -> Self:
        """Fit to rows encoded by a preprocessor that was fitted to these and other rows.

        Parameters
        ----------
        encoded : pandas.DataFrame of shape (n_rows, n_encoded)
            What `preprocessor.transform` returns for the rows.
        y : ndarray of shape (n_rows,)
            Their target.
        preprocessor : transformer
            The fitted preprocessor, as `make_preprocessor` makes it.

        Returns
        -------
        self
        """
        self._fitted_before = preprocessor
        try:
            self.fit(encoded, y)
        finally:
            del self._fitted_before
        self.n_features_in_, self.feature_names_in_ = preprocessor.n_features_in_, preprocessor.feature_names_in_
        return self

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        """Check the target before any work."""
        y = check_target(y, n_rows, type(self).__name__, numeric=not is_classifier(self))
        if is_classifier(self):
            check_classification_targets(y)
        return y

    def _fit_encoding(
        self, X: Any, frame: pd.DataFrame, y: np.ndarray, weighting: Weighting, *, is_warm: bool = False
    ) -> tuple[Any, np.ndarray]:
        """Fit the preprocessor to the given rows of X, whose `read_frame` is `frame`; a row of weight k occurs k times.

        With `is_warm`, the preprocessor of the earlier fit is kept. `y` holds the targets of the given rows.

        Returns the encoded rows, and an order of them that does not depend on the order of X, so that the model does
        not either.
        """
        taken = take_rows(X, weighting.rows, frame)
        if is_warm:
            encoded = self._preprocess("transform", taken)
            warn_of_new_labels(self, taken, encoded)
            return encoded, canonical_order(encoded, y)
        self._kept_parameters = describe_parameters(self, self._kept_names)
        if self._fitted_before is None:
            self.preprocessor_ = self.make_preprocessor()
            encoded = self._preprocess("fit_transform", taken, y)
        else:
            self.preprocessor_, encoded = self._fitted_before, taken
        self._check_encoded(encoded)
        self.encoded_names_ = np.asarray(encoded.columns, dtype=object)
        return encoded, canonical_order(encoded, y)

    def _check_kept(self, X: Any) -> Any:
        """Check parameters and columns before an earlier fit is continued, and return X with the columns of that."""
        check_parameters_kept(self, getattr(self, "_kept_parameters", {}))  # absent from models of tabrec 0.1
        return select_kept_columns(self, X)

    def make_preprocessor(self) -> Any:
        """Return the preprocessor that `fit` uses, not yet fitted."""
        if self.preprocessor is None:
            return TabularPreprocessor(self._purpose, categorical_columns=self.categorical_features)
        if self.categorical_features is not None:
            raise ValueError(
                "categorical_features is for the built-in preprocessor; pass the columns to preprocessor= instead."
            )
        return clone(self.preprocessor)

    def _preprocess(self, method: str, *args: Any) -> Any:
        with pandas_output():
            encoded = getattr(self.preprocessor_, method)(*args)
        # The preprocessor returns a table of another library if its own set_output selects it.
        return read_frame(encoded) if is_table(encoded) else encoded

    def _check_encoded(self, encoded: Any) -> None:
        """Raise a TypeError for invalid output of the caller's preprocessor, such as codes that depend on the batch."""
        if not isinstance(encoded, pd.DataFrame):
            raise TypeError(
                f"preprocessor={self.preprocessor!r} must return tables, not {type(encoded).__name__}; "
                "call its set_output(transform='pandas')."
            )
        for name, dtype in encoded.dtypes.items():
            if not (are_codes(dtype) or (isinstance(dtype, np.dtype) and dtype.kind in "biuf")):
                raise TypeError(
                    f"preprocessor={self.preprocessor!r} returns column {name!r} of dtype {dtype}; "
                    "columns must be numbers, booleans, or categories 0..K, as Categorify returns."
                )
