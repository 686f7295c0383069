"""Validation of targets before fit: length, missing values and type."""

from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tabrec.tables.target import check_target


@pytest.mark.parametrize(
    "y",
    [
        [1, 2],
        pd.Series([1.0, 2.0]),
        pd.Series([1, 2], dtype="Int64"),
        pl.Series([1, 2]),
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
        nw.from_native(pl.Series([1, 2]), series_only=True),
        np.array([1, 2.0], dtype=object),
        [Decimal(1), Decimal(2)],
    ],
    ids=lambda y: type(y).__name__,
)
def test_numbers_of_any_type_are_numbers(y):
    target = check_target(y, 2, "Model", numeric=True)
    assert target.dtype.kind in "if"
    assert target.tolist() == [1, 2]


@pytest.mark.parametrize("y", [["1", "2"], pd.Series(["1.5", "x"]), pd.to_datetime(["2011-01-01", "2012-01-01"])])
def test_text_and_dates_are_not_numbers_even_if_they_could_be_parsed(y):
    with pytest.raises(ValueError, match="Model predicts numbers, but y holds"):
        check_target(y, 2, "Model", numeric=True)


def test_classes_stay_as_they_are():
    assert check_target(["a", "b"], 2, "Model", numeric=False).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        ([1, 2, 3], "X has 2 rows, but y has 3"),
        ([1, np.nan], "1 missing, the first in row 1"),
        ([np.inf, 1], "infinity.*the first in row 0"),
        ([1j, 1], "Complex data"),
        ("ab", "1d array"),
    ],
)
def test_invalid_targets_are_rejected(y, message):
    with pytest.raises(ValueError, match=message):
        check_target(y, 2, "Model", numeric=True)


@pytest.mark.parametrize("numeric", [True, False])
def test_a_lazy_frame_of_one_column_is_a_target(numeric):
    assert check_target(pl.LazyFrame({"y": [1, 2]}), 2, "Model", numeric=numeric).tolist() == [[1], [2]]


def test_arrow_text_is_a_target_of_classes():
    assert check_target(pa.array(["a", "b"]), 2, "Model", numeric=False).tolist() == ["a", "b"]


def test_text_mixed_with_other_types_has_no_order_and_is_refused_by_name():
    with pytest.raises(ValueError, match=r"y mixes text, such as 'x', with other types, such as 1 \(int\)"):
        check_target(np.array(["x", 1], dtype=object), 2, "Forest", numeric=False)


@pytest.mark.parametrize("values", [[0, 1], [True, False], [1.0, 2.0]], ids=str)
def test_objects_of_one_type_have_that_type(values):
    target = check_target(np.array(values, dtype=object), 2, "Forest", numeric=False)
    assert target.dtype == np.asarray(values).dtype
    assert target.tolist() == values
