"""`read_table` on exports of banks, sensors and spreadsheets: rows that are not data, and records inside objects."""

import datetime
import json
import zipfile

import openpyxl
import pytest

from tabrec.datasets import read_table

ROWS = [("a", 1.5, 10), ("b", 2.5, 20), ("c", 3.5, 30), ("d", 4.0, 40)]
BODY = "".join(f"{kind},{x},{n}\n" for kind, x, n in ROWS)
SUM_LEFT_OUT = "the last row, the sum of the others, left out"
TWO_ROWS_LEFT_OUT = "the 2 rows of units or descriptions below the header left out"
UNITS_LEFT_OUT = "the row of units or descriptions below the header left out"


def write(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_text(content)
    return path


def assert_rows(frame, rows=ROWS):
    assert frame.columns.tolist() == ["kind", "x", "n"]
    assert list(frame.itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize(
    ("content", "assumed"),
    [
        (f"kind,x,n\n{BODY}Total,11.5,100\n", SUM_LEFT_OUT),
        (f"kind,x,n\n{BODY}\nGrand Total,,100\n", SUM_LEFT_OUT),
        (f"kind,x,n\n{BODY}Summe:,11.5,\n", SUM_LEFT_OUT),
        (f"kind,x,n\n,mm,s\n{BODY}", UNITS_LEFT_OUT),
        (f"kind,x,n\ntype,width,count\n{BODY}", UNITS_LEFT_OUT),
        (f"kind,x,n\n{BODY[:9]}kind,x,n\n{BODY[9:]}", "1 rows that repeat the header left out"),
        (f"kind,x,n\n{BODY[:9]},,\n{BODY[9:]},,\n", "2 empty rows left out"),
        (f"kind,x,n\nName,Width in mm,Count\nImportId:1,ImportId:2,ImportId:3\n{BODY}", TWO_ROWS_LEFT_OUT),
        ("".join(f'"{line}"\n' for line in f"kind,x,n\n{BODY}".splitlines()), "the quotes around whole lines ignored"),
        (f"kind,x,n\n{BODY}".replace("a,1.5", 'a,="1.5"'), '="…" read as text'),
        (f"Shape,,Sale\nkind,x,n\n{BODY}", "1 line above the header left out"),
        (f"kind,x,n\n{BODY}\nSource: register, 2021\nNote: by hand\n", "2 lines of notes left out"),
    ],
)
def test_rows_that_are_not_data_are_left_out_and_said(tmp_path, content, assumed):
    frame = read_table(write(tmp_path, content))
    assert_rows(frame)
    assert assumed in frame.attrs["assumed"]


@pytest.mark.parametrize(
    ("content", "n_rows"),
    [
        (f"kind,x,n\n{BODY}Total,11.5,99\n", 5),  # 11.5 is the sum
        (f"kind,x,n\n{BODY}Total,12,99\n", 5),
        (f"kind,x,n\n{BODY}rest,11.5,100\n", 5),
        ("kind,x,n\nunknown,?,-\n" + BODY, 5),
        ("kind,x,n\na,TBD,5\n" + BODY, 5),
        ("town,state\nBonn,NRW\nUlm,BW\nKiel,SH\nJena,TH\n", 4),
    ],
)
def test_rows_that_may_be_data_are_kept(tmp_path, content, n_rows):
    is_sum = "Total,11.5" in content
    assert len(read_table(write(tmp_path, content))) == n_rows - is_sum


def test_a_total_in_a_column_of_numbers_leaves_them_numbers(tmp_path):
    lines = "".join(f"{i},{i / 4}\n" for i in range(8))
    frame = read_table(write(tmp_path, f"id,x\n{lines}Total,{sum(range(8)) / 4}\n"))
    assert frame["id"].tolist() == list(range(8))
    book = openpyxl.Workbook()
    for row in [["kind", "x", "n"], *ROWS, ["Total", 11.5, None]]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    frame = read_table(tmp_path / "a.xlsx")
    assert_rows(frame)
    assert frame.attrs["assumed"] == [SUM_LEFT_OUT]


def test_quotes_after_backslashes_are_part_of_the_text(tmp_path):
    frame = read_table(write(tmp_path, 'kind,x\n"a \\"b\\", c",\\N\n"C:\\\\d",2.5\n"e",3.5\n'))
    assert frame["kind"].tolist() == ['a "b", c', "C:\\d", "e"]
    assert frame["x"].isna().tolist() == [True, False, False]
    frame = read_table(write(tmp_path, 'kind,x\n"C:\\",1\n"say ""hi""",2\n'))  # as most programs write it
    assert frame["kind"].tolist() == ["C:\\", 'say "hi"']


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("kind,2020,,2021,\n,count,mean,count,mean\n", ["kind", "2020 count", "2020 mean", "2021 count", "2021 mean"]),
        (",2020,,2021,\nkind,n,mean,n,mean\n", ["kind", "2020 n", "2020 mean", "2021 n", "2021 mean"]),
        (",2020,,2021,\nkind,n,mean,sum,max\n", ["kind", "n", "mean", "sum", "max"]),
    ],
)
def test_names_below_groups_of_columns(tmp_path, header, names):
    frame = read_table(write(tmp_path, header + "".join(f"{kind},1{n},{x},2{n},{x}\n" for kind, x, n in ROWS)))
    assert frame.columns.tolist() == names
    assert len(frame) == len(ROWS)


