"""Read tables of any kind as named columns; no other module distinguishes pandas, polars, arrow and numpy tables.

Libraries are not distinguished by name. The arrow stream that polars, duckdb, ibis, cudf and pyarrow offer, and the
older `__dataframe__`, give the columns of all of them without a dependency on any.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.interchange import from_dataframe
from scipy.sparse import issparse
from sklearn.utils import check_array

from tabrec.tables.chunks import refuse_chunks
from tabrec.tables.column_values import LARGEST_EXACT, Labels, check_finite, number_labels, read_values

# Starting threads is worthwhile from this many rows on.
_MANY_ROWS = 50_000
_LONG = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Column:
    """A named column: its array in the frame (`raw`) and its `values`, one of four families; see `column_values`."""

    __slots__ = ("_n_codes", "_values", "name", "raw")

    def __init__(self, name: str, raw: Any):
        self.name = name
        self.raw = raw
        self._values: Any = None
        self._n_codes: int | None = None

    @property
    def n_codes(self) -> int:
        """Number of codes of a column of an encoded frame, cached; 0 for other columns."""
        if self._n_codes is None:
            self._n_codes = len(self.raw.dtype.categories) if are_codes(self.raw.dtype) else 0
        return self._n_codes

    @classmethod
    def of_labels(cls, name: str, raw: Any, values: Labels) -> Column:
        """Return a column of labels that are known; `raw` gives the dtype."""
        column = cls(name, raw)
        column._values = values
        return column

    @property
    def values(self) -> Any:
        """The values as one of the four families, cached."""
        if self._values is None:
            self._values = read_values(self.name, self.raw)
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
        """Mask of missing values: bool array of shape (n_rows,)."""
        if self.is_label:
            return self.values.codes < 0
        if self.is_number or self.is_boolean:
            return np.isnan(self.values) if self.values.dtype.kind == "f" else np.zeros(len(self.values), bool)
        return np.asarray(self.values.isna())

    def family(self) -> str:
        """Name of the family, for messages."""
        if self.is_label:
            return "labels"
        if self.is_date:
            return "dates"
        return "numbers" if self.is_number else "booleans"

    def as_labels(self) -> Labels:
        """Dictionary-encode a column of any family except dates."""
        if self.is_label:
            return self.values
        codes, uniques = pd.factorize(self.values)
        if uniques.dtype.kind != "f":
            return Labels(codes, uniques.tolist())
        if self.raw.dtype.kind in "iuO" and len(uniques) and abs(uniques).max() >= LARGEST_EXACT:
            # float64 does not distinguish all of these whole numbers.
            codes, uniques = pd.factorize(np.asarray(self.raw, dtype=object))
            return Labels(codes, uniques.tolist())
        return Labels(codes, number_labels(uniques))

    def example(self) -> Any:
        """Return a value of the column that is not missing, or None."""
        present = np.flatnonzero(~self.missing)
        if not len(present):
            return None
        row = present[0]
        value = self.values.labels[self.values.codes[row]] if self.is_label else self.values[row]
        return value.item() if isinstance(value, np.generic) else value


def as_frame(X: Any) -> pd.DataFrame:
    """Convert a table of any kind to a new pandas frame, whose columns may be replaced but not modified.

    The frame shares the data of the caller. Columns of an array are named ``x0``, ``x1``, …; other names are converted
    to text. A lazy table is collected: once in each fit or predict. A table without rows or columns, with duplicate
    names or complex numbers is a ValueError; a sparse matrix or a file name is a TypeError.
    """
    return read_frame(X).copy(deep=False)


def read_frame(X: Any) -> pd.DataFrame:
    """Convert a table to a pandas frame as `as_frame` does, but only for reading: it may be the frame of the caller."""
    if isinstance(X, str | os.PathLike):
        raise TypeError(f"Got the text {os.fspath(X)!r}, not a table: read the file first, as with pandas.read_csv.")
    # Some sparse matrices are mappings; check_array refuses them.
    if (isinstance(X, Mapping) and not issparse(X)) or (isinstance(X, list) and len(X) and isinstance(X[0], Mapping)):
        kind = "a list of dicts" if isinstance(X, list) else f"a {type(X).__name__}"
        raise TypeError(f"Got {kind}, not a table: pass pandas.DataFrame(X).")
    refuse_chunks(X)
    if isinstance(X, pd.Series) and X.index.nlevels > 1:
        raise ValueError(f"Expected a 2-dimensional container, a table, but got a Series.{advise_on_index(X)}")
    if isinstance(X, pd.DataFrame):
        frame = X
    elif _offers_columns(X):
        frame = _from_other_library(X)
    else:
        array = check_array(X, dtype=None, ensure_all_finite=False)
        frame = pd.DataFrame(array, copy=False, columns=[f"x{i}" for i in range(array.shape[1])])
    return _check_shape(frame)


def advise_on_index(X: pd.DataFrame | pd.Series) -> str:
    """Return advice for messages on a named or multi-level index, which is not read; empty for other indexes."""
    names = [str(name) for name in X.index.names if name is not None]
    if not names and X.index.nlevels == 1:
        return ""
    held = f"holds {', '.join(map(repr, names))}" if names else f"has {X.index.nlevels} levels"
    return f" Its index {held}: pass it with reset_index(), which makes columns of the index."


def is_table(X: Any) -> bool:
    """Return whether X is a data frame of any library, lazy or not, rather than an array or a single column."""
    # Single columns of polars and arrow, which offer a stream too, have a type of their own.
    is_column = hasattr(type(X), "dtype") or hasattr(type(X), "type")
    return isinstance(X, pd.DataFrame) or (not is_column and _offers_columns(X))


def _offers_columns(X: Any) -> bool:
    """Return whether X is a data frame or a single column of another library than pandas."""
    if isinstance(X, (np.ndarray, pd.Series, list)):
        return False
    return any(hasattr(X, name) for name in ("__arrow_c_stream__", "__dataframe__", "collect_schema"))


def to_columns(frame: pd.DataFrame) -> dict[str, Column]:
    """Get the columns of a frame by name; infinite numbers raise a ValueError."""
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
    """Read the values of text and category columns in threads; arrow encodes text without holding the GIL."""
    labelled = [column for column in columns if isinstance(column.raw.dtype, (pd.StringDtype, pd.CategoricalDtype))]
    in_threads(_read_and_count, labelled, len(labelled[0].raw) if labelled else 0)


def _read_and_count(column: Column) -> None:
    if column.is_label:
        column.values.counts  # noqa: B018


def in_threads(work: Callable[[_Item], _Result], items: Collection[_Item], n_rows: int) -> list[_Result]:
    """Map a function over items, in threads if the items have many rows."""
    if n_rows < _MANY_ROWS or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def from_columns(arrays: Mapping[str, Any], index: pd.Index) -> pd.DataFrame:
    """Make a frame of the given numpy or pandas arrays."""
    return pd.DataFrame(dict(arrays), index=index, copy=False)


def are_codes(dtype: Any) -> bool:
    """Return whether a dtype is that of codes in an encoded frame: the categories are the integers 0..K."""
    if not isinstance(dtype, pd.CategoricalDtype):
        return False
    codes = dtype.categories
    if isinstance(codes, pd.RangeIndex):
        return len(codes) > 0 and codes.start == 0 and codes.step == 1
    return codes.dtype.kind in "iu" and len(codes) > 0 and np.array_equal(codes, np.arange(len(codes)))


def code_texts(n_codes: int) -> list[str]:
    """Return the categories of a polars Enum that holds codes: "0", "1", …"""
    return [str(code) for code in range(n_codes)]


def _check_shape(frame: pd.DataFrame) -> pd.DataFrame:
    rows, width = frame.shape
    if width == 0:
        advice = advise_on_index(frame)
        raise ValueError(
            f"0 feature(s) (shape=({rows}, 0)) while a minimum of 1 is required: the table has no columns.{advice}"
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
        repeated = frame.columns[frame.columns.duplicated()].unique().tolist()
        raise ValueError(f"Column names must be unique, but {repeated} occur more than once; rename or drop them.")
    return frame


def _from_other_library(X: Any) -> pd.DataFrame:
    """Convert a table by its interface: narwhals' `to_native`, polars' `collect`, arrow streams or `__dataframe__`."""
    if hasattr(X, "to_native"):
        return read_frame(X.to_native())
    if hasattr(X, "collect_schema") and hasattr(X, "collect"):
        return read_frame(X.collect())
    if not hasattr(X, "__arrow_c_stream__"):
        return _from_arrow(from_dataframe(X))
    try:
        return _from_arrow(pa.table(X))
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"Expected a 2-dimensional container, but {type(X).__name__} cannot be read as a table: {error}. "
            "Pass a table of one column for a single column."
        ) from error


def _from_arrow(table: pa.Table) -> pd.DataFrame:
    enums = [field.name for field in table.schema if any(b"ENUM" in key for key in field.metadata or ())]
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and field.type.index_type not in (pa.int8(), pa.int16(), pa.int32()):
            wanted = pa.dictionary(pa.int32(), field.type.value_type)
            table = table.set_column(i, field.name, table.column(i).cast(wanted))
    frame, long = table.to_pandas(), _long_integers(table)
    return _read_codes(frame.assign(**long) if long else frame, enums)


def _long_integers(table: pa.Table) -> dict[str, Any]:
    """Return integer columns with missing values whose conversion to float64 would merge values beyond 2**53."""
    found = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if field.type in _LONG and column.null_count:
            ends = pc.min_max(column).as_py().values()
            if any(end is not None and abs(end) >= LARGEST_EXACT for end in ends):
                found[field.name] = column.to_pandas(types_mapper=_LONG.get).array
    return found


def _read_codes(frame: pd.DataFrame, enums: list[str]) -> pd.DataFrame:
    """Read the Enums of an encoded frame, as `as_output` writes them; those of other frames are labels."""
    sizes = {name: len(frame[name].cat.categories) for name in enums}
    kinds = {dtype for name, dtype in frame.dtypes.items() if name not in sizes}
    single, double = np.dtype(np.float32), np.dtype(np.float64)
    # Raw frames have float64 columns too, but rarely next to float32.
    may_be_encoded = kinds <= {single, double, np.dtype(bool)} and (double not in kinds or single in kinds)
    if not may_be_encoded or any(list(frame[name].cat.categories) != code_texts(n) for name, n in sizes.items()):
        return frame
    codes = {name: frame[name].cat.rename_categories(range(n)) for name, n in sizes.items()}
    return frame.assign(**codes)
