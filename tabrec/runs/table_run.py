"""`train`: a table becomes a `TableRun`, a fitted model with its scores."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.utils._param_validation import StrOptions, validate_params

import tabrec
from tabrec.datasets import NoHeaderError, read_table
from tabrec.preprocess import TabularPreprocessor
from tabrec.runs.hold_out import hold_out
from tabrec.runs.run import Run
from tabrec.runs.scores import score_run
from tabrec.runs.table_target import check_values, read_target, read_task, to_model_target
from tabrec.runs.trained_table import read_trained_table, recorded_options
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import names_of

# By model: the kind of preprocessing, the regressor and the classifier.
_ESTIMATORS = {
    "forest": ("forest", "ForestRegressor", "ForestClassifier"),
    "boosting": ("forest", "BoostingRegressor", "BoostingClassifier"),
    "net": ("net", "TabularRegressor", "TabularClassifier"),
}
_MEMBERS = ("forest", "net")
MODELS = (*_ESTIMATORS, "ensemble")


class TableRun(Run):
    """A model trained on a table, with its scores; `train` makes it and `Run.open` opens it.

    Attributes
    ----------
    model : estimator
        The model, fitted to the training rows.
    metadata : dict
        The target, the task, whether the logarithm of the target was learned, the columns read as text, the options of
        `train` and the numbers of rows.
    metrics : dict of str to dict of str to float
        Scores by set of rows ("train", "oob", "validation", "baseline") and metric. The baseline predicts the mean, or
        the class frequencies, of the training rows for every validation row.
    predictions : pandas.DataFrame or None
        `row`, `actual` and `predicted` of the validation rows, in the units of the target.

    See Also
    --------
    train : Train a model on a table.
    RatingRun : A recommender with its scores.
    """

    _key = "target"
    _other_kind = "which is not a model for tables: use `tabrec recommend`"

    def predict(self, frame: pd.DataFrame, *, id_column: str | None = None) -> pd.DataFrame:
        """Predict every row of a raw table.

        Parameters
        ----------
        frame : pandas.DataFrame
            Table with the columns that the model was trained on.
        id_column : str, default=None
            Column to put before the predictions; None numbers the rows.

        Returns
        -------
        pandas.DataFrame
            The id (or `row`) and the target, in the units of the target.
        """
        if id_column is not None and id_column not in frame.columns:
            raise ValueError(
                f"The table has no column {id_column!r} for the ids; {names_of(frame.columns, id_column)}."
            )
        ids = np.arange(len(frame)) if id_column is None else frame[id_column].to_numpy()
        predicted = self.inverse_target(self.model.predict(frame))
        return pd.DataFrame({id_column or "row": ids, self.metadata["target"]: predicted})

    def inverse_target(self, y: np.ndarray) -> np.ndarray:
        """Map values that the model predicts to the units of the target.

        Parameters
        ----------
        y : ndarray
            Predictions of the model.

        Returns
        -------
        ndarray
            Their exponentials if the model learned the logarithm of the target, else `y`.
        """
        return np.exp(y) if self.metadata["log_target"] else np.asarray(y)

    def read_table(self, path: str | os.PathLike, **options: Any) -> pd.DataFrame:
        """Read a table, with the columns that were text or numbers in training as such.

        How the file is written is detected anew: it may differ from that of the training rows. A file without a header
        takes the names that the training file was given, with or without the target, and a file that does not show its
        decimal mark that of the training file.

        Parameters
        ----------
        path : str or path-like
            A file that `tabrec.datasets.read_table` reads.
        **options
            Options of `tabrec.datasets.read_table`.

        Returns
        -------
        pandas.DataFrame
            The table.
        """
        metadata = self.metadata
        # Runs of older versions record fewer columns.
        options = {
            "text_columns": metadata["text_columns"],
            "number_columns": metadata.get("number_columns", []),
            **options,
        }
        try:
            frame = read_table(path, **options)
        except NoHeaderError as error:
            names = recorded_options(self).get("names", [])
            names = names if len(names) == error.n_fields else [name for name in names if name != metadata["target"]]
            if len(names) != error.n_fields:
                raise
            options["names"] = names
            frame = read_table(path, **options)
        if frame.attrs.get("decimal", ".") is None and metadata.get("decimal") == ",":
            return read_table(path, **{**options, "decimal": ","})
        return frame

    def split(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Repeat the split of `train` on the table that it was given.

        Parameters
        ----------
        frame : pandas.DataFrame
            The table that the run was trained on.

        Returns
        -------
        y : ndarray of shape (n_rows,)
            The target as the model learned it.
        train_rows, valid_rows : ndarray of int
            Positions of the rows that the model was trained and validated on.
        """
        metadata = self.metadata
        y = to_model_target(frame[metadata["target"]], metadata["task"], metadata["log_target"])
        # Runs of older versions record fewer options.
        options = {name: metadata.get(name) for name in ("time_column", "valid_from", "date_format")}
        X = frame.drop(columns=metadata["target"])
        return y, *hold_out(X, **options, random_state=metadata["random_state"])

    def _report(self, table: str | os.PathLike | None, new: Any, verbose: bool) -> Any:
        from tabrec.interpret import report

        metadata = self.metadata
        frame = read_trained_table(self, table)
        X_new = new if new is None or isinstance(new, pd.DataFrame) else self.read_table(new)
        X = frame.drop(columns=metadata["target"])
        y, train_rows, valid_rows = self.split(frame)
        name = f"log of {metadata['target']}" if metadata["log_target"] else metadata["target"]
        return report(
            self.model,
            X.iloc[train_rows],
            y[train_rows],
            X.iloc[valid_rows],
            y[valid_rows],
            X_new=X_new,
            target=name,
            title=f"{self._title} for {name}",
            random_state=metadata["random_state"],
            verbose=verbose,
        )

    @property
    def preprocessor(self) -> TabularPreprocessor:
        """The fitted preprocessor of the model, or of the first member of an ensemble: all read columns alike."""
        model = self.model
        return (model if hasattr(model, "preprocessor_") else model.estimators_[0]).preprocessor_


