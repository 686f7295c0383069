"""The bytes of a text file: plain, compressed, in a zip archive, or from standard input."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

STANDARD_INPUT = "-"
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


class Source:
    """A text file that can be read from its start any number of times; `name` is what messages call it."""

    def __init__(self, path: Path):
        self.is_standard_input = str(path) == STANDARD_INPUT
        self.name = "Standard input" if self.is_standard_input else str(path)
        self._path = path
        self._member = _only_member(path) if path.suffix.lower() == ".zip" else None
        self._bytes = sys.stdin.buffer.read() if self.is_standard_input else None

    @property
    def is_plain(self) -> bool:
        """Whether the file itself is the text."""
        return self._bytes is None and self._member is None and self._path.suffix.lower() not in _COMPRESSIONS

    def open(self) -> IO[bytes]:
        """Open the text, without its compression, at its start."""
        if self._bytes is not None:
            return io.BytesIO(self._bytes)
        if self._member is not None:
            return zipfile.ZipFile(self._path).open(self._member)
        compression: Any = _COMPRESSIONS.get(self._path.suffix.lower())
        return pa.input_stream(str(self._path), compression=compression)

    def open_for_arrow(self) -> Any:
        """The path of a plain file, which arrow reads in larger blocks, else the opened text."""
        return str(self._path) if self.is_plain else self.open()

    def head(self, size: int | None = None) -> bytes:
        """The first `size` bytes, or all of them."""
        try:
            with self.open() as file:
                return file.read() if size is None else file.read(size)
        except (OSError, EOFError, zipfile.BadZipFile, pa.ArrowException, RuntimeError) as error:
            raise ValueError(f"{self.name} cannot be decompressed: it is damaged or incomplete ({error}).") from error


def text_suffix(path: Path) -> str:
    """The ending of a file name in lower case, without that of its compression."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _COMPRESSIONS or suffix == ".zip" else suffix


def _only_member(path: Path) -> str:
    """The only file of a zip archive, apart from those that operating systems add."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is not a zip archive, or is damaged.") from error
    wanted = [info for info in members if not info.filename.startswith("__MACOSX/")]
    if len(wanted) != 1:
        listed = ", ".join(info.filename for info in wanted[:10]) or "none"
        raise ValueError(f"{path} must hold one file to be read as a table; it holds {len(wanted)}: {listed}.")
    if wanted[0].flag_bits & 1:
        raise ValueError(f"{path} is protected by a password: unpack it first.")
    return wanted[0].filename
