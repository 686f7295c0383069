"""The compiled grower: the trees of scikit-learn's builder, and forests that do not depend on who grew them."""

import threading
import weakref
from pkgutil import iter_modules

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tabrec import ForestClassifier, ForestRegressor
from tabrec.tables.compiled import SWITCH, find_compiled
from tabrec.trees import grower as package
from tabrec.trees.grower.growth import ForestGrower
from tabrec.trees.grower.library import check_memory

needs_compiled = pytest.mark.skipif(
    find_compiled().functions is None, reason=f"trees are grown by {find_compiled()}: only the fallback is tested"
)
# scikit-learn 1.7.0 splits values that are closer than its threshold.
HAS_THRESHOLD = DecisionTreeRegressor().fit([[0.0], [1e-9]], [0, 1]).tree_.node_count == 1
NODES = ("children_left", "children_right", "feature", "threshold", "impurity", "n_node_samples")
NODES += ("weighted_n_node_samples", "value")


def make_rows(seed, n_rows, n_columns):
    """Columns of few and many values, constant ones, and ones whose values are all but equal."""
    generator = np.random.default_rng(seed)
    n_values = generator.choice([1, 2, 5, 30, 1_000, 100_000], n_columns)
    columns = [generator.integers(0, n, n_rows) * generator.choice([1, 0.25, -3]) for n in n_values]
    if HAS_THRESHOLD and generator.random() < 0.2:
        columns[0] = columns[0] + 2.0 ** np.round(generator.normal(0, 9, n_rows))
    return np.asfortranarray(np.column_stack(columns), dtype=np.float32), generator


def grow(tree, X, y, weights=None):
    with ForestGrower(X) as grower:
        return grower.fit_tree(tree, X, y.reshape(len(X), -1), weights)


def assert_same_tree(ours, theirs):
    ours, theirs = ours.tree_, theirs.tree_
    assert (ours.node_count, ours.max_depth) == (theirs.node_count, theirs.max_depth)
    for name in NODES:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    inner = theirs.children_left >= 0
    np.testing.assert_array_equal(ours.missing_go_to_left[inner], theirs.missing_go_to_left[inner])


def compare(make, n_classes, seed, n_rows, n_columns, limits, weighted, constrained, **parameters):
    X, generator = make_rows(seed, n_rows, n_columns)
    y = generator.integers(0, n_classes, n_rows)
    if make is DecisionTreeClassifier:
        y[:n_classes] = np.arange(n_classes)[:n_rows]
        y = np.unique(y, return_inverse=True)[1]
    weights = generator.integers(0, 4, n_rows).astype(float) if weighted else None
    if weighted:
        weights[:2] = 1, 2
    if constrained and n_classes != 7:
        parameters["monotonic_cst"] = generator.integers(-1, 2, n_columns)
    tree = make(random_state=seed, **limits, **parameters)
    assert_same_tree(grow(tree, X, y, weights), make(**tree.get_params()).fit(X, y, weights))


LIMITS = st.fixed_dictionaries(
    {"max_features": st.sampled_from([None, "sqrt", 0.5]), "min_samples_leaf": st.sampled_from([1, 2, 5])},
    optional={
        "splitter": st.sampled_from(["best", "random"]),
        "max_depth": st.integers(1, 7),
        "min_impurity_decrease": st.just(0.01),
        "min_weight_fraction_leaf": st.just(0.03),
        "min_samples_split": st.sampled_from([0.1, 12]),
        "ccp_alpha": st.just(0.004),
        "max_leaf_nodes": st.integers(2, 40),
    },
)
DRAWS = {
    "seed": st.integers(0, 10_000),
    "n_rows": st.sampled_from([2, 3, 8, 17, 60, 300]),
    "n_columns": st.integers(1, 9),
    "limits": LIMITS,
    "weighted": st.booleans(),
    "constrained": st.booleans(),
}


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(**DRAWS)
def test_regression_trees_are_those_of_scikit_learn(**draws):
    compare(DecisionTreeRegressor, 50, **draws)


