"""Quality of the first ten recommendations on MovieLens 100k, for every recommender.

    TABREC_DATA_DIR=/path/to/data python benchmarks/ranking.py [--only EASE] [--splits 1 2 3 4 5]
        [--peers-python /path/to/env/bin/python]

The protocol is that of Microsoft's recommenders repository: a quarter of the ratings of each item is the test set,
every test item is relevant, and items of the training set are not recommended. Split 0 is the one on which defaults
were chosen, and the settings of other packages are; it is not reported. The table has the mean and the standard
deviation over the splits. Further tables have one split in time, the latest fifth of all ratings, of MovieLens 100k and
of MovieLens latest-small, with standard errors over users; as only 28 users of the latter are in both parts, one more
table has eight splits in time, each with a tenth of the ratings as test and all earlier ones for training. The
environment of `--peers-python` has implicit, Cornac and LensKit, or some of them.
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
from sklearn.base import clone

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

_WITH_TABLES = "TwoStageRecommender, side tables"
MODELS: dict[str, Any] = {
    "Popular": Popular(),
    "EASE": EASE(),
    "EASE, ratings ignored": EASE(rating_weight=0.0),
    "ItemKNN": ItemKNN(),
    "ImplicitALS": ImplicitALS(random_state=0),
    "BPR": BPR(random_state=0),
    "BlendedRecommender": BlendedRecommender(random_state=0),
    "TwoStageRecommender": TwoStageRecommender(random_state=0),
    _WITH_TABLES: TwoStageRecommender(random_state=0),
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
    parser.add_argument("--peers-python", help="interpreter of an environment with other packages")
    parser.add_argument("--skip", nargs="+", default=[], choices=["random", "time", "tenths"], help="tables")
    arguments = parser.parse_args()
    data = Path(os.environ.get("TABREC_DATA_DIR", "."))
    ratings, users, items = load_movielens("100k", data / "ml-100k")
    small, _, small_items = load_movielens("latest-small", data / "ml-latest-small")
    side_tables = {
        "user_features": users.drop(columns="zip_code"),
        "item_features": items.drop(columns="title"),
    }
    small_tables = {"user_features": None, "item_features": small_items.drop(columns="title")}
    models = {n: m for n, m in MODELS.items() if not arguments.only or any(text in n for text in arguments.only)}
    print(describe_machine(tabrec={name: version(name) for name in ("tabrec", "numpy", "scipy", "torch")}), "\n")
    tuning = split_by_item(ratings, 0)
    tables = {}
    if "random" not in arguments.skip:
        splits = [split_by_item(ratings, seed) for seed in arguments.splits]
        tables[f"MovieLens 100k, a quarter of each item's ratings as test, {len(splits)} splits"] = splits, side_tables
    if "time" not in arguments.skip:
        ending = "the latest fifth of the ratings as test, users and items of the training set"
        tables[f"MovieLens 100k, {ending}"] = [split_by_time(ratings)], side_tables
        tables[f"MovieLens latest-small, {ending}"] = [split_by_time(small)], small_tables
    if "tenths" not in arguments.skip:
        tenths = [split_by_time(small, start / 10, (start + 1) / 10) for start in range(2, 10)]
        title = "MovieLens latest-small, each tenth of the ratings in time from the third on as test"
        tables[title] = tenths, small_tables
    for title, (splits, features) in tables.items():
        for name in models.keys() & {_WITH_TABLES}:
            models[name] = clone(models[name]).set_params(**features)
        print(title, "\n", sep="")
        print(markdown_table(["model", *METRICS, "fit, s", "recommend, s"], report(models, splits)), flush=True)
        if arguments.peers_python:
            print(report_peers(arguments.peers_python, arguments.only or [], [tuning, *splits]))
        print(flush=True)


def split_by_item(ratings: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A quarter of the ratings of each item, rounded, is the test set."""
    rng = np.random.default_rng(seed)
    keys = pd.Series(rng.random(len(ratings)), index=ratings.index)
    groups = keys.groupby(ratings["item"])
    is_test = groups.rank() <= (0.25 * groups.transform("size")).round()
    return ratings[~is_test], ratings[is_test]


