"""`RowContributions`: the contributions to one prediction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Result
from tabrec.interpret.attribution._waterfall_bars import draw_bars, label_steps, make_bars


@dataclass(frozen=True, repr=False)
class RowContributions(Result):
    """Contribution of each column to the prediction of one row.

    Attributes
    ----------
    prediction, base : float
        The prediction and its base: ``prediction = base + contributions.sum()``.
    columns : list of str
        Names of the columns.
    values : list of str
        The row's value in each column, as text.
    contributions : ndarray of shape (n_columns,)
        Contribution of each column.
    output : object
        The class or output of the prediction; None if the model has only one.
    is_probability : bool
        Whether the prediction is the probability of a class.
    base_name : str
        What the base is: "base", or the reference rows of a comparison.
    table : pandas.DataFrame
        Columns ``column``, ``value`` and ``contribution``, the largest contributions first.

    See Also
    --------
    waterfall : Plot of the contributions to one prediction.
    """

    prediction: float
    base: float
    columns: list[str]
    values: list[str]
    contributions: np.ndarray
    output: Any = None
    is_probability: bool = False
    base_name: str = "base"

    @property
    def unit(self) -> str:
        """The quantity that is predicted, as the label of an axis."""
        if self.output is None:
            return "prediction"
        return f"{'predicted probability' if self.is_probability else 'prediction'} of {self.output}"

    @property
    def labels(self) -> list[str]:
        """The columns with their values, shortened for a plot."""
        return label_steps(self.columns, self.values, compares=self.base_name != "base")

    @cached_property
    def table(self) -> pd.DataFrame:  # type: ignore[override]
        """`column`, `value` and `contribution`, the largest first."""
        table = pd.DataFrame({"column": self.columns, "value": self.values, "contribution": self.contributions})
        order = np.argsort(-np.abs(self.contributions), kind="stable")
        return table.iloc[order].reset_index(drop=True)

    def plot(self, ax: Any = None) -> Any:
        """Draw the waterfall from the base to the prediction, the largest steps first.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        bars = make_bars(self.labels, self.contributions, self.base, sorted_value=True, base_name=self.base_name)
        return draw_bars(bars, ax, ylabel=self.unit)
