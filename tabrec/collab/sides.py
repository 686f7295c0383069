"""The two sides of ratings, users and items: ids, side tables, and the origin of what is known of each id."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.multi_labels import learn_multi_labels, split_multi_labels
from tabrec.collab.rating_columns import names_ids
from tabrec.preprocess import TabularPreprocessor
from tabrec.preprocess.categorify import Codes, check_labels, label_kind, sorted_labels
from tabrec.tables.columns import Column
from tabrec.tables.output import pandas_output
from tabrec.tables.spelling import nearest_labels

KINDS = ("user", "item")
# Origins of the rows of a model, the best first.
LEARNED, FOLDED_IN, FROM_METADATA, UNKNOWN = range(4)
_PATHS = np.array(["learned", "fold-in", "metadata", "item bias", "user bias", "global mean"], dtype=object)

# Labels of fewer ids are not informative about other ids; the minimum is lower for small tables.
_MOST_MIN_FREQUENCY = 5
_IDS_PER_MIN_FREQUENCY = 20
# Number of codes of a category with two labels, code 0 included.
_OF_TWO_LABELS = 3


class Ids:
    """The known ids of a column: code c is the id ``labels[c - 1]``, and code 0 stands for all unknown ids.

    `kinds` are the kinds of the ids in fit (text, numbers, …). Ids of another kind are refused, not unknown.
    """

    _not_saved = ("_codes",)

    def __init__(self, name: str, labels: list, kinds: set[str]):
        self.name = name
        self.labels = labels
        self.kinds = kinds

    @classmethod
    def learn(cls, column: Column) -> Ids:
        """The sorted ids of a column."""
        labels = sorted_labels(list(dict.fromkeys(column.as_labels().in_use)))
        _check_labels(column.name, labels)
        return cls(column.name, labels, {label_kind(label) for label in labels})

    @property
    def n_codes(self) -> int:
        """Number of codes, 0 included."""
        return len(self.labels) + 1

    @property
    def index(self) -> pd.Index:
        """The ids by code, from code 1 on."""
        return pd.Index(self.labels, name=self.name)

    @cached_property
    def _codes(self) -> Codes:
        return Codes(self.labels, [], self.kinds)

    def encode(self, column: Column) -> np.ndarray:
        """Codes of a column's ids: int32 of shape (n_rows,); a ValueError where they are of another kind."""
        _check_exact(column)
        return self._codes.encode(column).codes.astype(np.int32)

    def encode_list(self, ids: Any) -> np.ndarray:
        """Codes of ids given as a scalar or a list."""
        return self.encode(as_column(self.name, ids))

    def with_labels(self, more: Iterable) -> Ids:
        """These ids, followed by the new ones among `more`."""
        new = [label for label in dict.fromkeys(more) if label not in self._codes.code_of]
        _check_labels(self.name, new)
        return Ids(self.name, [*self.labels, *new], self.kinds)

    def names_of(self, codes: np.ndarray) -> pd.Index:
        """The ids of known codes."""
        return self.index.take(codes - 1)


def as_column(name: str, ids: Any) -> Column:
    """Ids given as a scalar, a list or an array of any library, as a column."""
    if isinstance(ids, pd.DataFrame):
        raise TypeError(f"{name} must be given as ids, not as a frame: take the column, as in frame[{name!r}].")
    if hasattr(ids, "to_numpy") and not isinstance(ids, (pd.Series, pd.Index)):
        ids = ids.to_numpy(zero_copy_only=False) if type(ids).__module__.startswith("pyarrow") else ids.to_numpy()
    if isinstance(ids, np.ndarray) and ids.ndim == 0:
        ids = ids.item()
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__iter__"):
        ids = [ids]
    values = pd.Series(list(ids) if not hasattr(ids, "dtype") else np.asarray(ids))
    return Column(name, values.array if not isinstance(values.dtype, np.dtype) else values.to_numpy())


def id_at(column: Column, row: int) -> Any:
    """The id in a row of a column, for messages."""
    value = column.raw[row]
    return value.item() if isinstance(value, np.generic) else value


