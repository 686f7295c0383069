"""Users and items without ratings in fit: predictions from metadata, from added ratings and after further training."""

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=30, learning_rate=0.05, weight_decay=0.0, init_std=0.1, random_state=0),
    "dot with history": DotProductBias(
        n_factors=3, epochs=30, learning_rate=0.05, weight_decay=0.0, init_std=0.1, n_history=2, random_state=0
    ),
    "nn": EmbeddingNN(
        layers=(16,), embedding_size=4, batch_size=64, epochs=30, learning_rate=0.03, embedding_std=0.1, random_state=0
    ),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=30, n_burn_in=10, random_state=0),
    "ordinal": BayesianFactorization(n_factors=2, n_sweeps=30, n_burn_in=10, likelihood="ordinal", random_state=0),
}
N_USERS, N_ITEMS = 30, 24
TOWNS, GENRES = np.array(["Rome", "Oslo"]), np.array(["drama", "comedy"])
# Of these, users from 30 on and items from 24 on have no ratings; some with ratings are not in the tables.
USER_FEATURES = pd.DataFrame({"town": TOWNS[np.arange(2, 34) % 2]}, index=range(2, 34))
ITEM_FEATURES = pd.DataFrame({"genre": GENRES[np.arange(3, 28) % 2]}, index=range(3, 28))


def make_ratings():
    """Even users rate even items 5 and odd items 1, odd users the reverse; a fifth of the pairs is not rated."""
    user, item = (codes.ravel() for codes in np.mgrid[:N_USERS, :N_ITEMS])
    rated = (7 * user + 3 * item) % 5 != 0
    return pd.DataFrame({"user": user, "item": item})[rated], np.where(user % 2 == item % 2, 5.0, 1.0)[rated]


X, Y = make_ratings()
EVEN_TASTE = {0: 5.0, 2: 5.0, 1: 1.0, 3: 1.0}


def pairs(users, items):
    return pd.MultiIndex.from_product([np.atleast_1d(users), items], names=["user", "item"]).to_frame(index=False)


def likes(frame):
    return (frame["user"] % 2 == frame["item"] % 2).to_numpy()


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def with_features():
    tables = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES}
    return {name: clone(model).set_params(**tables).fit(X, Y) for name, model in MODELS.items()}


# --- From metadata ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_an_item_without_ratings_is_predicted_by_those_with_its_features(with_features, name):
    new = pairs(np.arange(N_USERS), [24, 25, 26, 27])
    predicted, path = with_features[name].predict(new, return_path=True)
    assert set(path) == {"metadata"}
    np.testing.assert_array_equal(predicted > 3, likes(new))


@pytest.mark.parametrize("name", MODELS)
def test_a_user_without_ratings_is_predicted_by_those_with_his_features(with_features, name):
    new = pairs([30, 31, 32, 33], np.arange(N_ITEMS))
    predicted, path = with_features[name].predict(new, return_path=True)
    assert set(path) == {"metadata"}
    np.testing.assert_array_equal(predicted > 3, likes(new))
    recommended = with_features[name].recommend([30, 33], 8)
    assert likes(recommended).all()


@pytest.mark.parametrize("name", MODELS)
def test_both_may_be_without_ratings_and_the_less_known_says_the_path(with_features, name):
    new = pd.DataFrame({"user": [30, 31, 30, 99, 0, 99], "item": [24, 24, 99, 24, 24, 99]})
    predicted, path = with_features[name].predict(new, return_path=True)
    assert path.tolist() == ["metadata", "metadata", "user bias", "item bias", "metadata", "global mean"]
    assert predicted[0] > 3 > predicted[1]
    assert predicted[4] > 3
    assert predicted[5] == pytest.approx(Y.mean())


