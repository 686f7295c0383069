"""A run: one table in, one model with its scores out, kept together in a folder.

The command line's ``train`` and ``predict`` are `train` and `predict_table` here, with printing around them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.metrics import accuracy_score, log_loss, r2_score, roc_auc_score, root_mean_squared_error

from tabrec.saving.files import new_folder
from tabrec.saving import load, load_metadata, save
from tabrec.preprocess import TabularPreprocessor, TimeSplit, split_by_time
from tabrec.tables.target import has_numbers_to_predict
from tabrec.trees import BoostingClassifier, BoostingRegressor, ForestClassifier, ForestRegressor


def _forest(task: str, columns: dict, random_state: int) -> Any:
    forest = ForestRegressor if task == "regression" else ForestClassifier
    return forest(random_state=random_state, preprocessor=TabularPreprocessor("forest", **columns))


def _boosting(task: str, columns: dict, random_state: int) -> Any:
    boosting = BoostingRegressor if task == "regression" else BoostingClassifier
    return boosting(random_state=random_state, preprocessor=TabularPreprocessor("forest", **columns))


def _net(task: str, columns: dict, random_state: int) -> Any:
    from tabrec.neural import TabularClassifier, TabularRegressor  # torch takes a second to load

    net = TabularRegressor if task == "regression" else TabularClassifier
    return net(random_state=random_state, preprocessor=TabularPreprocessor("net", **columns))


def _ensemble(task: str, columns: dict, random_state: int) -> Any:
    members = [(name, MODELS[name](task, columns, random_state)) for name in ("forest", "net")]
    return VotingRegressor(members) if task == "regression" else VotingClassifier(members, voting="soft")


# Makes the estimator for a task, the columns that `train` was told of, and a seed.
MODELS: dict[str, Callable[[str, dict, int], Any]] = {
    "forest": _forest,
    "boosting": _boosting,
    "net": _net,
    "ensemble": _ensemble,
}
MODEL_FOLDER = "model"

# Where no date says what to hold out: this share of the rows, drawn at random, or the latest.
_VALIDATION_SHARE = 0.2


@dataclass
class Run:
    """A trained model with its scores.

    Attributes
    ----------
    model : estimator
    metadata : dict
        What predicting needs to know: target, task, whether the target's logarithm was learned, columns read as
        text; and how the model was validated.
    metrics : dict of str to (dict of str to float)
        Scores by set of rows (``"train"``, ``"oob"``, ``"validation"``, ``"baseline"``) and metric. The baseline
        predicts the mean, or the class frequencies, of the training rows for every validation row.
    predictions : pandas.DataFrame
        ``row``, ``actual`` and ``predicted`` of the validation rows, in the target's own units.
    """

    model: Any
    metadata: dict
    metrics: dict[str, dict[str, float]]
    predictions: pd.DataFrame


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
) -> Run:
    """Train a model on the earlier (or on random) rows of a table and score it on the others.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw table with the target.
    target : str
    model : {"forest", "boosting", "net", "ensemble"}, default="forest"
        "ensemble" is the mean of a forest and a net.
    task : {"auto", "regression", "classification"}, default="auto"
        "auto" classifies text, booleans, categories and numbers of two distinct values.
    log_target : bool, default=False
        Learn the logarithm of the target; scores are then of logarithms, predictions of the target itself.
    time_column : str, default=None
        Date by which to hold out the latest rows; without it a random fifth is held out.
    valid_from : str, default=None
        First date of the rows held out; None holds out the latest fifth.
    date_format : str, default=None
        Format of `time_column`, where it is not beyond doubt.
    drop, categorical : sequence of str
        Columns to leave out, and to take as categories.
    random_state : int, default=0

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        An unknown name, or a target that is constant, has gaps, is text for a regression or not positive for a
        logarithm, or a date that leaves one side empty.
    """
    _check_choice("model", model, MODELS)
    _check_choice("task", task, ("auto", "regression", "classification"))
    _check_columns(frame, target, time_column, valid_from)
    raw_target = frame[target]
    task = _read_task(raw_target, task, log_target)
    _check_values(raw_target, task, log_target)
    X = frame.drop(columns=target)
    train_rows, valid_rows = _split(X, time_column, valid_from, date_format, random_state)
    y = _plain_target(raw_target, task, log_target)
    dates = {time_column: date_format} if time_column and date_format else None
    columns = {"drop_columns": list(drop), "categorical_columns": list(categorical), "date_columns": dates}
    estimator = MODELS[model](task, columns, random_state)
    started = time.perf_counter()
    estimator.fit(X.iloc[train_rows], y[train_rows])
    seconds = time.perf_counter() - started
    metrics, predicted = _score(estimator, task, X, y, train_rows, valid_rows)
    restore = np.exp if log_target else np.asarray
    metadata = {
        "target": target,
        "task": task,
        "model": model,
        "log_target": log_target,
        "time_column": time_column,
        "valid_from": valid_from,
        "date_format": date_format,
        "rows": {"train": len(train_rows), "validation": len(valid_rows)},
        "fit_seconds": round(seconds, 3),
        "random_state": random_state,
        "text_columns": _text_columns(find_preprocessor(estimator)),
    }
    predictions = pd.DataFrame({"row": valid_rows, "actual": restore(y[valid_rows]), "predicted": restore(predicted)})
    return Run(estimator, metadata, metrics, predictions)


def save_run(run: Run, out: str | os.PathLike) -> Path:
    """Write a run to a new folder: ``model/`` (see `tabrec.save`), ``metrics.json`` and ``predictions.csv``.

    Raises
    ------
    FileExistsError
        There is something at `out`.
    """
    with new_folder(out) as folder:
        save(run.model, folder / MODEL_FOLDER, metadata=run.metadata)
        text = json.dumps({**run.metadata, "metrics": run.metrics}, indent=2)
        (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
        run.predictions.to_csv(folder / "predictions.csv", index=False)
    return Path(out)


def read_metadata(folder: str | os.PathLike) -> dict:
    """The metadata of a saved run."""
    return load_metadata(model_folder(folder))


def predict_table(folder: str | os.PathLike, frame: pd.DataFrame, *, id_column: str | None = None) -> pd.DataFrame:
    """Predict every row of a raw table by a saved run.

    Parameters
    ----------
    folder : str or path-like
    frame : pandas.DataFrame
    id_column : str, default=None
        Column to put before the predictions; None numbers the rows.

    Returns
    -------
    pandas.DataFrame
        The id (or ``row``) and the target, in the target's own units.
    """
    metadata = read_metadata(folder)
    if id_column is not None and id_column not in frame.columns:
        raise ValueError(f"The table has no column {id_column!r} for the ids; it has {frame.columns.tolist()[:20]}.")
    predicted = load(model_folder(folder)).predict(frame)
    ids = np.arange(len(frame)) if id_column is None else frame[id_column].to_numpy()
    return pd.DataFrame(
        {id_column or "row": ids, metadata["target"]: np.exp(predicted) if metadata["log_target"] else predicted}
    )


def model_folder(folder: str | os.PathLike) -> Path:
    path = Path(folder) / MODEL_FOLDER
    if not path.is_dir():
        raise FileNotFoundError(f"{folder} holds no run: there is no folder {path}.")
    return path


def split_again(frame: pd.DataFrame, metadata: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `train` learned from and validated on, from the table it was given.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        The target as the model sees it.
    train_rows, valid_rows : ndarray of int
    """
    X = frame.drop(columns=metadata["target"])
    y = _plain_target(frame[metadata["target"]], metadata["task"], metadata["log_target"])
    time_column, valid_from, date_format = (metadata.get(name) for name in ("time_column", "valid_from", "date_format"))
    return y, *_split(X, time_column, valid_from, date_format, metadata["random_state"])


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(choices)}.")


