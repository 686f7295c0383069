"""`split_by_time` and `TimeSplit`: train on the past, validate on later rows."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterator
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils._param_validation import Interval, validate_parameter_constraints, validate_params
from sklearn.utils.validation import _num_samples

from tabrec.tables.columns import Column, as_frame, to_columns
from tabrec.tables.dates import as_dates, learn_dates, read_moment

Size = Any  # rows (int), share of the rows (float), duration, or None
_DURATION_TYPES = (str, datetime.timedelta, np.timedelta64, pd.offsets.BaseOffset)


@validate_params({"column": [str]}, prefer_skip_nested_validation=True)
def split_by_time(df: Any, column: str, at: Any) -> tuple[np.ndarray, np.ndarray]:
    """Split the rows of a table into those before a moment and those at or after it.

    Rows strictly before `at` are for training, rows at or after it for validation. This estimates the error on future
    rows, which a random split underestimates because neighbouring days are in both parts.

    Parameters
    ----------
    df : table of shape (n_rows, n_columns)
        A pandas, polars or arrow table. It is not modified.
    column : str
        The column with the time of each row: dates, text that reads as dates, or numbers such as a year.
    at : str, datetime, pandas.Timestamp or number
        Start of validation. For a column of dates, a moment, or text in ISO 8601 or in the format of the column; text
        that can be read as several dates is an error. A time without a zone is in the zone of the column. For a
        column of numbers, a number.

    Returns
    -------
    train_idx, valid_idx : ndarray of int
        Row positions, counted from 0, in the order of the rows. The pair is one fold for scikit-learn, as in
        `cv=[split_by_time(df, column, at)]`.

    Raises
    ------
    ValueError
        The column is missing, has missing times or does not hold times, `at` is not a moment on the scale of the
        column, or one part would be empty.

    See Also
    --------
    TimeSplit : Several such folds, for cross-validation.
    sklearn.model_selection.train_test_split : Splits at random.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import split_by_time
    >>> sales = pd.DataFrame({"saledate": ["2011-03-01", "2010-07-15", "2011-01-01"], "price": [30, 10, 20]})
    >>> train_idx, valid_idx = split_by_time(sales, "saledate", at="2011-01-01")
    >>> sales.iloc[train_idx]["price"].tolist(), sales.iloc[valid_idx]["price"].tolist()
    ([10], [30, 20])
    """
    frame = as_frame(df)
    times, date_format = _read_times_and_format(get_column(frame, column))
    is_valid = np.asarray(times >= read_at(at, times, column, date_format))
    if is_valid.all() or not is_valid.any():
        side = "train on" if is_valid.all() else "validate on"
        raise ValueError(
            f"at={at!r} leaves no row to {side}: column {column!r} runs from {times.min()} to {times.max()}; "
            "rows strictly before `at` are for training, rows at or after it for validation."
        )
    return np.flatnonzero(~is_valid), np.flatnonzero(is_valid)


class TimeSplit(BaseCrossValidator):
    """Time-ordered cross-validation: each fold trains on the past and tests on the rows that follow.

    Rows are ordered by a column of times, and rows with the same time stay together: every training row is strictly
    older than every test row. If all times are distinct and sizes are numbers of rows, the folds are those of
    `sklearn.model_selection.TimeSeriesSplit` on the sorted table.

    A size (`test_size`, `max_train_size`, `gap`) is a number of rows (int), a share of all rows (float between 0 and
    1), or, for dates, a duration: text such as `"30D"`, a timedelta, or a `pandas.DateOffset` such as
    `pandas.DateOffset(months=1)`.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 1.
    column : str, default=None
        The column of `X` with the time of each row: dates, text that reads as dates, or numbers such as a year.
        Columns of a numpy array are called `"x0"`, `"x1"`, … None uses the `groups` given to `split` as times, and
        without groups the order of the rows.
    max_train_size : int, float or duration, default=None
        Size of the training window. None is an expanding window that contains all the past. A size is a sliding
        window: at most that many rows, or only rows less than this duration before the first row after training.
    test_size : int, float or duration, default=None
        Size of each test set: at least that many rows, because rows with the same time stay together, or the rows of
        that duration, counted back from the last time. None divides the rows evenly into `n_splits + 1` parts, which
        is possible if there are at least that many distinct times.
    gap : int, float or duration, default=0
        The rows to leave out between training and test: at least that many rows, or all rows less than this duration
        before the test, for targets that only become known later.

    Raises
    ------
    ValueError
        In `split`, if a parameter is out of range, a time is missing, or there are too few distinct times.

    See Also
    --------
    split_by_time : One split at a given moment.
    sklearn.model_selection.TimeSeriesSplit : Splits rows that are already in order, regardless of equal times.

    References
    ----------
    .. [1] R. J. Hyndman and G. Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., 2021, section 5.10,
       "Time series cross-validation".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import TimeSplit
    >>> sales = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=6)[::-1], "amount": range(6)})
    >>> for train, test in TimeSplit(n_splits=2, column="day", test_size="1D", gap="1D").split(sales):
    ...     print(train, test)
    [5 4 3] [1]
    [5 4 3 2] [0]

    A sliding window of two days:

    >>> for train, test in TimeSplit(n_splits=2, column="day", max_train_size="2D", test_size=1).split(sales):
    ...     print(train, test)
    [3 2] [1]
    [2 1] [0]
    """

    # scikit-learn passes `groups` to the splitter if metadata routing is enabled, too.
    __metadata_request__split: ClassVar[dict[str, bool]] = {"groups": True}

    def __init__(
        self,
        n_splits: int = 5,
        *,
        column: str | None = None,
        max_train_size: Size = None,
        test_size: Size = None,
        gap: Size = 0,
    ):
        self.n_splits = n_splits
        self.column = column
        self.max_train_size = max_train_size
        self.test_size = test_size
        self.gap = gap

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the folds, oldest first.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            The rows to split. It contains `column` unless that is None.
        y : array-like of shape (n_rows,), default=None
            Ignored; present for API consistency.
        groups : array-like of shape (n_rows,), default=None
            The time of each row; ignored unless `column` is None.

        Returns
        -------
        folds : iterator of (train_idx, test_idx)
            Row positions as arrays of int in time order; rows with the same time are in the order of `X`.
        """
        n_splits = self.get_n_splits()
        times = self._row_times(X, groups)
        order = np.argsort(times.asi8 if isinstance(times, pd.DatetimeIndex) else times, kind="stable")
        times = times[order]
        bounds = self._test_bounds(times, n_splits)
        folds = []
        for start, stop in pairwise(bounds):
            train_start, train_stop = self._train_bounds(times, start)
            folds.append((order[train_start:train_stop], order[start:stop]))
        return iter(folds)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Get the number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored; present for API consistency.

        Returns
        -------
        n_splits : int
            The parameter `n_splits`.
        """
        constraints = {"n_splits": [Interval(Integral, 1, None, closed="left")]}
        validate_parameter_constraints(constraints, {"n_splits": self.n_splits}, caller_name=type(self).__name__)
        return int(self.n_splits)

    def _name(self) -> str:
        return " ".join(repr(self).split())

    def _row_times(self, X: Any, groups: Any) -> pd.Index:
        if self.column is not None:
            return read_times(get_column(as_frame(X), self.column))
        if _num_samples(X) == 0:
            raise ValueError("X has no rows to split.")
        if groups is None:
            return pd.RangeIndex(_num_samples(X))
        groups = groups.to_pandas() if hasattr(groups, "to_pandas") else pd.Series(groups)
        if len(groups) != _num_samples(X):
            raise ValueError(f"groups has {len(groups)} times, but X has {_num_samples(X)} rows.")
        return read_times(to_columns(groups.to_frame("groups"))["groups"])

    def _test_bounds(self, times: pd.Index, n_splits: int) -> list[int]:
        """Find where each test set starts, and where the last one ends, as positions in time order."""
        size = _read_size(self.test_size, "test_size", times)
        if size is None:
            bounds = _even_bounds(times, n_splits)
        elif isinstance(size, int):
            bounds = [len(times)]
            for _ in range(n_splits):
                bounds.insert(0, _n_before(times, times[max(bounds[0] - size, 0)]))
        else:
            # Fold k from the end covers the times in (last - k * size, last - (k - 1) * size].
            bounds = [_n_until(times, times[-1] - k * size) for k in range(n_splits, -1, -1)]
        if bounds[0] == 0 or min(np.diff(bounds)) == 0:
            raise ValueError(
                f"{self._name()} needs a test set in each of {n_splits} folds and a row before the first of them, but "
                f"{_describe(times)}. Choose fewer folds or another test_size."
            )
        return bounds

    def _train_bounds(self, times: pd.Index, test_start: int) -> tuple[int, int]:
        """Find the positions in time order between which to train, for the test set that starts at `test_start`."""
        gap = _read_size(self.gap, "gap", times, minimum=0)
        if isinstance(gap, int):
            stop = _n_before(times, times[max(test_start - gap, 0)])
        else:
            stop = _n_before(times, times[test_start] - gap)
        size = _read_size(self.max_train_size, "max_train_size", times)
        if size is None:
            start = 0
        elif isinstance(size, int):
            start = 0 if stop <= size else _n_until(times, times[stop - size - 1])
        else:
            start = _n_before(times, times[stop] - size)
        if start >= stop:
            raise ValueError(
                f"{self._name()} leaves no row to train on before the test set that starts at {times[test_start]}: "
                f"{_describe(times)}. Choose fewer folds, a smaller gap or a longer max_train_size."
            )
        return start, stop


def read_times(column: Column) -> pd.Index:
    """Read a column of times as a DatetimeIndex, or as an Index of numbers."""
    return _read_times_and_format(column)[0]


def _read_times_and_format(column: Column) -> tuple[pd.Index, str | None]:
    missing = np.flatnonzero(column.missing)
    if len(missing):
        raise ValueError(
            f"Column {column.name!r} has {len(missing)} missing times, the first in row {missing[0]} (counted from 0); "
            "fill them or drop those rows."
        )
    if column.is_number:
        numbers = column.values.astype(np.float64) if column.values.dtype.kind == "f" else column.values
        return pd.Index(numbers), None
    date_format, time_zone = learn_dates(column, None)
    dates, rows = as_dates(column, date_format, time_zone)
    unread = np.flatnonzero(rows < 0)
    if len(unread):
        raise ValueError(
            f"Column {column.name!r} has {len(unread)} missing times, such as "
            f"{column.values.labels[column.values.codes[unread[0]]]!r} in row {unread[0]} (counted from 0); fill them "
            "or drop those rows."
        )
    return dates[rows], date_format


def read_at(at: Any, times: pd.Index, column: str, date_format: str | None = None) -> Any:
    """Read a moment in the type of a column's times; text is read by the date format of the column."""
    is_number = isinstance(at, Real) and not isinstance(at, bool)
    if not isinstance(times, pd.DatetimeIndex):
        if not is_number or not np.isfinite(at):
            raise ValueError(f"at={at!r} must be a finite number, because column {column!r} holds numbers.")
        return at
    if is_number:
        raise ValueError(f"at={at!r} must be a date such as '2011-01-01', because column {column!r} holds dates.")
    try:
        moment = read_moment(at, date_format) if isinstance(at, str) else pd.Timestamp(at)
    except (ValueError, TypeError) as error:
        if str(error).endswith("write it as year-month-day"):
            raise ValueError(f"at={at!r} can be read as {error}.") from error
        raise ValueError(f"at={at!r} is not a date that pandas.Timestamp reads.") from error
    if moment is pd.NaT:
        raise ValueError(f"at={at!r} must be a date, but is missing.")
    if moment.tzinfo is None:
        return moment.tz_localize(times.tz)
    if times.tz is None:
        raise ValueError(f"at={at!r} has a time zone but column {column!r} has none; pass `at` without one.")
    return moment


