"""`EncodedTable`: a table in chunks with its target, encoded as it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tabrec.preprocess.encoded_frames import EncodedSample
from tabrec.scale.row_draw import EncodedRows, RowDraw
from tabrec.scale.target_column import TargetColumn


@dataclass(frozen=True)
class EncodedTable:
    """A table in chunks with its target and the fitted preprocessor that encodes it."""

    chunks: Any
    target: TargetColumn
    preprocessor: Any
    numeric: bool
    n_rows: int

    def draw(self, draw: RowDraw) -> tuple[EncodedSample, np.ndarray]:
        """Return the rows that are drawn, and their positions in the table."""
        parts = [part for part in self.chunks.map_parts(partial(_draw_part, self._without_chunks(), draw)) if part]
        if len(parts) == 1:
            return parts[0]
        rows = EncodedRows(sum(len(sample) for sample, _ in parts))
        for sample, _ in parts:
            rows.add(sample.encoded)
        y = np.concatenate([sample.y for sample, _ in parts])
        return EncodedSample(rows.frame(), y), np.concatenate([positions for _, positions in parts])

    def _without_chunks(self) -> EncodedTable:
        return replace(self, chunks=None)


def _draw_part(table: EncodedTable, draw: RowDraw, part: Any, start: int) -> tuple[EncodedSample, np.ndarray] | None:
    """Return the drawn rows of a part of the table, None if there are none."""
    n_rows = table.n_rows if part.n_rows is None else part.n_rows
    n_drawn = draw.n_drawn if n_rows == table.n_rows else draw.count(start, n_rows)
    if not n_drawn:
        return None
    rows, values, positions = EncodedRows(n_drawn), [], []
    for frame in part:
        drawn = draw.positions(start, len(frame))
        if len(drawn):
            taken = frame if len(drawn) == len(frame) else frame.iloc[drawn]
            rows.add(table.preprocessor.transform(taken))
            values.append(table.target.read(taken, start, table.numeric))
            positions.append(start + drawn)
        start += len(frame)
    return EncodedSample(rows.frame(), np.concatenate(values)), np.concatenate(positions)
