"""`TabularPreprocessor`: encoded frames from raw frames of every type, and row-wise consistency."""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tabrec import TabularPreprocessor
from tabrec.preprocess.categorify import Codes

SALES = pd.DataFrame(
    {
        "saledate": ["2011-01-30", "2011-02-03", "2012-03-01", "2012-03-02"],
        "state": ["Ohio", None, "Utah", "Ohio"],
        "hours": [12.0, None, 700.0, 100.0],
        "year": [1996, 2004, 1996, 2001],
        "leased": [True, False, True, True],
    }
)


def check_encoded(frame):
    """Assert that a frame has codes 0..K, floats without missing values, and flags."""
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            assert column.cat.categories.tolist() == list(range(len(column.cat.categories))), name
            assert (column.cat.codes >= 0).all(), name
        else:
            assert column.dtype in (np.float32, np.float64, np.bool_), name
            assert not column.isna().any(), name


def test_a_forest_gets_codes_numbers_and_flags():
    fitted = TabularPreprocessor().fit(SALES)
    assert fitted.kinds_ == {
        "saledate": "date",
        "state": "categorical",
        "hours": "continuous",
        "year": "continuous",
        "leased": "categorical",
    }
    out = fitted.transform(SALES)
    check_encoded(out)
    assert out["state"].tolist() == [1, 0, 2, 1]
    assert out["hours"].tolist() == [12.0, 100.0, 700.0, 100.0]
    assert out["hours_na"].tolist() == [False, True, False, False]
    assert out["year"].tolist() == [1996.0, 2004.0, 1996.0, 2001.0]
    assert out["leased"].tolist() == [2, 1, 2, 2]
    assert out["saleYear"].tolist() == [2011.0, 2011.0, 2012.0, 2012.0]
    assert out["saleIs_month_start"].tolist() == [False, False, True, False]
    assert fitted.categories_ == {"state": ["#na#", "Ohio", "Utah"], "leased": ["#na#", False, True]}


def test_a_net_gets_few_whole_numbers_as_categories_and_the_others_on_one_scale():
    out = TabularPreprocessor("net").fit_transform(SALES)
    check_encoded(out)
    assert out["year"].tolist() == [1, 3, 1, 2]
    assert out["saleMonth"].tolist() == [1, 2, 3, 3]
    mean, std = np.mean([12.0, 700.0, 100.0]), np.std([12.0, 700.0, 100.0])
    assert out["hours"].tolist() == pytest.approx(((np.array([12.0, 100.0, 700.0, 100.0]) - mean) / std).tolist())


def test_parameters_settle_kinds():
    fitted = TabularPreprocessor(
        date_columns={"saledate": "%Y-%m-%d"},
        categorical_columns=["year"],
        continuous_columns=["leased"],
        drop_columns=["state"],
        time=True,
        normalize="quantile",
    ).fit(SALES)
    assert set(fitted.kinds_.items()) >= {("year", "categorical"), ("leased", "continuous"), ("state", "dropped")}
    out = fitted.transform(SALES)
    check_encoded(out)
    assert {"saleHour", "saleMinute", "saleSecond"} < set(out.columns)
    assert "state" not in out
    assert fitted.normalize_.method == "quantile"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"purpose": "tree"}, "'purpose' .*Got 'tree'"),
        ({"drop_columns": list(SALES)}, "leaves no column to encode"),
        (
            {"drop_columns": ["state"], "categorical_columns": ["state"]},
            "'state' cannot be both categorical and dropped",
        ),
        ({"categorical_columns": ["State"]}, r"categorical_columns names \['State'\]"),
        ({"continuous_columns": ["state"]}, "Column 'state' must hold numbers, as in fit, but holds 'Ohio'"),
        ({"date_columns": ["hours"]}, "Column 'hours' is to be read as dates, but holds numbers such as 12.0"),
        ({"fill_strategy": "mean"}, "'fill_strategy' .*Got 'mean'"),
        ({"normalize": "minmax"}, "'normalize' .*Got 'minmax'"),
    ],
)
def test_parameters_out_of_range_are_refused_by_value(params, message):
    with pytest.raises(ValueError, match=message):
        TabularPreprocessor(**params).fit(SALES)