@needs_compiled
@settings(max_examples=80, deadline=None)
@given(criterion=st.sampled_from(["gini", "entropy"]), **DRAWS)
def test_trees_of_two_classes_are_those_of_scikit_learn(**draws):
    compare(DecisionTreeClassifier, 2, **draws)


@needs_compiled
@settings(max_examples=80, deadline=None)
@given(criterion=st.sampled_from(["gini", "log_loss"]), **DRAWS)
def test_trees_of_many_classes_are_those_of_scikit_learn(**draws):
    compare(DecisionTreeClassifier, 7, **draws)


@needs_compiled
@settings(max_examples=80, deadline=None)
@given(
    n_classes=st.lists(st.integers(1, 6), min_size=2, max_size=4),
    criterion=st.sampled_from(["squared_error", "gini", "entropy"]),
    **{name: strategy for name, strategy in DRAWS.items() if name != "constrained"},
)
def test_trees_of_several_outputs_are_those_of_scikit_learn(
    n_classes, criterion, seed, n_rows, n_columns, limits, weighted
):
    X, generator = make_rows(seed, n_rows, n_columns)
    y = np.column_stack([generator.integers(0, n, n_rows) for n in n_classes])
    weights = generator.integers(1, 4, n_rows).astype(float) if weighted else None
    make = DecisionTreeRegressor if criterion == "squared_error" else DecisionTreeClassifier
    tree = make(random_state=seed, criterion=criterion, **limits)
    theirs = make(**tree.get_params()).fit(X, y, weights)
    grow(tree, X, y, weights)
    assert_same_tree(tree, theirs)
    assert tree.n_outputs_ == theirs.n_outputs_ == len(n_classes)
    if make is DecisionTreeClassifier:
        np.testing.assert_array_equal(tree.n_classes_, theirs.n_classes_)
        for ours, other in zip(tree.classes_, theirs.classes_, strict=True):
            np.testing.assert_array_equal(ours, other)
    np.testing.assert_array_equal(tree.predict(X), theirs.predict(X))


@needs_compiled
@pytest.mark.parametrize("make", [DecisionTreeRegressor, DecisionTreeClassifier])
def test_nodes_of_thousands_of_rows_are_split_as_by_scikit_learn(make):
    for seed in range(3):
        limits = {"max_features": 0.5, "min_samples_leaf": 2}
        compare(make, 2, seed, 6_000, 8, limits, True, False)
        compare(make, 2, seed, 6_000, 8, limits | {"max_leaf_nodes": 150}, True, True)
        compare(make, 2, seed, 6_000, 8, limits | {"splitter": "random"}, True, True)


@needs_compiled
@pytest.mark.parametrize(
    "values",
    [[-3.4e38, 3.4e38, 1e30, 0.0, -0.0], [-2147483648.0, 2147483648.0, 2147483520.0, 1e6, -1e6], [1.0]],
    ids=["huge", "limits of integers", "one value"],
)
def test_values_of_any_size_are_split_as_by_scikit_learn(values):
    generator = np.random.default_rng(0)
    y = generator.integers(0, 9, 50).astype(float)
    for n_rows, n_columns in [(50, 4), (50, 1), (2, 1), (1, 1)]:
        X = np.asfortranarray(generator.choice(values, (n_rows, n_columns)), dtype=np.float32)
        theirs = DecisionTreeRegressor(random_state=0).fit(X, y[:n_rows])
        assert_same_tree(grow(DecisionTreeRegressor(random_state=0), X, y[:n_rows]), theirs)


@needs_compiled
@pytest.mark.parametrize("values", [1 + np.arange(3) * 6e-8, np.arange(3) * 1e-44], ids=["of one", "denormal"])
def test_values_closer_than_the_threshold_of_scikit_learn_are_one_value(values):
    X = np.asfortranarray(values[:, None], dtype=np.float32)
    assert grow(DecisionTreeRegressor(), X, np.arange(3.0)).tree_.node_count == 1


