"""The caller's global settings change no prediction; every estimator is fitted and asked under each group of them."""

from __future__ import annotations

import functools
import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.ensemble import VotingRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from tabrec import (
    BayesianFactorization,
    BoostingClassifier,
    BoostingRegressor,
    DotProductBias,
    EmbeddingEncoder,
    EmbeddingNN,
    ForestClassifier,
    ForestRegressor,
    TabularClassifier,
    TabularPreprocessor,
    TabularRegressor,
    find_learning_rate,
    load,
    save,
)
from tabrec.neural import Trainer

FOREST = {"n_estimators": 4, "oob_score": False, "n_jobs": 1, "random_state": 0}
BOOSTING = {"max_iter": 4, "random_state": 0}
NET = {"layers": (8,), "n_members": 2, "epochs": 2, "dropout": 0.1, "random_state": 0}
REC = {"epochs": 2, "random_state": 0}


def _vote(output: str = "default") -> VotingRegressor:
    pipeline = make_pipeline(TabularPreprocessor("net").set_output(transform=output), TabularRegressor(**NET))
    return VotingRegressor([("forest", ForestRegressor(**FOREST)), ("net", pipeline)])


MODELS: dict[str, Any] = {
    "forest": lambda: ForestRegressor(**FOREST, high_cardinality=4),
    "forest of classes": lambda: ForestClassifier(**FOREST, high_cardinality=4),
    "boosting": lambda: BoostingRegressor(**BOOSTING),
    "boosting of classes": lambda: BoostingClassifier(**BOOSTING),
    "net": lambda: TabularRegressor(**NET, validation_fraction=0.2),
    "net of classes": lambda: TabularClassifier(**NET),
    "vote": _vote,
    "encoder before a forest": lambda: make_pipeline(
        EmbeddingEncoder(TabularRegressor(**NET), columns=["state"], cv=2), ForestRegressor(**FOREST)
    ),
    "dot product": lambda: DotProductBias(**REC),
    "rating net": lambda: EmbeddingNN(**REC, context=["age"], dropout=0.1),
    "factorization": lambda: BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, n_samples=4, random_state=0),
}
RECOMMENDERS = ("dot product", "rating net", "factorization")


def _rows() -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "user": generator.integers(0, 12, 80),
            "item": generator.choice(list("abcdefghij"), 80),
            "state": generator.choice(["Ohio", "Texas", "Utah"], 80),
            "age": np.where(generator.random(80) < 0.1, np.nan, generator.normal(40, 9, 80)),
            "sold": pd.Timestamp("2011-01-05") + pd.to_timedelta(generator.integers(0, 700, 80), "D"),
        }
    )
    return X.drop_duplicates(["user", "item"]), X.drop_duplicates(["user", "item"])["user"].to_numpy() % 5 + 1.0


def _fit_and_predict(name: str) -> np.ndarray:
    X, y = _rows()
    if name in RECOMMENDERS:
        X = X[["user", "item", "age"]] if name == "rating net" else X[["user", "item"]]
    y = np.where(y > 2, "high", "low") if "classes" in name else y
    model = MODELS[name]().fit(X, y)
    return getattr(model, "predict_proba", model.predict)(X)


_expected = functools.cache(_fit_and_predict)
every_model = pytest.mark.parametrize("name", MODELS)


@every_model
@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_predictions_are_independent_of_the_configuration_of_scikit_learn(name, output):
    expected = _expected(name)
    with sklearn.config_context(
        transform_output=output, enable_metadata_routing=True, assume_finite=True, skip_parameter_validation=True
    ):
        np.testing.assert_array_equal(_fit_and_predict(name), expected)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_set_output_of_a_step_does_not_change_predictions(output):
    X, y = _rows()
    np.testing.assert_array_equal(_vote(output).fit(X, y).predict(X), _expected("vote"))
    own = TabularPreprocessor("net").set_output(transform=output)
    own = TabularRegressor(**NET, validation_fraction=0.2, preprocessor=own).fit(X, y)
    np.testing.assert_array_equal(own.predict(X), _expected("net"))


def test_a_fitted_model_predicts_the_same_under_another_configuration():
    X, y = _rows()
    models = [ForestRegressor(**FOREST, high_cardinality=4).fit(X, y), _vote().fit(X, y)]
    with sklearn.config_context(transform_output="polars"):
        predicted = [model.predict(X) for model in models]
    for model, got in zip(models, predicted, strict=True):
        np.testing.assert_array_equal(got, model.predict(X))


@pytest.mark.parametrize("name", ["forest", "boosting", "net", "encoder before a forest", "rating net"])
def test_infinite_numbers_are_refused_by_name_under_assume_finite(name):
    X, y = _rows()
    X = X[["user", "item", "state", "age"]].assign(age=np.inf)
    with sklearn.config_context(assume_finite=True), pytest.raises(ValueError, match="'age' holds inf in row 0"):
        MODELS[name]().fit(X[["user", "item", "age"]] if name == "rating net" else X, y)


