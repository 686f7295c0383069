"""Boundary changes around a fit: threads, processes, settings, copies and fits in parts; see `boundary_changes`."""

from __future__ import annotations

import contextlib
import copy
import decimal
import functools
import pickle
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import sklearn
import torch
from hypothesis import assume
from sklearn.base import clone

import tabrec
from tests.boundary_cases import NAMED, Case, fit, outputs
from tests.boundary_changes import Change, Rng

# --- Threads and processes -------------------------------------------------------------------------------------------


def _in_threads(case: Case, rng: Rng) -> Case:
    """Fit twice at the same time, and keep the second."""

    def run(case: Case) -> dict[str, Any]:
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(lambda _: outputs(fit(case), case), range(2))
        assert {n: list(map(str, v)) for n, v in first.items()} == {n: list(map(str, v)) for n, v in second.items()}
        return second

    return replace(case, run=run)


def _predict_in_threads(case: Case, rng: Rng) -> Case:
    """Predict with one model in two threads at the same time."""

    def run(case: Case) -> dict[str, Any]:
        model = fit(case)
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda _: outputs(model, case), range(2)))[1]

    return replace(case, run=run)


@functools.cache
def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _fit_by_name(name: str, X: Any, y: Any, X_new: Any) -> tuple[Any, dict[str, Any]]:
    subject = NAMED[name]
    case = Case(subject, X, y, X_new, subject.make)
    model = fit(case)
    return model, outputs(model, case)


def _in_a_process(case: Case, rng: Rng) -> Case:
    """Fit in another process, and predict there and here."""

    def run(case: Case) -> dict[str, Any]:
        model, found = _worker().submit(_fit_by_name, case.subject.name, case.X, case.y, case.X_new).result()
        here = outputs(model, case)
        assert {n: list(map(str, v)) for n, v in here.items()} == {n: list(map(str, v)) for n, v in found.items()}
        return found

    return replace(case, run=run)


# --- Settings --------------------------------------------------------------------------------------------------------


@contextmanager
def _torch_settings(get: Callable[[], Any], put: Callable[[Any], Any], value: Any) -> Iterator[None]:
    before = get()
    put(value)
    try:
        yield
        assert get() == value
    finally:
        put(before)


@contextmanager
def _pandas(**options: Any) -> Iterator[None]:
    """Options of pandas, some of which newer releases deprecate."""

    def put(values: dict[str, Any]) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = {name: pd.get_option(name) for name in values}
            for name, value in values.items():
                pd.set_option(name, value)
        return before

    before = put(options)
    try:
        yield
    finally:
        put(before)


def _generator_states() -> tuple[str, ...]:
    return str(random.getstate()), str(np.random.get_state()), str(torch.get_rng_state().tolist())  # noqa: NPY002


@contextmanager
def _seeded() -> Iterator[None]:
    """Other states of the global generators, which must stay as they are."""
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = _generator_states()
    yield
    assert _generator_states() == before


