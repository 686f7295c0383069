"""What every picture of the package has in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

BLUE, ORANGE, GREEN = "#1f6feb", "#d9730d", "#2e8540"
RED, GREY, INK = "#c0392b", "#8c959f", "#24292f"
_LONGEST = 32


def make_axes(ax: Any, size: tuple[float, float] = (6.4, 4.0)) -> Any:
    """The caller's axes, or those of a new figure, which no global state of matplotlib keeps alive."""
    if ax is not None:
        return ax
    try:
        from tabrec.plotting.figures import QuietFigure, ShownAxes
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'tabrec[viz]'.") from error
    return QuietFigure(figsize=size, layout="constrained").subplots(subplot_kw={"axes_class": ShownAxes})


def finish(ax: Any) -> Any:
    """A light grid and no frame."""
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def number_axis(axis: Any, whole: bool = False) -> None:
    """Plain numbers on an axis, without a power or an offset; whole ones where there is nothing in between."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], integer=whole))
    axis.set_major_formatter(lambda value, _: write_tick(value, max(map(abs, axis.get_view_interval()))))


def write_tick(value: float, largest: float = 0.0) -> str:
    """A number on an axis up to `largest`; thousands are set apart from 10,000 on, so that years stay as they are."""
    value += 0.0  # no minus before 0
    text = f"{value:,.12g}" if max(abs(value), largest) >= 10_000 else f"{value:.12g}"
    return text.replace("-", "\N{MINUS SIGN}")


def shorten(label: Any, longest: int = _LONGEST) -> str:
    """A label in one short line, cut in the middle (or before a year at its end), its dollars no formulas."""
    text = " ".join(str(label).split())
    if len(text) > longest:
        year = re.search(r" \(\d{4}\)$", text)
        tail = year[0] if year else text[-(longest // 3) :].lstrip(" ,)-:")
        text = text[: longest - 1 - len(tail)].rstrip(" ,(-:") + "…" + tail
    return text.replace("$", r"\$")


def shorten_all(labels: Iterable, longest: int = _LONGEST) -> list[str]:
    """Labels in short lines, those that would read the same in lines as long as it takes to tell them apart."""
    full = [" ".join(str(label).split()) for label in labels]
    texts = [shorten(label, longest) for label in full]
    while longest < max(map(len, full), default=0):
        longest += 8
        counts = Counter(texts)
        texts = [shorten(label, longest) if counts[text] > 1 else text for label, text in zip(full, texts, strict=True)]
    return texts
