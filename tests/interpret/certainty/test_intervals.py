import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import tabrec
from tabrec import DateParts, ForestClassifier, ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import confidence
from tabrec.interpret.certainty._confidence_result import Confidence
from tabrec.interpret.certainty._conformal import (
    conformal_quantile,
    fit_scale,
    needed_rows,
    oob_errors,
    unbiased,
    unfitted_scale,
)
from tabrec.interpret.certainty._quantile_forest import forest_quantiles
from tabrec.interpret.certainty._time_order import late_columns
from tabrec.trees.fitted_trees import read_trees
from tabrec.trees.out_of_bag import OutOfBagRows
from tabrec.trees.training_rows import predict_training_rows, read_training_rows


def make_noisy(n_rows, seed):
    """Rows with a positive first column have five times the noise of the others."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n_rows, 3))
    noise = np.where(X[:, 0] > 0, 2.0, 0.4) * rng.normal(size=n_rows)
    return X, 3 * X[:, 0] + 2 * np.sin(3 * X[:, 1]) + noise


def make_classes(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    utility = 1.5 * X + rng.gumbel(size=(n_rows, 4))
    return X, np.array(["a", "b", "<b>$c$</b>", "d\n🙂"], dtype=object)[utility.argmax(axis=1)]


@pytest.fixture(scope="module")
def noisy():
    X, y = make_noisy(600, 0)
    return ForestRegressor(n_estimators=60, random_state=0).fit(X, y), X, y


@pytest.fixture(scope="module")
def by_date():
    """Auctions in order of date; the forest is fitted to the first two thirds."""
    sales = make_auctions(900, random_state=0).sort_values("saledate").reset_index(drop=True)
    X, y = sales[["saledate", "YearMade", "ProductSize", "Enclosure"]], sales["SalePrice"]
    return ForestRegressor(n_estimators=40, random_state=0).fit(X[:600], y[:600]), X, y


# Conformal quantiles


def test_the_quantile_is_the_one_worked_out_by_hand():
    scores = np.array([9.0, 1, 3, 7, 5, 2, 8, 4, 6])
    assert conformal_quantile(scores, 0.9) == 9  # ceil(10 * 0.9) = 9th of 9
    assert conformal_quantile(scores, 0.8) == 8
    assert conformal_quantile(scores, 0.75) == 8  # ceil(7.5)
    assert conformal_quantile(scores, 0.1) == 1


@pytest.mark.parametrize(("level", "n"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)])
def test_so_many_rows_are_needed_and_no_more(level, n):
    assert needed_rows(level) == n
    assert conformal_quantile(np.arange(n), level) == n - 1
    with pytest.raises(
        ValueError, match=rf"level={level} needs at least {n} rows held out of fit or out of bag, but there are {n - 1}"
    ):
        conformal_quantile(np.arange(n - 1), level)


def test_the_promise_holds_on_average_for_so_few_rows_too():
    scores = np.random.default_rng(0).exponential(size=(4000, 20))
    held = [row[-1] <= conformal_quantile(row[:-1], 0.9) for row in scores]
    assert 0.885 < np.mean(held) < 0.915


def test_a_scale_is_the_least_squares_line_with_no_coefficient_below_0():
    spread = np.array([1.0, 2, 3, 4])
    line = fit_scale(spread, 0.5 + 2 * spread)
    assert (line.base, line.slope) == pytest.approx((0.5, 2))
    flat = fit_scale(spread, 10 - spread)
    assert (flat.base, flat.slope) == pytest.approx((7.5, 0))
    through_0 = fit_scale(spread, np.maximum(3 * spread - 4, 0))
    assert through_0.base == 0
    assert through_0.slope > 0
    assert through_0.of(np.array([0.0]))[0] > 0


def test_scales_bear_no_spread_and_no_error():
    assert fit_scale(np.zeros(3), np.array([1.0, 2, 3])).of(np.zeros(1)) == pytest.approx(2)
    assert fit_scale(np.arange(3.0), np.zeros(3)).of(np.zeros(1)) == 1
    assert unfitted_scale(np.zeros(3)).of(np.zeros(1)) == 1
    assert unfitted_scale(np.array([1.0, 3])).of(np.array([4.0])) == 6
    assert unbiased(np.array([3.0, 5]), np.array([10, 1])) == pytest.approx([np.sqrt(10), 5])


def test_split_conformal_is_prediction_plus_and_minus_the_quantile_of_residuals():
    X = np.arange(30.0)[:, None]
    model = LinearRegression().fit(X, X[:, 0])
    residuals = np.linspace(-1, 1.9, 30)
    found = confidence(model, X[:2], 0.9, calibration=(X, X[:, 0] + residuals))
    half = np.sort(np.abs(residuals))[27]  # ceil(31 * 0.9) = 28th
    assert (found.table["upper"] - found.table["prediction"]).tolist() == pytest.approx([half, half])
    assert (found.table["prediction"] - found.table["lower"]).tolist() == pytest.approx([half, half])
    assert found.table["spread"].isna().all()


# Coverage


@pytest.mark.long
def test_intervals_of_nominal_90_percent_cover_so_many_on_heteroscedastic_data():
    covered, quiet, loud = [], [], []
    for seed in range(8):
        forest = ForestRegressor(n_estimators=60, random_state=seed).fit(*make_noisy(800, seed))
        X, y = make_noisy(2000, 100 + seed)
        found = confidence(forest, X)
        covered.append(found.coverage(y).loc["all", "coverage"])
        groups = found.coverage(y, by=np.where(X[:, 0] > 0, "loud", "quiet"))
        quiet.append(groups.loc["quiet", "mean_width"])
        loud.append(groups.loc["loud", "mean_width"])
    assert 0.88 <= np.mean(covered) <= 0.92
    assert min(covered) > 0.86
    assert max(covered) < 0.94
    assert np.mean(loud) > 1.5 * np.mean(quiet)


def test_scaling_by_spread_brings_subgroups_nearer_to_the_level():
    scaled, plain = [], []
    for seed in range(4):
        X, y = make_noisy(800, seed)
        forest = ForestRegressor(n_estimators=60, random_state=seed).fit(X, y)
        half = conformal_quantile(np.abs(y - forest.oob_prediction_), 0.9)
        X, y = make_noisy(2000, 100 + seed)
        loud = X[:, 0] > 0
        found = confidence(forest, X).coverage(y, by=loud)["coverage"]
        scaled.append(found["True"] - found["False"])
        hit = np.abs(y - forest.predict(X)) <= half
        plain.append(hit[loud].mean() - hit[~loud].mean())
    assert abs(np.mean(scaled)) < 0.9 * abs(np.mean(plain))


@pytest.mark.parametrize("n_trees", [1, 2, 3, 10])
def test_forests_of_few_trees_hold_the_level_too(n_trees):
    covered = []
    for seed in range(6):
        X, y = make_noisy(800, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forest = ForestRegressor(n_estimators=n_trees, random_state=seed).fit(X, y)
        X, y = make_noisy(1500, 100 + seed)
        covered.append(confidence(forest, X).coverage(y).loc["all", "coverage"])
    assert 0.87 <= np.mean(covered) <= 0.93


@pytest.mark.long
def test_calibration_rows_hold_the_level_for_any_estimator():
    for model in (
        GradientBoostingRegressor(n_estimators=20, random_state=0),
        ExtraTreesRegressor(20, random_state=0),
        DecisionTreeRegressor(random_state=0),
        make_pipeline(StandardScaler(), LinearRegression()),
    ):
        covered = []
        for seed in range(4):
            model.fit(*make_noisy(300, seed))
            X, y = make_noisy(2000, 100 + seed)
            found = confidence(model, X[500:], calibration=(X[:500], y[:500]))
            covered.append(found.coverage(y[500:]).loc["all", "coverage"])
        assert 0.87 <= np.mean(covered) <= 0.93, model


def test_the_quantile_forest_follows_the_noise():
    covered, ratios = [], []
    for seed in range(4):
        training = make_noisy(800, seed)
        forest = ForestRegressor(n_estimators=60, min_samples_leaf=3, random_state=seed).fit(*training)
        X, y = make_noisy(1500, 100 + seed)
        found = confidence(forest, X, method="quantile", training=training)
        covered.append(found.coverage(y).loc["all", "coverage"])
        widths = found.coverage(y, by=X[:, 0] > 0)["mean_width"]
        ratios.append(widths["True"] / widths["False"])
    assert 0.87 <= np.mean(covered) <= 0.94
    assert min(ratios) > 1.5


@pytest.mark.long
def test_sets_of_labels_hold_the_truth_as_often_as_promised():
    kept, worked_out, calibrated = [], [], []
    for seed in range(4):
        training, (X, y), held_out = (
            make_classes(1500, seed),
            make_classes(1500, 50 + seed),
            make_classes(300, 90 + seed),
        )
        ours = ForestClassifier(n_estimators=40, random_state=seed).fit(*training)
        theirs = RandomForestClassifier(40, random_state=seed).fit(*training)
        plain = LogisticRegression().fit(*training)
        kept.append(confidence(ours, X).coverage(y).loc["all", "coverage"])
        worked_out.append(confidence(theirs, X, training=training).coverage(y).loc["all", "coverage"])
        calibrated.append(confidence(plain, X, calibration=held_out).coverage(y).loc["all", "coverage"])
    for covered in (kept, worked_out, calibrated):
        assert 0.88 <= np.mean(covered) <= 0.925


# Quantile regression forests


def brute_force_quantiles(trees, matrix, y, X, levels):
    """Quantiles computed row by row and tree by tree."""
    quantiles = []
    for row in X:
        weights = np.zeros(len(y))
        for tree in trees.trees:
            together = tree.apply(matrix) == tree.apply(row[None])[0]
            weights += together / together.sum() / len(trees.trees)
        order = np.argsort(y)
        summed = np.cumsum(weights[order])
        quantiles.append([y[order][np.argmax(summed >= level - 1e-6)] for level in levels])
    return np.array(quantiles)


@pytest.mark.parametrize("limits", [{}, {"min_samples_leaf": 7}, {"max_depth": 2}])
def test_leaf_weights_are_meinshausens(limits):
    X, y = make_noisy(150, 0)
    trees = read_trees(RandomForestRegressor(12, random_state=0, **limits).fit(X, y), "test")
    matrix, new = X.astype(np.float32), make_noisy(25, 1)[0].astype(np.float32)
    levels = (0.05, 0.5, 0.83)
    found = forest_quantiles(trees, matrix, y, new, levels)
    np.testing.assert_array_equal(found, brute_force_quantiles(trees, matrix, y, new, levels))


def test_working_in_slices_changes_nothing(monkeypatch, noisy):
    forest, X, y = noisy
    whole = confidence(forest, X[:50], method="quantile", training=(X, y)).table
    monkeypatch.setattr("tabrec.interpret.certainty._quantile_forest._MOST_WEIGHTS", 300)
    monkeypatch.setattr("tabrec.interpret.certainty._quantile_forest._MOST_ROWS", 7)
    pd.testing.assert_frame_equal(confidence(forest, X[:50], method="quantile", training=(X, y)).table, whole)


def test_one_leaf_gives_the_quantiles_of_the_target():
    y = np.arange(1.0, 101)
    stump = DecisionTreeRegressor(max_depth=1, random_state=0).fit(np.zeros((100, 1)), y)
    found = confidence(stump, [[0.0]], 0.8, "quantile", training=(np.zeros((100, 1)), y)).table
    assert found.loc[0, ["lower", "upper"]].tolist() == [10, 90]


def test_training_rows_of_target_encoded_columns_are_those_that_the_trees_saw():
    sales = make_auctions(300, random_state=1)
    X, y = sales[["fiModelDesc", "YearMade"]], sales["SalePrice"].to_numpy()
    for bootstrap in (True, False):
        forest = ForestRegressor(
            n_estimators=5,
            high_cardinality=10,
            bootstrap=bootstrap,
            oob_score=bootstrap,
            random_state=0,
        ).fit(X, y)
        trees = read_trees(forest, "test")
        rows = read_training_rows(trees, X, y, "test")
        assert forest.target_encoded_ == ["fiModelDesc"]
        if not bootstrap:  # every leaf predicts the mean of its rows
            leaves = trees.trees[0].apply(rows.matrix)
            means = pd.Series(rows.y).groupby(leaves).transform("mean")
            np.testing.assert_allclose(trees.trees[0].value[leaves, 0, 0], means)
        found = confidence(forest, X, method="quantile", training=(X, y))
        assert (found.table["lower"] <= found.table["upper"]).all()


def test_as_many_rows_that_are_not_those_of_fit_are_refused(noisy):
    forest, X, y = noisy
    theirs = RandomForestRegressor(10, random_state=0).fit(X, y)
    for model in (forest, theirs):
        with pytest.raises(ValueError, match="confidence: X and y .* differ from the training data"):
            confidence(model, X[:5], method="quantile", training=(X[::-1], y[::-1]))


# Out of bag


def test_out_of_bag_rows_worked_out_are_those_kept(noisy):
    forest, X, y = noisy
    trees = read_trees(forest, "test")
    kept, found = trees.kept_out_of_bag(), predict_training_rows(trees, read_training_rows(trees, X, y, "test"))
    np.testing.assert_array_equal(found.y, kept.y)
    np.testing.assert_array_equal(found.count, kept.count)
    np.testing.assert_allclose(found.prediction, kept.prediction)
    np.testing.assert_allclose(found.spread, kept.spread, atol=1e-7)


def test_out_of_bag_predictions_are_scikit_learns():
    X, y = make_noisy(200, 0)
    forest = RandomForestRegressor(30, oob_score=True, random_state=0).fit(X, y)
    trees = read_trees(forest, "test")
    found = predict_training_rows(trees, read_training_rows(trees, X, y, "test"))
    np.testing.assert_allclose(found.prediction[:, 0], forest.oob_prediction_)
    left_out = np.array([[i not in drawn for drawn in forest.estimators_samples_] for i in range(5)])
    np.testing.assert_array_equal(found.count[:5], left_out.sum(axis=1))


def test_out_of_bag_errors_are_brought_to_the_size_of_the_whole_forest(noisy):
    forest, _, _ = noisy
    left_out = read_trees(forest, "test").kept_out_of_bag()
    known, scale, n_trees = oob_errors(left_out, 60)
    np.testing.assert_allclose(known.expected, scale.of(unbiased(left_out.spread, left_out.count)))
    as_they_are = left_out.y - left_out.prediction[:, 0]
    assert ((known.error / as_they_are > 0.9) & (known.error / as_they_are <= 1)).all()
    assert n_trees == 22  # of 60, exp(-1)


def test_what_fewer_trees_add_to_the_squared_error_is_taken_off():
    y = np.tile([2.0, -2.0], 10)
    # Four of 16 trees left out each row; their spread of 1.5 is one of sqrt(3) of infinitely many.
    left_out = OutOfBagRows(y, np.zeros((20, 1)), np.full(20, 1.5), np.full(20, 4))
    known, _, n_trees = oob_errors(left_out, 16)
    assert n_trees == 4
    np.testing.assert_allclose(np.abs(known.error), np.sqrt(2**2 - 3 * (1 / 4 - 1 / 16)))


def test_prediction_and_spread_are_those_of_the_forest(noisy):
    forest, X, _ = noisy
    found = confidence(forest, X)
    np.testing.assert_allclose(found.table["prediction"], forest.predict(X))
    np.testing.assert_allclose(found.table["spread"], forest.predict_spread(X))
    trees = read_trees(forest, "test")
    of_first = np.std([tree.value[tree.apply(X[:9].astype(np.float32)), 0, 0] for tree in trees.trees[:7]], axis=0)
    np.testing.assert_allclose(trees.predict_with_spread(X[:9], 7).of_first, of_first)


def test_rows_of_whole_weights_count_that_often():
    X, y = make_noisy(60, 0)
    weights = np.arange(60) % 3
    weighted = ForestRegressor(n_estimators=30, random_state=0).fit(X, y, sample_weight=weights)
    kept = read_trees(weighted, "test").kept_out_of_bag()
    assert len(kept.y) == weights.sum()
    assert not np.isnan(kept.prediction).any()
    assert confidence(weighted, X).table.notna().all(axis=None)
    quantiles = confidence(weighted, X, method="quantile", training=(X, y)).table
    assert set(quantiles["lower"]) <= set(y[weights > 0])


def test_a_saved_forest_gives_the_same_intervals(noisy, tmp_path):
    forest, X, _ = noisy
    tabrec.save(forest, tmp_path / "forest")
    found = confidence(tabrec.load(tmp_path / "forest"), X[:20]).table
    pd.testing.assert_frame_equal(found, confidence(forest, X[:20]).table)


def test_sklearn_forests_give_the_same_by_their_training_rows():
    X, y = make_noisy(200, 0)
    forest = RandomForestRegressor(30, random_state=0).fit(X, y)
    frame = pd.DataFrame(X, columns=list("abc"))
    named = RandomForestRegressor(30, random_state=0).fit(frame, y)
    piped = make_pipeline(StandardScaler(), RandomForestRegressor(30, random_state=0)).fit(X, y)
    found = confidence(forest, X[:9], training=(X, y)).table
    pd.testing.assert_frame_equal(confidence(named, frame[:9], training=(frame, y)).table, found)
    assert confidence(piped, X[:9], training=(X, y)).table.shape == (9, 4)


# The result


def test_the_table_has_the_index_of_x_and_x_stays_as_it_was(by_date):
    forest, X, _ = by_date
    new = X[:600].sample(30, random_state=0)
    before = new.copy()
    found = confidence(forest, new)
    assert found.table.index.equals(new.index)
    assert list(found.table) == ["prediction", "lower", "upper", "spread"]
    pd.testing.assert_frame_equal(new, before)
    polars = confidence(forest, pl.from_pandas(new.reset_index(drop=True)))
    np.testing.assert_array_equal(polars.table, found.table)
    one = confidence(forest, new[:1]).table
    np.testing.assert_allclose(one, found.table[:1])


def result_of(lower, upper, **columns):
    table = pd.DataFrame({"prediction": 0.0, "lower": lower, "upper": upper, "spread": 1.0})
    return Confidence(table, 0.9, "conformal", [], pd.DataFrame(columns))


def test_coverage_is_counted():
    found = result_of([0.0, 0, 0, 0], [1.0, 1, 2, 2], size=["S", "L", None, "S"]).coverage([0.5, 2, 2, 5], by="size")
    assert found.index.tolist() == ["L", "S", "missing"]
    assert found.index.name == "size"
    assert found["n"].tolist() == [1, 2, 1]
    assert found["coverage"].tolist() == [0, 0.5, 1]
    assert found["mean_width"].tolist() == [1, 1.5, 2]
    p = (1 + 2) / (2 + 4)
    assert found.loc["S", "std_error"] == pytest.approx(np.sqrt(p * (1 - p) / 6))


def test_many_numbers_and_dates_are_cut_into_five_groups_in_their_order():
    n = 100
    numbers = np.append(np.arange(n - 1.0), np.nan)
    dates = pd.Series(pd.date_range("2020-01-01", periods=n), name="day")
    result = result_of(np.zeros(n), np.ones(n), age=numbers, flag=numbers > 3, few=np.arange(n) % 3)
    y = np.full(n, 0.5)
    found = result.coverage(y, by="age")
    assert found.index[0] == "0 to 19"
    assert found.index[-1] == "missing"
    assert found["n"].tolist() == [20, 20, 19, 20, 20, 1]
    assert result.coverage(y, by=dates).index[1] == "2020-01-21 to 2020-02-09"
    assert result.coverage(y, by="flag").index.tolist() == ["False", "True"]
    assert result.coverage(y, by="few").index.tolist() == ["0", "1", "2"]
    assert result.coverage(y, by=pd.Series(range(n))).index.name == "group"
    assert result.coverage(y, by=pl.Series(["a"] * n)).index.tolist() == ["a"]
    near = 1e9 + np.arange(n)
    assert len(result.coverage(y, by=near)) == 5
    assert len(result.coverage(y, by=[["odd", 1, None, 2.5][i % 4] for i in range(n)])) == 4


def test_a_wrong_subgroup_or_target_is_said():
    result = result_of([0.0, 0], [1.0, 1], size=["S", "L"])
    with pytest.raises(ValueError, match=r"by='colour' is not a column of X, which has \['size'\]"):
        result.coverage([1, 2], by="colour")
    with pytest.raises(ValueError, match="by has 3 values, but there are 2 rows"):
        result.coverage([1, 2], by=[1, 2, 3])
    with pytest.raises(ValueError, match="X has 2 rows, but y has 1"):
        result.coverage([1])
    with pytest.raises(ValueError, match="y contains NaN"):
        result.coverage([1, np.nan])


def test_sets_hold_the_most_probable_label_first_and_are_never_empty():
    X, y = make_classes(400, 0)
    forest = ForestClassifier(n_estimators=30, random_state=0).fit(X, y)
    found = confidence(forest, X[:100], 0.2)
    table = found.table
    assert list(table) == ["prediction", "probability", "set", "size"]
    assert (table["size"] == table["set"].map(len)).all()
    assert table["size"].min() == 1
    wide = confidence(forest, X[:100], 0.98).table
    assert [labels[0] for labels in wide["set"]] == wide["prediction"].tolist()
    np.testing.assert_array_equal(table["prediction"], forest.predict(X[:100]))
    np.testing.assert_allclose(table["probability"], forest.predict_proba(X[:100]).max(axis=1))
    assert confidence(forest, X[:100], 0.99).table["size"].mean() > 2
    assert list(found.coverage(y[:100])) == ["n", "coverage", "std_error", "mean_size"]


def test_each_class_has_the_threshold_worked_out_by_hand():
    class Model(LogisticRegression):
        def predict_proba(self, X):
            return np.column_stack([X[:, 0], 1 - X[:, 0]])

    X = np.arange(1, 10)[:, None] / 10  # the probability of "a"
    model = Model().fit(X, ["a", "b"] * 4 + ["a"])
    # All are "a": scores 0.1 to 0.9, of which 0.8 takes the 8th, 0.8: "a" is in from a probability of 0.2 on. No row
    # of "b" is known, so that every set holds it.
    found = confidence(model, np.array([[0.15], [0.25], [0.85]]), 0.8, calibration=(X, ["a"] * 9))
    assert found.table["set"].tolist() == [("b",), ("b", "a"), ("a", "b")]
    assert [finding.text for finding in found.findings if finding.kind == "rare classes"] == [
        "Every set holds b, as too few rows are known to exclude it."
    ]
    # The threshold of "b" is the lowest of its four probabilities, 0.6; that of "a", 0.5. In the second row neither
    # label reaches its threshold, and "b" is nearer to it.
    found = confidence(model, np.array([[0.15], [0.45], [0.85]]), 0.8, calibration=(X, ["b"] * 4 + ["a"] * 5))
    assert found.table["set"].tolist() == [("b",), ("b",), ("a",)]


def test_sets_cover_a_rare_class_as_often_as_the_others():
    def draw(n, seed):
        generator = np.random.default_rng(seed)
        X = generator.normal(size=(n, 2))
        return X, np.where(X[:, 0] + generator.normal(size=n) > 2.9, "rare", "common")  # 2 %

    covered = []
    for seed in range(3):
        X, y = draw(6000, 10 + seed)
        kept = confidence(ForestClassifier(40, random_state=seed).fit(*draw(3000, seed)), X)
        calibrated = confidence(LogisticRegression().fit(*draw(800, seed)), X, calibration=draw(3000, 20 + seed))
        covered += [found.coverage(y, by=y)["coverage"] for found in (kept, calibrated)]
    means = pd.concat(covered, axis=1).mean(axis=1)
    assert means.between(0.85, 0.95).all(), means


def make_targets(kind, n, seed):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"x": generator.uniform(size=n), "z": generator.normal(size=n)})
    noise = generator.normal(size=n)
    if kind == "heteroscedastic":
        return X, (3 * X["z"] + (0.2 + 3 * X["x"]) * noise).to_numpy()
    values = np.exp(2 * X["x"] + 1 + 0.9 * noise)
    return X, np.where((kind == "zero-inflated") & (generator.random(n) < 0.5), 0, values)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["heteroscedastic", "lognormal", "zero-inflated"])
def test_intervals_cover_every_fifth_of_a_column_and_both_sides(kind):
    by_fifth, sides = [], []
    for seed in range(3):
        X, y = make_targets(kind, 1600, seed)
        X_new, y_new = make_targets(kind, 3000, 50 + seed)
        forest = ForestRegressor(40, random_state=seed).fit(X, y)
        boosting = HistGradientBoostingRegressor(max_iter=40).fit(X[:800], y[:800])
        for found in (
            confidence(forest, X_new, training=(X, y)),
            confidence(boosting, X_new, calibration=(X[800:], y[800:])),
        ):
            by_fifth.append(found.coverage(y_new, by="x")["coverage"].to_numpy())
            table = found.table
            sides.append([np.mean(y_new < table["lower"]), np.mean(y_new > table["upper"])])
            if kind != "heteroscedastic":
                assert table["lower"].min() >= 0
    for rows in (slice(0, None, 2), slice(1, None, 2)):  # out of bag, then calibrated
        fifths = np.mean(by_fifth[rows], axis=0)
        assert abs(fifths.mean() - 0.9) < 0.02
        assert ((fifths > 0.85) & (fifths < 0.95)).all(), fifths
        below, above = np.mean(sides[rows], axis=0)
        assert (below, above) == pytest.approx((0, 0.1) if kind == "zero-inflated" else (0.05, 0.05), abs=0.02)


def test_kept_errors_alone_give_intervals_with_both_sides():
    X, y = make_targets("lognormal", 1000, 0)
    X_new, y_new = make_targets("lognormal", 4000, 1)
    table = confidence(ForestRegressor(60, random_state=0).fit(X, y), X_new).table
    assert np.mean(y_new < table["lower"]) == pytest.approx(0.05, abs=0.02)
    assert np.mean(y_new > table["upper"]) == pytest.approx(0.05, abs=0.02)
    assert table["lower"].min() >= 0


def test_intervals_of_one_width_are_not_compared_with_each_other():
    X = pd.DataFrame({"a": np.arange(300.0)})
    y = X["a"] + np.tile([-1.0, 1.0], 150)
    found = confidence(LinearRegression().fit(X, y), X[:200], calibration=(X[200:], y[200:]))
    (width,) = (finding for finding in found.findings if finding.kind == "interval width")
    assert re.fullmatch(r"Nearly all 90% intervals are at most [\d.]+ wide\.", width.text)


def test_coverage_of_the_rows_of_fit_warns(noisy):
    forest, X, y = noisy
    with pytest.warns(UserWarning, match="y is the training target"):
        confidence(forest, X).coverage(y)
    found = confidence(forest, X[:50], calibration=(X[50:], y[50:]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.coverage(y[:50] + 1)


def test_a_label_unknown_to_the_model_counts_as_missed():
    X, y = make_classes(200, 0)
    model = LogisticRegression().fit(X, y)
    y = y.copy()
    y[:100] = "new"
    found = confidence(model, X, calibration=(X, y))
    assert found.coverage(y, by=y)["coverage"].to_dict()["new"] == 0
    assert found.coverage(y).loc["all", "coverage"] <= 0.5


def test_thirty_classes_and_a_thousand_columns():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 1000)), columns=[f"c{i}" for i in range(1000)])
    y = np.arange(120) % 30
    found = confidence(ForestClassifier(n_estimators=5, random_state=0).fit(X, y), X[:7], calibration=(X, y))
    found.plot(y=y[:7])
    assert found.table["size"].between(1, 30).all()
    assert len(confidence(ForestRegressor(n_estimators=5, random_state=0).fit(X, y), X).table) == 120


# Time order


def test_rows_later_than_those_of_training_are_warned_of(by_date):
    forest, X, _ = by_date
    with pytest.warns(UserWarning, match=r"later in 'saledate'.*100% of the rows.*calibration=\(X, y\)") as caught:
        found = confidence(forest, X[610:])
    assert caught[0].filename == __file__
    assert found.findings[0].columns == ("saledate",)
    assert found.findings[0].severity == 1
    with pytest.warns(UserWarning, match="later in 'saledate'"):
        confidence(forest, X[800:801])


def test_rows_of_the_same_time_and_later_calibration_rows_are_not_warned_of(by_date):
    forest, X, y = by_date
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(confidence(forest, X[:600]).findings) == 1
        assert len(confidence(forest, X[750:], calibration=(X[610:750], y[610:750])).findings) == 1
        mixed = X.sample(frac=1, random_state=0)
        model = ForestRegressor(n_estimators=20, random_state=0).fit(mixed[:600], y[mixed.index[:600]])
        confidence(model, mixed[600:])


def test_a_few_later_rows_may_be_chance(by_date):
    forest, X, _ = by_date
    trees = read_trees(forest, "test")
    mixed = X.iloc[:60].copy()
    for n_later, is_late in ((0, False), (1, False), (2, True)):  # (60 / 660) ** 2 < 0.01
        mixed.iloc[:n_later, 0] = X["saledate"].max()
        assert late_columns(trees, mixed) == ({"saledate": n_later / 60} if is_late else {})


def test_calibration_rows_of_the_time_of_training_do_not_help_later_ones(by_date):
    forest, X, y = by_date
    with pytest.warns(UserWarning, match="later in 'saledate'"):
        confidence(forest, X[610:], calibration=(X[:600], y[:600]))


def test_dates_are_found_in_pipelines_of_sklearn_forests(by_date):
    _, X, y = by_date
    X = X[["saledate", "YearMade"]]
    model = make_pipeline(DateParts(), RandomForestRegressor(20, random_state=0)).fit(X[:600], y[:600])
    with pytest.warns(UserWarning, match="later in 'saledate'"):
        confidence(model, X[610:], training=(X[:600], y[:600]))
    with pytest.warns(UserWarning, match="later in 'saledate'"):
        confidence(model, X[610:], method="quantile", training=(X[:600], y[:600]))


# Requests that cannot be met


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "bayes"}, "The 'method' parameter of confidence must be a str among"),
        ({"level": 90}, "The 'level' parameter of confidence must be a float in the range"),
        ({"level": 1}, "The 'level' parameter of confidence must be"),
        ({"method": "quantile"}, r"method='quantile' needs training=\(X, y\)"),
        ({"method": "spread", "calibration": ([[0]], [0])}, "calibration is for method='conformal'"),
        ({"method": "quantile", "training": ([[0, 0, 0]], [0])}, "fitted on 600 rows, but X has 1"),
        (
            {"calibration": ([[0, 0, 0]] * 5, [0] * 5)},
            "needs at least 9 rows held out of fit or out of bag, but there are 5",
        ),
        ({"calibration": ([[0, 0, 0]] * 5, [0] * 4)}, "X has 5 rows, but y has 4"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(noisy, arguments, message):
    forest, X, _ = noisy
    with pytest.raises(ValueError, match=message):
        confidence(forest, X, **arguments)


def test_pairs_are_pairs(noisy):
    forest, X, _ = noisy
    with pytest.raises(TypeError, match="The 'calibration' parameter of confidence must be an instance of"):
        confidence(forest, X, calibration=X)


def test_a_model_of_another_kind_is_told_what_serves_it():
    X, y = make_noisy(50, 0)
    model = LinearRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"LinearRegression.*needs calibration=\(X, y\)"):
        confidence(model, X)
    with pytest.raises(TypeError, match=r"not LinearRegression.*method='conformal' with calibration"):
        confidence(model, X, method="spread")
    classifier = LogisticRegression().fit(X, y > 0)
    with pytest.raises(ValueError, match="method='spread' is for regressors"):
        confidence(classifier, X, method="spread")


def test_unfitted_models_are_said_to_be():
    for model in (ForestRegressor(), LinearRegression()):
        with pytest.raises(NotFittedError):
            confidence(model, [[0.0]])


def test_forests_without_out_of_bag_rows_need_others():
    X, y = make_noisy(50, 0)
    for model in (
        ForestRegressor(n_estimators=5, bootstrap=False, oob_score=False),
        ExtraTreesRegressor(5),
        DecisionTreeRegressor(),
    ):
        with pytest.raises(ValueError, match=rf"{type(model).__name__} needs calibration=\(X, y\).*bootstrap=True"):
            confidence(model.fit(X, y), X)
    for model in (RandomForestRegressor(5), ForestRegressor(n_estimators=5, oob_score=False)):
        with pytest.raises(ValueError, match=r"does not keep with their targets: pass training=\(X, y\)"):
            confidence(model.fit(X, y), X)
        assert len(confidence(model, X, training=(X, y)).table) == 50


def test_columns_other_than_those_of_fit_are_named(by_date):
    forest, X, _ = by_date
    with pytest.raises(ValueError, match="YearMade"):
        confidence(forest, X.drop(columns="YearMade"))


def test_several_outputs_are_refused():
    X, y = make_noisy(50, 0)
    both = np.column_stack([y, y])
    for model, more in (
        (ForestRegressor(n_estimators=5), {}),
        (LinearRegression(), {"calibration": (X, both)}),
    ):
        with pytest.raises(ValueError, match="confidence is for one output, but this .* has 2"):
            confidence(model.fit(X, both), X, **more)


def test_fewer_rows_than_trees_leave_out_those_that_every_tree_drew():
    X, y = make_noisy(30, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        few = ForestRegressor(n_estimators=2, random_state=0).fit(X, y)
        assert np.isnan(few.oob_prediction_).any()
        none = ForestRegressor(n_estimators=1, random_state=0).fit(X[:3], y[:3])
    assert confidence(few, X).table.notna().all(axis=None)
    with pytest.raises(ValueError, match="needs at least 9 rows held out of fit or out of bag, but there are [01]:"):
        confidence(none, X)
    many = ForestRegressor(n_estimators=100, random_state=0).fit(X, y)
    assert confidence(many, X).table.notna().all(axis=None)


def test_a_constant_target_has_intervals_of_no_width():
    X, _ = make_noisy(40, 0)
    forest = ForestRegressor(n_estimators=10, random_state=0).fit(X, np.full(40, 3.0))
    for arguments in ({}, {"method": "quantile", "training": (X, np.full(40, 3.0))}, {"method": "spread"}):
        found = confidence(forest, X, **arguments)
        assert (found.table[["prediction", "lower", "upper"]] == 3).all(axis=None)
        found.plot()


# Pictures


@pytest.mark.parametrize("n_rows", [1, 30, 600])
def test_intervals_are_drawn_with_what_they_miss(noisy, n_rows):
    forest, X, y = noisy
    found = confidence(forest, X[:n_rows])
    ax = found.plot(y=y[:n_rows] + 100 * (np.arange(n_rows) % 2))
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:2] == ["90% interval", "prediction"]
    assert ("outside" in labels) == (n_rows > 1)
    assert found.plot(ax=ax) is ax


def test_a_picture_of_many_rows_stays_small():
    rng = np.random.default_rng(0)
    n = 20_000
    middle = rng.normal(size=n)
    table = pd.DataFrame({"prediction": middle, "lower": middle - 1, "upper": middle + 1, "spread": 0.5})
    ax = Confidence(table, 0.9, "conformal", [], pd.DataFrame(index=table.index)).plot(y=middle)
    assert sum(len(dots.get_offsets()) for dots in ax.collections if hasattr(dots, "get_sizes")) <= 1_001
    assert ax.get_xlim()[1] > n


@pytest.mark.real_data("bulldozers/Train.csv")
def test_calibration_on_later_auctions_mends_what_out_of_bag_errors_miss(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False, parse_dates=["saledate"], nrows=40_000)
    sales = sales.sort_values("saledate").tail(8_000).reset_index(drop=True)
    X, y = sales.drop(columns="SalePrice"), np.log(sales["SalePrice"])
    n = len(sales) * 3 // 4
    forest = ForestRegressor(n_estimators=40, min_samples_leaf=5, random_state=0).fit(X[:n], y[:n])
    middle = (n + len(sales)) // 2
    with pytest.warns(UserWarning, match="later in 'saledate'"):
        naive = confidence(forest, X[middle:]).coverage(y[middle:]).loc["all", "coverage"]
    mended = confidence(forest, X[middle:], calibration=(X[n:middle], y[n:middle]))
    assert naive < 0.88
    assert 0.86 < mended.coverage(y[middle:]).loc["all", "coverage"] < 0.94


# Weights of the rows that intervals rest on


def test_whole_weights_of_calibration_rows_repeat_them():
    rng = np.random.default_rng(0)
    X, new = (pd.DataFrame(rng.normal(size=(n, 2)), columns=list("ab")) for n in (90, 40))
    y = X["a"].to_numpy() + rng.normal(size=90)
    whole = rng.integers(0, 4, 90)
    copies = np.repeat(np.arange(90), whole)
    for model, target in ((LinearRegression(), y), (LogisticRegression(), np.where(y > 0, "yes", "no"))):
        model.fit(X, target)
        weighted = confidence(model, new, 0.8, calibration=(X, target), sample_weight=whole)
        repeated = confidence(model, new, 0.8, calibration=(X.iloc[copies], target[copies]))
        pd.testing.assert_frame_equal(weighted.table, repeated.table)
        assert weighted.findings == repeated.findings


def test_quantiles_of_a_forest_weigh_the_rows_of_fit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y, weights = rng.normal(size=80), rng.uniform(0, 2, 80)
    forest = RandomForestRegressor(7, min_samples_leaf=5, random_state=0).fit(X, y)
    found = confidence(forest, X[:5], 0.8, "quantile", training=(X, y), sample_weight=weights).table
    order, leaves = np.argsort(y), forest.apply(X)
    for row in range(5):
        same = (leaves == leaves[row]) * weights[:, None]
        share = (same / same.sum(axis=0)).mean(axis=1)[order].cumsum()
        assert found["lower"][row] == y[order][np.searchsorted(share, 0.1 - 1e-6)]
        assert found["upper"][row] == y[order][np.searchsorted(share, 0.9 - 1e-6)]


def draw_by(x, of_classes, rng):
    """Errors grow with x: the spread of a number, or the share of classes that do not follow the rule."""
    if of_classes:
        return np.where(rng.random(len(x)) < 0.6 * x, "no", "yes")
    return x + 4 * x**2 * rng.normal(size=len(x))


@pytest.mark.parametrize("n_calibration", [150, 1200])
@pytest.mark.parametrize("of_classes", [False, True])
def test_weights_by_the_density_of_new_rows_keep_the_level(n_calibration, of_classes):
    covered = {"weighted": [], "equal": []}
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, fresh = rng.uniform(size=1000), rng.uniform(size=n_calibration)
        late = np.sqrt(rng.uniform(size=3000))  # of density 2 x
        model = (LogisticRegression if of_classes else LinearRegression)().fit(x[:, None], draw_by(x, of_classes, rng))
        pair, truth = (fresh[:, None], draw_by(fresh, of_classes, rng)), draw_by(late, of_classes, rng)
        for name, weights in (("weighted", 1.1 * fresh), ("equal", None)):
            found = confidence(model, late[:, None], 0.8, calibration=pair, sample_weight=weights)
            by = truth if of_classes else None
            covered[name].append(found.coverage(truth, by=by)["coverage"].mean())
    assert np.mean(covered["weighted"]) == pytest.approx(0.8, abs=0.025)
    assert of_classes or n_calibration > 200 or np.mean(covered["equal"]) < 0.76


def test_equal_weights_of_any_size_change_nothing():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(500, 2)), columns=list("ab"))
    y = X["a"].to_numpy() + rng.normal(size=500)
    forest = ForestRegressor(20, random_state=0).fit(X, y)
    for more in ({}, {"training": (X, y)}, {"training": (X, y), "method": "quantile"}):
        plain = confidence(forest, X[:50], **more).table
        pd.testing.assert_frame_equal(confidence(forest, X[:50], sample_weight=np.full(500, 0.7), **more).table, plain)


def test_out_of_bag_rows_of_weight_zero_do_not_count():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 2)), columns=list("ab"))
    is_wild = np.arange(400) % 2 == 0
    y = X["a"].to_numpy() + np.where(is_wild, 5, 0.5) * rng.normal(size=400)
    forest = ForestRegressor(30, min_samples_leaf=20, random_state=0).fit(X, y)
    found = {}
    for more in ({}, {"training": (X, y)}):
        for name, weights in (("calm", 0.5 * ~is_wild), ("wild", 0.5 * is_wild), ("both", None)):
            table = confidence(forest, X, sample_weight=weights, **more).table
            found[name] = (table["upper"] - table["lower"]).mean()
        assert found["calm"] < 0.6 * found["both"] < found["both"] < 0.8 * found["wild"]


def test_weights_where_they_mean_nothing_are_refused():
    X, y = np.arange(60.0)[:, None], np.arange(60.0)
    forest = ForestRegressor(10, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="method='spread' rests on the trees alone"):
        confidence(forest, X, method="spread", sample_weight=np.ones(60))
    for weights in (np.ones(59), -np.ones(60), np.zeros(60)):
        with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
            confidence(forest, X, sample_weight=weights)
    with pytest.raises(ValueError, match="needs at least 9 rows held out of fit or out of bag, but there are 1"):
        confidence(forest, X, calibration=(X, y), sample_weight=np.where(y == 3, 1.0, 1e-9))
