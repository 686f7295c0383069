"""Arrays in temporary files, for data larger than memory; the disk space is freed when the array is deleted."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

# Default number of elements in a block of a long array.
BLOCK = 2**22


def mapped_array(n: int, dtype: DTypeLike) -> np.ndarray:
    """Create an array in a temporary file; raises an OSError if the disk has no space for it."""
    with tempfile.TemporaryFile(prefix="tabrec-") as file:
        n_bytes = n * np.dtype(dtype).itemsize
        if not n_bytes:
            return np.empty(0, dtype)
        if hasattr(os, "posix_fallocate"):  # a full disk raises an error here, instead of a signal on writing
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        return np.asarray(np.memmap(file, dtype=dtype, mode="w+", shape=n))


def array_like(array: np.ndarray, n: int, dtype: DTypeLike) -> np.ndarray:
    """Create an uninitialised array of `n` elements, in a file if `array` is in one."""
    return np.empty(n, dtype) if _mapping(array) is None else mapped_array(n, dtype)


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array is in a file."""
    return _mapping(array) is not None


def release(*arrays: np.ndarray) -> None:
    """Release the memory that holds parts of mapped arrays; they are read from the file again when needed."""
    for array in arrays:
        mapping = _mapping(array)
        if mapping is not None and hasattr(mapping, "madvise"):
            mapping.madvise(mmap.MADV_DONTNEED)


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield consecutive slices of at most `size` elements that cover an array of `n` elements."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def mean_and_std(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and standard deviation of an array, summed in blocks."""
    mean = sum(values[rows].sum() for rows in blocks(len(values))) / len(values)
    squares = sum(np.square(values[rows] - mean).sum() for rows in blocks(len(values)))
    return float(mean), float(np.sqrt(squares / len(values)))


def _mapping(array: Any) -> mmap.mmap | None:
    while array is not None and not isinstance(array, mmap.mmap):
        array = getattr(array, "base", None)
    return array
