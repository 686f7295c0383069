"""The command line on synthetic and real tables: results, and errors as one line with exit code 2."""

import errno
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest

import tabrec
from tabrec.datasets import make_auctions

pytestmark = pytest.mark.usefixtures("small_models")

OPTIONS = ["--target", "SalePrice", "--log-target", "--time-column", "saledate", "--valid-from", "2011-01-01"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    auctions = make_auctions(600, random_state=0)
    auctions.to_csv(folder / "auctions.csv", index=False)
    auctions.to_parquet(folder / "auctions.parquet", index=False)
    auctions.head(20).drop(columns=["SalePrice"]).to_csv(folder / "new.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trained(tables, tmp_path_factory):
    """A saved run; copy it before modifying it."""
    from tabrec.datasets import read_table
    from tabrec.runs import train

    frame = read_table(tables / "auctions.csv")
    return train(frame, "SalePrice", log_target=True).save(tmp_path_factory.mktemp("runs") / "run")


def assert_one_line(error, *parts):
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1, error
    assert error.startswith("error: ")
    for part in parts:
        assert part in error


@pytest.mark.long
@pytest.mark.parametrize("model", ["forest", "boosting", "net", "ensemble"])
def test_train_then_predict(run, tables, tmp_path, model):
    # The refit of every kind of model is the same code, and slow for nets.
    refit = ["--no-refit"] if model in ("net", "ensemble") else []
    code, printed, _ = run("train", tables / "auctions.csv", *OPTIONS, "--model", model, "--out", "runs/b", *refit)
    assert code == 0
    assert "validation" in printed
    assert "baseline" in printed
    metrics = json.loads((tmp_path / "runs/b/metrics.json").read_text())
    scores = metrics["metrics"]
    assert scores["validation"]["rmse"] < scores["baseline"]["rmse"]
    predictions = pd.read_csv(tmp_path / "runs/b/predictions.csv")
    assert len(predictions) == metrics["rows"]["validation"]
    rmse = np.sqrt(np.mean((np.log(predictions["actual"]) - np.log(predictions["predicted"])) ** 2))
    assert rmse == pytest.approx(scores["validation"]["rmse"])

    code, printed, _ = run("predict", "runs/b", tables / "new.csv", "--id", "SalesID", "-o", "submission.csv")
    assert code == 0
    submission = pd.read_csv(tmp_path / "submission.csv")
    assert submission.columns.tolist() == ["SalesID", "SalePrice"]
    assert submission["SalesID"].tolist() == pd.read_csv(tables / "new.csv")["SalesID"].tolist()
    assert submission["SalePrice"].between(2_000, 200_000).all()


def test_parquet_gives_the_same_run_as_csv(run, tables, tmp_path):
    for ending in ("csv", "parquet"):
        assert run("train", tables / f"auctions.{ending}", *OPTIONS, "--out", ending)[0] == 0
    first, second = (json.loads((tmp_path / ending / "metrics.json").read_text()) for ending in ("csv", "parquet"))
    assert first["metrics"] == second["metrics"]


def test_one_row_whose_text_looks_like_numbers_is_priced_as_in_its_batch(run, trained, tables, tmp_path):
    new = pd.read_csv(tables / "new.csv", dtype={"fiBaseModel": str})
    new["fiBaseModel"] = "580"
    new.to_csv(tmp_path / "many.csv", index=False)
    new.head(1).to_csv(tmp_path / "one.csv", index=False)
    assert run("predict", trained, "many.csv", "-o", "a.csv")[0] == 0
    assert run("predict", trained, "one.csv", "-o", "b.csv")[0] == 0
    a, b = pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "b.csv")
    assert b["SalePrice"][0] == pytest.approx(a["SalePrice"][0], rel=1e-6)


def test_classes_are_scored_and_predicted_by_label(run, tables, tmp_path):
    table = pd.read_csv(tables / "auctions.csv").assign(dear=lambda d: np.where(d["SalePrice"] > 25_000, "yes", "no"))
    table.drop(columns="SalePrice").to_csv(tmp_path / "classes.csv", index=False)
    code, printed, _ = run("train", "classes.csv", "--target", "dear", "--out", "c")
    assert code == 0
    assert "AUC" in printed
    scores = json.loads((tmp_path / "c/metrics.json").read_text())["metrics"]
    assert scores["validation"]["accuracy"] > scores["baseline"]["accuracy"]
    assert scores["validation"]["log_loss"] < scores["baseline"]["log_loss"]
    assert run("predict", "c", tables / "new.csv", "-o", "p.csv")[0] == 0
    assert set(pd.read_csv(tmp_path / "p.csv")["dear"]) <= {"yes", "no"}


def test_all_models_are_compared_and_the_best_predicts(run, tables, tmp_path):
    table = pd.read_csv(tables / "auctions.csv", usecols=["SalesID", "SalePrice", "YearMade", "state"]).head(120)
    table.to_csv(tmp_path / "few.csv", index=False)
    table.drop(columns="SalePrice").head(5).to_csv(tmp_path / "new.csv", index=False)
    options = ["--target", "SalePrice", "--model", "all", "--metric", "neg_mean_absolute_error", "--no-refit"]
    code, printed, stages = run("train", "few.csv", *options, "--verbose", "--predict", "new.csv", "--id", "SalesID")
    assert code == 0
    assert "Scores over 24 validation rows, best first" in printed
    assert "mean absolute error" in printed
    assert "forest, boosting, net: fitting on 96 rows" in stages
    board = json.loads((tmp_path / "runs/few-all/metrics.json").read_text())["leaderboard"]
    assert all(row["standard_error"] > 0 for row in board)
    submission = pd.read_csv(tmp_path / "runs/few-all/submission.csv")
    assert submission["SalesID"].tolist() == table["SalesID"].head(5).tolist()
    assert run("predict", "runs/few-all", "new.csv", "--decimals", "0", "-o", "p.csv")[0] == 0
    assert (pd.read_csv(tmp_path / "p.csv")["SalePrice"] == submission["SalePrice"].round(0)).all()


def test_force_replaces_a_run_and_nothing_else(run, trained, tables, tmp_path):
    import shutil

    shutil.copytree(trained, tmp_path / "r")
    (tmp_path / "mine").mkdir()
    few = pd.read_csv(tables / "auctions.csv", usecols=["SalePrice", "YearMade"]).head(50)
    few.to_csv(tmp_path / "few.csv", index=False)
    code, _, error = run("train", "few.csv", "--target", "SalePrice", "--force", "--out", "mine")
    assert code == 2
    assert_one_line(error, "mine is not a run")
    assert run("train", "few.csv", "--target", "SalePrice", "--force", "--no-refit", "--out", "r")[0] == 0
    assert json.loads((tmp_path / "r/metrics.json").read_text())["rows"] == {"train": 40, "validation": 10}


def test_probabilities_take_the_form_of_a_sample(run, tmp_path):
    table = pd.DataFrame({"Id": range(60), "x": [i % 10 for i in range(60)], "late": ["no", "yes"] * 30})
    table.to_csv(tmp_path / "t.csv", index=False)
    table[["Id"]].assign(score=0.5).to_csv(tmp_path / "sample.csv", index=False)
    assert run("train", "t.csv", "--target", "late", "--drop", "Id", "--no-refit", "--out", "r")[0] == 0
    assert run("predict", "r", "t.csv", "--proba", "--sample", "sample.csv", "-o", "s.csv")[0] == 0
    assert run("predict", "r", "t.csv", "--proba", "--decimals", "2", "-o", "p.csv")[0] == 0
    submission, probabilities = pd.read_csv(tmp_path / "s.csv"), pd.read_csv(tmp_path / "p.csv")
    assert submission.columns.tolist() == ["Id", "score"]
    assert probabilities.columns.tolist() == ["row", "probability_no", "probability_yes"]
    assert (submission["score"].round(2) == probabilities["probability_yes"]).all()


def test_run_without_out_finds_a_free_name(run, tables, tmp_path):
    for _ in range(2):
        assert run("train", tables / "auctions.csv", *OPTIONS)[0] == 0
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"auctions-forest", "auctions-forest-2"}


