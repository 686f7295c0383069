"""Pairs that are rated more than once: all ratings, the last or their mean count."""

import numpy as np
import pandas as pd
import pytest

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN, load, save

# User 1 rates item 1 three times; the rows are in the order of time.
X = pd.DataFrame({"user": [1, 2, 1, 2, 1, 3], "item": [1, 1, 1, 2, 1, 2]})
Y = np.array([1.0, 4.0, 5.0, 2.0, 3.5, 3.0])
MORE = pd.DataFrame({"user": [1, 2, 4], "item": [1, 2, 1]}), [4.5, 5.0, 2.0]


def small(**changes):
    return BayesianFactorization(n_factors=1, n_sweeps=3, random_state=0, **changes)


def held(model, user, item):
    ratings = model.ratings_
    return ratings["rating"][(ratings["user"] == user) & (ratings["item"] == item)].tolist()


@pytest.mark.parametrize(
    ("rule", "first", "then"),
    [("all", [1, 3.5, 5], [1, 3.5, 4.5, 5]), ("last", [3.5], [4.5]), ("mean", [9.5 / 3], [14 / 4])],
)
def test_a_pair_has_the_ratings_that_count(rule, first, then, tmp_path):
    model = small(duplicates=rule).fit(X, Y)
    assert held(model, 1, 1) == pytest.approx(first)
    assert held(model, 3, 2) == [3.0]
    model = load(save(model, tmp_path / "model")).partial_fit(*MORE)
    assert held(model, 1, 1) == pytest.approx(then)
    assert held(model, 2, 2) == pytest.approx({"all": [2, 5], "last": [5], "mean": [3.5]}[rule])
    assert held(model, 4, 1) == [2.0]
    assert model.mean_rating_ == pytest.approx(model.ratings_["rating"].mean())
    forgot = model.forget(users=4)
    assert held(forgot, 1, 1) == pytest.approx(then)
    with pytest.raises(ValueError, match="duplicates=.*only in a new fit"):
        model.set_params(duplicates="last" if rule != "last" else "all").partial_fit(*MORE)


def test_the_mean_is_weighted():
    model = small(duplicates="mean").fit(X, Y, sample_weight=[0.5, 1.1, 1.5, 1, 0, 1])
    assert held(model, 1, 1) == pytest.approx([(0.5 * 1 + 1.5 * 5) / 2])


@pytest.mark.parametrize("rule", ["last", "mean"])
@pytest.mark.parametrize("net", [DotProductBias(n_factors=2), EmbeddingNN(layers=(4,))], ids=["dot", "nn"])
def test_a_model_is_that_of_the_ratings_that_count(net, rule):
    net.set_params(epochs=1, random_state=0, duplicates=rule)
    groups = pd.Series(Y).groupby([X["user"], X["item"]])
    merged = (groups.last() if rule == "last" else groups.mean()).reset_index(name="rating")
    expected = net.fit(merged[["user", "item"]], merged["rating"]).predict(X)
    np.testing.assert_allclose(net.fit(X, Y).predict(X), expected)


def test_the_last_rating_keeps_its_context():
    context = X.assign(day=np.arange(6.0))
    model = EmbeddingNN(layers=(4,), epochs=1, context=["day"], duplicates="last", random_state=0).fit(context, Y)
    kept = context.drop_duplicates(["user", "item"], keep="last")
    expected = EmbeddingNN(layers=(4,), epochs=1, context=["day"], random_state=0).fit(kept, Y[kept.index])
    np.testing.assert_allclose(model.predict(context), expected.predict(context))
