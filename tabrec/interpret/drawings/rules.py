"""`tree_rules`: a tree as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabrec.interpret._parameters import at_least, check_parameters
from tabrec.interpret.drawings._tree_layout import find_visits, read_shape
from tabrec.interpret.drawings._tree_text import TreeText, count_leaves, read_row, read_tree
from tabrec.trees.fitted_trees import read_trees

_INDENT = "    "
NUMBER_OF_TREE = [at_least(0)]
MAX_DEPTH = [at_least(0), None]


@check_parameters(tree=NUMBER_OF_TREE, max_depth=MAX_DEPTH)
def tree_rules(model: Any, *, tree: int = 0, max_depth: int | None = None, row: Any = None) -> str:
    """Write one tree as indented text, with raw column names and labels.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one.
    tree : int, default=0
        Position of the tree in the forest.
    max_depth : int, default=None
        Number of levels of splits to write, followed by the number of leaves below; None writes the whole tree.
    row : table of one row, Series or array, default=None
        A row as the model takes it. Only its decision path is written, with the values of the row.

    Returns
    -------
    str
        One line per node: the condition, the prediction (the mean, or the majority class and its share), and the number
        of training rows that reached it (for a forest, distinct rows that the tree drew). ``→`` marks leaves. Labels
        that are missing or were not seen in fit are "missing".

    Raises
    ------
    TypeError
        The model is not a forest and not a tree.
    ValueError
        The forest has no such tree, `max_depth` is negative, `row` is not one row, or lacks columns.

    See Also
    --------
    draw_tree : Draws a tree.
    partial_dependence : Shows the effect of a column in all trees.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Creating the decision tree".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import tree_rules
    >>> auctions = make_auctions(300, random_state=0)[["ProductSize", "YearMade", "SalePrice"]]
    >>> price = auctions.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=10, max_leaf_nodes=4, max_features=1.0, random_state=0)
    >>> forest.fit(auctions, price)
    ForestRegressor(...)
    >>> print(tree_rules(forest, max_depth=2))
    all rows: 30,760, 187 rows
        YearMade ≤ 1993.5: 23,750, 94 rows
            ProductSize in {missing, Compact}: → 17,673, 54 rows
            ProductSize not in {missing, Compact}: 31,614, 40 rows
                … 2 more leaves
        YearMade > 1993.5: → 38,354, 93 rows
    >>> print(tree_rules(forest, row=auctions.head(1)))
    all rows: 30,760, 187 rows
    because YearMade ≤ 1993.5 (1993): 23,750, 94 rows
    and ProductSize not in {missing, Compact} (Small): 31,614, 40 rows
    and ProductSize in {Mini, Small} (Small): → 15,486, 11 rows
    """
    trees = read_trees(model, "tree_rules", instead="feature_importance and partial_dependence")
    read = read_tree(trees, tree)
    matrix = None if row is None else read_row(trees, None, row)
    return _write(TreeText(trees), read, max_depth, matrix)


def _write(text: TreeText, tree: Any, max_depth: int | None, row: np.ndarray | None) -> str:
    """Write all nodes, or those on the decision path of a row of shape (1, n_encoded)."""

    def missing_side(node: int, position: int) -> str | None:
        if row is None or not np.isnan(row[0, position]):
            return None
        return "left" if tree.missing_go_to_left[node] else "right"

    shape = read_shape(tree, max_depth)
    conditions = text.describe_nodes(tree, shape, missing_side)
    position_of = {child: int(tree.feature[node]) for node, pair in shape.children.items() for child in pair}
    path = set(shape.nodes) if row is None else set(find_visits(tree, row).indices.tolist())
    values, lines = text.trees.values(tree), []
    for node in (node for node in shape.nodes if node in path):
        indent, condition = "" if row is not None else _INDENT * shape.depth[node], conditions[node]
        if node:
            condition = f"{text.column(position_of[node])} {condition}"
        if node and row is not None:
            value = text.value(position_of[node], float(row[0, position_of[node]]))
            condition = f"{'because' if shape.depth[node] == 1 else 'and'} {condition} ({value})"
        is_leaf = node not in shape.children and node not in shape.hidden
        n = int(tree.n_node_samples[node])
        rows = f"{n} row{'' if n == 1 else 's'}"
        lines.append(f"{indent}{condition}: {'→ ' if is_leaf else ''}{text.prediction(values[node])}, {rows}")
        if node in shape.hidden:
            lines.append(f"{indent}{'' if row is not None else _INDENT}{count_leaves(shape.hidden[node])}")
    return "\n".join(lines)
