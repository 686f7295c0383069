"""`shrink_dtypes`: smaller dtypes, equal values and an unchanged input frame."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabrec.preprocess.shrink_dtypes import shrink_dtypes


def shrunk(values, dtype=None, **kwargs):
    return shrink_dtypes(pd.DataFrame({"x": pd.Series(values, dtype=dtype)}), **kwargs)["x"]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([-128, 127], "int64", "int8"),
        ([-129, 127], "int64", "int16"),
        ([0, 200], "int64", "int16"),
        ([0, 2**31 - 1], "int64", "int32"),
        ([0, 2**31], "int64", "int64"),
        ([0, 255], "uint64", "uint8"),
        ([0, 2**64 - 1], "uint64", "uint64"),
        ([5, None], "Int64", "Int8"),
        ([None, None], "Int64", "Int8"),
        ([300, None], "UInt32", "UInt16"),
        ([1.5, None], "Float64", "Float32"),
        ([300], "int64[pyarrow]", "int16[pyarrow]"),
        ([0.5], "double[pyarrow]", "float[pyarrow]"),
    ],
)
def test_numbers_take_the_smallest_type_of_their_family(values, dtype, expected):
    result = shrunk(values, dtype)
    assert str(result.dtype) == expected
    assert result.dropna().tolist() == [value for value in values if value is not None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 1e6, np.nan], "float32"),
        ([np.nan, np.nan], "float32"),
        ([1.5, np.inf], "float32"),
        ([1.0, 2.0**24], "float32"),
        ([1.0, 2.0**24 + 1], "float64"),  # whole numbers: an id must stay exact
        ([1e300, 0.5], "float64"),  # beyond float32
        ([1e-60, 0.5], "float64"),  # would become 0
        ([48.8566001, 48.8566002], "float64"),  # coordinates a hair apart
        ([1.7e9 + 0.25, 1.7e9 + 1], "float64"),  # seconds since 1970
    ],
)
def test_floats_shrink_only_where_nothing_that_matters_is_lost(values, expected):
    result = shrunk(values)
    assert result.dtype == expected
    np.testing.assert_allclose(result.astype("float64"), values, rtol=1e-6)


def test_floats_false_leaves_floats_alone_and_smaller_floats_are_never_widened():
    assert shrunk([0.5], floats=False).dtype == "float64"
    assert shrunk([0.5], "float16").dtype == "float16"
    assert shrunk([1.7e9], "float32").dtype == "float32"


def test_text_becomes_category_when_labels_repeat():
    assert shrunk(["a", "b", "a", "b"]).dtype == "category"
    assert shrunk(["a", None, "a", None], object).dtype == "category"
    assert shrunk(["a", "b", "a", "b"], "string").dtype == "category"


def test_text_stays_text_when_labels_are_mostly_unique_or_on_request():
    assert shrunk(["a", "b", "c", "a"]).dtype != "category"
    assert shrunk(["a", "b", "c", "a"], max_share=1.0).dtype == "category"
    assert shrunk(["a", "a", "a", "a"], objects_to_category=False).dtype != "category"
    assert shrunk(["a", "a"], max_share=0.0).dtype != "category"


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([True, False]),
        pd.Series([True, None], dtype="boolean"),
        pd.Series(pd.to_datetime(["2011-01-01", None])),
        pd.Series(pd.to_datetime(["2011-01-01", None], utc=True)),
        pd.Series(pd.to_timedelta(["1D", None])),
        pd.Series(["a", "a"], dtype="category"),
        pd.Series([datetime.date(2011, 1, 1)] * 2, dtype=object),
        pd.Series([decimal.Decimal("1.5")] * 2, dtype=object),
        pd.Series([True, None], dtype=object),
        pd.Series(["a", 1], dtype=object),
        pd.Series([["a"], ["a"]], dtype=object),
        pd.Series([None, None], dtype=object),
    ],
    ids=lambda column: f"{column.dtype}-{type(column[0]).__name__}",
)
def test_everything_else_stays_as_it_is(column):
    pd.testing.assert_series_equal(shrink_dtypes(column.to_frame("x"))["x"], column.rename("x"))


def test_index_order_and_names_are_kept():
    df = pd.DataFrame({"b": [1, 2], "a": ["x", "x"]}, index=[7, 3])
    result = shrink_dtypes(df)
    assert result.columns.tolist() == ["b", "a"]
    assert result.index.tolist() == [7, 3]


def test_the_callers_frame_is_untouched_even_when_the_result_is_written_to():
    df = pd.DataFrame({"small": np.array([1, 2], "int8"), "big": [1, 2], "flag": [True, False]})
    before = df.copy()
    result = shrink_dtypes(df)
    result.loc[0, ["small", "big"]] = 9
    result.loc[0, "flag"] = False
    pd.testing.assert_frame_equal(df, before)


@pytest.mark.parametrize("convert", [pl.from_pandas, pa.Table.from_pandas])
def test_polars_and_arrow_give_the_same_frame_as_pandas(convert):
    df = pd.DataFrame({"n": [1, 300], "f": [0.5, None], "s": ["a", "a"], "b": [True, False]})
    expected = shrink_dtypes(df)
    result = shrink_dtypes(convert(df))
    assert result.dtypes.astype(str).tolist() == expected.dtypes.astype(str).tolist()
    assert result["n"].dtype == "int16"
    assert result.astype(object).equals(expected.astype(object))


def test_memory_falls_on_an_ordinary_table():
    rng = np.random.default_rng(0)
    df = pd.DataFrame(
        {
            "year": rng.integers(1990, 2012, 1000),
            "price": rng.normal(30_000, 9_000, 1000),
            "state": rng.choice(["Ohio", "Texas"], 1000),
        }
    )
    used = shrink_dtypes(df).memory_usage(index=False, deep=True)
    assert used["year"] == 2000
    assert used["price"] == 4000
    assert used["state"] < 1500


@pytest.mark.parametrize("max_share", [-0.1, 1.5, "half", None, float("nan")])
def test_max_share_out_of_range_is_refused_by_value(max_share):
    with pytest.raises(ValueError, match=r"'max_share' .*in the range"):
        shrink_dtypes(pd.DataFrame({"x": [1]}), max_share=max_share)


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="no rows"):
        shrink_dtypes(pd.DataFrame({"x": []}))
    with pytest.raises(ValueError, match="unique"):
        shrink_dtypes(pd.DataFrame([[1, 2]], columns=["x", "x"]))


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), min_size=1))
def test_integers_keep_every_value_and_no_smaller_type_would(values):
    result = shrunk(values, "Int64")
    assert [None if pd.isna(value) else int(value) for value in result] == values
    bits = 8 * result.dtype.itemsize
    if bits > 8:
        present = [value for value in values if value is not None]
        assert min(present) < -(2 ** (bits // 2 - 1)) or max(present) >= 2 ** (bits // 2 - 1)


@given(st.lists(st.floats(), min_size=1))
def test_floats_stay_within_a_relative_millionth(values):
    np.testing.assert_allclose(shrunk(values).astype("float64"), values, rtol=1e-6)


@given(st.lists(st.text() | st.none(), min_size=1))
def test_text_keeps_every_value(values):
    result = shrunk(values, object)
    assert [None if pd.isna(value) else value for value in result] == values


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1), st.integers(0, 3))
def test_shrinking_twice_changes_nothing_more(values, digits):
    df = pd.DataFrame({"n": values, "f": np.round(np.array(values) / 7, digits), "s": list(map(str, values))})
    once = shrink_dtypes(df)
    pd.testing.assert_frame_equal(shrink_dtypes(once), once)
