"""From the caller's tables to codes: how recommenders read ratings, and pairs to predict."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from tabrec.collab._ids import check_ids
from tabrec.collab._ratings import Ratings
from tabrec.collab._sides import Side, check_not_swapped
from tabrec.tables.columns import Column, read_frame, to_columns
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import align_names, learn_names
from tabrec.tables.target import check_target
from tabrec.tables.weights import read_weights

# Codes and numbers of the further columns that a model has asked for: (n_pairs, n_categories), (n_pairs, n_numbers).
Context = tuple[np.ndarray, np.ndarray] | None


class Pairs(NamedTuple):
    """Users and items as codes, and what else is told of the occasion."""

    users: np.ndarray
    items: np.ndarray
    context: Context

    def take(self, rows: slice) -> Pairs:
        """Some of them."""
        context = None if self.context is None else (self.context[0][rows], self.context[1][rows])
        return Pairs(self.users[rows], self.items[rows], context)


class RatingsReader:
    """Gives a recommender its eyes; expects `user` and `item`, sets `user_name_` and `item_name_`."""

    user: str | None
    item: str | None
    feature_names_in_: np.ndarray
    _users: Side
    _items: Side
    _ratings: Ratings
    _mean_weight: float

    @property
    def _sides(self) -> tuple[Side, Side]:
        return self._users, self._items

    def _side(self, kind: str) -> Side:
        return self._users if kind == "user" else self._items

    def _learn_columns(self, X: Any, frame: pd.DataFrame) -> None:
        names = frame.columns.tolist()
        if len(names) < 2:
            raise ValueError(
                f"X has {len(names)} feature(s), but {type(self).__name__} needs at least two columns: ids of users "
                "and of items."
            )
        told = [name for name in (self.user, self.item) if name is not None]
        absent = [name for name in told if name not in names]
        if absent:
            raise ValueError(f"X has no column {absent[0]!r} for the ids; it has {names[:20]}.")
        if not told:
            check_not_swapped(*names[:2])
        rest = [name for name in names if name not in told]
        self.user_name_ = rest.pop(0) if self.user is None else self.user
        self.item_name_ = rest.pop(0) if self.item is None else self.item
        if self.user_name_ == self.item_name_:
            raise ValueError(f"user and item must be two columns, but both are {self.user_name_!r}.")
        learn_names(self, X, frame)

    def _check_values(self, values: np.ndarray) -> None:
        """Refuse ratings that the fitted model cannot give."""

    def _check_given(self, values: np.ndarray) -> None:
        """Refuse ratings of a new user that the fitted model cannot give."""
        self._check_values(values)

    def _read_target(
        self, frame: pd.DataFrame, y: Any, sample_weight: Any, *, more: bool = False
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """The ratings, the positions of the rows that count, as often as they count, and the weights of those."""
        y = check_target(y, len(frame), type(self).__name__, numeric=True)
        y = (column_or_1d(y, warn=True) if y.ndim == 2 else y).astype(np.float64)
        rows, weights = read_weights(sample_weight, len(frame))
        has_ids = ~np.any([column.missing for column in self._id_columns(frame)], axis=0)[rows]
        if not has_ids.all():
            if not has_ids.any():
                raise ValueError("No row has both the id of a user and that of an item.")
            warn_caller(
                f"{int((~has_ids).sum())} of {len(rows)} ratings have no user or no item, and are left out: the first "
                f"in row {rows[np.argmin(has_ids)]} (counted from 0)."
            )
            rows, weights = rows[has_ids], None if weights is None else weights[has_ids]
        if more:
            self._check_values(y[rows])
        else:
            self._mean_weight = 1.0 if weights is None else float(weights.mean())
        if weights is None and self._mean_weight != 1.0:
            weights = np.ones(len(rows))
        return y, rows, None if weights is None else weights / self._mean_weight

    def _id_columns(self, frame: pd.DataFrame, rows: np.ndarray | None = None) -> list[Column]:
        names = [self.user_name_, self.item_name_]
        ids = frame[names]
        if rows is not None and not np.array_equal(rows, np.arange(len(frame))):
            ids = ids.iloc[rows]
        columns = to_columns(ids)
        for column in columns.values():
            check_ids(column)
        return [columns[name] for name in names]

    def _spared(self) -> list[str]:
        """Columns of fit that `predict` can do without."""
        used = {self.user_name_, self.item_name_, *self._context_names()}
        return [name for name in getattr(self, "feature_names_in_", ()) if name not in used]

    def _read_pairs(self, X: Any) -> Pairs:
        frame = align_names(self, X, read_frame(X), self._spared())
        columns = to_columns(frame[[self.user_name_, self.item_name_]])
        user, item = columns[self.user_name_], columns[self.item_name_]
        try:
            users, items = self._users.ids.encode(user), self._items.ids.encode(item)
        except ValueError as error:
            if self._are_swapped(user, item):
                raise ValueError(f"The columns of users and items look swapped. {error}") from error
            raise
        if not users.any() and not items.any() and self._are_swapped(user, item):
            warn_caller(
                f"No user and no item is known, but column {user.name!r} holds known items and {item.name!r} known "
                "users: the columns look swapped."
            )
        return Pairs(users, items, self._take_context(frame, np.arange(len(frame)), fit=False))

    def _are_swapped(self, user: Column, item: Column) -> bool:
        try:
            return bool(self._users.ids.encode(item).all() and self._items.ids.encode(user).all())
        except ValueError:
            return False

    # Columns beside the ids, for a model that uses them.

    def _context_names(self) -> list[str]:
        return []

    def _occasions(self, frame: pd.DataFrame, rows: np.ndarray) -> np.ndarray | None:
        """What tells apart ratings that are equal but for those columns."""
        names = self._context_names()
        return pd.util.hash_pandas_object(frame[names].iloc[rows], index=False).to_numpy() if names else None

    def _take_context(self, frame: pd.DataFrame, rows: np.ndarray, *, fit: bool) -> Context:
        return None
