"""A row has the same meaning in fit and predict, alone and in a batch, in every type of table; invalid tables raise.

Every situation is tested with every entry of `ENTRIES`; add a new transformer or estimator there.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import make_pipeline

from tabrec import (
    BoostingClassifier,
    BoostingRegressor,
    Categorify,
    DateParts,
    ElapsedSince,
    EmbeddingEncoder,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    Normalize,
    TabularClassifier,
    TabularPreprocessor,
    TabularRegressor,
)


@dataclass(frozen=True)
class Entry:
    """A transformer or estimator: the kinds of columns that it reads (others pass through) and what it predicts."""

    name: str
    make: Callable[[], Any]
    target: str | None = None  # "numbers" or "classes"
    reads: str = "labels flags numbers dates"
    fills: bool = True


FOREST = {"n_estimators": 8, "n_jobs": 1, "random_state": 0}
BOOSTING = {"max_iter": 5, "random_state": 0}
NET = {"layers": (16,), "n_members": 2, "epochs": 2, "batch_size": 32, "random_state": 0}
ENTRIES = [
    Entry("DateParts", DateParts, reads="dates", fills=False),
    Entry("Categorify", Categorify, reads="labels flags", fills=False),
    Entry("FillMissing", FillMissing, reads="numbers"),
    Entry("Normalize", Normalize, reads="numbers", fills=False),
    Entry("Normalize-quantile", lambda: Normalize("quantile"), reads="numbers", fills=False),
    Entry(
        "ElapsedSince",
        lambda: ElapsedSince(["new"], date="sold", group="state"),
        reads="group flags dates",
        fills=False,
    ),
    Entry("TabularPreprocessor-forest", TabularPreprocessor),
    Entry("TabularPreprocessor-net", lambda: TabularPreprocessor("net")),
    Entry("ForestRegressor", lambda: ForestRegressor(**FOREST), "numbers"),
    Entry("ForestClassifier", lambda: ForestClassifier(**FOREST), "classes"),
    Entry("BoostingRegressor", lambda: BoostingRegressor(**BOOSTING), "numbers"),
    Entry("BoostingClassifier", lambda: BoostingClassifier(**BOOSTING), "classes"),
    Entry("TabularRegressor", lambda: TabularRegressor(**NET), "numbers"),
    Entry("TabularClassifier", lambda: TabularClassifier(**NET), "classes"),
    Entry(
        "EmbeddingEncoder before a forest",
        lambda: make_pipeline(EmbeddingEncoder(TabularRegressor(**NET), cv=2), ForestRegressor(**FOREST)),
        "numbers",
    ),
    Entry(
        "pipeline of a net",
        lambda: make_pipeline(DateParts(), Categorify(), FillMissing(), Normalize(), TabularRegressor(**NET)),
        "numbers",
    ),
    Entry(
        "pipeline",
        lambda: make_pipeline(DateParts(), Categorify(), FillMissing(), Normalize(), ForestRegressor(**FOREST)),
        "numbers",
    ),
]
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)

N_ROWS = 120


@functools.cache
def _table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    hours = generator.normal(500, 100, N_ROWS).round(2)
    hours[::7] = np.nan
    return pd.DataFrame(
        {
            "state": generator.choice(["Ohio", "Texas", "Utah"], N_ROWS),
            "hours": hours,
            "age": generator.uniform(0, 30, N_ROWS).round(2),
            "rooms": generator.integers(1, 8, N_ROWS),
            "new": generator.random(N_ROWS) < 0.3,
            "sold": pd.Timestamp("2011-01-05") + pd.to_timedelta(generator.integers(0, 700, N_ROWS), "D"),
        }
    )


def table() -> pd.DataFrame:
    """Labels, numbers with and without missing values, integers, booleans and dates."""
    return _table().copy()


def target(entry: Entry) -> Any:
    frame = _table()
    price = frame["age"] * 3 + 20 * (frame["state"] == "Utah") + 10 * frame["new"] + frame["hours"].fillna(450) / 50
    if entry.target == "classes":
        return np.where(price > price.median(), "high", "low").astype(object)
    return price.to_numpy()


def untouched(table: Any, call: Callable[[Any], Any]) -> Any:
    """Return or raise the result of `call(table)`, and assert that the table is unchanged."""
    if isinstance(table, pd.DataFrame):
        before = table.copy()
    elif isinstance(table, pl.DataFrame):
        before = table.clone()
    else:
        before = table
    try:
        return call(table)
    finally:
        if isinstance(table, pd.DataFrame):
            pd.testing.assert_frame_equal(table, before, check_exact=True)
        else:
            assert table.equals(before)


def fit(entry: Entry, X: Any, y: Any = None) -> Any:
    y = target(entry) if y is None else y
    return untouched(X, lambda X: entry.make().fit(X, y))


@functools.cache
def _fitted(entry: Entry, holder: str | None) -> Any:
    return fit(entry, table() if holder is None else HELD[holder](table()))


def fitted(entry: Entry, holder: str | None = None) -> Any:
    """Return a new model fitted to the clean table, or to that table in another container."""
    return copy.deepcopy(_fitted(entry, holder))


@functools.cache
def expected(entry: Entry) -> pd.DataFrame:
    """Return the output of the model fitted to the clean table for that table."""
    return apply(fitted(entry), table())


def apply(model: Any, X: Any) -> pd.DataFrame:
    """Return the transformed frame, predictions or probabilities of X."""

    def call(X: Any) -> Any:
        for method in ("transform", "predict_proba", "predict"):
            if hasattr(model, method):
                return getattr(model, method)(X)
        raise AssertionError(f"{model} neither transforms nor predicts")

    result = untouched(X, call)
    return result if isinstance(result, pd.DataFrame) else pd.DataFrame(result).rename(columns=str)


def encoded(entry: Entry, model: Any, X: Any) -> pd.DataFrame:
    """Return the encoded frame of X of a transformer or estimator."""
    if entry.target is None:
        return apply(model, X)
    if hasattr(model, "steps") and isinstance(model[0], EmbeddingEncoder):
        return model[0].estimator_.encode(X)
    return apply(model[:-1] if hasattr(model, "steps") else model.preprocessor_, X)


def plain(value: Any) -> Any:
    """Convert a value to None, a float, text, or a timestamp in UTC."""
    if isinstance(value, (bool, np.bool_, int, float, np.number, decimal.Decimal)):
        return None if value != value else float(value)
    if pd.isna(value):
        return None
    if isinstance(value, datetime.date):
        moment = pd.Timestamp(value)
        return moment.tz_localize("UTC") if moment.tz is None else moment.tz_convert("UTC")
    return value


def is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
    return one == other


def assert_same(result: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(result.columns) == list(expected.columns)
    for name in expected.columns:
        values = [plain(value) for value in result[name].astype(object)]
        wanted = [plain(value) for value in expected[name].astype(object)]
        odd = [pair for pair in zip(values, wanted, strict=True) if not is_same(*pair)]
        assert not odd, f"column {name!r}: {odd[:3]}"


def assert_works(entry: Entry, result: pd.DataFrame, n_rows: int = N_ROWS) -> None:
    """Assert one output row per input row, without missing numbers if the entry fills or predicts."""
    assert len(result) == n_rows
    if entry.target is not None:
        assert np.isfinite(result.to_numpy(np.float64)).all()
    elif entry.fills:
        numbers = result.select_dtypes("number")
        assert np.isfinite(numbers.to_numpy(np.float64)).all()


def rows_of(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return the first rows of the frame with the given columns set to one value each."""
    return frame.head(12).assign(
        **{name: pd.Series([value] * 12, index=frame.index[:12]) for name, value in values.items()}
    )


