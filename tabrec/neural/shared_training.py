"""`SharedTrainer`: the training loop of one of several processes that train a net on shares of each batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tabrec.neural._epochs import BestEpoch, SmoothedLoss
from tabrec.neural.draws import set_generator
from tabrec.neural.losses import Loss
from tabrec.neural.training import Trainer, TrainingConfig, TrainingState
from tabrec.neural.training_data import TrainingData


class SharedTrainer(Trainer):
    """Data-parallel training in a process group of torch.distributed, with the gradients of a single process.

    All processes draw the same batches. Each computes the gradients of its share of the rows, and the mean over all
    rows updates the weights, which stay equal. Each process draws masked codes and dropped units for its own rows.
    Batch norms use the mean and variance of these rows, and their running statistics are averaged.

    Parameters
    ----------
    model, loss, config, device
        As for `Trainer`.
    rank, n_ranks : int
        Number of this process, counted from 0, and number of processes.
    checkpoint : pathlib.Path or None
        File that process 0 writes after each epoch. If it exists, all processes continue from it.

    See Also
    --------
    Trainer : Training in one process.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        config: TrainingConfig,
        device: torch.device | str = "cpu",
        *,
        rank: int,
        n_ranks: int,
        checkpoint: Path | None = None,
    ):
        assert config.seed is not None
        super().__init__(model, loss, replace(config, verbose=config.verbose if rank == 0 else 0), device)
        self.rank, self.n_ranks, self.checkpoint = rank, n_ranks, checkpoint
        self._of_rows = torch.Generator(self.device)

    def train_step(self, batch: TrainingData) -> Tensor:
        """Compute the loss of a batch and set the gradients of the parameters to the mean over all of its rows."""
        n_rows = len(batch)
        mine = torch.arange(self.rank, n_rows, self.n_ranks, device=self.device)
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        share, loss = len(mine) / n_rows, torch.zeros((), device=self.device)
        if len(mine):
            loss = super().train_step(batch.take(mine))
        else:
            for parameter in parameters:
                parameter.grad = None
        parts = [
            torch.zeros_like(parameter).flatten() if parameter.grad is None else parameter.grad.flatten()
            for parameter in parameters
        ]
        together = torch.cat([*parts, loss.reshape(1)]).mul_(share)
        torch.distributed.all_reduce(together)
        start = 0
        for parameter in parameters:
            parameter.grad = together[start : start + parameter.numel()].view_as(parameter).clone()
            start += parameter.numel()
        return together[-1]

    @contextmanager
    def drawing(self) -> Iterator[torch.Generator | None]:
        """Draw the same order of rows in all processes, and all other numbers separately in each process."""
        with super().drawing() as generator:
            set_generator(self.model, self._of_rows)
            yield generator

    def _run_epoch(self, state: TrainingState, update: Callable, data: Any, smoothed: SmoothedLoss) -> dict:
        assert self.config.seed is not None
        self._of_rows.manual_seed(self.config.seed + 1 + state.epoch * self.n_ranks + self.rank)
        record = super()._run_epoch(state, update, data, smoothed)
        for buffer in self.model.buffers():
            if buffer.is_floating_point():
                torch.distributed.all_reduce(buffer)
                buffer /= self.n_ranks
        return record

    def _first_epoch(self, state: TrainingState, best: BestEpoch, smoothed: SmoothedLoss) -> int:
        if self.checkpoint is None or not self.checkpoint.exists():
            return 0
        kept = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(kept["model"])
        state.optimizer.load_state_dict(kept["optimizer"])
        state.history, state.step, state.stop = kept["history"], kept["step"], kept["stop"]
        assert self._generator is not None
        self._generator.set_state(kept["generator"])
        for name, part in (("best", best), ("smoothed", smoothed)):
            vars(part).update(kept[name])
        if self._average is not None:
            self._average.set_state(kept["average"])
        return self.config.epochs if state.stop else len(state.history)

    def _end_epoch(self, state: TrainingState, best: BestEpoch, smoothed: SmoothedLoss) -> None:
        if self.checkpoint is None or self.rank:
            return
        assert self._generator is not None
        kept = {
            "model": self.model.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "average": None if self._average is None else self._average.state(),
            **{"history": state.history, "step": state.step, "stop": state.stop},
            **{"best": vars(best), "smoothed": vars(smoothed)},
        }
        unfinished = self.checkpoint.with_suffix(".unfinished")
        torch.save(kept, unfinished)
        os.replace(unfinished, self.checkpoint)
