"""Interaction values: the definition over all coalitions, their sums, shap's own, and pairs that are known."""

import io
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from tabrec import ForestClassifier, ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import shap_interactions, shap_values
from tests.interpret.attribution.test_shapley import expectation, make_rows


def by_definition(tree, values, row):
    """Half of the Shapley interaction index of each pair, over all coalitions of the other columns."""
    n = len(row)
    found = np.zeros((n, n))
    for i, j in combinations(range(n), 2):
        others = [k for k in range(n) if k not in (i, j)]
        for size in range(n - 1):
            share = factorial(size) * factorial(n - size - 2) / (2 * factorial(n - 1))
            for known in map(set, combinations(others, size)):
                both, neither = (expectation(tree, values, row, known | more) for more in ({i, j}, set()))
                single = sum(expectation(tree, values, row, known | {one}) for one in (i, j))
                found[i, j] += share * (both + neither - single)
    return found + found.T


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("max_depth", [1, 3, None])
def test_they_are_the_definition_over_all_coalitions(max_depth, gaps):
    X, y = make_rows(60, gaps=gaps)
    forest = RandomForestRegressor(n_estimators=3, max_depth=max_depth, random_state=0).fit(X, y)
    found, shap = shap_interactions(forest, X[:4]), shap_values(forest, X[:4])
    trees = [member.tree_ for member in forest.estimators_]
    for row in range(4):
        wanted = np.mean([by_definition(tree, tree.value[:, 0, 0], X[row]) for tree in trees], axis=0)
        wanted[np.diag_indices(4)] = shap.contributions[row] - wanted.sum(axis=1)
        np.testing.assert_allclose(found.interactions[row], wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("forest", [RandomForestRegressor, RandomForestClassifier])
def test_equals_shap(oracle, forest):
    shap = oracle("shap")
    X, y = make_rows(150)
    y = y > 0 if forest is RandomForestClassifier else y
    model = forest(n_estimators=5, random_state=0).fit(X, y)
    wanted = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent").shap_interaction_values(X[:10])
    wanted = wanted[..., 1] if np.ndim(wanted) == 4 else wanted
    np.testing.assert_allclose(shap_interactions(model, X[:10]).interactions, wanted, atol=1e-6)


def test_rows_of_the_matrix_add_up_to_shap_values_of_raw_columns_too():
    auctions = make_auctions(300, random_state=0)[["YearMade", "ProductSize", "saledate", "Enclosure", "SalePrice"]]
    price = auctions.pop("SalePrice")
    forest = ForestRegressor(10, random_state=0).fit(auctions, price)
    found, shap = shap_interactions(forest, auctions.head(12)), shap_values(forest, auctions.head(12))
    np.testing.assert_allclose(found.interactions.sum(axis=2), shap.contributions, rtol=0, atol=1e-6)
    raw = found.by_source()
    assert raw.columns == list(dict.fromkeys(shap.sources.values()))
    np.testing.assert_allclose(raw.interactions.sum(axis=2), shap.by_source().contributions, rtol=0, atol=1e-6)
    np.testing.assert_allclose(raw.bias + raw.interactions.sum(axis=(1, 2)), forest.predict(auctions.head(12)))
    np.testing.assert_allclose(raw.interactions, raw.interactions.transpose(0, 2, 1), atol=1e-9)
    assert raw.by_source() is raw


def test_an_interaction_is_what_both_columns_add_together():
    X = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)] * 4, dtype=float)
    tree = DecisionTreeRegressor().fit(X, 3 * X[:, 0] * X[:, 1] + 2 * X[:, 2])
    found = shap_interactions(tree, X)
    # 3 a b = 0.75 + 1.5 (a - 0.5) + 1.5 (b - 0.5) + 3 (a - 0.5) (b - 0.5)
    both = 3 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5)
    np.testing.assert_allclose(2 * found.interactions[:, 0, 1], both, atol=1e-12)
    np.testing.assert_allclose(found.interactions[:, 2, :2], 0, atol=1e-12)
    np.testing.assert_allclose(found.interactions[:, 2, 2], 2 * (X[:, 2] - 0.5), atol=1e-12)
    assert found.table.iloc[0].tolist() == ["x0", "x1", pytest.approx(0.75), pytest.approx(0, abs=1e-12)]


def test_columns_that_only_add_up_have_smaller_interactions():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.uniform(-1, 1, (600, 4)), columns=list("abcd"))
    forest = ForestRegressor(30, random_state=0).fit(X, 3 * X["a"] * X["b"] + X["c"] + X["d"])
    sizes = shap_interactions(forest, X.head(60)).table.set_index(["column", "other"])["mean_absolute"]
    assert sizes.index[0] == ("a", "b")
    assert sizes["c", "d"] < 0.65 * sizes["a", "b"]  # trees add them up in steps


def test_a_class_is_chosen_as_elsewhere():
    X, y = make_rows(100)
    forest = ForestClassifier(10, random_state=0).fit(X, np.where(y > 0, "yes", "no"))
    yes, no = shap_interactions(forest, X[:5]), shap_interactions(forest, X[:5], output="no")
    assert (yes.output, no.output) == ("yes", "no")
    np.testing.assert_allclose(yes.interactions, -no.interactions, atol=1e-12)
    several = ForestClassifier(10, random_state=0).fit(X, np.digitize(y, [-1, 1]))
    with pytest.raises(ValueError, match="output must be one of"):
        shap_interactions(several, X[:5])
    with pytest.raises(ValueError, match="output=7 must be one of"):
        shap_interactions(several, X[:5], output=7)


def test_trees_without_pairs_have_none():
    X, y = make_rows(50)
    assert not shap_interactions(DecisionTreeRegressor(max_depth=1).fit(X, y), X).table["mean_absolute"].any()
    constant = shap_interactions(DecisionTreeRegressor().fit(X, np.ones(50)), X)
    assert not constant.interactions.any()
    one = shap_interactions(DecisionTreeRegressor().fit(X[:, :1], y), X[:, :1])
    assert one.table.empty
    np.testing.assert_allclose(one.interactions[:, 0, 0], one.prediction - one.bias)


def test_other_models_are_refused():
    X, y = make_rows(30)
    with pytest.raises(TypeError, match="LinearRegression"):
        shap_interactions(LinearRegression().fit(X, y), X)


def test_plots_say_what_they_show():
    X = pd.DataFrame(make_rows(120)[0], columns=list("abcd")).assign(kind=np.array(["p$", "q", "r"] * 40))
    forest = ForestRegressor(5, random_state=0).fit(X, X["a"] * X["b"])
    found = shap_interactions(forest, X)
    bars = found.plot(n_largest=3)
    assert bars.get_yticklabels()[0].get_text() == "a × b"
    assert "7 more pairs are not shown" in bars.get_xlabel()
    for pair in (("a", "b"), ("a", "kind"), ("kind", "a")):
        ax = found.plot_pair(*pair)
        assert f"interaction with {pair[1]}" in ax.get_ylabel() + ax.get_xlabel()
        ax.figure.savefig(io.BytesIO(), format="svg")
    with pytest.raises(ValueError, match="'z' must be one of the columns"):
        found.plot_pair("a", "z")
    with pytest.raises(ValueError, match="must differ"):
        found.plot_pair("a", "a")
