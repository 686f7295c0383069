"""`leakage_check`: signs that the target has leaked into the columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.audit._leakage_scores import (
    Target,
    TwoColumns,
    find_sums,
    id_importance,
    make_target,
    missing_effect,
    model_score,
    read_target,
    score_alone,
)
from tabrec.interpret.audit.copies import describe_copies, find_copies
from tabrec.interpret.audit.groups import describe_shared_groups, find_shared_groups
from tabrec.interpret.models import predictor
from tabrec.plotting.axes import BLUE, GREY, ORANGE, RED, finish, ink, row_axes
from tabrec.preprocess import column_kinds
from tabrec.tables.columns import Column, read_frame, to_columns
from tabrec.tables.names import as_named
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.rows import sample_rows, take_rows
from tabrec.tables.target import check_target

_MOST_DRAWN = 25
_COPY, _NEARLY_PERFECT, _TOO_GOOD_MODEL = 0.999, 0.95, 0.99
# A column is reported if it alone explains this share of what the model explains, and this much of the variance.
_AS_GOOD_AS_THE_MODEL, _LEAST_ALONE = 0.9, 0.5
_RANK_COPY = 0.9999
# Smallest shares explained by missing values, ids or row order that are reported, and that require action.
_LEAST_EFFECT, _LARGE_EFFECT = 0.05, 0.3
_P_VALUE, _N_ERRORS = 0.01, 4
_N_FOLDS = 5


@dataclass(frozen=True, repr=False)
class LeakageCheck(Result):
    """How well each column, its missing values and the row order predict the target; the result of `leakage_check`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each raw column, the best predictor first: ``column``; ``kind``, by `column_kinds`; ``alone`` and
        ``alone_error``, the share of the target's variance that the column by itself explains out of fold, and its
        standard error (R²; for classes of their 0/1 columns, a Brier skill score); ``correlation``, Spearman's with the
        target of a regression; ``missing``, the share of missing values; ``missing_effect`` and ``missing_p``, the
        share of variance that these explain, and its p-value times the number of columns with missing values;
        ``importance`` and ``importance_error`` of ids, what the model loses when they are permuted, in the same unit.
    score : float
        The share explained by the model, NaN without one; out of bag where the forest kept such predictions.
    row_order : float
        The share that the position of the rows explains.
    findings : list of Finding
        Columns to act on, worst first.

    See Also
    --------
    leakage_check : Makes it.
    """

    table: pd.DataFrame
    score: float
    row_order: float
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the score of each column alone (at most 25) beside that of the model.

        Red columns need action; orange columns need a check.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        shown = self.table.head(_MOST_DRAWN)
        ax = row_axes(ax, shown["column"], (6.8, 1.5, 0.24))
        worst = {name: found.severity for found in self.findings[::-1] for name in found.columns}
        colors = [{1: RED, 2: ORANGE}.get(worst.get(name, 3), BLUE) for name in shown["column"]]
        places, alone = np.arange(len(shown)), shown["alone"].clip(lower=0)
        ax.barh(places, alone, xerr=2 * shown["alone_error"], color=colors, height=0.7, ecolor=GREY)
        ax.plot(shown["missing_effect"], places, "|", color=ink(), markersize=9, label="its missing values alone")
        if not np.isnan(self.score):
            ax.axvline(self.score, color=ink(), linestyle=":", label="the model")
        ax.set(xlim=(0, 1.05), xlabel="variance explained out of fold (± 2 std. errors)")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8, frameon=False)
        finish(ax).grid(visible=False, axis="y")
        return ax


@check_parameters(max_rows=[at_least(10)], random_state=RANDOM_STATE)
def leakage_check(
    model: Any,
    X: Any,
    y: Any,
    X_valid: Any = None,
    y_valid: Any = None,
    *,
    max_rows: int = 20_000,
    random_state: Any = 0,
) -> LeakageCheck:
    """Look for columns that contain the target, or are known only with it.

    The check asks the three questions of the book: is the model or a column too good to be true, do ids matter, and do
    missing values predict the target? It also looks for two columns of numbers whose weighted sum is the target of a
    regression, for rows that occur twice, in X, and in X and X_valid, and for groups of similar rows, such as those of
    one person, that are both in X and X_valid. It cannot decide whether such a column is a leak: that depends on when
    its values are recorded, and on whether new rows will be of known groups.

    Parameters
    ----------
    model : fitted estimator or None
        None checks the data only.
    X : table or array-like of shape (n_rows, n_features)
        Raw rows: those of fit for a forest that kept out-of-bag predictions, otherwise held-out rows.
    y : array-like of shape (n_rows,)
        The target.
    X_valid : table or array-like of shape (n_valid, n_features), default=None
        Held-out rows, to look for copies of rows of X and for groups that are in X too, which make the score too good.
    y_valid : array-like of shape (n_valid,), default=None
        Their target.
    max_rows : int, default=20_000
        At most this many rows are used, drawn at random; copies are looked for in all rows.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the folds and draws.

    Returns
    -------
    LeakageCheck

    Raises
    ------
    ValueError
        A target that is constant, has several outputs, missing values or another length, only one of X_valid and
        y_valid, or a parameter out of range.
    sklearn.exceptions.NotFittedError
        The model is not fitted.

    See Also
    --------
    feature_importance : Importance of columns to the model.
    drop_and_compare : Scores the model without a suspect column.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Data Leakage"; Kaufman, Rosset &
    Perlich, "Leakage in Data Mining", 2011.

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import leakage_check
    >>> sales = make_auctions(500, random_state=0)
    >>> sales["tax"] = sales["SalePrice"] * 0.19
    >>> print(leakage_check(None, sales.drop(columns="SalePrice"), sales["SalePrice"]).findings[0].text)
    tax is the target under another name, or a function of it.
    """
    X = as_named(model, X)
    frame = read_frame(X)
    if model is not None:
        predictor(model)(take_rows(X, np.arange(1)))  # raises an error that names missing columns
    check_row_labels(X, y=y)
    y, is_class = read_target(model, y, len(frame))
    held_out = _read_held_out(model, X_valid, y_valid, is_class)
    generator = np.random.default_rng(random_state)
    rows = sample_rows(len(y), max_rows, generator)
    target = make_target(y[rows], is_class)
    score, is_out_of_bag = (np.nan, False) if model is None else model_score(model, X, y, rows)
    folds = generator.permutation(np.arange(len(rows)) % _N_FOLDS)
    columns = to_columns(frame.iloc[rows])
    table = _score_columns(columns, target, folds)
    table["kind"] = column_kinds(frame)["kind"].to_numpy()
    ids = table.loc[table["kind"] == "id", "column"].tolist()
    known = set(map(str, getattr(model, "feature_names_in_", ids)))
    losses = {} if model is None else id_importance(model, X, y, [n for n in ids if n in known], random_state)
    for position, name in enumerate(["importance", "importance_error"]):
        table[name] = [losses.get(column, (np.nan, np.nan))[position] for column in table["column"]]
    order_score, order_error, _ = score_alone(Column("row order", rows.astype(np.float64)), target, folds)
    findings = [*_good_columns(table, score), *_good_model(score, is_out_of_bag), *_missing_values(table)]
    findings += [*_sums(columns, y[rows], table, is_class), *_ids(table), *_row_order(order_score, order_error)]
    findings += describe_copies(find_copies(frame, y, *held_out), model, *held_out)
    findings += describe_shared_groups(find_shared_groups(frame, y, held_out[0], is_class), model, *held_out)
    findings.sort(key=lambda finding: finding.severity)
    table = table.sort_values("alone", ascending=False, kind="stable", ignore_index=True)
    return LeakageCheck(table, score, order_score, findings)


def _read_held_out(model: Any, X: Any, y: Any, is_class: bool) -> tuple[Any, np.ndarray | None]:
    if (X is None) != (y is None):
        raise ValueError("leakage_check: X_valid and y_valid belong together: pass both or neither.")
    if X is None:
        return None, None
    check_row_labels(X, y_valid=y)
    n_rows = len(read_frame(X))
    return as_named(model, X), check_target(y, n_rows, "leakage_check", numeric=not is_class).reshape(n_rows)


def _score_columns(columns: dict[str, Column], target: Target, folds: np.ndarray) -> pd.DataFrame:
    lines = []
    for name, column in columns.items():
        alone, error, correlation = score_alone(column, target, folds)
        missing = column.missing
        effect, p_value = missing_effect(missing, target)
        lines.append((name, "", alone, error, correlation, missing.mean(), effect, p_value))
    names = ["column", "kind", "alone", "alone_error", "correlation", "missing", "missing_effect", "missing_p"]
    table = pd.DataFrame(lines, columns=names)
    # Bonferroni correction for the number of columns with missing values.
    table["missing_p"] = np.minimum(table["missing_p"] * table["missing_p"].notna().sum(), 1)
    return table


def _good_columns(table: pd.DataFrame, score: float) -> list[Finding]:
    found = []
    for line in _lines(table.sort_values("alone", ascending=False)):
        is_copy = line.alone >= _COPY or abs(line.correlation) >= _RANK_COPY
        if is_copy:
            found.append(_good_column(line, 1, "is the target under another name, or a function of it"))
        elif line.alone >= _NEARLY_PERFECT:
            found.append(_good_column(line, 1, "alone predicts the target nearly perfectly"))
        elif line.alone >= _LEAST_ALONE and line.alone >= _AS_GOOD_AS_THE_MODEL * score:  # False if there is no model
            what = f"alone predicts nearly as well as the model, which explains {score:.1%}"
            found.append(_good_column(line, 2, what))
    return found


def _good_column(line: Any, severity: int, what: str) -> Finding:
    correlation = "" if np.isnan(line.correlation) else f"; rank correlation {line.correlation:.4f}"
    explained = f"{line.alone:.1%} ± {2 * line.alone_error:.1%}"
    evidence = f"Alone it explains {explained} of the variance, out of fold{correlation}."
    action = "Check whether its value is known at the time of a prediction; if it is recorded later, drop it."
    return Finding("too-good column", severity, (line.column,), f"{line.column} {what}.", evidence, action)


def _sums(columns: dict[str, Column], y: np.ndarray, table: pd.DataFrame, is_class: bool) -> list[Finding]:
    """Find two columns whose weighted sum is the target, unless one of them alone nearly is."""
    if is_class:
        return []
    alone = set(table.loc[table["alone"] >= _NEARLY_PERFECT, "column"])
    found = [pair for pair in find_sums(columns, y.astype(np.float64), _COPY) if not alone & set(pair.names)]
    return [_sum_finding(pair) for pair in found[:1]]


def _sum_finding(pair: TwoColumns) -> Finding:
    (first, second), (a, b) = pair.names, pair.weights
    what = f"{a:.3g} · {first} {'+' if b > 0 else '−'} {abs(b):.3g} · {second}"
    text = f"{first} and {second} together give the target."
    evidence = f"{what}, up to a constant, explains {pair.explained:.2%} of its variance."
    action = "Check whether both are known at the time of a prediction; if one is recorded later, drop it."
    return Finding("target of two columns", 1, pair.names, text, evidence, action)


def _good_model(score: float, is_out_of_bag: bool) -> list[Finding]:
    if not (is_out_of_bag and score >= _TOO_GOOD_MODEL):
        return []
    text = "The model is nearly perfect on out-of-bag rows."
    evidence = f"It explains {score:.2%} of the variance out of bag."
    action = "Problems worth a model are seldom that easy: check its most important columns."
    return [Finding("too good to be true", 2, (), text, evidence, action)]


def _missing_values(table: pd.DataFrame) -> list[Finding]:
    clear = table[(table["missing_p"] < _P_VALUE) & (table["missing_effect"] >= _LEAST_EFFECT)]
    clear = clear.sort_values("missing_effect", ascending=False)
    is_large = clear["missing_effect"] >= _LARGE_EFFECT
    found = [_missing_finding(clear[clear["column"] == name], 1) for name in clear.loc[is_large, "column"]]
    return found + ([_missing_finding(clear[~is_large], 2)] if not is_large.all() else [])


def _missing_finding(clear: pd.DataFrame, severity: int) -> Finding:
    first = _lines(clear)[0]
    more = f" So does that of {len(clear) - 1} other column(s)." if len(clear) > 1 else ""
    text = f"Whether {first.column} is missing predicts the target.{more}"
    p_value = "< 1e-16" if first.missing_p < 1e-16 else f"= {first.missing_p:.2g}"
    evidence = (
        f"Its missing values ({first.missing:.1%} of the rows) explain {first.missing_effect:.1%} of the variance, "
        f"p {p_value} after Bonferroni's correction."
    )
    action = "Check whether it is filled in after the outcome is known; if so, drop the column and its indicator."
    return Finding("informative missing values", severity, tuple(clear["column"]), text, evidence, action)


def _lines(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def _ids(table: pd.DataFrame) -> list[Finding]:
    found = []
    for line in _lines(table[table["kind"] == "id"]):
        matters = line.importance >= _LEAST_EFFECT / 5 and line.importance > _N_ERRORS * line.importance_error
        predicts = line.alone >= _LEAST_EFFECT and line.alone > _N_ERRORS * line.alone_error
        if matters or predicts:
            loss = f"; when it is permuted, the model loses {line.importance:.1%}" if matters else ""
            text = f"{line.column} is an id, but it predicts the target."
            evidence = f"Alone it explains {line.alone:.1%} of the variance{loss}."
            action = "Ids often follow the time of recording or the outcome: score the model without it."
            found.append(Finding("id that matters", 2, (line.column,), text, evidence, action))
    return found


def _row_order(score: float, error: float) -> list[Finding]:
    if score < _LEAST_EFFECT or score < _N_ERRORS * error:
        return []
    severity = 1 if score >= _NEARLY_PERFECT else 2
    evidence = f"The position alone explains {score:.1%} of the variance."
    action = (
        "If rows are in time order, validate on the last ones; if sorted by the outcome, shuffle them and drop ids."
    )
    return [Finding("informative row order", severity, (), "The row order predicts the target.", evidence, action)]
