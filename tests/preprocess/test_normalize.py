"""`Normalize`: known scales, the inverse transform, chunks and invalid input."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from scipy.stats import norm

from tabrec import Normalize


def table(values, dtype=None):
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


def scaled(values, later=None, **params):
    return Normalize(**params).fit(table(values)).transform(table(values if later is None else later))["x"].tolist()


def test_the_mean_becomes_0_and_the_population_standard_deviation_1():
    fitted = Normalize().fit(table([2, 4, 4, 4, 5, 5, 7, 9]))
    assert fitted.means_ == {"x": 5.0}
    assert fitted.stds_ == {"x": 2.0}
    out = fitted.transform(table([5, 9, 1]))["x"]
    assert out.tolist() == [0.0, 2.0, -2.0]
    assert out.dtype == np.float32


def test_missing_numbers_stay_missing_and_are_left_out_of_the_statistics():
    out = scaled([0.0, np.nan, 2.0])
    assert out[0] == -1.0
    assert np.isnan(out[1])
    assert out[2] == 1.0


def test_a_constant_column_becomes_0_and_keeps_its_unit():
    assert scaled([3.0, 3.0], later=[3.0, 5.0]) == [0.0, 2.0]
    assert scaled([0.1] * 7, later=[0.1]) == pytest.approx([0.0], abs=1e-12)
    assert scaled([3.0, 3.0], later=[3.0, 5.0], method="quantile") == [0.0, 0.0]


def test_a_column_that_was_missing_throughout_is_left_as_it_is():
    assert scaled([np.nan, np.nan], later=[4.0]) == [4.0]


def test_large_numbers_close_together_keep_their_differences():
    seconds = 1_300_000_000 + np.arange(5.0)
    assert scaled(seconds) == pytest.approx(scaled(np.arange(5.0)), rel=1e-6)


def test_quantiles_become_those_of_a_normal_distribution():
    values = np.exp(np.random.default_rng(0).normal(size=999))
    out = np.array(scaled(values, method="quantile"))
    ranks = np.argsort(np.argsort(values)) / 998
    middle = (ranks > 0) & (ranks < 1)
    assert out[middle] == pytest.approx(norm.ppf(ranks[middle]), abs=1e-3)
    assert out.min() == pytest.approx(-5.2, abs=0.01)
    assert out.max() == pytest.approx(5.2, abs=0.01)


def test_values_beyond_those_of_fit_get_the_ends_and_ties_the_middle_of_their_ranks():
    out = scaled([0.0, 1.0, 1.0, 1.0, 2.0], later=[-9.0, 0.0, 1.0, 2.0, 9.0], method="quantile", n_quantiles=5)
    assert out[0] == out[1] == -out[3] == -out[4]
    assert out[2] == 0.0


def test_columns_of_other_kinds_pass_through():
    frame = pd.DataFrame({"t": ["p", None], "f": [True, False], "c": pd.Categorical([1, 2]), "x": [1.0, 3.0]})
    out = Normalize().fit_transform(frame)
    assert_frame_equal(out[["t", "f", "c"]], frame[["t", "f", "c"]])
    assert out["x"].tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(
    "dtype", ["int8", "uint64", "float32", "Int64", "Float64", "int64[pyarrow]", object, "category"]
)
def test_every_type_of_numbers_means_the_same_after_fit(dtype):
    fitted = Normalize().fit(table([0, 2, 4]))
    assert fitted.transform(table([2, 4], dtype))["x"].tolist() == pytest.approx([0.0, 1.2247449])


@pytest.mark.parametrize(
    ("later", "message"),
    [
        (["many"], "Column 'x' must hold numbers, as in fit, but holds 'many'"),
        (pd.to_datetime(["2011-01-01"]), "must hold numbers, as in fit, but holds dates"),
        ([-np.inf], "Column 'x' holds -inf in row 0"),
        ([1e300], "Column 'x' holds .* too large for float32"),
    ],
)
def test_what_is_no_number_or_too_large_a_one_is_refused_by_name_and_value(later, message):
    with pytest.raises(ValueError, match=message):
        scaled([1.0, 3.0], later=later)


def test_numbers_whose_squares_overflow_are_refused_in_fit():
    with pytest.raises(ValueError, match=r"Column 'x' holds 1e\+300, too large to normalise"):
        scaled([1e300, 1.0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"method": "minmax"}, "'method' .*Got 'minmax'"),
        ({"n_quantiles": 1}, "'n_quantiles' .*Got 1"),
        ({"n_quantiles": 9.5}, "'n_quantiles' .*Got 9.5"),
        ({"columns": ["y"]}, r"columns names \['y'\]"),
    ],
)
def test_parameters_out_of_range_are_refused_by_value(params, message):
    with pytest.raises(ValueError, match=message):
        scaled([1.0], **params)


def test_inverse_transform_takes_frames_and_arrays_and_returns_other_columns_as_they_are():
    frame = pd.DataFrame({"x": [1.0, 3.0, np.nan], "t": ["a", "b", None]})
    fitted = Normalize().fit(frame)
    assert_frame_equal(fitted.inverse_transform(fitted.transform(frame)), frame)
    array = Normalize().fit(np.array([[1.0], [3.0]]))
    assert array.inverse_transform(np.array([[-1.0], [1.0]]))["x0"].tolist() == [1.0, 3.0]


NUMBERS = st.lists(st.floats(-1e6, 1e6, allow_nan=False, width=32), min_size=1, max_size=80)


@given(NUMBERS, st.lists(st.integers(1, 80)))
@example([0.0, 1e-37], [])
def test_chunks_of_any_size_teach_the_same_as_the_whole(values, cuts):
    whole, chunked = Normalize().fit(table(values)), Normalize()
    bounds = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
    for start, stop in pairwise(bounds):
        chunked.partial_fit(table(values[start:stop]))
    scale = max(map(abs, values))
    too_small = np.sqrt(np.finfo(np.float32).tiny)
    assert chunked.means_["x"] == pytest.approx(whole.means_["x"], rel=1e-12, abs=1e-9 * scale)
    if np.std(values) > max(1e-9 * scale, 2 * too_small):
        assert chunked.stds_["x"] == pytest.approx(whole.stds_["x"], rel=1e-6)
        assert whole.stds_["x"] == pytest.approx(np.std(values), rel=1e-6)
    elif np.std(values) < too_small / 2:
        assert chunked.stds_["x"] == whole.stds_["x"] == 1


@given(NUMBERS, st.sampled_from(["standard", "quantile"]))
def test_the_inverse_restores_the_numbers_and_order_is_kept(values, method):
    fitted = Normalize(method).fit(table(values))
    out = fitted.transform(table(values))
    restored = fitted.inverse_transform(out)["x"].to_numpy()
    spread = max(np.ptp(values), 1e-6 * max(map(abs, values)))
    if method == "standard":
        assert restored == pytest.approx(np.array(values), abs=1e-5 * spread + 1e-12)
    assert (np.diff(out["x"].to_numpy()[np.argsort(values, kind="stable")]) >= -1e-6).all()
    assert fitted.inverse_transform(out)["x"].dtype == np.float64


@pytest.mark.real_data("bulldozers/Train.csv")
def test_the_numbers_of_the_bulldozers_have_mean_0_and_deviation_1(data_dir):
    train = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False).select_dtypes("number")
    train = train.loc[:, train.nunique() > 1]
    out = Normalize().fit_transform(train).astype(np.float64)
    assert out.mean().abs().max() < 1e-4
    assert (out.std(ddof=0) - 1).abs().max() < 1e-4
    assert out.isna().equals(train.isna())


def test_a_spread_too_small_for_float32_is_none():
    normalize = Normalize().fit(pd.DataFrame({"x": [0.0, 1e-44]}))
    assert normalize.stds_["x"] == 1.0
    assert normalize.transform(pd.DataFrame({"x": [1.0]}))["x"].tolist() == [1.0]


def test_close_numbers_far_from_the_others_stay_distinct():
    values = table([*(3_000_000_000 + np.arange(200)), *range(-5000, 0)])
    fitted = Normalize().fit(values)
    assert fitted.float64_columns_ == ["x"]
    assert fitted.transform(values)["x"].nunique() == 5200


def test_numbers_far_from_zero_are_scaled_alike_in_one_part_and_in_two():
    ids = pd.DataFrame({"id": 2**53 + np.random.default_rng(0).permutation(32)})
    whole = Normalize().fit(ids)
    parts = Normalize().partial_fit(ids[:13]).partial_fit(ids[13:])
    np.testing.assert_array_equal(parts.transform(ids), whole.transform(ids))
    assert parts.means_ == whole.means_
    assert whole.transform(ids)["id"].mean() == 0.0
