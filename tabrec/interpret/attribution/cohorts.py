"""`Cohorts`: mean contributions of groups of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeRegressor

from tabrec.interpret._result import Result
from tabrec.interpret.attribution._shown_values import has_order, to_text
from tabrec.interpret.metrics import error_of_mean
from tabrec.plotting.axes import GREY, PALETTE, finish, ink, number_axis, row_axes, shorten, shorten_all

_MOST_COHORTS, _N_PARTS = 8, 4
_LEAST_ROWS = 20  # smallest share of rows in a leaf of the tree of cohorts
_MOST_LABELS = 20  # largest number of labels of a column that the tree tests
REST = "other"


@dataclass(frozen=True, repr=False)
class Cohorts(Result):
    """Mean contributions of groups of rows; the result of `Contributions.by_cohort`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each cohort and column: ``cohort``, ``n`` rows, ``prediction`` (their mean), ``column``,
        ``contribution`` (the mean over the cohort) and its ``std_error`` over the rows, NaN for one row. In each cohort
        the mean predictions are the base plus the sum of the contributions.
    base : float
        The prediction that contributions start from, the mean over the rows.
    output : object
        The class or output explained; None where a regressor has one output.
    unit : str
        What the contributions are measured in.

    See Also
    --------
    Contributions.by_cohort : Makes it.
    """

    table: pd.DataFrame
    base: float
    output: Any
    unit: str

    def plot(self, ax: Any = None, n_largest: int = 8) -> Any:
        """Draw the mean contributions of the columns that differ most between cohorts, a bar for each cohort.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        n_largest : int, default=8
            Number of columns to draw.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        by_column = self.table.pivot(index="column", columns="cohort", values="contribution")
        by_column = by_column[list(dict.fromkeys(self.table["cohort"]))]
        errors = self.table.pivot(index="column", columns="cohort", values="std_error")[by_column.columns]
        order = by_column.abs().max(axis=1).sort_values(ascending=False, kind="stable").index[:n_largest]
        counts = self.table.groupby("cohort")["n"].first()
        n, height = len(by_column.columns), 0.8 / len(by_column.columns)
        ax = row_axes(ax, order, (7.0, 1.6 + 0.18 * n, 0.16 + 0.14 * n))
        colors = [GREY if name == REST else PALETTE[i % len(PALETTE)] for i, name in enumerate(by_column.columns)]
        names = shorten_all(by_column.columns, 48)
        for place, (cohort, color, name) in enumerate(zip(by_column.columns, colors, names, strict=True)):
            at = np.arange(len(order)) + (place - (n - 1) / 2) * height
            bars = 2 * errors.loc[order, cohort].fillna(0)
            label = f"{name} ({counts[cohort]:,} rows)"
            style = {"color": color, "label": label, "error_kw": {"lw": 0.8, "ecolor": ink(), "alpha": 0.6}}
            ax.barh(at, by_column.loc[order, cohort], height=0.9 * height, xerr=bars, **style)
        ax.axvline(0, color=GREY, linewidth=1)
        number_axis(ax.xaxis)
        hidden = len(by_column) - len(order)
        note = f"; {hidden} more columns are not shown" if hidden else ""
        ax.set_xlabel(f"mean {self.unit}\n(± 2 standard errors{note})")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, borderaxespad=0.2)
        return finish(ax)


def average_by_cohort(
    cells: np.ndarray, prediction: np.ndarray, columns: list[str], cohorts: tuple[list[str], np.ndarray]
) -> pd.DataFrame:
    """Make the table of `Cohorts` from `cells`, (n_rows, n_columns), and names and numbers of cohorts."""
    lines = []
    for code, cohort in enumerate(cohorts[0]):
        rows = np.flatnonzero(cohorts[1] == code)
        for place, column in enumerate(columns):
            of_column = cells[rows, place]
            mean, error = float(of_column.mean()), error_of_mean(of_column)
            lines.append((cohort, len(rows), float(prediction[rows].mean()), column, mean, error))
    return pd.DataFrame(lines, columns=["cohort", "n", "prediction", "column", "contribution", "std_error"])


