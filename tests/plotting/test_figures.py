"""Figures without warnings about glyphs, and axes that a notebook displays."""

import warnings

from tabrec.plotting.axes import make_axes


def test_characters_without_a_glyph_cause_no_warning_and_axes_are_displayed():
    ax = make_axes(None)
    ax.set_title("漢字 😀")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ax._repr_png_().startswith(b"\x89PNG")
