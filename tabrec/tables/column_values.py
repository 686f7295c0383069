"""The values of a column: one of four families; no other module distinguishes text, object, nullable and arrow types.

- a numpy array of numbers: any integer or float dtype, NaN if missing, never infinite;
- a numpy array of bool, nothing missing;
- a pandas `DatetimeArray`, with or without a time zone, NaT if missing;
- `Labels`: dictionary-encoded labels, -1 if missing.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

_NUMBERS = (int, float, Decimal, np.number)
# float64 does not represent all larger whole numbers.
LARGEST_EXACT = 2**53

# Short columns are not deduplicated, because that costs more than it saves: each row is its own label.
_FEW_ROWS = 64


class Labels:
    """Dictionary-encoded labels: row i holds `labels[codes[i]]`, or is missing if `codes[i]` is -1."""

    __slots__ = ("_counts", "_rows", "codes", "labels")

    def __init__(self, codes: np.ndarray, labels: list):
        self.codes = codes
        self.labels = labels
        self._counts: Any = None
        self._rows: dict[Any, int] | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.codes, self.labels))

    @property
    def counts(self) -> np.ndarray:
        """Number of rows with each label: ndarray of shape (len(labels),), cached."""
        if self._counts is None:
            from_0 = self.codes.astype(np.intp)
            from_0 += 1
            self._counts = np.bincount(from_0, minlength=len(self.labels) + 1)[1:]
        return self._counts

    @property
    def rows(self) -> dict[Any, int]:
        """Number of rows with each label that occurs, cached; the dictionary of a short column repeats labels."""
        if self._rows is None:
            self._rows = {}
            for label, count in zip(self.labels, self.counts.tolist(), strict=True):
                if count:
                    self._rows[label] = self._rows.get(label, 0) + count
        return self._rows

    @property
    def in_use(self) -> list:
        """The labels that occur, in order."""
        return [label for label, count in zip(self.labels, self.counts.tolist(), strict=True) if count]


def read_values(name: str, raw: Any) -> Any:
    """Convert a column of a pandas frame to one of the four families."""
    dtype = raw.dtype
    if isinstance(raw, np.ndarray) and dtype.kind in "biuf":
        return check_finite(name, raw) if dtype.kind == "f" else raw
    if isinstance(dtype, pd.ArrowDtype):
        array = pa.chunked_array(raw.__arrow_array__()).to_pandas().array
        return read_values(name, array.to_numpy() if type(array).__name__ == "NumpyExtensionArray" else array)
    if isinstance(dtype, pd.CategoricalDtype):
        return _from_categorical(raw)
    if isinstance(dtype, pd.StringDtype):
        return _dictionary_encode(name, raw)
    if isinstance(dtype, pd.SparseDtype):
        return read_values(name, np.asarray(raw))
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


def _from_categorical(raw: pd.Categorical) -> Any:
    if raw.categories.dtype.kind == "M" or isinstance(raw.categories.dtype, pd.PeriodDtype):
        return read_values("", raw.categories.array.take(raw.codes, allow_fill=True))
    return Labels(np.asarray(raw.codes), raw.categories.tolist())


def _from_booleans(raw: Any) -> Any:
    missing = pd.isna(raw)
    if not missing.any():
        return np.asarray(raw, dtype=bool)
    return Labels(np.where(missing, -1, np.where(missing, False, raw).astype(np.int8)), [False, True])


def _from_objects(name: str, objects: np.ndarray) -> Any:
    """Objects are converted to the type of their values: numbers (decimals too), booleans, dates, or else labels."""
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
            advice = f"; pass pandas.to_datetime(X[{name!r}], utc=True)" if "utc" in str(error) else ""
            raise ValueError(f"Column {name!r} holds dates that cannot be combined: {error}{advice}.") from error
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
    """Types that pandas calls mixed may be all numbers (floats and decimals) or all dates (with and without a time)."""
    present = objects[~pd.isna(objects)]
    if all(isinstance(value, _NUMBERS) and not isinstance(value, bool) for value in present):
        return "decimal"
    is_date = [isinstance(value, datetime.date) for value in present]
    if any(is_date) and not all(is_date):
        other = next(value for value, dated in zip(present, is_date, strict=True) if not dated)
        raise ValueError(
            f"Column {name!r} mixes dates with other values, such as {other!r}; convert the whole column to dates, "
            "with pandas.to_datetime, or to text."
        )
    return "date" if any(is_date) else "mixed"


def number_labels(numbers: np.ndarray) -> list[int | float]:
    """Convert whole numbers to int, and float32 to the decimals that float64 columns hold for the same text."""
    if numbers.dtype == np.float64:
        floats = numbers.tolist()
    else:
        floats = [float(number if number.is_integer() else str(number)) for number in numbers]
    return [int(number) if number.is_integer() and abs(number) < LARGEST_EXACT else number for number in floats]


def check_finite(name: str, numbers: np.ndarray) -> np.ndarray:
    """Return the numbers of a column if they are finite or NaN, and raise otherwise."""
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise ValueError(
            f"Column {name!r} holds {numbers[row]} in row {row} (counted from 0); "
            "replace infinite values by a number or by NaN."
        )
    return numbers


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
        is_list = isinstance(value, list | set | np.ndarray)
        advice = f" Give each element its own row, as in X.explode({name!r})." if is_list else ""
        raise TypeError(
            f"Column {name!r} holds {value!r} of type {type(value).__name__}: "
            f"argument must be a string, a number, a boolean or a date in every row.{advice}"
        )
