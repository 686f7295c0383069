"""Situations at the boundaries of a fit, for every entry of the messy-frames matrix and every recommender.

Long ids, shuffled targets, threads, settings of other libraries, copies, unseen labels between fits, absent classes.
"""

from __future__ import annotations

import functools
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import tabrec
from tabrec import BayesianFactorization, DotProductBias, EmbeddingNN
from tests.boundary_surroundings import SETTINGS
from tests.messy_entries import (
    ENTRIES,
    N_ROWS,
    Entry,
    apply,
    assert_same,
    encoded,
    every_entry_with,
    fit,
    shared,
    table,
    target,
)

NET = {"epochs": 1, "device": "cpu", "random_state": 0}
RECOMMENDERS = [
    Entry("DotProductBias", lambda: DotProductBias(n_factors=2, **NET), "ratings"),
    Entry("EmbeddingNN", lambda: EmbeddingNN(layers=(4,), embedding_size=2, **NET), "ratings"),
    Entry(
        "BayesianFactorization",
        lambda: BayesianFactorization(n_factors=2, n_sweeps=6, n_burn_in=2, random_state=0),
        "ratings",
    ),
]


def _of(entries: list[Entry]) -> Any:
    return pytest.mark.parametrize("entry", entries, ids=lambda entry: entry.name)


MODELS = [*ENTRIES, *RECOMMENDERS]
every_model = _of(MODELS)
every_recommender = _of(RECOMMENDERS)
every_classifier = _of([entry for entry in ENTRIES if entry.target == "classes"])
READERS_OF_NUMBERS = [entry for entry in ENTRIES if "numbers" in entry.reads.split()]
# Those that infer the kinds of columns.
ENCODERS = [e for e in ENTRIES if "TabularPreprocessor" in e.name or (e.target and "pipeline" not in e.name)]
every_warm_starter = _of([entry for entry in ENTRIES if "warm_start" in getattr(entry.make(), "get_params", dict)()])
every_learner_of_chunks = _of([entry for entry in MODELS if hasattr(entry.make(), "partial_fit")])


