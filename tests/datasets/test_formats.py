"""`read_table` and `read_query` on files with types, spreadsheets, folders and databases."""

import datetime
import json
import sqlite3

import numpy as np
import openpyxl
import pandas as pd
import pyarrow.feather
import pytest

from tabrec.datasets import read_query, read_table

FRAME = pd.DataFrame(
    {"n": [1, 2, 3], "x": [0.5, None, 2.5], "town": ["Köln", None, "Bonn"], "big": [2**60 + 1, 2**60 + 2, 2**60 + 3]}
)


def assert_read(frame, expected=FRAME):
    assert frame.columns.tolist() == expected.columns.tolist()
    for name in expected:
        assert frame[name].isna().tolist() == expected[name].isna().tolist()
        assert frame[name].dropna().tolist() == expected[name].dropna().tolist()
        assert isinstance(frame[name].dtype, pd.CategoricalDtype) == (name == "town")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.parquet", lambda path: FRAME.to_parquet(path)),
        ("a.feather", lambda path: FRAME.to_feather(path)),
        ("a.jsonl", lambda path: FRAME.to_json(path, orient="records", lines=True)),
        ("a.json", lambda path: FRAME.to_json(path, orient="records")),
        ("a.json", lambda path: FRAME.to_json(path, orient="columns")),
        ("a.json", lambda path: FRAME.to_json(path, orient="records", lines=True)),
        ("a.jsonl.gz", lambda path: FRAME.to_json(path, orient="records", lines=True)),
        ("a.csv.zip", lambda path: FRAME.to_csv(path, index=False)),
    ],
)
def test_formats_give_the_same_frame(tmp_path, name, write):
    write(tmp_path / name)
    assert_read(read_table(tmp_path / name))


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.json", "a.jsonl", "a.xlsx"])
def test_a_damaged_file_is_a_clear_error(tmp_path, name):
    (tmp_path / name).write_text("{not a table")
    with pytest.raises(ValueError, match=f"{name} cannot be read as (parquet|feather|JSON|a spreadsheet)"):
        read_table(tmp_path / name)


def test_nested_values_are_a_clear_error(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"n": 1, "tags": ["a", "b"]}]))
    with pytest.raises(ValueError, match=r"nested values, such as \['a', 'b'\] in 'tags'"):
        read_table(tmp_path / "a.json")


def write_book(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(path)
    return path


def test_a_spreadsheet_is_read(tmp_path):
    day = datetime.datetime(2011, 1, 2)
    rows = [["Sales of 2011"], [], [None, " id ", "town", "x", "day", "code", "share"]]
    rows += [
        [0, 7, " Köln", 1, day, 580, "n/a"],
        [1, 8, None, 2.5, day, "580B", 0.5],
        [],
        [2, 9, "Bonn", None, day, 590],
    ]
    path = write_book(tmp_path / "a.xlsx", Data=rows, Notes=[["x"]])
    frame = read_table(path)
    assert frame.columns.tolist() == ["id", "town", "x", "day", "code", "share"]
    assert frame["id"].tolist() == [7, 8, 9]
    assert frame["town"].dropna().tolist() == ["Köln", "Bonn"]
    assert frame["x"].tolist()[:2] == [1, 2.5]
    assert frame["day"].tolist() == [pd.Timestamp(day)] * 3
    assert frame["code"].tolist() == ["580", "580B", "590"]
    assert frame["share"].isna().tolist() == [True, False, True]
    assert frame.attrs["assumed"] == [
        "sheet 'Data', the first of 2",
        "1 line above the header left out",
        "the column of row numbers without a name left out",
    ]
    write_book(path, Notes=[["Sales of 2011"]], Data=[["a", "b"], [1, "x"]])
    assert read_table(path).attrs["assumed"] == ["sheet 'Data', the first with a table of 2"]
    write_book(path, Data=[["a", "b"], [1, "x"]], Notes=[["x"]])
    assert read_table(path, sheet="Notes", header=False)["x0"].tolist() == ["x"]
    with pytest.raises(ValueError, match=r"no sheet 'Date' \(--sheet\); it has \['Data', 'Notes'\]"):
        read_table(path, sheet="Date")


def test_a_spreadsheet_with_a_password_is_a_clear_error(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 100 + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(ValueError, match="protected by a password"):
        read_table(path)
    path.write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 100)
    with pytest.raises(ValueError, match="format of Excel 97: save it as .xlsx"):
        read_table(path)


def test_a_spreadsheet_without_openpyxl_names_the_extra(tmp_path, monkeypatch):
    path = write_book(tmp_path / "a.xlsx", Data=[["a"], [1]])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"pip install 'tabrec\[excel\]'"):
        read_table(path)


