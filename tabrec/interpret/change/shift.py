"""`domain_shift`: whether new rows differ from training rows, in which columns, and whether a model uses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.interpret._column_groups import importance_by_source, source_of, sources_of
from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.change._shift_columns import ColumnPair, pair_columns
from tabrec.interpret.change._shift_plots import draw_bars, draw_points
from tabrec.interpret.change._shift_rounds import Round, ShiftTest, draw_sample, single_aucs
from tabrec.tables.columns import read_frame
from tabrec.trees.fitted_trees import read_trees

_FEWEST_ROWS = 10
_MOST_NAMES = 10
# A shifted column with at least this AUC gets its own finding; at most this many of a kind do.
_STANDS_OUT, _MOST_FINDINGS = 0.6, 5


@dataclass(frozen=True, repr=False)
class DomainShift(Result):
    """Whether new rows differ from training rows, and in which columns; what `domain_shift` returns.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each column, those set aside first, in that order, then by ``auc``: ``column``; ``kind``, by
        `column_kinds` of the training rows; ``auc``, how well the column alone tells the tables apart (0.5: not at
        all); ``how``, how the new rows differ in it, in words; ``set_aside_in_round``, an integer, missing for columns
        that were never set aside; ``reason``, why; ``shift_importance``, the loss of the probability of the true table
        when the column is shuffled, in the round in which it was set aside (else in the last round that found a
        shift), 0 without shift; ``model_importance``, its share of the model's importances, NaN without a model.
    rounds : pandas.DataFrame
        One row for each round: ``round``, ``n_columns``, ``auc`` (of held-out rows), ``oob_auc`` (out of bag, of the
        half that the classifier was fitted on), ``p_value`` (of ``auc``), ``set_aside`` (a tuple of columns).
    shifted : list of str
        The columns set aside, the most telling first.
    findings : list of Finding
        Whether there is a shift, and the columns to act on, first.
    level : float
        Rounds ended at a p-value above it.

    See Also
    --------
    domain_shift : Makes it.
    """

    table: pd.DataFrame
    rounds: pd.DataFrame
    shifted: list[str]
    findings: list[Finding]
    level: float

    @property
    def auc(self) -> float:
        """AUC of the first round, with every column."""
        return float(self.rounds["auc"].iloc[0])

    @property
    def p_value(self) -> float:
        """p-value of the first round."""
        return float(self.rounds["p_value"].iloc[0])

    def plot(self, ax: Any = None) -> Any:
        """Draw shift against importance; without importances, a bar for each column.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        if self.table["model_importance"].isna().all():
            return draw_bars(self.table, ax)
        return draw_points(self.table, ax)


