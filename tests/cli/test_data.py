"""`tabrec download` and `tabrec submit`: lists of data sets, downloaded files, and errors as one line."""

import pandas as pd
import pytest

from tabrec.datasets import DATASETS


def test_the_list_tells_what_is_here_already(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TABREC_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data/adult").mkdir(parents=True)
    (tmp_path / "data/adult/adult.data").touch()
    (tmp_path / "cache/tabrec/ml-1m").mkdir(parents=True)
    (tmp_path / "cache/tabrec/ml-1m/ratings.dat").touch()
    for arguments in ([], ["--list"], ["adult", "--list"]):
        code, printed, complained = run("download", *arguments)
        assert (code, complained) == (0, "")
        here = {line.split()[1] for line in printed.splitlines() if line.endswith(" yes  │")}
        assert here == {"adult", "movielens-1m"}
        assert all(name in printed for name in DATASETS)


@pytest.mark.real_data("adult/adult.data", "ml-100k/u.data", "bulldozers/Train.csv", "house-prices/train.csv")
def test_what_is_listed_as_here_is_what_a_download_would_not_fetch(run, data_dir):
    for name in ("adult", "movielens-100k", "bulldozers", "house-prices"):
        listed = run("download", "--list", "--data-dir", data_dir)[1]
        assert any(name in line and line.endswith(" yes  │") for line in listed.splitlines())
        code, printed, _ = run("download", name, "--data-dir", data_dir)
        assert code == 0
        assert printed.startswith(f"{name} is in {data_dir}")


def test_what_is_there_is_named_and_not_fetched_again(run, tmp_path):
    (tmp_path / "ml-latest-small").mkdir()
    for name in ("ratings.csv", "movies.csv"):
        (tmp_path / "ml-latest-small" / name).touch()
    code, printed, complained = run("download", "movielens-latest-small", "--data-dir", tmp_path)
    assert (code, complained) == (0, "")
    assert printed == f"movielens-latest-small is in {tmp_path / 'ml-latest-small'}.\n"


def test_an_unknown_name_is_one_line_with_those_that_are_known(run):
    code, printed, complained = run("download", "titanic")
    assert (code, printed) == (2, "")
    assert complained.startswith("error: name='titanic' must be one of bulldozers, ")
    assert complained.count("\n") == 1


@pytest.fixture
def competition(tmp_path):
    """A data folder with the sample submission of a competition."""
    (tmp_path / "data/some-competition").mkdir(parents=True)
    sample = pd.DataFrame({"Id": [1, 2], "SalePrice": [0.0, 0.0]})
    sample.to_csv(tmp_path / "data/some-competition/sample_submission.csv", index=False)
    return ["some-competition", "mine.csv", "-m", "first", "--data-dir", "data"]


def test_a_submission_is_sent_with_its_message(run, tmp_path, competition, monkeypatch):
    sent = []
    monkeypatch.setattr("tabrec.datasets.submit_kaggle", lambda *a, **k: sent.append((a, k)) or "Received [1].")
    code, printed, _ = run("submit", *competition)
    assert (code, printed) == (0, "Received [1].\n")
    (name, file, message), options = sent[0]
    assert (name, file.name, message, str(options["data_dir"])) == ("some-competition", "mine.csv", "first", "data")


def test_a_submission_in_another_form_is_refused_in_one_line(run, tmp_path, competition):
    (tmp_path / "mine.csv").write_text("Id,Price\n1,2\n2,3\n")
    code, printed, complained = run("submit", *competition)
    assert (code, printed) == (2, "")
    assert "mine.csv does not have the format of the sample" in complained
    assert complained.count("\n") == 1


def test_the_sample_may_be_named(run, tmp_path):
    (tmp_path / "mine.csv").write_text("Id,Price\n1,2\n2,3\n")
    (tmp_path / "sample.csv").write_text("Id,SalePrice\n1,0\n2,0\n")
    code, _, complained = run("submit", "some-competition", "mine.csv", "-m", "first", "--sample", "sample.csv")
    assert code == 2
    assert "mine.csv does not have the format of the sample" in complained
