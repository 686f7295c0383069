"""Features of pairs of users and candidates, the training data of the ranker of the second stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from tabrec.collab.interactions import Context, Interactions
from tabrec.collab.reader import RatingsReader
from tabrec.collab.side_table import SideTable
from tabrec.collab.sides import KINDS
from tabrec.stages.retrieval import Retrieved

# Statistics of ids: arrays indexed by code, by kind of id and name.
Histories = dict[str, dict[str, np.ndarray]]

# Means and shares are shrunk towards 0 as if every id had this many further interactions.
_DAMPING = 5.0
# Share of the interactions that are recent.
_RECENT = 0.1


class PairFeatures:
    """Makes the encoded frame of pairs: scores and ranks, histories up to now, side tables and context.

    Features are learned from the interactions of `data` alone, so that held-out interactions do not leak.
    """

    def __init__(self, data: RatingsReader, lists: list[str], of_ids: Histories | None = None):
        self.data = data
        self.lists = lists
        self.histories = learn_histories(data) if of_ids is None else of_ids
        ratings = data.ratings
        shape = (data.users.n_codes, data.items.n_codes)
        self.taken = sp.csr_matrix((np.ones(len(ratings)), (ratings.users, ratings.items)), shape=shape)
        design = data.items.design()
        lengths = np.linalg.norm(design, axis=1, keepdims=True)
        self.design = design / np.where(lengths > 0, lengths, 1.0)

    def make(self, found: Retrieved, context: Context = None) -> pd.DataFrame:
        """Return the features of the candidates; `context` has a row for each of them."""
        columns: dict[str, Any] = {}
        for name, scores, ranks in zip(self.lists, found.scores, found.ranks, strict=True):
            columns[f"{name}_score"] = scores[found.owner, found.place]
            columns[f"{name}_rank"] = ranks
        codes = {"user": found.users[found.owner], "item": self.data.items.known()[found.place]}
        for kind in KINDS:
            columns |= {f"{kind}_{name}": values[codes[kind]] for name, values in self.histories[kind].items()}
        if self.design.shape[1]:
            columns["item_likeness"] = self._likeness(found, codes["item"])
        for kind in KINDS:
            table = self.data.side(kind).table
            columns |= {} if table is None else side_columns(kind, table, codes[kind])
        columns |= self._context_columns(found, context)
        frame = {name: _as_float32(column) for name, column in columns.items()}
        return pd.DataFrame(frame, copy=False)

    def _likeness(self, found: Retrieved, items: np.ndarray) -> np.ndarray:
        """Return the mean cosine similarity between the features of each candidate and those of the user's items."""
        rows = self.taken[found.users]
        counts = np.maximum(np.diff(rows.indptr), 1)[:, None]
        profiles = (rows @ self.design) / counts
        return np.einsum("pf,pf->p", profiles[found.owner], self.design[items])

    def _context_columns(self, found: Retrieved, context: Context) -> dict[str, Any]:
        encoder = self.data.context
        if encoder is None:
            return {}
        codes, numbers = encoder.unknown(len(found.owner)) if context is None else context
        sizes = encoder.category_sizes.items()
        columns: dict[str, Any] = {
            f"context_{name}": as_category(codes[:, at], size) for at, (name, size) in enumerate(sizes)
        }
        return columns | {f"context_number_{at + 1}": column for at, column in enumerate(numbers.T)}


def side_columns(kind: str, table: SideTable, codes: np.ndarray) -> dict[str, Any]:
    """Return the features of a side table for some codes."""
    columns: dict[str, Any] = {
        f"{kind}_{name}": as_category(table.codes[codes, at], size)
        for at, (name, size) in enumerate(table.category_sizes.items())
    }
    return columns | {f"{kind}_{name}": table.numbers[codes, at] for at, name in enumerate(table.number_names)}


def learn_histories(data: RatingsReader) -> Histories:
    """Return the histories of users and of items."""
    return {kind: histories(data.ratings, kind, data.side(kind).n_codes) for kind in KINDS}


def add_users(known: Histories, data: RatingsReader, users: np.ndarray) -> Histories:
    """Add the histories of users that are folded in; those of other users and of items stay unchanged."""
    found = histories(data.ratings, "user", data.users.n_codes)
    for name, values in known["user"].items():
        others = np.setdiff1d(np.arange(len(values)), users)
        found[name][others] = values[others]
    return known | {"user": found}


def histories(ratings: Interactions, kind: str, n_codes: int) -> dict[str, np.ndarray]:
    """Compute statistics of the interactions of each user or item, by code; counts are relative to their mean."""
    codes = ratings.users if kind == "user" else ratings.items
    counts = np.bincount(codes, minlength=n_codes).astype(np.float64)
    found = {"activity" if kind == "user" else "popularity": counts / max(counts[counts > 0].mean(), 1.0)}
    if np.ptp(ratings.values) > 0:
        deviations = np.bincount(codes, ratings.values - ratings.values.mean(), minlength=n_codes)
        found["mean_value"] = deviations / (counts + _DAMPING)
    if ratings.days is None:
        return found
    now = ratings.days.max()
    first, last = np.full(n_codes, np.inf), np.full(n_codes, -np.inf)
    np.minimum.at(first, codes, ratings.days)
    np.maximum.at(last, codes, ratings.days)
    is_recent = ratings.days >= np.quantile(ratings.days, 1 - _RECENT)
    recent = np.bincount(codes[is_recent], minlength=n_codes)
    found["days_since_first"] = np.where(counts > 0, now - first, 0.0)
    found["days_since_last"] = np.where(counts > 0, now - last, 0.0)
    found["recent_share"] = recent / (counts + _DAMPING)
    return found


def as_category(codes: np.ndarray, size: int) -> Any:
    """Return the codes as a column of an encoded frame."""
    return pd.Categorical.from_codes(codes, categories=pd.RangeIndex(size))


def _as_float32(column: Any) -> Any:
    return column if isinstance(column, pd.Categorical) else np.asarray(column, dtype=np.float32)
