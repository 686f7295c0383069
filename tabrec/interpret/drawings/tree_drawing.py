"""`draw_tree` and `view_tree`: plots of one tree, the latter with dtreeviz."""

from __future__ import annotations

import shutil
from copy import copy, deepcopy
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._parameters import check_parameters
from tabrec.interpret.drawings._tree_plot import TreePlot
from tabrec.interpret.drawings._tree_text import read_row, read_tree
from tabrec.interpret.drawings.rules import MAX_DEPTH, NUMBER_OF_TREE
from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees, read_trees

_INSTEAD = "feature_importance and partial_dependence"


@check_parameters(tree=NUMBER_OF_TREE, max_depth=MAX_DEPTH)
def draw_tree(
    model: Any,
    X: Any = None,
    y: Any = None,
    *,
    tree: int = 0,
    max_depth: int | None = 3,
    row: Any = None,
    ax: Any = None,
) -> Any:
    """Draw one tree from left to right, with raw column names and labels.

    Each card is a node, with its prediction, its number of rows and the column of its split; the condition that leads
    to a node is above its card. Wider branches hold more rows. Colours show predictions; for a classifier, a bar shows
    the shares of the classes.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one.
    X : table or array-like of shape (n_rows, n_features), default=None
        Rows to count at the nodes, as the model takes them. None shows the counts of the training rows (for a forest,
        of the distinct rows that the tree drew).
    y : array-like of shape (n_rows,), default=None
        Target of these rows. If given, and if at most 31 nodes are shown, each node shows its rows: the column of the
        split against the target with the mean of each side, or stacked by class; leaves show the targets.
    tree : int, default=0
        Position of the tree in the forest.
    max_depth : int, default=3
        Number of levels of splits to draw, followed by the number of leaves below; None draws the whole tree.
    row : table of one row, Series, array, or int, default=None
        A row as the model takes it, or its position in X. Its decision path is drawn in red, with its values.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None makes a figure that fits the tree.

    Returns
    -------
    matplotlib.axes.Axes
        The axes with the tree.

    Raises
    ------
    TypeError
        The model is not a forest and not a tree.
    ValueError
        The tree has several outputs, the forest has no such tree, `max_depth` is negative, y is given without X or has
        another length, `row` is not one row, or columns of fit are missing.

    See Also
    --------
    tree_rules : Writes a tree as text.
    view_tree : Draws a tree with dtreeviz.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Creating the decision tree".
    Reingold & Tilford (1981), "Tidier drawings of trees".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import draw_tree
    >>> auctions = make_auctions(300, random_state=0)[["ProductSize", "YearMade", "SalePrice"]]
    >>> price = auctions.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=10, random_state=0).fit(auctions, price)
    >>> ax = draw_tree(forest, auctions, price, max_depth=2, row=0)
    >>> ax.texts[0].get_text()
    'Tree 0 of 10, the first 2 of ... levels'
    """
    trees = read_trees(model, "draw_tree", instead=_INSTEAD)
    read = read_tree(trees, tree)
    _check_one_output(trees, "draw_tree")
    target = _read_target(trees, X, y)
    matrix = None if X is None else trees.matrix(X)
    picture = TreePlot(trees, read, max_depth, matrix, target, None if row is None else read_row(trees, X, row))
    return picture.draw(ax, _title(trees, tree, picture), _target_name(y))


