"""`ImplicitALSScorer`: solves factors of users and items by alternating least squares, and scores by their products."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import check_random_state
from torch import Tensor

from tabrec.collab.interactions import Context, Interactions
from tabrec.collab.reader import RatingsReader
from tabrec.collab.row_blocks import row_blocks, transpose
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import KINDS
from tabrec.collab.strengths import StrengthScorer
from tabrec.neural.devices import default_settings, read_device
from tabrec.tables.progress import track

# Largest number of values of gathered factors in memory at once.
_BLOCK = 2**22
_INIT_STD = 0.1
# Number of steps of conjugate gradients per half iteration, and a constant that avoids division by zero.
_N_STEPS, _TINY = 3, 1e-30
# Ridge penalty of the map from features to factors, as a number of ids.
_FEATURE_RIDGE = 10.0


class ImplicitALSScorer(StrengthScorer):
    """Holds factors that are solved by alternating least squares."""

    rows: dict[str, np.ndarray]  # float32 factors, (n_codes, n_factors), by kind

    def check_parameters(self) -> None:
        read_device(self.parameters["device"])

    def learn(self) -> None:
        parameters = self.parameters
        n_items, n_factors = self.data.items.n_codes, int(parameters["n_factors"])
        rng = check_random_state(parameters["random_state"])
        items = rng.normal(scale=_INIT_STD / np.sqrt(n_factors), size=(n_items, n_factors)).astype(np.float32)
        items[self.popularity == 0] = 0.0
        self.rows = {"item": items, "user": np.zeros((self.data.users.n_codes, n_factors), dtype=np.float32)}
        by_item, steps = transpose(self.matrix), range(int(parameters["n_iterations"]))
        for _ in track(steps, "Solving", len(steps), parameters["verbose"]):
            self._improve("user", self.matrix)
            self._improve("item", by_item)
        self._solve("user", self.matrix)  # solved exactly, like the rows of new users
        for kind in KINDS:
            self._predict_from_features(kind)

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        self.update(data, np.unique(more.users), np.unique(more.items))

    def update(self, data: RatingsReader, users: np.ndarray, items: np.ndarray) -> None:
        """Use the interactions of a reader, and solve the rows of users and items with new interactions."""
        self._extend(data)
        self.count()
        self._solve("user", self.matrix, users)  # users first, because new items are solved from the rows of new users
        self._solve("item", sp.csr_matrix(self.matrix.T), items)
        self._solve("user", self.matrix, users)
        for kind in KINDS:
            self._predict_from_features(kind)

    def extend(self, data: RatingsReader) -> None:
        self._extend(data)
        for kind in KINDS:
            self._predict_from_features(kind)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.extend(data)
        self._solve("user", self.matrix, users)

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return np.einsum("pf,pf->p", self.rows["user"][users], self.rows["item"][items], dtype=np.float64)

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return (self.rows["user"][users] @ self.rows["item"][items].T).astype(np.float64)

    def search_vectors(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self.with_popularity(kind, codes, self.rows[kind][codes])

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
        """Return the ridge penalties of rows, given their numbers of interactions."""
        n_others = len(self.data.side(other).known())
        return self.parameters["regularization"] * (counts + self.parameters["unobserved_weight"] * n_others)

    @default_settings()
    def _improve(self, kind: str, matrix: sp.csr_matrix) -> None:
        """Improve all rows of one side: by a few steps of conjugate gradients on the CPU, exactly elsewhere."""
        if read_device(self.parameters["device"]).type != "cpu":
            self._solve(kind, matrix)
            return
        other = "item" if kind == "user" else "user"
        others, start = torch.from_numpy(self.rows[other]), torch.from_numpy(self.rows[kind])
        gram, penalties = self._gram(others), self._penalties(np.diff(matrix.indptr), other)
        found = np.empty_like(self.rows[kind])
        for rows, block in row_blocks(matrix):
            found[rows] = improve_rows(block, others, gram, penalties[rows], start[rows]).numpy()
        self.rows = self.rows | {kind: found}

    @default_settings()
    def _solve(self, kind: str, matrix: sp.csr_matrix, codes: np.ndarray | None = None) -> None:
        """Solve the rows of some codes, or of all, given the rows of the other side."""
        other = "item" if kind == "user" else "user"
        others = torch.from_numpy(self.rows[other]).to(read_device(self.parameters["device"]))
        matrix = matrix if codes is None else matrix[codes]
        gram, penalties = self._gram(others), self._penalties(np.diff(matrix.indptr), other)
        found = np.empty((matrix.shape[0], others.shape[1]), dtype=np.float32)
        for rows, block in row_blocks(matrix):
            found[rows] = solve_rows(block, others, gram, penalties[rows])
        if codes is not None:
            found, solved = self.rows[kind].copy(), found
            found[codes] = solved
        self.rows = self.rows | {kind: found}

    def _extend(self, data: RatingsReader) -> None:
        """Use further interactions; new ids get rows of zeros."""
        self.take(data)
        self.popularity = np.pad(self.popularity, (0, data.items.n_codes - len(self.popularity)))
        n_new = {kind: data.side(kind).n_codes - len(rows) for kind, rows in self.rows.items()}
        self.rows = {kind: np.pad(rows, ((0, n_new[kind]), (0, 0))) for kind, rows in self.rows.items()}

    def _predict_from_features(self, kind: str) -> None:
        """Predict the factors of ids without interactions from their features, by ridge regression."""
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


@torch.no_grad()
def improve_rows(matrix: sp.csr_matrix, others: Tensor, gram: Tensor, penalties: np.ndarray, start: Tensor) -> Tensor:
    """Take steps of conjugate gradients from `start` towards the solution of `solve_rows`: (n_rows, n_factors).

    As in Takács, Pilászy & Tikk (2011), "Applications of the conjugate gradient method for implicit feedback
    collaborative filtering". Rows without strengths are zero.
    """
    crow, columns = (torch.from_numpy(part) for part in (matrix.indptr, matrix.indices))
    strengths = torch.from_numpy(matrix.data).float()
    penalty = torch.from_numpy(penalties).float().unsqueeze(1)
    zeros = _csr(crow, columns, torch.zeros_like(strengths), matrix.shape)

    def products(rows: Tensor) -> Tensor:  # w_r · v_c, times s_rc
        return torch.sparse.sampled_addmm(zeros, rows, others.t(), beta=0.0).values().mul_(strengths)

    def apply(rows: Tensor, of_pairs: Tensor) -> Tensor:  # Σ_c value_rc v_c, and the part without strengths
        spread = _csr(crow, columns, of_pairs, matrix.shape) @ others
        return spread.addmm_(rows, gram).addcmul_(rows, penalty)

    rows = start * (crow.diff() > 0).unsqueeze(1)
    residual = -apply(rows, products(rows).sub_(strengths))
    direction, size = residual, (residual**2).sum(dim=1, keepdim=True)
    for _ in range(_N_STEPS):
        image = apply(direction, products(direction))
        length = size / (direction * image).sum(dim=1, keepdim=True).clamp_min(_TINY)
        rows, residual = rows + length * direction, residual - length * image
        smaller = (residual**2).sum(dim=1, keepdim=True)
        direction, size = residual + smaller / size.clamp_min(_TINY) * direction, smaller
    return rows


def _csr(crow: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(crow, columns, values, size=shape, check_invariants=False)


def solve_rows(matrix: sp.csr_matrix, others: Tensor, gram: Tensor, penalties: np.ndarray) -> np.ndarray:
    """Solve a least-squares problem for each row of a sparse matrix: (n_rows, n_factors), float32.

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
        # The number of rows whose factors and matrices fit into a block, at least one.
        lengths = np.maximum(counts[order[first:]], n_factors)
        sizes = lengths * np.arange(1, len(order) - first + 1) * n_factors
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
