"""A data set's folder: filled by one process at a time, there whole or not at all, damage noticed and mended."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from tabrec.datasets._errors import FetchError, writing_to
from tabrec.datasets.places import folder_to_fill

MANIFEST = ".tabrec.json"  # in each folder that was filled here: its files and their sizes
_WORK = ".tabrec"  # beside these folders: locks, and downloads under way


def fetch_folder(
    name: str,
    data_dir: str | os.PathLike | None,
    needed: Sequence[str],
    fill: Callable[[Path, Path], None],
) -> Path:
    """The folder of a data set, filled if it is not there whole.

    Parameters
    ----------
    name : str
        Of the folder.
    data_dir : str, path-like or None
        Where it is to be.
    needed : sequence of str
        The files without which it is of no use.
    fill : callable
        ``fill(folder, work)`` puts the files into an empty folder; what it has to keep until that has worked goes
        into `work`, under a name that begins with that of the data set.
    """
    base = folder_to_fill(data_dir)
    folder = base / name
    if _is_whole(folder, needed):
        return folder
    work = base / _WORK
    with writing_to(base):
        work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work / f"{name}.lock")
        lock.acquire()  # waits for another process that fetches the same
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
            shutil.rmtree(new)  # of a process that was killed
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
    """By the sizes of the manifest; a folder without one is the user's own, and is whole if what is needed is there."""
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
    """What is not from here is never touched."""
    if folder.exists() and not folder.is_dir():
        raise FetchError(f"{folder} is no folder: move it away, or choose another folder by data_dir.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise FetchError(
            f"{folder} was not downloaded by tabrec and lacks {', '.join(_absent(folder, needed))}: add that, or move "
            "the folder away, or choose another by data_dir."
        )


def _write_manifest(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    (folder / MANIFEST).write_text(json.dumps({"files": sizes}, indent=1), encoding="utf-8")


def _put(new: Path, folder: Path) -> None:
    """Into its place at once; where a damaged one is, file by file, so that what the user has put there stays."""
    if folder.is_dir() and any(folder.iterdir()):
        (folder / MANIFEST).write_text("{}", encoding="utf-8")  # damaged, until the last file is there
        files = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: path.as_posix() == MANIFEST):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(new / path, folder / path)
    else:
        if folder.is_dir():
            folder.rmdir()
        os.rename(new, folder)
