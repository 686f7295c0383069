"""Process large sparse matrices, in memory or in files, in blocks of rows that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.sparse as sp

from tabrec.tables.mapped_arrays import BLOCK, array_like, blocks, is_mapped, release


def ranges(starts: np.ndarray, size: int) -> Iterator[slice]:
    """Yield ranges of rows with at most `size` numbers together, or single rows, from the row starts."""
    first, n_rows = 0, len(starts) - 1
    while first < n_rows:
        stop = max(int(np.searchsorted(starts, starts[first] + size, side="right")) - 1, first + 1)
        yield slice(first, stop)
        first = stop


def row_blocks(matrix: sp.csr_matrix, size: int = BLOCK) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield the rows of a matrix in blocks, the same for matrices in memory and in files."""
    for rows in ranges(matrix.indptr, size):
        yield rows, matrix if rows.stop - rows.start == matrix.shape[0] else matrix[rows]
        release(matrix.indices, matrix.data)


def sum_by_pair(
    users: np.ndarray, items: np.ndarray, strengths: Callable[[slice], np.ndarray], shape: tuple[int, int]
) -> sp.csr_matrix:
    """Sum the strengths of each pair, given sorted users and items; the result is in files if these are."""
    if not is_mapped(items):
        return sp.csr_matrix((strengths(slice(None)), (users, items)), shape=shape)
    indices, data = array_like(items, len(items), np.int32), array_like(items, len(items), np.float64)
    starts = np.concatenate([[0], np.cumsum(count_codes(users, shape[0]))])
    lengths, filled = np.zeros(shape[0] + 1, dtype=np.int32), 0
    for rows in ranges(starts, BLOCK):
        at = slice(int(starts[rows.start]), int(starts[rows.stop]))
        pairs = users[at] - np.int32(rows.start), items[at]
        block = sp.csr_matrix((strengths(at), pairs), shape=(rows.stop - rows.start, shape[1]))
        place = slice(filled, filled + block.nnz)
        indices[place], data[place] = block.indices, block.data
        lengths[rows.start + 1 : rows.stop + 1] = np.diff(block.indptr)
        filled += block.nnz
        release(users, items, indices, data)
    return sp.csr_matrix((data[:filled], indices[:filled], np.cumsum(lengths, dtype=np.int32)), shape=shape)


def transpose(matrix: sp.csr_matrix, size: int = 4 * BLOCK) -> sp.csr_matrix:
    """Transpose a matrix; one in files is read once for each range of rows of the result, which is in files too."""
    if not is_mapped(matrix.indices):
        return sp.csr_matrix(matrix.T)
    n_rows, n = matrix.shape[1], matrix.nnz
    starts = np.concatenate([[0], np.cumsum(count_codes(matrix.indices, n_rows))]).astype(matrix.indptr.dtype)
    indices, data = array_like(matrix.indices, n, matrix.indices.dtype), array_like(matrix.data, n, matrix.data.dtype)
    for wanted in ranges(starts, size):
        parts = [_columns_between(block, rows.start, wanted) for rows, block in row_blocks(matrix)]
        columns, rows_of, values = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(columns, kind="stable")
        place = slice(starts[wanted.start], starts[wanted.stop])
        indices[place], data[place] = rows_of[order], values[order]
        release(indices, data)
    return sp.csr_matrix((data, indices, starts), shape=matrix.shape[::-1])


def _columns_between(block: sp.csr_matrix, start: int, wanted: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns, rows and values of a block within a range of columns; its first row is row `start`."""
    at = np.flatnonzero((block.indices >= wanted.start) & (block.indices < wanted.stop))
    rows = np.searchsorted(block.indptr, at.astype(block.indptr.dtype), side="right").astype(np.int32)
    return block.indices[at], rows + np.int32(start - 1), block.data[at]


def count_codes(codes: np.ndarray, n_codes: int) -> np.ndarray:
    """Count the occurrences of each code."""
    counts = np.zeros(n_codes, dtype=np.int64)
    for rows in blocks(len(codes)):
        counts += np.bincount(codes[rows], minlength=n_codes)
        release(codes)
    return counts
