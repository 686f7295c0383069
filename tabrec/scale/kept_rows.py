"""`KeptChunks`: the drawn rows, or the other rows, of a table in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from tabrec.scale.ray_chunks import RayChunks
from tabrec.scale.row_draw import RowDraw
from tabrec.scale.table_source import TableSource
from tabrec.tables.names import check_named


def hold_out(chunks: TableSource, draw: RowDraw) -> tuple[TableSource, TableSource]:
    """Split a table into the rows that are not drawn and those that are."""
    if isinstance(chunks, RayChunks):
        return chunks.keep(draw, of_draw=False), chunks.keep(draw, of_draw=True)
    return KeptChunks(chunks, draw, of_draw=False), KeptChunks(chunks, draw, of_draw=True)


class KeptChunks(TableSource):
    """Some rows of another table.

    Parameters
    ----------
    source : TableSource
        The table that is read.
    draw : RowDraw
        The draw, of all rows of the table that `source` is a part of.
    of_draw : bool
        Whether the drawn rows are kept, or the others.
    start : int, default=0
        Position of the first row of the source in that table.
    """

    def __init__(self, source: TableSource, draw: RowDraw, of_draw: bool, start: int = 0):
        self.source, self.memory = source, source.memory
        self._draw, self._of_draw, self._start = draw, of_draw, start

    @property
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column."""
        return self.source.schema

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        n_rows = self.source.count_rows()
        n_drawn = self._draw.n_drawn if n_rows == self._draw.n_rows else self._draw.count(self._start, n_rows)
        return n_drawn if self._of_draw else n_rows - n_drawn

    def __iter__(self) -> Iterator[pd.DataFrame]:
        start = self._start
        for frame in self.source:
            kept = self._draw.kept(start, len(frame), self._of_draw)
            start += len(frame)
            if len(kept):
                yield frame.iloc[kept].reset_index(drop=True)

    def select(self, columns: Sequence[str]) -> KeptChunks:
        """Return the table with some columns; the others are not read.

        Parameters
        ----------
        columns : sequence of str
            Names, in the order of the new table.

        Returns
        -------
        KeptChunks
        """
        names = check_named("columns", columns, self.schema)
        return KeptChunks(self.source.select(names), self._draw, self._of_draw, self._start)

    def split(self, n_shards: int) -> list[KeptChunks]:
        """Divide the table as its source is divided; parts without rows are left out.

        Parameters
        ----------
        n_shards : int
            Largest number of parts.

        Returns
        -------
        list of KeptChunks
        """
        shards, start = [], self._start
        for source in self.source.split(n_shards):
            shards.append(KeptChunks(source, self._draw, self._of_draw, start))
            start += source.count_rows()
        return [shard for shard in shards if shard.n_rows]
