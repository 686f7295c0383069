"""Quality of the first ten recommendations on MovieLens 100k, for every recommender.

    TABREC_DATA_DIR=/path/to/data python benchmarks/ranking.py [--only EASE] [--splits 1 2 3 4 5]
        [--implicit-python /path/to/env/bin/python]

The protocol is that of Microsoft's recommenders repository: a quarter of the ratings of each item is the test set,
every test item is relevant, and items of the training set are not recommended. Split 0 is the one on which defaults
were chosen, those of implicit's models too; it is not reported. The table has the mean and the standard deviation over
the splits. A second table has
one split in time, the latest fifth of all ratings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _timing import describe_machine, markdown_table, note

from tabrec import (
    BPR,
    EASE,
    BayesianFactorization,
    BlendedRecommender,
    DotProductBias,
    EmbeddingNN,
    ImplicitALS,
    ItemKNN,
    Popular,
    TwoStageRecommender,
)
from tabrec.collab import rank_metrics
from tabrec.datasets import load_movielens

MODELS: dict[str, Any] = {
    "Popular": Popular(),
    "EASE": EASE(),
    "EASE, ratings ignored": EASE(rating_weight=0.0),
    "ItemKNN": ItemKNN(),
    "ImplicitALS": ImplicitALS(random_state=0),
    "BPR": BPR(random_state=0),
    "BlendedRecommender": BlendedRecommender(random_state=0),
    "TwoStageRecommender": TwoStageRecommender(random_state=0),
    "BayesianFactorization": BayesianFactorization(n_sweeps=100, random_state=0),
    "DotProductBias": DotProductBias(random_state=0),
    "EmbeddingNN": EmbeddingNN(random_state=0),
    "DotProductBias, to rank": DotProductBias(objective="ranking", random_state=0),
    "EmbeddingNN, to rank": EmbeddingNN(objective="ranking", random_state=0),
}
METRICS = ["ndcg", "precision", "recall", "map"]


def main() -> None:
    """Measure the models and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", help="models whose names contain one of these texts")
    parser.add_argument("--splits", type=int, nargs="+", default=[1, 2, 3, 4, 5], help="seeds of the random splits")
    parser.add_argument("--implicit-python", help="interpreter of an environment with implicit")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("TABREC_DATA_DIR", ".")) / "ml-100k"
    ratings = load_movielens("100k", folder).ratings
    models = {n: m for n, m in MODELS.items() if not arguments.only or any(text in n for text in arguments.only)}
    print(describe_machine(tabrec={name: version(name) for name in ("tabrec", "numpy", "scipy", "torch")}), "\n")
    splits = [split_by_item(ratings, seed) for seed in arguments.splits]
    print(f"MovieLens 100k, a quarter of each item's ratings as test, {len(splits)} splits\n")
    print(report(models, splits))
    if arguments.implicit_python:
        print(report_implicit(arguments.implicit_python, [split_by_item(ratings, 0), *splits]))
    print()
    print("MovieLens 100k, the latest fifth of the ratings as test, users and items of the training set\n")
    print(report(models, [split_by_time(ratings)]))


def split_by_item(ratings: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A quarter of the ratings of each item, rounded, is the test set."""
    rng = np.random.default_rng(seed)
    keys = pd.Series(rng.random(len(ratings)), index=ratings.index)
    groups = keys.groupby(ratings["item"])
    is_test = groups.rank() <= (0.25 * groups.transform("size")).round()
    return ratings[~is_test], ratings[is_test]


def split_by_time(ratings: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The latest fifth of the ratings is the test set, of which ids without earlier ratings are left out."""
    is_test = ratings["timestamp"] >= ratings["timestamp"].quantile(0.8)
    train, test = ratings[~is_test], ratings[is_test]
    return train, test[test["user"].isin(train["user"]) & test["item"].isin(train["item"])]


def report(models: dict[str, Any], splits: list[tuple[pd.DataFrame, pd.DataFrame]]) -> str:
    """A table of all models over the splits."""
    rows = []
    for name, model in models.items():
        found = pd.DataFrame([measure(model, train, test) for train, test in splits])
        note(f"{name}: NDCG {found['ndcg'].mean():.4f}")
        rows.append(describe(name, found))
    return markdown_table(["model", *METRICS, "fit, s", "recommend, s"], rows)


def describe(name: str, found: pd.DataFrame) -> list[str]:
    """A row of the table."""
    cells = [f"{found[m].mean():.4f} ± {found[m].std(ddof=0):.4f}" for m in METRICS]
    return [name, *cells, f"{found['fit'].median():.1f}", f"{found['recommend'].median():.1f}"]


def report_implicit(python: str, splits: list[tuple[pd.DataFrame, pd.DataFrame]]) -> str:
    """Rows of implicit's models, tuned on the first split, over the others."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (train, test) in enumerate(splits):
            for part, name in ((train, "train"), (test, "test")):
                part[["user", "item"]].to_csv(Path(folder) / f"{name}-{number}.csv", index=False)
        worker = Path(__file__).with_name("_worker_ranking_implicit.py")
        subprocess.run([python, str(worker), folder], check=True, env={**os.environ, "PYTHONPATH": ""})
        rows = []
        for name, told in json.loads((Path(folder) / "settings.json").read_text()).items():
            metrics = [
                dict(rank_metrics(pd.read_csv(Path(folder) / f"{name}-{number}.csv"), test[["user", "item"]])) | seconds
                for number, ((_, test), seconds) in enumerate(zip(splits[1:], told["seconds"], strict=True), start=1)
            ]
            note(f"{name}: {told['setting']}")
            rows.append(describe(name, pd.DataFrame(metrics)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def measure(model: Any, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """Metrics of the first ten, and seconds, of a model fitted to the training ratings."""
    started = time.perf_counter()
    model.fit(train[["user", "item"]], train["rating"])
    fitted = time.perf_counter()
    recommended = model.recommend(np.unique(test["user"]), 10)
    seconds = {"fit": fitted - started, "recommend": time.perf_counter() - fitted}
    return dict(rank_metrics(recommended, test[["user", "item"]])) | seconds


if __name__ == "__main__":
    main()
