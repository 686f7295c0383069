"""Compare recommendations with relevant items, and compute ranking metrics of each user."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.columns import read_frame

_ID_KINDS = {str: "text", numbers.Number: "numbers"}


@dataclass(frozen=True)
class Matches:
    """The hits among the first k recommendations; users are codes from 0 in the order of `relevant`."""

    k: int
    n_relevant: np.ndarray  # (n_users,), int
    ideal_gain: np.ndarray  # (n_users,), the discounted gain of the ideal list of k items
    user: np.ndarray  # (n_hits,), int; hits are sorted by user, then rank
    rank: np.ndarray  # (n_hits,), int
    gain: np.ndarray  # (n_hits,)

    def sum_by_user(self, values: np.ndarray) -> np.ndarray:
        """Sum values of hits, (n_hits,), by user: (n_users,)."""
        # bincount returns integers if there are no hits
        return np.bincount(self.user, values, minlength=len(self.n_relevant)).astype(np.float64)


def match(recommended: Any, relevant: Any, k: int) -> Matches:
    """Find the relevant items among the first k that each user was recommended."""
    top = read_recommended(recommended, k)
    wanted = read_relevant(relevant)
    for name in ("user", "item"):
        _check_same_kind(top[name], wanted[name], name)
    wanted["code"], users = pd.factorize(wanted["user"])
    hits = top.merge(wanted, on=["user", "item"]).sort_values(["code", "rank"])
    return Matches(
        k=k,
        n_relevant=np.bincount(wanted["code"]),
        ideal_gain=_ideal_gain(wanted, k, len(users)),
        user=hits["code"].to_numpy(np.int64),
        rank=hits["rank"].to_numpy(np.int64),
        gain=hits["gain"].to_numpy(np.float64),
    )


def discount(rank: np.ndarray) -> np.ndarray:
    """Return the discount of a gain at a rank, from 1: 1 / log2(rank + 1)."""
    return 1 / np.log2(rank + 1)


def read_recommended(recommended: Any, k: int) -> pd.DataFrame:
    """Read the first k recommendations of each user: a frame of user, item and rank."""
    if not isinstance(k, numbers.Integral) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k={k!r} must be an integer of at least 1.")
    frame = _read_columns(recommended, "recommended", ["user", "item", "rank"])
    rank = pd.to_numeric(frame["rank"], errors="coerce")
    is_rank = (rank >= 1) & (rank % 1 == 0)
    if not is_rank.all():
        wrong = frame["rank"][~is_rank].tolist()[0]
        raise ValueError(f"recommended has the rank {wrong!r}; ranks are whole numbers from 1.")
    top = frame.assign(rank=rank)[rank <= k]
    if top.empty:
        raise ValueError(f"recommended has no rank up to k={k}; the least is {rank.min():g}.")
    for name in ("item", "rank"):
        twice = top[top.duplicated(["user", name])]
        if len(twice):
            user, value = (twice[column].tolist()[0] for column in ("user", name))
            raise ValueError(f"recommended has user {user!r} with {name} {value!r} more than once.")
    return top


def read_relevant(relevant: Any) -> pd.DataFrame:
    """Read the relevant pairs: a frame of user, item and gain, each pair once."""
    columns = list(getattr(relevant, "columns", []))
    has_gains = "rating" in (getattr(relevant, "column_names", None) or columns)
    frame = _read_columns(relevant, "relevant", ["user", "item", "rating"] if has_gains else ["user", "item"])
    if not has_gains:
        return frame.drop_duplicates().assign(gain=1.0)
    if not pd.api.types.is_numeric_dtype(frame["rating"]) or not (frame["rating"] >= 0).all():
        raise ValueError("The ratings in relevant are the gains of NDCG and must be numbers of at least 0.")
    frame = frame.sort_values("rating", ascending=False, kind="stable").drop_duplicates(["user", "item"])
    return frame.sort_index().rename(columns={"rating": "gain"})


def _read_columns(table: Any, argument: str, names: list[str]) -> pd.DataFrame:
    try:
        frame = read_frame(table)
    except ValueError as error:
        raise ValueError(f"{argument}: {error}") from error
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ValueError(
            f"{argument} has no column {' or '.join(map(repr, absent))}; it has {list(frame.columns)[:20]}."
        )
    frame = frame[names].reset_index(drop=True)
    missing = [name for name in names if frame[name].isna().any()]
    if missing:
        row = int(np.argmax(frame[missing[0]].isna()))
        raise ValueError(f"{argument} has nothing in column {missing[0]!r} in row {row} (counted from 0).")
    return frame


def _check_same_kind(recommended: pd.Series, relevant: pd.Series, name: str) -> None:
    values = [column.iloc[:1].tolist()[0] for column in (recommended, relevant)]
    kinds = [next((kind for type_, kind in _ID_KINDS.items() if isinstance(value, type_)), None) for value in values]
    if kinds[0] != kinds[1] and None not in kinds:
        raise ValueError(
            f"The {name}s are {kinds[0]} in recommended, such as {values[0]!r}, but {kinds[1]} in relevant, such as "
            f"{values[1]!r}: give both the same type."
        )


def _ideal_gain(wanted: pd.DataFrame, k: int, n_users: int) -> np.ndarray:
    by_gain = wanted[["code", "gain"]].sort_values(["code", "gain"], ascending=[True, False])
    rank = by_gain.groupby("code").cumcount().to_numpy() + 1
    gains = np.where(rank <= k, by_gain["gain"] * discount(rank), 0.0)
    return np.bincount(by_gain["code"], gains, minlength=n_users)


def _precision(matches: Matches) -> np.ndarray:
    return _n_hits(matches) / matches.k


def _recall(matches: Matches) -> np.ndarray:
    return _n_hits(matches) / matches.n_relevant


def _ndcg(matches: Matches) -> np.ndarray:
    gain, ideal = matches.sum_by_user(matches.gain * discount(matches.rank)), matches.ideal_gain
    return np.divide(gain, ideal, out=np.zeros_like(gain), where=ideal > 0)


def _map(matches: Matches) -> np.ndarray:
    return _sum_of_precisions(matches) / np.minimum(matches.k, matches.n_relevant)


def _map_by_relevant(matches: Matches) -> np.ndarray:
    return _sum_of_precisions(matches) / matches.n_relevant


def _mrr(matches: Matches) -> np.ndarray:
    return matches.sum_by_user((_nth_hit(matches) == 1) / matches.rank)


def _hit_rate(matches: Matches) -> np.ndarray:
    return (_n_hits(matches) > 0).astype(np.float64)


# Functions that return a metric for each user: (n_users,).
BY_USER = {
    "precision": _precision,
    "recall": _recall,
    "ndcg": _ndcg,
    "map": _map,
    "map_by_relevant": _map_by_relevant,
    "mrr": _mrr,
    "hit_rate": _hit_rate,
}


def mean_metric(name: str, matches: Matches) -> float:
    """Return the mean over users of a metric in `BY_USER`."""
    return float(np.mean(BY_USER[name](matches)))


def _n_hits(matches: Matches) -> np.ndarray:
    return matches.sum_by_user(np.ones(len(matches.user)))


def _sum_of_precisions(matches: Matches) -> np.ndarray:
    """Return the sum of the precisions at the hits of each user: (n_users,)."""
    return matches.sum_by_user(_nth_hit(matches) / matches.rank)


def _nth_hit(matches: Matches) -> np.ndarray:
    """Number the hits of each user from 1."""
    n_hits = np.bincount(matches.user, minlength=1)
    return np.arange(1, len(matches.user) + 1) - (np.cumsum(n_hits) - n_hits)[matches.user]
