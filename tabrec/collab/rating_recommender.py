"""`RatingRecommender`: learns from ratings and predicts them."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from tabrec.collab.interactions import Pairs
from tabrec.collab.recommender import Recommender
from tabrec.collab.relevance import Relevance
from tabrec.tables.messages import warn_caller
from tabrec.tables.row_labels import CheckedScoreMixin

# Above these limits, values are counts rather than ratings on a scale.
_MOST_SKEWNESS, _LEAST_VALUES = 3.0, 20


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
        # scikit-learn's checks pass random numbers, which are read as ids and predict nothing.
        tags.regressor_tags.poor_score = True
        return tags

    def _check_ratings(self, values: np.ndarray) -> None:
        if len(values) > 1 and (values == values[0]).all():
            warn_caller(
                f"All ratings in y are {values[0]:g}, so that {type(self).__name__} has nothing to learn. To learn "
                "from interactions without ratings, use EASE, ImplicitALS, BPR or ItemKNN."
            )
        elif _has_long_tail(values):
            warn_caller(
                f"The values in y have a long tail (median {np.median(values):g}, maximum {values.max():g}), as counts "
                "have: the largest ones decide the squared error. To rank, use ImplicitALS or EASE; to predict, fit "
                f"their logarithms: TransformedTargetRegressor({type(self).__name__}(), func=numpy.log1p, "
                "inverse_func=numpy.expm1)."
            )

    def _order_by(self, order: str) -> Relevance | None:
        check_is_fitted(self)
        if order == "rating":
            return None
        # Learned on first use, because it would slow down fit. Older saved models have none.
        relevance = getattr(self, "_relevance", None) or Relevance(self._reader)
        self._relevance = relevance.updated(self._reader, getattr(self, "device", "cpu"))
        return self._relevance

    def _with_mean(self, pairs: Pairs, predicted: np.ndarray) -> np.ndarray:
        return np.where((pairs.users == 0) & (pairs.items == 0), self.mean_rating_, predicted)


def _has_long_tail(values: np.ndarray) -> bool:
    """Return whether values have many levels, are not negative and strongly skewed, like counts of plays."""
    with np.errstate(over="ignore", invalid="ignore"):  # ratings near the largest float overflow
        spread = float(values.std())
    if not np.isfinite(spread) or not spread or values.min() < 0:
        return False
    skewness = float((((values - values.mean()) / spread) ** 3).mean())
    return skewness > _MOST_SKEWNESS and len(np.unique(values)) > _LEAST_VALUES
