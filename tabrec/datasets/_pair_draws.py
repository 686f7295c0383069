"""Draw distinct pairs of users and items, with sizes and long tails as in MovieLens."""

from collections.abc import Callable

import numpy as np

from tabrec.datasets.draws import check_count, zipf

FIRST_TIME, LAST_TIME = 789_652_009, 1_574_327_703  # January 1995, November 2019
SPELL = 30 * 24 * 3600  # seconds over which a user is typically active


def choose_sizes(n_pairs: int, n_users: int | None, n_items: int | None) -> tuple[int, int]:
    """Check the numbers of users and items; None becomes that of MovieLens for this number of pairs."""
    scale = n_pairs / 100_000
    # Above 100k: fitted to the 100k and the 25M release. Below: the density of the 100k release.
    user_power, item_power = (0.9327, 0.6445) if scale > 1 else (0.5, 0.5)
    n_users = int(np.ceil(943 * scale**user_power)) if n_users is None else n_users
    n_items = int(np.ceil(1682 * scale**item_power)) if n_items is None else n_items
    check_count("n_users", n_users)
    check_count("n_items", n_items)
    return n_users, n_items


def draw_activity(n_users: int, rng: np.random.Generator) -> np.ndarray:
    """Return the share of each user in all pairs: (n_users,)."""
    activity = rng.lognormal(sigma=1.1, size=n_users)
    return activity / activity.sum()


def draw_popularity(n_items: int, rng: np.random.Generator) -> np.ndarray:
    """Return the share of each item in all pairs, with a long tail: (n_items,)."""
    return rng.permutation(zipf(n_items, exponent=2.0, offset=3 * n_items**0.5))


def draw_distinct_pairs(
    draw: Callable[[int], tuple[np.ndarray, np.ndarray]], n_pairs: int, n_items: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Repeat ``draw(n)`` until enough pairs are distinct; returns users and items, (n_pairs,) each, sorted."""
    keys = np.empty(0, dtype=np.int64)  # distinct values of user * n_items + item
    surplus = 1.1  # Popular pairs repeat, so each round draws more than are still missing.
    while len(keys) < n_pairs:
        user, item = draw(int(surplus * (n_pairs - len(keys))) + 1)
        keys = np.sort(np.concatenate([keys, user * n_items + item]))
        keys = keys[np.diff(keys, prepend=-1) > 0]  # np.unique hashes, which is fifty times slower
        surplus *= 2
    keys = np.sort(rng.choice(keys, n_pairs, replace=False, shuffle=False))
    return np.divmod(keys, n_items)
