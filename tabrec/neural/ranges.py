"""Bounds of predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np

# How far beyond the target's extremes "auto" goes, as a share of their distance.
_MARGIN = 0.05


def read_range(
    y_range: Any, y: np.ndarray, margin: Callable[[np.ndarray], float] | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Least and greatest prediction in the target's units.

    Parameters
    ----------
    y_range : (least, greatest), "auto" or None
        None has no bounds.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Target, which must lie within.
    margin : callable, default=None
        How far beyond the target "auto" goes; None goes a 20th of the target's range.
    """
    if y_range is None:
        return None
    if isinstance(y_range, str):
        low, high = y.min(axis=0).astype(np.float64), y.max(axis=0).astype(np.float64)
        beyond = np.where(high > low, _MARGIN * (high - low), 1.0) if margin is None else margin(y)
        return low - beyond, high + beyond
    bounds: Any = np.asarray(y_range, dtype=object)
    if len(bounds) != 2 or not all(isinstance(bound, Real) and math.isfinite(bound) for bound in bounds.ravel()):
        raise ValueError(f"y_range={y_range!r} must be (least, greatest), two finite numbers, 'auto' or None.")
    low, high = np.asarray(y_range[0], dtype=np.float64), np.asarray(y_range[1], dtype=np.float64)
    if not np.all(low < high):
        raise ValueError(f"y_range={y_range!r} must be (least, greatest): the first is not the lesser.")
    outside = (y < low) | (y > high)
    if outside.any():
        raise ValueError(f"y_range={y_range!r} does not hold the target {y[outside].ravel()[0]:g}.")
    return low, high
