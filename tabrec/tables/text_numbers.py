"""Numbers written as text: decide whether the labels of a column are numbers, and read them.

`find_number_format(labels, counts)` returns a `NumberFormat` if the labels are numbers, else None; its `read(labels)`
returns them as float64, NaN where a label is not a number. Both are given distinct labels, not the values of all rows.

A label is a number if it is digits with an optional sign, exponent, decimal mark, thousands separators, unit and
surrounding spaces; parentheses are a negative number: ``1234``, ``-1,234.5``, ``1.234,56``, ``12,5``, ``1 234``,
``1'234``, ``12,34,567``, ``1.5e-3``, ``$1,234.00``, ``€ 12``, ``37%``, ``12 kg``, ``(1,234)``, ``1,234-``. Percentages
keep their unit: ``37%`` is 37. Any word after the digits is a unit if it is the same in the whole column (``12 kg``,
``12cm``). Thousands, millions and billions may be abbreviated, ``207k`` beside ``1.2M``, or words, ``$1.2 million``.

- One decimal mark holds for the column: the one with which more rows are numbers. The other mark, a space or an
  apostrophe separates groups of three digits.
- If the point and the comma are equally possible, the point is the decimal mark: ``1,234`` is 1234 and ``1.234`` is
  1.234. But where a column holds ``1,234`` beside ``12345``, which would have a separator too, the comma is the decimal
  mark. `NumberFormat.ambiguous` gives a label that has two readings.
- A column has one unit. Percentages and numbers with a word are not mixed with other numbers except zero. Units of
  weight, length, volume, storage or time are converted to one of them, and debits (``5 DR``) are negative credits.
- Single letters after fewer than half of the numbers, asterisks, footnotes and half the width of an interval are notes
  (``12.3 p``, ``7*``, ``8 (p)``, ``9[1]``, ``12.3 ± 0.4``), and limits of fewer than half of them stand for themselves:
  ``<0.5`` is 0.5, ``10+ years`` is 10.
- Angles (``52°30'36" N`` is 52.51), feet and inches (``6'2"`` is 74), fractions (``3 1/4``) and scores of one total
  (``7/10`` is 7) are numbers.
- Times of day and durations (``12:30``, ``1:02:03``, ``8:15 PM``, ``12h30``, ``2h 5min`` beside ``45 min``, ``PT2H5M``)
  are numbers of hours; two fields are hours and minutes, and a column with both two and three is not read.
- Codes are not numbers: columns with leading zeros (``00123``), with more than 15 digits, of whole numbers that all
  have the same number of digits, 4 or more (postal codes; but years from 1800 to 2100 are numbers), or of three or
  more groups of digits separated by spaces that all have the same length (telephone numbers).
- Labels that are not numbers are marks of missing values if `may_be_missing` accepts them.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from tabrec.tables.columns import Column, check_finite
from tabrec.tables.durations import HOURS, hours_of
from tabrec.tables.measures import read_measure
from tabrec.tables.messages import warn_caller
from tabrec.tables.missing_marks import is_known_mark, may_be_missing, quoted
from tabrec.tables.units import FRACTIONS, common_unit, convert

_UNIT = r"US\$|R\$|[$€£¥₹₽₩₺₪₫₴₦₱฿]|USD|EUR|GBP|CHF|JPY|CNY|INR"
# A unit of measurement; a single letter after digits, as in 12a, is part of a code.
_WORD = r"(?:(?<=\s)[^\W\d_¹²³]|(?<=\d)[^\W\d_¹²³](?=[^\W\d_]|[°²³/]))[\w°²³/.]{0,9}(?<!\d)|(?<=[\s\d])°[^\W\d_NSEW]?"
_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}
_SCALE_WORDS = {"thousand": 1e3, "tsd": 1e3, "million": 1e6, "mio": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9}
_SCALE_WORDS |= {"mrd": 1e9, "trillion": 1e12, "lakh": 1e5, "crore": 1e7}
# Text after a number: marks of provisional figures, footnotes, and half the width of an interval.
_NOTE = r"\*{1,3}|\([a-z]\)|\[\w{1,3}\]|[¹²³†‡]"
_SPREAD = r"\s?(?:±|\+/-|\+-)\s?[0-9]+(?:[.,][0-9]+)?"
_SPACES = "\u0020\u00a0\u2009\u202f"
_SEPARATORS = {".": f",'’{_SPACES}", ",": f".'’{_SPACES}"}
_PATTERNS = {
    decimal: re.compile(
        rf"\s*(?P<bound>[<>≤≥]=?\s?)?(?P<open>\()?\s*(?P<sign>[-+−])?\s*(?P<unit>{_UNIT})?\s*(?P<sign_2>[-+−])?"
        # Lakh and crore have groups of two digits before the last one of three.
        rf"(?P<number>(?:[1-9][0-9]{{0,2}}(?P<mark>[{separators}])(?:(?<=,)(?:[0-9]{{2}},)+)?[0-9]{{3}}"
        rf"(?:(?P=mark)[0-9]{{3}})*|[0-9]+)"
        # Dashes stand for no cents, as in 12.– and 12,--
        rf"(?:{re.escape(decimal)}(?:[-–—]{{1,2}}|[0-9]*))?(?:[eE][-+]?[0-9]+)?|{re.escape(decimal)}[0-9]+(?:[eE][-+]?[0-9]+)?)"
        rf"(?P<scale>[{''.join(_SCALES)}](?![^\W_])|\s?(?i:{'|'.join(_SCALE_WORDS)})(?![^\W_])\.?)?"
        rf"(?P<sign_3>[-−])?(?P<spread>{_SPREAD})?(?P<plus>\+(?=\s[^\W\d_]))?\s*(?P<unit_2>{_UNIT}|%|{_WORD})?\s*"
        rf"(?P<close>\))?\s*(?P<note>(?:{_NOTE})\s*)?"
    )
    for decimal, separators in _SEPARATORS.items()
}
_CURRENCY = re.compile(_UNIT)
_DIGIT = re.compile(r"\d")
_REMOVED = {decimal: str.maketrans(decimal, ".", separators) for decimal, separators in _SEPARATORS.items()}

_NUMBERS = (int, float, Decimal, np.number)
# float64 represents every whole number with up to this many digits.
_MAX_DIGITS = 15
_MIN_DIGITS_OF_CODE = 4
_YEARS = (1800, 2100)
# Number of labels that are sampled first: unless most of them are numbers, the column is not read as numbers.
_SAMPLE = 64


class NumberFormat:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : {".", ","}
        The decimal mark.
    unit : str
        "%", a currency, "hours", another word, or "".
    marks : list
        Labels of fit that are not numbers.
    ambiguous : str or None
        A label with a second reading in the other decimal mark, if that is equally possible.
    simplified : str or None
        A label that is a limit or has a note, and is read as the number in it.
    """

    def __init__(
        self,
        decimal: str,
        unit: str = "",
        marks: Iterable[Any] = (),
        ambiguous: str | None = None,
        simplified: str | None = None,
    ):
        self.decimal = decimal
        self.unit = unit
        self.marks = list(marks)
        self.ambiguous = ambiguous
        self.simplified = simplified

    def read(self, labels: Iterable[Any]) -> np.ndarray:
        """Read labels as numbers: float64, NaN for labels that are not numbers of this format."""
        numbers = (_read(label, self.decimal) for label in labels)
        return np.array([np.nan if n is None else n.in_unit(self.unit) for n in numbers], float)

    def read_column(self, column: Column) -> Column:
        """Read a column of labels as numbers: int64 if all are whole and none is missing, as in a CSV file."""
        numbers = self._to_rows(column, self.read(column.values.labels))
        whole = numbers.astype(np.int64) if (np.abs(numbers) < 2**53).all() else numbers
        return Column(column.name, whole if np.array_equal(whole, numbers) else numbers)

    def read_new(self, column: Column, warned: set[str]) -> Column:
        """Read a column of new rows; numbers are returned as they are.

        A label that is not a number is missing. Labels that neither are marks of fit nor common ones are named in a
        warning, unless the column is in `warned`, to which it is added. If most of two or more rows hold such labels,
        a ValueError is raised.
        """
        if not column.is_label:
            return column
        table = self.read(column.values.labels)
        odd = self._odd(column, table)
        if odd:
            n_odd = sum(odd.values())
            n_rows = int(column.values.counts.sum())
            if 1 < n_rows < 2 * n_odd:
                raise ValueError(
                    f"Column {column.name!r} must hold numbers, as in fit, but {n_odd} of {n_rows} rows hold other "
                    f"text, such as {next(iter(odd))!r}."
                )
            if column.name not in warned:
                warned.add(column.name)
                warn_caller(
                    f"Column {column.name!r} held numbers in fit, but now holds {quoted(odd)}, read as missing."
                )
        return Column(column.name, self._to_rows(column, table))

    def _odd(self, column: Column, table: np.ndarray) -> dict[Any, int]:
        """Count the rows of each label that is neither a number nor a mark."""
        if not np.isnan(table).any():
            return {}
        unread = {label for label, number in zip(column.values.labels, table.tolist(), strict=True) if number != number}
        rows = column.values.rows
        return {n: rows[n] for n in rows if n in unread and not is_known_mark(n) and n not in self.marks}

    @staticmethod
    def _to_rows(column: Column, table: np.ndarray) -> np.ndarray:
        return check_finite(column.name, np.append(table, np.nan)[column.values.codes])


