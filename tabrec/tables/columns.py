"""The one place where kinds of tables are told apart: everything becomes columns of four families.

A column's *values* (see `Column.values`) are one of

- a numpy array of numbers: any integer or float type, NaN where missing, never infinite;
- a numpy array of bool, nothing missing;
- a pandas `DatetimeArray`, with or without a time zone, NaT where missing;
- `Labels`: dictionary-encoded labels, -1 where missing.

No other module asks whether it was given pandas, polars, arrow, numpy, text, object or category.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types
from sklearn.utils import check_array

_NUMBERS = (int, float, Decimal, np.number)
# From here on float64 skips whole numbers.
_LARGEST_EXACT = 2**53


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Labels:
    """Dictionary-encoded labels: row i holds `labels[codes[i]]`, or nothing where `codes[i]` is -1.

    Parameters
    ----------
    codes : ndarray of int, of shape (n_rows,)
    labels : list
    """

    __slots__ = ("_counts", "codes", "labels")

    def __init__(self, codes: np.ndarray, labels: list):
        self.codes = codes
        self.labels = labels
        self._counts: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.codes, self.labels))

    @property
    def counts(self) -> np.ndarray:
        """How many rows hold each label: ndarray of shape (len(labels),), worked out once."""
        if self._counts is None:
            from_0 = self.codes.astype(np.intp)
            from_0 += 1
            self._counts = np.bincount(from_0, minlength=len(self.labels) + 1)[1:]
        return self._counts

    @property
    def in_use(self) -> list:
        """The labels that at least one row holds, in their order."""
        return [label for label, count in zip(self.labels, self.counts.tolist(), strict=True) if count]


class Column:
    """A named column, as it came (`raw`) and as one of the four families (`values`, worked out once)."""

    __slots__ = ("_values", "name", "raw")

    def __init__(self, name: str, raw: Any):
        self.name = name
        self.raw = raw
        self._values: Any = None

    @property
    def values(self) -> Any:
        if self._values is None:
            self._values = _family(self.name, self.raw)
        return self._values

    @property
    def is_number(self) -> bool:
        return isinstance(self.values, np.ndarray) and self.values.dtype.kind in "iuf"

    @property
    def is_boolean(self) -> bool:
        return isinstance(self.values, np.ndarray) and self.values.dtype.kind == "b"

    @property
    def is_date(self) -> bool:
        return not isinstance(self.values, (np.ndarray, Labels))

    @property
    def is_label(self) -> bool:
        return isinstance(self.values, Labels)

    @property
    def missing(self) -> np.ndarray:
        """Where the column is missing: bool array of shape (n_rows,)."""
        if self.is_label:
            return self.values.codes < 0
        if self.is_number or self.is_boolean:
            return np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self.values), bool)
        return np.asarray(self.values.isna())

    def family(self) -> str:
        """The family in words, for messages."""
        if self.is_label:
            return "labels"
        if self.is_date:
            return "dates"
        return "numbers" if self.is_number else "booleans"

    def as_labels(self) -> Labels:
        """The column dictionary-encoded, whatever its family (dates excepted)."""
        if self.is_label:
            return self.values
        codes, uniques = pd.factorize(self.values)
        if uniques.dtype.kind != "f":
            return Labels(codes, uniques.tolist())
        if self.raw.dtype.kind in "iuO" and len(uniques) and abs(uniques).max() >= _LARGEST_EXACT:
            return self._exact_labels()
        return Labels(codes, _number_labels(uniques))

    def _exact_labels(self) -> Labels:
        """Whole numbers with gaps among them, some too large for float64 to tell apart."""
        codes, uniques = pd.factorize(np.asarray(self.raw, dtype=object))
        return Labels(codes, uniques.tolist())

    def example(self) -> Any:
        """A value of the column that is not missing, or None."""
        present = np.flatnonzero(~self.missing)
        if not len(present):
            return None
        row = present[0]
        value = self.values.labels[self.values.codes[row]] if self.is_label else self.values[row]
        return value.item() if isinstance(value, np.generic) else value


def as_frame(X: Any) -> pd.DataFrame:
    """A table of any kind as a new pandas frame that shares the caller's data.

    Its columns may be replaced, but not written into.

    Parameters
    ----------
    X : pandas, polars or arrow table, or array-like of shape (n_rows, n_columns)
        Columns of an array are named ``x0, x1, …``; names that are no text are turned into text.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ValueError
        No rows, no columns, duplicate column names or names of several levels, or complex numbers.
    TypeError
        A sparse matrix, or the name of a file.
    """
    return read_frame(X).copy(deep=False)


def read_frame(X: Any) -> pd.DataFrame:
    """What `as_frame` gives, for reading only: it may be the caller's own frame."""
    if isinstance(X, str | os.PathLike):
        raise TypeError(f"Got the text {os.fspath(X)!r}, not a table: read the file first, as with pandas.read_csv.")
    if isinstance(X, pd.DataFrame):
        frame = X
    elif is_table(X):
        frame = _from_arrow(pa.table(X))
    else:
        array = check_array(X, dtype=None, ensure_all_finite=False)
        frame = pd.DataFrame(array, copy=False, columns=[f"x{i}" for i in range(array.shape[1])])
    return _check_shape(frame)


