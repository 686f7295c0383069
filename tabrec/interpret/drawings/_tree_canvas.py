"""Elements of a drawn tree: cards, branches, plots of the rows of a node and the legend, with lengths in inches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tabrec.plotting.axes import ORANGE, PALETTE, RED, ink, shorten

CLASS_COLOURS = list(PALETTE[:6])
Limits = tuple[float, float]
LINE, PAD, BAR = 0.165, 0.06, 0.075
MUTED, _BORDER, _BRANCH = "#57606a", "#c9d1d9", "#d5dbe1"
FONT = 7.8
_MIN_LETTERS = 3  # smallest number of letters of a shortened text
_SAFETY = 1.04  # rendered text can be wider than the sum of its glyphs
_MAX_DOTS, _MAX_BINS = 300, 24
_FONT_SIZE = 100.0  # font size at which glyphs are measured


@dataclass(frozen=True)
class Canvas:
    """Axes in inches, with y downwards; `scale` shrinks text where the axes are smaller than the drawing."""

    ax: Any
    scale: float

    def box(self, left: float, top: float, width: float, height: float, **style: Any) -> None:
        from matplotlib.patches import FancyBboxPatch

        shape = "round,pad=0,rounding_size=0.05"
        self.ax.add_patch(FancyBboxPatch((left, top), width, height, boxstyle=shape, **style))

    def write(
        self, left: float, middle: float, text: str, room: float, tail: str = "", *, size: float = FONT, **style: Any
    ) -> float:
        """Write a line of text, shortened to fit `room` except for its tail; returns its width."""
        weight = style.get("weight", "normal")
        longest = len(text)
        written = shorten(text, longest) + tail
        while (width := text_width(written, size, weight)) > room and longest > _MIN_LETTERS:
            longest = max(min(longest - 1, int(longest * room / width)), _MIN_LETTERS)
            written = shorten(text, longest) + tail
        style = {"color": ink(), "va": "center", "ha": "left"} | style
        self.ax.text(left, middle, written, fontsize=size * self.scale, **style)
        return width

    def bar(self, left: float, top: float, width: float, shares: np.ndarray, colours: list[str], height: float) -> None:
        """Draw shares as a stacked bar."""
        starts = left + width * (np.cumsum(shares) - shares)
        at, style = np.full(len(shares), top + height / 2), {"edgecolor": "white", "linewidth": 0.4 * self.scale}
        self.ax.barh(at, width * shares, height, left=starts, color=colours, zorder=3, **style)

    def swatches(self, left: float, middle: float, names: list[str], colours: list[str]) -> None:
        """Draw a legend of colours."""
        for name, colour in zip(names, colours, strict=True):
            self.box(left, middle - 0.05, 0.1, 0.1, facecolor=colour, linewidth=0)
            left += 0.35 + self.write(left + 0.15, middle, name, 1.3, size=7.2, color=MUTED)

    def ramp(self, left: float, middle: float, title: str, low: str, high: str, shades: list[str]) -> None:
        """Draw a colour scale from low to high."""
        for text in (title, low):
            left += 0.1 + self.write(left, middle, text, 2.5, size=7.2, color=MUTED)
        pieces = left + 1.2 * np.arange(len(shades)) / len(shades)
        self.ax.barh(np.full(len(shades), middle), 1.25 / len(shades), 0.1, left=pieces, color=shades, linewidth=0)
        self.write(left + 1.3, middle, high, 2, size=7.2, color=MUTED)

    def branch(self, start: tuple[float, float], end: tuple[float, float], share: float, on_path: bool) -> None:
        """Draw a curve from a parent to a child, wider for more rows."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        between = (start[0] + end[0]) / 2
        path = Path([start, (between, start[1]), (between, end[1]), end], [1, 4, 4, 4])
        width = (1.0 + 5.0 * np.sqrt(share)) * self.scale
        colour, order = (RED, 1.5) if on_path else (_BRANCH, 1)
        self.ax.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, zorder=order, capstyle="butt"))

    def card(self, left: float, top: float, width: float, height: float, colour: str, on_path: bool) -> None:
        """Draw the background of a node."""
        border = {"edgecolor": RED, "linewidth": 1.6 * self.scale} if on_path else {"edgecolor": _BORDER}
        self.box(left, top, width, height, facecolor=colour, zorder=2, **({"linewidth": 0.8 * self.scale} | border))

    def inset(self, left: float, top: float, width: float, height: float) -> Any:
        """Add small axes for the rows of a node."""
        across, down = self.ax.get_xlim()[1], self.ax.get_ylim()[0]
        place = (left / across, 1 - (top + height) / down, width / across, height / down)
        inset = self.ax.inset_axes(place, zorder=4)
        inset.set_facecolor("white")
        inset.set_xticks([])
        inset.set_yticks([])
        for side in inset.spines.values():
            side.set(color=_BORDER, linewidth=0.6 * self.scale)
        return inset


