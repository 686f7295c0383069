"""Kaggle's client against a local server: downloads, submissions, credentials and errors."""

import base64
import builtins
import json
import logging
import os
import subprocess
import sys
import traceback

import pandas as pd
import pytest

from tabrec.datasets import FetchError, _download, fetch_dataset, fetch_kaggle, load_bulldozers, submit_kaggle
from tabrec.datasets._credentials import find_credentials

BULLDOZERS = "bluebook-for-bulldozers"
SALES = b"SalesID,SalePrice,saledate\n1,66000,11/16/2006 0:00\n2,57000,3/26/2004 0:00\n"
NEW = b"SalesID,saledate\n3,1/5/2012 0:00\n"
SAMPLE = b"SalesID,SalePrice\n4,30000\n5,30000\n"


@pytest.fixture
def auctions(kaggle, zipped):
    """Kaggle with a competition whose training table is a zip file inside the archive."""
    files = {
        "Train.zip": zipped({"Train.csv": SALES}),
        "Valid.csv": NEW,
        "Test.csv": NEW,
        "random_forest_benchmark_test.csv": SAMPLE,
        "Data Dictionary.xlsx": b"xlsx",
    }
    kaggle.publish(BULLDOZERS, files)
    return kaggle


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.exists() else []


def write_private(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def without_credentials(monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    monkeypatch.delenv("KAGGLE_KEY", raising=False)


# Downloads


def test_a_competition_is_put_where_its_loader_finds_it(auctions, data):
    assert fetch_dataset("bulldozers", data) == data / "bulldozers"
    assert visible(data) == ["bulldozers"]
    assert "Train.zip" not in visible(data / "bulldozers")
    tables = load_bulldozers(data)
    assert tables.train["saledate"].dt.year.tolist() == [2006, 2004]
    assert tables.test["SalesID"].tolist() == [3]


def test_any_other_competition_gets_a_folder_of_its_name(kaggle, data):
    kaggle.publish("titanic", {"train.csv": b"a\n1\n"})
    assert fetch_dataset("kaggle:titanic", data) == data / "titanic"
    assert (data / "titanic" / "train.csv").read_bytes() == b"a\n1\n"


def test_the_request_is_that_of_kaggles_client_and_the_storage_sees_no_credentials(auctions, data):
    fetch_kaggle(BULLDOZERS, data)
    (request,) = auctions.site.seen
    assert (request.method, request.path) == ("POST", auctions.DOWNLOAD)
    assert json.loads(request.body)["competitionName"] == BULLDOZERS
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"somebody:{auctions.KEY}".encode()).decode()
    assert auctions.storage.seen
    for seen in auctions.storage.seen:
        assert seen.method == "GET"
        assert "authorization" not in seen.headers
        assert auctions.KEY not in str(seen)


def test_the_second_call_asks_neither_the_network_nor_for_credentials(auctions, data, monkeypatch):
    fetch_kaggle(BULLDOZERS, data)
    auctions.site.close()
    auctions.storage.close()
    without_credentials(monkeypatch)
    assert fetch_kaggle(BULLDOZERS, data) == data / "bulldozers"


def test_a_bundle_that_kaggle_sends_itself_is_taken_too(auctions, data):
    auctions.site.files[auctions.DOWNLOAD] = auctions.storage.files["/" + BULLDOZERS + ".zip"]
    auctions.site.faults[auctions.DOWNLOAD] = [("slow", 10_000), ("cut", 300)]
    fetch_kaggle(BULLDOZERS, data)
    assert (data / "bulldozers" / "Train.csv").read_bytes() == SALES
    assert [seen.method for seen in auctions.site.seen] == ["POST"] * 4
    assert all("authorization" in seen.headers for seen in auctions.site.seen)


def test_a_cut_is_resumed_at_a_new_signed_address(auctions, data):
    path = f"/{BULLDOZERS}.zip"
    # the client queries the storage first and uses only the address of the response
    auctions.storage.faults[path] = [("slow", 10_000), ("cut", 400)]
    fetch_kaggle(BULLDOZERS, data)
    resumed = auctions.storage.seen[-1]
    assert resumed.headers["range"] == "bytes=400-"
    assert resumed.path.endswith("?signature=2")
    assert (data / "bulldozers" / "Train.csv").read_bytes() == SALES


def test_an_address_whose_time_is_over_is_asked_for_anew(auctions, data):
    auctions.storage.faults[f"/{BULLDOZERS}.zip"] = [("slow", 10_000), ("status", 403)]
    fetch_kaggle(BULLDOZERS, data)
    assert auctions.n_signed == 2
    assert (data / "bulldozers" / "Train.csv").read_bytes() == SALES


def test_wrong_bytes_leave_no_folder(auctions, data):
    path = f"/{BULLDOZERS}.zip"
    good = auctions.storage.files[path]
    auctions.storage.files[path] = good[:100] + bytes([good[100] ^ 1]) + good[101:]
    with pytest.raises(FetchError, match="bulldozers.zip cannot be unpacked"):
        fetch_kaggle(BULLDOZERS, data)
    assert visible(data) == []
    auctions.storage.files[path] = good
    fetch_kaggle(BULLDOZERS, data)


def test_a_path_out_of_the_folder_leaves_nothing(kaggle, data, tmp_path):
    kaggle.publish("titanic", {"../../evil.csv": b"evil", "train.csv": b"a\n1\n"})
    with pytest.raises(FetchError, match="titanic.zip is not safe to unpack"):
        fetch_kaggle("titanic", data)
    assert visible(data) == []
    assert not list(tmp_path.rglob("evil.csv"))


# Refusals


@pytest.mark.parametrize(
    ("status", "says", "headers", "message"),
    [
        (401, "Unauthenticated", {}, r"does not accept the credentials from the environment variables KAGGLE_USERNAME"),
        (
            403,
            "You must accept the rules",
            {},
            f"accept its rules at https://www.kaggle.com/competitions/{BULLDOZERS}/rules",
        ),
        (404, "Not found", {}, f"has no competition '{BULLDOZERS}' .*status 404.: its name is the last part of"),
        (429, "Slow down", {"Retry-After": "1800"}, r"too many requests \(status 429\): try again in 1800 seconds"),
        (429, "Slow down", {}, "try again later"),
        (500, "Oops", {}, r"has a server error \(status 500\)"),
        (400, "Competition is over", {}, r"refused the request \(status 400\). Kaggle says: Competition is over"),
    ],
)
def test_a_refusal_says_what_to_do(auctions, data, status, says, headers, message):
    auctions.refuse(auctions.DOWNLOAD, status, says, headers)
    with pytest.raises(FetchError, match=message):
        fetch_kaggle(BULLDOZERS, data)
    assert visible(data) == []
    assert len(auctions.site.seen) == (5 if status == 500 or (status == 429 and not headers) else 1)


def test_a_refusal_that_passes_is_waited_out(auctions, data):
    auctions.site.faults[auctions.DOWNLOAD] = [
        ("status", 429, {"Retry-After": "0.02"}, b""),
        ("status", 503),
        ("drop",),
    ]
    fetch_kaggle(BULLDOZERS, data)
    assert len(auctions.site.seen) == 4


def test_a_competition_that_is_unknown_says_so(kaggle, data):
    with pytest.raises(FetchError, match="Kaggle has no competition 'titanik'"):
        fetch_kaggle("titanik", data)


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "a b", "https://www.kaggle.com/c/titanic", None, "ä"])
def test_what_cannot_be_a_name_is_refused_before_anything(alone, name):
    with pytest.raises(ValueError, match="must be the name in the address of its page"):
        fetch_kaggle(name)


