"""`RatingsReader`: reads tables of ratings, and of pairs to predict, as codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.utils.validation import column_or_1d

from tabrec.collab.duplicates import are_among, merge_duplicates
from tabrec.collab.ids import as_column, check_ids, id_at
from tabrec.collab.interactions import Context, Interactions, Pairs, sort_interactions
from tabrec.collab.side_table import read_new_features
from tabrec.collab.sides import FOLDED_IN, LEARNED, Side, learn_side
from tabrec.preprocess import TabularPreprocessor
from tabrec.tables.columns import Column, as_frame, is_table, read_frame, to_columns
from tabrec.tables.messages import warn_caller
from tabrec.tables.output import pandas_output
from tabrec.tables.target import check_target
from tabrec.tables.weights import read_weights


@dataclass(frozen=True)
class RatingsReader:
    """Reads tables by the ids and encodings of fit. It is immutable; methods that add ids return a new reader."""

    owner: str  # class name of the recommender, for messages
    user_name: str
    item_name: str
    users: Side
    items: Side
    ratings: Interactions  # all ratings so far
    mean_weight: float  # mean of the sample weights in fit, which scales all weights
    context: ContextEncoder | None
    duplicates: str = "all"  # how repeated ratings of a pair count: "all", "last" or "mean"
    every_rating: Interactions | None = None  # all ratings, if `ratings` holds their means by pair

    @classmethod
    def learn(
        cls,
        frame: pd.DataFrame,
        y: Any,
        sample_weight: Any,
        *,
        owner: str,
        id_names: tuple[str, str],
        side_tables: tuple[Any, Any],
        context_names: list[str],
        days: np.ndarray | None = None,
        duplicates: str = "all",
    ) -> tuple[RatingsReader, Context]:
        """Learn ids from a table of ratings, and return the context of the sorted ratings as well.

        `days` are the times of the rows, in days.
        """
        y, rows, weights = _read_target(frame, y, sample_weight, id_names, owner)
        mean_weight = 1.0 if weights is None else float(weights.mean())
        columns = _id_columns(frame, id_names, rows)
        users = learn_side(columns[0], "user_features", side_tables[0])
        items = learn_side(columns[1], "item_features", side_tables[1])
        no_ratings = Interactions(*(np.empty(0),) * 3)
        reader = cls(owner, *id_names, users, items, no_ratings, mean_weight, None, duplicates)
        every_rating, order = reader._code(frame, rows, columns, y, weights, context_names, days)
        ratings, order = merge_duplicates(every_rating, order, duplicates)
        # Learned from sorted rows, so that a model does not depend on the order of rows.
        context = ContextEncoder.learn(frame, rows[order], context_names) if context_names else None
        reader = replace(
            reader, ratings=ratings, context=context, every_rating=every_rating if duplicates == "mean" else None
        )
        return reader, reader._read_context(frame, rows[order])

    def learn_more(
        self,
        frame: pd.DataFrame,
        y: Any,
        sample_weight: Any,
        check_ratings: Callable[[np.ndarray], None],
        days: np.ndarray | None = None,
    ) -> tuple[RatingsReader, Interactions, Context]:
        """Return a reader that includes further ratings, these ratings and their context."""
        y, rows, weights = _read_target(frame, y, sample_weight, (self.user_name, self.item_name), self.owner)
        check_ratings(y[rows])
        columns = _id_columns(frame, (self.user_name, self.item_name), rows)
        for side, column in zip((self.users, self.items), columns, strict=True):
            side.ids.encode(column)  # raises an error for ids of another type than in fit
        users, items = self.users.with_ids(columns[0], LEARNED), self.items.with_ids(columns[1], LEARNED)
        grown = replace(self, users=users, items=items)
        more, order = grown._code(frame, rows, columns, y, weights, self.context_names, days)
        reader, more, order = grown._with_more(more, order)
        return reader, more, reader._read_context(frame, rows[order])

    def learn_given(
        self, ratings: Any, user: Any, check_given: Callable[[np.ndarray], None]
    ) -> tuple[RatingsReader, Interactions, np.ndarray]:
        """Return a reader that includes new users with their ratings, these ratings and the codes of the users."""
        users, items, values = read_given(ratings, user, self.user_name, self.item_name)
        check_given(values)
        codes = self.items.ids.encode(items)
        side = self.users.with_ids(users, FOLDED_IN)
        user_codes, rows = side.ids.encode(users), codes > 0
        had_ratings = np.isin(user_codes, self.users.known())
        if had_ratings.any():
            known = id_at(users, int(np.argmax(had_ratings)))
            raise ValueError(f"{self.user_name} {known!r} already has ratings: pass further ones to partial_fit.")
        without = ~np.isin(user_codes, user_codes[rows])
        if without.any():
            nobody, unknown = (id_at(column, int(np.argmax(without))) for column in (users, items))
            raise ValueError(f"{nobody!r} has no rating of a known {self.item_name}, only of {unknown!r}.")
        if not rows.all():
            unknown = id_at(items, int(np.argmin(rows)))
            warn_caller(f"{int((~rows).sum())} of the ratings are of unknown items and are ignored: {unknown!r}, …")
        given, _ = sort_interactions(user_codes[rows], codes[rows], values[rows])
        reader, given, _ = replace(self, users=side)._with_more(given, np.arange(len(given)))
        return reader, given, np.unique(user_codes)

    def with_features(self, kind: str, features: pd.DataFrame) -> RatingsReader:
        """Return a reader with the features of some ids, which may be new."""
        side = self.side(kind).with_features(features)
        return replace(self, users=side) if kind == "user" else replace(self, items=side)

    def with_new_rows(self, kind: str, features: Any) -> RatingsReader:
        """Return a reader with the rows of a side table whose ids are not in the table yet."""
        side = self.side(kind)
        if features is None and side.table is None:
            return self
        if features is None or side.table is None:
            had = "no" if side.table is None else "a table of"
            raise ValueError(
                f"{self.owner} continues an earlier fit, which had {had} {kind}_features: a change takes effect only "
                "in a new fit."
            )
        features = read_new_features(f"{kind}_features", features, None, side.ids)
        codes = side.ids.encode_list(features.index)
        is_new = (codes == 0) | ~side.table.is_there[codes]
        return self.with_features(kind, features[is_new]) if is_new.any() else self

    def rest(self, users: Any, items: Any) -> tuple[pd.DataFrame, Interactions]:
        """Return the ratings without those of some known ids, with the weights of fit, and a table of their ids."""
        gone = self.users.require(users), self.items.require(items)
        ratings = self.ratings if self.every_rating is None else self.every_rating
        kept = ~np.isin(ratings.users, gone[0]) & ~np.isin(ratings.items, gone[1])
        if not kept.any():
            raise ValueError("No rating is left without these users and items.")
        ratings = ratings.take(np.flatnonzero(kept))
        ids = self.users.ids.names_of(ratings.users), self.items.ids.names_of(ratings.items)
        weights = None if ratings.weights is None else ratings.weights * self.mean_weight
        frame = pd.DataFrame(dict(zip((self.user_name, self.item_name), ids, strict=True)))
        return frame, replace(ratings, weights=weights)

    def read_pairs(self, frame: pd.DataFrame) -> Pairs:
        """Return the pairs to predict in a table with the columns of fit."""
        columns = to_columns(frame[[self.user_name, self.item_name]])
        user, item = columns[self.user_name], columns[self.item_name]
        try:
            users, items = self.users.ids.encode(user), self.items.ids.encode(item)
        except ValueError as error:
            if self._are_swapped(user, item):
                raise ValueError(f"The columns of users and items look swapped. {error}") from error
            raise
        if not users.any() and not items.any() and self._are_swapped(user, item):
            warn_caller(
                f"No user and no item is known, but column {user.name!r} holds known items and {item.name!r} known "
                "users: the columns look swapped."
            )
        return Pairs(users, items, self._read_context(frame, np.arange(len(frame))))

    @property
    def context_names(self) -> list[str]:
        """The context columns."""
        return self.context.names if self.context else []

    def side(self, kind: str) -> Side:
        """Return the side of "user" or of "item"."""
        return self.users if kind == "user" else self.items

    def unused(self, names: Sequence[str]) -> list[str]:
        """Return the columns of fit that predictions do not need."""
        used = {self.user_name, self.item_name, *self.context_names}
        return [name for name in names if name not in used]

    def _with_more(self, more: Interactions, order: np.ndarray) -> tuple[RatingsReader, Interactions, np.ndarray]:
        """Return a reader that includes further ratings, those of them that are kept, and their part of `order`."""
        if self.every_rating is not None:
            every_rating = self.every_rating.with_more(more)
            ratings, _ = merge_duplicates(every_rating, np.arange(len(every_rating)), "mean")
            _, order = merge_duplicates(more, order, "last")
            more = ratings.take(np.flatnonzero(are_among(ratings, more)))
            return replace(self, ratings=ratings, every_rating=every_rating), more, order
        more, order = merge_duplicates(more, order, self.duplicates)
        kept = self.ratings
        if self.duplicates == "last":
            kept = kept.take(np.flatnonzero(~are_among(kept, more)))
        return replace(self, ratings=kept.with_more(more)), more, order

    def _code(
        self,
        frame: pd.DataFrame,
        rows: np.ndarray,
        columns: list[Column],
        y: np.ndarray,
        weights: np.ndarray | None,
        context_names: list[str],
        days: np.ndarray | None,
    ) -> tuple[Interactions, np.ndarray]:
        """Encode the ratings of some rows as sorted interactions; also returns the position of each."""
        users, items = self.users.ids.encode(columns[0]), self.items.ids.encode(columns[1])
        if weights is None and self.mean_weight != 1.0:
            weights = np.ones(len(rows))
        weights = None if weights is None else weights / self.mean_weight
        occasions = None if days is None else days[rows]
        if context_names:
            taken = frame[context_names].iloc[rows]
            occasions = pd.util.hash_pandas_object(taken, index=False).to_numpy()
        ratings, order = sort_interactions(users, items, y[rows], weights, occasions)
        return ratings if days is None else replace(ratings, days=days[rows][order]), order

    def _read_context(self, frame: pd.DataFrame, rows: np.ndarray) -> Context:
        return None if self.context is None else self.context.encode(frame, rows)

    def _are_swapped(self, user: Column, item: Column) -> bool:
        try:
            return bool(self.users.ids.encode(item).all() and self.items.ids.encode(user).all())
        except ValueError:
            return False


@dataclass(frozen=True)
class ContextEncoder:
    """Encodes columns of the ratings themselves, such as the time of day."""

    names: list[str]
    preprocessor: TabularPreprocessor
    category_sizes: dict[str, int]  # number of codes of each category
    n_numbers: int

    @classmethod
    def learn(cls, frame: pd.DataFrame, rows: np.ndarray, names: list[str]) -> ContextEncoder:
        """Learn from some rows of a table."""
        taken = frame[names].iloc[rows]
        preprocessor = TabularPreprocessor("net").fit(taken)
        with pandas_output():
            encoded = preprocessor.transform(taken)
        labels = encoded.select_dtypes("category")
        sizes = {str(name): len(column.cat.categories) for name, column in labels.items()}
        return cls(names, preprocessor, sizes, encoded.shape[1] - len(sizes))

    def encode(self, frame: pd.DataFrame, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the codes, (n_rows, n_categories), and numbers, (n_rows, n_numbers), of some rows."""
        with pandas_output():
            encoded = self.preprocessor.transform(frame[self.names].iloc[rows])
        codes = np.zeros((len(rows), len(self.category_sizes)), np.int32)
        for position, name in enumerate(self.category_sizes):
            codes[:, position] = encoded[name].cat.codes
        return codes, encoded.drop(columns=list(self.category_sizes)).to_numpy(np.float32)

    def unknown(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return an unknown context for rows: code 0 for labels, the mean for numbers."""
        return np.zeros((n_rows, len(self.category_sizes)), np.int32), np.zeros((n_rows, self.n_numbers), np.float32)


def _read_target(
    frame: pd.DataFrame, y: Any, sample_weight: Any, id_names: tuple[str, str], owner: str
) -> tuple[np.ndarray, np.ndarray, Any]:
    """Return the ratings, the positions of rows with both ids, repeated by integer weights, and their weights."""
    y = check_target(y, len(frame), owner, numeric=True)
    y = (column_or_1d(y, warn=True) if y.ndim == 2 else y).astype(np.float64)
    rows, weights = read_weights(sample_weight, len(frame))
    has_ids = ~np.any([column.missing for column in _id_columns(frame, id_names)], axis=0)[rows]
    if has_ids.all():
        return y, rows, weights
    if not has_ids.any():
        raise ValueError("No row has both the id of a user and that of an item.")
    warn_caller(
        f"{int((~has_ids).sum())} of {len(rows)} ratings have no user or no item and are ignored: the first is in row "
        f"{rows[np.argmin(has_ids)]} (counted from 0)."
    )
    return y, rows[has_ids], None if weights is None else weights[has_ids]


def _id_columns(frame: pd.DataFrame, id_names: tuple[str, str], rows: np.ndarray | None = None) -> list[Column]:
    ids = frame[list(id_names)]
    if rows is not None and not np.array_equal(rows, np.arange(len(frame))):
        ids = ids.iloc[rows]
    columns = to_columns(ids)
    for column in columns.values():
        check_ids(column)
    return [columns[name] for name in id_names]


def read_given(ratings: Any, user: Any, user_name: str, item_name: str) -> tuple[Column, Column, np.ndarray]:
    """Read users, items and ratings from a mapping or Series by item, or a frame of [user,] item and rating."""
    if isinstance(ratings, (Mapping, pd.Series)):
        given = ratings if isinstance(ratings, pd.Series) else pd.Series(dict(ratings), dtype=object)
        if not len(given):
            raise ValueError("ratings is empty: give at least one, as in {item: rating}.")
        items, values = as_column(item_name, given.index), given.to_numpy()
        users = as_column(user_name, [user] * len(given))
    elif is_table(ratings):
        frame = _order_columns(read_frame(ratings), user_name, item_name)
        columns = list(to_columns(frame.iloc[:, :-1]).values())
        items, values = Column(item_name, columns[-1].raw), frame.iloc[:, -1].to_numpy()
        users = Column(user_name, columns[0].raw) if len(columns) == 2 else as_column(user_name, [user] * len(frame))
    else:
        raise TypeError(
            f"ratings must be a mapping or Series of ratings by item, or a frame of items and ratings, not {ratings!r}."
        )
    for column in (users, items):
        check_ids(column)
        if column.missing.any():
            row = int(np.argmax(column.missing))
            raise ValueError(f"ratings lacks the {column.name} in row {row} (counted from 0).")
    for row, value in enumerate(values):
        if isinstance(value, str):
            raise ValueError(f"The rating of {id_at(items, row)!r} is the text {value!r}, but must be a number.")
    return users, items, check_target(values, len(values), "new_user", numeric=True).astype(float)


def _order_columns(frame: pd.DataFrame, user_name: str, item_name: str) -> pd.DataFrame:
    """Select [user,] item and rating, by name if the item has its name in fit, otherwise by position."""
    if item_name in frame.columns:
        ids = [name for name in (user_name, item_name) if name in frame.columns]
        rest = [name for name in frame.columns if name not in ids]
        rest = ["rating"] if "rating" in rest else rest
        if len(rest) == 1:
            return frame[[*ids, *rest]]
    elif frame.shape[1] in (2, 3):
        return frame
    raise ValueError(
        f"ratings has the columns {frame.columns.tolist()[:20]}, but must have an item and a rating, or a user, "
        "an item and a rating."
    )


def as_pairs(X: Any) -> pd.DataFrame:
    """Convert a table of pairs to a new pandas frame; raises a TypeError for a sparse matrix."""
    if sp.issparse(X):
        raise TypeError(
            "Got a sparse matrix, which only fit and partial_fit take: pass its pairs, as in "
            "pandas.DataFrame({'user': X.nonzero()[0], 'item': X.nonzero()[1]})."
        )
    return as_frame(X)


def read_sparse(X: Any, y: Any) -> tuple[Any, Any]:
    """Convert a sparse matrix of users and items to pairs and values; other input is returned unchanged."""
    if not sp.issparse(X):
        return X, y
    if y is not None:
        raise ValueError(
            "X is a sparse matrix, whose numbers are the ratings or strengths of its users (rows) and items (columns): "
            "pass y=None, or the ids as two columns of a dense table."
        )
    matrix = sp.coo_array(X)
    return pd.DataFrame({"user": matrix.coords[0], "item": matrix.coords[1]}), matrix.data
