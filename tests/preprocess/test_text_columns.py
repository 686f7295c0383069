import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import tabrec
from tabrec import DateParts, FillMissing, Normalize, TabularPreprocessor, cont_cat_split

N = 60
SALES = pd.DataFrame(
    {
        "price": [f"${value:,.2f}" for value in np.arange(N - 1) * 37.5] + ["?"],
        "sold": [f"2020-01-{day % 28 + 1:02d}" for day in range(N - 1)] + ["unknown"],
        "state": ["Ohio", "Utah"] * (N // 2),
    }
)


@pytest.fixture(scope="module")
def fitted():
    with pytest.warns(
        UserWarning, match=r"'price' as numbers \('\?' as missing\); 'sold' as dates \('unknown' as miss"
    ):
        return TabularPreprocessor().fit(SALES)


def test_text_becomes_numbers_and_dates_with_gaps_at_the_marks(fitted):
    encoded = fitted.transform(SALES)
    assert fitted.kinds_ == {"price": "continuous", "sold": "date", "state": "categorical"}
    assert encoded["price"].iloc[:3].tolist() == [0, 37.5, 75]
    assert encoded.loc[N - 1, ["price_na", "soldYear_na"]].tolist() == [True, True]
    assert encoded["soldDay"].iloc[:3].tolist() == [1, 2, 3]


def test_text_means_the_same_in_every_type_of_table_and_row_by_row(fitted):
    expected = fitted.transform(SALES)
    tables = [SALES.astype(object), SALES.astype("category"), pl.from_pandas(SALES), pl.from_pandas(SALES).to_arrow()]
    for table in [*tables, SALES.assign(price=[*np.arange(N - 1) * 37.5, np.nan])]:
        assert np.array_equal(fitted.transform(table), expected)
    for row in (0, 30, N - 1):
        assert np.array_equal(fitted.transform(SALES.iloc[[row]]), expected.iloc[[row]])


def test_formats_and_marks_survive_saving(fitted, tmp_path):
    tabrec.save(fitted, tmp_path / "model")
    pd.testing.assert_frame_equal(tabrec.load(tmp_path / "model").transform(SALES), fitted.transform(SALES))


def test_a_new_mark_is_a_gap_with_a_warning_and_other_text_an_error(fitted):
    with pytest.warns(UserWarning, match="'price' held numbers in fit, but now holds 'sold out', read as missing"):
        assert fitted.transform(SALES.head(5).assign(price=["$5", "sold out", "6", "7", "8"]))["price_na"].sum() == 1
    with pytest.raises(ValueError, match="'price' must hold numbers, as in fit, but 5 of 5 rows .* 'Ohio'"):
        fitted.transform(SALES.head(5).assign(price="Ohio"))


def test_columns_stated_to_be_categories_stay_labels():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TabularPreprocessor(categorical_columns=["price"]).fit(SALES[["price"]]).kinds_ == {
            "price": "categorical"
        }
        assert TabularPreprocessor().fit(SALES[["price"]].astype("category")).kinds_ == {"price": "categorical"}


def test_columns_stated_to_be_numbers_may_be_codes_with_any_marks():
    table = pd.DataFrame({"code": ["00123", "5", "closed"]})
    with pytest.warns(UserWarning, match="'closed' as missing"):
        encoded = TabularPreprocessor(continuous_columns=["code"]).fit_transform(table)
    assert encoded["code"].tolist() == [123, 5, 64]


@pytest.mark.parametrize("step", [FillMissing(columns=["price"]), Normalize(columns=["price"])])
def test_steps_read_text_in_the_columns_that_they_name(step):
    with pytest.warns(UserWarning, match="'price' as numbers"):
        values = step.fit_transform(SALES[["price"]])["price"]
    assert values.dtype == np.float32
    assert values.iloc[1] - values.iloc[0] == pytest.approx(values.iloc[11] - values.iloc[10], rel=1e-4)


def test_whole_numbers_of_few_values_stay_labels_for_nets():
    table = pd.DataFrame({"rooms": ["1", "2", "3", "10"], "area": ["10.5", "20", "30", "?"]})
    assert cont_cat_split(table) == (["area"], ["rooms"])
    with pytest.warns(UserWarning, match="'area'"):
        assert TabularPreprocessor("net").fit(table).kinds_ == {"rooms": "categorical", "area": "continuous"}


@pytest.mark.parametrize(
    "date_format",
    [
        *("%d %B %Y", "%d-%b-%y", "%b %d, %Y", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M", "%Y%m%d", " %Y-%m-%d"),
        *("%d.%m.%y", "%Y%m%d%H%M", "%Y%m%d%H%M%S"),
    ],
)
def test_dates_are_recognised_in_common_formats(date_format):
    days = pd.date_range("2020-01-01", periods=N, freq="37h")
    encoded = TabularPreprocessor(time=False).fit_transform(pd.DataFrame({"sold": days.strftime(date_format)}))
    assert encoded["soldDayofyear"].tolist() == days.day_of_year.tolist()


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["1. März 2021", "24. Dezember 2020", "5. August 2020"], "%d. %B %Y"),
        (["01. Mrz. 2021", "24. Dez. 2020", "05. Aug 2020"], "%d. %b %Y"),
        (["1er mars 2021", "24 décembre 2020", "5 août 2020"], "%der %B %Y | %d %B %Y"),
        (["1 mars 2021", "24 déc. 2020", "5 AOÛT 2020"], "%d %B %Y"),
        (["1 de marzo de 2021", "24 de diciembre de 2020", "5 de agosto de 2020"], "%d de %B de %Y"),
        (["1 marzo 2021", "24 dic 2020", "5 ago 2020"], "%d %B %Y"),
        (["March 1, 2021", "Dec. 24, 2020", "Aug 5, 2020"], "%B %d, %Y"),
    ],
)
def test_months_are_named_in_several_languages(texts, found):
    days = pd.DataFrame({"sold": texts})
    parts = DateParts(["sold"]).fit(days)
    assert parts.formats_["sold"] == found
    assert parts.transform(days)[["soldMonth", "soldDay"]].to_numpy().tolist() == [[3, 1], [12, 24], [8, 5]]


