"""`TwoStageScorer`: retrieves candidates and ranks them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils import check_random_state

from tabrec.collab.ease import EASE
from tabrec.collab.implicit_als import ImplicitALS
from tabrec.collab.interactions import Context, Interactions, Pairs
from tabrec.collab.item_knn import ItemKNN
from tabrec.collab.members import check_members, check_weights, copy_scorers, fit_scorers, make_members
from tabrec.collab.popular import Popular
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer
from tabrec.collab.strengths import StrengthScorer
from tabrec.stages.default_ranker import make_default_ranker
from tabrec.stages.pair_features import Histories, PairFeatures, add_users, learn_histories
from tabrec.stages.ranker_training import chunks, make_candidate_rows
from tabrec.stages.retrieval import Retrieved, retrieve
from tabrec.tables.messages import warn_caller

# Number of training rows that are kept as the background of explanations.
_N_BACKGROUND = 50
# The blend of the default retrievers is that of EASE and ImplicitALS; all of them list candidates.
_WEIGHTS = (1, 1, 0, 0)


class TwoStageScorer(StrengthScorer):
    """Holds the scorers of the retrievers, the weights of their blend and the fitted ranker."""

    _most_few = 0  # the scores of the retrievers include the popularity
    _not_saved: tuple[str, ...] = (*StrengthScorer._not_saved, "context", "_features")
    context: Context = None
    _features: PairFeatures | None = None
    scorers: list[Scorer]
    weights: np.ndarray
    ranker: Any  # None if there was nothing to learn from
    background: pd.DataFrame
    histories: Histories
    seed: int

    def check_parameters(self) -> None:
        check_members("retrievers", self.parameters["retrievers"], self._members(0))
        ranker = self._make_ranker(0)
        if not (is_classifier(ranker) or is_regressor(ranker)):
            raise ValueError(f"ranker={self.parameters['ranker']!r} must be a classifier or a regressor.")

        check_weights(self.parameters["weights"], len(self._members(0)))

    def fit(self, data: RatingsReader, context: Context = None) -> None:
        self.context = context
        super().fit(data, context)
        self.context = None

    def learn(self) -> None:
        self.seed = int(check_random_state(self.parameters["random_state"]).randint(np.iinfo(np.int32).max))
        rng = np.random.default_rng(self.seed)
        self.weights = self._make_weights()
        rows = make_candidate_rows(
            self.data, self.context, lambda: self._members(self.seed), self.lists(), self.weights, self.parameters, rng
        )
        self.ranker, self.background = None, rows.features
        if len(np.unique(rows.labels)) == 2:
            self.background = rows.features.sample(min(_N_BACKGROUND, len(rows.labels)), random_state=self.seed)
            self.ranker = self._make_ranker(self.seed).fit(rows.features, rows.labels)
        else:
            warn_caller(
                "No candidate is among the interactions held out, so that no ranker is trained and candidates are "
                "ranked by the weighted scores of the retrievers: there are too few interactions, or n_candidates="
                f"{self.parameters['n_candidates']} is too small."
            )
        self.scorers = fit_scorers(self._members(self.seed), self.data)
        self.histories = learn_histories(self.data)

    def fit_more(self, data: RatingsReader, more: Interactions, context: Context = None) -> None:
        scorers = list(self._current())
        for scorer in scorers:
            scorer.fit_more(data, more)
        self.scorers = scorers
        self.take(data)
        self.count()
        self.histories = learn_histories(data)

    def fold_in(self, data: RatingsReader, given: Interactions, users: np.ndarray) -> None:
        scorers = list(self._current())
        for scorer in scorers:
            scorer.fold_in(data, given, users)
        self.scorers = scorers
        self.take(data)
        self.histories = add_users(self.histories, data, users)

    def take(self, data: RatingsReader) -> None:
        super().take(data)
        self._features = None

    def score(self, pairs: Pairs) -> np.ndarray:
        scores = self.popularity[pairs.items].astype(np.float64)
        known = np.flatnonzero(self._has_interactions(pairs.users))
        context = None if pairs.context is None else (pairs.context[0][known], pairs.context[1][known])
        scores[known] = self._score_pairs(Pairs(pairs.users[known], pairs.items[known], context))
        return scores

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self._score_pairs(Pairs(users, items))

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        scores = np.empty((len(users), len(items)))
        for rows in chunks(np.arange(len(users)), len(self.lists()) * self.data.items.n_codes):
            scores[rows] = self._score_queries(Pairs(users[rows], users[rows]), items)
        return scores

    def score_block_in_context(self, users: np.ndarray, items: np.ndarray, context: tuple) -> np.ndarray:
        scores = np.tile(self.popularity[items].astype(np.float64), (len(users), 1))
        known = np.flatnonzero(self._has_interactions(users))
        for rows in chunks(known, len(self.lists()) * self.data.items.n_codes):
            scores[rows] = self._score_queries(
                Pairs(users[rows], users[rows], (context[0][rows], context[1][rows])), items
            )
        return scores

    def similarities(self, kind: str, codes: np.ndarray, others: np.ndarray) -> np.ndarray:
        return next(self._current()).similarities(kind, codes, others)

    def explain(self, user: int, item: int) -> dict[str, float]:
        parts = super().explain(user, item)
        if "factors" not in parts:
            return parts
        reasons = self.reasons(user, item)
        of_lists = reasons["feature"].isin([f"{name}_{part}" for name in self.lists() for part in ("score", "rank")])
        blend = self._blend_share(user, item)
        by_kind = {"features": reasons["contribution"][~of_lists].sum()}
        by_kind["factors"] = blend + reasons["contribution"][of_lists].sum()
        return {"mean": parts["factors"] - sum(by_kind.values()), **by_kind}

    def reasons(self, user: int, item: int) -> pd.DataFrame:
        """Return the contribution of each feature to a candidate's score: `feature`, `value` and `contribution`."""
        from tabrec.interpret import contributions  # imported here because it loads matplotlib

        found = self._retrieve(np.array([user]))
        at = np.flatnonzero(self.data.items.known()[found.place] == item)
        if self.ranker is None or not len(at):
            return pd.DataFrame({"feature": [], "value": [], "contribution": []})
        rows = self._features_of(found, None)
        result = contributions(self.ranker, rows.iloc[at], background=self.background)
        added = result.contributions[0]
        added = added[:, -1] if added.ndim == 2 else added
        scale = float(self.parameters["ranker_weight"]) / spread(predict_relevance(self.ranker, rows))
        table = pd.DataFrame(
            {"feature": result.columns, "value": result.values.iloc[0].to_numpy(), "contribution": added * scale}
        )
        order = np.argsort(-table["contribution"].abs().to_numpy(), kind="stable")
        return table.iloc[order].reset_index(drop=True)

    def contributions(self, user: int, item: int, rated: np.ndarray, values: np.ndarray) -> np.ndarray:
        found = self._retrieve(np.array([user]))
        total, share = np.zeros(len(rated)), 1 - self._ranker_weight()
        for weight, scorer, deviation in zip(self.weights, self._current(), found.deviations, strict=False):
            total += weight * scorer.contributions(user, item, rated, values) / deviation[0, 0]
        return share * total / found.deviations[-1, 0, 0]

    def lists(self) -> list[str]:
        """Return unique names of the retrievers and of their blend, which are parts of the names of features."""
        names: list[str] = []
        for member in self._members(0):
            name, number = type(member).__name__.lower(), 2
            while name in names:
                name, number = f"{type(member).__name__.lower()}_{number}", number + 1
            names.append(name)
        return [*names, "blend"]

    def _score_pairs(self, pairs: Pairs) -> np.ndarray:
        """Return the scores of pairs whose users have interactions."""
        scores = np.empty(len(pairs.users))
        columns = [pairs.users[:, None]] if pairs.context is None else [pairs.users[:, None], *pairs.context]
        _, first, query = np.unique(np.hstack(columns), axis=0, return_index=True, return_inverse=True)
        query = query.ravel()
        for chunk in chunks(np.arange(len(first)), len(self.lists()) * self.data.items.n_codes):
            rows = np.flatnonzero((query >= chunk[0]) & (query <= chunk[-1]))
            items, place = np.unique(pairs.items[rows], return_inverse=True)
            asked = first[chunk]
            context = None if pairs.context is None else (pairs.context[0][asked], pairs.context[1][asked])
            block = self._score_queries(Pairs(pairs.users[asked], pairs.users[asked], context), items)
            scores[rows] = block[query[rows] - chunk[0], place]
        return scores

    def _score_queries(self, queries: Pairs, items: np.ndarray) -> np.ndarray:
        """Return the scores of all pairs of users, each in a context, and items: (n_queries, n_items)."""
        found, known, weight = self._retrieve(queries.users), self.data.items.known(), self._ranker_weight()
        total = (1 - weight) * found.blend
        least = np.zeros((len(queries.users), 1))
        if self.ranker is not None and len(found.owner):
            ranked = standardise_by_owner(
                predict_relevance(self.ranker, self._features_of(found, queries.context)), found
            )
            np.minimum.at(least[:, 0], found.owner, ranked)
            total += weight * least
            total[found.owner, found.place] += weight * (ranked - least[found.owner, 0])
        place = np.minimum(np.searchsorted(known, items), len(known) - 1)
        scores, cold = total[:, place], np.flatnonzero(known[place] != items)
        if len(cold):
            others = found.scores_of(self._current(), self.weights, items[cold])
            scores[:, cold] = (1 - weight) * others + weight * least
        return scores

    def _retrieve(self, users: np.ndarray) -> Retrieved:
        n_candidates = int(self.parameters["n_candidates"])
        return retrieve(self._current(), self.weights, self.data, users, n_candidates)

    def _features_of(self, found: Retrieved, context: Context) -> pd.DataFrame:
        if self._features is None:
            self._features = PairFeatures(self.data, self.lists(), self.histories)
        if context is not None:
            context = (context[0][found.owner], context[1][found.owner])
        return self._features.make(found, context)

    def _blend_share(self, user: int, item: int) -> float:
        found, known = self._retrieve(np.array([user])), self.data.items.known()
        at = np.flatnonzero(known == item)
        blend = found.blend[0, at] if len(at) else found.scores_of(self._current(), self.weights, np.array([item]))[0]
        return (1 - self._ranker_weight()) * float(blend[0])

    def _ranker_weight(self) -> float:
        return 0.0 if self.ranker is None else float(self.parameters["ranker_weight"])

    def _members(self, seed: int) -> list[Any]:
        given = self.parameters["retrievers"]
        if given is None:
            given = [EASE(), ImplicitALS(), ItemKNN(), Popular()]
        return make_members(given, self.parameters, seed)

    def _make_weights(self) -> np.ndarray:
        """Return the weights of the retrievers, which sum to 1."""
        weights = self.parameters["weights"]
        if weights is None:
            weights = np.ones(len(self._members(0))) if self.parameters["retrievers"] is not None else _WEIGHTS
        weights = np.asarray(weights, dtype=np.float64)
        return weights / weights.sum()

    def _make_ranker(self, seed: int) -> Any:
        given = self.parameters["ranker"]
        if given is None:
            return make_default_ranker(seed)
        ranker = clone(given)
        if hasattr(ranker, "get_params") and ranker.get_params(deep=False).get("random_state", seed) is None:
            ranker.set_params(random_state=seed)
        return ranker

    def _current(self) -> Iterator[Scorer]:
        return copy_scorers(self.scorers, self._members(self.seed))


def predict_relevance(ranker: Any, features: pd.DataFrame) -> np.ndarray:
    """Return the ranker's probability, decision function or prediction for each candidate: (n_candidates,)."""
    if hasattr(ranker, "predict_proba"):
        return np.asarray(ranker.predict_proba(features), dtype=np.float64)[:, -1]
    if hasattr(ranker, "decision_function"):
        return np.asarray(ranker.decision_function(features), dtype=np.float64)
    return np.asarray(ranker.predict(features), dtype=np.float64).ravel()


def standardise_by_owner(values: np.ndarray, found: Retrieved) -> np.ndarray:
    """Standardise values over the candidates of each user."""
    n_users, owner = len(found.users), found.owner
    counts = np.maximum(np.bincount(owner, minlength=n_users), 1)
    centred = values - (np.bincount(owner, values, n_users) / counts)[owner]
    deviations = np.sqrt(np.bincount(owner, centred**2, n_users) / counts)
    return centred / np.where(deviations > 0, deviations, 1.0)[owner]


def spread(values: np.ndarray) -> float:
    """Return the standard deviation, or 1 where all values are equal."""
    return float(values.std()) or 1.0
