"""`ale`: accumulated local effects of one or two columns, which are valid for correlated columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._parameters import SEED, at_least, check_parameters
from tabrec.interpret._result import Result
from tabrec.interpret.effects._effect_data import EffectData, read_effect_data
from tabrec.interpret.effects._effect_plots import draw_effect, draw_map
from tabrec.interpret.effects._grids import Grid, VariedColumn, make_grid, read_numbers
from tabrec.tables.columns import Column, to_columns

_ROWS_AT_ONCE = 50_000
_N_QUANTILES = 100


@dataclass(frozen=True, repr=False)
class AccumulatedEffects(Result):
    """Accumulated local effects of one column, or the interaction of two columns.

    Attributes
    ----------
    features : tuple of str
        The columns.
    grids : list of ndarray
        For each column the edges of its bins (floats or datetime64), or its labels in the order of accumulation.
    effect : ndarray of shape (n_outputs, n_grid) or (n_outputs, n_grid_1, n_grid_2)
        Difference from the average prediction, or for a classifier probability; its mean over the rows is 0.
    counts : ndarray of int, of shape (n_grid,) or (n_grid_1, n_grid_2)
        Number of rows with each label; for numbers and dates, in the bin that ends at each value (0 at the first).
    outputs : list
        Classes of a classifier; names of the outputs of a regressor.
    table : pandas.DataFrame
        One row per output and grid value: the values, `output`, `effect`, `count`.

    See Also
    --------
    ale : Computes them.
    """

    features: tuple[str, ...]
    grids: list[np.ndarray]
    effect: np.ndarray
    counts: np.ndarray
    outputs: list
    table: pd.DataFrame
    _grids: tuple[Grid, ...]
    _unit: str

    def plot(self, ax: Any = None) -> Any:
        """Draw a line, dots for labels, or a heat map for two columns.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        unit = f"effect on {self._unit}"
        if len(self.features) == 2:
            return draw_map(self._grids, self.effect, self.outputs, unit, ax, zero=True)
        return draw_effect(self._grids[0], self.effect, self.outputs, unit, ax)


@check_parameters(n_bins=[at_least(1)], max_rows=[at_least(1), None], random_state=SEED)
def ale(
    model: Any,
    X: Any,
    features: Any,
    *,
    n_bins: int = 20,
    output: Any = None,
    max_rows: int | None = None,
    random_state: int = 0,
    sample_weight: Any = None,
) -> AccumulatedEffects:
    """Compute accumulated local effects of one or two columns.

    Each row is evaluated only at the edges of its own bin, and the mean differences are accumulated over the range of
    the column. Where columns are correlated, partial dependence averages over rows that cannot exist; this does not.

    Parameters
    ----------
    model : estimator
        Any fitted regressor or classifier.
    X : table or array-like of shape (n_rows, n_features)
        Rows to evaluate, as the model takes them. Rows with a missing number or date are ignored.
    features : str or pair of str
        One column for its main effect; two columns for their interaction, without the main effects. For a forest also
        encoded columns such as ``"saleElapsed"``.
    n_bins : int, default=20
        Number of bins of a number or date, with about equally many rows each. Each of the 30 most frequent labels is a
        bin; unordered labels are sorted by the similarity of their rows in the other columns.
    output : label, default=None
        The class to look at, or for a regressor with several outputs ``"output 0"`` and so on. None uses the second of
        two classes, and otherwise all classes or outputs.
    max_rows : int, default=None
        Number of rows to sample if X has more; None uses all rows.
    random_state : int, default=0
        Seed of the sample.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows; None weights all rows equally. A row of integer weight k counts as k rows. Other
        weights enter the effects, but neither the bins nor the order of labels.

    Returns
    -------
    AccumulatedEffects
        The effect.

    Raises
    ------
    ValueError
        The model does not have a column, a column has no values, or the class is unknown.

    See Also
    --------
    partial_dependence : Averages over all rows at each value of a column.

    References
    ----------
    Apley & Zhu, "Visualizing the effects of predictor variables in black box supervised learning models", Journal of
    the Royal Statistical Society B 82(4), 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from tabrec.interpret import ale
    >>> X = np.random.default_rng(0).uniform(size=(200, 2))
    >>> model = LinearRegression().fit(X, 3 * X[:, 0] + X[:, 1])
    >>> effect = ale(model, X, "x0", n_bins=5)
    >>> (np.diff(effect.effect[0]) / np.diff(effect.grids[0])).round(6).tolist()
    [3.0, 3.0, 3.0, 3.0, 3.0]
    """
    data = read_effect_data(model, X, features, "ale", output, max_rows, random_state, sample_weight)
    axes = [_make_axis(column, data, n_bins) for column in data.columns]
    present = np.logical_and.reduce([axis.grid.cells >= 0 for axis in axes])
    if not present.any():
        raise ValueError(f"No row has values in all of {[axis.grid.name for axis in axes]}.")
    effect = (_first_order if len(axes) == 1 else _second_order)(data, axes, present)
    return AccumulatedEffects(effect=effect, **data.describe([axis.grid for axis in axes], effect))


