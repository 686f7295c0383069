"""Ranking metrics and per-user errors equal values computed by hand and by brute force."""

import itertools
import math
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.metrics import ndcg_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

from tabrec.collab.metrics import (
    coverage,
    gini,
    hit_rate,
    intra_list_diversity,
    make_ranking_scorer,
    map_at_k,
    mrr,
    ndcg_at_k,
    novelty,
    per_user_rmse,
    per_user_rmse_scorer,
    popularity_bias,
    precision_at_k,
    rank_metrics,
    recall_at_k,
    serendipity,
)
from tabrec.datasets import make_ratings

RANKING = [precision_at_k, recall_at_k, ndcg_at_k, map_at_k, mrr, hit_rate]


def as_recommended(lists):
    rows = [(user, rank, item) for user, items in lists.items() for rank, item in enumerate(items, start=1)]
    return pd.DataFrame(rows, columns=["user", "rank", "item"]).assign(score=0.0)


def as_relevant(sets):
    return pd.DataFrame([(user, item) for user, items in sets.items() for item in items], columns=["user", "item"])


# ann: hits at 1 and 3 of three relevant; bob: a hit at 2 of his only one; cid: no hit; dan: nothing recommended
RECOMMENDED = as_recommended({"ann": [1, 2, 3, 4], "bob": [5, 1, 2], "cid": [1, 2, 3, 4], "eve": [1]})
RELEVANT = as_relevant({"ann": [3, 1, 9], "bob": [1], "cid": [7, 8], "dan": [1, 2]})


# Known answers


def test_hand_computed_values():
    ideal_of_three = 1 + 1 / math.log2(3) + 1 / 2
    expected = {
        "precision": (2 / 4 + 1 / 4) / 4,
        "recall": (2 / 3 + 1 / 1) / 4,
        "ndcg": ((1 + 1 / 2) / ideal_of_three + 1 / math.log2(3)) / 4,
        "map": ((1 / 1 + 2 / 3) / 3 + (1 / 2) / 1) / 4,
        "mrr": (1 + 1 / 2) / 4,
        "hit_rate": 2 / 4,
    }
    metrics = rank_metrics(RECOMMENDED, RELEVANT, k=4)
    assert metrics.name == "at 4"
    assert metrics.pop("map_by_relevant") == metrics["map"]  # no user has more than 4 relevant items
    assert metrics.to_dict() == pytest.approx(expected, abs=1e-12)
    for (name, value), metric in zip(expected.items(), RANKING, strict=True):
        assert metric(RECOMMENDED, RELEVANT, k=4) == pytest.approx(value, abs=1e-12), name


def test_the_two_conventions_of_map_differ_for_users_with_more_than_k_relevant_items():
    # ann: a hit at rank 1, of 2 attainable and 3 relevant items; bob: one at rank 2
    assert map_at_k(RECOMMENDED, RELEVANT, k=2) == pytest.approx((1 / 2 + 1 / 2) / 4)
    assert map_at_k(RECOMMENDED, RELEVANT, k=2, divisor="relevant") == pytest.approx((1 / 3 + 1 / 2) / 4)
    assert rank_metrics(RECOMMENDED, RELEVANT, k=2)["map_by_relevant"] == pytest.approx((1 / 3 + 1 / 2) / 4)
    with pytest.raises(ValueError, match="divisor"):
        map_at_k(RECOMMENDED, RELEVANT, divisor="hits")


def test_popularity_bias_compares_recommended_with_taken_items():
    recommended, relevant = (
        as_recommended({"ann": [1, 2], "bob": [3, 1]}),
        as_relevant({"ann": [3], "bob": [1], "cid": [1]}),
    )
    popularity = {1: 6, 2: 2, 3: 1}
    # ann: (6 + 2) / 2 recommended, 1 taken; bob: (1 + 6) / 2 recommended, 6 taken; cid has no recommendations
    expected = ((6 + 2) / 2 + (1 + 6) / 2) / (1 + 6)
    assert popularity_bias(recommended, relevant, popularity, k=2) == pytest.approx(expected)
    assert popularity_bias(recommended, as_relevant({"ann": [3], "bob": [3]}), popularity, k=1) == pytest.approx(3.5)
    with pytest.raises(ValueError, match="at least 0"):
        popularity_bias(recommended, relevant, {1: -1})


