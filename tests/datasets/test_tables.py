"""`read_table`: the frame equals that of pandas; clear errors for invalid files."""

import gzip

import numpy as np
import pandas as pd
import pytest

from tabrec.datasets import make_auctions, read_table


def write(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_text(content)
    return path


def test_kinds_of_columns(tmp_path):
    path = write(tmp_path, "n,x,s,d,b,e\n1,1.5,a,2011-01-02,true,\n2,,NA,2011-02-03,false,\n")
    frame = read_table(path)
    assert frame["n"].tolist() == [1, 2]
    assert frame["x"].tolist()[0] == 1.5
    assert np.isnan(frame["x"][1])
    assert frame["s"].tolist()[0] == "a"
    assert frame["s"].isna().tolist() == [False, True]
    assert frame["d"].tolist() == [pd.Timestamp("2011-01-02"), pd.Timestamp("2011-02-03")]
    assert frame["b"].tolist() == [True, False]
    assert frame["e"].isna().all()


def test_values_are_those_that_pandas_reads(tmp_path):
    auctions = make_auctions(300, random_state=0)
    auctions.to_csv(tmp_path / "a.csv", index=False)
    ours, theirs = (
        read_table(tmp_path / "a.csv"),
        pd.read_csv(tmp_path / "a.csv", low_memory=False, parse_dates=["saledate"]),
    )
    assert ours.columns.tolist() == theirs.columns.tolist()
    for name in theirs:
        assert ours[name].isna().tolist() == theirs[name].isna().tolist(), name
        assert ours[name].dropna().tolist() == theirs[name].dropna().tolist(), name


@pytest.mark.parametrize("ending", ["csv.gz", "parquet"])
def test_other_files_give_the_same_frame(tmp_path, ending):
    auctions = make_auctions(100, random_state=0)
    auctions.to_csv(tmp_path / "a.csv", index=False)
    if ending == "parquet":
        auctions.to_parquet(tmp_path / "a.parquet", index=False)
    else:
        (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    csv, other = read_table(tmp_path / "a.csv"), read_table(tmp_path / f"a.{ending}")
    for name in csv:
        assert other[name].dropna().tolist() == csv[name].dropna().tolist(), name


def test_text_columns_stay_text(tmp_path):
    path = write(tmp_path, "model,n\n580,1\n590,2\n")
    assert read_table(path)["model"].tolist() == [580, 590]
    assert read_table(path, text_columns=["model", "no such"])["model"].tolist() == ["580", "590"]


def test_a_type_that_late_rows_contradict(tmp_path):
    """The reader infers types from the first 16 MB; later text makes the whole column text."""
    rows = 2_000_000
    content = "code,n\n" + "".join(f"{1_000_000 + i},1\n" for i in range(rows)) + "text,2\n"
    frame = read_table(write(tmp_path, content))
    assert len(frame) == rows + 1
    assert frame["code"].tolist()[-1] == "text"
    assert frame["code"].tolist()[0] == "1000000"


def test_line_breaks_in_quotes(tmp_path):
    frame = read_table(write(tmp_path, 'a,b\n"x\ny",1\nz,2\n'))
    assert frame["a"].tolist() == ["x\ny", "z"]


def test_other_delimiters_and_encodings(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("s;n\nMünchen;1\nKöln;2\n".encode("latin-1"))
    assert read_table(path, delimiter=";", encoding="latin-1")["s"].tolist() == ["München", "Köln"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("a,b\n", "no rows"),
        ("a;b\n1;2\n", "appears to be ';'"),
        ("a\tb\n1\t2\n", r"appears to be '\\t'"),
        ("a,b\n1,2\n1,2,3\n", "cannot be read as a table with the delimiter ','"),
    ],
)
def test_what_is_no_table_is_a_clear_error(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, content))


def test_wrong_encoding_is_a_clear_error(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("s,n\nMünchen,1\n".encode("latin-1"))
    with pytest.raises(ValueError, match="is not text in utf-8"):
        read_table(path)


def test_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "nothing.csv")


def test_broken_parquet_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        read_table(write(tmp_path, "no parquet", "table.parquet"))
