"""Errors of recommenders on an official fold of MovieLens 100k, including unknown ids.

Those of the default recommenders are tested with `examples/movielens.py`; `benchmarks/collab.py` measures all folds and
more seeds.
"""

import numpy as np
import pytest
from sklearn.metrics import root_mean_squared_error

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.datasets import load_movielens, load_movielens_fold

pytestmark = [pytest.mark.long, pytest.mark.real_data("ml-100k/u.data", "ml-100k/u1.base", "ml-100k/u1.test")]


@pytest.fixture(scope="module")
def fold():
    return load_movielens_fold(1)


@pytest.fixture(scope="module")
def features():
    _, users, items = load_movielens("100k")
    return {"user_features": users, "item_features": items}


def rmse(model, fold):
    train, test = fold
    model.fit(train[["user", "item"]], train["rating"])
    return root_mean_squared_error(test["rating"], model.predict(test[["user", "item"]]))


def test_a_dot_product_with_history_and_features(fold, features):
    assert rmse(DotProductBias(n_history=32, random_state=0, **features), fold) <= 0.905


def test_a_net_of_embeddings_with_features(fold, features):
    assert rmse(EmbeddingNN(random_state=0, **features), fold) <= 0.925


def test_sixty_sweeps_are_nearly_as_good_as_all_and_know_how_sure_they_are(fold, features):
    model = BayesianFactorization(n_sweeps=60, random_state=0, **features)
    assert rmse(model, fold) <= 0.886
    predicted, std = model.predict(fold[1][["user", "item"]], return_std=True)
    covered = np.abs(fold[1]["rating"] - predicted) <= 1.645 * std
    assert 0.88 <= covered.mean() <= 0.92
