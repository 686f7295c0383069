"""`ElapsedSince`: days since and until events, in any order of rows, alone or in a batch."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from tabrec.preprocess.elapsed_since import ElapsedSince

NEW = ["Afterpromo", "promo_bw", "Beforepromo", "promo_fw"]
nan = np.nan


@parametrize_with_checks([ElapsedSince()])
def test_it_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def table(dates, promo, **columns):
    return pd.DataFrame({"date": pd.to_datetime(dates), "promo": promo, **columns})


STORE = table(["2024-01-01", "2024-01-03", "2024-01-04", "2024-01-12"], [False, True, False, True])


# Small known answers


def test_days_and_counts_of_one_group():
    result = ElapsedSince().fit_transform(STORE)
    assert result.columns.tolist() == ["date", "promo", *NEW]
    np.testing.assert_array_equal(result["Afterpromo"], [nan, 0, 1, 0])
    np.testing.assert_array_equal(result["Beforepromo"], [2, 0, 8, 0])
    np.testing.assert_array_equal(result["promo_bw"], [0, 1, 1, 1])
    np.testing.assert_array_equal(result["promo_fw"], [1, 1, 0, 1])
    pd.testing.assert_frame_equal(result[["date", "promo"]], STORE)


def test_each_group_has_events_of_its_own():
    df = table(["2024-01-01", "2024-01-01", "2024-01-05", "2024-01-05"], [1, 0, 0, 0], store=["a", "b", "a", "b"])
    result = ElapsedSince(["promo"], group="store").fit_transform(df)
    np.testing.assert_array_equal(result["Afterpromo"], [0, nan, 4, nan])
    np.testing.assert_array_equal(result["Beforepromo"], [0, nan, nan, nan])
    np.testing.assert_array_equal(result["promo_bw"], [1, 0, 1, 0])


def test_the_example_of_fastai_gives_its_numbers():
    df = pd.DataFrame(
        {
            "date": ["2019-12-04", "2019-11-29", "2019-11-15", "2019-10-24"],
            "promo": [False, True, False, True],
            "base": [1, 1, 2, 2],
        }
    )
    result = ElapsedSince(group="base").fit_transform(df)
    np.testing.assert_array_equal(result["Afterpromo"], [5, 0, 22, 0])
    np.testing.assert_array_equal(result["Beforepromo"], [nan, 0, nan, 0])  # fastai writes 0 for none
    np.testing.assert_array_equal(result["promo_fw"], [0, 1, 0, 1])
    # 22 days lie between the rows of base 2: out of a window of days, within fastai's window of rows
    np.testing.assert_array_equal(result["promo_bw"], [1, 1, 0, 1])


def test_on_daily_rows_the_counts_are_fastais_rolling_sums():
    rng = np.random.default_rng(0)
    df = table(pd.date_range("2024-01-01", periods=60), rng.random(60) < 0.3)
    result = ElapsedSince().fit_transform(df)
    assert result["promo_bw"].tolist() == df["promo"].rolling(7, min_periods=1).sum().tolist()
    assert result["promo_fw"].tolist() == df["promo"][::-1].rolling(7, min_periods=1).sum()[::-1].tolist()


def test_window_is_a_length_in_days():
    assert ElapsedSince(window=9).fit_transform(STORE)["promo_bw"].tolist() == [0, 1, 1, 1]
    assert ElapsedSince(window=9.5).fit_transform(STORE)["promo_bw"].tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize(("direction", "added"), [("both", NEW), ("since", NEW[:2]), ("until", NEW[2:])])
def test_direction_chooses_the_new_columns_and_names_out_names_them(direction, added):
    elapsed = ElapsedSince(direction=direction)
    result = elapsed.fit_transform(STORE)
    assert result.columns.tolist() == ["date", "promo", *added]
    assert elapsed.get_feature_names_out().tolist() == result.columns.tolist()
    pd.testing.assert_frame_equal(result, ElapsedSince().fit_transform(STORE)[result.columns])


def test_several_events_are_counted_each_for_itself():
    df = STORE.assign(holiday=[True, False, False, False])
    result = ElapsedSince(["promo", "holiday"], direction="since").fit_transform(df)
    assert result.columns.tolist()[3:] == ["Afterpromo", "promo_bw", "Afterholiday", "holiday_bw"]
    assert result["Afterholiday"].tolist() == [0, 2, 3, 11]
    np.testing.assert_array_equal(result["Afterpromo"], [nan, 0, 1, 0])


def test_without_events_named_all_boolean_columns_are_events():
    df = STORE.assign(
        numbers=[0, 1, 0, 1],
        maybe=pd.array([None, True, False, None], dtype="boolean"),
        objects=pd.Series([True, None, False, True], dtype=object),
        category=pd.Categorical([True, False, None, True]),
        text=["True", "False", "True", "False"],
        open=[True, False, True, False],
    )
    assert ElapsedSince(group="open").fit(df).events_ == ["promo", "maybe", "objects", "category"]


def test_a_table_without_booleans_passes_through_unchanged():
    df = pd.DataFrame({"date": ["2024-01-01"], "x": [1.5], "label": ["a"]}, index=[9])
    pd.testing.assert_frame_equal(ElapsedSince().fit_transform(df), df)
    array = np.array([[1.0, nan], [2.0, 3.0]])
    np.testing.assert_array_equal(ElapsedSince().fit_transform(array), array)


# Memory of fit


def test_rows_after_fit_know_the_events_of_fit():
    elapsed = ElapsedSince().fit(STORE)
    later = table(["2024-01-15", "2024-01-20"], [False, False])
    assert elapsed.transform(later)["Afterpromo"].tolist() == [3, 8]
    assert elapsed.transform(later)["promo_bw"].tolist() == [1, 0]


def test_rows_after_fit_know_the_events_of_their_own_table_too():
    later = table(["2024-01-15", "2024-01-16", "2024-01-18"], [False, True, False])
    result = ElapsedSince().fit(STORE).transform(later)
    assert result["Afterpromo"].tolist() == [3, 0, 2]
    np.testing.assert_array_equal(result["Beforepromo"], [1, 0, nan])
    assert result["promo_bw"].tolist() == [1, 2, 2]


def test_an_event_seen_in_fit_and_again_in_transform_counts_once():
    elapsed = ElapsedSince().fit(STORE)
    pd.testing.assert_frame_equal(elapsed.transform(STORE), ElapsedSince().fit_transform(STORE))
    pd.testing.assert_frame_equal(elapsed.transform(STORE), elapsed.transform(STORE))


def test_transform_does_not_add_to_the_memory():
    elapsed = ElapsedSince().fit(STORE)
    elapsed.transform(table(["2024-01-14"], [True]))
    assert elapsed.transform(table(["2024-01-15"], [False]))["Afterpromo"].tolist() == [3]


def test_partial_fit_in_chunks_remembers_what_one_fit_does():
    df = STORE.assign(store=["a", "b", "a", "b"])
    whole = ElapsedSince(group="store").fit(df)
    chunked = ElapsedSince(group="store").partial_fit(df[:1]).partial_fit(df[1:3]).partial_fit(df[3:])
    pd.testing.assert_frame_equal(chunked.transform(df[:1]), whole.transform(df[:1]))
    assert chunked.groups_ == whole.groups_


def test_an_unknown_group_has_no_events():
    elapsed = ElapsedSince(group="store").fit(STORE.assign(store="a"))
    row = elapsed.transform(table(["2024-01-15"], [False], store=["b"]))
    np.testing.assert_array_equal(row[NEW], [[nan, 0, nan, 0]])


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "int8", "category", "int64[pyarrow]"])
def test_numbers_of_groups_are_matched_across_types(dtype):
    df = STORE.assign(store=[7, 8, 7, 8])
    fitted = ElapsedSince(group="store").fit(df.astype({"store": dtype}))
    other = df if dtype != "category" else df.astype({"store": dtype})
    np.testing.assert_array_equal(fitted.transform(other[:1])["Beforepromo"], [nan])
    np.testing.assert_array_equal(fitted.transform(other[1:2])["Afterpromo"], [0])
    np.testing.assert_array_equal(fitted.transform(other[3:])["promo_bw"], [1])


@pytest.mark.parametrize("dtype", ["str", "string", "category", object])
def test_labels_of_groups_are_matched_across_types(dtype):
    df = STORE.assign(store=["a", "b", "a", "b"])
    elapsed = ElapsedSince(group="store").fit(df)
    later = table(["2024-01-15"], [False], store=pd.Series(["b"], dtype=dtype))
    assert elapsed.transform(later)["Afterpromo"].tolist() == [3]


# Messy tables


def test_rows_in_any_order_get_their_own_answer_under_their_own_index():
    expected = ElapsedSince().fit_transform(STORE)
    result = ElapsedSince().fit_transform(STORE.iloc[[2, 0, 3, 1]])
    assert result.index.tolist() == [2, 0, 3, 1]
    pd.testing.assert_frame_equal(result.sort_index(), expected)


def test_a_row_on_the_day_of_an_event_of_another_row_is_at_zero_days():
    df = table(["2024-01-01"] * 3, [False, True, True])
    result = ElapsedSince().fit_transform(df)
    assert result[NEW].to_numpy().tolist() == [[0, 1, 0, 1]] * 3


def test_times_of_day_give_fractions_of_days():
    df = table(["2024-01-01 00:00", "2024-01-01 18:00"], [True, False])
    assert ElapsedSince().fit_transform(df)["Afterpromo"].tolist() == [0, 0.75]


def test_days_are_local_where_the_clocks_change():
    dates = pd.to_datetime(["2024-03-30", "2024-04-06"]).tz_localize("Europe/Paris")
    df = pd.DataFrame({"date": dates, "promo": [True, False]})
    elapsed = ElapsedSince().fit(df)
    assert elapsed.transform(df)["Afterpromo"].tolist() == [0, 7]
    assert elapsed.transform(df)["promo_bw"].tolist() == [1, 0]
    in_utc = df.assign(date=df["date"].dt.tz_convert("UTC"))
    assert elapsed.transform(in_utc)["Afterpromo"].tolist() == [0, 7]


def test_rows_without_date_or_group_get_nan_and_their_events_do_not_count():
    df = table(
        ["2024-01-01", None, "2024-01-02", "2024-01-03"],
        [True, True, True, False],
        store=["a", "a", None, "a"],
    )
    result = ElapsedSince(group="store").fit_transform(df)
    np.testing.assert_array_equal(result[NEW], [[0, 1, 0, 1], [nan] * 4, [nan] * 4, [2, 1, nan, 0]])


def test_a_table_without_any_date_or_group_gives_nan():
    df = pd.DataFrame({"date": [None, None], "promo": [True, False], "store": [None, None]})
    assert ElapsedSince(group="store").fit_transform(df)[NEW].isna().all(axis=None)
    only_dates = STORE.assign(store=np.nan)
    assert ElapsedSince(group="store").fit_transform(only_dates)[NEW].isna().all(axis=None)


@pytest.mark.parametrize(
    "promo",
    [
        [0, 1, 0, 1],
        [0.0, 1.0, nan, 1.0],
        pd.array([False, True, None, True], dtype="boolean"),
        pd.array([0, 1, None, 1], dtype="Int64"),
        pd.Series([False, True, None, True], dtype=object),
        pd.Series([False, True, False, True], dtype="category"),
        pd.Series([False, True, None, True], dtype="bool[pyarrow]"),
    ],
    ids=["int", "float", "boolean", "Int64", "object", "category", "arrow"],
)
def test_events_of_every_kind_mean_the_same_and_a_missing_one_is_none(promo):
    result = ElapsedSince(["promo"]).fit_transform(STORE.assign(promo=promo))
    np.testing.assert_array_equal(result[NEW], ElapsedSince().fit_transform(STORE)[NEW])


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas])
def test_polars_and_arrow_tables_give_the_same(convert):
    df = STORE.assign(store=["a", "b", "a", "b"])
    expected = ElapsedSince(group="store").fit_transform(df)
    result = ElapsedSince(group="store").fit(convert(df)).transform(convert(df))
    np.testing.assert_array_equal(result[NEW], expected[NEW])


def test_columns_are_matched_by_name():
    elapsed = ElapsedSince().fit(STORE.assign(x=1))
    shuffled = STORE.assign(x=1, extra=2)[["extra", "promo", "x", "date"]]
    pd.testing.assert_frame_equal(elapsed.transform(shuffled), elapsed.transform(STORE.assign(x=1)))
    with pytest.raises(ValueError, match="'date'"):
        elapsed.transform(STORE[["promo"]])


def test_set_output_gives_polars_frames():
    result = ElapsedSince().set_output(transform="polars").fit_transform(STORE)
    assert isinstance(result, pl.DataFrame)
    assert result.columns == ["date", "promo", *NEW]


def test_the_callers_frame_is_untouched():
    before = STORE.copy()
    ElapsedSince().fit(STORE).transform(STORE)
    pd.testing.assert_frame_equal(STORE, before)


# What it refuses


@pytest.mark.parametrize(
    ("params", "df", "message"),
    [
        ({"direction": "past"}, STORE, "'direction' .* must be a str among .*Got 'past'"),
        ({"window": 0}, STORE, "'window' .*Got 0"),
        ({"window": "7D"}, STORE, "'window' .*Got '7D'"),
        ({"window": np.inf}, STORE, "'window' .*Got inf"),
        ({"events": ["sale"]}, STORE, r"events names \['sale'\]"),
        ({"group": "shop"}, STORE, r"group names \['shop'\]"),
        ({"date": "day"}, STORE, r"date names \['day'\]"),
        ({"events": ["promo"]}, STORE.assign(promo=[0, 1, 2, 0]), "'promo' must hold true or false.*got 2"),
        (
            {"events": ["promo"]},
            STORE.assign(promo=["yes"] * 4),
            "'promo' must hold true or false.*got 'yes'",
        ),
        ({"events": ["date"]}, STORE, "'date' must hold true or false"),
        ({"group": "date"}, STORE, "group='date' must be a column of labels or numbers"),
        ({}, STORE.assign(date=[1, 2, 3, 4]), "'date'.*numbers such as 1"),
        ({}, STORE.assign(date=["soon"] * 4), "'date' holds 'soon'"),
        ({}, STORE.assign(promo_bw=1), r"names of the new columns \['promo_bw'\]"),
    ],
)
def test_mistakes_are_refused_by_name_and_value(params, df, message):
    with pytest.raises(ValueError, match=message):
        ElapsedSince(**params).fit(df)


def test_events_must_be_a_list():
    with pytest.raises(TypeError, match="events='promo' must be a list"):
        ElapsedSince("promo").fit(STORE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"store": ["1", "2", "1", "2"]}, "'store' held numbers in fit, but now holds labels such as '1'"),
        ({"date": [1, 2, 3, 4]}, "'date' held dates in fit, but now holds numbers"),
        ({"date": STORE["date"].dt.tz_localize("UTC")}, "'date' held dates without a time zone in fit"),
        ({"promo": [5, 0, 0, 0]}, "'promo' must hold true or false.*got 5"),
    ],
)
def test_columns_of_another_kind_than_in_fit_are_refused(change, message):
    df = STORE.assign(store=[1, 2, 1, 2])
    elapsed = ElapsedSince(["promo"], group="store").fit(df)
    with pytest.raises(ValueError, match=message):
        elapsed.transform(df.assign(**change))


# Promises for every table


def slow_answer(df, seen, window):
    """The definition, computed row by row; `seen` is the table with the known events."""
    rows = []
    for _, row in df.iterrows():
        events = seen.loc[seen["promo"] & (seen["store"] == row["store"]), "date"].drop_duplicates()
        gaps = (events - row["date"]) / pd.Timedelta("1D")
        rows.append(
            [
                -gaps[gaps <= 0].max(),
                ((gaps <= 0) & (gaps > -window)).sum(),
                gaps[gaps >= 0].min(),
                ((gaps >= 0) & (gaps < window)).sum(),
            ]
        )
    return np.array(rows, dtype=float)


rows_of_tables = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.sampled_from("abc")), min_size=1, max_size=20)


def from_rows(rows):
    quarter_days, promo, store = zip(*rows, strict=True)
    dates = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.array(quarter_days) * 6, unit="h")
    return pd.DataFrame({"date": dates, "promo": promo, "store": store})


@given(rows_of_tables, rows_of_tables, st.sampled_from([0.25, 1, 2.5, 7]))
def test_every_row_gets_what_the_definition_says(train_rows, test_rows, window):
    train, test = from_rows(train_rows), from_rows(test_rows)
    elapsed = ElapsedSince(group="store", window=window)
    np.testing.assert_allclose(elapsed.fit_transform(train)[NEW], slow_answer(train, train, window))
    seen = pd.concat([train, test], ignore_index=True)
    np.testing.assert_allclose(elapsed.transform(test)[NEW], slow_answer(test, seen, window))


@given(rows_of_tables, st.data())
def test_one_row_alone_gets_what_it_gets_in_its_batch(rows, data):
    df = from_rows(rows)
    elapsed = clone(ElapsedSince(group="store")).fit(df)
    row = data.draw(st.integers(0, len(df) - 1))
    pd.testing.assert_frame_equal(elapsed.transform(df.iloc[[row]]), elapsed.transform(df).iloc[[row]])


def test_a_store_among_a_million_rows_is_as_alone():
    n_rows, n_stores = 1_000_000, 1_000
    rng = np.random.default_rng(0)
    df = pd.DataFrame(
        {
            "date": pd.Timestamp("2013-01-01") + pd.to_timedelta(np.arange(n_rows) // n_stores, unit="D"),
            "store": np.arange(n_rows) % n_stores,
            "promo": rng.random(n_rows) < 0.4,
        }
    )
    among_all = ElapsedSince(group="store").fit_transform(df)
    for store in (0, 517, n_stores - 1):
        rows = df["store"] == store
        alone = ElapsedSince(group="store").fit_transform(df[rows])
        pd.testing.assert_frame_equal(among_all[rows], alone)