def test_diversity_of_a_list_is_the_mean_dissimilarity_of_its_pairs():
    taken = as_relevant({"u": ["a", "b", "c"], "v": ["a", "b"], "w": ["c", "d"]})
    vectors = {"a": [1, 1, 0], "b": [1, 1, 0], "c": [1, 0, 1], "d": [0, 0, 1], "new": [0, 0, 0]}
    lists = {"x": ["a", "b", "c"], "y": ["c", "d", "new"], "z": ["a"]}

    def distance(i, j):
        lengths = np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j])
        return 1 - (np.dot(vectors[i], vectors[j]) / lengths if lengths else 0)

    expected = np.mean(
        [np.mean([distance(*pair) for pair in itertools.combinations(lists[user], 2)]) for user in ("x", "y")]
    )
    assert intra_list_diversity(as_recommended(lists), taken) == pytest.approx(expected)
    assert np.isnan(intra_list_diversity(as_recommended({"z": ["a"]}), taken))


def test_serendipity_counts_hits_that_were_not_expected():
    expected = as_recommended({"ann": [1, 9], "bob": [7, 8]})
    # ann: of the hits 1 and 3, 1 is expected; bob: the hit 1 is not
    assert serendipity(RECOMMENDED, RELEVANT, expected, k=4) == pytest.approx((1 / 4 + 1 / 4) / 4)
    assert serendipity(RECOMMENDED, RELEVANT, RECOMMENDED, k=4) == 0


def test_only_the_first_k_count():
    assert precision_at_k(RECOMMENDED, RELEVANT, k=1) == 1 / 4
    assert hit_rate(RECOMMENDED, RELEVANT, k=1) == 1 / 4
    assert mrr(RECOMMENDED, RELEVANT, k=1) == 1 / 4
    # min(k, 3) = 2 relevant items can be had, and one hit at rank 1 is there
    assert map_at_k(RECOMMENDED, RELEVANT, k=2) == pytest.approx((1 / 2 + 1 / 2) / 4)


def test_a_list_shorter_than_k_is_padded_with_misses():
    recommended, relevant = as_recommended({1: [7]}), as_relevant({1: [7]})
    assert precision_at_k(recommended, relevant, k=10) == 0.1
    for metric in (recall_at_k, ndcg_at_k, map_at_k, mrr, hit_rate):
        assert metric(recommended, relevant, k=10) == 1.0


@pytest.mark.parametrize("metric", RANKING)
def test_no_hits_at_all_and_perfect_lists(metric):
    relevant = as_relevant({1: [1, 2, 3], 2: [4, 5, 6]})
    assert metric(as_recommended({1: [9, 8], 3: [1]}), relevant, k=2) == 0.0
    perfect = metric(as_recommended({1: [3, 1], 2: [6, 4]}), relevant, k=2)
    assert perfect == pytest.approx(2 / 3 if metric is recall_at_k else 1.0)


@pytest.mark.parametrize("metric", RANKING)
def test_order_of_rows_duplicates_in_relevant_and_other_users_make_no_difference(metric):
    expected = metric(RECOMMENDED, RELEVANT, k=3)
    assert metric(RECOMMENDED.sample(frac=1, random_state=0), RELEVANT, k=3) == pytest.approx(expected)
    assert metric(RECOMMENDED, pd.concat([RELEVANT, RELEVANT.iloc[::2]]), k=3) == pytest.approx(expected)
    assert metric(RECOMMENDED, RELEVANT.sample(frac=1, random_state=1), k=3) == pytest.approx(expected)
    assert metric(RECOMMENDED[RECOMMENDED["user"] != "eve"], RELEVANT, k=3) == pytest.approx(expected)


def test_ranks_decide_among_equal_scores():
    recommended = pd.DataFrame({"user": [1, 1], "item": ["a", "b"], "rank": [2, 1], "score": [0.5, 0.5]})
    assert mrr(recommended, as_relevant({1: ["b"]})) == 1.0
    assert mrr(recommended, as_relevant({1: ["a"]})) == 0.5


