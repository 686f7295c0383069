"""Conformal prediction: compute intervals of a given coverage from errors on held-out rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tabrec.trees.out_of_bag import OutOfBagRows

# Smallest expected error of a row, as a share of the typical error.
_SMALLEST_SCALE = 0.1
_ROUNDING = 1e-9
# The two sides of intervals are estimated separately if each tail has _ROWS_PER_TAIL rows. Their lengths vary with the
# prediction and with the expected error between groups of at least _ROWS_PER_GROUP rows.
_ROWS_PER_TAIL = 5
_ROWS_PER_GROUP, _MOST_GROUPS = 150, 8
_SHORTEST_SIDE = 0.05  # smallest length, as a multiple of the expected error


@dataclass(frozen=True)
class Scale:
    """A linear model of the expected error of a row: `base` + `slope` × spread of the trees."""

    base: float
    slope: float
    smallest: float

    def of(self, spread: np.ndarray) -> np.ndarray:
        """Return the expected errors, which are constant for models without spread (NaN)."""
        return np.maximum(self.base + self.slope * np.nan_to_num(spread), self.smallest)


ONE = Scale(1.0, 0.0, 1.0)


def needed_rows(level: float) -> int:
    """Return the smallest number n of rows for a level, which can be at most n / (n + 1)."""
    return math.ceil(level / (1 - level) - _ROUNDING)


def conformal_quantile(scores: np.ndarray, level: float, weights: np.ndarray | None = None) -> float:
    """Return the conformal quantile, the ceil((n + 1) level)-th smallest of n scores.

    The score of a new row does not exceed it with probability `level`. With weights, which add up to n, it is the
    smallest score up to which the weights add up to (n + 1) level.
    """
    n = len(scores) if weights is None else float(weights.sum())
    if n < needed_rows(level) - _ROUNDING:
        raise ValueError(
            f"level={level} needs at least {needed_rows(level)} rows held out of fit or out of bag, but there are "
            f"{n:.4g}: pass more rows, grow more trees, or lower the level."
        )
    if weights is None:
        rank = math.ceil((n + 1) * level - _ROUNDING)
        return float(np.partition(scores, rank - 1)[rank - 1])
    order = np.argsort(scores, kind="stable")
    reached = int(np.searchsorted(np.cumsum(weights[order]), (n + 1) * level - _ROUNDING))
    return float(scores[order[min(reached, len(order) - 1)]])


def count_rows(weights: np.ndarray) -> np.ndarray:
    """Scale weights so that they add up to the effective number of rows; integer weights are frequencies.

    Other weights reduce the effective number of rows (Kish 1965).
    """
    if (weights == np.floor(weights)).all():
        return weights
    return weights * (weights.sum() / np.square(weights).sum())


def quantile(values: np.ndarray, level: float, weights: np.ndarray | None = None) -> float:
    """Return a quantile; with weights, by linear interpolation of the cumulative weights at their midpoints."""
    if weights is None:
        return float(np.quantile(values, level))
    order = np.argsort(values, kind="stable")
    if (weights == np.floor(weights)).all():
        return float(np.quantile(np.repeat(values, weights.astype(np.intp)), level))
    middles = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(level * weights.sum(), middles, values[order]))


def fit_scale(spread: np.ndarray, errors: np.ndarray, weights: np.ndarray | None = None) -> Scale:
    """Fit absolute errors on spread by weighted least squares with non-negative coefficients."""
    each = np.ones(len(errors)) if weights is None else weights
    typical = float(np.average(errors, weights=each))
    if typical == 0:
        return ONE
    mean = float(np.average(spread, weights=each))
    centred = spread - mean
    varies = float((each * centred) @ centred)
    slope = max(float((each * centred) @ errors) / varies, 0.0) if varies > 0 else 0.0
    base = typical - slope * mean
    if base < 0:
        base, slope = 0.0, float((each * spread) @ errors) / float((each * spread) @ spread)
    return Scale(base, slope, _SMALLEST_SCALE * typical)


def unfitted_scale(spread: np.ndarray) -> Scale:
    """Return a scale that does not depend on the target, and so can be used on the rows of the quantile."""
    typical = float(spread.mean())
    return Scale(typical, 1.0, typical) if typical > 0 else ONE


def unbiased(spread: np.ndarray, n_trees: Any) -> np.ndarray:
    """Correct the bias of the spread of few trees; 0 for a single tree."""
    n_trees = np.asarray(n_trees, dtype=np.float64)
    return spread * np.sqrt(n_trees / np.maximum(n_trees - 1, 1))


class KnownErrors(NamedTuple):
    """Errors on rows that the model was not fitted on."""

    prediction: np.ndarray
    expected: np.ndarray  # the expected error of each row
    error: np.ndarray  # actual minus predicted; out of bag, shrunk to the expected size with all trees
    actual: np.ndarray
    weights: np.ndarray | None = None  # weights from `count_rows`

    @property
    def n_rows(self) -> float:
        """The effective number of rows."""
        return len(self.error) if self.weights is None else float(self.weights.sum())

    def take(self, rows: np.ndarray) -> KnownErrors:
        """Return the errors of some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return KnownErrors(self.prediction[rows], self.expected[rows], self.error[rows], self.actual[rows], weights)


