"""Columns that float32 would merge: every interpretation equals that of the same column without its offset."""

import numpy as np
import pandas as pd
import pytest

from tabrec import ForestRegressor
from tabrec.interpret import (
    ale,
    confidence,
    contributions,
    domain_shift,
    extrapolation_check,
    feature_importance,
    partial_dependence,
    shap_values,
)

OFFSET = 3_000_000_000.0
N_ROWS = 90
ORDER = np.random.default_rng(0).permutation(N_ROWS)
TARGET = np.sin(ORDER / 9) + (ORDER % 2)


def rows(offset, ahead=0):
    return pd.DataFrame({"id": ORDER + offset + ahead, "x": ORDER % 7 / 7})


@pytest.fixture(scope="module")
def forests():
    """The same forest on plain and on long ids."""
    return [ForestRegressor(12, n_jobs=1, random_state=0).fit(rows(offset), TARGET) for offset in (0.0, OFFSET)]


@pytest.mark.parametrize("effect", [partial_dependence, ale])
def test_effects_are_moved_by_the_offset(forests, effect):
    plain, long = (
        effect(forest, rows(offset), "id").table for forest, offset in zip(forests, (0.0, OFFSET), strict=True)
    )
    np.testing.assert_array_equal(long["effect"], plain["effect"])
    np.testing.assert_array_equal(long["id"], plain["id"] + OFFSET)


@pytest.mark.parametrize("explain", [contributions, shap_values])
def test_contributions_are_equal_and_show_the_ids(forests, explain):
    plain, long = (explain(forest, rows(offset)[:5]) for forest, offset in zip(forests, (0.0, OFFSET), strict=True))
    np.testing.assert_array_equal(long.contributions, plain.contributions)
    assert long.values["id"].tolist() == rows(OFFSET)["id"][:5].tolist()


def test_importances_and_intervals_are_equal(forests):
    plain, long = (
        (feature_importance(forest, rows(offset), TARGET, "oob", random_state=0), confidence(forest, rows(offset)))
        for forest, offset in zip(forests, (0.0, OFFSET), strict=True)
    )
    pd.testing.assert_frame_equal(long[0].table, plain[0].table)
    pd.testing.assert_frame_equal(long[1].table, plain[1].table)


def test_extrapolation_and_shift_are_equal_and_name_the_ids(forests):
    checks = [
        extrapolation_check(forest, rows(offset), rows(offset, ahead=40)).table.iloc[0]
        for forest, offset in zip(forests, (0.0, OFFSET), strict=True)
    ]
    assert [check["most_extreme"] for check in checks] == [129.0, OFFSET + 129]
    assert checks[0][["above_max", "clipped", "change"]].equals(checks[1][["above_max", "clipped", "change"]])
    shifts = [domain_shift(rows(offset), rows(offset, ahead=40)).table for offset in (0.0, OFFSET)]
    pd.testing.assert_frame_equal(shifts[1].drop(columns="how"), shifts[0].drop(columns="how"))
