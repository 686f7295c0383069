"""New rows in the embeddings of a trained net."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tabrec.collab.factors import fit_row_prior
from tabrec.neural.devices import seeded
from tabrec.neural.embeddings import PackedEmbedding
from tabrec.neural.tabular_model import TabularModel

_N_STEPS = 30
_N_HALVINGS = 10
# Numbers of the matrices that are held at once.
_BLOCK = 2**24


def embeddings_of(model: TabularModel) -> PackedEmbedding:
    """The embeddings of a net."""
    assert model.embeddings is not None
    return model.embeddings


def grown_net(model: TabularModel, sizes: dict[str, int]) -> TabularModel:
    """A copy of the net with more codes in some columns, whose vectors are those of an unknown label."""
    config = model.config | {"category_sizes": model.config["category_sizes"] | sizes}
    with seeded(0, torch.device("cpu")):
        grown = TabularModel(**config)
    state = model.state_dict()
    for name, size in sizes.items():
        old = state[f"embeddings.{name}.weight"]
        state[f"embeddings.{name}.weight"] = torch.cat([old, old[:1].expand(size - len(old), -1)])
    grown.load_state_dict(state)
    return grown.eval()


def keep_norms(event: str, state: Any) -> None:
    """Callback that keeps batch norms in evaluation mode, with the statistics learned in fit."""
    if event == "epoch_start":
        for module in state.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()


def fold_into_net(
    model: TabularModel,
    column: str,
    codes: np.ndarray,
    own: np.ndarray,
    inputs: tuple[Tensor, Tensor],
    target: np.ndarray,
    rating_precision: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Find the most probable vectors of some codes; all other parameters of the net are fixed.

    Parameters
    ----------
    model : TabularModel
        Only those vectors are changed, in place.
    column : str
    codes : ndarray of int
        In ascending order.
    own : ndarray of shape (n_ratings,)
        The code that each rating belongs to.
    inputs : tuple of Tensor
        What the net takes for these ratings.
    target, rating_precision : ndarray of shape (n_ratings,)
        The ratings as the net predicts them, and the precision of each around its prediction.
    counts : ndarray of shape (n_codes,)
        Ratings by which each vector was learned, 0 for those that were not.
    """
    table, learned = embeddings_of(model).weight(column), np.flatnonzero(counts)
    precision = torch.from_numpy(fit_row_prior(table.detach().double().numpy()[learned], counts[learned]).precision[0])
    # The prior mean is the vector of an unknown label, which masking has trained.
    mean = table[0].detach().double().clone()
    net = copy.deepcopy(model).double().eval().requires_grad_(False)
    order = np.argsort(own, kind="stable")
    edges = np.searchsorted(own[order], np.append(codes, codes[-1] + 1))
    per_block = max(1, _BLOCK // len(mean) ** 2)
    start = 0
    while start < len(codes):
        # As many codes as fit into a block, but at least one.
        stop = max(start + 1, int(np.searchsorted(edges, edges[start] + per_block, side="right")) - 1)
        rows = torch.from_numpy(order[edges[start] : edges[stop]])
        position = torch.from_numpy(np.repeat(np.arange(stop - start), np.diff(edges[start : stop + 1])))
        wanted = torch.from_numpy(target)[rows], torch.from_numpy(rating_precision)[rows]
        some = _Rated(net, column, (inputs[0][rows], inputs[1][rows].double()), position, *wanted)
        found = _find_rows(some, stop - start, mean, precision)
        with torch.no_grad():
            table[torch.from_numpy(codes[start:stop].astype(np.int64))] = found.to(table.dtype)
        start = stop


class _Rated:
    """Ratings of the ids whose vectors are sought."""

    def __init__(
        self,
        net: Any,
        column: str,
        inputs: tuple[Tensor, Tensor],
        position: Tensor,
        target: Tensor,
        precision: Tensor,
    ):
        group, first = embeddings_of(net).place_of(column)
        self.net, self.position, self.target, self.precision, self.numbers = net, position, target, precision, inputs[1]
        self.name, self.base = f"embeddings.table_{group}", embeddings_of(net).tables[group].detach()
        self.codes = inputs[0].long().clone()
        # Every rating looks up its vector in a row of its own, appended to the table.
        place = list(net.config["category_sizes"]).index(column)
        self.codes[:, place] = len(self.base) - first + torch.arange(len(target))

    def predict(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Predictions by the rows of the ids, (n_ratings,), and their derivatives, (n_ratings, width)."""
        vectors = rows[self.position].requires_grad_()
        with torch.enable_grad():
            whole = {self.name: torch.cat([self.base, vectors])}
            predicted = torch.func.functional_call(self.net, whole, (self.codes, self.numbers))[:, 0]
            (slopes,) = torch.autograd.grad(predicted.sum(), vectors)
        return predicted.detach(), slopes

    def add_up(self, of_ratings: Tensor, n: int) -> Tensor:
        """Sums over the ratings of each id."""
        return of_ratings.new_zeros((n, *of_ratings.shape[1:])).index_add_(0, self.position, of_ratings)


@torch.no_grad()
def _find_rows(rated: _Rated, n: int, mean: Tensor, precision: Tensor) -> Tensor:
    """Gauss-Newton steps for every id by itself, halved where too long: (n, width)."""

    def cost(rows: Tensor) -> Tensor:
        gaps, away = rated.target - rated.predict(rows)[0], rows - mean
        return rated.add_up(rated.precision * gaps**2, n) + (away @ precision * away).sum(dim=1)

    rows = mean.repeat(n, 1)
    for _ in range(_N_STEPS):
        predicted, slopes = rated.predict(rows)  # (R,), (R, W)
        pull = rated.add_up((rated.precision * (rated.target - predicted)).unsqueeze(1) * slopes, n)  # (n, W)
        curvature = rated.add_up(
            (rated.precision.unsqueeze(1) * slopes).unsqueeze(2) * slopes.unsqueeze(1), n
        )  # (n, W, W)
        step = torch.linalg.solve(precision + curvature, pull - (rows - mean) @ precision)
        now, length = cost(rows), torch.ones(n, 1, dtype=rows.dtype)
        for _ in range(_N_HALVINGS):
            is_worse = cost(rows + length * step) > now
            if not is_worse.any():
                break
            length[is_worse] /= 2
        else:
            length[cost(rows + length * step) > now] = 0.0
        rows = rows + length * step
        if (length * step).abs().max() < 1e-7:
            break
    return rows
