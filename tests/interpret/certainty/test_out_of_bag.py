import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tabrec import ForestClassifier, ForestRegressor
from tabrec.interpret import oob_report
from tabrec.interpret.certainty._oob_findings import PredictedRows
from tabrec.interpret.certainty.out_of_bag import _predict_by_some
from tabrec.interpret.metrics import METRICS
from tabrec.trees.fitted_trees import read_trees


def make_rows(n_rows, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 3))
    return X, 2 * X[:, 0] + X[:, 1] + rng.normal(size=n_rows) + shift


def kinds(report):
    return [finding.kind for finding in report.findings]


@pytest.fixture(scope="module")
def forest():
    return ForestRegressor(n_estimators=40, random_state=0).fit(*make_rows(400, 0))


def test_the_scores_are_those_of_the_forest(forest):
    (X, y), (X_valid, y_valid) = make_rows(400, 0), make_rows(200, 1)
    table = oob_report(forest, X_valid, y_valid, X=X, y=y).table.set_index("rows")
    rmse = {
        "baseline": y_valid - y.mean(),
        "train": y - forest.predict(X),
        "out of bag": y - forest.oob_prediction_,
        "validation": y_valid - forest.predict(X_valid),
    }
    assert table.index.tolist() == list(rmse)
    assert table["n"].tolist() == [200, 400, 400, 200]
    assert table["score"].tolist() == pytest.approx([np.sqrt(np.mean(error**2)) for error in rmse.values()])


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_standard_error_is_what_the_score_varies_by(metric):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(600, 400))
    predicted = truth + rng.normal(size=truth.shape)
    pairs = zip(truth, predicted[:, :, None], strict=True)
    scores = [PredictedRows(*rows, None).score(METRICS[metric], None) for rows in pairs]
    assert np.mean([score.std_error for score in scores]) == pytest.approx(np.std([s.score for s in scores]), rel=0.1)


def test_a_score_without_any_error_has_no_standard_error():
    y = np.arange(5.0)
    assert PredictedRows(y, y[:, None], None).score(METRICS["rmse"], None)[:3] == (5, 0.0, 0.0)


def test_sklearn_forests_are_read_by_their_training_rows():
    (X, y), valid = make_rows(300, 0), make_rows(100, 1)
    model = RandomForestRegressor(30, oob_score=True, random_state=0).fit(X, y)
    table = oob_report(model, *valid, X=X, y=y, metric="r2").table.set_index("rows")
    assert table.loc["out of bag", "score"] == pytest.approx(model.oob_score_)
    assert table.loc["validation", "score"] == pytest.approx(model.score(*valid))
    piped = make_pipeline(StandardScaler(), RandomForestRegressor(30, random_state=0)).fit(X, y)
    assert oob_report(piped, *valid, X=X, y=y).table.shape == (4, 4)


def test_classifiers_are_judged_by_log_loss_beside_the_class_shares():
    (X, y), (X_valid, y_valid) = make_rows(300, 0), make_rows(200, 1)
    labels, truth = np.where(y > 1, "$high$", "low\n<b>"), np.where(y_valid > 1, "$high$", "low\n<b>")
    ours = ForestClassifier(n_estimators=30, random_state=0).fit(X, labels)
    report = oob_report(ours, X_valid, truth, X=X, y=labels)
    scores = report.table.set_index("rows")["score"]
    assert report.metric == "log loss"
    shares = np.tile([np.mean(labels == label) for label in ours.classes_], (200, 1))
    assert scores["baseline"] == pytest.approx(log_loss(truth, shares))
    assert scores["train"] == pytest.approx(log_loss(labels, ours.predict_proba(X)))
    assert scores["validation"] == pytest.approx(log_loss(truth, ours.predict_proba(X_valid)))
    n_trees = np.zeros(300)
    for drawn in ours.estimators_samples_:
        n_trees += ~np.isin(np.arange(300), drawn)
    even = (ours.oob_decision_function_ * n_trees[:, None] + 0.5) / (n_trees[:, None] + 1)
    assert scores["out of bag"] == pytest.approx(log_loss(labels, even))


