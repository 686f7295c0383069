"""The Gibbs sampler: recovery of known parameters, conditional distributions, and degenerate data."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from tabrec.collab.gibbs import GibbsPlan, sample
from tabrec.collab.gibbs_draws import (
    Effects,
    RatingMatrix,
    backward,
    cholesky,
    draw_latents,
    draw_latents_and_cutpoints,
    draw_normal_wishart,
    draw_rows,
    forward,
    history_matrix,
    matched_noise,
    probabilities,
    start_cutpoints,
)
from tabrec.collab.posterior import feature_effects, fold_in, predict_pairs, prior_rows, score_block

SHORT = GibbsPlan(n_factors=2, n_sweeps=12, n_burn_in=4, n_kept=8)
N_USERS, N_ITEMS = 61, 41


def planted(seed: int = 0, noise: float = 0.3, share: float = 0.5):
    """Ratings of a model with two factors for a share of all pairs; the other pairs are test rows."""
    rng = np.random.default_rng(seed)
    users, items = rng.normal(0, 0.7, (N_USERS, 3)), rng.normal(0, 0.7, (N_ITEMS, 3))
    truth = 3 + users[:, :1] + items[:, 0] + users[:, 1:] @ items[:, 1:].T
    u, i = (codes.ravel() for codes in np.mgrid[1:N_USERS, 1:N_ITEMS])
    train = rng.random(len(u)) < share
    ratings = truth[u, i] + noise * rng.normal(size=len(u))
    return (u[train], i[train], ratings[train]), (u[~train], i[~train], truth[u, i][~train])


def fit(train, plan=SHORT, seed=0, weights=None, features=(None, None), shape=(N_USERS, N_ITEMS), **options):
    users, items, ratings = train
    rng = np.random.default_rng(seed)
    return sample(users, items, ratings, weights, *shape, *features, plan, rng, **options)


@pytest.fixture(scope="module")
def long_chain():
    train, test = planted()
    posterior, state = fit(train, GibbsPlan(2, 150, 50, 100))
    return train, test, posterior, state


@pytest.fixture(scope="module")
def ordinal_chain():
    (users, items, ratings), test = planted(noise=0.6)
    ratings = np.clip(np.round(ratings), 1, 5)
    posterior, state = fit((users, items, ratings), GibbsPlan(2, 80, 30, 50, likelihood="ordinal"))
    return (users, items, ratings), test, posterior, state


# What the whole chain finds


def test_planted_structure_is_recovered_below_the_noise_of_the_ratings(long_chain):
    _, (users, items, truth), posterior, _ = long_chain
    mean, _ = predict_pairs(posterior, users, items)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.2


def test_noise_precision_is_that_of_the_ratings(long_chain):
    train, _, posterior, _ = long_chain
    u, i, _ = train
    precision = posterior.noise_precision[:, None] * posterior.user_noise[:, u] * posterior.item_noise[:, i]
    assert np.mean(1 / precision) == pytest.approx(0.3**2, rel=0.2)


def test_intervals_hold_nine_new_ratings_in_ten(long_chain):
    _, (users, items, truth), posterior, _ = long_chain
    mean, variance = predict_pairs(posterior, users, items)
    ratings = truth + 0.3 * np.random.default_rng(1).normal(size=len(truth))
    assert 0.86 < np.mean(np.abs(ratings - mean) < 1.645 * np.sqrt(variance)) < 0.94


def test_a_noisy_user_gets_less_precision_than_the_others():
    (users, items, ratings), _ = planted()
    rng = np.random.default_rng(3)
    ratings = ratings + np.where(users == 7, 2.0, 0.0) * rng.normal(size=len(users))
    posterior, _ = fit((users, items, ratings), replace(SHORT, n_sweeps=40))
    assert np.argmin(posterior.user_noise.mean(axis=0)) == 7


def test_features_tell_about_ids_without_ratings():
    (users, items, ratings), _ = planted()
    features = np.random.default_rng(1).normal(size=(N_USERS + 10, 2))
    features[0] = 0
    ratings = ratings + 1.5 * features[users, 0]
    plan = GibbsPlan(2, 80, 30, 50)
    posterior, _ = fit((users, items, ratings), plan, features=(features, None), shape=(N_USERS + 10, N_ITEMS))
    bias = posterior.users[:, N_USERS:, 0].mean(axis=0)
    assert np.corrcoef(bias, features[N_USERS:, 0])[0, 1] > 0.98
    effects = feature_effects(posterior, "user", features)[:, :, 0].mean(axis=0)
    np.testing.assert_allclose(effects, 1.5 * features[:, 0], atol=0.6)


def test_history_tells_what_the_ratings_themselves_cannot():
    """Ratings are noisy, but users mostly rate items that they like, so the raters of an item are informative."""
    rng = np.random.default_rng(0)
    taste, kind = rng.integers(0, 2, N_USERS), rng.integers(0, 2, N_ITEMS)
    u, i = (codes.ravel() for codes in np.mgrid[1:N_USERS, 1:N_ITEMS])
    chosen = rng.random(len(u)) < np.where(taste[u] == kind[i], 0.5, 0.05)
    u, i = u[chosen], i[chosen]
    ratings = 3 + np.where(taste[u] == kind[i], 1.0, -1.0) + 2 * rng.normal(size=len(u))
    plan = GibbsPlan(1, 100, 30, 60)
    pairs = (np.repeat(np.arange(1, N_USERS), N_ITEMS - 1), np.tile(np.arange(1, N_ITEMS), N_USERS - 1))
    truth = np.where(taste[pairs[0]] == kind[pairs[1]], 4.0, 2.0)
    errors = []
    for history in (True, False):
        mean, _ = predict_pairs(fit((u, i, ratings), replace(plan, history=history))[0], *pairs)
        errors.append(np.sqrt(np.mean((mean - truth) ** 2)))
    assert errors[0] < 0.9 * errors[1]


# The conditionals


def test_mean_of_a_row_is_the_closed_form_ridge_solution():
    rng = np.random.default_rng(0)
    codes, others = np.array([0, 0, 0, 2, 2]), np.array([0, 1, 2, 2, 2])
    targets, weights = rng.normal(size=5), rng.uniform(0.5, 2, 5)
    items, prior, trust = rng.normal(size=(3, 3)), rng.normal(size=(4, 3)), rng.uniform(0.5, 2, 3)
    precision, noise = np.eye(3) + 0.3, rng.uniform(0.5, 2, 4)
    ratings = RatingMatrix(codes, others, weights, (4, 3))
    ratings.set_targets(targets)
    rows, errors = draw_rows(ratings, items, prior, precision, noise, trust, np.zeros((4, 3)))
    for row in range(4):
        own = codes == row
        design = np.column_stack([np.ones(own.sum()), items[others[own], 1:]])
        scale = weights[own] * trust[others[own]]
        gram = noise[row] * design.T @ (scale[:, None] * design) + precision
        rest = targets[own] - items[others[own], 0]
        expected = np.linalg.solve(gram, noise[row] * design.T @ (scale * rest) + precision @ prior[row])
        np.testing.assert_allclose(rows[row], expected)
        np.testing.assert_allclose(errors[row], np.sum(scale * (rest - design @ expected) ** 2), atol=1e-9)


def test_row_draws_have_the_covariance_of_the_conditional():
    rng = np.random.default_rng(0)
    items, precision = rng.normal(size=(4, 3)), np.eye(3) + 0.3
    n = 20_000
    ratings = RatingMatrix(np.repeat(np.arange(n), 4), np.tile(np.arange(4), n), np.ones(4 * n), (n, 4))
    ratings.set_targets(np.ones(4 * n))
    drawn, _ = draw_rows(
        ratings, items, np.zeros((n, 3)), precision, np.ones(n), np.ones(4), rng.standard_normal((n, 3))
    )
    design = np.column_stack([np.ones(4), items[:, 1:]])
    np.testing.assert_allclose(np.cov(drawn.T), np.linalg.inv(design.T @ design + precision), atol=0.02)


def test_a_whole_weight_is_as_many_repeated_ratings():
    rng = np.random.default_rng(0)
    codes, others, targets = np.array([0, 0, 1]), np.array([0, 1, 1]), rng.normal(size=3)
    counts = np.array([3, 1, 2])
    known = (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), np.eye(3), np.ones(2), np.ones(2), np.ones((2, 3)))
    weighted = RatingMatrix(codes, others, counts.astype(float), (2, 2))
    weighted.set_targets(targets)
    repeated = RatingMatrix(np.repeat(codes, counts), np.repeat(others, counts), np.ones(6), (2, 2))
    repeated.set_targets(np.repeat(targets, counts))
    for one, other in zip(draw_rows(weighted, *known), draw_rows(repeated, *known), strict=True):
        np.testing.assert_allclose(one, other)


def test_triangular_solves_agree_with_lapack():
    rng = np.random.default_rng(0)
    roots = rng.normal(size=(6, 4, 4))
    matrices = roots @ roots.transpose(0, 2, 1) + np.eye(4)
    right = rng.normal(size=(6, 4))
    factor = cholesky(matrices.transpose(1, 2, 0))
    solved = backward(factor, forward(factor, right.T)).T
    np.testing.assert_allclose(solved, np.linalg.solve(matrices, right[:, :, None])[:, :, 0])


@pytest.mark.parametrize("shape", [(30, 5), (5, 30)])
def test_weights_of_effects_average_to_the_ridge_solution(shape):
    rng = np.random.default_rng(0)
    columns, rated = rng.normal(size=shape), np.ones(shape[0], dtype=bool)
    residual, factor = rng.normal(size=(shape[0], 2)), np.linalg.cholesky(np.array([[2.0, 0.5], [0.5, 1.0]]))
    effects = Effects.build(columns, rated, 2)
    effects.strength = 3.0
    draws = []
    for _ in range(500):
        effects.draw(residual, factor, rng)
        draws.append(effects.weights)
    expected = np.linalg.solve(columns.T @ columns + 3 * np.eye(shape[1]), columns.T @ residual)
    np.testing.assert_allclose(np.mean(draws, axis=0), expected, atol=0.15)
    np.testing.assert_allclose(effects.values, columns @ effects.weights, atol=1e-4)


def test_precision_of_many_rows_is_theirs():
    rng = np.random.default_rng(0)
    rows = rng.multivariate_normal([1.0, -1.0], [[0.5, 0.2], [0.2, 0.3]], size=20_000)
    intercept, factor = draw_normal_wishart(rows, [], 1.0, rng)
    np.testing.assert_allclose(intercept, [1, -1], atol=0.03)
    np.testing.assert_allclose(np.linalg.inv(factor @ factor.T), [[0.5, 0.2], [0.2, 0.3]], atol=0.02)


def test_history_rows_are_scaled_by_their_damped_count_and_count_a_pair_once():
    matrix = history_matrix(np.array([1, 1, 1, 2]), np.array([0, 2, 2, 1]), (4, 3)).toarray()
    np.testing.assert_allclose(matrix, [[0, 0, 0], [12**-0.5, 0, 12**-0.5], [0, 11**-0.5, 0], [0, 0, 0]])


# Rows without ratings


def test_matched_noise_averages_to_nothing():
    for n_samples in (7, 8):
        noise = matched_noise((n_samples, 30, 3), np.random.default_rng(0))
        np.testing.assert_allclose(noise.mean(axis=0), 0, atol=1e-6)
        np.testing.assert_allclose(noise.std(axis=0), 1, atol=1e-5)


def test_prior_draws_average_to_the_prior_mean_and_spread_like_the_prior(long_chain):
    train, *_ = long_chain
    wide, _ = fit(train, GibbsPlan(2, 150, 50, 100), shape=(N_USERS + 500, N_ITEMS))
    unrated = wide.users[:, N_USERS:]
    means = prior_rows(wide, "user", n_new=1)[:, 0]
    # The precision differs a little from sample to sample, hence more than rounding.
    np.testing.assert_allclose(unrated.mean(axis=0), np.tile(means.mean(axis=0), (500, 1)), atol=0.1)
    residual = unrated - means[:, None]
    covariance = np.einsum("snk,snl->kl", residual, residual) / residual[:, :, 0].size
    np.testing.assert_allclose(covariance, np.linalg.inv(wide.user_prior.precision).mean(axis=0), rtol=0.1, atol=0.02)


def test_the_mean_prediction_for_unknown_ids_is_free_of_noise(long_chain):
    _, _, posterior, _ = long_chain
    codes = np.zeros(N_ITEMS - 1, dtype=int)
    mean, variance = predict_pairs(posterior, codes, np.arange(1, N_ITEMS))
    rows, prior = posterior.items[:, 1:], posterior.user_prior.intercept
    expected = (
        rows[:, :, 0] + posterior.mean[:, None] + prior[:, :1] + np.einsum("snk,sk->sn", rows[:, :, 1:], prior[:, 1:])
    )
    assert np.abs(mean - expected.mean(axis=0)).max() < 0.1
    assert np.corrcoef(mean, expected.mean(axis=0))[0, 1] > 0.99
    known = predict_pairs(posterior, codes + 1, np.arange(1, N_ITEMS))[1]
    assert np.all(variance > known)


def test_prior_rows_add_features_and_history():
    train, _ = planted()
    features = np.random.default_rng(0).normal(size=(N_USERS, 3))
    features[0] = 0
    posterior, _ = fit(train, features=(features, None))
    new, history = features[3:5], csr_matrix(np.eye(2, N_ITEMS))
    prior = posterior.user_prior
    expected = prior.intercept[:, None] + new @ prior.feature_weights + prior.history_weights[:, :2]
    np.testing.assert_allclose(prior_rows(posterior, "user", new, history), expected, rtol=1e-5)


# New rows


def generators(n):
    return [np.random.default_rng(seed) for seed in range(n)]


@pytest.mark.long
@pytest.mark.parametrize("chain", ["long_chain", "ordinal_chain"])
def test_fold_in_of_a_users_own_ratings_lands_at_the_learned_row(chain, request):
    (users, items, ratings), _, posterior, _ = request.getfixturevalue(chain)
    own = users <= 5
    rows = fold_in(posterior, "user", items[own], ratings[own], users[own] - 1, 6, rngs=generators(6))
    grown = replace(posterior, users=rows)
    pairs = (np.repeat(np.arange(5), N_ITEMS - 1), np.tile(np.arange(1, N_ITEMS), 5))
    folded, folded_variance = predict_pairs(replace(grown, user_noise=posterior.user_noise[:, :1].repeat(6, 1)), *pairs)
    learned, _ = predict_pairs(posterior, pairs[0] + 1, pairs[1])
    assert np.sqrt(np.mean((folded - learned) ** 2)) < 0.15
    assert np.all(folded_variance > 0)


def test_fold_in_without_ratings_is_the_prior(long_chain):
    _, _, posterior, _ = long_chain
    nothing = np.zeros(0, dtype=int)
    rows = fold_in(posterior, "item", nothing, np.zeros(0), nothing, 4, rngs=generators(4))
    prior = prior_rows(posterior, "item", n_new=4)
    np.testing.assert_allclose(rows.mean(axis=0), prior.mean(axis=0), atol=0.06)


# Predictions


@pytest.mark.parametrize("chain", ["long_chain", "ordinal_chain"])
def test_score_block_is_the_mean_of_predict_pairs(chain, request):
    posterior = request.getfixturevalue(chain)[2]
    users, items = np.array([0, 3, 17]), np.array([5, 0, 9, 40])
    mean, _ = predict_pairs(posterior, np.repeat(users, 4), np.tile(items, 3))
    np.testing.assert_allclose(score_block(posterior, users, items), mean.reshape(3, 4), atol=1e-4)


def test_everything_in_the_posterior_is_an_array(ordinal_chain):
    posterior = ordinal_chain[2]
    values = [getattr(posterior, field.name) for field in fields(posterior)]
    values += [
        getattr(side, field.name) for side in (posterior.user_prior, posterior.item_prior) for field in fields(side)
    ]
    arrays = [value for value in values if isinstance(value, np.ndarray)]
    assert len(arrays) == len(values) - 2 - 2  # The two priors, and their two feature weights, which are None.
    assert posterior.users.dtype == posterior.items.dtype == np.float32
    assert all(np.all(np.isfinite(array)) for array in arrays)


# Ordinal ratings


def test_ordinal_ratings_of_planted_structure_are_recovered(ordinal_chain):
    _, (users, items, truth), posterior, _ = ordinal_chain
    mean, variance = predict_pairs(posterior, users, items)
    rounded = np.clip(truth, 1, 5)
    assert np.corrcoef(mean, rounded)[0, 1] > 0.9
    assert np.sqrt(np.mean((mean - rounded) ** 2)) < 0.45
    assert np.all((mean > 1) & (mean < 5) & (variance > 0))
    assert np.all(np.diff(posterior.cutpoints, axis=1) > 0)


def test_probabilities_sum_to_one_and_follow_the_cutpoints():
    shares = probabilities(np.array([-40.0, 0.0, 40.0]), np.array([-1.0, 1.0]))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares[1], [0.15865525, 0.68268949, 0.15865525])
    np.testing.assert_allclose(shares[[0, 2]], [[1, 0, 0], [0, 0, 1]], atol=1e-12)


def test_cutpoints_of_known_latent_means_are_found():
    rng = np.random.default_rng(0)
    means, truth = rng.normal(size=4000), np.array([-1.0, 0.2, 0.9])
    ranks = np.searchsorted(truth, means + rng.normal(size=4000))
    cutpoints, draws = start_cutpoints(ranks, 4), []
    for _ in range(60):
        latents, cutpoints = draw_latents_and_cutpoints(means, 1.0, ranks, cutpoints, rng)
        draws.append(cutpoints)
        np.testing.assert_array_equal(np.searchsorted(cutpoints, latents), ranks)
    np.testing.assert_allclose(np.mean(draws[10:], axis=0), truth, atol=0.08)
    assert len(np.unique(np.array(draws)[:, 0])) > 40  # Nearly every proposal is taken.


def test_latents_far_in_the_tails_stay_in_their_interval_and_finite():
    means, ranks = np.array([-60.0, 60.0, 9.0, -9.0, 0.0]), np.array([2, 0, 0, 2, 1])
    latents = draw_latents(means, 1.0, ranks, np.array([-1.0, 1.0]), np.random.default_rng(0))
    np.testing.assert_array_equal(latents[:2], [1, -1])
    # Of a normal 10 off, what lies beyond the edge is within about a tenth of it.
    assert -1.6 < latents[2] < -1
    assert 1 < latents[3] < 1.6


# The chain


def test_same_seed_same_samples_and_another_seed_others():
    train, _ = planted()
    first, again, other = (fit(train, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.users, again.users)
    np.testing.assert_array_equal(first.noise_precision, again.noise_precision)
    assert not np.array_equal(first.users, other.users)


@pytest.mark.parametrize("likelihood", ["normal", "ordinal"])
def test_a_chain_goes_on_where_it_stopped_with_new_rows_and_ratings(likelihood):
    (users, items, ratings), (new_users, new_items, truth) = planted()
    ratings, truth = np.clip(np.round(ratings), 1, 5), np.clip(np.round(truth), 1, 5)
    plan = GibbsPlan(2, 60, 30, 30, likelihood)
    features = np.random.default_rng(0).normal(size=(N_USERS, 2))
    _, state = fit((users, items, ratings), plan, features=(features, None))
    more = tuple(
        np.concatenate(pair) for pair in ((users, new_users[:50]), (items, new_items[:50]), (ratings, truth[:50]))
    )
    grown = np.vstack([features, np.zeros((3, 2))])
    few = GibbsPlan(2, 3, 0, 3, likelihood)
    posterior, _ = fit(more, few, features=(grown, None), shape=(N_USERS + 3, N_ITEMS + 1), start=state)
    mean, _ = predict_pairs(posterior, new_users[50:], new_items[50:])
    assert np.sqrt(np.mean((mean - truth[50:]) ** 2)) < 0.6  # Three sweeps from scratch are far from this.


def test_kept_sweeps_are_spread_after_the_burn_in():
    assert GibbsPlan(1, 10, 4, 3).kept_sweeps() == [5, 7, 9]
    assert GibbsPlan(1, 10, 4, 100).kept_sweeps() == [4, 5, 6, 7, 8, 9]
    assert GibbsPlan(1, 5, 5, 3).kept_sweeps() == [4]


def test_every_sweep_is_reported():
    seen: list[int] = []
    fit(planted()[0], on_sweep=seen.append)
    assert seen == list(range(SHORT.n_sweeps))


# Poor data

POOR = {
    "two ratings": ([1, 2], [1, 2], [1.0, 5.0]),
    "equal ratings": ([1, 2, 3, 1], [1, 2, 1, 2], [0.1, 0.1, 0.1, 0.1]),
    "one user": ([1, 1, 1], [1, 2, 3], [1.0, 2.0, 5.0]),
    "one item": ([1, 2, 3], [1, 1, 1], [1.0, 2.0, 5.0]),
    "duplicates": ([1, 1, 1, 2], [1, 1, 1, 2], [1.0, 5.0, 3.0, 2.0]),
    "an id with thousands of ratings": ([1] * 3000 + [2], [1, 2, 3] * 1000 + [1], [1.0, 3.0, 5.0] * 1000 + [2.0]),
}


@pytest.mark.parametrize("likelihood", ["normal", "ordinal"])
@pytest.mark.parametrize("name", POOR)
def test_poor_data_give_finite_sensible_predictions(name, likelihood):
    train = tuple(np.array(part) for part in POOR[name])
    features = np.random.default_rng(0).normal(size=(5, 12))
    plan = GibbsPlan(8, 30, 10, 20, likelihood)
    posterior, _ = fit(train, plan, shape=(5, 5), features=(features, features))
    mean, variance = predict_pairs(posterior, *(codes.ravel() for codes in np.mgrid[:5, :5]))
    assert np.all(np.isfinite(mean))
    assert np.all(np.isfinite(variance) & (variance >= 0))
    assert np.all(posterior.noise_precision < 1e5)
    span = np.ptp(train[2]) + 1
    known, _ = predict_pairs(posterior, train[0], train[1])
    assert np.all(np.abs(known - train[2].mean()) < 3 * span)


def test_ratings_are_read_in_any_unit():
    """The priors are relative to the standard deviation of the ratings, so rescaled ratings give the same model."""
    (users, items, ratings), _ = planted()
    stars, _ = fit((users, items, ratings))
    percent, _ = fit((users, items, 20 * ratings + 7))
    np.testing.assert_allclose(
        score_block(percent, np.arange(5), np.arange(5)),
        20 * score_block(stars, np.arange(5), np.arange(5)) + 7,
        rtol=1e-3,
    )
