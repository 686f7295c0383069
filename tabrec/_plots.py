"""What every picture of the package has in common."""

from __future__ import annotations

import re
from typing import Any

BLUE, ORANGE, GREEN = "#1f6feb", "#d9730d", "#2e8540"
RED, GREY, INK = "#c0392b", "#8c959f", "#24292f"
_LONGEST = 32


def make_axes(ax: Any, size: tuple[float, float] = (6.4, 4.0)) -> Any:
    """The caller's axes, or those of a new figure, which no global state of matplotlib keeps alive."""
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Plots need matplotlib: pip install 'tabrec[viz]'.") from error
    return Figure(figsize=size, layout="constrained").subplots()


def finish(ax: Any) -> Any:
    """A light grid and no frame."""
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def shorten(label: Any, longest: int = _LONGEST) -> str:
    """A label in one short line, the year at its end kept, its dollars not taken for formulas."""
    text = " ".join(str(label).split())
    if len(text) > longest:
        year = re.search(r" \(\d{4}\)$|$", text)[0]  # type: ignore[index]
        text = text[: longest - 1 - len(year)].rstrip(" ,(-:") + "…" + year
    return text.replace("$", r"\$")
