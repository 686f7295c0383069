"""Download of one file over HTTP: resumed after an interruption, verified, and complete or absent."""

from __future__ import annotations

import email.utils
import hashlib
import http.client
import json
import os
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from tabrec.datasets._errors import FetchError, Interruption, writing_to

TIMEOUT = 30.0  # seconds without data
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds before each retry; progress resets them
LONGEST_WAIT = 60.0  # a longer wait raises an error, and the user decides
_BLOCK = 1 << 20

Report = Callable[[int, int | None], object]  # takes the number of bytes received and the total
Explain = Callable[[int, float | None], FetchError | None]  # takes a status and the seconds of Retry-After


@dataclass(frozen=True)
class Request:
    """A request for a file. Its headers are sent to the host of the address only: a redirect drops them."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "GET"
    body: bytes | None = field(default=None, repr=False)


def download(
    ask: Callable[[], Request],
    target: Path,
    *,
    verbose: bool,
    md5: str | None = None,
    explain: Explain = lambda status, retry_after: None,
) -> None:
    """Download to a file that is complete or absent.

    Data received before an interruption are kept in ``<target>.part``, and the next call resumes there if the server
    still has the same file. `ask` creates the request of each attempt, because signed addresses expire. `explain` may
    return the error for a status.
    """
    partial = _Partial(target)
    try:
        with _progress(target.name, verbose) as report:
            _download_with_retries(ask, partial, explain, report)
        partial.finish(md5)
    finally:
        if partial.validator is None:
            partial.discard()  # without a validator, a later resume could mix two versions of the file


def _download_with_retries(ask: Callable[[], Request], partial: _Partial, explain: Explain, report: Report) -> None:
    """Repeat requests until the file is complete or has stopped growing."""
    start = largest = partial.size
    failures = 0
    while True:
        try:
            return _try(ask(), partial, explain, report)
        except Interruption as interruption:
            if isinstance(interruption, NoNetwork) and largest == start == partial.size:
                raise
            if partial.size > largest:
                largest, failures = partial.size, 0
            wait_or_give_up(interruption, failures)
            failures += 1


def fetch_text(url: str) -> str | None:
    """Return a small text file, or None if the server does not have it."""
    for failures in range(len(WAITS) + 1):
        try:
            with _open(Request(url), {}, lambda status, _: None) as response:
                return response.read(_BLOCK).decode("utf-8", "replace")
        except _Absent:
            return None
        except NoNetwork:
            raise
        except Interruption as interruption:
            wait_or_give_up(interruption, failures)
        except FetchError:
            raise
        except (OSError, http.client.HTTPException) as error:
            wait_or_give_up(_cut(url, error), failures)
    raise AssertionError("wait_or_give_up raises after the last attempt")


def wait_or_give_up(interruption: Interruption, failures: int) -> None:
    """Wait before the next attempt; raise the interruption after the last one or if the wait is too long."""
    if failures >= len(WAITS):
        raise interruption
    wait = WAITS[failures] if interruption.retry_after is None else interruption.retry_after
    if wait > LONGEST_WAIT:
        raise interruption
    time.sleep(wait)


def status_error(host: str, status: int, retry_after: float | None) -> FetchError:
    """Return the error for a status, if nothing more specific is known."""
    if status == 429:
        when = "later" if retry_after is None else f"in {retry_after:.0f} seconds"
        return Interruption(f"{host} received too many requests (status 429): try again {when}.", retry_after)
    if status >= 500:
        return Interruption(f"{host} has a server error (status {status}): try again later.", retry_after)
    if status in (404, 410):
        return _Absent(f"{host} does not have the file (status {status}).")
    return FetchError(f"{host} refused the request (status {status}): try again later.")


class NoNetwork(Interruption):
    """There is no connection; the request is retried only if an earlier one succeeded."""

    def __init__(self, host: str, cause: object):
        super().__init__(
            f"{host} cannot be reached ({cause}): check the network, and the variable HTTPS_PROXY if there is a proxy."
        )


def seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None


class _Absent(FetchError):
    pass


class _Partial:
    """The received part of a file, and the validator that identifies the file on the server."""

    def __init__(self, target: Path):
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._mark = target.with_name(target.name + ".part.json")
        try:
            self.validator, self.total = json.loads(self._mark.read_text())
            self.size = self.path.stat().st_size
        except (OSError, ValueError, TypeError):
            self.discard()

    def discard(self) -> None:
        self.validator, self.total, self.size = None, None, 0
        if self.path.parent.is_dir():
            with writing_to(self.path.parent):
                self.path.unlink(missing_ok=True)
                self._mark.unlink(missing_ok=True)

    def begin(self, validator: str | None, total: int | None) -> None:
        self.discard()
        self.validator, self.total = validator, total
        if validator is not None:
            with writing_to(self.path.parent):
                self._mark.write_text(json.dumps([validator, total]))

    def finish(self, md5: str | None) -> None:
        if md5 is not None:
            with self.path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != md5:
                self.discard()
                raise FetchError(
                    f"{self.target.name} arrived damaged: its MD5 is {found}, but the source states {md5}. Try again; "
                    "if it happens again, something between the source and this machine changes the file."
                )
        with writing_to(self.path.parent):
            os.replace(self.path, self.target)
            self._mark.unlink(missing_ok=True)


def _try(request: Request, partial: _Partial, explain: Explain, report: Report) -> None:
    """Send one request and append its content to the partial file."""
    headers = {"Accept-Encoding": "identity"}
    if partial.size and partial.validator is not None:
        headers |= {"Range": f"bytes={partial.size}-", "If-Range": partial.validator}
    try:
        with _open(request, headers, explain) as response:
            if not _continues(response, partial):
                length = response.headers.get("Content-Length", "")
                partial.begin(_validator(response.headers), int(length) if length.isdigit() else None)
            _check_space(partial)
            _append(response, partial, report)
    except _RangeRefused as error:
        partial.discard()
        raise Interruption(f"{_host(request.url)} cannot resume the file: try again.", 0.0) from error
    except FetchError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise _cut(request.url, error) from error
    if partial.total is not None and partial.size != partial.total:
        more = f"{partial.size:,} of {partial.total:,} bytes"
        if partial.size > partial.total:
            partial.discard()
        raise Interruption(f"{_host(request.url)} ended the download of {partial.target.name} at {more}: try again.")


def _continues(response: Any, partial: _Partial) -> bool:
    """Return whether the response continues the partial file."""
    if response.status != 206:
        return False
    size = "*" if partial.total is None else partial.total
    expected = f"bytes {partial.size}-"
    found = response.headers.get("Content-Range", "")
    if not found.startswith(expected) or not found.endswith((f"/{size}", "/*")):
        raise _RangeRefused(found)
    return True


class _RangeRefused(FetchError):
    pass


def _validator(headers: Any) -> str | None:
    """Return the value for If-Range: a strong ETag, otherwise the date of the last change."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _check_space(partial: _Partial) -> None:
    if partial.total is None:
        return
    free, needed = shutil.disk_usage(partial.path.parent).free, partial.total - partial.size
    if free < needed:
        raise FetchError(
            f"The disk of {partial.path.parent} has {free:,} bytes free, the download needs {needed:,}: make room "
            "there, or choose another folder by data_dir or the environment variable TABREC_DATA_DIR."
        )


