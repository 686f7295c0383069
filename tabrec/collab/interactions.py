"""`Interactions` and `Pairs`: the training data of scorers, and the pairs to score, as codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tabrec.collab.row_blocks import count_codes

# Codes and numbers of the context columns: (n_pairs, n_categories) and (n_pairs, n_numbers).
Context = tuple[np.ndarray, np.ndarray] | None


class Pairs(NamedTuple):
    """Users and items as codes, 0 for unknown ids, and the context of each pair.

    Attributes
    ----------
    users, items : ndarray of shape (n_pairs,), int32
        Codes.
    context : tuple of ndarray or None
        Codes, (n_pairs, n_categories), and numbers, (n_pairs, n_numbers), of the context columns.

    See Also
    --------
    Scorer.score : Predicts ratings of pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from tabrec.collab import Pairs
    >>> Pairs(np.array([1, 1, 2]), np.array([3, 4, 0])).take(slice(0, 2)).items.tolist()
    [3, 4]
    """

    users: np.ndarray
    items: np.ndarray
    context: Context = None

    def take(self, rows: slice) -> Pairs:
        """Return a slice of the pairs.

        Parameters
        ----------
        rows : slice
            Positions of the pairs.

        Returns
        -------
        Pairs
            Those pairs, with their context.
        """
        context = None if self.context is None else (self.context[0][rows], self.context[1][rows])
        return Pairs(self.users[rows], self.items[rows], context)


@dataclass(frozen=True)
class Interactions:
    """Ratings sorted by user, then item, then value, so that a model does not depend on the order of the rows.

    Parameters
    ----------
    users, items : ndarray of shape (n_interactions,), int32
        Codes, from 1.
    values : ndarray of shape (n_interactions,), float64
        Ratings.
    weights : ndarray of shape (n_interactions,), default=None
        None weights all interactions equally.
    days : ndarray of shape (n_interactions,), default=None
        Times in days, if known.

    Attributes
    ----------
    users, items, values, weights, days : ndarray
        The parameters.

    See Also
    --------
    Scorer.fit : Learns from interactions.

    Examples
    --------
    >>> import numpy as np
    >>> from tabrec.collab import Interactions
    >>> ratings = Interactions(np.array([1, 1, 2]), np.array([3, 4, 3]), np.array([5.0, 2.0, 5.0]))
    >>> ratings.mean(), ratings.counts("item", 5).tolist()
    (4.0, [0, 0, 0, 2, 1])
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    weights: np.ndarray | None = None
    days: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Interactions:
        """Return some of the interactions.

        Parameters
        ----------
        rows : ndarray of int or bool
            Their positions, in ascending order, or a mask.

        Returns
        -------
        Interactions
            The selected interactions.
        """
        weights = None if self.weights is None else self.weights[rows]
        days = None if self.days is None else self.days[rows]
        return Interactions(self.users[rows], self.items[rows], self.values[rows], weights, days)

    def mean(self) -> float:
        """Return the weighted mean of the values."""
        return float(np.average(self.values, weights=self.weights))

    def of_user(self, user: int) -> slice:
        """Return the positions of the interactions of one user.

        Parameters
        ----------
        user : int
            Code of the user.

        Returns
        -------
        slice
            The positions, which are consecutive.
        """
        # Bounds need the dtype of the users, because searchsorted would copy them otherwise.
        return slice(*np.searchsorted(self.users, np.array([user, user + 1], dtype=self.users.dtype)))

    def of_users(self, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the interactions of several users.

        Parameters
        ----------
        users : ndarray of int
            Codes of the users.

        Returns
        -------
        positions, owner : ndarray of shape (n_found,)
            The positions, and for each the position of its user in `users`.
        """
        wanted = users.astype(self.users.dtype, copy=False)
        starts, stops = np.searchsorted(self.users, wanted), np.searchsorted(self.users, wanted + 1)
        counts = stops - starts
        owner = np.repeat(np.arange(len(users)), counts)
        first = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        return first + np.arange(counts.sum()), owner

    def counts(self, kind: str, n_codes: int) -> np.ndarray:
        """Count the interactions of each user or item.

        Parameters
        ----------
        kind : {"user", "item"}
            The ids to count by.
        n_codes : int
            Number of codes, 0 included.

        Returns
        -------
        ndarray of shape (n_codes,)
            The counts by code.
        """
        return count_codes(self.users if kind == "user" else self.items, n_codes)

    def with_more(self, more: Interactions) -> Interactions:
        """Return these and further interactions, sorted together.

        Parameters
        ----------
        more : Interactions
            The further interactions.

        Returns
        -------
        Interactions
            All of them; interactions without weights have the weight 1 where others have weights, and those without
            times the latest time of the others.
        """
        weights = days = None
        if self.weights is not None or more.weights is not None:
            weights = np.concatenate([np.ones(len(r)) if r.weights is None else r.weights for r in (self, more)])
        if self.days is not None or more.days is not None:
            newest = max(r.days.max(initial=-np.inf) for r in (self, more) if r.days is not None)
            days = np.concatenate([np.full(len(r), newest) if r.days is None else r.days for r in (self, more)])
        users, items = np.concatenate([self.users, more.users]), np.concatenate([self.items, more.items])
        found, order = sort_interactions(users, items, np.concatenate([self.values, more.values]), weights)
        return found if days is None else replace(found, days=days[order])


def sort_interactions(
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray | None = None,
    occasions: np.ndarray | None = None,
) -> tuple[Interactions, np.ndarray]:
    """Sort interactions; also returns their former positions. `occasions` breaks ties between equal rows."""
    pairs = users.astype(np.int64) * (int(items.max(initial=0)) + 1) + items
    order = np.argsort(pairs, kind="stable")
    if (np.diff(pairs[order]) == 0).any():  # some pair has several ratings
        order = np.lexsort([key for key in (occasions, weights, values, pairs) if key is not None])
    weights = None if weights is None else weights[order]
    return Interactions(users[order], items[order], values[order], weights), order
