"""`evaluate`: every number of its table equals a value computed by hand."""

import warnings

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import clone

from tabrec import EASE, BayesianFactorization, DotProductBias, EmbeddingNN, Popular
from tabrec.collab import evaluate, rank_metrics
from tabrec.collab.bias_baseline import fit_biases
from tabrec.collab.interactions import sort_interactions
from tabrec.datasets import make_interactions, make_ratings

MODELS = {
    "DotProductBias": DotProductBias(n_factors=3, epochs=2, device="cpu", random_state=0),
    "EmbeddingNN": EmbeddingNN(layers=(8,), embedding_size=3, epochs=2, device="cpu", random_state=0),
    "BayesianFactorization": BayesianFactorization(n_factors=2, n_sweeps=10, n_burn_in=4, random_state=0),
}
RATINGS = make_ratings(1_200, n_users=60, n_items=50, random_state=0)
TRAIN, TEST = RATINGS[::2].reset_index(drop=True), RATINGS[1::2].reset_index(drop=True)
TEST = pd.concat([TEST, pd.DataFrame({"user": [999, 999, 1], "item": [1, 888, 888], "rating": [4.0, 2, 5]})])
IDS = ["user", "item"]
COLD = ~(TEST["user"].isin(TRAIN["user"]) & TEST["item"].isin(TRAIN["item"])).to_numpy()
EACH = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def tables():
    return {name: evaluate(clone(model), TRAIN, TEST, k=5) for name, model in MODELS.items()}


def rmse(gaps):
    return np.sqrt(np.mean(np.square(gaps)))


@EACH
def test_errors_are_those_of_the_predictions(tables, name):
    model = clone(MODELS[name]).fit(TRAIN.drop(columns="rating"), TRAIN["rating"])
    gaps = (TEST["rating"] - model.predict(TEST.drop(columns="rating"))).to_numpy()
    row = tables[name].loc[name]
    assert row["rmse"] == pytest.approx(rmse(gaps))
    assert row["mae"] == pytest.approx(np.abs(gaps).mean())
    assert row["rmse_warm"] == pytest.approx(rmse(gaps[~COLD]))
    assert row["rmse_cold"] == pytest.approx(rmse(gaps[COLD]))
    assert (row["n_warm"], row["n_cold"]) == ((~COLD).sum(), COLD.sum())
    of_users = pd.Series(gaps).groupby(TEST["user"].to_numpy()).apply(rmse)
    assert row["rmse_per_user"] == pytest.approx(of_users.mean())


@EACH
def test_recommendations_are_counted_against_the_liked_of_the_test(tables, name):
    model = clone(MODELS[name]).fit(TRAIN.drop(columns="rating"), TRAIN["rating"])
    liked = TEST[TEST["rating"] >= TRAIN["rating"].mean()]
    recommended = model.recommend(liked["user"].unique(), 5)
    found = recommended.merge(liked, on=IDS).groupby("user").size().reindex(liked["user"].unique(), fill_value=0)
    row = tables[name].loc[name]
    assert row["recall"] == pytest.approx((found / liked.groupby("user").size()).mean())
    assert row["precision"] == pytest.approx((found / 5).mean())
    assert row["hit_rate"] == pytest.approx((found > 0).mean())


def test_the_baseline_of_biases_is_damped_means(tables):
    users, items = (np.sort(TRAIN[name].unique()) for name in IDS)
    codes = {name: pd.Series(np.arange(1, len(ids) + 1), ids) for name, ids in zip(IDS, (users, items), strict=True)}
    own = [TRAIN[name].map(codes[name]).to_numpy() for name in IDS]
    biases = fit_biases(sort_interactions(*own, TRAIN["rating"].to_numpy(), None)[0], len(users) + 1, len(items) + 1)
    asked = [TEST[name].map(codes[name]).fillna(0).to_numpy(int) for name in IDS]
    expected = rmse(TEST["rating"] - biases.predict(*asked))
    for table in tables.values():
        assert table.loc["biases only", "rmse"] == pytest.approx(expected)
    assert expected < rmse(TEST["rating"] - TRAIN["rating"].mean())


