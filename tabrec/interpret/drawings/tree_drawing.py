"""`draw_tree`: a picture of one tree; `view_tree`: the same by dtreeviz."""

from __future__ import annotations

import shutil
from copy import copy
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._models import Trees, read_trees
from tabrec.interpret.drawings._tree_picture import Picture
from tabrec.interpret.drawings._tree_words import check_depth, read_row, read_tree
from tabrec.tables.columns import read_frame
from tabrec.tables.target import check_target

_INSTEAD = "feature_importance and partial_dependence"


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
    """Draw one tree, from left to right, in the names of columns and labels.

    A card is a node: its prediction, its rows and the column that it asks about; above the cards of its children stands
    what holds of their rows. The thicker a branch, the more rows take it. Colours tell predictions; of a classifier, a
    bar shows the shares of the classes.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one.
    X : table or array-like of shape (n_rows, n_features), default=None
        Rows to count at the nodes, as the model takes them, of training or any others. None counts the rows that the
        tree was grown on (of a forest, the distinct rows that it drew).
    y : array-like of shape (n_rows,), default=None
        Their target. With it, small trees (of up to 31 nodes shown) show the rows at each node: the column against
        the target with the mean of each side, or stacked by class; at leaves, the targets.
    tree : int, default=0
        Which tree of a forest.
    max_depth : int, default=3
        How many splits deep to draw; what lies deeper is told as a number of leaves. None draws the whole tree.
    row : table of one row, Series, array, or int, default=None
        A row as the model takes it, or its position in X: its way through the tree is red, with its values.
    ax : matplotlib.axes.Axes, default=None
        Where to draw; None makes a figure as large as the tree needs.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        The model is no forest and no tree.
    ValueError
        A tree of several outputs, no such tree, `max_depth` is negative, y without X or of another length, `row` is
        not one row, columns of fit are missing.

    See Also
    --------
    tree_rules : The same as text.

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
    check_depth(max_depth)
    read = read_tree(trees, tree)
    _check_one_output(trees, "draw_tree")
    target = _read_target(trees, X, y)
    matrix = None if X is None else trees.matrix(X)
    picture = Picture(trees, read, max_depth, matrix, target, None if row is None else read_row(trees, X, row))
    return picture.draw(ax, _title(trees, tree, picture), _target_name(y))


def view_tree(model: Any, X: Any, y: Any, *, tree: int = 0, **options: Any) -> Any:
    """Draw one tree by dtreeviz, which needs Graphviz; `draw_tree` needs neither.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one.
    X : table or array-like of shape (n_rows, n_features)
        Rows to show, as the model takes them; dtreeviz is given the encoded numbers, codes for labels.
    y : array-like of shape (n_rows,)
        Their target.
    tree : int, default=0
        Which tree of a forest.
    **options
        Passed on to the method `view` of dtreeviz's model, such as ``depth_range_to_display=(0, 3)``.

    Returns
    -------
    dtreeviz.utils.DTreeVizRender
        Shows itself in a notebook; its `save` writes SVG.

    Raises
    ------
    TypeError
        The model is no forest and no tree.
    ValueError
        As of `draw_tree`, or X as encoded has missing values, which dtreeviz refuses.
    ImportError
        dtreeviz is not installed.
    FileNotFoundError
        There is no program ``dot``, by which dtreeviz draws.

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
    frame = pd.DataFrame(trees.matrix(X), columns=trees.names)
    gaps = [name for name in trees.names if frame[name].isna().any()]
    if gaps:
        raise ValueError(f"dtreeviz refuses missing values, as in column {gaps[0]!r}: fill them, or use draw_tree.")
    member = getattr(trees.estimator, "estimators_", [trees.estimator])[tree]
    of_classes = {}
    if trees.is_classifier:
        of_classes["class_names"] = [str(label) for label in trees.classes]
        member = copy(member)
        member.classes_ = np.arange(len(trees.classes))  # the only classes that dtreeviz reads
    seen = dtreeviz.model(
        member,
        X_train=frame,
        y_train=target,
        feature_names=trees.names,
        target_name=_target_name(y),
        **of_classes,
    )
    return seen.view(**options)


def _import_dtreeviz() -> Any:
    try:
        import dtreeviz
    except ImportError as error:
        raise ImportError(
            "view_tree hands over to dtreeviz: pip install 'tabrec[viz]'; draw_tree does without."
        ) from error
    if shutil.which("dot") is None:
        raise FileNotFoundError(
            "dtreeviz draws by the program dot of Graphviz, which is not on the PATH: install Graphviz, or use "
            "draw_tree, which needs none."
        )
    return dtreeviz


def _check_one_output(trees: Trees, function: str) -> None:
    if trees.n_outputs > 1:
        raise ValueError(
            f"{function} draws one output, but the model has {trees.n_outputs}: tree_rules writes them all."
        )


def _title(trees: Trees, tree: int, picture: Picture) -> str:
    n_trees = len(trees.trees)
    which = f"Tree {tree} of {n_trees}" if n_trees > 1 else "The tree"
    n_levels, shown = trees.trees[tree].max_depth, picture.n_levels - 1
    return f"{which}, the first {shown} of {n_levels} levels" if picture.shape.hidden else which


def _target_name(y: Any) -> str:
    name = getattr(y, "name", None)
    return "target" if name in (None, "") else str(name)


def _read_target(trees: Trees, X: Any, y: Any) -> np.ndarray | None:
    """The target as numbers; of a classifier, positions of classes."""
    if y is None:
        return None
    if X is None:
        raise ValueError("y is given without X: pass the rows that it belongs to.")
    target = check_target(y, len(read_frame(X)), "draw_tree", numeric=not trees.is_classifier).reshape(-1)
    return _class_positions(trees, target) if trees.is_classifier else target.astype(np.float64)


def _class_positions(trees: Trees, target: np.ndarray) -> np.ndarray:
    classes = list(trees.classes)
    positions = {label: position for position, label in enumerate(classes)}
    unknown = next((label for label in target.tolist() if label not in positions), None)
    if unknown is not None:
        raise ValueError(f"y holds {unknown!r}, which is no class of the model, such as {classes[0]!r}.")
    return np.array([positions[label] for label in target.tolist()])
