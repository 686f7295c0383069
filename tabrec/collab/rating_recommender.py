"""`RatingRecommender`: learns from ratings and predicts them."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin

from tabrec.collab.interactions import Pairs
from tabrec.collab.recommender import Recommender
from tabrec.tables.messages import warn_caller
from tabrec.tables.row_labels import CheckedScoreMixin


class RatingRecommender(CheckedScoreMixin, RegressorMixin, Recommender):
    """Base class of the recommenders that predict ratings: a `Recommender` that is a regressor of scikit-learn.

    Attributes
    ----------
    mean_rating_ : float
        Weighted mean of all ratings, the prediction for an unknown user and an unknown item.

    See Also
    --------
    Scorer : The part that learns and scores, with an example of a recommender of your own.
    RankingRecommender : Base class of the recommenders that learn from interactions without ratings.
    tabrec.testing.check_recommender : Tests that a recommender keeps its contract.

    Examples
    --------
    >>> from tabrec import BayesianFactorization
    >>> from tabrec.collab import RatingRecommender
    >>> issubclass(BayesianFactorization, RatingRecommender)
    True
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # scikit-learn's checks pass random numbers, which are taken for ids and predict nothing.
        tags.regressor_tags.poor_score = True
        return tags

    def _check_ratings(self, values: np.ndarray) -> None:
        if len(values) > 1 and (values == values[0]).all():
            warn_caller(
                f"All ratings in y are {values[0]:g}, so that {type(self).__name__} has nothing to learn. To learn "
                "from who chose what, without ratings, use EASE, ImplicitALS, BPR or ItemKNN."
            )

    def _with_mean(self, pairs: Pairs, predicted: np.ndarray) -> np.ndarray:
        return np.where((pairs.users == 0) & (pairs.items == 0), self.mean_rating_, predicted)
