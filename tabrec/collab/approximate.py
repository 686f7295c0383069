"""Build and search approximate indexes of item vectors with usearch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tabrec.collab.ranking import OfUsers, Ranked, Rule
from tabrec.collab.scorer import Scorer

# Factor by which more items are searched if a rule may exclude some.
_MORE = 4
# Number of users in a batch.
_USERS = 2**12
# Number of vectors of an index that are compared with those of the model.
_N_COMPARED = 32
# Greater than every code of an item.
_MOST_CODES = 2**32


def build_index(vectors: np.ndarray, path: Path) -> None:
    """Write an index of vectors by their inner products; the keys are their positions."""
    index = _import_usearch().Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    index.add(np.arange(len(vectors), dtype=np.uint64), np.ascontiguousarray(vectors, dtype=np.float32))
    index.save(str(path))


def open_index(index: str | os.PathLike, scorer: Scorer, items: np.ndarray) -> Any:
    """Open an index and check that it holds the vectors of a scorer; `items` are the codes of its keys."""
    keys = np.unique(np.linspace(0, len(items) - 1, _N_COMPARED).astype(np.uint64))
    vectors = scorer.search_vectors("item", items[keys.astype(np.intp)]).astype(np.float32)
    n_items, n_dimensions = len(items), vectors.shape[1]
    if not Path(index).is_file():
        raise FileNotFoundError(f"index={os.fspath(index)!r} is not a file: write it with to_ann.")
    usearch = _import_usearch()
    try:
        found = usearch.Index.restore(os.fspath(index), view=True)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"index={os.fspath(index)!r} is damaged or not an index: write it with to_ann.") from error
    if found is None or (len(found), found.ndim) != (n_items, n_dimensions):
        held = "no index" if found is None else f"{len(found)} items in {found.ndim} dimensions"
        raise ValueError(
            f"index={os.fspath(index)!r} holds {held}, but the model has {n_items} in {n_dimensions}: write it again "
            "with to_ann(..., overwrite=True)."
        )
    if not np.array_equal(np.vstack([np.ravel(found.get(int(key))) for key in keys]), vectors):
        raise ValueError(
            f"index={os.fspath(index)!r} holds other vectors than those of the model, such as those of another model "
            "or of earlier interactions: write it again with to_ann(..., overwrite=True)."
        )
    return found


def rank_by_index(
    index: Any,
    scorer: Scorer,
    users: np.ndarray,
    items: np.ndarray,
    n: int,
    excluded: Sequence[OfUsers],
    rule: Rule | None,
) -> Ranked:
    """Return the best items that an index finds for each user, in the format of `rank_all`.

    `items` are the codes of the keys of the index. The rule takes positions in `users`; if it excludes many items,
    lists may be too short.
    """
    starts = range(0, max(len(users), 1), _USERS)
    parts = [
        _rank_some(index, scorer, users, items, n, excluded, rule, slice(start, start + _USERS)) for start in starts
    ]
    owner, rank, found, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return owner, rank, found, scores


def _rank_some(
    index: Any,
    scorer: Scorer,
    users: np.ndarray,
    items: np.ndarray,
    n: int,
    excluded: Sequence[OfUsers],
    rule: Rule | None,
    rows: slice,
) -> Ranked:
    """Return the best items of the users of a slice."""
    excluded_pairs, most = _find_excluded(excluded, rows, len(users[rows]))
    vectors = scorer.search_vectors("user", users[rows])
    owner, found = _search(index, vectors, min(n * (1 if rule is None else _MORE) + most, len(items)))
    found = items[found]
    is_free = ~np.isin(owner * _MOST_CODES + found, excluded_pairs)
    owner, found = owner[is_free], found[is_free]
    if rule is not None and len(owner):
        is_free = ~rule(rows.start + owner, found)
        owner, found = owner[is_free], found[is_free]
    scores = np.einsum("pf,pf->p", vectors[owner], scorer.search_vectors("item", found), dtype=np.float64)
    order = np.lexsort([found, -scores, owner])
    owner, found, scores = owner[order], found[order], scores[order]
    rank = 1 + np.arange(len(owner)) - np.searchsorted(owner, owner)
    is_first = rank <= n
    return rows.start + owner[is_first], rank[is_first], found[is_first], scores[is_first]


def _find_excluded(excluded: Sequence[OfUsers], rows: slice, n_users: int) -> tuple[np.ndarray, int]:
    """Return the excluded pairs, each encoded as one number, and the largest number of them per user."""
    pairs: list[np.ndarray] = []
    counts = np.zeros(n_users, dtype=np.int64)
    for interactions, codes in excluded:
        at, owner = interactions.of_users(codes[rows])
        pairs.append(owner * _MOST_CODES + interactions.items[at])
        counts += np.bincount(owner, minlength=n_users)
    return np.concatenate([*pairs, np.empty(0, np.int64)]), int(counts.max(initial=0))


def _search(index: Any, vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Search the index; returns the position of a vector and the key found for it, one pair per match."""
    if not len(vectors):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # A search for all keys is exact, because the graph of an index may not reach every item.
    matches = index.search(np.ascontiguousarray(vectors, dtype=np.float32), count, exact=count == len(index))
    keys = np.atleast_2d(matches.keys).astype(np.int64)
    owner, place = np.nonzero(np.arange(keys.shape[1]) < np.reshape(_counts(matches, keys), (-1, 1)))
    return owner, keys[owner, place]


def _counts(matches: Any, keys: np.ndarray) -> Any:
    """Return the number of keys found for each vector; usearch gives no counts for a single vector."""
    return getattr(matches, "counts", keys.shape[1])


def _import_usearch() -> Any:
    try:
        from usearch import index
    except ImportError as error:
        raise ImportError("An approximate index needs usearch: pip install 'tabrec[ann]'.") from error
    return index
