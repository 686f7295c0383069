"""Quantile regression forests (Meinshausen 2006)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

from tabrec.trees.fitted_trees import FittedTrees

# Largest numbers of rows and of weights in memory at once.
_MOST_ROWS = 20_000
_MOST_WEIGHTS = 2_000_000
_ROUNDING = 1e-6


def forest_quantiles(
    trees: FittedTrees,
    matrix: np.ndarray,
    y: np.ndarray,
    X: np.ndarray,
    levels: tuple[float, ...],
    sample_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Predict quantiles of each row of X, (n_rows, n_levels), from the training rows in its leaves.

    The weight of a training row is the mean over the trees of 1 / (size of the leaf) if it shares the leaf. See
    Meinshausen (2006), "Quantile regression forests". Sample weights multiply it, and count in sizes.
    """
    order = np.argsort(y, kind="stable")
    each = np.ones(len(y), np.float32) if sample_weight is None else sample_weight[order].astype(np.float32)
    members, sizes, offsets = _leaf_members(trees, matrix[order], each)
    sorted_y = np.asarray(y, dtype=np.float64)[order]
    quantiles = np.empty((len(X), len(levels)))
    for start in range(0, len(X), _MOST_ROWS):
        block = X[start : start + _MOST_ROWS]
        leaves = np.column_stack([tree.apply(block) for tree in trees.trees]) + offsets
        for rows in _slices(sizes[leaves].sum(axis=1)):
            weights = _weights(leaves[rows], members)
            quantiles[start : start + len(block)][rows] = _weighted_quantiles(weights, sorted_y, levels)
    return quantiles


def _slices(n_entries: np.ndarray) -> Iterator[slice]:
    """Yield rows in slices of at most `_MOST_WEIGHTS` weights, or of one row."""
    total = np.cumsum(n_entries)
    start = 0
    while start < len(total):
        done = total[start - 1] if start else 0
        stop = max(int(np.searchsorted(total, done + _MOST_WEIGHTS, side="right")), start + 1)
        yield slice(start, stop)
        start = stop


def _leaf_members(trees: FittedTrees, matrix: np.ndarray, each: np.ndarray) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return the weights of rows in leaves (sparse), the numbers of rows in nodes, and each tree's first node.

    Nodes are numbered over all trees. The weights of the rows in a leaf add up to 1.
    """
    rows, sizes = [], []
    for tree in trees.trees:
        leaves = tree.apply(matrix)
        rows.append(np.argsort(leaves, kind="stable").astype(np.int32))
        sizes.append(np.bincount(leaves, minlength=tree.node_count))
    offsets = np.cumsum([0, *(len(nodes) for nodes in sizes[:-1])])
    all_sizes = np.concatenate(sizes)
    bounds = np.concatenate([[0], np.cumsum(all_sizes)])
    indices = np.concatenate(rows)
    members = sparse.csr_array((each[indices], indices, bounds), shape=(len(all_sizes), len(matrix)))
    totals = members.sum(axis=1)
    members.data /= np.repeat(np.where(totals > 0, totals, 1), all_sizes).astype(np.float32)
    return members, all_sizes, offsets


def _weights(leaves: np.ndarray, members: Any) -> Any:
    """Return the weights of training rows, sorted by target, for each row: sparse (n_rows, n_training)."""
    n_rows, n_trees = leaves.shape
    shares = np.full(leaves.size, 1 / n_trees, dtype=np.float32)
    picked = sparse.csr_array(
        (shares, leaves.ravel(), np.arange(n_rows + 1) * n_trees), shape=(n_rows, members.shape[0])
    )
    weights = picked @ members
    weights.sort_indices()
    return weights


def _weighted_quantiles(weights: Any, sorted_y: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Return for each row the smallest target up to which the weights reach each level."""
    starts, stops = weights.indptr[:-1], weights.indptr[1:]
    summed = np.concatenate([[0.0], np.cumsum(weights.data, dtype=np.float64)])
    totals = summed[stops] - summed[starts]
    quantiles = np.empty((len(starts), len(levels)))
    for j, level in enumerate(levels):
        reached = summed[starts] + (level - _ROUNDING) * totals
        position = np.searchsorted(summed[1:], reached)
        quantiles[:, j] = sorted_y[weights.indices[np.clip(position, starts, stops - 1)]]
    return quantiles