def test_ratings_are_gains_of_ndcg_only():
    recommended = as_recommended({1: ["a", "b", "c"]})
    relevant = pd.DataFrame({"user": 1, "item": ["b", "c", "d"], "rating": [2.0, 3.0, 5.0]})
    expected = (2 / math.log2(3) + 3 / 2) / (5 + 3 / math.log2(3) + 2 / 2)
    assert ndcg_at_k(recommended, relevant, k=3) == pytest.approx(expected)
    assert map_at_k(recommended, relevant) == map_at_k(recommended, relevant[["user", "item"]])
    # of a pair that stands there twice the larger gain counts
    twice = pd.concat([relevant, pd.DataFrame({"user": [1], "item": ["b"], "rating": [1.0]})])
    assert ndcg_at_k(recommended, twice, k=3) == pytest.approx(expected)
    assert ndcg_at_k(recommended, relevant.assign(rating=0.0)) == 0.0


@pytest.mark.parametrize(
    "convert", [pl.from_pandas, pa.Table.from_pandas, lambda df: df.astype({"user": "category", "item": "category"})]
)
def test_every_kind_of_table_gives_the_same(convert):
    graded = RELEVANT.assign(rating=np.arange(len(RELEVANT)))
    expected = rank_metrics(RECOMMENDED, graded)
    pd.testing.assert_series_equal(rank_metrics(convert(RECOMMENDED), convert(graded)), expected)


# The catalogue


def test_coverage_counts_what_anyone_is_recommended():
    assert coverage(RECOMMENDED, range(1, 11), k=10) == 0.5
    assert coverage(RECOMMENDED, [*range(1, 11), 1, 2], k=1) == 0.2


def test_gini_is_0_if_even_and_1_if_always_the_same_item():
    even = as_recommended({1: ["a", "b"], 2: ["c", "d"]})
    assert gini(even, list("abcd")) == 0.0
    assert gini(as_recommended({1: ["a"], 2: ["a"]}), list("abcd")) == 1.0
    # shares 0, 1/4, 3/4 of three items: (0 * -2 + 1/4 * 0 + 3/4 * 2) / 2
    uneven = as_recommended({1: ["a", "b"], 2: ["a"], 3: ["a"]})
    assert gini(uneven, list("abc")) == 0.75
    assert gini(as_recommended({1: ["a"]}), ["a"]) == 0.0


def test_novelty_is_the_mean_self_information():
    recommended = as_recommended({1: ["a", "b"], 2: ["c"]})
    popularity = pd.Series({"a": 16, "b": 4})
    # the third was rated by nobody and counts as rated by one
    assert novelty(recommended, popularity, n_users=16) == pytest.approx((0 + 2 + 4) / 3)
    assert novelty(recommended, popularity, n_users=16, k=1) == pytest.approx((0 + 4) / 2)


def test_rank_metrics_adds_what_it_has_the_means_for():
    popularity = pd.Series(4, index=range(1, 6))
    metrics = rank_metrics(RECOMMENDED, RELEVANT, k=2, items=range(1, 11), popularity=popularity, n_users=8)
    assert list(metrics.index[7:]) == ["coverage", "gini", "novelty", "popularity_bias"]
    assert metrics["coverage"] == coverage(RECOMMENDED, range(1, 11), k=2)
    assert metrics["gini"] == gini(RECOMMENDED, range(1, 11), k=2)
    assert metrics["novelty"] == 1.0


# The same by brute force

LISTS = st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 9), unique=True, min_size=1, max_size=8), min_size=1)


def brute_force(lists, sets, k):
    totals = dict.fromkeys(["precision", "recall", "map", "map_by_relevant", "mrr", "hit_rate"], Fraction(0))
    for user, wanted in sets.items():
        hits = [item in wanted for item in lists.get(user, [])[:k]]
        ranks = [rank for rank, hit in enumerate(hits, start=1) if hit]
        totals["precision"] += Fraction(len(ranks), k)
        totals["recall"] += Fraction(len(ranks), len(wanted))
        precisions = [Fraction(sum(hits[:rank]), rank) for rank in ranks]
        totals["map"] += sum(precisions, Fraction(0)) / min(k, len(wanted))
        totals["map_by_relevant"] += sum(precisions, Fraction(0)) / len(wanted)
        totals["mrr"] += Fraction(1, ranks[0]) if ranks else 0
        totals["hit_rate"] += bool(ranks)
    return {name: float(total / len(sets)) for name, total in totals.items()}


