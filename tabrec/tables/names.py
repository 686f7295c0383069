"""Column names: learned in fit, matched in predict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.columns import advise_on_index, is_table, read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.spelling import nearest_labels

_SHOWN_NAMES = 20  # Number of names in a message.


def learn_names(estimator: Any, X: Any, frame: pd.DataFrame) -> None:
    """Set `n_features_in_`, and `feature_names_in_` if X has column names."""
    estimator.n_features_in_ = frame.shape[1]
    if is_table(X):
        estimator.feature_names_in_ = np.asarray(frame.columns, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def align_names(estimator: Any, X: Any, frame: pd.DataFrame, unused: Iterable[str] = ()) -> pd.DataFrame:
    """Select the columns of fit, in the order of fit; raises a ValueError if a column is missing.

    Columns of a frame are matched by name: extra ones are ignored, and those in `unused` may be missing. Columns of an
    array are matched by position, and their number must be that of fit.
    """
    owner = type(estimator).__name__
    named = hasattr(estimator, "feature_names_in_")
    if named and is_table(X):
        known = estimator.feature_names_in_
        if len(known) == frame.shape[1] and (frame.columns.to_numpy() == known).all():
            return frame
        spared = set(frame.columns) | set(unused)
        absent = [name for name in known if name not in spared]
        if absent:
            advice = advise_on_index(frame) if set(absent) & set(map(str, frame.index.names)) else ""
            raise ValueError(
                f"Column(s) {absent} seen in fit are missing; {owner} needs them, but the table has "
                f"{frame.columns.tolist()[:20]}.{advice}"
            )
        return frame[[name for name in known if name in frame.columns]]
    if frame.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {frame.shape[1]} features, but {owner} is expecting {estimator.n_features_in_} features as input."
        )
    if named:
        warn_caller(f"X does not have valid feature names, but {owner} was fitted with feature names")
        return frame.set_axis(list(estimator.feature_names_in_), axis=1)
    if is_table(X):
        warn_caller(f"X has feature names, but {owner} was fitted without feature names")
        return frame.set_axis([f"x{i}" for i in range(frame.shape[1])], axis=1)
    return frame


def check_named(parameter: str, names: Iterable, columns: Iterable[str]) -> list[str]:
    """Resolve the columns given in a parameter, by name or by position (int)."""
    if isinstance(names, str):
        raise TypeError(f"{parameter}={names!r} must be a list of column names, such as [{names!r}].")
    known = list(columns)
    found = [known[name] if is_position(name, known) else str(name) for name in names]
    absent = [name for name in found if name not in known]
    if absent:
        raise ValueError(f"{parameter} names {absent}, but the table has no such column; {names_of(known, absent[0])}.")
    return found


def names_of(known: Iterable[Any], absent: Any = "") -> str:
    """Return text for a message: the names of a table that are most similar to an absent one, and its first names."""
    names = [str(name) for name in known]
    wanted = str(absent).strip()
    same = [name for name in names if name.strip().casefold() == wanted.casefold()]
    near = same[:1] or (nearest_labels(wanted, names) if absent else [])
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    nearest = f"the nearest to {absent!r} is {' or '.join(map(repr, near))}; " if near else ""
    return f"{nearest}it has {names[:_SHOWN_NAMES]}{more}"


def check_has_column(name: Any, columns: Iterable[Any], purpose: str) -> None:
    """Raise a ValueError with similar names if a table lacks a column."""
    known = list(columns)
    if name not in known:
        raise ValueError(f"The table has no column {name!r} for the {purpose}; {names_of(known, name)}.")


def is_position(name: Any, known: list[str]) -> bool:
    """Return whether the name given for a column is an integer position."""
    return isinstance(name, (int, np.integer)) and str(name) not in known and 0 <= int(name) < len(known)


def as_named(model: Any, X: Any) -> Any:
    """Give an array the column names that a model was fitted with, if any; tables are returned unchanged."""
    known = getattr(model, "feature_names_in_", None)
    if known is None or is_table(X):
        return X
    frame = read_frame(X)
    return frame.set_axis([str(name) for name in known], axis=1) if frame.shape[1] == len(known) else X
