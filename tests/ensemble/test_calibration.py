"""Calibrations of which the best parameters are known."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from tabrec.ensemble.calibration import Calibration

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4000, 3))
HONEST = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
CODES = (HONEST.cumsum(axis=1) > RNG.random(4000)[:, None]).argmax(axis=1)
ONES = np.ones(4000)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_powers_of_honest_probabilities_are_undone(exponent):
    learned = Calibration.learn(Calibration(exponent).apply(HONEST), CODES, ONES)
    assert learned.exponent == pytest.approx(1 / exponent, rel=0.1)
    assert learned.offset < 0.01


def test_probabilities_of_0_for_classes_that_occur_are_replaced():
    odd = RNG.random(4000) < 0.1
    codes = np.where(odd, 1, 0)
    certain = np.tile([1.0, 0.0, 0.0], (4000, 1))
    learned = Calibration.learn(certain, codes, ONES)
    best = log_loss(codes, np.tile([0.9, 0.05, 0.05], (4000, 1)), labels=[0, 1, 2])
    assert log_loss(codes, learned.apply(certain), labels=[0, 1, 2]) == pytest.approx(best, rel=0.02)


def test_nothing_is_calibrated_without_a_gain_on_other_rows():
    few = slice(0, 30)
    backwards = HONEST[few].argmax(axis=1)[::-1]
    assert Calibration.learn(HONEST[few], backwards, np.zeros(30)) == Calibration()
    assert Calibration.learn(HONEST[:1], CODES[:1], np.ones(1)) == Calibration()
    np.testing.assert_array_equal(Calibration().apply(HONEST), HONEST)


def test_a_weight_counts_as_repeated_rows():
    weights = RNG.integers(0, 3, 4000)
    rows = np.repeat(np.arange(4000), weights)
    flat = Calibration(0.3, 0.05).apply(HONEST)
    weighted = Calibration._fit(flat, CODES, weights.astype(float))
    repeated = Calibration._fit(flat[rows], CODES[rows], np.ones(len(rows)))
    assert weighted.exponent == pytest.approx(repeated.exponent, rel=1e-3)


def test_calibrated_probabilities_add_up_to_1_and_keep_their_order_and_gaps():
    calibrated = Calibration(1 / 3, 0.01).apply(np.array([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6], [np.nan] * 3]))
    np.testing.assert_allclose(calibrated[:2].sum(axis=1), 1)
    assert calibrated[:2].argmax(axis=1).tolist() == [0, 2]
    assert np.isnan(calibrated[2]).all()
