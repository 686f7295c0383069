"""`tree_rules`: a tree as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabrec.interpret._models import read_trees
from tabrec.interpret.drawings._tree_layout import Shape, find_visits, read_shape
from tabrec.interpret.drawings._tree_words import Bounds, Words, check_depth, read_row, read_tree

_INDENT = "    "


def tree_rules(model: Any, *, tree: int = 0, max_depth: int | None = None, row: Any = None) -> str:
    """Write one tree as indented text, in the names of columns and labels.

    Parameters
    ----------
    model : estimator
        A fitted forest or single tree, ours or scikit-learn's, or a pipeline that ends in one.
    tree : int, default=0
        Which tree of a forest.
    max_depth : int, default=None
        Below so many splits, only the number of leaves is told; None writes the whole tree.
    row : table of one row, Series or array, default=None
        A row as the model takes it: only its way through the tree is written, with its values.

    Returns
    -------
    str
        A line a node: what holds of its rows, how many rows of training reached it (of a forest, distinct rows that
        the tree drew), and its prediction: the mean; of a classifier the most frequent class and its share. ``→`` marks
        leaves. A label that is missing or was not seen in fit is "missing".

    Raises
    ------
    TypeError
        The model is no forest and no tree.
    ValueError
        No such tree, `max_depth` is negative, `row` is not one row, or lacks columns.

    See Also
    --------
    draw_tree : The same as a picture.

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
    check_depth(max_depth)
    read = read_tree(trees, tree)
    shape = read_shape(read, max_depth)
    matrix = None if row is None else read_row(trees, None, row)
    writer = _Writer(Words(trees), read, shape, trees.values(read), matrix)
    return writer.write() if matrix is None else writer.write_path(matrix)


class _Writer:
    """The lines of a tree."""

    def __init__(self, words: Words, tree: Any, shape: Shape, values: np.ndarray, row: np.ndarray | None):
        self.words, self.tree, self.shape, self.values = words, tree, shape, values
        self.conditions = {0: "all rows"}
        self.asked: dict[int, int] = {}
        bounds: dict[int, Bounds] = {0: {}}
        for node, children in self.shape.children.items():
            position, threshold = int(tree.feature[node]), float(tree.threshold[node])
            missing = None
            if row is not None and np.isnan(row[0, position]):
                missing = "left" if tree.missing_go_to_left[node] else "right"
            said = words.conditions(position, threshold, bounds[node], missing=missing)
            column = words.column(position)
            below = words.narrowed(position, threshold, bounds[node])
            for child, condition, codes in zip(children, said, below, strict=True):
                self.conditions[child] = f"{column} {condition}"
                self.asked[child] = position
                bounds[child] = codes

    def write(self) -> str:
        lines = []
        for node in self.shape.nodes:
            indent = _INDENT * self.shape.depth[node]
            lines.append(f"{indent}{self.conditions[node]}: {self._finding(node)}")
            if node in self.shape.hidden:
                lines.append(f"{indent}{_INDENT}… {_leaves(self.shape.hidden[node])}")
        return "\n".join(lines)

    def write_path(self, row: np.ndarray) -> str:
        """The way of a row, (1, n_encoded), with its values."""
        visited = set(find_visits(self.tree, row).indices.tolist())
        path = [node for node in self.shape.nodes if node in visited]
        lines = [f"all rows: {self._finding(0)}"]
        for node in path[1:]:
            joint = "because" if node == path[1] else "and"
            position = self.asked[node]
            value = self.words.value(position, float(row[0, position]))
            lines.append(f"{joint} {self.conditions[node]} ({value}): {self._finding(node)}")
        if path[-1] in self.shape.hidden:
            lines.append(f"… {_leaves(self.shape.hidden[path[-1]])}")
        return "\n".join(lines)

    def _finding(self, node: int) -> str:
        n = int(self.tree.n_node_samples[node])
        is_leaf = node not in self.shape.children and node not in self.shape.hidden
        return f"{'→ ' if is_leaf else ''}{self.words.prediction(self.values[node])}, {n} row{'' if n == 1 else 's'}"


def _leaves(n: int) -> str:
    return f"{n} more {'leaf' if n == 1 else 'leaves'}"
