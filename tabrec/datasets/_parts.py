"""Read tables in several files: a folder, or the files that match a pattern."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.api.types import union_categoricals

from tabrec.datasets._sources import text_suffix


def find_files(path: str | os.PathLike, suffixes: Collection[str]) -> list[Path]:
    """Return the files of a table in order of their names.

    These are the files below a folder with one of the suffixes, those that match a pattern, or the file itself.
    """
    path = Path(path)
    if path.is_dir():
        below = [file for file in path.rglob("*") if not _is_hidden(file.relative_to(path))]
        found = [file for file in below if file.is_file() and text_suffix(file) in suffixes]
    elif not path.exists() and glob.has_magic(str(path)):
        found = [Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file()]
    else:
        return [path]
    if not found:
        raise FileNotFoundError(f"The folder {path} holds no tables." if path.is_dir() else f"No file matches {path}.")
    return sorted(found)


def _is_hidden(path: Path) -> bool:
    """Return whether a file is not part of a table, such as the _SUCCESS of Spark."""
    return any(part.startswith((".", "_")) for part in path.parts)


def read_parts(files: list[Path], read: Callable[..., pd.DataFrame], text_columns: list[str]) -> pd.DataFrame:
    """Read files of equal columns and concatenate them; a column that is text in one of them is text in all."""
    parts = [read(file, text_columns=text_columns) for file in files]
    names = parts[0].columns.tolist()
    for file, part in zip(files, parts, strict=True):
        differing = [*part.columns.difference(names), *parts[0].columns.difference(part.columns)]
        if differing:
            raise ValueError(f"{files[0]} and {file} differ in the columns {differing[:10]}: they are not one table.")
    mixed = [name for name in names if len({_is_text(part[name]) for part in parts if part[name].notna().any()}) > 1]
    if mixed and not set(mixed) <= set(text_columns):
        return read_parts(files, read, [*text_columns, *mixed])
    columns = {name: _concatenate([part[name] for part in parts]) for name in names}
    frame = pd.DataFrame(columns)
    frame.attrs["assumed"] = [f"{len(files)} files", *parts[0].attrs["assumed"]]
    return frame


def _is_text(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.CategoricalDtype)


def _concatenate(columns: list[pd.Series]) -> pd.Series:
    text: Any = next((column.dtype for column in columns if _is_text(column)), None)
    if text is not None:
        # A column that is empty in a file has no type in it.
        empty = {id(c): pd.Categorical.from_codes(np.full(len(c), -1), dtype=text) for c in columns if not _is_text(c)}
        return pd.Series(union_categoricals([empty.get(id(column), column) for column in columns]))
    typed = next((column.dtype for column in columns if column.notna().any()), columns[0].dtype)
    if types.is_datetime64_any_dtype(typed):
        columns = [column.astype(typed) for column in columns]
    return pd.concat(columns, ignore_index=True)
