"""`DotProduct`: ratings as biases of user and item plus the product of their vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor, nn

from tabrec.neural.devices import default_settings
from tabrec.neural.draws import OwnDraws
from tabrec.neural.training_data import TrainingData


class DotProduct(nn.Module):
    """Rating = low + (high - low) · sigmoid(base + user bias + item bias + user vector · item vector).

    Codes of ids are 1 to n; 0 stands for all other ids. A side with features adds a linear map of them to each id's own
    vector and bias, as in LightFM (Kula 2015, "Metadata embeddings for user and item cold-start recommendations"); maps
    and biases start at 0. `mean` is the initial prediction and lies within `y_range`; a `y_range` of None omits the
    sigmoid. `row_penalty` is a ridge penalty on the id's own vector and bias, once per rating of that id: weight decay
    would shrink all ids at every step, and ids with few ratings too much. Without `bias`, biases stay 0.
    ``model(codes)`` takes users and items, (n_rows, 2), and returns (n_rows, 1). ``DotProduct(**model.config)`` has the
    same shape.
    """

    offsets: Tensor
    user_features: Tensor
    item_features: Tensor

    def __init__(
        self,
        n_users: int,
        n_items: int,
        n_factors: int = 50,
        *,
        mean: float = 0.0,
        y_range: tuple[float, float] | None = None,
        std: float = 0.01,
        row_penalty: float = 0.095,
        n_user_features: int = 0,
        n_item_features: int = 0,
        bias: bool = True,
    ):
        arguments = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        super().__init__()
        self.config: dict[str, Any] = arguments
        self.n_users, self.n_items = n_users, n_items
        self.y_range = y_range
        self.row_penalty = row_penalty
        self.bias = bias
        self.not_decayed = ("vectors.weight",)  # these parameters have `row_penalty` instead
        self.base = nn.Parameter(torch.tensor(_unsquash(mean, y_range), dtype=torch.float32))
        # One table of users, code 0 first, then items, with the bias as last column, so that a step is one lookup and
        # update.
        self.vectors = nn.Embedding(n_users + 1 + n_items + 1, n_factors + 1)
        self.user_map = nn.Parameter(torch.empty(n_user_features, n_factors + 1)) if n_user_features else None
        self.item_map = nn.Parameter(torch.empty(n_item_features, n_factors + 1)) if n_item_features else None
        self.register_buffer("offsets", torch.tensor([0, n_users + 1]), persistent=False)
        self.register_buffer("user_features", torch.zeros(n_users + 1, n_user_features))
        self.register_buffer("item_features", torch.zeros(n_items + 1, n_item_features))
        self._reset(std)

    @classmethod
    @default_settings()
    def from_config(cls, config: Mapping[str, Any]) -> DotProduct:
        """Make a net of the shape in the `config` of another one, to load its weights."""
        with OwnDraws(seed=0):
            return cls(**config)

    @torch.no_grad()
    def _reset(self, std: float) -> None:
        self.vectors.weight.normal_(std=std)
        self.vectors.weight[:, -1] = 0.0
        for weight in (self.user_map, self.item_map):
            if weight is not None:
                weight.zero_()

    def set_features(self, users: np.ndarray | Tensor | None = None, items: np.ndarray | Tensor | None = None) -> None:
        """Set features of users, of items or of both: a row per code, (n + 1, n_features), of which row 0 is all 0.

        Columns should be centred, so that 0 is an average id, and have a standard deviation of about 0.1, so that the
        maps are learned as fast as vectors.
        """
        for name, given in (("user_features", users), ("item_features", items)):
            if given is None:
                continue
            buffer, features = getattr(self, name), torch.as_tensor(given, dtype=torch.float32)
            if features.shape != buffer.shape:
                raise ValueError(f"{name} has shape {tuple(features.shape)}, expected {tuple(buffer.shape)}.")
            if features[0].any():
                raise ValueError(
                    f"Row 0 of {name} stands for unknown ids and must be 0, but is {features[0].tolist()}."
                )
            buffer.copy_(features)

    def forward(self, codes: Tensor) -> Tensor:
        users, items = self._lookup(codes)[1].unbind(1)  # (B, K + 1) each
        product = torch.linalg.vecdot(users[:, :-1], items[:, :-1])  # (B,)
        out = (product + users[:, -1] + items[:, -1] + self.base).unsqueeze(1)
        if self.y_range is None:
            return out
        low, high = self.y_range
        return low + (high - low) * torch.sigmoid(out)

    def extra_repr(self) -> str:
        """Return the sizes, for ``print``."""
        width = self.vectors.embedding_dim - 1
        return f"users: {self.n_users} x {width}, items: {self.n_items} x {width}, bias={self.bias}"

    def _lookup(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the ids' own vectors, and these plus the vectors of their features: (B, 2) → (B, 2, K + 1) each."""
        own = self.vectors(codes + self.offsets)
        parts = [self._from_features(side, codes) for side in (0, 1)]
        if parts[0] is None and parts[1] is None:
            return own, own
        return own, own + torch.stack([own.new_zeros(own[:, 0].shape) if p is None else p for p in parts], dim=1)

    def _side(self, side: int) -> tuple[Tensor, Tensor | None]:
        """Return features of users (0) or items (1), with their weight matrix."""
        return (self.item_features, self.item_map) if side else (self.user_features, self.user_map)

    def _from_features(self, side: int, codes: Tensor) -> Tensor | None:
        features, weight = self._side(side)
        return None if weight is None else features[codes[:, side]] @ weight  # (B, F) @ (F, K + 1)

    @torch.no_grad()
    def loss_and_gradients(self, rows: TrainingData) -> Tensor:
        """Compute the mean squared error of rows, and set the gradients of it and of the penalty in closed form.

        In small batches, the overhead of calls dominates, and autograd would double the number of calls.
        """
        (codes,) = rows.inputs
        n_rows = len(codes)
        own, vectors = self._lookup(codes)  # (B, 2, K + 1)
        # The gradient of a vector is the vector of the other side, with 1 in place of the bias.
        partners = vectors.flip(1)
        partners.select(2, -1).fill_(1.0)
        out = torch.linalg.vecdot(vectors.select(1, 0), partners.select(1, 0))  # user's bias and product: (B,)
        out += vectors.select(1, 1).select(1, -1)
        out += self.base
        error, slope = self._error_and_slope(out, rows.target.squeeze(1))
        weighted = error if rows.weight is None else error * rows.weight
        of_out = weighted * slope  # (B,)
        of_out.mul_(2 / n_rows)
        self.base.grad = of_out.sum()
        of_vectors = partners.mul_(of_out.view(-1, 1, 1))  # (B, 2, K + 1)
        if not self.bias:
            of_vectors.select(2, -1).zero_()
        self._set_gradients(codes, of_vectors, own)
        return torch.dot(weighted, error) / n_rows

    def _error_and_slope(self, out: Tensor, target: Tensor) -> tuple[Tensor, Tensor | float]:
        """Return the prediction minus the target, and the derivative of the prediction, (B,) each."""
        if self.y_range is None:
            return out - target, 1.0
        low, high = self.y_range
        share = out.sigmoid_()
        error = torch.sub(share * (high - low), target).add_(low)
        return error, torch.addcmul(share, share, share, value=-1).mul_(high - low)  # s - s²

    def _set_gradients(self, codes: Tensor, of_vectors: Tensor, own: Tensor) -> None:
        for side in (0, 1):
            features, weight = self._side(side)
            if weight is not None:
                weight.grad = features[codes[:, side]].T @ of_vectors[:, side]  # (F, B) @ (B, K + 1)
        of_own = torch.add(of_vectors, own, alpha=self.row_penalty / len(codes)) if self.row_penalty else of_vectors
        table, positions = self.vectors.weight, (codes + self.offsets).view(-1)
        # Reuses the memory of the last step, because allocating it costs more than the update for a large table.
        table.grad = torch.zeros_like(table) if table.grad is None else table.grad.zero_()
        table.grad.index_add_(0, positions, of_own.view(-1, table.shape[1]))

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the vectors of users and items including features, bias last: (n + 1, n_factors + 1) each."""
        own = self.vectors.weight.detach().split([self.n_users + 1, self.n_items + 1])
        users, items = (table.numpy() + part for table, part in zip(own, self.feature_tables(), strict=True))
        return users, items

    def feature_tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the parts of `tables` that come from features."""
        return self._feature_table(0), self._feature_table(1)

    def _feature_table(self, side: int) -> np.ndarray:
        features, weight = self._side(side)
        if weight is None:
            return np.zeros((len(features), self.vectors.embedding_dim), dtype=np.float32)
        return (features @ weight.detach()).numpy()


