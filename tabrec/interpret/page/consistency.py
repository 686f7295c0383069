"""Findings of one page that exclude each other."""

from __future__ import annotations

from itertools import combinations

from tabrec.interpret._result import Finding

# What findings of a kind state on a subject. Two statements on one subject that differ exclude each other.
_STATEMENTS = {
    "unclear importance": ("importance", "unclear"),
    "harmful columns": ("importance", "harmful"),
    "no shift": ("shift", "none"),
    "domain shift": ("shift", "found"),
    "shifted column": ("shift", "found"),
    "shifted columns": ("shift", "found"),
    "shifted correlation": ("shift", "found"),
    "joint shift": ("shift", "found"),
}
# Findings of severity 1 of these kinds state that the model relies on the column.
_RELIED_ON = ("shifted column", "id that matters")


def find_contradictions(findings: list[Finding]) -> list[tuple[Finding, Finding]]:
    """Pairs of findings that state different things on the same subject and columns; no columns stand for all."""
    return [pair for pair in combinations(findings, 2) if _exclude(*pair)]


def reconcile(findings: list[Finding]) -> list[Finding]:
    """Leave out the less severe finding of each pair that exclude each other."""
    dropped = [max(pair, key=lambda finding: finding.severity) for pair in find_contradictions(findings)]
    return [finding for finding in findings if finding not in dropped]


def _exclude(first: Finding, second: Finding) -> bool:
    on_both = not first.columns or not second.columns or set(first.columns) & set(second.columns)
    pairs = [(one, other) for one in _statements(first) for other in _statements(second)]
    return bool(on_both) and any(one[0] == other[0] and one[1] != other[1] for one, other in pairs)


def _statements(finding: Finding) -> list[tuple[str, str]]:
    found = [_STATEMENTS[finding.kind]] if finding.kind in _STATEMENTS else []
    if finding.severity == 1 and finding.kind in _RELIED_ON:
        found.append(("importance", "clear"))
    return found
