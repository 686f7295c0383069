"""`DateParts`: dates become the numbers a model can split on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import Origin, Origins, input_names
from tabrec.tables.columns import Column
from tabrec.tables.dates import as_dates, learn_dates
from tabrec.tables.names import check_named

_DAY_PARTS = ["Year", "Month", "Week", "Day", "Dayofweek", "Dayofyear"]
_FLAGS = [
    "Is_month_end",
    "Is_month_start",
    "Is_quarter_end",
    "Is_quarter_start",
    "Is_year_end",
    "Is_year_start",
]
_TIME_PARTS = ["Hour", "Minute", "Second"]


class DateParts(FrameTransformer):
    """Replace each date column by its parts, as the book's ``add_datepart`` does.

    ``saledate`` becomes ``saleYear``, ``saleMonth``, ``saleWeek`` (ISO 8601), ``saleDay``, ``saleDayofweek`` (Monday
    is 0), ``saleDayofyear``, six flags from ``saleIs_month_end`` to ``saleIs_year_start``, with ``time=True`` also
    ``saleHour``, ``saleMinute`` and ``saleSecond``, and last ``saleElapsed``, the seconds since 1970-01-01 (UTC;
    negative before). The prefix is the column's name without a final ``date`` or ``Date``.

    Parameters
    ----------
    columns : list of str, dict of str to str, or None, default=None
        The columns to replace; a dict gives the format of each (``{"saledate": "%m/%d/%Y %H:%M"}``; None as a value
        finds it). None takes every column of dates (datetime dtype, or objects that are dates), but no text.
    time : bool, default=False
        Whether to add the parts of the time of day.
    drop : bool, default=True
        Whether to leave out the date column itself.

    Attributes
    ----------
    formats_ : dict of str to (str or None)
        Format by which each replaced column is read from text; None for columns that came as dates.
    time_zones_ : dict of str to (str or None)
        Time zone in whose local time the parts of each column are; dates in other zones are converted to it.
    input_to_outputs_ : dict of str to list of str
        Output columns that come from each input column.
    output_to_input_ : dict of str to str
        Input column that each output column comes from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        A named column is absent, is no date, or is text that no format or more than one format reads; at transform,
        text that the learned format (ISO 8601 for columns that came as dates) cannot read; names of parts that the
        table already has.

    Notes
    -----
    A missing date gives NaN in every number (which `FillMissing` fills and marks) and False in every flag. Numbers are
    int32 (``Elapsed``: int64) where no date is missing, else float64. A text column's format is settled in fit and
    kept, so that a row means the same alone as in its batch. Text with offsets from UTC is read in its offset, or in
    UTC where fit meets several, as on both sides of a change of clocks.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Handling dates".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import DateParts
    >>> sales = pd.DataFrame({"saledate": pd.to_datetime(["2011-12-31", "2012-02-01"]), "price": [9500, 14000]})
    >>> parts = DateParts().fit_transform(sales)
    >>> parts[["price", "saleYear", "saleMonth", "saleDayofweek", "saleIs_year_end"]]
       price  saleYear  saleMonth  saleDayofweek  saleIs_year_end
    0   9500      2011         12              5             True
    1  14000      2012          2              2            False

    Text is read when its format is beyond doubt, and otherwise asks for one:

    >>> DateParts(columns=["day"]).fit(pd.DataFrame({"day": ["01/02/2011", "03/04/2011"]}))
    Traceback (most recent call last):
        ...
    ValueError: The dates of column 'day', such as '01/02/2011', can be read as '%m/%d/%Y' or as '%d/%m/%Y': ...
    """

    def __init__(
        self,
        columns: Sequence[str] | Mapping[str, str | None] | None = None,
        *,
        time: bool = False,
        drop: bool = True,
    ):
        self.columns = columns
        self.time = time
        self.drop = drop

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if not reset:
            self._transform_columns(columns)
            return
        given = self.columns if isinstance(self.columns, Mapping) else {}
        if self.columns is None:
            named = [name for name, column in columns.items() if _is_dates(column)]
        else:
            named = check_named("columns", self.columns, columns)
        self.formats_, self.time_zones_ = {}, {}
        for name in named:
            self.formats_[name], self.time_zones_[name] = learn_dates(columns[name], given.get(name))
        _check_no_clash(self._kept_names() + [part for parts in self.parts_.values() for part in parts])

    def partial_fit(self, X: Any, y: Any = None) -> DateParts:
        """Learn from the first chunk of a larger table; check that later chunks can be read the same way.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : object, default=None
            Passed over.

        Returns
        -------
        DateParts
            Itself.
        """
        return self._learn_more(X)

    @property
    def parts_(self) -> dict[str, list[str]]:
        """The columns that each date column becomes."""
        return {name: [_prefix(name) + part for part in self._parts()] for name in self.formats_}

    def _kept_names(self) -> list[str]:
        return [name for name in input_names(self) if not self.drop or name not in self.formats_]

    def _new_origins(self) -> Origins:
        return {
            _prefix(name) + part: Origin(name, "date part", part=part)
            for name in self.formats_
            for part in self._parts()
        }

    def _parts(self) -> list[str]:
        return [*_DAY_PARTS, *_FLAGS, *(_TIME_PARTS if self.time else []), "Elapsed"]

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        out = {name: column.raw for name, column in columns.items() if not self.drop or name not in self.formats_}
        for name, date_format in self.formats_.items():
            distinct, rows = as_dates(columns[name], date_format, self.time_zones_[name])
            for part, values in _date_parts(distinct, self.time).items():
                out[_prefix(name) + part] = _take(values, rows)
        return out


def _is_dates(column: Column) -> bool:
    return column.raw.dtype.kind in "MO" and column.is_date


def _prefix(name: str) -> str:
    return re.sub("[Dd]ate$", "", name)


def _check_no_clash(names: list[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"The date parts {twice} would stand twice in the table: rename those columns.")


def _date_parts(dates: pd.DatetimeIndex, time: bool) -> dict[str, np.ndarray]:
    """Each part of each distinct date."""
    parts: dict[str, Any] = {
        "Year": dates.year,
        "Month": dates.month,
        "Week": _iso_week(dates),
        "Day": dates.day,
        "Dayofweek": dates.day_of_week,
        "Dayofyear": dates.day_of_year,
    }
    parts.update({flag: getattr(dates, flag.lower()) for flag in _FLAGS})
    if time:
        parts.update({part: getattr(dates, part.lower()) for part in _TIME_PARTS})
    arrays = {part: np.asarray(values, dtype=bool if part in _FLAGS else np.int32) for part, values in parts.items()}
    utc = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
    return arrays | {"Elapsed": utc.to_numpy().astype("datetime64[s]").astype(np.int64)}


def _iso_week(dates: pd.DatetimeIndex) -> np.ndarray:
    """The ISO 8601 week, which is that of its Thursday in the Thursday's year; `isocalendar` builds a frame for it."""
    days = dates.tz_localize(None).to_numpy().astype("datetime64[D]")
    thursday = days + (3 - np.asarray(dates.day_of_week)).astype("timedelta64[D]")
    return (thursday - thursday.astype("datetime64[Y]")).astype(np.int64) // 7 + 1


def _take(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The value of each row's date: NaN, or False for a flag, where the row has none."""
    missing = rows < 0
    if not missing.any():
        return values[rows]
    padded = np.append(values, False if values.dtype == bool else np.nan)
    return (padded.astype(bool) if values.dtype == bool else padded)[rows]
