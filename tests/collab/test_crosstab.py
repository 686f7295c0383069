"""`crosstab` and its plot: the users and items with most ratings, and the position of every value."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

mpl.use("Agg")

from matplotlib import pyplot as plt

from tabrec.collab.crosstab import crosstab, plot_crosstab
from tabrec.datasets import load_movielens, make_ratings

RATINGS = pd.DataFrame(
    {
        "user": ["ann", "bob", "bob", "cid", "bob", "ann"],
        "item": [7, 7, 8, 7, 9, 9],
        "rating": [5, 4, 1, 3, 2, 0.5],
    }
)
TABLE = pd.DataFrame({"Toy Story (1995)": [1.0, np.nan], "Jumanji (1995)": [2.5, 5.0]}, index=[17, 23])


def texts(labels):
    return [label.get_text() for label in labels]


def cells(ax):
    return {text.get_position(): text.get_text() for text in ax.texts}


# The table


def test_the_busiest_users_by_the_most_rated_items():
    table = crosstab(RATINGS, n=2)
    assert table.index.tolist() == ["bob", "ann"]
    assert table.columns.tolist() == [7, 9]
    assert table.to_numpy().tolist() == [[4, 2], [5, 0.5]]
    assert (table.index.name, table.columns.name) == ("user", "item")


def test_what_is_not_rated_is_nan_and_of_equals_the_first_comes_first():
    table = crosstab(RATINGS)
    assert table.index.tolist() == ["bob", "ann", "cid"]
    assert table.columns.tolist() == [7, 9, 8]
    np.testing.assert_array_equal(table.to_numpy(), [[4, 2, 1], [5, 0.5, np.nan], [3, np.nan, np.nan]])


def test_a_pair_rated_more_than_once_is_averaged():
    twice = pd.concat([RATINGS, pd.DataFrame({"user": ["bob"], "item": [7], "rating": [1.0]})])
    assert crosstab(twice, n=1).to_numpy().tolist() == [[2.5]]


def test_users_without_a_rating_in_the_table_keep_their_row():
    ratings = pd.DataFrame({"user": [1, 1, 1, 2, 3], "item": [1, 2, 3, 4, 4], "rating": 5.0})
    table = crosstab(ratings, n=1)
    assert (table.index.tolist(), table.columns.tolist()) == ([1], [4])
    assert table.isna().all(axis=None)


def test_columns_by_position_or_by_name():
    moved = RATINGS[["rating", "item", "user"]].rename(columns={"user": "who"})
    expected = crosstab(RATINGS)
    for table in (
        crosstab(moved, user="who", item="item", rating="rating"),
        crosstab(moved, user="who", rating="rating"),
    ):
        np.testing.assert_array_equal(table.to_numpy(), expected.to_numpy())
        assert table.index.name == "who"


def test_labels_name_the_columns_and_the_rest_keep_their_ids():
    for labels in (pd.Series({7: "Toy Story", 9: "Heat"}), {7: "Toy Story", 9: "Heat"}):
        assert crosstab(RATINGS, labels=labels).columns.tolist() == ["Toy Story", "Heat", 8]


@pytest.mark.parametrize(
    "convert", [pl.from_pandas, pa.Table.from_pandas, lambda df: df.astype({"user": "category", "item": "category"})]
)
def test_every_kind_of_table_gives_the_same(convert):
    given = convert(RATINGS)
    pd.testing.assert_frame_equal(crosstab(given), crosstab(RATINGS), check_index_type=False, check_column_type=False)


def test_an_array_and_the_callers_frame():
    ratings = make_ratings(500, random_state=0)
    before = ratings.copy()
    np.testing.assert_array_equal(crosstab(ratings.to_numpy()).to_numpy(), crosstab(ratings).to_numpy())
    pd.testing.assert_frame_equal(ratings, before)


@pytest.mark.parametrize(
    ("ratings", "options", "message"),
    [
        (RATINGS, {"n": 0}, "'n' parameter .* Got 0"),
        (RATINGS, {"n": 1.5}, r"'n' parameter .* Got 1\.5"),
        (RATINGS, {"user": "who"}, "no column 'who'; it has"),
        (RATINGS, {"user": "item", "item": "item"}, "must be different columns. Got .'item', 'item'"),
        (RATINGS[["user", "item"]], {}, "no column of ratings"),
        (RATINGS.assign(rating="good"), {}, "Column 'rating' must hold ratings.*labels"),
        (RATINGS.assign(user=[None, *"abcde"]), {}, "Column 'user' has no id in row 0"),
        (RATINGS.iloc[:0], {}, "no rows"),
    ],
)
def test_what_is_no_list_of_ratings_is_refused(ratings, options, message):
    with pytest.raises(ValueError, match=message):
        crosstab(ratings, **options)


@pytest.mark.real_data("ml-100k/u.data", "ml-100k/u.item")
def test_the_real_table(data_dir):
    ratings, _, items = load_movielens("100k", data_dir)
    table = crosstab(ratings, labels=items["title"])
    assert table.index[:3].tolist() == [405, 655, 13]
    assert table.columns[:3].tolist() == ["Star Wars (1977)", "Contact (1997)", "Fargo (1996)"]
    assert table.iloc[0, :4].isna().tolist() == [False, True, True, False]
    rated = ratings.set_index(["user", "item"])["rating"]
    assert table.loc[655, "Contact (1997)"] == rated[655, 258]


# The picture


def test_each_rating_is_written_in_its_cell_and_gaps_are_blank():
    ax = plot_crosstab(TABLE)
    assert cells(ax) == {(0, 0): "1", (1, 0): "2.5", (1, 1): "5"}
    assert texts(ax.get_xticklabels()) == ["Toy Story (1995)", "Jumanji (1995)"]
    assert texts(ax.get_yticklabels()) == ["17", "23"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("item", "user")
    # the first user is on top
    assert ax.get_ylim() == (1.5, -0.5)


def test_higher_ratings_are_darker_and_their_ink_lighter():
    table = pd.DataFrame([[1.0, 3.0, 5.0]])
    ax = plot_crosstab(table)
    (mesh,) = ax.collections
    brightness = mesh.to_rgba(mesh.get_array())[0, :, :3].sum(axis=1)
    assert brightness[0] > brightness[1] > brightness[2]
    assert ax.texts[0].get_color() != "white"
    assert ax.texts[2].get_color() == "white"


def test_long_titles_are_shortened_and_keep_their_year():
    title = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb (1963)"
    ax = plot_crosstab(pd.DataFrame([[1.0, 2.0]], columns=[title, "x" * 60]))
    labels = texts(ax.get_xticklabels())
    assert labels[0] == "Dr. Strangelove or: How… (1963)"
    assert labels[1] == "x" * 21 + "…" + "x" * 10


def test_labels_with_dollars_line_breaks_and_marks_are_drawn_as_they_are(tmp_path):
    titles = ["$9.99 (2008)", "A $ and a\nbreak $", r"\frac{1}{2}", "50% & _more_ #1", "", "Amélie"]
    table = pd.DataFrame([range(6)], columns=pd.Index(titles, name="$item$"), index=["$user"])
    ax = plot_crosstab(table)
    ax.figure.savefig(tmp_path / "table.png")
    assert texts(ax.get_xticklabels())[:2] == [r"\$9.99 (2008)", r"A \$ and a break \$"]
    assert ax.get_xlabel() == r"\$item\$"


@pytest.mark.parametrize("values", [[[np.nan, np.nan]], [[4.0, 4.0]], [[-10.0, 1234.5]]])
def test_tables_of_one_value_of_none_or_of_other_scales_can_be_drawn(tmp_path, values):
    ax = plot_crosstab(pd.DataFrame(values))
    ax.figure.savefig(tmp_path / "table.png")
    assert len(ax.texts) == np.isfinite(values).sum()


def test_titles_that_stand_twice_are_drawn_twice():
    ax = plot_crosstab(pd.DataFrame([[1.0, 2.0]], columns=["Hamlet", "Hamlet"]))
    assert texts(ax.get_xticklabels()) == ["Hamlet", "Hamlet"]
    assert texts(ax.texts) == ["1", "2"]


def test_axes_given_are_drawn_on_and_no_figure_is_left():
    before = plt.get_fignums()
    ax = Figure().subplots()
    assert plot_crosstab(TABLE, ax) is ax
    assert plot_crosstab(TABLE).figure is not plot_crosstab(TABLE).figure
    assert plt.get_fignums() == before


@pytest.mark.parametrize("table", [pd.DataFrame(), [[1, 2]], pd.DataFrame({"a": ["good"]})])
def test_what_is_no_table_of_ratings_is_not_drawn(table):
    with pytest.raises(ValueError, match="table must"):
        plot_crosstab(table)
