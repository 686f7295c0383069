"""`RowDraw`: a uniform sample of the rows of a table that is read in chunks, and the buffer that holds it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

_BLOCK = 1_000_000
# The threshold is searched within this many standard deviations of its expected value.
_BAND = 8


class RowDraw:
    """A uniform sample of `n_drawn` of `n_rows` rows without replacement, which does not depend on the chunks.

    Every row has a random key by its position, and the rows with the smallest keys are drawn.
    """

    def __init__(self, n_rows: int, n_drawn: int, seed: int):
        self._seed = seed
        self.n_rows, self.n_drawn = n_rows, min(n_drawn, n_rows)
        self._threshold = 1.0 if self.n_drawn == n_rows else self._find_threshold()

    def positions(self, start: int, n_rows: int) -> np.ndarray:
        """Return the positions of the drawn rows in a chunk that starts at row `start` of the table."""
        if self.n_drawn == self.n_rows:
            return np.arange(n_rows)
        return np.flatnonzero(self._keys(start, n_rows) < self._threshold)

    def kept(self, start: int, n_rows: int, of_draw: bool) -> np.ndarray:
        """Return the positions within a chunk of the rows that are drawn, or of the others."""
        drawn = self.positions(start, n_rows)
        return drawn if of_draw else np.delete(np.arange(n_rows), drawn)

    def count(self, start: int, n_rows: int) -> int:
        """Return the number of drawn rows among the `n_rows` rows from row `start`."""
        return len(self.positions(start, n_rows))

    def _keys(self, start: int, n_rows: int) -> np.ndarray:
        return np.random.Generator(np.random.PCG64(self._seed).advance(start)).random(n_rows)

    def _blocks(self) -> Iterator[np.ndarray]:
        for start in range(0, self.n_rows, _BLOCK):
            yield self._keys(start, min(_BLOCK, self.n_rows - start))

    def _find_threshold(self) -> float:
        """Find the smallest key that is not drawn; its expected value is the share of drawn rows."""
        share = self.n_drawn / self.n_rows
        reach = _BAND * np.sqrt(share * (1 - share) / self.n_rows)
        for low, high in ((share - reach, share + reach), (0.0, 1.0)):
            n_below, near = 0, []
            for keys in self._blocks():
                n_below += int(np.count_nonzero(keys < low))
                near.append(keys[(keys >= low) & (keys < high)])
            ordered = np.sort(np.concatenate(near))
            if 0 <= self.n_drawn - n_below < len(ordered):
                return float(ordered[self.n_drawn - n_below])
        raise AssertionError("The keys of all rows lie between 0 and 1.")


class EncodedRows:
    """Encoded frames of a known total length, column by column in arrays of their dtypes."""

    def __init__(self, n_rows: int):
        self._n_rows = n_rows
        self._n_filled = 0
        self._arrays: dict[str, np.ndarray] = {}
        self._dtypes: dict[str, pd.CategoricalDtype] = {}

    def add(self, encoded: pd.DataFrame) -> None:
        """Append the rows of a frame."""
        stop = self._n_filled + len(encoded)
        for name, column in encoded.items():
            if isinstance(column.dtype, pd.CategoricalDtype):
                self._dtypes[str(name)] = column.dtype
                column = column.cat.codes
            values = column.to_numpy()
            if name not in self._arrays:
                self._arrays[str(name)] = np.empty(self._n_rows, dtype=values.dtype)
            self._arrays[str(name)][self._n_filled : stop] = values
        self._n_filled = stop

    def frame(self) -> pd.DataFrame:
        """Return all rows; the arrays are not copied."""
        if self._n_filled != self._n_rows:
            raise ValueError(
                f"The table changed while it was read: {self._n_filled} of {self._n_rows} rows were found."
            )
        return pd.DataFrame(
            {
                name: pd.Categorical.from_codes(array, dtype=self._dtypes[name], validate=False)
                if name in self._dtypes
                else array
                for name, array in self._arrays.items()
            },
            copy=False,
        )