def test_text_of_dates_in_doubt_is_taken_as_labels_with_a_warning_that_says_how_to_name_the_format():
    doubtful = pd.DataFrame({"sold": ["01/02/2011", "03/04/2011"]})
    with pytest.warns(UserWarning, match="Column 'sold' looks like dates.*date_columns={'sold'") as caught:
        fitted = TabularPreprocessor().fit(doubtful)
    assert caught[0].filename == __file__
    assert fitted.kinds_ == {"sold": "categorical"}


@pytest.mark.parametrize("purpose", ["forest", "net"])
def test_an_encoded_frame_is_used_as_it_is(purpose):
    encoded = TabularPreprocessor(purpose).fit_transform(SALES)
    again = TabularPreprocessor(purpose).fit(encoded)
    assert_frame_equal(again.transform(encoded), encoded)
    assert_frame_equal(again.transform(encoded.iloc[[1]]), encoded.iloc[[1]])


def test_codes_that_are_kept_are_those_of_reading_their_labels(monkeypatch):
    encoded = TabularPreprocessor("forest").fit_transform(pd.concat([SALES] * 5, ignore_index=True))
    fitted = TabularPreprocessor("forest").fit(encoded)
    n_codes = len(encoded["state"].cat.categories)
    tables = [
        encoded,
        encoded.iloc[::-1],
        encoded.assign(state=pd.Categorical.from_codes([-1, 0, 1, 1] * 5, categories=range(n_codes))),
        encoded.assign(state=pd.Categorical([0] * 20, categories=range(n_codes))),
        encoded.assign(state=pd.Categorical([2, 1, 0, 0] * 5, categories=range(n_codes + 3))),
        encoded.assign(state=pd.Categorical([2, 1, 0, 0] * 5, categories=[2, 1, 0])),
    ]
    kept = [fitted.transform(table) for table in tables]
    arrays = [fitted.transform_to_arrays(table) for table in tables]
    monkeypatch.setattr(Codes, "are_kept", lambda codes, column: False)
    for table, of_table, by_name in zip(tables, kept, arrays, strict=True):
        assert_frame_equal(of_table, fitted.transform(table))
        assert_frame_equal(pd.DataFrame(by_name, index=table.index), of_table)
    monkeypatch.undo()
    before = encoded["state"].tolist()
    fitted.transform(encoded)["state"].array.codes.base[:] = 0
    assert encoded["state"].tolist() == before


def test_code_0_of_an_encoded_frame_stays_the_code_of_what_is_unknown():
    encoded = TabularPreprocessor().fit_transform(SALES)
    again = TabularPreprocessor().fit(encoded)
    as_numbers = encoded.assign(state=[2, 0, 9, 1])
    assert again.transform(as_numbers)["state"].tolist() == [2, 0, 0, 1]
    fewer = encoded.assign(state=pd.Categorical([2, 0, 1, 1], categories=[2, 1, 0]))
    assert again.transform(fewer)["state"].tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize("dtype", ["boolean", object, "float64", "int8"])
def test_a_flag_of_an_encoded_frame_stays_one_in_every_type(dtype):
    fitted = TabularPreprocessor().fit(pd.DataFrame({"flag": [True, False]}))
    out = fitted.transform(pd.DataFrame({"flag": pd.Series([True, False]).astype(dtype)}))
    assert out["flag"].dtype == bool
    assert out["flag"].tolist() == [True, False]


def test_a_flag_missing_only_after_fit_is_false_with_a_warning_and_others_are_refused():
    fitted = TabularPreprocessor().fit(pd.DataFrame({"flag": [True, False]}))
    with pytest.warns(UserWarning, match="Column 'flag' had no missing values in fit .* read as False"):
        out = fitted.transform(pd.DataFrame({"flag": pd.array([True, None], dtype="boolean")}))
    assert out["flag"].tolist() == [True, False]
    check_encoded(out)
    with pytest.raises(ValueError, match="Column 'flag' held true and false in fit, but now holds 2"):
        fitted.transform(pd.DataFrame({"flag": [2.0]}))
    with pytest.raises(ValueError, match="Column 'flag' must hold numbers.*'yes'"):
        fitted.transform(pd.DataFrame({"flag": ["yes"]}))


