"""Untrusted zip files: safe archives are extracted, all others are rejected completely."""

import shutil
import stat
import zipfile
from types import SimpleNamespace

import pytest

from tabrec.datasets import FetchError, _unpack
from tabrec.datasets._unpack import unpack


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "inside" / "folder"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "a.zip"


def assert_refused(archive, folder, message):
    before = {path for path in folder.parent.parent.rglob("*") if path != archive}
    with pytest.raises(FetchError, match=message):
        unpack(archive, folder, inner=True)
    assert not archive.exists()
    assert set(folder.parent.parent.rglob("*")) == before


def test_files_and_folders_come_out_and_the_archive_goes(archive, folder, zipped):
    archive.write_bytes(zipped({"a.csv": b"1,2\n" * 1000, "b/": b"", "c/d/e.csv": b"3"}))
    unpack(archive, folder)
    assert (folder / "a.csv").read_bytes() == b"1,2\n" * 1000
    assert (folder / "c" / "d" / "e.csv").read_bytes() == b"3"
    assert (folder / "b").is_dir()
    assert not archive.exists()


def test_inner_zips_are_unpacked_one_level_and_do_not_replace_files(archive, folder, zipped):
    deep = zipped({"deep.csv": b"0"})
    files = {
        "Train.zip": zipped({"Train.csv": b"train", "deep.zip": deep}),
        "Valid.csv": b"outer",
        "Valid.zip": zipped({"Valid.csv": b"inner"}),
        "Train.7z": b"7z",
        "sub/Test.zip": zipped({"Test.csv": b"test"}),
    }
    archive.write_bytes(zipped(files))
    unpack(archive, folder, inner=True)
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {
        "Train.csv": b"train",
        "deep.zip": deep,
        "Valid.csv": b"outer",
        "Train.7z": b"7z",
        "sub/Test.csv": b"test",
    }


def test_inner_zips_are_left_alone_unless_asked_for(archive, folder, zipped):
    inner = zipped({"a.csv": b"1"})
    archive.write_bytes(zipped({"a.zip": inner}))
    unpack(archive, folder)
    assert (folder / "a.zip").read_bytes() == inner


@pytest.mark.parametrize(
    "name", ["../evil.csv", "a/../../evil.csv", "/evil.csv", "..\\evil.csv", "C:evil.csv", "C:\\evil.csv", "\\evil.csv"]
)
def test_a_path_out_of_the_folder_is_refused(archive, folder, zipped, name):
    archive.write_bytes(zipped({"good.csv": b"1", name: b"2"}))
    assert_refused(archive, folder, "a.zip is not safe to unpack: its entry .*evil.csv' lies outside the folder")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_a_link_or_a_device_is_refused(archive, folder, kind):
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("good.csv", "1")
        packed.writestr(link, "/etc/passwd")
    assert_refused(archive, folder, "its entry 'link' is a link or a device")


def test_a_bomb_is_refused(archive, folder, zipped, monkeypatch):
    monkeypatch.setattr(_unpack, "ALWAYS_ALLOWED", 1_000_000)
    archive.write_bytes(zipped({"zeros.csv": bytes(5_000_000)}))
    assert_refused(archive, folder, "5,000,000 bytes is more than 100 times the download")


def test_a_bomb_of_a_bomb_is_refused(archive, folder, zipped, monkeypatch):
    monkeypatch.setattr(_unpack, "ALWAYS_ALLOWED", 1_000_000)
    archive.write_bytes(zipped({"a.csv": b"1", "inner.zip": zipped({"zeros.csv": bytes(5_000_000)})}))
    with pytest.raises(FetchError, match="inner.zip is not safe to unpack: 5,000,000 bytes"):
        unpack(archive, folder, inner=True)
    assert not (folder / "zeros.csv").exists()
    assert not archive.exists()


def test_a_size_that_lies_gives_no_more_than_it_says(archive, folder, zipped):
    packed = bytearray(zipped({"zeros.csv": bytes(5_000_000)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = packed.index(signature) + offset
        packed[start : start + 4] = (1_000).to_bytes(4, "little")
    archive.write_bytes(packed)
    with pytest.raises(FetchError, match="cannot be unpacked .*CRC"):
        unpack(archive, folder)
    assert (folder / "zeros.csv").stat().st_size <= 1_000


def test_too_many_files_are_refused(archive, folder, zipped, monkeypatch):
    monkeypatch.setattr(_unpack, "MAX_FILES", 20)
    archive.write_bytes(zipped({f"{i}.csv": b"1" for i in range(21)}))
    assert_refused(archive, folder, "more than 20 files")
    inner = zipped({f"{i}.csv": b"1" for i in range(15)})
    archive.write_bytes(zipped({"one.zip": inner, "two.zip": inner}))
    with pytest.raises(FetchError, match="two.zip is not safe to unpack: more than 20 files"):
        unpack(archive, folder, inner=True)


def test_two_entries_of_one_name_are_refused(archive, folder, zipped):
    archive.write_bytes(zipped({"a.csv": b"1", "A.csv": b"2"}))
    assert_refused(archive, folder, "two entries of the same name")


def test_an_encrypted_entry_is_refused(archive, folder, zipped):
    packed = bytearray(zipped({"a.csv": b"1"}))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(packed)
    assert_refused(archive, folder, "its entry 'a.csv' is encrypted")


def test_what_is_no_zip_is_refused(archive, folder):
    archive.write_bytes(b"<html>log in first</html>")
    assert_refused(archive, folder, "a.zip cannot be unpacked .*it arrived damaged or is not a zip file")


def test_wrong_bytes_are_refused(archive, folder, zipped):
    packed = bytearray(zipped({"a.csv": b"0123456789" * 1_000}, zipfile.ZIP_STORED))
    packed[5_000] ^= 1
    archive.write_bytes(packed)
    with pytest.raises(FetchError, match="cannot be unpacked .*CRC"):
        unpack(archive, folder)
    assert not archive.exists()


def test_a_disk_too_small_is_seen_before_and_keeps_the_archive(archive, folder, zipped, monkeypatch):
    archive.write_bytes(zipped({"a.csv": b"1" * 1_000}))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(FetchError, match=r"has 100 bytes free, unpacking a.zip needs 1,000"):
        unpack(archive, folder)
    assert archive.exists()
    assert list(folder.iterdir()) == []
