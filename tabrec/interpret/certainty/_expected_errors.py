"""`ExpectedErrors`: predict the error of each row by a forest fitted to errors on held-out rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tabrec.trees import ForestRegressor

MIN_ROWS = 200  # with fewer errors, the forest is worse than the spread of the trees
_N_TREES = 20
_LEAVES_PER_TREE = 64
# Smallest expected error, as a share of the mean error.
_SMALLEST = 0.05


class ExpectedErrors:
    """A forest of absolute errors over the columns of a model.

    Attributes
    ----------
    of_rows : ndarray of shape (n_rows,)
        Expected errors of the rows themselves, from the trees that did not draw them.
    """

    def __init__(self, X: Any, errors: np.ndarray, weights: np.ndarray | None = None):
        leaf = max(2, len(errors) // _LEAVES_PER_TREE)
        mean = float(np.average(errors, weights=weights))
        self._smallest = _SMALLEST * mean or 1.0
        self._forest = ForestRegressor(_N_TREES, min_samples_leaf=leaf, max_features=1.0, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the model has warned of the same columns
            self._forest.fit(X, errors, sample_weight=weights)
            out_of_bag = self._forest.oob_prediction_
        # A row that all trees have drawn, which is rare, gets the mean error.
        self.of_rows = np.maximum(np.where(np.isnan(out_of_bag), mean, out_of_bag), self._smallest)

    def of(self, X: Any) -> np.ndarray:
        """Return the expected error of each row of X."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.maximum(self._forest.predict(X), self._smallest)
