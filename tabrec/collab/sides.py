"""The two sides of ratings, users and items: ids, side tables, and the origin of each id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.ids import Ids, as_column, id_at
from tabrec.collab.side_table import SideTable, index_by_id, learn_side_table
from tabrec.tables.columns import Column
from tabrec.tables.spelling import nearest_labels

KINDS = ("user", "item")
# Origins of the rows of a model, from the most to the least reliable.
LEARNED, FOLDED_IN, FROM_METADATA, UNKNOWN = range(4)
_PATHS = np.array(["learned", "fold-in", "metadata", "item bias", "user bias", "global mean"], dtype=object)


@dataclass(frozen=True)
class Side:
    """Users or items: their ids, the origin of each, and their side table."""

    ids: Ids
    origins: np.ndarray  # (n_codes,), int8: LEARNED, FOLDED_IN, FROM_METADATA or UNKNOWN
    table: SideTable | None

    @property
    def n_codes(self) -> int:
        return self.ids.n_codes

    def design(self) -> np.ndarray:
        """Return features for a linear model, (n_codes, n_features); without a side table, there are no columns."""
        return np.zeros((self.n_codes, 0), dtype=np.float32) if self.table is None else self.table.design()

    def known(self) -> np.ndarray:
        """Return the codes of the ids with ratings."""
        return np.flatnonzero(self.origins <= FOLDED_IN)

    def from_metadata(self) -> np.ndarray:
        """Return a mask by code of the ids that are known only from the side table."""
        return self.origins == FROM_METADATA

    def became_known(self, before: np.ndarray) -> np.ndarray:
        """Return the codes of the ids that have ratings now, but had none by the earlier origins."""
        known = self.known()
        had = np.zeros(self.n_codes, dtype=bool)
        had[: len(before)] = before <= FOLDED_IN
        return known[~had[known]]

    def require(self, ids: Any) -> np.ndarray:
        """Return the codes of known ids; the ValueError for an unknown one names similar ids."""
        column = as_column(self.ids.name, ids)
        codes = self.ids.encode(column)
        if not len(codes) or codes.all():
            return codes
        absent = id_at(column, int(np.argmin(codes)))
        near = [repr(label) for label in nearest_labels(absent, self.ids.labels)]
        hint = f" The nearest: {', '.join(near)}." if near else ""
        raise ValueError(f"{self.ids.name} {absent!r} is not known to the model.{hint}")

    def with_ids(self, column: Column, origin: int) -> Side:
        """Add the ids of a column with an origin; ids with a more reliable origin keep it."""
        ids = self.ids.with_labels(column.as_labels().in_use)
        origins = np.concatenate([self.origins, np.full(ids.n_codes - self.n_codes, UNKNOWN, dtype=np.int8)])
        codes = np.array([code for code in np.unique(ids.encode(column)) if code], dtype=np.intp)
        origins[codes] = np.minimum(origins[codes], origin)
        table = None if self.table is None else self.table.grown(ids.n_codes)
        return replace(self, ids=ids, origins=origins, table=table)

    def with_features(self, features: pd.DataFrame) -> Side:
        """Add features of ids, which may be new, to the side table."""
        assert self.table is not None
        column = as_column(self.ids.name, features.index)
        side = self.with_ids(column, FROM_METADATA)
        table = self.table.with_features(features, side.ids.encode(column), side.n_codes)
        return replace(side, table=table)

    def add_rows(self, parameter: str, features: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
        """Return a side table with the given rows added or replaced."""
        features = index_by_id(parameter, features, self.ids)
        return pd.concat([features[~features.index.isin(more.index)], more[features.columns]])

    def drop_rows(self, parameter: str, features: pd.DataFrame, ids: Any) -> pd.DataFrame:
        """Return a side table without the rows of some ids."""
        rows = self.ids.encode_list(index_by_id(parameter, features, self.ids).index)
        return features[~np.isin(rows, self.require(ids))]


def learn_side(column: Column, parameter: str, features: Any) -> Side:
    """Learn the ids in a column of ratings, and the additional ids in a side table."""
    ids, table = Ids.learn(column), None
    n_rated = ids.n_codes
    if features is not None:
        table, ids = learn_side_table(parameter, features, ids)
    origins = np.full(ids.n_codes, FROM_METADATA, dtype=np.int8)
    origins[:n_rated] = LEARNED
    origins[0] = UNKNOWN
    return Side(ids, origins, table)


def name_paths(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Describe the paths of predictions by the origins of users and items: an object array of text."""
    worse = np.maximum(users, items)
    path = np.where(worse < UNKNOWN, worse, np.where(users < UNKNOWN, 4, 3))
    return _PATHS[np.where((users == UNKNOWN) & (items == UNKNOWN), 5, path)]
