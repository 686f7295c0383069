"""Recommendations of implicit's models, in its own environment: the best setting on split 0, then the other splits.

    python _worker_ranking_implicit.py FOLDER

FOLDER has train-0.csv, test-0.csv, train-1.csv, … with the columns user and item. The first ten items of each user of
a test set are written to NAME-1.csv, …, and the settings and seconds to settings.json.
"""

import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender

SEED = {"random_state": 0, "num_threads": 1}
GRIDS = {
    "implicit ALS": (
        lambda **options: AlternatingLeastSquares(factors=32, iterations=16, **SEED, **options),
        {"regularization": [10.0, 30.0, 60.0], "alpha": [2.0, 5.0]},
    ),
    "implicit BM25 neighbours": (
        lambda **options: BM25Recommender(num_threads=1, **options),
        {"K": [50, 200], "B": [0.2, 0.8]},
    ),
}


def recommend(model, train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Ten items for each user of the test set, and seconds."""
    users, items = (pd.Index(np.unique(train[kind])) for kind in ("user", "item"))
    codes = users.get_indexer(train["user"]), items.get_indexer(train["item"])
    matrix = sp.csr_matrix((np.ones(len(train), dtype=np.float32), codes), shape=(len(users), len(items)))
    started = time.perf_counter()
    model.fit(matrix, show_progress=False)
    fitted = time.perf_counter()
    asked = np.intersect1d(test["user"], users)
    rows = users.get_indexer(asked)
    found, _ = model.recommend(rows, matrix[rows], N=10, filter_already_liked_items=True)
    seconds = {"fit": fitted - started, "recommend": time.perf_counter() - fitted}
    rank = np.tile(np.arange(1, 11), len(asked))
    table = pd.DataFrame({"user": np.repeat(asked, 10), "rank": rank, "item": items[found.ravel()]})
    return table[found.ravel() >= 0], seconds


def precision(found: pd.DataFrame, test: pd.DataFrame) -> float:
    """Share of the recommended items that are in the test set."""
    return len(found.merge(test, on=["user", "item"])) / len(found)


def main() -> None:
    """Tune and recommend."""
    folder = Path(sys.argv[1])
    splits = [
        (pd.read_csv(path), pd.read_csv(path.with_name(path.name.replace("train", "test"))))
        for path in sorted(folder.glob("train-*.csv"))
    ]
    report = {}
    for name, (make, grid) in GRIDS.items():
        settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        best = max(settings, key=lambda options: precision(recommend(make(**options), *splits[0])[0], splits[0][1]))
        report[name] = {"setting": best, "seconds": []}
        for number, (train, test) in enumerate(splits[1:], start=1):
            found, seconds = recommend(make(**best), train, test)
            found.to_csv(folder / f"{name}-{number}.csv", index=False)
            report[name]["seconds"].append(seconds)
    (folder / "settings.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
