"""Signs that the target has leaked into the columns: the book's three looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._models import predictor
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.audit._leakage_scores import (
    Target,
    id_importance,
    make_target,
    missing_effect,
    model_score,
    read_target,
    score_alone,
)
from tabrec.plotting.axes import BLUE, GREY, INK, ORANGE, RED, finish, make_axes, shorten
from tabrec.preprocess import column_kinds
from tabrec.tables.columns import Column, read_frame, to_columns
from tabrec.tables.names import as_named
from tabrec.tables.rows import sample_rows, take_rows

_MOST_DRAWN = 25
_COPY, _NEARLY_PERFECT, _TOO_GOOD_MODEL = 0.999, 0.95, 0.99
# A column that alone is worth this share of the model, and so much by itself, deserves a look.
_AS_GOOD_AS_THE_MODEL, _LEAST_ALONE = 0.9, 0.5
_RANK_COPY = 0.9999
# Of gaps, ids and the order of rows: what is too little to matter, and what is too much to be honest.
_LEAST_EFFECT, _LARGE_EFFECT = 0.05, 0.3
_P_VALUE, _N_ERRORS = 0.01, 4
_N_FOLDS = 5


@dataclass(frozen=True, repr=False)
class LeakageCheck(Result):
    """What each column, its gaps and the order of the rows tell of the target.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a raw column, most telling first: ``column``; ``kind``, as `column_kinds` says; ``alone`` and
        ``alone_error``, the share of the target's variance that the column by itself explains out of fold, and its
        standard error (R²; of classes that of their 0/1 columns, a Brier skill score); ``correlation``, Spearman's with
        the target of a regression; ``missing``, the share of gaps; ``missing_effect`` and ``missing_p``, the share of
        variance that the gaps explain, and its p-value times the number of columns with gaps; ``importance`` and
        ``importance_error`` of ids, what the model loses without them, in the same unit.
    score : float
        The same share explained by the model, NaN without one; out of bag where the forest kept such predictions.
    row_order : float
        The share that the order of the rows explains.
    findings : list of Finding
        Worst first.
    """

    table: pd.DataFrame
    score: float
    row_order: float
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw what each column alone explains beside the model (at most 25 columns); red: act, orange: look.

        `ax` is the matplotlib Axes to draw on and to return; None makes a new figure.
        """
        shown = self.table.head(_MOST_DRAWN)
        ax = make_axes(ax, (6.8, max(2.2, 1.3 + 0.24 * len(shown))))
        worst = {name: found.severity for found in self.findings[::-1] for name in found.columns}
        colors = [{1: RED, 2: ORANGE}.get(worst.get(name, 3), BLUE) for name in shown["column"]]
        places, alone = np.arange(len(shown)), shown["alone"].clip(lower=0)
        ax.barh(places, alone, xerr=2 * shown["alone_error"], color=colors, height=0.7, ecolor=GREY)
        ax.plot(shown["missing_effect"], places, "|", color=INK, markersize=9, label="its gaps alone")
        if not np.isnan(self.score):
            ax.axvline(self.score, color=INK, linestyle=":", label="the model")
        ax.set_yticks(places, [shorten(name) for name in shown["column"]], fontsize=8)
        ax.invert_yaxis()
        ax.set(xlim=(0, 1.05), xlabel="share of the variance explained, out of fold (± 2 standard errors)")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8, frameon=False)
        finish(ax).grid(visible=False, axis="y")
        return ax


