"""Plots of training: the loss by learning rate, and the losses by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec.plotting.axes import BLUE, GREEN, ORANGE, finish, make_axes


def plot_learning_rates(
    learning_rates: np.ndarray, losses: np.ndarray, suggestions: Mapping[str, float], ax: Any = None
) -> Any:
    """Plot the loss by learning rate, with suggestions by name; see `LearningRateSearch.plot`."""
    ax = make_axes(ax)
    ax.plot(learning_rates, losses, color=BLUE, linewidth=1.8)
    for (name, rate), color in zip(suggestions.items(), (ORANGE, GREEN), strict=False):
        loss = float(np.interp(np.log(rate), np.log(learning_rates), losses))
        ax.plot(rate, loss, "o", color=color, markersize=7, label=f"{name}: {rate:.1e}")
    ax.set_xscale("log")
    # The diverging end is cut off, because it would flatten the descent.
    lowest, first = float(losses.min()), float(losses[0])
    height = max(first - lowest, 1e-12)
    ax.set_ylim(lowest - 0.1 * height, first + 0.3 * height)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss after one step")
    ax.legend(frameon=False)
    return finish(ax)


def plot_history(history: Any, ax: Any = None) -> Any:
    """Plot the training and validation loss by epoch, with the best epoch marked: lines for each of several nets.

    Parameters
    ----------
    history : pandas.DataFrame or estimator
        The attribute `history_` of a fitted net, or the net itself.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    See Also
    --------
    find_learning_rate : Plots the loss by learning rate.
    TabularRegressor : Records the history.

    Examples
    --------
    >>> from tabrec import TabularRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.neural import plot_history
    >>> auctions = make_auctions(500, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> net = TabularRegressor(epochs=3, validation_fraction=0.2, random_state=0).fit(auctions, price)
    >>> plot_history(net).get_ylabel()
    'loss'
    """
    frame: pd.DataFrame = getattr(history, "history_", history)
    ax = make_axes(ax)
    nets = [part for _, part in frame.groupby("net", dropna=False)] if "net" in frame else [frame]
    for part in nets:
        _draw_losses(part, ax, is_first=part is nets[0], is_only=len(nets) == 1)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.legend(frameon=False)
    return finish(ax)


def _draw_losses(frame: pd.DataFrame, ax: Any, *, is_first: bool, is_only: bool) -> None:
    """Draw the losses of one net; only those of the first net are in the legend."""

    def label(text: str) -> str:
        return text if is_first else "_"

    epochs = frame["epoch"] + 1
    style: dict[str, Any] = {"linewidth": 1.8, "marker": "o", "markersize": 3}
    ax.plot(epochs, frame["train_loss"], color=BLUE, label=label("training, smoothed"), **style)
    if "valid_loss" in frame and frame["valid_loss"].notna().any():
        valid = frame["valid_loss"].to_numpy()
        ax.plot(epochs, valid, color=ORANGE, label=label("validation"), **style)
        best = int(np.nanargmin(valid))
        text = f"best: {valid[best]:.4g} in epoch {epochs.iloc[best]}" if is_only else "best epoch of each net"
        ax.plot(epochs.iloc[best], valid[best], "o", color=GREEN, markersize=8, label=label(text))
