"""Rank items by scores that are computed in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tabrec.collab.interactions import Interactions

# Largest number of scores in memory at once.
_BLOCK = 2**23
# Factor by which more items are tested if a rule has excluded some.
_WIDER = 4
# Number of chunks of a row per requested item; the maxima of chunks are compared first.
_CHUNKS_PER_ITEM = 8

Ranked = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
# Pairs of users and items, and the codes of the queried users in them.
OfUsers = tuple[Interactions, np.ndarray]
# Returns a mask of excluded pairs of users, as passed to `rank_all`, and items.
Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]


def rank_all(
    score_block: Callable[[np.ndarray, np.ndarray], np.ndarray],
    users: np.ndarray,
    items: np.ndarray,
    n: int,
    excluded: Iterable[OfUsers],
    candidates: OfUsers | None = None,
    rule: Rule | None = None,
) -> Ranked:
    """Return the best items of each user, as arrays owner (a position in `users`), rank (from 1), item and score.

    `items` are codes in ascending order. Excluded interactions, and those that are the candidates of each user, come
    with the codes that the users have in them. The rule is asked about the best items alone.
    """
    position = np.full(items.max(initial=0) + 1, -1)
    position[items] = np.arange(len(items))

    def find(of_users: OfUsers, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        interactions, codes_of_users = of_users
        rated, owner = interactions.of_users(codes_of_users[rows])
        codes = interactions.items[rated]
        at = np.where(codes < len(position), position[np.minimum(codes, len(position) - 1)], -1)
        return owner[at >= 0], at[at >= 0]

    def score(rows: slice) -> np.ndarray:
        scores = score_block(users[rows], items)
        if candidates is not None:
            given = find(candidates, rows)
            scores, everything = np.full_like(scores, -np.inf), scores
            scores[given] = everything[given]
        for pairs in excluded:
            scores[find(pairs, rows)] = -np.inf
        if rule is not None:
            owners = users[rows]
            _exclude(scores, n, lambda owner, at: rule(owners[owner], items[at]))
        return scores

    return _rank(score, len(users), items, n)


def _exclude(scores: np.ndarray, n: int, rule: Rule) -> None:
    """Set the scores of excluded pairs to -inf, testing only as many as the n best items of each row need."""
    rows, width = np.arange(len(scores)), n
    while len(rows):
        highest = scores[rows]
        best = top_n(highest, width)
        owner, rank = np.nonzero(np.isfinite(np.take_along_axis(highest, best, axis=1)))
        if not len(owner):
            break
        at = best[owner, rank]
        is_excluded = rule(rows[owner], at)
        scores[rows[owner[is_excluded]], at[is_excluded]] = -np.inf
        n_left = np.bincount(owner[~is_excluded], minlength=len(rows))
        rows, width = rows[(n_left < n) & np.isin(np.arange(len(rows)), owner[is_excluded])], _WIDER * width


def rank_similar(
    similarities: Callable[[np.ndarray, np.ndarray], np.ndarray], codes: np.ndarray, others: np.ndarray, n: int
) -> Ranked:
    """Return the `others` most similar to each of `codes`, excluding itself, in the format of `rank_all`."""

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
        # Excluded pairs have the score -inf.
        owner, rank = np.nonzero(np.isfinite(np.take_along_axis(scores, best, axis=1)))
        chosen = best[owner, rank]
        parts.append((start + owner, rank + 1, items[chosen], scores[owner, chosen]))
    if not parts:
        return np.empty(0, int), np.empty(0, int), np.empty(0, int), np.empty(0)
    owner, rank, found, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return owner, rank, found, scores


def top_n(scores: np.ndarray, n: int) -> np.ndarray:
    """Return the positions of the n largest scores of each row, descending: (n_rows, n). Ties are by position."""
    n_rows, n_columns = scores.shape
    n = min(n, n_columns)
    width = n_columns // (_CHUNKS_PER_ITEM * n) if n else 0
    if width < 2:
        return np.argsort(-scores, axis=1, kind="stable")[:, :n]
    # At least n scores, and few more, reach the n-th largest of the maxima of chunks.
    n_whole = n_columns - n_columns % width
    maxima = scores[:, :n_whole].reshape(n_rows, -1, width).max(axis=2)
    least = np.partition(maxima, -n, axis=1)[:, -n]
    owner, at = np.nonzero(scores >= least[:, None])
    order = np.lexsort([at, -scores[owner, at], owner])
    starts = np.searchsorted(owner, np.arange(n_rows))
    return at[order][starts[:, None] + np.arange(n)]
