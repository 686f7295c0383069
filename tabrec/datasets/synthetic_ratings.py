"""`make_ratings`: generated ratings of any number."""

import numpy as np
import pandas as pd

from tabrec.datasets._pair_draws import (
    FIRST_TIME,
    LAST_TIME,
    SPELL,
    choose_sizes,
    draw_activity,
    draw_distinct_pairs,
    draw_popularity,
)
from tabrec.datasets.draws import RandomState, check_count, make_generator


def make_ratings(
    n_ratings: int = 100_000,
    *,
    n_users: int | None = None,
    n_items: int | None = None,
    random_state: RandomState = None,
) -> pd.DataFrame:
    """Generate ratings that resemble MovieLens.

    The distributions of activity and popularity, the spread of the ratings and the share of all pairs that are rated
    resemble MovieLens. A rating is the global mean plus a user bias, an item bias, the product of five user factors and
    five item factors and normal noise, rounded to half stars. Biases alone reach an RMSE of about 0.94, biases and
    factors about 0.8.

    Parameters
    ----------
    n_ratings : int, default=100_000
        Number of ratings, at least 1 and at most half of ``n_users * n_items``.
    n_users, n_items : int, default=None
        Number of users and items to draw from; some may have no rating. None uses the numbers of MovieLens for that
        number of ratings: 943 users and 1,682 items for 100,000; about 162,500 users and 59,000 items for 25,000,000.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, default=None
        Seed of the draw. An int gives the same ratings in every call.

    Returns
    -------
    pandas.DataFrame of shape (n_ratings, 4)
        Sorted by user, then item, without duplicate pairs:

        - ``user``, ``item`` : int64, from 1 to `n_users` and to `n_items`;
        - ``rating`` : float64, 0.5 to 5 in half stars;
        - ``timestamp`` : int64, seconds since 1970-01-01 UTC, in 1995 or later.

    Raises
    ------
    TypeError
        If a number is not an int, or `random_state` is none of the above.
    ValueError
        If a number is less than 1, `n_ratings` is more than half of the pairs, or `random_state` is a negative int.

    See Also
    --------
    load_movielens : Reads real ratings.
    make_interactions : Generates clicks without ratings.
    make_auctions : Generates a table of auctions.

    References
    ----------
    F. M. Harper, J. A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5 (4), 2015.

    Examples
    --------
    >>> from tabrec.datasets import make_ratings
    >>> ratings = make_ratings(1_000, random_state=0)
    >>> list(ratings.columns)
    ['user', 'item', 'rating', 'timestamp']
    >>> bool(ratings.duplicated(["user", "item"]).any())
    False
    >>> float(ratings["rating"].min()), float(ratings["rating"].max())
    (0.5, 5.0)
    """
    check_count("n_ratings", n_ratings)
    n_users, n_items = choose_sizes(n_ratings, n_users, n_items)
    if n_ratings > n_users * n_items / 2:
        raise ValueError(
            f"n_ratings={n_ratings} is more than half of the pairs that n_users={n_users} and "
            f"n_items={n_items} can form ({n_users * n_items}). Use fewer ratings, or more users or items."
        )
    rng = make_generator(random_state)
    user, item = _draw_pairs(n_ratings, n_users, n_items, rng)
    joined = rng.integers(FIRST_TIME, LAST_TIME, n_users)
    return pd.DataFrame(
        {
            "user": user + 1,
            "item": item + 1,
            "rating": _draw_ratings(user, item, n_users, n_items, rng),
            "timestamp": joined[user] + (SPELL * rng.standard_exponential(n_ratings)).astype(np.int64),
        }
    )


def _draw_pairs(n_ratings: int, n_users: int, n_items: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct pairs with long tails: user and item, (n_ratings,) each, from 0, in ascending order."""
    activity = draw_activity(n_users, rng)
    popularity = draw_popularity(n_items, rng)

    def draw(n_draws: int) -> tuple[np.ndarray, np.ndarray]:
        user = np.repeat(np.arange(n_users), rng.multinomial(n_draws, activity))
        return user, rng.permutation(np.repeat(np.arange(n_items), rng.multinomial(n_draws, popularity)))

    return draw_distinct_pairs(draw, n_ratings, n_items, rng)


def _draw_ratings(
    user: np.ndarray, item: np.ndarray, n_users: int, n_items: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw the rating of each pair, (n_ratings,): biases, factors and noise, in half stars."""
    user_bias = 0.4 * rng.standard_normal(n_users, dtype=np.float32)
    item_bias = 0.4 * rng.standard_normal(n_items, dtype=np.float32)
    score = 3.5 + user_bias[user] + item_bias[item]
    for _ in range(5):
        user_factor = 0.52 * rng.standard_normal(n_users, dtype=np.float32)
        item_factor = 0.52 * rng.standard_normal(n_items, dtype=np.float32)
        score += user_factor[user] * item_factor[item]
    score += 0.8 * rng.standard_normal(len(user), dtype=np.float32)
    return np.clip(np.round(2 * score) / 2, 0.5, 5.0).astype(np.float64)
