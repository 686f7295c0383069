"""Kinds of columns, for a first look before any modelling."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from tabrec.tables.columns import Column, as_frame, to_columns
from tabrec.tables.dates import find_date_marks, find_format
from tabrec.tables.names import check_named
from tabrec.tables.text_numbers import read_text_numbers

# With fewer rows than this, distinct values may be due to chance.
_MIN_ROWS_OF_ID = 10


_MAX_CARD = {"max_card": [Interval(Integral, 0, None, closed="left")]}


@validate_params(_MAX_CARD, prefer_skip_nested_validation=True)
def column_kinds(df: Any, *, max_card: int = 20) -> pd.DataFrame:
    """Describe each column of a raw table and infer its kind.

    Parameters
    ----------
    df : table or array-like of shape (n_rows, n_columns)
        A pandas, polars or arrow table, or an array. It is not modified.
    max_card : int, default=20
        Whole numbers with at most this many distinct values count as categorical.

    Returns
    -------
    pandas.DataFrame
        One row per column, indexed by its name, with

        - ``kind``: ``"continuous"`` (text that is numbers too); ``"categorical"``; ``"date"`` (datetimes, or text that
          fits a single date format); ``"id"`` (at least 10 whole numbers or texts, all distinct, or whole numbers that
          never decrease or never increase from row to row and have more than `max_card` distinct values);
          ``"constant"`` (at most one distinct value);
        - ``dtype``: the pandas name of the dtype;
        - ``n_unique``: number of distinct values that are not missing;
        - ``missing``: share of missing rows;
        - ``example``: a value that is not missing, or None.

    See Also
    --------
    cont_cat_split : Names of the continuous and of the categorical columns.
    TabularPreprocessor : Encodes the columns of a raw table.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import column_kinds
    >>> table = pd.DataFrame({
    ...     "price": [9.5, 14.0, 11.2],
    ...     "state": ["Ohio", None, "Utah"],
    ...     "sold": ["2011-01-02", "2011-01-02", "2012-04-05"],
    ... })
    >>> column_kinds(table)[["kind", "n_unique"]]
                  kind  n_unique
    column
    price   continuous         3
    state  categorical         2
    sold          date         2
    """
    frame = as_frame(df)
    rows = [_describe(column, max_card) for column in to_columns(frame).values()]
    return pd.DataFrame(rows, index=pd.Index(frame.columns, name="column"))


@validate_params(_MAX_CARD, prefer_skip_nested_validation=True)
def cont_cat_split(
    df: Any, max_card: int = 20, target: str | Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Split the columns of a table into continuous and categorical ones.

    Floats, whole numbers with more than `max_card` distinct values and text that is such numbers are continuous; other
    text, booleans, ``category`` columns and the other whole numbers are categorical. Dates are neither; `DateParts`
    turns them into numbers.

    Parameters
    ----------
    df : table or array-like of shape (n_rows, n_columns)
        A pandas, polars or arrow table, or an array. It is not modified.
    max_card : int, default=20
        Whole numbers with at most this many distinct values count as categorical.
    target : str or list of str, default=None
        Columns to leave out.

    Returns
    -------
    continuous, categorical : list of str
        Names of the columns, in the order of the table.

    See Also
    --------
    column_kinds : Describes each column, dates and ids included.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import cont_cat_split
    >>> table = pd.DataFrame({"price": [9.5, 14.0], "hours": [300.0, None], "state": ["Ohio", "Utah"]})
    >>> cont_cat_split(table, target="price")
    (['hours'], ['state'])
    """
    columns = to_columns(as_frame(df))
    left_out = check_named("target", [target] if isinstance(target, str) else list(target or []), columns)
    looked_at = [column for name, column in columns.items() if name not in left_out and not is_date(column)]
    continuous = [column.name for column in looked_at if is_continuous(_as_read(column), max_card)]
    return continuous, [column.name for column in looked_at if column.name not in continuous]


def is_continuous(column: Column, max_card: int) -> bool:
    """Return whether a column holds floats, or whole numbers with more than `max_card` distinct values."""
    if not column.is_number:
        return False
    return column.values.dtype.kind == "f" or max_card == 0 or len(pd.unique(column.values)) > max_card


def is_date(column: Column) -> bool:
    """Return whether a column holds dates, or text that fits a single date format."""
    if column.is_date:
        return True
    if not column.is_label or (isinstance(column.raw.dtype, pd.CategoricalDtype) and column.raw.dtype.ordered):
        return False
    marks = find_date_marks(column)
    if marks is None:
        return False
    try:
        find_format(column.name, [label for label in column.values.in_use if label not in marks])
    except ValueError:
        return False
    return True


def _as_read(column: Column) -> Column:
    """Read a column as numbers if its text is numbers; return others unchanged."""
    read = read_text_numbers(column)
    return column if read is None else read[0]


def _describe(raw: Column, max_card: int) -> dict[str, Any]:
    column = raw if is_date(raw) else _as_read(raw)
    missing = column.missing
    distinct = _distinct(column)
    return {
        "kind": _kind(column, distinct, int((~missing).sum()), max_card),
        "dtype": str(raw.raw.dtype),
        "n_unique": len(distinct),
        "missing": float(missing.mean()),
        "example": raw.example(),
    }


def _distinct(column: Column) -> Any:
    if column.is_label:
        return set(column.values.in_use)
    present = column.values[~column.missing]
    return pd.unique(present) if isinstance(present, np.ndarray) else present.unique()


def _kind(column: Column, distinct: Any, n_present: int, max_card: int) -> str:
    if len(distinct) <= 1:
        return "constant"
    if is_date(column):
        return "date"
    if _is_id(column, distinct, n_present, max_card):
        return "id"
    return "continuous" if is_continuous(column, max_card) else "categorical"


def _is_id(column: Column, distinct: Any, n_present: int, max_card: int) -> bool:
    whole = column.is_number and column.values.dtype.kind in "iu"
    if n_present < _MIN_ROWS_OF_ID or not (whole or column.is_label):
        return False
    if len(distinct) == n_present:
        return True
    steps = np.sign(np.diff(column.values.astype(np.float64))) if whole else np.array([-1, 1])
    return len(distinct) > max_card and abs(steps.min() - steps.max()) <= 1


def check_still_numbers(column: Column) -> None:
    """Raise a ValueError if a column without values in fit now holds values other than numbers."""
    if (column.is_label or column.is_date) and not column.missing.all():
        raise ValueError(
            f"Column {column.name!r} had no values in fit and was read as numbers, but now holds {column.family()} "
            f"such as {column.example()!r}; list it in categorical_columns, date_columns or drop_columns."
        )
