"""Losses per row, so that rows can be weighted, averaged over the members of an ensemble."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]
REGRESSION_LOSSES = ("mse", "mae", "huber", "quantile")


class LossUnits(NamedTuple):
    """The display of a loss in training: its name and, by `convert`, its value in units of the target."""

    name: str = "loss"
    convert: Callable[[float], float] = float


def regression_units(loss: Any, scale: float) -> LossUnits:
    """Return the units of a loss of the standardised target; `scale` is the target's standard deviation."""
    if loss == "mse":
        return LossUnits("RMSE", lambda value: math.sqrt(value) * scale)
    if loss == "mae":
        return LossUnits("MAE", lambda value: value * scale)
    if loss == "quantile":
        return LossUnits("pinball loss", lambda value: value * scale)
    return LossUnits("Huber loss (standardised)" if loss == "huber" else "loss")


def regression_loss(loss: str, quantiles: Sequence[float] = ()) -> Loss:
    """Make a loss by name: outputs (B, [K,] O) and targets (B, O) → (B,), the mean over members and outputs."""
    if loss == "quantile":
        return quantile_loss(quantiles)
    losses: dict[str, Callable[..., Tensor]] = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}
    per_element = losses[loss]

    def per_row(output: Tensor, target: Tensor) -> Tensor:
        if output.ndim == 3:
            target = target.unsqueeze(1).expand_as(output)
        return per_element(output, target, reduction="none").flatten(1).mean(dim=1)

    return per_row


def quantile_loss(quantiles: Sequence[float]) -> Loss:
    """Make a pinball loss of several quantiles: outputs (B, [K,] O * Q) and targets (B, O) → (B,)."""
    levels = torch.tensor(quantiles, dtype=torch.float32)

    def per_row(output: Tensor, target: Tensor) -> Tensor:
        output = output.unflatten(-1, (target.shape[1], len(levels)))  # (B, [K,] O, Q)
        expected = target.unsqueeze(-1) if output.ndim == 3 else target[:, None, :, None]
        error, q = expected - output, levels.to(output.device)
        return torch.maximum(q * error, (q - 1) * error).flatten(1).mean(dim=1)

    return per_row


def read_quantiles(quantiles: Sequence[float]) -> np.ndarray:
    """Validate the quantiles to predict."""
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or not len(levels) or not ((levels > 0) & (levels < 1)).all() or (np.diff(levels) <= 0).any():
        raise ValueError(f"quantiles={quantiles!r} must be ascending between 0 and 1, such as (0.1, 0.5, 0.9).")
    return levels


def mean_of_members(output: Tensor) -> np.ndarray:
    """Average outputs over members: (n_rows, [n_members,] n_outputs) → (n_rows, n_outputs), float64."""
    mean = output.double().mean(dim=1) if output.ndim == 3 else output.double()
    return mean.cpu().numpy()


def class_loss(label_smoothing: float = 0.0) -> Loss:
    """Make a cross-entropy loss: logits (B, [K,] n_classes) and classes (B,) → (B,), the mean over members."""

    def per_row(output: Tensor, target: Tensor) -> Tensor:
        if output.ndim == 2:
            return F.cross_entropy(output, target, reduction="none", label_smoothing=label_smoothing)
        n_members = output.shape[1]
        per_member = F.cross_entropy(
            output.flatten(0, 1), target.repeat_interleave(n_members), reduction="none", label_smoothing=label_smoothing
        )
        return per_member.view(-1, n_members).mean(dim=1)

    return per_row


def _as_they_are(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return output, target


class GivenLoss:
    """Wraps a loss of torch (a class or an instance), or a function of predictions and targets, as a loss per row.

    The wrapped loss may return one number per row, per row and output, or one for all rows, which excludes weights. A
    torch loss with a `reduction` is set to return one number per row. `prepare` converts its arguments.
    """

    def __init__(self, loss: Any, prepare: Callable[[Tensor, Tensor], tuple[Tensor, ...]] = _as_they_are):
        self.given, self.function, self.prepare = loss, _read_loss(loss), prepare

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        n_rows, n_members = len(output), output.shape[1] if output.ndim == 3 else 1
        if output.ndim == 3:
            output, target = output.flatten(0, 1), target.repeat_interleave(n_members, dim=0)
        if isinstance(self.function, nn.Module):
            self.function.to(output.device)
        output, target = self.prepare(output, target)
        found = self.function(output, target)
        _check_loss(found, self.given, output)
        return found if found.ndim == 0 else found.reshape(n_rows, -1).mean(dim=1)


def given_class_loss(loss: Any, n_classes: int) -> Loss:
    """Make a loss of classes from a torch loss or a function of logits (B, n_classes) and class codes (B,).

    ``NLLLoss`` takes logarithms of probabilities. ``BCELoss`` and ``BCEWithLogitsLoss`` take the probability and the
    logit of the second of two classes, (B,), and 0 or 1 as float32.
    """

    def is_kind(*kinds: type) -> bool:
        return isinstance(loss, kinds) or (isinstance(loss, type) and issubclass(loss, kinds))

    if is_kind(nn.NLLLoss):
        return GivenLoss(loss, lambda output, target: (output.log_softmax(dim=1), target))
    if not is_kind(nn.BCELoss, nn.BCEWithLogitsLoss):
        return GivenLoss(loss)
    if n_classes != 2:
        raise ValueError(f"loss={loss!r} needs two classes, but the target has {n_classes}: use CrossEntropyLoss.")
    is_logit = is_kind(nn.BCEWithLogitsLoss)

    def prepare(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logit = output[:, 1] - output[:, 0]
        return (logit if is_logit else logit.sigmoid()), target.float()

    return GivenLoss(loss, prepare)


def _read_loss(loss: Any) -> Callable[..., Any]:
    """Return the loss as a callable, without reduction if it has this option."""
    if isinstance(loss, type):
        if not issubclass(loss, nn.Module):
            raise TypeError(f"loss={loss!r} must be a loss of torch or a function of predictions and targets.")
        options = {"reduction": "none"} if "reduction" in inspect.signature(loss).parameters else {}
        return loss(**options)
    if isinstance(loss, nn.Module):
        loss = copy.deepcopy(loss)
        if isinstance(getattr(loss, "reduction", None), str):
            loss.reduction = "none"
    return loss


def _check_loss(found: Any, loss: Any, output: Tensor) -> None:
    n_rows = len(output)
    if not isinstance(found, Tensor):
        raise TypeError(f"loss={loss!r} must return a tensor; got {type(found).__name__}.")
    if found.ndim > 2 or (found.ndim and len(found) != n_rows) or (found.ndim == 2 and found.numel() > output.numel()):
        raise ValueError(
            f"loss={loss!r} must return one number per row, of shape ({n_rows},), or one number for all rows; got "
            f"shape {tuple(found.shape)} for predictions of shape {tuple(output.shape)}. Predictions (n_rows,) and "
            "targets (n_rows, 1) would broadcast to pairs of rows."
        )
    if output.requires_grad and not found.requires_grad:
        raise ValueError(f"loss={loss!r} has no gradient: compute it from the predictions by functions of torch.")
