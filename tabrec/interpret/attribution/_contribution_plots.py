"""Beeswarm and dependence plots of contributions to many predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret.attribution._shown_values import has_order, to_text
from tabrec.plotting.axes import (
    BLUE,
    GREY,
    ORANGE,
    PALETTE,
    date_axis,
    finish,
    make_axes,
    number_axis,
    row_axes,
    shorten,
    shorten_all,
)

_MOST_DOTS = 2_000
_N_BINS = 80
_HALF_HEIGHT = 0.4  # half the height of a row of dots
_MOST_LABELS = 30


def draw_beeswarm(ax: Any, cells: np.ndarray, values: pd.DataFrame, unit: str) -> Any:
    """Draw contributions, (n_rows, n_columns), as one row of dots for each column of `values`, coloured by value."""
    ax = row_axes(ax, values.columns, (7.0, 1.6, 0.36))
    rows = _spread(len(cells))
    cells, span = cells[rows], float(np.ptp(cells)) or 1.0
    used = set()
    for place, (_, column) in enumerate(values.iloc[rows].items()):
        rank = _ranks(column)
        offsets = _stack(np.floor((cells[:, place] - cells.min()) / span * _N_BINS), rank)
        colours = np.where(np.isnan(rank)[:, None], _mix(np.zeros(1), GREY, GREY), _mix(rank, BLUE, ORANGE))
        ax.scatter(cells[:, place], place + offsets, c=colours, s=7, linewidths=0, alpha=0.8)
        used |= {"coloured"} if (~np.isnan(rank)).any() else set()
        used |= {"grey"} if np.isnan(rank).any() else set()
    ax.axvline(0, color=GREY, linewidth=1, zorder=0)
    number_axis(ax.xaxis)
    ax.set_xlabel(f"{unit}\n{_count(len(rows), len(values))}")
    names = {"coloured": [(BLUE, "low value"), (ORANGE, "high value")], "grey": [(GREY, "label or missing")]}
    for colour, name in [each for key in ("coloured", "grey") if key in used for each in names[key]]:
        ax.scatter([], [], color=colour, s=16, label=name)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8, borderaxespad=0.2)
    return finish(ax)


def draw_dependence(
    ax: Any, contributions: np.ndarray, column: pd.Series, unit: str, other: pd.Series | None = None
) -> Any:
    """Draw the contributions of a column, (n_rows,), against its values; labels are rows of dots.

    Dots are coloured by the values of `other`: by rank, or by its most frequent labels.
    """
    rows = _spread(len(column))
    shown, contributions, note = column.iloc[rows], contributions[rows], _count(len(rows), len(column))
    colours, legend = _colour_by(None if other is None else other.iloc[rows])
    if not has_order(column):
        ax = _draw_labels(ax, contributions, shown, unit, note, colours)
        return _add_legend(ax, legend)
    ax = make_axes(ax, (6.4, 4.0))
    missing = shown.isna().to_numpy()
    if missing.any():
        note += f"; {missing.sum():,} without a value, with a mean contribution of {contributions[missing].mean():.3g}"
    is_date = pd.api.types.is_datetime64_any_dtype(shown)
    values = shown[~missing].dt.tz_localize(None).to_numpy() if is_date else shown[~missing].to_numpy(np.float64)
    ax.axhline(0, color=GREY, linewidth=1, zorder=0)
    style = {"color": BLUE} if other is None else {"c": colours[~missing]}
    ax.scatter(values, contributions[~missing], s=9, alpha=0.6, linewidths=0, **style)
    if is_date:
        date_axis(ax.xaxis)
    else:
        number_axis(ax.xaxis, whole=bool((values % 1 == 0).all()))
    number_axis(ax.yaxis)
    ax.set(xlabel=f"{shorten(column.name)}\n{note}", ylabel=unit)
    return finish(_add_legend(ax, legend))


def _colour_by(column: pd.Series | None) -> tuple[np.ndarray, list[tuple[Any, str]]]:
    """Return a colour for each row, and the entries of the legend."""
    from matplotlib.colors import to_rgb

    if column is None:
        return np.full(0, BLUE), []
    name = shorten(column.name, 20)
    if has_order(column):
        rank = _ranks(column)
        colours = np.where(np.isnan(rank)[:, None], _mix(np.zeros(1), GREY, GREY), _mix(rank, BLUE, ORANGE))
        legend = [(BLUE, f"{name}: low"), (ORANGE, "high")]
        return colours, legend + ([(GREY, "missing")] if np.isnan(rank).any() else [])
    texts = column.astype(object).map(to_text)
    kept = texts.value_counts().index[: len(PALETTE) - 1]
    place = kept.get_indexer(pd.Index(texts))
    palette = [*PALETTE[: len(kept)], GREY]
    legend = [(palette[i], shorten(label, 20)) for i, label in enumerate(kept)]
    legend += [(GREY, "other")] if (place < 0).any() else []
    return np.array([to_rgb(palette[i]) for i in place]), legend


def _add_legend(ax: Any, legend: list[tuple[Any, str]]) -> Any:
    for colour, name in legend:
        ax.scatter([], [], color=colour, s=16, label=name)
    if legend:
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
        ax.legend(ncols=min(3, len(legend)), frameon=False, fontsize=8, **place)
    return ax


def _draw_labels(
    ax: Any, contributions: np.ndarray, shown: pd.Series, unit: str, note: str, colours: np.ndarray
) -> Any:
    texts = shown.astype(object).map(to_text).to_numpy()
    frequent = pd.Series(texts).value_counts()
    drawn = frequent.index[:_MOST_LABELS]
    mean = pd.Series(contributions).groupby(texts).mean()
    order = mean[drawn].sort_values(kind="stable", ascending=False).index.tolist()
    if len(frequent) > len(drawn):
        note += (
            f"; not shown: {len(frequent) - len(drawn):,} rarer labels ({frequent.iloc[_MOST_LABELS:].sum():,} rows)"
        )
    names = [f"{text} ({frequent[label]:,})" for text, label in zip(shorten_all(order), order, strict=True)]
    ax = row_axes(ax, names, (7.0, 1.5, 0.28))
    for place, label in enumerate(order):
        of_label = contributions[texts == label]
        jitter = np.linspace(-0.25, 0.25, len(of_label)) if len(of_label) > 1 else np.zeros(1)
        style = {"color": BLUE} if colours.ndim == 1 else {"c": colours[texts == label]}
        ax.scatter(of_label, place + jitter, s=7, alpha=0.6, linewidths=0, **style)
    ax.axvline(0, color=GREY, linewidth=1, zorder=0)
    number_axis(ax.xaxis)
    ax.set_xlabel(f"{unit}\n{note}")
    ax.set_title(f"{shorten(shown.name)} (rows)", loc="left", fontsize="medium")
    return finish(ax)


def _spread(n_rows: int) -> np.ndarray:
    """Return evenly spaced positions of rows to draw, at most `_MOST_DOTS`."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, _MOST_DOTS)).astype(np.intp))


