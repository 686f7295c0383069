"""Errors of default models on three real tables, compared with scikit-learn's forests and boosting on ordinal codes.

    TABREC_DATA_DIR=/path/to/data python benchmarks/accuracy.py [--only house]

The folder holds tables that anyone may download but nobody may redistribute:

- ``bulldozers/Train.csv``: the first 10,000 rows of Kaggle's Blue Book for Bulldozers;
- ``house-prices/train.csv``: Kaggle's House Prices;
- ``adult/adult.data``, ``adult.val``, ``adult.test``: UCI Adult without header, its training file split in two.

Every model is fitted with seeds 0, 1 and 2; the report has the mean and standard deviation of each metric.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from _timing import describe_machine, markdown_table, note
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    ForestClassifier,
    ForestRegressor,
    TabularClassifier,
    TabularRegressor,
)

SEEDS = (0, 1, 2)
_ADULT_HEADER = """
age workclass fnlwgt education education-num marital-status occupation relationship race sex
capital-gain capital-loss hours-per-week native-country income
"""
ADULT_COLUMNS = _ADULT_HEADER.split()


class Split(NamedTuple):
    """Raw frames and targets of the training and test rows."""

    X_train: pd.DataFrame
    y_train: pd.Series
    X_test: pd.DataFrame
    y_test: pd.Series


def bulldozers(folder: Path) -> Split:
    """Return the auctions with log prices: years before 2011 for training, 2011 for testing."""
    sales = pd.read_csv(folder / "bulldozers" / "Train.csv", low_memory=False)
    sales["saledate"] = pd.to_datetime(sales["saledate"])
    log_price = np.log(sales.pop("SalePrice"))
    is_train = (sales["saledate"].dt.year < 2011).to_numpy()
    return Split(sales[is_train], log_price[is_train], sales[~is_train], log_price[~is_train])


def house(folder: Path) -> Split:
    """Return the houses with log prices: a random fifth for testing."""
    houses = pd.read_csv(folder / "house-prices" / "train.csv").drop(columns="Id")
    log_price = np.log(houses.pop("SalePrice"))
    order = np.random.default_rng(0).permutation(len(houses))
    test, train = np.split(order, [len(houses) // 5])
    return Split(houses.iloc[train], log_price.iloc[train], houses.iloc[test], log_price.iloc[test])


def adult(folder: Path) -> Split:
    """Return the census with incomes above 50K as target: the official test file for testing."""
    train = pd.concat([_read_adult(folder, "adult.data"), _read_adult(folder, "adult.val")], ignore_index=True)
    test = _read_adult(folder, "adult.test")
    y_train, y_test = (frame.pop("income").str.startswith(">50K").astype(int) for frame in (train, test))
    return Split(train, y_train, test, y_test)


def _read_adult(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "adult" / name, names=ADULT_COLUMNS, skipinitialspace=True, na_values="?")


TABLES: dict[str, Callable[[Path], Split]] = {"bulldozers": bulldozers, "house": house, "adult": adult}


def on_ordinal_codes(model: Any) -> Any:
    """Return a pipeline of the model on ordinal codes, NaN where missing or unseen; dates are seconds."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    seconds = FunctionTransformer(lambda dates: dates.apply(lambda date: date.astype("datetime64[s]").astype("int64")))
    columns = make_column_transformer(
        (seconds, make_column_selector(dtype_include="datetime")),
        ("passthrough", make_column_selector(dtype_include="number")),
        remainder=codes,
    )
    return make_pipeline(columns, model)


REGRESSORS: dict[str, Callable[[int], Any]] = {
    "tabrec ForestRegressor": lambda seed: ForestRegressor(random_state=seed),
    "scikit-learn forest, half the columns, leaf 3": lambda seed: on_ordinal_codes(
        RandomForestRegressor(max_features=0.5, min_samples_leaf=3, n_jobs=-1, random_state=seed)
    ),
    "tabrec BoostingRegressor": lambda seed: BoostingRegressor(random_state=seed),
    "scikit-learn histogram boosting": lambda seed: on_ordinal_codes(HistGradientBoostingRegressor(random_state=seed)),
    "tabrec TabularRegressor": lambda seed: TabularRegressor(random_state=seed),
    "tabrec, mean of forest and net": lambda seed: VotingRegressor(
        [("forest", ForestRegressor(random_state=seed)), ("net", TabularRegressor(random_state=seed))]
    ),
    "tabrec, mean of boosting and net": lambda seed: VotingRegressor(
        [("boosting", BoostingRegressor(random_state=seed)), ("net", TabularRegressor(random_state=seed))]
    ),
}
CLASSIFIERS: dict[str, Callable[[int], Any]] = {
    "tabrec ForestClassifier": lambda seed: ForestClassifier(random_state=seed),
    "scikit-learn forest, half the columns, leaf 3": lambda seed: on_ordinal_codes(
        RandomForestClassifier(max_features=0.5, min_samples_leaf=3, n_jobs=-1, random_state=seed)
    ),
    "tabrec BoostingClassifier": lambda seed: BoostingClassifier(random_state=seed),
    "scikit-learn histogram boosting": lambda seed: on_ordinal_codes(HistGradientBoostingClassifier(random_state=seed)),
    "tabrec TabularClassifier": lambda seed: TabularClassifier(random_state=seed),
}


def measure(model: Any, split: Split, is_classification: bool) -> dict[str, float]:
    """Fit the model and return its metrics on the test rows and the fit seconds."""
    start = time.perf_counter()
    model.fit(split.X_train, split.y_train)
    fit_seconds = time.perf_counter() - start
    if is_classification:
        probabilities = model.predict_proba(split.X_test)
        metrics = {
            "accuracy": accuracy_score(split.y_test, model.predict(split.X_test)),
            "log-loss": log_loss(split.y_test, probabilities),
        }
    else:
        metrics = {"RMSE of the log price": root_mean_squared_error(split.y_test, model.predict(split.X_test))}
    return metrics | {"fit, s": fit_seconds}


def table_of(name: str, split: Split) -> str:
    """Return a markdown table of all models on one split."""
    is_classification = name == "adult"
    rows = []
    for model_name, make in (CLASSIFIERS if is_classification else REGRESSORS).items():
        results = pd.DataFrame([measure(make(seed), split, is_classification) for seed in SEEDS])
        note(f"{name}, {model_name}: {results.mean().round(4).to_dict()}")
        seconds = results.pop("fit, s").median()
        spreads = [f"{results[metric].mean():.4f} ± {results[metric].std():.4f}" for metric in results]
        rows.append([model_name, *spreads, f"{seconds:.1f}"])
    return markdown_table(["model", *results.columns, "median fit, s"], rows)


def main() -> None:
    """Fit all models to all tables and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    only = parser.parse_args().only
    folder = os.environ.get("TABREC_DATA_DIR")
    if not folder:
        parser.error("TABREC_DATA_DIR must name the folder with the tables; see --help.")
    packages = ("tabrec", "scikit-learn", "pandas", "numpy")
    print(describe_machine(versions={package: version(package) for package in packages}))
    for name in [only] if only else TABLES:
        split = TABLES[name](Path(folder))
        print(f"\n{name}: {len(split.X_train):,} training rows, {len(split.X_test):,} test rows; ", end="")
        print(f"mean ± standard deviation of seeds {', '.join(map(str, SEEDS))}\n")
        print(table_of(name, split))


if __name__ == "__main__":
    main()
