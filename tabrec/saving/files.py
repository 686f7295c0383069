"""Files and folders that appear complete or not at all, and overwrite others only on request."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CAUSES = {
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EFBIG: "a file would exceed the largest size that is allowed",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission is denied",
    errno.ENOTDIR: "a part of the path is not a folder",
}


def check_free(path: str | os.PathLike) -> None:
    """Raise a FileExistsError if the path exists, and an OSError if it cannot be created."""
    if Path(path).exists():
        raise FileExistsError(f"{path} exists already: choose another path or remove it first.")
    _check_can_be_created(path)


def check_free_for_file(path: str | os.PathLike, *, overwrite: bool) -> None:
    """Raise a FileExistsError if the path exists; with `overwrite`, only if it is not a file."""
    if not overwrite:
        check_free(path)
        return
    if Path(path).exists() and not Path(path).is_file():
        raise FileExistsError(f"{path} is not a file, so it is not overwritten: choose another path.")
    _check_can_be_created(path)


def _check_can_be_created(path: str | os.PathLike) -> None:
    """Raise an OSError before any work if the nearest folder above a path does not accept new files."""
    with _named_causes(path):
        above = next(parent for parent in Path(os.path.realpath(path)).parents if parent.exists())
        tempfile.TemporaryFile(dir=above).close()


@contextmanager
def new_folder(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to `path` at the end of the block, or removed after an error.

    With `overwrite`, a folder of that name is replaced; the caller checks that it may be.
    """
    if not overwrite:
        check_free(path)
    with _named_causes(path):
        target = Path(os.path.realpath(path))  # a symbolic link is kept, and its target replaced
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        try:
            temporary.chmod(0o755)
            yield temporary
            if overwrite and target.exists():
                _replace_folder(target, temporary)
            else:
                os.rename(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def _replace_folder(path: Path, new: Path) -> None:
    """Move a folder to `path`, and remove an earlier one only after that."""
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent)) / path.name
    os.rename(path, old)
    try:
        os.rename(new, path)
    except BaseException:
        os.rename(old, path)
        raise
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)


@contextmanager
def new_file(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary file that is renamed to `path` at the end of the block, or removed after an error.

    With `overwrite`, a file of that name is replaced.
    """
    check_free_for_file(path, overwrite=overwrite)
    with _named_causes(path):
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
            yield Path(folder) / target.name
            os.replace(Path(folder) / target.name, target)


@contextmanager
def _named_causes(path: str | os.PathLike) -> Iterator[None]:
    """Raise errors of the file system again with the path of the caller in place of the temporary file."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CAUSES:
            raise
        named = type(error)(f"{path} was not written: {_CAUSES[error.errno]}.")
        named.errno = error.errno
        raise named from error
