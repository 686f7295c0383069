"""`ale`: effects of one or two columns added up from small changes, which columns that go together do not mislead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Result
from tabrec.interpret.effects._effect_plots import draw_effect, draw_map
from tabrec.interpret.effects._grids import Grid, VariedColumn, count_cells, make_grid, make_table, read_numbers
from tabrec.interpret.effects._level_order import order_levels
from tabrec.interpret.effects._varied import Rows, read_rows

_ROWS_AT_ONCE = 50_000


@dataclass(frozen=True, repr=False)
class AccumulatedEffects(Result):
    """Accumulated local effects of one column, or what two columns do together beyond what each does alone.

    Attributes
    ----------
    features : tuple of str
    grids : list of ndarray
        For each column the edges of its bins (floats or datetime64), or its labels in the order of accumulation.
    effect : ndarray of shape (n_outputs, n_grid) or (n_outputs, n_grid_1, n_grid_2)
        Difference from the mean prediction; of a classifier, in probability. Over the rows it averages 0.
    counts : ndarray of int, of shape (n_grid,) or (n_grid_1, n_grid_2)
        Rows that hold each label; of numbers and dates, rows in the bin that ends at each value (none at the first).
    outputs : list
        Classes of a classifier; names of the outputs of a regressor.
    table : pandas.DataFrame
        A row for each output and value: the value(s), `output`, `effect`, `count`.
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
        """Draw the effect: a line, dots for labels, or a map for two columns.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None

        Returns
        -------
        matplotlib.axes.Axes
        """
        unit = f"effect on {self._unit}"
        if len(self.features) == 2:
            return draw_map(self._grids, self.effect, self.outputs, unit, ax, zero=True)
        return draw_effect(self._grids[0], self.effect, self.outputs, unit, ax)


