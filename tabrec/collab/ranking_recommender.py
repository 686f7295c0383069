"""`RankingRecommender`: learns from interactions, with or without ratings, and ranks items."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp

from tabrec.collab.cv_scorers import make_ranking_scorer
from tabrec.collab.recommender import Recommender
from tabrec.collab.strengths import RATING_WEIGHT, check_positive


class RankingRecommender(Recommender):
    """Base class of the recommenders that learn from interactions (clicks, purchases, plays or ratings).

    Each interaction makes it likelier that the user takes similar items; a pair without one has the strength 0. Scores
    order the items of a user and have no unit. A subclass is a constructor with at least the parameters below, and
    `_make_scorer`.

    Attributes
    ----------
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction.

    See Also
    --------
    Recommender : Base class of all recommenders.
    EASE : The most accurate one for up to some ten thousand items.
    tabrec.testing.check_recommender : Tests that a recommender keeps its contract.

    Examples
    --------
    >>> from tabrec import EASE
    >>> from tabrec.collab import RankingRecommender
    >>> issubclass(EASE, RankingRecommender)
    True
    """

    _parameter_constraints: ClassVar[dict] = {**Recommender._parameter_constraints, "rating_weight": RATING_WEIGHT}
    rating_weight: Any

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.positive_only = True
        return tags

    def predict(self, X: Any, *, return_path: bool = False) -> Any:
        """Score pairs of users and items: the greater, the likelier the user takes the item.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Ids of users and items, in columns named as in fit; the columns of an array are matched by position.
        return_path : bool, default=False
            Whether to return the source of each score as well.

        Returns
        -------
        scores : ndarray of shape (n_pairs,)
            Comparable within a user, without a unit. Items are scored by their popularity for unknown users.
        path : ndarray of shape (n_pairs,), object
            Only with `return_path`; as in `Recommender.predict`.
        """
        return super().predict(X, return_path=return_path)

    def score(self, X: Any, y: Any = None) -> float:
        """Compute the NDCG of the first 10 recommendations, mean over the users of X.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Held-out interactions, all of which are relevant. Items of the training interactions are not recommended.
        y : None
            Ignored; present for API consistency.

        Returns
        -------
        float
            0 to 1; see `ndcg_at_k`.
        """
        self._read_pairs(X)  # raises an error for missing columns
        return make_ranking_scorer()(self, X)

    def _read_sparse(self, X: Any, y: Any) -> tuple[Any, Any]:
        if sp.issparse(X):
            X = sp.coo_array(X)
            X.eliminate_zeros()  # stored zeros are not interactions
        return super()._read_sparse(X, y)

    def _fill_ratings(self, ratings: Any) -> Any:
        return self._fill_strengths(ratings)

    def _read_target(self, frame: pd.DataFrame, y: Any) -> Any:
        return np.ones(len(frame)) if y is None else y

    def _check_ratings(self, values: np.ndarray) -> None:
        check_positive(values)
