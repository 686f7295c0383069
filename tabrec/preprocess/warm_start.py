"""Checks of fits that continue an earlier one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import is_classifier

from tabrec.preprocess.lineage import input_names, trace_columns
from tabrec.tables.columns import Column, is_table, read_frame, to_columns
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import align_names

_MANY_COLUMNS = 5


def describe_parameters(model: Any, names: Iterable[str]) -> dict[str, str]:
    """Return parameters as text, which can be compared with those of a later fit after saving and loading."""
    return {name: _describe(getattr(model, name)) for name in names if hasattr(model, name)}


def check_parameters_kept(model: Any, kept: dict[str, str]) -> None:
    """Check that the parameters which a fit keeps have the values of the earlier fit."""
    now = describe_parameters(model, kept)
    changed = [name for name in kept if now.get(name) != kept[name]]
    if changed:
        raise ValueError(
            f"{type(model).__name__} continues an earlier fit, which had {changed[0]}={kept[changed[0]]}; got "
            f"{changed[0]}={now.get(changed[0])}, which takes effect only in a new fit{_new_fit(model)}."
        )


def select_kept_columns(model: Any, X: Any) -> Any:
    """Select the columns of the earlier fit, in their order; raises a ValueError for new columns."""
    frame = read_frame(X)
    aligned = align_names(model, X, frame)
    if not hasattr(model, "feature_names_in_"):
        return X
    added = [name for name in frame.columns if name not in aligned.columns] if is_table(X) else []
    if added:
        raise ValueError(
            f"{type(model).__name__} continues an earlier fit, whose table lacked the column(s) {added[:20]}: leave "
            f"them out, or start a new fit{_new_fit(model)}."
        )
    return aligned


def check_target_kept(model: Any, y: np.ndarray) -> None:
    """Check that a target of trees has as many outputs and the same classes as that of the earlier fit."""
    y = y.reshape(len(y), -1)
    n_outputs = getattr(model, "n_outputs_", 1)
    if y.shape[1] != n_outputs:
        raise ValueError(f"y has {y.shape[1]} output(s), but the earlier fit that is continued had {n_outputs}.")
    if not is_classifier(model):
        return
    for output, known in zip(y.T, model.classes_ if n_outputs > 1 else [model.classes_], strict=True):
        found = np.unique(output).tolist()
        odd = [label for label in found if label not in known.tolist()]
        if odd:
            raise ValueError(
                f"y holds the class {odd[0]!r}, but the earlier fit that is continued had {known.tolist()[:20]}."
            )
        absent = [label for label in known.tolist() if label not in found]
        if absent:
            raise ValueError(
                f"y lacks the class {absent[0]!r}: more trees need rows of every class of the earlier fit, "
                f"{known.tolist()[:20]}."
            )


def warn_of_new_labels(model: Any, X: Any, encoded: pd.DataFrame) -> None:
    """Warn of labels without a code, which the earlier fit did not see."""
    columns = to_columns(read_frame(X))
    found = {}
    for name, origin in trace_columns(model.preprocessor_, input_names(model)).items():
        if origin is not None and origin.kind == "codes" and origin.column in columns and name in encoded:
            label = _first_without_code(columns[origin.column], encoded[name])
            if label is not None:
                found[origin.column] = label
    if found:
        named = ", ".join(f"{name!r} ({label!r})" for name, label in list(found.items())[:_MANY_COLUMNS])
        warn_caller(
            f"{type(model).__name__} continues an earlier fit and keeps its labels; those that it did not see are "
            f"treated as unseen: {named}{', …' * (len(found) > _MANY_COLUMNS)}."
        )


def _first_without_code(column: Column, codes: pd.Series) -> Any:
    rows = np.flatnonzero((codes.cat.codes.to_numpy() == 0) & ~column.missing)
    label = Column(column.name, column.raw[rows[:1]]).example() if len(rows) else None
    # The frame is already encoded and holds code 0.
    return None if isinstance(column.raw.dtype, pd.CategoricalDtype) and label == 0 else label


def _new_fit(model: Any) -> str:
    return ", with warm_start=False" if hasattr(model, "warm_start") else ""


def _describe(value: Any) -> str:
    if is_table(value):
        frame = read_frame(value)
        return f"a table of {len(frame)} rows with the columns {frame.columns.tolist()}"
    if hasattr(value, "get_params"):
        value = type(value).__name__, sorted(value.get_params().items())
    with config_context(print_changed_only=True):
        return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
