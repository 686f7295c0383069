"""New rows in the embeddings of a net that is trained."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tabrec.collab._row_prior import fit_row_prior
from tabrec.neural._devices import seeded
from tabrec.neural.embeddings import PackedEmbedding
from tabrec.neural.tabular_model import TabularModel

_N_STEPS = 100


def embeddings_of(model: TabularModel) -> PackedEmbedding:
    """The embeddings of a net that has some."""
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
    """A callback that has batch norms go by the statistics they have learned."""
    if event == "epoch_start":
        for module in state.model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()


def fold_into_net(
    model: TabularModel,
    column: str,
    codes: np.ndarray,
    inputs: tuple[Tensor, Tensor],
    target: Tensor,
    counts: np.ndarray,
    noise_variance: float,
) -> None:
    """Find the most probable vectors of some codes, all else in the net staying as it is.

    Parameters
    ----------
    model : TabularModel
        Changed in place, in those vectors alone.
    column : str
    codes : ndarray of int
    inputs : tuple of Tensor
        What the net takes for the ratings that the codes have.
    target : Tensor of shape (n_ratings, 1)
    counts : ndarray of shape (n_codes,)
        Ratings by which each vector was learned, 0 for those that were not.
    noise_variance : float
        Of targets around their predictions.
    """
    table = embeddings_of(model).weight(column)
    learned = np.flatnonzero(counts)
    prior = fit_row_prior(table.detach().double().numpy()[learned], counts[learned])
    # Around the vector of an unknown label, by which the net has learned to go where it knows nothing.
    mean, precision = table[:1].detach().double().clone(), torch.from_numpy(prior.precision[0])
    net = copy.deepcopy(model).double().eval().requires_grad_(False)
    found = mean.repeat(len(codes), 1).requires_grad_()
    group, first = embeddings_of(net).place_of(column)
    rows = torch.from_numpy(codes.astype(np.int64)) + first
    base, numbers = embeddings_of(net).tables[group].detach(), inputs[1].double()

    def cost() -> Tensor:
        whole = {f"embeddings.table_{group}": base.index_copy(0, rows, found)}
        predicted = torch.func.functional_call(net, whole, (inputs[0], numbers))
        away = found - mean
        return ((predicted - target) ** 2).sum() / noise_variance + (away @ precision * away).sum()

    optimizer = torch.optim.LBFGS([found], max_iter=_N_STEPS, line_search_fn="strong_wolfe")

    def step() -> Tensor:
        optimizer.zero_grad()
        value = cost()
        value.backward()
        return value

    optimizer.step(step)
    with torch.no_grad():
        table[torch.from_numpy(codes.astype(np.int64))] = found.detach().to(table.dtype)
