"""Some rows of a table or an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabrec.preprocess._frames import is_table, read_frame


def rows_of(X: Any, rows: np.ndarray) -> Any:
    """The given rows of a table (as a pandas frame) or an array."""
    frame = read_frame(X).iloc[rows]
    return frame if is_table(X) else np.asarray(X)[rows]


def sample_rows(n_rows: int, max_rows: int | None, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most so many rows, drawn without replacement, in order."""
    if max_rows is None or n_rows <= max_rows:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, max_rows, replace=False))


def as_named(model: Any, X: Any) -> Any:
    """An array under the names of the columns that a model was fitted on, where it knows any; tables stay as they are.

    Parameters
    ----------
    model : fitted estimator or None
    X : table or array-like of shape (n_rows, n_features)
    """
    known = getattr(model, "feature_names_in_", None)
    if known is None or is_table(X):
        return X
    frame = read_frame(X)
    return frame.set_axis([str(name) for name in known], axis=1) if frame.shape[1] == len(known) else X
