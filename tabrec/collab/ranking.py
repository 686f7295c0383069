"""The highest of many scores, computed in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tabrec.collab.interactions import Interactions

# Scores held at once.
_BLOCK = 2**23

Ranked = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def rank_all(
    score_block: Callable[[np.ndarray, np.ndarray], np.ndarray],
    users: np.ndarray,
    items: np.ndarray,
    n: int,
    excluded: Iterable[tuple[Interactions, np.ndarray]],
) -> Ranked:
    """The best items of each user, as arrays owner (a position in `users`), rank (from 1), item and score.

    `items` are codes in ascending order. Excluded interactions come with the codes that the users have in them.
    """
    position = np.full(items.max(initial=0) + 1, -1)
    position[items] = np.arange(len(items))

    def score(rows: slice) -> np.ndarray:
        scores = score_block(users[rows], items)
        for interactions, codes_of_users in excluded:
            rated, owner = interactions.of_users(codes_of_users[rows])
            codes = interactions.items[rated]
            at = np.where(codes < len(position), position[np.minimum(codes, len(position) - 1)], -1)
            scores[owner[at >= 0], at[at >= 0]] = -np.inf
        return scores

    return _rank(score, len(users), items, n)


def rank_similar(
    similarities: Callable[[np.ndarray, np.ndarray], np.ndarray], codes: np.ndarray, others: np.ndarray, n: int
) -> Ranked:
    """The most similar `others` to each of `codes`, excluding itself, in the form that `rank_all` returns."""

    def score(rows: slice) -> np.ndarray:
        similarity = similarities(codes[rows], others)
        similarity[codes[rows][:, None] == others] = -np.inf
        return similarity

    return _rank(score, len(codes), others, n)


def _rank(score: Callable[[slice], np.ndarray], n_rows: int, items: np.ndarray, n: int) -> Ranked:
    step = max(1, _BLOCK // max(len(items), 1))
    parts = []
    for start in range(0, n_rows if len(items) else 0, step):
        scores = score(slice(start, start + step))
        best = top_n(scores, n)
        owner, rank = np.nonzero(np.isfinite(np.take_along_axis(scores, best, axis=1)))
        chosen = best[owner, rank]
        parts.append((start + owner, rank + 1, items[chosen], scores[owner, chosen]))
    if not parts:
        return np.empty(0, int), np.empty(0, int), np.empty(0, int), np.empty(0)
    owner, rank, found, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return owner, rank, found, scores


def top_n(scores: np.ndarray, n: int) -> np.ndarray:
    """Positions of the n largest in each row, in falling order, ties by position: (n_rows, n or n_columns)."""
    n = min(n, scores.shape[1])
    if n == scores.shape[1]:
        return np.argsort(-scores, axis=1, kind="stable")
    best = np.sort(np.argpartition(-scores, n - 1, axis=1)[:, :n], axis=1)
    values = np.take_along_axis(scores, best, axis=1)
    least = values.min(axis=1, keepdims=True)
    # The partition takes an arbitrary choice of the values equal to the least.
    tied = np.flatnonzero((scores == least).sum(axis=1) > (values == least).sum(axis=1))
    for row in tied:
        best[row] = np.sort(np.argsort(-scores[row], kind="stable")[:n])
    values = np.take_along_axis(scores, best, axis=1)
    return np.take_along_axis(best, np.argsort(-values, axis=1, kind="stable"), axis=1)