def test_without_a_date_the_latest_fifth_validates(run, tables, tmp_path):
    assert (
        run("train", tables / "auctions.csv", "--target", "SalePrice", "--time-column", "saledate", "--out", "r")[0]
        == 0
    )
    rows = json.loads((tmp_path / "r/metrics.json").read_text())["rows"]
    assert rows["validation"] == pytest.approx(120, abs=5)


def test_a_date_format_settles_what_is_ambiguous(run, tmp_path):
    days = [f"{day:02d}/{month:02d}/2011" for month in range(1, 13) for day in (1, 5)]
    pd.DataFrame({"t": days, "x": range(24), "y": range(24)}).to_csv(tmp_path / "t.csv", index=False)
    options = ["--target", "y", "--time-column", "t", "--valid-from", "2011-12-01", "--date-format", "%d/%m/%Y"]
    assert run("train", "t.csv", *options, "--out", "r")[0] == 0
    assert pd.read_csv(tmp_path / "r/predictions.csv")["row"].tolist() == [22, 23]


def test_columns_shows_every_column(run, tables):
    code, printed, _ = run("columns", tables / "auctions.csv")
    assert code == 0
    assert "600 rows, 53 columns" in printed
    assert "saledate" in printed
    assert "date" in printed


def test_columns_takes_the_options_of_train_that_decide(run, tmp_path):
    table = pd.DataFrame({"day": ["01/02/2020", "03/04/2020"] * 10, "grade": [1, 2] * 10, "price": range(1, 21)})
    table.to_csv(tmp_path / "t.csv", index=False)
    options = ["--task", "classification", "--time-column", "day", "--date-format", "%d/%m/%Y"]
    code, printed, _ = run("columns", "t.csv", "--target", "grade", *options)
    assert code == 0
    assert "text that is dates" in printed
    assert "(%d/%m/%Y)" in printed
    assert "classification of 2 classes" in printed
    assert "regression of its logarithm" in run("columns", "t.csv", "--target", "price", "--log-target")[1]
    error = run("columns", "t.csv", "--target", "grade", "--task", "classification", "--log-target")[2]
    assert_one_line(error, "--log-target requires a regression")
    assert_one_line(run("columns", "t.csv", "--date-format", "%d")[2], "--date-format '%d' requires --time-column")
    assert_one_line(run("columns", "t.csv", "--time-column", "dya")[2], "the nearest to 'dya' is 'day'")


