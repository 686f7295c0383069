"""Effect of each default of the nets: errors on held-out training rows, with one parameter changed at a time.

    TABREC_DATA_DIR=/path/to/data python benchmarks/net_defaults.py [--seeds 2]

The held-out rows are the auctions of 2010, two folds of House Prices and a fifth of Adult; Friedman 1 and diabetes
come from scikit-learn. The test rows of `accuracy.py` are not used.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import describe_machine, markdown_table, note
from accuracy import Split, adult, bulldozers, house
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.model_selection import KFold

from tabrec import TabularClassifier, TabularPreprocessor, TabularRegressor

VARIANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "n_members=None": {"n_members": None},
    "n_members=16": {"n_members": 16},
    "numeric_embedding=None": {"numeric_embedding": None},
    'numeric_embedding="periodic"': {"numeric_embedding": "periodic"},
    'normalize="quantile"': {"preprocessor": TabularPreprocessor("net", normalize="quantile")},
    "embedding_std=0.01": {"embedding_std": 0.01},
    "batch_norm=True": {"batch_norm": True},
    "dropout=0": {"dropout": 0.0},
    "learning_rate=1e-3": {"learning_rate": 1e-3},
    "mixed_precision=False": {"mixed_precision": False},
}


def splits(folder: Path) -> Iterator[tuple[str, Split]]:
    """Yield the splits into training and held-out rows, by name."""
    X, y, *_ = bulldozers(folder)
    old = (X["saledate"] < "2010-01-01").to_numpy()
    yield "Bulldozers", Split(X[old], y[old], X[~old], y[~old])
    X, y, *_ = house(folder)
    for fold, (train, held_out) in enumerate(list(KFold(5, shuffle=True, random_state=1).split(X))[:2], start=1):
        yield f"House Prices, fold {fold}", Split(X.iloc[train], y.iloc[train], X.iloc[held_out], y.iloc[held_out])
    X, y, *_ = adult(folder)
    yield "Adult, log-loss", _cut(X, y, len(X) // 5)
    X, y = make_friedman1(3000, noise=1.0, random_state=0)
    yield "Friedman 1", _cut(pd.DataFrame(X).rename(columns=str), pd.Series(y), 1000)
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    yield "diabetes", _cut(X, y, 110)


def _cut(X: pd.DataFrame, y: pd.Series, n_held_out: int) -> Split:
    order = np.random.default_rng(0).permutation(len(X))
    held_out, train = order[:n_held_out], order[n_held_out:]
    return Split(X.iloc[train], y.iloc[train], X.iloc[held_out], y.iloc[held_out])


def error(name: str, split: Split, params: dict[str, Any], seed: int) -> float:
    """Return the log-loss or the root mean squared error on the held-out rows."""
    if "log-loss" in name:
        net = TabularClassifier(random_state=seed, **params).fit(split.X_train, split.y_train)
        return log_loss(split.y_test, net.predict_proba(split.X_test))
    net = TabularRegressor(random_state=seed, **params).fit(split.X_train, split.y_train)
    return root_mean_squared_error(split.y_test, net.predict(split.X_test))


def main() -> None:
    """Fit all variants to all tables and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    n_seeds = parser.parse_args().seeds
    folder = os.environ.get("TABREC_DATA_DIR")
    if not folder:
        parser.error("TABREC_DATA_DIR must name the folder with the tables; see accuracy.py.")
    tables = dict(splits(Path(folder)))
    rows = []
    for variant, params in VARIANTS.items():
        start = time.perf_counter()
        errors = [
            np.mean([error(name, split, params, seed) for seed in range(n_seeds)]) for name, split in tables.items()
        ]
        rows.append([variant, *(f"{value:.4g}" for value in errors)])
        note(f"{rows[-1]} in {time.perf_counter() - start:.0f} s")
    print(describe_machine(versions={name: version(name) for name in ("tabrec", "torch", "scikit-learn")}), end="\n\n")
    print(f"Mean of {n_seeds} seeds\n")
    print(markdown_table(["", *tables], rows))


if __name__ == "__main__":
    main()