@validate_params(
    {
        "frame": [pd.DataFrame],
        "model": [StrOptions(set(MODELS))],
        "task": [StrOptions({"auto", "regression", "classification"})],
        "log_target": ["boolean"],
        "valid_from": [str, None],
        "date_format": [str, None],
        "drop": ["array-like"],
        "categorical": ["array-like"],
        "random_state": [Integral],
    },
    prefer_skip_nested_validation=False,
)
def train(
    frame: pd.DataFrame,
    target: str,
    *,
    model: str = "forest",
    task: str = "auto",
    log_target: bool = False,
    time_column: str | None = None,
    valid_from: str | None = None,
    date_format: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    random_state: int = 0,
) -> TableRun:
    """Train a model on the earlier (or on random) rows of a table and score it on the others.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw table with the target.
    target : str
        Column to predict.
    model : {"forest", "boosting", "net", "ensemble"}, default="forest"
        The kind of model. "ensemble" averages a forest and a net.
    task : {"auto", "regression", "classification"}, default="auto"
        "auto" classifies text that is not numbers, booleans, categories and numbers of two distinct values.
    log_target : bool, default=False
        Learn the logarithm of the target. Scores are then of logarithms, predictions of the target itself.
    time_column : str, default=None
        Date column: the latest rows are held out. None holds out a random fifth.
    valid_from : str, default=None
        First date of the rows held out. None holds out the latest fifth.
    date_format : str, default=None
        Format of `time_column`, such as "%d/%m/%Y". None detects it.
    drop : sequence of str, default=()
        Columns to leave out.
    categorical : sequence of str, default=()
        Columns to encode as categories, whatever they look like.
    random_state : int, default=0
        Seed of the model and of the random rows held out.

    Returns
    -------
    TableRun
        The model, fitted to the training rows, with its scores.

    Raises
    ------
    ValueError
        The target is missing, constant, text in a regression or not positive where its logarithm is learned; a column
        is missing; or the date leaves no rows on one side.

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
    >>> run = train(auctions, "SalePrice", log_target=True, time_column="saledate", model="boosting")
    >>> run.metrics["validation"]["rmse"] < run.metrics["baseline"]["rmse"]
    True
    >>> run.predict(auctions.head(2), id_column="SalesID").columns.tolist()
    ['SalesID', 'SalePrice']
    """
    _check_columns(frame, target, time_column, valid_from)
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
        "random_state": random_state,
    }
    run = TableRun(None, metadata, {}, None)
    y, train_rows, valid_rows = _split(run, frame)
    X = frame.drop(columns=target)
    dates = {time_column: date_format} if time_column and date_format else None
    columns = {"drop_columns": list(drop), "categorical_columns": list(categorical), "date_columns": dates}
    run.model = _make_estimator(model, task, columns, random_state)
    X_train, y_train, X_valid, y_valid = X.iloc[train_rows], y[train_rows], X.iloc[valid_rows], y[valid_rows]
    started = time.perf_counter()
    run.model.fit(X_train, y_train)
    metadata["fit_seconds"] = round(time.perf_counter() - started, 3)
    metadata["rows"] = {"train": len(train_rows), "validation": len(valid_rows)}
    metadata["text_columns"] = _text_columns(run.preprocessor)
    metadata["number_columns"] = X.select_dtypes("number").columns.tolist()
    metadata["decimal"] = frame.attrs.get("decimal")
    run.metrics, predicted = score_run(run.model, X_train, y_train, X_valid, y_valid)
    run.predictions = pd.DataFrame(
        {"row": valid_rows, "actual": run.inverse_target(y_valid), "predicted": run.inverse_target(predicted)}
    )
    return run


