from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tabrec import Categorify, DateParts, FillMissing, ForestClassifier, ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import contributions, shap_values
from tabrec.interpret.attribution import _shapley_tree
from tabrec.interpret.attribution._shapley_tree import tree_shapley

DEEP = 100


def make_rows(n_rows=120, n_columns=4, seed=0, gaps=False):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(scale=0.3, size=n_rows)
    if gaps:
        X[rng.random(X.shape) < 0.2] = np.nan
    return X, y


def grow_chain(n_columns):
    """A tree of depth DEEP with random values; every split separates one row by the next column."""
    X = np.zeros((DEEP + 1, n_columns))
    for i in range(DEEP + 1):
        X[i:, i % n_columns] = i
    tree = DecisionTreeRegressor(random_state=0).fit(X, 4.0 ** np.arange(DEEP + 1))
    tree.tree_.value[:, 0, 0] = np.random.default_rng(0).normal(size=tree.tree_.node_count)
    return tree, X


def expectation(tree, values, row, known, node=0):
    """Value of a coalition: splits on unknown columns average both branches by training weight."""
    left, right = tree.children_left[node], tree.children_right[node]
    if left < 0:
        return values[node]
    seen = np.float32(row[tree.feature[node]])
    if tree.feature[node] in known:
        goes_left = bool(tree.missing_go_to_left[node]) if np.isnan(seen) else seen <= tree.threshold[node]
        return expectation(tree, values, row, known, left if goes_left else right)
    weight = tree.weighted_n_node_samples
    below = [expectation(tree, values, row, known, child) * weight[child] for child in (left, right)]
    return (below[0] + below[1]) / weight[node]


def brute_force(tree, values, row):
    """The definition of the Shapley value, over all coalitions."""
    n = len(row)
    found = np.zeros((n, *values.shape[1:]))
    for column in range(n):
        others = [other for other in range(n) if other != column]
        for size in range(n):
            share = factorial(size) * factorial(n - size - 1) / factorial(n)
            for known in combinations(others, size):
                with_column = expectation(tree, values, row, {*known, column})
                found[column] += share * (with_column - expectation(tree, values, row, set(known)))
    return found


def assert_adds_up(found, tolerance=1e-9):
    scale = max(np.abs(found.prediction).max(), 1.0)
    total = found.bias + found.contributions.sum(axis=1)
    np.testing.assert_allclose(total, found.prediction, rtol=0, atol=tolerance * scale)


# --- against the definition


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("max_depth", [1, 3, None])
def test_it_is_the_definition_over_all_coalitions(max_depth, gaps):
    X, y = make_rows(60, gaps=gaps)
    forest = RandomForestRegressor(n_estimators=3, max_depth=max_depth, random_state=0).fit(X, y)
    found = shap_values(forest, X[:4])
    trees = [tree.tree_ for tree in forest.estimators_]
    for row, given_row in enumerate(X[:4]):
        wanted = np.mean([brute_force(tree, tree.value[:, 0, 0], given_row) for tree in trees], axis=0)
        np.testing.assert_allclose(found.contributions[row], wanted, rtol=0, atol=1e-12)
    bias = np.mean([expectation(tree, tree.value[:, 0, 0], X[0], set()) for tree in trees])
    np.testing.assert_allclose(found.bias, bias, rtol=1e-12)


def test_it_is_the_definition_with_weights_in_a_classifier():
    X, y = make_rows(60, seed=1)
    labels = np.array(["a", "b", "c"])[np.digitize(y, [-0.5, 0.5])]
    weights = np.random.default_rng(0).random(60)
    tree = DecisionTreeClassifier(random_state=0).fit(X, labels, sample_weight=weights)
    found = shap_values(tree, X[:3])
    shares = tree.tree_.value[:, 0] / tree.tree_.value[:, 0].sum(axis=1, keepdims=True)
    wanted = [brute_force(tree.tree_, shares, row) for row in X[:3]]
    assert found.outputs == ["a", "b", "c"]
    np.testing.assert_allclose(found.contributions, wanted, rtol=0, atol=1e-12)


def test_the_published_example_of_two_features_has_its_known_values():
    """Lundberg et al. (2018), figure 1: fever and cough have value 0 alone and 80 together."""
    X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    both = shap_values(DecisionTreeRegressor(random_state=0).fit(X, [0, 0, 0, 80]), X[3:])
    either = shap_values(DecisionTreeRegressor(random_state=0).fit(X, [0, 10, 0, 90]), X[3:])
    np.testing.assert_allclose(both.bias + both.contributions.sum(), 80)
    np.testing.assert_allclose(both.contributions, [[30, 30]])
    np.testing.assert_allclose(either.contributions, [[30, 35]])