def test_a_folder_or_a_pattern_is_one_table(tmp_path):
    (tmp_path / "a.csv").write_text("n,code,town,gap\n1,7,Köln,\n2,8,Bonn,\n", encoding="utf-8")
    (tmp_path / "b.csv").write_bytes("n;code;town;gap\n3;7b;Köln;1,5\n".encode("latin-1"))
    (tmp_path / "README").write_text("no table")
    for path in (tmp_path, tmp_path / "*.csv"):
        frame = read_table(path)
        assert frame["n"].tolist() == [1, 2, 3]
        assert frame["code"].tolist() == ["7", "8", "7b"]
        assert frame["town"].tolist() == ["Köln", "Bonn", "Köln"]
        assert frame["gap"].tolist()[2] == 1.5
        assert frame.attrs["assumed"][0] == "2 files"
    (tmp_path / "c.csv").write_text("n,code,town\n1,7,Köln\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a.csv and .*c.csv differ in the columns \['gap'\]"):
        read_table(tmp_path)
    with pytest.raises(FileNotFoundError, match="No file matches"):
        read_table(tmp_path / "*.tsv")


def test_a_folder_of_parquet_files_is_one_table(tmp_path):
    for state in ("Ohio", "Iowa"):
        (tmp_path / f"state={state}").mkdir()
        FRAME.to_parquet(tmp_path / f"state={state}" / "part-0.parquet")
    frame = read_table(tmp_path)
    assert_read(frame.iloc[:3].drop(columns="state"))
    assert frame["state"].tolist() == ["Iowa"] * 3 + ["Ohio"] * 3


@pytest.fixture
def database(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as connection:
        FRAME.to_sql("sales", connection, index=False)
    return f"sqlite:///{tmp_path / 'a.db'}"


def test_a_query_is_read(database):
    assert_read(read_query("select * from sales", database))
    assert_read(read_query("sales", database))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select price from sales", "fails: no such column: price. Check --query: select price"),
        ("select * from sales where n > 9", "gives no rows"),
        ("select n, n from sales", r"several columns named \['n'\]"),
        (" ", "query is empty"),
    ],
)
def test_a_failing_query_is_a_clear_error(database, query, message):
    with pytest.raises(ValueError, match=message):
        read_query(query, database)


def test_a_wrong_address_is_a_clear_error_without_the_password(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_query("sales", f"sqlite:///{tmp_path / 'b.db'}")
    assert not (tmp_path / "b.db").exists()
    with pytest.raises(ValueError, match="has the form sqlite:///sales.db"):
        read_query("sales", "my database")
    with pytest.raises(ImportError, match="driver") as error:
        read_query("sales", "mysql+mysqldb://me:secret@host/sales")
    assert "secret" not in str(error.value)


def test_zero_rows_are_a_clear_error(tmp_path):
    FRAME.head(0).to_parquet(tmp_path / "a.parquet")
    write_book(tmp_path / "a.xlsx", Data=[["a", "b"]])
    for name in ("a.parquet", "a.xlsx"):
        with pytest.raises(ValueError, match="has a header but no rows"):
            read_table(tmp_path / name)


def test_the_types_of_a_file_are_kept(tmp_path):
    frame = pd.DataFrame({"day": pd.to_datetime(["2011-01-02", None]), "flag": [True, False], "x": np.float32([1, 2])})
    pyarrow.feather.write_feather(frame, tmp_path / "a.feather")
    read = read_table(tmp_path / "a.feather")
    assert read["day"].tolist()[0] == pd.Timestamp("2011-01-02")
    assert read.dtypes.tolist()[1:] == [bool, np.float32]
