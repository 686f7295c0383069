"""Building blocks of a report: sections of text, tables, figures and findings, and figures as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.plotting.axes import BLUE

_FONTS = ["DejaVu Sans", "Arial", "sans-serif"]
# Largest widths of plots, in inches, of which two wide or three narrow ones fit side by side.
WIDE, NARROW = 4.9, 3.85
_MOST_NOTES = 2  # more warnings than this are folded
# Colours of a plot that are replaced by those of the dark or light page.
_OF_PAGE = {"#000000": "currentColor", "#ffffff": "var(--paper)", BLUE: "var(--blue)"}


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text; `kind` is "text" or "note", for warnings and omissions."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Notes:
    """Several notes below a summary, which opens them."""

    summary: str
    notes: list[str]


@dataclass(frozen=True)
class Table:
    """A table of formatted text; `numeric` marks the columns of numbers, which are aligned to the right."""

    columns: list[str]
    rows: list[list[str]]
    caption: str
    numeric: list[bool]
    is_folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A plot as SVG, with a caption that also serves screen readers.

    `kind` is "plot", "wide" (too wide for a phone) or "plain" (wide, and always on white).
    """

    svg: str
    caption: str
    kind: str


@dataclass
class Section:
    """A section of the report; `is_open` is whether it is expanded initially."""

    anchor: str
    title: str
    is_open: bool = True
    blocks: list[Any] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add_text(self, text: str) -> None:
        self.blocks.append(Text(text))

    def add_note(self, text: str) -> None:
        self.blocks.append(Text(text, "note"))

    def add_warnings(self, messages: list[str]) -> None:
        """Add warnings as notes, folded if they are many."""
        if len(messages) > _MOST_NOTES:
            self.blocks.append(Notes(f"{len(messages)} warnings", messages))
        else:
            self.blocks += [Text(message, "note") for message in messages]

    def add_table(
        self, frame: pd.DataFrame, caption: str, formats: dict[str, str] | None = None, is_folded: bool = False
    ) -> None:
        """Add a frame as a table; `formats` maps columns to format strings."""
        self.blocks.append(replace(make_table(frame, caption, formats or {}), is_folded=is_folded))

    def add_figure(
        self, axes: Any, caption: str, kind: str = "plot", width: float = WIDE, height: float = np.inf
    ) -> None:
        """Add the figure that the axes belong to, a "plot" no larger than `width` and `height`, in inches."""
        own_width, own_height = axes.figure.get_size_inches()
        if kind == "plot":
            axes.figure.set_size_inches(min(own_width, width), min(own_height, height))
        svg = to_svg(axes.figure, f"{self.anchor}-{len(self.blocks)}", follows_page=kind != "plain")
        self.blocks.append(Figure(svg, caption, kind))

    def add_findings(self, findings: Sequence[Finding]) -> None:
        self.findings += findings


def make_table(frame: pd.DataFrame, caption: str, formats: dict[str, str]) -> Table:
    """Format a frame: numbers by the format of their column, missing values as a dash."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype) for dtype in frame.dtypes]
    columns = [
        [_to_text(value, formats.get(str(name), "" if is_number else "{}")) for value in frame[name].tolist()]
        for name, is_number in zip(frame.columns, numeric, strict=True)
    ]
    return Table(list(map(str, frame.columns)), [list(row) for row in zip(*columns, strict=True)], caption, numeric)


def _to_text(value: Any, form: str) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if value is None or pd.isna(value):
        return "–"
    return form.format(value) if form else show_number(value)


def to_svg(figure: Any, name: str, follows_page: bool = True) -> str:
    """Convert a figure to an SVG element, with ids that start with `name` so that they are unique on the page.

    Text is not converted to paths, so that screen readers can read it and it can be searched and copied. By default
    black, white and blue become the colours of text, background and links of the page, which suit a dark page too.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.sans-serif": _FONTS}):
        # savefig would draw twice, the first time for the layout alone.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", lambda tag: _prefix_ids(tag[0], name), svg)
    for color in _OF_PAGE if follows_page else ():
        svg = svg.replace(f": {color}", f": {_OF_PAGE[color]}")
    width, height = (float(found) for found in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())  # type: ignore[union-attr]
    style = f"width:{width * 4 / 3:.0f}px;aspect-ratio:{width:.0f}/{height:.0f}"
    return re.sub(r"^<svg[^>]*>", f'<svg viewBox="0 0 {width:g} {height:g}" role="img" style="{style}">', svg, count=1)


def _prefix_ids(tag: str, name: str) -> str:
    """Prefix the ids of a tag, and its references to ids."""
    tag = re.sub(r'\bid="', f'id="{name}-', tag).replace("url(#", f"url(#{name}-")
    return re.sub(r'(xlink:)?href="#', f'href="#{name}-', tag)
