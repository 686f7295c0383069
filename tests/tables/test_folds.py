"""Folds of rows: stratified by the order of the groups, equal rows together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tabrec.tables.folds import split_into_folds


@given(n_groups=st.integers(2, 300), n_folds=st.integers(2, 5), seed=st.integers(0, 5), copies=st.integers(1, 3))
def test_each_group_is_held_out_once_and_whole(n_groups, n_folds, seed, copies):
    groups, n_folds = np.repeat(np.arange(n_groups), copies), min(n_folds, n_groups)
    folds = split_into_folds(groups, n_folds, seed)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(len(groups)))
    for kept, held in folds:
        assert not set(groups[kept]) & set(groups[held])
        assert len(kept) + len(held) == len(groups)
        assert abs(len(np.unique(groups[held])) - n_groups / n_folds) <= 1
        # One group of every run of n_folds, so that targets that ascend are spread alike.
        assert np.bincount(np.unique(groups[held]) // n_folds).max() == 1


def test_few_rows_of_a_large_table_are_held_out():
    folds = split_into_folds(np.arange(200_000), 2, seed=0)
    assert [len(held) for _, held in folds] == [10_000, 10_000]
    assert not set(folds[0][1]) & set(folds[1][1])