def _append(response: Any, partial: _Partial, report: Report) -> None:
    with writing_to(partial.path.parent):
        file = partial.path.open("ab", buffering=0)
    with file:
        while True:
            report(partial.size, partial.total)
            block = response.read1(_BLOCK)  # returns the bytes that have arrived, without waiting for a whole block
            if not block:
                return
            with writing_to(partial.path.parent):
                while block:
                    written = file.write(block)
                    partial.size += written
                    block = block[written:]


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if urlsplit(newurl).scheme not in ("https", urlsplit(req.full_url).scheme):
            raise FetchError(f"{_host(req.full_url)} redirects to an insecure address: {_host(newurl)}.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open(request: Request, headers: Mapping[str, str], explain: Explain) -> Any:
    opened = urllib.request.Request(request.url, data=request.body, headers=dict(headers), method=request.method)
    for name, value in request.headers.items():
        opened.add_unredirected_header(name, value)
    host = _host(request.url)
    try:
        return urllib.request.build_opener(_Redirects).open(opened, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _RangeRefused(host) from None
        retry_after = seconds(error.headers.get("Retry-After"))
        raise explain(error.code, retry_after) or status_error(host, error.code, retry_after) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise FetchError(
                f"The certificate of {host} cannot be verified ({error.reason.verify_message}): install the root "
                "certificates of your system or of Python, or name their file in SSL_CERT_FILE."
            ) from error
        if isinstance(error.reason, TimeoutError | ConnectionResetError):
            raise _cut(request.url, error.reason) from error
        raise NoNetwork(host, error.reason) from error


def _cut(url: str, error: BaseException) -> Interruption:
    if isinstance(error, TimeoutError):
        return Interruption(f"{_host(url)} sent nothing for {TIMEOUT:.0f} seconds: try again later.")
    return Interruption(f"The connection to {_host(url)} was cut ({error}): try again.")


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


@contextmanager
def _progress(name: str, verbose: bool) -> Iterator[Report]:
    console = Console(stderr=True, highlight=False)
    if not (verbose and console.is_terminal):
        yield lambda done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
