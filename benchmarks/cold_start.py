"""Users and items without training rows, by the available information: errors beside biases, lists beside popularity.

    TABREC_DATA_DIR=/path/to/data python benchmarks/cold_start.py --json benchmarks/results/cold-start-cpu.json
    TABREC_DATA_DIR=/path/to/data python benchmarks/cold_start.py --ranking

The folder holds ``ml-100k``, unpacked or zipped. In each draw 100 users (`--users`) with at least 20 ratings in the
first official fold lose all of them. `new_user` adds 1, 3, 5 and 10 of these ratings for all users at once; the others
are predicted and are the same in every column of the report. Ratings of films without other ratings are excluded. The
columns of the report differ in what is known about the user:

- nothing    : an id that is in no table, so the path is "item bias";
- metadata   : a row of the table of users, no rating;
- 1, 3, 5, 10: that row and this number of ratings.

The biases are those of `evaluate`, and know the table of users not at all: mean + item bias, and the damped bias of the
user's given ratings.

With `--ranking`, recommenders of interactions list ten items for users of whom 0, 1, 3, 5 and 10 interactions are
known, and their NDCG is compared with that of `Popular`. In the last column a tenth of the items loses all
interactions, and known users get lists of these items alone, which differ by their features. Items have random ids, so
that equal scores say nothing. Standard errors are those of the differences over the users of all draws.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

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
from tabrec.collab.bias_baseline import DAMPING, fit_biases
from tabrec.collab.interactions import sort_interactions
from tabrec.datasets import load_movielens, load_movielens_fold

N_GIVEN = (1, 3, 5, 10)
COLUMNS = ("nothing", "metadata", *(f"{n} given" for n in N_GIVEN))
LEAST_RATINGS = 20
BIASES = "biases only"
IDS = ["user", "item"]

MODELS: dict[str, Callable[..., Any]] = {
    "DotProductBias": DotProductBias,
    "EmbeddingNN": EmbeddingNN,
    "BayesianFactorization": BayesianFactorization,
}

RANKING_MODELS: dict[str, Callable[..., Any]] = {
    "EASE": EASE,
    "ItemKNN": ItemKNN,
    "ImplicitALS": ImplicitALS,
    "BPR": BPR,
    "BlendedRecommender": BlendedRecommender,
    "TwoStageRecommender": TwoStageRecommender,
}
POPULAR = "Popular"
NEW_ITEMS = "new items"
LEAST_USERS = 10


class Draw(NamedTuple):
    """Ratings to fit, ratings to add in order, and ratings to predict."""

    train: pd.DataFrame
    given: pd.DataFrame
    target: pd.DataFrame

    def first_given(self, n: int) -> pd.DataFrame:
        """Return the first `n` added ratings of each user."""
        return self.given[self.given.groupby("user").cumcount() < n]


def make_draw(ratings: pd.DataFrame, n_users: int, seed: int) -> Draw:
    """Remove the ratings of some users from the training rows."""
    rng = np.random.default_rng(seed)
    counts = ratings["user"].value_counts().sort_index()
    users = rng.choice(counts.index[counts >= LEAST_RATINGS], n_users, replace=False)
    is_theirs = ratings["user"].isin(users)
    train, theirs = ratings[~is_theirs], ratings[is_theirs]
    theirs = theirs[theirs["item"].isin(train["item"])]
    theirs = theirs.iloc[rng.permutation(len(theirs))]
    is_given = theirs.groupby("user").cumcount() < max(N_GIVEN)
    return Draw(train, theirs[is_given], theirs[~is_given])


def predict_biases(draw: Draw) -> dict[str, np.ndarray]:
    """Return the predictions of the biases by column."""
    items, item_codes = np.unique(draw.train["item"], return_inverse=True)
    users, user_codes = np.unique(draw.train["user"], return_inverse=True)
    values = draw.train["rating"].to_numpy()
    found, _ = sort_interactions(user_codes + 1, item_codes + 1, values, None)
    biases = fit_biases(found, len(users) + 1, len(items) + 1)
    base = pd.Series(biases.mean + biases.item[1:], index=items)
    predicted = dict.fromkeys(COLUMNS, base.loc[draw.target["item"]].to_numpy())
    for n in N_GIVEN:
        given = draw.first_given(n)
        by_user = (given["rating"] - base.loc[given["item"]].to_numpy()).groupby(given["user"])
        user = by_user.sum() / (by_user.size() + DAMPING["user"])
        predicted[f"{n} given"] = predicted["nothing"] + user.loc[draw.target["user"]].to_numpy()
    return {column: np.clip(rating, values.min(), values.max()) for column, rating in predicted.items()}


def predict_model(model: Any, draw: Draw, has_features: bool) -> tuple[dict[str, np.ndarray], float]:
    """Return the predictions of a fitted model by column, and the fold-in seconds of the last column."""
    target, seconds = draw.target[IDS], 0.0
    asked = {
        "nothing": (model, target.assign(user=-target["user"]), "item bias"),
        "metadata": (model, target, "metadata"),
    }
    for n in N_GIVEN:
        start = time.perf_counter()
        folded = model.new_user(draw.first_given(n)[[*IDS, "rating"]])
        seconds = time.perf_counter() - start
        asked[f"{n} given"] = folded, target, "fold-in"
    predicted = {}
    for column, (asked_model, rows, path) in asked.items():
        if column == "metadata" and not has_features:
            continue
        predicted[column], paths = asked_model.predict(rows, return_path=True)
        if set(paths) != {path}:
            raise SystemExit(f"{type(model).__name__}, {column}: expected the path {path!r}, got {sorted(set(paths))}.")
    return predicted, seconds


def measure(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return the errors by model, draw and column: a frame of model, seed, column, rmse and fold_in_seconds."""
    ratings, _ = load_movielens_fold(1)
    _, users, items = load_movielens("100k")
    tables = {"user_features": users, "item_features": items.drop(columns="title")}
    records = []
    for seed in arguments.seeds:
        draw = make_draw(ratings, arguments.users, seed)
        note(f"draw {seed}: {len(draw.given):,} ratings to add, {len(draw.target):,} to predict")
        _add_errors(records, BIASES, seed, draw, predict_biases(draw))
        for name in arguments.models:
            for features in (tables, {}) if arguments.ids_only else (tables,):
                start = time.perf_counter()
                model = MODELS[name](random_state=seed, **features).fit(draw.train[IDS], draw.train["rating"])
                fit_seconds = time.perf_counter() - start
                predicted, seconds = predict_model(model, draw, bool(features))
                label = name if features else f"{name}, ids only"
                _add_errors(records, label, seed, draw, predicted, seconds)
                errors_by_column = {record["column"]: round(record["rmse"], 4) for record in records[-len(predicted) :]}
                note(f"draw {seed}, {label}: fit {fit_seconds:.1f} s, folded in {seconds:.2f} s, {errors_by_column}")
    return pd.DataFrame(records)


