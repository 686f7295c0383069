"""What every result has in common: a tidy frame to read, and a picture."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pandas as pd

_MOST_ROWS = 20


class Result(ABC):
    """A result of a function of this room.

    Attributes
    ----------
    table : pandas.DataFrame
        The result as a tidy frame.
    """

    table: pd.DataFrame

    @abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw the result; returns the matplotlib Axes, of a new figure where `ax` is None."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}\n{self.table.to_string(max_rows=_MOST_ROWS)}"

    def _repr_html_(self) -> str:
        return self.table.to_html(max_rows=_MOST_ROWS)


@dataclass(frozen=True)
class Finding:
    """Something to know about a model or its data, in plain words.

    Attributes
    ----------
    kind : str
        What was found, such as "too-good column", "shifted column", "placeholder".
    severity : {1, 2, 3}
        1: act before the model is used; 2: worth a look; 3: good to know.
    columns : tuple of str
        The columns concerned.
    text : str
        What was found, in a sentence, as plain text.
    evidence : str
        The numbers behind it.
    action : str
        What to do about it.
    """

    kind: str
    severity: int
    columns: tuple[str, ...]
    text: str
    evidence: str
    action: str

    def __str__(self) -> str:
        return f"{self.text} ({self.evidence}) {self.action}"
