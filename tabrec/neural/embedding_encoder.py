"""`EmbeddingEncoder`: replaces category columns by the vectors that a net learns for their labels."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.linalg import orthogonal_procrustes
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import check_cv
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from tabrec.neural.tabular_classifier import TabularClassifier
from tabrec.neural.tabular_estimator import TabularEstimator
from tabrec.neural.tabular_regressor import TabularRegressor
from tabrec.preprocess.lineage import LineageMixin, Origin, Origins, compose_origins, values_of
from tabrec.tables.columns import read_frame
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.names import check_named, learn_names
from tabrec.tables.output import as_output
from tabrec.tables.progress import track
from tabrec.tables.rows import take_rows
from tabrec.tables.target import check_target, has_numbers_to_predict


class EmbeddingEncoder(LineageMixin, TransformerMixin, BaseEstimator):
    """Encode category columns by the embeddings of a net fitted to the target.

    Labels with a similar effect on the target get similar vectors, which helps models that cannot learn such
    embeddings themselves: trees, boosting, nearest neighbours. The other columns are returned as the net sees them:
    encoded, filled and normalised.

    Parameters
    ----------
    estimator : TabularRegressor or TabularClassifier, default=None
        The net, of which a clone is fitted; the vectors of several nets are side by side. None uses a single net: a
        `TabularRegressor` for a numeric target, and a `TabularClassifier` for text, booleans, categories or two
        distinct numbers.
    columns : list of str, default=None
        Encoded names of the category columns to replace; None replaces all with at least `min_levels` labels.
    min_levels : int, default=1
        With ``columns=None``, category columns with fewer labels are not replaced.
    cv : int, cross-validation splitter, "prefit" or None, default=5
        Folds of `fit_transform`. With None, each row gets its vectors from the net that was fitted to it. "prefit" uses
        `estimator` as it is; it must be fitted, for example to other rows.
    random_state : int, RandomState or None, default=None
        Seed of the default net; ignored if `estimator` is given.

    Attributes
    ----------
    estimator_ : TabularRegressor or TabularClassifier
        The net fitted to all rows.
    columns_ : list of str
        The replaced columns.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each column of X, and the column of X that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns of X in `fit`, and their names if X was a table.

    Raises
    ------
    ValueError
        If the net rejects the data, if `columns` names a column that is not a category column, or if the name of a
        new column is taken.

    See Also
    --------
    TabularRegressor : The net for numeric targets; its `embeddings_` are the vectors by label.
    TabularClassifier : The net for classes.
    Categorify : Encodes labels as integer codes, without a target.

    Notes
    -----
    ``fit_transform(X, y)`` is not ``fit(X, y).transform(X)``: it gives each row the vectors of a net that was fitted
    without that row, so that the next model does not overrate them. The vectors of a fold's net are rotated and scaled
    onto those of the net of all rows (orthogonal Procrustes, per column), because two nets seldom agree on axes. A
    label that a fold's net has not seen gets the vector of code 0. A `Pipeline` calls `fit_transform` in `fit` and
    `transform` in `predict`.

    With ``cv="prefit"``, rows that the net was fitted to get better vectors than new ones, so that the next model
    overrates them: fit it to other rows. A clone of the encoder, as in cross-validation, keeps a fitted net only inside
    a `sklearn.frozen.FrozenEstimator`.

    References
    ----------
    Guo & Berkhahn (2016), "Entity embeddings of categorical variables". Schönemann (1966), "A generalized solution of
    the orthogonal Procrustes problem".

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from tabrec import EmbeddingEncoder, ForestRegressor, TabularRegressor
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(300, random_state=0)[["state", "YearMade", "SalePrice"]]
    >>> price = auctions.pop("SalePrice")
    >>> net = TabularRegressor(epochs=2, embedding_sizes={"state": 3}, random_state=0)
    >>> EmbeddingEncoder(net, cv=3).fit_transform(auctions, price).columns.tolist()
    ['YearMade', 'state_0', 'state_1', 'state_2']
    >>> model = make_pipeline(EmbeddingEncoder(net, cv=3), ForestRegressor(n_estimators=10, random_state=0))
    >>> model.fit(auctions, price).predict(auctions.head(3)).shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "columns": ["array-like", None],
        "min_levels": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object", StrOptions({"prefit"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        columns: Sequence[str] | None = None,
        min_levels: int = 1,
        cv: Any = 5,
        random_state: Any = None,
    ):
        self.estimator = estimator
        self.columns = columns
        self.min_levels = min_levels
        self.cv = cv
        self.random_state = random_state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "columns_")

    @restores_on_failure
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the net to all rows, unless ``cv="prefit"``.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Target values; ignored with ``cv="prefit"``.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, as in the `fit` of the net.

        Returns
        -------
        self
        """
        self._validate_params()
        frame = read_frame(X)
        if _is_prefit(self.cv):
            self.estimator_ = self._fitted_net()
            self.estimator_.encode(X)  # raises a ValueError if columns are missing
        else:
            target = check_target(y, len(frame), type(self).__name__, numeric=False)
            self.estimator_ = self._make_net(target).fit(X, y, sample_weight)
        learn_names(self, X, frame)
        self.columns_ = self._choose_columns()
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Replace the category columns by the vectors of the net fitted to all rows.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Rows to encode.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns_out)
            float32 vectors ``<column>_0``, ``<column>_1``, … after the other encoded columns.
        """
        check_is_fitted(self)
        return as_output(self, self._transform(X))

    def _transform(self, X: Any) -> pd.DataFrame:
        encoded = self.estimator_.encode(X)
        vectors = {name: self._table(self.estimator_, name)[_codes(encoded, name)] for name in self.columns_}
        return self._assemble(encoded, vectors)

    @restores_on_failure
    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> pd.DataFrame:
        """Fit to all rows, and encode each row by a net that was fitted without it; see Notes.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,)
            Target values; ignored with ``cv="prefit"``.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, as in the `fit` of the net.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns_out)
            The columns of `transform`.
        """
        self.fit(X, y, sample_weight)
        if self.cv is None or _is_prefit(self.cv) or not self.columns_:
            return as_output(self, self._transform(X))
        encoded = self.estimator_.encode(X)
        target = check_target(y, len(encoded), type(self).__name__, numeric=False)
        weights = None if sample_weight is None else np.asarray(sample_weight)
        vectors = {
            name: np.empty((len(encoded), self._table(self.estimator_, name).shape[1]), dtype=np.float32)
            for name in self.columns_
        }
        frame = read_frame(X)
        folds = check_cv(self.cv, target, classifier=is_classifier(self.estimator_))
        is_number = isinstance(self.cv, (int, np.integer))
        shuffled = np.random.default_rng(0).permutation(len(encoded)) if is_number else None
        # A frozen preprocessor, so that all nets share the codes of the net fitted to all rows.
        preprocessor = make_pipeline(FrozenEstimator(self.estimator_.preprocessor_))
        pairs = list(folds.split(frame, target if shuffled is None else target[shuffled]))
        for train, test in track(pairs, "Fitting nets of folds", len(pairs), self.estimator_.verbose):
            if shuffled is not None:
                train, test = shuffled[train], shuffled[test]
            net = clone(self.estimator_).set_params(preprocessor=preprocessor, categorical_features=None)
            net.fit(take_rows(X, train, frame), target[train], None if weights is None else weights[train])
            for name in self.columns_:
                codes = _codes(encoded, name)
                table = self._aligned(net, name, codes[train])
                vectors[name][test] = table[codes[test]]
        return as_output(self, self._assemble(encoded, vectors))

    def origins(self) -> Origins:
        """Return the raw column that each output column comes from, by name in the order of the output columns."""
        check_is_fitted(self)
        encoded = self.estimator_.origins()
        kept = values_of(name for name in encoded if name not in self.columns_)
        vectors = {name: Origin(column, "embedding") for column in self.columns_ for name in self._names(column)}
        return compose_origins(encoded, kept | vectors)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Get the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored.

        Returns
        -------
        ndarray of str of shape (n_columns_out,)
        """
        check_is_fitted(self)
        return np.asarray(list(self.origins()), dtype=object)

    def _make_net(self, y: np.ndarray) -> TabularEstimator:
        if self.estimator is not None:
            return clone(_check_net(self.estimator))
        net = TabularRegressor if y.ndim == 2 or has_numbers_to_predict(y) else TabularClassifier
        return net(n_nets=1, random_state=self.random_state)

    def _fitted_net(self) -> TabularEstimator:
        if self.estimator is None:
            raise ValueError("cv='prefit' requires a fitted estimator.")
        frozen = isinstance(self.estimator, FrozenEstimator)
        net = _check_net(self.estimator.estimator if frozen else self.estimator)
        check_is_fitted(net)
        return net

    def _choose_columns(self) -> list[str]:
        sizes = self.estimator_._reader.category_sizes
        if self.columns is None:
            return [name for name, n_codes in sizes.items() if n_codes - 1 >= self.min_levels]
        return check_named("columns", self.columns, sizes)

    def _table(self, net: TabularEstimator, name: str) -> np.ndarray:
        return net._embedding_table(name).detach().numpy()

    def _aligned(self, net: TabularEstimator, name: str, codes: np.ndarray) -> np.ndarray:
        """Rotate and scale the vectors of a fold's net onto those of `estimator_`; unseen labels get code 0."""
        source, target = self._table(net, name).copy(), self._table(self.estimator_, name)
        counts = np.bincount(codes, minlength=len(source))
        source[counts == 0] = source[0]
        share = counts[:, None] / counts.sum()
        source_mean, target_mean = (source * share).sum(axis=0), (target * share).sum(axis=0)
        centred, onto = (source - source_mean) * np.sqrt(share), (target - target_mean) * np.sqrt(share)
        rotation, _ = orthogonal_procrustes(centred, onto)
        norm = np.linalg.norm(centred)
        scale = np.linalg.norm(onto) / norm if norm > 0 else 1.0
        return scale * (source - source_mean) @ rotation + target_mean

    def _names(self, column: str) -> list[str]:
        return [f"{column}_{position}" for position in range(self._table(self.estimator_, column).shape[1])]

    def _assemble(self, encoded: pd.DataFrame, vectors: dict[str, np.ndarray]) -> pd.DataFrame:
        arrays: dict[str, Any] = {
            str(name): encoded[name].array for name in encoded.columns if name not in self.columns_
        }
        for column, matrix in vectors.items():
            for name, values in zip(self._names(column), matrix.T, strict=True):
                if name in arrays:
                    raise ValueError(f"Column {name!r} has the name of an embedding of {column!r}: rename it.")
                arrays[name] = values
        if not hasattr(self, "feature_names_in_"):
            # An encoder fitted on an array, which has one dtype, returns columns of one dtype.
            arrays = {
                name: np.asarray(values, dtype=np.float64 if values.dtype == np.float64 else np.float32)
                for name, values in arrays.items()
            }
        return pd.DataFrame(arrays, index=encoded.index, copy=True)


def _check_net(net: Any) -> TabularEstimator:
    if not isinstance(net, TabularEstimator):
        raise TypeError(f"estimator must be a TabularRegressor or TabularClassifier; got {net!r}.")
    if net.module is not None:
        raise ValueError("The embeddings of an estimator with module= are not known: set module=None.")
    return net


def _is_prefit(cv: Any) -> bool:
    return isinstance(cv, str) and cv == "prefit"


def _codes(encoded: pd.DataFrame, name: str) -> np.ndarray:
    return encoded[name].cat.codes.to_numpy().astype(np.int64)
