"""Optimizers, and schedules of the learning rate and the momentum."""

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
    """Make an optimizer that decays the weight matrices of a model, but neither biases, scales nor norms.

    The model may name further parameters not to decay in an attribute `not_decayed`. A callable takes the two groups of
    parameters and `lr`, as ``torch.optim.RMSprop`` does.
    """
    left_out = getattr(model, "not_decayed", ())
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim >= 2 and name.rpartition(".")[2] not in ("bias", "member_scale")
        (decayed if is_matrix and name not in left_out else others).append(parameter)
    groups = [{"params": chosen, "weight_decay": decay} for chosen, decay in ((decayed, weight_decay), (others, 0.0))]
    groups = [group for group in groups if group["params"]]
    if callable(optimizer):
        return optimizer(groups, lr=learning_rate)
    if optimizer == "sgd":
        return _DecoupledSGD(groups, lr=learning_rate, momentum=momentum)
    if optimizer == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, betas=(momentum, 0.99), eps=1e-8, fused=True)
    return _LeanAdamW(groups, learning_rate, (momentum, 0.99), 1e-8)


class _LeanAdamW(torch.optim.Optimizer):
    """AdamW whose step is the fused update alone; for a small net, the checks of torch's own take longer.

    It is set up by ``__setstate__``, because the constructor of torch imports a compiler, which takes a second.
    """

    def __init__(self, groups: list[dict], lr: float, betas: tuple[float, float], eps: float):
        defaults = {"lr": lr, "betas": betas, "eps": eps}
        groups = [defaults | group for group in groups]
        self.__setstate__({"defaults": defaults, "param_groups": groups, "state": defaultdict(dict)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        if closure is not None:
            raise ValueError("closure is not supported: compute the loss and its gradients before step().")
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

    step.hooked = True  # type: ignore[attr-defined]  # torch would wrap it for its profiler


class _DecoupledSGD(torch.optim.SGD):
    """SGD with decoupled weight decay, as in AdamW."""

    def __init__(self, groups: list[dict], lr: float, momentum: float):
        groups = [{"params": group["params"], "shrink": group["weight_decay"]} for group in groups]
        super().__init__(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            torch._foreach_mul_(group["params"], 1 - group["lr"] * group["shrink"])
        return super().step(closure)


class Rates(NamedTuple):
    """Learning rate and momentum at one step."""

    learning_rate: float
    momentum: float


def scheduled_rates(schedule: str, step: int, n_steps: int, learning_rate: float, momentum: float) -> Rates:
    """Learning rate and momentum of a step, counted from 0.

    "one_cycle" rises from 1/25 of the learning rate over the first quarter of the steps and falls to 1/100,000, while
    the momentum goes from 0.95 to 0.85 and back (Smith 2018, with fastai's numbers). "flat_cosine" is constant for
    three quarters of the steps and then falls to 0.
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


def set_rates(optimizer: torch.optim.Optimizer, rates: Rates) -> None:
    """Set the learning rate and the momentum of an optimizer."""
    for group in optimizer.param_groups:
        group["lr"] = rates.learning_rate
        if "betas" in group:
            group["betas"] = (rates.momentum, group["betas"][1])
        elif group.get("momentum"):
            group["momentum"] = rates.momentum


def _cosine(start: float, stop: float, part: float) -> float:
    """Interpolate from start to stop along half a cosine; `part` is between 0 and 1."""
    return stop + (start - stop) * (1 + math.cos(math.pi * part)) / 2