class _Number:
    """A label read as a number: its value, unit, and the text of its digits ("" if it is not text)."""

    __slots__ = ("has_note", "is_bound", "mark", "scale", "text", "unit", "value")

    def __init__(
        self,
        value: float,
        unit: str,
        text: str,
        mark: str | None = None,
        scale: str | None = None,
        is_bound: bool = False,
        has_note: bool = False,
    ):
        self.value = value
        self.is_bound = is_bound
        self.has_note = has_note
        self.unit = unit
        self.text = text
        self.mark = mark
        self.scale = scale

    @property
    def whole_part(self) -> str:
        return re.split("[.eE]", self.text)[0]

    @property
    def is_flagged(self) -> bool:
        """Whether a letter follows the number, such as ``p`` for provisional."""
        return len(self.unit) == 1 and self.unit.isalpha() and self.text != ""

    def loses_text(self, unit: str) -> bool:
        """Return whether the label is a limit or has a note, so that reading its value alone loses information."""
        return self.is_bound or self.has_note or (not unit and self.is_flagged)

    def in_unit(self, unit: str) -> float:
        """Convert the value to the unit of a column; NaN if its unit is another one."""
        if self.unit in ("", unit) or (not unit and self.is_flagged):
            return self.value
        value = convert(self.value, self.unit, unit)
        return np.nan if value is None else value


