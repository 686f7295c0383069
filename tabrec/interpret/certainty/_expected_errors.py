"""The expected error of each row, from a forest that is fitted to errors on rows held out of the model's fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tabrec.trees import ForestRegressor

MIN_ROWS = 200  # a forest of fewer errors is worse than the spread of the trees
_N_TREES = 20
_LEAVES_PER_TREE = 64
# As a share of the mean error; no expected error is smaller.
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
            warnings.simplefilter("ignore")  # the model has warned about the same columns
            self._forest.fit(X, errors, sample_weight=weights)
            out_of_bag = self._forest.oob_prediction_
        # Hardly any row is drawn by all trees.
        self.of_rows = np.maximum(np.where(np.isnan(out_of_bag), mean, out_of_bag), self._smallest)

    def of(self, X: Any) -> np.ndarray:
        """Return the expected error of each row of X."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.maximum(self._forest.predict(X), self._smallest)
