"""`EncodedTable`: a table in chunks with its target, encoded as it is read."""

from __future__ import annotations

from dataclasses import dataclass
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
        """The rows that are drawn, and their positions in the table."""
        rows, values, positions, start = EncodedRows(draw.n_drawn), [], [], 0
        for frame in self.chunks:
            drawn = draw.positions(start, len(frame))
            if len(drawn):
                taken = frame if len(drawn) == len(frame) else frame.iloc[drawn]
                rows.add(self.preprocessor.transform(taken))
                values.append(self.target.read(taken, start, self.numeric))
                positions.append(start + drawn)
            start += len(frame)
        return EncodedSample(rows.frame(), np.concatenate(values)), np.concatenate(positions)
