"""Train nets on files: rows are read in blocks in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from tabrec.neural.streamed_fit import check_streamed, fit_to_stream
from tabrec.preprocess.encoded_frames import EncodedSample
from tabrec.scale.encoded_table import EncodedTable
from tabrec.scale.row_draw import EncodedRows, RowDraw

# Number of rows from which a net learns its scales and bins.
_SAMPLE = 200_000
# Number of parts into which files and row groups are divided, which are read in random order.
_SHARDS = 64
# Bytes per row of a block: for each encoded column, and besides.
_BYTES = 14, 60


def read_blocks(
    table: EncodedTable, left_out: RowDraw | None, seed: int, n_rows: int, batch_size: int
) -> Iterator[EncodedSample]:
    """Yield all rows but those left out, in blocks of about `n_rows`; the order of the files is random."""
    shards = table.chunks.split(_SHARDS)
    counts = [shard.count_rows() for shard in shards]
    starts = np.cumsum([0, *counts])
    n_left = table.n_rows - (0 if left_out is None else left_out.n_drawn)
    cutter = _BlockCutter(n_left, max(n_rows // batch_size, 1) * batch_size)
    for number in np.random.default_rng(seed).permutation(len(shards)):
        start = int(starts[number])
        for frame in shards[number]:
            kept = np.arange(len(frame))
            if left_out is not None:
                kept = np.delete(kept, left_out.positions(start, len(frame)))
            if len(kept):
                taken = frame if len(kept) == len(frame) else frame.iloc[kept]
                encoded, y = table.preprocessor.transform(taken), table.target.read(taken, start, table.numeric)
                yield from cutter.add(encoded, y)
            start += len(frame)


class _BlockCutter:
    """Joins encoded frames to blocks of a given size; the last may have one more row, as batches need two rows."""

    def __init__(self, n_rows: int, size: int):
        self._n_left, self._size = n_rows, size
        self._begin()

    def _begin(self) -> None:
        n_rows = self._n_left if self._n_left <= self._size + 1 else self._size
        self._n_open, self._rows = n_rows, EncodedRows(n_rows)
        self._values: list[np.ndarray] = []

    def add(self, encoded: Any, y: np.ndarray) -> Iterator[EncodedSample]:
        """Append rows; yields the blocks that are complete with them."""
        while len(y):
            n = min(len(y), self._n_open)
            if not n:
                raise ValueError("The table has more rows than when it was first read.")
            self._rows.add(encoded[:n])
            self._values.append(y[:n])
            self._n_open -= n
            self._n_left -= n
            encoded, y = encoded[n:], y[n:]
            if not self._n_open:
                yield EncodedSample(self._rows.frame(), np.concatenate(self._values))
                self._begin()


def fit_net_to_blocks(net: Any, table: EncodedTable, width: int, classes: Any) -> None:
    """Train a net on all rows of a table, in blocks that fit in memory."""
    check_streamed(net)
    by_column, in_addition = _BYTES
    # Memory holds the validation rows, the current block and the next one.
    n_block = max(table.chunks.memory // (3 * (by_column * width + in_addition)), 1)
    seed = int(check_random_state(net.random_state).randint(np.iinfo(np.int32).max))
    left_out = valid = None
    if net.validation_fraction is not None:
        n_valid = min(max(round(net.validation_fraction * table.n_rows), 1), n_block)
        left_out = RowDraw(table.n_rows, n_valid, seed)
        valid = table.draw(left_out)[0]
    sample = table.draw(RowDraw(table.n_rows, _SAMPLE, seed + 1))[0]

    def read_epoch(epoch: int, batch_size: int) -> Iterator[EncodedSample]:
        return read_blocks(table, left_out, seed + 2 + epoch, n_block, batch_size)

    n_trained = table.n_rows - (0 if left_out is None else left_out.n_drawn)
    fit_to_stream(net, table.preprocessor, sample, classes, n_trained, read_epoch, valid)
