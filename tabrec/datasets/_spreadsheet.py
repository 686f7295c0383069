"""`read_spreadsheet`: read a sheet of an Excel workbook, with the detection of layout and types of text tables."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tabrec.datasets._columns import name_columns
from tabrec.datasets._formats import to_frame
from tabrec.datasets._labels import Settled, describe, settle_type
from tabrec.datasets._layout import find_layout
from tabrec.datasets._marks import MISSING
from tabrec.datasets._totals import settle_without_total
from tabrec.tables.text_numbers import find_number_format, is_currency

# The first bytes of the format of Excel 97, which also holds workbooks with a password.
_OLD_FORMAT = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_MOST_ROWS = 100  # from which the layout is detected
# Text such as 5B is a code, not billions, if other cells are plain numbers.
_CODE = re.compile(r"\d+[^\W\d_]")
_FEW_COLUMNS = 2  # in tables this narrow, a row may have only one value


def read_spreadsheet(
    path: Path,
    *,
    sheet: str | None = None,
    names: Sequence[str] | None = None,
    header: bool | None = None,
    missing: Sequence[str] = (),
    text_columns: Collection[str] = (),
    number_columns: Collection[str] = (),
) -> tuple[pd.DataFrame, list[str]]:
    """Read the named sheet, or the first one; also returns the assumptions."""
    cells, assumed = _read_rows(path, sheet)
    rows = [row for row in map(_trim, cells) if row]
    if not rows:
        raise ValueError(f"{path} is empty.")
    width = max(map(len, rows))
    texts = [[_to_text(cell) or "" for cell in row] for row in rows[:_MOST_ROWS]]
    layout = find_layout(str(path), texts, names=names, header=header, width=width)
    data, notes = _without_notes(rows[layout.n_above :], width)
    body = [row + [None] * (width - len(row)) for row in data]
    if not body:
        raise ValueError(f"{path} has a header but no rows.")
    marks = [*MISSING, *missing]

    def settle(columns: Sequence[pa.ChunkedArray]) -> list[Settled]:
        return [
            settle_type(column, marks, None, as_text=name in text_columns, as_number=name in number_columns)
            for name, column in zip(layout.names, columns, strict=True)
        ]

    cells_of = zip(layout.names, zip(*body, strict=True), strict=True)
    mixed = [_to_column(column, as_text=name in text_columns) for name, column in cells_of]
    columns = [column for column, _ in mixed]
    written = [name for name, (_, is_mixed) in zip(layout.names, mixed, strict=True) if is_mixed]
    if written:
        notes = [*notes, f"text in {', '.join(written)} read as numbers"]
    settled, total = settle_without_total(columns, settle)
    table, more = name_columns(str(path), layout.names, [found.column for found in settled])
    return to_frame(table), [*assumed, *layout.assumed, *notes, *total, *describe(layout.names, settled), *more]


def _read_rows(path: Path, sheet: str | None) -> tuple[list[tuple], list[str]]:
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head.startswith(_OLD_FORMAT):
        if _ENCRYPTED in head or _ENCRYPTED in path.read_bytes():
            raise ValueError(f"{path} is protected by a password: save it without one, or as CSV.")
        raise ValueError(f"{path} has the format of Excel 97: save it as .xlsx or as CSV.")
    if not head.startswith(b"PK"):
        what = "a web page" if b"<table" in head.lower() or b"<html" in head.lower() else "something else"
        raise ValueError(
            f"{path} cannot be read as a spreadsheet: it is {what}. Save it as .xlsx, or name it .csv if it is text."
        )
    try:
        import openpyxl
    except ImportError as error:
        raise ImportError(
            f"{path} is a spreadsheet: install openpyxl to read it, by pip install 'tabrec[excel]', or save it as CSV."
        ) from error
    with path.open("rb") as file:  # openpyxl refuses a path with another ending
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        except (zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
            raise ValueError(
                f"{path} cannot be read as a spreadsheet: the file is damaged or in another format."
            ) from error
        names = [page.title for page in book.worksheets if page.sheet_state == "visible"] or book.sheetnames
        if sheet is not None and sheet not in book.sheetnames:
            raise ValueError(f"{path} has no sheet {sheet!r} (--sheet); it has {book.sheetnames}.")
        chosen = sheet or next((name for name in names if _holds_table(book[name])), names[0])
        rows = list(book[chosen].iter_rows(values_only=True))
    is_choice = sheet is None and len(names) > 1
    which = "first" if chosen == names[0] else "first with a table"
    return rows, [f"sheet {chosen!r}, the {which} of {len(names)}"] if is_choice else []


def _holds_table(page: Any) -> bool:
    """Return whether a sheet has two rows of several cells: a header and data."""
    wide = (row for row in page.iter_rows(values_only=True) if sum(cell is not None for cell in row) > 1)
    return len(list(islice(wide, 2))) == 2


def _trim(row: tuple) -> list[Any]:
    """Remove the empty cells at the end of a row."""
    width = max((i + 1 for i, cell in enumerate(row) if cell is not None and str(cell).strip()), default=0)
    return list(row[:width])


def _to_text(cell: Any) -> str | None:
    """Convert a cell to text as in a CSV file."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return None if cell is None else str(cell)


def _without_notes(rows: list[list[Any]], width: int) -> tuple[list[list[Any]], list[str]]:
    """Remove notes below the rows, which have text only in the first cell; also returns the assumptions."""
    n = len(rows)
    while n > 1 and width > _FEW_COLUMNS and len(rows[n - 1]) == 1 and isinstance(rows[n - 1][0], str):
        n -= 1
    said = f"{len(rows) - n} line{'s' * (len(rows) - n > 1)} of notes left out"
    return rows[:n], [said] * (n < len(rows))


def _to_column(cells: Sequence[Any], *, as_text: bool) -> tuple[pa.ChunkedArray, bool]:
    """Convert cells to a column, as text if their types differ; also returns whether text was read as numbers."""
    kinds = {float if isinstance(cell, int) and not isinstance(cell, bool) else type(cell) for cell in cells}
    kinds.discard(type(None))
    numbers = _read_mixed(cells) if kinds == {float, str} and not as_text else None
    if numbers is not None:
        return pa.chunked_array([pa.array(numbers, pa.float64())]), True
    if as_text or len(kinds) > 1:
        cells = [_to_text(cell) for cell in cells]
        return pa.chunked_array([pa.array(cells, pa.string())]), False
    whole = kinds == {float} and all(cell is None or float(cell).is_integer() for cell in cells)
    if whole:
        cells = [None if cell is None else int(cell) for cell in cells]
    return pa.chunked_array([pa.array(cells)]), False


def _read_mixed(cells: Sequence[Any]) -> list[float | None] | None:
    """Read numbers and text such as ``1.234,50 €`` or ``5 %`` as numbers; None if the text is not numbers."""
    counts = Counter(cell for cell in cells if isinstance(cell, str))
    if any(map(_CODE.fullmatch, counts)):
        return None
    found = find_number_format(list(counts), list(counts.values()))
    if found is None or not (found.unit in ("", "%") or is_currency(found.unit)) or found.marks:
        return None
    scale = 0.01 if found.unit == "%" else 1.0  # Excel stores percentages as fractions
    read = dict(zip(counts, (found.read(list(counts)) * scale).tolist(), strict=True))
    return [read.get(cell, cell) if isinstance(cell, str) else cell for cell in cells]
