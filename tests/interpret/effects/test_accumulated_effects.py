"""Accumulated local effects: known answers, also for correlated columns, the order of labels, and errors."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError

from tabrec import ForestRegressor
from tabrec.interpret import ale, partial_dependence

FAST = {"n_estimators": 8, "n_jobs": 1, "random_state": 0}


class Known(RegressorMixin, BaseEstimator):
    """A model that predicts by a formula."""

    def __init__(self, formula=None):
        self.formula = formula

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        if hasattr(X, "columns"):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def predict(self, X):
        return self.formula(X)


def known(formula, X):
    return Known(formula).fit(X)


@pytest.fixture(scope="module")
def uniform():
    return np.random.default_rng(0).uniform(-1, 1, size=(2000, 3))


def test_a_linear_model_gives_its_slope_and_averages_zero(uniform):
    effect = ale(known(lambda X: 3 * X[:, 0] - X[:, 1] + 7, uniform), uniform, "x0")
    np.testing.assert_allclose(np.diff(effect.effect[0]) / np.diff(effect.grids[0]), 3)
    middles = (effect.effect[0, 1:] + effect.effect[0, :-1]) / 2
    assert np.average(middles, weights=effect.counts[1:]) == pytest.approx(0, abs=1e-12)
    assert effect.counts[0] == 0
    assert effect.counts.sum() == 2000


def test_an_additive_function_has_no_interaction(uniform):
    effect = ale(known(lambda X: np.exp(X[:, 0]) + X[:, 1] ** 3, uniform), uniform, ("x0", "x1"), n_bins=8)
    np.testing.assert_allclose(effect.effect, 0, atol=1e-12)


def test_a_product_is_its_own_interaction(uniform):
    effect = ale(known(lambda X: X[:, 0] * X[:, 1], uniform), uniform, ("x0", "x1"), n_bins=10)
    first, second = effect.grids
    np.testing.assert_allclose(effect.effect[0], np.outer(first, second), atol=0.05)
    main = ale(known(lambda X: X[:, 0] * X[:, 1], uniform), uniform, "x0", n_bins=10)
    np.testing.assert_allclose(main.effect[0], 0, atol=0.1)


def test_correlated_columns_bias_partial_dependence_alone():
    generator = np.random.default_rng(0)
    x = generator.uniform(size=2000)
    X = np.column_stack([x, x + generator.normal(0, 0.02, 2000)])
    # Where no row is, far from the diagonal, the model predicts nonsense.
    model = known(lambda X: X[:, 0] + 100 * np.maximum(np.abs(X[:, 0] - X[:, 1]) - 0.3, 0), X)
    local = ale(model, X, "x0")
    np.testing.assert_allclose(np.diff(local.effect[0]) / np.diff(local.grids[0]), 1)
    averaged = partial_dependence(model, X, "x0", method="brute")
    slopes = np.diff(averaged.average[0]) / np.diff(averaged.grids[0])
    assert np.abs(slopes - 1).max() > 10


def test_labels_give_their_differences_weighted_by_rows():
    X = pd.DataFrame({"state": ["a"] * 5 + ["b"] * 3 + ["c"] * 2, "age": np.arange(10.0)})
    worth = {"a": 1.0, "b": 5.0, "c": 2.0}
    effect = ale(known(lambda X: X["state"].map(worth).astype(float) + X["age"], X), X, "state")
    by_label = dict(zip(effect.grids[0], effect.effect[0], strict=True))
    mean = (5 * 1 + 3 * 5 + 2 * 2) / 10
    assert by_label == pytest.approx({label: value - mean for label, value in worth.items()})
    assert dict(zip(effect.grids[0], effect.counts, strict=True)) == {"a": 5, "b": 3, "c": 2}


def test_label_and_number_interact_as_made():
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"state": generator.choice(["a", "b"], 2000), "age": generator.uniform(-1, 1, 2000)})
    effect = ale(known(lambda X: (X["state"] == "b") * X["age"], X), X, ("state", "age"), n_bins=10)
    at_b = effect.effect[0, effect.grids[0].tolist().index("b")]
    np.testing.assert_allclose(np.diff(at_b) / np.diff(effect.grids[1]), 0.5, atol=0.12)


def test_columns_that_the_model_ignores_have_no_influence():
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"state": generator.choice(list("abcd"), 300), "age": generator.uniform(0, 1, 300)})
    forest = ForestRegressor(**FAST, oob_score=False).fit(X, (X["state"] == "b") + X["age"])
    expected = ale(forest, X, "state").table
    with_more = X.assign(price=np.where(X["state"].isin(["a", "c"]), 1e6, 0.0), notes=[["a list"]] * 300)
    pd.testing.assert_frame_equal(ale(forest, with_more, "state").table, expected)


@pytest.mark.parametrize("kinds", [["number"], ["flag"], ["label"], ["date"], ["number", "flag"]], ids="+".join)
def test_similar_labels_are_neighbours_by_columns_of_any_kind(kinds):
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 4, 4000)
    level = np.array([0.0, 3.0, 1.0, 2.0])[codes]
    number = level + generator.normal(0, 0.5, 4000)
    others = {
        "number": number,
        "flag": level > generator.uniform(0, 3, 4000),
        "label": np.where(level > generator.uniform(0, 3, 4000), "new", "old"),
        "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(number, "D"),
    }
    X = pd.DataFrame({"state": np.array(list("abcd"))[codes]} | {kind: others[kind] for kind in kinds})
    order = "".join(ale(known(lambda X: np.zeros(len(X)), X), X, "state").grids[0])
    assert order in ("acdb", "bdca")


def test_cells_without_rows_take_the_change_of_their_neighbours():
    pairs = np.array([(i, j) for i in range(8) for j in range(8) if abs(i - j) <= 2], dtype=float)
    effect = ale(known(lambda X: X[:, 0] * X[:, 1], pairs), pairs, ("x0", "x1")).effect[0]
    assert effect.shape == (8, 8)
    np.testing.assert_allclose(np.diff(np.diff(effect, axis=0), axis=1), 1.0)


def test_rows_without_a_value_do_not_take_part():
    X = np.column_stack([np.r_[np.full(50, np.nan), np.linspace(0, 1, 100)], np.ones(150)])
    effect = ale(known(lambda X: 2 * np.nan_to_num(X[:, 0]), X), X, "x0", n_bins=5)
    assert effect.counts.sum() == 100
    np.testing.assert_allclose(np.diff(effect.effect[0]) / np.diff(effect.grids[0]), 2)


def test_raw_frames_dates_and_encoded_columns_of_our_forest():
    generator = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "state": generator.choice(["Ohio", "Texas", "Utah", None], 300),
            "sold": pd.Timestamp("2011-01-01") + pd.to_timedelta(generator.integers(0, 900, 300), "D"),
        }
    )
    y = (X["state"] == "Utah") * 10 + (X["sold"] - X["sold"].min()).dt.days / 100
    forest = ForestRegressor(**FAST).fit(X, y.to_numpy())
    by_state = ale(forest, X, "state")
    assert by_state.grids[0][by_state.effect[0].argmax()] == "Utah"
    assert ale(forest, X, "sold").grids[0].dtype.kind == "M"
    elapsed = ale(forest, X, "soldElapsed")
    assert elapsed.effect.shape == (1, 21)
    assert elapsed.grids[0].dtype.kind == "M"
    assert elapsed.counts.sum() == 300
    pair = ale(forest, X, ("sold", "state"), n_bins=5)
    assert pair.table.columns.tolist() == ["sold", "state", "output", "effect", "count"]
    for effect in (by_state, pair, ale(forest, X, "sold")):
        effect.plot().figure.canvas.draw()


def test_classes_constant_columns_and_one_row(uniform):
    X = uniform.copy()
    X[:, 2] = 1
    model = RandomForestClassifier(**FAST).fit(X, np.digitize(X[:, 0], [-0.3, 0.3]))
    effect = ale(model, X, "x0")
    np.testing.assert_allclose(effect.effect.sum(axis=0), 0, atol=1e-12)
    assert effect.outputs == [0, 1, 2]
    np.testing.assert_allclose(ale(model, X, "x2").effect, 0)
    np.testing.assert_allclose(ale(model, X[:1], "x0").effect, 0)
    np.testing.assert_allclose(ale(model, X, ("x0", "x2"), n_bins=4).effect, 0, atol=1e-12)
    assert ale(model, X, "x0", output=1).outputs == [1]


def test_invalid_arguments_raise(uniform):
    model = RandomForestRegressor(**FAST).fit(uniform, uniform[:, 0])
    with pytest.raises(NotFittedError):
        ale(RandomForestRegressor(), uniform, "x0")
    with pytest.raises(ValueError, match="'n_bins' parameter of ale must be an int in the range .1, inf"):
        ale(model, uniform, "x0", n_bins=0)
    with pytest.raises(ValueError, match="x9"):
        ale(model, uniform, "x9")
    with pytest.raises(ValueError, match="pair"):
        ale(model, uniform, ("x0", "x0"))
