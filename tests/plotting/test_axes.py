"""Axes, ticks and labels: known answers, and new figures that pyplot does not keep."""

import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from tabrec.plotting.axes import date_axis, finish, format_tick, make_axes, number_axis, row_axes, shorten, shorten_all


def tick_texts(axis):
    axis.figure.draw_without_rendering()
    return [label.get_text() for label in axis.get_majorticklabels()]


def test_given_axes_are_returned_and_new_ones_have_the_size():
    given = Figure().subplots()
    assert make_axes(given) is given
    before = pyplot.get_fignums()
    assert make_axes(None, (5, 3)).figure.get_size_inches().tolist() == [5, 3]
    assert pyplot.get_fignums() == before


def test_finished_axes_have_a_grid_and_two_spines():
    ax = finish(make_axes(None))
    assert [side for side, spine in ax.spines.items() if spine.get_visible()] == ["left", "bottom"]


@pytest.mark.parametrize(
    ("value", "largest", "text"),
    [
        (1999.0, 2010, "1999"),
        (2000, 20_000, "2,000"),
        (12_345.5, 0, "12,345.5"),
        (-0.0, 0, "0"),
        (-3, 0, "−3"),
        (5e13, 0, "5×10¹³"),
        (-2.5e-6, 0, "−2.5×10⁻⁶"),
    ],
)
def test_ticks_are_plain_numbers(value, largest, text):
    assert format_tick(value, largest) == text


def test_number_axes_have_no_offset_and_whole_ones_no_fractions():
    ax = make_axes(None)
    ax.set_xlim(1_000_000, 1_000_002)
    number_axis(ax.xaxis, whole=True)
    assert {"1,000,000", "1,000,001", "1,000,002"} <= set(tick_texts(ax.xaxis))
    assert ax.xaxis.get_offset_text().get_text() == ""


def test_date_axes_count_days_since_1970():
    ax = make_axes(None)
    ax.set_xlim(365, 365 + 5 * 365)
    date_axis(ax.xaxis)
    assert {"1972", "1974"} <= set(tick_texts(ax.xaxis))


def test_row_axes_start_at_the_top_and_grow_with_the_rows():
    ax = row_axes(None, ["a", "b", "a name in $ that is far too long for an axis"], (7, 1, 0.25))
    assert ax.figure.get_size_inches().tolist() == [7, 1.75]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["a", "b"]


def test_long_labels_lose_their_middle_and_keep_a_year():
    assert shorten("two\nlines for $5") == r"two lines for \$5"
    assert shorten("A very long title of a film (1994)", 20) == "A very long… (1994)"
    assert len(shorten("x" * 100)) == 32


def test_labels_that_differ_stay_different():
    labels = [f"a long common beginning, {middle}, and a long common end" for middle in "ab"]
    first, second = shorten_all([*labels, "short"])[:2]
    assert first != second
    assert shorten_all([]) == []
