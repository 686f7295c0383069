"""Effect of changes to default parameters of nets, forests, boosting and ensembles, over rows held out of many tables.

    TABREC_DATA_DIR=/path/to/data python benchmarks/defaults.py forest [--tables german,letter] [--seeds 2]

The tables are the *training* rows of `suite.py`, and tables of scikit-learn, real and made. Of each, a fifth is held
out (at most 4,000 rows), and at most ``--rows`` (3,000) of the others are fitted. The report has, for each change, the
geometric mean over tables and seeds of its error divided by that of the defaults, each ratio kept within 0.5 and 2.
"""

from __future__ import annotations

import argparse
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import suite
from _timing import describe_machine, markdown_table, note
from sklearn import datasets
from sklearn.metrics import log_loss, root_mean_squared_error

from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    EnsembleClassifier,
    EnsembleRegressor,
    ForestClassifier,
    ForestRegressor,
    TabularClassifier,
    TabularRegressor,
)

MODELS: dict[str, tuple[Any, Any]] = {
    "net": (TabularRegressor, TabularClassifier),
    "forest": (ForestRegressor, ForestClassifier),
    "boosting": (BoostingRegressor, BoostingClassifier),
    "ensemble": (EnsembleRegressor, EnsembleClassifier),
}
CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "net": {
        "one net, a number of epochs by its rows": {"n_nets": 1},
        "`n_members=2`": {"n_members": 2},
        "`n_nets=6`": {"n_nets": 6},
        "`learning_rate=3e-3`": {"learning_rate": 3e-3},
        "`weight_decay=0.1`": {"weight_decay": 0.1},
        "`dropout=0.25`": {"dropout": 0.25},
        "`layers=(256, 256, 256)`": {"layers": (256, 256, 256)},
        "`numeric_embedding=None`": {"numeric_embedding": None},
    },
    "forest": {
        "`min_samples_leaf=1`": {"min_samples_leaf": 1},
        "`min_samples_leaf=5`": {"min_samples_leaf": 5},
        '`max_features="sqrt"`': {"max_features": "sqrt"},
        "`max_features=0.3`": {"max_features": 0.3},
        "`max_features=0.5`": {"max_features": 0.5},
        '`min_samples_leaf=5, max_features="sqrt"`': {"min_samples_leaf": 5, "max_features": "sqrt"},
    },
    "boosting": {
        "`max_iter=300`": {"max_iter": 300},
        "`max_iter=1000`": {"max_iter": 1000},
        "`l2_regularization=0`": {"l2_regularization": 0.0},
        "`l2_regularization=5`": {"l2_regularization": 5.0},
        "`max_features=1.0`": {"max_features": 1.0},
        "`max_leaf_nodes=8`": {"max_leaf_nodes": 8},
        "`max_leaf_nodes=31`": {"max_leaf_nodes": 31},
    },
    "ensemble": {
        "without extra trees": {"estimators": ["forest", "boosting", "net", "linear"]},
        "without a linear model": {"estimators": ["forest", "extra_trees", "boosting", "net"]},
        "without both": {"estimators": ["forest", "boosting", "net"]},
        '`method="nnls"`': {"method": "nnls"},
    },
}
_MOST_HELD_OUT = 4000
Table = tuple[bool, pd.DataFrame, pd.Series]  # whether the target is a class, the rows and the target


def _real(name: str, folder: Path) -> Table:
    split = suite.TABLES[name](folder)
    return suite.TABLES[name] in suite.CLASSIFICATIONS, split.X_train, split.y_train


def _made(of_classes: bool, arrays: tuple[np.ndarray, np.ndarray]) -> Table:
    X, y = arrays
    return of_classes, pd.DataFrame(X).add_prefix("x"), pd.Series(y)


