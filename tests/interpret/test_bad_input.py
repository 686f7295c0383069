"""Unusual models and tables: each function raises an error that names the cause, or returns a valid result.

Every situation is tested with every entry of `ENTRIES`; add a new function there.
"""

from __future__ import annotations

import copy
import functools
import gc
import re
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matplotlib import pyplot
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from tabrec import (
    BayesianFactorization,
    BoostingRegressor,
    Categorify,
    DateParts,
    FillMissing,
    ForestClassifier,
    ForestRegressor,
    TabularPreprocessor,
    TabularRegressor,
)
from tabrec.datasets import make_ratings
from tabrec.interpret import (
    ale,
    cluster_columns,
    confidence,
    contributions,
    domain_shift,
    draw_tree,
    drop_and_compare,
    drop_unimportant,
    embedding_map,
    error_segments,
    extrapolation_check,
    feature_importance,
    interaction_strength,
    leakage_check,
    oob_report,
    partial_dependence,
    recent_only,
    redundancy,
    report,
    shap_values,
    tree_rules,
    try_dropping,
    view_tree,
    waterfall,
)
from tabrec.interpret._result import Result
from tabrec.interpret.page import blocks
from tabrec.interpret.page.report_page import NOT_SHOWN


@dataclass(frozen=True)
class Entry:
    """A call to test, and the parts of a case that it uses.

    Words of `reads`: "model" (fitted) or "factory" (to be fitted); "trees" where only forests serve; "bootstrap" where
    rows left out are needed; "rows" of fit with "target"; "new" rows, with "truth" their target; "shared" where
    only the columns that both have are compared; "heavy" where hundreds of columns take too long.
    """

    name: str
    ask: Callable[[Case], Any]
    reads: str
    instead: str = ""  # what the error names for models without trees
    refuses: dict[str, str] = field(default_factory=dict)  # situations that it refuses, with what the error says

    def has(self, word: str) -> bool:
        return word in self.reads.split()


@dataclass(frozen=True)
class Case:
    """A model, its training rows, and rows to interpret."""

    model: Any
    X: Any
    y: Any
    new: Any
    truth: Any

    def but(self, **changes: Any) -> Case:
        return Case(**(vars(self) | changes))


def _held_out(case: Case) -> tuple[Any, Any]:
    return case.new, case.truth


def _time(case: Case) -> np.ndarray:
    return np.arange(len(case.X))


