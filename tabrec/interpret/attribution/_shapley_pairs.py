"""Shapley interaction values of one tree, exact at any depth, by the quadrature of `_shapley_tree`.

The interaction of columns i and j in the product of a leaf, the mean over all coalitions of what both add together
beyond what each adds alone, is the integral over t from 0 to 1 of

    v · (h_i - r_i) · (h_j - r_j) · ∏_{k != i, j} u_k(t)  with  u_k(t) = r_k + t (h_k - r_k).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tabrec.interpret.attribution._shapley_tree import quadrature

_MOST_NUMBERS = 2**22  # largest number of values in memory at once


def tree_interactions(tree: Any, values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Compute the interactions of columns in one tree, whose nodes predict `values`, (n_nodes,).

    Returns a symmetric array of shape (n_rows, n_columns, n_columns) with a diagonal of 0.
    """
    n_rows, n_columns = matrix.shape
    found = np.zeros((n_rows, n_columns, n_columns))
    columns = np.unique(tree.feature[tree.feature >= 0])
    if len(columns) < 2:
        return found
    leaves, n_tested, ratio = _read_leaves(tree, columns)
    points, weights = quadrature(n_tested)
    factors, gains = _read_states(ratio, points)
    scaled = values[leaves][:, None] * weights
    place = np.ix_(columns, columns)
    for row, met in enumerate(_meet(tree, columns, matrix)):
        product = np.where(met[:, :, None], factors[1], factors[0]).prod(axis=0)
        gained = np.where(met[:, :, None], gains[1], gains[0]).reshape(len(columns), -1)
        found[row][place] = (gained * (scaled * product).ravel()) @ gained.T
    found[:, np.arange(n_columns), np.arange(n_columns)] = 0.0
    return found


def _read_leaves(tree: Any, columns: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
    """Return the leaves, the largest number of columns on a path, and the share of training weight by column and leaf.

    The share, (n_columns, n_leaves), is that of the rows that pass all tests of the column on the path to the leaf.
    """
    tested = np.zeros((len(columns), tree.node_count), dtype=bool)
    ratio = np.ones((len(columns), tree.node_count))
    weight = tree.weighted_n_node_samples
    for column, parent, child in _edges(tree, columns):
        tested[:, child], ratio[:, child] = tested[:, parent], ratio[:, parent]
        tested[column, child] = True
        ratio[column, child] *= weight[child] / weight[parent]
    leaves = np.flatnonzero(tree.children_left < 0)
    return leaves, int(tested[:, leaves].sum(axis=0).max()), ratio[:, leaves]


def _edges(tree: Any, columns: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield the column, parent and child of each edge, from the root down."""
    place = np.full(tree.n_features, -1)
    place[columns] = np.arange(len(columns))
    nodes = [0]
    while nodes:
        nodes = [node for node in nodes if tree.children_left[node] >= 0]
        edges = [(node, int(child[node])) for node in nodes for child in (tree.children_left, tree.children_right)]
        yield from ((int(place[tree.feature[parent]]), parent, child) for parent, child in edges)
        nodes = [child for _, child in edges]


def _read_states(ratio: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return u and (h - r) / u of rows that fail and pass the tests: (2, n_columns, n_leaves, n_points) each."""
    ratio = ratio[:, :, None]
    factors = np.stack([ratio * (1 - points), ratio + points * (1 - ratio)])
    missed = np.broadcast_to(-1 / (1 - points), factors[0].shape)
    return factors, np.stack([missed, (1 - ratio) / factors[1]])


def _meet(tree: Any, columns: np.ndarray, matrix: np.ndarray) -> Iterator[np.ndarray]:
    """Yield for each row whether it passes all tests of a column on the path to a leaf: (n_columns, n_leaves)."""
    edges = list(_edges(tree, columns))
    left, to_left = tree.children_left, np.asarray(tree.missing_go_to_left) != 0
    n_at_once = max(1, _MOST_NUMBERS // (tree.node_count * len(columns)))
    for start in range(0, len(matrix), n_at_once):
        rows = matrix[start : start + n_at_once]
        meets = np.ones((tree.node_count, len(columns), len(rows)), dtype=bool)
        for column, parent, child in edges:
            seen = rows[:, tree.feature[parent]]
            goes_left = (seen <= tree.threshold[parent]) | (np.isnan(seen) & to_left[parent])
            meets[child] = meets[parent]
            meets[child, column] &= goes_left if child == left[parent] else ~goes_left
        yield from meets[left < 0].transpose(2, 1, 0)
