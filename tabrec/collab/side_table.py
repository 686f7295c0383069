"""`SideTable`: the features of users or of items as codes and numbers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.ids import Ids, as_column, id_at
from tabrec.collab.multi_labels import learn_multi_labels, split_multi_labels
from tabrec.collab.rating_columns import names_ids
from tabrec.collab.texts import encode_texts, learn_texts, without_texts
from tabrec.preprocess import TabularPreprocessor
from tabrec.tables.output import pandas_output

# Labels of fewer ids are left out, because they say little about other ids; the limit is lower for small tables.
_MOST_MIN_FREQUENCY = 5
_IDS_PER_MIN_FREQUENCY = 20
# Number of codes of a category with two labels, code 0 included.
_OF_TWO_LABELS = 3


class SideEncoder:
    """Encodes the features of ids as codes and numbers, as learned from the ids with ratings."""

    labels: dict[str, list]  # labels of columns with several labels per row
    texts: dict[str, dict[str, float]]  # words of columns of free text
    preprocessor: TabularPreprocessor | None  # None if all columns are free text
    # Number of codes of each category column with more than two labels; other columns are numbers.
    category_sizes: dict[str, int]
    number_names: list[str]
    _sizes: dict[str, int]

    @classmethod
    def learn(cls, features: pd.DataFrame) -> SideEncoder:
        """Learn medians, vocabularies and scales."""
        made = cls()
        min_frequency = int(np.clip(len(features) // _IDS_PER_MIN_FREQUENCY, 2, _MOST_MIN_FREQUENCY))
        made.labels = learn_multi_labels(features, min_frequency)
        made.texts = learn_texts(features, min_frequency, made.labels)
        rest = made._rest(features)
        made.preprocessor = None
        if rest.shape[1]:
            made.preprocessor = TabularPreprocessor("net", min_frequency=min_frequency).fit(rest)
        made._sizes = {
            str(name): len(dtype.categories)
            for name, dtype in made._transform(features).dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        made.category_sizes = {name: size for name, size in made._sizes.items() if size > _OF_TWO_LABELS}
        columns = [str(name) for name in made._transform(features).columns]
        made.number_names = [name for name in columns if name not in made._sizes]
        made.number_names += [name for name, size in made._sizes.items() if size <= _OF_TWO_LABELS]
        made.number_names += encode_texts(features, made.texts).columns.tolist()
        return made

    def encode(self, features: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Encode features as codes, (n_rows, n_categories), and numbers, (n_rows, n_numbers)."""
        encoded = self._transform(features)
        codes = [encoded[name].cat.codes.to_numpy(np.int32) for name in self.category_sizes]
        numbers = [encoded[name].to_numpy(np.float32) for name in encoded.columns if name not in self._sizes]
        numbers += [_as_number(encoded[name], size) for name, size in self._sizes.items() if size <= _OF_TWO_LABELS]
        numbers += list(encode_texts(features, self.texts).to_numpy(np.float32).T)
        n_rows = len(features)
        return (
            np.stack(codes, axis=1) if codes else np.zeros((n_rows, 0), np.int32),
            np.stack(numbers, axis=1) if numbers else np.zeros((n_rows, 0), np.float32),
        )

    def _rest(self, features: pd.DataFrame) -> pd.DataFrame:
        return split_multi_labels(without_texts(features, self.texts), self.labels)

    def _transform(self, features: pd.DataFrame) -> pd.DataFrame:
        if self.preprocessor is None:
            return pd.DataFrame(index=features.index)
        with pandas_output():
            return self.preprocessor.transform(self._rest(features))


