"""`TwoStageRecommender`: candidates without seen items, training without leakage, explanations, context and time."""

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit

import tabrec
from tabrec import EASE, BoostingClassifier, ItemKNN, Popular, TabularClassifier, TwoStageRecommender
from tabrec.collab.interactions import Interactions
from tabrec.stages.pair_features import histories
from tabrec.stages.ranker_training import held_out_parts

N_USERS, N_ITEMS = 40, 24
RETRIEVERS = [EASE(ridge=5.0), Popular()]


def make_clicks(seed=0):
    """Users take most of the items of their parity: pairs with a value, a time and a device."""
    rng = np.random.default_rng(seed)
    user, item = (codes.ravel() for codes in np.mgrid[:N_USERS, :N_ITEMS])
    rows = np.flatnonzero((user % 2 == item % 2) & (rng.random(len(user)) < 0.5))
    rows = rng.permutation(rows)
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(rows)), unit="h")
    device = rng.choice(["phone", "desk"], len(rows))
    return pd.DataFrame({"user": user[rows], "item": item[rows], "at": at, "device": device})


CLICKS = make_clicks()
PAIRS = CLICKS[["user", "item"]]
FEATURES = {
    "user_features": pd.DataFrame({"town": ["Rome", "Oslo"] * 20 + ["Bern"]}, index=range(41)),
    "item_features": pd.DataFrame(
        {"kind": ["even", "odd"] * 12 + ["odd"], "tags": ["a|b", "b|c", "c"] * 8 + ["a"]}, index=range(25)
    ),
}


def two_stages(**changes):
    ranker = BoostingClassifier(max_iter=10, min_samples_leaf=5)
    return TwoStageRecommender(RETRIEVERS, ranker, n_candidates=8, n_draws=2, random_state=0).set_params(**changes)


@pytest.fixture(scope="module")
def model():
    return two_stages().fit(PAIRS)


@pytest.fixture(scope="module")
def full():
    return two_stages(time="at", context=["device"], **FEATURES).fit(CLICKS, np.arange(len(CLICKS)) % 5 + 1)


def test_users_are_recommended_items_of_their_group(model):
    found = model.recommend(range(N_USERS), 1)
    assert (found["user"] % 2 == found["item"] % 2).all()
    assert model.weights_.to_dict() == {"ease": 0.5, "popular": 0.5}


def test_a_score_is_the_weighted_sum_of_ranker_and_retrievers(model):
    asked = pd.DataFrame({"user": 3, "item": model.items_})
    parts = [copy.copy(model).set_params(ranker_weight=weight).predict(asked) for weight in (0.0, 0.25, 1.0)]
    np.testing.assert_allclose(parts[1], 0.75 * parts[0] + 0.25 * parts[2])


def test_scores_do_not_depend_on_candidates_or_on_what_is_excluded(model):
    everything = model.recommend(3, 100, exclude_seen=False).set_index("item")["score"]
    found = model.recommend(3, 2, candidates=[1, 4, 5, 22], exclude_seen=False)
    np.testing.assert_allclose(found["score"], everything.sort_values(ascending=False)[found["item"]])


def test_held_out_parts_with_times_are_later_than_what_is_trained_on():
    rng = np.random.default_rng(0)
    users, items = np.sort(rng.integers(1, 9, 200)), rng.integers(1, 30, 200)
    ratings = Interactions(users, items, np.ones(200), days=rng.random(200))
    parts = held_out_parts(ratings, 0.2, 3, rng)
    assert [is_trained.sum() for is_trained, _ in parts] == [160, 140, 120]
    for is_trained, is_held_out in parts:
        assert is_held_out.sum() == 40
        assert ratings.days[is_trained].max() < ratings.days[is_held_out].min()


def test_held_out_parts_without_times_are_a_share_of_each_user():
    ratings = Interactions(np.repeat([1, 2, 3], [1, 5, 10]), np.arange(16), np.ones(16))
    for is_trained, is_held_out in held_out_parts(ratings, 0.2, 4, np.random.default_rng(0)):
        assert np.bincount(ratings.users, is_held_out).tolist() == [0, 0, 1, 2]
        assert (is_trained ^ is_held_out).all()


