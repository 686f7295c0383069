"""The boundary changes of `test_boundaries.py`: each makes, of a case, another whose outputs should be the same."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from tests.boundary_cases import Case, Subject, fit, outputs

Rng = np.random.Generator


@dataclass(frozen=True)
class Change:
    """A named change of a case, and how far the outputs may differ.

    `tolerance` is the share of the largest value of an output by which it may differ; 0 means equal bit for bit.
    """

    name: str
    apply: Callable[[Case, Rng], Case]
    subjects: Callable[[Subject], bool] = lambda subject: True
    columns: tuple[str, ...] = ()  # kinds of columns, one of which must be present
    tolerance: Callable[[Subject], float] = lambda subject: 0.0
    prepare: Callable[[Case], Case] = lambda case: case  # makes the original case comparable


def not_recommender(subject: Subject) -> bool:
    return subject.target != "ratings"


def replace_column(case: Case, name: str, change: Callable[[pd.Series], Any], when: str) -> Case:
    """Change a column in "fit", in "predict" or in "both"."""
    return replace_frame(case, lambda frame: frame.assign(**{name: change(frame[name])}), when)


def replace_frame(case: Case, change: Callable[[pd.DataFrame], Any], when: str) -> Case:
    X = change(case.X) if when != "predict" else case.X
    return replace(case, X=X, X_new=change(case.X_new) if when != "fit" else case.X_new)


def draw_when(rng: Rng) -> str:
    return str(rng.choice(["fit", "predict", "both"]))


# --- Offset and scale ------------------------------------------------------------------------------------------------


def _rescaled(kind: str, *, factor: float = 1, offset: float = 0) -> Change:
    def apply(case: Case, rng: Rng) -> Case:
        changed = replace_column(
            case, kind, lambda column: column * factor + offset if offset else column * factor, "both"
        )
        return replace(changed, X_new=changed.X)

    name = f"{kind} * {factor:g} + {offset:g}"
    return Change(name, apply, _learns_order, (kind,), _rounding, _training_rows)


def _rounding(subject: Subject) -> float:
    """Trees depend on the order of numbers alone; nets read float32, and the first steps of Adam enlarge its errors."""
    return 0.0 if subject.family == "trees" else 1e-3 if subject.transforms else 1e-2


def _training_rows(case: Case) -> Case:
    """Predict the rows of fit, which thresholds separate alike; classifiers draw rows by content, so take all."""
    return replace(case, X_new=case.X, make=lambda: _without_bootstrap(case.make()))


def _without_bootstrap(model: Any) -> Any:
    return model.set_params(**{name: False for name in model.get_params() if name.split("__")[-1] == "bootstrap"})


def _learns_order(subject: Subject) -> bool:
    """Return whether only the order of numbers, or their distances relative to the standard deviation, matter."""
    return subject.family in ("trees", "net") or subject.name in ("Normalize", "TabularPreprocessor-net")


def _years_later(case: Case, rng: Rng) -> Case:
    kind = next(name for name in case.X.columns if name in DAYS)
    changed = replace_column(case, kind, lambda column: column + pd.DateOffset(years=28), "both")
    return replace(changed, X_new=changed.X)


DAYS = ("dates", "dates with gaps", "times")
RESCALED_COLUMNS = [
    *(
        _rescaled(kind, factor=2.0**exponent, offset=steps * step * 2.0**exponent)
        for kind, step in {"numbers": 0.125, "numbers with gaps": 0.125, "tiny": 2.0**-50, "huge": 2.0**40}.items()
        for exponent, steps in ((-60, 0), (-30, 7), (0, 10**6), (0, 2**30), (1, 0), (40, 2**30))
        if kind != "tiny" or exponent > -60  # a spread that squares to 0 in float32 counts as constant
    ),
    *(
        _rescaled(kind, factor=factor, offset=offset)
        for kind in ("counts", "ids")
        for factor, offset in ((1000, 0), (1, -(10**9)), (2, 10**9), (1, 2**40))
    ),
    _rescaled("durations", factor=1024),
    Change(
        "28 years later, where the calendar repeats",
        _years_later,
        lambda subject: _learns_order(subject) and subject.name != "Normalize",  # which passes dates through
        DAYS,
        _rounding,
        _training_rows,
    ),
]


def _rescaled_target(factor: float, offset: float) -> Change:
    def back(found: dict[str, Any]) -> dict[str, Any]:
        return {
            name: [(value - offset) / factor for value in values] if name.startswith("predict ") else values
            for name, values in found.items()
        }

    return Change(
        f"y * {factor:g} + {offset:g}",
        lambda case, rng: replace(case, y=case.y * factor + offset, back=back),
        lambda subject: subject.target == "numbers",
        tolerance=lambda subject: _rounding(subject) or 1e-5,
    )


RESCALED_TARGETS = [
    _rescaled_target(2.0**exponent, offset * 2.0**exponent)
    for exponent in (-40, -10, 0, 30)
    for offset in (0, -1000, 2**20, 2**27)
    if exponent or offset
]


# --- Representation of a column --------------------------------------------------------------------------------------


def _to_decimal(value: Any) -> Any:
    return None if pd.isna(value) else decimal.Decimal(str(value))


def _permuted_categories(column: pd.Series) -> pd.Series:
    labels = [*sorted(column.dropna().unique(), reverse=True), "no row has this"]
    return column.astype(pd.CategoricalDtype(labels[::2] + labels[1::2]))


def _objects(column: pd.Series, convert: Callable[[Any], Any] = lambda value: value) -> pd.Series:
    return pd.Series([convert(value) for value in column.astype(object)], index=column.index, dtype=object)


def _as(dtype: Any) -> Callable[[pd.Series], pd.Series]:
    return lambda column: column.astype(dtype)


_FLOAT = {
    "Float64": _as("Float64"),
    "objects": _as(object),
    "decimals": lambda column: _objects(column, _to_decimal),
    "double[pyarrow]": lambda column: column.astype("Float64").astype("double[pyarrow]"),
    "sparse": lambda column: column.astype(pd.SparseDtype(float, np.nan)),
}
_INTEGER = {
    "Int64": _as("Int64"),
    "uint64": _as("uint64"),
    "objects": _as(object),
    "decimals": lambda column: _objects(column, decimal.Decimal),
    "int64[pyarrow]": _as("int64[pyarrow]"),
}
_LABEL = {
    "objects": _as(object),
    "str": _as("str"),
    "string": _as("string"),
    "string[pyarrow]": _as("string[pyarrow]"),
    "categories": _permuted_categories,
    "dictionary[pyarrow]": lambda column: pd.Series(
        pd.array(
            [None if pd.isna(value) else value for value in column],
            dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())),
        ),
        index=column.index,
    ),
}
_MOMENT = {
    "seconds": lambda column: column.dt.as_unit("s"),
    "objects": _as(object),
    "pyarrow": lambda column: column.convert_dtypes(dtype_backend="pyarrow"),
}
_DAY = {
    "python dates": lambda column: _objects(column, lambda value: None if pd.isna(value) else value.date()),
    "ISO text": lambda column: column.dt.strftime("%Y-%m-%d"),
}
REPRESENTATIONS: dict[str, dict[str, Callable[[pd.Series], pd.Series]]] = {
    "numbers": _FLOAT | {"float32": _as("float32")},
    "numbers with gaps": _FLOAT | {"float32": _as("float32")},
    "huge": _FLOAT,
    "counts": {name: to for name, to in _INTEGER.items() if name != "decimals"} | {"int8": _as("int8")},
    "ids": _INTEGER | {"float64": _as("float64")},
    "long ids": _INTEGER,
    "flags": {"boolean": _as("boolean"), "objects": _as(object), "bool[pyarrow]": _as("bool[pyarrow]")},
    "labels": _LABEL,
    "labels with gaps": _LABEL,
    "many labels": _LABEL,
    "dates": _MOMENT | _DAY,
    "dates with gaps": _MOMENT | _DAY,
    "times": _MOMENT,
    "durations": {"seconds": lambda column: column.dt.total_seconds(), "objects": _as(object)},
}


def _represented(kind: str, name: str, convert: Callable[[pd.Series], pd.Series]) -> Change:
    return Change(
        f"{kind} as {name}",
        lambda case, rng: replace_column(case, kind, convert, draw_when(rng)),
        (lambda subject: subject.infers_kinds) if "text" in name else not_recommender,
        (kind,),
    )


FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "pandas with arrow dtypes": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "pandas with nullable dtypes": lambda frame: frame.convert_dtypes(),
    "read-only": lambda frame: frame.copy(),
}


TARGETS: dict[str, Callable[[np.ndarray], Any]] = {
    "list": list,
    "Series": pd.Series,
    "Series with another index": lambda y: pd.Series(y, index=[f"row {i}" for i in range(len(y))]),
    "polars": pl.Series,
    "arrow": pa.array,
    "nullable": lambda y: pd.Series(y).convert_dtypes(),
    "pyarrow": lambda y: pd.Series(y).convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda y: y.astype(object),
    "frame": lambda y: pd.DataFrame({"y": y})["y"],
}


REPRESENTED = [
    *(
        _represented(kind, name, convert)
        for kind, converts in REPRESENTATIONS.items()
        for name, convert in converts.items()
    ),
    *(
        Change(f"table as {name}", lambda case, rng, make=make: replace_frame(case, make, draw_when(rng)))
        for name, make in FRAMES.items()
    ),
    *(
        Change(
            f"target as {name}",
            lambda case, rng, make=make: replace(case, y=make(case.y)),
            lambda subject: subject.target is not None,
        )
        for name, make in TARGETS.items()
    ),
]


# --- Order -----------------------------------------------------------------------------------------------------------


def _reorder_training_rows(case: Case, rng: Rng) -> Case:
    order = rng.permutation(len(case.X))
    return replace(case, X=case.X.iloc[order], y=None if case.y is None else case.y[order])


def _reorder_new_rows(case: Case, rng: Rng) -> Case:
    order = rng.permutation(len(case.X_new))
    back = np.argsort(order)

    def restore(found: dict[str, Any]) -> dict[str, Any]:
        return {
            name: values if name.startswith("recommend") else [values[i] for i in back]
            for name, values in found.items()
        }

    return replace(case, X_new=case.X_new.iloc[order], back=restore)


def _split_new_rows(case: Case, rng: Rng) -> Case:
    """Predict the rows one by one."""

    def run(case: Case) -> dict[str, Any]:
        model = fit(case)
        parts = [outputs(model, replace(case, X_new=case.X_new.iloc[[row]])) for row in range(len(case.X_new))]
        return {
            name: parts[0][name] if name.startswith("recommend") else [part[name][0] for part in parts]
            for name in parts[0]
        }

    return replace(case, run=run)


def _reorder_columns(case: Case, rng: Rng) -> Case:
    return replace(case, X_new=case.X_new[list(rng.permutation(case.X_new.columns))].assign(unknown="?"))


def _reindex(case: Case, rng: Rng) -> Case:
    return replace(
        case,
        X=case.X.set_axis(np.resize([7, 3, 3, -1], len(case.X)), axis=0),
        X_new=case.X_new.set_axis([f"row {row}" for row in range(len(case.X_new))], axis=0),
    )


def _rename_classes(case: Case, rng: Rng) -> Case:
    """Other labels in the same order."""
    names = sorted(set(case.y))
    others: list = [[False, True], [-3, 10**9], ["a b", "É"], [0.0, 2.0], [np.int64(1), np.int64(2)]]
    if len(names) == 3:
        others = [[-3, 0, 10**9], ["", "a b", "É"], [0.0, 2.0, 3.0], [1, 2, 2**53 + 1]]
    chosen = others[int(rng.integers(len(others)))]
    to, back = dict(zip(names, chosen, strict=True)), dict(zip(chosen, names, strict=True))

    def restore(found: dict[str, Any]) -> dict[str, Any]:
        return {
            name: [back[value] for value in values] if name.startswith("predict ") else values
            for name, values in found.items()
        }

    return replace(case, y=np.array([to[value] for value in case.y]), back=restore)


REORDERED = [
    Change("training rows permuted", _reorder_training_rows, tolerance=lambda subject: 1e-5),
    Change("new rows permuted", _reorder_new_rows, tolerance=lambda subject: 1e-5),
    Change("rows one by one", _split_new_rows, tolerance=lambda subject: 1e-5),
    Change("columns permuted, and one more", _reorder_columns),
    Change("another index", _reindex),
    Change("classes renamed in their order", _rename_classes, lambda subject: subject.target == "classes"),
]
