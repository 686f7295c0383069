"""`nearest_labels`: known labels with a spelling like that of an unknown one, for errors."""

from __future__ import annotations

import difflib
import unicodedata
from typing import Any


def nearest_labels(label: Any, labels: list, n: int = 3) -> list:
    """Known labels similar to a text; those that contain it come first."""
    if not isinstance(label, str):
        return []
    texts = {_fold(str(known)): known for known in labels}
    wanted = _fold(label)
    holding = [text for text in texts if wanted in text][:n]
    close = difflib.get_close_matches(wanted, list(texts), n=n, cutoff=0.5) if len(holding) < n else []
    return [texts[text] for text in dict.fromkeys([*holding, *close])][:n]


def _fold(text: str) -> str:
    """A text without case and accents."""
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(letter)
    )
