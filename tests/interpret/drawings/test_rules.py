"""Trees as text: conditions that hold for the rows, label names, and the decision path of a row."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tabrec import Categorify, DateParts, FillMissing, ForestClassifier, ForestRegressor, Normalize
from tabrec.interpret import tree_rules
from tabrec.interpret.drawings._tree_text import TreeText, format_number
from tabrec.trees.fitted_trees import read_trees

WHOLE = {"n_estimators": 1, "bootstrap": False, "max_features": 1.0, "random_state": 0}


def one_tree(X, y, **options):
    return ForestRegressor(**(WHOLE | options)).fit(X, y)


def lines(text):
    return [line.strip() for line in text.splitlines()]


def test_a_stump_is_three_lines_with_its_counts_and_means():
    X = pd.DataFrame({"YearMade": [1990, 1991, 1992, 1993]})
    assert tree_rules(one_tree(X, [1.0, 1.0, 5.0, 6.0], max_depth=1)) == (
        "all rows: 3.25, 4 rows\n    YearMade ≤ 1991.5: → 1, 2 rows\n    YearMade > 1991.5: → 5.5, 2 rows"
    )


def test_splits_on_codes_are_written_with_labels():
    X = pd.DataFrame({"size": ["L", "M", None, "S", "XL"] * 4})
    text = tree_rules(one_tree(X, [9.0, 1.0, 9.0, 1.0, 1.0] * 4))
    assert lines(text)[1:] == ["size in {missing, L}: → 9, 8 rows", "size in {M, S, XL}: → 1, 12 rows"]


def test_labels_of_another_branch_are_not_listed():
    X = pd.DataFrame({"size": ["A", "B", "C", "D"] * 4})
    text = tree_rules(one_tree(X, [0.0, 10.0, 20.0, 90.0] * 4))
    assert "size = C: → 20, 4 rows" in lines(text)
    assert "size = B: → 10, 4 rows" in lines(text)


def test_many_labels_are_written_as_not_in_the_others():
    X = pd.DataFrame({"size": list("ABCDEFGH") * 3})
    said = lines(tree_rules(one_tree(X, [5.0] + [1.0] * 7 + [5.0] + [1.0] * 7 + [5.0] + [1.0] * 7)))
    assert said[1] == "size in {missing, A}: → 5, 3 rows"
    assert said[2] == "size not in {missing, A}: → 1, 21 rows"


def test_dates_booleans_and_indicators_are_formatted():
    days = pd.date_range("2003-01-01", periods=40, freq="37D")
    dated = one_tree(pd.DataFrame({"saledate": days}), np.arange(40) >= 16, max_depth=1)
    assert lines(tree_rules(dated))[1:] == [
        "saledate ≤ 2004-07-27: → 0, 16 rows",
        "saledate > 2004-07-27: → 1, 24 rows",
    ]
    numbers = pd.DataFrame({"id": [np.nan, 5.0, 6.0, 7.0] * 5})
    marked = one_tree(numbers, [8.0, 1.0, 1.0, 1.0] * 5)
    assert lines(tree_rules(marked))[1:] == ["id missing = no: → 1, 15 rows", "id missing = yes: → 8, 5 rows"]
    days = pd.date_range("2006-01-01", periods=365)
    month_ends = one_tree(pd.DataFrame({"saledate": days}), days.is_month_end * 1.0, max_depth=1)
    assert lines(tree_rules(month_ends))[1].startswith("saleIs_month_end = no: → 0, 353 rows")


def test_dates_are_written_in_the_time_zone_of_the_column():
    days = pd.date_range("2003-01-01", periods=40, freq="37D", tz="America/New_York")
    dated = one_tree(pd.DataFrame({"saledate": days}), np.arange(40) >= 16, max_depth=1)
    assert lines(tree_rules(dated))[1] == "saledate ≤ 2004-07-27: → 0, 16 rows"


def test_normalised_columns_are_written_in_their_own_units():
    days = pd.date_range("2003-01-01", periods=20, freq="37D")
    X = pd.DataFrame({"year": np.arange(1990.0, 2010.0), "saledate": days})
    steps = [DateParts(), Categorify(), FillMissing(), Normalize()]
    for column, wanted in (("year", "year ≤ 1996.5"), ("saledate", "saledate ≤ 2003-08-29")):
        model = make_pipeline(*steps, DecisionTreeRegressor(max_depth=1)).fit(X[[column]], np.arange(20) >= 7)
        assert lines(tree_rules(model))[1].startswith(wanted)


def test_target_encoded_columns_are_written_as_mean_targets():
    rng = np.random.default_rng(0)
    number = rng.integers(0, 60, 400)
    X = pd.DataFrame({"model": [f"model {n}" for n in number]})
    forest = ForestRegressor(n_estimators=1, high_cardinality=10, max_depth=1, random_state=0)
    forest.fit(X, number)
    assert "model mean target ≤" in tree_rules(forest)


def test_leaves_below_a_depth_limit_are_counted():
    X = np.arange(64.0)[:, None]
    tree = DecisionTreeRegressor().fit(X, np.arange(64.0))
    cut = tree_rules(tree, max_depth=2)
    assert cut.count("… 16 more leaves") == 4
    assert tree_rules(tree).count("→") == 64
    assert tree_rules(tree, max_depth=0) == "all rows: 31.5, 64 rows\n    … 64 more leaves"


def test_the_decision_path_of_a_row_has_its_values():
    X = pd.DataFrame({"YearMade": [1987.0, 1995.0, 2001.0, 2003.0], "size": ["S", "L", None, "L"]})
    forest = one_tree(X, [1.0, 4.0, 9.0, 9.0], min_samples_leaf=1)
    text = tree_rules(forest, row=X.head(1))
    assert lines(text) == ["all rows: 5.75, 4 rows", "because YearMade ≤ 1998 (1987): 2.5, 2 rows", *lines(text)[2:]]
    assert lines(text)[-1].startswith("and ")
    assert lines(text)[-1].endswith("→ 1, 1 row")
    assert tree_rules(forest, row=X.iloc[0]) == text
    assert lines(tree_rules(forest, max_depth=1, row=X.iloc[0]))[-1] == "… 2 more leaves"


def test_rows_of_arrays_and_missing_numbers_are_read():
    X = np.array([[np.nan], [1.0], [2.0], [3.0]] * 5)
    tree = DecisionTreeRegressor(max_depth=1).fit(X, [0.0, 0.0, 9.0, 9.0] * 5)
    assert "(2)" in tree_rules(tree, row=[2.0])
    assert "x0 ≤ 1.5 or missing (missing)" in tree_rules(tree, row=[np.nan])


def test_classes_are_written_with_their_shares():
    X = pd.DataFrame({"a": [1, 2, 3, 4]})
    tree = DecisionTreeClassifier(max_depth=1).fit(X, ["no", "no", "yes", "yes"])
    assert (
        tree_rules(tree) == "all rows: no 50%, 4 rows\n    a ≤ 2.5: → no 100%, 2 rows\n    a > 2.5: → yes 100%, 2 rows"
    )


def test_all_outputs_are_written():
    X = np.arange(4.0)[:, None]
    assert ": → 1, 10, 2 rows" in tree_rules(
        DecisionTreeRegressor(max_depth=1).fit(X, [[1, 10], [1, 10], [5, 7], [5, 7]])
    )
    text = tree_rules(DecisionTreeClassifier(max_depth=1).fit(X, [["a", "u"], ["a", "u"], ["b", "v"], ["b", "v"]]))
    assert ": → b 100%, v 100%, 2 rows" in text


@pytest.mark.parametrize(
    "forest", [ForestClassifier, RandomForestClassifier, RandomForestRegressor, ExtraTreesRegressor]
)
def test_any_forest_is_written_tree_by_tree(forest):
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = forest(n_estimators=3, random_state=0).fit(X, (X[:, 0] > 0).astype(int))
    texts = {tree_rules(model, tree=number) for number in range(3)}
    assert len(texts) == 3
    assert all(text.startswith("all rows: ") for text in texts)


def test_conditions_hold_for_exactly_the_rows_of_their_side():
    rng = np.random.default_rng(3)
    X = pd.DataFrame({"label": rng.choice(list("abcdefghij"), 300), "number": rng.normal(size=300).round(3)})
    y = X["number"] + X["label"].isin(list("aceg"))
    forest = one_tree(X, y, max_depth=4)
    read = read_trees(forest, "test")
    text, tree = TreeText(read), read.trees[0]
    for position in range(2):
        encoded = read.matrix(X)[:, position]
        for threshold in tree.threshold[tree.feature == position]:
            left, right = text.conditions(position, float(threshold), {}, width=400)
            goes_left = encoded <= threshold
            if position == read.names.index("label"):
                listed = set(left[left.index("{") + 1 : -1].split(", ")) if "{" in left else {left.split(" ")[1]}
                said = X["label"].isin(listed) ^ left.startswith(("not", "≠"))
            else:
                said = X["number"] <= float(left.split(" ")[1]) + 1e-9
            assert (said == goes_left).mean() > 0.99
            assert left != right


def test_labels_with_markup_and_breaks_stay_on_their_line():
    ugly = ["<b>x</b>", "$5 and $6", "two\nlines", "🎬", "", r"\frac{1}{2}"]
    X = pd.DataFrame({"col\numn $": ugly * 5})
    text = tree_rules(one_tree(X, list(range(6)) * 5))
    assert len(text.splitlines()) == 11
    assert all(label in text for label in ("two lines", "$5 and $6", "(empty)", "col umn $"))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1991.5, "1991.5"),
        (1139249.5, "1139249.5"),
        (0, "0"),
        (-3.0, "-3"),
        (0.30000001192, "0.3"),
        (1e-9, "1e-09"),
        (1e20, "1e+20"),
    ],
)
def test_numbers_are_written_plainly(number, text):
    assert format_number(number) == text


def test_a_single_leaf_and_a_constant_target_are_written():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    model = DecisionTreeRegressor().fit(X, [2.0, 2.0, 2.0])
    assert tree_rules(model) == tree_rules(model, row=X.head(1)) == "all rows: → 2, 3 rows"


def test_invalid_arguments_raise():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    model = DecisionTreeRegressor().fit(X, [1.0, 2.0, 3.0])
    with pytest.raises(NotFittedError):
        tree_rules(ForestRegressor())
    with pytest.raises(TypeError, match="not LinearRegression.*partial_dependence"):
        tree_rules(LinearRegression().fit(X, [1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="tree=1 must be in the range .0, 1.: the model has 1 trees"):
        tree_rules(model, tree=1)
    for tree in (-1, 0.0, "0"):
        with pytest.raises(ValueError, match="'tree' parameter of tree_rules must be an int in the range .0, inf"):
            tree_rules(model, tree=tree)
    for depth in (-1, 1.5):
        with pytest.raises(ValueError, match="'max_depth' parameter of tree_rules must be an int"):
            tree_rules(model, max_depth=depth)
    with pytest.raises(ValueError, match="one row, but has 2"):
        tree_rules(model, row=X.head(2))
    with pytest.raises(ValueError, match="position in X"):
        tree_rules(model, row=0)
    with pytest.raises(ValueError, match="'?b'?"):
        tree_rules(model, row=X[["a"]].head(1))


def test_thresholds_of_long_numbers_are_in_their_units():
    stamps = pd.date_range("2024-01-01", periods=40, freq="D").strftime("%Y%m%d%H%M%S").astype("int64")
    text = tree_rules(one_tree(pd.DataFrame({"stamp": stamps}), np.arange(40) >= 16, max_depth=1))
    assert lines(text)[1:] == ["stamp ≤ 20240116500000: → 0, 16 rows", "stamp > 20240116500000: → 1, 24 rows"]


@pytest.mark.parametrize(("step", "moment"), [("4s", "12:01:02"), ("3s", "12:00:46.5"), ("10ms", "12:00:00.155")])
def test_thresholds_of_dates_seconds_apart_have_seconds(step, moment):
    dates = pd.date_range("2024-01-01 12:00", periods=40, freq=step)
    text = tree_rules(one_tree(pd.DataFrame({"at": dates}), np.arange(40) >= 16, max_depth=1))
    assert lines(text)[1:] == [f"at ≤ 2024-01-01 {moment}: → 0, 16 rows", f"at > 2024-01-01 {moment}: → 1, 24 rows"]
