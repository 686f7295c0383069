"""`StateWriter`: converts a model to JSON, arrays and scikit-learn parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from tabrec.saving.class_names import is_numpy_function, is_registered, path_of, short_name, untrusted
from tabrec.saving.plain_values import PLAIN_VALUES, kind_of

_PLAIN = (str, bool, int, type(None))
# Dtypes that safetensors supports.
_ARRAY_TYPES = {"b1", *(f"{kind}{size}" for kind in "iuf" for size in (1, 2, 4, 8))} - {"f1"}


class StateWriter:
    """Encodes a model as JSON and collects its arrays and scikit-learn objects separately."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.parts: dict[str, bytes] = {}
        self._known: dict[int, int] = {}
        # By id, so that an object that occurs twice is saved once. Objects are kept alive because ids may be reused.
        self._names: dict[int, tuple[str, Any]] = {}

    def encode(self, value: Any, where: str) -> Any:
        """Encode a value as JSON; `where` names it in messages."""
        if type(value) in _PLAIN:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) is list and not _is_sklearn_list(value):
            return [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
        for applies, encode in _ENCODERS:
            if applies(value):
                return encode(self, value, where)
        raise TypeError(f"{where} {_described(value)}")

    def _sequence(self, value: Any, where: str) -> dict:
        items = sorted(value, key=repr) if isinstance(value, (set, frozenset)) else value
        return {type(value).__name__: [self.encode(item, f"{where}[{i}]") for i, item in enumerate(items)]}

    def _dict(self, value: dict, where: str) -> dict:
        pairs = [[self.encode(k, f"key of {where}"), self.encode(v, f"{where}[{k!r}]")] for k, v in value.items()]
        return {"dict": pairs}

    def _array(self, value: np.ndarray, where: str) -> dict:
        if value.dtype == object or value.dtype.kind in "US":
            items = [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value.ravel().tolist())]
            return {"objects": items, "shape": list(value.shape), "dtype": value.dtype.str}
        plain = value.view(np.int64) if value.dtype.kind in "mM" else value
        if plain.dtype.str[1:] not in _ARRAY_TYPES:
            raise TypeError(f"{where} is an array of the type {value.dtype}, which cannot be saved.")
        key = str(len(self.arrays))
        dtype = value.dtype.newbyteorder("=")
        self.arrays[key] = np.ascontiguousarray(plain, dtype=plain.dtype.newbyteorder("=")).reshape(value.shape)
        order = "F" if value.flags.f_contiguous else "C"
        return {"array": key, "dtype": dtype.str, "order": order, "shape": list(value.shape)}

    def _masked(self, value: np.ma.MaskedArray, where: str) -> dict:
        data, mask = self._array(np.asarray(value), where), self._array(np.ma.getmaskarray(value), where)
        return {"masked": data, "mask": mask, "fill": self.encode(value.fill_value, f"fill value of {where}")}

    def _scalar(self, value: np.generic, where: str) -> dict:
        return {"scalar": self.encode(value.item(), where), "dtype": value.dtype.str}

    def _date(self, value: date, where: str) -> dict:
        zone = getattr(value, "tzinfo", None)
        zone = getattr(zone, "key", None) or getattr(zone, "zone", None)  # isoformat writes only the offset
        entry = {"date": value.isoformat(), "class": type(value).__name__}
        return entry if zone is None else entry | {"zone": zone}

    def _plain(self, value: Any, where: str) -> dict:
        kind = str(kind_of(value))
        return {
            "plain": kind,
            "of": [self.encode(item, f"part of {where}") for item in PLAIN_VALUES[kind].write(value)],
        }

    def _object(self, value: Any, where: str) -> dict:
        if id(value) in self._known:
            return {"same": self._known[id(value)]}
        self._known[id(value)] = len(self._known)
        # scikit-learn stores bound methods among the attributes; the class provides them after loading.
        state = {k: v for k, v in vars(value).items() if getattr(v, "__self__", None) is not value}
        left_out = getattr(value, "_not_saved", ())  # attributes that can be computed again
        state = {k: self.encode(v, f"{where}.{k}") for k, v in state.items() if k not in left_out}
        return {"object": short_name(type(value)), "state": state}

    def _frame(self, value: pd.DataFrame, where: str) -> dict:
        columns = [
            [self.encode(name, f"column name of {where}"), self._column(value[name], f"{where}[{name!r}]")]
            for name in value.columns
        ]
        index = self._column(pd.Series(value.index, dtype=value.index.dtype), f"index of {where}")
        return {"frame": columns, "index": index, "index_name": self.encode(value.index.name, f"index name of {where}")}

    def _column(self, value: pd.Series, where: str) -> dict:
        if isinstance(value.dtype, pd.CategoricalDtype):
            categories = self._column(pd.Series(value.cat.categories, dtype=value.cat.categories.dtype), where)
            codes = self._array(value.cat.codes.to_numpy(), where)
            return {"values": codes, "categories": categories, "ordered": bool(value.cat.ordered)}
        if isinstance(value.dtype, np.dtype):
            return {"values": self._array(value.to_numpy(), where)}
        plain = value.astype(object).where(value.notna(), None).to_numpy()
        return {"values": self._array(plain, where), "dtype": str(value.dtype)}

    def _module(self, value: Any, where: str) -> dict:
        """Encode a registered torch module as its constructor arguments and its weights."""
        state = {name: tensor.cpu().numpy() for name, tensor in value.state_dict().items()}
        config = self._dict(value.config, f"{where}.config")
        return {"module": short_name(type(value)), "config": config, "state": self._dict(state, where)}

    def _series(self, value: pd.Series, where: str) -> dict:
        name = self.encode(value.name, f"name of {where}")
        return {"series": self._frame(value.to_frame("values"), where), "name": name}

    def _index(self, value: pd.Index, where: str) -> dict:
        name = self.encode(value.name, f"name of {where}")
        return {"index": self._column(pd.Series(value, dtype=value.dtype), where), "name": name}

    def _part(self, value: Any, where: str) -> dict:
        if id(value) in self._names:
            return {"part": self._names[id(value)][0]}
        import skops.io  # imported here because it loads torch and all of scikit-learn

        try:
            data = skops.io.dumps(value)
            unknown = untrusted(skops.io.get_untrusted_types(data=data))
        except Exception as error:  # skops, and the objects themselves, raise errors of many types
            raise TypeError(f"{where} {_described(value)} ({error})") from error
        if unknown:
            place, part = _find(value, unknown, where) or (where, None)
            described = f"holds {', '.join(unknown)}, which cannot be saved." if part is None else _described(part)
            raise TypeError(f"{place} {described}")
        name = f"part-{len(self.parts)}.skops"
        self.parts[name], self._names[id(value)] = data, (name, value)
        return {"part": name}


