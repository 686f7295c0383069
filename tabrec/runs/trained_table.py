"""The file that a run was trained on: noted when it trains, found again and compared when it is explained."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tabrec.datasets.tables import table_files

if TYPE_CHECKING:
    from tabrec.runs.table_run import TableRun

_CHUNK = 1 << 20


def describe_table(
    path: str | os.PathLike | None, reading: Mapping | None = None, kept_at: str | os.PathLike | None = None
) -> dict:
    """What a run records of its file and of the options it was read with.

    `kept_at` is where the file will be, if it is about to move. Standard input and queries cannot be read again.
    """
    described: dict = {"reading": dict(reading or {})}
    if path is not None and str(path) != "-":
        described |= {"path": str(Path(kept_at or path).resolve()), "digest": _digest(path)}
    return described


def check_is_there(path: str | os.PathLike | None) -> None:
    """Raise a FileNotFoundError if a table that is read later does not exist."""
    if path is not None and str(path) != "-" and not all(part.is_file() for part in table_files(path)):
        raise FileNotFoundError(f"There is no file {path}.")


def recorded_options(run: TableRun) -> dict:
    """The options that the table of a run was read with; runs of older versions record the delimiter alone."""
    known = run.metadata.get("table", {})
    return known.get("reading") or {name: known[name] for name in ("delimiter",) if name in known}


def read_trained_table(run: TableRun, table: str | os.PathLike | None = None) -> pd.DataFrame:
    """The table of a run, read from `table` or from where it was, and compared with what the run records."""
    known = run.metadata.get("table", {})
    if table is None and "path" not in known:
        raise ValueError(f"{run.folder} does not record the path of its table: name it with --table.")
    path = Path(known["path"] if table is None else table)
    if not all(part.is_file() for part in table_files(path)):
        raise FileNotFoundError(f"{path}, the table of {run.folder}, does not exist: name it with --table.")
    if "digest" in known and _digest(path) != known["digest"]:
        raise ValueError(f"{path} is not the table of {run.folder}, or has changed: name the original with --table.")
    frame = run.read_table(path, **recorded_options(run))
    n_rows, target = sum(run.metadata["rows"].values()), run.metadata["target"]
    if len(frame) != n_rows or target not in frame.columns:
        raise ValueError(
            f"{path} has {len(frame):,} rows, but {run.folder} was trained on a table of {n_rows:,} rows with a "
            f"column {target!r}."
        )
    return frame


def _digest(path: str | os.PathLike) -> str:
    digest = hashlib.sha256()
    for part in table_files(path):
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
