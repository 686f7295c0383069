"""Axes, colours, ticks and text labels that all plots share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

BLUE, ORANGE, GREEN = "#1f6feb", "#d9730d", "#2e8540"
RED, GREY = "#c0392b", "#8c959f"
# Colours of classes and outputs. Red is left out: it marks a single row or a warning.
PALETTE = (BLUE, ORANGE, GREEN, "#7a4fbf", "#12858f", "#bf3989", "#b58900", "#8a5a44")
_MAX_LABEL = 32
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def make_axes(ax: Any, size: tuple[float, float] = (6.4, 4.0)) -> Any:
    """Return `ax`, or the axes of a new figure of `size` inches that pyplot does not register."""
    if ax is not None:
        return ax
    from tabrec.plotting.figures import NotebookAxes, QuietFigure

    return QuietFigure(figsize=size, layout="constrained").subplots(subplot_kw={"axes_class": NotebookAxes})


def ink() -> str:
    """Return the colour of text in matplotlib's current style, which is readable on its background."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def paper() -> str:
    """Return the background colour of axes in matplotlib's current style; white if there is none."""
    from matplotlib import rcParams
    from matplotlib.colors import to_hex, to_rgba

    color = to_rgba(rcParams["axes.facecolor"])
    return to_hex(color) if color[3] > 0 else "#ffffff"


def finish(ax: Any) -> Any:
    """Add a light grid, remove the top and right spines, and return the axes."""
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def number_axis(axis: Any, whole: bool = False, n_ticks: int = 6) -> None:
    """Label an axis with plain numbers, without exponent or offset; `whole` keeps the ticks at integers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(n_ticks, steps=[1, 2, 2.5, 5, 10], integer=whole))
    axis.set_major_formatter(lambda value, _: format_tick(value, max(map(abs, axis.get_view_interval()))))


def date_axis(axis: Any) -> None:
    """Label an axis whose unit is days since 1970 with dates."""
    from matplotlib.dates import AutoDateFormatter, AutoDateLocator

    axis.axis_date()
    locator = AutoDateLocator(minticks=3, maxticks=7)
    axis.set_major_locator(locator)
    axis.set_major_formatter(AutoDateFormatter(locator))


def format_tick(value: float, largest: float = 0.0) -> str:
    """Format a tick of an axis up to `largest`; thousands separators start at 10,000, so that years have none."""
    value += 0.0  # -0.0 becomes 0.0
    text = f"{value:,.12g}" if max(abs(value), largest) >= 10_000 else f"{value:.12g}"
    if "e" in text:
        factor, _, power = text.partition("e")
        text = f"{factor}×10{str(int(power)).translate(_RAISED)}"
    return text.replace("-", "\N{MINUS SIGN}")


def row_axes(ax: Any, labels: Iterable, size: tuple[float, float, float]) -> Any:
    """Return axes with one labelled row per item, the first at the top.

    `size` holds the width, the height without rows, and the height of a row of a new figure, in inches.
    """
    texts = shorten_all(labels)
    ax = make_axes(ax, (size[0], size[1] + size[2] * len(texts)))
    ax.set_yticks(range(len(texts)), texts, fontsize=8)
    ax.set_ylim(len(texts) - 0.4, -0.6)
    return ax


def shorten(label: Any, longest: int = _MAX_LABEL) -> str:
    """Return a label as one line of at most `longest` characters, with dollar signs escaped.

    Long labels lose their middle, and keep a year in parentheses at the end.
    """
    text = " ".join(str(label).split())
    if len(text) > longest:
        year = re.search(r" \(\d{4}\)$", text)
        tail = year[0] if year else text[-(longest // 3) :].lstrip(" ,)-:")
        text = text[: longest - 1 - len(tail)].rstrip(" ,(-:") + "…" + tail
    return text.replace("$", r"\$")


def shorten_all(labels: Iterable, longest: int = _MAX_LABEL) -> list[str]:
    """Shorten labels; those that would become equal stay as long as needed to differ."""
    full = [" ".join(str(label).split()) for label in labels]
    texts = [shorten(label, longest) for label in full]
    while longest < max(map(len, full), default=0):
        longest += 8
        counts = Counter(texts)
        texts = [shorten(label, longest) if counts[text] > 1 else text for label, text in zip(full, texts, strict=True)]
    return texts
