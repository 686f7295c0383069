"""`train_on_chunks`: train a model on a table in chunks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from tabrec.runs.metrics import choose_metric
from tabrec.runs.scores import predict_numbers, score
from tabrec.runs.submission import name_probabilities
from tabrec.runs.table_run import TableRun
from tabrec.runs.table_target import TASKS, check_values, read_task, to_model_target
from tabrec.runs.trained_table import describe_reading
from tabrec.runs.trials import make_estimator, preprocessor_options
from tabrec.scale.kept_rows import hold_out
from tabrec.scale.row_draw import RowDraw
from tabrec.tables.chunks import Chunks
from tabrec.tables.names import check_has_column

MODELS = ("forest", "boosting", "net")
# Largest number of rows that are held out, and of training rows that are scored.
_MOST_SCORED = 100_000


@validate_params(
    {
        "chunks": [Chunks],
        "target": [str],
        "model": [StrOptions(set(MODELS))],
        "task": [StrOptions(set(TASKS))],
        "metric": [str, None],
        "log_target": ["boolean"],
        "refit": ["boolean"],
        "device": [str, None],
        "drop": ["array-like"],
        "categorical": ["array-like"],
        "random_state": [Interval(Integral, 0, 2**31 - 2, closed="left")],
    },
    prefer_skip_nested_validation=False,
)
def train_on_chunks(
    chunks: Any,
    target: str,
    *,
    model: str = "forest",
    task: str = "auto",
    metric: str | None = None,
    log_target: bool = False,
    refit: bool = True,
    device: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    random_state: int = 0,
) -> TableRun:
    """Train a model on most rows of a table in chunks, and score it on rows that are held out at random.

    Parameters
    ----------
    chunks : FileChunks, RayChunks or FrameChunks
        Raw table with the target.
    target : str
        Column to predict.
    model : {"forest", "boosting", "net"}, default="forest"
        The kind of model.
    task : {"auto", "regression", "classification"}, default="auto"
        As in `train`.
    metric : str, default=None
        As in `train`.
    log_target : bool, default=False
        Learn the logarithm of the target.
    refit : bool, default=True
        Whether the saved model is fitted to all rows, after the scores.
    device : str, default=None
        Device of nets.
    drop : sequence of str, default=()
        Columns to leave out.
    categorical : sequence of str, default=()
        Columns to encode as categories, even if they hold numbers.
    random_state : int, default=0
        Seed of the model and of the rows held out: a fifth, but at most 100,000.

    Returns
    -------
    TableRun
        The model with its scores. Those of training rows are of a sample.

    Raises
    ------
    ValueError
        The target is missing, constant, text in a regression or not positive where its logarithm is learned.

    See Also
    --------
    train : Train on a table in memory, with rows held out by time, folds and a comparison of models.

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.runs import train_on_chunks
    >>> from tabrec.scale import FrameChunks
    >>> auctions = make_auctions(1_000, random_state=0)
    >>> chunks = FrameChunks([auctions[:500], auctions[500:]])
    >>> run = train_on_chunks(chunks, "SalePrice", log_target=True, model="boosting")
    >>> run.metrics["validation"]["rmse"] < run.metrics["baseline"]["rmse"]
    True
    """
    task, n_rows = _read_target(chunks, target, task, log_target)
    draw = RowDraw(n_rows, min(max(n_rows // 5, 1), _MOST_SCORED), random_state)
    kept, held = hold_out(chunks, draw)
    samples = kept.sample(_MOST_SCORED, random_state), held.head(draw.n_drawn)
    y_sample, y_held = (to_model_target(frame[target], task, log_target) for frame in samples)
    chosen = choose_metric(metric, task, y_sample)
    estimator = make_estimator(model, task, preprocessor_options(drop, categorical, None, None), device, random_state)
    name = f"log({target})" if log_target else target
    started = time.perf_counter()
    estimator.fit(kept, name)
    seconds = time.perf_counter() - started
    metadata: dict[str, Any] = {"target": target, "task": task, "model": model, "log_target": log_target}
    metadata |= {"refit": refit, "random_state": random_state, "metric": chosen.name, "chunks": True}
    metadata |= {"rows": {"train": n_rows - draw.n_drawn, "validation": draw.n_drawn}, "fit_seconds": round(seconds, 3)}
    run = TableRun(estimator, metadata, {}, None)
    _score(run, samples, (y_sample, y_held), chosen)
    assert run.predictions is not None
    run.predictions.insert(0, "row", np.concatenate(_positions(draw, n_rows)))
    if refit:
        estimator.fit(chunks, name)
    metadata |= describe_reading(samples[1], target, run.preprocessor)
    return run


def _read_target(chunks: Any, target: str, task: str, log_target: bool) -> tuple[str, int]:
    """Check the target of every row; returns the task and the number of rows."""
    check_has_column(target, chunks.schema, "target")
    column, n_rows = chunks.select([target]), 0
    first = column.head(_MOST_SCORED)[target]
    task = read_task(first, task, log_target)
    constant: bool | None = None
    for frame in column:
        values = frame[target]
        if values.isna().any() or (log_target and (values <= 0).any()):
            place = f" (in {frame.attrs['files']})" if "files" in frame.attrs else ""
            row = n_rows + int(np.argmax(values.isna() | ((values <= 0) if log_target else False)))
            what = "is missing" if values.isna().any() else "is not positive, so it has no logarithm"
            raise ValueError(f"The target column {target!r} {what}{place}: the first is row {row} (counted from 0).")
        constant = (constant is not False) and values.nunique() == 1 and values.iloc[0] == first.iloc[0]
        n_rows += len(frame)
    if constant or n_rows < 2:
        check_values(first, log_target)
        raise ValueError(f"The table has {n_rows} rows, but needs at least 2.")
    return task, n_rows


def _positions(draw: RowDraw, n_rows: int) -> list[np.ndarray]:
    step = 10**6
    return [start + draw.positions(start, min(step, n_rows - start)) for start in range(0, n_rows, step)]


def _score(
    run: TableRun, frames: tuple[pd.DataFrame, pd.DataFrame], y: tuple[np.ndarray, np.ndarray], metric: Any
) -> None:
    """Score the held-out rows, a baseline and a sample of the training rows, and record the predictions."""
    classes, target = getattr(run.model, "classes_", None), run.metadata["target"]
    found = [predict_numbers(run.model, frame.drop(columns=target)) for frame in frames]
    if classes is None:
        baseline = np.full(len(y[1]), y[0].mean())
        values = found[1]
    else:
        baseline = np.tile([np.mean(y[0] == label) for label in classes], (len(y[1]), 1))
        values = classes[found[1].argmax(axis=1)]
    run.metrics = {
        "train": score(y[0], found[0], classes, metric),
        "validation": score(y[1], found[1], classes, metric),
        "baseline": score(y[1], baseline, classes, metric),
    }
    run.predictions = pd.DataFrame(
        {
            "actual": run.inverse_target(y[1]),
            "predicted": run.inverse_target(values),
            **({} if classes is None else name_probabilities(classes, found[1])),
        }
    )
