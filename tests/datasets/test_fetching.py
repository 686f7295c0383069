"""Fetching: folders appear atomically and once, also for concurrent calls; a second call sends no request."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tabrec.datasets import (
    DATASETS,
    FetchError,
    fetch_adult,
    fetch_dataset,
    fetch_movielens,
    grouplens,
    load_adult,
    load_movielens,
    uci,
)
from tabrec.datasets._data_folders import MANIFEST

ADULT_ROW = b"39, State-gov, 77516, Bachelors, 13, Divorced, Sales, Husband, White, Male, 0, 0, 40, ?, >50K"
RATINGS = b"userId,movieId,rating,timestamp\n" + b"1,7,4.5,964982703\n" * 5_000
MOVIES = b"movieId,title,genres\n7,Sabrina (1995),Comedy|Romance\n"


@pytest.fixture
def sources(site, monkeypatch, zipped):
    monkeypatch.setattr(grouplens, "SITE", site.url)
    monkeypatch.setattr(uci, "SITE", site.url)
    release = {"ml-latest-small/ratings.csv": RATINGS, "ml-latest-small/movies.csv": MOVIES}
    site.files["/ml-latest-small.zip"] = zipped(release, compression=0)
    adult = {"adult.data": ADULT_ROW + b"\n", "adult.test": b"|1x3 Cross validator\n" + ADULT_ROW + b".\n"}
    site.files["/2/adult.zip"] = zipped(adult)
    return site


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def fetch(folder):
    return fetch_movielens("latest-small", folder)


def test_a_release_is_put_where_its_loader_finds_it(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match="tabrec download movielens-latest-small"):
        load_movielens("latest-small")
    folder = fetch_dataset("movielens-latest-small")
    assert folder == tmp_path / "cache" / "tabrec" / "ml-latest-small"
    assert visible(folder) == ["movies.csv", "ratings.csv"]
    assert len(load_movielens("latest-small").ratings) == 5_000


def test_adult_is_put_where_its_loader_finds_it(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("TABREC_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError, match=r"tabrec download adult` or tabrec.datasets.fetch_adult\(\)"):
        load_adult()
    assert fetch_dataset("adult") == tmp_path / "data" / "adult"
    assert load_adult().test["income"].tolist() == [">50K"]


def test_the_cache_is_below_home_where_nothing_else_is_said(sources, alone, monkeypatch):
    assert fetch_adult() == alone / ".cache" / "tabrec" / "adult"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which the specification says to pass over
    assert fetch_adult() == alone / ".cache" / "tabrec" / "adult"


def test_the_second_call_asks_nobody(sources, tmp_path):
    folder = fetch(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    sources.close()
    assert fetch(tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_only_the_folder_and_the_lock_are_left(sources, tmp_path):
    fetch(tmp_path / "data")
    assert visible(tmp_path / "data") == ["ml-latest-small"]
    assert {path.name for path in (tmp_path / "data" / ".tabrec").iterdir()} <= {"ml-latest-small.lock"}


def test_the_checksum_that_grouplens_publishes_is_checked(sources, tmp_path):
    sources.files["/ml-latest-small.zip.md5"] = b"MD5 (ml-latest-small.zip) = 0123456789abcdef0123456789abcdef\n"
    with pytest.raises(FetchError, match="but the source states 0123456789abcdef0123456789abcdef"):
        fetch(tmp_path)
    assert visible(tmp_path) == ["home"]
    assert not list((tmp_path / ".tabrec").glob("*.zip*"))


@pytest.mark.parametrize(
    "fault",
    [("cut", 20_000), ("drop",), ("status", 403), ("status", 404), ("status", 429, {"Retry-After": "99"}, b"")],
    ids=str,
)
def test_a_fault_leaves_no_folder_and_is_made_good_by_the_next_call(sources, tmp_path, fault):
    sources.faults["/ml-latest-small.zip"] = [fault, *[("drop",)] * 5]
    with pytest.raises(FetchError):
        fetch(tmp_path)
    assert visible(tmp_path) == ["home"]
    assert not (tmp_path / ".tabrec" / "ml-latest-small.zip").exists()
    sources.faults.clear()
    assert (fetch(tmp_path) / "ratings.csv").read_bytes() == RATINGS


def test_an_archive_without_what_is_needed_leaves_no_folder(sources, tmp_path, zipped):
    sources.files["/2/adult.zip"] = zipped({"adult.data": ADULT_ROW})
    with pytest.raises(FetchError, match="The download of adult lacks adult.test"):
        fetch_adult(tmp_path)
    assert visible(tmp_path) == ["home"]


def truncate(folder):
    (folder / "ratings.csv").write_bytes(RATINGS[:1000])


def remove(folder):
    (folder / "movies.csv").unlink()


def spoil(folder):
    (folder / MANIFEST).write_text("{")


@pytest.mark.parametrize("damage", [truncate, remove, spoil])
def test_a_damaged_folder_is_noticed_and_mended_and_the_users_files_stay(sources, tmp_path, damage):
    folder = fetch(tmp_path)
    (folder / "mine.csv").write_text("mine")
    damage(folder)
    fetch(tmp_path)
    assert (folder / "ratings.csv").read_bytes() == RATINGS
    assert (folder / "movies.csv").read_bytes() == MOVIES
    assert (folder / "mine.csv").read_text() == "mine"
    assert set(json.loads((folder / MANIFEST).read_text())["files"]) == {"ratings.csv", "movies.csv"}
    sources.close()
    fetch(tmp_path)


def test_what_the_user_has_put_there_is_left_as_it_is(sources, tmp_path):
    mine = tmp_path / "ml-latest-small"
    mine.mkdir()
    (mine / "ratings.csv").write_text("mine")
    with pytest.raises(FetchError, match="was not downloaded by tabrec and does not contain movies.csv"):
        fetch(tmp_path)
    (mine / "movies.csv").write_text("mine")
    assert fetch(tmp_path) == mine
    assert visible(mine) == ["movies.csv", "ratings.csv"]
    assert sources.seen == []


def test_what_a_killed_process_left_is_cleared(sources, tmp_path):
    left = tmp_path / ".tabrec" / "ml-latest-small.new"
    left.mkdir(parents=True)
    (left / "half.csv").write_text("1,")
    (tmp_path / ".tabrec" / "ml-latest-small.lock").touch()
    (tmp_path / "ml-latest-small").mkdir()  # empty: nobody's
    folder = fetch(tmp_path)
    assert visible(folder) == ["movies.csv", "ratings.csv"]
    assert not left.exists()


SCRIPT = (
    "import sys; from tabrec.datasets import fetch_movielens, grouplens\n"
    "grouplens.SITE = sys.argv[1]\n"
    "print(fetch_movielens('latest-small', sys.argv[2]))"
)


def start(site, folder):
    command = [sys.executable, "-c", SCRIPT, site.url, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long
def test_two_processes_fetch_once(sources, tmp_path):
    sources.faults["/ml-latest-small.zip"] = [("slow", 4_000)]  # half a second
    both = [start(sources, tmp_path) for _ in range(2)]
    results = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert [Path(out.strip()) for out, _ in results] == [tmp_path / "ml-latest-small"] * 2
    assert sources.paths().count("/ml-latest-small.zip") == 1
    assert (tmp_path / "ml-latest-small" / "ratings.csv").read_bytes() == RATINGS


@pytest.mark.long
def test_a_process_that_is_killed_leaves_a_part_that_the_next_one_resumes(sources, tmp_path):
    sources.faults["/ml-latest-small.zip"] = [("slow", 500)]  # four seconds
    part = tmp_path / ".tabrec" / "ml-latest-small.zip.part"
    with start(sources, tmp_path) as process:
        deadline = time.monotonic() + 30
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert visible(tmp_path) == ["home"]
    n_there = part.stat().st_size
    folder = fetch(tmp_path)
    assert sources.seen[-1].headers["range"] == f"bytes={n_there}-"
    assert (folder / "ratings.csv").read_bytes() == RATINGS


def test_a_read_only_cache_says_so(sources, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as read_only:
        read_only.setattr(os, "mkdir", refuse)
        with pytest.raises(FetchError, match=r"cannot be written to \(Read-only file system\): choose another folder"):
            fetch(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    # what is there already is found all the same
    folder = fetch(tmp_path / "cache")
    monkeypatch.setattr(os, "mkdir", refuse)
    assert fetch(tmp_path / "cache") == folder


def test_a_place_that_is_a_file_says_so(sources, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FetchError, match="cannot be written to.*file"):
        fetch(tmp_path / "file")
    (tmp_path / "ml-latest-small").touch()
    with pytest.raises(FetchError, match="is not a folder: move it away"):
        fetch(tmp_path)


def test_a_disk_that_fills_up_in_unpacking_leaves_no_folder(sources, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr("shutil.copyfileobj", refuse)
        with pytest.raises(FetchError, match="The disk of .* is full"):
            fetch(tmp_path)
    assert visible(tmp_path) == ["home"]
    assert not (tmp_path / ".tabrec" / "ml-latest-small.new").exists()
    n_seen = len(sources.seen)
    fetch(tmp_path)  # the download is there still
    assert len(sources.seen) == n_seen


def test_no_network_says_so_and_leaves_nothing(alone, nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(grouplens, "SITE", nowhere)
    with pytest.raises(FetchError, match="127.0.0.1 cannot be reached"):
        fetch(tmp_path / "data")
    assert visible(tmp_path / "data") == []


def test_nothing_is_printed(sources, tmp_path, capfd):
    fetch_movielens("latest-small", tmp_path, verbose=True)
    assert capfd.readouterr() == ("", "")  # progress is for terminals


def test_a_name_that_is_none_lists_those_there_are(alone):
    with pytest.raises(ValueError, match=r"name='titanic' must be one of bulldozers, .*, or kaggle:<competition>"):
        fetch_dataset("titanic")
    with pytest.raises(ValueError, match="size='20m' must be one of '100k'"):
        fetch_movielens("20m")


@pytest.mark.parametrize("name", DATASETS)
def test_every_name_leads_to_its_source(name, tmp_path, alone):
    folders = {"bulldozers": "bulldozers", "house-prices": "house-prices", "adult": "adult"}
    folder = tmp_path / folders.get(name, name.replace("movielens-", "ml-"))
    folder.mkdir()
    needed = ["Train.csv", "Valid.csv", "train.csv", "test.csv", "adult.data", "adult.test"]
    needed += ["u.data", "u.item", "u.user", "u.genre", "ratings.dat", "movies.dat", "users.dat"]
    for file in [*needed, "ratings.csv", "movies.csv"]:
        (folder / file).touch()
    assert fetch_dataset(name, tmp_path) == folder
