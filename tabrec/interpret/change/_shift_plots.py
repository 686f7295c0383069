"""Plots of a domain shift."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.plotting.axes import BLUE, GREY, ORANGE, finish, ink, make_axes, row_axes, shorten

_MOST_BARS = 20
_MOST_LABELS = 12
# Width of a letter in units of AUC, height of a line as a share of the axis, radius of a point in units of AUC, and the
# AUC from which on names are left of their points.
_LETTER, _LINE, _POINT, _TO_THE_LEFT = 0.0065, 0.048, 0.004, 0.75


def draw_bars(table: pd.DataFrame, ax: Any) -> Any:
    """Draw a bar chart of the columns that differ most."""
    shown = table.sort_values("auc", ascending=False, kind="stable").head(_MOST_BARS)
    ax = row_axes(ax, shown["column"], (6.8, 1.2, 0.26))
    colours = [ORANGE if aside else GREY for aside in shown["removed_in_round"].notna()]
    ax.barh(range(len(shown)), shown["auc"] - 0.5, left=0.5, color=colours, height=0.7)
    _limit_auc(ax, shown["auc"])
    ax.set_title("Orange: set aside as shifted", fontsize=10)
    finish(ax)
    ax.grid(axis="y", visible=False)
    return ax


def draw_points(table: pd.DataFrame, ax: Any) -> Any:
    """Draw a point for each column, shift against importance."""
    ax = make_axes(ax, (6.8, 4.4))
    is_aside = table["removed_in_round"].notna().to_numpy()
    share = 100 * table["model_importance"]
    for mask, colour, label in ((is_aside, ORANGE, "set aside as shifted"), (~is_aside, BLUE, "not shifted")):
        ax.scatter(table["auc"][mask], share[mask], color=colour, s=26, alpha=0.85, label=label, linewidths=0)
    height = max(float(share.max()), 1.0) * 1.1
    ax.set_ylim(-0.04 * height, height)
    _limit_auc(ax, table["auc"])
    _label_points(ax, table, share.to_numpy(), height)
    ax.set_ylabel("share of the model's importance, %")
    ax.legend(loc="upper center", frameon=False, fontsize=9, ncols=2, bbox_to_anchor=(0.5, 1.1))
    return finish(ax)


def _limit_auc(ax: Any, aucs: pd.Series) -> None:
    ax.set_xlim(min(0.5, float(aucs.min())) - 0.01, 1.01)
    ax.set_xlabel("AUC of the column alone (0.5: no shift)")


def _label_points(ax: Any, table: pd.DataFrame, share: np.ndarray, top: float) -> None:
    """Label the columns with a large shift or importance, moving labels up if they would overlap."""
    worth = (table["auc"].to_numpy() - 0.5) + share / max(share.max(), 1e-12)
    chosen = np.argsort(-worth)[:_MOST_LABELS]
    # Left, right and vertical centre of occupied boxes, at first those of the points.
    placed = [(auc - _POINT, auc + _POINT, height) for auc, height in zip(table["auc"], share, strict=True)]
    for position in chosen[np.argsort(share[chosen], kind="stable")]:
        name, auc = shorten(table["column"].iloc[position], 24), float(table["auc"].iloc[position])
        width, gap = _LETTER * len(name), 0.01
        left, align = (auc - gap - width, "right") if auc > _TO_THE_LEFT else (auc + gap, "left")
        middle = _free_height(placed, left, left + width, share[position], _LINE * top)
        placed.append((left, left + width, middle))
        anchor = left + width if align == "right" else left
        ax.text(anchor, middle, name, ha=align, va="center", fontsize=8, color=ink())
        if middle > share[position]:
            ax.plot([auc, anchor], [share[position], middle], color=GREY, linewidth=0.6, zorder=1)


def _free_height(placed: list, left: float, right: float, height: float, line: float) -> float:
    """Return the lowest height, starting from the given one, at which a label overlaps no other."""
    for other_left, other_right, other in sorted(placed, key=lambda box: box[2]):
        if left < other_right and right > other_left and abs(other - height) < line:
            height = other + line
    return height
