"""Samples of rows: of the size asked for, uniform, and the same for all chunks."""

import numpy as np
import pytest

from tabrec.scale.row_draw import RowDraw


@pytest.mark.parametrize(
    ("n_rows", "n_drawn"), [(1, 1), (10, 1), (10, 9), (1000, 400), (1_500_000, 7), (1_500_000, 999_999)]
)
def test_as_many_rows_are_drawn_as_asked_for(n_rows, n_drawn):
    draw = RowDraw(n_rows, n_drawn, seed=3)
    assert len(draw.positions(0, n_rows)) == n_drawn
    halves = [draw.positions(0, n_rows // 2), n_rows // 2 + draw.positions(n_rows // 2, n_rows - n_rows // 2)]
    assert np.array_equal(np.concatenate(halves), draw.positions(0, n_rows))


def test_all_rows_are_drawn_where_more_are_asked_for():
    assert RowDraw(5, 8, seed=0).positions(0, 5).tolist() == [0, 1, 2, 3, 4]


def test_every_row_is_drawn_equally_often():
    counts = np.zeros(20)
    for seed in range(4_000):
        counts[RowDraw(20, 5, seed).positions(0, 20)] += 1
    # 1,000 draws of each row are expected, with a standard deviation of 27.
    assert abs(counts - 1_000).max() < 5 * np.sqrt(4_000 * 0.25 * 0.75)
