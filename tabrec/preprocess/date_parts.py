"""`DateParts`: dates become numbers that a model can use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions

from tabrec.preprocess.frame_transformer import InvertibleTransformer
from tabrec.preprocess.lineage import Origin, Origins, input_names
from tabrec.preprocess.text_columns import warn_of_text
from tabrec.tables.columns import Column
from tabrec.tables.dates import as_dates, find_date_marks, learn_dates
from tabrec.tables.names import check_named

_DAY_PARTS = ["Year", "Month", "Week", "Day", "Dayofweek", "Dayofyear"]
_FLAGS = ["Is_month_end", "Is_month_start", "Is_quarter_end", "Is_quarter_start", "Is_year_end", "Is_year_start"]
_TIME_PARTS = ["Hour", "Minute", "Second"]


class DateParts(InvertibleTransformer):
    """Replace each date column by its parts: year, month, week, day and so on.

    ``saledate`` becomes ``saleYear``, ``saleMonth``, ``saleWeek`` (ISO 8601), ``saleDay``, ``saleDayofweek`` (Monday
    is 0), ``saleDayofyear``, six flags from ``saleIs_month_end`` to ``saleIs_year_start``, ``saleHour``,
    ``saleMinute`` and ``saleSecond`` as `time` says, and finally ``saleElapsed``, the seconds since 1970-01-01 UTC
    (negative before, with fractions where dates have them). The prefix is the column's name without a final ``date``
    or ``Date``.

    Parameters
    ----------
    columns : list of str, dict of str to str, or None, default=None
        The columns to replace. A dict gives the format of each, as in ``{"saledate": "%m/%d/%Y %H:%M"}``; a format of
        None is inferred. None selects every column of dates (datetime dtype, or objects that are dates), but no text.
    time : bool or "auto", default="auto"
        Whether to add hour, minute and second. "auto" adds the hour if not all times of fit are midnight, and then
        minute and second if they vary.
    drop : bool, default=True
        Whether to drop the date column itself.

    Attributes
    ----------
    formats_ : dict of str to (str or None)
        Format of each replaced column that is text; None for columns of dates.
    marks_ : dict of str to list
        Labels of each replaced column that stand for missing dates in fit.
    time_parts_ : dict of str to list of str
        The parts among "Hour", "Minute" and "Second" that each replaced column gets.
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
    In text, surrounding spaces are ignored, and blanks, "unknown", "n/a", 0000-00-00 and other common marks are missing
    dates; so are a few labels of fit that are not dates, which a warning names.

    A missing date gives NaN in every number, which `FillMissing` can fill, and False in every flag. Numbers are int32
    (``Elapsed``: int64) if no date is missing, and float64 otherwise, as is ``Elapsed`` with fractions of seconds. The
    format of a text column is determined in fit, so that a row has the same meaning alone and in a batch. Text with
    offsets from UTC is read in its offset, or in UTC if fit meets several offsets, as on both sides of a change to
    daylight saving time.

    `inverse_transform` replaces the parts by the dates, as datetimes in the time zone of fit, from ``Elapsed``.

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

    _parameter_constraints: ClassVar[dict] = {"time": ["boolean", StrOptions({"auto"})], "drop": ["boolean"]}

    def __init__(
        self,
        columns: Sequence[str] | Mapping[str, str | None] | None = None,
        *,
        time: bool | str = "auto",
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
            named = [name for name, column in columns.items() if column.raw.dtype.kind in "MO" and column.is_date]
        else:
            named = check_named("columns", self.columns, columns)
        self.formats_, self.time_zones_, self.marks_, self.time_parts_ = {}, {}, {}, {}
        for name in named:
            column = columns[name]
            self.marks_[name] = (find_date_marks(column) or []) if column.is_label else []
            self.formats_[name], self.time_zones_[name] = learn_dates(column, given.get(name))
            self.time_parts_[name] = self._choose_time_parts(self._distinct(column)[0])
        names = self._kept_names() + [part for parts in self.parts_.values() for part in parts]
        warn_of_text({}, self.marks_, "Replace them in the table if they are dates.")
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ValueError(f"The table already has columns with the names of the date parts {twice}; rename them.")

    @property
    def parts_(self) -> dict[str, list[str]]:
        """The columns that replace each date column."""
        return {name: [_prefix(name) + part for part in self._parts(name)] for name in self.formats_}

    def _kept_names(self) -> list[str]:
        return [name for name in input_names(self) if not self.drop or name not in self.formats_]

    def _new_origins(self) -> Origins:
        return {
            _prefix(name) + part: Origin(name, "date part", part=part)
            for name in self.formats_
            for part in self._parts(name)
        }

    def _parts(self, name: str) -> list[str]:
        return [*_DAY_PARTS, *_FLAGS, *self.time_parts_[name], "Elapsed"]

    def _choose_time_parts(self, dates: pd.DatetimeIndex) -> list[str]:
        if self.time != "auto":
            return _TIME_PARTS if self.time else []
        parts = {part: getattr(dates, part.lower()) for part in _TIME_PARTS}
        if not any(values.any() for values in parts.values()):
            return []
        return ["Hour", *(part for part in _TIME_PARTS[1:] if parts[part].nunique() > 1)]

    def _distinct(self, column: Column) -> tuple[pd.DatetimeIndex, np.ndarray]:
        """Return the distinct dates of a column, and the position of each row among them."""
        name = column.name
        return as_dates(column, self.formats_[name], self.time_zones_[name], self.marks_[name])

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        out = {name: column.raw for name, column in columns.items() if not self.drop or name not in self.formats_}
        for name in self.formats_:
            distinct, rows = self._distinct(columns[name])
            for part, values in _date_parts(distinct, self.time_parts_[name]).items():
                out[_prefix(name) + part] = _take(values, rows)
        return out

    def _restored_from(self) -> list[str]:
        return [f"{_prefix(name)}{part}" for name in self.formats_ for part in self._parts_of_moments(name)]

    def _parts_of_moments(self, name: str) -> list[str]:
        return ["Year", "Dayofyear", *self.time_parts_[name], "Elapsed"]

    def _restore_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        return self._restore_dates(columns, rounded=())

    def _restore_dates(self, columns: dict[str, Column], rounded: Collection[str]) -> dict[str, Any]:
        """Replace the parts of each date by the date; Elapsed is not exact if it was `rounded` to float32."""
        made = {part for parts in self.parts_.values() for part in parts}
        arrays = {name: column.raw for name, column in columns.items() if name not in made}
        for name in self.formats_:
            if not self.drop and name in arrays:
                continue
            prefix = _prefix(name)
            parts = {
                part: np.asarray(columns[prefix + part].raw, dtype=np.float64) for part in self._parts_of_moments(name)
            }
            moments = _moments(parts["Elapsed"], self.time_zones_[name])
            if f"{prefix}Elapsed" in rounded:
                moments = _corrected(moments, parts)
            arrays[name] = moments.array
        in_order = [name for name in input_names(self) if name in arrays]
        return {name: arrays[name] for name in [*in_order, *(other for other in arrays if other not in in_order)]}


def may_be_part(name: Any, columns: Iterable[str]) -> bool:
    """Return whether a name would be a date part of one of the columns."""
    if not isinstance(name, str):
        return False
    parts = {*_DAY_PARTS, *_FLAGS, *_TIME_PARTS, "Elapsed"}
    return any(name.startswith(prefix) and name[len(prefix) :] in parts for prefix in map(_prefix, columns))


def _prefix(name: str) -> str:
    return re.sub("[Dd]ate$", "", name)


def _date_parts(dates: pd.DatetimeIndex, time_parts: list[str]) -> dict[str, np.ndarray]:
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
    parts.update({part: getattr(dates, part.lower()) for part in time_parts})
    arrays = {part: np.asarray(values, dtype=bool if part in _FLAGS else np.int32) for part, values in parts.items()}
    utc = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
    return arrays | {"Elapsed": _elapsed(utc.to_numpy())}


def _elapsed(moments: np.ndarray) -> np.ndarray:
    """Return seconds since 1970: int64, or float64 if a moment is between two seconds."""
    whole = moments.astype("datetime64[s]")
    seconds, rest = whole.astype(np.int64), moments - whole
    return seconds + rest / np.timedelta64(1, "s") if rest.any() else seconds


def _iso_week(dates: pd.DatetimeIndex) -> np.ndarray:
    """Return the ISO 8601 week, the number of its Thursday in the year; `isocalendar` is much slower."""
    days = dates.tz_localize(None).to_numpy().astype("datetime64[D]")
    thursday = days + (3 - np.asarray(dates.day_of_week)).astype("timedelta64[D]")
    return (thursday - thursday.astype("datetime64[Y]")).astype(np.int64) // 7 + 1


def _moments(elapsed: np.ndarray, time_zone: str | None) -> pd.DatetimeIndex:
    """Convert seconds since 1970 to dates in a time zone."""
    known = np.where(np.isnan(elapsed), 0, elapsed)
    whole = np.floor(known)
    moments = whole.astype("datetime64[s]").astype("datetime64[us]")
    moments = moments + np.rint((known - whole) * 1e6).astype("timedelta64[us]")
    moments[np.isnan(elapsed)] = np.datetime64("NaT")
    index = pd.DatetimeIndex(moments)
    return index if time_zone is None else index.tz_localize("UTC").tz_convert(time_zone)


def _corrected(moments: pd.DatetimeIndex, parts: dict[str, np.ndarray]) -> pd.DatetimeIndex:
    """Correct dates by their year, day of the year and time; dates with missing parts stay unchanged."""
    units = {"Hour": "h", "Minute": "m", "Second": "s"}
    named = {part: np.rint(parts[part]) for part in ("Year", "Dayofyear", *units) if part in parts}
    is_known = np.logical_and.reduce([~np.isnan(values) for values in named.values()]) & ~np.asarray(moments.isna())
    whole = {part: np.where(is_known, values, 1).astype(np.int64) for part, values in named.items()}
    local = (whole["Year"] - 1970).astype("datetime64[Y]").astype("datetime64[us]")
    local = local + (whole["Dayofyear"] - 1).astype("timedelta64[D]")
    for part, unit in units.items():
        if part in whole:
            local = local + whole[part].astype(f"timedelta64[{unit}]")
    off = local - moments.tz_localize(None).to_numpy()
    return moments + pd.to_timedelta(np.where(is_known, off, np.timedelta64(0, "us")))


def _take(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Take the value of each row's date; rows without a date get NaN, or False for flags."""
    missing = rows < 0
    if not missing.any():
        return values[rows]
    padded = np.append(values, False if values.dtype == bool else np.nan)
    return (padded.astype(bool) if values.dtype == bool else padded)[rows]
