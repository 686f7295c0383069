"""Several nets, each stopped by its loss on a fold of the rows: folds, shapes, averages, saving and growth."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from tabrec import EmbeddingEncoder, TabularClassifier, TabularRegressor
from tabrec.interpret import contributions
from tabrec.neural import NetEnsemble, plot_history
from tabrec.neural._epochs import WeightAverage
from tabrec.neural.net_ensemble import equal_rows
from tabrec.neural.training_data import TrainingData
from tabrec.saving import load, save

NET = {"layers": (8,), "n_nets": 3, "epochs": 4, "batch_size": 32, "device": "cpu", "random_state": 0}


def make_rows(n_rows=160, seed=0):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame({"state": generator.choice(["Ohio", "Utah"], n_rows), "age": generator.uniform(0, 10, n_rows)})
    return X, (X["age"] + 5 * (X["state"] == "Utah") + generator.normal(0, 0.3, n_rows)).to_numpy()


X, Y = make_rows()


@pytest.fixture(scope="module")
def regressor():
    return TabularRegressor(**NET).fit(X, Y)


def test_each_row_is_predicted_by_the_net_that_was_validated_on_it(regressor):
    codes, numbers = regressor._reader.read(regressor.encode_to_arrays(X))
    with torch.no_grad():
        each = np.column_stack(
            [regressor.target_scaler_.restore(net.eval()(codes, numbers).numpy()) for net in regressor.model_.nets]
        )
    is_nearest = np.abs(each - regressor.oof_prediction_[:, None]).argmin(axis=1)
    np.testing.assert_allclose(each[np.arange(len(X)), is_nearest], regressor.oof_prediction_, rtol=1e-4)
    assert np.bincount(is_nearest).min() > len(X) // 4
    classifier = TabularClassifier(**NET).fit(X, Y > 7, np.r_[np.zeros(10), np.ones(len(X) - 10)])
    assert np.isnan(classifier.oof_prediction_).all(axis=1).tolist() == [True] * 10 + [False] * (len(X) - 10)
    np.testing.assert_allclose(classifier.oof_prediction_[10:].sum(axis=1), 1)
    assert clone(classifier).set_params(n_nets=1).fit(X, Y > 7).oof_prediction_ is None


def test_equal_rows_have_one_number():
    codes = torch.tensor([[1], [1], [1], [2], [2]])
    numbers = torch.tensor([[0.5], [0.5], [0.5], [0.5], [0.5]])
    data = TrainingData((codes, numbers), torch.tensor([[0.0], [0.0], [1.0], [1.0], [1.0]]))
    assert equal_rows(data).tolist() == [0, 0, 1, 2, 2]


def test_copies_of_rows_give_the_net_of_frequencies():
    weights = np.random.default_rng(0).integers(1, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    weighted = TabularRegressor(**NET).fit(X, Y, weights).predict(X)
    repeated = TabularRegressor(**NET).fit(X.iloc[rows].reset_index(drop=True), Y[rows]).predict(X)
    np.testing.assert_array_equal(weighted, repeated)


def test_predictions_are_the_mean_of_the_nets(regressor):
    codes, numbers = regressor._reader.read(regressor.encode_to_arrays(X))
    ensemble = regressor.model_.double()
    with torch.no_grad():
        outputs = [net(codes, numbers.double()).numpy() for net in ensemble.nets]
    ensemble.float()
    assert regressor.n_nets_ == len(outputs) == 3
    np.testing.assert_allclose(
        regressor.predict(X), regressor.target_scaler_.restore(np.mean(outputs, axis=0)).ravel(), rtol=1e-12
    )


def test_nets_differ_and_their_best_epochs_are_kept(regressor):
    history = regressor.history_
    assert history["net"].unique().tolist() == [0, 1, 2]
    assert history.groupby("net")["valid_loss"].min().nunique() == 3


def test_the_plot_has_lines_for_each_net(regressor):
    ax = plot_history(regressor)
    lines = [line for line in ax.lines if len(line.get_xdata()) > 1]
    assert len(lines) == 2 * regressor.n_nets_
    assert all(np.all(np.diff(line.get_xdata()) == 1) for line in lines)
    marks = [line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    assert marks == regressor.history_.groupby("net")["valid_loss"].min().tolist()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "training, smoothed",
        "validation",
        "best epoch of each net",
    ]


def test_probabilities_are_the_mean_of_the_nets():
    y = np.where(Y > 7, "high", "low")
    net = TabularClassifier(**NET).fit(X, y)
    codes, numbers = net._reader.read(net.encode_to_arrays(X))
    with torch.no_grad():
        found = [part(codes, numbers).softmax(dim=1).numpy() for part in net.model_.nets]
    np.testing.assert_allclose(net.predict_proba(X), np.mean(found, axis=0), atol=1e-6)


def test_saved_nets_predict_alike(regressor, tmp_path):
    save(regressor, tmp_path / "net")
    np.testing.assert_array_equal(load(tmp_path / "net").predict(X), regressor.predict(X))


def test_contributions_of_several_nets_sum_to_the_prediction(regressor):
    found = contributions(regressor, X.head(4), background=X.head(30), method="integrated_gradients")
    assert found.columns == ["state", "age"]
    np.testing.assert_allclose(found.bias + found.contributions.sum(axis=1), regressor.predict(X.head(4)), rtol=1e-9)


def test_embeddings_of_several_nets_are_side_by_side(regressor):
    width = regressor.model_.nets[0].embeddings.weight("state").shape[1]
    assert regressor.embeddings_["state"].shape == (3, 3 * width)
    encoded = EmbeddingEncoder(clone(regressor), cv=None).fit_transform(X, Y)
    assert sum(name.startswith("state_") for name in encoded) == 3 * width


def test_partial_fit_trains_the_nets_further():
    net = TabularRegressor(**NET).fit(X, Y)
    before = net.predict(X)
    last_epoch = net.history_["epoch"].max()
    net.partial_fit(X.head(50), Y[:50])
    assert isinstance(net.model_, NetEnsemble)
    assert net.history_["epoch"].iloc[-1] == last_epoch + 1
    assert len(plot_history(net).get_lines()) == 3 * net.n_nets_ + 1
    assert not np.allclose(net.predict(X), before)


@pytest.mark.parametrize(
    ("settings", "fit", "n_nets"),
    [
        ({}, {}, 4),
        ({"epochs": 2}, {}, 1),
        ({"validation_fraction": 0.2}, {}, 1),
        ({}, {"eval_set": (X, Y)}, 1),
        ({"warm_start": True}, {}, 1),
        ({"n_nets": 2, "epochs": 1}, {}, 2),
    ],
)
def test_number_of_nets_by_default(settings, fit, n_nets):
    net = TabularRegressor(layers=(2,), n_members=None, numeric_embedding=None, random_state=0, **settings)
    assert net.fit(X, Y, **fit).n_nets_ == n_nets


def test_few_rows_have_one_net():
    assert TabularRegressor((2,), epochs="auto", random_state=0).fit(X.head(20), Y[:20]).n_nets_ == 1


@pytest.mark.parametrize(
    ("settings", "fit"),
    [({"module": lambda *sizes: None}, {}), ({"validation_fraction": 0.2}, {}), ({}, {"eval_set": (X, Y)})],
    ids=["module", "validation_fraction", "eval_set"],
)
def test_parameters_of_a_single_net_are_refused_beside_several(settings, fit):
    name = next(iter(settings | fit))
    with pytest.raises(ValueError, match=f"{name} is for a single net, but n_nets=2: leave one of them out"):
        TabularRegressor(n_nets=2, **settings).fit(X, Y, **fit)


def test_interrupted_nets_are_left_out():
    class Stop:
        def __init__(self):
            self.n_fits = 0

        def __call__(self, event, state):
            self.n_fits += event == "fit_start"
            if self.n_fits == 2 and event == "epoch_end":
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted in epoch 0"):
        net = TabularRegressor(**NET, callbacks=[Stop()]).fit(X, Y)
    assert net.n_nets_ == len(net.model_.nets) == 2
    assert np.isfinite(net.predict(X)).all()


def test_averaged_weights_follow_the_last_ones():
    model = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(model)
    expected = model.weight.item()
    for step in range(1, 200):
        with torch.no_grad():
            model.weight.fill_(step)
        average.update()
        decay = min(0.99, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    with average.in_place():
        assert model.weight.item() == pytest.approx(expected, rel=1e-5)
    assert model.weight.item() == 199
    average.keep()
    assert model.weight.item() == pytest.approx(expected, rel=1e-5)
