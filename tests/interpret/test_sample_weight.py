"""Sample weights: an integer weight repeats the row, 0 leaves it out, and only ratios of other weights matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import (
    ale,
    classification_curves,
    confidence,
    contributions,
    drop_and_compare,
    drop_unimportant,
    error_segments,
    feature_importance,
    oob_curve,
    oob_report,
    partial_dependence,
    recent_only,
    try_dropping,
)

N_ROWS = 120
RNG = np.random.default_rng(0)
X = pd.DataFrame({name: RNG.normal(size=N_ROWS) for name in "abc"}).assign(d=np.arange(N_ROWS) % 4)
Y = (X["a"] ** 2 + X["b"] + RNG.normal(size=N_ROWS)).to_numpy()
IS_LARGE = (Y > 1).astype(int)
WHOLE = RNG.integers(1, 4, N_ROWS)
FOREST = ForestRegressor(15, random_state=0, n_jobs=1).fit(X[:60], Y[:60])
CLASSES = ForestClassifier(15, random_state=0, n_jobs=1).fit(X[:60], IS_LARGE[:60])
LINEAR = LinearRegression().fit(X, Y)


def folds(rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Two folds; copies of a row are in the same one."""
    return [(np.flatnonzero(rows % 2 == part), np.flatnonzero(rows % 2 != part)) for part in (0, 1)]


def of_dropping(function: Any, rows: np.ndarray, weights: Any) -> Any:
    found = function(LinearRegression(), X.iloc[rows], Y[rows], ["a", "b"], cv=folds(rows), sample_weight=weights)
    return [found.baseline, *found.table["score"]]


def of_validation(rows: np.ndarray, weights: Any) -> Any:
    valid = (X.iloc[rows], Y[rows], weights)
    found = drop_unimportant(LinearRegression(), X, Y, 0.01, cv=valid, method="permutation")
    return [*found.table["before"], *found.table["after"], found.importance.score]


def of_effect(function: Any, rows: np.ndarray, weights: Any, model: Any = FOREST, **options: Any) -> Any:
    found = function(model, X.iloc[rows], options.pop("features", "b"), sample_weight=weights, **options)
    return found.table["effect"]


# Positions of the rows, weights -> the estimates.
CASES = {
    "partial dependence of a forest": lambda r, w: of_effect(partial_dependence, r, w, grid=[-1, 0, 1]),
    "partial dependence": lambda r, w: of_effect(partial_dependence, r, w, method="brute", grid=[-1, 0, 1]),
    "partial dependence with curves": lambda r, w: of_effect(partial_dependence, r, w, kind="both", grid=[-1, 0, 1]),
    "curves": lambda r, w: classification_curves(CLASSES, X.iloc[r], IS_LARGE[r], sample_weight=w).scores.iloc[:4],
    "confusion": lambda r, w: (
        classification_curves(CLASSES, X.iloc[r], IS_LARGE[r], sample_weight=w)
        .table[["selected", "precision", "recall", "cost"]]
        .to_numpy()[:2]
        .ravel()
    ),
    "coverage": lambda r, w: (
        confidence(FOREST, X.iloc[r], 0.5)
        .coverage(Y[r], by=np.asarray(X["a"].iloc[r] > 0), sample_weight=w)[["coverage", "mean_width"]]
        .to_numpy()
        .ravel()
    ),
    "mean contribution": lambda r, w: contributions(FOREST, X.iloc[r]).mean(sample_weight=w)["mean_absolute"],
    "score of held-out rows": lambda r, w: feature_importance(LINEAR, X.iloc[r], Y[r], sample_weight=w).score,
    "score in RMSE": lambda r, w: feature_importance(LINEAR, X.iloc[r], Y[r], metric="rmse", sample_weight=w).score,
    "validation score": lambda r, w: oob_report(FOREST, X.iloc[r], Y[r], sample_weight_valid=w).table["score"].iloc[-1],
    "dropping": lambda r, w: of_dropping(try_dropping, r, w),
    "dropping together": lambda r, w: of_dropping(drop_and_compare, r, w),
    "dropping by validation rows": of_validation,
}


