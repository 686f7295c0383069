"""`TargetUnits`: targets of forests in units in which scikit-learn's trees find all splits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# scikit-learn computes variances as the mean of squares minus the square of the mean, and treats those below 2e-16 as
# 0.
_LARGEST_OFFSET = 1000.0  # in units of the mean absolute deviation
_SMALLEST_SPREAD, _LARGEST_SPREAD = 2.0**-10, 2.0**300
_SQUARED = ("squared_error", "friedman_mse")


class TargetUnits(NamedTuple):
    """A centre for each output, and the power of two by which all outputs are multiplied while trees grow.

    Growing in these units gives the same splits as exact arithmetic would give in those of the target.
    """

    centre: np.ndarray
    log2_scale: int
    log2_of_impurity: int

    def scale(self, y: np.ndarray) -> np.ndarray:
        """Convert a target to these units."""
        centred = y.astype(np.float64) - (self.centre if y.ndim == 2 else self.centre[0])
        return np.ldexp(centred, self.log2_scale)

    def scale_impurity(self, impurity: float) -> float:
        """Convert an impurity in units of the target to these units."""
        return float(np.ldexp(impurity, self.log2_of_impurity))

    def restore(self, tree: Any) -> None:
        """Convert the values and impurities of a tree back to the units of the target, in place."""
        tree.value[:] = np.ldexp(tree.value, -self.log2_scale) + self.centre[:, None]
        tree.impurity[:] = np.ldexp(tree.impurity, -self.log2_of_impurity)


def choose_units(y: np.ndarray, weights: np.ndarray | None, criterion: str) -> TargetUnits | None:
    """Choose units for a target whose scale is small or whose offset is large for its spread; None for others."""
    outputs = y.reshape(len(y), -1).astype(np.float64)
    if weights is not None:
        outputs = outputs[weights > 0]
    if not len(outputs):
        return None
    low, middle, high = np.quantile(outputs, [0.25, 0.5, 0.75], axis=0)
    spreads = np.where(high > low, high - low, _deviation(outputs))
    is_far = (np.abs(middle) > _LARGEST_OFFSET * spreads) & (spreads > 0) & (criterion != "poisson")
    largest = float(spreads.max())
    has_other_scale = 0 < largest < _SMALLEST_SPREAD or largest > _LARGEST_SPREAD
    if not is_far.any() and not has_other_scale:
        return None
    log2_scale = -int(np.frexp(largest)[1]) if has_other_scale else 0
    return TargetUnits(np.where(is_far, middle, 0.0), log2_scale, log2_scale * (2 if criterion in _SQUARED else 1))


def _deviation(outputs: np.ndarray) -> np.ndarray:
    """Return the mean absolute deviation from the median of each output."""
    return np.abs(outputs - np.median(outputs, axis=0)).mean(axis=0)
