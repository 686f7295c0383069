"""Downloads: atomic, resumed after interruption, and clear errors."""

import errno
import hashlib
import os
import resource
import shutil
import urllib.request
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from tabrec.datasets import FetchError, _download
from tabrec.datasets._download import Request, download, fetch_text, seconds
from tabrec.datasets._errors import writing_to

SIZE = 3_000_001


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data.zip"


def get(site, target, **settings):
    download(lambda: Request(f"{site.url}/data.zip"), target, verbose=False, **settings)


def sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_in(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def ranges(site):
    return [seen.headers.get("range") for seen in site.seen]


def test_a_file_arrives_as_it_is(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    get(site, target)
    assert sha256(target) == content.sha256()
    assert files_in(target.parent) == ["data.zip"]


def test_300_mb_cut_half_way_are_resumed_by_the_next_call_and_are_byte_equal(site, target, repeated, monkeypatch):
    site.files["/data.zip"] = content = repeated(300_000_000)
    site.faults["/data.zip"] = [("cut", 123_456_789)]
    monkeypatch.setattr(_download, "WAITS", ())
    with pytest.raises(FetchError, match=r"123,456,789 of 300,000,000 bytes: try again"):
        get(site, target)
    assert files_in(target.parent) == ["data.zip.part", "data.zip.part.json"]
    get(site, target)
    assert ranges(site) == [None, "bytes=123456789-"]
    assert site.seen[1].headers["if-range"] == '"1"'
    assert site.sent == 300_000_000
    assert files_in(target.parent) == ["data.zip"]
    assert sha256(target) == content.sha256()


def test_cuts_are_waited_out_as_long_as_the_file_grows(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    site.faults["/data.zip"] = [("cut", 300_000)] * 8 + [("drop",), ("status", 503)]
    get(site, target)
    assert sha256(target) == content.sha256()
    assert len(site.seen) == 11
    assert site.sent == SIZE


def test_cuts_that_bring_nothing_end_the_download(site, target, repeated):
    site.files["/data.zip"] = repeated(SIZE)
    site.faults["/data.zip"] = [("cut", 500_000)] + [("drop",)] * 9
    with pytest.raises(FetchError, match="The connection to 127.0.0.1 was cut"):
        get(site, target)
    assert len(site.seen) == 5
    assert files_in(target.parent) == ["data.zip.part", "data.zip.part.json"]


def test_a_server_without_ranges_is_asked_from_the_start(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    site.ranges = False
    site.faults["/data.zip"] = [("cut", 1_000_000)]
    get(site, target)
    assert ranges(site) == [None, "bytes=1000000-"]
    assert sha256(target) == content.sha256()


def test_a_server_without_ranges_that_always_cuts_is_given_up(site, target, repeated):
    site.files["/data.zip"] = repeated(SIZE)
    site.ranges = False
    site.faults["/data.zip"] = [("cut", 1_000_000)] * 50
    with pytest.raises(FetchError, match="1,000,000 of 3,000,001 bytes"):
        get(site, target)
    assert len(site.seen) == 5
    assert not target.exists()


def test_a_file_that_changed_between_the_parts_is_not_mixed(site, target, repeated, monkeypatch):
    site.files["/data.zip"] = repeated(SIZE)
    site.faults["/data.zip"] = [("cut", 1_000_000)]
    with monkeypatch.context() as once:
        once.setattr(_download, "WAITS", ())
        with pytest.raises(FetchError):
            get(site, target)
    site.files["/data.zip"] = new = repeated(SIZE - 5, b"new content ")
    site.etags["/data.zip"] = '"2"'
    get(site, target)
    assert sha256(target) == new.sha256()


def test_a_date_proves_a_file_the_same_where_the_tag_is_weak(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    site.etags["/data.zip"] = 'W/"1"'
    site.faults["/data.zip"] = [("cut", 1_000_000)]
    get(site, target)
    assert site.seen[1].headers["if-range"] == site.modified
    assert site.sent == SIZE
    assert sha256(target) == content.sha256()


def test_what_nothing_proves_the_same_is_neither_resumed_nor_kept(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    site.etags["/data.zip"] = site.modified = None
    site.faults["/data.zip"] = [("cut", 1_000_000)] + [("drop",)] * 9
    with pytest.raises(FetchError):
        get(site, target)
    assert files_in(target.parent) == []
    site.faults["/data.zip"] = [("cut", 1_000_000)]
    get(site, target)
    assert ranges(site) == [None] * len(site.seen)
    assert sha256(target) == content.sha256()


def test_a_part_that_is_the_whole_is_downloaded_anew(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    target.with_name("data.zip.part").write_bytes(b"x" * SIZE)
    target.with_name("data.zip.part.json").write_text(f'["\\"1\\"", {SIZE}]')
    get(site, target)
    assert ranges(site) == [f"bytes={SIZE}-", None]
    assert sha256(target) == content.sha256()


def test_a_server_that_sends_other_bytes_than_asked_for_is_asked_from_the_start(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    wrong = ("status", 206, {"Content-Range": f"bytes 0-9/{SIZE}"}, b"0123456789")
    site.faults["/data.zip"] = [("cut", 1_000_000), wrong]
    get(site, target)
    assert ranges(site) == [None, "bytes=1000000-", None]
    assert sha256(target) == content.sha256()


def test_a_length_that_is_not_told_is_taken_as_it_comes(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    site.chunked = True
    site.faults["/data.zip"] = [("cut", 1_000_000)]
    get(site, target)
    assert sha256(target) == content.sha256()


def test_wrong_bytes_are_told_by_the_checksum_and_removed(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    with pytest.raises(FetchError, match=r"data.zip arrived damaged: its MD5 is \w{32}, but the source states 0000"):
        get(site, target, md5="0" * 32)
    assert files_in(target.parent) == []
    md5 = hashlib.md5(b"".join(content.pieces())).hexdigest()
    get(site, target, md5=md5)
    assert files_in(target.parent) == ["data.zip"]


def test_a_slow_server_is_waited_for(site, target, monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", 0.5)
    site.files["/data.zip"] = bytes(range(256)) * 10
    site.faults["/data.zip"] = [("slow", 100)]  # 0.02 seconds between pieces, 0.5 in all
    get(site, target)
    assert target.read_bytes() == bytes(range(256)) * 10
    assert len(site.seen) == 1


def test_a_server_that_goes_silent_is_not_waited_for(site, target, monkeypatch):
    monkeypatch.setattr(_download, "TIMEOUT", 0.1)
    monkeypatch.setattr(_download, "WAITS", (0.01,))
    site.files["/data.zip"] = b"zip"
    site.faults["/data.zip"] = [("stall", 0.5)] * 2
    with pytest.raises(FetchError, match="127.0.0.1 sent nothing for 0 seconds: try again later"):
        get(site, target)
    assert files_in(target.parent) == []


@pytest.mark.parametrize(
    ("status", "headers", "message", "n_tries"),
    [
        (403, {}, r"refused the request \(status 403\)", 1),
        (404, {}, r"does not have the file \(status 404\)", 1),
        (429, {"Retry-After": "3600"}, r"too many requests \(status 429\): try again in 3600 seconds", 1),
        (429, {"Retry-After": "0"}, r"try again in 0 seconds", 5),
        (429, {}, r"try again later", 5),
        (500, {}, r"has a server error \(status 500\)", 5),
    ],
)
def test_a_refusal_says_what_it_means_and_leaves_nothing(site, target, status, headers, message, n_tries):
    site.files["/data.zip"] = b"zip"
    site.faults["/data.zip"] = [("status", status, headers, b"")] * 9
    with pytest.raises(FetchError, match=message):
        get(site, target)
    assert len(site.seen) == n_tries
    assert files_in(target.parent) == []


def test_a_refusal_that_passes_is_waited_out(site, target):
    site.files["/data.zip"] = b"zip"
    site.faults["/data.zip"] = [("status", 429, {"Retry-After": "0.02"}, b""), ("status", 502)]
    get(site, target)
    assert target.read_bytes() == b"zip"


def test_no_network_is_said_at_once(nowhere, alone, target):
    with pytest.raises(FetchError, match="127.0.0.1 cannot be reached .*refused.*: check the network"):
        download(lambda: Request(f"{nowhere}/data.zip"), target, verbose=False)
    assert files_in(target.parent) == []


def test_a_redirect_is_followed_without_the_credentials(site, storage, target):
    site.files["/data.zip"] = lambda handler, _: site.reply(
        handler, 302, headers={"Location": f"{storage.url}/there.zip"}
    )
    storage.files["/there.zip"] = b"zip"
    request = Request(f"{site.url}/data.zip", {"Authorization": "Bearer secret"})
    assert "secret" not in repr(request)
    download(lambda: request, target, verbose=False)
    assert target.read_bytes() == b"zip"
    assert site.seen[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in storage.seen[0].headers


def test_progress_is_told(site, target, repeated, monkeypatch):
    told = []
    monkeypatch.setattr(_download, "_progress", lambda name, verbose: nullcontext(lambda *done: told.append(done)))
    site.files["/data.zip"] = repeated(SIZE)
    site.faults["/data.zip"] = [("cut", 1_000_000)]
    get(site, target)
    assert told[0] == (0, SIZE)
    assert (1_000_000, SIZE) in told
    assert told[-1] == (SIZE, SIZE)
    assert told == sorted(told)


def test_a_redirect_out_of_https_is_refused():
    request = urllib.request.Request("https://example.org/data.zip")
    with pytest.raises(FetchError, match="example.org redirects to an insecure address: other.org"):
        _download._Redirects().redirect_request(request, None, 302, "", {}, "http://other.org/data.zip")


def test_a_disk_that_fills_up_keeps_the_part_and_no_more(site, target, repeated):
    site.files["/data.zip"] = content = repeated(SIZE)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
    try:
        with pytest.raises(FetchError, match=r"The disk of .* is full: make room there, or choose another folder"):
            get(site, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(target.parent) == ["data.zip.part", "data.zip.part.json"]
    get(site, target)
    assert ranges(site) == [None, "bytes=1500000-"]
    assert sha256(target) == content.sha256()


def test_a_disk_too_small_is_seen_before_the_first_byte(site, target, repeated, monkeypatch):
    site.files["/data.zip"] = repeated(SIZE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000))
    with pytest.raises(FetchError, match=r"has 1,000 bytes free, the download needs 3,000,001"):
        get(site, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "The disk of .* is full"),
        (errno.EDQUOT, "The disk of .* is full"),
        (errno.EROFS, "cannot be written to .Read-only"),
        (errno.EACCES, "cannot be written to .Permission denied.: choose another folder by data_dir"),
        (errno.EIO, "cannot be written to: .*TABREC_DATA_DIR"),
    ],
)
def test_what_the_system_says_becomes_what_to_do(tmp_path, number, message):
    with pytest.raises(FetchError, match=message), writing_to(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_text_is_fetched_and_an_absent_one_is_none(site, nowhere):
    site.files["/a.md5"] = b"MD5 (a.zip) = 0123"
    site.faults["/a.md5"] = [("drop",), ("status", 500)]
    assert fetch_text(f"{site.url}/a.md5") == "MD5 (a.zip) = 0123"
    assert fetch_text(f"{site.url}/b.md5") is None
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch_text(f"{nowhere}/a.md5")
    site.faults["/a.md5"] = [("drop",)] * 9
    with pytest.raises(FetchError, match="was cut"):
        fetch_text(f"{site.url}/a.md5")


def test_retry_after_is_seconds_or_a_date():
    assert seconds("17") == 17
    assert seconds("Sat, 21 Nov 2020 10:00:00 GMT") == 0
    assert seconds("Sat, 21 Nov 2950 10:00:00 GMT") > 1e9
    assert seconds("soon") is None
    assert seconds(None) is None
