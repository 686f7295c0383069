"""Explanations: parts that sum to the prediction on every path, and contributions of ratings."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN

DOT = DotProductBias(n_factors=3, epochs=20, learning_rate=0.05, weight_decay=0.0, init_std=0.1, random_state=0)
NN = EmbeddingNN(
    layers=(16,), embedding_size=4, batch_size=64, epochs=40, learning_rate=0.03, embedding_std=0.1, random_state=0
)
BAYES = BayesianFactorization(n_factors=2, n_sweeps=20, n_burn_in=8, random_state=0)
MODELS = {
    "dot": DOT,
    "dot without bounds": clone(DOT).set_params(y_range=None),
    "dot in far bounds": clone(DOT).set_params(y_range=(-10, 100)),
    "dot with history": clone(DOT).set_params(n_history=2),
    "nn": NN,
    "nn without bounds": clone(NN).set_params(y_range=None),
    "bayes": BAYES,
    "bayes without history": clone(BAYES).set_params(implicit_feedback=False),
    "one sample": clone(BAYES).set_params(n_samples=1),
    "ordinal": clone(BAYES).set_params(likelihood="ordinal"),
}
PARTS = ["mean", "user", "item", "features", "factors"]
USER_FEATURES = pd.DataFrame({"town": np.array(["Rome", "Oslo"])[np.arange(40) % 2], "age": np.arange(40) * 1.0})
ITEM_FEATURES = pd.DataFrame({"genre": np.array(["drama", "comedy"])[np.arange(30) % 2], "new": np.arange(30) > 9})


def make_ratings():
    """Even users rate even items 5 and odd items 1, odd users the reverse, with noise."""
    user, item = (codes.ravel() for codes in np.mgrid[:26, :20])
    rated = (7 * user + 3 * item) % 5 != 0
    noise = np.random.default_rng(0).integers(0, 2, len(user))
    y = np.where(user % 2 == item % 2, 5.0 - noise, 1.0 + noise)
    return pd.DataFrame({"user": user, "item": item})[rated], y[rated]


X, Y = make_ratings()
# By path: without side tables, ids from 30 on are unknown.
PATHS = {
    "learned": [(0, 2), (0, 3), (5, 5), (7, 14)],
    "item bias": [(99, 0), (99, 1)],
    "user bias": [(0, 99), (3, 99)],
    "global mean": [(99, 99)],
}
METADATA = {"metadata": [(30, 2), (31, 2), (0, 25), (1, 25), (30, 24)]}


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def with_features():
    tables = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES}
    return {name: clone(model).set_params(**tables).fit(X, Y) for name, model in MODELS.items()}


def assert_explained(model, user, item, path):
    explanation = model.explain(user, item)
    predicted = model.predict(pd.DataFrame({"user": pd.Series([user]), "item": [item]}))[0]
    assert explanation.path == path
    assert explanation.prediction == predicted
    assert explanation.parts.index.tolist() == PARTS
    assert np.isfinite(explanation.parts).all()
    assert explanation.parts.sum() == pytest.approx(predicted, abs=1e-5)
    return explanation


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_to_the_prediction(fitted, name, path):
    for user, item in PATHS[path]:
        explanation = assert_explained(fitted[name], user, item, path)
        assert explanation.parts["features"] == pytest.approx(0, abs=1e-9)
        if path == "global mean":
            assert explanation.parts["mean"] == pytest.approx(Y.mean())


@pytest.mark.parametrize("path", PATHS | METADATA)
@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_to_the_prediction_with_features(with_features, name, path):
    explanations = [assert_explained(with_features[name], *pair, path) for pair in (PATHS | METADATA)[path]]
    if path == "metadata":
        assert max(abs(explanation.parts["features"]) for explanation in explanations) > 0.05


@pytest.mark.parametrize("features", [False, True], ids=["plain", "features"])
@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_to_the_prediction_of_a_new_user_and_after_further_ratings(fitted, with_features, name, features):
    model = (with_features if features else fitted)[name].new_user({0: 5.0, 1: 1.0, 4: 5.0})
    explanation = assert_explained(model, "new user", 2, "fold-in")
    assert sorted(explanation.ratings["item"]) == [0, 1, 4]
    if features:
        assert_explained(model.new_user({0: 5.0}, user=30), 30, 2, "fold-in")
    again = (
        clone(model).fit(X, Y).partial_fit(pd.DataFrame({"user": [70, 70, 0], "item": [0, 80, 80]}), [5.0, 1.0, 5.0])
    )
    for user, item in ((70, 2), (0, 80), (70, 80), (0, 2)):
        assert_explained(again, user, item, "learned")


@pytest.mark.parametrize("name", ["bayes", "one sample", "bayes without history"])
def test_parts_of_a_prediction_at_the_end_of_the_range_sum_to_it(fitted, name):
    predicted = fitted[name].predict(X)
    at_ends = X[(predicted == Y.max()) | (predicted == Y.min())].head(20)
    assert len(at_ends) > 0
    for user, item in at_ends.itertuples(index=False):
        explanation = assert_explained(fitted[name], user, item, "learned")
        assert explanation.prediction in (Y.min(), Y.max())


@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_where_all_ratings_are_the_same_or_there_is_one(name):
    for rows in (slice(None), slice(0, 1)):
        model = clone(MODELS[name]).fit(X[rows], np.full(len(X[rows]), 3.0))
        user, item = X.iloc[0]
        assert_explained(model, user, item, "learned")
        assert_explained(model, 99, item, "item bias")


@pytest.mark.parametrize("name", MODELS)
def test_what_two_groups_disagree_on_is_in_the_factors(fitted, name):
    explanation = fitted[name].explain(0, 2)
    other = fitted[name].explain(1, 2)
    assert explanation.prediction > 3.5
    assert other.prediction < 2.5
    assert explanation.parts["factors"] > 0.5
    assert other.parts["factors"] < -0.5
    if not name.startswith("nn") and name != "one sample":
        assert abs(explanation.parts[["user", "item"]]).max() < explanation.parts["factors"]


@pytest.mark.parametrize("name", MODELS)
def test_ratings_of_the_users_own_are_shown_those_that_argue_most_first(fitted, name):
    explanation = fitted[name].explain(0, 2, n=100)
    own = X["item"][X["user"] == 0]
    assert sorted(explanation.ratings["item"]) == sorted(own)
    given = dict(zip(own, Y[X["user"] == 0], strict=True))
    assert explanation.ratings["rating"].tolist() == [given[item] for item in explanation.ratings["item"]]
    argues = explanation.ratings["contribution"]
    assert (argues.diff().dropna() <= 0).all()
    pd.testing.assert_frame_equal(fitted[name].explain(0, 2, n=3).ratings, explanation.ratings.head(3))
    assert len(fitted[name].explain(0, 2).ratings) == 5


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("nn")])
def test_a_liked_item_argues_for_its_like_and_against_the_other_kind(fitted, name):
    model = fitted[name].new_user({4: 5.0, 5: 1.0})
    for item, sign in ((2, 1), (6, 1), (3, -1), (9, -1)):
        argues = model.explain("new user", item).ratings.set_index("item")["contribution"]
        assert np.sign(argues[4]) == sign, item
        assert np.sign(argues[5]) == sign, item


@pytest.mark.parametrize("name", ["nn", "nn without bounds"])
def test_a_liked_item_argues_more_for_its_like_than_for_the_other_kind(fitted, name):
    model = fitted[name].new_user({4: 5.0, 5: 1.0})
    argues = [model.explain("new user", item).ratings.set_index("item")["contribution"] for item in (2, 6, 3, 9)]
    assert min(argues[0][4], argues[1][4]) > 0
    assert min(argues[0][4], argues[1][4]) > max(argues[2][4], argues[3][4])


@pytest.mark.parametrize("name", MODELS)
def test_an_unknown_user_has_no_ratings_to_show_and_for_an_unknown_item_none_argues(fitted, name):
    ratings = fitted[name].explain(99, 0).ratings
    assert ratings.columns.tolist() == ["item", "rating", "contribution"]
    assert len(ratings) == 0
    ratings = fitted[name].explain(0, 99).ratings
    assert len(ratings) == 5
    assert (ratings["contribution"] == 0).all()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_a_missing_id_is_explained_as_an_unknown_one(fitted, missing):
    explanation = fitted["bayes"].explain(missing, 0)
    assert explanation.path == "item bias"
    assert explanation.prediction == fitted["bayes"].explain(99, 0).prediction


def test_explanations_count_only_upwards(fitted):
    for n in (0, -1, 2.5, "3"):
        with pytest.raises(
            ValueError, match=rf"The 'n' parameter .* must be an int in the range \[1, inf\). Got {n!r}"
        ):
            fitted["bayes"].explain(0, 2, n=n)


def test_an_id_of_another_type_is_no_unknown_one(fitted):
    with pytest.raises(ValueError, match="'user' held number in fit, but now holds the text '0'.*same type"):
        fitted["bayes"].explain("0", 2)


def test_a_net_explains_without_an_occasion():
    context = X.assign(day=np.arange(len(X)) % 7)
    model = clone(NN).set_params(context=["day"]).fit(context, Y)
    for user, item in ((0, 2), (99, 2), (0, 99)):
        explanation = model.explain(user, item)
        assert explanation.parts.sum() == pytest.approx(explanation.prediction, abs=1e-5)
        no_day = pd.DataFrame({"user": [user], "item": [item], "day": [np.nan]})
        assert model.predict(no_day)[0] == pytest.approx(explanation.prediction, abs=1e-6)
    scores = model.recommend(0, 50, exclude_seen=False).set_index("item")["score"]
    assert scores[2] == pytest.approx(model.explain(0, 2).prediction, abs=1e-6)


def test_an_explanation_is_written_as_text():
    explanation = clone(BAYES).fit(X, Y).explain(0, 1)
    text = str(explanation)
    assert text.startswith("0, 1: ")
    assert f"rated {explanation.ratings['rating'].iloc[0]:g}" in text
    assert all(f"  {name}" in text for name in explanation.parts.index)
