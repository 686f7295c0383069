"""Boosting on raw frames: equality with scikit-learn, categories, weights and constraints."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.inspection import partial_dependence
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from tabrec import BoostingClassifier, BoostingRegressor, TabularPreprocessor
from tabrec.preprocess import TimeSplit

FAST = {"max_iter": 20, "random_state": 0}


def make_frame(n_rows=400, seed=0):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "size": generator.normal(size=n_rows).round(3),
            "state": generator.choice(["Ohio", "Texas", "Utah"], n_rows),
            "age": generator.uniform(0, 30, n_rows).round(2),
            "kind": generator.choice(list("abcdefgh"), n_rows),
        }
    )
    effect = X["state"].map({"Ohio": 0, "Texas": 5, "Utah": -5}) + X["kind"].isin(list("bdf")) * 4
    return X, (effect + 3 * X["size"] + X["age"] / 10 + generator.normal(0, 0.1, n_rows)).to_numpy()


def in_growing_order(model, X, y):
    """Return the encoded frame in the row order of the fit."""
    from tabrec.tables.rows import canonical_order

    encoded = model.encode(X)
    order = canonical_order(encoded, y)
    return encoded.iloc[order], y[order]


def same_parameters(ours):
    """Return the parameters whose defaults differ from scikit-learn."""
    names = "learning_rate max_leaf_nodes min_samples_leaf early_stopping max_features l2_regularization"
    return {name: getattr(ours, name) for name in names.split()}


@pytest.mark.parametrize("max_features", [0.3, 1.0])
def test_regressor_equals_plain_boosting_on_the_encoded_frame(max_features):
    X, y = make_frame()
    ours = BoostingRegressor(**FAST, max_features=max_features).fit(X, y)
    plain = HistGradientBoostingRegressor(**FAST, **same_parameters(ours), categorical_features="from_dtype").fit(
        *in_growing_order(ours, X, y)
    )
    np.testing.assert_allclose(ours.predict(X), plain.predict(ours.encode(X)), rtol=1e-12)


def test_classifier_equals_plain_boosting_on_the_encoded_frame():
    X, y = make_frame()
    label = (y > 0).astype(int) + (y > 4)
    ours = BoostingClassifier(**FAST).fit(X, label)
    plain = HistGradientBoostingClassifier(**FAST, **same_parameters(ours), categorical_features="from_dtype").fit(
        *in_growing_order(ours, X, label)
    )
    np.testing.assert_allclose(ours.predict_proba(X), plain.predict_proba(ours.encode(X)), rtol=1e-9)


def test_rows_may_come_in_any_order():
    X, y = make_frame()
    shuffled = np.random.default_rng(1).permutation(len(X))
    one = BoostingRegressor(**FAST).fit(X, y)
    other = BoostingRegressor(**FAST).fit(X.iloc[shuffled], y[shuffled])
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_categories_are_split_as_categories():
    X = pd.DataFrame({"kind": list("abcdefgh") * 20})
    y = X["kind"].isin(list("aceg")).to_numpy(float)
    model = BoostingRegressor(max_iter=1, learning_rate=1.0, max_leaf_nodes=2, max_features=1.0).fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-12)


def test_an_unseen_level_is_predicted_near_the_mean():
    X, y = make_frame()
    model = BoostingRegressor(max_iter=200, random_state=0).fit(X, y)
    unseen, missing = model.predict(X.assign(kind="z")), model.predict(X.assign(kind=None))
    np.testing.assert_array_equal(unseen, missing)
    by_kind = np.array([model.predict(X.assign(kind=kind)).mean() for kind in "abcdefgh"])
    assert by_kind.min() - 0.1 <= unseen.mean() <= by_kind.max() + 0.1
    assert abs(unseen.mean() - y.mean()) < 2.5


def test_levels_beyond_the_bins_are_encoded_by_the_target():
    generator = np.random.default_rng(0)
    level = generator.integers(0, 300, 3000)
    X, y = pd.DataFrame({"key": [f"k{value}" for value in level]}), (level % 10).astype(float)
    assert BoostingRegressor(**FAST, high_cardinality=None).fit(X, y).target_encoded_ == ["key"]
    assert BoostingRegressor(**FAST).fit(X[level < 250], y[level < 250]).target_encoded_ == []
    few_bins = BoostingRegressor(max_iter=100, max_bins=16, random_state=0).fit(X[level < 30], y[level < 30])
    assert few_bins.target_encoded_ == ["key"]
    assert few_bins.score(X[level < 30], y[level < 30]) > 0.95


@pytest.mark.parametrize("constraint", [{"size": -1}, [0, 0, 0, 0], {"age": 1, "size": 1}])
def test_monotonic_constraints_hold_for_the_columns_named(constraint):
    X, y = make_frame()
    model = BoostingRegressor(max_iter=60, max_features=1.0, random_state=0, monotonic_cst=constraint).fit(X, y)
    grid = np.linspace(-2, 2, 30)
    row = X.head(1)
    response = model.predict(pd.concat([row] * 30, ignore_index=True).assign(size=grid))
    if constraint == {"size": -1}:
        assert np.ptp(response) < 0.5  # it rises in truth, and may not
        assert (np.diff(response) <= 1e-12).all()
    else:
        assert np.ptp(response) > 5


def test_columns_that_may_not_interact_do_not():
    generator = np.random.default_rng(0)
    X = pd.DataFrame(
        {"a": generator.normal(size=600), "kind": generator.choice(list("xy"), 600), "b": generator.normal(size=600)}
    )
    y = (X["a"] * X["b"] + X["b"] * (X["kind"] == "x")).to_numpy()
    model = BoostingRegressor(max_iter=60, max_features=1.0, interaction_cst=[{0}, {1, 2}], random_state=0).fit(X, y)

    def effect_of_a(kind, b):
        rows = pd.DataFrame({"a": [-1.0, 1.0], "kind": kind, "b": b})
        return np.diff(model.predict(rows))[0]

    assert effect_of_a("x", 1.0) == pytest.approx(effect_of_a("y", -1.0), abs=1e-9)
    effects_of_b = [
        np.diff(model.predict(pd.DataFrame({"a": 0.0, "kind": kind, "b": [-1.0, 1.0]})))[0] for kind in "xy"
    ]
    assert abs(effects_of_b[0] - effects_of_b[1]) > 0.5


def test_whole_weights_are_repeated_rows_and_0_is_no_row():
    X, y = make_frame(200)
    X.loc[::5, "age"] = np.nan
    weights = np.random.default_rng(0).integers(0, 4, 200)
    weighted = BoostingRegressor(**FAST).fit(X, y, sample_weight=weights)
    rows = np.repeat(np.arange(200), weights)
    repeated = BoostingRegressor(**FAST).fit(X.iloc[rows[::-1]], y[rows[::-1]])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_fractional_weights_reach_the_boosting():
    X, y = make_frame()
    heavy = np.where(X["state"] == "Utah", 1.0, 0.0001)
    model = BoostingRegressor(max_iter=300, random_state=0).fit(X, y + 50 * (X["state"] != "Utah"), sample_weight=heavy)
    assert model._baseline_prediction.ravel()[0] == pytest.approx(y[X["state"] == "Utah"].mean(), abs=0.1)


@pytest.mark.parametrize("make", [BoostingRegressor, BoostingClassifier])
def test_early_stopping_watches_rows_of_a_raw_frame(make):
    X, y = make_frame(600)
    y = y if make is BoostingRegressor else (y > 0).astype(int)
    later = X[400:].assign(state="Alaska", extra="ignored")[["extra", "kind", "age", "state", "size"]]
    model = make(max_iter=400, early_stopping=True, n_iter_no_change=3, learning_rate=0.3, random_state=0)
    model.fit(X[:400], y[:400], X_val=later, y_val=y[400:])
    assert model.n_iter_ < 400
    assert len(model.validation_score_) == model.n_iter_ + 1
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == ["size", "state", "age", "kind"]


def test_early_stopping_takes_a_scorer_and_a_share_of_the_rows():
    X, y = make_frame()
    model = BoostingRegressor(max_iter=300, early_stopping=True, scoring="r2", learning_rate=0.3, random_state=0)
    assert model.fit(X, y).n_iter_ < 300
    assert model.score(X, y) > 0.9


def noisy_rows(n_rows=200, noise=3.0):
    X, y = make_frame(n_rows)
    return X, y + np.random.default_rng(1).normal(0, noise, n_rows)


@pytest.mark.parametrize("make", [BoostingRegressor, BoostingClassifier])
def test_rows_held_out_choose_the_number_of_trees(make):
    X, y = noisy_rows()
    target = y if make is BoostingRegressor else y > 0
    model = make(learning_rate=0.3, random_state=0).fit(X, target)
    assert 1 < model.n_iter_ < 200
    assert model.max_iter is None
    fixed = clone(model).set_params(max_iter=model.n_iter_).fit(X, target)
    np.testing.assert_array_equal(model.predict(X), fixed.predict(X))


def test_the_number_of_trees_does_not_depend_on_the_order_of_the_rows():
    X, y = noisy_rows()
    model = BoostingRegressor(learning_rate=0.3, random_state=0).fit(X, y)
    shuffled = np.random.default_rng(2).permutation(len(X))
    again = clone(model).fit(X.iloc[shuffled], y[shuffled])
    assert again.n_iter_ == model.n_iter_
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_copies_of_a_row_are_held_out_together():
    X, _ = make_frame(100)
    noise = np.random.default_rng(1).normal(size=100)
    assert BoostingRegressor(learning_rate=0.3, random_state=0).fit(X, noise, np.full(100, 4)).n_iter_ < 20


def test_noise_gets_few_trees_and_a_table_of_few_rows_all_of_them():
    X, _ = make_frame(300)
    noise = np.random.default_rng(1).normal(size=300)
    assert BoostingRegressor(random_state=0).fit(X, noise).n_iter_ < 100
    assert BoostingRegressor(random_state=0).fit(X[:7], noise[:7]).n_iter_ == 1000


def test_a_splitter_of_times_chooses_the_number_of_trees():
    X, y = noisy_rows()
    drifting = X.assign(sold=pd.date_range("2020", periods=len(X)))
    target = y + np.where(np.arange(len(X)) < 150, 0, 1) * np.where(X["state"] == "Utah", 15, 0)
    model = BoostingRegressor(cv=TimeSplit(1, column="sold"), learning_rate=0.3, random_state=0).fit(drifting, target)
    assert model.n_iter_ != clone(model).set_params(cv=5).fit(drifting, target).n_iter_


def test_rows_may_be_held_out_by_positions_or_masks():
    X, y = noisy_rows()
    is_held = np.arange(len(X)) % 4 == 0
    masks, positions = [(~is_held, is_held)], [(np.flatnonzero(~is_held), np.flatnonzero(is_held))]
    models = [BoostingRegressor(cv=cv, learning_rate=0.3, random_state=0).fit(X, y) for cv in (masks, positions)]
    assert models[0].n_iter_ == models[1].n_iter_ < 200


def test_rows_held_out_are_predicted_by_trees_that_have_not_seen_them():
    X, y = noisy_rows()
    is_held = np.arange(len(X)) % 4 == 0
    for make, target in ((BoostingRegressor, y), (BoostingClassifier, np.where(y > 0, "high", "low"))):
        model = make(cv=[(~is_held, is_held)], learning_rate=0.3, random_state=0).fit(X, target)
        alone = clone(model).set_params(max_iter=model.n_iter_).fit(X[~is_held], target[~is_held])
        predict = alone.predict if make is BoostingRegressor else alone.predict_proba
        np.testing.assert_allclose(model.oof_prediction_[is_held], predict(X[is_held]), rtol=1e-12)
        assert np.isnan(model.oof_prediction_[~is_held]).all()
        assert alone.oof_prediction_ is None


def test_rows_of_weight_zero_are_not_held_out():
    X, y = noisy_rows()
    weights = np.repeat([0, 1, 2], [20, 100, 80])
    model = BoostingRegressor(learning_rate=0.3, random_state=0).fit(X, y, weights)
    assert np.isnan(model.oof_prediction_).tolist() == (weights == 0).tolist()


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([([0, 1, 2], [500])], "position that the 200 rows do not have"),
        ([], "cv has no folds"),
        (GroupKFold(3), r"needs groups, which fit does not take: pass list\(cv.split"),
    ],
    ids=["beyond the rows", "none", "of groups"],
)
def test_folds_that_cannot_be_made_are_refused(cv, message):
    with pytest.raises(ValueError, match=message):
        BoostingRegressor(cv=cv).fit(*noisy_rows())


def test_early_stopping_auto_leaves_few_rows_to_the_folds():
    X, y = noisy_rows()
    by_folds = BoostingRegressor(learning_rate=0.3, random_state=0).fit(X, y)
    assert clone(by_folds).set_params(early_stopping="auto").fit(X, y).n_iter_ == by_folds.n_iter_


def test_a_class_of_one_row_does_not_stop_the_choice():
    X, y = noisy_rows()
    label = np.where(y > 0, "high", "low").astype(object)
    label[0] = "once"
    assert BoostingClassifier(learning_rate=0.3, random_state=0).fit(X, label).n_iter_ < 200


def test_one_fold_of_a_large_table_is_held_out(monkeypatch):
    held = []
    choose = BoostingRegressor._choose_n_trees
    monkeypatch.setattr(
        BoostingRegressor, "_choose_n_trees", lambda self, *args: held.append(args[-1]) or choose(self, *args)
    )
    X = np.arange(10_500.0)[:, None]
    BoostingRegressor(learning_rate=0.5, max_leaf_nodes=3, max_features=1.0).fit(X, X.ravel() % 7)
    assert [(len(train), len(out)) for train, out in held[0]] == [(8400, 2100)]


def test_a_warm_start_without_a_number_of_trees_keeps_those_there_are():
    X, y = noisy_rows()
    model = BoostingRegressor(learning_rate=0.3, warm_start=True, random_state=0).fit(X, y)
    n_trees = model.n_iter_
    assert model.fit(X, y).n_iter_ == n_trees


def test_warm_start_adds_trees():
    X, y = make_frame()
    model = BoostingRegressor(max_iter=5, warm_start=True, max_features=1.0, random_state=0).fit(X, y)
    model.set_params(max_iter=12).fit(X, y)
    whole = BoostingRegressor(max_iter=12, max_features=1.0, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict(X), whole.predict(X))


def test_staged_predictions_end_at_the_whole():
    X, y = make_frame()
    model = BoostingRegressor(**FAST).fit(X, y)
    *_, last = model.staged_predict(X)
    np.testing.assert_array_equal(last, model.predict(X))


def test_it_searches_and_cross_validates_on_raw_frames():
    X, y = make_frame()
    X.loc[::7, "age"] = np.nan
    search = GridSearchCV(BoostingRegressor(**FAST), {"learning_rate": [0.05, 0.3]}, cv=3).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.3}
    assert cross_val_score(clone(search.best_estimator_), X, y, cv=3).min() > 0.8


def test_partial_dependence_is_by_raw_column():
    X, y = make_frame()
    model = BoostingRegressor(max_iter=60, max_features=1.0, random_state=0).fit(X, y)
    by_trees, brute = (
        partial_dependence(model, X, ["size"], grid_resolution=5, method=method)["average"][0]
        for method in ("recursion", "brute")
    )
    # The trees' own answer leaves out the mean.
    np.testing.assert_allclose(by_trees - by_trees.mean(), brute - brute.mean(), atol=0.3)
    assert np.ptp(brute) > 5
    with pytest.raises(ValueError, match="'kind' as it is: pass method='brute'"):
        model._compute_partial_dependence_recursion(np.array([[1.0]]), np.array([3]))


def test_parameters_and_targets_are_refused_before_any_work():
    X, y = make_frame()

    class Untouchable(TabularPreprocessor):
        def fit_transform(self, X, y=None):
            raise AssertionError("work has begun")

    with pytest.raises(ValueError, match="learning_rate"):
        BoostingRegressor(learning_rate=-1, preprocessor=Untouchable()).fit(X, y)
    with pytest.raises(ValueError, match="1d array"):
        BoostingRegressor(preprocessor=Untouchable()).fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        BoostingClassifier(preprocessor=Untouchable()).fit(X, y)


# --- Class weights and classes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [[1, 2], ["no", "yes"], [False, True], [10.0, 20.0]], ids=str)
def test_class_weights_are_those_of_the_labels(labels):
    X = pd.DataFrame({"a": np.random.default_rng(0).normal(size=280)})
    y = np.repeat(np.array(labels, dtype=object), 140)
    weights = {labels[0]: 1, labels[1]: 20, "absent": 7}
    model = BoostingClassifier(class_weight=weights, **FAST).fit(X, y)
    weighted = BoostingClassifier(**FAST).fit(
        X, y, sample_weight=np.repeat([1.0, 20.5], 140) * (20 / 20.5) ** np.repeat([0, 1], 140)
    )
    assert model.predict_proba(X)[:, 1].mean() > 0.9
    np.testing.assert_allclose(model.predict_proba(X), weighted.predict_proba(X), atol=0.02)
    assert model.classes_.tolist() == labels


@pytest.mark.parametrize("y", [["a"] * 150 + ["b"] * 149 + ["rare"], [0] * 150 + [1] * 149 + [7]], ids=["text", "int"])
def test_a_class_of_one_row_is_named_where_early_stopping_needs_two(y):
    X = pd.DataFrame({"a": np.arange(300.0)})
    with pytest.raises(ValueError, match=f"class {y[-1]!r} has 1 row, but early stopping"):
        BoostingClassifier(early_stopping=True).fit(X, y)
    assert BoostingClassifier(max_iter=2).fit(X, y).classes_.tolist() == sorted(set(y))
    watched = BoostingClassifier(max_iter=2, early_stopping=True).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert watched.classes_.tolist() == sorted(set(y))


def test_boosting_shows_its_iterations_if_asked(capsys):
    X, y = make_frame()
    model = BoostingRegressor(**FAST, warm_start=True, verbose=2).fit(X, y)
    model.set_params(max_iter=25).fit(X, y)
    output, errors = capsys.readouterr()
    assert output == ""
    assert [line.split(",")[0] for line in errors.splitlines()] == ["Boosting 20/20", "Boosting 25/25"]
    assert model.verbose == 2
    BoostingClassifier(**FAST).fit(X, y > 0)
    assert capsys.readouterr() == ("", "")


def test_many_classes_stop_early_too():
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(900, 3)), np.repeat(np.arange(150), 6)
    assert BoostingClassifier(random_state=0).fit(X, y).n_iter_ < 100
