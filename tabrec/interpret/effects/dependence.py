"""`partial_dependence`: the average prediction by the values of one or two columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions

from tabrec.interpret._parameters import SEED, at_least, check_parameters
from tabrec.interpret._result import Result
from tabrec.interpret.effects._effect_data import EffectData, flatten_outputs, read_effect_data
from tabrec.interpret.effects._effect_plots import draw_by_value, draw_effect, draw_map, find_limits
from tabrec.interpret.effects._grids import MOST_DRAWN, Grid, make_grid
from tabrec.interpret.effects._tree_walk import predict_rows, walk_average
from tabrec.trees.fitted_trees import read_trees

_SIZES = {1: 50, 2: 20}
_MOST_LABELS = {1: 200, 2: MOST_DRAWN}
_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, repr=False)
class PartialDependence(Result):
    """Partial dependence of the prediction on one or two columns.

    Attributes
    ----------
    features : tuple of str
        The columns.
    grids : list of ndarray
        Grid values of each column: floats, datetime64, or labels. If the column has missing numbers or dates, the
        last value is NaN or NaT.
    average : ndarray of shape (n_outputs, n_grid) or (n_outputs, n_grid_1, n_grid_2)
        Prediction averaged over the rows, with the columns set to the grid values; for a classifier, probabilities.
    individual : ndarray of shape (n_outputs, n_curves, n_grid) or (n_outputs, n_curves, n_grid_1, n_grid_2), or None
        The same for each row that is kept (individual conditional expectation).
    counts : ndarray of int, of shape (n_grid,) or (n_grid_1, n_grid_2)
        Number of rows with each value (for numbers and dates, nearest to it). The effect is unreliable where there are
        few.
    outputs : list
        Classes of a classifier; names of the outputs of a regressor.
    table : pandas.DataFrame
        One row per output and grid value: the values, `output`, `effect`, `count`.

    See Also
    --------
    partial_dependence : Computes it.
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

    def plot(
        self,
        ax: Any = None,
        *,
        centred: bool | str = False,
        n_lines: int = 50,
        limits: tuple[float, float] | None = None,
        as_lines: bool = False,
    ) -> Any:
        """Draw a line for a number or date, dots for labels, or a heat map for two columns.

        A diamond beside the line shows the effect of a missing value. Of more than 30 labels, the most frequent ones
        and those with the largest and smallest effects are drawn; the others are averaged as "other (k labels)".

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        centred : bool or "mean", default=False
            Whether each curve starts at 0. "mean" moves the curves of single rows to the mean of the average curve, so
            that they differ by their shapes alone: curves that are not parallel show interactions.
        n_lines : int, default=50
            Largest number of curves of single rows to draw.
        limits : (float, float), default=None
            The smallest and the largest effect on the axis, as those of `limits`, so that several plots share one
            scale; None fits the axis to the curves.
        as_lines : bool, default=False
            For two columns, draw the effect of the first one for each value of the second (of more than 8, those with
            the largest effects) instead of a heat map. Lines that are not parallel show an interaction.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        if not (isinstance(centred, bool) or centred == "mean"):
            raise ValueError(f"centred={centred!r} must be True, False or 'mean'.")
        if len(self.features) == 2 and as_lines:
            return draw_by_value(self._grids, self.average, self.outputs, f"average {self._unit}", ax, limits)
        if len(self.features) == 2:
            return draw_map(self._grids, self.average, self.outputs, f"average {self._unit}", ax)
        average, rows = self._curves(centred, n_lines)
        unit = f"average {self._unit}" if rows is None or centred == "mean" else self._unit
        unit = f"change of {self._unit}" if centred is True else unit
        return draw_effect(self._grids[0], average, self.outputs, unit, ax, rows, self._shows_average, limits)

    def limits(self, *, centred: bool | str = False, n_lines: int = 50) -> tuple[float, float]:
        """Return the range of effects that a plot of one column shows, which includes nine of ten curves of rows.

        Parameters
        ----------
        centred : bool or "mean", default=False
            As in `plot`.
        n_lines : int, default=50
            As in `plot`.

        Returns
        -------
        (float, float)
        """
        return find_limits(*self._curves(centred, n_lines))

    def _curves(self, centred: bool | str, n_lines: int) -> tuple[np.ndarray, Any]:
        """Return the average, (n_outputs, n_grid), and curves of rows, (n_outputs, n_lines, n_grid), to draw."""
        average, rows = self.average, self.individual
        if rows is not None:
            rows = rows[:, np.linspace(0, rows.shape[1] - 1, min(n_lines, rows.shape[1])).astype(np.intp)]
        if centred == "mean" and rows is not None:
            rows = rows - rows.mean(axis=2, keepdims=True) + average.mean(axis=1)[:, None, None]
        if centred is True:
            average = average - average[:, :1]
            rows = None if rows is None else rows - rows[:, :, :1]
        return average, rows


@check_parameters(
    kind=[StrOptions({"average", "individual", "both"})],
    grid_size=[at_least(2), tuple, None],
    method=[StrOptions({"auto", "walk", "brute"})],
    max_rows=[at_least(1), None],
    n_curves=[at_least(1), None],
    random_state=SEED,
)
def partial_dependence(
    model: Any,
    X: Any,
    features: Any,
    kind: str = "average",
    *,
    grid_size: int | tuple[int, int] | None = None,
    grid: Any = None,
    percentiles: tuple[float, float] = (0.05, 0.95),
    output: Any = None,
    method: str = "auto",
    max_rows: int | None = None,
    n_curves: int | None = None,
    random_state: int = 0,
    sample_weight: Any = None,
) -> PartialDependence:
    """Compute the partial dependence of the prediction on one or two columns.

    All rows are set to each grid value in turn, and the predictions are averaged. Where columns are correlated, some of
    these rows cannot exist (a machine sold before it was built); `ale` evaluates only small changes instead.

    Parameters
    ----------
    model : estimator
        Any fitted regressor or classifier.
    X : table or array-like of shape (n_rows, n_features)
        Rows to average over, as the model takes them.
    features : str or pair of str
        One or two columns, by name or position. For a forest also encoded columns such as ``"saleElapsed"`` (seconds,
        shown as dates); then only that column varies, and the other parts of the date stay.
    kind : {"average", "individual", "both"}, default="average"
        Whether to keep only the average, or also the curve of each row, which takes n_rows x n_grid numbers;
        "individual" draws only the curves.
    grid_size : int or (int, int), default=None
        Maximum number of grid values of a number or date; None uses 50 for one column and 20 for each of two. A pair
        holds those of each of two columns, and of their labels.
    grid : array-like, default=None
        The grid values, which may include NaN or NaT; for two columns a pair of such. None uses all distinct values of
        a number or date if they are few, else quantiles, and for one column also a missing value if X has any; for
        labels, the 200 most frequent, or the 30 most frequent of each of two columns.
    percentiles : (float, float), default=(0.05, 0.95)
        Lowest and highest quantile of the grid, as fractions; a plot says which share of the rows lies outside. Where
        a few values are so frequent that the grid would have fewer than half its size (a column that is mostly 0), they
        are in the grid, and the quantiles are those of the other rows.
    output : label, default=None
        The class to look at, or for a regressor with several outputs ``"output 0"`` and so on. None uses the second of
        two classes, and otherwise all classes or outputs.
    method : {"auto", "walk", "brute"}, default="auto"
        "walk" sends each row down each tree of a forest, following both branches at splits on the varied columns;
        "brute" predicts all rows for each grid value, for any model. Both give the same result; "auto" uses "walk"
        where it is possible.
    max_rows : int, default=None
        Number of rows to sample if X has more; None uses all rows.
    n_curves : int, default=None
        Number of rows whose curves are kept, evenly spaced among the rows; None keeps those of all rows. The average is
        that of all rows in any case, and for forests much faster to compute than the curves.
    random_state : int, default=0
        Seed of the sample.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows; None weights all rows equally. A row of integer weight k counts as k rows.

    Returns
    -------
    PartialDependence
        The effect. Unordered labels (text, or more than 30 numbers) are sorted by their effect, except for two columns.

    Raises
    ------
    ValueError
        The model does not have a column, a grid is empty, or the class is unknown.
    TypeError
        The model is not a forest, and `method` is "walk".

    See Also
    --------
    ale : Accumulated local effects, for correlated columns.
    feature_importance : Importance of each column.
    contributions : Contributions to single predictions.

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
    low, high = percentiles
    if not 0 <= low < high <= 1:
        raise ValueError(f"percentiles={percentiles!r} must satisfy 0 <= low < high <= 1.")
    data = read_effect_data(model, X, features, "partial_dependence", output, max_rows, random_state, sample_weight)
    grids = _make_grids(data, grid, grid_size, percentiles)
    walks = _decide_to_walk(model, data, method)
    points = _cross(grids)
    n_kept = 0 if kind == "average" else min(n_curves or len(data.frame), len(data.frame))
    kept = np.linspace(0, len(data.frame) - 1, n_kept).astype(np.intp)
    average, individual = (_walk if walks else _predict)(data, grids, points, kept)
    return _make_result(data, grids, average, individual, kind)


