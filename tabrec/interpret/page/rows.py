"""Sections on single rows: why they are predicted so, and how sure that is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret.attribution.path_contributions import contributions
from tabrec.interpret.attribution.waterfall_chart import waterfall
from tabrec.interpret.certainty.intervals import confidence
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.subject import SOME_ROWS, Subject

_LEVEL = 0.9
# Below so many rows held out, half of them say too little of the size of errors.
_FEWEST = 60


def show_reasons(section: Section, subject: Subject) -> None:
    """Waterfalls of a typical row and of the worst ones."""
    section.say(
        "From the mean prediction, each column moves the prediction of the row up or down; the last bar is what is "
        "predicted."
    )
    chosen = _choose_rows(subject)
    background = subject.X.iloc[subject.sample(len(subject.X), SOME_ROWS)]
    rows = subject.judged[0].iloc[list(chosen.values())]
    result = contributions(subject.model, rows, background=None if subject.trees is not None else background)
    result = result.by_source()
    for position, (name, row) in enumerate(chosen.items()):
        output = subject.model.classes_[subject.predicted[row].argmax()] if subject.is_classifier else None
        axes = waterfall(result.row(position, output=output), sorted_value=True)
        section.draw_as_it_is(axes, f"{name}: {_describe(subject, row)}")


def _choose_rows(subject: Subject) -> dict[str, int]:
    """A row as wrong as most are and predicted as most are, and those that are furthest off."""
    errors = subject.errors()
    order = np.argsort(errors, kind="stable")
    middling = np.argsort(np.abs(np.abs(errors) - np.median(np.abs(errors))), kind="stable")[:25]
    top = subject.predicted.max(axis=1)
    typical = int(middling[np.abs(top[middling] - np.median(top)).argmin()])
    if subject.is_classifier:
        return {"A typical row": typical, "The row predicted worst": int(order[0])}
    worst = {"The row predicted furthest below what happened": int(order[0])}
    return {"A typical row": typical, **worst, "The row predicted furthest above what happened": int(order[-1])}


def _describe(subject: Subject, row: int) -> str:
    actual: Any = subject.judged[1][row]
    index = subject.judged[0].index[row]
    if not subject.is_classifier:
        return f"row {index}, predicted {subject.predicted[row, 0]:,.4g}, actual {float(np.ravel(actual)[0]):,.4g}."
    best = subject.model.classes_[subject.predicted[row].argmax()]
    return f"row {index}, predicted {best} (probability {subject.predicted[row].max():.2f}), actual {actual}."


def show_confidence(section: Section, subject: Subject) -> None:
    """Intervals, and whether they cover what they promise."""
    X, y = subject.judged
    from_oob = subject.has_oob and hasattr(subject.trees.estimator, "oob_target_")  # type: ignore[union-attr]
    results: dict[str, tuple[Any, np.ndarray]] = {}
    if from_oob:
        results["from rows of fit, out of bag"] = confidence(subject.model, X, _LEVEL), np.ones(len(y), dtype=bool)
    if subject.X_valid is not None and len(X) >= _FEWEST:
        results["from every other row held out"] = _calibrate(subject)
    if not results:
        section.note(f"There are no {_FEWEST} rows held out to learn the size of errors from.")
        return
    shown, checked = next(iter(results.values()))
    section.say(
        f"What is made to hold the actual value for {_LEVEL:.0%} of the rows, by the errors on rows that the model has "
        "not learned. Whether it does is counted on rows held out."
    )
    if subject.X_valid is not None:
        tables = [result.coverage(y[rows]).assign(errors=name) for name, (result, rows) in results.items()]
        table = pd.concat(tables, ignore_index=True)
        formats = {"n": "{:,}", "coverage": "{:.1%}", "std_error": "{:.1%}"}
        section.show(table[["errors", *tables[0].columns.drop("errors")]], "By where the errors are from.", formats)
        section.draw_as_it_is(shown.plot(y=y[checked]), "Rows held out, by their prediction.")
    section.find(shown.findings)


def _calibrate(subject: Subject) -> tuple[Any, np.ndarray]:
    """Confidence by the errors on every other judged row, and which rows are left to check it on."""
    X, y = subject.judged
    learned = np.arange(len(X)) % 2 == 0
    return confidence(subject.model, X[~learned], _LEVEL, calibration=(X[learned], y[learned])), ~learned
