"""Forests on raw frames: equality with scikit-learn, independence of row order, and out-of-bag predictions."""

import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.inspection import partial_dependence
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

import tabrec
from tabrec import Categorify, DateParts, FillMissing, ForestClassifier, ForestRegressor, Normalize, TabularPreprocessor
from tabrec.interpret import feature_importance
from tabrec.tables.compiled import SWITCH, find_compiled
from tabrec.tables.rows import canonical_order
from tabrec.trees.grower.growth import is_grown

FAST = {"n_estimators": 12, "n_jobs": 1, "random_state": 0}
N_ROWS = 200


def exact(values, digits=6):
    return np.ldexp(np.round(np.ldexp(values, digits)), -digits)


def make_array(seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(N_ROWS, 4)).astype(np.float32)
    # Sums of such targets are exact, so that they do not depend on the order in which a grower adds up rows.
    return X, exact(X[:, 0] * 3 + X[:, 1] ** 2 + generator.normal(0, 0.3, N_ROWS))


def make_frame(seed=0):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "state": generator.choice(["Ohio", "Texas", "Utah"], N_ROWS),
            "hours": np.where(generator.random(N_ROWS) < 0.2, np.nan, generator.normal(500, 100, N_ROWS)),
            "age": generator.uniform(0, 30, N_ROWS).round(1),
            "sold": pd.Timestamp("2011-01-01") + pd.to_timedelta(generator.integers(0, 900, N_ROWS), "D"),
        }
    )
    y = X["age"] + 10 * (X["state"] == "Utah") + X["sold"].dt.month / 4 + generator.normal(0, 0.3, N_ROWS)
    return X, y.to_numpy()


def classes(y):
    return np.array(["high", "low", "mid"], dtype=object)[np.digitize(y, np.quantile(y, [0.3, 0.6]))]


sklearn_version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


@pytest.mark.parametrize(
    ("ours", "theirs", "target"),
    [(ForestRegressor, ExtraTreesRegressor, lambda y: y), (ForestClassifier, ExtraTreesClassifier, classes)],
)
def test_random_splits_grow_the_extra_trees_of_scikit_learn(ours, theirs, target):
    X, y = make_array()
    forest = ours(splitter="random", bootstrap=False, min_samples_leaf=2, max_features=0.5, **FAST).fit(X, target(y))
    other = theirs(min_samples_leaf=2, max_features=0.5, **FAST).fit(X[forest._rows], target(y)[forest._rows])
    method = "predict_proba" if ours is ForestClassifier else "predict"
    np.testing.assert_allclose(getattr(forest, method)(X), getattr(other, method)(X), rtol=1e-12)
    best = ours(bootstrap=False, min_samples_leaf=2, max_features=0.5, **FAST).fit(X, target(y))
    assert (getattr(forest, method)(X) != getattr(best, method)(X)).any()


def test_random_splits_have_out_of_bag_predictions_and_are_searched():
    X, y = make_frame()
    search = GridSearchCV(ForestRegressor(**FAST), {"splitter": ["best", "random"]}, cv=2).fit(X, y)
    assert set(search.cv_results_["param_splitter"]) == {"best", "random"}
    assert ForestRegressor(splitter="random", **FAST | {"n_estimators": 40}).fit(X, y).oob_score_ > 0.7
    with pytest.raises(ValueError, match="'splitter' parameter of ForestRegressor must be a str among"):
        ForestRegressor(splitter="any").fit(X, y)


def order_of(X, y):
    return canonical_order(pd.DataFrame(X), y)


# --- It is scikit-learn's forest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters", [{}, {"max_samples": 0.5}, {"max_samples": 50}, {"max_features": "sqrt"}], ids=str
)
def test_regressor_equals_a_plain_forest_fed_in_canonical_order(parameters):
    X, y = make_array()
    order = order_of(X, y)
    ours = ForestRegressor(**FAST, **parameters).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = RandomForestRegressor(
            **FAST, **{"max_features": 0.5, "min_samples_leaf": 2, "oob_score": True} | parameters
        ).fit(X[order], y[order])
    np.testing.assert_array_equal(ours.predict(X), plain.predict(X))
    seen = ~np.isnan(ours.oob_prediction_[order])
    np.testing.assert_allclose(ours.oob_prediction_[order][seen], plain.oob_prediction_[seen], rtol=1e-12)
    np.testing.assert_array_equal(ours.feature_importances_, plain.feature_importances_)
    if seen.all():
        assert ours.oob_score_ == pytest.approx(plain.oob_score_)


