"""Where data are put and looked for."""

from __future__ import annotations

import os
from pathlib import Path

DATA_DIR = "TABREC_DATA_DIR"


def cache_folder() -> Path:
    """``~/.cache/tabrec``, or the like below XDG_CACHE_HOME, which counts only if it is absolute."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    return (base if base.is_absolute() else Path.home() / ".cache") / "tabrec"


def folder_to_fill(data_dir: str | os.PathLike | None) -> Path:
    """Where downloads go: the first of the places to look in."""
    return places_to_look(data_dir)[0]


def places_to_look(data_dir: str | os.PathLike | None) -> list[Path]:
    """The folder given, and no other; without one TABREC_DATA_DIR, if set, and the cache."""
    if data_dir is not None:
        return [Path(data_dir).expanduser().absolute()]
    variable = os.environ.get(DATA_DIR)
    return [*([Path(variable).expanduser().absolute()] if variable else []), cache_folder()]