def _count(n_drawn: int, n_rows: int) -> str:
    rows = "1 row" if n_rows == 1 else f"{n_rows:,} rows"
    return rows if n_drawn == n_rows else f"{n_drawn:,} of {rows}, evenly spread"


def _ranks(column: pd.Series) -> np.ndarray:
    """Return the ranks of numbers and dates scaled to [0, 1]; NaN for labels and missing values."""
    if not has_order(column):
        return np.full(len(column), np.nan)
    ranks = column.rank().to_numpy(np.float64, na_value=np.nan)
    if np.isnan(ranks).all():
        return ranks
    low, high = np.nanmin(ranks), np.nanmax(ranks)
    return (ranks - low) / (high - low) if high > low else ranks * 0 + 0.5


def _stack(bins: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return vertical offsets that spread the dots of each bin around the line, sorted by rank."""
    order = np.lexsort([rank, bins])
    _, starts, counts = np.unique(bins[order], return_index=True, return_counts=True)
    place = np.arange(len(bins)) - np.repeat(starts, counts)
    middle = np.repeat((counts - 1) / 2, counts)
    offsets = np.empty(len(bins))
    offsets[order] = (place - middle) * min(0.08, _HALF_HEIGHT / max((counts.max() - 1) / 2, 1))
    return offsets


def _mix(share: np.ndarray, first: str, second: str) -> np.ndarray:
    from matplotlib.colors import to_rgb

    share = np.nan_to_num(share)[:, None]
    return (1 - share) * np.asarray(to_rgb(first)) + share * np.asarray(to_rgb(second))
