"""Draws of a Gibbs sweep: rows given their ratings, and the priors of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.sparse import csr_matrix, issparse
from scipy.special import ndtr, ndtri
from sklearn.utils.extmath import randomized_svd

Array = NDArray[np.floating]
Codes = NDArray[np.integer]

# Number of rows drawn at once, so that their (k + 1, k + 1) matrices stay in the cache.
_ROWS_AT_A_TIME = 2048
# Number of ratings from which on a thread pays off, and the cost of a row in ratings.
_WORTH_A_THREAD = 200_000
_COST_OF_A_ROW = 30
# If a history has more rows and columns, only its leading singular vectors are used.
_EXACT_DIRECTIONS = 2000
_LEADING_DIRECTIONS = 200
# Damping of short histories; without it, the rated item of a first rating moved the row more than its value.
_DAMPING = 10
_ROOT_TWO_PI = np.sqrt(2 * np.pi)
# The prior of cutpoints is N(0, 10²): wide compared with the unit noise, but cutpoints of rare ranks stay finite.
_CUTPOINT_PRECISION = 0.01
_LEAST_SHARE = 1e-300


def cholesky(precision: Array) -> Array:
    """Compute the Cholesky factors of many small matrices, which are stacked along the last axis."""
    rest = precision.copy()
    for j in range(len(rest)):
        rest[j, j] = np.sqrt(rest[j, j])
        rest[j + 1 :, j] /= rest[j, j]
        for i in range(j + 1, len(rest)):
            rest[i:, i] -= rest[i:, j] * rest[i, j]
    return rest


def forward(factor: Array, right: Array) -> Array:
    """Solve ``L x = right`` for matrices along the last axis; only the lower triangle of `factor` is read."""
    solution = right.copy()
    for j in range(len(solution)):
        solution[j] /= factor[j, j]
        solution[j + 1 :] -= factor[j + 1 :, j] * solution[j]
    return solution


def backward(factor: Array, right: Array) -> Array:
    """Solve ``L' x = right`` for matrices along the last axis; only the lower triangle of `factor` is read."""
    solution = right.copy()
    for j in reversed(range(len(solution))):
        solution[j] /= factor[j, j]
        solution[:j] -= factor[j, :j] * solution[j]
    return solution


