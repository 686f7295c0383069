"""`FillMissing`: fill values, missing-value flags and invalid input."""

import warnings
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tabrec import FillMissing
from tabrec.tables.numbers import UniformSample


def table(values, dtype=None):
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


GAPPY = table([10.0, None, 30.0, 80.0, 10.0])


@pytest.mark.parametrize(
    ("params", "filling"),
    [
        ({}, 20.0),
        ({"strategy": "most_frequent"}, 10.0),
        ({"strategy": "constant", "fill_value": -1}, -1.0),
        ({"strategy": "constant"}, 0.0),
    ],
)
def test_the_strategy_decides_the_filling(params, filling):
    out = FillMissing(**params).fit_transform(GAPPY)
    assert out["x"].tolist() == [10.0, filling, 30.0, 80.0, 10.0]
    assert out["x"].dtype == np.float32
    assert out["x_na"].tolist() == [False, True, False, False, False]
    assert out["x_na"].dtype == bool


def test_ties_between_most_frequent_values_go_to_the_smallest():
    assert FillMissing("most_frequent").fit(table([3.0, 1.0, None])).fill_values_ == {"x": 1.0}


def test_only_columns_with_gaps_in_fit_are_marked_after_all_others():
    frame = pd.DataFrame({"a": [1.0, None], "b": [1, 2], "c": [None, 4.0], "d": ["p", None]})
    fitted = FillMissing().fit(frame)
    assert fitted.indicators_ == ["a", "c"]
    assert fitted.transform(frame).columns.tolist() == ["a", "b", "c", "d", "a_na", "c_na"]
    assert FillMissing(add_indicator=False).fit_transform(frame).columns.tolist() == ["a", "b", "c", "d"]


def test_columns_of_other_kinds_pass_through():
    frame = pd.DataFrame({"t": ["p", None], "d": pd.to_datetime([None, "2011-01-01"]), "f": [True, False]})
    assert_frame_equal(FillMissing().fit_transform(frame), frame)


def test_a_gap_that_shows_up_after_fit_is_filled_and_named_once():
    fitted = FillMissing().fit(table([1.0, 3.0]))
    with pytest.warns(UserWarning, match="Column 'x' had no missing values in fit but has some now; .* filled with 2,"):
        assert fitted.transform(table([None, 5.0]))["x"].tolist() == [2.0, 5.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted.transform(table([None, 5.0])).columns.tolist() == ["x"]


def test_gaps_of_several_columns_are_named_in_one_warning():
    frame = pd.DataFrame({"x": [1.0, 3.0], "y": [4.0, 4.0]})
    with pytest.warns(UserWarning, match=r"Columns 'x' \(2\), 'y' \(4\) had no missing values in fit but") as caught:
        FillMissing().fit(frame).transform(pd.DataFrame({"x": [None, 1.0], "y": [None, 1.0]}, dtype=float))
    assert len(caught) == 1


@pytest.mark.parametrize("dtype", ["float32", "Int64", "Float64", "int64[pyarrow]", object, "category"])
def test_every_type_of_numbers_means_the_same_after_fit(dtype):
    fitted = FillMissing().fit(GAPPY)
    out = fitted.transform(table([10, None, 30], dtype))
    assert out["x"].tolist() == [10.0, 20.0, 30.0]
    assert out["x_na"].tolist() == [False, True, False]


def test_decimals_booleans_and_durations_are_numbers():
    frame = pd.DataFrame({"x": [Decimal("1.5"), None], "y": [True, False], "z": pd.to_timedelta(["1D", None])})
    out = FillMissing(columns=["x", "y", "z"]).fit_transform(frame)
    assert out[["x", "y", "z"]].to_numpy().tolist() == [[1.5, 1.0, 86400.0], [1.5, 0.0, 86400.0]]


def test_a_column_that_was_missing_throughout_is_filled_with_the_fill_value():
    fitted = FillMissing(fill_value=7).fit(table([np.nan, np.nan]))
    out = fitted.transform(table([np.nan, 3.0]))
    assert out["x"].tolist() == [7.0, 3.0]
    assert out["x_na"].tolist() == [True, False]


@pytest.mark.parametrize("nothing", [[None, None], pd.to_datetime([None, None]), pd.array([None, None], dtype="Int64")])
def test_a_column_without_values_may_have_any_type_after_fit(nothing):
    assert FillMissing().fit(GAPPY).transform(table(nothing))["x"].tolist() == [20.0, 20.0]


@pytest.mark.parametrize(
    ("later", "message"),
    [
        (["1", "2", "unknown"], "Column 'x' must hold numbers, as in fit, but holds 'unknown'"),
        (["many"], r"Column 'x' must hold numbers, as in fit, but holds 'many' \(str\); use NaN"),
        (pd.Categorical(["many"]), "must hold numbers, as in fit, but holds 'many'"),
        (pd.to_datetime(["2011-01-01"]), "Column 'x' must hold numbers, as in fit, but holds dates such as 2011-01-01"),
        ([np.inf], "Column 'x' holds inf in row 0"),
        (pd.Categorical([np.inf]), "Column 'x' holds inf in row 0"),
        ([1e300], r"Column 'x' holds 1e\+300, too large for float32"),
    ],
)
def test_what_is_no_number_or_too_large_a_one_is_refused_by_name_and_value(later, message):
    with pytest.raises(ValueError, match=message):
        FillMissing().fit(GAPPY).transform(table(later))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strategy": "mean"}, "'strategy' .*Got 'mean'"),
        ({"fill_value": np.nan}, "'fill_value' .*Got nan"),
        ({"fill_value": "0"}, "'fill_value' .*Got '0'"),
        ({"columns": ["y"]}, r"columns names \['y'\]"),
    ],
)
def test_parameters_out_of_range_are_refused_by_value(params, message):
    with pytest.raises(ValueError, match=message):
        FillMissing(**params).fit(GAPPY)


