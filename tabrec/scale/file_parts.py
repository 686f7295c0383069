"""`FilePart`: a file, or a row group of a parquet file; how files are found and read."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.fs

from tabrec.tables.spelling import absent_file

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_COLUMN = re.compile(r"CSV column #(\d+)")


@dataclass(frozen=True)
class FilePart:
    """A file, or a row group of a parquet file."""

    path: str
    fragment: Any
    is_parquet: bool
    n_rows: int | None  # None for CSV
    schema: pa.Schema  # schema of the file

    def split(self) -> list[FilePart]:
        """Return the row groups of a parquet file; a CSV file is one part."""
        if not self.is_parquet:
            return [self]
        groups = self.fragment.split_by_row_group()
        return [FilePart(self.path, group, True, group.row_groups[0].num_rows, self.schema) for group in groups]

    def read(self, schema: pa.Schema, batch_rows: int) -> Iterator[pa.Table]:
        """Read the columns of a schema in batches, text as dictionaries; damage is a ValueError."""
        with _named_damage(self.path, self.schema.names):
            # Reading ahead is disabled, so that memory holds one row group and one batch.
            batches = self.fragment.to_batches(
                schema=pa.schema([pa.field(field.name, _read_type(field.type, self.is_parquet)) for field in schema]),
                columns=schema.names,
                batch_size=batch_rows,
                batch_readahead=0,
                fragment_readahead=0,
                use_threads=False,
            )
            for batch in batches:
                if len(batch):
                    arrays = [_as_type(array, field.type) for array, field in zip(batch.columns, schema, strict=True)]
                    yield pa.Table.from_arrays(arrays, schema=schema)


def _read_type(wanted: pa.DataType, is_parquet: bool) -> pa.DataType:
    """Return the type to read as: text in CSV files is read as plain text before it is dictionary-encoded."""
    return wanted.value_type if pa.types.is_dictionary(wanted) and not is_parquet else wanted


def _as_type(array: pa.Array, wanted: pa.DataType) -> pa.Array:
    if array.type == wanted:
        return array
    return array.dictionary_encode() if pa.types.is_dictionary(wanted) else array.cast(wanted)


def find_parts(path: Any, delimiter: str, skip: Callable[[str, ValueError], None]) -> list[FilePart]:
    """Find the files of a table; empty files are left out, and errors of damaged ones are passed to `skip`."""
    parts = []
    for file in _find_files(path):
        name = str(file)
        try:
            if file.stat().st_size:
                with _named_damage(name, []):
                    parts.append(_open_part(name, delimiter))
        except ValueError as error:
            skip(name, error)
    if not parts:
        raise ValueError(f"{_as_text(path)} holds no file with rows that can be read.")
    return parts


def _open_part(name: str, delimiter: str) -> FilePart:
    is_parquet = name.lower().endswith(_PARQUET)
    fragment = _file_format(name, delimiter, []).make_fragment(name, pa.fs.LocalFileSystem())
    schema = fragment.physical_schema
    if not is_parquet:
        return FilePart(name, fragment, False, None, schema)
    text = [field.name for field in schema if is_text(field.type)]
    if text:
        fragment = _file_format(name, delimiter, text).make_fragment(name, pa.fs.LocalFileSystem())
    return FilePart(name, fragment, True, fragment.metadata.num_rows, schema)


def _file_format(name: str, delimiter: str, text: list[str]) -> Any:
    if name.lower().endswith(_PARQUET):
        return pa.dataset.ParquetFileFormat(dictionary_columns=set(text))
    is_tsv = ".tsv" in Path(name).suffixes
    return pa.dataset.CsvFileFormat(
        parse_options=pa.csv.ParseOptions(delimiter="\t" if is_tsv else delimiter),
        convert_options=pa.csv.ConvertOptions(strings_can_be_null=True),
    )


def is_text(found: pa.DataType) -> bool:
    """Return whether an arrow type holds text, in a dictionary or not."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    return pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found)


def _find_files(path: Any) -> list[Path]:
    if isinstance(path, Sequence) and not isinstance(path, str):
        return [file for one in path for file in _find_files(one)]
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a file, a folder, a pattern or a list of them, but got {type(path).__name__}.")
    given = Path(path)
    if given.is_dir():
        below = sorted(file for file in given.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(given)))
        found = [file for file in below if file.name.lower().endswith(_PARQUET)]
        found = found or [file for file in below if file.name.lower().endswith(_CSV)]
        if not found:
            raise FileNotFoundError(f"The folder {given} holds no {', '.join((*_PARQUET, *_CSV))} file.")
        return found
    if not given.exists():
        found = (
            sorted(Path(name) for name in glob.glob(str(given), recursive=True)) if glob.has_magic(str(given)) else []
        )
        if not found:
            raise FileNotFoundError(absent_file(given))
        return found
    return [given]


def _is_hidden(path: Path) -> bool:
    """Return whether a file is not part of a table, such as the _SUCCESS of Spark."""
    return any(part.startswith((".", "_")) for part in path.parts)


def _as_text(path: Any) -> str:
    return os.fspath(path) if isinstance(path, str | os.PathLike) else ", ".join(map(str, path))


@contextmanager
def _named_damage(path: str, names: Sequence[str]) -> Iterator[None]:
    """Name the file in errors of reading, and the column if arrow reports its position."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        said = str(error).rpartition("Invalid: ")[2].splitlines()[0]
        position = _COLUMN.search(said)
        advice = ""
        if position and int(position[1]) < len(names):
            name = names[int(position[1])]
            advice = f" This is column {name!r}: pass text_columns=[{name!r}] if it holds text."
        raise ValueError(f"{path} cannot be read: {said.rstrip('.')}.{advice}") from error
