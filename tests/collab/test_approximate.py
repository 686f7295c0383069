"""Recommendations from an approximate index of the items."""

import importlib.util

import numpy as np
import pandas as pd
import pytest

from tabrec import BPR, EASE, DotProductBias, ImplicitALS
from tabrec.collab.interactions import Pairs

MODELS = {
    "als": ImplicitALS(3, n_iterations=2, random_state=0),
    "bpr": BPR(3, epochs=2, random_state=0),
    "dot": DotProductBias(3, epochs=2, objective="ranking", random_state=0),
}
RNG = np.random.default_rng(0)
CLICKS = pd.DataFrame({"user": RNG.integers(30, size=900), "item": RNG.geometric(0.03, size=900)}).drop_duplicates()
needs_usearch = pytest.mark.skipif(importlib.util.find_spec("usearch") is None, reason="usearch is an extra")


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    return MODELS[request.param].fit(CLICKS)


def test_inner_products_of_search_vectors_are_scores(fitted):
    scorer, users, items = fitted._scorer, np.arange(len(fitted.users_) + 1), fitted._reader.items.known()
    products = scorer.search_vectors("user", users) @ scorer.search_vectors("item", items).T
    np.testing.assert_allclose(products, scorer.score_block(users, items), rtol=1e-4, atol=1e-5)
    ranked = scorer.score(Pairs(np.full(len(items), 3), items)).argsort()
    assert products[3].argsort().tolist()[-5:] == ranked.tolist()[-5:]


@needs_usearch
def test_an_index_finds_the_recommendations_of_all_scores(fitted, tmp_path):
    path = fitted.to_ann(tmp_path / "items.usearch")
    asked = [*fitted.users_, 10**6]  # an unknown user, too
    barred = pd.DataFrame({"user": asked, "item": fitted.recommend(asked, 1)["item"]})
    for options in ({}, {"exclude": barred}, {"exclude_seen": False}):
        expected, found = fitted.recommend(asked, 5, **options), fitted.recommend(asked, 5, index=path, **options)
        pd.testing.assert_frame_equal(found[["user", "rank", "item"]], expected[["user", "rank", "item"]])
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-4, atol=1e-5)
    one = fitted.recommend(asked[3], len(fitted.items_), index=path)
    assert len(one) == len(fitted.recommend(asked[3], len(fitted.items_)))
    assert fitted.recommend([], index=path).empty


@needs_usearch
@pytest.mark.parametrize("n", [5, 40])  # the index is searched for some of the items, and for all
def test_a_rule_excludes_items_that_an_index_finds(fitted, tmp_path, n):
    path = fitted.to_ann(tmp_path / "items.usearch")
    for least in (2, 100):
        options = {"exclude": lambda pairs, least=least: pairs["item"] < least}
        expected, found = (fitted.recommend(fitted.users_, n, index=index, **options) for index in (None, path))
        pd.testing.assert_frame_equal(found[["user", "rank"]], expected[["user", "rank"]])
        assert found["item"].min() >= least
        assert not found.duplicated(["user", "item"]).any()
        assert not found.merge(CLICKS, on=["user", "item"]).size
        if n == 40:
            np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-4, atol=1e-5)


@needs_usearch
def test_an_index_of_another_model_is_refused(tmp_path):
    model = MODELS["als"].fit(CLICKS)
    path = model.to_ann(tmp_path / "items.usearch")
    with pytest.raises(FileExistsError):
        model.to_ann(path)
    other = ImplicitALS(3, n_iterations=1, random_state=0).fit(CLICKS[CLICKS["item"] < 20])
    with pytest.raises(ValueError, match=r"holds \d+ items in 4 dimensions, but the model has 19 in 4"):
        other.recommend(1, index=path)
    same_shape = ImplicitALS(3, n_iterations=2, random_state=1).fit(CLICKS)
    with pytest.raises(ValueError, match="holds other vectors than those of the model"):
        same_shape.recommend(1, index=path)
    with_user = model.new_user({5: 1, 7: 1})
    assert len(with_user.recommend("new user", 3, index=path)) == 3  # the items are the same
    with pytest.raises(FileNotFoundError, match="to_ann"):
        model.recommend(1, index=tmp_path / "none")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"x")
    with pytest.raises(ValueError, match="damaged.* is damaged or not an index: write it with to_ann"):
        model.recommend(1, index=damaged)
    with pytest.raises(ValueError, match="which diversity needs"):
        model.recommend(1, index=path, diversity=0.3)


def test_models_without_inner_products_have_no_index(tmp_path):
    with pytest.raises(NotImplementedError, match="EASE does not score by inner products.*ImplicitALS, BPR"):
        EASE().fit(CLICKS).to_ann(tmp_path / "items.usearch")
    ratings = DotProductBias(2, epochs=1, random_state=0).fit(CLICKS, CLICKS["item"] % 5)
    with pytest.raises(NotImplementedError, match="by relevance"):
        ratings.to_ann(tmp_path / "items.usearch")
    assert not list(tmp_path.iterdir())
