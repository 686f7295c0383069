"""Optimizers: weight decay computed by hand, and learning rate schedules with the values of fastai."""

import numpy as np
import pytest
import torch
from torch import nn

from tabrec import TabularModel, TabularRegressor
from tabrec.neural.optimizers import OPTIMIZERS, SCHEDULES, Rates, make_optimizer, scheduled_rates, set_rates
from tabrec.neural.parameters import read_learning_rate
from tabrec.neural.tabular_model import GivenModel

EDGES = [np.array([-1.0, 0.0, 1.0])] * 2


def names_by_decay(model, optimizer="adamw"):
    """Names of the parameters with a weight decay of 0.1 and of those without."""
    made = make_optimizer(model, optimizer, 0.1, weight_decay=0.1, momentum=0.9)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    share = "shrink" if optimizer == "sgd" else "weight_decay"
    found = {0.1: [], 0.0: []}
    for group in made.param_groups:
        found[group[share]] += [names[id(parameter)] for parameter in group["params"]]
    assert sorted(found[0.1] + found[0.0]) == sorted(names.values())
    return set(found[0.1]), set(found[0.0])


def embeddings_of(model):
    return {name for name, _ in model.named_parameters() if name.startswith("embeddings.")}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_matrices_and_embeddings_are_decayed_but_neither_biases_nor_norms(optimizer):
    model = TabularModel({"state": 5, "bias": 7}, 2, layers=[4])
    decayed, others = names_by_decay(model, optimizer)
    assert decayed == {*embeddings_of(model), "blocks.0.linear.weight", "output.weight"}
    assert others == {
        "numeric_norm.weight",
        "numeric_norm.bias",
        "blocks.0.linear.bias",
        "blocks.0.norm.weight",
        "blocks.0.norm.bias",
        "output.bias",
    }


def test_scales_and_biases_of_members_are_not_decayed():
    decayed, others = names_by_decay(TabularModel({}, 2, layers=[4, 3], batch_norm=False, n_members=3))
    assert decayed == {"blocks.0.linear.weight", "blocks.1.linear.weight", "output.weight"}
    assert others == {"member_scale", "blocks.0.linear.bias", "blocks.1.linear.bias", "output.bias"}


@pytest.mark.parametrize("kind", ["piecewise", "periodic"])
def test_biases_of_numeric_embeddings_are_not_decayed(kind):
    model = TabularModel({}, 2, layers=[4], batch_norm=False, numeric_embedding=kind, bin_edges=EDGES)
    decayed, others = names_by_decay(model)
    maps = {"linear", "bins"} if kind == "piecewise" else {"weight"}
    assert {f"numeric_embedding.{part}" for part in maps} <= decayed
    assert others == {"numeric_embedding.bias", "blocks.0.linear.bias", "output.bias"}


def test_a_model_of_biases_alone_has_one_group():
    model = nn.BatchNorm1d(3)
    optimizer = make_optimizer(model, "adamw", 0.1, weight_decay=0.1, momentum=0.9)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.0]


def steps(optimizer, gradients, weight_decay=0.0, momentum=0.9, start=2.0):
    """Weight and bias of a linear layer after steps with the given gradients and learning rate 0.1."""
    line = nn.Linear(1, 1)
    nn.init.constant_(line.weight, start)
    nn.init.constant_(line.bias, start)
    made = make_optimizer(line, optimizer, 0.1, weight_decay, momentum)
    for gradient in gradients:
        line.weight.grad = torch.full((1, 1), gradient)
        line.bias.grad = torch.full((1,), gradient)
        made.step()
    return line.weight.item(), line.bias.item()


def test_sgd_uses_nesterov_momentum():
    # v ← 0.5 v + g; w ← w - 0.1 (g + 0.5 v): first v = 4 and a step of 0.6, then v = 6 and a step of 0.7.
    weight, bias = steps("sgd", [4.0, 4.0], momentum=0.5)
    assert weight == bias == pytest.approx(2.0 - 0.6 - 0.7)


