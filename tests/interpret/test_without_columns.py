"""Comparison of a model with and without columns: same rows, tolerance and verdicts in every function."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, ShuffleSplit

from tabrec import ForestRegressor, TimeSplit
from tabrec.interpret import drop_and_compare, drop_unimportant, feature_importance, recent_only, try_dropping
from tabrec.interpret.without_columns import read_trials


def draw(seed, n=150):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=["strong", "weak", "noise"]).assign(day=np.arange(n, dtype=float))
    return X, (3 * X["strong"] + 2 * X["weak"] + rng.normal(size=n)).to_numpy()


@pytest.mark.parametrize(
    ("cv", "rows"),
    [
        (3, "cross-validation"),
        (KFold(4), "cross-validation"),
        (ShuffleSplit(2, random_state=0), "cross-validation"),
        ([(np.arange(100), np.arange(100, 150))], "cross-validation"),
        (TimeSplit(2, column="day", test_size=30), "later rows"),
        (draw(1), "validation"),
    ],
    ids=["int", "KFold", "ShuffleSplit", "splits", "TimeSplit", "rows"],
)
def test_every_function_scores_the_same_rows_alike(cv, rows):
    X, y = draw(0)
    options = {"cv": cv, "metric": "mae"}
    tried = try_dropping(LinearRegression(), X, y, [["noise", "day"], "strong"], **options)
    compared = drop_and_compare(LinearRegression(), X, y, [["noise", "day"], "strong"], **options)
    pd.testing.assert_frame_equal(compared.table.iloc[:2], tried.table)
    assert tried.table["verdict"].tolist()[1] == "worse"
    dropped = drop_unimportant(LinearRegression(), X, y, 0.1, **options)
    assert dropped.dropped == ["noise", "day"]
    row = dropped.table.iloc[0]
    assert (row["rows"], tried.rows, compared.rows) == (rows, rows, rows)
    assert (row["before"], row["after"]) == pytest.approx((tried.baseline, tried.table["score"][0]))
    assert row["verdict"] == tried.table["verdict"][0]
    findings = [found.findings for found in (tried, compared, dropped)]
    assert len({next(f.text for f in each if f.columns == ("noise", "day")) for each in findings}) == 1


def test_predictions_that_differ_by_rounding_only_are_no_clear_change():
    X, y = draw(0)
    X["twin"] = X["strong"]
    found = try_dropping(LinearRegression(), X, y, ["twin"], cv=3)
    assert abs(found.table["change"][0]) < 1e-9
    assert found.table["verdict"].tolist() == ["no clear change"]
    assert found.findings[0].text == "No clear change was found without twin."
    assert "cross-validation (150 rows): R²" in found.findings[0].evidence


def test_columns_of_arrays_are_given_by_name_or_position():
    X, y = draw(0)
    for columns in (["x1"], [1], [np.int64(1)]):
        found = try_dropping(LinearRegression(), X.to_numpy(), y, columns, cv=3)
        assert found.table["dropped"].tolist() == [("x1",)]


def test_a_forest_without_out_of_bag_rows_is_an_error_that_names_cv():
    X, y = draw(0, 1)
    with pytest.raises(ValueError, match=r"try_dropping: no row is out of bag .* pass cv="):
        try_dropping(ForestRegressor(3, random_state=0), X, y, ["strong"])


@pytest.mark.parametrize("n", [1, 4])
def test_validation_rows_without_their_target_are_an_error_that_names_cv(n):
    X, y = draw(0)
    with pytest.raises(ValueError, match=rf"cv: .*\(X_valid, y_valid\) or .*; got a tuple of length {n}"):
        try_dropping(LinearRegression(), X, y, ["weak"], cv=(X, y, y, y)[:n])


def draw_rare(n=400):
    """A target whose second class is rare, so that few trees leave its share at 0 in many rows."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["strong", "noise"])
    y = np.where(rng.random(n) < np.where(X["strong"] > 1, 0.4, 0.02), "rare", "common")
    return X, y


@pytest.mark.parametrize("cv", [None, 3], ids=["out of bag", "folds"])
def test_classifiers_are_scored_by_log_loss_which_zeros_of_few_trees_do_not_drown(cv):
    X, y = draw_rare()
    forest = RandomForestClassifier(15, random_state=0)
    tried = try_dropping(forest, X, y, ["strong", "noise"], cv=cv)
    compared = drop_and_compare(forest, X, y, ["strong"], cv=cv)
    dropped = drop_unimportant(forest, X, y, cv=cv)
    recent = recent_only(forest, X, y, time=np.arange(len(X)))
    importance = feature_importance(forest.fit(X, y), X, y)
    assert {each.metric for each in (tried, compared, dropped, recent, importance)} == {"log loss"}
    # 15 trees that miss a row cost 36 without the tree that gives all classes the same probability, log(32) with it.
    assert tried.baseline < 0.5
    assert compared.baseline == tried.baseline
    assert tried.table["dropped"][0] == ("strong",)
    assert tried.table["change"][0] > 0


def test_repeated_forests_of_classes_count_all_their_trees():
    X, y = draw_rare()
    forest = RandomForestClassifier(15, random_state=0)
    found = read_trials(forest, X, y, function="test", cv=3, n_repeats=2).full
    assert set(found.n_trees) == {30}
