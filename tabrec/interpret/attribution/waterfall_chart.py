"""`waterfall`: from the base to the prediction, one step a column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tabrec._plots import BLUE, GREY, INK, ORANGE, finish, make_axes, shorten, shorten_all
from tabrec.interpret.attribution._contribution_result import Contributions, RowContributions

_COLORS = {"base": GREY, "positive": BLUE, "negative": ORANGE, "total": INK}
# How far the axis is drawn beyond the steps, and how far from them zero may lie to be on it, as shares of their span.
_MARGIN, _NEAR = 0.16, 1.0


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
    ylabel: str = "prediction",
    ax: Any = None,
) -> Any:
    """Draw how a prediction comes about: the base, a step up or down for each column, the total.

    Where the base lies far from zero, the axis does not begin at zero, so that small steps can be seen; base and total
    then bear a mark of it.

    Parameters
    ----------
    row : RowContributions, Contributions of one row, Series or dict
        What each column adds; of a Series or dict the labels are its index or keys.
    base : float, default=None
        Where a Series or dict starts from; None draws no bar for it and starts from 0.
    threshold : float, default=0.0
        Contributions smaller than this share of the largest are drawn as one, "other".
    sorted_value : bool, default=False
        Whether to draw the largest contributions first, rather than in the order of the columns.
    n_largest : int, default=12
        Of more contributions, all but the largest join "other"; None keeps all.
    rotation : float, default=30
        Of the labels, in degrees.
    number_format : str, default=None
        Of all numbers, such as ``"{:,.2f}"`` or ``"{:.1%}"``; None writes as many decimals as the steps need.
    title, xlabel : str, default=None
    ylabel : str, default="prediction"
    ax : matplotlib.axes.Axes, default=None
        None makes a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError
        `row` is none of these, or `base` is given beside a result that has its own.
    ValueError
        No contributions, a missing or infinite one, several rows, or `threshold` or `n_largest` out of range.

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
    labels, amounts, base = _read(row, base)
    bars = _to_bars(labels, amounts, base, threshold, sorted_value, n_largest)
    ax = make_axes(ax, (max(6.4, 1.2 + 0.68 * len(bars)), 4.8))
    number_format = number_format or _format_of(bars)
    _draw_bars(ax, bars, number_format)
    ax.set_xticks(
        range(len(bars)),
        shorten_all(bars["label"], 37),
        rotation=rotation,
        ha="right" if rotation % 180 else "center",
        rotation_mode="anchor",
    )
    _set_ticks(ax, number_format)
    ax.set_ylabel(shorten(ylabel))
    if xlabel is not None:
        ax.set_xlabel(shorten(xlabel))
    if title is not None:
        ax.set_title(shorten(title, 80))
    finish(ax)
    ax.grid(visible=False, axis="x")
    return ax


def waterfall_bars(
    row: RowContributions | Contributions | pd.Series | Mapping[Any, float],
    *,
    base: float | None = None,
    threshold: float = 0.0,
    sorted_value: bool = False,
    n_largest: int | None = 12,
) -> pd.DataFrame:
    """The bars that `waterfall` draws.

    Parameters
    ----------
    row, base, threshold, sorted_value, n_largest : as of `waterfall`

    Returns
    -------
    pandas.DataFrame
        Columns ``label``, ``start``, ``end`` and ``kind``: "base", "positive", "negative", "other" or "total".

    Examples
    --------
    >>> from tabrec.interpret.attribution.waterfall_chart import waterfall_bars
    >>> waterfall_bars({"age": -3.0, "size": 4.0, "state": 0.5, "hours": -0.25}, base=10.0, threshold=0.2)
       label  start    end      kind
    0   base    0.0  10.00      base
    1    age   10.0   7.00  negative
    2   size    7.0  11.00  positive
    3  other   11.0  11.25     other
    4  total    0.0  11.25     total
    """
    labels, amounts, base = _read(row, base)
    return _to_bars(labels, amounts, base, threshold, sorted_value, n_largest)


def _read(row: Any, base: float | None) -> tuple[list[str], np.ndarray, float | None]:
    if isinstance(row, (RowContributions, Contributions)):
        if base is not None:
            raise TypeError(f"base={base!r} is for a Series or dict: {type(row).__name__} has its own.")
        return _read_result(row)
    if not isinstance(row, (pd.Series, Mapping)):
        raise TypeError(
            "waterfall draws the contributions to one prediction: contributions(...).row(i), a Series or a dict, "
            f"not {type(row).__name__}."
        )
    series = pd.Series(row, dtype=np.float64)
    odd = series[~np.isfinite(series)]
    if len(series) == 0 or len(odd):
        raise ValueError(
            "There is no contribution to draw." if not len(odd) else f"{odd.index[0]!r} adds {odd.iloc[0]}."
        )
    return [str(label) for label in series.index], series.to_numpy(), base


def _read_result(row: RowContributions | Contributions) -> tuple[list[str], np.ndarray, float]:
    if isinstance(row, Contributions):
        if len(row) != 1:
            raise ValueError(f"waterfall draws one row, but there are {len(row)}: pick one, as in .row(0).")
        row = row.row(0)
    # Both shortened, so that a long name leaves room for the value.
    names = shorten_all(row.columns, 20)
    labels = [f"{name} = {shorten(value, 14)}" for name, value in zip(names, row.values, strict=True)]
    return [label.replace(r"\$", "$") for label in labels], row.contributions, row.base


