"""Negative sampling: training data of nets that learn from interactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils._param_validation import StrOptions

from tabrec.collab.interactions import Context, Interactions, sort_interactions
from tabrec.collab.reader import RatingsReader

OBJECTIVE: list[Any] = [StrOptions({"rating", "ranking"})]
# Number of negatives drawn for each interaction.
_N_NEGATIVES = 3
# Number drawn for each interaction of an id that is folded in, which has few interactions.
_N_FOLDED = 30


def learns_ranking(parameters: Mapping[str, Any]) -> bool:
    """Return whether a net with these parameters learns from interactions, not from ratings."""
    return parameters["objective"] == "ranking"


def make_examples(
    ratings: Interactions,
    data: RatingsReader,
    parameters: Mapping[str, Any],
    seed: int,
    context: Context = None,
    is_folded: bool = False,
) -> tuple[Interactions, Context]:
    """Make the training data of a net: ratings, or interactions as 1 and drawn negatives as 0, and the context."""
    if not learns_ranking(parameters):
        return ratings, context
    examples, source = add_negatives(ratings, data, seed, _N_FOLDED if is_folded else _N_NEGATIVES)
    return examples, None if context is None else (context[0][source], context[1][source])


def add_negatives(ratings: Interactions, data: RatingsReader, seed: int, n: int) -> tuple[Interactions, np.ndarray]:
    """Add n negatives with value 0 per interaction, which has value 1; also returns the source of each row.

    The source is the interaction for which a row was drawn. Drawn items that the user has are left out.
    """
    rng, stride = np.random.default_rng(seed), data.items.n_codes
    source = np.repeat(np.arange(len(ratings)), n)
    users = ratings.users[source]
    items = rng.choice(data.items.known(), len(source)).astype(ratings.items.dtype)
    pairs = data.ratings.users.astype(np.int64) * stride + data.ratings.items
    free = np.isin(users.astype(np.int64) * stride + items, pairs, invert=True)
    source = np.concatenate([np.arange(len(ratings)), source[free]])
    values = np.repeat([1.0, 0.0], [len(ratings), free.sum()])
    weights = np.where(values > 0, 1.0, _N_NEGATIVES / n)
    if ratings.weights is not None:
        weights = weights * ratings.weights[source]
    examples, order = sort_interactions(
        np.concatenate([ratings.users, users[free]]),
        np.concatenate([ratings.items, items[free]]),
        values,
        None if (weights == 1).all() else weights,
    )
    return examples, source[order]
