"""Reading of tables: column values are independent of the library and type of the table."""

import datetime
from decimal import Decimal
from pathlib import Path

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tabrec import BoostingRegressor, DotProductBias, ForestRegressor, TabularRegressor
from tabrec.tables.columns import Column, as_frame, read_frame, to_columns


def column(values, dtype=None):
    return to_columns(pd.DataFrame({"x": pd.Series(values, dtype=dtype)}))["x"]


def held(column):
    """Return the values of a column by row, with None for missing values."""
    if column.is_label:
        return [None if code < 0 else column.values.labels[code] for code in column.values.codes]
    return [None if gap else value for value, gap in zip(column.values.tolist(), column.missing, strict=True)]


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "Int64", "Float64", "int64[pyarrow]", "double[pyarrow]", object, "Sparse[float]"]
)
def test_numbers_with_gaps_are_floats(dtype):
    read = column([1, None, 3], dtype)
    assert read.is_number
    assert held(read) == [1.0, None, 3.0]
    assert read.family() == "numbers"
    assert read.example() == 1


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint64", "Int64", "UInt8", "int64[pyarrow]", object])
def test_whole_numbers_without_gaps_stay_whole(dtype):
    read = column([1, 2, 3], dtype)
    assert read.values.dtype.kind in "iu"
    assert held(read) == [1, 2, 3]


@pytest.mark.parametrize(
    "values",
    [
        [Decimal("1.5"), None, Decimal("NaN")],
        [1.5, np.nan, None],
        [Decimal("1.5"), pd.NA, float("nan")],
        [np.float32(1.5), pd.NaT, None],
    ],
)
def test_objects_that_are_numbers_are_numbers_and_every_kind_of_gap_is_one(values):
    assert held(column(values, object)) == [1.5, None, None]


def test_decimals_among_floats_are_numbers():
    assert held(column([Decimal("1.5"), 2.0, 3], object)) == [1.5, 2.0, 3.0]


def test_an_arrow_column_of_decimals_is_one_of_numbers():
    assert held(to_columns(read_frame(pa.table({"x": pa.array([Decimal("1.5"), None])})))["x"]) == [1.5, None]


@pytest.mark.parametrize("dtype", [bool, "boolean", "bool[pyarrow]", object])
def test_booleans_without_gaps_are_booleans(dtype):
    read = column([True, False], dtype)
    assert read.is_boolean
    assert held(read) == [True, False]


@pytest.mark.parametrize("dtype", ["boolean", "bool[pyarrow]", object])
def test_booleans_with_gaps_are_labels(dtype):
    read = column([True, None, False], dtype)
    assert read.is_label
    assert held(read) == [True, None, False]


@pytest.mark.parametrize("dtype", [object, "str", "string", "string[pyarrow]", pd.ArrowDtype(pa.string()), "category"])
@pytest.mark.parametrize("times", [1, 100])
def test_text_is_labels_in_few_rows_and_in_many(dtype, times):
    read = column(["a", None, "b", "a"] * times, dtype)
    assert read.is_label
    assert held(read) == ["a", None, "b", "a"] * times


@pytest.mark.parametrize("times", [1, 100])
def test_in_mixed_objects_text_and_numbers_stay_apart(times):
    read = column([1, "1", None, 1.0, np.nan, pd.NA, pd.NaT] * times, object)
    assert held(read) == [1, "1", None, 1.0, None, None, None] * times


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2011-01-02", None]),
        pd.Series(pd.to_datetime(["2011-01-02", None])).astype("category"),
        pd.Series(pd.to_datetime(["2011-01-02", None])).astype(pd.ArrowDtype(pa.timestamp("us"))),
        pd.Series([datetime.date(2011, 1, 2), None], dtype=pd.ArrowDtype(pa.date32())),
        pd.Series([datetime.date(2011, 1, 2), None], dtype=object),
        pd.Series([datetime.datetime(2011, 1, 2), None], dtype=object),
        pd.Series([np.datetime64("2011-01-02"), None], dtype=object),
        pd.PeriodIndex(["2011-01-02", None], freq="D"),
    ],
)
def test_dates_of_every_type_are_dates(values):
    read = column(values)
    assert read.is_date
    assert pd.DatetimeIndex(read.values)[0] == pd.Timestamp("2011-01-02")
    assert read.missing.tolist() == [False, True]


def test_dates_with_and_without_a_time_of_day_go_together():
    read = column([datetime.date(2011, 1, 2), datetime.datetime(2011, 1, 2, 12)], object)
    assert pd.DatetimeIndex(read.values)[1] - pd.DatetimeIndex(read.values)[0] == pd.Timedelta("12h")


def test_dates_mixed_with_text_are_refused_by_name_and_value():
    with pytest.raises(
        ValueError, match=r"Column 'x' mixes dates with other values, such as '2011-01-03'.*to_datetime"
    ):
        _ = column([pd.Timestamp("2011-01-02"), "2011-01-03"], object).values


