"""`read_measure`: measures that are written in several numbers: durations, angles, feet and inches, and fractions."""

from __future__ import annotations

import re

from tabrec.tables.durations import read_duration
from tabrec.tables.units import FRACTIONS

_DECIMAL = r"\d+(?:[.,]\d+)?"
_ANGLE = re.compile(
    rf"(?P<before>[NSEW]\s?)?(?P<sign>[-−])?(?P<degrees>\d{{1,3}}(?:[.,]\d+)?)\s?°"
    rf"(?:\s?(?P<minutes>{_DECIMAL})\s?['′’](?:\s?(?P<seconds>{_DECIMAL})\s?(?:[\"″”]|''))?)?\s?(?P<after>[NSEW])?"
)
_FEET = re.compile(r"(?P<feet>\d{1,2})\s?['′’]\s?(?:(?P<inches>\d{1,2}(?:[.,]\d+)?)\s?(?:[\"″”]|'')?)?")
_FRACTION = re.compile(r"(?:(?P<whole>\d+)[ -])?(?P<part>\d{1,3})\s?/\s?(?P<of>[1-9]\d{0,2})")


def read_measure(text: str) -> tuple[float, str] | None:
    """Return a measure and its unit, None for other text.

    Examples
    --------
    >>> from tabrec.tables.measures import read_measure
    >>> read_measure("1h 30m"), read_measure('''52° 30' 36" N'''), read_measure("70.5° W")
    ((1.5, 'hours'), (52.51, '°'), (-70.5, '°'))
    >>> read_measure('''6'2"'''), read_measure("3 1/4"), read_measure("7/10")
    ((74.0, 'inches'), (3.25, 'fractions'), (7.0, '/10'))
    """
    text = text.strip()
    if match := _ANGLE.fullmatch(text):
        return _degrees(match), "°"
    if match := _FEET.fullmatch(text):
        return 12 * int(match["feet"]) + _number(match["inches"]), "inches"
    if match := _FRACTION.fullmatch(text):
        part, of = int(match["part"]), int(match["of"])
        return (float(part), f"/{of}") if match["whole"] is None else (int(match["whole"]) + part / of, FRACTIONS)
    return read_duration(text)


def _degrees(match: re.Match) -> float:
    """Return degrees north of the equator or east of Greenwich, negative in the south and the west."""
    size = _number(match["degrees"]) + (60 * _number(match["minutes"]) + _number(match["seconds"])) / 3600
    side = (match["before"] or match["after"] or "").strip()
    return -size if match["sign"] or side in ("S", "W") else size


def _number(text: str | None) -> float:
    return float((text or "0").replace(",", "."))
