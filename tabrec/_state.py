"""A model as JSON and arrays, and back: what `persistence` writes to a folder and reads from it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.utils import Bunch

import tabrec

# The file that holds the JSON.
STATE_FILE = "model.json"
# Classes of scikit-learn that may hold models of ours: they are saved attribute by attribute.
_CONTAINERS = (
    "sklearn.pipeline.Pipeline",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.compose._column_transformer.ColumnTransformer",
    "sklearn.compose._target.TransformedTargetRegressor",
    "sklearn.ensemble._voting.VotingClassifier",
    "sklearn.ensemble._voting.VotingRegressor",
    "sklearn.ensemble._stacking.StackingClassifier",
    "sklearn.ensemble._stacking.StackingRegressor",
)

# What skops asks about besides what it trusts: plain data structures and metrics of scikit-learn, covered by the
# digests.
_TRUSTED = (
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
    "sklearn.metrics.",
    "sklearn._loss.",
    "_loss.CyHalf",  # how older releases of scikit-learn name the compiled part of a loss
)


def class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _is_ours(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "tabrec" and hasattr(value, "__dict__")


def _holds_ours(value: Any) -> bool:
    if _is_ours(value):
        return True
    if isinstance(value, dict):
        return any(_holds_ours(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_ours(item) for item in value)
    return class_name(value) in _CONTAINERS and any(_holds_ours(item) for item in vars(value).values())


_PLAIN = (str, bool, int, type(None))


class StateWriter:
    """Turns a model into JSON, putting arrays and scikit-learn objects aside."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.parts: dict[str, bytes] = {}
        self._known: dict[int, int] = {}

    def encode(self, value: Any, where: str) -> Any:
        """JSON for the value; `where` names it in messages."""
        if type(value) in _PLAIN:
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) is list and not _is_sklearn_list(value):
            return [self.encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
        for holds, encode in self._encoders():
            if holds(value):
                return encode(value, where)
        raise TypeError(f"{where} is a {class_name(value)}, which cannot be saved.")

    def _encoders(self) -> list[tuple[Callable, Callable]]:
        def is_type(*types: type) -> Callable:
            return lambda value: type(value) in types

        return [
            (is_type(tuple, set, frozenset), self._sequence),
            (is_type(dict), self._dict),
            (is_type(Bunch), lambda value, where: {"bunch": self._dict(dict(value), where)}),
            (is_type(np.ndarray), self._array),
            (lambda value: isinstance(value, np.generic) and value.dtype.kind in "biuf", self._scalar),
            (is_type(pd.Timestamp, datetime, date), self._date),
            (lambda value: isinstance(value, np.ufunc), lambda value, where: {"ufunc": value.__name__}),
            (_is_codes_dtype, lambda value, where: {"codes": len(value.categories)}),
            (lambda value: isinstance(value, pd.DataFrame), self._frame),
            (_is_our_module, self._module),
            (_is_ours, self._object),
            (lambda value: class_name(value) in _CONTAINERS and _holds_ours(value), self._object),
            (_is_part, self._part),
        ]

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
        # A method of its own that scikit-learn leaves among the attributes comes back with the class.
        state = {k: v for k, v in vars(value).items() if getattr(v, "__self__", None) is not value}
        left_out = getattr(value, "_not_saved", ())  # what the object works out again when asked
        state = {k: self.encode(v, f"{where}.{k}") for k, v in state.items() if k not in left_out}
        return {"object": class_name(value), "state": state}

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
        """A net of ours: what it was made with, and its weights."""
        state = {name: tensor.cpu().numpy() for name, tensor in value.state_dict().items()}
        config = self._dict(value.config, f"{where}.config")
        return {"module": class_name(value), "config": config, "state": self._dict(state, where)}

    def _part(self, value: Any, where: str) -> dict:
        data = skops.io.dumps(value)
        unknown = [name for name in skops.io.get_untrusted_types(data=data) if not name.startswith(_TRUSTED)]
        if unknown:
            raise TypeError(f"{where} holds {', '.join(unknown)}, which cannot be saved.")
        name = f"part-{len(self.parts)}.skops"
        self.parts[name] = data
        return {"part": name}


def _is_our_module(value: Any) -> bool:
    return _is_ours(value) and hasattr(value, "state_dict") and hasattr(value, "config")


def _is_sklearn_list(value: list) -> bool:
    """Lists of scikit-learn objects, such as a forest's trees, are one part."""
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


class StateReader:
    """Turns JSON back into the model."""

    def __init__(self, path: Path, arrays: dict[str, np.ndarray]):
        self.path = path
        self.arrays = arrays
        self._known: list = []

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        kind = next(iter(value))
        decode = getattr(self, f"_{kind}", None)
        if decode is None:
            raise ValueError(
                f"{self.path / STATE_FILE} holds an entry of the kind {kind!r}, "
                f"which tabrec {tabrec.__version__} does not know."
            )
        return decode(value)

    def _float(self, value: dict) -> float:
        return float(value["float"])

    def _tuple(self, value: dict) -> tuple:
        return tuple(self.decode(value["tuple"]))

    def _set(self, value: dict) -> set:
        return set(self.decode(value["set"]))

    def _frozenset(self, value: dict) -> frozenset:
        return frozenset(self.decode(value["frozenset"]))

    def _dict(self, value: dict) -> dict:
        return {self.decode(k): self.decode(v) for k, v in value["dict"]}

    def _objects(self, value: dict) -> np.ndarray:
        array = np.empty(len(value["objects"]), dtype=object)
        array[:] = self.decode(value["objects"])
        return array.reshape(value["shape"]).astype(value["dtype"])

    def _array(self, value: dict) -> np.ndarray:
        array = self.arrays[value["array"]]
        dtype = np.dtype(value["dtype"])
        array = array.view(dtype) if dtype.kind in "mM" else array
        return np.asfortranarray(array) if value["order"] == "F" else array

    def _scalar(self, value: dict) -> np.generic:
        return np.dtype(value["dtype"]).type(self.decode(value["scalar"]))

    def _date(self, value: dict) -> date:
        classes = {"Timestamp": pd.Timestamp, "datetime": datetime.fromisoformat, "date": date.fromisoformat}
        return classes[value["class"]](value["date"])

    def _ufunc(self, value: dict) -> np.ufunc:
        function = getattr(np, value["ufunc"], None)
        if not isinstance(function, np.ufunc):
            raise ValueError(f"{self.path / STATE_FILE} names {value['ufunc']!r}, which is no numpy function.")
        return function

    def _codes(self, value: dict) -> pd.CategoricalDtype:
        return pd.CategoricalDtype(pd.RangeIndex(value["codes"]))

    def _bunch(self, value: dict) -> Bunch:
        return Bunch(**self.decode(value["bunch"]))

    def _same(self, value: dict) -> Any:
        return self._known[value["same"]]

    def _object(self, value: dict) -> Any:
        made: Any = object.__new__(_find_class(value["object"], self.path))
        self._known.append(made)
        vars(made).update({name: self.decode(item) for name, item in value["state"].items()})
        return made

    def _frame(self, value: dict) -> pd.DataFrame:
        labels = self._column(value["index"])
        index = pd.Index(labels, dtype=labels.dtype, name=self.decode(value["index_name"]))
        columns = {name: pd.Series(self._column(column)).set_axis(index) for name, column in value["frame"]}
        return pd.DataFrame(columns, index=index)

    def _column(self, value: dict) -> Any:
        values = self.decode(value["values"])
        if "categories" in value:
            labels = self._column(value["categories"])
            categories = pd.Index(labels, dtype=labels.dtype)
            return pd.Categorical.from_codes(values, categories, ordered=value["ordered"])
        # Its type named, or pandas would take objects that are text for its own type of text.
        return pd.Series(values, dtype=value.get("dtype", values.dtype))

    def _module(self, value: dict) -> Any:
        from torch import from_numpy

        made: Any = _find_class(value["module"], self.path)(**self.decode(value["config"]))
        made.load_state_dict({name: from_numpy(array.copy()) for name, array in self.decode(value["state"]).items()})
        return made.eval()

    def _part(self, value: dict) -> Any:
        file = self.path / value["part"]
        if file.parent != self.path:
            raise ValueError(f"{self.path / STATE_FILE} names a part outside the folder: {value['part']!r}.")
        asked = skops.io.get_untrusted_types(file=file)
        unknown = [name for name in asked if not name.startswith(_TRUSTED)]
        if unknown:
            raise ValueError(f"{file} holds {', '.join(unknown)}, which tabrec does not know.")
        return skops.io.load(file, trusted=asked)


def _find_class(name: str, path: Path) -> type:
    """The class of that name, if it is one of ours or a known container."""
    module_name, _, class_name = name.rpartition(".")
    if name in _CONTAINERS or module_name.split(".")[0] == "tabrec":
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ImportError:
            found = None
        if isinstance(found, type) and found.__module__ == module_name:
            return found
    raise ValueError(f"{path} holds a {name}, which tabrec {tabrec.__version__} does not know.")
