"""Ids of users and items: an id has the same code in every type of column, list and table."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab.ids import Ids, as_column, check_ids
from tabrec.tables.columns import Column

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=2, device="cpu", random_state=0),
    "nn": EmbeddingNN(layers=(8,), embedding_size=3, epochs=2, device="cpu", random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, random_state=0),
}
TITLES = np.array(["Alien (1979)", "Aliens (1986)", "Brazil (1985)", "Heat (1995)", "Léon (1994)", "$9.99 (2008)"])


def make_ratings(n_users=16, n_items=8):
    """More than 64 ratings, so that text is dictionary-encoded; tests with fewer ratings cover plain text."""
    user, item = (codes.ravel() for codes in np.mgrid[1 : n_users + 1, 1 : n_items + 1])
    rated = (user * 5 + item * 3) % 7 < 5
    return pd.DataFrame({"user": user, "item": item})[rated].reset_index(drop=True), (1.0 + (user * 3 + item) % 5)[
        rated
    ]


X, Y = make_ratings()
FEW, FEW_Y = X.iloc[::3], Y[::3]
TEXT = X.map("id {:03}".format)


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X, Y) for name, model in MODELS.items()}


@pytest.fixture(scope="module")
def of_texts():
    return {name: clone(model).fit(TEXT, Y) for name, model in MODELS.items()}


def as_categories(frame, seed=0):
    """Unordered categories, some of them without rows."""
    rng = np.random.default_rng(seed)
    unused = {"t": ["none", "nor this"], "n": [777, 778]}["n" if frame["user"].dtype.kind in "iu" else "t"]
    return frame.apply(lambda column: pd.Categorical(column, rng.permutation([*column.unique(), *unused])))


NUMBERS = {
    "int8": lambda frame: frame.astype(np.int8),
    "uint32": lambda frame: frame.astype(np.uint32),
    "float64": lambda frame: frame.astype(np.float64),
    "float32": lambda frame: frame.astype(np.float32),
    "Int64": lambda frame: frame.astype("Int64"),
    "Float64": lambda frame: frame.astype("Float64"),
    "int64[pyarrow]": lambda frame: frame.astype("int64[pyarrow]"),
    "object": lambda frame: frame.astype(object),
    "objects of floats": lambda frame: frame.astype(float).astype(object),
    "decimal": lambda frame: frame.map(Decimal),
    "category": as_categories,
    "polars": polars.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}
TEXTS = {
    "object": lambda frame: frame.astype(object),
    "str": lambda frame: frame.astype("str"),
    "string": lambda frame: frame.astype("string"),
    "string[pyarrow]": lambda frame: frame.astype("string[pyarrow]"),
    "category": as_categories,
    "polars": polars.from_pandas,
    "polars categories": lambda frame: polars.from_pandas(frame).with_columns(polars.all().cast(polars.Categorical)),
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


# --- Columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("name", MODELS)
def test_numbers_of_any_type_are_the_same_ids_in_fit_and_in_predict(fitted, name, kind):
    expected, frame = fitted[name].predict(X), NUMBERS[kind](X)
    np.testing.assert_array_equal(fitted[name].predict(frame), expected)
    model = clone(MODELS[name]).fit(frame, Y)
    np.testing.assert_array_equal(model.predict(X), expected)
    assert [type(label) for label in model.users_.tolist()] == [int] * 16
    assert model.recommend(3, 4).equals(fitted[name].recommend(3, 4))


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", MODELS)
def test_text_of_any_type_is_the_same_ids_in_fit_and_in_predict(of_texts, name, kind):
    expected, frame = of_texts[name].predict(TEXT), TEXTS[kind](TEXT)
    np.testing.assert_array_equal(of_texts[name].predict(frame), expected)
    model = clone(MODELS[name]).fit(frame, Y)
    np.testing.assert_array_equal(model.predict(TEXT), expected)
    assert model.items_.tolist() == sorted(TEXT["item"].unique())


@pytest.mark.parametrize("name", MODELS)
def test_only_the_order_of_ids_counts_not_what_they_are(fitted, of_texts, name):
    np.testing.assert_array_equal(of_texts[name].predict(TEXT), fitted[name].predict(X))


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", MODELS)
def test_an_id_that_stands_in_several_of_few_rows_is_one_id(name, kind):
    few = FEW.map("id {:03}".format)
    assert len(few) <= 64
    model = clone(MODELS[name]).fit(TEXTS[kind](few), FEW_Y)
    assert model.users_.tolist() == sorted(few["user"].unique())
    assert model.item_bias_.index.tolist() == sorted(few["item"].unique())
    np.testing.assert_array_equal(model.predict(few), clone(MODELS[name]).fit(FEW, FEW_Y).predict(FEW))


@pytest.mark.parametrize("name", MODELS)
def test_further_ids_of_text_are_one_id_each(of_texts, name):
    model = clone(of_texts[name]).fit(TEXT, Y)
    more = pd.DataFrame({"user": ["new", "new", "newer"], "item": ["id 001", "id 002", "id 002"]})
    model.partial_fit(more, [5.0, 1.0, 2.0])
    assert model.users_.tolist() == [*of_texts[name].users_, "new", "newer"]
    assert model._reader.users.n_codes == 1 + 16 + 2


@pytest.mark.parametrize("name", MODELS)
def test_ids_of_mixed_types_are_kept_apart(name):
    mixed = X.astype(object)
    mixed["user"] = mixed["user"].where(X["user"] > 8, X["user"].astype(str))
    model = clone(MODELS[name]).fit(mixed, Y)
    assert set(model.users_) == {*map(str, range(1, 9)), *range(9, 17)}
    paths = model.predict(pd.DataFrame({"user": ["1", 9, 1, "9"], "item": 1}), return_path=True)[1]
    assert paths.tolist() == ["learned", "learned", "item bias", "item bias"]


@pytest.mark.parametrize("name", MODELS)
def test_arrays_are_read_by_position(fitted, name):
    for array in (X.to_numpy(), X.to_numpy(float), X.to_numpy(object)):
        model = clone(MODELS[name]).fit(array, Y)
        np.testing.assert_array_equal(model.predict(array), fitted[name].predict(X))
        assert (model.user_name_, model.item_name_) == ("x0", "x1")
        assert not hasattr(model, "feature_names_in_")
    texts = clone(MODELS[name]).fit(TEXT.to_numpy(str), Y)
    np.testing.assert_array_equal(texts.predict(TEXT.to_numpy(str)), fitted[name].predict(X))
    with pytest.raises(ValueError, match="3 features"):
        model.predict(np.ones((2, 3)))


@pytest.mark.parametrize("name", MODELS)
def test_large_whole_numbers_are_not_run_together(name):
    large = X.assign(user=X["user"].astype(np.int64) + 2**60)
    model = clone(MODELS[name]).fit(large, Y)
    assert model.users_.tolist() == [2**60 + user for user in range(1, 17)]
    assert model.recommend(2**60 + 1, 1)["user"].tolist() == [2**60 + 1]


@pytest.mark.parametrize("name", MODELS)
def test_text_where_numbers_were_is_an_error_that_says_so(fitted, of_texts, name):
    as_text = X.astype(str)
    calls = [
        lambda: fitted[name].predict(as_text),
        lambda: fitted[name].recommend("3"),
        lambda: fitted[name].recommend(3, candidates=["1"]),
        lambda: fitted[name].similar_items("1"),
        lambda: fitted[name].explain("3", 1),
        lambda: fitted[name].new_user({"1": 5.0}),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="held number in fit, but now holds the text '.'.*same type as in fit"):
            call()
    with pytest.raises(ValueError, match="held text in fit, but now holds the number"):
        of_texts[name].predict(X)


@pytest.mark.parametrize("name", MODELS)
def test_text_where_numbers_were_is_an_error_after_a_new_user_too(fitted, name):
    model = fitted[name].new_user({1: 5.0})
    with pytest.raises(ValueError, match="same type as in fit"):
        model.predict(pd.DataFrame({"user": ["3"], "item": [1]}))


# --- Lists -----------------------------------------------------------------------------------------------------------

LISTS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "series": lambda ids: pd.Series(ids, index=range(7, 7 + len(ids))),
    "index": pd.Index,
    "category": lambda ids: pd.Series(ids, dtype="category"),
    "array of pandas": lambda ids: pd.array(ids),
    "objects": lambda ids: np.array(ids, dtype=object),
    "generator": lambda ids: (one for one in ids),
    "polars": polars.Series,
    "arrow": lambda ids: pa.chunked_array([ids]),
}


@pytest.mark.parametrize("kind", LISTS)
def test_ids_may_be_asked_for_in_any_list(fitted, of_texts, kind):
    make = LISTS[kind]
    for models, ids in ((fitted, [3, 999, 1]), (of_texts, ["id 003", "unheard of", "id 001"])):
        model = models["bayes"]
        pd.testing.assert_frame_equal(
            model.recommend(make(ids), 2), model.recommend(ids, 2), check_dtype=False, check_column_type=False
        )
        known = [ids[0], ids[2]]
        pd.testing.assert_frame_equal(model.similar_items(make(known), 2), model.similar_items(known, 2))
        pd.testing.assert_frame_equal(model.similar_users(make(known), 2), model.similar_users(known, 2))
        pd.testing.assert_frame_equal(
            model.recommend(ids, 2, candidates=make(known)), model.recommend(ids, 2, candidates=known)
        )


@pytest.mark.parametrize("scalar", [3, 3.0, np.int64(3), np.float32(3), np.array(3), Decimal(3)], ids=repr)
def test_a_single_id_may_be_any_number(fitted, scalar):
    model = fitted["bayes"]
    assert model.recommend(scalar, 2)["item"].tolist() == model.recommend([3], 2)["item"].tolist()
    assert model.similar_items(scalar, 2)["similar"].tolist() == model.similar_items([3], 2)["similar"].tolist()
    assert model.explain(scalar, scalar).prediction == model.explain(3, 3).prediction


@pytest.mark.parametrize(
    "make", [lambda ids: pd.DataFrame({"user": ids}), lambda ids: np.array([ids])], ids=["frame", "2d"]
)
def test_ids_in_a_table_are_refused(of_texts, make):
    with pytest.raises((ValueError, TypeError), match="list|dimension|frame"):
        of_texts["bayes"].recommend(make(["id 003", "id 001"]))


def test_users_are_given_back_as_they_were_asked_for(fitted):
    recommended = fitted["bayes"].recommend([3, 999, 3], 2)
    assert recommended["user"].tolist() == [3, 3, 999, 999, 3, 3]
    assert recommended["rank"].tolist() == [1, 2] * 3
    assert fitted["bayes"].recommend(pd.Series(["a", 3], dtype=object).tail(1), 1)["user"].tolist() == [3]


def test_a_missing_user_is_recommended_what_an_unknown_one_is(fitted):
    recommended = fitted["bayes"].recommend([None, 999], 3)
    assert recommended["item"].tolist()[:3] == recommended["item"].tolist()[3:]


@pytest.mark.parametrize(
    ("asked", "named"),
    [("aliens", "'Aliens (1986)', 'Alien (1979)'"), ("Brasil (1985)", "'Brazil (1985)'"), ("9.99", "'$9.99 (2008)'")],
)
def test_the_nearest_spellings_of_an_unknown_item_are_named(asked, named):
    ratings = pd.DataFrame({"user": np.repeat(np.arange(20), 6), "title": np.tile(TITLES, 20)})
    model = clone(MODELS["bayes"]).fit(ratings, np.arange(120) % 5 + 1.0)
    message = re.escape(f"title {asked!r} is not known to the model. The nearest: {named}")
    for call in (model.similar_items, lambda title: model.recommend(1, candidates=[title])):
        with pytest.raises(ValueError, match=message):
            call(asked)


def test_an_unknown_number_is_named_plainly(fitted):
    with pytest.raises(ValueError, match="item 999 is not known to the model"):
        fitted["bayes"].similar_items([1, 999])
    with pytest.raises(ValueError, match="user 999 is not known to the model"):
        fitted["bayes"].similar_users(999)


# --- Codes -----------------------------------------------------------------------------------------------------------

IDS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=100),
    st.lists(st.text(max_size=3), min_size=1, max_size=100),
    st.lists(st.one_of(st.integers(-9, 9), st.text("ab", max_size=2)), min_size=1, max_size=100),
)


@given(IDS)
def test_each_id_has_one_code_and_comes_back_from_it(ids):
    known = Ids.learn(as_column("user", ids))
    assert len(known.labels) == len(set(ids))
    codes = known.encode_list(ids)
    assert codes.min() > 0
    assert known.names_of(codes).tolist() == ids
    assert known.encode_list(list(reversed(ids))).tolist() == codes[::-1].tolist()


@given(st.sets(st.integers(0, 300), min_size=1, max_size=80), st.sets(st.integers(0, 300), max_size=80))
def test_further_ids_leave_the_codes_of_the_known_as_they_are(first, more):
    known = Ids.learn(as_column("user", sorted(first)))
    grown = known.with_labels(sorted(more))
    assert grown.encode_list(sorted(first)).tolist() == list(range(1, len(first) + 1))
    assert sorted(grown.labels) == sorted(first | more)
    assert grown.n_codes == len(first | more) + 1
    assert known.n_codes == len(first) + 1
    assert (known.encode_list(sorted(more - first)) == 0).all()


def test_ids_are_in_their_own_order():
    assert Ids.learn(as_column("user", [10, 9, 2])).labels == [2, 9, 10]
    assert Ids.learn(as_column("user", ["b", "B", "a", "10", "9"])).labels == ["10", "9", "B", "a", "b"]
    assert Ids.learn(as_column("user", [2, "b", 1, "a"])).labels == [1, 2, "a", "b"]


def test_dates_are_no_ids():
    dates = pd.Series(pd.to_datetime(["2020-01-01", None]))
    with pytest.raises(ValueError, match="'user' holds dates such as 2020-01-01.*should hold ids"):
        check_ids(Column("user", dates.array))


BAD_IDS = {
    "long ids beside a gap": ([float(2**60 + k) for k in range(19)] + [np.nan], ValueError, "'user'.*a float.*2..53"),
    "float32": (np.arange(20, dtype=np.float32) + 2**24, ValueError, "'user' .*a float.*2..24"),
    "one id in two types": ([1, 2, "1", "2"] * 5, ValueError, "'user' holds 1 and '1', one id in two types"),
    "tuples": ([("shop", k % 5) for k in range(20)], TypeError, "'user' holds the tuple .'shop', 0."),
}


@pytest.mark.parametrize("name", BAD_IDS)
def test_ids_that_cannot_be_told_apart_or_listed_are_refused(name):
    ids, error, message = BAD_IDS[name]
    frame = pd.DataFrame({"user": pd.Series(ids), "item": np.arange(20) % 7})
    with pytest.raises(error, match=message):
        clone(MODELS["bayes"]).fit(frame, FEW_Y[:20])
