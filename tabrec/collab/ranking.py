"""The highest of many scores, computed in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from tabrec.collab.interactions import Interactions

# Scores held at once.
_BLOCK = 2**23
# How many more of the best items are tested where a rule excludes some.
_WIDER = 4
# Chunks of a row, of which the maxima are compared first, for each item asked for.
_CHUNKS_PER_ITEM = 8

Ranked = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
# Pairs of users and items, and the codes that the users asked for have in them.
OfUsers = tuple[Interactions, np.ndarray]
# Whether pairs of users, as they are given to `rank_all`, and items are excluded.
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
    """Set scores to -inf where a rule excludes them, as far as the n highest others of each row depend on it."""
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
    """Return the most similar `others` to each of `codes`, excluding itself, in the form that `rank_all` returns."""

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
    """Return positions of the n largest in each row, in falling order, ties by position: (n_rows, n or n_columns)."""
    n_rows, n_columns = scores.shape
    n = min(n, n_columns)
    width = n_columns // (_CHUNKS_PER_ITEM * n) if n else 0
    if width < 2:
        return np.argsort(-scores, axis=1, kind="stable")[:, :n]
    # The n-th largest of the maxima of chunks: at least n scores reach it, and few more do.
    n_whole = n_columns - n_columns % width
    maxima = scores[:, :n_whole].reshape(n_rows, -1, width).max(axis=2)
    least = np.partition(maxima, -n, axis=1)[:, -n]
    owner, at = np.nonzero(scores >= least[:, None])
    order = np.lexsort([at, -scores[owner, at], owner])
    starts = np.searchsorted(owner, np.arange(n_rows))
    return at[order][starts[:, None] + np.arange(n)]
