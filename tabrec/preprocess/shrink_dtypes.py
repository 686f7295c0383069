"""`shrink_dtypes`: reduce the memory of a table."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types
from sklearn.utils._param_validation import Interval, validate_params

from tabrec.tables.columns import as_frame

_INTEGERS = {"i": ("int8", "int16", "int32", "int64"), "u": ("uint8", "uint16", "uint32", "uint64")}
# Largest error of float32, relative to the value and to the range of the column.
_FLOAT_TOLERANCE = 1e-6


@validate_params(
    {"floats": ["boolean"], "objects_to_category": ["boolean"], "max_share": [Interval(Real, 0, 1, closed="both")]},
    prefer_skip_nested_validation=True,
)
def shrink_dtypes(
    df: Any, *, floats: bool = True, objects_to_category: bool = True, max_share: float = 0.5
) -> pd.DataFrame:
    """Give each column of a table the smallest dtype that holds its values.

    - Integers become the smallest integer dtype that holds them. Signed integers stay signed, so that the difference
      of two columns does not overflow.
    - Nullable integers (``Int64``) become the smallest nullable integer dtype that holds them.
    - Floats become ``float32``, and ``Float64`` becomes ``Float32``, if that changes next to nothing (see Notes).
    - Text becomes ``category`` if labels repeat; see `max_share`.
    - Booleans, dates, categories and other dtypes stay as they are.

    Parameters
    ----------
    df : table or array-like of shape (n_rows, n_columns)
        A pandas, polars or arrow table, or an array. It is not modified. Column names are converted to text.
    floats : bool, default=True
        Whether to shrink float columns; if False, every value stays exactly the same.
    objects_to_category : bool, default=True
        Whether to turn text columns into categories.
    max_share : float, default=0.5
        A text column becomes a category if it has at most this many distinct labels per row that is not missing. With
        0.5, labels occur twice on average; 1 accepts every column.

    Returns
    -------
    pandas.DataFrame of shape (n_rows, n_columns)
        A new frame with the index of `df`.

    Raises
    ------
    ValueError
        `max_share` is not between 0 and 1, or `df` has no rows, no columns or duplicate column names.

    See Also
    --------
    column_kinds : Describes each column of a table.

    Notes
    -----
    A float column is shrunk if float32 keeps each value within a relative 1e-6 and within 1e-6 of the range of the
    column. The second condition keeps values distinct that lie close together and far from zero, such as coordinates
    or seconds since 1970. A column of whole numbers, such as an id with missing values, is only shrunk if every value
    stays exact.

    References
    ----------
    .. [1] The function `df_shrink` of fastai 2, which only considers the range of a column.

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
    frame = as_frame(df)
    dtypes: dict[Any, Any] = {name: column.dtype for name, column in frame.items()}
    for name, column in frame.items():
        if types.is_integer_dtype(column.dtype):
            dtypes[name] = _smallest_integer(column)
        elif floats and types.is_float_dtype(column.dtype) and getattr(column.dtype, "itemsize", 8) > 4:
            dtypes[name] = _smallest_float(column)
        elif objects_to_category and _is_repeating_text(column, max_share):
            dtypes[name] = pd.CategoricalDtype()
    return frame.astype(dtypes)


def _smallest_integer(column: pd.Series) -> Any:
    lowest, highest = (0, 0) if column.isna().all() else (int(column.min()), int(column.max()))
    limits = {name: np.iinfo(name) for name in _INTEGERS[column.dtype.kind]}
    fitting = (name for name, limit in limits.items() if int(limit.min) <= lowest and highest <= int(limit.max))
    return _in_family_of(column.dtype, next(fitting))


def _smallest_float(column: pd.Series) -> Any:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    return column.dtype if len(values) and _loses_digits(values) else _in_family_of(column.dtype, "float32")


def _loses_digits(values: np.ndarray) -> bool:
    """Return whether float32 changes any of the values, which are finite, by more than the tolerance."""
    with np.errstate(over="ignore", under="ignore"):
        error = np.abs(values.astype(np.float32).astype(np.float64) - values)
    if (values == np.floor(values)).all():
        return bool(error.any())
    with np.errstate(over="ignore", under="ignore"):
        tolerance = _FLOAT_TOLERANCE * np.minimum(np.abs(values), np.ptp(values))
    return bool((error > tolerance).any())


def _in_family_of(dtype: Any, name: str) -> Any:
    """Return the numpy dtype of this name, or its nullable or arrow counterpart if `dtype` is one."""
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
