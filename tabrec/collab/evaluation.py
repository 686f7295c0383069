"""`evaluate`: errors and ranking metrics of a recommender and of baselines in one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_regressor
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.utils.validation import _is_fitted

from tabrec.collab._matches import BY_USER, match
from tabrec.collab.bias_baseline import fit_biases
from tabrec.collab.evaluation_splits import warn_of_time_order
from tabrec.collab.interactions import Interactions, sort_interactions
from tabrec.collab.metrics import per_user_rmse, rank_metrics
from tabrec.collab.ranking import rank_all
from tabrec.collab.rating_columns import find_interaction_columns, find_rating_columns, is_named_rating
from tabrec.collab.reader import as_pairs
from tabrec.collab.sides import KINDS, Side, learn_side
from tabrec.tables.columns import to_columns
from tabrec.tables.messages import warn_caller
from tabrec.tables.target import check_target


def evaluate(
    model: Any,
    train: Any,
    test: Any,
    *,
    rating: str | None = None,
    k: int = 10,
    threshold: float | None = None,
    exclude_seen: bool = True,
) -> pd.DataFrame:
    """Score a recommender on held-out ratings or interactions, compared with biases alone and the most popular items.

    Parameters
    ----------
    model : recommender
        Recommender fitted to `train`. If it is not fitted, a clone is.
    train, test : table of shape (n_ratings, n_columns)
        Ratings or interactions, with the columns that the model takes and, where the model predicts ratings, a column
        of the rating. Rows without a user or an item are left out.
    rating : str, default=None
        Column of the ratings, or of the strengths of interactions. None finds ratings by usual names, such as "stars",
        or as the only other column of numbers, with a warning; strengths only by names, such as "rating" or "count".
    k : int, default=10
        Number of items to recommend to each user of `test`, among all items of `train`.
    threshold : float, default=None
        Smallest rating of a relevant test row. None uses the mean of `train` if the model predicts ratings; otherwise
        all test rows are relevant.
    exclude_seen : bool, default=True
        Whether to recommend only items that the user has not rated in `train`. Test rows that repeat a pair of `train`
        are then not relevant, with a warning. False suits items that users take again.

    Returns
    -------
    pandas.DataFrame
        A row for the model, one for biases alone (rating = mean + user bias + item bias, damped; not for models of
        interactions) and one for the most popular items. Errors of ratings, for models that predict them: `rmse`,
        `mae`, `rmse_per_user` (see `per_user_rmse`), `rmse_cold` (rows whose user or item has no rating in `train`)
        and `rmse_warm` (the other rows), with the numbers of rows in `n_cold` and `n_warm`. Metrics of
        recommendations: see `rank_metrics`; `ndcg_se` is the standard error of `ndcg` over users, `ndcg_cold` the NDCG
        of the users without a row in `train`, `ndcg_warm` that of the others. ``attrs["columns"]`` has the names of
        the columns of users, items and ratings.

    Raises
    ------
    ValueError
        A column is missing, or a table has no rows.

    Warns
    -----
    UserWarning
        The most popular items have a clearly higher NDCG, by more than two standard errors of the difference over
        users; all ratings of `train` are equal; a column was taken for the ratings by its content alone; `train` has
        rows later than rows of `test`.

    See Also
    --------
    compare_recommenders : Splits interactions and compares several models, with tests of their differences.
    rank_metrics : The metrics of recommendations.
    LeaveLastOut, PerUserSplit : Splits of ratings for cross-validation.

    References
    ----------
    Cremonesi, Koren & Turrin (2010), "Performance of recommender algorithms on top-n recommendation tasks", on
    popular items as a strong baseline.

    Examples
    --------
    >>> from tabrec import BayesianFactorization, EASE
    >>> from tabrec.collab import evaluate
    >>> from tabrec.datasets import make_interactions, make_ratings
    >>> ratings = make_ratings(20_000, n_users=200, n_items=300, random_state=0).drop(columns="timestamp")
    >>> table = evaluate(BayesianFactorization(n_sweeps=40, random_state=0), ratings[::2], ratings[1::2])
    >>> table.index.tolist()
    ['BayesianFactorization', 'biases only', 'most popular']
    >>> bool(table.loc["BayesianFactorization", "rmse"] < table.loc["biases only", "rmse"])
    True

    Clicks have no ratings:

    >>> clicks = make_interactions(5_000, random_state=0)[["user", "item"]]
    >>> table = evaluate(EASE(), clicks[::2], clicks[1::2])
    >>> bool(table.loc["EASE", "ndcg"] > table.loc["most popular", "ndcg"])
    True
    """
    frames = as_pairs(train), as_pairs(test)
    names = _find_columns(model, frames[0], rating)
    (X, y), (X_test, y_test) = (_split_rating(frame, names) for frame in frames)
    name, predicts_ratings = type(model).__name__, is_regressor(model)
    if not _is_fitted(model):
        model = clone(model).fit(X, None if names["rating"] is None else y)
    elif predicts_ratings and (y == y[0]).all():
        warn_caller(f"All ratings of train are {y[0]:g}: errors of ratings say nothing about {name}.")
    (X, y), (X_test, y_test) = (_drop_missing_ids(model, *both) for both in ((X, y), (X_test, y_test)))
    warn_of_time_order(X, X_test)
    users, items = (learn_side(_ids(X, name), "", None) for name in (model.user_name_, model.item_name_))
    ratings, _ = sort_interactions(
        users.ids.encode(_ids(X, model.user_name_)), items.ids.encode(_ids(X, model.item_name_)), y, None
    )
    user_codes = users.ids.encode(_ids(X_test, model.user_name_))
    item_codes = items.ids.encode(_ids(X_test, model.item_name_))
    test_users = X_test[model.user_name_].to_numpy()
    liked = y_test >= (threshold if threshold is not None else ratings.mean() if predicts_ratings else -np.inf)
    if exclude_seen:
        liked &= ~_find_repeated(ratings, user_codes, item_codes)
    relevant = pd.DataFrame({"user": test_users[liked], "item": X_test[model.item_name_].to_numpy()[liked]})
    is_cold = pd.Series(user_codes[liked] == 0).groupby(pd.factorize(relevant["user"])[0]).first().to_numpy()
    popularity = _count_users(ratings, items)

    def find(recommended: pd.DataFrame) -> dict:
        if not len(relevant) or not len(recommended):
            return {}
        found = rank_metrics(
            recommended, relevant, k, items=items.ids.index, popularity=popularity, n_users=users.n_codes - 1
        )
        return dict(found) | _describe_ndcg(recommended, relevant, k, is_cold)

    asked = np.asarray(pd.unique(relevant["user"]))
    seen = ratings if exclude_seen else None
    popular = _recommend_same(ratings.counts("item", items.n_codes), asked, users, items, k, seen)
    of_model = model.recommend(asked, k, exclude_seen=exclude_seen) if len(asked) else popular
    if len(of_model) and len(popular):
        _warn_if_popularity_wins(name, of_model, popular, relevant, k)
    rows = {name: find(of_model), "most popular": find(popular)}
    if predicts_ratings:
        biases = fit_biases(ratings, users.n_codes, items.n_codes)
        rows["biases only"] = find(_recommend_same(biases.item, asked, users, items, k, seen))
        by_biases = np.clip(biases.predict(user_codes, item_codes), ratings.values.min(), ratings.values.max())
        is_cold_row = (user_codes == 0) | (item_codes == 0)
        predicted = {name: model.predict(X_test), "biases only": by_biases}
        errors = {row: _errors(y_test, values, test_users, is_cold_row) for row, values in predicted.items()}
        rows = {row: errors.get(row, {}) | rows[row] for row in (name, "biases only", "most popular")}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.attrs["columns"] = names
    return table


def _count_users(ratings: Interactions, items: Side) -> pd.Series:
    """Count the users of each item, by id; repeated ratings of a pair count once."""
    raters = np.unique(np.stack([ratings.users, ratings.items]), axis=1)[1]
    return pd.Series(np.bincount(raters, minlength=items.n_codes)[1:], index=items.ids.index)


def _find_repeated(ratings: Interactions, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return a mask of pairs that are among the ratings, and warn of their number."""
    n_items = int(max(ratings.items.max(), items.max(initial=0))) + 1
    pairs = [own.astype(np.int64) * n_items + other for own, other in ((ratings.users, ratings.items), (users, items))]
    repeated = np.isin(pairs[1], pairs[0])
    if repeated.any():
        warn_caller(
            f"{int(repeated.sum())} of {len(users)} test ratings are of pairs that are in train too, which cannot be "
            "recommended: they are not counted as relevant. If users take items again, pass exclude_seen=False."
        )
    return repeated


