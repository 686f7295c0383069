"""`compare_models`: the scores are those of scikit-learn, on the same folds for every model."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, cross_val_score

from tabrec import compare_models
from tabrec.ensemble import tune

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(60, 3)), columns=list("abc"))
LINE = (2 * X["a"] - X["b"]).to_numpy() + RNG.normal(size=60) / 10
SIDE = np.where(LINE > 0, "up", "down")
NUMBERS = [("mean", DummyRegressor()), ("line", LinearRegression())]
CLASSES = [("share", DummyClassifier()), ("line", LogisticRegression())]
FOLDS = KFold(3, shuffle=True, random_state=0)


class Failing(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of order")

    def predict(self, X):
        raise RuntimeError("out of order")


def test_the_table_has_means_and_standard_errors_over_folds_best_first():
    comparison = compare_models(X, LINE, NUMBERS, cv=FOLDS)
    line = -cross_val_score(LinearRegression(), X, LINE, cv=FOLDS, scoring="neg_root_mean_squared_error")
    assert comparison.table["model"].tolist() == ["line", "mean"]
    assert comparison.table["rmse"][0] == pytest.approx(line.mean())
    assert comparison.table["standard_error"][0] == pytest.approx(line.std(ddof=1) / np.sqrt(3))
    assert comparison.by_fold.query("model == 'line'")["rmse"].tolist() == pytest.approx(line.tolist())


def test_classes_are_compared_by_log_loss_and_scores_rank_downwards():
    assert compare_models(X, SIDE, CLASSES, cv=3).table.columns[1] == "log_loss"
    table = compare_models(X, SIDE, CLASSES, cv=3, scoring="accuracy").table
    assert table["model"].tolist() == ["line", "share"]
    assert table["accuracy"][0] > table["accuracy"][1]


def test_a_function_may_return_several_scores_of_which_the_first_ranks():
    def both(model, X, y):
        predicted = model.predict(X)
        return {"neg_bias": -abs((y - predicted).mean()), "r2": r2_score(y, predicted)}

    comparison = compare_models(X, LINE, NUMBERS, cv=3, scoring=both)
    assert comparison.metric == "bias"
    assert comparison.by_fold.columns.tolist() == ["model", "fold", "bias", "r2", "fit_seconds", "predict_seconds"]
    assert (comparison.by_fold["bias"] >= 0).all()


def test_the_models_of_the_folds_are_kept_on_request():
    comparison = compare_models(X, SIDE, CLASSES, cv=FOLDS, scoring="accuracy", return_estimator=True)
    (_, test), *_ = FOLDS.split(X)
    accuracy = accuracy_score(SIDE[test], comparison.estimators["line"][0].predict(X.iloc[test]))
    assert comparison.by_fold.query("model == 'line'")["accuracy"].iloc[0] == accuracy


def test_a_fold_without_a_class_is_scored_on_the_classes_it_knows():
    y = np.where(np.arange(60) < 1, "rare", SIDE)
    folds = [(np.arange(20, 60), np.arange(0, 20)), (np.arange(0, 40), np.arange(40, 60))]
    assert compare_models(X, y, CLASSES, cv=folds).by_fold["log_loss"].between(0, 2).all()


def test_a_model_that_fails_is_left_out_with_a_warning_that_names_it():
    with pytest.warns(UserWarning, match="Model 'bad' is left out: RuntimeError: out of order"):
        table = compare_models(X, LINE, [("bad", Failing()), *NUMBERS], cv=2).table
    assert table["model"].tolist() == ["line", "mean"]
    with pytest.raises(RuntimeError, match="out of order"):
        compare_models(X, LINE, [("bad", Failing())])


def test_the_plot_shows_each_fold_and_the_mean():
    comparison = compare_models(X, LINE, NUMBERS, cv=3)
    ax = comparison.plot()
    points = ax.collections[0].get_offsets()
    np.testing.assert_allclose(sorted(points[:, 0]), sorted(comparison.by_fold["rmse"]))
    assert ax.get_xlabel() == "rmse, 3 folds"


def test_a_scoring_of_classes_is_refused_for_numbers_before_any_fit():
    match = "scoring='roc_auc' cannot score predictions of numbers such as y"
    with pytest.raises(ValueError, match=match):
        compare_models(X, LINE, [("failing", Failing())], scoring="roc_auc")
    with pytest.raises(ValueError, match=match):
        tune(Failing(), X, LINE, space={}, scoring="roc_auc")
