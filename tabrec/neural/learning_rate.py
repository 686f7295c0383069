"""`find_learning_rate`: how a net's loss answers to ever larger learning rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from torch import nn

from tabrec.neural._optimizers import Pace, make_optimizer, set_pace
from tabrec.neural.devices import explain_memory, read_device, seeded
from tabrec.neural.plots import plot_learning_rates
from tabrec.neural.step import make_step
from tabrec.neural.tabular_estimator import TabularEstimator, TrainingTask
from tabrec.neural.training import iterate
from tabrec.neural.training_data import mean_loss

# The loss is always taken over the same rows, so many at most, or the noise of batches would hide its course.
_N_PROBED = 512
# The search ends where the loss is this many times that at the start.
_DIVERGED = 2.0
# A descent begins where this share of it is done.
_BEGUN = 0.05


@dataclass(frozen=True)
class LearningRateSearch:
    """What `find_learning_rate` found.

    Attributes
    ----------
    learning_rates : ndarray of shape (n_steps,)
        Ascending; fewer than asked for where the loss diverged.
    losses : ndarray of shape (n_steps,)
        Loss after a step at each, over the same training rows.
    valley : float
        In the middle, on the logarithmic scale, of the descent to the least loss: a good `learning_rate` for one cycle.
    steepest : float
        Where the loss falls fastest.
    """

    learning_rates: np.ndarray
    losses: np.ndarray
    valley: float
    steepest: float

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss over the learning rates, with both suggestions.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            None makes a new figure.

        Returns
        -------
        matplotlib.axes.Axes
        """
        suggestions = {"valley": self.valley, "steepest": self.steepest}
        return plot_learning_rates(self.learning_rates, self.losses, suggestions, ax)


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
    estimator : TabularRegressor, TabularClassifier, or a pipeline that ends with one
        It is left as it is.
    X : table or array-like of shape (n_rows, n_features)
    y : array-like of shape (n_rows,)
    sample_weight : array-like of shape (n_rows,), default=None
    smallest, largest : float, default=1e-6, 1.0
        Bounds of the learning rates.
    n_steps : int, default=100
        Number of batches; the search ends earlier where the loss diverges.

    Returns
    -------
    LearningRateSearch
        With `valley`, `steepest` and `plot`.

    Raises
    ------
    ValueError
        Bounds that do not ascend, fewer than 10 steps, a loss that is no number from the first step on, or whatever
        `fit` refuses.
    TypeError
        Another kind of estimator.

    References
    ----------
    Smith (2017), "Cyclical learning rates for training neural networks". The two suggestions are fastai's.

    Examples
    --------
    >>> from tabrec import TabularRegressor, find_learning_rate
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(500, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> search = find_learning_rate(TabularRegressor(random_state=0), auctions, price)
    >>> 1e-5 < search.valley < 1e-1
    True
    """
    if not 0 < smallest < largest:
        raise ValueError(f"smallest={smallest} and largest={largest} must be above 0 and ascend.")
    if n_steps < 10:
        raise ValueError(f"n_steps={n_steps} must be at least 10.")
    if isinstance(estimator, Pipeline):
        X = clone(estimator[:-1]).fit_transform(X, y) if len(estimator) > 1 else X
        estimator = estimator[-1]
    if not isinstance(estimator, TabularEstimator):
        raise TypeError(f"find_learning_rate is for TabularRegressor and TabularClassifier, not {estimator!r}.")
    copy: TabularEstimator = clone(estimator)
    task = copy._prepare(X, y, sample_weight)
    rates = np.geomspace(smallest, largest, n_steps)
    device = read_device(copy.device)
    with explain_memory(len(task.rows), task.rows.n_bytes, task.plan.batch_size), seeded(task.seed, device):
        losses = _losses_at(task, rates, device)
    if len(losses) < 2:
        raise ValueError(f"The loss is no finite number at learning rates from {smallest:g}: lower `smallest`.")
    rates = rates[: len(losses)]
    return LearningRateSearch(rates, losses, _valley(rates, losses), _steepest(rates, losses))


def _losses_at(task: TrainingTask, rates: np.ndarray, device: Any) -> np.ndarray:
    """The loss over a sample of the rows after one step at each of the rates, until it diverges."""
    model, rows, plan = task.model.to(device).train(), task.rows.to(device), task.plan
    optimizer = make_optimizer(model, plan.optimizer, rates[0], plan.weight_decay, plan.momentum)
    step = make_step(model, rows, task.loss, batch_size=plan.batch_size, mixed_precision=plan.mixed_precision)
    probe = rows.take(torch.randperm(len(rows), device=device)[:_N_PROBED])
    batches = (batch for _ in count() for batch in iterate(len(rows), plan.batch_size, device))
    losses: list[float] = []
    for rate, batch in zip(rates, batches, strict=False):
        set_pace(optimizer, Pace(rate, plan.momentum))
        step(batch)
        if plan.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), plan.max_grad_norm)
        optimizer.step()
        with torch.no_grad():
            loss = float(mean_loss(task.loss, model(*probe.inputs), probe))
        if not math.isfinite(loss):
            break
        losses.append(loss)
        if loss > _DIVERGED * losses[0]:
            break
    return np.array(losses)


def _valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Midway from where the descent to the least loss has begun to where it ends."""
    smooth = _smooth(losses)
    end = int(np.argmin(smooth))
    begun = smooth[: end + 1] <= smooth[0] - _BEGUN * (smooth[0] - smooth[end])
    return float(np.sqrt(rates[int(np.argmax(begun))] * rates[end]))


def _steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate of the steepest fall before the least loss."""
    smooth = _smooth(losses)
    return float(rates[int(np.argmin(np.gradient(smooth)[: max(int(np.argmin(smooth)), 1)]))])


def _smooth(losses: np.ndarray) -> np.ndarray:
    """Means of five neighbours."""
    return np.convolve(np.pad(losses, 2, mode="edge"), np.ones(5) / 5, mode="valid")