_FEW, _ONE_VALUE = r"at least \d+", "is constant"
ENTRIES = [
    Entry("feature_importance", lambda c: feature_importance(c.model, c.X, c.y), "model rows target"),
    Entry("importance by impurity", lambda c: feature_importance(c.model), "model trees", "permutation"),
    Entry(
        "importance out of bag",
        lambda c: feature_importance(c.model, c.X, c.y, "oob", groups="source", n_repeats=1),
        "model trees bootstrap rows target",
        "permutation",
    ),
    Entry(
        "importance by permutation",
        lambda c: feature_importance(c.model, c.new, c.truth, "permutation", n_repeats=2),
        "model new truth",
        refuses={"one row": _FEW},
    ),
    Entry("importance by drop", lambda c: feature_importance(c.model, c.X, c.y, "drop"), "model rows target heavy"),
    Entry(
        "drop_unimportant",
        lambda c: drop_unimportant(c.model, c.X, c.y, 0.001, method="impurity"),
        "factory rows target",
        refuses={"constant target": "no column"},
    ),
    Entry("try_dropping", lambda c: try_dropping(c.model, c.X, c.y, ["age"]), "factory rows target"),
    Entry("redundancy", lambda c: redundancy(c.X), "rows"),
    Entry("cluster_columns", lambda c: cluster_columns(c.X), "rows heavy"),
    Entry("partial_dependence", lambda c: partial_dependence(c.model, c.new, "age", "both", grid_size=4), "model new"),
    Entry(
        "partial_dependence by walk",
        lambda c: partial_dependence(c.model, c.new, "age", grid_size=4, method="walk"),
        "model new trees",
        "brute",
    ),
    Entry(
        "partial_dependence by prediction",
        lambda c: partial_dependence(c.model, c.new, "rooms", grid_size=4, method="brute"),
        "model new",
    ),
    Entry(
        "partial_dependence of two",
        lambda c: partial_dependence(c.model, c.new, ["age", "rooms"], grid_size=3),
        "model new",
    ),
    Entry(
        "interaction_strength",
        lambda c: interaction_strength(c.model, c.new, ["age", "rooms"], grid_size=3),
        "model new",
    ),
    Entry("ale", lambda c: ale(c.model, c.new, "age", n_bins=4), "model new"),
    Entry("ale of two", lambda c: ale(c.model, c.new, ["age", "rooms"], n_bins=3), "model new"),
    Entry("contributions", lambda c: contributions(c.model, c.new, background=c.X, max_background=2), "model new"),
    Entry(
        "contributions by path", lambda c: contributions(c.model, c.new, method="path"), "model new trees", "occlusion"
    ),
    Entry("joint contributions", lambda c: contributions(c.model, c.new, True, method="path"), "model new trees"),
    Entry(
        "contributions by occlusion",
        lambda c: contributions(c.model, c.new, method="occlusion", background=c.X, max_background=2),
        "model rows new heavy",
    ),
    Entry("shap_values", lambda c: shap_values(c.model, c.new), "model new trees", "contributions"),
    Entry(
        "waterfall",
        lambda c: waterfall(contributions(c.model, c.new, background=c.X, max_background=2).row(0), threshold=0.1),
        "model new",
    ),
    Entry(
        "confidence",
        lambda c: confidence(c.model, c.new, training=(c.X, c.y)),
        "model bootstrap rows target new",
    ),
    Entry(
        "confidence by quantile",
        lambda c: confidence(c.model, c.new, method="quantile", training=(c.X, c.y)),
        "model trees rows target new regressor",
        "conformal",
    ),
    Entry(
        "confidence by spread",
        lambda c: confidence(c.model, c.new, method="spread"),
        "model trees new regressor",
        "conformal",
    ),
    Entry(
        "confidence by calibration",
        lambda c: confidence(c.model, c.new, 0.5, calibration=(c.X, c.y)),
        "model rows target new",
    ),
    Entry(
        "oob_report",
        lambda c: oob_report(c.model, *_held_out(c), X=c.X, y=c.y),
        "model trees bootstrap rows target new truth",
    ),
    Entry(
        "domain_shift",
        lambda c: domain_shift(c.X, c.new, n_permutations=99, n_estimators=5),
        "rows new",
        refuses={"one row": _FEW},
    ),
    Entry(
        "domain_shift of a model",
        lambda c: domain_shift(c.X, c.new, model=c.model, n_permutations=99, n_estimators=5),
        "model trees rows new shared heavy",
        "importance=",
        refuses={"one row": _FEW},
    ),
    Entry(
        "drop_and_compare",
        lambda c: drop_and_compare(c.model, c.X, c.y, ["age", "rooms"], time=_time(c)),
        "factory rows target",
    ),
    Entry(
        "recent_only",
        lambda c: recent_only(c.model, c.X, c.y, time=_time(c), shares=[0.6]),
        "factory rows target heavy",
    ),
    Entry("error_segments", lambda c: error_segments(c.model, c.X, c.y, min_rows=2), "model rows target"),
    Entry("extrapolation_check", lambda c: extrapolation_check(c.model, c.X, c.new), "model rows new"),
    Entry(
        "leakage_check",
        lambda c: leakage_check(c.model, c.X, c.y),
        "model rows target",
        refuses={"constant target": _ONE_VALUE},
    ),
    Entry(
        "leakage_check of a table",
        lambda c: leakage_check(None, c.X, c.y),
        "rows target heavy",
        refuses={"constant target": _ONE_VALUE},
    ),
    Entry("draw_tree", lambda c: draw_tree(c.model, c.X, c.y, row=c.new[:1]), "model trees rows target new"),
    Entry("draw_tree without rows", lambda c: draw_tree(c.model), "model trees"),
    Entry("tree_rules", lambda c: tree_rules(c.model, row=c.new[:1]), "model trees new", "feature_importance"),
]
# Entries that take another package, a model of their own, or a while: they are tried where it makes sense.
VIEW = Entry("view_tree", lambda c: view_tree(c.model, c.X, c.y), "model trees rows target")
EMBEDDING = Entry("embedding_map", lambda c: embedding_map(c.model, "state"), "model")
REPORT = Entry("report", lambda c: report(c.model, c.X, c.y, c.new, c.truth), "model rows target new truth")
ALL = [*ENTRIES, VIEW, EMBEDDING, REPORT]


