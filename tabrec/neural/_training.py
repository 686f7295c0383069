"""The one training loop: rows resident on the device, a permutation and slices of it an epoch, no loader.

`train` is what estimators call. Everything else is one step of it each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from tabrec.neural._devices import explain_memory, multiplications_per_row, uses_bfloat16
from tabrec.neural._losses import Loss
from tabrec.neural._optimizers import make_optimizer, pace_at, set_pace
from tabrec.preprocess._base import warn_caller

# Weight of the past in the training loss that is shown, as in fastai.
_SMOOTHING = 0.98
Callback = Callable[[str, "TrainingState"], Any]
Metric = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class Rows:
    """Rows resident on a device: what the model takes, the target, and weights of mean 1 where they differ."""

    inputs: tuple[Tensor, ...]
    target: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device) -> Rows:
        weight = None if self.weight is None else self.weight.to(device)
        return Rows(tuple(part.to(device) for part in self.inputs), self.target.to(device), weight)

    def take(self, rows: Tensor) -> Rows:
        weight = None if self.weight is None else self.weight[rows]
        return Rows(tuple(part[rows] for part in self.inputs), self.target[rows], weight)

    @property
    def n_bytes(self) -> int:
        return sum(part.numel() * part.element_size() for part in (*self.inputs, self.target))


@dataclass(frozen=True)
class Plan:
    """How to train: every choice that is not of the model, the rows or the loss."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.01
    optimizer: str | Callable = "adamw"
    momentum: float = 0.9
    schedule: str = "one_cycle"
    max_grad_norm: float | None = None
    patience: int | None = None
    mixed_precision: bool | str = "auto"
    compile: bool = False
    callbacks: Sequence[Callback] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    verbose: int = 0


@dataclass
class TrainingState:
    """What a callback is shown, and may change.

    A callback is called as ``callback(event, state)`` with the events "fit_start", "epoch_start", "batch_end",
    "epoch_end" and "fit_end".

    Attributes
    ----------
    model : torch.nn.Module
    optimizer : torch.optim.Optimizer
    n_epochs : int
    epoch : int
        Counted from 0; epochs ended so far at "fit_end".
    step : int
        Batches so far.
    history : list of dict
        A record for each epoch ended: epoch, train_loss, valid_loss, metrics, learning_rate, seconds.
    stop : bool
        A callback sets it to end the training after this batch or epoch.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    n_epochs: int
    epoch: int = 0
    step: int = 0
    history: list[dict] = field(default_factory=list)
    stop: bool = False


def train(model: nn.Module, rows: Rows, loss: Loss, plan: Plan, valid: Rows | None = None) -> pd.DataFrame:
    """Train a model in place.

    Parameters
    ----------
    model : torch.nn.Module
        On the device of the rows; takes ``rows.inputs``. Random numbers are drawn from torch's own generators.
    rows : Rows
    loss : callable
        ``loss(output, target)`` gives a loss for each row.
    plan : Plan
    valid : Rows, default=None
        Rows to validate on after each epoch; the weights of the best epoch are kept.

    Returns
    -------
    pandas.DataFrame
        A row for each epoch.

    Raises
    ------
    ValueError
        The loss has become NaN or infinite.
    MemoryError
        The GPU is full.
    """
    optimizer = make_optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay, plan.momentum)
    state = TrainingState(model, optimizer, plan.epochs)
    best, smoothed = _Best(), _SmoothedLoss(plan)
    _tell(plan, "fit_start", state)
    try:
        with explain_memory(len(rows), rows.n_bytes, plan.batch_size), _progress(plan) as show:
            step = make_step(model, rows, loss, plan)
            for epoch in range(plan.epochs):
                state.epoch = epoch
                state.history.append(_run_epoch(state, step, rows, plan, smoothed))
                if valid is not None:
                    state.history[-1] |= _validate(model, valid, loss, plan)
                show(state.history[-1])
                best.see(state, plan, valid is not None)
                _tell(plan, "epoch_end", state)
                if state.stop:
                    break
    except KeyboardInterrupt:
        kept = f"those of epoch {best.epoch}" if best.weights else "as they were then"
        warn_caller(f"Training was interrupted in epoch {state.epoch} of {plan.epochs}: the weights kept are {kept}.")
    best.restore(model)
    model.eval()
    state.epoch = len(state.history)
    _tell(plan, "fit_end", state)
    return pd.DataFrame(state.history, columns=_columns(plan, valid is not None))


def _columns(plan: Plan, has_valid: bool) -> list[str]:
    watched = ["valid_loss", *plan.metrics] if has_valid else []
    return ["epoch", "train_loss", *watched, "learning_rate", "seconds"]


def _run_epoch(
    state: TrainingState, step: Callable[[Tensor], Tensor], rows: Rows, plan: Plan, smoothed: _SmoothedLoss
) -> dict:
    """Go through all rows once; returns the epoch's record."""
    started = time.perf_counter()
    _tell(plan, "epoch_start", state)
    state.model.train()
    batches = list(iterate(len(rows), plan.batch_size, rows.target.device))
    losses, n_done = torch.empty(len(batches), device=rows.target.device), 0
    for n_done, batch in enumerate(batches, start=1):
        n_steps = plan.epochs * len(batches)
        pace = pace_at(plan.schedule, state.step, n_steps, plan.learning_rate, plan.momentum)
        set_pace(state.optimizer, pace)
        losses[n_done - 1] = step(batch)
        if plan.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(state.model.parameters(), plan.max_grad_norm)
        state.optimizer.step()
        state.step += 1
        if plan.callbacks:
            _tell(plan, "batch_end", state)
            if state.stop:
                break
    return {
        "epoch": state.epoch,
        "train_loss": smoothed.see(losses[:n_done].tolist(), state.epoch),
        "learning_rate": pace.learning_rate,
        "seconds": time.perf_counter() - started,
    }


