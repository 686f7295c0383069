"""The training loop of every net in the package: `Trainer`, its configuration and its state.

Rows stay on the device, and an epoch takes slices of a permutation of them, without a data loader. `StreamedData`
provides blocks of rows one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from tabrec.neural._epochs import BestEpoch, SmoothedLoss, WeightAverage, format_record
from tabrec.neural.devices import (
    CapturedStep,
    explain_memory,
    flushed_denormals,
    multiplications_per_row,
    uses_bfloat16,
)
from tabrec.neural.draws import set_generator
from tabrec.neural.losses import GivenLoss, Loss, LossUnits
from tabrec.neural.optimizers import Rates, make_optimizer, needs_closure, scheduled_rates, set_rates
from tabrec.neural.streamed_data import StreamedData
from tabrec.neural.training_data import TrainingData, batch_starts, mean_loss
from tabrec.tables.messages import warn_caller
from tabrec.tables.progress import show_progress

Callback = Callable[[str, "TrainingState"], Any]
Metric = Callable[[Tensor, Tensor], float]


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training, such as epochs, optimizer and learning rate.

    `TabularRegressor` describes each field under the parameter of the same name. The first layers learn at
    `lowest_share` of `learning_rate`. `seed` is that of the order of the rows, of dropout and of masked codes; None
    draws them from torch's global generators. `units` say how `verbose` shows losses, under `title`.

    See Also
    --------
    Trainer : The training loop.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    lowest_share: float = 1.0
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
    verbose: bool | int | str = 0
    units: LossUnits = field(default_factory=LossUnits)
    seed: int | None = None
    title: str = "Training"


@dataclass
class TrainingState:
    """The state that a callback receives and may change.

    A callback is called as ``callback(event, state)`` with the events "fit_start", "epoch_start", "batch_end",
    "epoch_end" and "fit_end".

    Attributes
    ----------
    model : torch.nn.Module
        The net in training.
    optimizer : torch.optim.Optimizer
        The optimizer of its parameters.
    n_epochs : int
        Number of epochs to train.
    epoch : int
        The current epoch, counted from 0; at "fit_end" the number of completed epochs.
    step : int
        Number of batches so far.
    history : list of dict
        A record for each completed epoch: epoch, train_loss, valid_loss, metrics, learning_rate, seconds.
    stop : bool
        Set it to True to end the training after this batch or epoch.

    See Also
    --------
    Trainer : The training loop, which calls the callbacks.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    n_epochs: int
    epoch: int = 0
    step: int = 0
    history: list[dict] = field(default_factory=list)
    stop: bool = False