def test_version(run):
    assert run("--version")[1].strip() == f"tabrec {tabrec.__version__}"


def test_program_is_installed_and_its_help_names_the_commands():
    done = subprocess.run([sys.executable, "-m", "tabrec", "--help"], capture_output=True, text=True, check=True)
    for command in ("train", "predict", "columns", "demo"):
        assert command in done.stdout


MISTAKES = {
    "missing file": (["nothing.csv"], None, "There is no file nothing.csv"),
    "misspelt file": (["tabel.csv"], "a,SalePrice\n1,2\n", "There is no file tabel.csv; similar: table.csv."),
    "nothing but the target": (["table.csv"], "SalePrice\n1\n2\n", "no column but the target 'SalePrice'"),
    "empty file": (["table.csv"], "", "table.csv is empty"),
    "header only": (["table.csv"], "a,SalePrice\n", "has a header but no rows"),
    "one row": (["table.csv"], "a,SalePrice\n1,2\n", "is constant (2)"),
    "a misspelt target": (["table.csv"], "a,saleprice\n1,2\n3,4\n", "the nearest to 'SalePrice' is 'saleprice'"),
    "a table and a query": (["table.csv", "--query", "q", "--from", "sqlite://"], "a\n1\n", "Name a table, or a query"),
    "a query without its database": (["--query", "q"], None, "needs both --query and --from"),
    "names twice": (["table.csv", "--names", "a", "--names-from", "b"], "1\n", "either --names or --names-from"),
    "wrong delimiter": (["table.csv", "--delimiter", ","], "a;SalePrice\n1;2\n3;4\n", "appears to be ';'"),
    "ragged rows": (["table.csv"], "a,SalePrice\n1,2\n3,4,5\n", "a row with 3 fields: '3,4,5'"),
    "no header": (["table.csv"], "1,2\n3,4\n5,7\n", "--names a,b,c or --names-from FILE"),
    "an unknown encoding": (
        ["table.csv", "--encoding", "utf-9"],
        "a,SalePrice\n1,2\n3,4\n",
        "Unknown --encoding 'utf-9'",
    ),
    "absent target": (["table.csv"], "a,b\n1,2\n3,4\n", "no column 'SalePrice' for the target"),
    "constant target": (["table.csv"], "a,SalePrice\n1,2\n3,2\n", "is constant (2)"),
    "missing target": (
        ["table.csv"],
        "a,SalePrice\n1,\n3,\n4,\n6,\n",
        "has 4 missing values (first in row 0)",
    ),
    "text target": (["table.csv", "--task", "regression"], "a,SalePrice\n1,x\n2,y\n", "a regression needs numbers"),
    "text target, logarithm": (["table.csv", "--log-target"], "a,SalePrice\n1,x\n2,y\n", "a regression needs numbers"),
    "logarithm of 0": (["table.csv", "--log-target"], "a,SalePrice\n1,0\n2,5\n3,6\n", "holds 0: only positive"),
    "infinity": (["table.csv"], "a,SalePrice\ninf,3\n3,5\n5,8\n1,2\n3,4\n5,6\n", "Column 'a' holds inf"),
    "unknown model": (
        ["table.csv", "--model", "tree"],
        "a,SalePrice\n1,2\n3,4\n5,7\n",
        "is not one of forest, boosting, net, ensemble",
    ),
    "unknown column dropped": (["table.csv", "--drop", "b"], "a,SalePrice\n1,2\n3,4\n5,7\n", "names ['b']"),
    "unknown time column": (["table.csv", "--time-column", "t"], "a,SalePrice\n1,2\n3,4\n5,7\n", "no column 't'"),
    "date without its column": (
        ["table.csv", "--valid-from", "2011"],
        "a,SalePrice\n1,2\n3,4\n5,7\n",
        "--valid-from '2011' requires --time-column",
    ),
    "misspelt target": (["table.csv"], "a,saleprice\n1,2\n3,4\n", "the nearest to 'SalePrice' is 'saleprice'"),
    "metric of another task": (
        ["table.csv", "--metric", "roc_auc"],
        "a,SalePrice\n1,2\n3,4\n5,7\n",
        "--metric 'roc_auc' does not suit a regression",
    ),
    "fewer rows than folds": (
        ["table.csv", "--cv", "9"],
        "a,SalePrice\n1,2\n3,4\n5,7\n",
        "--cv 9 needs at least 9 rows to train on, but there are 2",
    ),
    "one fold": (["table.csv", "--cv", "1"], "a,SalePrice\n1,2\n3,4\n5,7\n", "--cv must be an int in the range [2"),
    "absent table to predict": (
        ["table.csv", "--predict", "new.csv"],
        "a,SalePrice\n1,2\n3,4\n5,7\n",
        "There is no file new.csv",
    ),
    "date before all": (
        ["table.csv", "--time-column", "t", "--valid-from", "1999-01-01"],
        "t,SalePrice\n2001-01-01,2\n2002-01-01,4\n2003-01-01,5\n",
        "2001-01-01",
    ),
    "date after all": (
        ["table.csv", "--time-column", "t", "--valid-from", "2009-01-01"],
        "t,SalePrice\n2001-01-01,2\n2002-01-01,4\n2003-01-01,5\n",
        "2003-01-01",
    ),
    "ambiguous dates": (
        ["table.csv", "--time-column", "t", "--valid-from", "2003-01-01"],
        "t,SalePrice\n01/02/2001,2\n03/04/2002,4\n05/06/2003,5\n",
        "can be read as '%m/%d/%Y' or as '%d/%m/%Y': name its --date-format.",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(run, tmp_path, case):
    arguments, content, message = MISTAKES[case]
    if content is not None:
        (tmp_path / "table.csv").write_text(content)
    before = set(tmp_path.iterdir())
    code, _, error = run("train", *arguments, "--target", "SalePrice", "--out", "runs/x")
    assert code == 2
    assert_one_line(error, message)
    assert not list(tmp_path.glob("runs/*"))
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "runs"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--predict", "new.csv", "--proba"], "--proba requires classes, but 'price' is a number"),
        (["--predict", "new.csv", "--task", "classification", "--decimals", "2"], "--decimals 2 requires numbers"),
        (["--predict", "new.csv", "--id", "key"], "no column 'key' for the ids"),
        (["--predict", "new.csv", "--sample", "sample.csv"], "2 rows, the sample has 1"),
        (["--predict", "table.csv"], "Column(s) ['size'] seen in fit are missing"),
        (["--predict", "text.csv"], "Column 'size' must hold numbers, as in fit, but holds 'large'"),
        (["--proba"], "--proba requires new rows: name their table with --predict"),
        (["--id", "key"], "--id key requires new rows: name their table with --predict"),
        (["--out", "table.csv/run"], "table.csv/run was not written: a part of the path is not a folder"),
    ],
)
def test_predictions_that_would_fail_are_refused_before_training(run, tmp_path, monkeypatch, options, message):
    (tmp_path / "old.csv").write_text("Id,size,price\n1,2,3\n4,5,6\n7,8,9\n")
    (tmp_path / "new.csv").write_text("Id,size\n1,2\n4,5\n")
    (tmp_path / "text.csv").write_text("Id,size\n1,large\n4,5\n")
    (tmp_path / "table.csv").write_text("Id,price\n1,2\n4,5\n")
    (tmp_path / "sample.csv").write_text("Id,price\n1,0\n")
    monkeypatch.setattr("tabrec.runs.train", None)
    code, _, error = run("train", "old.csv", "--target", "price", *options)
    assert code == 2
    assert_one_line(error, message)
    assert not (tmp_path / "runs").exists()


