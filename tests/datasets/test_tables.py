"""`read_table`: the frame equals that of pandas; clear errors for invalid files."""

import bz2
import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tabrec.datasets import make_auctions, read_table

ROW_NAMES_LEFT_OUT = "the first column of row names without a name left out"


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


def zipped(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", data)
        archive.writestr("__MACOSX/a.csv", b"")
    return file.getvalue()


COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "zst": pa.Codec("zstd").compress, "zip": zipped}


@pytest.fixture(scope="module")
def auctions(tmp_path_factory):
    path = tmp_path_factory.mktemp("auctions") / "a.csv"
    make_auctions(100, random_state=0).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_compressed_files_give_the_same_frame(tmp_path, auctions, ending):
    path = tmp_path / f"a.csv.{ending}"
    compressed = COMPRESSIONS[ending](auctions.read_bytes())
    path.write_bytes(compressed if isinstance(compressed, bytes) else compressed.to_pybytes())
    pd.testing.assert_frame_equal(read_table(path), read_table(auctions))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=f"a.csv.{ending} (cannot be decompressed|is not a zip archive)"):
        read_table(path)


def test_parquet_gives_the_same_frame(tmp_path, auctions):
    make_auctions(100, random_state=0).to_parquet(tmp_path / "a.parquet", index=False)
    csv, other = read_table(auctions), read_table(tmp_path / "a.parquet")
    for name in csv:
        assert other[name].dropna().tolist() == csv[name].dropna().tolist(), name


def test_text_columns_stay_text(tmp_path):
    path = write(tmp_path, "model,n\n580,1\n590,2\n")
    assert read_table(path)["model"].tolist() == [580, 590]
    assert read_table(path, text_columns=["model", "no such"])["model"].tolist() == ["580", "590"]


def test_a_type_that_late_rows_contradict(tmp_path):
    """The reader infers types from the first 16 MB; later text makes the whole column text."""
    long = "x" * 100_000
    codes = [*map(str, range(170)), *(f"text {i}" for i in range(20))]
    frame = read_table(write(tmp_path, csv_of([["code", "n", "long"], *([code, "1", long] for code in codes)])))
    assert frame["code"].tolist() == codes
    assert frame["n"].tolist() == [1] * 190


def test_line_breaks_in_quotes(tmp_path):
    frame = read_table(write(tmp_path, 'a,b\n"x\ny",1\nz,2\n'))
    assert frame["a"].tolist() == ["x\ny", "z"]


ROWS = [["town", "x", "n"], ["München", "1.5", "1"], ["Köln, Süd", "-2.25", "2"], ["Würzburg", "1200.5", "3"]]


