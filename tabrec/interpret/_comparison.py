"""Differences of scores on the same rows, with standard errors from the pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tabrec.interpret._scores import Metric

CLEAR = 2  # standard errors: a smaller change is taken for chance


def gain_of(metric: Metric, before: float, after: float) -> float:
    """How much better a score has become, whichever way it is better."""
    return after - before if metric.greater_is_better else before - after


def linear_gains(metric: Metric, gains: np.ndarray) -> np.ndarray:
    """Gains whose mean moves as the score does: for a root of a mean, by its tangent (the delta method)."""
    if metric.name != "RMSE":
        return gains
    score = metric.score(gains)
    return gains / (2 * score) if score > 0 else gains


def standard_error(metric: Metric, gains: np.ndarray) -> float:
    """Standard error of a score from the gains of its rows; NaN of one row."""
    return _error_of_mean(linear_gains(metric, gains))


def paired_error(metric: Metric, before: np.ndarray, after: np.ndarray) -> float:
    """Standard error of the difference of two scores over the same rows, from the gains of each row."""
    return _error_of_mean(linear_gains(metric, after) - linear_gains(metric, before))


def _error_of_mean(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def loss_by_permuting(
    metric: Metric,
    gains: np.ndarray,
    gains_permuted: Callable[[np.ndarray], np.ndarray],
    seen: np.ndarray,
    permutations: Sequence[np.ndarray],
) -> tuple[float, float]:
    """How much of a score is lost by permuting, mean over permutations, and its standard error.

    A row counts twice, by its own prediction and by the values that it gives to another. So with a loss
    θ + a(i) + b(j) + c(i, j) of row i with the values of row j, the variance of the mean over n rows is
    [var a + var b + 2 cov(a, b) + var c] / n. More permutations would divide the last term, were rows independent; but
    out-of-bag rows are predicted by trees that know each other's targets, and the standard error fits without it.

    Parameters
    ----------
    metric : Metric
    gains : ndarray of shape (n_seen,)
    gains_permuted : callable
        From a permutation to the gains under it.
    seen : ndarray of bool, of shape (n_rows,)
        The rows that gains speak of.
    permutations : sequence of ndarray of shape (n_rows,)
    """
    losses, variances = [], []
    score, linear = metric.score(gains), linear_gains(metric, gains)
    for donors in permutations:
        permuted = gains_permuted(donors)
        losses.append(gain_of(metric, metric.score(permuted), score))
        lost = linear - linear_gains(metric, permuted)
        centred = np.zeros(len(seen))
        centred[seen] = lost - lost.mean()
        variances.append((centred @ centred + 2 * centred @ centred[donors]) / len(lost) ** 2)
    return float(np.mean(losses)), float(np.sqrt(max(np.mean(variances), 0.0)))
