"""A model of biases, the baseline of recommenders that predict ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabrec.collab.interactions import Interactions

# Numbers of ratings of mean value added to damp biases. Tuned on MovieLens 100k so that the baseline is strong.
DAMPING = {"user": 5.0, "item": 3.0}
_N_ROUNDS = 10


@dataclass(frozen=True)
class Biases:
    """The model rating = mean + user[code] + item[code]; code 0 has no bias."""

    mean: float
    user: np.ndarray
    item: np.ndarray

    def predict(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Predict the ratings of pairs."""
        return self.mean + self.user[users] + self.item[items]

    def grown(self, n_users: int, n_items: int) -> Biases:
        """Return biases of more users and items, which are 0 for the new ones."""
        user, item = np.pad(self.user, (0, n_users - len(self.user))), np.pad(self.item, (0, n_items - len(self.item)))
        return Biases(self.mean, user, item)

    def fitted(self, kind: str, codes: np.ndarray, ratings: Interactions) -> Biases:
        """Return biases in which those of some codes of one side are fitted to their ratings."""
        found = {"user": self.user, "item": self.item}
        own, other = (ratings.users, ratings.items) if kind == "user" else (ratings.items, ratings.users)
        rows, n_codes = np.isin(own, codes), len(found[kind])
        rest = found["item" if kind == "user" else "user"][other[rows]]
        weights = np.ones(rows.sum()) if ratings.weights is None else ratings.weights[rows]
        damped = _damped(own[rows], ratings.values[rows] - self.mean - rest, weights, n_codes, DAMPING[kind])
        found[kind] = np.where(np.isin(np.arange(n_codes), codes), damped, found[kind])
        return Biases(self.mean, **found)


def fit_biases(ratings: Interactions, n_users: int, n_items: int) -> Biases:
    """Fit damped biases by alternating least squares.

    See Koren (2010), "Factor in the neighbors: scalable and accurate collaborative filtering", section 2.1.
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
