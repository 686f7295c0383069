"""Scorers for cross-validation and searches: errors of ratings by user, and ranking metrics."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from tabrec.collab._matches import BY_USER, match, mean_metric
from tabrec.collab.ids import labels_by_row
from tabrec.tables.columns import is_table, read_frame, to_columns


def per_user_rmse(y_true: Any, y_pred: Any, users: Any, sample_weight: Any = None) -> float:
    """Root mean squared error of each user's ratings, mean over users.

    ``1/|U| · Σ_u sqrt(Σ_i w_i (y_i - ŷ_i)² / Σ_i w_i)``, i over the ratings of user u.

    Every user has the same weight. The RMSE over all ratings gives every rating the same weight, so that users with
    many ratings dominate. The two differ on the same predictions, usually in the second decimal, and must not be
    compared.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_ratings,)
        Ratings and predicted ratings.
    users : array-like of shape (n_ratings,)
        Id of the user of each rating.
    sample_weight : array-like of shape (n_ratings,), default=None
        Weight w of each rating among those of its user, at least 0. None weights all ratings equally. Users whose
        weights are all 0 are left out.

    Returns
    -------
    rmse : float
        At least 0, in units of the rating.

    Raises
    ------
    ValueError
        If the lengths differ, there are no ratings, a number is not finite, a user is missing, or weights are
        negative or all 0.

    See Also
    --------
    per_user_rmse_scorer : The negated error as a scorer.
    evaluate : This and other errors, with baselines.

    References
    ----------
    .. [1] M. D. Ekstrand et al., "Rethinking the Recommender Research Ecosystem: Reproducibility, Openness,
       and LensKit", RecSys 2011.

    Examples
    --------
    >>> from tabrec.collab.metrics import per_user_rmse
    >>> per_user_rmse([5, 3, 4, 4], [3, 3, 4, 2], users=["ann", "bob", "bob", "ann"])  # ann 2, bob 0
    1.0
    """
    squares = (_read_numbers(y_true, "y_true") - _read_numbers(y_pred, "y_pred", len(y_true))) ** 2
    weights = (
        np.ones(len(squares)) if sample_weight is None else _read_numbers(sample_weight, "sample_weight", len(squares))
    )
    codes, _ = pd.factorize(pd.Series(users))
    if len(codes) != len(squares):
        raise ValueError(f"users has {len(codes)} ids but y_true {len(squares)} ratings; give one each.")
    if len(codes) == 0 or codes.min() < 0:
        raise ValueError("There are no ratings." if len(codes) == 0 else f"users has no id in row {codes.argmin()}.")
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError("sample_weight must be at least 0, and above 0 somewhere.")
    total = np.bincount(codes, weights)
    counts = total > 0
    return float(np.sqrt(np.bincount(codes, weights * squares)[counts] / total[counts]).mean())


def per_user_rmse_scorer(estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
    """Score an estimator by `per_user_rmse`, negated: greater is better.

    Parameters
    ----------
    estimator : object with `predict`
        Its attribute ``user_name_`` names the column of users. For an array, or an estimator without that attribute,
        the first column is used.
    X : dataframe or array-like of shape (n_ratings, n_columns)
        Users and items, as the estimator takes them.
    y : array-like of shape (n_ratings,)
        Ratings.
    sample_weight : array-like of shape (n_ratings,), default=None
        Weights, as in `per_user_rmse`.

    Returns
    -------
    score : float
        At most 0.

    Raises
    ------
    ValueError
        As in `per_user_rmse`, or if `X` has no column of users.

    See Also
    --------
    per_user_rmse : The error.
    make_ranking_scorer : Scorers of recommendations.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.model_selection import cross_val_score
    >>> from tabrec.collab.metrics import per_user_rmse_scorer
    >>> X = pd.DataFrame({"user": [1, 2, 1, 2], "item": [7, 7, 8, 8]})
    >>> cross_val_score(DummyRegressor(), X, [4, 4, 2, 3], cv=2, scoring=per_user_rmse_scorer).tolist()
    [-1.5, -1.5]
    """
    users = _ids(estimator, X, "user_name_", position=0)
    return -per_user_rmse(y, estimator.predict(X), users, sample_weight)


@validate_params(
    {
        "metric": [StrOptions(set(BY_USER))],
        "k": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, None, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=True,
)
def make_ranking_scorer(metric: str = "ndcg", k: int = 10, threshold: float | None = None) -> RankingScorer:
    """Make a scorer of recommendations for `cross_validate` and `GridSearchCV`.

    The scorer asks the estimator for the best k items that the user has not rated in training. Test rows with a rating
    of at least `threshold` are relevant. Users without such a row are ignored; users unknown to the estimator are not.

    Parameters
    ----------
    metric : {"ndcg", "precision", "recall", "map", "map_by_relevant", "mrr", "hit_rate"}, default="ndcg"
        Metric of `rank_metrics`; the gains of "ndcg" are 1.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.
    threshold : float, default=None
        Smallest rating of a relevant row. None uses ``mean_rating_`` of a recommender that predicts ratings, the mean
        of the training ratings; for others all rows are relevant.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` returns a float, and greater is better. It can be pickled.

    Raises
    ------
    ValueError
        If a parameter is invalid. The scorer raises it if no row reaches the threshold or `X` has no column of ids.

    See Also
    --------
    rank_metrics : The metrics themselves.
    per_user_rmse_scorer : A scorer of predicted ratings.

    References
    ----------
    .. [1] P. Cremonesi, Y. Koren and R. Turrin, "Performance of Recommender Algorithms on Top-N Recommendation
       Tasks", RecSys 2010, which counts high ratings of the test set as relevant.

    Examples
    --------
    >>> from tabrec.collab.metrics import make_ranking_scorer
    >>> make_ranking_scorer("recall", k=20, threshold=4)
    make_ranking_scorer(metric='recall', k=20, threshold=4)
    """
    return RankingScorer(metric, k, threshold)


class RankingScorer:
    """The scorer that `make_ranking_scorer` returns."""

    def __init__(self, metric: str, k: int, threshold: float | None):
        self.metric = metric
        self.k = k
        self.threshold = threshold

    def __repr__(self) -> str:
        return f"make_ranking_scorer(metric={self.metric!r}, k={self.k!r}, threshold={self.threshold!r})"

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score the recommendations of a fitted estimator by a test set."""
        threshold = self.threshold
        if threshold is None:
            threshold = estimator.mean_rating_ if y is not None and is_regressor(estimator) else -np.inf
        users = _ids(estimator, X, "user_name_", position=0)
        items = _ids(estimator, X, "item_name_", position=1)
        is_relevant = (np.zeros(len(users)) if y is None else _read_numbers(y, "y", len(users))) >= threshold
        if not is_relevant.any():
            raise ValueError(f"No rating reaches threshold={threshold:g}: use a lower threshold.")
        relevant = pd.DataFrame({"user": users, "item": items})[is_relevant]
        recommended = estimator.recommend(relevant["user"].unique(), n=self.k, exclude_seen=True)
        if not len(recommended):
            return 0.0
        return mean_metric(self.metric, match(recommended, relevant, self.k))


def _ids(estimator: Any, X: Any, attribute: str, position: int) -> pd.Series:
    """Return the ids of the users or items in each row, as numbers if they are numbers."""
    frame = read_frame(X)
    name = getattr(estimator, attribute, None)
    if name is None or (name not in frame.columns and not is_table(X)):
        if frame.shape[1] <= position:
            raise ValueError(f"X has {frame.shape[1]} columns; users must be in the first, items in the second.")
        name = frame.columns[position]
    if name not in frame.columns:
        raise ValueError(f"X has no column {name!r} for the ids; it has {list(frame.columns)[:20]}.")
    return labels_by_row(to_columns(frame[[name]])[name])


def _read_numbers(values: Any, name: str, n_rows: int | None = None) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or (n_rows is not None and len(array) != n_rows):
        wanted = "(n_ratings,)" if n_rows is None else f"({n_rows},)"
        raise ValueError(f"{name} must have the shape {wanted}, not {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds {array[~np.isfinite(array)][0]}; all must be finite numbers.")
    return array
