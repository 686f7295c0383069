"""Saved, pickled and copied recommenders have bitwise equal predictions, recommendations and explanations."""

import copy
import json
import pickle
import uuid
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import tabrec
from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN

N_USERS, N_ITEMS = 20, 15


def make_ratings():
    rng = np.random.default_rng(0)
    user, item = (codes.ravel() for codes in np.mgrid[1 : N_USERS + 1, 1 : N_ITEMS + 1])
    rated = rng.random(len(user)) < 0.6
    X = pd.DataFrame({"user": user, "title": [f"Film {number} (19{number + 50})" for number in item]})[rated]
    return X.reset_index(drop=True), rng.integers(1, 6, rated.sum()).astype(float)


def make_tables():
    """Side tables with a column of every type, missing values, and ids without ratings."""
    rng = np.random.default_rng(1)
    n = N_USERS + 3
    days = pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    users = pd.DataFrame(
        {
            "text": rng.choice(["Rome", "Oslo"], n),
            "object": pd.Series(rng.choice(["a", "b"], n), dtype=object).where(rng.random(n) < 0.8),
            "category": pd.Categorical(rng.choice(["low", "high"], n), ["never", "low", "high"], ordered=True),
            "category of numbers": pd.Categorical(rng.integers(0, 2, n)),
            "bool": rng.random(n) < 0.5,
            "boolean": pd.array(np.where(rng.random(n) < 0.3, None, True), dtype="boolean"),
            "int": rng.integers(0, 5, n).astype(np.int8),
            "Int64": pd.array(np.where(rng.random(n) < 0.3, None, 7), dtype="Int64"),
            "Float64": pd.array(rng.random(n), dtype="Float64"),
            "float": np.where(rng.random(n) < 0.3, np.nan, rng.random(n)).astype(np.float32),
            "date": days,
            "date in a zone": days.tz_localize("Europe/Rome"),
            "date as an object": pd.Series(days.date, dtype=object),
            "constant": 1,
            "nothing": np.nan,
        },
    ).set_index(pd.RangeIndex(1, n + 1, name="id"))
    titles = [f"Film {number} (19{number + 50})" for number in range(1, N_ITEMS + 3)]
    items = pd.DataFrame({"genre": ["drama", "war"] * 8 + ["war"], "year": np.arange(17.0)}, index=titles)
    return users, items


X, Y = make_ratings()
USER_FEATURES, ITEM_FEATURES = make_tables()
TABLES = {"user_features": USER_FEATURES, "item_features": ITEM_FEATURES}
DOT = DotProductBias(n_factors=3, epochs=2, device="cpu", random_state=0)
NN = EmbeddingNN(layers=(8,), embedding_size=3, epochs=2, device="cpu", random_state=0)
BAYES = BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, random_state=0)
MODELS = {
    "dot": clone(DOT),
    "dot, bounds": clone(DOT).set_params(y_range=(0, 6), validation_fraction=0.2),
    "dot, history": clone(DOT).set_params(n_history=2, user_features=USER_FEATURES),
    "dot, tables": clone(DOT).set_params(**TABLES),
    "nn": clone(NN),
    "nn, lists": clone(NN).set_params(layers=[8, 4], dropout=[0.1, 0.2], y_range=None),
    "nn, tables": clone(NN).set_params(**TABLES),
    "bayes": clone(BAYES),
    "bayes, tables": clone(BAYES).set_params(**TABLES),
    "bayes, no history": clone(BAYES).set_params(implicit_feedback=False, n_samples=3),
    "ordinal, tables": clone(BAYES).set_params(likelihood="ordinal", **TABLES),
}
ITEMS = X["title"].unique()
MORE = pd.DataFrame({"user": [1, 50, 50], "title": ["New (2001)", "New (2001)", ITEMS[0]]})


def reload(model, tmp_path):
    return tabrec.load(tabrec.save(model, tmp_path / "model"))


