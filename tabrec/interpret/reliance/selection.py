"""Fewer columns: keep those that matter and refit, or see what is lost without some."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._column_groups import columns_to_drop, importance_by_source
from tabrec.interpret._comparison import CLEAR, gain_of, paired_error
from tabrec.interpret._models import make_model, predictor
from tabrec.interpret._result import Finding, Result
from tabrec.interpret._scores import Metric, read_metric
from tabrec.interpret.reliance._left_out import (
    LeftOut,
    draws_rows,
    left_out_by_folds,
    left_out_by_trees,
    like,
    read_target,
    without,
)
from tabrec.interpret.reliance.importance import FeatureImportance, feature_importance
from tabrec.plotting.axes import BLUE, GREEN, GREY, RED, finish, make_axes, number_axis, shorten
from tabrec.tables.columns import read_frame


@dataclass(frozen=True, repr=False)
class DropUnimportant(Result):
    """A model of fewer columns beside that of all; what `drop_unimportant` returns.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each kind of rows that were scored (``rows``: "out of bag", "validation", "cross-validation"):
        ``before``, ``after``, ``change`` (after less before, in the metric) and its ``std_error``, from the pairs of
        predictions of each row.
    kept, dropped : list of str
        Raw columns, in the order of X.
    model : estimator
        Fitted to the columns kept.
    importance : FeatureImportance
        Of the model of all columns.
    shares : pandas.Series
        Share of the importance by raw column, the largest first; adds up to 1.
    threshold : float
    metric : str
    findings : list of Finding
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
        """Draw the `n` largest shares, those kept in blue, beside the threshold.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            That of a new figure where None.
        n : int, default=30

        Returns
        -------
        matplotlib.axes.Axes
        """
        shares = self.shares.head(n)
        ax = make_axes(ax, (7.0, 1.2 + 0.24 * len(shares)))
        at, kept = np.arange(len(shares)), shares.index.isin(self.kept)
        for colour, is_here, label in ((BLUE, kept, "kept"), (GREY, ~kept, "dropped")):
            if is_here.any():
                ax.barh(at[is_here], shares[is_here], color=colour, height=0.7, label=label)
        ax.axvline(self.threshold, color=RED, lw=1, ls="--", label=f"threshold {self.threshold:g}")
        ax.set_yticks(at, [shorten(name) for name in shares.index], fontsize=8)
        ax.set_ylim(len(shares) - 0.4, -0.6)
        ax.set_xlabel("share of the importance of all columns")
        ax.set_axisbelow(True)
        ax.set_title(f"{len(self.kept)} of {len(self.shares)} columns kept", fontsize=9, loc="left")
        ax.legend(loc="lower right", fontsize=8)
        return finish(ax)


@dataclass(frozen=True, repr=False)
class TryDropping(Result):
    """Scores without some columns; what `try_dropping` returns.

    Attributes
    ----------
    table : pandas.DataFrame
        ``dropped`` (names, joined by " + "), ``score``, ``change`` (less the score with all columns), its
        ``std_error`` from the pairs of predictions of each row, and ``verdict``: "worse", "better" (by more than 2
        standard errors) or "no clear change".
    baseline : float
        Score with all columns.
    metric : str
    rows : str
        "out of bag" or "cross-validation".
    """

    table: pd.DataFrame
    baseline: float
    metric: str
    rows: str

    def plot(self, ax: Any = None) -> Any:
        """Draw the change of the score, with 2 standard errors.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            That of a new figure where None.

        Returns
        -------
        matplotlib.axes.Axes
        """
        table = self.table
        ax = make_axes(ax, (7.0, 1.4 + 0.26 * len(table)))
        colours = table["verdict"].map({"worse": RED, "better": GREEN, "no clear change": GREY})
        error = CLEAR * table["std_error"].fillna(0)
        for at, (change, width, colour) in enumerate(zip(table["change"], error, colours, strict=True)):
            ax.errorbar(change, at, xerr=width, fmt="o", color=colour, ms=5, capsize=2)
        ax.axvline(0, color=GREY, lw=1)
        number_axis(ax.xaxis)
        ax.set_yticks(np.arange(len(table)), [shorten(name) for name in table["dropped"]], fontsize=8)
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlabel(f"change of {self.metric} without\n(± {CLEAR} standard errors)")
        ax.set_title(f"{self.rows} {self.metric} with all columns: {self.baseline:.4g}", fontsize=9, loc="left")
        return finish(ax)


