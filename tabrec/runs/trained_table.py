"""The file that a run was trained on: recorded by `train`, and found and verified to explain the run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tabrec.datasets.tables import table_files
from tabrec.preprocess import TabularPreprocessor
from tabrec.tables.spelling import absent_file

_CHUNK = 1 << 20


def describe_table(
    path: str | os.PathLike | None, reading: Mapping | None = None, kept_at: str | os.PathLike | None = None
) -> dict:
    """Return the metadata of the training file: its path, its digest and the options of reading it.

    `kept_at` is where the file will be, if it is about to move. Standard input and queries cannot be read again.
    """
    described: dict = {"reading": dict(reading or {})}
    if path is not None and str(path) != "-":
        described |= {"path": str(Path(kept_at or path).resolve()), "digest": _digest(path)}
    return described


def describe_reading(frame: pd.DataFrame, target: str, preprocessor: TabularPreprocessor) -> dict:
    """Return the metadata by which a new file is read as the training table was.

    Columns with text labels or text dates are read as text, even if they look numeric in the new file.
    """
    labelled = {
        name for name, labels in preprocessor.categories_.items() if any(isinstance(label, str) for label in labels[1:])
    }
    text_dates = {name for name, date_format in preprocessor.date_parts_.formats_.items() if date_format is not None}
    return {
        "text_columns": [name for name in preprocessor.kinds_ if name in labelled | text_dates],
        "number_columns": frame.drop(columns=target).select_dtypes("number").columns.tolist(),
        "decimal": frame.attrs.get("decimal"),
        "date_formats": frame.attrs.get("date_formats", {}),
    }


def check_is_there(path: str | os.PathLike | None) -> None:
    """Raise a FileNotFoundError if a table that is read later does not exist."""
    if path is not None and str(path) != "-" and not all(part.is_file() for part in table_files(path)):
        raise absent_file(Path(path))


def recorded_options(metadata: Mapping) -> dict:
    """Return the options that the table of a run was read with; older versions recorded only the delimiter."""
    known = metadata.get("table", {})
    return known.get("reading") or {name: known[name] for name in ("delimiter",) if name in known}


def find_trained_table(
    metadata: Mapping, folder: str | os.PathLike | None, table: str | os.PathLike | None = None
) -> Path:
    """Return the path of a run's table: `table`, or the recorded one; its digest must be the recorded one."""
    known = metadata.get("table", {})
    if table is None and "path" not in known:
        raise ValueError(f"{folder} does not record the path of its table: name it with --table.")
    path = Path(known["path"] if table is None else table)
    if not all(part.is_file() for part in table_files(path)):
        raise FileNotFoundError(f"{path}, the table of {folder}, does not exist: name it with --table.")
    if "digest" in known and _digest(path) != known["digest"]:
        raise ValueError(f"{path} is not the table of {folder}, or has changed: name the original with --table.")
    return path


def check_trained_table(
    frame: pd.DataFrame, path: str | os.PathLike, metadata: Mapping, folder: str | os.PathLike | None
) -> None:
    """Raise a ValueError if a table has another number of rows than that of the run, or lacks its target."""
    n_rows, target = sum(metadata["rows"].values()), metadata["target"]
    if len(frame) != n_rows or target not in frame.columns:
        raise ValueError(
            f"{path} has {len(frame):,} rows, but {folder} was trained on a table of {n_rows:,} rows with a "
            f"column {target!r}."
        )


def _digest(path: str | os.PathLike) -> str:
    digest = hashlib.sha256()
    for part in table_files(path):
        with part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()
