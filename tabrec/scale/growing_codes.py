"""`GrowingCodes`: codes for the labels of a column read in chunks, in the order of their first occurrence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.collab.sides import Side
from tabrec.tables.columns import Column, to_columns


class GrowingCodes:
    """Codes of the labels of a column, from 0; a missing label has the code -1."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._code_of: dict[Any, int] = {}
        self.counts = np.zeros(0, dtype=np.int64)

    def encode(self, column: Column) -> np.ndarray:
        """Encode a chunk as int32 codes; new labels get new codes."""
        labels = column.as_labels()
        table = np.full(len(labels.labels) + 1, -1, dtype=np.int32)  # the last entry is the code of missing labels
        for position in np.flatnonzero(labels.counts).tolist():
            table[position] = self._code_of.setdefault(labels.labels[position], len(self._code_of))
        return table[labels.codes]

    def count(self, codes: np.ndarray) -> None:
        """Count codes that are not missing."""
        self.counts = np.pad(self.counts, (0, len(self._code_of) - len(self.counts)))
        self.counts += np.bincount(codes, minlength=len(self._code_of))

    def categories(self) -> pd.Index:
        """Return the labels by code."""
        return pd.Index(list(self._code_of))

    def column(self) -> Column:
        """Return a column in which each counted label occurs once."""
        codes = np.flatnonzero(self.counts).astype(np.int32)
        labels = pd.Categorical.from_codes(codes, categories=self.categories(), validate=False)
        return to_columns(pd.DataFrame({self.name: labels}))[self.name]

    def recode(self, side: Side) -> np.ndarray:
        """Map the codes of this column to those of a side of a recommender; labels without counts get 0."""
        table = np.zeros(len(self._code_of), dtype=np.int32)
        table[self.counts > 0] = side.ids.encode(self.column())
        return table