def _check_columns(frame: pd.DataFrame, target: str, time_column: str | None, valid_from: str | None) -> None:
    if target not in frame.columns:
        raise ValueError(f"The table has no column {target!r} for the target; {names_of(frame.columns, target)}.")
    if valid_from is not None and time_column is None:
        raise ValueError(f"valid_from={valid_from!r} requires time_column, the column that the date refers to.")
    if time_column == target:
        raise ValueError(f"Column {target!r} cannot be both the target and the time.")


def _split(run: TableRun, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The split of a run; an ambiguous date names the option of `train` that settles it."""
    try:
        return run.split(frame)
    except ValueError as error:
        if run.metadata["date_format"] is None and "pass the format" in str(error):
            raise ValueError(f"{str(error).split(': pass')[0]}: name its date_format (--date-format).") from error
        raise


def _make_estimator(model: str, task: str, columns: dict, random_state: int) -> Any:
    is_regression = task == "regression"
    if model == "ensemble":
        members = [(name, _make_estimator(name, task, columns, random_state)) for name in _MEMBERS]
        return VotingRegressor(members) if is_regression else VotingClassifier(members, voting="soft")
    purpose, regressor, classifier = _ESTIMATORS[model]
    # Looked up by name, so that only nets load torch.
    estimator = getattr(tabrec, regressor if is_regression else classifier)
    return estimator(random_state=random_state, preprocessor=TabularPreprocessor(purpose, **columns))


def _text_columns(preprocessor: TabularPreprocessor) -> list[str]:
    """Raw columns with text labels or text dates: a new file is read with them as text, even if they look numeric."""
    labelled = {
        name for name, labels in preprocessor.categories_.items() if any(isinstance(label, str) for label in labels[1:])
    }
    text_dates = {name for name, date_format in preprocessor.date_parts_.formats_.items() if date_format is not None}
    return [name for name in preprocessor.kinds_ if name in labelled | text_dates]
