"""`FrameReader` and `TargetScaler`: known codes and numbers, also at the limits of floats."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from tabrec.neural import inputs
from tabrec.neural.inputs import FrameReader, TargetScaler, columns_of


def categories(codes, n_codes):
    return pd.Categorical.from_codes(codes, categories=range(n_codes))


def numbers(**columns):
    return pd.DataFrame({name: np.array(values, dtype=np.float32) for name, values in columns.items()})


def mixed():
    return pd.DataFrame(
        {
            "x": np.array([1.0, 3.0], dtype=np.float32),
            "state": categories([2, 0], 3),
            "flag": [True, False],
            "model": categories([1, 4], 5),
        }
    )


def test_codes_and_numbers_are_separated_in_column_order():
    reader = FrameReader(mixed())
    assert reader.category_sizes == {"state": 3, "model": 5}
    assert reader.continuous == ["x", "flag"]
    codes, values = reader.read(columns_of(mixed()))
    assert codes.tolist() == [[2, 1], [0, 4]]
    assert values.tolist() == [[-1.0, 1.0], [1.0, -1.0]]
    assert (codes.dtype, values.dtype) == (torch.int32, torch.float32)


def test_columns_are_found_by_name_and_extra_ones_ignored():
    later = mixed()[["model", "flag", "state", "x"]].assign(other=7.0)
    codes, values = FrameReader(mixed()).read(columns_of(later))
    assert codes.tolist() == [[2, 1], [0, 4]]
    assert values.tolist() == [[-1.0, 1.0], [1.0, -1.0]]


def test_numbers_have_the_mean_0_and_the_population_standard_deviation_1_of_the_training_frame():
    reader = FrameReader(numbers(x=[2, 4, 4, 4, 5, 5, 7, 9]))
    assert (reader.means.tolist(), reader.scales.tolist()) == ([5.0], [2.0])
    assert (reader.means.dtype, reader.scales.dtype) == (np.float32, np.float32)
    assert reader.read(columns_of(numbers(x=[5, 9, 1])))[1].tolist() == [[0.0], [2.0], [-2.0]]


def test_read_does_not_change_the_frame():
    frame = mixed()
    FrameReader(frame).read(columns_of(frame))
    pd.testing.assert_frame_equal(frame, mixed())


def test_booleans_are_read_as_0_and_1():
    reader = FrameReader(pd.DataFrame({"seen": [True, False, False, False]}))
    assert reader.means.tolist() == [0.25]
    assert reader.read(columns_of(pd.DataFrame({"seen": [True, False]})))[1].flatten().tolist() == pytest.approx(
        [0.75 / 0.1875**0.5, -0.25 / 0.1875**0.5], rel=1e-6
    )


def test_codes_that_are_missing_or_beyond_those_of_fit_become_0():
    reader = FrameReader(pd.DataFrame({"state": categories([0, 1, 2], 3)}))
    later = pd.DataFrame({"state": categories([-1, 0, 2, 3, 9], 10)})
    assert reader.read(columns_of(later))[0].tolist() == [[0], [0], [2], [0], [0]]


@pytest.mark.parametrize("n_codes", [127, 128, 129, 300, 40_000])
def test_codes_of_every_width_of_integer_are_read(n_codes):
    reader = FrameReader(pd.DataFrame({"state": categories([0], n_codes)}))
    later = pd.DataFrame({"state": categories([1, n_codes - 1, -1], n_codes)})
    assert reader.read(columns_of(later))[0].tolist() == [[1], [n_codes - 1], [0]]
    wider = pd.DataFrame({"state": categories([n_codes, n_codes + 5], n_codes + 6)})
    assert reader.read(columns_of(wider))[0].tolist() == [[0], [0]]
    narrower = pd.DataFrame({"state": categories([1], 2)})
    assert reader.read(columns_of(narrower))[0].tolist() == [[1]]


def test_a_frame_of_one_kind_gives_a_matrix_without_columns_of_the_other():
    codes, values = FrameReader(numbers(x=[1, 3])).read(columns_of(numbers(x=[1, 3])))
    assert (codes.shape, values.tolist()) == ((2, 0), [[-1.0], [1.0]])
    frame = mixed()[["state"]]
    codes, values = FrameReader(frame).read(columns_of(frame))
    assert (codes.tolist(), values.shape) == ([[2], [0]], (2, 0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_and_infinite_numbers_raise_with_the_column(value):
    bad = numbers(x=[1, 2], y=[value, 4], z=[np.nan, 3])
    with pytest.raises(ValueError, match="missing or infinite numbers in column 'y': add FillMissing to it"):
        FrameReader(bad)
    with pytest.raises(ValueError, match="column 'y'"):
        FrameReader(numbers(x=[1, 2], y=[1, 2], z=[1, 2])).read(columns_of(bad))


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, -1e-20, 16_777_216.0, 3e38])
def test_a_constant_column_becomes_0_and_keeps_its_unit(constant):
    reader = FrameReader(numbers(x=[constant] * 7))
    assert reader.read(columns_of(numbers(x=[constant])))[1].tolist() == [[0.0]]
    assert reader.scales.tolist() == [1.0]


def test_a_spread_within_the_rounding_of_float32_counts_as_constant():
    reader = FrameReader(numbers(x=[16_777_216.0, 16_777_218.0]))
    assert reader.scales.tolist() == [1.0]


@pytest.mark.parametrize("unit", [1e-37, 1e-20, 1e20, 1e38])
def test_tiny_and_huge_columns_are_standardised(unit):
    values = np.array([-2.0, -1.0, 0.0, 3.0]) * unit
    reader = FrameReader(numbers(x=values))
    assert reader.read(columns_of(numbers(x=values)))[1].flatten().tolist() == pytest.approx(
        (np.array([-2.0, -1.0, 0.0, 3.0]) / 3.5**0.5).tolist(), abs=1e-6
    )


@pytest.mark.parametrize("values", [[0.0] * 4 + [1e-45], [-3e38] * 3 + [3e38]])
def test_columns_at_the_ends_of_float32_stay_finite(values):
    frame = numbers(x=values)
    assert np.isfinite(FrameReader(frame).read(columns_of(frame))[1].numpy()).all()


def test_the_mean_of_many_numbers_far_from_0_is_that_of_float64():
    values = np.random.default_rng(0).normal(1000.0, 1.0, size=200_000).astype(np.float32)
    reader = FrameReader(numbers(x=values))
    assert reader.means[0] == pytest.approx(values.mean(dtype=np.float64), rel=1e-7)
    assert reader.scales[0] == pytest.approx(values.std(dtype=np.float64), rel=1e-6)


def test_bin_edges_are_the_quantiles_of_the_numbers_read():
    frame = numbers(x=[0, 1, 2, 3, 4], y=[7, 7, 7, 7, 7], z=[0, 0, 0, 5, 5])
    reader = FrameReader(frame)
    x, y, z = (edges.tolist() for edges in reader.bin_edges(reader.read(columns_of(frame))[1], 2))
    assert x == pytest.approx([-(2**0.5), 0.0, 2**0.5], rel=1e-6)
    assert y == [0.0]
    assert z == pytest.approx([-((2 / 3) ** 0.5), 1.5**0.5], rel=1e-6)


def test_bin_edges_of_many_rows_come_from_rows_spread_over_all(monkeypatch):
    monkeypatch.setattr(inputs, "_MAX_ROWS_FOR_EDGES", 100)
    frame = numbers(x=np.arange(1000))
    reader = FrameReader(frame)
    scaled = reader.read(columns_of(frame))[1]
    edges = reader.bin_edges(scaled, 4)[0] * reader.scales[0] + reader.means[0]
    assert edges == pytest.approx([0, 250, 500, 750, 1000], abs=15)


def column(values):
    return np.array(values, dtype=np.float64)[:, None]


def test_targets_have_mean_0_and_standard_deviation_1_by_output():
    y = np.array(
        [[2.0, 0.0], [4.0, -100.0], [4.0, 0.0], [4.0, -100.0], [5.0, 0.0], [5.0, -100.0], [7.0, 0.0], [9, -100]]
    )
    scaler = TargetScaler(y)
    assert (scaler.means.tolist(), scaler.scales.tolist()) == ([5.0, -50.0], [2.0, 50.0])
    assert scaler.scale(np.array([[9.0, 50.0]])).tolist() == [[2.0, 2.0]]
    assert scaler.restore(np.array([[2.0, 2.0]])).tolist() == [[9.0, 50.0]]


def test_targets_are_scaled_as_by_scikit_learn():
    y = np.random.default_rng(0).normal([3.0, -1e6], [1e-3, 1e4], size=(100, 2))
    assert TargetScaler(y).scale(y) == pytest.approx(StandardScaler().fit_transform(y), abs=1e-8)


def test_quantiles_of_each_output_are_restored_by_its_own_scale():
    scaler = TargetScaler(np.array([[0.0, 100.0], [2.0, 300.0]]))
    scaled = np.array([[[-1.0, 0.0, 1.0], [-1.0, 0.0, 2.0]]])
    assert scaler.restore(scaled).tolist() == [[[0.0, 1.0, 2.0], [100.0, 200.0, 400.0]]]


@pytest.mark.parametrize("unit", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_tiny_and_huge_targets_are_standardised_and_restored(unit):
    y = column([-1.0, 0.0, 1.0, 4.0]) * unit
    scaled = TargetScaler(y).scale(y)
    assert scaled.flatten() == pytest.approx(np.array([-2.0, -1.0, 0.0, 3.0]) / 3.5**0.5, rel=1e-12, abs=1e-12)
    assert TargetScaler(y).restore(scaled) == pytest.approx(y, rel=1e-12, abs=1e-12 * unit)


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, -1e-300, 1e300])
def test_a_constant_target_becomes_0_and_keeps_its_unit(constant):
    scaler = TargetScaler(column([constant] * 7))
    assert scaler.scales.tolist() == [1.0]
    assert scaler.scale(column([constant])).item() == pytest.approx(0.0, abs=1e-15 * max(1.0, abs(constant)))
    assert scaler.restore(column([0.0])).item() == pytest.approx(constant, rel=1e-15)


def test_one_constant_output_does_not_affect_the_others():
    y = np.array([[1.0, 7.0, 1e300], [3.0, 7.0, -1e300]])
    scaler = TargetScaler(y)
    assert scaler.scales.tolist() == [1.0, 1.0, 1e300]
    assert scaler.scale(y).tolist() == [[-1.0, 0.0, 1.0], [1.0, 0.0, -1.0]]


def test_targets_close_together_keep_their_differences():
    y = column(1e9 + np.arange(5.0))
    assert TargetScaler(y).scale(y) == pytest.approx(TargetScaler(y - 1e9).scale(y - 1e9), rel=1e-9)


def test_targets_near_the_greatest_float_stay_finite():
    y = column([1.0e308, 1.7e308])
    scaler = TargetScaler(y)
    assert scaler.scale(y).flatten() == pytest.approx([-1.0, 1.0])
    assert scaler.restore(scaler.scale(y)) == pytest.approx(y)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=50))
def test_restore_undoes_scale(values):
    y = column(values)
    scaler = TargetScaler(y)
    scaled = scaler.scale(y)
    largest = np.abs(y).max()
    assert scaler.restore(scaled) == pytest.approx(y, rel=1e-9, abs=1e-9 * largest)
    assert np.abs(scaled).max() <= max(np.sqrt(len(y)) * (1 + 1e-9), 1e-9 * largest)


def test_numbers_are_clipped_one_standard_deviation_beyond_the_training_frame():
    reader = FrameReader(numbers(x=[2, 4, 4, 4, 5, 5, 7, 9]))  # mean 5, standard deviation 2
    _, values = reader.read(columns_of(numbers(x=[-100, 0.5, 2, 9, 10.5, 1e30])))
    assert values[:, 0].tolist() == [-2.5, -2.25, -1.5, 2.0, 2.75, 3.0]


def test_numbers_that_float32_would_merge_are_standardised_in_float64():
    ids = 3_000_000_000 + np.arange(400.0)
    frame = pd.DataFrame({"id": ids, "stamp": ids * 10_000})
    plain = pd.DataFrame({"id": np.arange(400.0), "stamp": np.arange(400.0)})
    found, wanted = (FrameReader(table).read(columns_of(table))[1] for table in (frame, plain))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
