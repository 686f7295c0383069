"""`CodedInteractions`: interactions of a table in chunks as codes in temporary files, and their external sort."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from tabrec.collab.ids import check_ids
from tabrec.collab.interactions import Interactions, sort_interactions
from tabrec.collab.reader import RatingsReader
from tabrec.collab.row_blocks import ranges
from tabrec.collab.sides import learn_side
from tabrec.scale.growing_codes import GrowingCodes
from tabrec.scale.target_column import TargetColumn
from tabrec.tables.columns import Column, to_columns
from tabrec.tables.mapped_arrays import BLOCK, blocks, mapped_array, release
from tabrec.tables.messages import warn_caller
from tabrec.tables.progress import show_progress

# Bytes per interaction while a range of users is sorted.
_SORTED_BYTES = 64
# Positions in sparse matrices are 32-bit integers.
_MOST = 2**31 - 1


class CodedInteractions:
    """The pairs of a table in chunks in the order of its rows, written to temporary files while it is read."""

    def __init__(self, names: list[str], with_values: bool):
        self._ids = [GrowingCodes(name) for name in names]
        self._files: list[BinaryIO] = [_new_file() for _ in range(3 if with_values else 2)]
        self.n_rows = self.n_read = 0
        self._first_without: int | None = None

    def read(self, chunks: Any, target: TargetColumn | None) -> None:
        """Read all rows; those without an id are left out with a warning."""
        names = [ids.name for ids in self._ids]
        with show_progress("Reading interactions", chunks.n_rows) as progress:
            for frame in chunks:
                columns = to_columns(frame[names])
                for column in columns.values():
                    check_ids(column)
                values = None if target is None else target.read(frame, self.n_read, numeric=True)
                self._add([columns[name] for name in names], values)
                progress.advance(len(frame))
        self._check()

    def _add(self, columns: list[Column], values: np.ndarray | None) -> None:
        complete = ~np.any([column.missing for column in columns], axis=0)
        codes = [ids.encode(column) for ids, column in zip(self._ids, columns, strict=True)]
        if not complete.all() and self._first_without is None:
            self._first_without = self.n_read + int(np.argmin(complete))
        for ids, of_column in zip(self._ids, codes, strict=True):
            ids.count(of_column[complete])
        for file, array in zip(self._files, codes if values is None else [*codes, values], strict=True):
            array[complete].tofile(file)
        self.n_read += len(complete)
        self.n_rows += int(complete.sum())

    def _check(self) -> None:
        if not self.n_read:
            raise ValueError("The table has no rows.")
        if not self.n_rows:
            raise ValueError("No row has both the id of a user and that of an item.")
        if self.n_rows > _MOST:
            raise ValueError(f"The table has {self.n_rows:,} interactions, more than the {_MOST:,} of one model.")
        if self._first_without is not None:
            warn_caller(
                f"{self.n_read - self.n_rows} of {self.n_read} ratings have no user or no item and are ignored: the "
                f"first is in row {self._first_without} (counted from 0)."
            )

    def make_reader(self, owner: str, side_tables: tuple[Any, Any], memory: int) -> RatingsReader:
        """Sort the interactions into further temporary files, and return a reader of them."""
        columns = [ids.column() for ids in self._ids]
        users = learn_side(columns[0], "user_features", side_tables[0])
        items = learn_side(columns[1], "item_features", side_tables[1])
        ratings = self._sort([ids.recode(side) for ids, side in zip(self._ids, (users, items), strict=True)], memory)
        return RatingsReader(owner, columns[0].name, columns[1].name, users, items, ratings, 1.0, None)

    def _sort(self, codes: list[np.ndarray], memory: int) -> Interactions:
        """Sort by user, item and value, one range of users at a time; the files are read once for each range."""
        counts = np.bincount(codes[0], self._ids[0].counts, minlength=int(codes[0].max()) + 1).astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)])
        users, items = mapped_array(self.n_rows, np.int32), mapped_array(self.n_rows, np.int32)
        has_values = len(self._files) == 3
        values = mapped_array(self.n_rows, np.float64) if has_values else np.broadcast_to(1.0, self.n_rows)
        for wanted in ranges(starts, max(memory // _SORTED_BYTES, BLOCK)):
            place = slice(int(starts[wanted.start]), int(starts[wanted.stop]))
            parts = list(self._of_users(codes, wanted))
            if not parts:
                continue
            found, _ = sort_interactions(*(np.concatenate(part) for part in zip(*parts, strict=True)))
            users[place], items[place] = found.users, found.items
            if has_values:
                values[place] = found.values
            release(users, items, values)
        for file in self._files:
            file.close()
        return Interactions(users, items, values)

    def _of_users(self, codes: list[np.ndarray], wanted: slice) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield users, items and values of the rows of a range of users, block by block."""
        for file in self._files:
            file.seek(0)
        for rows in blocks(self.n_rows):
            n = rows.stop - rows.start
            users, items = (
                table[np.fromfile(file, np.int32, n)] for table, file in zip(codes, self._files[:2], strict=True)
            )
            values = np.fromfile(self._files[2], np.float64, n) if len(self._files) == 3 else np.ones(n)
            at = np.flatnonzero((users >= wanted.start) & (users < wanted.stop))
            if len(at):
                yield users[at], items[at], values[at]


def _new_file() -> BinaryIO:
    return tempfile.TemporaryFile(prefix="tabrec-")  # type: ignore[return-value]
