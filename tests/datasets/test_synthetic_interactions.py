"""Synthetic clicks: long tails, taste that can be learned, positions, side tables, reproducibility."""

import numpy as np
import pandas as pd
import pytest

from tabrec import EASE, Popular
from tabrec.datasets import make_interactions


@pytest.fixture(scope="module")
def made():
    return make_interactions(30_000, n_users=500, n_items=600, with_features=True, random_state=0)


def test_clicks_have_the_documented_columns_and_order(made):
    clicks = made.interactions
    assert clicks.dtypes.astype(str).to_dict() == dict.fromkeys(["user", "item", "timestamp", "position"], "int64")
    pd.testing.assert_frame_equal(clicks, clicks.sort_values(["user", "item"]))


@pytest.mark.parametrize("n", [1, 10, 999, 50_000])
def test_clicks_number_as_many_as_asked_for_with_no_pair_twice(n):
    clicks = make_interactions(n, random_state=0)
    assert len(clicks) == n
    assert not clicks.duplicated(["user", "item"]).any()


def test_a_quarter_of_all_pairs_can_be_clicked():
    assert len(make_interactions(1_000, n_users=80, n_items=50, random_state=0)) == 1_000
    with pytest.raises(ValueError, match=r"n_interactions=1001 .* n_users=80 .* n_items=50 .*4000"):
        make_interactions(1_001, n_users=80, n_items=50)


def test_activity_and_popularity_have_long_tails(made):
    activity, popularity = (made.interactions[column].value_counts() for column in ("user", "item"))
    assert activity.max() > 3 * activity.median()
    assert popularity.max() > 4 * popularity.median()


def test_taste_is_learned_beyond_popularity(made):
    clicks = made.interactions[["user", "item"]]
    is_test = np.random.default_rng(0).random(len(clicks)) < 0.25
    popular, ease = (model.fit(clicks[~is_test]).score(clicks[is_test]) for model in (Popular(), EASE()))
    assert ease > 1.3 * popular


def test_users_click_items_of_the_topic_of_their_interest(made):
    clicks, users, items = made
    assert users.columns.tolist() == ["interest"]
    assert items.columns.tolist() == ["topic"]
    interest, topic = users["interest"].loc[clicks["user"]], items["topic"].loc[clicks["item"]]
    by_chance = (topic.value_counts(normalize=True) ** 2).sum()
    assert (interest.to_numpy() == topic.to_numpy()).mean() > 2 * by_chance


def test_first_positions_get_most_clicks_and_popular_items_come_first(made):
    clicks = made.interactions
    shares = clicks["position"].value_counts(normalize=True).sort_index()
    assert shares.index.tolist() == list(range(1, 21))
    assert shares[1] > 2 * shares[2] > 2 * shares[4]
    counts = clicks["item"].map(clicks["item"].value_counts())
    popular = counts > counts.quantile(0.8)
    assert clicks.loc[popular, "position"].mean() + 1 < clicks.loc[~popular, "position"].mean()


def test_users_join_in_turn_and_click_until_the_end_of_2019(made):
    when = pd.to_datetime(made.interactions["timestamp"], unit="s")
    assert when.dt.year.isin([2018, 2019]).all()
    latest = made.interactions[when >= when.quantile(0.8)]
    earlier = made.interactions[when < when.quantile(0.8)]
    assert 0.5 < latest["user"].isin(earlier["user"]).mean() < 1
    assert not latest["user"].drop_duplicates().isin(earlier["user"]).all()


def test_clicks_are_the_same_for_the_same_seed_only():
    first = make_interactions(500, random_state=3)
    pd.testing.assert_frame_equal(first, make_interactions(500, random_state=np.random.default_rng(3)))
    pd.testing.assert_frame_equal(first, make_interactions(500, with_features=True, random_state=3).interactions)
    assert not first.equals(make_interactions(500, random_state=4))


@pytest.mark.parametrize("name", ["n_interactions", "n_users", "n_items"])
def test_clicks_refuse_bad_counts(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        make_interactions(**{name: 0})
    with pytest.raises(TypeError, match=f"{name}=2.5"):
        make_interactions(**{name: 2.5})
