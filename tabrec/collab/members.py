"""Members of a combined recommender, which learn from its codes and side tables."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.base import clone

from tabrec.collab.reader import RatingsReader
from tabrec.collab.recommender import Recommender
from tabrec.collab.scorer import Scorer

_SHARED = ("user", "item", "user_features", "item_features")


def make_members(given: Iterable, parameters: Mapping[str, Any], seed: int) -> list[Any]:
    """Clone recommenders with the columns and side tables of the combined recommender in `parameters`.

    A `random_state` of None becomes `seed`. Objects that are not recommenders are returned unchanged.
    """
    return [_adapt(clone(member), parameters, seed) if isinstance(member, Recommender) else member for member in given]


def _adapt(member: Recommender, parameters: Mapping[str, Any], seed: int) -> Recommender:
    own = member.get_params(deep=False)
    changes = {name: parameters[name] for name in _SHARED}
    if own.get("random_state", seed) is None:
        changes["random_state"] = seed
    return member.set_params(**changes)


def check_members(parameter: str, given: Any, members: list[Any]) -> None:
    """Raise a ValueError unless there is a member, and all are recommenders with valid parameters."""
    if not members or any(not isinstance(member, Recommender) for member in members):
        raise ValueError(f"{parameter}={given!r} must be a list of at least one recommender.")
    for member in members:
        member._check_parameters()


def check_weights(given: Any, n_members: int) -> None:
    """Raise a ValueError unless the weights are None, or a number for each member."""
    if given is None:
        return
    weights = np.asarray(given, dtype=np.float64)
    if weights.shape != (n_members,) or not (weights >= 0).all() or not weights.any():
        raise ValueError(
            f"weights={given!r} must be {n_members} numbers of at least 0, one for each recommender, and not all 0."
        )


def fit_scorers(members: list[Any], data: RatingsReader) -> list[Scorer]:
    """Fit the scorers of recommenders to the interactions of a reader."""
    scorers = [member._make_scorer() for member in members]
    for scorer in scorers:
        scorer.fit(data)
    return scorers


def copy_scorers(scorers: list[Scorer], members: list[Any]) -> Iterator[Scorer]:
    """Yield copies of fitted scorers, with the parameters of their recommenders."""
    for scorer, member in zip(scorers, members, strict=True):
        made = copy.copy(scorer)
        made.parameters = member.get_params(deep=False)
        yield made
