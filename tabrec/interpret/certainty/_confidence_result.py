"""`Confidence`: the result of `confidence`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding, Result
from tabrec.interpret._weights import weigh_rows
from tabrec.plotting.axes import BLUE, ORANGE, finish, format_tick, ink, make_axes, number_axis
from tabrec.tables.messages import warn_caller
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target

_N_GROUPS = 5
_MOST_DISTINCT = 10
_FEW_ROWS = 60
_MOST_DRAWN = 1_000


@dataclass(frozen=True, repr=False)
class Confidence(Result):
    """Uncertainty of the prediction of each row.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each row of X, under its index. For a regressor: `prediction`, `lower`, `upper` and `spread` (the
        standard deviation over the trees, NaN if there are none), in units of the target. For a classifier:
        `prediction`, its `probability`, the `set` of labels (a tuple, the most probable first) and its `size`.
    level : float
        The requested coverage.
    method : str
        The method of `confidence`.
    findings : list of Finding
        Typical widths or sizes, and reasons for caution.

    See Also
    --------
    confidence : Estimates the uncertainty of predictions.
    """

    table: pd.DataFrame
    level: float
    method: str
    findings: list[Finding]
    _X: pd.DataFrame = field(compare=False)
    _fitted_target: np.ndarray | None = field(default=None, compare=False)  # target of fit, if the model keeps it

    def coverage(self, y: Any, by: Any = None, sample_weight: Any = None) -> pd.DataFrame:
        """Share of rows whose true target is covered, overall or by subgroup.

        Parameters
        ----------
        y : array-like of shape (n_rows,)
            Their true targets, in the order of X. The rows must not have been used in fit or as `calibration`.
        by : str or array-like of shape (n_rows,), default=None
            Subgroups: the name of a column of X, or a value for each row. Numbers with more than ten distinct values
            are cut into five groups of equal size. For a classifier ``by=y`` shows the coverage of each class.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows; None weights all rows equally. A row of integer weight k counts as k rows.

        Returns
        -------
        pandas.DataFrame
            By subgroup: `n` rows, `coverage`, its `std_error` (Agresti and Coull's, so that it is not 0 where every
            row is covered), and `mean_width` of the intervals or `mean_size` of the sets.

        Warns
        -----
        UserWarning
            The targets are those of the rows that a forest was fitted on, so the coverage is too high.
        """
        target = self._read_target(y, "coverage")
        if self._fitted_target is not None and np.array_equal(np.sort(target), np.sort(self._fitted_target)):
            warn_caller("y is the training target, so coverage would be overestimated; use held-out rows.")
        used, weights = weigh_rows(self.table, sample_weight)
        rows = pd.DataFrame({"covered": self._covers(target), "width": self._width()})
        title, codes, names = ("rows", np.zeros(len(rows), dtype=int), ["all"]) if by is None else self._groups(by)
        width = "mean_size" if self._is_of_classes else "mean_width"
        weights = np.ones(len(used)) if weights is None else weights
        found = pd.DataFrame({"weight": weights}).assign(squares=weights**2, n=1, code=np.asarray(codes)[used])
        for name, values in {"coverage": rows["covered"], "mean_width": rows["width"]}.items():
            found[name] = values.to_numpy()[used] * weights
        found = found.groupby("code").sum()
        found[["coverage", "mean_width"]] = found[["coverage", "mean_width"]].div(found["weight"], axis=0)
        # Weights reduce the effective number of rows (Kish 1965).
        n = found["weight"] ** 2 / found["squares"]
        steadied = (found["coverage"] * n + 2) / (n + 4)
        found["std_error"] = np.sqrt(steadied * (1 - steadied) / (n + 4))
        found = found[["n", "coverage", "std_error", "mean_width"]]
        found.index = pd.Index([names[code] for code in found.index], name=title)
        return found.rename(columns={"mean_width": width})

    def plot(self, ax: Any = None, y: Any = None) -> Any:
        """Draw intervals in the order of their predictions, or the sizes of sets.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        y : array-like of shape (n_rows,), default=None
            True targets, drawn as dots; those outside of their interval have another colour.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        target = None if y is None else self._read_target(y, "plot")
        ax = make_axes(ax, (7.0, 4.2))
        if self._is_of_classes:
            return _draw_sizes(ax, self, target)
        return _draw_intervals(ax, self, target)

    @property
    def _is_of_classes(self) -> bool:
        return "set" in self.table

    def _read_target(self, y: Any, function: str) -> np.ndarray:
        n_rows = len(self.table)
        check_row_labels(self.table, y=y)
        return check_target(y, n_rows, function, numeric=not self._is_of_classes).reshape(n_rows)

    def _covers(self, y: np.ndarray) -> np.ndarray:
        if self._is_of_classes:
            return np.array([truth in labels for truth, labels in zip(y, self.table["set"], strict=True)], dtype=bool)
        return (self.table["lower"].to_numpy() <= y) & (y <= self.table["upper"].to_numpy())

    def _width(self) -> np.ndarray:
        if self._is_of_classes:
            return self.table["size"].to_numpy()
        return (self.table["upper"] - self.table["lower"]).to_numpy()

    def _groups(self, by: Any) -> tuple[str, np.ndarray, list[str]]:
        """Return the title of subgroups, the number of each row's subgroup, and their names."""
        if isinstance(by, str):
            if by not in self._X:
                raise ValueError(f"by={by!r} is not a column of X, which has {self._X.columns.tolist()[:20]}.")
            by = self._X[by]
        groups = by.reset_index(drop=True) if isinstance(by, pd.Series) else pd.Series(np.asarray(by), name="group")
        if len(groups) != len(self.table):
            raise ValueError(f"by has {len(groups)} values, but there are {len(self.table)} rows: pass one for each.")
        return "group" if groups.name is None else str(groups.name), *_number_groups(groups)


