"""Saved, pickled and copied nets: bitwise equal predictions and equal further training."""

import copy
import json
import pickle

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch
from sklearn.ensemble import VotingRegressor
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

import tabrec
from tabrec import (
    Categorify,
    EmbeddingEncoder,
    FillMissing,
    ForestRegressor,
    Normalize,
    TabularClassifier,
    TabularPreprocessor,
    TabularRegressor,
    TimeSplit,
)
from tabrec.neural import Trainer

NET = {
    "layers": (8,),
    "n_members": None,
    "batch_norm": False,
    "dropout": 0.1,
    "unknown_rate": 0.01,
    "numeric_embedding": None,
    "numeric_embedding_size": 4,
    "n_bins": 4,
    "epochs": 3,
    "batch_size": 32,
    "learning_rate": 0.02,
    "weight_decay": 0.1,
    "device": "cpu",
    "random_state": 0,
}
N_ROWS = 100


def make_frame(seed=0, n_rows=N_ROWS):
    generator = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "state": generator.choice(["Ohio", "Texas", "Utah"], n_rows),
            "hours": np.where(generator.random(n_rows) < 0.2, np.nan, generator.normal(500, 100, n_rows)),
            "age": generator.uniform(0, 10, n_rows),
            "sold": pd.Timestamp("2011-01-01") + pd.to_timedelta(generator.integers(0, 900, n_rows), "D"),
        }
    )
    return X, (X["age"] + 5 * (X["state"] == "Utah")).to_numpy()


X, Y = make_frame()
NETS = {
    "regressor": (TabularRegressor(**NET), Y),
    "members": (TabularRegressor(**NET | {"n_members": 4, "layers": [8, 4], "dropout": [0.1, 0.2]}), Y),
    "batch norm": (TabularRegressor(**NET | {"batch_norm": True}), Y),
    "piecewise": (TabularRegressor(**NET | {"numeric_embedding": "piecewise"}), Y),
    "periodic": (TabularRegressor(**NET | {"numeric_embedding": "periodic", "n_members": 4}), Y),
    "quantile": (TabularRegressor(**NET, loss="quantile", quantiles=(0.2, 0.7)), Y),
    "several outputs": (TabularRegressor(**NET), np.column_stack([Y, 1e6 * Y])),
    "y_range": (TabularRegressor(**NET, y_range=(-1, 20)), Y),
    "y_range auto": (TabularRegressor(**NET, y_range="auto"), np.column_stack([Y, -Y])),
    "validated": (TabularRegressor(**NET, validation_fraction=0.2, metrics=["r2_score"]), Y),
    "validated by date": (TabularRegressor(**NET, validation_fraction=TimeSplit(1, column="sold", test_size=20)), Y),
    "validated by folds": (TabularRegressor(**NET, validation_fraction=KFold(3)), Y),
    "widths": (TabularRegressor(**NET, embedding_sizes={"state": 5}), Y),
    "preprocessor": (TabularRegressor(**NET, preprocessor=TabularPreprocessor("net", normalize="quantile")), Y),
    "numpy's numbers": (TabularRegressor(**NET | {"layers": np.array([8, 4]), "learning_rate": np.float32(0.01)}), Y),
    "classifier": (TabularClassifier(**NET, class_weight={"dear": 2.0}), np.where(Y > 7, "dear", "cheap")),
    "bool": (TabularClassifier(**NET | {"n_members": 4}, label_smoothing=0.1), Y > 7),
    "one class": (TabularClassifier(**NET), np.full(N_ROWS, 3)),
}


def reload(net, tmp_path):
    return tabrec.load(tabrec.save(net, tmp_path / "net"))


WAYS = {
    "save": reload,
    "pickle": lambda net, _: pickle.loads(pickle.dumps(net)),
    "deepcopy": lambda net, _: copy.deepcopy(net),
}


@pytest.fixture(scope="module")
def fitted():
    return {name: copy.deepcopy(net).fit(X, y) for name, (net, y) in NETS.items()}


def assert_same(one, other):
    for method in ("predict", "predict_proba", "predict_quantiles"):
        if hasattr(one, method):
            np.testing.assert_array_equal(getattr(other, method)(X), getattr(one, method)(X))
    pd.testing.assert_frame_equal(other.history_, one.history_)
    assert other.embeddings_.keys() == one.embeddings_.keys()
    for name, table in one.embeddings_.items():
        pd.testing.assert_frame_equal(other.embeddings_[name], table)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("way", WAYS)
def test_a_net_round_trips(fitted, way, name, tmp_path):
    net = fitted[name]
    back = WAYS[way](net, tmp_path)
    assert type(back) is type(net)
    assert str(back.get_params()) == str(net.get_params())
    assert back.n_features_in_ == 4
    assert back.feature_names_in_.tolist() == net.feature_names_in_.tolist()
    assert back.encoded_names_.tolist() == net.encoded_names_.tolist()
    assert not back.model_.training
    assert_same(net, back)


