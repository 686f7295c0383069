"""`drop_unimportant` and `try_dropping`: models with fewer columns."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.interpret._column_groups import columns_to_drop, importance_by_source
from tabrec.interpret._parameters import METRIC, MODEL_FACTORY, RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.reliance.importance import FeatureImportance, feature_importance
from tabrec.interpret.without_columns import CLEAR, Trials, draws_rows, read_trials
from tabrec.plotting.axes import BLUE, GREEN, GREY, RED, finish, number_axis, row_axes
from tabrec.tables.columns import read_frame

VERDICT_COLOURS = {"worse": RED, "better": GREEN, "no clear change": GREY}


@dataclass(frozen=True, repr=False)
class DropUnimportant(Result):
    """A model of fewer columns, compared with the model of all; the result of `drop_unimportant`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each kind of scored rows (``rows``: "out of bag", "validation", "cross-validation" or "later rows"):
        ``before`` and ``after``, the scores; ``change``, after minus before; its ``std_error``, from the pairs of
        predictions of each row; ``verdict``, "worse" or "better" by more than 2 standard errors, else "no clear
        change"; ``n_rows``.
    kept, dropped : list of str
        Raw columns, in the order of X.
    model : estimator
        Fitted to the columns kept.
    importance : FeatureImportance
        Importance of the columns to the model of all columns.
    shares : pandas.Series
        Share of the importance by raw column, the largest first; adds up to 1.
    threshold : float
        Columns with a larger share were kept.
    metric : str
        The metric of the scores, as "R²".
    findings : list of Finding
        The effect of dropping the columns; empty where none was dropped.

    See Also
    --------
    drop_unimportant : Makes it.
    """

    table: pd.DataFrame
    kept: list[str]
    dropped: list[str]
    model: Any
    importance: FeatureImportance
    shares: pd.Series
    threshold: float
    metric: str
    findings: list[Finding]

    def plot(self, ax: Any = None, n: int = 30) -> Any:
        """Draw the largest shares, kept columns in blue, beside the threshold.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        n : int, default=30
            Number of columns to draw.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        shares = self.shares.head(n)
        ax = row_axes(ax, shares.index, (7.0, 1.2, 0.24))
        at, kept = np.arange(len(shares)), shares.index.isin(self.kept)
        for colour, is_here, label in ((BLUE, kept, "kept"), (GREY, ~kept, "dropped")):
            if is_here.any():
                ax.barh(at[is_here], shares[is_here], color=colour, height=0.7, label=label)
        ax.axvline(self.threshold, color=RED, lw=1, ls="--", label=f"threshold {self.threshold:g}")
        ax.set_xlabel("share of the importance of all columns")
        ax.set_axisbelow(True)
        ax.set_title(f"{len(self.kept)} of {len(self.shares)} columns kept", fontsize=9, loc="left")
        ax.legend(loc="lower right", fontsize=8)
        return finish(ax)


@dataclass(frozen=True, repr=False)
class TryDropping(Result):
    """Scores without some columns; the result of `try_dropping`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each model with fewer columns: ``dropped`` (a tuple of columns), ``score``, ``change`` (minus the
        score with all columns), its ``std_error`` from the pairs of predictions of each row, and ``verdict``: "worse"
        or "better" by more than 2 standard errors (more for several models, see `try_dropping`), else "no clear
        change".
    baseline : float
        Score with all columns.
    metric : str
        The metric of the scores, as "R²".
    greater_is_better : bool
        Whether a larger score is better.
    rows : {"out of bag", "cross-validation", "later rows", "validation"}
        The rows that were scored.
    findings : list of Finding
        One for each row of the table, those to act on first.

    See Also
    --------
    try_dropping : Makes it.
    """

    table: pd.DataFrame
    baseline: float
    metric: str
    greater_is_better: bool
    rows: str
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the change of the score without each block, with two standard errors.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        table = self.table
        ax = row_axes(ax, map(_label, table["dropped"]), (7.0, 1.4, 0.26))
        error = CLEAR * table["std_error"].fillna(0)
        colours = table["verdict"].map(VERDICT_COLOURS)
        for at, (change, width, colour) in enumerate(zip(table["change"], error, colours, strict=True)):
            ax.errorbar(change, at, xerr=width, fmt="o", color=colour, ms=5, capsize=2)
        ax.axvline(0, color=GREY, lw=1)
        number_axis(ax.xaxis)
        better = "more" if self.greater_is_better else "less"
        ax.set_xlabel(f"change of {self.metric} without ({better} is better)\n± {CLEAR} standard errors")
        ax.set_title(f"{self.rows}: {self.metric} with all columns {self.baseline:.4g}", fontsize=9, loc="left")
        return finish(ax)


