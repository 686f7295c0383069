"""A saved run explained: what the command line's ``explain`` does, with printing around it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from tabrec.saving import load
from tabrec.runs.table_run import model_folder, read_metadata, split_again

_CHUNK = 1 << 20


def describe_table(path: str | os.PathLike, delimiter: str, kept_at: str | os.PathLike | None = None) -> dict:
    """What a run remembers of the file it was trained on.

    Parameters
    ----------
    path : str or path-like
    delimiter : str
    kept_at : str or path-like, default=None
        Where the file will be, if it is about to move.
    """
    return {"path": str(Path(kept_at or path).resolve()), "delimiter": delimiter, "digest": _digest(path)}


def explain_run(
    folder: str | os.PathLike,
    *,
    table: str | os.PathLike | None = None,
    new: str | os.PathLike | None = None,
    verbose: bool = False,
) -> Any:
    """Make the report of a saved run.

    Parameters
    ----------
    folder : str or path-like
        What ``train`` or ``rate`` made.
    table : str or path-like, default=None
        The table that the run was trained on, if it is no longer where it was.
    new : str or path-like, default=None
        A table of the newest rows, to compare those of training with.
    verbose : bool, default=False

    Returns
    -------
    tabrec.interpret.Report

    Raises
    ------
    FileNotFoundError
        There is no run, or its table is gone.
    ValueError
        The table is not the one that the run was trained on.
    """
    from tabrec.interpret import report

    metadata = read_metadata(folder)
    model = load(model_folder(folder))
    title = f"{Path(folder).name}: {metadata['model']}"
    if hasattr(model, "recommend"):
        metrics = json.loads((Path(folder) / "metrics.json").read_text(encoding="utf-8"))["metrics"]
        return report(model, scores=pd.DataFrame.from_dict(metrics, orient="index"), title=title, verbose=verbose)
    frame = _read_trained_table(metadata, table, folder)
    X_new = None if new is None else _read(new, metadata, metadata.get("table", {}).get("delimiter", ","))
    X = frame.drop(columns=metadata["target"])
    y, train_rows, valid_rows = split_again(frame, metadata)
    name = f"log of {metadata['target']}" if metadata["log_target"] else metadata["target"]
    return report(
        model,
        X.iloc[train_rows],
        y[train_rows],
        X.iloc[valid_rows],
        y[valid_rows],
        X_new=X_new,
        target=name,
        title=f"{title} for {name}",
        random_state=metadata["random_state"],
        verbose=verbose,
    )


def _read_trained_table(metadata: dict, table: str | os.PathLike | None, folder: str | os.PathLike) -> pd.DataFrame:
    known = metadata.get("table")
    if table is None and known is None:
        raise ValueError(f"{folder} does not know its table: name it with --table.")
    path = Path(known["path"] if table is None else table)  # type: ignore[index]
    if not path.is_file():
        raise FileNotFoundError(f"{path}, which {folder} was trained on, is not there: name it with --table.")
    if known is not None and _digest(path) != known["digest"]:
        raise ValueError(f"{path} is not (or no longer) the table of {folder}: name that, as it was, with --table.")
    frame = _read(path, metadata, "," if known is None else known["delimiter"])
    n_rows = sum(metadata["rows"].values())
    if len(frame) != n_rows or metadata["target"] not in frame.columns:
        raise ValueError(
            f"{path} has {len(frame):,} rows, but {folder} was trained on a table of {n_rows:,} rows with a column "
            f"{metadata['target']!r}."
        )
    return frame


def _read(path: str | os.PathLike, metadata: dict, delimiter: str) -> pd.DataFrame:
    from tabrec.datasets import read_table

    return read_table(path, delimiter=delimiter, text_columns=metadata["text_columns"])


def _digest(path: str | os.PathLike) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
