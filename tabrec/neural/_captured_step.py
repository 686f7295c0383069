"""`CapturedStep`: a training step replayed as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class CapturedStep:
    """A training step that is captured as a CUDA graph and replayed for each full batch, without launching kernels.

    Smaller batches, and models that cannot be captured, run the step itself. The step takes the positions of a batch,
    returns its loss and leaves the gradients in the parameters.
    """

    _N_WARM_UP = 3  # steps that PyTorch asks for before a capture

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
