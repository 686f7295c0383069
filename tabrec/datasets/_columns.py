"""`name_columns`: name the columns of a table, and leave out empty ones and those of row names or row numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Names that pandas gives to unnamed columns.
_NO_NAME = re.compile(r"|Unnamed: \d+(_level_\d+)?(\.\d+)*")
# Two tables side by side differ in length by at least this share; smaller differences may be missing values.
_CLEARLY_SHORTER = 0.1


def name_columns(file: str, names: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> tuple[pa.Table, list[str]]:
    """Return a table of named columns and the assumptions; the last column may have no name in `names`.

    Unnamed columns are left out if they are empty or hold distinct whole numbers. A first column of distinct text,
    which R writes, and a second table to the right of an empty column are left out too.
    """
    kept: dict[str, pa.ChunkedArray] = {}
    columns, assumed = _first_table(names, columns)
    for position, column in enumerate(columns):
        name = names[position] if position < len(names) else ""
        if _NO_NAME.fullmatch(name):
            if column.null_count == len(column):
                continue
            if position >= len(names):
                raise ValueError(f"{file} has rows with more than {len(names)} fields: check its --delimiter.")
            if _counts_rows(column):
                assumed.append("the column of row numbers without a name left out")
                continue
            if position == 0 and len(columns) > 1 and _are_row_names(column):
                assumed.append("the first column of row names without a name left out")
                continue
            if not name:
                name = f"Unnamed: {position}"
                assumed.append(f"the column without a name called {name!r}")
        kept[name] = column
    return pa.table(kept), assumed


def _counts_rows(column: pa.ChunkedArray) -> bool:
    is_whole = pa.types.is_integer(column.type) and column.null_count == 0
    return is_whole and pc.count_distinct(column).as_py() == len(column)


def _are_row_names(column: pa.ChunkedArray) -> bool:
    is_text = pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)
    return is_text and column.null_count == 0 and len(column.unique()) == len(column)


def _first_table(names: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> tuple[list[pa.ChunkedArray], list[str]]:
    """Return the columns before an empty one that separates two tables of different lengths; otherwise all columns."""
    for gap, name in enumerate(names):
        right = [other for other in names[gap + 1 :] if not _NO_NAME.fullmatch(other)]
        if gap and right and _NO_NAME.fullmatch(name) and columns[gap].null_count == len(columns[gap]):
            lengths = _n_filled(columns[:gap]), _n_filled(columns[gap + 1 :])
            if min(lengths) < (1 - _CLEARLY_SHORTER) * max(lengths):
                more = ", …" * (len(right) > 3)
                said = f"the table to the right of an empty column ({', '.join(right[:3])}{more}) left out"
                return [column.slice(0, lengths[0]) for column in columns[:gap]], [said]
    return list(columns), []


def _n_filled(columns: Sequence[pa.ChunkedArray]) -> int:
    """Return the number of rows up to the last one with a value."""
    return max(int(np.flatnonzero(column.is_valid().to_numpy()).max(initial=-1)) + 1 for column in columns)
