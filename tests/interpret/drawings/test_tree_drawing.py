"""Plots of trees: texts and rows of the nodes, no overlaps, labels of any kind, and the calls of dtreeviz."""

import shutil
import sys
import types
import warnings
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tabrec import BoostingRegressor, ForestClassifier, ForestRegressor
from tabrec.datasets import make_auctions
from tabrec.interpret import draw_tree, view_tree
from tabrec.interpret.drawings._tree_layout import find_visits, place, read_shape

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

UGLY = [
    "<b>x</b>",
    "cost $5 and $6",
    "two\nlines",
    "🎬 film",
    "",
    r"$\frac{1}{2}",
    "a label far too long for any card of any tree",
]
RED = "#c0392b"


@pytest.fixture(scope="module")
def auctions():
    made = make_auctions(400, random_state=0)[["ProductSize", "YearMade", "saledate", "auctioneerID", "SalePrice"]]
    price = np.log(made.pop("SalePrice")).rename("log price")
    return made, price, ForestRegressor(n_estimators=4, max_features=1.0, random_state=0).fit(made, price)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def render(ax):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        canvas = FigureCanvasAgg(ax.figure)
        canvas.draw()
    return canvas.get_renderer()


def assert_nothing_overlaps(ax):
    """Assert that no two texts overlap and that all are inside the figure."""
    renderer = render(ax)
    boxes = [text.get_window_extent(renderer) for text in ax.texts if text.get_text()]
    page = ax.figure.bbox
    for box in boxes:
        assert min(box.x0 - page.x0, page.x1 - box.x1, box.y0 - page.y0, page.y1 - box.y1) > -1
    for position, box in enumerate(boxes):
        for other in boxes[position + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across < 2 or down < 2.5, (ax.texts[position], other)


def reached(ax):
    """Return the number of red branches, which mark the path of a row."""
    colours = [matplotlib.colors.to_hex(patch.get_edgecolor()) for patch in ax.patches]
    branches = [type(patch).__name__ == "PathPatch" for patch in ax.patches]
    return sum(is_branch and colour == RED for is_branch, colour in zip(branches, colours, strict=True))


def test_a_stump_shows_its_split_predictions_and_counts():
    X = pd.DataFrame({"YearMade": [1990, 1991, 1992, 1993]})
    ax = draw_tree(DecisionTreeRegressor(max_depth=1).fit(X, [1.0, 1.0, 5.0, 6.0]))
    of_root = {"The tree", "all rows", "3.25", "4 rows", "YearMade ?", "mean target"}
    assert set(texts(ax)) == of_root | {"≤ 1991.5", "1", "2 rows", "> 1991.5", "5.5"}
    assert_nothing_overlaps(ax)


def test_a_single_leaf_and_a_constant_target_are_drawn():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    model = DecisionTreeRegressor().fit(X, [2.0, 2.0, 2.0])
    assert "3 rows" in texts(draw_tree(model))
    assert_nothing_overlaps(draw_tree(model, X, [2.0, 2.0, 2.0], row=0))


def test_a_depth_limit_is_marked_and_stated_in_the_title(auctions):
    forest = auctions[2]
    ax = draw_tree(forest, tree=2, max_depth=2)
    assert any(text.startswith("… ") and text.endswith(" more leaves") for text in texts(ax))
    assert texts(ax)[0] == f"Tree 2 of 4, the first 2 of {forest.estimators_[2].tree_.max_depth} levels"
    shown = [int(text.split()[1]) for text in texts(ax) if text.startswith("… ")]
    leaves = sum(text.split()[-1] in ("leaves", "leaf") for text in texts(ax))
    assert sum(shown) + (4 - leaves) == forest.estimators_[2].tree_.n_leaves


@pytest.mark.parametrize(("depth", "with_rows"), [(1, False), (4, False), (0, True), (2, True), (3, True)])
def test_nothing_overlaps_at_any_depth(auctions, depth, with_rows):
    X, y, forest = auctions
    ax = draw_tree(forest, X, y, max_depth=depth, row=7) if with_rows else draw_tree(forest, max_depth=depth)
    assert_nothing_overlaps(ax)
    assert ax.figure.get_figwidth() < 12


def test_rows_given_are_counted_at_the_nodes_and_drawn():
    X = pd.DataFrame({"a": np.arange(10.0)})
    model = DecisionTreeRegressor(max_depth=1).fit(X, X["a"] > 4)
    ax = draw_tree(model, X.head(7), np.arange(7.0))
    assert {"7 rows", "5 rows", "2 rows"} <= set(texts(ax))
    split, first, second = ax.child_axes
    np.testing.assert_allclose(split.collections[0].get_offsets(), np.column_stack([np.arange(7.0), np.arange(7.0)]))
    means = [line.get_ydata()[0] for line in split.lines[:2]]
    assert means == [2.0, 5.5]
    assert split.lines[2].get_xdata()[0] == 4.5
    assert sorted(first.collections[0].get_offsets()[:, 0]) == [0, 1, 2, 3, 4]
    assert first.get_xlim() == second.get_xlim() == split.get_ylim()
    assert draw_tree(model, X.head(7)).child_axes == []


@pytest.fixture(scope="module")
def long_ids():
    """Rows of ids that float32 would merge, their target, and a forest of one stump that splits them in the middle."""
    X = pd.DataFrame({"id": 3_000_000_000 + np.arange(40)})
    y = (np.arange(40) >= 20).astype(float)
    return X, y, ForestRegressor(1, bootstrap=False, max_depth=1, max_features=1.0, random_state=0).fit(X, y)


def test_rows_of_long_ids_are_placed_in_units_of_the_column(long_ids):
    X, y, forest = long_ids
    ax = draw_tree(forest, X, y, row=3)
    split = ax.child_axes[0]
    np.testing.assert_array_equal(split.collections[0].get_offsets()[:, 0], X["id"])
    assert [line.get_xdata()[0] for line in split.lines[2:]] == [3_000_000_019.5, 3_000_000_003]
    assert {"3000000000", "3000000039", "≤ 3000000019.5"} <= set(texts(ax))


def test_classes_are_stacked_and_counted_by_piece():
    X = pd.DataFrame({"a": np.repeat([0.0, 1.0, 2.0, 3.0], 5)})
    y = np.array(["no"] * 10 + ["yes"] * 10)
    ax = draw_tree(DecisionTreeClassifier().fit(X, y), X, y)
    assert {"no 50%", "no 100%", "yes 100%", "no", "yes"} <= set(texts(ax))
    (split,) = ax.child_axes
    heights = [sum(bar.get_height() for bar in container) for container in split.containers]
    assert heights == [10, 10]
    threshold = split.lines[0].get_xdata()[0]
    assert all(bar.get_x() + bar.get_width() <= threshold + 1e-9 for bar in split.containers[0] if bar.get_height())


def test_the_rows_of_a_split_on_labels_stand_above_their_codes():
    X = pd.DataFrame({"size": ["L", "M", "S"] * 6})
    y = np.tile([1.0, 5.0, 5.0], 6)
    ax = draw_tree(ForestRegressor(1, bootstrap=False, max_features=1.0, random_state=0).fit(X, y), X, y)
    split = ax.child_axes[0]
    offsets = split.collections[0].get_offsets()
    np.testing.assert_array_equal(np.round(offsets[:, 0]), np.tile([1, 2, 3], 6))
    assert split.lines[2].get_xdata()[0] == 1.5
    assert {"in {missing, L}", "in {M, S}", "L", "S"} <= set(texts(ax))


def test_a_row_is_followed_by_position_frame_and_series(auctions):
    X, _, forest = auctions
    tree = forest.estimators_[0].tree_
    depth = min(3, int(tree.decision_path(forest._validate_X_predict(X.iloc[[5]])).sum()) - 1)
    drawn = [draw_tree(forest, X, row=5), draw_tree(forest, row=X.iloc[[5]]), draw_tree(forest, row=X.iloc[5])]
    assert [reached(ax) for ax in drawn] == [depth] * 3
    assert any(text.startswith("= ") for text in texts(drawn[1]))
    assert reached(draw_tree(forest)) == 0


def test_the_side_of_missing_numbers_is_shown():
    X = np.array([[np.nan], [1.0], [2.0], [3.0]] * 5)
    y = np.array([0.0, 0.0, 9.0, 9.0] * 5)
    model = DecisionTreeRegressor(max_depth=1).fit(X, y)
    assert "≤ 1.5 or missing" in texts(draw_tree(model, X, y, row=[np.nan]))
    assert "≤ 1.5" in texts(draw_tree(model))
    assert "= missing" in texts(draw_tree(model, X, y, row=0))


@pytest.mark.long
def test_the_most_frequent_of_thirty_classes_get_a_colour():
    rng = np.random.default_rng(0)
    y = np.array([f"<class {k}> $" for k in np.minimum(rng.geometric(0.12, 500), 30)])
    X = rng.normal(size=(500, 2))
    X[:, 0] += [int(label.split()[1][:-1]) for label in y]
    ax = draw_tree(RandomForestClassifier(2, random_state=0).fit(X, y), X, y, row=3)
    assert f"{len(set(y)) - 5} others" in texts(ax)
    assert_nothing_overlaps(ax)
    assert_nothing_overlaps(draw_tree(ExtraTreesClassifier(2, random_state=0).fit(X, y), max_depth=2))


def test_cards_above_the_mean_are_orange_and_those_below_blue():
    X = pd.DataFrame({"x": [0.0, 0.0, 1.0, 1.0]})
    ax = draw_tree(DecisionTreeRegressor().fit(X, [1.0, 1.0, 5.0, 5.0]))
    cards = [patch for patch in ax.patches if type(patch).__name__ == "FancyBboxPatch"]
    colours = [card.get_facecolor()[:3] for card in sorted(cards, key=lambda card: (card.get_x(), card.get_y()))]
    assert len(colours) == 3
    assert colours[1][2] > colours[1][0]  # at the left, the lower mean
    assert colours[2][0] > colours[2][2]


def test_labels_of_any_kind_are_drawn():
    rng = np.random.default_rng(0)
    n = 150
    X = pd.DataFrame(
        {
            "a <b>name</b> $ of\n a column that is too long": rng.choice(UGLY, n),
            "$x_1^2": rng.normal(size=n),
            "🎬": 1e6 * rng.normal(size=n),
        }
    )
    y = pd.Series(rng.normal(size=n) + 3 * (X.iloc[:, 0].str.len() > 5) + (X["$x_1^2"] > 0), name="<i>y</i> $ of\nit")
    forest = ForestRegressor(2, max_features=1.0, random_state=0).fit(X, y)
    ax = draw_tree(forest, X, y, row=0)
    assert_nothing_overlaps(ax)
    assert all("\n" not in text for text in texts(ax))
    classes = np.array(UGLY, dtype=object)[rng.integers(0, len(UGLY), n)]
    classifier = ForestClassifier(2, random_state=0).fit(X, classes)
    assert_nothing_overlaps(draw_tree(classifier, X, classes, max_depth=2, row=0))


def test_pipelines_wide_tables_and_polars_are_drawn(auctions):
    polars = pytest.importorskip("polars")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 1000))).rename(columns=str)
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), RandomForestRegressor(2, random_state=0))
    assert_nothing_overlaps(draw_tree(model.fit(X, X["7"]), X, X["7"], max_depth=1, row=0))
    raw, price, forest = auctions
    ax = draw_tree(forest, polars.from_pandas(raw), price, max_depth=2, row=1)
    assert texts(ax) == texts(draw_tree(forest, raw, price, max_depth=2, row=1))
    assert reached(ax) > 0


