"""Recommenders that learn from interactions: known answers, strengths, explanations, new users and items."""

import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from tabrec import (
    BPR,
    EASE,
    BayesianFactorization,
    BlendedRecommender,
    DotProductBias,
    ImplicitALS,
    ItemKNN,
    Popular,
)
from tabrec.collab import PerUserSplit
from tabrec.collab.blended_recommender import hold_out, search_weights
from tabrec.collab.bpr import PairwiseNet, fold_in_pairwise
from tabrec.collab.implicit_als_scorer import improve_rows, solve_rows
from tabrec.collab.interactions import sort_interactions
from tabrec.collab.popular import read_days
from tabrec.datasets import make_interactions

MODELS = {
    "ease": EASE(ridge=5.0),
    "knn": ItemKNN(shrinkage=1.0),
    "popular": Popular(),
    "als": ImplicitALS(3, n_iterations=8, random_state=0),
    "bpr": BPR(4, epochs=60, learning_rate=0.05, random_state=0),
    "blend": BlendedRecommender([EASE(ridge=5.0), ItemKNN(shrinkage=1.0)], random_state=0),
}
PERSONAL = [name for name in MODELS if name != "popular"]


def two_groups(n_users=24, n_items=16, seed=0):
    """Users take most of the items whose number is even or odd like their own: a table of pairs, in random order."""
    rng = np.random.default_rng(seed)
    user, item = (codes.ravel() for codes in np.mgrid[:n_users, :n_items])
    chosen = (user % 2 == item % 2) & (rng.random(len(user)) < 0.7)
    return pd.DataFrame({"user": user[chosen], "item": item[chosen]}).sample(frac=1, random_state=seed)


CLICKS = two_groups()


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    return clone(MODELS[request.param]).fit(CLICKS)


@pytest.mark.parametrize("name", PERSONAL)
def test_users_are_recommended_items_of_their_group(name):
    found = MODELS[name].fit(CLICKS).recommend(range(24), 2, exclude_seen=False)
    assert len(found) == 48
    assert (found["user"] % 2 == found["item"] % 2).all()


@pytest.mark.parametrize(
    "setting", [lambda: torch.autocast("cpu", torch.bfloat16), lambda: torch.device("meta"), torch.inference_mode]
)
@pytest.mark.parametrize("name", ["als", "bpr"])
def test_settings_of_torch_do_not_change_a_fit(name, setting):
    model = clone(MODELS[name]).fit(CLICKS)
    with setting():
        other = clone(MODELS[name]).fit(CLICKS)
        more = copy.deepcopy(other).partial_fit(CLICKS.head(5))
        found = other.recommend([3], 5)
    pd.testing.assert_frame_equal(found, model.recommend([3], 5))
    assert len(more.recommend([3], 5)) == 5


def test_known_user_and_new_user_with_the_same_items_have_the_same_scores(fitted):
    if isinstance(fitted, BPR):  # trained rows depend on the drawn items
        return
    items = CLICKS.loc[CLICKS["user"] == 3, "item"]
    made = fitted.new_user(dict.fromkeys(items, 1.0), user=999)
    known = fitted.predict(pd.DataFrame({"user": 3, "item": fitted.items_}))
    new = made.predict(pd.DataFrame({"user": 999, "item": fitted.items_}))
    np.testing.assert_allclose(new, known, rtol=0.02, atol=0.02)


def test_a_new_user_is_recommended_items_of_the_group(fitted):
    if isinstance(fitted, Popular):  # not personal
        return
    made = fitted.new_user({0: 1.0, 2: 1.0, 4: 1.0}, user="new")
    assert (made.recommend("new", 3)["item"] % 2 == 0).all()


def test_unknown_users_are_recommended_the_most_popular_items(fitted):
    top = CLICKS["item"].value_counts()
    found = fitted.recommend(10**6, 16)["item"]
    assert (top.reindex(found).diff().dropna() <= 0).all()


