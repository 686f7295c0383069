"""Grids: the values of a column at which an effect is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.categorify import MISSING_LABEL, sorted_labels
from tabrec.tables.columns import Column
from tabrec.tables.dates import as_dates

MOST_DRAWN = 30  # largest number of labels on a plot
_HOUR, _PRECISION = 3600, 128  # in seconds; the second is the resolution of float32 for seconds since 1970


@dataclass(frozen=True)
class VariedColumn:
    """A column, with its type as the model reads it."""

    name: str
    raw: Any  # the values of the frame
    labels: list | None = None  # labels by code, if the model encodes the column as a category
    names: list | None = None  # the label of each code, if the column holds codes
    date: tuple[Any, Any] | None = None  # date format and time zone, if the model reads it as dates
    is_elapsed: bool = False  # whether it holds seconds since 1970 (UTC) that the model computed from dates

    @property
    def column(self) -> Column:
        return Column(self.name, self.raw)

    @property
    def kind(self) -> str:
        column = self.column
        if self.date is not None or column.is_date:
            return "date"
        return "category" if self.labels is not None or not column.is_number else "number"


@dataclass(frozen=True)
class Grid:
    """Grid values of a column."""

    name: str
    kind: str  # "number", "date" or "category"
    values: np.ndarray  # floats, datetime64, or labels, as shown
    raw: Any  # the values in the type of the frame
    cells: np.ndarray  # position of the value of each row, for numbers and dates of the nearest value; -1 for none
    ordered: bool  # whether the values are numbers, dates or ordered labels
    observed: np.ndarray  # evenly spread quantiles of the column; empty for a category
    n_labels_left_out: int = 0  # number of labels in the rows that are not in the grid
    n_below: int = 0  # number of rows with a number or date below the grid
    n_above: int = 0

    @property
    def n_rows_left_out(self) -> int:
        """Number of rows whose value is not in the grid: rarer labels, or missing numbers and dates."""
        return int(np.count_nonzero(self.cells < 0))

    @property
    def has_gap(self) -> bool:
        """Whether the last value stands for missing numbers or dates."""
        return self.kind != "category" and bool(pd.isna(self.values[-1]))

    @property
    def counts(self) -> np.ndarray:
        return np.bincount(self.cells[self.cells >= 0], minlength=len(self.values))

    @property
    def positions(self) -> np.ndarray:
        """Positions of the values on an axis: numbers, dates in days, or 0, 1, … for labels."""
        if self.kind == "category":
            return np.arange(len(self.values), dtype=np.float64)
        # matplotlib counts dates as days since 1970.
        if self.values.dtype.kind != "M":
            return self.marks
        days = self.values.astype("datetime64[us]").astype(np.float64) / 86_400e6
        return np.where(np.isnat(self.values), np.nan, days)

    @property
    def marks(self) -> np.ndarray:
        """Numbers and dates as floats, as `read_numbers` returns them."""
        return self.values.astype(np.float64)

    def take(self, order: np.ndarray) -> Grid:
        """Return the grid with its values in another order."""
        place = np.append(np.argsort(order), -1)
        return replace(self, values=self.values[order], raw=self.raw.take(order), cells=place[self.cells])


def make_grid(
    column: VariedColumn,
    size: int,
    percentiles: tuple[float, float],
    given: Any = None,
    *,
    most_labels: int = MOST_DRAWN,
    keep_gap: bool = False,
) -> Grid:
    """Make the grid of a column from the given values, or from values in the column.

    `keep_gap` appends a missing number or date, if the column holds one.
    """
    if column.kind == "category":
        return _labels_grid(column, given, most_labels)
    numbers, shown = read_numbers(column)
    values: np.ndarray
    raw: Any
    if given is None:
        rows = _spread_rows(column.name, numbers, size, percentiles)
        gaps = np.flatnonzero(np.isnan(numbers))[: int(keep_gap)]
        rows = np.append(rows, gaps)
        values, raw = shown[rows], column.raw.take(rows)
    else:
        values, raw = _given_dates(column, given) if column.kind == "date" else _given_numbers(column.name, given)
    is_gap = pd.isna(values)
    marks = values[~is_gap].astype(np.float64)
    cells = np.searchsorted((marks[1:] + marks[:-1]) / 2, numbers)
    cells = np.where(np.isnan(numbers), len(marks) if is_gap.any() else -1, cells)
    n_outside = [int(np.count_nonzero(outside)) for outside in (numbers < marks[0], numbers > marks[-1])]
    return Grid(column.name, column.kind, values, raw, cells, True, _observed(column.kind, numbers), 0, *n_outside)


def read_numbers(column: VariedColumn) -> tuple[np.ndarray, np.ndarray]:
    """Return a column of numbers or dates as floats, NaN if missing, and as displayed."""
    if column.kind == "number":
        numbers = column.column.values.astype(np.float64)
        return numbers, numbers
    if column.is_elapsed:
        shown = _elapsed_dates(column)
        return np.where(np.isnat(shown), np.nan, shown.astype(np.float64)), shown
    dates, rows = as_dates(column.column, *(column.date or (None, getattr(column.raw.dtype, "tz", None))))
    distinct = np.append(dates.tz_localize(None).to_numpy("datetime64[ns]"), np.datetime64("NaT", "ns"))
    shown = distinct[rows]
    return np.where(np.isnat(shown), np.nan, shown.astype(np.float64)), shown


def _elapsed_dates(column: VariedColumn) -> np.ndarray:
    """Convert seconds to local dates; float32 values are rounded to a full hour within their precision."""
    seconds = column.column.values.astype(np.float64)
    hours = np.round(seconds / _HOUR) * _HOUR
    near = np.abs(seconds - hours) <= (_PRECISION if column.column.values.dtype == np.float32 else 0)
    nanoseconds = np.where(near, hours, seconds) * 1e9
    dates = pd.to_datetime(pd.Series(nanoseconds), unit="ns", utc=True).dt.tz_convert(_zone(column))
    return dates.dt.tz_localize(None).to_numpy("datetime64[ns]")


def _zone(column: VariedColumn) -> str:
    return (column.date and column.date[1]) or "UTC"


def _spread_rows(name: str, numbers: np.ndarray, size: int, percentiles: tuple[float, float]) -> np.ndarray:
    """Return rows whose values form the grid: all distinct values if they are few, otherwise quantiles."""
    order = np.argsort(numbers, kind="stable")[: np.count_nonzero(~np.isnan(numbers))]
    if not len(order):
        raise ValueError(f"Column {name!r} has no value in X.")
    is_first = np.diff(numbers[order], prepend=-np.inf) > 0
    if is_first.sum() <= size:
        return order[is_first]
    picked = _pick_quantiles(numbers, order, size, percentiles)
    if 2 * len(picked) >= size:
        return picked
    # Frequent values, such as 0, may take up most quantiles, so the other values get separate quantiles.
    counts = np.diff(np.append(np.flatnonzero(is_first), len(order)))
    is_frequent = np.repeat(counts > 2 * len(order) / size, counts)
    frequent = order[is_first & is_frequent]
    others = _pick_quantiles(numbers, order[~is_frequent], size - len(frequent), percentiles)
    both = np.concatenate([frequent, others])
    return both[np.argsort(numbers[both], kind="stable")]


def _pick_quantiles(numbers: np.ndarray, order: np.ndarray, size: int, percentiles: tuple[float, float]) -> np.ndarray:
    """Return the rows, among those in `order`, whose numbers are distinct quantiles."""
    picked = order[np.round(np.linspace(*percentiles, size) * (len(order) - 1)).astype(np.intp)]
    return picked[np.diff(numbers[picked], prepend=-np.inf) > 0]


def _observed(kind: str, numbers: np.ndarray) -> np.ndarray:
    present = np.sort(numbers[~np.isnan(numbers)])
    present = present[np.linspace(0, len(present) - 1, min(len(present), 1000)).astype(np.intp)]
    return present / 86_400e9 if kind == "date" else present


def _given_numbers(name: str, given: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        values = np.unique(np.asarray(given, dtype=np.float64))  # NaN is sorted last, and kept once
    except (TypeError, ValueError) as error:
        raise ValueError(f"grid={given!r} must be numbers, as in column {name!r}.") from error
    if np.isinf(values).any() or np.isnan(values[:1]).any() or not len(values):
        raise ValueError(
            f"grid={given!r} for column {name!r} must hold at least one finite number; besides, NaN is allowed."
        )
    return values, values


def _given_dates(column: VariedColumn, given: Any) -> tuple[np.ndarray, Any]:
    dates = _read_dates(column.name, given)
    if dates[:1].hasnans or not len(dates):
        raise ValueError(f"grid={given!r} for column {column.name!r} must hold at least one date that is not missing.")
    if column.is_elapsed:
        local = dates if dates.tz is not None else dates.tz_localize(_zone(column))
        stamps = local.tz_convert("UTC").tz_localize(None)
        seconds = np.where(stamps.isna(), np.nan, stamps.to_numpy("datetime64[us]").astype(np.int64) / 1e6)
        shown = local.tz_convert(_zone(column)).tz_localize(None).to_numpy("datetime64[ns]")
        return shown, seconds.astype(column.raw.dtype)
    date_format = column.date[0] if column.date else None
    raw: Any
    if column.column.is_label:
        raw = np.array(dates.strftime(date_format or "%Y-%m-%dT%H:%M:%S"), dtype=object)
        raw[np.asarray(dates.isna())] = None
    else:
        raw = (dates if dates.tz is not None else dates.tz_localize(getattr(column.raw.dtype, "tz", None))).array
    return dates.tz_localize(None).to_numpy("datetime64[ns]"), raw


def _read_dates(name: str, given: Any) -> pd.DatetimeIndex:
    """Parse and sort dates; numbers raise an error, as pandas would read them as nanoseconds since 1970."""
    given = list(given)
    try:
        if any(isinstance(value, (int, float, np.number)) and value == value for value in given):
            raise TypeError("numbers are not dates")
        return pd.DatetimeIndex(pd.to_datetime(given)).unique().sort_values(na_position="last")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"grid={given!r} for column {name!r} must hold dates, such as '2011-11-01' or Timestamps: {error}."
        ) from error


def _labels_grid(column: VariedColumn, given: Any, most: int) -> Grid:
    codes, labels = _read_labels(column)
    counts = np.bincount(codes, minlength=len(labels))
    if given is None:
        frequent = np.sort(np.argsort(-counts, kind="stable")[:most])
        frequent = frequent[counts[frequent] > 0]
        chosen = [labels[code] for code in frequent]
        raw = column.raw.take(np.asarray([int(np.argmax(codes == code)) for code in frequent]))
    else:
        chosen = list(dict.fromkeys(MISSING_LABEL if _is_missing(label) else label for label in given))
        raw = _given_labels(column, chosen, labels)
    place = {label: position for position, label in enumerate(chosen)}
    places = np.asarray([place.get(label, -1) for label in labels])
    left_out = np.count_nonzero(counts[places < 0])
    ordered = _is_ordered(column, labels[:-1])
    return Grid(column.name, "category", as_objects(chosen), raw, places[codes], ordered, np.zeros(0), int(left_out))


def _read_labels(column: VariedColumn) -> tuple[np.ndarray, list]:
    """Return the code of each row, and the labels in the order of the model's codes or else sorted, missing last."""
    codes, held = column.column.as_labels()
    held = held if column.names is None else [column.names[code] for code in held]
    in_use = set(held)
    known = [label for label in column.names or column.labels or [] if label in in_use]
    labels = [label for label in dict.fromkeys([*known, *sorted_labels(held)]) if not _is_missing(label)]
    place = {label: position for position, label in enumerate([*labels, MISSING_LABEL])}
    places = [place[MISSING_LABEL if _is_missing(label) else label] for label in [*held, MISSING_LABEL]]
    return np.asarray(places)[codes], list(place)


