"""`read_table`: read a file of any usual format into a raw frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from tabrec.datasets._dates import read_columns_of_dates
from tabrec.datasets._delimited import find_encoding_of_all, read_delimited
from tabrec.datasets._dialect import find_dialect, find_names
from tabrec.datasets._formats import read_feather, read_json, read_parquet, to_frame
from tabrec.datasets._parts import find_files, read_parts
from tabrec.datasets._repairs import repair
from tabrec.datasets._sources import STANDARD_INPUT, Source, is_workbook, packing_of, starts_as_json, text_suffix
from tabrec.datasets._spreadsheet import read_spreadsheet
from tabrec.tables.memory import physical_memory
from tabrec.tables.spelling import absent_file

_PARQUET = (".parquet", ".pq")
_FEATHER = (".feather", ".arrow")
_JSON = (".json", ".jsonl", ".ndjson")
_SPREADSHEET = (".xlsx", ".xlsm", ".xls")
_MEMORY_OF_READING = 2  # lower bound, as a multiple of the file size
_TEXT = (".csv", ".tsv", ".txt", ".data")


def read_table(
    path: str | os.PathLike,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    names: Sequence[str] | None = None,
    header: bool | None = None,
    missing: Sequence[str] = (),
    sheet: str | None = None,
    text_columns: Sequence[str] = (),
    number_columns: Sequence[str] = (),
    id_columns: Sequence[str] | Callable[[pd.DataFrame], Sequence[str]] = (),
    date_formats: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read a table into a pandas frame, with text as ``category`` columns.

    How a text file is written is detected from its first lines. ``frame.attrs["assumed"]`` lists the assumptions as
    phrases; each parameter overrides one. ``frame.attrs["decimal"]`` is the decimal mark of a text file, None if no
    number has one.

    Parameters
    ----------
    path : str or path-like
        A file, a folder of files, or a pattern such as ``"sales/*.csv"``. The suffix decides the format of a file,
        unless a text suffix contradicts the content: parquet (``.parquet``, ``.pq``), feather (``.feather``), JSON
        (``.json``, ``.jsonl``), a spreadsheet (``.xlsx``), or else delimited text. JSON and text may be compressed
        (``.gz``, ``.bz2``, ``.zst`` or ``.zip``). ``"-"`` reads text from standard input.
    delimiter : str, default=None
        Delimiter of the fields of a text file: a character, or "tab", "comma", "semicolon", "pipe" or "space". None
        detects it.
    encoding : str, default=None
        Encoding of a text file. None detects UTF-8 and UTF-16, otherwise guesses from the letters, cp1252 (Western
        European) unless they are clearly others.
    decimal : {".", ","}, default=None
        Decimal mark of numbers. None detects it.
    names : sequence of str, default=None
        Names of the columns, for a file without a header or instead of its header.
    header : bool, default=None
        Whether the first line holds the names of the columns. None detects it: a file without a header then needs
        `names`. False without `names` calls the columns ``x0``, ``x1``, …
    missing : sequence of str, default=()
        Marks of missing values, besides empty fields, ``NA``, ``NaN``, ``NULL``, ``None``, ``N/A`` and their variants.
    sheet : str, default=None
        Sheet of a spreadsheet; None takes the first one.
    text_columns : sequence of str, default=()
        Columns to read as text even if they look like numbers. Names that are not in the file are ignored.
    number_columns : sequence of str, default=()
        Columns of numbers, in which a mark such as ``-`` or ``?`` is a missing value however often it occurs; other
        columns are numbers if most of their values are. Names that are not in the file are ignored.
    id_columns : sequence of str or callable, default=()
        Columns of ids in a text file: whole numbers if all are written as such, or else text exactly as written, with
        leading zeros. Only empty fields and the marks in `missing` are missing ids; ``NA`` is an id. A callable
        receives the first rows, all as text, and returns the names.
    date_formats : dict of str to str, default=None
        Formats of columns of dates: as for `datetime.strptime`, such as ``"%d/%m/%Y"``, or "quarter", "week" (of ISO
        8601), "excel" (days since 1899-12-30), "seconds", "milliseconds", "microseconds" or "nanoseconds" (since 1970,
        UTC); "none" keeps a column as it is. Names that are not in the file are ignored. In other columns, numbers are
        dates if both the name and the range of the column say so, as in ``created_time`` or ``order date``; what was
        converted is in ``frame.attrs["date_formats"]``. Text with dates stays text, which models read.

    Returns
    -------
    pandas.DataFrame
        A new frame with a default index.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file is empty, damaged or not a table, has no header, or its delimiter is unclear.
    ImportError
        The file is a spreadsheet and openpyxl is not installed: ``pip install 'tabrec[excel]'``.

    See Also
    --------
    read_query : Reads the result of a database query.
    load_bulldozers, load_house_prices, load_adult : Read tables whose columns are known.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "sales.csv"
    ...     _ = path.write_text("state;price\\nOhio;9500,5\\nNA;14000\\n")
    ...     frame = read_table(path)
    >>> frame
      state    price
    0  Ohio   9500.5
    1   NaN  14000.0
    >>> frame.attrs["assumed"]
    ["delimiter ';'", 'UTF-8', 'decimal comma']
    """
    options = {"names": names, "header": header, "missing": missing, "number_columns": number_columns}
    written = {"delimiter": delimiter, "encoding": encoding, "decimal": decimal, "id_columns": id_columns}

    def read(file: Path, text_columns: Sequence[str]) -> pd.DataFrame:
        return _read_file(file, written, options, sheet, text_columns)

    frame = _read_files(path, read, text_columns)
    formats = {name: form for name, form in (date_formats or {}).items() if name in frame}
    dated, formats, assumed = read_columns_of_dates(frame, formats, {*text_columns, *number_columns})
    dated.attrs |= {**frame.attrs, "assumed": frame.attrs["assumed"] + assumed, "date_formats": formats}
    return dated