class RatingMatrix:
    """Ratings of one side as sparse matrices, whose products sum over the ratings of each row.

    `weights` holds the weight of each rating, `targets` weight times rating and `squares` weight times its square, in
    the same places.
    """

    def __init__(self, rows: Codes, others: Codes, weights: Array, shape: tuple[int, int]) -> None:
        # Repeated pairs count several times; csr_matrix keeps them if it is given row starts.
        self._order = np.argsort(rows, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
        self.counts = np.diff(starts)
        self.weights = csr_matrix((weights[self._order], others[self._order], starts), shape=shape)
        self.blocks = _share_out(starts)

    def set_targets(self, targets: Array) -> None:
        """Set the ratings, which change in every sweep of an ordinal model, where they are latent."""
        targets = targets[self._order]
        places = (self.weights.indices, self.weights.indptr)
        self.targets = csr_matrix((self.weights.data * targets, *places), shape=self.weights.shape)
        self.squares = csr_matrix((self.targets.data * targets, *places), shape=self.weights.shape)


def _share_out(starts: Array) -> list[slice]:
    """Divide the rows into blocks of about equal cost, at least one per core if that pays off."""
    n_rows = len(starts) - 1
    n_blocks = max(-(-n_rows // _ROWS_AT_A_TIME), min(os.cpu_count() or 1, -(-int(starts[-1]) // _WORTH_A_THREAD)))
    # Rows without ratings have a cost, too.
    cost = starts + _COST_OF_A_ROW * np.arange(n_rows + 1)
    edges = np.searchsorted(cost, cost[-1] * np.arange(n_blocks + 1) / n_blocks)
    return [slice(start, stop) for start, stop in pairwise(np.unique(edges))]


def run_in_threads(work: Callable[[slice], None], blocks: list[slice]) -> None:
    """Run the work on each block of rows in threads; numpy and scipy release the GIL."""
    if len(blocks) == 1:
        work(blocks[0])
        return
    with ThreadPoolExecutor(min(len(blocks), os.cpu_count() or 1)) as pool:
        for _ in pool.map(work, blocks):
            pass


def draw_rows(
    ratings: RatingMatrix,
    others: Array,
    prior: Array,
    precision: Array,
    noise_precision: Array,
    other_precision: Array,
    noise: Array,
) -> tuple[Array, Array]:
    """Draw every row of one side given the other side (Salakhutdinov & Mnih 2008, eq. 11-13).

    A row, (k + 1,), holds a bias and factors. It multiplies ``z = (1, factors of the other)``, and the bias of the
    other is subtracted from the rating. Rows without ratings are draws from their prior, whose mean is `prior`,
    (n_rows, k + 1), and whose `precision`, (k + 1, k + 1), all rows share. The precision of a rating is
    `noise_precision` of its row times `other_precision` times its weight. `noise` has standard normal numbers. Returns
    the rows, and the squared errors of each row's ratings, (n_rows,), summed with their weights and precisions.
    """
    width = prior.shape[1]
    design = np.column_stack([np.ones(len(others)), others[:, 1:], others[:, 0]])
    trusted = design * other_precision[:, None]
    left, right = np.triu_indices(width + 1)
    products = trusted[:, left] * design[:, right]
    place = np.zeros((width + 1, width + 1), dtype=np.intp)
    place[left, right] = place[right, left] = np.arange(len(left))
    rows, errors = np.empty_like(prior), ratings.squares @ other_precision

    def draw(some: slice) -> None:
        moments = np.ascontiguousarray((ratings.weights[some] @ products).T)
        sums = (ratings.targets[some] @ trusted).T
        gram = moments[place[:-1, :-1]]
        signal = sums[:-1] - moments[place[:-1, -1]]
        factor = cholesky(noise_precision[some] * gram + precision[:, :, None])
        whitened = forward(factor, noise_precision[some] * signal + precision @ prior[some].T)
        drawn = backward(factor, whitened + noise[some].T)
        errors[some] += moments[place[-1, -1]] - 2 * sums[-1]
        errors[some] += np.sum((np.einsum("ijn,jn->in", gram, drawn) - 2 * signal) * drawn, axis=0)
        rows[some] = drawn.T

    run_in_threads(draw, ratings.blocks)
    return rows, np.maximum(errors, 0.0)


@dataclass
class Effects:
    """The part of the prior means of rows that is linear in known columns (Macau, Simm et al. 2017).

    The columns are a side table or the history, which are the rated pairs (SVD++, Koren 2008, as a prior). They are
    constant, so the decomposition ``columns = basis * singular @ directions`` is computed once. It makes the weights
    independent, so that a draw costs two products.
    """

    basis: Array  # (n_rows, rank)
    singular: Array  # (rank,)
    directions: Array  # (rank, n_columns)
    coefficients: Array  # (rank, k + 1)
    strength: float = 1.0  # precision of the weights, relative to that of the rows

    @classmethod
    def build(cls, columns: Array | csr_matrix, rated: NDArray[np.bool_], width: int) -> Effects:
        """Decompose the columns of the rated rows; the other rows get their coordinates in the same basis."""
        singular, directions = _decompose(columns[rated])
        # float32, as the basis is as large as the columns and is only used in products.
        basis = np.asarray((columns @ directions.T) / singular, dtype=np.float32)
        return cls(basis, singular, directions, np.zeros((len(singular), width)))

    def start(self, weights: Array, strength: float) -> None:
        """Continue from the weights of an earlier chain; new columns have weight 0."""
        self.coefficients, self.strength = self.directions[:, : len(weights)] @ weights, strength

    @property
    def values(self) -> Array:
        """The effect on each row: (n_rows, k + 1)."""
        return np.asarray(self.basis @ (self.singular[:, None] * self.coefficients).astype(np.float32), np.float64)

    @property
    def weights(self) -> Array:
        """The weight of each column: (n_columns, k + 1)."""
        return self.directions.T @ self.coefficients

    def draw(self, residual: Array, factor: Array, rng: np.random.Generator) -> None:
        """Draw the weights given the residual of the rest of the prior, 0 for rows without ratings."""
        variance = 1 / (self.singular**2 + self.strength)
        target = np.asarray(self.basis.T @ residual.astype(np.float32), np.float64)
        noise = rng.standard_normal(self.coefficients.shape)
        noise = solve_triangular(factor, noise.T, lower=True, trans=1).T
        self.coefficients = (variance * self.singular)[:, None] * target + np.sqrt(variance)[:, None] * noise

    def draw_strength(self, factor: Array, rng: np.random.Generator) -> None:
        """Draw the precision of the weights from its Gamma conditional."""
        size = np.sum((self.coefficients @ factor) ** 2)
        self.strength = rng.gamma(1 + self.coefficients.size / 2) / (1 + size / 2)


def _decompose(columns: Array | csr_matrix) -> tuple[Array, Array]:
    """Return the singular values and right singular vectors, only the leading ones of a large matrix."""
    if min(columns.shape) > _EXACT_DIRECTIONS:
        _, singular, directions = randomized_svd(columns, _LEADING_DIRECTIONS, n_iter=4, random_state=0)
        kept = singular > 1e-4 * singular.max(initial=0)
        return singular[kept], directions[kept]
    # Both follow from the smaller of the two Gram matrices.
    tall = columns.shape[0] >= columns.shape[1]
    gram = columns.T @ columns if tall else columns @ columns.T
    values, vectors = np.linalg.eigh(gram.toarray() if issparse(gram) else gram)  # type: ignore[union-attr]
    kept = values > 1e-8 * values.max(initial=0)
    singular, vectors = np.sqrt(values[kept]), vectors[:, kept]
    directions = vectors.T if tall else (columns.T @ vectors / singular).T
    return singular, np.ascontiguousarray(directions)


def history_matrix(rows: Codes, others: Codes, shape: tuple[int, int]) -> csr_matrix:
    """Return the 0/1 matrix of rated pairs, each row divided by the root of its damped count (Koren 2008, eq. 15)."""
    matrix = csr_matrix((np.ones(len(rows)), (rows, others)), shape=shape)
    matrix.sum_duplicates()
    counts = np.diff(matrix.indptr)
    matrix.data = np.repeat(1 / np.sqrt(counts + _DAMPING), counts)
    return matrix


def draw_normal_wishart(
    rows: Array, effects: list[Effects], scatter: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw the intercept and the Cholesky factor of the precision shared by the rows (BPMF, eq. 14; Macau, eq. 7).

    `rows` is the residual of the rated rows after the effects. The weights of the effects have the rows' precision
    times their strength, so they count as further rows of mean 0. `scatter` is added to theirs by the Wishart prior.
    """
    n_rows, width = rows.shape
    # The intercept has the precision of one further row of mean 0, hence the + 1.
    mean = rows.sum(axis=0) / (n_rows + 1)
    total = scatter * np.eye(width) + rows.T @ rows - (n_rows + 1) * np.outer(mean, mean)
    freedom = width + 1 + n_rows
    for effect in effects:
        total += effect.strength * effect.coefficients.T @ effect.coefficients
        freedom += len(effect.coefficients)
    factor = _draw_wishart_factor(total, freedom, rng)
    noise = solve_triangular(factor, rng.standard_normal(width), lower=True, trans=1)
    return mean + noise / np.sqrt(n_rows + 1), factor


def _draw_wishart_factor(scatter: Array, freedom: float, rng: np.random.Generator) -> Array:
    """Lower Cholesky factor of a Wishart draw whose scale is the inverse of `scatter` (Bartlett's decomposition)."""
    width = len(scatter)
    bartlett = np.tril(rng.standard_normal((width, width)), -1)
    bartlett[np.diag_indices(width)] = np.sqrt(rng.chisquare(freedom - np.arange(width)))
    root = solve_triangular(np.linalg.cholesky(scatter), bartlett, lower=True, trans=1)
    return np.linalg.cholesky(root @ root.T)


def matched_noise(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Draw standard normal noise of S samples with mean exactly 0 over samples and variance 1.

    Every second sample has the negated noise of the sample before (antithetic variates). Neighbouring samples have
    similar factors and precisions, so that the noise nearly cancels in means of products too. If S is odd, the last
    sample has no noise.
    """
    n_pairs = shape[0] // 2
    half = rng.standard_normal((n_pairs, *shape[1:]), dtype=np.float32)
    if n_pairs:
        half *= np.sqrt(shape[0] / 2 / np.maximum(np.sum(half**2, axis=0), np.finfo(np.float32).tiny))
    noise = np.zeros(shape, dtype=np.float32)
    noise[0 : 2 * n_pairs : 2] = half
    noise[1 : 2 * n_pairs : 2] = -half
    return noise


def kept_noise(n_samples: int, rated: NDArray[np.bool_], width: int, rng: np.random.Generator) -> Array:
    """Draw standard normal noise for the rows of S samples of a chain, with mean 0 and variance 1 over samples.

    Rows with ratings affect the next sweep, so their noise is only shifted and scaled, with a correlation of -1 / (S -
    1) between samples. Rows without ratings do not, and get `matched_noise`.
    """
    noise = rng.standard_normal((n_samples, len(rated), width), dtype=np.float32)
    noise -= noise.mean(axis=0)
    noise /= np.maximum(noise.std(axis=0), np.finfo(np.float32).tiny)
    noise[:, ~rated] = matched_noise((n_samples, int(np.sum(~rated)), width), rng)
    return noise


def start_cutpoints(ranks: NDArray[np.integer], n_levels: int) -> Array:
    """Return initial cutpoints, by which each rank has its share of the ratings if all latent means are 0."""
    shares = np.cumsum(np.bincount(ranks, minlength=n_levels)) / len(ranks)
    return ndtri(shares[:-1])


def probabilities(latent: Array, cutpoints: Array) -> Array:
    """Return the probability of each rank, shape (..., n_levels)."""
    above = ndtr(np.expand_dims(latent, -1) - cutpoints)
    ones = np.ones((*above.shape[:-1], 1))
    return np.concatenate([ones, above], axis=-1) - np.concatenate([above, 0 * ones], axis=-1)


def draw_latents_and_cutpoints(
    means: Array, spreads: Array | float, ranks: NDArray[np.integer], cutpoints: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw cutpoints by a Metropolis step with latents integrated out, then the latents given the cutpoints.

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
        # By symmetry, intervals right of 0 are mirrored to the left tail, which is accurate in floating point.
        self.flipped = lower > -upper
        self.lower, self.upper = np.where(self.flipped, -upper, lower), np.where(self.flipped, -lower, upper)
        self.below = ndtr(self.lower)
        self.share = np.maximum(ndtr(self.upper) - self.below, _LEAST_SHARE)
        self.log_density = float(np.sum(np.log(self.share)) - _CUTPOINT_PRECISION / 2 * np.sum(cutpoints**2))
        self._climb()

    def _climb(self) -> None:
        """Set the centre and precision of the proposal by a Newton step on the concave log density."""
        n_levels = len(self.cutpoints) + 1
        low, high = _density(self.lower) / self.share, _density(self.upper) / self.share
        low_bend = low**2 - np.where(low > 0, self.lower, 0.0) * low
        high_bend = high**2 + np.where(high > 0, self.upper, 0.0) * high
        # Undo the mirroring: which edge is the lower one, and the sign of its slope.
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
        """Return the log density of the proposal at `cutpoints`, up to a constant."""
        return float(np.sum(np.log(np.diag(self.root))) - np.sum((self.root.T @ (cutpoints - self.center)) ** 2) / 2)

    def draw_latents(self, rng: np.random.Generator) -> Array:
        """Draw truncated normal latents by inverting their distribution function."""
        latent = ndtri(np.maximum(self.below + rng.random(len(self.share)) * self.share, _LEAST_SHARE))
        # If an interval is so far out that its probability underflows, its inner edge is used, near which its mass
        # lies.
        latent = np.clip(latent, self.lower, self.upper)
        return self.means + self.spreads * np.where(self.flipped, -latent, latent)


def _density(values: Array) -> Array:
    return np.exp(-(values**2) / 2) / _ROOT_TWO_PI
