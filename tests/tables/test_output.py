"""Tables that transformers return: polars tables keep the kinds of the columns of an encoded frame."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import TransformerMixin
from sklearn.pipeline import make_pipeline

from tabrec import Categorify, FillMissing, Normalize
from tabrec.tables.columns import read_frame
from tabrec.tables.output import as_output


class Polars(TransformerMixin):
    """Stands for a transformer whose output is polars."""

    _sklearn_output_config = {"transform": "polars"}


def encoded():
    codes = pd.Categorical.from_codes([2, 0, 1], dtype=pd.CategoricalDtype(range(5)))
    return pd.DataFrame({"age": np.float32([1.5, 2, 3]), "state": codes, "age_na": [True, False, False]})


def test_an_encoded_frame_is_the_same_after_a_way_through_polars():
    table = as_output(Polars(), encoded())
    assert isinstance(table, pl.DataFrame)
    assert table.schema["state"] == pl.Enum(["0", "1", "2", "3", "4"])
    assert table["state"].to_physical().to_list() == [2, 0, 1]
    pd.testing.assert_frame_equal(read_frame(table), encoded())


def test_rows_keep_unused_codes():
    taken = as_output(Polars(), encoded())[:1]
    pd.testing.assert_frame_equal(read_frame(taken), encoded()[:1])


def test_missing_codes_stay_missing():
    codes = pd.Categorical.from_codes([-1, 1], dtype=pd.CategoricalDtype(range(2)))
    table = as_output(Polars(), pd.DataFrame({"state": codes}))
    assert table["state"].to_list() == [None, "1"]
    assert read_frame(table)["state"].cat.codes.tolist() == [-1, 1]


@pytest.mark.parametrize(
    "columns",
    [
        {"size": pl.Series(["0", "1"], dtype=pl.Enum(["0", "1"])), "name": ["a", "b"]},
        {"size": pl.Series(["1", "0"], dtype=pl.Enum(["1", "0"]))},
        {"size": pl.Series(["0", "1"], dtype=pl.Categorical)},
    ],
)
def test_digits_of_a_raw_table_are_labels(columns):
    assert read_frame(pl.DataFrame(columns))["size"].tolist() == columns["size"].to_list()


def test_other_outputs_are_the_frame_itself():
    frame = encoded()
    assert as_output(TransformerMixin(), frame) is frame


def test_steps_that_pass_codes_through_keep_them_as_an_enum():
    X = pd.DataFrame({"state": ["Ohio", "Utah", None, "Utah"], "hours": [1, 2, 3, 5]})
    steps = make_pipeline(Categorify(["state"]), FillMissing(), Normalize()).set_output(transform="polars")
    assert steps.fit_transform(X).schema["state"] == pl.Enum(["0", "1", "2"])
