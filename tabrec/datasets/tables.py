"""`read_table`: a CSV or parquet file as a raw frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

_PARQUET = (".parquet", ".pq")

# The same markers of missing values as in pandas.
_MISSING = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A"]
_MISSING += ["NA", "NULL", "NaN", "None", "n/a", "nan", "null"]


def read_table(
    path: str | os.PathLike, *, delimiter: str = ",", text_columns: Sequence[str] = (), encoding: str = "utf-8"
) -> pd.DataFrame:
    """Read a CSV or parquet file into a pandas frame, with text as ``category`` columns.

    Parameters
    ----------
    path : str or path-like
        A file whose name ends in ``.parquet`` or ``.pq`` is read as parquet, any other as CSV. A CSV file may be
        compressed, as its ending shows.
    delimiter : str, default=","
        Delimiter of the fields of a CSV file.
    text_columns : sequence of str, default=()
        Columns to read as text even if they look like numbers. Names that are not in the file are ignored.
    encoding : str, default="utf-8"
        Encoding of a CSV file.

    Returns
    -------
    pandas.DataFrame
        A new frame with a default index.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    ValueError
        The file is empty or not a table, or has a single column that appears to use another delimiter.

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
    ...     _ = path.write_text("state,price\\nOhio,9500\\nNA,14000\\n")
    ...     read_table(path)
      state  price
    0  Ohio   9500
    1   NaN  14000
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty.")
    if path.suffix.lower() in _PARQUET:
        frame = _read_parquet(path)
    else:
        frame = _read_csv(path, delimiter, text_columns, encoding)
        _check_delimiter(path, frame, delimiter)
    if frame.shape[0] == 0:
        raise ValueError(f"{path} has a header but no rows.")
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pyarrow.parquet.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(f"{path} cannot be read as parquet: {error}") from error
    return table.to_pandas(strings_to_categorical=True, date_as_object=False)


def _read_csv(path: Path, delimiter: str, text_columns: Sequence[str], encoding: str) -> pd.DataFrame:
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(encoding=encoding, block_size=1 << 24),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter),
            convert_options=pyarrow.csv.ConvertOptions(
                null_values=_MISSING,
                strings_can_be_null=True,
                auto_dict_encode=True,
                auto_dict_max_cardinality=2**31 - 1,
                column_types=dict.fromkeys(text_columns, text),
            ),
        )
    except pa.ArrowException:
        # pandas is slower but reads columns whose later rows contradict the type, and line breaks in quotes.
        return _read_csv_with_pandas(path, delimiter, text_columns, encoding)
    for position, field in enumerate(table.schema):
        if pa.types.is_binary(field.type.value_type if pa.types.is_dictionary(field.type) else field.type):
            raise ValueError(
                f"{path} is not text in {encoding}: see column {field.name!r}. Pass its encoding, such as latin-1."
            )
        if pa.types.is_time(field.type):
            table = table.set_column(position, field.name, table.column(position).cast(pa.string()))
    return table.to_pandas(strings_to_categorical=True, date_as_object=False)


def _read_csv_with_pandas(path: Path, delimiter: str, text_columns: Sequence[str], encoding: str) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path, sep=delimiter, low_memory=False, encoding=encoding, dtype=dict.fromkeys(text_columns, "str")
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in {encoding}: {error}. Pass its encoding, such as latin-1.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a table with the delimiter {delimiter!r}: {error}") from error


def _check_delimiter(path: Path, frame: pd.DataFrame, delimiter: str) -> None:
    """Refuse a single column whose name contains another delimiter."""
    if frame.shape[1] > 1:
        return
    name = str(frame.columns[0])
    for other in (";", "\t", "|", ","):
        if other != delimiter and other in name:
            raise ValueError(
                f"{path} has a single column with the delimiter {delimiter!r}, named {name[:80]!r}. "
                f"The delimiter appears to be {other!r}: pass delimiter={other!r}."
            )