# --- against shap


@pytest.mark.parametrize(
    "forest",
    [
        RandomForestRegressor(n_estimators=10, max_depth=6, random_state=0),
        RandomForestRegressor(n_estimators=10, random_state=0),
        ExtraTreesRegressor(n_estimators=10, max_depth=6, random_state=0),
        DecisionTreeRegressor(max_depth=5, random_state=0),
        RandomForestClassifier(n_estimators=10, max_depth=6, random_state=0),
        ExtraTreesClassifier(n_estimators=10, max_depth=6, random_state=0),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_shap(oracle, forest, weighted):
    shap = oracle("shap")
    X, y = make_rows(300, 6)
    y = np.digitize(y, [-0.5, 0.5]) if "Classifier" in type(forest).__name__ else y
    forest.fit(X, y, sample_weight=np.random.default_rng(1).random(300) if weighted else None)
    wanted = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    found = shap_values(forest, X[:40])
    np.testing.assert_allclose(found.contributions, wanted.shap_values(X[:40]), rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.bias[0], np.squeeze(wanted.expected_value), rtol=0, atol=1e-8)


def test_equals_shap_with_gaps(oracle):
    shap = oracle("shap")
    X, y = make_rows(300, 6, gaps=True)
    forest = RandomForestRegressor(n_estimators=10, max_depth=6, random_state=0).fit(X, y)
    wanted = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent").shap_values(X[:40])
    np.testing.assert_allclose(shap_values(forest, X[:40]).contributions, wanted, rtol=0, atol=1e-8)


# --- properties


@given(
    seed=st.integers(0, 2**16),
    n_rows=st.integers(2, 60),
    n_columns=st.integers(1, 12),
    max_depth=st.sampled_from([1, 3, None]),
    kind=st.sampled_from([RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor]),
)
def test_it_adds_up_for_any_forest(seed, n_rows, n_columns, max_depth, kind):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, rng.integers(2, 50), size=(n_rows, n_columns)).astype(float)
    y = rng.integers(0, 3, size=n_rows) if kind is RandomForestClassifier else rng.normal(scale=100, size=n_rows)
    forest = kind(n_estimators=2, max_depth=max_depth, random_state=0).fit(X, y)
    found = shap_values(forest, X)
    assert_adds_up(found)
    predict = forest.predict_proba if kind is RandomForestClassifier else forest.predict
    np.testing.assert_allclose(found.prediction, predict(X), atol=1e-12)


@pytest.mark.parametrize("n_columns", [1, 3, 40, 200])
def test_it_adds_up_in_trees_deeper_than_90(n_columns):
    tree, X = grow_chain(n_columns)
    assert tree.get_depth() == DEEP
    found = shap_values(tree, X)
    assert np.isfinite(found.contributions).all()
    assert_adds_up(found)


def test_one_column_takes_all_however_often_it_is_tested():
    tree, X = grow_chain(1)
    found = shap_values(tree, X)
    leaves = tree.predict(X)
    np.testing.assert_allclose(found.contributions[:, 0], leaves - leaves.mean(), rtol=0, atol=1e-12)


def test_a_deep_tree_agrees_with_the_definition():
    tree, X = grow_chain(3)
    rows = X[[0, 37, DEEP]]
    wanted = [brute_force(tree.tree_, tree.tree_.value[:, 0, 0], row) for row in rows]
    np.testing.assert_allclose(shap_values(tree, rows).contributions, wanted, rtol=0, atol=1e-12)


def test_a_column_that_no_split_tests_gets_exactly_nothing():
    X, y = make_rows()
    X[:, 3] = 7.0
    assert (
        shap_values(RandomForestRegressor(n_estimators=5, random_state=0).fit(X, y), X).contributions[:, 3] == 0
    ).all()


def test_columns_that_play_the_same_part_get_the_same():
    X = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=float)
    found = shap_values(DecisionTreeRegressor(random_state=0).fit(X, X.sum(axis=1) == 3), X[-1:])
    np.testing.assert_allclose(found.contributions, [[7 / 24] * 3], atol=1e-12)


def test_an_additive_tree_gives_each_column_its_own_effect():
    X = np.array([[a, b] for a in (0, 1) for b in (0, 1)], dtype=float)
    found = shap_values(DecisionTreeRegressor(random_state=0).fit(X, 3 * X[:, 0] + 5 * X[:, 1]), X)
    np.testing.assert_allclose(found.contributions, (X - 0.5) * [3, 5], atol=1e-12)