def is_table(X: Any) -> bool:
    """Whether X names its columns (a data frame of any library), rather than being an array."""
    return isinstance(X, pd.DataFrame) or (hasattr(X, "__arrow_c_stream__") and not isinstance(X, pd.Series))


def to_columns(frame: pd.DataFrame) -> dict[str, Column]:
    """The columns of a frame by name; infinite numbers are refused here, naming the column and the row."""
    columns = {}
    for name, series in frame.items():
        raw = series.array
        if type(raw).__name__ == "NumpyExtensionArray":
            raw = raw.to_numpy()
            if raw.dtype.kind == "f":
                check_finite(str(name), raw)
        columns[str(name)] = Column(str(name), raw)
    return columns


def read_in_threads(columns: Iterable[Column]) -> None:
    """Work out the values of text and category columns at once: arrow encodes text without holding Python's lock."""
    labelled = [column for column in columns if isinstance(column.raw.dtype, (pd.StringDtype, pd.CategoricalDtype))]
    in_threads(_read_and_count, labelled, len(labelled[0].raw) if labelled else 0)


def _read_and_count(column: Column) -> None:
    if column.is_label:
        column.values.counts  # noqa: B018


def in_threads(work: Callable[[_Item], _Result], items: Collection[_Item], n_rows: int) -> list[_Result]:
    """The results of the work on each item, in threads where the items have many rows."""
    if n_rows < _MANY_ROWS or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def from_columns(arrays: Mapping[str, Any], index: pd.Index) -> pd.DataFrame:
    """A frame of the given arrays (numpy or pandas), in their order."""
    return pd.DataFrame(dict(arrays), index=index, copy=False)


def _check_shape(frame: pd.DataFrame) -> pd.DataFrame:
    rows, width = frame.shape
    if width == 0:
        raise ValueError(
            f"0 feature(s) (shape=({rows}, 0)) while a minimum of 1 is required: the table has no columns."
        )
    if rows == 0:
        raise ValueError(f"0 sample(s) (shape=(0, {width})) while a minimum of 1 is required: the table has no rows.")
    if isinstance(frame.columns, pd.MultiIndex):
        raise ValueError(
            f"The column names have {frame.columns.nlevels} levels, such as {frame.columns[0]}: "
            "give each column one name, as in df.columns = ['_'.join(map(str, names)) for names in df.columns]."
        )
    if not all(isinstance(name, str) for name in frame.columns):
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()].unique().tolist()
        raise ValueError(f"Column names must be unique, but {twice} stand more than once: rename or drop them.")
    return frame


def _from_arrow(table: pa.Table) -> pd.DataFrame:
    if len(set(table.column_names)) < table.num_columns:
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        raise ValueError(f"Column names must be unique, but {twice} stand more than once: rename or drop them.")
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and field.type.index_type not in (pa.int8(), pa.int16(), pa.int32()):
            wanted = pa.dictionary(pa.int32(), field.type.value_type)
            table = table.set_column(i, field.name, table.column(i).cast(wanted))
    return table.to_pandas()


def check_finite(name: str, numbers: np.ndarray) -> np.ndarray:
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"Column {name!r} holds {numbers[row]} in row {row} (counted from 0); "
            "infinity is no measurement: replace it by a number or by NaN."
        )
    return numbers


def _family(name: str, raw: Any) -> Any:
    """Bring an array as pandas holds it into one of the four families."""
    dtype = raw.dtype
    if isinstance(raw, np.ndarray) and dtype.kind in "biuf":
        return check_finite(name, raw) if dtype.kind == "f" else raw
    if isinstance(dtype, pd.ArrowDtype):
        return _family(name, _plain_array(pa.chunked_array(raw.__arrow_array__()).to_pandas()))
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_categorical(raw)
    if isinstance(dtype, pd.StringDtype):
        return _dictionary_encode(name, raw)
    if isinstance(dtype, pd.SparseDtype):
        return _family(name, np.asarray(raw))
    if isinstance(dtype, pd.PeriodDtype):
        return raw.to_timestamp()
    if types.is_datetime64_any_dtype(dtype):
        return pd.array(raw) if isinstance(raw, np.ndarray) else raw
    if types.is_timedelta64_dtype(dtype):
        return pd.TimedeltaIndex(raw).total_seconds().to_numpy(np.float64)
    if types.is_bool_dtype(dtype):
        return _from_booleans(raw)
    if types.is_complex_dtype(dtype):
        raise ValueError(f"Complex data not supported: column {name!r} holds complex numbers.")
    if types.is_numeric_dtype(dtype):
        if dtype.kind in "iu" and not raw.isna().any():
            return raw.to_numpy(dtype=dtype.numpy_dtype)
        return check_finite(name, raw.to_numpy(dtype=np.float64, na_value=np.nan))
    return _from_objects(name, np.asarray(raw, dtype=object))


