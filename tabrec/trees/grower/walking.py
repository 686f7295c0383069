"""Predict with fitted trees of scikit-learn by compiled code, all trees in one pass over blocks of rows."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.tree._tree import NODE_DTYPE, Tree

from tabrec.tables.compiled import find_compiled
from tabrec.trees.grower.library import FittedTree, Matrix, check_memory, load_functions

_MISSING = 3
_NAMES = {"left": "left_child", "right": "right_child", "feature": "feature", "threshold": "threshold"}
_OFFSETS = {name: NODE_DTYPE.fields[field][1] for name, field in _NAMES.items()}


def find_leaves(tree: Tree, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the leaf of each of the given rows of a float32 matrix, as `tree.apply` finds it."""
    if find_compiled().functions is not None:
        functions = load_functions()
        rows = np.ascontiguousarray(rows, dtype=np.int64)
        leaves = np.empty(len(rows), dtype=np.int32)
        fitted, _kept = describe_trees([tree])
        outcome = functions.grower_find_leaves(
            fitted, ctypes.byref(Matrix.of(matrix)), rows.ctypes.data, len(rows), leaves.ctypes.data
        )
        check_memory(outcome, "predict")
        if outcome != _MISSING:
            return leaves
    return tree.apply(np.ascontiguousarray(matrix[rows]))


def predict_rows(tree: Tree, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the values of the leaf of each of the given rows: (n_rows, n_values, n_outputs)."""
    return tree.value[find_leaves(tree, matrix, rows)].transpose(0, 2, 1)


def sum_predictions(trees: Sequence[Tree], matrix: np.ndarray, n_jobs: int | None) -> np.ndarray | None:
    """Return the sum over trees of the values of each row's leaf, added up in the order of the trees.

    Returns an array of shape (n_rows, n_outputs, n_values), or None where scikit-learn has to predict: without the
    compiled library, and for missing values.
    """
    if find_compiled().functions is None:
        return None
    functions = load_functions()
    n_outputs, n_values = trees[0].value.shape[1:]
    sums = np.zeros((len(matrix), n_outputs, n_values))
    fitted, kept = describe_trees(trees)
    view = Matrix.of(matrix)

    def add(first: int, last: int) -> int:
        return functions.grower_add_predictions(
            fitted, len(trees), n_outputs * n_values, ctypes.byref(view), first, last - first, sums[first:].ctypes.data
        )

    bounds = np.linspace(0, len(matrix), effective_n_jobs(n_jobs) + 1).astype(int).tolist()
    parts = list(pairwise(bounds))
    if len(parts) == 1:
        outcomes = [add(*parts[0])]
    else:
        outcomes = Parallel(n_jobs=len(parts), require="sharedmem")(delayed(add)(*part) for part in parts)
    del kept
    for outcome in outcomes:
        check_memory(outcome, "predict")
    return None if _MISSING in outcomes else sums


def describe_trees(trees: Sequence[Tree]) -> tuple[Any, list]:
    """Return the structures that describe trees to the library, and the arrays that they point to."""
    fitted, kept = (FittedTree * len(trees))(), []
    for described, tree in zip(fitted, trees, strict=True):
        # One array each of nodes and values: creating a view of every field would take longer than predicting few rows.
        state = tree.__getstate__()
        nodes, values = state["nodes"], state["values"]
        address = nodes.ctypes.data
        for name, offset in _OFFSETS.items():
            setattr(described, name, address + offset)
        described.value = values.ctypes.data
        described.step, described.n_nodes = nodes.dtype.itemsize, len(nodes)
        kept.append(state)
    return fitted, kept
