"""The files of a saved model, and the digests that detect changes."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from tabrec.saving.files import check_free

# The class, its parameters and its fitted attributes; the arrays; the digests of all other files.
STATE_FILE = "model.json"
ARRAYS_FILE = "arrays.safetensors"
SUMS_FILE = "SHA256SUMS"
CARD_FILE = "README.md"  # written by people or by `model_card`


_PART_NAME = re.compile(r"part-[0-9]{1,9}\.skops")


class UnreadableModel(ValueError):
    """A folder that is not a saved model, was damaged, or is of a format that this version does not know."""


def damaged(file: Path, what: str) -> UnreadableModel:
    """Return the error for a file of a saved model whose content is not as `save` writes it."""
    return UnreadableModel(f"{file} is damaged: {what}. Save the model again.")


def check_free_for_model(path: str | os.PathLike, *, overwrite: bool) -> None:
    """Raise a FileExistsError if a model cannot be saved to this path; only a saved model may be overwritten."""
    if not overwrite or not Path(path).exists():
        check_free(path)
    elif not Path(path).is_dir():
        raise FileExistsError(f"{path} is not a folder, so it is not overwritten: choose another path.")
    elif (other := find_other_file(Path(path))) is not None:
        raise FileExistsError(f"{path} holds {other!r}, so it is not overwritten: choose another path.")


def find_other_file(folder: Path) -> str | None:
    """Return the name of an entry that does not belong to a saved model, or None."""
    known = {STATE_FILE, ARRAYS_FILE, SUMS_FILE, CARD_FILE}
    names = sorted(entry.name for entry in folder.iterdir() if not entry.is_file() or entry.name not in known)
    return next((name for name in names if not _PART_NAME.fullmatch(name)), None)


def write_sums(folder: Path) -> None:
    """Write the digests of all files of a folder in the format of ``sha256sum``."""
    sums = _format_sums({file.name: _digest(file.read_bytes()) for file in sorted(folder.iterdir())})
    (folder / SUMS_FILE).write_text(sums, encoding="ascii", newline="")


def read_files(path: Path) -> dict[str, bytes]:
    """Read every file of a saved model once and compare it with its digest.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    ValueError
        The folder is incomplete, or a file was changed after saving.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is not a folder with a saved model.")
    try:
        text = (path / SUMS_FILE).read_bytes().decode("ascii")
        expected = {name: digest for digest, name in (line.split("  ") for line in text.split("\n")[:-1])}
    except FileNotFoundError:
        raise UnreadableModel(f"{path} is not a saved model or is damaged: {SUMS_FILE} is missing.") from None
    except (OSError, ValueError):
        raise damaged(path, f"{SUMS_FILE} cannot be read") from None
    if not {STATE_FILE, ARRAYS_FILE} <= set(expected) or text != _format_sums(expected):
        raise damaged(path, f"{SUMS_FILE} was changed")
    for name in expected:
        if name not in (STATE_FILE, ARRAYS_FILE) and not _PART_NAME.fullmatch(name):
            raise damaged(path, f"{SUMS_FILE} names {name!r}, which is not a file of a saved model")
    return {name: _read_file(path, name, digest) for name, digest in expected.items()}


def _read_file(path: Path, name: str, digest: str) -> bytes:
    file = path / name
    if not file.is_file():
        raise damaged(path, f"{name!r} is missing")
    content = file.read_bytes()
    if _digest(content) != digest:
        raise damaged(path, f"{name!r} has changed since it was saved")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _format_sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())
