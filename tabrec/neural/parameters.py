"""`NetParameters`: the parameters of `TabularRegressor` and `TabularClassifier`, their validation and defaults."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from tabrec.neural.optimizers import OPTIMIZERS, SCHEDULES
from tabrec.neural.tabular_model import ACTIVATIONS, NUMERIC_EMBEDDINGS
from tabrec.tables.verbosity import VERBOSE

# Maximum of the learning rate of "one_cycle" and other schedules, and of "averaged".
_RATE, _AVERAGED_RATE = 2e-3, 1e-2
# Default number of members of a single net.
_N_MEMBERS = 8
# Largest numbers of batches and epochs of nets that are stopped by validation.
_MOST_BATCHES, _MOST_EPOCHS = 3000, 100

# Parameters of the model and of the scale of its target, which a warm start cannot change.
MODEL_PARAMETERS = (
    "module",
    "layers",
    "n_nets",
    "n_members",
    "activation",
    "batch_norm",
    "dropout",
    "embedding_sizes",
    "max_embedding_size",
    "embedding_dropout",
    "unknown_rate",
    "numeric_embedding",
    "numeric_embedding_size",
    "n_bins",
    "quantiles",
    "y_range",
)


class NetParameters(BaseEstimator):
    """Base class that declares and validates the parameters; each subclass assigns them and adds its own."""

    n_nets_: int

    _parameter_constraints: ClassVar[dict] = {
        "module": [callable, None],
        "layers": ["array-like"],
        "n_nets": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_members": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "batch_norm": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "embedding_sizes": [dict, None],
        "max_embedding_size": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_std": [Interval(Real, 0, None, closed="left")],
        "embedding_dropout": [Interval(Real, 0, 1, closed="left")],
        "unknown_rate": [Interval(Real, 0, 1, closed="left")],
        "numeric_embedding": [StrOptions(set(NUMERIC_EMBEDDINGS)), None],
        "numeric_embedding_size": [Interval(Integral, 1, None, closed="left")],
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), "array-like", StrOptions({"auto"})],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "schedule": [StrOptions({"auto", *SCHEDULES})],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), HasMethods("split"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "metrics": ["array-like"],
        "callbacks": ["array-like"],
        "trainer": [callable, None],
        "device": [str, torch.device],
        "mixed_precision": ["boolean", StrOptions({"auto"})],
        "compile": ["boolean"],
        "warm_start": ["boolean"],
        "verbose": VERBOSE,
        "random_state": ["random_state"],
        "categorical_features": ["array-like", None],
        "preprocessor": [HasMethods(["fit", "transform"]), None],
    }

    def _check_parameters(self) -> None:
        """Validate the parameters, and the elements of those that are sequences."""
        self._validate_params()
        check_layers(self.layers)
        if self.learning_rate != "auto":
            read_learning_rate(self.learning_rate)
        if not all(0 <= rate < 1 for rate in np.atleast_1d(self.dropout)):
            raise ValueError(f"dropout={self.dropout!r} must hold rates in the range [0, 1).")
        if isinstance(self.validation_fraction, str):
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} must be a float between 0 and 1, a splitter or None."
            )
        if not all(callable(callback) for callback in self.callbacks):
            raise ValueError(f"callbacks={self.callbacks!r} must hold functions of an event and a state.")
        for name in ("module", "validation_fraction"):
            if getattr(self, name) is not None:
                self._check_one_net(name)
        if self.batch_norm and self.batch_size == 1:
            raise ValueError("batch_norm=True needs batches of at least two rows; got batch_size=1.")

    def _check_one_net(self, name: str) -> None:
        """Raise a ValueError if several nets are asked for beside a parameter of a single one."""
        if self.n_nets not in (1, "auto"):
            raise ValueError(f"{name} is for a single net, but n_nets={self.n_nets}: leave one of them out.")

    def _count_nets(self, n_rows: int) -> int:
        return 1 if self._is_one_net() else default_n_nets(n_rows) if self.n_nets == "auto" else self.n_nets

    def _is_one_net(self) -> bool:
        """Return whether one net is trained whatever the rows, because some parameters apply only to a single net."""
        if self.n_nets != "auto":
            return self.n_nets == 1
        given = (self.module, self.trainer, *self.callbacks)
        return self.epochs != "auto" or self.warm_start or self.compile or any(part is not None for part in given)

    def _n_members(self) -> int | None:
        if self.n_members != "auto":
            return self.n_members
        return _N_MEMBERS if self.n_nets_ == 1 else None

    # Several nets are stopped by validation, so their number of epochs is not known in advance and the defaults differ.

    def _schedule(self, n_nets: int) -> str:
        if self.schedule != "auto":
            return self.schedule
        return "averaged" if n_nets > 1 else "one_cycle"

    def _learning_rate(self, schedule: str) -> Any:
        if self.learning_rate != "auto":
            return self.learning_rate
        return _AVERAGED_RATE if schedule == "averaged" else _RATE

    def _patience(self, n_rows: int, batch_size: int, n_nets: int) -> int | None:
        if n_nets == 1 or self.patience is not None:
            return self.patience
        return min(12, max(4, round(300 / math.ceil(n_rows / batch_size))))

    def _n_epochs(self, n_rows: int, batch_size: int, n_nets: int) -> int:
        if self.epochs != "auto":
            return int(self.epochs)
        if n_nets == 1:
            return default_epochs(n_rows, batch_size)
        return min(_MOST_EPOCHS, max(8, round(_MOST_BATCHES / math.ceil(n_rows / batch_size))))


def check_layers(layers: Any) -> None:
    """Raise a ValueError for widths that are not positive integers; no width at all makes a linear net."""
    if not all(isinstance(width, (int, np.integer)) and width > 0 for width in layers):
        raise ValueError(f"layers={layers!r} must be a sequence of positive integers, such as (200, 100), or empty.")


def read_learning_rate(learning_rate: Any) -> tuple[float, float]:
    """Return the learning rate of the last layer, and that of the first one as a share of it."""
    rates = np.atleast_1d(np.asarray(learning_rate, dtype=object)).tolist()
    are_positive = all(isinstance(rate, Real) and 0 < float(rate) < np.inf for rate in rates)
    if len(rates) not in (1, 2) or not are_positive:
        raise ValueError(
            f"learning_rate={learning_rate!r} must be a positive number, or a pair of them for the first and the last "
            "layer, such as (1e-4, 1e-3)."
        )
    if rates[0] > rates[-1]:
        raise ValueError(f"learning_rate={learning_rate!r} must ascend from the first layer to the last one.")
    return float(rates[-1]), float(rates[0] / rates[-1])


def default_n_nets(n_rows: int) -> int:
    """Return the number of nets by the number of distinct rows: one if all rows are needed to train, two for many."""
    if n_rows < 50:
        return 1
    return 4 if n_rows <= 50_000 else 2


def default_batch_size(n_rows: int) -> int:
    """Return a power of two near n_rows / 32, within 32 and 256, or near n_rows / 256 up to 2048 if larger."""
    small = min(max(2 ** round(math.log2(max(n_rows, 1) / 32)), 32), 256)
    return max(small, min(2 ** round(math.log2(max(n_rows, 1) / 256)), 2048))


def default_epochs(n_rows: int, batch_size: int) -> int:
    """Return the number of epochs, between 16 and 40, that gives about 1,000 batches."""
    return min(40, max(16, round(1000 / math.ceil(n_rows / batch_size))))