@pytest.mark.parametrize("name", ["forest", "boosting of classes", "net", "dot product", "factorization"])
def test_gaps_in_the_target_are_refused_under_assume_finite(name):
    X, y = _rows()
    X = X[["user", "item"]] if name in RECOMMENDERS else X
    with sklearn.config_context(assume_finite=True), pytest.raises(ValueError, match="(?i)nan|missing"):
        MODELS[name]().fit(X, np.where(np.arange(len(y)) == 3, np.nan, y))


# --- numpy, pandas and Python ----------------------------------------------------------------------------------------


@every_model
def test_predictions_are_independent_of_the_settings_of_numpy_pandas_and_warnings(name):
    expected = _expected(name)
    with (
        warnings.catch_warnings(action="ignore"),  # newer releases of pandas deprecate some options
        pd.option_context("future.infer_string", not pd.get_option("future.infer_string")),
        pd.option_context("mode.string_storage", "python", "mode.copy_on_write", True),
        warnings.catch_warnings(action="error"),
        np.errstate(all="raise"),
    ):
        filters = list(warnings.filters)
        np.testing.assert_array_equal(_fit_and_predict(name), expected)
        assert warnings.filters == filters


def test_a_search_in_threads_finds_the_same():
    X, y = _rows()
    searched = [(ForestRegressor(**FOREST), {"max_depth": [1, 3]}), (TabularRegressor(**NET), {"epochs": [1, 2]})]
    for model, grid in searched:
        alone = GridSearchCV(model, grid, cv=2).fit(X, y)
        with joblib.parallel_config("threading", n_jobs=2):
            search = GridSearchCV(model, grid, cv=2).fit(X, y)
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
        np.testing.assert_array_equal(search.predict(X), alone.predict(X))


# --- torch -----------------------------------------------------------------------------------------------------------


@contextmanager
def _torch_settings():
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.set_flush_denormal(True)
    try:
        with torch.device("meta"), torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
            yield
            assert torch.get_default_dtype() == torch.float64
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.is_inference_mode_enabled()
            assert torch.is_autocast_enabled("cpu")
            assert torch.get_default_device().type == "meta"
            assert (torch.tensor([1e-40], dtype=torch.float32, device="cpu") * 1.0 == 0).item()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)
        torch.set_flush_denormal(False)


class Noisy(Trainer):
    def train_step(self, batch):
        self.model.net.weight.data += 1e-3 * torch.randn_like(self.model.net.weight)
        return super().train_step(batch)


class Linear(nn.Module):
    def __init__(self, sizes, n_continuous, n_outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_continuous, n_outputs))

    def forward(self, codes, numbers):
        return nn.functional.dropout(numbers, 0.2, self.training) @ self.weight


NETS = {
    "net": MODELS["net"],
    "net of classes": MODELS["net of classes"],
    "a given module": lambda: TabularRegressor(module=Linear, trainer=Noisy, epochs=2, random_state=0),
    "encoder before a forest": MODELS["encoder before a forest"],
    "dot product": MODELS["dot product"],
    "rating net": MODELS["rating net"],
}
MODELS["a given module"] = NETS["a given module"]
every_net = pytest.mark.parametrize("name", NETS)


@every_net
def test_predictions_are_independent_of_the_settings_of_torch(name):
    expected = _expected(name)
    with _torch_settings():
        np.testing.assert_array_equal(_fit_and_predict(name), expected)


@pytest.mark.parametrize("name", [*NETS, "factorization"])
def test_models_fitted_in_threads_are_equal_and_leave_the_global_generators_alone(name):
    expected = _expected(name)
    before = torch.get_rng_state(), random.getstate(), pickle.dumps(np.random.mtrand._rand)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(_fit_and_predict, [name] * 4))
    for predicted in found:
        np.testing.assert_array_equal(predicted, expected)
    after = torch.get_rng_state(), random.getstate(), pickle.dumps(np.random.mtrand._rand)
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@every_net
def test_growing_folding_in_loading_and_searching_leave_the_generator_of_torch_alone(name, tmp_path):
    X, y = _rows()
    before = torch.get_rng_state()
    if name in RECOMMENDERS:
        X = X[["user", "item", "age"]] if name == "rating net" else X[["user", "item"]]
        model = MODELS[name]().fit(X, y)
        with torch.inference_mode():
            model.partial_fit(X.assign(user=99)[:5], y[:5])
    elif name.startswith("net"):
        y = np.where(y > 2, "high", "low") if "classes" in name else y
        model = MODELS[name]().fit(X, y)
        find_learning_rate(MODELS[name](), X, y, n_steps=10)
    else:
        model = None
    if model is not None:
        save(model, tmp_path / "model")
        with torch.inference_mode():
            loaded = load(tmp_path / "model")
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert torch.equal(torch.get_rng_state(), before)