@pytest.mark.parametrize(
    "class_weight", [None, "balanced", "balanced_subsample", {"high": 5.0, "low": 1.0, "mid": 0.2}], ids=str
)
def test_classifier_equals_a_plain_forest_fed_in_canonical_order(class_weight, monkeypatch):
    if class_weight is not None:  # sums of fractions are rounded, which depends on the order of the rows
        monkeypatch.setenv(SWITCH, "0")
    X, y = make_array()
    y = classes(y)
    order = order_of(X, y)
    parameters = FAST | {"n_estimators": 40}
    ours = ForestClassifier(**parameters, class_weight=class_weight).fit(X, y)
    defaults = {"min_samples_leaf": 3, "max_features": 0.3, "oob_score": True}
    plain = RandomForestClassifier(**parameters, **defaults, class_weight=class_weight)
    plain.fit(X[order], y[order])
    np.testing.assert_array_equal(ours.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(X), plain.predict(X))
    probabilities = ours.oob_decision_function_[order]
    seen = ~np.isnan(probabilities[:, 0])
    np.testing.assert_allclose(probabilities[seen], plain.oob_decision_function_[seen], rtol=1e-12)
    assert ours.oob_score_ == pytest.approx(np.mean((ours.oob_prediction_ == y)[order][seen]))
    if seen.all():
        assert ours.oob_score_ == pytest.approx(plain.oob_score_)


def test_fractional_weights_are_used_as_a_plain_forest_uses_them():
    X, y = make_array()
    order = order_of(X, y)
    weights = exact(np.random.default_rng(1).uniform(0.1, 3, N_ROWS))
    ours = ForestRegressor(**FAST, oob_score=False).fit(X, y, sample_weight=weights)
    plain = RandomForestRegressor(**FAST, max_features=0.5, min_samples_leaf=2).fit(X[order], y[order], weights[order])
    np.testing.assert_array_equal(ours.predict(X), plain.predict(X))


@pytest.mark.parametrize("scale", [1, 1e6])
def test_a_share_of_samples_is_one_of_rows_whatever_the_weights(scale):
    X, y = make_array()
    weights = np.random.default_rng(1).uniform(0.1, 3, N_ROWS) * scale
    forest = ForestRegressor(**FAST, max_samples=0.25).fit(X, y, sample_weight=weights)
    assert {len(drawn) for drawn in forest.estimators_samples_} == {50}


def test_gaps_of_an_array_are_filled_and_marked():
    X, y = make_array()
    X[::9, 2] = np.nan
    forest = ForestRegressor(**FAST).fit(X, y)
    assert forest.encoded_names_.tolist() == ["x0", "x1", "x2", "x3", "x2_na"]


# --- Rows and weights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("high_cardinality", [100, 1], ids=["codes", "target encoded"])
def test_rows_may_come_in_any_order(high_cardinality):
    X, y = make_frame()
    X, y = pd.concat([X, X.head(20)], ignore_index=True), np.append(y, y[:20])
    one = ForestRegressor(**FAST, high_cardinality=high_cardinality).fit(X, y)
    shuffled = np.random.default_rng(3).permutation(len(X))
    other = clone(one).fit(X.iloc[shuffled], y[shuffled])
    np.testing.assert_array_equal(other.predict(X), one.predict(X))
    assert other.oob_score_ == pytest.approx(one.oob_score_)
    once = shuffled[(shuffled >= 20) & (shuffled < N_ROWS)]
    back = np.argsort(shuffled)
    np.testing.assert_array_equal(other.oob_prediction_[back][once], one.oob_prediction_[once])


