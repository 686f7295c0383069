"""Feature importance: equality with brute force, valid standard errors, and speed."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tabrec import ForestClassifier, ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import FeatureImportance, feature_importance
from tabrec.interpret.models import predictor
from tabrec.interpret.reliance._importance_methods import as_table
from tabrec.interpret.reliance._permuted_trees import PermutedTrees, _tested_columns
from tabrec.trees.fitted_trees import read_trees
from tabrec.trees.training_rows import read_drawn_rows

UGLY = ["<b>bold & wide</b>", "$x^2$ \n in dollars", "🚜 tractors", "a" * 90, "\\frac{1}{2}$"]
AUCTION_COLUMNS = ["YearMade", "ProductSize", "saledate", "MachineHoursCurrentMeter", "state", "fiModelDesc", "SalesID"]


def by_column(found):
    table = found.table
    return table[~table["is_group"]].set_index("column")


def groups_of(found):
    table = found.table
    return table[table["is_group"]].set_index("column")


def make_numbers(n=300, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)).astype(np.float32)
    return X, 3 * X[:, 0] + X[:, 1] + rng.normal(0, 0.5, n)


def make_noise_id(n, rng, is_class):
    """An uninformative unique id, an uninformative number and a binary signal."""
    X = pd.DataFrame({"id": rng.permutation(n), "signal": rng.integers(0, 2, n), "noise": rng.normal(size=n)})
    chance = 0.35 + 0.3 * X["signal"]
    y = (rng.random(n) < chance).astype(int) if is_class else 0.7 * X["signal"] + rng.normal(size=n)
    return X, np.asarray(y)


@pytest.fixture(scope="module")
def auctions():
    sales = make_auctions(400, random_state=0)
    X = sales[AUCTION_COLUMNS]
    y = np.log(sales["SalePrice"])
    return X, y, ForestRegressor(n_estimators=15, random_state=0, high_cardinality=50, n_jobs=1).fit(X, y)


# --- Exact -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_columns", [3, 70, 130])
def test_tested_columns_are_those_on_the_decision_path(n_columns):
    X, y = make_numbers(120, n_columns)
    tree = DecisionTreeRegressor(max_features=1, random_state=0).fit(X, y)
    leaves = tree.apply(X)
    bits = _tested_columns(tree.tree_)[leaves]
    for row, path in enumerate(tree.decision_path(X)):
        expected = {int(f) for f in tree.tree_.feature[path.indices] if f >= 0}
        found = {c for c in range(n_columns) if int(bits[row, c // 64]) >> (c % 64) & 1}
        assert found == expected


@pytest.mark.parametrize("columns", [[0], [1, 3]])
def test_permuted_predictions_equal_those_of_every_left_out_tree_on_permuted_rows(columns):
    X, y = make_numbers()
    X[::7, 0] = np.nan
    forest = RandomForestRegressor(12, random_state=0).fit(X, y)
    left_out = [np.setdiff1d(np.arange(len(X)), drawn) for drawn in forest.estimators_samples_]
    engine = PermutedTrees(read_trees(forest, "test"), X, lambda tree: left_out[tree])
    donors = np.random.default_rng(1).permutation(len(X))
    moved = X.copy()
    moved[:, columns] = X[donors][:, columns]
    for table, found in ((X, engine.predicted), (moved, engine.permuted(columns, donors))):
        total, count = np.zeros(len(X)), np.zeros(len(X))
        for tree, rows in zip(forest.estimators_, left_out, strict=True):
            total[rows] += tree.predict(table[rows])
            count[rows] += 1
        seen = count > 0
        np.testing.assert_allclose(found[seen, 0], total[seen] / count[seen], atol=1e-12)
        np.testing.assert_array_equal(engine.seen, seen)


def test_out_of_bag_score_is_that_of_the_forest():
    X, y = make_numbers()
    forest = RandomForestRegressor(60, oob_score=True, random_state=0).fit(X, y)
    assert feature_importance(forest, X, y).score == pytest.approx(forest.oob_score_, abs=1e-10)
    labels = np.where(y > 0, "up", "down")
    forest = RandomForestClassifier(60, oob_score=True, random_state=0).fit(X, labels)
    found = feature_importance(forest, X, labels, metric="accuracy")
    assert found.score == pytest.approx(forest.oob_score_)


def test_out_of_bag_score_of_our_forest_with_target_encoding_is_that_of_fit(auctions):
    X, y, forest = auctions
    assert forest.target_encoded_ == ["fiModelDesc"]
    assert feature_importance(forest, X, y).score == pytest.approx(forest.oob_score_, abs=1e-10)


def test_held_out_permutation_of_our_forest_equals_predicting_permuted_raw_rows(auctions):
    _, _, forest = auctions
    new = make_auctions(150, random_state=1)
    rows, target = new[AUCTION_COLUMNS], np.log(new["SalePrice"]).to_numpy()
    found = feature_importance(forest, rows, target, "permutation", n_repeats=2, metric="rmse", random_state=3)
    assert sorted(found.table["column"]) == sorted(AUCTION_COLUMNS)
    seeds = np.random.default_rng(3).spawn(len(AUCTION_COLUMNS))
    for name, rng in zip(AUCTION_COLUMNS, seeds, strict=True):
        scores = []
        for _ in range(2):
            moved = rows.assign(**{name: rows[name].array.take(rng.permutation(len(rows)))})
            scores.append(np.sqrt(np.mean((target - forest.predict(moved)) ** 2)))
        expected = np.mean(scores) - np.sqrt(np.mean((target - forest.predict(rows)) ** 2))
        assert by_column(found).loc[name, "importance"] == pytest.approx(expected, abs=1e-9)


def test_held_out_permutation_is_the_same_by_trees_and_by_brute_force():
    X, y = make_numbers()
    forest = RandomForestRegressor(10, random_state=0).fit(X[:200], y[:200])
    fast = feature_importance(forest, X[200:], y[200:])
    slow = feature_importance(make_pipeline("passthrough", forest), X[200:], y[200:])
    assert fast.method == slow.method == "permutation"
    np.testing.assert_allclose(fast.table["importance"], slow.table["importance"], atol=1e-9)
    np.testing.assert_allclose(fast.table["std_error"], slow.table["std_error"], atol=1e-9)


def test_permutation_of_a_linear_model_is_twice_the_variance_it_explains():
    X, _ = make_numbers(4000)
    y = 2 * X[:, 0] + X[:, 1]
    found = feature_importance(LinearRegression().fit(X, y), X, y, n_repeats=5)
    expected = 2 * np.array([4, 1, 0, 0]) / 5
    table = by_column(found).loc[["x0", "x1", "x2", "x3"]]
    assert (abs(table["importance"] - expected) < 4 * table["std_error"] + 0.03).all()


def test_impurity_is_scikit_learns():
    X, y = make_numbers()
    forest = ExtraTreesClassifier(10, random_state=0).fit(X, y > 0)
    found = feature_importance(forest)
    assert found.method == "impurity"
    np.testing.assert_allclose(
        by_column(found).loc[["x0", "x1", "x2", "x3"], "importance"], forest.feature_importances_, atol=1e-12
    )


def test_dropping_a_column_is_the_difference_of_out_of_bag_scores():
    X, y = make_numbers()
    forest = RandomForestRegressor(60, oob_score=True, random_state=0).fit(X, y)
    found = feature_importance(forest, X, y, "drop")
    without = RandomForestRegressor(60, oob_score=True, random_state=0).fit(X[:, 1:], y)
    assert found.score == pytest.approx(forest.oob_score_)
    expected = forest.oob_score_ - without.oob_score_
    assert by_column(found).loc["x0", "importance"] == pytest.approx(expected, abs=1e-9)


def test_dropping_uses_folds_where_there_are_no_left_out_rows():
    X, y = make_numbers(2000)
    found = by_column(feature_importance(LinearRegression().fit(X, y), X, y, "drop"))
    # The variance that a column alone explains, of 9 + 1 + 0.25.
    assert found.loc["x0", "importance"] == pytest.approx(9 / 10.25, abs=0.05)
    assert abs(found.loc["x3", "importance"]) < 0.002


# --- Statistics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_class", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_noise_id_is_not_above_0_but_a_binary_signal_is_while_impurity_says_the_opposite(is_class, seed):
    rng = np.random.default_rng(seed)
    X, y = make_noise_id(1000, rng, is_class)
    forest = (ForestClassifier if is_class else ForestRegressor)(n_estimators=40, random_state=seed, n_jobs=1).fit(X, y)
    found = feature_importance(forest, X, y)
    assert found.method == "oob"
    clear = dict(zip(found.table["column"], found.is_clear, strict=True))
    assert clear == {"signal": True, "id": False, "noise": False}
    with pytest.warns(UserWarning, match="'id'.*not above 0") as caught:
        impurity = by_column(feature_importance(forest, X, y, "impurity"))["importance"]
    assert "'signal'" not in str(caught[0].message)
    assert impurity["id"] > 1.5 * impurity["signal"]


@pytest.mark.long
@pytest.mark.parametrize("metric", ["r2", "rmse"])
def test_the_standard_error_of_one_permutation_is_the_spread_over_samples(metric):
    """A row affects its own prediction and that of the row that receives its value."""
    line = LinearRegression().fit([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 2.0, 0.5])
    found = []
    for seed in range(200):
        rng = np.random.default_rng((5, seed))
        X = rng.normal(size=(200, 2))
        y = line.predict(X) + rng.normal(size=200)
        options = {"metric": metric, "n_repeats": 1, "random_state": seed}
        found.append(by_column(feature_importance(line, X, y, "permutation", **options)).loc["x0"])
    spread = np.std([row["importance"] for row in found])
    assert np.mean([row["std_error"] for row in found]) == pytest.approx(spread, rel=0.1)


@pytest.mark.long
def test_standard_errors_cover_the_spread_over_samples():
    z = []
    for seed in range(25):
        X, y = make_noise_id(250, np.random.default_rng(seed), False)
        forest = RandomForestRegressor(12, random_state=seed).fit(X, y)
        table = by_column(feature_importance(forest, X, y))
        z.append(table.loc[["id", "noise"], "importance"] / table.loc[["id", "noise"], "std_error"])
    assert 0.6 < np.std(z) < 1.35
    assert np.mean(np.array(z) > 2) < 0.08


@pytest.mark.parametrize("is_class", [False, True])
def test_out_of_bag_agrees_with_scikit_learn_on_rows_held_out(is_class):
    rng = np.random.default_rng(0)

    def draw(n):
        X = rng.normal(size=(n, 5))
        signal = 2 * X[:, 0] + X[:, 1] + X[:, 2] * X[:, 3]
        return X, (signal + rng.normal(size=n) > 0 if is_class else signal + rng.normal(size=n))

    X, y = draw(1000)
    forest = (RandomForestClassifier if is_class else RandomForestRegressor)(30, random_state=0, min_samples_leaf=3)
    forest.fit(X, y)
    metric = "accuracy" if is_class else None  # as scikit-learn's default
    ours = by_column(feature_importance(forest, X, y, metric=metric)).loc[[f"x{i}" for i in range(5)]]
    theirs = permutation_importance(forest, *draw(2000), n_repeats=2, random_state=0)
    held_out = by_column(feature_importance(forest, *draw(2000), metric=metric)).loc[ours.index, "std_error"]
    combined = np.hypot(ours["std_error"], held_out)
    # Out-of-bag forests are of a third of the trees, which costs them a little of what they know.
    assert (abs(ours["importance"] - theirs.importances_mean) < 3 * combined + 0.03 * theirs.importances_mean).all()


def test_of_rare_signals_the_sampled_rows_tell_the_same_within_errors():
    X, y = make_numbers(3000)
    forest = RandomForestRegressor(15, random_state=0, min_samples_leaf=5).fit(X, y)
    every, some = (by_column(feature_importance(forest, X, y, max_rows=n)).loc["x0"] for n in (None, 500))
    assert some["std_error"] > 1.5 * every["std_error"]
    assert abs(some["importance"] - every["importance"]) < 3 * np.hypot(some["std_error"], every["std_error"])


# --- Groups ----------------------------------------------------------------------------------------------------------


def test_copies_of_a_column_show_their_importance_as_a_group_only():
    rng = np.random.default_rng(0)
    a = rng.normal(size=600)
    X = pd.DataFrame({"a": a, "b": a, "c": rng.normal(size=600)})
    y = a + rng.normal(0, 0.3, 600)
    forest = RandomForestRegressor(30, random_state=0, max_features=1).fit(X, y)
    alone = RandomForestRegressor(30, random_state=0).fit(X[["a", "c"]], y)
    found = feature_importance(forest, X, y, groups={"twins": ["a", "b"]})
    solo, together = by_column(found)["importance"], groups_of(found)["importance"]["twins"]
    assert together > 1.5 * max(solo["a"], solo["b"])
    assert together == pytest.approx(by_column(feature_importance(alone, X[["a", "c"]], y))["importance"]["a"], rel=0.2)
    assert found.groups == {"twins": ["a", "b"]}
    as_clusters = feature_importance(forest, X, y, groups=SimpleNamespace(clusters=[["a", "b"], ["c"]]))
    assert groups_of(as_clusters)["importance"]["a + b"] == together
    as_lists = feature_importance(forest, X, y, groups=[["a", "b"]])
    pd.testing.assert_frame_equal(as_lists.table, as_clusters.table)


def test_parts_of_a_date_are_permuted_together(auctions):
    X, y, forest = auctions
    found = feature_importance(forest, X, y, groups="source")
    together = groups_of(found)
    assert "saleElapsed" in found.groups["saledate"]
    assert together.loc["saledate", "source"] == "saledate"
    assert set(by_column(found).loc[found.groups["saledate"], "source"]) == {"saledate"}
    assert set(found.groups) == {"saledate", "MachineHoursCurrentMeter"}


def test_encoded_members_stand_for_raw_columns_where_those_are_permuted(auctions):
    X, y, forest = auctions
    found = feature_importance(
        forest, X.head(50), y.head(50), "permutation", groups=[["saleElapsed", "saleYear", "YearMade"]]
    )
    assert found.groups == {"saledate + YearMade": ["saledate", "YearMade"]}


def test_raw_members_stand_for_their_parts_where_encoded_columns_are_permuted(auctions):
    X, y, forest = auctions
    found = feature_importance(forest, X, y, groups={"hours": ["MachineHoursCurrentMeter", "MachineHoursCurrentMeter"]})
    assert found.groups["hours"][0].startswith("MachineHoursCurrentMeter")


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        ({"g": ["YearMade", "Year"]}, "unknown column 'Year'"),
        ([["nothing", "YearMade"]], "unknown column 'nothing'"),
        ("columns", "groups='columns'"),
        (["YearMade", "state"], "'YearMade' must be a list"),
        ({"g": []}, "no members"),
        (3, "groups=3"),
    ],
)
@pytest.mark.parametrize("method", ["oob", "permutation", "drop", "impurity"])
def test_groups_that_make_no_sense_are_refused(auctions, groups, match, method):
    X, y, forest = auctions
    with pytest.raises(ValueError, match=match):
        feature_importance(forest, X, y, method, groups=groups)


def test_impurity_of_a_group_adds_up_its_members(auctions):
    _, _, forest = auctions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = feature_importance(forest, groups="source")
    members = found.groups["saledate"]
    assert groups_of(found)["importance"]["saledate"] == pytest.approx(
        by_column(found).loc[members, "importance"].sum()
    )


# --- Which method ----------------------------------------------------------------------------------------------------


def test_the_warning_needs_a_column_of_far_fewer_values():
    X, y = make_numbers(300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        feature_importance(RandomForestRegressor(20, random_state=0).fit(X, y))
    noisy, target = make_noise_id(500, np.random.default_rng(0), False)
    with pytest.warns(UserWarning, match="'id'.*X and y"):
        feature_importance(RandomForestRegressor(20, random_state=0).fit(noisy, target))


def test_auto_permutes_left_out_rows_of_fit_and_any_other_rows_as_held_out():
    X, y = make_numbers()
    forest = RandomForestRegressor(10, random_state=0).fit(X[:200], y[:200])
    assert feature_importance(forest).method == "impurity"
    assert feature_importance(forest, X[:200], y[:200]).method == "oob"
    assert feature_importance(forest, X[200:], y[200:]).method == "permutation"
    boosting = HistGradientBoostingRegressor(max_iter=10).fit(X, y)
    assert feature_importance(boosting, X, y).method == "permutation"
    no_bootstrap = RandomForestRegressor(5, bootstrap=False, random_state=0).fit(X, y)
    assert feature_importance(no_bootstrap, X, y).method == "permutation"


def test_as_many_rows_that_are_not_those_of_fit_are_refused(auctions):
    X, y = make_numbers()
    forest = RandomForestRegressor(10, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="differ from the training data.*method='permutation'"):
        feature_importance(forest, X[::-1], y[::-1])
    raw, target, ours = auctions
    with pytest.raises(ValueError, match="differ from the training data"):
        feature_importance(ours, raw, target[::-1].to_numpy())


def test_a_pipeline_is_read_through():
    X, y = make_numbers()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), RandomForestRegressor(20, random_state=0))
    found = feature_importance(model.fit(frame, y), frame, y)
    assert (found.method, found.table["column"][0], found.table["source"][0]) == ("oob", "a", "a")


def test_weights_that_are_frequencies_change_nothing_in_the_rows_spoken_of():
    X, y = make_numbers(150)
    frame = pd.DataFrame(X, columns=list("abcd"))
    weights = np.arange(150) % 3
    forest = ForestRegressor(n_estimators=30, random_state=0, n_jobs=1).fit(frame, y, sample_weight=weights)
    found = feature_importance(forest, frame, y)
    assert found.score == pytest.approx(forest.oob_score_)
    assert found.table["column"][0] == "a"


def test_the_same_seed_gives_the_same_table_and_threads_make_no_difference():
    X, y = make_numbers(700)
    forest = RandomForestRegressor(10, random_state=0).fit(X, y)
    first = feature_importance(forest, X, y, random_state=5).table
    forest.set_params(n_jobs=2)
    pd.testing.assert_frame_equal(first, feature_importance(forest, X, y, random_state=5).table)
    assert not first.equals(feature_importance(forest, X, y, random_state=6).table)


def test_the_callers_frame_is_not_changed(auctions):
    X, y, forest = auctions
    before = X.copy()
    feature_importance(forest, X, y, groups="source")
    feature_importance(LinearRegression().fit(X[["SalesID"]], y), X[["SalesID"]], y)
    pd.testing.assert_frame_equal(X, before)


def test_polars_and_arrow_tables_are_taken(auctions):
    pa = pytest.importorskip("pyarrow")
    X, y, forest = auctions
    table = pa.Table.from_pandas(X.head(60), preserve_index=False)
    found = feature_importance(forest, table, y.head(60))
    assert set(found.table["column"]) == set(X.columns)


def test_metrics_of_errors_count_as_loss_too():
    X, y = make_numbers()
    forest = RandomForestRegressor(20, random_state=0).fit(X, y)
    for metric in ("rmse", "mae", "r2"):
        found = feature_importance(forest, X, y, metric=metric)
        assert found.table["column"][0] == "x0"
        assert found.table["importance"][0] > 10 * found.table["std_error"][0]
    labels = RandomForestClassifier(20, random_state=0).fit(X, y > 0)
    assert feature_importance(labels, X, y > 0, metric="log_loss").table["column"][0] == "x0"


@pytest.mark.parametrize("forest", [RandomForestRegressor, ForestRegressor, RandomForestClassifier, ForestClassifier])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_a_target_in_one_column_is_one_target(forest):
    X, y = make_numbers(200)
    y = (y > 0).astype(int) if "Classifier" in forest.__name__ else y
    model = forest(n_estimators=10, random_state=0)
    flat = feature_importance(model.fit(X, y), X, y)
    column = feature_importance(model.fit(X, y[:, None]), X, y[:, None])
    pd.testing.assert_frame_equal(flat.table, column.table)


def test_several_outputs_of_a_regressor_are_averaged():
    X, y = make_numbers()
    outputs = np.column_stack([y, X[:, 3]])
    found = feature_importance(RandomForestRegressor(40, random_state=0).fit(X, outputs), X, outputs)
    assert set(found.table["column"][:2]) == {"x0", "x3"}
    assert found.metric == "R²"
    held_out = feature_importance(LinearRegression().fit(X, outputs), X, outputs)
    predicted = predictor(LinearRegression().fit(X, outputs))(X)
    assert held_out.score == pytest.approx(r2_score(outputs, predicted))


# --- Bad input -------------------------------------------------------------------------------------------------------


def test_unfitted_models_are_refused():
    X, y = make_numbers(50)
    for model in (RandomForestRegressor(), ForestRegressor(), make_pipeline(StandardScaler(), RandomForestRegressor())):
        with pytest.raises(NotFittedError):
            feature_importance(model, X, y)


def test_models_of_another_kind_are_told_what_serves_them():
    X, y = make_numbers(100)
    model = LinearRegression().fit(X, y)
    for method in ("auto", "impurity"):
        with pytest.raises(TypeError, match="LinearRegression.*method='permutation'"):
            feature_importance(model, method=method)
    with pytest.raises(TypeError, match="method='oob'.*method='permutation'"):
        feature_importance(model, X, y, method="oob")


def test_out_of_bag_needs_rows_left_out_and_those_of_fit():
    X, y = make_numbers(100)
    whole = RandomForestRegressor(5, bootstrap=False).fit(X, y)
    with pytest.raises(ValueError, match="bootstrap=False"):
        feature_importance(whole, X, y, "oob")
    with pytest.raises(ValueError, match="single tree"):
        feature_importance(DecisionTreeRegressor().fit(X, y), X, y, "oob")
    with pytest.raises(ValueError, match="fitted on 100 rows, but X has 99"):
        feature_importance(RandomForestRegressor(5).fit(X, y), X[1:], y[1:], "oob")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"method": "shap"}, "'method' parameter.*Got 'shap'"),
        ({"metric": "accuracy"}, "metric='accuracy'"),
        ({"n_repeats": 0}, "'n_repeats' parameter.*Got 0"),
        ({"max_rows": 1.5}, "'max_rows' parameter.*Got 1.5"),
        ({"y": None}, "y is None"),
        ({"X": None, "method": "oob"}, "X is None"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    X, y = make_numbers(60)
    with pytest.raises(ValueError, match=match):
        feature_importance(RandomForestRegressor(5, random_state=0).fit(X, y), **({"X": X, "y": y} | options))


def test_missing_columns_are_named(auctions):
    X, y, forest = auctions
    for method in ("auto", "permutation"):
        with pytest.raises(ValueError, match="state"):
            feature_importance(forest, X.drop(columns="state"), y, method)


@pytest.mark.parametrize("model", [RandomForestRegressor(5, random_state=0), LinearRegression()])
def test_one_row_has_nothing_to_exchange_with(model):
    X, y = make_numbers(60)
    model.fit(X, y)
    with pytest.raises(ValueError, match="there is only 1: give at least 2"):
        feature_importance(model, X[:1], y[:1], "permutation", metric="mae")
    with pytest.raises(ValueError, match="there is only 1: give at least 2"):
        feature_importance(model, X, y, "permutation", max_rows=1)
    assert len(feature_importance(model, X[:2], y[:2], "permutation", metric="mae").table) == X.shape[1]


def test_several_targets_of_classes_are_refused():
    X, y = make_numbers(100)
    outputs = np.column_stack([y > 0, X[:, 3] > 0])
    forest = RandomForestClassifier(5).fit(X, outputs)
    with pytest.raises(ValueError, match="one target of classes"):
        feature_importance(forest, X, outputs)


def test_constant_predictions_and_constant_columns_have_no_importance():
    X, _ = make_numbers(80)
    X[:, 2] = 7
    found = feature_importance(RandomForestRegressor(5, random_state=0).fit(X, np.ones(80)), X, np.ones(80))
    assert (found.table[["importance", "std_error"]] == 0).all(axis=None)
    assert not found.is_clear.any()
    assert (feature_importance(RandomForestRegressor(5).fit(X, np.ones(80))).table["importance"] == 0).all()
    found.plot()


def test_one_tree_few_rows_and_many_classes_work():
    X, y = make_numbers(12)
    forest = RandomForestRegressor(40, random_state=0).fit(X, y)
    assert np.isfinite(feature_importance(forest, X, y).table["importance"]).all()
    one_tree = RandomForestRegressor(1, random_state=0).fit(X, y)
    assert feature_importance(one_tree, X, y).method == "oob"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert feature_importance(DecisionTreeRegressor().fit(X, y)).table["std_error"].isna().all()
    X, y = make_numbers(600)
    labels = np.array([f"c{i}" for i in range(30)])[np.clip(((y + 8) * 2).astype(int), 0, 29)]
    found = feature_importance(ForestClassifier(n_estimators=10, random_state=0, n_jobs=1).fit(X, labels), X, labels)
    assert found.table["column"][0] == "x0"


def test_a_thousand_columns_work():
    X, y = make_numbers(100, 1000)
    found = feature_importance(RandomForestRegressor(4, random_state=0).fit(X, y), X, y, n_repeats=1)
    assert len(found.table) == 1000
    assert found.plot().get_figure().get_figheight() < 12


@pytest.mark.parametrize("method", ["permutation", "drop"])
@pytest.mark.parametrize("make", [RandomForestRegressor, ForestRegressor])
def test_arrays_are_read_under_the_names_of_fit(make, method):
    X, y = make_numbers()
    frame = pd.DataFrame(X[:200], columns=list("dcba"))
    forest = make(10, random_state=0).fit(frame, y[:200])
    pd.testing.assert_frame_equal(
        feature_importance(forest, X[:200], y[:200], method).table,
        feature_importance(forest, frame, y[:200], method).table,
    )


def test_a_table_may_be_asked_of_a_forest_fitted_on_an_array():
    X, y = make_numbers()
    forest = RandomForestRegressor(10, random_state=0).fit(X[:200], y[:200])
    table = pd.DataFrame(X[200:], columns=list("dcba"))
    with pytest.warns(UserWarning, match="fitted without feature names"):
        named = feature_importance(forest, table, y[200:], "permutation").table
    plain = feature_importance(forest, X[200:], y[200:]).table
    np.testing.assert_allclose(named["importance"], plain["importance"])


def test_a_model_that_relies_on_nothing_is_said_to():
    X, y = make_numbers()
    forest = RandomForestRegressor(10, random_state=0).fit(X, np.ones(len(X)))
    for found in (feature_importance(forest, X, np.ones(len(X))), feature_importance(forest)):
        assert [finding.kind for finding in found.findings] == ["nothing relied on"]
        assert "no column" in found.plot().get_title(loc="left").lower()
    assert feature_importance(RandomForestRegressor(10, random_state=0).fit(X, y), X, y).findings == []


def test_what_trees_drew_is_drawn_again_one_tree_at_a_time():
    X, y = make_numbers()
    for forest in (ForestRegressor(5, random_state=0).fit(X, y), RandomForestRegressor(5, random_state=0).fit(X, y)):
        trees = read_trees(forest, "test")
        training = read_drawn_rows(trees, X, y, "test")
        assert not isinstance(training.drawn, list)
        assert len(training.drawn) == 5
        for drawn, rows in zip(training.drawn, forest.estimators_samples_, strict=True):
            np.testing.assert_array_equal(training.rows[drawn], rows)
        assert len(forest.estimators_) == 5


def test_unseen_labels_and_gaps_in_held_out_rows_are_borne(auctions):
    X, y, forest = auctions
    rows = X.head(40).astype({"state": object}).copy()
    rows.iloc[::2, rows.columns.get_loc("state")] = "Atlantis"
    rows.iloc[::3, rows.columns.get_loc("MachineHoursCurrentMeter")] = np.nan
    found = feature_importance(forest, rows.assign(extra=1), y.head(40))
    assert np.isfinite(found.table["importance"]).all()
    assert "extra" not in set(found.table["column"])


# --- Pictures --------------------------------------------------------------------------------------------------------


def test_the_plot_bears_any_label_and_shows_no_more_than_asked():
    X, y = make_numbers(100, 45)
    X = pd.DataFrame(X, columns=[*UGLY, *[f"column {i}" for i in range(40)]])
    found = feature_importance(RandomForestRegressor(5, random_state=0).fit(X, y), X, y, groups=[UGLY])
    ax = found.plot()
    assert isinstance(ax, Axes)
    assert len(ax.get_yticks()) == 30
    assert "first 30 of 46" in ax.get_title(loc="left")
    ax.figure.canvas.draw()
    assert found.plot(ax=ax) is ax
    assert "x0" not in repr(found)


def test_classifiers_without_forests_are_permuted():
    X, y = make_numbers(400)
    labels = np.where(y > 0, "<b>", "$")
    found = feature_importance(LogisticRegression().fit(X, labels), X, labels)
    assert (found.metric, found.table["column"][0]) == ("log loss", "x0")


# --- Real data -------------------------------------------------------------------------------------------------------


@pytest.mark.real_data("bulldozers/Train.csv")
def test_on_bulldozers_the_size_and_year_of_a_machine_matter_most(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers" / "Train.csv", low_memory=False, nrows=8000)
    X, y = sales.drop(columns="SalePrice"), np.log(sales["SalePrice"])
    forest = ForestRegressor(n_estimators=15, random_state=0, min_samples_leaf=5, max_features=0.5, n_jobs=1).fit(X, y)
    found = feature_importance(forest, X, y, groups="source", max_rows=3000)
    assert {"YearMade", "ProductSize"} <= set(found.table["column"][:8])
    assert found.score == pytest.approx(forest.oob_score_, abs=0.03)


def test_columns_of_unknown_origin_are_named():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = X[:, 0]
    mixing = make_pipeline(PCA(2), RandomForestRegressor(5, random_state=0)).fit(X, y)
    found = feature_importance(mixing)
    assert set(found.unknown_origin) == set(found.table["column"])
    assert [finding.kind for finding in found.findings] == ["unknown origin"]
    scaling = make_pipeline(StandardScaler(), RandomForestRegressor(5, random_state=0)).fit(X, y)
    assert feature_importance(scaling).unknown_origin == ()
    assert feature_importance(mixing, X, y, "permutation").findings == []


@pytest.mark.parametrize(
    ("importance", "std_error", "verdict"),
    [(5.0, 2.4, "clear"), (5.0, 2.6, "weak"), (-5.0, 1.6, "harmful"), (-5.0, 1.8, "none"), (0.4, 0.3, "none")],
)
def test_a_verdict_names_what_the_interval_excludes(importance, std_error, verdict):
    table = as_table(["largest", "a"], {}, np.array([[100.0, 1.0], [importance, std_error]]), {})
    assert table.set_index("column")["verdict"].to_dict() == {"largest": "clear", "a": verdict}


def test_a_column_that_is_clear_only_beside_its_copy_is_clear_together():
    table = as_table(
        ["a", "b", "c"], {"a + b": ["a", "b"]}, np.array([[1.0, 1.0], [2.0, 1.5], [0.0, 1.0], [9.0, 1.0]]), {}
    )
    found = FeatureImportance(table, "permutation", "R²", 0.5, {"a + b": ["a", "b"]})
    assert found.verdicts.to_dict() == {"a": "clear together", "b": "clear together", "c": "weak"}
    # The parts of a raw column make a group of its name.
    table = as_table(["a", "a_na"], {"a": ["a", "a_na"]}, np.array([[1.0, 1.0], [1.0, 1.0], [9.0, 1.0]]), {"a_na": "a"})
    found = FeatureImportance(table, "oob", "R²", 0.5, {"a": ["a", "a_na"]})
    assert found.verdicts.to_dict() == {"a": "clear"}


def test_cross_validation_permutes_rows_that_the_refits_did_not_see():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(size=400)})
    y = 2 * X["a"] + rng.normal(size=400)
    model = LinearRegression().fit(X, y)
    found = feature_importance(model, X, y, "cv", metric="rmse", n_repeats=1, random_state=0)
    # A permuted column adds the variance 2 · 2² to that of the noise.
    assert by_column(found).loc["a", "importance"] == pytest.approx(3 - 1, abs=0.3)
    assert by_column(found)["verdict"].to_dict() == {"a": "clear", "b": "none"}
    assert found.score == pytest.approx(
        -cross_val_score(model, X, y, scoring="neg_root_mean_squared_error").mean(), rel=0.05
    )
    classes = np.array(["x", "y", "z"])[pd.qcut(y, 3, labels=False)]
    found = feature_importance(LogisticRegression().fit(X, classes), X, classes, "cv", metric="log_loss")
    assert by_column(found).loc["a", "verdict"] == "clear"
    assert abs(by_column(found).loc["b", "importance"]) < 0.02


def test_classes_that_no_tree_votes_for_do_not_hide_other_losses():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"strong": rng.normal(size=600), "weaker": rng.normal(size=600)})
    y = X["strong"] + 0.5 * X["weaker"] + 0.3 * rng.normal(size=600) > 0
    forest = ForestClassifier(20, min_samples_leaf=1, random_state=0).fit(X, y)
    found = by_column(feature_importance(forest, X, y, metric="log_loss"))
    assert (found["importance"] > 4 * found["std_error"]).all()
