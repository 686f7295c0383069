"""Synthetic ratings: realistic distribution tails, recoverable biases and factors, reproducibility."""

import numpy as np
import pandas as pd
import pytest

from tabrec.datasets import make_ratings


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(100_000, random_state=0)


def test_ratings_have_the_documented_columns_and_types(ratings):
    assert ratings.dtypes.astype(str).to_dict() == {
        "user": "int64",
        "item": "int64",
        "rating": "float64",
        "timestamp": "int64",
    }


@pytest.mark.parametrize("n_ratings", [1, 2, 10, 999, 50_000])
def test_ratings_number_as_many_as_asked_for_with_no_pair_twice(n_ratings):
    ratings = make_ratings(n_ratings, random_state=0)
    assert len(ratings) == n_ratings
    assert not ratings.duplicated(["user", "item"]).any()


def test_half_of_all_pairs_can_be_rated():
    ratings = make_ratings(2_000, n_users=80, n_items=50, random_state=0)
    assert len(ratings) == 2_000
    assert not ratings.duplicated(["user", "item"]).any()


def test_ratings_are_in_order_of_user_then_item(ratings):
    pd.testing.assert_frame_equal(ratings, ratings.sort_values(["user", "item"]))


def test_ratings_are_half_stars(ratings):
    assert set(ratings["rating"]) == set(np.arange(0.5, 5.5, 0.5))
    assert ratings["rating"].mean() == pytest.approx(3.5, abs=0.15)
    assert ratings["rating"].std() == pytest.approx(1.05, abs=0.1)


def test_users_and_items_scale_like_movielens(ratings):
    assert ratings["user"].min() >= 1
    assert ratings["item"].min() >= 1
    assert ratings["user"].max() <= 943
    assert ratings["item"].max() <= 1_682
    assert ratings["user"].nunique() > 0.95 * 943
    assert ratings["item"].nunique() > 0.95 * 1_682


def test_given_users_and_items_bound_the_ids():
    ratings = make_ratings(3_000, n_users=300, n_items=40, random_state=0)
    assert ratings["user"].between(1, 300).all()
    assert ratings["item"].between(1, 40).all()


def test_activity_and_popularity_have_long_tails(ratings):
    activity, popularity = (ratings[column].value_counts() for column in ("user", "item"))
    assert activity.max() > 4 * activity.mean() > 4.8 * activity.median()
    assert popularity.max() > 6 * popularity.mean() > 9 * popularity.median()


def test_biases_explain_some_and_factors_more(ratings):
    rng = np.random.default_rng(0)
    is_test = rng.random(len(ratings)) < 0.1
    user, item, rating = (ratings[column].to_numpy() for column in ("user", "item", "rating"))
    residual = rating - rating[~is_test].mean()
    baseline_rmse = np.sqrt(np.mean(residual[is_test] ** 2))
    for _ in range(10):
        residual -= _shrunken_mean(residual, item, ~is_test)[item]
        residual -= _shrunken_mean(residual, user, ~is_test)[user]
    bias_rmse = np.sqrt(np.mean(residual[is_test] ** 2))
    factor_rmse = np.sqrt(np.mean(_als_residual(residual, user, item, ~is_test)[is_test] ** 2))
    assert baseline_rmse == pytest.approx(1.05, abs=0.05)
    assert bias_rmse == pytest.approx(0.94, abs=0.03)
    assert factor_rmse < bias_rmse - 0.07


def _shrunken_mean(values, ids, is_train):
    """Return the mean of the training values of each id, shrunk towards 0."""
    total = np.bincount(ids[is_train], values[is_train], ids.max() + 1)
    return total / (np.bincount(ids[is_train], minlength=ids.max() + 1) + 3)


def _als_residual(residual, user, item, is_train, n_factors=5, n_iter=10):
    """Return the residuals of five factors fitted to the training part by alternating least squares."""
    known = np.zeros((user.max() + 1, item.max() + 1))
    target = np.zeros_like(known)
    known[user[is_train], item[is_train]] = 1
    target[user[is_train], item[is_train]] = residual[is_train]
    item_factors = np.random.default_rng(0).normal(0, 0.3, (known.shape[1], n_factors))
    for _ in range(n_iter):
        user_factors = _ridge_factors(known, target, item_factors)
        item_factors = _ridge_factors(known.T, target.T, user_factors)
    return residual - (user_factors[user] * item_factors[item]).sum(axis=1)


def _ridge_factors(known, target, other):
    """Return the ridge solution of each row of `target`, given the factors of the other side."""
    products = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
    gram = (known @ products).reshape(len(known), other.shape[1], -1) + 3 * np.eye(other.shape[1])
    return np.linalg.solve(gram, (target @ other)[:, :, None])[:, :, 0]


def test_timestamps_are_seconds_since_1995(ratings):
    when = pd.to_datetime(ratings["timestamp"], unit="s")
    assert when.min() >= pd.Timestamp("1995-01-01")
    assert when.max() < pd.Timestamp("2022-01-01")
    spread = when.groupby(ratings["user"]).std()
    assert spread.median() < pd.Timedelta(days=60)


def test_ratings_are_the_same_for_the_same_seed_only():
    first = make_ratings(500, random_state=3)
    pd.testing.assert_frame_equal(first, make_ratings(500, random_state=3))
    pd.testing.assert_frame_equal(first, make_ratings(500, random_state=np.random.default_rng(3)))
    assert not first.equals(make_ratings(500, random_state=4))
    assert not make_ratings(500).equals(make_ratings(500))


def test_more_ratings_than_half_of_the_pairs_are_refused():
    with pytest.raises(ValueError, match=r"n_ratings=51 .* n_users=10 .* n_items=10 .*100"):
        make_ratings(51, n_users=10, n_items=10)


@pytest.mark.parametrize("name", ["n_ratings", "n_users", "n_items"])
def test_ratings_refuse_bad_counts(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        make_ratings(**{name: 0})
    with pytest.raises(TypeError, match=f"{name}=2.5"):
        make_ratings(**{name: 2.5})


@pytest.mark.parametrize(("random_state", "error"), [("seed", TypeError), (0.5, TypeError), (-1, ValueError)])
def test_bad_random_states_are_named(random_state, error):
    with pytest.raises(error, match=f"random_state={random_state!r}"):
        make_ratings(10, random_state=random_state)