def test_an_indicator_whose_name_is_taken_is_refused():
    with pytest.raises(ValueError, match=r"names of the indicators \['x_na'\]; rename them, or pass add_indicator"):
        FillMissing().fit(GAPPY.assign(x_na=True))


def test_chunks_may_begin_with_gaps_only():
    chunked = FillMissing().partial_fit(table([np.nan, np.nan]))
    assert chunked.fill_values_ == {"x": 0.0}
    chunked.partial_fit(table([1.0, 5.0])).partial_fit(table([3]))
    assert chunked.fill_values_ == {"x": 3.0}
    assert chunked.indicators_ == ["x"]


NUMBER = st.none() | st.floats(-1e6, 1e6, allow_nan=False, width=32)


@given(
    st.lists(NUMBER, min_size=1, max_size=60),
    st.lists(st.integers(1, 60)),
    st.sampled_from(["median", "most_frequent"]),
)
def test_chunks_of_any_size_teach_the_same_as_the_whole(values, cuts, strategy):
    whole = FillMissing(strategy).fit(table(values, "float64"))
    chunked = FillMissing(strategy)
    bounds = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    for start, stop in pairwise(bounds):
        chunked.partial_fit(table(values[start:stop], "float64"))
    assert chunked.fill_values_ == whole.fill_values_
    assert chunked.indicators_ == whole.indicators_
    if strategy == "median" and any(value is not None for value in values):
        assert whole.fill_values_["x"] == np.nanmedian(np.array(values, dtype=float))


@given(st.lists(NUMBER, min_size=1, max_size=80))
def test_each_row_is_itself_or_the_filling_alone_and_in_polars_too(values):
    frame = table(values, "float64")
    fitted = FillMissing().fit(frame)
    out = fitted.transform(frame)
    filling = np.float32(fitted.fill_values_["x"])
    assert out["x"].tolist() == [filling if value is None else value for value in values]
    assert_frame_equal(pd.concat([fitted.transform(frame.iloc[[row]]) for row in range(len(values))]), out)
    assert_frame_equal(fitted.transform(pl.DataFrame({"x": values}, schema={"x": pl.Float64})), out)


