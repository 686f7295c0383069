"""Select, sample and order the rows of a table or an array."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.columns import is_table, read_frame


def sample_rows(n_rows: int, max_rows: int | None, rng: np.random.Generator) -> np.ndarray:
    """Draw positions of at most `max_rows` rows without replacement; they are sorted."""
    if max_rows is None or n_rows <= max_rows:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, max_rows, replace=False))


def take_rows(X: Any, rows: np.ndarray, frame: pd.DataFrame | None = None) -> Any:
    """Take the given rows of a table, as a pandas frame, or of an array; an array itself if they are all of its rows.

    `frame` is `read_frame(X)` if the caller has it already, so that a lazy table or a stream is not read twice.
    """
    frame = read_frame(X) if frame is None else frame
    if np.array_equal(rows, np.arange(len(frame))):
        return frame if is_table(X) else X
    return frame.iloc[rows] if is_table(X) else frame.to_numpy()[rows]


def canonical_order(encoded: pd.DataFrame, y: np.ndarray) -> np.ndarray:
    """Sort the positions of rows by content alone: by target, then by a hash of the row.

    Random draws are made by position, so fitting in this order makes a model independent of the order of the table.
    Equal rows stay in the order of the table.
    """
    targets = [pd.factorize(output, sort=True)[0] for output in y.reshape(len(y), -1).T]
    return np.lexsort([_hash_rows(encoded), *targets[::-1]])


def hash_table(encoded: pd.DataFrame, y: np.ndarray, weights: np.ndarray | None, order: np.ndarray) -> str:
    """Hash of the rows of an encoded frame, their targets and weights, taken in the given order."""
    digest = sha256(_hash_rows(encoded)[order].tobytes())
    for values in (*y.reshape(len(y), -1).T, *([] if weights is None else [weights])):
        digest.update(pd.util.hash_array(values)[order].tobytes())
    return digest.hexdigest()


def _hash_rows(encoded: pd.DataFrame) -> np.ndarray:
    hashes = np.zeros(len(encoded), dtype=np.uint64)
    for name in encoded.columns:
        column = encoded[name]
        values = column.array.codes if isinstance(column.dtype, pd.CategoricalDtype) else column.to_numpy()
        # Adding 0 turns -0.0 into 0.0, which has another hash.
        hashes = hashes * np.uint64(1_000_003) + pd.util.hash_array(values + np.int8(0))
    return hashes
