"""Side tables: features of ids by code, for all types of columns and indexes."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tabrec.collab.ids import Ids, as_column
from tabrec.collab.multi_labels import learn_multi_labels, split_multi_labels
from tabrec.collab.side_table import learn_side_table

MODELS = {
    "dot": DotProductBias(n_factors=3, epochs=2, device="cpu", random_state=0),
    "nn": EmbeddingNN(layers=(8,), embedding_size=3, epochs=2, device="cpu", random_state=0),
    "bayes": BayesianFactorization(n_factors=2, n_sweeps=8, n_burn_in=2, random_state=0),
}
EACH = pytest.mark.parametrize("name", MODELS)
N_USERS, N_ITEMS = 20, 14


def make_ratings():
    user, item = (codes.ravel() for codes in np.mgrid[1 : N_USERS + 1, 1 : N_ITEMS + 1])
    rated = (user * 5 + item * 3) % 7 < 5
    return pd.DataFrame({"user": user, "item": item})[rated].reset_index(drop=True), (1.0 + (user * 3 + item) % 5)[
        rated
    ]


X, Y = make_ratings()
PAIRS = pd.MultiIndex.from_product([range(1, N_USERS + 6), range(1, N_ITEMS + 4)], names=["user", "item"]).to_frame()
# Users up to 22, so that two have no ratings.
RNG = np.random.default_rng(0)
N_ROWS = N_USERS + 2
DAYS = pd.Timestamp("2001-01-01") + pd.to_timedelta(RNG.integers(0, 900, N_ROWS), "D")
COLUMNS = {
    "text": RNG.choice(["Rome", "Oslo", "Bonn"], N_ROWS),
    "text with gaps": pd.Series(RNG.choice(["Rome", "Oslo"], N_ROWS)).where(RNG.random(N_ROWS) < 0.7),
    "category": pd.Categorical(RNG.choice(["low", "high"], N_ROWS), ["never", "high", "low"]),
    "ordered": pd.Categorical(RNG.choice(["low", "high"], N_ROWS), ["low", "mid", "high"], ordered=True),
    "bool": RNG.random(N_ROWS) < 0.5,
    "boolean with gaps": pd.array(RNG.choice([True, False, None], N_ROWS), dtype="boolean"),
    "int": RNG.integers(0, 99, N_ROWS),
    "int8": RNG.integers(0, 3, N_ROWS).astype(np.int8),
    "Int64 with gaps": pd.array(RNG.choice([1, 2, 50, None], N_ROWS), dtype="Int64"),
    "float": RNG.normal(size=N_ROWS),
    "float with gaps": np.where(RNG.random(N_ROWS) < 0.3, np.nan, RNG.normal(size=N_ROWS)),
    "date": DAYS,
    "date with gaps": pd.Series(DAYS).where(RNG.random(N_ROWS) < 0.7),
    "date in a zone": DAYS.tz_localize("Europe/Oslo"),
    "dates as objects": pd.Series(DAYS.date, dtype=object),
    "dates as text": DAYS.strftime("%Y-%m-%d"),
    "duration": DAYS - DAYS[0],
    "arrow": pd.array(RNG.choice(["a", "b"], N_ROWS), dtype="string[pyarrow]"),
    "constant": np.ones(N_ROWS),
    "nothing": np.full(N_ROWS, np.nan),
    "each its own": [f"name {i}" for i in range(N_ROWS)],
    "rare": ["one"] + ["two"] * (N_ROWS - 1),
}


def make_table(*names):
    return pd.DataFrame({name: COLUMNS[name] for name in names or COLUMNS}).set_index(pd.RangeIndex(1, N_ROWS + 1))


def learn(table, ids):
    return learn_side_table("user_features", table, Ids.learn(as_column("user", ids)))


# --- What a table becomes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [3e9 + np.arange(30), pd.date_range("2020-01-01 12:00", periods=30, freq="s")])
def test_numbers_and_dates_that_float32_would_merge_stay_distinct(numbers):
    side, _ = learn(pd.DataFrame({"number": numbers}, index=range(30)), range(30))
    assert (np.diff(side.numbers[1:], axis=0) > 0.1).all(axis=0).any()


def test_rows_are_by_code_and_ids_without_one_have_none():
    table, ids = learn(pd.DataFrame({"age": [30.0, 10.0, 20.0]}, index=[7, 3, 99]), [3, 5, 7])
    assert ids.labels == [3, 5, 7, 99]
    # Mean 20 and standard deviation 10 are those of 3 and 7, which have ratings.
    np.testing.assert_allclose(table.numbers[:, 0], [0, -1, 0, 1, 0], atol=1e-6)
    assert table.is_there.tolist() == [False, True, False, True, True]


def test_labels_of_ids_with_ratings_are_the_vocabulary():
    towns = pd.DataFrame({"town": ["Rome", "Oslo", "Bonn"] * 2 + ["Paris", "Paris"]}, index=[1, 2, 3, 4, 5, 6, 98, 99])
    table, _ = learn(towns, range(1, 7))
    assert table.category_sizes == {"town": 4}
    codes = table.codes[:, 0].tolist()
    assert codes[1:4] == codes[4:7]
    assert sorted(codes[1:4]) == [1, 2, 3]
    assert codes[0] == codes[7] == codes[8] == 0


def test_a_category_has_a_column_for_each_label_and_one_for_both_of_two():
    three, _ = learn(pd.DataFrame({"town": list("aabbcc")}, index=range(1, 7)), range(1, 7))
    two, _ = learn(pd.DataFrame({"town": list("aaabbb")}, index=range(1, 7)), range(1, 7))
    assert three.design().shape == (7, 3)
    assert two.design().shape == (7, 1)
    np.testing.assert_allclose(np.abs(two.design()[1:, 0]), 0.5)
    assert two.design()[1, 0] == -two.design()[4, 0]
    for table in (three, two):
        assert not table.design()[0].any()


GENRES = [["war", "drama"], [], ["war"], ["drama"], ["rare", "war"], None]


@pytest.mark.parametrize("form", [list, tuple, np.array, "|".join], ids=["list", "tuple", "array", "text"])
def test_lists_and_joined_text_have_a_column_for_each_label(form):
    values = pd.Series([None if labels is None else form(labels) for labels in GENRES], dtype=object)
    table, _ = learn(pd.DataFrame({"genre": values}).set_index(pd.RangeIndex(1, 7)), range(1, 7))
    of_labels = table.numbers[1:] > 0
    assert of_labels.T.tolist() == [[1, 0, 0, 1, 0, 0], [1, 0, 1, 0, 1, 0]]  # drama, war


def test_text_is_split_where_much_of_it_is_joined():
    texts = [f"a|{k % 3}" for k in range(2)] + [f"t{k}" for k in range(30)]
    for values, n_labels in ((texts, 0), (["a|b", "b|a", "c"] * 10 + ["a", "b"], 3)):
        labels = learn_multi_labels(pd.DataFrame({"x": values}), 2)
        assert len(labels.get("x", [])) == n_labels
    assert split_multi_labels(pd.DataFrame({"x": ["b|a", "c"]}), labels).to_numpy().tolist() == [
        [True, True, False],
        [False, False, True],
    ]
    assert learn_multi_labels(pd.DataFrame({"x": [[], [["b"]][0]], "y": [1, 2]}), 2) == {"x": ["b"]}


@pytest.mark.parametrize("name", ["user", "userId", "id", "customer"])
def test_a_column_of_ids_is_used_where_the_index_counts_rows(name):
    ids = np.random.default_rng(0).permutation(np.arange(1, 23))
    ages = pd.DataFrame({name: ids, "age": ids / 7})
    expected, expected_ids = learn(ages.set_index(name), range(1, 21))
    table, of_table = learn(ages, range(1, 21))
    assert of_table.labels == expected_ids.labels
    np.testing.assert_array_equal(table.numbers, expected.numbers)


def test_the_index_is_used_where_it_holds_the_ids():
    ages = pd.DataFrame({"number": np.arange(20)[::-1], "age": np.arange(20.0) / 7})
    for table in (ages, ages.rename(columns={"number": "user"}).rename_axis("user")):
        numbers = learn(table, range(1, 20))[0].numbers
        assert np.argmax(numbers[:, 0]) == 19


@pytest.mark.parametrize("column", COLUMNS)
def test_a_design_is_finite_and_of_mean_0(column):
    table, _ = learn(make_table(column), range(1, N_USERS + 1))
    design = table.design()
    assert np.isfinite(design).all()
    np.testing.assert_allclose(design[table.is_there].mean(axis=0), 0, atol=1e-6)
    assert not design[0].any()
    assert (design.shape[1] > 0) == (column not in ("constant", "nothing", "each its own", "rare"))


def test_a_label_that_some_have_and_others_lack_tells_them_apart():
    table, _ = learn(pd.DataFrame({"subscribed": ["yes", None] * 10}, index=range(1, 21)), range(1, 21))
    assert table.design().shape == (21, 1)
    assert table.design()[1, 0] == -table.design()[2, 0] != 0


def test_further_ids_have_no_features():
    table, _ = learn(make_table("float", "text"), range(1, N_USERS + 1))
    grown = table.grown(N_ROWS + 4)
    for name in ("codes", "numbers", "is_there"):
        np.testing.assert_array_equal(getattr(grown, name)[: N_ROWS + 1], getattr(table, name))
        assert not getattr(grown, name)[N_ROWS + 1 :].any()
    assert len(table.is_there) == N_ROWS + 1


# --- Models with it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", COLUMNS)
@EACH
def test_a_column_of_any_type_is_used(name, column):
    table = make_table(column)
    before = table.copy()
    model = clone(MODELS[name]).set_params(user_features=table).fit(X, Y)
    predicted, path = model.predict(PAIRS, return_path=True)
    assert np.isfinite(predicted).all()
    known_item = PAIRS["item"].to_numpy() <= N_ITEMS
    assert set(path[(PAIRS["user"].to_numpy() > N_USERS) & (PAIRS["user"].to_numpy() <= N_ROWS) & known_item]) == {
        "metadata"
    }
    pd.testing.assert_frame_equal(table, before)


@EACH
def test_all_columns_together_are_used(name):
    model = clone(MODELS[name]).set_params(user_features=make_table(), item_features=make_table().iloc[:16]).fit(X, Y)
    assert np.isfinite(model.predict(PAIRS)).all()
    assert np.isfinite(model.recommend([1, 22, 999])["score"]).all()
    assert np.isfinite(model.new_user({1: 5.0}, user=21).partial_fit(X, Y).predict(PAIRS)).all()


@EACH
def test_rows_and_categories_of_a_table_may_be_in_any_order(name):
    table = make_table("text", "category", "float with gaps")
    expected = clone(MODELS[name]).set_params(user_features=table).fit(X, Y).predict(PAIRS)
    other = table.sample(frac=1, random_state=0)
    other["category"] = other["category"].cat.reorder_categories(["low", "high", "never"])
    shuffled = clone(MODELS[name]).set_params(user_features=other).fit(X, Y)
    np.testing.assert_allclose(shuffled.predict(PAIRS), expected, atol=1e-5)


@pytest.mark.parametrize(
    "turn",
    [
        lambda index: index.astype(float),
        lambda index: index.astype("Int64"),
        lambda index: index.astype(object),
        lambda index: pd.CategoricalIndex(index, list(index)[::-1]),
    ],
    ids=["floats", "nullable", "objects", "category"],
)
@EACH
def test_the_index_may_be_of_another_type_with_the_same_ids(name, turn):
    table = make_table("text", "float")
    expected = clone(MODELS[name]).set_params(user_features=table).fit(X, Y).predict(PAIRS)
    turned = table.set_index(turn(table.index))
    np.testing.assert_array_equal(
        clone(MODELS[name]).set_params(user_features=turned).fit(X, Y).predict(PAIRS), expected
    )


@EACH
def test_ids_without_features_and_features_without_ratings_go_together(name):
    table = make_table("text", "float").loc[[2, 4, 6, 8, 21, 22]]
    model = clone(MODELS[name]).set_params(user_features=table).fit(X, Y)
    path = model.predict(pd.DataFrame({"user": [1, 2, 21, 23], "item": 1}), return_path=True)[1]
    assert path.tolist() == ["learned", "learned", "metadata", "item bias"]
    assert model.users_.tolist() == list(range(1, N_USERS + 1))


@EACH
def test_names_of_columns_may_be_anything(name):
    table = make_table("float", "text", "int").set_axis([0, "user", "user: x"], axis=1)
    model = clone(MODELS[name]).set_params(user_features=table, item_features=table).fit(X, Y)
    assert np.isfinite(model.predict(PAIRS)).all()


# --- Tables that are refused -----------------------------------------------------------------------------------------

GOOD = make_table("text", "float")
REFUSED = {
    "not a frame": ({1: "Rome"}, TypeError, "user_features must be a pandas frame indexed by id, not dict"),
    "an array": (GOOD.to_numpy(), TypeError, "must be a pandas frame.*ndarray"),
    "a series": (GOOD["text"], TypeError, "must be a pandas frame.*Series"),
    "duplicate ids": (pd.concat([GOOD, GOOD.head(1)]), ValueError, "user_features has 1 more than once.*one row"),
    "a missing id": (GOOD.set_index(pd.Index([np.nan, *range(2, 23)])), ValueError, "missing id in row 0"),
    "ids of another type": (
        GOOD.set_index(GOOD.index.astype(str)),
        ValueError,
        "user_features .*another type.*same type",
    ),
    "no common ids": (GOOD.set_index(GOOD.index + 1000), ValueError, "none of the ids.*'user'.*1001.*set_index"),
    "no columns": (GOOD[[]], ValueError, "user_features has no columns"),
    "no rows": (GOOD.head(0), ValueError, "user_features"),
    "infinity": (GOOD.assign(float=np.inf), ValueError, "'float' holds inf"),
    "dates as ids": (GOOD.set_index(pd.date_range("2020-01-01", periods=N_ROWS)), ValueError, "user_features.*dates"),
    "equal names": (GOOD.set_axis(["a", "a"], axis=1), ValueError, r"\['a'\] occur more than once"),
    "several levels": (GOOD.set_index([GOOD.index, GOOD.index]), ValueError, "user_features"),
}


@pytest.mark.parametrize("case", REFUSED)
@EACH
def test_a_table_that_is_none_is_refused_by_name(name, case):
    table, error, message = REFUSED[case]
    model = clone(MODELS[name]).fit(X, Y)
    predicted = model.predict(X)
    with pytest.raises(error, match=message):
        model.set_params(user_features=table).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), predicted)


@EACH
def test_a_table_of_items_is_refused_by_its_own_name(name):
    with pytest.raises(ValueError, match="item_features has none of the ids in column 'item'"):
        clone(MODELS[name]).set_params(item_features=GOOD.set_index(GOOD.index + 1000)).fit(X, Y)


@EACH
def test_what_is_wrong_in_a_column_names_the_table(name):
    odd = GOOD.assign(odd=[datetime.date(2020, 1, 1), "Rome"] * (N_ROWS // 2))
    with pytest.raises((ValueError, TypeError), match="'odd'"):
        clone(MODELS[name]).set_params(user_features=odd).fit(X, Y)