@dataclass(frozen=True)
class _Axis:
    """A column, with the steps between values of its grid to which each row contributes."""

    grid: Grid  # `cells` are labels or, for numbers, the upper edge of the bin of each row
    # Starts of the steps to which each row contributes, -1 for none: a number to its bin, a label to both adjacent
    # steps.
    steps: list[np.ndarray]
    places: list[np.ndarray]  # grid values between which each row lies; -1 for none

    @property
    def size(self) -> int:
        return len(self.grid.values)


def _make_axis(column: VariedColumn, data: EffectData, n_bins: int) -> _Axis:
    grid = make_grid(column, n_bins + 1, (0.0, 1.0))
    last = len(grid.values) - 1
    if grid.kind == "category":
        if not grid.ordered:
            grid = grid.take(_order_labels(grid.cells, last + 1, data.frame.drop(columns=column.name)))
        level = grid.cells
        return _Axis(grid, [level - 1, np.where(level < last, level, -1)], [level])
    numbers = read_numbers(column)[0]
    upper = np.clip(np.searchsorted(grid.marks, numbers), min(1, last), last)
    upper = np.where(np.isnan(numbers), -1, upper)
    lower = np.where(upper < 1, -1, upper - 1)
    return _Axis(replace(grid, cells=upper), [lower], [upper, np.where(upper < 1, upper, lower)])


def _first_order(data: EffectData, axes: list[_Axis], present: np.ndarray) -> np.ndarray:
    (axis,) = axes
    n_steps, weights = axis.size - 1, _weights(data)
    total, count = np.zeros((n_steps, len(data.outputs))), np.zeros(n_steps)
    for step in axis.steps:
        taking = np.flatnonzero(present & (step >= 0))
        change = _predict_at(data, axes, taking, [step[taking] + 1]) - _predict_at(data, axes, taking, [step[taking]])
        total += _sum_by(step[taking], change, n_steps, weights[taking])
        count += np.bincount(step[taking], weights[taking], minlength=n_steps)
    effect = np.zeros((axis.size, len(data.outputs)))
    effect[1:] = np.cumsum(_mean(total, count), axis=0)
    weight = sum(np.bincount(place[present], weights[present], minlength=axis.size) for place in axis.places)
    return (effect - np.average(effect, axis=0, weights=weight)).T


def _second_order(data: EffectData, axes: list[_Axis], present: np.ndarray) -> np.ndarray:
    first, second = axes
    shape = (first.size - 1, second.size - 1)
    n_cells, weights = shape[0] * shape[1], _weights(data)
    total, count = np.zeros((n_cells, len(data.outputs))), np.zeros(n_cells)
    for one in first.steps:
        for other in second.steps:
            taking = np.flatnonzero(present & (one >= 0) & (other >= 0))
            a, b = one[taking], other[taking]
            change = _predict_at(data, axes, taking, [a + 1, b + 1]) - _predict_at(data, axes, taking, [a, b + 1])
            change += _predict_at(data, axes, taking, [a, b]) - _predict_at(data, axes, taking, [a + 1, b])
            total += _sum_by(a * shape[1] + b, change, n_cells, weights[taking])
            count += np.bincount(a * shape[1] + b, weights[taking], minlength=n_cells)
    effects = np.zeros((len(data.outputs), first.size, second.size))
    if n_cells:
        change = _fill_empty(_mean(total, count), count.reshape(shape))
        effects[:, 1:, 1:] = change.T.reshape(-1, *shape).cumsum(axis=1).cumsum(axis=2)
    weights = np.where(present, weights, 0)
    return np.stack([_remove_main_effects(effect, first, second, weights) for effect in effects])


def _weights(data: EffectData) -> np.ndarray:
    return np.ones(len(data.frame)) if data.weights is None else data.weights


