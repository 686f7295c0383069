"""`Result` and `Finding`: the results of the functions of this package."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pandas as pd

_MOST_ROWS = 20


class Result(ABC):
    """Base of all results: a tidy frame and a plot."""

    table: pd.DataFrame  # tidy frame

    @abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw the result.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}\n{self.table.to_string(max_rows=_MOST_ROWS)}"

    def _repr_html_(self) -> str:
        return self.table.to_html(max_rows=_MOST_ROWS)


@dataclass(frozen=True)
class Finding:
    """A statement about a model or its data.

    Attributes
    ----------
    kind : str
        The kind of statement, such as "too-good column", "shifted column", "placeholder".
    severity : {1, 2, 3}
        1: act before using the model; 2: look at it; 3: for information.
    columns : tuple of str
        The columns concerned.
    text : str
        The finding, in a sentence of plain text.
    evidence : str
        The numbers that support it: measure, uncertainty and rows.
    action : str
        The recommended action.

    See Also
    --------
    report : One page about a model, with all findings first.
    """

    kind: str
    severity: int
    columns: tuple[str, ...]
    text: str
    evidence: str
    action: str

    def __str__(self) -> str:
        return f"{self.text} ({self.evidence}) {self.action}"