class SideTable:
    """The features of each id by its code, as `codes`, (n_codes, n_categories), and `numbers`, (n_codes, n_numbers).

    Numbers have mean 0. Ids that are not in the table (see `is_there`), and code 0, have code 0 and number 0. Added ids
    do not change the learned encoding.
    """

    encoder: SideEncoder
    category_sizes: dict[str, int]
    is_there: np.ndarray
    codes: np.ndarray
    numbers: np.ndarray
    number_names: list[str]
    kept: np.ndarray  # positions of the encoder's numbers that are used
    means: np.ndarray  # means of these numbers
    label_means: list[np.ndarray] | None = None  # frequencies of labels by category; None in models of tabrec 0.2
    in_design: np.ndarray

    @classmethod
    def learn(cls, encoder: SideEncoder, features: pd.DataFrame, rows: np.ndarray, n_codes: int) -> SideTable:
        """Make the table of some ids, whose codes are `rows`."""
        made, (codes, numbers) = cls(), encoder.encode(features)
        made.encoder, made.category_sizes = encoder, encoder.category_sizes
        made.kept = np.flatnonzero((numbers != np.median(numbers, axis=0)).sum(axis=0) > 1)  # two rows off the median
        made.number_names = [encoder.number_names[place] for place in made.kept]
        made.means = numbers[:, made.kept].mean(axis=0)
        made.is_there = np.zeros(n_codes, dtype=bool)
        made.codes = np.zeros((n_codes, codes.shape[1]), dtype=np.int32)
        made.numbers = np.zeros((n_codes, len(made.kept)), dtype=np.float32)
        made._set(rows, codes, numbers)
        of_labels = zip(codes.T, made.category_sizes.values(), strict=True)
        made.label_means = [(column[:, None] == np.arange(1, size)).mean(axis=0) for column, size in of_labels]
        made.in_design = np.abs(made._whole_design(made.label_means)).max(axis=0) > 1e-6
        return made

    def design(self) -> np.ndarray:
        """Return float32 features for a linear model, (n_codes, n_features), with mean 0 over the ids in fit.

        A category has a column for each label. Ids that are not in the table have the mean, 0.
        """
        if self.label_means is not None:
            return self._whole_design(self.label_means)[:, self.in_design]
        of_labels = zip(self.codes[self.is_there].T, self.category_sizes.values(), strict=True)
        means = [(column[:, None] == np.arange(1, size)).mean(axis=0) for column, size in of_labels]
        design = self._whole_design(means)
        return design[:, np.abs(design).max(axis=0) > 1e-6]

    def grown(self, n_codes: int) -> SideTable:
        """Return this table with more ids, which have no features."""
        made, n_new = copy.copy(self), n_codes - len(self.is_there)
        for name in ("codes", "numbers", "is_there"):
            rows = getattr(self, name)
            setattr(made, name, np.concatenate([rows, np.zeros((n_new, *rows.shape[1:]), dtype=rows.dtype)]))
        return made

    def with_features(self, features: pd.DataFrame, rows: np.ndarray, n_codes: int) -> SideTable:
        """Return this table with the features of some ids, whose codes are `rows`, encoded as in fit."""
        if self.label_means is None:
            raise ValueError(
                "The model was saved by tabrec 0.2 or before, which did not keep how features are encoded: to add "
                "features, fit it again."
            )
        made = self.grown(n_codes)
        made.codes, made.numbers = made.codes.copy(), made.numbers.copy()
        made._set(rows, *self.encoder.encode(features))
        return made

    def _set(self, rows: np.ndarray, codes: np.ndarray, numbers: np.ndarray) -> None:
        self.is_there[rows] = True
        self.codes[rows] = codes
        self.numbers[rows] = numbers[:, self.kept] - self.means

    def _whole_design(self, label_means: list[np.ndarray]) -> np.ndarray:
        parts = [self.numbers]
        for column, size, means in zip(self.codes.T, self.category_sizes.values(), label_means, strict=True):
            of_labels = (column[:, None] == np.arange(1, size)) - means
            parts.append(np.where(self.is_there[:, None], of_labels, 0.0).astype(np.float32))
        return np.concatenate(parts, axis=1)


def _as_number(column: pd.Series, size: int) -> np.ndarray:
    """Encode two labels as -0.5 and 0.5, 0 if missing, and a single label as 1, 0 if missing."""
    codes = column.cat.codes.to_numpy(np.float32)
    return np.where(codes > 0, codes - 1.5, 0.0).astype(np.float32) if size == _OF_TWO_LABELS else codes


def learn_side_table(parameter: str, features: Any, ids: Ids) -> tuple[SideTable, Ids]:
    """Encode a side table, and return its ids after the ids with ratings.

    The ids are its index, or a column named as the ids. Columns of lists and of text joined by "|" are multi-label.
    Medians, vocabularies and scales are learned from ids with ratings alone. `parameter` is named in messages.
    """
    features = index_by_id(parameter, features, ids)
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
    # Learned only from ids with ratings, so that other rows of the table do not change the model.
    encoder = SideEncoder.learn(features.iloc[np.flatnonzero(rows)])
    ids = ids.with_labels(index.as_labels().labels)
    return SideTable.learn(encoder, features, ids.encode(index), ids.n_codes), ids


def read_new_features(parameter: str, features: Any, name: Any, ids: Ids) -> pd.DataFrame:
    """Convert features of one id, a mapping or Series by column, or a side table, to a table indexed by id."""
    if isinstance(features, pd.Series | Mapping):
        return pd.DataFrame([dict(features)], index=pd.Index([name], name=ids.name))
    features = index_by_id(parameter, features, ids)
    ids.encode(_check_index(parameter, features, ids))  # raises an error for ids of another type
    return features


def index_by_id(parameter: str, features: Any, ids: Ids) -> Any:
    """Set the column of ids as index if there is one and the index does not have the name of the ids."""
    if not isinstance(features, pd.DataFrame) or features.index.name == ids.name:
        return features
    counts_rows = isinstance(features.index, pd.RangeIndex) and features.index.equals(pd.RangeIndex(len(features)))
    if ids.name in features.columns and (counts_rows or _holds_ids(features[ids.name], ids)):
        return features.set_index(ids.name)
    for name in features.columns if counts_rows else []:
        if names_ids(str(name), parameter.removesuffix("_features")) and _holds_ids(features[name], ids):
            return features.set_index(name)
    return features


def _holds_ids(column: pd.Series, ids: Ids) -> bool:
    """Return whether the values of a column are distinct and some of them are known ids."""
    try:
        return bool(column.is_unique and ids.encode(as_column(ids.name, column)).any())
    except (TypeError, ValueError):
        return False


def _check_index(parameter: str, features: Any, ids: Ids) -> Any:
    if not isinstance(features, pd.DataFrame):
        raise TypeError(f"{parameter} must be a pandas frame indexed by id, not {type(features).__name__}.")
    if features.shape[1] == 0:
        raise ValueError(f"{parameter} has no columns besides its index.")
    index = as_column(ids.name, features.index)
    if index.missing.any():
        raise ValueError(f"The index of {parameter} has a missing id in row {int(np.argmax(index.missing))}: drop it.")
    twice = features.index.duplicated()
    if twice.any():
        again = id_at(index, int(np.argmax(twice)))
        raise ValueError(f"The index of {parameter} has {again!r} more than once: give each id one row.")
    return index
