"""Errors of nets on real tables stay near the published figures, which `benchmarks/accuracy.py` measures over seeds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from tabrec import TabularClassifier, TabularRegressor

pytestmark = pytest.mark.long

ADULT = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
]  # fmt: skip

# The net of fastai's tabular_learner in chapter 9 of the book.
PLAIN = {
    "layers": (200, 100),
    "n_members": None,
    "numeric_embedding": None,
    "batch_norm": True,
    "dropout": 0.0,
    "max_embedding_size": None,
    "embedding_std": 0.01,
    "unknown_rate": 0.0,
    "epochs": 10,
    "learning_rate": 1e-2,
    "weight_decay": 0.05,
}


def read_bulldozers(data_dir):
    frame = pd.read_csv(data_dir / "bulldozers" / "Train.csv", low_memory=False, parse_dates=["saledate"])
    price, old = np.log(frame.pop("SalePrice")), frame["saledate"].dt.year < 2011
    return frame[old], price[old], frame[~old], price[~old]


def read_house(data_dir):
    frame = pd.read_csv(data_dir / "house-prices" / "train.csv").drop(columns="Id")
    price = np.log(frame.pop("SalePrice"))
    order = np.random.default_rng(0).permutation(len(frame))
    train, test = order[len(order) // 5 :], order[: len(order) // 5]
    return frame.iloc[train], price.iloc[train], frame.iloc[test], price.iloc[test]


def read_adult(data_dir):
    def read(*names):
        files = [data_dir / "adult" / name for name in names]
        frames = [pd.read_csv(file, names=ADULT, skipinitialspace=True, na_values="?") for file in files]
        frame = pd.concat(frames, ignore_index=True)
        return frame, frame.pop("income").str.startswith(">50K").astype(int)

    return *read("adult.data", "adult.val"), *read("adult.test")


def rmse(split, **params):
    X, y, X_test, y_test = split
    return np.sqrt(np.mean((TabularRegressor(random_state=0, **params).fit(X, y).predict(X_test) - y_test) ** 2))


def accuracy_and_log_loss(split, **params):
    X, y, X_test, y_test = split
    p = TabularClassifier(random_state=0, **params).fit(X, y).predict_proba(X_test)
    return (p.argmax(axis=1) == y_test).mean(), log_loss(y_test, p)


@pytest.mark.real_data("bulldozers/Train.csv")
def test_bulldozers_of_2011_predicted_from_earlier_ones(data_dir):
    split = read_bulldozers(data_dir)
    assert rmse(split) <= 0.288
    # fastai has 0.3248 in one run; ours from 0.318 to 0.330 over seeds and processors.
    assert rmse(split, **PLAIN, batch_size=64, y_range="auto") <= 1.02 * 0.3248


@pytest.mark.real_data("house-prices/train.csv")
def test_held_out_houses(data_dir):
    split = read_house(data_dir)
    assert rmse(split) <= 0.126
    assert rmse(split, **PLAIN, batch_size=64, y_range="auto") <= 0.1296  # fastai


@pytest.mark.real_data("adult/adult.data", "adult/adult.val", "adult/adult.test")
def test_adult_income(data_dir):
    X, y, X_test, y_test = split = read_adult(data_dir)
    # With a quarter of the rows the default net is better than that of fastai with all of them.
    quarter = np.random.default_rng(0).permutation(len(X))[: len(X) // 4]
    for net in (
        accuracy_and_log_loss((X.iloc[quarter], y.iloc[quarter], X_test, y_test)),
        accuracy_and_log_loss(split, **PLAIN, batch_size=512),
    ):
        accuracy, loss = net
        assert accuracy >= 0.8572  # fastai
        assert loss <= 0.3113  # fastai
