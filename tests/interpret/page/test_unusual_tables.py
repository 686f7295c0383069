"""Reports on unusual tables and models: what is said is true, or an error names the table and the fix."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

from tabrec import BoostingClassifier, ForestClassifier, ForestRegressor
from tabrec.interpret import Finding, feature_importance, interaction_strength, report
from tabrec.interpret.page.consistency import group_alike
from tabrec.interpret.page.report_page import NOT_SHOWN, Report

FAST = {"n_estimators": 20, "random_state": 0, "n_jobs": 1}
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def make_frame(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "c": rng.choice(list("xyz"), n)})


def explain(model, X, y, n_train=300, **options):
    y = np.asarray(y)
    return report(model.fit(X[:n_train], y[:n_train]), X[:n_train], y[:n_train], X[n_train:], y[n_train:], **options)


class Formula(RegressorMixin, BaseEstimator):
    """The column a of a frame, after a function of its own."""

    def __init__(self, function):
        self.function = function

    def fit(self, X, y):
        self.feature_names_in_, self.n_features_in_ = np.asarray(X.columns, dtype=object), X.shape[1]
        return self

    def predict(self, X):
        return self.function(X)


def refuse_gaps(X):
    if X.isna().to_numpy().any():
        raise ValueError("Input X contains NaN.")
    return X["a"].to_numpy()


def test_a_model_that_raises_on_missing_values_is_explained_by_its_complete_rows():
    X = make_frame()[["a", "b"]]
    new = X[300:].copy()
    new.iloc[:5, 1] = np.nan
    page = explain(Formula(refuse_gaps), X, X["a"], X_new=new)
    assert f"{NOT_SHOWN} Input X contains NaN." in page.html  # the predictions of new rows alone
    X.iloc[310:315, 1] = np.nan
    message = r"cannot predict the rows of X_valid: Input X contains NaN. Columns .* missing values: 'b' \(5 rows\)"
    with pytest.raises(ValueError, match=message):
        explain(Formula(refuse_gaps), X, X["a"])


def test_infinite_predictions_are_refused_by_every_function_with_their_place():
    X = make_frame()[["a", "b"]]
    X.loc[320, "a"] = 50.0
    model = Formula(lambda X: np.where(X["a"] > 40, np.inf, X["a"])).fit(X, X["a"])
    message = r"Formula predicts inf for 1 of {} rows, first at position {}: predictions must be finite"
    with pytest.raises(ValueError, match=message.format(100, 20)):
        explain(model, X, X["a"])
    with pytest.raises(ValueError, match=message.format(400, 320)):
        feature_importance(model, X, X["a"])


@pytest.mark.parametrize("weights", [np.zeros(400), -np.ones(400)])
def test_weights_without_weight_are_refused(weights):
    X = make_frame()
    model = ForestRegressor(**FAST).fit(X, X["a"])
    for call in (
        lambda: report(model, X, X["a"], sample_weight=weights),
        lambda: interaction_strength(model, X, ["a", "b"], sample_weight=weights),
    ):
        with pytest.raises(ValueError, match="weight"):
            call()


def test_columns_without_importance_have_no_interaction_on_the_page():
    X = make_frame()
    page = explain(ForestRegressor(**FAST), X, X["a"])
    weak = {name for finding in page.findings if finding.kind == "unclear importance" for name in finding.columns}
    assert weak == {"b", "c"}
    assert not any(weak & set(finding.columns) for finding in page.findings if finding.kind == "interaction")


def test_a_class_of_few_rows_that_no_set_holds_is_not_called_badly_covered():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"k": rng.integers(0, 60, 1200), "z": rng.normal(size=1200)})
    y = np.array([f"class {k:02d}" for k in np.where(rng.random(1200) < 0.7, X["k"], rng.integers(0, 60, 1200))])
    page = explain(ForestClassifier(**FAST), X, y, 900)
    for finding in page.findings:
        if finding.kind == "low coverage":
            assert int(finding.evidence.split()[0]) >= 4  # 0.1 ** 3, that none of 3 is covered, times 61 parts is 0.06


def test_two_rows_carry_no_information_on_redundancy():
    X = make_frame(2)
    page = report(ForestRegressor(5, random_state=0).fit(X, [1.0, 2.0]), X, [1.0, 2.0])
    assert "redundant columns" not in {finding.kind for finding in page.findings}


@pytest.mark.parametrize("names", [["total", "base", "other", "rows"], ["prediction", "output", "count", "effect"]])
def test_columns_may_have_the_names_of_parts_of_a_page(names):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(400, 4)), columns=names)
    page = explain(ForestRegressor(**FAST), X, X.iloc[:, 0] + X.iloc[:, 1] * X.iloc[:, 2])
    assert NOT_SHOWN not in page.html
    assert all(f"Partial dependence of {name}," in page.html for name in names[:2])


@pytest.mark.parametrize("labels", [["القاهرة", "דבי 😀", "الرياض"], ["東京", "大阪", "名古屋"]])
def test_labels_of_any_script_are_on_the_page(labels):
    X = make_frame()
    X["город"] = np.resize(labels, 400)
    page = explain(ForestRegressor(**FAST), X, (X["город"] == labels[0]) * 3 + X["a"], target="السعر")
    assert NOT_SHOWN not in page.html
    assert all(label in page.html for label in [*labels, "город", "السعر"])


@pytest.mark.parametrize("kind", [ForestClassifier, BoostingClassifier])
def test_classes_may_be_whole_numbers_or_booleans(kind):
    X = make_frame()
    for y in (np.digitize(X["a"], [-0.5, 0.5]), X["a"].to_numpy() > 0):
        model = kind(20, random_state=0) if kind is ForestClassifier else kind(max_iter=20, random_state=0)
        page = explain(model, X, y)
        assert NOT_SHOWN not in page.html


def test_a_table_of_dates_alone_is_explained():
    X = pd.DataFrame({"when": pd.date_range("2015-01-01", periods=500)})
    page = explain(ForestRegressor(**FAST), X, X["when"].dt.dayofweek * 2.0, 400)
    assert NOT_SHOWN not in page.html
    assert "Partial dependence of whenDayofweek" in page.html


def test_columns_without_a_value_are_said_to_be_constant():
    X = make_frame().assign(gone=np.nan, text=pd.Series([None] * 400, dtype=object))
    page = explain(ForestRegressor(**FAST), X, X["a"] + X["b"])
    (constant,) = (finding for finding in page.findings if finding.kind == "constant column")
    assert {"gone", "text"} <= set(constant.columns)


def test_findings_that_are_alike_are_printed_once_and_seven_at_most():
    alike = [Finding("outside", 2, (name,), f"{name} is outside.", "", "Look.") for name in "abc"]
    others = [Finding(f"kind {n}", 3, (), f"Finding {n}.", "", "") for n in range(9)]
    printed = repr(Report("", [*alike, *others])).splitlines()
    assert printed[1:3] == ["  Check: a is outside. (and 2 more of this kind)", "  Note: Finding 0."]
    assert len(printed) == 9
    assert printed[-1] == "  … and 3 more on the page."
    assert [len(group) for group in group_alike([*alike, *others])] == [3, *[1] * 9]


def test_a_linear_model_of_other_scales_keeps_numbers_readable():
    X = make_frame()[["a", "b"]]
    page = explain(LinearRegression(), X, (X["a"] * 1e12 + X["b"] * 4e11 + 5e13).rename("revenue $"))
    assert NOT_SHOWN not in page.html
    assert "5e+13" not in page.html


def test_axes_of_predictions_name_the_target_of_a_regressor():
    X = make_frame()
    html = explain(ForestRegressor(**FAST), X, X["a"] + X["b"], target="price").html
    assert ">average predicted price<" in html
    assert ">predicted price<" in html
    assert "average prediction<" not in html


def find_kinds(page):
    return {finding.kind for finding in page.findings}


def test_a_target_that_moves_between_training_and_held_out_rows_is_said_to():
    X = make_frame(800)
    same = explain(ForestRegressor(**FAST), X, X["a"] + X["b"], 400)
    assert "shifted target" not in find_kinds(same)
    moved = explain(ForestRegressor(**FAST), X, X["a"] + X["b"] + np.repeat([0.0, 1.0], 400), 400)
    (found,) = (finding for finding in moved.findings if finding.kind == "shifted target")
    assert found.text == "The target of held-out rows differs."
    assert "400 and 400 rows" in found.evidence
    assert "no shift" not in find_kinds(moved)  # one page does not say both
    y = np.where(X["a"] > np.repeat([0.0, 1.0], 400), "yes", "no")
    classes = explain(ForestClassifier(**FAST), X, y, 400)
    (found,) = (finding for finding in classes.findings if finding.kind == "shifted target")
    assert found.evidence.startswith(f"Share of yes {(y[:400] == 'yes').mean():.1%} → {(y[400:] == 'yes').mean():.1%}")


def test_predictions_of_newest_rows_are_compared_with_those_of_held_out_rows():
    X, new = make_frame(), make_frame(200, seed=1)
    for moved, expected in ((0.0, set()), (2.0, {"shifted predictions"})):
        page = explain(ForestRegressor(**FAST), X, X["a"], X_new=new.assign(a=new["a"] + moved))
        assert find_kinds(page) & {"shifted predictions"} == expected


def test_rows_from_the_lowest_to_the_highest_prediction_are_shown_with_reasons():
    X = make_frame()
    for model, y in (
        (ForestRegressor(**FAST), X["a"]),
        (LinearRegression(), X["a"]),
        (ForestClassifier(**FAST), np.where(X["a"] > 0, "yes", "no")),
        (ForestClassifier(**FAST), np.digitize(X["a"], [-1, 0, 1])),
    ):
        frame = X[["a", "b"]]
        html = explain(model, frame, y).html
        table = html[html.index("<summary>Rows from the lowest to the highest") :].split("</table>")[0]
        lowest, highest = (int(frame["a"][300:].argmin()) + 300, int(frame["a"][300:].argmax()) + 300)
        assert table.count("<tr>") == 9
        if not isinstance(model, ForestClassifier):
            assert f">{highest}<" in table or f">{lowest}<" in table
        assert "a = " in table
    assert "one dot each" not in html  # of four classes
