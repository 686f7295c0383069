"""`PosteriorScorer`: samples the posterior of biases and factors, and averages over the samples."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Literal

import numpy as np
from sklearn.utils import check_random_state

from tabrec.collab.factors import Factors, RowPrior, limit_parts
from tabrec.collab.gibbs import GibbsPlan, GibbsState, sample
from tabrec.collab.gibbs_draws import history_matrix, probabilities
from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.posterior import (
    Posterior,
    Side,
    extended,
    feature_effects,
    fold_in,
    predict_pairs,
    prior_rows,
    redraw,
    score_block,
)
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import KINDS
from tabrec.tables.progress import quiet_if_auto, show_progress

# Maximum number of distinct ratings for the ordinal likelihood.
_MOST_LEVELS = 1000
# `partial_fit` makes 1 / _SHARE_OF_MORE of the sweeps of `fit`.
_SHARE_OF_MORE = 3
# If new ratings are at most this share of all, `partial_fit` draws only the rows of their users and items.
_MOST_REDRAWN = 0.05
_MOST_ORDINAL_ROWS = 20


class PosteriorScorer(Scorer):
    """Samples the posterior distribution of biases and factors, and averages over the samples."""

    posterior: Posterior
    state: GibbsState
    designs: tuple[np.ndarray | None, np.ndarray | None]  # centred features of users and items
    range: tuple[float, float]  # smallest and largest rating
    seed: int

    def check_ratings(self, values: np.ndarray) -> None:
        levels = self.posterior.levels
        if levels is not None and not np.isin(values, levels).all():
            odd = values[~np.isin(values, levels)][0]
            raise ValueError(f"The rating {odd:g} does not occur in fit, as likelihood='ordinal' needs: {levels}.")

    def check_given(self, values: np.ndarray) -> None:
        self.check_ratings(values)
        low, high = self.range
        outside = values[(values < low) | (values > high)]
        if len(outside):
            raise ValueError(f"The rating {outside[0]:g} is outside {low:g} to {high:g}, the ratings in fit.")

    def fit(self, data: RatingsReader, context: Context = None) -> None:
        self.data = data
        n_levels = len(np.unique(data.ratings.values))
        if self.parameters["likelihood"] == "ordinal" and n_levels > _MOST_LEVELS:
            raise ValueError(
                f"likelihood='ordinal' takes at most {_MOST_LEVELS} distinct ratings, but there are {n_levels}: set "
                "likelihood='normal'."
            )
        self.seed = int(check_random_state(self.parameters["random_state"]).randint(np.iinfo(np.int32).max))
        self._sample(int(self.parameters["n_sweeps"]), None)

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        self.data = data
        self.seed += 1
        if self._redraws(more):
            self._redraw(np.unique(more.users), np.unique(more.items))
            low, high = float(more.values.min()), float(more.values.max())
            self.range = min(self.range[0], low), max(self.range[1], high)
            return
        self._sample(max(1, int(self.parameters["n_sweeps"]) // _SHARE_OF_MORE), self.state)

    def extend(self, data: RatingsReader) -> None:
        self.data = data
        none = np.empty(0, dtype=np.intp)
        self._redraw(none, none)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.data = data
        old, made = self.posterior, extended(self.posterior, data.users.n_codes, data.items.n_codes)
        self._extend_designs()
        position = np.searchsorted(users, given.users)
        features = None if self.designs[0] is None else self.designs[0][users]
        # Seeded by the ratings of a user, so that new users do not depend on each other.
        own = (given.users == user for user in users)
        rngs = [self._make_rng(given.items[rows], given.values[rows]) for rows in own]
        made.users[:, users] = fold_in(
            old, "user", given.items, given.values, position, len(users), features, rngs=rngs
        )
        self.posterior = made

    def score(self, pairs: Pairs) -> np.ndarray:
        return self.to_ratings(predict_pairs(self.posterior, pairs.users, pairs.items)[0])

    def score_with_std(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """Return predicted ratings, and the standard deviation of ratings around them."""
        mean, variance = predict_pairs(self.posterior, pairs.users, pairs.items)
        return self.to_ratings(mean), np.sqrt(variance)

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return score_block(self.posterior, users, items)

    def to_ratings(self, scores: np.ndarray) -> np.ndarray:
        return np.clip(scores, *self.range)

    def vectors(self, kind: str) -> np.ndarray:
        return self.factor_model.vectors(kind)

    def factors(self, kind: str) -> np.ndarray:
        return self.factor_model.mean_factors(self.data.users.known(), self.data.items.known())[kind != "user"]

    def biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self.factor_model.biases(kind, codes)

    def explain(self, user: int, item: int) -> dict[str, float]:
        parts = self.factor_model.explain(
            user, item, (self._feature_rows("user", user), self._feature_rows("item", item))
        )
        return limit_parts(parts, self.range)

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        posterior = self.posterior

        def noise_precision(slope: np.ndarray) -> np.ndarray:
            noise = posterior.noise_precision[:, None] * posterior.user_noise[:, [user]]
            return noise * posterior.item_noise[:, rated] / np.maximum(slope, 1e-3) ** 2

        return self.factor_model.contributions(user, item, rated, values, self._row_prior(user), noise_precision)

    @property
    def factor_model(self) -> Factors:
        """The samples of rows as a model of factors."""
        users, items = self.posterior.users.transpose(1, 0, 2), self.posterior.items.transpose(1, 0, 2)
        return Factors(self.posterior.mean, users, items, self._link)

    def _link(self, sums: np.ndarray) -> np.ndarray:
        levels, cutpoints = self.posterior.levels, self.posterior.cutpoints
        if levels is None or cutpoints is None:
            return sums
        of_samples = [probabilities(sums[..., s], cutpoints[s]) @ levels for s in range(len(cutpoints))]
        return np.stack(of_samples, axis=-1)

    def _sample(self, n_sweeps: int, start: GibbsState | None) -> None:
        ratings, parameters = self.data.ratings, self.parameters
        plan = GibbsPlan(
            n_factors=int(parameters["n_factors"]),
            n_sweeps=n_sweeps,
            n_burn_in=min(int(parameters["n_burn_in"]), n_sweeps // 3),
            n_kept=int(parameters["n_samples"]),
            likelihood=parameters["likelihood"],
            history=bool(parameters["implicit_feedback"]),
        )
        if start is not None:  # a chain that is continued keeps its model
            plan = replace(
                plan,
                n_factors=start.users.rows.shape[1] - 1,
                likelihood="normal" if start.cutpoints is None else "ordinal",
                history=start.users.history_weights is not None,
            )
        sides = self.data.users, self.data.items
        users, items = (None if side.table is None else side.table.design() for side in sides)
        self.designs = users, items
        verbose = parameters["verbose"] if start is None else quiet_if_auto(parameters["verbose"])
        with show_progress("Sampling", n_sweeps, verbose) as progress:
            self.posterior, self.state = sample(
                ratings.users,
                ratings.items,
                ratings.values,
                ratings.weights,
                self.data.users.n_codes,
                self.data.items.n_codes,
                users,
                items,
                plan,
                np.random.default_rng(self.seed),
                start,
                lambda sweep: progress.advance(),
            )
        self.range = float(ratings.values.min()), float(ratings.values.max())

    def _redraws(self, more: Interactions) -> bool:
        """Return whether further ratings are so few that only the rows of their users and items are drawn again."""
        n_rows = len(np.unique(more.users)) + len(np.unique(more.items))
        is_ordinal = self.posterior.cutpoints is not None  # ordinal rows are drawn one by one, which is slow
        return len(more) <= _MOST_REDRAWN * len(self.data.ratings) and (not is_ordinal or n_rows <= _MOST_ORDINAL_ROWS)

    def _redraw(self, users: np.ndarray, items: np.ndarray) -> None:
        """Draw the rows of some users and items, and of new ids, given the rest of each sample."""
        self._extend_designs()
        n_codes = {kind: self.data.side(kind).n_codes for kind in KINDS}
        n_before = {"user": self.posterior.users.shape[1], "item": self.posterior.items.shape[1]}
        self.posterior = extended(self.posterior, n_codes["user"], n_codes["item"])
        given = {"user": users, "item": items}
        drawn = {
            kind: np.union1d(given[kind], np.arange(n_before[kind], n_codes[kind])).astype(np.intp) for kind in KINDS
        }
        sides: tuple[Side, ...] = ("user", "item", "user")
        for place, side in enumerate(sides):
            codes = drawn[side]
            rngs = [np.random.default_rng([self.seed, place, code]) for code in codes]
            if len(codes):
                redraw(self.posterior, side, codes, self.data.ratings, self.designs[side != "user"], rngs)

    def _extend_designs(self) -> None:
        """Update the features for new ids."""
        users, items = (None if side.table is None else side.design() for side in (self.data.users, self.data.items))
        self.designs = users, items

    def _make_rng(self, items: np.ndarray, values: np.ndarray) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(items.tobytes()), zlib.crc32(values.tobytes())])

    def _feature_rows(self, kind: Literal["user", "item"], code: int) -> np.ndarray:
        design = self.designs[kind != "user"]
        if design is None:
            return np.zeros((len(self.posterior.mean), self.posterior.users.shape[2]))
        return feature_effects(self.posterior, kind, design[code : code + 1])[:, 0]

    def _row_prior(self, user: int) -> RowPrior:
        ratings, prior = self.data.ratings, self.posterior.user_prior
        rated = ratings.items[ratings.of_user(user)]
        history = history_matrix(np.zeros(len(rated), np.int64), rated, (1, self.data.items.n_codes))
        features = None if self.designs[0] is None else self.designs[0][user : user + 1]
        mean = prior_rows(self.posterior, "user", features, history)[:, 0]
        return RowPrior(mean, prior.precision)
