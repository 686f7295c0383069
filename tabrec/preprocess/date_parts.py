"""`DateParts`: dates become numbers that a model can use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import Origin, Origins, input_names
from tabrec.tables.columns import Column
from tabrec.tables.dates import as_dates, learn_dates
from tabrec.tables.names import check_named

_DAY_PARTS = ["Year", "Month", "Week", "Day", "Dayofweek", "Dayofyear"]
_FLAGS = ["Is_month_end", "Is_month_start", "Is_quarter_end", "Is_quarter_start", "Is_year_end", "Is_year_start"]
_TIME_PARTS = ["Hour", "Minute", "Second"]


class DateParts(FrameTransformer):
    """Replace each date column by its parts: year, month, week, day and so on.

    ``saledate`` becomes ``saleYear``, ``saleMonth``, ``saleWeek`` (ISO 8601), ``saleDay``, ``saleDayofweek`` (Monday
    is 0), ``saleDayofyear``, six flags from ``saleIs_month_end`` to ``saleIs_year_start``, with ``time=True`` also
    ``saleHour``, ``saleMinute`` and ``saleSecond``, and finally ``saleElapsed``, the seconds since 1970-01-01 UTC
    (negative before). The prefix is the column's name without a final ``date`` or ``Date``.

    Parameters
    ----------
    columns : list of str, dict of str to str, or None, default=None
        The columns to replace. A dict gives the format of each, as in ``{"saledate": "%m/%d/%Y %H:%M"}``; a format of
        None is inferred. None selects every column of dates (datetime dtype, or objects that are dates), but no text.
    time : bool, default=False
        Whether to add hour, minute and second.
    drop : bool, default=True
        Whether to drop the date column itself.

    Attributes
    ----------
    formats_ : dict of str to (str or None)
        Format of each replaced column that is text; None for columns of dates.
    time_zones_ : dict of str to (str or None)
        Time zone of each replaced column. The parts are in its local time; dates in other zones are converted to it.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each input column, and the input column that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns seen in fit, and their names if X has any.

    Raises
    ------
    ValueError
        A column in `columns` is missing, does not hold dates, or is text that fits no format or more than one; a new
        column has the name of an existing one; or in transform, text does not fit the format of fit (ISO 8601 for
        columns of dates).

    See Also
    --------
    TabularPreprocessor : Selects the columns of each kind and applies all steps.
    ElapsedSince : Days since the last event and until the next.

    Notes
    -----
    A missing date gives NaN in every number, which `FillMissing` can fill, and False in every flag. Numbers are int32
    (``Elapsed``: int64) if no date is missing, and float64 otherwise. The format of a text column is determined in
    fit, so that a row has the same meaning alone and in a batch. Text with offsets from UTC is read in its offset, or
    in UTC if fit meets several offsets, as on both sides of a change to daylight saving time.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9.

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
    """

    _parameter_constraints: ClassVar[dict] = {"time": ["boolean"], "drop": ["boolean"]}

    def __init__(
        self, columns: Sequence[str] | Mapping[str, str | None] | None = None, *, time: bool = False, drop: bool = True
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
            named = [name for name, column in columns.items() if column.raw.dtype.kind in "MO" and column.is_date]
        else:
            named = check_named("columns", self.columns, columns)
        self.formats_, self.time_zones_ = {}, {}
        for name in named:
            self.formats_[name], self.time_zones_[name] = learn_dates(columns[name], given.get(name))
        names = self._kept_names() + [part for parts in self.parts_.values() for part in parts]
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(f"The table already has columns with the names of the date parts {twice}; rename them.")

    @property
    def parts_(self) -> dict[str, list[str]]:
        """The columns that replace each date column."""
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


def _prefix(name: str) -> str:
    return re.sub("[Dd]ate$", "", name)


def _date_parts(dates: pd.DatetimeIndex, time: bool) -> dict[str, np.ndarray]:
    """Compute each part of each distinct date."""
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
    """The ISO 8601 week: the number of its Thursday among those of the year; `isocalendar` is much slower."""
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
