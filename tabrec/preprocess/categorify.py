"""`Categorify`: labels become integer codes; code 0 means missing or never seen in fit."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, RealNotInt

from tabrec.preprocess.frame_transformer import InvertibleTransformer
from tabrec.preprocess.lineage import Origin, Origins
from tabrec.tables.columns import Column, Labels, in_threads
from tabrec.tables.label_order import in_natural_order
from tabrec.tables.messages import warn_caller
from tabrec.tables.missing_marks import quoted
from tabrec.tables.names import check_named

MISSING_LABEL = "#na#"

# Largest number of labels of a column that `partial_fit` counts.
_MOST_LABELS = 1_000_000
# With fewer labelled rows, all labels may be new by chance.
_MIN_ROWS_UNSEEN = 3


class Categorify(InvertibleTransformer):
    """Turn label columns into ``category`` columns of integer codes; code 0 means missing or never seen in fit.

    The code of a label depends on the label alone: not on the batch, not on the order of the categories of a
    ``category`` dtype, and not on whether the column is text, object or category, from pandas, polars or arrow.

    Parameters
    ----------
    columns : list of str, default=None
        The columns to encode. None selects columns of text, booleans and mixed objects and columns of ``category``
        dtype, unless they hold dates; a column of numbers is encoded only if it is listed here.
    ordered : dict of str to list, default=None
        Levels of ordered columns, lowest first: ``{"size": ["small", "medium", "large"]}``. Their codes follow this
        order, and every level has a code even if it does not occur in fit. An ordered ``category`` dtype provides
        such a list itself. The codes of other columns follow the sorted labels, except that weekdays and months
        follow the calendar, and ranges such as "5-9" and "10-49" their numbers.
    min_frequency : int or float, default=None
        Labels with fewer rows (int), or with a smaller share of the rows (float), are encoded as 0.
    max_categories : int, default=None
        Maximum number of labels per column that have a code of their own. The most frequent ones are kept; the others
        are encoded as 0.

    Attributes
    ----------
    categories_ : dict of str to list
        Labels of each encoded column: ``categories_["state"][code]``; position 0 holds ``"#na#"``.
    count_errors_ : dict of str to int
        Largest number of rows by which the count of a label may be too low, for each column with more labels than
        `partial_fit` can count.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each input column, and the input column that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns seen in fit, and their names if X has any.

    Raises
    ------
    ValueError
        A column in `columns` or `ordered` is missing, a label is not among its `ordered` levels, or in transform a
        column holds numbers where it held text in fit, or text where it held numbers.
    TypeError
        A value is not hashable and so cannot be a label, such as a dict, or a saved model cannot hold it, such as an
        Enum.

    See Also
    --------
    TabularPreprocessor : Selects the columns of each kind and applies all steps.
    FillMissing : Fills missing numbers.
    sklearn.preprocessing.OrdinalEncoder : Encodes labels as floats and raises on unknown labels by default.

    Notes
    -----
    `inverse_transform` turns codes back into labels, and code 0 into NaN.

    `partial_fit` counts at most 1,000,000 labels of a column, by the algorithm of Misra and Gries: a label in more
    rows than `count_errors_` says, at most a millionth of all rows, is never lost, and rarer ones are encoded as 0.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9. Misra & Gries (1982),
    "Finding repeated elements".

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

    _parameter_constraints: ClassVar[dict] = {
        "ordered": [Mapping, None],
        "min_frequency": [Interval(Integral, 0, None, closed="left"), Interval(RealNotInt, 0, 1, closed="left"), None],
        "max_categories": [Interval(Integral, 1, None, closed="left"), None],
    }

    categories_: dict[str, list]
    _codes: dict[str, Codes]
    _counts: dict[str, dict]  # rows by label, for each encoded column
    _n_rows: int

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

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            self._choose_columns(columns)
            self._warned: set[str] = set()
            self.count_errors_: dict[str, int] = {}
        counts = {}
        for name, counted in self._counts.items():
            column = columns[name]
            if column.is_date and not column.missing.all():
                raise ValueError(f"Column {name!r} holds dates such as {column.example()}; use DateParts for it.")
            counts[name] = _add_counts(counted, column.as_labels())
            check_labels(name, counts[name])
        grown = [name for name in counts if len(counts[name]) > len(self._counts[name])]
        _warn_of_spellings({name: list(counts[name]) for name in grown if len(counts[name]) <= _MOST_LABELS})
        if not reset:
            self._limit_labels(counts)
        self._n_rows += len(next(iter(columns.values())).raw)
        # Counts matter if they decide which labels are kept; otherwise codes change with new labels alone.
        chosen = grown if not reset and self.min_frequency is None and self.max_categories is None else list(counts)
        self._choose_codes(counts, chosen)

    def _choose_codes(self, counts: dict[str, dict], chosen: list[str]) -> None:
        """Assign codes to the labels of the chosen columns; the other columns keep their codes."""
        self._counts = counts
        kept = {name: self._kept(name, counts[name]) for name in chosen}
        self.categories_ = {n: [MISSING_LABEL, *kept[n]] if n in kept else self.categories_[n] for n in counts}
        self._codes = {n: Codes(kept[n], list(counts[n])) if n in kept else self._codes[n] for n in counts}

    def _limit_labels(self, counts: dict[str, dict]) -> None:
        """Limit the number of counted labels of a column by the algorithm of Misra and Gries (1982)."""
        errors = dict(getattr(self, "count_errors_", {}))  # absent from transformers that were saved before
        for name, counted in counts.items():
            if len(counted) <= _MOST_LABELS or name in self._levels:
                continue
            n_rows = np.fromiter(counted.values(), np.int64, len(counted))
            least = int(np.partition(n_rows, len(n_rows) - _MOST_LABELS - 1)[len(n_rows) - _MOST_LABELS - 1])
            counts[name] = {label: count - least for label, count in counted.items() if count > least}
            if name not in errors:
                warn_caller(
                    f"Column {name!r} has more than {_MOST_LABELS:,} labels; the rarest are not counted and are "
                    "encoded as 0. Pass max_categories, or leave the column out."
                )
            errors[name] = errors.get(name, 0) + least
        self.count_errors_ = errors

    def _choose_columns(self, columns: dict[str, Column]) -> None:
        ordered = check_named("ordered", self.ordered or {}, columns)
        _check_levels(self.ordered or {})
        if self.columns is None:
            named = [name for name, column in columns.items() if column.is_label or column.is_boolean]
        else:
            named = check_named("columns", self.columns, columns)
        self._counts = {name: {} for name in columns if name in named or name in ordered}
        self._levels: dict[str, list] = {name: list((self.ordered or {})[name]) for name in ordered}
        for name in self._counts:
            dtype = columns[name].raw.dtype
            if name not in self._levels and isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
                self._levels[name] = dtype.categories.tolist()
        self._n_rows = 0

    def _kept(self, name: str, counts: dict) -> list:
        """Return the labels that get a code of their own, in the order of their codes."""
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
        return in_natural_order(kept) or kept

    def _new_origins(self) -> Origins:
        return {name: Origin(name, "codes", labels=labels) for name, labels in self.categories_.items()}

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        encoded = [column for name, column in columns.items() if name in self._codes]
        n_rows = len(next(iter(columns.values())).raw)
        codes = in_threads(lambda column: self._codes[column.name].encode(column), encoded, n_rows)
        for column, of_column in zip(encoded, codes, strict=True):
            if not of_column.codes.any() and column.name not in self._warned:
                self._warn_if_unseen(column)
        out = {name: column.raw for name, column in columns.items()}
        return out | {column.name: of_column for column, of_column in zip(encoded, codes, strict=True)}

    def _keeps(self, column: Column) -> bool:
        """Return whether a column already holds its codes, so that its labels need not be read."""
        return column.name in self._codes and self._codes[column.name].are_kept(column)

    def _restored_from(self) -> Iterable[str]:
        return self.categories_

    def _restore_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        arrays = {name: column.raw for name, column in columns.items()}
        for name, labels in self.categories_.items():
            codes = np.asarray(arrays[name], dtype=np.int64)
            if codes.min() < 0 or codes.max() >= len(labels):
                raise ValueError(
                    f"Column {name!r} has a code outside 0..{len(labels) - 1}; it was not encoded by this transformer."
                )
            table = pd.Series([np.nan, *labels[1:]], dtype=object).to_numpy()
            arrays[name] = pd.Series(table[codes]).infer_objects().array
        return arrays

    def _warn_if_unseen(self, column: Column) -> None:
        """Warn if all labels of a column are new, as after a change of spelling; columns of few rows are ignored."""
        if column.missing.sum() > len(column.raw) - _MIN_ROWS_UNSEEN:
            return
        labels = dict.fromkeys(column.as_labels().in_use)
        if not any(label in self._codes[column.name].known for label in labels):
            self._warned.add(column.name)
            warn_caller(
                f"No label of column {column.name!r} was seen in fit, such as {quoted(labels)}; all are encoded as 0. "
                f"Labels of fit are such as {quoted(self.categories_[column.name][1:])}. "
                "Drop the column if these are ids of rows."
            )


