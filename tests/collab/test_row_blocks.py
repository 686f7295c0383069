"""Sparse matrices in blocks of rows: the same numbers in memory and in files."""

import numpy as np
import pytest
import scipy.sparse as sp

from tabrec.collab.row_blocks import count_codes, row_blocks, sum_by_pair, transpose
from tabrec.tables.mapped_arrays import is_mapped, mapped_array, mean_and_std, release


def in_file(values):
    array = mapped_array(len(values), np.asarray(values).dtype)
    array[:] = values
    release(array)
    return array


MATRIX = sp.random(40, 30, density=0.2, format="csr", random_state=0)


def test_blocks_have_so_many_numbers_or_one_row():
    blocks = list(row_blocks(MATRIX, 25))
    assert [rows.start for rows, _ in blocks[1:]] == [rows.stop for rows, _ in blocks[:-1]]
    assert all(block.nnz <= 25 or block.shape[0] == 1 for _, block in blocks)
    assert (sp.vstack([block for _, block in blocks]) != MATRIX).nnz == 0
    assert len(list(row_blocks(MATRIX, 1))) >= 38


@pytest.mark.parametrize("size", [1, 17, 10_000])
def test_a_matrix_in_files_is_transposed_into_files(size):
    mapped = sp.csr_matrix((in_file(MATRIX.data), in_file(MATRIX.indices), MATRIX.indptr), shape=MATRIX.shape)
    turned, expected = transpose(mapped, size), sp.csr_matrix(MATRIX.T)
    assert is_mapped(turned.data)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(expected, name))


def test_strengths_of_a_pair_are_summed_in_files_as_in_memory():
    users, items = np.int32([0, 0, 0, 2, 2]), np.int32([1, 1, 3, 0, 0])
    strengths = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    found = sum_by_pair(in_file(users), in_file(items), lambda rows: strengths[rows], (4, 4))
    assert found.toarray().tolist() == [[0, 3, 0, 4], [0, 0, 0, 0], [24, 0, 0, 0], [0, 0, 0, 0]]
    assert found.indptr.tolist() == [0, 2, 2, 3, 3]


def test_counts_and_moments_are_those_of_the_whole_array():
    values = np.random.default_rng(0).normal(size=1_000)
    assert mean_and_std(in_file(values)) == (values.mean(), values.std())
    assert count_codes(in_file(np.int32([3, 1, 3])), 5).tolist() == [0, 1, 0, 2, 0]
    assert mapped_array(0, np.int32).shape == (0,)