def _number_groups(groups: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Number the group of each row in the order of values, missing last; also returns the names of groups."""
    ordered = pd.api.types.is_numeric_dtype(groups) or pd.api.types.is_datetime64_any_dtype(groups)
    values = groups if ordered else groups.astype(object).where(groups.isna(), groups.astype(str))
    if ordered and values.nunique() > _MOST_DISTINCT:
        parts = pd.qcut(values, _N_GROUPS, labels=False, duplicates="drop")
        ends = values.groupby(parts).agg(["min", "max"])
        names = [f"{_value(low)} to {_value(high)}" for low, high in ends.itertuples(index=False)]
        codes = np.searchsorted(ends.index.to_numpy(), parts.to_numpy())
    else:
        codes, distinct = pd.factorize(values, sort=True)
        names = [str(value) for value in distinct]
    return np.where(values.isna(), len(names), codes), [*names, "missing"]


def _value(value: Any) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return format_tick(float(f"{value:.4g}")) if isinstance(value, (float, np.floating)) else str(value)


def _draw_intervals(ax: Any, result: Confidence, y: np.ndarray | None) -> Any:
    n = len(result.table)
    position = np.unique(np.linspace(0, n - 1, min(n, _MOST_DRAWN)).astype(int))
    order = np.argsort(result.table["prediction"].to_numpy(), kind="stable")[position]
    table = result.table.iloc[order]
    lower, upper = table["lower"], table["upper"]
    name = f"{result.level:.0%} interval"
    if n <= _FEW_ROWS:
        ax.vlines(position, lower, upper, color=BLUE, alpha=0.45, linewidth=3, label=name)
        ax.plot(position, table["prediction"], "o", color=BLUE, markersize=4, label="prediction")
    else:
        ax.fill_between(position, lower, upper, step="mid", color=BLUE, alpha=0.25, linewidth=0, label=name)
        ax.plot(position, table["prediction"], color=BLUE, linewidth=1.5, label="prediction")
    if y is not None:
        _draw_truths(ax, position, y[order], result._covers(y)[order], result._covers(y).mean())
    ax.set_xlim(-0.03 * n - 0.5, 1.03 * n - 0.5)
    ax.set_xlabel("rows, by their prediction" if n > 1 else "the row")
    ax.set_ylabel("target")
    number_axis(ax.yaxis)
    return _finish_with_legend(ax)


def _draw_truths(ax: Any, position: np.ndarray, y: np.ndarray, inside: np.ndarray, share: float) -> None:
    size = 9 if len(y) <= _MOST_DRAWN / 3 else 4
    for where, colour, name in ((inside, ink(), f"within ({share:.0%})"), (~inside, ORANGE, "outside")):
        if where.any():
            ax.scatter(position[where], y[where], s=size, color=colour, zorder=3, linewidths=0, label=name)


def _draw_sizes(ax: Any, result: Confidence, y: np.ndarray | None) -> Any:
    """Draw a bar chart of set sizes, split by whether the set contains the true label."""
    sizes = result.table["size"].to_numpy()
    values, counts = np.unique(sizes, return_counts=True)
    held = np.ones(len(sizes), dtype=bool) if y is None else result._covers(y)
    inside = np.array([int(held[sizes == value].sum()) for value in values])
    ax.bar(values, inside, color=BLUE, label="rows" if y is None else f"holds the true label ({held.mean():.0%})")
    if not held.all():
        ax.bar(values, counts - inside, bottom=inside, color=ORANGE, label="misses it")
    ax.set_xlim(min(sizes.min(), 1) - 0.6, max(sizes.max(), 3) + 0.6)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel(f"labels in the {result.level:.0%} set")
    ax.set_ylabel("rows")
    return finish(ax) if y is None else _finish_with_legend(ax)


def _finish_with_legend(ax: Any) -> Any:
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=9, borderaxespad=0.2)
    ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    return finish(ax)