def _warn_if_popularity_wins(name: str, found: pd.DataFrame, popular: pd.DataFrame, relevant: Any, k: int) -> None:
    own, theirs = (BY_USER["ndcg"](match(recommended, relevant, k)) for recommended in (found, popular))
    gap = theirs - own
    if len(gap) > 1 and gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(len(gap)):
        warn_caller(
            f"{name} ranks worse than the most popular items: its NDCG@{k} is {own.mean():.3f}, theirs "
            f"{theirs.mean():.3f}. To recommend what users take next, use EASE, ImplicitALS, BPR or ItemKNN."
        )


def _describe_ndcg(recommended: pd.DataFrame, relevant: pd.DataFrame, k: int, is_cold: np.ndarray) -> dict[str, float]:
    """Return the standard error of NDCG, and the NDCG of users with and without training rows."""
    ndcg = BY_USER["ndcg"](match(recommended, relevant, k))
    return {
        "ndcg_se": float(ndcg.std(ddof=1) / np.sqrt(len(ndcg))) if len(ndcg) > 1 else np.nan,
        "ndcg_warm": float(ndcg[~is_cold].mean()) if not is_cold.all() else np.nan,
        "ndcg_cold": float(ndcg[is_cold].mean()) if is_cold.any() else np.nan,
    }


