"""`TrainingData`: the tensors that a net is trained or validated on, and their batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from tabrec.neural.losses import Loss


@dataclass(frozen=True)
class TrainingData:
    """Rows as tensors on one device: a whole table, or a batch of it.

    Attributes
    ----------
    inputs : tuple of Tensor
        The arguments of the model's ``forward``, each with one entry per row.
    target : Tensor of shape (n_rows,) or (n_rows, n_outputs)
        The targets of the loss.
    weight : Tensor of shape (n_rows,) or None
        Weights of the rows in the loss, with mean 1; None weights all rows equally.

    See Also
    --------
    Trainer : Trains a net on these tensors.
    """

    inputs: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device | str) -> TrainingData:
        """Return the same rows on another device."""
        weight = None if self.weight is None else self.weight.to(device)
        return TrainingData(tuple(part.to(device) for part in self.inputs), self.target.to(device), weight)

    def take(self, rows: Tensor) -> TrainingData:
        """Return the rows at some positions."""
        # index_select is faster than indexing in brackets, which matters for small batches.
        inputs = tuple(part.index_select(0, rows) for part in self.inputs)
        weight = None if self.weight is None else self.weight.index_select(0, rows)
        return TrainingData(inputs, self.target.index_select(0, rows), weight)

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Return the positions of the rows of each batch of an epoch, for `take`."""
        return iterate(len(self), batch_size, self.target.device, generator)

    @property
    def n_bytes(self) -> int:
        """Size of inputs and target in memory."""
        return sum(part.numel() * part.element_size() for part in (*self.inputs, self.target))


def mean_loss(loss: Loss, output: Tensor, data: TrainingData) -> Tensor:
    """Return the weighted mean of the losses of the rows."""
    per_row = loss(output, data.target)
    if data.weight is None:
        return per_row.mean()
    if per_row.ndim == 0:
        raise ValueError("The loss returns one number for all rows, so rows cannot be weighted: return one per row.")
    return (per_row * data.weight).mean()


def iterate(
    n_rows: int, batch_size: int, device: torch.device, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield slices of a permutation of the rows; a single last row is added to the slice before.

    Batch norm is undefined for one row.
    """
    order = torch.randperm(n_rows, device=device, generator=generator)
    starts = batch_starts(n_rows, batch_size)
    for start, stop in zip(starts, [*starts[1:], n_rows], strict=True):
        yield order[start:stop]


def batch_starts(n_rows: int, batch_size: int) -> list[int]:
    """Return the position of the first row of each batch."""
    starts = list(range(0, n_rows, batch_size))
    return starts[:-1] if len(starts) > 1 and n_rows - starts[-1] == 1 else starts
