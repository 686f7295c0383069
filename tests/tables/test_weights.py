"""Expansion of sample weights to rows, and canonical order of rows."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tabrec.tables.rows import canonical_order
from tabrec.tables.weights import read_weights


def test_without_weights_every_row_counts_once():
    rows, weights = read_weights(None, 3)
    assert rows.tolist() == [0, 1, 2]
    assert weights is None


@pytest.mark.parametrize("kind", [list, pd.Series, pl.Series, pa.array])
def test_whole_weights_repeat_rows_and_drop_those_of_weight_0(kind):
    rows, weights = read_weights(kind([2.0, 0.0, 1.0, 3.0]), 4)
    assert rows.tolist() == [0, 0, 2, 3, 3, 3]
    assert weights is None


def test_other_weights_are_kept_beside_the_rows_above_0():
    rows, weights = read_weights([0.5, 0, 2], 3)
    assert rows.tolist() == [0, 2]
    assert weights.tolist() == [0.5, 2.0]


def test_whole_weights_of_too_many_rows_are_kept_as_weights():
    rows, weights = read_weights([1000, 1], 2)
    assert rows.tolist() == [0, 1]
    assert weights.tolist() == [1000, 1]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1, -2, 1], "is -2.0 in row 1"),
        ([0, 0, 0], "at least one non-zero"),
        ([1, 2], "sample_weight"),
        ([1, np.nan, 1], "NaN"),
    ],
)
def test_invalid_weights_are_rejected(weights, said):
    with pytest.raises(ValueError, match=said):
        read_weights(weights, 3)


FRAME = pd.DataFrame(
    {
        "code": pd.Categorical([1, 2, 0, 1, 2, 1], categories=range(3)),
        "number": np.array([0.0, 5, 7, -0.0, 5, 9], dtype=np.float32),
        "flag": [True, False, True, True, False, False],
    }
)
Y = np.array([3.0, 1.0, 2.0, 3.0, 1.0, 3.0])


def test_the_order_is_by_target_and_does_not_depend_on_how_rows_came():
    order = canonical_order(FRAME, Y)
    assert Y[order].tolist() == sorted(Y)
    for seed in range(5):
        shuffled = np.random.default_rng(seed).permutation(len(Y))
        again = canonical_order(FRAME.iloc[shuffled], Y[shuffled])
        pd.testing.assert_frame_equal(
            FRAME.iloc[shuffled].iloc[again].reset_index(drop=True), FRAME.iloc[order].reset_index(drop=True)
        )


def test_the_order_takes_several_targets_and_text():
    order = canonical_order(FRAME, np.array(list("cbacba"), dtype=object))
    assert [list("cbacba")[row] for row in order] == list("aabbcc")
    two = np.column_stack([Y, -np.arange(6)])
    order = canonical_order(FRAME, two)
    assert order.tolist() == [4, 1, 2, 5, 3, 0]