@pytest.mark.parametrize("name", ["regressor", "members", "piecewise", "quantile", "several outputs", "classifier"])
@pytest.mark.parametrize("way", WAYS)
def test_partial_fit_continues_a_loaded_net_as_the_original(way, name, tmp_path):
    net, y = NETS[name]
    net = copy.deepcopy(net).fit(X, y)
    back = WAYS[way](net, tmp_path)
    before = net.predict(X)
    back.partial_fit(X, y)
    np.testing.assert_array_equal(net.predict(X), before)
    net.partial_fit(X, y)
    numbers = ["epoch", "train_loss", "learning_rate"]
    np.testing.assert_array_equal(back.predict(X), net.predict(X))
    pd.testing.assert_frame_equal(back.history_[numbers], net.history_[numbers])
    assert back.history_["epoch"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("way", WAYS)
def test_warm_start_continues_a_loaded_net(way, tmp_path):
    net = TabularRegressor(**NET, warm_start=True).fit(X, Y)
    back = WAYS[way](net, tmp_path)
    np.testing.assert_array_equal(back.fit(X, Y).predict(X), net.fit(X, Y).predict(X))


@pytest.mark.parametrize("way", WAYS)
def test_an_unfitted_net_round_trips_with_its_parameters(way, tmp_path):
    back = WAYS[way](TabularClassifier(**NET), tmp_path)
    assert back.get_params() == TabularClassifier(**NET).get_params()
    assert not hasattr(back, "model_")


def test_model_json_names_the_class_and_the_columns(fitted, tmp_path):
    saved = tabrec.save(fitted["classifier"], tmp_path / "net")
    state = json.loads((saved / "model.json").read_text())
    assert state["class"] == "tabular-classifier"
    assert state["schema"] == {"n_features": 4, "columns": ["state", "hours", "age", "sold"]}


def test_weights_are_in_a_safetensors_file(fitted, tmp_path):
    net = fitted["regressor"]
    saved = tabrec.save(net, tmp_path / "net")
    arrays = safetensors.numpy.load_file(saved / "arrays.safetensors")
    for weight in net.model_.state_dict().values():
        assert any(np.array_equal(array, weight.numpy()) for array in arrays.values())
    assert {file.suffix for file in saved.iterdir()} <= {"", ".json", ".safetensors", ".skops"}


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("optimizer", torch.optim.RMSprop),
        ("callbacks", [print]),
        ("metrics", [lambda true, predicted: 0.0]),
        ("trainer", Trainer),
    ],
)
def test_an_unsavable_parameter_raises_and_nothing_is_written(parameter, value, tmp_path):
    net = TabularRegressor(**NET | {parameter: value}).fit(X, Y)
    with pytest.raises(TypeError, match=rf"TabularRegressor\.{parameter}"):
        tabrec.save(net, tmp_path / "net")
    assert list(tmp_path.iterdir()) == []


def test_a_net_with_a_callable_optimizer_can_be_pickled(tmp_path):
    net = TabularRegressor(**NET | {"optimizer": torch.optim.RMSprop}).fit(X, Y)
    assert_same(net, WAYS["pickle"](net, tmp_path))
    assert_same(net, WAYS["deepcopy"](net, tmp_path))


@pytest.mark.parametrize("way", WAYS)
def test_an_encoder_round_trips(way, tmp_path):
    encoder = EmbeddingEncoder(TabularRegressor(**NET), cv=2).fit(X, Y)
    back = WAYS[way](encoder, tmp_path)
    pd.testing.assert_frame_equal(back.transform(X), encoder.transform(X))
    assert back.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()


FOREST = ForestRegressor(n_estimators=5, n_jobs=1, random_state=0)
COMPOSITIONS = {
    "encoder and forest": make_pipeline(EmbeddingEncoder(TabularRegressor(**NET), cv=2), FOREST),
    "steps and net": make_pipeline(Categorify(), FillMissing(), Normalize(), TabularRegressor(**NET)),
    "vote": VotingRegressor([("forest", FOREST), ("net", TabularRegressor(**NET))]),
}


@pytest.mark.parametrize("name", COMPOSITIONS)
@pytest.mark.parametrize("way", WAYS)
def test_compositions_round_trip(way, name, tmp_path):
    rows = X.drop(columns="sold")
    model = copy.deepcopy(COMPOSITIONS[name]).fit(rows, Y)
    np.testing.assert_array_equal(WAYS[way](model, tmp_path).predict(rows), model.predict(rows))


def test_a_deep_copy_shares_nothing(fitted):
    net = copy.deepcopy(fitted["regressor"])
    before = fitted["regressor"].predict(X)
    with torch.no_grad():
        for parameter in net.model_.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(fitted["regressor"].predict(X), before)
    np.testing.assert_allclose(net.predict(X), Y.mean())


def test_a_net_interrupted_in_its_first_epoch_round_trips(tmp_path):
    def interrupt(event, state):
        if event == "batch_end":
            raise KeyboardInterrupt

    net = TabularRegressor(**NET, callbacks=[interrupt])
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(X, Y)
    net.set_params(callbacks=())
    assert_same(net, reload(net, tmp_path))
