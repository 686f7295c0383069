"""Leaves and predictions of all trees in one pass are those of scikit-learn."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from tabrec.tables.compiled import find_compiled
from tabrec.trees.grower.walking import find_leaves, sum_predictions

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1_500, 5)).astype(np.float32).round(2)
# Thresholds halfway between neighbouring float32 numbers, which float32 cannot hold.
X[:, 4] = np.nextafter(np.float32(1), np.float32(2), dtype=np.float32) * RNG.choice([1, 1 + 2**-23], len(X))
Y = X[:, 0] + X[:, 1] ** 2 + (X[:, 4] > X[:, 4].min())


def fit(n_outputs, classes):
    target = np.column_stack([Y] * n_outputs)
    target[:, -1] = target[:, -1][::-1]
    target = target[:, 0] if n_outputs == 1 else target
    make = RandomForestClassifier if classes else RandomForestRegressor
    return make(7, random_state=0).fit(X, np.digitize(target, [0, 1, 2]) if classes else target)


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize(("n_outputs", "classes"), [(1, False), (1, True), (2, False), (2, True)])
def test_sums_are_those_of_the_trees(n_outputs, classes, layout):
    trees = [tree.tree_ for tree in fit(n_outputs, classes).estimators_]
    # Rows that are few for a tree take another path than many, and very many are walked in several blocks.
    for rows in (X, X[:3], X[:100], np.tile(X, (6, 1))):
        expected = 0.0
        for tree in trees:
            expected = expected + tree.predict(rows).reshape(len(rows), *tree.value.shape[1:])
        for n_jobs in (1, 2):
            sums = sum_predictions(trees, np.asarray(rows, order=layout), n_jobs)
            assert (sums is None) == (find_compiled().functions is None)
            if sums is not None:
                np.testing.assert_array_equal(sums, expected)


def test_leaves_are_those_of_the_tree():
    tree = fit(1, False).estimators_[0].tree_
    for rows in (RNG.permutation(len(X)), np.array([4, 4, 9]), np.array([], dtype=int)):
        np.testing.assert_array_equal(find_leaves(tree, np.asfortranarray(X), rows), tree.apply(X[rows]))


def test_missing_values_are_left_to_scikit_learn():
    gaps = X.copy()
    gaps[3, 0] = np.nan
    forest = RandomForestRegressor(2, random_state=0).fit(gaps, Y)
    trees = [tree.tree_ for tree in forest.estimators_]
    assert sum_predictions(trees, gaps, 1) is None
    np.testing.assert_array_equal(find_leaves(trees[0], gaps, np.arange(9)), trees[0].apply(gaps[:9]))
