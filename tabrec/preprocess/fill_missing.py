"""`FillMissing`: fill missing numbers and mark where they were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.preprocess.frame_transformer import InvertibleTransformer
from tabrec.preprocess.lineage import Origin, Origins
from tabrec.preprocess.text_columns import learn_given_numbers, read_numbers, warn_of_text
from tabrec.tables.columns import Column, in_threads
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import check_named
from tabrec.tables.numbers import (
    UniformSample,
    ValueCounts,
    add_values,
    as_float,
    as_numbers,
    merges_in_float64,
    needs_float64,
)

_MOST_NAMES = 10  # named in a warning


class _Learned(NamedTuple):
    """Statistics of one column in fit."""

    has_gaps: bool
    fill_value: float
    needs_float64: bool
    exceeds_float64: bool


class FillMissing(InvertibleTransformer):
    """Fill missing values of number columns and add an indicator ``<name>_na`` for columns that had any in fit.

    Number columns become float32 without NaN; a column of which float32 would merge distinct values, such as long ids
    or time stamps, becomes float64. A column whose first missing value occurs after fit is filled too, with one
    warning that names it; it gets no indicator, because the output columns are determined in fit.

    Parameters
    ----------
    strategy : {"median", "most_frequent", "constant"}, default="median"
        The replacement for missing values: a statistic of the column in fit, or `fill_value`.
    fill_value : float, default=0.0
        Replacement for ``strategy="constant"``, and for columns that have no values in fit.
    add_indicator : bool, default=True
        Whether to add a bool column ``<name>_na`` for each column with missing values in fit.
    columns : list of str, default=None
        The columns to fill; None selects every column of numbers.
    random_state : int, default=0
        Seed of the sample from which `partial_fit` computes medians.

    Attributes
    ----------
    fill_values_ : dict of str to float
        Replacement for missing values by column.
    indicators_ : list of str
        Columns that had missing values in fit, in order.
    float64_columns_ : list of str
        Columns that become float64, because float32 would merge distinct values of fit.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each input column, and the input column that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns seen in fit, and their names if X has any.

    Raises
    ------
    ValueError
        A column in `columns` is missing, numbers are infinite, the name of an indicator is taken, or in transform a
        column holds text or dates where it held numbers in fit.

    See Also
    --------
    TabularPreprocessor : Selects the columns of each kind and applies all steps.
    Categorify : Encodes missing labels as code 0.
    sklearn.impute.SimpleImputer : Fills arrays.

    Notes
    -----
    Medians of `fit` are exact. With `partial_fit` they are exact for columns of up to 100,000 values, or of up to
    65,536 distinct ones if the first chunk has at most 100,000 rows; beyond that, the median of a uniform sample of
    100,000 values is used, whose rank is within 0.5 percentage points of the middle in 99.7 % of cases. Most frequent
    values are always exact.

    `inverse_transform` restores the missing values that an indicator marks, and drops the indicators; values of columns
    without one stay filled.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import FillMissing
    >>> train = pd.DataFrame({"hours": [10.0, None, 30.0, 80.0]})
    >>> FillMissing().fit_transform(train)
       hours  hours_na
    0   10.0     False
    1   30.0      True
    2   30.0     False
    3   80.0     False
    """

    _parameter_constraints: ClassVar[dict] = {
        "strategy": [StrOptions({"median", "most_frequent", "constant"})],
        "fill_value": [Interval(Real, None, None, closed="neither")],
        "add_indicator": ["boolean"],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        strategy: str = "median",
        *,
        fill_value: float = 0.0,
        add_indicator: bool = True,
        columns: Sequence[str] | None = None,
        random_state: int = 0,
    ):
        self.strategy = strategy
        self.fill_value = fill_value
        self.add_indicator = add_indicator
        self.columns = columns
        self.random_state = random_state

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            named = None if self.columns is None else check_named("columns", self.columns, columns)
            chosen = [n for n, column in columns.items() if (column.is_number if named is None else n in named)]
            self._gaps: dict[str, bool] = dict.fromkeys(chosen, False)
            self._samples = {name: UniformSample(self.random_state) for name in chosen}
            self._counts: dict[str, dict[float, int]] = {name: {} for name in chosen}
            # Counts over chunks, None for columns with too many distinct values.
            self._value_counts: dict[str, ValueCounts | None] = {}
            self._warned: set[str] = set()
            self.float64_columns_: list[str] = []
            self.number_formats_ = learn_given_numbers(columns, named or [])
            warn_of_text(self.number_formats_, {}, "Leave them out of columns if they are not numbers.")
        else:
            self._samples = {name: copy(sample) for name, sample in self._samples.items()}
            self._counts = {name: dict(counts) for name, counts in self._counts.items()}
            self._value_counts = dict(getattr(self, "_value_counts", {}))  # absent in older saved ones
        columns = read_numbers(columns, self.number_formats_, self._warned)
        n_rows = len(next(iter(columns.values())).raw)
        learned = in_threads(lambda name: self._learn_column(columns[name], reset), self._gaps, n_rows)
        by_name = dict(zip(self._gaps, learned, strict=True))
        self._gaps = {name: had_gaps or by_name[name].has_gaps for name, had_gaps in self._gaps.items()}
        self.fill_values_ = {name: column.fill_value for name, column in by_name.items()}
        known = self.float64_columns_
        self.float64_columns_ = [name for name, column in by_name.items() if name in known or column.needs_float64]
        self.indicators_ = [name for name, has_gaps in self._gaps.items() if has_gaps] if self.add_indicator else []
        for name in [name for name, column in by_name.items() if column.exceeds_float64]:
            warn_caller(
                f"Column {name!r} holds whole numbers beyond 2**53, of which float64 merges some: subtract a number "
                "from all, or read them as labels, as with categorical_columns."
            )
        taken = [f"{name}_na" for name in self.indicators_ if f"{name}_na" in columns]
        if taken:
            raise ValueError(
                f"The table already has columns with the names of the indicators {taken}; rename them, or pass "
                "add_indicator=False."
            )

    def _learn_column(self, column: Column, reset: bool) -> _Learned:
        numbers = as_numbers(column)
        observed = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
        fill_value = self._learn_value(column.name, numbers.astype(np.float64), observed.astype(np.float64), reset)
        has_gaps, exceeds_float64 = len(observed) < len(numbers), merges_in_float64(column, observed)
        return _Learned(has_gaps, fill_value, needs_float64(observed), exceeds_float64)

    def _learn_value(self, name: str, numbers: np.ndarray, observed: np.ndarray, reset: bool) -> float:
        if self.strategy == "most_frequent":
            counts = self._counts[name]
            for value, count in zip(*np.unique(observed, return_counts=True), strict=True):
                counts[float(value)] = counts.get(float(value), 0) + int(count)
        elif self.strategy == "median":
            if not reset:
                self._count_values(name, observed)
            self._samples[name].add(numbers)
            if reset and len(observed):
                return float(np.median(observed))
        return self._fill_value(name)

    def _count_values(self, name: str, observed: np.ndarray) -> None:
        """Count the distinct values of a chunk, unless earlier rows were not counted."""
        sample, known = self._samples[name], self._value_counts.get(name)
        if name not in self._value_counts and sample.is_complete:
            known = add_values(ValueCounts(np.empty(0), np.empty(0, np.int64)), sample.values)
        self._value_counts[name] = None if known is None else add_values(known, observed)

    def _fill_value(self, name: str) -> float:
        """Return the value that replaces missing ones, from the statistics of all rows so far."""
        if self.strategy == "most_frequent" and self._counts[name]:
            counts = self._counts[name]
            return min(counts, key=lambda value: (-counts[value], value))
        if self.strategy == "median":
            counted, sampled = self._value_counts.get(name), self._samples[name].values
            if counted is not None and len(counted.values):
                return counted.median()
            if len(sampled):
                return float(np.median(sampled))
        return float(self.fill_value)

    def _new_origins(self) -> Origins:
        return {f"{name}_na": Origin(name, "missing") for name in self.indicators_}

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        marks: dict[str, Any] = {}
        new_gaps: list[str] = []
        columns = read_numbers(columns, self.number_formats_, self._warned)
        for name, column in columns.items():
            if name not in self.fill_values_:
                out[name] = column.raw
                continue
            numbers = as_numbers(column)
            missing = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)
            out[name] = as_float(name, numbers, double=name in self.float64_columns_)
            if missing.any():
                out[name][missing] = self.fill_values_[name]
                if not self._gaps[name] and name not in self._warned:
                    self._warned.add(name)
                    new_gaps.append(name)
            marks[name] = missing
        self._warn_of_gaps(new_gaps)
        return out | {f"{name}_na": marks[name] for name in self.indicators_}

    def _warn_of_gaps(self, names: list[str]) -> None:
        if len(names) == 1:
            warn_caller(
                f"Column {names[0]!r} had no missing values in fit but has some now; they are filled with "
                f"{self.fill_values_[names[0]]:g}, without an indicator."
            )
        elif names:
            shown = ", ".join(f"{name!r} ({self.fill_values_[name]:g})" for name in names[:_MOST_NAMES])
            more = f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES)
            warn_caller(
                f"Columns {shown}{more} had no missing values in fit but have some now; they are filled with the "
                "numbers in brackets, without indicators."
            )

    def _restored_from(self) -> Iterable[str]:
        return [*self.fill_values_, *(f"{name}_na" for name in self.indicators_)]

    def _restore_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        flags = {f"{name}_na" for name in self.indicators_}
        arrays = {name: column.raw for name, column in columns.items() if name not in flags}
        for name in self.indicators_:
            numbers = as_numbers(columns[name]).astype(np.float64)
            numbers[np.asarray(columns[f"{name}_na"].raw).astype(bool)] = np.nan
            arrays[name] = numbers
        return arrays
