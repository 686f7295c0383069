"""Forests of targets of any scale and offset."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabrec import ForestRegressor
from tabrec.trees.target_units import choose_units

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.normal(size=80), "b": RNG.random(80)})
Y = np.round(64 * (X["a"] + X["b"] ** 2)).to_numpy()
WEIGHTS = np.arange(80) % 3 / 2
FAST = {"n_estimators": 4, "oob_score": False, "random_state": 0}


def grow(y, **options):
    return ForestRegressor(**(FAST | options)).fit(X, y)


@pytest.mark.parametrize(("scale", "offset"), [(2.0**-40, 0.0), (1.0, 1e9), (2.0**400, 0.0), (2.0**-30, 1.0)])
def test_trees_of_any_target_are_in_its_units(scale, offset):
    options = {"min_impurity_decrease": 2.0, "ccp_alpha": 1.0}
    scaled = {name: value * scale**2 for name, value in options.items()}
    plain, forest = grow(Y, **options), grow(scale * Y + offset, **scaled)
    for wanted, tree in zip(plain.estimators_, forest.estimators_, strict=True):
        np.testing.assert_array_equal(tree.tree_.threshold, wanted.tree_.threshold)
        np.testing.assert_allclose(tree.tree_.impurity / scale**2, wanted.tree_.impurity, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose((tree.tree_.value - offset) / scale, wanted.tree_.value, rtol=1e-6, atol=1e-6)
        assert tree.ccp_alpha == scaled["ccp_alpha"]
    assert forest.get_params()["min_impurity_decrease"] == scaled["min_impurity_decrease"]


@pytest.mark.parametrize("criterion", ["squared_error", "friedman_mse", "absolute_error", "poisson"])
def test_scale_does_not_change_what_a_criterion_finds(criterion):
    y = Y - Y.min()
    plain, forest = grow(y, criterion=criterion), grow(2.0**-40 * y, criterion=criterion)
    np.testing.assert_allclose(2.0**40 * forest.predict(X), plain.predict(X))


def test_each_output_has_its_own_offset_and_weights_count():
    y = np.column_stack([Y, Y[::-1]])
    moved = y + np.array([1e9, -(2.0**40)])
    moved[WEIGHTS == 0] = 0.0
    plain, forest = (ForestRegressor(**FAST).fit(X, target, WEIGHTS) for target in (y, moved))
    np.testing.assert_allclose(forest.predict(X) - [1e9, -(2.0**40)], plain.predict(X), atol=1e-3)


def test_out_of_bag_predictions_and_added_trees_are_in_the_units_of_the_target():
    y = Y / 2**40
    forest = grow(y, n_estimators=20, oob_score=True)
    assert forest.oob_score_ > 0.5
    added = grow(y, n_estimators=10, warm_start=True).set_params(n_estimators=20).fit(X, y)
    np.testing.assert_array_equal(added.predict(X), forest.predict(X))


@pytest.mark.parametrize("y", [Y, 1e4 + Y, np.exp(Y / 20), np.eye(80)[0], np.full(80, 1e9)], ids=range(5))
def test_ordinary_targets_grow_as_they_are(y):
    assert choose_units(y, None, "squared_error") is None


@given(st.integers(-60, 60), st.integers(-(2**40), 2**40), st.integers(-40, 40), st.integers(-(2**45), 2**45))
def test_units_of_columns_and_target_do_not_matter(column_scale, column_offset, target_scale, target_offset):
    options = {"n_estimators": 1, "bootstrap": False, "max_features": 1.0, "max_leaf_nodes": 4}
    whole = X.round(2).mul(100).round()
    moved = whole.assign(a=np.ldexp(whole["a"] + column_offset, column_scale))
    y = np.ldexp(Y + target_offset, target_scale)
    plain = ForestRegressor(**(FAST | options)).fit(whole, Y).predict(whole)
    predicted = ForestRegressor(**(FAST | options)).fit(moved, y).predict(moved)
    np.testing.assert_allclose(np.ldexp(predicted, -target_scale) - target_offset, plain, rtol=0, atol=0.02)
