"""`name_columns`: the columns of a table by name, without those that hold nothing or count rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

# Names that pandas gives to columns without one.
_NO_NAME = re.compile(r"|Unnamed: \d+(_level_\d+)?(\.\d+)*")


def name_columns(file: str, names: Sequence[str], columns: Sequence[pa.ChunkedArray]) -> tuple[pa.Table, list[str]]:
    """A table of columns, and the assumptions about those without a name; there may be a column more than names.

    Columns without a name are left out if they are empty or hold distinct whole numbers.
    """
    kept: dict[str, pa.ChunkedArray] = {}
    assumed = []
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
            if not name:
                name = f"Unnamed: {position}"
                assumed.append(f"the column without a name called {name!r}")
        kept[name] = column
    return pa.table(kept), assumed


def _counts_rows(column: pa.ChunkedArray) -> bool:
    is_whole = pa.types.is_integer(column.type) and column.null_count == 0
    return is_whole and pc.count_distinct(column).as_py() == len(column)
