"""`Source`: the bytes of a text file: plain, compressed, in a zip archive, or from standard input."""

from __future__ import annotations

import copy
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

STANDARD_INPUT = "-"
_JSON = re.compile(rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*"(\\.|[^"\\])*"\s*:')
_NO_TABLE = re.compile(r"(^|/)(readme|license|licence)[^/]*$|\.(md|pdf|html?|docx?|png|jpg)$", re.IGNORECASE)
_PADDING = b"\x1a\0\r\n"
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
# The first bytes of formats that are often saved with the ending of a text file.
_FIRST_BYTES = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"PK\x03\x04": ".zip",
    b"PAR1": ".parquet",
    b"ARROW1": ".feather",
}


class Source:
    """A text file that can be read from its start any number of times; `name` is its name in messages."""

    def __init__(self, path: Path):
        self.is_standard_input = str(path) == STANDARD_INPUT
        self.name = "Standard input" if self.is_standard_input else str(path)
        self._path = path
        packing = "" if self.is_standard_input else packing_of(path)
        self._compression: Any = _COMPRESSIONS.get(packing)
        self._member = _only_member(path) if packing == ".zip" else None
        self._bytes = sys.stdin.buffer.read() if self.is_standard_input else None
        if self.is_plain and _has_padding(path):
            self._bytes = path.read_bytes().rstrip(_PADDING)

    def replaced(self, content: bytes) -> Source:
        """Return a source with the same name and other content."""
        other = copy.copy(self)
        other._bytes = content
        return other

    @property
    def is_plain(self) -> bool:
        """Whether the file itself is the text."""
        return self._bytes is None and self._member is None and self._compression is None

    def open(self) -> IO[bytes]:
        """Open the text, without its compression, at its start."""
        if self._bytes is not None:
            return io.BytesIO(self._bytes)
        if self._member is not None:
            return zipfile.ZipFile(self._path).open(self._member)
        return pa.input_stream(str(self._path), compression=self._compression)

    def open_for_arrow(self) -> Any:
        """Return the path of a plain file, which arrow reads in larger blocks, or the opened text of other sources."""
        return str(self._path) if self.is_plain else self.open()

    def head(self, size: int | None = None) -> bytes:
        """Return the first `size` bytes, or all of them."""
        try:
            with self.open() as file:
                return file.read() if size is None else file.read(size)
        except (OSError, EOFError, zipfile.BadZipFile, pa.ArrowException, RuntimeError) as error:
            raise ValueError(f"{self.name} cannot be decompressed: it is damaged or incomplete ({error}).") from error


def _has_padding(path: Path) -> bool:
    """Return whether a file ends with the end-of-file mark of DOS, or with zeros that fill a block."""
    with path.open("rb") as file:
        file.seek(-min(4, path.stat().st_size), io.SEEK_END)
        end = file.read()
    return end == bytes(4) or (end.rstrip(b"\r\n").endswith(b"\x1a") and b"\0" not in end)


def text_suffix(path: Path) -> str:
    """Return the suffix of a file name in lower case, without that of its compression."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _COMPRESSIONS or suffix == ".zip" else suffix


def packing_of(path: Path) -> str:
    """Return the compression or format of a file by its suffix, or else by its first bytes.

    Downloads are often zip or gzip files with the ending of the text in them.
    """
    suffix = path.suffix.lower()
    if suffix in _COMPRESSIONS or suffix == ".zip":
        return suffix
    with path.open("rb") as file:
        start = file.read(6)
    return next((packing for first, packing in _FIRST_BYTES.items() if start.startswith(first)), "")


def is_workbook(path: Path) -> bool:
    """Return whether a zip archive is a spreadsheet."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "[Content_Types].xml" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def starts_as_json(source: Source) -> bool:
    """Return whether a text starts like records in JSON."""
    return _JSON.match(source.head(1 << 12)) is not None


def _only_member(path: Path) -> str:
    """Return the only file of a zip archive, ignoring those that operating systems add."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is not a zip archive, or is damaged.") from error
    wanted = [info for info in members if not info.filename.startswith("__MACOSX/")]
    if len(wanted) > 1:
        wanted = [info for info in wanted if not _NO_TABLE.search(info.filename)] or wanted
    if len(wanted) != 1:
        listed = ", ".join(info.filename for info in wanted[:10]) or "none"
        raise ValueError(
            f"{path} must hold one file to be read as a table; it holds {len(wanted)}: {listed}. Unpack "
            "it, and name one of them, or the folder if they are one table."
        )
    if wanted[0].flag_bits & 1:
        raise ValueError(f"{path} is protected by a password: unpack it first.")
    return wanted[0].filename
