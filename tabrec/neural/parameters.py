"""The parameters that `TabularRegressor` and `TabularClassifier` have in common, and their checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from tabrec.neural._optimizers import OPTIMIZERS, SCHEDULES
from tabrec.neural.tabular_model import ACTIVATIONS, NUMERIC_EMBEDDINGS


class NetParameters(BaseEstimator):
    """Holds the parameters; a subclass adds those of its target."""

    _parameter_constraints: ClassVar[dict] = {
        "module": [callable, None],
        "layers": ["array-like"],
        "n_members": [Interval(Integral, 1, None, closed="left"), None],
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
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "schedule": [StrOptions(set(SCHEDULES))],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), HasMethods("split"), None],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
        "metrics": ["array-like"],
        "callbacks": ["array-like"],
        "device": [str, torch.device],
        "mixed_precision": ["boolean", StrOptions({"auto"})],
        "compile": ["boolean"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "categorical_features": ["array-like", None],
        "preprocessor": [HasMethods(["fit", "transform"]), None],
    }

    def __init__(
        self,
        *,
        module: Callable | None,
        layers: Sequence[int],
        n_members: int | None,
        activation: str,
        batch_norm: bool,
        dropout: float | Sequence[float],
        embedding_sizes: Mapping[str, int] | None,
        max_embedding_size: int | None,
        embedding_std: float,
        embedding_dropout: float,
        unknown_rate: float,
        numeric_embedding: str | None,
        numeric_embedding_size: int,
        n_bins: int,
        epochs: int | str,
        batch_size: int | str,
        learning_rate: float,
        weight_decay: float,
        optimizer: str | Callable,
        momentum: float,
        schedule: str,
        max_grad_norm: float | None,
        validation_fraction: Any,
        patience: int | None,
        metrics: Sequence,
        callbacks: Sequence[Callable],
        device: Any,
        mixed_precision: bool | str,
        compile: bool,
        warm_start: bool,
        verbose: int,
        random_state: Any,
        categorical_features: Sequence | None,
        preprocessor: Any,
    ):
        self.module = module
        self.layers = layers
        self.n_members = n_members
        self.activation = activation
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.embedding_sizes = embedding_sizes
        self.max_embedding_size = max_embedding_size
        self.embedding_std = embedding_std
        self.embedding_dropout = embedding_dropout
        self.unknown_rate = unknown_rate
        self.numeric_embedding = numeric_embedding
        self.numeric_embedding_size = numeric_embedding_size
        self.n_bins = n_bins
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.momentum = momentum
        self.schedule = schedule
        self.max_grad_norm = max_grad_norm
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.metrics = metrics
        self.callbacks = callbacks
        self.device = device
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.categorical_features = categorical_features
        self.preprocessor = preprocessor

    def _check_parameters(self) -> None:
        """Refuse by name what means nothing."""
        self._validate_params()
        odd = [width for width in self.layers if not (isinstance(width, (int, np.integer)) and width > 0)]
        if odd or not len(self.layers):
            raise ValueError(f"layers={self.layers!r} must be widths of at least one layer, such as (200, 100).")
        if not all(0 <= rate < 1 for rate in np.atleast_1d(self.dropout)):
            raise ValueError(f"dropout={self.dropout!r} must be rates of at least 0 and less than 1.")
        if isinstance(self.validation_fraction, str):
            raise ValueError(
                f"validation_fraction={self.validation_fraction!r} must be a share between 0 and 1, a splitter or None."
            )
        if not all(callable(callback) for callback in self.callbacks):
            raise ValueError(f"callbacks={self.callbacks!r} must be functions of an event and a state.")
        if self.batch_norm and self.batch_size == 1:
            raise ValueError("batch_size=1 leaves batch_norm=True nothing to norm by: make it 2 or more.")


def common_parameters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that both estimators have, out of a constructor's arguments."""
    return {name: arguments[name] for name in NetParameters._parameter_constraints}
