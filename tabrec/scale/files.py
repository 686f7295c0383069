"""`FileChunks`: a table in parquet or CSV files, read chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from tabrec.scale.file_parts import FilePart, find_parts
from tabrec.scale.file_schema import unite_schemas
from tabrec.scale.table_source import TableSource, divide, read_memory
from tabrec.tables.columns import read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import check_named


class FileChunks(TableSource):
    """A table in parquet or CSV files that need not fit in memory.

    Pass it to `fit` and `predict` of an estimator instead of a table. The files are read again in each pass, so they
    must not change meanwhile. Text is read as ``category`` columns; the columns of a CSV file have the types that
    Apache Arrow finds in its first megabyte, and a column that is text in one CSV file is text in all. Partitions such
    as ``state=Ohio/`` in the paths of files are not columns.

    Parameters
    ----------
    path : str, path-like or sequence of these
        A file, a folder, or a pattern such as ``"sales/*.parquet"``. Files below a folder are read in order of their
        paths: those that end in ``.parquet`` or ``.pq``, or else in ``.csv``, ``.tsv`` or ``.csv.gz``.
    columns : list of str, default=None
        Columns to read; None reads all.
    text_columns : list of str, default=()
        Columns of CSV files that are text even where all of their values are numbers, such as codes.
    delimiter : str, default=","
        Delimiter of CSV files; ``.tsv`` files have tabs.
    chunk_rows : int, default=100_000
        Number of rows of a chunk; smaller files are joined, and the last chunk may be shorter.
    memory : int or str, default="2GB"
        Bytes that the rows drawn for a model may take, in addition to the chunks that are read.
    on_damage : {"raise", "skip"}, default="raise"
        Whether a file that cannot be read raises an error, or is left out with a warning.

    Attributes
    ----------
    files : list of str
        The paths of the files that are read.
    schema : dict of str to dtype
        The dtype of each column.
    n_rows : int or None
        Number of rows; None before CSV files, or files of which some may be damaged, were read.

    Raises
    ------
    FileNotFoundError
        There is no such file, or a folder without tables.
    ValueError
        Files differ in their columns, a column has incompatible types, such as text and numbers in parquet files, or a
        file is damaged.

    See Also
    --------
    FrameChunks : Frames in memory as chunks.
    predict_to : Writes predictions for chunks to parquet.
    tabrec.datasets.read_table : Reads files of more formats into memory.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.scale import FileChunks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for year in (2010, 2011):
    ...         make_auctions(500, random_state=year).to_parquet(Path(folder) / f"{year}.parquet")
    ...     sales = FileChunks(folder)
    ...     forest = ForestRegressor(10, random_state=0).fit(sales, "log(SalePrice)")
    ...     log_prices = forest.predict(sales).head(1_000)
    >>> sales.n_rows, log_prices.shape
    (1000, (1000, 1))
    """

    def __init__(
        self,
        path: Any,
        *,
        columns: Sequence[str] | None = None,
        text_columns: Sequence[str] = (),
        delimiter: str = ",",
        chunk_rows: int = 100_000,
        memory: int | str = "2GB",
        on_damage: str = "raise",
    ):
        if on_damage not in ("raise", "skip"):
            raise ValueError(f"on_damage={on_damage!r} must be 'raise' or 'skip'.")
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows={chunk_rows} must be at least 1.")
        self.memory = read_memory(memory)
        self.chunk_rows = int(chunk_rows)
        self.on_damage = on_damage
        self._skipped: set[str] = set()
        self._counted: int | None = None
        found = find_parts(path, delimiter, self._skip)
        self._schema = unite_schemas(found, text_columns)
        self._parts = [part for file in found for part in file.split()]
        if columns is not None:
            names = check_named("columns", columns, self._schema.names)
            self._schema = pa.schema([self._schema.field(name) for name in names])

    @property
    def files(self) -> list[str]:
        """The paths of the files that are read."""
        return list(dict.fromkeys(part.path for part in self._parts))

    @property
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column."""
        return dict(self._schema.empty_table().to_pandas().dtypes)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The type of each column, as it is read."""
        return self._schema

    @property
    def parts(self) -> list[FilePart]:
        """The files, or the row groups of parquet files, in order."""
        return list(self._parts)

    @property
    def n_rows(self) -> int | None:
        """Number of rows, None if it is not known."""
        counts = [part.n_rows for part in self._parts if part.n_rows is not None]
        return self._counted if self.on_damage == "skip" or len(counts) < len(self._parts) else sum(counts)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        waiting: list[tuple[str, pa.Table]] = []
        n_waiting = n_read = 0
        for path, batch in self._batches():
            waiting.append((path, batch))
            n_waiting += len(batch)
            while n_waiting >= self.chunk_rows:
                frame, waiting = self._cut(waiting)
                n_waiting -= len(frame)
                n_read += len(frame)
                yield frame
        if n_waiting:
            yield self._cut(waiting)[0]
        self._counted = n_read + n_waiting

    def _cut(self, waiting: list[tuple[str, pa.Table]]) -> tuple[pd.DataFrame, list[tuple[str, pa.Table]]]:
        """Split the waiting batches into the next chunk, as a frame, and the remaining rows."""
        paths = list(dict.fromkeys(path for path, _ in waiting))
        table = pa.concat_tables([batch for _, batch in waiting]).unify_dictionaries()
        frame = read_frame(table[: self.chunk_rows])
        frame.attrs["files"] = paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]}"
        rest = table[self.chunk_rows :]
        return frame, [(paths[-1], rest)] if len(rest) else []

    def _batches(self) -> Iterator[tuple[str, pa.Table]]:
        for part in self._parts:
            try:
                for table in part.read(self._schema, self.chunk_rows):
                    yield part.path, table
            except ValueError as error:
                self._skip(part.path, error)

    def _skip(self, path: str, error: ValueError) -> None:
        """Raise the error, or warn of it once and leave out the rest of the file."""
        if self.on_damage != "skip":
            raise error
        if path not in self._skipped:
            self._skipped.add(path)
            warn_caller(f"A damaged file is left out from where it cannot be read: {error}")

    def select(self, columns: Sequence[str]) -> FileChunks:
        """Return the table with some columns; the others are not read.

        Parameters
        ----------
        columns : sequence of str
            Names, in the order of the new table.

        Returns
        -------
        FileChunks
        """
        names = check_named("columns", columns, self._schema.names)
        selected = self._with_parts(self._parts)
        selected._schema = pa.schema([self._schema.field(name) for name in names])
        return selected

    def split(self, n_shards: int) -> list[FileChunks]:
        """Divide the table at the ends of files and, in parquet files, of row groups.

        Parameters
        ----------
        n_shards : int
            Largest number of parts, which have about equal numbers of rows where these are known.

        Returns
        -------
        list of FileChunks
        """
        groups = divide(self._parts, [part.n_rows or 1 for part in self._parts], n_shards)
        return [self._with_parts(group) for group in groups]

    def _with_parts(self, parts: list[FilePart]) -> FileChunks:
        other = object.__new__(FileChunks)
        vars(other).update(vars(self))
        other._parts, other._counted = parts, self._counted if parts is self._parts else None
        return other
