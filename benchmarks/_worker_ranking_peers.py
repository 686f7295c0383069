"""Recommendations of other packages, in their own environment: the best setting on split 0, then the other splits.

    python _worker_ranking_peers.py FOLDER [NAME ...]

FOLDER has train-0.csv, test-0.csv, train-1.csv, … with the columns user, item and rating. The first ten items of each
user of a test set are written to NAME-1.csv, …, and the settings and seconds to settings.json. Models of packages that
are not installed are left out; NAME selects models whose names contain one of these texts.
"""

import contextlib
import importlib.util
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

N = 10
SEED = {"random_state": 0, "num_threads": 1}
# Trains on a split; the function that it returns recommends to users.
Fit = Callable[..., Callable[[pd.Index], pd.DataFrame]]


def fit_implicit(make: Callable[..., Any]) -> Fit:
    def fit(train: pd.DataFrame, **options: Any) -> Callable[[pd.Index], pd.DataFrame]:
        users, items = (pd.Index(np.unique(train[kind])) for kind in ("user", "item"))
        codes = users.get_indexer(train["user"]), items.get_indexer(train["item"])
        matrix = sp.csr_matrix((np.ones(len(train)), codes), shape=(len(users), len(items)))
        model = make(**options)
        model.fit(matrix, show_progress=False)

        def recommend(asked: pd.Index) -> pd.DataFrame:
            rows = users.get_indexer(asked)
            found, _ = model.recommend(rows, matrix[rows], N=N, filter_already_liked_items=True)
            table = as_table(asked, items[found.ravel()])
            return table[found.ravel() >= 0]

        return recommend

    return fit


def fit_cornac(make: Callable[..., Any]) -> Fit:
    def fit(train: pd.DataFrame, **options: Any) -> Callable[[pd.Index], pd.DataFrame]:
        from cornac.data import Dataset

        data = Dataset.from_uir(train[["user", "item", "rating"]].assign(rating=1.0).itertuples(index=False), seed=0)
        model = make(**options)
        model.fit(data)
        items = pd.Index(list(data.iid_map))
        taken = data.csr_matrix

        def recommend(asked: pd.Index) -> pd.DataFrame:
            best = []
            for user in asked:
                row = data.uid_map[user]
                scores = np.array(model.score(row), dtype=np.float64).ravel()
                scores[taken[row].indices] = -np.inf
                best.append(np.argsort(-scores, kind="stable")[:N])
            return as_table(asked, items[np.concatenate(best)])

        return recommend

    return fit


def fit_lenskit(make: Callable[..., Any]) -> Fit:
    def fit(train: pd.DataFrame, **options: Any) -> Callable[[pd.Index], pd.DataFrame]:
        from lenskit.batch import recommend as recommend_batch
        from lenskit.data import from_interactions_df
        from lenskit.pipeline import topn_pipeline

        pipeline = topn_pipeline(make(**options))
        ids = train[["user", "item"]].rename(columns={"user": "user_id", "item": "item_id"})
        pipeline.train(from_interactions_df(ids))

        def recommend(asked: pd.Index) -> pd.DataFrame:
            found = recommend_batch(pipeline, asked, N, n_jobs=1).to_df()
            return found.rename(columns={"user_id": "user", "item_id": "item"})[["user", "rank", "item"]]

        return recommend

    return fit


def implicit_models() -> Iterator[tuple[str, Fit, dict[str, list]]]:
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.cpu.bpr import BayesianPersonalizedRanking
    from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, ItemItemRecommender

    yield (
        "implicit ALS",
        fit_implicit(lambda **o: AlternatingLeastSquares(factors=32, iterations=16, **SEED, **o)),
        {"regularization": [10.0, 30.0, 60.0], "alpha": [2.0, 5.0]},
    )
    yield (
        "implicit BPR",
        fit_implicit(lambda **o: BayesianPersonalizedRanking(**SEED, **o)),
        {
            "factors": [32, 100],
            "learning_rate": [0.02, 0.05],
            "regularization": [0.01, 0.05],
            "iterations": [100, 300],
        },
    )
    neighbours = [20, 50, 200]
    yield "implicit ItemItem", fit_implicit(lambda **o: ItemItemRecommender(num_threads=1, **o)), {"K": neighbours}
    yield "implicit cosine", fit_implicit(lambda **o: CosineRecommender(num_threads=1, **o)), {"K": neighbours}
    yield (
        "implicit BM25",
        fit_implicit(lambda **o: BM25Recommender(num_threads=1, **o)),
        {"K": [50, 200], "B": [0.2, 0.8]},
    )