def _plain_array(series: pd.Series) -> Any:
    array = series.array
    return array.to_numpy() if type(array).__name__ == "NumpyExtensionArray" else array


def _from_categorical(raw: pd.Categorical) -> Any:
    if raw.categories.dtype.kind == "M" or isinstance(raw.categories.dtype, pd.PeriodDtype):
        return _family("", raw.categories.array.take(raw.codes, allow_fill=True))
    return Labels(np.asarray(raw.codes), raw.categories.tolist())


def _from_booleans(raw: Any) -> Any:
    missing = pd.isna(raw)
    if not missing.any():
        return np.asarray(raw, dtype=bool)
    return Labels(np.where(missing, -1, np.where(missing, False, raw).astype(np.int8)), [False, True])


def _from_objects(name: str, objects: np.ndarray) -> Any:
    """Objects are what they hold: numbers (decimals too), booleans, dates, or else labels."""
    held = types.infer_dtype(objects, skipna=True)
    if held == "mixed":
        held = _sort_of_mixed(name, objects)
    if held in ("integer", "floating", "mixed-integer-float", "decimal", "empty"):
        return _from_number_objects(name, objects, held)
    if held == "boolean":
        return _from_booleans(objects)
    if held in ("datetime", "datetime64", "date"):
        try:
            return pd.to_datetime(pd.Series(objects)).array
        except (ValueError, TypeError) as error:
            raise ValueError(f"Column {name!r} holds dates that do not go together: {error}") from error
    if held in ("timedelta", "timedelta64"):
        return pd.TimedeltaIndex(objects).total_seconds().to_numpy(np.float64)
    if held == "complex":
        raise ValueError(f"Complex data not supported: column {name!r} holds complex numbers.")
    return _dictionary_encode(name, objects)


def _from_number_objects(name: str, objects: np.ndarray, held: str) -> np.ndarray:
    missing = pd.isna(objects)
    if held == "integer" and not missing.any():
        whole = pd.to_numeric(objects)
        if whole.dtype.kind in "iu":
            return whole
    return check_finite(name, np.where(missing, np.nan, objects).astype(np.float64))


def _sort_of_mixed(name: str, objects: np.ndarray) -> str:
    """What pandas calls mixed may still be all numbers (floats and decimals) or all dates (with and without a time)."""
    present = objects[~pd.isna(objects)]
    if all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in present):
        return "decimal"
    is_date = [isinstance(value, datetime.date) for value in present]
    if any(is_date) and not all(is_date):
        other = next(value for value, dated in zip(present, is_date, strict=True) if not dated)
        raise ValueError(
            f"Column {name!r} mixes dates with other values, such as {other!r}: turn the whole column into dates, "
            "with pandas.to_datetime, or into text."
        )
    return "date" if any(is_date) else "mixed"


def _number_labels(numbers: np.ndarray) -> list[int | float]:
    """Whole numbers as ints; float32 as the decimals they were written as, which float64 columns hold too."""
    if numbers.dtype == np.float64:
        floats = numbers.tolist()
    else:
        floats = [float(number if number.is_integer() else str(number)) for number in numbers]
    return [int(number) if number.is_integer() and abs(number) < _LARGEST_EXACT else number for number in floats]


# From this many rows on, threads are worth their start.
_MANY_ROWS = 50_000

# Below this many rows a dictionary costs more than it saves: each row is its own entry.
_FEW_ROWS = 64


def _dictionary_encode(name: str, raw: Any) -> Labels:
    if len(raw) <= _FEW_ROWS:
        values = raw.tolist() if isinstance(raw, np.ndarray) else raw.__arrow_array__().to_pylist()
        codes = np.arange(len(values))
        for row, value in enumerate(values):
            _check_hashable(name, value)
            if _is_missing(value):
                codes[row] = -1
        return Labels(codes, values)
    try:
        codes, uniques = pd.factorize(raw)
    except TypeError:
        for value in raw:
            _check_hashable(name, value)
        raise
    return Labels(codes, uniques.tolist() if isinstance(uniques, np.ndarray) else uniques.to_numpy(object).tolist())


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or value != value


def _check_hashable(name: str, value: Any) -> None:
    if value.__hash__ is None:
        raise TypeError(
            f"Column {name!r} holds {value!r} of type {type(value).__name__}: "
            "argument must be a string, a number, a boolean or a date in every row."
        )