def csv_of(rows, delimiter=",", end="\n"):
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in rows]
    return "".join(delimiter.join(row) + end for row in quoted)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_delimiter_and_encoding_are_detected(tmp_path, delimiter, encoding):
    path = tmp_path / "table.txt"
    path.write_bytes(csv_of(ROWS, delimiter, "\r\n").encode(encoding))
    frame = read_table(path)
    assert frame.columns.tolist() == ["town", "x", "n"]
    assert frame["town"].tolist() == ["München", "Köln, Süd", "Würzburg"]
    assert frame["x"].tolist() == [1.5, -2.25, 1200.5]
    shown = {"\t": "tab"}.get(delimiter, repr(delimiter))
    names = {"latin-1": "cp1252", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be"}
    assert frame.attrs["assumed"] == [f"delimiter {shown}", names.get(encoding, encoding.upper().removesuffix("-SIG"))]


@pytest.mark.parametrize(
    ("text", "encoding"), [("Москва", "cp1251"), ("πράσινο και μπλε", "cp1253"), ("東京", "cp932")]
)
def test_letters_that_are_not_latin_show_the_encoding(tmp_path, text, encoding):
    path = tmp_path / "table.csv"
    path.write_bytes(csv_of([["town", "n"], *([f"{text} {i}", str(i)] for i in range(30))]).encode(encoding))
    assert read_table(path)["town"].tolist()[0] == f"{text} 0"


def test_a_sign_beside_each_number_is_no_foreign_letter(tmp_path):
    path = tmp_path / "table.csv"
    rows = [["bewölkt" if i % 4 == 0 else "Regen", f"{i + 1},50 €"] for i in range(60)]
    path.write_bytes(csv_of([["weather", "price"], *rows], ";").encode("cp1252"))
    frame = read_table(path)
    assert frame["weather"].tolist()[0] == "bewölkt"
    assert frame["price"].tolist()[0] == 1.5


def test_an_encoding_that_only_late_rows_show(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(csv_of([["town", "n"], *([["Bonn", "1"]] * 20_000), ["Köln", "2"]]).encode("cp1252"))
    frame = read_table(path)
    assert frame["town"].tolist()[-1] == "Köln"
    assert frame.attrs["assumed"] == ["delimiter ','", "cp1252"]


def test_spaces_around_names_and_values_are_removed(tmp_path):
    content = ' id, town ,n, day, ok,"x, y"\n 1, Ohio, 1.5 , 2011-01-02 , true, a\n2, Ohio ,, NA,false,"b, c"\n'
    frame = read_table(write(tmp_path, content))
    assert frame.columns.tolist() == ["id", "town", "n", "day", "ok", "x, y"]
    assert frame["town"].tolist() == ["Ohio", "Ohio"]
    assert frame["n"].tolist()[0] == 1.5
    assert frame["day"].tolist()[0] == pd.Timestamp("2011-01-02")
    assert frame["day"].isna().tolist() == [False, True]
    assert frame["ok"].tolist() == [True, False]
    assert frame["x, y"].tolist() == ["a", "b, c"]


def test_quotes_after_spaces(tmp_path):
    frame = read_table(write(tmp_path, 'a, b, c\n1, "x, y", 2.5\n2, "z", NA\n'))
    assert frame["b"].tolist() == ["x, y", "z"]
    assert frame["c"].tolist()[0] == 2.5


@pytest.mark.parametrize(
    ("content", "assumed"),
    [
        ("a,b,c\n1,x,2.5,\n2,y,3.5,\n", "the delimiter at the end of each row ignored"),
        ("a,b,c,\n1,x,2.5,\n2,y,3.5,\n", "the delimiter at the end of each line ignored"),
        ("a,b,c,\n1,x,2.5\n2,y,3.5\n", "the delimiter at the end of the header ignored"),
        ("a,b,c\n1,x,2.5\n2,y,3.5,\n", "the delimiter at the end of 1 rows ignored"),
        (",a,b,c\n0,1,x,2.5\n1,2,y,3.5\n", "the column of row numbers without a name left out"),
        ("Unnamed: 0,a,b,c\n7,1,x,2.5\n4,2,y,3.5\n", "the column of row numbers without a name left out"),
        ('"a","b","c"\n"1",1,"x",2.5\n"2",2,"y",3.5\n', "the column of row numbers without a name left out"),
        ('"","a","b","c"\n"Mazda",1,"x",2.5\n"Fiat",2,"y",3.5\n', ROW_NAMES_LEFT_OUT),
        ('"a" "b" "c"\n"Mazda RX4" 1 "x" 2.5\n"Fiat 128" 2 "y" 3.5\n', ROW_NAMES_LEFT_OUT),
        ("a,b,c,,d,e\n1,x,2.5,,5,6\n2,y,3.5,,,\n", "the table to the right of an empty column (d, e) left out"),
        ("Sales of 2011\n\na,b,c\n1,x,2.5\n2,y,3.5\n", "1 line above the header left out"),
        ("# made by hand\n# in 2011, 2012\na,b,c\n1,x,2.5\n2,y,3.5\n", "2 lines above the header left out"),
        ("sep=;\na;b;c\n1;x;2.5\n2;y;3.5\n", None),
        ("a   b  c\n1   x  2.5\n2   y  3.5\n", "delimiter spaces"),
        ("\n\na,b,c\n\n1,x,2.5\n\n2,y,3.5\n\n", None),
        ("a,b,c\r1,x,2.5\r2,y,3.5\r", None),
        ("#a,b,c\n1,x,2.5\n2,y,3.5\n", "the # before the header ignored"),
        ("a,b,c\n# by hand\n1,x,2.5\n2,y,3.5\n", "1 line of notes left out"),
        ("a,b,c\n1,x,2.5\n2,y,3.5\n\nSource: own\n", "1 line of notes left out"),
        ("| a | b | c |\n|--:|---|:-:|\n| 1 | x | 2.5 |\n| 2 | y | 3.5 |\n", None),
        (" a | b | c \n---+---+---\n 1 | x | 2.5\n 2 | y | 3.5\n(2 rows)\n\n", "1 line of notes left out"),
        ("'a','b','c'\n1,'x',2.5\n2,'y',3.5\n", "single quotes"),
        ("a,b,c\r\n1,x,2.5\r\n2,y,3.5\r\n\x1a\r\n", None),
        ("a,b,c\n1,x,2.5\n2,y,3.5\n" + "\0" * 64, None),
    ],
)
def test_oddly_written_tables_are_read_and_said(tmp_path, content, assumed):
    frame = read_table(write(tmp_path, content))
    assert frame.columns.tolist() == ["a", "b", "c"]
    assert frame["a"].tolist() == [1, 2]
    assert frame["b"].tolist() == ["x", "y"]
    assert frame["c"].tolist() == [2.5, 3.5]
    if assumed:
        assert assumed in frame.attrs["assumed"]


def test_apostrophes_are_quotes_only_if_all_belong_to_quoted_fields(tmp_path):
    frame = read_table(write(tmp_path, "a,b\n1,'it''s, well'\n2,'x'\n"))
    assert frame["b"].tolist() == ["it's, well", "x"]
    frame = read_table(write(tmp_path, "a,b\n1,'x'\n2,o'clock\n"))
    assert frame["b"].tolist() == ["'x'", "o'clock"]


def test_short_rows_have_missing_values(tmp_path):
    frame = read_table(write(tmp_path, "a,b,c\n1,x,2.5\n2\n"))
    assert frame["a"].tolist() == [1, 2]
    assert frame[["b", "c"]].isna().all(axis=1).tolist() == [False, True]
    assert frame.attrs["assumed"][-1] == "the missing fields of 1 short rows taken as missing values"


def test_repeated_and_absent_names_are_made_unique(tmp_path):
    frame = read_table(write(tmp_path, "a,a,a.1,,a\n1,2,3,x,4\n5,6,7,y,8\n"))
    assert frame.columns.tolist() == ["a", "a.2", "a.1", "Unnamed: 3", "a.3"]
    assert frame.attrs["assumed"][2:] == [
        "columns of one name read as a, a.2, a.3",
        "the column without a name called 'Unnamed: 3'",
    ]


@pytest.mark.parametrize(
    ("content", "is_header"),
    [
        ("1,2,5.0\n1,3,4.0\n2,2,3.0\n", False),
        ("M,0.4,15\nM,0.3,7\nF,0.5,9\n", False),
        ("?,0.4,15\nM,0.3,7\nF,0.5,9\n", False),
        ("39, State-gov, <=50K\n50, Private, <=50K\n", False),
        ("yes,red,a\nno,red,a\nyes,blue,b\n", False),
        ("country,2010,2011,2012\nFrance,1.5,2.5,3.5\nItaly,3.5,4.5,5.5\n", True),
        ("0,1,2\n1.5,2.5,3.5\n4.5,5.5,6.5\n", True),
        ("town,state\nBonn,NRW\nKöln,NRW\n", True),
        ("day,n\n2011-01-02,1\n2011-01-03,2\n", True),
        ("a,b\n1,\n,2\n", True),
    ],
)
def test_an_absent_header_is_detected(tmp_path, content, is_header):
    path = write(tmp_path, content)
    if not is_header:
        with pytest.raises(ValueError, match="has no header"):
            read_table(path)
    first = content.splitlines()[0].split(",")
    assert read_table(path, header=True).columns.tolist() == [name.strip() for name in first]
    given = [f"c{i}" for i in range(len(first))]
    frame = read_table(path, names=given)
    assert frame.columns.tolist() == given
    assert len(frame) == len(content.splitlines()) - is_header
    assert read_table(path, header=False).columns.tolist() == [f"x{i}" for i in range(len(first))]


def test_marks_of_missing_values_can_be_added(tmp_path):
    path = write(tmp_path, "a,b\n1,?\n99,x\n")
    assert read_table(path, missing=["?", "99"]).isna().to_numpy().tolist() == [[False, True], [True, False]]


def test_whole_numbers_beyond_float64_stay_apart_next_to_a_gap(tmp_path):
    frame = read_table(write(tmp_path, f"id,n\n{2**60 + 1},1\n,2\n{2**60 + 2},3\n"))
    assert frame["id"].dropna().tolist() == [2**60 + 1, 2**60 + 2]


def test_standard_input_is_read(monkeypatch):
    text = io.TextIOWrapper(io.BytesIO("a;b\n1;2,5\n".encode("utf-16")))
    monkeypatch.setattr("sys.stdin", text)
    assert read_table("-")["b"].tolist() == [2.5]


def test_options_override_what_is_detected(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("s|n,m\nMünchen|1,5\nKöln|2,5\n".encode("cp1250"))
    frame = read_table(path, delimiter="pipe", encoding="cp1250", decimal=".")
    assert frame["s"].tolist() == ["München", "Köln"]
    assert frame["n,m"].tolist() == ["1,5", "2,5"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("a\0\0,b\0\0\n1\0\0,2\0\0\n", "table.csv is not text: it holds zero bytes"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n1,2,3\n", "table.csv has 2 columns, but a row with 3 fields: '1,2,3'.*--delimiter"),
        (
            "1,Ohio,2.5\n2,Iowa,3.5\n",
            "no header: its first row is '1, Ohio, 2.5'.*3 columns: --names a,b,c",
        ),
    ],
)
def test_what_is_no_table_is_a_clear_error(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, content))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ","}, "appears to be ';': pass --delimiter ';'"),
        ({"delimiter": "; "}, "delimiter='; ' must be one character, or one of tab, comma"),
        ({"encoding": "utf-8"}, "not text in utf-8; pass its encoding, such as --encoding latin-1"),
        ({"encoding": "latin-0"}, "Unknown encoding='latin-0'"),
        ({"names": ["town"]}, "has 2 fields in a row, but 1 names: town"),
    ],
)
def test_wrong_options_are_clear_errors(tmp_path, options, message):
    path = tmp_path / "table.csv"
    path.write_bytes("s;n\nMünchen;1\nKöln;2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        read_table(path, **options)


def test_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_table(tmp_path / "nothing.csv")


def test_broken_parquet_is_a_clear_error(tmp_path):
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        read_table(write(tmp_path, "no parquet", "table.parquet"))


# --- Content that differs from the ending ----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_a_compressed_file_with_the_ending_of_its_text_is_read(tmp_path, auctions, ending):
    path = tmp_path / "a.csv"
    path.write_bytes(COMPRESSIONS[ending](auctions.read_bytes()))
    pd.testing.assert_frame_equal(read_table(path), read_table(auctions))


def test_another_format_with_the_ending_of_a_text_is_read(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    frame.to_parquet(tmp_path / "parquet.csv")
    frame.to_feather(tmp_path / "feather.txt")
    frame.to_json(tmp_path / "lines.csv", orient="records", lines=True)
    frame.to_json(tmp_path / "records.data", orient="records")
    frame.to_excel(tmp_path / "book.xlsx", index=False)
    (tmp_path / "book.xlsx").rename(tmp_path / "book.csv")
    for path in tmp_path.iterdir():
        found = read_table(path)
        assert found.to_dict("list") == frame.to_dict("list"), path.name


@pytest.mark.parametrize(
    ("content", "what"), [("<html><table><tr><td>1", "a web page"), ("a,b\n1,2\n", "something else")]
)
def test_a_spreadsheet_that_is_none_is_a_clear_error(tmp_path, content, what):
    with pytest.raises(ValueError, match=f"it is {what}. Save it as .xlsx, or name it .csv"):
        read_table(write(tmp_path, content, "a.xls"))


@pytest.mark.parametrize("delimiter", ["~", "^", "\x01"])
def test_rare_delimiters_are_detected_if_no_other_divides_a_line(tmp_path, delimiter):
    lines = "".join(f"{row}{delimiter}{row / 4}{delimiter}x\n" for row in range(9))
    frame = read_table(write(tmp_path, f"a{delimiter}b{delimiter}c\n{lines}"))
    assert frame["b"].tolist() == [row / 4 for row in range(9)]
    assert frame.columns.tolist() == ["a", "b", "c"]


def test_measures_and_invisible_characters_of_names_are_read(tmp_path):
    content = "\u200bwidth,pay,state\n" + "".join(
        f"{i}.5 kg,{i}00.25-,{'a' if i % 2 else 'k.A.'}\n" for i in range(1, 9)
    )
    frame = read_table(write(tmp_path, content))
    assert frame["width"].tolist() == [i + 0.5 for i in range(1, 9)]
    assert frame["pay"].tolist() == [-(i * 100 + 0.25) for i in range(1, 9)]
    assert "width (kg) and pay read as numbers" in frame.attrs["assumed"]
    assert frame["state"].tolist() == ["a", "k.A."] * 4


def test_units_and_abbreviations_that_touch_the_digits_are_read(tmp_path):
    rows = "".join(f"{i}.5k,{10 + i}.2°C,{i}cm,{i}a,{'k' if i % 2 else 'x'}\n" for i in range(1, 9))
    (tmp_path / "t.csv").write_text(f"sold,warmth,width,flat,kind\n{rows}", encoding="utf-8")
    frame = read_table(tmp_path / "t.csv")
    assert frame["sold"].tolist() == [1000 * i + 500 for i in range(1, 9)]
    assert frame["warmth"].tolist() == [10.2 + i for i in range(1, 9)]
    assert frame["width"].tolist() == list(range(1, 9))
    assert frame["flat"].tolist() == [f"{i}a" for i in range(1, 9)]
    assert "sold, warmth (°C) and width (cm) read as numbers" in frame.attrs["assumed"]


def test_a_table_of_thousands_of_columns_is_read(tmp_path):
    values = np.arange(30 * 3000).reshape(30, 3000)
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(3000)]).assign(c0=[f"{i:03d}" for i in range(30)])
    frame.to_csv(tmp_path / "wide.csv", index=False)
    found = read_table(tmp_path / "wide.csv")
    assert found["c0"].tolist()[:2] == ["000", "001"]
    np.testing.assert_array_equal(found.drop(columns="c0").to_numpy(), values[:, 1:])