def test_accuracy_is_that_of_the_forest():
    (X, y), (X_valid, y_valid) = make_rows(300, 0), make_rows(200, 1)
    labels, truth = np.where(y > 1, "$high$", "low\n<b>"), np.where(y_valid > 1, "$high$", "low\n<b>")
    ours = ForestClassifier(n_estimators=30, random_state=0).fit(X, labels)
    report = oob_report(ours, X_valid, truth, metric="accuracy")
    table = report.table.set_index("rows")
    assert table.index.tolist() == ["baseline", "out of bag", "validation"]
    assert table.loc["baseline", "score"] == np.mean(truth == "low\n<b>")
    assert table.loc["out of bag", "score"] == pytest.approx(ours.oob_score_)
    assert table.loc["validation", "score"] == pytest.approx(np.mean(ours.predict(X_valid) == truth))
    theirs = RandomForestClassifier(30, oob_score=True, random_state=0).fit(X, labels)
    table = oob_report(theirs, X_valid, truth, X=X, y=labels, metric="accuracy").table.set_index("rows")
    assert table.loc["out of bag", "score"] == pytest.approx(theirs.oob_score_)


def test_thirty_classes():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 30
    X = y[:, None] + rng.normal(0, 0.1, size=(300, 2))
    report = oob_report(ForestClassifier(n_estimators=20, random_state=0).fit(X, y), X, y)
    assert report.table.set_index("rows").loc["baseline", "score"] == pytest.approx(np.log(30))


def test_the_error_in_training_is_of_a_sample_of_the_rows_that_count():
    X, y = make_rows(400, 0)
    weights = np.repeat([0, 1, 3], [100, 200, 100])
    forest = ForestRegressor(n_estimators=60, random_state=0).fit(X, y, sample_weight=weights)
    given = {"X": X, "y": y, "max_rows": 10_000}
    whole = oob_report(forest, *make_rows(50, 1), **given).table.set_index("rows").loc["train"]
    repeated = np.repeat(np.arange(400), weights)
    assert whole["n"] == 500
    assert whole["score"] == pytest.approx(np.sqrt(np.mean((y - forest.predict(X))[repeated] ** 2)))
    given["max_rows"] = 120
    first, again, other = (oob_report(forest, *make_rows(50, 1), **given, random_state=seed) for seed in (0, 0, 1))
    assert first.table["n"].tolist()[:2] == [50, 120]
    assert first.table.equals(again.table)
    assert not first.table.equals(other.table)


# What the gaps mean


def test_rows_of_the_same_world_are_said_to_be(forest):
    report = oob_report(forest, *make_rows(300, 1), X=make_rows(400, 0)[0], y=make_rows(400, 0)[1])
    assert kinds(report) == ["no distribution shift", "overfitting"]


@pytest.mark.parametrize("kind", [ForestRegressor, ForestClassifier])
def test_few_trees_out_of_bag_are_no_sign_of_easier_rows(kind):
    found = []
    for seed in range(6):
        (X, y), (X_valid, y_valid) = make_rows(1500, 10 + seed), make_rows(1500, 100 + seed)
        y, y_valid = (y > 1, y_valid > 1) if kind is ForestClassifier else (y, y_valid)
        report = oob_report(kind(n_estimators=8, random_state=seed).fit(X, y), X_valid, y_valid)
        scores = report.table.set_index("rows")["score"]
        # About three of the eight trees predict a row out of bag.
        assert kind is ForestClassifier or scores["out of bag"] > 1.03 * scores["validation"]
        found += [finding for finding in report.findings if "as many trees" in finding.evidence]
    assert [finding.kind for finding in found].count("no distribution shift") >= 5


def test_rows_are_compared_by_as_many_trees_as_left_a_row_out(forest):
    y, X_valid = make_rows(400, 0)[1], make_rows(300, 1)[0]
    trees, rng = read_trees(forest, ""), np.random.default_rng(0)
    every = PredictedRows(y, forest.oob_prediction_[:, None], None, np.full(400, 40))
    assert _predict_by_some(trees, X_valid, every, rng).predicted[:, 0] == pytest.approx(forest.predict(X_valid))
    some = _predict_by_some(trees, X_valid, PredictedRows(y, every.predicted, None, np.full(400, 10)), rng)
    assert some.n_trees.mean() == pytest.approx(10, abs=0.7)


