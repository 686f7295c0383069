"""What every picture of the package has in common."""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN = "#1f6feb", "#d9730d", "#2e8540"


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