@pytest.mark.parametrize("name", MODELS)
def test_ids_of_side_tables_alone_can_be_asked_for_but_are_not_recommended(with_features, name):
    model = with_features[name]
    assert 24 not in model.items_
    assert 24 not in model.item_bias_.index
    assert 24 not in model.item_factors_.index
    assert model.recommend(0, 100, exclude_seen=False)["item"].max() == N_ITEMS - 1
    among = model.recommend(0, 10, candidates=[24, 25, 1])
    assert among["item"].iloc[0] == 24
    assert {24, 25} <= set(model.recommend(0, 100, include_cold=True)["item"])
    if name != "nn":
        similar = model.similar_items(24, 5)["similar"]
        assert (similar % 2 == 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_ids_that_the_side_tables_lack_are_learned_as_ever(with_features, name):
    known = pairs([0, 1], [0, 1, 2])
    predicted, path = with_features[name].predict(known, return_path=True)
    assert set(path) == {"learned"}
    np.testing.assert_array_equal(predicted > 3, likes(known))


# --- A new user by ratings given -------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", [False, True], ids=["plain", "features"])
@pytest.mark.parametrize("name", MODELS)
def test_a_new_user_is_recommended_what_those_of_the_same_taste_like(fitted, with_features, name, features):
    model = (with_features if features else fitted)[name].new_user(EVEN_TASTE)
    recommended = model.recommend("new user", 8)
    assert (recommended["item"] % 2 == 0).all()
    assert not recommended["item"].isin(list(EVEN_TASTE)).any()
    everything = pairs("new user", np.arange(N_ITEMS))
    predicted, path = model.predict(everything, return_path=True)
    assert set(path) == {"fold-in"}
    np.testing.assert_array_equal(predicted > 3, everything["item"] % 2 == 0)
    assert (model.similar_users("new user", 5)["similar"] % 2 == 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_new_user_with_the_ratings_of_a_learned_one_is_predicted_like_him(fitted, name):
    model, rows = fitted[name], (X["user"] == 6).to_numpy()
    made = model.new_user(pd.Series(Y[rows], index=X["item"][rows]))
    learned = model.predict(pairs(6, np.arange(N_ITEMS)))
    np.testing.assert_allclose(made.predict(pairs("new user", np.arange(N_ITEMS))), learned, atol=0.5)


@pytest.mark.parametrize("name", MODELS)
def test_the_model_that_a_new_user_comes_to_stays_as_it_is(with_features, name):
    model, everything = with_features[name], pairs(np.arange(N_USERS + 4), np.arange(N_ITEMS + 4))
    before, users = model.predict(everything), model.users_.tolist()
    made = model.new_user(EVEN_TASTE).new_user({1: 5.0}, user="second")
    np.testing.assert_array_equal(model.predict(everything), before)
    assert model.users_.tolist() == users
    assert made.users_.tolist() == [*users, "new user", "second"]
    np.testing.assert_allclose(made.predict(everything), before, atol=1e-9)
    assert model.recommend(500, 3)["score"].tolist() == made.recommend(500, 3)["score"].tolist()


@pytest.mark.parametrize("name", MODELS)
def test_ratings_of_a_new_user_may_come_as_a_mapping_a_series_or_a_table(fitted, name):
    model, everything = fitted[name], pairs("ann", np.arange(N_ITEMS))
    expected = model.new_user(EVEN_TASTE, user="ann").predict(everything)
    table = pd.DataFrame({"i": list(EVEN_TASTE), "r": list(EVEN_TASTE.values())})
    ways = {
        "backwards": (dict(reversed(EVEN_TASTE.items())), "ann"),
        "series": (pd.Series(EVEN_TASTE), "ann"),
        "table": (table, "ann"),
        "with users": (table.assign(u="ann")[["u", "i", "r"]], "unused"),
        "polars": (polars.from_pandas(table), "ann"),
        "whole": ({item: int(rating) for item, rating in EVEN_TASTE.items()}, "ann"),
        "floats": ({float(item): rating for item, rating in EVEN_TASTE.items()}, "ann"),
    }
    for way, (ratings, user) in ways.items():
        made = model.new_user(ratings, user=user)
        np.testing.assert_allclose(made.predict(everything), expected, atol=1e-9, err_msg=way)
        assert made.users_.tolist() == [*range(N_USERS), "ann"], way
        assert made._reader.users.n_codes == N_USERS + 2, way


@pytest.mark.parametrize("name", MODELS)
def test_several_new_users_come_at_once(fitted, name):
    table = pd.DataFrame({"user": [101, 102] * 4, "item": [0, 0, 1, 1, 2, 2, 3, 3], "rating": [5, 1, 1, 5.0] * 2})
    made = fitted[name].new_user(table)
    new = pairs([101, 102], np.arange(4, N_ITEMS))
    predicted, path = made.predict(new, return_path=True)
    assert set(path) == {"fold-in"}
    even = new["item"] % 2 == 0
    np.testing.assert_array_equal(predicted > 3, (new["user"] == 101) == even)


@pytest.mark.parametrize("name", MODELS)
def test_a_user_of_the_side_table_keeps_his_features_when_he_rates(with_features, name):
    made = with_features[name].new_user({0: 5.0}, user=30)
    new = pairs(30, np.arange(N_ITEMS))
    predicted, path = made.predict(new, return_path=True)
    assert set(path) == {"fold-in"}
    np.testing.assert_array_equal(predicted > 3, likes(new))
    assert 30 in made.users_


@pytest.mark.parametrize("name", MODELS)
def test_items_of_side_tables_alone_may_be_what_a_new_user_has_rated(with_features, name):
    made = with_features[name].new_user({24: 5.0, 26: 5.0, 25: 1.0, 27: 1.0})
    recommended = made.recommend("new user", 5)
    assert (recommended["item"] % 2 == 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_unknown_items_among_the_ratings_are_passed_over_with_a_warning(fitted, name):
    with pytest.warns(UserWarning, match="1 of the ratings .* unknown items and are ignored: 777"):
        made = fitted[name].new_user({**EVEN_TASTE, 777: 1.0})
    expected = fitted[name].new_user(EVEN_TASTE)
    new = pairs("new user", np.arange(N_ITEMS))
    np.testing.assert_array_equal(made.predict(new), expected.predict(new))


@pytest.mark.filterwarnings("ignore:.*of the ratings are of items:UserWarning")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("ratings", "user", "message"),
    [
        ({}, "ann", "at least one"),
        ({0: np.nan}, "ann", "missing|NaN"),
        ({0: np.inf}, "ann", "infinity"),
        ({0: "good"}, "ann", "'good'"),
        ({0: 5.0}, None, "user"),
        ({np.nan: 5.0}, "ann", "item"),
        ({"0": 5.0}, "ann", "'0'.*same type"),
        (pd.DataFrame({"rating": [5.0]}), "ann", "columns"),
        (pd.DataFrame({"a": [0], "b": [0], "c": [5.0], "d": [1]}), "ann", "columns"),
        ({777: 5.0}, "ann", "777"),
    ],
    ids=str,
)
def test_ratings_that_say_nothing_of_a_user_are_refused(fitted, name, ratings, user, message):
    with pytest.raises(ValueError, match=message):
        fitted[name].new_user(ratings, user=user)


@pytest.mark.parametrize("name", MODELS)
def test_a_rating_off_the_scale_is_refused(fitted, name):
    with pytest.raises(ValueError, match="50"):
        fitted[name].new_user({0: 50.0})
    if name == "ordinal":
        with pytest.raises(ValueError, match=r"3 does not occur in fit.*1.*5"):
            fitted[name].new_user({0: 3.0})


@pytest.mark.parametrize("name", MODELS)
def test_a_new_user_who_comes_a_second_time_is_not_forgotten_in_silence(fitted, name):
    made = fitted[name].new_user(EVEN_TASTE)
    with pytest.raises(ValueError, match="'new user' already has ratings"):
        made.new_user({5: 5.0})


# --- Further ratings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_the_first_partial_fit_is_a_fit(fitted, name):
    model = clone(MODELS[name]).partial_fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), fitted[name].predict(X))


