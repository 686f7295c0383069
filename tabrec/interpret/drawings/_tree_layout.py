"""Layout of a drawn tree: choose and place the nodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class Shape:
    """The part of a tree that is shown."""

    nodes: list[int]  # nodes in depth-first order, left before right
    depth: dict[int, int]  # depth of each node
    children: dict[int, tuple[int, int]]  # left and right child of nodes whose children are shown
    hidden: dict[int, int]  # number of leaves below inner nodes whose children are not shown


def read_shape(tree: Any, max_depth: int | None) -> Shape:
    """Return the nodes of a tree down to `max_depth`, or all nodes."""
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
    """Return which nodes each row visits, as a sparse array of bool of shape (n_rows, n_nodes).

    It traverses from the leaves up, because `decision_path` of older scikit-learn releases misroutes missing values.
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
    """Return the vertical centre of each node, with the top of the highest node at 0.

    Siblings are as close as possible without overlap; parents are centred between their children (Reingold & Tilford
    1981, "Tidier drawings of trees").
    """
    # The outline of each subtree: its top and bottom by depth, relative to the centre of its root.
    tops: dict[int, np.ndarray] = {}
    bottoms: dict[int, np.ndarray] = {}
    apart: dict[int, float] = {}
    for node in reversed(shape.nodes):
        half = height(node) / 2
        top, bottom = np.array([]), np.array([])
        if node in shape.children:
            a, b = shape.children[node]
            n_top, n_bottom = len(tops[a]), len(bottoms[b])
            n = min(n_top, n_bottom)
            apart[node] = float((bottoms[a][:n] - tops[b][:n]).max())
            shift = apart[node] / 2
            # Below the end of one outline, that of the other child continues it.
            top = np.append(tops.pop(a) - shift, (tops.pop(b) + shift)[n_top:])
            bottom = np.append(bottoms.pop(b) + shift, (bottoms.pop(a) - shift)[n_bottom:])
        tops[node], bottoms[node] = np.append(-half, top), np.append(half, bottom)
    middle = {0: -float(tops[0].min())}
    for node in shape.nodes:
        if node in shape.children:
            a, b = shape.children[node]
            middle[a], middle[b] = middle[node] - apart[node] / 2, middle[node] + apart[node] / 2
    return middle


def _count_leaves(left: list[int], right: list[int], node: int) -> int:
    waiting, n_leaves = [node], 0
    while waiting:
        at = waiting.pop()
        n_leaves += left[at] < 0
        waiting += [left[at], right[at]] if left[at] >= 0 else []
    return n_leaves
