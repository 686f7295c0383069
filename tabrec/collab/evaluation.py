"""`evaluate`: errors and ranking metrics of a recommender in one table, beside two baselines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from sklearn.utils.validation import _is_fitted

from tabrec.collab._matches import match, ndcg_by_user
from tabrec.collab.interactions import Interactions, sort_interactions
from tabrec.collab.metrics import per_user_rmse, rank_metrics
from tabrec.collab.ranking import rank_all
from tabrec.collab.rating_columns import RatingColumns, find_rating_columns
from tabrec.collab.sides import KINDS, Side, learn_side
from tabrec.tables.columns import as_frame, to_columns
from tabrec.tables.messages import warn_caller
from tabrec.tables.target import check_target

# Ratings of the mean value that damp a bias. Tuned on MovieLens 100k so that the baseline is strong.
DAMPING = {"user": 5.0, "item": 3.0}
_N_ROUNDS = 10


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
    """Score a recommender on held-out ratings, beside biases alone and the most popular items.

    Parameters
    ----------
    model : recommender
        Recommender fitted to `train`. If it is not fitted, a clone is.
    train, test : table of shape (n_ratings, n_columns)
        Ratings, with the columns that the model takes and a column of the rating. Rows without a user or an item are
        left out.
    rating : str, default=None
        Column of the ratings; None finds it by usual names, such as "stars", or as the only other column of numbers.
    k : int, default=10
        Number of items to recommend to each user of `test`, among all items of `train`.
    threshold : float, default=None
        Smallest rating of a relevant test row; None uses the mean of `train`.
    exclude_seen : bool, default=True
        Whether to recommend only items that the user has not rated in `train`. Test rows that repeat a pair of `train`
        are then not relevant, with a warning. False is for what users take again.

    Returns
    -------
    pandas.DataFrame
        A row for the model, one for biases alone (rating = mean + user bias + item bias, damped) and one for the most
        popular items. Errors of ratings: `rmse`, `mae`, `rmse_per_user` (see `per_user_rmse`), `rmse_cold` (rows whose
        user or item has no rating in `train`) and `rmse_warm` (the other rows), with the numbers of rows in `n_cold`
        and `n_warm`. Metrics of recommendations: see `rank_metrics`. ``attrs["columns"]`` has the names of the columns
        of users, items and ratings. A warning says if the most popular items have a clearly higher NDCG, by more than
        two standard errors of the difference over users.

    Raises
    ------
    ValueError
        A column is missing, or a table has no rows.

    See Also
    --------
    rank_metrics : The metrics of recommendations.
    LeaveLastOut, PerUserSplit : Splits of ratings for cross-validation.

    References
    ----------
    Cremonesi, Koren & Turrin (2010), "Performance of recommender algorithms on top-n recommendation tasks", on
    popular items as a strong baseline.

    Examples
    --------
    >>> from tabrec import BayesianFactorization
    >>> from tabrec.collab import evaluate
    >>> from tabrec.datasets import make_ratings
    >>> ratings = make_ratings(20_000, n_users=200, n_items=300, random_state=0)
    >>> table = evaluate(BayesianFactorization(n_sweeps=40, random_state=0), ratings[::2], ratings[1::2])
    >>> table.index.tolist()
    ['BayesianFactorization', 'biases only', 'most popular']
    >>> bool(table.loc["BayesianFactorization", "rmse"] < table.loc["biases only", "rmse"])
    True
    """
    frames = as_frame(train), as_frame(test)
    names = _find_columns(model, frames[0], rating)
    (X, y), (X_test, y_test) = (_split_rating(frame, names) for frame in frames)
    if not _is_fitted(model):
        model = clone(model).fit(X, y)
    (X, y), (X_test, y_test) = (_drop_missing_ids(model, *both) for both in ((X, y), (X_test, y_test)))
    users, items = (learn_side(_ids(X, name), "", None) for name in (model.user_name_, model.item_name_))
    ratings, _ = sort_interactions(
        users.ids.encode(_ids(X, model.user_name_)), items.ids.encode(_ids(X, model.item_name_)), y, None
    )
    user_codes = users.ids.encode(_ids(X_test, model.user_name_))
    item_codes = items.ids.encode(_ids(X_test, model.item_name_))
    biases = fit_biases(ratings, users.n_codes, items.n_codes)
    is_cold = (user_codes == 0) | (item_codes == 0)
    by_biases = np.clip(biases.predict(user_codes, item_codes), ratings.values.min(), ratings.values.max())
    test_users = X_test[model.user_name_].to_numpy()
    liked = y_test >= (ratings.mean() if threshold is None else threshold)
    if exclude_seen:
        liked &= ~_find_repeated(ratings, user_codes, item_codes)
    relevant = pd.DataFrame({"user": test_users[liked], "item": X_test[model.item_name_].to_numpy()[liked]})
    # Users are counted, not ratings: a pair may be rated more than once.
    raters = np.unique(np.stack([ratings.users, ratings.items]), axis=1)[1]
    popularity = pd.Series(np.bincount(raters, minlength=items.n_codes)[1:], index=items.ids.index)

    def find(recommended: pd.DataFrame) -> dict:
        if not len(relevant) or not len(recommended):
            return {}
        found = rank_metrics(
            recommended, relevant, k, items=items.ids.index, popularity=popularity, n_users=users.n_codes - 1
        )
        return dict(found)

    asked = np.asarray(pd.unique(relevant["user"]))
    seen = ratings if exclude_seen else None
    popular = _recommend_same(ratings.counts("item", items.n_codes), asked, users, items, k, seen)
    of_model = model.recommend(asked, k, exclude_seen=exclude_seen) if len(asked) else popular
    name = type(model).__name__
    if len(of_model) and len(popular):
        _warn_if_popularity_wins(name, of_model, popular, relevant, k)
    rows = {
        name: _errors(y_test, model.predict(X_test), test_users, is_cold) | find(of_model),
        "biases only": _errors(y_test, by_biases, test_users, is_cold)
        | find(_recommend_same(biases.item, asked, users, items, k, seen)),
        "most popular": find(popular),
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.attrs["columns"] = names._asdict()
    return table


def _find_repeated(ratings: Interactions, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Whether pairs of codes are among the ratings, with a warning of their number."""
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
    own, theirs = (ndcg_by_user(match(recommended, relevant, k)) for recommended in (found, popular))
    gap = theirs - own
    if len(gap) > 1 and gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(len(gap)):
        warn_caller(
            f"{name} ranks worse than the most popular items: its NDCG@{k} is {own.mean():.3f}, theirs "
            f"{theirs.mean():.3f}. To recommend what users take next, use EASE, ImplicitALS, BPR or ItemKNN."
        )


