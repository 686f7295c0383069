"""The one training loop: rows resident on the device, a permutation and slices of it an epoch, no loader.

`train` is what estimators call. Everything else is one step of it each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from tabrec.neural._optimizers import make_optimizer, pace_at, set_pace
from tabrec.neural.devices import explain_memory, flushed_denormals
from tabrec.neural.losses import Loss
from tabrec.neural.step import make_step
from tabrec.neural.training_data import TrainingData, mean_loss
from tabrec.tables.messages import warn_caller

# Weight of the past in the training loss that is shown, as in fastai.
_SMOOTHING = 0.98
Callback = Callable[[str, "TrainingState"], Any]
Metric = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class TrainingConfig:
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


def train(
    model: nn.Module,
    rows: TrainingData,
    loss: Loss,
    plan: TrainingConfig,
    valid: TrainingData | None = None,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Train a model in place.

    Parameters
    ----------
    model : torch.nn.Module
        On the CPU, and there again afterwards; takes ``rows.inputs``. Random numbers are drawn from torch's own
        generators.
    rows : TrainingData
    loss : callable
        ``loss(output, target)`` gives a loss for each row.
    plan : TrainingConfig
    valid : TrainingData, default=None
        Rows to validate on after each epoch; the weights of the best epoch are kept.
    device : torch.device or str, default="cpu"
        Where to train: all rows are brought there at once.

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
    best, smoothed = _Best(), _SmoothedLoss(plan)
    device = torch.device(device)
    with explain_memory(len(rows), rows.n_bytes, plan.batch_size), _on_device(model, device), flushed_denormals():
        rows, valid = rows.to(device), None if valid is None else valid.to(device)
        optimizer = make_optimizer(model, plan.optimizer, plan.learning_rate, plan.weight_decay, plan.momentum)
        state = TrainingState(model, optimizer, plan.epochs)
        _tell(plan, "fit_start", state)
        try:
            _run_epochs(state, rows, loss, plan, valid, smoothed, best)
        except KeyboardInterrupt:
            kept = f"those of epoch {best.epoch}" if best.weights else "as they were then"
            warn_caller(
                f"Training was interrupted in epoch {state.epoch} of {plan.epochs}: the weights kept are {kept}."
            )
        best.restore(model)
        model.eval()
        state.epoch = len(state.history)
        _tell(plan, "fit_end", state)
    columns = _columns(plan, valid is not None)
    return pd.DataFrame(state.history, columns=columns).astype(dict.fromkeys(columns, float) | {"epoch": int})


def _run_epochs(
    state: TrainingState,
    rows: TrainingData,
    loss: Loss,
    plan: TrainingConfig,
    valid: TrainingData | None,
    smoothed: _SmoothedLoss,
    best: _Best,
) -> None:
    step = make_step(
        state.model,
        rows,
        loss,
        batch_size=plan.batch_size,
        mixed_precision=plan.mixed_precision,
        compile=plan.compile,
    )
    with _progress(plan) as show:
        for epoch in range(plan.epochs):
            state.epoch = epoch
            record = _run_epoch(state, step, rows, plan, smoothed)
            if valid is not None:
                record |= _validate(state.model, valid, loss, plan)
            state.history.append(record)
            show(record)
            best.see(state, plan, valid is not None)
            _tell(plan, "epoch_end", state)
            if state.stop:
                break


@contextmanager
def _on_device(model: nn.Module, device: torch.device) -> Iterator[None]:
    model.to(device)
    try:
        yield
    finally:
        model.to("cpu")


def _columns(plan: TrainingConfig, has_valid: bool) -> list[str]:
    watched = ["valid_loss", *plan.metrics] if has_valid else []
    return ["epoch", "train_loss", *watched, "learning_rate", "seconds"]


def _run_epoch(
    state: TrainingState,
    step: Callable[[Tensor], Tensor],
    rows: TrainingData,
    plan: TrainingConfig,
    smoothed: _SmoothedLoss,
) -> dict:
    """Go through all rows once; returns the epoch's record."""
    started = time.perf_counter()
    state.model.train()
    _tell(plan, "epoch_start", state)  # after it: a callback may set layers to evaluation
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


class _SmoothedLoss:
    """The exponential mean of the batches' losses since the start; it stops where one is not finite."""

    def __init__(self, plan: TrainingConfig):
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


def _validate(model: nn.Module, valid: TrainingData, loss: Loss, plan: TrainingConfig) -> dict:
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

    def see(self, state: TrainingState, plan: TrainingConfig, has_valid: bool) -> None:
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


def _tell(plan: TrainingConfig, event: str, state: TrainingState) -> None:
    for callback in plan.callbacks:
        callback(event, state)


class _progress:
    """A bar with the losses of the last epoch, where `verbose` asks for one."""

    def __init__(self, plan: TrainingConfig):
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
