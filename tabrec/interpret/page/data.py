"""Sections on the data: the columns, target leakage, and the shift between training and newest rows."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.audit.leakage import leakage_check
from tabrec.interpret.audit.placeholders import find_placeholders
from tabrec.interpret.change.drift import drift_over_time
from tabrec.interpret.change.extrapolation import extrapolation_check
from tabrec.interpret.change.shift import domain_shift
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.outcomes import add_outcomes
from tabrec.interpret.page.report_data import ReportData
from tabrec.preprocess import column_kinds

_MAX_COLUMNS = 200
_LEAST_DRIFTING, _MOST_DRIFTING = 300, 3_000  # numbers of rows with a date
_LOW_IMPORTANCE = 0.05  # share of the total importance below which a finding on a column is not urgent


def add_data(section: Section, data: ReportData) -> None:
    """List the columns with their kinds, and values that look like codes for missing."""
    kinds = column_kinds(data.X)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds["kind"].value_counts().items())
    section.add_text(
        f"{len(data.X):,} rows and {len(kinds)} columns: {counts}. Integers with at most 20 distinct values count as "
        "categorical here."
    )
    table = kinds.head(_MAX_COLUMNS).reset_index()
    table["example"] = [None if example is None else str(example)[:60] for example in table["example"]]
    table = table.rename(columns={"n_unique": "distinct"})[["column", "kind", "distinct", "missing", "example"]]
    section.add_table(table, "The raw columns.", {"distinct": "{:,}", "missing": "{:.1%}"})
    if len(kinds) > _MAX_COLUMNS:
        section.add_note(f"{len(kinds) - _MAX_COLUMNS} more columns are not listed.")
    section.add_findings(find_placeholders(data.X))


def add_leakage(section: Section, data: ReportData) -> None:
    """Show columns that predict the target suspiciously well."""
    held_out = (data.X_valid, data.y_valid)
    result = leakage_check(data.model, data.X, data.y, *held_out, random_state=data.random_state)
    section.add_text(
        "How well each column alone predicts the target out of fold, and how well its missing values do. A column that "
        "predicts almost everything was often recorded after the outcome. Rows that occur twice, on both sides of the "
        "split or among the training rows, are a leak too: they are among the findings, if there are any."
    )
    section.add_figure(result.plot(), "Score of each column alone.")
    section.add_findings(result.findings)


def add_shift(section: Section, data: ReportData) -> None:
    """Show how the newest rows differ from the training rows, and which values are outside the training range."""
    _add_drift(section, data)
    if data.newest is None:
        section.add_note("There are no newer rows to compare with: pass X_valid or X_new.")
        return
    X_new = data.newest[[name for name in data.X.columns if name in data.newest.columns]]
    result = domain_shift(data.X, X_new, model=data.model, importance=data.importance, random_state=data.random_state)
    section.add_text(
        f"A forest is trained to distinguish the {len(data.X):,} training rows from the {len(X_new):,} newest rows. An "
        "AUC of 0.5 means that it cannot. The columns it relies on are set aside, and the next round repeats the test."
    )
    section.add_table(result.rounds, "Rounds of the test.", {"p_value": "{:.3f}", "auc": "{:.3f}"})
    section.add_figure(result.plot(), "Shift of each column against its importance to the model.")
    section.add_findings(result.findings)
    add_outcomes(section, data)
    outside = extrapolation_check(data.model, data.X, X_new, random_state=data.random_state)
    if (outside.rows > 0).any():
        section.add_figure(outside.plot(), "Share of the newest rows outside the training range.")
    named = {name for finding in result.findings for name in finding.columns}
    found = _soften(outside.findings, data)
    section.add_findings([each for each in found if each.severity == 1 or not named.issuperset(each.columns)])


def _add_drift(section: Section, data: ReportData) -> None:
    """Show how columns change from period to period, for tables with a column of dates."""
    kinds = column_kinds(data.X)["kind"]
    newest = data.X.head(0) if data.newest is None else data.newest
    dates = [name for name in kinds.index[kinds == "date"] if data.newest is None or name in newest]
    shared = [name for name in data.X.columns if data.newest is None or name in newest]
    if not dates or len(shared) < 2:
        return
    both = pd.concat([data.X[shared], newest[shared]], ignore_index=True)
    name = min(dates, key=lambda each: (both[each].isna().sum(), dates.index(each)))
    both = both[both[name].notna()]
    both = both.iloc[data.sample(len(both), _MOST_DRIFTING)]
    if len(both) < _LEAST_DRIFTING:
        return
    result = drift_over_time(both, name)
    section.add_text(
        f"Six periods of {name} with as many rows each, training and newest rows together. The distance is that of the "
        "cumulative shares of numbers, or of the shares of labels: 0 for no change, 1 for no value in common."
    )
    section.add_figure(result.plot(), f"Distance of each column from the first of six periods of {name}.")


def _soften(findings: list[Finding], data: ReportData) -> list[Finding]:
    """Lower the severity of findings on columns of low importance."""
    table = data.importance.table
    importance = table["importance"].clip(lower=0)
    share = (importance / max(importance.sum(), 1e-12)).groupby(table["source"]).max()
    return [
        replace(finding, severity=max(finding.severity, 2))
        if finding.columns and all(share.get(name, 0.0) < _LOW_IMPORTANCE for name in finding.columns)
        else finding
        for finding in findings
    ]
