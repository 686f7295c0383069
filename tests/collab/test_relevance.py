"""The order of recommendations of models of ratings: the chance that a user takes an item, times the rating."""

import numpy as np
import pandas as pd
import pytest

from tabrec import EASE, BayesianFactorization, DotProductBias, load, save
from tabrec.collab import rank_metrics
from tabrec.collab.relevance import Relevance
from tabrec.datasets import load_movielens

# Even users take items 0 to 9, odd users 10 to 19, and all like items 5 and 15; users 0 and 1 leave out three each.
PAIRS = pd.DataFrame([(u, 10 * (u % 2) + i) for u in range(30) for i in range(10)], columns=["user", "item"])
LEFT_OUT = PAIRS["user"].lt(2) & (PAIRS["item"] % 10).isin([3, 5, 7])
LIKED = np.where(PAIRS["item"] % 10 == 5, 5.0, 2.0 + PAIRS["user"] % 3 / 2)
# One item that a single user has taken and loved.
RARE = pd.DataFrame({"user": [2], "item": [99]})
X = pd.concat([PAIRS[~LEFT_OUT], RARE], ignore_index=True)
Y = np.append(LIKED[~LEFT_OUT], 5.0)


def small():
    return BayesianFactorization(n_factors=2, n_sweeps=30, random_state=0)


@pytest.fixture(scope="module")
def model():
    return small().fit(X, Y)


def items_of(recommended):
    return recommended["item"].tolist()


def test_what_the_users_kind_takes_comes_first_and_of_that_what_is_liked(model):
    found = model.recommend([0, 1], 3)
    assert items_of(found)[0] == 5
    assert items_of(found)[3] == 15
    assert set(items_of(found)) == {3, 5, 7, 13, 15, 17}
    assert items_of(model.recommend(0, 2, order="rating")) != items_of(found)[:2]


def test_a_recommendation_has_its_predicted_rating_and_falls_with_its_relevance(model):
    found = model.recommend(0, 20)
    np.testing.assert_allclose(found["score"], model.predict(found[["user", "item"]]))
    assert (found["relevance"].diff().dropna() <= 0).all()
    of_other_kind = found["item"].between(10, 19)
    assert found["relevance"][~of_other_kind & (found["item"] < 20)].min() > 0.2
    assert found["relevance"][of_other_kind].max() < 0.1


def test_an_unknown_user_is_recommended_what_many_take_and_like(model):
    found = items_of(model.recommend(1000, 2))
    assert set(found) == {5, 15}
    assert 99 in items_of(model.recommend(1000, 3, order="rating"))


def test_relevance_does_not_depend_on_when_it_was_first_asked_for(model, tmp_path):
    expected = model.recommend([0, 1, 1000], 5)
    before_asking = small().fit(X, Y)
    for other in (
        before_asking,
        load(save(model, tmp_path / "asked")),
        load(save(small().fit(X, Y), tmp_path / "not")),
    ):
        pd.testing.assert_frame_equal(other.recommend([0, 1, 1000], 5), expected)


def test_relevance_after_further_ratings_does_not_depend_on_what_was_asked_before():
    more = pd.DataFrame({"user": [600, 600], "item": [0, 1]})
    asked, silent = small().fit(X, Y), small().fit(X, Y)
    asked.recommend(0)
    for name, new in (
        ("user", lambda m: m.new_user({10: 2.0, 11: 2.0})),
        ("ratings", lambda m: m.partial_fit(more, [3.0, 3.0])),
    ):
        expected = new(asked).recommend([0, 500], 5)
        pd.testing.assert_frame_equal(new(silent).recommend([0, 500], 5), expected, obj=name)
        asked.recommend(0)


def test_new_users_and_further_ratings_change_relevance_by_their_rows_alone(model, monkeypatch):
    model.recommend(0)
    monkeypatch.setattr(Relevance, "_learn", None)  # would learn all rows anew
    new = model.new_user({10: 2.0, 11: 2.0, 12: 3.0}, user=500)
    assert set(items_of(new.recommend(500, 7))) == set(range(13, 20))
    before = model.recommend(range(30), 5)
    pd.testing.assert_frame_equal(new.recommend(range(30), 5), before, rtol=1e-6)
    more = pd.DataFrame({"user": [600, 600, 601], "item": [0, 1, 300]})
    grown = small().fit(X, Y)
    grown._relevance = model._relevance
    grown.partial_fit(more, [3.0, 3.0, 4.0])
    assert set(items_of(grown.recommend(600, 8))) == set(range(2, 10))
    assert set(items_of(grown.recommend(601, 2))) <= set(range(20))  # takes what nobody else takes


def test_models_without_ratings_have_no_order_by_rating():
    with pytest.raises(ValueError, match="EASE does not predict ratings: order='rating'"):
        EASE().fit(X).recommend(0, order="rating")
    with pytest.raises(ValueError, match="'order' parameter of .*recommend must be a str among"):
        EASE().fit(X).recommend(0, order="stars")


@pytest.mark.real_data("ml-100k/u.data")
def test_ratings_rank_far_better_than_popularity_on_movielens():
    ratings = load_movielens("100k").ratings
    is_test = np.random.default_rng(0).random(len(ratings)) < 0.25
    train, test = ratings[~is_test], ratings[is_test]
    model = DotProductBias(epochs=1, random_state=0).fit(train[["user", "item"]], train["rating"])
    recommended = model.recommend(np.unique(test["user"]), 10)
    popular = train["item"].value_counts()
    assert rank_metrics(recommended, test[["user", "item"]])["ndcg"] > 0.42
    # Not more popular than what is taken: the order is each user's own.
    assert recommended["item"].map(popular).median() < 400
