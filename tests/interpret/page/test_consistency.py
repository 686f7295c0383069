"""Findings of one page do not exclude each other."""

import pytest

from tabrec.interpret import Finding
from tabrec.interpret.page.consistency import find_contradictions, reconcile


def state(kind, severity, *columns):
    return Finding(kind, severity, columns, kind, "", "")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (state("shifted column", 1, "age"), state("unclear importance", 3, "sex", "age")),
        (state("id that matters", 1, "key"), state("unclear importance", 3, "key")),
        (state("shifted column", 1, "age"), state("harmful columns", 2, "age")),
        (state("shifted column", 2, "age"), state("no shift", 3)),
        (state("shifted correlation", 2, "age", "sex"), state("no shift", 3)),
    ],
)
def test_the_less_severe_of_two_contradicting_findings_is_left_out(first, second):
    other = state("placeholder", 2, "age")
    assert find_contradictions([second, other, first]) == [(second, first)]
    assert reconcile([second, other, first]) == [other, first]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (state("shifted column", 1, "age"), state("unclear importance", 3, "sex")),
        (state("shifted column", 2, "age"), state("unclear importance", 3, "age")),
        (state("shifted column", 1, "age"), state("domain shift", 2, "age")),
        (state("harmful columns", 2, "age"), state("unclear importance", 3, "sex")),
    ],
)
def test_findings_that_can_both_be_true_stay(first, second):
    assert reconcile([first, second]) == [first, second]
