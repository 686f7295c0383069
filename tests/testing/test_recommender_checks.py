"""Recommender checks: recommenders of the package pass, and faulty ones fail."""

import sys

import numpy as np
import pandas as pd
import pytest

from tabrec import (
    BPR,
    EASE,
    BayesianFactorization,
    BlendedRecommender,
    BoostingClassifier,
    DotProductBias,
    EmbeddingNN,
    ImplicitALS,
    ItemKNN,
    Popular,
    TwoStageRecommender,
)
from tabrec.collab import RatingRecommender, Scorer
from tabrec.testing import check_recommender, parametrize_with_recommender_checks, recommender_checks


class ItemMeans(Scorer):
    """Predicts the mean rating of the item."""

    def fit(self, data, context=None):
        self.data = data
        sums = np.bincount(data.ratings.items, data.ratings.values, data.items.n_codes)
        counts = data.ratings.counts("item", data.items.n_codes)
        self.means = (sums + 5 * data.ratings.mean()) / (counts + 5)

    def score(self, pairs):
        return self.means[pairs.items]


class ItemMeanRecommender(RatingRecommender):
    scorer_class = ItemMeans

    def __init__(self, *, user=None, item=None, user_features=None, item_features=None):
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features

    def _make_scorer(self):
        return self.scorer_class(self.get_params(deep=False))


class Missing(ItemMeans):
    def score(self, pairs):
        return np.where(pairs.items == 0, np.nan, super().score(pairs))


class Wrong(ItemMeans):
    def score(self, pairs):
        return 10 - super().score(pairs)


class OrderDependent(ItemMeans):
    def score(self, pairs):
        return super().score(pairs) + np.arange(len(pairs.items))


class WithMissing(ItemMeanRecommender):
    scorer_class = Missing


class WithWrong(ItemMeanRecommender):
    scorer_class = Wrong


class WithOrderDependent(ItemMeanRecommender):
    scorer_class = OrderDependent


@parametrize_with_recommender_checks(
    [
        DotProductBias(n_factors=4, epochs=3),
        EmbeddingNN((8,), epochs=3),
        DotProductBias(n_factors=4, epochs=3, objective="ranking"),
        EmbeddingNN((8,), epochs=3, objective="ranking"),
        BayesianFactorization(n_factors=2, n_sweeps=15),
        BayesianFactorization(n_factors=2, n_sweeps=15, likelihood="ordinal"),
        ItemMeanRecommender(),
        EASE(ridge=20.0),
        ItemKNN(),
        Popular(),
        ImplicitALS(4, n_iterations=3),
        BPR(4, epochs=2),
        BlendedRecommender([EASE(ridge=20.0), ItemKNN()]),
        TwoStageRecommender([EASE(ridge=20.0), ItemKNN()], BoostingClassifier(max_iter=5), n_candidates=10, n_draws=1),
    ]
)
def test_recommenders_keep_their_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (WithMissing(), "check_unknown_ids"),
        (WithWrong(), "check_better_than_baseline"),
        (WithOrderDependent(), "check_one_pair_equals_batch"),
    ],
)
def test_a_broken_contract_is_found(estimator, name):
    check = next(check for check in recommender_checks() if check.__name__ == name)
    with pytest.raises(AssertionError):
        check(estimator)
    with pytest.raises(AssertionError):
        check_recommender(estimator)


def test_a_scorer_without_vectors_says_so():
    model = ItemMeanRecommender().fit(pd.DataFrame({"user": [1, 2], "item": [3, 4]}), [1.0, 2.0])
    with pytest.raises(NotImplementedError, match="ItemMeans has no vectors"):
        model.similar_items(3)
    with pytest.raises(NotImplementedError, match="ItemMeans has no fold_in"):
        model.new_user({3: 1.0})


def test_pytest_is_imported_only_to_parametrize():
    assert not hasattr(sys.modules["tabrec.testing.recommender_checks"], "pytest")
