"""`Categorify`: labels become codes, and 0 is the code of everything that was not learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import Origin, Origins, input_names
from tabrec.tables.columns import Column, Labels, as_frame, from_columns, in_threads
from tabrec.tables.names import check_named

MISSING_LABEL = "#na#"


class Categorify(FrameTransformer):
    """Turn label columns into ``category`` columns of integer codes; code 0 means missing or never seen in fit.

    The code of a label depends on the label alone: not on the batch, not on the order of a ``category`` dtype's
    categories, not on whether the column came as text, object, category, or from polars or arrow.

    Parameters
    ----------
    columns : list of str or None, default=None
        The columns to encode. None takes those that hold text, booleans, mixed objects or have ``category`` dtype (of
        dates excepted); a column of numbers is encoded only if named.
    ordered : dict of str to list, default=None
        Levels of ordered columns, lowest first: ``{"size": ["small", "medium", "large"]}``. Their codes follow this
        order, and every listed level has a code whether or not it occurs in fit. An ordered ``category`` dtype is
        such a list by itself. Other columns' codes follow the sorted labels.
    min_frequency : int or float, default=None
        Labels with fewer rows (or, a float, with a smaller share of the rows) share code 0.
    max_categories : int, default=None
        At most this many labels of a column keep a code of their own, the most frequent ones; the others share code 0.

    Attributes
    ----------
    categories_ : dict of str to list
        Labels of each encoded column: ``categories_["state"][code]``; position 0 holds ``"#na#"``.
    input_to_outputs_ : dict of str to list of str
        Output columns that come from each input column.
    output_to_input_ : dict of str to str
        Input column that each output column comes from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        A named column is absent; a level is not in its `ordered` list; at transform, numbers where text was learned
        or text where numbers were.
    TypeError
        A value that can be no label, such as a dict.

    See Also
    --------
    TabularPreprocessor : Chooses the columns and composes all steps.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Using
    TabularPandas and TabularProc".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import Categorify
    >>> train = pd.DataFrame({"state": ["Texas", "Ohio", None, "Texas"]})
    >>> categorify = Categorify().fit(train)
    >>> categorify.categories_["state"]
    ['#na#', 'Ohio', 'Texas']
    >>> categorify.transform(pd.DataFrame({"state": ["Texas", "Utah"]}))["state"].tolist()
    [2, 0]
    """

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        ordered: Mapping[str, Sequence] | None = None,
        min_frequency: int | float | None = None,
        max_categories: int | None = None,
    ):
        self.columns = columns
        self.ordered = ordered
        self.min_frequency = min_frequency
        self.max_categories = max_categories

    def partial_fit(self, X: Any, y: Any = None) -> Categorify:
        """Learn from one more chunk: chunk by chunk gives the same codes as one fit over all rows.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : object, default=None
            Passed over.

        Returns
        -------
        Categorify
            Itself.
        """
        return self._learn_more(X)

    def inverse_transform(self, X: Any) -> pd.DataFrame:
        """The labels again, NaN for code 0.

        Parameters
        ----------
        X : table with the encoded columns, or array in the order of `get_feature_names_out`

        Returns
        -------
        pandas.DataFrame
        """
        check_is_fitted(self)
        frame = as_frame(X)
        if not isinstance(X, pd.DataFrame) and frame.shape[1] == self.n_features_in_:
            frame.columns = input_names(self)
        check_named("Categorify", self.categories_, frame.columns)
        arrays: dict[str, Any] = {
            name: frame[name].array.copy() for name in frame.columns if name not in self.categories_
        }
        for name, labels in self.categories_.items():
            codes = np.asarray(frame[name], dtype=np.int64)
            if codes.min() < 0 or codes.max() >= len(labels):
                raise ValueError(
                    f"Column {name!r} holds a code outside 0..{len(labels) - 1}: it was not encoded by this object."
                )
            table = pd.Series([np.nan, *labels[1:]], dtype=object).to_numpy()
            arrays[name] = pd.Series(table[codes]).infer_objects().array
        return from_columns({name: arrays[name] for name in frame.columns}, frame.index)

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            _check_limits(self.min_frequency, self.max_categories)
            ordered = check_named("ordered", self.ordered or {}, columns)
            _check_levels(self.ordered or {})
            if self.columns is None:
                named = [name for name, column in columns.items() if column.is_label or column.is_boolean]
            else:
                named = check_named("columns", self.columns, columns)
            self._levels: dict[str, list] = {name: list((self.ordered or {})[name]) for name in ordered}
            self._counts: dict[str, dict] = {name: {} for name in columns if name in named or name in ordered}
            self._n_rows = 0
        for name, counts in self._counts.items():
            column = columns[name]
            self._check_labels(column)
            _count(counts, column.as_labels())
            if reset and name not in self._levels:
                _learn_levels(self._levels, column)
        self._n_rows += len(next(iter(columns.values())).raw)
        self._settle()

    def _check_labels(self, column: Column) -> None:
        if column.is_date and not column.missing.all():
            raise ValueError(f"Column {column.name!r} holds dates such as {column.example()}: use DateParts for it.")

    def _settle(self) -> None:
        """Give every label that is frequent enough its code."""
        self.categories_, self._codes = {}, {}
        for name, counts in self._counts.items():
            kept = self._kept(name, counts)
            self.categories_[name] = [MISSING_LABEL, *kept]
            self._codes[name] = Codes(kept, list(counts))

    def _kept(self, name: str, counts: dict) -> list:
        if name in self._levels:
            levels = self._levels[name]
            unlisted = [label for label in counts if label not in levels]
            if unlisted:
                raise ValueError(
                    f"Column {name!r} holds {unlisted[0]!r}, which is not among its ordered levels {levels}."
                )
            return levels
        least = self.min_frequency or 0
        if isinstance(least, float):
            least *= self._n_rows
        kept = sorted_labels([label for label, count in counts.items() if count >= least])
        if self.max_categories is not None and len(kept) > self.max_categories:
            frequent = sorted(kept, key=counts.__getitem__, reverse=True)[: self.max_categories]
            kept = sorted_labels(frequent)
        return kept

    def _new_origins(self) -> Origins:
        return {name: Origin(name, "codes", labels=labels) for name, labels in self.categories_.items()}

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        encoded = [column for name, column in columns.items() if name in self._codes]
        n_rows = len(next(iter(columns.values())).raw)
        codes = in_threads(lambda column: self._codes[column.name].encode(column), encoded, n_rows)
        out = {name: column.raw for name, column in columns.items()}
        return out | {column.name: of_column for column, of_column in zip(encoded, codes, strict=True)}


class Codes:
    """The code of each label of one column, and the dtype of its codes.

    Parameters
    ----------
    kept : list
        Labels with a code of their own, from 1 on.
    known : list
        Further labels that were seen.
    kinds : set of str, default=None
        Kinds of label that are told from a mistake; None takes those of the labels.
    """

    def __init__(self, kept: list, known: list, kinds: set[str] | None = None):
        self.code_of = {label: code for code, label in enumerate(kept, start=1)}
        self.kinds = {label_kind(label) for label in kept + known} if kinds is None else kinds
        self.dtype = pd.CategoricalDtype(pd.RangeIndex(len(kept) + 1))
        # The smallest type, which pandas would turn the codes into anyhow.
        self.code_dtype = pd.Categorical.from_codes([], dtype=self.dtype).codes.dtype.str
        self.known = set(known)

    def encode(self, column: Column) -> pd.Categorical:
        if column.is_date and not column.missing.all():
            raise ValueError(f"Column {column.name!r} held labels in fit, but now dates such as {column.example()}.")
        values = Labels(np.full(len(column.raw), -1), []) if column.is_date else column.as_labels()
        table = [self.code_of.get(label, -1) for label in values.labels]
        if -1 in table:
            for position, n_rows in enumerate(values.counts.tolist()):
                if table[position] < 0:
                    if n_rows:
                        self._check_kind(column.name, values.labels[position])
                    table[position] = 0
        table.append(0)  # where there is no label
        codes = np.asarray(table, dtype=self.code_dtype).take(values.codes, mode="wrap")
        return pd.Categorical.from_codes(codes, dtype=self.dtype, validate=False)

    def _check_kind(self, name: str, label: Any) -> None:
        """A label that was never seen is fine; one of another kind than all labels seen is a mistake."""
        kind = label_kind(label)
        if self.kinds and kind not in self.kinds and not (kind in _NUMERIC and self.kinds & _NUMERIC):
            raise ValueError(
                f"Column {name!r} held {' and '.join(sorted(self.kinds))} in fit, but now holds the {kind} {label!r}: "
                "give it the same type as in fit."
            )


_NUMERIC = {"number", "boolean"}


def label_kind(label: Any) -> str:
    if isinstance(label, str):
        return "text"
    if isinstance(label, (bool, np.bool_)):
        return "boolean"
    return "number" if isinstance(label, (int, float, np.number)) else type(label).__name__


def sorted_labels(labels: list) -> list:
    """Labels in their own order where they have one; mixed kinds by kind first."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (label_kind(label), str(label)))