def test_plots_of_large_trees_omit_the_rows(auctions):
    X, y, forest = auctions
    assert len(draw_tree(forest, X, y, max_depth=1).child_axes) > 0
    assert draw_tree(forest, X, y, max_depth=5).child_axes == []


def test_placeholders_far_out_do_not_squeeze_the_rest():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"YearMade": np.append(rng.integers(1985, 2010, 200), [1000] * 12)})
    y = X["YearMade"] > 1999
    ax = draw_tree(DecisionTreeRegressor(max_depth=1).fit(X, y), X, y * 1.0)
    low, high = ax.child_axes[0].get_xlim()
    assert 1980 < low < 1985 < 2009 < high < 2012
    assert "≤ 1985" in texts(ax)
    assert ax.child_axes[0].collections[0].get_offsets()[:, 0].min() >= low


def test_the_callers_axes_are_used_and_no_figure_leaks(auctions):
    X, y, forest = auctions
    axes = Figure(figsize=(12, 9)).subplots()
    assert draw_tree(forest, X, y, max_depth=1, ax=axes) is axes
    before = len(pyplot.get_fignums())
    draw_tree(forest, max_depth=1)
    assert len(pyplot.get_fignums()) == before


def test_the_callers_rows_are_not_changed(auctions):
    X, y, forest = auctions
    kept = X.copy()
    draw_tree(forest, X, y, max_depth=1, row=0)
    pd.testing.assert_frame_equal(X, kept)


