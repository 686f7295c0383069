"""`ImplicitALS`: factors of users and items from interactions, by alternating least squares."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from torch import Tensor

from tabrec.collab.interactions import Context, Interactions
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import KINDS
from tabrec.collab.strengths import StrengthScorer
from tabrec.neural.devices import read_device
from tabrec.tables.progress import VERBOSE, track

# Numbers of the gathered factors that are held at once.
_BLOCK = 2**22
_INIT_STD = 0.1
# Ridge penalty of the map from features to factors, in units of ids.
_FEATURE_RIDGE = 10.0


class ImplicitALS(RankingRecommender):
    """Matrix factorisation of interactions: each pair that occurs should score 1, each that does not, weakly, 0.

    The loss is ``Σ_observed s (1 - u·v)² + unobserved_weight · Σ_all (u·v)²`` plus a ridge penalty on each row that
    grows with its number of interactions. The rows of users and of items are solved exactly in turn, so that the loss
    falls with every half step. The time of a fit is proportional to the number of interactions.

    Parameters
    ----------
    n_factors : int, default=32
        Length of the factor vectors.
    n_iterations : int, default=16
        Number of times that all rows are solved.
    regularization : float, default=0.015
        Ridge penalty per interaction, the unobserved ones included with their weight.
    unobserved_weight : float, default=0.3
        Weight of the pairs without an interaction.
    rating_weight : float, "value" or callable, default=0.1
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" takes y itself. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id, or with a column of the ids, and any other columns; lists and text joined by "|" are
        multi-label. `TabularPreprocessor` encodes them. Users and items
        without interactions, but with features, have the factors that a ridge regression on the features predicts.
    device : str, default="auto"
        "auto" takes the GPU where there is one.
    verbose : bool, int or "auto", default="auto"
        Whether to show the progress and the time left; "auto" does so in terminals and notebooks, in `fit`.
    random_state : int, RandomState or None, default=None
        Seed of the initial factors; an int gives the same model each time.

    Attributes
    ----------
    user_factors_, item_factors_ : pandas.DataFrame of shape (n_ids, n_factors)
        Factors by id.
    user_vectors_, item_vectors_ : pandas.DataFrame
        The factors, whose cosine similarity `similar_users` and `similar_items` use.
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
    EASE : Weights between all items: more accurate for catalogues of up to some ten thousand items.
    BPR : Factors trained to order pairs of items.

    Notes
    -----
    `new_user` solves one row. `partial_fit` solves the rows of the users and items of the new interactions. The
    contributions of an explanation sum to the score (Hu, Koren & Volinsky 2008, section 5).

    References
    ----------
    Hu, Koren & Volinsky (2008), "Collaborative filtering for implicit feedback datasets". Rendle, Krichene, Zhang &
    Koren (2022), "Revisiting the performance of iALS on item recommendation benchmarks".

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import ImplicitALS
    >>> clicks = pd.DataFrame({"user": [1, 1, 2, 2, 3, 4, 4], "item": ["a", "b", "a", "b", "a", "c", "d"]})
    >>> ImplicitALS(n_factors=2, random_state=0).fit(clicks).recommend(3, n=1)["item"].tolist()
    ['b']
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "n_iterations": [Interval(Integral, 1, None, closed="left")],
        "regularization": [Interval(Real, 0, None, closed="neither")],
        "unobserved_weight": [Interval(Real, 0, None, closed="neither")],
        "verbose": VERBOSE,
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_factors: int = 32,
        *,
        n_iterations: int = 16,
        regularization: float = 0.015,
        unobserved_weight: float = 0.3,
        rating_weight: Any = 0.1,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
        device: Any = "auto",
        verbose: bool | int | str = "auto",
        random_state: Any = None,
    ):
        self.n_factors = n_factors
        self.n_iterations = n_iterations
        self.regularization = regularization
        self.unobserved_weight = unobserved_weight
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _make_scorer(self) -> ImplicitALSScorer:
        return ImplicitALSScorer(self.get_params(deep=False))