@pytest.mark.parametrize("name", ["ease", "knn", "als", "blend"])
def test_contributions_sum_to_the_score(name):
    model = MODELS[name].fit(CLICKS, np.linspace(1, 5, len(CLICKS)))
    for user, item in ((3, 1), (4, 7)):
        explanation = model.explain(user, item, n=100)
        total = explanation.ratings["contribution"].sum() + explanation.parts["mean"]
        np.testing.assert_allclose(total, explanation.prediction, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(explanation.parts.sum(), explanation.prediction, rtol=1e-9)


@pytest.fixture(scope="module")
def large_catalogue():
    """Clicks on more than 200 items, of which 7 is the most popular; users 5001 and 5002 have one and two."""
    clicks = make_interactions(3_000, n_users=200, n_items=300, random_state=0)[["user", "item"]]
    few = pd.DataFrame({"user": [5001, 5002, 5002], "item": [30, 30, 50]})
    return pd.concat([clicks, few, pd.DataFrame({"user": range(6001, 6201), "item": 7})])


@pytest.mark.parametrize("name", ["ease", "knn", "als", "blend"])
def test_popularity_counts_for_users_with_one_or_two_of_many_items(name, large_catalogue):
    model = clone(MODELS[name]).fit(large_catalogue)
    for user in (5001, 5002):
        why = model.explain(user, 7, n=100)
        assert why.parts["item"] > 0
        np.testing.assert_allclose(why.parts.sum(), why.prediction, rtol=1e-9)
        own = why.ratings["contribution"].sum() + why.parts["mean"] + why.parts["item"]
        np.testing.assert_allclose(own, why.prediction, rtol=1e-4)
        found = model.recommend(user, 300)
        np.testing.assert_allclose(model.predict(found[["user", "item"]]), found["score"], rtol=1e-4, atol=1e-6)
    assert model.recommend(5001, 1)["item"].tolist() == [7]
    assert model.explain(large_catalogue["user"].mode()[0], 7).parts["item"] == 0


def test_more_interactions_are_learned(fitted):
    model = copy.copy(fitted)
    model.partial_fit(pd.DataFrame({"user": [100] * 3, "item": [0, 2, 4]}))
    assert 100 in model.users_
    if not isinstance(model, Popular):
        assert (model.recommend(100, 3)["item"] % 2 == 0).all()


def test_ease_is_the_closed_form():
    model = EASE(ridge=7.0, rating_weight=0.0).fit(CLICKS)
    X = pd.crosstab(CLICKS["user"], CLICKS["item"]).to_numpy(float)
    inverse = np.linalg.inv(X.T @ X + 7 * np.eye(X.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(model.weights_, weights, atol=1e-10)
    assert (np.diag(model.weights_) == 0).all()
    scores = model.recommend(5, 100, exclude_seen=False).set_index("item")["score"].sort_index()
    np.testing.assert_allclose(scores, (X @ weights)[5])


def test_ease_of_two_items_by_hand():
    # G = [[3, 2], [2, 3]]; its inverse is [[3, -2], [-2, 3]] / 5, so that each weight is 2/3.
    clicks = pd.DataFrame({"user": [1, 1, 2, 2], "item": ["a", "b", "a", "b"]})
    np.testing.assert_allclose(EASE(ridge=1.0).fit(clicks).weights_, [[0, 2 / 3], [2 / 3, 0]])


def test_neighbours_of_two_items_by_hand():
    # Items a and b share one of their two users each: cosine 1/2, shrunk by 1 / (1 + 1).
    clicks = pd.DataFrame({"user": [1, 1, 2, 3], "item": ["a", "b", "a", "b"]})
    model = ItemKNN(weighting="cosine", shrinkage=1.0).fit(clicks)
    np.testing.assert_allclose(model.predict(pd.DataFrame({"user": [2], "item": ["b"]})), [0.25])


def test_only_the_nearest_neighbours_count():
    model = ItemKNN(2).fit(CLICKS)
    similar = model.similar_items(0, n=15)
    assert (similar["similarity"] > 0).sum() == 2


@pytest.mark.parametrize("weighting", ["cosine", "tfidf", "bm25"])
def test_every_weighting_finds_the_groups(weighting):
    found = ItemKNN(weighting=weighting).fit(CLICKS).similar_items(0, n=5)["similar"]
    assert (found % 2 == 0).all()


def als_loss(model, X):
    users, items = model.user_factors_.to_numpy(float), model.item_factors_.to_numpy(float)
    scores, a, reg = users @ items.T, model.unobserved_weight, model.regularization
    loss = (X * (1 - scores) ** 2).sum() + a * (scores**2).sum()
    counts = (X > 0).sum(axis=1), (X > 0).sum(axis=0)
    for rows, count, others in ((users, counts[0], X.shape[1]), (items, counts[1], X.shape[0])):
        loss += reg * ((count + a * others) * (rows**2).sum(axis=1)).sum()
    return loss


def test_the_loss_of_als_falls_with_every_iteration():
    X = pd.crosstab(CLICKS["user"], CLICKS["item"]).to_numpy(float)
    losses = [als_loss(ImplicitALS(3, n_iterations=n, random_state=0).fit(CLICKS), X) for n in range(1, 6)]
    assert (np.diff(losses) < 0).all()


def test_rows_of_als_solve_their_least_squares_problems():
    rng = np.random.default_rng(0)
    matrix = sp.random(40, 12, density=0.3, random_state=0, format="csr")
    others, penalties = rng.normal(size=(12, 3)), rng.uniform(0.1, 1, 40)
    gram = 0.3 * others.T @ others
    found = solve_rows(matrix, torch.from_numpy(others).float(), torch.from_numpy(gram).float(), penalties)
    for row in range(40):
        s = matrix[row].toarray().ravel()
        left = gram + (others.T * s) @ others + penalties[row] * np.eye(3)
        np.testing.assert_allclose(found[row], np.linalg.solve(left, others.T @ s), atol=1e-4)


def test_as_many_steps_of_als_as_factors_reach_the_solution():
    rng = np.random.default_rng(0)
    matrix = sp.random(40, 12, density=0.3, random_state=0, format="csr", dtype=np.float64)
    others, penalties = torch.from_numpy(rng.normal(size=(12, 3))).float(), rng.uniform(0.1, 1, 40)
    gram, start = 0.3 * others.T @ others, torch.from_numpy(rng.normal(size=(40, 3))).float()
    solved = torch.from_numpy(solve_rows(matrix, others, gram, penalties))
    found = improve_rows(matrix, others, gram, penalties, start)
    torch.testing.assert_close(found, solved, atol=1e-4, rtol=1e-4)  # as many steps as factors are exact
    assert not found[np.flatnonzero(np.diff(matrix.indptr) == 0)].any()


def test_a_folded_in_row_of_bpr_has_no_gradient():
    rng = np.random.default_rng(0)
    own, others, strengths = rng.normal(size=(5, 4)), rng.normal(size=(9, 4)), rng.uniform(0.5, 2, 5)
    found = fold_in_pairwise(own, others, strengths, 0.1)
    vector = torch.tensor(found, requires_grad=True)
    scores = [torch.tensor(rows[:, :-1]) @ vector + torch.tensor(rows[:, -1]) for rows in (own, others)]
    losses = torch.nn.functional.softplus(scores[1] - scores[0].unsqueeze(1)).mean(dim=1) * torch.tensor(strengths)
    (losses.sum() + 0.1 * 5 * (vector**2).sum() / 2).backward()
    np.testing.assert_allclose(vector.grad, 0, atol=1e-4)


def test_scores_and_norms_of_a_pairwise_net():
    net = PairwiseNet(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    scores, norms = net(torch.tensor([0]), torch.tensor([[0, 1]]))
    assert scores.tolist() == [[11.0, 2.0]]
    assert norms.tolist() == [5.0 + 25.0 + 1.0]


@pytest.mark.parametrize("name", ["ease", "knn", "popular", "als"])
def test_repeated_interactions_count_as_strengths(name):
    twice = clone(MODELS[name]).set_params(rating_weight="value")
    strengths = np.where(CLICKS["user"] % 3 == 0, 2.0, 1.0)
    repeated = CLICKS.loc[CLICKS.index.repeat(strengths.astype(int))]
    pairs = CLICKS.head(20)
    np.testing.assert_allclose(
        twice.fit(repeated).predict(pairs), twice.fit(CLICKS, strengths).predict(pairs), rtol=1e-4
    )


def test_a_rating_weight_favours_what_was_rated_high():
    # Users of item 0 have rated item 1 high and item 2 low, equally often.
    rows = [(u, i, r) for u in range(20) for i, r in ((0, 3), (1, 5) if u % 2 else (2, 1))] + [(99, 0, 3)]
    clicks = pd.DataFrame(rows, columns=["user", "item", "rating"])
    found = EASE(ridge=1.0, rating_weight=0.2).fit(clicks[["user", "item"]], clicks["rating"]).recommend(99, 2)
    assert found["item"].tolist() == [1, 2]


def test_values_become_strengths_by_a_callable():
    model = EASE(ridge=1.0, rating_weight=np.log1p).fit(CLICKS, np.full(len(CLICKS), 3.0))
    expected = EASE(ridge=1.0, rating_weight="value").fit(CLICKS, np.full(len(CLICKS), np.log(4)))
    np.testing.assert_allclose(model.weights_, expected.weights_)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_values_that_are_no_interactions_are_refused(name, value):
    y = np.ones(len(CLICKS))
    y[3] = value
    with pytest.raises(ValueError, match="must be greater than 0"):
        MODELS[name].fit(CLICKS, y)


def test_a_strength_of_zero_is_refused():
    with pytest.raises(ValueError, match="rating_weight gives an interaction the strength 0"):
        EASE(rating_weight=lambda values: values - values.min()).fit(CLICKS, np.arange(1, len(CLICKS) + 1))


def test_a_sparse_matrix_is_read(fitted):
    matrix = sp.csr_matrix((np.ones(len(CLICKS)), (CLICKS["user"], CLICKS["item"])))
    expected = fitted.predict(CLICKS.head(9))
    np.testing.assert_allclose(clone(fitted).fit(matrix).predict(CLICKS.head(9)), expected)


def test_a_stored_zero_of_a_sparse_matrix_is_not_an_interaction():
    matrix = sp.csr_matrix([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    matrix.data[0] = 0.0
    assert ItemKNN().fit(matrix).ratings_[["user", "item"]].to_numpy().tolist() == [[0, 1], [1, 1], [1, 2]]


@pytest.mark.parametrize("given", ["list", "index", "frame", "pairs"])
def test_a_new_user_may_have_items_without_strengths(given):
    model = EASE().fit(CLICKS[["user", "item"]], np.arange(len(CLICKS)) % 3 + 1)
    items = [0, 2]
    forms = {"list": items, "index": pd.Index(items), "frame": pd.DataFrame({"item": items})}
    forms["pairs"] = pd.DataFrame({"user": "new user", "item": items})
    expected = model.new_user(dict.fromkeys(items, model.mean_rating_)).recommend("new user", 3)
    pd.testing.assert_frame_equal(model.new_user(forms[given]).recommend("new user", 3), expected)


def test_recommenders_of_ratings_read_sparse_matrices():
    matrix = sp.csr_matrix((np.arange(1.0, len(CLICKS) + 1) % 5 + 1, (CLICKS["user"], CLICKS["item"])))
    model = DotProductBias(n_factors=2, epochs=1, random_state=0).fit(matrix)
    assert len(model.ratings_) == len(CLICKS)
    with pytest.raises(ValueError, match="sparse matrix"):
        model.fit(matrix, np.ones(matrix.shape[0]))


def test_equal_ratings_are_warned_of():
    with pytest.warns(UserWarning, match=r"All ratings in y are 1.*EASE"):
        BayesianFactorization(n_sweeps=3, n_factors=2, random_state=0).fit(CLICKS, np.ones(len(CLICKS)))


def test_grid_search_scores_by_ndcg():
    search = GridSearchCV(
        EASE(), {"ridge": [1e-3, 5.0, 1e6], "rating_weight": [0.0, 0.1]}, cv=PerUserSplit(2, random_state=0)
    )
    search.fit(CLICKS)
    assert 0 < search.best_score_ <= 1
    assert search.best_params_["ridge"] < 1e6


def ones(values):
    return np.ones(len(values))


def do_nothing(*_):
    return None


SEGMENTS = pd.DataFrame({"segment": ["a", "b"] * 12}, index=range(24))
SHARED = {
    "user": [None, "user"],
    "item": [None, "item"],
    "user_features": [None, SEGMENTS],
    "item_features": [None, pd.DataFrame({"kind": ["even", "odd"] * 8}, index=range(16))],
    "rating_weight": [0.2, "value", ones],
}
NETS = {"random_state": [0, 1], "device": ["cpu", "auto"], "verbose": [0, False]}
GRIDS = {
    "ease": {"ridge": [1.0, 50.0], "feature_weight": [0.0, 2.0]},
    "knn": {"n_neighbors": [1, 5], "weighting": ["cosine", "bm25"], "shrinkage": [0.0, 5.0]},
    "popular": {"time": [None, "at"], "half_life": [None, 9.0], "segment": [None, "segment"]},
    "als": NETS
    | {"n_factors": [1, 4], "n_iterations": [1, 2], "regularization": [0.01, 1.0], "unobserved_weight": [0.1, 1.0]},
    "bpr": NETS
    | {
        "n_factors": [2, 4],
        "epochs": [1, 2],
        "batch_size": [32, "auto"],
        "learning_rate": [0.01, 0.1],
        "regularization": [0.0, 0.1],
        "n_negatives": [1, 2],
        "hard_negatives": [True, False],
        "optimizer": ["adam", "sgd"],
        "schedule": ["constant", "one_cycle"],
        "callbacks": [(), (do_nothing,)],
    },
    "blend": {
        "recommenders": [[EASE()], [EASE(), Popular()]],
        "weights": [None, [1.0, 3.0]],
        "validation_fraction": [0.2, 0.4],
        "k": [5, 10],
        "random_state": [0, 1],
    },
}
NEEDED = {"half_life": {"time": "at"}, "segment": {"user_features": SEGMENTS}}


@pytest.mark.parametrize("name", GRIDS)
def test_every_parameter_can_be_searched(name):
    grid = GRIDS[name] | SHARED
    model = clone(MODELS[name])
    assert grid.keys() == model.get_params(deep=False).keys()
    if name == "bpr":
        model.set_params(epochs=1)
    clicks = CLICKS.head(60).assign(at=np.arange(60))
    cv, y = PredefinedSplit(np.where(np.arange(60) % 4, -1, 0)), np.arange(60) % 5 + 1
    grids = [
        {parameter: values} | {other: [value] for other, value in NEEDED.get(parameter, {}).items()}
        for parameter, values in grid.items()
    ]
    search = GridSearchCV(model, grids, cv=cv, error_score="raise").fit(clicks, y)
    assert len(search.cv_results_["params"]) == sum(map(len, grid.values()))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = clone(model).set_params(**search.best_params_).fit(clicks, y)
    np.testing.assert_array_equal(search.predict(clicks), best.predict(clicks))


def test_items_known_by_features_alone_have_weights():
    features = pd.DataFrame({"kind": ["even", "odd"] * 10}, index=range(20))
    for model in (EASE(ridge=5.0, feature_weight=2.0), ImplicitALS(3, random_state=0)):
        model.set_params(item_features=features).fit(CLICKS)
        found = model.recommend([2, 3], 1, candidates=[18, 19])
        assert found["item"].tolist() == [18, 19]


def test_ease_scores_a_new_item_as_the_items_of_its_kind():
    features = pd.DataFrame({"kind": ["even", "odd"] * 9}, index=range(18))  # 16 and 17 are new
    model = EASE(ridge=5.0, item_features=features).fit(CLICKS)
    scores = model.predict(pd.DataFrame({"user": 2, "item": range(18)}))
    even, odd = scores[:16:2].mean(), scores[1:16:2].mean()
    assert odd < scores[17] < scores[:16].mean() < scores[16] < even
    assert set(model.recommend(2, 12, include_cold=True)["item"]) >= {16}


def test_popular_by_time():
    clicks = pd.DataFrame(
        {
            "user": range(6),
            "item": ["old"] * 4 + ["new"] * 2,
            "at": pd.to_datetime(["2024-01-01"] * 4 + ["2024-03-01"] * 2),
        }
    )
    assert Popular().fit(clicks).recommend(99, 1)["item"].tolist() == ["old"]
    recent = Popular(time="at", half_life=7).fit(clicks)
    assert recent.recommend(99, 1)["item"].tolist() == ["new"]
    seconds = clicks.assign(at=clicks["at"].astype("datetime64[s]").astype("int64"))
    assert Popular(time="at", half_life=7).fit(seconds).recommend(99, 1)["item"].tolist() == ["new"]
    for factor in (1_000, 1_000_000_000):  # milliseconds, nanoseconds
        smaller = seconds.assign(at=seconds["at"] * factor)
        np.testing.assert_array_equal(read_days(smaller, "at"), read_days(seconds, "at"))
    text = clicks.assign(at=["13.01.2024 08:00"] * 4 + ["14.01.2024 20:00"] * 2)
    np.testing.assert_allclose(np.diff(read_days(text, "at")), [0, 0, 0, 1.5, 0])
    with pytest.raises(ValueError, match="must hold times, dates or seconds, but holds 'old'"):
        read_days(clicks, "item")
    with pytest.raises(ValueError, match="set time"):
        Popular(half_life=7).fit(clicks)
    with pytest.raises(ValueError, match="no time in row 1"):
        recent.fit(clicks.assign(at=clicks["at"].where(clicks["user"] != 1)))


def test_a_time_in_the_future_does_not_make_all_others_old():
    days = np.array(["2024-01-01"] * 4 + ["2024-03-01"] * 2 + ["2999-01-01"], dtype="datetime64[s]")
    clicks = pd.DataFrame({"user": range(7), "item": ["old"] * 4 + ["new"] * 2 + ["odd"], "at": days})
    with pytest.warns(UserWarning, match="1 of 7 times are in the future, the latest on 2999-01-01"):
        model = Popular(time="at", half_life=7).fit(clicks)
    assert model.recommend(99, 3)["item"].tolist() == ["new", "odd", "old"]


def test_popular_by_segment():
    users = pd.DataFrame({"group": np.where(np.arange(26) % 2, "odd", "even")}, index=range(26))
    model = Popular(segment="group", user_features=users).fit(CLICKS)
    found = model.recommend([2, 3, 24, 25], 1)  # 24 and 25 are known from the table alone
    assert (found["item"] % 2 == [0, 1, 0, 1]).all()
    with pytest.raises(ValueError, match="town"):
        Popular(segment="town", user_features=users).fit(CLICKS)
    with pytest.raises(ValueError, match="user_features"):
        Popular(segment="group").fit(CLICKS)


def test_a_blend_finds_the_recommender_that_serves():
    model = BlendedRecommender([EASE(ridge=5.0), Popular()], random_state=0).fit(CLICKS)
    assert model.weights_[0] > model.weights_[1]
    np.testing.assert_allclose(model.weights_.sum(), 1)
    fixed = BlendedRecommender([EASE(ridge=5.0), Popular()], weights=[3, 1]).fit(CLICKS)
    np.testing.assert_allclose(fixed.weights_, [0.75, 0.25])
    for weights in ([1], [1, -1], [0, 0]):
        with pytest.raises(ValueError, match="weights="):
            BlendedRecommender([EASE(), Popular()], weights=weights).fit(CLICKS)
    with pytest.raises(ValueError, match="recommenders="):
        BlendedRecommender(["ease"]).fit(CLICKS)


def test_weights_are_searched_for_the_best_first_items():
    scores = np.zeros((2, 3, 6))
    scores[0] = -2 * np.arange(6)
    scores[1] = np.arange(6)
    relevant = np.zeros((3, 6), dtype=bool)
    relevant[:, 4] = True
    seen = np.arange(3), np.full(3, 5)
    assert search_weights(scores, seen, relevant, 1)[1] > 0.5


def test_every_user_keeps_an_interaction_when_some_are_held_out():
    ratings, _ = sort_interactions(np.array([1, 2, 2, 3, 3, 3, 3, 3]), np.array([1, 1, 2, 1, 2, 3, 4, 5]), np.ones(8))
    chosen = hold_out(ratings, 0.4, np.random.default_rng(0))
    assert np.bincount(ratings.users, chosen).tolist() == [0, 0, 1, 2]


def test_ease_says_how_much_memory_it_needs(monkeypatch):
    monkeypatch.setattr("os.sysconf", lambda name: 10)
    with pytest.raises(MemoryError, match=r"weights between 17 items.*ImplicitALS"):
        EASE().fit(CLICKS)
