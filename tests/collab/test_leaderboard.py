"""`compare_recommenders`: metrics equal those of models fitted by hand, splits are said, differences are tested."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.model_selection import ParameterGrid

from tabrec import EASE, BayesianFactorization, ItemKNN, Popular
from tabrec.collab import (
    compare_recommenders,
    coverage,
    intra_list_diversity,
    make_ranking_scorer,
    novelty,
    popularity_bias,
    rank_metrics,
    serendipity,
)
from tabrec.datasets import make_interactions

IDS = ["user", "item"]
CLICKS = make_interactions(4_000, n_users=150, n_items=120, random_state=0)
METRICS = ["precision", "recall", "ndcg", "map", "map_by_relevant", "mrr", "hit_rate"]


@pytest.fixture(scope="module")
def comparison():
    return compare_recommenders({"linear": EASE(), "neighbours": ItemKNN()}, CLICKS, k=5)


@pytest.fixture(scope="module")
def by_time():
    """The earlier rows, and of the latest fifth, for known items, the rows of known and of new users."""
    latest = CLICKS["timestamp"].sort_values(kind="stable").index[-800:]
    train, test = CLICKS.drop(index=latest), CLICKS.loc[latest.sort_values()]
    test = test[test["item"].isin(train["item"])]
    is_known = test["user"].isin(train["user"])
    return train, test[is_known], test[~is_known]


def test_metrics_are_those_of_a_model_fitted_to_the_earlier_rows(comparison, by_time):
    train, warm, cold = by_time
    popularity, popular = train["item"].value_counts(), Popular().fit(train[IDS])
    expected_lists = popular.recommend(warm["user"].unique(), 5)
    for name, model in (("linear", EASE()), ("neighbours", ItemKNN()), ("Popular", Popular())):
        model.fit(train[IDS])
        found, row = model.recommend(warm["user"].unique(), 5), comparison.table.loc[name]
        pd.testing.assert_series_equal(row[METRICS], rank_metrics(found, warm, 5)[METRICS], check_names=False)
        assert row["coverage"] == pytest.approx(coverage(found, popularity.index, 5))
        assert row["novelty"] == pytest.approx(novelty(found, popularity, train["user"].nunique(), 5))
        assert row["popularity_bias"] == pytest.approx(popularity_bias(found, warm, popularity, 5))
        assert row["diversity"] == pytest.approx(intra_list_diversity(found, train, 5))
        assert row["serendipity"] == pytest.approx(serendipity(found, warm, expected_lists, 5))
        of_cold = rank_metrics(model.recommend(cold["user"].unique(), 5), cold, 5)["ndcg"]
        assert row["ndcg_cold_users"] == pytest.approx(of_cold)


def test_popular_is_always_beside_once(comparison):
    assert sorted(comparison.table.index) == ["Popular", "linear", "neighbours"]
    own = compare_recommenders([Popular(), Popular(rating_weight=0.1)], CLICKS)
    assert sorted(own.table.index) == ["Popular", "Popular 2"]


def test_models_are_sorted_by_ndcg_and_left_unfitted(comparison):
    assert comparison.table["ndcg"].is_monotonic_decreasing
    model = EASE()
    compare_recommenders([model], CLICKS)
    assert not hasattr(model, "user_name_")


def test_standard_errors_are_over_users(comparison):
    values = comparison.by_user["ndcg"]["linear"]
    expected = values.std(ddof=1) / np.sqrt(len(values))
    assert comparison.table.loc["linear", "ndcg_se"] == pytest.approx(expected)
    assert comparison.standard_errors.loc["linear", "ndcg"] == pytest.approx(expected)
    assert comparison.standard_errors.index.tolist() == comparison.table.index.tolist()


def test_differences_are_tested_by_pairs_of_the_same_user(comparison):
    values = comparison.by_user["recall"]
    found = comparison.test_differences("recall", baseline="Popular")
    p = pd.Series({name: stats.ttest_rel(values[name], values["Popular"]).pvalue for name in found.index})
    least, greatest = p.sort_values()
    order = p.sort_values().index
    assert found.loc[order[0], "p_value"] == pytest.approx(min(1, 2 * least))
    assert found.loc[order[1], "p_value"] == pytest.approx(min(1, max(2 * least, greatest)))
    gaps = values["linear"] - values["Popular"]
    assert found.loc["linear", "difference"] == pytest.approx(gaps.mean())
    assert found.loc["linear", "share_better"] == pytest.approx((gaps > 0).mean())
    with pytest.raises(ValueError, match="baseline='BPR' must be one of the models"):
        comparison.test_differences(baseline="BPR")
    with pytest.raises(ValueError, match="metric='rmse' must be one of"):
        comparison.test_differences("rmse")


def test_a_copy_of_a_model_does_not_differ():
    twins = compare_recommenders({"one": Popular(), "two": Popular()}, CLICKS)
    assert twins.test_differences()["p_value"].tolist() == [1.0]
    assert "No model is better" not in twins.summarise()
    assert "Not clearly different (adjusted p of 0.05 or more): two" in twins.summarise()


def test_it_is_said_when_popularity_wins():
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame({"user": rng.integers(200, size=4000), "item": np.minimum(rng.geometric(0.15, 4000), 40)})
    pairs = pairs.drop_duplicates().assign(rating=rng.integers(1, 6, 4000)[: len(pairs.drop_duplicates())])
    models = [BayesianFactorization(n_factors=2, n_sweeps=10, n_burn_in=4, random_state=0)]
    text = str(compare_recommenders(models, pairs.assign(rating=1.0 + pairs["item"] % 2)))
    assert "Clearly worse than the most popular items: BayesianFactorization." in text


def test_the_notes_say_columns_split_and_what_is_left_out(comparison, by_time):
    _, warm, cold = by_time
    assert comparison.notes[0] == "Columns: users 'user', items 'item', no strengths, times 'timestamp'."
    assert f"the latest 20% of the interactions by 'timestamp': {len(warm):,} pairs of" in comparison.notes[1]
    assert f"scored apart: {cold['user'].nunique()}." in comparison.notes[2]
    assert comparison.split in str(comparison)


def test_last_tests_on_the_last_row_of_each_user():
    found = compare_recommenders([EASE()], CLICKS, split="last", k=5)
    last = CLICKS.sort_values("timestamp", kind="stable").groupby("user").tail(1)
    last = last[CLICKS["user"].map(CLICKS["user"].value_counts()).loc[last.index] > 1]
    train = CLICKS.drop(index=last.index)
    last = last[last["item"].isin(train["item"])]
    expected = rank_metrics(EASE().fit(train[IDS]).recommend(last["user"].unique(), 5), last, 5)["ndcg"]
    assert found.table.loc["EASE", "ndcg"] == pytest.approx(expected)


def test_a_random_split_beside_times_is_said():
    with pytest.warns(UserWarning, match=r"split is random although column 'timestamp' has times"):
        beside = compare_recommenders([EASE()], CLICKS, split="random", random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        without = compare_recommenders([EASE()], CLICKS[IDS], random_state=1)
    assert beside.table.loc["EASE", "ndcg"] == without.table.loc["EASE", "ndcg"]
    with pytest.raises(ValueError, match="needs the times of the interactions"):
        compare_recommenders([EASE()], CLICKS[IDS], split="time")


def test_repeated_pairs_count_only_where_seen_items_are_recommended():
    again = pd.concat([CLICKS, CLICKS.tail(300).assign(timestamp=CLICKS["timestamp"].max() + 1)], ignore_index=True)
    kept = compare_recommenders([EASE()], again, test_size=300 / len(again), exclude_seen=False)
    assert kept.table.loc["EASE", "recall"] > 0.1
    with pytest.raises(ValueError, match="None of the 300 test rows"):
        compare_recommenders([EASE()], again, test_size=300)
    partly = compare_recommenders([EASE()], again, test_size=600)
    latest = CLICKS["timestamp"].sort_values(kind="stable").index[-300:]
    n_repeated = len(CLICKS.tail(300).index.difference(latest))
    assert partly.notes[-1].startswith(f"{n_repeated} test pairs repeat training pairs")


def test_strengths_reach_the_models_and_the_threshold():
    rated = CLICKS.assign(stars=np.random.default_rng(0).integers(1, 6, len(CLICKS)))
    all_rows, liked = (compare_recommenders([ItemKNN()], rated, threshold=low) for low in (None, 4))
    assert "strengths 'stars'" in all_rows.notes[0]
    n_liked = (rated["stars"] >= 4).mean()
    pairs = [int(found.notes[1].split(": ")[1].split(" pairs")[0].replace(",", "")) for found in (all_rows, liked)]
    assert pairs[1] / pairs[0] == pytest.approx(n_liked, abs=0.08)
    model = BayesianFactorization(n_factors=2, n_sweeps=5, n_burn_in=2, random_state=0)
    with pytest.raises(ValueError, match="BayesianFactorization predicts ratings, but no column holds them"):
        compare_recommenders([model], CLICKS)
    with pytest.raises(ValueError, match="threshold=4 needs strengths"):
        compare_recommenders([EASE()], CLICKS, threshold=4)


def test_items_without_rows_are_scored_apart_for_models_that_know_their_features():
    clicks, _, items = make_interactions(4_000, n_users=150, n_items=120, with_features=True, random_state=0)
    new = clicks["item"] > 110
    clicks.loc[new, "timestamp"] += 10**8
    found = compare_recommenders({"with": EASE(item_features=items), "without": EASE()}, clicks)
    assert 0 < found.table.loc["with", "ndcg_cold_items"] <= 1
    assert np.isnan(found.table.loc["without", "ndcg_cold_items"])


@pytest.mark.parametrize(
    ("models", "message"),
    [([], "empty"), ({"a": 3}, "3 is not one"), (EASE(), "dict or a list"), ([EASE], "is not one")],
    ids=["empty", "number", "one", "class"],
)
def test_what_is_no_recommender_is_refused(models, message):
    with pytest.raises(TypeError, match=message):
        compare_recommenders(models, CLICKS)


def test_rows_without_ids_are_left_out_and_said():
    with_gaps = CLICKS[IDS].astype("Int64").copy()
    with_gaps.loc[:2, "item"] = pd.NA
    with pytest.warns(UserWarning, match="3 of 4000 interactions have no user or no item"):
        compare_recommenders([Popular()], with_gaps)


def test_the_plot_shows_each_model_with_its_interval(comparison):
    ax = comparison.plot()
    assert [label.get_text() for label in ax.get_yticklabels()] == comparison.table.index.tolist()
    assert f"{len(comparison.by_user):,} users" in ax.get_xlabel()
    points = ax.containers[0].lines[0].get_xdata()
    np.testing.assert_allclose(points, comparison.table["ndcg"])


def test_every_metric_is_a_scorer():
    model = EASE().fit(CLICKS[::2][IDS])
    for options in ParameterGrid({"metric": METRICS}):
        assert 0 < make_ranking_scorer(**options)(model, CLICKS[1::2][IDS]) < 1
