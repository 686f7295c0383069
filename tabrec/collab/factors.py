"""`Factors`: computations with biases and factors, given as one estimate or as samples, that scorers share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tabrec.collab.interactions import Pairs

# Largest number of values gathered at once for pairs.
_BLOCK = 2**21
_STEP = 1e-4
_N_STEPS = 20
# Number of ratings at which a learned row has half the weight of a row with many.
_HALF_WEIGHT = 10.0
Link = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class RowPrior:
    """The normal prior distribution of a row, for each sample."""

    mean: np.ndarray  # (n_samples, n_factors + 1)
    precision: np.ndarray  # (n_samples, n_factors + 1, n_factors + 1)


@dataclass(frozen=True)
class Factors:
    """A model in which a rating is link(mean + user bias + item bias + user factors · item factors)."""

    means: np.ndarray  # (n_samples,); a model with a single estimate has one sample
    user_rows: np.ndarray  # (n_codes, n_samples, n_factors + 1), the bias first; row 0 is that of an unknown id
    item_rows: np.ndarray
    link: Link  # maps sums to ratings, both (..., n_samples)

    def rows(self, kind: str) -> np.ndarray:
        """Return the rows of users or items."""
        return self.user_rows if kind == "user" else self.item_rows

    def biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        """Return the mean biases of some users or items."""
        return self.rows(kind)[codes, :, 0].mean(axis=1, dtype=np.float64)

    def vectors(self, kind: str) -> np.ndarray:
        """Concatenate the factors of all samples, scaled so that inner products are means over samples."""
        rows = self.rows(kind)[:, :, 1:]
        return rows.reshape(len(rows), -1).astype(np.float64) / np.sqrt(rows.shape[1])

    def mean_factors(self, users: np.ndarray, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return factors of users and items whose products approximate the mean over samples in least squares."""
        of_users, of_items = self.vectors("user")[users], self.vectors("item")[items]
        n_samples, n_factors = self.user_rows.shape[1], self.user_rows.shape[2] - 1
        if n_samples == 1:
            return of_users, of_items
        # Factors of samples may be rotated against each other, so only products of both sides can be averaged.
        q_users, r_users = np.linalg.qr(of_users)
        q_items, r_items = np.linalg.qr(of_items)
        left, sizes, right = np.linalg.svd(r_users @ r_items.T)
        n = min(n_factors, len(sizes))
        signs = np.sign(right[:n, :].sum(axis=1)) + (right[:n, :].sum(axis=1) == 0)
        scale = np.sqrt(sizes[:n]) * signs
        padding = ((0, 0), (0, n_factors - n))
        return np.pad(q_users @ left[:, :n] * scale, padding), np.pad(q_items @ right[:n].T * scale, padding)

    def sums(self, pairs: Pairs) -> np.ndarray:
        """Compute mean + biases + product of factors of pairs in each sample: (n_pairs, n_samples)."""
        n_pairs, (_, n_samples, width) = len(pairs.users), self.user_rows.shape
        sums = np.empty((n_pairs, n_samples))
        step = max(1, _BLOCK // (n_samples * width))
        for start in range(0, n_pairs, step):
            block = slice(start, start + step)
            users = self.user_rows[pairs.users[block]].astype(np.float64)
            items = self.item_rows[pairs.items[block]].astype(np.float64)
            sums[block] = np.einsum("psk,psk->ps", users[:, :, 1:], items[:, :, 1:])
            sums[block] += self.means + users[:, :, 0] + items[:, :, 0]
        return sums

    def score(self, pairs: Pairs) -> np.ndarray:
        """Predict the ratings of pairs, averaged over samples."""
        return self.link(self.sums(pairs)).mean(axis=1)

    def explain(self, user: int, item: int, features: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
        """Split a prediction into parts; `features` are the parts of the two rows that features explain."""
        users, items = self.user_rows[user].astype(np.float64), self.item_rows[item].astype(np.float64)
        product = (users[:, 1:] * items[:, 1:]).sum(axis=1)
        users, items = users - features[0], items - features[1]
        factors = (users[:, 1:] * items[:, 1:]).sum(axis=1)
        parts = {
            "user": users[:, 0],
            "item": items[:, 0],
            "features": features[0][:, 0] + features[1][:, 0] + product - factors,
            "factors": factors,
        }
        moved = sum(parts.values())
        at_mean, at_all = self.link(self.means), self.link(self.means + moved)
        # Integrated along the straight line from the mean to the sum, the change is shared in proportion to the parts.
        slope = np.where(
            np.abs(moved) > 1e-9, (at_all - at_mean) / np.where(moved == 0, 1.0, moved), self.slope(self.means)
        )
        return {"mean": float(at_mean.mean())} | {name: float((part * slope).mean()) for name, part in parts.items()}

    def contributions(
        self,
        user: int,
        item: int,
        rated: np.ndarray,
        values: np.ndarray,
        prior: RowPrior,
        noise_precision: Callable[[np.ndarray], np.ndarray],
    ) -> np.ndarray:
        """Return how much each rating of a user contributes to the prediction for an item, by linear regression.

        `noise_precision` returns the precision of the ratings around their predictions, of shape (n_samples, n_rated),
        given the slopes of the link.
        """
        items = self.item_rows[rated].astype(np.float64).transpose(1, 0, 2)  # (S, n_rated, k + 1)
        design, wanted = items.copy(), self.item_rows[item].astype(np.float64)
        design[:, :, 0], wanted[:, 0] = 1.0, 1.0
        before = np.einsum("smk,sk->sm", design, prior.mean) + items[:, :, 0] + self.means[:, None]
        slope = self.slope(before.T).T
        gap = values - self.link(before.T).T
        weighted = design * slope[:, :, None]
        noise = noise_precision(slope)  # (S, n_rated)
        precision = prior.precision + (weighted * noise[:, :, None]).transpose(0, 2, 1) @ weighted
        towards = np.linalg.solve(precision, wanted[:, :, None])[:, :, 0]  # (S, k + 1)
        pull = np.einsum("smk,sk->sm", weighted, towards) * gap * noise
        at = self.sums(Pairs(np.array([user]), np.array([item])))[0]
        return (pull * self.slope(at)[:, None]).mean(axis=0)

    def slope(self, sums: np.ndarray) -> np.ndarray:
        """Return the derivative of the link."""
        return (self.link(sums + _STEP) - self.link(sums - _STEP)) / (2 * _STEP)


def limit_parts(parts: dict[str, float], limits: tuple[float, float] | None) -> dict[str, float]:
    """Shrink all parts but the mean by one factor if their sum is outside the limits of ratings."""
    whole = sum(parts.values())
    inside = whole if limits is None else float(np.clip(whole, *limits))
    if whole == inside:
        return parts
    share = (inside - parts["mean"]) / (whole - parts["mean"])
    return {name: part if name == "mean" else part * share for name, part in parts.items()}


def fit_row_prior(rows: np.ndarray, counts: np.ndarray) -> RowPrior:
    """Fit a normal distribution to learned rows, (n_rows, n_factors + 1), with their numbers of ratings.

    The mean is unweighted, because a new id resembles ids with few ratings most. In the covariance, rows with few
    ratings have less weight, because they have hardly moved from their initial values.
    """
    weights = counts / (counts + _HALF_WEIGHT)
    mean = rows.mean(axis=0)
    gaps = rows - mean
    covariance = (gaps * weights[:, None]).T @ gaps / weights.sum()
    # Shrunk towards a multiple of the identity, with the weight of one row per dimension.
    width = rows.shape[1]
    share = width / (width + len(rows))
    ball = max(np.trace(covariance) / width, 1e-6)
    covariance = (1 - share) * covariance + share * ball * np.eye(width) + 1e-3 * ball * np.eye(width)
    return RowPrior(mean[None], np.linalg.inv(covariance)[None])


def fold_in_row(
    prior: RowPrior,
    design: np.ndarray,
    offsets: np.ndarray,
    ratings: np.ndarray,
    rating_precision: np.ndarray,
    rate: Callable[[np.ndarray], np.ndarray],
    slope: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Find the most probable row, (n_factors + 1,), given ratings, by Gauss-Newton steps with halving.

    The prior has one sample. `design`, (n_ratings, n_factors + 1), multiplies the row: 1 and the factors
    of the other side; `offsets` are the mean and the bias of the other side. `rate` and `slope` are the ratings of sums
    and their derivative.
    """
    mean, precision = prior.mean[0], prior.precision[0]

    def cost(row: np.ndarray) -> float:
        gap, away = ratings - rate(offsets + design @ row), row - mean
        return float((rating_precision * gap) @ gap + away @ precision @ away)

    row = mean.copy()
    for _ in range(_N_STEPS):
        sums = offsets + design @ row
        weighted = design * slope(sums)[:, None]
        towards = weighted.T @ (rating_precision * (ratings - rate(sums))) - precision @ (row - mean)
        step = np.linalg.solve(precision + (weighted.T * rating_precision) @ weighted, towards)
        length, now = 1.0, cost(row)
        while cost(row + length * step) > now and length > 1e-3:
            length /= 2
        row = row + length * step
        if np.abs(length * step).max() < 1e-8:
            break
    return row


def contributions_by_similarity(
    wanted: np.ndarray, rated: np.ndarray, gaps: np.ndarray, noise_variance: float
) -> np.ndarray:
    """Return the contributions of ratings to a prediction, by ridge regression on the vectors of items.

    `wanted` is the vector of the item, `rated` has those of the rated items, and `gaps` are the ratings minus the
    predictions for an unknown user.
    """
    scale = np.sqrt(np.mean(np.sum(rated**2, axis=1))) or 1.0
    design = np.column_stack([np.ones(len(rated)), rated / scale])
    # The prior of the bias and of the slopes has standard deviation 1.
    precision = np.eye(design.shape[1]) + design.T @ design / noise_variance
    return design @ np.linalg.solve(precision, np.append(1.0, wanted / scale)) / noise_variance * gaps