def test_new_rows_from_standard_input_are_predicted(run, tmp_path, monkeypatch):
    table = pd.DataFrame({"code": ["1", "2", "x"] * 20, "price": [1.5, 2.5, 3.5] * 20})
    table.to_csv(tmp_path / "old.csv", index=False)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"code\n1\n2\n")))
    assert run("train", "old.csv", "--target", "price", "--no-refit", "--predict", "-", "--out", "r")[0] == 0
    assert pd.read_csv(tmp_path / "r/submission.csv")["price"].tolist() == pytest.approx([1.5, 2.5], abs=0.1)


def test_rows_without_a_target_are_left_out_and_said(run, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i},{i if i % 5 else ''}\n" for i in range(40)))
    command = ["train", str(tmp_path / "a.csv"), "--target", "y", "--model", "boosting", "--out", str(tmp_path / "run")]
    assert "8 rows without a value of y left out." in run(*command)[1]
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert predictions["actual"].tolist() == predictions["row"].tolist()


def test_existing_out_is_left_alone(run, tables, tmp_path):
    (tmp_path / "taken").mkdir()
    code, _, error = run("train", tables / "auctions.csv", *OPTIONS, "--out", "taken")
    assert code == 2
    assert_one_line(error, "taken exists already")
    assert list((tmp_path / "taken").iterdir()) == []


