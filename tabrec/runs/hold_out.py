"""`hold_out`: which rows of a table or of ratings a run trains on, and which it validates on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from tabrec.preprocess import TimeSplit, split_by_time
from tabrec.tables.dates import read_moment
from tabrec.tables.names import names_of

# Without a date to split at, this share of the rows is held out, drawn at random or the latest.
_VALIDATION_SHARE = 0.2


def hold_out(
    table: pd.DataFrame,
    *,
    time_column: str | None = None,
    valid_from: str | None = None,
    date_format: str | None = None,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows to train on and to validate on, both sorted unless they are in the order of time."""
    if time_column is None:
        order = np.random.default_rng(random_state).permutation(len(table))
        n_valid = max(1, int(len(table) * _VALIDATION_SHARE))
        if n_valid >= len(table):
            raise ValueError(f"{len(table)} row(s) are too few to hold some out.")
        return np.sort(order[n_valid:]), np.sort(order[:n_valid])
    if time_column not in table.columns:
        raise ValueError(
            f"The table has no column {time_column!r} for the time; {names_of(table.columns, time_column)}."
        )
    times = table[[time_column]]
    if date_format is not None:
        times = times.assign(**{time_column: pd.to_datetime(times[time_column].astype(object), format=date_format)})
    if valid_from is None:
        return next(TimeSplit(n_splits=1, column=time_column, test_size=_VALIDATION_SHARE).split(times))
    if date_format is not None:
        return split_by_time(times, time_column, read_moment(valid_from, date_format))
    at = float(valid_from) if _is_number(valid_from, times[time_column]) else valid_from
    return split_by_time(times, time_column, at)


def _is_number(text: str, column: pd.Series) -> bool:
    return types.is_numeric_dtype(column) and text.replace(".", "", 1).lstrip("-").isdigit()
