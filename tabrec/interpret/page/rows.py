"""Sections on single rows: contributions to predictions, and their uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.interpret.attribution.path_contributions import contributions
from tabrec.interpret.attribution.waterfall_chart import waterfall
from tabrec.interpret.certainty.intervals import confidence
from tabrec.interpret.page.blocks import NARROW, WIDE, Section
from tabrec.interpret.page.report_data import SOME_ROWS, ReportData
from tabrec.plotting.axes import shorten

_LEVEL = 0.9
_N_STEPS = 5  # number of steps of a waterfall, so that plots fit side by side
_N_SPREAD, _N_REASONS = 8, 4  # numbers of rows in a table, and of contributions to each
_N_SWARM, _N_SWARMED, _N_CLASSES = 100, 8, 2  # rows and columns of a beeswarm, and classes that it can show
_SWARM_HEIGHT = 3.5  # inches
_MOST_PARTS, _WORST = 10, "worst segment: "
_UNLIKELY = 0.01  # largest probability, over all parts, that a low coverage is chance
_MIN_ROWS = 60  # smallest number of held-out rows, of which half calibrate intervals


def add_contributions(section: Section, data: ReportData) -> None:
    """Draw waterfalls of a typical row and of the rows with the largest errors."""
    section.add_text(
        "Starting from the average prediction, each column raises or lowers the prediction of the row; the last bar is "
        "the prediction."
    )
    chosen = _choose_rows(data)
    spread = _spread_rows(data)
    background = data.X.iloc[data.sample(len(data.X), SOME_ROWS)] if data.trees is None else None
    result = contributions(
        data.model, data.judged[0].iloc[[*chosen.values(), *spread]], background=background
    ).by_source()
    for position, (name, row) in enumerate(chosen.items()):
        # The second of two classes, as in effects, or the most probable one of several.
        own = result.row(position)
        named = None if data.is_classifier else f"predicted {shorten(data.target)}"
        drawn: dict[str, Any] = {"number_format": _choose_format(data, own), "ylabel": named}
        axes = waterfall(own, sorted_value=True, n_largest=_N_STEPS, **drawn)
        section.add_figure(axes, f"{name}: {_describe(data, row)}", width=WIDE if data.is_classifier else NARROW)
    _add_many(section, data, result, len(chosen), spread)


def _add_many(section: Section, data: ReportData, result: Any, n_chosen: int, spread: np.ndarray) -> None:
    """Show the contributions to many predictions, and the reasons of some rows from the lowest prediction up."""
    if data.trees is not None:
        rows = data.judged[0].iloc[data.sample(len(data.judged[0]), _N_SWARM)]
        many = contributions(data.model, rows).by_source()
        if not (many.outputs is not None and len(many.outputs) > _N_CLASSES):
            axes = many.plot(kind="beeswarm", n_largest=_N_SWARMED)
            section.add_figure(
                axes,
                f"Contributions to the predictions of {len(rows):,} rows, one dot each.",
                width=WIDE,
                height=_SWARM_HEIGHT,
            )
    lines = []
    for at, row in enumerate(spread):
        own = result.row(n_chosen + at, data.model.classes_[-1]) if data.is_classifier else result.row(n_chosen + at)
        form = _choose_format(data, own) or "{:.3f}"
        largest = own.table.head(_N_REASONS)
        reasons = [f"{line.column} = {line.value}: {form.format(line.contribution)}" for line in largest.itertuples()]
        actual = (
            str(np.ravel(data.judged[1][row])[0]) if data.is_classifier else form.format(float(data.judged[1][row]))
        )
        lines.append((str(data.judged[0].index[row]), form.format(own.prediction), actual, "; ".join(reasons)))
    of = f"probability of {data.model.classes_[-1]}" if data.is_classifier else "prediction"
    table = pd.DataFrame(lines, columns=["row", of, "actual", "largest contributions"])
    section.add_table(table, f"Rows from the lowest to the highest {of}.", is_folded=True)


def _spread_rows(data: ReportData) -> np.ndarray:
    """Positions of some judged rows, evenly spaced from the lowest to the highest prediction."""
    order = np.argsort(data.predicted[:, -1], kind="stable")
    n_rows = min(_N_SPREAD, len(order))
    return order[np.linspace(0, len(order) - 1, n_rows).astype(np.intp)]


def _choose_format(data: ReportData, row: Any) -> str | None:
    """Return a number format with two digits of the typical error and one of the largest contribution, or None."""
    error = np.sqrt(np.mean(np.square(data.errors())))
    largest = np.abs(row.contributions).max(initial=0.0)
    if data.is_classifier or not (error > 0 and largest > 0):
        return None
    digits = max(1 - np.floor(np.log10(error)), -np.floor(np.log10(largest)), 0)
    return f"{{:,.{min(int(digits), 12)}f}}"


def _choose_rows(data: ReportData) -> dict[str, int]:
    """Return a row with a typical error and prediction, and the rows with the largest errors."""
    errors = data.errors()
    order = np.argsort(errors, kind="stable")
    middling = np.argsort(np.abs(np.abs(errors) - np.median(np.abs(errors))), kind="stable")[:25]
    top = data.predicted.max(axis=1)
    typical = int(middling[np.abs(top[middling] - np.median(top)).argmin()])
    if data.is_classifier:
        return {"A typical row": typical, "The row with the largest error": int(order[0])}
    low, high = int(order[0]), int(order[-1])
    return {"A typical row": typical, "The largest underestimate": low, "The largest overestimate": high}


def _describe(data: ReportData, row: int) -> str:
    actual: Any = data.judged[1][row]
    index = data.judged[0].index[row]
    if not data.is_classifier:
        return (
            f"row {index}, predicted {show_number(data.predicted[row, 0])}, actual {show_number(np.ravel(actual)[0])}."
        )
    best = data.model.classes_[data.predicted[row].argmax()]
    return f"row {index}, predicted {best} (probability {data.predicted[row].max():.2f}), actual {actual}."


def add_confidence(section: Section, data: ReportData) -> None:
    """Show intervals or label sets, and their coverage on held-out rows."""
    X, y = data.judged
    results: dict[str, tuple[Any, np.ndarray]] = {}
    if data.keeps_oob:
        every = np.ones(len(y), dtype=bool)
        results["out-of-bag rows"] = (
            confidence(data.model, X, _LEVEL, training=(data.X, data.y), sample_weight=data.weights),
            every,
        )
    if data.X_valid is not None and len(X) >= _MIN_ROWS:
        results["every other held-out row"] = _calibrate(data)
    if not results:
        section.add_note(f"Calibration needs at least {_MIN_ROWS} held-out rows.")
        return
    shown, checked = next(iter(results.values()))
    section.add_text(
        f"Regions meant to contain the actual value for {_LEVEL:.0%} of the rows, calibrated on errors of rows outside "
        "the training data. Their coverage is measured on held-out rows."
    )
    if data.X_valid is not None:
        weights = data.weights_valid
        tables = [
            result.coverage(y[rows], sample_weight=None if weights is None else weights[rows]).assign(calibration=name)
            for name, (result, rows) in results.items()
        ]
        table = pd.concat(tables, ignore_index=True)
        formats = {"n": "{:,}", "coverage": "{:.1%}", "std_error": "{:.1%}"}
        section.add_table(
            table[["calibration", *tables[0].columns.drop("calibration")]], "Coverage by calibration rows.", formats
        )
        _add_coverage_by_part(section, data, shown, checked)
        axes = shown.plot(y=y[checked])
        if not data.is_classifier:
            axes.set_ylabel(shorten(data.target))
        section.add_figure(axes, "Held-out rows, sorted by prediction.")
    section.add_findings(shown.findings)


def _add_coverage_by_part(section: Section, data: ReportData, result: Any, rows: np.ndarray) -> None:
    """Show the coverage by fifth of the prediction, or by class, and on the segment with the largest errors."""
    y, weights = data.judged[1][rows], None if data.weights_valid is None else data.weights_valid[rows]
    name = "actual class" if data.is_classifier else "prediction"
    by = pd.Series(y.astype(str), name=name) if data.is_classifier else result.table["prediction"]
    table = result.coverage(y, by=by, sample_weight=weights)
    left_out, n_parts = "", len(table) + 1
    if len(table) > _MOST_PARTS:
        left_out = f" The {_MOST_PARTS} of {len(table)} classes with the lowest coverage."
        table = table.nsmallest(_MOST_PARTS, "coverage")
    if data.has_segments:
        is_worst = np.isin(np.flatnonzero(rows), data.segments._worst_rows)
        segment = f"{_WORST}{data.segments.table['segment'].iloc[0]}"
        if is_worst.any():
            left_out += " The worst segment is shown on the rows that did not choose it."
            of_worst = result.coverage(y, by=np.where(is_worst, segment, ""), sample_weight=weights)
            table = pd.concat([table, of_worst.loc[[segment]]])
    formats = {"n": "{:,}", "coverage": "{:.1%}", "std_error": "{:.1%}"}
    caption = f"Coverage by {name}, where {_LEVEL:.0%} are meant; few rows (n) have a large standard error."
    section.add_table(table.rename_axis(name).reset_index(), caption + left_out, formats)
    section.add_findings(_find_low_coverage(table, name, n_parts))


def _find_low_coverage(table: pd.DataFrame, name: str, n_parts: int) -> list[Finding]:
    """Describe the part with the lowest coverage, if so few covered rows are unlikely at the level."""
    n_covered = (table["coverage"] * table["n"]).round()
    p_values = binom.cdf(n_covered, table["n"], _LEVEL) * n_parts
    worst = int(p_values.argmin())
    if p_values[worst] > _UNLIKELY:
        return []
    part, row = str(table.index[worst]), table.iloc[worst]
    where = f"where {part.removeprefix(_WORST)}" if part.startswith(_WORST) else f"with {name} {part}"
    text = f"Of the rows {where}, {row['coverage']:.0%} are covered: the level of {_LEVEL:.0%} does not hold there."
    evidence = f"{row['n']:,.0f} held-out rows, standard error {row['std_error']:.1%}."
    action = "Calibrate on rows like these, or do not rely on the level there."
    return [Finding("low coverage", 2, (), text, evidence, action)]


def _calibrate(data: ReportData) -> tuple[Any, np.ndarray]:
    """Calibrate on every second held-out row; also returns the other rows, on which coverage is measured."""
    X, y = data.judged
    used = np.arange(len(X)) % 2 == 0
    weights = None if data.judged_weights is None else data.judged_weights[used]
    return confidence(data.model, X[~used], _LEVEL, calibration=(X[used], y[used]), sample_weight=weights), ~used
