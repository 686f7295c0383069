"""Sections on single rows: contributions to their predictions, and the uncertainty of these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret.attribution.path_contributions import contributions
from tabrec.interpret.attribution.waterfall_chart import waterfall
from tabrec.interpret.certainty.intervals import confidence
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.report_data import SOME_ROWS, ReportData

_LEVEL = 0.9
_MIN_ROWS = 60  # half of fewer held-out rows estimate the size of errors too poorly


def add_contributions(section: Section, data: ReportData) -> None:
    """Draw waterfalls of a typical row and of the rows with the largest errors."""
    section.add_text(
        "Starting from the average prediction, each column raises or lowers the prediction of the row; the last bar is "
        "the prediction."
    )
    chosen = _choose_rows(data)
    background = data.X.iloc[data.sample(len(data.X), SOME_ROWS)] if data.trees is None else None
    result = contributions(data.model, data.judged[0].iloc[list(chosen.values())], background=background).by_source()
    for position, (name, row) in enumerate(chosen.items()):
        # By default the second of two classes, as in the effects, else the most probable one.
        axes = waterfall(result.row(position), sorted_value=True)
        section.add_figure(axes, f"{name}: {_describe(data, row)}")


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
        return f"row {index}, predicted {data.predicted[row, 0]:,.4g}, actual {float(np.ravel(actual)[0]):,.4g}."
    best = data.model.classes_[data.predicted[row].argmax()]
    return f"row {index}, predicted {best} (probability {data.predicted[row].max():.2f}), actual {actual}."


def add_confidence(section: Section, data: ReportData) -> None:
    """Show intervals or label sets, and their coverage on held-out rows."""
    X, y = data.judged
    results: dict[str, tuple[Any, np.ndarray]] = {}
    if data.keeps_oob:
        every = np.ones(len(y), dtype=bool)
        results["out-of-bag rows"] = confidence(data.model, X, _LEVEL, training=(data.X, data.y)), every
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
        section.add_figure(shown.plot(y=y[checked]), "Held-out rows, sorted by prediction.")
    section.add_findings(shown.findings)


def _calibrate(data: ReportData) -> tuple[Any, np.ndarray]:
    """Calibrate on every other held-out row; also returns which rows are left to measure coverage on."""
    X, y = data.judged
    used = np.arange(len(X)) % 2 == 0
    return confidence(data.model, X[~used], _LEVEL, calibration=(X[used], y[used])), ~used