def ale(
    model: Any,
    X: Any,
    features: Any,
    *,
    n_bins: int = 20,
    output: Any = None,
    max_rows: int | None = None,
    random_state: int = 0,
) -> AccumulatedEffects:
    """Accumulated local effects: how predictions change as a column changes a little, added up over its range.

    Each row is asked only about the edges of the bin it is in. Where columns go together, partial dependence averages
    over rows that exist nowhere; this does not.

    Parameters
    ----------
    model : estimator
        Any fitted regressor or classifier.
    X : table or array-like of shape (n_rows, n_features)
        As the model takes it. Rows that hold no value of a number or date do not take part.
    features : str or pair of str
        A column, for its main effect; two columns, for their interaction, main effects removed. Of a forest also
        encoded columns, such as ``"saleElapsed"``.
    n_bins : int, default=20
        Bins of a number or date, of about as many rows each. Labels go one by one: the 30 most frequent, in their
        order where they have one, else by how much their rows are alike in the other columns.
    output : label, default=None
        The class (or, of a regressor with several outputs, ``"output 0"`` and so on) to look at. None takes the second
        of two classes, and all where there are more.
    max_rows : int, default=None
        More rows than this are sampled; None takes all.
    random_state : int, default=0
        Seed of the sample.

    Returns
    -------
    AccumulatedEffects

    Raises
    ------
    ValueError
        A column that the model does not know, or one without values; an unknown class.

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
    if not (isinstance(n_bins, (int, np.integer)) and n_bins >= 1):
        raise ValueError(f"n_bins={n_bins!r} must be an integer of at least 1.")
    rows = read_rows(model, X, features, "ale", output, max_rows, random_state)
    axes = [_make_axis(column, rows, n_bins) for column in rows.columns]
    present = np.logical_and.reduce([axis.grid.cells >= 0 for axis in axes])
    if not present.any():
        raise ValueError(f"No row holds both of {[axis.grid.name for axis in axes]}.")
    effect = (_first_order if len(axes) == 1 else _second_order)(rows, axes, present)
    grids = [axis.grid for axis in axes]
    counts = count_cells(grids)
    return AccumulatedEffects(
        features=tuple(grid.name for grid in grids),
        grids=[grid.values for grid in grids],
        effect=effect,
        counts=counts,
        outputs=rows.outputs,
        table=make_table(grids, effect, rows.outputs, counts),
        _grids=tuple(grids),
        _unit=rows.unit,
    )


@dataclass(frozen=True)
class _Axis:
    """A column as steps from one value of a grid to the next.

    Attributes
    ----------
    grid : Grid
        Its `cells` are labels, or of numbers the upper edge of each row's bin.
    steps : list of ndarray of int, of shape (n_rows,)
        Steps that each row takes part in, by the value they start from; -1 for none. A number takes part in that of
        its bin, a label in those to and from it.
    places : list of ndarray of int, of shape (n_rows,)
        Values of the grid between which each row is, halfway; -1 for none.
    """

    grid: Grid
    steps: list[np.ndarray]
    places: list[np.ndarray]

    @property
    def size(self) -> int:
        return len(self.grid.values)


def _make_axis(column: VariedColumn, rows: Rows, n_bins: int) -> _Axis:
    grid = make_grid(column, n_bins + 1, (0.0, 1.0))
    last = len(grid.values) - 1
    if grid.kind == "category":
        if not grid.ordered:
            grid = grid.take(order_levels(grid.cells, last + 1, rows.frame.drop(columns=column.name)))
        level = grid.cells
        return _Axis(grid, [level - 1, np.where(level < last, level, -1)], [level])
    numbers = read_numbers(column)[0]
    upper = np.clip(np.searchsorted(grid.marks, numbers), min(1, last), last)
    upper = np.where(np.isnan(numbers), -1, upper)
    lower = np.where(upper < 1, -1, upper - 1)
    return _Axis(grid.with_cells(upper), [lower], [upper, np.where(upper < 1, upper, lower)])


def _first_order(rows: Rows, axes: list[_Axis], present: np.ndarray) -> np.ndarray:
    (axis,) = axes
    n_steps = axis.size - 1
    total, count = np.zeros((n_steps, len(rows.outputs))), np.zeros(n_steps)
    for step in axis.steps:
        taking = np.flatnonzero(present & (step >= 0))
        change = _predict_at(rows, axes, taking, [step[taking] + 1]) - _predict_at(rows, axes, taking, [step[taking]])
        total += _sum_by(step[taking], change, n_steps)
        count += np.bincount(step[taking], minlength=n_steps)
    effect = np.zeros((axis.size, len(rows.outputs)))
    effect[1:] = np.cumsum(total / np.maximum(count, 1)[:, None], axis=0)
    weight = sum(np.bincount(place[present], minlength=axis.size) for place in axis.places)
    return (effect - np.average(effect, axis=0, weights=weight)).T


def _second_order(rows: Rows, axes: list[_Axis], present: np.ndarray) -> np.ndarray:
    first, second = axes
    shape = (first.size - 1, second.size - 1)
    n_cells = shape[0] * shape[1]
    total, count = np.zeros((n_cells, len(rows.outputs))), np.zeros(n_cells)
    for one in first.steps:
        for other in second.steps:
            taking = np.flatnonzero(present & (one >= 0) & (other >= 0))
            a, b = one[taking], other[taking]
            change = _predict_at(rows, axes, taking, [a + 1, b + 1]) - _predict_at(rows, axes, taking, [a, b + 1])
            change += _predict_at(rows, axes, taking, [a, b]) - _predict_at(rows, axes, taking, [a + 1, b])
            total += _sum_by(a * shape[1] + b, change, n_cells)
            count += np.bincount(a * shape[1] + b, minlength=n_cells)
    effects = np.zeros((len(rows.outputs), first.size, second.size))
    if n_cells:
        change = _fill_empty(total / np.maximum(count, 1)[:, None], count.reshape(shape))
        effects[:, 1:, 1:] = change.T.reshape(-1, *shape).cumsum(axis=1).cumsum(axis=2)
    return np.stack([_remove_main_effects(effect, first, second, present) for effect in effects])


def _predict_at(rows: Rows, axes: list[_Axis], taking: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """Predictions of some rows, their columns holding the values of the grids at the given places."""
    predicted = np.empty((len(taking), len(rows.outputs)))
    for start in range(0, len(taking), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        arrays = [axis.grid.raw.take(place[some]) for axis, place in zip(axes, places, strict=True)]
        predicted[some] = rows.predict(rows.replaced(rows.frame.iloc[taking[some]], arrays))
    return predicted


def _sum_by(groups: np.ndarray, values: np.ndarray, n_groups: int) -> np.ndarray:
    return np.stack([np.bincount(groups, weights=column, minlength=n_groups) for column in values.T], axis=1)


def _fill_empty(change: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Where a cell has no rows, the change of the nearest cell that has some, in shares of the grid's sides."""
    where = np.argwhere(np.ones(count.shape, dtype=bool)) / count.shape
    empty, full = np.flatnonzero(count.ravel() == 0), np.flatnonzero(count.ravel())
    distance = np.square(where[empty, None] - where[None, full]).sum(axis=2)
    change[empty] = change[full[distance.argmin(axis=1)]]
    return change


def _remove_main_effects(effect: np.ndarray, first: _Axis, second: _Axis, present: np.ndarray) -> np.ndarray:
    """Subtract what either column does alone, and the mean."""
    alone = _accumulate_mean(np.diff(effect, axis=0), first, second, present)
    other = _accumulate_mean(np.diff(effect, axis=1).T, second, first, present)
    effect = effect - alone[:, None] - other
    return effect - np.average(effect, weights=_joint(first.places, second.places, (first.size, second.size), present))


def _accumulate_mean(change: np.ndarray, along: _Axis, across: _Axis, present: np.ndarray) -> np.ndarray:
    """Changes (n_steps, n_grid) averaged over the rows that take part in each step, added up."""
    weight = _joint(along.steps, across.places, change.shape, present)
    mean = (change * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)
    return np.concatenate([[0.0], mean.cumsum()])


def _joint(rows_of: list[np.ndarray], columns_of: list[np.ndarray], shape: tuple[int, ...], present: np.ndarray) -> Any:
    """How many rows are at each pair of places."""
    total = np.zeros(shape)
    for one in rows_of:
        for other in columns_of:
            both = present & (one >= 0) & (other >= 0)
            total += np.bincount(one[both] * shape[1] + other[both], minlength=total.size).reshape(shape)
    return total
