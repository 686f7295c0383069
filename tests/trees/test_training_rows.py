import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from tabrec import ForestClassifier, ForestRegressor
from tabrec.trees.fitted_trees import read_trees
from tabrec.trees.training_rows import find_drawn_rows, predict_training_rows, read_drawn_rows, read_training_rows

SETTINGS = {"n_estimators": 12, "random_state": 0, "n_jobs": 1}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=90), "b": rng.normal(size=90)})
    return X, X["a"] + 0.1 * rng.normal(size=90)


def test_out_of_bag_predictions_are_those_of_scikit_learn(table):
    X, y = table
    forest = RandomForestRegressor(oob_score=True, **SETTINGS).fit(X, y)
    trees = read_trees(forest, "test")
    found = predict_training_rows(trees, read_drawn_rows(trees, X, y, "test"))
    seen = found.count > 0
    np.testing.assert_allclose(found.prediction[seen, 0], forest.oob_prediction_[seen])
    classifier = RandomForestClassifier(oob_score=True, **SETTINGS).fit(X, y > 0)
    trees = read_trees(classifier, "test")
    found = predict_training_rows(trees, read_drawn_rows(trees, X, y > 0, "test"))
    np.testing.assert_allclose(found.prediction[seen], classifier.oob_decision_function_[seen])


@pytest.mark.parametrize("forest", [ForestRegressor, ForestClassifier])
def test_computed_again_they_are_those_that_our_forest_kept(table, forest):
    X, y = table
    y = y > 0 if forest is ForestClassifier else y
    weights = np.arange(90) % 3
    trees = read_trees(forest(**SETTINGS).fit(X, y, sample_weight=weights), "test")
    kept, found = trees.kept_out_of_bag(), predict_training_rows(trees, read_drawn_rows(trees, X, y, "test"))
    assert len(kept.y) == weights.sum()
    for name in ("y", "prediction", "spread", "count"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(found, name))


def test_other_rows_are_not_taken_for_those_of_fit(table):
    X, y = table
    trees = read_trees(RandomForestRegressor(**SETTINGS).fit(X, y), "test")
    assert find_drawn_rows(trees, X, y.to_numpy()) is not None
    assert find_drawn_rows(trees, X[::-1], y.to_numpy()) is None
    with pytest.raises(ValueError, match="but differ from the training data"):
        read_drawn_rows(trees, X[::-1], y.to_numpy(), "test")
    with pytest.raises(ValueError, match="fitted on 90 rows, but X has 80"):
        read_training_rows(trees, X[:80], y[:80], "test")


def test_without_bootstrap_no_row_is_left_out(table):
    X, y = table
    trees = read_trees(ForestRegressor(bootstrap=False, **SETTINGS).fit(X, y), "test")
    assert all(len(read_training_rows(trees, X, y, "test").left_out(tree)) == 0 for tree in range(12))
    with pytest.raises(ValueError, match="in a forest with bootstrap=False every tree has seen every row"):
        read_drawn_rows(trees, X, y, "test")
