"""`RayChunks`: a dataset of Ray as chunks, of which the workers of a cluster learn and predict parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from tabrec.scale.file_parts import is_text
from tabrec.scale.frames import FrameChunks
from tabrec.scale.table_source import TableSource, divide, name_columns, read_memory
from tabrec.tables.columns import read_frame

_Step = tuple[Callable[[pd.DataFrame], Any], Sequence[str] | None]
# Results that wait to be read, for each processor of the cluster.
_AHEAD = 2


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
        The dataset is not one of Ray.

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
        ray = _import_ray()
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
        counts = ray.get([_remote(_count).remote(ref) for ref in refs])
        self._blocks = [(ref, count) for ref, count in zip(refs, counts, strict=True) if count]
        if not self._blocks:
            raise ValueError("The dataset has no rows.")
        self._steps: list[_Step] = []

    @property
    def schema(self) -> Mapping[str, Any]:
        """The dtype of each column; a row is read."""
        return dict(_frames(_import_ray().get(self._blocks[0][0]).slice(0, 1), self._steps, 1)[0].dtypes)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(count for _, count in self._blocks)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        ray, waiting = _import_ray(), deque[Any]()
        steps, n_ahead = ray.put(self._steps), _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        for ref, _ in self._blocks:
            waiting.append(_remote(_frames).remote(ref, steps, self.chunk_rows))
            if len(waiting) > n_ahead:
                yield from ray.get(waiting.popleft())
        while waiting:
            yield from ray.get(waiting.popleft())

    def map_parts(self, function: Callable[[TableSource, int], Any]) -> list[Any]:
        """What a function returns for each block and the position of its first row, computed by the workers.

        Parameters
        ----------
        function : callable
            Takes a table in chunks and a position.

        Returns
        -------
        list
            The results in order.
        """
        ray, start, running = _import_ray(), 0, []
        shared, steps = ray.put(function), ray.put(self._steps)
        for ref, count in self._blocks:
            running.append(_remote(_run).remote(shared, ref, steps, self.chunk_rows, start))
            start += count
        return ray.get(running)

    def apply(self, function: Callable[[pd.DataFrame], Any], columns: Sequence[str] | None = None) -> RayChunks:  # type: ignore[override]
        """The table of what a function returns for each frame, computed by the workers whenever the table is read.

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


def _import_ray() -> Any:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError("RayChunks needs Ray: install it with pip install 'tabrec[ray]'.") from error
    return ray


def _remote(function: Callable) -> Any:
    return _import_ray().remote(function)


def _count(block: pa.Table) -> int:
    return len(block)


def _run(function: Callable, block: pa.Table, steps: list[_Step], chunk_rows: int, start: int) -> Any:
    return function(FrameChunks(_frames(block, steps, chunk_rows)), start)


def _frames(block: pa.Table, steps: list[_Step], chunk_rows: int) -> list[pd.DataFrame]:
    """The chunks of a block, text as categories, after the functions that are applied to them."""
    for position, field in enumerate(block.schema):
        column = block.column(position)
        if isinstance(field.type, pa.BaseExtensionType):  # Python objects, such as text with NaN
            column = pa.chunked_array([pa.array(column.to_pylist(), from_pandas=True)])
        if is_text(column.type) and not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        block = block.set_column(position, field.name, column)
    frames = []
    for start in range(0, len(block), chunk_rows):
        frame = read_frame(block.slice(start, chunk_rows))
        for function, columns in steps:
            result = name_columns(function(frame), columns)
            if len(result) != len(frame):
                raise ValueError(f"The function returned {len(result)} rows for {len(frame)} rows.")
            frame = result.reset_index(drop=True)
        frames.append(frame)
    return frames