def test_columns_of_fixed_widths_are_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="columns of fixed widths.*Save it as CSV .in Python, pandas.read_fwf"):
        read_table(write(tmp_path, "id  name      x\n1   New York  2.5\n22  Bonn      3.5\n"))


def test_limits_and_notes_after_numbers_are_said(tmp_path):
    values = ["<0.5", "0.7", "1.25", "3.5", "2.0 p", ":", "7*", "8.5", "9.5", "6.5"]
    frame = read_table(write(tmp_path, "kind,x\n" + "".join(f"k,{value}\n" for value in values)))
    assert frame["x"].tolist()[:5] == [0.5, 0.7, 1.25, 3.5, 2.0]
    assert "x (<0.5 as 0.5) read as numbers" in frame.attrs["assumed"]
    assert "':' in x taken as missing" in frame.attrs["assumed"]


def test_one_of_two_tables_beside_each_other_is_read(tmp_path):
    book = openpyxl.Workbook()
    for row in [["kind", "x", "n", None, "town"], *(row + (None, "Bonn") * (row[0] < "c") for row in ROWS)]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    frame = read_table(tmp_path / "a.xlsx")
    assert_rows(frame)
    assert frame.attrs["assumed"] == ["the table to the right of an empty column (town) left out"]
    frame = read_table(write(tmp_path, "kind,,x\na,,1\nb,,2\n"))  # one table with space in it
    assert frame.columns.tolist() == ["kind", "x"]


@pytest.mark.parametrize("unit", ["", " AM"])
def test_times_of_day_and_durations_are_hours(tmp_path, unit):
    frame = read_table(write(tmp_path, f"at,took\n09:30{unit},1h 30m\n10:15{unit},45m\n-,2 h\n"))
    assert frame["at"].tolist()[:2] == [9.5, 10.25]
    assert frame["took"].tolist() == [1.5, 0.75, 2]
    said = (
        "at (hours) and took (hours) read as numbers"
        if unit
        else "at (hours, from H:MM) and took (hours) read as numbers"
    )
    assert said in frame.attrs["assumed"]


def test_times_of_day_of_spreadsheets_are_hours(tmp_path):
    book = openpyxl.Workbook()
    for row in [["kind", "at"], ["a", datetime.time(9, 30)], ["b", datetime.time(0, 0, 36)]]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    assert read_table(tmp_path / "a.xlsx")["at"].tolist() == [9.5, 0.01]


def test_gaps_of_stata_are_missing(tmp_path):
    frame = read_table(write(tmp_path, "kind,x\n" + "".join(f"k,{x}\n" for x in (1.5, ".a", 2.5, ".z", 3.5))))
    assert frame["x"].tolist()[::2] == [1.5, 2.5, 3.5]
    assert frame["x"].isna().tolist() == [False, True, False, True, False]


@pytest.mark.parametrize(
    ("content", "assumed"),
    [
        ([{"kind": k, "x": x, "n": n} for k, x, n in ROWS], []),
        ({"status": "ok", "data": [{"kind": k, "x": x, "n": n} for k, x, n in ROWS]}, ["the records in 'data'"]),
        ({"columns": ["kind", "x", "n"], "index": [0, 1, 2, 3], "data": ROWS}, []),
    ],
)
def test_records_of_json_are_found(tmp_path, content, assumed):
    frame = read_table(write(tmp_path, json.dumps(content), "a.json"))
    assert_rows(frame)
    assert frame.attrs["assumed"] == assumed


