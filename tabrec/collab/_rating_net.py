"""What the two recommenders that are nets share: parameters, and their way through the one training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

from tabrec.collab._base import Recommender
from tabrec.neural.devices import read_device, seeded
from tabrec.neural.inputs import TargetScaler
from tabrec.neural.losses import regression_loss
from tabrec.neural.parameters import NetParameters
from tabrec.neural.ranges import read_range
from tabrec.neural.training import Trainer, TrainingConfig
from tabrec.neural.training_data import TrainingData

_SHARED = (
    "epochs",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "optimizer",
    "schedule",
    "patience",
    "callbacks",
    "device",
    "verbose",
    "random_state",
)
# Up to so many distinct ratings are taken for steps of a scale.
_MOST_STEPS = 100
# The learning rate of `partial_fit`, as a share of that of `fit`.
_SHARE_OF_MORE = 0.1


class RatingNet(Recommender):
    """Base of the recommenders that are nets; a subclass says what the net is, and what it is shown."""

    _parameter_constraints: ClassVar[dict] = {
        **Recommender._parameter_constraints,
        **{name: NetParameters._parameter_constraints[name] for name in _SHARED},
        "y_range": ["array-like", StrOptions({"auto"}), None],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
    }
    y_range: Any
    epochs: int
    batch_size: int | str
    learning_rate: float
    weight_decay: float
    optimizer: str | Callable
    schedule: str
    validation_fraction: float | None
    patience: int | None
    callbacks: Sequence[Callable]
    device: Any
    verbose: int
    random_state: Any
    model_: nn.Module
    history_: pd.DataFrame
    _seed: int
    _least_batch_size: int = 64
    target_scaler_: TargetScaler

    def _check_parameters(self) -> None:
        super()._check_parameters()
        read_device(self.device)
        if self.patience is not None and self.validation_fraction is None:
            raise ValueError(f"patience={self.patience} needs ratings to validate on: set validation_fraction.")

    def _check_values(self, values: np.ndarray) -> None:
        if self._bounds is None:
            return
        low, high = self._bounds
        outside = values[(values < low) | (values > high)]
        if len(outside):
            raise ValueError(
                f"The rating {outside[0]:g} lies outside ({low:g}, {high:g}), the range of the model in fit."
            )

    def _learn_scale(self) -> None:
        """Learn what brings ratings to mean 0 and standard deviation 1, and within which bounds they lie."""
        values = self._ratings.values
        bounds = read_range(self.y_range, values, half_step)
        self._bounds = None if bounds is None else (float(bounds[0]), float(bounds[1]))
        self.target_scaler_ = TargetScaler(values[:, None])

    def _scaled_range(self) -> tuple[float, float] | None:
        if self._bounds is None:
            return None
        low, high = (float(self.target_scaler_.scale(bound)[0]) for bound in self._bounds)
        return low, high

    def _train(
        self, rows: TrainingData, seed: int, plan: TrainingConfig, valid: TrainingData | None = None
    ) -> pd.DataFrame:
        device = read_device(self.device)
        with seeded(seed, device):
            return Trainer(self.model_, regression_loss("mse"), plan, device).fit(rows, valid)

    def _make_plan_of_more(self, n_rows: int, **changes: Any) -> TrainingConfig:
        """One epoch at an even pace, short of breath: what has been learned is not to be overrun."""
        learning_rate = float(self.learning_rate) * _SHARE_OF_MORE
        return self._make_plan(n_rows, epochs=1, schedule="constant", learning_rate=learning_rate, **changes)

    def _make_plan(self, n_rows: int, **changes: Any) -> TrainingConfig:
        options = {
            "epochs": int(self.epochs),
            "batch_size": default_batch_size(n_rows, self._least_batch_size)
            if self.batch_size == "auto"
            else int(self.batch_size),
            "learning_rate": float(self.learning_rate),
            "weight_decay": float(self.weight_decay),
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "patience": self.patience,
            "callbacks": tuple(self.callbacks),
            "verbose": int(self.verbose),
        }
        return TrainingConfig(**(options | changes))

    def _draw_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _make_rows(self, inputs: tuple[Tensor, ...], values: np.ndarray, weights: np.ndarray | None) -> TrainingData:
        target = torch.from_numpy(self.target_scaler_.scale(values[:, None]).astype(np.float32))
        rows = TrainingData(inputs, target, None if weights is None else torch.from_numpy(weights.astype(np.float32)))
        return rows.take(torch.tensor([0, 0])) if len(rows) == 1 else rows  # statistics of a batch take two rows

    def _draw_validation(self) -> np.ndarray | None:
        """Which ratings to validate on: those of a pair stay together, and every id keeps some to be trained by."""
        if self.validation_fraction is None:
            return None
        ratings = self._ratings
        is_next = (np.diff(ratings.users, prepend=-1) != 0) | (np.diff(ratings.items, prepend=-1) != 0)
        users, items = ratings.users[is_next], ratings.items[is_next]
        order = np.random.default_rng(self._seed).permutation(len(users))
        kept = np.concatenate([np.unique(side[order], return_index=True)[1] for side in (users, items)])
        free = np.delete(order, kept)[: round(len(users) * self.validation_fraction)]
        if not len(free):
            raise ValueError(
                f"validation_fraction={self.validation_fraction} of {len(ratings)} ratings leaves none to validate: "
                "every user and item keeps one to be trained by."
            )
        return np.isin(np.cumsum(is_next) - 1, free)

    def _train_held_out(self, rows: TrainingData, is_valid: np.ndarray | None) -> pd.DataFrame:
        """Train on the rows that are not to validate."""
        valid = None
        if is_valid is not None:
            rows, valid = (rows.take(torch.from_numpy(np.flatnonzero(some))) for some in (~is_valid, is_valid))
        return self._train(rows, self._seed, self._make_plan(len(rows)), valid)


def half_step(values: np.ndarray) -> float:
    """Half the step between ratings: how far beyond those seen a prediction may lie.

    Examples
    --------
    >>> import numpy as np
    >>> half_step(np.array([1.0, 5.0, 4.0, 2.0])), half_step(np.array([0.5, 4.0, 1.0]))
    (0.5, 0.25)
    """
    levels = np.unique(values)
    if len(levels) == 1:
        return 1.0
    return float(np.diff(levels).min() / 2 if len(levels) <= _MOST_STEPS else (levels[-1] - levels[0]) / 20)


def default_batch_size(n_ratings: int, least: int) -> int:
    """Ratings a batch: a power of two with which an epoch has about 1,250 batches, but not fewer than `least`.

    Examples
    --------
    >>> [default_batch_size(n, 64) for n in (1_000, 80_000, 1_000_000, 25_000_000)]
    [64, 64, 1024, 16384]
    """
    return max(least, 2 ** round(math.log2(max(n_ratings, 1) / 1250)))