def predict_at_points(data: EffectData, grids: list[Grid]) -> np.ndarray:
    """Predict each row at each pair of grid values: (n_rows, n_points, n_outputs)."""
    walks = data.trees is not None and len(data.varied) > 0
    return (_walk if walks else _predict)(data, grids, _cross(grids), np.arange(len(data.frame)))[1]


def _cross(grids: list[Grid]) -> np.ndarray:
    """Return the positions of all combinations of grid values: (n_points, n_columns)."""
    points = np.stack(np.meshgrid(*[np.arange(len(grid.values)) for grid in grids], indexing="ij"), axis=-1)
    return points.reshape(-1, len(grids))


def _make_grids(data: EffectData, given: Any, size: Any, percentiles: tuple[float, float]) -> list[Grid]:
    n_columns = len(data.columns)
    each = [given] if n_columns == 1 else [None, None] if given is None else list(given)
    if len(each) != n_columns:
        raise ValueError(f"grid={given!r} must be a pair of lists of values, one per column.")
    sizes = list(size) if isinstance(size, tuple) else [size or _SIZES[n_columns]] * n_columns
    if len(sizes) != n_columns or not all(isinstance(each, (int, np.integer)) and each >= 2 for each in sizes):
        raise ValueError(f"grid_size={size!r} must be a number of at least 2, or for two columns a pair of such.")
    most = sizes if isinstance(size, tuple) else [_MOST_LABELS[n_columns]] * n_columns
    return [
        make_grid(column, own, percentiles, values, most_labels=labels, keep_gap=n_columns == 1)
        for column, own, values, labels in zip(data.columns, sizes, each, most, strict=True)
    ]


