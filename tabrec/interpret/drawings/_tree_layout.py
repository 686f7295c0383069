"""Which nodes are drawn and where: as near to each other as they can be without touching, parents amid children."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class Shape:
    """The part of a tree that is shown.

    Attributes
    ----------
    nodes : list of int
        From the root down, each before its children, what lies left before what lies right.
    depth : dict of int to int
    children : dict of int to (int, int)
        Left and right child of each node that is shown with its children.
    hidden : dict of int to int
        The leaves below each node whose children are not shown.
    """

    nodes: list[int]
    depth: dict[int, int]
    children: dict[int, tuple[int, int]]
    hidden: dict[int, int]


def read_shape(tree: Any, max_depth: int | None) -> Shape:
    """The nodes of a tree down to a depth; None is all."""
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    deepest = tree.node_count if max_depth is None else max_depth
    shape = Shape([], {0: 0}, {}, {})
    waiting = [0]
    while waiting:
        node = waiting.pop()
        shape.nodes.append(node)
        if left[node] < 0:
            continue
        if shape.depth[node] >= deepest:
            shape.hidden[node] = _count_leaves(left, right, node)
            continue
        shape.children[node] = left[node], right[node]
        for child in (right[node], left[node]):
            shape.depth[child] = shape.depth[node] + 1
            waiting.append(child)
    return shape


def find_visits(tree: Any, matrix: np.ndarray) -> csr_array:
    """Which nodes each row passes: sparse array of bool, of shape (n_rows, n_nodes).

    From the leaves up, for older releases of scikit-learn send missing values astray in `decision_path`.
    """
    parent = np.full(tree.node_count, -1)
    for children in (tree.children_left, tree.children_right):
        parent[children[children >= 0]] = np.flatnonzero(children >= 0)
    start = at = np.flatnonzero(tree.children_left < 0)
    leaves, passed = [], []
    while len(at):
        leaves.append(start)
        passed.append(at)
        start, at = start[parent[at] >= 0], parent[at][parent[at] >= 0]
    pairs = np.concatenate(leaves), np.concatenate(passed)
    passes = csr_array((np.ones(len(pairs[0]), dtype=bool), pairs), shape=(tree.node_count, tree.node_count))
    return passes[tree.apply(matrix)]


def place(shape: Shape, height: Callable[[int], float]) -> dict[int, float]:
    """The middle of each node down the page, the highest node reaching 0; depth goes across the page.

    Parameters
    ----------
    shape : Shape
    height : callable
        How much room a node takes.

    References
    ----------
    Reingold & Tilford (1981), "Tidier drawings of trees".
    """
    # The outline of what hangs on a node: its top and bottom by depth, seen from the middle of the node.
    tops: dict[int, np.ndarray] = {}
    bottoms: dict[int, np.ndarray] = {}
    apart: dict[int, float] = {}
    for node in reversed(shape.nodes):
        half = height(node) / 2
        top, bottom = np.array([]), np.array([])
        if node in shape.children:
            a, b = shape.children[node]
            n = min(len(tops[a]), len(tops[b]))
            apart[node] = float((bottoms[a][:n] - tops[b][:n]).max())
            shift = apart[node] / 2
            top = _outline(tops.pop(a) - shift, tops.pop(b) + shift)
            bottom = _outline(bottoms.pop(b) + shift, bottoms.pop(a) - shift)
        tops[node], bottoms[node] = np.append(-half, top), np.append(half, bottom)
    middle = {0: -float(tops[0].min())}
    for node in shape.nodes:
        if node in shape.children:
            a, b = shape.children[node]
            middle[a], middle[b] = middle[node] - apart[node] / 2, middle[node] + apart[node] / 2
    return middle


def _outline(first: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The first outline, and where it ends, the other."""
    return np.append(first, other[len(first) :])


def _count_leaves(left: list[int], right: list[int], node: int) -> int:
    waiting, n_leaves = [node], 0
    while waiting:
        at = waiting.pop()
        if left[at] < 0:
            n_leaves += 1
        else:
            waiting += [left[at], right[at]]
    return n_leaves
