"""`FillMissing`: numbers without gaps, and a mark where there was one."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import Origin, Origins
from tabrec.tables.columns import Column, in_threads
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import check_named
from tabrec.tables.numbers import UniformSample, as_float32, as_numbers

_STRATEGIES = ("median", "most_frequent", "constant")


class FillMissing(FrameTransformer):
    """Fill the gaps of number columns and add ``<name>_na`` where there were any in fit.

    Number columns come out as float32 without NaN. A column whose first gap shows up after fit is filled all the
    same, and named in a warning once; it gets no new column, so that the width of the output is settled in fit.

    Parameters
    ----------
    strategy : {"median", "most_frequent", "constant"}, default="median"
        What a gap is filled with.
    fill_value : float, default=0.0
        The filling of ``strategy="constant"``, and of columns that were missing throughout in fit.
    add_indicator : bool, default=True
        Whether to add a bool column ``<name>_na`` for each column that had gaps in fit.
    columns : list of str or None, default=None
        The columns to fill; None takes every column of numbers.
    random_state : int, default=0
        Seed of the sample from which `partial_fit` takes medians.

    Attributes
    ----------
    fill_values_ : dict of str to float
        What each column's gaps are filled with.
    indicators_ : list of str
        Columns that had gaps in fit, in their order.
    input_to_outputs_ : dict of str to list of str
        Output columns that come from each input column.
    output_to_input_ : dict of str to str
        Input column that each output column comes from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        An unknown strategy or column; infinite numbers; at transform, text or dates where numbers were; an indicator
        whose name is taken.

    Notes
    -----
    `fit` takes exact medians. `partial_fit` is exact up to 100,000 values a column; beyond, the median is
    that of a uniform sample of 100,000: its rank is within 0.5 percentage points of the middle in 99.7 of 100 cases.
    Most frequent values are exact.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Using
    TabularPandas and TabularProc".

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

    def partial_fit(self, X: Any, y: Any = None) -> FillMissing:
        """Learn from one more chunk; see Notes for what is exact.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : object, default=None
            Passed over.

        Returns
        -------
        FillMissing
            Itself.
        """
        return self._learn_more(X)

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            if self.strategy not in _STRATEGIES:
                raise ValueError(f"strategy={self.strategy!r} must be one of {_STRATEGIES}.")
            if not (isinstance(self.fill_value, Real) and np.isfinite(self.fill_value)):
                raise ValueError(f"fill_value={self.fill_value!r} must be a finite number.")
            named = None if self.columns is None else check_named("columns", self.columns, columns)
            self._samples: dict[str, UniformSample] = {}
            self._counts: dict[str, dict[float, int]] = {}
            self._gaps: dict[str, bool] = {}
            for name, column in columns.items():
                if column.is_number if named is None else name in named:
                    self._gaps[name] = False
            self._warned: set[str] = set()
            self.fill_values_: dict[str, float] = {}
            for name in self._gaps:
                self._samples[name] = UniformSample(self.random_state)
                self._counts[name] = {}
        learned = in_threads(lambda name: self._learn_column(columns[name], reset), self._gaps, _n_rows(columns))
        for name, (has_gaps, fill_value) in zip(self._gaps, learned, strict=True):
            self._gaps[name] |= has_gaps
            self.fill_values_[name] = fill_value
        self.indicators_ = [name for name, has_gaps in self._gaps.items() if has_gaps] if self.add_indicator else []
        taken = [f"{name}_na" for name in self.indicators_ if f"{name}_na" in columns]
        if taken:
            raise ValueError(
                f"The indicator column(s) {taken} are already in the table: rename them, or pass add_indicator=False."
            )

    def _learn_column(self, column: Column, reset: bool) -> tuple[bool, float]:
        """Whether the column has gaps, and what fills them."""
        numbers = as_numbers(column)
        observed = numbers[~np.isnan(numbers)] if numbers.dtype.kind == "f" else numbers
        return len(observed) < len(numbers), self._learn_value(column.name, observed.astype(np.float64), reset)

    def _learn_value(self, name: str, observed: np.ndarray, reset: bool) -> float:
        if self.strategy == "constant":
            return float(self.fill_value)
        if self.strategy == "most_frequent":
            counts = self._counts[name]
            for value, count in zip(*np.unique(observed, return_counts=True), strict=True):
                counts[float(value)] = counts.get(float(value), 0) + int(count)
            return min(counts, key=lambda value: (-counts[value], value)) if counts else float(self.fill_value)
        sample = self._samples[name]
        sample.add(observed)
        values = observed if reset else sample.values
        return float(np.median(values)) if len(values) else float(self.fill_value)

    def _new_origins(self) -> Origins:
        return {f"{name}_na": Origin(name, "missing") for name in self.indicators_}

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        marks: dict[str, Any] = {}
        for name, column in columns.items():
            if name not in self.fill_values_:
                out[name] = column.raw
                continue
            numbers = as_numbers(column)
            missing = np.isnan(numbers) if numbers.dtype.kind == "f" else np.zeros(len(numbers), bool)
            out[name] = as_float32(name, numbers)
            if missing.any():
                out[name][missing] = self.fill_values_[name]
                if not self._gaps[name]:
                    self._warn_once(name)
            marks[name] = missing
        return out | {f"{name}_na": marks[name] for name in self.indicators_}

    def _warn_once(self, name: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            warn_caller(
                f"Column {name!r} had no missing values in fit but has some now: they are filled with "
                f"{self.fill_values_[name]:g}, and no indicator marks them."
            )


def _n_rows(columns: dict[str, Column]) -> int:
    return len(next(iter(columns.values())).raw)