def test_existing_predictions_are_left_alone(run, trained, tables, tmp_path):
    (tmp_path / "p.csv").write_text("mine")
    code, _, error = run("predict", trained, tables / "new.csv", "-o", "p.csv")
    assert code == 2
    assert_one_line(error, "p.csv exists already")
    assert (tmp_path / "p.csv").read_text() == "mine"
    assert run("predict", trained, tables / "new.csv", "-o", "p.csv", "--force")[0] == 0
    assert len(pd.read_csv(tmp_path / "p.csv")) == 20


def test_a_full_disk_is_one_line_and_leaves_the_earlier_file(run, trained, tables, tmp_path, monkeypatch):
    def to_csv(frame, file, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "p.csv").write_text("mine")
    monkeypatch.setattr(pd.DataFrame, "to_csv", to_csv)
    code, _, error = run("predict", trained, tables / "new.csv", "-o", "p.csv", "--force")
    assert code == 2
    assert_one_line(error, "p.csv was not written: no space is left on the disk")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("p.csv", "mine")]


def test_a_table_that_does_not_fit_into_memory_is_one_line(run, tables, monkeypatch):
    def read_csv(*arguments, **options):
        raise pa.ArrowMemoryError("malloc of size 2147483648 failed")

    monkeypatch.setattr(pyarrow.csv, "read_csv", read_csv)
    code, _, error = run("train", tables / "auctions.csv", "--target", "SalePrice")
    assert code == 2
    assert_one_line(error, "Not enough memory for this table")


