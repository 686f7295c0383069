"""Local servers that imitate GroupLens, UCI and Kaggle, with faults on request."""

import hashlib
import io
import json
import socket
import struct
import threading
import time
import zipfile
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tabrec.datasets import _download

VARIABLES = ["KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "KAGGLE_API_ENVIRONMENT"]
VARIABLES += ["KAGGLE_KERNEL_RUN_TYPE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TABREC_DATA_DIR"]
VARIABLES += ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]


BLOCK = b"".join(struct.pack("<I", i) for i in range(65_537))


class Repeated:
    """Bytes of any length, generated on demand by repeating a block."""

    def __init__(self, size, block=BLOCK):
        self.size, self._block = size, block * 4

    def __len__(self):
        return self.size

    def pieces(self, start=0, end=None):
        end = self.size if end is None else min(end, self.size)
        n = len(self._block) // 4  # repeats from here on
        while start < end:
            piece = self._block[start % n :][: end - start]
            yield piece
            start += len(piece)

    def sha256(self):
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


class Seen(NamedTuple):
    """A received request."""

    method: str
    path: str
    headers: dict
    body: bytes


class Site:
    """Files or functions of the request by path, and faults that each affect one request."""

    def __init__(self):
        self.files = {}
        self.etags = defaultdict(lambda: '"1"')
        self.modified = "Sat, 21 Nov 2020 10:00:00 GMT"
        self.ranges = True
        self.chunked = False
        self.faults = defaultdict(list)
        self.seen = []
        self.sent = 0
        self.lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    body = self._read_chunks()
                path = urlsplit(self.path).path
                with site.lock:
                    seen = Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                    site.seen.append(seen)
                    fault = site.faults[path].pop(0) if site.faults[path] else None
                try:
                    site.answer(self, path, seen, fault)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            do_GET = do_POST = do_PUT = handle_any

            def _read_chunks(self):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 32

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def paths(self):
        return [urlsplit(seen.path).path for seen in self.seen]

    def reply(self, handler, status, body=b"", headers=None):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def answer(self, handler, path, seen, fault):
        kind, *rest = fault or ("none",)
        if kind == "status":
            status, headers, body = (*rest, {}, b"")[:3] if len(rest) > 1 else (rest[0], {}, b"")
            return self.reply(handler, status, body, headers)
        if kind == "drop":
            handler.close_connection = True
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return handler.connection.close()
        if kind == "stall":
            time.sleep(rest[0])
        content = self.files.get(path)
        if content is None:
            return self.reply(handler, 404)
        if callable(content):
            return content(handler, seen)
        self.send_file(handler, path, content, seen, kind, rest)

    def send_file(self, handler, path, content, seen, kind, rest):
        if isinstance(content, bytes):
            content = Repeated(len(content), content or b"-")
        start = 0
        given = seen.headers.get("range")
        same = seen.headers.get("if-range") in (None, self.etags[path], self.modified)
        if given and self.ranges and same:
            start = int(given.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.reply(handler, 416, headers={"Content-Range": f"bytes */{len(content)}"})
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            handler.send_response(200)
        if self.etags[path]:
            handler.send_header("ETag", self.etags[path])
        if self.modified:
            handler.send_header("Last-Modified", self.modified)
        if self.chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        end = start + rest[0] if kind == "cut" else len(content)
        for piece in content.pieces(start, end):
            with self.lock:  # counted first: who has all of it may look at the count
                self.sent += len(piece)
            if kind == "slow":
                for i in range(0, len(piece), rest[0]):
                    time.sleep(0.02)
                    handler.wfile.write(piece[i : i + rest[0]])
                    handler.wfile.flush()
            elif self.chunked:
                handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            else:
                handler.wfile.write(piece)
        if kind == "cut":
            handler.close_connection = True
        elif self.chunked:
            handler.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """Isolate tests from environment variables, home folder and proxies, and shorten waits between retries."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setattr(_download, "WAITS", (0.01,) * 4)
    return home


@pytest.fixture
def site(alone):
    site = Site()
    yield site
    site.close()


@pytest.fixture
def storage(alone):
    """A second server, which is a different host with respect to credentials."""
    site = Site()
    yield site
    site.close()


@pytest.fixture
def nowhere():
    """An address without a server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@pytest.fixture(name="zipped")
def zipped_fixture():
    return zipped


@pytest.fixture
def repeated():
    return Repeated


class Kaggle:
    """An imitation of Kaggle: server, storage and files."""

    KEY = "0123456789abcdef-key"
    TOKEN = "KGAT_0123456789abcdef"
    SERVICE = "/v1/competitions.CompetitionApiService/"
    DOWNLOAD = SERVICE + "DownloadDataFiles"
    START = SERVICE + "StartSubmissionUpload"
    CREATE = SERVICE + "CreateSubmission"

    def __init__(self, site, storage):
        self.site, self.storage = site, storage
        self.bundles, self.uploaded = {}, None
        self.n_signed = 0
        site.files |= {self.DOWNLOAD: self.redirect, self.START: self.start, self.CREATE: self.create}
        storage.files["/upload"] = self.upload

    def publish(self, competition, files):
        self.bundles[competition] = f"/{competition}.zip"
        self.storage.files[f"/{competition}.zip"] = zipped(files)

    def refuse(self, path, status, message, headers=None):
        body = json.dumps({"code": status, "message": message}).encode()
        fault = ("status", status, {"Content-Type": "application/json", **(headers or {})}, body)
        self.site.faults[path] += [fault] * 20

    def redirect(self, handler, seen):
        competition = json.loads(seen.body)["competitionName"]
        if competition not in self.bundles:
            return self.site.reply(handler, 404)
        self.n_signed += 1
        place = f"{self.storage.url}{self.bundles[competition]}?signature={self.n_signed}"
        self.site.reply(handler, 302, headers={"Location": place})

    def start(self, handler, seen):
        answer = {"token": "blob-7", "createUrl": f"{self.storage.url}/upload?signature=9"}
        self.site.reply(handler, 200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def upload(self, handler, seen):
        self.uploaded = seen.body
        self.storage.reply(handler, 200)

    def create(self, handler, seen):
        answer = {"message": "Successfully submitted", "ref": 1}
        self.site.reply(handler, 200, json.dumps(answer).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def kaggle(site, storage, monkeypatch):
    """A local Kaggle for the official client, with credentials in the environment."""
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, site.url)
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody")
    monkeypatch.setenv("KAGGLE_KEY", Kaggle.KEY)
    return Kaggle(site, storage)
