"""`rate`: ratings become a `RatingRun`, a fitted recommender with its scores."""

from __future__ import annotations

import os
import time
from numbers import Integral
from typing import Any

import pandas as pd
from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions, validate_params

import tabrec
from tabrec.datasets import NoHeaderError, load_movielens, read_table
from tabrec.datasets.movielens import find_movielens
from tabrec.runs.hold_out import hold_out
from tabrec.runs.recommender_run import RecommenderRun, drop_missing_ids
from tabrec.tables.columns import as_frame

_RECOMMENDERS = {"dot": "DotProductBias", "nn": "EmbeddingNN", "bayes": "BayesianFactorization"}
MODELS = tuple(_RECOMMENDERS)
# Numbers of columns of ratings without and with times.
_WITHOUT_HEADER = (3, 4)


class RatingRun(RecommenderRun):
    """A recommender with its scores; `rate` makes it and `Run.open` opens it.

    Attributes
    ----------
    model : recommender
        Fitted to all ratings, including those that were held out for the scores.
    metadata : dict
        The columns, the options of `rate` and the numbers of ratings, users and items.
    metrics : dict of str to dict of str to float
        The result of `tabrec.collab.evaluate` for a model with the same settings fitted to the training ratings, by
        model and metric.
    predictions : pandas.DataFrame or None
        `row`, `actual` and `predicted` of the ratings held out.

    See Also
    --------
    rate : Train a recommender on ratings.
    RankingRun : A recommender that learned from interactions.
    TableRun : A model trained on a table, with its scores.
    """

    _key = "rating"
    _other_kind = "which does not predict ratings"


@validate_params(
    {
        "frame": [pd.DataFrame],
        "model": [StrOptions(set(MODELS))],
        "user_features": [pd.DataFrame, None],
        "item_features": [pd.DataFrame, None],
        "random_state": [Integral],
    },
    prefer_skip_nested_validation=False,
)
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
        Columns of the ids and of the rating. None finds them by usual names, such as "userId", and by their content.
    time_column : str, default=None
        Time of the ratings: the latest fifth is held out. None holds out a random fifth.
    model : {"dot", "nn", "bayes"}, default="bayes"
        `DotProductBias`, `EmbeddingNN` or `BayesianFactorization`.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables, indexed by id.
    random_state : int, default=0
        Seed of the model and of the random ratings held out.

    Returns
    -------
    RatingRun
        The recommender, fitted to all ratings, with its scores.

    Raises
    ------
    ValueError
        A column is missing, ambiguous or named twice, or there are too few ratings to hold some out.

    See Also
    --------
    read_ratings : Read ratings and side tables from a file.
    train : Train a model on a table.
    tabrec.collab.evaluate : Score a recommender of your own.

    Examples
    --------
    >>> from tabrec.datasets import make_ratings
    >>> from tabrec.runs import rate
    >>> run = rate(make_ratings(800, n_users=40, n_items=50, random_state=0), model="dot")
    >>> run.scores.index.tolist()
    ['DotProductBias', 'biases only', 'most popular']
    >>> run.recommend([3], n=2).columns.tolist()
    ['user', 'rank', 'item', 'score', 'relevance']
    """
    from tabrec.collab.evaluation import evaluate
    from tabrec.collab.rating_columns import find_rating_columns

    times = [] if time_column is None else [time_column]
    frame = as_frame(frame)
    user, item, rating = find_rating_columns(frame, user=user, item=item, rating=rating, others=times)
    options = {"user": user, "item": item, "user_features": user_features, "item_features": item_features}
    ratings = frame[[user, item, rating, *times]].reset_index(drop=True)
    ratings = drop_missing_ids(ratings, user, item, "ratings")
    train, valid = (
        ratings.iloc[rows] for rows in hold_out(ratings, time_column=time_column, random_state=random_state)
    )
    # Looked up by name, so that only the recommenders that need torch load it.
    estimator = getattr(tabrec, _RECOMMENDERS[model])(random_state=random_state, **options)
    started = time.perf_counter()
    scored = clone(estimator).fit(train[[user, item]], train[rating])
    seconds = time.perf_counter() - started
    scores = evaluate(scored, train, valid, rating=rating)
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
    return RatingRun(estimator, metadata, {str(name): dict(row) for name, row in scores.iterrows()}, predictions)


def read_ratings(
    path: str | os.PathLike, *, user: str | None = None, item: str | None = None, **options: Any
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Read ratings, and the side tables that come with them.

    Ids in a text file are whole numbers if all are written as such, and otherwise text exactly as written: leading
    zeros stay, and only an empty field is a missing id.

    Parameters
    ----------
    path : str or path-like
        A file that `tabrec.datasets.read_table` reads, or the folder or zip of a MovieLens release, whose items are
        then named by their titles. A file without a header needs no names if it has the columns user, item, rating
        and, maybe, the time.
    user, item : str, default=None
        Columns of the ids, found as in `rate`.
    **options
        Options of `tabrec.datasets.read_table`; a MovieLens release does not need them.

    Returns
    -------
    ratings : pandas.DataFrame
        A row for each rating.
    tables : dict of str to pandas.DataFrame
        `user_features` and `item_features`, if present: arguments of `rate`.

    See Also
    --------
    rate : Train a recommender on ratings.
    tabrec.datasets.load_movielens : Read a MovieLens release with item ids.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabrec.datasets import make_ratings
    >>> from tabrec.runs import read_ratings
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_ratings(100, random_state=0).to_csv(Path(folder) / "ratings.csv", index=False)
    ...     ratings, tables = read_ratings(Path(folder) / "ratings.csv")
    >>> ratings.shape, tables
    ((100, 4), {})
    """
    size = find_movielens(path)
    if size is None:
        return _read_with_ids(path, user, item, options), {}
    ratings, users, items = load_movielens(size, path)
    ratings.insert(1, "title", items["title"].reindex(ratings.pop("item")).to_numpy())
    tables = {"item_features": items.drop_duplicates("title").set_index("title")}
    return ratings, tables if users is None else tables | {"user_features": users}


def _read_with_ids(path: str | os.PathLike, user: str | None, item: str | None, options: dict) -> pd.DataFrame:
    from tabrec.collab.rating_columns import find_rating_columns

    def find_ids(head: pd.DataFrame) -> list[str]:
        given: dict[str, Any] = {k: v for k, v in (("user", user), ("item", item)) if v in head.columns}
        try:
            return list(find_rating_columns(head, **given))[:2]
        except ValueError:  # `rate` raises it, unless it is given the columns.
            return list(given.values())

    try:
        return read_table(path, id_columns=find_ids, **options)
    except NoHeaderError as error:
        if error.n_fields not in _WITHOUT_HEADER or (user, item) != (None, None):
            raise
    frame = read_table(path, id_columns=find_ids, header=False, **options)
    columns = find_rating_columns(frame)
    roles = {name: role for role, name in columns._asdict().items()}
    frame = frame.rename(columns=lambda name: roles.get(name, "timestamp"))
    return frame
