"""Train nets on files: rows are read in blocks in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from tabrec.neural.streamed_fit import EncodedSample, check_streamed, fit_to_stream
from tabrec.scale.row_draw import EncodedRows, RowDraw
from tabrec.scale.target_column import TargetColumn

# Scales and bins of a net are learned from so many rows.
_SAMPLE = 200_000
# Files and row groups are read in random order, in so many parts.
_SHARDS = 64
# Bytes of a row of a block, for each encoded column and in addition.
_BYTES = 14, 60


@dataclass(frozen=True)
class EncodedTable:
    """A table in chunks with its target and the fitted preprocessor that encodes it."""

    chunks: Any
    target: TargetColumn
    preprocessor: Any
    numeric: bool
    n_rows: int

    def draw(self, draw: RowDraw) -> tuple[EncodedSample, np.ndarray]:
        """The rows that are drawn, and their positions in the table."""
        rows, values, positions, start = EncodedRows(draw.n_drawn), [], [], 0
        for frame in self.chunks:
            drawn = draw.positions(start, len(frame))
            if len(drawn):
                taken = frame if len(drawn) == len(frame) else frame.iloc[drawn]
                rows.add(self.preprocessor.transform(taken))
                values.append(self.target.read(taken, start, self.numeric))
                positions.append(start + drawn)
            start += len(frame)
        return EncodedSample(rows.frame(), np.concatenate(values)), np.concatenate(positions)

    def blocks(self, left_out: RowDraw | None, seed: int, n_rows: int, batch_size: int) -> Iterator[EncodedSample]:
        """All rows but those left out, in blocks of about `n_rows`; the order of the files is random."""
        shards = self.chunks.split(_SHARDS)
        counts = [shard.count_rows() for shard in shards]
        starts = np.cumsum([0, *counts])
        n_left = self.n_rows - (0 if left_out is None else left_out.n_drawn)
        cutter = _BlockCutter(n_left, max(n_rows // batch_size, 1) * batch_size)
        for number in np.random.default_rng(seed).permutation(len(shards)):
            start = int(starts[number])
            for frame in shards[number]:
                kept = np.arange(len(frame))
                if left_out is not None:
                    kept = np.delete(kept, left_out.positions(start, len(frame)))
                if len(kept):
                    taken = frame if len(kept) == len(frame) else frame.iloc[kept]
                    encoded, y = self.preprocessor.transform(taken), self.target.read(taken, start, self.numeric)
                    yield from cutter.add(encoded, y)
                start += len(frame)


class _BlockCutter:
    """Joins encoded frames to blocks of a given size; the last one may have a row more, as a batch has two rows."""

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
    """Train a net on all rows of a table in blocks that memory holds."""
    check_streamed(net)
    by_column, in_addition = _BYTES
    # The rows to validate on and the next block are in memory beside a block.
    n_block = max(table.chunks.memory // (3 * (by_column * width + in_addition)), 1)
    seed = int(check_random_state(net.random_state).randint(np.iinfo(np.int32).max))
    left_out = valid = None
    if net.validation_fraction is not None:
        n_valid = min(max(round(net.validation_fraction * table.n_rows), 1), n_block)
        left_out = RowDraw(table.n_rows, n_valid, seed)
        valid = table.draw(left_out)[0]
    sample = table.draw(RowDraw(table.n_rows, _SAMPLE, seed + 1))[0]

    def read_blocks(epoch: int, batch_size: int) -> Iterator[EncodedSample]:
        return table.blocks(left_out, seed + 2 + epoch, n_block, batch_size)

    n_trained = table.n_rows - (0 if left_out is None else left_out.n_drawn)
    fit_to_stream(net, table.preprocessor, sample, classes, n_trained, read_blocks, valid)