def test_a_changed_world_is_told_from_overfitting(forest):
    X, y = make_rows(400, 0)
    report = oob_report(forest, *make_rows(300, 1, shift=3.0), X=X, y=y)
    assert kinds(report)[-1] == "overfitting"
    assert "distribution shift" in kinds(report)
    finding = report.findings[kinds(report).index("distribution shift")]
    assert finding.severity == 1
    assert "standard errors apart" in finding.evidence


def test_dates_after_those_of_training_are_named():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"sold <b>$": pd.date_range("2020-01-01", periods=500), "size": rng.normal(size=500)})
    y = X["size"] + np.where(np.arange(500) < 400, 0, 5) + rng.normal(0, 0.3, 500)
    forest = ForestRegressor(n_estimators=20, random_state=0).fit(X[:400], y[:400])
    report = oob_report(forest, X[400:], y[400:])
    finding = report.findings[kinds(report).index("distribution shift")]
    assert finding.columns == ("sold <b>$",)
    assert "100% of them later in 'sold <b>$'" in finding.evidence


def test_copies_of_training_rows_are_suspected(forest):
    X, y = make_rows(400, 0)
    assert kinds(oob_report(forest, X, y)) == ["easier validation rows"]


def test_a_forest_that_learned_nothing_is_no_better_than_a_guess():
    rng = np.random.default_rng(0)
    forest = ForestRegressor(n_estimators=20, random_state=0).fit(rng.normal(size=(200, 3)), rng.normal(size=200))
    report = oob_report(forest, rng.normal(size=(100, 3)), rng.normal(size=100))
    assert kinds(report)[0] == "no better than the baseline"


def test_probabilities_of_a_rare_class_are_not_judged_by_accuracy():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2400, 2))
    y = np.where(rng.random(2400) < 1 / (1 + np.exp(3 - 1.5 * X[:, 0])), "rare", "common")
    forest = ForestClassifier(20, min_samples_leaf=60, random_state=0, n_jobs=1).fit(X[:1200], y[:1200])
    assert set(forest.predict(X[1200:])) == {"common"}  # its accuracy is that of the baseline
    assert "no better than the baseline" not in kinds(oob_report(forest, X[1200:], y[1200:]))
    random = ForestClassifier(20, min_samples_leaf=60, random_state=0, n_jobs=1).fit(
        X[:1200], rng.permutation(y[:1200])
    )
    found = oob_report(random, X[1200:], y[1200:]).findings[0]
    assert found.kind == "no better than the baseline"
    assert "Brier score" in found.evidence


def test_one_validation_row_tells_of_no_world():
    X, y = make_rows(100, 0)
    forest = ForestRegressor(n_estimators=20, random_state=0).fit(X, y)
    report = oob_report(forest, X[:1], y[:1] + 10)
    assert kinds(report) == ["too few rows"]
    assert np.isnan(report.table.set_index("rows").loc["validation", "std_error"])
    report.plot().figure.savefig("/dev/null", format="svg")


def test_a_slight_but_certain_gain_over_a_guess_is_seen():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 1))
    y = 0.25 * np.sign(X[:, 0]) + rng.normal(size=3000)
    forest = ForestRegressor(n_estimators=40, min_samples_leaf=150, random_state=0).fit(X[:1500], y[:1500])
    report = oob_report(forest, X[1500:], y[1500:])
    scores = report.table.set_index("rows")
    apart = scores.loc["baseline", "score"] - scores.loc["validation", "score"]
    # Were the two scores of different rows, the gain would be within chance.
    assert apart < 2 * np.hypot(*scores.loc[["baseline", "validation"], "std_error"])
    assert "no better than the baseline" not in kinds(report)


def test_a_forest_of_large_leaves_has_learned_little_by_heart():
    X, y = make_rows(400, 0)
    forest = ForestRegressor(n_estimators=30, min_samples_leaf=60, random_state=0).fit(X, y)
    assert "little overfitting" in kinds(oob_report(forest, *make_rows(300, 1), X=X, y=y))


# Requests that cannot be met


