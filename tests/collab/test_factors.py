"""New rows of a factor model: the posterior mode, compared with closed forms."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from tabrec.collab.factors import RowPrior, contributions_by_similarity, fit_row_prior, fold_in_row

MEAN = np.array([0.5, -1.0, 2.0])
ROOT = np.array([[1.0, 0, 0], [0.5, 0.8, 0], [-0.3, 0.2, 0.4]])
PRIOR = RowPrior(MEAN[None], np.linalg.inv(ROOT @ ROOT.T)[None])


def some_ratings(n=12, seed=0):
    rng = np.random.default_rng(seed)
    design = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    return design, rng.normal(size=n), rng.normal(3, 1, n)


def identity(sums):
    return sums


def one(sums):
    return np.ones_like(sums)


def test_the_distribution_of_many_rows_is_found():
    rows = MEAN + np.random.default_rng(0).normal(size=(20_000, 3)) @ ROOT.T
    prior = fit_row_prior(rows, np.full(20_000, 100))
    np.testing.assert_allclose(prior.mean[0], MEAN, atol=0.03)
    np.testing.assert_allclose(np.linalg.inv(prior.precision[0]), ROOT @ ROOT.T, atol=0.03)


def test_all_rows_are_the_mean_and_those_of_many_ratings_the_spread():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 0.1, (2000, 2)), rng.normal(1, 2.0, (2000, 2))])
    priors = [fit_row_prior(rows, np.repeat([few, 10**9], 2000)) for few in (1, 5, 20, 10**8)]
    for prior in priors:
        np.testing.assert_allclose(prior.mean[0], rows.mean(axis=0))
    spread = [np.trace(np.linalg.inv(prior.precision[0])) for prior in priors]
    assert spread[0] > spread[1] > spread[2] > spread[3]
    assert spread[3] == pytest.approx(rows.var(axis=0).sum(), rel=0.01)


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 4)), np.ones((1, 4)), np.ones((50, 4)), np.eye(4)[:2]], ids=["zero", "one", "same", "two"]
)
def test_a_distribution_is_proper_whatever_the_rows(rows):
    prior = fit_row_prior(rows, np.ones(len(rows)))
    assert np.isfinite(prior.precision).all()
    assert np.linalg.eigvalsh(prior.precision[0]).min() > 0
    np.testing.assert_allclose(prior.mean[0], rows.mean(axis=0))


def test_without_a_range_the_row_is_that_of_a_ridge_regression():
    design, offsets, ratings = some_ratings()
    noise = 0.49
    found = fold_in_row(PRIOR, design, offsets, ratings, np.full(len(ratings), 1 / noise), identity, one)
    precision = PRIOR.precision[0] + design.T @ design / noise
    expected = np.linalg.solve(precision, PRIOR.precision[0] @ MEAN + design.T @ (ratings - offsets) / noise)
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_within_a_range_the_row_is_the_most_probable(seed):
    design, offsets, _ = some_ratings(seed=seed)
    ratings = np.random.default_rng(seed).integers(1, 6, 12).astype(float)

    def rate(sums):
        return 0.5 + 5 * expit(sums)

    def slope(sums):
        return 5 * expit(sums) * expit(-sums)

    def cost(row):
        away = row - MEAN
        return np.sum((ratings - rate(offsets + design @ row)) ** 2) / 0.5 + away @ PRIOR.precision[0] @ away

    found = fold_in_row(PRIOR, design, offsets, ratings, np.full(len(ratings), 2.0), rate, slope)
    best = min((minimize(cost, start, tol=1e-12) for start in (MEAN, found, np.zeros(3))), key=lambda end: end.fun)
    assert cost(found) == pytest.approx(best.fun, rel=1e-3)


def test_without_ratings_the_row_is_the_mean():
    found = fold_in_row(PRIOR, np.empty((0, 3)), np.empty(0), np.empty(0), np.empty(0), identity, one)
    np.testing.assert_allclose(found, MEAN)


def test_ratings_without_noise_are_hit_and_ratings_of_nothing_but_noise_change_nothing():
    design, offsets, _ = some_ratings()
    truth = np.array([1.0, 2.0, -1.0])
    ratings = offsets + design @ truth
    np.testing.assert_allclose(
        fold_in_row(PRIOR, design, offsets, ratings, np.full(len(ratings), 1e9), identity, one), truth, atol=1e-5
    )
    np.testing.assert_allclose(
        fold_in_row(PRIOR, design, offsets, ratings, np.full(len(ratings), 1e-9), identity, one), MEAN, atol=1e-5
    )


def test_what_ratings_argue_for_sums_to_what_they_foretell():
    rng = np.random.default_rng(0)
    rated, wanted, gaps = rng.normal(size=(8, 3)), rng.normal(size=3), rng.normal(size=8)
    scale = np.sqrt(np.mean(np.sum(rated**2, axis=1)))
    design = np.column_stack([np.ones(8), rated / scale])
    coefficients = np.linalg.solve(np.eye(4) + design.T @ design / 0.3, design.T @ gaps / 0.3)
    argued = contributions_by_similarity(wanted, rated, gaps, 0.3)
    assert argued.sum() == pytest.approx(np.append(1, wanted / scale) @ coefficients)


def test_a_rating_argues_for_what_is_like_its_item_in_proportion_to_its_gap():
    rated = np.array([[1.0, 0], [-1.0, 0], [0, 1.0]])
    argued = contributions_by_similarity(np.array([3.0, 0]), rated, np.array([1.0, 1.0, 1.0]), 0.1)
    assert argued[0] > argued[2] > argued[1]
    assert argued[1] < 0
    twice = contributions_by_similarity(np.array([3.0, 0]), rated, np.array([2.0, 1.0, -1.0]), 0.1)
    np.testing.assert_allclose(twice, argued * [2, 1, -1])


def test_vectors_of_nothing_argue_by_the_mean_gap_alone():
    argued = contributions_by_similarity(np.zeros(2), np.zeros((4, 2)), np.ones(4), 1.0)
    np.testing.assert_allclose(argued, 0.2)


def test_a_rating_of_twice_the_trust_counts_as_two():
    design, offsets, ratings = np.array([[1.0, 0.5, -1.0], [1.0, 1.0, 0.3]]), np.array([3.0, 3.2]), np.array([5.0, 2.0])
    twice = fold_in_row(PRIOR, design[[0, 0, 1]], offsets[[0, 0, 1]], ratings[[0, 0, 1]], np.ones(3), identity, one)
    np.testing.assert_allclose(fold_in_row(PRIOR, design, offsets, ratings, np.array([2.0, 1.0]), identity, one), twice)
