"""`RayChunks`: a dataset of Ray as chunks, which the workers of a cluster process in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import pandas as pd
import pyarrow as pa

from tabrec.scale.file_blocks import FileBlock
from tabrec.scale.file_parts import is_text
from tabrec.scale.files import FileChunks
from tabrec.scale.frames import FrameChunks
from tabrec.scale.ray_cluster import import_ray, in_turn
from tabrec.scale.row_draw import RowDraw
from tabrec.scale.table_source import TableSource, divide, name_columns, read_memory
from tabrec.tables.columns import read_frame
from tabrec.tables.names import check_named

_Step = tuple[Callable[[pd.DataFrame], Any], Sequence[str] | None]


class RayChunks(TableSource):
    """A `ray.data.Dataset` as chunks.

    The blocks of the dataset are computed once and stay in the object store of Ray, which spills to disk. The encoding
    is learned, rows are drawn and predictions are computed by tasks on the workers, a block each; a task whose worker
    dies is run again. The models themselves are fitted where `fit` is called. Results are those of the same rows in
    files. Workers need the same version of this package.

    Parameters
    ----------
    dataset : ray.data.Dataset
        The rows. Their order is that of the blocks.
    chunk_rows : int, default=100_000
        Largest number of rows of a chunk.
    memory : int or str, default="2GB"
        Bytes that the rows drawn for a model may take.

    Attributes
    ----------
    schema : dict of str to dtype
        The dtype of each column.
    n_rows : int
        Number of rows.

    Raises
    ------
    ImportError
        Ray is not installed.
    TypeError
        `dataset` is not a Ray dataset.

    See Also
    --------
    FileChunks : Tables in files, read by one process.

    Examples
    --------
    >>> import ray  # doctest: +SKIP
    >>> from tabrec import ForestRegressor
    >>> from tabrec.scale import RayChunks
    >>> sales = RayChunks(ray.data.read_parquet("s3://bucket/sales"))  # doctest: +SKIP
    >>> forest = ForestRegressor().fit(sales, "log(SalePrice)")  # doctest: +SKIP
    >>> forest.predict(sales).to_parquet("predictions")  # doctest: +SKIP
    """

    def __init__(self, dataset: Any, *, chunk_rows: int = 100_000, memory: int | str = "2GB"):
        ray = import_ray()
        if not isinstance(dataset, ray.data.Dataset):
            raise TypeError(f"dataset must be a ray.data.Dataset, but got {type(dataset).__name__}.")
        if chunk_rows < 1:
            raise ValueError(f"chunk_rows={chunk_rows} must be at least 1.")
        self.memory, self.chunk_rows = read_memory(memory), int(chunk_rows)
        options = ray.data.DataContext.get_current().execution_options
        kept, options.preserve_order = options.preserve_order, True
        try:
            refs = dataset.to_arrow_refs()
        finally:
            options.preserve_order = kept
        counts = ray.get([ray.remote(_count).remote(ref) for ref in refs])
        self._begin(zip(refs, counts, strict=True))

    @classmethod
    def of_files(cls, files: FileChunks) -> RayChunks:
        """Make chunks of files that the workers read, by row group or CSV file, without the object store.

        Parameters
        ----------
        files : FileChunks
            The files, whose paths must be the same on all nodes.

        Returns
        -------
        RayChunks

        Raises
        ------
        ValueError
            The files were opened with ``on_damage="skip"``.
        """
        if files.on_damage == "skip":
            raise ValueError('on_damage="skip" is not possible on Ray: mend or remove the damaged files.')
        ray, chunks = import_ray(), object.__new__(cls)
        chunks.memory, chunks.chunk_rows = files.memory, files.chunk_rows
        blocks = [FileBlock(part, files.arrow_schema, files.chunk_rows) for part in files.parts]
        unknown = [block.select(block.schema.names[:1]) for block in blocks if block.part.n_rows is None]
        counted = iter(ray.get([ray.remote(_count).remote(block) for block in unknown]))
        counts = [next(counted) if block.part.n_rows is None else block.part.n_rows for block in blocks]
        chunks._begin(zip(blocks, counts, strict=True))
        return chunks

    def _begin(self, blocks: Iterable[tuple[Any, int]]) -> None:
        self._blocks = [(block, count) for block, count in blocks if count]
        if not self._blocks:
            raise ValueError("The dataset has no rows.")
        self._steps: list[_Step] = []

    @property
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column; a row is read where functions are applied."""
        block = self._blocks[0][0]
        if not isinstance(block, FileBlock):
            return dict(_frame(import_ray().get(block).slice(0, 1), self._steps).dtypes)
        return dict((next(iter(self)) if self._steps else block.schema.empty_table().to_pandas()).dtypes)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(count for _, count in self._blocks)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        steps = import_ray().put(self._steps)
        for frames in in_turn(_frames, ((ref, steps, self.chunk_rows) for ref, _ in self._blocks)):
            yield from frames

    def map_parts(self, function: Callable[[TableSource, int], Any]) -> Iterator[Any]:
        """Apply a function to each block and the position of its first row, on the workers.

        Parameters
        ----------
        function : callable
            Takes a table in chunks and a position.

        Returns
        -------
        iterator
            The results in order, of which few wait to be read.
        """
        ray = import_ray()
        shared, steps = ray.put(function), ray.put(self._steps)
        tasks = ((shared, ref, steps, self.chunk_rows, start) for ref, start in zip(*self._starts(), strict=True))
        return in_turn(_run, tasks)

    def keep(self, draw: RowDraw, *, of_draw: bool) -> RayChunks:
        """Return the table of the drawn rows, or of the others.

        Parameters
        ----------
        draw : RowDraw
            The draw.
        of_draw : bool
            Whether the drawn rows are kept, or the others.

        Returns
        -------
        RayChunks
        """
        ray, made = import_ray(), []
        for (block, n_rows), start in zip(self._blocks, self._starts()[1], strict=True):
            n_drawn = draw.count(start, n_rows)
            if count := n_drawn if of_draw else n_rows - n_drawn:
                of_file = isinstance(block, FileBlock)
                given = draw, start, of_draw
                made.append((block.keep(*given) if of_file else ray.remote(_keep).remote(block, *given), count))
        return self._with(made, self._steps)

    def select(self, columns: Sequence[str]) -> RayChunks:  # type: ignore[override]
        """Return the table with some columns; the others are not read from files.

        Parameters
        ----------
        columns : sequence of str
            Names, in the order of the new table.

        Returns
        -------
        RayChunks
        """
        if self._steps or not isinstance(self._blocks[0][0], FileBlock):
            return super().select(columns)  # type: ignore[return-value]
        names = check_named("columns", columns, self.schema)
        return self._with([(block.select(names), count) for block, count in self._blocks], self._steps)

    def _starts(self) -> tuple[list[Any], list[int]]:
        """Return the blocks, and the position of the first row of each."""
        counts = [count for _, count in self._blocks]
        return [ref for ref, _ in self._blocks], [0, *accumulate(counts[:-1])]

    def apply(self, function: Callable[[pd.DataFrame], Any], columns: Sequence[str] | None = None) -> RayChunks:  # type: ignore[override]
        """Return the table of the results of a function for each frame, which the workers compute on every reading.

        Parameters
        ----------
        function : callable
            Takes a frame, and returns a table or an array with a row for each row of it.
        columns : sequence of str, default=None
            Names of the columns of an array; None is "prediction", or "0", "1", … for several columns.

        Returns
        -------
        RayChunks
        """
        return self._with(self._blocks, [*self._steps, (function, columns)])

    def split(self, n_shards: int) -> list[RayChunks]:
        """Divide the table at the ends of blocks.

        Parameters
        ----------
        n_shards : int
            Largest number of parts.

        Returns
        -------
        list of RayChunks
        """
        groups = divide(self._blocks, [count for _, count in self._blocks], n_shards)
        return [self._with(group, self._steps) for group in groups]

    def _with(self, blocks: list, steps: list[_Step]) -> RayChunks:
        other = object.__new__(RayChunks)
        vars(other).update(vars(self))
        other._blocks, other._steps = blocks, steps
        return other


