"""`settle_without_total`: find the types of columns, and remove a last row that sums them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tabrec.datasets._labels import Settled

_WORD = re.compile(
    r"((grand|sub|overall)[ -]?)?(totals?|sums?|summe|gesamt|insgesamt|somme|totaux|totale?|suma|итого)\W*",
    re.IGNORECASE,
)
_ROUNDING = 1e-6


def settle_without_total(
    columns: Sequence[pa.ChunkedArray], settle: Callable[[Sequence[pa.ChunkedArray]], list[Settled]]
) -> tuple[list[Settled], list[str]]:
    """Find the types of columns by `settle`, without the last row if it sums them; also returns the assumptions."""
    settled = settle(columns)
    if not _names_total(columns):
        return settled, []
    above = settle([_without_last(column) for column in columns])
    if not _is_total([found.column for found in above], [found.column for found in settled]):
        return settled, []
    return above, ["the last row, the sum of the others, left out"]


def _without_last(column: pa.ChunkedArray) -> pa.ChunkedArray:
    above = column.slice(0, len(column) - 1)
    return above.cast(pa.string()) if pa.types.is_dictionary(column.type) else above


def _names_total(columns: Sequence[pa.ChunkedArray]) -> bool:
    """Return whether a cell of the last row is a word such as "Total"."""
    cells = (column[-1].as_py() for column in columns if len(column) > 2)
    return any(isinstance(cell, str) and _WORD.fullmatch(cell.strip()) is not None for cell in cells)


def _is_total(above: Sequence[pa.ChunkedArray], whole: Sequence[pa.ChunkedArray]) -> bool:
    """Return whether a number in the last row of `whole` is the sum of its column in `above`, which lacks that row."""
    for column, longer in zip(above, whole, strict=True):
        if not all(pa.types.is_integer(c.type) or pa.types.is_floating(c.type) for c in (column, longer)):
            continue
        last, numbers = longer[-1].as_py(), column.drop_null()
        if last is not None and last == last and len(numbers):
            size = pc.sum(pc.abs(numbers)).as_py()
            if size > 0 and abs(pc.sum(numbers).as_py() - last) <= _ROUNDING * size:
                return True
    return False
