"""Known labels and files with a spelling like that of an unknown one, for errors."""

from __future__ import annotations

import difflib
import unicodedata
from pathlib import Path
from typing import Any


def nearest_labels(label: Any, labels: list, n: int = 3) -> list:
    """Find known labels similar to a text; those that contain it come first."""
    if not isinstance(label, str):
        return []
    texts = {_fold(str(known)): known for known in labels}
    wanted = _fold(label)
    holding = [text for text in texts if wanted in text][:n]
    close = difflib.get_close_matches(wanted, list(texts), n=n, cutoff=0.5) if len(holding) < n else []
    return [texts[text] for text in dict.fromkeys([*holding, *close])][:n]


def absent_file(path: Path) -> FileNotFoundError:
    """Return the error for a file that does not exist, with similar names in the same folder."""
    folder = path.parent
    if not folder.is_dir():
        return FileNotFoundError(f"There is no file {path}: {folder} is not a folder.")
    near = nearest_labels(path.name, [file.name for file in folder.iterdir()])
    return FileNotFoundError(f"There is no file {path}" + f"; similar: {', '.join(near)}" * bool(near) + ".")


def _fold(text: str) -> str:
    """Return a text in lower case without accents."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
