"""`TabularEstimator`: the base of `TabularRegressor` and `TabularClassifier`."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import is_classifier
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabrec.neural.devices import default_settings, read_device
from tabrec.neural.draws import OwnDraws
from tabrec.neural.embeddings import embedding_size
from tabrec.neural.inputs import FrameReader, columns_of
from tabrec.neural.losses import Loss, LossUnits
from tabrec.neural.metrics import read_metrics
from tabrec.neural.net_ensemble import NetEnsemble, equal_rows
from tabrec.neural.parameters import MODEL_PARAMETERS, NetParameters, default_batch_size, read_learning_rate
from tabrec.neural.prediction import predict_held_out, predict_outputs
from tabrec.neural.tabular_model import TabularModel, make_given_model
from tabrec.neural.training import Trainer, TrainingConfig
from tabrec.neural.training_data import TrainingData
from tabrec.neural.training_task import TrainingTask
from tabrec.preprocess.raw_frames import RawFrameMixin
from tabrec.tables.columns import read_frame
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.folds import split_into_folds
from tabrec.tables.names import check_named, learn_names
from tabrec.tables.progress import quiet_if_auto
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.rows import take_rows
from tabrec.tables.weights import Weighting, read_weights


class TabularEstimator(RawFrameMixin, NetParameters, ABC):
    """Base class of the two estimators; a subclass defines the target, see the methods at the end."""

    _purpose = "net"
    _kept_names = (*RawFrameMixin._kept_names, *MODEL_PARAMETERS)
    _n_outputs: int
    model_: nn.Module
    history_: pd.DataFrame

    @restores_on_failure
    @default_settings()
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
        y : array-like of shape (n_rows,), or (n_rows, n_outputs) for regression
            Target values, without missing ones.
        sample_weight : array-like of shape (n_rows,), default=None
            Integer weights are frequencies: a row of weight k counts as k rows, in medians and vocabularies too (up to
            ten times as many rows as there are). Other weights multiply the losses of their rows.
        eval_set : tuple of (X, y), default=None
            Rows to validate on, instead of `validation_fraction`.
        eval_sample_weight : array-like, default=None
            Weights of the rows of `eval_set`.

        Returns
        -------
        self
            The fitted estimator. A fit that fails leaves it as it was.
        """
        warm_start = self.warm_start and hasattr(self, "model_")
        tasks = self._prepare(X, y, sample_weight, eval_set, eval_sample_weight, warm_start=warm_start)
        self._train(tasks, warm_start)
        self.oof_prediction_ = predict_held_out(tasks[: self.n_nets_], self._to_values, self._width())
        return self

    @property
    def embeddings_(self) -> dict[str, pd.DataFrame]:
        """The learned vectors of each category column: a frame with one row per label, ``"#na#"`` (code 0) first."""
        check_is_fitted(self)
        if self.module is not None:
            raise AttributeError("embeddings_ is available for TabularModel only, not with module=; see model_.net.")
        labels = getattr(self.preprocessor_, "categories_", {})
        frames = {}
        for name, n_codes in self._reader.category_sizes.items():
            vectors = self._embedding_table(name).detach().cpu().numpy()
            index = labels[name] if len(labels.get(name, ())) == n_codes else range(n_codes)
            frames[name] = pd.DataFrame(vectors.copy(), index=pd.Index(list(index), name=name, dtype=object))
        return frames

    def _embedding_table(self, name: str) -> Tensor:
        model: Any = self.model_
        return model.embedding_table(name)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def make_training_task(self, X: Any, y: Any, sample_weight: Any = None) -> TrainingTask:
        """Make the net, the data and the trainer of `fit` without training; this changes the estimator.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Training rows.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, as in `fit`.

        Returns
        -------
        TrainingTask
            The trainer, with the net, and the data.
        """
        return self._prepare(X, y, sample_weight, n_nets=1)[0]

    def _prepare(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        eval_set: tuple[Any, Any] | None = None,
        eval_sample_weight: Any = None,
        *,
        known_y: np.ndarray | None = None,
        warm_start: bool = False,
        is_partial: bool = False,
        n_nets: int | None = None,
    ) -> list[TrainingTask]:
        """Validate and encode the rows, learn the target and make the nets and their training tasks."""
        self._check_parameters()
        device = read_device(self.device)
        check_row_labels(X, y=y, sample_weight=sample_weight)
        X = self._check_kept(X) if warm_start else X
        frame = read_frame(X)
        y = self._check_fit_target(y, len(frame))
        self._check_eval_set(eval_set, eval_sample_weight, is_partial)
        weighting = read_weights(sample_weight, len(frame))
        rows, weights, held_out = (*weighting, None) if is_partial else self._hold_out(frame, y, *weighting)
        if len(rows) == 1:
            rows, weights = np.repeat(rows, 2), None  # batch statistics need two rows
        encoded, order = self._fit_encoding(X, frame, y[rows], Weighting(rows, weights), is_warm=warm_start)
        if not warm_start:
            self._reader = FrameReader(encoded)
            self._learn_target(y[rows], y[weighting.rows] if known_y is None else known_y)
            learn_names(self, X, frame)
        data = self._to_data(encoded, y[rows], weights).take(torch.from_numpy(order))
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        parts: list[tuple[TrainingData, TrainingData | None]] = [(data, None)]
        positions: list[np.ndarray | None] = [None]
        if warm_start:
            # A copy is trained, so that the model of the last fit stays intact if this one fails.
            self.model_, seed = copy.deepcopy(self.model_), seed + len(self.history_)
            nets = [self.model_]
        else:
            is_single = is_partial or eval_set is not None or held_out is not None or n_nets == 1
            folds = [] if is_single else self._split_for_nets(data, seed)
            if folds:
                parts = [(data.take(torch.from_numpy(kept)), data.take(torch.from_numpy(held))) for kept, held in folds]
                positions = [rows[order[held]] for _, held in folds]
            self.n_nets_ = len(parts)
            nets = [self._draw_model(data, seed + place) for place in range(len(parts))]
            self.model_ = nets[0] if len(nets) == 1 else NetEnsemble.of(nets)
        if eval_set is not None:
            parts = [(data, self._read_eval_set(eval_set, eval_sample_weight))]
        elif held_out is not None:
            encoded = self.encode(take_rows(X, held_out[0], frame))
            parts = [(data, self._to_data(encoded, y[held_out[0]], held_out[1]))]
        trainer, loss, tasks = self.trainer or Trainer, self._make_loss(), []
        for place, (net, part, held) in enumerate(zip(nets, parts, positions, strict=True)):
            config = self._make_config(len(part[0]), seed + place, len(nets), is_partial)
            if len(nets) > 1:
                config = replace(config, title=f"Training net {place + 1} of {len(nets)}")
            tasks.append(TrainingTask(trainer(net, loss, config, device), *part, seed + place, held, len(frame)))
        return tasks

    def _split_for_nets(self, data: TrainingData, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return training and validation rows of each of several nets; none if one net is trained on all rows."""
        groups = equal_rows(data)
        n_nets = min(self._count_nets(len(data)), int(groups[-1]) + 1)
        return split_into_folds(groups, n_nets, seed) if n_nets > 1 else []

    def _draw_model(self, data: TrainingData, seed: int) -> nn.Module:
        with OwnDraws(seed):
            return self._make_model(data)

    def _train(self, tasks: list[TrainingTask], warm_start: bool) -> None:
        histories = []
        for place, task in enumerate(tasks):
            histories.append(task.run())
            if len(tasks) > 1:
                histories[-1].insert(0, "net", place)
            if task.trainer.was_interrupted and len(tasks) > 1:
                self.n_nets_ = place + 1
                self.model_ = NetEnsemble.of([done.trainer.model for done in tasks[: self.n_nets_]])
                break
        history = pd.concat(histories, ignore_index=True) if len(histories) > 1 else histories[0]
        if warm_start:
            history["epoch"] += max(self.history_["epoch"], default=-1) + 1
            history = pd.concat([self.history_, history], ignore_index=True)
        self.history_ = history

    @restores_on_failure
    @default_settings()
    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, known_y: np.ndarray | None = None) -> Self:
        """Train one epoch on a chunk; its encoding and the scale of its target are those of the first chunk."""
        warm_start = hasattr(self, "model_")
        prepared = self._prepare(X, y, sample_weight, known_y=known_y, warm_start=warm_start, is_partial=True)
        self._train(prepared, warm_start)
        return self

    def _check_eval_set(self, eval_set: Any, eval_sample_weight: Any, is_partial: bool) -> None:
        if eval_set is None:
            if eval_sample_weight is not None:
                raise ValueError("eval_sample_weight is given without eval_set.")
            never_stops = self.patience is not None and self.validation_fraction is None and self._is_one_net()
            if never_stops and not is_partial:
                raise ValueError(f"patience={self.patience} needs validation_fraction, eval_set or several n_nets.")
            return
        if not (isinstance(eval_set, (tuple, list)) and len(eval_set) == 2):
            raise ValueError("eval_set must be a pair (X, y).")
        if self.validation_fraction is not None:
            raise ValueError("Give either eval_set or validation_fraction, not both.")
        self._check_one_net("eval_set")

    def _hold_out(
        self, frame: pd.DataFrame, y: np.ndarray, rows: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None, tuple[np.ndarray, np.ndarray | None] | None]:
        """Return training rows with their weights, and validation rows with theirs; copies of a row stay together."""
        split = self.validation_fraction
        if split is None:
            return rows, weights, None
        positions = np.unique(rows)
        if isinstance(split, (float, np.floating)):
            seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
            counts = np.unique(y[positions], return_counts=True)[1] if is_classifier(self) else [0]
            stratify = y[positions] if min(counts) > 1 and len(counts) <= split * len(positions) else None
            kept, held_out = train_test_split(positions, test_size=split, random_state=seed, stratify=stratify)
        else:
            *_, (kept, held_out) = split.split(frame.iloc[positions], y[positions])
            kept, held_out = positions[kept], positions[held_out]
        if not len(kept) or not len(held_out):
            raise ValueError(
                f"validation_fraction={split} leaves {len(kept)} training and {len(held_out)} validation rows."
            )
        is_kept, is_held = np.isin(rows, kept), np.isin(rows, held_out)
        chosen = None if weights is None else weights[is_held]
        return rows[is_kept], None if weights is None else weights[is_kept], (rows[is_held], chosen)

    def _read_eval_set(self, eval_set: tuple[Any, Any], sample_weight: Any) -> TrainingData:
        X, y = eval_set
        check_row_labels(X, y=y, eval_sample_weight=sample_weight)
        frame = read_frame(X)
        y = self._check_fit_target(y, len(frame))
        rows, weights = read_weights(sample_weight, len(frame))
        return self._to_data(self.encode(take_rows(X, rows, frame)), y[rows], weights)

    def _to_data(self, encoded: pd.DataFrame, y: np.ndarray, weights: np.ndarray | None) -> TrainingData:
        weights = self._weigh(y, weights)
        weight = None if weights is None else torch.from_numpy((weights / weights.mean()).astype(np.float32))
        return TrainingData(self._reader.read(columns_of(encoded)), self._to_target(y), weight)

    def _weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Return the weights of the rows, which may depend on the target."""
        return weights

    def _make_model(self, data: TrainingData) -> nn.Module:
        if self.module is not None:
            sizes, bounds = self._reader.category_sizes, self._model_range()
            return make_given_model(self.module, sizes, data.inputs, self._n_outputs, self.unknown_rate, bounds)
        numbers = data.inputs[1]
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
            n_members=self._n_members(),
            y_range=self._model_range(),
        )

    def _embedding_sizes(self) -> dict[str, int]:
        """Return the widths by column, as given or else by the default rule up to `max_embedding_size`."""
        given = dict(self.embedding_sizes or {})
        check_named("embedding_sizes", given, self._reader.category_sizes)
        largest = self.max_embedding_size or math.inf
        by_rule = {name: int(min(embedding_size(n), largest)) for name, n in self._reader.category_sizes.items()}
        return by_rule | given

    def _model_range(self) -> tuple[Any, Any] | None:
        """Return the lower and upper bounds of the outputs in the scale of the net."""
        return None

    def _make_config(self, n_rows: int, seed: int, n_nets: int, is_partial: bool) -> TrainingConfig:
        batch_size = default_batch_size(n_rows) if self.batch_size == "auto" else int(self.batch_size)
        schedule = self._schedule(n_nets)
        learning_rate, lowest_share = read_learning_rate(self._learning_rate(schedule))
        # A given module or trainer, or a compiled net, draws from torch's global generators.
        draws_globally = self.module is not None or self.trainer is not None or self.compile
        config = TrainingConfig(
            epochs=self._n_epochs(n_rows, batch_size, n_nets),
            batch_size=batch_size,
            learning_rate=learning_rate,
            lowest_share=lowest_share,
            weight_decay=float(self.weight_decay),
            optimizer=self.optimizer,
            momentum=float(self.momentum),
            schedule=schedule,
            max_grad_norm=self.max_grad_norm,
            patience=self._patience(n_rows, batch_size, n_nets),
            mixed_precision=self.mixed_precision,
            compile=self.compile,
            callbacks=tuple(self.callbacks),
            metrics=self._read_metrics(),
            verbose=self.verbose,
            units=self._loss_units() if self.trainer is None else LossUnits(),
            seed=None if draws_globally else seed,
        )
        if is_partial:
            return replace(config, epochs=1, schedule="constant", verbose=quiet_if_auto(self.verbose))
        return config

    def _read_metrics(self) -> dict[str, Callable[[Tensor, Tensor], float]]:
        """Return the metrics by name, as functions of the outputs and targets of the net."""
        return read_metrics(self.metrics, self._from_target, self._to_prediction)

    @default_settings()
    def _outputs(self, X: Any) -> Tensor:
        """Return the outputs of the net for raw rows: (n_rows, [n_members,] n_outputs)."""
        check_is_fitted(self)
        codes, numbers = self._reader.read(self.encode_to_arrays(X))
        return predict_outputs(self.model_, (codes, numbers), read_device(self.device), self._width())

    def _width(self) -> int:
        """Return the largest number of activations of a row in a layer, over all members."""
        return max(self.layers, default=1) * (self._n_members() or 1)

    # A subclass defines how the target is learned, scaled and restored.

    @abstractmethod
    def _learn_target(self, y: np.ndarray, known_y: np.ndarray) -> None:
        """Learn the scale or the classes from the training rows; `known_y` holds later classes too."""

    @abstractmethod
    def _to_target(self, y: np.ndarray) -> Tensor:
        """Convert the target to the units of the net."""

    @abstractmethod
    def _from_target(self, target: Tensor) -> np.ndarray:
        """Convert back to the original target."""

    @abstractmethod
    def _to_prediction(self, output: Tensor) -> np.ndarray:
        """Convert the outputs of the net to predictions."""

    def _to_values(self, output: Tensor) -> np.ndarray:
        """Convert the outputs of the net to numbers or probabilities."""
        return self._to_prediction(output)

    @abstractmethod
    def _make_loss(self) -> Loss:
        """Make the function that returns the loss of each row."""

    @abstractmethod
    def _loss_units(self) -> LossUnits:
        """Return the name and units of the loss for display."""
