"""`drift_over_time`: how the distributions of columns change from period to period."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.interpret._parameters import at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.attribution._shown_values import to_text
from tabrec.interpret.change._column_tests import adjust_p_values, compare_column
from tabrec.interpret.change._shift_columns import pair_columns
from tabrec.interpret.without_columns import read_moments
from tabrec.plotting.axes import PALETTE, finish, make_axes, shorten, shorten_all
from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target

_LEAST_ROWS = 30  # in a period
_LEAST_DISTANCE = 0.1  # smallest distance that is reported
# Shares of the largest distance: of a sudden change between two periods, of one within a period, and of its start.
_SUDDEN, _WITHIN_ONE, _BEGINS = 0.6, 0.8, 0.2
_MOST_FINDINGS = 5
_BY_CHANCE = 0.87


@dataclass(frozen=True, repr=False)
class DriftOverTime(Result):
    """How far the distributions of columns are from those of another period; the result of `drift_over_time`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each column and period, but the first: ``column``; ``period``, its number from 1; ``start`` and
        ``end``, the first and the last moment in it; ``n`` rows; ``distance`` and ``p_value``, as in `domain_shift`,
        from the period that it is compared with, p-values adjusted for all columns and periods; ``how``, how it
        differs, in words.
    periods : pandas.DataFrame
        One row for each period: ``start``, ``end`` and ``n``.
    reference : {"first", "previous"}
        The period that others are compared with.
    n_left_out : int
        Number of rows in periods of fewer than 30 rows, which are left out.
    findings : list of Finding
        The columns that have changed most, and whether suddenly or gradually.

    See Also
    --------
    drift_over_time : Makes it.
    """

    table: pd.DataFrame
    periods: pd.DataFrame
    reference: str
    n_left_out: int
    findings: list[Finding]

    def plot(self, ax: Any = None, n_largest: int = 6) -> Any:
        """Draw the distance of the columns that change most, by period.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        n_largest : int, default=6
            Number of columns to draw, at most 8.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        ax = make_axes(ax, (6.8, 4.2))
        by_column = self.table.pivot(index="column", columns="period", values="distance")
        order = by_column.max(axis=1).sort_values(ascending=False, kind="stable").index[: min(n_largest, len(PALETTE))]
        first = {0: 0.0} if self.reference == "first" else {}
        for colour, name, label in zip(PALETTE, order, shorten_all(order, 24), strict=False):
            values = pd.Series(first | by_column.loc[name].to_dict()) if first else by_column.loc[name]
            ax.plot(values.index, values, "o-", color=colour, markersize=4, linewidth=1.5, label=label)
        starts = [to_text(start) for start in self.periods["start"]]
        places = list(range(0 if first else 1, len(self.periods)))
        shown = places[:: -(-len(places) // 8)]
        ax.set_xticks(shown, [starts[place] for place in shown], rotation=30, ha="right", rotation_mode="anchor")
        ax.set_ylim(-0.02, max(1.08 * float(by_column.loc[order].to_numpy().max()), 0.2))
        hidden = len(by_column) - len(order)
        note = f"; {hidden} more columns change less" if hidden else ""
        ax.set_xlabel(f"start of the period{note}")
        ax.set_ylabel(f"distance from the {self.reference} period")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8, borderaxespad=0.2)
        return finish(ax)


@check_parameters(
    periods=[at_least(2), str],
    reference=[StrOptions({"first", "previous"})],
    level=[Interval(Real, 0, 1, closed="neither")],
)
def drift_over_time(
    X: Any,
    time: Any,
    y: Any = None,
    *,
    periods: int | str = 6,
    reference: str = "first",
    level: float = 0.05,
) -> DriftOverTime:
    """Compare the distribution of each column between periods of time.

    Parameters
    ----------
    X : table or array-like of shape (n_rows, n_columns)
        Raw rows, in any order.
    time : str or array-like of shape (n_rows,)
        The column with the time of each row, which is not compared itself, or the times: dates, text that reads as
        dates, or numbers.
    y : array-like of shape (n_rows,), default=None
        The target, which is then compared too, as "target" or by its name.
    periods : int or str, default=6
        A number of periods of about as many rows, or an alias of pandas for periods of the calendar, such as "YS"
        (years), "QS" (quarters) or "MS" (months). Periods of fewer than 30 rows are left out.
    reference : {"first", "previous"}, default="first"
        Whether each period is compared with the first one, which shows how far columns have moved, or with the one
        before, which shows when.
    level : float, default=0.05
        Findings name columns whose adjusted p-value is below it.

    Returns
    -------
    DriftOverTime

    Raises
    ------
    ValueError
        Missing times, fewer than two periods of at least 30 rows, no other column, or an unknown alias.

    See Also
    --------
    domain_shift : Compares two tables, also by combinations of columns.
    recent_only : Whether old rows help the model.

    Notes
    -----
    Seasons are differences too: where columns follow them, compare whole years.

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import drift_over_time
    >>> sales = make_auctions(900, random_state=0)[["YearMade", "state", "saledate"]]
    >>> drift = drift_over_time(sales, "saledate", periods=3)
    >>> drift.findings[0].columns
    ('YearMade',)
    """
    frame = read_frame(X).reset_index(drop=True)
    moments = read_moments(time, frame)
    frame = frame.drop(columns=time) if isinstance(time, str) else frame
    if y is not None:
        frame = _with_target(frame, y)
    if not frame.shape[1]:
        raise ValueError("drift_over_time: there is no column to compare besides the time.")
    codes, table, n_left_out = _cut(moments, periods)
    rows = [np.flatnonzero(codes == code) for code in range(len(table))]
    found = []
    for code in range(1, len(table)):
        before = rows[0] if reference == "first" else rows[code - 1]
        pairs, _, _ = pair_columns(frame.iloc[before], frame.iloc[rows[code]])
        for pair in pairs:
            test = compare_column(pair)
            line = (pair.name, code, table["start"][code], table["end"][code], len(rows[code]))
            found.append((*line, test.distance, test.p_value, pair.how))
    names = ["column", "period", "start", "end", "n", "distance", "p_value", "how"]
    result = pd.DataFrame(found, columns=names)
    result["p_value"] = adjust_p_values(result["p_value"].to_numpy())
    return DriftOverTime(result, table, reference, n_left_out, _find_drift(result, table, reference, level))


def _with_target(frame: pd.DataFrame, y: Any) -> pd.DataFrame:
    check_row_labels(frame, y=y)
    values = check_target(y, len(frame), "drift_over_time", numeric=False).reshape(len(frame), -1)[:, 0]
    name = getattr(y, "name", None)
    name = "target" if name is None or name in frame else str(name)
    return frame.assign(**{name: values})


def _cut(moments: pd.Index, periods: int | str) -> tuple[np.ndarray, pd.DataFrame, int]:
    """Divide rows into periods; returns the period of each row, -1 if left out, the periods and the number left out."""
    times = pd.Series(moments)
    if isinstance(periods, Integral):
        ends = times.sort_values().iloc[np.linspace(0, len(times), int(periods) + 1)[1:-1].astype(np.intp)]
        codes = np.searchsorted(np.unique(ends), times.to_numpy(), side="right")
    else:
        if not isinstance(moments, pd.DatetimeIndex):
            raise ValueError(f"periods={periods!r} is for dates; the times are numbers: give a number of periods.")
        try:
            codes = _number_by_calendar(moments, str(periods))
        except ValueError as error:
            raise ValueError(f"periods={periods!r} is not an alias of pandas, such as 'MS' (months): {error}") from None
    counts = np.bincount(codes)
    kept = np.flatnonzero(counts >= _LEAST_ROWS)
    if len(kept) < 2:
        raise ValueError(
            f"periods={periods!r} gives {len(kept)} period(s) of at least {_LEAST_ROWS} rows, from {len(times)} rows: "
            "give fewer or longer periods."
        )
    place = np.full(len(counts), -1)
    place[kept] = np.arange(len(kept))
    codes = place[codes]
    ends = times.groupby(codes).agg(["min", "max", "size"]).loc[list(range(len(kept)))].reset_index(drop=True)
    return codes, ends.set_axis(["start", "end", "n"], axis=1), int((codes < 0).sum())


def _number_by_calendar(moments: pd.DatetimeIndex, alias: str) -> np.ndarray:
    order = np.argsort(moments, kind="stable")
    sizes = pd.Series(0, index=moments[order]).resample(alias).size().to_numpy()
    codes = np.empty(len(moments), dtype=np.intp)
    codes[order] = np.repeat(np.arange(len(sizes)), sizes)
    return codes


def _find_drift(table: pd.DataFrame, periods: pd.DataFrame, reference: str, level: float) -> list[Finding]:
    """Return a finding for each of the columns that change most, and one for the others."""
    clear = table[(table["p_value"] <= level) & (table["distance"] >= _LEAST_DISTANCE)]
    order = clear.groupby("column")["distance"].max().sort_values(ascending=False, kind="stable").index.tolist()
    findings = [_describe(table[table["column"] == name], periods, reference) for name in order[:_MOST_FINDINGS]]
    if others := order[_MOST_FINDINGS:]:
        text = f"Columns that drift less: {', '.join(others[:10])}{', …' if len(others) > 10 else '.'}"
        evidence = f"{len(others)} column(s), each with a significant difference between periods."
        action = "See in the table when and how they differ."
        findings.append(Finding("drift", 3, tuple(others), text, evidence, action))
    return findings


def _describe(rows: pd.DataFrame, periods: pd.DataFrame, reference: str) -> Finding:
    largest = rows.iloc[int(rows["distance"].argmax())]
    # The expected distance without a change, larger for short periods (mean of Kolmogorov's distribution).
    by_chance = _BY_CHANCE * np.sqrt(1 / rows["n"].to_numpy() + 1 / periods["n"].iloc[0])
    at = _find_step(np.maximum(rows["distance"].to_numpy() - by_chance, 0), reference)
    when = to_text(rows["start"].iloc[0 if at is None else at])
    name = shorten(largest["column"], 40).replace(r"\$", "$")
    gradual = f"{name} drifts from {to_text(periods['start'][0])} on"
    text = gradual if at is None else f"{name} changes in the period from {when}"
    how = f": {largest['how']}" if largest["how"] else ""
    p_value = "< 1e-16" if largest["p_value"] < 1e-16 else f"= {largest['p_value']:.2g}"
    evidence = (
        f"In the period from {to_text(largest['start'])} its distance from the {reference} one is "
        f"{largest['distance']:.2f}, adjusted p {p_value}."
    )
    action = "Validate on the latest rows; recent_only tests whether old rows still help."
    return Finding("drift", 2, (largest["column"],), f"{text}{how}.", evidence, action)


def _find_step(distances: np.ndarray, reference: str) -> int | None:
    """Return the period of a sudden change; None if the distance from the first period grows gradually."""
    if reference == "previous":
        return int(distances.argmax())
    steps = np.diff(distances, prepend=0.0)
    if steps.max() >= _SUDDEN * distances.max():
        at = int(steps.argmax())
        return at - 1 if at and steps[at - 1] >= _BEGINS * distances.max() else at
    pairs = steps[:-1] + steps[1:]
    is_within = len(steps) > 2 and pairs.max() >= _WITHIN_ONE * distances.max()
    return int(pairs.argmax()) if is_within else None