class Lengths(NamedTuple):
    """Lengths of the two sides of intervals, in multiples of the expected error, at values to interpolate between."""

    at: np.ndarray  # (n_groups,)
    below: np.ndarray
    above: np.ndarray


@dataclass(frozen=True)
class Sides:
    """The two sides of intervals: the geometric means of the lengths by prediction and by expected error.

    Large predictions and large expected errors are partly overestimates. This makes lengths by prediction too long on
    one side, and lengths by expected error too short; the mean balances both.

    With `bound`, the lowest possible target, no interval extends below it. `starts_at_bound` says that every interval
    starts there, because many targets are equal to it.
    """

    by_prediction: Lengths
    by_expected: Lengths
    bound: float = -np.inf
    starts_at_bound: bool = False
    is_symmetric: bool = False  # too few rows to estimate the sides separately

    def factors(self, known: KnownErrors, level: float) -> tuple[float, float]:
        """Return the factors of the two sides with which intervals reach the coverage on the known rows."""
        below, above = self._lengths(known.prediction, known.expected)
        downwards, upwards, weights = -known.error / below, known.error / above, known.weights
        if self.starts_at_bound:
            return 1.0, conformal_quantile(upwards, level, weights)
        if self.is_symmetric:
            factor = conformal_quantile(np.maximum(downwards, upwards), level, weights)
            return factor, factor
        each = (1 + level) / 2
        return conformal_quantile(downwards, each, weights), conformal_quantile(upwards, each, weights)

    def intervals(
        self, prediction: np.ndarray, expected: np.ndarray, factors: tuple[float, float]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper ends of intervals scaled by `factors`; they contain the prediction if possible."""
        below, above = self._lengths(prediction, expected)
        lower = np.full(len(prediction), self.bound) if self.starts_at_bound else prediction - factors[0] * below
        upper = np.maximum(prediction + factors[1] * above, prediction)
        lower = np.maximum(np.minimum(lower, prediction), self.bound)
        return lower, np.maximum(upper, lower)

    def _lengths(self, prediction: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, second = self.by_prediction, self.by_expected
        below = np.interp(prediction, first.at, first.below) * np.interp(expected, second.at, second.below)
        above = np.interp(prediction, first.at, first.above) * np.interp(expected, second.at, second.above)
        return np.sqrt(below) * expected, np.sqrt(above) * expected


def equal_sides(actual: np.ndarray) -> Sides:
    """Return sides whose lengths are the expected error, without estimation from rows."""
    one = Lengths(np.zeros(1), np.ones(1), np.ones(1))
    return Sides(one, one, lowest_target(actual), is_symmetric=True)


def lowest_target(actual: np.ndarray) -> float:
    """Return 0 if no target is negative, otherwise minus infinity."""
    return 0.0 if len(actual) and actual.min() >= 0 else -np.inf


def fit_sides(known: KnownErrors, level: float) -> Sides:
    """Estimate the sides from quantiles of the relative errors, in groups of similar rows.

    Positive targets, such as prices and counts, have 0 as bound.
    """
    actual = known.actual
    tail = (1 - level) / 2
    bound = lowest_target(actual)
    if known.n_rows * tail < _ROWS_PER_TAIL:
        return equal_sides(actual)
    is_lowest = np.abs(actual - bound) <= _ROUNDING * np.abs(actual).max()
    starts_at_bound = bool(np.average(is_lowest, weights=known.weights) > tail)
    low, high = (0.0, level) if starts_at_bound else (tail, 1 - tail)
    by_prediction, by_expected = (_fit_lengths(by, known, low, high) for by in (known.prediction, known.expected))
    return Sides(by_prediction, by_expected, bound, starts_at_bound)


def _fit_lengths(by: np.ndarray, known: KnownErrors, low: float, high: float) -> Lengths:
    relative, weights = known.error / known.expected, known.weights
    n_groups = int(np.clip(known.n_rows // _ROWS_PER_GROUP, 1, _MOST_GROUPS))
    order = np.argsort(by, kind="stable")
    if weights is None:
        groups = np.array_split(order, n_groups)
    else:
        ends = np.searchsorted(np.cumsum(weights[order]), known.n_rows * np.arange(1, n_groups) / n_groups)
        groups = np.split(order, ends)
    if any(len(rows) == 0 for rows in groups):
        groups = [order]

    def of_group(values: np.ndarray, rows: np.ndarray, level: float) -> float:
        return quantile(values[rows], level, None if weights is None else weights[rows])

    at = np.array([of_group(by, rows, 0.5) for rows in groups])
    if (np.diff(at) <= 0).any():
        groups, at = [np.arange(len(by))], at[:1]
    below = [max(-of_group(relative, rows, low), _SHORTEST_SIDE) for rows in groups]
    above = [max(of_group(relative, rows, high), _SHORTEST_SIDE) for rows in groups]
    return Lengths(at, np.array(below), np.array(above))


class OobErrors(NamedTuple):
    """Out-of-bag errors of the rows that some tree left out."""

    known: KnownErrors
    scale: Scale
    n_trees: int  # mean number of trees that left out a row, at least 2 if possible, because one tree has no spread


def oob_errors(left_out: OutOfBagRows, n_trees: int, weights: np.ndarray | None = None) -> OobErrors:
    """Return the out-of-bag errors of a forest of `n_trees` trees; rows of weight 0 are left out.

    An out-of-bag prediction averages fewer trees than that of a new row, so its squared error contains
    `variance / count` instead of `variance / n_trees`; the difference is subtracted.
    """
    seen = left_out.count > 0
    if weights is not None:
        seen &= weights > 0
        weights = count_rows(weights[seen])
    if not seen.any():
        return OobErrors(KnownErrors(*[np.empty(0)] * 4), ONE, 1)
    count = left_out.count[seen]
    spread = unbiased(left_out.spread[seen], count)
    several = count > 1
    spread[~several] = spread[several].mean() if several.any() else 0.0
    prediction, actual = left_out.prediction[seen, 0], left_out.y[seen].reshape(-1)
    errors = actual - prediction
    scale = fit_scale(spread, np.abs(errors), weights)
    expected = scale.of(spread)
    squared = max(float(np.average(np.square(errors / expected), weights=weights)), np.finfo(float).tiny)
    surplus = np.square(spread) * (1 / count - 1 / n_trees) / (squared * np.square(expected))
    known = KnownErrors(prediction, expected, errors * np.sqrt(np.maximum(1 - surplus, 0)), actual, weights)
    return OobErrors(known, scale, min(max(round(count.mean()), 2), n_trees))
