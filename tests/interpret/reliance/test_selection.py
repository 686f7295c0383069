"""Column selection: kept columns, loss of accuracy, and its standard error."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_predict

from tabrec import ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import drop_unimportant, redundancy, try_dropping

FOREST = RandomForestRegressor(32, oob_score=True, random_state=0, min_samples_leaf=3)


def make_frame(n=500, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=["strong", "weak", "noise", "<b>$", "last"])
    X["twin"] = X["strong"] + rng.normal(0, 0.01, n)
    return X, (3 * X["strong"] + X["weak"] + rng.normal(0, 0.5, n)).to_numpy()


# --- drop_unimportant ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "impurity", "permutation", "drop"])
def test_what_matters_is_kept_and_what_is_lost_is_told(method):
    X, y = make_frame()
    X = X.drop(columns="twin")
    X_valid, y_valid = make_frame(seed=1)
    found = drop_unimportant(FOREST, X, y, 0.02, cv=(X_valid, y_valid), method=method)
    assert (found.kept, found.dropped) == (["strong", "weak"], ["noise", "<b>$", "last"])
    assert found.shares.sum() == pytest.approx(1)
    assert found.model.feature_names_in_.tolist() == found.kept
    assert found.table["rows"].tolist() == ["out of bag", "validation"]
    before = RandomForestRegressor(**FOREST.get_params()).fit(X, y).oob_score_
    after = RandomForestRegressor(**FOREST.get_params()).fit(X[found.kept], y)
    np.testing.assert_allclose(found.table.iloc[0][["before", "after"]].astype(float), [before, after.oob_score_])
    valid = after.score(X_valid[found.kept], y_valid)
    assert found.table["after"][1] == pytest.approx(valid)
    np.testing.assert_allclose(found.table["change"], found.table["after"] - found.table["before"])
    assert found.findings[0].columns == tuple(found.dropped)
    assert found.table["verdict"].tolist() == ["better", "better"]
    assert found.findings[0].kind == "better without"
    assert found.findings[0].text == "The model predicts clearly better without noise, <b>$, last."


def test_a_threshold_that_costs_the_score_is_said_to():
    X, y = make_frame()
    found = drop_unimportant(FOREST, X.drop(columns="twin"), y, 0.3)
    assert found.kept == ["strong"]
    assert found.findings[0].severity == 2
    assert "clearly worse" in found.findings[0].text
    row = found.table.iloc[0]
    assert row["change"] < -2 * row["std_error"]


def test_a_threshold_of_0_keeps_whatever_helps_at_all():
    X, y = make_frame(200)
    found = drop_unimportant(LinearRegression(), X[["strong", "weak"]], y, 0)
    assert (found.dropped, found.findings) == ([], [])
    assert found.table["rows"].tolist() == ["cross-validation"]
    assert found.table["change"][0] == 0


def test_models_without_left_out_rows_are_compared_on_validation_rows():
    X, y = make_frame(400)
    X_valid, y_valid = make_frame(300, seed=1)
    factory = lambda: HistGradientBoostingRegressor(max_iter=30, random_state=0)  # noqa: E731
    found = drop_unimportant(factory, X, y, 0.02, cv=(X_valid, y_valid), metric="rmse")
    assert found.importance.method == "permutation"
    assert found.table["rows"].tolist() == ["validation"]
    assert {"strong", "weak"} & set(found.kept)
    assert "noise" in found.dropped


def test_raw_columns_of_our_forests_are_judged_with_all_their_parts():
    sales = make_auctions(300, random_state=0)
    X = sales[["YearMade", "ProductSize", "saledate", "MachineHoursCurrentMeter", "Ripper"]]
    forest = ForestRegressor(n_estimators=15, random_state=0, n_jobs=1)
    found = drop_unimportant(forest, X, sales["SalePrice"], 0.05)
    assert set(found.shares.index) == set(X.columns)
    assert found.importance.groups.keys() == {"saledate", "MachineHoursCurrentMeter"}
    assert {"YearMade", "ProductSize"} <= set(found.kept) <= set(X.columns)
    encoded = forest.fit(X, sales["SalePrice"]).encode(X)
    again = drop_unimportant(forest, encoded, sales["SalePrice"], 0.02)
    assert set(again.shares.index) == set(encoded.columns)


def test_arrays_are_taken():
    X, y = make_frame()
    found = drop_unimportant(FOREST, X.to_numpy()[:, :5], y, 0.02)
    assert found.kept == ["x0", "x1"]
    assert found.model.n_features_in_ == 2


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"threshold": 1}, "'threshold' parameter.*Got 1"),
        ({"threshold": -0.1}, "'threshold' parameter.*Got -0.1"),
        ({"threshold": 0.99}, "keeps no column.*largest"),
        ({"cv": (pd.DataFrame({"strong": [1.0]}), [1.0])}, "X_valid lacks column.*'weak'"),
        ({"method": "permutation"}, r"cv=\(X_valid, y_valid\)"),
        ({"metric": "accuracy"}, "metric='accuracy'"),
        ({"method": "luck"}, "'method' parameter.*Got 'luck'"),
    ],
)
def test_options_of_drop_unimportant_out_of_range_are_refused(options, match):
    X, y = make_frame(60)
    with pytest.raises(ValueError, match=match):
        drop_unimportant(FOREST, X, y, **options)


def test_where_nothing_matters_nothing_is_kept():
    X, _ = make_frame(60)
    with pytest.raises(ValueError, match="keeps no column: none has any importance"):
        drop_unimportant(FOREST, X, np.ones(60))


def test_what_is_no_model_is_refused():
    X, y = make_frame(60)
    with pytest.raises(ValueError, match="'model_factory' parameter.*Got 'forest'"):
        drop_unimportant("forest", X, y)


# --- try_dropping ----------------------------------------------------------------------------------------------------


def test_scores_without_a_column_are_those_of_a_forest_without_it():
    X, y = make_frame()
    found = try_dropping(FOREST, X, y, ["strong", "noise", ["strong", "twin"]])
    assert found.table["dropped"].tolist() == [("strong",), ("noise",), ("strong", "twin")]
    assert (found.rows, found.metric) == ("out of bag", "R²")
    assert found.baseline == pytest.approx(RandomForestRegressor(**FOREST.get_params()).fit(X, y).oob_score_)
    for row, gone in zip(found.table.itertuples(), (["strong"], ["noise"], ["strong", "twin"]), strict=True):
        score = RandomForestRegressor(**FOREST.get_params()).fit(X.drop(columns=gone), y).oob_score_
        assert row.score == pytest.approx(score)
        assert row.change == pytest.approx(score - found.baseline)
    assert found.table["verdict"].tolist()[2] == "worse"
    assert found.table["verdict"].tolist()[1] != "worse"
    assert abs(found.table["change"][0]) < 0.05  # its twin stands in for it


def test_scores_by_folds_are_scikit_learns():
    X, y = make_frame(200)
    folds = KFold(4)
    found = try_dropping(LinearRegression(), X, y, ["strong", "weak"], cv=folds, metric="mae")
    predicted = cross_val_predict(LinearRegression(), X.drop(columns="weak"), y, cv=folds)
    assert found.table["score"][1] == pytest.approx(np.abs(y - predicted).mean())
    assert found.table["verdict"].tolist() == ["no clear change", "worse"]
    assert found.table["change"][1] > 0
    assert found.rows == "cross-validation"


def test_classes_that_a_fold_lacks_are_kept_in_place():
    X, _ = make_frame(90)
    labels = np.array(["a", "b", "c"], dtype=object)[(X["strong"] > 0).astype(int)]
    labels[0] = "c"
    found = try_dropping(RandomForestClassifier(10, random_state=0), X, labels, ["noise"], cv=3, metric="accuracy")
    assert found.metric == "accuracy"
    assert found.baseline > 0.8


def test_clusters_are_dropped_one_by_one_and_then_all_but_the_first():
    X, y = make_frame(200)
    clusters = SimpleNamespace(clusters=[["strong", "twin"], ["noise", "last"]])
    found = try_dropping(FOREST, X, y, clusters)
    assert found.table["dropped"].tolist() == [("strong",), ("twin",), ("noise",), ("last",), ("twin", "last")]


def test_what_redundancy_finds_can_be_tried():
    sales = make_auctions(200, random_state=0)
    X = sales[["ProductGroup", "ProductGroupDesc", "YearMade", "saledate"]]
    forest = ForestRegressor(n_estimators=10, random_state=0, n_jobs=1)
    found = try_dropping(forest, X, sales["SalePrice"], redundancy(X))
    assert {("ProductGroup",), ("ProductGroupDesc",)} <= set(found.table["dropped"])
    assert not any("saleElapsed" in dropped for dropped in found.table["dropped"])


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (["absent"], "unknown 'absent'; X has"),
        (["saleElapsed"], "made of 'saledate'.*encode"),
        (["hours_na"], "made of 'hours'"),
        ("hours", "must be a list"),
        ([], "nothing to drop"),
        ([[]], "nothing to drop"),
        ([["hours", "saledate"]], "no column would be left"),
        (SimpleNamespace(clusters=[["hours", "odd"]]), "unknown 'odd'"),
    ],
)
def test_columns_that_cannot_be_dropped_are_refused_with_the_raw_column_named(columns, match):
    X = pd.DataFrame({"hours": [np.nan, *range(29)], "saledate": pd.date_range("2020-01-01", periods=30)})
    with pytest.raises(ValueError, match=match):
        try_dropping(ForestRegressor(n_estimators=5), X, np.arange(30.0), columns)


@pytest.mark.parametrize("cv", [1, 100])
def test_impossible_folds_are_refused(cv):
    X, y = make_frame(60)
    with pytest.raises(ValueError, match=f"cv={cv}"):
        try_dropping(LinearRegression(), X, y, ["noise"], cv=cv)


def test_several_targets_of_classes_are_refused():
    X, y = make_frame(60)
    with pytest.raises(ValueError, match="one target of classes"):
        try_dropping(RandomForestClassifier(5), X, np.column_stack([y > 0, y > 1]), ["noise"])


# --- Pictures --------------------------------------------------------------------------------------------------------


def test_the_plots_bear_any_label():
    X, y = make_frame(150)
    X.columns = ["strong", "<i>weak</i>", "$noise$ \n", "🚜", "b" * 80, "twin"]
    dropped = try_dropping(FOREST, X, y, list(X.columns))
    selected = drop_unimportant(FOREST, X, y, 0.02)
    for found in (dropped, selected):
        ax = found.plot()
        assert isinstance(ax, Axes)
        ax.figure.canvas.draw()
        assert found.plot(ax=ax) is ax
        assert len(ax.get_yticks()) == 6


# --- Real data -------------------------------------------------------------------------------------------------------


@pytest.mark.real_data("bulldozers/Train.csv")
def test_on_bulldozers_half_of_the_columns_can_go(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers" / "Train.csv", low_memory=False, nrows=4000)
    X, y = sales.drop(columns="SalePrice"), np.log(sales["SalePrice"])
    forest = ForestRegressor(n_estimators=15, random_state=0, min_samples_leaf=5, max_features=0.5, n_jobs=1)
    found = drop_unimportant(forest, X, y, method="impurity")
    assert len(found.kept) < 35
    assert {"YearMade", "ProductSize"} <= set(found.kept)
    assert abs(found.table["change"][0]) < 0.02


def test_repeats_are_averaged_over_the_fits_with_other_seeds():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=list("abc"))
    y = X["a"].to_numpy() + rng.normal(size=200)
    forest, valid = ForestRegressor(5, random_state=3), (X[:50], y[:50])
    found = try_dropping(forest, X[50:], y[50:], ["c"], cv=valid, metric="rmse", n_repeats=4)
    fits = [ForestRegressor(5, random_state=3 + repeat).fit(X[50:], y[50:]) for repeat in range(4)]
    mean = np.mean([fit.predict(X[:50]) for fit in fits], axis=0)
    assert found.baseline == pytest.approx(np.sqrt(np.mean((y[:50] - mean) ** 2)))
    out_of_bag = try_dropping(forest, X, y, ["c"], metric="rmse", n_repeats=4)
    sums, counts = np.zeros(200), np.zeros(200)
    for fit in (ForestRegressor(5, random_state=3 + repeat).fit(X, y) for repeat in range(4)):
        seen = ~np.isnan(fit.oob_prediction_)
        sums[seen] += fit.oob_prediction_[seen]
        counts += seen
    seen = counts > 0
    assert out_of_bag.baseline == pytest.approx(np.sqrt(np.mean((y[seen] - sums[seen] / counts[seen]) ** 2)))


def test_a_verdict_on_one_of_many_columns_needs_more_standard_errors():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 21))).add_prefix("x")
    y = X["x0"] + rng.normal(size=300)
    table = try_dropping(LinearRegression(), X, y, list(X.columns[1:])).table
    z = (table["change"] / table["std_error"]).abs()
    assert ((z > 2) & (z < 3.05)).any()
    assert (table["verdict"] != "no clear change").equals(z > 3.0518)
    alone = try_dropping(LinearRegression(), X, y, list(table["dropped"][z.where(z < 3.05).idxmax()])).table
    assert alone["verdict"].tolist() == ["better"]
