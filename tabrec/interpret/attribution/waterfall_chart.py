"""`waterfall`: a waterfall plot of the contributions to one prediction."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.interpret._parameters import at_least, check_parameters
from tabrec.interpret.attribution._contribution_result import Contributions
from tabrec.interpret.attribution._row_contributions import RowContributions
from tabrec.interpret.attribution._waterfall_bars import draw_bars, make_bars


@check_parameters(
    base=[Real, None],
    threshold=[Interval(Real, 0, 1, closed="both")],
    sorted_value=["boolean"],
    n_largest=[at_least(1), None],
    number_format=[str, None],
)
def waterfall(
    row: RowContributions | Contributions | pd.Series | Mapping[Any, float],
    *,
    base: float | None = None,
    threshold: float = 0.0,
    sorted_value: bool = False,
    n_largest: int | None = 12,
    rotation: float = 30,
    number_format: str | None = None,
    title: str | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    ax: Any = None,
) -> Any:
    """Plot the contributions to one prediction: the base, a step up or down for each column, the total.

    If the base is far from zero, the axis does not start at zero, so that small steps are visible; the bars of base and
    total are then marked as cut.

    Parameters
    ----------
    row : RowContributions, Contributions of one row, Series or dict
        The contribution of each column; the index or keys of a Series or dict are the labels.
    base : float, default=None
        Start value for a Series or dict; None draws no bar for it and starts from 0.
    threshold : float, default=0.0
        Contributions smaller than this share of the largest are drawn as one, "other".
    sorted_value : bool, default=False
        Whether to draw the largest contributions first, rather than in the order of the columns.
    n_largest : int, default=12
        Number of contributions to draw; the others are drawn as one, "other". None draws all.
    rotation : float, default=30
        Rotation of the labels in degrees.
    number_format : str, default=None
        Format of all numbers, such as ``"{:,.2f}"`` or ``"{:.1%}"``; None chooses the decimals that the steps need.
    title : str, default=None
        Title of the plot.
    xlabel : str, default=None
        Label of the x axis.
    ylabel : str, default=None
        Label of the y axis. None names the class or output of the row, if the model has several.
    ax : matplotlib.axes.Axes, default=None
        Axes to draw on; None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        `row` has another type, or `base` is given for a result that has its own.
    ValueError
        No contributions, a missing or infinite one, several rows, or `threshold` or `n_largest` out of range.

    See Also
    --------
    contributions : Contributions to the predictions of any model.
    shap_values : Exact Shapley values of forests and trees.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Tree interpreter".

    Examples
    --------
    >>> from tabrec.interpret import waterfall
    >>> ax = waterfall({"YearMade = 2004": 0.31, "state = Ohio": -0.05}, base=10.1)
    >>> [text.get_text() for text in ax.get_xticklabels()]
    ['base', 'YearMade = 2004', 'state = Ohio', 'total']
    """
    bars = waterfall_bars(row, base=base, threshold=threshold, sorted_value=sorted_value, n_largest=n_largest)
    if ylabel is None:
        of_row = row.row(0) if isinstance(row, Contributions) else row
        ylabel = of_row.unit if isinstance(of_row, RowContributions) else "prediction"
    return draw_bars(bars, ax, number_format, rotation, title, xlabel, ylabel)


def waterfall_bars(
    row: RowContributions | Contributions | pd.Series | Mapping[Any, float],
    *,
    base: float | None = None,
    threshold: float = 0.0,
    sorted_value: bool = False,
    n_largest: int | None = 12,
) -> pd.DataFrame:
    """Return the bars of `waterfall` as a frame with `label`, `start`, `end` and `kind`; takes its parameters.

    `kind` is "base", "positive", "negative", "other" or "total".
    """
    labels, amounts, base, base_name = _read(row, base)
    return make_bars(labels, amounts, base, threshold, sorted_value, n_largest, base_name)


def _read(row: Any, base: float | None) -> tuple[list[str], np.ndarray, float | None, str]:
    if isinstance(row, (RowContributions, Contributions)):
        if base is not None:
            raise TypeError(f"base={base!r} is for a Series or dict: {type(row).__name__} has its own.")
        if isinstance(row, Contributions):
            if len(row) != 1:
                raise ValueError(f"waterfall draws one row, but there are {len(row)}: pick one, as in .row(0).")
            row = row.row(0)
        return row.labels, row.contributions, row.base, row.base_name
    if not isinstance(row, (pd.Series, Mapping)):
        raise TypeError(
            "waterfall draws the contributions to one prediction: contributions(...).row(i), a Series or a dict, "
            f"not {type(row).__name__}."
        )
    series = pd.Series(row, dtype=np.float64)
    odd = series[~np.isfinite(series)]
    if len(series) == 0 or len(odd):
        raise ValueError(
            "There are no contributions to draw." if not len(odd) else f"{odd.index[0]!r} adds {odd.iloc[0]}."
        )
    return [str(label) for label in series.index], series.to_numpy(), base, "base"