def test_objects_of_dates_with_and_without_time_zone_are_refused_by_name():
    with pytest.raises(ValueError, match="Column 'x' holds dates that cannot be combined"):
        _ = column([pd.Timestamp("2011-01-02", tz="UTC"), pd.Timestamp("2011-01-02")], object).values
    with pytest.raises(ValueError, match=r"pass pandas\.to_datetime\(X\['x'\], utc=True\)"):
        _ = column([pd.Timestamp("2011-01-02", tz=zone) for zone in ("UTC", "Asia/Tokyo")], object).values


@pytest.mark.parametrize(("X", "kind"), [({"a": [1, 2]}, "a dict"), ([{"a": 1}, {"a": 2}], "a list of dicts")])
def test_dicts_are_refused_with_the_way_to_make_a_table(X, kind):
    with pytest.raises(TypeError, match=rf"Got {kind}, not a table: pass pandas.DataFrame\(X\)"):
        read_frame(X)


def test_durations_are_numbers_of_seconds():
    assert held(column(pd.to_timedelta(["1D", None]))) == [86400.0, None]
    assert held(column([datetime.timedelta(1), None], object)) == [86400.0, None]


def test_intervals_and_times_of_day_are_labels():
    intervals = list(pd.interval_range(0, 2))
    assert held(column(intervals)) == intervals
    assert held(column([datetime.time(9)], object)) == [datetime.time(9)]


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", object])
def test_large_whole_numbers_are_different_labels_even_beside_gaps(dtype):
    large = 2**53
    codes, labels = column([large, large + 1, None], dtype).as_labels()
    assert [labels[code] for code in codes[:2]] == [large, large + 1]
    assert codes[2] == -1


@pytest.mark.parametrize(("dtype", "large"), [(pl.Int64, -(2**53) - 1), (pl.UInt64, 2**63 + 1)])
def test_large_whole_numbers_of_polars_are_different_labels_even_beside_gaps(dtype, large):
    frame = as_frame(
        pl.DataFrame({"id": [large, large + 1, None], "x": [1, 2, None]}, schema={"id": dtype, "x": dtype})
    )
    codes, labels = to_columns(frame)["id"].as_labels()
    assert [labels[code] for code in codes[:2]] == [large, large + 1]
    assert codes[2] == -1
    assert frame["x"].dtype == np.float64


def test_unsigned_numbers_beyond_int64_are_exact_labels():
    assert column([2**63, 2**63 + 1], "uint64").as_labels().labels == [2**63, 2**63 + 1]


def test_floats_that_are_whole_are_the_same_labels_as_integers():
    assert column([1.0, 2.5, np.nan, 2.0]).as_labels().labels == [1, 2.5, 2]
    assert all(isinstance(label, int) for label in column([1.0, 2.0]).as_labels().labels)


def test_float32_holds_the_labels_that_float64_holds():
    assert column([0.1, 23.5, 2.0**30], "float32").as_labels().labels == [0.1, 23.5, 2**30]


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "double[pyarrow]", object])
def test_infinity_is_refused_by_column_and_row(dtype):
    with pytest.raises(ValueError, match=r"Column 'x' holds -inf in row 1 \(counted from 0\)"):
        _ = column([1.0, -np.inf], dtype).values


@pytest.mark.parametrize("values", [[[1], [2]], [{"a": 1}, None]])
def test_lists_and_dicts_are_refused_by_name(values):
    with pytest.raises(TypeError, match="Column 'x' holds .* of type (list|dict)"):
        _ = column(values, object).values


@pytest.mark.parametrize("file", ["Train.csv", Path("Train.csv")])
def test_a_file_name_is_rejected(file):
    with pytest.raises(TypeError, match=r"Got the text 'Train.csv', not a table: .* pandas.read_csv"):
        read_frame(file)


@pytest.mark.parametrize("dtype", ["complex128", object])
def test_complex_numbers_are_refused_by_name(dtype):
    with pytest.raises(ValueError, match="Complex data not supported: column 'x'"):
        _ = column([1j, 2j], dtype).values


@pytest.mark.parametrize("values", [[None, None], [np.nan, np.nan], [pd.NaT, pd.NaT], [pd.NA, pd.NA]])
def test_a_column_without_values_is_missing_throughout(values):
    read = column(values, object)
    assert read.missing.all()
    assert read.example() is None


def test_the_columns_of_an_array_are_named_by_position():
    assert as_frame(np.ones((2, 3))).columns.tolist() == ["x0", "x1", "x2"]


def test_other_column_names_are_converted_to_text():
    frame = pd.DataFrame({1: [1.0], ("a", "b"): [2.0], pd.Timestamp("2011"): [3.0]})
    assert as_frame(frame).columns.tolist() == ["1", "('a', 'b')", "2011-01-01 00:00:00"]
    assert frame.columns[0] == 1


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"\['a'\] occur more than once"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), r"\['1'\] occur more than once"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), r"\['a'\] occur more than once"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), r"2 levels, such as \('a', 'b'\)"),
        (pd.DataFrame({"a": []}), "no rows"),
        (pd.DataFrame(index=[0, 1]), "no columns"),
        (pl.DataFrame({"a": []}), "no rows"),
    ],
)
def test_invalid_tables_are_rejected(table, message):
    with pytest.raises(ValueError, match=message):
        read_frame(table)


