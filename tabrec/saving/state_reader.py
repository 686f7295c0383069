"""`StateReader`: rebuilds a model from JSON, arrays and scikit-learn parts."""

from __future__ import annotations

import io
import reprlib
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

import tabrec
from tabrec.saving.class_names import find_class, is_numpy_function, untrusted
from tabrec.saving.folder import STATE_FILE, UnreadableModel, damaged
from tabrec.saving.older_formats import name_in_format_1, upgrade
from tabrec.saving.plain_values import PLAIN_VALUES


class StateReader:
    """Decodes the JSON that `StateWriter` wrote: the first key of an entry names the method that decodes it."""

    def __init__(self, path: Path, arrays: dict[str, np.ndarray], files: dict[str, bytes], file_format: int):
        self.path = path
        self.arrays = arrays
        self.files = files
        self.file_format = file_format
        self._known: list = []
        self._parts: dict[str, Any] = {}

    def decode(self, value: Any) -> Any:
        """Decode an entry; an invalid one raises an `UnreadableModel` that shows the entry."""
        if not isinstance(value, (list, dict)):
            return value
        try:
            if isinstance(value, list):
                return [self.decode(item) for item in value]
            return self._decode_entry(value)
        except UnreadableModel:
            raise
        except Exception as error:  # a manipulated entry may raise any error
            problem = f"{reprlib.repr(value)} cannot be read ({type(error).__name__}: {error})"
            raise damaged(self.path / STATE_FILE, problem) from error

    def _decode_entry(self, value: dict) -> Any:
        kind = next(iter(value), None)
        if kind not in _KINDS:
            raise UnreadableModel(
                f"{self.path / STATE_FILE} holds an entry of the kind {kind!r}, "
                f"which tabrec {tabrec.__version__} does not know."
            )
        decode, needed, optional = _KINDS[kind]
        if not needed <= value.keys() - {kind} <= needed | optional:
            raise ValueError(f"an entry of the kind {kind!r} has the keys {list(value)}")
        return decode(self, value)

    def _list(self, value: Any) -> list:
        if not isinstance(value, list):
            raise ValueError(f"{reprlib.repr(value)} is not a list")
        return self.decode(value)

    def _dict(self, value: dict) -> dict:
        decoded = {self.decode(key): self.decode(item) for key, item in value["dict"]}
        if len(decoded) != len(value["dict"]):
            raise ValueError("duplicate key")
        return decoded

    def _objects(self, value: dict) -> np.ndarray:
        items = self._list(value["objects"])
        array = np.empty(len(items), dtype=object)
        array[:] = items
        # The width of text is derived from the text, as a larger width in the file would only take memory.
        return array.reshape(value["shape"]).astype(np.dtype(value["dtype"]).kind)

    def _array(self, value: dict) -> np.ndarray:
        if value["array"] not in self.arrays:
            raise ValueError("the arrays lack it")
        array, dtype = self.arrays[value["array"]], np.dtype(value["dtype"])
        is_moment = dtype.kind in "mM"
        if array.dtype != (np.int64 if is_moment else dtype) or list(array.shape) != value.get("shape", [*array.shape]):
            raise ValueError(f"the array has the dtype {array.dtype} and the shape {list(array.shape)}")
        array = array.view(dtype) if is_moment else array
        return np.asfortranarray(array) if value["order"] == "F" else array

    def _masked(self, value: dict) -> np.ma.MaskedArray:
        data, mask = self.decode(value["masked"]), self.decode(value["mask"])
        return np.ma.MaskedArray(data, mask, fill_value=self.decode(value["fill"]))

    def _scalar(self, value: dict) -> np.generic:
        return np.dtype(value["dtype"]).type(self.decode(value["scalar"]))

    def _plain(self, value: dict) -> Any:
        return PLAIN_VALUES[value["plain"]].read(*self._list(value["of"]))

    def _date(self, value: dict) -> date:
        classes = {"Timestamp": pd.Timestamp, "datetime": datetime.fromisoformat, "date": date.fromisoformat}
        moment: Any = classes[value["class"]](value["date"])
        if "zone" not in value:
            return moment
        zone = value["zone"]
        return moment.tz_convert(zone) if isinstance(moment, pd.Timestamp) else moment.astimezone(ZoneInfo(zone))

    def _ufunc(self, value: dict) -> Callable:
        function = getattr(np, value["ufunc"], None)
        if not is_numpy_function(function):
            raise ValueError("it is not a function of numpy that can be saved")
        return function  # type: ignore[return-value]

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
        columns = {
            self.decode(name): pd.Series(self._column(column)).set_axis(index) for name, column in value["frame"]
        }
        return pd.DataFrame(columns, index=index)

    def _series(self, value: dict) -> pd.Series:
        return self.decode(value["series"])["values"].rename(self.decode(value["name"]))

    def _index(self, value: dict) -> pd.Index:
        labels = self._column(value["index"])
        return pd.Index(labels, dtype=labels.dtype, name=self.decode(value["name"]))

    def _column(self, value: dict) -> Any:
        values = self.decode(value["values"])
        if "categories" in value:
            labels = self._column(value["categories"])
            categories = pd.Index(labels, dtype=labels.dtype)
            return pd.Categorical.from_codes(values, categories, ordered=value["ordered"])
        # The dtype is explicit, because pandas would convert objects that are text to its string dtype.
        return pd.Series(values, dtype=value.get("dtype", values.dtype))

    def _module(self, value: dict) -> Any:
        import torch

        cls: Any = find_class(self._short_name(value["module"]), self.path)
        if not issubclass(cls, torch.nn.Module):
            raise ValueError("it is not a net")
        config, state = self.decode(value["config"]), self.decode(value["state"])
        with torch.device("meta"):  # the meta device allocates no memory
            size = sum(tensor.numel() for tensor in cls(**config).state_dict().values())
        if size > sum(array.size for array in state.values()):
            raise ValueError(f"the configuration needs {size} values, but the arrays hold fewer")
        made = cls.from_config(config)
        made.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state.items()})
        return made.eval()

    def _part(self, value: dict) -> Any:
        name = value["part"]
        if name not in self._parts:
            if name not in self.files:
                raise ValueError("the part is not in the folder")
            self._parts[name] = self._read_part(name)
        return self._parts[name]

    def _read_part(self, name: str) -> Any:
        import skops.io  # imported here because it loads torch and all of scikit-learn

        data = self.files[name]
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                    raise ValueError("it is compressed")  # a small compressed file could expand to fill the memory
            asked = skops.io.get_untrusted_types(data=data)
            unknown = untrusted(asked)
            if unknown:
                raise UnreadableModel(f"{self.path / name} holds {', '.join(unknown)}, which tabrec does not know.")
            return skops.io.loads(data, trusted=asked)
        except UnreadableModel:
            raise
        except Exception as error:  # zipfile, json, numpy and skops raise errors of many types
            raise damaged(self.path / name, f"it cannot be read ({type(error).__name__}: {error})") from error


