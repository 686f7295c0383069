"""`read_table` on columns of dates: what is read as a date, what is warned about, and how to override it."""

import json

import pandas as pd
import pytest

from tabrec.datasets import read_table
from tabrec.runs import plan_columns, train
from tabrec.tables.dates import find_format, read_dates

DAYS = pd.to_datetime(["2019-01-07", "2020-02-29", "2021-12-31", None])
SINCE_1970 = (DAYS - pd.Timestamp("1970-01-01")).days
SINCE_1900 = (DAYS - pd.Timestamp("1899-12-30")).days


def write(tmp_path, name, values, file="table.csv"):
    path = tmp_path / file
    cells = ["" if value != value or value is None else str(value) for value in values]
    path.write_text(f"{name},n\n" + "".join(f"{cell},{row / 2}\n" for row, cell in enumerate(cells)))
    return path


def whole(numbers):
    return [None if number != number else int(number) for number in numbers]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("created_time", whole(SINCE_1970 * 86_400), "created_time (seconds since 1970)"),
        ("eventTimestamp", whole(SINCE_1970 * 86_400_000), "eventTimestamp (milliseconds since 1970)"),
        ("ts", whole(SINCE_1970 * 86_400 * 10**6), "ts (microseconds since 1970)"),
        ("order date", whole(SINCE_1900), "order date (days of Excel)"),
        ("Belegdatum", ["20190107", "20200229", "20211231", None], "Belegdatum (%Y%m%d)"),
    ],
)
def test_numbers_are_dates_if_their_name_and_their_range_say_so(tmp_path, name, values, said):
    frame = read_table(write(tmp_path, name, values))
    assert frame[name].tolist()[:3] == DAYS.tolist()[:3]
    assert frame[name].isna().tolist() == [False, False, False, True]
    assert frame.attrs["assumed"][-1] == f"dates in {said}"
    kept = read_table(write(tmp_path, name, values), date_formats={name: "none"})
    assert kept[name].dropna().tolist() == [int(value) for value in values[:3]]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("price", [43472, 43890, 44561]),
        ("date", [1, 2, 3]),
        ("date", [20190107, 20200230, 20211231]),
        ("runtime", [1_500_000_000, 1_600_000_000, 1_700_000_000]),
        ("candidate", [43472, 43890, 44561]),
        ("time", [43472, 43890, 44561]),
    ],
)
def test_other_numbers_stay_numbers(tmp_path, name, values):
    frame = read_table(write(tmp_path, name, values))
    assert frame[name].tolist() == values
    assert frame.attrs["date_formats"] == {}


def test_hours_of_excel_and_fractions_of_seconds_are_kept(tmp_path):
    frame = read_table(write(tmp_path, "date", [43472.75, 43473.25]))
    assert frame["date"].tolist() == [pd.Timestamp("2019-01-07 18:00"), pd.Timestamp("2019-01-08 06:00")]
    frame = read_table(write(tmp_path, "time", [1_546_819_200.5, 1_546_819_201.25]))
    assert frame["time"].dt.microsecond.tolist() == [500_000, 250_000]


@pytest.mark.parametrize(
    ("labels", "found", "first"),
    [
        (["2023Q1", "2022q4"], "quarter", "2023-01-01"),
        (["Q3 2023", "Q4-2022"], "quarter", "2023-07-01"),
        (["4Q2022", "1Q2023"], "quarter", "2022-10-01"),
        (["2023-W05", "2020-W53"], "week", "2023-01-30"),
        (["2020W53", "2021W01"], "week", "2020-12-28"),
        (["2023-W05-3", "2023-W06-1"], "week", "2023-02-01"),
        (["01JAN2021", "28feb2020"], "%d%b%Y", "2021-01-01"),
        (["2023Q1", "2023-02-03"], "quarter | ISO8601", "2023-01-01"),
    ],
)
def test_quarters_weeks_and_months_without_a_mark_are_dates(tmp_path, labels, found, first):
    assert find_format("sold", labels) == found
    assert read_dates("sold", labels, found)[0] == pd.Timestamp(first)
    assert read_table(write(tmp_path, "sold", labels)).attrs["assumed"][-1] == f"dates in sold ({found})"


def test_a_date_of_several_readings_is_said_with_the_option_that_settles_it(tmp_path):
    path = write(tmp_path, "sold", ["01/02/2020", "03/04/2021"])
    said = "the dates of sold of no single format, kept as text (--date sold=FORMAT)"
    assert read_table(path).attrs["assumed"][-1] == said
    frame = read_table(path, date_formats={"sold": "%d/%m/%Y", "no such": "quarter"})
    assert frame["sold"].tolist() == [pd.Timestamp("2020-02-01"), pd.Timestamp("2021-04-03")]
    with pytest.raises(ValueError, match="'sold' holds '01/02/2020'.*format '%Y' .--date sold=FORMAT.: give a format"):
        read_table(path, date_formats={"sold": "%Y"})


def test_a_run_reads_new_rows_by_the_formats_of_its_table(tmp_path):
    """A single row, or one out of range, would not show them."""
    days = pd.date_range("2015-01-01", periods=60, freq="W")
    seconds = ((days - pd.Timestamp("1970-01-01")).days * 86_400).tolist()
    table = pd.DataFrame({"day time": seconds, "price": range(60)})
    table.to_csv(tmp_path / "a.csv", index=False)
    frame = read_table(tmp_path / "a.csv")
    assert plan_columns(frame, "price")["reason"]["day time"].startswith("read by the format seconds; dates; become")
    run = train(frame, "price", model="boosting", refit=False)
    assert json.loads(json.dumps(run.metadata["date_formats"])) == {"day time": "seconds"}
    new = run.read_table(write(tmp_path, "day time", [86_400, 172_800], "new.csv"))
    assert new["day time"].tolist() == [pd.Timestamp("1970-01-02"), pd.Timestamp("1970-01-03")]