@given(LISTS, LISTS, st.integers(1, 9))
def test_brute_force_gives_the_same(lists, sets, k):
    metrics = rank_metrics(as_recommended(lists), as_relevant(sets), k)
    assert metrics.drop("ndcg").to_dict() == pytest.approx(brute_force(lists, sets, k), abs=1e-12)
    assert ((metrics >= 0) & (metrics <= 1 + 1e-12)).all()


@given(st.integers(2, 12), st.integers(1, 6), st.integers(1, 12), st.booleans(), st.integers(0, 1000))
def test_ndcg_is_that_of_scikit_learn(n_items, n_users, k, graded, seed):
    rng = np.random.default_rng(seed)
    gains = rng.integers(0, 6, (n_users, n_items)) if graded else rng.integers(0, 2, (n_users, n_items))
    gains[:, 0] = 1
    order = np.array([rng.permutation(n_items) for _ in range(n_users)])
    scores = np.empty((n_users, n_items))
    np.put_along_axis(scores, order, -np.arange(n_items)[None, :], axis=1)
    user, item = np.nonzero(gains)
    relevant = pd.DataFrame({"user": user, "item": item, "rating": gains[user, item]})
    ours = ndcg_at_k(as_recommended(dict(enumerate(order.tolist()))), relevant, k)
    assert ours == pytest.approx(ndcg_score(gains, scores, k=k))


@given(LISTS)
def test_gini_is_the_mean_difference_of_all_pairs_of_items(lists):
    counts = np.bincount(np.concatenate(list(lists.values())), minlength=10)
    differences = sum(abs(a - b) for a, b in itertools.product(counts.tolist(), repeat=2))
    expected = differences / (2 * 10 * counts.sum()) * 10 / 9
    assert gini(as_recommended(lists), range(10)) == pytest.approx(expected)


# What is refused


@pytest.mark.parametrize("metric", RANKING)
@pytest.mark.parametrize(
    ("recommended", "relevant", "k", "message"),
    [
        (RECOMMENDED.drop(columns="rank"), RELEVANT, 3, "recommended has no column 'rank'; it has"),
        (RECOMMENDED, RELEVANT.drop(columns="item"), 3, "relevant has no column 'item'"),
        (RECOMMENDED.iloc[:0], RELEVANT, 3, "recommended: .*no rows"),
        (RECOMMENDED, RELEVANT.iloc[:0], 3, "relevant: .*no rows"),
        (RECOMMENDED, RELEVANT, 0, "k=0 must be an integer of at least 1"),
        (RECOMMENDED, RELEVANT, 2.0, r"k=2\.0 must be an integer"),
        (RECOMMENDED, RELEVANT, True, "k=True must be an integer"),
        (RECOMMENDED.assign(rank=RECOMMENDED["rank"] - 1), RELEVANT, 3, "ranks are whole numbers from 1"),
        (RECOMMENDED.assign(rank=RECOMMENDED["rank"] + 0.5), RELEVANT, 3, "ranks are whole numbers from 1"),
        (RECOMMENDED[RECOMMENDED["rank"] == 4], RELEVANT, 3, "no rank up to k=3; the least is 4"),
        (RECOMMENDED.assign(rank="first"), RELEVANT, 3, "ranks are whole numbers from 1"),
        (RECOMMENDED.assign(rank=1), RELEVANT, 3, "user 'ann' with rank 1 more than once"),
        (RECOMMENDED.assign(item=1), RELEVANT, 3, "user 'ann' with item 1 more than once"),
        (RECOMMENDED, RELEVANT.assign(user=[None, *"abcdefg"]), 3, "relevant has nothing in column 'user' in row 0"),
        (RECOMMENDED, RELEVANT.assign(item=RELEVANT["item"].astype(str)), 3, "items are numbers in recommended.*text"),
        (RECOMMENDED, RELEVANT.assign(rating=-1.0), 3, "gains of NDCG.*at least 0"),
    ],
)
def test_bad_tables_are_refused(metric, recommended, relevant, k, message):
    with pytest.raises(ValueError, match=message):
        metric(recommended, relevant, k)


