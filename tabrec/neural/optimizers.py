"""Optimisers, and how learning rate and momentum change from step to step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one_cycle", "flat_cosine", "constant")


def make_optimizer(
    model: nn.Module, optimizer: str | Callable, learning_rate: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """An optimiser over the model's parameters, whose matrices are decayed and whose biases and norms are not.

    Parameters
    ----------
    model : torch.nn.Module
    optimizer : {"adamw", "adam", "sgd"} or callable
        A callable is given the two groups of parameters and `lr`, as ``torch.optim.RMSprop`` takes them.
    learning_rate : float
    weight_decay : float
        Decoupled from the gradient, except by Adam and by a callable's own optimiser.
    momentum : float
        Of the first moment.
    """
    decayed = _decayed(model)
    groups = [
        {"params": [p for name, p in model.named_parameters() if (name in decayed) == decay], "weight_decay": share}
        for decay, share in ((True, weight_decay), (False, 0.0))
    ]
    groups = [group for group in groups if group["params"]]
    if callable(optimizer):
        return optimizer(groups, lr=learning_rate)
    if optimizer == "sgd":
        return _DecoupledSGD(groups, lr=learning_rate, momentum=momentum)
    if optimizer == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, betas=(momentum, 0.99), eps=1e-8, fused=True)
    return _LeanAdamW(groups, learning_rate, (momentum, 0.99), 1e-8)


class _LeanAdamW(torch.optim.Optimizer):
    """AdamW whose step is the fused update and nothing else: for a small net, torch's checks take longer than that.

    It is made as torch restores one that was saved: the constructor loads a compiler first, which takes a second.
    """

    def __init__(self, groups: list[dict], lr: float, betas: tuple[float, float], eps: float):
        defaults = {"lr": lr, "betas": betas, "eps": eps}
        groups = [defaults | group for group in groups]
        self.__setstate__({"defaults": defaults, "param_groups": groups, "state": defaultdict(dict)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        if closure is not None:
            raise ValueError("This AdamW takes no closure: compute the loss and its gradients first.")
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            for p in parameters:
                if p not in self.state:
                    step = torch.zeros((), dtype=torch.float32, device=p.device)
                    self.state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            states = [self.state[p] for p in parameters]
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                parameters,
                [p.grad for p in parameters],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )

    step.hooked = True  # type: ignore[attr-defined]  # or torch would wrap it for its profiler


class _DecoupledSGD(torch.optim.SGD):
    """SGD whose weight decay shrinks the weights themselves, as AdamW's does."""

    def __init__(self, groups: list[dict], lr: float, momentum: float):
        groups = [{"params": group["params"], "shrink": group["weight_decay"]} for group in groups]
        super().__init__(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            torch._foreach_mul_(group["params"], 1 - group["lr"] * group["shrink"])
        return super().step(closure)


def _decayed(model: nn.Module) -> set[str]:
    """Names of the parameters that weight decay is for: weights, but neither biases nor scales nor norms.

    A model may name further ones in `not_decayed`.
    """
    left_out = getattr(model, "not_decayed", ())
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.ndim >= 2 and name.rpartition(".")[2] not in ("bias", "member_scale") and name not in left_out
    }


class Rates(NamedTuple):
    """Learning rate and momentum at one step."""

    learning_rate: float
    momentum: float


def scheduled_rates(schedule: str, step: int, n_steps: int, learning_rate: float, momentum: float) -> Rates:
    """Learning rate and momentum at a step, counted from 0.

    Parameters
    ----------
    schedule : {"one_cycle", "flat_cosine", "constant"}
        "one_cycle" rises from a 25th of the learning rate over the first quarter of the steps and falls to a
        100,000th, momentum going from 0.95 to 0.85 and back (Smith 2018, with fastai's numbers). "flat_cosine" stays
        for three quarters and falls to 0.
    step, n_steps : int
    learning_rate : float
        The greatest.
    momentum : float
        Where the schedule does not move it.

    Examples
    --------
    >>> [round(scheduled_rates("one_cycle", step, 9, 0.1, 0.9).learning_rate, 4) for step in (0, 2, 8)]
    [0.004, 0.1, 0.0]
    """
    done = step / max(n_steps - 1, 1)
    if schedule == "one_cycle":
        if done < 0.25:
            part = done / 0.25
            return Rates(_cosine(learning_rate / 25, learning_rate, part), _cosine(0.95, 0.85, part))
        part = (done - 0.25) / 0.75
        return Rates(_cosine(learning_rate, learning_rate / 1e5, part), _cosine(0.85, 0.95, part))
    if schedule == "flat_cosine":
        return Rates(_cosine(learning_rate, 0.0, max(done - 0.75, 0.0) / 0.25), momentum)
    return Rates(learning_rate, momentum)


def set_rates(optimizer: torch.optim.Optimizer, pace: Rates) -> None:
    """Make the optimiser's next step at this pace."""
    for group in optimizer.param_groups:
        group["lr"] = pace.learning_rate
        if "betas" in group:
            group["betas"] = (pace.momentum, group["betas"][1])
        elif group.get("momentum"):
            group["momentum"] = pace.momentum


def _cosine(start: float, stop: float, part: float) -> float:
    """From start to stop along half a cosine, at a part of the way between 0 and 1."""
    return stop + (start - stop) * (1 + math.cos(math.pi * part)) / 2