class ImplicitALSScorer(StrengthScorer):
    """Solves and keeps the factors."""

    rows: dict[str, np.ndarray]  # factors by kind and code, float32

    def check_parameters(self) -> None:
        read_device(self.parameters["device"])

    def learn(self) -> None:
        parameters = self.parameters
        n_items, n_factors = self.data.items.n_codes, int(parameters["n_factors"])
        rng = check_random_state(parameters["random_state"])
        items = rng.normal(scale=_INIT_STD / np.sqrt(n_factors), size=(n_items, n_factors)).astype(np.float32)
        items[self.popularity == 0] = 0.0
        self.rows = {"item": items}
        by_item, steps = sp.csr_matrix(self.matrix.T), range(int(parameters["n_iterations"]))
        for _ in track(steps, "Solving", len(steps), parameters["verbose"]):
            self._solve("user", self.matrix)
            self._solve("item", by_item)
        self._solve("user", self.matrix)
        for kind in KINDS:
            self._predict_from_features(kind)

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        self._extend(data)
        self.count()
        self._solve("item", sp.csr_matrix(self.matrix.T), np.unique(more.items))
        self._solve("user", self.matrix, np.unique(more.users))

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self._extend(data)
        self._solve("user", self.matrix, users)

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return np.einsum("pf,pf->p", self.rows["user"][users], self.rows["item"][items], dtype=np.float64)

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return (self.rows["user"][users] @ self.rows["item"][items].T).astype(np.float64)

    def vectors(self, kind: str) -> np.ndarray:
        return self.rows[kind]

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        return Scorer.similarities(self, kind, codes, others)

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        strengths = self.strengths_of(user, values)
        items = self.rows["item"].astype(np.float64)
        own = items[rated]
        penalty = self._penalties(np.diff(self.matrix.indptr)[[user]], "item")
        precision = self._gram(items) + (own.T * strengths) @ own + np.eye(items.shape[1]) * penalty
        return strengths * (own @ np.linalg.solve(precision, items[item]))

    def _gram(self, rows: Any) -> Any:
        return self.parameters["unobserved_weight"] * (rows.T @ rows)

    def _penalties(self, counts: np.ndarray, other: str) -> np.ndarray:
        """Ridge penalties of rows with so many interactions."""
        n_others = len(self.data.side(other).known())
        return self.parameters["regularization"] * (counts + self.parameters["unobserved_weight"] * n_others)

    def _solve(self, kind: str, matrix: sp.csr_matrix, codes: np.ndarray | None = None) -> None:
        """Solve the rows of some codes, or of all, given the rows of the other side."""
        other = "item" if kind == "user" else "user"
        others = torch.from_numpy(self.rows[other]).to(read_device(self.parameters["device"]))
        matrix = matrix if codes is None else matrix[codes]
        penalties = self._penalties(np.diff(matrix.indptr), other)
        found = solve_rows(matrix, others, self._gram(others), penalties)
        if codes is not None:
            found, solved = self.rows[kind].copy(), found
            found[codes] = solved
        self.rows = self.rows | {kind: found}

    def _extend(self, data: RatingsReader) -> None:
        """Take further interactions, with rows of zeros for new ids."""
        self.take(data)
        n_new = {kind: data.side(kind).n_codes - len(rows) for kind, rows in self.rows.items()}
        self.rows = {kind: np.pad(rows, ((0, n_new[kind]), (0, 0))) for kind, rows in self.rows.items()}

    def _predict_from_features(self, kind: str) -> None:
        """Give ids without interactions the factors that a ridge regression on their features predicts."""
        side = self.data.side(kind)
        design = side.design().astype(np.float64)
        known, cold = side.known(), np.flatnonzero(side.from_metadata())
        if not design.shape[1] or not len(cold):
            return
        rows = self.rows[kind].copy()
        mean = rows[known].mean(axis=0)
        penalty = _FEATURE_RIDGE * np.eye(design.shape[1])
        slopes = np.linalg.solve(design[known].T @ design[known] + penalty, design[known].T @ (rows[known] - mean))
        rows[cold] = mean + design[cold] @ slopes
        self.rows = self.rows | {kind: rows}


def solve_rows(matrix: sp.csr_matrix, others: Tensor, gram: Tensor, penalties: np.ndarray) -> np.ndarray:
    """Least-squares rows for each row of a sparse matrix of strengths: (n_rows, n_factors), float32.

    Row r solves ``(gram + Σ_c s_rc v_c v_cᵀ + penalty_r I) w = Σ_c s_rc v_c``. Rows of similar length are solved
    together, padded to the longest. Rows without strengths are zero.
    """
    device, n_factors = others.device, others.shape[1]
    indices, strengths = torch.from_numpy(matrix.indices.astype(np.int64)), torch.from_numpy(matrix.data).float()
    starts, counts = matrix.indptr[:-1].astype(np.int64), np.diff(matrix.indptr).astype(np.int64)
    order = np.argsort(counts, kind="stable")
    order = order[counts[order] > 0]
    found, first = np.zeros((matrix.shape[0], n_factors), dtype=np.float32), 0
    while first < len(order):
        # As many rows as fit into a block, but at least one.
        sizes = counts[order[first:]] * np.arange(1, len(order) - first + 1) * n_factors
        rows = order[first : first + max(1, int(np.searchsorted(sizes, _BLOCK, side="right")))]
        offsets = np.arange(counts[rows[-1]])
        inside = offsets < counts[rows][:, None]  # (B, k)
        at = torch.from_numpy(np.where(inside, starts[rows][:, None] + offsets, 0))
        weights = (strengths[at] * torch.from_numpy(inside)).to(device)
        gathered = others[indices[at].to(device)]  # (B, k, F)
        weighted = gathered * weights.unsqueeze(2)
        precision = torch.baddbmm(gram.expand(len(rows), -1, -1), weighted.transpose(1, 2), gathered)  # (B, F, F)
        precision.diagonal(dim1=1, dim2=2).add_(torch.from_numpy(penalties[rows]).float().to(device).unsqueeze(1))
        factor = torch.linalg.cholesky(precision)
        found[rows] = torch.cholesky_solve(weighted.sum(dim=1).unsqueeze(2), factor).squeeze(2).cpu().numpy()
        first += len(rows)
    return found
