"""`Posterior`: samples of a Bayesian factorisation, and predictions for known and new ids."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from tabrec.collab.gibbs_draws import (
    RatingMatrix,
    draw_latents,
    draw_rows,
    history_matrix,
    matched_noise,
    probabilities,
)
from tabrec.collab.interactions import Interactions

Array = NDArray[np.floating]
Codes = NDArray[np.integer]
Side = Literal["user", "item"]

# Number of rounds of latents and rows to draw a new row of an ordinal model, which mixes quickly.
_FOLD_IN_ROUNDS = 15
# Number of points of the table of expected ratings by latent mean.
_TABLE_SIZE = 2001


@dataclass
class SidePrior:
    """Parameters of the prior of the rows of one side, for each of S samples."""

    intercept: Array  # (S, k + 1)
    precision: Array  # (S, k + 1, k + 1)
    feature_weights: Array | None = None  # (S, n_features, k + 1)
    history_weights: Array | None = None  # (S, n_others, k + 1)


@dataclass
class Posterior:
    """The arrays of S samples that predictions need.

    A row starts with the bias, followed by the factors, and includes the effects of features and history. For the
    ordinal likelihood, rows and intercepts are on the latent scale, whose noise has precision 1.
    """

    mean: Array  # (S,)
    users: Array  # (S, n_users, k + 1), float32
    items: Array  # (S, n_items, k + 1), float32
    noise_precision: Array  # (S,)
    user_noise: Array  # (S, n_users), float32; the precision of a rating is the product of this and the two others
    item_noise: Array  # (S, n_items), float32
    user_prior: SidePrior
    item_prior: SidePrior
    cutpoints: Array | None = None  # (S, n_levels - 1)
    levels: Array | None = None  # (n_levels,), the distinct ratings

    def of(self, side: Side) -> tuple[Array, Array, SidePrior]:
        """Return the rows, the relative noise precision and the prior of one side."""
        if side == "user":
            return self.users, self.user_noise, self.user_prior
        return self.items, self.item_noise, self.item_prior


def feature_effects(posterior: Posterior, side: Side, features: Array) -> Array:
    """Return the part of rows that features explain: (S, n_rows, k + 1)."""
    weights = posterior.of(side)[2].feature_weights
    if weights is None:
        samples, width = posterior.of(side)[2].intercept.shape
        return np.zeros((samples, len(features), width))
    return np.asarray(features, dtype=np.float64) @ weights


def prior_rows(
    posterior: Posterior, side: Side, features: Array | None = None, history: csr_matrix | None = None, n_new: int = 1
) -> Array:
    """Return the prior mean of new rows, (S, n_new, k + 1), given features and a `history_matrix`.

    Without features, it is the average row. `n_new` is the number of rows if neither is given.
    """
    prior = posterior.of(side)[2]
    n_new = next((part.shape[0] for part in (features, history) if part is not None), n_new)
    rows = np.repeat(np.asarray(prior.intercept, dtype=np.float64)[:, None], n_new, axis=1)
    if features is not None:
        rows += feature_effects(posterior, side, features)
    if history is not None and prior.history_weights is not None:
        for row, weights in zip(rows, prior.history_weights, strict=True):
            row += history[:, : len(weights)] @ weights
    return rows


def fold_in(
    posterior: Posterior,
    side: Side,
    codes_of_other_side: Codes,
    ratings: Array,
    row_index: Codes,
    n_new: int,
    features: Array | None = None,
    *,
    weights: Array | None = None,
    own_codes: Codes | None = None,
    rngs: Sequence[np.random.Generator],
) -> Array:
    """Draw new rows given their ratings, once for each sample: (S, n_new, k + 1).

    Each rating has the code of the id that was rated, and the new row it belongs to (`row_index`, 0 to ``n_new - 1``);
    for the ordinal likelihood it must be one of ``posterior.levels``. Rows without ratings are draws from their prior.
    `own_codes`, (n_new,), are the codes of rows that are drawn again, whose noise is known; `weights` multiply the
    precision of ratings.
    Each row has a generator in `rngs`, so that it does not depend on the other rows.
    """
    if posterior.cutpoints is not None and n_new > 1:
        rows = []
        for new, rng in enumerate(rngs):
            own = row_index == new
            of_row = None if features is None else features[new : new + 1]
            place = np.zeros(int(own.sum()), dtype=np.intp)
            given = codes_of_other_side[own], ratings[own], place, 1, of_row
            rows.append(fold_in(posterior, side, *given, weights=None if weights is None else weights[own], rngs=[rng]))
        return np.concatenate(rows, axis=1)
    others, other_noise, _ = posterior.of("item" if side == "user" else "user")
    _, noise, prior = posterior.of(side)
    history = history_matrix(row_index, codes_of_other_side, (n_new, others.shape[1]))
    means = prior_rows(posterior, side, features, history)
    # Only the rows of rated ids are used.
    seen, codes = np.unique(codes_of_other_side, return_inverse=True)
    rated = RatingMatrix(row_index, codes, np.ones(len(ratings)) if weights is None else weights, (n_new, len(seen)))
    own_codes = np.zeros(n_new, dtype=np.intp) if own_codes is None else own_codes
    noise_of_rows = [matched_noise((len(means), 1, means.shape[2]), rng) for rng in rngs]
    draws = np.concatenate(noise_of_rows, axis=1)
    for s, place in enumerate(draws):
        precisions = posterior.noise_precision[s] * noise[s, own_codes].astype(np.float64)
        known = (others[s, seen].astype(np.float64), prior.precision[s], precisions, other_noise[s, seen])
        if posterior.cutpoints is None:
            rated.set_targets(ratings - posterior.mean[s])
        else:
            _settle_latents(rated, ratings, (row_index, codes), known, means[s], posterior, s, rngs[0])
        place[:] = draw_rows(rated, known[0], means[s], *known[1:], np.asarray(place, dtype=np.float64))[0]
    return draws


def extended(posterior: Posterior, n_users: int, n_items: int) -> Posterior:
    """Return a copy with more users and items, whose rows are prior means without features and history."""
    made = copy.copy(posterior)
    for side, n_codes in (("users", n_users), ("items", n_items)):
        kind: Side = "user" if side == "users" else "item"
        rows, noise, prior = posterior.of(kind)
        new = prior.intercept[:, None].astype(rows.dtype).repeat(n_codes - rows.shape[1], axis=1)
        setattr(made, side, np.concatenate([rows, new], axis=1))
        setattr(made, f"{kind}_noise", np.pad(noise, ((0, 0), (0, new.shape[1])), constant_values=1.0))
        getattr(made, f"{kind}_noise")[:, noise.shape[1] :] = noise[:, :1]
    return made


def redraw(
    posterior: Posterior,
    side: Side,
    codes: Codes,
    ratings: Interactions,
    features: Array | None,
    rngs: Sequence[np.random.Generator],
) -> None:
    """Draw the rows of some ids, in ascending order, given all their ratings, into the arrays of the posterior."""
    own, others = (ratings.users, ratings.items) if side == "user" else (ratings.items, ratings.users)
    rows = np.flatnonzero(np.isin(own, codes))
    drawn = fold_in(
        posterior,
        side,
        others[rows],
        ratings.values[rows],
        np.searchsorted(codes, own[rows]),
        len(codes),
        None if features is None else features[codes],
        weights=None if ratings.weights is None else ratings.weights[rows],
        own_codes=codes,
        rngs=rngs,
    )
    posterior.of(side)[0][:, codes] = drawn


def _settle_latents(
    rated: RatingMatrix,
    ratings: Array,
    places: tuple[Codes, Codes],
    known: tuple[Array, Array, Array, Array],
    prior: Array,
    posterior: Posterior,
    s: int,
    rng: np.random.Generator,
) -> None:
    """Draw latent ratings and rows in turn, starting from the prior mean; the last latents stay in `rated`."""
    assert posterior.levels is not None
    assert posterior.cutpoints is not None
    others, precision, noise_precision, other_precision = known
    ranks, rows = np.searchsorted(posterior.levels, ratings), prior
    for _ in range(_FOLD_IN_ROUNDS):
        latent_means = _latent_means(rows[places[0]], others[places[1]])
        rated.set_targets(draw_latents(latent_means, 1.0, ranks, posterior.cutpoints[s], rng))
        rows, _ = draw_rows(
            rated, others, prior, precision, noise_precision, other_precision, rng.standard_normal(prior.shape)
        )


def predict_pairs(posterior: Posterior, user_codes: Codes, item_codes: Codes) -> tuple[Array, Array]:
    """Return the mean and variance of the ratings of pairs; the variance includes uncertainty and noise."""
    total, squares, noise = (np.zeros(len(user_codes)) for _ in range(3))
    for s in range(len(posterior.mean)):
        latent = posterior.mean[s] + _latent_means(posterior.users[s, user_codes], posterior.items[s, item_codes])
        if posterior.cutpoints is None or posterior.levels is None:
            precision = posterior.noise_precision[s] * posterior.user_noise[s, user_codes]
            noise += 1 / (precision * posterior.item_noise[s, item_codes])
            mean = latent
        else:
            shares = probabilities(latent, posterior.cutpoints[s])
            mean = shares @ posterior.levels
            noise += shares @ posterior.levels**2 - mean**2
        total += mean
        squares += mean**2
    n_samples = len(posterior.mean)
    mean = total / n_samples
    return mean, np.maximum(squares / n_samples - mean**2, 0.0) + noise / n_samples


def score_block(posterior: Posterior, user_codes: Codes, item_codes: Codes) -> Array:
    """Return the mean ratings of all pairs of users and items: (len(user_codes), len(item_codes))."""
    users, items = posterior.users[:, user_codes], posterior.items[:, item_codes]
    if posterior.cutpoints is not None:
        return _score_ordinal_block(posterior, users, items)
    n_samples = len(users)
    # The mean over samples of the products of factors is one product of concatenated factors.
    left, right = (rows[:, :, 1:].transpose(1, 0, 2).reshape(rows.shape[1], -1) for rows in (users, items))
    biases = users[:, :, 0].mean(axis=0)[:, None] + items[:, :, 0].mean(axis=0)
    return left @ right.T / n_samples + biases + posterior.mean.mean()


def _score_ordinal_block(posterior: Posterior, users: Array, items: Array) -> Array:
    assert posterior.levels is not None
    assert posterior.cutpoints is not None
    scores = np.zeros((users.shape[1], items.shape[1]))
    for s, cutpoints in enumerate(posterior.cutpoints):
        latent = users[s, :, 1:] @ items[s, :, 1:].T + users[s, :, :1] + items[s, :, 0]
        low, high = (cutpoints[0], cutpoints[-1]) if len(cutpoints) else (0.0, 0.0)
        points = np.linspace(low - 6, high + 6, _TABLE_SIZE)
        scores += np.interp(latent, points, probabilities(points, cutpoints) @ posterior.levels)
    return scores / len(posterior.cutpoints)


def _latent_means(users: Array, items: Array) -> Array:
    """Return the bias of the user and of the item, and the product of their factors."""
    products = np.einsum("nk,nk->n", users[:, 1:], items[:, 1:], dtype=np.float64)
    return users[:, 0] + items[:, 0] + products
