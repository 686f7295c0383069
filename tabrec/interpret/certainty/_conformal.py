"""Conformal prediction: from errors on rows held out of fit to the width of intervals with a given coverage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tabrec.trees.out_of_bag import OutOfBagRows

# Share of the typical error; the expected error of a row is at least this.
_SMALLEST_SCALE = 0.1
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Scale:
    """The expected error of a row, from the spread of the trees: `base` + `slope` × spread."""

    base: float
    slope: float
    smallest: float

    def of(self, spread: np.ndarray) -> np.ndarray:
        """The expected error; the same everywhere for models without spread (NaN)."""
        return np.maximum(self.base + self.slope * np.nan_to_num(spread), self.smallest)


ONE = Scale(1.0, 0.0, 1.0)


def needed_rows(level: float) -> int:
    """Number of rows that a level needs: with n rows, n / (n + 1) is the highest possible level."""
    return math.ceil(level / (1 - level) - _ROUNDING)


def conformal_quantile(scores: np.ndarray, level: float) -> float:
    """The score that a new row does not exceed with probability `level`: the ceil((n + 1) level)-th smallest of n."""
    n = len(scores)
    if n < needed_rows(level):
        raise ValueError(
            f"level={level} needs at least {needed_rows(level)} rows held out of fit or out of bag, but there are {n}: "
            "pass more rows, grow more trees, or lower the level."
        )
    rank = math.ceil((n + 1) * level - _ROUNDING)
    return float(np.partition(scores, rank - 1)[rank - 1])


def fit_scale(spread: np.ndarray, errors: np.ndarray) -> Scale:
    """Least squares of absolute errors on spread, with no coefficient below 0."""
    typical = float(errors.mean())
    if typical == 0:
        return ONE
    centred = spread - spread.mean()
    varies = float(centred @ centred)
    slope = max(float(centred @ errors) / varies, 0.0) if varies > 0 else 0.0
    base = typical - slope * float(spread.mean())
    if base < 0:
        base, slope = 0.0, float(spread @ errors) / float(spread @ spread)
    return Scale(base, slope, _SMALLEST_SCALE * typical)


def unfitted_scale(spread: np.ndarray) -> Scale:
    """A scale that uses no target, so that it is independent of the rows that determine the quantile."""
    typical = float(spread.mean())
    return Scale(typical, 1.0, typical) if typical > 0 else ONE


def unbiased(spread: np.ndarray, n_trees: Any) -> np.ndarray:
    """Spread corrected for the number of trees; 0 for a single tree."""
    n_trees = np.asarray(n_trees, dtype=np.float64)
    return spread * np.sqrt(n_trees / np.maximum(n_trees - 1, 1))


class OobScores(NamedTuple):
    """Out-of-bag errors relative to the expected error."""

    scores: np.ndarray  # of the rows that some tree left out
    scale: Scale
    n_trees: int  # mean number of trees that left out a row; at least two if there are two, as one has no spread


def oob_scores(left_out: OutOfBagRows, n_trees: int) -> OobScores:
    """Score the out-of-bag errors of a forest of `n_trees` trees.

    An out-of-bag prediction averages fewer trees than that of a new row, so its squared error contains
    `variance / count` instead of `variance / n_trees`; the difference is subtracted.
    """
    seen = left_out.count > 0
    if not seen.any():
        return OobScores(np.empty(0), ONE, 1)
    count = left_out.count[seen]
    spread = unbiased(left_out.spread[seen], count)
    several = count > 1
    spread[~several] = spread[several].mean() if several.any() else 0.0
    errors = np.abs(left_out.y[seen].reshape(-1) - left_out.prediction[seen, 0])
    scale = fit_scale(spread, errors)
    expected = scale.of(spread)
    scores = errors / expected
    squared = max(float(np.mean(np.square(scores))), np.finfo(float).tiny)
    surplus = np.square(spread) * (1 / count - 1 / n_trees) / (squared * np.square(expected))
    return OobScores(scores * np.sqrt(np.maximum(1 - surplus, 0)), scale, min(max(round(count.mean()), 2), n_trees))
