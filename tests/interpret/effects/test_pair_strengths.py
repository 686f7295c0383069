"""`interaction_strength`: 0 for sums, the known size of products, for any model and kind of column."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestClassifier

from tabrec import BoostingRegressor, ForestClassifier, ForestRegressor
from tabrec.interpret import interaction_strength, partial_dependence

RNG = np.random.default_rng(0)
X = pd.DataFrame({"a": RNG.uniform(-1, 1, 600), "b": RNG.uniform(-1, 1, 600), "c": RNG.choice(["u", "v"], 600)})


class Formula(RegressorMixin, BaseEstimator):
    """A model whose predictions are a known function of the frame."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y):
        self.feature_names_in_, self.n_features_in_ = np.asarray(X.columns, dtype=object), X.shape[1]
        return self

    def predict(self, X):
        return np.asarray(self.function(X), dtype=float)


def find(function, frame=X, columns=("a", "b", "c"), **options):
    model = Formula(function).fit(frame, np.zeros(len(frame)))
    table = interaction_strength(model, frame, list(columns), max_rows=None, **options).table
    return table.set_index(["column", "other"])


def test_a_sum_of_effects_has_no_interaction():
    table = find(lambda X: np.exp(X["a"]) + X["b"] ** 2 + (X["c"] == "u"))
    assert (table["strength"] == 0).all()
    assert not table["is_strong"].any()


def test_the_strength_of_a_product_is_the_standard_deviation_of_the_product_on_the_grid():
    table = find(lambda X: X["a"] * X["b"], grid_size=15)
    # 1/3 without the grid, which ends at the 5% and 95% quantiles.
    grid = np.quantile(X["a"], np.linspace(0.05, 0.95, 15))
    assert table.loc[("a", "b"), "strength"] == pytest.approx(grid.var(), rel=0.15)
    assert table.loc[("a", "b"), "share"] > 0.95
    assert table["is_strong"].tolist() == [True, False, False]
    assert (table["strength"].iloc[1:] < 0.02).all()


def test_a_label_that_turns_an_effect_interacts_with_its_column():
    table = find(lambda X: np.where(X["c"] == "u", X["a"], -X["a"]) + 3 * X["b"])
    assert table.index[0] == ("a", "c")
    assert table["share"].iloc[0] > 0.95
    assert table["strength"].iloc[0] > 10 * table["strength"].iloc[1]


def test_missing_values_are_a_value_of_their_own():
    frame = X.assign(a=X["a"].where(np.arange(600) % 3 > 0))
    table = find(lambda X: X["a"].isna() * X["b"], frame)
    assert table.index[0] == ("a", "b")
    assert table["is_strong"].iloc[0]


def test_columns_that_determine_each_other_do_not_interact():
    frame = X.assign(b=X["a"])
    assert find(lambda X: X["a"] * X["b"], frame).loc[("a", "b"), "strength"] == 0


def test_rows_of_weight_zero_do_not_count():
    weights = (X["c"] == "u").astype(float).to_numpy()
    model = Formula(lambda X: X["a"] * X["b"] * (X["c"] == "v")).fit(X, np.zeros(600))
    found = interaction_strength(model, X, [("a", "b")], max_rows=None, sample_weight=weights)
    assert found.table["strength"].tolist() == [0]
    assert interaction_strength(model, X, [("a", "b")]).table["strength"][0] > 0.1


@pytest.mark.parametrize("kind", [ForestRegressor, BoostingRegressor])
def test_fitted_models_find_the_planted_pair(kind):
    y = X["a"] * X["b"] + 0.3 * (X["c"] == "u")
    found = interaction_strength(kind(random_state=0).fit(X, y), X, ["a", "b", "c"])
    assert found.table[["column", "other"]].iloc[0].tolist() == ["a", "b"]
    assert found.table["strength"][0] > 5 * found.table["strength"][1]
    assert found.findings[0].text == "The effect of a depends on b."
    assert found.n_rows == 200


def test_classes_are_chosen_by_output_and_combined_otherwise():
    y = np.where(X["a"] * X["b"] > 0.1, "yes", np.where(X["c"] == "u", "no", "maybe"))
    model = ForestClassifier(20, random_state=0).fit(X, y)
    every = interaction_strength(model, X, [("a", "b")])
    each = [interaction_strength(model, X, [("a", "b")], output=name).table["strength"][0] for name in model.classes_]
    assert every.outputs == ["maybe", "no", "yes"]
    assert every.table["strength"][0] == pytest.approx(np.sqrt(np.mean(np.square(each))))
    binary = RandomForestClassifier(10, random_state=0).fit(X[["a", "b"]], y == "yes")
    assert interaction_strength(binary, X, ["a", "b"]).outputs == [True]


def test_standard_errors_are_near_the_spread_over_samples_of_rows():
    model = ForestRegressor(30, random_state=0, n_jobs=1).fit(X, X["a"] * X["b"] + X["a"] * (X["c"] == "u"))
    found = [interaction_strength(model, X, [("a", "b")], max_rows=80, random_state=seed).table for seed in range(20)]
    spread = np.std([table["strength"][0] for table in found], ddof=1)
    assert 0.4 < np.mean([table["std_error"][0] for table in found]) / spread < 2.5
    assert np.isnan(interaction_strength(model, X.head(9), [("a", "b")]).table["std_error"][0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["a"], "from 2 to 40 names"),
        ("ab", "from 2 to 40 names"),
        ([("a", "a")], "pairs of two names"),
        ([("a", "b"), "c"], "pairs of two names"),
        (["a", "z"], "names 'z': pass columns that the model was fitted on, \\['a', 'b', 'c'\\]"),
    ],
)
def test_unusable_columns_raise_before_any_work(columns, message):
    model = Formula(lambda X: 1 / 0).fit(X, np.zeros(600))
    with pytest.raises(ValueError, match=message):
        interaction_strength(model, X, columns)


def test_lines_of_two_columns_are_the_joint_partial_dependence():
    model = ForestRegressor(10, random_state=0, n_jobs=1).fit(X, X["a"] * X["b"])
    effect = partial_dependence(model, X, ("a", "b"), grid_size=(12, 3))
    assert effect.average.shape == (1, 12, 3)
    ax = effect.plot(as_lines=True)
    for line, expected in zip(ax.get_lines(), effect.average[0].T, strict=False):
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert ax.get_legend().get_title().get_text() == "b"
    assert len(ax.get_legend().get_texts()) == 3
    labels = X.assign(c=np.resize(list("pqrst"), 600))
    model = ForestRegressor(10, random_state=0, n_jobs=1).fit(labels, X["a"] * (labels["c"] == "p"))
    legend = partial_dependence(model, labels, ("a", "c"), grid_size=(5, 3)).plot(as_lines=True).get_legend()
    assert legend.get_title().get_text() == "c\n(2 more labels)"
    with pytest.raises(ValueError, match="grid_size=\\(5, 1\\) must be a number of at least 2"):
        partial_dependence(model, labels, ("a", "c"), grid_size=(5, 1))
