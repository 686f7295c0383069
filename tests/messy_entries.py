"""Transformers and estimators of the messy-frames matrix, its table in every container, and how outputs are compared.

`python -m tests.messy_entries` prints the number of situations of each test module of the matrix.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable
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
    EnsembleRegressor,
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


FOREST = {"n_estimators": 4, "oob_score": False, "n_jobs": 1, "random_state": 0}
BOOSTING = {"max_iter": 3, "random_state": 0}
NET = {"layers": (16,), "n_members": 2, "epochs": 1, "batch_size": 32, "random_state": 0}
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
    Entry("ForestRegressor of few leaves", lambda: ForestRegressor(max_leaf_nodes=9, **FOREST), "numbers"),
    Entry("ForestClassifier", lambda: ForestClassifier(**FOREST), "classes"),
    Entry("BoostingRegressor", lambda: BoostingRegressor(**BOOSTING), "numbers"),
    Entry("BoostingClassifier", lambda: BoostingClassifier(**BOOSTING), "classes"),
    Entry("TabularRegressor", lambda: TabularRegressor(**NET), "numbers"),
    Entry("TabularClassifier", lambda: TabularClassifier(**NET), "classes"),
    Entry(
        "EnsembleRegressor",
        lambda: EnsembleRegressor(
            [("a", ForestRegressor(**FOREST)), ("b", BoostingRegressor(**BOOSTING))], cv=2, random_state=0
        ),
        "numbers",
    ),
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
# They read tables by the code of another entry, an ensemble by that of its members.
_READ_ALIKE = {
    *("EnsembleRegressor", "ForestClassifier", "BoostingClassifier", "TabularClassifier"),
    *("EmbeddingEncoder before a forest", "pipeline of a net", "pipeline"),
}


def every_entry_with(names: str | tuple[str, ...], values: Iterable[Any], among: list[Entry] = ENTRIES) -> Any:
    """Each value with every entry, but only the first one with entries that read tables by the code of another."""
    first, *others = values
    readers = [entry for entry in among if entry.name not in _READ_ALIKE]
    chosen = [(first, among), *((value, readers) for value in others)]
    names = (names,) if isinstance(names, str) else names
    return pytest.mark.parametrize(
        ("entry", *names),
        [
            pytest.param(entry, *given, id="-".join(map(str, (*given, entry.name))))
            for value, entries in chosen
            for given in [value if len(names) > 1 else (value,)]
            for entry in entries
        ],
    )


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
    before = table.copy() if isinstance(table, pd.DataFrame) else table.clone() if hasattr(table, "clone") else table
    try:
        return call(table)
    finally:
        if isinstance(table, pl.LazyFrame):
            assert table.explain() == before.explain()
        else:
            assert table.equals(before)
            assert not isinstance(table, pd.DataFrame) or table.dtypes.equals(before.dtypes)


def fit(entry: Entry, X: Any, y: Any = None) -> Any:
    y = target(entry) if y is None else y
    return untouched(X, lambda X: entry.make().fit(X, y))


@functools.cache
def shared(entry: Entry, holder: str | None = None) -> Any:
    """Return the model fitted to the clean table, or to that table in another container; it must stay as it is."""
    return fit(entry, table() if holder is None else HELD[holder](table()))


def fitted(entry: Entry, holder: str | None = None) -> Any:
    """Return a copy of that model, for warnings that a model gives once."""
    return copy.deepcopy(shared(entry, holder))


@functools.cache
def expected(entry: Entry) -> pd.DataFrame:
    """Return the output of the model fitted to the clean table for that table."""
    return apply(shared(entry), table())


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
    if result.equals(expected):
        return
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
    "polars lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "polars enum": lambda frame: pl.from_pandas(frame).with_columns(
        pl.col("state").cast(pl.Enum(["Utah", "Ohio", "Maine", "Texas"]))
    ),
    "arrow table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "arrow dictionary": as_arrow_dictionary,
    "index of another kind": shuffled_index,
}


def in_zone(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    return frame.assign(sold=frame["sold"].dt.tz_localize("UTC").dt.tz_convert(zone))


HELD = SAME | {"dates in UTC": lambda frame: in_zone(frame, "UTC")}


class _Counts:
    """A plugin of pytest that counts the tests of each situation."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        situations = Counter(item.location[2].split("[")[0] for item in session.items)
        for name, count in sorted(situations.items()):
            print(f"{count:5}  {name}")
        print(f"{sum(situations.values()):5}  tests of {len(situations)} situations")


if __name__ == "__main__":
    files = ["tests/test_messy_frames.py", "tests/test_messy_boundaries.py"]
    pytest.main(["--collect-only", "-qqq", "-o", "addopts=--import-mode=importlib", *files], plugins=[_Counts()])