def labels_by_row(column: Column) -> pd.Series:
    """The id in each row of a column, numbers as numbers; a ValueError where one is missing."""
    if column.missing.any():
        raise ValueError(f"Column {column.name!r} has no id in row {int(np.argmax(column.missing))} (counted from 0).")
    codes, labels = column.as_labels()
    return pd.Series(labels).take(codes).reset_index(drop=True)


def _check_labels(name: str, labels: list) -> None:
    """Raise an error for ids that an index cannot hold, or that are one id in two types."""
    tuples = [label for label in labels if isinstance(label, tuple)]
    if tuples:
        raise TypeError(
            f"Column {name!r} holds the tuple {tuples[0]!r}, but an id must be one value: join the parts to text, as "
            f"in X[{name!r}].map(str)."
        )
    texts = {label for label in labels if isinstance(label, str)}
    if texts and len(texts) < len(labels):
        twice = [label for label in labels if not isinstance(label, str) and str(label) in texts]
        if twice:
            raise ValueError(
                f"Column {name!r} holds {twice[0]!r} and {str(twice[0])!r}, one id in two types, as pandas.read_csv "
                f"reads columns of large files in parts: give all ids one type, as in X[{name!r}].astype(str)."
            )
    check_labels(name, labels)


def check_ids(column: Column) -> None:
    """Raise a ValueError where a column holds dates instead of ids, or whole numbers that floats do not distinguish."""
    _check_exact(column)
    if column.is_date and not column.missing.all():
        raise ValueError(
            f"Column {column.name!r} holds dates such as {column.example()}, but should hold ids: name the columns, as "
            "in user='userId', item='movieId'."
        )


def _check_exact(column: Column) -> None:
    """Raise a ValueError for ids that are floats so large that several whole numbers are equal."""
    if not column.is_number or column.values.dtype.kind != "f" or not len(column.values):
        return
    row = int(np.argmax(np.abs(np.nan_to_num(column.values))))
    value: Any = column.raw[row]
    is_float = isinstance(value, float | np.floating)
    n_digits = np.finfo(np.asarray(value).dtype).nmant + 1 if is_float else 0
    if is_float and abs(value) >= 2**n_digits:
        raise ValueError(
            f"Column {column.name!r} holds the id {float(value):.0f} as a float, which does not distinguish all whole "
            f"numbers beyond 2**{n_digits}: read ids as text or as integers, as in "
            f"pandas.read_csv(..., dtype={{{column.name!r}: 'Int64'}})."
        )


@dataclass(frozen=True)
class Side:
    """Users or items: their ids, the origin of what is known of each, and their side table."""

    ids: Ids
    origins: np.ndarray  # (n_codes,), int8: LEARNED, FOLDED_IN, FROM_METADATA or UNKNOWN
    table: SideTable | None

    @property
    def n_codes(self) -> int:
        return self.ids.n_codes

    def design(self) -> np.ndarray:
        """Features for a linear model, of shape (n_codes, n_features): none, without a side table."""
        return np.zeros((self.n_codes, 0), dtype=np.float32) if self.table is None else self.table.design()

    def known(self) -> np.ndarray:
        """Codes of the ids with ratings."""
        return np.flatnonzero(self.origins <= FOLDED_IN)

    def from_metadata(self) -> np.ndarray:
        """Whether an id is known from its side table alone, by code."""
        return self.origins == FROM_METADATA

    def became_known(self, before: np.ndarray) -> np.ndarray:
        """Codes of the ids with ratings that had no ratings according to earlier origins."""
        known = self.known()
        had = np.zeros(self.n_codes, dtype=bool)
        had[: len(before)] = before <= FOLDED_IN
        return known[~had[known]]

    def require(self, ids: Any) -> np.ndarray:
        """Codes of known ids; a ValueError names the first unknown one, and known ids with similar spellings."""
        column = as_column(self.ids.name, ids)
        codes = self.ids.encode(column)
        if not len(codes) or codes.all():
            return codes
        absent = id_at(column, int(np.argmin(codes)))
        near = [repr(label) for label in nearest_labels(absent, self.ids.labels)]
        hint = f" The nearest: {', '.join(near)}." if near else ""
        raise ValueError(f"{self.ids.name} {absent!r} is not known to the model.{hint}")

    def with_ids(self, column: Column, origin: int) -> Side:
        """This side with the ids of a column, whose origin becomes this one unless they have a better one."""
        ids = self.ids.with_labels(column.as_labels().in_use)
        origins = np.concatenate([self.origins, np.full(ids.n_codes - self.n_codes, UNKNOWN, dtype=np.int8)])
        codes = np.array([code for code in np.unique(ids.encode(column)) if code], dtype=np.intp)
        origins[codes] = np.minimum(origins[codes], origin)
        table = None if self.table is None else self.table.grown(ids.n_codes)
        return replace(self, ids=ids, origins=origins, table=table)


