import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabrec.tables.columns import to_columns
from tabrec.tables.text_numbers import NumberFormat, find_number_format, read_text_numbers


def find(labels, counts=None, **options):
    return find_number_format(labels, counts or [1] * len(labels), **options)


@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (["1", "-2", "+30"], [1, -2, 30]),
        (["1.5", ".25", "3.", "1.5e-3", "2E5"], [1.5, 0.25, 3, 0.0015, 200_000]),
        (["1,234", "999", "1,234,567"], [1234, 999, 1_234_567]),
        (["1,234.50", "0.5"], [1234.5, 0.5]),
        (["1.234,56", "0,5", "7"], [1234.56, 0.5, 7]),
        (["12,5", "1,234"], [12.5, 1.234]),
        (["1,234", "12345"], [1.234, 12345]),
        (["1 234", "1\u00a0234\u00a0567", "5"], [1234, 1_234_567, 5]),
        (["1\u202f234,5", "7"], [1234.5, 7]),
        (["1'234.5", "1’234’567"], [1234.5, 1_234_567]),
        (["$1,234.00", "-$5.25", "$-7", "$0"], [1234, -5.25, -7, 0]),
        (["€ 12", "1.234,5 €", "− 3"], [12, 1234.5, -3]),
        (["CHF 1'200.50", "CHF 3"], [1200.5, 3]),
        (["37%", "4.5 %", "0"], [37, 4.5, 0]),
        (["(1,234)", "($12.50)", "88"], [-1234, -12.5, 88]),
        (["2019", "1999", "2020"], [2019, 1999, 2020]),
        ([" 5 ", "17"], [5, 17]),
        (["10,76,900.00", "1,00,00,000", "65,350"], [1_076_900, 10_000_000, 65_350]),
        (["1,234.50-", "7.25-", "8"], [-1234.5, -7.25, 8]),
        (["1.5 kg", "12 kg", "0"], [1.5, 12, 0]),
        (["19.67 km/l", "1,200 km/l"], [19.67, 1200]),
        (["20 °C", "-4.5 °C"], [20, -4.5]),
        (["20°C", "-4.5°C"], [20, -4.5]),
        (["36 months", " 60 months"], [36, 60]),
        (["12cm", "13.5cm", "9 cm"], [12, 13.5, 9]),
        (["10m²", "20.5m²"], [10, 20.5]),
        (["1.2M", "207k", "950", "3K"], [1_200_000, 207_000, 950, 3000]),
        (["$1.5B", "$300M"], [1.5e9, 3e8]),
        (["5K", "10K", "42K"], [5000, 10_000, 42_000]),
        ([1, 2.5, "3", "77"], [1, 2.5, 3, 77]),
        (["12:30", "0:15", "-1:30"], [12.5, 0.25, -1.5]),
        (["1:30:00", "100:00:36", "2 days 01:00:00", "-1 days +23:00:00"], [1.5, 100.01, 49, -1]),
        (["12:00 am", "1:15 PM", "11:45 a.m."], [0, 13.25, 11.75]),
        (["12h30", "9h", "0"], [12.5, 9, 0]),
        (["1h 30m", "45m", "2 h", "90 min"], [1.5, 0.75, 2, 1.5]),
        (["PT2H15M", "P1DT3H", "PT45M"], [2.25, 27, 0.75]),
        ([datetime.time(9, 30), "1:15:00"], [9.5, 1.25]),
        (["90 min", "5 min"], [90, 5]),
        (["<0.5", "0.7", "12", ">100"], [0.5, 0.7, 12, 100]),
        (["3*", "4**", "5"], [3, 4, 5]),
        (["12.3 p", "5.1", "7.9"], [12.3, 5.1, 7.9]),
        (["8 (p)", "9[1]", "7.5¹", "6"], [8, 9, 7.5, 6]),
        (["12.3 ± 0.4", "5.25 +/- 1"], [12.3, 5.25]),
        (["12,3 ± 0,4", "5,25"], [12.3, 5.25]),
        (["1'234.–", "CHF 12.-", "CHF 5.50"], [1234, 12, 5.5]),
        (["12,-", "1.234,-- €", "-7,50"], [12, 1234, -7.5]),
        (["$1.2 million", "$950,000", "$2.5 billion"], [1_200_000, 950_000, 2_500_000_000]),
        (["1,5 Mio. €", "3 Mrd. €"], [1_500_000, 3_000_000_000]),
        (["1 rating", "1,234 ratings"], [1, 1234]),
        (["1 year", "3 years", "10+ years"], [1, 3, 10]),
        (["2 weeks", "1 month", "1 day"], [336, 730.5, 24]),
        (["500 g", "1.5 kg"], [0.5, 1.5]),
        (["700 MB", "1.5 GB", "2 TB"], [700, 1500, 2_000_000]),
        (["1,234.50 CR", "7.25 DR"], [1234.5, -7.25]),
        (["12,50 S", "1.000,00 H"], [-12.5, 1000]),
        (["1:23.5", "0:59.25"], [83.5 / 3600, 59.25 / 3600]),
        (["52°30'36\"N", "10° 30' S", "0.5° N"], [52.51, -10.5, 0.5]),
        (["52.5200° N", "13.4° S", "7°W"], [52.52, -13.4, -7]),
        (["6'2\"", "5' 11\"", "6'"], [74, 71, 72]),
        (["3 1/4", "1/2", "5/8", "2"], [3.25, 0.5, 0.625, 2]),
        (["7/10", "10/10", "0/10"], [7, 10, 0]),
        ([f"{n}th" for n in range(4, 14)] + ["21st", "2nd", "3rd"], [*range(4, 14), 21, 2, 3]),
    ],
)
def test_numbers_are_read_in_every_way_of_writing(labels, numbers):
    assert find(labels).read(labels).tolist() == pytest.approx(numbers, rel=1e-15)


