"""The three recommenders: known answers, reproducible models, and use with tools of scikit-learn."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN, TimeSplit
from tabrec.collab.cv_scorers import make_ranking_scorer, per_user_rmse_scorer

SMALL = {
    "dot": DotProductBias(n_factors=3, epochs=2, device="cpu", random_state=0),
    "nn": EmbeddingNN(layers=(8,), embedding_size=3, epochs=2, device="cpu", random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, random_state=0),
    "ordinal": BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, likelihood="ordinal", random_state=0),
}
# Settings by which a few hundred ratings of two groups are learned to the end.
LEARNING = {
    "dot": DotProductBias(n_factors=3, epochs=30, learning_rate=0.05, weight_decay=0.0, init_std=0.1, random_state=0),
    "nn": EmbeddingNN(
        layers=(16,),
        embedding_size=4,
        batch_size=64,
        epochs=60,
        learning_rate=0.01,
        weight_decay=0.01,
        embedding_std=0.1,
        random_state=0,
    ),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=30, n_burn_in=10, random_state=0),
    "ordinal": BayesianFactorization(n_factors=2, n_sweeps=30, n_burn_in=10, likelihood="ordinal", random_state=0),
}
N_USERS, N_ITEMS = 25, 18


def make_ratings(seed=0):
    """Integer ratings from 1 to 5 for about 60 % of all pairs, in order of time."""
    rng = np.random.default_rng(seed)
    user, item = (codes.ravel() for codes in np.mgrid[1 : N_USERS + 1, 1 : N_ITEMS + 1])
    liking = 3 + rng.normal(0, 0.7, N_USERS)[user - 1] + rng.normal(0, 0.7, N_ITEMS)[item - 1]
    y = np.clip(np.round(liking + rng.normal(0, 0.5, len(user))), 1, 5)
    rows = rng.permutation(len(user))[: int(0.6 * len(user))]
    X = pd.DataFrame({"user": user[rows], "item": 100 * item[rows], "timestamp": np.arange(len(rows))})
    return X, y[rows]


def two_groups(n_users=30, n_items=24):
    """Even users rate even items 5 and odd items 1, odd users the reverse; a fifth of the pairs is held out."""
    user, item = (codes.ravel() for codes in np.mgrid[:n_users, :n_items])
    X, y = pd.DataFrame({"user": user, "item": item}), np.where(user % 2 == item % 2, 5.0, 1.0)
    held_out = (7 * user + 3 * item) % 5 == 0
    return X[~held_out], y[~held_out], X[held_out], y[held_out]


X, Y = make_ratings()
USER_FEATURES = pd.DataFrame(
    {"age": np.linspace(20, 60, N_USERS), "town": ["Rome", "Oslo", "Bonn", "Nice", "Bath"] * 5}
)
USER_FEATURES.index = range(1, N_USERS + 1)
ITEM_FEATURES = pd.DataFrame({"genre": ["drama", "comedy", "war"] * 6}, index=range(100, 100 * N_ITEMS + 1, 100))
EVERYTHING = pd.DataFrame([(u, i, 0) for u in [*range(1, N_USERS + 1), 99] for i in [*X["item"].unique(), 7]])
EVERYTHING.columns = X.columns


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in SMALL.items()}


# --- Known answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LEARNING)
def test_two_groups_of_users_who_like_two_groups_of_items_are_recovered(name):
    known, y, new, truth = two_groups()
    predicted = clone(LEARNING[name]).fit(known, y).predict(new)
    np.testing.assert_array_equal(predicted > 3, truth > 3)
    np.testing.assert_allclose(predicted, truth, atol=0.3 if name != "ordinal" else 1.2)


@pytest.mark.parametrize("name", SMALL)
def test_an_item_that_everybody_likes_has_the_greatest_bias_and_a_grumpy_user_the_least(name):
    user, item = (codes.ravel() for codes in np.mgrid[:20, :15])
    y = 3.0 + (item == 4) * 2 - (user == 7) * 2 + np.where((user + item) % 2, 0.5, -0.5) * (user != 7) * (item != 4)
    ratings = pd.DataFrame({"user": user, "item": item})
    model = clone(LEARNING[name]).fit(ratings, np.round(y))
    assert model.item_bias_.idxmax() == 4
    assert model.user_bias_.idxmin() == 7
    assert model.item_bias_.index.name == "item"
    assert model.user_bias_.index.tolist() == model.users_.tolist() == list(range(20))


# --- Ids the model has and has not -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_a_prediction_is_a_number_whatever_is_unknown_and_the_path_says_what_is(fitted, name):
    predicted, path = fitted[name].predict(EVERYTHING, return_path=True)
    assert np.isfinite(predicted).all()
    unknown_user, unknown_item = (EVERYTHING["user"] == 99).to_numpy(), (EVERYTHING["item"] == 7).to_numpy()
    assert set(path[~unknown_user & ~unknown_item]) == {"learned"}
    assert set(path[unknown_user & ~unknown_item]) == {"item bias"}
    assert set(path[~unknown_user & unknown_item]) == {"user bias"}
    assert set(path[unknown_user & unknown_item]) == {"global mean"}
    assert predicted[unknown_user & unknown_item] == pytest.approx(Y.mean())


@pytest.mark.parametrize("name", ["dot", "bayes", "ordinal"])
def test_an_unknown_user_is_predicted_by_the_items_biases_and_an_unknown_item_by_the_users(name):
    model = clone(LEARNING[name]).fit(X, Y)
    of_items = model.predict(pd.DataFrame({"user": 99, "item": model.items_}))
    of_users = model.predict(pd.DataFrame({"user": model.users_, "item": 7}))
    means = [pd.Series(Y).groupby(X[side].to_numpy()).mean().to_numpy() for side in ("item", "user")]
    assert np.corrcoef(of_items, means[0])[0, 1] > 0.9
    assert np.corrcoef(of_users, means[1])[0, 1] > 0.9


def test_how_sure_a_prediction_is_comes_between_it_and_its_path(fitted):
    predicted, std, path = fitted["bayes"].predict(EVERYTHING, return_std=True, return_path=True)
    np.testing.assert_array_equal(predicted, fitted["bayes"].predict(EVERYTHING))
    assert (std > 0).all()
    assert std[path == "learned"].mean() < std[path == "user bias"].mean() < std[path == "global mean"].mean()


def test_the_standard_deviation_is_that_of_ratings_around_their_predictions():
    user, item = (codes.ravel() for codes in np.mgrid[:40, :40])
    rng = np.random.default_rng(0)
    y = 3 + rng.normal(0, 1, 40)[user] + rng.normal(0, 0.6, len(user))
    train = rng.random(len(user)) < 0.5
    ratings = pd.DataFrame({"user": user, "item": item})
    model = BayesianFactorization(n_factors=2, n_sweeps=60, random_state=0).fit(ratings[train], y[train])
    predicted, std = model.predict(ratings[~train], return_std=True)
    assert np.median(std) == pytest.approx(0.6, abs=0.1)
    assert np.mean(np.abs(y[~train] - predicted) < 1.645 * std) == pytest.approx(0.9, abs=0.04)


# --- What has been learned -------------------------------------------------------------------------------------------


def test_the_sum_of_biases_and_factors_is_the_prediction_without_a_range():
    model = clone(SMALL["dot"]).set_params(y_range=None, epochs=10).fit(X, Y)
    sums = model.user_factors_ @ model.item_factors_.T + model.item_bias_
    sums = sums.add(model.user_bias_, axis=0)
    expected = [sums.loc[user, item] for user, item in zip(X["user"], X["item"], strict=True)]
    rest = (model.predict(X) - Y.mean()) / Y.std() - expected
    np.testing.assert_allclose(rest, rest[0], atol=1e-5)
    assert abs(rest[0]) < 0.2


def test_factors_of_the_posterior_have_the_products_of_a_single_sample():
    model = clone(SMALL["bayes"]).set_params(n_samples=1).fit(X, Y)
    sums = model.user_factors_ @ model.item_factors_.T + model.item_bias_ + float(model.posterior_.mean[0])
    sums = sums.add(model.user_bias_, axis=0).clip(Y.min(), Y.max())
    expected = [sums.loc[user, item] for user, item in zip(X["user"], X["item"], strict=True)]
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
def test_factors_have_a_row_for_each_id_in_their_order(fitted, name):
    model = fitted[name]
    assert model.item_factors_.index.tolist() == sorted(X["item"].unique())
    assert model.user_factors_.index.tolist() == list(range(1, N_USERS + 1))
    assert np.isfinite(model.item_factors_.to_numpy()).all()
    assert model.item_factors_.shape[1] == (2 if "n_sweeps" in model.get_params() else 3)


def test_the_bias_of_a_net_is_what_it_adds_whoever_the_other_is(fitted):
    bias = fitted["nn"].item_bias_
    of_unknown = fitted["nn"].predict(pd.DataFrame({"user": 99, "item": bias.index}))
    np.testing.assert_allclose(bias - bias.iloc[0], of_unknown - of_unknown[0], atol=1e-9)


# --- The same model for the same rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_the_same_random_state_gives_the_same_model_bit_for_bit_and_another_gives_another(fitted, name):
    model = clone(SMALL[name]).fit(X, Y)
    first = fitted[name].predict(EVERYTHING)
    np.testing.assert_array_equal(model.predict(EVERYTHING), first)
    np.testing.assert_array_equal(model.fit(X, Y).predict(EVERYTHING), first)
    assert np.abs(clone(model).set_params(random_state=1).fit(X, Y).predict(X) - fitted[name].predict(X)).max() > 1e-6


@pytest.mark.parametrize("name", SMALL)
def test_fitting_again_forgets_what_was_fitted_before(fitted, name):
    others = pd.DataFrame({"user": np.repeat([1, 500], 40), "item": np.tile(np.arange(40), 2)})
    model = clone(SMALL[name]).fit(others, np.arange(80) % 3 + 20.0)
    model.fit(X, Y)
    np.testing.assert_array_equal(model.predict(EVERYTHING), fitted[name].predict(EVERYTHING))
    assert model.users_.tolist() == fitted[name].users_.tolist()


@pytest.mark.parametrize("name", SMALL)
def test_rows_may_come_in_any_order_with_any_index(fitted, name):
    order = np.random.default_rng(3).permutation(len(X))
    model = clone(SMALL[name]).fit(X.iloc[order].set_axis(order * 10), Y[order])
    np.testing.assert_array_equal(model.predict(EVERYTHING), fitted[name].predict(EVERYTHING))


@pytest.mark.parametrize("name", ["dot", "nn"])
def test_random_numbers_of_others_are_left_alone_and_have_no_say(fitted, name):
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model = clone(SMALL[name]).fit(X, Y)
    model.partial_fit(X, Y).new_user({100: 5.0}).recommend("new user")
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    np.testing.assert_array_equal(clone(SMALL[name]).fit(X, Y).predict(X), fitted[name].predict(X))


@pytest.mark.parametrize("name", SMALL)
def test_fit_and_predict_leave_the_callers_tables_as_they_were(name):
    frame, y, users, items = X.copy(), Y.copy(), USER_FEATURES.copy(), ITEM_FEATURES.copy()
    model = clone(SMALL[name]).set_params(user_features=users, item_features=items)
    model.fit(frame, y, sample_weight=np.ones(len(y)))
    assert model.user_features is users
    model.predict(frame)
    model.partial_fit(frame, y)
    model.new_user({100: 5.0})
    for now, before in ((frame, X), (users, USER_FEATURES), (items, ITEM_FEATURES)):
        pd.testing.assert_frame_equal(now, before)
    np.testing.assert_array_equal(y, Y)


# --- Weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_whole_weights_are_repeated_rows_and_rows_of_weight_0_leave_no_trace(name):
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    weights[X["user"] == 5] = 0
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(len(X)), weights))
    weighted = clone(SMALL[name]).fit(X, Y, sample_weight=weights)
    repeated = clone(SMALL[name]).fit(X.iloc[rows], Y[rows])
    np.testing.assert_array_equal(weighted.predict(EVERYTHING), repeated.predict(EVERYTHING))
    assert 5 not in weighted.users_
    assert weighted.mean_rating_ == pytest.approx(np.average(Y, weights=weights))


@pytest.mark.parametrize("name", SMALL)
def test_rows_of_weight_0_beside_fractional_weights_leave_no_trace(name):
    weights = np.where(X["user"] == 5, 0, np.random.default_rng(0).uniform(0.2, 2, len(X)))
    weighted = clone(SMALL[name]).fit(X, Y, sample_weight=weights)
    removed = clone(SMALL[name]).fit(X[weights > 0], Y[weights > 0], sample_weight=weights[weights > 0])
    np.testing.assert_array_equal(weighted.predict(EVERYTHING), removed.predict(EVERYTHING))


@pytest.mark.parametrize("name", LEARNING)
def test_a_heavy_rating_outweighs_a_light_one_of_the_same_pair(name):
    pairs = pd.concat([X[["user", "item"]], pd.DataFrame({"user": 3, "item": [900] * 2})])
    y = np.append(Y, [1.0, 5.0])
    predicted = []
    for heavy in (0, 1):
        weights = np.append(np.ones(len(X)), [0.01, 0.01])
        weights[len(X) + heavy] = 40.5
        predicted += [clone(LEARNING[name]).fit(pairs, y, sample_weight=weights).predict(pairs.tail(1))[0]]
    assert predicted[1] > predicted[0] + 0.5


@pytest.mark.parametrize("name", SMALL)
def test_weights_that_mean_nothing_are_refused(name):
    for weights, message in (
        (np.full(len(X), -1.0), "negative"),
        (np.zeros(len(X)), "non-zero"),
        ([1.0], "[Ii]nconsist|shape"),
    ):
        with pytest.raises(ValueError, match=message):
            clone(SMALL[name]).fit(X, Y, sample_weight=weights)


# --- scikit-learn ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_a_clone_has_the_parameters_and_nothing_learned(fitted, name):
    model = copy.copy(fitted[name]).set_params(user_features=USER_FEATURES, item_features=ITEM_FEATURES)
    made = clone(model)
    assert vars(made).keys() == model.get_params().keys()
    pd.testing.assert_frame_equal(made.user_features, USER_FEATURES)
    pd.testing.assert_frame_equal(made.item_features, ITEM_FEATURES)
    expected = clone(SMALL[name]).set_params(user_features=USER_FEATURES, item_features=ITEM_FEATURES).fit(X, Y)
    np.testing.assert_array_equal(made.fit(X, Y).predict(EVERYTHING), expected.predict(EVERYTHING))


@pytest.mark.parametrize("name", SMALL)
def test_in_a_pipeline_it_is_the_model_it_is_alone(fitted, name):
    pipeline = make_pipeline(FunctionTransformer(lambda frame: frame[["user", "item"]]), clone(SMALL[name])).fit(X, Y)
    np.testing.assert_array_equal(pipeline.predict(X), fitted[name].predict(X))
    assert pipeline.score(X, Y) == pytest.approx(fitted[name].score(X, Y))


@pytest.mark.parametrize("name", SMALL)
def test_it_is_cross_validated_by_errors_and_by_recommendations(name):
    scorers = {
        "rmse": "neg_root_mean_squared_error",
        "of users": per_user_rmse_scorer,
        "ndcg": make_ranking_scorer("ndcg", k=5),
        "recall": make_ranking_scorer("recall", k=5, threshold=4),
    }
    cv = TimeSplit(n_splits=2, column="timestamp")
    scores = cross_validate(
        clone(SMALL[name]), X, Y, cv=cv, scoring=scorers, return_estimator=True, error_score="raise"
    )
    for model, (_, rows), rmse in zip(scores["estimator"], cv.split(X), scores["test_rmse"], strict=True):
        assert rmse == pytest.approx(-np.sqrt(np.mean((model.predict(X.iloc[rows]) - Y[rows]) ** 2)))
    for name in ("ndcg", "recall"):
        assert ((scores[f"test_{name}"] >= 0) & (scores[f"test_{name}"] <= 1)).all()


def do_nothing(*_):
    return None


SHARED = {
    "user": ["user", None],
    "item": ["item", None],
    "user_features": [None, USER_FEATURES],
    "item_features": [None, ITEM_FEATURES],
    "duplicates": ["all", "mean"],
    "verbose": [0, 1],
    "random_state": [0, 1],
}
NETS = SHARED | {
    "y_range": ["auto", None],
    "epochs": [1, 2],
    "batch_size": [32, "auto"],
    "learning_rate": [0.01, 0.02],
    "weight_decay": [0.0, 0.1],
    "optimizer": ["adamw", "sgd"],
    "schedule": ["constant", "one_cycle"],
    "validation_fraction": [None, 0.2],
    "patience": [1, 2],
    "metrics": [(), ("mean_absolute_error",)],
    "callbacks": [(), (do_nothing,)],
    "device": ["cpu", "auto"],
}
GRIDS = {
    "dot": NETS
    | {
        "n_factors": [2, 3],
        "init_std": [0.01, 0.1],
        "bias": [True, False],
        "n_history": [0, 2],
        "row_penalty": [0.0, 0.1],
        "objective": ["rating", "ranking"],
    },
    "nn": NETS
    | {
        "layers": [(4,), [8, 4]],
        "embedding_size": [2, 3],
        "context": [(), ["timestamp"]],
        "dropout": [0.0, 0.2],
        "embedding_dropout": [0.0, 0.2],
        "embedding_std": [0.01, 0.1],
        "unknown_rate": [0.01, 0.1],
        "batch_norm": [True, False],
        "objective": ["rating", "ranking"],
    },
    "bayes": SHARED
    | {
        "n_factors": [1, 2],
        "n_sweeps": [4, 8],
        "n_burn_in": [0, 2],
        "n_samples": [2, 4],
        "likelihood": ["normal", "ordinal"],
        "implicit_feedback": [True, False],
    },
}


@pytest.mark.parametrize("name", GRIDS)
def test_the_grids_have_every_parameter(name):
    assert GRIDS[name].keys() == SMALL[name].get_params().keys()


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "parameter"), [(name, parameter) for name, grid in GRIDS.items() for parameter in grid]
)
def test_every_parameter_can_be_searched_over_folds_of_time(name, parameter):
    model, values = clone(SMALL[name]), GRIDS[name][parameter]
    if parameter == "patience":
        model.set_params(validation_fraction=0.2)
    cv = TimeSplit(n_splits=2, column="timestamp")
    search = GridSearchCV(model, {parameter: values}, cv=cv, error_score="raise").fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = clone(model).set_params(**{parameter: values[search.best_index_]}).fit(X, Y)
    np.testing.assert_array_equal(search.predict(X), best.predict(X))
