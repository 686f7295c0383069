"""What a recommender's model has to do, in codes: 0 is an unknown id."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from tabrec.collab._ratings import Ratings
from tabrec.collab._reading import Context, Pairs


class RatingModel(ABC):
    """What a subclass of `Recommender` implements."""

    def _to_ratings(self, scores: np.ndarray) -> np.ndarray:
        """Predicted ratings of the scores by which items are ranked."""
        return scores

    @abstractmethod
    def _learn(self, context: Context) -> None:
        """Learn from `_ratings`."""

    @abstractmethod
    def _learn_more(self, more: Ratings, context: Context, new_users: np.ndarray, new_items: np.ndarray) -> None:
        """Learn from further ratings, which `_ratings` holds already; the sides may have grown.

        Codes of users and items that had no rating before are in `new_users` and `new_items`.
        """

    @abstractmethod
    def _fold_in(self, given: Ratings, users: np.ndarray) -> None:
        """Make rows for these users, the last ones or some known from metadata; nothing that is shared may change."""

    @abstractmethod
    def _score(self, pairs: Pairs) -> np.ndarray:
        """Predicted ratings of pairs."""

    @abstractmethod
    def _score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Scores to rank every item by, for every user: (n_users, n_items); see `_to_ratings`."""

    @abstractmethod
    def _biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        """Biases of users or items."""

    @abstractmethod
    def _factors(self, kind: str) -> np.ndarray:
        """Factors of all users or items with ratings."""

    @abstractmethod
    def _vectors(self, kind: str) -> np.ndarray:
        """What tells users or items apart, biases left out: (n_codes, n_dimensions)."""

    @abstractmethod
    def _explain(self, user: int, item: int) -> dict[str, float]:
        """Parts of a prediction."""

    @abstractmethod
    def _argue(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        """How much each of a user's ratings raises the prediction for an item."""
