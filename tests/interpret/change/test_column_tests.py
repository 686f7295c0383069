"""Tests of single columns and of correlations: known answers, and shifts that a classifier misses."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, mannwhitneyu, spearmanr

from tabrec.interpret import domain_shift
from tabrec.interpret.change._column_tests import adjust_p_values, compare_column, compare_correlations
from tabrec.interpret.change._shift_columns import pair_columns


def compare(train, new):
    (pair,), _, _ = pair_columns(pd.DataFrame({"c": train}), pd.DataFrame({"c": new}))
    return compare_column(pair)


def test_numbers_have_the_smaller_p_value_of_two_tests_times_two():
    rng = np.random.default_rng(0)
    train, new = rng.normal(size=90), rng.normal(0.5, 2, size=70)
    found, any_difference = compare(train, new), ks_2samp(train, new)
    assert found.distance == pytest.approx(any_difference.statistic)
    assert found.p_value == pytest.approx(2 * min(any_difference.pvalue, mannwhitneyu(train, new).pvalue))


def test_labels_have_the_p_value_of_the_chi_squared_test_with_rare_labels_pooled():
    train, new = list("a" * 50 + "b" * 30 + "c" * 20), list("a" * 30 + "b" * 30 + "c" * 40)
    found = compare(train, new)
    assert found.p_value == pytest.approx(chi2_contingency([[50, 30, 20], [30, 30, 40]], correction=False).pvalue)
    assert found.distance == pytest.approx(0.2)
    rare = compare([*train, "d", "e"], [*new, "f", "g"])
    assert rare.p_value == pytest.approx(chi2_contingency([[50, 30, 20, 2], [30, 30, 40, 2]], correction=False).pvalue)


def test_missing_values_have_the_p_value_of_fishers_test():
    train, new = [1.0] * 40 + [np.nan] * 10, [1.0] * 20 + [np.nan] * 30
    found = compare(train, new)
    assert found.p_value == pytest.approx(3 * fisher_exact([[40, 10], [20, 30]]).pvalue)
    assert found.distance == pytest.approx(0.4)
    assert compare([np.nan] * 9 + [1.0], [np.nan] * 10).p_value == 1


def test_p_values_are_adjusted_as_by_hand():
    # 0.01 * 4 / 1, 0.02 * 4 / 2, 0.04 * 4 / 3, 0.5: each at most the next.
    assert adjust_p_values(np.array([0.04, 0.01, 0.5, 0.02])).tolist() == pytest.approx([0.16 / 3, 0.04, 0.5, 0.04])


def test_correlations_are_those_of_spearman_over_the_rows_where_both_are_present():
    rng = np.random.default_rng(0)
    train, new = (pd.DataFrame(rng.normal(size=(200, 3)), columns=list("xyz")) for _ in range(2))
    new["y"] = new["x"] + 0.5 * new["y"]
    new.loc[::7, "x"] = np.nan
    pairs, _, _ = pair_columns(train, new)
    found = compare_correlations(pairs)
    assert found.columns == ("x", "y")
    assert found.train == pytest.approx(spearmanr(train["x"], train["y"]).statistic)
    assert found.new == pytest.approx(spearmanr(new["x"], new["y"], nan_policy="omit").statistic, abs=0.01)
    assert found.p_value < 1e-6
    assert compare_correlations(pairs[:1]) is None


def mixed(rng, n, correlation=0.0, move=0.0):
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x + move,
            "z": correlation * x + np.sqrt(1 - correlation**2) * rng.normal(size=n),
            "rooms": rng.integers(0, 5, n),
            "town": rng.choice(list("abcdef"), n),
            "gap": np.where(rng.random(n) < 0.2, np.nan, rng.exponential(size=n)),
        }
    )


@pytest.mark.parametrize("shift", [{"move": 0.3}, {"correlation": 0.5}], ids=["mean", "correlation"])
def test_shifts_that_a_classifier_misses_are_found(shift):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        result = domain_shift(mixed(rng, 600), mixed(rng, 600, **shift), n_permutations=99, n_estimators=3)
        assert result.p_value <= 0.05
        if "move" in shift:
            assert result.shifted[0] == "x"
        else:
            assert ("x", "z") in [found.columns for found in result.findings if found.kind == "shifted correlation"]


def test_the_verdict_without_a_shift_says_which_shift_would_have_been_found():
    rng = np.random.default_rng(0)
    (found,) = domain_shift(mixed(rng, 300), mixed(rng, 300), n_permutations=99, n_estimators=3).findings
    assert found.text == "No difference between the new rows and the training rows was found with these rows."
    assert "would be found nine times in ten" in found.evidence


def test_labels_of_which_most_are_rare_are_compared_by_their_order_too():
    rng = np.random.default_rng(0)
    ids = np.array([f"id {i:05d}" for i in range(2000)])
    early, late = rng.permutation(ids[:1000])[:300], rng.permutation(ids[1000:])[:300]
    assert compare(early, late).p_value < 1e-16
    assert compare(early, late).distance == 1
    same = rng.permutation(ids)
    found = compare(same[:300], same[300:600])
    assert found.p_value > 0.05
    assert found.distance < 0.12
