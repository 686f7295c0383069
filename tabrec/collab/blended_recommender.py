"""`BlendedRecommender`: several recommenders combined, with weights chosen on held-out interactions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from tabrec.collab.ease import EASE
from tabrec.collab.implicit_als import ImplicitALS
from tabrec.collab.interactions import Context, Interactions
from tabrec.collab.members import check_members, check_weights, copy_scorers, fit_scorers, make_members
from tabrec.collab.ranking import top_n
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.reader import RatingsReader
from tabrec.collab.recommender import Recommender
from tabrec.collab.scorer import Scorer
from tabrec.collab.strengths import StrengthScorer

# Largest number of scores in memory at once, over all recommenders.
_BLOCK = 2**24
_MOST_USERS = 2_000
_STEPS = np.linspace(0.0, 1.0, 11)
_N_ROUNDS = 2


class BlendedRecommender(RankingRecommender):
    """Weighted sum of the scores of several recommenders, each standardised per user.

    The weights are those with the highest NDCG on a part of each user's interactions that is held out; the recommenders
    are then fitted to all interactions. Models that err differently, such as `EASE` and `ImplicitALS`, are better
    together than each alone.

    Parameters
    ----------
    recommenders : sequence of Recommender, default=None
        Unfitted recommenders of any kind; None takes `EASE` and `ImplicitALS`. They learn from the ids and side tables
        of this estimator; their own parameters `user`, `item`, `user_features` and `item_features` are ignored.
    weights : array-like of shape (n_recommenders,), default=None
        Weights, at least 0; None learns them.
    validation_fraction : float, default=0.2
        Share of the interactions to hold out while weights are learned.
    k : int, default=10
        Number of recommendations whose NDCG the weights maximise.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, passed to the recommenders.
    random_state : int, RandomState or None, default=None
        Seed of the held-out part, and of recommenders whose own `random_state` is None.

    Attributes
    ----------
    weights_ : ndarray of shape (n_recommenders,)
        Weight of each recommender; they sum to 1.
    users_, items_ : pandas.Index
        Ids with interactions.
    user_name_, item_name_ : str
        Columns of the ids.
    ratings_ : pandas.DataFrame
        All interactions that the model holds: `user`, `item` and `rating`, the value of y or 1.
    user_counts_, item_counts_ : pandas.Series
        Number of interactions by id.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in fit, where X named them.

    Raises
    ------
    ValueError
        No row has both ids, a value of y is missing or not positive, or there are fewer than two columns.

    See Also
    --------
    EASE, ImplicitALS : The recommenders that are blended by default.
    TwoStageRecommender : Ranks the candidates of several recommenders by a model of tables.

    Notes
    -----
    A user's scores are standardised over all items with interactions, so that a score does not depend on the
    candidates. Contributions of an explanation are the weighted contributions of the recommenders.

    Examples
    --------
    >>> from tabrec import EASE, BlendedRecommender, ItemKNN
    >>> from tabrec.datasets import make_ratings
    >>> clicks = make_ratings(3_000, n_users=100, n_items=60, random_state=0)[["user", "item"]]
    >>> model = BlendedRecommender([EASE(ridge=50.0), ItemKNN()], random_state=0).fit(clicks)
    >>> model.weights_.shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "recommenders": ["array-like", None],
        "weights": ["array-like", None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "k": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        recommenders: Sequence[Recommender] | None = None,
        *,
        weights: Any = None,
        validation_fraction: float = 0.2,
        k: int = 10,
        rating_weight: Any = 0.1,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        random_state: Any = None,
    ):
        self.recommenders = recommenders
        self.weights = weights
        self.validation_fraction = validation_fraction
        self.k = k
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.random_state = random_state

    def _make_scorer(self) -> BlendedScorer:
        return BlendedScorer(self.get_params(deep=False))

    @property
    def weights_(self) -> np.ndarray:
        """Weight of each recommender."""
        return self._fitted_scorer().weights.copy()  # type: ignore[attr-defined]


