"""`StrengthScorer`: the base of the scorers that learn from interactions, not from ratings."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.reader import RatingsReader
from tabrec.collab.row_blocks import count_codes, sum_by_pair
from tabrec.collab.scorer import Scorer
from tabrec.tables.mapped_arrays import mean_and_std

# Values are clipped at this many standard deviations from the mean.
_MOST_DEVIATIONS = 2.0
# The limit of the weight keeps strengths, 1 + rating_weight · deviation, positive.
RATING_WEIGHT: list[Any] = [Interval(Real, 0, 1 / _MOST_DEVIATIONS, closed="left"), StrOptions({"value"}), callable]
# Smallest number of items with interactions of a large catalogue.
_LARGE_CATALOGUE = 200
# In larger catalogues, the spread of scores is measured over at least this many items.
_N_COMPARED = 1_000
# Weight of the popularity in the scores of users with one interaction. Chosen on MovieLens 100k, on other users than
# those of benchmarks/cold_start.py.
_POPULARITY_WEIGHT = 2.0
# Number of pairs scored at once; each takes as many numbers as its user has interactions.
_MOST_PAIRS = 2**15


class StrengthScorer(Scorer):
    """Base class of scorers that learn from the strengths of interactions; a pair without one has the strength 0.

    A subclass implements `learn`, `score_known` and `block_known`. Users without interactions are scored by the
    popularity of the items, which also counts for users with few.
    """

    # Popularity is added to the scores of users with at most this many interactions.
    _most_few: ClassVar[int] = 2

    _not_saved: tuple[str, ...] = ("parameters", "_matrix")
    _matrix: sp.csr_matrix | None = None
    value_mean: float
    value_std: float
    popularity: np.ndarray  # (n_item_codes,): share of the users who have the item

    def fit(self, data: RatingsReader, context: Context = None) -> None:
        self.value_mean, self.value_std = mean_and_std(data.ratings.values)
        self.take(data)
        self.count()
        self.learn()

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.take(data)

    def extend(self, data: RatingsReader) -> None:
        if data.items.n_codes > self.data.items.n_codes:
            self.fit(data)
        self.take(data)  # users without interactions are scored by popularity

    @abstractmethod
    def learn(self) -> None:
        """Learn from the strengths in `matrix`."""

    @abstractmethod
    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the scores of pairs whose users have interactions: (n_pairs,)."""

    @abstractmethod
    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the scores of all pairs of users, who have interactions, and items: (n_users, n_items)."""

    @property
    def matrix(self) -> sp.csr_matrix:
        """Strengths, summed over the interactions of a pair: (n_user_codes, n_item_codes)."""
        if self._matrix is None:
            ratings, shape = self.data.ratings, (self.data.users.n_codes, self.data.items.n_codes)
            self._matrix = sum_by_pair(ratings.users, ratings.items, self._strengths_at, shape)
        return self._matrix

    def _strengths_at(self, rows: slice) -> np.ndarray:
        """Return the strengths of some interactions, multiplied by their weights."""
        ratings = self.data.ratings
        strengths = self.strengths(ratings.values[rows])
        return strengths if ratings.weights is None else strengths * ratings.weights[rows]

    def take(self, data: RatingsReader) -> None:
        """Use the interactions of a reader from now on."""
        self.data = data
        self._matrix = None

    def count(self) -> None:
        """Count the users of each item; users that are folded in later do not change the recommendations of others."""
        n_users = int(np.count_nonzero(np.diff(self.matrix.indptr)))
        self.popularity = count_codes(self.matrix.indices, self.matrix.shape[1]) / max(n_users, 1)

    def strengths(self, values: np.ndarray) -> np.ndarray:
        """Convert values of y to strengths."""
        rule = self.parameters["rating_weight"]
        if callable(rule):
            strengths = np.asarray(rule(values), dtype=np.float64)
            source = "rating_weight"
        elif rule == "value":
            strengths, source = values, "y"
        else:
            deviations = (values - self.value_mean) / (self.value_std or 1.0)
            strengths, source = 1.0 + rule * np.clip(deviations, -_MOST_DEVIATIONS, _MOST_DEVIATIONS), "rating_weight"
        if strengths.shape != values.shape or not (strengths > 0).all():
            raise ValueError(
                f"{source} gives an interaction the strength {np.min(strengths, initial=0):g}, but strengths must be "
                "greater than 0: leave out pairs that are not interactions."
            )
        return strengths

    def strengths_of(self, user: int, values: np.ndarray) -> np.ndarray:
        """Return the strengths of a user's interactions from their values, multiplied by their weights."""
        weights = self.data.ratings.weights
        return self.strengths(values) * (1.0 if weights is None else weights[self.data.ratings.of_user(user)])

    def check_ratings(self, values: np.ndarray) -> None:
        check_positive(values)

    def score(self, pairs: Pairs) -> np.ndarray:
        users, place = np.unique(pairs.users, return_inverse=True)
        scores = self.popularity_weights(users)[place] * self.popularity[pairs.items]
        known = np.flatnonzero(self._has_interactions(pairs.users))
        for start in range(0, len(known), _MOST_PAIRS):
            rows = known[start : start + _MOST_PAIRS]
            scores[rows] += self.score_known(pairs.users[rows], pairs.items[rows])
        return scores

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        weights, known = self.popularity_weights(users), self._has_interactions(users)
        if not weights.any():
            return self.block_known(users, items)
        scores = np.outer(weights, self.popularity[items]).astype(np.float64)
        scores[known] += self.block_known(users[known], items)
        return scores

    def popularity_weights(self, users: np.ndarray) -> np.ndarray:
        """Return the weight of popularity in the scores of each user: 1 without interactions, 0 for most others.

        In a large catalogue, one interaction says little: its scores count half as much as popularity, and those of two
        interactions as much, after both are scaled by their spread over items.
        """
        counts = np.diff(self.matrix.indptr)[users]
        weights = (counts == 0).astype(np.float64)
        few = np.flatnonzero((counts > 0) & (counts <= self._most_few))
        taken = np.flatnonzero(self.popularity)
        if len(few) and len(taken) >= _LARGE_CATALOGUE:
            taken = taken[:: max(1, len(taken) // _N_COMPARED)]
            spread = self.popularity[taken].std() or 1.0
            spreads = self.block_known(users[few], taken).std(axis=1)
            weights[few] = _POPULARITY_WEIGHT * spreads / (spread * counts[few])
        return weights

    def with_popularity(self, kind: str, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Append a column to rows, by which inner products include the popularity for users with few interactions."""
        if kind == "item":
            return np.column_stack([rows, self.popularity[codes]])
        known = self._has_interactions(codes)
        return np.column_stack([np.where(known[:, None], rows, 0.0), self.popularity_weights(codes)])

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        rows = unit_rows(self.matrix if kind == "user" else sp.csr_matrix(self.matrix.T))
        return (rows[codes] @ rows[others].T).toarray()

    def explain(self, user: int, item: int) -> dict[str, float]:
        code = np.array([user])
        whole = float(self.score(Pairs(code, np.array([item])))[0])
        popular = float(self.popularity_weights(code)[0] * self.popularity[item])
        parts = {"factors": whole - popular} if self._has_interactions(code)[0] else {}
        return parts | ({"item": popular} if popular or not parts else {})

    def _has_interactions(self, users: np.ndarray) -> np.ndarray:
        starts = self.matrix.indptr
        return starts[users + 1] > starts[users]


class LinearItemScorer(StrengthScorer):
    """Base class of scorers by weights between items: a score is the sum of strength · weight over the user's items.

    A subclass implements `learn` and `item_weights`.
    """

    @abstractmethod
    def item_weights(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the weights of single pairs of items: (n_pairs,)."""

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        rows = self.matrix[users]
        owner = np.repeat(np.arange(len(users)), np.diff(rows.indptr))
        return np.bincount(owner, rows.data * self.item_weights(rows.indices, items[owner]), minlength=len(users))

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        return self.strengths_of(user, values) * self.item_weights(rated, np.full(len(rated), item))


def check_positive(values: np.ndarray) -> None:
    """Raise a ValueError for values of y that are not interactions."""
    if len(values) and values.min() <= 0:
        raise ValueError(
            f"y holds {values.min():g}, but must be greater than 0: it says how strong an interaction is (a count, a "
            "duration, a rating). Leave out pairs that are not interactions."
        )


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Scale the rows to unit length; empty rows stay empty."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.where(lengths > 0, lengths, 1.0)) @ matrix)
