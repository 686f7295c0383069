"""`EASE`: a linear model between items, in closed form."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, cast

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.linalg import lapack
from sklearn.utils._param_validation import Interval

from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.row_blocks import row_blocks
from tabrec.collab.strengths import LinearItemScorer
from tabrec.tables.mapped_arrays import blocks
from tabrec.tables.memory import physical_memory

# With more items, the weights are computed in float32, which halves the memory.
_MOST_IN_DOUBLE = 5_000
# Ridge penalty of the regression on features: a category with this many items counts as much as the mean of all items.
# Chosen by the NDCG of lists of new items on MovieLens 100k, on other items than those of benchmarks/cold_start.py.
_COLD_RIDGE = 20.0
# Number of rows of a matrix computed at once.
_BLOCK = 1_000


class EASE(RankingRecommender):
    """Embarrassingly shallow autoencoder: a user's score for an item is a weighted sum over the items the user has.

    The weights between items are the solution of a ridge regression of each item's column on all others, in closed
    form: with ``G = XᵀX + ridge · I`` and ``P = G⁻¹``, the weight of item i for item j is ``-P_ij / P_jj``, and 0 for
    i = j. There is one parameter to tune, and the fit takes seconds for some thousand items.

    Parameters
    ----------
    ridge : float, default=400.0
        Ridge penalty, in units of interactions. Larger values suit few interactions.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them. The features of items
        are further rows of X. The weights of items without interactions are predicted from their features by a ridge
        regression. Features of users are not used.
    feature_weight : float, default=1.0
        Weight of the rows of item features, relative to those of users.

    Attributes
    ----------
    weights_ : pandas.DataFrame of shape (n_items, n_items)
        Weight of each item (row) for each item (column), by id.
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
    MemoryError
        The weights between all items do not fit into memory.

    See Also
    --------
    ImplicitALS : Factors of users and items, for catalogues too large for weights between all items.
    ItemKNN : Weights between similar items only, without a matrix inversion.
    BlendedRecommender : EASE and others combined.

    Notes
    -----
    An explanation is exact: the contributions of the user's interactions sum to the score. `new_user` needs no
    training, because a user is represented by the interactions alone. `partial_fit` solves the regression again.

    References
    ----------
    Steck (2019), "Embarrassingly shallow autoencoders for sparse data". Jeunen, Van Balen & Goethals (2020),
    "Closed-form models for collaborative filtering with side-information".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import EASE
    >>> clicks = pd.DataFrame({"user": [1, 1, 2, 2, 3, 4, 4], "item": ["a", "b", "a", "b", "a", "c", "d"]})
    >>> model = EASE(ridge=1.0).fit(clicks)
    >>> model.recommend(3, n=1)["item"].tolist()
    ['b']
    >>> explanation = model.explain(3, "b")
    >>> bool(abs(explanation.ratings["contribution"].sum() - explanation.prediction) < 1e-9)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "feature_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        ridge: float = 400.0,
        *,
        rating_weight: Any = 0.1,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        feature_weight: float = 1.0,
    ):
        self.ridge = ridge
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.feature_weight = feature_weight

    def _make_scorer(self) -> EASEScorer:
        return EASEScorer(self.get_params(deep=False))

    @property
    def weights_(self) -> pd.DataFrame:
        """Weight of each item with interactions (row) for each other (column), by id."""
        known = self._known_ids("item")
        codes = self._reader.items.known()
        weights = cast(EASEScorer, self._fitted_scorer()).weights
        return pd.DataFrame(weights[np.ix_(codes, codes)], index=known, columns=known)


class EASEScorer(LinearItemScorer):
    """Solves the regression and scores by its weights."""

    weights: np.ndarray  # (n_item_codes, n_item_codes)

    def learn(self) -> None:
        design = self.data.items.design()
        gram = gram_matrix(
            self.matrix, float(self.parameters["ridge"]), design * np.sqrt(self.parameters["feature_weight"])
        )
        self.weights = off_diagonal_weights(gram)
        self._predict_columns(design)

    def _predict_columns(self, design: np.ndarray) -> None:
        """Predict the weights of items without interactions from their features, by ridge regression."""
        learned = np.flatnonzero(self.popularity > 0)
        cold = np.setdiff1d(np.flatnonzero(design.any(axis=1)), learned)
        if not len(cold) or not self.parameters["feature_weight"]:
            return
        features = design[learned]
        ridge = _COLD_RIDGE * np.eye(features.shape[1])
        shares = 1 / len(learned) + features @ np.linalg.solve(features.T @ features + ridge, design[cold].T)
        shares = shares.astype(self.weights.dtype)
        for start in range(0, len(self.weights), _BLOCK):
            rows = slice(start, start + _BLOCK)
            self.weights[rows, cold] = self.weights[rows][:, learned] @ shares

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        is_all = len(items) == self.weights.shape[1]
        return np.asarray(self.matrix[users] @ (self.weights if is_all else self.weights[:, items]), dtype=np.float64)

    def item_weights(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return self.weights[rows, columns].astype(np.float64)

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        if kind == "user":
            return super().similarities(kind, codes, others)
        return self.weights[np.ix_(codes, others)].astype(np.float64)


def gram_matrix(matrix: sp.csr_matrix, ridge: float, design: np.ndarray) -> np.ndarray:
    """Compute XᵀX + ridge · I in blocks of users; item features, (n_items, n_features), are added as rows of X."""
    n_items = matrix.shape[1]
    dtype = np.float64 if n_items <= _MOST_IN_DOUBLE else np.float32
    check_memory(n_items, np.dtype(dtype).itemsize)
    gram = np.zeros((n_items, n_items), dtype, order="F")
    for _, rows in row_blocks(matrix):
        rows = rows.astype(dtype)
        transposed = sp.csr_matrix(rows.T)
        for block in blocks(n_items, _BLOCK):
            gram[block] += (transposed[block] @ rows).toarray()
    if design.shape[1]:
        for block in blocks(n_items, _BLOCK):
            gram[block] += design[block] @ design.T
    gram[np.diag_indices(n_items)] += ridge
    return gram


def off_diagonal_weights(gram: np.ndarray) -> np.ndarray:
    """Return -P_ij / P_jj, 0 on the diagonal, for the inverse P of a positive definite matrix, which is overwritten."""
    factorize, invert = lapack.get_lapack_funcs(("potrf", "potri"), (gram,))
    lower, failed = factorize(gram, lower=True, overwrite_a=True)
    if failed:
        raise ValueError("ridge is too small for these interactions: the regression has no solution. Increase it.")
    inverse, _ = invert(lower, lower=True, overwrite_c=True)
    for start in range(0, len(inverse), _BLOCK):  # potri fills only the lower triangle
        stop = min(start + _BLOCK, len(inverse))
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = np.tril(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.tril(corner, -1).T
    inverse /= -inverse.diagonal()
    np.fill_diagonal(inverse, 0.0)
    return inverse


def check_memory(n_items: int, itemsize: int) -> None:
    """Raise a MemoryError if the matrix does not fit into physical memory."""
    needed = n_items**2 * itemsize
    available = physical_memory()
    if available is not None and needed > available:
        raise MemoryError(
            f"EASE needs {needed / 2**30:.0f} GiB for the weights between {n_items:,} items, and this machine has "
            f"{available / 2**30:.0f} GiB: use ImplicitALS or ItemKNN, or leave out items with few interactions."
        )
