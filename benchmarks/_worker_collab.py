"""Tasks of `collab.py` that run tabrec: ``_worker_collab.py TASK FOLDER FOLD [NAME SEED]``, one task per process.

``setup.json`` in the folder describes the models: `ours` maps each name to the class, its parameters and whether it
uses the features of users and films.

write     : write the ratings of the fold to ``uFOLD-train.csv`` and ``uFOLD-test.csv`` for the other workers.
biases    : fit the bias baseline of `evaluate`.
recommend : fit the named model.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _timing import Stopwatch

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab.bias_baseline import fit_biases
from tabrec.collab.interactions import sort_interactions
from tabrec.datasets import load_movielens, load_movielens_fold

IDS = ["user", "item"]
CLASSES = {cls.__name__: cls for cls in (BayesianFactorization, DotProductBias, EmbeddingNN)}
# A normal distribution has 90 % of its values within this many standard deviations of the mean.
_HALF_WIDTH = 1.645


def write(watch: Stopwatch, folder: Path, fold: int) -> None:
    """Write the fold, for the workers of other packages."""
    for part, ratings in zip(("train", "test"), load_movielens_fold(fold), strict=True):
        ratings[[*IDS, "rating"]].to_csv(folder / f"u{fold}-{part}.csv", index=False)


def biases(watch: Stopwatch, folder: Path, fold: int, name: str, seed: str) -> None:
    """Fit the biases, which need no seed."""
    train, test = load_movielens_fold(fold)
    cpu = time.process_time()
    with watch.stage("fit"):
        known = [pd.Index(np.unique(train[column])) for column in IDS]
        codes = [ids.get_indexer(train[column]) + 1 for ids, column in zip(known, IDS, strict=True)]
        ratings, _ = sort_interactions(*codes, train["rating"].to_numpy(), None)
        found = fit_biases(ratings, *(len(ids) + 1 for ids in known))
    watch.values["cpu"] = time.process_time() - cpu
    codes = [ids.get_indexer(test[column]) + 1 for ids, column in zip(known, IDS, strict=True)]
    predicted = np.clip(found.predict(*codes), ratings.values.min(), ratings.values.max())
    watch.values["rmse"] = _rmse(test, predicted)


def recommend(watch: Stopwatch, folder: Path, fold: int, name: str, seed: str) -> None:
    """Fit a recommender and predict all test ratings, including those of unknown ids."""
    settings = json.loads((folder / "setup.json").read_text())["ours"][name]
    parameters: dict[str, Any] = settings["parameters"]
    train, test = load_movielens_fold(fold)
    if settings["features"]:
        _, users, items = load_movielens("100k")
        parameters |= {"user_features": users, "item_features": items.drop(columns="title")}
    if settings["class"] != "BayesianFactorization":
        parameters |= {"device": "cpu"}
    model = CLASSES[settings["class"]](random_state=int(seed), **parameters)
    cpu = time.process_time()
    with watch.stage("fit"):
        model.fit(train[IDS], train["rating"])
    watch.values["cpu"] = time.process_time() - cpu
    with watch.stage("predict"):
        predicted = model.predict(test[IDS])
    watch.values["rmse"] = _rmse(test, predicted)
    if isinstance(model, BayesianFactorization):
        predicted, std = model.predict(test[IDS], return_std=True)
        watch.values["coverage"] = float((np.abs(test["rating"] - predicted) <= _HALF_WIDTH * std).mean())


def _rmse(test: pd.DataFrame, predicted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((predicted - test["rating"]) ** 2)))


if __name__ == "__main__":
    stopwatch = Stopwatch()
    task, where, number, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., None]] = {"write": write, "biases": biases, "recommend": recommend}
    tasks[task](stopwatch, Path(where), int(number), *arguments)
    stopwatch.values["threads"] = torch.get_num_threads()
    stopwatch.report("tabrec", "torch", "pandas", "numpy", "scipy")