def test_the_compiled_files_are_not_modules():
    assert not [module.name for module in iter_modules(package.__path__) if module.name.startswith("_")]


@needs_compiled
@pytest.mark.parametrize("target", ["numbers", "two classes", "many classes", "outputs"])
def test_every_instruction_set_grows_the_same_tree(target, monkeypatch):
    X, generator = make_rows(1, 4_000, 8)
    y, weights = generator.normal(size=4_000), generator.random(4_000)
    if target == "outputs":
        y = np.column_stack([y, y**2, generator.normal(size=4_000)])
    elif target != "numbers":
        y = np.digitize(y + (X[:, 0] > 1), [0] if target == "two classes" else [-1, -0.5, 0, 0.4, 1])
    make = DecisionTreeRegressor if y.dtype == float else DecisionTreeClassifier
    best = grow(make(max_features=0.5, random_state=0), X, y, weights)
    monkeypatch.setenv(SWITCH, "baseline")
    assert find_compiled().level == "baseline"
    assert_same_tree(grow(make(max_features=0.5, random_state=0), X, y, weights), best)


@needs_compiled
def test_leaves_are_found_by_the_ranks_of_the_table():
    generator = np.random.default_rng(7)
    n_rows = 70_000
    # Ranks of one, two and four bytes.
    X = np.column_stack([generator.integers(0, 9, n_rows), generator.integers(-300, 300, n_rows), np.arange(n_rows)])
    X = np.asfortranarray(X, dtype=np.float32)
    y = X[:, 0] * (X[:, 1] > 7) + np.sin(X[:, 2] / 999)
    with ForestGrower(X) as grower:
        tree = grower.fit_tree(DecisionTreeRegressor(min_samples_leaf=3, ccp_alpha=1e-9), X, y[:, None]).tree_
        assert set(tree.feature) == {-2, 0, 1, 2}
        for rows in (np.arange(n_rows), np.array([n_rows - 1, 5, 5]), np.array([], dtype=int)):
            np.testing.assert_array_equal(grower.predict_rows(tree, rows)[:, 0, 0], tree.predict(X[rows])[:, 0])
    with pytest.raises(RuntimeError, match="has ended"):
        grower.predict_rows(tree, np.arange(3))


@needs_compiled
def test_the_table_is_freed_while_trees_are_grown():
    X, generator = make_rows(6, 500, 4)
    table = weakref.ref(X)
    with ForestGrower(X) as grower:
        del X
        assert table() is None
        tree = grower.fit_tree(DecisionTreeRegressor(), grower.stand_in, generator.normal(size=(500, 1)))
    assert tree.tree_.n_node_samples[0] == 500


@needs_compiled
def test_weights_are_repeated_rows():
    X, generator = make_rows(2, 400, 6)
    y, weights = generator.normal(size=400), generator.integers(1, 4, 400)
    rows = np.repeat(np.arange(400), weights)
    weighted = grow(DecisionTreeRegressor(random_state=0), X, y, weights.astype(float))
    repeated = grow(DecisionTreeRegressor(random_state=0), np.asfortranarray(X[rows]), y[rows])
    assert weighted.tree_.node_count == repeated.tree_.node_count
    np.testing.assert_array_max_ulp(weighted.tree_.predict(X), repeated.tree_.predict(X), maxulp=1)


