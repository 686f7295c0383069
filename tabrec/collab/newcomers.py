"""`Newcomers`: add users and items to a fitted recommender, and remove them."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabrec.collab.reader import RatingsReader
from tabrec.collab.relevance import Relevance
from tabrec.collab.scorer import Scorer
from tabrec.collab.side_table import read_new_features
from tabrec.collab.views import LabelledViews
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.failed_fit import restores_on_failure


class Newcomers(LabelledViews):
    """Base of the recommenders that adds users and items without a fit, and removes them."""

    user_name_: str
    item_name_: str
    mean_rating_: float
    _relevance: Relevance

    @abstractmethod
    def _check_parameters(self) -> Scorer:
        """Check the parameters and make an unfitted scorer."""

    @abstractmethod
    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from more ratings."""

    def new_user(self, ratings: Any = None, user: Any = "new user", *, features: Any = None) -> Self:
        """Make a model that knows a new user by some ratings or features, without training; this model is not changed.

        The user's row is the most probable one given these ratings and the distribution of the learned rows (or, for
        a user with features, the row that those features predict).

        Parameters
        ----------
        ratings : mapping, Series or frame, default=None
            Ratings by item: ``{"Star Wars (1977)": 5}``, a Series indexed by item, or a frame of item and rating. A
            frame of user, item and rating may hold several users. Models of interactions take a list of items, or a
            frame without ratings, too. None for a user of `features` without ratings.
        user : id, default="new user"
            Id of the user, where `ratings` and `features` have no users.
        features : mapping, Series or frame, default=None
            Features of the user by column of `user_features`, or a frame as `user_features` is.

        Returns
        -------
        Recommender
            A copy whose `predict`, `recommend`, `explain` and `similar_users` know the user.

        Raises
        ------
        ValueError
            A user already has ratings in the model (pass further ones to `partial_fit`), no item is known, a rating
            is missing or outside the range of the model, or the model has no features of users.
        """
        if ratings is None and features is None:
            raise ValueError("new_user needs ratings or features of the user.")
        scorer, made = self._fitted_scorer(), copy.copy(self)
        reader = self._reader
        if features is not None:
            reader = made._add_features("user", features, user)
            scorer.extend(reader)
        if ratings is not None:
            ratings = self._fill_ratings(ratings)
            reader, given, users = reader.learn_given(ratings, user, scorer.check_given)
            scorer.fold_in(reader, given, users)
        made._reader, made._scorer = reader, scorer
        return made

    def _fill_ratings(self, ratings: Any) -> Any:
        """Convert the ratings passed to `new_user` to a form that `read_given` reads."""
        return ratings

    def _fill_strengths(self, ratings: Any) -> Any:
        """Add the mean strength to items, or users and items, that are passed without strengths."""
        if not isinstance(ratings, Mapping | pd.Series) and not is_table(ratings) and np.ndim(ratings) == 1:
            return dict.fromkeys(ratings, self.mean_rating_)
        if is_table(ratings):
            frame = read_frame(ratings)
            if self.item_name_ in frame.columns and set(frame.columns) <= {self.user_name_, self.item_name_}:
                return frame.assign(rating=self.mean_rating_)
        return ratings

    def new_item(self, item: Any, *, features: Any = None, ratings: Any = None) -> Self:
        """Make a model that knows a new item by its features or by some ratings; this model is not changed.

        Parameters
        ----------
        item : id
            Id of the item, where `features` has no items.
        features : mapping, Series or frame, default=None
            Features of the item by column of `item_features`, or a frame as `item_features` is.
        ratings : mapping or Series, default=None
            Ratings of the item by user, from which the copy learns by `partial_fit`.

        Returns
        -------
        Recommender
            A copy that knows the item. `recommend` chooses it by ``include_cold=True`` if it has no ratings.

        Raises
        ------
        ValueError
            Neither features nor ratings are given, the item already has ratings, or the model has no features of items.
        """
        if ratings is None and features is None:
            raise ValueError("new_item needs features or ratings of the item.")
        check_is_fitted(self)
        if np.isin(self._reader.items.ids.encode_list(item), self._reader.items.known()).any():
            raise ValueError(f"{self.item_name_} {item!r} already has ratings: pass further ones to partial_fit.")
        made = copy.copy(self)
        if features is not None:
            scorer = self._fitted_scorer()
            made._reader = made._add_features("item", features, item)
            scorer.extend(made._reader)
            made._scorer = scorer
        if ratings is None:
            return made
        given = pd.Series(ratings)
        pairs = {self.user_name_: given.index, self.item_name_: [item] * len(given)}
        names = getattr(self, "feature_names_in_", list(pairs))
        return made.partial_fit(pd.DataFrame(pairs).reindex(columns=names), given.to_numpy())

    @restores_on_failure
    def forget(self, *, users: Any = (), items: Any = ()) -> Self:
        """Remove users and items: the model becomes that of a fit to the other ratings.

        Their ids, ratings and features are removed, also from the parameters `user_features` and `item_features`, and
        everything is learned again from the remaining ratings, so that nothing learned from the removed ones is left.

        Parameters
        ----------
        users, items : id or array-like of ids, default=()
            Known users and items.

        Returns
        -------
        self
            The recommender, fitted to the remaining ratings.

        Raises
        ------
        ValueError
            An id is not known, no rating is left, or the model uses the context of ratings, which it does not keep.
        """
        check_is_fitted(self)
        if self._reader.context is not None:
            raise ValueError("The model does not keep the context of ratings, which forget would need: fit it again.")
        frame, ratings = self._reader.rest(users, items)
        for kind, ids in (("user", users), ("item", items)):
            name = f"{kind}_features"
            if getattr(self, name) is not None:
                setattr(self, name, self._reader.side(kind).drop_rows(name, getattr(self, name), ids))
        scorer = self._check_parameters()
        self._reader, _ = RatingsReader.learn(
            frame,
            ratings.values,
            ratings.weights,
            owner=type(self).__name__,
            id_names=(self.user_name_, self.item_name_),
            side_tables=(self.user_features, self.item_features),
            context_names=[],
            days=ratings.days,
            duplicates=self._reader.duplicates,
        )
        self.mean_rating_ = self._reader.ratings.mean()
        scorer.fit(self._reader)
        self._scorer = scorer
        self._relevance = Relevance(self._reader)
        return self

    def _add_features(self, kind: str, features: Any, name: Any) -> RatingsReader:
        """Return a reader whose side table has the features of new ids."""
        parameter, side = f"{kind}_features", self._reader.side(kind)
        if side.table is None:
            raise ValueError(f"The model has no features of {kind}s: fit it with {parameter}.")
        more = read_new_features(parameter, features, name, side.ids)
        reader = self._reader.with_features(kind, more)
        rated = more.index[np.isin(reader.side(kind).ids.encode_list(more.index), side.known())]
        if len(rated):
            raise ValueError(f"{side.ids.name} {rated[0]!r} already has ratings: features are for new ids.")
        setattr(self, parameter, side.add_rows(parameter, getattr(self, parameter), more))
        return reader
