"""Safe unpacking of downloaded zip files: within limits, and only below their folder."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tabrec.datasets._errors import FetchError, writing_to

MAX_FILES = 10_000
MAX_BYTES = 50_000_000_000
MAX_RATIO = 100  # tables have ratios of 5 to 20, zip bombs of 1,000 and more
ALWAYS_ALLOWED = 100_000_000  # bytes, whatever the ratio


class BadArchive(FetchError):
    """An archive that is damaged or not safe to unpack."""


@dataclass
class _Budget:
    """The limits that remain for unpacking one download, inner zip files included."""

    files: int
    size: int


def unpack(archive: Path, folder: Path, *, inner: bool = False) -> None:
    """Unpack a downloaded zip file into an empty folder and remove it, unless the disk is full.

    With `inner`, zip files in it are also unpacked, one level deep, into the folder that contains them, and removed. An
    existing file is not replaced by one of an inner zip file.
    """
    budget = _Budget(MAX_FILES, min(MAX_BYTES, max(ALWAYS_ALLOWED, MAX_RATIO * archive.stat().st_size)))
    try:
        _extract(archive, folder, budget)
        for path in sorted(folder.rglob("*.zip")) if inner else []:
            _extract(path, path.parent, budget)
            path.unlink()
    except BadArchive:
        archive.unlink()
        raise
    archive.unlink()


def _extract(path: Path, folder: Path, budget: _Budget) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                _check_member(path.name, member)
            _spend(path.name, members, budget, folder)
            for member in members:
                _write(archive, member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise BadArchive(
            f"{path.name} cannot be unpacked ({error}): it arrived damaged or is not a zip file. Try again."
        ) from error


def _check_member(archive: str, member: zipfile.ZipInfo) -> None:
    name = member.filename
    parts = PurePosixPath(name.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    fault = None
    if parts.is_absolute() or ".." in parts.parts or ":" in name or not parts.parts:
        fault = "lies outside the folder"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "is a link or a device"
    elif member.flag_bits & 0x1:
        fault = "is encrypted"
    if fault is not None:
        raise BadArchive(f"{archive} is not safe to unpack: its entry {name!r} {fault}. Nothing was unpacked.")


def _spend(archive: str, members: list[zipfile.ZipInfo], budget: _Budget, folder: Path) -> None:
    names = [member.filename.casefold() for member in members]
    if len(set(names)) < len(names):
        raise BadArchive(f"{archive} is not safe to unpack: it has two entries of the same name. Nothing was unpacked.")
    # zipfile never writes more than the declared size of an entry.
    budget.files -= len(members)
    size = sum(member.file_size for member in members)
    budget.size -= size
    if budget.files < 0:
        raise BadArchive(f"{archive} is not safe to unpack: more than {MAX_FILES:,} files. Nothing was unpacked.")
    if budget.size < 0:
        raise BadArchive(
            f"{archive} is not safe to unpack: {size:,} bytes is more than {MAX_RATIO} times the download, or "
            f"more than {MAX_BYTES:,}. Nothing was unpacked."
        )
    free = shutil.disk_usage(folder).free
    if free < size:
        raise FetchError(
            f"The disk of {folder} has {free:,} bytes free, unpacking {archive} needs {size:,}: make room there, or "
            "choose another folder by data_dir or the environment variable TABREC_DATA_DIR."
        )


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    target = folder / PurePosixPath(member.filename.replace("\\", "/"))
    with writing_to(folder):
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            return
        with archive.open(member) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
