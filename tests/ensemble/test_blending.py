"""Weights of which the best values are known."""

import numpy as np
import pytest

from tabrec.ensemble.blending import (
    greedy_weights,
    log_loss,
    mixture_weights,
    nnls_weights,
    squared_error,
)

RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(200, 3))
ONES = np.ones(200)


@pytest.mark.parametrize("unit", [1.0, 1e9])
def test_weights_of_a_target_that_is_a_mean_of_two_members(unit):
    target = unit * (0.3 * VALUES[:, 0] + 0.7 * VALUES[:, 2]) + 5 * unit
    values = unit * VALUES + 5 * unit
    np.testing.assert_allclose(greedy_weights(values, squared_error(target), ONES), [0.3, 0, 0.7], atol=1e-12)
    np.testing.assert_allclose(nnls_weights(values, target, ONES), [0.3, 0, 0.7], atol=1e-4)


def test_rows_of_weight_0_do_not_count():
    target, row_weights = VALUES[:, 1].copy(), ONES.copy()
    target[:100], row_weights[:100] = VALUES[:100, 0], 0
    assert greedy_weights(VALUES, squared_error(target), row_weights).tolist() == [0, 1, 0]
    np.testing.assert_allclose(nnls_weights(VALUES, target, row_weights), [0, 1, 0], atol=1e-6)


def test_weights_of_probabilities_are_the_shares_of_rows_that_each_member_knows():
    values = np.repeat([[1.0, 0.0], [0.0, 1.0]], [150, 50], axis=0)
    np.testing.assert_allclose(mixture_weights(values, ONES), [0.75, 0.25], atol=1e-9)
    np.testing.assert_allclose(greedy_weights(values, log_loss, ONES), [0.75, 0.25], atol=0.02)