def test_no_network_says_so(kaggle, data, monkeypatch, nowhere):
    from kagglesdk import kaggle_env

    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, nowhere)
    with pytest.raises(FetchError, match=r"kaggle.com cannot be reached .*: check the network"):
        fetch_kaggle(BULLDOZERS, data)
    assert visible(data) == []


def test_a_server_that_goes_silent_is_not_waited_for(auctions, data, monkeypatch):
    from tabrec.datasets import _kaggle_api

    monkeypatch.setattr(_kaggle_api, "TIMEOUT", 0.1)
    monkeypatch.setattr(_download, "WAITS", (0.01,))
    auctions.site.faults[auctions.DOWNLOAD] = [("stall", 0.5)] * 2
    with pytest.raises(FetchError, match="kaggle.com sent nothing for 0 seconds"):
        fetch_kaggle(BULLDOZERS, data)


def test_nothing_is_printed_or_logged_that_is_secret(auctions, data, capfd, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("KAGGLE_API_TOKEN", auctions.TOKEN)
    auctions.refuse(auctions.DOWNLOAD, 401, f"no such token {auctions.TOKEN}")
    with pytest.raises(FetchError, match=r"no such token \[secret\]") as caught:
        fetch_kaggle(BULLDOZERS, data)
    auctions.site.faults.clear()
    fetch_kaggle(BULLDOZERS, data)
    assert capfd.readouterr() == ("", "")
    for text in (caplog.text, "".join(traceback.format_exception(caught.value))):
        assert auctions.TOKEN not in text
        assert auctions.KEY not in text


# Kaggle's client is not there, or not as it should be


def test_without_kaggles_client_the_extra_is_named(alone, data, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token")
    real = builtins.__import__

    def no_kaggle(name, *rest):
        if name.startswith("kagglesdk"):
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_kaggle)
    with pytest.raises(FetchError, match=r"No module named 'kagglesdk'\): install it by `pip install .*'tabrec\["):
        fetch_kaggle(BULLDOZERS, data)


@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('how to log in'); raise SystemExit(1)", "SystemExit: 1"),
        ("import six_that_nobody_declared", "ModuleNotFoundError: No module named 'six_that_nobody_declared'"),
        ("", "No module named 'kagglesdk.competitions'"),
    ],
)
def test_a_client_that_cannot_be_imported_ends_in_an_error_not_in_an_exit(alone, tmp_path, source, message):
    (tmp_path / "kagglesdk.py").write_text(source)
    script = (
        "from tabrec.datasets import fetch_kaggle, FetchError\n"
        "try:\n    fetch_kaggle('titanic')\nexcept FetchError as error:\n    print(error)"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "KAGGLE_API_TOKEN": "token"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Kaggle's client cannot be imported" in done.stdout
    assert message in done.stdout


@pytest.mark.long
def test_the_client_is_imported_only_when_it_is_needed():
    script = "import sys, tabrec.datasets; print({'kaggle', 'kagglesdk', 'requests', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()"


# Credentials


def test_credentials_come_from_the_first_place_that_has_them(auctions, data, alone, monkeypatch):
    without_credentials(monkeypatch)

    def set_token(value):
        monkeypatch.setenv("KAGGLE_API_TOKEN", value)

    places = [
        (lambda: write_private(alone / ".kaggle" / "credentials.json", LOGIN), "Bearer access"),
        (lambda: write_private(alone / ".config" / "kaggle" / "kaggle.json", key_file("c")), "Basic c"),
        (lambda: write_private(alone / ".kaggle" / "kaggle.json", key_file("d")), "Basic d"),
        (lambda: set_folder(alone, monkeypatch), "Basic e"),
        (lambda: set_key(monkeypatch), "Basic f"),
        (lambda: write_private(alone / ".kaggle" / "access_token.txt", "tokentxt\n"), "Bearer tokentxt"),
        (lambda: write_private(alone / ".kaggle" / "access_token", "tokenfile\n"), "Bearer tokenfile"),
        (
            lambda: monkeypatch.setenv("KAGGLE_API_TOKEN", str(write_private(alone / "t", "fromfile"))),
            "Bearer fromfile",
        ),
        (lambda: monkeypatch.setenv("KAGGLE_API_TOKEN", "token"), "Bearer token"),
    ]
    for number, (put, expected) in enumerate(places):
        put()
        fetch_kaggle(BULLDOZERS, data / str(number))
        scheme, sent = auctions.site.seen[-1].headers["authorization"].split()
        assert f"{scheme} {base64.b64decode(sent).decode()[0] if scheme == 'Basic' else sent}" == expected


LOGIN = json.dumps(
    {
        "refresh_token": "r",
        "access_token": "access",
        "access_token_expiration": "2950-01-01T00:00:00+00:00",
        "username": "a",
    }
)


def key_file(username, key="0123"):
    return json.dumps({"username": username, "key": key})


def set_folder(home, monkeypatch):
    write_private(home / "elsewhere" / "kaggle.json", key_file("e"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / "elsewhere"))


def set_key(monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "f")
    monkeypatch.setenv("KAGGLE_KEY", "0123")


def test_absent_credentials_say_how_to_get_some(alone, data, capfd):
    with pytest.raises(
        FetchError, match="No Kaggle credentials: create an API token at https://www.kaggle.com/settings"
    ):
        fetch_kaggle(BULLDOZERS, data)
    assert capfd.readouterr() == ("", "")
    assert visible(data) == []


@pytest.mark.parametrize(
    "text",
    ["", "not json secret", "[]", "null", "{}", '{"username": "a"}', '{"username": "a", "key": 7}', key_file("a", "")],
)
def test_malformed_credentials_are_named_and_not_shown(alone, text):
    path = write_private(alone / ".kaggle" / "kaggle.json", text)
    with pytest.raises(FetchError, match=r"kaggle.json is malformed: it must be JSON of the form {.username") as caught:
        find_credentials()
    assert str(path) in str(caught.value)
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_other_malformed_credentials_are_named(alone, monkeypatch):
    write_private(alone / ".kaggle" / "credentials.json", "{")
    with pytest.raises(FetchError, match="credentials.json is malformed: run `kaggle auth login` again"):
        find_credentials()
    for text in ("", "two words", "\n"):
        write_private(alone / ".kaggle" / "access_token", text)
        with pytest.raises(FetchError, match="access_token does not hold a Kaggle token"):
            find_credentials()
    (alone / ".kaggle" / "access_token").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FetchError, match="access_token is malformed"):
        find_credentials()
    (alone / ".kaggle" / "access_token").unlink()
    monkeypatch.setenv("KAGGLE_USERNAME", "a")
    with pytest.raises(FetchError, match="variable KAGGLE_USERNAME is set but KAGGLE_KEY is not"):
        find_credentials()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