@pytest.mark.parametrize("nothing", [[None, None], [np.nan, np.nan], pd.to_datetime([None, None])])
def test_a_column_without_values_works_and_what_it_cannot_mean_later_is_refused(nothing):
    frame = pd.DataFrame({"x": pd.Series(nothing), "y": [1.0, 2.0]})
    fitted = TabularPreprocessor().fit(frame)
    check_encoded(fitted.transform(frame))
    if fitted.kinds_["x"] == "continuous":
        assert fitted.transform(frame.assign(x=[5.0, None]))["x"].tolist() == [5.0, 0.0]
        with pytest.raises(ValueError, match="Column 'x' had no values in fit.*such as 'a'.*categorical_col"):
            fitted.transform(frame.assign(x="a"))


def test_a_first_chunk_of_gaps_says_how_to_settle_the_kind():
    chunks = [pd.DataFrame({"x": [None, None]}), pd.DataFrame({"x": ["a", "b"]})]
    with pytest.raises(ValueError, match="list it in categorical_columns"):
        TabularPreprocessor().partial_fit(chunks[0]).partial_fit(chunks[1])
    told = TabularPreprocessor(categorical_columns=["x"]).partial_fit(chunks[0]).partial_fit(chunks[1])
    assert told.categories_ == {"x": ["#na#", "a", "b"]}
    numbers = TabularPreprocessor().partial_fit(chunks[0]).partial_fit(pd.DataFrame({"x": [3.0, 5.0]}))
    assert numbers.fill_missing_.fill_values_ == {"x": 4.0}


def test_unseen_labels_new_gaps_and_reordered_columns_keep_the_width_of_fit():
    fitted = TabularPreprocessor().fit(SALES)
    later = SALES.iloc[:1, ::-1].assign(state="Iowa", year=np.nan, hours=None, leased=None, saledate=None, more=1)
    with pytest.warns(UserWarning, match="Columns '(year|sale[A-Z][a-z]+)' .* had no missing values in fit"):
        out = fitted.transform(later)
    assert out.columns.tolist() == fitted.get_feature_names_out().tolist()
    check_encoded(out)
    assert out[["state", "leased"]].to_numpy().tolist() == [[0, 0]]
    assert out[["hours", "hours_na"]].to_numpy().tolist() == [[100.0, True]]
    assert out["year"].tolist() == [1998.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hours": "many"}, "Column 'hours' must hold numbers, as in fit, but holds 'many'"),
        ({"state": 4}, "Column 'state' held text in fit, but now holds the number 4"),
        ({"saledate": 4}, "Column 'saledate' held dates in fit, but now holds numbers such as 4"),
        ({"saledate": "1/2/2011"}, "Column 'saledate' holds '1/2/2011', which is not a date"),
        ({"hours": np.inf}, "Column 'hours' holds inf in row 0"),
        ({"hours": 1e300}, "Column 'hours' holds .*too large for float32"),
        ({"hours": pd.Timestamp("2011-01-01")}, "Column 'hours' must hold numbers, as in fit, but holds dates"),
    ],
)
@pytest.mark.parametrize("purpose", ["forest", "net"])
def test_a_column_of_another_kind_than_in_fit_is_refused_by_name_and_value(purpose, change, message):
    with pytest.raises(ValueError, match=message):
        TabularPreprocessor(purpose).fit(SALES).transform(SALES.assign(**change))


@pytest.mark.parametrize("purpose", ["forest", "net"])
def test_constant_and_unique_columns_work(purpose):
    frame = pd.DataFrame(
        {"one": [1.0] * 30, "label": ["a"] * 30, "id": range(30), "name": [f"n{i}" for i in range(30)]}
    )
    out = TabularPreprocessor(purpose).fit_transform(frame)
    check_encoded(out)
    assert isinstance(out["name"].dtype, pd.CategoricalDtype)
    assert out["id"].dtype == np.float32


def test_arrays_have_no_kinds_unless_given_by_position():
    array = np.array([[1.0, 5.0], [2.0, np.nan], [1.0, 7.0]])
    out = TabularPreprocessor(categorical_columns=[0]).fit_transform(array)
    assert out.columns.tolist() == ["x0", "x1", "x1_na"]
    assert out["x0"].tolist() == [1, 2, 1]
    assert out["x1"].tolist() == [5.0, 6.0, 7.0]


