"""`Scorer`: the part of a recommender that learns from coded interactions and scores pairs of codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.reader import RatingsReader

# A similarity to an id with this many ratings is halved.
_DAMPING = 5.0
# Number of pairs scored at once in a context.
_MOST_PAIRS = 2**18


class Scorer(ABC):
    """Base class of the scorers of recommenders.

    A `Recommender` reads tables into codes and hands them to its scorer. Code 0 of users and of items stands for
    every unknown id. A scorer implements `fit` and `score`; the other methods have defaults, which rely on these two
    or raise ``NotImplementedError``. Methods that learn must replace the objects that attributes hold and not write
    into them, because copies of a recommender share them.

    Scorers of interactions without ratings share the base class `StrengthScorer` in `tabrec.collab.strengths`.

    Parameters
    ----------
    parameters : mapping of str to object
        The parameters of the recommender, as ``get_params`` returns them. They are updated before each call.

    Attributes
    ----------
    data : RatingsReader
        `users` and `items` (each a `Side` with ids, side table and origins), and `ratings` (the interactions).

    See Also
    --------
    Recommender : The estimator that holds a scorer.
    tabrec.testing.check_recommender : Tests that a recommender keeps its contract.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabrec.collab import RatingRecommender, Scorer
    >>> class ItemMeans(Scorer):
    ...     def fit(self, data, context=None):
    ...         self.data = data
    ...         sums = np.bincount(data.ratings.items, data.ratings.values, data.items.n_codes)
    ...         counts = data.ratings.counts("item", data.items.n_codes)
    ...         self.means = (sums + data.ratings.mean()) / (counts + 1)
    ...     def score(self, pairs):
    ...         return self.means[pairs.items]
    >>> class ItemMeanRecommender(RatingRecommender):
    ...     def __init__(self, *, user=None, item=None, user_features=None, item_features=None):
    ...         self.user = user
    ...         self.item = item
    ...         self.user_features = user_features
    ...         self.item_features = item_features
    ...     def _make_scorer(self):
    ...         return ItemMeans(self.get_params(deep=False))
    >>> ratings = pd.DataFrame({"user": [1, 1, 2], "item": ["a", "b", "a"], "rating": [5.0, 1.0, 4.0]})
    >>> model = ItemMeanRecommender().fit(ratings[["user", "item"]], ratings["rating"])
    >>> model.recommend(2, n=1)["item"].tolist()
    ['b']
    """

    _not_saved: tuple[str, ...] = ("parameters",)
    data: RatingsReader

    def __init__(self, parameters: Mapping[str, Any]):
        self.parameters = parameters

    def check_parameters(self) -> None:  # noqa: B027  a scorer need not check anything
        """Raise a ValueError for parameters that contradict each other; called before any work."""

    @abstractmethod
    def fit(self, data: RatingsReader, context: Context = None) -> None:
        """Learn from ``data.ratings``.

        Parameters
        ----------
        data : RatingsReader
            The fitted reader.
        context : tuple of ndarray, default=None
            Codes and numbers of the context columns, one row per rating.
        """

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        """Learn from more interactions; by default `fit` on all of them.

        Parameters
        ----------
        data : RatingsReader
            The reader with the new ids and all interactions; ``self.data`` is the one before.
        more : Interactions
            The new interactions.
        context : tuple of ndarray, default=None
            Codes and numbers of the context columns, one row per new interaction.
        """
        self.fit(data)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        """Represent new users by the ratings given, without training.

        Parameters
        ----------
        data : RatingsReader
            The reader with the new users; ``self.data`` is the one before.
        given : Interactions
            Ratings of the new users.
        users : ndarray of int
            Codes of the new users. They are the last codes, or codes known from a side table.
        """
        raise NotImplementedError(f"{self._model_name} has no fold_in: it cannot represent new users.")

    def extend(self, data: RatingsReader) -> None:
        """Know ids that have features but no ratings; by default `fit` on all ratings.

        Parameters
        ----------
        data : RatingsReader
            The reader with the new ids, whose codes are the last ones; ``self.data`` is the one before.
        """
        self.fit(data)

    @abstractmethod
    def score(self, pairs: Pairs) -> np.ndarray:
        """Predict ratings.

        Parameters
        ----------
        pairs : Pairs
            Codes of users and items, 0 for unknown ids.

        Returns
        -------
        ndarray of shape (n_pairs,)
            Finite numbers.
        """

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Score all pairs of some users and some items, to rank the items; see `to_ratings`.

        Parameters
        ----------
        users, items : ndarray of int
            Codes.

        Returns
        -------
        ndarray of shape (n_users, n_items)
            Greater is better.
        """
        pairs = Pairs(np.repeat(users, len(items)), np.tile(items, len(users)))
        return self.score(pairs).reshape(len(users), len(items))

    def score_block_in_context(self, users: np.ndarray, items: np.ndarray, context: tuple) -> np.ndarray:
        """Predict all pairs of some users, each in a context, and some items; by default by `score`.

        Parameters
        ----------
        users, items : ndarray of int
            Codes.
        context : tuple of ndarray
            Codes and numbers of the context columns, one row for each user.

        Returns
        -------
        ndarray of shape (n_users, n_items)
            As `score` returns them.
        """
        scores = np.empty((len(users), len(items)))
        step = max(1, _MOST_PAIRS // max(len(items), 1))
        for start in range(0, len(users), step):
            rows = np.repeat(np.arange(start, min(start + step, len(users))), len(items))
            pairs = Pairs(users[rows], np.tile(items, len(rows) // max(len(items), 1)), tuple(c[rows] for c in context))
            scores[start : start + step] = self.score(pairs).reshape(-1, len(items))
        return scores

    def to_ratings(self, scores: np.ndarray) -> np.ndarray:
        """Convert scores of `score_block` to predicted ratings; by default they are the same.

        Parameters
        ----------
        scores : ndarray
            The scores.

        Returns
        -------
        ndarray of the same shape
            The ratings.
        """
        return scores

    def check_ratings(self, values: np.ndarray) -> None:  # noqa: B027  any rating may do
        """Raise a ValueError for further ratings that the fitted scorer cannot learn from.

        Parameters
        ----------
        values : ndarray
            The ratings.
        """

    def check_given(self, values: np.ndarray) -> None:
        """Raise a ValueError for ratings of a new user that `fold_in` cannot use; by default `check_ratings`.

        Parameters
        ----------
        values : ndarray
            The ratings.
        """
        self.check_ratings(values)

    def vectors(self, kind: str) -> np.ndarray:
        """Return vectors without biases, by which `similar_users` and `similar_items` compare.

        Parameters
        ----------
        kind : {"user", "item"}
            Which vectors.

        Returns
        -------
        ndarray of shape (n_codes, n_dimensions)
            The vectors of all codes.
        """
        raise NotImplementedError(f"{self._model_name} has no vectors: it cannot compare {kind}s.")

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Return similarities of users or items; by default cosines of their vectors, times n / (n + 5).

        n is the number of ratings of the other one: vectors of few ratings are mostly noise.

        Parameters
        ----------
        kind : {"user", "item"}
            The ids to compare.
        codes, others : ndarray of int
            Codes of the ids.

        Returns
        -------
        ndarray of shape (n_codes, n_others)
            Greater is more similar.
        """
        vectors = self.vectors(kind)
        here, there = (unit_vectors(vectors[some]) for some in (codes, others))
        counts = self.data.ratings.counts(kind, self.data.side(kind).n_codes)[others]
        return np.clip(here @ there.T, None, 1.0) * (counts / (counts + _DAMPING))

    def factors(self, kind: str) -> np.ndarray:
        """Return the factors of the users or items with ratings; by default their vectors.

        Parameters
        ----------
        kind : {"user", "item"}
            Which factors.

        Returns
        -------
        ndarray of shape (n_known, n_factors)
            The factors, in the order of codes.
        """
        return self.vectors(kind)[self.data.side(kind).known()]

    def search_vectors(self, kind: str, codes: np.ndarray) -> np.ndarray:
        """Return vectors whose inner products are the scores of `score_block`, for an approximate index.

        Parameters
        ----------
        kind : {"user", "item"}
            Which vectors.
        codes : ndarray of int
            Codes of the ids.

        Returns
        -------
        ndarray of shape (n_ids, n_dimensions)
            The vectors.
        """
        raise NotImplementedError(
            f"{self._model_name} does not score by inner products: it has no index of items. ImplicitALS, BPR and "
            "DotProductBias(objective='ranking') do."
        )

    @property
    def _model_name(self) -> str:
        """The name of the recommender, for messages."""
        return type(self).__name__.removesuffix("Scorer")

    def biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        """Return the biases of users or items; by default the change in the prediction from the id alone.

        Parameters
        ----------
        kind : {"user", "item"}
            Which biases.
        codes : ndarray of int
            Codes of the ids.

        Returns
        -------
        ndarray of shape (n_ids,)
            The biases.
        """
        nobody, somebody = np.zeros(len(codes) + 1, dtype=np.int32), np.append(codes, 0)
        scores = self.score(Pairs(somebody, nobody) if kind == "user" else Pairs(nobody, somebody))
        return scores[:-1] - scores[-1]

    def explain(self, user: int, item: int) -> dict[str, float]:
        """Split a prediction into parts that sum to it.

        By default "user" and "item" are biases, and "factors" is the rest.

        Parameters
        ----------
        user, item : int
            Codes of the pair.

        Returns
        -------
        dict of str to float
            Some of "mean", "user", "item", "features" and "factors".
        """
        scores = self.score(Pairs(np.array([0, user, 0, user]), np.array([0, 0, item, item])))
        mean, of_user, of_item, whole = (float(score) for score in scores)
        return {
            "mean": mean, "user": of_user - mean, "item": of_item - mean, "factors": whole - of_user - of_item + mean
        }  # fmt: skip

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return how much each rating of a user raises the prediction for an item; by default 0, for unknown.

        Parameters
        ----------
        user, item : int
            Codes of the pair.
        rated : ndarray of int of shape (n_rated,)
            Codes of the items that the user has rated.
        values : ndarray of shape (n_rated,)
            The ratings.

        Returns
        -------
        ndarray of shape (n_rated,)
            The contributions, in units of the rating.
        """
        return np.zeros(len(rated))


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Scale the rows to unit length; rows of zeros stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1.0)