def _mean(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the weighted means from sums and weights; 0 where there is no weight."""
    return total / np.where(count > 0, count, 1)[:, None]


def _predict_at(data: EffectData, axes: list[_Axis], taking: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """Predict the rows `taking` with their columns set to the grid values at `places`."""
    predicted = np.empty((len(taking), len(data.outputs)))
    for start in range(0, len(taking), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        arrays = [axis.grid.raw.take(place[some]) for axis, place in zip(axes, places, strict=True)]
        predicted[some] = data.predict(data.replaced(data.frame.iloc[taking[some]], arrays))
    return predicted


def _sum_by(groups: np.ndarray, values: np.ndarray, n_groups: int, weights: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(groups, weights * column, minlength=n_groups) for column in values.T], axis=1)


def _fill_empty(change: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Fill cells without rows by the change in the nearest cell with rows, relative to the size of the grid."""
    where = np.argwhere(np.ones(count.shape, dtype=bool)) / count.shape
    empty, full = np.flatnonzero(count.ravel() == 0), np.flatnonzero(count.ravel())
    distance = np.square(where[empty, None] - where[None, full]).sum(axis=2)
    change[empty] = change[full[distance.argmin(axis=1)]]
    return change


def _remove_main_effects(effect: np.ndarray, first: _Axis, second: _Axis, weights: np.ndarray) -> np.ndarray:
    """Subtract the main effects of both columns, and the mean."""
    alone = _accumulate_mean(np.diff(effect, axis=0), first, second, weights)
    other = _accumulate_mean(np.diff(effect, axis=1).T, second, first, weights)
    effect = effect - alone[:, None] - other
    return effect - np.average(effect, weights=_joint(first.places, second.places, (first.size, second.size), weights))


def _accumulate_mean(change: np.ndarray, along: _Axis, across: _Axis, weights: np.ndarray) -> np.ndarray:
    """Average changes, (n_steps, n_grid), over the rows of each step, and accumulate them."""
    weight = _joint(along.steps, across.places, change.shape, weights)
    mean = _mean((change * weight).sum(axis=1, keepdims=True), weight.sum(axis=1))[:, 0]
    return np.concatenate([[0.0], mean.cumsum()])


def _joint(rows_of: list[np.ndarray], columns_of: list[np.ndarray], shape: tuple[int, ...], weights: np.ndarray) -> Any:
    """Sum the weights of the rows at each pair of grid positions."""
    total = np.zeros(shape)
    for one in rows_of:
        for other in columns_of:
            both = (weights > 0) & (one >= 0) & (other >= 0)
            cells = one[both] * shape[1] + other[both]
            total += np.bincount(cells, weights[both], minlength=total.size).reshape(shape)
    return total


def _order_labels(codes: np.ndarray, n_labels: int, others: pd.DataFrame) -> np.ndarray:
    """Sort labels by multidimensional scaling of their distances to one dimension (Apley & Zhu 2020, appendix E).

    The distance of two labels is the sum over the other columns of the distance of their distributions: the
    Kolmogorov-Smirnov distance for numbers, total variation for labels. `codes` holds the label of each row, or -1.
    """
    if n_labels < 3:
        return np.arange(n_labels)
    used = codes >= 0
    distance = np.zeros((n_labels, n_labels))
    for column in to_columns(others).values():
        distance += _distance(codes[used], n_labels, column, used)
    squares = distance**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    first = np.linalg.eigh(-centred / 2)[1][:, -1]
    return np.argsort(first * np.sign(first[np.argmax(np.abs(first))]), kind="stable")


def _distance(codes: np.ndarray, n_labels: int, column: Column, used: np.ndarray) -> np.ndarray:
    """Return the distances between the distributions of one column by label."""
    if column.is_label or column.is_boolean:
        values = np.asarray(column.as_labels().codes)[used]
        shares = _shares(codes, n_labels, values)
        return np.stack([np.abs(shares - label).sum(axis=1) / 2 for label in shares])
    numbers = np.asarray(column.values.asi8 if column.is_date else column.values, dtype=np.float64)[used]
    present = ~column.missing[used]
    if not present.any():
        return np.zeros((n_labels, n_labels))
    quantiles = np.unique(np.quantile(numbers[present], np.linspace(0, 1, _N_QUANTILES + 1)))
    bins = np.searchsorted(quantiles, numbers[present])
    cumulated = _shares(codes[present], n_labels, bins).cumsum(axis=1)
    return np.abs(cumulated[:, None] - cumulated[None]).max(axis=2)


def _shares(codes: np.ndarray, n_labels: int, values: np.ndarray) -> np.ndarray:
    """Return the share of each value in the rows of each label, of shape (n_labels, n_values)."""
    _, places = np.unique(values, return_inverse=True)
    n_values = places.max() + 1
    counts = np.bincount(codes * n_values + places, minlength=n_labels * n_values).reshape(n_labels, n_values)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