def _check_columns(frame: pd.DataFrame, target: str, time_column: str | None, valid_from: str | None) -> None:
    if target not in frame.columns:
        raise ValueError(f"The table has no column {target!r} for the target; it has {frame.columns.tolist()[:60]}.")
    if valid_from is not None and time_column is None:
        raise ValueError(f"valid_from={valid_from!r} needs time_column, the column that it is a date of.")
    if time_column == target:
        raise ValueError(f"Column {target!r} cannot be both the target and the time.")


def _read_task(y: pd.Series, task: str, log_target: bool) -> str:
    is_number = types.is_numeric_dtype(y) and not types.is_bool_dtype(y)
    if task == "auto":
        task = "regression" if log_target or has_numbers_to_predict(y) else "classification"
    if task == "regression" and not is_number:
        odd = y.dropna().tolist()[0] if y.notna().any() else None
        raise ValueError(f"Target {y.name!r} holds {odd!r}, but a regression needs numbers.")
    if task == "classification" and log_target:
        raise ValueError("log_target is for regressions: classes have no logarithm.")
    return task


def _check_values(y: pd.Series, task: str, log_target: bool) -> None:
    if y.isna().any():
        row = int(np.argmax(y.isna().to_numpy()))
        raise ValueError(
            f"Target {y.name!r} is missing in {int(y.isna().sum())} rows, the first being row {row}: drop them."
        )
    if y.nunique() < 2:
        raise ValueError(f"Target {y.name!r} is constant ({y.tolist()[0]!r}): there is nothing to learn.")
    if log_target and (y <= 0).any():
        raise ValueError(f"Target {y.name!r} holds {y[y <= 0].tolist()[0]!r}: only positive numbers have a logarithm.")


def _plain_target(y: pd.Series, task: str, log_target: bool) -> np.ndarray:
    if task == "classification":
        return y.astype(object).to_numpy() if not types.is_numeric_dtype(y) else y.to_numpy()
    values = y.to_numpy(dtype=np.float64)
    return np.log(values) if log_target else values


