"""What every recommender shares: ids in; ratings, recommendations and reasons out."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from tabrec.collab._explanation import Explanation
from tabrec.collab._given import read_given
from tabrec.collab._ids import as_column, id_at
from tabrec.collab._model import RatingModel
from tabrec.collab._ranking import rank_all, rank_similar
from tabrec.collab._ratings import Ratings, sort_ratings
from tabrec.collab._reading import Pairs, RatingsReader
from tabrec.collab._sides import FOLDED_IN, LEARNED, Side, learn_side, name_paths
from tabrec.collab.plots import draw_items
from tabrec.tables.columns import read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import align_names


class Recommender(RatingsReader, RatingModel, RegressorMixin, BaseEstimator):
    """Base of the recommenders.

    A subclass implements what `RatingModel` asks for.
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
    _users: Side
    _items: Side
    _ratings: Ratings

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        # Random numbers, which scikit-learn's checks take for ids, foretell nothing.
        tags.regressor_tags.poor_score = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_ratings")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from ratings.

        Parameters
        ----------
        X : table or array-like of shape (n_ratings, n_columns)
            Ids of users and of items, of any type: in the first two columns, or those that `user` and `item` name.
            Rows where one is missing are left out, with a warning.
            Other columns are passed over, unless the model is told to use them. A pair that stands there more than once
            has been rated more than once: all of its ratings count.
        y : array-like of shape (n_ratings,)
            Ratings.
        sample_weight : array-like of shape (n_ratings,), default=None
            Whole weights are frequencies: a rating of weight k counts as k ratings (up to ten times as many as there
            are). Other weights multiply a rating's part in the error.

        Returns
        -------
        self
        """
        made = copy.copy(self)  # what is refused or fails leaves this model as it was
        made._fit(X, y, sample_weight)
        self.__dict__ = made.__dict__
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from more ratings, which may be of new users and new items; the first call is `fit`.

        Parameters
        ----------
        X : table or array-like of shape (n_ratings, n_columns)
        y : array-like of shape (n_ratings,)
        sample_weight : array-like of shape (n_ratings,), default=None
            As in `fit`. A net takes steps as long whatever its loss is multiplied by, and so heeds only how the weights
            of one call compare with each other.

        Returns
        -------
        self
        """
        made = copy.copy(self)
        if hasattr(self, "_ratings"):
            made._fit_more(X, y, sample_weight)
        else:
            made._fit(X, y, sample_weight)
        self.__dict__ = made.__dict__
        return self

    def predict(self, X: Any, *, return_path: bool = False) -> Any:
        """Predict ratings, of unknown users and items too.

        Parameters
        ----------
        X : table or array-like of shape (n_pairs, n_columns)
            Ids of users and items, in columns named as in fit; an array is read by position.
        return_path : bool, default=False
            Whether to tell how each prediction came about.

        Returns
        -------
        predicted : ndarray of shape (n_pairs,)
            Never NaN.
        path : ndarray of shape (n_pairs,), object
            Only with `return_path`. By the less known of user and item: "learned" (from ratings in fit), "fold-in"
            (from ratings given to `new_user`), "metadata" (from a side table alone), "item bias" (the user is unknown),
            "user bias" (the item is unknown), "global mean" (both are).

        Raises
        ------
        ValueError
            No rows, a column is missing, or ids are of another type than in fit ("196" for 196).
        """
        check_is_fitted(self)
        pairs = self._read_pairs(X)
        predicted = self._predict_pairs(pairs)
        return (predicted, self._paths(pairs)) if return_path else predicted

    def recommend(
        self, users: Any, n: int = 10, *, exclude_seen: bool = True, candidates: Iterable | None = None
    ) -> pd.DataFrame:
        """The items that users are predicted to rate highest, in blocks that bound the memory.

        Parameters
        ----------
        users : id or array-like of ids
            Unknown ones are recommended what everybody is.
        n : int, default=10
            How many for each; fewer where there are no more.
        exclude_seen : bool, default=True
            Whether to leave out what the user has rated.
        candidates : array-like of ids, default=None
            The items to choose from; None is all that have ratings.

        Returns
        -------
        pandas.DataFrame
            `user`, `rank` (from 1), `item` and `score` (the predicted rating). Items predicted beyond the end of the
            scale are ranked by how far; of equal ones, that which comes first in the order of ids is first.

        Raises
        ------
        ValueError
            A candidate is unknown, `n` is less than 1, or ids are of another type than in fit.
        """
        check_is_fitted(self)
        _check_count("n", n)
        users = as_column(self.user_name_, users)
        codes = self._users.ids.encode(users)
        items = self._items.known() if candidates is None else np.unique(self._items.require(candidates))
        seen = self._ratings if exclude_seen else None
        owner, rank, found, scores = rank_all(self._score_block, codes, items, n, seen)
        return pd.DataFrame(
            {
                "user": pd.Series(users.raw).take(owner).array,
                "rank": rank,
                "item": self._items.ids.names_of(found),
                "score": self._to_ratings(scores),
            }
        )

    def similar_items(self, items: Any, n: int = 10) -> pd.DataFrame:
        """The items nearest to others: those whose vectors point the same way (cosine similarity).

        Parameters
        ----------
        items : id or array-like of ids
        n : int, default=10

        Returns
        -------
        pandas.DataFrame
            `item`, `rank` (from 1), `similar` and `similarity` (-1 to 1).

        Raises
        ------
        ValueError
            An item is unknown; the message names the nearest spelling.
        """
        return self._similar("item", items, n)

    def similar_users(self, users: Any, n: int = 10) -> pd.DataFrame:
        """The users nearest to others, as `similar_items` gives the nearest items.

        Parameters
        ----------
        users : id or array-like of ids
        n : int, default=10

        Returns
        -------
        pandas.DataFrame
            `user`, `rank` (from 1), `similar` and `similarity` (-1 to 1).
        """
        return self._similar("user", users, n)

    def explain(self, user: Any, item: Any, *, n: int = 5) -> Explanation:
        """Why a rating is predicted: its parts, and the user's own ratings that argue most for it.

        Parameters
        ----------
        user, item : id
            The user may be unknown, the item too.
        n : int, default=5
            How many of the user's ratings to show.

        Returns
        -------
        Explanation
            `prediction`, `path`, `parts` (a Series: mean, user, item, features and factors, which sum to the
            prediction) and `ratings` (a frame of the user's ratings, by how much each argues for a high prediction).
        """
        check_is_fitted(self)
        _check_count("n", n)
        codes = self._users.ids.encode_list(user), self._items.ids.encode_list(item)
        if len(codes[0]) != 1 or len(codes[1]) != 1:
            raise ValueError(f"explain takes one user and one item, not {len(codes[0])} and {len(codes[1])}.")
        pairs = Pairs(*codes, None)
        path = self._paths(pairs)[0]
        prediction = float(self._predict_pairs(pairs)[0])
        user_code, item_code = (int(code[0]) for code in codes)
        found = {"mean": prediction} if path == "global mean" else self._explain(user_code, item_code)
        parts = pd.Series({name: found.get(name, 0.0) for name in ("mean", "user", "item", "features", "factors")})
        return Explanation(user, item, prediction, path, parts, self._arguments(user_code, item_code, n))

    def plot_items(self, n: int = 50, *, labels: pd.Series | None = None, ax: Any = None) -> Any:
        """Draw the items with most ratings by the first two principal components of their vectors.

        Items that are liked by the same people lie together, whatever is called their genre.

        Parameters
        ----------
        n : int, default=50
            How many items; all, where there are fewer.
        labels : pandas.Series, default=None
            What to write, by item id; None writes the ids.
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            Fewer than two items have ratings.

        References
        ----------
        Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 8, figure 8-4.
        """
        check_is_fitted(self)
        _check_count("n", n)
        known = self._items.known()
        if len(known) < 2:
            raise ValueError("plot_items needs at least two items with ratings.")
        names = self._items.ids.names_of(known).tolist()
        if labels is not None:
            names = [labels.get(name, name) for name in names]
        counts = self._ratings.counts("item", self._items.n_codes)[known]
        return draw_items(self._vectors("item")[known], counts, names, n, ax)

    def new_user(self, ratings: Any, user: Any = "new user") -> Self:
        """Make a model that knows a new user by some ratings, without training; this model stays as it is.

        The user's row is the best one given these ratings and what learned users are like (or, for a user of
        `user_features`, what those features foretell).

        Parameters
        ----------
        ratings : mapping, Series or frame
            Ratings by item: ``{"Star Wars (1977)": 5}``, a Series indexed by item, or a frame of item and rating. A
            frame of user, item and rating is of several users.
        user : id, default="new user"
            Id of the user, where `ratings` names none.

        Returns
        -------
        Recommender
            A copy, whose `predict`, `recommend`, `explain` and `similar_users` know the user.

        Raises
        ------
        ValueError
            A user who has ratings in the model already (give those to `partial_fit`), no known item, a rating that is
            missing or outside the range of the model.
        """
        check_is_fitted(self)
        users, items, values = read_given(ratings, user, self.user_name_, self.item_name_)
        self._check_given(values)
        codes = self._items.ids.encode(items)
        side = self._users.with_ids(users, FOLDED_IN)
        user_codes, rows = side.ids.encode(users), codes > 0
        had_ratings = np.isin(user_codes, self._users.known())
        if had_ratings.any():
            known = id_at(users, int(np.argmax(had_ratings)))
            raise ValueError(f"{self.user_name_} {known!r} is known already: give further ratings to partial_fit.")
        without = ~np.isin(user_codes, user_codes[rows])
        if without.any():
            nobody, unknown = (id_at(column, int(np.argmax(without))) for column in (users, items))
            raise ValueError(f"{nobody!r} has rated no {self.item_name_} that the model knows, but {unknown!r}.")
        if not rows.all():
            unknown = id_at(items, int(np.argmin(rows)))
            warn_caller(
                f"{int((~rows).sum())} of the ratings are of items that the model does not know: {unknown!r}, …"
            )
        made = copy.copy(self)
        made._users = side
        given, _ = sort_ratings(user_codes[rows], codes[rows], values[rows], None)
        made._fold_in(given, np.unique(user_codes))
        made._ratings = self._ratings.with_more(given)
        return made

    @property
    def users_(self) -> pd.Index:
        """Ids of the users with ratings."""
        check_is_fitted(self)
        return self._users.ids.names_of(self._users.known())

    @property
    def items_(self) -> pd.Index:
        """Ids of the items with ratings."""
        check_is_fitted(self)
        return self._items.ids.names_of(self._items.known())

    @property
    def user_bias_(self) -> pd.Series:
        """Bias of each user with ratings, by id."""
        return self._labelled_biases("user")

    @property
    def item_bias_(self) -> pd.Series:
        """Bias of each item with ratings, by id: how much better it is liked than its factors foretell."""
        return self._labelled_biases("item")

    @property
    def user_factors_(self) -> pd.DataFrame:
        """Factors of each user with ratings, by id: (n_users, n_factors)."""
        return self._labelled_factors("user")

    @property
    def item_factors_(self) -> pd.DataFrame:
        """Factors of each item with ratings, by id: (n_items, n_factors)."""
        return self._labelled_factors("item")

    def _labelled_biases(self, kind: str) -> pd.Series:
        check_is_fitted(self)
        side = self._side(kind)
        return pd.Series(self._biases(kind, side.known()), index=side.ids.names_of(side.known()), name="bias")

    def _labelled_factors(self, kind: str) -> pd.DataFrame:
        check_is_fitted(self)
        side = self._side(kind)
        return pd.DataFrame(self._factors(kind), index=side.ids.names_of(side.known()))

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._check_parameters()
        frame = read_frame(X)
        self._learn_columns(X, frame)
        y, rows, weights = self._read_target(frame, y, sample_weight)
        columns = self._id_columns(frame, rows)
        self._users = learn_side(columns[0], "user_features", self.user_features)
        self._items = learn_side(columns[1], "item_features", self.item_features)
        users, items = (side.ids.encode(column) for side, column in zip(self._sides, columns, strict=True))
        self._ratings, order = sort_ratings(users, items, y[rows], weights, self._occasions(frame, rows))
        self.mean_rating_ = self._ratings.mean()
        self._learn(self._take_context(frame, rows[order], fit=True))

    def _fit_more(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._check_parameters()
        frame = align_names(self, X, read_frame(X), self._spared())
        y, rows, weights = self._read_target(frame, y, sample_weight, more=True)
        columns = self._id_columns(frame, rows)
        for side, column in zip(self._sides, columns, strict=True):
            side.ids.encode(column)  # refuses ids of another type than in fit
        before = [side.origins for side in self._sides]
        self._users, self._items = (
            side.with_ids(column, LEARNED) for side, column in zip(self._sides, columns, strict=True)
        )
        users, items = (side.ids.encode(column) for side, column in zip(self._sides, columns, strict=True))
        more, order = sort_ratings(users, items, y[rows], weights, self._occasions(frame, rows))
        new = (side.became_known(origins) for side, origins in zip(self._sides, before, strict=True))
        self._ratings = self._ratings.with_more(more)
        self.mean_rating_ = self._ratings.mean()
        self._learn_more(more, self._take_context(frame, rows[order], fit=False), *new)

    def _check_parameters(self) -> None:
        self._validate_params()

    def _predict_pairs(self, pairs: Pairs) -> np.ndarray:
        return self._with_mean(pairs, self._score(pairs))

    def _with_mean(self, pairs: Pairs, predicted: np.ndarray) -> np.ndarray:
        """Predictions, with the mean rating where neither user nor item is known."""
        return np.where((pairs.users == 0) & (pairs.items == 0), self.mean_rating_, predicted)

    def _paths(self, pairs: Pairs) -> np.ndarray:
        return name_paths(self._users.origins[pairs.users], self._items.origins[pairs.items])

    def _similar(self, kind: str, ids: Any, n: int) -> pd.DataFrame:
        check_is_fitted(self)
        _check_count("n", n)
        side = self._side(kind)
        codes = side.require(ids)
        owner, rank, found, similarity = rank_similar(self._vectors(kind), codes, side.known(), n)
        return pd.DataFrame(
            {
                kind: side.ids.names_of(codes[owner]),
                "rank": rank,
                "similar": side.ids.names_of(found),
                "similarity": similarity,
            }
        )

    def _arguments(self, user: int, item: int, n: int) -> pd.DataFrame:
        rated = self._ratings.of_user(user) if user else slice(0, 0)
        items, values = self._ratings.items[rated], self._ratings.values[rated]
        weight = self._argue(user, item, items, values) if len(items) and item else np.zeros(len(items))
        frame = pd.DataFrame({"item": self._items.ids.names_of(items), "rating": values, "argues": weight})
        return frame.sort_values("argues", ascending=False, kind="stable").head(n).reset_index(drop=True)


def _check_count(name: str, value: Any) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1.")
