"""Errors of default estimators on real tables stay within the published figures, as means over three seeds."""

import numpy as np
import pandas as pd
import pytest

from tabrec import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor

ADULT = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race",
    "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
]  # fmt: skip


def read_adult(data_dir, *names):
    frame = pd.concat(
        [pd.read_csv(data_dir / "adult" / name, names=ADULT, skipinitialspace=True, na_values="?") for name in names],
        ignore_index=True,
    )
    return frame, frame.pop("income").str.startswith(">50K").astype(int)


def mean_of_seeds(score):
    return np.mean([score(seed) for seed in range(3)])


def rmse(model, X, y):
    return np.sqrt(np.mean((model.predict(X) - y) ** 2))


@pytest.mark.real_data("bulldozers/Train.csv")
@pytest.mark.parametrize(("regressor", "most"), [(ForestRegressor, 0.298), (BoostingRegressor, 0.286)])
def test_bulldozers_of_2011_from_those_before(data_dir, regressor, most):
    frame = pd.read_csv(data_dir / "bulldozers" / "Train.csv", low_memory=False)
    frame["saledate"] = pd.to_datetime(frame["saledate"])
    price, old = np.log(frame.pop("SalePrice")), frame["saledate"].dt.year < 2011

    def score(seed):
        return rmse(regressor(random_state=seed).fit(frame[old], price[old]), frame[~old], price[~old])

    assert mean_of_seeds(score) <= most


@pytest.mark.real_data("house-prices/train.csv")
@pytest.mark.parametrize(("regressor", "most"), [(ForestRegressor, 0.143), (BoostingRegressor, 0.128)])
def test_a_fifth_of_the_houses_from_the_others(data_dir, regressor, most):
    frame = pd.read_csv(data_dir / "house-prices" / "train.csv").drop(columns="Id")
    price = np.log(frame.pop("SalePrice"))
    order = np.random.default_rng(0).permutation(len(frame))
    train, test = order[len(order) // 5 :], order[: len(order) // 5]

    def score(seed):
        model = regressor(random_state=seed).fit(frame.iloc[train], price.iloc[train])
        return rmse(model, frame.iloc[test], price.iloc[test])

    assert mean_of_seeds(score) <= most


@pytest.mark.real_data("adult/adult.data", "adult/adult.val", "adult/adult.test")
@pytest.mark.parametrize(("classifier", "least"), [(ForestClassifier, 0.861), (BoostingClassifier, 0.872)])
def test_income_of_adults(data_dir, classifier, least):
    X, y = read_adult(data_dir, "adult.data", "adult.val")
    X_test, y_test = read_adult(data_dir, "adult.test")
    assert mean_of_seeds(lambda seed: classifier(random_state=seed).fit(X, y).score(X_test, y_test)) >= least
