"""Units of numbers written as text: those that a column may mix, and values of one unit in another."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

from tabrec.tables.durations import HOURS, in_hours

FRACTIONS = "fractions"
# Denominators of fractions, as in 3/16; text with other denominators is a ratio, such as 120/80.
_DENOMINATORS = {f"/{n}" for n in (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 32, 64, 100)}
# Credit is positive, debit negative; H and S are German.
_DEBIT_OF = {"CR": "DR", "Cr": "Dr", "cr": "dr", "Cr.": "Dr.", "H": "S"}
_ORDINALS = {"st", "nd", "rd", "th"}
_FEW_ORDINALS = 10  # few distinct ordinals, such as "1st" and "2nd", may be labels; many are ranks
_FAMILIES = (
    {"kg": 1.0, "mg": 1e-6, "g": 1e-3, "t": 1e3},
    {"m": 1.0, "mm": 1e-3, "cm": 1e-2, "km": 1e3},
    {"l": 1.0, "L": 1.0, "ml": 1e-3, "mL": 1e-3, "cl": 1e-2, "dl": 1e-1},
    {"MB": 1.0, "kB": 1e-3, "KB": 1e-3, "GB": 1e3, "TB": 1e6},
)


def is_fraction(unit: str) -> bool:
    return unit == FRACTIONS or unit.startswith("/")


def common_unit(values: Sequence[float], units: Sequence[str]) -> str | None:
    """Return the unit in which values of several units can be compared, None if there is none.

    Examples
    --------
    >>> from tabrec.tables.units import common_unit
    >>> common_unit([1, 2], ["year", "years"]), common_unit([5, 500], ["kg", "g"]), common_unit([5, 3], ["kg", "lb"])
    ('years', 'kg', None)
    """
    names = set(units)
    if len({_singular(name) for name in names}) == 1:
        return max(names, key=len)
    for credit, debit in _DEBIT_OF.items():
        if names == {credit, debit}:
            return credit
    if names <= _ORDINALS and len(values) > _FEW_ORDINALS:
        return "th"
    if all(in_hours(1, name) for name in names):
        return HOURS
    if names <= _DENOMINATORS | {FRACTIONS}:
        return FRACTIONS if all(map(_is_in_lowest_terms, values, units)) else None
    return next((next(iter(family)) for family in _FAMILIES if names <= family.keys()), None)


def convert(value: float, unit: str, target: str) -> float | None:
    """Convert a value to another unit; None if the units do not match."""
    if unit == target or _singular(unit) == _singular(target):
        return value
    if target == "th" and unit in _ORDINALS:
        return value
    if target == FRACTIONS:
        return value / int(unit[1:]) if unit in _DENOMINATORS else None
    if target == HOURS:
        return in_hours(value, unit)
    if _DEBIT_OF.get(target) == unit:
        return -value
    for family in _FAMILIES:
        if unit in family and next(iter(family)) == target:
            return value * family[unit]
    return None


def _singular(unit: str) -> str:
    return unit[:-1] if len(unit) > 2 and unit.endswith("s") else unit


def _is_in_lowest_terms(value: float, unit: str) -> bool:
    return unit == FRACTIONS or (value < int(unit[1:]) and gcd(int(value), int(unit[1:])) == 1)