def chain(depth):
    """Children of a tree whose left children are all leaves."""
    n = 2 * depth + 1
    left, right = np.full(n, -1), np.full(n, -1)
    left[0 : 2 * depth : 2], right[0 : 2 * depth : 2] = np.arange(1, n, 2), np.arange(2, n, 2)
    return types.SimpleNamespace(children_left=left, children_right=right, node_count=n)


def test_a_layout_centres_parents_and_has_no_overlap():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    trees = [
        DecisionTreeRegressor(max_leaf_nodes=40, random_state=s).fit(X, rng.normal(size=200)).tree_ for s in range(3)
    ]
    for tree in [*trees, chain(30)]:
        shape = read_shape(tree, None)
        height = {node: 0.3 + 0.7 * (node in shape.children) for node in shape.nodes}
        middle = place(shape, height.get)
        for node, (a, b) in shape.children.items():
            assert middle[node] == pytest.approx((middle[a] + middle[b]) / 2)
        for level in range(max(shape.depth.values()) + 1):
            here = [node for node in shape.nodes if shape.depth[node] == level]
            for upper, lower in pairwise(here):
                assert middle[lower] - middle[upper] >= (height[upper] + height[lower]) / 2 - 1e-9
        assert min(middle[node] - height[node] / 2 for node in shape.nodes) == pytest.approx(0)


