"""State of a training over its epochs: the smoothed loss, averaged weights and the best epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any

import torch
from torch import nn

from tabrec.neural.losses import LossUnits

# Decay of the moving average of the training loss, as in fastai.
_SMOOTHING = 0.98
# Decay of the averaged weights, smaller in the first steps: about the last 100 steps count.
_AVERAGING = 0.99


class SmoothedLoss:
    """Exponential moving average of the losses of all batches so far; raises when one is not finite."""

    def __init__(self, learning_rate: float):
        self.learning_rate = learning_rate
        self.total = self.weight = 0.0

    def update(self, losses: list[float], epoch: int) -> float:
        for batch, value in enumerate(losses):
            if not math.isfinite(value):
                raise ValueError(
                    f"The training loss became {value} in epoch {epoch}, batch {batch} (from 0). The likely cause is "
                    f"learning_rate={self.learning_rate:g}, too large for this net: lower it (find_learning_rate "
                    "suggests one) or set max_grad_norm=1.0. Otherwise look for extreme numbers in X; "
                    "normalize='quantile' in the preprocessor limits them."
                )
            self.total = _SMOOTHING * self.total + (1 - _SMOOTHING) * value
            self.weight = _SMOOTHING * self.weight + (1 - _SMOOTHING)
        return self.total / self.weight


class WeightAverage:
    """Exponential moving average of the weights of a model over its steps."""

    def __init__(self, model: nn.Module):
        self._weights = [parameter.detach() for parameter in model.parameters()]
        self._means = [weight.clone() for weight in self._weights]
        self._n_steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights after a step."""
        self._n_steps += 1
        decay = min(_AVERAGING, (1 + self._n_steps) / (10 + self._n_steps))
        torch._foreach_lerp_(self._means, self._weights, 1 - decay)

    def state(self) -> tuple[list[torch.Tensor], int]:
        """Return the means and the number of steps."""
        return self._means, self._n_steps

    def set_state(self, state: tuple[list[torch.Tensor], int]) -> None:
        """Continue from means and a number of steps."""
        self._means, self._n_steps = state

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Replace the weights of the model by the averaged ones within a `with` block."""
        last = [weight.clone() for weight in self._weights]
        torch._foreach_copy_(self._weights, self._means)
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights, last)

    def keep(self) -> None:
        """Replace the weights of the model by the averaged ones."""
        torch._foreach_copy_(self._weights, self._means)


class BestEpoch:
    """The weights of the epoch with the lowest validation loss."""

    def __init__(self, patience: int | None):
        self.patience = patience
        self.epoch = -1
        self.loss = math.inf
        self.weights: dict | None = None

    def compare(self, epoch: int, loss: float, model: nn.Module) -> bool:
        """Keep the weights if this epoch is the best one; returns whether `patience` is exhausted."""
        if loss < self.loss:
            self.epoch, self.loss = epoch, loss
            self.weights = {name: value.clone() for name, value in model.state_dict().items()}
        return self.patience is not None and epoch - self.epoch >= self.patience

    def restore(self, model: nn.Module) -> None:
        if self.weights is not None:
            model.load_state_dict(self.weights)


def format_record(record: Mapping[str, Any], units: LossUnits) -> dict[str, str]:
    """Format the record of an epoch as text by column, with losses in units of the target."""
    name, texts = units.name, {"epoch": f"{record['epoch']:.0f}"}
    for key, value in record.items():
        if key in ("train_loss", "valid_loss"):
            texts[f"{key.removesuffix('_loss')} {name}"] = _format_number(units.convert(value))
        elif key not in ("epoch", "learning_rate", "seconds") and isinstance(value, Real):
            texts[key] = _format_number(float(value))
    return texts | {"seconds": f"{record['seconds']:.1f}"}


def _format_number(value: float) -> str:
    """Format a number with four significant digits, but all digits before the decimal point."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.4g}"