@pytest.mark.parametrize("name", ["kaggle.json", "access_token", "credentials.json"])
def test_credentials_that_others_can_read_are_refused(alone, name, mode):
    path = write_private(alone / ".kaggle" / name, LOGIN if name == "credentials.json" else key_file("a"))
    path.chmod(mode)
    with pytest.raises(FetchError, match="can be read or changed by other users of this machine: run `chmod 600 /.*`"):
        find_credentials()


def test_credentials_do_not_show_in_their_repr(alone, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody")
    monkeypatch.setenv("KAGGLE_KEY", "0123")
    found = find_credentials()
    assert "0123" not in repr(found)
    assert "somebody" not in repr(found)


# Entries


@pytest.fixture
def entry(tmp_path):
    file = tmp_path / "submission.csv"
    file.write_text("SalesID,SalePrice\n5,21000.5\n4,33000\n")
    return file


def test_an_entry_is_checked_against_the_sample_of_the_competition_and_sent(auctions, data, entry):
    assert submit_kaggle(BULLDOZERS, entry, "forest of 100", data_dir=data) == "Successfully submitted"
    assert auctions.uploaded == entry.read_bytes()
    start, create = auctions.site.seen[-2:]
    assert json.loads(start.body)["fileName"] == "submission.csv"
    assert json.loads(start.body)["contentLength"] == entry.stat().st_size
    assert json.loads(create.body)["blobFileTokens"] == "blob-7"
    assert json.loads(create.body)["submissionDescription"] == "forest of 100"
    assert json.loads(create.body)["competitionName"] == BULLDOZERS
    assert all("authorization" not in seen.headers for seen in auctions.storage.seen)


def test_a_sample_may_be_given(kaggle, entry):
    sample = pd.DataFrame({"SalesID": [4, 5], "SalePrice": 0.0})
    assert submit_kaggle(BULLDOZERS, entry, "forest", sample=sample) == "Successfully submitted"
    assert kaggle.DOWNLOAD not in kaggle.site.paths()


def test_an_entry_that_cannot_be_right_is_not_sent(kaggle, entry):
    sample = pd.DataFrame({"SalesID": [4, 6], "SalePrice": 0.0})
    with pytest.raises(ValueError, match="1 id is missing: 6; 1 id is not in the sample: 5"):
        submit_kaggle(BULLDOZERS, entry, "forest", sample=sample)
    assert kaggle.site.seen == []


def test_a_competition_without_a_sample_asks_for_one(kaggle, entry, data):
    kaggle.publish("titanic", {"train.csv": b"a\n1\n"})
    with pytest.raises(ValueError, match="contains no sample submission of titanic: pass one as sample"):
        submit_kaggle("titanic", entry, "forest", data_dir=data)


def test_an_entry_that_is_not_there_is_said_before_anything(alone, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file .*nothing.csv to submit"):
        submit_kaggle(BULLDOZERS, tmp_path / "nothing.csv", "forest")


def test_kaggles_refusal_of_an_entry_is_told_and_not_tried_again(kaggle, entry):
    sample = pd.DataFrame({"SalesID": [4, 5], "SalePrice": 0.0})
    kaggle.refuse(kaggle.CREATE, 400, "You have used up today's entries")
    with pytest.raises(FetchError, match="Kaggle says: You have used up today's entries"):
        submit_kaggle(BULLDOZERS, entry, "forest", sample=sample)
    kaggle.site.faults.clear()
    kaggle.site.seen.clear()
    kaggle.site.faults[kaggle.CREATE] = [("drop",)]
    with pytest.raises(FetchError, match="was cut"):
        submit_kaggle(BULLDOZERS, entry, "forest", sample=sample)
    assert kaggle.site.paths().count(kaggle.CREATE) == 1


def test_an_upload_that_is_cut_is_tried_again(kaggle, entry):
    sample = pd.DataFrame({"SalesID": [4, 5], "SalePrice": 0.0})
    kaggle.storage.faults["/upload"] = [("status", 503), ("drop",)]
    assert submit_kaggle(BULLDOZERS, entry, "forest", sample=sample) == "Successfully submitted"
    assert kaggle.uploaded == entry.read_bytes()
