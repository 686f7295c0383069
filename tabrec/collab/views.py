"""`LabelledViews`: biases and factors by id, similar ids, explanations and a plot of the items."""

from __future__ import annotations

import copy
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from tabrec.collab.explanation import Explanation
from tabrec.collab.interactions import Pairs
from tabrec.collab.ranking import rank_similar
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import name_paths
from tabrec.plotting.axes import shorten_all
from tabrec.plotting.maps import draw_labelled, principal_components

# Components are computed from the items with most ratings, because vectors of rare items are hardly trained.
_MOST_FOR_COMPONENTS = 1000
check_n = validate_params({"n": [Interval(Integral, 1, None, closed="left")]}, prefer_skip_nested_validation=True)


class LabelledViews(BaseEstimator):
    """Base of the recommenders with views of their fitted reader and scorer."""

    _reader: RatingsReader
    _scorer: Scorer

    @property
    def users_(self) -> pd.Index:
        """Ids of the users with ratings."""
        return self._known_ids("user")

    @property
    def items_(self) -> pd.Index:
        """Ids of the items with ratings."""
        return self._known_ids("item")

    @property
    def user_bias_(self) -> pd.Series:
        """Bias of each user with ratings, by id."""
        return self._biases("user")

    @property
    def item_bias_(self) -> pd.Series:
        """Bias of each item with ratings, by id: how much better it is liked than its factors predict."""
        return self._biases("item")

    @property
    def user_factors_(self) -> pd.DataFrame:
        """Factors of each user with ratings, by id: (n_users, n_factors)."""
        return pd.DataFrame(self._fitted_scorer().factors("user"), index=self.users_)

    @property
    def item_factors_(self) -> pd.DataFrame:
        """Factors of each item with ratings, by id: (n_items, n_factors)."""
        return pd.DataFrame(self._fitted_scorer().factors("item"), index=self.items_)

    @property
    def user_vectors_(self) -> pd.DataFrame:
        """Vectors by which `similar_users` compares users, by id."""
        return self._vectors("user")

    @property
    def item_vectors_(self) -> pd.DataFrame:
        """Vectors by which `similar_items` compares items, by id."""
        return self._vectors("item")

    @property
    def user_counts_(self) -> pd.Series:
        """Number of ratings of each user, by id."""
        return self._counts("user")

    @property
    def item_counts_(self) -> pd.Series:
        """Number of ratings of each item, by id."""
        return self._counts("item")

    @property
    def ratings_(self) -> pd.DataFrame:
        """All ratings that the model holds, sorted: `user`, `item` and `rating`."""
        check_is_fitted(self)
        ratings, ids = self._reader.ratings, (self._reader.users.ids, self._reader.items.ids)
        return pd.DataFrame(
            {"user": ids[0].names_of(ratings.users), "item": ids[1].names_of(ratings.items), "rating": ratings.values}
        )

    @check_n
    def similar_items(self, items: Any, n: int = 10) -> pd.DataFrame:
        """Find the most similar items to the given ones, unless noted by the cosine similarity of their vectors.

        It is multiplied by n / (n + 5), where n is the number of ratings of the similar item.

        Parameters
        ----------
        items : id or array-like of ids
            Known items.
        n : int, default=10
            Number of similar items per item.

        Returns
        -------
        pandas.DataFrame
            `item`, `rank` (from 1), `similar` and `similarity` (-1 to 1).

        Raises
        ------
        ValueError
            An item is unknown; the message lists known ids with similar spellings.
        """
        return self._similar("item", items, n)

    @check_n
    def similar_users(self, users: Any, n: int = 10) -> pd.DataFrame:
        """Find the most similar users to the given ones, unless noted by the cosine similarity of their vectors.

        It is multiplied by n / (n + 5), where n is the number of ratings of the similar user.

        Parameters
        ----------
        users : id or array-like of ids
            Known users.
        n : int, default=10
            Number of similar users per user.

        Returns
        -------
        pandas.DataFrame
            `user`, `rank` (from 1), `similar` and `similarity` (-1 to 1).

        Raises
        ------
        ValueError
            A user is unknown.
        """
        return self._similar("user", users, n)

    @check_n
    def plot_items(self, n: int = 50, *, labels: pd.Series | None = None, ax: Any = None) -> Any:
        """Plot the items with most ratings by the first two principal components of their vectors.

        Items that the same people like lie close together, even if their genres differ.

        Parameters
        ----------
        n : int, default=50
            Number of items; all, where there are fewer.
        labels : pandas.Series, default=None
            Labels by item id; None writes the ids.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.

        Raises
        ------
        ValueError
            Fewer than two items have ratings.

        References
        ----------
        Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 8, figure 8-4.
        """
        counts, vectors = self.item_counts_, self.item_vectors_
        if len(counts) < 2:
            raise ValueError("plot_items needs at least two items with ratings.")
        busiest = np.argsort(-counts.to_numpy(), kind="stable")[:_MOST_FOR_COMPONENTS]
        shown = min(n, len(busiest))
        names = counts.index[busiest[:shown]].tolist()
        texts = shorten_all(name if labels is None else labels.get(name, name) for name in names)
        title = f"The {shown} items with most ratings"
        return draw_labelled(principal_components(vectors.to_numpy()[busiest])[:shown], texts, title, ax)

    @check_n
    def explain(self, user: Any, item: Any, *, n: int = 5) -> Explanation:
        """Explain a prediction by its parts and by the user's ratings that contribute most to it.

        Parameters
        ----------
        user, item : id
            Either may be unknown.
        n : int, default=5
            Number of the user's ratings to show.

        Returns
        -------
        Explanation
            `prediction`, `path`, `parts` (a Series: mean, user, item, features and factors, which sum to the
            prediction) and `ratings` (a frame of the user's ratings, sorted by their contribution).
        """
        scorer, reader = self._fitted_scorer(), self._reader
        codes = reader.users.ids.encode_list(user), reader.items.ids.encode_list(item)
        if len(codes[0]) != 1 or len(codes[1]) != 1:
            raise ValueError(f"explain takes one user and one item, got {len(codes[0])} and {len(codes[1])}.")
        pairs = Pairs(*codes)
        path, prediction = self._paths(pairs)[0], float(self._with_mean(pairs, scorer.score(pairs))[0])
        user_code, item_code = (int(code[0]) for code in codes)
        found = {"mean": prediction} if path == "global mean" else scorer.explain(user_code, item_code)
        parts = pd.Series({name: found.get(name, 0.0) for name in ("mean", "user", "item", "features", "factors")})
        rated = reader.ratings.of_user(user_code) if user_code else slice(0, 0)
        items, values = reader.ratings.items[rated], reader.ratings.values[rated]
        is_known = len(items) and item_code
        shares = scorer.contributions(user_code, item_code, items, values) if is_known else np.zeros(len(items))
        ratings = pd.DataFrame({"item": reader.items.ids.names_of(items), "rating": values, "contribution": shares})
        ratings = ratings.sort_values("contribution", ascending=False, kind="stable").head(n).reset_index(drop=True)
        return Explanation(user, item, prediction, path, parts, ratings)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_scorer")

    def _fitted_scorer(self) -> Scorer:
        """Return a copy of the fitted scorer with the current parameters, whose fitted attributes may be replaced."""
        check_is_fitted(self)
        scorer = copy.copy(self._scorer)
        scorer.parameters = self.get_params(deep=False)
        return scorer

    def _known_ids(self, kind: str) -> pd.Index:
        check_is_fitted(self)
        side = self._reader.side(kind)
        return side.ids.names_of(side.known())

    def _biases(self, kind: str) -> pd.Series:
        biases = self._fitted_scorer().biases(kind, self._reader.side(kind).known())
        return pd.Series(biases, index=self._known_ids(kind), name="bias")

    def _vectors(self, kind: str) -> pd.DataFrame:
        vectors = self._fitted_scorer().vectors(kind)[self._reader.side(kind).known()]
        return pd.DataFrame(vectors, index=self._known_ids(kind))

    def _counts(self, kind: str) -> pd.Series:
        index, side = self._known_ids(kind), self._reader.side(kind)
        counts = self._reader.ratings.counts(kind, side.n_codes)[side.known()]
        return pd.Series(counts, index=index, name="n_ratings")

    def _with_mean(self, pairs: Pairs, predicted: np.ndarray) -> np.ndarray:
        """Replace the predictions of pairs whose user and item are both unknown by the mean."""
        return predicted

    def _paths(self, pairs: Pairs) -> np.ndarray:
        return name_paths(self._reader.users.origins[pairs.users], self._reader.items.origins[pairs.items])

    def _similar(self, kind: str, ids: Any, n: int) -> pd.DataFrame:
        scorer, side = self._fitted_scorer(), self._reader.side(kind)
        codes = side.require(ids)
        owner, rank, found, similarity = rank_similar(partial(scorer.similarities, kind), codes, side.known(), n)
        return pd.DataFrame(
            {
                kind: side.ids.names_of(codes[owner]),
                "rank": rank,
                "similar": side.ids.names_of(found),
                "similarity": similarity,
            }
        )
