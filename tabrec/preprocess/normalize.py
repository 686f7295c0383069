"""`Normalize`: scale number columns to a common range or distribution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.preprocess.frame_transformer import InvertibleTransformer
from tabrec.preprocess.text_columns import learn_given_numbers, read_numbers, warn_of_text
from tabrec.tables.columns import Column
from tabrec.tables.names import check_named
from tabrec.tables.numbers import UniformSample, as_float, as_numbers, needs_float64

_SMALLEST_SPREAD = float(np.sqrt(np.finfo(np.float32).tiny))


class Normalize(InvertibleTransformer):
    """Scale number columns to mean 0 and standard deviation 1, as float32, or float64 where that is needed.

    Missing numbers stay missing and do not enter the statistics. Columns of other kinds (codes, labels, booleans,
    dates) pass through.

    Parameters
    ----------
    method : {"standard", "quantile"}, default="standard"
        ``"standard"`` subtracts the mean and divides by the standard deviation (population formula). ``"quantile"``
        maps the ranks of a column to a normal distribution, which reduces the influence of long tails and outliers.
    columns : list of str, default=None
        The columns to normalise; None selects every column of numbers.
    n_quantiles : int, default=1000
        Number of quantiles per column for ``method="quantile"``.
    random_state : int, default=0
        Seed of the sample from which quantiles are computed beyond 100,000 rows.

    Attributes
    ----------
    means_, stds_ : dict of str to float
        Mean and standard deviation of each column. The latter is 1 for a constant column, and if it is below 1e-19,
        because its square is not representable in float32.
    float64_columns_ : list of str
        Columns that are float64, because float32 would merge distinct values of fit.
    quantiles_ : dict of str to ndarray
        Quantiles of each column in ascending order, for ``method="quantile"``.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each input column, and the input column that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns seen in fit, and their names if X has any.

    Raises
    ------
    ValueError
        A column in `columns` is missing, numbers are infinite or too large to square, or in transform a column holds
        text or dates where it held numbers in fit.

    See Also
    --------
    TabularPreprocessor : Selects the columns of each kind and applies all steps.
    sklearn.preprocessing.StandardScaler : Scales arrays.
    sklearn.preprocessing.QuantileTransformer : Maps the ranks of arrays.

    Notes
    -----
    `partial_fit` merges the moments of chunks, so that means and standard deviations are those of one fit to all rows.
    Quantiles are exact up to 100,000 rows.

    `inverse_transform` scales numbers back to their original scale, as float64.

    References
    ----------
    .. [1] T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for Computing the Sample Variance", The American
       Statistician 37(3), 1983, for merging the moments of chunks.

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

    _parameter_constraints: ClassVar[dict] = {
        "method": [StrOptions({"standard", "quantile"})],
        "n_quantiles": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    }

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

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            named = None if self.columns is None else check_named("columns", self.columns, columns)
            chosen = [n for n, column in columns.items() if (column.is_number if named is None else n in named)]
            self._warned: set[str] = set()
            self.number_formats_ = learn_given_numbers(columns, named or [])
            warn_of_text(self.number_formats_, {}, "Leave them out of columns if they are not numbers.")
            self._moments = dict.fromkeys(chosen, (0, 0.0, 0.0))
            self._origins: dict[str, float] = {}
            sampled = chosen if self.method == "quantile" else []
            self._samples = {name: UniformSample(self.random_state) for name in sampled}
            self.float64_columns_: list[str] = []
        else:
            self._samples = {name: copy(sample) for name, sample in self._samples.items()}
        columns = read_numbers(columns, self.number_formats_, self._warned)
        self._moments, self._origins = dict(self._moments), dict(getattr(self, "_origins", {}))
        self.means_: dict[str, float] = {}
        self.stds_: dict[str, float] = {}
        self.quantiles_: dict[str, np.ndarray] = {}
        for name, moments in self._moments.items():
            raw = as_numbers(columns[name])
            numbers = raw.astype(np.float64)
            observed = numbers[~np.isnan(numbers)]
            if not moments[0] and len(observed):
                self._origins[name] = float(observed[0])
            origin = self._origins.get(name, 0.0)
            with np.errstate(over="ignore"):
                self._moments[name] = merge_moments(moments, _moments_of(observed - origin))
            if not np.isfinite(self._moments[name][2]):
                raise ValueError(
                    f"Column {name!r} holds {abs(observed).max():g}, too large to normalise; rescale the column, "
                    "or take its logarithm."
                )
            self._set_scale(name)
            if self.method == "quantile":
                self._samples[name].add(numbers)
                self._set_quantiles(name)
            # Integers that float32 represents stay distinct.
            may_merge = raw.dtype.kind == "f" or needs_float64(raw)
            if may_merge and name not in self.float64_columns_ and needs_float64(self._scaled(name, observed)):
                self.float64_columns_ = [*self.float64_columns_, name]

    def _set_scale(self, name: str) -> None:
        """Set mean and standard deviation from the moments."""
        n, mean, squares = self._moments[name]
        mean += self._origins.get(name, 0.0)
        std = np.sqrt(squares / n) if n else 0.0
        self.means_[name] = mean
        # A spread within the rounding error of the mean, or too small to square in float32, counts as constant.
        self.stds_[name] = float(std) if std > max(1e-12 * abs(mean), _SMALLEST_SPREAD) else 1.0

    def _set_quantiles(self, name: str) -> None:
        sample = self._samples[name]
        n_quantiles = min(self.n_quantiles, max(len(sample.values), 2))
        values = sample.values if len(sample.values) else np.zeros(1)
        # Interpolated quantiles can decrease by a rounding error, but searching them needs ascending order.
        self.quantiles_[name] = np.maximum.accumulate(np.quantile(values, np.linspace(0, 1, n_quantiles)))

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        columns = read_numbers(columns, self.number_formats_, self._warned)
        return {
            name: self._scale(name, as_numbers(column)) if name in self.means_ else column.raw
            for name, column in columns.items()
        }

    def _restored_from(self) -> Iterable[str]:
        return self.means_

    def _restore_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        return {
            name: self.unscale(name, as_numbers(column).astype(np.float64)) if name in self.means_ else column.raw
            for name, column in columns.items()
        }

    def _scale(self, name: str, numbers: np.ndarray) -> np.ndarray:
        scaled = self._scaled(name, numbers)
        return as_float(name, scaled, double=name in self.float64_columns_)

    def _scaled(self, name: str, numbers: np.ndarray) -> np.ndarray:
        if self.method == "quantile":
            return _to_normal(numbers.astype(np.float64), self.quantiles_[name])
        origin = getattr(self, "_origins", {}).get(name, 0.0)
        return (numbers - np.float64(origin) - self._moments[name][1]) / self.stds_[name]

    def unscale(self, name: str, scaled: np.ndarray) -> np.ndarray:
        """Convert scaled numbers of one column back to its original scale.

        Parameters
        ----------
        name : str
            A normalised column.
        scaled : ndarray of float
            Normalised numbers.

        Returns
        -------
        ndarray of float
        """
        if self.method == "quantile":
            quantiles = self.quantiles_[name]
            return np.interp(ndtr(scaled), np.linspace(0, 1, len(quantiles)), quantiles)
        return scaled * self.stds_[name] + self.means_[name]


