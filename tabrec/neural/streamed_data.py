"""`StreamedData`: rows that do not fit in memory, which the training loop reads in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tabrec.neural.training_data import TrainingData, iterate


class StreamedData:
    """The rows of a table in blocks, in the place of `TrainingData` for the training loop.

    The rows of a block are permuted, so batches mix the rows of a block. All blocks but the last hold a whole number
    of batches, so that an epoch has as many batches as one over resident rows.

    Parameters
    ----------
    n_rows : int
        Number of rows of all blocks.
    read_blocks : callable
        Takes the number of an epoch and yields its blocks, as `TrainingData` on the CPU. A block is used before the
        next one is asked for.

    See Also
    --------
    TrainingData : Resident rows.
    """

    def __init__(self, n_rows: int, read_blocks: Callable[[int], Iterator[TrainingData]]):
        self._n_rows = n_rows
        self._read_blocks = read_blocks
        self._block: TrainingData | None = None
        self._device = torch.device("cpu")
        self._epoch = 0

    def __len__(self) -> int:
        return self._n_rows

    @property
    def n_bytes(self) -> int:
        """Size of the current block in memory."""
        return 0 if self._block is None else self._block.n_bytes

    def to(self, device: torch.device | str) -> StreamedData:
        """Return the same rows; blocks are moved to the device when they are read."""
        self._device = torch.device(device)
        return self

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Yield the positions of the rows of each batch of the next epoch, for `take` before the next batch."""
        epoch, self._epoch = self._epoch, self._epoch + 1
        n_read = 0
        for block in self._read_blocks(epoch):
            n_read += len(block)
            self._block = block.to(self._device)
            yield from iterate(len(block), batch_size, self._device, generator)
        self._block = None
        if n_read != self._n_rows:
            raise ValueError(f"The table changed while it was read: {n_read} of {self._n_rows} rows were found.")

    def take(self, rows: Tensor) -> TrainingData:
        """Return the rows at some positions of the current block."""
        assert self._block is not None
        return self._block.take(rows)
