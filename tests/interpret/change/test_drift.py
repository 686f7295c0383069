"""Drift over time: changes that are known, sudden and gradual, and none where there is none."""

import io

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from tabrec.interpret import drift_over_time


def draw(seed, n=1200):
    rng = np.random.default_rng(seed)
    day = np.sort(rng.integers(0, 720, n))
    return pd.DataFrame(
        {
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(day, "D"),
            "still": rng.normal(size=n),
            "slow": rng.normal(size=n) + day / 300,
            "jump": rng.normal(size=n) + 2 * (day >= 480),
            "town": np.where(rng.random(n) < np.where(day < 480, 0.5, 0.1), "a", "b"),
            "gap": np.where(rng.random(n) < np.where(day < 240, 0.0, 0.3), np.nan, 1.0),
        }
    ).sample(frac=1, random_state=seed, ignore_index=True)


def test_distances_are_those_of_the_rows_of_two_periods():
    X = draw(0)
    found = drift_over_time(X, "when", periods=3)
    order = X.sort_values("when", kind="stable").reset_index(drop=True)
    assert found.periods["n"].sum() == 1200
    assert found.periods["n"].between(390, 410).all()
    assert found.periods["start"][0] == X["when"].min()
    first, last = (order[order["when"].between(*found.periods.loc[i, ["start", "end"]])] for i in (0, 2))
    row = found.table.query("column == 'jump' and period == 2").iloc[0]
    assert row["distance"] == pytest.approx(ks_2samp(first["jump"], last["jump"]).statistic)
    assert "when" not in set(found.table["column"])


def test_sudden_and_gradual_changes_are_told_apart():
    found = drift_over_time(draw(0), "when", periods=6)
    texts = {finding.columns[0]: finding.text for finding in found.findings}
    assert set(texts) == {"slow", "jump", "town", "gap"}
    assert texts["slow"].startswith("slow drifts from 2020-01-01 on: new values larger")
    assert texts["jump"].startswith("jump changes in the period from 2021-04-")
    assert texts["town"].startswith("town changes in the period from 2021-04-")
    assert texts["gap"].startswith("gap changes in the period from 2020-0")
    assert "missing more often" in texts["gap"]


@pytest.mark.parametrize("seed", range(4))
def test_a_change_within_a_period_is_sudden_too(seed):
    rng = np.random.default_rng(seed)
    time = pd.date_range("2022-01-01", periods=1500, freq="6h")  # the last period has 40 rows
    X = pd.DataFrame({"volt": rng.normal(size=1500) + (np.arange(1500) > 900)})  # from August 14 on
    (found,) = drift_over_time(X, time, periods="QS").findings
    assert found.text.startswith("volt changes in the period from 2022-07-01: new values larger")


def test_without_drift_nothing_is_found():
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = pd.DataFrame({"a": rng.normal(size=600), "b": rng.choice(list("xyz"), 600), "c": rng.poisson(3, 600)})
        alarms += bool(drift_over_time(X, np.arange(600), periods=4).findings)
    assert alarms <= 2


def test_periods_of_the_calendar_and_those_of_few_rows():
    X = draw(0)
    years = drift_over_time(X, "when", periods="YS")
    assert years.periods["start"].dt.year.tolist() == [2020, 2021]
    few = pd.concat([X, X.head(5).assign(when=pd.Timestamp("2023-05-05"))], ignore_index=True)
    found = drift_over_time(few, "when", periods="YS")
    assert found.n_left_out == 5
    assert len(found.periods) == 2


def test_the_target_and_the_previous_period():
    X = draw(0)
    y = pd.Series(X["jump"] + 1, name="price")
    found = drift_over_time(X[["when", "still"]], "when", y, periods=6, reference="previous")
    price = found.table[found.table["column"] == "price"].set_index("period")["distance"]
    assert price.idxmax() == 4
    assert price.drop(4).max() < 0.2
    assert [finding.columns for finding in found.findings] == [("price",)]


def test_moments_may_be_numbers_and_text():
    X = draw(0)
    by_date = drift_over_time(X, "when", periods=4).table["distance"]
    by_text = drift_over_time(X.assign(when=X["when"].astype(str)), "when", periods=4).table["distance"]
    by_number = drift_over_time(X.drop(columns="when"), X["when"].astype("int64"), periods=4).table["distance"]
    assert by_date.tolist() == by_text.tolist() == by_number.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"time": "then"}, "No column 'then'"),
        ({"periods": 1}, "periods"),
        ({"periods": 200}, "gives 0 period|gives 1 period"),
        ({"periods": "fortnightly"}, "is not an alias of pandas"),
        ({"time": np.arange(1200), "periods": "MS"}, "the times are numbers"),
        ({"X": draw(0)[["when"]]}, "no column to compare"),
        ({"y": [1, 2]}, "y has 2|2 values"),
    ],
)
def test_requests_without_periods_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        drift_over_time(**({"X": draw(0), "time": "when"} | given))


def test_the_plot_names_columns_and_periods():
    for reference in ("first", "previous"):
        ax = drift_over_time(draw(0), "when", periods=5, reference=reference).plot(n_largest=3)
        assert len(ax.lines) == 3
        assert f"distance from the {reference} period" in ax.get_ylabel()
        assert "2 more columns change less" in ax.get_xlabel()
        ax.figure.savefig(io.BytesIO(), format="svg")
