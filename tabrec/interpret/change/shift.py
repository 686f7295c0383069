"""`domain_shift`: whether new rows differ from training rows, in which columns, and whether a model uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.interpret._column_groups import importance_by_source, source_of, sources_of
from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.change._column_tests import ColumnTest, adjust_p_values, compare_column, compare_correlations
from tabrec.interpret.change._shift_columns import ColumnPair, pair_columns
from tabrec.interpret.change._shift_findings import OF_CLASSIFIER, Verdict, describe_absent, describe_columns
from tabrec.interpret.change._shift_plots import draw_bars, draw_points
from tabrec.interpret.change._shift_rounds import Round, ShiftTest, draw_sample, single_aucs
from tabrec.interpret.reliance.importance import FeatureImportance
from tabrec.tables.columns import read_frame
from tabrec.trees.fitted_trees import read_trees

_FEWEST_ROWS = 10


@dataclass(frozen=True, repr=False)
class DomainShift(Result):
    """Whether new rows differ from training rows, and in which columns; the result of `domain_shift`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each column, those set aside first, in that order, then by ``auc``: ``column``; ``kind``, by
        `column_kinds` of the training rows; ``auc``, how well the column alone distinguishes the tables (0.5: not at
        all); ``distance``, the largest difference of the cumulative shares of numbers, dates and ids, half the summed
        differences of the shares of labels, rare ones pooled, or the difference of the shares of missing values if that
        is larger;
        ``p_value``, of the test of the column, adjusted for the number of columns; ``how``, how the new rows differ in
        it, in words; ``removed_in_round``, an integer, missing for columns that were never set aside; ``reason``,
        why; ``shift_importance``, the loss of the probability of the true table when the column is shuffled, in the
        round in which it was set aside (else in the last round that found a shift), 0 without shift;
        ``model_importance``, its share of the model's importances, NaN without a model.
    rounds : pandas.DataFrame
        One row for each round: ``round``, ``n_columns``, ``auc`` (of held-out rows), ``oob_auc`` (out of bag, of the
        half that the classifier was fitted on), ``p_value`` (of ``auc``), ``removed_columns`` (a tuple of columns).
    shifted : list of str
        The columns set aside, the most telling first, then those whose own test is significant and whose distance is
        at least 0.08. A column can be set aside for what it shows together with others, while its own test is not
        significant; the findings say so.
    p_value : float
        Of the whole table: the smallest p-value of the classifier of the first round, of the columns and of the
        correlations of pairs of numbers, each divided by its share of the level.
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
    p_value: float
    findings: list[Finding]
    level: float

    @property
    def auc(self) -> float:
        """AUC of the first round, with every column."""
        return float(self.rounds["auc"].iloc[0])

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

    A random forest learns to distinguish the two tables on one half of the rows and is tested on the other. If it can,
    the columns responsible are set aside, ids and dates first, then the most important, and the next round runs without
    them, until no shift is found. Besides, each column is tested by itself, and the correlations of pairs of numbers.

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
        Probability of finding a shift where there is none. The classifier has a fifth of it (a round whose p-value is
        above that is the last), the columns three fifths and the correlations a fifth.
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

    Columns are tested by the Kolmogorov-Smirnov and the Mann-Whitney test (numbers, dates, and text of which most rows
    have a rare value, by its order), the chi-squared test (labels, rare ones pooled) and Fisher's exact test (missing
    values), with control of the false discovery rate. Rank correlations are compared by Fisher's z-transformation, at
    the level divided by the number of pairs.

    Dates count as moments. Rounds also end where the AUC is below 0.55: the shift may be significant, but is small.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Finding Out-of-Domain Data".
    Benjamini & Hochberg (1995), "Controlling the false discovery rate". Bonett & Wright (2000), "Sample size
    requirements for estimating Pearson, Kendall and Spearman correlations". Lopez-Paz & Oquab (2017), "Revisiting
    classifier two-sample tests". Phipson & Smyth (2010), "Permutation p-values should never be zero".

    Examples
    --------
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import domain_shift
    >>> sales = make_auctions(600, random_state=0)[["YearMade", "ProductGroup", "state", "saledate"]]
    >>> is_new = (sales["saledate"] >= "2006").to_numpy()
    >>> shift = domain_shift(sales[~is_new], sales[is_new])
    >>> shift.shifted[0]
    'saledate'
    >>> shift.rounds["removed_columns"][0]
    ('saledate',)
    """
    if 1 / (n_permutations + 1) > level * OF_CLASSIFIER:
        raise ValueError(
            f"n_permutations={n_permutations} gives no p-value below {1 / (n_permutations + 1):.3g}, so that the "
            f"classifier never reaches its share of level={level}: use at least "
            f"{int(np.ceil(1 / (level * OF_CLASSIFIER))) - 1}."
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
    rounds = ShiftTest(level * OF_CLASSIFIER, n_permutations, n_estimators, rng).rounds(pairs, sample, aucs)
    tests = {pair.name: compare_column(pair) for pair in pairs}
    table = _make_table(pairs, aucs, rounds, shares, tests)
    correlations = compare_correlations(pairs)
    verdict = Verdict(rounds, table, correlations, level, (len(pairs[0].train), len(pairs[0].new)))
    shifted = [name for found in rounds for name in found.removed_columns]
    shifted += [name for name in verdict.shifted_columns if name not in shifted]
    findings = [
        verdict.describe(),
        *verdict.describe_correlation(),
        *describe_columns(table, shifted, verdict, pairs, _without_clear_importance(importance)),
        *describe_absent(only_train, "X_train"),
        *describe_absent(only_new, "X_new"),
    ]
    findings.sort(key=lambda finding: finding.severity)
    return DomainShift(table, _rounds_table(rounds), shifted, verdict.p_value, findings, level)


def _importance_shares(model: Any, importance: Any, names: list[str]) -> pd.Series:
    """Return each column's share of the importances; negative values count as 0, and NaN if none are given."""
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


