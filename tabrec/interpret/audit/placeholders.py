"""`find_placeholders`: values that look like codes for missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.preprocess.column_kinds import is_date
from tabrec.tables.columns import Column, as_frame, to_columns
from tabrec.tables.dates import as_dates, learn_dates

_CODES = [sign * (10.0**k - 1) for k in range(3, 10) for sign in (-1, 1)] + [-1.0, -9.0, -99.0]
_DATES = pd.DatetimeIndex(["1753-01-01", "1899-12-30", "1900-01-01", "1970-01-01", "2099-12-31"])
_TEXTS = frozenset(
    "- -- ? #n/a n/a na nan none null missing tbd undefined unknown unspecified".split(" ")  # noqa: SIM905
) | {"", "none or unspecified", "not available", "not specified"}
_MIN_COUNT, _MIN_SHARE = 5, 0.001
_MIN_DISTINCT = 10  # smallest number of other values from which one can stand out
_MOST_IN_A_COLUMN = 3
_DAYS_A_YEAR = 365
_EPOCH = np.datetime64("1970-01-01", "D")


def find_placeholders(X: Any) -> list[Finding]:
    """Find values that look like codes for missing values.

    Among numbers and dates: the smallest or largest value of a column, if it is repeated (at least 5 times and in 1 of
    1,000 rows) and farther from all others than these are from one another. For well-known codes (-999, 9999, 1 January
    1900) half that distance is enough, or that it is the only negative value. Among labels: words such as "unknown" or
    "n/a", in one finding.
    """
    columns = to_columns(as_frame(X))
    standing_out = [found for column in columns.values() for found in _in_column(column)]
    return standing_out + _in_labels([column for column in columns.values() if column.is_label and not is_date(column)])


def _in_column(column: Column) -> list[Finding]:
    if column.is_number:
        present = column.values[~column.missing].astype(np.float64)
        found = _standing_out(present, np.array(_CODES), least_gap=0.0)
        return [_finding(column.name, f"{value:g}", count, len(column.values)) for value, count in found]
    if not is_date(column):
        return []
    days = _days(read_dates_of(column))
    found = _standing_out(days[~np.isnan(days)], _days(_DATES), least_gap=_DAYS_A_YEAR)
    return [_finding(column.name, str(_EPOCH + np.timedelta64(int(day))), count, len(days)) for day, count in found]


def _standing_out(present: np.ndarray, codes: np.ndarray, least_gap: float) -> list[tuple[float, int]]:
    """Return the smallest and largest values that stand out from the rest, with their counts."""
    values, counts = np.unique(present, return_counts=True)
    found: list[tuple[float, int]] = []
    while len(values) > _MIN_DISTINCT and len(found) < _MOST_IN_A_COLUMN:
        end = next((end for end in (0, -1) if _stands_out(values, counts, end, codes, least_gap)), None)
        if end is None:
            break
        found.append((float(values[end]), int(counts[end])))
        values, counts = np.delete(values, end), np.delete(counts, end)
    return found


def _stands_out(values: np.ndarray, counts: np.ndarray, end: int, codes: np.ndarray, least_gap: float) -> bool:
    if counts[end] < max(_MIN_COUNT, _MIN_SHARE * counts.sum()):
        return False
    rest = np.delete(values, end)
    gap = abs(values[end] - rest[end])
    is_code = values[end] in codes
    only_negative = is_code and values[end] < 0 <= rest[0] and least_gap == 0
    return only_negative or gap > max((rest[-1] - rest[0]) * (0.5 if is_code else 1), least_gap)


def read_dates_of(column: Column) -> pd.DatetimeIndex:
    """Read a column for which `is_date` is true as dates without time zone, NaT if missing."""
    distinct, rows = as_dates(column, *learn_dates(column, None))
    naive = distinct.tz_localize(None).to_numpy()
    return pd.DatetimeIndex(np.append(naive, np.datetime64("NaT"))[rows])


def _days(dates: pd.DatetimeIndex) -> np.ndarray:
    """Convert dates to whole days since 1970, NaN if missing."""
    days = (dates.to_numpy().astype("datetime64[D]") - _EPOCH).astype(np.float64)
    return np.where(dates.isna(), np.nan, days)


def _in_labels(columns: list[Column]) -> list[Finding]:
    """Return one finding for all columns with a word that means missing."""
    shares: dict[str, float] = {}
    words: dict[str, int] = {}
    for column in columns:
        for label, count in zip(column.values.labels, column.values.counts.tolist(), strict=True):
            if count and isinstance(label, str) and label.strip().lower() in _TEXTS:
                words[label] = words.get(label, 0) + count
                shares[column.name] = shares.get(column.name, 0) + count / len(column.values.codes)
    if not shares:
        return []
    by_share = sorted(shares, key=lambda name: -shares[name])
    common = sorted(words, key=lambda word: -words[word])[:3]
    said = f"{', '.join(map(repr, common))} in {len(shares)} column{'s' if len(shares) > 1 else ''}"
    text = f"Labels that carry no more information than a missing value: {said}."
    evidence = f"Most often in {by_share[0]}: {shares[by_share[0]]:.1%} of the rows."
    action = 'Where such a label means "missing", replace it; where it means "none of the options", keep it.'
    return [Finding("placeholder", 3, tuple(by_share), text, evidence, action)]


def _finding(name: str, value: str, count: int, n_rows: int) -> Finding:
    text = f"{name} = {value} looks like a code for missing."
    evidence = f"{count / n_rows:.1%} of the rows ({count}), far from all other values."
    action = "If it is one, replace it by a missing value before fitting; otherwise models take it for a measurement."
    return Finding("placeholder", 2, (name,), text, evidence, action)