def test_features_do_not_know_the_items_held_out():
    # Whether a pair is held out is random, so that features that do not leak cannot predict it.
    rng = np.random.default_rng(0)
    user, item = (codes.ravel() for codes in np.mgrid[:60, :30])
    noise = pd.DataFrame({"user": user, "item": item})[rng.random(len(user)) < 0.4]
    model = two_stages(n_draws=1, ranker=BoostingClassifier(max_iter=30, min_samples_leaf=20)).fit(noise)
    rest = pd.DataFrame({"user": user, "item": item}).merge(noise, how="left", indicator=True)
    rest = rest[rest["_merge"] == "left_only"]
    # Held-out truth of pure noise: half of the pairs that remain, at random.
    truth = rest[rng.random(len(rest)) < 0.5]
    chance = len(truth) / len(rest)
    recommended = model.recommend(range(60), 3)
    hits = recommended.merge(truth, on=["user", "item"])
    assert abs(len(hits) / len(recommended) - chance) < 0.12


def test_histories_by_hand():
    ratings = Interactions(
        np.array([1, 1, 2, 3]), np.array([1, 2, 1, 2]), np.array([5.0, 1, 5, 1]), days=np.array([0.0, 9, 10, 4])
    )
    of_items = histories(ratings, "item", 4)
    assert of_items["popularity"].tolist() == [0, 1, 1, 0]
    np.testing.assert_allclose(of_items["mean_value"], [0, 4 / 7, -4 / 7, 0])
    assert of_items["days_since_first"].tolist() == [0, 10, 6, 0]
    assert of_items["days_since_last"].tolist() == [0, 0, 1, 0]
    np.testing.assert_allclose(of_items["recent_share"], [0, 1 / 7, 0, 0])
    assert histories(ratings, "user", 4)["activity"].tolist() == [0, 1.5, 0.75, 0.75]


def test_features_come_from_lists_histories_tables_and_context(full):
    names = set(full.feature_names_)
    assert {"ease_score", "popular_rank", "blend_rank"} <= names
    assert {"user_activity", "item_days_since_last", "item_mean_value", "item_likeness"} <= names
    assert {"user_town", "context_device"} <= names
    assert any(name.startswith("item_tags") for name in names)


def test_the_context_changes_scores():
    # Even items are taken on the phone, odd items at the desk, by everybody.
    rng = np.random.default_rng(0)
    clicks = pd.DataFrame({"user": rng.integers(80, size=900), "item": rng.integers(20, size=900)}).drop_duplicates()
    clicks["device"] = np.where(clicks["item"] % 2, "desk", "phone")
    kinds = pd.DataFrame({"kind": ["phone", "desk"] * 10}, index=range(20))
    ranker = BoostingClassifier(max_iter=40, min_samples_leaf=5, max_features=1.0)
    model = two_stages(ranker=ranker, context=["device"], item_features=kinds, ranker_weight=1.0, n_candidates=20)
    model.set_params(n_draws=4)
    model.fit(clicks)
    asked = model.recommend(range(80), 20)[["user", "item"]]
    phone, desk = (model.predict(asked.assign(device=device)) for device in ("phone", "desk"))
    is_even = asked["item"] % 2 == 0
    assert (phone - desk)[is_even].mean() > 0.5
    assert (phone - desk)[~is_even].mean() < -0.5


def test_an_explanation_adds_up_and_names_features(full):
    item = full.recommend(3, 1)["item"].iloc[0]
    explanation = full.explain(3, item, n=100)
    np.testing.assert_allclose(explanation.parts.sum(), explanation.prediction, rtol=1e-9)
    assert set(explanation.features["feature"]) == set(full.feature_names_)
    assert explanation.features["contribution"].abs().is_monotonic_decreasing
    of_lists = explanation.features["feature"].str.contains("ease_|popular_|blend_")
    np.testing.assert_allclose(explanation.features["contribution"][~of_lists].sum(), explanation.parts["features"])
    assert "contributions of features:" in str(explanation)
    seen = full.explain(3, CLICKS.loc[CLICKS["user"] == 3, "item"].iloc[0])
    assert len(seen.features) == 0
    np.testing.assert_allclose(seen.parts.sum(), seen.prediction)


@pytest.mark.parametrize(
    "ranker", [LogisticRegression(), LinearRegression(), TabularClassifier(layers=(4,), epochs=1)], ids=["a", "b", "c"]
)
def test_any_classifier_or_regressor_ranks(ranker):
    model = two_stages(ranker=ranker, n_draws=1).fit(PAIRS)
    found = model.recommend([2, 3], 2)
    assert len(found) == 4
    assert type(model.ranker_) is type(ranker)
    explanation = model.explain(2, found["item"].iloc[0], n=3)
    assert len(explanation.features) == 3
    np.testing.assert_allclose(explanation.parts.sum(), explanation.prediction, rtol=1e-9)


