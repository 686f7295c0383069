"""Read and check the target column of a table, and choose the task."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from tabrec.tables.columns import Column
from tabrec.tables.names import check_has_column
from tabrec.tables.target import has_numbers_to_predict
from tabrec.tables.text_numbers import read_text_numbers

TASKS = ("auto", "regression", "classification")
# Whole numbers in text with at most this many distinct values are classes, as digits are.
_MAX_CLASSES = 20


def check_time_column(time_column: str | None, date_format: str | None, columns: pd.Index) -> None:
    """Raise a ValueError if the time column is not in a table, or a format of dates is given without it."""
    if time_column is not None:
        check_has_column(time_column, columns, "time")
    elif date_format is not None:
        raise ValueError(f"date_format={date_format!r} requires time_column, the column that it is the format of.")


def read_target(y: pd.Series, task: str) -> pd.Series:
    """Read the target; text that is numbers becomes numbers, except for a classification."""
    if task == "classification" or types.is_numeric_dtype(y):
        return y
    read = read_text_numbers(Column(str(y.name), y.array))
    if read is None:
        return y
    numbers = pd.Series(read[0].values, index=y.index, name=y.name)
    is_whole = bool((numbers.dropna() % 1 == 0).all()) and not read[1].unit
    return y if task == "auto" and is_whole and numbers.nunique() <= _MAX_CLASSES else numbers


def read_task(y: pd.Series, task: str, log_target: bool) -> str:
    """Return "regression" or "classification", where `task` may be "auto"."""
    is_number = types.is_numeric_dtype(y) and not types.is_bool_dtype(y)
    if task == "auto":
        task = "regression" if log_target or has_numbers_to_predict(y) else "classification"
    if task == "regression" and not is_number:
        odd = y.dropna().tolist()[0] if y.notna().any() else None
        raise ValueError(f"Target {y.name!r} holds {odd!r}, but a regression needs numbers.")
    if task == "classification" and log_target:
        raise ValueError("log_target requires a regression: classes do not have a logarithm.")
    return task


def rows_with_target(table: pd.DataFrame, target: str) -> pd.DataFrame:
    """Select the rows with a target, with their numbers as index; all rows if none or all have one."""
    if target not in table or not table[target].isna().any() or table[target].isna().all():
        return table
    return table[table[target].notna()]


def check_values(y: pd.Series, log_target: bool) -> None:
    """Raise a ValueError if the target is missing, constant, or not positive where its logarithm is learned."""
    if y.isna().any():
        row = int(np.argmax(y.isna().to_numpy()))
        raise ValueError(
            f"Target {y.name!r} has {int(y.isna().sum())} missing values (first in row {row}); drop these rows."
        )
    if y.nunique() < 2:
        raise ValueError(f"Target {y.name!r} is constant ({y.tolist()[0]!r}): there is nothing to learn.")
    if log_target and (y <= 0).any():
        raise ValueError(f"Target {y.name!r} holds {y[y <= 0].tolist()[0]!r}: only positive numbers have a logarithm.")


def to_model_target(y: pd.Series, task: str, log_target: bool) -> np.ndarray:
    """Convert the target to the array that the model learns: numbers, their logarithms, or labels."""
    if task == "classification":
        return y.astype(object).to_numpy() if not types.is_numeric_dtype(y) else y.to_numpy()
    values = read_target(y, task).to_numpy(dtype=np.float64)
    return np.log(values) if log_target else values