def _count(block: pa.Table | FileBlock) -> int:
    return len(_read(block))


def _keep(block: pa.Table, draw: RowDraw, start: int, of_draw: bool) -> pa.Table:
    return block.take(draw.kept(start, len(block), of_draw))


def _run(function: Callable, block: pa.Table | FileBlock, steps: list[_Step], chunk_rows: int, start: int) -> Any:
    return function(FrameChunks(_frames(block, steps, chunk_rows)), start)


def _read(block: pa.Table | FileBlock) -> pa.Table:
    return block.read() if isinstance(block, FileBlock) else block


def _frames(block: pa.Table | FileBlock, steps: list[_Step], chunk_rows: int) -> list[pd.DataFrame]:
    """Convert a block to chunks, with text as categories, and apply the functions to them."""
    table, name = _read(block), block.part.path if isinstance(block, FileBlock) else None
    for position, field in enumerate(table.schema):
        column = table.column(position)
        if isinstance(field.type, pa.BaseExtensionType):  # Python objects, such as text with NaN
            column = pa.chunked_array([pa.array(column.to_pylist(), from_pandas=True)])
        if is_text(column.type) and not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        table = table.set_column(position, field.name, column)
    return [_frame(table.slice(start, chunk_rows), steps, name) for start in range(0, len(table), chunk_rows)]


def _frame(table: pa.Table, steps: list[_Step], name: str | None = None) -> pd.DataFrame:
    """Convert a table to a chunk, and apply the functions to it."""
    frame = read_frame(table)
    if name is not None:
        frame.attrs["files"] = name
    for function, columns in steps:
        result = name_columns(function(frame), columns)
        if len(result) != len(frame):
            raise ValueError(f"The function returned {len(result)} rows for {len(frame)} rows.")
        frame = result.reset_index(drop=True)
    return frame