def _read(label: Any, decimal: str) -> _Number | None:
    if isinstance(label, datetime.time):
        return _Number(hours_of(label), HOURS, "")
    if not isinstance(label, str):
        is_number = isinstance(label, _NUMBERS) and not isinstance(label, (bool, np.bool_))
        return _Number(float(label), "", "", None) if is_number else None
    match = _PATTERNS[decimal].fullmatch(label)
    if match is None:
        measure = read_measure(label)
        return None if measure is None else _Number(*measure, text="")
    opened, closed, unit, unit_2, scale = match.group("open", "close", "unit", "unit_2", "scale")
    signs = [sign for sign in match.group("sign", "sign_2", "sign_3") if sign]
    if bool(opened) != bool(closed) or len(signs) + bool(opened) > 1 or (unit and unit_2):
        return None
    text = match["number"].translate(_REMOVED[decimal]).rstrip("-–—")
    value = float(text) * (_SCALES.get(scale) or _SCALE_WORDS[scale.strip(" .").casefold()] if scale else 1)
    return _Number(
        -value if opened or (signs and signs[0] in ("-", "−")) else value,
        unit or unit_2 or "",
        text,
        match["mark"],
        scale if scale in _SCALES else None,
        is_bound=bool(match["bound"] or match["plus"]),
        has_note=bool(match["note"] or match["spread"]),
    )