@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
@pytest.mark.parametrize("max_leaf_nodes", [None, 20])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_forest_does_not_depend_on_who_grew_it(make, max_leaf_nodes, n_outputs, monkeypatch):
    X, generator = make_rows(3, 700, 8)
    y = generator.integers(0, 3, 700) + (X[:, 1] > 1)
    parameters = {"n_estimators": 8, "random_state": 0, "max_leaf_nodes": max_leaf_nodes}
    if n_outputs == 2:
        y = np.column_stack([y, X[:, 2] > 0]).astype(int)
        parameters["oob_score"] = make is ForestRegressor  # there is none of several outputs of many classes
    forest = make(**parameters, n_jobs=2).fit(X, y)
    assert forest.grower_ == str(find_compiled())
    assert not any("_fit" in vars(tree) for tree in forest.estimators_)
    monkeypatch.setenv(SWITCH, "0")
    fallback = make(**parameters, n_jobs=1).fit(X, y)
    assert fallback.grower_ == f"scikit-learn's ({SWITCH}=0)"
    for ours, theirs in zip(forest.estimators_, fallback.estimators_, strict=True):
        assert_same_tree(ours, theirs)
        assert {name for name in vars(ours) if name.endswith("_")} == {n for n in vars(theirs) if n.endswith("_")}
    np.testing.assert_array_equal(forest.predict(X), fallback.predict(X))
    if forest.oob_score:
        np.testing.assert_array_equal(forest.oob_prediction_, fallback.oob_prediction_)


@needs_compiled
@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"criterion": "absolute_error"}, "criterion='absolute_error'"),
        ({"criterion": "poisson"}, "criterion='poisson'"),
    ],
    ids=["absolute error", "poisson"],
)
def test_what_the_grower_does_not_support_is_grown_by_scikit_learn(parameters, reason):
    X, generator = make_rows(4, 60, 3)
    y = generator.random(60)
    forest = ForestRegressor(n_estimators=2, oob_score=False, **parameters).fit(X, y)
    assert forest.grower_ == f"scikit-learn's ({reason})"
    assert len(forest.predict(X)) == 60


@needs_compiled
def test_constraints_are_checked():
    X, generator = make_rows(4, 60, 3)
    y = generator.integers(0, 3, 60)
    for given_signs, error in [
        ([1], "but the input data X has 3"),
        ([1, 0, 2], "-1, 0 or 1"),
        ([1, 0, 0], "multiclass"),
    ]:
        with pytest.raises(ValueError, match=error):
            ForestClassifier(n_estimators=2, monotonic_cst=given_signs).fit(X, y)


def test_too_many_classes_are_refused_by_their_number():
    with pytest.raises(ValueError, match="y has 100,000 classes, such as 0 and 99999, but a forest takes at"):
        ForestClassifier(n_estimators=2).fit(np.zeros((100_000, 1)), np.arange(100_000))


def test_a_column_of_many_levels_is_split_as_by_scikit_learn(monkeypatch):
    labels = pd.DataFrame({"id": [f"u{row % 66_000}" for row in range(67_000)], "x": np.arange(67_000) % 7})
    y = np.arange(67_000) % 7 + np.arange(67_000) % 66_000 // 9_000
    parameters = {"n_estimators": 1, "random_state": 0, "max_depth": 6, "oob_score": False, "high_cardinality": None}
    forest = ForestRegressor(**parameters).fit(labels, y)
    monkeypatch.setenv(SWITCH, "0")
    assert_same_tree(forest.estimators_[0], ForestRegressor(**parameters).fit(labels, y).estimators_[0])


@needs_compiled
def test_running_out_of_memory_names_what_to_lower():
    with pytest.raises(MemoryError, match="not enough memory to grow a tree: lower max_samples or n_jobs"):
        check_memory(1, "grow a tree")


@needs_compiled
def test_threads_end_with_the_grower():
    X, generator = make_rows(5, 60_000, 20)
    y = generator.normal(size=60_000)
    started, raised = threading.Event(), []

    def work(grower):
        started.set()
        try:
            for _ in range(1_000):
                grower.fit_tree(DecisionTreeRegressor(), X, y[:, None])
        except RuntimeError as error:
            raised.append(str(error))

    with ForestGrower(X) as grower:
        thread = threading.Thread(target=work, args=[grower])
        thread.start()
        started.wait()
    thread.join()
    assert len(raised) == 1
