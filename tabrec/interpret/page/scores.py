"""Sections on performance: scores compared with a baseline, and the training history."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.interpret.certainty.out_of_bag import oob_report
from tabrec.interpret.metrics import METRICS, beats_baseline
from tabrec.interpret.models import classes_of, predictor
from tabrec.interpret.page.blocks import NARROW, Section
from tabrec.interpret.page.report_data import LEAST_SEGMENTED, MANY_ROWS, ReportData
from tabrec.interpret.quality.classification import classification_curves
from tabrec.plotting.axes import BLUE, GREY, ORANGE, finish, make_axes, number_axis, shorten

_N_DOTS = 1_500
_HALF = 0.5
_CURVES = {
    "roc": "ROC curve",
    "precision_recall": "Precision and recall",
    "calibration": "Calibration",
    "gain": "Cumulative gain",
}


def summarise_scores(data: ReportData) -> str:
    """Summarise the score of the evaluated rows, with two standard errors, compared with the baseline."""
    y, classes, weights = data.judged[1], classes_of(data.model), data.judged_weights
    told = []
    for metric in (METRICS[name] for name in (("log_loss", "accuracy") if data.is_classifier else ("rmse", "r2"))):
        gains, base = (metric.gains(y, predicted, classes, weights) for predicted in (data.predicted, data.baseline))
        score, error = metric.score(gains, weights), 2 * metric.standard_error(gains, weights)
        interval = f" ± {show_number(error, 2)}" if np.isfinite(error) else ""
        digits = 3 if not error > 0 else max(0, 1 - int(np.floor(np.log10(error))))
        told.append(f"{metric.name} {score:,.{digits}f}{interval} (baseline {metric.score(base, weights):,.{digits}f})")
    where = "training rows, which is too optimistic" if data.X_valid is None else "held-out rows"
    told[0] = told[0][0].upper() + told[0][1:]
    return f"{', '.join(told)} on {len(y):,} {'weighted ' if weights is not None else ''}{where}."


def add_scores(section: Section, data: ReportData) -> None:
    """Show the scores compared with a baseline, and predictions against actual values."""
    if data.has_oob and data.X_valid is not None:
        _compare_with_oob(data, section)
    else:
        _compare_with_baseline(data, section)
    if data.is_classifier:
        _add_classes(data, section)
    else:
        section.add_figure(_plot_predicted(data), f"Predicted against actual {data.target}.")
        section.add_figure(_plot_residuals(data), f"Residuals (actual minus predicted {data.target}) by prediction.")


def _compare_with_oob(data: ReportData, section: Section) -> None:
    # All training rows are passed, because `oob_report` draws its own sample.
    weights: dict[str, Any] = {"sample_weight": data.weights, "sample_weight_valid": data.weights_valid}
    result = oob_report(data.model, data.X_valid, data.y_valid, X=data.X, y=data.y, max_rows=MANY_ROWS, **weights)
    metric = result.metric[0].upper() + result.metric[1:]
    section.add_table(result.table, f"{metric}.", {"n": "{:,}"})
    axes = result.plot(make_axes(None, (6.4, 2.8)))
    section.add_figure(axes, "Scores on the training rows, out of bag, and on held-out rows.")
    section.add_findings(result.findings)


def _compare_with_baseline(data: ReportData, section: Section) -> None:
    names = ["accuracy", "log_loss"] if data.is_classifier else ["rmse", "mae", "r2"]
    y, weights = data.judged[1], data.judged_weights
    baseline = data.baseline, y, weights
    if data.X_valid is None:
        parts = {"training": (data.predicted, y, weights), "baseline": baseline}
        section.add_note("There are no held-out rows: scores on training rows are too optimistic.")
    else:
        rows = data.sample(len(data.X), MANY_ROWS)
        of_rows = None if data.weights is None else data.weights[rows]
        training = predictor(data.model)(data.X.iloc[rows]), data.y[rows], of_rows
        parts = {"training": training, "validation": (data.predicted, y, weights), "baseline": baseline}
    classes = data.model.classes_ if data.is_classifier else None
    table = pd.DataFrame({"rows": list(parts)})
    for metric in (METRICS[name] for name in names):
        table[metric.name] = [metric.score(metric.gains(y, p, classes, w), w) for p, y, w in parts.values()]
    section.add_table(table, "The baseline predicts the mean, or the class shares, of the training rows for every row.")
    is_better, scores = beats_baseline(y, data.predicted, data.baseline, classes, weights)
    if not is_better:
        text = "The model is not clearly better than a baseline that ignores all columns."
        evidence = f"{scores} (two standard errors) on {len(y):,} rows."
        action = "Do not use the model yet: check the target, the split, and whether the columns can predict it."
        section.add_findings([Finding("no better than a baseline", 1, (), text, evidence, action)])


def add_curves(section: Section, data: ReportData) -> None:
    """Show ROC, precision and recall, calibration and gain of one class, and a table of thresholds."""
    if data.X_valid is None:
        section.add_note("The curves need held-out rows: on training rows they would be too optimistic.")
        return
    result = classification_curves(data.model, *data.judged, sample_weight=data.judged_weights)
    for kind, caption in _CURVES.items():
        caption = f"{caption} of {shorten(result.output)}."
        section.add_figure(result.plot(kind=kind), caption, width=NARROW, height=NARROW)
    rounded = result.table[np.isclose(result.table["threshold"] * 10 % 1, 0, atol=1e-6)]
    shares = dict.fromkeys(["selected", "precision", "recall", "false_positive_rate"], "{:.1%}")
    section.add_table(rounded.drop(columns="cost"), "What each threshold gives.", {"threshold": "{:.2f}"} | shares)
    confusion = result.confusion(_HALF)
    confusion.columns = [f"predicted {name}" for name in confusion.columns]
    confusion = confusion.rename_axis("actual").reset_index()
    counted = "Rows" if data.judged_weights is None else "Weight of the rows"
    section.add_table(confusion, f"{counted} by actual and predicted class, at a probability of 0.5.", {})
    section.add_findings(result.findings)


def add_segments(section: Section, data: ReportData) -> None:
    """Show the segments of the evaluated rows with the largest errors."""
    if not data.has_segments:
        section.add_note(f"Errors by segment need at least {LEAST_SEGMENTED} held-out rows.")
        return
    result = data.segments
    section.add_text(
        "Labels, fifths of numbers and dates, and pairs of these, with the worst scores. One half of the held-out "
        "rows chose them, the other half gives the scores."
    )
    section.add_figure(
        result.plot(), f"{result.metric} by segment, with 95% intervals and numbers of rows; grey: no clear difference."
    )
    section.add_findings(result.findings)


def _add_classes(data: ReportData, section: Section) -> None:
    y = np.asarray(data.judged[1])
    guessed = np.asarray(data.model.classes_)[data.predicted.argmax(axis=1)]
    weights = np.ones(len(y)) if data.judged_weights is None else data.judged_weights
    rows = []
    for label in data.model.classes_[:30]:
        actual, predicted = y == label, guessed == label
        hits, of_actual, of_predicted = (weights[each].sum() for each in (actual & predicted, actual, predicted))
        rows.append((str(label), actual.sum(), hits / (of_actual or 1), hits / (of_predicted or 1)))
    table = pd.DataFrame(rows, columns=["class", "rows", "recall", "precision"])
    section.add_table(table, "Scores by class.", {"rows": "{:,}", "recall": "{:.1%}", "precision": "{:.1%}"})


def _plot_predicted(data: ReportData) -> Any:
    ax = make_axes(None, (4.9, 4.2))
    rows = data.sample(len(data.judged[1]), _N_DOTS)
    actual = np.asarray(data.judged[1], dtype=np.float64).reshape(len(data.judged[1]), -1)[rows, 0]
    predicted = data.predicted[rows, 0]
    ends = [min(actual.min(), predicted.min()), max(actual.max(), predicted.max())]
    ax.plot(ends, ends, color=GREY, linewidth=1)
    ax.scatter(actual, predicted, s=7, color=BLUE, alpha=0.35, linewidth=0)
    ax.set(xlabel=f"actual {shorten(data.target)}", ylabel="predicted")
    _number_axes(ax)
    return finish(ax)


def _plot_residuals(data: ReportData) -> Any:
    ax = make_axes(None, (4.9, 4.2))
    rows = data.sample(len(data.judged[1]), _N_DOTS)
    predicted, residual = data.predicted[rows, 0], -data.errors()[rows]
    ax.axhline(0, color=GREY, linewidth=1)
    ax.scatter(predicted, residual, s=7, color=BLUE, alpha=0.35, linewidth=0)
    # The median residual by decile of the predictions, which is 0 for unbiased predictions.
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, min(10, len(order))) if len(part)]
    ax.plot(
        [np.median(predicted[part]) for part in parts],
        [np.median(residual[part]) for part in parts],
        "o-",
        color=ORANGE,
        markersize=4,
        label="median by tenth",
    )
    ax.legend(frameon=False, fontsize=8)
    ax.set(xlabel=f"predicted {shorten(data.target)}", ylabel="actual minus predicted")
    _number_axes(ax)
    return finish(ax)


def _number_axes(ax: Any) -> None:
    number_axis(ax.xaxis, n_ticks=5)
    number_axis(ax.yaxis)


def add_training(section: Section, data: Any) -> None:
    """Show the losses of a net or a recommender by epoch."""
    from tabrec.neural import plot_history

    history = data.model.history_
    section.add_figure(plot_history(history, make_axes(None, (6.4, 3.4))), f"Losses over {len(history)} epochs.")
    section.add_findings(_find_overfitting(history))


def _find_overfitting(history: pd.DataFrame) -> list[Finding]:
    if "valid_loss" not in history or not np.isfinite(history["valid_loss"]).any():
        return []
    valid = history["valid_loss"].to_numpy()
    best = int(np.nanargmin(valid))
    if valid[-1] <= 1.02 * valid[best]:
        return []
    text = f"The validation loss was lowest in epoch {best + 1} of {len(valid)} and rose afterwards."
    evidence = f"Validation loss {valid[best]:.4g} at its lowest, {valid[-1]:.4g} in the last epoch."
    action = "Train for fewer epochs, or set patience, which keeps the weights of the best epoch."
    return [Finding("too many epochs", 2, (), text, evidence, action)]
