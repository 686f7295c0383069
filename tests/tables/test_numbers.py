"""Which columns need float64."""

import numpy as np
import pytest

from tabrec.tables.numbers import needs_float64

RNG = np.random.default_rng(0)
LONG_IDS = 3_000_000_000 + np.arange(400)


@pytest.mark.parametrize(
    "numbers",
    [
        LONG_IDS,
        LONG_IDS.astype(np.float64),
        LONG_IDS + 0.5,
        np.append(LONG_IDS, 0),
        2**24 + np.arange(3),
        1e6 + RNG.normal(0, 0.01, 1000),
        1e-46 * np.arange(5),
        1.7e9 + 3.3 * np.arange(100_000),
        np.array([2**63, 2**63 + 4096], dtype=np.uint64),
    ],
    ids=[
        "ids",
        "float ids",
        "halves",
        "ids and 0",
        "at 2**24",
        "offset",
        "below float32",
        "seconds in order",
        "unsigned",
    ],
)
def test_columns_that_float32_would_merge_need_float64(numbers):
    assert needs_float64(numbers)


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(-(2**24), 2**24, 2**18),
        86_400 * np.arange(20_000),
        RNG.random(400_000),
        RNG.normal(size=400_000),
        1e25 * RNG.normal(size=1000),
        np.exp(RNG.normal(0, 5, 10_000)),
        LONG_IDS.astype(np.float32),
        np.array([True, False]),
        np.empty(0),
    ],
    ids=["whole", "days", "uniform", "normal", "large", "long tail", "float32", "flags", "empty"],
)
def test_other_columns_stay_float32(numbers):
    assert not needs_float64(numbers)


def test_numbers_that_differ_by_rounding_alone_need_no_float64():
    rng = np.random.default_rng(0)
    means = np.array([rng.permutation([0.1, 0.2, 0.3, 0.7]).sum() / 4 + step for step in np.repeat([0, 1, 2], 300)])
    assert len(np.unique(means)) > 3
    assert not needs_float64(means)


def test_steps_near_the_precision_of_float64_need_float64():
    assert needs_float64(-(2.0**40) + 2.0**-10 * np.arange(200))


def test_ids_beyond_exact_integers_need_float64():
    assert needs_float64(2.0**53 + 2 * np.arange(20))