def _decide_to_walk(model: Any, data: EffectData, method: str) -> bool:
    can_walk = data.trees is not None and len(data.varied) > 0
    if method == "walk" and not can_walk:
        read_trees(model, "partial_dependence with method='walk'", instead="method='brute'")
        names = [column.name for column in data.columns]
        raise ValueError(f"The encoding before the trees mixes {names} with other columns: pass method='brute'.")
    return can_walk and method != "brute"


def _walk(data: EffectData, grids: list[Grid], points: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, Any]:
    """Predict by traversing a forest.

    Returns the average, (n_points, n_outputs), and the predictions of the rows `kept`, (n_kept, n_points, n_outputs).
    """
    trees: Any = data.trees
    at_points = data.matrix(_at_points(data, data.frame.iloc[:1], grids, points))[:, data.varied]
    matrix = data.matrix(data.frame)
    if len(kept) == len(matrix):
        of_rows = predict_rows(trees, matrix, at_points, data.varied)
        individual = flatten_outputs(trees, of_rows)[..., data.kept]
        return np.average(individual, axis=0, weights=data.weights), individual
    average = walk_average(trees, matrix, at_points, data.varied, data.weights)
    average = flatten_outputs(trees, average)[..., data.kept]
    if not len(kept):
        return average, None
    of_kept = predict_rows(trees, matrix[kept], at_points, data.varied)
    return average, flatten_outputs(trees, of_kept)[..., data.kept]


def _predict(data: EffectData, grids: list[Grid], points: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, Any]:
    """Predict by any model; returns the same as `_walk`."""
    n_rows = len(data.frame)
    weights = np.ones(n_rows) if data.weights is None else data.weights
    total = np.zeros((len(points), len(data.outputs)))
    individual = np.empty((len(kept), *total.shape)) if len(kept) else None
    for some_rows, some_points in _batches(n_rows, len(points)):
        frame = data.frame.iloc[some_rows]
        predicted = data.predict(_at_points(data, frame, grids, points[some_points]))
        predicted = predicted.reshape(-1, len(frame), len(data.outputs))
        total[some_points] += (predicted * weights[some_rows, None]).sum(axis=1)
        if individual is not None:
            here = (kept >= some_rows.start) & (kept < some_rows.stop)
            individual[here, some_points] = predicted[:, kept[here] - some_rows.start].transpose(1, 0, 2)
    return total / weights.sum(), individual


def _batches(n_rows: int, n_points: int) -> Iterator[tuple[slice, slice]]:
    """Yield slices of rows and points with about `_ROWS_AT_ONCE` predictions each."""
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        n_here = min(_ROWS_AT_ONCE, n_rows - start)
        step = max(1, _ROWS_AT_ONCE // n_here)
        for point in range(0, n_points, step):
            yield slice(start, start + n_here), slice(point, min(point + step, n_points))


def _at_points(data: EffectData, frame: pd.DataFrame, grids: list[Grid], points: np.ndarray) -> pd.DataFrame:
    """Repeat the frame for each point, with the varied columns set to the values of the point."""
    n_rows = len(frame)
    repeated = frame.iloc[np.tile(np.arange(n_rows), len(points))]
    return data.replaced(
        repeated, [grid.raw.take(np.repeat(at, n_rows)) for grid, at in zip(grids, points.T, strict=True)]
    )


def _make_result(
    data: EffectData, grids: list[Grid], average: np.ndarray, individual: Any, kind: str
) -> PartialDependence:
    shape = tuple(len(grid.values) for grid in grids)
    average = average.T.reshape(-1, *shape)
    if individual is not None:
        individual = np.moveaxis(individual, 2, 0).reshape(len(average), -1, *shape)
    if len(grids) == 1 and not grids[0].ordered:
        order = np.argsort(average[-1], kind="stable")
        grids, average = [grids[0].take(order)], average[:, order]
        individual = None if individual is None else individual[:, :, order]
    fields = data.describe(grids, average)
    return PartialDependence(average=average, individual=individual, _shows_average=kind != "individual", **fields)
