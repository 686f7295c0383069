"""A rating run: a list of ratings in, one recommender with its scores out, kept together in a folder.

The command line's ``rate``, ``recommend`` and ``similar`` are thin over this module, as ``train`` is over `run`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tabrec.saving.files import new_folder
from tabrec.datasets import load_movielens, read_table
from tabrec.datasets.movielens import find_movielens
from tabrec.saving import load, save
from tabrec.preprocess import TimeSplit
from tabrec.tables.messages import warn_caller
from tabrec.runs.table_run import MODEL_FOLDER, model_folder

_VALIDATION_SHARE = 0.2


def _dot(random_state: int, **features: Any) -> Any:
    from tabrec.collab import DotProductBias  # torch takes a second to load

    return DotProductBias(random_state=random_state, **features)


def _nn(random_state: int, **features: Any) -> Any:
    from tabrec.collab import EmbeddingNN

    return EmbeddingNN(random_state=random_state, **features)


def _bayes(random_state: int, **features: Any) -> Any:
    from tabrec.collab import BayesianFactorization

    return BayesianFactorization(random_state=random_state, **features)


MODELS: dict[str, Callable[..., Any]] = {"dot": _dot, "nn": _nn, "bayes": _bayes}


@dataclass
class RatingRun:
    """A recommender with its scores.

    Attributes
    ----------
    model : recommender
        Fitted to all ratings, those that were held out for the scores too.
    metadata : dict
    scores : pandas.DataFrame
        What `tabrec.collab.evaluate` gives for a model of the same settings fitted to the training ratings.
    predictions : pandas.DataFrame
        `row`, `actual` and `predicted` of the ratings held out.
    """

    model: Any
    metadata: dict
    scores: pd.DataFrame
    predictions: pd.DataFrame


def check_model(model: str) -> None:
    """A ValueError where there is no such model."""
    if model not in MODELS:
        raise ValueError(f"model={model!r} must be one of {', '.join(MODELS)}.")


def rate(
    frame: pd.DataFrame,
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    time_column: str | None = None,
    model: str = "bayes",
    user_features: pd.DataFrame | None = None,
    item_features: pd.DataFrame | None = None,
    random_state: int = 0,
) -> RatingRun:
    """Score a recommender on ratings held out, then fit it to all of them.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for each rating.
    user, item, rating : str, default=None
        Columns; None is the first, the second and the third.
    time_column : str, default=None
        Time of the ratings: the latest fifth is held out; None holds out a random fifth.
    model : {"dot", "nn", "bayes"}, default="bayes"
    user_features, item_features : pandas.DataFrame, default=None
        Side tables, indexed by id.
    random_state : int, default=0

    Returns
    -------
    RatingRun

    Raises
    ------
    ValueError
        An unknown model, or a column that is missing or is named twice.
    """
    from tabrec.collab.evaluation import evaluate

    check_model(model)
    options = {"user": user, "item": item, "user_features": user_features, "item_features": item_features}
    ratings = _take_columns(frame, user, item, rating, time_column)
    user, item, rating = ratings.columns[:3]
    ratings = _leave_out_nobody(ratings, user, item)
    train, valid = _split(ratings, time_column, random_state)
    estimator = MODELS[model](random_state, **options)
    started = time.perf_counter()
    scored = clone(estimator).fit(train[[user, item]], train[rating])
    seconds = time.perf_counter() - started
    scores = evaluate(scored, train, valid)
    estimator.fit(ratings[[user, item]], ratings[rating])
    metadata = {
        "model": model,
        "user": user,
        "item": item,
        "rating": rating,
        "time_column": time_column,
        "ratings": {"train": len(train), "validation": len(valid)},
        "users": len(estimator.users_),
        "items": len(estimator.items_),
        "fit_seconds": round(seconds, 3),
        "random_state": random_state,
    }
    predictions = pd.DataFrame(
        {"row": valid.index, "actual": valid[rating].to_numpy(), "predicted": scored.predict(valid[[user, item]])}
    )
    return RatingRun(estimator, metadata, scores, predictions)


def read_ratings(path: str | os.PathLike, *, delimiter: str = ",") -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Read ratings, and the side tables that come with them.

    Parameters
    ----------
    path : str or path-like
        A CSV or parquet file, or the folder or zip of a MovieLens release, whose items then go by their titles.
    delimiter : str, default=","
        Of a CSV.

    Returns
    -------
    ratings : pandas.DataFrame
    tables : dict
        `user_features` and `item_features`, where there are any.
    """
    size = find_movielens(path)
    if size is None:
        return read_table(path, delimiter=delimiter), {}
    ratings, users, items = load_movielens(size, path)
    ratings.insert(1, "title", items["title"].reindex(ratings.pop("item")).to_numpy())
    tables = {"item_features": items.drop_duplicates("title").set_index("title")}
    return ratings, tables if users is None else tables | {"user_features": users}


