"""A fit that fails leaves the estimator as it was."""

import inspect

import pytest

from tabrec.tables.failed_fit import restores_on_failure


class Estimator:
    def __init__(self, limit=3):
        self.limit = limit

    @restores_on_failure
    def fit(self, X, y=None):
        """Learn."""
        self.seen_ = list(X)
        self.n_rows_ = len(X)
        if len(X) > self.limit:
            raise KeyboardInterrupt
        return self


def test_failed_first_fit_leaves_no_attributes():
    estimator = Estimator()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(range(5))
    assert vars(estimator) == {"limit": 3}


def test_failed_refit_leaves_the_former_fit():
    estimator = Estimator().fit([1, 2])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(range(5))
    assert vars(estimator) == {"limit": 3, "seen_": [1, 2], "n_rows_": 2}


def test_signature_and_docstring_are_kept():
    assert list(inspect.signature(Estimator.fit).parameters) == ["self", "X", "y"]
    assert Estimator.fit.__doc__ == "Learn."