def test_bad_catalogues_are_refused():
    with pytest.raises(ValueError, match="recommended has 5, which is not among the 4 items"):
        coverage(RECOMMENDED, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="items is empty"):
        gini(RECOMMENDED, [])
    with pytest.raises(ValueError, match="at most n_users=3"):
        novelty(RECOMMENDED, {1: 4}, n_users=3)
    with pytest.raises(ValueError, match="No recommended item is in popularity"):
        novelty(RECOMMENDED, {"1": 2}, n_users=3)
    with pytest.raises(ValueError, match="'n_users' parameter"):
        novelty(RECOMMENDED, {1: 0}, n_users=0)
    with pytest.raises(ValueError, match="popularity requires n_users"):
        rank_metrics(RECOMMENDED, RELEVANT, popularity={1: 4})


# Errors of each user's ratings


def test_per_user_rmse_is_not_the_rmse_of_all_ratings():
    y_true, y_pred, users = [5, 3, 4, 4, 1], [3, 3, 4, 4, 1], ["ann", "bob", "bob", "bob", "bob"]
    assert per_user_rmse(y_true, y_pred, users) == 1.0
    assert root_mean_squared_error(y_true, y_pred) == pytest.approx(math.sqrt(4 / 5))


def test_weights_count_among_the_ratings_of_a_user():
    y_true, y_pred, users = [1.0, 1.0, 2.0, 9.0], [1.0, 3.0, 2.5, 0.0], [7, 7, 8, 9]
    weighted = per_user_rmse(y_true, y_pred, users, sample_weight=[3, 1, 10, 0])
    assert weighted == pytest.approx((math.sqrt(4 / 4) + 0.5) / 2)
    assert per_user_rmse(y_true, y_pred, users, [2] * 4) == pytest.approx(per_user_rmse(y_true, y_pred, users))


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=30))
def test_per_user_rmse_by_groups(rows):
    frame = pd.DataFrame(rows, columns=["user", "true", "predicted"])
    by_user = [root_mean_squared_error(part["true"], part["predicted"]) for _, part in frame.groupby("user")]
    assert per_user_rmse(frame["true"], frame["predicted"], frame["user"]) == pytest.approx(np.mean(by_user))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1], [1, 1]), r"y_pred must have the shape \(2,\), not \(1,\)"),
        (([1, 2], [1, 2], [1]), "users has 1 ids but y_true 2 ratings"),
        (([], [], []), "no ratings"),
        (([1, np.nan], [1, 2], [1, 1]), "y_true holds nan"),
        (([1, 2], [1, 2], [1, None]), "users has no id in row 1"),
        (([1, 2], [1, 2], [1, 1], [0, 0]), "sample_weight must"),
        (([1, 2], [1, 2], [1, 1], [1, -1]), "sample_weight must"),
    ],
)
def test_bad_ratings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        per_user_rmse(*arguments)


# Scorers


class Popular(RegressorMixin, BaseEstimator):
    """Recommends the items with most ratings, or with fewest if `reverse`."""

    def __init__(self, reverse=False):
        self.reverse = reverse

    def fit(self, X, y):
        frame = pd.DataFrame(X)
        self.user_name_, self.item_name_ = ("who", "what") if "who" in frame else ("x0", "x1")
        self.mean_rating_ = float(np.mean(y))
        items = frame["what"] if "what" in frame else frame[1]
        self.items_ = items.value_counts(ascending=self.reverse).index
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_rating_)

    def recommend(self, users, n=10, *, exclude_seen=True):
        assert exclude_seen
        return as_recommended({user: self.items_[:n].tolist() for user in users})


TRAIN = pd.DataFrame({"when": range(4), "what": [10, 10, 11, 12], "who": ["a", "b", "a", "b"]})
TEST = pd.DataFrame({"when": range(4), "what": [10, 12, 12, 11], "who": ["a", "a", "b", "new"]})


