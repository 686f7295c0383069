"""`Recommender`: the base class of recommenders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from tabrec.collab.exports import Exports
from tabrec.collab.interactions import Context, Pairs
from tabrec.collab.newcomers import Newcomers
from tabrec.collab.rating_columns import find_id_columns
from tabrec.collab.reader import RatingsReader, as_pairs, read_sparse
from tabrec.collab.recommending import recommend_items
from tabrec.collab.relevance import Relevance
from tabrec.collab.scorer import Scorer
from tabrec.preprocess.warm_start import check_parameters_kept, describe_parameters
from tabrec.tables.chunks import TakesChunksMixin
from tabrec.tables.columns import read_frame
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.names import align_names, check_named, learn_names
from tabrec.tables.row_labels import check_row_labels

# Parameters that take effect only in `fit`, of which a recommender may have some.
_KEPT = (
    *("user", "item", "context", "duplicates", "objective"),
    *("y_range", "n_factors", "bias", "n_history", "likelihood", "implicit_feedback", "layers", "embedding_size"),
    *("activation", "batch_norm", "dropout", "embedding_dropout", "unknown_rate"),
)


class Recommender(TakesChunksMixin, Newcomers, Exports, ABC):
    """Base class of the recommenders: it holds a reader, which turns ids into codes, and a scorer, which learns.

    A subclass defines a constructor with at least the parameters named below, and `_make_scorer`. If it has a parameter
    `context`, this names further columns of X that its scorer uses. Derive from `RatingRecommender` or
    `RankingRecommender`.

    Attributes
    ----------
    user, item : str or None
        Parameters: the columns of the ids. None uses the only two columns, or columns with usual names such as
        "userId", or else the first two.
    user_features, item_features : pandas.DataFrame or None
        Parameters: side tables indexed by id.
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
        """Return an unfitted scorer with the parameters of this recommender."""

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
        return self._learn(*self._read_ratings(X, y, sample_weight))

    def _learn(self, scorer: Scorer, context: Context) -> Self:
        scorer.fit(self._reader, context)
        self._scorer, self._relevance = scorer, Relevance(self._reader)
        return self

    def _take(self, reader: RatingsReader) -> None:
        self._reader = reader
        self._check_ratings(reader.ratings.values)
        self._kept_parameters = describe_parameters(self, _KEPT)
        self.user_name_, self.item_name_ = reader.user_name, reader.item_name
        self.mean_rating_ = reader.ratings.mean()

    def _read_ratings(self, X: Any, y: Any, sample_weight: Any) -> tuple[Scorer, Context]:
        """Read the ratings of `fit`; returns an unfitted scorer, and the context of the ratings."""
        scorer = self._check_parameters()
        check_row_labels(X, y=y, sample_weight=sample_weight)
        X, y = self._read_sparse(X, y)
        frame = read_frame(X)
        y, sample_weight = self._read_target(frame, y), self._read_weights(frame, sample_weight, True)
        owner, names = type(self).__name__, frame.columns.tolist()
        id_names = find_id_columns(frame, self.user, self.item, owner)
        learn_names(self, X, frame)
        context_names = check_named("context", getattr(self, "context", ()), names)
        ids = [name for name in context_names if name in id_names]
        if ids:
            raise ValueError(f"context must not list the id columns {ids}; they are always used.")
        reader, context = RatingsReader.learn(
            frame,
            y,
            sample_weight,
            owner=owner,
            id_names=id_names,
            side_tables=(self.user_features, self.item_features),
            context_names=context_names,
            days=self._read_days(frame),
            duplicates=getattr(self, "duplicates", "all"),
        )
        self._take(reader)
        return scorer, context

    @restores_on_failure
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from more ratings, possibly of new users and new items; the first call is equivalent to `fit`.

        Rows that `user_features` and `item_features` have got since, by ``set_params``, are read for ids that had no
        features; those of other ids stay as they were.

        Parameters
        ----------
        X : table or array-like of shape (n_ratings, n_columns)
            Ids of users and of items, in columns named as in fit.
        y : array-like of shape (n_ratings,), default=None
            Ratings.
        sample_weight : array-like of shape (n_ratings,), default=None
            As in `fit`. For nets, only relative weights within a call matter: their optimizers are scale-invariant.

        Returns
        -------
        self
            The fitted recommender.
        """
        if not hasattr(self, "_scorer"):
            return self.fit(X, y, sample_weight)
        self._check_parameters()
        kept = getattr(self, "_kept_parameters", {})  # absent from models of tabrec 0.1
        check_parameters_kept(self, {name: text for name, text in kept.items() if name in _KEPT})
        scorer = self._fitted_scorer()
        check_row_labels(X, y=y, sample_weight=sample_weight)
        X, y = self._read_sparse(X, y)
        frame = align_names(self, X, read_frame(X), self._unused())
        y, sample_weight = self._read_target(frame, y), self._read_weights(frame, sample_weight, False)
        reader = self._reader
        for kind, features in (("user", self.user_features), ("item", self.item_features)):
            reader = reader.with_new_rows(kind, features)
        self._reader, more, context = reader.learn_more(
            frame, y, sample_weight, scorer.check_ratings, self._read_days(frame)
        )
        self.mean_rating_ = self._reader.ratings.mean()
        scorer.fit_more(self._reader, more, context)
        self._scorer = scorer
        return self

    def predict(self, X: Any, *, return_path: bool = False) -> Any:
        """Predict ratings, including those of unknown users and items.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Ids of users and items, in columns named as in fit; the columns of an array are matched by position.
        return_path : bool, default=False
            Whether to return the source of each prediction as well.

        Returns
        -------
        predicted : ndarray of shape (n_pairs,)
            Never NaN.
        path : ndarray of shape (n_pairs,), object
            Only with `return_path`. For the less known of user and item: "learned" (from ratings in fit), "fold-in"
            (from ratings passed to `new_user`), "metadata" (from a side table alone), "item bias" (the user is
            unknown), "user bias" (the item is unknown), "global mean" (both are unknown).

        Raises
        ------
        ValueError
            X has no rows, a column is missing, or ids are of another type than in fit ("196" for 196).
        """
        pairs = self._read_pairs(X)
        predicted = self._with_mean(pairs, self._fitted_scorer().score(pairs))
        return (predicted, self._paths(pairs)) if return_path else predicted

    @validate_params(
        {
            "n": [Interval(Integral, 1, None, closed="left")],
            "unknown": [StrOptions({"ignore", "raise"})],
            "order": [StrOptions({"relevance", "rating"})],
            "diversity": [Real, dict, None],
            "fill": ["boolean"],
        },
        prefer_skip_nested_validation=True,
    )
    def recommend(
        self,
        users: Any,
        n: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Any = None,
        exclude: Any = None,
        include_cold: bool = False,
        unknown: str = "ignore",
        order: str = "relevance",
        context: Any = None,
        diversity: Any = None,
        fill: bool = False,
        index: Any = None,
    ) -> pd.DataFrame:
        """Recommend the best items of each user, computed in blocks that bound the memory.

        Parameters
        ----------
        users : id or array-like of ids
            Unknown users get popular items, or with ``order="rating"`` those with the highest average rating.
        n : int, default=10
            Number of items per user; fewer if not enough remain. A warning names users without any.
        exclude_seen : bool, default=True
            Whether to exclude items that the user has rated.
        candidates : array-like of ids, or table of shape (n_pairs, 2), default=None
            The items to choose from; None takes all items with ratings. A table has the candidates of each user, in
            columns named as in fit or "user" and "item".
        exclude : table of shape (n_pairs, 2 or more) or callable, default=None
            Pairs not to recommend, in columns named as in fit or "user" and "item". A callable is given a frame of
            pairs, with the columns named as in fit, and returns a boolean for each, True for those not to recommend. It
            is called several times, with the best items of each user, until n items per user remain.
        include_cold : bool, default=False
            Whether to choose also from the items that are in `item_features` but have no ratings, without `candidates`.
        unknown : {"ignore", "raise"}, default="ignore"
            Whether to leave out unknown candidates, with a warning, or to raise a ValueError.
        order : {"relevance", "rating"}, default="relevance"
            "rating" sorts by the predicted rating, which puts items first that few users have rated. "relevance"
            multiplies the preference score of `ImplicitALS`, fitted to the rated pairs in the first call, by
            (1 + s) / 2, where s is the share of all ratings below the predicted one. Models that do not predict
            ratings only support "relevance", which sorts by their scores.
        context : table of shape (n_users, n_columns), default=None
            The context columns of the model for each user, or one row for all of them; for models fitted with context.
        diversity : float or dict, default=None
            A float between 0 and 1 is the weight of being unlike the items before, against that of the score (maximal
            marginal relevance); scores then do not fall with the rank. A dict such as ``{"genre": 2}`` is the largest
            number of items with equal values of a column of `item_features`.
        fill : bool, default=False
            Whether to complete lists of fewer than n items: with items that are not candidates, then with those that
            the user has. Excluded pairs stay excluded.
        index : str or path-like, default=None
            Index of the items, written by `to_ann`, in which to search for the items of each user. It finds nearly
            all of the best items without scoring the others. The options `candidates`, `include_cold`, `context`,
            `diversity` and `fill` need all scores.

        Returns
        -------
        pandas.DataFrame
            `user`, `rank` (from 1), `item` and `score`, as `predict` returns it; models of ratings in the order of
            relevance have the column `relevance` as well. The order uses scores before they are limited to the scale;
            ties are broken by the order of ids.

        Raises
        ------
        ValueError
            No candidate is known, `n` is less than 1, ids are of another type than in fit, `exclude` fails or returns
            something else than booleans, or a model that does not predict ratings is asked for their order.

        Examples
        --------
        >>> from tabrec import Popular
        >>> from tabrec.datasets import make_interactions
        >>> clicks = make_interactions(1_000, random_state=0)
        >>> model = Popular().fit(clicks[["user", "item"]])
        >>> model.recommend(1, 3)["item"].tolist()
        [51, 56, 100]
        >>> model.recommend(1, 3, exclude=lambda pairs: pairs["item"] % 2 == 0)["item"].tolist()
        [51, 73, 103]
        """
        if index is not None:
            self._check_searchable(candidates, include_cold, context, diversity, fill)
        return recommend_items(
            index=index,
            scorer=self._fitted_scorer(),
            relevance=self._order_by(order),
            reader=self._reader,
            users=users,
            n=n,
            exclude_seen=exclude_seen,
            candidates=candidates,
            exclude=exclude,
            include_cold=include_cold,
            unknown=unknown,
            context=context,
            diversity=diversity,
            fill=fill,
            item_features=self.item_features,
        )

    def _check_searchable(self, candidates: Any, include_cold: bool, context: Any, diversity: Any, fill: bool) -> None:
        """Raise an error if the model has no index, or if an option requires the scores of all items."""
        self._searched_scorer()
        options = {"candidates": candidates, "context": context, "diversity": diversity}
        options |= {"include_cold": include_cold or None, "fill": fill or None}
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise ValueError(f"index= finds items without scoring all, which {given[0]} needs: leave one of them out.")

    def _searched_scorer(self) -> Scorer:
        """Return the scorer; raises a NotImplementedError unless it ranks by inner products."""
        scorer = self._fitted_scorer()
        if is_regressor(self):
            raise NotImplementedError(
                f"{type(self).__name__} orders items by relevance, not by inner products: it has no index of items."
            )
        scorer.search_vectors("item", np.empty(0, dtype=np.intp))
        return scorer

    def _order_by(self, order: str) -> Relevance | None:
        """Return the relevance by which `recommend` ranks items, or None to rank by scores."""
        if order == "rating":
            raise ValueError(f"{type(self).__name__} does not predict ratings: order='rating' is for models that do.")
        return None

    def _read_sparse(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Convert a sparse matrix to pairs and values; other input is returned unchanged."""
        return read_sparse(X, y)

    def _read_target(self, frame: pd.DataFrame, y: Any) -> Any:
        """Return the ratings of the rows of a table."""
        return y

    def _check_ratings(self, values: np.ndarray) -> None:
        """Check the values from which the model is to learn."""

    def _read_weights(self, frame: pd.DataFrame, sample_weight: Any, reset: bool) -> Any:
        """Return the weights of the rows of a table; `reset` is True in `fit` and False in `partial_fit`."""
        return sample_weight

    def _read_days(self, frame: pd.DataFrame) -> np.ndarray | None:
        """Return the times of the rows of a table in days, for models that use them."""
        return None

    def _check_parameters(self) -> Scorer:
        """Check the parameters and make a scorer of them."""
        self._validate_params()
        scorer = self._make_scorer()
        scorer.check_parameters()
        return scorer

    def _unused(self) -> list[str]:
        return self._reader.unused(getattr(self, "feature_names_in_", ()))

    def _read_pairs(self, X: Any) -> Pairs:
        check_is_fitted(self)
        return self._reader.read_pairs(align_names(self, X, as_pairs(X), self._unused()))
