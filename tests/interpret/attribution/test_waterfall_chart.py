"""The waterfall chart: its bars, and labels and numbers of any kind."""

import io
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeRegressor

from tabrec.interpret import RowContributions, contributions, partial_dependence, waterfall
from tabrec.interpret.attribution.waterfall_chart import waterfall_bars

STEPS = pd.Series([1.0, -4.0, 0.5, 0.25], index=["a", "b", "c", "d"])
UGLY = ["<b>bold</b> & co", "$x_1^2$", "$", "a\nnew line\tand tab", "Привет", "x" * 200, "{braces} \\ backslash", ""]


def make_row(contributions=(1.0, -4.0), base=10.0):
    names = [f"column {i}" for i in range(len(contributions))]
    values = [f"value {i}" for i in range(len(contributions))]
    return RowContributions(base + sum(contributions), base, names, values, np.array(contributions))


def labels(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def drawn_bars(ax):
    """Start and end of each bar."""
    return [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.containers[0]]


def test_bars_lead_from_the_base_over_each_step_to_the_total():
    bars = waterfall_bars(STEPS, base=10.0)
    assert bars["label"].tolist() == ["base", "a", "b", "c", "d", "total"]
    assert bars["start"].tolist() == [0, 10, 11, 7, 7.5, 0]
    assert bars["end"].tolist() == [10, 11, 7, 7.5, 7.75, 7.75]
    assert bars["kind"].tolist() == ["base", "positive", "negative", "positive", "positive", "total"]


def test_without_a_base_steps_start_from_zero():
    bars = waterfall_bars(STEPS)
    assert bars["label"].tolist() == ["a", "b", "c", "d", "total"]
    assert bars["end"].tolist() == [1, -3, -2.5, -2.25, -2.25]


def test_steps_below_the_threshold_become_other():
    bars = waterfall_bars(STEPS, threshold=0.2)
    assert bars["label"].tolist() == ["a", "b", "other", "total"]
    assert bars["end"].tolist() == [1, -3, -2.25, -2.25]
    assert bars["kind"].tolist() == ["positive", "negative", "other", "total"]


def test_sorted_steps_go_from_the_largest_to_the_smallest_and_other_stays_last():
    bars = waterfall_bars(STEPS, sorted_value=True, threshold=0.1)
    assert bars["label"].tolist() == ["b", "a", "c", "other", "total"]


def test_only_the_largest_are_kept_of_many_columns():
    many = pd.Series(np.arange(1.0, 201.0), index=[f"x{i}" for i in range(200)])
    bars = waterfall_bars(many, n_largest=3)
    assert bars["label"].tolist() == ["x197", "x198", "x199", "other", "total"]
    assert bars["end"].iloc[-1] == many.sum()
    assert len(waterfall_bars(many)) == 12 + 2
    assert len(waterfall_bars(many, n_largest=None)) == 200 + 1


def test_labels_of_a_row_name_column_and_value():
    assert waterfall_bars(make_row())["label"].tolist() == [
        "base",
        "column 0 = value 0",
        "column 1 = value 1",
        "total",
    ]


def test_a_long_name_leaves_room_for_its_end_and_for_the_value():
    row = RowContributions(1.0, 0.0, ["MachineHoursCurrentMeter_na"], ["None or Unspecified"], np.array([1.0]))
    assert waterfall_bars(row)["label"][1] == "MachineHoursC…ter_na = None or U…fied"


@pytest.mark.parametrize("threshold", [None, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("sorted_value", [True, False])
def test_bars_are_those_of_waterfallcharts(oracle, threshold, sorted_value):
    chart = oracle("waterfall_chart")
    rng = np.random.default_rng(5)
    amounts = rng.normal(size=12)
    names = [f"x{i}" for i in range(12)]
    chart.plot(names, amounts, threshold=threshold, sorted_value=sorted_value)
    axes = plt.gca()
    theirs = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in axes.containers[1]]
    their_labels = [text.get_text() for text in axes.get_xticklabels()]
    plt.close("all")
    steps = pd.Series(amounts, index=names)
    bars = waterfall_bars(steps, threshold=threshold or 0.0, sorted_value=sorted_value, n_largest=None)
    np.testing.assert_allclose(bars[["start", "end"]], theirs, rtol=0, atol=1e-12)
    assert bars["label"].tolist()[:-1] == their_labels[:-1]  # the last is "net" there, "total" here


def test_the_table_of_a_row_starts_with_the_largest_steps_up_or_down():
    row = make_row((1.0, -4.0, 0.0, 2.0))
    assert row.table["contribution"].tolist() == [-4.0, 2.0, 1.0, 0.0]
    assert row.table["value"].tolist() == ["value 1", "value 3", "value 0", "value 2"]
    assert labels(row.plot())[1:3] == ["column 1 = value 1", "column 3 = value 3"]


def test_what_is_drawn_are_the_bars():
    ax = waterfall(STEPS, base=10.0, threshold=0.2)
    bars = waterfall_bars(STEPS, base=10.0, threshold=0.2)
    np.testing.assert_allclose(drawn_bars(ax), bars[["start", "end"]])
    assert labels(ax) == bars["label"].tolist()
    assert ax.containers[0][1].get_facecolor()[:3] != ax.containers[0][2].get_facecolor()[:3]


def test_rotation_number_format_and_titles_are_the_callers():
    ax = waterfall(STEPS, rotation=75, number_format="{:.1f} $", title="Why?", xlabel="columns", ylabel="log price")
    assert {text.get_rotation() for text in ax.get_xticklabels()} == {75}
    assert [text.get_text() for text in ax.texts][:2] == [r"+1.0 \$", r"-4.0 \$"]
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("Why?", "columns", "log price")


def test_the_axis_is_cut_where_zero_is_far_from_the_steps():
    low, high = waterfall({"a": 0.2, "b": -0.1}, base=100.0).get_ylim()
    assert 99.5 < low < 100
    assert 100.2 < high < 101
    low, high = waterfall({"a": -0.2}, base=-7.0).get_ylim()
    assert low < -7.2
    assert -7 < high < 0
    low, high = waterfall({"a": 0.6, "b": -0.1}, base=0.5).get_ylim()
    assert low == 0


def test_the_number_of_a_step_down_to_zero_has_room_above_the_labels():
    ax = waterfall({"up": 3.0, "down": -3.0})
    low, high = ax.get_ylim()
    assert low < -0.1 * high


@pytest.mark.parametrize("steps", [[-1.0, -2.0], [0.0, 0.0], [3.0], [0.0], [1e-12, 1e9], list(range(200))])
@pytest.mark.parametrize("base", [None, 0.0, 12.0, -5.0])
def test_any_numbers_can_be_drawn(steps, base):
    ax = waterfall(pd.Series(steps, index=[f"x{i}" for i in range(len(steps))]), base=base)
    ax.figure.draw_without_rendering()
    low, high = ax.get_ylim()
    assert low < (base or 0) + sum(steps) <= high


def test_any_label_can_be_drawn_as_itself():
    ax = waterfall(dict.fromkeys(UGLY, 1.0), title="$\\frac", ylabel="€ $")
    ax.figure.draw_without_rendering()
    assert labels(ax)[0] == "<b>bold</b> & co"
    assert labels(ax)[1] == r"\$x_1^2\$"
    assert labels(ax)[3] == "a new line and tab"
    assert max(map(len, labels(ax))) <= 40


def test_a_result_of_one_row_is_drawn_and_one_of_several_refused():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 5.0, 1.0]})
    tree = DecisionTreeRegressor().fit(X, [1.0, 5.0, 9.0])
    ax = waterfall(contributions(tree, X.head(1)))
    assert labels(ax) == ["base", "a = 1", "b = 0", "total"]
    with pytest.raises(ValueError, match=r"one row, but there are 3: pick one, as in \.row\(0\)"):
        waterfall(contributions(tree, X))