@functools.cache
def _ratings() -> tuple[pd.DataFrame, np.ndarray]:
    pairs = np.random.default_rng(0).permutation(160)[:N_ROWS]
    frame = pd.DataFrame({"user": 101 + pairs // 10, "item": 11 + pairs % 10})
    return frame, 1.0 + (frame["user"] * 3 + frame["item"]).to_numpy() % 5


def rows(entry: Entry) -> tuple[Any, Any]:
    """The table and the target of an entry."""
    if entry.target == "ratings":
        frame, y = _ratings()
        return frame.copy(), y.copy()
    return table(), target(entry)


def fit_to(entry: Entry, X: Any, y: Any) -> pd.DataFrame:
    """Return the outputs of a new model for the rows that it is fitted to."""
    return apply(entry.make().fit(X, y), X)


@functools.cache
def plain_fit(entry: Entry) -> pd.DataFrame:
    return fit_to(entry, *rows(entry))


# --- Text that is numbers or dates -----------------------------------------------------------------------------------


@every_entry_with("notation", ["{:.2f}", "{:,.2f}", "${:,.2f}", "{:.2f} %", "{:.2f} kg", "decimal comma"], ENCODERS)
def test_numbers_as_text_mean_the_same(entry, notation):
    def write(value: float) -> Any:
        if value != value:
            return None
        return f"{value:.2f}".replace(".", ",") if notation == "decimal comma" else notation.format(value)

    X = table().assign(hours=table()["hours"] * 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fit_to(entry, X.assign(hours=X["hours"].map(write)), target(entry))
    assert_same(result, fit_to(entry, X, target(entry)))


@_of(ENCODERS)
def test_marks_among_dates_as_text_are_gaps(entry):
    dates = table()["sold"].dt.strftime("%Y-%m-%d")
    gaps = dates.index.isin([5, 60])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fit_to(entry, table().assign(sold=dates.mask(gaps, "unknown")), target(entry))
        wanted = fit_to(entry, table().assign(sold=table()["sold"].mask(gaps)), target(entry))
    assert_same(result, wanted)


@_of(ENCODERS)
def test_the_hour_is_a_part_of_dates_whose_times_vary(entry):
    X = table()
    X["sold"] = X["sold"] + pd.to_timedelta(np.arange(N_ROWS) % 24, "h")
    model = fit(entry, X)
    wanted = apply(model, X)
    assert "soldHour" in encoded(entry, model, X)
    assert "soldMinute" not in encoded(entry, model, X)
    assert_same(apply(model, X.iloc[[17]]).reset_index(drop=True), wanted.iloc[[17]].reset_index(drop=True))
    assert_same(fit_to(entry, X.assign(sold=X["sold"].dt.strftime("%Y-%m-%d %H:%M")), target(entry)), wanted)


# --- Ids -------------------------------------------------------------------------------------------------------------


@every_entry_with("start", [2**53 - N_ROWS, 2**24, 3_000_000_000, 10**15], READERS_OF_NUMBERS)
def test_long_ids_stay_distinct(entry, start):
    keys = np.random.default_rng(1).permutation(N_ROWS)
    X = table().assign(key=start + keys)
    model = fit(entry, X)
    assert encoded(entry, model, X)["key"].nunique() == N_ROWS


@_of(ENCODERS)
def test_ids_that_float64_merges_are_named_and_distinct_as_labels(entry):
    X = table().assign(key=2**53 + 1 + np.random.default_rng(1).permutation(N_ROWS))
    with pytest.warns(UserWarning, match=r"'key' holds whole numbers beyond 2\*\*53"):
        fit(entry, X)
    model = fit(entry, X.astype({"key": "category"}))
    assert len(np.unique(np.asarray(encoded(entry, model, X.astype({"key": "category"}))["key"]))) == N_ROWS


@every_recommender
@pytest.mark.parametrize("start", [2**24, 2**53, 2**62], ids=lambda start: f"{start:.0e}")
def test_long_ids_of_users_and_items_stay_distinct(entry, start):
    X, y = rows(entry)
    assert_same(fit_to(entry, X + start, y), plain_fit(entry))


@every_recommender
@pytest.mark.parametrize("holder", ["text", "categories", "polars", "polars lazy", "polars enum", "arrow"])
def test_ids_mean_the_same_whatever_holds_them(entry, holder):
    X, y = rows(entry)
    text = X.map("id {:03}".format)
    held = {
        "text": lambda: text,
        "categories": lambda: text.apply(lambda column: pd.Categorical(column, sorted(set(column), reverse=True))),
        "polars": lambda: pl.from_pandas(X),
        "polars lazy": lambda: pl.from_pandas(X).lazy(),
        "polars enum": lambda: pl.from_pandas(text).with_columns(
            pl.col(name).cast(pl.Enum(sorted(set(text[name]), reverse=True))) for name in text
        ),
        "arrow": lambda: pl.from_pandas(X).to_arrow(),
    }[holder]()
    assert_same(fit_to(entry, held, y), plain_fit(entry))


# --- Targets ---------------------------------------------------------------------------------------------------------


@every_model
def test_target_with_the_index_of_the_table_in_another_order_is_refused(entry):
    X, y = rows(entry)
    shuffled = pd.Series(y, index=X.index).sample(frac=1, random_state=0)
    if entry.target is None:
        assert_same(fit_to(entry, X, shuffled), plain_fit(entry))
    else:
        with pytest.raises(ValueError, match="index"):
            entry.make().fit(X, shuffled)


@every_model
def test_target_with_other_index_labels_is_taken_by_position(entry):
    X, y = rows(entry)
    assert_same(fit_to(entry, X, pd.Series(y, index=[f"row {row}" for row in range(len(y))])), plain_fit(entry))


@every_classifier
def test_weights_of_absent_classes_do_not_matter(entry):
    X, y = rows(entry)
    model = entry.make()
    weights = {"high": 3.0, "low": 1.0}
    with_absent = clone(model).set_params(class_weight={"absent": 9.0, **weights}).fit(X, y)
    without = model.set_params(class_weight=weights).fit(X, y)
    assert_same(apply(with_absent, X), apply(without, X))
    assert apply(without, X).iloc[:, 0].mean() > plain_fit(entry).iloc[:, 0].mean()


# --- Threads, settings and copies ------------------------------------------------------------------------------------


@every_model
def test_models_fitted_in_threads_are_the_same(entry):
    X, y = rows(entry)
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda _: fit_to(entry, X, y), range(2)):
            assert_same(result, plain_fit(entry))


@every_model
def test_settings_of_other_libraries_do_not_matter(entry):
    """All at once; `test_boundaries.py` draws them one by one."""
    X, y = rows(entry)
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore")
        for setting in SETTINGS.values():
            stack.enter_context(setting())
        model = entry.make().fit(X, y)
        result = apply(model, X)
    assert_same(result, plain_fit(entry))


@every_model
def test_saved_models_are_the_same(entry, tmp_path):
    X, y = rows(entry)
    model = entry.make().fit(X, y)
    assert_same(apply(tabrec.load(tabrec.save(model, tmp_path / "model")), X), plain_fit(entry))


# --- Fits one after the other ----------------------------------------------------------------------------------------


@every_model
def test_another_fit_forgets_the_former_one(entry):
    X, y = rows(entry)
    model = entry.make()
    model.fit(X.iloc[::-3], None if entry.target is None else y[::-3])
    assert_same(apply(model.fit(X, y), X), plain_fit(entry))


@every_warm_starter
def test_a_warm_start_keeps_the_codes_of_the_former_fit_and_names_new_labels(entry):
    X, y = table(), target(entry)
    model = entry.make().set_params(warm_start=True).fit(X, y)
    before = encoded(entry, model, X)
    size = next(name for name in ("n_estimators", "max_iter", "epochs") if name in model.get_params())
    model.set_params(**{size: model.get_params()[size] + 1})
    new = X.assign(state=X["state"].where(X.index % 5 > 0, "Alaska"))
    with pytest.warns(UserWarning, match="'Alaska'"):
        model.fit(new, y)
    assert_same(encoded(entry, model, X), before)
    assert set(encoded(entry, model, new)["state"][::5]) == {0}


@every_learner_of_chunks
@pytest.mark.filterwarnings("ignore:.*continues an earlier fit")
def test_chunks_with_new_labels_and_ids(entry):
    """Transformers learn as from one table; models keep what they know, and recommenders add the ids."""
    X, y = rows(entry)
    name, new = ("user", 9_999) if entry.target == "ratings" else ("state", "Alaska")
    later = X.head(12).assign(**{name: new})
    model = entry.make().partial_fit(X, y).partial_fit(later, y if y is None else y[:12])
    if entry.target is None:
        assert_same(apply(model, X), apply(entry.make().fit(pd.concat([X, later], ignore_index=True)), X))
    elif entry.target == "ratings":
        assert model.predict(later, return_path=True)[1].tolist() == ["learned"] * 12
    else:
        assert encoded(entry, model, X)["state"].tolist() == encoded(entry, shared(entry), X)["state"].tolist()
        assert encoded(entry, model, later)["state"].tolist() == [0] * 12
