"""Errors of reading and of downloads."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}


class FetchError(OSError):
    """Data could not be downloaded, sent or written; the message says why and how to fix it.

    See Also
    --------
    fetch_dataset : Downloads a data set.
    """


class Interruption(FetchError):
    """A request failed for a temporary cause; it may be repeated after `retry_after` seconds, if known."""

    def __init__(self, message: str, retry_after: float | None = None):
        super().__init__(message)
        self.retry_after = retry_after


class NoHeaderError(ValueError):
    """A text table has no header, and no names were given for its `n_fields` columns.

    See Also
    --------
    read_table : Reads tables; its `names` names the columns.
    """

    def __init__(self, message: str, n_fields: int):
        super().__init__(message)
        self.n_fields = n_fields


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Raise errors of writing below a folder as a FetchError that says how to fix them."""
    try:
        yield
    except FetchError:
        raise
    except OSError as error:
        elsewhere = "choose another folder by data_dir or the environment variable TABREC_DATA_DIR"
        if error.errno in _FULL:
            raise FetchError(f"The disk of {folder} is full: make room there, or {elsewhere}.") from error
        if error.errno in _NOT_ALLOWED:
            raise FetchError(f"{folder} cannot be written to ({error.strerror}): {elsewhere}.") from error
        raise FetchError(f"{folder} cannot be written to: {error}. Fix this, or {elsewhere}.") from error
