"""`column_kinds` and `cont_cat_split`: the kind of each type of column."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pandas.testing import assert_frame_equal

from tabrec import column_kinds, cont_cat_split


def kind(values, dtype=None, **params):
    return column_kinds(pd.DataFrame({"x": pd.Series(values, dtype=dtype)}), **params).loc["x", "kind"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5, 2.5, None], "continuous"),
        ([3, 1, 2, 1], "categorical"),
        ([*range(20), *range(20)], "categorical"),
        ([*range(21), *range(21)], "continuous"),
        (["a", "b", None, "a"], "categorical"),
        ([True, False], "categorical"),
        ([True, None, False], "categorical"),
        (pd.Categorical([1, 2, 1]), "categorical"),
        (pd.to_datetime(["2011-01-01", "2012-01-01"]), "date"),
        (pd.Categorical(pd.to_datetime(["2011-01-01", "2012-01-01"])), "date"),
        ([datetime.date(2011, 1, 1), datetime.date(2012, 1, 1)], "date"),
        (["2011-01-01", "2012-01-01"], "date"),
        (["12/31/2011", "1/1/2012"], "date"),
        (["1/2/2011", "2/1/2012"], "categorical"),
        (pd.to_timedelta(["1D", "2D"]), "continuous"),
        ([f"user {i}" for i in range(10)], "id"),
        ([f"user {i}" for i in range(9)], "categorical"),
        ([*range(100, 130)], "id"),
        ([*range(30), 29, 29], "id"),
        ([*range(30, 0, -1)], "id"),
        ([np.pi + i for i in range(30)], "continuous"),
        ([7, 7, 7], "constant"),
        (["a", None, "a"], "constant"),
        ([None, None], "constant"),
        (pd.to_datetime([None, "2011-01-01"]), "constant"),
    ],
)
def test_the_kind_of_a_column(values, expected):
    assert kind(values) == expected


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]", "uint8", object])
def test_whole_numbers_are_of_one_kind_in_every_type(dtype):
    assert kind([3, 1, 2, 1], dtype) == "categorical"
    assert kind([3, 1, 2, 1], dtype, max_card=2) == "continuous"


def test_each_column_is_described():
    frame = pd.DataFrame({"a": [1.5, None, 2.5, 1.5], "b": ["p", "q", None, None]})
    expected = pd.DataFrame(
        {
            "kind": ["continuous", "categorical"],
            "dtype": [str(frame[name].dtype) for name in frame],
            "n_unique": [2, 2],
            "missing": [0.25, 0.5],
            "example": pd.Series([1.5, "p"], dtype=object).tolist(),
        },
        index=pd.Index(["a", "b"], name="column"),
    )
    assert_frame_equal(column_kinds(frame), expected, check_dtype=False, check_index_type=False)


def test_continuous_and_categorical_columns_are_split_without_dates_and_targets():
    frame = pd.DataFrame(
        {
            "price": [9.5, 14.0],
            "rooms": [3, 4],
            "area": [70.0, None],
            "state": ["Ohio", None],
            "leased": [True, False],
            "sold": pd.to_datetime(["2011-01-01", None]),
            "listed": ["2011-01-01", "2010-12-31"],
        }
    )
    assert cont_cat_split(frame, target="price") == (["area"], ["rooms", "state", "leased"])
    assert cont_cat_split(frame, max_card=1, target=["price", "state"]) == (["rooms", "area"], ["leased"])
    assert cont_cat_split(pl.from_pandas(frame), target="price") == (["area"], ["rooms", "state", "leased"])


@pytest.mark.parametrize("look", [column_kinds, cont_cat_split])
@pytest.mark.parametrize("max_card", [-1, 2.5, "20"])
def test_max_card_out_of_range_is_refused_by_value(look, max_card):
    with pytest.raises(ValueError, match=f"'max_card' .*must be an int .*Got {max_card!r}"):
        look(pd.DataFrame({"x": [1]}), max_card=max_card)


def test_a_target_that_is_not_there_is_refused_by_name():
    with pytest.raises(ValueError, match=r"target names \['cost'\], but the table has no such column"):
        cont_cat_split(pd.DataFrame({"price": [1]}), target="cost")


def test_looking_leaves_the_table_as_it_was():
    frame = pd.DataFrame({"a": ["2011-01-01", None], "b": pd.Categorical(["p", None])})
    before = frame.copy(deep=True)
    column_kinds(frame)
    cont_cat_split(frame)
    assert_frame_equal(frame, before)


@pytest.mark.real_data("bulldozers/Train.csv")
def test_the_kinds_of_the_bulldozers(data_dir):
    train = pd.read_csv(data_dir / "bulldozers/Train.csv", low_memory=False)
    kinds = column_kinds(train)["kind"]
    assert kinds["saledate"] == "date"
    assert kinds["SalesID"] == "id"
    assert kinds["MachineHoursCurrentMeter"] == "continuous"
    assert kinds["ProductSize"] == "categorical"
    continuous, categorical = cont_cat_split(train, target="SalePrice")
    assert "saledate" not in continuous + categorical
    assert "SalePrice" not in continuous + categorical
    assert len(continuous) + len(categorical) == 51


@pytest.mark.real_data("house-prices/train.csv")
def test_the_kinds_of_the_houses(data_dir):
    kinds = column_kinds(pd.read_csv(data_dir / "house-prices/train.csv"))["kind"]
    assert kinds["Id"] == "id"
    assert kinds["LotFrontage"] == "continuous"
    assert kinds["OverallQual"] == "categorical"
    assert kinds["Neighborhood"] == "categorical"
