"""Targets and weights whose index has the labels of X in another order are refused; others match by position."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tabrec import (
    BayesianFactorization,
    BoostingClassifier,
    EmbeddingEncoder,
    ForestRegressor,
    TabularRegressor,
)
from tabrec.interpret import confidence, feature_importance, leakage_check, oob_report
from tabrec.tables.row_labels import check_row_labels

X = pd.DataFrame({"user": ["a", "b", "a", "c"] * 10, "item": list("wxyz") * 10})
Y = pd.Series(np.arange(40.0) % 4, name="rating")
SHUFFLED = Y.sample(frac=1, random_state=0)


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 2], [1.0, np.nan, 2.0], ["a", "b", "c"], ["a", "a", "b"], ["a", 1, None], pd.date_range("2020", periods=3)],
    ids=str,
)
def test_the_same_labels_in_another_order_are_refused(labels):
    X = pd.DataFrame({"a": [1, 2, 3]}, index=labels)
    y = pd.Series([4, 5, 6], index=labels)
    check_row_labels(X, y=y, sample_weight=None)
    moved = y.iloc[[2, 0, 1]]
    with pytest.raises(ValueError, match=r"y has the index labels of X in another order: row 0 .*y.to_numpy"):
        check_row_labels(X, y=moved)
    with pytest.raises(ValueError, match="sample_weight has the index labels"):
        check_row_labels(X, y=y, sample_weight=moved)


def test_labels_of_several_levels_are_compared_too():
    index = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    X = pd.DataFrame({"a": [1, 2, 3]}, index=index)
    with pytest.raises(ValueError, match=r"row 1 .* is \('a', .* in X and \('b', .* in y"):
        check_row_labels(X, y=pd.Series([1, 2, 3], index=index[[0, 2, 1]]))


@pytest.mark.parametrize("labels", [[7, 8, 9], [0, 1, 1], ["0", "1", "2"], [1, 2, 3]], ids=str)
def test_other_labels_are_matched_by_position(labels):
    check_row_labels(pd.DataFrame({"a": [1, 2, 3]}), y=pd.Series([1, 2, 3], index=labels))
    check_row_labels(pd.DataFrame({"a": [1, 2, 3]}, index=[0, 0, 1]), y=pd.Series([1, 2, 3], index=[1, 1, 0]))


def test_tables_without_an_index_are_matched_by_position():
    for table in (X.to_numpy(), pl.DataFrame(X), None):
        check_row_labels(table, y=SHUFFLED)
    check_row_labels(X, y=SHUFFLED.to_numpy())
    check_row_labels(X, y=SHUFFLED.loc[X.index])
    with pytest.raises(ValueError, match=r"row 0 .* is 0 in X and \d+ in y. Pass y.loc\[X.index\] to match"):
        check_row_labels(X, y=SHUFFLED)


@pytest.mark.parametrize(
    "model",
    [
        ForestRegressor(2),
        BoostingClassifier(max_iter=2),
        TabularRegressor(epochs=1),
        EmbeddingEncoder(),
        BayesianFactorization(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_estimator_refuses_a_target_in_another_order(model):
    with pytest.raises(ValueError, match="y has the index labels of X in another order"):
        model.fit(X, SHUFFLED)
    with pytest.raises(ValueError, match="sample_weight has the index labels of X in another order"):
        model.fit(X, Y, sample_weight=SHUFFLED + 1)


@pytest.mark.parametrize(
    "model",
    [
        ForestRegressor(3, n_jobs=1, oob_score=False, random_state=0),
        BoostingClassifier(max_iter=2),
        TabularRegressor((4,), n_members=None, epochs=1),
        BayesianFactorization(n_factors=2, n_sweeps=3),
    ],
    ids=lambda model: type(model).__name__,
)
def test_scores_refuse_a_target_in_another_order(model):
    model.fit(X, Y)
    assert model.score(X, Y) == model.score(X, Y.to_numpy())
    with pytest.raises(ValueError, match="y has the index labels of X in another order"):
        model.score(X, SHUFFLED)


def test_rows_that_are_validated_on_are_checked_too():
    with pytest.raises(ValueError, match="y_val has the index labels"):
        BoostingClassifier(max_iter=2, early_stopping=True).fit(X, Y, X_val=X, y_val=SHUFFLED)
    with pytest.raises(ValueError, match="y has the index labels"):
        TabularRegressor(epochs=1).fit(X, Y, eval_set=(X, SHUFFLED))


@pytest.mark.filterwarnings("ignore:.*rows were drawn by every tree")
def test_functions_that_take_a_model_and_rows_refuse_a_target_in_another_order():
    forest = ForestRegressor(10, n_jobs=1, random_state=0).fit(X, Y)
    calls = {
        "feature_importance": lambda: feature_importance(forest, X, SHUFFLED, "permutation"),
        "out of bag": lambda: feature_importance(forest, X, SHUFFLED, "oob"),
        "leakage_check": lambda: leakage_check(forest, X, SHUFFLED),
        "oob_report": lambda: oob_report(forest, X, SHUFFLED),
        "calibration": lambda: confidence(forest, X, calibration=(X, SHUFFLED)),
        "coverage": lambda: confidence(forest, X).coverage(SHUFFLED),
    }
    for call in calls.values():
        with pytest.raises(ValueError, match="has the index labels of X in another order"):
            call()