def iterate(n_rows: int, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """A permutation of the rows in slices; a last slice of one row, which no batch norm bears, joins the one before."""
    order = torch.randperm(n_rows, device=device)
    starts = list(range(0, n_rows, batch_size))
    if len(starts) > 1 and n_rows - starts[-1] == 1:
        del starts[-1]
    for start, stop in zip(starts, [*starts[1:], n_rows], strict=True):
        yield order[start:stop]


def make_step(model: nn.Module, rows: Rows, loss: Loss, plan: Plan) -> Callable[[Tensor], Tensor]:
    """What computes the loss of a batch and leaves its gradients in the parameters."""
    forward = torch.compile(model) if plan.compile else model
    cast = _autocast(model, rows, plan)

    def step(batch: Tensor) -> Tensor:
        taken = rows.take(batch)
        with cast():
            output = forward(*taken.inputs)
        mean = mean_loss(loss, output.float(), taken)
        for parameter in model.parameters():
            parameter.grad = None
        mean.backward()
        return mean.detach()

    return _CapturedStep(step, model, plan.batch_size) if _can_capture(rows, plan) else step


def _autocast(model: nn.Module, rows: Rows, plan: Plan) -> Callable[[], AbstractContextManager]:
    device = rows.target.device
    n_rows = min(plan.batch_size, len(rows))
    if uses_bfloat16(plan.mixed_precision, device, n_rows * multiplications_per_row(model)):
        return lambda: torch.autocast(device.type, torch.bfloat16)
    return nullcontext


def mean_loss(loss: Loss, output: Tensor, rows: Rows) -> Tensor:
    per_row = loss(output, rows.target)
    return (per_row if rows.weight is None else per_row * rows.weight).mean()


def _can_capture(rows: Rows, plan: Plan) -> bool:
    return rows.target.device.type == "cuda" and len(rows) >= plan.batch_size and not plan.compile


class _CapturedStep:
    """A step recorded once as a CUDA graph and replayed for each full batch, saving its kernels' launches.

    Other batches, and nets that cannot be captured, run as they are.
    """

    _N_WARM_UP = 3

    def __init__(self, step: Callable[[Tensor], Tensor], model: nn.Module, batch_size: int):
        self.step, self.model, self.batch_size = step, model, batch_size
        self.graph: Any = None
        self.n_seen = 0
        self.gradients: list[Tensor | None] = []

    def __call__(self, batch: Tensor) -> Tensor:
        if len(batch) != self.batch_size or self.n_seen < self._N_WARM_UP:
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
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph):
                self.loss = self.step(self.batch)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError:
            self.n_seen = -(2**62)  # never again: this net cannot be captured
            return False
        self.graph = graph
        self.gradients = [parameter.grad for parameter in self.model.parameters()]
        return True


