"""`FrameChunks`: a table of frames in memory, as chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from tabrec.scale.table_source import TableSource, divide, read_memory
from tabrec.tables.columns import is_table, read_frame


class FrameChunks(TableSource):
    """Tables in memory as the chunks of one table.

    Parameters
    ----------
    frames : table or sequence of tables
        pandas, polars or arrow tables of equal columns. They are not copied.
    memory : int or str, default="2GB"
        Bytes that the rows which are drawn for a model may take.

    Attributes
    ----------
    schema : dict of str to dtype
        The dtype of each column in the first frame.
    n_rows : int
        Number of rows.

    Raises
    ------
    ValueError
        There is no frame, or the frames differ in their columns.

    See Also
    --------
    FileChunks : Tables in files, which need not fit in memory.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.scale import FrameChunks
    >>> sales = make_auctions(1_000, random_state=0)
    >>> chunks = FrameChunks([sales[:400], sales[400:]])
    >>> forest = ForestRegressor(10, random_state=0).fit(chunks, "SalePrice")
    >>> forest.predict(chunks).count_rows()
    1000
    """

    def __init__(self, frames: Any, *, memory: int | str = "2GB"):
        given = [frames] if is_table(frames) else list(frames)
        if not given:
            raise ValueError("frames is empty: pass at least one table.")
        read = [read_frame(frame) for frame in given]
        names = read[0].columns
        for position, frame in enumerate(read):
            differing = [*frame.columns.difference(names), *names.difference(frame.columns)]
            if differing:
                raise ValueError(f"Frame {position} differs from frame 0 in the columns {differing[:10]}.")
        self._frames = [frame if frame.columns.equals(names) else frame[names] for frame in read]
        self.memory = read_memory(memory)

    @property
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column in the first frame."""
        return dict(self._frames[0].dtypes)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(map(len, self._frames))

    def __iter__(self) -> Iterator[pd.DataFrame]:
        yield from self._frames

    def split(self, n_shards: int) -> list[FrameChunks]:
        """Divide the table into consecutive frames of about equal numbers of rows.

        Parameters
        ----------
        n_shards : int
            Largest number of parts; there are at most as many as frames.

        Returns
        -------
        list of FrameChunks
        """
        groups = divide(self._frames, [len(frame) for frame in self._frames], n_shards)
        return [FrameChunks(group, memory=self.memory) for group in groups]