def _split(
    X: pd.DataFrame, time_column: str | None, valid_from: str | None, date_format: str | None, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows to train on and to validate on."""
    if time_column is None:
        order = np.random.default_rng(random_state).permutation(len(X))
        n_valid = max(1, int(len(X) * _VALIDATION_SHARE))
        if n_valid == len(X):
            raise ValueError(f"{len(X)} row(s) are too few to hold some out.")
        return np.sort(order[n_valid:]), np.sort(order[:n_valid])
    if time_column not in X.columns:
        raise ValueError(f"The table has no column {time_column!r} for the time; it has {X.columns.tolist()[:60]}.")
    times = X[[time_column]]
    if date_format is not None:
        times = times.assign(**{time_column: pd.to_datetime(times[time_column].astype(object), format=date_format)})
    try:
        if valid_from is None:
            return next(TimeSplit(n_splits=1, column=time_column, test_size=_VALIDATION_SHARE).split(times))
        at = float(valid_from) if _is_number(valid_from, times[time_column]) else valid_from
        return split_by_time(times, time_column, at)
    except ValueError as error:
        if date_format is None and "pass the format" in str(error):
            raise ValueError(f"{str(error).split(': pass')[0]}: name its date_format (--date-format).") from error
        raise


def _is_number(text: str, column: pd.Series) -> bool:
    return types.is_numeric_dtype(column) and text.replace(".", "", 1).lstrip("-").isdigit()


def _score(
    estimator: Any, task: str, X: pd.DataFrame, y: np.ndarray, train_rows: np.ndarray, valid_rows: np.ndarray
) -> tuple[dict[str, dict[str, float]], np.ndarray]:
    """Scores by set of rows, and the predictions of the validation rows."""
    X_train, y_train = X.iloc[train_rows], y[train_rows]
    X_valid, y_valid = X.iloc[valid_rows], y[valid_rows]
    if task == "regression":
        baseline = DummyRegressor().fit(X_train, y_train).predict(X_valid)
        predicted = estimator.predict(X_valid)
        scores = {"train": _regression_scores(y_train, estimator.predict(X_train))}
        if hasattr(estimator, "oob_prediction_"):
            scores["oob"] = _regression_scores(y_train, estimator.oob_prediction_)
        scores["validation"] = _regression_scores(y_valid, predicted)
        scores["baseline"] = _regression_scores(y_valid, baseline)
        return scores, predicted
    classes = estimator.classes_
    baseline = DummyClassifier().fit(X_train, y_train).predict_proba(X_valid)
    probabilities = estimator.predict_proba(X_valid)
    scores = {"train": _class_scores(y_train, estimator.predict_proba(X_train), classes)}
    if hasattr(estimator, "oob_decision_function_"):
        scores["oob"] = _class_scores(y_train, estimator.oob_decision_function_, classes)
    scores["validation"] = _class_scores(y_valid, probabilities, classes)
    scores["baseline"] = _class_scores(y_valid, baseline, classes)
    return scores, classes[probabilities.argmax(axis=1)]


def _regression_scores(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    seen = ~np.isnan(predicted)
    y, predicted = y[seen], predicted[seen]
    r2 = r2_score(y, predicted) if len(y) > 1 else np.nan
    return {"rmse": float(root_mean_squared_error(y, predicted)), "r2": float(r2)}


def _class_scores(y: np.ndarray, probabilities: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Accuracy, log loss and AUC (one against the rest, averaged); rows of classes never trained on count as wrong."""
    seen = ~np.isnan(probabilities[:, 0])
    y, probabilities = y[seen], probabilities[seen]
    scores = {"accuracy": float(accuracy_score(y, classes[probabilities.argmax(axis=1)]))}
    known = np.isin(y, classes)
    codes = np.searchsorted(classes, y[known])
    scores["log_loss"] = float(log_loss(codes, probabilities[known], labels=np.arange(len(classes))))
    present = [k for k in range(len(classes)) if 0 < (codes == k).sum() < len(codes)]
    if len(classes) == 2:
        present = present[-1:]
    areas = [roc_auc_score(codes == k, probabilities[known][:, k]) for k in present]
    return scores | ({"auc": float(np.mean(areas))} if areas else {})


def find_preprocessor(estimator: Any) -> TabularPreprocessor:
    """The preprocessor of a fitted estimator, or of the first member of an ensemble: all take columns alike."""
    return (estimator if hasattr(estimator, "preprocessor_") else estimator.estimators_[0]).preprocessor_


def _text_columns(preprocessor: TabularPreprocessor) -> list[str]:
    """Raw columns whose labels are text, and which must be read as text, whatever a new file makes them look like."""
    labelled = {
        name for name, labels in preprocessor.categories_.items() if any(isinstance(label, str) for label in labels[1:])
    }
    text_dates = {name for name, date_format in preprocessor.date_parts_.formats_.items() if date_format is not None}
    return [name for name in preprocessor.kinds_ if name in labelled | text_dates]
