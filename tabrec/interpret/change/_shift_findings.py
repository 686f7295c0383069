"""Findings on a domain shift and the columns and correlations that cause it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.change._column_tests import CorrelationTest, detectable_shift
from tabrec.interpret.change._shift_columns import ColumnPair
from tabrec.interpret.change._shift_rounds import Round

_MOST_NAMES = 10
# A shifted column with at least this AUC gets its own finding, up to a maximum of each kind.
_STANDS_OUT, _MOST_FINDINGS = 0.6, 5
_FAR = 0.2  # a smaller distance, with a small AUC, is a slight shift
# Smallest distance of a significantly different column that counts as shifted.
_LEAST_DISTANCE = 0.08
# Shares of the significance level by kind of test.
OF_CLASSIFIER, OF_COLUMNS, OF_CORRELATIONS = 0.2, 0.6, 0.2


@dataclass(frozen=True)
class Verdict:
    """The joint result of the tests of the classifier, the columns and the correlations."""

    rounds: list[Round]
    table: pd.DataFrame
    correlations: CorrelationTest | None
    level: float
    n_rows: tuple[int, int]

    @property
    def p_value(self) -> float:
        p_values = [self.rounds[0].p_value / OF_CLASSIFIER, float(self.table["p_value"].min()) / OF_COLUMNS]
        if self.correlations is not None:
            p_values.append(self.correlations.p_value / OF_CORRELATIONS)
        return min(*p_values, 1.0)

    @property
    def clear_columns(self) -> set[str]:
        """The columns whose own test is significant."""
        return set(self.table["column"][self.table["p_value"] <= self.level * OF_COLUMNS])

    @property
    def shifted_columns(self) -> list[str]:
        """The columns whose own test is significant and whose distance is not small, in the order of the table."""
        is_far = self.table["distance"] >= _LEAST_DISTANCE
        return self.table["column"][self.table["column"].isin(self.clear_columns) & is_far].tolist()

    @property
    def correlation_shifted(self) -> bool:
        return self.correlations is not None and self.correlations.p_value <= self.level * OF_CORRELATIONS

    def describe(self) -> Finding:
        """Describe whether there is a shift, the evidence, and the smallest shift that would be detected."""
        first, last = self.rounds[0], self.rounds[-1]
        removed_columns = [name for found in self.rounds for name in found.removed_columns]
        names = tuple(dict.fromkeys([*removed_columns, *self.shifted_columns]))
        evidence = f"Classifier: AUC {first.auc:.2f} on held-out rows, p {_show_p(first.p_value)}."
        if removed_columns and not last.removed_columns:
            evidence += f" Without {len(removed_columns)} column(s): AUC {last.auc:.2f}, p {_show_p(last.p_value)}."
        evidence += f" Columns: smallest adjusted p {_show_p(self.table['p_value'].min())}."
        if self.correlations is not None:
            evidence += f" Correlations: smallest adjusted p {_show_p(self.correlations.p_value)}."
        if self.p_value > self.level:
            return self._describe_none(evidence)
        if not names and not self.correlation_shifted:
            text = "The new rows differ from the training rows, but every difference is small."
            return Finding("domain shift", 3, (), text, evidence, "Repeat the test when there are more rows.")
        text = "The new rows differ from the training rows."
        action = "Validate on the latest rows, and look at the shifted columns one by one."
        return Finding("domain shift", 2, names, text, evidence, action)

    def _describe_none(self, evidence: str) -> Finding:
        text = "No difference between the new rows and the training rows was found with these rows."
        if (self.table["kind"] == "continuous").any():
            shift = detectable_shift(*self.n_rows, len(self.table), self.level * OF_COLUMNS)
            evidence += f" A mean that moves by {shift:.2g} standard deviations would be found nine times in ten."
        return Finding("no shift", 3, (), text, evidence, "Test again with more rows to find smaller shifts.")

    def describe_correlation(self) -> list[Finding]:
        found = self.correlations
        if found is None or not self.correlation_shifted:
            return []
        text = f"The correlation of {found.columns[0]} and {found.columns[1]} has shifted."
        evidence = (
            f"Rank correlation {found.train:.2f} in training, {found.new:.2f} in new rows; p {_show_p(found.p_value)}."
        )
        action = "Look at both columns together in the new rows."
        return [Finding("shifted correlation", 2, found.columns, text, evidence, action)]


def describe_columns(
    table: pd.DataFrame, shifted: list[str], verdict: Verdict, pairs: list[ColumnPair], unclear: set[str]
) -> list[Finding]:
    """Return findings on columns: single ones for relied-on columns and large AUCs, joint ones for the others.

    The importance of the columns in `unclear` is not significantly above 0. The last finding is on columns that the
    classifier uses although their own test is not significant.
    """
    id_reasons = {pair.name: pair.id_reason for pair in pairs}
    own = table["column"].isin(shifted) & table["column"].isin(verdict.clear_columns)
    rows: list[Any] = list(table.assign(has_shifted=own).itertuples())
    # More than the share of each column if all were equally important.
    important = [row for row in rows if row.model_importance > 1 / len(rows)]
    relied_on = [row for row in important if row.has_shifted or id_reasons[row.column]]
    perhaps = [row for row in relied_on if row.column in unclear and row.has_shifted]
    relied_on = [row for row in relied_on if row.column not in unclear]
    relied_on = sorted(relied_on, key=lambda row: -row.model_importance)[:_MOST_FINDINGS]
    perhaps = sorted(perhaps, key=lambda row: -row.model_importance)[:_MOST_FINDINGS]
    others = [row for row in rows if row.has_shifted and row not in relied_on + perhaps]
    apart = [row for row in others if row.auc >= _STANDS_OUT and row not in important][:_MOST_FINDINGS]
    findings = [_relied_on(row, id_reasons[row.column]) for row in relied_on]
    findings += [_perhaps_used(row) for row in perhaps] + [_less_used(row) for row in apart]
    findings += _of_the_rest([row for row in others if row not in apart])
    return findings + _joint([row for row in rows if row.column in shifted and not row.has_shifted], important)


def _relied_on(row: Any, id_reason: str) -> Finding:
    share = f"{row.model_importance:.0%} of the model's importance"
    action = "Retrain without it and compare on later rows, with drop_and_compare."
    if not row.has_shifted:
        text = f"The model relies on {row.column}, which {id_reason}."
        return Finding("id that matters", 1, (row.column,), text, f"{share}.", action)
    evidence = f"{_evidence(row)}, {share}."
    if row.auc < _STANDS_OUT and row.distance < _FAR:
        text = f"{row.column} has shifted slightly, and the model relies on it{_colon(row.how)}."
        action = "The shift is small: compare the scores of older and newer rows before acting on it."
        return Finding("shifted column", 2, (row.column,), text, evidence, action)
    text = f"{row.column} has shifted, and the model relies on it{_colon(row.how)}."
    return Finding("shifted column", 1, (row.column,), text, evidence, action)


def _perhaps_used(row: Any) -> Finding:
    text = f"{row.column} has shifted, and these rows do not show whether the model needs it{_colon(row.how)}."
    evidence = (
        f"{_evidence(row)}, {row.model_importance:.0%} of the model's importance, within two standard errors of 0."
    )
    action = "Measure its importance on more rows, or retrain without it and compare, with drop_and_compare."
    return Finding("shifted column", 2, (row.column,), text, evidence, action)


def _less_used(row: Any) -> Finding:
    text, evidence = f"{row.column} has shifted{_colon(row.how)}.", f"{_evidence(row)}."
    if np.isnan(row.model_importance):
        action = "Where a model relies on it, retrain without it and compare on later rows, with drop_and_compare."
        return Finding("shifted column", 2, (row.column,), text, evidence, action)
    evidence = f"{_evidence(row)}, {row.model_importance:.0%} of the model's importance."
    action = "Less urgent than shifts of columns with more importance."
    return Finding("shifted column", 3, (row.column,), text, evidence, action)


def _of_the_rest(rows: list[Any]) -> list[Finding]:
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: -row.auc)
    names = tuple(row.column for row in rows)
    text = f"Columns with smaller shifts: {_list(names)}"
    evidence = f"{len(rows)} column(s), each with an AUC of {rows[0].auc:.2f} or less by itself."
    return [Finding("shifted columns", 3, names, text, evidence, "See in the table how they differ.")]


def _joint(rows: list[Any], important: list[Any]) -> list[Finding]:
    """Describe columns that the classifier uses although their own test is not significant."""
    if not rows:
        return []
    names, used = tuple(row.column for row in rows), [row for row in rows if row in important]
    itself = "has not clearly shifted by itself" if len(names) == 1 else "have not clearly shifted by themselves"
    text = f"The classifier distinguishes the new rows by {_list(names).removesuffix('.')}, which {itself}."
    evidence = f"Smallest adjusted p {_show_p(min(row.p_value for row in rows))}."
    if used:
        evidence = f"{evidence[:-1]}; {sum(row.model_importance for row in used):.0%} of the model's importance."
    action = "Look at pairs of these columns in both tables: their combinations may differ."
    return [Finding("joint shift", 2 if used else 3, names, text, evidence, action)]


def _evidence(row: Any) -> str:
    reason = f"; {row.reason}" if row.reason else ""
    return f"AUC {row.auc:.2f} by itself, distance {row.distance:.2f}, adjusted p {_show_p(row.p_value)}{reason}"


def _colon(how: str) -> str:
    return f": {how}" if how else ""


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else ".")


def describe_absent(names: list[str], side: str) -> list[Finding]:
    if not names:
        return []
    text = f"Only {side} has {_list(names)}"
    action = "Fit the model without it." if side == "X_train" else "A model of the training rows cannot use it."
    return [Finding("column of one side", 3, tuple(names), text, f"{len(names)} column(s) were not compared.", action)]


def _show_p(p_value: float) -> str:
    return "< 1e-16" if p_value < 1e-16 else f"= {p_value:.3g}"
