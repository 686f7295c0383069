"""Users and items that come after fit, with features or ratings, and those that are forgotten."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tabrec import EASE, BayesianFactorization, DotProductBias, EmbeddingNN, ImplicitALS, load, save
from tabrec.datasets import make_ratings

RATINGS = make_ratings(590, n_users=40, n_items=30, random_state=0)
X, AGE = RATINGS[["user", "item"]], pd.Series(np.linspace(0, 1, 40), index=range(1, 41))
# The older half rates 5, the younger 1; items of kind "good" get one star more.
Y = np.where(X["user"] > 20, 4.0, 1.0) + X["item"] % 2
USERS = pd.DataFrame({"age": AGE, "town": np.where(np.arange(40) % 2, "Bonn", "Bath")})
ITEMS = pd.DataFrame({"kind": ["bad", "good"] * 15 + ["good"]}, index=[*range(0, 30), 31])
TABLES = {"user_features": USERS, "item_features": ITEMS}
MODELS = {
    "dot": DotProductBias(n_factors=2, epochs=40, learning_rate=0.05, random_state=0, **TABLES),
    "nn": EmbeddingNN(layers=(16,), epochs=20, random_state=0, **TABLES),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=30, random_state=0, **TABLES),
}
EACH = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


def predict(model, users, items):
    return model.predict(pd.DataFrame({"user": users, "item": items}), return_path=True)


@EACH
def test_a_new_user_is_predicted_by_features_given_after_fit(fitted, name):
    before = fitted[name].predict(X)
    old = fitted[name].new_user(user=900, features={"age": 0.95, "town": "Bonn"})
    both = old.new_user(features=pd.DataFrame({"age": [0.02, 0.98], "town": "Bath"}, index=[901, 902]))
    (ratings, path) = predict(both, [900, 901, 902], [4, 4, 4])
    assert path.tolist() == ["metadata"] * 3
    assert ratings[0] > ratings[1] + 0.5
    assert ratings[2] > ratings[1] + 0.5
    np.testing.assert_allclose(both.predict(X), before, atol=1e-9)
    assert len(both.recommend(901, 3)) == 3
    known = both.new_user({4: 5.0, 5: 5.0, 6: 5.0}, user=901)
    assert predict(known, [901], [8])[1].tolist() == ["fold-in"]
    assert predict(known, [901], [8])[0] > ratings[1]


@EACH
def test_a_new_item_is_predicted_by_its_features_and_recommended_on_demand(fitted, name):
    model = fitted[name].new_item(500, features={"kind": "good"}).new_item(501, features={"kind": "bad"})
    ratings, path = predict(model, [30, 30], [500, 501])
    assert path.tolist() == ["metadata"] * 2
    assert ratings[0] > ratings[1] + 0.1
    cold = model.recommend(30, 100, include_cold=True, exclude_seen=False)["item"]
    assert {500, 501} <= set(cold)
    assert not {500, 501} & set(fitted[name].items_)
    learned = model.new_item(502, ratings={1: 1.0, 2: 1.0, 30: 4.0}, features={"kind": "bad"})
    assert predict(learned, [30], [502])[1].tolist() == ["learned"]
    assert learned.item_counts_[502] == 3


@EACH
def test_rows_that_a_side_table_has_got_since_are_read_by_partial_fit(fitted, name):
    model = load_copy(fitted[name])
    more = pd.concat([USERS, pd.DataFrame({"age": [0.99], "town": ["Bonn"]}, index=[900])])
    model.set_params(user_features=more).partial_fit(X[:3], Y[:3])
    ratings, path = predict(model, [900], [4])
    assert path.tolist() == ["metadata"]
    assert ratings[0] > 2.7
    with pytest.raises(ValueError, match="had a table of item_features"):
        model.set_params(item_features=None).partial_fit(X[:3], Y[:3])
    with pytest.raises(ValueError, match="age"):
        model.set_params(**TABLES | {"user_features": more[["town"]].rename({900: 903})}).partial_fit(X[:3], Y[:3])


def load_copy(model):
    return clone(model).fit(X, Y)


def test_features_that_cannot_be_used_are_refused(fitted):
    plain = DotProductBias(n_factors=2, epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="no features of users: fit it with user_features"):
        plain.new_user(features={"age": 1})
    with pytest.raises(ValueError, match="needs ratings or features"):
        plain.new_user()
    with pytest.raises(ValueError, match="needs features or ratings"):
        plain.new_item(500)
    with pytest.raises(ValueError, match="already has ratings"):
        fitted["dot"].new_item(X["item"].iloc[0], features={"kind": "good"})
    with pytest.raises(ValueError, match="already has ratings"):
        fitted["dot"].new_user(features={"age": 1, "town": "Bonn"}, user=X["user"].iloc[0])


def test_a_new_item_of_a_model_of_interactions_is_scored_by_its_features():
    for model in (EASE(item_features=ITEMS), ImplicitALS(4, item_features=ITEMS, random_state=0)):
        grown = model.fit(X).new_item(500, features={"kind": "good"})
        assert 500 in grown.recommend(1, 100, include_cold=True)["item"].tolist()
        assert np.isfinite(grown.predict(pd.DataFrame({"user": [1], "item": [500]}))).all()


@pytest.mark.parametrize("name", [*MODELS, "ease"])
def test_what_is_forgotten_leaves_the_model_of_the_other_ratings(name, tmp_path):
    model = clone(MODELS[name]) if name != "ease" else EASE(user_features=USERS.rename({7: 7}), item_features=ITEMS)
    if name == "nn":
        model.set_params(epochs=2)
    model.fit(X, Y)
    model.recommend(1)
    model.forget(users=[7, 8], items=9)
    left = (~X["user"].isin([7, 8]) & (X["item"] != 9)).to_numpy()
    tables = {"user_features": USERS.drop([7, 8]), "item_features": ITEMS.drop(9)}
    expected = clone(model).set_params(**tables).fit(X[left], Y[left])
    np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=1e-6)
    pd.testing.assert_frame_equal(model.recommend([1, 7], 5), expected.recommend([1, 7], 5), rtol=1e-5)
    assert 7 not in model.users_
    assert 7 not in model.user_features.index
    assert model.ratings_.equals(expected.ratings_)
    loaded = load(save(model, tmp_path / "model"))
    assert loaded.predict(pd.DataFrame({"user": [7], "item": [9]}), return_path=True)[1].tolist() == ["global mean"]


def test_a_forgotten_name_is_not_in_the_saved_folder(tmp_path):
    names = X["user"].map(lambda user: f"person {user}")
    model = DotProductBias(n_factors=2, epochs=1, random_state=0).fit(X.assign(user=names), Y)
    saved = save(model.forget(users="person 7"), tmp_path / "model")
    text = json.dumps(json.loads((saved / "model.json").read_text(encoding="utf-8")))
    assert '"person 7"' not in text
    assert '"person 8"' in text


def test_what_cannot_be_forgotten_is_refused_and_leaves_the_model():
    model = DotProductBias(n_factors=2, epochs=1, random_state=0).fit(X, Y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="user 999 is not known"):
        model.forget(users=[1, 999])
    with pytest.raises(ValueError, match="No rating is left"):
        model.forget(users=model.users_)
    np.testing.assert_array_equal(model.predict(X), before)
    net = EmbeddingNN(layers=(4,), epochs=1, context=["day"], random_state=0).fit(X.assign(day=1.0 * Y), Y)
    with pytest.raises(ValueError, match="does not keep the context"):
        net.forget(users=1)


def test_free_text_is_read_as_frequencies_of_words():
    good, bad = "a film of joy and of great {} people", "a film of fear and of dull {} people"
    items = pd.DataFrame({"plot": [(good if i % 2 else bad).format(f"word{i}") for i in range(40)]}, index=range(40))
    model = BayesianFactorization(n_factors=2, n_sweeps=30, random_state=0, item_features=items).fit(X, Y)
    ratings, path = predict(model, [30, 30], [35, 36])
    assert path.tolist() == ["metadata"] * 2
    assert ratings[0] > ratings[1] + 0.5
    later = model.new_item(90, features={"plot": "joy and joy, great people of joy"})
    later = later.new_item(91, features={"plot": "fear of dull people, and fear"})
    ratings = predict(later, [30, 30], [90, 91])[0]
    assert ratings[0] > ratings[1] + 0.5
