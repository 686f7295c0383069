"""`hold_out` and `make_folds`: divide rows into those to train on and those to validate on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from tabrec.ensemble.folds import random_folds
from tabrec.preprocess import TimeSplit, split_by_time
from tabrec.tables.dates import read_moment
from tabrec.tables.names import check_has_column

# Without a date to split at, this share of the rows is held out: random ones, or the latest.
_VALIDATION_SHARE = 0.2


def hold_out(
    table: pd.DataFrame,
    *,
    time_column: str | None = None,
    valid_from: str | None = None,
    date_format: str | None = None,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of the rows to train on and to validate on, both sorted unless they are in the order of time."""
    if time_column is None:
        order = np.random.default_rng(random_state).permutation(len(table))
        n_valid = max(1, int(len(table) * _VALIDATION_SHARE))
        if n_valid >= len(table):
            raise ValueError(f"{len(table)} row(s) are too few to hold some out.")
        return np.sort(order[n_valid:]), np.sort(order[:n_valid])
    check_has_column(time_column, table.columns, "time")
    times = _take_times(table, time_column, date_format)
    if valid_from is None:
        return next(TimeSplit(n_splits=1, column=time_column, test_size=_VALIDATION_SHARE).split(times))
    if date_format is not None:
        return split_by_time(times, time_column, read_moment(valid_from, date_format))
    at = float(valid_from) if _is_number(valid_from, times[time_column]) else valid_from
    return split_by_time(times, time_column, at)


def make_folds(
    table: pd.DataFrame,
    y: np.ndarray,
    rows: np.ndarray,
    *,
    cv: int | None,
    cv_time: int | None,
    time_column: str | None,
    date_format: str | None,
    stratify: bool,
    random_state: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the training and test positions of each fold of `rows`; no folds without `cv` and `cv_time`."""
    if cv_time is not None:
        assert time_column is not None
        times = _take_times(table, time_column, date_format).iloc[rows]
        try:
            folds = list(TimeSplit(cv_time, column=time_column).split(times))
        except ValueError as error:
            raise ValueError(str(error).replace("n_splits=", "cv_time=")) from error
    elif cv is not None:
        if cv > len(rows):
            raise ValueError(f"cv={cv} needs at least {cv} rows to train on, but there are {len(rows)}.")
        codes = np.unique(y[rows], return_inverse=True)[1] if stratify else None
        folds = random_folds(codes, len(rows), cv, random_state)
    else:
        return []
    return [(rows[train], rows[test]) for train, test in folds]


def _take_times(table: pd.DataFrame, time_column: str, date_format: str | None) -> pd.DataFrame:
    times = table[[time_column]]
    if date_format is None:
        return times
    return times.assign(**{time_column: pd.to_datetime(times[time_column].astype(object), format=date_format)})


def _is_number(text: str, column: pd.Series) -> bool:
    return types.is_numeric_dtype(column) and text.replace(".", "", 1).lstrip("-").isdigit()
