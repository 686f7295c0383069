"""The kind of table that transformers return, by scikit-learn's `set_output` and `transform_output`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pandas as pd
from sklearn import config_context
from sklearn.utils._set_output import _get_output_config

from tabrec.tables.columns import are_codes, code_texts


def pandas_output() -> AbstractContextManager:
    """Context for calls of transformers within an estimator, independent of the caller's global `set_output`."""
    return config_context(transform_output="pandas")


def as_output(transformer: Any, frame: pd.DataFrame) -> Any:
    """Return the table that `transform` returns: the frame, or a polars table if that is the output chosen.

    Codes 0..K become an Enum of "0", …, "K", and stay one in steps that pass them through. scikit-learn's own
    conversion would make integers of them, which the next step would take for numbers. `read_frame` reads an encoded
    frame back as it was.
    """
    if _get_output_config("transform", transformer)["dense"] != "polars":
        return frame
    import polars as pl

    n_codes = {
        name: len(dtype.categories)
        for name, dtype in frame.dtypes.items()
        if are_codes(dtype) or _are_code_texts(dtype)
    }
    enums = [
        pl.Series(str(name), frame[name].cat.rename_categories(code_texts(n))).cast(pl.Enum(code_texts(n)))
        for name, n in n_codes.items()
    ]
    return pl.DataFrame(frame).with_columns(enums)


def _are_code_texts(dtype: Any) -> bool:
    """Return whether a dtype is the Enum as which an earlier step wrote codes; the frame need not be encoded yet."""
    return isinstance(dtype, pd.CategoricalDtype) and list(dtype.categories) == code_texts(len(dtype.categories))
