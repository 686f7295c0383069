"""`save` and `load`: a fitted model as a folder that never runs code on loading.

The folder holds ``model.json`` (class, parameters, fitted attributes, versions, schema), ``arrays.safetensors`` (the
arrays), ``part-<n>.skops`` (scikit-learn objects) and ``SHA256SUMS`` (digests, in the format of ``sha256sum``). It
holds no pickle.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors
import safetensors.numpy
import sklearn

import tabrec
from tabrec.saving.class_names import is_registered, path_of, short_name
from tabrec.saving.files import new_folder
from tabrec.saving.folder import (
    ARRAYS_FILE,
    STATE_FILE,
    UnreadableModel,
    check_free_for_model,
    damaged,
    read_files,
    write_sums,
)
from tabrec.saving.state_reader import StateReader
from tabrec.saving.state_writer import StateWriter

FORMAT = 2
_READABLE = (1, 2)


def save(model: Any, path: str | os.PathLike, *, metadata: dict | None = None, overwrite: bool = False) -> Path:
    """Save a model to a new folder, which appears complete or not at all.

    Parameters
    ----------
    model : estimator, transformer, or scikit-learn pipeline or ensemble
        The model, fitted or not.
    path : str or path-like
        The folder to create.
    metadata : dict, default=None
        JSON-serializable data to keep with the model; `load_metadata` reads it.
    overwrite : bool, default=False
        Whether to replace the saved model in that folder, which stays as it is if saving fails. A folder that holds
        any other file is not replaced.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        `path` exists, or is not a saved model that `overwrite` may replace.
    OSError
        The folder cannot be written, such as on a full disk; nothing is left of it.
    TypeError
        The model holds an object that cannot be saved; the message names it.

    See Also
    --------
    load : Load a saved model.
    load_metadata : Load the metadata of a saved model.
    tabrec.runs.train : Train a model and save it with its scores.

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
    check_free_for_model(path, overwrite=overwrite)
    _check_metadata(metadata)
    writer = StateWriter()
    state = {
        "format": FORMAT,
        "versions": {"tabrec": tabrec.__version__, "scikit-learn": sklearn.__version__, "pandas": pd.__version__},
        **_header(model),
        "metadata": metadata or {},
        "model": writer.encode(model, type(model).__name__),
    }
    text, arrays = json.dumps(state, indent=1, allow_nan=False), safetensors.numpy.save(writer.arrays)
    with new_folder(path, overwrite=overwrite) as folder:
        (folder / STATE_FILE).write_text(text, encoding="utf-8")
        (folder / ARRAYS_FILE).write_bytes(arrays)
        for name, part in writer.parts.items():
            (folder / name).write_bytes(part)
        write_sums(folder)
    return path


def load(path: str | os.PathLike) -> Any:
    """Load a saved model without running code from its folder.

    Parameters
    ----------
    path : str or path-like
        A folder that `save` created, with this or an older version.

    Returns
    -------
    object
        The model as it was saved.

    Raises
    ------
    FileNotFoundError
        The folder does not exist.
    ValueError
        The folder is incomplete or damaged, was changed after saving, has a newer format, or names an unknown class.

    See Also
    --------
    save : Save a model.
    load_metadata : Load the metadata alone.

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
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | os.PathLike) -> tuple[Any, dict]:
    """Load a model with its metadata, reading every file once; raises the errors of `load`."""
    path = Path(path)
    files = read_files(path)
    state = _read_state(path, files)
    try:
        arrays = safetensors.numpy.load(files[ARRAYS_FILE])
    except Exception as error:  # numpy raises other errors for unknown dtypes
        raise damaged(path / ARRAYS_FILE, f"it is not a safetensors file ({error})") from error
    model = StateReader(path, arrays, files, state["format"]).decode(state["model"])
    _check_header(path, state, model)
    return model, state["metadata"]


def load_metadata(path: str | os.PathLike) -> dict:
    """Load the metadata of a saved model, without the model.

    Parameters
    ----------
    path : str or path-like
        A folder that `save` created, with this or an older version.

    Returns
    -------
    dict
        The `metadata` given to `save`.

    Raises
    ------
    FileNotFoundError, ValueError
        For the same reasons as in `load`.

    See Also
    --------
    save : Save a model.
    load : Load a saved model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tabrec
    >>> from tabrec.saving import load_metadata
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = tabrec.save(tabrec.ForestRegressor(), Path(folder) / "forest", metadata={"target": "price"})
    ...     load_metadata(saved)
    {'target': 'price'}
    """
    return load_header(path)["metadata"]


def load_header(path: str | os.PathLike) -> dict:
    """Return the description of a saved model: its class, schema, versions and metadata.

    Raises the errors of `load`.
    """
    path = Path(path)
    state = _read_state(path, read_files(path))
    return {name: state[name] for name in ("class", "schema", "metadata")} | {"versions": state.get("versions", {})}


def _read_state(path: Path, files: dict[str, bytes]) -> dict:
    file = path / STATE_FILE
    try:
        state = _parse(files[STATE_FILE].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(file, f"it is not the JSON of a saved model ({error})") from error
    if not isinstance(state, dict) or type(state.get("format")) is not int:
        raise damaged(file, "it has no format number")
    if state["format"] not in _READABLE:
        raise UnreadableModel(
            f"{path} has format {state['format']!r}, but tabrec {tabrec.__version__} reads formats 1 and 2: "
            "load it with the version that saved it or a newer one."
        )
    absent = [name for name in ("class", "schema", "metadata", "model") if name not in state]
    if absent:
        raise damaged(file, f"it lacks {', '.join(absent)}")
    if not isinstance(state["metadata"], dict):
        raise damaged(file, "its metadata is not a dict")
    return state


def _parse(text: str) -> Any:
    """Parse JSON in which every key occurs once and every number is finite."""
    return json.loads(text, object_pairs_hook=_to_dict, parse_constant=_refuse_number, parse_float=_to_float)


def _to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        raise ValueError(f"duplicate key in the object with keys {[name for name, _ in pairs][:10]}")
    return entry


def _to_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _refuse_number(text: str) -> Any:
    raise ValueError(f"the number {text[:30]} is not finite")


def _check_metadata(metadata: dict | None) -> None:
    if not isinstance(metadata, (dict, type(None))):
        raise TypeError(f"metadata must be a dict, not a {type(metadata).__name__}.")
    try:
        _parse(json.dumps(metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise type(error)(f"metadata cannot be saved as JSON: {error}.") from error


def _header(model: Any) -> dict:
    """Return the header of ``model.json``: the class of the model and its raw columns."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "class": short_name(type(model)) if is_registered(type(model)) else path_of(type(model)),
        "schema": {
            "n_features": getattr(model, "n_features_in_", None),
            "columns": None if names is None else [str(name) for name in names],
        },
    }


def _check_header(path: Path, state: dict, model: Any) -> None:
    """Compare the header of a model with the model."""
    try:
        expected = _header(model)
    except Exception as error:  # attributes in a manipulated file may have any value
        raise damaged(path / STATE_FILE, f"the attributes of the model do not fit together ({error})") from error
    same = ["schema"]
    if state["format"] == FORMAT and is_registered(type(model)):  # modules of other classes move between releases
        same.append("class")
    for name in same:
        if state[name] != expected[name]:
            problem = f"its header says {name} {state[name]}, but the model has {expected[name]}"
            raise damaged(path / STATE_FILE, problem)
