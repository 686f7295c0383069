"""Ordinal probit: ratings as the interval a latent normal falls into (Albert & Chib 1993)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.floating]

_ROOT_TWO_PI = np.sqrt(2 * np.pi)
# Cutpoints are a priori N(0, 10^2): wide beside the unit noise, yet a rank that nobody rates twice stays finite.
_CUTPOINT_PRECISION = 0.01
_LEAST_SHARE = 1e-300


def start_cutpoints(ranks: NDArray[np.integer], n_levels: int) -> Array:
    """Cutpoints that give each rank its share of the ratings when every latent mean is 0."""
    shares = np.cumsum(np.bincount(ranks, minlength=n_levels)) / len(ranks)
    return ndtri(shares[:-1])


def probabilities(latent: Array, cutpoints: Array) -> Array:
    """Probability of each rank, shape (..., n_levels)."""
    above = ndtr(np.expand_dims(latent, -1) - cutpoints)
    ones = np.ones((*above.shape[:-1], 1))
    return np.concatenate([ones, above], axis=-1) - np.concatenate([above, 0 * ones], axis=-1)


def draw_latents_and_cutpoints(
    means: Array, spreads: Array | float, ranks: NDArray[np.integer], cutpoints: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """One Metropolis step for the cutpoints with the latents integrated out, then the latents given the cutpoints.

    The proposal is a Newton step plus noise from the curvature, so nearly all are accepted; cutpoints drawn given the
    latents (Albert & Chib) would hardly move when there are many ratings (Cowles 1996).
    """
    here = _Fit(means, spreads, ranks, cutpoints)
    proposal = here.center + np.linalg.solve(here.root.T, rng.standard_normal(len(cutpoints)))
    if np.all(np.diff(proposal) > 0):
        there = _Fit(means, spreads, ranks, proposal)
        odds = there.log_density - here.log_density + there.log_proposal(cutpoints) - here.log_proposal(proposal)
        if np.log(rng.random()) < odds:
            here = there
    return here.draw_latents(rng), here.cutpoints


def draw_latents(
    means: Array, spreads: Array | float, ranks: NDArray[np.integer], cutpoints: Array, rng: np.random.Generator
) -> Array:
    """Draw the latents given the cutpoints."""
    return _Fit(means, spreads, ranks, cutpoints).draw_latents(rng)


class _Fit:
    """The likelihood of one set of cutpoints, and the Newton step from it."""

    def __init__(self, means: Array, spreads: Array | float, ranks: NDArray[np.integer], cutpoints: Array) -> None:
        self.means, self.spreads, self.ranks, self.cutpoints = means, spreads, ranks, cutpoints
        edges = np.concatenate([[-np.inf], cutpoints, [np.inf]])
        lower, upper = (edges[ranks] - means) / spreads, (edges[ranks + 1] - means) / spreads
        # The normal is symmetric: an interval right of 0 is read from the left, where its tail has all its digits.
        self.flipped = lower > -upper
        self.lower, self.upper = np.where(self.flipped, -upper, lower), np.where(self.flipped, -lower, upper)
        self.below = ndtr(self.lower)
        self.share = np.maximum(ndtr(self.upper) - self.below, _LEAST_SHARE)
        self.log_density = float(np.sum(np.log(self.share)) - _CUTPOINT_PRECISION / 2 * np.sum(cutpoints**2))
        self._climb()

    def _climb(self) -> None:
        """Center and precision of the proposal: gradient and curvature of the log density, which is concave."""
        n_levels = len(self.cutpoints) + 1
        low, high = _density(self.lower) / self.share, _density(self.upper) / self.share
        low_bend = low**2 - np.where(low > 0, self.lower, 0.0) * low
        high_bend = high**2 + np.where(high > 0, self.upper, 0.0) * high
        # Undo the flip: which edge is the lower one, and the sign of its slope.
        left, right = np.where(self.flipped, high, low), np.where(self.flipped, low, high)
        left_bend = np.where(self.flipped, high_bend, low_bend)
        right_bend = np.where(self.flipped, low_bend, high_bend)

        def total(values: Array, power: int) -> Array:
            return np.bincount(self.ranks, values / self.spreads**power, n_levels).astype(np.float64)

        slope = total(right, 1)[:-1] - total(left, 1)[1:] - _CUTPOINT_PRECISION * self.cutpoints
        bend = np.diag(total(right_bend, 2)[:-1] + total(left_bend, 2)[1:] + _CUTPOINT_PRECISION)
        inner = np.arange(len(self.cutpoints) - 1)
        bend[inner, inner + 1] = bend[inner + 1, inner] = -total(left * right, 2)[1:-1]
        self.root = np.linalg.cholesky(bend)
        self.center = self.cutpoints + np.linalg.solve(bend, slope)

    def log_proposal(self, cutpoints: Array) -> float:
        """Log density of proposing `cutpoints` from here, short of a constant."""
        return float(np.sum(np.log(np.diag(self.root))) - np.sum((self.root.T @ (cutpoints - self.center)) ** 2) / 2)

    def draw_latents(self, rng: np.random.Generator) -> Array:
        """Truncated normal latents by inverting their distribution function."""
        latent = ndtri(np.maximum(self.below + rng.random(len(self.share)) * self.share, _LEAST_SHARE))
        # An interval so far out that its share is rounded away is left at its near edge, where nearly all of it lies.
        latent = np.clip(latent, self.lower, self.upper)
        return self.means + self.spreads * np.where(self.flipped, -latent, latent)


def _density(values: Array) -> Array:
    return np.exp(-(values**2) / 2) / _ROOT_TWO_PI
