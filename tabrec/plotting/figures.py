"""A matplotlib figure that draws labels of any writing without a warning a letter."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


class QuietFigure(Figure):
    """A figure that says nothing of letters which its fonts lack: they are drawn as empty boxes.

    Such letters are those of the data (emoji, Chinese), and in SVG, whose text stays text, the reader may have them.
    """

    def draw(self, renderer: Any) -> None:
        with _no_word_of_glyphs():
            super().draw(renderer)

    def get_tightbbox(self, *arguments: Any, **options: Any) -> Any:
        with _no_word_of_glyphs():
            return super().get_tightbbox(*arguments, **options)


class ShownAxes(Axes):
    """Axes that a notebook shows as their picture, when they are what a cell ends with."""

    def _repr_png_(self) -> bytes:
        picture, figure = BytesIO(), self.figure
        assert isinstance(figure, Figure)
        figure.savefig(picture, format="png", dpi=100, bbox_inches="tight")
        return picture.getvalue()


@contextmanager
def _no_word_of_glyphs() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support .* natively")
        yield