def test_the_card_of_a_run_is_printed_or_written(run, trained, tmp_path):
    code, printed, _ = run("card", trained)
    assert code == 0
    assert printed == tabrec.model_card(trained)
    code, said, _ = run("card", trained, "-o", "MODEL.md")
    assert (code, said) == (0, "The model card is in MODEL.md.\n")
    assert (tmp_path / "MODEL.md").read_text(encoding="utf-8") == printed
    assert_one_line(run("card", tmp_path)[2], "is not a saved model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="state"), "['state']"),
        (lambda d: d.assign(YearMade="old"), "Column 'YearMade' must hold numbers, as in fit, but holds 'old'"),
        (lambda d: d.rename(columns={"SalesID": "id"}), "no column 'SalesID' for the ids"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(run, trained, tables, tmp_path, change, message):
    change(pd.read_csv(tables / "new.csv", low_memory=False)).to_csv(tmp_path / "new.csv", index=False)
    code, _, error = run("predict", trained, "new.csv", "--id", "SalesID", "-o", "p.csv")
    assert code == 2
    assert_one_line(error, message)
    assert not (tmp_path / "p.csv").exists()


def test_a_folder_that_is_no_run_is_one_line(run, tables, tmp_path):
    code, _, error = run("predict", tmp_path, tables / "new.csv", "-o", "p.csv")
    assert code == 2
    assert_one_line(error, "does not hold a run")


def test_a_damaged_run_is_one_line(run, trained, tables, tmp_path):
    import shutil

    for file in sorted((trained / "model").iterdir()):
        shutil.copytree(trained, tmp_path / "damaged")
        (tmp_path / "damaged/model" / file.name).write_bytes(file.read_bytes()[:-1] + b"?")
        code, _, error = run("predict", tmp_path / "damaged", tables / "new.csv", "-o", "p.csv")
        assert code == 2
        assert_one_line(error, "damaged", file.name)
        assert not (tmp_path / "p.csv").exists()
        shutil.rmtree(tmp_path / "damaged")


def test_the_options_of_reading_are_shared(run, tmp_path):
    (tmp_path / "a.txt").write_bytes("7;Köln;1,5\n8;Bonn;-\n9;Köln;2,5\n9;Ulm;3,5\n9;Ulm;1,5\n".encode("cp1252"))
    (tmp_path / "names.txt").write_text("id\ntown\nx\n")
    for names in (["--names", "id, town, x"], ["--names-from", "names.txt"]):
        code, printed, _ = run("columns", "a.txt", *names)
        assert code == 0
        assert printed.startswith("a.txt: delimiter ';', cp1252, decimal comma, no header, '-' in x taken as missing.")
        assert "town" in printed
    assert run("train", "a.txt", "--names", "id,town,x", "--missing", "9", "--target", "town", "--out", "r")[0] == 0
    assert json.loads((tmp_path / "r/metrics.json").read_text())["table"]["reading"] == {
        "names": ["id", "town", "x"],
        "missing": ["9"],
    }


def test_a_query_is_trained_on_and_predicted(run, tables, tmp_path):
    pytest.importorskip("sqlalchemy")
    import sqlite3

    with sqlite3.connect(tmp_path / "a.db") as connection:
        pd.read_csv(tables / "auctions.csv").to_sql("sales", connection, index=False)
    query = ["--query", "select * from sales", "--from", "sqlite:///a.db"]
    assert run("train", *query, "--target", "SalePrice", "--model", "boosting", "--out", "r")[0] == 0
    assert run("predict", "r", *query, "--id", "SalesID", "-o", "p.csv")[0] == 0
    assert len(pd.read_csv(tmp_path / "p.csv")) == 600
    code, _, error = run("explain", "r")
    assert code == 2
    assert_one_line(error, "does not record the path of its table: name it with --table")
