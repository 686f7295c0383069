"""The columns of users, items and ratings are found by names and content."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from tabrec import ItemKNN
from tabrec.collab import compare_recommenders, evaluate
from tabrec.collab.rating_columns import find_interaction_columns, find_rating_columns

N = 12
SECONDS = 1_600_000_000 + 1000 * np.arange(N)
DATES = pd.date_range("2024-01-01", periods=N)
COLUMNS = {
    "a": np.arange(N) % 4,
    "b": np.arange(N) % 3 + 100,
    "r": np.arange(N) % 5 + 1.0,
    "when": SECONDS,
    "t": SECONDS,
    "ms": SECONDS * 1000,
    "d": DATES,
    "text_date": DATES.astype(str),
    "words": ["x", "y"] * (N // 2),
    "index": np.arange(N),
    "Unnamed: 0": np.arange(N),
}


def table(**names):
    """A table of users, items and ratings (or of COLUMNS) under the given names."""
    return pd.DataFrame({name: COLUMNS[content] for name, content in names.items()})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["user", "item", "rating"], ("user", "item", "rating")),
        (["timestamp", "rating", "movieId", "userId"], ("userId", "movieId", "rating")),
        (["User-ID", "ISBN", "Book-Rating"], ("User-ID", "ISBN", "Book-Rating")),
        (["overall", "reviewerID", "asin", "unixReviewTime", "reviewTime"], ("reviewerID", "asin", "overall")),
        (["stars", "date", "business_id", "user_id"], ("user_id", "business_id", "stars")),
        (["user", "title", "movie_id", "score"], ("user", "movie_id", "score")),
        (["customer", "product", "stars"], ("customer", "product", "stars")),
        (["Artikel-Nr", "Kundennummer", "Bewertung"], ("Kundennummer", "Artikel-Nr", "Bewertung")),
        (["calificación", "artículo", "usuario"], ("usuario", "artículo", "calificación")),
        (["商品", "用户", "评分"], ("用户", "商品", "评分")),
    ],
)
def test_usual_names_are_recognised_in_any_order(names, expected):
    frame = pd.DataFrame(dict.fromkeys(names, COLUMNS["r"]))
    assert tuple(find_rating_columns(frame)) == expected


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ("abr", "abr"),
        (["a", "b", "t", "r"], "abr"),
        (["a", "b", "d", "r"], "abr"),
        (["a", "b", "text_date", "r", "ms"], "abr"),
        (["when", "a", "b", "r"], "abr"),
        (["index", "a", "b", "r"], "abr"),
        (["Unnamed: 0", "a", "b", "r"], "abr"),
        (["words", "b", "r"], ["words", "b", "r"]),
    ],
)
def test_without_usual_names_the_content_decides(contents, expected):
    frame = table(**{name: name for name in contents})
    assert tuple(find_rating_columns(frame)) == tuple(expected)
    assert tuple(find_rating_columns(frame.astype(str))) == tuple(expected)  # the first rows of a file


def test_the_only_other_column_of_numbers_is_the_rating():
    frame = table(user="a", item="b", plays="r", at="t", note="words")
    assert find_rating_columns(frame).rating == "plays"
    assert str(find_rating_columns(frame)) == "users 'user', items 'item', ratings 'plays'"
    assert find_rating_columns(frame, rating="at").rating == "at"
    assert find_rating_columns(frame.assign(hours=COLUMNS["a"]), others=["hours"]).rating == "plays"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (table(user="a", item="b", timestamp="t"), "no column of ratings.*EASE.*--rating COLUMN"),
        (table(user="a", item="b", d="d"), "no column of ratings"),
        (table(user="a", item="b", x="r", y="b"), "which column holds the ratings: 'x' and 'y' may; .*rating='column'"),
        (table(a="a", r="r", words="words"), "'a' and 'r' may; name it with --rating COLUMN"),
        (table(customer_id="a", member_id="b", item="b", rating="r"), "'customer_id' and 'member_id' may; .*--user"),
        (table(a="a", b="b", c="b", rating="r"), "which column holds the users: 'a' and 'b' and 'c'"),
        (table(user="a", rating="r"), "needs a user, an item and a rating: no column.*the item"),
    ],
)
def test_what_is_missing_or_ambiguous_is_an_error_that_names_the_options(frame, message):
    with pytest.raises(ValueError, match=message):
        find_rating_columns(frame)


def test_fit_finds_ids_by_name_among_more_than_two_columns():
    frame = table(timestamp="t", item_id="b", user_id="a")
    model = ItemKNN().fit(frame)
    assert (model.user_name_, model.item_name_) == ("user_id", "item_id")
    model = ItemKNN().fit(table(**{"Unnamed: 0": "index", "when": "t", "a": "a", "words": "words"}))
    assert (model.user_name_, model.item_name_) == ("a", "words")
    model = ItemKNN().fit(frame.to_numpy())
    assert (model.user_name_, model.item_name_) == ("x0", "x1")


def test_a_time_of_a_wrong_clock_does_not_hide_the_others():
    frame = pd.concat([table(user="a", item="b", at="t")] * 20, ignore_index=True)
    frame.loc[3, "at"] = 99_999_999_999
    assert find_interaction_columns(frame).time == "at"


def test_a_matrix_of_users_and_items_is_not_read_as_pairs():
    matrix = pd.crosstab(np.arange(60), np.arange(60))
    with pytest.raises(ValueError, match="X has 60 columns, none with a usual name.*csr_matrix"):
        ItemKNN().fit(matrix)


IDS_IN_INDEX = table(user="a", item="b", plays="r", ms="ms")


@pytest.mark.parametrize(
    ("names", "held"), [(["user", "item"], "'user', 'item'"), (["user"], "'user'"), (["item"], "'item'")]
)
def test_ids_in_the_index_are_refused_with_the_way_to_make_columns_of_them(names, held):
    frame = IDS_IN_INDEX.set_index(names)
    message = rf"Its index holds {held}: pass it with reset_index\(\), which makes columns of the index"
    for columns in (list(frame), ["plays"], []):
        with pytest.raises(ValueError, match=message):
            ItemKNN().fit(frame[columns])
    with pytest.raises(ValueError, match=message):
        find_rating_columns(frame.rename(columns={"plays": "rating"}))
    with pytest.raises(ValueError, match=message):
        ItemKNN(user="user", item="item").fit(frame)
    fitted = ItemKNN().fit(IDS_IN_INDEX[["user", "item"]])
    with pytest.raises(ValueError, match=message):
        fitted.predict(frame)
    if len(names) == 2:
        for counts in (frame["plays"], IDS_IN_INDEX.groupby(names).size()):
            with pytest.raises(ValueError, match=rf"a table, but got a Series.*{held}.*reset_index\(\)"):
                ItemKNN().fit(counts)
        with pytest.raises(ValueError, match="Its index has 2 levels"):
            ItemKNN().fit(frame[["plays"]].rename_axis([None, None]))


def test_an_index_that_repeats_a_column_or_names_no_ids_is_left_alone():
    for index in ("user", "visit", None):
        frame = IDS_IN_INDEX.set_index(IDS_IN_INDEX["user"].rename(index))
        assert tuple(find_interaction_columns(frame)) == ("user", "item", "plays", "ms")
        assert ItemKNN(user="plays", item="item").fit(frame).user_name_ == "plays"


def test_a_table_of_users_and_items_with_its_users_in_the_index_is_refused_with_the_way_to_pass_it():
    for n_items in (3, 40):
        table = pd.DataFrame(1, index=pd.RangeIndex(3, name="user"), columns=range(n_items))
        with pytest.raises(ValueError, match=r"pass scipy\.sparse\.csr_matrix\(X\)"):
            ItemKNN().fit(table)


def test_a_sparse_matrix_to_predict_is_refused_with_the_way_to_its_pairs():
    matrix = sp.csr_matrix(np.eye(4))
    model = ItemKNN().fit(matrix)
    for use in (
        model.predict,
        model.score,
        lambda X: evaluate(model, X, X),
        lambda X: compare_recommenders([model], X),
    ):
        with pytest.raises(TypeError, match="which only fit and partial_fit take: pass its pairs"):
            use(matrix)


def test_a_time_is_not_taken_for_ids_unless_named():
    visits = pd.DataFrame({"user": [1, 1, 2], "timestamp": [1_000_000_000, 1_000_000_100, 1_000_000_200]})
    with pytest.raises(ValueError, match="X has no column of items: 'timestamp' has the name of a time"):
        ItemKNN().fit(visits)
    with pytest.raises(ValueError, match="X has no column of users: 'timestamp'"):
        ItemKNN().fit(visits[["timestamp", "user"]].rename(columns={"user": "place"}))
    assert ItemKNN(item="timestamp").fit(visits).item_name_ == "timestamp"
