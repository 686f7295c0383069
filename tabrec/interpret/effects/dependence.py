"""`partial_dependence`: what a model predicts on average as one or two columns change and all else stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._models import read_trees
from tabrec.interpret._result import Result
from tabrec.interpret.effects._effect_plots import draw_effect, draw_map
from tabrec.interpret.effects._grid_walk import walk_average, walk_rows
from tabrec.interpret.effects._grids import Grid, count_cells, make_grid, make_table
from tabrec.interpret.effects._varied import Rows, flatten_outputs, read_rows

_KINDS = ("average", "individual", "both")
_METHODS = ("auto", "walk", "brute")
_SIZES = {1: 50, 2: 20}
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, repr=False)
class PartialDependence(Result):
    """How predictions change with one or two columns.

    Attributes
    ----------
    features : tuple of str
    grids : list of ndarray
        For each column the values looked at: floats, datetime64 (of seconds made of dates too), or labels.
    average : ndarray of shape (n_outputs, n_grid) or (n_outputs, n_grid_1, n_grid_2)
        Mean prediction over the rows, were the column(s) to hold each value in all of them; of a classifier, of
        probabilities.
    individual : ndarray of shape (n_outputs, n_rows, n_grid) or (n_outputs, n_rows, n_grid_1, n_grid_2), or None
        The same for each row (individual conditional expectation).
    counts : ndarray of int, of shape (n_grid,) or (n_grid_1, n_grid_2)
        Rows that hold each value (of numbers and dates: the nearest one): where there are few, the effect is a guess.
    outputs : list
        Classes of a classifier; names of the outputs of a regressor.
    table : pandas.DataFrame
        A row for each output and value: the value(s), `output`, `effect`, `count`.
    """

    features: tuple[str, ...]
    grids: list[np.ndarray]
    average: np.ndarray
    individual: np.ndarray | None
    counts: np.ndarray
    outputs: list
    table: pd.DataFrame
    _grids: tuple[Grid, ...]
    _unit: str
    _shows_average: bool

    def plot(self, ax: Any = None, *, centred: bool = False, n_lines: int = 50) -> Any:
        """Draw the effect: a line, dots for labels, or a map for two columns.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
        centred : bool, default=False
            Whether each line starts from 0, so that lines of rows can be compared.
        n_lines : int, default=50
            Rows whose own lines are drawn, where they were asked for.

        Returns
        -------
        matplotlib.axes.Axes
        """
        if len(self.features) == 2:
            return draw_map(self._grids, self.average, self.outputs, f"average {self._unit}", ax)
        average, rows = self.average, self.individual
        if centred:
            average = average - average[:, :1]
            rows = None if rows is None else rows - rows[:, :, :1]
        if rows is not None:
            rows = rows[:, np.linspace(0, rows.shape[1] - 1, min(n_lines, rows.shape[1])).astype(np.intp)]
        unit = f"change of {self._unit}" if centred else self._unit if rows is not None else f"average {self._unit}"
        return draw_effect(self._grids[0], average, self.outputs, unit, ax, rows, self._shows_average)


def partial_dependence(
    model: Any,
    X: Any,
    features: Any,
    kind: str = "average",
    *,
    grid_size: int | None = None,
    grid: Any = None,
    percentiles: tuple[float, float] = (0.05, 0.95),
    output: Any = None,
    method: str = "auto",
    max_rows: int | None = None,
    random_state: int = 0,
) -> PartialDependence:
    """What a model predicts on average as one or two columns change and all other columns stay.

    Where columns go together, some of the rows asked about exist nowhere (a machine sold before it was made): see
    `ale`, which looks only at small changes.

    Parameters
    ----------
    model : estimator
        Any fitted regressor or classifier.
    X : table or array-like of shape (n_rows, n_features)
        Rows to average over, as the model takes them.
    features : str or pair of str
        A column or two (by position where they have no names); of a forest also encoded columns, such as
        ``"saleElapsed"`` (seconds, told as dates): then only that varies, and other parts of the date stay.
    kind : {"average", "individual", "both"}, default="average"
        Whether to keep the lines of the rows (which take n_rows x n_grid numbers) besides their mean.
    grid_size : int, default=None
        Values of a number or date at most; None is 50 of one column, 20 of each of two.
    grid : array-like, default=None
        The values to look at; for two columns a pair of such. None takes distinct values of a number or date where
        they are few, else quantiles; of labels, the 30 most frequent.
    percentiles : (float, float), default=(0.05, 0.95)
        Between which quantiles the grid lies, where it is made of quantiles.
    output : label, default=None
        The class (or, of a regressor with several outputs, ``"output 0"`` and so on) to look at. None takes the second
        of two classes, and all where there are more.
    method : {"auto", "walk", "brute"}, default="auto"
        "walk" takes each row through each tree of a forest, both ways at splits on the varied columns; it gives the
        same as "brute", which predicts all rows anew for each value and serves any model. "auto" walks where it can.
    max_rows : int, default=None
        More rows than this are sampled; None takes all.
    random_state : int, default=0
        Seed of the sample.

    Returns
    -------
    PartialDependence
        Labels without an order of their own (text, or more than 30 numbers) are in the order of their effect; two
        columns keep theirs.

    Raises
    ------
    ValueError
        A column that the model does not know, an empty grid, or an unknown class.
    TypeError
        ``method="walk"`` of a model that is no forest.

    References
    ----------
    Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29(5), 2001, section
    8.2. Goldstein et al., "Peeking inside the black box: visualizing statistical learning with plots of individual
    conditional expectation", 2015. Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9,
    "Partial Dependence".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import partial_dependence
    >>> sales = make_auctions(300, random_state=0)
    >>> X, y = sales.drop(columns="SalePrice"), sales["SalePrice"]
    >>> forest = ForestRegressor(n_estimators=10, n_jobs=1, random_state=0).fit(X, y)
    >>> effect = partial_dependence(forest, X, "Enclosure")
    >>> sorted(effect.grids[0].tolist())
    ['#na#', 'EROPS', 'EROPS w AC', 'OROPS']
    >>> bool(effect.average[0].min() > 4_750)
    True
    """
    _check_choices(kind, grid_size, percentiles, method)
    rows = read_rows(model, X, features, "partial_dependence", output, max_rows, random_state)
    grids = _make_grids(rows, grid, grid_size, percentiles)
    walks = _decide_to_walk(model, rows, method)
    points = np.stack(np.meshgrid(*[np.arange(len(grid.values)) for grid in grids], indexing="ij"), axis=-1)
    points = points.reshape(-1, len(grids))
    average, individual = (_walk if walks else _predict)(rows, grids, points, kind != "average")
    return _make_result(rows, grids, average, individual, kind)


def _check_choices(kind: str, grid_size: Any, percentiles: Any, method: str) -> None:
    if kind not in _KINDS:
        raise ValueError(f"kind={kind!r} must be one of {_KINDS}.")
    if method not in _METHODS:
        raise ValueError(f"method={method!r} must be one of {_METHODS}.")
    if grid_size is not None and not (isinstance(grid_size, (int, np.integer)) and grid_size >= 2):
        raise ValueError(f"grid_size={grid_size!r} must be an integer of at least 2, or None.")
    low, high = percentiles
    if not 0 <= low < high <= 1:
        raise ValueError(f"percentiles={percentiles!r} must be two shares of the rows, the first one the smaller.")


def _make_grids(rows: Rows, given: Any, size: int | None, percentiles: tuple[float, float]) -> list[Grid]:
    n_columns = len(rows.columns)
    each = [given] if n_columns == 1 else [None, None] if given is None else list(given)
    if len(each) != n_columns:
        raise ValueError(f"grid={given!r} must be a pair of lists of values, one for each of the two columns.")
    size = size or _SIZES[n_columns]
    return [make_grid(column, size, percentiles, values) for column, values in zip(rows.columns, each, strict=True)]


def _decide_to_walk(model: Any, rows: Rows, method: str) -> bool:
    can_walk = rows.trees is not None and len(rows.varied) > 0
    if method == "walk" and not can_walk:
        read_trees(model, "partial_dependence with method='walk'", instead="method='brute'")
        names = [column.name for column in rows.columns]
        raise ValueError(f"The trees do not see {names} by columns of their own: pass method='brute'.")
    return can_walk and method != "brute"


def _walk(rows: Rows, grids: list[Grid], points: np.ndarray, keeps_rows: bool) -> tuple[np.ndarray, Any]:
    """Average (n_points, n_outputs) and predictions by row (n_rows, n_points, n_outputs) of a forest."""
    trees: Any = rows.trees
    seen = rows.matrix(_at_points(rows, rows.frame.iloc[:1], grids, points))[:, rows.varied]
    walk = walk_rows if keeps_rows else walk_average
    values = flatten_outputs(trees, walk(trees, rows.matrix(rows.frame), seen, rows.varied))[..., rows.kept]
    return (values.mean(axis=0), values) if keeps_rows else (values, None)


def _predict(rows: Rows, grids: list[Grid], points: np.ndarray, keeps_rows: bool) -> tuple[np.ndarray, Any]:
    """What `_walk` gives, of any model."""
    n_rows = len(rows.frame)
    total = np.zeros((len(points), len(rows.outputs)))
    individual = np.empty((n_rows, *total.shape)) if keeps_rows else None
    for some_rows, some_points in _batches(n_rows, len(points)):
        frame = rows.frame.iloc[some_rows]
        predicted = rows.predict(_at_points(rows, frame, grids, points[some_points]))
        predicted = predicted.reshape(-1, len(frame), len(rows.outputs))
        total[some_points] += predicted.sum(axis=1)
        if individual is not None:
            individual[some_rows, some_points] = predicted.transpose(1, 0, 2)
    return total / n_rows, individual


def _batches(n_rows: int, n_points: int) -> Iterator[tuple[slice, slice]]:
    """Some rows at some points, about as many predictions each time."""
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        n_here = min(_ROWS_AT_ONCE, n_rows - start)
        step = max(1, _ROWS_AT_ONCE // n_here)
        for point in range(0, n_points, step):
            yield slice(start, start + n_here), slice(point, min(point + step, n_points))


def _at_points(rows: Rows, frame: pd.DataFrame, grids: list[Grid], points: np.ndarray) -> pd.DataFrame:
    """The frame once for each point, its columns holding the values of that point."""
    n_rows = len(frame)
    repeated = frame.iloc[np.tile(np.arange(n_rows), len(points))]
    return rows.replaced(
        repeated, [grid.raw.take(np.repeat(at, n_rows)) for grid, at in zip(grids, points.T, strict=True)]
    )


def _make_result(rows: Rows, grids: list[Grid], average: np.ndarray, individual: Any, kind: str) -> PartialDependence:
    shape = tuple(len(grid.values) for grid in grids)
    average = average.T.reshape(-1, *shape)
    if individual is not None:
        individual = np.moveaxis(individual, 2, 0).reshape(len(average), -1, *shape)
    if len(grids) == 1 and not grids[0].ordered:
        order = np.argsort(average[-1], kind="stable")
        grids, average = [grids[0].take(order)], average[:, order]
        individual = None if individual is None else individual[:, :, order]
    counts = count_cells(grids)
    return PartialDependence(
        features=tuple(grid.name for grid in grids),
        grids=[grid.values for grid in grids],
        average=average,
        individual=individual,
        counts=counts,
        outputs=rows.outputs,
        table=make_table(grids, average, rows.outputs, counts),
        _grids=tuple(grids),
        _unit=rows.unit,
        _shows_average=kind != "individual",
    )
