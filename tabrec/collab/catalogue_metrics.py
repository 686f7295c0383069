"""What recommendations make of the catalogue: how much of it they reach, how evenly, and how far from the hits."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab._matches import read_recommended


def coverage(recommended: Any, items: Any, k: int = 10) -> float:
    """Share of the catalogue that is recommended to anyone, among the first k.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    items : array-like of ids
        The catalogue; an id that stands there twice counts once.
    k : int, default=10

    Returns
    -------
    coverage : float
        Above 0, to 1.

    Raises
    ------
    ValueError
        As in `precision_at_k`, or if the catalogue is empty or lacks an item that is recommended.

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

    where p_j is the share of the recommendations that falls to the j-th of the n items, the least recommended
    first. 0 if all are recommended equally often, 1 if it is always the same one.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    items : array-like of ids
        The catalogue; an id that stands there twice counts once.
    k : int, default=10

    Returns
    -------
    gini : float
        0 to 1; 0 for a catalogue of one item.

    Raises
    ------
    ValueError
        As in `coverage`.

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


def novelty(recommended: Any, popularity: Any, n_users: int, k: int = 10) -> float:
    """How little known the recommended items are: the mean of their self-information, in bits.

    ``1/|L| · Σ_(u, i) -log2(ratings of i / users)``

    over all recommendations L, the first k of each user: 0 if everybody knows them all, 1 if half of the users do.
    An item without ratings counts as if it had one.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    popularity : pandas.Series or mapping
        Item id -> number of users who rated it, as ``ratings["item"].value_counts()``; an item that is not in
        it has none.
    n_users : int
        How many users there are.
    k : int, default=10

    Returns
    -------
    novelty : float
        0 to log2(n_users).

    Raises
    ------
    ValueError
        As in `precision_at_k`, or if an item has more ratings than there are users or less than none, or no
        recommended item is in `popularity`.

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
    popularity = pd.Series(popularity)
    if not isinstance(n_users, numbers.Integral) or n_users < 1:
        raise ValueError(f"n_users={n_users!r} must be an integer of at least 1.")
    if popularity.empty or popularity.isna().any() or popularity.min() < 0 or popularity.max() > n_users:
        raise ValueError(f"popularity must hold numbers of users who rated an item, from 0 to n_users={n_users}.")
    raters = read_recommended(recommended, k)["item"].map(popularity)
    if raters.isna().all():
        raise ValueError("No recommended item is in popularity, whose index must be the ids of the items.")
    return float(-np.log2(raters.fillna(0).clip(lower=1) / n_users).mean())


def _times_recommended(recommended: Any, items: Any, k: int) -> np.ndarray:
    """How often each item of the catalogue is among the first k of a user: (n_items,)."""
    catalogue = pd.Index(items).unique()
    if catalogue.empty:
        raise ValueError("items is empty; give the ids of the catalogue.")
    found = read_recommended(recommended, k)["item"]
    codes = catalogue.get_indexer(pd.Index(found))
    if (codes < 0).any():
        absent = found[codes < 0].tolist()[0]
        raise ValueError(f"recommended has {absent!r}, which is not among the {len(catalogue)} items of the catalogue.")
    return np.bincount(codes, minlength=len(catalogue))
