"""The folders in which data sets are stored and searched."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIR = "TABREC_DATA_DIR"


def cache_folder() -> Path:
    """Return ``~/.cache/tabrec``, or the folder ``tabrec`` in XDG_CACHE_HOME if that is an absolute path."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".cache") / "tabrec"


def folder_to_fill(data_dir: str | os.PathLike | None) -> Path:
    """Return the folder for downloads: the first of `places_to_look`."""
    return places_to_look(data_dir)[0]


def places_to_look(data_dir: str | os.PathLike | None) -> list[Path]:
    """Return the given folder alone; without one, TABREC_DATA_DIR if it is set and then the cache."""
    if data_dir is not None:
        return [Path(data_dir).expanduser().absolute()]
    variable = os.environ.get(DATA_DIR)
    return [*([Path(variable).expanduser().absolute()] if variable else []), cache_folder()]
