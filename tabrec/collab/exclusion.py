"""`ExclusionRule`: wraps a function of the caller that excludes pairs from recommendations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.tables.columns import Column


@dataclass(frozen=True)
class ExclusionRule:
    """Applies a function of a table of pairs to users given by position and items given by code."""

    function: Callable[[pd.DataFrame], Any]
    user_name: str
    users: Column  # ids of users by position
    items: pd.Index  # ids of items by code, from code 1

    def __call__(self, positions: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return a mask of excluded pairs: bool array of shape (n_pairs,)."""
        users, items = pd.Series(self.users.raw).take(positions).array, self.items.take(codes - 1).array
        pairs = pd.DataFrame({self.user_name: users, self.items.name: items})
        try:
            answer = self.function(pairs.copy(deep=False))
        except Exception as error:
            raise ValueError(
                f"exclude={self.function!r} failed on a table of pairs with the columns {pairs.columns.tolist()}: "
                f"{type(error).__name__}: {error}"
            ) from error
        return self._check(answer, pairs)

    def _check(self, answer: Any, pairs: pd.DataFrame) -> np.ndarray:
        mask = np.asarray(answer)
        if mask.dtype == object and mask.shape == (len(pairs),):
            mask = pd.Series(mask).infer_objects().to_numpy()
        if mask.dtype != bool or mask.shape != (len(pairs),):
            raise ValueError(
                f"exclude={self.function!r} must return a boolean for each of the {len(pairs)} pairs of its table, "
                f"True for those not to recommend, without gaps. Got {type(answer).__name__} of shape {mask.shape} and "
                f"dtype {mask.dtype}."
            )
        if isinstance(answer, pd.Series) and _are_reordered(answer.index, pairs.index):
            raise ValueError(f"exclude={self.function!r} returned a Series of the pairs in another order.")
        return mask


def _are_reordered(index: pd.Index, other: pd.Index) -> bool:
    return not index.equals(other) and index.is_unique and bool(index.isin(other).all())
