"""Copies of fitted models for other rows: boosting keeps its number of trees."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline

from tabrec import BoostingRegressor, ForestRegressor
from tabrec.tables.copies import clone_for_refit

BOOSTING = BoostingRegressor(learning_rate=0.3, random_state=0)
X = np.random.default_rng(0).normal(size=(100, 2))


@pytest.mark.parametrize(
    ("model", "boosting"),
    [
        (BOOSTING, lambda model: model),
        (make_pipeline(BOOSTING), lambda model: model[-1]),
        (TransformedTargetRegressor(make_pipeline(BOOSTING)), lambda model: model.regressor_[-1]),
    ],
    ids=["alone", "in a pipeline", "in a transformation of the target"],
)
def test_a_copy_of_boosting_grows_as_many_trees_as_that_has(model, boosting):
    fitted = clone(model).fit(X, X[:, 0])
    copy = clone_for_refit(fitted).fit(X, X[:, 0])
    assert boosting(copy).max_iter == boosting(fitted).n_iter_
    assert boosting(fitted).max_iter is None
    np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))


@pytest.mark.parametrize(
    "model", [BOOSTING, BoostingRegressor(max_iter=5), ForestRegressor(3)], ids=["not fitted", "given", "forest"]
)
def test_other_models_are_cloned_as_they_are(model):
    assert clone_for_refit(model).get_params() == model.get_params()
