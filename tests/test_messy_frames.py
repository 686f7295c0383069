"""A row has the same meaning in fit and predict, alone and in a batch, in every type of table; invalid tables raise.

Every situation is tested with every entry of `ENTRIES` in `messy_entries`; add a new transformer or estimator there.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.messy_entries import (
    N_ROWS,
    SAME,
    Entry,
    apply,
    as_category,
    assert_same,
    assert_works,
    encoded,
    every_entry,
    every_entry_with,
    expected,
    fit,
    fitted,
    in_zone,
    plain,
    rows_of,
    shared,
    table,
    target,
)


@every_entry_with("holder", SAME)
def test_same_rows_mean_the_same_whatever_holds_them(entry, holder):
    held = SAME[holder](table())
    assert_same(apply(shared(entry), held), expected(entry))
    model = shared(entry, holder)
    assert_same(apply(model, table()), expected(entry))
    assert_same(apply(model, held), expected(entry))


@every_entry_with(
    ("first", "second"),
    [("polars", "category permuted"), ("arrow table", "object"), ("ArrowDtype", "polars"), ("decimal", "ArrowDtype")],
)
def test_fit_with_one_library_and_predict_with_another(entry, first, second):
    assert_same(apply(shared(entry, first), SAME[second](table())), expected(entry))


@every_entry_with("holder", ["str", "category permuted", "object", "ArrowDtype", "polars", "arrow table"])
def test_one_row_means_what_it_means_in_its_batch(entry, holder):
    model = shared(entry)
    for row in (0, 1, 50):
        alone = apply(model, SAME[holder](table().iloc[[row]].reset_index(drop=True)))
        assert_same(alone, expected(entry).iloc[[row]].reset_index(drop=True))


@every_entry
def test_category_with_fewer_levels_at_predict_is_matched_by_label(entry):
    utah = table().query("state == 'Utah'")
    model = fitted(entry)
    assert_same(apply(model, as_category(utah, ["Utah"])), apply(model, utah))


@every_entry
def test_category_with_fewer_levels_at_fit_than_at_predict(entry):
    frame, y = table().query("state != 'Ohio'"), target(entry)[table()["state"] != "Ohio"]
    with_levels, with_text = fit(entry, as_category(frame, ["Utah", "Texas"]), y), fit(entry, frame, y)
    messy = as_category(table(), ["Ohio", "Texas", "Utah"])
    assert_same(apply(with_levels, messy), apply(with_text, table()))


@every_entry
def test_columns_are_matched_by_name(entry):
    messy = table()[["sold", "age", "new", "rooms", "state", "hours"]]
    assert_same(apply(shared(entry), messy), expected(entry))


@every_entry
def test_extra_columns_are_ignored(entry):
    messy = table().assign(price=np.inf, note="?")[["note", *table().columns, "price"]]
    assert_same(apply(shared(entry), messy), expected(entry))


# --- Labels ----------------------------------------------------------------------------------------------------------


def check_code_0(entry: Entry, model: Any, messy: pd.DataFrame, label: Any) -> None:
    """Assert that rows of the messy frame with unknown states have code 0 and plausible predictions."""
    clean = apply(model, rows_of(table(), state="Texas"))
    result = apply(model, messy)
    if "labels" not in entry.reads.split():
        if entry.reads.startswith("group"):
            assert result["Afternew"].isna().sum() == 12 if label is None else (result["Afternew"].dropna() >= 0).all()
            result = result.drop(columns=["Afternew", "new_bw", "Beforenew", "new_fw"])
        assert [plain(value) for value in result["state"].astype(object)] == [label] * 12
        assert_same(result.drop(columns="state"), clean[result.columns].drop(columns="state"))
        return
    assert encoded(entry, model, messy)["state"].tolist() == [0] * 12
    if entry.target is None:
        assert_same(result.drop(columns="state"), clean.drop(columns="state"))
    else:
        known = [apply(model, rows_of(table(), state=state)).to_numpy() for state in ("Ohio", "Texas", "Utah")]
        slack = np.ptp(known) / 2
        assert (result.to_numpy() >= np.min(known, axis=0) - slack).all()
        assert (result.to_numpy() <= np.max(known, axis=0) + slack).all()


@every_entry_with("holder", ["object", "str", "category", "polars"])
def test_unseen_label_is_code_0(entry, holder):
    messy = rows_of(table(), state="Alaska")
    check_code_0(entry, fitted(entry), SAME[holder](messy), "Alaska")


@every_entry_with("holder", ["object", "category", "string", "polars"])
@pytest.mark.parametrize("gap", [None, np.nan, pd.NA], ids=str)
def test_missing_label_is_code_0(entry, gap, holder):
    if holder == "polars":
        messy = pl.from_pandas(table().head(12)).with_columns(pl.lit(None).cast(pl.String).alias("state"))
    else:
        dtype = pd.CategoricalDtype(["Ohio", "Utah"]) if holder == "category" else holder
        messy = table().head(12).assign(state=pd.Series([gap] * 12, dtype=dtype))
    check_code_0(entry, fitted(entry), messy, None)


@every_entry
def test_missing_and_unseen_labels_mean_the_same(entry):
    if "labels" in entry.reads.split():
        model = fitted(entry)
        assert_same(apply(model, rows_of(table(), state=None)), apply(model, rows_of(table(), state="Alaska")))
    else:
        check_code_0(entry, fitted(entry), rows_of(table(), state="Alaska"), "Alaska")


@every_entry_with("dtype", ["boolean", object])
def test_missing_boolean_is_code_0_or_no_event(entry, dtype):
    gaps = pd.Series([None, *table()["new"].tolist()[1:]], dtype=dtype)
    messy = table().assign(new=gaps)
    model = fit(entry, messy)
    result = apply(model, messy)
    assert_works(entry, result)
    if entry.name == "ElapsedSince":
        no_event = table().assign(new=table()["new"] & (np.arange(N_ROWS) > 0))
        assert_same(result.drop(columns="new"), apply(fit(entry, no_event), no_event).drop(columns="new"))
    elif "flags" in entry.reads.split():
        assert encoded(entry, model, messy)["new"].tolist() == [0, *(table()["new"][1:] + 1)]
    else:
        assert [plain(value) for value in result["new"]] == [plain(value) for value in gaps]


# --- Numbers ---------------------------------------------------------------------------------------------------------


@every_entry_with("dtype", ["float64", "float32", "Float64", object, "double[pyarrow]"])
def test_gap_in_a_column_with_gaps_in_fit_is_the_median_and_is_marked(entry, dtype):
    model = fitted(entry)
    messy = rows_of(table(), hours=np.nan).astype({"hours": dtype})
    median = table()["hours"].median()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = apply(model, messy)
    assert_works(entry, result, 12)
    if entry.fills:
        seen, filled = encoded(entry, model, messy), encoded(entry, model, rows_of(table(), hours=median))
        assert_same(seen[["hours"]], filled[["hours"]])
        assert seen["hours_na"].astype(int).nunique() == 1
        assert (seen["hours_na"].astype(int) != filled["hours_na"].astype(int)).all()
    else:
        assert [plain(value) for value in result["hours"]] == [None] * 12


@every_entry_with("dtype", ["float64", "Float64", object])
@pytest.mark.parametrize("share", ["one gap", "all gaps"])
def test_gap_in_a_column_without_gaps_in_fit_is_the_median_with_one_warning(entry, dtype, share):
    model = fitted(entry)
    ages = np.array([np.nan] * 12 if share == "all gaps" else [np.nan, *table()["age"][1:12]])
    messy = table().head(12).assign(age=pd.Series(ages, dtype=dtype))
    clean = messy.assign(age=np.where(np.isnan(ages), table()["age"].median(), ages))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        result = apply(model, messy)
        first = [str(warning.message) for warning in told]
        apply(model, messy)
    if not entry.fills:
        assert told == []
        assert next(plain(value) for value in result["age"]) is None
        return
    assert len(told) == len(first) == 1
    assert "'age'" in first[0]
    assert_same(result, apply(model, clean))


@every_entry
@pytest.mark.parametrize("infinity", [np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("when", ["fit", "predict"])
def test_infinity_is_refused_by_column_and_row(entry, infinity, when):
    messy = table()
    messy.loc[3, "age"] = infinity
    with pytest.raises(ValueError, match=rf"'age' holds {infinity} in row 3"):
        fit(entry, messy) if when == "fit" else apply(shared(entry), messy)


@every_entry_with("dtype", ["Float64", object, "double[pyarrow]"])
def test_infinity_of_another_dtype_is_refused_by_who_reads_numbers(entry, dtype):
    messy = table()
    messy.loc[3, "age"] = np.inf
    messy = messy.astype({"age": dtype})
    if "numbers" in entry.reads.split():
        with pytest.raises(ValueError, match="'age' holds inf in row 3"):
            apply(shared(entry), messy)
    else:
        assert plain(apply(shared(entry), messy)["age"].iloc[3]) == np.inf


@every_entry_with("kind", ["number", "text", "object text", "boolean"])
def test_constant_column(entry, kind):
    value: Any = {"number": 1.5, "text": "same", "object text": "same", "boolean": True}[kind]
    constant = pd.Series([value] * N_ROWS, dtype=object if kind == "object text" else None)
    messy = table().assign(constant=constant)
    model = fit(entry, messy)
    result = apply(model, messy)
    assert_works(entry, result)
    if entry.target is not None:
        assert_same(apply(model, messy.iloc[[5]]), result.iloc[[5]])
        return
    read = {"number": "numbers", "boolean": "flags"}.get(kind, "labels") in entry.reads.split()
    scaled = kind == "number" and ("Normalize" in entry.name or "net" in entry.name)
    coded = read and kind != "number" and "Elapsed" not in entry.name
    assert [plain(held) for held in result["constant"].astype(object)] == [
        0.0 if scaled else 1.0 if coded else plain(value)
    ] * N_ROWS


@every_entry_with("dtype", ["float64", object, "Float64", "string", "category", "null[pyarrow]"])
def test_column_missing_throughout_in_fit(entry, dtype):
    dtype = pd.ArrowDtype(pa.null()) if dtype == "null[pyarrow]" else dtype
    messy = table().assign(empty=pd.Series([None] * N_ROWS, dtype=dtype))
    model = fit(entry, messy)
    result = apply(model, messy)
    assert_works(entry, result)
    assert_same(apply(model, messy.iloc[[5]]), result.iloc[[5]])
    if not entry.fills and entry.name != "Categorify":
        assert [plain(value) for value in result["empty"].astype(object)] == [None] * N_ROWS


@every_entry_with("dtype", ["float64", object, "string", "category"])
def test_labels_missing_throughout_at_predict(entry, dtype):
    messy = table().head(12).assign(state=pd.Series([None] * 12, dtype=dtype))
    check_code_0(entry, fitted(entry), messy, None)


# --- Ids -------------------------------------------------------------------------------------------------------------


@every_entry
@pytest.mark.parametrize("kind", ["text", "whole numbers"])
def test_ids_that_are_all_distinct(entry, kind):
    ids = [f"id{row}" for row in range(N_ROWS)] if kind == "text" else list(range(1000, 1000 + N_ROWS))
    messy = table().assign(key=ids)
    model = fit(entry, messy)
    result = apply(model, messy)
    assert_works(entry, result)
    new = messy.head(12).assign(key=[f"new{row}" for row in range(12)] if kind == "text" else range(5000, 5012))
    later = apply(model, new)
    assert_works(entry, later, 12)
    if entry.target is not None:
        # Trees stay among the predictions they have made, nets among the targets they have seen.
        known = target(entry) if "net" in entry.name or entry.name == "TabularRegressor" else result.to_numpy()
        assert later.to_numpy().min() >= known.min() - 1e-6
        assert later.to_numpy().max() <= known.max() + 1e-6
    elif kind == "text" and "labels" in entry.reads.split():
        assert result["key"].nunique() == N_ROWS
        assert later["key"].tolist() == [0] * 12
    elif kind == "text" or "numbers" not in entry.reads.split():
        assert later["key"].tolist() == new["key"].tolist()


# --- Dates -----------------------------------------------------------------------------------------------------------


@every_entry
@pytest.mark.parametrize("later", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_dates_with_a_time_zone_are_the_same_moment_in_any_other(entry, later):
    assert_same(apply(shared(entry, "dates in UTC"), in_zone(table(), later)), expected(entry))


@every_entry
def test_dates_without_the_time_zone_of_fit_are_refused(entry):
    for model, messy in [
        (shared(entry, "dates in UTC"), table()),
        (shared(entry), in_zone(table(), "UTC")),
    ]:
        if "dates" in entry.reads.split():
            with pytest.raises(ValueError, match=r"'sold' .*time zone.*201[12]"):
                apply(model, messy)
        else:
            assert_same(apply(model, messy), expected(entry))


@every_entry_with("holder", ["datetime", "object", "polars"])
def test_missing_date(entry, holder):
    messy = table().head(12)
    messy.loc[0, "sold"] = pd.NaT
    model = fitted(entry)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        held = {"datetime": messy, "object": messy.astype({"sold": object}), "polars": pl.from_pandas(messy)}[holder]
        result = apply(model, held)
        clean = apply(model, table().head(12))
    assert_works(entry, result, 12)
    assert_same(result.iloc[1:], clean.iloc[1:])
    if "dates" not in entry.reads.split():
        assert plain(result["sold"].astype(object).iloc[0]) is None
        assert told == []
    elif entry.name == "DateParts":
        assert pd.isna(result["soldYear"].iloc[0])
        assert pd.isna(result["soldElapsed"].iloc[0])
        assert not result["soldIs_month_end"].iloc[0]
    elif entry.name == "ElapsedSince":
        assert result[["Afternew", "new_bw", "Beforenew", "new_fw"]].iloc[0].isna().all()
    else:
        assert any("'sold" in str(warning.message) for warning in told)


@every_entry
def test_dates_missing_throughout_at_predict(entry):
    messy = table().head(12).assign(sold=pd.Series([pd.NaT] * 12, dtype="datetime64[ns]"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_works(entry, apply(fitted(entry), messy), 12)


@every_entry
@pytest.mark.parametrize("wrong", ["text", "numbers"])
def test_text_and_numbers_in_a_column_of_dates_are_rejected(entry, wrong):
    messy = rows_of(table(), sold="soon" if wrong == "text" else 17.5)
    if "dates" in entry.reads.split():
        with pytest.raises(ValueError, match="'sold' ") as refused:
            apply(shared(entry), messy)
        assert ("soon" if wrong == "text" else "17.5") in str(refused.value)
    else:
        assert apply(shared(entry), messy)["sold"].tolist() == messy["sold"].tolist()


# --- Refused ---------------------------------------------------------------------------------------------------------


@every_entry
@pytest.mark.parametrize("column", ["state", "hours", "sold"])
def test_missing_column_is_named(entry, column):
    with pytest.raises(ValueError, match=f"'{column}'"):
        apply(shared(entry), table().drop(columns=column))


@every_entry_with("dtype", ["int64", "float64", object, "Int64"])
def test_numbers_where_labels_were_are_refused(entry, dtype):
    messy = rows_of(table(), state=17).astype({"state": dtype})
    if {"labels", "group"} & set(entry.reads.split()):
        with pytest.raises(ValueError, match="'state' .*(text|labels).* 17"):
            apply(shared(entry), messy)
    else:
        assert [plain(value) for value in apply(shared(entry), messy)["state"]] == [17.0] * 12


@every_entry_with("dtype", ["str", object, "category", "string"])
@pytest.mark.parametrize("column", ["age", "rooms"])
def test_text_where_numbers_were_is_refused(entry, dtype, column):
    messy = rows_of(table(), **{column: "old"}).astype({column: dtype})
    if "numbers" in entry.reads.split():
        with pytest.raises(ValueError, match=f"'{column}' .*number.*'old'"):
            apply(shared(entry), messy)
    else:
        assert apply(shared(entry), messy)[column].tolist() == ["old"] * 12


@every_entry
@pytest.mark.parametrize("when", ["fit", "predict"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: table().head(0), "0 sample"),
        (lambda: table()[[]], "0 feature"),
        (lambda: pd.concat([table(), table()[["age"]]], axis=1), "'age'"),
        (lambda: pl.from_pandas(table()).head(0), "0 sample"),
        (lambda: pa.Table.from_pandas(table())[:0], "0 sample"),
        (lambda: pa.table({}), "0 feature"),
        (lambda: pa.table([[1.0], [2.0]], names=["age", "age"]), "'age'"),
    ],
    ids=[
        "no rows",
        "no columns",
        "names twice",
        "polars no rows",
        "arrow no rows",
        "arrow no columns",
        "arrow names twice",
    ],
)
def test_an_invalid_table_is_rejected(entry, when, make, said):
    with pytest.raises(ValueError, match=said):
        fit(entry, make()) if when == "fit" else apply(fitted(entry), make())


@every_entry
def test_target_with_gaps_is_refused(entry):
    y = pd.Series(target(entry))
    y[3] = None
    if entry.target is None:
        assert_same(apply(fit(entry, table(), y), table()), expected(entry))
    else:
        with pytest.raises(ValueError, match="y contains NaN: 1 missing, the first in row 3"):
            fit(entry, table(), y)


@every_entry
def test_target_of_another_length_is_refused(entry):
    y = target(entry)[:-2]
    if entry.target is None:
        assert_same(apply(fit(entry, table(), y), table()), expected(entry))
    else:
        with pytest.raises(ValueError, match="120 rows, but y has 118"):
            fit(entry, table(), y)
