"""Paths through trees: the contribution of each split on the path to a leaf, by column or set of columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tabrec.trees.fitted_trees import FittedTrees

# Largest number of values that a tree computes at once, and number of rows from which on threads pay off.
_MOST_NUMBERS = 2**22
_FEW_ROWS = 500
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Steps:
    """The differences of the nodes of a tree from their parents; node 0 is the root."""

    tree: Any
    parents: np.ndarray  # -1 for the root
    columns: np.ndarray  # the column that the parent splits on; arbitrary for the root, whose gain is 0
    values: np.ndarray  # (n_nodes, n_outputs): the prediction of each node
    gains: np.ndarray  # difference of the prediction from that of the parent


def sum_by_column(trees: FittedTrees, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean over the trees of prediction, bias and contributions by column.

    Their shapes are (n_rows, n_outputs), (n_outputs,) and (n_rows, n_columns, n_outputs).
    """
    n_rows, n_columns = matrix.shape
    bias = np.mean([trees.flat_values(tree)[0] for tree in trees.trees], axis=0)
    n_outputs, n_trees = len(bias), len(trees.trees)
    prediction = np.zeros((n_rows, n_outputs))
    contributions = np.zeros((n_rows, n_columns, n_outputs))
    at_once = max(_MOST_NUMBERS // (n_columns * n_outputs), 1)
    for start in range(0, n_rows, at_once):
        part = slice(start, start + at_once)
        work = partial(_sum_paths, trees, matrix[part])
        for of_leaves, of_paths in trees.map(work, in_threads=len(matrix[part]) >= _FEW_ROWS):
            prediction[part] += of_leaves
            contributions[part] += of_paths
    contributions /= n_trees
    return prediction / n_trees, bias, contributions


def read_steps(trees: FittedTrees, tree: Any) -> Steps:
    """Return the steps of one tree (`tree_` of an estimator)."""
    values = trees.flat_values(tree)
    parents = np.full(tree.node_count, -1, dtype=np.int32)
    inner = np.flatnonzero(tree.children_left >= 0)
    parents[tree.children_left[inner]] = inner
    parents[tree.children_right[inner]] = inner
    columns = np.where(parents >= 0, tree.feature[parents], 0)
    return Steps(tree, parents, columns, values, values - values[np.maximum(parents, 0)])


def _sum_paths(trees: FittedTrees, matrix: np.ndarray, tree: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the prediction and contributions of one tree; the path of each reached leaf is traversed once."""
    steps = read_steps(trees, tree)
    n_columns, n_outputs = matrix.shape[1], steps.values.shape[1]
    reached, leaf_of_row = _reached_leaves(steps, matrix)
    positions, nodes = (np.concatenate(found) for found in zip(*_climb(steps, reached), strict=True))
    cells = positions * n_columns + steps.columns[nodes]
    table = np.empty((len(reached) * n_columns, n_outputs))
    for output, gains in enumerate(steps.gains.T):
        table[:, output] = np.bincount(cells, gains[nodes], minlength=len(table))
    by_leaf = table.reshape(len(reached), n_columns, n_outputs)
    return steps.values[reached][leaf_of_row], by_leaf.take(leaf_of_row, axis=0)


def _reached_leaves(steps: Steps, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the leaves that rows reach, and for each row the position of its leaf among them."""
    leaves = steps.tree.apply(matrix)
    position = np.zeros(len(steps.parents), dtype=np.intp)
    position[leaves] = 1
    reached = np.flatnonzero(position)
    position[reached] = np.arange(len(reached))
    return reached, position[leaves]


def _climb(steps: Steps, leaves: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Traverse from all leaves to the root in parallel; yields positions of leaves and the node reached by each."""
    positions, nodes = np.arange(len(leaves)), leaves
    while len(nodes):
        yield positions, nodes
        nodes = steps.parents[nodes]
        has_parent = nodes >= 0
        positions, nodes = positions[has_parent], nodes[has_parent]


def sum_by_set(trees: FittedTrees, matrix: np.ndarray) -> list[dict[tuple[int, ...], np.ndarray]]:
    """Return joint contributions, which credit a split to the set of all columns on the path to it.

    The result has a dict for each row, from sorted tuples of columns to the mean over the trees, (n_outputs,).
    """
    found: list[dict[tuple[int, ...], np.ndarray]] = []
    for start in range(0, len(matrix), _ROWS_AT_ONCE):
        found += _sum_sets(trees, matrix[start : start + _ROWS_AT_ONCE])
    return found


def _sum_sets(trees: FittedTrees, matrix: np.ndarray) -> list[dict[tuple[int, ...], np.ndarray]]:
    numbers: dict[frozenset[int], int] = {}
    rows, sets, gains = [], [], []
    for tree in trees.trees:
        of_tree = read_steps(trees, tree)
        reached, leaf_of_row = _reached_leaves(of_tree, matrix)
        set_of_node = _number_sets(of_tree, reached, numbers)
        for positions, nodes in _climb(of_tree, reached[leaf_of_row]):
            is_inner = nodes > 0
            rows.append(positions[is_inner])
            sets.append(set_of_node[nodes[is_inner]])
            gains.append(of_tree.gains[nodes[is_inner]])
    keys, place = np.unique(np.concatenate(rows) * len(numbers) + np.concatenate(sets), return_inverse=True)
    total = np.column_stack([np.bincount(place, gain, len(keys)) for gain in np.concatenate(gains).T]) / len(
        trees.trees
    )
    tuples = [tuple(sorted(columns)) for columns in numbers]
    found: list[dict[tuple[int, ...], np.ndarray]] = [{} for _ in range(len(matrix))]
    for key, gain in zip(keys.tolist(), total, strict=True):
        row, number = divmod(key, len(numbers))
        found[row][tuples[number]] = gain
    return found


def _number_sets(steps: Steps, leaves: np.ndarray, numbers: dict[frozenset[int], int]) -> np.ndarray:
    """Return the number of the set of columns tested above each node; new sets are added to `numbers`."""
    is_passed = np.zeros(len(steps.parents), dtype=bool)
    for _, nodes in _climb(steps, leaves):
        is_passed[nodes] = True
    sets: dict[int, frozenset[int]] = {0: frozenset()}
    set_of_node = np.zeros(len(steps.parents), dtype=np.int64)
    for node in np.flatnonzero(is_passed)[1:].tolist():  # parents have smaller numbers than their children
        sets[node] = sets[int(steps.parents[node])] | {int(steps.columns[node])}
        set_of_node[node] = numbers.setdefault(sets[node], len(numbers))
    return set_of_node