class Codes:
    """The code of each label of one column, and the dtype of its codes.

    The labels `kept` have the codes 1, 2, …; `known` are all labels seen in fit. `kinds` are the kinds of labels that
    are accepted, None for the kinds of `known`.
    """

    def __init__(self, kept: list, known: list, kinds: set[str] | None = None):
        self.code_of = {label: code for code, label in enumerate(kept, start=1)}
        self.kinds = {label_kind(label) for label in kept + known} if kinds is None else kinds
        self.dtype = pd.CategoricalDtype(pd.RangeIndex(len(kept) + 1))
        # The dtype that pandas uses for the codes, to avoid a conversion.
        self.code_dtype = pd.Categorical.from_codes([], dtype=self.dtype).codes.dtype.str
        self.known = set(known)

    def are_kept(self, column: Column) -> bool:
        """Return whether a column holds codes of an encoded frame, which `encode` keeps; False if all codes are 0."""
        n_codes = len(self.code_of) + 1
        if column.n_codes != n_codes or not column.raw.codes.any():
            return False
        return list(self.code_of) == list(range(1, n_codes))

    def encode(self, column: Column) -> pd.Categorical:
        if self.are_kept(column):
            codes = np.maximum(column.raw.codes, 0)
            return pd.Categorical.from_codes(codes, dtype=self.dtype, validate=False)
        if column.is_date and not column.missing.all():
            raise ValueError(
                f"Column {column.name!r} held labels in fit, but now holds dates such as {column.example()}."
            )
        values = Labels(np.full(len(column.raw), -1), []) if column.is_date else column.as_labels()
        table = [self.code_of.get(label, -1) for label in values.labels]
        if -1 in table:
            for position, n_rows in enumerate(values.counts.tolist()):
                if table[position] < 0:
                    if n_rows:
                        self._check_kind(column.name, values.labels[position])
                    table[position] = 0
        table.append(0)  # position -1: a missing label
        codes = np.asarray(table, dtype=self.code_dtype).take(values.codes, mode="wrap")
        return pd.Categorical.from_codes(codes, dtype=self.dtype, validate=False)

    def _check_kind(self, name: str, label: Any) -> None:
        """Raise a ValueError for an unseen label of another kind than those accepted, which is likely a mistake."""
        kind = label_kind(label)
        if self.kinds and kind not in self.kinds and not (kind in _NUMERIC and self.kinds & _NUMERIC):
            raise ValueError(
                f"Column {name!r} held {' and '.join(sorted(self.kinds))} in fit, but now holds the {kind} {label!r}; "
                "give it the same type as in fit."
            )


