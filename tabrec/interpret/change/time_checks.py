"""`drop_and_compare` and `recent_only`: compare models without suspect columns, or without old rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import pandas as pd

from tabrec.interpret._column_groups import columns_to_drop
from tabrec.interpret._parameters import METRIC, MODEL_FACTORY, RANDOM_STATE, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.reliance.selection import TryDropping, make_trial_result
from tabrec.interpret.without_columns import (
    CLEAR,
    Trials,
    describe_change,
    read_moments,
    read_trials,
)
from tabrec.plotting.axes import BLUE, GREY, finish, ink, make_axes
from tabrec.preprocess.time_split import TimeSplit, read_at
from tabrec.tables.columns import read_frame

_LATEST = 0.2
_Change = tuple[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True, repr=False)
class DropAndCompare(TryDropping):
    """Change in score of a model without suspect columns; the result of `drop_and_compare`.

    Attributes
    ----------
    table, baseline, metric, greater_is_better, rows :
        As in `TryDropping`: each suspect alone, then those tried together.
    drop : list of str
        The most columns that were left out together without a clear loss.
    findings : list of Finding
        One for each suspect, and one for those that can go together.

    See Also
    --------
    drop_and_compare : Makes it.
    """

    drop: list[str]


@dataclass(frozen=True, repr=False)
class RecentOnly(Result):
    """Change in score of a model trained on recent rows only; the result of `recent_only`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each model, that with all training rows first: ``share`` (of the training rows), ``from`` (the first
        moment), ``n_rows``, ``score``, ``change`` (minus the score with all rows), its ``std_error``, and ``verdict``:
        "worse" or "better" by more than 2 standard errors, else "no clear change".
    best : float
        The share to train on: that of the best score among those that are better, else 1.0.
    metric : str
        The metric of the scores, as "RMSE".
    greater_is_better : bool
        Whether a larger score is better.
    findings : list of Finding
        Whether training on recent rows only is better.

    See Also
    --------
    recent_only : Makes it.
    """

    table: pd.DataFrame
    best: float
    metric: str
    greater_is_better: bool
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the score by share of the rows, with two standard errors of the change.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        ax = make_axes(ax, (6.4, 3.8))
        shown = self.table.sort_values("share")
        error = CLEAR * shown["std_error"]
        ax.errorbar(100 * shown["share"], shown["score"], yerr=error, fmt="o-", color=BLUE, capsize=3, markersize=5)
        ax.axhline(self.table["score"].iloc[0], color=GREY, linewidth=1, linestyle="--", label="all rows")
        best = self.table[self.table["share"] == self.best].iloc[0]
        ax.scatter(
            [100 * self.best], [best["score"]], s=90, facecolors="none", edgecolors=ink(), zorder=3, label="best"
        )
        ax.set_xlabel("most recent share of the training rows, %")
        better = "higher" if self.greater_is_better else "lower"
        ax.set_ylabel(f"{self.metric} on the latest rows ({better} is better)")
        ax.legend(frameon=False, fontsize=9)
        return finish(ax)


@check_parameters(model_factory=MODEL_FACTORY, metric=METRIC, random_state=RANDOM_STATE)
def drop_and_compare(
    model_factory: Any,
    X: Any,
    y: Any,
    columns: Any,
    *,
    cv: Any = None,
    time: Any = None,
    metric: str | None = None,
    random_state: Any = 0,
    sample_weight: Any = None,
) -> DropAndCompare:
    """Compare a model with itself without each suspect column, and find the columns that can be left out together.

    Columns whose absence makes the score worse by no more than 2 standard errors are then left out together. Where that
    is worse, they are left out one after the other, as long as the model does not become worse.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns an unfitted one.
    X : table or array-like of shape (n_rows, n_columns)
        The rows to fit on, in the form that the model takes.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The target.
    columns : list of str or of lists of str
        The suspects, such as the first of ``domain_shift(...).shifted``. A list of names is left out as one.
    cv : int, splitter, iterable, or tuple (X_valid, y_valid), default=None
        The rows to score, as in `try_dropping`. For rows later than those of training give a `TimeSplit`.
    time : str or array-like of shape (n_rows,), default=None
        The column with the time of each row, or the times: dates, text that reads as dates, or numbers. It is short for
        ``cv=TimeSplit(1, column=time, test_size=0.2)``, the latest fifth of the rows. It may be a suspect itself.
    metric : {"rmse", "mae", "r2", "accuracy", "log_loss"}, default=None
        The score; None is RMSE for a regressor and log loss for a classifier (see Notes of
        `feature_importance`).
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the folds, and of models whose own `random_state` is None.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows of X, in fits and in scores; None weights all rows equally. A row of integer weight k counts
        as k rows. Weights of given validation rows are a third item of `cv`.

    Returns
    -------
    DropAndCompare

    Raises
    ------
    ValueError
        A column that is not in X, all columns as suspects, both `cv` and `time`, missing times, or an unknown metric.

    See Also
    --------
    try_dropping : The score without each of some columns, without the search.
    domain_shift : Finds columns that differ between old and new rows.
    recent_only : The same comparison for old rows.

    Notes
    -----
    Standard errors are those of the mean difference over the scored rows. Rows close in time are correlated, so that
    these standard errors are rather too small.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Finding Out-of-Domain Data", where
    SalesID, MachineID and saleElapsed are left out in turn.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import drop_and_compare
    >>> sales = make_auctions(300, random_state=0)[["SalesID", "YearMade", "saledate", "SalePrice"]]
    >>> price = sales.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=10, n_jobs=1)
    >>> drop_and_compare(forest, sales, price, ["SalesID"], time="saledate").table["dropped"].tolist()
    [('SalesID',)]
    """
    if cv is not None and time is not None:
        raise ValueError("Give cv or time, not both: time is short for cv=TimeSplit(1, column=time, test_size=0.2).")
    names = read_frame(X).columns.tolist()
    blocks = list(dict.fromkeys(tuple(block) for block in columns_to_drop(columns, read_frame(X))))
    if {name for block in blocks for name in block} >= set(names):
        raise ValueError(f"columns={columns!r} must name some of the columns of X, but not all of them.")
    moments = None if time is None else read_moments(time, X)
    cv = cv if time is None else TimeSplit(1, test_size=_LATEST)
    options: dict = {"metric": metric, "default_metric": "rmse", "random_state": random_state}
    options |= {"sample_weight": sample_weight}
    trials = read_trials(model_factory, X, y, function="drop_and_compare", cv=cv, time=moments, **options)
    alone = [(block, trials.without(block)) for block in blocks]
    changes = [*alone, *_together(trials, _not_worse(trials, alone))]
    drop = _most_without_loss(trials, changes)
    shown = alone + [pair for pair in changes[len(alone) :] if list(pair[0]) == drop]
    findings = [_finding(trials, *pair, drop) for pair in shown]
    findings.sort(key=lambda finding: finding.severity)
    return make_trial_result(DropAndCompare, trials, changes, findings=findings, drop=drop)


@check_parameters(model_factory=MODEL_FACTORY, metric=METRIC, random_state=RANDOM_STATE)
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
    random_state: Any = 0,
    sample_weight: Any = None,
) -> RecentOnly:
    """Compare a model trained on all but the latest rows with itself trained on the most recent of them only.

    Old rows may no longer represent the present, or may still be worth their number.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns an unfitted one.
    X : table or array-like of shape (n_rows, n_columns)
        The rows, in the form that the model takes.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The target.
    time : str or array-like of shape (n_rows,)
        The column with the time of each row, or the times: dates, text that reads as dates, or numbers.
    shares : list of float, default=(1.0, 0.75, 0.5, 0.25)
        Most recent shares of the training rows to train on; rows of one moment stay together. All training rows are
        always tried.
    since : list of str, datetime or number, default=None
        First moments of the training rows, instead of `shares`.
    test_size : int, float or duration, default=0.2
        The latest rows, which are scored; see `TimeSplit`.
    metric : {"rmse", "mae", "r2", "accuracy", "log_loss"}, default=None
        The score; None is RMSE for a regressor and log loss for a classifier (see Notes of
        `feature_importance`).
    random_state : int, numpy.random.Generator or None, default=0
        Seed of models whose own `random_state` is None.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, in fits and in scores; None weights all rows equally. A row of integer weight k counts as k
        rows in scores.

    Returns
    -------
    RecentOnly

    Raises
    ------
    ValueError
        A share out of range, a moment after the last training row, missing times, or an unknown metric.

    See Also
    --------
    drop_and_compare : The same comparison for columns.
    oob_report : How scores on later rows differ from out-of-bag scores.

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
    moments = read_moments(time, X)
    options: dict = {"metric": metric, "default_metric": "rmse", "random_state": random_state}
    options |= {"sample_weight": sample_weight}
    split = TimeSplit(1, test_size=test_size)
    trials = read_trials(model_factory, X, y, function="recent_only", cv=split, time=moments, **options)
    ((train, valid),) = trials.folds
    times = moments[train]  # sorted by time
    starts = _starts_of_shares(times, shares) if since is None else _starts_since(times, since)
    rows = []
    for start in sorted({0, *starts}):
        found = replace(trials, folds=[(train[start:], valid)]).predict() if start else trials.full
        change = trials.compare(trials.full, found)
        scored = {"score": change["after"]} | {name: change[name] for name in ("change", "std_error", "verdict")}
        n_rows = len(train) - start
        rows.append({"share": n_rows / len(train), "from": times[start], "n_rows": n_rows} | scored)
    table, metric_ = pd.DataFrame(rows), trials.metric
    better = table[table["verdict"] == "better"].sort_values("score", ascending=not metric_.greater_is_better)
    best = float(better["share"].iloc[0]) if len(better) else 1.0
    finding = _recent_finding(table, best, trials, len(valid))
    return RecentOnly(table, best, metric_.name, metric_.greater_is_better, [finding])