@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
def test_whole_weights_are_repeated_rows(make):
    X, y = make_frame()
    y = y if make is ForestRegressor else classes(y)
    weights = np.random.default_rng(0).integers(0, 4, N_ROWS)
    weighted = make(**FAST).fit(X, y, sample_weight=weights)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(N_ROWS), weights))
    repeated = make(**FAST).fit(X.iloc[rows], y[rows])
    medians = [model.preprocessor_.fill_missing_.fill_values_["hours"] for model in (weighted, repeated)]
    assert medians[0] == medians[1] == np.nanmedian(X["hours"].to_numpy()[rows])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    # A row that came twice is not left out where its copy was drawn; of rows that are repeated the forest cannot know.
    assert weighted.oob_score_ < repeated.oob_score_ - 0.05


@pytest.mark.parametrize("weight", [1.0, 0.7])
def test_rows_of_weight_0_leave_no_trace(weight):
    X, y = make_frame()
    weights = np.where(X["state"] == "Ohio", 0, weight)
    kept = weights > 0
    weighted = ForestRegressor(**FAST).fit(X, y, sample_weight=weights)
    removed = ForestRegressor(**FAST).fit(X[kept], y[kept], sample_weight=weights[kept])
    assert weighted.preprocessor_.categories_["state"] == ["#na#", "Texas", "Utah"]
    assert weighted.preprocessor_.fill_missing_.fill_values_["hours"] == np.nanmedian(X["hours"][kept])
    np.testing.assert_array_equal(weighted.predict(X), removed.predict(X))
    assert np.isnan(weighted.oob_prediction_[~kept]).all()
    np.testing.assert_array_equal(weighted.oob_prediction_[kept], removed.oob_prediction_)


# --- Out of bag ------------------------------------------------------------------------------------------------------


def test_samples_of_a_tree_are_rows_of_the_table_and_out_of_bag_is_the_rest():
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_estimators": 30}).fit(X, y)
    matrix = forest.encode(X).to_numpy(np.float32)
    total, count = np.zeros(N_ROWS), np.zeros(N_ROWS)
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        # The root holds the mean target of what was drawn, repeats and all.
        assert tree.tree_.value[0, 0, 0] == pytest.approx(y[drawn].mean())
        left_out = np.setdiff1d(np.arange(N_ROWS), drawn)
        total[left_out] += tree.predict(matrix[left_out])
        count[left_out] += 1
    np.testing.assert_allclose(forest.oob_prediction_, total / count)
    assert forest.oob_score_ == pytest.approx(1 - np.mean((forest.oob_prediction_ - y) ** 2) / y.var())


@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
def test_rows_that_every_tree_drew_have_no_prediction_and_are_told(make):
    X, y = make_frame()
    with pytest.warns(UserWarning, match="rows were drawn by every tree") as told:
        forest = make(**FAST | {"n_estimators": 2}).fit(X, y if make is ForestRegressor else classes(y))
    assert told[0].filename == __file__
    predicted = forest.oob_prediction_
    missing = pd.isna(predicted)
    assert 0 < missing.sum() < N_ROWS
    assert np.isfinite(forest.oob_score_)


def test_out_of_bag_score_may_be_a_function():
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_estimators": 40}, oob_score=mean_absolute_error).fit(X, y)
    assert forest.oob_score_ == pytest.approx(np.mean(abs(forest.oob_prediction_ - y)))


def test_without_bootstrap_nothing_is_left_out():
    X, y = make_frame()
    forest = ForestRegressor(**FAST, bootstrap=False).fit(X, y)
    assert not hasattr(forest, "oob_score_")
    assert forest.get_params()["oob_score"] is True
    assert forest.get_params()["max_samples"] == 200_000
    assert all(sorted(drawn) == list(range(N_ROWS)) for drawn in forest.estimators_samples_)


def test_max_samples_beyond_the_rows_means_all_of_them():
    X, y = make_frame()
    many = ForestRegressor(**FAST, max_samples=10_000).fit(X, y)
    assert many.get_params()["max_samples"] == 10_000
    np.testing.assert_array_equal(many.predict(X), ForestRegressor(**FAST, max_samples=None).fit(X, y).predict(X))


def test_parameters_stay_as_given_when_fit_fails():
    X, y = make_array()
    forest = ForestRegressor(n_estimators=1, criterion="poisson", max_samples=10_000)
    with pytest.raises(ValueError, match="negative"):
        forest.fit(X, y)
    assert (forest.max_samples, forest.oob_score) == (10_000, True)


