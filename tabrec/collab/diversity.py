"""Diversity of recommendations: maximal marginal relevance, and caps on items of one category."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from tabrec.collab.ids import as_column
from tabrec.collab.reader import RatingsReader
from tabrec.collab.scorer import Scorer, unit_vectors
from tabrec.collab.side_table import index_by_id
from tabrec.collab.sides import Side
from tabrec.tables.names import check_named

# Items are chosen from a pool of this many times the number requested.
_POOL = 10
_LEAST_POOL = 100


class Choice(ABC):
    """Base class of rules that choose a user's recommendations from the best items."""

    @abstractmethod
    def pool(self, n: int) -> int:
        """Return the number of best items from which n are chosen first."""

    @abstractmethod
    def choose(self, items: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
        """Return the positions of at most n of the items, which are sorted by descending score."""


class MarginalRelevance(Choice):
    """Maximal marginal relevance (Carbonell & Goldstein 1998).

    Items are chosen in turn by a weighted difference of relevance and similarity to the items chosen before. The
    relevance is the score, scaled to 0 to 1 over the pool; the similarity is the cosine of vectors or, for models
    without vectors, of the sets of users.
    """

    def __init__(self, weight: float, scorer: Scorer, data: RatingsReader):
        self.weight = weight
        self.scorer = scorer
        self.data = data

    def pool(self, n: int) -> int:
        return max(_POOL * n, _LEAST_POOL)

    def choose(self, items: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
        if not len(items):
            return np.empty(0, dtype=np.intp)
        relevance = (scores - scores.min()) / (np.ptp(scores) or 1.0)
        similarity = self._similarity(items)
        chosen: list[int] = []
        nearest = np.zeros(len(items))
        for _ in range(min(n, len(items))):
            gain = (1 - self.weight) * relevance - self.weight * nearest
            gain[chosen] = -np.inf
            chosen.append(int(np.argmax(gain)))
            nearest = np.maximum(nearest, similarity[chosen[-1]])
        return np.array(chosen, dtype=np.intp)

    def _similarity(self, items: np.ndarray) -> np.ndarray:
        rows = self._rows[items]
        return (rows @ rows.T).toarray() if sp.issparse(rows) else rows @ rows.T

    @cached_property
    def _rows(self) -> Any:
        """Unit vectors of items, by code."""
        try:
            return unit_vectors(self.scorer.vectors("item"))
        except NotImplementedError:
            ratings, shape = self.data.ratings, (self.data.items.n_codes, self.data.users.n_codes)
            rows = sp.csr_matrix((np.ones(len(ratings)), (ratings.items, ratings.users)), shape=shape)
            rows.data[:] = 1.0
            counts = np.maximum(np.diff(rows.indptr), 1)
            return sp.csr_matrix(sp.diags(1 / np.sqrt(counts)) @ rows)


class CategoryCaps(Choice):
    """Limits the number of items per category, for columns of the side table of items."""

    def __init__(self, caps: Mapping[str, int], items: Side, item_features: Any):
        self.categories = {}
        table = index_by_id("item_features", item_features, items.ids)
        check_named("diversity", list(caps), [str(name) for name in table.columns])
        codes = items.ids.encode(as_column(items.ids.name, table.index))
        for name, cap in caps.items():
            labels = np.full(items.n_codes, -1)
            labels[codes] = pd.factorize(table[name].astype(str).where(table[name].notna()))[0]
            labels[0] = -1
            self.categories[name] = labels, cap

    def pool(self, n: int) -> int:
        return max(_POOL * n, _LEAST_POOL)

    def choose(self, items: np.ndarray, scores: np.ndarray, n: int) -> np.ndarray:
        counts = [np.zeros(labels.max(initial=-1) + 2, dtype=int) for labels, _ in self.categories.values()]
        chosen: list[int] = []
        for position, item in enumerate(items):
            capped = zip(counts, self.categories.values(), strict=True)
            found = [(count, labels[item], cap) for count, (labels, cap) in capped]
            # Items without a category are not capped.
            if any(label >= 0 and count[label] >= cap for count, label, cap in found):
                continue
            for count, label, _ in found:
                count[label] += 1
            chosen.append(position)
            if len(chosen) == n:
                break
        return np.array(chosen, dtype=np.intp)


def make_choice(diversity: Any, scorer: Scorer, data: RatingsReader, item_features: Any) -> Choice | None:
    """Convert the parameter `diversity` of `recommend` to a rule."""
    if diversity is None or (isinstance(diversity, Real) and diversity == 0):
        return None
    if isinstance(diversity, Mapping):
        if item_features is None:
            raise ValueError(f"diversity={diversity!r} caps columns of item_features, which is None.")
        if not diversity or any(not isinstance(cap, Integral) or cap < 1 for cap in diversity.values()):
            raise ValueError(
                f"diversity={diversity!r} must map columns of item_features to whole numbers of at least 1."
            )
        return CategoryCaps(diversity, data.items, item_features)
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity={diversity!r} must be between 0 and 1, or map columns of item_features to caps.")
    return MarginalRelevance(float(diversity), scorer, data)
