"""`StateWriter`: converts a model to JSON, arrays and scikit-learn parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.utils import Bunch

from tabrec.saving.class_names import is_container, is_registered, path_of, short_name, untrusted


def _is_ours(value: Any) -> bool:
    """True for instances of registered classes of this package, as opposed to containers of scikit-learn."""
    return is_registered(type(value)) and not is_container(type(value))


def _holds_ours(value: Any) -> bool:
    if _is_ours(value):
        return True
    if isinstance(value, dict):
        return any(_holds_ours(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_ours(item) for item in value)
    return is_container(type(value)) and any(_holds_ours(item) for item in vars(value).values())


_PLAIN = (str, bool, int, type(None))


class StateWriter:
    """Encodes a model as JSON and collects its arrays and scikit-learn objects separately."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.parts: dict[str, bytes] = {}
        self._known: dict[int, int] = {}

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
        raise TypeError(f"{where} is a {path_of(type(value))}, which cannot be saved.")

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
        key = str(len(self.arrays))
        plain = value.view(np.int64) if value.dtype.kind in "mM" else value
        self.arrays[key] = np.ascontiguousarray(plain).reshape(value.shape)
        return {"array": key, "dtype": value.dtype.str, "order": "F" if value.flags.f_contiguous else "C"}

    def _scalar(self, value: np.generic, where: str) -> dict:
        return {"scalar": self.encode(value.item(), where), "dtype": value.dtype.str}

    def _date(self, value: date, where: str) -> dict:
        return {"date": value.isoformat(), "class": type(value).__name__}

    def _object(self, value: Any, where: str) -> dict:
        if id(value) in self._known:
            return {"same": self._known[id(value)]}
        self._known[id(value)] = len(self._known)
        # scikit-learn stores bound methods of the object among its attributes; the class provides them after loading.
        state = {k: v for k, v in vars(value).items() if getattr(v, "__self__", None) is not value}
        left_out = getattr(value, "_not_saved", ())  # attributes that the object can compute again
        state = {k: self.encode(v, f"{where}.{k}") for k, v in state.items() if k not in left_out}
        return {"object": short_name(type(value)), "state": state}

    def _frame(self, value: pd.DataFrame, where: str) -> dict:
        columns = [[name, self._column(value[name], f"{where}[{name!r}]")] for name in value.columns]
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
        """A registered torch module: its constructor arguments and its weights."""
        state = {name: tensor.cpu().numpy() for name, tensor in value.state_dict().items()}
        config = self._dict(value.config, f"{where}.config")
        return {"module": short_name(type(value)), "config": config, "state": self._dict(state, where)}

    def _part(self, value: Any, where: str) -> dict:
        data = skops.io.dumps(value)
        unknown = untrusted(skops.io.get_untrusted_types(data=data))
        if unknown:
            raise TypeError(f"{where} holds {', '.join(unknown)}, which cannot be saved.")
        name = f"part-{len(self.parts)}.skops"
        self.parts[name] = data
        return {"part": name}


def _is_our_module(value: Any) -> bool:
    return _is_ours(value) and hasattr(value, "state_dict") and hasattr(value, "config")


def _is_sklearn_list(value: list) -> bool:
    """True for lists of scikit-learn objects, such as the trees of a forest, which are saved as one part."""
    flat = value
    while flat and type(flat[0]) is list:
        flat = [item for items in flat for item in items]
    return bool(flat) and all(_is_part(item) for item in flat)


def _is_part(value: Any) -> bool:
    if type(value) is list:
        return _is_sklearn_list(value)
    return type(value).__module__.split(".")[0] in ("sklearn", "numpy", "scipy") and not _holds_ours(value)


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
    (lambda value: isinstance(value, np.generic) and value.dtype.kind in "biuf", StateWriter._scalar),
    (_is_type(pd.Timestamp, datetime, date), StateWriter._date),
    (lambda value: isinstance(value, np.ufunc), lambda writer, value, where: {"ufunc": value.__name__}),
    (_is_codes_dtype, lambda writer, value, where: {"codes": len(value.categories)}),
    (lambda value: isinstance(value, pd.DataFrame), StateWriter._frame),
    (_is_our_module, StateWriter._module),
    (_is_ours, StateWriter._object),
    (lambda value: is_container(type(value)) and _holds_ours(value), StateWriter._object),
    (_is_part, StateWriter._part),
]
