"""`rank`: fit a recommender to interactions and return a `RankingRun`, with its scores compared with popularity."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions, validate_params

import tabrec
from tabrec.runs.recommender_run import RecommenderRun, drop_missing_ids
from tabrec.tables.columns import as_frame

_RECOMMENDERS = {
    "ease": "EASE",
    "als": "ImplicitALS",
    "bpr": "BPR",
    "knn": "ItemKNN",
    "blend": "BlendedRecommender",
    "two-stage": "TwoStageRecommender",
    "popular": "Popular",
}
_ALL = "all"
MODELS = (*_RECOMMENDERS, _ALL)
# Recommenders of "all", which leaves out the slowest ones.
_COMPARED = ("ease", "als", "knn", "blend")
# With fewer interactions, the held-out part is too small to compare models.
_FEWEST = 5


class RankingRun(RecommenderRun):
    """A recommender of interactions with its scores; `rank` makes it and `Run.open` opens it.

    Attributes
    ----------
    model : recommender
        Fitted to all interactions, including those that were held out for the scores.
    metadata : dict
        The columns, the options of `rank`, the numbers of interactions, users and items, the held-out interactions
        (`split`) and a comparison in words (`summary`).
    metrics : dict of str to dict of str to float
        The leaderboard of `tabrec.collab.compare_recommenders`, by model and metric.
    predictions : None
        These models do not predict ratings.

    See Also
    --------
    rank : Train a recommender on interactions.
    RatingRun : A recommender that learned from ratings.
    """

    _key = "interactions"
    _other_kind = "which did not learn from interactions"


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
def rank(
    frame: pd.DataFrame,
    *,
    user: str | None = None,
    item: str | None = None,
    time_column: str | None = None,
    strength: str | None = None,
    model: str = "ease",
    user_features: pd.DataFrame | None = None,
    item_features: pd.DataFrame | None = None,
    random_state: int = 0,
) -> RankingRun:
    """Score a recommender and popularity on a held-out fifth of the interactions, then fit the recommender to all.

    Parameters
    ----------
    frame : pandas.DataFrame
        A row for each interaction.
    user, item, time_column, strength : str, default=None
        Columns of the ids, of the times and of the strengths (counts, durations or ratings). None finds them by usual
        names, such as "userId", "timestamp" or "count"; times and strengths may be absent. With times the latest fifth
        is held out, without them a random fifth.
    model : {"ease", "als", "bpr", "knn", "blend", "two-stage", "popular", "all"}, default="ease"
        `EASE`, `ImplicitALS`, `BPR`, `ItemKNN`, `BlendedRecommender`, `TwoStageRecommender`, which also learns from the
        times, or `Popular`; "all" compares `EASE`,
        `ImplicitALS`, `ItemKNN` and `BlendedRecommender` and keeps the one with the highest NDCG.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables, indexed by id.
    random_state : int, default=0
        Seed of the models and of the random interactions held out.

    Returns
    -------
    RankingRun
        The recommender, fitted to all interactions, with its scores.

    Raises
    ------
    ValueError
        A column is missing or ambiguous, there are too few interactions to hold some out, or they are all of one user
        or of one item.

    See Also
    --------
    read_interactions : Read interactions and side tables from a file.
    rate : Train a recommender that predicts ratings.
    tabrec.collab.compare_recommenders : Compare recommenders of your own.

    Examples
    --------
    >>> from tabrec.datasets import make_interactions
    >>> from tabrec.runs import rank
    >>> run = rank(make_interactions(2_000, random_state=0), model="knn")
    >>> run.scores.index.tolist()
    ['ItemKNN', 'Popular']
    >>> run.recommend([3], n=2).columns.tolist()
    ['user', 'rank', 'item', 'score']
    """
    from tabrec.collab import compare_recommenders
    from tabrec.collab.rating_columns import find_interaction_columns

    frame = as_frame(frame)
    columns = find_interaction_columns(frame, user=user, item=item, strength=strength, time=time_column)
    shown = frame[[name for name in columns if name is not None]].reset_index(drop=True)
    shown = drop_missing_ids(shown, columns.user, columns.item, "interactions").reset_index(drop=True)
    if len(shown) < _FEWEST:
        raise ValueError(f"{len(shown)} interaction(s) are too few to hold some out: at least {_FEWEST} are needed.")
    for kind in ("user", "item"):
        _check_several(shown, kind, getattr(columns, kind))
    options = {
        "user": columns.user,
        "item": columns.item,
        "user_features": user_features,
        "item_features": item_features,
    }
    names = [_RECOMMENDERS[name] for name in (_COMPARED if model == _ALL else (model,))]
    estimators = {name: _make(name, options, random_state, columns.time) for name in names}
    comparison = compare_recommenders(estimators, shown, random_state=random_state, **columns._asdict())
    table = comparison.table
    best = next(str(name) for name in table.index if name in estimators)
    kept = clone(estimators[best])
    used = [columns.user, columns.item, *([] if getattr(kept, "time", None) is None else [columns.time])]
    kept.fit(shown[used], None if columns.strength is None else shown[columns.strength])
    metadata = {
        "model": model,
        "kept": best,
        "user": columns.user,
        "item": columns.item,
        "strength": columns.strength,
        "time_column": columns.time,
        "interactions": {"train": comparison.n_rows["train"], "validation": comparison.n_rows["test"]},
        "users": len(kept.users_),
        "items": len(kept.items_),
        "split": comparison.split,
        "tested_users": len(comparison.by_user),
        "summary": comparison.summarise(),
        "notes": comparison.notes,
        "fit_seconds": round(float(table.loc[best, "fit_seconds"]), 3),
        "random_state": random_state,
    }
    rows = [best, *(name for name in table.index if name != best)]
    return RankingRun(kept, metadata, {str(name): table.loc[name].to_dict() for name in rows}, None)


def _check_several(frame: pd.DataFrame, kind: str, name: str) -> None:
    first = frame[name].iloc[0]
    if isinstance(first, list | set | np.ndarray):
        raise TypeError(f"Column {name!r} holds lists: give each {kind} its own row, as in frame.explode({name!r}).")
    if frame[name].nunique() == 1:
        raise ValueError(
            f"All {len(frame):,} interactions have the same {kind}, {frame[name].iloc[0]!r} in the column {name!r}, "
            f"but recommenders learn from several users and items. If another column holds the {kind}s, name it."
        )


def _make(name: str, options: dict[str, Any], random_state: int, time: str | None) -> Any:
    estimator = getattr(tabrec, name)(**options)  # Imported by name, so that only models that need torch load it.
    if name == _RECOMMENDERS["two-stage"]:
        estimator.set_params(time=time)
    return estimator.set_params(random_state=random_state) if "random_state" in estimator.get_params() else estimator
