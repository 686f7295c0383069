"""A frame written in a random dialect is read back equal."""

import math
import re

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tabrec.datasets import read_table

WORDS = st.builds("".join, st.tuples(st.sampled_from("bdgkp"), st.text("aeiouäöüéñß", min_size=1, max_size=4)))
TEXT = st.lists(
    st.one_of(WORDS, st.sampled_from([",", ";", "|", '"', "'", "\n", "2nd", "a.b"])), min_size=1, max_size=4
)
LABELS = TEXT.map(lambda words: " ".join(["x", *words, "y"]))
VALUES = {
    "text": LABELS,
    "whole": st.integers(-(10**6), 10**6),
    "money": st.integers(-(10**9), 10**9).map(lambda cents: cents / 100),
    "day": st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2100-01-01").date()).map(pd.Timestamp),
    "flag": st.booleans(),
}
MARKED = ("whole", "money", "day")


@st.composite
def frames(draw):
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=2, max_size=5))
    n_rows = draw(st.integers(4, 12))
    full = draw(st.integers(0, len(kinds) - 1))  # Rows without any value are left out.
    columns = {}
    for position, kind in enumerate(kinds):
        # A mark such as "?" is a missing value among several numbers or dates, and a label among others.
        values = draw(st.lists(VALUES[kind], min_size=n_rows, max_size=n_rows, unique=kind in MARKED))
        for row in draw(st.lists(st.integers(0, n_rows - 1), max_size=n_rows // 4)) if position != full else ():
            values[row] = None
        columns[f"{kind} {position}"] = values
    return columns


@st.composite
def dialects(draw):
    return {
        "delimiter": draw(st.sampled_from(",;\t|")),
        "decimal": draw(st.sampled_from(".,")),
        "thousands": draw(st.booleans()),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])),
        "quote_all": draw(st.booleans()),
        "padding": draw(st.sampled_from(["", " ", "  "])),
        "text_mark": draw(st.sampled_from(["", "NA", "n/a", "NULL"])),
        "mark": draw(st.sampled_from(["", "NA", "?", "-", "n/a"])),
        "end": draw(st.sampled_from(["\n", "\r\n"])),
        "trailing": draw(st.sampled_from(["none", "rows", "lines"])),
        "row_numbers": draw(st.booleans()),
    }


def written(value, kind, how):
    if value is None:
        return how["mark"] if kind in MARKED else how["text_mark"]
    if kind == "money":
        text = f"{value:,.2f}" if how["thousands"] else f"{value:.2f}"
        return text.translate(str.maketrans(".,", ",.")) if how["decimal"] == "," else text
    if kind == "day":
        return f"{value:%Y-%m-%d}"
    return str(value).lower() if kind == "flag" else str(value)


def field(text, how):
    if how["quote_all"] or re.search(f'["\r\n{re.escape(how["delimiter"])}]', text):
        text = '"' + text.replace('"', '""') + '"'
    return how["padding"] + text + how["padding"]


def write(columns, how):
    rows = [list(columns), *([written(v, name.split()[0], how) for name, v in zip(columns, row, strict=True)]
                             for row in zip(*columns.values(), strict=True))]  # fmt: skip
    if how["row_numbers"]:
        rows = [["", *rows[0]], *([str(number), *row] for number, row in enumerate(rows[1:]))]
    lines = [how["delimiter"].join(field(text, how) for text in row) for row in rows]
    ends = {"none": ("", ""), "rows": ("", how["delimiter"]), "lines": (how["delimiter"],) * 2}[how["trailing"]]
    return "".join(line + ends[number > 0] + how["end"] for number, line in enumerate(lines)).encode(how["encoding"])


def assert_equal(frame, columns):
    assert frame.columns.tolist() == list(columns)
    for name, values in columns.items():
        assert frame[name].isna().tolist() == [value is None for value in values], name
        present = [value for value in values if value is not None]
        read = frame[name].dropna().tolist()
        if name.startswith("money"):
            assert all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(read, present, strict=True)), name
        else:
            assert read == present, name


@settings(suppress_health_check=list(HealthCheck))
@given(frames(), dialects())
def test_a_frame_in_a_random_dialect_is_read_back_equal(tmp_path_factory, columns, how):
    path = tmp_path_factory.mktemp("dialects") / "table.csv"
    path.write_bytes(write(columns, how))
    assert_equal(read_table(path), columns)