def test_sgd_without_momentum_goes_down_the_gradient():
    assert steps("sgd", [4.0, -1.0], momentum=0.0) == pytest.approx((1.7, 1.7))


def test_sgd_shrinks_weights_by_the_learning_rate_times_the_decay_apart_from_momentum():
    # By 1 - 0.1 · 0.5 before each step, the steps as without decay.
    weight, bias = steps("sgd", [4.0, 4.0], weight_decay=0.5, momentum=0.5)
    assert weight == pytest.approx((2.0 * 0.95 - 0.6) * 0.95 - 0.7)
    assert bias == pytest.approx(0.7)


def test_without_a_gradient_adamw_and_sgd_shrink_weights_and_leave_biases():
    for optimizer in ("adamw", "sgd"):
        assert steps(optimizer, [0.0, 0.0], weight_decay=0.5) == pytest.approx((2.0 * 0.95**2, 2.0))


def test_the_decay_of_adam_is_added_to_the_gradient():
    # The first step of Adam is one learning rate, however small the gradient.
    assert steps("adam", [0.0], weight_decay=0.5) == pytest.approx((1.9, 2.0))


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_the_momentum_is_beta1_of_adam(optimizer):
    # Moments after gradients 3 and 1, unbiased: m = (0.8·0.2·3 + 0.2·1) / (1 - 0.8²), v likewise of squares.
    m = (0.8 * 0.2 * 3 + 0.2 * 1) / (1 - 0.8**2)
    v = (0.99 * 0.01 * 9 + 0.01 * 1) / (1 - 0.99**2)
    weight, bias = steps(optimizer, [3.0, 1.0], momentum=0.8)
    assert weight == bias == pytest.approx(2.0 - 0.1 - 0.1 * m / v**0.5, rel=1e-6)


def test_a_callable_gets_the_groups_and_the_learning_rate():
    given = {}

    def make(groups, lr):
        given.update(groups=groups, lr=lr)
        return torch.optim.RMSprop(groups, lr=lr)

    line = nn.Linear(2, 1)
    made = make_optimizer(line, make, 0.03, weight_decay=0.2, momentum=0.9)
    assert isinstance(made, torch.optim.RMSprop)
    assert given["lr"] == 0.03
    assert [group["weight_decay"] for group in given["groups"]] == [0.2, 0.0]
    assert [[p is line.weight for p in group["params"]] for group in given["groups"]] == [[True], [False]]
    assert [group["lr"] for group in made.param_groups] == [0.03, 0.03]


# Learning rate of 0.1 and momentum by step of 41, from fastai 2.8's combined_cos(0.25, lr / 25, lr, lr / 1e5).
FASTAI = {
    0: (0.004, 0.95),
    5: (0.052, 0.9),
    10: (0.1, 0.85),
    20: (0.07500025, 0.875),
    30: (0.02500075, 0.925),
    36: (0.004323687, 0.9456773),
    40: (1e-6, 0.95),
}


@pytest.mark.parametrize(("step", "wanted"), FASTAI.items())
def test_one_cycle_has_the_rates_of_fastai(step, wanted):
    assert scheduled_rates("one_cycle", step, 41, 0.1, momentum=0.5) == pytest.approx(wanted, rel=1e-6)


def test_one_cycle_rises_for_a_quarter_and_falls_from_then_on():
    paces = [scheduled_rates("one_cycle", step, 101, 1.0, 0.9) for step in range(101)]
    rates, momenta = np.array(paces).T
    assert (np.diff(rates[:26]) > 0).all()
    assert (np.diff(rates[25:]) < 0).all()
    assert (rates.argmax(), rates.max()) == (25, 1.0)
    assert (momenta.argmin(), momenta.min()) == (25, 0.85)
    assert rates[-1] == pytest.approx(1e-5)


def test_flat_cosine_is_constant_for_three_quarters_and_falls_to_0():
    paces = [scheduled_rates("flat_cosine", step, 9, 0.1, 0.8) for step in range(9)]
    falling = [0.1 * (1 + np.cos(np.pi * part)) / 2 for part in (0.5, 1.0)]
    assert [pace.learning_rate for pace in paces] == pytest.approx([0.1] * 7 + falling, abs=1e-12)
    assert {pace.momentum for pace in paces} == {0.8}


