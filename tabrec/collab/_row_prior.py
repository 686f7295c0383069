"""New rows of a factor model from a few ratings, and what learned rows say of rows to come."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tabrec.collab._factors import RowPrior

_N_STEPS = 20
# Ratings at which a learned row counts half as much as one of many.
_HALF_WEIGHT = 10.0


def fit_row_prior(rows: np.ndarray, counts: np.ndarray) -> RowPrior:
    """A normal distribution of rows, fitted to learned ones.

    Their mean is plain: an id to come is most like those of few ratings. In their spread, those count less, which have
    hardly moved from where they started.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_factors + 1)
    counts : ndarray of shape (n_rows,)
        Ratings of each.
    """
    weights = counts / (counts + _HALF_WEIGHT)
    mean = rows.mean(axis=0)
    gaps = rows - mean
    covariance = (gaps * weights[:, None]).T @ gaps / weights.sum()
    # As if there were one more row for each dimension, with nothing but the mean variance.
    width = rows.shape[1]
    share = width / (width + len(rows))
    ball = max(np.trace(covariance) / width, 1e-6)
    covariance = (1 - share) * covariance + share * ball * np.eye(width) + 1e-3 * ball * np.eye(width)
    return RowPrior(mean[None], np.linalg.inv(covariance)[None])


def fold_in_row(
    prior: RowPrior,
    design: np.ndarray,
    offsets: np.ndarray,
    ratings: np.ndarray,
    trust: np.ndarray,
    rate: Callable[[np.ndarray], np.ndarray],
    slope: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """The most probable row, of shape (n_factors + 1,), given ratings: Gauss-Newton steps, halved where too long.

    Parameters
    ----------
    prior : RowPrior
        Of one sample.
    design : ndarray of shape (n_ratings, n_factors + 1)
        What the row is multiplied by: 1 and the item's factors.
    offsets : ndarray of shape (n_ratings,)
        What is added: the mean and the item's bias.
    ratings : ndarray of shape (n_ratings,)
    trust : ndarray of shape (n_ratings,)
        Precision of each rating around its prediction.
    rate, slope : callable
        Rating of a sum, and its derivative.
    """
    mean, precision = prior.mean[0], prior.precision[0]

    def cost(row: np.ndarray) -> float:
        gap, away = ratings - rate(offsets + design @ row), row - mean
        return float((trust * gap) @ gap + away @ precision @ away)

    row = mean.copy()
    for _ in range(_N_STEPS):
        sums = offsets + design @ row
        weighted = design * slope(sums)[:, None]
        towards = weighted.T @ (trust * (ratings - rate(sums))) - precision @ (row - mean)
        step = np.linalg.solve(precision + (weighted.T * trust) @ weighted, towards)
        length, now = 1.0, cost(row)
        while cost(row + length * step) > now and length > 1e-3:
            length /= 2
        row = row + length * step
        if np.abs(length * step).max() < 1e-8:
            break
    return row


def argue_by_similarity(wanted: np.ndarray, rated: np.ndarray, gaps: np.ndarray, noise_variance: float) -> np.ndarray:
    """How much each rating argues for an item, where a regression of ratings on the items' vectors is the witness.

    Parameters
    ----------
    wanted : ndarray of shape (n_dimensions,)
    rated : ndarray of shape (n_ratings, n_dimensions)
    gaps : ndarray of shape (n_ratings,)
        Ratings less what anybody would have given.
    noise_variance : float
    """
    scale = np.sqrt(np.mean(np.sum(rated**2, axis=1))) or 1.0
    design = np.column_stack([np.ones(len(rated)), rated / scale])
    # Before any rating, a bias and slopes of standard deviation 1; the weight of each rating in what is foretold then.
    precision = np.eye(design.shape[1]) + design.T @ design / noise_variance
    return design @ np.linalg.solve(precision, np.append(1.0, wanted / scale)) / noise_variance * gaps
