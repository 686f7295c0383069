"""Plots of effects: lines for numbers and dates, dots for categories, heat maps for two columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabrec.interpret.attribution._shown_values import to_text
from tabrec.interpret.effects._grids import MOST_DRAWN, Grid
from tabrec.plotting.axes import (
    GREY,
    PALETTE,
    date_axis,
    finish,
    format_tick,
    make_axes,
    number_axis,
    shorten,
    shorten_all,
)

_N_BINS = 40
_N_EXTREME = 3  # number of labels with the smallest, and with the largest, effects that are always drawn
_LONG_NAME = 32  # in characters
_LONG_NUMBER = 10_000  # ticks of longer numbers need more room
_FEW_TICKS = 6  # up to this many values, each has a tick
_WIDE_GAP = 3  # a gap this many times wider than all others together is compressed


def draw_effect(
    grid: Grid,
    effect: np.ndarray,
    outputs: list,
    unit: str,
    ax: Any,
    rows: Any = None,
    shows_average: bool = True,
    limits: tuple[float, float] | None = None,
) -> Any:
    """Draw the effect of one column, (n_outputs, n_grid).

    Curves of single `rows`, (n_outputs, n_rows, n_grid), are thin lines, with or without the average. `limits` are the
    ends of the axis of the effect.
    """
    shown = _largest(effect)
    width = 7.0 if len(outputs) == 1 else 9.5  # leaves room for a legend
    note = _describe_left_out(grid)
    if grid.kind == "category":
        levels = _choose_levels(grid, effect, shown)
        ax = make_axes(ax, (width, 1.5 + 0.28 * (len(levels.drawn) + (levels.n_pooled > 0))))
        _draw_dots(ax, grid, levels, effect, shown, rows, shows_average)
        ax.set_xlabel(f"{unit}\n{note}" if note else unit)
    else:
        ax = make_axes(ax, (width, 4.2))
        _draw_lines(ax, grid, effect, shown, rows, shows_average)
        name = shorten(grid.name)
        ax.set(xlabel=f"{name}\n{note}" if note else name, ylabel=unit)
        number_axis(ax.yaxis)
    if limits is not None:
        _set_limits(ax, grid, *limits)
    _add_legend(ax, outputs, shown)
    return finish(ax)


def find_limits(effect: np.ndarray, rows: np.ndarray | None = None) -> tuple[float, float]:
    """Return the range of the effects that are drawn, which includes nine of ten curves of single rows."""
    shown = _largest(effect)
    ends = [effect[shown].min(), effect[shown].max()]
    if rows is not None and rows.shape[1]:
        ends += [np.quantile(rows[shown].min(axis=2), 0.05), np.quantile(rows[shown].max(axis=2), 0.95)]
    return float(min(ends)), float(max(ends))


def _set_limits(ax: Any, grid: Grid, low: float, high: float) -> None:
    """Set the limits of the axis of the effect, with room for the histogram at the bottom."""
    height = high - low or abs(high) or 1.0
    if grid.kind == "category":
        ax.set_xlim(low - 0.04 * height, high + 0.04 * height)
    else:
        ax.set_ylim(low - 0.18 * height, high + 0.04 * height)


def _describe_left_out(grid: Grid) -> str:
    """Return a note on the labels and rows that the grid leaves out, or an empty string."""
    rows = f"{grid.n_rows_left_out:,} row{'s' if grid.n_rows_left_out > 1 else ''}"
    if grid.n_labels_left_out:
        labels = f"{grid.n_labels_left_out:,} other label{'s' if grid.n_labels_left_out > 1 else ''}"
        return f"not shown: {labels} ({rows})"
    if grid.kind == "category":
        return ""
    notes = [f"not shown: {rows} without a value"] if grid.n_rows_left_out else []
    n_rows = len(grid.cells)
    outside = [
        (n, f"{_as_share(n, n_rows)} {where}") for n, where in ((grid.n_below, "below"), (grid.n_above, "above"))
    ]
    if told := [text for n, text in outside if n]:
        notes.append(", ".join([told[0].replace(" ", " of rows are ", 1), *told[1:]]))
    return "\n".join(notes)


def _as_share(n: int, n_rows: int) -> str:
    """Format a share in per cent, at least "0.1%" if it is not 0."""
    share = n / n_rows
    return f"{max(share, 0.001):.1%}" if share < 0.01 else f"{share:.0%}"


@dataclass(frozen=True)
class _DrawnLevels:
    """Positions in the grid of the labels to draw, from the bottom, and of those pooled as "other"."""

    drawn: np.ndarray
    pooled: np.ndarray

    @property
    def n_pooled(self) -> int:
        return len(self.pooled)


def _choose_levels(grid: Grid, effect: np.ndarray, shown: np.ndarray) -> _DrawnLevels:
    """Choose the labels to draw: the most frequent, and those with the most extreme effects."""
    everything = np.arange(len(grid.values))
    if len(everything) <= MOST_DRAWN:
        return _DrawnLevels(everything, everything[:0])
    ranked = effect[shown].argsort(axis=1, kind="stable")
    extreme = np.unique(np.concatenate([ranked[:1, :_N_EXTREME], ranked[:1, -_N_EXTREME:]], axis=1))
    frequent = np.argsort(-grid.counts, kind="stable")
    frequent = frequent[~np.isin(frequent, extreme)][: MOST_DRAWN - len(extreme)]
    drawn = np.sort(np.concatenate([extreme, frequent]))
    return _DrawnLevels(drawn, np.setdiff1d(everything, drawn))


def draw_map(grids: tuple[Grid, ...], effect: np.ndarray, outputs: list, unit: str, ax: Any, zero: bool = False) -> Any:
    """Draw the effect of two columns as a heat map of the output with the largest effect; `zero` centres colours."""
    shown = int(np.argmax(np.ptp(effect.reshape(len(effect), -1), axis=1)))
    first, second = grids
    tall = 2.4 + 0.28 * len(second.values) if second.kind == "category" else 4.8
    wide = 2.4 + 0.28 * len(first.values) if first.kind == "category" else 7.0
    ax = make_axes(ax, (max(wide, 7.0), max(tall, 4.2)))
    limit = np.abs(effect[shown]).max() or 1.0
    colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if zero else {"cmap": "viridis"}
    scales = [_Scale(grid) for grid in grids]
    mesh = ax.pcolormesh(*[_edges(scale.at) for scale in scales], effect[shown].T, **colours)
    label = f"{unit}: {shorten(outputs[shown], 20)}" if len(outputs) > 1 else unit
    number_axis(ax.figure.colorbar(mesh, ax=ax, label=label).ax.yaxis)
    for axis, scale in zip((ax.xaxis, ax.yaxis), scales, strict=True):
        scale.label(axis)
    notes = [f"{shorten(grid.name)}: {note}" for grid in grids if (note := _describe_left_out(grid))]
    ax.set(xlabel="\n".join([shorten(first.name), *notes]), ylabel=shorten(second.name))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def draw_by_value(
    grids: tuple[Grid, ...], effect: np.ndarray, outputs: list, unit: str, ax: Any, limits: tuple[float, float] | None
) -> Any:
    """Draw the effect of the first of two columns by the values of the second, for the output with the largest."""
    largest = int(np.argmax(np.ptp(effect.reshape(len(effect), -1), axis=1)))
    first, second = grids
    label = f"{unit}: {shorten(outputs[largest], 20)}" if len(outputs) > 1 else unit
    names = _name_values(second)
    ax = draw_effect(first, effect[largest].T, names, label, ax, limits=limits)
    if legend := ax.get_legend():
        left_out = f"\n({second.n_labels_left_out:,} more labels)" if second.n_labels_left_out else ""
        legend.set_title(f"{shorten(second.name, 20)}{left_out}")
        legend.set_alignment("left")
    return ax


def _name_values(grid: Grid) -> list[str]:
    if grid.kind == "category":
        return [to_text(value) for value in grid.values]
    scale = _Scale(grid)
    names = [scale.text(position) for position in grid.positions[: len(grid.values) - grid.has_gap]]
    return [*names, "missing"] if grid.has_gap else names


class _Scale:
    """Positions of grid values on an axis.

    A wide gap, as before a placeholder such as the year 1000, is compressed so that other values stay readable.
    """

    def __init__(self, grid: Grid):
        self.grid = grid
        self.at = grid.positions[: len(grid.values) - grid.has_gap]
        self.cut = 0  # number of values before the compressed gap
        self.moved = 0.0
        gaps = np.diff(self.at)
        if grid.kind == "category" or len(gaps) < 2:
            return
        widest = int(gaps.argmax())
        rest = gaps.sum() - gaps[widest]
        if gaps[widest] > _WIDE_GAP * rest:
            self.cut = widest + 1
            self.moved = gaps[widest] - 0.15 * rest
            self.middle = self.at[widest : widest + 2].mean()
            self.at = self.place(self.at)

    def place(self, positions: np.ndarray) -> np.ndarray:
        return positions if not self.cut else np.where(positions < self.middle, positions + self.moved, positions)

    @property
    def segments(self) -> list[slice]:
        n = len(self.at)
        return [slice(0, self.cut), slice(self.cut, n)] if self.cut else [slice(0, n)]

    def label(self, axis: Any) -> None:
        if self.grid.kind == "category":
            axis.set_ticks(self.at, shorten_all(map(to_text, self.grid.values), 20))
            tilts = axis.axis_name == "x" and len(self.at) > 3
            axis.set_tick_params(rotation=90 if tilts else 0)
        elif self.cut:
            self._label_both_sides(axis)
        elif self.grid.kind == "date":
            date_axis(axis)
        else:
            is_long = np.abs(self.at).max() >= _LONG_NUMBER
            number_axis(axis, whole=bool((self.at % 1 == 0).all()), n_ticks=4 if is_long else 6)

    def _label_both_sides(self, axis: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        near, far = self.segments if 2 * self.cut > len(self.at) else self.segments[::-1]
        ticks: Any = self.at[near]
        if len(ticks) > _FEW_TICKS:
            whole = self.grid.kind == "number" and bool((self.at % 1 == 0).all())
            ticks = MaxNLocator(6, integer=whole).tick_values(*ticks[[0, -1]])
            ticks = ticks[(ticks >= self.at[near][0]) & (ticks <= self.at[near][-1])]
        shift = self.moved if near.start == 0 else 0.0
        texts = [self.text(tick - shift) for tick in ticks]
        ends = [0, -1] if len(self.at[far]) > 1 and np.ptp(self.at[far]) > 0.1 * np.ptp(self.at) else [0]
        texts += [self.text(value) for value in self.grid.positions[far][ends]]
        axis.set_ticks([*ticks, *self.at[far][ends]], texts)

    def text(self, position: float) -> str:
        if self.grid.kind == "date":
            return str(np.datetime64(int(position * 86_400), "s").astype("datetime64[D]"))
        return format_tick(float(f"{position:.6g}"))


def _largest(effect: np.ndarray) -> np.ndarray:
    """Return the outputs to draw: those with the largest mean absolute effect, one per colour."""
    size = np.abs(effect).reshape(len(effect), -1).mean(axis=1)
    return np.sort(np.argsort(-size, kind="stable")[: len(PALETTE)])


def _draw_lines(ax: Any, grid: Grid, effect: np.ndarray, shown: np.ndarray, rows: Any, shows_average: bool) -> None:
    scale = _Scale(grid)
    at = scale.at
    for colour, output in zip(PALETTE, shown, strict=False):
        for number, part in enumerate(scale.segments):
            marker = "o" if len(at[part]) < 12 else ""
            if rows is not None:
                ax.plot(at[part], rows[output][:, part].T, color=colour, linewidth=0.6, alpha=0.25)
            if shows_average or rows is None:
                label = "" if number else str(output)
                style = {"color": colour, "linewidth": 2.2, "marker": marker, "markersize": 4, "label": label}
                ax.plot(at[part], effect[output, part], **style)
    if scale.cut:
        ax.axvline(at[scale.cut - 1 : scale.cut + 1].mean(), color=GREY, linestyle=":", linewidth=1.2)
    margin = (at[-1] - at[0]) * 0.02 or 1.0
    gap = at[-1] + 5 * margin  # position of missing values
    if grid.has_gap:
        for colour, output in zip(PALETTE, shown, strict=False):
            if rows is not None:
                ax.scatter(
                    np.full(rows.shape[1], gap), rows[output][:, -1], s=4, color=colour, alpha=0.25, linewidths=0
                )
            if shows_average or rows is None:
                ax.plot(gap, effect[output, -1], "D", color=colour, markersize=7)
        ax.axvline(at[-1] + 2.5 * margin, color=GREY, linestyle=":", linewidth=1.2)
    _draw_density(ax, scale)
    scale.label(ax.xaxis)
    ax.set_xlim(at[0] - margin, gap + 2 * margin if grid.has_gap else at[-1] + margin)
    if grid.has_gap:
        _label_gap(ax, gap, at[-1] + margin, int(grid.counts[-1]))


def _label_gap(ax: Any, place: float, last: float, n_rows: int) -> None:
    """Label the diamond of missing values in place of the ticks beside it."""
    ticks = ax.get_xticks()
    labels = [ax.xaxis.get_major_formatter()(tick, at) for at, tick in enumerate(ticks)]
    inside = (ticks >= ax.get_xlim()[0]) & (ticks <= last)
    texts = [text for text, keep in zip(labels, inside, strict=True) if keep]
    ax.set_xticks([*ticks[inside], place], [*texts, f"missing\n({n_rows:,})"])


def _draw_density(ax: Any, scale: _Scale) -> None:
    """Draw a histogram of the rows along the bottom."""
    low, high = scale.at[[0, -1]]
    observed = scale.place(scale.grid.observed)
    inside = observed[(observed >= low) & (observed <= high)]
    if low == high or not len(inside):
        return
    whole = bool((inside % 1 == 0).all()) and high - low < 2 * _N_BINS
    bins = np.arange(np.floor(low), np.ceil(high) + 2) - 0.5 if whole else np.linspace(low, high, _N_BINS + 1)
    heights, edges = np.histogram(inside, bins=bins)
    style = {"width": np.diff(edges), "align": "edge", "color": GREY, "alpha": 0.35, "linewidth": 0, "zorder": 0}
    ax.bar(edges[:-1], 0.12 * heights / heights.max(), transform=ax.get_xaxis_transform(), **style)
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom - 0.14 * (top - bottom), top)


def _draw_dots(
    ax: Any, grid: Grid, levels: _DrawnLevels, effect: np.ndarray, shown: np.ndarray, rows: Any, shows_average: bool
) -> None:
    at = np.arange(len(levels.drawn)) + (levels.n_pooled > 0)
    counts = grid.counts
    for colour, output in zip(PALETTE, shown, strict=False):
        if rows is not None:
            wobble = np.linspace(-0.25, 0.25, rows.shape[1])[:, None]
            ax.scatter(rows[output][:, levels.drawn], at + wobble, s=4, color=colour, alpha=0.25, linewidths=0)
        if shows_average or rows is None:
            ax.plot(effect[output][levels.drawn], at, "o", color=colour, markersize=6, label=str(output))
        if levels.n_pooled:
            mean = np.average(effect[output][levels.pooled], weights=counts[levels.pooled] + 1e-9)
            ax.plot(mean, 0, "o", markeredgecolor=colour, markerfacecolor="none", markersize=6)
    texts = shorten_all(to_text(value) for value in grid.values[levels.drawn])
    names = [f"{text} ({count:,})" for text, count in zip(texts, counts[levels.drawn], strict=True)]
    if levels.n_pooled:
        names.insert(0, f"other: {levels.n_pooled:,} labels ({counts[levels.pooled].sum():,})")
    # Long labels leave little room for the dots.
    is_long = max(map(len, names)) > _LONG_NAME
    ax.set_yticks(range(len(names)), names, fontsize=7 if is_long else None)
    ax.set_ylim(-0.6, len(names) - 0.4)
    number_axis(ax.xaxis, n_ticks=3 if is_long else 6)
    ax.set_title(f"{shorten(grid.name)} (rows)", loc="left", fontsize="medium")


def _add_legend(ax: Any, outputs: list, shown: np.ndarray) -> None:
    handles, _ = ax.get_legend_handles_labels()
    if len(outputs) == 1 or not handles:
        return
    names = shorten_all(outputs[output] for output in shown)
    if hidden := len(outputs) - len(shown):
        names.append(f"({hidden} more)")
        handles += ax.plot([], [], " ")
    ax.legend(handles, names, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _edges(at: np.ndarray) -> np.ndarray:
    """Return the cell edges of a heat map, given the positions of values."""
    if len(at) == 1:
        return np.asarray([at[0] - 0.5, at[0] + 0.5])
    middle = (at[1:] + at[:-1]) / 2
    return np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
