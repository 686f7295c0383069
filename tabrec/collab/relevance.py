"""`Relevance`: how probable it is that a user takes an item, times how much the user will like it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tabrec.collab.implicit_als_scorer import ImplicitALSScorer
from tabrec.collab.interactions import Interactions
from tabrec.collab.reader import RatingsReader
from tabrec.collab.sides import LEARNED

# Parameters of the factors that tell who takes what: the defaults of `ImplicitALS`.
_PARAMETERS: dict[str, Any] = {
    "n_factors": 32,
    "n_iterations": 16,
    "regularization": 0.015,
    "unobserved_weight": 0.3,
    "rating_weight": 0.1,
    "verbose": 0,
    "random_state": 0,
}
# Ratings at which their distribution is known.
_MOST_LEVELS = 1_000
# The factors are learned anew once there are more than so many times as many ratings.
_MOST_GROWTH = 2.0


class Relevance:
    """The order of recommendations of a model of ratings.

    Predicted ratings alone put items first that few users take. The relevance of an item is the chance that the user
    takes it, as `ImplicitALS` estimates it from who rated what, times (1 + s) / 2, where s is the share of all ratings
    below the predicted one.
    """

    base: RatingsReader  # of whose ratings all factors are learned
    learned: ImplicitALSScorer | None  # from those ratings, once they are asked for
    takes: ImplicitALSScorer  # knows all ratings
    levels: np.ndarray
    shares: np.ndarray  # of the ratings below each level, plus half of those at it

    def __init__(self, base: RatingsReader):
        self.base, self.learned = base, None

    def caught_up(self, data: RatingsReader, device: Any) -> Relevance:
        """The relevance that knows all ratings of a reader: only the rows of ids with further ratings are solved.

        It depends on the base and the reader alone, not on what was asked in between.
        """
        if len(data.ratings) > _MOST_GROWTH * len(self.base.ratings):
            return Relevance(data).caught_up(data, device)
        parameters = _PARAMETERS | {"device": device}
        learned = self.learned or self._learn(parameters)
        learned.parameters = parameters  # which are not saved
        if self.takes.data is data:
            self.takes.parameters = parameters
            return self
        made = copy.copy(self)
        made.takes = copy.copy(learned)
        if data is self.base:
            return made
        users = _find_changed(self.base.ratings, data.ratings, "user", data.users.n_codes)
        # Users that are folded in do not change what others are recommended.
        items = _find_changed(_of_learned_users(self.base), _of_learned_users(data), "item", data.items.n_codes)
        if len(items):
            made.takes.update(data, users, items)
        else:
            made.takes.fold_in(data, data.ratings, users)
        return made

    def _learn(self, parameters: dict[str, Any]) -> ImplicitALSScorer:
        """Learn from the ratings of the base, for all copies of the model."""
        self.learned = self.takes = ImplicitALSScorer(parameters)
        self.takes.fit(self.base)
        self.levels, self.shares = _distribution(self.base.ratings.values)
        return self.takes

    def weigh(self, users: np.ndarray, items: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Relevance of all pairs of some users and some items, given their predicted ratings."""
        chance = self.takes.score_block(users, items)
        # Users who have only items that nobody else has.
        chance[~self.takes.rows["user"][users].any(axis=1)] = self.takes.popularity[items]
        below = np.interp(predicted, self.levels, self.shares)
        # The estimated chance of an item that hardly anybody takes may lie below 0.
        return np.where(chance > 0, chance * (1 + below) / 2, chance)


def _distribution(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Levels of ratings, and the share of ratings below each, plus half of those at it."""
    levels, counts = np.unique(values, return_counts=True)
    shares = (np.cumsum(counts) - counts / 2) / len(values)
    step = -(-len(levels) // _MOST_LEVELS)
    return levels[::step], shares[::step]


def _of_learned_users(data: RatingsReader) -> Interactions:
    ratings, is_learned = data.ratings, data.users.origins == LEARNED
    rows = is_learned[ratings.users]
    return ratings if rows.all() else ratings.take(np.flatnonzero(rows))


def _find_changed(before: Interactions, now: Interactions, kind: str, n_codes: int) -> np.ndarray:
    """Codes whose number of ratings has changed."""
    return np.flatnonzero(before.counts(kind, n_codes) != now.counts(kind, n_codes))
