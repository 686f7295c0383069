"""`train`: a table becomes a `TableRun`, a fitted model with its scores."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from tabrec.runs.hold_out import make_folds
from tabrec.runs.metrics import choose_metric
from tabrec.runs.submission import name_probabilities
from tabrec.runs.table_run import TableRun
from tabrec.runs.table_target import TASKS, check_time_column, check_values, read_target, read_task
from tabrec.runs.trained_table import describe_reading
from tabrec.runs.trials import (
    MODELS,
    SINGLE_MODELS,
    Trial,
    TrialRows,
    average_folds,
    make_estimator,
    preprocessor_options,
    say_stages,
)
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import check_has_column


@validate_params(
    {
        "frame": [pd.DataFrame],
        "model": [StrOptions(set(MODELS))],
        "task": [StrOptions(set(TASKS))],
        "metric": [str, None],
        "log_target": ["boolean"],
        "valid_from": [str, None],
        "date_format": [str, None],
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "cv_time": [Interval(Integral, 1, None, closed="left"), None],
        "refit": ["boolean"],
        "device": [str, None],
        "drop": ["array-like"],
        "categorical": ["array-like"],
        "random_state": [Integral],
        "verbose": ["boolean"],
    },
    prefer_skip_nested_validation=False,
)
def train(
    frame: pd.DataFrame,
    target: str,
    *,
    model: str = "forest",
    task: str = "auto",
    metric: str | None = None,
    log_target: bool = False,
    time_column: str | None = None,
    valid_from: str | None = None,
    date_format: str | None = None,
    cv: int | None = None,
    cv_time: int | None = None,
    refit: bool = True,
    device: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    random_state: int = 0,
    verbose: bool = False,
) -> TableRun:
    """Train a model on the earliest rows of a table, or on a random subset, and score it on the others.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw table with the target.
    target : str
        Column to predict.
    model : {"forest", "boosting", "net", "ensemble", "all"}, default="forest"
        The kind of model. "ensemble" is a weighted mean of these three, extremely randomised trees and a linear
        model, see `EnsembleRegressor`. "all" trains a forest, boosting and a net, and keeps the best one by `metric`:
        the mean over the folds, or else the score on the rows held out; a model that fails is left out, with a warning.
    task : {"auto", "regression", "classification"}, default="auto"
        "auto" classifies text that is not numbers, booleans, categories and numbers of two distinct values.
    metric : str, default=None
        Name of a scorer of scikit-learn, such as "neg_mean_absolute_error" or "roc_auc". None is
        "neg_root_mean_squared_error" for a regression and "neg_log_loss" for a classification. The positive class of
        scorers such as "f1" is the last one in sorted order.
    log_target : bool, default=False
        Learn the logarithm of the target. Scores are then of logarithms, predictions of the target itself.
    time_column : str, default=None
        Date column: the latest rows are held out. None holds out a random fifth.
    valid_from : str, default=None
        First date of the rows held out. None holds out the latest fifth.
    date_format : str, default=None
        Format of `time_column`, such as "%d/%m/%Y". None detects it.
    cv : int, default=None
        Number of random folds of the training rows, with the same class frequencies, that the model is scored on too.
    cv_time : int, default=None
        Number of folds in the order of `time_column`, instead of random ones: each is predicted from the rows before.
    refit : bool, default=True
        Whether the saved model is fitted to all rows. The scores and predictions are always those of a model fitted
        without the rows that it predicts.
    device : str, default=None
        Device of nets, such as "cpu" or "cuda". None is the default of `TabularRegressor`.
    drop : sequence of str, default=()
        Columns to leave out.
    categorical : sequence of str, default=()
        Columns to encode as categories, even if they hold numbers.
    random_state : int, default=0
        Seed of the model, of the random rows held out and of the folds.
    verbose : bool, default=False
        Whether to print each stage, and the seconds since the start, to standard error.

    Returns
    -------
    TableRun
        The model with its scores.

    Raises
    ------
    ValueError
        The target is missing, constant, text in a regression or not positive where its logarithm is learned; a column
        is missing; the metric does not suit the target; there are fewer rows than folds; or the date leaves no rows on
        one side.

    See Also
    --------
    rate : Train a recommender on ratings.
    Run.open : Open a saved run.
    tabrec.split_by_time : Split rows at a date.

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.runs import train
    >>> auctions = make_auctions(600, random_state=0)
    >>> auctions = auctions[["SalePrice", "SalesID", "YearMade", "ProductSize", "fiProductClassDesc", "saledate"]]
    >>> run = train(auctions, "SalePrice", log_target=True, time_column="saledate", model="boosting")
    >>> run.metrics["validation"]["rmse"] < run.metrics["baseline"]["rmse"]
    True
    >>> run.predict(auctions.head(2), id_column="SalesID").columns.tolist()
    ['SalesID', 'SalePrice']
    >>> run = train(auctions[["SalePrice", "YearMade", "ProductSize"]], "SalePrice", cv=3)
    >>> run.metrics["folds"]["rmse"] > run.metrics["folds_error"]["rmse"]
    True
    """
    _check_columns(frame, target, time_column, valid_from)
    check_time_column(time_column, date_format, frame.columns)
    _check_folds(cv, cv_time, time_column)
    _check_device(device, model)
    y_read = read_target(frame[target], task)
    task = read_task(y_read, task, log_target)
    check_values(y_read, log_target)
    if y_read.dtype != frame[target].dtype:
        warn_caller(
            f"Target {target!r} is text that is read as numbers; pass task='classification' to keep its labels."
        )
    metadata = {
        "target": target,
        "task": task,
        "model": model,
        "log_target": log_target,
        "time_column": time_column,
        "valid_from": valid_from,
        "date_format": date_format,
        "cv": cv,
        "cv_time": cv_time,
        "refit": refit,
        "random_state": random_state,
    }
    run = TableRun(None, metadata, {}, None)
    rows = _divide(run, frame, metric, verbose)
    columns = preprocessor_options(drop, categorical, time_column, date_format)
    names = SINGLE_MODELS if model == "all" else [model]
    trials = [Trial(name, make_estimator(name, task, columns, device, random_state)) for name in names]
    if rows.folds or len(trials) > 1:
        trials = rows.compare(trials, random_state)
    else:
        rows.validate(trials[0])  # the fit shows its own progress
    best = min(trials, key=lambda trial: rows.metric.loss(trial.summary(rows.metric)[rows.metric.key]))
    if model == "all":
        metadata["leaderboard"] = _rank(trials, rows)
    if rows.folds:
        rows.validate(best)
    _describe(run, best, rows)
    if refit:
        rows.refit(best)
    run.model = best.estimator
    metadata |= describe_reading(frame, target, run.preprocessor)
    return run


def _check_columns(frame: pd.DataFrame, target: str, time_column: str | None, valid_from: str | None) -> None:
    check_has_column(target, frame.columns, "target")
    if frame.shape[1] == 1:
        raise ValueError(f"The table has no column but the target {target!r}: there is nothing to predict it from.")
    if valid_from is not None and time_column is None:
        raise ValueError(f"valid_from={valid_from!r} requires time_column, the column that the date refers to.")
    if time_column == target:
        raise ValueError(f"Column {target!r} cannot be both the target and the time.")


def _split(run: TableRun, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split the table as the run does; the error of an ambiguous date names the parameter of `train`."""
    try:
        return run.split(frame)
    except ValueError as error:
        if run.metadata["date_format"] is None and "pass the format" in str(error):
            raise ValueError(f"{str(error).split(': pass')[0]}: name its date_format.") from error
        raise


