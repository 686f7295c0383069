"""`read_range`: the bounds of predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

# Margin of "auto" on each side, as a share of the range of the target.
_MARGIN = 0.05


def read_range(
    y_range: Any, y: np.ndarray, margin: Callable[[np.ndarray], float] | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Validate `y_range` and return the lower and upper bound in the units of the target, which must lie within.

    "auto" extends the range of the target by `margin(y)`, or by 5 % of the range.
    """
    if y_range is None:
        return None
    if isinstance(y_range, str):
        low, high = y.min(axis=0).astype(np.float64), y.max(axis=0).astype(np.float64)
        extra = np.where(high > low, _MARGIN * (high - low), 1.0) if margin is None else margin(y)
        return low - extra, high + extra
    bounds: Any = np.asarray(y_range, dtype=object)
    if len(bounds) != 2 or not all(isinstance(bound, Real) and math.isfinite(bound) for bound in bounds.ravel()):
        raise ValueError(f"y_range must be two finite numbers (low, high), 'auto' or None; got {y_range!r}.")
    low, high = np.asarray(y_range[0], dtype=np.float64), np.asarray(y_range[1], dtype=np.float64)
    if not np.all(low < high):
        raise ValueError(f"y_range must satisfy low < high; got {y_range!r}.")
    outside = (y < low) | (y > high)
    if outside.any():
        raise ValueError(f"y_range={y_range!r} does not contain the target {y[outside].ravel()[0]:g}.")
    return low, high
