"""Biases alone: the baseline of recommenders that predict ratings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tabrec.collab.interactions import Interactions

# Ratings of the mean value that damp a bias. Tuned on MovieLens 100k so that the baseline is strong.
DAMPING = {"user": 5.0, "item": 3.0}
_N_ROUNDS = 10


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