def _check_folds(cv: int | None, cv_time: int | None, time_column: str | None) -> None:
    if cv is not None and cv_time is not None:
        raise ValueError(f"cv={cv} and cv_time={cv_time} cannot be combined: folds are random or in the order of time.")
    if cv_time is not None and time_column is None:
        raise ValueError(f"cv_time={cv_time} requires time_column, the column that orders the rows.")


def _check_device(device: str | None, model: str) -> None:
    if device is None:
        return
    if model in ("forest", "boosting"):
        raise ValueError(f"device={device!r} requires a net (model='net', 'ensemble' or 'all'): {model} has no device.")
    from tabrec.neural.devices import read_device  # imported here because it loads torch

    read_device(device)


def _divide(run: TableRun, frame: pd.DataFrame, metric: str | None, verbose: bool) -> TrialRows:
    """Divide the table into training rows, validation rows and folds, and check them before any fit."""
    metadata = run.metadata
    y, train_rows, valid_rows = _split(run, frame)
    is_classification = metadata["task"] == "classification"
    chosen = choose_metric(metric, metadata["task"], y[train_rows])
    metadata["metric"] = chosen.name
    folds = make_folds(
        frame,
        y,
        train_rows,
        **{name: metadata[name] for name in ("cv", "cv_time", "time_column", "date_format", "random_state")},
        stratify=is_classification,
    )
    if is_classification:
        for rows in [train_rows, *(train for train, _ in folds)]:
            if len(np.unique(y[rows])) < 2:
                raise ValueError(
                    f"Target {metadata['target']!r} has one class, {y[rows[0]]!r}, in the {len(rows):,} rows to train "
                    "on: validate on other rows, or on fewer folds."
                )
    X = frame.drop(columns=metadata["target"])
    return TrialRows(X, y, train_rows, valid_rows, folds, chosen, say_stages(verbose), verbose)


def _rank(trials: list[Trial], rows: TrialRows) -> list[dict[str, Any]]:
    """Return the summaries of the models, the best first, in values that JSON supports."""
    key = rows.metric.key
    summaries = sorted((trial.summary(rows.metric) for trial in trials), key=lambda row: rows.metric.loss(row[key]))
    return [{name: None if value != value else value for name, value in row.items()} for row in summaries]


def _describe(run: TableRun, best: Trial, rows: TrialRows) -> None:
    """Record the scores and predictions of the model before it is fitted to all rows."""
    metadata = run.metadata
    metadata["model"] = best.name
    metadata["fit_seconds"] = round(best.fit_seconds, 3)
    metadata["rows"] = {"train": len(rows.train), "validation": len(rows.valid)}
    run.metrics = dict(best.metrics)
    if best.folds:
        metadata["folds"] = [{name: value for name, value in fold.items() if value == value} for fold in best.folds]
        run.metrics["folds"], run.metrics["folds_error"] = average_folds(best.folds)
    predicted = best.predicted
    assert predicted is not None
    classes = getattr(best.estimator, "classes_", None)
    values = predicted if classes is None else classes[predicted.argmax(axis=1)]
    run.predictions = pd.DataFrame(
        {
            "row": rows.valid,
            "actual": run.inverse_target(rows.y[rows.valid]),
            "predicted": run.inverse_target(values),
            **({} if classes is None else name_probabilities(classes, predicted)),
        }
    )
