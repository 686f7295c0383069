"""`recommend_items`: rank the candidates for each user, without excluded pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.approximate import open_index, rank_by_index
from tabrec.collab.diversity import make_choice
from tabrec.collab.exclusion import ExclusionRule
from tabrec.collab.ids import Ids, as_column, id_at
from tabrec.collab.interactions import Interactions, Pairs, sort_interactions
from tabrec.collab.queries import Query, read_context, score_users
from tabrec.collab.ranking import OfUsers
from tabrec.collab.reader import RatingsReader
from tabrec.collab.relevance import Relevance
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import Side
from tabrec.tables.columns import Column, advise_on_index, is_table, read_frame, to_columns
from tabrec.tables.messages import warn_caller

_SHOWN = 3  # Number of ids in a warning.


def recommend_items(
    reader: RatingsReader,
    scorer: Scorer,
    relevance: Relevance | None,
    users: Any,
    n: int,
    *,
    exclude_seen: bool,
    candidates: Any,
    exclude: Any,
    include_cold: bool,
    unknown: str,
    context: Any,
    diversity: Any,
    fill: bool,
    item_features: Any,
    index: Any,
) -> pd.DataFrame:
    """Return the recommendations that `Recommender.recommend` describes."""
    column = as_column(reader.user_name, users)
    codes = reader.users.ids.encode(column)
    of_users = None
    if is_table(candidates):
        of_users, candidates = _read_pairs("candidates", reader, column, candidates)
    choice = _choose(reader.items, candidates, include_cold, unknown)
    rule = None
    if callable(exclude):
        rule, exclude = ExclusionRule(exclude, reader.user_name, column, reader.items.ids.index), None
    without = [] if exclude is None else [_read_pairs("exclude", reader, column, exclude)[0]]
    seen = [(reader.ratings, codes)] if exclude_seen else []
    given = None if context is None else read_context(reader, context, len(codes))
    query = Query(score_users(scorer, relevance, codes, given), len(codes), rule)
    chooser = make_choice(diversity, scorer, reader, item_features)
    if index is None:
        ranked = query.rank(choice, n, [*without, *seen], of_users, chooser)
    else:
        opened = open_index(index, scorer, choice)
        ranked = rank_by_index(opened, scorer, codes, choice, n, [*without, *seen], rule)
        if rule is not None:
            ranked = query.fill(ranked, choice, n, [[*without, *seen]])
    if fill:
        ranked = query.fill(ranked, reader.items.known(), n, [[*without, *seen], without])
    owner, rank, found, scores = ranked
    _warn_of_users_without_items(column, owner)
    recommended = pd.DataFrame(
        {"user": pd.Series(column.raw).take(owner).array, "rank": rank, "item": reader.items.ids.names_of(found)}
    )
    if relevance is None:
        return recommended.assign(score=scorer.to_ratings(scores) if given is None else scores)
    here = None if given is None else (given[0][owner], given[1][owner])
    predicted = scorer.score(Pairs(codes[owner], found.astype(np.int32), here))
    return recommended.assign(score=predicted, relevance=scores)


def _choose(items: Side, candidates: Any, include_cold: bool, unknown: str) -> np.ndarray:
    """Return the codes of the items to choose from, in ascending order."""
    if include_cold and items.table is None:
        raise ValueError("include_cold=True recommends items that only item_features knows: fit with item_features.")
    if candidates is None:
        cold = np.flatnonzero(items.from_metadata() & include_cold)
        return np.union1d(items.known(), cold).astype(np.intp)
    if unknown == "raise":
        return np.unique(items.require(candidates))
    column = as_column(items.ids.name, candidates)
    codes = items.ids.encode(column)
    absent = np.flatnonzero(codes == 0)
    if len(absent) and len(absent) == len(codes):
        return items.require(candidates)  # raises a ValueError
    if len(absent):
        warn_caller(
            f"{len(absent)} of {len(codes)} candidates are not known to the model and are not recommended: "
            f"{_list(column, absent)}."
        )
    return np.unique(codes[codes > 0])


def _read_pairs(parameter: str, reader: RatingsReader, users: Column, pairs: Any) -> tuple[OfUsers, Any]:
    """Read a table of pairs as interactions; returns them with the codes of `users` in them, and its items."""
    if hasattr(pairs, "__len__") and len(pairs) == 0:
        return (Interactions(*[np.empty(0, dtype=np.int32)] * 3), np.zeros(len(users.raw), dtype=np.int32)), []
    if not is_table(pairs) and np.ndim(pairs) != 2:
        raise TypeError(
            f"{parameter} must be a table of pairs, with the columns {reader.user_name!r} and {reader.item_name!r}, or "
            "a function of such a table. To leave out items for all users, pass the others as candidates."
        )
    frame = read_frame(pairs)
    names = [reader.user_name, reader.item_name]
    if not set(names) <= set(frame.columns):
        names = ["user", "item"] if {"user", "item"} <= set(frame.columns) else frame.columns.tolist()
    if len(names) != 2:
        raise ValueError(
            f"{parameter} has the columns {frame.columns.tolist()[:20]}, but must have {reader.user_name!r} and "
            f"{reader.item_name!r}.{advise_on_index(frame)}"
        )
    columns = to_columns(frame[names])
    asked = Ids.learn(users)  # Users get separate codes, because unknown users may have pairs too.
    codes = asked.encode(columns[names[0]]), reader.items.ids.encode(columns[names[1]])
    both = (codes[0] > 0) & (codes[1] > 0)
    found, _ = sort_interactions(codes[0][both], codes[1][both], np.ones(both.sum()))
    return (found, asked.encode(users)), frame[names[1]].drop_duplicates()


def _warn_of_users_without_items(users: Column, owner: np.ndarray) -> None:
    left_out = np.setdiff1d(np.arange(len(users.raw)), owner)
    if len(left_out):
        warn_caller(
            f"{len(left_out)} of {len(users.raw)} users have no items left to recommend: {_list(users, left_out)}. All "
            "candidates are rated by them or excluded; exclude_seen=False includes rated items, fill=True others."
        )


def _list(column: Column, rows: np.ndarray) -> str:
    shown = ", ".join(repr(id_at(column, int(row))) for row in rows[:_SHOWN])
    return shown + ", …" * (len(rows) > _SHOWN)
