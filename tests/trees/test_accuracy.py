"""Errors of default estimators on real tables stay near the figures of `benchmarks/accuracy.py`.

Those of the bulldozers are in `tests/cli/test_main_job.py`.
"""

import numpy as np
import pandas as pd
import pytest

from tabrec import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor

pytestmark = pytest.mark.long

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


@pytest.mark.real_data("house-prices/train.csv")
@pytest.mark.parametrize(("regressor", "most"), [(ForestRegressor, 0.143), (BoostingRegressor, 0.128)])
def test_a_fifth_of_the_houses_from_the_others(data_dir, regressor, most):
    frame = pd.read_csv(data_dir / "house-prices" / "train.csv").drop(columns="Id")
    price = np.log(frame.pop("SalePrice"))
    order = np.random.default_rng(0).permutation(len(frame))
    train, test = order[len(order) // 5 :], order[: len(order) // 5]
    predicted = regressor(random_state=0).fit(frame.iloc[train], price.iloc[train]).predict(frame.iloc[test])
    assert np.sqrt(np.mean((predicted - price.iloc[test]) ** 2)) <= most


@pytest.mark.real_data("adult/adult.data", "adult/adult.val", "adult/adult.test")
@pytest.mark.parametrize(("classifier", "least"), [(ForestClassifier, 0.861), (BoostingClassifier, 0.872)])
def test_income_of_adults(data_dir, classifier, least):
    X, y = read_adult(data_dir, "adult.data", "adult.val")
    X_test, y_test = read_adult(data_dir, "adult.test")
    assert classifier(random_state=0).fit(X, y).score(X_test, y_test) >= least