def _count(counts: dict, values: Labels) -> None:
    rows = values.counts.tolist()
    for label, count in zip(values.labels, rows, strict=True):
        if count:
            counts[label] = counts.get(label, 0) + count


def _learn_levels(levels: dict[str, list], column: Column) -> None:
    dtype = column.raw.dtype
    if isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
        levels[column.name] = dtype.categories.tolist()


def _check_levels(ordered: Mapping[str, Sequence]) -> None:
    for name, levels in ordered.items():
        if isinstance(levels, str) or len(set(levels)) < len(levels) or pd.isna(list(levels)).any():
            raise ValueError(
                f"ordered={{{name!r}: {levels!r}}} must be a list of different labels, lowest first, none missing."
            )


def _check_limits(min_frequency: Any, max_categories: Any) -> None:
    if min_frequency is not None and not (isinstance(min_frequency, (int, float, np.number)) and min_frequency >= 0):
        raise ValueError(
            f"min_frequency={min_frequency!r} must be a number of rows, or a float share of them, or None."
        )
    if isinstance(min_frequency, float) and min_frequency >= 1:
        raise ValueError(f"min_frequency={min_frequency!r}: a float is a share of the rows and must be below 1.")
    if max_categories is not None and not (isinstance(max_categories, (int, np.integer)) and max_categories >= 1):
        raise ValueError(f"max_categories={max_categories!r} must be an integer of at least 1, or None.")
