"""`TableSurvey`: statistics of a table read in chunks, by which the kinds of its columns are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.columns import Column, Labels, read_frame, to_columns

# At most this many distinct numbers or dates are counted, because a column with this many is continuous in any case.
_MOST_VALUES = 2**16
_MOST_LABELS = 1_000_000
# The survey represents the labels of a column by about this many rows, with the shares of the whole table.
_SHOWN_ROWS = 1_000_000


class TableSurvey:
    """The dtypes, labels, distinct values and missing values of every column of a table, read chunk by chunk.

    See Also
    --------
    TabularPreprocessor.start_fit : Chooses the kinds of columns from a survey.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._columns: dict[str, _ColumnSurvey] = {}

    def add(self, X: Any) -> None:
        """Add a chunk, which must have the columns of the first one."""
        frame = read_frame(X)
        self.n_rows += len(frame)
        for name, column in to_columns(frame).items():
            self._columns.setdefault(name, _ColumnSurvey()).add(column)

    def merge(self, other: TableSurvey) -> None:
        """Add the survey of further chunks."""
        self.n_rows += other.n_rows
        for name, found in other._columns.items():
            if name in self._columns:
                self._columns[name].merge(name, found)
            else:
                self._columns[name] = found

    @property
    def names(self) -> list[str]:
        """The columns in order."""
        return list(self._columns)

    def columns(self) -> dict[str, Column]:
        """Return short columns of the same kinds as those of the table, with their distinct values; lengths differ."""
        return {name: survey.column(name) for name, survey in self._columns.items()}


class _ColumnSurvey:
    """The distinct values of one column, of numbers and dates up to a limit, and the rows of each label."""

    def __init__(self) -> None:
        self._family = ""
        self._raw: Any = None  # an empty column of the same dtype
        self._example: Any = None
        self._values: Any = None
        self._rows: dict[Any, int] = {}
        self._n_missing = 0

    def add(self, column: Column) -> None:
        missing = column.missing
        self._n_missing += int(missing.sum())
        if missing.all():
            if self._raw is None:
                self._raw = column.raw[:0]
            return
        family = self._join_family(column)
        if not self._family or family == "labels" != self._family:
            self._raw, self._example = column.raw[:0], column.example()
        if family == "labels":
            self._count(column.as_labels().rows if column.is_boolean else column.values.rows)
        else:
            self._keep(column.values[~missing])
        self._family = family

    def merge(self, name: str, other: _ColumnSurvey) -> None:
        """Add the values of further chunks."""
        n_missing = self._n_missing + other._n_missing
        if not other._family:
            self._n_missing = n_missing
            return
        if not self._family:
            vars(self).update(vars(other))
        elif other._family == self._family:
            self._count(other._rows)
            if other._values is not None:
                self._keep(other._values)
        else:
            self.add(other.column(name))
        self._n_missing = n_missing

    def _join_family(self, column: Column) -> str:
        """Return the family of the column over all chunks so far; booleans with missing values are labels."""
        family = column.family()
        if not self._family or self._family == family:
            return family
        if {family, self._family} == {"labels", "booleans"}:
            labels = {*self._rows, *(column.values.in_use if column.is_label else ())}
            if labels <= {True, False}:
                self._count({} if self._values is None else dict.fromkeys(self._values.tolist(), 1))
                return "labels"
        raise ValueError(
            f"Column {column.name!r} holds {self._family} such as {self._example!r} in one part of the table and "
            f"{family} such as {column.example()!r} in another: give it one type."
        )

    def _count(self, rows: dict[Any, int]) -> None:
        for label, count in rows.items():
            if label in self._rows or len(self._rows) < _MOST_LABELS:
                self._rows[label] = self._rows.get(label, 0) + count

    def _keep(self, values: Any) -> None:
        """Add distinct values; beyond the limit, only the dtype, the minimum and the maximum are updated."""
        if self._values is None:
            merged = _unique(values)
        elif len(self._values) < _MOST_VALUES:
            merged = _unique(_concatenate(self._values, _unique(values)))
        else:
            ends = values[[values.argmin(), values.argmax()]]
            merged = _unique(_concatenate(self._values, ends))
        self._values = merged[np.unique(np.linspace(0, len(merged) - 1, _MOST_VALUES).astype(int))]

    def column(self, name: str) -> Column:
        """Return a column with these values, including a missing one if any was missing."""
        has_gaps = self._n_missing > 0
        if self._family in ("", "labels"):
            return self._labels(name)
        if self._family == "dates":
            dates = pd.Series(self._values)
            return Column(name, pd.concat([dates, pd.Series([pd.NaT] * has_gaps, dtype=dates.dtype)]).array)
        values = self._values
        if has_gaps and self._family == "numbers":
            values = np.append(values if values.dtype.kind == "f" else values.astype(np.float64), np.nan)
        return Column(name, values)

    def _labels(self, name: str) -> Column:
        if not self._family:
            return Column(name, _missing_like(self._raw))
        share = min(1.0, _SHOWN_ROWS / max(sum(self._rows.values()) + self._n_missing, 1))
        counts = np.ceil(np.array([*self._rows.values(), self._n_missing]) * share).astype(np.int64)
        codes = np.repeat(np.append(np.arange(len(self._rows)), -1), counts)
        return Column.of_labels(name, self._raw, Labels(codes, list(self._rows)))


def _unique(values: Any) -> Any:
    return np.unique(values) if isinstance(values, np.ndarray) else values.unique()[values.unique().argsort()]


def _concatenate(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    return pd.concat([pd.Series(first), pd.Series(second)]).array


def _missing_like(raw: Any) -> Any:
    """Return a column of one missing value with the same dtype."""
    if isinstance(raw, np.ndarray):
        return np.full(1, np.nan) if raw.dtype.kind == "f" else np.full(1, None, dtype=object)
    return pd.Series(raw).reindex([0]).array
