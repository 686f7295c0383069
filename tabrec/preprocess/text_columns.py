"""Columns of text that hold numbers or dates: read in fit and transform, with one warning about the assumptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from tabrec.tables.columns import Column
from tabrec.tables.dates import find_date_marks
from tabrec.tables.durations import HOURS
from tabrec.tables.messages import warn_caller
from tabrec.tables.missing_marks import quoted
from tabrec.tables.text_numbers import NumberFormat, find_number_format, other_than_numbers

_MANY_COLUMNS = 10
_NAMELESS = re.compile(r"|Unnamed: \d+(\.\d+)*(_level_\d+)?|__index_level_\d+__")


def learn_given_numbers(columns: Mapping[str, Column], names: Iterable[str]) -> dict[str, NumberFormat]:
    """Return the formats of the named columns that are text; a column without any number is left out."""
    formats = {}
    for name in names:
        rows = columns[name].values.rows if columns[name].is_label else {}
        if any(isinstance(label, str) for label in rows):
            found = find_number_format(list(rows), list(rows.values()), given=True)
            if found is not None:
                formats[name] = found
    return formats


def read_numbers(
    columns: dict[str, Column], formats: Mapping[str, NumberFormat], warned: set[str]
) -> dict[str, Column]:
    """Read the columns that have a number format, and return the others unchanged; see `NumberFormat.read_new`."""
    if not formats:
        return columns
    return columns | {
        name: number_format.read_new(columns[name], warned)
        for name, number_format in formats.items()
        if name in columns
    }


def warn_of_text(formats: Mapping[str, NumberFormat], date_marks: Mapping[str, list], advice: str) -> None:
    """Warn of text that is read as numbers, and of labels that are read as missing."""
    said = [_describe_numbers(name, number_format) for name, number_format in formats.items()]
    said += [f"{name!r} as dates ({quoted(marks)} as missing)" for name, marks in date_marks.items() if marks]
    if said:
        more = f" and {len(said) - _MANY_COLUMNS} more" * (len(said) > _MANY_COLUMNS)
        warn_caller(f"Text columns were converted: {'; '.join(said[:_MANY_COLUMNS])}{more}. {advice}")


def warn_of_formats(formats: Mapping[str, str | None]) -> None:
    """Warn of columns of dates that are written in several formats."""
    several = [f"{name!r} ({date_format})" for name, date_format in formats.items() if " | " in (date_format or "")]
    if several:
        warn_caller(
            f"Columns of dates are written in several formats: {', '.join(several[:_MANY_COLUMNS])}. Pass date_columns "
            "with the format of a column if this is wrong."
        )


def warn_of_labels(column: Column) -> None:
    """Warn of a column that is encoded as labels although most of them look like dates or numbers."""
    if find_date_marks(column) is not None:
        warn_caller(
            f"Column {column.name!r} looks like dates, such as {column.example()!r}, but its format is ambiguous, "
            f"so it is encoded as labels. Pass the format, as in date_columns={{{column.name!r}: '%d/%m/%Y'}}."
        )
        return
    odd = other_than_numbers(column)
    if odd:
        warn_caller(
            f"Column {column.name!r} holds mostly numbers as text, but also {quoted(odd)}, so it is encoded as labels. "
            "List it in continuous_columns to read these as missing, or in categorical_columns if it holds labels."
        )


def _describe_numbers(name: str, number_format: NumberFormat) -> str:
    details = [number_format.unit] if number_format.unit.startswith(HOURS) else []
    if number_format.ambiguous is not None:
        value = number_format.read([number_format.ambiguous])[0]
        other = "comma" if number_format.decimal == "." else "point"
        mark = "separator" if "," in number_format.ambiguous and other == "comma" else "decimal mark"
        details.append(f"{number_format.ambiguous!r} is {value:.12g}, although the {mark} has a second reading")
    if number_format.simplified is not None:
        details.append(f"{number_format.simplified!r} is {number_format.read([number_format.simplified])[0]:.12g}")
    if number_format.marks:
        details.append(f"{quoted(number_format.marks)} as missing")
    return f"{name!r} as numbers" + f" ({'; '.join(details)})" * bool(details)


def _identifies_rows(column: Column) -> bool:
    """Return whether an unnamed column holds row numbers or row names, also of some rows in any order.

    pandas writes such a column with `to_csv()`, and R with `write.csv`. Only most of its values have to be distinct,
    because a sample may repeat rows.
    """
    if not _NAMELESS.fullmatch(column.name):
        return False
    if column.is_label:
        return 2 * len(column.values.rows) > len(column.values.codes)
    numbers = column.values
    is_whole = column.is_number and (numbers.dtype.kind in "iu" or np.array_equal(numbers, np.trunc(numbers)))
    return bool(is_whole) and bool(numbers.min() >= 0) and 2 * len(pd.unique(numbers)) > len(numbers)


def leave_out_row_numbers(columns: dict[str, Column], kinds: dict[str, str], given: dict[str, str]) -> None:
    """Set the kind of columns of row numbers or names to "dropped", unless no column would be left."""
    counting = [name for name, column in columns.items() if name not in given and _identifies_rows(column)]
    if counting and any(kind != "dropped" for name, kind in kinds.items() if name not in counting):
        kinds.update(dict.fromkeys(counting, "dropped"))
        warn_caller(
            f"Column(s) {counting} without a name of their own count rows or name them, as a saved index, and are "
            "left out; list them in continuous_columns or categorical_columns to keep them."
        )
