"""Nets that learn from interactions beside drawn items."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_regressor

from tabrec import DotProductBias, EmbeddingNN
from tabrec.collab import ndcg_at_k
from tabrec.collab.negatives import add_negatives, make_examples

RANKED = {"objective": "ranking", "random_state": 0}
MODELS = {
    "dot": DotProductBias(4, epochs=30, learning_rate=0.02, init_std=0.1, **RANKED),
    "nn": EmbeddingNN((8,), embedding_size=4, epochs=15, learning_rate=0.02, batch_size=64, **RANKED),
}


def two_groups(n_users=40, n_items=20, seed=0):
    """Users take half of the items whose number is even or odd like their own."""
    rng = np.random.default_rng(seed)
    user, item = (codes.ravel() for codes in np.mgrid[:n_users, :n_items])
    same = user % 2 == item % 2
    is_train = same & (rng.random(len(user)) < 0.5)
    pairs = pd.DataFrame({"user": user, "item": item})
    return pairs[is_train], pairs[same & ~is_train]


TRAIN, TEST = two_groups()


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    return MODELS[request.param].fit(TRAIN)


def test_users_are_recommended_items_of_their_group(fitted):
    found = fitted.recommend(range(40), 2)
    assert (found["user"] % 2 == found["item"] % 2).mean() > 0.9
    np.testing.assert_allclose(fitted.score(TEST), ndcg_at_k(fitted.recommend(range(40)), TEST))


def test_predictions_tell_what_users_take_from_what_they_do_not(fitted):
    predicted = fitted.predict(TEST)
    others = fitted.predict(TEST.assign(item=TEST["item"] ^ 1))
    assert ((predicted >= 0) & (predicted <= 1)).all()
    assert predicted.mean() > others.mean() + 0.2
    assert not is_regressor(fitted)


def test_new_users_are_recommended_items_of_their_group(fitted):
    made = fitted.new_user(dict.fromkeys([1, 3, 5, 7], 1.0), user="new")
    assert (made.recommend("new", 4)["item"] % 2 == 1).all()
    assert made.explain("new", 9).ratings["contribution"].sum() > 0


def test_values_do_not_matter(fitted):
    y = np.random.default_rng(0).integers(1, 6, len(TRAIN))
    unweighted = type(fitted)(**fitted.get_params()).fit(TRAIN, y)
    np.testing.assert_array_equal(unweighted.predict(TEST), fitted.predict(TEST))
    assert unweighted.ratings_["rating"].tolist() != fitted.ratings_["rating"].tolist()


def test_weights_matter(fitted):
    weighted = (
        type(fitted)(**fitted.get_params())
        .set_params(epochs=5)
        .fit(TRAIN, sample_weight=1 + 9.5 * (TRAIN["item"] < 10))
    )
    low = TEST["item"] < 10
    assert weighted.predict(TEST[low]).mean() > weighted.predict(TEST[~low]).mean()


def test_a_new_user_may_have_items_without_strengths(fitted):
    expected = fitted.new_user(dict.fromkeys([0, 2], fitted.mean_rating_)).recommend("new user", 3)
    pd.testing.assert_frame_equal(fitted.new_user([0, 2]).recommend("new user", 3), expected)


def test_models_that_rank_refuse_what_is_for_ratings(fitted):
    with pytest.raises(ValueError, match="does not predict ratings"):
        fitted.recommend(1, order="rating")
    with pytest.raises(ValueError, match="must be greater than 0"):
        type(fitted)(**fitted.get_params()).fit(TRAIN, np.zeros(len(TRAIN)))
    with pytest.raises(ValueError, match="objective"):
        DotProductBias(objective="clicks").fit(TRAIN, np.ones(len(TRAIN)))


def test_drawn_items_have_the_context_of_their_interaction(fitted):
    data = fitted._reader
    context = np.arange(len(TRAIN))[:, None], data.ratings.users[:, None] / 2
    examples, found = make_examples(data.ratings, data, RANKED, 0, context)
    np.testing.assert_array_equal(data.ratings.users[found[0][:, 0]], examples.users)
    np.testing.assert_array_equal(found[1][:, 0], examples.users / 2)
    assert make_examples(data.ratings, data, {"objective": "rating"}, 0, context) == (data.ratings, context)


def test_drawn_items_are_not_those_of_the_user(fitted):
    data = fitted._reader
    examples, source = add_negatives(data.ratings, data, 0, 3)
    drawn = examples.values == 0
    pairs = set(zip(data.ratings.users, data.ratings.items, strict=True))
    assert not pairs & set(zip(examples.users[drawn], examples.items[drawn], strict=True))
    assert set(np.unique(examples.items[drawn])) == set(data.items.known())
    np.testing.assert_array_equal(examples.users, data.ratings.users[source])
    np.testing.assert_array_equal(examples.items[~drawn], data.ratings.items[source[~drawn]])
    assert 0.5 < drawn.sum() / (3 * len(data.ratings)) < 0.9  # users have a quarter of the items
    spread, _ = add_negatives(data.ratings, data, 0, 30)
    share = spread.weights[spread.values == 0].sum() / drawn.sum()
    np.testing.assert_allclose(share, 1, atol=0.1)
