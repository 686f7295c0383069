"""`StateReader`: rebuilds a model from JSON, arrays and scikit-learn parts."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.utils import Bunch

import tabrec
from tabrec.saving.class_names import find_class, untrusted
from tabrec.saving.folder import STATE_FILE
from tabrec.saving.older_formats import name_in_format_1, upgrade


class StateReader:
    """Decodes the JSON that `StateWriter` wrote: the first key of an entry names the method that decodes it."""

    def __init__(self, path: Path, arrays: dict[str, np.ndarray], files: dict[str, bytes], file_format: int):
        self.path = path
        self.arrays = arrays
        self.files = files
        self.file_format = file_format
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
            raise ValueError(f"{self.path / STATE_FILE} names {value['ufunc']!r}, which is not a numpy ufunc.")
        return function

    def _codes(self, value: dict) -> pd.CategoricalDtype:
        return pd.CategoricalDtype(pd.RangeIndex(value["codes"]))

    def _bunch(self, value: dict) -> Bunch:
        return Bunch(**self.decode(value["bunch"]))

    def _same(self, value: dict) -> Any:
        return self._known[value["same"]]

    def _object(self, value: dict) -> Any:
        name = self._short_name(value["object"])
        made: Any = object.__new__(find_class(name, self.path))
        self._known.append(made)
        state = {key: self.decode(item) for key, item in value["state"].items()}
        vars(made).update(upgrade(name, state, self.file_format))
        return made

    def _short_name(self, name: str) -> str:
        return name_in_format_1(name, self.path) if self.file_format == 1 else name

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
        # The dtype is explicit, because pandas would convert objects that are text to its string dtype.
        return pd.Series(values, dtype=value.get("dtype", values.dtype))

    def _module(self, value: dict) -> Any:
        from torch import from_numpy

        made: Any = find_class(self._short_name(value["module"]), self.path)(**self.decode(value["config"]))
        made.load_state_dict({name: from_numpy(array.copy()) for name, array in self.decode(value["state"]).items()})
        return made.eval()

    def _part(self, value: dict) -> Any:
        name = value["part"]
        if name not in self.files:
            raise ValueError(f"{self.path / STATE_FILE} names a part that is not in the folder: {name!r}.")
        asked = skops.io.get_untrusted_types(data=self.files[name])
        unknown = untrusted(asked)
        if unknown:
            raise ValueError(f"{self.path / name} holds {', '.join(unknown)}, which tabrec does not know.")
        return skops.io.loads(self.files[name], trusted=asked)
