"""How estimators over trees take raw frames: encode them, and encode high-cardinality columns by the target, out of fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone, is_regressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess import TabularPreprocessor
from tabrec.preprocess._base import learn_names
from tabrec.preprocess._frames import is_table, read_frame


class RawFrameMixin:
    """Gives an estimator over trees a preprocessor of its own.

    Expects the parameters `preprocessor`, `categorical_features`, `high_cardinality` and `random_state`; sets `preprocessor_`,
    `target_encoder_`, `target_encoded_` and `encoded_names_`.
    """

    # A subclass whose trees take only so many levels of a category sets this.
    _max_levels: int | None = None

    def encode(self, X: Any) -> pd.DataFrame:
        """The frame that the trees see: X encoded, high-cardinality columns replaced by their target encoding.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, len(encoded_names_))
        """
        check_is_fitted(self)
        encoded = self.preprocessor_.transform(X)
        if not self.target_encoded_:
            return encoded
        values = self.target_encoder_.transform(_codes(encoded, self.target_encoded_))
        return self._replace_by_target(encoded, values)

    def _fit_encoding(self, X: Any, y: np.ndarray, used: np.ndarray) -> pd.DataFrame:
        """Fit the preprocessor and the target encoder to the used rows; these encoded, by the target only out of fold."""
        frame = read_frame(X)
        self._raw_names = (X, frame.head(1))
        if len(used) < len(frame):
            X = frame.iloc[used] if is_table(X) else frame.to_numpy()[used]
        self.preprocessor_ = self._make_preprocessor()
        encoded = self.preprocessor_.fit_transform(X, y)
        if not isinstance(encoded, pd.DataFrame):
            raise TypeError(
                f"preprocessor={self.preprocessor!r} must return pandas frames, not {type(encoded).__name__}: "
                "call its set_output(transform='pandas')."
            )
        self.target_encoder_ = None
        self.target_encoded_ = self._high_cardinality_columns(encoded, y)
        if self.target_encoded_:
            self.target_encoder_ = _make_target_encoder(y, is_regressor(self), self.random_state)
            values = self.target_encoder_.fit_transform(_codes(encoded, self.target_encoded_), y.ravel())
            encoded = self._replace_by_target(encoded, values)
        self.encoded_names_ = np.asarray(encoded.columns, dtype=object)
        return encoded

    def _make_preprocessor(self) -> Any:
        if self.preprocessor is None:
            return TabularPreprocessor("forest", categorical_columns=self.categorical_features)
        if self.categorical_features is not None:
            raise ValueError(
                "categorical_features is for the built-in preprocessor: name the columns in preprocessor= instead."
            )
        return clone(self.preprocessor)

    def _learn_raw_names(self) -> None:
        """Names and number of the raw columns, which the parent class has overwritten by those of the encoded ones."""
        learn_names(self, *self._raw_names)
        del self._raw_names

    def _high_cardinality_columns(self, encoded: pd.DataFrame, y: np.ndarray) -> list[str]:
        most = self.high_cardinality
        if most is not None and not (isinstance(most, (int, np.integer)) and most >= 0):
            raise ValueError(f"high_cardinality={most!r} must be an integer of at least 0, or None.")
        if y.ndim == 2 and y.shape[1] > 1:
            most = None  # a target encoding is of one target
        if self._max_levels is not None:
            most = self._max_levels if most is None else min(most, self._max_levels)
        if most is None or len(encoded) < 2 * _N_FOLDS or len(np.unique(y)) < 2:
            return []
        levels = {name: len(encoded[name].cat.categories) - 1 for name in _categorical(encoded)}
        return [name for name, n_levels in levels.items() if n_levels > most]

    def _replace_by_target(self, encoded: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
        """Each target-encoded column as the mean target of its level; one column a class where there are more than two."""
        n_each = values.shape[1] // len(self.target_encoded_)
        arrays: dict[str, Any] = {
            name: encoded[name].array for name in encoded.columns if name not in self.target_encoded_
        }
        for position, name in enumerate(self.target_encoded_):
            for k in range(n_each):
                key = name if n_each == 1 else f"{name}_{self.target_encoder_.classes_[k]}"
                arrays[key] = values[:, position * n_each + k].astype(np.float32)
        return pd.DataFrame(arrays, index=encoded.index, copy=False)


_N_FOLDS = 5


def to_matrix(encoded: pd.DataFrame, rows: np.ndarray | None = None) -> np.ndarray:
    """An encoded frame (or the given rows of it) as float32 numbers, codes for categories, column by column in memory."""
    n_rows = len(encoded) if rows is None else len(rows)
    matrix = np.empty((n_rows, encoded.shape[1]), dtype=np.float32, order="F")
    for position, (_, column) in enumerate(encoded.items()):
        values = (column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column).to_numpy()
        matrix[:, position] = values if rows is None else values[rows]
    return matrix


def _categorical(encoded: pd.DataFrame) -> list[str]:
    return [name for name, dtype in encoded.dtypes.items() if isinstance(dtype, pd.CategoricalDtype)]


def _codes(encoded: pd.DataFrame, names: list[str]) -> np.ndarray:
    return np.column_stack([encoded[name].cat.codes for name in names])


def _make_target_encoder(y: np.ndarray, regression: bool, random_state: Any) -> TargetEncoder:
    """scikit-learn's encoder with shuffled folds, spelled as the installed release wants it."""
    seed = random_state if isinstance(random_state, (int, np.integer)) else 0
    target_type = "continuous" if regression else "binary" if len(np.unique(y)) <= 2 else "multiclass"
    if tuple(int(part) for part in sklearn.__version__.split(".")[:2]) < (1, 9):
        return TargetEncoder(target_type=target_type, cv=_N_FOLDS, shuffle=True, random_state=seed)
    folds = KFold if regression else StratifiedKFold
    return TargetEncoder(target_type=target_type, cv=folds(_N_FOLDS, shuffle=True, random_state=seed))
