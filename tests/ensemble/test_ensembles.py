"""Ensembles: out-of-fold predictions, weights, refits, budgets, and members and rows that are hard."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_predict
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import tabrec
from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    ForestClassifier,
    ForestRegressor,
    TabularRegressor,
    TimeSplit,
)
from tabrec.interpret import feature_importance, partial_dependence

RNG = np.random.default_rng(0)
NUMBERS = pd.DataFrame(RNG.normal(size=(90, 3)), columns=list("abc"))
LINE = (2 * NUMBERS["a"] - NUMBERS["b"]).to_numpy() + RNG.normal(size=90) / 10
SIDE = np.where(LINE > 0, "up", "down").astype(object)
FOREST = {"n_estimators": 4, "n_jobs": 1, "oob_score": False}
LINE_AND_MEAN = [("line", LinearRegression()), ("mean", DummyRegressor())]
RAW = [("forest", ForestRegressor(**FOREST)), ("boosting", BoostingRegressor(max_iter=5))]
RAW_CLASSES = [("forest", ForestClassifier(**FOREST)), ("boosting", BoostingClassifier(max_iter=5))]


class Failing(RegressorMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        raise RuntimeError("out of order")

    def predict(self, X):
        raise AssertionError


class Endless(Failing):
    def fit(self, X, y, sample_weight=None):
        while True:
            time.sleep(1e-3)


class Timed(LinearRegression):
    """A fit takes these seconds of a clock that is set by hand."""

    now = np.zeros(1)

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def fit(self, X, y, sample_weight=None):
        self.now[0] += self.seconds
        return super().fit(X, y)


def test_the_member_that_knows_the_answer_has_all_the_weight():
    ensemble = EnsembleRegressor(LINE_AND_MEAN, random_state=0).fit(NUMBERS, LINE)
    assert ensemble.weights_ == {"line": 1.0, "mean": 0.0}
    assert len(ensemble.estimators_) == 1
    board = ensemble.leaderboard_
    assert board["member"].tolist() == ["line", "mean"]
    assert board["rmse"].to_numpy() == pytest.approx([0.1, LINE.std()], rel=0.2)


def test_each_row_is_predicted_by_fits_that_have_not_seen_it():
    folds = KFold(3, shuffle=True, random_state=1)
    members = [("line", LinearRegression()), ("near", KNeighborsRegressor(1))]
    ensemble = EnsembleRegressor(members, cv=folds, method="nnls").fit(NUMBERS, LINE)
    single = {name: cross_val_predict(model, NUMBERS, LINE, cv=folds) for name, model in members}
    blended = sum(weight * single[name] for name, weight in ensemble.weights_.items())
    np.testing.assert_allclose(ensemble.oof_prediction_, blended)
    errors = ensemble.leaderboard_.set_index("member")
    squares = (single["near"] - LINE) ** 2
    assert errors.loc["near", "rmse"] == pytest.approx(np.sqrt(squares.mean()))
    by_delta = squares.std() / np.sqrt(90) / (2 * np.sqrt(squares.mean()))
    assert errors.loc["near", "standard_error"] == pytest.approx(by_delta)


def test_repeats_average_the_predictions_of_several_draws_of_folds():
    line = [("line", LinearRegression())]
    first, both = (
        EnsembleRegressor(line, cv=3, n_repeats=n, refit=False, random_state=0).fit(NUMBERS, LINE) for n in (1, 2)
    )
    assert len(both.estimators_) == 2 * len(first.estimators_) == 6
    assert not np.allclose(first.oof_prediction_, both.oof_prediction_, atol=1e-9)


def test_with_refit_members_are_fitted_to_all_rows_and_without_the_fits_of_folds_are_averaged():
    line = [("line", LinearRegression())]
    refitted = EnsembleRegressor(line, cv=3).fit(NUMBERS, LINE)
    np.testing.assert_allclose(refitted.predict(NUMBERS), LinearRegression().fit(NUMBERS, LINE).predict(NUMBERS))
    bag = EnsembleRegressor(line, cv=3, refit=False).fit(NUMBERS, LINE)
    np.testing.assert_allclose(bag.predict(NUMBERS), np.mean([m.predict(NUMBERS) for m in bag.estimators_], axis=0))


def test_forests_may_predict_out_of_bag():
    forest = ForestRegressor(30, n_jobs=1, random_state=0)
    ensemble = EnsembleRegressor([("forest", forest)], use_oob=True).fit(NUMBERS, LINE)
    fitted = clone(forest).fit(NUMBERS, LINE)
    np.testing.assert_array_equal(ensemble.oof_prediction_, fitted.oob_prediction_)
    np.testing.assert_array_equal(ensemble.predict(NUMBERS), fitted.predict(NUMBERS))


def test_members_that_hold_out_rows_are_fitted_once():
    members = [
        ("boosting", BoostingRegressor(learning_rate=0.3, random_state=0)),
        ("net", TabularRegressor(layers=(4,), n_nets=2, epochs=2, random_state=0)),
    ]
    ensemble = EnsembleRegressor(members, cv=3).fit(NUMBERS, LINE)
    fitted = {name: member.fit(NUMBERS, LINE) for name, member in members}
    expected = sum(weight * fitted[name].oof_prediction_ for name, weight in ensemble.weights_.items())
    np.testing.assert_allclose(ensemble.oof_prediction_, expected)
    for name, model in zip((n for n, weight in ensemble.weights_.items() if weight), ensemble.estimators_, strict=True):
        np.testing.assert_array_equal(model.predict(NUMBERS), fitted[name].predict(NUMBERS))
    by_folds = clone(ensemble).set_params(use_oob=False).fit(NUMBERS, LINE)
    assert not np.allclose(by_folds.oof_prediction_, expected, atol=1e-6)


def test_a_member_that_holds_out_few_of_many_rows_is_fitted_to_folds():
    X = pd.DataFrame({"a": np.arange(1200.0)})
    boosting = BoostingRegressor(cv=ShuffleSplit(1, random_state=0), learning_rate=0.3, random_state=0)
    ensemble = EnsembleRegressor([("boosting", boosting)], cv=2, random_state=0).fit(X, X["a"])
    assert np.isnan(ensemble.estimators_[0].oof_prediction_).sum() == 1080
    assert np.isfinite(ensemble.oof_prediction_).all()
    np.testing.assert_array_equal(ensemble.predict(X), boosting.fit(X, X["a"]).predict(X))


def test_a_split_by_time_learns_weights_on_later_rows_and_fits_all_rows():
    times = NUMBERS.assign(day=pd.date_range("2024-01-01", periods=90)[::-1])
    forest = [("forest", ForestRegressor(**FOREST, random_state=0))]
    ensemble = EnsembleRegressor(forest, cv=TimeSplit(2, column="day", test_size=20)).fit(times, LINE)
    assert np.flatnonzero(~np.isnan(ensemble.oof_prediction_)).tolist() == list(range(40))
    np.testing.assert_array_equal(ensemble.predict(times), forest[0][1].fit(times, LINE).predict(times))


def test_groups_are_kept_together():
    groups = np.repeat(np.arange(9), 10)
    X = pd.DataFrame({"group": groups})
    y = RNG.normal(size=9)[groups]
    tree = [("tree", DecisionTreeRegressor())]
    apart = EnsembleRegressor(tree, cv=3, random_state=0).fit(X, y)
    together = EnsembleRegressor(tree, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert apart.leaderboard_["rmse"][0] < 1e-9 < together.leaderboard_["rmse"][0]


def test_weights_of_rows_weigh_the_members_too():
    y, weights = LINE.copy(), np.r_[np.zeros(45), np.ones(45)]
    y[:45] = 1000 * RNG.normal(size=45)
    weighted = EnsembleRegressor(LINE_AND_MEAN, cv=KFold(3)).fit(NUMBERS, y, sample_weight=weights)
    assert weighted.weights_["line"] == 1.0
    assert weighted.leaderboard_["rmse"][0] == pytest.approx(0.1, rel=0.3)
    with pytest.raises(ValueError, match="at least one non-zero"):
        EnsembleRegressor(LINE_AND_MEAN).fit(NUMBERS, y, sample_weight=np.zeros(90))


def test_metadata_is_routed_to_members_that_request_it():
    with sklearn.config_context(enable_metadata_routing=True):
        members = [("line", LinearRegression().set_fit_request(sample_weight=True)), "forest"]
        y, weights = np.r_[LINE[:45], -LINE[45:]], np.r_[np.ones(45), np.zeros(45)]
        members[1] = ("forest", ForestRegressor(**FOREST).set_fit_request(sample_weight=False))
        ensemble = EnsembleRegressor(members, cv=GroupKFold(3), random_state=0)
        ensemble.fit(NUMBERS, y, sample_weight=weights, groups=np.arange(90) % 5)
        assert ensemble.leaderboard_["member"][0] == "line"
        unset = EnsembleRegressor([("line", LinearRegression())])
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
            unset.fit(NUMBERS, y, sample_weight=weights)


def test_a_member_that_fails_is_left_out_with_a_warning_that_names_it():
    with pytest.warns(UserWarning, match="Member 'bad' is left out: RuntimeError: out of order"):
        ensemble = EnsembleRegressor([("bad", Failing()), *LINE_AND_MEAN], random_state=0).fit(NUMBERS, LINE)
    assert set(ensemble.weights_) == {"line", "mean"}
    with pytest.raises(RuntimeError, match="out of order"):
        EnsembleRegressor([("bad", Failing())]).fit(NUMBERS, LINE)


def test_a_member_without_time_is_interrupted_and_left_out():
    ensemble = EnsembleRegressor([("line", LinearRegression()), ("endless", Endless())], time_budget=0.5)
    with pytest.warns(UserWarning, match="Member 'endless' is left out: the time budget is spent"):
        ensemble.fit(NUMBERS, LINE)
    assert ensemble.weights_ == {"line": 1.0}
    with pytest.raises(ValueError, match="time_budget=0.01 is too short for any of the members endless"):
        EnsembleRegressor([("endless", Endless())], time_budget=0.01).fit(NUMBERS, LINE)


@pytest.mark.parametrize(("seconds", "n_fits"), [(2, 1), (6.5, 3)])
def test_the_time_of_refits_is_reserved_and_without_it_the_fits_of_the_folds_are_kept(seconds, n_fits, monkeypatch):
    monkeypatch.setattr("time.perf_counter", lambda: float(Timed.now[0]))
    ensemble = EnsembleRegressor([("line", Timed(1)), ("long", Timed(seconds))], cv=3, time_budget=10)
    with pytest.warns(UserWarning, match="Member 'long' is left out: the time budget is spent"):
        ensemble.fit(NUMBERS, LINE)
    assert len(ensemble.estimators_) == n_fits


def test_the_probabilities_of_a_class_that_a_fold_lacks():
    y = SIDE.copy()
    y[:2] = "flat"
    first = np.arange(90) < 2
    folds = [(np.flatnonzero(~first), np.flatnonzero(first)), (np.arange(45, 90), np.arange(2, 45))]
    line = [("line", LogisticRegression())]
    ensemble = EnsembleClassifier(line, cv=folds, refit=True, calibrate=False).fit(NUMBERS, y)
    assert ensemble.classes_.tolist() == ["down", "flat", "up"]
    np.testing.assert_allclose(ensemble.predict_proba(NUMBERS).sum(axis=1), 1)
    known = np.r_[2:45]
    column = np.searchsorted(ensemble.classes_, y[known].astype(str))
    loss = -np.log(ensemble.oof_prediction_[known, column]).mean()  # the rows of the unknown class do not count
    assert ensemble.leaderboard_["log_loss"].min() == pytest.approx(loss)


def test_calibrated_probabilities_have_a_lower_loss():
    X = pd.DataFrame({"a": RNG.normal(size=300)})
    y = (X["a"] + 2 * RNG.normal(size=300) > 0).astype(int)
    tree = [("tree", DecisionTreeClassifier(max_depth=7, random_state=0))]
    fits = [EnsembleClassifier(tree, calibrate=calibrate, random_state=0).fit(X, y) for calibrate in (False, True)]
    raw, calibrated = (log_loss(y, fit.oof_prediction_) for fit in fits)
    assert fits[1].estimator_calibration_[0, 0] < 1 == fits[0].estimator_calibration_[0, 0]
    assert calibrated < raw


def test_members_are_calibrated_before_they_are_weighted():
    X = pd.DataFrame(RNG.normal(size=(400, 6)))
    y = X.iloc[:, :4].to_numpy().argmax(axis=1)
    forest = [("forest", ForestClassifier(40, n_jobs=1, random_state=0))]
    raw, ensemble = (EnsembleClassifier(forest, calibrate=calibrate).fit(X, y) for calibrate in (False, True))
    assert ensemble.estimator_calibration_[0, 0] > 1.3  # the mean of trees is too cautious
    assert ensemble.leaderboard_["log_loss"][0] < 0.95 * raw.leaderboard_["log_loss"][0]
    assert ensemble.calibration_.tolist() == [1, 0] or ensemble.calibration_[0] == pytest.approx(1, abs=0.1)
    held_out = pd.DataFrame(RNG.normal(size=(400, 6)))
    truth = held_out.iloc[:, :4].to_numpy().argmax(axis=1)
    assert log_loss(truth, ensemble.predict_proba(held_out)) < 0.95 * log_loss(truth, raw.predict_proba(held_out))


def test_members_are_cloned_and_set_by_name():
    ensemble = EnsembleRegressor([("forest", ForestRegressor(3)), "linear"])
    copied = clone(ensemble).set_params(forest__n_estimators=5)
    assert copied.estimators[0][1].n_estimators == 5
    assert ensemble.get_params()["forest__n_estimators"] == 3
    copied.set_params(forest="drop")
    assert copied.estimators == [("forest", "drop"), "linear"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"estimators": ["forest", "tree"]},
            "'tree'; the short names are forest, extra_trees, linear, boosting, net, neighbors",
        ),
        ({"estimators": [("a", LogisticRegression())]}, "which is not a regressor"),
        ({"estimators": [("a__b", LinearRegression())]}, "must not contain '__'"),
        ({"estimators": ["linear", "linear"]}, "each by another name"),
        ({"estimators": []}, "at least one model"),
        ({"n_repeats": 2, "cv": KFold(3)}, "n_repeats=2 requires a number of random folds"),
    ],
)
def test_parameters_are_checked(parameters, message):
    with pytest.raises(ValueError, match=message):
        EnsembleRegressor(**{"estimators": LINE_AND_MEAN, **parameters}).fit(NUMBERS, LINE)


def _words(n_rows):
    return pd.DataFrame({"text": [f"word {row} of {row * 7919 % 1000}" for row in range(n_rows)]})


@pytest.mark.long
@pytest.mark.parametrize(
    ("X", "y"),
    [
        (NUMBERS[:20], LINE[:20]),
        (pd.DataFrame(RNG.normal(size=(40, 2000)).astype(np.float32)).rename(columns="x{}".format), LINE[:40]),
        (NUMBERS, np.full(90, 3.0)),
        (NUMBERS, 1e9 + 1e9 * LINE),
        (_words(90), LINE),
    ],
    ids=["20 rows", "2,000 columns", "constant target", "unit of 1e9", "near-unique text"],
)
def test_hard_tables_of_numbers(X, y):
    members = [*RAW, "linear"] if X.shape[1] < 1000 else RAW[:1]
    ensemble = EnsembleRegressor(members, cv=2, random_state=0).fit(X, y)
    predicted = ensemble.predict(X)
    assert np.isfinite(predicted).all()
    margin = np.ptp(y) + 1e-9 * np.abs(y).max()
    assert y.min() - margin <= predicted.min() <= predicted.max() <= y.max() + margin
    assert sum(ensemble.weights_.values()) == pytest.approx(1)


def test_200_classes():
    y = np.arange(600) % 200
    X = pd.DataFrame({"a": y + RNG.normal(size=600) / 10})
    forest = ("forest", ForestClassifier(5, min_samples_leaf=1, n_jobs=1, oob_score=False))
    ensemble = EnsembleClassifier([forest, ("tree", DecisionTreeClassifier())], cv=2, random_state=0).fit(X, y)
    assert ensemble.predict_proba(X).shape == (600, 200)
    assert ensemble.score(X, y) > 0.5


@pytest.fixture(scope="module")
def raw():
    """An ensemble of raw rows, with its rows."""
    X = NUMBERS.assign(state=RNG.choice(["Ohio", "Utah", None], 90))
    return EnsembleRegressor(RAW, cv=2, random_state=0).fit(X, LINE), X


def test_a_saved_ensemble_predicts_the_same(raw, tmp_path):
    ensemble, X = raw
    back = tabrec.load(tabrec.save(ensemble, tmp_path / "model"))
    np.testing.assert_array_equal(back.predict(X), ensemble.predict(X))
    pd.testing.assert_frame_equal(back.leaderboard_, ensemble.leaderboard_)
    classes = EnsembleClassifier(RAW_CLASSES, cv=2, random_state=0).fit(X, SIDE)
    back = tabrec.load(tabrec.save(classes, tmp_path / "classes"))
    np.testing.assert_array_equal(back.predict_proba(X), classes.predict_proba(X))


def test_an_ensemble_is_explained_as_other_models_are(raw):
    ensemble, X = raw
    importance = feature_importance(ensemble, X, LINE, random_state=0).table
    assert importance["column"][0] == "a"
    curve = partial_dependence(ensemble, X, "a")
    assert curve.average[0][-1] > curve.average[0][0]


def test_a_table_by_member_is_shown(capsys):
    EnsembleRegressor(LINE_AND_MEAN, cv=2, verbose=1).fit(NUMBERS, LINE)
    shown = capsys.readouterr().err
    assert shown.split()[:4] == ["member", "rmse", "±", "seconds"]
    assert "line" in shown


def test_labels_of_single_rows_do_not_warn_of_each_fold():
    X = pd.DataFrame({"size": RNG.normal(size=60), "name": [f"name {row}" for row in range(60)]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EnsembleRegressor(["extra_trees", "linear"], random_state=0, verbose=False).fit(X, X["size"])