def draw_scatter(
    canvas: Canvas, inset: Any, x: np.ndarray, y: np.ndarray, threshold: float, limits: Limits, spread: float
) -> None:
    """Draw a column against the target with the mean of each side of the split; `spread` jitters equal values."""
    shown = _thin(len(x))
    aside = np.random.default_rng(0).uniform(-spread, spread, len(shown))
    inset.scatter(x[shown] + aside, y[shown], s=5 * canvas.scale**2, color=ink(), alpha=0.28, linewidth=0, clip_on=True)
    low, high = inset.get_xlim()
    for side, start, end in ((x <= threshold, low, threshold), (x > threshold, threshold, high)):
        if side.any():
            mean = y[side].mean()
            inset.plot([start, end], [mean, mean], color=ORANGE, linewidth=1.5 * canvas.scale, solid_capstyle="butt")
    inset.set_ylim(limits)


def draw_histogram(inset: Any, x: np.ndarray, y: np.ndarray, edges: np.ndarray, colours: list[str]) -> None:
    """Draw a histogram of a column, stacked by class."""
    counts = np.array([np.histogram(x[y == k], edges)[0] for k in range(len(colours))], dtype=float)
    floor = np.cumsum(counts, axis=0) - counts
    for height, bottom, colour in zip(counts, floor, colours, strict=True):
        inset.bar(edges[:-1], height, np.diff(edges), bottom=bottom, color=colour, align="edge", linewidth=0)
    inset.set_ylim(0, max(counts.sum(axis=0).max() * 1.05, 1))


def draw_strip(canvas: Canvas, inset: Any, y: np.ndarray, limits: Limits) -> None:
    """Draw the targets of a leaf along a line, and their mean."""
    shown = _thin(len(y))
    scattered = np.random.default_rng(0).uniform(-1, 1, len(shown))
    inset.scatter(y[shown], scattered, s=5 * canvas.scale**2, color=ink(), alpha=0.3, linewidth=0)
    if len(y):
        inset.axvline(y.mean(), color=ORANGE, linewidth=1.8 * canvas.scale)
    inset.set_xlim(limits)
    inset.set_ylim(-1.4, 1.4)


def bin_edges(threshold: float, is_code: bool, limits: Limits) -> np.ndarray:
    """Return the edges of one bin per code, or of bins of equal width with an edge at the threshold."""
    low, high = limits
    if is_code:
        return np.arange(low, high + 1)
    width = (high - low) / _MAX_BINS
    below, above = np.ceil((threshold - low) / width), np.ceil((high - threshold) / width)
    return threshold + width * np.arange(-below, above + 1)


def column_limits(x: np.ndarray, threshold: float, is_code: bool) -> Limits:
    """Return the range of a column to show: all codes, or numbers without outliers and the threshold."""
    ends = _ends(x, is_code) if len(x) else ()
    if is_code:
        last = np.floor(threshold)
        return float(min([*ends, last])) - 0.5, float(max([*ends, last + 1])) + 0.5
    low, high = min([*ends, threshold]), max([*ends, threshold])
    room = 0.06 * (high - low) or 0.5
    return float(low - room), float(high + room)


def text_width(text: str, size: float = FONT, weight: str = "normal") -> float:
    """Return the width of a text in inches; `size` is in points."""
    return sum(_advance(letter, weight) for letter in text.replace(r"\$", "$")) * size * _SAFETY / 72


@lru_cache(maxsize=4096)
def _advance(letter: str, weight: str) -> float:
    """Return the width of a character as a share of the font size."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(weight=weight)))
    font.set_size(_FONT_SIZE, 72)
    return font.load_glyph(font.get_char_index(ord(letter))).linearHoriAdvance / 65536 / _FONT_SIZE


def tint(colour: str, strength: float) -> str:
    """Blend a colour with white."""
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 - strength * (255 - part)):02x}" for part in parts)


def _ends(x: np.ndarray, is_code: bool) -> np.ndarray:
    """Return the smallest and largest value, for numbers clipped at three interquartile ranges beyond the quartiles."""
    if is_code:
        return np.array([x.min(), x.max()])
    first, third = np.quantile(x, [0.25, 0.75])
    fence = 3 * (third - first)
    near = x[(x >= first - fence) & (x <= third + fence)]
    return np.array([near.min(), near.max()])


def _thin(n: int) -> np.ndarray:
    """Return evenly spread positions of at most `_MAX_DOTS` of n rows."""
    return np.unique(np.linspace(0, n - 1, min(n, _MAX_DOTS)).astype(int)) if n else np.array([], dtype=int)