def _is_ordered(column: VariedColumn, labels: list) -> bool:
    """Return whether labels are ordered: an ordered dtype, codes that are not in sorted order, or a few numbers.

    Many numbers are assumed to be ids, whose order has no meaning.
    """
    dtype = column.raw.dtype
    if column.names is None and isinstance(dtype, pd.CategoricalDtype) and dtype.ordered:
        return True
    levels = [label for label in column.names or column.labels or labels if not _is_missing(label)]
    if not any(isinstance(label, str) for label in levels):
        return len(levels) <= MOST_DRAWN
    return levels != sorted_labels(levels)


def _given_labels(column: VariedColumn, chosen: list, labels: list) -> Any:
    known = [*labels, *(column.names or column.labels or [])]
    unknown = [label for label in chosen if label not in known]
    if unknown or not chosen:
        raise ValueError(f"grid names {unknown} for column {column.name!r}, whose labels are {labels[:20]}.")
    if column.names is not None:
        return pd.Categorical.from_codes([column.names.index(label) for label in chosen], dtype=column.raw.dtype)
    values = [None if _is_missing(label) else label for label in chosen]
    if isinstance(column.raw, np.ndarray) and column.raw.dtype.kind in "biuf":
        return np.asarray(values, dtype=np.float64)
    return pd.array(values, dtype=column.raw.dtype)


