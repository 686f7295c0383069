"""`TableSource`: what all tables in chunks can do: be fitted to, applied to, sampled and written."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from tabrec.scale.fitting import fit_to_chunks
from tabrec.scale.row_draw import RowDraw
from tabrec.scale.writing import write_parquet
from tabrec.tables.chunks import Chunks
from tabrec.tables.names import check_named

_Item = TypeVar("_Item")
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class TableSource(Chunks):
    """Base of tables in chunks; a subclass defines how they are read and divided.

    Attributes
    ----------
    memory : int
        Bytes that the rows drawn for a model may take.
    """

    memory: int

    @abstractmethod
    def split(self, n_shards: int) -> Sequence[TableSource]:
        """Divide the table into at most `n_shards` tables of consecutive rows, in order.

        Parameters
        ----------
        n_shards : int
            Largest number of parts.

        Returns
        -------
        list of TableSource
        """

    def fit(self, estimator: Any, y: Any = None, **options: Any) -> Any:
        """Fit an estimator of this package to the table, as ``estimator.fit(chunks, y)`` does.

        Parameters
        ----------
        estimator : estimator
            A forest, a boosting model, a net, a recommender or a transformer.
        y : str, default=None
            Column of the target, which is not a feature, or its logarithm or square root, as ``"log(SalePrice)"``;
            None for transformers, and for recommenders without ratings.
        **options : object
            Further arguments of `fit`; those that are one value for each row are not supported.

        Returns
        -------
        estimator
        """
        return fit_to_chunks(estimator, self, y, options)

    def apply(self, function: Callable[[pd.DataFrame], Any], columns: Sequence[str] | None = None) -> AppliedChunks:
        """Return the table of the results of a function for each frame, computed on every reading.

        Parameters
        ----------
        function : callable
            Takes a frame, and returns a table or an array with a row for each row of it.
        columns : sequence of str, default=None
            Names of the columns of an array; None is "prediction", or "0", "1", … for several columns.

        Returns
        -------
        AppliedChunks
        """
        return AppliedChunks(self, function, columns)

    def map_parts(self, function: Callable[[TableSource, int], Any]) -> Iterable[Any]:
        """Apply a function to each part that a separate process reads, which here is the whole table.

        Parameters
        ----------
        function : callable
            Takes a table in chunks, and the position of its first row in this one.

        Returns
        -------
        iterable
            The results in order of the parts.
        """
        return [function(self, 0)]

    def head(self, n_rows: int = 5) -> pd.DataFrame:
        """Return the first rows.

        Parameters
        ----------
        n_rows : int, default=5
            Number of rows.

        Returns
        -------
        pandas.DataFrame
        """
        frames, n_read = [], 0
        for frame in self:
            frames.append(frame.iloc[: n_rows - n_read])
            n_read += len(frames[-1])
            if n_read >= n_rows:
                break
        return join_frames(frames)

    def take(self, rows: Any) -> pd.DataFrame:
        """Return the rows at the given positions, in the order of the table.

        Parameters
        ----------
        rows : array-like of int
            Positions, counted from 0; each row is returned once.

        Returns
        -------
        pandas.DataFrame
        """
        wanted, frames, start = np.unique(np.asarray(rows, dtype=np.int64)), [], 0
        for frame in self:
            first, last = np.searchsorted(wanted, [start, start + len(frame)])
            if last > first:
                frames.append(frame.iloc[wanted[first:last] - start])
            start += len(frame)
        if len(wanted) and (wanted[0] < 0 or wanted[-1] >= start):
            raise ValueError(
                f"rows holds {wanted[-1] if wanted[-1] >= start else wanted[0]}, but there are {start} rows."
            )
        return join_frames(frames)

    def sample(self, n_rows: int, random_state: int = 0) -> pd.DataFrame:
        """Draw a uniform sample of rows without replacement, in the order of the table and independent of the chunks.

        Parameters
        ----------
        n_rows : int
            Number of rows, at most all of them.
        random_state : int, default=0
            Seed of the draw.

        Returns
        -------
        pandas.DataFrame
        """
        draw, frames, start = RowDraw(self.count_rows(), n_rows, random_state), [], 0
        for frame in self:
            frames.append(frame.iloc[draw.positions(start, len(frame))])
            start += len(frame)
        return join_frames(frames)

    def count_rows(self) -> int:
        """Return the number of rows; the table is read if it is not known.

        Returns
        -------
        int
        """
        return sum(map(len, self)) if self.n_rows is None else self.n_rows

    def select(self, columns: Sequence[str]) -> TableSource:
        """Return the table with some columns.

        Parameters
        ----------
        columns : sequence of str
            Names, in the order of the new table.

        Returns
        -------
        TableSource
        """
        names = check_named("columns", columns, self.schema)
        return self.apply(lambda frame: frame[names])

    def drop(self, columns: Sequence[str]) -> TableSource:
        """Return the table without some columns.

        Parameters
        ----------
        columns : sequence of str
            Names.

        Returns
        -------
        TableSource
        """
        dropped = check_named("columns", columns, self.schema)
        return self.select([name for name in self.schema if name not in dropped])

    def to_parquet(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the table as parquet, chunk by chunk; the file or folder appears complete or not at all.

        Parameters
        ----------
        path : str or path-like
            A file if it ends in ``.parquet`` or ``.pq``, otherwise a folder with a file for each chunk.
        overwrite : bool, default=False
            Whether to replace a file of that name. Folders are not replaced.
        """
        write_parquet(self, path, overwrite=overwrite)


