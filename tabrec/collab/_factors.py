"""What models of biases and factors share, be it one estimate of them or many samples."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from tabrec.collab._base import Recommender
from tabrec.collab._reading import Pairs

# Numbers gathered at once for pairs.
_BLOCK = 2**21


@dataclass(frozen=True)
class RowPrior:
    """What a user's row is like before any rating, by sample: normal, of this mean and precision.

    Attributes
    ----------
    mean : ndarray of shape (n_samples, n_factors + 1)
    precision : ndarray of shape (n_samples, n_factors + 1, n_factors + 1)
    """

    mean: np.ndarray
    precision: np.ndarray


class FactorRecommender(Recommender):
    """Base of the models in which a rating is mean + user bias + item bias + user factors · item factors.

    A subclass sets `_means`, of shape (n_samples,), and `_user_rows` and `_item_rows`, of shape (n_codes, n_samples,
    n_factors + 1), the bias first; a model that is no sample has one of them. Row 0 is that of an unknown id.
    """

    _means: np.ndarray
    _user_rows: np.ndarray
    _item_rows: np.ndarray

    def _side_rows(self, kind: str) -> np.ndarray:
        return self._user_rows if kind == "user" else self._item_rows

    def _biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self._side_rows(kind)[codes, :, 0].mean(axis=1, dtype=np.float64)

    def _factors(self, kind: str) -> np.ndarray:
        return self._mean_factors()[kind != "user"]

    def _mean_factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Factors of the known users and items whose products come nearest to the mean of the samples' products."""
        users, items = self._vectors("user")[self._users.known()], self._vectors("item")[self._items.known()]
        n_samples, n_factors = self._user_rows.shape[1], self._user_rows.shape[2] - 1
        if n_samples == 1:
            return users, items
        # Samples may be turned against each other: the product of both sides is what they agree on.
        q_users, r_users = np.linalg.qr(users)
        q_items, r_items = np.linalg.qr(items)
        left, sizes, right = np.linalg.svd(r_users @ r_items.T)
        n = min(n_factors, len(sizes))
        signs = np.sign(right[:n, :].sum(axis=1)) + (right[:n, :].sum(axis=1) == 0)
        scale = np.sqrt(sizes[:n]) * signs
        padding = ((0, 0), (0, n_factors - n))
        return np.pad(q_users @ left[:, :n] * scale, padding), np.pad(q_items @ right[:n].T * scale, padding)

    def _vectors(self, kind: str) -> np.ndarray:
        rows = self._side_rows(kind)[:, :, 1:]
        return rows.reshape(len(rows), -1).astype(np.float64) / np.sqrt(rows.shape[1])

    def _sums(self, pairs: Pairs) -> np.ndarray:
        """mean + biases + product of factors by sample: (n_pairs, n_samples)."""
        n_pairs, (_, n_samples, width) = len(pairs.users), self._user_rows.shape
        sums = np.empty((n_pairs, n_samples))
        step = max(1, _BLOCK // (n_samples * width))
        for start in range(0, n_pairs, step):
            block = slice(start, start + step)
            users = self._user_rows[pairs.users[block]].astype(np.float64)
            items = self._item_rows[pairs.items[block]].astype(np.float64)
            sums[block] = np.einsum("psk,psk->ps", users[:, :, 1:], items[:, :, 1:])
            sums[block] += self._means + users[:, :, 0] + items[:, :, 0]
        return sums

    def _score(self, pairs: Pairs) -> np.ndarray:
        return self._rate(self._sums(pairs)).mean(axis=1)

    def _explain(self, user: int, item: int) -> dict[str, float]:
        own = {"user": self._user_rows[user].astype(np.float64), "item": self._item_rows[item].astype(np.float64)}
        product = (own["user"][:, 1:] * own["item"][:, 1:]).sum(axis=1)
        features = {"user": self._feature_rows("user", user), "item": self._feature_rows("item", item)}
        own = {kind: rows - features[kind] for kind, rows in own.items()}
        factors = (own["user"][:, 1:] * own["item"][:, 1:]).sum(axis=1)
        parts = {
            "user": own["user"][:, 0],
            "item": own["item"][:, 0],
            "features": features["user"][:, 0] + features["item"][:, 0] + product - factors,
            "factors": factors,
        }
        moved = sum(parts.values())
        at_mean, at_all = self._rate(self._means), self._rate(self._means + moved)
        # Along the straight way from the mean to the whole sum, each part has moved the rating by its share of the way.
        slope = np.where(
            np.abs(moved) > 1e-9, (at_all - at_mean) / np.where(moved == 0, 1.0, moved), self._slope(self._means)
        )
        return {"mean": float(at_mean.mean())} | {name: float((part * slope).mean()) for name, part in parts.items()}

    def _argue(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        prior = self._row_prior(user)
        items = self._item_rows[rated].astype(np.float64).transpose(1, 0, 2)  # (S, n_rated, k + 1)
        design, wanted = items.copy(), self._item_rows[item].astype(np.float64)
        design[:, :, 0], wanted[:, 0] = 1.0, 1.0
        before = np.einsum("smk,sk->sm", design, prior.mean) + items[:, :, 0] + self._means[:, None]
        slope = self._slope(before.T).T
        gap = values - self._rate(before.T).T
        weighted = design * slope[:, :, None]
        trust = self._noise_precision(user, rated, slope)  # (S, n_rated)
        precision = prior.precision + (weighted * trust[:, :, None]).transpose(0, 2, 1) @ weighted
        towards = np.linalg.solve(precision, wanted[:, :, None])[:, :, 0]  # (S, k + 1)
        pull = np.einsum("smk,sk->sm", weighted, towards) * gap * trust
        at = self._sums(Pairs(np.array([user]), np.array([item]), None))[0]
        return (pull * self._slope(at)[:, None]).mean(axis=0)

    def _slope(self, sums: np.ndarray) -> np.ndarray:
        """Derivative of `_rate`."""
        step = 1e-4
        return (self._rate(sums + step) - self._rate(sums - step)) / (2 * step)

    @abstractmethod
    def _rate(self, sums: np.ndarray) -> np.ndarray:
        """Ratings of sums, of shape (..., n_samples)."""

    @abstractmethod
    def _feature_rows(self, kind: str, code: int) -> np.ndarray:
        """The part of a row that comes from its features: (n_samples, n_factors + 1)."""

    @abstractmethod
    def _noise_precision(self, user: int, rated: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Of a user's ratings around their predictions, at these slopes of `_rate`: (n_samples, n_rated)."""

    @abstractmethod
    def _row_prior(self, user: int) -> RowPrior:
        """What the user's row is like before any rating."""
