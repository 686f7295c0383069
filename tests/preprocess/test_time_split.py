"""`split_by_time` and `TimeSplit`: training rows are always older than validation rows."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score

from tabrec.preprocess.time_split import TimeSplit, split_by_time

YEARS = pd.DataFrame({"year": [2012, 2010, 2011, 2010, 2013], "y": [3.0, 1.0, 2.0, 1.0, 4.0]})


def days(n, start="2024-01-01"):
    return pd.DataFrame({"day": pd.date_range(start, periods=n)})


def folds(splitter, X, **kwargs):
    return [(train.tolist(), test.tolist()) for train, test in splitter.split(X, **kwargs)]


# split_by_time


def test_rows_strictly_before_train_and_rows_from_then_on_validate():
    train_idx, valid_idx = split_by_time(YEARS, "year", at=2011)
    assert train_idx.tolist() == [1, 3]
    assert valid_idx.tolist() == [0, 2, 4]


@pytest.mark.parametrize("dtype", ["Int64", "float64", "int64[pyarrow]", "uint16", object])
def test_years_may_be_numbers_of_any_type(dtype):
    train_idx, _ = split_by_time(YEARS.astype({"year": dtype}), "year", at=2010.5)
    assert train_idx.tolist() == [1, 3]


MOMENTS = ["2011-03-01", "2010-12-31", "2011-01-01"]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(MOMENTS),
        pd.Series(MOMENTS, dtype=object),
        pd.Series(MOMENTS, dtype="category"),
        pd.Series(["03/01/2011", "12/31/2010", "01/01/2011"]),
        pd.Series(["31.12.2011", "31.12.2010", "01.01.2011"]),
        pd.Series(pd.to_datetime(MOMENTS)),
        pd.Series(pd.to_datetime(MOMENTS)).astype("datetime64[s]"),
        pd.Series(pd.to_datetime(MOMENTS).date, dtype=object),
        pd.Series(pd.to_datetime(MOMENTS)).dt.to_period("D"),
        pd.Series(pd.to_datetime(MOMENTS)).astype(pd.ArrowDtype(pa.timestamp("us"))),
        pd.Series(pd.to_datetime(MOMENTS).tz_localize("Europe/Paris")),
    ],
    ids=lambda column: str(column.dtype),
)
@pytest.mark.parametrize("at", ["2011-01-01", pd.Timestamp("2011-01-01"), datetime.date(2011, 1, 1)])
def test_dates_of_every_kind_split_the_same(column, at):
    train_idx, valid_idx = split_by_time(column.to_frame("saledate"), "saledate", at=at)
    assert train_idx.tolist() == [1]
    assert valid_idx.tolist() == [0, 2]


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas])
def test_polars_and_arrow_tables_are_split_too(convert):
    df = pd.DataFrame({"day": pd.to_datetime(MOMENTS)})
    assert split_by_time(convert(df), "day", at="2011-01-01")[0].tolist() == [1]


def test_a_naive_moment_is_read_in_the_zone_of_the_column_and_an_aware_one_as_the_instant():
    df = pd.DataFrame({"t": pd.to_datetime(["2011-01-01 00:30", "2011-01-01 12:00"]).tz_localize("Asia/Tokyo")})
    with pytest.raises(ValueError, match="no row to train"):
        split_by_time(df, "t", at="2011-01-01")
    assert split_by_time(df, "t", at="2011-01-01 00:00+00:00")[0].tolist() == [0]


def test_moments_finer_than_the_columns_unit_are_not_rounded():
    df = pd.DataFrame({"t": pd.to_datetime(["2011-01-01 00:00:00", "2011-01-01 00:00:01"])})
    df["t"] = df["t"].astype("datetime64[s]")
    assert split_by_time(df, "t", at=pd.Timestamp("2011-01-01 00:00:00.5"))[0].tolist() == [0]


def test_the_pair_is_a_fold_for_scikit_learn_and_positions_for_iloc():
    fold = split_by_time(YEARS, "year", at=2012)
    X, y = YEARS[["year"]], YEARS["y"]
    score = cross_val_score(DummyRegressor(), X, y, cv=[fold], scoring="neg_mean_absolute_error")
    assert score == pytest.approx(-(3.5 - 4 / 3))
    search = GridSearchCV(DummyRegressor(), {"strategy": ["mean", "median"]}, cv=[fold]).fit(X, y)
    assert search.best_params_ == {"strategy": "mean"}
    assert YEARS.set_index("y").iloc[fold[1]]["year"].tolist() == [2012, 2013]


@pytest.mark.parametrize("at", [2010, 2014])
def test_an_empty_side_is_refused_telling_the_range(at):
    with pytest.raises(ValueError, match=rf"at={at} leaves no row.*'year' runs from 2010 to 2013"):
        split_by_time(YEARS, "year", at=at)


def test_missing_times_are_refused_with_how_many_and_where():
    df = pd.DataFrame({"saledate": ["2011-01-01", None, "2011-02-01", None]})
    with pytest.raises(ValueError, match="'saledate' has 2 missing times, the first in row 1"):
        split_by_time(df, "saledate", at="2011-01-15")
    with pytest.raises(ValueError, match="'x' has 1 missing times, the first in row 0"):
        split_by_time(pd.DataFrame({"x": [np.nan, 2010.0]}), "x", at=2011)
    with pytest.raises(ValueError, match="'t' has 1 missing times, the first in row 0"):
        split_by_time(pd.DataFrame({"t": pd.to_datetime([None, "2011-01-01"])}), "t", at="2011-01-01")


def test_a_missing_column_is_refused_with_close_matches():
    df = pd.DataFrame({"saledate": MOMENTS, "price": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"No column 'SaleDate' in the table; did you mean 'saledate'\?"):
        split_by_time(df, "SaleDate", at="2011-01-01")
    with pytest.raises(ValueError, match=r"No column 'zzz' in the table; it has \['saledate', 'price'\]"):
        split_by_time(df, "zzz", at="2011-01-01")


@pytest.mark.parametrize(
    ("values", "at", "message"),
    [
        (["2011-01-01", "soon"], "2011-01-01", "'x' holds 'soon'"),
        (["01/02/2011", "03/04/2011"], "2011-03-01", "'x'.*can be read as"),
        ([True, False], 1, "'x' .*booleans"),
        ([2010.0, np.inf], 2011, "'x' holds inf in row 1"),
        ([2010, 2011], "2011-01-01", "at='2011-01-01' must be a finite number"),
        ([2010, 2011], True, "at=True must be a finite number"),
        ([2010, 2011], np.nan, "at=nan must be a finite number"),
        (["2010-01-01", "2011-01-01"], 2011, "at=2011 must be a date"),
        (["2010-01-01", "2011-01-01"], "soon", "at='soon' is not a date"),
        (["2010-01-01", "2011-01-01"], None, "at=None must be a date"),
        (["2010-01-01", "2011-01-01"], "2011-01-01T00:00Z", "has a time zone but column 'x' has none"),
    ],
)
def test_what_is_no_time_is_refused_by_value_and_column(values, at, message):
    with pytest.raises(ValueError, match=message):
        split_by_time(pd.DataFrame({"x": values}), "x", at=at)


def test_the_callers_frame_is_untouched():
    df = pd.DataFrame({"saledate": MOMENTS, "x": [1, 2, 3]})
    before = df.copy()
    split_by_time(df, "saledate", at="2011-01-01")
    list(TimeSplit(2, column="saledate").split(df))
    pd.testing.assert_frame_equal(df, before)


# TimeSplit: small known answers


def test_expanding_windows_by_default():
    assert folds(TimeSplit(2, column="day"), days(6)) == [([0, 1], [2, 3]), ([0, 1, 2, 3], [4, 5])]


def test_rows_are_ordered_by_the_column_wherever_they_stand():
    shuffled = days(6).iloc[[3, 0, 5, 1, 4, 2]]
    assert folds(TimeSplit(2, column="day"), shuffled) == [([1, 3], [5, 0]), ([1, 3, 5, 0], [4, 2])]


def test_a_sliding_window_forgets_the_oldest_rows():
    splitter = TimeSplit(2, column="day", max_train_size=2, test_size=1)
    assert folds(splitter, days(6)) == [([2, 3], [4]), ([3, 4], [5])]


@pytest.mark.parametrize("size", [2, "2D", datetime.timedelta(days=2), np.timedelta64(48, "h"), 1 / 3])
def test_sizes_mean_the_same_in_rows_durations_and_shares(size):
    splitter = TimeSplit(1, column="day", max_train_size=size, test_size=size, gap=size)
    assert folds(splitter, days(6)) == [([0, 1], [4, 5])]


def test_date_offsets_count_calendar_months():
    X = pd.DataFrame({"day": pd.to_datetime(["2024-01-15", "2024-02-15", "2024-03-15", "2024-04-15"])})
    month = pd.DateOffset(months=1)
    assert folds(TimeSplit(2, column="day", test_size=month), X) == [([0, 1], [2]), ([0, 1, 2], [3])]


def test_rows_of_the_same_time_stay_together():
    X = pd.DataFrame({"year": [2010, 2011, 2011, 2011, 2012, 2012]})
    assert folds(TimeSplit(2, column="year"), X) == [([0], [1, 2, 3]), ([0, 1, 2, 3], [4, 5])]
    assert folds(TimeSplit(1, column="year", test_size=3), X) == [([0], [1, 2, 3, 4, 5])]
    assert folds(TimeSplit(1, column="year", gap=1), X) == [([0], [4, 5])]
    assert folds(TimeSplit(1, column="year", max_train_size=3), X) == [([1, 2, 3], [4, 5])]


def test_as_many_distinct_times_as_parts_are_enough_however_unequal():
    X = pd.DataFrame({"year": [2010] * 50 + [2011] + [2012] * 40 + [2013]})
    assert [len(test) for _, test in TimeSplit(3, column="year").split(X)] == [1, 40, 1]


def test_times_may_come_as_groups_or_as_the_order_of_rows():
    X = np.zeros((6, 1))
    times = days(6)["day"][::-1]
    assert folds(TimeSplit(1), X) == [([0, 1, 2], [3, 4, 5])]
    for groups in (times, times.to_list(), times.to_numpy(), pl.Series(times.to_list())):
        assert folds(TimeSplit(1), X, groups=groups) == [([5, 4, 3], [2, 1, 0])]
    assert folds(TimeSplit(1, column="day"), days(6), groups=times) == [([0, 1, 2], [3, 4, 5])]


@pytest.mark.parametrize("sizes", [{}, {"test_size": 2}, {"gap": 2}, {"max_train_size": 3}])
@pytest.mark.parametrize("n_rows", [11, 12, 23])
def test_distinct_times_give_the_folds_of_time_series_split(sizes, n_rows):
    expected = [(a.tolist(), b.tolist()) for a, b in TimeSeriesSplit(3, **sizes).split(np.zeros(n_rows))]
    assert folds(TimeSplit(3, column="day", **sizes), days(n_rows)) == expected


# TimeSplit inside scikit-learn


@pytest.mark.parametrize("convert", [lambda df: df, pl.from_pandas, pa.Table.from_pandas])
def test_cross_validation_and_grid_search_take_it_with_every_kind_of_table(convert):
    X = days(12).assign(x=np.arange(12.0))
    y = np.arange(12.0)
    splitter = TimeSplit(3, column="day")
    scores = cross_val_score(DummyRegressor(), convert(X), y, cv=splitter, scoring="neg_mean_absolute_error")
    assert scores.tolist() == [-3.0, -4.5, -6.0]
    search = GridSearchCV(DummyRegressor(), {"strategy": ["mean", "median"]}, cv=splitter).fit(convert(X), y)
    assert search.n_splits_ == 3
    assert clone(search).cv.column == "day"


@pytest.mark.parametrize("routing", [False, True])
def test_groups_reach_it_through_cross_validation(routing):
    X, y, groups = np.zeros((4, 1)), np.array([9.0, 1.0, 2.0, 3.0]), [2013, 2010, 2011, 2012]
    with sklearn.config_context(enable_metadata_routing=routing):
        given = {"params": {"groups": groups}} if routing else {"groups": groups}
        scores = cross_val_score(
            DummyRegressor(), X, y, cv=TimeSplit(1, test_size=1), scoring="neg_mean_absolute_error", **given
        )
    assert scores.tolist() == [-7.0]


def test_it_prints_and_counts_like_a_splitter_of_scikit_learn():
    splitter = TimeSplit(3, column="day", gap="7D")
    assert (
        " ".join(repr(splitter).split())
        == "TimeSplit(column='day', gap='7D', max_train_size=None, n_splits=3, test_size=None)"
    )
    assert splitter.get_n_splits() == 3


# TimeSplit: invalid arguments


@pytest.mark.parametrize("n_splits", [0, -1, 2.0, "2", None])
def test_n_splits_out_of_range_is_refused_when_splitting(n_splits):
    with pytest.raises(ValueError, match="'n_splits' .*must be an int"):
        TimeSplit(n_splits, column="day").split(days(6))


@pytest.mark.parametrize("name", ["test_size", "max_train_size", "gap"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "must be an integer of at least"),
        (1.5, "float between 0 and 1"),
        (True, "must be an integer"),
        ("30", "has no unit"),
        ("a while", "is not a duration"),
        ("-3D", "must be a positive duration"),
        (pd.DateOffset(months=-1), "must be a positive duration"),
        (pd.NaT, "must be"),
    ],
)
def test_sizes_out_of_range_are_refused_by_name(name, value, message):
    with pytest.raises(ValueError, match=f"{name}=.*{message}"):
        TimeSplit(2, column="day", **{name: value}).split(days(6))


def test_no_gap_is_written_zero():
    with pytest.raises(ValueError, match="gap=None must be an integer of at least 0"):
        TimeSplit(2, column="day", gap=None).split(days(6))


def test_durations_need_dates():
    with pytest.raises(ValueError, match=r"test_size='30D' is a duration, which needs dates"):
        TimeSplit(2, column="year", test_size="30D").split(YEARS)


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (
            TimeSplit(4, column="year"),
            "n_splits=4 needs at least 5 distinct times, but the 5 rows have 4 distinct",
        ),
        (TimeSplit(3, column="year", test_size=2), "needs a test set in each of 3 folds.*2010 to 2013"),
        (
            TimeSplit(1, column="year", gap=4),
            "leaves no row to train on before the test set that starts at 2012",
        ),
        (
            TimeSplit(1, column="year", test_size=3, max_train_size=1),
            "leaves no row to train on.*max_train_size",
        ),
    ],
)
def test_too_few_times_are_refused_with_what_there_is(splitter, message):
    with pytest.raises(ValueError, match=message):
        splitter.split(YEARS)


def test_a_test_duration_without_rows_is_refused():
    X = pd.DataFrame({"day": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-06-01"])})
    with pytest.raises(ValueError, match=r"test_size='7D'.*needs a test set in each of 2 folds"):
        TimeSplit(2, column="day", test_size="7D").split(X)


def test_bad_tables_and_groups_are_refused():
    with pytest.raises(ValueError, match=r"No column 'date'.*did you mean 'daty'"):
        TimeSplit(column="date").split(days(9).rename(columns={"day": "daty"}))
    with pytest.raises(ValueError, match="'day' has 1 missing times"):
        TimeSplit(1, column="day").split(pd.DataFrame({"day": [2010.0, None, 2011.0]}))
    with pytest.raises(ValueError, match="groups has 3 times, but X has 6 rows"):
        TimeSplit(1).split(days(6), groups=[1, 2, 3])
    with pytest.raises(ValueError, match="no rows"):
        TimeSplit(1, test_size=1).split(np.zeros((0, 1)))


# TimeSplit: promises for every table

row_sizes = st.integers(1, 12)
shares = st.floats(0.05, 0.5)
durations = st.integers(1, 12).map(lambda n: f"{n}D")


@given(
    st.lists(st.integers(0, 25), min_size=2, max_size=50),
    st.integers(1, 4),
    st.none() | row_sizes | shares | durations,
    st.none() | row_sizes | shares | durations,
    st.just(0) | row_sizes | shares | durations,
)
def test_every_fold_trains_on_the_past_only(offsets, n_splits, test_size, max_train_size, gap):
    day = np.datetime64("2024-01-01") + np.array(offsets)
    splitter = TimeSplit(n_splits, column="day", test_size=test_size, max_train_size=max_train_size, gap=gap)
    try:
        found = list(splitter.split(pd.DataFrame({"day": day})))
    except ValueError:
        assume(False)
    assert len(found) == n_splits
    tested = np.concatenate([test for _, test in found])
    assert len(set(tested)) == len(tested)
    assert (np.diff(day[tested]) >= np.timedelta64(0)).all()
    for train, test in found:
        check_fold(day, train, test, max_train_size, test_size, gap)


def check_fold(day, train, test, max_train_size, test_size, gap):
    n_rows = len(day)
    assert len(train)
    assert len(test)
    assert (np.diff(day[train]) >= np.timedelta64(0)).all()
    assert day[train].max() < day[test].min()
    between = np.flatnonzero((day > day[train].max()) & (day < day[test].min()))
    # rows of one time stay whole, and nothing is skipped inside a set
    for part in (train, test):
        within = (day >= day[part].min()) & (day <= day[part].max())
        assert sorted(part) == np.flatnonzero(within).tolist()
    if max_train_size is None:
        prefix = np.flatnonzero(day <= day[test].max())
        assert sorted([*train, *between, *test]) == prefix.tolist()
    elif isinstance(max_train_size, str):
        assert day[train].max() - day[train].min() < np.timedelta64(int(max_train_size[:-1]), "D")
    else:
        assert len(train) <= in_rows(max_train_size, n_rows)
    if isinstance(test_size, str):
        assert day[test].max() - day[test].min() < np.timedelta64(int(test_size[:-1]), "D")
    elif test_size is not None:
        assert len(test) >= in_rows(test_size, n_rows)
    if isinstance(gap, str):
        assert day[test].min() - day[train].max() > np.timedelta64(int(gap[:-1]), "D")
    else:
        assert len(between) >= in_rows(gap, n_rows)


def in_rows(size, n_rows):
    return size if isinstance(size, int) else max(int(size * n_rows), 1)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 8))
def test_even_folds_exist_exactly_when_there_are_enough_distinct_times(values, n_splits):
    X = pd.DataFrame({"year": values})
    if len(set(values)) > n_splits:
        found = list(TimeSplit(n_splits, column="year").split(X))
        assert len(found) == n_splits
        assert found[-1][1].size + found[-1][0].size == len(values)
    else:
        with pytest.raises(ValueError, match="distinct times"):
            TimeSplit(n_splits, column="year").split(X)


@pytest.mark.parametrize(("at", "n_before"), [("01.09.2020", 244), ("13.09.2020", 256), ("2020-09-01", 244)])
def test_a_moment_is_read_in_the_format_of_its_column(at, n_before):
    days = pd.DataFrame({"sold": pd.date_range("2020-01-01", "2020-12-31").strftime("%d.%m.%Y")})
    assert len(split_by_time(days, "sold", at)[0]) == n_before


def test_a_moment_with_two_readings_is_refused():
    days = pd.DataFrame({"sold": pd.date_range("2020-01-01", "2020-12-31")})
    with pytest.raises(ValueError, match=r"at='01.09.2020' can be read as 2020-01-09 or as 2020-09-01"):
        split_by_time(days, "sold", "01.09.2020")
    assert len(split_by_time(days, "sold", "13.09.2020")[0]) == 256


def test_marks_of_missing_times_are_refused():
    days = pd.DataFrame({"sold": ["2020-01-01"] * 5 + [f"2020-02-{day}" for day in range(10, 29)] + ["unknown"]})
    with pytest.raises(ValueError, match="missing times, such as 'unknown' in row 24"):
        split_by_time(days, "sold", "2020-02-01")
