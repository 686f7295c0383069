"""Training rows of the second stage: candidates found from one part of the interactions, labelled by the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.blended_recommender import hold_out
from tabrec.collab.interactions import Context, Interactions
from tabrec.collab.members import fit_scorers
from tabrec.collab.reader import RatingsReader
from tabrec.stages.pair_features import PairFeatures
from tabrec.stages.retrieval import Retrieved, retrieve

# Rows from which the ranker learns.
_MOST_ROWS = 1_000_000
# Largest number of scores in memory at once, over all lists.
_BLOCK = 2**22


@dataclass(frozen=True)
class CandidateRows:
    """The training data of the ranker."""

    features: pd.DataFrame
    labels: np.ndarray  # 1 for candidates among the user's held-out interactions


def make_candidate_rows(
    data: RatingsReader,
    context: Context,
    make_members: Callable[[], list[Any]],
    lists: list[str],
    weights: np.ndarray,
    parameters: Any,
    rng: np.random.Generator,
) -> CandidateRows:
    """Fit the retrievers to each part of the interactions, and label their candidates by the interactions held out.

    `context` belongs to the interactions of `data`; `weights` are those of the retrievers in the blend.
    """
    parts = held_out_parts(data.ratings, float(parameters["validation_fraction"]), int(parameters["n_draws"]), rng)
    n_candidates = int(parameters["n_candidates"])
    most = max(1, _MOST_ROWS // (n_candidates * max(len(parts), 1)))
    frames, labels = [], []
    for is_trained, is_held_out in parts:
        part = replace(data, ratings=data.ratings.take(is_trained))
        held_out = HeldOutInteractions(data.ratings, context, np.flatnonzero(is_held_out))
        users = np.intersect1d(part.ratings.users, held_out.ratings.users)
        users = np.sort(rng.permutation(users)[:most])
        scorers, features = fit_scorers(make_members(), part), PairFeatures(part, lists)
        for chunk in chunks(users, len(lists) * data.items.n_codes):
            found = retrieve(scorers, weights, part, chunk, n_candidates)
            label, contexts = held_out.match(found, data.items.known(), rng)
            frames.append(features.make(found, contexts))
            labels.append(label)
    if not frames:
        return CandidateRows(pd.DataFrame(), np.empty(0, dtype=np.int64))
    return CandidateRows(pd.concat(frames, ignore_index=True), np.concatenate(labels))


def held_out_parts(
    ratings: Interactions, fraction: float, n_draws: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return masks of the interactions to train on and to hold out.

    With times, each part consists of the interactions from one time to another, and only earlier ones are trained on;
    the parts start half a part apart. Without times, or if no user has interactions before and after, a fraction of
    each user's interactions is drawn at random.
    """
    parts = []
    if ratings.days is not None:
        for draw in range(n_draws):
            stop = 1 - fraction * draw / 2
            start = stop - fraction
            first, last = np.quantile(ratings.days, [max(start, 0.0), stop])
            is_trained = ratings.days <= first
            is_held_out = ~is_trained & (ratings.days <= last)
            if start > 0 and len(np.intersect1d(ratings.users[is_trained], ratings.users[is_held_out])):
                parts.append((is_trained, is_held_out))
    if not parts:
        drawn = [hold_out(ratings, fraction, rng) for _ in range(n_draws)]
        parts = [(~is_held_out, is_held_out) for is_held_out in drawn if is_held_out.any()]
    return parts


class HeldOutInteractions:
    """Interactions that are held out, and their context."""

    def __init__(self, ratings: Interactions, context: Context, rows: np.ndarray):
        self.ratings = ratings.take(rows)
        self.context = None if context is None else (context[0][rows], context[1][rows])

    def match(self, found: Retrieved, known: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Context]:
        """Return labels and contexts of candidates; negatives get those of random held-out items of the user."""
        users, items = found.users[found.owner].astype(np.int64), known[found.place]
        n_codes = int(max(known.max(initial=0), self.ratings.items.max(initial=0))) + 1
        keys, wanted = self.ratings.users.astype(np.int64) * n_codes + self.ratings.items, users * n_codes + items
        rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        is_taken = keys[rows] == wanted
        labels = is_taken.astype(np.int64)
        if self.context is None:
            return labels, None
        first, last = np.searchsorted(self.ratings.users, users), np.searchsorted(self.ratings.users, users + 1)
        rows = np.where(is_taken, rows, rng.integers(first, last))
        return labels, (self.context[0][rows], self.context[1][rows])


def chunks(users: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Divide users into parts, each with at most a block of scores if every user has `width` scores."""
    step = max(1, _BLOCK // width)
    for start in range(0, len(users), step):
        yield users[start : start + step]
