"""`Relevance`: the preference score of `ImplicitALS` times the quantile of the predicted rating."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from tabrec.collab.implicit_als_scorer import ImplicitALSScorer
from tabrec.collab.interactions import Interactions
from tabrec.collab.reader import RatingsReader
from tabrec.collab.sides import LEARNED

# Parameters of the factors of rated pairs: the defaults of `ImplicitALS`.
_PARAMETERS: dict[str, Any] = {
    "n_factors": 32,
    "n_iterations": 16,
    "regularization": 0.015,
    "unobserved_weight": 0.3,
    "rating_weight": 0.1,
    "verbose": 0,
    "random_state": 0,
}
# Number of points of the distribution function of ratings, which is interpolated.
_MOST_LEVELS = 1_000
# The factors are refitted once the number of ratings has grown by more than this factor.
_MOST_GROWTH = 2.0


class Relevance:
    """The order of recommendations of a model of ratings.

    Predicted ratings alone put items first that few users rate. The relevance of an item is the preference score that
    `ImplicitALS` learns from the rated pairs, times (1 + s) / 2, where s is the share of all ratings below the
    predicted one.
    """

    base: RatingsReader  # the ratings from which the factors of all items are learned
    learned: ImplicitALSScorer | None  # fitted to `base` in the first call of `updated`
    takes: ImplicitALSScorer  # `learned`, updated with all ratings
    levels: np.ndarray
    shares: np.ndarray  # share of the ratings below each level, plus half the share at the level

    def __init__(self, base: RatingsReader):
        self.base, self.learned = base, None

    def updated(self, data: RatingsReader, device: Any) -> Relevance:
        """Update the relevance with all ratings of a reader, solving only the factors of ids with more ratings.

        The result depends on `base` and the reader alone, not on earlier calls.
        """
        if len(data.ratings) > _MOST_GROWTH * len(self.base.ratings):
            return Relevance(data).updated(data, device)
        parameters = _PARAMETERS | {"device": device}
        learned = self.learned or self._learn(parameters)
        learned.parameters = parameters  # not in saved models
        if self.takes.data is data:
            self.takes.parameters = parameters
            return self
        made = copy.copy(self)
        made.takes = copy.copy(learned)
        if data is self.base:
            return made
        users = _find_changed(self.base.ratings, data.ratings, "user", data.users.n_codes)
        # Users that are folded in must not change the recommendations of others.
        items = _find_changed(_of_learned_users(self.base), _of_learned_users(data), "item", data.items.n_codes)
        if len(items):
            made.takes.update(data, users, items)
        else:
            made.takes.fold_in(data, data.ratings, users)
        return made

    def _learn(self, parameters: dict[str, Any]) -> ImplicitALSScorer:
        """Learn from the ratings of the base, for all copies of the model."""
        scorer = ImplicitALSScorer(parameters)
        scorer.fit(self.base)
        self.levels, self.shares = _distribution(self.base.ratings.values)
        self.takes = scorer
        self.learned = scorer  # set last, because other threads then assume that the rest is complete
        return scorer

    def weigh(self, users: np.ndarray, items: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Compute the relevance of all pairs of users and items from their predicted ratings."""
        preference = self.takes.score_block(users, items)
        # Users whose items nobody else has have factors of 0; popularity is used instead.
        preference[~self.takes.rows["user"][users].any(axis=1)] = self.takes.popularity[items]
        below = np.interp(predicted, self.levels, self.shares)
        # Negative preferences are not scaled, because a low predicted rating would raise them.
        return np.where(preference > 0, preference * (1 + below) / 2, preference)


def _distribution(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels of ratings, and the share of ratings below each level plus half the share at it."""
    levels, counts = np.unique(values, return_counts=True)
    shares = (np.cumsum(counts) - counts / 2) / len(values)
    step = -(-len(levels) // _MOST_LEVELS)
    return levels[::step], shares[::step]


def _of_learned_users(data: RatingsReader) -> Interactions:
    ratings, is_learned = data.ratings, data.users.origins == LEARNED
    rows = is_learned[ratings.users]
    return ratings if rows.all() else ratings.take(np.flatnonzero(rows))


def _find_changed(before: Interactions, now: Interactions, kind: str, n_codes: int) -> np.ndarray:
    """Return the codes whose number of ratings has changed."""
    return np.flatnonzero(before.counts(kind, n_codes) != now.counts(kind, n_codes))