def split_by_time(ratings: pd.DataFrame, start: float = 0.8, end: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The test set has the ratings between two quantiles of time, without ids that have no earlier ratings."""
    times = ratings["timestamp"]
    first, last = times.quantile([start, end])
    train, test = ratings[times < first], ratings[(times >= first) & ((times < last) | (end == 1.0))]
    return train, test[test["user"].isin(train["user"]) & test["item"].isin(train["item"])]


def report(models: dict[str, Any], splits: list[tuple[pd.DataFrame, pd.DataFrame]]) -> list[list[str]]:
    """Rows of all models over the splits."""
    rows = []
    for name, model in models.items():
        found = pd.DataFrame([measure(model, train, test, len(splits) == 1) for train, test in splits])
        note(f"{name}: NDCG {found['ndcg'].mean():.4f}")
        rows.append(describe(name, found))
    return rows


def describe(name: str, found: pd.DataFrame) -> list[str]:
    """A row of the table: standard deviations over several splits, standard errors over the users of one."""
    spread = found[METRICS].std(ddof=0) if len(found) > 1 else found[[f"{m}_se" for m in METRICS]].iloc[0]
    cells = [f"{found[m].mean():.4f} ± {s:.4f}" for m, s in zip(METRICS, spread, strict=True)]
    return [name, *cells, f"{found['fit'].median():.1f}", f"{found['recommend'].median():.1f}"]


def report_peers(python: str, only: list[str], splits: list[tuple[pd.DataFrame, pd.DataFrame]]) -> str:
    """Rows of the models of other packages, tuned on the first split, over the others."""
    with tempfile.TemporaryDirectory() as folder:
        for number, (train, test) in enumerate(splits):
            for part, name in ((train, "train"), (test, "test")):
                part[["user", "item", "rating"]].to_csv(Path(folder) / f"{name}-{number}.csv", index=False)
        worker = Path(__file__).with_name("_worker_ranking_peers.py")
        subprocess.run([python, str(worker), folder, *only], check=True, env={**os.environ, "PYTHONPATH": ""})
        rows = []
        for name, told in json.loads((Path(folder) / "settings.json").read_text()).items():
            metrics = [
                score(pd.read_csv(Path(folder) / f"{name}-{number}.csv"), test[["user", "item"]], len(splits) == 2)
                | seconds
                for number, ((_, test), seconds) in enumerate(zip(splits[1:], told["seconds"], strict=True), start=1)
            ]
            note(f"{name}: {told['setting']}, NDCG {np.mean([found['ndcg'] for found in metrics]):.4f}")
            rows.append(describe(name, pd.DataFrame(metrics)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def measure(model: Any, train: pd.DataFrame, test: pd.DataFrame, with_errors: bool) -> dict[str, float]:
    """Metrics of the first ten, and seconds, of a model fitted to the training ratings."""
    started = time.perf_counter()
    model.fit(train[["user", "item"]], train["rating"])
    fitted = time.perf_counter()
    recommended = model.recommend(np.unique(test["user"]), 10)
    seconds = {"fit": fitted - started, "recommend": time.perf_counter() - fitted}
    return score(recommended, test[["user", "item"]], with_errors) | seconds


def score(recommended: pd.DataFrame, test: pd.DataFrame, with_errors: bool) -> dict[str, float]:
    """Metrics of the first ten, and their standard errors over users."""
    metrics = dict(rank_metrics(recommended, test))
    if not with_errors:
        return metrics
    lists, relevant = recommended.groupby("user"), test.groupby("user")
    by_user = [dict(rank_metrics(lists.get_group(user), pairs)) for user, pairs in relevant if user in lists.groups]
    errors = pd.DataFrame(by_user)[METRICS].sem().add_suffix("_se")
    return metrics | errors.to_dict()


if __name__ == "__main__":
    main()
