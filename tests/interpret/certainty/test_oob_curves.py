"""`oob_curve`: equal to the out-of-bag scores of smaller forests, for ours and scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import oob_curve
from tabrec.trees.fitted_trees import read_trees
from tabrec.trees.training_rows import read_drawn_rows

GENERATOR = np.random.default_rng(0)
X = pd.DataFrame({"a": GENERATOR.normal(size=120), "b": GENERATOR.choice(["x", "y", "z"], 120), "c": range(120)})
Y = X["a"] * 2 + (X["b"] == "x") + GENERATOR.normal(size=120)
LABELS = np.where(Y > 0.5, "high", "low")


def test_the_last_score_of_our_forest_is_its_out_of_bag_score():
    forest = ForestRegressor(12, max_features=0.5, random_state=0).fit(X, Y)
    curve = oob_curve(forest, X, Y)
    assert curve.table["n_estimators"].tolist() == list(range(1, 13))
    assert curve.table["max_features"].unique().tolist() == ["0.5"]
    last = curve.table.iloc[-1]
    seen = ~np.isnan(forest.oob_prediction_)
    expected = root_mean_squared_error(Y[seen], forest.oob_prediction_[seen])
    assert (last["score"], last["rows"]) == (pytest.approx(expected, abs=1e-9), seen.sum())
    assert curve.metric == "RMSE"


@pytest.mark.parametrize(("metric", "score"), [("accuracy", accuracy_score), ("log_loss", log_loss)])
def test_every_score_is_that_of_a_smaller_forest_of_scikit_learn(metric, score):
    numbers = X[["a", "c"]].to_numpy()
    forest = RandomForestClassifier(40, min_samples_leaf=20, random_state=0)
    table = oob_curve(forest, numbers, LABELS, metric=metric).table.set_index("n_estimators")
    for n_trees in (20, 30, 40):
        smaller = clone(forest).set_params(n_estimators=n_trees, oob_score=True).fit(numbers, LABELS)
        predicted = smaller.oob_decision_function_
        assert not np.isnan(predicted).any()
        if metric == "accuracy":
            predicted = smaller.classes_[predicted.argmax(axis=1)]
        else:  # one more tree, which gives all classes the same probability
            training = read_drawn_rows(read_trees(smaller, "test"), numbers, LABELS, "test")
            left_out = [training.left_out(tree) for tree in range(n_trees)]
            counts = np.bincount(np.concatenate(left_out), minlength=len(X))[:, None]
            predicted = (predicted * counts + 0.5) / (counts + 1)
        assert table.loc[n_trees, "score"] == pytest.approx(score(LABELS, predicted))
    assert table.loc[1, "rows"] < table.loc[40, "rows"] == len(X)


@pytest.mark.long
def test_one_call_compares_settings_of_a_forest_or_a_pipeline_that_ends_in_one():
    forest = RandomForestClassifier(150, random_state=0)
    numbers = X[["a", "c"]]
    values = ["sqrt", 0.9, None]
    found = [
        oob_curve(model, numbers, LABELS, max_features=values).table
        for model in (forest, make_pipeline(FunctionTransformer(), forest))
    ]
    assert found[0].groupby("max_features", sort=False).size().to_dict() == {"sqrt": 100, "0.9": 100, "all": 100}
    pd.testing.assert_frame_equal(*found)
    alone = oob_curve(clone(forest).set_params(max_features=None), numbers, LABELS).table
    of_all = found[0][found[0]["max_features"] == "all"]
    pd.testing.assert_frame_equal(alone, of_all.reset_index(drop=True))


def test_a_fitted_forest_stays_as_it_is():
    forest = ForestClassifier(5, random_state=0).fit(X, LABELS)
    before = forest.predict_proba(X)
    oob_curve(forest, X, LABELS, max_features=[1.0])
    np.testing.assert_array_equal(forest.predict_proba(X), before)


def test_what_has_no_out_of_bag_rows_is_refused():
    numbers = X[["a", "c"]]
    with pytest.raises(TypeError, match="not GradientBoostingRegressor"):
        oob_curve(GradientBoostingRegressor(), numbers, Y)
    with pytest.raises(TypeError, match="StandardScaler has no max_features"):
        oob_curve(StandardScaler(), numbers, Y)
    with pytest.raises(ValueError, match="bootstrap=True"):
        oob_curve(ExtraTreesClassifier(3), numbers, LABELS)
    with pytest.raises(ValueError, match="metric='rmse' must be one of accuracy, log_loss"):
        oob_curve(RandomForestClassifier(3), numbers, LABELS, metric="rmse")
    with pytest.raises(ValueError, match="fitted on 120 rows, but X has 100"):
        oob_curve(ForestRegressor(3, random_state=0).fit(X, Y), X[:100], Y[:100])
