"""Two looks at time: is a model better off without suspect columns, and without old rows?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tabrec.interpret._comparison import CLEAR
from tabrec.interpret._result import Finding, Result
from tabrec.interpret._scores import Metric
from tabrec.interpret.change._time_trials import Trials
from tabrec.plotting.axes import BLUE, GREEN, GREY, INK, RED, finish, make_axes, shorten
from tabrec.preprocess.time_split import read_at
from tabrec.tables.names import check_named
from tabrec.tables.sizes import is_number

_COLOURS = {"better": GREEN, "no harm": BLUE, "worse": RED}


@dataclass(frozen=True, repr=False)
class DropAndCompare(Result):
    """What a model loses or gains without suspect columns, on later rows; see `drop_and_compare`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a model: ``dropped`` (a tuple of columns; empty for the model with all), ``score``, ``change`` (of the
        score against the model with all columns), ``std_error`` (of the change), ``verdict`` ("better", "no harm" or
        "worse"; "" for the model with all).
    drop : list of str
        The columns that can go together without harm.
    metric : str
    greater_is_better : bool
    findings : list of Finding
    """

    table: pd.DataFrame
    drop: list[str]
    metric: str
    greater_is_better: bool
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """The change of the score without each column, with two standard errors to either side.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib Axes
        """
        shown = self.table.iloc[1:][::-1]
        ax = make_axes(ax, (6.4, 1.5 + 0.34 * len(shown)))
        rows: Any = shown.itertuples()
        for position, row in enumerate(rows):
            colour = _COLOURS[row.verdict]
            ax.errorbar(
                row.change, position, xerr=CLEAR * row.std_error, fmt="o", color=colour, capsize=3, markersize=5
            )
        ax.axvline(0, color=GREY, linewidth=1)
        ax.set_yticks(range(len(shown)), [_describe(dropped) for dropped in shown["dropped"]])
        ax.set_ylim(-0.6, len(shown) - 0.4)
        better = "more" if self.greater_is_better else "less"
        ax.set_xlabel(f"change of {self.metric} without it ({better} is better)\n± {CLEAR} standard errors")
        full = self.table["score"].iloc[0]
        ax.set_title(f"Later rows, {self.metric} with all columns: {full:.4g}", fontsize=10)
        return finish(ax)


@dataclass(frozen=True, repr=False)
class RecentOnly(Result):
    """What a model gains or loses by training on recent rows only; see `recent_only`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a model, that with all training rows first: ``share`` (of the training rows), ``from`` (the first
        moment), ``n_rows``, ``score``, ``change`` (of the score against all rows), ``std_error`` (of the change).
    best : float
        The share to train on: the best score among those that beat all rows by more than two standard errors, else 1.0.
    metric : str
    greater_is_better : bool
    findings : list of Finding
    """

    table: pd.DataFrame
    best: float
    metric: str
    greater_is_better: bool
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """The score by the share of the training rows; bars are two standard errors of the change.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        matplotlib Axes
        """
        ax = make_axes(ax, (6.4, 3.8))
        shown = self.table.sort_values("share")
        share = 100 * shown["share"]
        ax.errorbar(
            share, shown["score"], yerr=CLEAR * shown["std_error"], fmt="o-", color=BLUE, capsize=3, markersize=5
        )
        ax.axhline(self.table["score"].iloc[0], color=GREY, linewidth=1, linestyle="--", label="all rows")
        best = self.table[self.table["share"] == self.best].iloc[0]
        ax.scatter([100 * self.best], [best["score"]], s=90, facecolors="none", edgecolors=INK, zorder=3, label="best")
        ax.set_xlabel("most recent share of the training rows, %")
        better = "higher" if self.greater_is_better else "lower"
        ax.set_ylabel(f"{self.metric} on the latest rows ({better} is better)")
        ax.legend(frameon=False, fontsize=9)
        return finish(ax)


def drop_and_compare(
    model_factory: Any,
    X: Any,
    y: Any,
    columns: Sequence[str],
    *,
    time: Any,
    n_splits: int = 1,
    test_size: Any = 0.2,
    metric: str | None = None,
    random_state: int = 0,
) -> DropAndCompare:
    """Compare a model with itself without each suspect column, on rows later than those it learned from.

    A column whose absence does not make the score worse by more than two standard errors does no harm by going. Those
    columns are then left out together; where that is worse after all, they are left out one after the other for as
    long as it does no harm.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns a new one. Regressor, or classifier with
        probabilities; pipelines too.
    X : table or array-like of shape (n_rows, n_columns)
        Raw, as the model takes it.
    y : array-like of shape (n_rows,)
    columns : list of str
        The suspects, such as the first of ``domain_shift(...).shifted``.
    time : str or array-like of shape (n_rows,)
        The column with the time of each row, or the times: dates, text that reads as dates, or numbers. It may be a
        suspect itself.
    n_splits : int, default=1
        Folds in time order, each later than the one before; their validation rows are put together.
    test_size : int, float or duration, default=0.2
        Rows to validate on in each fold; see `TimeSplit`.
    metric : {"rmse", "mae", "r2", "accuracy", "log_loss"}, default=None
        None is RMSE for a regressor, accuracy for a classifier.
    random_state : int, default=0
        Given to models whose `random_state` is None, so that all draw alike.

    Returns
    -------
    DropAndCompare

    Raises
    ------
    ValueError
        A column that is not in X, none or all of them, times that are missing, an unknown metric.

    Notes
    -----
    Standard errors are those of the mean difference over validation rows; rows of one day are alike, so that they are
    rather too small. The one-standard-error rule is that of Breiman et al. (1984).

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Finding Out-of-Domain Data", where
    SalesID, MachineID and saleElapsed are left out in turn. Breiman, Friedman, Olshen & Stone (1984), "Classification
    and regression trees", section 3.4.3.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import drop_and_compare
    >>> sales = make_auctions(300, random_state=0)[["SalesID", "YearMade", "saledate", "SalePrice"]]
    >>> price = sales.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=10, n_jobs=1)
    >>> compared = drop_and_compare(forest, sales, price, ["SalesID"], time="saledate")
    >>> compared.table["dropped"].tolist()
    [(), ('SalesID',)]
    """
    trials = Trials.read(model_factory, X, y, time, metric, random_state)
    suspects = list(dict.fromkeys(check_named("columns", columns, [str(name) for name in trials.frame.columns])))
    if not suspects or len(suspects) == trials.frame.shape[1]:
        raise ValueError(f"columns={columns!r} must name some of the columns of X, but not all of them.")
    folds = trials.folds(n_splits, test_size)
    full = trials.gains(folds)

    def leave_out(names: tuple[str, ...]) -> dict[str, Any]:
        return {"dropped": names} | trials.compare(trials.gains(folds, names), full)

    alone = [leave_out((name,)) for name in suspects]
    together = _leave_out_together(_harmless(alone, trials.metric), leave_out)
    table = pd.DataFrame([{"dropped": ()} | trials.compare(full, full) | {"verdict": ""}, *alone, *together])
    drop = _most_without_harm(table, trials.metric)
    findings = _drop_findings(table, drop, trials.metric)
    return DropAndCompare(table, drop, trials.metric.name, trials.metric.greater_is_better, findings)


def recent_only(
    model_factory: Any,
    X: Any,
    y: Any,
    *,
    time: Any,
    shares: Sequence[float] = (1.0, 0.75, 0.5, 0.25),
    since: Sequence[Any] | None = None,
    test_size: Any = 0.2,
    metric: str | None = None,
    random_state: int = 0,
) -> RecentOnly:
    """Compare a model trained on all but the latest rows with itself trained on the most recent of them only.

    Old rows may tell of a world that is gone, or may be worth their number.

    Parameters
    ----------
    model_factory, X, y : as of `drop_and_compare`
    time : str or array-like of shape (n_rows,)
        The column with the time of each row, or the times.
    shares : list of float, default=(1.0, 0.75, 0.5, 0.25)
        Most recent shares of the training rows to train on; rows of one moment stay together. All of them are always
        tried.
    since : list of str, datetime or number, default=None
        Moments from which on to train, instead of `shares`.
    test_size : int, float or duration, default=0.2
        The latest rows, to validate on; see `TimeSplit`.
    metric : {"rmse", "mae", "r2", "accuracy", "log_loss"}, default=None
        None is RMSE for a regressor, accuracy for a classifier.
    random_state : int, default=0
        Given to models whose `random_state` is None.

    Returns
    -------
    RecentOnly

    Raises
    ------
    ValueError
        A share out of range, a moment with no training row from it on, times that are missing, an unknown metric.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Finding Out-of-Domain Data", where
    old sales are left out.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LinearRegression
    >>> from tabrec.interpret import recent_only
    >>> day = np.arange(400)
    >>> size = np.random.default_rng(0).normal(size=400)
    >>> price = np.where(day < 200, -size, size)  # the market turns
    >>> recent = recent_only(LinearRegression(), pd.DataFrame({"size": size}), price, time=day, shares=[0.5, 0.25])
    >>> recent.table[["share", "n_rows", "score"]].round(2).abs()
       share  n_rows  score
    0   1.00     320   0.98
    1   0.50     160   0.35
    2   0.25      80   0.00
    >>> recent.best
    0.25
    """
    _check_shares(shares)
    trials = Trials.read(model_factory, X, y, time, metric, random_state)
    ((train, valid),) = trials.folds(1, test_size)
    times = trials.times[train]  # in time order
    starts = _starts_of_shares(times, shares) if since is None else _starts_since(times, since)
    full = trials.gains([(train, valid)])
    rows = []
    for start in sorted({0, *starts}):
        gains = trials.gains([(train[start:], valid)]) if start else full
        window = {"share": (len(train) - start) / len(train), "from": times[start], "n_rows": len(train) - start}
        rows.append(window | trials.compare(gains, full))
    table = pd.DataFrame(rows)
    best = _best_share(table, trials.metric)
    findings = [_recent_finding(table, best, trials.metric)]
    table = table.drop(columns="verdict")
    return RecentOnly(table, best, trials.metric.name, trials.metric.greater_is_better, findings)


def _harmless(alone: list[dict[str, Any]], metric: Metric) -> tuple[str, ...]:
    """Columns that do no harm by going, the one with the largest gain first."""
    rows = [row for row in alone if row["verdict"] != "worse"]
    rows.sort(key=lambda row: row["change"], reverse=metric.greater_is_better)
    return tuple(row["dropped"][0] for row in rows)


def _leave_out_together(harmless: tuple[str, ...], leave_out: Callable) -> list[dict[str, Any]]:
    """All of them at once; where that does harm, one after the other as long as it does none."""
    if len(harmless) < 2:
        return []
    rows = [leave_out(harmless)]
    if rows[0]["verdict"] != "worse":
        return rows
    gone = harmless[:1]
    for name in harmless[1:]:
        if (*gone, name) == harmless:
            break
        rows.append(leave_out((*gone, name)))
        if rows[-1]["verdict"] != "worse":
            gone = (*gone, name)
    return rows


def _most_without_harm(table: pd.DataFrame, metric: Metric) -> list[str]:
    rows = table[table["verdict"].isin(["better", "no harm"])]
    if rows.empty:
        return []
    gain = rows["change"] if metric.greater_is_better else -rows["change"]
    order = pd.DataFrame({"n": rows["dropped"].map(len), "gain": gain}).sort_values(["n", "gain"])
    return list(rows["dropped"][order.index[-1]])


def _drop_findings(table: pd.DataFrame, drop: list[str], metric: Metric) -> list[Finding]:
    """One for each column, and one for those that go together."""
    full = table["score"].iloc[0]
    rows: Any = table.iloc[1:].itertuples()
    told = [row for row in rows if len(row.dropped) == 1 or list(row.dropped) == drop]
    findings = [_drop_finding(row, full, drop, metric) for row in told]
    return sorted(findings, key=lambda finding: finding.severity)


def _drop_finding(row: Any, full: float, drop: list[str], metric: Metric) -> Finding:
    names = ", ".join(row.dropped)
    evidence = f"{metric.name} {full:.4g} → {row.score:.4g}, a change of {row.change:+.2g} ± {row.std_error:.1g}."
    how = {"better": "better", "no harm": "as well", "worse": "worse"}[row.verdict]
    text = f"The model predicts later rows {how} without {names}."
    if row.verdict == "worse":
        return Finding("keep", 3, row.dropped, text, evidence, "Keep it.")
    if not set(row.dropped) <= set(drop):
        action = f"It could go, but not together with {', '.join(drop)}."
        return Finding("can go", 3, row.dropped, text, evidence, action)
    if row.verdict == "better":
        return Finding("better without", 2, row.dropped, text, evidence, "Leave out what does harm.")
    return Finding("can go", 3, row.dropped, text, evidence, "It can go: a simpler model is easier to trust.")


def _check_shares(shares: Sequence[float]) -> None:
    for share in shares:
        if not is_number(share) or not 0 < share <= 1:
            raise ValueError(f"shares holds {share!r}: each must be a number above 0 and at most 1.")


def _starts_of_shares(times: pd.Index, shares: Sequence[float]) -> list[int]:
    """Positions, in time order, from which each share of the rows begins, rows of one moment kept together."""
    positions = [min(round(len(times) * (1 - share)), len(times) - 1) for share in shares]
    return [int((times < times[position]).sum()) for position in positions]


def _starts_since(times: pd.Index, since: Sequence[Any]) -> list[int]:
    if isinstance(since, str) or not isinstance(since, Sequence):
        raise TypeError(f"since={since!r} must be a list of moments, such as [{since!r}].")
    starts = []
    for moment in since:
        start = int((times < read_at(moment, times, "time")).sum())
        if start == len(times):
            raise ValueError(f"since holds {moment!r}, but the last training row is of {times[-1]}: no row is left.")
        starts.append(start)
    return starts


def _best_share(table: pd.DataFrame, metric: Metric) -> float:
    better = table[table["verdict"] == "better"].sort_values("score", ascending=not metric.greater_is_better)
    return float(better["share"].iloc[0]) if len(better) else 1.0


def _recent_finding(table: pd.DataFrame, best: float, metric: Metric) -> Finding:
    full, row = table.iloc[0], table[table["share"] == best].iloc[0]
    if best == 1:
        tried = ", ".join(f"{share:.0%}" for share in table["share"].iloc[1:])
        text = "Training on recent rows only does not help."
        evidence = f"{metric.name} {full['score']:.4g} with all rows; tried {tried or 'nothing else'}."
        return Finding("recent rows", 3, (), text, evidence, "Train on all rows.")
    text = f"Training on the most recent {best:.0%} of the rows, from {row['from']}, predicts later rows better."
    evidence = (
        f"{metric.name} {full['score']:.4g} → {row['score']:.4g}, a change of {row['change']:+.2g} "
        f"± {row['std_error']:.1g}."
    )
    return Finding("recent rows", 2, (), text, evidence, "Leave the older rows out of training.")


def _describe(dropped: tuple[str, ...]) -> str:
    """Columns in one short line, for an axis."""
    if len(dropped) <= 2:
        return shorten(" + ".join(dropped))
    return shorten(f"{len(dropped)} together: {' + '.join(dropped)}", 40)
