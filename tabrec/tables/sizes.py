"""Sizes of parts of a table: a number of rows, a share of them, or a duration."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

Size = Any  # rows (int), share of the rows (float), duration, or None
_DURATION_TYPES = (str, datetime.timedelta, np.timedelta64, pd.offsets.BaseOffset)


def read_size(size: Size, name: str, times: pd.Index, minimum: int = 1) -> Any:
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
