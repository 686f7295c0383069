"""Effect of the embeddings of a net on other models: forest, boosting and nearest neighbours.

    TABREC_DATA_DIR=/path/to/data python benchmarks/embeddings.py

As in table 2 of C. Guo, F. Berkhahn, "Entity embeddings of categorical variables", 2016, but on the auctions of
``bulldozers/Train.csv``: log price, trained on the sales before 2011, tested on 2011, mean of seeds 0, 1 and 2.
Category columns are encoded as codes (`TabularPreprocessor`, with normalised numbers) or as the vectors of
`EmbeddingEncoder`, with and without out-of-fold vectors of the training rows.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import describe_machine, markdown_table, note
from accuracy import bulldozers
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tabrec import EmbeddingEncoder, TabularPreprocessor, TabularRegressor

SEEDS = (0, 1, 2)
MODELS: dict[str, Callable[[int], Any]] = {
    "random forest": lambda seed: RandomForestRegressor(
        max_features=0.5, min_samples_leaf=3, n_jobs=-1, random_state=seed
    ),
    "histogram boosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    "10 nearest neighbours": lambda seed: KNeighborsRegressor(10, weights="distance", n_jobs=-1),
}


def to_numbers(encoded: pd.DataFrame) -> np.ndarray:
    """Return an encoded frame as numbers, with codes for categories."""
    return encoded.apply(lambda column: column.cat.codes if column.dtype == "category" else column).to_numpy(np.float32)


def inputs(seed: int, split: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the training and test inputs of the models by encoding."""
    codes = make_pipeline(TabularPreprocessor("net"), FunctionTransformer(to_numbers))
    found = {"codes": (codes.fit_transform(split.X_train), codes.transform(split.X_test))}
    for name, folds in (("embeddings", 5), ("embeddings, not out of fold", None)):
        start = time.perf_counter()
        encoder = EmbeddingEncoder(TabularRegressor(random_state=seed), cv=folds)
        train = encoder.fit_transform(split.X_train, split.y_train)
        found[name] = train.to_numpy(np.float32), encoder.transform(split.X_test).to_numpy(np.float32)
        note(f"seed {seed}, {name}: {train.shape[1]} columns in {time.perf_counter() - start:.0f} s")
    return found


def main() -> None:
    """Fit all models to all inputs and print the table."""
    folder = os.environ.get("TABREC_DATA_DIR")
    if not folder:
        sys.exit("TABREC_DATA_DIR must name the folder with bulldozers/Train.csv.")
    split = bulldozers(Path(folder))
    errors: dict[tuple[str, str], list[float]] = {}
    for seed in SEEDS:
        for kind, (X_train, X_test) in inputs(seed, split).items():
            for name, make in MODELS.items():
                predicted = make(seed).fit(X_train, split.y_train).predict(X_test)
                errors.setdefault((name, kind), []).append(root_mean_squared_error(split.y_test, predicted))
    kinds = list(dict.fromkeys(kind for _, kind in errors))
    rows = [[name, *(f"{np.mean(errors[name, kind]):.4f}" for kind in kinds)] for name in MODELS]
    packages = ("tabrec", "scikit-learn", "pandas", "torch")
    print(describe_machine(versions={package: version(package) for package in packages}), end="\n\n")
    print(f"RMSE of the log price, mean of seeds {', '.join(map(str, SEEDS))}\n")
    print(markdown_table(["model", *kinds], rows))


if __name__ == "__main__":
    main()
