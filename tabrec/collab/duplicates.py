"""Merge repeated ratings of a pair of user and item."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from tabrec.collab.interactions import Interactions

DUPLICATES: list[Any] = [StrOptions({"all", "last", "mean"})]


def merge_duplicates(ratings: Interactions, order: np.ndarray, rule: str) -> tuple[Interactions, np.ndarray]:
    """Keep at most one rating per pair, unless the rule is "all"; also returns the rows they come from.

    `order` holds the row of each rating. "last" keeps the last row of a pair, "mean" the weighted mean of its ratings.
    """
    is_next = (np.diff(ratings.users, prepend=-1) != 0) | (np.diff(ratings.items, prepend=-1) != 0)
    if rule == "all" or is_next.all():
        return ratings, order
    pair = np.cumsum(is_next) - 1
    by_row = np.lexsort([order, pair])
    last = by_row[np.append(is_next[1:], True)]
    if rule == "last":
        return ratings.take(last), order[last]
    weights = np.ones(len(ratings)) if ratings.weights is None else ratings.weights
    totals = np.bincount(pair, weights)
    means = np.bincount(pair, weights * ratings.values) / np.where(totals > 0, totals, 1.0)
    merged = replace(ratings.take(last), values=np.where(totals > 0, means, ratings.values[last]))
    if ratings.weights is not None:
        merged = replace(merged, weights=totals / np.bincount(pair))
    return merged, order[last]


def are_among(ratings: Interactions, others: Interactions) -> np.ndarray:
    """Return whether the pair of each rating is among the pairs of others."""
    stride = int(max(ratings.items.max(initial=0), others.items.max(initial=0))) + 1
    pairs = [some.users.astype(np.int64) * stride + some.items for some in (ratings, others)]
    return np.isin(*pairs)