def learn_side(column: Column, parameter: str, features: Any) -> Side:
    """The ids that a column of ratings holds, and those that a side table adds."""
    ids, table = Ids.learn(column), None
    n_rated = ids.n_codes
    if features is not None:
        table, ids = learn_side_table(parameter, features, ids)
    origins = np.full(ids.n_codes, FROM_METADATA, dtype=np.int8)
    origins[:n_rated] = LEARNED
    origins[0] = UNKNOWN
    return Side(ids, origins, table)


def name_paths(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The paths of predictions, by the origins of their users and items: an object array of text."""
    worse = np.maximum(users, items)
    path = np.where(worse < UNKNOWN, worse, np.where(users < UNKNOWN, 4, 3))
    return _PATHS[np.where((users == UNKNOWN) & (items == UNKNOWN), 5, path)]


class SideTable:
    """The features of each id by its code, as `codes`, (n_codes, n_categories), and `numbers`, (n_codes, n_numbers).

    Numbers have mean 0. Ids that are not in the table (see `is_there`), and code 0, have code 0 and number 0.
    """

    def __init__(self, encoder: TabularPreprocessor, encoded: pd.DataFrame, rows: np.ndarray, n_codes: int):
        sizes = {
            str(name): len(dtype.categories)
            for name, dtype in encoded.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        self.encoder = encoder
        # Number of codes of each category column of more than two labels; others are numbers.
        self.category_sizes = {name: size for name, size in sizes.items() if size > _OF_TWO_LABELS}
        self.is_there = np.zeros(n_codes, dtype=bool)
        self.is_there[rows] = True
        self.codes = np.zeros((n_codes, len(self.category_sizes)), dtype=np.int32)
        for position, name in enumerate(self.category_sizes):
            self.codes[rows, position] = encoded[name].cat.codes
        numbers = {str(name): encoded[name].to_numpy(np.float32) for name in encoded.columns if name not in sizes}
        numbers |= {name: _as_number(encoded[name], size) for name, size in sizes.items() if size <= _OF_TWO_LABELS}
        # Of numbers of which more than one stands out.
        numbers = {name: column for name, column in numbers.items() if (column != np.median(column)).sum() > 1}
        self.number_names = list(numbers)
        self.numbers = np.zeros((n_codes, len(numbers)), dtype=np.float32)
        for position, column in enumerate(numbers.values()):
            self.numbers[rows, position] = column - column.mean()

    def design(self) -> np.ndarray:
        """The features for a linear model: (n_codes, n_features), float32, mean 0 over the ids of the table.

        A category has a column for each label. Ids that are not in the table have the mean, 0.
        """
        parts = [self.numbers]
        for column, size in zip(self.codes.T, self.category_sizes.values(), strict=True):
            of_labels = (column[:, None] == np.arange(1, size)).astype(np.float32)
            of_labels -= of_labels[self.is_there].mean(axis=0)
            parts.append(np.where(self.is_there[:, None], of_labels, np.float32(0)))
        design = np.concatenate(parts, axis=1)
        return design[:, np.abs(design).max(axis=0) > 1e-6]

    def grown(self, n_codes: int) -> SideTable:
        """This table with further ids, which have no features."""
        made, n_new = copy.copy(self), n_codes - len(self.is_there)
        for name in ("codes", "numbers", "is_there"):
            rows = getattr(self, name)
            setattr(made, name, np.concatenate([rows, np.zeros((n_new, *rows.shape[1:]), dtype=rows.dtype)]))
        return made


def _as_number(column: pd.Series, size: int) -> np.ndarray:
    """Two labels as -0.5 and 0.5, 0 where missing; a single label as 1 where it is present."""
    codes = column.cat.codes.to_numpy(np.float32)
    return np.where(codes > 0, codes - 1.5, 0.0).astype(np.float32) if size == _OF_TWO_LABELS else codes


def learn_side_table(parameter: str, features: Any, ids: Ids) -> tuple[SideTable, Ids]:
    """Encode a side table, and return its ids after the ids with ratings.

    The ids are its index, or a column named as the ids. Columns of lists and of text joined by "|" are multi-label.
    Medians, vocabularies and scales are learned from ids with ratings alone. `parameter` is named in messages.
    """
    features = index_by_id(parameter, features, ids)
    index = _check_index(parameter, features, ids)
    try:
        rows = ids.encode(index)
    except ValueError as error:
        raise ValueError(f"The index of {parameter} has ids of another type than the ratings. {error}") from error
    if not rows.any():
        raise ValueError(
            f"{parameter} has none of the ids in column {ids.name!r}: its index holds {index.example()!r}, the ratings "
            f"hold {ids.labels[0]!r}. Set the ids as its index, as in frame.set_index('id')."
        )
    # Learned only from ids with ratings, so that more rows in the table do not change the model.
    of_ratings = features.iloc[np.flatnonzero(rows)]
    min_frequency = int(np.clip(len(of_ratings) // _IDS_PER_MIN_FREQUENCY, 2, _MOST_MIN_FREQUENCY))
    labels = learn_multi_labels(of_ratings, min_frequency)
    encoder = TabularPreprocessor("net", min_frequency=min_frequency).fit(split_multi_labels(of_ratings, labels))
    with pandas_output():
        encoded = encoder.transform(split_multi_labels(features, labels))
    ids = ids.with_labels(index.as_labels().labels)
    return SideTable(encoder, encoded, ids.encode(index), ids.n_codes), ids


def index_by_id(parameter: str, features: Any, ids: Ids) -> Any:
    """A side table with its column of ids as the index, where it has one and the index is not named as the ids."""
    if not isinstance(features, pd.DataFrame) or features.index.name == ids.name:
        return features
    counts_rows = isinstance(features.index, pd.RangeIndex) and features.index.equals(pd.RangeIndex(len(features)))
    if ids.name in features.columns and (counts_rows or _holds_ids(features[ids.name], ids)):
        return features.set_index(ids.name)
    for name in features.columns if counts_rows else []:
        if names_ids(str(name), parameter.removesuffix("_features")) and _holds_ids(features[name], ids):
            return features.set_index(name)
    return features


def _holds_ids(column: pd.Series, ids: Ids) -> bool:
    """Whether a column has different ids in all rows, and some are known."""
    try:
        return bool(column.is_unique and ids.encode(as_column(ids.name, column)).any())
    except (TypeError, ValueError):
        return False


def _check_index(parameter: str, features: Any, ids: Ids) -> Any:
    if not isinstance(features, pd.DataFrame):
        raise TypeError(f"{parameter} must be a pandas frame indexed by id, not {type(features).__name__}.")
    if features.shape[1] == 0:
        raise ValueError(f"{parameter} has no columns beside its index.")
    index = as_column(ids.name, features.index)
    if index.missing.any():
        raise ValueError(f"The index of {parameter} has a missing id in row {int(np.argmax(index.missing))}: drop it.")
    twice = features.index.duplicated()
    if twice.any():
        again = id_at(index, int(np.argmax(twice)))
        raise ValueError(f"The index of {parameter} has {again!r} more than once: give each id one row.")
    return index