def _to_bars(
    labels: list[str],
    amounts: np.ndarray,
    base: float | None,
    threshold: float,
    sorted_value: bool,
    n_largest: int | None,
) -> pd.DataFrame:
    _check_settings(threshold, n_largest)
    order = np.argsort(-np.abs(amounts), kind="stable")
    is_kept = np.abs(amounts) >= threshold * np.abs(amounts).max()
    is_kept[order[n_largest:] if n_largest is not None else []] = False
    shown = order if sorted_value else np.arange(len(amounts))
    shown = shown[is_kept[shown]]
    names, steps = [labels[position] for position in shown], amounts[shown].tolist()
    kinds = ["positive" if step > 0 else "negative" for step in steps]
    if not is_kept.all():
        names, steps, kinds = [*names, "other"], [*steps, amounts[~is_kept].sum()], [*kinds, "other"]
    levels = (base or 0.0) + np.concatenate([[0.0], np.cumsum(steps)])
    bars = pd.DataFrame({"label": names, "start": levels[:-1], "end": levels[1:], "kind": kinds})
    total = pd.DataFrame({"label": ["total"], "start": [0.0], "end": [levels[-1]], "kind": ["total"]})
    first = pd.DataFrame({"label": ["base"], "start": [0.0], "end": [base], "kind": ["base"]})
    return pd.concat([bars, total] if base is None else [first, bars, total], ignore_index=True)


def _check_settings(threshold: float, n_largest: int | None) -> None:
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold={threshold!r} must lie between 0 and 1: a share of the largest contribution.")
    if n_largest is not None and n_largest < 1:
        raise ValueError(f"n_largest={n_largest!r} must be at least 1, or None.")


def _draw_bars(ax: Any, bars: pd.DataFrame, number_format: str) -> None:
    starts, ends = bars["start"].to_numpy(), bars["end"].to_numpy()
    is_step = ~bars["kind"].isin(["base", "total"]).to_numpy()
    signs = np.where(ends > starts, "positive", "negative")
    kinds = np.where(bars["kind"] == "other", signs, bars["kind"])
    drawn = ax.bar(
        range(len(bars)), ends - starts, bottom=starts, width=0.62, color=[_COLORS[kind] for kind in kinds], zorder=3
    )
    for bar, kind in zip(drawn, bars["kind"], strict=True):
        bar.set_alpha(0.5 if kind == "other" else 1.0)
    for position in range(len(bars) - 1):
        ax.plot([position + 0.31, position + 0.69], [ends[position]] * 2, color=GREY, linewidth=0.8, zorder=2)
    edge = _limit(ax, np.concatenate([starts[is_step], ends]), ends[ends < starts])
    for position in range(len(bars)):
        _write_amount(ax, position, starts[position], ends[position], is_step[position], number_format)
        if edge is not None and not is_step[position]:
            ax.text(position, edge, "≈", color="white", fontsize=15, weight="bold", ha="center", va="center", zorder=4)


def _limit(ax: Any, levels: np.ndarray, fallen: np.ndarray) -> float | None:
    """Set the limits of the axis around the levels; where zero is not on it, the height to mark bars as cut at."""
    low, high = float(levels.min()), float(levels.max())
    span = high - low
    has_zero = low - _NEAR * span <= 0 <= high + _NEAR * span or span <= 1e-12 * max(abs(low), abs(high))
    if has_zero:
        low, high = min(low, 0.0), max(high, 0.0)
        span = high - low or 1.0
    written_below = (fallen < low + _MARGIN * span).any()  # the number of a bar that falls stands under it
    below = low < 0 or not has_zero or low == high or written_below
    above = high > 0 or not has_zero or low == high
    ax.set_ylim(low - _MARGIN * span * below, high + _MARGIN * span * above)
    if low <= 0 <= high:
        ax.axhline(0, color=INK, linewidth=0.8, zorder=1)
        return None
    return low - 0.5 * _MARGIN * span if low > 0 else high + 0.5 * _MARGIN * span


def _set_ticks(ax: Any, number_format: str) -> None:
    """As many ticks as there is room for and as the format tells apart."""
    from matplotlib.ticker import MaxNLocator

    low, high = ax.get_ylim()
    for n_most in range(min(9, max(ax.yaxis.get_tick_space(), 1)), 0, -1):
        ticks = MaxNLocator(n_most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        texts = [_write(number_format, tick) for tick in ticks]
        if len(set(texts)) == len(texts):
            break
    n_distinct = len(texts) if len(set(texts)) == len(texts) else 1
    ax.set_yticks(ticks[:n_distinct], texts[:n_distinct])


def _format_of(bars: pd.DataFrame) -> str:
    """Three digits of the way that the steps go."""
    levels = np.append(bars["end"], bars["start"][~bars["kind"].isin(["base", "total"])])
    span = np.ptp(levels) or np.abs(levels).max() or 1.0
    return f"{{:,.{int(np.clip(2 - np.floor(np.log10(span)), 0, 12))}f}}"


def _write(number_format: str, number: float) -> str:
    return number_format.format(number + 0.0).replace("$", r"\$")


def _write_amount(ax: Any, position: int, start: float, end: float, is_step: bool, number_format: str) -> None:
    """The number of a bar: beyond it, in the direction in which it goes."""
    amount = end - start if is_step else end
    sign = "+" if is_step and amount > 0 else ""
    ax.annotate(
        sign + _write(number_format, amount),
        (position, end),
        xytext=(0, -4 if amount < 0 else 4),
        textcoords="offset points",
        ha="center",
        va="top" if amount < 0 else "bottom",
        fontsize=8,
        color=INK,
        zorder=5,
    )