def test_the_rmse_scorer_finds_the_column_of_users():
    model = Popular().fit(TRAIN, [2, 4, 2, 4])
    # errors 2 and 0 of "a", 1 of "b", 0 of "new"
    y = np.array([5.0, 3.0, 4.0, 3.0])
    expected = -(math.sqrt(4 / 2) + 1 + 0) / 3
    assert per_user_rmse_scorer(model, TEST, y) == pytest.approx(expected)
    weighted = per_user_rmse_scorer(model, TEST, y, sample_weight=[0, 1, 1, 1])
    assert weighted == pytest.approx(-(0 + 1 + 0) / 3)
    with pytest.raises(ValueError, match="X has no column 'who'"):
        per_user_rmse_scorer(model, TEST.drop(columns="who"), y)


def test_the_rmse_scorer_takes_the_first_column_where_nothing_is_said():
    X = np.array([[1, 5], [1, 6], [2, 5], [2, 6]])
    model = DummyRegressor().fit(X, [3, 3, 3, 3])
    assert per_user_rmse_scorer(model, X, [3, 3, 5, 5]) == -1.0


def test_the_ranking_scorer_takes_rows_from_the_threshold_on():
    model = Popular().fit(TRAIN, [2, 4, 2, 4])
    y = [3, 1, 2, 5]
    # recommended to all: 10, 11, 12 in this order; relevant from the mean 3 on: a 10, new 11
    assert make_ranking_scorer("mrr", k=3)(model, TEST, y) == pytest.approx((1 + 1 / 2) / 2)
    assert make_ranking_scorer("recall", k=1)(model, TEST, y) == pytest.approx(1 / 2)
    # from 2 on: b 12 as well
    assert make_ranking_scorer("mrr", k=3, threshold=2)(model, TEST, y) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    with pytest.raises(ValueError, match="No rating reaches threshold=6"):
        make_ranking_scorer(threshold=6)(model, TEST, y)


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas, lambda df: df.astype({"who": "category"})])
def test_scorers_take_every_kind_of_table(convert):
    model = Popular().fit(TRAIN, [2, 4, 2, 4])
    y = [3, 1, 2, 5]
    for scorer in (make_ranking_scorer(k=2), per_user_rmse_scorer):
        assert scorer(model, convert(TEST), y) == pytest.approx(scorer(model, TEST, y))


def test_scorers_work_in_cross_validation_and_searches():
    ratings = make_ratings(2_000, random_state=0)
    X, y = ratings[["user", "item"]].set_axis(["who", "what"], axis=1), ratings["rating"]
    scoring = {"ndcg": make_ranking_scorer(k=5), "rmse": per_user_rmse_scorer}
    scores = cross_validate(Popular(), X, y, cv=3, scoring=scoring)
    assert (scores["test_ndcg"] > 0).all()
    assert (scores["test_rmse"] < 0).all()
    search = GridSearchCV(Popular(), {"reverse": [True, False]}, scoring=make_ranking_scorer("hit_rate"), cv=3).fit(
        X, y
    )
    assert search.best_params_ == {"reverse": False}
    arrays = cross_val_score(Popular(), X.to_numpy(), y, cv=3, scoring=make_ranking_scorer(k=5))
    np.testing.assert_allclose(arrays, scores["test_ndcg"])


def test_a_ranking_scorer_can_be_pickled_and_prints_what_made_it():
    scorer = pickle.loads(pickle.dumps(make_ranking_scorer("map", k=3, threshold=4)))
    assert repr(scorer) == "make_ranking_scorer(metric='map', k=3, threshold=4)"
    model = Popular().fit(TRAIN, [2, 4, 2, 4])
    assert scorer(model, TEST, [5, 1, 1, 1]) == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "auc"}, "'metric' parameter .* must be a str among .*Got 'auc'"),
        ({"k": 0}, "'k' parameter .* Got 0"),
        ({"threshold": "high"}, "'threshold' parameter .* Got 'high'"),
        ({"threshold": math.inf}, "'threshold' parameter .* Got inf"),
    ],
)
def test_bad_scorers_are_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_ranking_scorer(**arguments)