def read_cohorts(by: Any, raw: pd.DataFrame, values: pd.DataFrame, cells: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Read the parameter `by` of `Contributions.by_cohort`; returns cohort names and the number of each row's."""
    if isinstance(by, (int, np.integer)) and not isinstance(by, bool):
        if not 2 <= by <= len(cells):
            raise ValueError(f"by={by!r}: a number of cohorts is from 2 to the number of rows, {len(cells)}.")
        return split_by_tree(cells, values, int(by))
    if isinstance(by, str):
        if by not in raw and by not in values:
            raise ValueError(f"by={by!r} is not a column of the rows: {list(raw.columns)[:20]}.")
        by = (raw if by in raw else values)[by].rename(by)
    column = by.reset_index(drop=True) if isinstance(by, pd.Series) else pd.Series(np.asarray(by))
    if len(column) != len(cells):
        raise ValueError(f"by has {len(column)} values, but there are {len(cells)} rows: pass one for each.")
    return name_cohorts(column)


def name_cohorts(values: pd.Series) -> tuple[list[str], np.ndarray]:
    """Divide rows into cohorts by frequent labels, or by quartiles of numbers and dates; see `read_cohorts`."""
    name = "" if values.name is None else str(values.name)
    if has_order(values) and values.nunique() > _MOST_COHORTS:
        parts = pd.qcut(values, _N_PARTS, labels=False, duplicates="drop")
        ends = values.groupby(parts).agg(["min", "max"])
        names = [f"{name} {to_text(low)} to {to_text(high)}".strip() for low, high in ends.itertuples(index=False)]
        codes = np.searchsorted(ends.index.to_numpy(), parts.fillna(np.inf).to_numpy())
        return [*names, f"{name} missing".strip()][: codes.max() + 1], codes
    texts = values.astype(object).map(to_text)
    counts = texts.value_counts()
    kept = counts.index[: _MOST_COHORTS - 1 if len(counts) > _MOST_COHORTS else None]
    codes = pd.Index(kept).get_indexer(texts)
    codes = np.where(codes < 0, len(kept), codes)
    return [*(f"{name} = {label}" if name else label for label in kept), REST][: codes.max() + 1], codes


def split_by_tree(cells: np.ndarray, values: pd.DataFrame, n_cohorts: int) -> tuple[list[str], np.ndarray]:
    """Divide rows into cohorts by a small tree that predicts the contributions; see `read_cohorts`.

    A cohort is named by the tests on the path to its leaf, which compare labels one by one and numbers by a threshold.
    """
    matrix, tests = _read_tests(values)
    fewest = min(_LEAST_ROWS, max(1, len(cells) // 4))
    tree = DecisionTreeRegressor(max_leaf_nodes=n_cohorts, min_samples_leaf=fewest, random_state=0)
    leaves, codes = np.unique(tree.fit(matrix, cells).apply(matrix), return_inverse=True)
    return [_name_leaf(tree.tree_, int(leaf), tests, values) for leaf in leaves], codes


def _as_numbers(column: pd.Series) -> np.ndarray:
    """Convert numbers, or dates as seconds since 1970, to floats; NaN if missing."""
    if not pd.api.types.is_datetime64_any_dtype(column):
        return column.to_numpy(np.float64, na_value=np.nan)
    return ((column.dt.tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(seconds=1)).to_numpy(np.float64)


def _read_tests(values: pd.DataFrame) -> tuple[np.ndarray, list[tuple[str, Any]]]:
    """Return the inputs of a tree, with the column and label of each; the label is None for numbers and dates."""
    columns: list[np.ndarray] = []
    tests: list[tuple[str, Any]] = []
    for name, column in values.items():
        labels: list[str] = ["missing"] if column.isna().any() else []
        if has_order(column):
            numbers = _as_numbers(column)
            known = numbers[~np.isnan(numbers)]
            columns.append(np.where(np.isnan(numbers), np.median(known) if len(known) else 0.0, numbers))
            tests.append((str(name), None))
        texts = column.astype(object).map(to_text)
        if not has_order(column):
            labels = texts.value_counts().index[:_MOST_LABELS].tolist()
        columns += [(texts == label).to_numpy(np.float64) for label in labels]
        tests += [(str(name), label) for label in labels]
    return np.column_stack(columns), tests


def _name_leaf(tree: Any, leaf: int, tests: list[tuple[str, Any]], values: pd.DataFrame) -> str:
    parents = {int(child): (node, sign) for node in range(tree.node_count) for child, sign in _children(tree, node)}
    bounds: dict[str, dict[str, Any]] = {}
    node = leaf
    while node in parents:
        node, is_left = parents[node]
        name, label = tests[tree.feature[node]]
        if label is not None:
            bounds.setdefault(name, {}).setdefault("is not" if is_left else "is", []).append(label)
            continue
        text = _largest_below(values[name], tree.threshold[node])
        bounds.setdefault(name, {}).setdefault("≤" if is_left else ">", text)  # the last test is the narrowest
    return ", ".join(_describe(name, each) for name, each in reversed(bounds.items())) or "all rows"


def _children(tree: Any, node: int) -> list[tuple[int, bool]]:
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    return [] if left < 0 else [(left, True), (right, False)]


def _describe(name: str, bounds: dict[str, Any]) -> str:
    if "is" in bounds:
        return f"{name} = {shorten(bounds['is'][0], 20)}"
    ends = [f"{sign} {bounds[sign]}" for sign in (">", "≤") if sign in bounds]
    if "is not" in bounds:
        ends.append(f"not {', '.join(shorten(label, 20) for label in reversed(bounds['is not']))}")
    return f"{name} {' and '.join(ends)}"


def _largest_below(column: pd.Series, threshold: float) -> str:
    """Return the largest value below a threshold, because thresholds lie between values of the column."""
    numbers = _as_numbers(column)
    return to_text(column.iloc[int(np.nanargmax(np.where(numbers <= threshold, numbers, -np.inf)))])