class BlendedScorer(StrengthScorer):
    """Holds the scorers of the recommenders, which learn from the same codes."""

    _most_few = 0  # the scores of the recommenders include the popularity
    weights: np.ndarray
    scorers: list[Scorer]
    seed: int

    def check_parameters(self) -> None:
        members = self._members(0)
        check_members("recommenders", self.parameters["recommenders"], members)
        check_weights(self.parameters["weights"], len(members))

    def learn(self) -> None:
        self.seed = int(check_random_state(self.parameters["random_state"]).randint(np.iinfo(np.int32).max))
        given = self.parameters["weights"]
        weights = self._learn_weights() if given is None else np.asarray(given, dtype=np.float64)
        self.weights = weights / weights.sum()
        self.scorers = self._fit_members(self.data)

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        scorers = list(self._current())
        for scorer in scorers:
            scorer.fit_more(data, more, context)
        self.scorers = scorers
        self.take(data)
        self.count()

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        scorers = list(self._current())
        for scorer in scorers:
            scorer.fold_in(data, given, users)
        self.scorers = scorers
        self.take(data)

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        scores = np.empty(len(users))
        asked, owner = np.unique(users, return_inverse=True)
        step = max(1, _BLOCK // (len(self.scorers) * self.data.items.n_codes))
        for start in range(0, len(asked), step):
            rows = np.flatnonzero((owner >= start) & (owner < start + step))
            columns, place = np.unique(items[rows], return_inverse=True)
            block = self.block_known(asked[start : start + step], columns)
            scores[rows] = block[owner[rows] - start, place]
        return scores

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        scores = np.zeros((len(users), len(items)))
        for weight, (of_items, mean, std) in zip(self.weights, self._standardised(users, items), strict=True):
            scores += weight * (of_items - mean) / std
        return scores

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        return next(self._current()).similarities(kind, codes, others)

    def explain(self, user: int, item: int) -> dict[str, float]:
        parts = super().explain(user, item)
        if "factors" not in parts:
            return parts
        one = self._standardised(np.array([user]), np.array([item]))
        centre = of_item = 0.0
        for weight, scorer, (_, mean, std) in zip(self.weights, self._current(), one, strict=True):
            centre -= weight * float(mean[0, 0] / std[0, 0])
            of_item += weight * scorer.explain(user, item).get("item", 0.0) / float(std[0, 0])
        return {"mean": centre, "item": of_item, "factors": parts["factors"] - centre - of_item}

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        total = np.zeros(len(rated))
        one = self._standardised(np.array([user]), np.array([item]))
        for weight, scorer, (_, _, std) in zip(self.weights, self._current(), one, strict=True):
            total += weight * scorer.contributions(user, item, rated, values) / std[0, 0]
        return total

    def _members(self, seed: int) -> list[Any]:
        given = self.parameters["recommenders"]
        return make_members([EASE(), ImplicitALS()] if given is None else given, self.parameters, seed)

    def _fit_members(self, data: RatingsReader) -> list[Scorer]:
        return fit_scorers(self._members(self.seed), data)

    def _current(self) -> Iterator[Scorer]:
        return copy_scorers(self.scorers, self._members(self.seed))

    def _standardised(
        self, users: np.ndarray, items: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield each recommender's scores, (n_users, n_items), and their mean and deviation per user."""
        known = self.data.items.known()
        for scorer in self._current():
            everything = scorer.score_block(users, known)
            mean, std = everything.mean(axis=1, keepdims=True), everything.std(axis=1, keepdims=True)
            place = np.searchsorted(known, items)
            is_known = known[np.minimum(place, len(known) - 1)] == items
            scores = everything[:, place] if is_known.all() else scorer.score_block(users, items)
            yield scores, mean, np.where(std > 0, std, 1.0)

    def _learn_weights(self) -> np.ndarray:
        """Choose the weights with the highest NDCG on held-out interactions, by coordinate search."""
        n_members, ratings = len(self._members(0)), self.data.ratings
        rng = np.random.default_rng(self.seed)
        is_held_out = hold_out(ratings, float(self.parameters["validation_fraction"]), rng)
        weights = np.ones(n_members)
        if n_members == 1 or not is_held_out.any():
            return weights
        trained, held_out = (ratings.take(some) for some in (~is_held_out, is_held_out))
        users = np.unique(held_out.users)
        n_asked = min(_MOST_USERS, max(1, _BLOCK // (n_members * self.data.items.n_codes)))
        users = np.sort(rng.permutation(users)[:n_asked])
        data = replace(self.data, ratings=trained)
        fitted, known = self._fit_members(data), self.data.items.known()
        scores = np.stack([standardise(scorer.score_block(users, known)) for scorer in fitted])
        rows, owner = trained.of_users(users)
        seen = owner, np.searchsorted(known, trained.items[rows])
        rows, owner = held_out.of_users(users)
        relevant = np.zeros(scores.shape[1:], dtype=bool)
        relevant[owner, np.searchsorted(known, held_out.items[rows])] = True
        relevant[seen] = False
        return search_weights(scores, seen, relevant, int(self.parameters["k"]))


def hold_out(ratings: Interactions, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return a mask of interactions to hold out: a share of those of each user with at least two."""
    keys = rng.random(len(ratings))
    order = np.lexsort([keys, ratings.users])
    counts = np.bincount(ratings.users)[ratings.users[order]]
    starts = np.searchsorted(ratings.users, ratings.users[order])
    rank = np.arange(len(ratings)) - starts
    chosen = np.zeros(len(ratings), dtype=bool)
    chosen[order] = rank < np.minimum(np.ceil(fraction * counts), counts - 1)
    return chosen


def standardise(scores: np.ndarray) -> np.ndarray:
    """Standardise the scores of each row."""
    std = scores.std(axis=1, keepdims=True)
    return (scores - scores.mean(axis=1, keepdims=True)) / np.where(std > 0, std, 1.0)


def search_weights(scores: np.ndarray, seen: tuple[np.ndarray, np.ndarray], relevant: np.ndarray, k: int) -> np.ndarray:
    """Search weights, (n_members,), that maximise the NDCG@k of the weighted sum of `scores`.

    `scores` are of shape (n_members, n_users, n_items), `relevant` of (n_users, n_items).
    """

    def quality(weights: np.ndarray) -> float:
        total = np.tensordot(weights, scores, axes=1)
        total[seen] = -np.inf
        hits = np.take_along_axis(relevant, top_n(total, k), axis=1)
        discounts = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
        ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant.sum(axis=1), hits.shape[1])]
        return float(np.divide(hits @ discounts, ideal, out=np.zeros(len(ideal)), where=ideal > 0).mean())

    weights = np.ones(len(scores)) / len(scores)
    best = quality(weights)
    for _ in range(_N_ROUNDS):
        for member in range(len(scores)):
            rest = np.delete(weights, member).sum()
            for share in _STEPS:
                tried = weights * ((1 - share) / rest) if rest > 0 else np.full(len(scores), (1 - share))
                tried[member] = share
                found = quality(tried)
                if found > best:
                    best, weights = found, tried
    return weights
