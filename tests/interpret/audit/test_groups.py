"""Groups on both sides of a split: found where they matter, not where a column is a quantity or noise."""

import numpy as np
import pandas as pd
import pytest

from tabrec import ForestRegressor
from tabrec.interpret import leakage_check
from tabrec.interpret.audit.groups import find_shared_groups


def visits(seed, n=1200, n_people=200, effect=2.0, as_text=True):
    """Visits of persons; the target depends on the person and on a column."""
    rng = np.random.default_rng(seed)
    person = rng.integers(0, n_people, n)
    mood = effect * rng.normal(size=n_people)
    X = pd.DataFrame(
        {
            "patient": [f"P{each:05d}" for each in person] if as_text else person + 1000,
            "age": rng.integers(20, 90, n),
            "size": rng.normal(size=n).round(1),
            "town": rng.choice([f"t{i}" for i in range(60)], n),
        }
    )
    return X, 0.05 * X["age"].to_numpy() + X["size"].to_numpy() + mood[person] + rng.normal(size=n)


def kinds(result):
    return [finding for finding in result.findings if finding.kind == "groups across the split"]


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("of_classes", [True, False])
def test_persons_on_both_sides_are_named(as_text, of_classes):
    X, y = visits(0, as_text=as_text)
    y = np.where(y > np.median(y), "ill", "well") if of_classes else y
    (finding,) = kinds(leakage_check(None, X[:800], y[:800], X[800:], y[800:]))
    assert finding.columns == ("patient",)
    seen = X["patient"][800:].isin(X["patient"][:800]).mean()
    assert f"{seen:.0%} of the held-out rows share theirs with training rows." in finding.text
    assert "split by patient" in finding.action


def test_the_likeness_is_that_of_the_variance_between_groups():
    X, y = visits(0, n=6000, n_people=1000, effect=2.0)
    (found,) = find_shared_groups(X[:5000], y[:5000], X[5000:], is_class=False)
    # Within: noise, age and size; between also the persons.
    rest = 1 + 1 + 0.05**2 * X["age"].var()
    assert found.likeness == pytest.approx(4 / (4 + rest), abs=0.05)


def test_scores_of_known_and_of_new_groups_are_compared():
    X, y = visits(0)
    is_new = X["patient"].isin(X["patient"].unique()[::5]).to_numpy()
    held = np.arange(len(X)) % 3 == 0
    train = ~held & ~is_new
    forest = ForestRegressor(20, random_state=0).fit(X[train], y[train])
    (finding,) = kinds(leakage_check(forest, X[train], y[train], X[held], y[held]))
    assert "RMSE" in finding.evidence
    assert "on the other held-out rows" in finding.evidence


def test_a_split_by_group_and_useless_groups_are_no_finding():
    X, y = visits(0)
    late = (X["patient"] >= "P00150").to_numpy()
    assert not kinds(leakage_check(None, X[~late], y[~late], X[late], y[late]))
    for seed in range(20):
        X, y = visits(seed, effect=0.0)
        assert not kinds(leakage_check(None, X[:800], y[:800], X[800:], y[800:]))


def test_a_quantity_of_repeated_values_is_no_group():
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 150, 1500)  # houses of a kind have the same area, and the same extras
    area = np.sort(rng.integers(50, 900, 150))[kind]
    extras = 30 * rng.normal(size=150)
    X = pd.DataFrame({"area": area})
    y = area + extras[kind] + 5 * rng.normal(size=1500)
    assert not kinds(leakage_check(None, X[:1000], y[:1000], X[1000:], y[1000:]))
    shuffled = pd.DataFrame({"machine": rng.permutation(150)[kind] + 5000})
    assert kinds(leakage_check(None, shuffled[:1000], y[:1000], shuffled[1000:], y[1000:]))