def test_constant_does_not_change():
    assert {scheduled_rates("constant", step, 9, 0.1, 0.8) for step in range(9)} == {Rates(0.1, 0.8)}


@pytest.mark.parametrize(
    ("schedule", "rate"), [("one_cycle", 0.004), ("flat_cosine", 0.1), ("constant", 0.1), ("warm_restarts", 0.1)]
)
def test_a_training_of_one_step_uses_the_first_rates(schedule, rate):
    assert scheduled_rates(schedule, 0, 1, 0.1, 0.9).learning_rate == pytest.approx(rate)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("n_steps", [1, 2, 3, 7, 1000])
def test_rates_stay_within_their_bounds(schedule, n_steps):
    for step in range(n_steps):
        rate, momentum = scheduled_rates(schedule, step, n_steps, 0.1, 0.9)
        assert 0.0 <= rate <= 0.1 + 1e-12
        assert 0.85 - 1e-12 <= momentum <= 0.95 + 1e-12


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_set_rates_sets_beta1_of_adam(optimizer):
    made = make_optimizer(nn.Linear(2, 1), optimizer, 0.1, 0.01, 0.9)
    set_rates(made, Rates(0.02, 0.86))
    assert [(group["lr"], group["betas"]) for group in made.param_groups] == [(0.02, (0.86, 0.99))] * 2


def test_set_rates_sets_the_momentum_of_sgd_unless_it_is_0():
    for momentum, wanted in ((0.9, 0.86), (0.0, 0.0)):
        made = make_optimizer(nn.Linear(2, 1), "sgd", 0.1, 0.01, momentum)
        set_rates(made, Rates(0.02, 0.86))
        assert [(group["lr"], group["momentum"]) for group in made.param_groups] == [(0.02, wanted)] * 2


def test_set_rates_sets_the_learning_rate_of_an_optimizer_without_momentum():
    made = make_optimizer(nn.Linear(2, 1), torch.optim.Adagrad, 0.1, 0.01, 0.9)
    set_rates(made, Rates(0.02, 0.86))
    assert [group["lr"] for group in made.param_groups] == [0.02, 0.02]
    assert all("momentum" not in group and "betas" not in group for group in made.param_groups)


def test_the_decay_of_sgd_follows_the_learning_rate():
    line = nn.Linear(1, 1)
    nn.init.constant_(line.weight, 2.0)
    made = make_optimizer(line, "sgd", 0.1, 0.5, 0.9)
    set_rates(made, Rates(0.4, 0.9))
    line.weight.grad = torch.zeros(1, 1)
    made.step()
    assert line.weight.item() == pytest.approx(2.0 * (1 - 0.4 * 0.5))


def test_adamw_equals_torchs_and_skips_parameters_without_gradient():
    nets = [torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    ours = make_optimizer(nets[0], "adamw", 0.01, 0.1, 0.9)
    decays = [{"params": [p for p in nets[1].parameters() if (p.ndim == 2) == decayed]} for decayed in (True, False)]
    decays = [group | {"weight_decay": decay} for group, decay in zip(decays, (0.1, 0.0), strict=True)]
    theirs = torch.optim.AdamW(decays, lr=0.01, betas=(0.9, 0.99), eps=1e-8, fused=True)
    rows = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    for step in range(6):
        for net, optimizer in zip(nets, (ours, theirs), strict=True):
            optimizer.zero_grad()
            net(rows).pow(2).sum().backward()
            if step == 3:
                for parameter in net.parameters():
                    if parameter.ndim == 1:
                        parameter.grad = None
            optimizer.step()
    for mine, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0)
    with pytest.raises(ValueError, match="closure is not supported"):
        ours.step(lambda: 0.0)


