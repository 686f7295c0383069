"""`TabularClassifier`: classification of a raw frame by a net with embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from tabrec.neural.losses import Loss, LossUnits, class_loss, given_class_loss
from tabrec.neural.tabular_estimator import TabularEstimator
from tabrec.tables.class_weights import check_class_weights, weigh_classes
from tabrec.tables.row_labels import CheckedScoreMixin


class TabularClassifier(CheckedScoreMixin, ClassifierMixin, TabularEstimator):
    """Classification of a raw frame by a neural net with embeddings.

    Trains nets of class `TabularModel` on cross-entropy by AdamW. By default there are four, each stopped by its loss
    on a fold of the rows that it is not trained on. Continuous columns have piecewise-linear embeddings.

    Parameters
    ----------
    layers : sequence of int, default=(256, 256)
        Widths of the hidden layers; () is a linear model of the embedded columns.
    module : callable, default=None
        Makes a torch module in place of `TabularModel`, whose own parameters are then ignored. It is called as
        ``module(category_sizes, n_continuous, n_outputs)``, the sizes being the numbers of codes by category column;
        ``forward(codes, numbers)`` maps integers (n_rows, n_categories) and float32 (n_rows, n_continuous) to
        (n_rows, n_outputs).
    n_nets : int or "auto", default="auto"
        Number of nets. Each of several is trained without one fold of the rows and stopped by its loss on that fold;
        predictions are their mean. "auto" is 4 (2 beyond 50,000 distinct rows), but 1 below 50 distinct rows, and with
        `epochs`, `validation_fraction`, `eval_set`, `warm_start`, `module`, `trainer`, `callbacks` or `compile`.
    n_members : int, None or "auto", default="auto"
        Number of implicit members of a net, which share most weights; predictions are their mean. None trains plain
        nets. "auto" is 8 for a single net, and None for several.
    activation : {"relu", "gelu", "silu", "mish"}, default="relu"
        Activation function of the hidden layers.
    batch_norm : bool, default=False
        Whether to batch-normalise the continuous columns and the hidden layers.
    dropout : float or sequence of float, default=0.1
        Dropout rate after every hidden layer, or one rate per layer.
    embedding_sizes : dict of str to int, default=None
        Widths of embeddings by encoded column; others follow ``min(600, round(1.6 * n_codes ** 0.56))``, fastai's rule.
    max_embedding_size : int or None, default=32
        Upper limit of the width that the rule gives; None sets no limit below 600.
    embedding_std : float, default=0.5
        Standard deviation of the initial embeddings; fastai's is 0.01.
    embedding_dropout : float, default=0.0
        Dropout rate of the embedded category columns.
    unknown_rate : float, default=0.01
        Share of the codes replaced by code 0 in training, so that the net learns to predict unseen labels.
    numeric_embedding : {"piecewise", "periodic"} or None, default="piecewise"
        How continuous columns are embedded; None uses the numbers themselves.
    numeric_embedding_size : int, default=8
        Width of the embedding of a continuous column.
    n_bins : int, default=128
        Quantile bins per column for ``numeric_embedding="piecewise"``; fewer if a bin would hold fewer than 64 rows.
    loss : {"cross_entropy"}, torch loss or callable, default="cross_entropy"
        A loss of torch, as a class or an instance, or a function ``loss(logits, codes)`` of tensors (n_rows, n_classes)
        and (n_rows,). ``NLLLoss`` takes log-probabilities; ``BCELoss`` and ``BCEWithLogitsLoss`` need two classes.
    label_smoothing : float, default=0.0
        Share of the target probability that is spread evenly over all classes.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the training and validation loss. "balanced" makes them inversely proportional to the
        class frequencies; None weights all rows equally.
    epochs : int or "auto", default="auto"
        Number of passes over the training rows, at most, if nets are stopped by their validation loss. "auto" is about
        1,000 batches within 16 to 40 epochs for a single net, and up to 3,000 batches within 8 to 100 epochs for each
        of several nets.
    batch_size : int or "auto", default="auto"
        Rows per batch. "auto" grows with the number of rows, so that small tables still get many steps.
    learning_rate : float, (float, float) or "auto", default="auto"
        Maximum of the schedule; see `find_learning_rate`. A pair has the rates of the embeddings and of the output,
        between which those of the hidden layers ascend by equal factors (discriminative learning rates). "auto" is 1e-2
        for ``schedule="averaged"`` and 2e-3 for the others.
    weight_decay : float, default=0.3
        Decoupled decay of the weight matrices; biases, scales and norms are not decayed.
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
        A callable, such as ``torch.optim.RMSprop``, makes the optimizer. The decay of "adam" is added to the gradient.
        ``torch.optim.LBFGS`` needs ``weight_decay=0``, and its gradients are not clipped.
    momentum : float, default=0.9
        SGD momentum, or beta1 of Adam and AdamW; ignored by ``schedule="one_cycle"``.
    schedule : {"auto", "one_cycle", "flat_cosine", "constant", "warm_restarts", "averaged"}, default="auto"
        How the learning rate changes by batch. "flat_cosine" is constant for 3/4 of them, then falls to 0 by a cosine.
        "warm_restarts" falls to 0 by a cosine three times, each time over twice as many batches (SGDR). "averaged" does
        not depend on the number of epochs: it falls with the square root of the batches from the 200th one, and the
        weights are a moving average of those of the last 100 batches. "auto" is "averaged" for several nets and
        "one_cycle" for a single one.
    max_grad_norm : float or None, default=1.0
        Longer gradients are clipped to this norm; None does not clip.
    validation_fraction : float, splitter or None, default=None
        Rows held out to record the validation loss and to keep the weights of the best epoch: a random share, or the
        last split of a splitter such as ``TimeSplit(1, column="saledate", test_size=0.1)``.
    patience : int or None, default=None
        Stop after this many epochs without a lower validation loss. None trains a single net for all epochs; each of
        several nets waits for about 300 batches, but 4 to 12 epochs.
    metrics : sequence of str or callable, default=()
        Names of functions of ``sklearn.metrics``, or functions ``metric(y_true, y_pred)``, recorded in `history_`.
    callbacks : sequence of callable, default=()
        Called as ``callback(event, state)`` with the events "fit_start", "epoch_start", "batch_end", "epoch_end" and
        "fit_end"; `state` is a `TrainingState`.
    trainer : callable, default=None
        A subclass of `Trainer` that overrides its training or validation step; None uses `Trainer`.
    device : str or torch.device, default="auto"
        Where to train and predict; "auto" is the GPU if there is one.
    mixed_precision : bool or "auto", default="auto"
        Whether to multiply matrices in bfloat16 in training; "auto" does so where the processor gains from it.
    compile : bool, default=False
        Whether to train through ``torch.compile``.
    warm_start : bool, default=False
        Whether `fit` continues from the weights of the last fit, and keeps its encoding and the scale or the classes
        of its target. Labels that the first fit did not see are treated as unseen, with a warning.
    verbose : bool, int or "auto", default="auto"
        Whether to show a table by epoch, with losses in units of the target, and the time left. "auto" shows it in
        terminals and notebooks, but not in pipelines, searches and `partial_fit`.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, the batches, dropout and the validation rows, which are drawn from generators of
        the net; global generators stay as they are. Another number of torch's threads may change the last digits. With
        `module`, `trainer` or `compile`, the global generators of torch are seeded for one fit at a time, and restored.
    categorical_features : list of str or int, default=None
        Names or positions of columns to treat as categories whatever their dtype, for arrays in particular.
    preprocessor : transformer, default=None
        Encodes the frame; it must return pandas frames. None uses ``TabularPreprocessor("net")``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.
    model_ : TabularModel or NetEnsemble
        The trained net or nets, on the CPU. With `module`, ``model_.net`` is the net that `module` made.
    n_nets_ : int
        Number of nets.
    history_ : pandas.DataFrame
        One row per epoch: net (if there are several; NaN where they are trained further), epoch, train_loss (smoothed
        as in fastai), valid_loss, metrics, learning_rate, seconds.
    oof_prediction_ : ndarray of shape (n_rows, n_classes) or None
        Probabilities of training rows by the net that was validated on them; NaN for rows of none. None for one net.
    embeddings_ : dict of str to pandas.DataFrame
        The learned vectors of each category column, one row per label; those of several nets are side by side.
    preprocessor_ : transformer
        The fitted preprocessor.
    encoded_names_ : ndarray of str
        Encoded columns, which are the inputs of the net.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns of X in `fit`, and their names if X was a table.

    See Also
    --------
    TabularRegressor : Regression by the same net.
    TabularModel : The torch module that is trained.
    Trainer : The training loop.
    find_learning_rate : Suggests a learning rate.

    References
    ----------
    Gorishniy, Kotelnikov & Babenko (2025), "TabM: advancing tabular deep learning with parameter-efficient ensembling".

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
        "loss": [StrOptions({"cross_entropy"}), callable],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        layers: Sequence[int] = (256, 256),
        *,
        module: Callable | None = None,
        n_nets: int | str = "auto",
        n_members: int | str | None = "auto",
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
        loss: Any = "cross_entropy",
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str | Sequence[float] = "auto",
        weight_decay: float = 0.3,
        optimizer: str | Callable = "adamw",
        momentum: float = 0.9,
        schedule: str = "auto",
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
        verbose: bool | int | str = "auto",
        random_state: Any = None,
        categorical_features: Sequence | None = None,
        preprocessor: Any = None,
    ):
        self.layers = layers
        self.module = module
        self.n_nets = n_nets
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
        self.loss = loss
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
        """Train one epoch on a chunk of rows; the first call fixes columns, labels and classes.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            The chunk.
        y : array-like of shape (n_rows,)
            Its classes.
        classes : array-like of shape (n_classes,), default=None
            All classes that any chunk holds; None uses those of the first chunk.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of its rows, as in `fit`.

        Returns
        -------
        self
        """
        known = None if classes is None else np.unique(np.asarray(classes))
        if known is not None and hasattr(self, "classes_") and not np.array_equal(known, self.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first call, {self.classes_.tolist()[:20]}.")
        return self._partial_fit(X, y, sample_weight, known)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict class probabilities, the mean over the members.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Rows to predict, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            Probabilities in the order of `classes_`.
        """
        return _probabilities(self._outputs(X))

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
            Rows to predict, as in `fit`.

        Returns
        -------
        ndarray of shape (n_rows,)
        """
        return self._to_prediction(self._outputs(X))

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        return column_or_1d(super()._check_fit_target(y, n_rows), warn=True)

    def _learn_target(self, y: np.ndarray, known_y: np.ndarray) -> None:
        self.classes_ = np.unique(known_y)
        check_class_weights(self.class_weight, self.classes_)
        self._n_outputs = len(self.classes_)

    def _weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return weights
        of_classes = weigh_classes(self.class_weight, y)
        if not of_classes.any():
            raise ValueError(f"class_weight={self.class_weight!r} is 0 for every class in {len(y)} of the rows.")
        return of_classes if weights is None else of_classes * weights

    def _make_loss(self) -> Loss:
        if not callable(self.loss):
            return class_loss(self.label_smoothing)
        if self.label_smoothing:
            raise ValueError(
                f"label_smoothing={self.label_smoothing} requires loss='cross_entropy'; got {self.loss!r}."
            )
        return given_class_loss(self.loss, len(self.classes_))

    def _loss_units(self) -> LossUnits:
        return LossUnits("loss" if callable(self.loss) else "log loss")

    def _to_target(self, y: np.ndarray) -> Tensor:
        codes = pd.Index(self.classes_).get_indexer(pd.Index(y))
        unknown = codes < 0
        if unknown.any():
            raise ValueError(
                f"y holds the class {y[unknown].tolist()[0]!r}, but the net was fitted with "
                f"{self.classes_.tolist()[:20]}; pass all classes to the first partial_fit as classes=."
            )
        return torch.from_numpy(codes.astype(np.int64))

    def _from_target(self, target: Tensor) -> np.ndarray:
        return self.classes_[target.cpu().numpy()]

    def _to_values(self, output: Tensor) -> np.ndarray:
        return _probabilities(output)

    def _to_prediction(self, output: Tensor) -> np.ndarray:
        return self.classes_[_probabilities(output).argmax(axis=1)]


def _probabilities(output: Tensor) -> np.ndarray:
    """Convert logits (n_rows, [n_members,] n_classes) to mean probabilities (n_rows, n_classes)."""
    each = output.double().softmax(dim=-1)
    return (each.mean(dim=1) if each.ndim == 3 else each).cpu().numpy()
