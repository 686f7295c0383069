"""What is known of users or items besides ratings: a side table, encoded, by the code of its id."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab._ids import Ids, as_column, id_at
from tabrec.preprocess import TabularPreprocessor

# Labels that fewer ids share say nothing of others; small tables cannot afford as many.
_MOST_MIN_FREQUENCY = 5
_IDS_PER_MIN_FREQUENCY = 20
# Codes of a category of two labels.
_OF_TWO_LABELS = 3


class SideTable:
    """The features of each id by its code; ids without any, and code 0, have code 0 in categories and 0 in numbers.

    Attributes
    ----------
    encoder : TabularPreprocessor
    category_sizes : dict of str to int
        Number of codes of each category column of more than two labels.
    codes : ndarray of shape (n_codes, n_categories), int32
    numbers : ndarray of shape (n_codes, n_numbers), float32
        Of mean 0. Columns of one or two labels are numbers too.
    is_there : ndarray of shape (n_codes,), bool
        Which ids the table has.
    """

    def __init__(self, encoder: TabularPreprocessor, encoded: pd.DataFrame, rows: np.ndarray, n_codes: int):
        sizes = {
            str(name): len(dtype.categories)
            for name, dtype in encoded.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        self.encoder = encoder
        self.category_sizes = {name: size for name, size in sizes.items() if size > _OF_TWO_LABELS}
        self.is_there = np.zeros(n_codes, dtype=bool)
        self.is_there[rows] = True
        self.codes = np.zeros((n_codes, len(self.category_sizes)), dtype=np.int32)
        for position, name in enumerate(self.category_sizes):
            self.codes[rows, position] = encoded[name].cat.codes
        numbers = [encoded[name].to_numpy(np.float32) for name in encoded.columns if name not in sizes]
        numbers += [_as_number(encoded[name], size) for name, size in sizes.items() if size <= _OF_TWO_LABELS]
        numbers = [column for column in numbers if (column != np.median(column)).sum() > 1]  # more than one stands out
        self.numbers = np.zeros((n_codes, len(numbers)), dtype=np.float32)
        for position, column in enumerate(numbers):
            self.numbers[rows, position] = column - column.mean()

    def design(self) -> np.ndarray:
        """The features for a linear model: (n_codes, n_features), float32, mean 0 over the ids of the table.

        A category has a column for each label. Ids that the table has not are the mean.
        """
        parts = [self.numbers]
        for column, size in zip(self.codes.T, self.category_sizes.values(), strict=True):
            of_labels = (column[:, None] == np.arange(1, size)).astype(np.float32)
            of_labels -= of_labels[self.is_there].mean(axis=0)
            parts.append(np.where(self.is_there[:, None], of_labels, np.float32(0)))
        design = np.concatenate(parts, axis=1)
        return design[:, np.abs(design).max(axis=0) > 1e-6]

    def grown(self, n_codes: int) -> SideTable:
        """This table with further ids, of which it knows nothing."""
        made, n_new = copy.copy(self), n_codes - len(self.is_there)
        for name in ("codes", "numbers", "is_there"):
            rows = getattr(self, name)
            setattr(made, name, np.concatenate([rows, np.zeros((n_new, *rows.shape[1:]), dtype=rows.dtype)]))
        return made


def _as_number(column: pd.Series, size: int) -> np.ndarray:
    """A column of two labels: -0.5 and 0.5, 0 where missing; of one label, whether it is there."""
    codes = column.cat.codes.to_numpy(np.float32)
    return np.where(codes > 0, codes - 1.5, 0.0).astype(np.float32) if size == _OF_TWO_LABELS else codes


def learn_side_table(parameter: str, features: Any, ids: Ids) -> tuple[SideTable, Ids]:
    """Encode a side table.

    Parameters
    ----------
    parameter : {"user_features", "item_features"}
        For messages.
    features : pandas.DataFrame
        Indexed by id.
    ids : Ids
        Those that have ratings; medians, vocabularies and scales are learned of them alone.

    Returns
    -------
    SideTable
    Ids
        With the ids that only the side table has.

    Raises
    ------
    TypeError
        No pandas frame.
    ValueError
        No columns, an id that is missing or stands twice, or no id in common with the ratings.
    """
    index = _check_index(parameter, features, ids)
    try:
        rows = ids.encode(index)
    except ValueError as error:
        raise ValueError(f"The index of {parameter} has ids of another type than the ratings. {error}") from error
    if not rows.any():
        raise ValueError(
            f"{parameter} has none of the ids in column {ids.name!r}: its index holds {index.example()!r}, the ratings "
            f"hold {ids.labels[0]!r}. Set the ids as its index, as in frame.set_index('id')."
        )
    # Learned only from ids with ratings, as at any time later.
    of_ratings = features.iloc[np.flatnonzero(rows)]
    min_frequency = int(np.clip(len(of_ratings) // _IDS_PER_MIN_FREQUENCY, 2, _MOST_MIN_FREQUENCY))
    encoder = TabularPreprocessor("net", min_frequency=min_frequency).fit(of_ratings)
    ids = ids.with_labels(index.as_labels().labels)
    return SideTable(encoder, encoder.transform(features), ids.encode(index), ids.n_codes), ids


def _check_index(parameter: str, features: Any, ids: Ids) -> Any:
    if not isinstance(features, pd.DataFrame):
        raise TypeError(f"{parameter} must be a pandas frame indexed by id, not {type(features).__name__}.")
    if features.shape[1] == 0:
        raise ValueError(f"{parameter} has no columns beside its index.")
    index = as_column(ids.name, features.index)
    if index.missing.any():
        raise ValueError(f"The index of {parameter} has a missing id in row {int(np.argmax(index.missing))}: drop it.")
    twice = features.index.duplicated()
    if twice.any():
        again = id_at(index, int(np.argmax(twice)))
        raise ValueError(f"The index of {parameter} has {again!r} more than once: give each id one row.")
    return index
