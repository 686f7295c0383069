"""Effects on one scale, with curves of single rows; what a grid leaves out is written on its plot."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from tabrec import ForestRegressor
from tabrec.interpret import partial_dependence

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=300), "b": RNG.normal(size=300), "c": RNG.choice(["u", "v"], 300)})
Y = 3 * X["a"] + X["a"] * X["b"] + (X["c"] == "v")
FOREST = ForestRegressor(10, random_state=0, n_jobs=1).fit(X, Y)


def test_plots_of_given_limits_share_one_scale():
    effects = [partial_dependence(FOREST, X, name, "both") for name in ("a", "b", "c")]
    ends = [effect.limits(centred="mean") for effect in effects]
    limits = min(low for low, _ in ends), max(high for _, high in ends)
    lines = [effect.plot(centred="mean", limits=limits) for effect in effects]
    assert lines[0].get_ylim() == lines[1].get_ylim()
    height = limits[1] - limits[0]
    assert lines[2].get_xlim() == pytest.approx((limits[0] - 0.04 * height, limits[1] + 0.04 * height))
    assert lines[0].get_ylim()[1] == pytest.approx(limits[1] + 0.04 * height)


def test_limits_hold_the_average_and_nine_of_ten_curves():
    effect = partial_dependence(FOREST, X, "a", "both")
    low, high = effect.limits(n_lines=300)
    assert low <= effect.average.min() < effect.average.max() <= high
    inside = (effect.individual[0].min(axis=1) >= low) & (effect.individual[0].max(axis=1) <= high)
    assert 0.88 < inside.mean() < 1
    ends = effect.average.min(), effect.average.max()
    assert partial_dependence(FOREST, X, "a").limits() == pytest.approx(ends)


def test_curves_moved_to_the_mean_are_parallel_where_effects_add_up():
    numbers = X[["a", "b"]]
    additive = LinearRegression().fit(numbers, 2 * X["a"] + X["b"])
    effect = partial_dependence(additive, numbers, "a", "both", n_curves=20)
    lines = effect.plot(centred="mean").get_lines()
    assert len(lines) == 21
    for line in lines:
        np.testing.assert_allclose(line.get_ydata(), effect.average[0], atol=1e-9)
    product = LinearRegression().fit(numbers.assign(ab=X["a"] * X["b"]), Y)
    assert product.coef_[2] == pytest.approx(1, abs=0.1)
    with pytest.raises(ValueError, match="centred='median' must be True, False or 'mean'"):
        effect.plot(centred="median")


@pytest.mark.parametrize("method", ["walk", "brute"])
@pytest.mark.parametrize("weights", [None, np.arange(300) / 100 + 0.5])
def test_kept_curves_are_some_of_all_and_the_average_is_that_of_all_rows(method, weights):
    options = {"kind": "both", "method": method, "sample_weight": weights}
    every, some = (partial_dependence(FOREST, X, "a", **options, n_curves=n) for n in (None, 7))
    np.testing.assert_allclose(some.average, every.average, atol=1e-10)
    kept = np.linspace(0, 299, 7).astype(int)
    np.testing.assert_allclose(some.individual, every.individual[:, kept], atol=1e-10)
    assert partial_dependence(FOREST, X, "a", n_curves=7).individual is None


def test_the_share_of_rows_outside_of_the_grid_is_on_the_plot():
    values = pd.DataFrame({"x": np.arange(1000.0)})
    model = LinearRegression().fit(values, values["x"])
    label = partial_dependence(model, values, "x").plot().get_xlabel()
    assert label == "x\n5% of rows are below, 5% above"
    assert partial_dependence(model, values, "x", percentiles=(0, 1)).plot().get_xlabel() == "x"
    above = partial_dependence(model, values, "x", percentiles=(0, 0.998)).plot().get_xlabel()
    assert above == "x\n0.2% of rows are above"


def test_a_column_that_is_mostly_zero_has_a_grid_over_its_other_values():
    rng = np.random.default_rng(1)
    gain = np.where(rng.random(2000) < 0.92, 0.0, rng.uniform(1_000, 20_000, 2000).round())
    frame = pd.DataFrame({"gain": gain, "z": rng.normal(size=2000)})
    forest = RandomForestRegressor(10, random_state=0).fit(frame, (gain > 10_000) * 1.0)
    effect = partial_dependence(forest, frame, "gain")
    assert effect.grids[0][0] == 0
    assert len(effect.grids[0]) > 40
    assert np.ptp(effect.average) > 0.9  # the 95% quantile of all rows is below the step at 10,000