@pytest.mark.parametrize("case", CASES)
def test_a_whole_weight_repeats_the_row_and_zero_leaves_it_out(case):
    estimate, every = CASES[case], np.arange(N_ROWS)
    expected = estimate(np.repeat(every, WHOLE), None)
    np.testing.assert_allclose(estimate(every, WHOLE), expected, rtol=1e-9)
    np.testing.assert_allclose(estimate(every, WHOLE / 2), expected, rtol=1e-9)  # not whole: other code
    gone = np.where(every % 5 == 0, 0, WHOLE / 2)
    np.testing.assert_allclose(estimate(every, gone), estimate(every[gone > 0], gone[gone > 0]), rtol=1e-9)


def of_segments(weights: Any) -> Any:
    table = error_segments(FOREST, X, Y, sample_weight=weights, min_rows=2).table
    table = table[table["segment"].isin([f"d is {level}" for level in range(4)])]
    return table[["share", "RMSE", "rest", "bias"]].to_numpy()


def of_recent(weights: Any) -> Any:
    return recent_only(LinearRegression(), X, Y, time=np.arange(N_ROWS), sample_weight=weights).table["score"]


# These split or draw the rows at random, so they are not compared with repeated rows, which would be split otherwise.
BY_RATIO = {
    "segments": of_segments,
    "recent rows": of_recent,
    "effects": lambda w: of_effect(ale, np.arange(N_ROWS), w, features="c", n_bins=N_ROWS),
    "interactions": lambda w: of_effect(ale, np.arange(N_ROWS), w, features=["a", "d"], n_bins=N_ROWS),
    "cross-validated score": lambda w: feature_importance(LINEAR, X, Y, "cv", sample_weight=w).score,
    "out-of-bag score": lambda w: feature_importance(FOREST, X[:60], Y[:60], sample_weight=w[:60]).score,
    "out-of-bag report": lambda w: oob_report(FOREST, X, Y, X=X[:60], y=Y[:60], sample_weight=w[:60]).table["score"],
    "out-of-bag curve": lambda w: oob_curve(FOREST, X[:60], Y[:60], sample_weight=w[:60]).table["score"],
    "dropped columns": lambda w: feature_importance(LINEAR, X, Y, "drop", sample_weight=w).table["importance"],
}


@pytest.mark.parametrize("case", BY_RATIO)
def test_only_the_ratios_of_weights_matter(case):
    np.testing.assert_allclose(BY_RATIO[case](WHOLE), BY_RATIO[case](WHOLE / 2), rtol=1e-9)


@pytest.mark.parametrize("weights", [np.zeros(N_ROWS), -np.ones(N_ROWS), np.full(N_ROWS, np.nan), np.ones(3)])
@pytest.mark.parametrize("case", [*CASES, *BY_RATIO])
def test_weights_without_meaning_are_refused(case, weights):
    with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
        CASES[case](np.arange(N_ROWS), weights) if case in CASES else BY_RATIO[case](weights)


class Right(RegressorMixin, BaseEstimator):
    """Predicts column a, and takes no weights."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return X["a"].to_numpy()


def test_the_importance_of_a_column_is_that_of_the_rows_with_weight():
    y = np.where(np.arange(N_ROWS) < 60, X["a"], 0.0)  # only the first half follows the column
    weights = np.where(np.arange(N_ROWS) < 60, 1.5, 1e-9)
    model = Right().fit(X, y)
    of_half = feature_importance(model, X[:60], y[:60], metric="rmse", n_repeats=60).table.iloc[0]
    weighted = feature_importance(model, X, y, metric="rmse", n_repeats=60, sample_weight=weights).table.iloc[0]
    assert weighted["column"] == "a"
    assert weighted["importance"] == pytest.approx(of_half["importance"], rel=0.03)
    assert weighted["std_error"] == pytest.approx(of_half["std_error"], rel=0.15)


def test_a_model_that_takes_no_weights_is_named():
    with pytest.raises(TypeError, match="fit of Right takes none"):
        try_dropping(Right(), X, Y, ["b"], sample_weight=WHOLE)
