"""Counterfactuals: the fewest changes where they are known, only of changeable columns and with values of the data."""

import io

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import counterfactuals
from tabrec.tables.columns import read_frame

RNG = np.random.default_rng(0)
N = 400
X = pd.DataFrame(
    {
        "income": RNG.integers(10, 100, N),
        "debts": RNG.integers(0, 10, N),
        "home": RNG.choice(["rent", "own", "$other$"], N),
        "age": RNG.integers(18, 80, N),
        "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, N), "D"),
    }
)
IS_GOOD = (X["income"] - 6 * X["debts"] + 30 * (X["home"] == "own")).to_numpy()


class Rule:
    """A classifier of a known rule: approved where income, less debts, plus a home, is above a limit."""

    _estimator_type = "classifier"

    def __init__(self, limit):
        self.limit, self.classes_ = limit, np.array(["no", "yes"])
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]

    def __sklearn_tags__(self):
        return ForestClassifier().__sklearn_tags__()

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        score = X["income"] - 6 * X["debts"] + 30 * (X["home"] == "own")
        chance = 1 / (1 + np.exp((self.limit - score.to_numpy(float)) / 10))
        return np.column_stack([1 - chance, chance])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def poor(**values):
    return pd.DataFrame(
        {"income": [40], "debts": [5], "home": ["rent"], "age": [30], "since": [pd.Timestamp("2021-01-01")]} | values
    )


def test_one_change_is_found_where_one_is_enough():
    # 40 - 30 = 10; to exceed 25: debts ≤ 2, income > 55 or an own home.
    found = counterfactuals(Rule(25), poor(), X, ["income", "debts", "home", "age"], n_largest=9)
    assert (found.table["n_changes"] == 1).all()
    assert {changes.split(":")[0] for changes in found.table["changes"]} == {"income", "debts", "home"}
    assert found.goal == "yes"
    assert found.prediction == pytest.approx(1 / (1 + np.exp(1.5)))
    assert (Rule(25).predict(found.rows) == "yes").all()
    for name in X:
        assert found.rows[name].isin([*X[name], poor()[name][0]]).all()
    assert found.is_complete
    assert "none of fewer changes reaches the goal" in found.findings[0].evidence


def test_two_changes_are_found_where_one_is_not_enough_and_none_else():
    # 10 + 30 + 30 at most by debts and home; with income 40 fixed, above 65 needs both.
    found = counterfactuals(Rule(65), poor(), X, ["debts", "home"], n_largest=3)
    assert (found.table["n_changes"] == 2).all()
    assert found.table["changes"][0] == "debts: 5 → 0, home: rent → own"
    assert found.rows["debts"].tolist() == [0]
    found = counterfactuals(Rule(75), poor(), X, ["debts", "home"])
    assert found.table.empty
    assert len(found.rows) == 0
    (finding,) = found.findings
    assert finding.kind == "no counterfactual"
    assert "with debts: 5 → 0, home: rent → own." in finding.evidence
    io_plot(found)
    assert counterfactuals(Rule(65), poor(), X, ["debts", "home"], max_changes=1).table.empty


def io_plot(found):
    ax = found.plot()
    ax.figure.savefig(io.BytesIO(), format="svg")
    return ax


def test_a_threshold_asks_for_more_than_the_most_probable_class():
    near = counterfactuals(Rule(25), poor(), X, ["income"])
    sure = counterfactuals(Rule(25), poor(), X, ["income"], threshold=0.9)
    assert near.table["prediction"].min() > 0.5
    assert sure.table["prediction"].min() >= 0.9
    assert sure.rows["income"].min() > near.rows["income"].min()
    with pytest.raises(ValueError, match="reaches goal='no' as it is"):
        counterfactuals(Rule(25), poor(), X, ["income"], goal="no")


def test_a_number_has_an_interval_to_reach():
    line = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) % 3})
    model = LinearRegression().fit(line, 10 * line["a"] + line["b"])
    found = counterfactuals(model, line.head(1), line, ["a", "b"], goal=(95, 105), n_largest=1)
    assert found.table["changes"].tolist() == ["a: 0 → 10"]
    assert found.table["prediction"][0] == pytest.approx(100)
    found = counterfactuals(model, line.head(1), line, ["a", "b"], goal=(185, None), n_largest=1)
    assert found.table["changes"].tolist() == ["a: 0 → 19"]
    assert [line.get_xdata()[0] for line in io_plot(found).lines] == [185]


def test_rows_unlike_the_data_are_said_to_be():
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    twins = pd.DataFrame({"x": x, "y": x + 0.01 * rng.normal(size=500), "z": rng.choice(list("ab"), 500)})
    labels = np.where((twins["x"] > 0) ^ (twins["z"] == "a"), "one", "two")
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    coded = twins.assign(z=(twins["z"] == "a").astype(int))
    tree.fit(coded, labels)
    row = coded[(coded["x"] > 1) & (coded["z"] == 0)].head(1)
    found = counterfactuals(tree, row, coded, ["x", "z"], n_largest=10).table
    apart = found[found["changes"].str.startswith("x")]
    likely = found[found["changes"].str.startswith("z")]
    assert likely["plausibility"].min() > 0.2
    assert apart["plausibility"].max() < 0.05
    assert found["changes"][0].startswith("z")


def test_forests_of_labels_dates_and_gaps():
    gaps = X.assign(debts=X["debts"].where(X["debts"] != 3), home=X["home"].where(X["home"] != "rent"))
    forest = ForestClassifier(20, random_state=0).fit(gaps, np.where(IS_GOOD > 30, "yes", "no"))
    row = gaps[forest.predict(gaps) == "no"].head(1)
    found = counterfactuals(forest, row, gaps, list(gaps.columns), n_largest=3)
    assert (forest.predict(found.rows) == "yes").all()
    assert found.rows.dtypes.astype(str).tolist() == gaps.dtypes.astype(str).tolist()
    again = counterfactuals(forest, pl.from_pandas(row), pl.from_pandas(gaps), list(gaps.columns), n_largest=3)
    assert again.table["changes"].tolist() == found.table["changes"].tolist()


def test_arrays_are_passed_on_as_arrays():
    values = RNG.normal(size=(100, 3))
    model = LogisticRegression().fit(values, values[:, 0] > 0)
    row = values[~model.predict(values)][:1]
    names = read_frame(row).columns.tolist()
    found = counterfactuals(model, row, values, names[:1])
    assert found.rows[names[1:]].to_numpy()[0] == pytest.approx(row[0, 1:])
    assert model.predict(found.rows.to_numpy()).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"row": X.head(2)}, "row must be one row"),
        ({"changeable": ["shoe"]}, "must name columns of the model"),
        ({"changeable": []}, "must name columns of the model"),
        ({"X": X.head(1)}, "at least 2"),
        ({"X": X.drop(columns="age")}, r"lacks the column\(s\) \['age'\]"),
        ({"goal": "maybe"}, "must be one of the classes"),
        ({"threshold": 1.5}, "threshold"),
    ],
)
def test_requests_without_an_answer_are_refused(given, message):
    arguments = {"row": poor(), "X": X, "changeable": ["income"]} | given
    with pytest.raises(ValueError, match=message):
        counterfactuals(Rule(25), **arguments)


@pytest.mark.parametrize("goal", [None, 5, (None, None), (3, 1)])
def test_intervals_without_meaning_are_refused(goal):
    forest = ForestRegressor(5, random_state=0).fit(X, IS_GOOD)
    with pytest.raises(ValueError, match="goal="):
        counterfactuals(forest, poor(), X, ["income"], goal=goal)
