"""Read dates: infer the format of a text column, and parse it."""

from __future__ import annotations

import datetime
import re
from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.columns import Column, Labels
from tabrec.tables.missing_marks import is_known_mark, may_be_missing
from tabrec.tables.month_names import MONTH, with_english_months
from tabrec.tables.periods import PERIODS, QUARTER_TEXT, WEEK_TEXT, read_periods

ISO = "ISO8601"
_ISO_TEXT = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?")
_OFFSET = re.compile(r"[T ].*\d ?(Z|[+-]\d\d:?\d\d)$")
_CLOCK = r"( \d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?)?"
_SLASHED_TEXT = re.compile(rf"\d{{1,4}}([/.-])\d{{1,2}}\1\d{{1,4}}{_CLOCK}")
_DAY_MONTH_TEXT = re.compile(
    rf"\d{{1,2}}((?:er|º|\.)? ?(?:de )?|-){MONTH}( de | del |[ -]?)\d{{2,4}}{_CLOCK}", re.IGNORECASE
)
_MONTH_DAY_TEXT = re.compile(rf"{MONTH} \d{{1,2}}(,?) \d{{4}}{_CLOCK}", re.IGNORECASE)
_YEAR = r"(?:1[89]|20)\d{2}"
_COMPACT_TEXT = re.compile(
    rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(T?(?:[01]\d|2[0-3])[0-5]\d([0-5]\d)?(Z)?)?"
)
_YEAR_MONTH_TEXT = re.compile(rf"{_YEAR}([-/.M])(?:0?[1-9]|1[0-2])")
_MONTH_YEAR_TEXT = re.compile(rf"{MONTH}( de | del | |-){_YEAR}", re.IGNORECASE)
_TEXTS = (
    *(_ISO_TEXT, _SLASHED_TEXT, _DAY_MONTH_TEXT, _MONTH_DAY_TEXT, _COMPACT_TEXT, _YEAR_MONTH_TEXT, _MONTH_YEAR_TEXT),
    *(QUARTER_TEXT, WEEK_TEXT),
)
_DIGIT = re.compile(r"\d")
# Around a date, as in the headers of mail: Mon, 04 Jan 2021 10:00:00 +0100
_WEEKDAY = re.compile(r"((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*)(,?) ")
_ZONE = re.compile(r":\d{2} (GMT|UTC|[+-]\d{4})$")
# Separates the formats of a column that is written in several formats.
_NEXT = " | "
_MOST_FORMATS = 3
# Number of labels that are sampled first: unless most of them are dates, the column is not read as dates.
_SAMPLE = 64


def looks_like_dates(labels: list) -> bool:
    """Return whether every label is text that looks like a date."""
    return bool(labels) and all(_looks_like_date(label) for label in labels)


