"""Ratings as codes, in an order of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ratings:
    """Ratings sorted by user, then item, then value, so that a model does not depend on the order they came in.

    Attributes
    ----------
    users, items : ndarray of shape (n_ratings,), int32
        Codes, from 1.
    values : ndarray of shape (n_ratings,), float64
    weights : ndarray of shape (n_ratings,) or None
        None counts all the same.
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None

    def __len__(self) -> int:
        return len(self.values)

    def mean(self) -> float:
        return float(np.average(self.values, weights=self.weights))

    def of_user(self, user: int) -> slice:
        """Where the ratings of a user are."""
        return slice(*np.searchsorted(self.users, [user, user + 1]))

    def of_users(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the ratings of several users, and for each the position of its user in `users`."""
        starts, stops = np.searchsorted(self.users, users), np.searchsorted(self.users, users + 1)
        counts = stops - starts
        owner = np.repeat(np.arange(len(users)), counts)
        first = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        return first + np.arange(counts.sum()), owner

    def counts(self, side: str, n_codes: int) -> np.ndarray:
        """Number of ratings by code of a side: (n_codes,)."""
        return np.bincount(self.users if side == "user" else self.items, minlength=n_codes)

    def with_more(self, more: Ratings) -> Ratings:
        """These and further ratings."""
        weights = None
        if self.weights is not None or more.weights is not None:
            weights = np.concatenate([np.ones(len(r)) if r.weights is None else r.weights for r in (self, more)])
        users, items = np.concatenate([self.users, more.users]), np.concatenate([self.items, more.items])
        return sort_ratings(users, items, np.concatenate([self.values, more.values]), weights)[0]


def sort_ratings(
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray | None,
    occasions: np.ndarray | None = None,
) -> tuple[Ratings, np.ndarray]:
    """Ratings in their own order, and the positions they had; `occasions` tell apart those equal in all else."""
    pairs = users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items
    order = np.argsort(pairs, kind="stable")
    if (np.diff(pairs[order]) == 0).any():
        # Of a pair that is rated more than once.
        order = np.lexsort([key for key in (occasions, weights, values, pairs) if key is not None])
    weights = None if weights is None else weights[order]
    return Ratings(users[order], items[order], values[order], weights), order
