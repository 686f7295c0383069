"""What a page is made of: sections of text, tables, pictures and findings, and how pictures become SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tabrec.interpret._result import Finding

_FONTS = ["DejaVu Sans", "Arial", "sans-serif"]


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text; `kind` is "text" or "note" (a warning, a reason why something is not shown)."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A table of plain texts.

    Attributes
    ----------
    columns : list of str
    rows : list of list of str
    caption : str
    numeric : list of bool
        Which columns are numbers, and so are set to the right.
    """

    columns: list[str]
    rows: list[list[str]]
    caption: str
    numeric: list[bool]


@dataclass(frozen=True)
class Figure:
    """A picture as SVG, with what it shows in words for those who cannot see it."""

    svg: str
    caption: str


@dataclass
class Section:
    """A part of the page."""

    anchor: str
    title: str
    blocks: list[Any] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.blocks.append(Text(text))

    def note(self, text: str) -> None:
        self.blocks.append(Text(text, "note"))

    def show(self, frame: pd.DataFrame, caption: str, formats: dict[str, str] | None = None) -> None:
        self.blocks.append(make_table(frame, caption, formats or {}))

    def draw(self, plot: Any, caption: str, size: tuple[float, float] = (7.2, 4.0), **options: Any) -> None:
        """Draw by a function of `ax` (such as a result's `plot`) on a figure of its own size."""
        self.blocks.append(Figure(draw_svg(plot, f"{self.anchor}-{len(self.blocks)}", size, **options), caption))

    def draw_as_it_is(self, axes: Any, caption: str) -> None:
        """Show the figure of an Axes, whose size its maker has chosen."""
        self.blocks.append(Figure(to_svg(axes.figure, f"{self.anchor}-{len(self.blocks)}"), caption))

    def find(self, findings: Sequence[Finding]) -> None:
        self.findings += list(findings)


def make_table(frame: pd.DataFrame, caption: str, formats: dict[str, str]) -> Table:
    """A frame as texts: numbers by the format of their column, gaps as a dash."""
    numeric = [pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype) for dtype in frame.dtypes]
    columns = [
        [_to_text(value, formats.get(str(name), "{:,.4g}" if is_number else "{}")) for value in frame[name].tolist()]
        for name, is_number in zip(frame.columns, numeric, strict=True)
    ]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Table([str(name) for name in frame.columns], rows, caption, numeric)


def _to_text(value: Any, form: str) -> str:
    if value is None or (not isinstance(value, (list, tuple)) and pd.isna(value)):
        return "–"
    return form.format(value) if not isinstance(value, (list, tuple)) else ", ".join(map(str, value))


def draw_svg(plot: Any, name: str, size: tuple[float, float], **options: Any) -> str:
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=size, layout="constrained")
    plot(ax=figure.subplots(), **options)
    return to_svg(figure, name)


def to_svg(figure: Any, name: str) -> str:
    """A figure as an SVG element whose ids no other picture of the page has.

    Text stays text, so that it can be read aloud, searched and copied.
    """
    import matplotlib

    buffer = io.StringIO()
    with (
        matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.sans-serif": _FONTS}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the browser has fonts of its own
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", lambda tag: _rename(tag[0], name), svg)
    width, height = (float(found) for found in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())  # type: ignore[union-attr]
    style = f"width:{width * 4 / 3:.0f}px;aspect-ratio:{width:.0f}/{height:.0f}"
    return re.sub(r"^<svg[^>]*>", f'<svg viewBox="0 0 {width:g} {height:g}" role="img" style="{style}">', svg, count=1)


def _rename(tag: str, name: str) -> str:
    """A tag whose ids, and references to ids, begin with the name of the picture."""
    tag = re.sub(r'\bid="', f'id="{name}-', tag)
    tag = tag.replace("url(#", f"url(#{name}-")
    return re.sub(r'(xlink:)?href="#', f'href="#{name}-', tag)
