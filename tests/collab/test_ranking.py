"""Top-n selection equals a full sort for all block sizes and every model."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab import ranking
from tabrec.collab.interactions import sort_interactions
from tabrec.collab.ranking import rank_all, rank_similar, top_n
from tabrec.collab.scorer import unit_vectors

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=3, learning_rate=0.05, device="cpu", random_state=0),
    "dot with history": DotProductBias(
        n_factors=3, n_history=2, epochs=3, learning_rate=0.05, device="cpu", random_state=0
    ),
    "nn": EmbeddingNN(layers=(8,), embedding_size=3, epochs=3, learning_rate=0.05, device="cpu", random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=10, n_burn_in=4, random_state=0),
    "ordinal": BayesianFactorization(n_factors=2, n_sweeps=10, n_burn_in=4, likelihood="ordinal", random_state=0),
}
EACH = pytest.mark.parametrize("name", MODELS)
TABLE = pd.DataFrame({"genre": np.array(["drama", "comedy"])[np.arange(28) % 2]}, index=range(1, 29))


def make_ratings():
    rng = np.random.default_rng(0)
    user, item = (codes.ravel() for codes in np.mgrid[1:31, 1:25])
    rated = rng.random(len(user)) < 0.5
    y = np.clip(3 + (user % 2 == item % 2) - item % 3 + rng.integers(-1, 2, len(user)), 1, 5).astype(float)
    return pd.DataFrame({"user": user, "item": item})[rated], y[rated]


X, Y = make_ratings()


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "features"])
def fitted(request):
    tables = {"user_features": TABLE, "item_features": TABLE} if request.param else {}
    return {name: clone(model).set_params(**tables).fit(X, Y) for name, model in MODELS.items()}


# --- Positions -------------------------------------------------------------------------------------------------------

# Few distinct values, so that there are ties everywhere.
SCORES = arrays.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 12)),
    elements=st.sampled_from([-np.inf, -1.0, 0.0, -0.0, 0.5, 1.0, 2.0]),
)


@given(SCORES, st.integers(1, 14))
def test_the_best_are_those_of_a_stable_sort(scores, n):
    expected = [sorted(range(len(row)), key=lambda i: -row[i])[:n] for row in scores.tolist()]
    assert top_n(scores, n).tolist() == expected


@given(arrays.arrays(np.float32, (3, 40), elements=st.floats(-10, 10, width=32)), st.integers(1, 40))
def test_the_best_of_many_are_those_of_a_stable_sort(scores, n):
    before = scores.copy()
    np.testing.assert_array_equal(top_n(scores, n), np.argsort(-scores, axis=1, kind="stable")[:, :n])
    np.testing.assert_array_equal(scores, before)


def test_what_has_been_seen_is_left_out_and_of_equal_scores_the_first_comes_first():
    scores = np.array([[0, 0, 0, 0, 0, 0], [0, 1, 9, 5, 2, 9], [0, 3, 3, 3, 3, 3]], float)
    codes = np.array([1, 1, 2], np.int32), np.array([2, 5, 3], np.int32)
    seen, _ = sort_interactions(*codes, np.ones(3), None)
    users = np.array([1, 2, 1])
    ranked = rank_all(lambda u, i: scores[np.ix_(u, i)].copy(), users, np.arange(1, 6), 3, [(seen, users)])
    owner, rank, item, score = (part.tolist() for part in ranked)
    assert owner == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert rank == [1, 2, 3] * 3
    assert item == [3, 4, 1, 1, 2, 4, 3, 4, 1]
    assert score == [5, 2, 1, 3, 3, 3, 5, 2, 1]


def test_similarity_is_the_cosine_without_oneself():
    vectors = np.array([[9, 9], [1, 0], [2, 0], [1, 1], [-3, 0], [0, 0]], float)
    units = unit_vectors(vectors)
    similarities = lambda codes, others: units[codes] @ units[others].T  # noqa: E731
    owner, rank, found, cosine = rank_similar(similarities, np.array([1, 5]), np.arange(1, 6), 3)
    assert owner.tolist() == [0, 0, 0, 1, 1, 1]
    assert rank.tolist() == [1, 2, 3] * 2
    assert found.tolist() == [2, 3, 5, 1, 2, 3]
    np.testing.assert_allclose(cosine, [1, np.sqrt(0.5), 0, 0, 0, 0], atol=1e-12)


# --- Recommendations -------------------------------------------------------------------------------------------------


def by_force(model, user, n, candidates, seen):
    """Unrated candidates sorted by prediction; ties are sorted by id."""
    left = sorted(set(candidates) - set(seen))
    score = model.predict(pd.DataFrame({"user": user, "item": left}))
    order = np.argsort(-np.round(score, 6), kind="stable")[:n]
    return [left[i] for i in order], score[order]


@EACH
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_recommendations_are_the_items_of_the_greatest_predictions(fitted, name, exclude_seen):
    model, users = fitted[name], [1, 17, 30, 999, 17]
    recommended = model.recommend(users, 7, exclude_seen=exclude_seen, order="rating")
    assert recommended["user"].tolist() == np.repeat(users, 7).tolist()
    for place, user in enumerate(users):
        rows = recommended.iloc[7 * place : 7 * place + 7]
        seen = X["item"][X["user"] == user] if exclude_seen else []
        items, scores = by_force(model, user, 7, X["item"], seen)
        np.testing.assert_allclose(rows["score"], scores, atol=1e-5)
        distinct = np.diff(scores, prepend=np.inf, append=-np.inf)
        clear = (np.abs(distinct[:-1]) > 1e-5) & (np.abs(distinct[1:]) > 1e-5)
        assert np.array(rows["item"])[clear].tolist() == np.array(items)[clear].tolist()
        assert rows["rank"].tolist() == list(range(1, 8))


@EACH
def test_recommendations_among_candidates_are_the_best_of_them(fitted, name):
    model = fitted[name]
    candidates = [7, 3, 21, 12, 3, 18]
    recommended = model.recommend(5, 10, candidates=candidates, order="rating")
    items, scores = by_force(model, 5, 10, candidates, X["item"][X["user"] == 5])
    assert sorted(recommended["item"]) == sorted(items)
    np.testing.assert_allclose(recommended["score"], scores, atol=1e-5)


@pytest.mark.parametrize("name", ["bayes", "ordinal"])
def test_what_is_predicted_beyond_the_scale_is_shown_within_it(name):
    pairs = X.assign(y=np.where((X["user"] % 2 == X["item"] % 2), 5.0, 1.0))
    model = clone(MODELS[name]).fit(pairs[["user", "item"]], pairs["y"])
    recommended = model.recommend(range(1, 31), 24, exclude_seen=False, order="rating")
    assert recommended["score"].between(1, 5).all()
    if name == "bayes":
        assert (recommended["score"] == 5).sum() > 30
    np.testing.assert_allclose(recommended["score"], model.predict(recommended[["user", "item"]]), atol=1e-5)
    assert (recommended.groupby("user")["score"].diff().dropna() <= 0).all()


@pytest.mark.parametrize("name", ["dot", "nn"])
def test_items_that_nothing_tells_apart_come_in_the_order_of_ids(name):
    model = clone(MODELS[name]).set_params(item_features=TABLE).fit(X, Y)
    recommended = model.recommend([1, 2], candidates=[27, 28, 25, 26], order="rating")
    assert recommended["score"].nunique() == 4
    for user in (1, 2):
        items = recommended["item"][recommended["user"] == user].tolist()
        assert items in ([25, 27, 26, 28], [26, 28, 25, 27])


@EACH
def test_there_are_no_more_recommendations_than_items(fitted, name):
    model = fitted[name]
    n_seen = X.groupby("user").size()
    recommended = model.recommend([1, 2, 999], 10_000)
    sizes = recommended.groupby("user").size()
    assert sizes.to_dict() == {1: 24 - n_seen[1], 2: 24 - n_seen[2], 999: 24}
    merged = recommended.merge(X, on=["user", "item"])
    assert len(merged) == 0
    everything = pd.DataFrame({"user": 77, "item": range(1, 25)})
    full = clone(model).fit(pd.concat([X, everything]), np.append(Y, np.tile([1.0, 5.0], 12)))
    with pytest.warns(UserWarning, match="1 of 1 users have no items left to recommend: 77"):
        nothing = full.recommend(77)
    assert nothing.empty
    assert nothing.columns.tolist() == ["user", "rank", "item", "score", "relevance"]


@EACH
def test_recommendations_for_many_users_come_in_blocks(fitted, name, monkeypatch):
    model = fitted[name]
    users = [*range(30, 0, -1), 999, 3]
    together = model.recommend(users, 5)
    monkeypatch.setattr(ranking, "_BLOCK", 30)
    blocks = model.recommend(users, 5)
    pd.testing.assert_frame_equal(blocks, together, rtol=1e-6)
    alone = pd.concat([model.recommend(user, 5) for user in users], ignore_index=True)
    pd.testing.assert_frame_equal(alone, together, rtol=1e-6)


@pytest.mark.parametrize("n", [0, -1, 2.0, "3", None])
def test_invalid_numbers_of_recommendations_are_refused(fitted, n):
    model = fitted["bayes"]
    for call in (model.recommend, model.similar_items, model.similar_users):
        with pytest.raises(
            ValueError, match=rf"The 'n' parameter .* must be an int in the range \[1, inf\). Got {n!r}"
        ):
            call(1, n)


@EACH
def test_a_number_of_recommendations_may_be_numpys(fitted, name):
    assert len(fitted[name].recommend(1, np.int64(3))) == 3


@EACH
def test_no_users_are_no_recommendations(fitted, name):
    assert fitted[name].recommend([]).shape == (0, 5)
    assert fitted[name].recommend([], order="rating").shape == (0, 4)
    assert fitted[name].similar_items([]).shape == (0, 4)


@EACH
def test_the_callers_candidates_and_the_model_stay_as_they_are(fitted, name):
    model, candidates = fitted[name], np.array([9, 3, 5])
    before = model.predict(X)
    model.recommend([1, 2], 3, candidates=candidates)
    model.recommend([1, 2], 3)
    assert candidates.tolist() == [9, 3, 5]
    np.testing.assert_array_equal(model.predict(X), before)


# --- Checkerboard ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkerboard():
    """Users like items of their own colour; each user leaves two items of each colour unrated."""
    user, item = (codes.ravel() for codes in np.mgrid[:24, :20])
    unrated = (item - user) % 20 < 4
    ratings, y = pd.DataFrame({"user": user, "item": item}), np.where((user + item) % 2, 1.0, 5.0)
    models = {name: clone(model) for name, model in MODELS.items()}
    for name in ("dot", "dot with history"):
        models[name].set_params(epochs=30)
    models["nn"].set_params(
        epochs=30, learning_rate=0.03, layers=(16,), embedding_size=4, embedding_std=0.1, batch_size=64
    )
    return {name: model.fit(ratings[~unrated], y[~unrated]) for name, model in models.items()}


@EACH
def test_recommendations_on_a_checkerboard_are_of_the_users_colour(checkerboard, name):
    recommended = checkerboard[name].recommend(range(24), 4, order="rating")
    assert len(recommended) == 24 * 4
    own = (recommended["user"] + recommended["item"]) % 2 == 0
    np.testing.assert_array_equal(own, recommended["rank"] <= 2)
    assert ((recommended["item"] - recommended["user"]) % 20 < 4).all()


@EACH
def test_similar_items_and_users_on_a_checkerboard_are_of_the_same_colour(checkerboard, name):
    model = checkerboard[name]
    items, users = model.similar_items(range(20), 9), model.similar_users(range(24), 11)
    assert (items["item"] % 2 == items["similar"] % 2).all()
    assert (users["user"] % 2 == users["similar"] % 2).all()
    assert (items["item"] != items["similar"]).all()
    assert items.columns.tolist() == ["item", "rank", "similar", "similarity"]
    assert items["similarity"].between(-1, 1).all()
    opposite = model.similar_items(0, 100)
    assert len(opposite) == 19
    assert (opposite["similarity"].diff().dropna() <= 0).all()
    assert (opposite["similar"].tail(10) % 2 == 1).all()
