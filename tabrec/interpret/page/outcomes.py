"""The section on shift: whether the target and the predictions are distributed as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.interpret.models import predictor
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.report_data import MANY_ROWS, ReportData

_UNLIKELY = 0.01  # largest p-value of a shift
_LEAST_ROWS = 20  # smallest number of rows on each side


def add_outcomes(section: Section, data: ReportData) -> None:
    """Compare the targets of training and held-out rows, and the predictions of known and newest rows."""
    rows, findings = [], []
    for what, before, after, action in [*_compare_targets(data), *_compare_predictions(data)]:
        is_label = data.is_classifier and what.startswith("target")
        p_value = _test_labels(before, after) if is_label else float(ks_2samp(before, after).pvalue)
        was, now, name = _describe(before, after, is_label)
        rows.append((what, name, was, now, p_value))
        if p_value <= _UNLIKELY:
            evidence = (
                f"{name[0].upper()}{name[1:]} {was} → {now}, {len(before):,} and {len(after):,} rows, {_show(p_value)}."
            )
            kind = "shifted target" if what.startswith("target") else "shifted predictions"
            severity = 2 if what.startswith("target") else 3
            findings.append(Finding(kind, severity, (), f"The {what} differs.", evidence, action))
    if rows:
        table = pd.DataFrame(rows, columns=["compared", "measure", "before", "now", "p_value"])
        section.add_table(table, "Targets and predictions.", {"p_value": "{:.3f}"})
    section.add_findings(findings)


def _compare_targets(data: ReportData) -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    if data.X_valid is None or data.y_valid is None or min(len(data.y), len(data.y_valid)) < _LEAST_ROWS:
        return []
    action = "Scores on these rows are not those on rows like the training rows; check how the rows were split."
    return [("target of held-out rows", np.asarray(data.y), np.asarray(data.y_valid), action)]


def _compare_predictions(data: ReportData) -> list[tuple[str, np.ndarray, np.ndarray, str]]:
    """Predictions of rows that were not in fit and of the newest rows; training predictions are too close to y."""
    if data.X_new is None or data.X_valid is None or min(len(data.X_new), len(data.X_valid)) < _LEAST_ROWS:
        return []
    newest = data.X_new.iloc[data.sample(len(data.X_new), MANY_ROWS)]
    at = -1  # the second of two classes
    after = predictor(data.model)(newest)[:, at]
    of = f"probability of {data.model.classes_[at]}" if data.is_classifier else "prediction"
    action = "Check which columns have shifted; without their targets, the errors of the new rows are not known."
    return [
        (
            f"predicted {of} of the newest rows".replace("predicted prediction", "prediction"),
            data.predicted[:, at],
            after,
            action,
        )
    ]


def _test_labels(before: np.ndarray, after: np.ndarray) -> float:
    """The chi-squared test of two columns of labels, rare ones pooled."""
    codes, labels = pd.factorize(np.concatenate([before, after]))
    counts = np.stack([np.bincount(part, minlength=len(labels)) for part in np.split(codes, [len(before)])])
    shares = counts.sum(axis=1, keepdims=True) / counts.sum()
    rare = (counts.sum(axis=0) * shares).min(axis=0) < 5
    if rare.any():
        counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    return float(chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


def _describe(before: np.ndarray, after: np.ndarray, is_label: bool) -> tuple[str, str, str]:
    """The mean, or the share of the label that changed most, before and after, and its name."""
    if not is_label:
        return show_number(np.mean(before)), show_number(np.mean(after)), "mean"
    labels = np.unique(np.concatenate([before, after]))
    shares = [np.array([np.mean(part == label) for label in labels]) for part in (before, after)]
    most = int(np.abs(shares[1] - shares[0]).argmax()) if len(labels) != 2 else 1
    return f"{shares[0][most]:.1%}", f"{shares[1][most]:.1%}", f"share of {labels[most]}"


def _show(p_value: float) -> Any:
    return "p < 1e-16" if p_value < 1e-16 else f"p = {p_value:.2g}"
