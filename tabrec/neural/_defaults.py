"""Batch size and number of epochs by the number of rows."""

from __future__ import annotations

import math


def default_batch_size(n_rows: int) -> int:
    """Rows per batch: a power of two near 1/32 of the rows within 32 to 256, or 1/256 of a large table up to 2048."""
    small = min(max(2 ** round(math.log2(max(n_rows, 1) / 32)), 32), 256)
    return max(small, min(2 ** round(math.log2(max(n_rows, 1) / 256)), 2048))


def default_epochs(n_rows: int, batch_size: int) -> int:
    """Number of epochs that gives about 1,000 batches, within 16 to 40."""
    return min(40, max(16, round(1000 / math.ceil(n_rows / batch_size))))
