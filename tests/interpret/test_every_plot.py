"""Every plot with labels of any kind: no clipped or hidden text, labelled axes, and no figure left open.

Every property is tested with every entry of `PLOTS`; add a new plot there.
"""

from __future__ import annotations

import functools
import gc
import itertools
import re
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from tabrec import BayesianFactorization, ForestClassifier, ForestRegressor, TabularRegressor
from tabrec.datasets import make_ratings
from tabrec.interpret import (
    ale,
    classification_curves,
    cluster_columns,
    confidence,
    contributions,
    counterfactuals,
    domain_shift,
    draw_tree,
    drift_over_time,
    drop_and_compare,
    drop_unimportant,
    embedding_map,
    error_segments,
    extrapolation_check,
    feature_importance,
    interaction_strength,
    leakage_check,
    oob_curve,
    oob_report,
    partial_dependence,
    recent_only,
    redundancy,
    report,
    shap_interactions,
    shap_values,
    try_dropping,
    waterfall,
)
from tabrec.interpret.page.report_page import NOT_SHOWN

N_ROWS, N_NEW, N_COLUMNS = 200, 60, 36
FOREST = {"n_estimators": 6, "n_jobs": 1, "random_state": 0}
UGLY = [
    "<script>alert('x')</script>",
    "$\\frac{1}{0}$ & $x_{",
    "smile 😀 \n second line",
    "</svg><img src=http://example.com/x.png>",
    "a label that goes on and on and does not end where one would like it to",
    "Ünïcödé_and^signs\\%",
    "漢字 and ع",
]


# --- Tables with many unusual labels, and models fitted once ---------------------------------------------------------


def ugly(n: int) -> list[str]:
    return [f"{UGLY[i % len(UGLY)]} {i}" for i in range(n)]


