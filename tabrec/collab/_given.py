"""Ratings that a new user gives, in the forms they may come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab._ids import as_column, check_ids, id_at
from tabrec.tables.columns import Column, is_table, read_frame, to_columns
from tabrec.tables.target import check_target


def read_given(ratings: Any, user: Any, user_name: str, item_name: str) -> tuple[Column, Column, np.ndarray]:
    """Users, items and ratings of a mapping or Series by item, or of a frame of [user,] item and rating.

    Raises
    ------
    ValueError
        No ratings, another number of columns, a missing id or rating.
    """
    if isinstance(ratings, (Mapping, pd.Series)):
        given = ratings if isinstance(ratings, pd.Series) else pd.Series(dict(ratings), dtype=object)
        if not len(given):
            raise ValueError("ratings holds none: give at least one, as in {item: rating}.")
        items, values = as_column(item_name, given.index), given.to_numpy()
        users = as_column(user_name, [user] * len(given))
    elif is_table(ratings):
        frame = _by_position(read_frame(ratings), user_name, item_name)
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


def _by_position(frame: pd.DataFrame, user_name: str, item_name: str) -> pd.DataFrame:
    """The [user,] item and rating, found by their names where the item goes by that of fit."""
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
