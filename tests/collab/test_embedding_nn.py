"""`EmbeddingNN`: biases that the net corrects, neighbours, threads, counts, and what further ratings train."""

import numpy as np
import pandas as pd
import pytest
import torch

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab import embedding_scorer
from tabrec.collab.bias_baseline import fit_biases
from tabrec.collab.factors import limit_parts
from tabrec.collab.net_training import RatingScale


def pairs_of(n_users, n_items, n, seed):
    rng = np.random.default_rng(seed)
    places = rng.choice(n_users * n_items, n, replace=False)
    return pd.DataFrame({"user": places // n_items, "item": places % n_items}), rng


@pytest.fixture(scope="module")
def of_biases():
    """Ratings that biases explain, with noise; the second half is held out."""
    X, rng = pairs_of(80, 60, 1_600, 0)
    y = 3 + rng.normal(0, 0.6, 80)[X["user"]] + rng.normal(0, 0.6, 60)[X["item"]] + rng.normal(0, 1.0, len(X))
    y = y.round().clip(1, 5)
    return X[:800], y[:800], X[800:], y[800:]


@pytest.fixture(scope="module")
def net(of_biases):
    return EmbeddingNN(random_state=0).fit(*of_biases[:2])


def test_few_ratings_are_predicted_as_well_as_by_biases(of_biases, net):
    _, _, X, y = of_biases
    reader = net._reader
    biases = fit_biases(reader.ratings, reader.users.n_codes, reader.items.n_codes)
    by_biases = biases.predict(reader.users.ids.encode_list(X["user"]), reader.items.ids.encode_list(X["item"]))
    errors = [np.sqrt(np.mean((predicted - y) ** 2)) for predicted in (net.predict(X), by_biases)]
    assert errors[0] < errors[1] * 1.005


def test_the_same_seed_gives_the_same_net_with_any_number_of_threads(of_biases, net):
    X, y, *_ = of_biases
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if before == 1 else 1)
        other = EmbeddingNN(random_state=0).fit(X, y)
        assert torch.get_num_threads() != before
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(other.predict(X), net.predict(X), atol=1e-6)
    np.testing.assert_array_equal(other.item_factors_, net.item_factors_)


def test_items_of_the_same_users_are_similar_and_a_single_high_rating_does_not_win():
    X, rng = pairs_of(60, 40, 1_200, 1)
    X = X[X["user"] % 2 == X["item"] % 2]
    rare = pd.DataFrame({"user": [1], "item": [99]})
    X = pd.concat([X, rare], ignore_index=True)
    y = np.append(rng.choice([3.0, 4.0, 5.0], len(X) - 1), 5.0)
    model = EmbeddingNN(random_state=0).fit(X, y)
    similar = model.similar_items(list(range(20)), 5)
    assert (similar["item"] % 2 == similar["similar"] % 2).mean() > 0.95
    assert 99 not in model.recommend(12345, 5)["item"].tolist()


def test_counts_are_predicted_around_their_mean_and_within_their_range():
    X, rng = pairs_of(60, 60, 1_500, 2)
    plays = rng.poisson(np.exp(1 + 0.8 * rng.normal(size=60)[X["user"]]) * rng.gamma(1, 1, len(X))) + 1.0
    plays[0] = 2_000.0
    for model in (EmbeddingNN(random_state=0), DotProductBias(random_state=0)):
        with pytest.warns(UserWarning, match=r"long tail \(median \d+, maximum 2000\).*ImplicitALS.*log1p"):
            predicted = model.fit(X, plays).predict(X)
        assert predicted.min() >= 1
        assert predicted.max() <= 2_000
        assert 0.5 < predicted.mean() / plays.mean() < 1.5


@pytest.mark.parametrize(("y_range", "expected"), [("auto", [1, 3, 5]), ((0, 6), [0, 3, 6]), (None, [-1, 3, 7])])
def test_predictions_end_at_the_ratings_or_at_the_range_that_is_given(y_range, expected):
    assert RatingScale(y_range, np.array([1.0, 2.0, 5.0])).clip(np.array([-1.0, 3, 7])).tolist() == expected


def test_parts_beyond_the_limits_shrink_alike():
    assert limit_parts({"mean": 3.0, "user": 2.0, "item": 2.0}, (1.0, 5.0)) == {"mean": 3.0, "user": 1.0, "item": 1.0}
    assert limit_parts({"mean": 3.0, "user": 1.0}, (1.0, 5.0)) == {"mean": 3.0, "user": 1.0}


def test_further_ratings_fold_in_new_ids_alone(of_biases, monkeypatch):
    X, y, *_ = of_biases
    model = EmbeddingNN(epochs=1, random_state=0).fit(X, y)
    folded = []
    fold = embedding_scorer.fold_into_net
    monkeypatch.setattr(
        embedding_scorer,
        "fold_into_net",
        lambda *args: folded.append((args[1], len(args[2]), len(args[3]))) or fold(*args),
    )
    more = pd.DataFrame({"user": [*X["user"][:50], 500, 500], "item": [*X["item"][:50], 3, 4]})
    model.partial_fit(more, [*y[:50], 4.0, 5.0])
    assert folded == [("user", 1, 2)]


def test_clicks_and_counts_are_not_drawn_to_the_more_frequent_value():
    X, rng = pairs_of(100, 80, 4_000, 3)
    click = (rng.random(len(X)) < 0.04) * 1.0
    predicted = BayesianFactorization(n_sweeps=30, random_state=0).fit(X, click).predict(X)
    assert predicted.mean() == pytest.approx(click.mean(), rel=0.15)


def test_a_few_further_ratings_change_the_rows_of_their_users_and_items_alone():
    X, rng = pairs_of(60, 50, 1_500, 4)
    y = rng.choice([1.0, 2.0, 3.0, 4.0, 5.0], len(X))
    model = BayesianFactorization(n_factors=2, n_sweeps=20, random_state=0).fit(X, y)
    others = X[(X["user"] != 7) & (X["item"] != 3)]
    before = model.predict(others)
    more = pd.DataFrame({"user": [7, 7, 900, 900, 900], "item": [3, 800, 3, 800, 801]})
    model.partial_fit(more, [5.0, 1.0, 5.0, 1.0, 1.0])
    np.testing.assert_array_equal(model.predict(others), before)
    new = pd.DataFrame({"user": [900, 900], "item": [3, 800]})
    assert model.predict(new, return_path=True)[1].tolist() == ["learned"] * 2
    assert model.predict(new)[0] > model.predict(new)[1] + 0.3
    assert len(model.ratings_) == len(X) + 5
