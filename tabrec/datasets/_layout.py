"""`find_layout`: find title, header and data among the first rows of a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tabrec.datasets._errors import NoHeaderError
from tabrec.datasets._header import clean_names, describes_columns, has_header

_MOST_TITLE_LINES = 30


@dataclass
class Layout:
    """The rows above `start` are a title; `body` are the rows of data below the first `n_above`, of `width` fields."""

    start: int
    n_above: int
    width: int
    has_header: bool
    names: list[str]
    body: list[list[str]]
    assumed: list[str]


def find_layout(
    file: str,
    rows: list[list[str]],
    *,
    names: Sequence[str] | None = None,
    header: bool | None = None,
    width: int | None = None,
) -> Layout:
    """Find the layout of the first rows of a table; given options are not detected."""
    counts = [len(row) for row in rows]
    width = width or Counter(counts[1:] or counts).most_common(1)[0][0]
    start = _find_start(rows, width)
    first, later = rows[start], rows[start + 1 :]
    found_header = has_header(first, later) if header is None else header
    if not found_header and names is None and header is None:
        raise _absent_header(file, first)
    n_described = _count_descriptions(later) if found_header and header is None else 0
    body = later[n_described:] if found_header else [first, *later]
    given = list(names) if names is not None else first if found_header else [f"x{i}" for i in range(width)]
    is_joined = names is None and found_header and _names_groups(first, later[:n_described])
    if is_joined:
        given = _join_names(first, later[0])
    elif names is None and found_header and start and len(rows[start - 1]) == len(first):
        times = Counter(map(str.strip, first))
        joined = _join_names(rows[start - 1], first)
        given = [full if times[name.strip()] > 1 else name for name, full in zip(first, joined, strict=True)]
    fitted, notes = _fit_names(file, given, body, width, from_header=names is None and found_header)
    if found_header and names is None and (commented := re.match(r"#+\s*(\w.*)", fitted[0])):
        fitted = [commented[1], *fitted[1:]]
        notes = [*notes, "the # before the header ignored"]
    unique, repeated = clean_names(fitted)
    assumed = [f"{start} line{'s' * (start > 1)} above the header left out"] if start else []
    if is_joined:
        assumed += ["two rows of names joined"]
    elif n_described:
        what = "row" if n_described == 1 else f"{n_described} rows"
        assumed += [f"the {what} of units or descriptions below the header left out"]
    assumed += [*notes, *repeated, *([] if found_header else ["no header"])]
    return Layout(start, start + found_header + n_described, width, found_header, unique, body, assumed)


def _find_start(rows: list[list[str]], width: int) -> int:
    """Return the position of the first row of the table, which follows its title."""
    for start, row in enumerate(rows[:_MOST_TITLE_LINES]):
        is_shorter = len(row) == width - 1 and fits_shorter_header(rows[start + 1 :], width)
        if (len(row) >= width or is_shorter) and any(map(str.strip, row)):
            return start + _is_group_of_names(rows[start:])
    return 0


def _is_group_of_names(rows: list[list[str]]) -> bool:
    """Return whether the first row names groups of columns, with gaps, above the row of their names."""
    if len(rows) < 2 or all(map(str.strip, rows[0])) or not all(map(str.strip, rows[1])):
        return False
    return describes_columns(rows[1], rows[2:])


def _count_descriptions(rows: list[list[str]]) -> int:
    """Return the number of rows below the header that describe columns: 0, 1, or 2 as in surveys."""
    for n in (1, 2):
        if len(rows) > n and all(describes_columns(row, rows[n:]) for row in rows[:n]):
            return n
    return 0


def _names_groups(first: list[str], below: list[list[str]]) -> bool:
    """Return whether the header names groups of columns, and the row below the columns in its gaps."""
    if len(below) != 1 or len(below[0]) > len(first):
        return False
    gaps = [name.strip() for group, name in zip_longest(first, below[0], fillvalue="") if not group.strip()]
    return bool(gaps) and bool(first[0].strip()) and all(gaps)


def _join_names(groups: list[str], names: list[str]) -> list[str]:
    """Join the name of each column to that of its group, which is above the first column of the group."""
    joined, last = [], ""
    for group, name in zip_longest(groups, names, fillvalue=""):
        last = group.strip() or (last if name.strip() else "")
        joined.append(f"{last} {name.strip()}".strip())
    return joined


def fits_shorter_header(rows: list[list[str]], width: int) -> bool:
    """Return whether rows fit a header with `width` - 1 fields: they end with a delimiter, or have row names."""
    full = [row for row in rows if len(row) == width]
    if not full:
        return False
    if all(not row[-1].strip() for row in full):
        return True
    return width > 2 and len({row[0] for row in full}) == len(full) and not has_header(full[0], full[1:])


def _fit_names(
    file: str, names: list[str], rows: list[list[str]], width: int, *, from_header: bool
) -> tuple[list[str], list[str]]:
    """Return a name for every field of a row, empty for a trailing delimiter, and the assumptions."""
    is_trailing = all(len(row) < width or not row[-1].strip() for row in rows)
    if len(names) == width + 1 and not names[-1].strip():
        return names[:-1], ["the delimiter at the end of the header ignored"]
    if len(names) == width - 1 and is_trailing:
        return [*names, ""], ["the delimiter at the end of each row ignored"]
    if len(names) == width and is_trailing and not names[-1].strip():
        return names, ["the delimiter at the end of each line ignored"]
    if from_header and len(names) == width - 1 and width > 2 and len({row[0] for row in rows}) == len(rows):
        return ["", *names], []  # unnamed row names, which R writes
    if len(names) != width:
        raise ValueError(
            f"{file} has {width} fields in a row, but {len(names)} names: {', '.join(names[:8])}"
            f"{', …' * (len(names) > 8)}. Its rows begin {rows[:1]}; name its columns with --names or --names-from."
        )
    return names, []


def _absent_header(file: str, first: list[str]) -> NoHeaderError:
    shown = ", ".join(map(str.strip, first))
    return NoHeaderError(
        f"{file} has no header: its first row is {shown[:60] + '…' * (len(shown) > 60)!r}. Name its {len(first)} "
        "columns: --names a,b,c or --names-from FILE (names=[...] in Python). If the first line holds names, pass "
        "--header (header=True in Python).",
        len(first),
    )