def as_objects(labels: list) -> np.ndarray:
    """Convert labels of any type to an array of objects."""
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def _is_missing(label: Any) -> bool:
    return label is None or label is pd.NaT or label is pd.NA or label != label or label == MISSING_LABEL


def count_cells(grids: list[Grid]) -> np.ndarray:
    """Count the rows at each value, or at each pair of values."""
    if len(grids) == 1:
        return grids[0].counts
    first, second = grids
    both = (first.cells >= 0) & (second.cells >= 0)
    cells = first.cells[both] * len(second.values) + second.cells[both]
    return np.bincount(cells, minlength=len(first.values) * len(second.values)).reshape(len(first.values), -1)


def make_table(grids: list[Grid], effect: np.ndarray, outputs: list, counts: np.ndarray) -> pd.DataFrame:
    """Make a table with one row per output and value, or pair of values."""
    at = np.unravel_index(np.arange(counts.size), counts.shape)
    columns: dict[str, Any] = {
        grid.name: np.tile(grid.values[along], len(outputs)) for grid, along in zip(grids, at, strict=True)
    }
    columns["output"] = np.repeat(as_objects(outputs), counts.size)
    columns["effect"] = effect.ravel()
    columns["count"] = np.tile(counts.ravel(), len(outputs))
    return pd.DataFrame(columns)
