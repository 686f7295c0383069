"""`Trainer`, used by the estimators: losses, the best epoch, callbacks, overridden steps, failures."""

import math
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score
from sklearn.model_selection import KFold, PredefinedSplit, train_test_split
from torch import nn

from tabrec import TabularClassifier, TabularRegressor, TimeSplit
from tabrec.neural.losses import regression_units
from tabrec.neural.optimizers import SCHEDULES, scheduled_rates
from tabrec.neural.parameters import default_batch_size, default_epochs
from tabrec.neural.training import Trainer, TrainingConfig
from tabrec.neural.training_data import TrainingData, iterate

NET = {
    "layers": (16,),
    "n_members": None,
    "activation": "relu",
    "batch_norm": False,
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "unknown_rate": 0.0,
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
N_ROWS = 200


def make_frame(seed=0, n_rows=N_ROWS):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"state": generator.choice(["Ohio", "Utah"], n_rows), "age": generator.uniform(0, 10, n_rows)})
    return X, (X["age"] + 5 * (X["state"] == "Utah") + generator.normal(0, 0.3, n_rows)).to_numpy()


def make_noise(seed=0, n_rows=60):
    """Pure noise, so that training increases the error on other rows."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(generator.normal(size=(n_rows, 3)), columns=list("abc")), generator.normal(size=n_rows)


def standardised_mse(net, X, y, weights=None):
    scaler = net.target_scaler_
    return np.average(((net.predict(X) - y) / scaler.scales[0]) ** 2, weights=weights)


# --- Validation ------------------------------------------------------------------------------------------------------


def test_valid_loss_is_the_mean_squared_error_of_the_standardised_target():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    net = TabularRegressor(**NET).fit(X, y, eval_set=(X_valid, y_valid))
    assert net.target_scaler_.scales[0] == pytest.approx(y.std())
    assert net.history_["valid_loss"].min() == pytest.approx(standardised_mse(net, X_valid, y_valid), rel=1e-5)


def test_valid_loss_of_each_loss_is_that_of_its_own_formula():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)

    def fitted(**settings):
        return TabularRegressor(**NET, **settings).fit(X, y, eval_set=(X_valid, y_valid))

    net = fitted(loss="mae")
    gaps = abs(net.predict(X_valid) - y_valid) / y.std()
    assert net.history_["valid_loss"].min() == pytest.approx(gaps.mean(), rel=1e-5)
    net = fitted(loss="huber")
    gaps = abs(net.predict(X_valid) - y_valid) / y.std()
    expected = np.where(gaps < 1, gaps**2 / 2, gaps - 0.5).mean()
    assert net.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-5)
    net = fitted(loss="quantile", quantiles=(0.3,))
    gaps = (y_valid - net.predict(X_valid)) / y.std()
    assert net.history_["valid_loss"].min() == pytest.approx(np.maximum(0.3 * gaps, -0.7 * gaps).mean(), rel=1e-5)


def test_valid_loss_of_a_classifier_is_the_log_loss():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    net = TabularClassifier(**NET).fit(X, y > 7, eval_set=(X_valid, y_valid > 7))
    expected = log_loss(y_valid > 7, net.predict_proba(X_valid))
    assert net.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-5)


def test_valid_loss_of_members_is_the_mean_of_the_losses_of_each():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    net = TabularRegressor(**NET | {"n_members": 3}).fit(X, y, eval_set=(X_valid, y_valid))
    each = net._outputs(X_valid).numpy()[:, :, 0]
    wanted = net.target_scaler_.scale(y_valid)
    expected = np.mean((each - wanted[:, None]) ** 2)
    assert net.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-5)
    assert standardised_mse(net, X_valid, y_valid) < expected


def test_validation_rows_are_weighted():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    weights = np.random.default_rng(2).uniform(0, 5, N_ROWS)
    net = TabularRegressor(**NET).fit(X, y, eval_set=(X_valid, y_valid), eval_sample_weight=weights)
    expected = standardised_mse(net, X_valid, y_valid, weights)
    assert net.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-5)
    whole = np.random.default_rng(2).integers(0, 3, N_ROWS)
    net = TabularRegressor(**NET).fit(X, y, eval_set=(X_valid, y_valid), eval_sample_weight=whole)
    expected = standardised_mse(net, X_valid, y_valid, whole)
    assert net.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-5)


def test_class_weights_apply_to_validation_too():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    class_weight = {False: 1.0, True: 7.0}
    net = TabularClassifier(**NET, class_weight=class_weight).fit(X, y > 7, eval_set=(X_valid, y_valid > 7))
    weights = np.where(y_valid > 7, 7.0, 1.0)
    expected = log_loss(y_valid > 7, net.predict_proba(X_valid), sample_weight=weights)
    assert net.history_["valid_loss"].min() == pytest.approx(expected, rel=1e-5)


def test_validation_rows_are_not_trained_on_and_do_not_affect_the_encoding():
    X, y = make_frame()
    labels = X["state"].to_numpy(copy=True)
    labels[150:] = "Nevada"
    X = X.assign(state=labels)
    split = PredefinedSplit(np.where(np.arange(N_ROWS) < 150, -1, 0))
    held_out = TabularRegressor(**NET, validation_fraction=split).fit(X, y)
    given = TabularRegressor(**NET).fit(X[:150], y[:150], eval_set=(X[150:], y[150:]))
    assert held_out.preprocessor_.categories_["state"] == ["#na#", "Ohio", "Utah"]
    assert held_out.target_scaler_.means[0] == pytest.approx(y[:150].mean())
    np.testing.assert_array_equal(held_out.predict(X), given.predict(X))
    columns = ["epoch", "train_loss", "valid_loss", "learning_rate"]
    pd.testing.assert_frame_equal(held_out.history_[columns], given.history_[columns])


def test_validation_does_not_change_the_training():
    X, y = make_frame()
    settings = NET | {"epochs": 3}
    plain = TabularRegressor(**settings).fit(X, y)
    watched = TabularRegressor(**settings).fit(X, y, eval_set=make_frame(1))
    np.testing.assert_array_equal(watched.history_["train_loss"], plain.history_["train_loss"])
    if watched.history_["valid_loss"].idxmin() == 2:
        np.testing.assert_array_equal(watched.predict(X), plain.predict(X))


@pytest.mark.parametrize("n_splits", [2, 4])
def test_the_last_split_of_a_splitter_is_used(n_splits):
    X, y = make_frame()
    *_, (kept, held_out) = KFold(n_splits).split(X)
    net = TabularRegressor(**NET, validation_fraction=KFold(n_splits)).fit(X, y)
    given = TabularRegressor(**NET).fit(X.iloc[kept], y[kept], eval_set=(X.iloc[held_out], y[held_out]))
    assert net.history_["valid_loss"].tolist() == given.history_["valid_loss"].tolist()


def test_the_last_rows_by_date_are_used():
    X, y = make_frame()
    sold = pd.Timestamp("2011-01-01") + pd.to_timedelta(np.random.default_rng(3).permutation(N_ROWS), "D")
    X = X.assign(sold=sold)
    last = (sold >= sold.sort_values()[-40]).nonzero()[0]
    first = np.setdiff1d(np.arange(N_ROWS), last)
    net = TabularRegressor(**NET, validation_fraction=TimeSplit(1, column="sold", test_size=40)).fit(X, y)
    given = TabularRegressor(**NET).fit(X.iloc[first], y[first], eval_set=(X.iloc[last], y[last]))
    assert net.history_["valid_loss"].tolist() == pytest.approx(given.history_["valid_loss"].tolist(), rel=1e-6)


def test_a_share_of_the_rows_is_held_out_at_random_from_the_seed():
    X, y = make_frame()

    def fitted(seed):
        sizes = []
        metrics = [lambda true, _: sizes.append(len(true)) or 0.0]
        net = TabularRegressor(**NET | {"random_state": seed}, validation_fraction=0.25, metrics=metrics).fit(X, y)
        assert set(sizes) == {50}
        return net

    one, other, third = fitted(0), fitted(0), fitted(1)
    assert one.history_["valid_loss"].tolist() == other.history_["valid_loss"].tolist()
    assert third.target_scaler_.means[0] != one.target_scaler_.means[0]


def test_a_held_out_share_is_stratified_by_class():
    X, _ = make_frame()
    y = np.repeat(["a", "b"], [180, 20])
    net = TabularClassifier(**NET, validation_fraction=0.2, metrics=[lambda true, _: np.mean(true == "b")])
    net.fit(X, y)
    assert net.history_.iloc[0]["<lambda>"] == pytest.approx(0.1)


def test_copies_of_a_row_stay_on_one_side():
    X, y = make_frame(n_rows=50)
    weights = np.full(50, 4)
    sides = []
    net = TabularRegressor(**NET, validation_fraction=0.3, metrics=[lambda true, _: sides.append(np.unique(true)) or 0])
    net.fit(X, y, sample_weight=weights)
    assert len(sides[0]) == 15
    weighted = net.target_scaler_.means[0]
    kept, _ = train_test_split(np.arange(50), test_size=0.3, random_state=np.random.RandomState(0).randint(2**31 - 1))
    assert weighted == pytest.approx(y[kept].mean())


@pytest.mark.parametrize("n_members", [None, 4])
def test_weights_of_the_best_epoch_are_kept(n_members):
    X, y = make_noise(0)
    X_valid, y_valid = make_noise(1)
    settings = NET | {"epochs": 20, "learning_rate": 0.05, "schedule": "constant", "n_members": n_members}
    net = TabularRegressor(**settings | {"batch_norm": True}).fit(X, y, eval_set=(X_valid, y_valid))
    losses = net.history_["valid_loss"]
    assert losses.iloc[-1] > 1.05 * losses.min()
    outputs = net._outputs(X_valid).numpy().reshape(len(y_valid), -1)
    reached = np.mean((outputs - net.target_scaler_.scale(y_valid)[:, None]) ** 2)
    assert reached == pytest.approx(losses.min(), rel=1e-5)


def test_patience_stops_the_training():
    settings = NET | {"epochs": 50, "learning_rate": 0.05, "schedule": "constant"}
    net = TabularRegressor(**settings, patience=4).fit(*make_noise(0), eval_set=make_noise(1))
    losses = net.history_["valid_loss"]
    assert len(losses) < 50
    assert losses.idxmin() == len(losses) - 1 - 4
    patient = TabularRegressor(**settings).fit(*make_noise(0), eval_set=make_noise(1))
    assert len(patient.history_) == 50
    assert patient.history_["valid_loss"][: len(losses)].tolist() == losses.tolist()


def test_invalid_validation_rows_raise():
    X, y = make_frame()
    with pytest.raises(ValueError, match="Give either eval_set or validation_fraction"):
        TabularRegressor(**NET, validation_fraction=0.2).fit(X, y, eval_set=(X, y))
    for odd in (X, (X,), (X, y, y)):
        with pytest.raises(ValueError, match=r"eval_set must be a pair \(X, y\)"):
            TabularRegressor(**NET).fit(X, y, eval_set=odd)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_a_share_must_leave_rows_to_train(share):
    X, y = make_frame(n_rows=20)
    net = TabularRegressor(**NET, validation_fraction=share)
    if share < 0.5:
        assert net.fit(X, y).history_["valid_loss"].notna().all()
    else:
        with pytest.raises(ValueError, match="train"):
            net.fit(X, y)


# --- Metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_of_a_regression_are_in_the_units_of_the_target():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)

    def worst(true, predicted):
        return abs(true - predicted).max()

    net = TabularRegressor(**NET, metrics=["r2_score", mean_absolute_error, worst])
    net.fit(X, 1000 * y, eval_set=(X_valid, 1000 * y_valid))
    assert net.history_.columns[2:-2].tolist() == ["valid_loss", "r2_score", "mean_absolute_error", "worst"]
    best = net.history_.loc[net.history_["valid_loss"].idxmin()]
    predicted = net.predict(X_valid)
    assert best["r2_score"] == pytest.approx(r2_score(1000 * y_valid, predicted), rel=1e-5)
    assert best["mean_absolute_error"] == pytest.approx(mean_absolute_error(1000 * y_valid, predicted), rel=1e-4)
    assert best["worst"] == pytest.approx(abs(1000 * y_valid - predicted).max(), rel=1e-4)


@pytest.mark.parametrize("settings", [{"n_members": 4}, {"loss": "quantile", "quantiles": (0.2, 0.6)}], ids=str)
def test_metrics_refer_to_the_values_of_predict(settings):
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    net = TabularRegressor(**NET | settings, metrics=["r2_score"]).fit(X, y, eval_set=(X_valid, y_valid))
    best = net.history_.loc[net.history_["valid_loss"].idxmin()]
    assert best["r2_score"] == pytest.approx(r2_score(y_valid, net.predict(X_valid)), rel=1e-5)


def test_metrics_of_a_classifier_refer_to_the_labels():
    (X, y), (X_valid, y_valid) = make_frame(0), make_frame(1)
    y, y_valid = np.where(y > 7, "dear", "cheap"), np.where(y_valid > 7, "dear", "cheap")
    net = TabularClassifier(**NET, metrics=["accuracy_score"]).fit(X, y, eval_set=(X_valid, y_valid))
    best = net.history_.loc[net.history_["valid_loss"].idxmin()]
    assert 0.5 < best["accuracy_score"] == pytest.approx(accuracy_score(y_valid, net.predict(X_valid)))


def test_two_metrics_of_the_same_name_are_both_recorded():
    (X, y), valid = make_frame(0), make_frame(1)
    net = TabularRegressor(**NET, metrics=[lambda true, _: 1.0, lambda true, _: 2.0]).fit(X, y, eval_set=valid)
    assert sorted(net.history_.iloc[0, 3:-2].tolist()) == [1.0, 2.0]


@pytest.mark.parametrize("metric", ["no_such_score", "accuracy", 3])
def test_an_unknown_metric_raises(metric):
    with pytest.raises(ValueError, match=f"metrics names {metric!r}"):
        TabularRegressor(**NET, metrics=["r2_score", metric]).fit(*make_frame(), eval_set=make_frame(1))


# --- What is recorded ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("validated", [False, True])
def test_history_has_one_row_per_epoch(validated):
    eval_set = make_frame(1) if validated else None
    net = TabularRegressor(**NET, metrics=["r2_score"]).fit(*make_frame(), eval_set=eval_set)
    watched = ["valid_loss", "r2_score"] if validated else []
    assert net.history_.columns.tolist() == ["epoch", "train_loss", *watched, "learning_rate", "seconds"]
    assert net.history_["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert (net.history_["seconds"] > 0).all()
    assert net.history_.notna().all(axis=None)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_rates_follow_the_schedule_from_batch_to_batch(schedule):
    paces = []

    def note(event, state):
        if event == "batch_end":
            group = state.optimizer.param_groups[0]
            paces.append((group["lr"], group["betas"][0]))

    settings = NET | {"schedule": schedule, "epochs": 3, "momentum": 0.8}
    net = TabularRegressor(**settings, callbacks=[note]).fit(*make_frame())
    n_steps = 3 * math.ceil(N_ROWS / 32)
    assert paces == [tuple(scheduled_rates(schedule, step, n_steps, 0.02, 0.8)) for step in range(n_steps)]
    assert net.history_["learning_rate"].tolist() == [rate for rate, _ in paces[6::7]]


@pytest.mark.parametrize("epochs", [2, 3])
def test_train_loss_is_an_exponential_moving_average(epochs):
    X = pd.DataFrame({"x": np.random.default_rng(0).normal(size=40)})
    y = 2.0 * X["x"].to_numpy() + 1
    inputs = torch.empty(40, 0, dtype=torch.int32), torch.tensor(((X - X.mean()) / X.std(ddof=0)).to_numpy()).float()
    target = torch.tensor((y - y.mean()) / y.std())[:, None].float()
    losses = []

    def note(event, state):
        if event == "epoch_start":
            losses.append(float(((state.model(*inputs) - target) ** 2).mean().detach()))

    settings = NET | {"epochs": epochs, "batch_size": 40, "schedule": "constant"}
    net = TabularRegressor(**settings, callbacks=[note]).fit(X, y)
    weights = 0.98 ** np.arange(epochs)[::-1]
    expected = [np.average(losses[: n + 1], weights=weights[-n - 1 :]) for n in range(epochs)]
    assert len(set(losses)) == epochs
    assert net.history_["train_loss"].tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "sizes"),
    [(64, 32, [32, 32]), (66, 32, [32, 32, 2]), (65, 32, [32, 33]), (33, 32, [33]), (5, 32, [5]), (1, 32, [1])],
)
def test_an_epoch_goes_through_every_row_once_and_no_last_slice_is_one_row(n_rows, batch_size, sizes):
    slices = list(iterate(n_rows, batch_size, torch.device("cpu")))
    assert [len(rows) for rows in slices] == sizes
    assert sorted(torch.cat(slices).tolist()) == list(range(n_rows))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_last_slice_of_one_row_joins_the_one_before(batch_norm):
    X, y = make_frame(n_rows=33)
    steps = []
    settings = NET | {"batch_norm": batch_norm, "epochs": 2}
    TabularRegressor(**settings, callbacks=[lambda event, state: steps.append(state.step)]).fit(X, y)
    assert steps[-1] == 2


@pytest.mark.parametrize("n_members", [None, 4])
def test_batches_of_one_row_raise_only_with_batch_norm(n_members):
    X, y = make_frame(n_rows=20)
    net = TabularRegressor(**NET | {"batch_size": 1, "n_members": n_members})
    assert np.isfinite(net.fit(X, y).predict(X)).all()
    with pytest.raises(ValueError, match="batch_size"):
        net.set_params(batch_norm=True).fit(X, y)


# --- Callbacks -------------------------------------------------------------------------------------------------------


def test_callbacks_are_called_for_every_event_in_order():
    X, y = make_frame(n_rows=70)
    events = []
    net = TabularRegressor(**NET | {"epochs": 2})
    net.set_params(callbacks=[lambda event, state: events.append((event, state.epoch, state.step, len(state.history)))])
    net.fit(X, y)
    assert events == [
        ("fit_start", 0, 0, 0),
        ("epoch_start", 0, 0, 0),
        ("batch_end", 0, 1, 0),
        ("batch_end", 0, 2, 0),
        ("batch_end", 0, 3, 0),
        ("epoch_end", 0, 3, 1),
        ("epoch_start", 1, 3, 1),
        ("batch_end", 1, 4, 1),
        ("batch_end", 1, 5, 1),
        ("batch_end", 1, 6, 1),
        ("epoch_end", 1, 6, 2),
        ("fit_end", 2, 6, 2),
    ]


def test_callbacks_are_called_in_turn_with_the_same_state():
    seen = []
    callbacks = [lambda event, state: seen.append(("one", event, state)), lambda *given: seen.append(("two", *given))]
    net = TabularRegressor(**NET | {"epochs": 2}, callbacks=callbacks).fit(*make_frame())
    assert [name for name, *_ in seen[:4]] == ["one", "two", "one", "two"]
    assert len({id(state) for *_, state in seen}) == 1
    state = seen[0][2]
    assert state.model is net.model_
    assert state.n_epochs == 2
    assert [record["train_loss"] for record in state.history] == net.history_["train_loss"].tolist()


def test_callbacks_do_not_change_the_net():
    X, y = make_frame()
    plain = TabularRegressor(**NET).fit(X, y).predict(X)
    watched = TabularRegressor(**NET, callbacks=[lambda event, state: None]).fit(X, y).predict(X)
    np.testing.assert_array_equal(watched, plain)


@pytest.mark.parametrize(("when", "epochs", "steps"), [("batch_end", 2, 10), ("epoch_end", 2, 14)])
def test_a_callback_can_stop_the_training(when, epochs, steps):
    events = []

    def stop(event, state):
        events.append(event)
        if event == when and state.epoch == 1 and state.step >= 10:
            state.stop = True
        if event == "fit_end":
            assert state.step == steps

    net = TabularRegressor(**NET, callbacks=[stop]).fit(*make_frame())
    assert net.history_["epoch"].tolist() == list(range(epochs))
    assert events[-2:] == ["epoch_end", "fit_end"]


def test_best_weights_are_restored_before_fit_end():
    X_valid, y_valid = make_noise(1)
    losses = {}

    def note(event, state):
        if event in ("epoch_end", "fit_end"):
            assert "valid_loss" in state.history[-1]
            losses[event] = [record["valid_loss"] for record in state.history], weights_of(state.model)

    settings = NET | {"epochs": 20, "learning_rate": 0.05, "schedule": "constant"}
    net = TabularRegressor(**settings, callbacks=[note]).fit(*make_noise(0), eval_set=(X_valid, y_valid))
    assert not np.array_equal(losses["epoch_end"][1], losses["fit_end"][1])
    np.testing.assert_array_equal(weights_of(net.model_), losses["fit_end"][1])


def weights_of(model):
    return np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])


# --- Steps that a subclass overrides ----------------------------------------------------------------------------------


class ClippingTrainer(Trainer):
    """Clips each gradient by value, and records the largest one of every batch."""

    largest: ClassVar[list[float]] = []

    def train_step(self, batch):
        loss = super().train_step(batch)
        parameters = list(self.model.parameters())
        torch.nn.utils.clip_grad_value_(parameters, 1e-3)
        self.largest.append(max(float(parameter.grad.abs().max()) for parameter in parameters))
        return loss


def test_fit_runs_the_train_step_of_a_subclass_of_trainer():
    X, y = make_frame()
    settings = NET | {"optimizer": "sgd", "momentum": 0.0, "schedule": "constant", "max_grad_norm": None, "epochs": 2}
    starts, net = [], TabularRegressor(**settings, trainer=ClippingTrainer)
    net.set_params(callbacks=[lambda event, state: event == "fit_start" and starts.append(weights_of(state.model))])
    ClippingTrainer.largest.clear()
    net.fit(X, y)
    assert len(ClippingTrainer.largest) == 2 * 7
    assert max(ClippingTrainer.largest) == pytest.approx(1e-3)
    # Each of the 14 steps of plain SGD moves a weight by at most learning_rate * 1e-3.
    assert abs(weights_of(net.model_) - starts[0]).max() <= 14 * 0.02 * 1e-3 * (1 + 1e-4)
    assert clone(net).trainer is ClippingTrainer


def test_a_trainer_that_overrides_nothing_fits_the_same_net():
    X, y = make_frame()

    class Same(Trainer):
        def train_step(self, batch):
            return super().train_step(batch)

    np.testing.assert_array_equal(
        TabularRegressor(**NET, trainer=Same).fit(X, y).predict(X), TabularRegressor(**NET).fit(X, y).predict(X)
    )


def test_fit_runs_the_validation_step_of_a_subclass_of_trainer():
    class LastIsBest(Trainer):
        def validation_step(self, data):
            self.n_calls = getattr(self, "n_calls", 0) + 1
            return super().validation_step(data) | {"valid_loss": -float(self.n_calls), "n_rows": len(data)}

    net = TabularRegressor(**NET, trainer=LastIsBest, metrics=["r2_score"]).fit(*make_frame(), eval_set=make_frame(1))
    assert net.history_["valid_loss"].tolist() == [-1.0, -2.0, -3.0, -4.0, -5.0]
    assert net.history_["r2_score"].notna().all()


# --- Interruptions and failures --------------------------------------------------------------------------------------


def interrupt(epoch, when="batch_end"):
    def callback(event, state):
        if event == when and state.epoch == epoch:
            raise KeyboardInterrupt

    return callback


@pytest.mark.parametrize("when", ["epoch_start", "batch_end"])
def test_an_interrupted_net_keeps_its_weights(when):
    X, y = make_frame()
    net = TabularRegressor(**NET | {"schedule": "constant"}, callbacks=[interrupt(3, when)])
    with pytest.warns(
        UserWarning, match="interrupted in epoch 3 of 5: the weights kept are as they were then"
    ) as caught:
        net.fit(X, y)
    assert caught[0].filename == __file__
    assert net.history_["epoch"].tolist() == [0, 1, 2]
    assert net.score(X, y) > 0.5
    assert not net.model_.training


def test_an_interrupted_net_with_validation_keeps_the_best_epoch():
    (X, y), (X_valid, y_valid) = make_noise(0), make_noise(1)
    settings = NET | {"epochs": 20, "learning_rate": 0.05, "schedule": "constant"}
    net = TabularRegressor(**settings, callbacks=[interrupt(12)])
    with pytest.warns(UserWarning, match=r"interrupted in epoch 12 of 20: the weights kept are those of epoch \d"):
        net.fit(X, y, eval_set=(X_valid, y_valid))
    assert len(net.history_) == 12
    assert standardised_mse(net, X_valid, y_valid) == pytest.approx(net.history_["valid_loss"].min(), rel=1e-5)


@pytest.mark.filterwarnings("ignore:Training was interrupted")
@pytest.mark.parametrize("validated", [False, True])
def test_a_net_interrupted_in_its_first_epoch_predicts_and_can_be_trained(validated):
    X, y = make_frame()
    net = TabularRegressor(**NET, callbacks=[interrupt(0)])
    net.fit(X, y, eval_set=make_frame(1) if validated else None)
    assert np.isfinite(net.predict(X)).all()
    assert net.history_.empty
    net.set_params(callbacks=()).partial_fit(X, y)
    assert net.history_["epoch"].tolist() == [0]
    assert net.history_["train_loss"].dtype == np.float64


def test_an_error_in_a_callback_is_raised_by_fit():
    def fail(event, state):
        raise RuntimeError("the callback's own")

    with pytest.raises(RuntimeError, match="the callback's own"):
        TabularRegressor(**NET, callbacks=[fail]).fit(*make_frame())


@pytest.mark.parametrize("make", [TabularRegressor, TabularClassifier])
def test_a_loss_that_is_not_finite_raises_with_the_learning_rate(make):
    X, y = make_frame()
    wild = NET | {"optimizer": "sgd", "learning_rate": 1e20, "max_grad_norm": None, "schedule": "constant"}
    with pytest.raises(ValueError, match=r"training loss became (nan|inf) in epoch \d, batch \d.*learning_rate=1e\+20"):
        make(**wild).fit(X, y if make is TabularRegressor else y > 7)


def test_a_full_gpu_raises_in_a_step(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("tabrec.neural.training.mean_loss", full)
    with pytest.raises(
        MemoryError, match=r"200 rows .* batches of 32.* Lower batch_size, layers or n_members"
    ) as raised:
        TabularRegressor(**NET).fit(*make_frame())
    assert isinstance(raised.value.__cause__, torch.cuda.OutOfMemoryError)


def test_a_full_gpu_raises_when_the_rows_are_moved(monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 200.00 GiB")

    monkeypatch.setattr("tabrec.neural.training_data.TrainingData.to", full)
    with pytest.raises(MemoryError, match="The GPU is out of memory: 200 rows"):
        TabularRegressor(**NET).fit(*make_frame())


# --- Optimisers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", torch.optim.RMSprop], ids=str)
def test_every_optimizer_with_every_schedule_lowers_the_loss(optimizer, schedule):
    X, y = make_frame()
    rate = 0.1 if optimizer == "sgd" else 0.02
    settings = NET | {"optimizer": optimizer, "schedule": schedule, "learning_rate": rate, "weight_decay": 0.01}
    net = TabularRegressor(**settings | {"epochs": 10}).fit(X, y, eval_set=(X, y))
    losses = net.history_["valid_loss"]
    assert losses.iloc[-1] < losses.iloc[0] / 2
    assert net.score(X, y) > 0.85


def test_clipped_gradients_keep_sgd_finite_at_a_large_rate():
    X, y = make_frame()
    wild = NET | {"optimizer": "sgd", "learning_rate": 5.0, "schedule": "constant", "momentum": 0.0, "epochs": 10}
    with pytest.raises(ValueError, match="max_grad_norm"):
        TabularRegressor(**wild | {"max_grad_norm": None}).fit(X, y)
    assert np.isfinite(TabularRegressor(**wild | {"max_grad_norm": 0.01}).fit(X, y).predict(X)).all()


def test_no_step_of_plain_sgd_is_longer_than_the_rate_times_the_norm_allowed():
    weights = []

    def note(event, state):
        if event in ("fit_start", "batch_end"):
            weights.append(weights_of(state.model).copy())

    settings = NET | {"optimizer": "sgd", "learning_rate": 0.5, "schedule": "constant", "momentum": 0.0}
    TabularRegressor(**settings | {"max_grad_norm": 0.1}, callbacks=[note]).fit(*make_frame())
    lengths = np.linalg.norm(np.diff(weights, axis=0), axis=1)
    assert lengths.max() <= 0.05 * (1 + 1e-4)
    assert lengths[0] == pytest.approx(0.05, rel=1e-3)


def test_weight_decay_shrinks_matrices():
    X, y = make_frame()
    free, decayed = (
        TabularRegressor(**NET | {"weight_decay": decay}).fit(X, y).model_.blocks[0].linear.weight.detach().norm()
        for decay in (0.0, 5.0)
    )
    assert decayed < 0.8 * free


@pytest.mark.parametrize("rate", ["dropout", "embedding_dropout", "unknown_rate"])
def test_dropout_and_masking_do_not_apply_to_predictions(rate):
    X, y = make_frame()
    plain, dropped = (TabularRegressor(**NET | {rate: share}).fit(X, y) for share in (0.0, 0.3))
    assert abs(plain.predict(X) - dropped.predict(X)).max() > 1e-3
    np.testing.assert_array_equal(dropped.predict(X), dropped.predict(X))
    assert dropped.score(X, y) > 0.4


def test_automatic_batches_and_epochs_by_number_of_rows():
    sizes = {100: (32, 40), 1_168: (32, 27), 9_067: (256, 28), 32_560: (256, 16), 412_698: (2048, 16)}
    batches = {n_rows: default_batch_size(n_rows) for n_rows in sizes}
    assert {n_rows: (size, default_epochs(n_rows, size)) for n_rows, size in batches.items()} == sizes


def test_auto_epochs_and_batches_depend_on_the_rows():
    X, y = make_frame()
    steps = []
    settings = NET | {"epochs": "auto", "batch_size": "auto"}
    net = TabularRegressor(**settings, callbacks=[lambda event, state: steps.append(state.step)]).fit(X, y)
    assert len(net.history_) >= 2
    assert steps[-1] >= 2 * len(net.history_)


def test_trainer_fits_any_module():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 3, generator=generator)
    target = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3
    model = torch.nn.Linear(3, 1)
    config = TrainingConfig(epochs=100, batch_size=16, learning_rate=0.1, weight_decay=0.0)
    trainer = Trainer(model, lambda output, wanted: ((output - wanted) ** 2).mean(dim=1), config)
    history = trainer.fit(TrainingData((x,), target))
    np.testing.assert_allclose(model.weight.detach(), [[1.0, -2.0, 0.5]], atol=1e-3)
    assert model.bias.item() == pytest.approx(3.0, abs=1e-3)
    assert len(history) == 100


@pytest.mark.parametrize(("verbose", "n_lines"), [("auto", 0), (0, 0), (1, 3)])
def test_the_table_by_epoch_is_in_units_of_the_target(verbose, n_lines, capsys):
    X, y = make_frame()
    net = TabularRegressor(**NET | {"epochs": 2}, verbose=verbose, metrics=["max_error"])
    net.fit(X, 1000 * y, eval_set=(X, 1000 * y))
    output, errors = capsys.readouterr()
    lines = [line.split() for line in errors.splitlines()]
    assert output == ""
    assert len(lines) == n_lines
    if verbose == 1:
        assert lines[0] == ["epoch", "train", "RMSE", "valid", "RMSE", "max_error", "seconds"]
        valid = net.history_["valid_loss"] ** 0.5 * net.target_scaler_.scales[0]
        assert [float(line[2].replace(",", "")) for line in lines[1:]] == pytest.approx(valid, abs=1)
        assert [float(line[3].replace(",", "")) for line in lines[1:]] == pytest.approx(
            net.history_["max_error"], abs=1
        )


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"loss": "mae"}, "train MAE"),
        ({"loss": "quantile"}, "train pinball loss"),
        ({"loss": "huber"}, "train Huber loss (standardised)"),
        ({"loss": nn.L1Loss}, "train loss"),
        ({"trainer": Trainer}, "train loss"),
    ],
)
def test_the_table_by_epoch_names_its_loss(settings, name, capsys):
    TabularRegressor(**NET | {"epochs": 1} | settings, verbose=1).fit(*make_frame())
    header, _ = capsys.readouterr().err.splitlines()
    assert header.split() == ["epoch", *name.split(), "seconds"]
    assert regression_units("mae", 4.0).convert(0.5) == 2.0
    assert regression_units("mse", 4.0).convert(0.25) == 2.0


def test_partial_fit_is_quiet_unless_asked(capsys):
    for verbose, wanted in (("auto", 0), (1, 2)):
        TabularRegressor(**NET, verbose=verbose).partial_fit(*make_frame())
        assert len(capsys.readouterr().err.splitlines()) == wanted
