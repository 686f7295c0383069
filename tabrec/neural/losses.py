"""Losses that return one number per row, so that rows can be weighted; each member is compared with the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]
REGRESSION_LOSSES = ("mse", "mae", "huber", "quantile")


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
    """Pinball loss of several quantiles: outputs (B, [K,] O * Q) and targets (B, O) → (B,)."""
    levels = torch.tensor(quantiles, dtype=torch.float32)

    def per_row(output: Tensor, target: Tensor) -> Tensor:
        output = output.unflatten(-1, (target.shape[1], len(levels)))  # (B, [K,] O, Q)
        expected = target.unsqueeze(-1) if output.ndim == 3 else target[:, None, :, None]
        error, q = expected - output, levels.to(output.device)
        return torch.maximum(q * error, (q - 1) * error).flatten(1).mean(dim=1)

    return per_row


def class_loss(label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy: logits (B, [K,] n_classes) and classes (B,) → (B,), the mean over members."""

    def per_row(output: Tensor, target: Tensor) -> Tensor:
        if output.ndim == 2:
            return F.cross_entropy(output, target, reduction="none", label_smoothing=label_smoothing)
        n_members = output.shape[1]
        per_member = F.cross_entropy(
            output.flatten(0, 1), target.repeat_interleave(n_members), reduction="none", label_smoothing=label_smoothing
        )
        return per_member.view(-1, n_members).mean(dim=1)

    return per_row