# --- Tables that hold the same rows in another way -------------------------------------------------------------------


def as_category(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    return frame.assign(state=pd.Categorical(frame["state"], categories=labels))


def as_polars_category(frame: pd.DataFrame) -> Any:
    return pl.from_pandas(frame).with_columns(pl.col("state").cast(pl.Categorical))


def as_arrow_dictionary(frame: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table.set_column(0, "state", table.column("state").dictionary_encode())


def as_decimal(frame: pd.DataFrame) -> pd.DataFrame:
    def exact(value: float) -> Any:
        return None if math.isnan(value) else decimal.Decimal(str(value))

    names = ["hours", "age"]
    return frame.assign(**{name: pd.Series([exact(value) for value in frame[name]], dtype=object) for name in names})


def as_arrow_decimal(frame: pd.DataFrame) -> pd.DataFrame:
    dtype = pd.ArrowDtype(pa.decimal128(10, 2))
    return frame.assign(**{name: pd.Series(as_decimal(frame)[name], dtype=dtype) for name in ("hours", "age")})


def shuffled_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis(np.resize([7, 3, 3, -1], len(frame)), axis=0)


SAME = {
    "object": lambda frame: frame.astype({"state": object}),
    "str": lambda frame: frame.astype({"state": "str"}),
    "string": lambda frame: frame.astype({"state": "string"}),
    "string[pyarrow]": lambda frame: frame.astype({"state": "string[pyarrow]"}),
    "category": lambda frame: frame.astype({"state": "category"}),
    "category permuted": lambda frame: as_category(frame, ["Utah", "Ohio", "Texas"]),
    "category with more levels": lambda frame: as_category(frame, ["Alaska", "Utah", "Ohio", "Maine", "Texas"]),
    "ArrowDtype dictionary": lambda frame: frame.assign(
        state=pd.array(frame["state"].to_list(), dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())))
    ),
    "nullable numbers": lambda frame: frame.astype({"hours": "Float64", "age": "Float64", "rooms": "Int64"}),
    "nullable boolean": lambda frame: frame.astype({"new": "boolean"}),
    "small numbers": lambda frame: frame.astype({"rooms": "int8"}),
    "object numbers": lambda frame: frame.astype({"hours": object, "age": object, "rooms": object}),
    "object booleans": lambda frame: frame.astype({"new": object}),
    "decimal": as_decimal,
    "arrow decimal": as_arrow_decimal,
    "dates of another unit": lambda frame: frame.astype({"sold": "datetime64[s]"}),
    "object timestamps": lambda frame: frame.astype({"sold": object}),
    "object dates": lambda frame: frame.assign(sold=pd.Series(list(frame["sold"].dt.date), dtype=object)),
    "ArrowDtype": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "polars": pl.from_pandas,
    "polars category": as_polars_category,
    "polars date": lambda frame: pl.from_pandas(frame).with_columns(pl.col("sold").cast(pl.Date)),
    "arrow table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "arrow dictionary": as_arrow_dictionary,
    "index of another kind": shuffled_index,
}


