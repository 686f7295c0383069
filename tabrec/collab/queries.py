"""`Query`: rank items for users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.diversity import Choice
from tabrec.collab.interactions import Context, sort_interactions
from tabrec.collab.ranking import OfUsers, Ranked, Rule, rank_all
from tabrec.collab.reader import RatingsReader
from tabrec.collab.relevance import Relevance
from tabrec.collab.scorer import Scorer
from tabrec.tables.columns import read_frame


@dataclass(frozen=True)
class Query:
    """Ranks items for users; users are given by their position in the query."""

    score_block: Callable[[np.ndarray, np.ndarray], np.ndarray]  # of positions and codes of items
    n_users: int
    rule: Rule | None = None  # mask of excluded pairs

    def rank(
        self,
        items: np.ndarray,
        n: int,
        excluded: Sequence[OfUsers],
        candidates: OfUsers | None = None,
        choice: Choice | None = None,
    ) -> Ranked:
        """Return the n best items of each user, or those that `choice` selects from the best ones."""
        users = np.arange(self.n_users)
        if choice is None:
            return rank_all(self.score_block, users, items, n, excluded, candidates, self.rule)
        pool, chosen = choice.pool(n), np.empty(0, dtype=np.intp)
        while True:
            owner, _, found, scores = rank_all(self.score_block, users, items, pool, excluded, candidates, self.rule)
            bounds = np.searchsorted(owner, np.arange(self.n_users + 1))
            parts = [
                start + choice.choose(found[start:stop], scores[start:stop], n) for start, stop in pairwise(bounds)
            ]
            chosen = np.concatenate([*parts, chosen]).astype(np.intp)
            counts = np.array([len(part) for part in parts])
            # The pool is enlarged if too few of its items could be chosen.
            if pool >= len(items) or not ((counts < n) & (np.diff(bounds) == pool)).any():
                break
            pool, chosen = min(4 * pool, len(items)), np.empty(0, dtype=np.intp)
        ranks = [np.arange(1, len(part) + 1) for part in parts]
        return owner[chosen], np.concatenate([*ranks, np.empty(0, dtype=int)]), found[chosen], scores[chosen]

    def fill(self, ranked: Ranked, items: np.ndarray, n: int, tiers: Sequence[Sequence[OfUsers]]) -> Ranked:
        """Fill lists of fewer than n items up; `tiers` are the pairs that are excluded in each successive attempt."""
        for excluded in tiers:
            counts = np.bincount(ranked[0], minlength=self.n_users)
            short = np.flatnonzero(counts < n)
            if not len(short):
                break
            listed, _ = sort_interactions(ranked[0] + 1, ranked[2], np.ones(len(ranked[0])))
            without = [(listed, short + 1), *((pairs, codes[short]) for pairs, codes in excluded)]
            owner, rank, found, scores = rank_all(self.score_block, short, items, n, without, rule=self.rule)
            more = short[owner], rank + counts[short[owner]], found, scores
            is_needed = more[1] <= n
            parts = [np.concatenate([part, added[is_needed]]) for part, added in zip(ranked, more, strict=True)]
            order = np.lexsort([parts[1], parts[0]])
            ranked = parts[0][order], parts[1][order], parts[2][order], parts[3][order]
        return ranked


def read_context(reader: RatingsReader, context: Any, n_users: int) -> Context:
    """Read the context of each user, from a table with one row per user or one row for all."""
    if reader.context is None:
        raise ValueError(f"context is for models fitted with context columns, but {reader.owner} has none.")
    frame = read_frame(context)
    absent = [name for name in reader.context_names if name not in frame.columns]
    if absent:
        raise ValueError(f"context lacks the columns {absent}; it has {frame.columns.tolist()[:20]}.")
    if len(frame) not in (1, n_users):
        raise ValueError(f"context has {len(frame)} rows, but must have one for each of {n_users} users, or one.")
    frame = frame.iloc[np.zeros(n_users, dtype=int)] if len(frame) == 1 else frame
    return reader.context.encode(pd.DataFrame(frame), np.arange(n_users))


def score_users(
    scorer: Scorer, relevance: Relevance | None, codes: np.ndarray, context: Context
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return a function that scores blocks of items for users, given by position, in their contexts."""

    def score(positions: np.ndarray, items: np.ndarray) -> np.ndarray:
        users = codes[positions]
        if context is None:
            scores = scorer.score_block(users, items)
            return scores if relevance is None else relevance.weigh(users, items, scorer.to_ratings(scores))
        scores = scorer.score_block_in_context(users, items, (context[0][positions], context[1][positions]))
        return scores if relevance is None else relevance.weigh(users, items, scores)

    return score
