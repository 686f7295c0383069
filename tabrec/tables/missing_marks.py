"""Marks that stand for missing values in columns of numbers or dates written as text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# Compared without surrounding spaces and letter case.
_KNOWN = {
    "",
    "?",
    ":",
    "-",
    "--",
    "–",
    "—",
    ".",
    "..",
    "n/a",
    "#n/a",
    "na",
    "#na",
    "<na>",
    "nan",
    "nat",
    "null",
    "none",
}
_KNOWN |= {"n.a.", "n.a", "n/d", "\\n", "(null)", "(blank)", "#value!", "#div/0!", "#ref!", "no data", "not applicable"}
_KNOWN |= {"n.d.", "n.n.", "bdl", "<lod", "< lod", "<loq", "< loq"}  # not detected
_KNOWN |= {
    "k.a.",
    "k. a.",
    "keine angabe",
    *(f".{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"),
}  # .a to .z are Stata's
_KNOWN |= {"nil", "unknown", "missing", "not available", "undefined", "0000-00-00", "0000-00-00 00:00:00", "00/00/0000"}

# Limits for other marks, such as misspellings and remarks: beyond them, the column is not one of numbers or dates.
_MAX_OTHERS = 5
_MAX_SHARE = 0.05


def is_known_mark(label: Any) -> bool:
    """Return whether a label is a common mark of a missing value, such as "n/a" or a blank."""
    return isinstance(label, str) and label.strip().casefold() in _KNOWN


def may_be_missing(marks: dict[Any, int], n_values: int, n_value_rows: int) -> bool:
    """Return whether the labels of a column that are not values may be read as missing.

    `marks` gives the number of rows of each; the other labels are `n_values` values in `n_value_rows` rows. Known marks
    may be in up to half of the rows. Other marks are accepted up to 5, in up to 5 % of the rows, if there are at least
    10 values for each. There must be more values than marks.
    """
    if not marks:
        return n_values > 0
    others = [mark for mark in marks if not is_known_mark(mark)]
    n_rows = n_value_rows + sum(marks.values())
    return (
        n_values > len(marks)
        and n_value_rows >= n_rows / 2
        and len(others) <= min(_MAX_OTHERS, n_values / 10)
        and sum(marks[mark] for mark in others) <= _MAX_SHARE * n_rows
    )


def quoted(labels: Collection[Any], most: int = 3) -> str:
    """Return the first labels for a message, as in "'?', 'n/a' and 2 more"."""
    shown = ", ".join(map(repr, list(labels)[:most]))
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"