@pytest.mark.parametrize(
    "labels",
    [
        ["00123", "94110", "1"],
        ["10115", "94110", "80331"],
        ["9783161484100", "9780306406157"],
        ["12345678901234567", "9"],
        ["1.2.3", "1.10.0"],
        ["978-3-16-148410-0", "978-0-306-40615-7"],
        ["612 345 678", "655 001 002"],
        ["12%", "0.5"],
        ["$5", "€6"],
        ["yes", "no"],
        ["1", "2", "3+"],
        ["5 kg", "3 lb"],
        ["5 kg", "7", "8"],
        ["1 a b", "2 a b"],
        ["1 A4", "2 A4"],
        ["12a", "13a"],
        ["1234AB", "5678CD"],
        ["5", "5B", "12K", "7M"],
        ["2d", "3d"],
        ["<=50K", ">50K"],
        ["<1", "1 to 5", ">5"],
        ["3:45", "1:02:03"],
        ["12:30", "12:75"],
        ["1st", "2nd"],
        ["5-", "-6-"],
        ["120/80", "135/85"],
        ["3/4", "6/8", "4/4"],
        ["10-20", "20-30"],
        ["5 kg", "3 m"],
        ["5 CR", "3 kg"],
        ["S", "H"],
        ["1,23,45", "12"],
        ["1,23", "12.34.5"],
        [True, "1"],
        ["?", "-"],
    ],
)
def test_codes_and_mixtures_are_not_numbers(labels):
    assert find(labels) is None


def test_a_label_with_two_readings_is_named_only_if_both_are_possible():
    assert find(["1,234", "5,678"]).ambiguous == "1,234"
    assert find(["1.234", "5.678"]).ambiguous == "1.234"
    assert find(["1,234", "1,234.5"]).ambiguous is None
    assert find(["12,5", "1,234"]).ambiguous is None
    assert find(["3", "17"]).ambiguous is None


def test_known_marks_may_be_in_half_of_the_rows_and_others_in_few():
    numbers = [f"{n}.5" for n in range(40)]
    assert find([*numbers, "?", " N/A "], [1] * 40 + [20, 20]).marks == ["?", " N/A "]
    assert find([*numbers, "?"], [1] * 40 + [41]) is None
    assert find([*numbers, "closed"], [1] * 40 + [2]).marks == ["closed"]
    assert find([*numbers, "closed"], [1] * 40 + [3]) is None
    assert find([*numbers, *"abcde"]) is None
    assert np.isnan(find([*numbers, "closed"]).read(["closed"])).all()


def test_a_column_given_as_numbers_may_hold_codes_and_any_marks():
    assert find(["00123", "closed"], given=True).read(["00123", "closed"]).tolist()[0] == 123
    assert find(["closed"], given=True) is None


def test_only_text_and_object_columns_are_read():
    frame = pd.DataFrame({"text": ["1,234", "17", None]})
    frame["objects"] = frame["text"].astype(object)
    frame["category"] = frame["text"].astype("category")
    columns = to_columns(frame)
    for name in ("text", "objects"):
        column, number_format = read_text_numbers(columns[name])
        assert np.array_equal(column.values, [1234, 17, np.nan], equal_nan=True)
        assert number_format.decimal == "."
    assert read_text_numbers(columns["category"]) is None


def test_new_rows_keep_the_format_and_name_new_marks_once():
    number_format = NumberFormat(",", "%", ["closed"])
    warned = set()
    column = to_columns(pd.DataFrame({"rate": ["1.234,5%", "17", "closed", "?", "oops"]}))["rate"]
    with pytest.warns(UserWarning, match="'rate' held numbers in fit, but now holds 'oops'"):
        values = number_format.read_new(column, warned).values
    assert np.array_equal(values, [1234.5, 17, np.nan, np.nan, np.nan], equal_nan=True)
    assert warned == {"rate"}


def test_text_in_most_new_rows_is_an_error_that_names_it():
    column = to_columns(pd.DataFrame({"rate": ["5", "Ohio", "Utah"]}))["rate"]
    with pytest.raises(ValueError, match=r"'rate' must hold numbers, as in fit, but 2 of 3 rows .* 'Ohio'"):
        NumberFormat(".").read_new(column, set())


@given(
    st.lists(st.decimals(-(10**9), 10**9, places=2), min_size=2, max_size=20, unique=True),
    st.sampled_from([(".", ","), (".", " "), (".", "'"), (".", ""), (",", "."), (",", "\u00a0"), (",", "")]),
    st.sampled_from(["{}", "${}", "{} €", " {}% ", "CHF {}"]),
)
def test_numbers_written_in_any_format_are_read_back(numbers, marks, template):
    decimal, separator = marks
    texts = [f"{number:,.2f}".replace(",", "_").replace(".", decimal).replace("_", separator) for number in numbers]
    labels = [template.format(text) for text in texts]
    assert find(labels).read(labels).tolist() == [float(number) for number in numbers]


def test_a_known_decimal_mark_is_used():
    labels = ["1,234", "2,345"]
    assert find_number_format(labels, [1, 1]).read(labels).tolist() == [1234, 2345]
    known = find_number_format(labels, [1, 1], decimal=",")
    assert known.read(labels).tolist() == [1.234, 2.345]
    assert known.ambiguous is None