# --- What the reasons read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, "whole", "fractions"])
@pytest.mark.parametrize("high_cardinality", [100, 1], ids=["codes", "target encoded"])
@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
def test_the_training_matrix_is_what_the_trees_were_grown_on(make, high_cardinality, weights):
    X, y = make_frame()
    y = y if make is ForestRegressor else classes(y)
    generator = np.random.default_rng(5)
    given = {"whole": generator.integers(0, 4, N_ROWS), "fractions": generator.choice([0, 0.5, 1.7], N_ROWS)}.get(
        weights
    )
    forest = make(**FAST, high_cardinality=high_cardinality).fit(X, y, sample_weight=given)
    matrix = forest._training_matrix(X, y)
    assert len(matrix) == len(forest._rows)
    np.testing.assert_array_equal(forest.encoded_range_, [matrix.min(axis=0), matrix.max(axis=0)])
    own = np.ones(len(matrix))
    if weights == "fractions" and sklearn_version < (1, 8):  # from then on weights decide what is drawn
        own = given[forest._rows]
    target = y[forest._rows, None] == forest.classes_ if make is ForestClassifier else y[forest._rows, None]
    for member, drawn in zip(forest.estimators_, forest._get_estimators_indices(), strict=True):
        tree = member.tree_
        leaves = tree.apply(matrix[drawn])
        total = np.bincount(leaves, own[drawn], minlength=tree.node_count)
        means = np.column_stack(
            [np.bincount(leaves, own[drawn] * column[drawn], minlength=tree.node_count) for column in target.T]
        )
        here = np.unique(leaves)
        np.testing.assert_allclose(means[here] / total[here, None], tree.value.reshape(tree.node_count, -1)[here])
        # Every leaf is reached: no row has gone another way than in training.
        np.testing.assert_array_equal(here, np.flatnonzero(tree.children_left < 0))


def test_the_range_of_training_is_by_encoded_column():
    X, y = make_frame()
    forest = ForestRegressor(**FAST).fit(X, y)
    ranges = pd.DataFrame(forest.encoded_range_, columns=forest.encoded_names_)
    assert ranges["age"].tolist() == pytest.approx([X["age"].min(), X["age"].max()])
    assert ranges["state"].tolist() == [1, 3]
    assert ranges["hours_na"].tolist() == [0, 1]


def test_targets_and_spread_of_left_out_rows_are_those_of_the_table():
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_estimators": 30}, high_cardinality=1).fit(X, y)
    np.testing.assert_array_equal(forest.oob_target_, y)
    matrix = np.empty((N_ROWS, len(forest.encoded_names_)), dtype=np.float32)
    matrix[forest._rows] = forest._training_matrix(X, y)
    by_tree = np.full((30, N_ROWS), np.nan)
    for tree, drawn, own in zip(forest.estimators_, forest.estimators_samples_, by_tree, strict=True):
        left_out = np.setdiff1d(np.arange(N_ROWS), drawn)
        own[left_out] = tree.predict(matrix[left_out])
    np.testing.assert_allclose(forest.oob_prediction_, np.nanmean(by_tree, axis=0))
    np.testing.assert_allclose(forest.oob_spread_, np.nanstd(by_tree, axis=0), atol=1e-6)


def test_what_is_kept_of_several_outputs_and_of_rows_of_weight_0():
    X, y = make_frame()
    two = np.column_stack([y, -2 * y])
    weights = np.repeat([1, 0, 2], [80, 20, 100])
    forest = ForestRegressor(**FAST | {"n_estimators": 30}).fit(X, two, sample_weight=weights)
    kept = weights > 0
    np.testing.assert_array_equal(forest.oob_target_[kept], two[kept])
    np.testing.assert_allclose(forest.oob_spread_[kept, 1], 2 * forest.oob_spread_[kept, 0], rtol=0.02)
    assert np.isnan(forest.oob_target_[~kept]).all()
    assert np.isnan(forest.oob_spread_[~kept]).all()
    labels = np.column_stack([y > 15, y > 25]).astype(int)
    many = ForestClassifier(**FAST | {"n_estimators": 30}).fit(X, labels, sample_weight=weights)
    np.testing.assert_array_equal(many.oob_target_[kept], labels[kept])
    assert all(value is None for value in many.oob_target_[~kept].ravel())
    assert not hasattr(many, "oob_spread_")


