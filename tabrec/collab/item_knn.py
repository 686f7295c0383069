"""`ItemKNN`: nearest neighbours of items by the users they share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.collab.ranking import top_n
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.strengths import LinearItemScorer, unit_rows

# Largest number of similarities in memory at once.
_BLOCK = 2**23
# Saturation and length normalisation of BM25.
_K1, _B = 100.0, 0.8


class ItemKNN(RankingRecommender):
    """Item-based nearest neighbours: a user's score for an item is the sum of its similarities to the user's items.

    Two items are similar if the same users have them. Only the most similar items of each item count, so that the
    model is sparse and fits large catalogues.

    Parameters
    ----------
    n_neighbors : int, default=100
        Number of similar items to keep for each item.
    weighting : {"cosine", "tfidf", "bm25"}, default="tfidf"
        Weights of the interactions before the cosine similarity is computed. "tfidf" and "bm25" give less weight to
        users with many interactions, and "bm25" also to popular items.
    shrinkage : float, default=10.0
        A similarity is multiplied by n / (n + shrinkage), where n is the number of users who have both items, so that
        items with few users are not similar by chance.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id. They are not used, but make their ids known.

    Attributes
    ----------
    users_, items_ : pandas.Index
        Ids with interactions.
    user_name_, item_name_ : str
        Columns of the ids.
    ratings_ : pandas.DataFrame
        All interactions that the model holds: `user`, `item` and `rating`, the value of y or 1.
    user_counts_, item_counts_ : pandas.Series
        Number of interactions by id.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in fit, where X named them.

    Raises
    ------
    ValueError
        No row has both ids, a value of y is missing or not positive, or there are fewer than two columns.

    See Also
    --------
    EASE : Weights between all items by a regression, which is more accurate.
    ImplicitALS : Factors of users and items.

    Notes
    -----
    An explanation is exact: the contributions of the user's interactions sum to the score. `new_user` needs no
    training. `partial_fit` recomputes the similarities.

    References
    ----------
    Deshpande & Karypis (2004), "Item-based top-N recommendation algorithms". Robertson & Zaragoza (2009), "The
    probabilistic relevance framework: BM25 and beyond".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import ItemKNN
    >>> clicks = pd.DataFrame({"user": [1, 1, 2, 2, 3, 4, 4], "item": ["a", "b", "a", "b", "a", "c", "d"]})
    >>> ItemKNN().fit(clicks).recommend(3, n=1)["item"].tolist()
    ['b']
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "weighting": [StrOptions({"cosine", "tfidf", "bm25"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_neighbors: int = 100,
        *,
        weighting: str = "tfidf",
        shrinkage: float = 10.0,
        rating_weight: Any = 0.1,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
    ):
        self.n_neighbors = n_neighbors
        self.weighting = weighting
        self.shrinkage = shrinkage
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features

    def _make_scorer(self) -> ItemKNNScorer:
        return ItemKNNScorer(self.get_params(deep=False))


class ItemKNNScorer(LinearItemScorer):
    """Holds the similarities of each item to its nearest neighbours."""

    neighbors: tuple[np.ndarray, np.ndarray, np.ndarray]  # data, indices and indptr of `weights`

    def learn(self) -> None:
        parameters = self.parameters
        rows = sp.csr_matrix(self.matrix.T)
        units = unit_rows(weigh(rows, parameters["weighting"]))
        has_item = sp.csr_matrix((np.ones(rows.nnz), rows.indices, rows.indptr), rows.shape)
        n_items = rows.shape[0]
        n_kept = min(int(parameters["n_neighbors"]), n_items)
        step, parts = max(1, _BLOCK // n_items), []
        for start in range(0, n_items, step):
            block = slice(start, min(start + step, n_items))
            similarity = (units[block] @ units.T).toarray()
            shared = (has_item[block] @ has_item.T).toarray()
            similarity *= shared / np.maximum(shared + parameters["shrinkage"], 1.0)
            similarity[np.arange(len(similarity)), np.arange(block.start, block.stop)] = 0.0
            parts.append(keep_largest(similarity, n_kept))
        weights = sp.csr_matrix(sp.vstack(parts).T)
        self.neighbors = weights.data, weights.indices, weights.indptr

    @property
    def weights(self) -> sp.csr_matrix:
        """Similarity of a neighbour (row) to an item (column): (n_item_codes, n_item_codes)."""
        n_items = len(self.neighbors[2]) - 1
        return sp.csr_matrix(self.neighbors, shape=(n_items, n_items))

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return (self.matrix[users] @ self.weights[:, items]).toarray()

    def item_weights(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(self.weights[rows, columns]).ravel()

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        if kind == "user":
            return super().similarities(kind, codes, others)
        return self.weights[:, codes][others].T.toarray()


def weigh(rows: sp.csr_matrix, weighting: str) -> sp.csr_matrix:
    """Weight the strengths in a matrix of items (rows) and users (columns)."""
    if weighting == "cosine":
        return rows
    counts = np.bincount(rows.indices, minlength=rows.shape[1])
    rarity = np.log(rows.shape[0] / np.maximum(counts, 1))
    values = rows.data
    if weighting == "bm25":
        totals = np.asarray(rows.sum(axis=1)).ravel()
        length = totals / (totals[totals > 0].mean() if totals.any() else 1.0)
        saturation = np.repeat(_K1 * (1 - _B + _B * length), np.diff(rows.indptr))
        values = values * (_K1 + 1) / (values + saturation)
    return sp.csr_matrix((values * rarity[rows.indices], rows.indices, rows.indptr), rows.shape)


def keep_largest(scores: np.ndarray, n: int) -> sp.csr_matrix:
    """Keep the n largest positive numbers of each row."""
    best = top_n(scores, n)
    values = np.take_along_axis(scores, best, axis=1)
    row, rank = np.nonzero(values > 0)
    return sp.csr_matrix((values[row, rank], (row, best[row, rank])), shape=scores.shape)