def test_a_forest_is_the_mean_of_its_trees():
    X, y = make_rows()
    forest = RandomForestRegressor(n_estimators=4, random_state=0).fit(X, y)
    each = [shap_values(tree, X[:5]).contributions for tree in forest.estimators_]
    np.testing.assert_allclose(shap_values(forest, X[:5]).contributions, np.mean(each, axis=0), atol=1e-13)


def test_a_row_alone_gets_what_it_gets_among_others():
    X, y = make_rows(200, 6)
    forest = RandomForestRegressor(n_estimators=4, random_state=0).fit(X, y)
    together = shap_values(forest, X).contributions
    alone = np.concatenate([shap_values(forest, X[i : i + 1]).contributions for i in (0, 77, 199)])
    np.testing.assert_allclose(alone, together[[0, 77, 199]], rtol=0, atol=1e-12)


def test_the_size_of_pieces_and_batches_changes_nothing(monkeypatch):
    X, y = make_rows(200, 6)
    tree = DecisionTreeRegressor(random_state=0).fit(X, y).tree_
    matrix = X.astype(np.float32)
    _, wanted = tree_shapley(tree, tree.value[:, 0], matrix)
    monkeypatch.setattr(_shapley_tree, "_PIECE_NUMBERS", 1)
    monkeypatch.setattr(_shapley_tree, "_MOST_NUMBERS", tree.node_count * 10)
    np.testing.assert_allclose(tree_shapley(tree, tree.value[:, 0], matrix)[1], wanted, rtol=0, atol=1e-13)


def test_threads_change_nothing():
    X, y = make_rows()
    forest = RandomForestRegressor(n_estimators=5, random_state=0).fit(X, y)
    alone = shap_values(forest, X).contributions
    np.testing.assert_array_equal(shap_values(forest.set_params(n_jobs=2), X).contributions, alone)


# --- what comes in and out


def test_contributions_of_several_outputs_are_those_of_each():
    X, y = make_rows()
    targets = np.column_stack([y, -2 * y, X[:, 3]])
    tree = DecisionTreeRegressor(max_depth=4, random_state=0).fit(X, targets)
    found = shap_values(tree, X[:6])
    assert found.contributions.shape == (6, 4, 3)
    np.testing.assert_allclose(found.contributions[:, :, 1], -2 * found.contributions[:, :, 0], atol=1e-12)
    np.testing.assert_allclose(found.prediction, tree.predict(X[:6]))
    assert_adds_up(found)


def test_classes_of_several_outputs_stand_side_by_side():
    X, y = make_rows()
    labels = np.column_stack([np.digitize(y, [0]), np.digitize(y, [-0.5, 0.5])])
    forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(X, labels)
    found = shap_values(forest, X[:6])
    assert found.outputs == [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]
    np.testing.assert_allclose(found.prediction, np.hstack(forest.predict_proba(X[:6])), atol=1e-12)
    assert_adds_up(found)


def test_what_classes_gain_the_others_lose():
    X, y = make_rows(400)
    labels = np.digitize(y, np.quantile(y, np.arange(1, 30) / 30))
    forest = RandomForestClassifier(n_estimators=3, min_samples_leaf=5, random_state=0).fit(X, labels)
    found = shap_values(forest, X[:10])
    assert found.contributions.shape == (10, 4, 30)
    np.testing.assert_allclose(found.contributions.sum(axis=2), 0, atol=1e-12)
    assert_adds_up(found)


@pytest.fixture(scope="module")
def auctions():
    frame = make_auctions(600, random_state=0)
    return frame.drop(columns="SalePrice"), frame["SalePrice"]


@pytest.mark.parametrize("high_cardinality", [None, 3])
def test_raw_frames_are_explained_by_column_and_label(auctions, high_cardinality):
    X, price = auctions
    forest = ForestRegressor(n_estimators=5, random_state=0, high_cardinality=high_cardinality).fit(X, price)
    found = shap_values(forest, X.head(20))
    assert found.method == "shap"
    assert found.columns == list(forest.encoded_names_)
    np.testing.assert_allclose(found.prediction, forest.predict(X.head(20)))
    assert_adds_up(found)
    by_source = found.by_source()
    assert set(by_source.columns) == set(X.columns)
    assert_adds_up(by_source)
    of_size = by_source.values["ProductSize"].astype(object)
    assert of_size.dropna().tolist() == X["ProductSize"].head(20).astype(object).dropna().tolist()


