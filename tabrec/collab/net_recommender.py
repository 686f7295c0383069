"""`NetRecommender`: base class of the recommenders of ratings that the training loop of the nets trains."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tabrec.collab.rating_recommender import RatingRecommender
from tabrec.neural.training_task import TrainingTask


class NetRecommender(RatingRecommender):
    """A recommender whose scorer has `make_training_task`, `model` and `history`."""

    def make_training_task(self, X: Any, y: Any, sample_weight: Any = None) -> TrainingTask:
        """Make what `fit` would train, without training it; this changes the recommender.

        Parameters
        ----------
        X : table or array-like of shape (n_ratings, n_columns)
            Ids of users and of items, as in `fit`.
        y : array-like of shape (n_ratings,)
            Ratings.
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