# Probabilities are clipped at 1e-7, so that the extremes of a column map to about -5.2 and 5.2.
_SMALLEST = 1e-7


def _to_normal(numbers: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Map numbers to normal quantiles by their rank among the quantiles; equal values get their middle rank."""
    if quantiles[0] == quantiles[-1]:
        return np.where(np.isnan(numbers), np.nan, 0.0)
    levels = np.linspace(0, 1, len(quantiles))
    low = np.interp(numbers, quantiles, levels)
    high = 1 - np.interp(-numbers, -quantiles[::-1], levels)
    return ndtri(np.clip((low + high) / 2, _SMALLEST, 1 - _SMALLEST))


def _moments_of(values: np.ndarray) -> tuple[int, float, float]:
    """Return the count, mean and sum of squared deviations."""
    if not len(values):
        return 0, 0.0, 0.0
    mean = float(values.mean())
    return len(values), mean, float(((values - mean) ** 2).sum())


def merge_moments(first: tuple[int, float, float], second: tuple[int, float, float]) -> tuple[int, float, float]:
    """Return the count, mean and sum of squared deviations of the values of both."""
    (n, mean, squares), (n_more, mean_more, squares_more) = first, second
    if not n_more:
        return first
    gap, total = mean_more - mean, n + n_more
    return total, mean + gap * n_more / total, squares + squares_more + gap * gap * n * n_more / total