def _without_clear_importance(importance: Any) -> set[str]:
    """Return columns whose importance is known, but not significantly above 0."""
    verdicts = importance.verdicts if isinstance(importance, FeatureImportance) else pd.Series(dtype=object)
    return set(verdicts.index[~verdicts.isin(["clear", "clear together"])])


def _given_importance(importance: Any) -> pd.Series:
    """Read importances by column, from a result with a table or from a mapping."""
    table = getattr(importance, "table", None)
    if isinstance(table, pd.DataFrame):
        if not {"column", "importance"} <= set(table.columns):
            raise ValueError(f"importance.table must have 'column' and 'importance', but has {list(table.columns)}.")
        if {"source", "is_group"} <= set(table.columns):
            return importance_by_source(table)
        return pd.Series(table["importance"].to_numpy(np.float64), index=table["column"])
    if not isinstance(importance, (pd.Series, Mapping)):
        raise TypeError(
            f"importance must be a result of feature_importance, or a Series or dict by column, not "
            f"{type(importance).__name__}."
        )
    return pd.Series(importance, dtype=np.float64)


def _make_table(
    pairs: list[ColumnPair],
    aucs: np.ndarray,
    rounds: list[Round],
    shares: pd.Series,
    tests: dict[str, ColumnTest],
) -> pd.DataFrame:
    adjusted = adjust_p_values(np.array([tests[pair.name].p_value for pair in pairs]))
    removed_columns = {
        name: (n, reason) for n, found in enumerate(rounds, 1) for name, reason in found.removed_columns.items()
    }
    worth = {name: value for found in rounds for name, value in found.importance.items()}
    rows = {
        pair.name: {
            "column": pair.name,
            "kind": pair.kind,
            "auc": auc,
            "distance": tests[pair.name].distance,
            "p_value": p_value,
            "how": pair.how,
            "removed_in_round": removed_columns.get(pair.name, (pd.NA, ""))[0],
            "reason": removed_columns.get(pair.name, (pd.NA, ""))[1],
            "shift_importance": worth.get(pair.name, 0.0),
            "model_importance": shares[pair.name],
        }
        for pair, auc, p_value in zip(pairs, aucs.tolist(), adjusted.tolist(), strict=True)
    }
    others = sorted((name for name in rows if name not in removed_columns), key=lambda name: -rows[name]["auc"])
    table = pd.DataFrame([rows[name] for name in [*removed_columns, *others]])
    return table.astype({"removed_in_round": "Int64"})


def _rounds_table(rounds: list[Round]) -> pd.DataFrame:
    rows = [
        (n, len(found.names), found.auc, found.oob_auc, found.p_value, tuple(found.removed_columns))
        for n, found in enumerate(rounds, 1)
    ]
    return pd.DataFrame(rows, columns=["round", "n_columns", "auc", "oob_auc", "p_value", "removed_columns"])