WAYS = {
    "save": reload,
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
}
# A pickle and a deep copy are made of the same state; only a deep copy might share parts with its original.
WRITTEN, LIVING = ("save", "pickle"), ("save", "deepcopy")


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


def assert_same(one, other):
    pairs = pd.MultiIndex.from_product([range(1, N_USERS + 5), [*ITEMS, "Film 17 (1967)", "Unheard of"]]).to_frame()
    pairs = pairs.set_axis(["user", "title"], axis=1)
    for mine, theirs in zip(one.predict(pairs, return_path=True), other.predict(pairs, return_path=True), strict=True):
        np.testing.assert_array_equal(theirs, mine)
    if isinstance(one, BayesianFactorization):
        np.testing.assert_array_equal(other.predict(X, return_std=True)[1], one.predict(X, return_std=True)[1])
    pd.testing.assert_frame_equal(other.recommend([1, 2, 999], 4), one.recommend([1, 2, 999], 4))
    pd.testing.assert_frame_equal(other.similar_items(ITEMS[:3], 4), one.similar_items(ITEMS[:3], 4))
    pd.testing.assert_frame_equal(other.similar_users([1, 2], 4), one.similar_users([1, 2], 4))
    for user, item in ((1, ITEMS[0]), (22, ITEMS[0]), (1, "Film 17 (1967)"), (999, "Unheard of")):
        mine, theirs = one.explain(user, item), other.explain(user, item)
        assert (mine.prediction, mine.path) == (theirs.prediction, theirs.path)
        pd.testing.assert_series_equal(theirs.parts, mine.parts)
        pd.testing.assert_frame_equal(theirs.ratings, mine.ratings)
    pd.testing.assert_series_equal(other.item_bias_, one.item_bias_)
    pd.testing.assert_frame_equal(other.user_factors_, one.user_factors_)
    pd.testing.assert_index_equal(other.users_, one.users_)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("way", WRITTEN)
def test_a_recommender_comes_back_the_same(fitted, way, name, tmp_path):
    model = fitted[name]
    back = WAYS[way](model, tmp_path)
    assert type(back) is type(model)
    assert str(back.get_params()) == str(model.get_params())
    assert back.feature_names_in_.tolist() == ["user", "title"]
    assert_same(model, back)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("way", WRITTEN)
def test_a_recommender_that_has_met_a_new_user_comes_back_the_same(fitted, way, name, tmp_path):
    given = {ITEMS[0]: 5.0, ITEMS[3]: 1.0}
    model = fitted[name].new_user(given, user=99)
    back = WAYS[way](model, tmp_path)
    assert_same(model, back)
    pd.testing.assert_frame_equal(back.recommend(99, 5), model.recommend(99, 5))
    assert back.explain(99, ITEMS[1]).path == "fold-in"
    mine, theirs = (made.new_user(given, user=98).recommend(98, 5) for made in (model, back))
    pd.testing.assert_frame_equal(theirs, mine)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "dot, bounds"])
@pytest.mark.parametrize("way", LIVING)
def test_a_recommender_that_came_back_goes_on_learning_as_the_first_would(way, name, tmp_path):
    model = clone(MODELS[name]).fit(X, Y, sample_weight=np.random.default_rng(2).random(len(X)) + 0.1)
    model.partial_fit(MORE, [5.0, 1.0, 4.0])
    back = WAYS[way](model, tmp_path)
    assert_same(model, back)
    before = model.predict(X)
    back.partial_fit(X.head(50), Y[:50])
    np.testing.assert_array_equal(model.predict(X), before)
    model.partial_fit(X.head(50), Y[:50])
    assert_same(model, back)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("way", WRITTEN)
def test_a_recommender_that_is_not_fitted_comes_back_with_its_side_tables(fitted, way, name, tmp_path):
    back = WAYS[way](clone(MODELS[name]), tmp_path)
    for parameter, value in MODELS[name].get_params().items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(getattr(back, parameter), value)
        else:
            assert getattr(back, parameter) == value
    assert not hasattr(back, "mean_rating_")
    assert_same(fitted[name], clone(back).fit(X, Y))