def test_gaps_and_labels_never_seen_are_explained(auctions):
    X, price = auctions
    forest = ForestRegressor(n_estimators=5, random_state=0).fit(X, price)
    rows = X.head(3).copy()
    rows["ProductSize"] = pd.Series(["<b>$\\alpha$ 🚜\n", None, "new"], index=rows.index)
    rows.loc[rows.index[0], "YearMade"] = np.nan
    with pytest.warns(UserWarning, match="YearMade"):
        found = shap_values(forest, rows)
    assert_adds_up(found)
    np.testing.assert_allclose(found.prediction, forest.predict(rows))


def test_our_classifier_polars_and_columns_in_another_order(auctions):
    X, price = auctions
    X = X[["YearMade", "ProductSize"]]
    forest = ForestClassifier(n_estimators=5, random_state=0).fit(X, np.where(price > price.median(), "dear", "cheap"))
    found = shap_values(forest, X.head(9))
    assert found.outputs == ["cheap", "dear"]
    assert_adds_up(found)
    again = shap_values(forest, pl.from_pandas(X.head(9)[["ProductSize", "YearMade"]]))
    np.testing.assert_array_equal(again.contributions, found.contributions)


def test_pipelines_are_explained_by_what_enters_the_forest(auctions):
    X, price = auctions
    forest = RandomForestRegressor(n_estimators=5, random_state=0)
    pipeline = make_pipeline(DateParts(), Categorify(), FillMissing(), forest).fit(X, price)
    found = shap_values(pipeline, X.head(7))
    np.testing.assert_allclose(found.prediction, pipeline.predict(X.head(7)))
    assert_adds_up(found)


def test_the_prediction_is_that_of_contributions_and_only_the_shares_differ():
    X, y = make_rows()
    forest = RandomForestRegressor(n_estimators=5, random_state=0).fit(X, y)
    shares, path = shap_values(forest, X), contributions(forest, X)
    np.testing.assert_array_equal(shares.prediction, path.prediction)
    np.testing.assert_allclose(shares.bias, path.bias)
    assert np.abs(shares.contributions - path.contributions).max() > 0.01


def test_a_constant_prediction_has_nothing_to_explain():
    X, _ = make_rows()
    found = shap_values(RandomForestRegressor(n_estimators=3, random_state=0).fit(X, np.full(120, 3.0)), X[:5])
    assert (found.contributions == 0).all()
    np.testing.assert_array_equal(found.bias, 3.0)


def test_a_thousand_columns():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 1000))
    forest = RandomForestRegressor(n_estimators=3, max_features=0.1, random_state=0).fit(X, X[:, 0] + X[:, 1])
    found = shap_values(forest, X[:5])
    assert found.contributions.shape == (5, 1000)
    assert_adds_up(found)


def test_the_leaves_are_averaged_where_the_root_is_a_median():
    X, y = make_rows()
    tree = DecisionTreeRegressor(criterion="absolute_error", max_depth=4, random_state=0).fit(X, np.exp(y))
    assert_adds_up(shap_values(tree, X))


def test_the_callers_rows_are_left_alone(auctions):
    X, price = auctions
    forest = ForestRegressor(n_estimators=2, random_state=0).fit(X, price)
    rows = X.head(5)
    before = rows.copy()
    shap_values(forest, rows)
    pd.testing.assert_frame_equal(rows, before)


# --- bad input


@pytest.mark.parametrize(
    "model", [LinearRegression(), GradientBoostingRegressor(n_estimators=2), make_pipeline(StandardScaler())]
)
def test_a_model_of_another_kind_is_told_what_serves_it(model):
    X, y = make_rows()
    with pytest.raises(TypeError, match="shap_values reads forests and single trees.*method='occlusion'"):
        shap_values(model.fit(X, y), X)


def test_an_unfitted_forest_is_refused():
    with pytest.raises(NotFittedError):
        shap_values(ForestRegressor(), make_rows()[0])


def test_columns_of_fit_that_are_missing_are_named(auctions):
    X, price = auctions
    forest = ForestRegressor(n_estimators=2, random_state=0).fit(X, price)
    with pytest.raises(ValueError, match="YearMade"):
        shap_values(forest, X.drop(columns="YearMade").head(3))


@pytest.mark.real_data("bulldozers/Train.csv")
def test_it_adds_up_on_bulldozers(data_dir):
    frame = pd.read_csv(data_dir / "bulldozers/Train.csv", nrows=5000, parse_dates=["saledate"], low_memory=False)
    price = np.log(frame.pop("SalePrice"))
    forest = ForestRegressor(n_estimators=5, random_state=0).fit(frame, price)
    found = shap_values(forest, frame.tail(50))
    assert_adds_up(found)
    np.testing.assert_allclose(found.prediction, forest.predict(frame.tail(50)))
    assert "YearMade" in found.by_source().mean()["column"].head(5).tolist()