def test_objects_in_records_of_json_become_columns(tmp_path):
    records = [{"id": 2**60 + i, "at": {"town": {"name": "Bonn"}, "n": i}} for i in range(2)] + [{"id": 3, "at": {}}]
    frame = read_table(write(tmp_path, json.dumps(records[:2]), "a.json"))
    assert frame.columns.tolist() == ["id", "at.town.name", "at.n"]
    assert frame["id"].tolist() == [2**60, 2**60 + 1]
    assert frame["at.n"].tolist() == [0, 1]
    assert frame.attrs["assumed"] == ["fields of objects as columns, such as at.town.name"]


def test_notes_beside_the_table_of_an_archive_are_ignored(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("README.txt", "Thank you.")
        archive.writestr("data/a.csv", f"kind,x,n\n{BODY}")
    assert_rows(read_table(tmp_path / "a.zip"))
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("data/b.csv", f"kind,x,n\n{BODY}")
    with pytest.raises(ValueError, match="it holds 2: data/a.csv, data/b.csv. Unpack it, and name one of them, or the"):
        read_table(tmp_path / "a.zip")


def test_a_web_page_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="is a web page or XML, not a table: save the table in it as CSV or .xlsx"):
        read_table(write(tmp_path, "<!DOCTYPE html>\n<table><tr><td>1</td></tr></table>"))


def test_a_file_larger_than_the_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = write(tmp_path, f"kind,x,n\n{BODY}")
    monkeypatch.setattr("tabrec.datasets.tables.physical_memory", lambda: 50)
    with pytest.raises(ValueError, match="has 0.0 GiB, and reading it takes two to three times as much memory, but"):
        read_table(path)


def test_numbers_that_stay_text_are_said(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{'$€'[i % 2]}{i}.50,{'closed' if i % 5 == 0 else i},K{i},{i}/{i + 5}\n" for i in range(60)]
    path.write_text("price,visits,code,pair\n" + "".join(rows), encoding="utf-8")
    said = read_table(path).attrs["assumed"][-1]
    reasons = ["price (several units: $ and €)", "visits ('closed' among numbers)", "pair (two numbers, such as 0/5)"]
    assert said == f"{reasons[0]}, {reasons[1]} and {reasons[2]} kept as text"


def test_names_with_numbers_are_no_numbers_in_several_units(tmp_path):
    path = tmp_path / "t.csv"
    series = ("XL", "XT", "CX", "ZTS", "LC", "SR")
    path.write_text("model,x\n" + "".join(f"{i} {series[i % 6]},1\n" for i in range(60)))
    assert read_table(path).attrs["assumed"] == ["delimiter ','", "UTF-8"]


def test_measures_of_several_numbers_are_read(tmp_path):
    path = tmp_path / "t.csv"
    rows = ["52°30'36\"N;3 1/4;6'2\";12,50 ± 0,25\n", "10°30'S;1/2;5'11\";7,25 ± 0,50\n"]
    path.write_text("lat;inch;height;lead\n" + "".join(rows), encoding="utf-8")
    frame = read_table(path)
    assert frame.to_numpy().tolist() == [[52.51, 3.25, 74, 12.5], [-10.5, 0.5, 71, 7.25]]


def test_a_spreadsheet_with_groups_of_names_a_total_and_notes(tmp_path):
    book = openpyxl.Workbook()
    rows = [[f"s{i}", i + 0.5, f"{i},25 €" if i % 3 else i + 0.25, f"{i} %" if i % 3 else i / 100] for i in range(12)]
    total = ["Total", 72.0, 69.0, None]
    for row in [["Report"], [], ["shop", "sales", None, "rate"], [None, "Q1", "Q2"], *rows, total, [], ["* estimated"]]:
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    frame = read_table(tmp_path / "a.xlsx")
    assert frame.columns.tolist() == ["shop", "sales Q1", "sales Q2", "rate"]
    assert frame["sales Q2"].tolist() == [i + 0.25 for i in range(12)]
    assert frame["rate"].tolist() == pytest.approx([i / 100 for i in range(12)])
    assert "1 line of notes left out" in frame.attrs["assumed"]
    assert SUM_LEFT_OUT in frame.attrs["assumed"]