def as_uuid(number):
    return uuid.UUID(int=int(number))


INDEXES = {
    "text": (X["title"], ITEM_FEATURES),
    "category": (X["title"].astype("category"), ITEM_FEATURES.set_index(pd.CategoricalIndex(ITEM_FEATURES.index))),
    "object": (X["title"].astype(object), ITEM_FEATURES.set_index(ITEM_FEATURES.index.astype(object))),
    "numbers": (X["user"], USER_FEATURES[["text"]]),
    "floats": (X["user"].astype(float), USER_FEATURES[["text"]].set_index(USER_FEATURES.index.astype(float))),
    "nullable": (X["user"].astype("Int64"), USER_FEATURES[["text"]].set_index(USER_FEATURES.index.astype("Int64"))),
    "uuid": (X["user"].map(as_uuid), USER_FEATURES[["text"]].rename(index=as_uuid)),
    "mixed": (X["user"].astype(object).where(X["user"] > 3, "one"), USER_FEATURES[["text"]]),
}


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("name", ["dot", "nn", "bayes"])
def test_ids_and_side_tables_of_every_type_are_saved(name, kind, tmp_path):
    ids, table = INDEXES[kind]
    frame = pd.DataFrame({"a": ids, "b": np.arange(len(X)) % 7})
    model = clone(MODELS[name]).set_params(user_features=table).fit(frame, Y)
    back = reload(model, tmp_path)
    np.testing.assert_array_equal(back.predict(frame), model.predict(frame))
    pd.testing.assert_frame_equal(back.recommend(ids.head(3), 3), model.recommend(ids.head(3), 3))
    pd.testing.assert_index_equal(back.users_, model.users_)
    pd.testing.assert_frame_equal(back.user_features, table)


def test_a_net_with_an_occasion_comes_back_the_same(tmp_path):
    frame = X.assign(day=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(len(X)), "D"), place="home")
    model = clone(NN).set_params(context=["day", "place"]).fit(frame, Y)
    for way, back in ((way, back(model, tmp_path)) for way, back in WAYS.items()):
        np.testing.assert_array_equal(back.predict(frame), model.predict(frame), err_msg=way)
        pd.testing.assert_frame_equal(back.recommend([1, 2]), model.recommend([1, 2]))


@pytest.mark.parametrize("name", ["dot, tables", "nn, tables", "ordinal, tables"])
def test_nothing_saved_is_a_pickle_and_the_schema_is_told(fitted, name, tmp_path):
    saved = tabrec.save(fitted[name], tmp_path / "model")
    assert {file.suffix for file in saved.iterdir()} <= {"", ".json", ".safetensors", ".skops"}
    state = json.loads((saved / "model.json").read_text())
    assert state["schema"] == {"n_features": 2, "columns": ["user", "title"]}


def test_what_cannot_be_saved_is_named_and_nothing_is_written(tmp_path):
    odd = pd.DataFrame({"odd": [Fraction(1, 2)] * N_USERS}, index=range(1, N_USERS + 1))
    with pytest.raises(TypeError, match=r"user_features\['odd'\]"):
        tabrec.save(clone(BAYES).set_params(user_features=odd), tmp_path / "model")
    with pytest.raises(TypeError, match=r"DotProductBias\.callbacks"):
        tabrec.save(clone(DOT).set_params(callbacks=[print]), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_pipeline_that_ends_in_a_recommender_is_saved(fitted, tmp_path):
    pipeline = make_pipeline(FunctionTransformer(), clone(MODELS["dot, tables"])).fit(X, Y)
    back = reload(pipeline, tmp_path)
    np.testing.assert_array_equal(back.predict(X), fitted["dot, tables"].predict(X))
    assert_same(fitted["dot, tables"], back[-1])
