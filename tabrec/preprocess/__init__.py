"""Encode raw frames for models, and split them by time."""

from tabrec.preprocess.categorify import Categorify
from tabrec.preprocess.column_kinds import column_kinds, cont_cat_split
from tabrec.preprocess.date_parts import DateParts
from tabrec.preprocess.elapsed_since import ElapsedSince
from tabrec.preprocess.fill_missing import FillMissing
from tabrec.preprocess.lineage import trace_columns
from tabrec.preprocess.normalize import Normalize
from tabrec.preprocess.shrink_dtypes import shrink_dtypes
from tabrec.preprocess.tabular_preprocessor import TabularPreprocessor
from tabrec.preprocess.time_split import TimeSplit, split_by_time

__all__ = [
    "Categorify",
    "DateParts",
    "ElapsedSince",
    "FillMissing",
    "Normalize",
    "TabularPreprocessor",
    "TimeSplit",
    "column_kinds",
    "cont_cat_split",
    "shrink_dtypes",
    "split_by_time",
    "trace_columns",
]