def history_features(
    users: np.ndarray, items: np.ndarray, n_users: int, n_items: int, n_components: int, random_state: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute features of users and items from the rated pairs, the implicit feedback of SVD++ (Koren 2008).

    They are leading singular vectors of the 0/1 matrix of rated pairs, each row and column divided by the root of its
    sum, and the logarithm of the count: (n_codes, n_components + 1), standardised over ids with ratings, 0 for the
    others.
    """
    ones = np.ones(len(users), dtype=np.float32)
    rated = sp.csr_matrix((ones, (users, items)), shape=(n_users, n_items))
    counts = [np.asarray(rated.sum(axis=axis)).ravel() for axis in (1, 0)]
    left, right = (sp.diags(np.maximum(count, 1) ** -0.5).astype(np.float32) for count in counts)
    of_users, _, of_items = randomized_svd(
        (left @ rated @ right).tocsr(), min(n_components, n_users, n_items), random_state=random_state
    )
    sides = zip((of_users, of_items.T), counts, strict=True)
    user_columns, item_columns = (
        _standardise(np.column_stack([side, np.log1p(count)]), count > 0) for side, count in sides
    )
    return user_columns, item_columns


def _standardise(columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Standardise columns over some rows; constant columns and all other rows are set to 0."""
    centred = columns - columns[rows].mean(axis=0)
    deviation = centred[rows].std(axis=0)
    scaled = np.divide(centred, deviation, out=np.zeros_like(centred), where=deviation > 1e-7)
    scaled[~rows] = 0.0
    return scaled.astype(np.float32)


def _unsquash(mean: float, y_range: tuple[float, float] | None) -> float:
    """Return the argument at which the scaled sigmoid is `mean`."""
    if y_range is None:
        return mean
    low, high = y_range
    if not low < mean < high:
        raise ValueError(f"mean={mean} does not lie within y_range={tuple(y_range)}.")
    return math.log((mean - low) / (high - mean))