def test_rows_with_missing_values_visit_the_nodes_of_their_path():
    X = np.array([[np.nan, 0.0], [1.0, 1.0], [2.0, np.nan], [3.0, 0.0]] * 8)
    tree = DecisionTreeRegressor(random_state=0).fit(X, [0.0, 1.0, 7.0, 9.0] * 8).tree_
    matrix = X.astype(np.float32)
    visits = find_visits(tree, matrix)
    np.testing.assert_array_equal(visits.sum(axis=0), tree.n_node_samples)
    assert all(visits[[row], :].toarray()[0, leaf] for row, leaf in enumerate(tree.apply(matrix)))


def test_invalid_arguments_raise(auctions):
    X, y, forest = auctions
    with pytest.raises(NotFittedError):
        draw_tree(ForestRegressor())
    with pytest.raises(TypeError, match="not BoostingRegressor.*feature_importance"):
        draw_tree(BoostingRegressor())
    with pytest.raises(TypeError, match="not LinearRegression"):
        view_tree(LinearRegression(), X, y)
    with pytest.raises(ValueError, match="in the range .0, 4.: the model has 4"):
        draw_tree(forest, tree=4)
    with pytest.raises(ValueError, match="'max_depth' parameter of draw_tree"):
        draw_tree(forest, max_depth=-1)
    with pytest.raises(ValueError, match="y is given without X"):
        draw_tree(forest, y=y)
    with pytest.raises(ValueError, match="399"):
        draw_tree(forest, X, y[:-1])
    with pytest.raises(ValueError, match="row=400"):
        draw_tree(forest, X, row=400)
    with pytest.raises(ValueError, match="row=3 is a position in X"):
        draw_tree(forest, row=3)
    with pytest.raises(ValueError, match="YearMade"):
        draw_tree(forest, X.drop(columns="YearMade"))
    with pytest.raises(ValueError, match="one output, but the model has 2"):
        draw_tree(DecisionTreeRegressor().fit([[1.0], [2.0]], [[1, 2], [3, 4]]))
    grown = DecisionTreeClassifier().fit([[1.0], [2.0]], ["a", "b"])
    with pytest.raises(ValueError, match="'z', which is not a class"):
        draw_tree(grown, [[1.0], [2.0]], ["a", "z"])