def _not_worse(trials: Trials, alone: list[_Change]) -> list[tuple[str, ...]]:
    """Return the blocks of columns without which the model is not worse, sorted by descending gain."""
    found = [pair for pair in alone if pair[1]["verdict"] != "worse"]
    found.sort(key=lambda pair: pair[1]["change"], reverse=trials.metric.greater_is_better)
    return [block for block, _ in found]


def _together(trials: Trials, blocks: list[tuple[str, ...]]) -> list[_Change]:
    """Drop all blocks together; if that is worse, drop them one after the other while the model is not worse."""
    if len(blocks) < 2:
        return []
    every = _union(blocks)
    found = [(every, trials.without(every))]
    if found[0][1]["verdict"] != "worse":
        return found
    gone = blocks[0]
    for block in blocks[1:]:
        tried = _union([gone, block])
        if tried == every:
            break
        found.append((tried, trials.without(tried)))
        if found[-1][1]["verdict"] != "worse":
            gone = tried
    return found


def _union(blocks: list[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for block in blocks for name in block))


def _most_without_loss(trials: Trials, changes: list[_Change]) -> list[str]:
    """Return the largest block that was not worse; ties are resolved by score."""
    found = [pair for pair in changes if pair[1]["verdict"] != "worse"]
    sign = 1 if trials.metric.greater_is_better else -1
    return list(max(found, key=lambda pair: (len(pair[0]), sign * pair[1]["change"]))[0]) if found else []