def test_the_most_popular_items_are_those_with_most_ratings(tables):
    liked = TEST[TEST["rating"] >= TRAIN["rating"].mean()]
    counts = TRAIN["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    hits = []
    for user, own in liked.groupby("user"):
        seen = set(TRAIN["item"][TRAIN["user"] == user])
        best = [item for item in counts.index if item not in seen][:5]
        hits.append(own["item"].isin(best).sum() / len(own))
    row = tables["DotProductBias"].loc["most popular"]
    assert row["recall"] == pytest.approx(np.mean(hits))
    assert np.isnan(row["rmse"])


@EACH
def test_the_rows_are_the_model_and_two_baselines(tables, name):
    assert tables[name].index.tolist() == [name, "biases only", "most popular"]
    others = [table.drop(index=table.index[0]) for table in tables.values()]
    pd.testing.assert_frame_equal(tables[name].drop(index=name), others[0])


@EACH
def test_a_fitted_model_is_taken_as_it_is_and_another_is_left_unfitted(tables, name):
    model = clone(MODELS[name])
    pd.testing.assert_frame_equal(evaluate(model, TRAIN, TEST, k=5), tables[name])
    assert not hasattr(model, "mean_rating_")
    model.fit(TRAIN[IDS], TRAIN["rating"])
    before = dict(vars(model))
    pd.testing.assert_frame_equal(evaluate(model, TRAIN, TEST, k=5), tables[name])
    # The order of relevance is learned in the first call of `recommend`.
    assert vars(model) | {"_relevance": before["_relevance"]} == before


def test_the_callers_tables_stay_as_they_are_and_may_be_of_any_kind(tables):
    train, test = TRAIN.copy(), TEST.copy()
    name = "BayesianFactorization"
    evaluate(clone(MODELS[name]), train, test)
    pd.testing.assert_frame_equal(train, TRAIN)
    pd.testing.assert_frame_equal(test, TEST)
    other = evaluate(clone(MODELS[name]), polars.from_pandas(TRAIN), polars.from_pandas(TEST), k=5)
    pd.testing.assert_frame_equal(other, tables[name])
    text = [frame.assign(user="u" + frame["user"].astype(str).str.zfill(3)) for frame in (TRAIN, TEST)]
    pd.testing.assert_frame_equal(evaluate(clone(MODELS[name]), *text, k=5), tables[name])
    categories = [frame.assign(user=frame["user"].astype("category")) for frame in (TRAIN, TEST)]
    pd.testing.assert_frame_equal(evaluate(clone(MODELS[name]), *categories, k=5), tables[name])


def test_the_column_of_the_rating_is_found_wherever_it_is():
    model = MODELS["BayesianFactorization"]
    expected = evaluate(clone(model), TRAIN[[*IDS, "rating"]], TEST[[*IDS, "rating"]])
    moved = [frame[["rating", *IDS]] for frame in (TRAIN, TEST)]
    pd.testing.assert_frame_equal(evaluate(clone(model), *moved), expected)
    pd.testing.assert_frame_equal(evaluate(clone(model), *moved, rating="rating"), expected)
    assert evaluate(clone(model), TRAIN, TEST).equals(expected)
    with pytest.raises(ValueError, match="no column 'stars'.*'rating'"):
        evaluate(clone(model), TRAIN, TEST, rating="stars")
    with pytest.raises(ValueError, match="needs a user, an item and a rating"):
        evaluate(clone(model), TRAIN[IDS], TEST[IDS])
    with pytest.raises(ValueError, match="no rows"):
        evaluate(clone(model), TRAIN, TEST.head(0))


def test_where_nothing_is_liked_errors_are_all_there_is():
    table = evaluate(clone(MODELS["BayesianFactorization"]), TRAIN, TEST, threshold=100)
    assert np.isfinite(table.loc["BayesianFactorization", "rmse"])
    assert "recall" not in table.columns or table["recall"].isna().all()


def test_a_higher_threshold_leaves_fewer_to_find():
    strict = evaluate(clone(MODELS["BayesianFactorization"]), TRAIN, TEST, threshold=5, k=5)
    liked = TEST[TEST["rating"] >= 5]
    model = clone(MODELS["BayesianFactorization"]).fit(TRAIN[IDS], TRAIN["rating"])
    found = model.recommend(liked["user"].unique(), 5).merge(liked, on=IDS).groupby("user").size()
    recall = (found / liked.groupby("user").size()).reindex(liked["user"].unique(), fill_value=0).fillna(0).mean()
    assert strict.loc["BayesianFactorization", "recall"] == pytest.approx(recall)


def test_without_cold_rows_their_error_is_missing():
    table = evaluate(clone(MODELS["BayesianFactorization"]), TRAIN, TEST[~COLD])
    assert table.loc["BayesianFactorization", "n_cold"] == 0
    assert np.isnan(table.loc["BayesianFactorization", "rmse_cold"])
    assert table.loc["BayesianFactorization", "rmse"] == table.loc["BayesianFactorization", "rmse_warm"]


def test_a_date_or_a_time_is_not_the_rating():
    model = MODELS["BayesianFactorization"]
    expected = evaluate(clone(model), TRAIN[[*IDS, "rating"]], TEST[[*IDS, "rating"]])
    for column in (TRAIN["timestamp"], pd.to_datetime(TRAIN["timestamp"], unit="s")):
        frames = TRAIN.assign(at=column)[[*IDS, "at", "rating"]], TEST.assign(at=0)[[*IDS, "at", "rating"]]
        pd.testing.assert_frame_equal(evaluate(clone(model), *frames), expected)
    with pytest.raises(ValueError, match="no column of ratings"):
        evaluate(clone(model), TRAIN[[*IDS, "timestamp"]], TEST)
    with pytest.raises(ValueError, match="test has no column 'rating'"):
        evaluate(clone(model), TRAIN, TEST[IDS])


def test_test_pairs_that_repeat_train_are_not_relevant_unless_seen_items_are_recommended():
    model = MODELS["BayesianFactorization"]
    expected = evaluate(clone(model), TRAIN, TEST)
    again = pd.concat([TEST, TRAIN.head(50)])
    with pytest.warns(UserWarning, match="50 of 653 test ratings are of pairs that are in train.*exclude_seen=False"):
        table = evaluate(clone(model), TRAIN, again)
    pd.testing.assert_series_equal(table["recall"], expected["recall"])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "50 of")
        table = evaluate(clone(model), TRAIN, TRAIN, k=50, exclude_seen=False)
    assert table["recall"].tolist() == [1, 1, 1]


