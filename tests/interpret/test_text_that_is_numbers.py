"""Columns of text that the model reads as numbers are explained as numbers."""

import numpy as np
import pandas as pd
import pytest

from tabrec import ForestRegressor
from tabrec.interpret import ale, domain_shift, extrapolation_check, partial_dependence

GENERATOR = np.random.default_rng(0)
NUMBERS = pd.DataFrame({"pay": GENERATOR.gamma(2, 500, 120).round(2), "grade": GENERATOR.integers(0, 5, 120)})
TEXT = NUMBERS.assign(pay=NUMBERS["pay"].map("${:,.2f}".format))


@pytest.fixture(scope="module")
def forests():
    """A forest of numbers, and one of the same numbers as text."""
    with pytest.warns(UserWarning, match="Text columns were converted: 'pay' as numbers"):
        return [
            ForestRegressor(5, oob_score=False, random_state=0).fit(table, NUMBERS["pay"]) for table in (NUMBERS, TEXT)
        ]


@pytest.mark.parametrize("effect", [partial_dependence, ale])
def test_effects_have_a_grid_of_numbers(forests, effect):
    expected, found = (effect(forest, X, "pay") for forest, X in zip(forests, (NUMBERS, TEXT), strict=True))
    np.testing.assert_array_equal(found.grids[0], expected.grids[0])
    np.testing.assert_allclose(found.table["effect"], expected.table["effect"])


def test_new_rows_are_compared_with_the_range_of_numbers(forests):
    expected, found = (
        extrapolation_check(forest, X[:90], X[90:]).table for forest, X in zip(forests, (NUMBERS, TEXT), strict=True)
    )
    pd.testing.assert_frame_equal(found, expected)
    assert found.set_index("column").loc["pay", "train_max"] == NUMBERS["pay"][:90].max()


@pytest.mark.parametrize(("train", "new"), [(TEXT, TEXT), (NUMBERS, TEXT), (TEXT, NUMBERS)], ids=["text", "new", "old"])
def test_a_shift_of_text_is_that_of_its_numbers(train, new):
    options = {"n_permutations": 99, "n_estimators": 5}
    expected = domain_shift(NUMBERS[:60], NUMBERS[60:], **options).table
    pd.testing.assert_frame_equal(domain_shift(train[:60], new[60:], **options).table, expected)