@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
def test_what_is_kept_comes_through_a_save(make, tmp_path):
    X, y = make_frame()
    y = y if make is ForestRegressor else classes(y)
    forest = make(**FAST | {"n_estimators": 30}, high_cardinality=1).fit(X, y)
    tabrec.save(forest, tmp_path / "model")
    again = tabrec.load(tmp_path / "model")
    names = ["oob_target_", "encoded_range_", "_rows"]
    names += ["oob_prediction_", "oob_spread_"] if make is ForestRegressor else ["oob_decision_function_"]
    for name in names:
        np.testing.assert_array_equal(getattr(again, name), getattr(forest, name))
        assert getattr(again, name).dtype == getattr(forest, name).dtype
    np.testing.assert_array_equal(again._training_matrix(X, y), forest._training_matrix(X, y))


def test_what_is_kept_grows_with_a_warm_start():
    X, y = make_frame()
    warm = ForestRegressor(**FAST | {"n_estimators": 15}, warm_start=True, high_cardinality=1).fit(X, y)
    warm.set_params(n_estimators=30).fit(X, y)
    whole = ForestRegressor(**FAST | {"n_estimators": 30}, high_cardinality=1).fit(X, y)
    for name in ("oob_target_", "oob_spread_", "oob_prediction_", "encoded_range_"):
        np.testing.assert_array_equal(getattr(warm, name), getattr(whole, name))


@pytest.mark.parametrize("without", [{"oob_score": False}, {"bootstrap": False}], ids=str)
def test_a_fit_without_out_of_bag_rows_leaves_nothing_of_an_earlier_one(without):
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_estimators": 30}).fit(X, y)
    forest.set_params(**without).fit(X[::-1], y[::-1] + 1)
    left = {name for name in vars(forest) if name.startswith("oob_")}
    assert left == {"oob_score"}  # the parameter
    assert forest.encoded_range_.shape == (2, len(forest.encoded_names_))
    many = ForestClassifier(**FAST | {"n_estimators": 30}).fit(X, classes(y)).set_params(**without).fit(X, classes(y))
    assert {name for name in vars(many) if name.startswith("oob_")} == {"oob_score"}


# --- Several outputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True], ids=["floats", "whole numbers"])
def test_regressor_of_several_outputs(whole):
    X, y = make_frame()
    y = y.round(0 if whole else 3)
    two = np.column_stack([y, -2 * y])
    forest = ForestRegressor(**FAST | {"n_estimators": 30}, high_cardinality=1).fit(X, two)
    assert forest.target_encoded_ == []
    assert forest.oob_prediction_.shape == forest.predict_spread(X).shape == (N_ROWS, 2)
    np.testing.assert_allclose(forest.oob_prediction_[:, 1], -2 * forest.oob_prediction_[:, 0], atol=0.01)
    assert forest.oob_score_ > 0.8
    assert forest.staged_rmse(X, two)[-1] == pytest.approx(np.sqrt(np.mean((forest.predict(X) - two) ** 2)))


def test_classifier_of_several_outputs():
    X, y = make_frame()
    two = np.column_stack([y > 15, y > 25]).astype(int)
    forest = ForestClassifier(**FAST | {"n_estimators": 30}).fit(X, two)
    assert forest.oob_decision_function_.shape == (N_ROWS, 2, 2)
    assert forest.oob_score_ > 0.7
    assert forest.predict(X).shape == (N_ROWS, 2)
    with pytest.raises(ValueError, match="fitted on 2"):
        forest.predict_spread(X)
    with pytest.raises(ValueError, match="oob_score=False"):
        ForestClassifier(**FAST).fit(X, np.column_stack([classes(y), classes(-y)]))
    many = ForestClassifier(**FAST, oob_score=False).fit(X, np.column_stack([classes(y), classes(-y)]))
    assert many.predict(X).shape == (N_ROWS, 2)