@check_parameters(tree=NUMBER_OF_TREE)
def view_tree(model: Any, X: Any, y: Any, *, tree: int = 0, **options: Any) -> Any:
    """Draw one tree with dtreeviz and Graphviz; `draw_tree` needs neither.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one.
    X : table or array-like of shape (n_rows, n_features)
        Rows to show, as the model takes them. dtreeviz shows their encoded numbers, with codes for labels.
    y : array-like of shape (n_rows,)
        Target of these rows.
    tree : int, default=0
        Position of the tree in the forest.
    **options
        Options of the method `view` of dtreeviz's model, such as ``depth_range_to_display=(0, 3)``.

    Returns
    -------
    dtreeviz.utils.DTreeVizRender
        A notebook displays it; its method `save` writes SVG.

    Raises
    ------
    TypeError
        The model is not a forest and not a tree.
    ValueError
        The tree has several outputs, the forest has no such tree, y has another length, columns of fit are missing, or
        the encoded rows have missing values, which dtreeviz does not support.
    ImportError
        dtreeviz is not installed.
    FileNotFoundError
        The program ``dot`` of Graphviz is not installed.

    See Also
    --------
    draw_tree : Draws a tree with matplotlib alone.

    References
    ----------
    Parr & Grover, dtreeviz: https://github.com/parrt/dtreeviz. Howard & Gugger, *Deep Learning for Coders with fastai
    and PyTorch*, chapter 9, "Creating the decision tree".

    Examples
    --------
    >>> from tabrec.interpret import view_tree
    >>> view_tree(forest, auctions, price, depth_range_to_display=(0, 2)).save("tree.svg")  # doctest: +SKIP
    """
    trees = read_trees(model, "view_tree", instead=_INSTEAD)
    read_tree(trees, tree)
    _check_one_output(trees, "view_tree")
    dtreeviz = _import_dtreeviz()
    target = _read_target(trees, X, y)
    seen = zip(trees.names, trees.matrix(X).T, strict=True)
    frame = pd.DataFrame({name: trees.restore(name, values) for name, values in seen})
    gaps = [name for name in trees.names if frame[name].isna().any()]
    if gaps:
        raise ValueError(
            f"dtreeviz does not support missing values, as in column {gaps[0]!r}: fill them, or use draw_tree."
        )
    member = _in_units_of_columns(trees, trees.members[tree])
    of_classes = {}
    if trees.is_classifier:
        of_classes["class_names"] = [str(label) for label in trees.classes]
        member = copy(member)
        member.classes_ = np.arange(len(trees.classes))  # dtreeviz accepts only integer classes
    names = {"feature_names": trees.names, "target_name": _target_name(y)} | of_classes
    return dtreeviz.model(member, X_train=frame, y_train=target, **names).view(**options)


def _in_units_of_columns(trees: FittedTrees, member: Any) -> Any:
    """Return the tree, or a copy with thresholds in units of the encoded frame if trees see mapped numbers."""
    if not trees.float32_maps:
        return member
    shown = deepcopy(member)
    for position, name in enumerate(trees.names):
        here = shown.tree_.feature == position
        shown.tree_.threshold[here] = trees.restore(name, shown.tree_.threshold[here])
    # dtreeviz sends rows through this method, which needs the mapped numbers and the original thresholds.
    shown.decision_path = lambda X: member.decision_path(trees.to_matrix(pd.DataFrame(X, columns=trees.names)))
    return shown


def _import_dtreeviz() -> Any:
    try:
        import dtreeviz
    except ImportError as error:
        raise ImportError("view_tree needs dtreeviz: pip install 'tabrec[viz]', or use draw_tree.") from error
    if shutil.which("dot") is None:
        raise FileNotFoundError("dtreeviz needs the program dot of Graphviz: install Graphviz, or use draw_tree.")
    return dtreeviz


def _check_one_output(trees: FittedTrees, function: str) -> None:
    if trees.n_outputs > 1:
        raise ValueError(f"{function} draws one output, but the model has {trees.n_outputs}: use tree_rules.")


def _title(trees: FittedTrees, tree: int, picture: TreePlot) -> str:
    n_trees = len(trees.trees)
    which = f"Tree {tree} of {n_trees}" if n_trees > 1 else "The tree"
    n_levels, shown = trees.trees[tree].max_depth, picture.n_levels - 1
    return f"{which}, the first {shown} of {n_levels} levels" if picture.shape.hidden else which


def _target_name(y: Any) -> str:
    name = getattr(y, "name", None)
    return "target" if name in (None, "") else str(name)


def _read_target(trees: FittedTrees, X: Any, y: Any) -> np.ndarray | None:
    """Return the target as numbers; for a classifier, positions of classes."""
    if y is None:
        return None
    if X is None:
        raise ValueError("y is given without X: pass both.")
    check_row_labels(X, y=y)
    target = check_target(y, len(read_frame(X)), "draw_tree", numeric=not trees.is_classifier).reshape(-1)
    if not trees.is_classifier:
        return target.astype(np.float64)
    positions = {label: position for position, label in enumerate(trees.classes)}
    unknown = [label for label in target.tolist() if label not in positions]
    if unknown:
        raise ValueError(f"y holds {unknown[0]!r}, which is not a class of the model, such as {trees.classes[0]!r}.")
    return np.array([positions[label] for label in target.tolist()])
