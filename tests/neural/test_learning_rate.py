"""`find_learning_rate`: suitable rates, found without changing the net."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from tabrec import (
    Categorify,
    DotProductBias,
    EmbeddingNN,
    FillMissing,
    ForestRegressor,
    Normalize,
    TabularClassifier,
    TabularRegressor,
    find_learning_rate,
)
from tabrec.datasets import make_ratings
from tabrec.neural.learning_rate import LearningRateSearch, _steepest, _valley

NET = {
    "layers": (16,),
    "n_members": None,
    "batch_norm": False,
    "dropout": 0.0,
    "numeric_embedding": None,
    "epochs": 5,
    "batch_size": 32,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "optimizer": "adamw",
    "schedule": "one_cycle",
    "max_grad_norm": 1.0,
    "device": "cpu",
    "mixed_precision": False,
    "random_state": 0,
}


def make_frame(seed=0, n_rows=200):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"state": generator.choice(["Ohio", "Utah"], n_rows), "age": generator.uniform(0, 10, n_rows)})
    return X, (X["age"] + 5 * (X["state"] == "Utah") + generator.normal(0, 0.3, n_rows)).to_numpy()


@pytest.mark.parametrize("fitted", [False, True])
def test_the_estimator_is_not_changed(fitted):
    X, y = make_frame()
    net = TabularRegressor(**NET)
    if fitted:
        net.fit(X, y)
    before, known, predicted = net.get_params(), dict(vars(net)), net.predict(X) if fitted else None
    find_learning_rate(net, X, y, n_steps=20)
    assert net.get_params() == before
    assert vars(net).keys() == known.keys()
    if fitted:
        np.testing.assert_array_equal(net.predict(X), predicted)


def test_global_random_states_are_not_changed():
    X, y = make_frame()
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    find_learning_rate(TabularRegressor(**NET), X, y, n_steps=20)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


def test_the_same_random_state_finds_the_same():
    X, y = make_frame()
    one, other = (find_learning_rate(TabularRegressor(**NET | {"dropout": 0.2}), X, y, n_steps=30) for _ in range(2))
    np.testing.assert_array_equal(one.losses, other.losses)
    assert (one.valley, one.steepest) == (other.valley, other.steepest)


def test_rates_grow_by_the_same_factor_within_the_bounds():
    X, y = make_frame()
    search = find_learning_rate(TabularRegressor(**NET), X, y, smallest=1e-5, largest=1e-2, n_steps=31)
    np.testing.assert_allclose(search.learning_rates, np.geomspace(1e-5, 1e-2, 31), rtol=1e-12)
    assert len(search.losses) == 31
    assert 1e-5 <= search.valley <= 1e-2
    assert 1e-5 <= search.steepest <= 1e-2


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("make", [TabularRegressor, TabularClassifier])
def test_the_valley_trains_better_than_a_thousandth_of_it(make, optimizer):
    X, y = make_frame()
    y = y if make is TabularRegressor else np.where(y > 7, "dear", "cheap")
    net = make(**NET | {"optimizer": optimizer, "epochs": 15})
    search = find_learning_rate(net, X, y)
    assert search.losses[0] > 2 * search.losses.min()
    good, slow = (
        clone(net).set_params(learning_rate=rate).fit(X, y, eval_set=(X, y)).history_["valid_loss"].min()
        for rate in (search.valley, search.valley / 1000)
    )
    assert good < slow / 2


def test_a_search_that_diverges_ends_early():
    X, y = make_frame()
    net = TabularRegressor(**NET | {"optimizer": "sgd", "max_grad_norm": None})
    search = find_learning_rate(net, X, y, smallest=1e-4, largest=1e4, n_steps=80)
    assert len(search.learning_rates) == len(search.losses) < 80
    assert np.isfinite(search.losses).all()
    assert search.losses[:-1].max() <= 2 * search.losses[0]
    assert search.valley < search.learning_rates[-1]
    assert search.steepest < search.learning_rates[-1]


def test_the_suggestions_lie_on_the_descent():
    rates = np.geomspace(1e-6, 1.0, 61)
    # Flat up to 1e-4, then down a straight line to the lowest loss at 1e-1, then up.
    position = np.log10(rates)
    losses = np.interp(position, [-6, -4, -1, 0], [1.0, 1.0, 0.1, 3.0])
    assert 1e-3 < _valley(rates, losses) < 1e-2
    assert 1e-4 < _steepest(rates, losses) < 1e-1


def test_a_loss_that_only_rises_suggests_the_smallest_rates():
    rates = np.geomspace(1e-6, 1.0, 61)
    losses = np.linspace(1.0, 2.0, 61)
    assert _valley(rates, losses) == pytest.approx(1e-6)
    assert _steepest(rates, losses) == pytest.approx(1e-6)


def test_sample_weights_change_the_losses():
    X, y = make_frame()
    weights = np.random.default_rng(0).uniform(0.1, 9, 200)
    plain, weighted = (find_learning_rate(TabularRegressor(**NET), X, y, w, n_steps=20) for w in (None, weights))
    assert abs(plain.losses[:10] - weighted.losses[:10]).min() > 1e-3


def test_the_last_step_of_a_pipeline_is_searched_on_the_output_of_the_others():
    X, y = make_frame()
    steps = Categorify(), FillMissing(), Normalize()
    pipeline = make_pipeline(*steps, TabularRegressor(**NET))
    search = find_learning_rate(pipeline, X, y, n_steps=30)
    given = find_learning_rate(TabularRegressor(**NET, preprocessor=make_pipeline(*steps)), X, y, n_steps=30)
    np.testing.assert_allclose(search.losses, given.losses, rtol=1e-5)
    assert not hasattr(pipeline[0], "categories_")
    alone = find_learning_rate(make_pipeline(TabularRegressor(**NET)), X, y, n_steps=30)
    np.testing.assert_array_equal(alone.losses, find_learning_rate(TabularRegressor(**NET), X, y, n_steps=30).losses)


@pytest.mark.parametrize(
    "settings", [{"loss": "quantile"}, {"n_members": 4, "numeric_embedding": "piecewise"}, {"validation_fraction": 0.2}]
)
def test_every_kind_of_net_is_searched(settings):
    X, y = make_frame()
    search = find_learning_rate(TabularRegressor(**NET | settings), X, y, n_steps=40)
    assert search.losses.min() < 0.8 * search.losses[0]


def test_callbacks_are_not_called():
    X, y = make_frame()
    events = []
    find_learning_rate(TabularRegressor(**NET, callbacks=[lambda *event: events.append(event)]), X, y, n_steps=20)
    assert events == []


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"smallest": 0.0}, "'smallest' parameter .* Got 0.0 instead"),
        ({"smallest": 1.0, "largest": 0.1}, "below largest; got smallest=1.0 and largest=0.1"),
        ({"smallest": 0.1, "largest": 0.1}, "smallest must be below largest"),
        ({"largest": np.nan}, "'largest' parameter .* Got nan instead"),
        ({"n_steps": 9}, "'n_steps' parameter .* Got 9 instead"),
    ],
    ids=str,
)
def test_invalid_parameters_raise(bounds, message):
    with pytest.raises(ValueError, match=message):
        find_learning_rate(TabularRegressor(**NET), *make_frame(), **bounds)


@pytest.mark.parametrize(
    "estimator",
    [ForestRegressor(), make_pipeline(LinearRegression()), TabularRegressor],
    ids=["forest", "line", "class"],
)
def test_other_estimators_raise(estimator):
    with pytest.raises(
        TypeError, match="estimator must be a TabularRegressor, TabularClassifier, DotProductBias or EmbeddingNN; got"
    ):
        find_learning_rate(estimator, *make_frame())


def test_a_loss_that_is_not_finite_at_the_first_steps_raises():
    net = TabularRegressor(**NET | {"optimizer": "sgd", "max_grad_norm": None})
    with pytest.raises(ValueError, match="not finite at learning rates from 1e\\+30: lower `smallest`"):
        find_learning_rate(net, *make_frame(), smallest=1e30, largest=1e35)


@pytest.mark.parametrize(
    ("settings", "message"), [({"epochs": 0}, "epochs"), ({"device": "foo"}, "device must be .* got 'foo'")]
)
def test_parameters_that_fit_rejects_raise(settings, message):
    with pytest.raises(ValueError, match=message):
        find_learning_rate(TabularRegressor(**NET | settings), *make_frame())


def test_a_search_is_immutable():
    search = LearningRateSearch(np.array([0.1, 1.0]), np.array([2.0, 1.0]), valley=0.3, steepest=0.5)
    assert (search.valley, search.steepest) == (0.3, 0.5)
    with pytest.raises(AttributeError):
        search.valley = 1.0


# Shares of the loss left at the best and at the suggested rate. EmbeddingNN starts from the loss of the biases.
@pytest.mark.parametrize(
    ("recommender", "best", "left"), [(DotProductBias, 0.97, 0.97), (EmbeddingNN, 0.995, 0.999)], ids=["dot", "nn"]
)
def test_a_recommender_learns_at_the_suggested_rate_and_hardly_at_a_much_lower_one(recommender, best, left):
    ratings = make_ratings(1_500, random_state=0)
    X, y = ratings[["user", "item"]], ratings["rating"]
    model = (
        recommender(epochs=2, batch_size=64, row_penalty=0.0, random_state=0)
        if recommender is DotProductBias
        else (recommender((8,), epochs=2, batch_size=64, random_state=0))
    )
    search = find_learning_rate(model, X, y, smallest=1e-5)
    assert not hasattr(model, "users_")
    assert search.losses.min() < best * search.losses[0]
    low, suggested = (
        clone(model).set_params(learning_rate=rate, schedule="constant").fit(X, y).history_["train_loss"].iloc[-1]
        for rate in (search.valley / 1000, search.valley)
    )
    assert suggested < left * low