def test_models_without_out_of_bag_rows_are_refused():
    X, y = make_rows(50, 0)
    with pytest.raises(TypeError, match="oob_report reads forests .* not LinearRegression"):
        oob_report(LinearRegression().fit(X, y), X, y)
    with pytest.raises(NotFittedError):
        oob_report(ForestRegressor(), X, y)
    for model in (ExtraTreesRegressor(5), DecisionTreeRegressor(), ForestRegressor(bootstrap=False, oob_score=False)):
        with pytest.raises(ValueError, match="every tree has seen every row: fit a forest with bootstrap=True"):
            oob_report(model.fit(X, y), X, y)
    with pytest.raises(ValueError, match="oob_report needs X and y, the rows of fit"):
        oob_report(RandomForestRegressor(5).fit(X, y), X, y)


def test_rows_that_do_not_fit_are_refused(forest):
    X, y = make_rows(30, 0)
    with pytest.raises(ValueError, match="X and y, the rows of fit, go together"):
        oob_report(forest, X, y, X=X)
    with pytest.raises(ValueError, match="X has 30 rows, but y has 29"):
        oob_report(forest, X, y[:29])
    with pytest.raises(ValueError, match="fitted on 400 rows, but X has 30"):
        oob_report(forest, X, y, X=X, y=y)
    with pytest.raises(ValueError, match="metric='auc' must be one of rmse, mae, r2"):
        oob_report(forest, X, y, metric="auc")
    with pytest.raises(ValueError, match="2 features"):
        oob_report(forest, X[:, :2], y)


def test_as_many_rows_that_are_not_those_of_fit_are_refused(forest):
    X, y = make_rows(400, 1)
    with pytest.raises(ValueError, match="not the target that the forest was fitted on"):
        oob_report(forest, X, y, X=X, y=y)
    theirs = RandomForestRegressor(10, random_state=0).fit(*make_rows(400, 0))
    with pytest.raises(
        ValueError, match="oob_report: X and y have the right number of rows .* differ from the training data"
    ):
        oob_report(theirs, X, y, X=X, y=y)
    with pytest.raises(ValueError, match="The 'max_rows' parameter of oob_report must be an int in the range"):
        oob_report(forest, X, y, max_rows=1)


def test_several_outputs_are_refused():
    X, y = make_rows(50, 0)
    model = ForestRegressor(n_estimators=5, random_state=0).fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="oob_report is for one output, but this ForestRegressor has 2"):
        oob_report(model, X, np.column_stack([y, y]))


def test_rows_that_every_tree_drew_are_left_out():
    X, y = make_rows(30, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        forest = ForestRegressor(n_estimators=1, random_state=0).fit(X, y)
        drawn_all = ForestRegressor(n_estimators=1, random_state=0).fit(X[:1], y[:1])
    table = oob_report(forest, X, y).table.set_index("rows")
    assert table.loc["out of bag", "n"] == np.isfinite(forest.oob_prediction_).sum()
    with pytest.raises(ValueError, match="every tree drew every row"):
        oob_report(drawn_all, X, y)


def test_a_constant_target_is_borne():
    X, _ = make_rows(40, 0)
    forest = ForestRegressor(n_estimators=10, random_state=0).fit(X, np.full(40, 3.0))
    report = oob_report(forest, X[:1], [3.0], X=X, y=np.full(40, 3.0))
    assert (report.table["score"] == 0).all()
    report.plot()


def test_the_picture_shows_every_kind_of_rows(forest):
    report = oob_report(forest, *make_rows(300, 1))
    ax = report.plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["validation (300 rows)", "out of bag (400 rows)"]
    assert report.plot(ax=ax) is ax


@pytest.mark.real_data("bulldozers/Train.csv")
def test_later_auctions_are_another_world(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False, parse_dates=["saledate"], nrows=40_000)
    sales = sales.sort_values("saledate").tail(8_000).reset_index(drop=True)
    X, y = sales.drop(columns="SalePrice"), np.log(sales["SalePrice"])
    forest = ForestRegressor(n_estimators=40, min_samples_leaf=5, random_state=0).fit(X[:6000], y[:6000])
    report = oob_report(forest, X[6000:], y[6000:], X=X[:6000], y=y[:6000])
    scores = report.table.set_index("rows")["score"]
    assert scores["train"] < scores["out of bag"] < scores["validation"] < scores["baseline"]
    assert report.findings[0].kind == "distribution shift"
    assert report.findings[0].columns == ("saledate",)