def save_rating_run(run: RatingRun, out: str | os.PathLike) -> Path:
    """Write a run to a new folder: ``model/`` (see `tabrec.save`), ``metrics.json`` and ``predictions.csv``.

    Raises
    ------
    FileExistsError
        There is something at `out`.
    """
    metrics = {name: row.dropna().to_dict() for name, row in run.scores.iterrows()}
    with new_folder(out) as folder:
        save(run.model, folder / MODEL_FOLDER, metadata=run.metadata)
        text = json.dumps({**run.metadata, "metrics": metrics}, indent=2)
        (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
        run.predictions.to_csv(folder / "predictions.csv", index=False)
    return Path(out)


def load_recommender(folder: str | os.PathLike) -> Any:
    """The recommender of a saved run.

    Raises
    ------
    FileNotFoundError
        The folder holds no run.
    ValueError
        The run's model is no recommender.
    """
    model = load(model_folder(folder))
    if not hasattr(model, "recommend"):
        raise ValueError(f"{folder} holds a {type(model).__name__}, which recommends nothing: it was made by train.")
    return model


def parse_ids(texts: list[str], known: pd.Index) -> list:
    """Ids as a command line gives them, as the type that the known ones have."""
    if not pd.api.types.is_numeric_dtype(known):
        return texts
    try:
        return [float(text) if "." in text else int(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{known.name} {texts} should be numbers, such as {known.tolist()[0]!r}.") from error


def unknown_users(model: Any, users: Any) -> set:
    """Those of some users of whom the recommender knows nothing."""
    asked = pd.DataFrame({model.user_name_: list(users), model.item_name_: model.items_.tolist()[0]})
    paths = model.predict(asked, return_path=True)[1]
    return {user for user, path in zip(users, paths, strict=True) if path == "item bias"}


def _take_columns(
    frame: pd.DataFrame, user: str | None, item: str | None, rating: str | None, time_column: str | None
) -> pd.DataFrame:
    """User, item, rating and, where asked for, the time, in this order."""
    told = [name for name in (user, item, rating, time_column) if name is not None]
    absent = [name for name in told if name not in frame.columns]
    if absent:
        raise ValueError(f"The table has no column {absent[0]!r}; it has {frame.columns.tolist()[:60]}.")
    if len(set(told)) < len(told):
        raise ValueError(f"User, item, rating and time must be different columns, not {told}.")
    rest = iter([name for name in frame.columns if name not in told])
    names = [next(rest, None) if name is None else name for name in (user, item, rating)]
    if None in names:
        raise ValueError(f"The table has the columns {frame.columns.tolist()}, but needs a user, an item and a rating.")
    return frame[[*names, *([time_column] if time_column else [])]].reset_index(drop=True)


def _leave_out_nobody(ratings: pd.DataFrame, user: str, item: str) -> pd.DataFrame:
    """The ratings that have a user and an item."""
    missing = ratings[user].isna() | ratings[item].isna()
    if missing.any():
        warn_caller(
            f"{int(missing.sum())} of {len(ratings)} ratings have no {user} or no {item}, and are left out: the first "
            f"in row {int(np.argmax(missing))} (counted from 0)."
        )
    return ratings[~missing]


def _split(ratings: pd.DataFrame, time_column: str | None, random_state: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    if time_column is not None:
        train, valid = next(TimeSplit(n_splits=1, column=time_column, test_size=_VALIDATION_SHARE).split(ratings))
    else:
        order = np.random.default_rng(random_state).permutation(len(ratings))
        n_valid = int(len(ratings) * _VALIDATION_SHARE)
        valid, train = np.sort(order[:n_valid]), np.sort(order[n_valid:])
    if not len(valid) or not len(train):
        raise ValueError(f"{len(ratings)} rating(s) are too few to hold some out.")
    return ratings.iloc[train], ratings.iloc[valid]