CELLS = {
    "state": st.none() | st.sampled_from(["Ohio", "Texas", "Utah", "a b", ""]),
    "hours": st.none() | st.floats(-1e6, 1e6, allow_nan=False, width=32),
    "year": st.integers(1950, 2020),
    "leased": st.none() | st.booleans(),
    "saledate": st.none() | st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2030, 1, 1)),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=2, max_size=70)
TYPES = {"state": object, "hours": "float64", "year": "int64", "leased": "boolean", "saledate": "datetime64[us]"}


def raw(rows):
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=TYPES[name]) for name in CELLS})


@given(ROWS, ROWS, st.sampled_from(["forest", "net"]), st.randoms())
def test_a_row_means_the_same_alone_shuffled_and_in_every_library(train, later, purpose, random):
    # a first state, since a column of objects without any would be taken for numbers
    fitted = TabularPreprocessor(purpose).fit(raw([*train, {**train[0], "state": "Ohio"}]))
    frame = raw(later)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        out = fitted.transform(frame)
        check_encoded(out)
        row = random.randrange(len(later))
        assert_frame_equal(fitted.transform(frame.iloc[[row]]), out.iloc[[row]])
        order = random.sample(range(len(later)), len(later))
        assert_frame_equal(fitted.transform(frame.iloc[order]), out.iloc[order])
        columns = random.sample(list(CELLS), len(CELLS))
        assert_frame_equal(fitted.transform(frame[columns]), out)
        in_polars = pl.from_pandas(frame)
        for table in (in_polars, pa.table(in_polars), frame.astype({"state": "category"}), frame.convert_dtypes()):
            assert_frame_equal(fitted.transform(table), out)


@given(ROWS, st.integers(1, 70), st.sampled_from(["forest", "net"]))
def test_chunks_teach_vocabularies_medians_and_moments_of_the_whole(rows, cut, purpose):
    kinds = {"categorical_columns": ["state", "leased"], "continuous_columns": ["hours", "year"]}
    params = {**kinds, "drop_columns": ["saledate"]}
    whole, chunked = TabularPreprocessor(purpose, **params).fit(raw(rows)), TabularPreprocessor(purpose, **params)
    for chunk in (rows[:cut], rows[cut:]):
        if chunk:
            chunked.partial_fit(raw(chunk))
    assert chunked.categories_ == whole.categories_
    assert chunked.fill_missing_.fill_values_ == whole.fill_missing_.fill_values_
    assert chunked.get_feature_names_out().tolist() == whole.get_feature_names_out().tolist()
    if purpose == "net":
        assert chunked.normalize_.means_ == pytest.approx(whole.normalize_.means_, rel=1e-9, abs=1e-6)


@pytest.fixture(scope="module")
def bulldozers(data_dir):
    train, later = (pd.read_csv(data_dir / f"bulldozers/{name}.csv", low_memory=False) for name in ("Train", "Valid"))
    return train.drop(columns="SalePrice").iloc[::4], later.iloc[::2].reset_index(drop=True)


@pytest.mark.real_data("bulldozers/Train.csv", "bulldozers/Valid.csv")
@pytest.mark.parametrize("purpose", ["forest", "net"])
def test_the_bulldozers_are_encoded_the_same_in_chunks_of_rows_and_in_polars(bulldozers, purpose):
    train, later = bulldozers
    fitted = TabularPreprocessor(purpose).fit(train)
    assert fitted.kinds_["saledate"] == "date"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        out = fitted.transform(later)
        check_encoded(out)
        assert out.columns.tolist() == fitted.get_feature_names_out().tolist()
        for row in (0, 2500, len(later) - 1):
            assert_frame_equal(fitted.transform(later.iloc[[row]]), out.iloc[[row]])
        assert_frame_equal(fitted.transform(pl.from_pandas(later)), out)
        as_category = later.astype(dict.fromkeys(later.select_dtypes(["object", "string"]), "category"))
        assert_frame_equal(fitted.transform(as_category), out)
    size = fitted.categories_["ProductSize"]
    expected = [size.index(label) if label in size else 0 for label in later["ProductSize"]]
    assert out["ProductSize"].tolist() == expected