def cornac_models() -> Iterator[tuple[str, Fit, dict[str, list]]]:
    from cornac import models

    quiet = {"verbose": False}
    yield (
        "Cornac EASE",
        fit_cornac(lambda **o: models.EASE(posB=False, **quiet, **o)),
        {"lamb": [200, 300, 400, 500, 700]},
    )
    yield (
        "Cornac BPR",
        fit_cornac(lambda **o: models.BPR(k=100, max_iter=200, num_threads=1, seed=0, **quiet, **o)),
        {"learning_rate": [0.01, 0.02, 0.05], "lambda_reg": [0.001, 0.005, 0.01]},
    )
    # The settings of the notebook of Microsoft's recommenders repository.
    yield (
        "Cornac BiVAE",
        fit_cornac(
            lambda **o: models.BiVAECF(
                k=50, encoder_structure=[100], n_epochs=500, batch_size=128, use_gpu=False, seed=0, **quiet, **o
            )
        ),
        {"learning_rate": [0.001]},
    )


def lenskit_models() -> Iterator[tuple[str, Fit, dict[str, list]]]:
    from lenskit.als import ImplicitMFScorer
    from lenskit.knn import ItemKNNScorer

    yield (
        "LensKit ItemKNN",
        fit_lenskit(lambda **o: ItemKNNScorer(feedback="implicit", **o)),
        {"max_nbrs": [20, 50, 100]},
    )
    yield (
        "LensKit ImplicitMF",
        fit_lenskit(lambda **o: ImplicitMFScorer(embedding_size=32, epochs=16, **o)),
        {"regularization": [0.1, 1.0, 10.0, 30.0], "weight": [2.0, 5.0, 40.0]},
    )


PACKAGES = {"implicit": implicit_models, "cornac": cornac_models, "lenskit": lenskit_models}


def as_table(users: pd.Index, items: pd.Index) -> pd.DataFrame:
    """A row for each recommendation, N for each user."""
    rank = np.tile(np.arange(1, N + 1), len(users))
    return pd.DataFrame({"user": np.repeat(users, N), "rank": rank, "item": items})


def recommend(fit: Fit, options: dict, train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """Ten items for each user of the test set, and seconds."""
    started = time.perf_counter()
    find = fit(train, **options)
    fitted = time.perf_counter()
    found = find(pd.Index(np.intersect1d(test["user"], train["user"])))
    return found, {"fit": fitted - started, "recommend": time.perf_counter() - fitted}


def precision(found: pd.DataFrame, test: pd.DataFrame) -> float:
    """Share of the recommended items that are in the test set."""
    return len(found.merge(test, on=["user", "item"])) / len(found)


def choose(fit: Fit, settings: list[dict], train: pd.DataFrame, test: pd.DataFrame) -> dict:
    """The setting of the highest precision."""
    return max(settings, key=lambda options: precision(recommend(fit, options, train, test)[0], test))


def main() -> None:
    """Tune and recommend."""
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    splits = [
        (pd.read_csv(folder / f"train-{number}.csv"), pd.read_csv(folder / f"test-{number}.csv"))
        for number in range(len(list(folder.glob("train-*.csv"))))
    ]
    report = {}
    models = [find() for package, find in PACKAGES.items() if importlib.util.find_spec(package)]
    for name, fit, grid in itertools.chain(*models):
        if wanted and not any(text in name for text in wanted):
            continue
        settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        with contextlib.redirect_stdout(sys.stderr):
            best = settings[0] if len(settings) == 1 else choose(fit, settings, *splits[0])
            report[name] = {"setting": best, "seconds": []}
            for number, (train, test) in enumerate(splits[1:], start=1):
                found, seconds = recommend(fit, best, train, test)
                found.to_csv(folder / f"{name}-{number}.csv", index=False)
                report[name]["seconds"].append(seconds)
    (folder / "settings.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
