"""The folder of a data set: filled by one process at a time, complete or absent, repaired if damaged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from tabrec.datasets._errors import FetchError, writing_to
from tabrec.datasets.places import folder_to_fill

MANIFEST = ".tabrec.json"  # name of the manifest in each downloaded folder: its files and their sizes
_WORK = ".tabrec"  # folder of locks and unfinished downloads, beside the folders of data sets


def fetch_folder(
    name: str, data_dir: str | os.PathLike | None, needed: Sequence[str], fill: Callable[[Path, Path], None]
) -> Path:
    """Return the folder of a data set, after filling it if it is not complete.

    Parameters
    ----------
    name : str
        Name of the folder.
    data_dir : str, path-like or None
        The folder that contains it; see `folder_to_fill`.
    needed : sequence of str
        Files that must be in it.
    fill : callable
        ``fill(folder, work)`` writes the files to an empty folder. Unfinished downloads are kept in `work`, under a
        name that starts with `name`.
    """
    base = folder_to_fill(data_dir)
    folder = base / name
    if _is_whole(folder, needed):
        return folder
    work = base / _WORK
    with writing_to(base):
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / f"{name}.lock")
        lock.acquire()  # waits for another process that downloads the same data set
    try:
        if not _is_whole(folder, needed):
            _check_ours(folder, needed)
            _fill(folder, work, needed, fill)
    finally:
        lock.release()
    return folder


def _fill(folder: Path, work: Path, needed: Sequence[str], fill: Callable[[Path, Path], None]) -> None:
    new = work / f"{folder.name}.new"
    with writing_to(work):
        if new.exists():
            shutil.rmtree(new)  # left by a process that was killed
        new.mkdir()
    try:
        fill(new, work)
        absent = _absent(new, needed)
        if absent:
            raise FetchError(f"The download of {folder.name} lacks {', '.join(absent)}: its source has changed.")
        with writing_to(folder.parent):
            _write_manifest(new)
            _put(new, folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_whole(folder: Path, needed: Sequence[str]) -> bool:
    """Return whether a folder has the sizes of its manifest, or without a manifest contains the needed files."""
    if not folder.is_dir():
        return False
    if not (folder / MANIFEST).exists():
        return any(folder.iterdir()) and not _absent(folder, needed)
    try:
        sizes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _absent(folder: Path, needed: Sequence[str]) -> list[str]:
    return [name for name in needed if not (folder / name).is_file()]


def _check_ours(folder: Path, needed: Sequence[str]) -> None:
    """Raise a FetchError for a folder that was not downloaded by tabrec, because such a folder is never changed."""
    if folder.exists() and not folder.is_dir():
        raise FetchError(f"{folder} is not a folder: move it away, or choose another folder by data_dir.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise FetchError(
            f"{folder} was not downloaded by tabrec and does not contain {', '.join(_absent(folder, needed))}: add "
            "the files, move the folder away, or choose another by data_dir."
        )


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    (folder / MANIFEST).write_text(json.dumps({"files": sizes}, indent=1), encoding="utf-8")


def _put(new: Path, folder: Path) -> None:
    """Move a new folder to its place; a damaged one is replaced file by file, so that the user's files remain."""
    if folder.is_dir() and any(folder.iterdir()):
        (folder / MANIFEST).write_text("{}", encoding="utf-8")
        files = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.as_posix() == MANIFEST):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / path, folder / path)
    else:
        if folder.is_dir():
            folder.rmdir()
        os.rename(new, folder)