def _finding(trials: Trials, dropped: tuple[str, ...], change: dict[str, Any], drop: list[str]) -> Finding:
    found = trials.finding(dropped, change)
    if found.kind == "keep" or set(dropped) <= set(drop):
        return found
    action = f"It can be left out, but not together with {', '.join(drop)}."
    return Finding("can go", 3, found.columns, found.text, found.evidence, action)


def _check_shares(shares: Sequence[float]) -> None:
    for share in shares:
        if not isinstance(share, Real) or isinstance(share, bool) or not 0 < share <= 1:
            raise ValueError(f"shares holds {share!r}: each must be a number above 0 and at most 1.")


def _starts_of_shares(times: pd.Index, shares: Sequence[float]) -> list[int]:
    """Return the start of each share of the rows in time order; rows of the same time stay together."""
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


def _recent_finding(table: pd.DataFrame, best: float, trials: Trials, n_valid: int) -> Finding:
    full, row = table.iloc[0], table[table["share"] == best].iloc[0]
    if best == 1:
        tried = ", ".join(f"{share:.0%}" for share in table["share"].iloc[1:])
        text = "No gain was found from training on recent rows only."
        evidence = f"{trials.metric.name} {full['score']:.4g} with all rows; tried {tried or 'nothing else'}."
        return Finding("recent rows", 3, (), text, evidence, "Train on all rows.")
    text = f"The model predicts clearly better from the most recent {best:.0%} of the rows, from {row['from']} on."
    change = row.to_dict() | {"before": full["score"], "after": row["score"], "n_rows": n_valid}
    evidence = describe_change(change, trials.metric, trials.rows)
    return Finding("recent rows", 2, (), text, evidence, "Leave the older rows out of training.")
