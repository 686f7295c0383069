"""`Ids`: the known ids of a column and their codes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.categorify import Codes, check_labels, label_kind, sorted_labels
from tabrec.tables.columns import Column


class Ids:
    """The known ids of a column: code c is the id ``labels[c - 1]``, and code 0 stands for all unknown ids.

    `kinds` are the kinds of the ids in fit (text, numbers, …). Ids of another kind raise an error instead of being
    unknown.
    """

    _not_saved = ("_codes",)

    def __init__(self, name: str, labels: list, kinds: set[str]):
        self.name = name
        self.labels = labels
        self.kinds = kinds

    @classmethod
    def learn(cls, column: Column) -> Ids:
        """Learn the ids of a column, in sorted order."""
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
        """Encode a column as int32 codes, (n_rows,); raises a ValueError for ids of another kind."""
        _check_exact(column)
        return self._codes.encode(column).codes.astype(np.int32)

    def encode_list(self, ids: Any) -> np.ndarray:
        """Return the codes of ids given as a scalar or a list."""
        return self.encode(as_column(self.name, ids))

    def with_labels(self, more: Iterable) -> Ids:
        """Return these ids, followed by the new ones among `more`."""
        new = [label for label in dict.fromkeys(more) if label not in self._codes.code_of]
        _check_labels(self.name, new)
        return Ids(self.name, [*self.labels, *new], self.kinds)

    def names_of(self, codes: np.ndarray) -> pd.Index:
        """Return the ids of known codes."""
        return self.index.take(codes - 1)


def as_column(name: str, ids: Any) -> Column:
    """Convert a scalar, a list or an array of ids of any library to a column."""
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
    """Return the id in a row of a column, for messages."""
    value = column.raw[row]
    return value.item() if isinstance(value, np.generic) else value


def labels_by_row(column: Column) -> pd.Series:
    """Return the id in each row of a column; raise a ValueError if one is missing."""
    if column.missing.any():
        raise ValueError(f"Column {column.name!r} has no id in row {int(np.argmax(column.missing))} (counted from 0).")
    codes, labels = column.as_labels()
    return pd.Series(labels).take(codes).reset_index(drop=True)


def _check_labels(name: str, labels: list) -> None:
    """Raise an error for tuples, and for ids that occur both as text and as numbers."""
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
    """Raise a ValueError for dates, and for whole numbers that floats do not distinguish."""
    _check_exact(column)
    if column.is_date and not column.missing.all():
        raise ValueError(
            f"Column {column.name!r} holds dates such as {column.example()}, but should hold ids: name the columns, as "
            "in user='userId', item='movieId'."
        )


def _check_exact(column: Column) -> None:
    """Raise a ValueError for float ids so large that several whole numbers have the same float."""
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
