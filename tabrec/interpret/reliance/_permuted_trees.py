"""Predict with permuted columns by a forest; only rows whose path can change are traversed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from tabrec.trees.fitted_trees import FittedTrees


@dataclass(frozen=True)
class _Walk:
    """The rows that a tree predicts, their leaves, and the columns on their paths."""

    tree: Any
    values: np.ndarray  # (n_nodes, n_values)
    rows: np.ndarray  # (n_walked,)
    leaves: np.ndarray  # (n_walked,)
    tested: np.ndarray  # uint64, (n_walked, n_words): bit j of word k is column 64 k + j


class PermutedTrees:
    """A forest that predicts the rows of a matrix, in which each tree predicts only some rows.

    Trees of a classifier have one output. `rows_of` maps the position of a tree to the positions of the rows that it
    predicts. `predicted` is the mean over the trees that predict a row, 0 if there are none, and `n_trees` their
    number; `seen` is a mask of predicted rows.
    """

    def __init__(self, trees: FittedTrees, matrix: np.ndarray, rows_of: Callable[[int], np.ndarray]):
        self.n_jobs = effective_n_jobs(trees.n_jobs)
        self._matrix = np.ascontiguousarray(matrix)
        work = (delayed(self._walk)(trees, tree, rows_of(i)) for i, tree in enumerate(trees.trees))
        self._walks: list[_Walk] = Parallel(n_jobs=self.n_jobs, require="sharedmem")(work)
        self._total = np.zeros((len(matrix), self._walks[0].values.shape[1]))
        count = np.zeros(len(matrix))
        for walk in self._walks:
            self._total[walk.rows] += walk.values[walk.leaves]
            count[walk.rows] += 1
        self.seen = count > 0
        self.n_trees = count
        self._count = np.maximum(count, 1)[:, None]
        self.predicted = self._total / self._count

    def permuted(self, columns: list[int], donors: np.ndarray) -> np.ndarray:
        """Predict the rows after they take the values of some columns, given by position, from their donors.

        `donors`, (n_rows,), are positions of rows; all trees use the same donors.
        """
        change = np.zeros_like(self._total)
        differs = (self._matrix[:, columns] != self._matrix[np.ix_(donors, np.asarray(columns))]).any(axis=1)
        bits = np.zeros(self._walks[0].tested.shape[1], dtype=np.uint64)
        for column in columns:
            bits[column // 64] |= np.uint64(1) << np.uint64(column % 64)
        for walk in self._walks:
            # Other rows keep their leaf, because their path has no permuted column or their donor has the same values.
            here = np.flatnonzero((walk.tested & bits).any(axis=1) & differs[walk.rows])
            rows = walk.rows[here]
            if not len(rows):
                continue
            moved = self._matrix[rows]
            moved[:, columns] = self._matrix[np.ix_(donors[rows], np.asarray(columns))]
            change[rows] += walk.values[walk.tree.apply(moved)] - walk.values[walk.leaves[here]]
        return (self._total + change) / self._count

    def _walk(self, trees: FittedTrees, tree: Any, rows: np.ndarray) -> _Walk:
        leaves = tree.apply(self._matrix[rows]).astype(np.int32)
        values = tree.value[:, 0, :] if trees.is_classifier else tree.value[:, :, 0]
        return _Walk(tree, values, rows.astype(np.int32), leaves, _tested_columns(tree)[leaves])


def _tested_columns(tree: Any) -> np.ndarray:
    """Return the columns on the path to each node as bits: uint64 array of shape (n_nodes, n_words)."""
    tested = np.zeros((tree.node_count, (tree.n_features + 63) // 64), dtype=np.uint64)
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    level = np.zeros(1, dtype=np.intp)
    while len(level := level[left[level] >= 0]):
        word, bit = np.divmod(feature[level], 64)
        below = tested[level]
        below[np.arange(len(level)), word] |= np.uint64(1) << bit.astype(np.uint64)
        tested[left[level]] = tested[right[level]] = below
        level = np.concatenate([left[level], right[level]])
    return tested
