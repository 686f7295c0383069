"""Compute and draw the bars of a waterfall plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabrec.plotting.axes import BLUE, GREY, ORANGE, finish, ink, make_axes, paper, shorten, shorten_all

_COLORS = {"base": GREY, "positive": BLUE, "negative": ORANGE}
# Shares of the span of the steps: margin of the axis, and distance up to which the axis includes zero.
_MARGIN, _NEAR = 0.16, 1.0


def label_steps(columns: Sequence, values: Sequence, compares: bool = False) -> list[str]:
    """Label columns with one or two values, shortened so that a long name leaves room for the values."""
    names, longest = (shorten_all(columns, 12), 22) if compares else (shorten_all(columns, 20), 14)
    labels = [f"{name} = {shorten(value, longest)}" for name, value in zip(names, values, strict=True)]
    return [label.replace(r"\$", "$") for label in labels]


def draw_bars(
    bars: pd.DataFrame,
    ax: Any = None,
    number_format: str | None = None,
    rotation: float = 30,
    title: str | None = None,
    xlabel: str | None = None,
    ylabel: str = "prediction",
) -> Any:
    """Draw the bars of `make_bars`; see `waterfall` for the parameters."""
    ax = make_axes(ax, (max(6.4, 1.2 + 0.68 * len(bars)), 4.8))
    number_format = number_format or _format_of(bars)
    _draw_steps(ax, bars, number_format)
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


def make_bars(
    labels: list[str],
    amounts: np.ndarray,
    base: float | None,
    threshold: float = 0.0,
    sorted_value: bool = False,
    n_largest: int | None = 12,
    base_name: str = "base",
) -> pd.DataFrame:
    """Return the bars of a waterfall in the format of `waterfall_bars`: `label`, `start`, `end` and `kind`."""
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
    first = pd.DataFrame({"label": [base_name], "start": [0.0], "end": [base], "kind": ["base"]})
    return pd.concat([bars, total] if base is None else [first, bars, total], ignore_index=True)


def _draw_steps(ax: Any, bars: pd.DataFrame, number_format: str) -> None:
    starts, ends = bars["start"].to_numpy(), bars["end"].to_numpy()
    is_step = ~bars["kind"].isin(["base", "total"]).to_numpy()
    signs = np.where(ends > starts, "positive", "negative")
    kinds = np.where(bars["kind"] == "other", signs, bars["kind"])
    drawn = ax.bar(
        range(len(bars)),
        ends - starts,
        bottom=starts,
        width=0.62,
        color=[_COLORS.get(kind) or ink() for kind in kinds],
        zorder=3,
    )
    for bar, kind in zip(drawn, bars["kind"], strict=True):
        bar.set_alpha(0.5 if kind == "other" else 1.0)
    for position in range(len(bars) - 1):
        ax.plot([position + 0.31, position + 0.69], [ends[position]] * 2, color=GREY, linewidth=0.8, zorder=2)
    edge = _limit(ax, np.concatenate([starts[is_step], ends]), ends[ends < starts])
    for position in range(len(bars)):
        _write_amount(ax, position, starts[position], ends[position], is_step[position], number_format)
        if edge is not None and not is_step[position]:
            ax.text(position, edge, "≈", color=paper(), fontsize=15, weight="bold", ha="center", va="center", zorder=4)


def _limit(ax: Any, levels: np.ndarray, fallen: np.ndarray) -> float | None:
    """Set the limits of the axis; if they exclude zero, return the height at which bars are marked as cut."""
    low, high = float(levels.min()), float(levels.max())
    span = high - low
    has_zero = low - _NEAR * span <= 0 <= high + _NEAR * span or span <= 1e-12 * max(abs(low), abs(high))
    if has_zero:
        low, high = min(low, 0.0), max(high, 0.0)
        span = high - low or 1.0
    written_below = (fallen < low + _MARGIN * span).any()  # the amount of a negative bar is written below it
    below = low < 0 or not has_zero or low == high or written_below
    above = high > 0 or not has_zero or low == high
    ax.set_ylim(low - _MARGIN * span * below, high + _MARGIN * span * above)
    if low <= 0 <= high:
        ax.axhline(0, color=ink(), linewidth=0.8, zorder=1)
        return None
    return low - 0.5 * _MARGIN * span if low > 0 else high + 0.5 * _MARGIN * span


def _set_ticks(ax: Any, number_format: str) -> None:
    """Set as many ticks as there is room for and as the number format distinguishes."""
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
    """Return a number format that shows three significant digits of the range of the steps."""
    levels = np.append(bars["end"], bars["start"][~bars["kind"].isin(["base", "total"])])
    span = np.ptp(levels) or np.abs(levels).max() or 1.0
    return f"{{:,.{int(np.clip(2 - np.floor(np.log10(span)), 0, 12))}f}}"


def _write(number_format: str, number: float) -> str:
    return number_format.format(number + 0.0).replace("$", r"\$")


def _write_amount(ax: Any, position: int, start: float, end: float, is_step: bool, number_format: str) -> None:
    """Write the amount of a bar beyond its end."""
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
        color=ink(),
        zorder=5,
    )
