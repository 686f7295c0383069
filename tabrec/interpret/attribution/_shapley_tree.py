"""Shapley values of one tree, exact at any depth: Gauss-Legendre quadrature along its paths.

In the game of a leaf of value v, a coalition S of the columns on its path has the value v · ∏_{j in S} h_j · ∏_{j not
in S} r_j: h_j is 1 where the row meets all tests of column j and else 0, r_j the share of the training weight that
meets them. The Shapley value of column j in such a product is the integral over t from 0 to 1 of a polynomial,

    v · (h_j - r_j) · ∏_{k != j} u_k(t)  with  u_k(t) = r_k + t (h_k - r_k),

whose degree is one less than the number of columns, so that half as many quadrature points are exact. Products of the u
are carried down the tree and summed over the leaves on the way up, where each edge adds (h - r) / u of its column down
to here, less that of its column down to the test before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

# Largest numbers of values of a piece, which should stay in the cache, and of a tree; number of rows at once.
_PIECE_NUMBERS = 2**16
_MOST_NUMBERS = 2**25
_MOST_ROWS = 32


@dataclass(frozen=True)
class _Levels:
    """A tree whose nodes are numbered by level from 0, the root; siblings are adjacent."""

    bounds: list[int]  # start of each level, then the number of nodes
    nodes: np.ndarray  # numbers of the nodes in the tree; this and the next arrays have the shape (n_nodes,)
    is_leaf: np.ndarray
    parents: np.ndarray
    columns: np.ndarray  # the column that the parent splits on
    priors: np.ndarray  # the node below the last test of the same column on the path; the root if there is none
    shares: np.ndarray  # share of the parent's training weight
    ratios: np.ndarray  # share of the training weight that passes all tests of the column down to this node
    n_tested: int  # largest number of columns on a path


@dataclass(frozen=True)
class _Piece:
    """Adjacent pairs of siblings on a level, and the factors of their edges.

    At an edge, a row is in one of three states: it has failed an earlier test of the column, it fails this test, or it
    passes all of them.
    """

    nodes: slice
    parents: np.ndarray  # (n_pairs,)
    factors: np.ndarray  # (n_nodes, n_points, 3): the factor of the product in each state
    gains: np.ndarray  # (n_nodes, 2, n_points): gain of the column in the last two states; it is 0 in the first


def tree_shapley(tree: Any, values: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute path-dependent Shapley values of one tree, whose nodes predict `values`, (n_nodes, n_outputs).

    Returns the weighted mean of the leaves, (n_outputs,), and the Shapley values, (n_rows, n_columns, n_outputs).
    """
    n_rows, n_columns = matrix.shape
    levels = _read_levels(tree, n_columns)
    values = values[levels.nodes]
    weights = tree.weighted_n_node_samples[levels.nodes]
    bias = weights[levels.is_leaf] @ values[levels.is_leaf] / weights[0]
    values[~levels.is_leaf] = 1.0  # the sums of inner nodes are already weighted by the values of leaves
    spread = [_by_column(levels, column, n_columns) for column in values.T]
    points, point_weights = quadrature(levels.n_tested)
    size = len(weights) * len(points)
    n_at_once = int(np.clip(_MOST_NUMBERS // size, 1, min(_MOST_ROWS, n_rows)))
    pieces = list(_cut(levels, points, point_weights, n_at_once))
    buffer = np.empty(size * n_at_once)
    shapley = np.empty((n_rows, n_columns, values.shape[1]))
    for start in range(0, n_rows, n_at_once):
        rows = matrix[start : start + n_at_once]
        products = buffer[: size * len(rows)].reshape(len(weights), len(points), len(rows))
        meets = _meets_test(tree, levels, rows)
        _carry_down(pieces, levels, meets, products)
        for output, of_columns in enumerate(spread):
            by_edge = _sum_up(pieces, levels, meets, products, values[:, output])
            shapley[start : start + len(rows), :, output] = (of_columns @ by_edge).T
    return bias, shapley


def _read_levels(tree: Any, n_columns: int) -> _Levels:
    found = list(_walk_levels(tree))
    nodes = np.concatenate([of_level for of_level, _ in found])
    parents = np.concatenate([of_parents for _, of_parents in found])
    bounds = np.cumsum([0, *(len(of_level) for of_level, _ in found)]).tolist()
    columns = tree.feature[nodes[parents]].astype(np.intp)
    weights = tree.weighted_n_node_samples[nodes]
    shares = weights / weights[parents]
    priors = np.zeros(len(nodes), dtype=np.intp)
    ratios = np.ones(len(nodes))
    n_tested = np.zeros(len(nodes), dtype=np.intp)
    last = np.zeros((1, n_columns), dtype=np.int32)
    for above, start, stop in zip(bounds, bounds[1:], bounds[2:], strict=False):
        here = np.arange(start, stop)
        last = last[parents[here] - above]
        priors[here] = last[here - start, columns[here]]
        last[here - start, columns[here]] = here
        ratios[here] = ratios[priors[here]] * shares[here]
        n_tested[here] = n_tested[parents[here]] + (priors[here] == 0)
    is_leaf = tree.children_left[nodes] < 0
    return _Levels(bounds, nodes, is_leaf, parents, columns, priors, shares, ratios, int(n_tested.max()))


def _walk_levels(tree: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the nodes of each level, siblings adjacent, and the positions of their parents in level order."""
    nodes, parents, start = np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp), 0
    while len(nodes):
        yield nodes, parents
        inner = np.flatnonzero(tree.children_left[nodes] >= 0)
        parents = np.repeat(inner + start, 2)
        start += len(nodes)
        nodes = np.column_stack([tree.children_left[nodes[inner]], tree.children_right[nodes[inner]]]).ravel()


def quadrature(n_tested: int) -> tuple[np.ndarray, np.ndarray]:
    """Return quadrature points and weights on [0, 1], exact for paths that test `n_tested` columns."""
    points, weights = np.polynomial.legendre.leggauss(max((n_tested + 1) // 2, 1))
    return (points + 1) / 2, weights / 2


def _by_column(levels: _Levels, values: np.ndarray, n_columns: int) -> csr_array:
    """Return a matrix that sums the edges of each column, weighting edges to leaves by the leaf values."""
    edges = np.arange(1, len(values))
    return csr_array((values[1:], (levels.columns[1:], edges)), shape=(n_columns, len(values)))


def _cut(levels: _Levels, points: np.ndarray, weights: np.ndarray, n_rows: int) -> Iterator[_Piece]:
    """Yield pieces of edges from the root down, of a size that suits the number of rows."""
    n_nodes = 2 * max(_PIECE_NUMBERS // (2 * len(points) * n_rows), 1)
    for start, stop in zip(levels.bounds[1:], levels.bounds[2:], strict=False):
        for first in range(start, stop, n_nodes):
            yield _make_piece(levels, slice(first, min(first + n_nodes, stop)), points, weights)


def _make_piece(levels: _Levels, nodes: slice, points: np.ndarray, weights: np.ndarray) -> _Piece:
    ratio = levels.ratios[nodes, None]
    ratio_above = levels.ratios[levels.priors[nodes], None]
    met = ratio + points * (1 - ratio)  # u of rows that pass all tests; it is ratio * (1 - points) for other rows
    met_above = ratio_above + points * (1 - ratio_above)
    gained_above = (1 - ratio_above) / met_above
    factors = np.empty((*met.shape, 3))
    factors[:, :, 0] = levels.shares[nodes, None]
    factors[:, :, 1] = ratio * (1 - points) / met_above
    factors[:, :, 2] = met / met_above
    gains = np.empty((len(met), 2, len(points)))
    gains[:, 0] = weights * (-1 / (1 - points) - gained_above)
    gains[:, 1] = weights * ((1 - ratio) / met - gained_above)
    return _Piece(nodes, levels.parents[nodes][::2], factors, gains)


def _meets_test(tree: Any, levels: _Levels, rows: np.ndarray) -> np.ndarray:
    """Return whether each row at the parent of a node goes to the node: bool of shape (n_nodes, n_rows)."""
    inner = levels.nodes[~levels.is_leaf]
    seen = rows.T[tree.feature[inner]]
    goes_left = seen <= tree.threshold[inner, None]
    if np.isnan(rows).any():
        goes_left |= np.isnan(seen) & (tree.missing_go_to_left[inner, None] != 0)
    meets = np.empty((len(levels.nodes), len(rows)), dtype=bool)
    meets[0] = True
    meets[1::2] = goes_left
    np.logical_not(goes_left, out=meets[2::2])
    return meets


def _carry_down(pieces: list[_Piece], levels: _Levels, meets: np.ndarray, products: np.ndarray) -> None:
    """Compute the product of u at each node; `meets` is updated to whether rows pass all tests of the column."""
    products[0] = 1.0
    n_numbers = products[0].size
    for piece in pieces:
        meets[piece.nodes] &= meets[levels.priors[piece.nodes]]
        here = np.matmul(piece.factors, _states(levels, meets, piece.nodes), out=products[piece.nodes])
        pairs = here.reshape(-1, 2, n_numbers)
        pairs *= products[piece.parents].reshape(-1, 1, n_numbers)


def _sum_up(
    pieces: list[_Piece], levels: _Levels, meets: np.ndarray, products: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Return the contribution of each edge to its column, (n_nodes, n_rows); overwrites `products`."""
    n_numbers = products[0].size
    by_edge = np.zeros(meets.shape)
    for piece in reversed(pieces):
        here = products[piece.nodes]
        states = _states(levels, meets, piece.nodes)
        np.einsum("nsr,nsr->nr", np.matmul(piece.gains, here), states[:, 1:], out=by_edge[piece.nodes])
        sums = np.matmul(values[piece.nodes].reshape(-1, 1, 2), here.reshape(-1, 2, n_numbers))
        products[piece.parents] = sums.reshape(-1, *products.shape[1:])
    return by_edge


def _states(levels: _Levels, meets: np.ndarray, nodes: slice) -> np.ndarray:
    """Return the state of each row at each edge, one-hot encoded: float64 of shape (n_nodes, 3, n_rows)."""
    above, here = meets[levels.priors[nodes]], meets[nodes]
    states = np.empty((len(here), 3, here.shape[1]))
    np.logical_not(above, out=states[:, 0])
    np.logical_xor(above, here, out=states[:, 1])
    states[:, 2] = here
    return states
