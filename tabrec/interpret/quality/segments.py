"""`error_segments`: find the groups of rows with the largest errors."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._numbers import show_number
from tabrec.interpret._parameters import METRIC, RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret._weights import weigh_rows
from tabrec.interpret.change._column_tests import adjust_p_values
from tabrec.interpret.change._shift_columns import ColumnPair, pair_columns
from tabrec.interpret.metrics import Metric, error_of_mean, read_metric
from tabrec.interpret.models import classes_of, predictor, with_numbers
from tabrec.interpret.without_columns import read_target
from tabrec.plotting.axes import BLUE, GREY, ORANGE, finish, format_tick, number_axis, row_axes, shorten
from tabrec.tables.columns import read_frame

_N_BINS = 5
_N_COMBINED = 8  # number of segments of one column that are combined in pairs
_NARROWER = 0.9
_MOST_DRAWN = 15
_LEVEL = 0.05  # false discovery rate
_CLEARLY_WORSE = 1.2  # smallest ratio to the error of all rows that is a finding
_MOST_FINDINGS = 3
_CLEAR = 2  # standard errors


@dataclass(frozen=True, repr=False)
class ErrorSegments(Result):
    """Segments of rows with their errors, the worst first; the result of `error_segments`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each segment: ``segment``, its condition; ``n``, its rows; ``share`` of all rows; the score on it,
        in a column named by the metric; ``rest``, the score on all other rows; ``std_error`` of the difference;
        ``p_value`` of no difference, adjusted for the number of segments (Benjamini & Hochberg 1995); and, for a
        regressor, ``bias``, the mean of predicted minus actual, and its standard error ``bias_error``. All are measured
        on rows that did not choose the segments.
    metric : str
        Name of the metric.
    overall : float
        The score on the same rows together.
    findings : list of Finding
        Segments on which the model is clearly worse.

    See Also
    --------
    error_segments : Makes it.
    """

    table: pd.DataFrame
    metric: str
    overall: float
    findings: list[Finding]
    _worst_rows: np.ndarray  # positions of the rows of the first segment

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores of the worst segments, at most 15, beside the score on all rows.

        Bars of segments that do not differ clearly from the rest are grey.

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
        ax = row_axes(ax, shown["segment"], (7.2, 1.2, 0.28))
        names = [f"{shorten(row.segment, 44)} ({row.n:,})" for row in shown.itertuples()]
        ax.set_yticks(np.arange(len(shown)), names, fontsize=8)
        is_clear = shown["p_value"] < _LEVEL
        colors = [ORANGE if clear else GREY for clear in is_clear]
        errors = 1.96 * shown["std_error"]
        ax.barh(np.arange(len(shown)), shown[self.metric], xerr=errors, color=colors, height=0.65, ecolor=GREY)
        ax.axvline(self.overall, color=BLUE, linewidth=1.2)
        number_axis(ax.xaxis, n_ticks=5)
        ax.set(xlabel=f"{self.metric} (line: all rows)")
        finish(ax).grid(visible=False, axis="y")
        return ax


@dataclass(frozen=True)
class _Segment:
    """A condition on one or two columns, with a mask of its rows."""

    text: str
    columns: tuple[str, ...]
    rows: np.ndarray  # bool

    def __and__(self, other: _Segment) -> _Segment:
        return _Segment(f"{self.text} and {other.text}", (*self.columns, *other.columns), self.rows & other.rows)


@check_parameters(metric=METRIC, min_rows=[at_least(2), None], random_state=RANDOM_STATE)
def error_segments(
    model: Any,
    X: Any,
    y: Any,
    *,
    metric: str | None = None,
    min_rows: int | None = None,
    random_state: Any = 0,
    sample_weight: Any = None,
) -> ErrorSegments:
    """Find the segments of rows on which a model is worst.

    Segments are the labels, the fifths of numbers and dates, and the missing values of each raw column, and pairs of
    the worst of these. One half of the rows chooses the segments; the errors are measured on the other half, so that
    their choice does not exaggerate them.

    Parameters
    ----------
    model : estimator
        A fitted regressor or classifier.
    X : table of shape (n_rows, n_features)
        Held-out rows, as the model takes them.
    y : array-like of shape (n_rows,)
        Their target.
    metric : {"rmse", "mae", "accuracy", "log_loss"}, default=None
        The score; None is "log_loss" for a classifier and "rmse" for a regressor.
    min_rows : int, default=None
        Least number of rows of a segment in either half; None is 20, or 1% of the half if that is more.
    random_state : int, Generator or None, default=0
        Seed of the halves.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows; None weights all rows equally. A row of integer weight k counts as k rows.

    Returns
    -------
    ErrorSegments
        The segments, at most 50.

    Raises
    ------
    ValueError
        The metric does not fit the model, or no segment has enough rows.

    See Also
    --------
    classification_curves : Curves, calibration and thresholds of a classifier.
    domain_shift : Whether new rows differ from the training rows.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import error_segments
    >>> auctions = make_auctions(2000, random_state=0)
    >>> price = auctions.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=20, random_state=0).fit(auctions[:1000], price[:1000])
    >>> result = error_segments(forest, auctions[1000:], price[1000:])
    >>> result.table[["segment", "n", "RMSE", "rest"]].head(3).shape
    (3, 4)
    """
    check_is_fitted(model)
    measure = read_metric(model, metric)
    frame, target = read_frame(X), read_target(model, X, y, "error_segments")
    rows, weights = weigh_rows(X, sample_weight)
    # Halves are drawn before rows are repeated by integer weights, so that copies are in the same half.
    choosing = (np.random.default_rng(random_state).permutation(len(frame)) % 2 == 0)[rows]
    predicted, target = predictor(model)(frame)[rows], target[rows]
    gains = measure.gains(target, predicted, classes_of(model), weights)
    scored = _ScoredRows(gains, np.ones(len(rows)) if weights is None else weights)
    least = max(20, round(0.01 * len(rows) / 2)) if min_rows is None else min_rows
    chosen = _choose_segments(with_numbers(model, frame).iloc[rows], scored, choosing, least)
    if not chosen:
        raise ValueError(f"No segment has {least} rows in both halves of the {len(rows)} rows: pass more rows.")
    bias = None if is_classifier(model) else (predicted - target.reshape(len(target), -1)).mean(axis=1)
    table = _measure(chosen, measure, scored, ~choosing, bias)
    overall = measure.score(*scored.take(~choosing))
    worst = next(segment for segment in chosen if segment.text == table["segment"].iloc[0])
    worst_rows = np.unique(rows[worst.rows & ~choosing])
    return ErrorSegments(table, measure.name, overall, _find(table, measure, overall, chosen), worst_rows)


class _ScoredRows(NamedTuple):
    """The gains of rows, and their weights."""

    gains: np.ndarray
    weights: np.ndarray

    def take(self, rows: np.ndarray) -> _ScoredRows:
        return _ScoredRows(self.gains[rows], self.weights[rows])

    @property
    def mean(self) -> float:
        return float(np.average(self.gains, weights=self.weights))


def _choose_segments(frame: pd.DataFrame, scored: _ScoredRows, choosing: np.ndarray, least: int) -> list[_Segment]:
    def is_large(segment: _Segment) -> bool:
        n = int((segment.rows & choosing).sum())
        return least <= min(n, choosing.sum() - n) and (segment.rows & ~choosing).sum() >= least

    pairs, _, _ = pair_columns(frame, frame)
    single = [part for pair in pairs if pair.kind != "id" for part in _split(pair) if is_large(part)]
    single.sort(key=lambda segment: scored.take(segment.rows & choosing).mean)
    combined = [
        first & second
        for first, second in combinations(single[:_N_COMBINED], 2)
        if first.columns != second.columns and is_large(first & second) and _narrows(first, second)
    ]
    return sorted(single + combined, key=lambda segment: scored.take(segment.rows & choosing).mean)[:50]


def _narrows(first: _Segment, second: _Segment) -> bool:
    """Return whether both conditions together hold for considerably fewer rows than each alone."""
    return (first.rows & second.rows).sum() <= _NARROWER * min(first.rows.sum(), second.rows.sum())


def _split(pair: ColumnPair) -> list[_Segment]:
    """Split rows by the labels of a column, or fifths of its numbers or dates, and missing values."""
    values, name = pair.train, pair.name
    missing = np.isnan(values)
    parts = [_Segment(f"{name} is missing", (name,), missing)] if missing.any() else []
    present = values[~missing]
    if pair.family == "labels" or len(np.unique(present)) <= _N_BINS:
        return parts + [
            _Segment(f"{name} is {_show(pair, value)}", (name,), values == value) for value in np.unique(present)
        ]
    edges = np.unique(np.quantile(present, np.linspace(0, 1, _N_BINS + 1), method="inverted_cdf"))
    for low, high in pairwise(edges):
        is_first = low == edges[0]
        rows = ((values >= low) if is_first else (values > low)) & (values <= high)
        limits = f"{name} ≤ {_show(pair, high)}" if is_first else f"{_show(pair, low)} < {name} ≤ {_show(pair, high)}"
        parts.append(_Segment(f"{name} > {_show(pair, low)}" if high == edges[-1] else limits, (name,), rows))
    return parts


def _show(pair: ColumnPair, value: float) -> str:
    if pair.family == "labels":
        return repr(pair.labels[int(value)])
    if pair.family == "dates":
        return str(pd.Timestamp(value, unit="s").date())
    return format_tick(float(f"{value:.6g}"))


def _measure(
    segments: list[_Segment], metric: Metric, scored: _ScoredRows, rows: np.ndarray, bias: np.ndarray | None
) -> pd.DataFrame:
    lines = []
    for segment in segments:
        inside, outside = scored.take(segment.rows & rows), scored.take(~segment.rows & rows)
        errors = metric.standard_error(*inside), metric.standard_error(*outside)
        # The test compares mean gains, whose distribution is closer to normal than that of scores.
        deviation = np.hypot(error_of_mean(*inside), error_of_mean(*outside))
        z = (inside.mean - outside.mean) / deviation if deviation > 0 else 0.0
        line = {
            "segment": segment.text,
            "n": len(inside.gains),
            "share": inside.weights.sum() / (inside.weights.sum() + outside.weights.sum()),
            metric.name: metric.score(*inside),
            "rest": metric.score(*outside),
            "std_error": float(np.hypot(errors[0], errors[1])),
            "p_value": float(2 * norm.sf(abs(z))),
        }
        if bias is not None:
            of_segment = bias[segment.rows & rows]
            line["bias"] = float(np.average(of_segment, weights=inside.weights))
            line["bias_error"] = error_of_mean(of_segment, inside.weights)
        lines.append(line)
    table = pd.DataFrame(lines)
    table["p_value"] = adjust_p_values(table["p_value"].to_numpy())
    return table.sort_values(metric.name, ascending=metric.greater_is_better, ignore_index=True)


def _find(table: pd.DataFrame, metric: Metric, overall: float, segments: list[_Segment]) -> list[Finding]:
    score = table[metric.name]
    loss, loss_overall = (1 - score, 1 - overall) if metric.greater_is_better else (score, overall)
    worse = table[(table["p_value"] < _LEVEL) & (loss > _CLEARLY_WORSE * loss_overall)]
    columns = {segment.text: segment.columns for segment in segments}
    found: list[Finding] = []
    told: set[str] = set()
    for _, row in worse.iterrows():
        if told & set(columns[row["segment"]]):
            continue  # segments of the same columns overlap
        told |= set(columns[row["segment"]])
        found.append(_describe(row, metric, columns[row["segment"]]))
    return found[:_MOST_FINDINGS]


def _describe(row: pd.Series, metric: Metric, columns: tuple[str, ...]) -> Finding:
    text = f"The model is clearly worse where {row['segment']}, which holds for {row['share']:.0%} of the rows."
    evidence = (
        f"{metric.name} {show_number(row[metric.name])} against {show_number(row['rest'])} on the other rows; "
        f"{row['n']:,} rows, adjusted p-value {row['p_value']:.2g}."
    )
    if "bias" in row and abs(row["bias"]) > _CLEAR * row["bias_error"]:
        evidence += (
            f" On average the predictions are {show_number(abs(row['bias']))} ± "
            f"{show_number(_CLEAR * row['bias_error'], 2)} too {'high' if row['bias'] > 0 else 'low'}."
        )
    action = "Check these rows for errors in the data, and whether further columns or rows would help there."
    return Finding("worse segment", 2, columns, text, evidence, action)