def drop_unimportant(
    model_factory: Any,
    X: Any,
    y: Any,
    threshold: float = 0.005,
    *,
    X_valid: Any = None,
    y_valid: Any = None,
    method: str = "auto",
    metric: str | None = None,
    random_state: Any = 0,
) -> DropUnimportant:
    """Fit, keep the columns that matter, refit on them, and compare.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns an unfitted one.
    X : table or array-like of shape (n_rows, n_features)
        As the model takes it. To choose among encoded columns, pass ``forest.encode(X)``.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    threshold : float, default=0.005
        Columns are kept whose share of the importance of all is above it. Importance below 0 counts as 0.
    X_valid, y_valid : table and array-like, default=None
        Rows held out, to be scored too; importance is measured on them where the model leaves no rows out.
    method : {"auto", "oob", "permutation", "drop", "impurity"}, default="auto"
        As in `feature_importance`: "auto" is "oob" for forests that draw rows, "permutation" for other models with
        X_valid, "drop" without. The book's choice is "impurity".
    metric : {"r2", "rmse", "mae", "accuracy", "log_loss"}, default=None
        By default R² of a regressor, accuracy of a classifier.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    DropUnimportant

    Raises
    ------
    ValueError
        A threshold outside 0 to 1, or one that keeps no column.

    Notes
    -----
    Validation rows tell what was lost only as far as they were not used to choose the columns.

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
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold={threshold!r} is a share of the importance: it must be at least 0 and below 1.")
    if (X_valid is None) != (y_valid is None):
        raise ValueError("X_valid and y_valid belong together: give both or neither.")
    X_valid = like(X_valid, X)
    rng = np.random.default_rng(random_state)
    unfitted = make_model(model_factory)
    y = read_target(unfitted, y, len(read_frame(X)), "drop_unimportant")
    measure = read_metric(unfitted, metric, default="r2")
    before = unfitted.fit(X, y)
    if method == "auto":
        method = "oob" if draws_rows(before) else "drop" if X_valid is None else "permutation"
    if method == "permutation" and X_valid is None:
        raise ValueError("drop_unimportant: method='permutation' needs rows held out: give X_valid and y_valid.")
    rows = (X_valid, y_valid) if method == "permutation" else (X, y)
    groups = "source" if method in ("oob", "impurity") else None
    importance = feature_importance(before, *rows, method, groups=groups, metric=metric, random_state=rng)
    columns = read_frame(X).columns.tolist()
    shares = _shares(importance, columns)
    kept = [name for name in columns if shares[name] > threshold]
    if not kept:
        raise ValueError(f"threshold={threshold!r} keeps no column: {_largest(shares)}.")
    dropped = [name for name in columns if name not in kept]
    after = make_model(model_factory).fit(without(X, dropped), y)
    table = _compare(measure, model_factory, (before, after), dropped, (X, y), (X_valid, y_valid), rng)
    findings = [_finding(table, dropped, len(columns), measure)] if dropped else []
    return DropUnimportant(table, kept, dropped, after, importance, shares, threshold, measure.name, findings)


def try_dropping(
    model_factory: Any,
    X: Any,
    y: Any,
    columns: Any,
    *,
    cv: Any = None,
    metric: str | None = None,
    random_state: Any = 0,
) -> TryDropping:
    """Score a model without each of some columns, beside that of all.

    Parameters
    ----------
    model_factory : estimator or callable
        An estimator, which is cloned, or a function that returns an unfitted one. Give it a fixed `random_state`, or
        scores differ by chance.
    X : table or array-like of shape (n_rows, n_features)
        As the model takes it. To drop encoded columns, pass ``forest.encode(X)``.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
    columns : list of str or of lists of str, or the result of `redundancy`
        A name is dropped alone, a list of names together. Of redundant clusters each column is dropped alone, and then
        all but the first of each cluster together; encoded columns stand for the raw columns that they come from.
    cv : int or splitter, default=None
        Folds to score by; None for out-of-bag rows where the model is a forest that draws rows, otherwise 5 folds.
    metric : {"r2", "rmse", "mae", "accuracy", "log_loss"}, default=None
        By default R² of a regressor, accuracy of a classifier.
    random_state : int, numpy.random.Generator or None, default=0
        Of the folds.

    Returns
    -------
    TryDropping

    Raises
    ------
    ValueError
        An unknown column, or no column left.

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
    frame = read_frame(X)
    blocks = columns_to_drop(columns, frame)
    unfitted = make_model(model_factory)
    y = read_target(unfitted, y, len(frame), "try_dropping")
    measure = read_metric(unfitted, metric, default="r2")
    by_trees = cv is None and draws_rows(unfitted)
    seed = int(np.random.default_rng(random_state).integers(2**31))

    def predict(table: Any) -> LeftOut:
        if by_trees:
            return left_out_by_trees(make_model(model_factory).fit(table, y), table, y, "try_dropping")
        return left_out_by_folds(partial(make_model, model_factory), table, y, cv, seed)

    base = predict(X)
    rows = [{"dropped": " + ".join(block), **_change(measure, y, base, predict(without(X, block)))} for block in blocks]
    table = pd.DataFrame(rows, columns=["dropped", "before", "after", "change", "std_error"])
    table["verdict"] = [_verdict(measure, *pair) for pair in table[["change", "std_error"]].to_numpy()]
    table = table.drop(columns="before").rename(columns={"after": "score"})
    baseline = measure.score(measure.gains(y[base.seen], base.predicted[base.seen], base.classes))
    return TryDropping(table, baseline, measure.name, "out of bag" if by_trees else "cross-validation")


