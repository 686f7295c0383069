"""`TabularClassifier`: a net with embeddings that predicts classes from a raw frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from tabrec.neural.losses import Loss, class_loss
from tabrec.neural.tabular_estimator import TabularEstimator


class TabularClassifier(ClassifierMixin, TabularEstimator):
    """A net with embeddings that predicts classes from a raw frame.

    `TabularModel`, trained on cross-entropy; see `TabularRegressor` for what both have in common.

    Parameters
    ----------
    layers, module, n_members, activation, batch_norm, dropout : as of `TabularRegressor`
    embedding_sizes, max_embedding_size : as of `TabularRegressor`
    embedding_std, embedding_dropout, unknown_rate : as of `TabularRegressor`
    numeric_embedding, numeric_embedding_size, n_bins : as of `TabularRegressor`
    label_smoothing : float, default=0.0
        Share of a row's probability that is spread over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the loss, in training and validation.
    epochs, batch_size, learning_rate, weight_decay, optimizer, momentum, schedule : as of `TabularRegressor`
    max_grad_norm, validation_fraction, patience, metrics, callbacks, device : as of `TabularRegressor`
    mixed_precision, compile, warm_start, verbose, random_state : as of `TabularRegressor`
    categorical_features, preprocessor : as of `TabularRegressor`

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    model_, history_, embeddings_, preprocessor_, encoded_names_, n_features_in_, feature_names_in_
        As of `TabularRegressor`.

    References
    ----------
    See `TabularRegressor`.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import TabularClassifier
    >>> X = pd.DataFrame({"state": ["Ohio", "Utah"] * 50, "hours": range(100)})
    >>> y = ["low" if state == "Ohio" else "high" for state in X["state"]]
    >>> net = TabularClassifier(random_state=0).fit(X, y)
    >>> net.predict(pd.DataFrame({"hours": [70], "state": ["Utah"]}))
    array(['high'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict] = {
        **TabularEstimator._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        layers: Sequence[int] = (256, 256),
        *,
        module: Callable | None = None,
        n_members: int | None = 8,
        activation: str = "relu",
        batch_norm: bool = False,
        dropout: float | Sequence[float] = 0.1,
        embedding_sizes: Mapping[str, int] | None = None,
        max_embedding_size: int | None = 32,
        embedding_std: float = 0.5,
        embedding_dropout: float = 0.0,
        unknown_rate: float = 0.01,
        numeric_embedding: str | None = "piecewise",
        numeric_embedding_size: int = 8,
        n_bins: int = 128,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float = 2e-3,
        weight_decay: float = 0.3,
        optimizer: str | Callable = "adamw",
        momentum: float = 0.9,
        schedule: str = "one_cycle",
        max_grad_norm: float | None = 1.0,
        validation_fraction: Any = None,
        patience: int | None = None,
        metrics: Sequence = (),
        callbacks: Sequence[Callable] = (),
        trainer: Callable | None = None,
        device: Any = "auto",
        mixed_precision: bool | str = "auto",
        compile: bool = False,
        warm_start: bool = False,
        verbose: int = 0,
        random_state: Any = None,
        categorical_features: Sequence | None = None,
        preprocessor: Any = None,
    ):
        self.layers = layers
        self.module = module
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
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
        self.trainer = trainer
        self.device = device
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state
        self.categorical_features = categorical_features
        self.preprocessor = preprocessor

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on more rows; the first call settles columns, labels and classes.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,)
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; None takes those of the first call.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        self
        """
        known = None if classes is None else np.unique(np.asarray(classes))
        if known is not None and hasattr(self, "classes_") and not np.array_equal(known, self.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first call, {self.classes_.tolist()[:20]}.")
        return self._partial_fit(X, y, sample_weight, known)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, the mean over the members.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            In the order of `classes_`.
        """
        return _probabilities(self._outputs(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        return self._to_prediction(self._outputs(X))

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        return column_or_1d(super()._check_fit_target(y, n_rows), warn=True)

    def _learn_target(self, y: np.ndarray, known_y: np.ndarray) -> None:
        self.classes_ = np.unique(known_y)
        self._n_outputs = len(self.classes_)

    def _weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        of_classes = compute_sample_weight(self.class_weight, y)
        if (of_classes < 0).any() or not (of_classes > 0).any():
            raise ValueError(
                f"class_weight={self.class_weight!r} must not be negative, nor 0 for all classes there are."
            )
        return of_classes if weights is None else of_classes * weights

    def _make_loss(self) -> Loss:
        return class_loss(self.label_smoothing)

    def _to_target(self, y: np.ndarray) -> Tensor:
        codes = pd.Index(self.classes_).get_indexer(pd.Index(y))
        unknown = codes < 0
        if unknown.any():
            raise ValueError(
                f"y holds the class {y[unknown].tolist()[0]!r}, but the net knows {self.classes_.tolist()[:20]}: "
                "it cannot learn others (partial_fit is told all of them at first, by classes=)."
            )
        return torch.from_numpy(codes.astype(np.int64))

    def _from_target(self, target: Tensor) -> np.ndarray:
        return self.classes_[target.cpu().numpy()]

    def _to_prediction(self, output: Tensor) -> np.ndarray:
        return self.classes_[_probabilities(output).argmax(axis=1)]


def _probabilities(output: Tensor) -> np.ndarray:
    """Logits (n_rows, [n_members,] n_classes) → probabilities (n_rows, n_classes)."""
    each = output.double().softmax(dim=-1)
    return (each.mean(dim=1) if each.ndim == 3 else each).cpu().numpy()
