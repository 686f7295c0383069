"""Errors of nets on real tables stay within the published figures, as means over three seeds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from tabrec import TabularClassifier, TabularRegressor

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


def mean_rmse(split, n_seeds=3, **params):
    X, y, X_test, y_test = split
    predicted = [TabularRegressor(random_state=seed, **params).fit(X, y).predict(X_test) for seed in range(n_seeds)]
    return np.mean([np.sqrt(np.mean((p - y_test) ** 2)) for p in predicted])


def accuracy_and_log_loss(split, **params):
    X, y, X_test, y_test = split
    p = TabularClassifier(random_state=0, **params).fit(X, y).predict_proba(X_test)
    return (p.argmax(axis=1) == y_test).mean(), log_loss(y_test, p)


@pytest.mark.real_data("bulldozers/Train.csv")
def test_bulldozers_of_2011_predicted_from_earlier_ones(data_dir):
    split = read_bulldozers(data_dir)
    assert mean_rmse(split) <= 0.288  # published: 0.2817 as the mean of these seeds
    # One seed shows that the plain net reaches fastai's error, not by how much its mean is better.
    assert mean_rmse(split, n_seeds=1, **PLAIN, batch_size=64, y_range="auto") <= 0.3248  # fastai


@pytest.mark.real_data("house-prices/train.csv")
def test_held_out_houses(data_dir):
    split = read_house(data_dir)
    assert mean_rmse(split) <= 0.126
    assert mean_rmse(split, **PLAIN, batch_size=64, y_range="auto") <= 0.1296  # fastai


@pytest.mark.real_data("adult/adult.data", "adult/adult.val", "adult/adult.test")
def test_adult_income(data_dir):
    split = read_adult(data_dir)
    accuracy, loss = accuracy_and_log_loss(split)
    assert accuracy >= 0.872
    assert loss <= 0.280
    accuracy, loss = accuracy_and_log_loss(split, **PLAIN, batch_size=512)
    assert accuracy >= 0.8572  # fastai
    assert loss <= 0.3113  # fastai