@check_parameters(
    level=[Interval(Real, 0, 1, closed="neither")],
    n_permutations=[at_least(1)],
    max_rows=[at_least(_FEWEST_ROWS)],
    n_estimators=[at_least(1)],
    random_state=RANDOM_STATE,
)
def domain_shift(
    X_train: Any,
    X_new: Any,
    *,
    model: Any = None,
    importance: Any = None,
    level: float = 0.05,
    n_permutations: int = 999,
    max_rows: int = 5_000,
    n_estimators: int = 40,
    random_state: Any = 0,
) -> DomainShift:
    """Test whether new rows differ from the training rows, and find the columns in which they do.

    A random forest learns to tell the two tables apart on one half of the rows and is tested on the other. If it can,
    the columns responsible are set aside, ids and dates first, then the most important, and the next round runs without
    them, until no shift is found.

    Parameters
    ----------
    X_train, X_new : table or array-like of shape (n_rows, n_columns)
        Raw frames of at least 10 rows each, in their original order. Only the columns that both have are compared.
    model : estimator, default=None
        A fitted forest, single tree, or pipeline that ends in one, whose impurity importances are shown beside the
        shift.
    importance : FeatureImportance, Series or dict, default=None
        Importance of the columns, by name, instead of the model's own; for any model.
    level : float, default=0.05
        A round whose p-value is above it is the last.
    n_permutations : int, default=999
        Permutations behind each p-value, which cannot be smaller than ``1 / (n_permutations + 1)``.
    max_rows : int, default=5_000
        At most this many rows are drawn from each table, the same number from both.
    n_estimators : int, default=40
        Number of trees of the classifier.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of draws, trees and permutations.

    Returns
    -------
    DomainShift

    Raises
    ------
    ValueError
        No shared column, fewer than 10 rows, a column of another type in either table, a parameter out of range, or an
        `importance` that names none of the columns.
    TypeError
        A `model` that is not a forest, without `importance`.

    See Also
    --------
    drop_and_compare : Scores a model without the shifted columns on later rows.
    extrapolation_check : Looks at each new row by itself.
    feature_importance : Importances of any model, for `importance`.

    Notes
    -----
    Out-of-bag scores depend on the labels of their own rows: without shift their AUC lies below 0.5, and permuting the
    labels of finished scores gives wrong p-values. Scores of held-out rows do not depend on their labels, so that
    permuting these is an exact test: without shift, and with rows drawn independently, p-values are uniform. This holds
    for the first round; the columns of later rounds were chosen by the same rows.

    Dates count as moments. Rounds also end where the AUC is below 0.55: the shift may be significant, but is small.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Finding Out-of-Domain Data".
    Lopez-Paz & Oquab (2017), "Revisiting classifier two-sample tests". Phipson & Smyth (2010), "Permutation p-values
    should never be zero".

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import domain_shift
    >>> sales = make_auctions(600, random_state=0)[["YearMade", "ProductGroup", "state", "saledate"]]
    >>> is_new = (sales["saledate"] >= "2006").to_numpy()
    >>> shift = domain_shift(sales[~is_new], sales[is_new])
    >>> shift.shifted[0]
    'saledate'
    >>> shift.rounds["set_aside"][0]
    ('saledate',)
    """
    if 1 / (n_permutations + 1) > level:
        raise ValueError(
            f"n_permutations={n_permutations} gives no p-value below {1 / (n_permutations + 1):.3g}, so that "
            f"level={level} is never reached: use at least {int(np.ceil(1 / level)) - 1}."
        )
    for name, X in (("X_train", X_train), ("X_new", X_new)):
        if (n_rows := len(read_frame(X))) < _FEWEST_ROWS:
            needed = f"at least {_FEWEST_ROWS} are needed; extrapolation_check looks at each row by itself"
            raise ValueError(f"{name} has {n_rows} row(s), but {needed}.")
    pairs, only_train, only_new = pair_columns(X_train, X_new)
    names = [pair.name for pair in pairs]
    shares = _importance_shares(model, importance, names)
    rng = np.random.default_rng(random_state)
    sample = draw_sample(pairs, max_rows, rng)
    aucs = single_aucs(sample)
    rounds = ShiftTest(level, n_permutations, n_estimators, rng).rounds(pairs, sample, aucs)
    table = _make_table(pairs, aucs, rounds, shares)
    shifted = [name for found in rounds for name in found.set_aside]
    findings = [
        _overall(rounds, level),
        *_of_columns(table, pairs),
        *_of_absent(only_train, "X_train"),
        *_of_absent(only_new, "X_new"),
    ]
    findings.sort(key=lambda finding: finding.severity)
    return DomainShift(table, _rounds_table(rounds), shifted, findings, level)


def _importance_shares(model: Any, importance: Any, names: list[str]) -> pd.Series:
    """The share of each column in the importances, negative ones counting as 0; NaN where none are given."""
    if model is None and importance is None:
        return pd.Series(np.nan, index=names)
    if importance is None:
        trees = read_trees(model, "domain_shift(model=...)", "importance=feature_importance(model, X_valid, y_valid)")
        given = pd.Series(trees.estimator.feature_importances_, index=trees.names)
    else:
        given = _given_importance(importance)
    sources = {} if model is None else sources_of(model, names)
    raw = pd.Index([source_of(str(name), names, sources) for name in given.index], dtype=object)
    worth = given.clip(lower=0).groupby(raw).sum().reindex(names)
    if worth.isna().all():
        raise ValueError(
            f"The importances are of {list(given.index)[:20]}, none of which is a column of both tables: {names[:20]}."
        )
    return worth.fillna(0.0) / max(given.clip(lower=0).sum(), np.finfo(float).tiny)


def _given_importance(importance: Any) -> pd.Series:
    """Importances by column, from a result with a table or from names and values."""
    table = getattr(importance, "table", None)
    if isinstance(table, pd.DataFrame):
        if not {"column", "importance"} <= set(table.columns):
            raise ValueError(f"importance.table must have 'column' and 'importance', but has {list(table.columns)}.")
        if {"source", "is_group"} <= set(table.columns):
            return importance_by_source(table)
        return pd.Series(table["importance"].to_numpy(np.float64), index=table["column"])
    if not isinstance(importance, (pd.Series, Mapping)):
        raise TypeError(
            f"importance must be what feature_importance returns, or a Series or dict by column, not "
            f"{type(importance).__name__}."
        )
    return pd.Series(importance, dtype=np.float64)


def _make_table(pairs: list[ColumnPair], aucs: np.ndarray, rounds: list[Round], shares: pd.Series) -> pd.DataFrame:
    set_aside = {name: (n, reason) for n, found in enumerate(rounds, 1) for name, reason in found.set_aside.items()}
    worth = {name: value for found in rounds for name, value in found.importance.items()}
    rows = {
        pair.name: {
            "column": pair.name,
            "kind": pair.kind,
            "auc": auc,
            "how": pair.how,
            "set_aside_in_round": set_aside.get(pair.name, (pd.NA, ""))[0],
            "reason": set_aside.get(pair.name, (pd.NA, ""))[1],
            "shift_importance": worth.get(pair.name, 0.0),
            "model_importance": shares[pair.name],
        }
        for pair, auc in zip(pairs, aucs.tolist(), strict=True)
    }
    others = sorted((name for name in rows if name not in set_aside), key=lambda name: -rows[name]["auc"])
    table = pd.DataFrame([rows[name] for name in [*set_aside, *others]])
    return table.astype({"set_aside_in_round": "Int64"})