def _find_columns(model: Any, train: pd.DataFrame, rating: str | None) -> dict[str, str | None]:
    fitted = _is_fitted(model)
    user, item = (getattr(model, f"{kind}_name_" if fitted else kind) for kind in KINDS)
    if not is_regressor(model):
        columns = find_interaction_columns(train, user=user, item=item, strength=rating)
        return {"user": columns.user, "item": columns.item, "rating": columns.strength}
    names = find_rating_columns(train, user=user, item=item, rating=rating)
    if rating is None and not is_named_rating(names.rating):
        warn_caller(
            f"The column {names.rating!r} is taken for the ratings, as the only other column of numbers. If it holds "
            "something else, name the column of the ratings: evaluate(..., rating='column')."
        )
    return names._asdict()


def _split_rating(frame: pd.DataFrame, names: dict[str, str | None]) -> tuple[pd.DataFrame, np.ndarray]:
    """Split a frame into the columns of the model, ids first, and ratings, 1 if there are none."""
    absent = [name for name in names.values() if name is not None and name not in frame.columns]
    if absent:
        raise ValueError(f"test has no column {absent[0]!r}, unlike train; it has {frame.columns.tolist()[:20]}.")
    if not len(frame):
        raise ValueError("evaluate was given a table with no rows.")
    rating = names["rating"]
    y = np.ones(len(frame))
    if rating is not None:
        y = check_target(frame[rating], len(frame), f"evaluate of column {rating!r}", numeric=True).astype(np.float64)
    rest = [name for name in frame.columns if name not in names.values()]
    return frame[[names["user"], names["item"], *rest]], y


def _drop_missing_ids(model: Any, X: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Drop the rows without a user or an item."""
    names = [model.user_name_, model.item_name_]
    has_ids = ~X[names].isna().any(axis=1).to_numpy()
    if not has_ids.any():
        raise ValueError(f"No row has both a {names[0]} and a {names[1]}.")
    return X[has_ids], y[has_ids]


def _ids(X: pd.DataFrame, name: str) -> Any:
    return to_columns(X[[name]])[name]


def _errors(y: np.ndarray, predicted: np.ndarray, users: np.ndarray, is_cold: np.ndarray) -> dict[str, float]:
    def rmse(rows: np.ndarray) -> float:
        return root_mean_squared_error(y[rows], predicted[rows]) if rows.any() else np.nan

    return {
        "rmse": rmse(np.ones(len(y), dtype=bool)),
        "mae": mean_absolute_error(y, predicted),
        "rmse_per_user": per_user_rmse(y, predicted, users),
        "rmse_warm": rmse(~is_cold),
        "n_warm": int((~is_cold).sum()),
        "rmse_cold": rmse(is_cold),
        "n_cold": int(is_cold.sum()),
    }


def _recommend_same(
    scores: np.ndarray, asked: np.ndarray, users: Side, items: Side, k: int, seen: Interactions | None
) -> pd.DataFrame:
    """Recommend items by the same scores to every user, without the items that the user has seen."""

    def score_block(codes: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        return np.tile(scores[candidates].astype(np.float64), (len(codes), 1))

    codes = users.ids.encode_list(asked)
    owner, rank, found, score = rank_all(score_block, codes, items.known(), k, [] if seen is None else [(seen, codes)])
    return pd.DataFrame({"user": asked[owner], "rank": rank, "item": items.ids.names_of(found), "score": score})