# --- Spread and stages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_spread_is_the_standard_deviation_of_the_trees(n_jobs):
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_jobs": n_jobs}).fit(X, y)
    matrix = forest.encode(X).to_numpy(np.float32)
    by_tree = np.array([tree.predict(matrix) for tree in forest.estimators_])
    np.testing.assert_allclose(forest.predict_spread(X), by_tree.std(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(list(forest.staged_predict(X)), np.cumsum(by_tree, axis=0) / np.arange(1, 13)[:, None])


def test_spread_of_a_classifier_is_that_of_its_probabilities():
    X, y = make_frame()
    forest = ForestClassifier(**FAST).fit(X, classes(y))
    matrix = forest.encode(X).to_numpy(np.float32)
    by_tree = np.array([tree.predict_proba(matrix) for tree in forest.estimators_])
    np.testing.assert_allclose(forest.predict_spread(X), by_tree.std(axis=0), rtol=1e-9, atol=1e-9)
    *_, last = forest.staged_predict_proba(X)
    np.testing.assert_allclose(last, forest.predict_proba(X))


def test_spread_holds_few_trees_at_a_time():
    X, y = make_array()
    forest = ForestRegressor(n_estimators=200, n_jobs=2, max_depth=3, oob_score=False, random_state=0).fit(X, y)
    many = np.resize(X, (40_000, 4))
    tracemalloc.start()
    forest.predict_spread(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * many.shape[0] * 8  # all trees would be 200 times the rows


def test_stages_of_the_error_end_at_that_of_the_forest():
    X, y = make_frame()
    forest = ForestRegressor(**FAST).fit(X[:150], y[:150])
    errors = forest.staged_rmse(X[150:], y[150:])
    assert errors.shape == (12,)
    assert errors[-1] == pytest.approx(np.sqrt(np.mean((forest.predict(X[150:]) - y[150:]) ** 2)))
    np.testing.assert_array_equal(forest.staged_rmse(X[150:], y[150:, None]), errors)
    with pytest.raises(ValueError, match="50 rows, but y has 200"):
        forest.staged_rmse(X[150:], y)


def test_stages_may_be_left_early():
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_jobs": 2}).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stages = forest.staged_predict(X)
        next(stages)
        stages.close()


# --- Life with scikit-learn ------------------------------------------------------------------------------------------


def test_warm_start_adds_trees():
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_estimators": 5}, warm_start=True).fit(X, y)
    first = forest.estimators_[0]
    forest.set_params(n_estimators=12).fit(X[::-1], y[::-1])
    assert forest.estimators_[0] is first
    whole = ForestRegressor(**FAST).fit(X, y)
    np.testing.assert_array_equal(forest.predict(X), whole.predict(X))
    np.testing.assert_array_equal(forest.oob_prediction_[::-1], whole.oob_prediction_)


def test_a_warm_start_on_other_rows_has_no_out_of_bag_rows():
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_estimators": 20}, warm_start=True).fit(X, y)
    with pytest.warns(UserWarning, match="other rows than those of the earlier fit"):
        forest.set_params(n_estimators=21).fit(X[1:], y[1:])
    assert not any(hasattr(forest, name) for name in ("oob_score_", "oob_prediction_", "estimators_samples_"))
    with pytest.warns(UserWarning, match="other rows"):  # the first trees did not draw from these either
        forest.set_params(n_estimators=22).fit(X[1:], y[1:])
    with pytest.raises(ValueError, match="warm_start added trees fitted to other rows"):
        feature_importance(forest, X[1:], y[1:], method="oob")
    assert forest.encoded_range_[1].max() == ForestRegressor(**FAST).fit(X, y).encoded_range_[1].max()


@pytest.mark.parametrize("make", [ForestRegressor, ForestClassifier])
def test_it_pickles_and_clones(make):
    X, y = make_frame()
    y = y if make is ForestRegressor else classes(y)
    forest = make(**FAST, high_cardinality=1).fit(X, y)
    again = pickle.loads(pickle.dumps(forest))
    np.testing.assert_array_equal(again.predict(X), forest.predict(X))
    np.testing.assert_array_equal(clone(forest).fit(X, y).predict(X), forest.predict(X))
    assert clone(forest).get_params() == forest.get_params()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_it_searches_and_cross_validates_on_raw_frames(n_jobs):
    X, y = make_frame()
    forest = ForestRegressor(**FAST | {"n_jobs": 2})
    search = GridSearchCV(forest, {"min_samples_leaf": [2, 60]}, cv=3, n_jobs=n_jobs).fit(X, y)
    assert search.best_params_ == {"min_samples_leaf": 2}
    assert search.predict(X).shape == search.best_estimator_.predict_spread(X).shape == (N_ROWS,)
    assert cross_val_score(forest, X, y, cv=3, n_jobs=n_jobs).min() > 0.6


def test_weights_are_routed():
    X, y = make_frame()
    weights = np.where(X["state"] == "Utah", 1, 0)
    weights[:5] = 1
    with sklearn.config_context(enable_metadata_routing=True):
        forest = ForestRegressor(**FAST).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(forest, {"min_samples_leaf": [2]}, cv=2).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(search.predict(X), ForestRegressor(**FAST).fit(X, y, weights).predict(X))


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_it_works_within_any_backend(backend):
    X, y = make_frame()
    alone = ForestRegressor(**FAST).fit(X, y)
    with joblib.parallel_config(backend, n_jobs=2):
        within = ForestRegressor(**FAST | {"n_jobs": None}).fit(X, y)
        np.testing.assert_allclose(within.predict(X), alone.predict(X), rtol=1e-12)
        np.testing.assert_array_equal(within.predict_spread(X), alone.predict_spread(X))
    np.testing.assert_array_equal(within.oob_prediction_, alone.oob_prediction_)


def test_it_ends_a_pipeline_and_its_parameters_can_be_set():
    X, y = make_frame()
    pipeline = make_pipeline(DateParts(), Categorify(), FillMissing(), Normalize(), ForestRegressor(**FAST))
    pipeline.set_params(forestregressor__n_estimators=20, forestregressor__preprocessor=TabularPreprocessor())
    pipeline.set_params(forestregressor__preprocessor__drop_columns=["hours"])
    forest = pipeline.fit(X, y)[-1]
    assert len(forest.estimators_) == 20
    assert "hours" not in forest.encoded_names_
    assert pipeline.score(X, y) > 0.8


def test_partial_dependence_is_by_raw_column():
    X, y = make_frame()
    forest = ForestRegressor(**FAST).fit(X, y)
    by_trees = partial_dependence(forest, X, ["age"], grid_resolution=5)
    rises = np.diff(by_trees["average"][0])
    assert (rises > 3).all()
    with pytest.raises(ValueError, match="'hours' as it is: pass method='brute'"):
        partial_dependence(forest, X, ["hours"])
    brute = partial_dependence(forest, X, ["age"], grid_resolution=5, method="brute")
    np.testing.assert_allclose(brute["average"][0], by_trees["average"][0], atol=1.5)


def test_parameters_and_targets_are_refused_before_any_work():
    X, y = make_frame()

    class Untouchable(TabularPreprocessor):
        def fit_transform(self, X, y=None):
            raise AssertionError("work has begun")

    with pytest.raises(ValueError, match="n_estimators"):
        ForestRegressor(n_estimators=0, preprocessor=Untouchable()).fit(X, y)
    with pytest.raises(ValueError, match="oob_score"):
        ForestRegressor(oob_score="yes", preprocessor=Untouchable()).fit(X, y)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        ForestClassifier(preprocessor=Untouchable()).fit(X, y)


def test_stumps_have_no_importances():
    X, _ = make_frame()
    forest = ForestRegressor(**FAST).fit(X, np.ones(N_ROWS))
    np.testing.assert_array_equal(forest.feature_importances_, np.zeros(len(forest.encoded_names_)))


def test_predictions_are_the_same_to_the_bit_however_many_threads():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 4))
    forest = ForestRegressor(n_estimators=50, random_state=0, n_jobs=2).fit(X, X[:, 0] + rng.normal(size=len(X)))
    classifier = ForestClassifier(n_estimators=50, random_state=0, n_jobs=2).fit(X, X[:, 0] > 0)
    first, probabilities = forest.predict(X), classifier.predict_proba(X)
    for n_jobs in (1, 2, 2, 2):
        forest.n_jobs = classifier.n_jobs = n_jobs
        np.testing.assert_array_equal(forest.predict(X), first)
        np.testing.assert_array_equal(classifier.predict_proba(X), probabilities)


def test_a_failed_fit_leaves_the_forest_as_it_was():
    X, y = make_frame()
    forest = ForestRegressor(4, warm_start=True, random_state=0).fit(X, y)
    before = forest.predict(X)

    def failing(truth, predicted):
        raise RuntimeError("no score")

    forest.set_params(n_estimators=6, oob_score=failing)
    with pytest.raises(RuntimeError, match="no score"):
        forest.fit(X, y)
    assert len(forest.estimators_) == 4
    np.testing.assert_array_equal(forest.predict(X), before)


@pytest.mark.parametrize(("offset", "scale"), [(0, 2.0**-40), (3e9, 1), (2.0**50, 1), (-(2.0**40), 2.0**-10)])
def test_offset_and_scale_of_a_column_leave_a_forest_as_it_is(offset, scale):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"id": rng.permutation(200), "x": rng.random(200).round(2)})
    y = np.sin(X["id"] / 9) + X["x"]
    moved = X.assign(id=offset + scale * X["id"])
    plain, forest = (ForestRegressor(20, random_state=0).fit(table, y) for table in (X, moved))
    np.testing.assert_array_equal(forest.predict(moved), plain.predict(X))
    np.testing.assert_array_equal(forest.oob_prediction_, plain.oob_prediction_)
    np.testing.assert_array_equal(forest.predict(moved[:1]), plain.predict(X[:1]))
    np.testing.assert_array_equal(forest.encoded_range_[:, 0], offset + scale * np.array([0, 199]))
    assert forest.encode(moved)["id"].tolist() == moved["id"].tolist()


