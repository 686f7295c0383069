"""Losses per row equal values by hand, of numpy and of scikit-learn, also averaged over members."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss, mean_absolute_error, mean_pinball_loss, mean_squared_error

from tabrec.neural.losses import REGRESSION_LOSSES, class_loss, quantile_loss, regression_loss

QUANTILES = (0.1, 0.5, 0.9)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def losses(loss, output, target):
    rows = loss(torch.tensor(output), torch.tensor(target))
    assert rows.ndim == 1
    return rows.tolist()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("mse", [0.0, 0.25, 9.0]), ("mae", [0.0, 0.5, 3.0]), ("huber", [0.0, 0.125, 2.5])],
)
def test_each_row_has_its_own_loss(name, wanted):
    assert losses(regression_loss(name), [[1.0], [2.5], [-1.0]], [[1.0], [2.0], [2.0]]) == wanted


@pytest.mark.parametrize(("name", "wanted"), [("mse", [5.0, 2.0]), ("mae", [2.0, 1.0]), ("huber", [1.5, 0.75])])
def test_several_outputs_count_equally(name, wanted):
    assert losses(regression_loss(name), [[1.0, 3.0], [2.0, 2.0]], [[0.0, 0.0], [2.0, 4.0]]) == wanted


@pytest.mark.parametrize(("name", "metric"), [("mse", mean_squared_error), ("mae", mean_absolute_error)])
def test_the_mean_over_rows_is_scikit_learns_metric(name, metric):
    output, target = np.random.default_rng(0).normal(size=(2, 50, 3))
    rows = losses(regression_loss(name), output, target)
    assert np.mean(rows) == pytest.approx(metric(target, output), rel=1e-12)


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "quantile"])
def test_a_row_of_members_has_the_mean_of_their_losses_not_the_loss_of_their_mean(name):
    rng = np.random.default_rng(0)
    loss = regression_loss(name, QUANTILES)
    n_outputs = 2 * (len(QUANTILES) if name == "quantile" else 1)
    output, target = rng.normal(size=(7, 4, n_outputs)), rng.normal(size=(7, 2))
    alone = [losses(loss, output[:, k], target) for k in range(4)]
    assert losses(loss, output, target) == pytest.approx(np.mean(alone, axis=0), rel=1e-6)
    if name == "mse":
        assert losses(loss, [[[-1.0], [1.0]]], [[0.0]]) == [1.0]


def test_the_quantile_loss_depends_on_the_side_of_the_target():
    # Too low by 10 costs q · 10, too high by 10 costs (1 - q) · 10.
    loss = quantile_loss([0.25, 0.75])
    assert losses(loss, [[0.0, 0.0], [20.0, 20.0], [0.0, 20.0], [10.0, 10.0]], [[10.0]] * 4) == [5.0, 5.0, 2.5, 0.0]


def test_the_quantile_loss_is_scikit_learns_pinball_loss():
    output, target = np.random.default_rng(0).normal(size=(40, 3)), np.random.default_rng(1).normal(size=(40, 1))
    rows = losses(regression_loss("quantile", QUANTILES), output, target)
    wanted = [mean_pinball_loss(target[:, 0], output[:, i], alpha=q) for i, q in enumerate(QUANTILES)]
    assert np.mean(rows) == pytest.approx(np.mean(wanted), rel=1e-6)


@pytest.mark.parametrize("n_members", [None, 2])
def test_quantiles_of_an_output_are_adjacent(n_members):
    loss = quantile_loss([0.25, 0.75])
    output = [[0.0, 0.0, 100.0, 100.0]]
    target = [[8.0, 100.0]]
    if n_members is not None:
        output = [output * n_members]
    # (2 + 6) / 4 of the first output, nothing of the second.
    assert losses(loss, output, target) == [2.0]


def test_the_median_of_the_quantile_loss_is_half_the_absolute_error():
    output, target = torch.randn(2, 20, 1)
    torch.testing.assert_close(quantile_loss([0.5])(output, target), regression_loss("mae")(output, target) / 2)


def test_cross_entropy_by_hand():
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    assert losses(class_loss(), logits, [0, 1]) == pytest.approx([np.log(2), np.log(10)], rel=1e-12)


def test_cross_entropy_is_scikit_learns_log_loss():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(60, 4)) * 3, rng.integers(4, size=60)
    rows = losses(class_loss(), logits, target)
    assert np.mean(rows) == pytest.approx(log_loss(target, softmax(logits, axis=1), labels=range(4)), rel=1e-9)


def test_cross_entropy_of_logits_far_apart_stays_exact():
    assert losses(class_loss(), [[500.0, -500.0], [500.0, -500.0]], [0, 1]) == [0.0, 1000.0]


def test_cross_entropy_of_members_is_the_mean_of_theirs():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(9, 5, 3)), rng.integers(3, size=9)
    for smoothing in (0.0, 0.2):
        loss = class_loss(smoothing)
        alone = [losses(loss, logits[:, k], target) for k in range(5)]
        assert losses(loss, logits, target) == pytest.approx(np.mean(alone, axis=0), rel=1e-9)


def test_label_smoothing_gives_its_share_to_all_classes_equally():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(9, 4)), rng.integers(4, size=9)
    log_p = log_softmax(logits, axis=1)
    wanted = -0.9 * log_p[np.arange(9), target] - 0.1 * log_p.mean(axis=1)
    assert losses(class_loss(0.1), logits, target) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("name", REGRESSION_LOSSES)
def test_the_loss_of_one_row_moves_only_its_own_outputs(name):
    output = torch.randn(3, 2, len(QUANTILES) if name == "quantile" else 1, requires_grad=True)
    regression_loss(name, QUANTILES)(output, torch.full((3, 1), 5.0))[1].backward()
    moved = (output.grad != 0).flatten(1)
    assert moved.all(dim=1).tolist() == [False, True, False]
    assert moved.any(dim=1).tolist() == [False, True, False]
