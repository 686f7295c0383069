"""Losses per row equal values by hand, of numpy and of scikit-learn, also averaged over members."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.metrics import log_loss, mean_absolute_error, mean_pinball_loss, mean_squared_error
from torch import nn
from torch.nn import functional as F

from tabrec import TabularClassifier, TabularRegressor
from tabrec.neural.losses import (
    REGRESSION_LOSSES,
    GivenLoss,
    class_loss,
    given_class_loss,
    quantile_loss,
    regression_loss,
)

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


# --- Losses of torch, and functions ----------------------------------------------------------------------------------

TINY = {"layers": (8,), "n_members": 2, "numeric_embedding": None, "epochs": 2, "batch_size": 16, "random_state": 0}


def squared(predicted, true):
    return (predicted - true) ** 2


def log_rmse(predicted, true):
    return F.mse_loss(predicted.clamp(min=1e-3).log(), true.log()).sqrt()


def make_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(48, 2))
    return X, np.exp(2 + X[:, 0] + 0.1 * rng.normal(size=48))


@pytest.mark.parametrize("loss", [nn.MSELoss, nn.MSELoss(), nn.MSELoss(reduction="sum"), squared], ids=range(4))
@pytest.mark.parametrize("shape", [(7, 1), (7, 3), (7, 4, 1), (7, 4, 2)])
def test_a_given_loss_has_one_number_per_row_as_the_named_one_has(loss, shape):
    output, target = torch.randn(shape), torch.randn(shape[0], shape[-1])
    torch.testing.assert_close(GivenLoss(loss)(output, target), regression_loss("mse")(output, target))


def test_a_given_instance_keeps_its_reduction():
    loss = nn.MSELoss()
    GivenLoss(loss)
    assert loss.reduction == "mean"


def test_a_given_loss_takes_predictions_and_targets_in_units_of_the_target():
    X, y = make_rows()
    seen = []

    def record(predicted, true):
        seen.append(true[:, 0].tolist())
        return (predicted - true).abs()

    TabularRegressor(**TINY | {"epochs": 1, "batch_size": 48, "n_members": None}, loss=record).fit(X, y)
    assert sorted(seen[0]) == pytest.approx(sorted(y), rel=1e-4)


@pytest.mark.parametrize("loss", [log_rmse, nn.L1Loss, nn.SmoothL1Loss(beta=0.5)], ids=["log_rmse", "L1", "SmoothL1"])
def test_a_net_learns_by_a_given_loss(loss):
    X, y = make_rows()
    net = TabularRegressor(**TINY | {"epochs": 20, "learning_rate": 0.02}, loss=loss).fit(X, y)
    assert net.history_["train_loss"].iloc[-1] < 0.9 * net.history_["train_loss"].iloc[0]


def test_a_given_mean_squared_error_gives_the_net_of_the_named_one():
    X, y = make_rows()
    y = (y - y.mean()) / y.std()  # the units in which the named loss is computed
    nets = [TabularRegressor(**TINY, loss=loss).fit(X, y) for loss in ("mse", nn.MSELoss)]
    np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), rtol=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        nn.CrossEntropyLoss,
        nn.NLLLoss,
        nn.BCELoss(),
        nn.BCEWithLogitsLoss,
        lambda logits, codes: F.cross_entropy(logits, codes),
    ],
    ids=["CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss", "function"],
)
def test_losses_of_two_classes_are_the_cross_entropy(loss):
    logits, codes = torch.randn(9, 3, 2), torch.randint(2, (9,))
    found, wanted = given_class_loss(loss, 2)(logits, codes), class_loss()(logits, codes)
    torch.testing.assert_close(found.mean(), wanted.mean())
    X, y = make_rows()
    nets = [TabularClassifier(**TINY, loss=loss).fit(X, y > 7) for loss in ("cross_entropy", loss)]
    np.testing.assert_allclose(nets[0].predict_proba(X), nets[1].predict_proba(X), rtol=1e-3)


def test_rows_are_weighted_by_a_given_loss_unless_it_returns_one_number():
    X, y = make_rows()
    weights = np.linspace(0.5, 2, len(y))
    y = (y - y.mean()) / y.std()
    nets = [TabularRegressor(**TINY, loss=loss).fit(X, y, weights) for loss in ("mse", squared)]
    np.testing.assert_allclose(nets[0].predict(X), nets[1].predict(X), rtol=1e-3)
    with pytest.raises(ValueError, match="one number for all rows, so rows cannot be weighted"):
        TabularRegressor(**TINY, loss=lambda p, t: squared(p, t).mean()).fit(X, y, weights)


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda p, t: (p[:, 0] - t) ** 2, ValueError, r"one number per row, .* got shape \(32, 32\)"),
        (lambda p, t: (p - t)[:5], ValueError, r"got shape \(5, 1\)"),
        (lambda p, t: 0.5, TypeError, "must return a tensor; got float"),
        (lambda p, t: (p.detach() - t) ** 2, ValueError, "has no gradient"),
        (dict, TypeError, "must be a loss of torch or a function"),
    ],
    ids=["pairs", "short", "float", "detached", "class"],
)
def test_a_loss_of_another_form_is_refused(loss, error, message):
    with pytest.raises(error, match=message):
        TabularRegressor(**TINY, loss=loss).fit(*make_rows())


def test_losses_that_do_not_fit_the_classes_are_refused():
    X, y = make_rows()
    with pytest.raises(ValueError, match="needs two classes, but the target has 3"):
        TabularClassifier(**TINY, loss=nn.BCELoss).fit(X, np.digitize(y, [5, 10]))
    with pytest.raises(ValueError, match=r"label_smoothing=0.1 requires loss='cross_entropy'"):
        TabularClassifier(**TINY, loss=nn.CrossEntropyLoss, label_smoothing=0.1).fit(X, y > 7)
