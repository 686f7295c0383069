"""Predictions do not depend on how a table is written, in which order, where, under which settings or in what parts.

Every test draws an estimator, a small random frame and a change across one boundary, and compares the outputs before
and after. `TABREC_DRAWS` is the number of draws of all tests together: 200 by default, 5,000 for a long run.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from tests.boundary_cases import COLUMNS, NAMED, SUBJECTS, assert_equal, draw_case, is_named_error, run
from tests.boundary_changes import REORDERED, REPRESENTED, RESCALED_COLUMNS, RESCALED_TARGETS, Change
from tests.boundary_surroundings import CONCURRENT, COPIED, IN_PARTS, SET

DRAWS = int(os.environ.get("TABREC_DRAWS", "200"))


GROUPS = (RESCALED_COLUMNS, RESCALED_TARGETS, REPRESENTED, REORDERED, CONCURRENT, SET, COPIED, IN_PARTS)
CHANGES = {change.name: change for group in GROUPS for change in group}


@dataclass(frozen=True)
class Situation:
    """What a failure prints: the estimator, the kinds of its columns, the change, and the seed of the values."""

    subject: str
    columns: list[str]
    change: str
    seed: int


@st.composite
def situations(draw: Any, changes: list[Change]) -> Situation:
    change = draw(st.sampled_from(changes))
    subject = draw(st.sampled_from([subject for subject in SUBJECTS if change.subjects(subject)]))
    columns = draw(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=4, unique=True))
    if change.columns and not set(change.columns) & set(columns):
        columns.append(draw(st.sampled_from(change.columns)))
    return Situation(subject.name, columns, change.name, draw(st.integers(0, 2**16)))


def draws_of(changes: list[Change]) -> Any:
    """Draw a share of the situations with one of the changes; in CI the same ones each time."""

    def decorate(test: Any) -> Any:
        return settings(
            max_examples=max(DRAWS // len(GROUPS), 1),
            deadline=None,
            derandomize=bool(os.environ.get("CI")),
            database=None,
            suppress_health_check=list(HealthCheck),
        )(given(situation=situations(changes))(test))

    return decorate


def describe(table: Any) -> str:
    kinds = table.dtypes.to_dict() if isinstance(table, pd.DataFrame) else table.schema
    return f"{type(table).__module__.split('.')[0]} {kinds}"


def check(situation: Situation) -> None:
    """Assert that the outputs before and after the change are equal; a frame that is refused by name is not a case."""
    change, subject = CHANGES[situation.change], NAMED[situation.subject]
    case = change.prepare(draw_case(subject, situation.columns, situation.seed))
    try:
        expected = run(case)
    except (ValueError, TypeError) as error:
        assume(not is_named_error(error, case))
        raise
    changed = change.apply(case, np.random.default_rng(situation.seed))
    note(f"fitted to {describe(changed.X)}, predicted {describe(changed.X_new)}")
    assert_equal(run(changed), expected, change.tolerance(subject))


@draws_of(RESCALED_COLUMNS)
def test_offset_and_scale_of_a_column(situation):
    """Trees predict the same for their training rows bit for bit; what standardises, up to rounding."""
    check(situation)


@draws_of(RESCALED_TARGETS)
def test_offset_and_scale_of_the_target(situation):
    """Predictions have the offset and the scale of the target, up to rounding relative to its spread."""
    check(situation)


@draws_of(REPRESENTED)
def test_representation_of_a_column_a_table_or_the_target(situation):
    """The same values in another dtype or container, in fit, predict or both, give the same outputs bit for bit."""
    check(situation)


@draws_of(REORDERED)
def test_order_of_rows_columns_and_classes(situation):
    """Outputs follow their rows up to rounding; the order of columns, the index and names of classes do not matter."""
    check(situation)


@draws_of(CONCURRENT)
def test_threads_and_processes(situation):
    """Models fitted or used at the same time, or in another process, are the same bit for bit."""
    check(situation)


@draws_of(SET)
def test_settings_of_the_caller(situation):
    """Settings of other libraries do not change a fit or a prediction, which leave them as they are."""
    check(situation)


@draws_of(COPIED)
def test_copies_and_repeated_fits(situation):
    """Saved, pickled, cloned and refitted models are the same bit for bit."""
    check(situation)


@draws_of(IN_PARTS)
def test_fits_in_parts(situation):
    """Chunks give the statistics of one fit up to rounding; more trees, or saving between chunks, the same model."""
    check(situation)