@functools.cache
def tables() -> SimpleNamespace:
    """Training and newer rows: 36 columns, 35 unusual labels, correlated columns, missing values and a shift."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(N_ROWS, N_COLUMNS))
    values[:, 5] = values[:, 4] + generator.normal(0, 0.01, N_ROWS)
    values[:, 7] = -values[:, 6]
    values[-N_NEW:, 8:12] += 4
    frame = pd.DataFrame(values, columns=ugly(N_COLUMNS))
    frame.loc[::5, frame.columns[9]] = np.nan
    frame["kind $ of <b>"] = np.array(ugly(35), dtype=object)[generator.integers(0, 35, N_ROWS)]
    frame["sold $ on <i>"] = pd.Timestamp("2011-01-05") + pd.to_timedelta(np.arange(N_ROWS) * 2, "D")
    worth = values[:, 0] * 300 + values[:, 4] * 200 + generator.normal(0, 100, N_ROWS) + values[:, 8] * 90 + 52_000
    price = pd.Series(worth, name="<i>price</i> in $ {of\nall}")
    rank = np.argsort(np.argsort(worth))
    label = np.array(ugly(30), dtype=object)[rank * 30 // N_ROWS]
    old = slice(0, N_ROWS - N_NEW)
    new = slice(N_ROWS - N_NEW, N_ROWS)
    return SimpleNamespace(
        X=frame[old],
        y=price[old],
        label=label[old],
        new=frame[new].reset_index(drop=True),
        truth=price[new].reset_index(drop=True),
        new_label=label[new],
        kind="kind $ of <b>",
        sold="sold $ on <i>",
    )


@functools.cache
def forest() -> Any:
    return ForestRegressor(**FOREST).fit(tables().X, tables().y)


@functools.cache
def classifier() -> Any:
    return ForestClassifier(**FOREST).fit(tables().X, tables().label)


@functools.cache
def net() -> Any:
    columns = [*tables().X.columns[:3], tables().kind]
    return TabularRegressor(layers=[8], epochs=2, random_state=0).fit(tables().X[columns], tables().y)


@functools.cache
def recommender() -> Any:
    ratings = make_ratings(400, n_users=40, n_items=40, random_state=0)
    ids = ratings.iloc[:, :2].astype(object)
    titles = dict(zip(ids.iloc[:, 1].unique(), ugly(1_000), strict=False))
    ids.isetitem(1, ids.iloc[:, 1].map(titles))
    return BayesianFactorization(4, n_sweeps=20, n_burn_in=3, n_samples=3, random_state=0).fit(ids, ratings.iloc[:, 2])


@functools.cache
def importance(method: str) -> Any:
    return feature_importance(forest(), tables().X, tables().y, method, n_repeats=1)


@functools.cache
def reasons() -> Any:
    return contributions(forest(), tables().new)


@functools.cache
def class_reasons() -> Any:
    return contributions(classifier(), tables().new[:3])


@functools.cache
def without_unimportant() -> Any:
    return drop_unimportant(ForestRegressor(**FOREST), tables().X, tables().y, 0.01, method="impurity")


@functools.cache
def tried() -> Any:
    return try_dropping(ForestRegressor(**FOREST | {"n_estimators": 2}), tables().X, tables().y, ugly(22))


@functools.cache
def compared() -> Any:
    model = ForestRegressor(**FOREST | {"n_estimators": 2})
    return drop_and_compare(model, tables().X, tables().y, ugly(10), time=tables().sold)


@functools.cache
def recent() -> Any:
    model = ForestRegressor(**FOREST | {"n_estimators": 2})
    return recent_only(model, tables().X, tables().y, time=tables().sold, shares=np.linspace(0.2, 1, 5).tolist())


@functools.cache
def shift(with_model: bool) -> Any:
    model = forest() if with_model else None
    return domain_shift(tables().X, tables().new, model=model, n_permutations=99, n_estimators=3)


@functools.cache
def changes() -> Any:
    row = tables().new.iloc[[int(forest().predict(tables().new).argmin())]]
    goal = (float(np.quantile(tables().y, 0.6)), None)
    return counterfactuals(forest(), row, tables().X, [*ugly(3), tables().kind], goal=goal)


@functools.cache
def pairs() -> Any:
    return shap_interactions(classifier(), tables().new[:20], output=ugly(1)[0]).by_source()


@functools.cache
def strengths() -> Any:
    return interaction_strength(classifier(), tables().X, [*ugly(3), tables().kind], grid_size=4, max_rows=50)


@functools.cache
def oob() -> Any:
    return oob_report(forest(), tables().new, tables().truth, X=tables().X, y=tables().y)


@functools.cache
def curve() -> Any:
    return oob_curve(forest(), tables().X, tables().y)


@functools.cache
def curves() -> Any:
    return classification_curves(classifier(), tables().X, tables().label)


@functools.cache
def outside() -> Any:
    return extrapolation_check(forest(), tables().X, tables().new)


@functools.cache
def leaks(of_model: bool) -> Any:
    return leakage_check(forest() if of_model else None, tables().X, tables().y)


@functools.cache
def effect(*features: str, of_classes: bool = False, kind: str = "average") -> Any:
    model = classifier() if of_classes else forest()
    return partial_dependence(model, tables().X, list(features) if len(features) > 1 else features[0], kind)


@functools.cache
def accumulated(*features: str, of_classes: bool = False) -> Any:
    model = classifier() if of_classes else forest()
    return ale(model, tables().X, list(features) if len(features) > 1 else features[0])


@functools.cache
def sure(method: str) -> Any:
    return confidence(forest(), tables().new, method=method, training=(tables().X, tables().y))


@functools.cache
def sure_of_classes() -> Any:
    return confidence(classifier(), tables().new)


@functools.cache
def map_of(model: Callable[[], Any], column: str) -> Any:
    return embedding_map(model(), column)


def _long(n: int) -> dict[str, float]:
    return dict(zip(ugly(n), np.random.default_rng(0).normal(size=n) * 1_000, strict=True))


A, B, GAPS = ugly(N_COLUMNS)[0], ugly(N_COLUMNS)[4], ugly(N_COLUMNS)[9]
PLOTS: dict[str, Callable[[Any], Any]] = {
    "importance oob": lambda ax: importance("oob").plot(ax),
    "importance all": lambda ax: importance("impurity").plot(ax, n=60),
    "importance of clusters": lambda ax: feature_importance(
        forest(), tables().X, tables().y, groups=redundancy(tables().X), n_repeats=1
    ).plot(ax),
    "drop_unimportant": lambda ax: without_unimportant().plot(ax),
    "try_dropping": lambda ax: tried().plot(ax),
    "redundancy": lambda ax: redundancy(tables().X).plot(ax),
    "cluster_columns": lambda ax: cluster_columns(tables().X.iloc[:, :6], ax=ax),
    "dependence of a number": lambda ax: effect(A).plot(ax),
    "dependence with rows": lambda ax: effect(A, kind="both").plot(ax),
    "dependence centred": lambda ax: effect(GAPS, kind="individual").plot(ax, centred=True),
    "dependence of labels": lambda ax: effect(tables().kind).plot(ax),
    "dependence of labels with rows": lambda ax: effect(tables().kind, kind="both").plot(ax),
    "dependence of a date": lambda ax: effect(tables().sold).plot(ax),
    "dependence of classes": lambda ax: effect(A, of_classes=True).plot(ax),
    "dependence of classes on labels": lambda ax: effect(tables().kind, of_classes=True).plot(ax),
    "dependence of two numbers": lambda ax: effect(A, B).plot(ax),
    "dependence of number and labels": lambda ax: effect(A, tables().kind).plot(ax),
    "dependence of labels and number": lambda ax: effect(tables().kind, A).plot(ax),
    "dependence of date and labels": lambda ax: effect(tables().sold, tables().kind).plot(ax),
    "ale of a number": lambda ax: accumulated(A).plot(ax),
    "ale of labels": lambda ax: accumulated(tables().kind).plot(ax),
    "ale of a date": lambda ax: accumulated(tables().sold).plot(ax),
    "ale of classes": lambda ax: accumulated(A, of_classes=True).plot(ax),
    "ale of two": lambda ax: accumulated(A, B).plot(ax),
    "ale of number and labels": lambda ax: accumulated(A, tables().kind).plot(ax),
    "contributions": lambda ax: reasons().plot(ax),
    "contributions all": lambda ax: reasons().plot(ax, n_largest=40),
    "contributions of classes": lambda ax: class_reasons().plot(ax),
    "contributions by row": lambda ax: reasons().plot(ax, kind="beeswarm"),
    "contributions by row to a class": lambda ax: class_reasons().plot(ax, kind="beeswarm", output=ugly(1)[0]),
    "contributions of a number": lambda ax: reasons().plot_dependence(A, ax),
    "contributions of labels": lambda ax: reasons().plot_dependence(tables().kind, ax),
    "contributions of a row beside another": lambda ax: reasons().compare(0, 1).plot(ax),
    "counterfactuals": lambda ax: changes().plot(ax),
    "interactions": lambda ax: pairs().plot(ax),
    "interaction strengths": lambda ax: strengths().plot(ax),
    "effect of a number by labels": lambda ax: effect(A, tables().kind).plot(ax, as_lines=True),
    "effect of labels by a number": lambda ax: effect(tables().kind, A).plot(ax, as_lines=True),
    "interaction of numbers": lambda ax: pairs().plot_pair(A, B, ax),
    "interaction of labels": lambda ax: pairs().plot_pair(tables().kind, A, ax),
    "interaction with labels": lambda ax: pairs().plot_pair(A, tables().kind, ax),
    "contributions of cohorts": lambda ax: reasons().by_cohort(3).plot(ax),
    "contributions of labels as cohorts": lambda ax: class_reasons().by_cohort(tables().kind, ugly(1)[0]).plot(ax),
    "contributions of a row": lambda ax: reasons().row(0).plot(ax),
    "contributions of a row to a class": lambda ax: class_reasons().row(0).plot(ax),
    "shap_values": lambda ax: shap_values(forest(), tables().new[:5]).by_source().plot(ax),
    "waterfall": lambda ax: waterfall(reasons().row(0), sorted_value=True, title=UGLY[1], ylabel=UGLY[2], ax=ax),
    "waterfall of all": lambda ax: waterfall(reasons().row(1), n_largest=None, ax=ax),
    "waterfall of a dict": lambda ax: waterfall(_long(34), n_largest=None, number_format="${:,.0f}", ax=ax),
    "waterfall upright": lambda ax: waterfall(_long(12), base=-4e9, rotation=90, xlabel=UGLY[0], ax=ax),
    "waterfall level": lambda ax: waterfall({"a $": 1.0, "<b>": -3.0}, base=2.0, rotation=0, ax=ax),
    "confidence": lambda ax: sure("conformal").plot(ax),
    "confidence with targets": lambda ax: sure("quantile").plot(ax, y=tables().truth),
    "confidence by spread": lambda ax: sure("spread").plot(ax),
    "confidence of classes": lambda ax: sure_of_classes().plot(ax),
    "confidence of classes with targets": lambda ax: sure_of_classes().plot(ax, y=tables().new_label),
    "oob_report": lambda ax: oob().plot(ax),
    "oob_curve": lambda ax: curve().plot(ax),
    "domain_shift": lambda ax: shift(False).plot(ax),
    "domain_shift of a model": lambda ax: shift(True).plot(ax),
    "drift_over_time": lambda ax: drift_over_time(tables().X, tables().sold, tables().y, periods=4).plot(ax),
    "drop_and_compare": lambda ax: compared().plot(ax),
    "recent_only": lambda ax: recent().plot(ax),
    "extrapolation_check": lambda ax: outside().plot(ax),
    "error_segments": lambda ax: error_segments(forest(), tables().X, tables().y, min_rows=5).plot(ax),
    "classification_curves": lambda ax: curves().plot(ax),
    "calibration": lambda ax: curves().plot(ax, kind="calibration"),
    "gain": lambda ax: curves().plot(ax, kind="gain"),
    "leakage_check": lambda ax: leaks(True).plot(ax),
    "leakage_check of a table": lambda ax: leaks(False).plot(ax),
    "draw_tree": lambda ax: draw_tree(forest(), ax=ax),
    "draw_tree with rows": lambda ax: draw_tree(
        forest(), tables().X, tables().y, row=tables().new[:1], max_depth=4, ax=ax
    ),
    "draw_tree of classes": lambda ax: draw_tree(classifier(), tables().X, tables().label, ax=ax),
    "embedding_map of a net": lambda ax: map_of(net, tables().kind).plot(ax),
    "embedding_map of a recommender": lambda ax: map_of(recommender, "item").plot(ax),
}


def draw(name: str, ax: Any = None) -> Axes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return PLOTS[name](ax)


def rendered(figure: Figure) -> Any:
    """Draw the figure at the resolution of SVG, as in a report; returns the renderer, which measures texts."""
    figure.set_dpi(72)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return canvas.get_renderer()


@pytest.fixture(autouse=True)
def _no_show(monkeypatch):
    def refuse(*args: Any, **options: Any) -> None:
        raise AssertionError("a plot was shown")

    monkeypatch.setattr(pyplot, "show", refuse)
    monkeypatch.setattr(Figure, "show", refuse)


# --- What is measured ------------------------------------------------------------------------------------------------


def texts_of(figure: Figure) -> list[Any]:
    """All visible texts; tick labels beyond the limits are not drawn."""
    of_ticks = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _all_labels(axis)}
    shown = {id(label) for axes in figure.axes for _, labels in tick_labels(axes) for label in labels}
    hidden = {id(axis.label) for axes in figure.axes if not axes.axison for axis in (axes.xaxis, axes.yaxis)}
    return [text for text in figure.findobj(is_text) if id(text) not in (of_ticks - shown) | hidden]


def _all_labels(axis: Any) -> list[Any]:
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [label for tick in ticks for label in (tick.label1, tick.label2)]


def is_text(artist: Any) -> bool:
    return isinstance(artist, Text) and artist.get_visible() and bool(artist.get_text().strip())


def outside_of_figure(figure: Figure, renderer: Any, slack: float = 1.5) -> list[str]:
    """Texts beyond the edge of the figure, and by how many pixels."""
    frame, found = figure.bbox, []
    for text in texts_of(figure):
        box = text.get_window_extent(renderer)
        beyond = max(frame.x0 - box.x0, frame.y0 - box.y0, box.x1 - frame.x1, box.y1 - frame.y1)
        if beyond > slack:
            found.append(f"{text.get_text()!r} by {beyond:.0f} px")
    return found


def tick_labels(axes: Axes) -> Iterator[tuple[Any, list[Any]]]:
    for axis in (axes.xaxis, axes.yaxis):
        if axes.axison and axis.get_visible():
            low, high = sorted(axis.get_view_interval())
            slack = 1e-9 * (high - low)
            ticks = [tick for tick in axis.get_major_ticks() if low - slack <= tick.get_loc() <= high + slack]
            yield axis, [tick.label1 for tick in ticks if is_text(tick.label1)]


def hidden_labels(figure: Figure, renderer: Any) -> list[tuple[str, str]]:
    """Neighbouring tick labels that overlap."""
    found = []
    for axes in figure.axes:
        for axis, labels in tick_labels(axes):
            for one, other in itertools.pairwise(labels):
                if gap_between(axis, one, other, renderer) < -1:
                    found.append((one.get_text(), other.get_text()))
    return found


def numbers_over_tick_labels(figure: Figure, renderer: Any) -> list[tuple[str, str]]:
    """Texts within axes that overlap a horizontal tick label."""
    found = []
    for axes in figure.axes:
        texts = [(text.get_text(), text.get_window_extent(renderer)) for text in axes.texts if is_text(text)]
        labels = [label for _, labels in tick_labels(axes) for label in labels if label.get_rotation() % 180 == 0]
        for label in labels:
            box = label.get_window_extent(renderer).padded(-1)
            found += [(text, label.get_text()) for text, other in texts if box.overlaps(other)]
    return found


def gap_between(axis: Any, one: Any, other: Any, renderer: Any) -> float:
    """Pixels between two labels; for rotated labels across the lines of text."""
    first, second = (text.get_window_extent(renderer) for text in (one, other))
    if axis.axis_name == "y":
        return max(first.y0, second.y0) - min(first.y1, second.y1)
    angle = one.get_rotation() % 180
    if angle == 0:
        return max(first.x0, second.x0) - min(first.x1, second.x1)
    apart = abs(first.x1 - second.x1) * np.sin(np.deg2rad(angle))
    return apart - one.get_fontsize() * one.figure.dpi / 72


def unnamed_axes(figure: Figure) -> list[str]:
    """Axes with numbers at their ticks and without a label."""
    return [
        f"{axis.axis_name} of axes {number}: {[label.get_text() for label in labels][:4]}"
        for number, axes in enumerate(figure.axes)
        for axis, labels in tick_labels(axes)
        if labels and all(re.fullmatch(r"[−+\-]?[\d.,]+%?", label.get_text()) for label in labels)
        if not axis.get_label_text().strip()
    ]


# --- The promises ----------------------------------------------------------------------------------------------------


def equal_labels(axes: Axes) -> list[str]:
    """Tick labels that occur more than once on an axis."""
    texts = [(axis.axis_name, label.get_text()) for axis, labels in tick_labels(axes) for label in labels]
    return [text for (_, text), count in Counter(texts).items() if count > 1]


def broken_texts(figure: Figure) -> list[str]:
    """Labels on several lines, and NaN."""
    texts = [text.get_text() for text in texts_of(figure)]
    return [text for text in texts if re.search(r"😀\s*\n.*second line", text) or "nan" in text.lower().split()]


FIGURES: dict[str, weakref.ref] = {}  # of the plots that were drawn, which all tests together may not keep alive


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_legible(name):
    before = pyplot.get_fignums()
    axes = draw(name)
    assert isinstance(axes, Axes)
    assert isinstance(axes.figure, Figure)
    renderer = rendered(axes.figure)
    problems = {
        "text is cut off": outside_of_figure(axes.figure, renderer),
        "tick labels overlap": hidden_labels(axes.figure, renderer),
        "text lies over tick labels": numbers_over_tick_labels(axes.figure, renderer),
        "tick labels are equal": equal_labels(axes),
        "axes have no label": unnamed_axes(axes.figure),
        "labels are broken": broken_texts(axes.figure),
    }
    assert {problem: found for problem, found in problems.items() if found} == {}
    assert pyplot.get_fignums() == before
    FIGURES[name] = weakref.ref(axes.figure)


def test_no_figure_stays_alive():
    figures = {name: FIGURES.get(name) or weakref.ref(draw(name).figure) for name in PLOTS}
    gc.collect()
    assert [name for name, figure in figures.items() if figure() is not None] == []


@pytest.mark.long
@pytest.mark.parametrize("name", PLOTS)
def test_the_given_axes_are_drawn_into(name):
    figure = Figure(figsize=(9, 7), layout="constrained")
    first, second = figure.subplots(1, 2)
    assert draw(name, second) is second
    assert not first.has_data()
    assert second.figure is figure
    assert second.has_data() or second.texts or second.patches


# --- The report ------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_the_plots_of_a_report_are_complete_and_keep_no_figure_alive():
    gc.collect()
    before, figures = pyplot.get_fignums(), _count_figures()
    columns = [*ugly(3), tables().kind, tables().sold]
    X, new = tables().X[columns], tables().new[columns]
    page = report(ForestClassifier(**FOREST).fit(X, tables().label), X, tables().label, new, tables().new_label)
    assert pyplot.get_fignums() == before
    gc.collect()
    assert _count_figures() == figures
    assert NOT_SHOWN not in page.html
    assert "<script" not in page.html
    for svg in re.findall(r"<svg.*?</svg>", page.html, flags=re.DOTALL):
        width, height = (float(size) for size in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
        assert width < 1_100
        assert height < 2_500
        assert "nan" not in re.findall(r">([^<>]*)</text>", svg)


def _count_figures() -> int:
    return sum(isinstance(thing, Figure) for thing in gc.get_objects())