class Trainer:
    """The training loop of a net, whose steps a subclass can override.

    Pass a subclass as ``TabularRegressor(trainer=...)`` to change the step of each batch. To watch the training
    without changing its steps, use `callbacks`.

    Parameters
    ----------
    model : torch.nn.Module
        The net, on the CPU. It is trained in place.
    loss : callable
        ``loss(output, target)`` returns the loss of each row.
    config : TrainingConfig
        Epochs, optimizer, learning rate and the like.
    device : torch.device or str, default="cpu"
        Where to train.

    Attributes
    ----------
    model, loss, config, device
        The parameters, for use in an overridden step.
    was_interrupted : bool
        Whether the training was ended by the keyboard.

    See Also
    --------
    TabularRegressor : Regression of a raw frame by a net.
    TabularClassifier : Classification of a raw frame by a net.

    Examples
    --------
    Train on noisy numbers, as a regulariser:

    >>> from dataclasses import replace
    >>> import torch
    >>> from tabrec import TabularRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.neural import Trainer
    >>> class NoisyTrainer(Trainer):
    ...     def train_step(self, batch):
    ...         codes, numbers = batch.inputs
    ...         numbers = numbers + 0.1 * torch.randn_like(numbers)
    ...         return super().train_step(replace(batch, inputs=(codes, numbers)))
    >>> auctions = make_auctions(300, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> net = TabularRegressor(epochs=2, trainer=NoisyTrainer, random_state=0).fit(auctions, price)
    """

    def __init__(self, model: nn.Module, loss: Loss, config: TrainingConfig, device: torch.device | str = "cpu"):
        self.model, self.loss, self.config = model, loss, config
        self.device = torch.device(device)
        self._generator: torch.Generator | None = None
        self._forward: Callable[..., Tensor] = model
        self._uses_bfloat16 = False
        self._average: WeightAverage | None = None
        self.was_interrupted = False

    def fit(self, data: TrainingData | StreamedData, valid: TrainingData | None = None) -> pd.DataFrame:
        """Train the model in place.

        Parameters
        ----------
        data : TrainingData or StreamedData
            All training rows, which are moved to the device at once, or in blocks.
        valid : TrainingData, default=None
            Rows to validate on after each epoch; the weights of the best epoch are kept.

        Returns
        -------
        pandas.DataFrame
            One row per epoch.

        Raises
        ------
        ValueError
            If the loss becomes NaN or infinite.
        MemoryError
            If the memory of the GPU is full.
        """
        config, best = self.config, BestEpoch(self.config.patience)
        with (
            explain_memory(len(data), data.n_bytes, config.batch_size),
            self._on_device(),
            self.drawing(),
            flushed_denormals(),
        ):
            data, valid = data.to(self.device), None if valid is None else valid.to(self.device)
            state = TrainingState(self.model, self.make_optimizer(), config.epochs)
            self._average = WeightAverage(self.model) if config.schedule == "averaged" else None
            self._notify("fit_start", state)
            try:
                self._run_epochs(state, data, valid, best)
            except KeyboardInterrupt:
                self.was_interrupted = True
                kept = f"those of epoch {best.epoch}" if best.weights else "as they were then"
                warn_caller(
                    f"Training was interrupted in epoch {state.epoch} of {config.epochs}: the weights kept are {kept}."
                )
            if self._average is not None:
                self._average.keep()
            best.restore(self.model)
            self.model.eval()
            state.epoch = len(state.history)
            self._notify("fit_end", state)
        validated = ["valid_loss", *config.metrics] if valid is not None else []
        columns = ["epoch", "train_loss", *validated, "learning_rate", "seconds"]
        return pd.DataFrame(state.history, columns=columns).astype(dict.fromkeys(columns, float) | {"epoch": int})

    def train_step(self, batch: TrainingData) -> Tensor:
        """Compute the loss of a batch and leave its gradients in the parameters.

        The loop then clips the gradients to `max_grad_norm` and updates the weights. On a GPU this step is captured as
        a CUDA graph; a step that a subclass overrides is not, because a graph would replay its Python code frozen.

        Parameters
        ----------
        batch : TrainingData
            The rows of the batch, on the device.

        Returns
        -------
        Tensor
            The mean loss, a detached scalar.
        """
        # A model whose gradients have a closed form computes them without autograd.
        closed_form = getattr(self.model, "loss_and_gradients", None)
        if closed_form is not None:
            return closed_form(batch)
        with torch.autocast(self.device.type, torch.bfloat16) if self._uses_bfloat16 else nullcontext():
            output = self._forward(*batch.inputs)
        loss = mean_loss(self.loss, output.float(), batch)
        for parameter in self.model.parameters():
            parameter.grad = None
        loss.backward()
        return loss.detach()

    def validation_step(self, data: TrainingData) -> dict[str, float]:
        """Compute the loss and the metrics of the validation rows after each epoch.

        Parameters
        ----------
        data : TrainingData
            All validation rows, on the device.

        Returns
        -------
        dict of str to float
            "valid_loss", by which the best epoch is chosen, and the metrics of the configuration.
        """
        output = predict(self.model, data.inputs)
        record = {"valid_loss": float(mean_loss(self.loss, output, data))}
        return record | {name: metric(output, data.target) for name, metric in self.config.metrics.items()}

    def make_optimizer(self) -> torch.optim.Optimizer:
        """Make the optimizer of the configuration for the parameters of the model."""
        config = self.config
        rates = config.learning_rate, config.weight_decay, config.momentum, config.lowest_share
        return make_optimizer(self.model, config.optimizer, *rates)

    def make_update(
        self, optimizer: torch.optim.Optimizer, data: TrainingData | StreamedData
    ) -> Callable[[Tensor, Rates], Tensor]:
        """Make the function that updates the weights by one batch.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            The optimizer of the model's parameters.
        data : TrainingData or StreamedData
            All training rows, on the device, or the block of them that is on the device.

        Returns
        -------
        callable
            Takes the positions of the batch in `data` and the learning rate and momentum, and returns the loss.
        """
        config = self.config
        n_multiplications = min(config.batch_size, len(data)) * multiplications_per_row(self.model)
        self._uses_bfloat16 = uses_bfloat16(config.mixed_precision, self.device, n_multiplications)
        self._forward = torch.compile(self.model) if config.compile else self.model
        is_default = type(self).train_step is Trainer.train_step and not isinstance(self.loss, GivenLoss)
        is_default = is_default and not hasattr(self.model, "loss_and_gradients")

        def step(rows: Tensor) -> Tensor:
            return self.train_step(data.take(rows))

        # A graph is bound to the memory of the rows, so rows that are read in blocks cannot be captured.
        is_resident = isinstance(data, TrainingData) and len(data) >= config.batch_size
        if is_default and self.device.type == "cuda" and is_resident and not config.compile:
            step = CapturedStep(step, self.model, config.batch_size, self._generator)  # type: ignore[assignment]

        has_closure = needs_closure(optimizer)

        def update(rows: Tensor, rates: Rates) -> Tensor:
            set_rates(optimizer, rates)
            if has_closure:  # gradients are not clipped, as the line search needs them unchanged
                return optimizer.step(lambda: step(rows))  # type: ignore[arg-type, return-value]
            loss = step(rows)
            if config.max_grad_norm is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
            optimizer.step()
            return loss

        return update

    def _run_epochs(
        self, state: TrainingState, data: TrainingData | StreamedData, valid: TrainingData | None, best: BestEpoch
    ) -> None:
        update, smoothed = self.make_update(state.optimizer, data), SmoothedLoss(self.config.learning_rate)
        config = self.config
        n_steps = config.epochs * len(batch_starts(len(data), config.batch_size))
        with show_progress(config.title, n_steps, config.verbose, lambda: state.step) as progress:
            for epoch in range(self._first_epoch(state, best, smoothed), config.epochs):
                state.epoch = epoch
                record = self._run_epoch(state, update, data, smoothed)
                if valid is not None:
                    with nullcontext() if self._average is None else self._average.in_place():
                        record |= self.validation_step(valid)
                        state.stop |= best.compare(epoch, record["valid_loss"], self.model)
                state.history.append(record)
                if progress.is_shown:
                    progress.add_row(format_record(record, config.units))
                self._notify("epoch_end", state)
                self._end_epoch(state, best, smoothed)
                if state.stop:
                    break

    def _first_epoch(self, *_: Any) -> int:
        return 0  # another trainer may continue an earlier training

    def _end_epoch(self, *_: Any) -> None: ...

    def _run_epoch(self, state: TrainingState, update: Callable, data: Any, smoothed: SmoothedLoss) -> dict:
        """Train on all rows once; returns the record of the epoch."""
        config, started = self.config, time.perf_counter()
        self.model.train()
        self._notify("epoch_start", state)  # after model.train(): a callback may freeze layers by eval()
        n_batches = len(batch_starts(len(data), config.batch_size))
        losses, n_done = torch.empty(n_batches, dtype=torch.float32, device=self.device), 0
        for n_done, batch in enumerate(data.batches(config.batch_size, self._generator), start=1):
            n_steps = config.epochs * n_batches
            rates = scheduled_rates(config.schedule, state.step, n_steps, config.learning_rate, config.momentum)
            losses[n_done - 1] = update(batch, rates)
            if self._average is not None:
                self._average.update()
            state.step += 1
            if config.callbacks:
                self._notify("batch_end", state)
                if state.stop:
                    break
        return {
            "epoch": state.epoch,
            # Losses are read once an epoch, because reading one waits for the GPU.
            "train_loss": smoothed.update(losses[:n_done].tolist(), state.epoch),
            "learning_rate": rates.learning_rate,
            "seconds": time.perf_counter() - started,
        }

    def _notify(self, event: str, state: TrainingState) -> None:
        for callback in self.config.callbacks:
            callback(event, state)

    @contextmanager
    def drawing(self) -> Iterator[torch.Generator | None]:
        """Draw the random numbers of the training from a generator with the seed of the configuration."""
        if self.config.seed is not None:
            self._generator = torch.Generator(self.device).manual_seed(self.config.seed)
        set_generator(self.model, self._generator)
        try:
            yield self._generator
        finally:
            self._generator = None
            set_generator(self.model, None)

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        self.model.to(self.device)
        try:
            yield
        finally:
            self.model.to("cpu")


def predict(model: nn.Module, inputs: tuple[Tensor, ...], n_rows_at_once: int = 8192) -> Tensor:
    """Compute outputs, (n_rows, [n_members,] n_outputs), in evaluation mode and in slices to bound the memory."""
    model.eval()
    with torch.inference_mode():
        starts = range(0, len(inputs[0]), n_rows_at_once)
        parts = [model(*(part[start : start + n_rows_at_once] for part in inputs)) for start in starts]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