def find_number_format(
    labels: Sequence[Any], counts: Sequence[int], *, given: bool = False, decimal: str | None = None
) -> NumberFormat | None:
    """Find how the numbers of a column are written, or return None if its labels are not numbers.

    Parameters
    ----------
    labels : sequence
        The distinct labels of the column. Labels that do not occur must be left out.
    counts : sequence of int
        Number of rows with each label.
    given : bool, default=False
        Whether the column is known to hold numbers: codes are then numbers, and any label that is not a number is a
        mark of a missing value.
    decimal : {".", ","}, default=None
        The decimal mark, if it is known.

    Returns
    -------
    NumberFormat or None
    """
    labels, counts = list(labels), [int(count) for count in counts]
    sample = labels[:: max(len(labels) // _SAMPLE, 1)]
    if not given and sum(map(_is_number, sample)) * 2 < len(sample):
        return None
    readings = {decimal: [_read(label, decimal) for label in labels] for decimal in _PATTERNS}
    is_known = decimal is not None
    decimal = decimal or _choose_decimal(readings, counts)
    numbers = readings[decimal]
    unit = _find_unit(numbers, counts, given)
    if unit is None:
        return None
    is_number = [number is not None and not np.isnan(number.in_unit(unit)) for number in numbers]
    read = [number for number, is_read in zip(numbers, is_number, strict=True) if number is not None and is_read]
    marks = {label: n for label, n, is_read in zip(labels, counts, is_number, strict=True) if not is_read}
    if not read:
        return None
    if not given:
        n_rows = sum(n for n, is_read in zip(counts, is_number, strict=True) if is_read)
        are_bounds = 2 * sum(number.is_bound for number in read) > len(read)
        if not may_be_missing(marks, len(read), n_rows) or _are_codes(read) or not _are_scales(read) or are_bounds:
            return None
    simplified = next(
        (label for label, n in zip(labels, numbers, strict=True) if n is not None and n.loses_text(unit)), None
    )
    return NumberFormat(decimal, unit, marks, None if is_known else _ambiguous(labels, readings), simplified)


def read_text_numbers(column: Column) -> tuple[Column, NumberFormat] | None:
    """Read a column of text that is numbers; None for other columns, and for columns of ``category`` dtype.

    A ``category`` dtype states that the labels are categories.
    """
    if not column.is_label or hasattr(column.raw.dtype, "categories"):
        return None
    rows = column.values.rows
    number_format = find_number_format(list(rows), list(rows.values()))
    return None if number_format is None else (number_format.read_column(column), number_format)


def other_than_numbers(column: Column) -> list:
    """Return the labels of a column that are not numbers, if most of its text labels are; else an empty list."""
    if not column.is_label or hasattr(column.raw.dtype, "categories"):
        return []
    return odd_among_numbers([label for label in column.values.rows if isinstance(label, str)])


def odd_among_numbers(labels: Sequence[str]) -> list[str]:
    """Return the labels that are not numbers, if most are; else an empty list."""
    sample = labels[:: max(len(labels) // _SAMPLE, 1)]
    if sum(map(_is_number, sample)) * 2 < len(sample):
        return []
    odd = [label for label in labels if not _is_number(label)]
    return odd if 2 * len(odd) < len(labels) else []


def is_currency(unit: str) -> bool:
    return _CURRENCY.fullmatch(unit) is not None


def units_of(labels: Iterable[str]) -> list[str]:
    """Return the units of numbers among the labels."""
    numbers = (_read(label, ".") or _read(label, ",") for label in labels)
    return sorted({number.unit for number in numbers if number is not None})


def _is_number(label: Any) -> bool:
    if isinstance(label, str) and not _DIGIT.search(label):
        return False
    return _read(label, ".") is not None or _read(label, ",") is not None


def _choose_decimal(readings: dict[str, list[_Number | None]], counts: list[int]) -> str:
    n_rows = {d: sum(n for number, n in zip(r, counts, strict=True) if number is not None) for d, r in readings.items()}
    if n_rows["."] != n_rows[","]:
        return max(n_rows, key=n_rows.__getitem__)
    read = [number for number in readings["."] if number is not None]
    is_grouped = any(number.mark == "," for number in read)
    is_ungrouped = any(number.mark is None and len(number.whole_part) > 3 for number in read)
    return "," if is_grouped and is_ungrouped else "."


def _find_unit(numbers: list[_Number | None], counts: list[int], given: bool) -> str | None:
    """Return the unit of a column, "" for none, or None if it has several."""
    rows: dict[str, int] = {}
    for number, n in zip(numbers, counts, strict=True):
        if number is not None and (number.unit or number.value != 0):
            rows[number.unit] = rows.get(number.unit, 0) + n
    read = [number for number in numbers if number is not None]
    if all(number.is_flagged for number in read if number.unit) and 2 * rows.get("", 0) > sum(rows.values()):
        return ""
    units = sorted((unit for unit in rows if unit), key=lambda unit: -rows[unit])
    letters = any(len(number.unit) == 1 and number.unit.isalpha() and not number.text for number in read)
    if letters and HOURS not in units and not given:
        return None  # 2d beside 3d may be codes.
    if len(units) > 1:
        with_unit = [number for number in read if number.unit]
        shared = common_unit([number.value for number in with_unit], [number.unit for number in with_unit])
        units = units if shared is None else [shared]
    may_lack = bool(units) and (is_currency(units[0]) or units[0] == FRACTIONS)
    if not given and (len(units) > 1 or (units and "" in rows and not may_lack)):
        return None
    return units[0] if units else ""


def _are_codes(numbers: list[_Number]) -> bool:
    wholes = [number.whole_part for number in numbers if number.text]
    if any(len(whole) > _MAX_DIGITS or (len(whole) > 1 and whole[0] == "0") for whole in wholes):
        return True
    widths = {len(whole) for whole in wholes}
    if len(widths) > 1 or len(wholes) < len(numbers):
        return False
    n_digits = widths.pop()
    if all(number.mark and number.mark in _SPACES and number.text.isdecimal() for number in numbers):
        return n_digits > 6
    is_plain = all(number.text.isdecimal() and not number.mark and not number.unit for number in numbers)
    are_years = all(_YEARS[0] <= number.value <= _YEARS[1] for number in numbers)
    return is_plain and n_digits >= _MIN_DIGITS_OF_CODE and not are_years


def _are_scales(numbers: list[_Number]) -> bool:
    """Return whether letters after digits abbreviate thousands and more, rather than distinguish ``5B`` from ``5``."""
    scaled = [number for number in numbers if number.scale]
    is_fraction = any(not number.text.isdecimal() for number in scaled)
    return len(scaled) in (0, len(numbers)) or (is_fraction and 2 * len(scaled) >= len(numbers))


def _ambiguous(labels: list, readings: dict[str, list[_Number | None]]) -> str | None:
    """Return a label that has two readings, if every label that is a number in one has a reading in the other."""
    found = None
    for label, point, comma in zip(labels, readings["."], readings[","], strict=True):
        if (point is None) != (comma is None):
            return None
        if point is not None and comma is not None and point.value != comma.value and found is None:
            found = label
    return found
