"""One step of training: the loss of a batch and its gradients, on a GPU replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from tabrec.neural.devices import multiplications_per_row, uses_bfloat16
from tabrec.neural.losses import Loss
from tabrec.neural.training_data import TrainingData, mean_loss


def make_step(
    model: nn.Module,
    rows: TrainingData,
    loss: Loss,
    *,
    batch_size: int,
    mixed_precision: bool | str = "auto",
    compile: bool = False,
) -> Callable[[Tensor], Tensor]:
    """What computes the loss of the rows at some positions, and leaves its gradients in the parameters.

    A model that has the gradients of its loss in closed form brings ``loss_and_gradients(rows)``, which stands in for
    autograd.
    """
    device = rows.target.device
    by_itself = getattr(model, "loss_and_gradients", None)
    if by_itself is not None:
        return lambda batch: by_itself(rows.take(batch))
    n_multiplications = min(batch_size, len(rows)) * multiplications_per_row(model)
    casts = uses_bfloat16(mixed_precision, device, n_multiplications)
    forward = torch.compile(model) if compile else model

    def step(batch: Tensor) -> Tensor:
        taken = rows.take(batch)
        with torch.autocast(device.type, torch.bfloat16) if casts else nullcontext():
            output = forward(*taken.inputs)
        mean = mean_loss(loss, output.float(), taken)
        for parameter in model.parameters():
            parameter.grad = None
        mean.backward()
        return mean.detach()

    can_capture = device.type == "cuda" and len(rows) >= batch_size and not compile
    return _CapturedStep(step, model, batch_size) if can_capture else step


class _CapturedStep:
    """A step recorded once as a CUDA graph and replayed for each full batch, saving its kernels' launches.

    Other batches, and nets that cannot be captured, run as they are.
    """

    _N_WARM_UP = 3

    def __init__(self, step: Callable[[Tensor], Tensor], model: nn.Module, batch_size: int):
        self.step, self.model, self.batch_size = step, model, batch_size
        self.graph: Any = None
        self.n_seen = 0
        self.can_capture = True
        self.gradients: list[Tensor | None] = []

    def __call__(self, batch: Tensor) -> Tensor:
        if not self.can_capture or len(batch) != self.batch_size or self.n_seen < self._N_WARM_UP:
            self.n_seen += len(batch) == self.batch_size
            return self.step(batch)
        if self.graph is None and not self._capture(batch):
            return self.step(batch)
        self.batch.copy_(batch)
        self.graph.replay()
        for parameter, gradient in zip(self.model.parameters(), self.gradients, strict=True):
            parameter.grad = gradient
        return self.loss

    def _capture(self, batch: Tensor) -> bool:
        self.batch = batch.clone()
        try:
            graph = torch.cuda.CUDAGraph()
            torch.cuda.synchronize()
            with torch.cuda.graph(graph):
                self.loss = self.step(self.batch)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError:
            self.can_capture = False
            return False
        self.graph = graph
        self.gradients = [parameter.grad for parameter in self.model.parameters()]
        return True
