"""Partial dependence of trees; a row is traversed once for all grid points that lead to the same leaf."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from tabrec.trees.fitted_trees import FittedTrees

_ROWS_AT_ONCE = 20_000
_PREDICTED_AT_ONCE = 50_000  # rows
_NUMBERS_AT_ONCE = 2_000_000


def walk_average(
    trees: FittedTrees, matrix: np.ndarray, points: np.ndarray, varied: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Return a forest's prediction at each grid point, averaged over the rows: (n_points, n_outputs, n_values).

    `matrix`, float32 of shape (n_rows, n_encoded), holds the encoded rows; `points`, float32 of shape (n_points,
    n_varied), the values of the varied columns, and `varied` their positions in the matrix. `weights` are sample
    weights.
    """
    matrix, order = _ordered(trees, matrix)
    ordered = None if weights is None else weights[order]

    def walk(tree: Any) -> np.ndarray:
        sets = _PointSets(tree, points, varied)
        hits = np.zeros(tree.node_count)
        for rows, leaves in _walk(tree, sets, matrix):
            hits += np.bincount(leaves, None if ordered is None else ordered[rows], minlength=len(hits))
        reached = np.flatnonzero(hits)
        return sets.spread(reached, hits[reached, None, None] * trees.values(tree)[reached])

    total: Any = sum(trees.map(walk))
    return total / ((len(matrix) if weights is None else weights.sum()) * len(trees.trees))


def predict_rows(trees: FittedTrees, matrix: np.ndarray, points: np.ndarray, varied: np.ndarray) -> np.ndarray:
    """Return a forest's prediction for each row at each grid point, (n_rows, n_points, n_outputs, n_values).

    Every row is sent down each tree at every point: for the curves of single rows that is faster than a walk.
    """
    step = max(1, _PREDICTED_AT_ONCE // len(points))
    found = []
    for some in (matrix[start : start + step] for start in range(0, len(matrix), step)):
        repeated = np.repeat(some, len(points), axis=0)
        repeated[:, varied] = np.tile(points, (len(some), 1))
        total: Any = sum(trees.map(partial(_predict_tree, trees, repeated)))
        found.append(total.reshape(len(some), len(points), *total.shape[1:]) / len(trees.trees))
    return np.concatenate(found)


def _predict_tree(trees: FittedTrees, matrix: np.ndarray, tree: Any) -> np.ndarray:
    return trees.values(tree)[tree.apply(matrix)]


def _ordered(trees: FittedTrees, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort the rows by their leaf in the first tree, so that rows with similar paths share cached nodes."""
    matrix = np.ascontiguousarray(matrix)
    order = trees.trees[0].apply(matrix).argsort(kind="stable")
    return matrix[order], order


class _PointSets:
    """The set of grid points that can reach each node of a tree, as bits of 64-bit words.

    A grid point can reach a node if the splits on varied columns above it allow that; other splits depend on the row.
    Hence a row that reaches a leaf at one point reaches it at all points of the leaf's set.
    """

    def __init__(self, tree: Any, points: np.ndarray, varied: np.ndarray):
        self.points, self.varied = points, varied
        self.every = _pack(np.ones((len(points), 1), dtype=bool))
        self.sets = np.zeros((len(self.every), tree.node_count), dtype=np.uint64)
        self.sets[:, :1] = self.every
        self._descend(tree)

    def _descend(self, tree: Any) -> None:
        column = np.full(tree.n_features, -1)
        column[self.varied] = np.arange(len(self.varied))
        column_of_node = column[np.maximum(tree.feature, 0)]  # -2 marks leaves
        lefts, rights = tree.children_left, tree.children_right
        splits = np.flatnonzero((column_of_node >= 0) & (lefts >= 0))
        place = np.full(tree.node_count, -1)
        place[splits] = np.arange(len(splits))
        goes_left = self._goes_left(tree, splits, column_of_node[splits])
        nodes = np.zeros(1, dtype=np.intp)
        while len(nodes := nodes[lefts[nodes] >= 0]):
            left, right = lefts[nodes], rights[nodes]
            self.sets[:, left] = self.sets[:, right] = self.sets[:, nodes]
            here = np.flatnonzero(place[nodes] >= 0)
            if len(here):
                to_left = goes_left[:, place[nodes[here]]]
                self.sets[:, left[here]] &= to_left
                self.sets[:, right[here]] &= ~to_left
            nodes = np.concatenate([left, right])

    def _goes_left(self, tree: Any, nodes: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return which points go left at each split on a varied column, packed: (n_words, n_nodes)."""
        missing = np.isnan(self.points)
        to_left = np.asarray(tree.missing_go_to_left).astype(bool)[nodes]
        step, packed = max(1, _NUMBERS_AT_ONCE // len(self.points)), []
        for some in (slice(start, start + step) for start in range(0, max(len(nodes), 1), step)):
            # scikit-learn compares float32 values with float64 thresholds.
            left = self.points[:, columns[some]].astype(np.float64) <= tree.threshold[nodes[some]]
            if missing.any():
                left |= missing[:, columns[some]] & to_left[some]
            packed.append(_pack(left))
        return np.concatenate(packed, axis=1)

    def holds(self, nodes: np.ndarray) -> np.ndarray:
        """Return a mask of the points in the sets of nodes: (len(nodes), n_points)."""
        as_bytes = np.ascontiguousarray(self.sets[:, nodes].T).astype("<u8").view(np.uint8)
        return np.unpackbits(as_bytes, axis=1, count=len(self.points), bitorder="little").astype(bool)

    def spread(self, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Sum the values of nodes at each point in their sets: (n_points, *values.shape[1:])."""
        total = np.zeros((len(self.points), values[0].size))
        step = max(1, _NUMBERS_AT_ONCE // len(self.points))
        for start in range(0, len(nodes), step):
            some = slice(start, start + step)
            total += self.holds(nodes[some]).astype(np.float64).T @ values[some].reshape(len(values[some]), -1)
        return total.reshape(len(self.points), *values.shape[1:])


def _walk(tree: Any, sets: _PointSets, matrix: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield batches of rows and the leaves they reach; each pair occurs once, and a row at most once per batch."""
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        for rows, leaves in _walk_chunk(tree, sets, matrix[start : start + _ROWS_AT_ONCE]):
            yield start + rows, leaves


def _walk_chunk(tree: Any, sets: _PointSets, X: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows, and their leaves, of each point whose leaf is not known from an earlier point."""
    unknown = np.repeat(sets.every, len(X), axis=1)  # (n_words, n_rows)
    for point, values in enumerate(sets.points):
        rows = np.flatnonzero((unknown[point // 64] & np.uint64(1 << point % 64)) != 0)
        if len(rows):
            some = X.take(rows, axis=0)
            some[:, sets.varied] = values
            leaves = tree.apply(some)
            for word, known in zip(unknown, sets.sets, strict=True):
                word[rows] &= ~known[leaves]
            yield rows, leaves


def _pack(flags: np.ndarray) -> np.ndarray:
    """Pack flags of points, (n_points, n), into 64-bit words, (n_words, n)."""
    packed = np.packbits(flags, axis=0, bitorder="little")
    padded = np.zeros((flags.shape[1], -(-len(flags) // 64) * 8), dtype=np.uint8)
    padded[:, : len(packed)] = packed.T
    return np.ascontiguousarray(padded.view("<u8").T).astype(np.uint64)