@pytest.mark.parametrize("features", [False, True], ids=["plain", "features"])
@pytest.mark.parametrize("name", MODELS)
def test_further_ratings_bring_new_users_and_new_items(name, features):
    tables = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES} if features else {}
    model = clone(MODELS[name]).set_params(**tables).fit(X, Y)
    more = pd.concat([pairs([40, 41], np.arange(12)), pairs(np.arange(10), [50, 51])])
    model.partial_fit(more, np.where(likes(more), 5.0, 1.0))
    new = pd.concat([pairs([40, 41], np.arange(12, N_ITEMS)), pairs(np.arange(10, N_USERS), [50, 51])])
    predicted, path = model.predict(new, return_path=True)
    assert set(path) == {"learned"}
    np.testing.assert_array_equal(predicted > 3, likes(new))
    assert {40, 41} <= set(model.users_)
    assert {50, 51} <= set(model.item_bias_.index)
    assert model.mean_rating_ == pytest.approx(np.append(Y, np.where(likes(more), 5, 1)).mean())
    recommended = model.recommend([40, 12], 30)
    assert 50 in recommended.loc[recommended["user"] == 12, "item"].head(12).to_list()
    assert not (recommended.loc[recommended["user"] == 40, "item"] < 12).any()
    known = model.predict(X)
    np.testing.assert_array_equal(known > 3, likes(X))