@check_parameters(
    model_factory=MODEL_FACTORY,
    threshold=[Interval(numbers.Real, 0, 1, closed="left")],
    method=[StrOptions({"auto", "oob", "permutation", "drop", "impurity"})],
    metric=METRIC,
    random_state=RANDOM_STATE,
)
def drop_unimportant(
    model_factory: Any,
    X: Any,
    y: Any,
    threshold: float = 0.005,
    *,
    cv: Any = None,
    method: str = "auto",
    metric: str | None = None,
    random_state: Any = 0,
    sample_weight: Any = None,
) -> DropUnimportant:
    """Fit, keep the columns that matter, refit on them, and compare.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns an unfitted one.
    X : table or array-like of shape (n_rows, n_features)
        The rows to fit on. To choose among encoded columns, pass ``forest.encode(X)``.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The target.
    threshold : float, default=0.005
        Columns are kept whose share of the importance of all is above it. Importance below 0 counts as 0.
    cv : int, splitter, iterable, or tuple (X_valid, y_valid), default=None
        The rows that both models are scored on, as in `try_dropping`. Out-of-bag rows are scored too where given
        validation rows come with a forest that draws rows. Importance is measured on given validation rows where the
        model leaves no rows out.
    method : {"auto", "oob", "permutation", "drop", "impurity"}, default="auto"
        The measure of importance, as in `feature_importance`: "auto" is "oob" for forests that draw rows, "permutation"
        for other models with validation rows, and "drop" without. The book uses "impurity".
    metric : {"r2", "rmse", "mae", "accuracy", "log_loss"}, default=None
        The score; None is R² for a regressor and log loss for a classifier (see Notes of
        `feature_importance`).
    random_state : int, numpy.random.Generator or None, default=0
        Seed of permutations, of folds, and of models whose own `random_state` is None.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows of X, in fits and in scores; None weights all rows equally. A row of integer weight k counts
        as k rows. Weights of given validation rows are a third item of `cv`.

    Returns
    -------
    DropUnimportant

    Raises
    ------
    ValueError
        The threshold keeps no column, or a parameter is out of range.

    See Also
    --------
    feature_importance : The measure alone.
    try_dropping : The score without each of some columns.
    drop_and_compare : The columns that can be left out together.

    Notes
    -----
    Where the scored rows also chose the columns, the score after dropping is slightly optimistic.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Removing Low-Importance Variables".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import drop_unimportant
    >>> sales = make_auctions(300, random_state=0)
    >>> X = sales[["YearMade", "ProductSize", "SalesID", "Ripper"]]
    >>> forest = ForestRegressor(n_estimators=20, random_state=0)
    >>> found = drop_unimportant(forest, X, sales["SalePrice"], threshold=0.05)
    >>> found.kept
    ['YearMade', 'ProductSize']
    """
    rng = np.random.default_rng(random_state)
    seed = random_state if isinstance(random_state, numbers.Integral) else rng
    options: dict = {"metric": metric, "sample_weight": sample_weight, "function": "drop_unimportant"}
    trials = read_trials(model_factory, X, y, cv=cv, random_state=seed, **options)
    before = trials.fit()
    if method == "auto":
        method = "oob" if draws_rows(before) else "drop" if trials.valid is None else "permutation"
    if method == "permutation" and trials.valid is None:
        raise ValueError("drop_unimportant: method='permutation' needs validation rows: give cv=(X_valid, y_valid).")
    of_valid = method == "permutation"
    scored, weights = (trials.valid, trials.weights_valid) if of_valid else ((X, trials.y), trials.weights)
    groups = "source" if method in ("oob", "impurity") else None
    chosen: dict = {"groups": groups, "metric": metric, "random_state": rng, "sample_weight": weights}
    importance = feature_importance(before, *scored, method, **chosen)
    columns = read_frame(X).columns.tolist()
    shares = _shares(importance, columns)
    kept = [name for name in columns if shares[name] > threshold]
    if not kept:
        raise ValueError(f"threshold={threshold!r} keeps no column: {_largest(shares)}.")
    dropped = [name for name in columns if name not in kept]
    after = trials.fit(dropped)
    every = [trials]
    if trials.valid is not None and draws_rows(before):
        every.insert(0, read_trials(model_factory, X, y, random_state=seed, **options))
    changes = [
        {"rows": each.rows} | each.compare(each.predict(model=before), each.predict(dropped, after)) for each in every
    ]
    findings = [_finding(every[-1], dropped, changes[-1])] if dropped else []
    return DropUnimportant(
        pd.DataFrame(changes), kept, dropped, after, importance, shares, threshold, trials.metric.name, findings
    )


