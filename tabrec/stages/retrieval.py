"""The first stage: scores of several recommenders, and the best items of each as candidates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tabrec.collab.ranking import top_n
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer


@dataclass(frozen=True)
class Retrieved:
    """Scores of some users for all items with interactions, and the candidates among the items that the user lacks.

    The last of the lists is the blend, the weighted sum of the others. Scores are standardised per user over the items
    that the user lacks.
    """

    users: np.ndarray  # (n_users,): codes
    scores: np.ndarray  # (n_lists, n_users, n_items)
    means: np.ndarray  # (n_lists, n_users, 1), of the scores before they were standardised
    deviations: np.ndarray  # (n_lists, n_users, 1)
    owner: np.ndarray  # (n_candidates,): position of the user of each candidate
    place: np.ndarray  # (n_candidates,): position of the item among those with interactions
    ranks: np.ndarray  # (n_lists, n_candidates): from 1, and one more than the length of a list for items beyond it

    @property
    def blend(self) -> np.ndarray:
        """Standardised scores of the blend: (n_users, n_items)."""
        return self.scores[-1]

    def scores_of(self, scorers: Iterable[Scorer], weights: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return standardised scores of the blend for other items, those without interactions: (n_users, n_others)."""
        total = np.zeros((len(self.users), len(items)))
        for weight, scorer, mean, deviation in zip(weights, scorers, self.means, self.deviations, strict=False):
            total += weight * (scorer.score_block(self.users, items) - mean) / deviation
        return (total - self.means[-1]) / self.deviations[-1]


def retrieve(
    scorers: Iterable[Scorer], weights: np.ndarray, data: RatingsReader, users: np.ndarray, n_candidates: int
) -> Retrieved:
    """Score all items for some users, and choose the candidates: the items that are highest in any of the lists."""
    known = data.items.known()
    is_seen = seen_places(data, users)
    lists = [standardise(scorer.score_block(users, known), is_seen) for scorer in scorers]
    total = sum(weight * scores for weight, (scores, _, _) in zip(weights, lists, strict=True))
    lists.append(standardise(np.asarray(total), is_seen))
    scores, means, deviations = (np.stack(parts) for parts in zip(*lists, strict=True))
    ranks = np.full(scores.shape, n_candidates + 1, dtype=np.int32)
    for of_list, rank in zip(scores, ranks, strict=True):
        best = top_n(np.where(is_seen, -np.inf, of_list), n_candidates)
        np.put_along_axis(rank, best, np.arange(1, best.shape[1] + 1, dtype=np.int32)[None], axis=1)
    # Ties between lists are broken by the blend.
    order = ranks.min(axis=0) + ranks[-1] / (n_candidates + 2)
    order[is_seen] = np.inf
    chosen = top_n(-order, n_candidates)
    owner, at = np.nonzero(np.take_along_axis(order, chosen, axis=1) <= n_candidates + 1)
    place = chosen[owner, at]
    return Retrieved(users, scores, means, deviations, owner, place, ranks[:, owner, place])


def seen_places(data: RatingsReader, users: np.ndarray) -> np.ndarray:
    """Return a mask of the items that each user has interacted with: (n_users, n_items)."""
    known = data.items.known()
    is_seen = np.zeros((len(users), len(known)), dtype=bool)
    rows, owner = data.ratings.of_users(users)
    is_seen[owner, np.searchsorted(known, data.ratings.items[rows])] = True
    return is_seen


def standardise(scores: np.ndarray, is_seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standardise scores over the items that a user lacks; also returns the means and standard deviations."""
    scores = scores.astype(np.float64)
    counts = np.maximum((~is_seen).sum(axis=1, keepdims=True), 1)
    means = np.where(is_seen, 0.0, scores).sum(axis=1, keepdims=True) / counts
    centred = scores - means
    deviations = np.sqrt(np.where(is_seen, 0.0, centred**2).sum(axis=1, keepdims=True) / counts)
    deviations = np.where(deviations > 0, deviations, 1.0)
    return centred / deviations, means, deviations