@pytest.mark.parametrize("name", MODELS)
def test_further_ratings_move_predictions_towards_them(name):
    slowly = {"epochs": 60, "learning_rate": 0.005} if name == "nn" else {}
    model = clone(MODELS[name]).set_params(**slowly).fit(X, Y)
    changed = pairs(6, np.arange(1, N_ITEMS, 2))
    before = model.predict(changed)
    model.partial_fit(pd.concat([changed] * 20), np.full(20 * len(changed), 5.0))
    assert model.predict(changed).mean() > before.mean() + 0.1


@pytest.mark.parametrize("name", [name for name in MODELS if "bayes" in name])
def test_further_ratings_of_little_weight_move_predictions_less_than_heavy_ones(name):
    moved, changed = [], pairs(6, np.arange(1, N_ITEMS, 2))
    for weight in (0.001, 20.5):
        model = clone(MODELS[name]).fit(X, Y)
        before = model.predict(changed)
        model.partial_fit(changed, np.full(len(changed), 5.0), sample_weight=np.full(len(changed), weight))
        moved.append(np.abs(model.predict(changed) - before).mean())
    assert moved[0] < moved[1] / 2


@pytest.mark.parametrize("name", MODELS)
def test_ratings_of_an_id_from_the_side_table_make_it_learned(with_features, name):
    model = clone(with_features[name]).fit(X, Y)
    model.partial_fit(pairs(30, np.arange(6)), np.array([5.0, 1.0] * 3))
    assert model.predict(pairs(30, [8]), return_path=True)[1].tolist() == ["learned"]
    assert model.predict(pairs(31, [8]), return_path=True)[1].tolist() == ["metadata"]
    assert 30 in model.users_


@pytest.mark.parametrize("name", MODELS)
def test_a_new_user_can_go_on_to_be_learned(fitted, name):
    model = clone(fitted[name]).fit(X, Y).new_user(EVEN_TASTE, user=40)
    model.partial_fit(pairs(40, np.arange(4, 12)), np.array([5.0, 1.0] * 4))
    new = pairs(40, np.arange(12, N_ITEMS))
    predicted, path = model.predict(new, return_path=True)
    assert set(path) == {"learned"}
    np.testing.assert_array_equal(predicted > 3, likes(new))
    assert model.recommend(40, 100)["item"].min() == 12


@pytest.mark.parametrize("name", MODELS)
def test_further_ratings_off_the_scale_or_of_other_ids_are_refused(name):
    model = clone(MODELS[name]).fit(X, Y)
    if name != "bayes":
        with pytest.raises(ValueError, match="50"):
            model.partial_fit(X.head(2), [50.0, 1.0])
    with pytest.raises(ValueError, match="missing"):
        model.partial_fit(X[["user"]].head(2), [5.0, 1.0])
    with pytest.raises(ValueError, match="'3'.*same type"):
        model.partial_fit(pd.DataFrame({"user": ["3"], "item": [0]}), [5.0])
