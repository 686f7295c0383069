"""A figure without warnings about missing glyphs, and axes that notebooks display."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


class QuietFigure(Figure):
    """A figure that does not warn about characters its fonts lack, and draws them as empty boxes.

    Such characters come from the data (emoji, Chinese). SVG files keep text as text, so the reader's fonts may have
    them.
    """

    def draw(self, renderer: Any) -> None:
        with _ignore_missing_glyphs():
            super().draw(renderer)

    def get_tightbbox(self, *arguments: Any, **options: Any) -> Any:
        with _ignore_missing_glyphs():
            return super().get_tightbbox(*arguments, **options)


class NotebookAxes(Axes):
    """Axes that a notebook displays as a picture when a cell ends with them."""

    def _repr_png_(self) -> bytes:
        picture, figure = BytesIO(), self.figure
        assert isinstance(figure, Figure)
        figure.savefig(picture, format="png", dpi=100, bbox_inches="tight")
        return picture.getvalue()


@contextmanager
def _ignore_missing_glyphs() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support .* natively")
        yield