class AppliedChunks(TableSource):
    """The results of a function for each frame of another table, computed on reading.

    Parameters
    ----------
    source : TableSource
        The table that is read.
    function : callable
        Takes a frame, and returns a table or an array with a row for each row of it.
    columns : sequence of str, default=None
        Names of the columns of an array.
    """

    def __init__(
        self, source: TableSource, function: Callable[[pd.DataFrame], Any], columns: Sequence[str] | None = None
    ):
        self.source = source
        self.function = function
        self.columns = columns
        self.memory = source.memory

    @property
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column; the first frame is read."""
        return dict(next(iter(self)).dtypes)

    @property
    def n_rows(self) -> int | None:
        """Number of rows, None where it is not known."""
        return self.source.n_rows

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for frame in self.source:
            result = name_columns(self.function(frame), self.columns)
            if len(result) != len(frame):
                raise ValueError(f"The function returned {len(result)} rows for {len(frame)} rows.")
            yield result.reset_index(drop=True)

    def split(self, n_shards: int) -> list[AppliedChunks]:
        """Divide the table as its source is divided.

        Parameters
        ----------
        n_shards : int
            Largest number of parts.

        Returns
        -------
        list of AppliedChunks
        """
        return [AppliedChunks(shard, self.function, self.columns) for shard in self.source.split(n_shards)]


def divide(items: list[_Item], sizes: Sequence[int], n_groups: int) -> list[list[_Item]]:
    """Divide items into at most `n_groups` consecutive groups of about equal total size, none of them empty."""
    if n_groups < 1:
        raise ValueError(f"n_shards={n_groups} must be at least 1.")
    ends = np.cumsum(sizes)
    middles = ends - np.asarray(sizes) / 2
    group = np.minimum((middles * n_groups / max(ends[-1], 1)).astype(int), n_groups - 1)
    return [[item for item, of_item in zip(items, group, strict=True) if of_item == k] for k in np.unique(group)]


def name_columns(result: Any, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Convert an array to a frame with the given names, or else "prediction" or "0", "1", …; tables stay."""
    if isinstance(result, pd.DataFrame):
        return result
    array = np.asarray(result)
    if columns is None:
        columns = ["prediction"] if array.ndim == 1 else [str(position) for position in range(array.shape[1])]
    return pd.DataFrame(array.reshape(len(array), -1), columns=list(columns), copy=False)


def join_frames(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate frames of equal columns; categories of text are united."""
    if len(frames) == 1:
        return frames[0].reset_index(drop=True)
    text = {
        name: "category"
        for name, dtype in (frames[0].dtypes.items() if frames else ())
        if isinstance(dtype, pd.CategoricalDtype) and not all(frame[name].dtype == dtype for frame in frames)
    }
    joined = pd.concat([frame.astype(dict.fromkeys(text, object)) for frame in frames], ignore_index=True)
    return joined.astype(text)


def read_memory(memory: int | str) -> int:
    """Convert a number of bytes, or text with a unit, to a number of bytes."""
    number, unit = (memory[:-2], memory[-2:].upper()) if isinstance(memory, str) else (memory, "")
    try:
        n_bytes = int(float(number) * _UNITS.get(unit, 0 if unit else 1))
    except ValueError:
        n_bytes = 0
    if n_bytes <= 0:
        raise ValueError(f"memory={memory!r} must be a positive number of bytes, or text such as '2GB' or '500MB'.")
    return n_bytes
