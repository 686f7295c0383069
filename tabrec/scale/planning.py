"""`plan`: the time, memory and bytes that each stage of a fit needs on more rows and more machines."""

from __future__ import annotations

import os
import pickle
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from tabrec.preprocess.merging import merge_fits, start_at
from tabrec.preprocess.table_survey import TableSurvey
from tabrec.scale.frames import FrameChunks
from tabrec.scale.table_source import join_frames, read_memory
from tabrec.scale.target_column import TargetColumn

# Number of rows that rates are measured on, and of rows of a part of a table if the files do not record it.
_SAMPLE, _PART_ROWS = 50_000, 1_000_000
# The statistics of a part grow with its rows up to this number, the size of the sample for quantiles.
_MOST_GROWING = 100_000
# Seconds of the calling processor to write a prediction.
_WRITE = 2e-8
# A part of a file is held as bytes, as an arrow table and as a frame, which together take about this many times its
# bytes.
_HELD = 10


@dataclass(frozen=True)
class StepRates:
    """Rates measured on a sample of rows: seconds of one processor for each row, and bytes."""

    read: float
    survey: float
    learn: float
    encode: float
    predict: float
    merge: float  # seconds for each byte of the statistics of a part
    grow: float  # seconds for each tree, row and binary logarithm of the rows
    survey_bytes: tuple[int, float]  # intercept and slope by row of the statistics of a part
    fit_bytes: tuple[int, float]
    encoded_bytes: float  # for each row
    file_bytes: float


@dataclass(frozen=True)
class Plan:
    """The stages of a fit, and what limits it.

    Parameters
    ----------
    stages : pandas.DataFrame
        A row for each stage.
    assumptions : list of str
        The assumptions that the estimates depend on.

    Attributes
    ----------
    stages : pandas.DataFrame
        A row for each stage: `stage`, `seconds`, of which `workers`, `network` and `caller` seconds, `read_bytes` from
        files, `sent_bytes` between machines, `worker_memory` and `caller_memory` in bytes.
    assumptions : list of str
        The assumptions that the estimates depend on.
    limiting : str
        The stage that takes the longest, and the part of it that takes the longest.

    See Also
    --------
    plan : Makes it.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.scale import Plan
    >>> stages = [{"stage": "draw", "seconds": 5.0, "workers": 4.0, "network": 1.0, "caller": 0.0}]
    >>> Plan(pd.DataFrame(stages), []).limiting
    'draw (workers: 4 of 5 s)'
    """

    stages: pd.DataFrame
    assumptions: list[str]

    @property
    def limiting(self) -> str:
        """Return the stage that takes the longest, and the part of it that takes the longest."""
        longest = max(self.stages.to_dict("records"), key=lambda stage: stage["seconds"])
        part = max(("workers", "network", "caller"), key=lambda name: longest[name])
        return f"{longest['stage']} ({part}: {longest[part]:,.0f} of {longest['seconds']:,.0f} s)"


