"""`save` and `load`: a fitted model as a folder that never runs code on loading.

The folder holds ``model.json`` (the model's class, parameters and learned state, versions, schema),
``arrays.safetensors`` (its arrays),
``part-<n>.skops`` (the scikit-learn objects in it) and ``SHA256SUMS`` (the digest of every other file, as
``sha256sum --check`` reads it). Nothing in it is a pickle.
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
    return load_with_metadata(path)[0]


def load_with_metadata(path: str | os.PathLike) -> tuple[Any, dict]:
    """A model and the notes saved with it, every file read once; raises as `load` does."""
    path = Path(path)
    files = read_files(path)
    state = _read_state(path, files)
    try:
        arrays = safetensors.numpy.load(files[ARRAYS_FILE])
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path / ARRAYS_FILE} is not a safetensors file: {error}.") from error
    return StateReader(path, arrays, files, state["format"]).decode(state["model"]), state["metadata"]


def load_metadata(path: str | os.PathLike) -> dict:
    """The notes saved with a model, without loading it; raises as `load` does."""
    path = Path(path)
    return _read_state(path, read_files(path))["metadata"]


def _read_state(path: Path, files: dict[str, bytes]) -> dict:
    state = json.loads(files[STATE_FILE].decode("utf-8"))
    if state.get("format") not in _READABLE:
        raise ValueError(
            f"{path} has format {state.get('format')!r}, but tabrec {tabrec.__version__} reads formats 1 and 2: "
            "load it with the version that wrote it, or a newer one."
        )
    return state


def _schema(model: Any) -> dict:
    """Raw columns of the model, for a reader of the file."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features": getattr(model, "n_features_in_", None),
        "columns": None if names is None else [str(name) for name in names],
    }
