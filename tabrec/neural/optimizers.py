"""Optimizers, and schedules of the learning rate and the momentum."""

from __future__ import annotations

import inspect
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

OPTIMIZERS = ("adamw", "adam", "sgd")
SCHEDULES = ("one_cycle", "flat_cosine", "constant", "warm_restarts", "averaged")
# Starts and ends of the cycles of "warm_restarts"; each cycle is twice as long as the one before.
_RESTARTS = (0.0, 1 / 7, 3 / 7, 1.0)
# Steps at which "averaged" stops rising, and starts falling.
_RISEN, _FALLING = 50, 200


def make_optimizer(
    model: nn.Module,
    optimizer: str | Callable,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
    lowest_share: float = 1.0,
) -> torch.optim.Optimizer:
    """Make an optimizer that decays the weight matrices of a model, but neither biases, scales nor norms.

    The model can list parameters to exclude from weight decay in its attribute `not_decayed`. A callable takes the
    groups of parameters and `lr`, as ``torch.optim.RMSprop`` does. The first layers learn at `lowest_share` of the
    learning rate.
    """
    groups = _parameter_groups(model, weight_decay, lowest_share)
    if callable(optimizer):
        return _call_optimizer(optimizer, groups, learning_rate, weight_decay)
    if optimizer == "sgd":
        return _DecoupledSGD(groups, lr=learning_rate, momentum=momentum)
    if optimizer == "adam":
        return torch.optim.Adam(groups, lr=learning_rate, betas=(momentum, 0.99), eps=1e-8, fused=True)
    return _LeanAdamW(groups, learning_rate, (momentum, 0.99), 1e-8)


def _parameter_groups(model: nn.Module, weight_decay: float, lowest_share: float) -> list[dict]:
    """Group the parameters by weight decay and, if layers learn at different rates, by layer."""
    left_out = getattr(model, "not_decayed", ())
    layers = _layers(model) if lowest_share != 1.0 else {}
    n_layers = len(set(layers.values()))
    chosen: dict[tuple[int, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim >= 2 and name.rpartition(".")[2] not in ("bias", "member_scale")
        chosen[layers.get(name, 0), is_matrix and name not in left_out].append(parameter)
    groups = []
    for (layer, decays), parameters in sorted(chosen.items(), key=lambda item: (item[0][0], not item[0][1])):
        share = lowest_share ** (1 - layer / (n_layers - 1)) if n_layers > 1 else 1.0
        groups.append({"params": parameters, "weight_decay": weight_decay if decays else 0.0, "rate_share": share})
    return groups


def _layers(model: nn.Module) -> dict[str, int]:
    """Return the position of the layer of each parameter: embeddings first, then blocks and outputs in their order.

    A model lists the prefixes of its layers in an attribute `layer_names`; otherwise its children are its layers.
    """
    prefixes = getattr(model, "layer_names", None) or [(name,) for name, _ in model.named_children()]
    found = {}
    for name, _ in model.named_parameters():
        places = [place for place, names in enumerate(prefixes) if any(f"{name}.".startswith(f"{n}.") for n in names)]
        found[name] = places[0] if places else 0
    places = sorted(set(found.values()))
    return {name: places.index(place) for name, place in found.items()}


def _call_optimizer(
    optimizer: Callable, groups: list[dict], learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    try:
        return optimizer(groups, lr=learning_rate)
    except ValueError as error:  # torch.optim.LBFGS takes no groups
        if "parameter groups" not in str(error):
            raise
    name = getattr(optimizer, "__name__", repr(optimizer))
    if weight_decay:
        raise ValueError(
            f"optimizer={name} takes no groups of parameters, and so no weight decay: set weight_decay=0; got "
            f"{weight_decay}."
        )
    if any(group["rate_share"] != 1.0 for group in groups):
        raise ValueError(f"optimizer={name} takes no groups of parameters: learning_rate must be one number.")
    return optimizer([parameter for group in groups for parameter in group["params"]], lr=learning_rate)


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether steps need a closure that evaluates the loss, like those of ``torch.optim.LBFGS``."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


class _LeanAdamW(torch.optim.Optimizer):
    """AdamW that performs only the fused update; the checks in torch's AdamW take longer for a small net.

    It is initialised by ``__setstate__``, because torch's constructor imports a compiler, which takes a second.
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
        groups = [{**group, "shrink": group["weight_decay"], "weight_decay": 0.0} for group in groups]
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
    """Return the learning rate and momentum of a step, counted from 0.

    "one_cycle" rises from 1/25 of the learning rate over the first quarter of the steps and falls to 1/100,000, while
    the momentum goes from 0.95 to 0.85 and back (Smith 2018, with fastai's numbers). "flat_cosine" is constant for
    three quarters of the steps and then falls to 0. "warm_restarts" falls to 0 by a cosine three times, each time over
    twice as many steps (SGDR, Loshchilov & Hutter 2017). "averaged" rises over 50 steps and falls with the square root
    of the steps from the 200th one, so that training can stop at any epoch.
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
    if schedule == "warm_restarts":
        cycle = bisect_right(_RESTARTS, done, hi=len(_RESTARTS) - 1) - 1
        start, stop = _RESTARTS[cycle : cycle + 2]
        return Rates(_cosine(learning_rate, 0.0, (done - start) / (stop - start)), momentum)
    if schedule == "averaged":
        n_done = step + 1
        return Rates(learning_rate * min(1.0, n_done / _RISEN) * min(1.0, math.sqrt(_FALLING / n_done)), momentum)
    return Rates(learning_rate, momentum)


def set_rates(optimizer: torch.optim.Optimizer, rates: Rates) -> None:
    """Set the learning rate, of which first layers may have a share, and the momentum of an optimizer."""
    for group in optimizer.param_groups:
        group["lr"] = rates.learning_rate * group.get("rate_share", 1.0)
        if "betas" in group:
            group["betas"] = (rates.momentum, group["betas"][1])
        elif group.get("momentum"):
            group["momentum"] = rates.momentum


def _cosine(start: float, stop: float, part: float) -> float:
    """Interpolate from start to stop along half a cosine; `part` is between 0 and 1."""
    return stop + (start - stop) * (1 + math.cos(math.pi * part)) / 2
