"""`Recommender`: ids in; ratings, recommendations and reasons out."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabrec.collab.interactions import Pairs
from tabrec.collab.ranking import rank_all
from tabrec.collab.reader import RatingsReader, find_id_columns, read_sparse
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import as_column, name_paths
from tabrec.collab.views import LabelledViews, check_n
from tabrec.tables.columns import read_frame
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.names import align_names, check_named, learn_names
from tabrec.tables.row_labels import check_row_labels


@dataclass(frozen=True, eq=False)
class Explanation:
    """The parts of a prediction, and the ratings that contribute to it.

    Attributes
    ----------
    user, item : id
        The pair.
    prediction : float
        The predicted rating.
    path : str
        The source of the prediction; see `Recommender.predict`.
    parts : pandas.Series
        "mean", "user", "item", "features" and "factors", in units of the rating; they sum to the prediction.
    ratings : pandas.DataFrame
        `item`, `rating` and `contribution`: ratings of the user, and how much each raises (or, below 0, lowers) the
        prediction, those that raise it most first.

    See Also
    --------
    Recommender.explain : Returns an explanation.
    """

    user: Any
    item: Any
    prediction: float
    path: str
    parts: pd.Series
    ratings: pd.DataFrame

    def __str__(self) -> str:
        lines = [f"{self.user!r}, {self.item!r}: {self.prediction:.2f} ({self.path})"]
        lines += [f"  {name:<9}{round(part, 2) + 0.0:+.2f}" for name, part in self.parts.items()]
        if len(self.ratings):
            lines += ["  contributions of the user's ratings:"]
            lines += [
                f"    {row.item!r}, rated {row.rating:g}: {row.contribution:+.3f}"
                for row in self.ratings.itertuples(index=False)
            ]
        return "\n".join(lines)


class Recommender(LabelledViews, ABC):
    """Base class of the recommenders: it holds a reader, which turns ids into codes, and a scorer, which learns.

    A subclass is a constructor with at least the parameters below, and `_make_scorer`; a parameter `context`, where it
    has one, names further columns of X that its scorer uses. Derive from `RatingRecommender` or `RankingRecommender`.

    Attributes
    ----------
    user, item : str, default=None
        Columns of the ids; None takes the first and the second column.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id.

    Attributes
    ----------
    user_name_, item_name_ : str
        Columns of the ids.
    mean_rating_ : float
        Weighted mean of all ratings.

    See Also
    --------
    RatingRecommender : Base class of the recommenders that predict ratings.
    RankingRecommender : Base class of the recommenders that learn from interactions.
    tabrec.testing.check_recommender : Tests that a recommender keeps its contract.

    Examples
    --------
    >>> from tabrec import BayesianFactorization
    >>> from tabrec.collab import Recommender
    >>> issubclass(BayesianFactorization, Recommender)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "user": [str, None],
        "item": [str, None],
        "user_features": [object],
        "item_features": [object],
    }
    user: str | None
    item: str | None
    user_features: pd.DataFrame | None
    item_features: pd.DataFrame | None

    @abstractmethod
    def _make_scorer(self) -> Scorer:
        """An unfitted scorer with the parameters of this recommender."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    @restores_on_failure
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from ratings.

        Parameters
        ----------
        X : table or array-like of shape (n_ratings, n_columns), or sparse matrix of shape (n_users, n_items)
            Ids of users and of items, of any type, in the columns that `user` and `item` name or in the first two.
            Rows with a missing id are ignored, with a warning. Other columns are ignored unless the model has a
            parameter that names them. All ratings of a pair that occurs more than once count. A sparse matrix holds
            the ratings; the ids are its row and column numbers, and `y` is None.
        y : array-like of shape (n_ratings,), default=None
            Ratings.
        sample_weight : array-like of shape (n_ratings,), default=None
            Integer weights are frequencies: a rating of weight k counts as k ratings, as long as this makes at most
            ten times as many ratings. Other weights multiply the rating's error.

        Returns
        -------
        self
            The fitted recommender.
        """
        scorer = self._check_parameters()
        X, y = read_sparse(X, y)
