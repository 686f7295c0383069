"""Gibbs sampler of a Bayesian matrix factorisation with side tables and history.

A rating is mean + user bias + item bias + user factors . item factors + noise (Salakhutdinov & Mnih 2008, BPMF). The
prior mean of a row is linear in its features (Simm et al. 2017, Macau) and in its history (Koren 2008, SVD++, here as a
prior). Ratings are normal, with a noise of their own for each user and item (Lakshminarayanan et al. 2011), or ordinal
(Albert & Chib 1993). Code 0 is the unknown id: it has no rating, so its rows are draws from the prior.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tabrec.collab.gibbs_draws import (
    Effects,
    RatingMatrix,
    draw_latents_and_cutpoints,
    draw_normal_wishart,
    draw_rows,
    history_matrix,
    kept_noise,
    start_cutpoints,
)
from tabrec.collab.posterior import Posterior, SidePrior

Array = NDArray[np.floating]
Codes = NDArray[np.integer]
# The number of running chains that limit BLAS, and the limit.
_LOCK = threading.Lock()
_n_limited = 0
_limit: threadpool_limits | None = None

# Degrees of freedom of the prior of the noise of users and items; with fewer, it varies more between ids.
_USER_FREEDOM, _ITEM_FREEDOM = 5.0, 10.0
# If ratings are more skewed, all ids share one noise variance: small values would get high precision, and draw all
# predictions towards them.
_MOST_SKEWNESS = 2.0
_START_SPREAD = 0.1
# Scatter of the Wishart prior, for ratings of variance 1. A small value shrinks superfluous factors to 0; the burn-in
# uses a larger one, because factors would vanish before they are learned.
_SCATTER, _BURN_IN_SCATTER = 0.3, 1.0


@dataclass(frozen=True)
class GibbsPlan:
    """Length of a chain, and the model to sample."""

    n_factors: int  # number of factors, without the bias
    n_sweeps: int
    n_burn_in: int  # number of sweeps before the first sample
    n_kept: int  # maximum number of samples to keep, evenly spaced after the burn-in
    likelihood: str = "normal"  # "normal", or "ordinal" for ratings as ordered categories
    history: bool = True  # whether the prior mean of a row depends on its rated ids

    def kept_sweeps(self) -> list[int]:
        """Return the sweeps whose sample is kept; the last one is always among them."""
        n_after = max(self.n_sweeps - self.n_burn_in, 1)
        n_kept = min(self.n_kept, n_after)
        return [self.n_sweeps - 1 - n_after * back // n_kept for back in reversed(range(n_kept))]


@dataclass
class SideState:
    """The state of one side of a chain, in the scale of the chain."""

    rows: Array  # (n_rows, k + 1)
    intercept: Array  # (k + 1,)
    factor: Array  # (k + 1, k + 1), lower Cholesky factor of the precision of the rows
    noise: Array  # (n_rows,), precision of the noise relative to the common one
    feature_weights: Array | None = None
    feature_strength: float = 1.0
    history_weights: Array | None = None
    history_strength: float = 1.0


@dataclass
class GibbsState:
    """The state of a chain, from which it can be continued."""

    mean: float
    scale: float
    noise_precision: float
    cutpoints: Array | None
    users: SideState
    items: SideState


def sample(
    users: Codes,
    items: Codes,
    ratings: Array,
    weights: Array | None,
    n_users: int,
    n_items: int,
    user_features: Array | None,
    item_features: Array | None,
    plan: GibbsPlan,
    rng: np.random.Generator,
    start: GibbsState | None = None,
    on_sweep: Callable[[int], None] | None = None,
) -> tuple[Posterior, GibbsState]:
    """Run one chain; return the kept samples, in the units of the ratings, and the state from which to continue it.

    `n_users` and `n_items` count row 0, the unknown id, and rows without ratings. `weights` multiply the precision of
    ratings. Features are centred numbers, (n_rows, n_features), with a row 0 of zeros. `start` is the state of an
    earlier chain with as many factors; rows that are new start at their prior mean. `on_sweep` gets the number of each
    sweep.
    """
    # The matrix products are small, so that one thread is as fast, and sums do not depend on the number of cores.
    with _one_blas_thread():
        sides = (
            _Side(users, items, weights, (n_users, n_items), user_features, plan),
            _Side(items, users, weights, (n_items, n_users), item_features, plan),
        )
        chain = _Chain(sides, users, items, ratings, weights, plan)
        chain.start(start, rng)
        posterior = _run(chain, plan, rng, on_sweep)
        return posterior, chain.state()


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread in the whole process until the last of the concurrent chains has ended."""
    global _n_limited, _limit
    with _LOCK:
        _n_limited += 1
        if _n_limited == 1:
            _limit = threadpool_limits(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _LOCK:
            _n_limited -= 1
            if _n_limited == 0 and _limit is not None:
                _limit.restore_original_limits()


def _run(chain: _Chain, plan: GibbsPlan, rng: np.random.Generator, on_sweep: Callable[[int], None] | None) -> Posterior:
    places = {sweep: place for place, sweep in enumerate(plan.kept_sweeps())}
    # Noise of the kept sweeps, with mean 0 over sweeps; the drawn rows overwrite it.
    rows = [kept_noise(len(places), side.rated, side.rows.shape[1], rng) for side in chain.sides]
    samples: list[dict[str, Array]] = []
    for sweep in range(plan.n_sweeps):
        place = places.get(sweep)
        scatter = _BURN_IN_SCATTER if sweep < plan.n_burn_in // 2 else _SCATTER
        if place is None:
            chain.sweep([rng.standard_normal(side.rows.shape) for side in chain.sides], scatter, rng)
        else:
            chain.sweep([noise[place].astype(np.float64) for noise in rows], scatter, rng)
            for side, side_rows in zip(chain.sides, rows, strict=True):
                side_rows[place] = side.rows * chain.units
            samples.append(chain.sample())
        if on_sweep is not None:
            on_sweep(sweep)
    return chain.posterior(rows, samples)


class _Side:
    """One side of a chain, users or items: rows, their prior, and the ratings by row."""

    def __init__(
        self,
        codes: Codes,
        others: Codes,
        weights: Array | None,
        shape: tuple[int, int],
        features: Array | None,
        plan: GibbsPlan,
    ) -> None:
        width = plan.n_factors + 1
        self.ratings = RatingMatrix(codes, others, np.ones(len(codes)) if weights is None else weights, shape)
        self.rated = self.ratings.counts > 0
        self.rows: Array = np.zeros((shape[0], width))
        self.prior: Array = np.zeros((shape[0], width))
        self.intercept: Array = np.zeros(width)
        self.factor: Array = np.eye(width)
        self.noise: Array = np.ones(shape[0])
        self.features: Effects | None = None
        self.history: Effects | None = None
        if features is not None and features.shape[1]:
            self.features = Effects.build(np.asarray(features, dtype=np.float64), self.rated, width)
        if plan.history:
            self.history = Effects.build(history_matrix(codes, others, shape), self.rated, width)

    @property
    def effects(self) -> list[Effects]:
        return [effects for effects in (self.features, self.history) if effects is not None]

    def start(self, state: SideState) -> None:
        """Continue from a state; new rows start at their prior mean."""
        self.intercept, self.factor = state.intercept.copy(), state.factor.copy()
        if self.features is not None and state.feature_weights is not None:
            self.features.start(state.feature_weights, state.feature_strength)
        if self.history is not None and state.history_weights is not None:
            self.history.start(state.history_weights, state.history_strength)
        self.prior = self.intercept + sum((effects.values for effects in self.effects), np.zeros_like(self.rows))
        self.rows = self.prior.copy()
        self.rows[: len(state.rows)] = state.rows
        self.noise[: len(state.noise)] = state.noise

    def state(self) -> SideState:
        state = SideState(self.rows, self.intercept, self.factor, self.noise)
        if self.features is not None:
            state.feature_weights, state.feature_strength = self.features.weights, self.features.strength
        if self.history is not None:
            state.history_weights, state.history_strength = self.history.weights, self.history.strength
        return state

    def draw_rows(self, other: _Side, noise_precision: float, noise: Array) -> Array:
        """Draw the rows, and return the squared error of each row's ratings."""
        precision = self.factor @ self.factor.T
        self.rows, errors = draw_rows(
            self.ratings, other.rows, self.prior, precision, noise_precision * self.noise, other.noise, noise
        )
        return errors

    def draw_noise(self, errors: Array, freedom: float, rng: np.random.Generator) -> None:
        """Draw the relative precision of the noise of each row (Lakshminarayanan et al. 2011, eq. 5)."""
        self.noise = rng.gamma((freedom + self.ratings.counts) / 2) / ((freedom + errors) / 2)
        # A row without ratings gets the noise variance of the average row.
        self.noise[~self.rated] = 1 / np.mean(1 / self.noise[self.rated])

    def draw_prior(self, scatter: float, rng: np.random.Generator) -> None:
        """Draw intercept and precision given the effects, then each effect given the rest."""
        values = [effects.values for effects in self.effects]
        rest = self.rows - sum(values, np.zeros_like(self.rows))
        self.intercept, self.factor = draw_normal_wishart(rest[self.rated], self.effects, scatter, rng)
        rest -= self.intercept
        for effects, before in zip(self.effects, values, strict=True):
            rest += before
            effects.draw(np.where(self.rated[:, None], rest, 0.0), self.factor, rng)
            effects.draw_strength(self.factor, rng)
            rest -= effects.values
        self.prior = self.rows - rest


class _Chain:
    """A chain: both sides, the common noise and, for ordinal ratings, cutpoints and latent ratings."""

    def __init__(
        self,
        sides: tuple[_Side, _Side],
        users: Codes,
        items: Codes,
        ratings: Array,
        weights: Array | None,
        plan: GibbsPlan,
    ) -> None:
        self.sides, self.users, self.items, self.ratings, self.weights = sides, users, items, ratings, weights
        self.mean, self.scale, self.noise_precision = 0.0, 1.0, 1.0
        self.levels: Array | None = None
        self.cutpoints: Array | None = None
        if plan.likelihood == "ordinal":
            self.levels, self.ranks = np.unique(ratings, return_inverse=True)
            self.spreads = 1.0 if weights is None else 1 / np.sqrt(np.maximum(weights, 1e-12))
        else:
            self.mean = float(np.average(ratings, weights=weights))
            spread = float(np.sqrt(np.average((ratings - self.mean) ** 2, weights=weights)))
            # A spread within rounding errors means that all ratings are equal.
            self.scale = spread if spread > 1e-9 * max(abs(self.mean), 1e-9) else 1.0
        self.has_own_noise = plan.likelihood == "normal" and abs(self.skewness()) <= _MOST_SKEWNESS

    def skewness(self) -> float:
        """Return the skewness of the ratings; 0 for the ordinal likelihood."""
        return 0.0 if self.levels is not None else float((((self.ratings - self.mean) / self.scale) ** 3).mean())

    @property
    def units(self) -> Array:
        """Factors that convert a row from the scale of the chain to the units of the ratings."""
        width = self.sides[0].rows.shape[1]
        return np.concatenate([[self.scale], np.full(width - 1, np.sqrt(self.scale))])

    def start(self, state: GibbsState | None, rng: np.random.Generator) -> None:
        users, items = self.sides
        if state is None:
            items.rows[:, 1:] = _START_SPREAD * rng.standard_normal((len(items.rows), items.rows.shape[1] - 1))
        else:
            self.mean, self.scale, self.noise_precision = state.mean, state.scale, state.noise_precision
            users.start(state.users)
            items.start(state.items)
        if self.levels is None:
            targets = (self.ratings - self.mean) / self.scale
            for side in self.sides:
                side.ratings.set_targets(targets)
        elif state is not None and state.cutpoints is not None and len(state.cutpoints) == len(self.levels) - 1:
            self.cutpoints = state.cutpoints.copy()
        else:
            self.cutpoints = start_cutpoints(self.ranks, len(self.levels))

    def sweep(self, noise: list[Array], scatter: float, rng: np.random.Generator) -> None:
        """Draw all unknowns once."""
        users, items = self.sides
        if self.cutpoints is not None:
            self.cutpoints = self._draw_latents(self.cutpoints, rng)
        errors = users.draw_rows(items, self.noise_precision, noise[0])
        if self.has_own_noise:
            users.draw_noise(self.noise_precision * errors, _USER_FREEDOM, rng)
        users.draw_prior(scatter, rng)
        errors = items.draw_rows(users, self.noise_precision, noise[1])
        if self.has_own_noise:
            items.draw_noise(self.noise_precision * errors, _ITEM_FREEDOM, rng)
        if self.cutpoints is None:
            total = float(np.sum(errors * items.noise))
            self.noise_precision = rng.gamma(1 + len(self.ratings) / 2) / ((1 + total) / 2)
        items.draw_prior(scatter, rng)

    def _draw_latents(self, cutpoints: Array, rng: np.random.Generator) -> Array:
        users, items = self.sides[0].rows[self.users], self.sides[1].rows[self.items]
        means = users[:, 0] + items[:, 0] + np.einsum("nk,nk->n", users[:, 1:], items[:, 1:])
        latents, cutpoints = draw_latents_and_cutpoints(means, self.spreads, self.ranks, cutpoints, rng)
        for side in self.sides:
            side.ratings.set_targets(latents)
        return cutpoints

    def sample(self) -> dict[str, Array]:
        """Return the sample of all unknowns except the rows, in the units of the ratings."""
        kept: dict[str, Array] = {"noise_precision": np.asarray(self.noise_precision / self.scale**2)}
        if self.cutpoints is not None:
            kept["cutpoints"] = self.cutpoints
        for name, side in zip(("user", "item"), self.sides, strict=True):
            kept[f"{name}_noise"] = side.noise.astype(np.float32)
            kept[f"{name}_intercept"] = side.intercept * self.units
            kept[f"{name}_precision"] = side.factor @ side.factor.T / np.outer(self.units, self.units)
            if side.features is not None:
                kept[f"{name}_feature_weights"] = (side.features.weights * self.units).astype(np.float32)
            if side.history is not None:
                kept[f"{name}_history_weights"] = (side.history.weights * self.units).astype(np.float32)
        return kept

    def posterior(self, rows: list[Array], samples: list[dict[str, Array]]) -> Posterior:
        def stacked(name: str) -> Array | None:
            return np.stack([kept[name] for kept in samples]) if name in samples[0] else None

        def prior(name: str) -> SidePrior:
            parts = ("intercept", "precision", "feature_weights", "history_weights")
            return SidePrior(*(stacked(f"{name}_{part}") for part in parts))  # type: ignore[arg-type]

        return Posterior(
            mean=np.full(len(samples), self.mean),
            users=rows[0],
            items=rows[1],
            noise_precision=np.array([kept["noise_precision"] for kept in samples]),
            user_noise=np.stack([kept["user_noise"] for kept in samples]),
            item_noise=np.stack([kept["item_noise"] for kept in samples]),
            user_prior=prior("user"),
            item_prior=prior("item"),
            cutpoints=stacked("cutpoints"),
            levels=self.levels,
        )

    def state(self) -> GibbsState:
        users, items = (side.state() for side in self.sides)
        return GibbsState(self.mean, self.scale, self.noise_precision, self.cutpoints, users, items)
