"""`save` and `load`: a fitted model as a folder that never runs code on loading.

The folder holds ``model.json`` (the model's class, parameters and learned state, versions, schema),
``arrays.safetensors`` (its arrays),
``part-<n>.skops`` (the scikit-learn objects in it) and ``SHA256SUMS`` (the digest of every other file, as
``sha256sum --check`` reads it). Nothing in it is a pickle.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import safetensors.numpy
import sklearn
import skops.io
from sklearn.utils import Bunch

import tabrec
from tabrec._files import check_free, new_folder

FORMAT = 1
_SUMS = "SHA256SUMS"
_STATE = "model.json"
_ARRAYS = "arrays.safetensors"

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


def save(model: Any, path: str | os.PathLike, *, metadata: dict | None = None) -> Path:
    """Save a model to a new folder.

    Everything is written to a temporary folder beside it first, so that there is a whole model at `path` or none.

    Parameters
    ----------
    model : estimator or transformer of this package, or a scikit-learn pipeline or ensemble of such
        Fitted or not.
    path : str or path-like
        The folder to make; it must not exist.
    metadata : dict, default=None
        Notes to keep with the model, of what JSON can hold; see `load_metadata`.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        There is something at `path`.
    TypeError
        The model holds something that the format has no place for; the message names it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> import tabrec
    >>> categorify = tabrec.Categorify().fit(pd.DataFrame({"state": ["Ohio", "Utah"]}))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = tabrec.save(categorify, Path(folder) / "categorify")
    ...     tabrec.load(saved).categories_
    {'state': ['#na#', 'Ohio', 'Utah']}
    """
    path = Path(path)
    check_free(path)
    writer = _Writer()
    state = {
        "format": FORMAT,
        "versions": {"tabrec": tabrec.__version__, "scikit-learn": sklearn.__version__, "pandas": pd.__version__},
        "class": _class_name(model),
        "schema": _schema(model),
        "metadata": metadata or {},
        "model": writer.encode(model, type(model).__name__),
    }
    text = json.dumps(state, indent=1, allow_nan=False)
    with new_folder(path) as folder:
        (folder / _STATE).write_text(text, encoding="utf-8")
        (folder / _ARRAYS).write_bytes(safetensors.numpy.save(writer.arrays))
        for name, part in writer.parts.items():
            (folder / name).write_bytes(part)
        sums = _format_sums({file.name: _digest(file) for file in sorted(folder.iterdir())})
        (folder / _SUMS).write_text(sums, encoding="ascii", newline="")
    return path


def load(path: str | os.PathLike) -> Any:
    """Load a model that `save` wrote; no code from the folder is run.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    The model, as it was saved.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The folder is incomplete or changed since it was saved, was written by a newer format, or names a class that
        this package does not know.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tabrec
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = tabrec.save(tabrec.ForestRegressor(n_estimators=7), Path(folder) / "forest")
    ...     tabrec.load(saved)
    ForestRegressor(n_estimators=7)
    """
    path = Path(path)
    state = _read_state(path)
    try:
        arrays = safetensors.numpy.load((path / _ARRAYS).read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path / _ARRAYS} is no safetensors file: {error}.") from error
    return _Reader(path, arrays).decode(state["model"])


def load_metadata(path: str | os.PathLike) -> dict:
    """The notes saved with a model, without loading it; raises as `load` does."""
    return _read_state(Path(path))["metadata"]


def _read_state(path: Path) -> dict:
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder with a saved model.")
    _check_sums(path)
    state = json.loads((path / _STATE).read_text(encoding="utf-8"))
    if state.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {state.get('format')!r}, but tabrec {tabrec.__version__} reads {FORMAT}: "
            "load it with the version that wrote it, or a newer one."
        )
    return state


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _format_sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _check_sums(path: Path) -> None:
    """Every file listed is there and unchanged."""
    try:
        text = (path / _SUMS).read_bytes().decode("ascii")
        expected = {name: digest for digest, name in (line.split("  ") for line in text.split("\n")[:-1])}
    except FileNotFoundError:
        raise ValueError(f"{path} is no saved model, or a damaged one: {_SUMS} is missing.") from None
    except (ValueError, UnicodeDecodeError):
        raise ValueError(f"{path} is damaged: {_SUMS} cannot be read. Save the model again.") from None
    if not {_STATE, _ARRAYS} <= set(expected) or text != _format_sums(expected):
        raise ValueError(f"{path} is damaged: {_SUMS} is not as it was written. Save the model again.")
    for name, digest in expected.items():
        file = path / name
        if file.parent != path or not file.is_file():
            raise ValueError(f"{path} is damaged: {name!r} is missing. Save the model again.")
        if _digest(file) != digest:
            raise ValueError(f"{path} is damaged: {name!r} has changed since it was saved. Save the model again.")


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _schema(model: Any) -> dict:
    """Raw columns of the model, for a reader of the file."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features": getattr(model, "n_features_in_", None),
        "columns": None if names is None else [str(name) for name in names],
    }


def _is_ours(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "tabrec" and hasattr(value, "__dict__")


def _holds_ours(value: Any) -> bool:
    if _is_ours(value):
        return True
    if isinstance(value, dict):
        return any(_holds_ours(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_holds_ours(item) for item in value)
    return _class_name(value) in _CONTAINERS and any(_holds_ours(item) for item in vars(value).values())


_PLAIN = (str, bool, int, type(None))


class _Writer:
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
        raise TypeError(f"{where} is a {_class_name(value)}, which cannot be saved.")

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
            (lambda value: _class_name(value) in _CONTAINERS and _holds_ours(value), self._object),
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
        return {"object": _class_name(value), "state": state}

    def _frame(self, value: pd.DataFrame, where: str) -> dict:
        columns = [[name, self._column(value[name], f"{where}[{name!r}]")] for name in value.columns]
        index = self._column(value.index.to_series(), f"index of {where}")
        return {"frame": columns, "index": index, "index_name": self.encode(value.index.name, f"index name of {where}")}

    def _column(self, value: pd.Series, where: str) -> dict:
        if isinstance(value.dtype, pd.CategoricalDtype):
            categories = self._column(value.cat.categories.to_series(), where)
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
        return {"module": _class_name(value), "config": config, "state": self._dict(state, where)}

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


class _Reader:
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
                f"{self.path / _STATE} holds an entry of the kind {kind!r}, "
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
            raise ValueError(f"{self.path / _STATE} names {value['ufunc']!r}, which is no numpy function.")
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
        index = pd.Index(self._column(value["index"]), name=self.decode(value["index_name"]))
        columns = {name: self._column(column) for name, column in value["frame"]}
        return pd.DataFrame(columns, index=index)

    def _column(self, value: dict) -> Any:
        values = self.decode(value["values"])
        if "categories" in value:
            categories = pd.Index(self._column(value["categories"]))
            return pd.Categorical.from_codes(values, categories, ordered=value["ordered"])
        return pd.array(values, dtype=value["dtype"]) if "dtype" in value else values

    def _module(self, value: dict) -> Any:
        from torch import from_numpy

        made: Any = _find_class(value["module"], self.path)(**self.decode(value["config"]))
        made.load_state_dict({name: from_numpy(array.copy()) for name, array in self.decode(value["state"]).items()})
        return made.eval()

    def _part(self, value: dict) -> Any:
        file = self.path / value["part"]
        if file.parent != self.path:
            raise ValueError(f"{self.path / _STATE} names a part outside the folder: {value['part']!r}.")
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
