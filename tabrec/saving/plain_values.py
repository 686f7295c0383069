"""Values of Python, numpy and pandas, such as labels and parameters, that are saved as simpler values."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import time, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.stats


class PlainValue(NamedTuple):
    """How values of a kind are saved: `read(*write(value))` is equal to `value`."""

    applies: Callable[[Any], bool]
    write: Callable[[Any], list]
    read: Callable[..., Any]


_NUMBER_CLASSES = {"int": int, "float": float, "bool": bool, "str": str, "object": object}


def _is_type(cls: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is cls


def _is_time(value: Any) -> bool:
    return type(value) is time and (value.tzinfo is None or type(value.tzinfo) is timezone)


def _is_number_class(value: Any) -> bool:
    return isinstance(value, type) and (value in _NUMBER_CLASSES.values() or issubclass(value, np.generic))


def _is_distribution(value: Any) -> bool:
    known = getattr(scipy.stats, getattr(getattr(value, "dist", None), "name", None) or "", None)
    return known is not None and type(value.dist) is type(known)


def _read_number_class(name: str) -> type:
    cls = _NUMBER_CLASSES.get(name) or getattr(np, name.removeprefix("numpy."))
    if not _is_number_class(cls):
        raise ValueError(f"{name!r} is not a class of numbers")
    return cls


def _read_distribution(name: str, args: list, keywords: dict) -> Any:
    distribution = getattr(scipy.stats, name)
    if not isinstance(distribution, (scipy.stats.rv_continuous, scipy.stats.rv_discrete)):
        raise ValueError(f"{name!r} is not a distribution of scipy.stats")
    return distribution(*args, **keywords)


PLAIN_VALUES = {
    "bytes": PlainValue(_is_type(bytes), lambda value: [value.hex()], bytes.fromhex),
    "complex": PlainValue(_is_type(complex), lambda value: [value.real, value.imag], complex),
    "decimal": PlainValue(_is_type(Decimal), lambda value: [str(value)], Decimal),
    "uuid": PlainValue(_is_type(uuid.UUID), lambda value: [str(value)], uuid.UUID),
    "time": PlainValue(_is_time, lambda value: [value.isoformat()], time.fromisoformat),
    "timedelta": PlainValue(
        _is_type(timedelta), lambda value: [value.days, value.seconds, value.microseconds], timedelta
    ),
    "pandas-timedelta": PlainValue(
        _is_type(pd.Timedelta),
        lambda value: [int(value.to_timedelta64().view(np.int64)), value.unit],
        lambda count, unit: pd.Timedelta(np.timedelta64(count, unit)),
    ),
    "interval": PlainValue(_is_type(pd.Interval), lambda value: [value.left, value.right, value.closed], pd.Interval),
    "period": PlainValue(
        _is_type(pd.Period),
        lambda value: [value.ordinal, value.freqstr],
        lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    ),
    "missing": PlainValue(
        lambda value: value is pd.NaT or value is pd.NA,
        lambda value: ["NaT" if value is pd.NaT else "NA"],
        {"NaT": pd.NaT, "NA": pd.NA}.__getitem__,
    ),
    "moment": PlainValue(
        lambda value: isinstance(value, np.generic) and value.dtype.kind in "mM",
        lambda value: [int(value.view(np.int64)), value.dtype.str],
        lambda count, dtype: np.array(count, np.int64).view(dtype)[()],
    ),
    "slice": PlainValue(_is_type(slice), lambda value: [value.start, value.stop, value.step], slice),
    "range": PlainValue(_is_type(range), lambda value: [value.start, value.stop, value.step], range),
    "class": PlainValue(
        _is_number_class,
        lambda value: [value.__name__ if value.__module__ == "builtins" else f"numpy.{value.__name__}"],
        _read_number_class,
    ),
    "distribution": PlainValue(
        _is_distribution, lambda value: [value.dist.name, list(value.args), value.kwds], _read_distribution
    ),
}


def kind_of(value: Any) -> str | None:
    """Return the name of the kind of a value in `PLAIN_VALUES`, or None."""
    return next((kind for kind, plain in PLAIN_VALUES.items() if plain.applies(value)), None)