@pytest.fixture
def dtreeviz(monkeypatch):
    """Fake dtreeviz that records its arguments, and a fake `dot` program."""
    given = {}

    def view(**options):
        return given | {"options": options}

    def model(member, **arguments):
        given.update(member=member, **arguments)
        return types.SimpleNamespace(view=view)

    monkeypatch.setitem(sys.modules, "dtreeviz", types.SimpleNamespace(model=model))
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return given


def test_dtreeviz_gets_the_encoded_rows_of_a_regression(auctions, dtreeviz):
    X, y, forest = auctions
    given = view_tree(forest, X, y, tree=1, depth_range_to_display=(0, 2))
    assert given["member"] is forest.estimators_[1]
    assert given["X_train"].columns.tolist() == given["feature_names"] == list(forest.encoded_names_)
    assert not given["X_train"].isna().any().any()
    assert given["target_name"] == "log price"
    assert given["options"] == {"depth_range_to_display": (0, 2)}
    assert "class_names" not in given


def test_dtreeviz_gets_classes_by_number_and_name(dtreeviz):
    X, y = np.arange(4.0)[:, None], np.array(["b", "b", "a", "a"])
    model = DecisionTreeClassifier().fit(X, y)
    given = view_tree(model, X, y)
    assert given["class_names"] == ["a", "b"]
    np.testing.assert_array_equal(given["y_train"], [1, 1, 0, 0])
    np.testing.assert_array_equal(given["member"].classes_, [0, 1])
    assert model.classes_.tolist() == ["a", "b"]


def test_dtreeviz_gets_long_ids_in_units_of_the_column(long_ids, dtreeviz):
    X, y, forest = long_ids
    given = view_tree(forest, X, y)
    member, rows = given["member"], given["X_train"]
    assert rows["id"].tolist() == X["id"].tolist()
    assert member.tree_.threshold[0] == 3_000_000_019.5
    np.testing.assert_array_equal(member.decision_path(rows.to_numpy())[:, [1]].toarray().ravel(), X["id"] < 3e9 + 20)
    assert forest.estimators_[0].tree_.threshold[0] != 3_000_000_019.5
    assert forest.predict(X).tolist() == y.tolist()


def test_missing_values_raise_before_dtreeviz(dtreeviz):
    X = pd.DataFrame({"gaps": [np.nan, 1.0, 2.0]})
    model = DecisionTreeRegressor().fit(X, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="missing values, as in column 'gaps'"):
        view_tree(model, X, [1.0, 2.0, 3.0])


def test_errors_without_dtreeviz_or_dot_name_an_alternative(auctions, dtreeviz, monkeypatch):
    X, y, forest = auctions
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="dot.*draw_tree"):
        view_tree(forest, X, y)
    monkeypatch.setitem(sys.modules, "dtreeviz", None)
    with pytest.raises(ImportError, match=r"tabrec\[viz\]"):
        view_tree(forest, X, y)


@pytest.mark.parametrize("kind", ["regressor", "classes", "forest of classes"])
def test_dtreeviz_accepts_these_arguments(oracle, monkeypatch, kind):
    render_class = oracle("dtreeviz.utils").DTreeVizRender
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)), columns=["a", "b"])
    y = X["a"] if kind == "regressor" else np.where(X["a"] > 0, "x", "y")
    models = {
        "regressor": DecisionTreeRegressor(max_depth=2),
        "classes": DecisionTreeClassifier(max_depth=2),
        "forest of classes": ForestClassifier(2, max_leaf_nodes=4, random_state=0),
    }
    assert isinstance(view_tree(models[kind].fit(X, y), X, y), render_class)


@pytest.mark.real_data("bulldozers/Train.csv")
def test_a_tree_of_real_auctions_is_drawn(data_dir):
    table = pd.read_csv(data_dir / "bulldozers" / "Train.csv", nrows=1500, low_memory=False)
    price = np.log(table.pop("SalePrice"))
    forest = ForestRegressor(n_estimators=2, random_state=0).fit(table, price)
    assert_nothing_overlaps(draw_tree(forest, table, price, row=11))
    assert_nothing_overlaps(draw_tree(forest, max_depth=4, row=table.iloc[[11]]))