def test_it_is_said_when_the_most_popular_items_rank_better():
    rng = np.random.default_rng(0)
    item = np.minimum(rng.geometric(0.15, 3000), 40)
    clicks = pd.DataFrame({"user": rng.integers(100, size=3000), "item": item, "y": 1.0 + item % 2 + rng.random(3000)})
    clicks = clicks.drop_duplicates(["user", "item"])
    with pytest.warns(UserWarning, match=r"BayesianFactorization ranks worse than the most popular .*NDCG@10.* EASE"):
        table = evaluate(clone(MODELS["BayesianFactorization"]), clicks[::2], clicks[1::2], threshold=0)
    assert table.loc["BayesianFactorization", "ndcg"] < table.loc["most popular", "ndcg"]
    assert table.attrs["columns"] == {"user": "user", "item": "item", "rating": "y"}


def test_models_of_interactions_need_no_ratings():
    clicks = make_interactions(3_000, n_users=100, n_items=120, random_state=0)[IDS]
    train, test = clicks[::2], clicks[1::2]
    table = evaluate(EASE(), train, test, k=5)
    model = EASE().fit(train)
    assert table.index.tolist() == ["EASE", "most popular"]
    assert "rmse" not in table.columns
    expected = rank_metrics(model.recommend(test["user"].unique(), 5), test, 5)
    pd.testing.assert_series_equal(table.loc["EASE", expected.index], expected, check_names=False)
    pd.testing.assert_frame_equal(evaluate(model, train, test, k=5), table)
    assert table.attrs["columns"] == {"user": "user", "item": "item", "rating": None}
    by_hand = rank_metrics(Popular().fit(train).recommend(test["user"].unique(), 5), test, 5)["ndcg"]
    assert table.loc["most popular", "ndcg"] == pytest.approx(by_hand)


def test_strengths_of_interactions_are_found_by_name_only():
    clicks = make_interactions(1_500, n_users=80, n_items=90, random_state=0)[[*IDS, "position"]]
    ignored = evaluate(EASE(), clicks[::2], clicks[1::2])
    assert ignored.attrs["columns"]["rating"] is None
    plays = clicks.rename(columns={"position": "play_count"})
    used = evaluate(EASE(), plays[::2], plays[1::2])
    assert used.attrs["columns"]["rating"] == "play_count"
    assert used.loc["EASE", "ndcg"] != ignored.loc["EASE", "ndcg"]
    named = evaluate(EASE(), clicks[::2], clicks[1::2], rating="position")
    assert named.loc["EASE", "ndcg"] == used.loc["EASE", "ndcg"]


def test_users_without_training_rows_are_scored_apart():
    clicks = make_interactions(3_000, n_users=100, n_items=120, random_state=0)[IDS]
    is_new = clicks["user"] > 90
    train, test = clicks[~is_new][::2], pd.concat([clicks[~is_new][1::2], clicks[is_new]])
    row = evaluate(EASE(), train, test).loc["EASE"]
    model = EASE().fit(train)
    for name, part in (("ndcg_warm", test[test["user"] <= 90]), ("ndcg_cold", test[test["user"] > 90])):
        assert row[name] == pytest.approx(rank_metrics(model.recommend(part["user"].unique()), part)["ndcg"])
    assert 0 < row["ndcg_se"] < 0.1


@pytest.mark.filterwarnings("ignore:All ratings in y are")
def test_what_was_assumed_is_said():
    model = clone(MODELS["BayesianFactorization"])
    odd = [frame[[*IDS, "rating"]].rename(columns={"rating": "level"}) for frame in (TRAIN, TEST)]
    with pytest.warns(UserWarning, match="'level' is taken for the ratings"):
        evaluate(model, *odd)
    with pytest.warns(UserWarning, match=r"% of the rows of train are later \(column 'timestamp'\)"):
        evaluate(model, TRAIN, TEST.dropna())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*rows of train are later")
        warnings.filterwarnings("error", ".*taken for the ratings")
        early = RATINGS["timestamp"] < RATINGS["timestamp"].median()
        evaluate(model, RATINGS[early], RATINGS[~early])
    ones = TRAIN[IDS].assign(rating=1.0)
    model.fit(ones[IDS], ones["rating"])
    with pytest.warns(UserWarning, match="All ratings of train are 1: errors of ratings say nothing"):
        evaluate(model, ones, TEST[[*IDS, "rating"]])