def test_date_parts_alone_warn_of_marks():
    with pytest.warns(UserWarning, match=r"'sold' as dates \('unknown' as missing\)"):
        parts = DateParts(["sold"]).fit_transform(SALES[["sold"]])
    assert parts["soldYear"].isna().tolist() == [False] * (N - 1) + [True]


def test_time_is_added_where_it_varies():
    hours = pd.date_range("2024-01-01", periods=48, freq="h")
    table = pd.DataFrame({"at": hours, "on": hours.normalize(), "exact": hours + pd.to_timedelta(range(48), unit="s")})
    parts = DateParts().fit(table)
    assert parts.time_parts_ == {"at": ["Hour"], "on": [], "exact": ["Hour", "Second"]}
    assert parts.transform(table)["atHour"].tolist() == hours.hour.tolist()


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_nameless_column_that_counts_rows_is_left_out_also_in_a_sample(name):
    table = pd.DataFrame({name: range(N), "area": np.linspace(0, 1, N)}).sample(frac=0.8, random_state=0)
    with pytest.warns(UserWarning, match="count rows"):
        preprocessor = TabularPreprocessor().fit(table)
    assert preprocessor.kinds_ == {name: "dropped", "area": "continuous"}
    assert preprocessor.transform(table[["area"]]).columns.tolist() == ["area"]
    assert TabularPreprocessor(continuous_columns=[name]).fit(table).kinds_[name] == "continuous"
    assert TabularPreprocessor().fit(table.rename(columns={name: "id"})).kinds_["id"] == "continuous"
    with pytest.warns(UserWarning, match="name them"):
        kinds = TabularPreprocessor().fit(table.assign(**{name: [f"row {n}" for n in table.index]})).kinds_
    assert kinds[name] == "dropped"


@pytest.mark.parametrize("date_format", ["%Y-%m", "%B %Y", "%b-%Y"])
def test_months_are_dates(date_format):
    months = pd.date_range("2020-01-01", periods=24, freq="MS")
    encoded = TabularPreprocessor().fit_transform(pd.DataFrame({"sold": months.strftime(date_format)}))
    assert encoded["soldMonth"].tolist() == months.month.tolist()


def test_columns_of_mostly_numbers_or_ambiguous_dates_are_not_labels_in_silence():
    table = pd.DataFrame({"size": [f"{n}.5" for n in range(N - 10)] + ["low", "high"] * 5})
    with pytest.warns(UserWarning, match="'size' holds mostly numbers as text, but also 'low', 'high'"):
        assert TabularPreprocessor().fit(table).kinds_ == {"size": "categorical"}
    table = pd.DataFrame({"sold": ["01/02/2020", "03/04/2021", "unknown"] * 10})
    with pytest.warns(UserWarning, match="'sold' looks like dates.*ambiguous"):
        TabularPreprocessor().fit(table)


def test_dates_in_two_formats_are_read_if_each_has_one_reading():
    days = pd.date_range("2020-01-01", periods=N)
    written = [day.strftime("%d.%m.%Y" if row % 2 else "%Y-%m-%d") for row, day in enumerate(days)]
    with pytest.warns(UserWarning, match=r"several formats: 'sold' \(ISO8601 \| %d\.%m\.%Y\)"):
        fitted = TabularPreprocessor().fit(pd.DataFrame({"sold": written}))
    assert fitted.transform(pd.DataFrame({"sold": written}))["soldDayofyear"].tolist() == days.day_of_year.tolist()
    later = fitted.transform(pd.DataFrame({"sold": ["31.12.2021", "2021-12-30"]}))
    assert later["soldDayofyear"].tolist() == [365, 364]
    with pytest.raises(ValueError, match="'12/31/2021', which is not a date"):
        fitted.transform(pd.DataFrame({"sold": ["12/31/2021", "2021-12-30"]}))
    ambiguous = [day.strftime("%d/%m/%Y" if row % 2 else "%Y-%m-%d") for row, day in enumerate(days[:11])]
    with pytest.warns(UserWarning, match="ambiguous"):
        TabularPreprocessor().fit(pd.DataFrame({"sold": ambiguous}))