def entries(*words: str, among: list[Entry] = ENTRIES, without: tuple[str, ...] = ()) -> Any:
    """Entries that use all of the given parts and none of `without`."""
    chosen = [entry for entry in among if all(map(entry.has, words)) and not any(map(entry.has, without))]
    return pytest.mark.parametrize("entry", chosen, ids=lambda entry: entry.name)


def pairs(variable: str, values: Any, fit: Callable, *words: str, among: list[Entry] = ENTRIES) -> Any:
    """Entries that use all of the given parts, with each value that `fit(entry, value)` allows.

    Each value meets every third entry in the short tests, and each entry every third value.
    """
    chosen = [entry for entry in among if all(map(entry.has, words))]
    found = [
        pytest.param(entry, value, id=f"{value}-{entry.name}", marks=pytest.mark.long if (i + j) % 3 else ())
        for i, value in enumerate(values)
        for j, entry in enumerate(chosen)
        if fit(entry, value)
    ]
    return pytest.mark.parametrize(("entry", variable), found)


def is_for(entry: Entry, situation: str) -> bool:
    if entry.has("regressor") and situation in ("two classes", "thirty classes", "ugly labels"):
        return False
    return not (entry.has("heavy") and situation == "hundreds of columns")


# --- The cases -------------------------------------------------------------------------------------------------------

N_ROWS = 80
FOREST = {"n_estimators": 8, "n_jobs": 1, "random_state": 0}
UGLY = [
    "<script>alert('x')</script>",
    "$\\frac{1}{0}$ & $x_{",
    "smile 😀 \n second line",
    "</svg><img src=http://example.com/x.png>",
    "a label that goes on and on and does not end where one would like it to",
    "",
]


def table() -> pd.DataFrame:
    """Labels, numbers with and without missing values, integers, booleans and dates."""
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


def price(frame: pd.DataFrame) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 3, len(frame))
    return (frame["age"] * 3 + frame["rooms"] + noise).to_numpy()


