"""Find and resolve contradictions between the findings of a page, and group findings that are alike."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from tabrec.interpret._result import Finding

# Subject and statement of findings by kind. Different statements on the same subject contradict each other.
_STATEMENTS = {
    "unclear importance": ("importance", "unclear"),
    "harmful columns": ("importance", "harmful"),
    "no shift": ("shift", "none"),
    "domain shift": ("shift", "found"),
    "shifted target": ("shift", "found"),
    "shifted predictions": ("shift", "found"),
    "shifted column": ("shift", "found"),
    "shifted columns": ("shift", "found"),
    "shifted correlation": ("shift", "found"),
    "joint shift": ("shift", "found"),
}
# Findings of severity 1 of these kinds state that the model relies on the column.
_RELIED_ON = ("shifted column", "id that matters")


def find_contradictions(findings: list[Finding]) -> list[tuple[Finding, Finding]]:
    """Find pairs of contradictory findings on the same columns; a finding without columns is on all of them."""
    return [pair for pair in combinations(findings, 2) if _exclude(*pair)]


def reconcile(findings: list[Finding]) -> list[Finding]:
    """Remove the less severe finding of each contradictory pair."""
    dropped = [max(pair, key=lambda finding: finding.severity) for pair in find_contradictions(findings)]
    return [finding for finding in findings if finding not in dropped]


def group_alike(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Group findings of the same severity, kind and action, in the order of the first of each group."""
    groups: dict[tuple, list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.kind, finding.action), []).append(finding)
    return list(groups.values())


def describe_alike(group: list[Finding]) -> str:
    """Return the text of the first finding of a group, and the number of the others."""
    others = f" (and {len(group) - 1} more of this kind)" if len(group) > 1 else ""
    return group[0].text + others


def _exclude(first: Finding, second: Finding) -> bool:
    on_both = not first.columns or not second.columns or set(first.columns) & set(second.columns)
    pairs = [(one, other) for one in _statements(first) for other in _statements(second)]
    return bool(on_both) and any(one[0] == other[0] and one[1] != other[1] for one, other in pairs)


def _statements(finding: Finding) -> list[tuple[str, str]]:
    found = [_STATEMENTS[finding.kind]] if finding.kind in _STATEMENTS else []
    if finding.severity == 1 and finding.kind in _RELIED_ON:
        found.append(("importance", "clear"))
    return found
