"""Choices that depend on how many rows there are."""

from __future__ import annotations

import math


def default_batch_size(n_rows: int) -> int:
    """Rows a batch: a 32nd of the table as a power of two, between 32 and 256; a 256th of a large table.

    Examples
    --------
    >>> [default_batch_size(n_rows) for n_rows in (100, 1_168, 9_067, 32_560, 412_698)]
    [32, 32, 256, 256, 2048]
    """
    small = min(max(2 ** round(math.log2(max(n_rows, 1) / 32)), 32), 256)
    return max(small, min(2 ** round(math.log2(max(n_rows, 1) / 256)), 2048))


def default_epochs(n_rows: int, batch_size: int) -> int:
    """Epochs that make about 1,000 batches, but at least 16 and at most 40.

    Examples
    --------
    >>> [default_epochs(n_rows, default_batch_size(n_rows)) for n_rows in (100, 1_168, 9_067, 32_560)]
    [40, 27, 28, 16]
    """
    return min(40, max(16, round(1000 / math.ceil(n_rows / batch_size))))