def test_a_sample_is_the_same_however_its_values_are_cut_into_chunks():
    values = np.arange(5000.0)
    whole, chunked = UniformSample(3, size=500), UniformSample(3, size=500)
    whole.add(values)
    for chunk in np.array_split(values, [1, 7, 1200, 1201]):
        chunked.add(chunk)
    assert sorted(chunked.values) == sorted(whole.values)
    assert len(whole.values) == 500
    assert not whole.is_complete
    assert np.median(whole.values) == pytest.approx(2500, abs=5000 * 1.6 / np.sqrt(500))


@pytest.mark.real_data("house-prices/train.csv")
def test_the_gaps_of_the_houses_get_pandas_medians(data_dir):
    houses = pd.read_csv(data_dir / "house-prices/train.csv").select_dtypes("number")
    fitted = FillMissing().fit(houses)
    assert fitted.fill_values_ == houses.median().to_dict()
    assert fitted.indicators_ == ["LotFrontage", "MasVnrArea", "GarageYrBlt"]
    out = fitted.transform(houses)
    assert not out.isna().any().any()
    for name in fitted.indicators_:
        gap = houses[name].isna()
        assert out[f"{name}_na"].equals(gap)
        assert (out[name][~gap] == houses[name][~gap]).all()


def test_long_ids_stay_distinct_alone_and_in_chunks():
    ids = pd.DataFrame({"id": 3_000_000_000 + np.arange(6), "hours": np.arange(6) / 2})
    fitted = FillMissing().fit(ids)
    assert fitted.float64_columns_ == ["id"]
    assert fitted.transform(ids)["id"].tolist() == ids["id"].tolist()
    assert fitted.transform(ids).dtypes.tolist() == [np.float64, np.float32]
    assert fitted.transform(ids[:1].assign(id=7))["id"].dtype == np.float64
    chunks = FillMissing().partial_fit(ids.assign(id=range(6))).partial_fit(ids).partial_fit(ids.assign(id=range(6)))
    assert chunks.float64_columns_ == ["id"]


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64", object])
def test_ids_beyond_float64_are_named(dtype):
    ids = pd.Series(10**18 + np.arange(4), dtype=dtype)
    if dtype in ("Int64", object):
        ids[1] = pd.NA
    with pytest.warns(UserWarning, match=r"Column 'id' holds whole numbers beyond 2\*\*53"):
        FillMissing().fit(pd.DataFrame({"id": ids}))


def test_inverse_transform_makes_missing_again_what_an_indicator_marks():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", "y", "z"], "c": [1.0, 2.0, 3.0]})
    fitted = FillMissing().fit(frame)
    restored = fitted.inverse_transform(fitted.transform(frame))
    pd.testing.assert_frame_equal(restored, frame, check_dtype=False)
    array = FillMissing().fit(frame[["a", "c"]].to_numpy())
    out = array.transform(frame[["a", "c"]].to_numpy())
    assert array.inverse_transform(np.asarray(out))["x0"].isna().tolist() == [False, True, False]
    new = fitted.transform(frame.assign(c=[np.nan, 2.0, 3.0]).assign(a=[1.0, 2.0, 3.0]))
    assert fitted.inverse_transform(new)["c"].tolist() == [2.0, 2.0, 3.0]


def test_medians_of_many_chunks_are_exact_where_values_repeat():
    values = np.random.default_rng(0).integers(0, 3_000, 250_000).astype(float) ** 2
    chunked = FillMissing()
    for start in range(0, 250_000, 50_000):
        chunked.partial_fit(table(values[start : start + 50_000], "float64"))
    assert chunked.fill_values_ == {"x": np.median(values)}
    even = FillMissing().partial_fit(table([1.0, 2.0])).partial_fit(table([4.0, 7.0]))
    assert even.fill_values_ == {"x": 3.0}
