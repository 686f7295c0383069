"""`FileBlock`: a part of a file that tasks on workers read themselves, without the object store."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from tabrec.scale.file_parts import FilePart
from tabrec.scale.row_draw import RowDraw


@dataclass(frozen=True)
class FileBlock:
    """Columns and rows of a part of a file, whose path must be the same on all nodes."""

    part: FilePart
    schema: pa.Schema
    batch_rows: int
    kept: tuple[RowDraw, int, bool] | None = None  # the draw, the position of the first row, and whether it is kept

    def read(self) -> pa.Table:
        """Read the rows as a table."""
        batches = list(self.part.read(self.schema, self.batch_rows))
        table = pa.concat_tables(batches).unify_dictionaries() if batches else self.schema.empty_table()
        if self.kept is None:
            return table
        draw, start, of_draw = self.kept
        return table.take(draw.kept(start, len(table), of_draw))

    def keep(self, draw: RowDraw, start: int, of_draw: bool) -> FileBlock:
        """Return the block with only the drawn rows, or the others; its first row is row `start` of the table."""
        if self.kept is not None:
            raise ValueError("The rows of this table are drawn already.")
        return replace(self, kept=(draw, start, of_draw))

    def select(self, names: list[str]) -> FileBlock:
        """Return the block with some columns; the others are not read."""
        return replace(self, schema=pa.schema([self.schema.field(name) for name in names]))
