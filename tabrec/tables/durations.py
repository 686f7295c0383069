"""`read_duration`: times of day and durations written as text, such as ``12:30``, ``1:02:03`` and ``2h 5min``."""

from __future__ import annotations

import datetime
import re

HOURS = "hours"
# The unit of text with two fields, such as 12:30, which may also mean minutes and seconds.
HOURS_AND_MINUTES = "hours, from H:MM"

_CLOCK = re.compile(
    r"(?:(?P<days>-?\d+) ?d(?:ays?)?,? \+?)?(?P<sign>-)?(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:[.,]\d+)?))?(?: ?(?P<half>[ap])\.?m\.?| ?uhr)?",
    re.IGNORECASE,
)
# Two fields with a fraction are minutes and seconds.
_MINUTES = re.compile(r"(\d{1,3}):([0-5]\d[.,]\d+)")
_PART = re.compile(r"(\d+(?:[.,]\d+)?) ?([^\W\d_]+)?[. ,]*")
# Lengths of units in hours.
_LENGTHS = dict.fromkeys(["year", "years", "yr", "yrs", "jahr", "jahre", "an", "ans"], 365.25 * 24)
_LENGTHS |= dict.fromkeys(["month", "months", "mo", "mos", "monat", "monate", "mois"], 365.25 * 2)
_LENGTHS |= dict.fromkeys(["week", "weeks", "wk", "wks", "woche", "wochen", "semaine", "semaines"], 7 * 24.0)
_LENGTHS |= dict.fromkeys(["d", "day", "days", "tag", "tage", "j", "jour", "jours"], 24.0)
_LENGTHS |= dict.fromkeys(["h", "hr", "hrs", "hour", "hours", "std", "stunde", "stunden", "heure", "heures"], 1.0)
_LENGTHS |= dict.fromkeys(["m", "min", "mins", "minute", "minutes", "minuten"], 1 / 60)
_LENGTHS |= dict.fromkeys(["s", "sec", "secs", "second", "seconds", "sek", "sekunden", "secondes"], 1 / 3600)


def read_duration(text: str) -> tuple[float, str] | None:
    """Read a time of day or a duration in hours, or a number with its own unit of time; None for other text.

    Examples
    --------
    >>> from tabrec.tables.durations import read_duration
    >>> read_duration("1:30:00"), read_duration("2 h 30 min"), read_duration("12h30"), read_duration("45m")
    ((1.5, 'hours'), (2.5, 'hours'), (12.5, 'hours'), (45.0, 'm'))
    """
    text = text.strip()
    if not text[-1:].isalnum() and text[-1:] != ".":
        return None
    if ":" in text:
        return _read_clock(text)
    return _read_parts(text)


def in_hours(value: float, unit: str) -> float | None:
    """Convert a number with a unit of time to hours; None for other units."""
    length = 1.0 if unit == HOURS else _LENGTHS.get(unit.casefold())
    return None if length is None else value * length


def hours_of(time: datetime.time) -> float:
    """Return the hours since midnight."""
    return time.hour + time.minute / 60 + (time.second + time.microsecond / 1e6) / 3600


def _read_clock(text: str) -> tuple[float, str] | None:
    if match := _MINUTES.fullmatch(text):
        return int(match[1]) / 60 + float(match[2].replace(",", ".")) / 3600, HOURS
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, minutes, half = int(match["hours"]), int(match["minutes"]), match["half"]
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + 12 * (half in "pP")
    seconds = float((match["seconds"] or "0").replace(",", "."))
    value = hours + (60 * minutes + seconds) / 3600
    value = 24 * int(match["days"] or 0) + (-value if match["sign"] else value)
    return value, HOURS if match["seconds"] or half else HOURS_AND_MINUTES


def _read_parts(text: str) -> tuple[float, str] | None:
    """Read parts of decreasing units, as in ``2h 5min`` and ``PT2H5M``; the last may lack its unit, as in ``12h30``."""
    rest = text[1:].replace("T", "", 1) if re.match(r"PT?\d", text) else text
    lengths: list[float] = []
    value = 0.0
    while rest:
        part = _PART.match(rest)
        if part is None:
            return None
        is_short = not part[2] and lengths == [1.0] and len(part[1]) == 2
        unit = part[2] or ("min" if is_short else "")
        length = _LENGTHS.get(unit.casefold())
        if length is None or (lengths and length >= lengths[-1]):
            return None
        number = float(part[1].replace(",", "."))
        lengths.append(length)
        value += number * length
        rest = rest[part.end() :]
    if len(lengths) == 1 and rest == "" and text[:1] != "P":
        return number, unit
    return (value, HOURS) if lengths else None
