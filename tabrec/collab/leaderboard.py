"""`compare_recommenders`: fit recommenders to the same interactions, and test them on held-out ones."""

from __future__ import annotations

import time as clock
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone, is_regressor
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from tabrec.collab._matches import BY_USER, match
from tabrec.collab.comparison import RecommenderComparison
from tabrec.collab.evaluation_splits import SPLITS, hold_out_interactions
from tabrec.collab.ids import labels_by_row
from tabrec.collab.metrics import coverage, gini, intra_list_diversity, novelty, popularity_bias, serendipity
from tabrec.collab.popular import Popular
from tabrec.collab.rating_columns import InteractionColumns, find_interaction_columns
from tabrec.collab.reader import as_pairs
from tabrec.tables.columns import to_columns
from tabrec.tables.messages import warn_caller
from tabrec.tables.target import check_target

_POPULAR = "Popular"
_COUNT = Interval(Integral, 1, None, closed="left")


@validate_params(
    {
        "split": [StrOptions(set(SPLITS)), None],
        "test_size": [Interval(Real, 0, None, closed="neither"), None],
        "threshold": [Real, None],
        "k": [_COUNT],
        "exclude_seen": ["boolean"],
        "random_state": [Integral],
    },
    prefer_skip_nested_validation=False,
)
def compare_recommenders(
    models: Any,
    interactions: Any,
    *,
    split: str | None = None,
    test_size: float | int | None = None,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    strength: str | None = None,
    threshold: float | None = None,
    k: int = 10,
    exclude_seen: bool = True,
    random_state: int = 0,
) -> RecommenderComparison:
    """Compare recommenders by their recommendations for users whose later interactions are held out.

    Each model is fitted to the same training rows and recommends, from all items of these rows, k items to each user
    of the test rows. `Popular` is always among the models.

    Parameters
    ----------
    models : dict of str to recommender, or list of recommenders
        Recommenders of ratings or of interactions; clones are fitted. A list is named by classes.
    interactions : table of shape (n_interactions, n_columns)
        Ids of users and items and, if present, times and strengths (or ratings). Rows without a user or an
        item are left out, with a warning.
    split : {"time", "last", "random"}, default=None
        "time" tests on the latest interactions of all users, "last" on the last ones of each user, "random" on a random
        part. Only "time" tests on the future: with the others, models learn from later rows of other users.
        None uses "time" if there are times, otherwise "random".
    test_size : float or int, default=None
        Share of the test rows (less than 1) or their number; for "last", the number of test rows of each user. None is
        0.2, and 1 for "last".
    user, item, time, strength : str, default=None
        Columns; None finds them by usual names, such as "userId", "timestamp", "rating" or "count".
    threshold : float, default=None
        Smallest strength of a relevant test row; None makes all test rows relevant.
    k : int, default=10
        Number of recommendations for each user.
    exclude_seen : bool, default=True
        Whether to recommend only items that the user does not have in the training rows. Test rows that repeat such a
        pair are then not relevant. False suits items that users take again.
    random_state : int, default=0
        Seed of the random split. Models have their own.

    Returns
    -------
    RecommenderComparison
        A leaderboard, the metrics of each user, standard errors, tests of the differences and a plot.

    Raises
    ------
    ValueError
        A column is missing, no test row is relevant, or a model that predicts ratings is compared without strengths.

    Warns
    -----
    UserWarning
        A random split is used beside a column of times, or rows have no id.

    See Also
    --------
    evaluate : Scores one recommender on a given split, with errors of ratings.
    make_ranking_scorer : A scorer for `GridSearchCV` and `HalvingRandomSearchCV`.

    References
    ----------
    .. [1] Y. Ji et al., "A Critical Study on Data Leakage in Recommender System Offline Evaluation", ACM Transactions
       on Information Systems 41 (3), 2023.
    .. [2] W. Krichene and S. Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020: why all items are ranked.

    Examples
    --------
    >>> from tabrec import EASE, ItemKNN
    >>> from tabrec.collab import compare_recommenders
    >>> from tabrec.datasets import make_interactions
    >>> clicks = make_interactions(5_000, random_state=0).drop(columns=["timestamp", "position"])
    >>> comparison = compare_recommenders([EASE(), ItemKNN()], clicks)
    >>> sorted(comparison.table.index)
    ['EASE', 'ItemKNN', 'Popular']
    >>> bool(comparison.table.loc["EASE", "ndcg"] > comparison.table.loc["Popular", "ndcg"])
    True
    """
    named = _name_models(models)
    frame = as_pairs(interactions)
    columns = find_interaction_columns(frame, user=user, item=item, strength=strength, time=time)
    _check_strengths(named, columns)
    frame = _drop_missing_ids(frame, columns)
    held_out = hold_out_interactions(frame, columns, split, test_size, random_state)
    task = _Task.make(frame, columns, held_out.train, held_out.test, threshold, exclude_seen, k)
    results = {name: _run(name, model, task) for name, model in named.items()}
    expected = results[_popular_name(named)].recommended
    rows = {name: _summarise(result, expected, task) for name, result in results.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").sort_values("ndcg", ascending=False, kind="stable")
    by_user = pd.concat({name: results[name].by_user for name in table.index}, axis=1).swaplevel(axis=1)
    return RecommenderComparison(
        table=table,
        by_user=by_user.sort_index(axis=1, level=0, sort_remaining=False),
        split=held_out.description,
        n_rows={"train": len(held_out.train), "test": len(held_out.test)},
        k=k,
        notes=_notes(columns, held_out.description, task),
    )


class _Task(NamedTuple):
    """The training rows and the relevant test pairs; tables have the columns user and item."""

    X: pd.DataFrame
    y: np.ndarray | None
    columns: InteractionColumns
    taken: pd.DataFrame  # the training pairs
    warm: pd.DataFrame  # relevant pairs of known users and items
    cold_users: pd.DataFrame  # relevant pairs of unknown users and known items
    cold_items: pd.DataFrame  # relevant pairs of unknown items
    n_repeated: int
    exclude_seen: bool
    k: int

    @classmethod
    def make(
        cls,
        frame: pd.DataFrame,
        columns: InteractionColumns,
        train: np.ndarray,
        test: np.ndarray,
        threshold: float | None,
        exclude_seen: bool,
        k: int,
    ) -> _Task:
        y = None
        if columns.strength is not None:
            y = check_target(frame[columns.strength], len(frame), f"column {columns.strength!r}", numeric=True)
            y = np.asarray(y, dtype=np.float64)
        ids = to_columns(frame[[columns.user, columns.item]])
        pairs = pd.DataFrame({kind: labels_by_row(ids[getattr(columns, kind)]) for kind in ("user", "item")})
        taken = pairs.iloc[train]
        is_relevant = np.ones(len(test), dtype=bool)
        if threshold is not None:
            if y is None:
                raise ValueError(f"threshold={threshold!r} needs strengths: there is no column of them.")
            is_relevant = y[test] >= threshold
        relevant = pairs.iloc[test[is_relevant]].drop_duplicates()
        repeated = pd.MultiIndex.from_frame(relevant).isin(pd.MultiIndex.from_frame(taken)) & exclude_seen
        relevant = relevant[~repeated]
        knows_user, knows_item = (relevant[kind].isin(taken[kind]).to_numpy() for kind in ("user", "item"))
        if not (knows_user & knows_item).any():
            raise ValueError(
                f"None of the {len(test)} test rows is a relevant pair of a user and an item of the training rows: "
                f"{_count_unknown(pairs.iloc[test], taken, repeated.sum())}. Hold out other rows (test_size, split) or "
                "lower the threshold."
            )
        rest = [name for name in frame.columns if name not in columns]
        rest += [name for name in (columns.time,) if name is not None]
        return cls(
            X=frame[[columns.user, columns.item, *rest]].iloc[train],
            y=None if y is None else y[train],
            columns=columns,
            taken=taken,
            warm=relevant[knows_user & knows_item],
            cold_users=relevant[~knows_user & knows_item],
            cold_items=relevant[~knows_item],
            n_repeated=int(repeated.sum()),
            exclude_seen=exclude_seen,
            k=k,
        )


def _count_unknown(tested: pd.DataFrame, taken: pd.DataFrame, n_repeated: int) -> str:
    """Describe in words why test rows are not relevant."""
    new = [f"{(~tested[kind].isin(taken[kind])).sum()} have a new {kind}" for kind in ("user", "item")]
    return f"{', '.join(new)}, and {n_repeated} repeat a training pair"


class _Result(NamedTuple):
    """The recommendations of one model for the users of warm pairs, and its metrics by user."""

    recommended: pd.DataFrame
    by_user: pd.DataFrame
    ndcg_cold_users: float
    ndcg_cold_items: float
    fit_seconds: float
    recommend_seconds: float


def _run(name: str, model: Any, task: _Task) -> _Result:
    model = clone(model)
    model.set_params(
        **{kind: getattr(task.columns, kind) for kind in ("user", "item") if getattr(model, kind, "") is None}
    )
    started = clock.perf_counter()
    model.fit(task.X, task.y)
    fitted = clock.perf_counter()
    recommended = _recommend(model, task.warm, task)
    seconds = clock.perf_counter() - fitted
    if not len(recommended):
        raise ValueError(f"{name} recommends nothing to any of the {task.warm['user'].nunique()} users of the test.")
    matches = match(recommended, task.warm, task.k)
    by_user = pd.DataFrame(
        {metric: values(matches) for metric, values in BY_USER.items()}, index=pd.Index(task.warm["user"].unique())
    )
    return _Result(
        recommended,
        by_user,
        ndcg_cold_users=_mean_ndcg(model, task.cold_users, task),
        ndcg_cold_items=_ndcg_of_cold_items(model, task),
        fit_seconds=fitted - started,
        recommend_seconds=seconds,
    )


def _recommend(model: Any, relevant: pd.DataFrame, task: _Task, **options: Any) -> pd.DataFrame:
    return model.recommend(relevant["user"].unique(), task.k, exclude_seen=task.exclude_seen, **options)


def _mean_ndcg(model: Any, relevant: pd.DataFrame, task: _Task, **options: Any) -> float:
    if not len(relevant):
        return np.nan
    return float(BY_USER["ndcg"](match(_recommend(model, relevant, task, **options), relevant, task.k)).mean())


def _ndcg_of_cold_items(model: Any, task: _Task) -> float:
    """Return the NDCG over items without training rows, if a model knows some by their features."""
    features = getattr(model, "item_features", None)
    if features is None or not len(task.cold_items):
        return np.nan
    try:
        return _mean_ndcg(model, task.cold_items, task, candidates=task.cold_items["item"].unique())
    except ValueError:  # the model knows none of them
        return np.nan


def _summarise(result: _Result, expected: pd.DataFrame, task: _Task) -> dict[str, float]:
    """Return the row of a model on the leaderboard."""
    recommended, k = result.recommended, task.k
    popularity = task.taken.drop_duplicates()["item"].value_counts()
    means = result.by_user.mean()
    n_users = len(result.by_user)
    error = result.by_user["ndcg"].std(ddof=1) / np.sqrt(n_users) if n_users > 1 else np.nan
    return {
        "ndcg": means["ndcg"],
        "ndcg_se": error,
        **means.drop("ndcg"),
        "coverage": coverage(recommended, popularity.index, k),
        "gini": gini(recommended, popularity.index, k),
        "novelty": novelty(recommended, popularity, task.taken["user"].nunique(), k),
        "popularity_bias": popularity_bias(recommended, task.warm, popularity, k),
        "diversity": intra_list_diversity(recommended, task.taken, k),
        "serendipity": serendipity(recommended, task.warm, expected, k),
        "ndcg_cold_users": result.ndcg_cold_users,
        "ndcg_cold_items": result.ndcg_cold_items,
        "fit_seconds": result.fit_seconds,
        "recommend_seconds": result.recommend_seconds,
    }


def _notes(columns: InteractionColumns, description: str, task: _Task) -> list[str]:
    notes = [
        f"Columns: {columns}.",
        f"Tested on {description}: {len(task.warm):,} pairs of {task.warm['user'].nunique():,} users, among "
        f"{task.taken['item'].nunique():,} items, after {len(task.taken):,} training rows.",
    ]
    if len(task.cold_users):
        notes.append(f"Users without training rows, scored apart: {task.cold_users['user'].nunique():,}.")
    if len(task.cold_items):
        notes.append(
            f"Items without training rows, scored apart for models with item_features: "
            f"{task.cold_items['item'].nunique():,}."
        )
    if task.n_repeated:
        notes.append(
            f"{task.n_repeated:,} test pairs repeat training pairs and are left out; exclude_seen=False counts them."
        )
    return notes


def _name_models(models: Any) -> dict[str, Any]:
    if isinstance(models, Mapping):
        named = {str(name): model for name, model in models.items()}
    elif isinstance(models, Iterable) and not isinstance(models, str):
        named = {}
        for model in models:
            name = type(model).__name__
            same = [known for known in named if known == name or known.startswith(f"{name} ")]
            named[f"{name} {len(same) + 1}" if same else name] = model
    else:
        raise TypeError(f"models must be a dict or a list of recommenders, not {models!r}.")
    wrong = [name for name, model in named.items() if not hasattr(model, "recommend") or isinstance(model, type)]
    if wrong or not named:
        raise TypeError(
            f"models must be recommenders such as EASE(); {named[wrong[0]]!r} is not one." if wrong
            else "models is empty: give at least one recommender."
        )  # fmt: skip
    if not any(isinstance(model, Popular) for model in named.values()):
        named[_POPULAR] = Popular()
    return named


def _popular_name(named: dict[str, Any]) -> str:
    return next(name for name, model in named.items() if isinstance(model, Popular))


def _check_strengths(named: dict[str, Any], columns: InteractionColumns) -> None:
    raters = [name for name, model in named.items() if is_regressor(model)]
    if raters and columns.strength is None:
        raise ValueError(
            f"{raters[0]} predicts ratings, but no column holds them: name it with strength='column', or compare "
            "models of interactions only."
        )


def _drop_missing_ids(frame: pd.DataFrame, columns: InteractionColumns) -> pd.DataFrame:
    missing = frame[[columns.user, columns.item]].isna().any(axis=1).to_numpy()
    if missing.any():
        warn_caller(f"{int(missing.sum())} of {len(frame)} interactions have no user or no item and are left out.")
    if missing.all():
        raise ValueError("No row has both the id of a user and that of an item.")
    return frame[~missing].reset_index(drop=True)