def _shares(importance: FeatureImportance, columns: list[str]) -> pd.Series:
    """Share of importance by raw column, the largest first."""
    by_source = importance_by_source(importance.table).reindex(columns, fill_value=0.0)
    total = by_source.sum()
    return (by_source / total if total > 0 else by_source).sort_values(ascending=False, kind="stable")


def _largest(shares: pd.Series) -> str:
    if shares.iloc[0] == 0:
        return "none has any importance, so that the model is no better than a guess"
    return f"the largest share of importance is {shares.iloc[0]:.3g} ({shares.index[0]!r})"


def _compare(
    metric: Metric,
    model_factory: Any,
    models: tuple[Any, Any],
    dropped: list[str],
    training: tuple[Any, Any],
    validation: tuple[Any, Any],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Scores before and after, on rows that trees left out, on validation rows, or (without either) by folds."""
    X, y = training
    tables = X, without(X, dropped)
    found: dict[str, tuple[np.ndarray, list[LeftOut]]] = {}
    if draws_rows(models[0]):
        pairs = zip(models, tables, strict=True)
        found["out of bag"] = y, [left_out_by_trees(model, table, y, "drop_unimportant") for model, table in pairs]
    elif validation[0] is None:
        make: Callable = partial(make_model, model_factory)
        seed = int(rng.integers(2**31))
        found["cross-validation"] = y, [left_out_by_folds(make, table, y, None, seed) for table in tables]
    if validation[0] is not None:
        y_valid = read_target(models[0], validation[1], len(read_frame(validation[0])), "drop_unimportant")
        valid = validation[0], without(validation[0], dropped)
        found["validation"] = y_valid, [_predict(model, table) for model, table in zip(models, valid, strict=True)]
    return pd.DataFrame([{"rows": rows, **_change(metric, y, *pair)} for rows, (y, pair) in found.items()])


def _predict(model: Any, X: Any) -> LeftOut:
    predicted = predictor(model)(X)
    return LeftOut(predicted, np.ones(len(predicted), bool), getattr(model, "classes_", None))


def _change(metric: Metric, y: np.ndarray, before: LeftOut, after: LeftOut) -> dict[str, float]:
    """Scores on the rows that both predict, and the standard error of their difference."""
    both = before.seen & after.seen
    gains = [metric.gains(y[both], found.predicted[both], found.classes) for found in (before, after)]
    scores = [metric.score(of_rows) for of_rows in gains]
    return {
        "before": scores[0],
        "after": scores[1],
        "change": scores[1] - scores[0],
        "std_error": paired_error(metric, *gains),
    }


def _verdict(metric: Metric, change: float, std_error: float) -> str:
    gain = gain_of(metric, 0.0, change)
    if abs(gain) <= CLEAR * std_error or np.isnan(std_error):
        return "no clear change"
    return "better" if gain > 0 else "worse"


def _finding(table: pd.DataFrame, dropped: list[str], n_columns: int, metric: Metric) -> Finding:
    row = table.iloc[-1]
    verdict = _verdict(metric, float(row["change"]), float(row["std_error"]))
    lost = verdict == "worse"
    text = f"Without {len(dropped)} of {n_columns} columns the model is {'worse' if lost else 'no worse'}."
    evidence = (
        f"{row['rows']} {metric.name} {row['before']:.4g} before, {row['after']:.4g} after; change "
        f"{row['change']:+.2g} ± {row['std_error']:.2g} standard error."
    )
    action = "Lower the threshold, or keep all." if lost else "Use the smaller model: it is easier to look after."
    return Finding("unimportant columns", 2 if lost else 3, tuple(dropped), text, evidence, action)