def test_a_saved_model_is_the_same(full, tmp_path):
    loaded = tabrec.load(tabrec.save(full, tmp_path / "model"))
    pairs = CLICKS[["user", "item", "device"]].head(20)
    np.testing.assert_array_equal(loaded.predict(pairs), full.predict(pairs))
    pd.testing.assert_frame_equal(loaded.recommend([1, 2, 999]), full.recommend([1, 2, 999]))
    pd.testing.assert_frame_equal(loaded.explain(1, 3).features, full.explain(1, 3).features)


def test_the_ranker_by_default_is_saved_and_explained(tmp_path):
    model = two_stages(ranker=None, n_draws=1, context=["device"], **FEATURES).fit(CLICKS)
    found = model.recommend(range(N_USERS), 1)
    assert (found["user"] % 2 == found["item"] % 2).all()
    explanation = model.explain(2, found["item"].iloc[2], n=100)
    assert "user_town" in set(explanation.features["feature"])
    np.testing.assert_allclose(explanation.parts.sum(), explanation.prediction, rtol=1e-9)
    loaded = tabrec.load(tabrec.save(model, tmp_path / "model"))
    pd.testing.assert_frame_equal(loaded.recommend([1, 2, 999]), model.recommend([1, 2, 999]))


def test_a_new_user_and_more_interactions(full):
    made = full.new_user({0: 5.0, 2: 5.0, 4: 4.0}, user=777)
    assert made.recommend(777, 1)["item"].iloc[0] % 2 == 0
    grown = copy.copy(full)
    grown.partial_fit(CLICKS.head(3).assign(user=888, item=[1, 3, 5]), [5.0, 5.0, 5.0])
    assert grown.recommend(888, 1)["item"].iloc[0] % 2 == 1
    assert grown.ranker_ is full.ranker_


def test_items_without_interactions_are_scored_by_the_retrievers(full):
    cold = full.recommend([2, 3], 100, include_cold=True)
    assert set(cold.groupby("user")["item"].max()) == {24}


def test_without_a_ranker_candidates_are_blended():
    few = pd.DataFrame({"user": range(6), "item": [0, 0, 1, 1, 2, 2]})
    with pytest.warns(UserWarning, match="no ranker is trained"):
        model = two_stages().fit(few)
    assert model.ranker_ is None
    assert len(model.recommend(0, 2)) == 2


def test_parameters_are_checked():
    with pytest.raises(ValueError, match=r"retrievers=\[\] must be a list of at least one recommender"):
        two_stages(retrievers=[]).fit(PAIRS)
    with pytest.raises(ValueError, match="must be 2 numbers of at least 0"):
        two_stages(weights=[1]).fit(PAIRS)
    with pytest.raises(ValueError, match="must be a classifier or a regressor"):
        two_stages(ranker=EASE()).fit(PAIRS)
    with pytest.raises(ValueError, match="when"):
        two_stages(time="when").fit(PAIRS)


GRID = {
    "retrievers": [[EASE(ridge=5.0)], [ItemKNN(), ItemKNN(5)]],
    "ranker__max_iter": [3],
    "n_candidates": [5],
    "weights": [None],
    "ranker_weight": [0.0, 1.0],
    "n_draws": [1],
    "validation_fraction": [0.3],
    "time": [None],
    "context": [()],
    "rating_weight": [0.0],
    "user": ["user"],
    "item": ["item"],
    "user_features": [None],
    "item_features": [FEATURES["item_features"]],
    "random_state": [0],
}


def test_every_parameter_can_be_searched():
    assert {name.partition("__")[0] for name in GRID} == set(TwoStageRecommender().get_params(deep=False))
    search = GridSearchCV(two_stages(), GRID, cv=PredefinedSplit(np.where(np.arange(len(PAIRS)) % 4, -1, 0)))
    search.fit(PAIRS)
    assert 0 < search.best_score_ <= 1
    again = clone(search.best_estimator_).fit(PAIRS)
    np.testing.assert_array_equal(again.predict(PAIRS), search.best_estimator_.predict(PAIRS))
