"""Plots of the report follow the colours of the page."""

from matplotlib.figure import Figure

from tabrec.interpret.page.blocks import Notes, Section, Text, to_svg
from tabrec.plotting.axes import BLUE


def test_points_and_text_have_the_colours_of_the_page_unless_it_is_to_stay_white():
    figure = Figure()
    figure.add_subplot().scatter([1, 2], [3, 4], color=BLUE)
    assert "fill: var(--blue)" in to_svg(figure, "a")
    assert BLUE not in to_svg(figure, "a")
    assert BLUE in to_svg(figure, "a", follows_page=False)


def test_many_warnings_are_folded_and_few_are_notes():
    section = Section("a", "A")
    section.add_warnings(["one", "two"])
    assert section.blocks == [Text("one", "note"), Text("two", "note")]
    section.add_warnings(["one", "two", "three"])
    assert section.blocks[2] == Notes("3 warnings", ["one", "two", "three"])
