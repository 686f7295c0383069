"""Float32 numbers of columns that plain float32 would merge."""

import numpy as np
import pandas as pd
import pytest

from tabrec.tables.float32_maps import Float32Map, learn_maps

IDS = 3_000_000_000 + np.arange(400.0)
# Seconds as year, month, day, hours, minutes and seconds, over 20 years: no offset keeps them all.
STAMPS = (20_040_101_000_000 + 10**10 * np.arange(20)[:, None] + np.arange(400)).ravel().astype(np.float64)


@pytest.mark.parametrize("levels", [IDS, STAMPS, IDS / 2**70, np.append(0.0, IDS), 1 + np.arange(9) / 2**40])
def test_a_map_keeps_the_numbers_of_fit_distinct_and_in_order(levels):
    found = Float32Map(levels)
    mapped = found.apply(levels)
    assert mapped.dtype == np.float32
    assert (np.diff(mapped) > 1e-7).all()
    np.testing.assert_array_equal(found.invert(mapped)[1:], levels[1:])  # 0 is far from the ids


def test_an_offset_and_a_scale_keep_proportions():
    mapped = Float32Map(IDS).apply(np.append(IDS, np.nan))
    assert len(np.unique(np.diff(mapped[:-1]))) == 1
    assert np.isnan(mapped[-1])


def test_ranks_are_interpolated_and_end_at_the_numbers_of_fit():
    found = Float32Map(STAMPS)
    between = np.array([STAMPS[0] + 0.25, STAMPS[0] - 5, STAMPS[-1] + 1e30])
    assert found.apply(between).tolist() == [0.25, 0.0, len(STAMPS) - 1]
    assert found.invert(0.5) == STAMPS[0] + 0.5


def test_numbers_far_beyond_those_of_fit_stay_finite():
    assert np.isfinite(Float32Map(np.array([0.0, 1e-30])).apply(np.array([1e30, -1e30]))).all()


def test_only_columns_that_trees_would_merge_are_mapped():
    encoded = pd.DataFrame(
        {
            "id": IDS,
            "small": np.arange(400, dtype=np.float32) / 2**30,
            "plain": np.arange(400, dtype=np.float32),
            "decimals": np.random.default_rng(0).normal(size=400),
            "constant": np.full(400, 1e9),
            "flag": np.arange(400) % 2 == 0,
            "code": pd.Categorical(np.arange(400) % 3),
        }
    )
    assert list(learn_maps(encoded)) == ["id", "small"]


def test_a_column_that_cannot_be_kept_is_named(monkeypatch):
    monkeypatch.setattr("tabrec.tables.float32_maps._MOST_LEVELS", 100)
    with pytest.warns(UserWarning, match="Column 'stamp' holds 8,000 distinct numbers"):
        learn_maps(pd.DataFrame({"stamp": STAMPS}))
