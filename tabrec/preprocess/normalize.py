"""`Normalize`: number columns on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from sklearn.utils.validation import check_is_fitted

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import input_names
from tabrec.tables.columns import Column, as_frame, from_columns, to_columns
from tabrec.tables.names import check_named
from tabrec.tables.numbers import UniformSample, as_float32, as_numbers

_SMALLEST_SPREAD = float(np.sqrt(np.finfo(np.float32).tiny))
_METHODS = ("standard", "quantile")


class Normalize(FrameTransformer):
    """Bring number columns to mean 0 and standard deviation 1, as float32.

    Missing numbers stay missing and are left out of the statistics. Columns of other kinds (codes, labels, booleans,
    dates) pass through.

    Parameters
    ----------
    method : {"standard", "quantile"}, default="standard"
        ``"standard"`` subtracts the mean and divides by the standard deviation (population formula). ``"quantile"``
        maps the ranks of a column to a normal distribution, which tames long tails and outliers; nets like it.
    columns : list of str or None, default=None
        The columns to normalise; None takes every column of numbers.
    n_quantiles : int, default=1000
        Number of quantiles that ``"quantile"`` keeps of a column.
    random_state : int, default=0
        Seed of the sample from which quantiles are taken beyond 100,000 rows.

    Attributes
    ----------
    means_, stds_ : dict of str to float
        Of each column; the standard deviation of a constant column is given as 1, and so is one below 1e-19, whose
        square float32 cannot hold.
    quantiles_ : dict of str to ndarray
        With ``method="quantile"``: the quantiles of each column, ascending.
    input_to_outputs_ : dict of str to list of str
        Output columns that come from each input column.
    output_to_input_ : dict of str to str
        Input column that each output column comes from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        An unknown method or column; infinite numbers; at transform, text or dates where numbers were.

    References
    ----------
    Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance", for merging the moments of chunks.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import Normalize
    >>> Normalize().fit_transform(pd.DataFrame({"year": [2000, 2002, 2004]}))
           year
    0 -1.224745
    1  0.000000
    2  1.224745
    """

    def __init__(
        self,
        method: str = "standard",
        *,
        columns: Sequence[str] | None = None,
        n_quantiles: int = 1000,
        random_state: int = 0,
    ):
        self.method = method
        self.columns = columns
        self.n_quantiles = n_quantiles
        self.random_state = random_state

    def partial_fit(self, X: Any, y: Any = None) -> Normalize:
        """Learn from one more chunk: means and standard deviations are those of one fit over all rows.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : object, default=None
            Passed over.

        Returns
        -------
        Normalize
            Itself.
        """
        return self._learn_more(X)

    def inverse_transform(self, X: Any) -> pd.DataFrame:
        """The numbers on their own scale again, as float64.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            As returned by `transform`.

        Returns
        -------
        pandas.DataFrame of shape (n_rows, n_columns)
        """
        check_is_fitted(self)
        frame = as_frame(X)
        if not isinstance(X, pd.DataFrame) and frame.shape[1] == self.n_features_in_:
            frame.columns = input_names(self)
        check_named("Normalize", self.means_, frame.columns)
        columns = to_columns(frame)
        restored = {name: self._restore(name, as_numbers(columns[name]).astype(np.float64)) for name in self.means_}
        arrays = {name: restored[name] if name in restored else column.raw.copy() for name, column in columns.items()}
        return from_columns(arrays, frame.index)

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            self._check_parameters()
            named = None if self.columns is None else check_named("columns", self.columns, columns)
            chosen = [n for n, column in columns.items() if (column.is_number if named is None else n in named)]
            self._moments = dict.fromkeys(chosen, (0, 0.0, 0.0))
            self._samples: dict[str, UniformSample] = {}
        self.means_: dict[str, float] = {}
        self.stds_: dict[str, float] = {}
        self.quantiles_: dict[str, np.ndarray] = {}
        for name, moments in self._moments.items():
            numbers = as_numbers(columns[name]).astype(np.float64)
            observed = numbers[~np.isnan(numbers)]
            with np.errstate(over="ignore"):
                self._moments[name] = n, mean, squares = _merge_moments(moments, observed)
            if not np.isfinite(squares):
                raise ValueError(
                    f"Column {name!r} holds {abs(observed).max():g}, too large to normalise: rescale the column, "
                    "or take its logarithm."
                )
            std = np.sqrt(squares / n) if n else 0.0
            self.means_[name] = mean
            # A spread within rounding of the mean, or beyond what float32 can hold the square of, is no spread.
            self.stds_[name] = float(std) if std > max(1e-12 * abs(mean), _SMALLEST_SPREAD) else 1.0
            if self.method == "quantile":
                self._learn_quantiles(name, observed)

    def _check_parameters(self) -> None:
        if self.method not in _METHODS:
            raise ValueError(f"method={self.method!r} must be one of {_METHODS}.")
        if not (isinstance(self.n_quantiles, (int, np.integer)) and self.n_quantiles >= 2):
            raise ValueError(f"n_quantiles={self.n_quantiles!r} must be an integer of at least 2.")

    def _learn_quantiles(self, name: str, observed: np.ndarray) -> None:
        sample = self._samples.setdefault(name, UniformSample(self.random_state))
        sample.add(observed)
        n_quantiles = min(self.n_quantiles, max(len(sample.values), 2))
        values = sample.values if len(sample.values) else np.zeros(1)
        # Interpolated quantiles can fall by a rounding error, which searching them could not bear.
        self.quantiles_[name] = np.maximum.accumulate(np.quantile(values, np.linspace(0, 1, n_quantiles)))

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        return {
            name: self._scale(name, as_numbers(column)) if name in self.means_ else column.raw
            for name, column in columns.items()
        }

    def _scale(self, name: str, numbers: np.ndarray) -> np.ndarray:
        if self.method == "quantile":
            return _to_normal(numbers.astype(np.float64), self.quantiles_[name]).astype(np.float32)
        return as_float32(name, (numbers - np.float64(self.means_[name])) / self.stds_[name])

    def _restore(self, name: str, scaled: np.ndarray) -> np.ndarray:
        if self.method == "quantile":
            quantiles = self.quantiles_[name]
            return np.interp(ndtr(scaled), np.linspace(0, 1, len(quantiles)), quantiles)
        return scaled * self.stds_[name] + self.means_[name]


# The normal quantile of the smallest probability kept, 1e-7: the ends of a column map to about -5.2 and 5.2.
_SMALLEST = 1e-7


def _to_normal(numbers: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Ranks among the quantiles, equal values at the middle of theirs, as normal quantiles."""
    if quantiles[0] == quantiles[-1]:
        return np.where(np.isnan(numbers), np.nan, 0.0)
    levels = np.linspace(0, 1, len(quantiles))
    low = np.interp(numbers, quantiles, levels)
    high = 1 - np.interp(-numbers, -quantiles[::-1], levels)
    return ndtri(np.clip((low + high) / 2, _SMALLEST, 1 - _SMALLEST))


def _merge_moments(moments: tuple[int, float, float], more: np.ndarray) -> tuple[int, float, float]:
    """Count, mean and sum of squared deviations after more values."""
    if not len(more):
        return moments
    n, mean, squares = moments
    n_more, mean_more = len(more), float(more.mean())
    squares_more = float(((more - mean_more) ** 2).sum())
    gap, total = mean_more - mean, n + n_more
    return total, mean + gap * n_more / total, squares + squares_more + gap * gap * n * n_more / total