def _find_columns(model: Any, train: pd.DataFrame, rating: str | None) -> RatingColumns:
    fitted = _is_fitted(model)
    user, item = (getattr(model, f"{kind}_name_" if fitted else kind) for kind in KINDS)
    return find_rating_columns(train, user=user, item=item, rating=rating)


def _split_rating(frame: pd.DataFrame, names: RatingColumns) -> tuple[pd.DataFrame, np.ndarray]:
    """The columns that the model takes, ids first, and the ratings."""
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ValueError(f"test has no column {absent[0]!r}, unlike train; it has {frame.columns.tolist()[:20]}.")
    y = check_target(frame[names.rating], len(frame), f"evaluate of column {names.rating!r}", numeric=True)
    rest = [name for name in frame.columns if name not in names]
    return frame[[names.user, names.item, *rest]], y.astype(np.float64)


def _drop_missing_ids(model: Any, X: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows that have a user and an item."""
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
    """Recommendations by the same scores for every user, without the items that the user has seen."""

    def score_block(codes: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        return np.tile(scores[candidates].astype(np.float64), (len(codes), 1))

    codes = users.ids.encode_list(asked)
    owner, rank, found, score = rank_all(score_block, codes, items.known(), k, [] if seen is None else [(seen, codes)])
    return pd.DataFrame({"user": asked[owner], "rank": rank, "item": items.ids.names_of(found), "score": score})


class Biases(NamedTuple):
    """rating = mean + user[code] + item[code]; code 0 has none."""

    mean: float
    user: np.ndarray
    item: np.ndarray

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.mean + self.user[users] + self.item[items]


def fit_biases(ratings: Interactions, n_users: int, n_items: int) -> Biases:
    """Damped biases by alternating least squares.

    As in Koren (2010), "Factor in the neighbors: scalable and accurate collaborative filtering", section 2.1.
    """
    weights = np.ones(len(ratings)) if ratings.weights is None else ratings.weights
    gaps = ratings.values - ratings.mean()
    user, item = np.zeros(n_users), np.zeros(n_items)
    for _ in range(_N_ROUNDS):
        item = _damped(ratings.items, gaps - user[ratings.users], weights, n_items, DAMPING["item"])
        user = _damped(ratings.users, gaps - item[ratings.items], weights, n_users, DAMPING["user"])
    return Biases(ratings.mean(), user, item)


def _damped(codes: np.ndarray, gaps: np.ndarray, weights: np.ndarray, n_codes: int, damping: float) -> np.ndarray:
    sums = np.bincount(codes, gaps * weights, minlength=n_codes)
    return sums / (np.bincount(codes, weights, minlength=n_codes) + damping)