class _SmoothedLoss:
    """The exponential mean of the batches' losses since the start; it stops where one is not finite."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.total = self.weight = 0.0

    def see(self, losses: list[float], epoch: int) -> float:
        for batch, value in enumerate(losses):
            if not math.isfinite(value):
                raise ValueError(
                    f"The training loss became {value} in epoch {epoch}, batch {batch} (from 0). The likely cause is "
                    f"learning_rate={self.plan.learning_rate:g}, too large for this net: lower it (find_learning_rate "
                    "shows what it bears) or set max_grad_norm=1.0. Otherwise look for extreme numbers in X, which "
                    "normalize='quantile' in the preprocessor tames."
                )
            self.total = _SMOOTHING * self.total + (1 - _SMOOTHING) * value
            self.weight = _SMOOTHING * self.weight + (1 - _SMOOTHING)
        return self.total / self.weight


def _validate(model: nn.Module, valid: Rows, loss: Loss, plan: Plan) -> dict:
    """Loss and metrics on the validation rows."""
    output = predict(model, valid.inputs)
    record = {"valid_loss": float(mean_loss(loss, output, valid))}
    return record | {name: metric(output, valid.target) for name, metric in plan.metrics.items()}


def predict(model: nn.Module, inputs: tuple[Tensor, ...], n_rows_at_once: int = 8192) -> Tensor:
    """The model's outputs, in evaluation mode and slices that bound the memory.

    Parameters
    ----------
    model : torch.nn.Module
    inputs : tuple of Tensor
        On the model's device.
    n_rows_at_once : int

    Returns
    -------
    Tensor of shape (n_rows, [n_members,] n_outputs)
    """
    model.eval()
    with torch.inference_mode():
        starts = range(0, len(inputs[0]), n_rows_at_once)
        parts = [model(*(part[start : start + n_rows_at_once] for part in inputs)) for start in starts]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


class _Best:
    """The weights of the epoch of the least validation loss."""

    def __init__(self) -> None:
        self.epoch = -1
        self.loss = math.inf
        self.weights: dict | None = None

    def see(self, state: TrainingState, plan: Plan, has_valid: bool) -> None:
        if not has_valid:
            return
        loss = state.history[-1]["valid_loss"]
        if loss < self.loss:
            self.epoch, self.loss = state.epoch, loss
            self.weights = {name: value.clone() for name, value in state.model.state_dict().items()}
        if plan.patience is not None and state.epoch - self.epoch >= plan.patience:
            state.stop = True

    def restore(self, model: nn.Module) -> None:
        if self.weights is not None:
            model.load_state_dict(self.weights)


def _tell(plan: Plan, event: str, state: TrainingState) -> None:
    for callback in plan.callbacks:
        callback(event, state)


class _progress:
    """A bar with the losses of the last epoch, where `verbose` asks for one."""

    def __init__(self, plan: Plan):
        self.plan = plan

    def __enter__(self) -> Callable[[dict], None]:
        if not self.plan.verbose:
            return lambda record: None
        self.bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), transient=False
        )
        self.bar.start()
        task = self.bar.add_task("training", total=self.plan.epochs)

        def show(record: dict) -> None:
            losses = [f"{name.removesuffix('_loss')} {record[name]:.4g}" for name in record if name.endswith("_loss")]
            self.bar.update(task, advance=1, description=" ".join(["loss:", *losses]))

        return show

    def __exit__(self, *error: Any) -> None:
        if self.plan.verbose:
            self.bar.stop()
