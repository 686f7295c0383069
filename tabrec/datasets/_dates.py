"""`read_columns_of_dates`: read dates from numbers, by name and range of the column, and from given formats."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from tabrec.tables.columns import Column
from tabrec.tables.dates import as_dates, find_date_marks, find_format

# Number of units per second.
_UNIX = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_UNITS: dict[str, Any] = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
_COMPACT = "%Y%m%d"
_NO_DATES = "none"
_NAMES = {"excel": "days of Excel", **{unit: f"{unit} since 1970" for unit in _UNIX}}
_FIRST, _LAST = pd.Timestamp("1980-01-01"), pd.Timestamp("2100-01-01")
_FIRST_DAY_OF_EXCEL = pd.Timestamp("1899-12-30")

_WORD = re.compile("[A-Z]?[^\\W\\d_A-Z]+|[A-Z]+")
_DATE = re.compile("dates?|dt|day|datum|fecha|.*datum|.*(?<!candi)(?<!man)(?<!vali)date|.*datetime")
_TIME = re.compile("times?|.*stamp|.*time|zeit|.*zeit|ts|unix|epoch|when|created|updated|modified")
_SPAN = re.compile("duration|elapsed|delta|lag|age|run|life|up|down|(run|life|up|down)time|remaining")


def read_columns_of_dates(
    frame: pd.DataFrame, formats: Mapping[str, str], others: Collection[str]
) -> tuple[pd.DataFrame, dict[str, str], list[str]]:
    """Read the columns of a frame that are dates: numbers in `formats` or by name and range, text in `formats`.

    Columns in `others` are only read if `formats` has them. Returns a new frame, the format of each column that was
    converted, and what was assumed, also of text that models will read as dates.
    """
    converted, said, unclear = dict(formats), [], []
    for key, column in frame.items():
        name = str(key)
        if name in formats or name in others:
            continue
        if types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
            if found := find_notation(name, column):
                converted[name] = found
                said.append(f"{name} ({_NAMES.get(found, found)})")
        elif isinstance(column.dtype, pd.CategoricalDtype):
            found = _find_text_format(name, column)
            if found:
                said.append(f"{name} ({found})")
            elif found is not None:
                unclear.append(name)
    dates = {name: _read(name, frame[name], form) for name, form in converted.items() if form != _NO_DATES}
    assumed = [f"dates in {', '.join(said)}"] if said else []
    assumed += [f"the dates of {name} of no single format, kept as text (--date {name}=FORMAT)" for name in unclear]
    return frame.assign(**dates) if dates else frame, converted, assumed


def find_notation(name: str, numbers: pd.Series) -> str | None:
    """Return the notation of dates in a column of numbers; None if its name or range is not that of dates."""
    words = [word.casefold() for word in _WORD.findall(name)]
    is_date = any(map(_DATE.fullmatch, words))
    if not (is_date or any(map(_TIME.fullmatch, words))) or any(map(_SPAN.fullmatch, words)):
        return None
    present = numbers.dropna().astype(np.float64)
    if not len(present):
        return None
    low, high = present.min(), present.max()
    if is_date and _is_between(low, high, *((day - _FIRST_DAY_OF_EXCEL).days for day in (_FIRST, _LAST))):
        return "excel"
    is_whole = bool((present % 1 == 0).all())
    if is_whole and _is_between(low, high, 19000101, 21001231):
        texts = present.astype(np.int64).astype(str)
        return _COMPACT if pd.to_datetime(texts, format=_COMPACT, errors="coerce").notna().all() else None
    for unit, n in _UNIX.items():
        if (is_whole or n == 1) and _is_between(low, high, _FIRST.timestamp() * n, _LAST.timestamp() * n):
            return unit
    return None


def _is_between(low: float, high: float, first: float, last: float) -> bool:
    return first <= low and high < last


def _find_text_format(name: str, column: pd.Series) -> str | None:
    """Return the date format of a text column, "" if it is ambiguous, and None if the column does not hold dates."""
    text = Column(name, column.array)
    marks = find_date_marks(text)
    if marks is None:
        return None
    try:
        return find_format(name, [label for label in text.values.in_use if label not in marks])
    except ValueError:
        return ""


def _read(name: str, column: pd.Series, date_format: str) -> pd.Series:
    try:
        dates = (
            _read_numbers(column, date_format) if types.is_numeric_dtype(column) else _read_text(column, date_format)
        )
    except (ValueError, TypeError, OverflowError) as error:
        example = next(iter(column.dropna()), None)
        raise ValueError(
            f"Column {name!r} holds {example!r} among others, which are not all dates of the format {date_format!r} "
            f"(--date {name}=FORMAT): give a format such as %d/%m/%Y, quarter, week, excel, seconds or milliseconds, "
            "or none."
        ) from error
    return pd.Series(dates, index=column.index)


def _read_numbers(column: pd.Series, date_format: str) -> pd.Series:
    if date_format == "excel":
        return _FIRST_DAY_OF_EXCEL + pd.to_timedelta((column.astype(float) * 86_400).round(), unit="s")
    if date_format in _UNIX:
        return pd.to_datetime(column, unit=_UNITS[date_format])
    texts = column.astype("Int64").astype("string").astype(object).where(column.notna(), None)
    return pd.to_datetime(texts, format=date_format)


def _read_text(column: pd.Series, date_format: str) -> pd.DatetimeIndex:
    distinct, rows = as_dates(Column(str(column.name), column.array), date_format, None)
    return pd.DatetimeIndex(distinct.append(pd.DatetimeIndex([pd.NaT])))[rows]