def _rounds_table(rounds: list[Round]) -> pd.DataFrame:
    rows = [
        (n, len(found.names), found.auc, found.oob_auc, found.p_value, tuple(found.set_aside))
        for n, found in enumerate(rounds, 1)
    ]
    return pd.DataFrame(rows, columns=["round", "n_columns", "auc", "oob_auc", "p_value", "set_aside"])


def _overall(rounds: list[Round], level: float) -> Finding:
    first, last = rounds[0], rounds[-1]
    evidence = f"AUC {first.auc:.2f} on held-out rows, p = {first.p_value:.3g}."
    if first.p_value > level:
        text = "No difference was found between the new rows and the training rows."
        return Finding("no shift", 3, (), text, evidence, "Nothing to do.")
    if not first.set_aside:
        text = "The new rows differ from the training rows, but too little to name a column."
        return Finding("domain shift", 3, (), text, evidence, "Repeat the test when there are more rows.")
    shifted = tuple(name for found in rounds for name in found.set_aside)
    text = "The new rows differ from the training rows."
    if not last.set_aside:
        evidence += f" Without {len(shifted)} column(s): AUC {last.auc:.2f}, p = {last.p_value:.3g}."
    action = "Validate on the latest rows, and look at the shifted columns one by one."
    return Finding("domain shift", 2, shifted, text, evidence, action)


def _of_columns(table: pd.DataFrame, pairs: list[ColumnPair]) -> list[Finding]:
    """One for each column to act on or with a large AUC, and one for all the others that have shifted."""
    id_reasons = {pair.name: pair.id_reason for pair in pairs}
    rows: list[Any] = list(table.itertuples())
    # More than the share that a model of equally important columns would give it.
    important = [row for row in rows if row.model_importance > 1 / len(rows)]
    relied_on = [row for row in important if not pd.isna(row.set_aside_in_round) or id_reasons[row.column]]
    relied_on = sorted(relied_on, key=lambda row: -row.model_importance)[:_MOST_FINDINGS]
    others = [row for row in rows if not pd.isna(row.set_aside_in_round) and row not in relied_on]
    apart = [row for row in others if row.auc >= _STANDS_OUT and row not in important][:_MOST_FINDINGS]
    findings = [_relied_on(row, id_reasons[row.column]) for row in relied_on] + [_hardly_used(row) for row in apart]
    return findings + _of_the_rest([row for row in others if row not in apart])


def _relied_on(row: Any, id_reason: str) -> Finding:
    share = f"{row.model_importance:.0%} of the model's importance"
    action = "Retrain without it and compare on later rows, with drop_and_compare."
    if pd.isna(row.set_aside_in_round):
        text = f"The model relies on {row.column}, which {id_reason}."
        return Finding("id that matters", 1, (row.column,), text, f"{share}.", action)
    text = f"{row.column} has shifted, and the model relies on it{_colon(row.how)}."
    evidence = f"AUC {row.auc:.2f} by itself, {share}; {row.reason}."
    return Finding("shifted column", 1, (row.column,), text, evidence, action)


def _hardly_used(row: Any) -> Finding:
    text, evidence = f"{row.column} has shifted{_colon(row.how)}.", f"AUC {row.auc:.2f} by itself; {row.reason}."
    if np.isnan(row.model_importance):
        action = "Where a model relies on it, retrain without it and compare on later rows, with drop_and_compare."
        return Finding("shifted column", 2, (row.column,), text, evidence, action)
    return Finding("shifted column", 3, (row.column,), text, evidence, "The model hardly uses it: no action needed.")


def _of_the_rest(rows: list[Any]) -> list[Finding]:
    if not rows:
        return []
    rows = sorted(rows, key=lambda row: -row.auc)
    names = tuple(row.column for row in rows)
    text = f"More columns have shifted: {_list(names)}"
    evidence = f"{len(rows)} column(s), each with an AUC of {rows[0].auc:.2f} or less by itself."
    return [Finding("shifted columns", 3, names, text, evidence, "See in the table how they differ.")]


def _colon(how: str) -> str:
    return f": {how}" if how else ""


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else ".")


def _of_absent(names: list[str], side: str) -> list[Finding]:
    if not names:
        return []
    text = f"Only {side} has {_list(names)}"
    action = "Fit the model without it." if side == "X_train" else "A model of the training rows cannot use it."
    return [Finding("column of one side", 3, tuple(names), text, f"{len(names)} column(s) were not compared.", action)]