def _read_files(
    path: str | os.PathLike, read: Callable[[Path, Sequence[str]], pd.DataFrame], text_columns: Sequence[str]
) -> pd.DataFrame:
    files = table_files(path)
    if len(files) == 1:
        return read(files[0], text_columns)
    if all(file.suffix.lower() in _PARQUET for file in files) and Path(path).is_dir():
        frame = read_parquet(Path(path))
        frame.attrs["assumed"] = [f"{len(files)} files"]
        return frame
    return read_parts(files, read, list(text_columns))


def table_files(path: str | os.PathLike) -> list[Path]:
    """Return the files that a table consists of: the file itself, those of a folder, or those that match a pattern."""
    return find_files(path, (*_PARQUET, *_FEATHER, *_JSON, *_SPREADSHEET, *_TEXT))


def _read_file(
    path: Path, written: dict, options: dict, sheet: str | None, text_columns: Sequence[str]
) -> pd.DataFrame:
    _check_exists(path)
    suffix = _format_of(path)
    if suffix in _PARQUET:
        frame = read_parquet(path)
    elif suffix in _FEATHER:
        frame = read_feather(path)
    elif suffix in _JSON:
        frame = read_json(Source(path), suffix)
    elif suffix in _SPREADSHEET:
        frame, assumed = read_spreadsheet(path, sheet=sheet, text_columns=text_columns, **options)
        frame.attrs["assumed"] = assumed
    else:
        frame = _read_text(Source(path), {**written, **options}, text_columns)
    if len(frame) == 0:
        raise ValueError(f"{path} has a header but no rows.")
    frame.attrs.setdefault("assumed", [])
    return frame


def _format_of(path: Path) -> str:
    """Return the suffix of the format of a file: that of its content if it differs from its name."""
    suffix = text_suffix(path)
    if suffix in (*_PARQUET, *_FEATHER, *_JSON, *_SPREADSHEET) or str(path) == STANDARD_INPUT:
        return suffix
    packing = packing_of(path)
    if packing in (*_PARQUET, *_FEATHER):
        return packing
    if packing == ".zip" and is_workbook(path):
        return _SPREADSHEET[0]
    return _JSON[0] if starts_as_json(Source(path)) else suffix


def read_names(path: str | os.PathLike) -> list[str]:
    """Return the names of columns in a file: the first line of a table, or one name per line."""
    path = Path(path)
    _check_exists(path)
    return find_names(Source(path))


def _check_exists(path: Path) -> None:
    if str(path) == STANDARD_INPUT:
        return
    if not path.is_file():
        raise absent_file(path)
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path} is empty.")
    memory = physical_memory()
    if memory is not None and size * _MEMORY_OF_READING > memory:
        raise ValueError(
            f"{path} has {size / 2**30:.1f} GiB, and reading it takes two to three times as much memory, but this "
            f"machine has {memory / 2**30:.1f} GiB: use a part of its rows or columns."
        )


def _read_text(source: Source, options: dict, text_columns: Sequence[str]) -> pd.DataFrame:
    values = {"missing": options.pop("missing"), "number_columns": options.pop("number_columns")}
    id_columns = options.pop("id_columns")
    source, repaired = repair(source)
    dialect = find_dialect(source, **options)
    values["id_columns"] = id_columns(dialect.head()) if callable(id_columns) else id_columns
    try:
        table, assumed = read_delimited(source, dialect, text_columns=text_columns, **values)
    except UnicodeError as error:
        if options["encoding"] is not None:
            raise ValueError(
                f"{source.name} is not text in {options['encoding']}; pass its encoding, such as --encoding latin-1."
            ) from error
        # The encoding is visible only in later lines.
        dialect = find_dialect(source, **{**options, "encoding": find_encoding_of_all(source)})
        table, assumed = read_delimited(source, dialect, text_columns=text_columns, **values)
    frame = to_frame(table)
    frame.attrs |= {"assumed": dialect.assumed + repaired + assumed, "decimal": dialect.decimal}
    return frame
