"""Sections on the world around the model: leaks from the target, and rows unlike those of fit."""

from __future__ import annotations

from dataclasses import replace

from tabrec.interpret._result import Finding
from tabrec.interpret.audit.leakage import leakage_check
from tabrec.interpret.change.extrapolation import extrapolation_check
from tabrec.interpret.change.shift import domain_shift
from tabrec.interpret.page.blocks import Section
from tabrec.interpret.page.subject import Subject

# Columns of less than this share of the importance are of little account.
_LITTLE = 0.05


def show_leaks(section: Section, subject: Subject) -> None:
    """Columns that know the target too well."""
    result = leakage_check(subject.model, subject.X, subject.y, random_state=subject.random_state)
    section.say(
        "What a column alone foretells of the target, out of fold, and what its being missing does. A column that "
        "knows nearly all is often written after the fact."
    )
    section.draw_as_it_is(result.plot(), "What single columns foretell.")
    section.find(result.findings)


def show_shift(section: Section, subject: Subject) -> None:
    """How the newest rows differ from those of fit, and where that carries the model out of what it knows."""
    if subject.newest is None:
        section.note("There are no newer rows to compare with: give X_valid, or X_new.")
        return
    X_new = subject.newest[[name for name in subject.X.columns if name in subject.newest.columns]]
    result = domain_shift(
        subject.X, X_new, model=subject.model, importance=subject.importance, random_state=subject.random_state
    )
    section.say(
        f"A forest is asked to tell the {len(subject.X):,} rows of fit from the {len(X_new):,} newest ones. An AUC of "
        "0.5 means it cannot. Columns that give it away are set aside, and it is asked again."
    )
    section.show(result.rounds, "Round by round.", {"p_value": "{:.3f}", "auc": "{:.3f}"})
    section.draw_as_it_is(result.plot(), "Columns by how much they moved, and how much the model relies on them.")
    section.find(result.findings)
    outside = extrapolation_check(subject.model, subject.X, X_new, random_state=subject.random_state)
    if (outside.rows > 0).any():
        section.draw_as_it_is(outside.plot(), "Newest rows outside what was seen in fit.")
    named = {name for finding in result.findings for name in finding.columns}
    found = _soften(outside.findings, subject)
    section.find([finding for finding in found if finding.severity == 1 or not named.issuperset(finding.columns)])


def _soften(findings: list[Finding], subject: Subject) -> list[Finding]:
    """Findings on columns of which the model makes little: worth a look, but nothing to act on at once."""
    table = subject.importance.table
    share = (
        (table["importance"].clip(lower=0) / max(table["importance"].clip(lower=0).sum(), 1e-12))
        .groupby(table["source"])
        .max()
    )
    return [
        replace(finding, severity=max(finding.severity, 2))
        if finding.columns and all(share.get(name, 0.0) < _LITTLE for name in finding.columns)
        else finding
        for finding in findings
    ]


def order_findings(findings: list[Finding]) -> list[Finding]:
    """What to act on first, else in the order in which it was found; the same words once."""
    distinct = {(finding.kind, finding.text): finding for finding in findings}
    return sorted(distinct.values(), key=lambda finding: finding.severity)