_NUMERIC = {"number", "boolean"}
# Spaces in a joined text other than single spaces within labels.
_MORE_SPACES = re.compile(r"\s\s|\s\0|\0\s|^\s|\s$|[^\S ]")


def label_kind(label: Any) -> str:
    """Return the kind of a label in words: text, boolean, number, or the name of its type."""
    if isinstance(label, str):
        return "text"
    if isinstance(label, (bool, np.bool_)):
        return "boolean"
    return "number" if isinstance(label, (int, float, np.number)) else type(label).__name__


def sorted_labels(labels: list) -> list:
    """Sort labels; labels of mixed kinds are sorted by kind first."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda label: (label_kind(label), str(label)))


def check_labels(name: str, labels: Iterable) -> None:
    """Raise a TypeError before fitting if a label cannot be saved."""
    # One label of each type is tested, but every tuple, because its elements may be of any type.
    examples = {label if type(label) in (tuple, frozenset) else type(label): label for label in labels}
    for plain in (str, int, float, bool):
        examples.pop(plain, None)
    if not examples:
        return
    from tabrec.saving.state_writer import can_be_saved  # imported here because it loads skops, which few tables need

    for label in examples.values():
        if not can_be_saved(label):
            raise TypeError(
                f"Column {name!r} holds the label {label!r} of type {type(label).__name__}, which a saved model cannot "
                f"hold: convert the column to text, as in df[{name!r}].astype(str)."
            )


def _add_counts(counts: dict, values: Labels) -> dict:
    total = dict(counts)
    for label, count in values.rows.items():
        total[label] = total.get(label, 0) + count
    return total


def _warn_of_spellings(labels: Mapping[str, list]) -> None:
    """Warn of labels that differ only in letter case, spaces or Unicode form, since each has its own code."""
    found = {name: pair for name, of_column in labels.items() if (pair := _find_spellings(of_column)) is not None}
    if found:
        pairs = "; ".join(f"{name!r}: {pair[0]!r} and {pair[1]!r}" for name, pair in list(found.items())[:10])
        warn_caller(
            "Labels that differ only by letter case, spaces or Unicode form are encoded as different labels, in "
            f"column {pairs}. Rewrite them, as with .str.strip().str.lower(), if they are the same."
        )


def _find_spellings(labels: list) -> tuple[str, str] | None:
    texts = [label for label in labels if isinstance(label, str)]
    joined = "\0".join(texts)
    # Nearly all columns return here, at a tenth of the cost of the loop.
    if joined.isascii() and not _MORE_SPACES.search(joined) and len(set(joined.lower().split("\0"))) == len(texts):
        return None
    seen: dict[str, str] = {}
    for label in labels:
        if isinstance(label, str):
            composed = label if label.isascii() else unicodedata.normalize("NFC", label)
            other = seen.setdefault(" ".join(composed.casefold().split()), label)
            if other != label:
                return other, label
    return None


def _check_levels(ordered: Mapping[str, Sequence]) -> None:
    for name, levels in ordered.items():
        if isinstance(levels, str) or len(set(levels)) < len(levels) or pd.isna(list(levels)).any():
            raise ValueError(
                f"ordered={{{name!r}: {levels!r}}} must be a list of distinct labels, lowest first, none missing."
            )