def find_date_marks(column: Column) -> list | None:
    """Find the labels of a text column of dates that mark missing dates; None if the column does not hold dates.

    Labels that do not look like dates, and impossible dates such as 0000-00-00 in ISO 8601, are marks if
    `may_be_missing` accepts them.
    """
    rows = column.values.rows
    labels = list(rows)
    sample = labels[:: max(len(labels) // _SAMPLE, 1)]
    if sum(map(_looks_like_date, sample)) * 2 < len(sample):
        return None
    dates = [label for label in labels if _looks_like_date(label) and not is_known_mark(label)]
    if dates and all(_ISO_TEXT.fullmatch(label.strip()) for label in dates):
        is_read = pd.to_datetime(_texts(dates), format=ISO, errors="coerce", utc=True).notna()
        dates = [label for label, read in zip(dates, is_read, strict=True) if read]
    known = set(dates)
    marks = {label: n for label, n in rows.items() if label not in known}
    return list(marks) if may_be_missing(marks, len(dates), sum(rows[date] for date in dates)) else None


def _looks_like_date(label: Any) -> bool:
    if not isinstance(label, str) or not _DIGIT.search(label):
        return False
    text = label.strip()
    if match := _WEEKDAY.match(text):
        text = text[match.end() :]
    if match := _ZONE.search(text):
        text = text[: match.start(1) - 1]
    return any(pattern.fullmatch(text) for pattern in _TEXTS)


def _texts(labels: list) -> pd.Index:
    return pd.Index([label.strip() if isinstance(label, str) else label for label in labels], dtype=object)


def without_marks(column: Column, marks: list | None) -> Column:
    """Return a column of text with the given marks, or its own, and all common ones as missing."""
    codes, labels = column.values
    known = set((find_date_marks(column) or []) if marks is None else marks)
    missing = [i for i, label in enumerate(labels) if label in known or is_known_mark(label)]
    if not missing:
        return column
    return Column.of_labels(column.name, column.raw, Labels(np.where(np.isin(codes, missing), -1, codes), labels))


def learn_dates(column: Column, date_format: str | None) -> tuple[str | None, str | None]:
    """Infer the format (None unless the dates are text) and the name of the time zone (or None) of a column of dates.

    A given format is only checked. Marks of missing dates are left out. Raises a ValueError if the column does not hold
    dates, or text fits no format or several.
    """
    if column.is_label:
        column = without_marks(column, None)
        labels = column.values.in_use
        if not labels:
            return date_format, None
        date_format = date_format or find_format(column.name, labels)
        return date_format, _zone_name(column.name, read_dates(column.name, labels, date_format))
    if column.is_date:
        return date_format, _zone_name(column.name, pd.DatetimeIndex(column.values))
    if column.missing.all():
        return date_format, None
    raise ValueError(
        f"Column {column.name!r} is to be read as dates, but holds {column.family()} such as {column.example()!r}."
    )


def find_format(name: str, labels: list) -> str:
    """Find the only format that fits every label, or raise a ValueError that gives a value.

    Candidates are ISO 8601, year, day and month in either order with ``/``, ``.`` or ``-``, names of months (English,
    German, French, Spanish, Italian, Portuguese or Dutch; ``%B`` is a full name, but reads abbreviations too),
    year and month alone, quarters, weeks of ISO 8601, and eight to fourteen digits that start with the year; a weekday
    may precede, in English, and a time may have AM or PM, GMT or an offset. A column that fits two formats is ambiguous
    even if both give the same dates, because the next row may not. Where the labels are written in up to three ways,
    each has its format, and ``" | "`` separates the formats.
    """
    for label in labels:
        if not isinstance(label, str):
            raise ValueError(f"Column {name!r} is to be read as dates, but holds {label!r} ({type(label).__name__}).")
    if all(_ISO_TEXT.fullmatch(label.strip()) for label in labels):
        read_dates(name, labels, ISO)
        return ISO
    texts = _texts(labels)
    fitting = [
        candidate for candidate in _candidates(texts[0]) if _parse(texts, candidate, errors="coerce").notna().all()
    ]
    groups = _group_by_notation(labels) if not fitting else []
    if 1 < len(groups) <= _MOST_FORMATS:
        return _NEXT.join(dict.fromkeys(find_format(name, group) for group in groups))
    if not fitting:
        odd = next((label for label in labels if not looks_like_dates([label])), labels[0])
        raise ValueError(
            f"Column {name!r} holds {odd!r}, which no unambiguous date format reads together with the rest: "
            + _advice(name, "%d %b %Y")
        )
    if len(fitting) > 1:
        raise ValueError(
            f"The dates of column {name!r}, such as {labels[0]!r}, "
            f"can be read as {' or as '.join(map(repr, fitting))}: " + _advice(name, fitting[0])
        )
    return fitting[0]


def _group_by_notation(labels: list) -> list[list]:
    """Group labels by the pattern that they match and by the separator between their numbers."""
    groups: dict[tuple, list] = {}
    for label in labels:
        matches = [pattern.fullmatch(label.strip()) for pattern in _TEXTS]
        first = next((i for i, match in enumerate(matches) if match), None)
        mark = None if first is None or _TEXTS[first] is _ISO_TEXT else matches[first].group(1)  # type: ignore[union-attr]
        groups.setdefault((first, mark), []).append(label)
    return [] if any(first is None for first, _ in groups) else list(groups.values())


def read_dates(name: str, labels: list, date_format: str) -> pd.DatetimeIndex:
    """Parse labels by a format, or by the first that fits of several; a label that does not fit raises a ValueError.

    Text with offsets from UTC is read in its offset, or in UTC if there are several, as on both sides of a change to
    daylight saving time.
    """
    utc = _has_several_offsets(name, labels)
    try:
        texts = _texts(labels)
        *formats, last = date_format.split(_NEXT)
        read = pd.DatetimeIndex([pd.NaT] * len(texts))
        for form in formats:
            found = _parse(texts, form, errors="coerce", utc=utc)
            read, texts = read.where(read.notna(), found), texts.where(found.isna(), None)
        if not formats:
            return _parse(texts, last, utc=utc)
        return read.where(read.notna(), _parse(texts, last, utc=utc))
    except (ValueError, TypeError) as error:
        dates = _parse(_texts(labels), date_format, errors="coerce", utc=True)
        odd = [label for label, missing in zip(labels, dates.isna(), strict=True) if missing]
        held = f"{odd[0]!r}, which is not a date" if odd else f"dates that cannot be combined ({error})"
        raise ValueError(f"Column {name!r} holds {held} in the format {date_format!r}.") from error


def _parse(texts: pd.Index, date_format: str, **how: Any) -> pd.DatetimeIndex:
    """Parse text by one format, with options of `pandas.to_datetime`; months may be named in several languages."""
    if "%B" in date_format or "%b" in date_format:
        date_format = date_format.replace("%B", "%b")
        texts = texts.map(lambda text: with_english_months(text) if isinstance(text, str) else text)
    if date_format not in PERIODS:
        return pd.DatetimeIndex(pd.to_datetime(texts, format=date_format, **how))
    dates = read_periods(texts, date_format)
    if "errors" not in how and texts[np.asarray(dates.isna())].notna().any():
        raise ValueError(f"not every text is a {date_format}")
    return dates


def _has_several_offsets(name: str, labels: list) -> bool:
    """Return whether the labels have different offsets from UTC; if only some have one, a ValueError is raised."""
    found = {label: _OFFSET.search(label) for label in labels if isinstance(label, str) and label}
    offsets = {offset and offset.group(1) for offset in found.values()}
    if None in offsets and len(offsets) > 1:
        bare = next(label for label, offset in found.items() if offset is None)
        raise ValueError(
            f"Column {name!r} holds {bare!r} without an offset from UTC among dates that have one; "
            "add it to all dates or remove it."
        )
    return len(offsets) > 1


def as_dates(
    column: Column, date_format: str | None, time_zone: Any, marks: list | None = None
) -> tuple[pd.DatetimeIndex, np.ndarray]:
    """Find the distinct dates of a column, and the position among them for each row (-1 if missing).

    Text is read by `date_format`, None being ISO 8601; dates are converted to `time_zone`, that of fit. `marks` stand
    for missing dates, as common ones do; None are those that `find_date_marks` finds in the column.
    """
    if column.is_label:
        column = without_marks(column, marks)
        labels = column.values.in_use
        distinct = read_dates(column.name, labels, date_format or ISO) if labels else pd.DatetimeIndex([])
        rows = _renumber(column.values.codes, column.values.counts > 0)
        if distinct.hasnans:  # Blank text is a missing date.
            is_date = np.asarray(distinct.notna())
            rows, distinct = _renumber(rows, is_date), distinct[is_date]
    elif column.is_date:
        rows, distinct = pd.factorize(column.values)
        distinct = pd.DatetimeIndex(distinct)
    elif column.missing.all():
        return pd.DatetimeIndex([]), np.full(len(column.values), -1)
    else:
        raise ValueError(
            f"Column {column.name!r} held dates in fit, but now holds {column.family()} such as {column.example()!r}."
        )
    return _in_zone(column.name, distinct, time_zone), rows


def read_moment(text: str, date_format: str | None) -> Any:
    """Read a moment given as text: in ISO 8601, in the format of its column, or else in its only reading.

    Raises a ValueError if it is not a date or, in slashed formats, has several readings.
    """
    text = text.strip()
    if date_format not in (None, ISO) and not _ISO_TEXT.fullmatch(text):
        formats = str(date_format).split(_NEXT)
        for form in [*formats, *(re.split(" %[HI]", form)[0] for form in formats)]:
            read = _parse(pd.Index([text]), form, errors="coerce")[0]
            if read is not pd.NaT:
                return read
    found = {form: _parse(pd.Index([text]), form, errors="coerce")[0] for form in _candidates(text)}
    readings = sorted({read for read in found.values() if read is not pd.NaT})
    if len(readings) > 1:
        raise ValueError(f"{' or as '.join(f'{read:%Y-%m-%d}' for read in readings)}: write it as year-month-day")
    return readings[0] if readings else pd.Timestamp(text)


def _renumber(codes: np.ndarray, is_kept: np.ndarray) -> np.ndarray:
    """Return the codes as positions among those that are kept; -1 for others, and where it was -1."""
    return np.append(np.where(is_kept, np.cumsum(is_kept) - 1, -1), -1)[codes]


def _in_zone(name: str, dates: pd.DatetimeIndex, time_zone: Any) -> pd.DatetimeIndex:
    if len(dates) == 0:
        return dates
    if (dates.tz is None) != (time_zone is None):
        here, before = ("with", "without") if dates.tz is not None else ("without", "with")
        raise ValueError(
            f"Column {name!r} held dates {before} a time zone in fit, but now {here} one, such as {dates[0]}; "
            "localize or convert the column."
        )
    return dates if time_zone is None else dates.tz_convert(time_zone)


def _advice(name: str, example: str) -> str:
    return (
        f"pass the format, as in DateParts(columns={{{name!r}: {example!r}}}), "
        f"or convert the column to dates first, with pandas.to_datetime(..., format={example!r})."
    )


def _zone_name(name: str, dates: pd.DatetimeIndex) -> str | None:
    """Return a name of the time zone of the dates from which pandas can restore it."""
    if dates.tz is None:
        return None
    offset = dates.tz.utcoffset(None)
    zone = str(dates.tz if offset is None else datetime.timezone(offset))
    try:
        dates[:1].tz_convert(zone)
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"Column {name!r} is in the time zone {zone!r}, which has no name that pandas reads; "
            "convert the column to a named one, as in .dt.tz_convert('Europe/Paris')."
        ) from error
    return zone


def _candidates(example: str) -> list[str]:
    if match := _WEEKDAY.match(example):
        name = "%a" if len(match.group(1)) == 3 else "%A"
        return [f"{name}{match.group(2)} {rest}" for rest in _candidates(example[match.end() :])]
    if match := _ZONE.search(example):
        zone = "%Z" if match.group(1).isalpha() else "%z"
        return [f"{rest} {zone}" for rest in _candidates(example[: match.start(1) - 1])]
    if match := _COMPACT_TEXT.fullmatch(example):
        clock, seconds, zulu = match.groups()
        mark = "T" if clock and clock[0] == "T" else ""
        return ["%Y%m%d" + mark + "%H%M" * bool(clock) + "%S" * bool(seconds) + "%z" * bool(zulu)]
    if QUARTER_TEXT.fullmatch(example):
        return ["quarter"]
    if WEEK_TEXT.fullmatch(example):
        return ["week"]
    if match := _YEAR_MONTH_TEXT.fullmatch(example):
        return [f"%Y{match.group(1)}%m"]
    if match := _MONTH_YEAR_TEXT.fullmatch(example):
        return [f"{_month(example)}{match.group(1)}%Y"]
    if match := _SLASHED_TEXT.fullmatch(example):
        orders = ["%Y{0}%m{0}%d"] if re.match(r"\d{4}", example) else ["%m{0}%d{0}%Y", "%d{0}%m{0}%Y"]
        if not re.search(r"\d{4}", example.split(" ")[0]):
            # A year of two digits comes first only with hyphens, as in ISO 8601.
            orders = ["%m{0}%d{0}%y", "%d{0}%m{0}%y"] + ["%y{0}%m{0}%d"] * (match.group(1) == "-")
    elif match := _DAY_MONTH_TEXT.fullmatch(example):
        year = "%Y" if re.search(r"\d{4}", example) else "%y"
        orders = [f"%d{{0}}{_month(example)}{match.group(2)}{year}"]
    elif match := _MONTH_DAY_TEXT.fullmatch(example):
        orders = [f"{_month(example)} %d{{0}} %Y"]
    else:
        return []
    mark, *_, clock, seconds, half = match.groups()
    hour = "" if not clock else " %I:%M" if half else " %H:%M"
    suffix = hour + (":%S" if seconds else "") + (half.lower().replace("am", "%p").replace("pm", "%p") if half else "")
    return [order.format(mark) + suffix for order in orders]


def _month(example: str) -> str:
    """Return the format code of the month in a date: ``%b`` for an abbreviated name, ``%B`` for a full one."""
    name = re.search(MONTH, example, re.IGNORECASE).group()  # type: ignore[union-attr]
    return "%b" if len(name) == 3 or name.endswith(".") else "%B"
