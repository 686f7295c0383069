"""Cohorts: means of contributions that are known, by labels, quarters, given groups and the leaves of a tree."""

import io

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import contributions, shap_values

RNG = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "size": RNG.uniform(0, 10, 300),
        "town": RNG.choice(["a", "b", "$c$"], 300, p=[0.5, 0.3, 0.2]),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(300), "D"),
        "gap": np.where(RNG.random(300) < 0.2, np.nan, RNG.normal(size=300)),
    }
)
Y = X["size"].to_numpy() * np.where(X["town"] == "a", 2.0, 0.5) + RNG.normal(0, 0.2, 300)
FOREST = ForestRegressor(20, random_state=0).fit(X, Y)
FOUND = shap_values(FOREST, X).by_source()


def by_hand(rows):
    return FOUND.contributions[rows].mean(axis=0)


def of_cohort(cohorts, name):
    table = cohorts.table[cohorts.table["cohort"] == name]
    assert table["column"].tolist() == FOUND.columns
    return table


def test_the_labels_of_a_column_are_cohorts_the_most_frequent_first():
    cohorts = FOUND.by_cohort("town")
    assert cohorts.table["cohort"].unique().tolist() == ["town = a", "town = b", "town = $c$"]
    for label in ("a", "b", "$c$"):
        rows = (X["town"] == label).to_numpy()
        table = of_cohort(cohorts, f"town = {label}")
        assert table["contribution"].to_numpy() == pytest.approx(by_hand(rows))
        expected = FOUND.contributions[rows].std(axis=0, ddof=1) / np.sqrt(rows.sum())
        assert table["std_error"].to_numpy() == pytest.approx(expected)
        assert (table["n"] == rows.sum()).all()
        assert cohorts.base + table["contribution"].sum() == pytest.approx(table["prediction"].iloc[0])
        assert table["prediction"].iloc[0] == pytest.approx(FOREST.predict(X[rows]).mean())


def test_numbers_and_dates_are_cut_into_quarters_and_missing_values_are_a_cohort():
    cohorts = FOUND.by_cohort("day").table
    assert cohorts["cohort"].unique().tolist()[0] == "day 2020-01-01 to 2020-03-15"
    assert cohorts.groupby("cohort")["n"].first().tolist() == [75] * 4
    names = FOUND.by_cohort("gap").table["cohort"].unique().tolist()
    assert len(names) == 5
    assert names[-1] == "gap missing"
    missing = X["gap"].isna().to_numpy()
    assert of_cohort(FOUND.by_cohort("gap"), "gap missing")["contribution"].to_numpy() == pytest.approx(
        by_hand(missing)
    )


def test_rare_labels_are_pooled():
    labels = np.array([f"l{i // 20:02d}" for i in range(300)])
    table = FOUND.by_cohort(labels).table
    assert table["cohort"].unique().tolist() == [f"l{i:02d}" for i in range(7)] + ["other"]
    assert table.groupby("cohort")["n"].first()["other"] == 300 - 7 * 20


def test_cohorts_of_a_tree_are_where_contributions_differ_most():
    cohorts = FOUND.by_cohort(2).table
    assert cohorts["cohort"].unique().tolist() in (["town = a", "town not a"], ["town not a", "town = a"])
    table = of_cohort(FOUND.by_cohort(2), "town = a")
    assert table["contribution"].to_numpy() == pytest.approx(by_hand((X["town"] == "a").to_numpy()))
    many = FOUND.by_cohort(6).table.drop_duplicates("cohort")
    assert len(many) == 6
    assert many["n"].sum() == 300


def test_thresholds_of_a_tree_are_values_of_the_column():
    line = pd.DataFrame({"x": np.arange(40.0)})
    model = LinearRegression().fit(line, np.where(line["x"] < 20, 0.0, 10.0))
    names = contributions(model, line, background=line).by_cohort(2).table["cohort"].tolist()
    assert names == ["x ≤ 19", "x > 19"]


def test_a_class_is_chosen_as_elsewhere():
    classes = ForestClassifier(10, random_state=0).fit(X, np.where(Y > 8, "high", "low"))
    found = shap_values(classes, X).by_source()
    low = found.by_cohort("town").table["contribution"].to_numpy()  # the second class by default
    assert found.by_cohort("town", output="high").table["contribution"].to_numpy() == pytest.approx(-low)
    assert found.by_cohort("town").output == "low"
    assert "low" in found.by_cohort("town").plot().get_xlabel()


@pytest.mark.parametrize(
    ("by", "message"),
    [("city", "'city' is not a column"), (1, "from 2 to the number of rows, 300"), ([1, 2], "by has 2 values")],
)
def test_what_is_no_cohort_is_refused(by, message):
    with pytest.raises(ValueError, match=message):
        FOUND.by_cohort(by)


def test_the_plot_names_cohorts_with_their_rows():
    ax = FOUND.by_cohort("town").plot(n_largest=2)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    rows = X["town"].value_counts()
    assert legend == [rf"town = {name} ({rows[label]} rows)" for label, name in zip("ab", "ab", strict=True)] + [
        rf"town = \$c\$ ({rows['$c$']} rows)"
    ]
    assert "; 2 more columns are not shown" in ax.get_xlabel()
    assert len(ax.patches) == 6
    ax.figure.savefig(io.BytesIO(), format="svg")