SETTINGS: dict[str, Callable[[], Any]] = {
    "sklearn polars output": lambda: sklearn.config_context(transform_output="polars"),
    "sklearn pandas output": lambda: sklearn.config_context(transform_output="pandas"),
    "sklearn metadata routing": lambda: sklearn.config_context(enable_metadata_routing=True),
    "sklearn assume_finite": lambda: sklearn.config_context(assume_finite=True),
    "sklearn skip_parameter_validation": lambda: sklearn.config_context(skip_parameter_validation=True),
    "sklearn small working_memory": lambda: sklearn.config_context(working_memory=1),
    "pandas infer_string": lambda: _pandas(**{"future.infer_string": True}),
    "pandas without infer_string": lambda: _pandas(**{"future.infer_string": False}),
    "pandas copy_on_write": lambda: _pandas(**{"mode.copy_on_write": True}),
    "pandas python strings": lambda: _pandas(**{"mode.string_storage": "python"}),
    "pandas chained_assignment": lambda: _pandas(**{"mode.chained_assignment": "raise"}),
    "pandas without numexpr": lambda: _pandas(**{"compute.use_bottleneck": False, "compute.use_numexpr": False}),
    "numpy raise": lambda: np.errstate(all="raise"),
    "numpy print": lambda: np.printoptions(precision=1, threshold=2),
    "decimal precision": lambda: decimal.localcontext(prec=3),
    "torch deterministic": lambda: _torch_settings(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "torch float64": lambda: _torch_settings(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "torch no_grad": torch.no_grad,
    "torch inference_mode": torch.inference_mode,
    "torch default device": lambda: torch.device("meta"),
    "torch autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "joblib threads": lambda: joblib.parallel_config("threading", n_jobs=2),
    "global generators": _seeded,
}


CONCURRENT = [
    Change("fitted in two threads", _in_threads),
    Change("predicted in two threads", _predict_in_threads),
    Change("fitted in another process", _in_a_process),
]


def _under(name: str) -> Change:
    return Change(name, lambda case, rng: replace(case, around=SETTINGS[name]))


SET = [_under(name) for name in SETTINGS]


# --- Saving and copying ----------------------------------------------------------------------------------------------


def _save_and_load(model: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return tabrec.load(tabrec.save(model, Path(folder) / "model"))


COPIES: dict[str, Callable[[Any], Any]] = {
    "save and load": _save_and_load,
    "save and load twice": lambda model: _save_and_load(_save_and_load(model)),
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "deepcopy": copy.deepcopy,
}


def _copied(name: str) -> Change:
    def run(case: Case) -> dict[str, Any]:
        return outputs(COPIES[name](fit(case)), case)

    return Change(name, lambda case, rng: replace(case, run=run))


def _refit_a_clone(case: Case, rng: Rng) -> Case:
    return replace(case, run=lambda case: outputs(clone(fit(case)).fit(case.X, case.y), case))


def _refit(case: Case, rng: Rng) -> Case:
    """A second fit forgets the first, which had other rows."""

    def run(case: Case) -> dict[str, Any]:
        model = case.make().fit(case.X.iloc[::2], None if case.y is None else case.y[::2])
        return outputs(model.fit(case.X, case.y), case)

    return replace(case, run=run)


def _fail_to_refit(case: Case, rng: Rng) -> Case:
    """A fit that fails leaves the model as it was."""

    def run(case: Case) -> dict[str, Any]:
        model = fit(case)
        with contextlib.suppress(ValueError):
            model.fit(case.X.iloc[:0], case.y)
        return outputs(model, case)

    return replace(case, run=run)


COPIED = [
    *map(_copied, COPIES),
    Change("clone fitted", _refit_a_clone),
    Change("fitted twice", _refit),
    Change("fitted, then a fit that fails", _fail_to_refit),
]


# --- Fits in parts ---------------------------------------------------------------------------------------------------


def _halves(case: Case) -> list[tuple[Any, ...]]:
    half = len(case.X) // 2
    return [
        (case.X.iloc[part],) if case.y is None else (case.X.iloc[part], case.y[part])
        for part in (slice(half), slice(half, None))
    ]


def _in_chunks(case: Case, rng: Rng) -> Case:
    def run(case: Case) -> dict[str, Any]:
        model, halves = case.make(), _halves(case)
        # The first chunk decides which columns hold labels, and which parts a date has.
        first, whole = (case.make().partial_fit(*rows) for rows in (halves[0], (case.X, case.y)[: len(halves[0])]))
        assume(_kinds_out(first, case) == _kinds_out(whole, case))
        for half in halves:
            model.partial_fit(*half)
        return outputs(model, case)

    return replace(case, run=run)


def _kinds_out(transformer: Any, case: Case) -> list[tuple[str, bool]]:
    """The encoded columns of a transformer, and whether each holds labels."""
    if not hasattr(transformer, "transform"):
        return []
    dtypes = transformer.transform(case.X[:1]).dtypes
    return [(name, isinstance(dtype, pd.CategoricalDtype)) for name, dtype in dtypes.items()]


def _first_chunk(case: Case) -> Case:
    """The case of two chunks, one after the other."""
    return replace(_in_chunks(case, None), make=case.make)


def _saved_between(case: Case, rng: Rng) -> Case:
    def run(case: Case) -> dict[str, Any]:
        first, second = _halves(case)
        return outputs(_save_and_load(case.make().partial_fit(*first)).partial_fit(*second), case)

    return replace(case, run=run)


def _more_trees(case: Case, rng: Rng) -> Case:
    def run(case: Case) -> dict[str, Any]:
        model = case.make()
        size = "n_estimators" if hasattr(model, "n_estimators") else "max_iter"
        whole = getattr(model, size)
        model.set_params(**{size: whole - 2}, warm_start=True).fit(case.X, case.y)
        return outputs(model.set_params(**{size: whole}).fit(case.X, case.y), case)

    return replace(case, run=run)


IN_PARTS = [
    Change(
        "two chunks",
        _in_chunks,
        lambda subject: subject.family == "transformer" and hasattr(subject.make(), "partial_fit"),
        tolerance=lambda subject: 1e-5,
    ),
    Change(
        "saved between two chunks",
        _saved_between,
        lambda subject: subject.target is not None and hasattr(subject.make(), "partial_fit"),
        prepare=_first_chunk,
    ),
    Change(
        "more trees by warm start",
        _more_trees,
        lambda subject: hasattr(subject.make(), "warm_start") and subject.family == "trees",
    ),
]
