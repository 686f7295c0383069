"""`NetRecommender`: base class of the recommenders that are trained as nets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.cv_scorers import make_ranking_scorer
from tabrec.collab.interactions import Pairs
from tabrec.collab.rating_recommender import RatingRecommender
from tabrec.collab.relevance import Relevance
from tabrec.collab.strengths import check_positive
from tabrec.neural.training_task import TrainingTask


class NetRecommender(RatingRecommender):
    """A recommender whose scorer has `make_training_task`, `model` and `history`.

    With ``objective="ranking"`` it learns from interactions, and is not a regressor.
    """

    objective: str

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.objective == "ranking":
            tags.estimator_type, tags.regressor_tags = None, None
            tags.target_tags.required, tags.target_tags.positive_only = False, True
        return tags

    def make_training_task(self, X: Any, y: Any = None, sample_weight: Any = None) -> TrainingTask:
        """Make the net, the data and the trainer of `fit` without training; this changes the recommender.

        Parameters
        ----------
        X : table or array-like of shape (n_ratings, n_columns)
            Ids of users and of items, as in `fit`.
        y : array-like of shape (n_ratings,), default=None
            Ratings, as in `fit`.
        sample_weight : array-like of shape (n_ratings,), default=None
            Weights of the ratings, as in `fit`.

        Returns
        -------
        TrainingTask
            The trainer, with the net, and the data.
        """
        scorer: Any
        scorer, context = self._read_ratings(X, y, sample_weight)
        return scorer.make_training_task(self._reader, context)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Compute R² of the predicted ratings or, to rank, the NDCG of the first 10 recommendations.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Held-out pairs. To rank, all are relevant, and items of the training interactions are not recommended.
        y : array-like of shape (n_pairs,), default=None
            Their ratings; ignored to rank.
        sample_weight : array-like of shape (n_pairs,), default=None
            Weights of the ratings; ignored to rank.

        Returns
        -------
        float
            Greater is better; 1 is best.
        """
        if self.objective == "rating":
            return super().score(X, y, sample_weight)
        self._read_pairs(X)  # raises an error for missing columns
        return make_ranking_scorer()(self, X)

    @property
    def model_(self) -> Any:
        """The trained net."""
        scorer: Any = self._fitted_scorer()
        return scorer.model

    @property
    def history_(self) -> pd.DataFrame:
        """Losses by epoch."""
        scorer: Any = self._fitted_scorer()
        return scorer.history

    def _read_target(self, frame: pd.DataFrame, y: Any) -> Any:
        return np.ones(len(frame)) if y is None and self.objective == "ranking" else y

    def _fill_ratings(self, ratings: Any) -> Any:
        return self._fill_strengths(ratings) if self.objective == "ranking" else ratings

    def _check_ratings(self, values: np.ndarray) -> None:
        if self.objective == "ranking":
            check_positive(values)
        else:
            super()._check_ratings(values)

    def _order_by(self, order: str) -> Relevance | None:
        if self.objective == "ranking":
            return super(RatingRecommender, self)._order_by(order)
        return super()._order_by(order)

    def _with_mean(self, pairs: Pairs, predicted: np.ndarray) -> np.ndarray:
        return predicted if self.objective == "ranking" else super()._with_mean(pairs, predicted)
