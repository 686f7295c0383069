"""`TabularRegressor` and `TabularClassifier`: known answers, reproducible nets, invalid arguments."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from tabrec import (
    Categorify,
    DateParts,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularClassifier,
    TabularPreprocessor,
    TabularRegressor,
)

# No parameter is left at its default, because the defaults follow the benchmarks.
NET = {
    "layers": (16,),
    "n_members": None,
    "activation": "relu",
    "batch_norm": False,
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "unknown_rate": 0.01,
    "numeric_embedding": None,
    "numeric_embedding_size": 8,
    "n_bins": 8,
    "epochs": 5,
    "batch_size": 32,
    "learning_rate": 0.02,
    "weight_decay": 0.0,
    "optimizer": "adamw",
    "schedule": "one_cycle",
    "max_grad_norm": 1.0,
    "device": "cpu",
    "mixed_precision": False,
    "random_state": 0,
}
MANY = NET | {"n_members": 4, "numeric_embedding": "piecewise"}
# On a table of identical rows a net learns a single number; the whole table is one batch.
ONE_NUMBER = NET | {"epochs": 200, "batch_size": 512, "learning_rate": 0.03, "unknown_rate": 0.0}
NETS = [TabularRegressor, TabularClassifier]
N_ROWS = 200


def make_frame(seed=0, n_rows=N_ROWS):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "state": generator.choice(["Ohio", "Texas", "Utah"], n_rows),
            "hours": np.where(generator.random(n_rows) < 0.2, np.nan, generator.normal(500, 100, n_rows)),
            "age": generator.uniform(0, 10, n_rows).round(1),
        }
    )
    y = X["age"] + 5 * (X["state"] == "Utah") + generator.normal(0, 0.3, n_rows)
    return X, y.to_numpy()


def classes(y):
    return np.array(["high", "low", "mid"], dtype=object)[np.digitize(y, np.quantile(y, [0.3, 0.6]))]


def make_table(make, seed=0, n_rows=N_ROWS):
    X, y = make_frame(seed, n_rows)
    return X, y if make is TabularRegressor else classes(y)


def same_rows(n_rows):
    return pd.DataFrame({"constant": np.ones(n_rows)})


def predicted(net, X):
    return net.predict_proba(X) if hasattr(net, "predict_proba") else net.predict(X)


# --- Reproducible nets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [NET, MANY | {"dropout": 0.3, "batch_norm": True}], ids=["plain", "members"])
@pytest.mark.parametrize("make", NETS)
def test_the_same_random_state_gives_the_same_net_bit_for_bit_and_another_gives_another(make, settings):
    X, y = make_table(make)
    net = make(**settings).fit(X, y)
    first = predicted(net, X)
    np.testing.assert_array_equal(predicted(clone(net).fit(X, y), X), first)
    np.testing.assert_array_equal(predicted(net.fit(X, y), X), first)
    assert abs(predicted(clone(net).set_params(random_state=1).fit(X, y), X) - first).max() > 1e-3


@pytest.mark.parametrize("make", NETS)
def test_global_random_states_are_not_changed(make):
    X, y = make_table(make)
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    net = make(**NET, validation_fraction=0.2).fit(X, y)
    net.predict(X)
    net.partial_fit(X, y)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


def test_global_random_states_have_no_effect():
    X, y = make_frame()
    torch.manual_seed(1)
    one = TabularRegressor(**NET).fit(X, y).predict(X)
    torch.manual_seed(2)
    np.testing.assert_array_equal(TabularRegressor(**NET).fit(X, y).predict(X), one)


def test_a_generator_as_random_state_gives_each_fit_its_own_net():
    X, y = make_frame()
    one, other = (TabularRegressor(**NET | {"random_state": np.random.RandomState(3)}) for _ in range(2))
    first = one.fit(X, y).predict(X)
    np.testing.assert_array_equal(other.fit(X, y).predict(X), first)
    assert abs(one.fit(X, y).predict(X) - first).max() > 1e-3


@pytest.mark.parametrize("make", NETS)
def test_the_order_of_rows_does_not_matter(make):
    X, y = make_table(make)
    X, y = pd.concat([X, X.head(20)], ignore_index=True), np.append(y, y[:20])
    shuffled = np.random.default_rng(3).permutation(len(X))
    one, other = make(**MANY).fit(X, y), make(**MANY).fit(X.iloc[shuffled], y[shuffled])
    np.testing.assert_allclose(predicted(other, X), predicted(one, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", NETS)
def test_fit_and_predict_do_not_change_the_frame_and_the_parameters(make):
    X, y = make_table(make)
    before, target = X.copy(), y.copy()
    net = make(**MANY)
    given = net.get_params()
    net.fit(X, y).predict(X)
    pd.testing.assert_frame_equal(X, before)
    np.testing.assert_array_equal(y, target)
    assert net.get_params() == given


# --- Weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", NETS)
def test_integer_weights_are_repeated_rows(make):
    X, y = make_table(make)
    weights = np.random.default_rng(0).integers(0, 4, N_ROWS)
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(N_ROWS), weights))
    weighted = make(**MANY).fit(X, y, sample_weight=weights)
    repeated = make(**MANY).fit(X.iloc[rows], y[rows])
    np.testing.assert_allclose(predicted(weighted, X), predicted(repeated, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weight", [1.0, 0.7])
@pytest.mark.parametrize("make", NETS)
def test_rows_of_weight_0_are_left_out(make, weight):
    X, y = make_table(make)
    weights = np.where(X["state"] == "Ohio", 0, weight)
    kept = weights > 0
    weighted = make(**NET).fit(X, y, sample_weight=weights)
    removed = make(**NET).fit(X[kept], y[kept], sample_weight=weights[kept])
    assert weighted.preprocessor_.categories_["state"] == ["#na#", "Texas", "Utah"]
    np.testing.assert_array_equal(predicted(weighted, X), predicted(removed, X))


def test_a_class_of_rows_of_weight_0_is_left_out():
    X, y = make_frame()
    y = classes(y)
    net = TabularClassifier(**NET).fit(X, y, sample_weight=np.where(y == "mid", 0, 1))
    assert net.classes_.tolist() == ["high", "low"]


def test_a_net_of_rows_that_are_all_the_same_learns_the_weighted_mean():
    y = np.random.default_rng(0).exponential(size=300)
    weights = np.random.default_rng(1).uniform(0.1, 3, 300)
    net = TabularRegressor(**ONE_NUMBER).fit(same_rows(300), y, sample_weight=weights)
    assert net.predict(same_rows(1))[0] == pytest.approx(np.average(y, weights=weights), abs=0.01)
    pulled = TabularRegressor(**ONE_NUMBER).fit(same_rows(300), y, sample_weight=np.where(y > 1, 2.5, 0.5))
    assert pulled.predict(same_rows(1))[0] == pytest.approx(np.average(y, weights=np.where(y > 1, 5, 1)), abs=0.01)


def test_a_classifier_of_rows_that_are_all_the_same_learns_the_weighted_shares():
    y = np.repeat(["no", "yes"], [240, 60])
    weights = np.where(y == "yes", 2.5, 0.5)
    net = TabularClassifier(**ONE_NUMBER).fit(same_rows(300), y, sample_weight=weights)
    assert net.predict_proba(same_rows(1))[0] == pytest.approx([120 / 270, 150 / 270], abs=0.01)


@pytest.mark.parametrize("make", NETS)
def test_a_constant_factor_of_fractional_weights_changes_nothing(make):
    X, y = make_table(make)
    weights = np.random.default_rng(1).uniform(0.1, 3, N_ROWS)
    one = predicted(make(**NET).fit(X, y, sample_weight=weights), X)
    np.testing.assert_array_equal(predicted(make(**NET).fit(X, y, sample_weight=weights * 1024), X), one)
    other = predicted(make(**NET).fit(X, y, sample_weight=weights * 1e-7), X)
    np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)


# --- Single rows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("embedding", [None, "piecewise", "periodic"])
@pytest.mark.parametrize("make", NETS)
def test_a_prediction_does_not_depend_on_the_batch(make, embedding):
    X, y = make_table(make)
    net = make(**MANY | {"numeric_embedding": embedding, "batch_norm": True, "epochs": 2}).fit(X, y)
    together = predicted(net, X)
    alone = np.concatenate([predicted(net, X.iloc[[row]]) for row in range(60)])
    np.testing.assert_allclose(alone, together[:60], rtol=0, atol=1e-9)
    np.testing.assert_allclose(predicted(net, X.iloc[::-1])[::-1], together, rtol=0, atol=1e-9)
    np.testing.assert_allclose(predicted(net, X.iloc[17:50]), together[17:50], rtol=0, atol=1e-9)


def test_a_table_too_large_to_predict_at_once_is_predicted_in_slices(monkeypatch):
    X, y = make_frame()
    net = TabularRegressor(**MANY).fit(X, y)
    together = net.predict(X)
    monkeypatch.setattr("tabrec.neural.prediction._MAX_ACTIVATIONS", 1)
    np.testing.assert_allclose(net.predict(X), together, rtol=0, atol=1e-9)


def test_predictions_follow_weights_that_are_changed_in_place():
    X, y = make_frame()
    net = TabularRegressor(**NET).fit(X, y)
    before = net.predict(X)
    with torch.no_grad():
        net.model_.output.bias += 1.0
    np.testing.assert_allclose(net.predict(X), before + net.target_scaler_.scales[0], rtol=1e-6)


# --- Unseen labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("settings", [NET, MANY], ids=["plain", "members"])
def test_an_unseen_label_is_predicted_near_the_mean_over_the_known_ones(settings, seed):
    generator = np.random.default_rng(seed)
    effects = dict(zip("abcdefgh", generator.normal(0, 3, 8), strict=True))
    X = pd.DataFrame({"label": generator.choice(list(effects), 800), "x": generator.uniform(0, 1, 800)})
    y = X["label"].map(effects) + X["x"]
    net = TabularRegressor(**settings | {"random_state": seed, "epochs": 15, "unknown_rate": 0.05}).fit(X, y)
    assert net.score(X, y) > 0.95
    known = pd.DataFrame({"label": list(effects), "x": 0.5})
    shares = X["label"].value_counts(normalize=True)[list(effects)]
    mean = np.average(net.predict(known), weights=shares)
    unseen = net.predict(pd.DataFrame({"label": ["zebra"], "x": 0.5}))[0]
    assert abs(unseen - mean) < 0.5 * y.std()


@pytest.mark.parametrize("seed", range(2))
def test_an_unseen_label_has_about_the_mean_probability_of_the_known_ones(seed):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"label": generator.choice(list("abcd"), 800)})
    y = np.where(X["label"].isin(["a"]), "yes", "no")
    settings = NET | {"random_state": seed, "epochs": 15, "unknown_rate": 0.05}
    net = TabularClassifier(**settings).fit(X, y)
    assert net.predict(pd.DataFrame({"label": list("abcd")})).tolist() == ["yes", "no", "no", "no"]
    assert net.predict_proba(pd.DataFrame({"label": ["zebra"]}))[0, 1] == pytest.approx(0.25, abs=0.2)


@pytest.mark.parametrize("make", NETS)
def test_a_missing_category_is_an_unseen_label(make):
    X, y = make_table(make)
    net = make(**MANY).fit(X, y)
    rows = X.head(30)
    unseen = predicted(net, rows.assign(state="Nowhere"))
    for nothing in (None, np.nan, pd.NA):
        missing = rows.assign(state=pd.Series([nothing] * 30, dtype=object))
        np.testing.assert_array_equal(predicted(net, missing), unseen)


# --- The target of a regression --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 1e9), (1e-6, 0.0), (1e300, 0.0), (1e-300, 0.0), (-1.0, 5.0)])
def test_the_unit_of_the_target_does_not_matter(scale, shift):
    X, y = make_frame()
    plain = TabularRegressor(**NET).fit(X, y)
    scaled = TabularRegressor(**NET).fit(X, y * scale + shift)
    assert plain.score(X, y) > 0.9
    back = (scaled.predict(X) - shift) / scale
    if scale > 0:
        np.testing.assert_allclose(back, plain.predict(X), rtol=0, atol=0.01)
    assert r2_score(y, back) > 0.9


def test_a_target_that_is_always_the_same_is_predicted():
    X, _ = make_frame()
    net = TabularRegressor(**NET | {"epochs": 20}).fit(X, np.full(N_ROWS, 1e9))
    np.testing.assert_allclose(net.predict(X), 1e9, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool, np.float32, object])
def test_integers_and_booleans_are_numeric_targets(dtype):
    X, y = make_frame()
    whole = (y > 5).astype(dtype)
    expected = TabularRegressor(**NET).fit(X, (y > 5).astype(np.float64)).predict(X)
    np.testing.assert_array_equal(TabularRegressor(**NET).fit(X, whole).predict(X), expected)


def push_outputs(net, by):
    with torch.no_grad():
        net.model_.output.bias.fill_(by)


@pytest.mark.parametrize("y_range", [(-1.0, 17.0), (np.float32(-3), 1000), (-1e6, 1e9)], ids=str)
@pytest.mark.parametrize("settings", [NET, MANY], ids=["plain", "members"])
def test_predictions_reach_the_bounds_of_y_range(settings, y_range):
    X, y = make_frame()
    net = TabularRegressor(**settings, y_range=y_range).fit(X, y)
    for push, bound in zip((-1e3, 1e3), y_range, strict=True):
        push_outputs(net, push)
        np.testing.assert_allclose(net.predict(X), bound, rtol=1e-5)


@pytest.mark.parametrize("y_range", [(-1.0, 17.0), (-1e6, 1e9)], ids=str)
def test_rounding_does_not_move_predictions_out_of_y_range(y_range):
    X, y = make_frame()
    net = TabularRegressor(**NET, y_range=y_range).fit(X, y)
    for push in (-1e3, 0.0, 1e3):
        push_outputs(net, push)
        predictions = net.predict(X)
        assert y_range[0] <= predictions.min() <= predictions.max() <= y_range[1]


def test_a_net_with_y_range_learns():
    X, y = make_frame()
    assert TabularRegressor(**NET | {"epochs": 20}, y_range=(-2, 18)).fit(X, y).score(X, y) > 0.95
    assert TabularRegressor(**NET | {"epochs": 20}, y_range="auto").fit(X, y).score(X, y) > 0.95


def test_y_range_auto_extends_the_range_of_the_target_by_5_percent():
    X, y = make_frame()
    net = TabularRegressor(**NET, y_range="auto").fit(X, y)
    margin = 0.05 * (y.max() - y.min())
    for push, bound in ((-1e3, y.min() - margin), (1e3, y.max() + margin)):
        push_outputs(net, push)
        np.testing.assert_allclose(net.predict(X), bound, rtol=1e-5)


def test_y_range_may_differ_by_output():
    X, y = make_frame()
    two = np.column_stack([y, -100 * y])
    net = TabularRegressor(**NET, y_range=([-2, -2000], [20, 100])).fit(X, two)
    push_outputs(net, 1e3)
    np.testing.assert_allclose(net.predict(X), [[20, 100]] * N_ROWS, rtol=1e-5)


@pytest.mark.parametrize(
    ("y_range", "message"),
    [
        ((0, 5), r"y_range=\(0, 5\) does not contain the target"),
        ((5, 0), r"must satisfy low < high; got \(5, 0\)"),
        ((0, 5, 9), r"y_range must be two finite numbers .* got \(0, 5, 9\)"),
        ((3, 3), r"must satisfy low < high; got \(3, 3\)"),
        ((0, np.nan), r"y_range must be two finite numbers .* got \(0, nan\)"),
        ((-100, np.inf), r"y_range must be two finite numbers .* got \(-100, inf\)"),
        ("wide", "The 'y_range' parameter of TabularRegressor must be"),
    ],
)
def test_an_invalid_y_range_raises(y_range, message):
    X, y = make_frame()
    with pytest.raises(ValueError, match=message):
        TabularRegressor(**NET, y_range=y_range).fit(X, y)


@pytest.mark.parametrize("settings", [NET, MANY], ids=["plain", "members"])
def test_several_outputs_are_predicted_about_as_well_as_each_alone(settings):
    X, y = make_frame()
    outputs = np.column_stack([y, 1e6 * X["age"] ** 2, (X["state"] == "Utah").astype(float)])
    net = TabularRegressor(**settings | {"epochs": 20}).fit(X, outputs)
    together = net.predict(X)
    assert together.shape == (N_ROWS, 3)
    for output, column in zip(outputs.T, together.T, strict=True):
        alone = TabularRegressor(**settings | {"epochs": 20}).fit(X, output).predict(X)
        assert r2_score(output, column) > 0.93
        assert r2_score(alone, column) > 0.93


def test_a_frame_of_targets_is_several_outputs():
    X, y = make_frame()
    two = pd.DataFrame({"price": y, "cost": -y})
    net = TabularRegressor(**NET).fit(X, two)
    np.testing.assert_array_equal(net.predict(X), TabularRegressor(**NET).fit(X, two.to_numpy()).predict(X))


def test_a_column_vector_target_is_raveled_with_a_warning():
    X, y = make_frame()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        net = TabularRegressor(**NET).fit(X, y[:, None])
    np.testing.assert_array_equal(net.predict(X), TabularRegressor(**NET).fit(X, y).predict(X))


# --- Losses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"n_members": 4}], ids=["plain", "members"])
@pytest.mark.parametrize(("loss", "answer"), [("mse", np.mean), ("mae", np.median)])
def test_mse_learns_the_mean_and_mae_the_median(loss, answer, settings):
    y = np.random.default_rng(0).exponential(size=400)
    assert abs(np.mean(y) - np.median(y)) > 0.2
    net = TabularRegressor(**ONE_NUMBER | settings, loss=loss).fit(same_rows(400), y)
    assert net.predict(same_rows(1))[0] == pytest.approx(answer(y), abs=0.03)


def test_huber_learns_a_number_between_the_median_and_the_mean():
    y = np.random.default_rng(0).exponential(size=400)
    standard = (y - y.mean()) / y.std()
    candidates = np.linspace(-1, 1, 2001)[:, None]
    gaps = abs(standard - candidates)
    best = candidates[np.where(gaps < 1, gaps**2 / 2, gaps - 0.5).mean(axis=1).argmin(), 0] * y.std() + y.mean()
    assert np.median(y) + 0.05 < best < y.mean() - 0.05
    net = TabularRegressor(**ONE_NUMBER, loss="huber").fit(same_rows(400), y)
    assert net.predict(same_rows(1))[0] == pytest.approx(best, abs=0.03)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "quantile"])
def test_every_loss_learns_a_table(loss):
    X, y = make_frame()
    assert TabularRegressor(**NET | {"epochs": 20}, loss=loss).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("settings", [{}, {"n_members": 4}], ids=["plain", "members"])
def test_quantiles_of_uniform_noise_are_learned(settings):
    levels = (0.05, 0.25, 0.5, 0.9)
    y = np.random.default_rng(0).uniform(0, 1, 400)
    net = TabularRegressor(**ONE_NUMBER | settings, loss="quantile", quantiles=levels).fit(same_rows(400), y)
    assert net.predict_quantiles(same_rows(1))[0] == pytest.approx(np.quantile(y, levels).tolist(), abs=0.03)


def test_quantiles_follow_a_spread_that_depends_on_the_row():
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"kind": np.repeat(["narrow", "wide"], 300)})
    y = np.where(X["kind"] == "wide", 10.0, 1.0) * generator.uniform(-1, 1, 600)
    settings = NET | {"epochs": 20, "batch_size": 100, "learning_rate": 0.05}
    net = TabularRegressor(**settings, loss="quantile", quantiles=(0.1, 0.9)).fit(X, y)
    low, high = net.predict_quantiles(X).T
    covered = (low <= y) & (y <= high)
    for kind in ("narrow", "wide"):
        assert covered[X["kind"] == kind].mean() == pytest.approx(0.8, abs=0.12)
    assert (high - low)[-1] > 5 * (high - low)[0]


def test_quantiles_ascend_even_after_little_training():
    X, y = make_frame()
    levels = (0.1, 0.3, 0.5, 0.7, 0.9)
    settings = MANY | {"epochs": 1, "learning_rate": 1e-4}
    net = TabularRegressor(**settings, loss="quantile", quantiles=levels).fit(X, y)
    quantiles = net.predict_quantiles(X)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    np.testing.assert_array_equal(net.predict(X), quantiles[:, 2])


@pytest.mark.parametrize(("levels", "middle"), [((0.1, 0.6), 1), ((0.3, 0.45, 0.9), 1), ((0.2,), 0)])
def test_predict_returns_the_quantile_nearest_to_the_median(levels, middle):
    X, y = make_frame()
    net = TabularRegressor(**NET, loss="quantile", quantiles=levels).fit(X, y)
    np.testing.assert_array_equal(net.predict(X), net.predict_quantiles(X)[:, middle])


def test_quantiles_of_several_outputs():
    X, y = make_frame()
    two = np.column_stack([y, 1000 - 100 * y])
    net = TabularRegressor(**NET | {"epochs": 20}, loss="quantile", quantiles=(0.2, 0.5, 0.8)).fit(X, two)
    quantiles = net.predict_quantiles(X)
    assert quantiles.shape == (N_ROWS, 2, 3)
    np.testing.assert_array_equal(net.predict(X), quantiles[:, :, 1])
    assert r2_score(two, quantiles[:, :, 1], multioutput="raw_values").min() > 0.9


def test_quantiles_stay_within_y_range():
    X, y = make_frame()
    net = TabularRegressor(**NET, loss="quantile", quantiles=(0.01, 0.99), y_range="auto").fit(X, y)
    margin = 0.05 * (y.max() - y.min())
    assert y.min() - margin <= net.predict_quantiles(X).min()
    assert net.predict_quantiles(X).max() <= y.max() + margin


def test_predict_quantiles_is_available_for_the_quantile_loss_only():
    net = TabularRegressor(loss="mae")
    assert not hasattr(net, "predict_quantiles")
    with pytest.raises(AttributeError, match="predict_quantiles"):
        net.predict_quantiles([[0.0]])
    assert hasattr(TabularRegressor(loss="quantile"), "predict_quantiles")


@pytest.mark.parametrize(
    "levels", [(), (0.0, 0.5), (0.5, 1.0), (0.9, 0.1), (0.5, 0.5), (np.nan,), ((0.1, 0.9),)], ids=str
)
def test_quantiles_that_do_not_ascend_between_0_and_1_raise(levels):
    X, y = make_frame()
    with pytest.raises(ValueError, match=r"quantiles=\(.*must be ascending between 0 and 1"):
        TabularRegressor(**NET, loss="quantile", quantiles=levels).fit(X, y)


# --- Classes ---------------------------------------------------------------------------------------------------------

LABELS = {
    "text": ["high", "low", "mid"],
    "bool": [False, True],
    "int": [0, 1, 2],
    "odd ints": [-5, 3, 1000],
    "floats": [1.0, 2.0, 7.0],
}


@pytest.mark.parametrize("kind", LABELS)
def test_predicted_labels_keep_their_type(kind):
    X, y = make_frame()
    labels = np.array(LABELS[kind], dtype=object if kind == "text" else None)
    target = labels[np.digitize(y, np.quantile(y, np.linspace(0, 1, len(labels) + 1)[1:-1]))]
    net = TabularClassifier(**NET | {"epochs": 15}).fit(X, target)
    assert net.classes_.tolist() == sorted(LABELS[kind])
    assert net.predict(X).dtype == target.dtype
    assert net.score(X, target) > 0.85
    probabilities = net.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(net.classes_[probabilities.argmax(axis=1)], net.predict(X))
    # The column of a class is large where the class is.
    for position, label in enumerate(net.classes_):
        assert probabilities[target == label, position].mean() > 0.6


@pytest.mark.parametrize("make", [list, pd.Series, pd.Categorical, lambda y: pd.Series(y, dtype="category")])
def test_labels_may_come_in_any_container(make):
    X, y = make_frame()
    expected = TabularClassifier(**NET).fit(X, classes(y))
    net = TabularClassifier(**NET).fit(X, make(classes(y)))
    assert net.classes_.tolist() == expected.classes_.tolist()
    np.testing.assert_array_equal(net.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize("settings", [NET, MANY], ids=["plain", "members"])
def test_probabilities_are_the_shares_of_the_classes_where_rows_are_all_the_same(settings):
    y = np.repeat(["a", "b", "c"], [50, 100, 250])
    settings = ONE_NUMBER | {"n_members": settings["n_members"]}
    net = TabularClassifier(**settings).fit(same_rows(400), y)
    assert net.predict_proba(same_rows(1))[0] == pytest.approx([0.125, 0.25, 0.625], abs=0.01)


def test_one_class_is_predicted_with_certainty():
    X, _ = make_frame()
    net = TabularClassifier(**NET).fit(X, ["only"] * N_ROWS)
    assert net.predict(X).tolist() == ["only"] * N_ROWS
    assert net.predict_proba(X).tolist() == [[1.0]] * N_ROWS


def test_class_weights_shift_probabilities_to_the_weighted_shares():
    y = np.repeat(["common", "rare"], [360, 40])
    given = {
        None: [0.9, 0.1],
        "balanced": [0.5, 0.5],
        "by hand": [360 / 560, 200 / 560],
    }
    for class_weight, shares in given.items():
        weight = {"common": 1.0, "rare": 5.0} if class_weight == "by hand" else class_weight
        net = TabularClassifier(**ONE_NUMBER, class_weight=weight).fit(same_rows(400), y)
        assert net.predict_proba(same_rows(1))[0] == pytest.approx(shares, abs=0.01)


def test_class_weights_and_sample_weights_multiply():
    y = np.repeat(["a", "b"], [200, 200])
    weights = np.where(y == "a", 1.5, 0.5)
    net = TabularClassifier(**ONE_NUMBER, class_weight={"a": 1, "b": 6}).fit(same_rows(400), y, sample_weight=weights)
    assert net.predict_proba(same_rows(1))[0] == pytest.approx([1.5 / 4.5, 3.0 / 4.5], abs=0.01)


def test_label_smoothing_lowers_confidence_to_the_smoothed_shares():
    X = pd.DataFrame({"state": ["Ohio", "Utah"] * 200})
    settings = ONE_NUMBER | {"weight_decay": 0.0}
    confident, smoothed = (
        TabularClassifier(**settings, label_smoothing=smoothing).fit(X, X["state"]).predict_proba(X.head(1))[0, 0]
        for smoothing in (0.0, 0.2)
    )
    assert confident > 0.98
    assert smoothed == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("y", [[0.5, 1.5] * 10, np.linspace(0, 1, 20)], ids=["fractions", "continuous"])
def test_continuous_numbers_are_not_classes(y):
    with pytest.raises(ValueError, match="Unknown label type"):
        TabularClassifier(**NET).fit(same_rows(20), y)


def test_a_class_of_validation_rows_only_raises():
    X, y = make_frame()
    net = TabularClassifier(**NET)
    with pytest.raises(ValueError, match="y holds the class 'huge'"):
        net.fit(X, classes(y), eval_set=(X, ["huge"] * N_ROWS))


# --- Chunks and warm starts ------------------------------------------------------------------------------------------


def test_partial_fit_trains_one_epoch_at_a_constant_rate():
    X, y = make_frame()
    part = TabularRegressor(**NET | {"epochs": 7}).partial_fit(X, y)
    whole = TabularRegressor(**NET | {"epochs": 1, "schedule": "constant"}).fit(X, y)
    np.testing.assert_array_equal(part.predict(X), whole.predict(X))
    assert part.history_["epoch"].tolist() == [0]
    assert part.partial_fit(X, y).history_["learning_rate"].tolist() == [0.02, 0.02]


def test_partial_fit_on_chunks_lowers_the_error():
    X, y = make_frame(n_rows=600)
    net = TabularRegressor(**NET)
    errors = []
    for start in range(0, 600, 100):
        net.partial_fit(X[start : start + 100], y[start : start + 100])
        errors.append(np.mean((net.predict(X) - y) ** 2))
    assert errors[-1] < 0.5 * errors[0]
    assert net.history_["epoch"].tolist() == list(range(6))


def test_partial_fit_is_the_same_for_the_same_random_state():
    X, y = make_frame()
    one, other = (
        TabularRegressor(**NET).partial_fit(X[:90], y[:90]).partial_fit(X[90:], y[90:]).predict(X) for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)


def test_labels_of_later_chunks_are_unseen_ones():
    X, y = make_frame()
    net = TabularRegressor(**NET).partial_fit(X, y)
    before = net.embeddings_["state"]
    net.partial_fit(X.assign(state="Iowa"), y)
    after = net.embeddings_["state"]
    assert after.index.tolist() == ["#na#", "Ohio", "Texas", "Utah"]
    assert abs(after.loc["#na#"] - before.loc["#na#"]).max() > 1e-4
    np.testing.assert_array_equal(net.predict(X.assign(state="Iowa")), net.predict(X.assign(state="Maine")))


def test_the_first_chunk_fixes_the_scale_of_the_target():
    X, y = make_frame()
    net = TabularRegressor(**NET).partial_fit(X, y)
    scaler = net.target_scaler_
    net.partial_fit(X, y * 100)
    assert net.target_scaler_ is scaler
    assert (scaler.means[0], scaler.scales[0]) == pytest.approx((y.mean(), y.std()))


def test_partial_fit_continues_after_fit():
    X, y = make_frame()
    net = TabularRegressor(**NET).fit(X, y)
    before = net.predict(X)
    net.partial_fit(X, y)
    assert net.history_["epoch"].tolist() == list(range(6))
    assert 0 < abs(net.predict(X) - before).max() < y.std()


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("make", NETS)
def test_a_chunk_may_be_one_row(make, batch_norm):
    X, y = make_table(make)
    net = make(**NET | {"batch_norm": batch_norm}).partial_fit(X, y)
    net.partial_fit(X[:1], y[:1])
    assert np.isfinite(predicted(net, X)).all()


def test_a_chunk_with_another_number_of_outputs_raises():
    X, y = make_frame()
    net = TabularRegressor(**NET).partial_fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="y has 3 outputs, but the net was fitted with 2"):
        net.partial_fit(X, np.column_stack([y, y, y]))
    with pytest.raises(ValueError, match="y has 1 outputs, but the net was fitted with 2"):
        net.partial_fit(X, y)


@pytest.mark.parametrize(
    "all_classes", [["high", "low", "mid"], np.array(["mid", "low", "high"])], ids=["list", "array"]
)
def test_a_chunk_of_one_class_is_learned_if_all_classes_are_given(all_classes):
    X, y = make_frame()
    y = classes(y)
    net = TabularClassifier(**NET)
    for label in ("low", "high", "mid", "low", "mid", "high"):
        net.partial_fit(X[y == label], y[y == label], classes=all_classes)
    assert net.classes_.tolist() == ["high", "low", "mid"]
    for label in ("low", "mid"):
        net.partial_fit(X[y == label], y[y == label])
    net.partial_fit(X, y)
    assert net.predict_proba(X).shape == (N_ROWS, 3)
    assert np.isfinite(net.predict_proba(X)).all()


def test_a_class_that_is_new_in_a_later_chunk_raises():
    X, y = make_frame()
    y = classes(y)
    net = TabularClassifier(**NET).partial_fit(X[y != "mid"], y[y != "mid"])
    before = net.predict_proba(X)
    with pytest.raises(ValueError, match="y holds the class 'mid', but the net was fitted with"):
        net.partial_fit(X, y)
    np.testing.assert_array_equal(net.predict_proba(X), before)
    with pytest.raises(ValueError, match="y holds the class 'mid', but the net was fitted with"):
        TabularClassifier(**NET).partial_fit(X, y, classes=["high", "low"])


def test_a_label_of_another_type_raises():
    X, y = make_frame()
    net = TabularClassifier(**NET).partial_fit(X, classes(y))
    with pytest.raises(ValueError, match="y holds the class 3, but the net was fitted with"):
        net.partial_fit(X, np.full(N_ROWS, 3))


def test_warm_start_continues_from_the_weights_of_the_last_fit():
    X, y = make_frame()
    settings = NET | {"warm_start": True, "schedule": "constant"}
    net = TabularRegressor(**settings).fit(X, y)
    ended = [weight.detach().clone() for weight in net.model_.parameters()]
    starts = []

    def note(event, state):
        if event == "fit_start":
            starts.extend(weight.detach().clone() for weight in state.model.parameters())

    net.set_params(callbacks=[note], epochs=3).fit(X, y)
    assert all(torch.equal(start, end) for start, end in zip(starts, ended, strict=True))
    assert net.history_["epoch"].tolist() == list(range(8))
    assert net.history_["train_loss"].iloc[-1] < net.history_["train_loss"].iloc[0] / 3


def test_without_warm_start_fit_starts_from_new_weights():
    X, y = make_frame()
    net = TabularRegressor(**NET).fit(X, -y).fit(X, y)
    assert net.history_["epoch"].tolist() == list(range(5))
    np.testing.assert_array_equal(net.predict(X), TabularRegressor(**NET).fit(X, y).predict(X))


def test_a_warm_start_takes_other_rows_of_the_same_columns():
    X, y = make_frame(0)
    net = TabularRegressor(**NET | {"warm_start": True, "epochs": 10}).fit(X, y)
    other, target = make_frame(1)
    net.fit(other.drop(columns="hours").assign(hours=other["hours"]), target)
    assert net.score(other, target) > 0.9


@pytest.mark.parametrize("go_on", ["partial_fit", "warm_start"])
@pytest.mark.parametrize(
    "mistake",
    [{"metrics": ["no_such_score"]}, {"optimizer": "sgd", "learning_rate": 1e6, "max_grad_norm": None}],
    ids=str,
)
def test_a_net_can_be_fitted_after_a_failed_fit(mistake, go_on):
    X, y = make_frame()
    good = NET | {"schedule": "constant", "warm_start": go_on == "warm_start"}
    net = TabularRegressor(**good | mistake)
    with pytest.raises(ValueError, match="metrics|learning_rate"):
        net.fit(X, y)
    net.set_params(**{"metrics": (), **good})
    for _ in range(5):
        (net.partial_fit if go_on == "partial_fit" else net.fit)(X, y)
    assert net.score(X, y) > 0.8


@pytest.mark.parametrize("mistake", ["eval_set", "metrics"])
def test_a_failed_fit_leaves_the_net_as_it_was(mistake):
    X, y = make_frame()
    net = TabularRegressor(**NET).fit(X, y)
    before = net.predict(X)
    if mistake == "metrics":
        net.set_params(metrics=["no_such_score"])
    with pytest.raises(ValueError, match=r"inconsistent|no_such_score"):
        net.fit(X, -y, eval_set=(X[:3], y) if mistake == "eval_set" else (X, y))
    np.testing.assert_array_equal(net.predict(X), before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_error_within_a_warm_start_leaves_the_net_as_it_was(method):
    def fail(event, state):
        if state.step == 3:
            raise RuntimeError("in the fourth step")

    X, y = make_frame()
    net = TabularRegressor(**NET, warm_start=True).fit(X, y)
    before, attributes = net.predict(X), dict(vars(net))
    with pytest.raises(RuntimeError, match="in the fourth step"):
        getattr(net.set_params(callbacks=[fail]), method)(X, -y)
    np.testing.assert_array_equal(net.predict(X), before)
    assert vars(net) == attributes | {"callbacks": [fail]}


# --- Tables of every shape -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"batch_norm": True}, {"batch_norm": True, "n_members": 4}], ids=str)
@pytest.mark.parametrize("n_rows", [1, 2, 5, 32, 33, 65])
@pytest.mark.parametrize("make", NETS)
def test_any_number_of_rows_can_be_learned(make, n_rows, settings):
    X, y = make_table(make)
    X = X.drop(columns="hours")
    net = make(**NET | settings | {"epochs": 2}).fit(X[:n_rows], y[:n_rows])
    assert np.isfinite(predicted(net, X)).all()


def test_one_row_is_memorised():
    X, y = make_frame()
    net = TabularRegressor(**NET | {"epochs": 20}).fit(X[:1], y[:1])
    assert net.predict(X[:1])[0] == pytest.approx(y[0], abs=0.1)


@pytest.mark.parametrize("columns", [["state"], ["age"], ["state", "city"], ["age", "hours"]], ids="+".join)
@pytest.mark.parametrize("settings", [NET, MANY | {"batch_norm": True}], ids=["plain", "members"])
def test_one_column_or_columns_of_one_kind_are_enough(columns, settings):
    X, _ = make_frame()
    X["city"] = X["state"].str[:1]
    y = X["age"].to_numpy() if "age" in columns else 2.0 * (X["state"] == "Utah")
    assert TabularRegressor(**settings | {"epochs": 20}).fit(X[columns], y).score(X[columns], y) > 0.9


@pytest.mark.long
def test_many_more_columns_than_rows():
    X = np.random.default_rng(0).normal(size=(20, 4_000)).astype(np.float32)
    net = TabularRegressor(**NET | {"n_members": 4, "epochs": 2}).fit(X, X[:, 0])
    assert np.isfinite(net.predict(X)).all()


def test_five_hundred_category_columns():
    generator = np.random.default_rng(0)
    X = pd.DataFrame({f"c{i}": generator.choice(list("abcd"), 100) for i in range(500)})
    y = 3.0 * (X["c7"] == "b")
    assert TabularRegressor(**NET | {"epochs": 10}).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("settings", [NET, MANY, MANY | {"numeric_embedding": "periodic", "batch_norm": True}])
def test_constant_columns_do_no_harm(settings):
    X, y = make_frame()
    X = X.assign(one=1.0, nothing=np.nan, same="same", far=1e30)
    net = TabularRegressor(**settings | {"epochs": 20}).fit(X, y)
    assert net.score(X, y) > 0.9
    assert np.isfinite(net.predict(X.assign(one=-1e30, same="other", far=0.0))).all()


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "mish"])
def test_every_activation_learns(activation):
    X, y = make_frame()
    assert TabularRegressor(**NET | {"epochs": 20, "activation": activation}).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("embedding", [None, "piecewise", "periodic"])
@pytest.mark.parametrize("n_members", [None, 4])
def test_every_numeric_embedding_learns(embedding, n_members):
    X, y = make_frame()
    settings = NET | {"epochs": 20, "numeric_embedding": embedding, "n_members": n_members}
    assert TabularRegressor(**settings).fit(X, y).score(X, y) > 0.9


def test_categorical_features_of_an_array():
    generator = np.random.default_rng(0)
    X = np.column_stack([generator.integers(0, 40, 400) / 4, generator.normal(size=400)])
    y = generator.normal(size=40)[(X[:, 0] * 4).astype(int)]
    settings = NET | {"epochs": 15, "categorical_features": [0]}
    net = TabularRegressor(**settings).fit(X, y)
    assert list(net.embeddings_) == ["x0"]
    assert net.score(X, y) > 0.9


# --- Embeddings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [NET, MANY], ids=["plain", "members"])
def test_embeddings_are_the_vectors_by_label_with_code_0_first(settings):
    X, y = make_frame()
    net = TabularRegressor(**settings, embedding_sizes={"state": 3}).fit(X, y)
    table = net.embeddings_["state"]
    assert list(net.embeddings_) == ["state"]
    assert table.index.tolist() == ["#na#", "Ohio", "Texas", "Utah"]
    assert table.index.name == "state"
    assert table.shape == (4, 3)
    np.testing.assert_array_equal(table, net.model_.embeddings.weight("state").detach().numpy())
    table.iloc[:] = 0.0
    assert net.model_.embeddings.weight("state").abs().max() > 0


def test_labels_of_an_encoded_frame_are_its_codes():
    X, y = make_frame()
    encoded = TabularPreprocessor("net").fit_transform(X)
    net = TabularRegressor(**NET).fit(encoded, y)
    assert net.embeddings_["state"].index.tolist()[1:] == [1, 2, 3]


@pytest.mark.parametrize("seed", range(2))
def test_labels_of_equal_effect_lie_closer_than_labels_of_different_effects(seed):
    generator = np.random.default_rng(seed)
    labels = np.array([f"{kind} {i}" for kind in ("low", "high") for i in range(6)])
    is_high = np.char.startswith(labels, "high")
    X = pd.DataFrame({"label": generator.choice(labels, 800)})
    y = 3.0 * X["label"].str.startswith("high") + generator.normal(0, 0.1, 800)
    net = TabularRegressor(**NET | {"random_state": seed}, embedding_sizes={"label": 4}).fit(X, y)
    vectors = net.embeddings_["label"].loc[labels].to_numpy()
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    alike = is_high[:, None] == is_high
    others = ~np.eye(12, dtype=bool)
    assert distances[alike & others].mean() < 0.8 * distances[~alike].mean()


# --- With the tools of scikit-learn ----------------------------------------------------------------------------------


def make_dated():
    X, y = make_frame()
    sold = pd.Timestamp("2011-01-01") + pd.to_timedelta(np.random.default_rng(5).integers(0, 900, N_ROWS), "D")
    return X.assign(sold=sold), y + (sold.day_of_week == 0)


def test_an_encoded_frame_gives_the_predictions_of_the_raw_one():
    X, y = make_dated()
    raw = TabularRegressor(**NET).fit(X, y)
    encoder = TabularPreprocessor("net").fit(X)
    encoded = TabularRegressor(**NET).fit(encoder.transform(X), y)
    np.testing.assert_allclose(encoded.predict(encoder.transform(X)), raw.predict(X), rtol=1e-6)


def test_a_preprocessor_given_or_before_it_in_a_pipeline_is_the_same():
    X, y = make_dated()
    steps = DateParts(), Categorify(), FillMissing(), Normalize()
    pipeline = make_pipeline(*steps, TabularRegressor(**NET)).fit(X, y)
    given = TabularRegressor(**NET, preprocessor=make_pipeline(*steps)).fit(X, y)
    np.testing.assert_allclose(pipeline.predict(X), given.predict(X), rtol=1e-6)
    assert pipeline.score(X, y) > 0.8


def test_a_grid_search_sets_parameters_of_net_and_preprocessor():
    X, y = make_frame()
    net = TabularRegressor(**NET, preprocessor=TabularPreprocessor("net"))
    grid = {"learning_rate": [1e-6, 0.02], "preprocessor__normalize": ["standard", "quantile"]}
    search = GridSearchCV(net, grid, cv=2).fit(X, y)
    assert search.best_params_["learning_rate"] == 0.02
    np.testing.assert_array_equal(search.predict(X), clone(net).set_params(**search.best_params_).fit(X, y).predict(X))


@pytest.mark.parametrize("make", NETS)
def test_a_clone_has_the_parameters_and_no_fitted_attributes(make):
    X, y = make_table(make)
    net = make(**MANY).fit(X, y)
    copy = clone(net)
    assert copy.get_params() == net.get_params()
    assert not [name for name in vars(copy) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert copy.set_params(epochs=9).epochs == 9


def test_cross_validation_scores_a_raw_frame():
    X, y = make_dated()
    scores = cross_val_score(TabularRegressor(**NET | {"epochs": 15}), X, y, cv=3)
    assert scores.min() > 0.8


@pytest.mark.long
def test_votes_and_stacks_mix_nets_with_forests_over_a_raw_frame():
    X, y = make_dated()
    forest = ForestRegressor(n_estimators=10, n_jobs=1, random_state=0)
    members = [("forest", forest), ("net", TabularRegressor(**NET | {"epochs": 15}))]
    vote = VotingRegressor(members).fit(X, y)
    np.testing.assert_allclose(
        vote.predict(X), np.mean([member.predict(X) for member in vote.estimators_], axis=0), rtol=1e-12
    )
    assert cross_val_score(VotingRegressor(members), X, y, cv=2).min() > 0.75
    stack = StackingRegressor(members, LinearRegression(), cv=2)
    assert cross_val_score(stack, X, y, cv=2).min() > 0.75


def test_a_soft_vote_is_the_mean_of_the_probabilities():
    X, y = make_frame()
    forest = ForestClassifier(n_estimators=10, n_jobs=1, random_state=0)
    vote = VotingClassifier([("forest", forest), ("net", TabularClassifier(**NET))], voting="soft").fit(X, classes(y))
    each = np.mean([member.predict_proba(X) for member in vote.estimators_], axis=0)
    np.testing.assert_allclose(vote.predict_proba(X), each, rtol=1e-12)
    assert log_loss(classes(y), vote.predict_proba(X)) < 0.6


def test_folds_may_be_fitted_in_parallel_processes():
    X, y = make_frame()
    net = TabularRegressor(**NET | {"epochs": 2})
    np.testing.assert_array_equal(
        cross_val_score(net, X, y, cv=2, n_jobs=2), cross_val_score(net, X, y, cv=2, n_jobs=1)
    )


# --- Invalid arguments -----------------------------------------------------------------------------------------------

BAD = [
    ("layers", (0,)),
    ("layers", (16, -3)),
    ("layers", (1.5,)),
    ("layers", "16"),
    ("layers", 16),
    ("n_members", 0),
    ("n_members", 2.5),
    ("activation", "foo"),
    ("batch_norm", "yes"),
    ("dropout", 1.0),
    ("dropout", -0.1),
    ("dropout", (0.1, 0.2)),
    ("dropout", (1.5,)),
    ("dropout", (1.0,)),
    ("embedding_sizes", {"nowhere": 3}),
    ("embedding_sizes", {"state": 0}),
    ("embedding_sizes", {"age": 3}),
    ("embedding_sizes", 8),
    ("embedding_dropout", 1.0),
    ("unknown_rate", 1.0),
    ("numeric_embedding", "foo"),
    ("numeric_embedding_size", 0),
    ("n_bins", 0),
    ("epochs", 0),
    ("epochs", "many"),
    ("epochs", 2.5),
    ("batch_size", 0),
    ("learning_rate", 0.0),
    ("learning_rate", "fast"),
    ("weight_decay", -1.0),
    ("optimizer", "foo"),
    ("momentum", 1.0),
    ("schedule", "foo"),
    ("max_grad_norm", 0.0),
    ("validation_fraction", 1.0),
    ("validation_fraction", 0),
    ("validation_fraction", "last"),
    ("patience", 0),
    ("metrics", "r2_score"),
    ("metrics", ["no_such_score"]),
    ("metrics", [3]),
    ("callbacks", [3]),
    ("device", "foo"),
    ("device", 0),
    ("mixed_precision", "yes"),
    ("compile", "yes"),
    ("warm_start", "yes"),
    ("random_state", "foo"),
    ("categorical_features", ["nowhere"]),
    ("preprocessor", "foo"),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=[f"{name}={value!r}" for name, value in BAD])
def test_an_invalid_parameter_raises(name, value):
    X, y = make_frame(n_rows=40)
    net = TabularRegressor(**NET | {"epochs": 1} | {name: value})
    refused = "categorical_columns|categorical_features" if name == "categorical_features" else name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, TypeError), match=refused):
            net.fit(X, y)


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (TabularRegressor, "loss", "foo"),
        (TabularRegressor, "quantiles", 0.5),
        (TabularClassifier, "label_smoothing", 1.0),
        (TabularClassifier, "class_weight", "foo"),
        (TabularClassifier, "class_weight", {"high": 0, "low": 0, "mid": 0}),
        (TabularClassifier, "class_weight", {"high": -1.0}),
    ],
)
def test_an_invalid_parameter_of_one_estimator_raises(make, name, value):
    X, y = make_table(make, n_rows=40)
    with pytest.raises(ValueError, match=name):
        make(**NET | {"epochs": 1}, **{name: value}).fit(X, y)


def test_layers_and_rates_may_be_lists_and_arrays():
    X, y = make_frame()
    expected = TabularRegressor(**NET | {"layers": (8, 4), "dropout": (0.1, 0.2)}).fit(X, y).predict(X)
    for make in (list, np.array):
        net = TabularRegressor(**NET | {"layers": make([8, 4]), "dropout": make([0.1, 0.2])}).fit(X, y)
        np.testing.assert_array_equal(net.predict(X), expected)


def test_a_preprocessor_that_leaves_missing_values_raises():
    X, y = make_frame()
    with pytest.raises(ValueError, match="missing or infinite numbers in column 'hours'"):
        TabularRegressor(**NET, preprocessor=make_pipeline(Categorify(), Normalize())).fit(X, y)


def test_categorical_features_and_a_preprocessor_together_raise():
    X, y = make_frame()
    net = TabularRegressor(**NET, preprocessor=TabularPreprocessor("net"), categorical_features=["age"])
    with pytest.raises(ValueError, match="categorical_features is for the built-in preprocessor"):
        net.fit(X, y)


def test_other_classes_than_those_of_the_first_call_raise():
    X, y = make_frame()
    y = classes(y)
    net = TabularClassifier(**NET).partial_fit(X, y, classes=["high", "low", "mid"])
    with pytest.raises(ValueError, match="are not those of the first call"):
        net.partial_fit(X, y, classes=["high", "low"])
    net.partial_fit(X, y, classes=["mid", "low", "high"])
