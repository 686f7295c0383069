"""`shrink_dtypes`: the same table in less memory."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types

from tabrec.tables.columns import as_frame

_INTEGERS = {"i": ("int8", "int16", "int32", "int64"), "u": ("uint8", "uint16", "uint32", "uint64")}
# what float32 may lose, as a share of the value itself and of the range of the column
_FLOAT_TOLERANCE = 1e-6


def shrink_dtypes(
    df: Any, *, floats: bool = True, objects_to_category: bool = True, max_share: float = 0.5
) -> pd.DataFrame:
    """Give each column of a table the smallest dtype that holds its values.

    - integer: the smallest integer that holds it; signed stays signed, so that a difference of two columns does not
      wrap round below zero
    - nullable integer (``Int64``): the smallest nullable integer that holds it
    - float, ``Float64``: ``float32``, ``Float32`` where that loses next to nothing (see Notes)
    - text: ``category`` where labels repeat, see `max_share`
    - bool, date, category, others: as it is

    Parameters
    ----------
    df : dataframe (pandas, polars or pyarrow) or array-like of shape (n_rows, n_columns)
        The table. It is not changed. Names of columns that are no text become text.
    floats : bool, default=True
        Whether to shrink float columns; without, every value stays exactly what it was.
    objects_to_category : bool, default=True
        Whether to turn text columns into categories.
    max_share : float, default=0.5
        A text column becomes a category if it has at most this many distinct labels per row that is not
        missing: 0.5 asks that a label occurs twice on average. Between 0 and 1, where 1 takes every column.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        A new frame with the index of `df`.

    Raises
    ------
    ValueError
        If `max_share` is not between 0 and 1, or `df` is no table that this package takes.

    Notes
    -----
    A float column is shrunk if float32 keeps each value to a relative 1e-6 and to 1e-6 of the range of the
    column. The second condition keeps apart values that lie close together and far from zero, such as
    coordinates or seconds since 1970. A column of whole numbers, such as an id with gaps, is shrunk only if
    every value stays exact.

    References
    ----------
    .. [1] The function `df_shrink` of fastai 2, which decides by the range of a column alone.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import shrink_dtypes
    >>> sales = pd.DataFrame({
    ...     "price": [9500, 14000, 66000],
    ...     "weight": [2.5, None, 7.25],
    ...     "state": ["Ohio", "Ohio", None],
    ...     "time": [1.7e9, 1.7e9 + 1, 1.7e9 + 2],
    ... })
    >>> shrink_dtypes(sales).dtypes
    price        int32
    weight     float32
    state     category
    time       float64
    dtype: object
    """
    if not isinstance(max_share, numbers.Real) or isinstance(max_share, bool) or not 0 <= max_share <= 1:
        raise ValueError(f"max_share={max_share!r} must be a number between 0 and 1.")
    frame = as_frame(df)
    dtypes = {name: column.dtype for name, column in frame.items()}
    for name, column in frame.items():
        if types.is_integer_dtype(column.dtype):
            dtypes[name] = _smallest_integer(column)
        elif floats and types.is_float_dtype(column.dtype) and column.dtype.itemsize > 4:
            dtypes[name] = _smallest_float(column)
        elif objects_to_category and _is_repeating_text(column, max_share):
            dtypes[name] = pd.CategoricalDtype()
    return frame.astype(dtypes)


def _smallest_integer(column: pd.Series) -> Any:
    lowest, highest = (0, 0) if column.isna().all() else (int(column.min()), int(column.max()))
    fitting = (name for name in _INTEGERS[column.dtype.kind] if _holds(name, lowest, highest))
    return _in_family_of(column.dtype, next(fitting))


def _holds(integer: str, lowest: int, highest: int) -> bool:
    limits = np.iinfo(integer)
    return int(limits.min) <= lowest and highest <= int(limits.max)


def _smallest_float(column: pd.Series) -> Any:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    if len(values) and _loses_digits(values):
        return column.dtype
    return _in_family_of(column.dtype, "float32")


def _loses_digits(values: np.ndarray) -> bool:
    """Whether float32 holds the values, all finite, less well than promised."""
    with np.errstate(over="ignore", under="ignore"):
        error = np.abs(values.astype(np.float32).astype(np.float64) - values)
    if (values == np.floor(values)).all():
        return bool(error.any())
    with np.errstate(over="ignore", under="ignore"):
        tolerance = _FLOAT_TOLERANCE * np.minimum(np.abs(values), np.ptp(values))
    return bool((error > tolerance).any())


def _in_family_of(dtype: Any, name: str) -> Any:
    """The numpy dtype of this name, or its nullable or arrow counterpart where `dtype` is one."""
    if isinstance(dtype, np.dtype):
        return np.dtype(name)
    if isinstance(dtype, pd.ArrowDtype):
        return pd.ArrowDtype(pa.from_numpy_dtype(np.dtype(name)))
    return types.pandas_dtype(name.replace("uint", "UInt").replace("int", "Int").replace("float", "Float"))


def _is_repeating_text(column: pd.Series, max_share: float) -> bool:
    if not (types.is_string_dtype(column.dtype) or types.is_object_dtype(column.dtype)):
        return False
    if types.infer_dtype(column, skipna=True) != "string":
        return False
    return column.nunique() <= max_share * column.count()