def _even_bounds(times: pd.Index, n_splits: int) -> list[int]:
    """Divide the rows into `n_splits + 1` parts, as evenly as rows with the same time allow."""
    block_starts = np.flatnonzero(np.r_[True, np.asarray(times[1:] != times[:-1])])
    if len(block_starts) <= n_splits:
        raise ValueError(f"n_splits={n_splits} needs at least {n_splits + 1} distinct times, but {_describe(times)}.")
    n_rows, folds = len(times), np.arange(n_splits)
    targets = n_rows - (n_splits - folds) * (n_rows // (n_splits + 1))
    blocks = np.array([np.abs(block_starts - target).argmin() for target in targets])
    # Starts strictly increase and leave a time for each later part, so that no part is empty.
    blocks = np.maximum.accumulate(np.maximum(blocks, 1) - folds) + folds
    blocks = np.minimum(blocks, len(block_starts) - n_splits + folds)
    return [*block_starts[blocks].tolist(), n_rows]


def _n_before(times: pd.Index, moment: Any) -> int:
    return int(np.count_nonzero(times < moment))


def _n_until(times: pd.Index, moment: Any) -> int:
    return int(np.count_nonzero(times <= moment))


def _describe(times: pd.Index) -> str:
    return f"the {len(times)} rows have {times.nunique()} distinct times from {times[0]} to {times[-1]}"


def get_column(frame: pd.DataFrame, name: str) -> Column:
    if name not in frame.columns:
        close = difflib.get_close_matches(str(name), list(frame.columns), n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"it has {list(frame.columns)[:20]}."
        raise ValueError(f"No column {name!r} in the table; {hint}")
    return to_columns(frame[[name]])[name]


def _read_size(size: Size, name: str, times: pd.Index, minimum: int = 1) -> Any:
    """Convert a size to a number of rows (int) or a duration; None stays None."""
    if size is None and name != "gap":
        return None
    if isinstance(size, _DURATION_TYPES):
        return _read_duration(size, name, times)
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= minimum:
        return int(size)
    if isinstance(size, float) and 0 < size < 1:
        return max(int(size * len(times)), 1)
    raise ValueError(
        f"{name}={size!r} must be an integer of at least {minimum} (rows), a float between 0 and 1 (share "
        f"of the rows), or a duration such as '30D'."
    )


def _read_duration(size: Any, name: str, times: pd.Index) -> Any:
    has_dates = isinstance(times, pd.DatetimeIndex)
    if not has_dates:
        raise ValueError(f"{name}={size!r} is a duration, which needs dates; the times here are numbers or rows.")
    # pandas.Timedelta("30") is 30 nanoseconds.
    if isinstance(size, str) and size.strip().lstrip("+-").isdecimal():
        raise ValueError(f"{name}={size!r} has no unit; write '{size}D' for days, or the integer for rows.")
    try:
        duration = size if isinstance(size, pd.offsets.BaseOffset) else pd.Timedelta(size)
    except ValueError as error:
        raise ValueError(f"{name}={size!r} is not a duration that pandas.Timedelta reads, such as '30D'.") from error
    if duration is pd.NaT or times[0] - duration >= times[0]:
        raise ValueError(f"{name}={size!r} must be a positive duration.")
    return duration
