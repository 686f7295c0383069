"""Metrics of lists beyond accuracy: diversity and serendipity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from tabrec.collab._matches import read_recommended, read_relevant


def intra_list_diversity(recommended: Any, interactions: Any, k: int = 10) -> float:
    """Mean dissimilarity of the items within a list, mean over users.

    ``ILD@k = mean_u (mean of 1 - cos(i, j) over the pairs i, j among the first k of u)``

    where cos is the cosine similarity of the sets of users that two items have in `interactions`. Lists of one item are
    left out.

    Parameters
    ----------
    recommended : dataframe
        As in `precision_at_k`.
    interactions : dataframe
        Columns ``user`` and ``item``, usually of the training rows. An item that is not in it is similar
        to no other.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    diversity : float
        0 (all items of a list have the same users) to 1 (no user has two items of one list); NaN if every list has one
        item.

    Raises
    ------
    ValueError
        As in `precision_at_k`.

    See Also
    --------
    coverage : Share of the catalogue that is recommended at all.
    serendipity : Share of hits that are not obvious.

    References
    ----------
    .. [1] C.-N. Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import intra_list_diversity
    >>> taken = pd.DataFrame({"user": [1, 1, 2, 2, 3], "item": ["a", "b", "a", "b", "c"]})
    >>> recommended = pd.DataFrame({"user": [4, 4, 5, 5], "rank": [1, 2, 1, 2], "item": ["a", "b", "a", "c"]})
    >>> round(intra_list_diversity(recommended, taken), 6)  # user 4: 0, user 5: 1
    0.5
    """
    top, pairs = read_recommended(recommended, k), read_relevant(interactions)
    users, _ = pd.factorize(pairs["user"])
    items, catalogue = pd.factorize(pairs["item"])
    # One more row, without users, for items that are not in the interactions.
    taken = sp.csr_array((np.ones(len(items)), (items, users)), shape=(len(catalogue) + 1, users.max() + 1))
    lengths = np.sqrt(np.maximum(taken.sum(axis=1), 1.0))
    unit = sp.csr_array(sp.diags_array(1 / lengths) @ taken)
    codes = pd.Index(catalogue).get_indexer(pd.Index(top["item"]))
    owner, lists = pd.factorize(top["user"])
    n_items = np.bincount(owner)
    # The cosines of all pairs of unit vectors sum to the squared length of the sum of the vectors.
    belongs = sp.csr_array((np.ones(len(owner)), (owner, codes % len(lengths))), shape=(len(lists), len(lengths)))
    sums = belongs @ unit
    has_users = np.bincount(owner, codes >= 0, minlength=len(lists))
    similar = np.asarray(sums.multiply(sums).sum(axis=1)).ravel() - has_users
    several = n_items > 1
    if not several.any():
        return np.nan
    return float(np.mean(1 - similar[several] / (n_items * (n_items - 1))[several]))


def serendipity(recommended: Any, relevant: Any, expected: Any, k: int = 10) -> float:
    """Share of the first k recommendations that are relevant and not expected, mean over users.

    ``1/|U| · Σ_u |(first k of u) ∩ R_u \\ E_u| / k``

    over the users U of `relevant`, where R_u are the relevant items of user u and E_u the first k of the expected ones.

    Parameters
    ----------
    recommended, relevant : dataframe
        As in `precision_at_k`.
    expected : dataframe
        Recommendations of a simple model, such as `Popular`, in the form of `recommended`.
    k : int, default=10
        Number of recommendations that count for each user, at least 1.

    Returns
    -------
    serendipity : float
        0 to `precision_at_k`.

    Raises
    ------
    ValueError
        As in `precision_at_k`.

    See Also
    --------
    precision_at_k : Share of the recommendations that are relevant, expected or not.
    intra_list_diversity : Dissimilarity of the items within a list.

    References
    ----------
    .. [1] M. Ge, C. Delgado-Battenfeld and D. Jannach, "Beyond accuracy: evaluating recommender systems by coverage
       and serendipity", RecSys 2010.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.metrics import serendipity
    >>> recommended = pd.DataFrame({"user": [1, 1], "rank": [1, 2], "item": ["a", "b"]})
    >>> relevant = pd.DataFrame({"user": [1, 1], "item": ["a", "b"]})
    >>> serendipity(recommended, relevant, expected=recommended.head(1), k=2)  # "a" is expected
    0.5
    """
    top, wanted = read_recommended(recommended, k), read_relevant(relevant)
    pairs = [pd.MultiIndex.from_frame(rows[["user", "item"]]) for rows in (top, wanted, read_recommended(expected, k))]
    hits = pairs[0].isin(pairs[1]) & ~pairs[0].isin(pairs[2])
    return float(hits.sum() / (k * wanted["user"].nunique()))
