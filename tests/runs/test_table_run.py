"""Runs of tables: `train` checks its parameters; `tabrec explain` reads the table again and writes one page."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tabrec import BoostingRegressor, EnsembleRegressor
from tabrec.datasets import make_auctions, make_ratings, read_table
from tabrec.interpret import Report
from tabrec.runs import TableRun, train
from tabrec.runs.trained_table import describe_table

pytestmark = pytest.mark.usefixtures("small_models")

COLUMNS = ["SalePrice", "SalesID", "YearMade", "ProductSize", "state", "saledate"]


def write_auctions(folder):
    make_auctions(500, random_state=0)[COLUMNS].to_csv(folder / "auctions.csv", index=False)
    return folder / "auctions.csv"


@pytest.fixture
def table(tmp_path):
    return write_auctions(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "tree"}, "The 'model' parameter of train must be a str among"),
        ({"task": "ranking"}, "The 'task' parameter of train must be a str among"),
        ({"random_state": None}, "The 'random_state' parameter of train must be an instance of 'int'"),
        ({"target": "price"}, "no column 'price' for the target"),
        ({"time_column": "SalePrice"}, "cannot be both the target and the time"),
    ],
)
def test_parameters_of_train_are_checked(options, message):
    frame = make_auctions(100, random_state=0)[COLUMNS]
    with pytest.raises(ValueError, match=message):
        train(frame, **{"target": "SalePrice", **options})


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("forest", ["--log-target", "--time-column", "saledate", "--valid-from", "2010-01-01"]),
        ("net", ["--time-column", "saledate", "--no-refit"]),
    ],
)
def test_a_trained_run_is_explained(run, empty_figures, table, tmp_path, model, options):
    assert run("train", table, "--target", "SalePrice", "--model", model, "--out", "r", *options)[0] == 0
    new = pd.read_csv(table).drop(columns="SalePrice").assign(YearMade=2030)
    new.to_csv(tmp_path / "new.csv", index=False)
    code, printed, error = run("explain", "r", "--new", "new.csv")
    assert code == 0, error
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    name = "log of SalePrice" if "--log-target" in options else "SalePrice"
    assert f"<h1>r: {model} for {name}</h1>" in page
    assert "YearMade has shifted" in page
    assert "YearMade has shifted" in " ".join(printed.split())
    assert "report.html" in printed


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "kind"), [("boosting", BoostingRegressor), ("ensemble", EnsembleRegressor)], ids=["boosting", "ensemble"]
)
def test_the_report_is_of_a_model_that_has_not_seen_the_rows_held_out(run, table, monkeypatch, model, kind):
    given = []
    monkeypatch.setattr("tabrec.interpret.report", lambda *rows, **_: given.extend(rows) or Report("", []))
    assert run("train", table, "--target", "SalePrice", "--model", model, "--out", "r", "--log-target")[0] == 0
    assert run("explain", "r")[0] == 0
    explained, X, y, X_valid, y_valid = given
    assert isinstance(explained, kind)
    assert (len(X), len(y), len(X_valid)) == (400, 400, 100)
    predictions = TableRun.open("r").predictions
    np.testing.assert_allclose(np.exp(explained.predict(X_valid)), predictions["predicted"], rtol=1e-9)
    np.testing.assert_allclose(np.exp(y_valid), predictions["actual"])


def test_the_rows_held_out_are_those_of_training(run, tmp_path, empty_report):
    auctions = make_auctions(400, random_state=1)[COLUMNS]
    auctions["saledate"] = auctions["saledate"].dt.strftime("%d/%m/%Y")
    auctions.to_csv(tmp_path / "a.csv", index=False, sep=";")
    options = ["--time-column", "saledate", "--date-format", "%d/%m/%Y", "--delimiter", ";", "--log-target"]
    assert run("train", "a.csv", "--target", "SalePrice", "--out", "r", *options)[0] == 0
    opened = TableRun.open(tmp_path / "r")
    y, train_rows, valid_rows = opened.split(read_table("a.csv", delimiter=";"))
    assert opened.predictions["row"].tolist() == valid_rows.tolist()
    assert np.allclose(opened.inverse_target(y[valid_rows]), opened.predictions["actual"])
    assert len(train_rows) == opened.metadata["rows"]["train"]
    assert run("explain", "r", "-o", "page.html")[0] == 0
    assert (tmp_path / "page.html").exists()


@pytest.mark.long
def test_classes_are_explained(run, empty_figures, tmp_path):
    auctions = make_auctions(400, random_state=0)[["YearMade", "state", "ProductSize"]]
    auctions.to_parquet(tmp_path / "a.parquet", index=False)
    code, printed, error = run("train", "a.parquet", "--target", "ProductSize", "--out", "r")
    assert code == 0, error
    assert f"{auctions['ProductSize'].isna().sum()} rows" in printed + error  # its gaps are no class
    assert run("explain", "r")[0] == 0
    assert "Scores by class." in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_rating_run_is_explained(run, empty_figures, tmp_path):
    make_ratings(1_000, n_users=50, n_items=40, random_state=0).to_csv(tmp_path / "ratings.csv", index=False)
    assert run("rate", "ratings.csv", "--out", "r")[0] == 0
    (tmp_path / "ratings.csv").unlink()  # a recommender keeps its ratings
    code, _, error = run("explain", "r")
    assert code == 0, error
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    rmse = json.loads((tmp_path / "r" / "metrics.json").read_text())["metrics"]["BayesianFactorization"]["rmse"]
    assert f"{rmse:.4f}" in page
    assert "Map of items" in page


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    frame = read_table(write_auctions(tmp_path_factory.mktemp("auctions")))
    return train(frame, "SalePrice")


@pytest.fixture
def trained(trained_once, table, tmp_path):
    """A run in a new folder, and its table."""
    run = dataclasses.replace(trained_once, metadata={**trained_once.metadata, "table": describe_table(table)})
    return run.save(tmp_path / "r")


@pytest.fixture
def empty_report(monkeypatch):
    """Let `explain` write a page without sections, for tests of the table that it reads."""
    monkeypatch.setattr("tabrec.interpret.report", lambda *args, **options: Report("<!DOCTYPE html>", []))


def assert_refused(run, arguments, *parts):
    code, _, error = run("explain", *arguments)
    assert code == 2
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    for part in parts:
        assert part in error


def test_a_table_that_is_gone_may_be_named(run, trained, table, tmp_path, empty_report):
    shutil.move(table, tmp_path / "moved.csv")
    assert_refused(run, ["r"], "auctions.csv", "does not exist", "--table")
    assert not (trained / "report.html").exists()
    assert run("explain", "r", "--table", "moved.csv")[0] == 0


def test_a_table_that_has_changed_is_refused(run, trained, table, empty_report):
    text = table.read_text()
    table.write_text(text.replace("2004", "2005"))
    assert_refused(run, ["r"], "has changed", "--table")
    table.write_text(text)
    assert run("explain", "r")[0] == 0


def forget(folder, *names):
    """Save the run again without some of its metadata, as older versions did."""
    run = TableRun.open(folder)
    shutil.rmtree(folder)
    dataclasses.replace(run, metadata={k: v for k, v in run.metadata.items() if k not in names}).save(folder)


def test_a_run_that_records_no_table_needs_one(run, trained, table, empty_report):
    forget(trained, "table", "date_format")
    assert_refused(run, ["r"], "does not record the path of its table", "--table")
    assert run("explain", "r", "--table", table)[0] == 0


def test_a_table_with_other_rows_is_refused(run, trained, table):
    forget(trained, "table")
    pd.read_csv(table).head(30).to_csv(table, index=False)
    assert_refused(run, ["r", "--table", table], "has 30 rows", "500 rows", "'SalePrice'")


def test_an_existing_page_is_left_alone(run, trained):
    (trained / "report.html").write_text("mine")
    assert_refused(run, ["r"], "exists already")
    assert (trained / "report.html").read_text() == "mine"


def test_what_is_no_run_is_one_line(run, tmp_path):
    assert_refused(run, [tmp_path], "does not hold a run")


def test_newest_rows_without_a_column_are_refused(run, trained, table, tmp_path):
    pd.read_csv(table).drop(columns=["SalePrice", "state"]).to_csv(tmp_path / "new.csv", index=False)
    assert_refused(run, ["r", "--new", "new.csv"], "state")
    assert not (trained / "report.html").exists()


def test_a_target_of_text_that_is_numbers_is_a_regression():
    area = np.arange(200.0)
    table = pd.DataFrame({"area": area, "price": [f"${value:,.2f}" for value in area * 1e3]})
    with pytest.warns(UserWarning, match="Target 'price' is text that is read as numbers"):
        run = train(table, "price", model="boosting")
    assert run.metadata["task"] == "regression"
    assert run.predictions["actual"].max() > 1e5
    assert run.split(table)[0].tolist() == (area * 1e3).tolist()


@pytest.fixture(scope="module")
def european(tmp_path_factory):
    """A saved run of a file with decimal commas, marks of missing values and no header."""
    folder = tmp_path_factory.mktemp("european")
    rows = "".join(f"{1000 + i};grün {i % 7};{i % 50},{i % 10}5;{i}\n" for i in range(150)) + "-;grün 1;7,25;3\n"
    (folder / "a.csv").write_bytes(rows.encode("cp1252"))
    names = ["id", "colour", "size", "price"]
    run = train(read_table(folder / "a.csv", names=names), "price", model="boosting")
    run.metadata["table"] = describe_table(folder / "a.csv", {"names": names})
    run.save(folder / "run")
    return folder


@pytest.mark.parametrize(
    "content",
    [
        "id,colour,size\n1007,grün 0,7.75\n1008,grün 1,8.85\n",
        "colour\tsize\tid\ngrün 0\t7,75\t1007\ngrün 1\t8,85\t1008\n",
        "1007;grün 0;7,75\n1008;grün 1;8,85\n",
        "1007|grün 0|7,75|7\n1008|grün 1|8,85|8\n",
    ],
)
def test_a_new_table_may_be_written_otherwise(european, tmp_path, content):
    opened = TableRun.open(european / "run")
    (tmp_path / "new.csv").write_text(content, encoding="utf-8")
    frame = opened.read_table(tmp_path / "new.csv")
    assert frame["id"].tolist() == [1007, 1008]
    assert frame["size"].tolist() == [7.75, 8.85]
    expected = pd.DataFrame({"id": [1007, 1008], "colour": ["grün 0", "grün 1"], "size": [7.75, 8.85]})
    assert opened.predict(frame)["price"].tolist() == opened.predict(expected)["price"].tolist()


def test_new_rows_that_do_not_show_the_decimal_mark_have_that_of_training(european, tmp_path):
    opened = TableRun.open(european / "run")
    (tmp_path / "new.csv").write_text("id;colour;size\n1.007;grün 0;7\n-;grün 1;8\n", encoding="utf-8")
    frame = opened.read_table(tmp_path / "new.csv")
    assert frame["id"].tolist()[0] == 1007
    assert frame["id"].isna().tolist() == [False, True]
    assert len(opened.predict(frame)) == 2


def test_the_options_of_a_run_read_its_table_again(run, european, empty_report):
    code, _, error = run("explain", european / "run", "-o", "report.html")
    assert code == 0, error