def can_be_saved(value: Any) -> bool:
    """Return whether a value, such as a label of a column, can be saved as an attribute of a model."""
    try:
        StateWriter().encode(value, "value")
    except TypeError:
        return False
    return True


def _described(value: Any) -> str:
    """Return text that names the type that cannot be saved, and how to save the model nevertheless."""
    named = value.func if isinstance(value, partial) else value
    if not (callable(named) and hasattr(named, "__qualname__")):
        return f"is a {path_of(type(value))}, which cannot be saved."
    kind = "class" if isinstance(value, type) else "function"
    return (
        f"is a {kind} ({path_of(named)}), which cannot be saved, because a saved model holds no code: set it to "
        "None or to a named option, or use a ufunc of numpy or a scorer of scikit-learn."
    )


def _find(value: Any, types: list[str], where: str, depth: int = 8) -> tuple[str, Any] | None:
    """Find the first value within an object whose type, or function, has one of these names."""
    named = value if hasattr(value, "__qualname__") else type(value)
    if path_of(named) in types:
        return where, value
    if isinstance(value, dict):
        parts = {f"{where}[{key!r}]": item for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        parts = {f"{where}[{i}]": item for i, item in enumerate(value)}
    else:
        parts = {f"{where}.{name}": item for name, item in getattr(value, "__dict__", {}).items()}
    found = (_find(part, types, place, depth - 1) for place, part in parts.items() if depth)
    return next((pair for pair in found if pair), None)


def _is_module(value: Any) -> bool:
    return is_registered(type(value)) and hasattr(value, "state_dict") and hasattr(value, "config")


def _is_sklearn_list(value: list) -> bool:
    """Return True for lists of scikit-learn objects, such as the trees of a forest, which are saved as one part."""
    flat = value
    while flat and type(flat[0]) is list:
        flat = [item for items in flat for item in items]
    return bool(flat) and all(_is_part(item) for item in flat)


def _is_part(value: Any) -> bool:
    if type(value) is list:
        return _is_sklearn_list(value)
    cls = type(value)
    return cls.__module__.split(".")[0] in ("sklearn", "numpy", "scipy") and not is_registered(cls)


def _is_codes_dtype(value: Any) -> bool:
    return isinstance(value, pd.CategoricalDtype) and value.categories.equals(pd.RangeIndex(len(value.categories)))


def _is_type(*types: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in types


# The first condition that holds decides how a value is encoded.
_ENCODERS: list[tuple[Callable[[Any], bool], Callable[[StateWriter, Any, str], dict]]] = [
    (_is_type(tuple, set, frozenset), StateWriter._sequence),
    (_is_type(dict), StateWriter._dict),
    (_is_type(Bunch), lambda writer, value, where: {"bunch": writer._dict(dict(value), where)}),
    (_is_type(np.ndarray), StateWriter._array),
    (_is_type(np.ma.MaskedArray), StateWriter._masked),
    (lambda value: isinstance(value, np.generic) and value.dtype.kind in "biufUS", StateWriter._scalar),
    (_is_type(pd.Timestamp, datetime, date), StateWriter._date),
    (is_numpy_function, lambda writer, value, where: {"ufunc": value.__name__}),
    (_is_codes_dtype, lambda writer, value, where: {"codes": len(value.categories)}),
    (lambda value: isinstance(value, pd.DataFrame), StateWriter._frame),
    (_is_module, StateWriter._module),
    (lambda value: isinstance(value, pd.Series), StateWriter._series),
    (lambda value: isinstance(value, pd.Index) and value.nlevels == 1, StateWriter._index),
    (lambda value: is_registered(type(value)), StateWriter._object),
    (lambda value: kind_of(value) is not None, StateWriter._plain),
    (_is_part, StateWriter._part),
]
