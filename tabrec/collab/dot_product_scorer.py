"""`DotProductScorer`: trains a `DotProduct`, predicts by its rows, and folds new rows in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from tabrec.collab.dot_product_net import DotProduct, history_features
from tabrec.collab.factors import Factors, RowPrior, fit_row_prior, fold_in_row, limit_parts
from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.negatives import learns_ranking, make_examples
from tabrec.collab.net_training import (
    RatingScale,
    check_net_parameters,
    draw_seed,
    draw_validation,
    make_task,
    train_net_more,
)
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.sides import FROM_METADATA, KINDS
from tabrec.collab.strengths import check_positive
from tabrec.neural.devices import default_settings, one_thread
from tabrec.neural.draws import OwnDraws
from tabrec.neural.training_data import TrainingData
from tabrec.neural.training_task import TrainingTask

# Largest number of ratings used to measure the noise variance.
_MOST_FOR_NOISE = 200_000
# Standard deviation of the features in the net, with which their maps are learned as fast as the rows.
_SPREAD = 0.1
_LEAST_BATCH_SIZE = 64
# Prior precision that fixes biases at 0 if the model has none.
_FIXED_PRECISION = 1e12


class DotProductScorer(Scorer):
    """Trains a `DotProduct`, and keeps its rows by code, the bias first."""

    model: DotProduct
    history: pd.DataFrame
    rows: dict[str, np.ndarray]  # arrays (n_codes, 1, n_factors + 1) by kind
    designs: dict[str, np.ndarray]  # features and history, (n_codes, n_columns), by kind
    n_features: dict[str, int]
    feature_parts: dict[str, np.ndarray | None]  # effect of features on rows, (n_codes, n_factors + 1), by kind
    row_priors: dict[str, RowPrior]
    means: np.ndarray
    noise_variance: float
    scale: RatingScale
    seed: int

    def check_parameters(self) -> None:
        check_net_parameters(self.parameters)

    def check_ratings(self, values: np.ndarray) -> None:
        if learns_ranking(self.parameters):
            check_positive(values)
        else:
            self.scale.check(values)

    @default_settings()
    def fit(self, data: RatingsReader, context: Context = None) -> None:
        with one_thread():
            self.history = self.make_training_task(data).run()
        self._settle()

    def make_training_task(self, data: RatingsReader, context: Context = None) -> TrainingTask:
        """Make the net and its training data."""
        self.data = data
        self.seed = draw_seed(self.parameters["random_state"])
        examples = self._examples(data.ratings)
        self.scale = RatingScale(self.parameters["y_range"], examples.values)
        is_valid = draw_validation(examples, self.parameters["validation_fraction"], self.seed)
        self._set_designs(examples, is_valid)
        self.model = self._make_model(int(self.parameters["n_factors"]), examples.mean())
        rows = self._make_data(examples)
        return make_task(self.model, rows, self.seed, self.parameters, _LEAST_BATCH_SIZE, self.scale, is_valid)

    @default_settings()
    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        new_items = data.items.became_known(self.data.items.origins)
        self.data = data
        for kind in KINDS:
            self._extend(kind)
        self._fold("item", new_items, self._examples(more))
        self._fold("user", np.unique(more.users), self._examples(data.ratings))
        self.model = self._grown_model()
        self.seed += 1
        rows = self._make_data(self._examples(more))
        self.history = train_net_more(
            self.model, rows, self.seed, self.parameters, _LEAST_BATCH_SIZE, self.scale, self.history
        )
        self._settle()

    def extend(self, data: RatingsReader) -> None:
        self.data = data
        for kind in KINDS:
            self._extend(kind)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        self.data = data
        self._extend("user")
        self._fold("user", users, self._examples(given, is_folded=True))

    def score(self, pairs: Pairs) -> np.ndarray:
        return self.scale.clip(self.factor_model.score(pairs))

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        user_rows = self.rows["user"][users, 0].astype(np.float64)
        item_rows = self.rows["item"][items, 0].astype(np.float64)
        sums = user_rows[:, 1:] @ item_rows[:, 1:].T
        sums += user_rows[:, :1]
        sums += item_rows[:, 0]
        return sums

    def search_vectors(self, kind: str, codes: np.ndarray) -> np.ndarray:
        rows = self.rows[kind][codes, 0]
        ones = np.ones(len(rows), dtype=rows.dtype)
        return np.column_stack([rows, ones] if kind == "user" else [ones, rows[:, 1:], rows[:, 0]])

    def to_ratings(self, scores: np.ndarray) -> np.ndarray:
        return self.scale.clip(self._link(scores + self.means))

    def vectors(self, kind: str) -> np.ndarray:
        return self.factor_model.vectors(kind)

    def biases(self, kind: str, codes: np.ndarray) -> np.ndarray:
        return self.factor_model.biases(kind, codes)

    def explain(self, user: int, item: int) -> dict[str, float]:
        features = self._feature_row("user", user), self._feature_row("item", item)
        return limit_parts(self.factor_model.explain(user, item, features), self.scale.limits)

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        values = np.ones(len(values)) if learns_ranking(self.parameters) else values
        noise = np.full((1, len(rated)), 1 / self.noise_variance)
        prior = self._prior_of("user", user)
        return self.factor_model.contributions(user, item, rated, values, prior, lambda slope: noise)

    @property
    def factor_model(self) -> Factors:
        """The rows as a model of factors."""
        return Factors(self.means, self.rows["user"], self.rows["item"], self._link)

    def _link(self, sums: np.ndarray) -> np.ndarray:
        return self.scale.to_ratings(sums)

    def _examples(self, ratings: Interactions, is_folded: bool = False) -> Interactions:
        return make_examples(ratings, self.data, self.parameters, self.seed, is_folded=is_folded)[0]

    def _set_designs(self, examples: Interactions, is_valid: np.ndarray | None) -> None:
        """Set the features of users and items, followed by their history."""
        data, n_history = self.data, int(self.parameters["n_history"])
        designs = [data.side(kind).design() for kind in KINDS]
        self.n_features = {kind: design.shape[1] for kind, design in zip(KINDS, designs, strict=True)}
        if n_history:
            trained = np.ones(len(examples), dtype=bool) if is_valid is None else ~is_valid
            if learns_ranking(self.parameters):
                trained = trained & (examples.values > 0)
            users, items = examples.users[trained], examples.items[trained]
            histories = history_features(users, items, data.users.n_codes, data.items.n_codes, n_history, self.seed)
            designs = [np.column_stack(both) for both in zip(designs, histories, strict=True)]
        self.designs = {kind: _SPREAD * design for kind, design in zip(KINDS, designs, strict=True)}

    def _make_model(self, n_factors: int, mean: float) -> DotProduct:
        with OwnDraws(self.seed):
            model = DotProduct(
                self.data.users.n_codes - 1,
                self.data.items.n_codes - 1,
                n_factors,
                mean=float(self.scale.scaler.scale(self.scale.to_ratings(self.scale.to_sums(np.array([mean]))))[0]),
                y_range=self.scale.scaled_bounds,
                std=self.parameters["init_std"],
                row_penalty=self.parameters["row_penalty"],
                bias=bool(self.parameters["bias"]),
                n_user_features=self.designs["user"].shape[1],
                n_item_features=self.designs["item"].shape[1],
            )
        model.set_features(self.designs["user"], self.designs["item"])
        return model

    def _make_data(self, ratings: Interactions) -> TrainingData:
        codes = torch.from_numpy(np.stack([ratings.users, ratings.items], axis=1))
        return self.scale.make_data((codes,), ratings)

    def _grown_model(self) -> DotProduct:
        """Return a net enlarged to the current number of ids, with all parameters learned so far."""
        n_factors, mean = self.rows["user"].shape[2] - 1, float(self.scale.scaler.means[0])
        grown, old = self._make_model(n_factors, mean), self.model
        with torch.no_grad():
            for new, learned in ((grown.user_map, old.user_map), (grown.item_map, old.item_map)):
                if new is not None and learned is not None:
                    new.copy_(learned)
            grown.base.copy_(old.base)
            rows = (np.roll(self.rows[kind][:, 0], -1, axis=1) for kind in KINDS)
            own = [of_side - effect for of_side, effect in zip(rows, grown.feature_tables(), strict=True)]
            grown.vectors.weight.copy_(torch.from_numpy(np.concatenate(own)))
        return grown

    def _settle(self) -> None:
        """Copy the rows from the net, and set those without ratings to their prior mean."""
        self.means = np.array([float(self.model.base.detach())])
        tables = zip(KINDS, self.model.tables(), strict=True)
        self.rows = {kind: np.roll(table, 1, axis=1)[:, None] for kind, table in tables}
        self.feature_parts = {kind: self._feature_part(kind) for kind in KINDS}
        self.noise_variance = self._measure_noise()
        self.row_priors = {kind: self._fit_prior(kind) for kind in KINDS}
        for kind in KINDS:
            self._set_to_prior(kind, np.flatnonzero(self.data.side(kind).origins >= FROM_METADATA))

    def _feature_part(self, kind: str) -> np.ndarray | None:
        """Return the effect of features, without history, on rows."""
        weight, n = (self.model.user_map if kind == "user" else self.model.item_map), self.n_features[kind]
        if weight is None or not n:
            return None
        return np.roll(self.designs[kind][:, :n] @ weight.detach().numpy()[:n], 1, axis=1)

    def _fit_prior(self, kind: str) -> RowPrior:
        side = self.data.side(kind)
        known, part = side.known(), self.feature_parts[kind]
        rows = self.rows[kind][:, 0] if part is None else self.rows[kind][:, 0] - part
        prior = fit_row_prior(rows[known].astype(np.float64), self.data.ratings.counts(kind, side.n_codes)[known])
        if not self.parameters["bias"]:  # the bias stays 0 when rows are folded in
            prior.precision[0, 0], prior.precision[0, :, 0] = 0.0, 0.0
            prior.precision[0, 0, 0] = _FIXED_PRECISION
        return prior

    def _measure_noise(self) -> float:
        """Return the variance of ratings around their predictions."""
        ratings = self._examples(self.data.ratings)
        step = max(1, len(ratings) // _MOST_FOR_NOISE)
        gaps = ratings.values[::step] - self.score(Pairs(ratings.users[::step], ratings.items[::step]))
        return max(float((gaps**2).mean()), 1e-4 * self.scale.std**2)

    def _extend(self, kind: str) -> None:
        """Copy the rows of one side and add rows for its new ids, which may have features but no history."""
        side, n = self.data.side(kind), self.n_features[kind]
        n_new = side.n_codes - len(self.rows[kind])
        self.rows = self.rows | {kind: np.pad(self.rows[kind], ((0, n_new), (0, 0), (0, 0)))}
        design = np.pad(self.designs[kind], ((0, n_new), (0, 0)))
        if n:
            design[:, :n] = _SPREAD * side.design()
        self.designs = self.designs | {kind: design}
        self.feature_parts = self.feature_parts | {kind: self._feature_part(kind)}
        self._set_to_prior(kind, np.arange(side.n_codes - n_new, side.n_codes))

    def _fold(self, kind: str, codes: np.ndarray, ratings: Interactions) -> None:
        """Fold ids in by their ratings; writes into rows that `_extend` has copied."""
        own, others = (ratings.users, ratings.items) if kind == "user" else (ratings.items, ratings.users)
        other_rows = self.rows["item" if kind == "user" else "user"][:, 0]
        order = np.argsort(own, kind="stable")
        own, others, values = own[order], others[order], ratings.values[order]
        precision = np.ones(len(own)) if ratings.weights is None else ratings.weights[order]
        precision = precision / self.noise_variance
        slope = self.factor_model.slope
        for code in codes:
            mine = slice(*np.searchsorted(own, [code, code + 1]))
            design = other_rows[others[mine]].astype(np.float64)
            offsets = design[:, 0] + self.means[0]
            design[:, 0] = 1.0
            prior = self._prior_of(kind, code)
            row = fold_in_row(prior, design, offsets, values[mine], precision[mine], self._link, slope)
            self.rows[kind][code, 0] = row

    def _prior_of(self, kind: str, code: int) -> RowPrior:
        prior = self.row_priors[kind]
        return replace(prior, mean=prior.mean + self._feature_row(kind, code))

    def _feature_row(self, kind: str, code: int) -> np.ndarray:
        part = self.feature_parts[kind]
        return np.zeros((1, self.rows[kind].shape[2])) if part is None else part[code][None].astype(np.float64)

    def _set_to_prior(self, kind: str, codes: np.ndarray) -> None:
        """Set rows to their prior mean."""
        rows, part = self.rows[kind], self.feature_parts[kind]
        rows[codes, 0] = self.row_priors[kind].mean[0]
        if part is not None:
            rows[codes, 0] += part[codes]