def tables(folder: Path) -> dict[str, Any]:
    """Return functions without arguments that make the tables, by name."""
    clusters = {"n_informative": 6, "n_redundant": 2, "n_classes": 3, "n_clusters_per_class": 3, "flip_y": 0.05}
    return {name: lambda name=name: _real(name, folder) for name in suite.TABLES} | {
        "diabetes": lambda: _made(False, datasets.load_diabetes(return_X_y=True)),
        "breast cancer": lambda: _made(True, datasets.load_breast_cancer(return_X_y=True)),
        "digits": lambda: _made(True, datasets.load_digits(return_X_y=True)),
        "Friedman 1": lambda: _made(False, datasets.make_friedman1(3000, n_features=12, noise=2.0, random_state=1)),
        "linear": lambda: _made(False, datasets.make_regression(800, 30, n_informative=10, noise=80, random_state=2)),
        "clusters": lambda: _made(True, datasets.make_classification(5000, 20, random_state=3, **clusters)),
    }


def split_rows(X: pd.DataFrame, y: pd.Series, n_rows: int, seed: int) -> suite.Split:
    """Hold out a fifth of the rows, and keep at most `n_rows` of the others."""
    order = np.random.default_rng(1000 + seed).permutation(len(X))
    n_held_out = min(len(X) // 5, _MOST_HELD_OUT)
    held_out, train = order[:n_held_out], order[n_held_out:][:n_rows]
    return suite.Split(*(part.iloc[rows].reset_index(drop=True) for rows in (train, held_out) for part in (X, y)))


def error(model: Any, split: suite.Split) -> float:
    """Return the log-loss of classes or the root mean squared error on the held-out rows."""
    model.fit(split.X_train, split.y_train)
    if hasattr(model, "predict_proba"):
        return log_loss(split.y_test, model.predict_proba(split.X_test), labels=model.classes_)
    return root_mean_squared_error(split.y_test, model.predict(split.X_test))


def measure(kind: str, names: list[str], made: dict[str, Any], n_seeds: int, n_rows: int) -> pd.DataFrame:
    """Return the error of each change divided by that of the defaults: one row per table and seed."""
    found = []
    for name in names:
        of_classes, X, y = made[name]()
        for seed in range(n_seeds):
            split = split_rows(X, y, n_rows, seed)
            model = MODELS[kind][of_classes]
            base = error(model(random_state=seed), split)
            ratios = {
                change: error(model(random_state=seed, **params), split) / base
                for change, params in CHANGES[kind].items()
            }
            found.append({"table": name, "classes": of_classes, "seed": seed} | ratios)
            note(
                f"{name}, seed {seed}: {base:.4g}; " + ", ".join(f"{key} {value:.3f}" for key, value in ratios.items())
            )
    return pd.DataFrame(found)


def summarise(ratios: pd.Series) -> str:
    """Geometric mean of ratios, each kept within 0.5 and 2, with its standard error."""
    logs = np.log(ratios.clip(0.5, 2))
    error = f" ± {logs.std() / np.sqrt(len(logs)):.3f}" if len(logs) > 1 else ""
    return f"{np.exp(logs.mean()):.3f}{error}" if len(logs) else ""


def main() -> None:
    """Measure the changes to the defaults of one kind of model, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--tables")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rows", type=int, default=3000)
    options = parser.parse_args()
    folder = os.environ.get("TABREC_DATA_DIR")
    if not folder:
        parser.error("TABREC_DATA_DIR must name the folder with the tables; see accuracy.py.")
    made = tables(Path(folder))
    names = options.tables.split(",") if options.tables else list(made)
    found = measure(options.model, names, made, options.seeds, options.rows)
    rows = [
        [change, summarise(found.loc[~found["classes"], change]), summarise(found.loc[found["classes"], change])]
        for change in CHANGES[options.model]
    ]
    print(describe_machine(versions={name: version(name) for name in ("tabrec", "torch", "scikit-learn")}), end="\n\n")
    print(markdown_table(["", "regressions", "classifications"], rows))


if __name__ == "__main__":
    main()
