"""`save` and `load`: a fitted model as a folder that never runs code on loading.

The folder holds ``model.json`` (the model's class, parameters and learned state, versions, schema),
``arrays.safetensors`` (its arrays),
``part-<n>.skops`` (the scikit-learn objects in it) and ``SHA256SUMS`` (the digest of every other file, as
``sha256sum --check`` reads it). Nothing in it is a pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors
import safetensors.numpy
import sklearn

import tabrec
from tabrec._files import check_free, new_folder
from tabrec._state import STATE_FILE, StateReader, StateWriter, class_name

FORMAT = 1
_SUMS = "SHA256SUMS"
_ARRAYS = "arrays.safetensors"


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
        "class": class_name(model),
        "schema": _schema(model),
        "metadata": metadata or {},
        "model": writer.encode(model, type(model).__name__),
    }
    text = json.dumps(state, indent=1, allow_nan=False)
    with new_folder(path) as folder:
        (folder / STATE_FILE).write_text(text, encoding="utf-8")
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
    return StateReader(path, arrays).decode(state["model"])


def load_metadata(path: str | os.PathLike) -> dict:
    """The notes saved with a model, without loading it; raises as `load` does."""
    return _read_state(Path(path))["metadata"]


def _read_state(path: Path) -> dict:
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder with a saved model.")
    _check_sums(path)
    state = json.loads((path / STATE_FILE).read_text(encoding="utf-8"))
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
    if not {STATE_FILE, _ARRAYS} <= set(expected) or text != _format_sums(expected):
        raise ValueError(f"{path} is damaged: {_SUMS} is not as it was written. Save the model again.")
    for name, digest in expected.items():
        file = path / name
        if file.parent != path or not file.is_file():
            raise ValueError(f"{path} is damaged: {name!r} is missing. Save the model again.")
        if _digest(file) != digest:
            raise ValueError(f"{path} is damaged: {name!r} has changed since it was saved. Save the model again.")


def _schema(model: Any) -> dict:
    """Raw columns of the model, for a reader of the file."""
    names = getattr(model, "feature_names_in_", None)
    return {
        "n_features": getattr(model, "n_features_in_", None),
        "columns": None if names is None else [str(name) for name in names],
    }
