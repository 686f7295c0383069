"""Ranking metrics: each is a mean over users or a number about the catalogue."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions, validate_params

from tabrec.collab._matches import BY_USER, match, mean_metric
from tabrec.collab.catalogue_metrics import coverage, gini, novelty, popularity_bias
from tabrec.collab.cv_scorers import make_ranking_scorer, per_user_rmse, per_user_rmse_scorer
from tabrec.collab.list_metrics import intra_list_diversity, serendipity

__all__ = [
    "coverage",
    "gini",
    "hit_rate",
    "intra_list_diversity",
    "make_ranking_scorer",
    "map_at_k",
    "mrr",
    "ndcg_at_k",
    "novelty",
    "per_user_rmse",
    "per_user_rmse_scorer",
    "popularity_bias",
    "precision_at_k",
    "rank_metrics",
    "recall_at_k",
    "serendipity",
]


def precision_at_k(recommended: Any, relevant: Any, k: int = 10) -> float:
    """Share of the first k recommendations that are relevant, mean over users.

    ``P@k = 1/|U| · Σ_u |first k of u ∩ R_u| / k``

    over the users U of `relevant`, where R_u are the items that are relevant to user u. The sum is divided by k even if
    fewer items were recommended.

    Parameters
    ----------
    recommended : dataframe (pandas, polars or pyarrow) of shape (n_recommendations, n_columns)
        Columns ``user``, ``item`` and ``rank`` (integers from 1, the best), as returned by `recommend`. Other columns
        and users that are not in `relevant` are ignored. The order of the rows does not matter.
    relevant : dataframe of shape (n_relevant, n_columns)
        Columns ``user`` and ``item``: the pairs that should have been recommended. Duplicate pairs count once. A user
        without recommendations counts with 0.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    precision : float
        0 to 1.

    Raises
    ------
    ValueError
        If a column is absent or has missing values, a table is empty, a user has an item or a rank twice, ids are text
        in one table and numbers in the other, or `k` is less than 1.

    See Also
    --------
    rank_metrics : All of these metrics at once.

    References
    ----------
    .. [1] C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval", Cambridge
       University Press, 2008, section 8.4.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import precision_at_k
    >>> recommended = pd.DataFrame({"user": [1, 1, 2, 2], "rank": [1, 2, 1, 2], "item": ["a", "b", "a", "b"]})
    >>> relevant = pd.DataFrame({"user": [1, 2, 2], "item": ["b", "a", "b"]})
    >>> precision_at_k(recommended, relevant, k=2)
    0.75
    """
    return mean_metric("precision", match(recommended, relevant, k))


def recall_at_k(recommended: Any, relevant: Any, k: int = 10) -> float:
    """Share of the relevant items that are among the first k recommendations, mean over users.

    ``R@k = 1/|U| · Σ_u |first k of u ∩ R_u| / |R_u|``

    A user with more than k relevant items cannot reach 1.

    Parameters
    ----------
    recommended, relevant : dataframe
        The recommendations and the relevant pairs, as in `precision_at_k`, which lists the errors too.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    recall : float
        0 to 1.

    See Also
    --------
    precision_at_k : Share of the recommendations that are relevant.
    rank_metrics : All of these metrics at once.

    References
    ----------
    .. [1] C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval", Cambridge
       University Press, 2008, section 8.3.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import recall_at_k
    >>> recommended = pd.DataFrame({"user": [1, 1], "rank": [1, 2], "item": ["a", "b"]})
    >>> recall_at_k(recommended, pd.DataFrame({"user": [1, 1, 1, 1], "item": ["b", "c", "d", "e"]}))
    0.25
    """
    return mean_metric("recall", match(recommended, relevant, k))


def ndcg_at_k(recommended: Any, relevant: Any, k: int = 10) -> float:
    """Normalised discounted cumulative gain, mean over users.

    ``nDCG@k = 1/|U| · Σ_u (Σ_r g_ur / log2(r + 1)) / IDCG_u``, r from 1 to k,

    where g is the gain of the item at rank r, 0 if it is not relevant, and IDCG_u is the same sum for the best possible
    list. A user whose gains are all 0 counts with 0.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    relevant : dataframe
        Columns ``user``, ``item`` and, optionally, ``rating``: the gain, at least 0, used without a transformation.
        Without that column each relevant item has a gain of 1. Among duplicate pairs the largest gain counts.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    ndcg : float
        0 to 1.

    Raises
    ------
    ValueError
        As in `precision_at_k`, or if a gain is negative or not a number.

    See Also
    --------
    map_at_k : Also rewards hits at the top, without gains.
    rank_metrics : All of these metrics at once.

    References
    ----------
    .. [1] K. Järvelin and J. Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", ACM Transactions
       on Information Systems 20 (4), 2002; with the discount of [2]_, which is 1 at the first rank.
    .. [2] C. Burges et al., "Learning to Rank using Gradient Descent", ICML 2005.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import ndcg_at_k
    >>> recommended = pd.DataFrame({"user": [1, 1], "rank": [1, 2], "item": ["a", "b"]})
    >>> round(ndcg_at_k(recommended, pd.DataFrame({"user": [1], "item": ["b"]})), 4)  # 1 / log2(3)
    0.6309
    """
    return mean_metric("ndcg", match(recommended, relevant, k))


@validate_params({"divisor": [StrOptions({"attainable", "relevant"})]}, prefer_skip_nested_validation=True)
def map_at_k(recommended: Any, relevant: Any, k: int = 10, *, divisor: str = "attainable") -> float:
    """Mean average precision: the mean over users of the precision at each of their hits.

    ``MAP@k = 1/|U| · Σ_u 1/d_u · Σ_r P_u@r · h_ur``, r from 1 to k,

    where h is 1 if the item at rank r is relevant and 0 if not. There are two conventions for the divisor d, and their
    values must not be compared: "attainable" is at least "relevant".

    Parameters
    ----------
    recommended, relevant : dataframe
        The recommendations and the relevant pairs, as in `precision_at_k`, which lists the errors too.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.
    divisor : {"attainable", "relevant"}, default="attainable"
        "attainable" is min(k, number of relevant items), the largest number of hits, so that a list without a miss
        reaches 1 for any k. "relevant" is the number of relevant items, so that k limits the value. They are ``map``
        and ``map_by_relevant`` of `rank_metrics`.

    Returns
    -------
    mean_average_precision : float
        0 to 1.

    See Also
    --------
    ndcg_at_k : Discounts hits by the logarithm of their rank.
    rank_metrics : All of these metrics at once.

    References
    ----------
    .. [1] C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval", Cambridge
       University Press, 2008, section 8.4; cut off at k as in the Million Song Dataset Challenge (B. McFee et
       al., WWW 2012 Companion).

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import map_at_k
    >>> recommended = pd.DataFrame({"user": 1, "rank": [1, 2, 3, 4], "item": ["a", "b", "c", "d"]})
    >>> map_at_k(recommended, pd.DataFrame({"user": [1, 1], "item": ["b", "d"]}))  # (1/2 + 2/4) / 2
    0.5
    >>> map_at_k(recommended, pd.DataFrame({"user": [1, 1], "item": ["b", "d"]}), k=3), map_at_k(
    ...     recommended, pd.DataFrame({"user": 1, "item": ["b", "d", "x", "y"]}), k=2, divisor="relevant"
    ... )
    (0.25, 0.125)
    """
    return mean_metric("map" if divisor == "attainable" else "map_by_relevant", match(recommended, relevant, k))


def mrr(recommended: Any, relevant: Any, k: int = 10) -> float:
    """Mean reciprocal rank: the mean over users of 1 / rank of their first hit.

    ``MRR@k = 1/|U| · Σ_u 1 / (rank of the first hit of u)``

    A user without a hit among the first k counts with 0.

    Parameters
    ----------
    recommended, relevant : dataframe
        The recommendations and the relevant pairs, as in `precision_at_k`, which lists the errors too.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    mean_reciprocal_rank : float
        0 to 1.

    See Also
    --------
    hit_rate : Counts users with a hit at any rank.
    rank_metrics : All of these metrics at once.

    References
    ----------
    .. [1] E. M. Voorhees, "The TREC-8 Question Answering Track Report", TREC 1999.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import mrr
    >>> recommended = pd.DataFrame({"user": [1, 1, 2], "rank": [1, 2, 1], "item": ["a", "b", "a"]})
    >>> mrr(recommended, pd.DataFrame({"user": [1, 2], "item": ["b", "c"]}))
    0.25
    """
    return mean_metric("mrr", match(recommended, relevant, k))


def hit_rate(recommended: Any, relevant: Any, k: int = 10) -> float:
    """Share of the users with at least one hit among their first k recommendations.

    Parameters
    ----------
    recommended, relevant : dataframe
        The recommendations and the relevant pairs, as in `precision_at_k`, which lists the errors too.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    hit_rate : float
        0 to 1.

    See Also
    --------
    mrr : Also considers the rank of the first hit.
    rank_metrics : All of these metrics at once.

    References
    ----------
    .. [1] M. Deshpande and G. Karypis, "Item-Based Top-N Recommendation Algorithms", ACM Transactions on
       Information Systems 22 (1), 2004.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import hit_rate
    >>> recommended = pd.DataFrame({"user": [1, 1, 2], "rank": [1, 2, 1], "item": ["a", "b", "a"]})
    >>> hit_rate(recommended, pd.DataFrame({"user": [1, 2], "item": ["b", "c"]}))
    0.5
    """
    return mean_metric("hit_rate", match(recommended, relevant, k))


def rank_metrics(
    recommended: Any,
    relevant: Any,
    k: int = 10,
    *,
    items: Any = None,
    popularity: Any = None,
    n_users: int | None = None,
) -> pd.Series:
    """Compute all metrics of the first k recommendations.

    Parameters
    ----------
    recommended, relevant : dataframe
        As in `precision_at_k`; a column ``rating`` in `relevant` is the gain of `ndcg_at_k`.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.
    items : array-like of ids, default=None
        Ids of the catalogue, for `coverage` and `gini`; None omits both.
    popularity : pandas.Series or mapping, default=None
        Number of users who rated each item, by item id, for `novelty` and `popularity_bias`; None omits both.
    n_users : int, default=None
        Number of users; required with `popularity`.

    Returns
    -------
    metrics : pandas.Series of float
        By name: ``precision``, ``recall``, ``ndcg``, ``map`` and ``map_by_relevant`` (see `map_at_k`), ``mrr``,
        ``hit_rate``, then ``coverage`` and ``gini``, then ``novelty`` and ``popularity_bias``. The name of the series
        is ``"at k"``, such as ``"at 10"``.

    Raises
    ------
    ValueError
        As for the metrics, or if `popularity` is given without `n_users`.

    See Also
    --------
    evaluate : These metrics and the errors of ratings, with baselines.
    make_ranking_scorer : One of these metrics for cross-validation.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import rank_metrics
    >>> recommended = pd.DataFrame({"user": [1, 1, 2], "rank": [1, 2, 1], "item": ["a", "b", "a"]})
    >>> relevant = pd.DataFrame({"user": [1, 2], "item": ["b", "c"]})
    >>> rank_metrics(recommended, relevant, k=2, items=["a", "b", "c"]).round(3)
    precision          0.250
    recall             0.500
    ndcg               0.315
    map                0.250
    map_by_relevant    0.250
    mrr                0.250
    hit_rate           0.500
    coverage           0.667
    gini               0.667
    Name: at 2, dtype: float64
    """
    if popularity is not None and n_users is None:
        raise ValueError("popularity requires n_users: novelty is computed from the share of users who rated an item.")
    matches = match(recommended, relevant, k)
    values = {name: mean_metric(name, matches) for name in BY_USER}
    if items is not None:
        values["coverage"] = coverage(recommended, items, k)
        values["gini"] = gini(recommended, items, k)
    if popularity is not None and n_users is not None:
        values["novelty"] = novelty(recommended, popularity, n_users, k)
        values["popularity_bias"] = popularity_bias(recommended, relevant, popularity, k)
    return pd.Series(values, name=f"at {k}", dtype=np.float64)
