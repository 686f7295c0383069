"""`read_table`: a file of any usual format as a raw frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from tabrec.datasets._delimited import find_encoding_of_all, read_delimited
from tabrec.datasets._dialect import find_dialect, find_names
from tabrec.datasets._sources import STANDARD_INPUT, Source

_PARQUET = (".parquet", ".pq")
# float64 does not represent all whole numbers beyond.
_LARGEST_EXACT = 2**53


def read_table(
    path: str | os.PathLike,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    names: Sequence[str] | None = None,
    header: bool | None = None,
    missing: Sequence[str] = (),
    text_columns: Sequence[str] = (),
) -> pd.DataFrame:
    """Read a table into a pandas frame, with text as ``category`` columns.

    How a text file is written is detected from its first lines. What was assumed is in ``frame.attrs["assumed"]``, a
    list of phrases; each parameter overrides it.

    Parameters
    ----------
    path : str or path-like
        A file whose name ends in ``.parquet`` or ``.pq`` is read as parquet, any other as delimited text, which may be
        compressed (``.gz``, ``.bz2``, ``.zst`` or ``.zip``). ``"-"`` reads text from standard input.
    delimiter : str, default=None
        Delimiter of the fields of a text file: a character, or "tab", "comma", "semicolon", "pipe" or "space". None
        detects it.
    encoding : str, default=None
        Encoding of a text file. None detects UTF-8 and UTF-16, and else guesses by the letters, cp1252 (Western
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
    text_columns : sequence of str, default=()
        Columns to read as text even if they look like numbers. Names that are not in the file are ignored.

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

    See Also
    --------
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
    path = Path(path)
    _check_exists(path)
    if path.suffix.lower() in _PARQUET:
        table, assumed = _read_parquet(path), list[str]()
    else:
        how = {"delimiter": delimiter, "encoding": encoding, "decimal": decimal, "names": names, "header": header}
        table, assumed = _read_text(Source(path), how, missing, text_columns)
    if table.num_rows == 0:
        raise ValueError(f"{path} has a header but no rows.")
    frame = _to_frame(table)
    frame.attrs["assumed"] = assumed
    return frame


def read_names(path: str | os.PathLike) -> list[str]:
    """The names of columns in a file: the first line of a table, or one name a line."""
    path = Path(path)
    _check_exists(path)
    return find_names(Source(path))


def _check_exists(path: Path) -> None:
    if str(path) == STANDARD_INPUT:
        return
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from error


def _read_text(
    source: Source, how: dict, missing: Sequence[str], text_columns: Sequence[str]
) -> tuple[pa.Table, list[str]]:
    dialect = find_dialect(source, **how)
    try:
        table, assumed = read_delimited(source, dialect, missing=missing, text_columns=text_columns)
    except UnicodeError as error:
        if how["encoding"] is not None:
            raise ValueError(
                f"{source.name} is not text in {how['encoding']}: pass its encoding, such as --encoding latin-1."
            ) from error
        # Only later lines show the encoding.
        dialect = find_dialect(source, **{**how, "encoding": find_encoding_of_all(source)})
        table, assumed = read_delimited(source, dialect, missing=missing, text_columns=text_columns)
    return table, dialect.assumed + assumed


def _to_frame(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas(strings_to_categorical=True, date_as_object=False)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_integer(column.type) and column.null_count and _is_large(column):
            frame[name] = column.to_pandas(types_mapper={column.type: pd.Int64Dtype()}.get)
    return frame


def _is_large(column: pa.ChunkedArray) -> bool:
    """Whether a column holds whole numbers that float64, the type of columns with gaps, may not distinguish."""
    bounds = pc.min_max(column).as_py()
    return any(bound is not None and abs(bound) >= _LARGEST_EXACT for bound in bounds.values())
