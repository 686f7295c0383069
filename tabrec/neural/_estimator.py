"""What `TabularRegressor` and `TabularClassifier` share: from a raw frame to a trained net, and back."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import sklearn.metrics
import torch
from sklearn.base import BaseEstimator, is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabrec.neural._defaults import default_batch_size, default_epochs
from tabrec.neural._devices import read_device, seeded
from tabrec.neural._inputs import FrameReader, columns_of
from tabrec.neural._losses import Loss
from tabrec.neural._optimizers import OPTIMIZERS, SCHEDULES
from tabrec.neural._training import Plan, Rows, predict, train
from tabrec.neural.embeddings import embedding_size
from tabrec.neural.tabular_model import ACTIVATIONS, NUMERIC_EMBEDDINGS, TabularModel
from tabrec.preprocess._base import check_named, learn_names
from tabrec.preprocess._frames import read_frame
from tabrec.preprocess._raw_frames import RawFrameMixin, take_rows
from tabrec.preprocess._rows import read_weights

# Numbers that a hidden layer of all members may hold at once while predicting.
_MOST_ACTIVATIONS = 2**19

# Copies of models in the precision that predictions are computed in, with the version of the weights they were made of.
_PREDICTORS: weakref.WeakKeyDictionary[nn.Module, tuple[int, nn.Module]] = weakref.WeakKeyDictionary()


@dataclass
class Task:
    """A net and all that its training takes."""

    model: nn.Module
    rows: Rows
    valid: Rows | None
    loss: Loss
    plan: Plan
    seed: int


class TabularEstimator(RawFrameMixin, BaseEstimator):
    """Base of the two estimators; a subclass tells of the target: `_learn_target`, `_to_target`, `_make_loss`."""

    _encoded_for = "net"
    _n_outputs: int
    model_: nn.Module
    history_: pd.DataFrame

    _parameter_constraints: ClassVar[dict] = {
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

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        eval_set: tuple[Any, Any] | None = None,
        eval_sample_weight: Any = None,
    ) -> Self:
        """Train the net.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            A raw pandas, polars or arrow table, or an encoded frame, which is used as it is.
        y : array-like of shape (n_rows,), or of a regression (n_rows, n_outputs)
            Target, without gaps.
        sample_weight : array-like of shape (n_rows,), default=None
            Whole weights are frequencies: a row of weight k counts as k rows, in medians and vocabularies too (up to
            ten times as many rows as there are). Other weights multiply the losses of their rows.
        eval_set : (X, y), default=None
            Rows to validate on, instead of `validation_fraction`.
        eval_sample_weight : array-like, default=None
            Their weights.

        Returns
        -------
        self
        """
        task = self._prepare(X, y, sample_weight, eval_set, eval_sample_weight)
        self._train(task)
        return self

    @property
    def embeddings_(self) -> dict[str, pd.DataFrame]:
        """The vector of every label by category column: frames whose index is the labels, ``"#na#"`` (code 0) first."""
        check_is_fitted(self)
        labels = getattr(self.preprocessor_, "categories_", {})
        frames = {}
        for name, n_codes in self._reader.category_sizes.items():
            vectors = self._embedding_table(name).detach().cpu().numpy()
            index = labels[name] if len(labels.get(name, ())) == n_codes else range(n_codes)
            frames[name] = pd.DataFrame(vectors.copy(), index=pd.Index(list(index), name=name, dtype=object))
        return frames

    def _embedding_table(self, name: str) -> Tensor:
        model: Any = self.model_
        return model.embeddings.weight(name)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        eval_set: tuple[Any, Any] | None = None,
        eval_sample_weight: Any = None,
    ) -> Task:
        """All that comes before training: checks, encoding, the target, the net."""
        self._validate_params()
        device = read_device(self.device)
        frame = read_frame(X)
        y = self._check_fit_target(y, len(frame))
        _check_eval_set(eval_set, self.validation_fraction)
        weighting = read_weights(sample_weight, len(frame))
        rows, weights, held_out = self._hold_out(frame, y, *weighting)
        if len(rows) == 1:
            rows, weights = np.repeat(rows, 2), None  # statistics of a batch take two rows
        goes_on = self.warm_start and hasattr(self, "model_")
        if goes_on:
            encoded, order = self.encode(take_rows(X, frame, rows)), np.arange(len(rows))
        else:
            encoded, order = self._fit_encoding(X, frame, y[rows], rows)
            self._reader = FrameReader(encoded)
            self._learn_target(y, rows)
            learn_names(self, X, frame)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        training = self._to_rows(encoded, y[rows], weights)
        training = training.take(torch.from_numpy(order)) if not goes_on else training
        if not goes_on:
            with seeded(seed, device):
                self.model_ = self._make_model(training)
        valid = None
        if eval_set is not None:
            valid = self._read_eval_set(eval_set, eval_sample_weight)
        elif held_out is not None:
            valid = self._to_rows(self.encode(take_rows(X, frame, held_out[0])), y[held_out[0]], held_out[1])
        return Task(self.model_, training, valid, self._make_loss(), self._make_plan(len(training)), seed)

    def _train(self, task: Task, *, goes_on: bool | None = None) -> None:
        goes_on = self.warm_start and hasattr(self, "history_") if goes_on is None else goes_on
        device = read_device(self.device)
        with seeded(task.seed, device):
            task.model.to(device)
            valid = None if task.valid is None else task.valid.to(device)
            try:
                history = train(task.model, task.rows.to(device), task.loss, task.plan, valid)
            finally:
                task.model.to("cpu")
                _PREDICTORS.pop(task.model, None)
        if goes_on:
            history["epoch"] += len(self.history_)
            history = pd.concat([self.history_, history], ignore_index=True)
        self.history_ = history

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        """One epoch over a chunk, at a constant pace, by what the first chunk taught of columns and target."""
        first = not hasattr(self, "model_")
        if first:
            task = self._prepare(X, y, sample_weight)
        else:
            self._validate_params()
            frame = read_frame(X)
            y = self._check_fit_target(y, len(frame))
            rows, weights = read_weights(sample_weight, len(frame))
            training = self._to_rows(self.encode(take_rows(X, frame, rows)), y[rows], weights)
            seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max)) + len(self.history_)
            task = Task(self.model_, training, None, self._make_loss(), self._make_plan(len(training)), seed)
        task.plan = replace(task.plan, epochs=1, schedule="constant")
        self._train(task, goes_on=not first)
        return self

    def _hold_out(
        self, frame: pd.DataFrame, y: np.ndarray, rows: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, tuple[np.ndarray, np.ndarray | None] | None]:
        """Rows to train on with their weights, and those to validate on; copies of a row stay together."""
        how = self.validation_fraction
        if how is None:
            return rows, weights, None
        positions = np.unique(rows)
        if isinstance(how, (float, np.floating)):
            seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
            counts = np.unique(y[positions], return_counts=True)[1] if is_classifier(self) else [0]
            stratify = y[positions] if min(counts) > 1 and len(counts) <= how * len(positions) else None
            kept, held_out = train_test_split(positions, test_size=how, random_state=seed, stratify=stratify)
        else:
            *_, (kept, held_out) = how.split(frame.iloc[positions], y[positions])
            kept, held_out = positions[kept], positions[held_out]
        if not len(kept) or not len(held_out):
            raise ValueError(
                f"validation_fraction={how} leaves {len(kept)} rows to train and {len(held_out)} to validate."
            )
        is_kept, is_held = np.isin(rows, kept), np.isin(rows, held_out)
        chosen = None if weights is None else weights[is_held]
        return rows[is_kept], None if weights is None else weights[is_kept], (rows[is_held], chosen)

    def _read_eval_set(self, eval_set: tuple[Any, Any], sample_weight: Any) -> Rows:
        X, y = eval_set
        frame = read_frame(X)
        y = self._check_fit_target(y, len(frame))
        rows, weights = read_weights(sample_weight, len(frame))
        return self._to_rows(self.encode(take_rows(X, frame, rows)), y[rows], weights)

    def _to_rows(self, encoded: pd.DataFrame, y: np.ndarray, weights: np.ndarray | None) -> Rows:
        weights = self._weigh(y, weights)
        weight = None if weights is None else torch.from_numpy((weights / weights.mean()).astype(np.float32))
        return Rows(self._reader.read(columns_of(encoded)), self._to_target(y), weight)

    def _weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Weights of rows, where a target's value has a say."""
        return weights

    def _make_model(self, training: Rows) -> nn.Module:
        numbers = training.inputs[1]
        is_piecewise = self.numeric_embedding == "piecewise"
        return TabularModel(
            self._reader.category_sizes,
            numbers.shape[1],
            self._n_outputs,
            layers=tuple(int(width) for width in self.layers),
            embedding_sizes=self._embedding_sizes(),
            activation=self.activation,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            embedding_std=self.embedding_std,
            embedding_dropout=self.embedding_dropout,
            unknown_rate=self.unknown_rate,
            numeric_embedding=self.numeric_embedding,
            numeric_embedding_size=self.numeric_embedding_size,
            bin_edges=self._reader.bin_edges(numbers, self.n_bins) if is_piecewise else None,
            n_members=self.n_members,
            y_range=self._model_range(),
        )

    def _embedding_sizes(self) -> dict[str, int]:
        """Widths by column: those told, and for the others the rule, up to the most allowed."""
        told = dict(self.embedding_sizes or {})
        check_named("embedding_sizes", told, self._reader.category_sizes)
        most = self.max_embedding_size or math.inf
        by_rule = {name: int(min(embedding_size(n), most)) for name, n in self._reader.category_sizes.items()}
        return by_rule | told

    def _model_range(self) -> tuple[Any, Any] | None:
        """Bounds of the net's outputs."""
        return None

    def _make_plan(self, n_rows: int) -> Plan:
        batch_size = default_batch_size(n_rows) if self.batch_size == "auto" else int(self.batch_size)
        return Plan(
            epochs=default_epochs(n_rows, batch_size) if self.epochs == "auto" else int(self.epochs),
            batch_size=batch_size,
            learning_rate=float(self.learning_rate),
            weight_decay=float(self.weight_decay),
            optimizer=self.optimizer,
            momentum=float(self.momentum),
            schedule=self.schedule,
            max_grad_norm=self.max_grad_norm,
            patience=self.patience,
            mixed_precision=self.mixed_precision,
            compile=self.compile,
            callbacks=tuple(self.callbacks),
            metrics=self._read_metrics(),
            verbose=int(self.verbose),
        )

    def _read_metrics(self) -> dict[str, Callable[[Tensor, Tensor], float]]:
        """Metrics by name, of the net's outputs and targets."""

        def apply(metric: Callable) -> Callable[[Tensor, Tensor], float]:
            return lambda output, target: float(metric(self._from_target(target), self._to_prediction(output)))

        found = {}
        for metric in self.metrics:
            function = getattr(sklearn.metrics, metric, None) if isinstance(metric, str) else metric
            if not callable(function):
                raise ValueError(f"metrics names {metric!r}, which is no function of sklearn.metrics.")
            found[getattr(function, "__name__", repr(function))] = apply(function)
        return found

    def _outputs(self, X: Any) -> Tensor:
        """The net's outputs for raw rows: (n_rows, [n_members,] n_outputs)."""
        check_is_fitted(self)
        codes, numbers = self._reader.read(self._encode_columns(X))
        device = read_device(self.device)
        model = _predictor(self.model_, device)
        if device.type == "cpu":
            numbers = numbers.double()
        at_once = max(16, _MOST_ACTIVATIONS // (max([*self.layers, 1]) * (self.n_members or 1)))
        return predict(model, (codes.to(device), numbers.to(device)), at_once).cpu()

    # What a subclass tells of the target.

    def _learn_target(self, y: np.ndarray, rows: np.ndarray) -> None:
        raise NotImplementedError

    def _to_target(self, y: np.ndarray) -> Tensor:
        raise NotImplementedError

    def _from_target(self, target: Tensor) -> np.ndarray:
        raise NotImplementedError

    def _to_prediction(self, output: Tensor) -> np.ndarray:
        raise NotImplementedError

    def _make_loss(self) -> Loss:
        raise NotImplementedError


def _predictor(model: nn.Module, device: torch.device) -> nn.Module:
    """The model as predictions are computed with it: on a CPU in float64, so that no row depends on its batch."""
    version = hash((device, *(p._version for p in model.parameters()), *(b._version for b in model.buffers())))
    if model not in _PREDICTORS or _PREDICTORS[model][0] != version:
        made = copy.deepcopy(model).to(device).eval().requires_grad_(False)
        _PREDICTORS[model] = version, made.double() if device.type == "cpu" else made
    return _PREDICTORS[model][1]


def _check_eval_set(eval_set: Any, validation_fraction: Any) -> None:
    if eval_set is None:
        return
    if not (isinstance(eval_set, (tuple, list)) and len(eval_set) == 2):
        raise ValueError("eval_set must be a pair (X, y).")
    if validation_fraction is not None:
        raise ValueError("Give either eval_set or validation_fraction, not both.")


def check_layers(layers: Sequence[int]) -> None:
    odd = [width for width in layers if not (isinstance(width, (int, np.integer)) and width > 0)]
    if odd or not len(layers):
        raise ValueError(f"layers={layers!r} must be widths of at least one layer, such as (200, 100).")


def common_parameters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that both estimators have, out of a constructor's arguments."""
    return {name: arguments[name] for name in TabularEstimator._parameter_constraints}