def test_folds_of_long_numbers_score_as_small_numbers_do():
    raw = pd.DataFrame({"id": np.arange(40), "shop": ["b", None, "a", "c"] * 10})
    y = np.cos(raw["id"]) + 2 * raw["shop"].isna()
    forest = ForestRegressor(4, oob_score=False, random_state=0)
    scores = cross_val_score(forest, raw, y, cv=2)
    long = raw.assign(id=raw["id"] + 3_000_000_000)
    np.testing.assert_array_equal(cross_val_score(make_pipeline(TabularPreprocessor(), forest), long, y, cv=2), scores)
    search = GridSearchCV(forest, {"max_depth": [None]}, cv=2).fit(TabularPreprocessor().fit_transform(long), y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], [scores.mean()])


# --- Progress --------------------------------------------------------------------------------------------------------


def test_a_forest_shows_its_grown_trees_if_asked(capsys):
    X, y = make_array()
    forest = ForestRegressor(**FAST | {"n_jobs": 2}, warm_start=True, verbose=1).fit(X, y)
    state = set(vars(forest))
    output, errors = capsys.readouterr()
    assert output == ""
    assert [line.split(",")[0] for line in errors.splitlines()] == [
        "Growing trees 12/12",
        "Predicting out of bag 12/12",
    ]
    forest.set_params(n_estimators=15, oob_score=False).fit(X, y)
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == ["Growing trees 15/15"]
    assert forest.verbose == 1
    assert set(vars(forest)) <= state
    ForestClassifier(**FAST).fit(X, classes(y))
    assert capsys.readouterr() == ("", "")


def test_a_tree_counts_as_grown_once_it_is_complete():
    X, y = make_array()
    tree = DecisionTreeRegressor()
    assert not is_grown(tree)
    assert is_grown(tree.fit(X, y))
    assert is_grown(DecisionTreeRegressor(max_depth=3).fit(X, y))


def test_leaves_and_paths_are_those_of_scikit_learn():
    X, y = make_array()
    forest = ForestRegressor(**FAST).fit(X, y)
    assert forest.verbose == "auto"
    leaves = np.stack([tree.apply(X) for tree in forest.estimators_], axis=1)
    np.testing.assert_array_equal(forest.apply(X), leaves)
    indicator, starts = forest.decision_path(X)
    assert starts[-1] == indicator.shape[1] == sum(tree.tree_.node_count for tree in forest.estimators_)
    assert (indicator[np.arange(N_ROWS), leaves[:, 1] + starts[1]] == 1).all()


def test_an_unknown_choice_of_the_compiled_grower_is_named(monkeypatch):
    monkeypatch.setenv(SWITCH, "yes")
    assert str(find_compiled()) == "scikit-learn's (TABREC_GROWER=yes is neither 0 nor one of avx2, baseline)"
