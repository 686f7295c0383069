"""`read_delimited`: read the rows of a text table by arrow, or by pandas if arrow fails."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tabrec.datasets._columns import name_columns
from tabrec.datasets._dialect import Dialect
from tabrec.datasets._encodings import find_encoding
from tabrec.datasets._labels import Settled, describe, settle_ids, settle_type
from tabrec.datasets._marks import MISSING
from tabrec.datasets._sources import Source
from tabrec.datasets._totals import settle_without_total

_TEXT = pa.dictionary(pa.int32(), pa.string())
# Comments, rules, and the numbers of rows that databases print below a table.
_NOTE = r"(#|[-+:=\s]*-{3}[-+:=\s]*$|\(\d+ rows?\)$)"
_DIGITS = re.compile(r"[\d\W]*$")
_NOTES_BELOW = 10_000  # characters
_BLOCK_BYTES = 1 << 24


def read_delimited(
    source: Source,
    dialect: Dialect,
    *,
    missing: Sequence[str] = (),
    text_columns: Collection[str] = (),
    number_columns: Collection[str] = (),
    id_columns: Collection[str] = (),
) -> tuple[pa.Table, list[str]]:
    """Read a text table in its dialect; returns it with the assumptions about its values."""
    marks = [*MISSING, *missing]
    id_columns, number_columns = set(id_columns) & set(dialect.names), set(number_columns)
    text_columns = {*text_columns, *(name for name in dialect.codes if name not in id_columns)}
    is_text = [name in text_columns or name in id_columns for name in dialect.names]
    odd = _OddRows(source.name, dialect)
    table = None
    if not dialect.skips_spaces:
        table = _read_with_arrow(source, dialect, marks, is_text, odd, strings_can_be_null=not id_columns)
    if table is None or odd.n_short or odd.n_ended:
        table = _read_as_text(source, dialect, odd)
    table, repeated = _without_headers(table, dialect.names)
    # If the file has decimal points, single columns may have commas; if it has decimal commas, points separate
    # thousands.
    known = dialect.given_decimal or ("," if dialect.decimal == "," else None)

    def settle(columns: Sequence[pa.ChunkedArray]) -> list[Settled]:
        return [
            settle_ids(column, missing, as_text=name in text_columns)
            if name in id_columns
            else settle_type(column, marks, known, as_text=name in text_columns, as_number=name in number_columns)
            for name, column in zip([*dialect.names, ""], columns, strict=False)
        ]

    settled, total = settle_without_total(table.columns, settle)
    named, assumed = name_columns(source.name, dialect.names, [found.column for found in settled])
    named, empty = _without_empty_rows(named)
    return named, [*odd.describe(), *repeated, *empty, *total, *describe(dialect.names, settled), *assumed]


def _without_headers(table: pa.Table, names: Sequence[str]) -> tuple[pa.Table, list[str]]:
    """Remove rows that repeat the header, as in joined files; returns the assumptions too."""
    columns = table.columns[: len(names)]
    if not all(pa.types.is_string(column.type) or pa.types.is_dictionary(column.type) for column in columns):
        return table, []
    repeats = np.ones(len(table), dtype=bool)
    for name, column in zip(names, columns, strict=False):
        repeats &= pc.fill_null(pc.equal(column.cast(pa.string()), name), False).to_numpy()
        if not repeats.any():
            return table, []
    # Decoding drops labels that no longer occur.
    kept = pa.table({name: table[name].cast(pa.string()) for name in table.column_names}).filter(pa.array(~repeats))
    return kept, [f"{int(repeats.sum()):,} rows that repeat the header left out"]


def _without_empty_rows(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """Remove rows without any value; returns the assumptions too."""
    if table.num_columns < 2 or any(column.null_count == 0 for column in table.columns):
        return table, []
    is_empty = np.logical_and.reduce([column.is_null().to_numpy() for column in table.columns])
    n = int(is_empty.sum())
    if n in (0, len(table)):
        return table, []
    return table.filter(pa.array(~is_empty)), [f"{n:,} empty row{'s' * (n > 1)} left out"]


class _OddRows:
    """Counts rows that are shorter than the header, and keeps a longer one for an error message."""

    def __init__(self, name: str, dialect: Dialect):
        self.n_short = 0
        self.n_ended = 0
        self.n_notes = 0  # number of short rows
        self.long: Any = None
        self._width, self._delimiter = dialect.width, dialect.delimiter

    def __call__(self, row: Any) -> str:
        if row.actual_columns < self._width:
            self.n_short += bool(row.text.strip())
        elif row.actual_columns == self._width + 1 and row.text.rstrip().endswith(self._delimiter.strip() or "\t"):
            self.n_ended += 1
        else:
            self.long = row
            return "error"
        return "skip"

    def describe(self) -> list[str]:
        """Return the assumptions about these rows."""
        n_short = self.n_short - self.n_notes
        short = f"the missing fields of {n_short:,} short rows taken as missing values"
        notes = f"{self.n_notes:,} line{'s' * (self.n_notes > 1)} of notes left out"
        ended = f"the delimiter at the end of {self.n_ended:,} rows ignored"
        said = {short: n_short > 0, notes: self.n_notes > 0, ended: self.n_ended > 0}
        return [text for text, is_so in said.items() if is_so]


def _read_with_arrow(
    source: Source,
    dialect: Dialect,
    marks: list[str],
    is_text: list[bool],
    odd: _OddRows,
    *,
    strings_can_be_null: bool,
) -> pa.Table | None:
    """Read the table with columns named by position; None if arrow cannot read it."""
    names = [str(position) for position in range(dialect.width)]
    encoding = "utf-8" if dialect.encoding == "utf-8-sig" else dialect.encoding
    try:
        table = pyarrow.csv.read_csv(
            source.open_for_arrow(),
            read_options=pyarrow.csv.ReadOptions(
                encoding=encoding, block_size=_BLOCK_BYTES, column_names=names, skip_rows=dialect.skipped_lines
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quote,
                newlines_in_values=dialect.has_line_breaks,
                invalid_row_handler=odd,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                null_values=marks,
                strings_can_be_null=strings_can_be_null,
                auto_dict_encode=True,
                auto_dict_max_cardinality=2**31 - 1,
                decimal_point=dialect.decimal or ".",
                column_types={name: _TEXT for name, as_text in zip(names, is_text, strict=True) if as_text},
            ),
        )
    except pa.ArrowException as error:
        if odd.long is not None:
            raise ValueError(_too_long(source.name, dialect, odd.long)) from error
        # Later rows have other types than the first ones, or a value has line breaks.
        return None
    if _has_bytes(table):
        raise UnicodeError(f"{source.name} is not text in {dialect.encoding}.")
    return table


def _read_as_text(source: Source, dialect: Dialect, odd: _OddRows) -> pa.Table:
    """Read the table with every column as text; rows may be short."""
    with source.open() as file:
        try:
            frame = pd.read_csv(
                file,
                sep=r"\s+" if dialect.delimiter == " " else dialect.delimiter,
                header=None,
                names=list(range(dialect.width + (odd.n_ended > 0))),
                index_col=False,
                skiprows=dialect.skipped_lines,
                dtype="str",
                keep_default_na=False,
                encoding=dialect.encoding,
                quotechar=dialect.quote,
                skipinitialspace=dialect.skips_spaces,
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise ValueError(
                f"{source.name} cannot be read as a table with the delimiter {dialect.delimiter!r}: {error}"
            ) from error
    kept = frame[~_are_notes(frame, source, dialect, odd)]
    odd.n_notes = len(frame) - len(kept)
    return pa.table({str(name): pa.array(kept[name], pa.string(), from_pandas=True) for name in kept})


def _are_notes(frame: pd.DataFrame, source: Source, dialect: Dialect, odd: _OddRows) -> np.ndarray:
    """Return a mask of comments, rules, and short rows of text below the last blank line."""
    if frame.shape[1] == 1:
        return np.zeros(len(frame), dtype=bool)
    is_alone = (frame.iloc[:, 1:].isna() | (frame.iloc[:, 1:] == "")).all(axis=1).to_numpy()
    if not is_alone.any() and not odd.n_short:
        return is_alone
    is_note = is_alone & frame[0].str.strip().str.match(_NOTE).fillna(False).to_numpy(dtype=bool)
    lines = source.head().decode(dialect.encoding, errors="replace")[-_NOTES_BELOW:].strip().splitlines()

    def is_short(line: str) -> bool:
        fields = line.split(dialect.delimiter)
        return len(fields) < dialect.width and not _DIGITS.match(fields[0])

    below = list(takewhile(str.strip, reversed(lines)))
    is_below = 0 < len(below) < min(len(lines), len(frame))
    if is_below and (is_alone[-len(below) :].all() or all(map(is_short, below))):
        is_note[-len(below) :] = True
    return is_note


def _too_long(name: str, dialect: Dialect, row: Any) -> str:
    text = row.text[:80] + "…" * (len(row.text) > 80)
    return (
        f"{name} has {dialect.width} columns, but a row with {row.actual_columns} fields: {text!r}. Quote the fields "
        f"that contain the delimiter {dialect.delimiter!r}, or name another one with --delimiter (delimiter=)."
    )


def _has_bytes(table: pa.Table) -> bool:
    """Return whether some text of a table is not in its encoding: arrow leaves it as bytes."""
    kinds = (field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in table.schema)
    return any(map(pa.types.is_binary, kinds))


def find_encoding_of_all(source: Source) -> str:
    """Return the encoding of a text that is not recognised from its first lines."""
    return find_encoding(source.head(), is_complete=True)
