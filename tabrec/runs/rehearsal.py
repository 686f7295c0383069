"""`rehearse`: a run with a constant model, which checks new rows and options before a model is trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline

from tabrec.preprocess import TabularPreprocessor
from tabrec.runs.table_run import TableRun
from tabrec.runs.table_target import check_values, read_target, read_task, to_model_target
from tabrec.runs.trained_table import describe_reading
from tabrec.runs.trials import preprocessor_options
from tabrec.tables.names import check_has_column


def rehearse(
    frame: pd.DataFrame,
    table: Mapping[str, Any],
    *,
    target: str,
    task: str,
    log_target: bool,
    time_column: str | None,
    date_format: str | None,
    drop: Sequence[str],
    categorical: Sequence[str],
) -> TableRun:
    """Fit a model that predicts a constant, but reads new rows like the model that `train` will fit.

    The options are those of `train`, and `table` is the record of the run's file.
    """
    check_has_column(target, frame.columns, "target")
    y = read_target(frame[target], task)
    task = read_task(y, task, log_target)
    check_values(y, log_target)
    X = frame.drop(columns=target)
    preprocessor = TabularPreprocessor("forest", **preprocessor_options(drop, categorical, time_column, date_format))
    model = make_pipeline(preprocessor, DummyClassifier() if task == "classification" else DummyRegressor())
    with warnings.catch_warnings(action="ignore"):  # `train` will warn
        model.fit(X, to_model_target(frame[target], task, log_target))
    metadata = {"target": target, "task": task, "log_target": log_target, "table": dict(table)}
    return TableRun(model, metadata | describe_reading(frame, target, preprocessor), {}, None)
