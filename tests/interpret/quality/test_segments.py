"""Segments of rows on which a model is worst, by known answers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import log_loss, root_mean_squared_error

from tabrec.interpret import error_segments

N_ROWS = 2_000
RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "region": RNG.choice(["north", "south", "east"], N_ROWS),
        "size": RNG.normal(size=N_ROWS),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 700, N_ROWS), unit="D"),
        "gaps": np.where(RNG.random(N_ROWS) < 0.2, np.nan, RNG.random(N_ROWS)),
        "row": np.arange(N_ROWS),
    }
)
NOISE = RNG.normal(size=N_ROWS)


class Zero(RegressorMixin, BaseEstimator):
    """Predicts 0."""

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.zeros(len(X))


class Sure(ClassifierMixin, BaseEstimator):
    """Predicts the first class with a probability of 0.9."""

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X):
        return np.tile([0.9, 0.1], (len(X), 1))

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


def segments(y, model=Zero, **options):
    return error_segments(model().fit(X, y), X, y, **options)


@pytest.mark.parametrize(
    ("rows", "expected"),
    {
        "label": (X["region"] == "south", "region is 'south'"),
        "missing": (X["gaps"].isna(), "gaps is missing"),
        "number": (X["size"] > X["size"].quantile(0.8), "size > "),
        "date": (X["day"] > "2021-08-01", "day > "),
        "pair": ((X["region"] == "east") & X["gaps"].isna(), " and "),
    }.values(),
)
def test_where_the_errors_are_is_found(rows, expected):
    result = segments(NOISE * np.where(rows, 4.0, 1.0))
    assert expected in result.table["segment"][0]
    assert result.table["p_value"][0] < 1e-3
    assert expected in result.findings[0].text


def test_scores_are_those_of_the_rows_that_chose_nothing():
    y = NOISE + np.where(X["region"] == "south", 3.0, 0.0)
    result = segments(y)
    others = np.random.default_rng(0).permutation(N_ROWS) % 2 == 1
    inside = others & (X["region"] == "south").to_numpy()
    line = result.table.set_index("segment").loc["region is 'south'"]
    assert line["n"] == inside.sum()
    assert line["RMSE"] == pytest.approx(root_mean_squared_error(y[inside], np.zeros(inside.sum())))
    assert line["bias"] == pytest.approx(-y[inside].mean())
    assert line["bias_error"] == pytest.approx(y[inside].std(ddof=1) / np.sqrt(inside.sum()))
    assert " too low." in result.findings[0].evidence
    unclear = segments(NOISE * np.where(X["region"] == "south", 4.0, 1.0)).findings[0]
    assert " too " not in unclear.evidence  # errors are larger there, but not to one side
    assert result.overall == pytest.approx(root_mean_squared_error(y[others], np.zeros(others.sum())))


def test_without_a_difference_hardly_anything_is_clear():
    found = [len(segments(np.random.default_rng(seed).normal(size=N_ROWS)).findings) for seed in range(20)]
    assert sum(count > 0 for count in found) <= 2


def test_classes_are_judged_by_log_loss():
    y = (RNG.random(N_ROWS) < np.where(X["region"] == "north", 0.6, 0.1)).astype(int)
    result = segments(y, Sure)
    assert result.metric == "log loss"
    line = result.table[result.table["segment"] == "region is 'north'"].iloc[0]
    rows = (np.random.default_rng(0).permutation(N_ROWS) % 2 == 1) & (X["region"] == "north").to_numpy()
    assert line["log loss"] == pytest.approx(log_loss(y[rows], np.tile([0.9, 0.1], (rows.sum(), 1)), labels=[0, 1]))
    assert "bias" not in result.table


def test_the_plot_shows_the_worst_segments():
    result = segments(NOISE * np.where(X["region"] == "south", 4.0, 1.0))
    labels = [tick.get_text() for tick in result.plot().get_yticklabels()]
    assert labels[0].startswith("region is 'south'")


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="No segment has 5000 rows in both halves of the 2000 rows"):
        segments(NOISE, min_rows=5000)
    with pytest.raises(ValueError, match="metric='accuracy' must be one of"):
        segments(NOISE, metric="accuracy")