def test_as_frame_gives_a_frame_whose_columns_can_be_replaced():
    frame = pd.DataFrame({"a": [1, 2]})
    read = as_frame(frame)
    read["a"] = 0
    assert frame["a"].tolist() == [1, 2]


CELLS = {
    "text": st.none() | st.sampled_from(["", "a", "b", "Zürich", "nan"]),
    "number": st.none() | st.integers(-(2**31), 2**31),
    "float": st.none() | st.floats(allow_nan=False, allow_infinity=False, width=32),
    "bool": st.none() | st.booleans(),
    "date": st.none() | st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1)),
}


@given(st.data(), st.sampled_from(sorted(CELLS)))
def test_polars_arrow_and_pandas_hold_the_same(data, kind):
    cells = data.draw(st.lists(CELLS[kind], min_size=1, max_size=80))
    frame = pl.DataFrame({"x": cells}, schema_overrides={"x": pl.Float64} if kind == "float" else None)
    tables = [frame, frame.to_arrow(), pd.DataFrame({"x": pd.Series(cells, dtype=object)})]
    tables.append(tables[-1].convert_dtypes())
    columns = [to_columns(read_frame(table))["x"] for table in tables]
    expected = [None if cell is None else pd.Timestamp(cell) if kind == "date" else cell for cell in cells]
    for read in columns:
        assert isinstance(read, Column)
        got = (
            [None if value is None else pd.Timestamp(value) for value in dates(read)] if kind == "date" else held(read)
        )
        assert got == expected


def dates(read):
    if not read.is_date:
        return [None] * len(read.missing)
    return [None if gap else value for value, gap in zip(pd.DatetimeIndex(read.values), read.missing, strict=True)]


class Interchange:
    """A table that offers `__dataframe__` alone, as modin's frames do."""

    def __init__(self, frame):
        self.table = pa.table(frame)

    def __dataframe__(self, *args, **kwargs):
        return self.table.__dataframe__(*args, **kwargs)


class Stream:
    """A table that offers an arrow stream alone, as relations of duckdb do, and counts how often it is read."""

    def __init__(self, frame):
        self.table, self.reads = pa.table(frame), 0

    def __arrow_c_stream__(self, requested_schema=None):
        self.reads += 1
        return self.table.__arrow_c_stream__(requested_schema)


OTHER_LIBRARIES = {
    "polars LazyFrame": lambda frame: pl.from_pandas(frame).lazy(),
    "narwhals of pandas": nw.from_native,
    "narwhals of polars": lambda frame: nw.from_native(pl.from_pandas(frame)),
    "narwhals LazyFrame": lambda frame: nw.from_native(pl.from_pandas(frame).lazy()),
    "arrow record batch": pa.RecordBatch.from_pandas,
    "arrow stream reader": lambda frame: pa.table(frame).to_reader(),
    "arrow stream": Stream,
    "__dataframe__": Interchange,
}


@pytest.mark.parametrize("library", OTHER_LIBRARIES)
def test_tables_of_other_libraries_hold_the_same_as_pandas(library):
    frame = pd.DataFrame(
        {
            "number": [1.5, None, 3.0],
            "text": ["a", None, "b"],
            "category": pd.Categorical(["q", "p", "q"]),
            "flag": [True, False, True],
            "date": pd.to_datetime(["2011-01-02", None, "2011-01-03"]),
        }
    )
    expected, read = (to_columns(read_frame(table)) for table in (frame, OTHER_LIBRARIES[library](frame)))
    assert list(read) == list(expected)
    for name, column in expected.items():
        assert read[name].family() == column.family()
        same = dates if name == "date" else held
        assert same(read[name]) == same(column)


@pytest.mark.parametrize(
    "model",
    [
        ForestRegressor(2, oob_score=False, random_state=0),
        BoostingRegressor(max_iter=2, random_state=0),
        TabularRegressor(epochs=1, random_state=0),
        DotProductBias(epochs=1, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_fit_and_predict_read_a_stream_once(model):
    frame = pd.DataFrame({"user": [1, 2, 3, 1] * 5, "item": ["a", "b"] * 10})
    y = np.arange(20.0)
    expected = model.fit(frame, y).predict(frame)
    train, new = Stream(frame), Stream(frame)
    np.testing.assert_array_equal(model.fit(train, y).predict(new), expected)
    assert (train.reads, new.reads) == (1, 1)


@pytest.mark.parametrize("series", [pl.Series([1, 2]), pa.chunked_array([[1, 2]])], ids=["polars", "arrow"])
def test_a_series_is_not_a_table(series):
    with pytest.raises(ValueError, match="Expected a 2-dimensional container.*Pass a table of one column"):
        read_frame(series)


def test_reading_a_table_leaves_it_as_it_was():
    frame = pd.DataFrame({"a": pd.Series([1, "x", None], dtype=object), "b": pd.Categorical(["p", None, "q"])})
    before = frame.copy(deep=True)
    for read in to_columns(read_frame(frame)).values():
        _ = read.values
        read.as_labels()
    assert_frame_equal(frame, before)