@pytest.mark.real_data("house-prices/train.csv", "house-prices/test.csv")
@pytest.mark.parametrize("purpose", ["forest", "net"])
def test_the_houses_are_encoded_with_their_many_gaps(data_dir, purpose):
    train, later = (pd.read_csv(data_dir / f"house-prices/{name}.csv") for name in ("train", "test"))
    fitted = TabularPreprocessor(purpose, drop_columns=["Id"]).fit(train.drop(columns="SalePrice"))
    out = fitted.fit_transform(train.drop(columns="SalePrice"))
    check_encoded(out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        encoded = fitted.transform(later)
    check_encoded(encoded)
    assert (encoded["PoolQC"] == 0).sum() == later["PoolQC"].isna().sum()
    assert (encoded["LotFrontage_na"] == later["LotFrontage"].isna()).all()


def test_dropped_columns_are_not_missed_at_transform():
    train = pd.DataFrame({"id": [7, 8, 9], "x": [1.0, 2.0, 4.0]})
    preprocessor = TabularPreprocessor(drop_columns=["id"]).fit(train)
    pd.testing.assert_frame_equal(preprocessor.transform(train[["x"]]), preprocessor.transform(train))
    with pytest.raises(ValueError, match=r"\['x'\] seen in fit are missing"):
        preprocessor.transform(train[["id"]])


def test_stamps_and_dates_a_second_apart_stay_distinct():
    dates = pd.date_range("2024-01-01 12:00", periods=400, freq="s")
    table = pd.DataFrame({"stamp": dates.strftime("%Y%m%d%H%M%S").astype("int64"), "at": dates})
    fitted = TabularPreprocessor().fit(table)
    out = fitted.transform(table)
    assert out["stamp"].tolist() == table["stamp"].tolist()
    assert out["atElapsed"].nunique() == 400
    assert_frame_equal(fitted.transform(table[7:8]), out[7:8])
    assert_frame_equal(TabularPreprocessor().fit_transform(out), out)
    net = TabularPreprocessor("net").fit_transform(table)
    assert net["stamp"].nunique() == net["atElapsed"].nunique() == 400


@pytest.fixture(scope="module")
def days_and_one_second():
    """Dates of which only the last needs float64, and labels."""
    days = [*pd.date_range("2024-01-01", periods=39), pd.Timestamp("2024-03-01 04:05:06")]
    return pd.DataFrame({"seen": days, "shop": ["b", None, "a", "c"] * 10})


def test_rows_of_an_encoded_frame_that_need_no_float64_are_still_encoded(days_and_one_second):
    encoded = TabularPreprocessor().fit_transform(days_and_one_second)
    assert encoded["seenElapsed"].dtype == np.float64
    fold = TabularPreprocessor().fit(encoded[:30]).transform(encoded)
    assert_frame_equal(fold, encoded.astype({"seenElapsed": np.float32}))


def test_an_encoded_frame_of_float64_columns_is_read_back_from_polars(days_and_one_second):
    encoded = TabularPreprocessor().fit_transform(days_and_one_second)
    in_polars = TabularPreprocessor().set_output(transform="polars").fit_transform(days_and_one_second)
    assert_frame_equal(TabularPreprocessor().fit(in_polars).transform(encoded), encoded)


def test_raw_floats_that_need_float64_are_normalised_for_a_net():
    out = TabularPreprocessor("net").fit_transform(pd.DataFrame({"stamp": 3e9 + np.arange(400)}))
    assert out["stamp"].std() == pytest.approx(1, abs=0.01)


# --- Back to raw columns ---------------------------------------------------------------------------------------------


def moments_table(n_rows=60):
    rows = np.arange(n_rows)
    sold = pd.Series(pd.Timestamp("2011-02-03") + pd.to_timedelta(rows * 17, unit="D"))
    table = pd.DataFrame(
        {
            "sold": sold.dt.strftime("%d.%m.%Y"),
            "when": sold + pd.to_timedelta(rows * 1234567, unit="s"),
            "local": (sold + pd.to_timedelta(rows, unit="h")).dt.tz_localize("Europe/Berlin", nonexistent="NaT"),
            "state": np.where(rows % 5 == 0, None, np.where(rows % 2 == 0, "Ohio", "Utah")),
            "hours": np.where(rows % 7 == 0, np.nan, rows * 1.5),
            "leased": rows % 3 == 0,
            "grade": rows % 4,
            "id": rows + 5_000_000_000,
        }
    )
    table.loc[3, ["sold", "when"]] = None
    return table


@pytest.mark.parametrize("settings", [{}, {"purpose": "net"}, {"purpose": "net", "normalize": "quantile"}], ids=str)
def test_the_inverse_restores_labels_units_gaps_and_dates(settings):
    table = moments_table()
    fitted = TabularPreprocessor(**settings).fit(table)
    restored = fitted.inverse_transform(fitted.transform(table))
    assert list(restored) == list(table)
    expected = table.assign(sold=pd.to_datetime(table["sold"], format="%d.%m.%Y"))
    for name in ("sold", "when", "local"):
        assert (restored[name] - expected[name]).abs().max() == pd.Timedelta(0)
        assert restored[name].isna().equals(expected[name].isna())
        assert restored[name].dt.tz == expected[name].dt.tz
    for name in ("state", "leased", "grade"):
        assert restored[name].astype(object).equals(table[name].astype(object).where(table[name].notna(), np.nan))
    np.testing.assert_allclose(restored["hours"], table["hours"], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(restored["id"] - 5e9, table["id"] - 5e9, atol=1e-5)


def test_the_inverse_of_dates_with_few_rounded_moments_has_their_finest_part():
    table = pd.DataFrame({"x": range(40), "at": pd.date_range("2020-01-01 08:30", periods=40, freq="1D")})
    fitted = TabularPreprocessor("net", time=True).fit(table)
    encoded = fitted.transform(table)
    assert encoded["atElapsed"].dtype == np.float32
    assert fitted.inverse_transform(encoded)["at"].tolist() == table["at"].tolist()
    by_day = TabularPreprocessor("net", time=False).fit(table)
    assert by_day.inverse_transform(by_day.transform(table))["at"].tolist() == table["at"].dt.floor("D").tolist()


def test_the_inverse_leaves_filled_what_no_indicator_marks_and_drops_what_is_left_out():
    table = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", "y", "y"], "c": [1, 2, 3]})
    fitted = TabularPreprocessor(add_indicator=False, drop_columns=["c"], max_categories=1).fit(table)
    restored = fitted.inverse_transform(fitted.transform(table).to_numpy(np.float32))
    assert restored["a"].tolist() == [1.0, 2.0, 3.0]
    assert restored["b"].fillna("gap").tolist() == ["gap", "y", "y"]
    assert list(restored) == ["a", "b"]
    with pytest.raises(ValueError, match="names \\['a'\\], but the table has no such column"):
        fitted.inverse_transform(fitted.transform(table)[["b"]])


# --- Kinds of date parts ---------------------------------------------------------------------------------------------


def test_kinds_of_date_parts_are_given_by_the_names_that_they_will_have():
    table = pd.DataFrame({"saledate": pd.date_range("2011-01-01", periods=50, freq="40D"), "x": range(50)})
    options = {"continuous_columns": ["saleYear", "saleIs_month_end"], "categorical_columns": ["saleElapsed", "x"]}
    out = TabularPreprocessor("net", **options).fit_transform(table)
    kinds = {name: dtype.kind if isinstance(dtype, np.dtype) else "codes" for name, dtype in out.dtypes.items()}
    assert [kinds[name] for name in ("saleYear", "saleIs_month_end", "saleElapsed", "x", "saleMonth")] == [
        "f",
        "f",
        "codes",
        "codes",
        "codes",
    ]
    with_hour = {"continuous_columns": ["saleHour"]}
    with pytest.raises(ValueError, match="continuous_columns names \\['saleHour'\\], but the table has no such column"):
        TabularPreprocessor("net", **with_hour).fit(table)
    assert "saleHour" in TabularPreprocessor("net", time=True, **with_hour).fit_transform(table).select_dtypes(
        "float32"
    )
    with pytest.raises(ValueError, match="Column 'saleYear' cannot be both"):
        TabularPreprocessor(categorical_columns=["saleYear"], continuous_columns=["saleYear"]).fit(table)


def test_only_large_tables_show_their_progress(monkeypatch):
    from tabrec.preprocess import frame_transformer
    from tabrec.tables.columns import to_columns

    columns = to_columns(pd.DataFrame({"a": range(4), "b": range(4)}))
    assert frame_transformer.verbose_if_large(columns) is False
    monkeypatch.setattr(frame_transformer, "_MANY_VALUES", 7)
    assert frame_transformer.verbose_if_large(columns) == "auto"
