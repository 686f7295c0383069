"""Files and folders that appear complete or not at all, and never overwrite others."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_free(path: str | os.PathLike) -> None:
    """Raise a FileExistsError if the path exists."""
    if Path(path).exists():
        raise FileExistsError(f"{path} exists already: choose another path or remove it first.")


@contextmanager
def new_folder(path: str | os.PathLike, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to `path` at the end of the block, or removed after an error."""
    path = Path(path)
    if not overwrite:
        check_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        temporary.chmod(0o755)
        yield temporary
        if overwrite and path.exists():
            _replace_folder(path, temporary)
        else:
            os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _replace_folder(path: Path, new: Path) -> None:
    """Move a folder to `path`, and remove what was there only after that."""
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
def new_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary file that is renamed to `path` at the end of the block, or removed after an error."""
    path = Path(path)
    check_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        yield Path(folder) / path.name
        os.rename(Path(folder) / path.name, path)