def test_the_callers_axes_are_used_and_no_figure_is_kept():
    before = plt.get_fignums()
    figure = mpl.figure.Figure()
    ax = figure.subplots()
    assert waterfall(STEPS, ax=ax) is ax
    assert make_row().plot(ax=figure.subplots()).figure is figure
    waterfall(make_row())
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"row": [1.0, 2.0]}, TypeError, "a Series or a dict, not list"),
        ({"row": {}}, ValueError, "no contributions to draw"),
        ({"row": {"age": np.nan}}, ValueError, "'age' adds nan"),
        (
            {"row": STEPS, "threshold": 1.5},
            ValueError,
            "The 'threshold' parameter of waterfall must be a float in the range",
        ),
        (
            {"row": STEPS, "n_largest": 0},
            ValueError,
            "The 'n_largest' parameter of waterfall must be an int in the range",
        ),
        ({"row": make_row(), "base": 3.0}, TypeError, "RowContributions has its own"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        waterfall(**arguments)


@pytest.mark.parametrize("number_format", [None, "{:,.2f}", "{:.1%}", "{:.0f} $"])
@pytest.mark.parametrize("base", [0.389, 31_000.0, 1e-6, 0.0])
def test_no_two_ticks_bear_the_same_number(number_format, base):
    ax = waterfall({"a": 0.002, "b": 0.0004, "c": -0.001}, base=base, number_format=number_format)
    ax.figure.draw_without_rendering()
    texts = [text.get_text() for text in ax.get_yticklabels()]
    assert len(set(texts)) == len(texts) >= 1


@pytest.mark.parametrize(
    ("step", "base", "written"), [(0.0024, 0.389, "+0.00240"), (0.31, 10.1, "+0.310"), (3100.0, 31_000.0, "+3,100")]
)
def test_numbers_bear_the_decimals_that_their_steps_need(step, base, written):
    assert written in [text.get_text() for text in waterfall({"a": step}, base=base).texts]


def test_labels_that_no_font_has_are_drawn_without_a_warning():
    ax = waterfall({"😀 = 漢字": 1.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax.figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
        ax.figure.savefig(io.BytesIO(), format="svg")
    assert labels(ax)[0] == "😀 = 漢字"


def test_the_axis_names_the_class():
    X = np.random.default_rng(0).normal(size=(80, 2))
    y = np.where(X[:, 0] > 0, "rich", "poor")
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    row = contributions(model, X[:1]).row(0)
    assert waterfall(row).get_ylabel() == row.plot().get_ylabel() == "predicted probability of rich"
    assert partial_dependence(model, X, "x0").plot().get_ylabel() == "average predicted probability of rich"


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_the_mark_of_a_cut_bar_has_the_colour_of_the_background(style):
    with plt.style.context(style):
        ax = waterfall({"a": 0.3}, base=100.0)
        (total,) = [bar for bar in ax.patches if bar.get_height() > 100.1]
        marks = [text for text in ax.texts if text.get_text() == "≈"]
        assert len(marks) == 2
        assert {to_rgba(mark.get_color()) for mark in marks} == {to_rgba(ax.get_facecolor())}
        assert total.get_facecolor() != to_rgba(marks[0].get_color())


def test_the_contributions_of_a_row_are_printed_as_a_table():
    X = pd.DataFrame({"a": [0.0, 1.0], "b": [1.0, 1.0]})
    row = contributions(DecisionTreeRegressor().fit(X, [0.0, 4.0]), X).row(1)
    assert repr(row).splitlines() == ["RowContributions", *row.table.to_string().splitlines()]
