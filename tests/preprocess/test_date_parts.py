"""`DateParts`: parts of known dates, text formats and invalid input."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tabrec import DateParts

FLAGS = ["month_end", "month_start", "quarter_end", "quarter_start", "year_end", "year_start"]


def parts_of(*dates, time=False, **params):
    """Return the parts of a date column `date`, without prefix."""
    return DateParts(time=time, **params).fit_transform(pd.DataFrame({"date": pd.to_datetime(list(dates))}))


def text_parts(values, date_format=None, later=None):
    """Return years, months and days of a text column, parsed by the detected format."""
    fitted = DateParts({"date": date_format}).fit(pd.DataFrame({"date": values}))
    parts = fitted.transform(pd.DataFrame({"date": later or values}))
    return fitted.formats_["date"], parts[["Year", "Month", "Day"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("date", "year", "month", "week", "day", "dayofweek", "dayofyear", "elapsed"),
    [
        ("2012-02-29", 2012, 2, 9, 29, 2, 60, 1330473600),
        ("2011-12-31", 2011, 12, 52, 31, 5, 365, 1325289600),
        ("2012-12-31", 2012, 12, 1, 31, 0, 366, 1356912000),
        ("2016-01-01", 2016, 1, 53, 1, 4, 1, 1451606400),
        ("2020-12-31", 2020, 12, 53, 31, 3, 366, 1609372800),
        ("1900-03-01", 1900, 3, 9, 1, 3, 60, -2203891200),
        ("1969-12-31", 1969, 12, 1, 31, 2, 365, -86400),
        ("1970-01-01", 1970, 1, 1, 1, 3, 1, 0),
    ],
)
def test_known_dates_have_their_known_parts(date, year, month, week, day, dayofweek, dayofyear, elapsed):
    (got,) = parts_of(date).drop(columns=[f"Is_{flag}" for flag in FLAGS]).to_numpy().tolist()
    assert got == [year, month, week, day, dayofweek, dayofyear, elapsed]


@pytest.mark.parametrize(
    ("date", "true"),
    [
        ("2011-12-31", {"month_end", "quarter_end", "year_end"}),
        ("2012-01-01", {"month_start", "quarter_start", "year_start"}),
        ("2012-02-28", set()),
        ("2011-02-28", {"month_end"}),
        ("2012-02-29", {"month_end"}),
        ("1900-02-28", {"month_end"}),
        ("2012-06-30", {"month_end", "quarter_end"}),
        ("2012-04-01", {"month_start", "quarter_start"}),
    ],
)
def test_flags_know_the_ends_of_months_in_leap_years_too(date, true):
    parts = parts_of(date)
    assert {flag for flag in FLAGS if parts[f"Is_{flag}"].iloc[0]} == true


def test_the_columns_are_those_of_add_datepart_in_its_order():
    sales = pd.DataFrame({"saledate": pd.to_datetime(["2011-11-16"]), "price": [1]})
    expected = ["price", "saleYear", "saleMonth", "saleWeek", "saleDay", "saleDayofweek", "saleDayofyear"]
    expected += [f"saleIs_{flag}" for flag in FLAGS]
    assert DateParts().fit_transform(sales).columns.tolist() == [*expected, "saleElapsed"]
    timed = DateParts(time=True, drop=False).fit_transform(sales).columns.tolist()
    assert timed == ["saledate", *expected, "saleHour", "saleMinute", "saleSecond", "saleElapsed"]


@pytest.mark.parametrize(
    ("name", "prefix"), [("saledate", "sale"), ("SaleDate", "Sale"), ("dated", "dated"), ("d", "d")]
)
def test_the_prefix_is_the_name_without_a_final_date(name, prefix):
    assert f"{prefix}Year" in DateParts().fit_transform(pd.DataFrame({name: pd.to_datetime(["2011-01-01"])}))


def test_numbers_are_whole_without_gaps_and_nan_where_a_date_is_missing():
    assert set(map(str, parts_of("2011-01-31").dtypes)) == {"int32", "int64", "bool"}
    parts = parts_of("2011-01-31", None)
    assert parts["Day"].tolist()[0] == 31
    assert parts.iloc[1].drop([f"Is_{flag}" for flag in FLAGS]).isna().all()
    assert not parts.loc[1, [f"Is_{flag}" for flag in FLAGS]].any()
    assert parts["Is_month_end"].dtype == bool


def test_the_time_of_day_has_parts_of_its_own_and_seconds_before_1970_are_negative():
    parts = parts_of("1969-12-31 23:59:58", "2011-03-04 05:06:07", time=True)
    assert parts[["Hour", "Minute", "Second"]].to_numpy().tolist() == [[23, 59, 58], [5, 6, 7]]
    assert parts["Elapsed"].tolist() == [-2, 1299215167]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_elapsed_keeps_fractions_of_seconds_where_there_are_any(unit):
    texts = ["1969-12-31 23:59:58.25", "1970-01-01 00:00:01.5", "2024-01-01"]
    elapsed = DateParts().fit_transform(pd.DataFrame({"at": pd.to_datetime(texts, format="ISO8601").as_unit(unit)}))[
        "atElapsed"
    ]
    assert elapsed.tolist() == ([-2, 1, 1704067200] if unit == "s" else [-1.75, 1.5, 1704067200])
    assert elapsed.dtype == ("int64" if unit == "s" else "float64")


def test_parts_are_local_and_elapsed_is_universal_when_the_clocks_change():
    berlin = pd.Series(pd.to_datetime(["2011-03-26 23:30", "2011-03-27 03:30"])).dt.tz_localize("Europe/Berlin")
    parts = DateParts(time=True).fit_transform(pd.DataFrame({"date": berlin}))
    assert parts["Day"].tolist() == [26, 27]
    assert parts["Hour"].tolist() == [23, 3]
    assert parts["Elapsed"].diff().tolist()[1] == 3 * 3600  # one hour is skipped that night
    assert parts["Is_month_end"].tolist() == [False, False]


def test_dates_of_another_zone_are_converted_to_that_of_fit():
    fitted = DateParts(time=True).fit(pd.DataFrame({"date": pd.to_datetime(["2011-01-01"]).tz_localize("Asia/Tokyo")}))
    assert fitted.time_zones_ == {"date": "Asia/Tokyo"}
    parts = fitted.transform(pd.DataFrame({"date": pd.to_datetime(["2010-12-31 18:00"]).tz_localize("UTC")}))
    assert parts[["Year", "Hour"]].to_numpy().tolist() == [[2011, 3]]


@pytest.mark.parametrize("offset", [datetime.timedelta(hours=1), -datetime.timedelta(hours=5, minutes=30)])
def test_zones_of_a_fixed_offset_are_kept(offset):
    aware = pd.DataFrame({"date": pd.to_datetime(["2011-01-01 12:00"]).tz_localize(datetime.timezone(offset, "X"))})
    assert DateParts(time=True).fit_transform(aware)["Hour"].tolist() == [12]


def test_zones_that_cannot_be_named_are_refused():
    zone = pytest.importorskip("dateutil.tz").gettz("Europe/Berlin")
    aware = pd.Series([datetime.datetime(2011, 1, 1, tzinfo=zone)], dtype=object)
    with pytest.raises(ValueError, match=r"Column 'date' is in the time zone .* no name.*tz_convert"):
        DateParts().fit(pd.DataFrame({"date": aware}))


@pytest.mark.parametrize(("fit_zone", "zone"), [("UTC", None), (None, "UTC")])
def test_dates_that_gain_or_lose_a_time_zone_are_refused(fit_zone, zone):
    day = pd.to_datetime(["2011-01-01"])
    fitted = DateParts().fit(pd.DataFrame({"date": day.tz_localize(fit_zone)}))
    with pytest.raises(ValueError, match=r"Column 'date' held dates with(out)? a time zone in fit, but now with"):
        fitted.transform(pd.DataFrame({"date": day.tz_localize(zone)}))


@pytest.mark.parametrize(
    ("values", "date_format"),
    [
        (["2011-02-01", "2012-12-31"], "ISO8601"),
        (["2011-02-01T10:00:00", "2012-12-31 11:30"], "ISO8601"),
        (["2/1/2011", "12/31/2012"], "%m/%d/%Y"),
        (["1/2/2011", "31/12/2012"], "%d/%m/%Y"),
        (["01.02.2011", "31.12.2012"], "%d.%m.%Y"),
        (["2/1/2011 0:00", "12/31/2012 0:00"], "%m/%d/%Y %H:%M"),
        (["2/1/2011 0:00:00", "12/31/2012 23:59:59"], "%m/%d/%Y %H:%M:%S"),
        (["2011/2/1", "2012/12/31"], "%Y/%m/%d"),
        (["02-01-11", "12-31-12"], "%m-%d-%y"),
        (["20110201", "20121231"], "%Y%m%d"),
        (["20110201T101532Z", "20121231T235900Z"], "%Y%m%dT%H%M%S%z"),
        (["Tue, 01 Feb 2011 10:00:00 +0000", "Mon, 31 Dec 2012 23:59:00 +0000"], "%a, %d %b %Y %H:%M:%S %z"),
        (["Tue, 01 Feb 2011 10:00:00 GMT", "Mon, 31 Dec 2012 23:59:00 GMT"], "%a, %d %b %Y %H:%M:%S %Z"),
        (["Tuesday, February 1, 2011", "Monday, December 31, 2012"], "%A, %B %d, %Y"),
    ],
)
def test_the_format_of_text_is_found_where_it_is_beyond_doubt(values, date_format):
    assert text_parts(values) == (date_format, [[2011, 2, 1], [2012, 12, 31]])


def test_the_format_of_fit_reads_later_rows_that_would_be_ambiguous_alone():
    assert text_parts(["1/2/2011", "31/12/2012"], later=["3/4/2013"])[1] == [[2013, 4, 3]]


def test_a_named_format_reads_what_none_is_found_for():
    assert text_parts(["1 Feb 2011", "31 Dec 2012"], "%d %b %Y")[1] == [[2011, 2, 1], [2012, 12, 31]]
    assert text_parts(["01/02/2011"], "%d/%m/%Y")[1] == [[2011, 2, 1]]


def test_text_with_offsets_is_read_in_the_offset_of_fit_alone_and_beside_other_offsets():
    winter, summer = "2011-01-01T10:00:00+01:00", "2011-06-01T10:00:00+02:00"
    fitted = DateParts(["date"], time=True).fit(pd.DataFrame({"date": [winter]}))
    assert fitted.time_zones_ == {"date": "UTC+01:00"}
    together = fitted.transform(pd.DataFrame({"date": [winter, summer]}))
    assert together["Hour"].tolist() == [10, 9]
    assert_frame_equal(fitted.transform(pd.DataFrame({"date": [summer]})), together.iloc[[1]].reset_index(drop=True))
    both = DateParts(["date"]).fit(pd.DataFrame({"date": [winter, summer]}))
    assert both.time_zones_ == {"date": "UTC"}
    with pytest.raises(ValueError, match="Column 'date' holds '2011-06-01T10:00:00' without an offset from UTC among"):
        fitted.transform(pd.DataFrame({"date": [winter, "2011-06-01T10:00:00"]}))


@pytest.mark.parametrize("blank", [None, "", "NaT"])
@pytest.mark.parametrize("date_format", [None, "%Y-%m-%d"])
def test_blank_text_is_a_missing_date(blank, date_format):
    fitted = DateParts({"date": date_format}).fit(pd.DataFrame({"date": ["2011-01-02", "2012-03-04"]}))
    parts = fitted.transform(pd.DataFrame({"date": ["2012-03-04", blank, "2011-01-02"]}))
    assert parts["Year"].fillna(0).tolist() == [2012, 0, 2011]
    assert parts["Is_year_start"].dtype == bool


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["01/02/2011", "03/04/2011"], r"can be read as '%m/%d/%Y' or as '%d/%m/%Y': pass the format.*to_datetime"),
        (["01/01/2011"], "can be read as"),
        (["13/14/2011"], "Column 'date' holds '13/14/2011', which no unambiguous date format reads"),
        (["2011-01-01", "soon"], "Column 'date' holds 'soon'"),
        (["2011-02-30"], "holds '2011-02-30', which is not a date in the format 'ISO8601'"),
        (["1/2/2011", "2011-01-02"], "can be read as"),
        ([20110102], "Column 'date' is to be read as dates, but holds numbers such as 20110102"),
        ([True], "holds booleans"),
        (pd.Series([1, "2011-01-01"], dtype=object), r"holds 1 \(int\)"),
    ],
)
def test_what_is_no_date_or_more_than_one_is_refused_by_name_and_value(values, message):
    with pytest.raises(ValueError, match=message):
        DateParts(["date"]).fit(pd.DataFrame({"date": values}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["12/31/2011"], "holds '12/31/2011', which is not a date in the format '%d/%m/%Y'"),
        ([3.5], r"held dates in fit, but now holds numbers such as 3\.5"),
        ([True], "held dates in fit, but now holds booleans"),
    ],
)
def test_what_the_learned_format_cannot_read_is_refused_in_transform(values, message):
    fitted = DateParts({"date": "%d/%m/%Y"}).fit(pd.DataFrame({"date": ["31/12/2011"]}))
    with pytest.raises(ValueError, match=f"Column 'date' {message}"):
        fitted.transform(pd.DataFrame({"date": values}))


def test_dates_and_text_stand_in_for_each_other_after_fit():
    dates, text = pd.DataFrame({"date": pd.to_datetime(["2011-01-02"])}), pd.DataFrame({"date": ["2011-01-02"]})
    assert_frame_equal(DateParts().fit(dates).transform(text), DateParts().fit_transform(dates))
    assert_frame_equal(DateParts(["date"]).fit(text).transform(dates), DateParts().fit_transform(dates))


@pytest.mark.parametrize("values", [[None, None], [np.nan, np.nan], [pd.NaT, pd.NaT]])
def test_a_column_without_dates_gives_gaps_before_and_after_fit(values):
    nothing = pd.DataFrame({"date": pd.Series(values, dtype=object)})
    something = pd.DataFrame({"date": pd.to_datetime(["2011-01-02", "2011-01-02"])})
    assert DateParts(["date"]).fit_transform(nothing)["Year"].isna().all()
    assert DateParts(["date"]).fit(something).transform(nothing)["Year"].isna().all()
    assert DateParts(["date"]).fit(nothing).transform(something)["Year"].tolist() == [2011, 2011]


def test_text_is_left_alone_unless_named():
    text = pd.DataFrame({"date": ["2011-01-02"]})
    assert DateParts().fit_transform(text).columns.tolist() == ["date"]


def test_parts_that_the_table_already_has_are_refused():
    with pytest.raises(ValueError, match=r"names of the date parts \['saleYear'\]"):
        DateParts().fit(pd.DataFrame({"saledate": pd.to_datetime(["2011-01-01"]), "saleYear": [1]}))


def test_later_chunks_must_be_readable_in_the_format_of_the_first():
    fitted = DateParts(["date"]).partial_fit(pd.DataFrame({"date": ["31/12/2011"]}))
    with pytest.raises(ValueError, match="'12/31/2011'"):
        fitted.partial_fit(pd.DataFrame({"date": ["12/31/2011"]}))


@given(st.lists(st.none() | st.datetimes(datetime.datetime(1583, 1, 1), datetime.datetime(2261, 12, 31)), min_size=1))
def test_every_part_is_what_the_standard_library_says(dates):
    frame = pd.DataFrame({"date": np.array(dates, dtype="datetime64[us]")})
    parts = DateParts(time=True).fit_transform(frame)
    for row, date in zip(parts.to_dict("records"), dates, strict=True):
        if date is None:
            assert np.isnan(row["Elapsed"])
            continue
        names = ["Year", "Month", "Day", "Hour", "Minute", "Second", "Dayofweek", "Week", "Dayofyear"]
        assert [row[name] for name in names] == [
            *(date.year, date.month, date.day, date.hour, date.minute, date.second),
            *(date.weekday(), date.isocalendar().week, date.timetuple().tm_yday),
        ]
        seconds = (date - datetime.datetime(1970, 1, 1)) / datetime.timedelta(seconds=1)
        assert row["Elapsed"] == pytest.approx(seconds, rel=2**-52, abs=0)  # one rounding
        assert row["Is_month_end"] == ((date + datetime.timedelta(days=1)).month != date.month)


@pytest.mark.real_data("bulldozers/Train.csv")
def test_the_sale_dates_of_the_bulldozers_are_read(data_dir):
    sales = pd.read_csv(data_dir / "bulldozers/Train.csv", usecols=["saledate"])
    fitted = DateParts(["saledate"]).fit(sales)
    assert fitted.formats_ == {"saledate": "%m/%d/%Y %H:%M"}
    parts = fitted.transform(sales)
    dates = pd.to_datetime(sales["saledate"], format="%m/%d/%Y %H:%M")
    assert parts["saleWeek"].tolist() == dates.dt.isocalendar().week.tolist()
    assert parts["saleElapsed"].tolist() == [int(date.timestamp()) for date in dates]
    assert (parts["saleYear"].min(), parts["saleYear"].max()) == (2004, 2011)


@pytest.mark.parametrize("zone", [None, "Europe/Berlin", "UTC"])
def test_inverse_transform_replaces_the_parts_by_the_dates(zone):
    moments = ["1960-02-29 23:59:59.25", None, "2011-10-30 02:30:00", "2012-12-31"]
    frame = pd.DataFrame({"a": range(4), "at": pd.DatetimeIndex(moments).tz_localize(zone, ambiguous=True)})
    fitted = DateParts(["at"]).fit(frame)
    restored = fitted.inverse_transform(fitted.transform(frame))
    assert list(restored) == ["a", "at"]
    assert restored["at"].tolist() == frame["at"].tolist()
    assert restored["at"].dt.tz == frame["at"].dt.tz
    kept = DateParts(["at"], drop=False).fit(frame)
    pd.testing.assert_frame_equal(kept.inverse_transform(kept.transform(frame)), frame)
