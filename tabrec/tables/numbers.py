"""Read columns of numbers, and sample them chunk by chunk."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from pandas.api.types import infer_dtype

from tabrec.tables.column_values import LARGEST_EXACT
from tabrec.tables.columns import Column, check_finite

# float32 represents all whole numbers up to this one.
_LARGEST_EXACT_FLOAT32 = 2**24
# Of n random numbers that float32 resolves into this many steps, it merges n**2 / (2 * steps) on average.
_FEWEST_STEPS = 2**16
# All floats beyond are whole.
_LARGEST_ID = 2.0**64
# Relative error of a few float64 operations.
_ROUNDING = 2.0**-47
_MOST_COUNTED = 2**16
_FEW_ROWS, _SAMPLE = 1_000, 2**11


def as_numbers(column: Column) -> np.ndarray:
    """Read the numbers of a column, NaN if missing; raises a ValueError if it holds something else."""
    if column.is_number or column.is_boolean:
        return column.values
    if column.is_label:
        codes, labels = column.values
        table = np.full(len(labels) + 1, np.nan)
        in_use = np.unique(codes[codes >= 0]).tolist()
        odd = [labels[code] for code in in_use if not isinstance(labels[code], (int, float, Decimal, np.number))]
        if odd:
            # Text such as "1" is converted easily; a value that cannot be converted is the mistake.
            label = next((label for label in odd if not _can_be_converted(label)), odd[0])
            raise ValueError(
                f"Column {column.name!r} must hold numbers, as in fit, but holds {label!r} ({type(label).__name__}); "
                "use NaN for missing numbers."
            )
        for code in in_use:
            table[code] = labels[code]
        return check_finite(column.name, table[codes])
    if column.missing.all():
        return np.full(len(column.values), np.nan)
    raise ValueError(
        f"Column {column.name!r} must hold numbers, as in fit, but holds dates such as {column.example()}."
    )


def _can_be_converted(label: Any) -> bool:
    try:
        float(label)
    except (TypeError, ValueError):
        return False
    return True


def needs_float64(numbers: np.ndarray) -> bool:
    """Return whether float32 would merge distinct values of a column, given without NaN.

    Whole numbers, such as ids and time stamps, must all be exact. Of other numbers float32 may merge the few that are
    equal in nearly all digits, as happens in every long column of random numbers.
    """
    is_integer = numbers.dtype.kind in "iu"
    if not len(numbers) or (not is_integer and numbers.dtype != np.float64):
        return False
    if is_integer and numbers.min() >= -_LARGEST_EXACT_FLOAT32 and numbers.max() <= _LARGEST_EXACT_FLOAT32:
        return False
    if is_integer or _are_whole(numbers):
        with np.errstate(over="ignore"):
            return not (numbers.astype(np.float32) == numbers).all()
    if len(numbers) <= 2 * _SAMPLE:
        return _merges_many(numbers)
    # In a table that is ordered by the column, only successive rows are close.
    middle = len(numbers) // 2
    return _merges_many(numbers[:: len(numbers) // _SAMPLE]) or _merges_many(numbers[middle : middle + _SAMPLE])


def _are_whole(numbers: np.ndarray) -> bool:
    """Return whether all numbers are whole, as ids are; the first rows decide for most columns of decimals."""
    is_whole = all((np.trunc(some) == some).all() for some in (numbers[:_FEW_ROWS], numbers))
    return is_whole and bool(np.abs(numbers).max() < _LARGEST_ID)


def _merges_many(numbers: np.ndarray) -> bool:
    """Return whether float32 merges more of the numbers than it does at random."""
    ordered = np.sort(numbers)
    with np.errstate(over="ignore"):
        distinct, kept = _count_beyond_rounding(ordered), _count_distinct(ordered.astype(np.float32))
    return (distinct - kept) * 2 * _FEWEST_STEPS > distinct**2


def _count_beyond_rounding(ordered: np.ndarray) -> int:
    """Count the distinct numbers; those that differ by rounding alone, as the means of equal values do, are one."""
    starts = np.append(0, np.flatnonzero(np.diff(ordered) > _ROUNDING * np.abs(ordered[1:])) + 1)
    ends = np.append(starts[1:], len(ordered)) - 1
    # Small steps that add up to more than rounding, as of a column with a large offset, are distinct numbers.
    if (ordered[ends] - ordered[starts] > _ROUNDING * np.abs(ordered[ends])).any():
        return _count_distinct(ordered)
    return len(starts)


def _count_distinct(ordered: np.ndarray) -> int:
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def merges_in_float64(column: Column, numbers: np.ndarray) -> bool:
    """Return whether float64 merges values of a column of integers; `numbers` are its values without NaN.

    It merges some beyond 2**53.
    """
    kind = column.raw.dtype.kind
    if kind not in "iuO" or not len(numbers) or max(-float(numbers.min()), float(numbers.max())) < LARGEST_EXACT:
        return False
    if kind == "O" and infer_dtype(column.raw, skipna=True) != "integer":
        return False
    # Integers with gaps have been read as float64.
    is_read = numbers.dtype.kind == "f"
    return is_read or len(np.unique(numbers)) > len(np.unique(numbers.astype(np.float64)))


def as_float(name: str, numbers: np.ndarray, *, double: bool = False) -> np.ndarray:
    """Convert the numbers of a column to a new array, float32 unless `double`; too large numbers raise a ValueError."""
    with np.errstate(over="raise"):
        try:
            single = numbers.astype(np.float32)
            return numbers.astype(np.float64) if double else single
        except FloatingPointError as error:
            largest = np.nanmax(np.abs(numbers))
            raise ValueError(
                f"Column {name!r} holds {largest:g}, too large for float32; rescale the column, or take its logarithm."
            ) from error


@dataclass(frozen=True)
class ValueCounts:
    """Number of rows of each distinct number, while there are at most 65,536 of them; see `add_values`."""

    values: np.ndarray  # ascending
    counts: np.ndarray

    def median(self) -> float:
        """Return the exact median of all rows."""
        last = np.cumsum(self.counts)
        middle = np.searchsorted(last, [(last[-1] - 1) // 2, last[-1] // 2], side="right")
        return float(np.mean(self.values[middle]))


def add_values(known: ValueCounts, values: np.ndarray) -> ValueCounts | None:
    """Add values without NaN to the counts; None if there are too many distinct ones."""
    return merge_counts(known, ValueCounts(*np.unique(values, return_counts=True)))


def merge_counts(first: ValueCounts | None, second: ValueCounts | None) -> ValueCounts | None:
    """Merge the counts of two parts of a column; None if there are too many distinct values."""
    if first is None or second is None:
        return None
    distinct, place = np.unique(np.concatenate([first.values, second.values]), return_inverse=True)
    if len(distinct) > _MOST_COUNTED:
        return None
    counts = np.bincount(place, weights=np.concatenate([first.counts, second.counts]), minlength=len(distinct))
    return ValueCounts(distinct, counts.astype(np.int64))


class UniformSample:
    """A uniform sample of at most `size` of all values seen, which does not depend on how they are divided into chunks.

    Every row has a random key by its position, and the values with the smallest keys are kept. Up to `size` values the
    sample is complete. Beyond, the rank of a sample quantile is within 1.5 / sqrt(size) of the exact one in
    99.7 % of cases (three standard deviations at the median).
    """

    # Defaults for samples saved by older versions, which lack both attributes.
    n_missing = 0
    _start = 0

    def __init__(self, seed: int, size: int = 100_000):
        self.size = size
        self.n_seen = 0
        self.values = np.empty(0)
        self._keys = np.empty(0)
        self._seed = seed

    def add(self, values: np.ndarray) -> None:
        """Add the values of further rows, NaN where they are missing."""
        generator = np.random.Generator(np.random.PCG64(self._seed).advance(self._start + self.n_seen))
        self.n_seen += len(values)
        keys, present = generator.random(len(values)), ~np.isnan(values)
        self.n_missing += len(values) - int(np.count_nonzero(present))
        self._keep(np.concatenate([self._keys, keys[present]]), np.concatenate([self.values, values[present]]))

    def _keep(self, keys: np.ndarray, values: np.ndarray) -> None:
        if len(values) > self.size:
            smallest = np.sort(np.argpartition(keys, self.size)[: self.size])
            keys, values = keys[smallest], values[smallest]
        self._keys, self.values = keys, values

    def starting_at(self, row: int) -> UniformSample:
        """Return an empty sample for a part of the rows that starts at position `row` of all rows."""
        sample = UniformSample(self._seed, self.size)
        sample._start = row
        return sample

    def merge(self, other: UniformSample) -> UniformSample:
        """Merge with the sample of the rows that follow."""
        merged = copy(self)
        merged.n_seen, merged.n_missing = self.n_seen + other.n_seen, self.n_missing + other.n_missing
        merged._keep(np.concatenate([self._keys, other._keys]), np.concatenate([self.values, other.values]))
        return merged

    @property
    def is_complete(self) -> bool:
        """Whether the sample contains every value seen."""
        return self.n_seen - self.n_missing == len(self.values)