def measure_ranking(arguments: argparse.Namespace) -> pd.DataFrame:
    """Return NDCG by model, draw, column and user."""
    ratings, users, items = load_movielens("100k")
    users = users.drop(columns="zip_code")
    parts = []
    for seed in arguments.seeds:
        new_ids = pd.Series(np.random.default_rng(seed).permutation(len(items)) + 1, index=items.index)
        shuffled = ratings.assign(item=new_ids[ratings["item"]].to_numpy())
        tables = {"user_features": users, "item_features": items.drop(columns="title").rename(index=new_ids)}
        draw = make_draw(shuffled, arguments.users, seed)
        asked = draw.target["user"].unique()
        cold, known, taken = draw_cold_items(shuffled, arguments.users, seed)
        for name, make in {POPULAR: Popular, **RANKING_MODELS}.items():
            if name not in (POPULAR, *arguments.models):
                continue
            options = {"random_state": seed} if "random_state" in make().get_params() else {}
            model = make(**tables, **options).fit(draw.train[IDS], draw.train["rating"])
            found = {"0": score_lists(model, draw.target, asked, exclude=draw.given[IDS])}
            for n in N_GIVEN:
                folded = model.new_user(draw.first_given(n)[[*IDS, "rating"]])
                found[str(n)] = score_lists(folded, draw.target, asked, exclude=draw.given[IDS])
            model = make(**tables, **options).fit(known[IDS], known["rating"])
            found[NEW_ITEMS] = score_lists(model, taken, taken["user"].unique(), candidates=cold)
            parts += [part.assign(model=name, seed=seed, column=column) for column, part in found.items()]
            note(f"draw {seed}, {name}: { {column: round(part['ndcg'].mean(), 4) for column, part in found.items()} }")
    return pd.concat(parts)