def test_warm_restarts_fall_to_0_in_three_cycles_of_1_2_and_4_parts():
    rates = [scheduled_rates("warm_restarts", step, 71, 0.1, 0.9) for step in range(71)]
    assert {rate.momentum for rate in rates} == {0.9}
    found = np.array([rate.learning_rate for rate in rates])
    starts = np.flatnonzero(np.diff(found, prepend=0.0) > 0)
    assert starts.tolist() == [0, 10, 30]
    np.testing.assert_allclose(found[starts], 0.1)
    np.testing.assert_allclose(found[[5, 20, 50]], 0.05)
    assert found[-1] == pytest.approx(0.0, abs=1e-12)


def rate_shares(model, lowest_share):
    made = make_optimizer(model, "adamw", 0.1, 0.01, 0.9, lowest_share)
    set_rates(made, Rates(0.2, 0.9))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group["lr"] / 0.2 for group in made.param_groups for p in group["params"]}


def test_layers_learn_at_rates_that_ascend_from_the_embeddings_to_the_output():
    shares = rate_shares(TabularModel({"state": 5}, 2, layers=[4, 3], batch_norm=True), 0.001)
    by_layer = {"embeddings": 0.001, "numeric_norm": 0.001, "blocks.0": 0.01, "blocks.1": 0.1, "output": 1.0}
    for name, share in shares.items():
        assert share == pytest.approx(next(value for layer, value in by_layer.items() if name.startswith(layer)))
    assert set(rate_shares(TabularModel({"state": 5}, layers=[4]), 1.0).values()) == {1.0}


def test_the_layers_of_a_given_net_are_its_children():
    net = GivenModel(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), 0.0, None)
    assert rate_shares(net, 0.25) == {
        "net.0.weight": 0.25,
        "net.0.bias": 0.25,
        "net.2.weight": 1.0,
        "net.2.bias": 1.0,
    }


@pytest.mark.parametrize("rate", [(0.01, 0.1), [0.01, 0.1], np.array([0.01, 0.1])])
def test_a_pair_of_learning_rates_is_the_last_one_and_a_share(rate):
    assert read_learning_rate(rate) == (0.1, pytest.approx(0.1))
    assert read_learning_rate(0.1) == (0.1, 1.0)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ((0.1, 0.01), "must ascend"),
        ((0.1, 0.2, 0.3), "a pair"),
        ((), "a pair"),
        ((0, 1), "a pair"),
        (("a", 1), "a pair"),
    ],
)
def test_other_learning_rates_are_refused(rate, message):
    with pytest.raises(ValueError, match=f"learning_rate=.*{message}"):
        read_learning_rate(rate)


LINEAR = {"layers": (), "n_members": None, "numeric_embedding": None, "dropout": 0.0, "random_state": 0}


def make_line():
    X = np.random.default_rng(0).normal(size=(60, 3))
    return X, X @ [3.0, -2.0, 0.5] + 4.0


def test_no_layers_make_a_linear_net_and_lbfgs_finds_the_least_squares():
    X, y = make_line()
    lbfgs = {"optimizer": torch.optim.LBFGS, "learning_rate": 1.0, "weight_decay": 0.0, "schedule": "constant"}
    net = TabularRegressor(**LINEAR, **lbfgs, epochs=2, batch_size=60).fit(X, y)
    np.testing.assert_allclose(net.predict(X), y, atol=1e-3)
    assert [name for name, _ in net.model_.named_parameters()] == ["output.weight", "output.bias"]


def test_lbfgs_refuses_what_needs_groups_of_parameters():
    with pytest.raises(ValueError, match=r"optimizer=LBFGS takes no groups .* set weight_decay=0; got 0.3"):
        TabularRegressor(**LINEAR, optimizer=torch.optim.LBFGS).fit(*make_line())
    settings = {"weight_decay": 0.0, "learning_rate": (0.01, 0.1), "layers": (4,)}
    with pytest.raises(ValueError, match=r"optimizer=LBFGS takes no groups .* learning_rate must be one number"):
        TabularRegressor(**LINEAR | settings, optimizer=torch.optim.LBFGS).fit(*make_line())