def _kind(decode: Callable[[StateReader, dict], Any], needed: str = "", optional: str = "") -> tuple:
    return decode, set(needed.split()), set(optional.split())


# By the first key of an entry: its decoder, its other required keys and its optional keys.
_KINDS: dict[Any, tuple[Callable[[StateReader, dict], Any], set[str], set[str]]] = {
    "array": _kind(StateReader._array, "dtype order", "shape"),
    "bunch": _kind(lambda reader, value: Bunch(**reader.decode(value["bunch"]))),
    "codes": _kind(lambda reader, value: pd.CategoricalDtype(pd.RangeIndex(value["codes"]))),
    "date": _kind(StateReader._date, "class", "zone"),
    "dict": _kind(StateReader._dict),
    "float": _kind(lambda reader, value: float(value["float"])),
    "frame": _kind(StateReader._frame, "index index_name"),
    "frozenset": _kind(lambda reader, value: frozenset(reader._list(value["frozenset"]))),
    "index": _kind(StateReader._index, "name"),
    "masked": _kind(StateReader._masked, "mask fill"),
    "module": _kind(StateReader._module, "config state"),
    "object": _kind(StateReader._object, "state"),
    "objects": _kind(StateReader._objects, "shape dtype"),
    "part": _kind(StateReader._part),
    "plain": _kind(StateReader._plain, "of"),
    "same": _kind(lambda reader, value: reader._known[value["same"]]),
    "scalar": _kind(StateReader._scalar, "dtype"),
    "series": _kind(StateReader._series, "name"),
    "set": _kind(lambda reader, value: set(reader._list(value["set"]))),
    "tuple": _kind(lambda reader, value: tuple(reader._list(value["tuple"]))),
    "ufunc": _kind(StateReader._ufunc),
}