def draw_cold_items(ratings: pd.DataFrame, n_users: int, seed: int) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Return a tenth of the items, the rows of the others, and the rows of the tenth for some of the users."""
    rng = np.random.default_rng(seed)
    counts = ratings["item"].value_counts().sort_index()
    often = counts.index[counts >= LEAST_USERS]
    cold = rng.choice(often, len(often) // 10, replace=False)
    is_cold = ratings["item"].isin(cold)
    theirs = ratings[is_cold & ratings["user"].isin(ratings.loc[~is_cold, "user"])]
    asked = rng.choice(theirs["user"].unique(), n_users, replace=False)
    return np.sort(cold), ratings[~is_cold], theirs[theirs["user"].isin(asked)]


def score_lists(model: Any, target: pd.DataFrame, asked: np.ndarray, **options: Any) -> pd.DataFrame:
    """Return NDCG of the first ten items of each user."""
    lists = model.recommend(asked, 10, **options)
    hits = lists.merge(target[IDS].drop_duplicates(), on=IDS)
    gains = (1 / np.log2(hits["rank"] + 1)).groupby(hits["user"]).sum().reindex(asked, fill_value=0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(2, 12)))[target["user"].value_counts()[asked].clip(upper=10) - 1]
    return pd.DataFrame({"user": asked, "ndcg": gains.to_numpy() / ideal})


def report_ranking(found: pd.DataFrame) -> None:
    """Print NDCG, the differences from popularity with standard errors, and the cases that are worse."""
    values = found.pivot(index=["seed", "user"], columns=["column", "model"], values="ndcg")
    columns = ["0", *map(str, N_GIVEN), NEW_ITEMS]
    names = list(dict.fromkeys(found["model"]))
    rows = [[name, *(f"{values[column][name].mean():.4f}" for column in columns)] for name in names]
    heads = [f"{column} given" if column != NEW_ITEMS else column for column in columns]
    print(markdown_table(["NDCG@10", *heads], rows), end="\n\n")
    rows, worse = [], []
    for name in names[1:]:
        gaps = {column: (values[column][name] - values[column][POPULAR]).dropna() for column in columns}
        rows.append([name, *(f"{gap.mean():+.4f} ± {gap.sem():.4f}" for gap in gaps.values())])
        worse += [f"- {name}, {column}: {gap.mean():.4f}" for column, gap in gaps.items() if gap.mean() < 0]
    print(markdown_table(["NDCG@10 minus that of Popular", *heads], rows), end="\n\n")
    print("\n".join(["Worse than Popular on average:", *worse] if worse else ["No model is worse than Popular."]))


def _add_errors(
    records: list[dict], name: str, seed: int, draw: Draw, predicted: dict[str, np.ndarray], seconds: float = 0.0
) -> None:
    for column, ratings in predicted.items():
        rmse = float(np.sqrt(np.mean((ratings - draw.target["rating"].to_numpy()) ** 2)))
        records.append({"model": name, "seed": seed, "column": column, "rmse": rmse, "fold_in_seconds": seconds})


def report(errors: pd.DataFrame) -> None:
    """Print the errors, their differences from the biases, and the cases that are worse."""
    by_draw = errors.pivot(index=["model", "seed"], columns="column", values="rmse").loc[:, list(COLUMNS)]
    names = list(dict.fromkeys(errors["model"]))
    gaps = by_draw - by_draw.loc[BIASES].reindex(by_draw.index, level="seed")
    seconds = errors.groupby("model")["fold_in_seconds"].median()
    rows = [[name, *_spreads(by_draw.loc[name]), f"{seconds[name]:.2f}"] for name in names]
    print(markdown_table(["RMSE", *COLUMNS, "fold-in of all users, s"], rows), end="\n\n")
    rows = [[name, *_spreads(gaps.loc[name], "+")] for name in names if name != BIASES]
    print(markdown_table(["RMSE minus RMSE of the biases", *COLUMNS], rows), end="\n\n")
    worse = [_describe_worse(name, column, gaps.loc[name, column]) for name in names for column in COLUMNS]
    worse = [line for line in worse if line]
    print(
        "\n".join(["Worse than the biases on average:\n", *worse])
        if worse
        else "No model is worse than the biases on average."
    )


def _describe_worse(name: str, column: str, gaps: pd.Series) -> str:
    """Return a line if the model is worse on average, else an empty string."""
    if not gaps.mean() > 0:
        return ""
    return f"- {name}, {column}: by {gaps.mean():.4f}, and in {(gaps > 0).sum()} of {len(gaps)} draws"


def _spreads(errors: pd.DataFrame, sign: str = "") -> list[str]:
    """Return mean and standard deviation over the draws by column."""
    cells = []
    for column in COLUMNS:
        values = errors[column]
        mean = "" if values.isna().any() else f"{values.mean():{sign}.4f}"
        cells.append(f"{mean} ± {values.std():.4f}" if mean and len(values) > 1 else mean)
    return cells


def main() -> None:
    """Draw users, fit, predict and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100, help="number of users per draw")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="seeds of the draws and models")
    parser.add_argument("--models", choices=[*MODELS, *RANKING_MODELS], nargs="+")
    parser.add_argument("--ranking", action="store_true", help="recommenders of interactions")
    parser.add_argument("--ids-only", action="store_true", help="also fit the models without features")
    parser.add_argument("--json", type=Path, help="output file of the measurements")
    arguments = parser.parse_args()
    if not os.environ.get("TABREC_DATA_DIR"):
        parser.error("TABREC_DATA_DIR must name the folder with ml-100k; see --help.")
    arguments.models = arguments.models or list(RANKING_MODELS if arguments.ranking else MODELS)
    versions = {package: version(package) for package in ("tabrec", "torch", "numpy", "pandas")}
    machine = describe_machine(versions=versions)
    if arguments.ranking:
        print(f"{machine}\n\nMovieLens 100k, {arguments.users} users per draw, {len(arguments.seeds)} draws\n")
        report_ranking(measure_ranking(arguments))
        return
    errors = measure(arguments)
    print(f"{machine}\n")
    print(f"MovieLens 100k, u1, {arguments.users} users per draw; mean ± standard deviation of ", end="")
    print(f"draws {', '.join(map(str, arguments.seeds))}\n")
    report(errors)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        results = {"users": arguments.users, "machine": machine.splitlines(), "errors": errors.to_dict("records")}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
