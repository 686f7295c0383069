"""`find_learning_rate`: measure the loss of a net at growing learning rates, and suggest one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from tabrec.neural.devices import default_settings, explain_memory
from tabrec.neural.optimizers import Rates
from tabrec.neural.plots import plot_learning_rates
from tabrec.neural.training_data import iterate, mean_loss
from tabrec.neural.training_task import TrainingTask

# The loss is measured on one sample of this many rows, because the noise between batches would hide its trend.
_N_SAMPLED = 512
# The search ends when the loss exceeds this multiple of the first loss.
_DIVERGED = 2.0
# A descent starts when the loss has fallen by this share of it.
_STARTED = 0.05


@dataclass(frozen=True)
class LearningRateSearch:
    """The result of `find_learning_rate`.

    Attributes
    ----------
    learning_rates : ndarray of shape (n_steps,)
        Ascending; fewer than requested if the loss diverged.
    losses : ndarray of shape (n_steps,)
        Loss on a fixed sample of the training rows after a step at each learning rate.
    valley : float
        Middle, on the logarithmic scale, of the descent to the lowest loss: a good `learning_rate` for one cycle.
    steepest : float
        The learning rate at which the loss falls fastest.

    See Also
    --------
    find_learning_rate : Runs the search.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    valley: float
    steepest: float

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss by learning rate, with both suggestions marked.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        suggestions = {"valley": self.valley, "steepest": self.steepest}
        return plot_learning_rates(self.learning_rates, self.losses, suggestions, ax)


@validate_params(
    {
        "estimator": [HasMethods("fit")],
        "smallest": [Interval(Real, 0, None, closed="neither")],
        "largest": [Interval(Real, 0, None, closed="neither")],
        "n_steps": [Interval(Integral, 10, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
@default_settings()
def find_learning_rate(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    smallest: float = 1e-6,
    largest: float = 1.0,
    n_steps: int = 100,
) -> LearningRateSearch:
    """Train a copy of the net with a learning rate that grows from batch to batch, and suggest one.

    Parameters
    ----------
    estimator : TabularRegressor, TabularClassifier, DotProductBias, EmbeddingNN, or a pipeline that ends with one
        The net, which is not changed.
    X : table or array-like of shape (n_rows, n_features)
        Training rows.
    y : array-like of shape (n_rows,)
        Target values, or ratings.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, as in `fit`.
    smallest : float, default=1e-6
        The first learning rate.
    largest : float, default=1.0
        The last learning rate.
    n_steps : int, default=100
        Number of batches, at least 10; the search ends earlier if the loss diverges.

    Returns
    -------
    LearningRateSearch
        The losses, the suggestions `valley` and `steepest`, and the method `plot`.

    Raises
    ------
    ValueError
        If `smallest` is not below `largest`, or if the loss is not finite at the first learning rates.
    TypeError
        If `estimator` is not one of the nets.

    See Also
    --------
    TabularRegressor : Regression of a raw frame by a net.
    plot_history : Plots the losses of a fitted net by epoch.

    References
    ----------
    Smith (2017), "Cyclical learning rates for training neural networks". The two suggestions are those of fastai.

    Examples
    --------
    >>> from tabrec import TabularRegressor, find_learning_rate
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(500, random_state=0)[["SalePrice", "YearMade", "ProductSize", "saledate"]]
    >>> price = auctions.pop("SalePrice")
    >>> search = find_learning_rate(TabularRegressor(random_state=0), auctions, price, n_steps=50)
    >>> 1e-5 < search.valley < 1e-1
    True
    """
    if not smallest < largest:
        raise ValueError(f"smallest must be below largest; got smallest={smallest} and largest={largest}.")
    if isinstance(estimator, Pipeline):
        X = clone(estimator[:-1]).fit_transform(X, y) if len(estimator) > 1 else X
        estimator = estimator[-1]
    if isinstance(estimator, type) or not hasattr(estimator, "make_training_task"):
        raise TypeError(
            "estimator must be a TabularRegressor, TabularClassifier, DotProductBias or EmbeddingNN; got "
            f"{estimator!r}."
        )
    estimator = clone(estimator)
    if getattr(estimator, "compile", False):  # which takes longer than the search
        estimator.set_params(compile=False)
    task: TrainingTask = estimator.make_training_task(X, y, sample_weight)
    rates = np.geomspace(smallest, largest, n_steps)
    trainer = task.trainer
    with explain_memory(len(task.data), task.data.n_bytes, trainer.config.batch_size), task.seeded():
        losses = _losses_at(task, rates)
    if len(losses) < 2:
        raise ValueError(f"The loss is not finite at learning rates from {smallest:g}: lower `smallest`.")
    rates = rates[: len(losses)]
    return LearningRateSearch(rates, losses, _valley(rates, losses), _steepest(rates, losses))


def _losses_at(task: TrainingTask, rates: np.ndarray) -> np.ndarray:
    """Return the loss over a sample of the rows after one step at each learning rate, until it diverges."""
    trainer, device = task.trainer, task.trainer.device
    model, data, config = trainer.model.to(device).train(), task.data.to(device), trainer.config
    losses: list[float] = []
    with trainer.drawing() as generator:
        update = trainer.make_update(trainer.make_optimizer(), data)
        sample = data.take(torch.randperm(len(data), device=device, generator=generator)[:_N_SAMPLED])
        batches = (batch for _ in count() for batch in iterate(len(data), config.batch_size, device, generator))
        for rate, batch in zip(rates, batches, strict=False):
            update(batch, Rates(rate, config.momentum))
            with torch.no_grad():
                loss = float(mean_loss(trainer.loss, model(*sample.inputs), sample))
            if not math.isfinite(loss):
                break
            losses.append(loss)
            if loss > _DIVERGED * losses[0]:
                break
    return np.array(losses)


def _valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return the geometric mean of the learning rates where the descent to the lowest loss starts and where it ends."""
    smooth = _smooth(losses)
    end = int(np.argmin(smooth))
    started = smooth[: end + 1] <= smooth[0] - _STARTED * (smooth[0] - smooth[end])
    return float(np.sqrt(rates[int(np.argmax(started))] * rates[end]))


def _steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return the learning rate of the steepest descent before the lowest loss."""
    smooth = _smooth(losses)
    return float(rates[int(np.argmin(np.gradient(smooth)[: max(int(np.argmin(smooth)), 1)]))])


def _smooth(losses: np.ndarray) -> np.ndarray:
    """Return the moving average of five losses."""
    return np.convolve(np.pad(losses, 2, mode="edge"), np.ones(5) / 5, mode="valid")
