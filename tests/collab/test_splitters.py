"""`LeaveLastOut` and `PerUserSplit`: test rows of each user in small known cases and for every type of table."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import GridSearchCV, cross_val_score

from tabrec.collab.splitters import LeaveLastOut, PerUserSplit
from tabrec.datasets import load_movielens, make_ratings

RATINGS = pd.DataFrame(
    {
        "user": ["ann", "bob", "ann", "ann", "bob", "cid", "ann"],
        "item": [1, 1, 2, 3, 2, 1, 4],
        "timestamp": [40, 7, 10, 30, 6, 1, 20],
    }
)
CONVERSIONS = [lambda df: df, pl.from_pandas, pa.Table.from_pandas, lambda df: df.astype({"user": "category"})]


def folds(splitter, X):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(X)]


# LeaveLastOut: small known answers


def test_the_last_row_of_each_user_is_tested_and_a_single_one_is_not():
    assert folds(LeaveLastOut(), RATINGS) == [([2, 3, 4, 5, 6], [0, 1])]


def test_the_last_n_rows_are_tested_where_there_are_more_than_n():
    assert folds(LeaveLastOut(2), RATINGS) == [([1, 2, 4, 5, 6], [0, 3])]


def test_each_fold_goes_back_a_block_and_trains_on_what_came_before_it():
    assert folds(LeaveLastOut(n_splits=3), RATINGS) == [
        ([2, 3, 4, 5, 6], [0, 1]),
        ([1, 2, 4, 5, 6], [3]),
        ([1, 2, 4, 5], [6]),
    ]


def test_rows_of_one_time_count_in_the_order_of_the_table():
    same = RATINGS.assign(timestamp=5)
    assert folds(LeaveLastOut(), same) == folds(LeaveLastOut(time=None), RATINGS) == [([0, 1, 2, 3, 5], [4, 6])]


@pytest.mark.parametrize("as_time", [pd.to_datetime, lambda t: pd.to_datetime(t).dt.strftime("%Y-%m-%d"), lambda t: -t])
def test_times_may_be_dates_text_or_numbers_under_any_name(as_time):
    days = RATINGS["timestamp"] * (86_400 * 10**9)
    X = RATINGS.assign(day=as_time(days)).drop(columns="timestamp")[["day", "item", "user"]]
    expected = [([0, 1, 3, 5, 6], [2, 4])] if X["day"].dtype.kind == "i" else folds(LeaveLastOut(), RATINGS)
    assert folds(LeaveLastOut(user="user", time="day"), X) == expected


@pytest.mark.parametrize("convert", CONVERSIONS)
@pytest.mark.parametrize("splitter", [LeaveLastOut(), PerUserSplit(random_state=0, test_size=0.5)])
def test_every_kind_of_table_is_split_alike(splitter, convert):
    assert folds(splitter, convert(RATINGS)) == folds(splitter, RATINGS)


def test_an_array_is_split_by_its_columns():
    X = RATINGS.assign(user=[1, 2, 1, 1, 2, 3, 1]).to_numpy()
    assert folds(LeaveLastOut(time="x2"), X) == folds(LeaveLastOut(), RATINGS)
    assert folds(LeaveLastOut(user="x0", time="x2"), X.astype(float)) == folds(LeaveLastOut(), RATINGS)


def test_long_tables_of_text_are_split_as_those_of_numbers():
    ratings = make_ratings(3_000, random_state=0).sample(frac=1, random_state=0)
    as_text = ratings.assign(user="user " + ratings["user"].astype(str))
    assert folds(LeaveLastOut(n_splits=2), as_text) == folds(LeaveLastOut(n_splits=2), ratings)


# PerUserSplit: small known answers

SIZES = pd.DataFrame({"user": np.repeat([1, 2, 3, 4], [10, 5, 2, 1])})


def test_a_share_of_the_rows_of_each_user_is_tested():
    for train, test in PerUserSplit(random_state=0).split(SIZES):
        assert SIZES["user"].iloc[test].value_counts().to_dict() == {1: 2, 2: 1}
        assert sorted([*train, *test]) == list(range(18))
    for _, test in PerUserSplit(test_size=0.9, random_state=0).split(SIZES):
        # nobody loses all rows
        assert SIZES["user"].iloc[test].value_counts().to_dict() == {1: 9, 2: 4, 3: 1}


def test_without_a_share_every_row_is_tested_once():
    found = folds(PerUserSplit(3, test_size=None, random_state=0), SIZES)
    assert sorted(row for _, test in found for row in test) == list(range(18))
    for _, test in found:
        counts = SIZES["user"].iloc[test].value_counts()
        assert 3 <= counts[1] <= 4
        assert 1 <= counts[2] <= 2
        assert len(test) == 6


def test_folds_are_random_and_repeatable():
    X = make_ratings(2_000, random_state=0)
    for test_size in (0.2, None):
        one, other = (folds(PerUserSplit(test_size=test_size, random_state=seed), X) for seed in (0, 1))
        assert one != other
        assert one[0] != one[1]
        assert one == folds(PerUserSplit(test_size=test_size, random_state=0), X)
        splitter = PerUserSplit(test_size=test_size, random_state=np.random.default_rng(0))
        assert folds(splitter, X) != folds(splitter, X)


def test_every_row_is_as_likely_to_be_tested():
    X = pd.DataFrame({"user": [1] * 5 + [2] * 10})
    counts = np.zeros(15)
    for _, test in PerUserSplit(4_000, random_state=0).split(X):
        counts[test] += 1
    np.testing.assert_allclose(counts / 4_000, 0.2, atol=0.03)


# Inside scikit-learn


@pytest.mark.parametrize("convert", CONVERSIONS)
@pytest.mark.parametrize("splitter", [LeaveLastOut(n_splits=2), PerUserSplit(2, random_state=0), PerUserSplit(2)])
def test_cross_validation_and_grid_search_take_them(splitter, convert):
    ratings = make_ratings(400, n_users=20, n_items=60, random_state=0)
    X, y = convert(ratings.drop(columns="rating")), ratings["rating"]
    scores = cross_val_score(DummyRegressor(), X, y, cv=splitter, scoring="neg_mean_absolute_error")
    assert len(scores) == 2
    assert np.isfinite(scores).all()
    search = GridSearchCV(DummyRegressor(), {"strategy": ["mean", "median"]}, cv=splitter).fit(X, y)
    assert search.n_splits_ == 2
    assert repr(clone(search).cv) == repr(splitter)


def test_the_score_is_that_of_the_last_rows():
    y = [5.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    scores = cross_val_score(DummyRegressor(), RATINGS, y, cv=LeaveLastOut(), scoring="neg_mean_absolute_error")
    assert scores.tolist() == [-(3 + 1) / 2]


def test_they_print_their_parameters():
    shown = " ".join(repr(PerUserSplit(3, random_state=0)).split())
    assert shown == "PerUserSplit(n_splits=3, random_state=0, test_size=0.2, user=None)"
    assert "time='timestamp'" in repr(LeaveLastOut())
    assert LeaveLastOut(n_splits=4).get_n_splits() == 4
    assert PerUserSplit(3).get_n_splits() == 3


def test_the_callers_frame_is_untouched():
    before = RATINGS.copy()
    list(LeaveLastOut().split(RATINGS))
    list(PerUserSplit(test_size=0.5).split(RATINGS))
    pd.testing.assert_frame_equal(RATINGS, before)


# What they refuse


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None])
def test_counts_out_of_range_are_refused(value):
    for splitter, name in [
        (LeaveLastOut(value), "n"),
        (LeaveLastOut(n_splits=value), "n_splits"),
        (PerUserSplit(value), "n_splits"),
    ]:
        with pytest.raises(ValueError, match=f"^{name}=.*integer of at least 1"):
            splitter.split(RATINGS)


@pytest.mark.parametrize(
    ("splitter", "X", "message"),
    [
        (LeaveLastOut(user="usr"), RATINGS, "No column 'usr' in the table; did you mean 'user'"),
        (LeaveLastOut(time="when"), RATINGS, "No column 'when' in the table; it has"),
        (LeaveLastOut(4), RATINGS, "No user has more than 4 rows, the busiest 4: n=4"),
        (LeaveLastOut(2, n_splits=2), RATINGS, "No user has more than 4 rows.*n_splits=2"),
        (LeaveLastOut(), RATINGS.assign(user=[None, *"aabbcc"]), "'user' has 1 missing users, the first in row 0"),
        (LeaveLastOut(), RATINGS.assign(timestamp=[1, None, *range(5)]), "'timestamp' has 1 missing times"),
        (LeaveLastOut(), RATINGS.assign(timestamp=list("abcdefg")), "'timestamp'"),
        (LeaveLastOut(), RATINGS.iloc[:0], "no rows"),
        (PerUserSplit(), RATINGS.iloc[:0], "no rows"),
        (PerUserSplit(user="usr"), RATINGS, "No column 'usr'"),
        (PerUserSplit(), RATINGS.iloc[[1, 4, 5]], r"test_size=0\.2 .* less than one row for every user.* has 2"),
        (PerUserSplit(test_size=None), RATINGS.iloc[:3], "n_splits=5 folds need as many rows, but there are 3"),
        (PerUserSplit(1, test_size=None), RATINGS, "n_splits=1 leaves nothing to train on"),
        (PerUserSplit(test_size=0.0), RATINGS, r"test_size=0\.0 must be a number between 0 and 1"),
        (PerUserSplit(test_size=1), RATINGS, "test_size=1 must be"),
        (PerUserSplit(test_size="half"), RATINGS, "test_size='half' must be"),
        (PerUserSplit(random_state=-1), RATINGS, "non-negative integer"),
    ],
)
def test_what_can_not_be_split_is_refused_when_splitting(splitter, X, message):
    with pytest.raises(ValueError, match=message):
        splitter.split(X)


# Promises for every table

TABLES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=5, max_size=60).map(
    lambda rows: pd.DataFrame(rows, columns=["user", "timestamp"])
)


@given(TABLES, st.integers(1, 3), st.integers(1, 3))
def test_nobody_is_trained_on_later_than_tested(X, n, n_splits):
    sizes = X["user"].value_counts()
    if sizes.max() <= n * n_splits:
        with pytest.raises(ValueError, match="No user has more than"):
            LeaveLastOut(n, n_splits=n_splits).split(X)
        return
    found = list(LeaveLastOut(n, n_splits=n_splits).split(X))
    assert len(found) == n_splits
    tested = np.concatenate([test for _, test in found])
    assert len(set(tested)) == len(tested)
    for fold, (train, test) in enumerate(found):
        assert not set(train) & set(test)
        for user, rows in X.groupby("user"):
            trained, held = X.loc[np.intersect1d(train, rows.index)], X.loc[np.intersect1d(test, rows.index)]
            has_enough = sizes[user] > n * (fold + 1)
            assert len(held) == (n if has_enough else 0)
            assert len(trained) == sizes[user] - n * (fold + 1) * has_enough
            assert not len(held) or trained["timestamp"].max() <= held["timestamp"].min()


@given(TABLES, st.integers(2, 5), st.integers(0, 99))
def test_folds_of_each_user_are_even_and_whole(X, n_splits, seed):
    found = list(PerUserSplit(n_splits, test_size=None, random_state=seed).split(X))
    assert sorted(np.concatenate([test for _, test in found])) == list(range(len(X)))
    overall = [len(test) for _, test in found]
    assert max(overall) - min(overall) <= 1
    for train, test in found:
        assert sorted([*train, *test]) == list(range(len(X)))
    for user in X["user"].unique():
        counts = [int((X["user"].iloc[test] == user).sum()) for _, test in found]
        assert max(counts) - min(counts) <= 1


@given(TABLES, st.floats(0.05, 0.95), st.integers(0, 99))
def test_shares_are_those_of_each_user(X, test_size, seed):
    sizes = X["user"].value_counts()
    wanted = np.minimum(np.rint(sizes * test_size), sizes - 1)
    assume(wanted.any())
    for train, test in PerUserSplit(2, test_size=test_size, random_state=seed).split(X):
        assert sorted([*train, *test]) == list(range(len(X)))
        counts = X["user"].iloc[test].value_counts().reindex(sizes.index, fill_value=0)
        np.testing.assert_array_equal(counts, wanted)


@pytest.mark.real_data("ml-100k/u.data")
def test_the_real_ratings(data_dir):
    ratings = load_movielens("100k", data_dir).ratings
    ((train, test),) = LeaveLastOut().split(ratings)
    assert (len(train), len(test)) == (100_000 - 943, 943)
    last = ratings.groupby("user")["timestamp"].max()
    assert (ratings.iloc[test].set_index("user")["timestamp"] == last.loc[ratings["user"].iloc[test]]).all()
    for _, test in PerUserSplit(test_size=None, random_state=0).split(ratings):
        assert len(test) == 20_000
        assert ratings["user"].iloc[test].nunique() == 943
