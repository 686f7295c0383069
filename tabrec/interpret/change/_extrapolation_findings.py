"""Findings of `extrapolation_check`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaln

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding

# Shares of new rows: the smallest reported, the smallest requiring action, and the excess at the edge over training.
_MIN_SHARE, _LARGE_SHARE, _MORE_AT_EDGE = 0.01, 0.2, 0.05
_CHANCE = 0.05  # largest probability, over all columns, that rows outside are chance


def find_outside(table: pd.DataFrame, limits: pd.Series, n_train: int, n_new: int, of_forest: bool) -> list[Finding]:
    """Name columns with more new rows outside of the training range than chance gives, and predictions at its edge."""
    lines: list[Any] = list(table.itertuples())
    outside = [line for line in lines if line.below_min + line.above_max >= _MIN_SHARE]
    found = [_range_finding(line, of_forest) for line in outside if _is_no_chance(line, n_train, n_new, len(lines))]
    found += [_unseen_finding(line) for line in lines if line.unseen >= _MIN_SHARE]
    found += [_missing_finding(line) for line in lines if line.newly_missing >= _MIN_SHARE]
    found += _edge_findings(limits, n_new)
    return sorted(found, key=lambda finding: finding.severity)


def _is_no_chance(line: Any, n_train: int, n_new: int, n_columns: int) -> bool:
    """Return whether this number of new rows beyond all training rows is unlikely to occur by chance.

    The p-value is the probability that the k largest of all rows are new, if new rows are drawn without replacement.
    """
    k = round(max(line.below_min, line.above_max) * n_new)
    logarithm = gammaln(n_new + 1) - gammaln(n_new - k + 1) + gammaln(n_train + n_new - k + 1)
    logarithm -= gammaln(n_train + n_new + 1)
    return bool(np.exp(logarithm) * 2 * n_columns <= _CHANCE)


def _range_finding(line: Any, of_forest: bool) -> Finding:
    outside = line.below_min + line.above_max
    where = "above" if line.above_max >= line.below_min else "below"
    pins = of_forest and line.clipped > 0.5 and line.train_min != line.train_max
    said = ", where the trees predict a constant" if pins else ""
    text = f"{outside:.1%} of the new rows lie {where} the training range of {line.column}{said}."
    low, high, extreme = _write_apart([line.train_min, line.train_max, line.most_extreme])
    evidence = (
        f"Training {low} to {high}, new rows up to {extreme}; with the value set to the edge, {line.clipped:.0%} of "
        f"these predictions stay the same and the mean change is {line.change:.4g}."
    )
    action = (
        "If the target continues to change along this column, train on newer rows, predict a difference or a ratio, or "
        "use a model that extrapolates; if it is an id or a clock, try the model without it."
    )
    severity = 1 if pins and outside >= _LARGE_SHARE else 2
    return Finding("outside the training range", severity, (line.column,), text, evidence, action)


def _write_apart(values: list[Any]) -> list[str]:
    """Format dates and numbers as text, with at least 4 digits and as many as they need to differ."""
    if isinstance(values[0], pd.Timestamp):
        return [str(value.date()) for value in values]
    for digits in range(4, 18):
        texts = [show_number(value, digits).replace(",", "") for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def _unseen_finding(line: Any) -> Finding:
    text = f"{line.unseen:.1%} of the new rows have a label of {line.column} that is not in training."
    action = "The model treats such a label as missing: train on newer rows, or merge rare labels."
    return Finding("unseen labels", 2, (line.column,), text, f"Most often {line.most_extreme!r}.", action)


def _missing_finding(line: Any) -> Finding:
    text = f"{line.newly_missing:.1%} of the new rows lack {line.column}, which no training row did."
    action = "Find out why it is missing now; the model was fitted without missing values there."
    return Finding("newly missing", 2, (line.column,), text, "None is missing in training.", action)


def _edge_findings(limits: pd.Series, n_new: int) -> list[Finding]:
    if not limits["max"] > limits["min"]:
        return []
    action = "Where the target may lie beyond its training range, do not rely on these predictions."
    found = []
    for edge, limit in (("lowest", "min"), ("highest", "max")):
        share, before = limits[f"share_at_{limit}"], limits[f"train_share_at_{limit}"]
        # The share, less two standard errors, is clearly larger than before.
        if share - 2 * np.sqrt(share * (1 - share) / n_new) >= before + _MORE_AT_EDGE:
            text = f"{share:.1%} of the new predictions are at the {edge} prediction for training rows."
            evidence = (
                f"Within 1% of the range from {limits['min']:.4g} to {limits['max']:.4g}, or beyond; for "
                f"training rows {before:.1%}."
            )
            found.append(Finding("predictions at the edge", 2, (), text, evidence, action))
    return found