def classes(frame: pd.DataFrame, labels: list[str]) -> np.ndarray:
    """Balanced classes by price."""
    rank = np.argsort(np.argsort(price(frame), kind="stable"), kind="stable")
    return np.array(labels, dtype=object)[rank * len(labels) // len(frame)]


def make_case(model: Any, X: pd.DataFrame, y: Any, n_new: int = 24) -> Case:
    new = X.tail(n_new).reset_index(drop=True)
    return Case(model.fit(X, y), X, y, new, y[-n_new:])


def _numbers_only(model: Any) -> Case:
    X = table()[["hours", "age", "rooms"]].astype(float).fillna(0.0)
    return make_case(model, X, price(X))


def _ugly() -> Case:
    X = table()
    X["state"] = np.resize(np.array(UGLY, dtype=object), N_ROWS)
    X = X.rename(columns={"state": UGLY[0], "hours": UGLY[1], "new": UGLY[2], "sold": UGLY[3]})
    return make_case(ForestClassifier(**FOREST), X, classes(X, UGLY))


def _wide() -> Case:
    X = table()
    noise = np.random.default_rng(2).normal(size=(N_ROWS, 194))
    X = pd.concat([X, pd.DataFrame(noise, columns=[f"noise {i}" for i in range(194)])], axis=1)
    return make_case(ForestRegressor(**FOREST | {"n_estimators": 2}), X, price(X))


def _in_pipeline() -> Case:
    steps = make_pipeline(DateParts(), Categorify(), FillMissing(), RandomForestRegressor(**FOREST))
    return make_case(steps, table(), price(table()))


SITUATIONS: dict[str, Callable[[], Case]] = {
    "usual": lambda: make_case(ForestRegressor(**FOREST), table(), price(table())),
    "two classes": lambda: make_case(ForestClassifier(**FOREST), table(), classes(table(), ["low", "high"])),
    "thirty classes": lambda: make_case(
        ForestClassifier(**FOREST), table(), classes(table(), [f"class {i}" for i in range(30)])
    ),
    "fewer rows than trees": lambda: make_case(
        ForestRegressor(**FOREST | {"n_estimators": 30}), table()[:15], price(table())[:15], 12
    ),
    "one tree": lambda: make_case(ForestRegressor(**FOREST | {"n_estimators": 1}), table(), price(table())),
    "constant target": lambda: make_case(ForestRegressor(**FOREST), table(), np.full(N_ROWS, 7.0)),
    "one row": lambda: make_case(ForestRegressor(**FOREST), table(), price(table()), 1),
    "empty columns": lambda: make_case(
        ForestRegressor(**FOREST), table().assign(gone=np.nan, lost=pd.Series([None] * N_ROWS)), price(table())
    ),
    "constant columns": lambda: make_case(
        ForestRegressor(**FOREST), table().assign(country="US", wheels=4, day=pd.Timestamp("2020")), price(table())
    ),
    "ugly labels": _ugly,
    "hundreds of columns": _wide,
    "scikit-learn's forest": lambda: _numbers_only(RandomForestRegressor(**FOREST)),
    "a pipeline": _in_pipeline,
}


@functools.cache
def _case(situation: str) -> Case:
    return SITUATIONS[situation]()


def case(situation: str = "usual") -> Case:
    return copy.deepcopy(_case(situation))


@functools.cache
def _forest_without_bootstrap(kind: type) -> Case:
    options = {} if kind is ExtraTreesRegressor else {"bootstrap": False}
    return _numbers_only(kind(**FOREST, **options))


def quietly(entry: Entry, case: Case) -> Any:
    """Result of the entry, without warnings such as those about few trees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="sklearn")
        return entry.ask(case)


@functools.cache
def _usual_result(name: str) -> Any:
    return quietly(next(entry for entry in ENTRIES if entry.name == name), case())


def usual_result(entry: Entry) -> Any:
    """Result of the entry in the usual case, computed once: tests only read it."""
    return _usual_result(entry.name)


def refused(entry: Entry, case: Case, kind: Any, match: str | None = None) -> str:
    """Message of the expected error, without the types of numbers."""
    with pytest.raises(kind, match=match) as error:
        quietly(entry, case)
    assert "np." not in str(error.value)
    return str(error.value)


# --- Models that will not do -----------------------------------------------------------------------------------------

UNFITTED = {
    "forest": lambda: ForestRegressor(**FOREST),
    "scikit-learn's": lambda: RandomForestRegressor(**FOREST),
    "pipeline": lambda: make_pipeline(TabularPreprocessor(), RandomForestRegressor(**FOREST)),
    "boosting": lambda: BoostingRegressor(),
}


def serves(entry: Entry, unfitted: str) -> bool:
    return entry is not EMBEDDING and not (unfitted == "boosting" and entry.has("trees"))


@pairs("unfitted", UNFITTED, serves, "model", among=ALL)
def test_an_unfitted_model_is_refused(entry, unfitted):
    refused(entry, case().but(model=UNFITTED[unfitted]()), NotFittedError)


def test_an_unfitted_net_has_no_map():
    refused(EMBEDDING, case().but(model=TabularRegressor()), NotFittedError)


@functools.cache
def _boosting() -> Any:
    return BoostingRegressor(max_iter=3).fit(table(), price(table()))


@entries("model", "trees", among=ALL)
def test_a_model_without_trees_is_refused_by_name_with_what_serves_it(entry):
    said = refused(entry, case().but(model=_boosting()), TypeError, "BoostingRegressor")
    assert entry.instead in said
    assert re.search(r"[Ff]or this one use \w+|importance=", said), "no function that serves it"


@entries("model", among=ALL)
@pytest.mark.parametrize("kind", ["transformer", "class"])
def test_what_predicts_nothing_is_refused(entry, kind):
    refused(entry, case().but(model=_no_predictor(kind)), TypeError)


@entries("factory")
@pytest.mark.parametrize("kind", ["transformer", "text"])
def test_what_makes_no_predictor_is_refused(entry, kind):
    refused(entry, case().but(model=_no_predictor(kind)), TypeError)


def _no_predictor(kind: str) -> Any:
    return {"transformer": _transformer(), "class": ForestRegressor, "text": "forest"}[kind]


@functools.cache
def _transformer() -> Any:
    return TabularPreprocessor().fit(table())


@entries("model")
def test_a_recommender_asked_about_another_table_is_refused(entry):
    refused(entry, case().but(model=_recommender()), (TypeError, ValueError), "user|BayesianFactorization")


@functools.cache
def _recommender() -> Any:
    ratings = make_ratings(200, n_users=20, n_items=20, random_state=0)
    return BayesianFactorization(2, n_sweeps=6, n_burn_in=2, n_samples=2, random_state=0).fit(
        ratings.iloc[:, :2], ratings.iloc[:, 2]
    )


def test_a_forest_has_no_map_of_labels_but_partial_dependence():
    refused(EMBEDDING, case(), TypeError, "partial_dependence")


@entries("bootstrap")
@pytest.mark.parametrize("kind", [ForestRegressor, RandomForestRegressor, ExtraTreesRegressor])
def test_a_forest_without_bootstrap_has_no_rows_out_of_bag(entry, kind):
    refused(entry, _forest_without_bootstrap(kind), ValueError, "bootstrap")


# --- Tables that do not go with the model ----------------------------------------------------------------------------


@entries("model", "rows", among=[*ENTRIES, REPORT], without=("shared",))
def test_a_column_that_the_rows_of_fit_lack_is_named(entry):
    usual = case()
    refused(entry, usual.but(X=usual.X.drop(columns="hours"), new=usual.new.drop(columns="hours")), ValueError, "hours")


@entries("model", "new", among=[*ENTRIES, REPORT], without=("shared",))
def test_a_column_that_new_rows_lack_is_named(entry):
    usual = case()
    refused(entry, usual.but(new=usual.new.drop(columns="hours")), ValueError, "hours")


@entries("new", among=[*ENTRIES, REPORT])
def test_a_column_of_another_type_is_named(entry):
    usual = case()
    refused(entry, usual.but(new=usual.new.assign(hours="many")), (ValueError, TypeError), "hours")


@entries("target", among=[*ENTRIES, REPORT])
def test_a_target_of_another_length_is_refused(entry):
    usual = case()
    refused(entry, usual.but(y=usual.y[:-1]), ValueError, rf"{N_ROWS - 1}\b")


@entries("truth", among=[*ENTRIES, REPORT])
def test_a_target_of_another_length_than_new_rows_is_refused(entry):
    usual = case()
    refused(entry, usual.but(truth=usual.truth[:-1]), ValueError, rf"{len(usual.new) - 1}\b")


_NO_ROWS = r"\b0 (row|sample|value)|no rows|empty|at least|minimum|has 0\b"


@entries("new", among=[*ENTRIES, REPORT])
def test_no_new_rows_are_refused(entry):
    usual = case()
    refused(entry, usual.but(new=usual.new[:0], truth=usual.truth[:0]), ValueError, _NO_ROWS)


@entries("rows", among=[*ENTRIES, REPORT])
def test_no_rows_of_fit_are_refused(entry):
    usual = case()
    refused(entry, usual.but(X=usual.X[:0], y=usual.y[:0]), ValueError, _NO_ROWS)


# --- Tables that are odd, and serve ----------------------------------------------------------------------------------


def assert_sound(result: Any) -> None:
    """Assert a nonempty table with finite predictions and effects, and a plot."""
    if isinstance(result, str):
        assert result.strip()
        return
    if not isinstance(result, Result):
        assert result.figure is not None
        return
    assert len(result.table)
    numbers = result.table.select_dtypes("number")
    for name in {"prediction", "effect", "contribution", "lower", "upper", "score"} & set(numbers):
        assert np.isfinite(numbers[name].to_numpy(np.float64)).all(), name
    assert isinstance(repr(result), str)
    assert result._repr_html_().count("<script>") == 0
    assert result.plot().figure is not None
    for finding in getattr(result, "findings", []):
        assert "nan" not in str(finding).lower().split(), str(finding)


ASKED_TWICE = ["ugly labels", "a pipeline"]


@pairs("situation", [name for name in SITUATIONS if name not in ("usual", *ASKED_TWICE)], is_for)
def test_odd_tables_give_sound_results(entry, situation):
    if situation in entry.refuses:
        refused(entry, case(situation), ValueError, entry.refuses[situation])
    else:
        assert_sound(quietly(entry, case(situation)))


# --- Same rows, same result; nothing changed -------------------------------------------------------------------------


def told(result: Any) -> Any:
    """Frames, numbers and texts of a result."""
    if isinstance(result, Result):
        return [result.table, *map(str, getattr(result, "findings", []))]
    if hasattr(result, "html"):
        return [result.html]
    if isinstance(result, str):
        return [result]
    figure = result.figure
    return [
        [text.get_text() for axes in figure.axes for text in axes.texts + axes.get_xticklabels()],
        *[line.get_xydata() for axes in figure.axes for line in axes.lines],
    ]


def assert_same(one: Any, other: Any) -> None:
    first, second = told(one), told(other)
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        if isinstance(a, pd.DataFrame):
            pd.testing.assert_frame_equal(a, b, check_dtype=False, rtol=1e-9)
        elif isinstance(a, np.ndarray):
            np.testing.assert_allclose(a, b)
        else:
            assert a == b


@entries()
def test_polars_and_arrow_tables_give_the_same(entry):
    usual = case()
    held = usual.but(X=pl.from_pandas(usual.X), new=pa.Table.from_pandas(usual.new, preserve_index=False))
    assert_same(quietly(entry, held), usual_result(entry))
    assert held.X.equals(pl.from_pandas(usual.X)), "X was changed"


TARGETS = {
    "list and polars": (list, pl.Series),
    "frame and list": (lambda y: pd.DataFrame({"target": y}), list),
}


@entries("target")
@pytest.mark.parametrize("holders", TARGETS)
def test_a_target_is_the_same_whatever_holds_it(entry, holders):
    usual, (hold, hold_truth) = case(), TARGETS[holders]
    assert_same(quietly(entry, usual.but(y=hold(usual.y), truth=hold_truth(usual.truth))), usual_result(entry))


@pairs("situation", ASKED_TWICE, is_for)
def test_odd_tables_give_sound_results_twice_and_asking_changes_nothing(entry, situation):
    asked, before = case(situation), case(situation)
    known = joblib.hash(asked.model)
    first = quietly(entry, asked)
    assert_sound(first)
    assert_untouched(asked, before)
    if not entry.has("factory"):
        assert joblib.hash(asked.model) == known, "the model was changed"
    np.testing.assert_array_equal(asked.model.predict(before.new), before.model.predict(before.new))
    assert_same(quietly(entry, asked), first)


def assert_untouched(asked: Case, before: Case) -> None:
    pd.testing.assert_frame_equal(asked.X, before.X, check_exact=True)
    pd.testing.assert_frame_equal(asked.new, before.new, check_exact=True)
    np.testing.assert_array_equal(asked.y, before.y)
    np.testing.assert_array_equal(asked.truth, before.truth)


@entries("factory")
def test_the_estimator_given_to_be_cloned_stays_unfitted(entry):
    unfitted = ForestRegressor(**FOREST)
    quietly(entry, case().but(model=unfitted))
    assert not hasattr(unfitted, "estimators_")


# --- Nets ------------------------------------------------------------------------------------------------------------


@functools.cache
def _net() -> Case:
    X = table()
    X["state"] = np.resize(np.array(UGLY, dtype=object), N_ROWS)
    return make_case(TabularRegressor(layers=[8], epochs=2, batch_size=16, random_state=0), X, price(X))


def test_a_map_of_labels_of_any_kind_is_drawn_and_the_same_again():
    net = _net()
    before = net.model.predict(net.new)
    result = EMBEDDING.ask(net)
    assert set(UGLY) <= set(result.table["label"]) | {""}
    assert_sound(result)
    assert_same(EMBEDDING.ask(net), result)
    np.testing.assert_array_equal(net.model.predict(net.new), before)


@entries("model", "new", without=("trees", "bootstrap"))
def test_a_net_is_explained_where_no_trees_are_needed(entry):
    assert_sound(quietly(entry, _net()))


# --- The report ------------------------------------------------------------------------------------------------------


def assert_page(page: Any, not_shown: str = "nothing") -> None:
    """Assert a complete page without scripts, with escaped user text and all available sections."""
    html = page.html
    assert html.startswith("<!DOCTYPE html>")
    assert html.rstrip().endswith("</html>")
    assert "<script" not in html
    assert not re.search(r"<img[^>]+src=.?http", html)
    assert html.count("<svg") == html.count("</svg>") > 0
    notes = re.findall(f"{NOT_SHOWN}[^<]*", html)
    assert [note for note in notes if not re.search(not_shown, note)] == []
    assert bool(notes) == (not_shown != "nothing")
    for finding in page.findings:
        assert "nan" not in str(finding).lower().split(), str(finding)


REPORTS: dict[str, Callable[[], Any]] = {
    "thirty classes": lambda: _report_of(case("thirty classes"), with_valid=False),
    "fewer rows than trees": lambda: _report_of(case("fewer rows than trees")),
    "constant target": lambda: _report_of(case("constant target")),
    "one row held out": lambda: _report_of(case("one row")),
    "empty columns": lambda: _report_of(case("empty columns")),
    "newer rows without a target": lambda: report(case().model, case().X, case().y, X_new=case().new),
    "a linear model": lambda: _report_of(_numbers_only(LinearRegression())),
    "recommender": lambda: report(_recommender()),
}


# What reports leave out, and say so.
NOT_TO_BE_SHOWN = {"constant target": "y is constant", "one row held out": "X_new has 1 row"}


def _report_of(case: Case, with_valid: bool = True) -> Any:
    held_out = (case.new, case.truth) if with_valid else ()
    return report(case.model, case.X, case.y, *held_out)


@pytest.mark.long
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_made_of_whatever_there_is(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert_page(REPORTS[name](), NOT_TO_BE_SHOWN.get(name, "nothing"))


def test_a_report_on_a_target_with_gaps_is_refused():
    usual = case()
    gaps = np.where(np.arange(N_ROWS) == 3, np.nan, usual.y)
    refused(REPORT, usual.but(y=gaps), ValueError, "row 3|NaN|missing")
    refused(REPORT, usual.but(truth=gaps[: len(usual.truth)]), ValueError, "row 3|NaN|missing")


@pytest.mark.long
def test_a_report_is_the_same_twice_whatever_holds_the_rows_changes_nothing_and_keeps_no_figure(monkeypatch):
    figures = weakref.WeakSet()
    monkeypatch.setattr(
        blocks,
        "to_svg",
        lambda figure, *args, to_svg=blocks.to_svg, **kw: (figures.add(figure), to_svg(figure, *args, **kw))[1],
    )
    asked, before = case(), case()
    numbers_of_figures = pyplot.get_fignums()
    page = _report_of(asked)
    assert page.html.count("<figure ") > 5
    assert_untouched(asked, before)
    held = asked.but(X=pl.from_pandas(asked.X), new=pl.from_pandas(asked.new))
    assert_same(_report_of(held), page)
    gc.collect()
    assert pyplot.get_fignums() == numbers_of_figures
    assert len(figures) == 0
