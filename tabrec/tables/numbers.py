"""Read columns of numbers, and sample them chunk by chunk."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from tabrec.tables.columns import Column, check_finite


def as_numbers(column: Column) -> np.ndarray:
    """Read the numbers of a column, NaN if missing; raises a ValueError if it holds something else."""
    if column.is_number or column.is_boolean:
        return column.values
    if column.is_label:
        codes, labels = column.values
        table = np.full(len(labels) + 1, np.nan)
        for code in np.unique(codes[codes >= 0]):
            if not isinstance(labels[code], (int, float, Decimal, np.number)):
                raise ValueError(
                    f"Column {column.name!r} must hold numbers, as in fit, but holds {labels[code]!r} "
                    f"({type(labels[code]).__name__}); use NaN for missing numbers."
                )
            table[code] = labels[code]
        return check_finite(column.name, table[codes])
    if column.missing.all():
        return np.full(len(column.values), np.nan)
    raise ValueError(
        f"Column {column.name!r} must hold numbers, as in fit, but holds dates such as {column.example()}."
    )


def as_float32(name: str, numbers: np.ndarray) -> np.ndarray:
    """Convert the numbers of a column to a new float32 array; too large numbers raise a ValueError."""
    with np.errstate(over="raise"):
        try:
            return numbers.astype(np.float32)
        except FloatingPointError as error:
            largest = np.nanmax(np.abs(numbers))
            raise ValueError(
                f"Column {name!r} holds {largest:g}, too large for float32; rescale the column, or take its logarithm."
            ) from error


class UniformSample:
    """A uniform sample of at most `size` of all values seen, which does not depend on how they are divided into chunks.

    Every value gets a random key in the order of arrival, and the values with the smallest keys are kept. Up to `size`
    values the sample is complete. Beyond, the rank of a sample quantile is within 1.5 / sqrt(size) of the exact one in
    99.7 % of cases (three standard deviations at the median).
    """

    def __init__(self, seed: int, size: int = 100_000):
        self.size = size
        self.n_seen = 0
        self.values = np.empty(0)
        self._keys = np.empty(0)
        self._seed = seed

    def add(self, values: np.ndarray) -> None:
        """Add values without NaN."""
        generator = np.random.Generator(np.random.PCG64(self._seed).advance(self.n_seen))
        self.n_seen += len(values)
        keys = np.concatenate([self._keys, generator.random(len(values))])
        values = np.concatenate([self.values, values])
        if len(values) > self.size:
            smallest = np.sort(np.argpartition(keys, self.size)[: self.size])
            keys, values = keys[smallest], values[smallest]
        self._keys, self.values = keys, values

    @property
    def is_complete(self) -> bool:
        """Whether the sample contains every value seen."""
        return self.n_seen == len(self.values)
