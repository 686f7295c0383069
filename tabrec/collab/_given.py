"""Ratings that a new user gives, in the forms they may come in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab._ids import as_column, check_ids, id_at
from tabrec.preprocess._frames import Column, read_frame, to_columns
from tabrec.preprocess._target import check_target


def read_given(ratings: Any, user: Any, user_name: str, item_name: str) -> tuple[Column, Column, np.ndarray]:
    """Users, items and ratings of a mapping or Series by item, or of a frame of [user,] item and rating.

    Raises
    ------
    ValueError
        No ratings, another number of columns, a missing id or rating.
    """
    if isinstance(ratings, (Mapping, pd.Series)):
        given = ratings if isinstance(ratings, pd.Series) else pd.Series(dict(ratings), dtype=object)
        items, values = as_column(item_name, given.index), given.to_numpy()
        if not len(given):
            raise ValueError("ratings holds none: give at least one, as in {item: rating}.")
        users = as_column(user_name, [user] * len(given))
    else:
        frame = read_frame(ratings)
        if frame.shape[1] not in (2, 3):
            raise ValueError(
                f"ratings has the columns {frame.columns.tolist()[:20]}, but must have an item and a rating, or a "
                "user, an item and a rating."
            )
        values = frame.iloc[:, -1].to_numpy()
        columns = list(to_columns(frame.iloc[:, :-1]).values())
        items = Column(item_name, columns[-1].raw)
        users = Column(user_name, columns[0].raw) if len(columns) == 2 else as_column(user_name, [user] * len(frame))
    for column in (users, items):
        check_ids(column)
        if column.missing.any():
            row = int(np.argmax(column.missing))
            raise ValueError(f"ratings lacks the {column.name} in row {row} (counted from 0).")
    for row, value in enumerate(values):
        if isinstance(value, str):
            raise ValueError(f"The rating of {id_at(items, row)!r} is the text {value!r}, but must be a number.")
    return users, items, check_target(values, len(values), "new_user", numeric=True).astype(float)
