"""Quarters and weeks written as text; each stands for its first day."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

_YEAR = r"(?:1[89]|20)\d{2}"
# The first group is the separator.
QUARTER_TEXT = re.compile(rf"{_YEAR}([ ./-]?)Q[1-4]|Q[1-4][ ./-]?{_YEAR}|[1-4]Q[ ./-]?{_YEAR}", re.IGNORECASE)
WEEK_TEXT = re.compile(rf"{_YEAR}(-?)W(?:0[1-9]|[1-4]\d|5[0-3])(?:\1[1-7])?", re.IGNORECASE)  # ISO 8601
# Names that are used in place of a date format.
PERIODS = ("quarter", "week")


def read_periods(texts: pd.Index, period: str) -> pd.DatetimeIndex:
    """Convert quarters or weeks to their first day, and days of weeks to that day; NaT for other text."""
    pattern, read = {"quarter": (QUARTER_TEXT, _first_of_quarter), "week": (WEEK_TEXT, _monday)}[period]
    days = [read(text) if isinstance(text, str) and pattern.fullmatch(text) else np.datetime64("NaT") for text in texts]
    return pd.DatetimeIndex(np.array(days, dtype="datetime64[s]"))


def _first_of_quarter(text: str) -> np.datetime64:
    quarter = re.sub("\\D", "", re.sub(_YEAR, "", text, count=1))
    return np.datetime64(f"{re.findall(_YEAR, text)[0]}-{3 * int(quarter) - 2:02d}-01")


def _monday(text: str) -> np.datetime64:
    year, week, day = re.fullmatch(r"(\d{4})-?[wW](\d{2})-?(\d?)", text).groups()  # type: ignore[union-attr]
    fourth = np.datetime64(f"{year}-01-04")  # 4 January is in the first week.
    first_monday = fourth - (fourth.astype(int) + 3) % 7
    return first_monday + 7 * (int(week) - 1) + int(day or 1) - 1
