"""A survey of chunks gives columns of the same kinds as those of the whole table."""

import numpy as np
import pandas as pd
import pytest

from tabrec import column_kinds
from tabrec.preprocess.table_survey import TableSurvey

TABLE = pd.DataFrame(
    {
        "whole": np.arange(90) % 40,
        "decimal": np.linspace(0, 1, 90),
        "gaps": [None, 2, 3] * 30,
        "label": ["a", "b", None] * 30,
        "flag": [True, False] * 45,
        "flag with gaps": pd.Series([True, None, False] * 30, dtype="boolean"),
        "day": pd.date_range("2020-01-01", periods=90),
        "ordered": pd.Categorical(["x", "y"] * 45, categories=["y", "x", "z"], ordered=True),
        "nothing": [None] * 90,
    }
)


def survey(*frames):
    found = TableSurvey()
    for frame in frames:
        found.add(frame)
    return found


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("cuts", [[], [30], [1, 2, 50]])
def test_the_columns_hold_the_distinct_values_of_the_table(cuts, merged):
    parts = [TABLE[start:stop] for start, stop in zip([0, *cuts], [*cuts, 90], strict=True)]
    found = survey(*([] if merged else parts))
    for part in parts if merged else []:
        found.merge(survey(part))
    columns = found.columns()
    assert found.n_rows == 90
    assert found.names == TABLE.columns.tolist()
    assert columns["whole"].raw.tolist() == list(range(40))
    assert columns["whole"].raw.dtype.kind == "i"
    assert sorted(columns["decimal"].raw.tolist()) == TABLE["decimal"].tolist()
    assert columns["gaps"].raw[:2].tolist() == [2.0, 3.0]
    assert columns["gaps"].missing.tolist() == [False, False, True]
    assert columns["label"].values.rows == {"a": 30, "b": 30}
    assert columns["label"].missing.sum() == 30
    assert columns["flag"].is_boolean
    assert columns["flag with gaps"].is_label
    assert columns["day"].raw.tolist() == TABLE["day"].tolist()
    assert columns["ordered"].raw.dtype == TABLE["ordered"].dtype
    assert columns["nothing"].missing.all()
    assert not columns["decimal"].missing.any()


def test_more_values_than_are_kept_still_count_as_many_and_keep_the_ends():
    values = np.random.default_rng(0).permutation(200_000)
    columns = survey(*(pd.DataFrame({"x": part}) for part in np.split(values, 4))).columns()
    assert len(columns["x"].raw) <= 2**16
    assert (columns["x"].raw.min(), columns["x"].raw.max()) == (0, 199_999)
    assert column_kinds(pd.DataFrame({"x": columns["x"].raw}))["kind"].tolist() == ["id"]
