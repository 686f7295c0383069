"""`save` and `load`: a fitted model as a folder that never runs code on loading.

The folder holds ``model.json`` (class, parameters, fitted attributes, versions, schema), ``arrays.safetensors`` (the
arrays), ``part-<n>.skops`` (scikit-learn objects) and ``SHA256SUMS`` (digests, in the format of ``sha256sum``). It
holds no pickle.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors
import safetensors.numpy
import sklearn

import tabrec
from tabrec.saving.class_names import is_registered, path_of, short_name
from tabrec.saving.files import check_free, new_folder
from tabrec.saving.folder import ARRAYS_FILE, STATE_FILE, read_files, write_sums
from tabrec.saving.state_reader import StateReader
from tabrec.saving.state_writer import StateWriter

FORMAT = 2
_READABLE = (1, 2)


def save(model: Any, path: str | os.PathLike, *, metadata: dict | None = None) -> Path:
    """Save a model to a new folder, which appears complete or not at all.

    Parameters
    ----------
    model : estimator, transformer, or scikit-learn pipeline or ensemble
        The model, fitted or not.
    path : str or path-like
        The folder to create; it must not exist.
    metadata : dict, default=None
        JSON-serializable data to keep with the model; `load_metadata` reads it.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    FileExistsError
        `path` exists.
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
    check_free(path)
    writer = StateWriter()
    state = {
        "format": FORMAT,
        "versions": {"tabrec": tabrec.__version__, "scikit-learn": sklearn.__version__, "pandas": pd.__version__},
        "class": short_name(type(model)) if is_registered(type(model)) else path_of(type(model)),
        "schema": _schema(model),
        "metadata": metadata or {},
        "model": writer.encode(model, type(model).__name__),
    }
    text = json.dumps(state, indent=1, allow_nan=False)
    with new_folder(path) as folder:
        (folder / STATE_FILE).write_text(text, encoding="utf-8")
        (folder / ARRAYS_FILE).write_bytes(safetensors.numpy.save(writer.arrays))
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
        The folder is incomplete, was changed after saving, has a newer format, or names an unknown class.

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
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path / ARRAYS_FILE} is not a safetensors file: {error}.") from error
    return StateReader(path, arrays, files, state["format"]).decode(state["model"]), state["metadata"]


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
    path = Path(path)
    return _read_state(path, read_files(path))["metadata"]


def _read_state(path: Path, files: dict[str, bytes]) -> dict:
    state = json.loads(files[STATE_FILE].decode("utf-8"))
    if state.get("format") not in _READABLE:
        raise ValueError(
            f"{path} has format {state.get('format')!r}, but tabrec {tabrec.__version__} reads formats 1 and 2: "
            "load it with the version that saved it or a newer one."
        )
    return state


def _schema(model: Any) -> dict:
    """The raw columns of the model, for people who read the file."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features": getattr(model, "n_features_in_", None),
        "columns": None if names is None else [str(name) for name in names],
    }