@check_parameters(model_factory=MODEL_FACTORY, metric=METRIC, n_repeats=[at_least(1)], random_state=RANDOM_STATE)
def try_dropping(
    model_factory: Any,
    X: Any,
    y: Any,
    columns: Any,
    *,
    cv: Any = None,
    metric: str | None = None,
    n_repeats: int = 1,
    random_state: Any = 0,
    sample_weight: Any = None,
) -> TryDropping:
    """Score a model without each of some columns, and compare it with the model of all.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns an unfitted one.
    X : table or array-like of shape (n_rows, n_features)
        The rows to fit on. To drop encoded columns, pass ``forest.encode(X)``.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        The target.
    columns : list of str or of lists of str, or the result of `redundancy`
        A name is dropped alone, a list of names together. For redundant clusters each column is dropped alone, and then
        all but the first of each cluster together; encoded columns stand for the raw columns that they come from.
    cv : int, splitter, iterable, or tuple (X_valid, y_valid), default=None
        The rows to score: folds (a number of shuffled folds, a splitter of scikit-learn, `TimeSplit`, or pairs of
        training and test positions), or a table and target of validation rows. None is out-of-bag rows for a forest
        that draws rows and 5 folds for other models.
    metric : {"r2", "rmse", "mae", "accuracy", "log_loss"}, default=None
        The score; None is R² for a regressor and log loss for a classifier (see Notes of
        `feature_importance`).
    n_repeats : int, default=1
        Number of fits, with other seeds, whose predictions are averaged. Two fits of a model with few trees, or of a
        net, differ by chance as much as by the removal of a column; more fits show smaller changes.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the folds, and of models whose own `random_state` is None.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows of X, in fits and in scores; None weights all rows equally. A row of integer weight k counts
        as k rows. Weights of given validation rows are a third item of `cv`.

    Returns
    -------
    TryDropping

    Raises
    ------
    ValueError
        An unknown column, or no column left.

    See Also
    --------
    drop_and_compare : Also searches for the columns that can be left out together.
    drop_unimportant : Chooses the columns by importance.
    redundancy : Clusters of columns that carry nearly the same information.

    Notes
    -----
    All models without columns are compared with the same model of all columns. With several of them, "worse" and
    "better" therefore need more than 2 standard errors: 2.6 for 5 models, 3.1 for 20 (Bonferroni's correction).

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Removing Redundant Features".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import try_dropping
    >>> sales = make_auctions(300, random_state=0)
    >>> X = sales[["YearMade", "ProductSize", "ProductGroup", "ProductGroupDesc"]]
    >>> forest = ForestRegressor(n_estimators=20, random_state=0)
    >>> found = try_dropping(forest, X, sales["SalePrice"], ["ProductGroup", "ProductSize"])
    >>> found.table["verdict"].tolist()
    ['no clear change', 'worse']
    """
    blocks = columns_to_drop(columns, read_frame(X))
    options: dict = {"metric": metric, "random_state": random_state, "sample_weight": sample_weight}
    trials = read_trials(model_factory, X, y, cv=cv, n_repeats=n_repeats, function="try_dropping", **options)
    changes = [(tuple(block), trials.without(block, n_compared=len(blocks))) for block in blocks]
    return make_trial_result(TryDropping, trials, changes)


def make_trial_result(kind: Callable, trials: Trials, changes: list[tuple[tuple[str, ...], dict]], **more: Any) -> Any:
    """Return a `TryDropping` or a class derived from it, from the results of `Trials.without` for blocks of columns.

    `more` are further fields; `findings` among them replaces one finding for each block.
    """
    rows = [{"dropped": dropped, "score": change["after"]} | change for dropped, change in changes]
    table = pd.DataFrame(rows, columns=["dropped", "score", "change", "std_error", "verdict"])
    findings = [trials.finding(*pair) for pair in changes]
    fields = {"findings": sorted(findings, key=lambda finding: finding.severity)} | more
    metric = trials.metric
    return kind(table, trials.baseline, metric.name, metric.greater_is_better, trials.rows, **fields)


def _label(dropped: tuple[str, ...]) -> str:
    number = "" if len(dropped) < 3 else f"{len(dropped)} together: "  # long names may be shortened to the same text
    return number + " + ".join(dropped)


def _shares(importance: FeatureImportance, columns: list[str]) -> pd.Series:
    """Return the share of importance of each raw column, in descending order."""
    by_source = importance_by_source(importance.table).reindex(columns, fill_value=0.0)
    total = by_source.sum()
    return (by_source / total if total > 0 else by_source).sort_values(ascending=False, kind="stable")


def _largest(shares: pd.Series) -> str:
    if shares.iloc[0] == 0:
        return "none has any importance, so that the model is no better than a guess"
    return f"the largest share of importance is {shares.iloc[0]:.3g} ({shares.index[0]!r})"


def _finding(trials: Trials, dropped: list[str], change: dict[str, Any]) -> Finding:
    found = trials.finding(dropped, change)
    if found.kind != "keep":
        return found
    return Finding("keep", 2, found.columns, found.text, found.evidence, "Lower the threshold, or keep all columns.")