def plan(
    chunks: Any,
    target: str,
    model: Any,
    *,
    n_rows: int,
    n_nodes: int = 1,
    n_cores: int = 16,
    network: int | str = "1GB",
    disk: int | str = "500MB",
) -> Plan:
    """Estimate the time, memory and bytes of each stage of a forest on a cluster, from rates of a sample of rows.

    Parameters
    ----------
    chunks : FileChunks or FrameChunks
        A table like the large one; at most 50,000 of its rows are read.
    target : str
        Column to predict, or as ``"log(SalePrice)"``.
    model : ForestRegressor or ForestClassifier
        The forest; four of its trees are grown on the sample.
    n_rows : int
        Number of rows of the large table.
    n_nodes, n_cores : int, default=1, 16
        Number of machines, and of processors of each; one machine calls `fit`.
    network, disk : int or str, default="1GB", "500MB"
        Bytes a second that a machine sends or receives, and that it reads from files.

    Returns
    -------
    Plan
        The stages, the assumptions and the limiting stage.

    Raises
    ------
    ValueError
        A number is not positive, or the table has fewer than 1,000 rows.

    See Also
    --------
    RayChunks : A table on a cluster.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.scale import FrameChunks, plan
    >>> sales = FrameChunks(make_auctions(2_000, random_state=0))
    >>> planned = plan(sales, "SalePrice", ForestRegressor(10), n_rows=10**9, n_nodes=100)
    >>> planned.stages["stage"].tolist()
    ['columns', 'encoding', 'draw', 'growth', 'predictions']
    """
    for name, value in (("n_rows", n_rows), ("n_nodes", n_nodes), ("n_cores", n_cores)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1.")
    part_rows = _rows_of_part(chunks)
    rates = measure_rates(chunks, target, model)
    cluster = _Cluster(n_nodes, n_cores, read_memory(network), read_memory(disk))
    stages = _plan_encoding(rates, cluster, int(n_rows), part_rows)
    stages += _plan_forest(rates, cluster, model, int(n_rows), part_rows, chunks.memory)
    return Plan(pd.DataFrame(stages), _describe(cluster, chunks, part_rows))


def measure_rates(chunks: Any, target: str, model: Any) -> StepRates:
    """Measure every step on a sample, in seconds of the processor."""
    read = _timed(lambda: _first_rows(chunks, _SAMPLE))
    frame = read.result[:_SAMPLE]
    n_rows = len(frame)
    if n_rows < 1_000:
        raise ValueError(f"The table has {n_rows:,} rows, but rates are measured on at least 1,000.")
    column = TargetColumn.parse(target, list(chunks.schema))
    X, numeric = frame.drop(columns=column.column), not hasattr(model, "predict_proba")
    y = column.read(frame, 0, numeric)
    halves = [X.iloc[: n_rows // 2], X.iloc[n_rows // 2 :]]
    with warnings.catch_warnings(action="ignore"):
        surveys = _timed(lambda: [_survey(half) for half in halves])
        survey_bytes = _growth(surveys.result[1], _survey(halves[1].iloc[: n_rows // 8]), len(halves[1]), n_rows // 8)
        surveys.result[0].merge(surveys.result[1])
        empty = model.make_preprocessor()
        empty.start_fit(surveys.result[0])
        fits = _timed(lambda: [start_at(empty, 0).partial_fit(half) for half in halves])
        less = start_at(empty, 0).partial_fit(halves[1].iloc[: n_rows // 8])
        fit_bytes = _growth(fits.result[1], less, len(halves[1]), n_rows // 8)
        size = len(pickle.dumps(fits.result[1]))
        fitted = _timed(lambda: merge_fits(*fits.result))
        encoded = _timed(lambda: fitted.result.transform(X))
        small = clone(model).set_params(n_estimators=4, max_samples=None, oob_score=False, n_jobs=1, random_state=0)
        grown = _timed(lambda: small.fit_encoded(encoded.result, y, fitted.result))
        predicted = _timed(lambda: small.predict(X))
    return StepRates(
        read=read.seconds / len(read.result),
        survey=surveys.seconds / n_rows,
        learn=fits.seconds / n_rows,
        encode=encoded.seconds / n_rows,
        predict=max(predicted.seconds - encoded.seconds, 0.0) / n_rows * model.n_estimators / 4,
        merge=fitted.seconds / (2 * size),
        grow=grown.seconds / (4 * n_rows * np.log2(n_rows)),
        survey_bytes=survey_bytes,
        fit_bytes=fit_bytes,
        encoded_bytes=float(encoded.result.memory_usage(index=False).sum()) / n_rows,
        file_bytes=_bytes_on_disk(chunks) or float(frame.memory_usage(index=False, deep=True).sum()) / n_rows,
    )


def _first_rows(chunks: Any, n_rows: int) -> pd.DataFrame:
    """Return the first chunks that together have at least this number of rows."""
    frames: list[pd.DataFrame] = []
    for frame in chunks:
        frames.append(frame)
        if sum(map(len, frames)) >= n_rows:
            break
    return join_frames(frames)


@dataclass(frozen=True)
class _Timed:
    result: Any
    seconds: float


def _timed(step: Callable[[], Any]) -> _Timed:
    started = time.process_time()
    result = step()
    return _Timed(result, time.process_time() - started)


def _growth(whole: Any, part: Any, n_rows: int, n_of_part: int) -> tuple[int, float]:
    """Return the size of statistics in bytes as intercept and slope by row, from the sizes for two numbers of rows."""
    sizes = [len(pickle.dumps(statistics)) for statistics in (whole, part)]
    each = max(sizes[0] - sizes[1], 0) / (n_rows - n_of_part)
    return max(int(sizes[0] - each * n_rows), 0), each


def _size(growth: tuple[int, float], n_rows: int) -> float:
    return growth[0] + growth[1] * min(n_rows, _MOST_GROWING)


def _survey(frame: pd.DataFrame) -> TableSurvey:
    survey = TableSurvey()
    survey.add(frame)
    return survey


@dataclass(frozen=True)
class _Cluster:
    n_nodes: int
    n_cores: int
    network: int  # bytes a second
    disk: int

    def stage(
        self,
        name: str,
        n_parts: int,
        *,
        work: float = 0.0,
        on_caller: float = 0.0,
        read: float = 0.0,
        out: float = 0.0,
        back: float = 0.0,
        worker_memory: float = 0.0,
        caller_memory: float = 0.0,
    ) -> dict[str, Any]:
        """Return the times and bytes of a stage; `work` is in seconds, `out` and `back` are bytes sent."""
        n_workers = min(self.n_nodes * self.n_cores, n_parts)
        workers = max(work / n_workers, read / (self.disk * self.n_nodes))
        network = (out + back) / self.network if self.n_nodes > 1 else 0.0
        return {
            "stage": name,
            "seconds": workers + network + on_caller,
            "workers": workers,
            "network": network,
            "caller": on_caller,
            "read_bytes": read,
            "sent_bytes": out + back,
            "worker_memory": worker_memory,
            "caller_memory": caller_memory,
        }


def _plan_encoding(rates: StepRates, cluster: _Cluster, n_rows: int, part_rows: int) -> list[dict[str, Any]]:
    """Return the stages of the two passes that learn the encoding; the caller merges their statistics part by part."""
    n_parts, stages = -(-n_rows // part_rows), []
    steps = ("columns", rates.survey, rates.survey_bytes), ("encoding", rates.learn, rates.fit_bytes)
    for name, seconds, growth in steps:
        of_part, merged = _size(growth, min(part_rows, n_rows)), _size(growth, n_rows)
        stages.append(
            cluster.stage(
                name,
                n_parts,
                work=n_rows * (rates.read + seconds),
                on_caller=n_parts * (of_part + merged) * rates.merge,
                read=n_rows * rates.file_bytes,
                back=n_parts * of_part,
                # Results stay in the memory of their worker until the caller reads them, one after the other.
                worker_memory=_HELD * min(part_rows, n_rows) * rates.file_bytes + 3 * of_part,
                caller_memory=merged + of_part,
            )
        )
    return stages


def _plan_forest(
    rates: StepRates, cluster: _Cluster, model: Any, n_rows: int, part_rows: int, memory: int
) -> list[dict[str, Any]]:
    """Return the stages of a forest: the draw, which sends the encoding to the workers, growth and predictions."""
    n_parts, read = -(-n_rows // part_rows), n_rows * rates.file_bytes
    copies = min(n_parts, cluster.n_nodes)  # a broadcast is sent once to each machine
    sample = _rows_of_tree(model, n_rows)
    n_drawn = min(n_rows, model.n_estimators * sample, int(memory / (3 * rates.encoded_bytes)))
    sample = min(sample, n_drawn)
    drawn, fitted = n_drawn * rates.encoded_bytes, _size(rates.fit_bytes, n_rows)
    held = _HELD * min(part_rows, n_rows) * rates.file_bytes + fitted
    growth = model.n_estimators * rates.grow * sample * np.log2(max(sample, 2)) / cluster.n_cores
    return [
        cluster.stage(
            "draw",
            n_parts,
            work=n_rows * rates.read + n_drawn * rates.encode,
            read=read,
            out=copies * fitted,
            back=drawn,
            worker_memory=held,
            caller_memory=2 * drawn,
        ),
        cluster.stage("growth", 1, on_caller=growth, caller_memory=3 * drawn),
        cluster.stage(
            "predictions",
            n_parts,
            work=n_rows * (rates.read + rates.encode + rates.predict),
            on_caller=n_rows * _WRITE,
            read=read,
            out=copies * (fitted + model.n_estimators * sample * 8),
            back=n_rows * 8.0,
            worker_memory=held,
            caller_memory=min(part_rows, n_rows) * 8.0,
        ),
    ]


def _rows_of_tree(model: Any, n_rows: int) -> int:
    each = 1.0 if model.max_samples is None else model.max_samples
    return min(n_rows, int(each * n_rows) if isinstance(each, float) else int(each))


def _rows_of_part(chunks: Any) -> int:
    counts = [part.n_rows for part in getattr(chunks, "parts", []) if part.n_rows]
    counts = counts or [len(frame) for frame in chunks] if isinstance(chunks, FrameChunks) else counts
    return max(int(np.mean(counts)), 1) if counts else _PART_ROWS


def _bytes_on_disk(chunks: Any) -> float:
    """Return the mean bytes of a row in the files; 0 if the number of rows is unknown."""
    files = getattr(chunks, "files", None)
    return sum(map(os.path.getsize, files)) / chunks.n_rows if files and chunks.n_rows else 0.0


def _describe(cluster: _Cluster, chunks: Any, part_rows: int) -> list[str]:
    return [
        f"{cluster.n_nodes} machines of {cluster.n_cores} processors as fast as this one; one of them calls fit.",
        f"A machine sends or receives {cluster.network / 1e9:g} GB a second, and reads {cluster.disk / 1e9:g} GB.",
        f"Parts of the table have {part_rows:,} rows, and columns like those of the sample: as many labels, as wide.",
        "A processor works on one part at a time, tasks of Ray cost nothing themselves, and no worker dies.",
        f"Rows of the model take memory={chunks.memory / 1e9:g} GB at most; trees grow on the machine that calls fit.",
    ]
