"""`TabularRegressor`: a net with embeddings that predicts numbers from a raw frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import Tensor

from tabrec.neural.inputs import TargetScaler
from tabrec.neural.losses import REGRESSION_LOSSES, Loss, regression_loss
from tabrec.neural.ranges import read_range
from tabrec.neural.tabular_estimator import TabularEstimator


def _predicts_quantiles(estimator: TabularRegressor) -> bool:
    if estimator.loss != "quantile":
        raise AttributeError(f"predict_quantiles needs loss='quantile', but loss={estimator.loss!r}.")
    return True


class TabularRegressor(RegressorMixin, TabularEstimator):
    """A net with embeddings that predicts numbers from a raw frame.

    `TabularModel`, trained by AdamW in one cycle, on the target brought to mean 0 and standard deviation 1. As it comes
    it is an ensemble of implicit members with piecewise-linear embeddings of the continuous columns; fastai's
    ``tabular_learner`` is ``TabularRegressor(layers=(200, 100), n_members=None, numeric_embedding=None,
    batch_norm=True, ...)``.

    Parameters
    ----------
    layers : sequence of int, default=(256, 256)
        Widths of the hidden layers.
    module : callable, default=None
        Makes a net of your own in the place of `TabularModel`: called as ``module(category_sizes, n_continuous,
        n_outputs)``, whose first is a dict of the number of codes by category column, it gives a torch module with
        ``forward(codes, numbers)`` from whole numbers (n_rows, n_categories) and float32 (n_rows, n_continuous) to
        (n_rows, n_outputs). `unknown_rate`, `y_range`, the loss and all of training are as ever; what shapes
        `TabularModel` (`layers`, `n_members`, `dropout`, embeddings) is then without effect. None is `TabularModel`.
    n_members : int or None, default=8
        Number of nets trained at once, sharing most weights; predictions are their mean. None is one plain net.
    activation : {"relu", "gelu", "silu", "mish"}, default="relu"
    batch_norm : bool, default=False
    dropout : float or sequence of float, default=0.1
        After every hidden layer, or by layer.
    embedding_sizes : dict of str to int, default=None
        Widths of embeddings by encoded column; others follow ``min(600, round(1.6 * n_codes ** 0.56))``, fastai's rule.
    max_embedding_size : int or None, default=32
        The most that the rule may give; None lets it go up to 600.
    embedding_std : float, default=0.5
        Standard deviation of the embeddings at the start; fastai's is 0.01.
    embedding_dropout : float, default=0.0
    unknown_rate : float, default=0.01
        Share of the codes that are taken for code 0 while training, so that unseen labels are predicted sensibly.
    numeric_embedding : {"piecewise", "periodic"} or None, default="piecewise"
        How continuous columns are embedded; None takes them as they are.
    numeric_embedding_size : int, default=8
    n_bins : int, default=128
        For "piecewise": bins a column, of about equally many rows; fewer where there are less than 64 rows a bin.
    loss : {"mse", "mae", "huber", "quantile"}, default="mse"
        On the standardised target; Huber's turns linear one standard deviation away.
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        With ``loss="quantile"``, those that `predict_quantiles` gives, all from one net.
    y_range : (float, float), "auto" or None, default=None
        Keeps predictions between two numbers, by a scaled sigmoid; "auto" goes a twentieth beyond the targets seen.
    epochs : int or "auto", default="auto"
    batch_size : int or "auto", default="auto"
        "auto" grows with the number of rows, so that few rows make many steps all the same.
    learning_rate : float, default=2e-3
        The greatest of the schedule; see `find_learning_rate`.
    weight_decay : float, default=0.3
        Decoupled; of matrices alone, not of biases, scales and norms.
    optimizer : {"adamw", "adam", "sgd"} or callable, default="adamw"
        A callable makes a torch optimiser: ``torch.optim.RMSprop``. That of "adam" is not decoupled: it adds weight
        decay to the gradient.
    momentum : float, default=0.9
        Of "sgd", and the first moment's of "adam" and "adamw"; "one_cycle" moves it itself.
    schedule : {"one_cycle", "flat_cosine", "constant"}, default="one_cycle"
    max_grad_norm : float or None, default=1.0
        Longer gradients are shortened to this norm.
    validation_fraction : float, splitter or None, default=None
        Rows to hold out from training, to watch and to keep the best epoch by: a random share, or the last split of a
        splitter, as ``TimeSplit(1, column="saledate", test_size=0.1)``.
    patience : int or None, default=None
        Stop after so many epochs without a better validation loss.
    metrics : sequence of str or callable, default=()
        Names of functions of ``sklearn.metrics``, or functions ``metric(y_true, y_pred)``, for `history_`.
    callbacks : sequence of callable, default=()
        Called as ``callback(event, state)`` with the events "fit_start", "epoch_start", "batch_end", "epoch_end" and
        "fit_end"; ``state`` has model, optimizer, epoch, n_epochs, step, history, and ``stop``, to be set.
    device : str or torch.device, default="auto"
        "auto" is the GPU where there is one.
    mixed_precision : bool or "auto", default="auto"
        Whether training multiplies matrices in bfloat16; "auto" where the processor has it and it gains.
    compile : bool, default=False
        Whether to train through ``torch.compile``.
    warm_start : bool, default=False
        Whether another `fit` goes on from where the last one ended.
    verbose : int, default=0
        1 shows a progress bar.
    random_state : int, RandomState or None, default=None
    categorical_features : list of str or int, default=None
        Columns, by name or position, that are categories whatever their dtype: for arrays, which have no kinds.
    preprocessor : transformer, default=None
        What encodes the frame; it must return pandas frames. None is ``TabularPreprocessor("net")``.

    Attributes
    ----------
    model_ : TabularModel
        The trained net, on the CPU. With `module`, what that made is ``model_.net``.
    history_ : pandas.DataFrame
        A row an epoch: epoch, train_loss (smoothed as fastai's), valid_loss, metrics, learning_rate, seconds. Losses
        are of the standardised target.
    embeddings_ : dict of str to pandas.DataFrame
        The vectors of each category column, by label.
    target_scaler_ : object
        With the `means` and `scales` of the target.
    n_outputs_ : int
    preprocessor_ : transformer
    encoded_names_ : ndarray of str
        Columns that the net sees.
    n_features_in_ : int
        Raw columns.
    feature_names_in_ : ndarray of str

    Notes
    -----
    On a CPU predictions are computed in float64, so that a row's does not depend on the rows beside it. The same
    `random_state` gives the same net on the same machine with as many threads.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9. Gorishniy, Kotelnikov &
    Babenko (2025), "TabM". Gorishniy, Rubachev & Babenko (2022), "On embeddings for numerical features in tabular deep
    learning". Smith (2018), "A disciplined approach to neural network hyper-parameters", for the one cycle.

    Examples
    --------
    >>> from tabrec import TabularRegressor
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(500, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> net = TabularRegressor(epochs=3, random_state=0).fit(auctions, price)
    >>> net.predict(auctions.head(3)).shape
    (3,)
    >>> net.embeddings_["UsageBand"].index.tolist()
    ['#na#', 'High', 'Low', 'Medium']
    """

    _parameter_constraints: ClassVar[dict] = {
        **TabularEstimator._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "quantiles": ["array-like"],
        "y_range": [StrOptions({"auto"}), "array-like", None],
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
        loss: str = "mse",
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        y_range: Any = None,
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
        self.loss = loss
        self.quantiles = quantiles
        self.y_range = y_range
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on more rows; the first call settles columns, labels and the scale of the target.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, n_outputs), float64
            With ``loss="quantile"`` the quantile nearest to the median.
        """
        return self._to_prediction(self._outputs(X))

    @available_if(_predicts_quantiles)
    def predict_quantiles(self, X: Any) -> np.ndarray:
        """Predict the `quantiles` of the target, in ascending order and never crossing.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, n_quantiles) or (n_rows, n_outputs, n_quantiles)
        """
        check_is_fitted(self)
        if not len(self._levels):
            raise ValueError("loss was set to 'quantile' after fitting: fit the net anew.")
        restored = self._restore_quantiles(self._outputs(X))
        return restored[:, 0] if self._is_1d else restored

    def _check_fit_target(self, y: Any, n_rows: int) -> np.ndarray:
        y = super()._check_fit_target(y, n_rows)
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _learn_target(self, y: np.ndarray, known_y: np.ndarray) -> None:
        self._is_1d = y.ndim == 1
        self.target_scaler_ = TargetScaler(y.reshape(len(y), -1).astype(np.float64))
        self._levels = _check_quantiles(self.quantiles) if self.loss == "quantile" else np.empty(0)
        self._bounds = read_range(self.y_range, y)
        self.n_outputs_ = len(self.target_scaler_.means)
        self._n_outputs = self.n_outputs_ * max(len(self._levels), 1)

    def _model_range(self) -> tuple[Any, Any] | None:
        if self._bounds is None:
            return None
        bounds = [self.target_scaler_.scale(bound) for bound in self._bounds]
        low, high = (np.repeat(bound, self._n_outputs // self.n_outputs_).astype(np.float32) for bound in bounds)
        return low, high

    def _make_loss(self) -> Loss:
        if (self.loss == "quantile") != bool(len(self._levels)):
            raise ValueError(
                f"loss={self.loss!r} is not what the net was trained by: it cannot go on, but be fitted anew."
            )
        return regression_loss(self.loss, self._levels.tolist())

    def _to_target(self, y: np.ndarray) -> Tensor:
        y = y.reshape(len(y), -1)
        if y.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {y.shape[1]} outputs, but the net was trained on {self.n_outputs_}.")
        return torch.from_numpy(self.target_scaler_.scale(y.astype(np.float64)).astype(np.float32))

    def _from_target(self, target: Tensor) -> np.ndarray:
        restored = self.target_scaler_.restore(target.cpu().numpy().astype(np.float64))
        return restored[:, 0] if self._is_1d else restored

    def _to_prediction(self, output: Tensor) -> np.ndarray:
        if len(self._levels):
            middle = int(np.argmin(np.abs(self._levels - 0.5)))
            restored = self._restore_quantiles(output)[:, :, middle]
        else:
            restored = self._keep_in_range(self.target_scaler_.restore(_mean_of_members(output)))
        return restored[:, 0] if self._is_1d else restored

    def _restore_quantiles(self, output: Tensor) -> np.ndarray:
        """(n_rows, n_outputs, n_quantiles), ascending: sorting what crosses only lessens the loss."""
        scaled = _mean_of_members(output).reshape(len(output), self.n_outputs_, len(self._levels))
        return self._keep_in_range(self.target_scaler_.restore(np.sort(scaled, axis=2)))

    def _keep_in_range(self, restored: np.ndarray) -> np.ndarray:
        """Of a net with `y_range`, cut off what rounding leads out of it."""
        if self._bounds is None:
            return restored
        low, high = (np.reshape(bound, (-1, 1)) if restored.ndim == 3 else bound for bound in self._bounds)
        return np.clip(restored, low, high)


def _mean_of_members(output: Tensor) -> np.ndarray:
    mean = output.double().mean(dim=1) if output.ndim == 3 else output.double()
    return mean.cpu().numpy()


def _check_quantiles(quantiles: Sequence[float]) -> np.ndarray:
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or not len(levels) or not ((levels > 0) & (levels < 1)).all() or (np.diff(levels) <= 0).any():
        raise ValueError(f"quantiles={quantiles!r} must ascend between 0 and 1, such as (0.1, 0.5, 0.9).")
    return levels
