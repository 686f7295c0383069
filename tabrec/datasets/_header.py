"""Detect the header of a text table, and clean the names in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tabrec.datasets._marks import MISSING
from tabrec.tables.missing_marks import is_known_mark

# A number with any separators, sign, currency or percent sign, or a date or time in digits.
_NUMBER = re.compile(r"[^\w\s]?\s?[-+(]?[^\w\s]?\d[\d.,:/' \u00a0\u202f-]*([eE][-+]?\d+)?\s?[^\w\s]?\)?([T ]\S+)?")
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200e\u200f\ufeff"))  # zero-width spaces and directional marks
_MARKS = {*MISSING, "?", "-", "--", "."}
_MOST_YEARS = range(1800, 2200)


def has_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row of a table holds the names of its columns.

    Text above numbers or dates is a name. A number above numbers is data, and so is a value that occurs again below,
    unless all such numbers count up from zero or are consecutive years.
    """
    cells = [cell.strip() for cell in first]
    others = [row for row in rows if list(row) != list(first)]  # Joined files repeat their header.
    numbers, texts, repeated = [], 0, 0
    for position, cell in enumerate(cells):
        body = [row[position].strip() for row in others if position < len(row) and not _is_blank(row[position])]
        if not body or _is_blank(cell):
            continue
        if all(map(_is_number, body)):
            if not _is_number(cell):
                return True
            numbers.append(cell)
        else:
            texts += 1
            repeated += cell in body or len(others) < len(rows)
    if numbers:
        return _are_numbered_names(numbers)
    return repeated < 2 or repeated * 2 < texts


def describes_columns(row: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a row describes columns, such as units: text above numbers, in two columns or the only field."""
    n_texts, n_others = 0, 0
    if len(row) < 2:  # a note
        return False
    for position, cell in enumerate(map(str.strip, row)):
        body = [other[position].strip() for other in rows if position < len(other) and not _is_blank(other[position])]
        if len(body) > 1 and all(map(_is_number, body)):
            if _is_number(cell):
                return False
            n_texts += not (_is_blank(cell) or is_known_mark(cell))
        elif cell in body:
            return False
        else:
            n_others += not _is_blank(cell)
    return n_texts > 1 or (n_texts == 1 and n_others == 0)


def _are_numbered_names(names: list[str]) -> bool:
    if len(names) < 3 or not all(name.isdecimal() for name in names):
        return False
    numbers = [int(name) for name in names]
    counts = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    return counts and (numbers[0] == 0 or numbers[0] in _MOST_YEARS)


def _is_blank(cell: str) -> bool:
    return cell.strip() in _MARKS


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def clean_names(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Strip names and make them unique; also returns the assumptions. Empty names stay empty."""
    stripped = [" ".join(name.translate(_INVISIBLE).split()) for name in names]
    times = Counter(stripped)
    taken = set(stripped)
    unique: list[str] = []
    seen: Counter[str] = Counter()
    for given in stripped:
        name = given
        while given and seen[given] and name in taken:
            name = f"{given}.{seen[given]}"
            seen[given] += 1
        seen[given] = seen[given] or 1
        taken.add(name)
        unique.append(name)
    assumed = []
    if repeated := [name for name in times if name and times[name] > 1]:
        example = [name for name, given in zip(unique, stripped, strict=True) if given == repeated[0]]
        others = f" (and {len(repeated) - 1} more)" if len(repeated) > 1 else ""
        assumed.append(f"columns of one name read as {', '.join(example[:3])}{others}")
    return unique, assumed
