"""`TargetEncodingMixin`: tree estimators that encode columns of many levels by the mean target, out of fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.preprocessing import TargetEncoder
from sklearn.utils._param_validation import HasMethods, Interval

from tabrec.preprocess import TabularPreprocessor
from tabrec.preprocess.lineage import Origins, compose_origins, input_names, trace_columns
from tabrec.preprocess.raw_frames import RawFrameMixin
from tabrec.tables.columns import from_columns
from tabrec.tables.float32_maps import Float32Map
from tabrec.tables.numbers import needs_float64
from tabrec.tables.rows import hash_table
from tabrec.tables.verbosity import VERBOSE
from tabrec.tables.weights import Weighting

_N_FOLDS = 5

# Constraints of parameters that scikit-learn's tree estimators lack or restrict to other values.
CONSTRAINTS: dict = {
    "high_cardinality": [Interval(Integral, 0, None, closed="left"), None],
    "categorical_features": ["array-like", None],
    "preprocessor": [HasMethods(["fit", "transform"]), None],
    "verbose": VERBOSE,
}


class TargetEncodingMixin(RawFrameMixin):
    """Base of tree estimators with a preprocessor and a target encoder for columns of many levels."""

    _kept_names = (*RawFrameMixin._kept_names, "high_cardinality")
    _table_hash: str  # hash of the rows that all trees were grown on; empty if a warm start used other rows

    def encode(self, X: Any) -> pd.DataFrame:
        """Return the frame that the trees see: X encoded, with columns of many levels replaced by mean targets.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, len(encoded_names_))
        """
        encoded = super().encode(X)
        if not self.target_encoded_:
            return encoded
        return self._replace_in_frame(encoded, self._mean_targets(arrays_of(encoded)))

    def encode_to_arrays(self, X: Any) -> dict[str, Any]:
        """Return the columns of `encode(X)` by name, without making a frame of them.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Raw, or already encoded.

        Returns
        -------
        dict of str to array
            They may share memory with X and must not be modified.
        """
        arrays = super().encode_to_arrays(X)
        return self._replace_by_target(arrays, self._mean_targets(arrays)) if self.target_encoded_ else arrays

    def _mean_targets(self, arrays: Mapping[str, Any]) -> np.ndarray:
        with config_context(transform_output="default"):
            return self.target_encoder_.transform(_codes(arrays, self.target_encoded_))

    def origins(self) -> Origins:
        """Return where each encoded column comes from, by name; see `tabrec.preprocess.trace_columns`."""
        origins = super().origins()
        if not self.target_encoded_:
            return origins
        preprocessed = trace_columns(self.preprocessor_, input_names(self))
        means = trace_columns(self.target_encoder_, self.target_encoded_)
        composed = compose_origins(preprocessed, means)
        for name, origin in composed.items():
            mean = means[name]
            coded = None if mean is None else preprocessed[mean.column]
            if origin is not None and coded is not None:
                composed[name] = replace(origin, labels=coded.labels)
        return origins | composed

    def _fit_encoding(
        self, X: Any, frame: pd.DataFrame, y: np.ndarray, weighting: Weighting, *, is_warm: bool = False
    ) -> tuple[Any, np.ndarray]:
        """See `RawFrameMixin`; in training rows the target encoding is out of fold."""
        encoded, order = super()._fit_encoding(X, frame, y, weighting, is_warm=is_warm)
        table_hash = hash_table(encoded, y, weighting.weights, order)
        if is_warm:
            if table_hash != getattr(self, "_table_hash", ""):
                self._check_other_rows()
                table_hash = ""
        else:
            self.target_encoder_: Any = None
            self.target_encoded_ = self._high_cardinality_columns(encoded, y)
            if self.target_encoded_:
                codes = _codes(arrays_of(encoded), self.target_encoded_)
                self.target_encoder_ = TargetEncoder(target_type=self._target_type(y)).fit(codes, y.ravel())
        self._table_hash = table_hash
        if self.target_encoded_:
            codes = _codes(arrays_of(encoded), self.target_encoded_)
            values = _encode_out_of_fold(codes, self._target_columns(y.ravel()), self._folds(weighting.rows, order))
            if not is_warm:
                self._mean_dtype = "float64" if any(map(needs_float64, values.T)) else "float32"
            encoded = self._replace_in_frame(encoded, values)
        self.encoded_names_ = np.asarray(encoded.columns, dtype=object)
        return encoded, order

    def _check_other_rows(self) -> None:
        """Refuse to continue a fit on other rows where that would be wrong."""
        # The kept encoding holds the targets of the earlier rows, of which the new ones may hold some.
        if self.target_encoded_:
            raise ValueError(
                f"warm_start=True on other rows than those of the earlier fit (another X, y or sample_weight) cannot "
                f"keep the target encoding of {self.target_encoded_} out of fold; give the same rows, refit with "
                "warm_start=False, or encode these columns beforehand."
            )

    def _encode_training(self, X: Any, y: np.ndarray, order: np.ndarray) -> pd.DataFrame:
        """Return the frame that the trees were grown on, in the given order; copies of a row are adjacent."""
        encoded = RawFrameMixin.encode(self, X).iloc[order]
        if not self.target_encoded_:
            return encoded
        targets = self._target_columns(y[order].ravel())
        values = _encode_out_of_fold(
            _codes(arrays_of(encoded), self.target_encoded_), targets, self._folds(order, np.arange(len(order)))
        )
        return self._replace_in_frame(encoded, values)

    def _most_levels(self) -> Any:
        """Return the largest number of levels of a category that is not encoded by the target."""
        return self.high_cardinality

    def _high_cardinality_columns(self, encoded: pd.DataFrame, y: np.ndarray) -> list[str]:
        most = self._most_levels()
        one_target = y.ndim == 1 or y.shape[1] == 1  # a target encoding is of one target
        if most is None or not one_target or (is_classifier(self) and len(np.unique(y)) < 2):
            return []
        levels = {
            str(name): len(dtype.categories) - 1
            for name, dtype in encoded.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        return [name for name, n_levels in levels.items() if n_levels > max(most, 1)]

    def _target_type(self, y: np.ndarray) -> str:
        if not is_classifier(self):
            return "continuous"
        return "binary" if len(np.unique(y)) == 2 else "multiclass"

    def _target_columns(self, y: np.ndarray) -> np.ndarray:
        """Return the columns whose means encode levels: the target, or indicators of classes (of two, the second)."""
        if self._target_type(y) == "continuous":
            return y[:, None].astype(np.float64)
        classes = self.target_encoder_.classes_
        return (y[:, None] == (classes[1:] if len(classes) == 2 else classes)).astype(np.float64)

    def _folds(self, rows: np.ndarray, order: np.ndarray) -> np.ndarray:
        """Return a random fold for each row, stratified by target, as rows are ordered by target.

        Copies of a row share a fold, because its target would leak through them otherwise.
        """
        seed = self.random_state if isinstance(self.random_state, (int, np.integer)) else 0
        # Each block of rows adjacent in the order of the target is dealt to the folds in random order, which stratifies
        # them.
        is_new = np.diff(rows[order], prepend=-1) != 0
        blocks = np.tile(np.arange(_N_FOLDS), (len(rows) // _N_FOLDS + 1, 1))
        folds = np.random.default_rng(seed).permuted(blocks, axis=1).ravel()
        fold = np.empty(len(rows), dtype=np.int64)
        fold[order] = folds[np.cumsum(is_new) - 1]
        return fold

    def _replace_in_frame(self, encoded: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
        return from_columns(self._replace_by_target(arrays_of(encoded), values), encoded.index)

    def _replace_by_target(self, arrays: Mapping[str, Any], values: np.ndarray) -> dict[str, Any]:
        """Replace columns by the mean target of their level: one column, or one for each of three or more classes."""
        n_each = values.shape[1] // len(self.target_encoded_)
        replaced = {name: array for name, array in arrays.items() if name not in self.target_encoded_}
        for position, name in enumerate(self.target_encoded_):
            for k in range(n_each):
                key = name if n_each == 1 else f"{name}_{self.target_encoder_.classes_[k]}"
                if key in replaced:
                    raise ValueError(
                        f"Target encoding {name!r} needs the column name {key!r}, which is taken: rename it."
                    )
                replaced[key] = values[:, position * n_each + k].astype(self._mean_dtype)
        return replaced

    def _compute_partial_dependence_recursion(self, grid: Any, target_features: Any) -> np.ndarray:
        """Called by `sklearn.inspection` with raw columns; possible for those that the trees see unchanged."""
        names = [str(name) for name in getattr(self, "feature_names_in_", [])]
        names = names or [f"x{i}" for i in range(self.n_features_in_)]
        asked = [names[position] for position in target_features]
        plain = self._columns_seen_as_they_are()
        for name in asked:
            if name not in plain:
                raise ValueError(f"The trees do not see column {name!r} as it is: pass method='brute'.")
        positions = [self._matrix_columns().index(name) for name in asked]
        grid = self._to_tree_units(asked, grid)
        return super()._compute_partial_dependence_recursion(grid, np.asarray(positions, dtype=np.intp))

    def _to_tree_units(self, names: list[str], grid: np.ndarray) -> np.ndarray:
        """Return the values of encoded columns, side by side, as the trees see them."""
        return grid

    def _matrix_columns(self) -> list[str]:
        """Return the encoded columns in the order in which the trees number them."""
        return list(self.encoded_names_)

    def _columns_seen_as_they_are(self) -> list[str]:
        if not isinstance(self.preprocessor_, TabularPreprocessor) or self.preprocessor_.normalize_ is not None:
            return []
        fills = self.preprocessor_.fill_missing_
        return [name for name in fills.fill_values_ if name not in fills.indicators_]


def to_matrix(
    encoded: pd.DataFrame | Mapping[str, Any],
    rows: np.ndarray | None = None,
    maps: Mapping[str, Float32Map] | None = None,
) -> np.ndarray:
    """Return an encoded frame (or the given rows of it) as float32 numbers, codes for categories, column by column.

    `encoded` may also have the arrays of the frame by name. `maps` has the columns of which plain float32 would merge
    values.
    """
    arrays = arrays_of(encoded) if isinstance(encoded, pd.DataFrame) else encoded
    n_rows = len(next(iter(arrays.values()))) if rows is None else len(rows)
    matrix = np.empty((n_rows, len(arrays)), dtype=np.float32, order="F")
    for position, (name, array) in enumerate(arrays.items()):
        values = array.codes if isinstance(array, pd.Categorical) else np.asarray(array)
        values = values if rows is None else values[rows]
        matrix[:, position] = maps[name].apply(values) if maps and name in maps else values
    return matrix


def arrays_of(encoded: pd.DataFrame) -> dict[str, Any]:
    """Return the arrays of an encoded frame by name."""
    return {str(name): column.array for name, column in encoded.items()}


def _codes(arrays: Mapping[str, Any], names: list[str]) -> np.ndarray:
    return np.column_stack([arrays[name].codes for name in names])


def _encode_out_of_fold(codes: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return the mean target of each row's level over the rows of the other folds: (n_rows, n_columns * n_targets).

    A level that the other folds lack gets the mean of all rows; the mean of the other folds would reveal the fold, and
    with it a little of its targets. scikit-learn's `TargetEncoder` is not used because it assigns folds by position:
    the result would depend on the order of rows, and the target of a row would leak through its copies.
    """
    values = np.empty((len(codes), codes.shape[1], targets.shape[1]))
    for k in np.unique(fold):
        here = fold == k
        for j, target in enumerate(targets.T):
            encoder = TargetEncoder(target_type="continuous").fit(codes[~here], target[~here])
            encoder.target_mean_ = target.mean()
            with config_context(transform_output="default"):
                values[here, :, j] = encoder.transform(codes[here])
    return values.reshape(len(codes), -1)
