"""`make_interactions`: generated clicks of any number, with popularity, taste and positions."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from tabrec.datasets._pair_draws import (
    choose_sizes,
    draw_activity,
    draw_distinct_pairs,
    draw_popularity,
)
from tabrec.datasets.draws import RandomState, check_count, make_generator

_MOST_TOPICS = 20
_USER_CONCENTRATION, _ITEM_CONCENTRATION = 0.1, 0.1  # concentrations of the Dirichlet distributions over topics
_UNTYPICAL = 0.1  # share of clicks that do not depend on the topics of the user
_N_SLOTS = 20
_START, _END = 1_514_764_800, 1_577_836_800  # 2018-01-01, 2020-01-01


class ClicksWithFeatures(NamedTuple):
    """Generated clicks with the side tables of users and items.

    Attributes
    ----------
    interactions : pandas.DataFrame of shape (n_interactions, 4)
        The clicks.
    user_features : pandas.DataFrame of shape (n_users, 1)
        By user id: ``interest``, the topic that the user prefers, such as "topic 7".
    item_features : pandas.DataFrame of shape (n_items, 1)
        By item id: ``topic``, the main topic of the item.
    """

    interactions: pd.DataFrame
    user_features: pd.DataFrame
    item_features: pd.DataFrame


def make_interactions(
    n_interactions: int = 100_000,
    *,
    n_users: int | None = None,
    n_items: int | None = None,
    with_features: bool = False,
    random_state: RandomState = None,
) -> pd.DataFrame | ClicksWithFeatures:
    """Generate clicks of users on items, without ratings.

    Users differ in activity, items in popularity, both with long tails as in MovieLens. Each user prefers few of up to
    20 topics, and each item belongs to few of them: a click is drawn by the popularity of the items within a topic of
    the user. A tenth of the clicks is drawn by popularity alone. Each click has the position of the item in the list
    that was shown: the first positions receive most of the clicks, and popular items are shown first.

    Parameters
    ----------
    n_interactions : int, default=100_000
        Number of clicks, at least 1 and at most a quarter of ``n_users * n_items``.
    n_users, n_items : int, default=None
        Number of users and items to draw from; some may have no click. None uses the numbers of MovieLens for that
        number of ratings, as `make_ratings` does.
    with_features : bool, default=False
        Whether to return side tables with the topics of users and items as well.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, default=None
        Seed of the draw. An int gives the same clicks in every call.

    Returns
    -------
    interactions : pandas.DataFrame of shape (n_interactions, 4)
        Sorted by user, then item, without duplicate pairs:

        - ``user``, ``item`` : int64, from 1 to `n_users` and to `n_items`;
        - ``timestamp`` : int64, seconds since 1970-01-01 UTC, in 2018 or 2019, after the user has joined;
        - ``position`` : int64, 1 (the first) to 20.

        With `with_features`, a named tuple ``(interactions, user_features, item_features)``; the side tables are
        indexed by id.

    Raises
    ------
    TypeError
        If a number is not an int, or `random_state` is none of the above.
    ValueError
        If a number is less than 1, `n_interactions` is more than a quarter of the pairs, or `random_state` is a
        negative int.

    See Also
    --------
    make_ratings : Generates ratings.
    load_movielens_interactions : Reads real interactions.
    tabrec.EASE : Learns from interactions.

    References
    ----------
    N. Craswell et al., An Experimental Comparison of Click Position-Bias Models, WSDM 2008.

    Examples
    --------
    >>> from tabrec.datasets import make_interactions
    >>> clicks = make_interactions(1_000, random_state=0)
    >>> list(clicks.columns)
    ['user', 'item', 'timestamp', 'position']
    >>> bool(clicks.duplicated(["user", "item"]).any())
    False
    """
    check_count("n_interactions", n_interactions)
    n_users, n_items = choose_sizes(n_interactions, n_users, n_items)
    if n_interactions > n_users * n_items / 4:
        raise ValueError(
            f"n_interactions={n_interactions} is more than a quarter of the pairs that n_users={n_users} and "
            f"n_items={n_items} can form ({n_users * n_items}). Use fewer interactions, or more users or items."
        )
    rng = make_generator(random_state)
    popularity = draw_popularity(n_items, rng)
    n_topics = int(np.clip(n_items**0.5 / 2, 2, _MOST_TOPICS))
    user_topics = _draw_topics(n_users, n_topics, _USER_CONCENTRATION, rng)
    item_topics = _draw_topics(n_items, n_topics, _ITEM_CONCENTRATION, rng)
    user, item = _draw_clicks(n_interactions, user_topics, item_topics, popularity, rng)
    joined = rng.integers(_START, _END, n_users)
    clicks = pd.DataFrame(
        {
            "user": user + 1,
            "item": item + 1,
            "timestamp": rng.integers(joined[user], _END),
            "position": _draw_positions(item, popularity, rng),
        }
    )
    if not with_features:
        return clicks
    return ClicksWithFeatures(
        clicks, _name_topics("user", "interest", user_topics), _name_topics("item", "topic", item_topics)
    )


def _draw_topics(n: int, n_topics: int, concentration: float, rng: np.random.Generator) -> np.ndarray:
    """Return the shares of the topics for each user or item: (n, n_topics), float32."""
    shares = rng.standard_gamma(concentration, (n, n_topics), dtype=np.float32) + np.float32(1e-6)
    return shares / shares.sum(axis=1, keepdims=True)


def _draw_clicks(
    n_clicks: int,
    user_topics: np.ndarray,
    item_topics: np.ndarray,
    popularity: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw distinct pairs: user and item, (n_clicks,) each, from 0, in ascending order."""
    activity = draw_activity(len(user_topics), rng)
    # Column 0 stands for any topic; its clicks depend on popularity alone.
    joint = np.column_stack([_UNTYPICAL * activity, (1 - _UNTYPICAL) * activity[:, None] * user_topics])
    within = np.column_stack([popularity, popularity[:, None] * item_topics])
    within /= within.sum(axis=0)

    def draw(n_draws: int) -> tuple[np.ndarray, np.ndarray]:
        of_topic = rng.multinomial(n_draws, joint.sum(axis=0) / joint.sum())
        pairs = []
        for topic, n_of_topic in enumerate(of_topic):
            shares = joint[:, topic] / joint[:, topic].sum()
            user = np.repeat(np.arange(len(joint)), rng.multinomial(n_of_topic, shares))
            item = np.repeat(np.arange(len(within)), rng.multinomial(n_of_topic, within[:, topic]))
            pairs.append((user, rng.permutation(item)))
        users, items = zip(*pairs, strict=True)
        return np.concatenate(users), np.concatenate(items)

    return draw_distinct_pairs(draw, n_clicks, len(popularity), rng)


def _draw_positions(item: np.ndarray, popularity: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the position of each clicked item in the list shown: (n_clicks,), from 1.

    The share of clicks falls as 1 / position for an item of medium popularity, faster for popular items, which are
    shown first.
    """
    rank = np.empty(len(popularity))
    rank[np.argsort(popularity)] = np.linspace(0, 1, len(popularity))
    power = 2.0 ** (2 * rank - 1)  # 1/2 for the least popular item, 2 for the most popular one
    return (np.float64(_N_SLOTS + 1) ** (rng.random(len(item)) ** power[item])).astype(np.int64)


def _name_topics(kind: str, column: str, topics: np.ndarray) -> pd.DataFrame:
    """Return the main topic of each id."""
    names = np.array([f"topic {number}" for number in range(1, topics.shape[1] + 1)], dtype=object)
    index = pd.RangeIndex(1, len(topics) + 1, name=kind)
    return pd.DataFrame({column: names[topics.argmax(axis=1)]}, index=index)
