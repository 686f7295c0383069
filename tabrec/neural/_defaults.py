"""Choices that depend on how many rows there are."""

from __future__ import annotations


def default_batch_size(n_rows: int) -> int:
    """Rows a batch."""
    return min(max(32, n_rows // 32), 256)


def default_epochs(n_rows: int, batch_size: int) -> int:
    """Epochs."""
    return 20