def leakage_check(model: Any, X: Any, y: Any, *, max_rows: int = 20_000, random_state: int = 0) -> LeakageCheck:
    """Look for columns that know the target when they should not.

    The three looks of the book: is anything too good to be true, do ids matter, do gaps predict the target? Whether a
    telling column is a leak no number can say: ask when and how its values are written.

    Parameters
    ----------
    model : fitted estimator or None
        None checks the data only.
    X : table or array-like of shape (n_rows, n_features)
        Raw: for a forest that kept out-of-bag predictions the rows it was fitted on, otherwise held-out rows.
    y : array-like of shape (n_rows,)
        Target.
    max_rows : int, default=20_000
        So many rows are drawn from a larger table.
    random_state : int, default=0
        Seed of the folds and draws.

    Returns
    -------
    LeakageCheck

    Raises
    ------
    ValueError
        A target of one value, of several outputs, with gaps or of another length; `max_rows` below 10.
    sklearn.exceptions.NotFittedError

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
    if not isinstance(max_rows, (int, np.integer)) or max_rows < 10:
        raise ValueError(f"max_rows={max_rows!r} must be an integer of at least 10.")
    X = as_named(model, X)
    frame = read_frame(X)
    if model is not None:
        predictor(model)(take_rows(X, np.arange(1)))  # names what is missing
    y, is_class = read_target(model, y, len(frame))
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
    findings = [
        *_good_columns(table, score),
        *_good_model(score, is_out_of_bag),
        *_telling_gaps(table),
        *_telling_ids(table),
        *_telling_order(order_score, order_error),
    ]
    findings.sort(key=lambda finding: finding.severity)
    table = table.sort_values("alone", ascending=False, kind="stable", ignore_index=True)
    return LeakageCheck(table, score, order_score, findings)


def _score_columns(columns: dict[str, Column], target: Target, folds: np.ndarray) -> pd.DataFrame:
    lines = []
    for name, column in columns.items():
        alone, error, correlation = score_alone(column, target, folds)
        missing = column.missing
        effect, p_value = missing_effect(missing, target)
        lines.append((name, "", alone, error, correlation, missing.mean(), effect, p_value))
    names = ["column", "kind", "alone", "alone_error", "correlation", "missing", "missing_effect", "missing_p"]
    table = pd.DataFrame(lines, columns=names)
    # Bonferroni's correction: as many chances to find something as there are columns with gaps.
    table["missing_p"] = np.minimum(table["missing_p"] * table["missing_p"].notna().sum(), 1)
    return table


def _good_columns(table: pd.DataFrame, score: float) -> list[Finding]:
    found = []
    for line in _lines(table.sort_values("alone", ascending=False)):
        is_copy = line.alone >= _COPY or abs(line.correlation) >= _RANK_COPY
        if is_copy or line.alone >= _NEARLY_PERFECT:
            what = "is the target under another name, or a function of it" if is_copy else "alone gives the target away"
            found.append(_good_column(line, 1, what))
        elif line.alone >= _LEAST_ALONE and line.alone >= _AS_GOOD_AS_THE_MODEL * score:  # never so without a model
            found.append(
                _good_column(line, 2, f"alone predicts nearly as well as the model, which explains {score:.1%}")
            )
    return found


def _good_column(line: Any, severity: int, what: str) -> Finding:
    correlation = "" if np.isnan(line.correlation) else f"; rank correlation {line.correlation:.4f}"
    return Finding(
        "too-good column",
        severity,
        (line.column,),
        f"{line.column} {what}.",
        f"alone it explains {line.alone:.1%} ± {2 * line.alone_error:.1%} of the variance, out of fold{correlation}.",
        "Ask whether its value is known when a prediction is asked for; if it is written later, drop it.",
    )


def _good_model(score: float, is_out_of_bag: bool) -> list[Finding]:
    if not (is_out_of_bag and score >= _TOO_GOOD_MODEL):
        return []
    return [
        Finding(
            "too good to be true",
            2,
            (),
            "The model is nearly perfect on rows that its trees never saw.",
            f"it explains {score:.2%} of the variance out of bag.",
            "Problems that are worth a model are seldom that easy: look at its most important columns.",
        )
    ]


def _telling_gaps(table: pd.DataFrame) -> list[Finding]:
    telling = table[(table["missing_p"] < _P_VALUE) & (table["missing_effect"] >= _LEAST_EFFECT)]
    telling = telling.sort_values("missing_effect", ascending=False)
    is_large = telling["missing_effect"] >= _LARGE_EFFECT
    found = [_gap_finding(telling[telling["column"] == name], 1) for name in telling.loc[is_large, "column"]]
    rest = telling[~is_large]
    return found + ([_gap_finding(rest, 2)] if len(rest) else [])


def _gap_finding(telling: pd.DataFrame, severity: int) -> Finding:
    first = _lines(telling)[0]
    more = f" So do gaps in {len(telling) - 1} other columns." if len(telling) > 1 else ""
    return Finding(
        "telling gaps",
        severity,
        tuple(telling["column"]),
        f"Whether {first.column} is missing predicts the target.{more}",
        f"its gaps ({first.missing:.1%} of the rows) explain {first.missing_effect:.1%} of the variance, "
        f"p {_written(first.missing_p)} after correction.",
        "Ask whether it is filled in after the outcome is known; if so, drop the column and its indicator.",
    )


def _lines(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def _written(p_value: float) -> str:
    return "< 1e-16" if p_value < 1e-16 else f"= {p_value:.2g}"


def _telling_ids(table: pd.DataFrame) -> list[Finding]:
    found = []
    for line in _lines(table[table["kind"] == "id"]):
        matters = line.importance >= _LEAST_EFFECT / 5 and line.importance > _N_ERRORS * line.importance_error
        tells = line.alone >= _LEAST_EFFECT and line.alone > _N_ERRORS * line.alone_error
        if matters or tells:
            loss = f"; without it the model loses {line.importance:.1%}" if matters else ""
            found.append(
                Finding(
                    "id that matters",
                    2,
                    (line.column,),
                    f"{line.column} is an id, yet it says something of the target.",
                    f"alone it explains {line.alone:.1%} of the variance{loss}.",
                    "Ids follow the order in which rows were written, often that of time or of the outcome: try the "
                    "model without it.",
                )
            )
    return found


def _telling_order(score: float, error: float) -> list[Finding]:
    if score < _LEAST_EFFECT or score < _N_ERRORS * error:
        return []
    return [
        Finding(
            "telling row order",
            1 if score >= _NEARLY_PERFECT else 2,
            (),
            "The order of the rows predicts the target.",
            f"the position alone explains {score:.1%} of the variance.",
            "If rows are in the order of time, validate on the last ones; if they are sorted by the outcome, shuffle "
            "them, and distrust ids.",
        )
    ]