def in_zone(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    return frame.assign(sold=frame["sold"].dt.tz_localize("UTC").dt.tz_convert(zone))


HELD = SAME | {"dates in UTC": lambda frame: in_zone(frame, "UTC")}


@every_entry
@pytest.mark.parametrize("holder", SAME)
@pytest.mark.parametrize("when", ["fit", "predict", "both"])
def test_same_rows_mean_the_same_whatever_holds_them(entry, holder, when):
    model = fitted(entry, None if when == "predict" else holder)
    assert_same(apply(model, table() if when == "fit" else SAME[holder](table())), expected(entry))


@every_entry
@pytest.mark.parametrize(
    ("first", "second"),
    [("polars", "category permuted"), ("arrow table", "object"), ("ArrowDtype", "polars"), ("decimal", "ArrowDtype")],
)
def test_fit_with_one_library_and_predict_with_another(entry, first, second):
    assert_same(apply(fitted(entry, first), SAME[second](table())), expected(entry))


@every_entry
@pytest.mark.parametrize("holder", ["str", "category permuted", "object", "ArrowDtype", "polars", "arrow table"])
def test_one_row_means_what_it_means_in_its_batch(entry, holder):
    model = fitted(entry)
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
    assert_same(apply(fitted(entry), messy), expected(entry))


@every_entry
def test_extra_columns_are_ignored(entry):
    messy = table().assign(price=np.inf, note="?")[["note", *table().columns, "price"]]
    assert_same(apply(fitted(entry), messy), expected(entry))


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


@every_entry
@pytest.mark.parametrize("holder", ["object", "str", "category", "polars"])
def test_unseen_label_is_code_0(entry, holder):
    messy = rows_of(table(), state="Alaska")
    check_code_0(entry, fitted(entry), SAME[holder](messy), "Alaska")


@every_entry
@pytest.mark.parametrize("gap", [None, np.nan, pd.NA], ids=str)
@pytest.mark.parametrize("holder", ["object", "category", "string", "polars"])
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


@every_entry
@pytest.mark.parametrize("dtype", ["boolean", object], ids=str)
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


@every_entry
@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", object, "double[pyarrow]"], ids=str)
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


@every_entry
@pytest.mark.parametrize("dtype", ["float64", "Float64", object], ids=str)
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
        fit(entry, messy) if when == "fit" else apply(fitted(entry), messy)


@every_entry
@pytest.mark.parametrize("dtype", ["Float64", object, "double[pyarrow]"], ids=str)
def test_infinity_of_another_dtype_is_refused_by_who_reads_numbers(entry, dtype):
    messy = table()
    messy.loc[3, "age"] = np.inf
    messy = messy.astype({"age": dtype})
    if "numbers" in entry.reads.split():
        with pytest.raises(ValueError, match="'age' holds inf in row 3"):
            apply(fitted(entry), messy)
    else:
        assert plain(apply(fitted(entry), messy)["age"].iloc[3]) == np.inf


@every_entry
@pytest.mark.parametrize("kind", ["number", "text", "object text", "boolean"])
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


@every_entry
@pytest.mark.parametrize("dtype", ["float64", object, "Float64", "string", "category", "null[pyarrow]"], ids=str)
def test_column_missing_throughout_in_fit(entry, dtype):
    dtype = pd.ArrowDtype(pa.null()) if dtype == "null[pyarrow]" else dtype
    messy = table().assign(empty=pd.Series([None] * N_ROWS, dtype=dtype))
    model = fit(entry, messy)
    result = apply(model, messy)
    assert_works(entry, result)
    assert_same(apply(model, messy.iloc[[5]]), result.iloc[[5]])
    if not entry.fills and entry.name != "Categorify":
        assert [plain(value) for value in result["empty"].astype(object)] == [None] * N_ROWS


@every_entry
@pytest.mark.parametrize("dtype", ["float64", object, "string", "category"], ids=str)
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
    assert_same(apply(fitted(entry, "dates in UTC"), in_zone(table(), later)), expected(entry))


@every_entry
def test_dates_without_the_time_zone_of_fit_are_refused(entry):
    for model, messy in [
        (fitted(entry, "dates in UTC"), table()),
        (fitted(entry), in_zone(table(), "UTC")),
    ]:
        if "dates" in entry.reads.split():
            with pytest.raises(ValueError, match=r"'sold' .*time zone.*201[12]"):
                apply(model, messy)
        else:
            assert_same(apply(model, messy), expected(entry))


@every_entry
@pytest.mark.parametrize("holder", ["datetime", "object", "polars"])
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
        assert "soldElapsed" in {str(warning.message).split("'")[1] for warning in told}


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
            apply(fitted(entry), messy)
        assert ("soon" if wrong == "text" else "17.5") in str(refused.value)
    else:
        assert apply(fitted(entry), messy)["sold"].tolist() == messy["sold"].tolist()


# --- Refused ---------------------------------------------------------------------------------------------------------


@every_entry
@pytest.mark.parametrize("column", ["state", "hours", "sold"])
def test_missing_column_is_named(entry, column):
    with pytest.raises(ValueError, match=f"'{column}'"):
        apply(fitted(entry), table().drop(columns=column))


@every_entry
@pytest.mark.parametrize("dtype", ["int64", "float64", object, "Int64"], ids=str)
def test_numbers_where_labels_were_are_refused(entry, dtype):
    messy = rows_of(table(), state=17).astype({"state": dtype})
    if {"labels", "group"} & set(entry.reads.split()):
        with pytest.raises(ValueError, match="'state' .*(text|labels).* 17"):
            apply(fitted(entry), messy)
    else:
        assert [plain(value) for value in apply(fitted(entry), messy)["state"]] == [17.0] * 12


@every_entry
@pytest.mark.parametrize("dtype", ["str", object, "category", "string"], ids=str)
@pytest.mark.parametrize("column", ["age", "rooms"])
def test_text_where_numbers_were_is_refused(entry, dtype, column):
    messy = rows_of(table(), **{column: "old"}).astype({column: dtype})
    if "numbers" in entry.reads.split():
        with pytest.raises(ValueError, match=f"'{column}' .*number.*'old'"):
            apply(fitted(entry), messy)
    else:
        assert apply(fitted(entry), messy)[column].tolist() == ["old"] * 12


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
