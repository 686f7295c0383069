"""Metrics of the catalogue: coverage, evenness, novelty and popularity of recommendations."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from tabrec.collab._matches import read_recommended, read_relevant

_COUNT = Interval(Integral, 1, None, closed="left")


def coverage(recommended: Any, items: Any, k: int = 10) -> float:
    """Share of the catalogue that is among the first k recommendations of any user.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    items : array-like of ids
        Ids of the catalogue; duplicates count once.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    coverage : float
        Greater than 0, at most 1.

    Raises
    ------
    ValueError
        As in `precision_at_k`, or if the catalogue is empty or does not contain a recommended item.

    See Also
    --------
    gini : How evenly recommendations are spread over the catalogue.
    rank_metrics : All metrics at once.

    References
    ----------
    .. [1] G. Shani and A. Gunawardana, "Evaluating Recommendation Systems", in "Recommender Systems
       Handbook", Springer, 2011, chapter 8, on coverage.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import coverage
    >>> recommended = pd.DataFrame({"user": [1, 1, 2], "rank": [1, 2, 1], "item": ["a", "b", "a"]})
    >>> coverage(recommended, ["a", "b", "c", "d"])
    0.5
    """
    return float(np.mean(_times_recommended(recommended, items, k) > 0))


def gini(recommended: Any, items: Any, k: int = 10) -> float:
    """Gini index of how often each item of the catalogue is recommended, among the first k.

    ``G = 1/(n - 1) · Σ_j (2j - n - 1) p_j``, j from 1 to n,

    where p_j is the share of the recommendations of the j-th of the n items, the least recommended first. It is 0 if
    all items are recommended equally often and 1 if only one is.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    items : array-like of ids
        Ids of the catalogue; duplicates count once.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    gini : float
        0 to 1; 0 for a catalogue of one item.

    Raises
    ------
    ValueError
        As in `coverage`.

    See Also
    --------
    coverage : Share of the catalogue that is recommended at all.
    rank_metrics : All metrics at once.

    References
    ----------
    .. [1] G. Shani and A. Gunawardana, "Evaluating Recommendation Systems", in "Recommender Systems
       Handbook", Springer, 2011, chapter 8, on coverage.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import gini
    >>> recommended = pd.DataFrame({"user": [1, 2, 3], "rank": [1, 1, 1], "item": ["a", "a", "a"]})
    >>> gini(recommended, ["a", "b", "c"]), gini(recommended.assign(item=["a", "b", "c"]), ["a", "b", "c"])
    (1.0, 0.0)
    """
    counts = np.sort(_times_recommended(recommended, items, k))
    n = len(counts)
    if n == 1:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ counts / ((n - 1) * counts.sum()))


@validate_params({"n_users": [_COUNT]}, prefer_skip_nested_validation=False)
def novelty(recommended: Any, popularity: Any, n_users: int, k: int = 10) -> float:
    """Mean self-information of the recommended items, in bits: the less known they are, the higher.

    ``1/|L| · Σ_(u, i) -log2(ratings of i / users)``

    over all recommendations L, the first k of each user. It is 0 if every user has rated every recommended item and 1
    if half of the users have. An item without ratings counts as if it had one.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    popularity : pandas.Series or mapping
        Number of users who rated each item, by item id, such as ``ratings["item"].value_counts()``. An item that is
        not in it has none.
    n_users : int
        Number of users, at least 1.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    novelty : float
        0 to log2(n_users).

    Raises
    ------
    ValueError
        As in `precision_at_k`, or if an item has more raters than there are users or a negative number of them, or no
        recommended item is in `popularity`.

    See Also
    --------
    coverage : Share of the catalogue that is recommended at all.
    rank_metrics : All metrics at once.

    References
    ----------
    .. [1] T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS
       107 (10), 2010.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import novelty
    >>> recommended = pd.DataFrame({"user": [1, 1], "rank": [1, 2], "item": ["a", "b"]})
    >>> novelty(recommended, {"a": 8, "b": 1}, n_users=8)  # (0 + 3) / 2
    1.5
    """
    popularity = _read_popularity(popularity)
    if popularity.max() > n_users:
        raise ValueError(f"popularity must hold the number of users who rated each item, at most n_users={n_users}.")
    raters = read_recommended(recommended, k)["item"].map(popularity)
    if raters.isna().all():
        raise ValueError("No recommended item is in popularity, whose index must be the ids of the items.")
    # An item that nobody rated counts as rated once, as its information would be infinite.
    return float(-np.log2(raters.fillna(0).clip(lower=1) / n_users).mean())


def popularity_bias(recommended: Any, relevant: Any, popularity: Any, k: int = 10) -> float:
    """How much more popular the recommended items are than those that users took.

    ``mean_u(mean of popularity over the first k of u) / mean_u(mean of popularity over R_u)``

    over the users u of `relevant` with recommendations, where R_u are their relevant items. It is 1 if recommendations
    are as popular as the items that users take, and greater than 1 if the model favours popular items more than users
    do.

    Parameters
    ----------
    recommended, relevant : dataframe
        As in `precision_at_k`.
    popularity : pandas.Series or mapping
        Number of users who rated each item, by item id. An item that is not in it has none.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    popularity_bias : float
        At least 0; NaN if no relevant item has ratings or no user of `relevant` has recommendations.

    Raises
    ------
    ValueError
        As in `precision_at_k`, or if `popularity` is empty or has negative numbers.

    See Also
    --------
    novelty : Self-information of the recommended items.
    rank_metrics : All metrics at once.

    References
    ----------
    .. [1] H. Abdollahpouri et al., "The Unfairness of Popularity Bias in Recommendation", RMSE workshop at RecSys
       2019, which compares the recommended items with the profiles of the users.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import popularity_bias
    >>> recommended = pd.DataFrame({"user": [1, 1], "rank": [1, 2], "item": ["a", "b"]})
    >>> popularity_bias(recommended, pd.DataFrame({"user": [1], "item": ["b"]}), {"a": 8, "b": 2})  # (8 + 2) / 2 / 2
    2.5
    """
    popularity = _read_popularity(popularity)
    top, wanted = read_recommended(recommended, k), read_relevant(relevant)
    users = pd.Index(wanted["user"]).intersection(pd.Index(top["user"]))
    means = [
        rows["item"].map(popularity).fillna(0).groupby(rows["user"]).mean().reindex(users).mean()
        for rows in (top, wanted)
    ]
    return float(means[0] / means[1]) if means[1] > 0 else np.nan


def _read_popularity(popularity: Any) -> pd.Series:
    popularity = pd.Series(popularity)
    if popularity.empty or popularity.isna().any() or popularity.min() < 0:
        raise ValueError(
            "popularity must hold the number of users who rated each item, at least 0, indexed by item id."
        )
    return popularity


def _times_recommended(recommended: Any, items: Any, k: int) -> np.ndarray:
    """Return the number of users whose top k contains each item, shape (n_items,)."""
    catalogue = pd.Index(items).unique()
    if catalogue.empty:
        raise ValueError("items is empty; give the ids of the catalogue.")
    found = read_recommended(recommended, k)["item"]
    codes = catalogue.get_indexer(pd.Index(found))
    if (codes < 0).any():
        absent = found[codes < 0].tolist()[0]
        raise ValueError(f"recommended has {absent!r}, which is not among the {len(catalogue)} items of the catalogue.")
    return np.bincount(codes, minlength=len(catalogue))
