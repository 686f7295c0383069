"""Plots of training: the lines, the axes, and no figure left open."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

mpl.use("Agg")

from matplotlib import pyplot as plt

from tabrec import TabularRegressor
from tabrec.neural import plot_history
from tabrec.neural.learning_rate import LearningRateSearch

HISTORY = pd.DataFrame({"epoch": [0, 1, 2, 3], "train_loss": [0.9, 0.5, 0.3, 0.2]})
VALIDATED = HISTORY.assign(valid_loss=[0.8, 0.6, 0.4, 0.5])


def make_search():
    rates = np.geomspace(1e-4, 1.0, 5)
    return LearningRateSearch(rates, np.array([1.0, 0.9, 0.5, 0.2, 4.0]), valley=1e-2, steepest=1e-3)


def points(line):
    return np.column_stack(line.get_data()).tolist()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_epochs_are_counted_from_1():
    ax = plot_history(HISTORY)
    (line,) = ax.lines
    assert points(line) == [[1, 0.9], [2, 0.5], [3, 0.3], [4, 0.2]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    assert legend(ax) == ["training, smoothed"]


def test_the_best_epoch_by_validation_is_marked():
    ax = plot_history(VALIDATED)
    train, valid, best = ax.lines
    assert points(train)[0] == [1, 0.9]
    assert points(valid) == [[1, 0.8], [2, 0.6], [3, 0.4], [4, 0.5]]
    assert points(best) == [[3, 0.4]]
    assert legend(ax) == ["training, smoothed", "validation", "best: 0.4 in epoch 3"]


def test_an_epoch_without_validation_is_not_the_best():
    # As partial_fit leaves it after a fit that was validated.
    ax = plot_history(VALIDATED.assign(valid_loss=[0.8, 0.6, 0.4, np.nan]))
    assert points(ax.lines[-1]) == [[3, 0.4]]


def test_a_net_is_drawn_by_its_history():
    X = pd.DataFrame({"x": np.linspace(0, 1, 40)})
    net = TabularRegressor(
        layers=(4,), n_members=None, epochs=3, batch_size=32, device="cpu", validation_fraction=0.25, random_state=0
    ).fit(X, X["x"])
    assert points(plot_history(net).lines[1]) == [[n + 1, loss] for n, loss in enumerate(net.history_["valid_loss"])]


def test_suggested_rates_are_marked_on_the_curve_and_named():
    search = make_search()
    ax = search.plot()
    curve, valley, steepest = ax.lines
    assert points(curve) == np.column_stack([search.learning_rates, search.losses]).tolist()
    np.testing.assert_allclose(points(valley), [[1e-2, 0.5]], rtol=1e-9)
    np.testing.assert_allclose(points(steepest), [[1e-3, 0.9]], rtol=1e-9)
    assert legend(ax) == ["valley: 1.0e-02", "steepest: 1.0e-03"]
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "loss after one step")


def test_a_diverging_loss_does_not_flatten_the_curve():
    low, high = make_search().plot().get_ylim()
    assert low < 0.2
    assert 1.0 < high < 2.0


@pytest.mark.parametrize("draw", [lambda ax: plot_history(VALIDATED, ax), lambda ax: make_search().plot(ax=ax)])
def test_given_axes_are_used(draw):
    ax = Figure().subplots()
    assert draw(ax) is ax
    assert len(ax.lines) == 3


@pytest.mark.parametrize("draw", [lambda: plot_history(VALIDATED), lambda: make_search().plot()])
def test_no_figure_is_left_with_pyplot_and_each_plot_is_its_own(draw):
    before = plt.get_fignums()
    one, other = draw(), draw()
    assert plt.get_fignums() == before
    assert one.figure is not other.figure


def test_a_plot_can_be_written_to_a_file(tmp_path):
    plot_history(VALIDATED).figure.savefig(tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
