"""`oob_report`: training, out-of-bag and validation error side by side, to separate overfitting from data shift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret._weights import weigh_rows, weight_of_rows, weights_of_copies
from tabrec.interpret.certainty._time_order import late_columns
from tabrec.interpret.metrics import Metric, beats_baseline, read_metric
from tabrec.interpret.models import predictor
from tabrec.plotting.axes import BLUE, GREY, finish, ink, make_axes
from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.rows import sample_rows, take_rows
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees, read_trees
from tabrec.trees.training_rows import check_fitted_rows, predict_training_rows, read_training_rows

_BASELINE, _TRAIN, _OOB, _VALID = "baseline", "train", "out of bag", "validation"
_N_ERRORS = 2  # larger differences, in standard errors, count as real
_CLOSE = 1.15


class _Score(NamedTuple):
    n: int
    score: float
    std_error: float
    gains: np.ndarray
    weights: np.ndarray | None


class _Scored(NamedTuple):
    """Rows to score: their target, their predictions and their weights."""

    y: np.ndarray
    predicted: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True, repr=False)
class OobReport(Result):
    """Errors of a forest in training, out of bag and in validation.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns `rows` ("baseline": the mean or the class shares of the training target, on the validation rows;
        "train", if X and y were given; "out of bag"; "validation"), `n`, `score` and its `std_error`, NaN for one
        row.
    metric : str
        The metric of `score`.
    findings : list of Finding
        The meaning of the differences between them.

    See Also
    --------
    oob_report : Compares the errors of a forest.
    """

    table: pd.DataFrame
    metric: str
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores, with bars of two standard errors, and the baseline as a line.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        ax = make_axes(ax, (6.4, 2.6))
        scores = self.table.set_index("rows")
        baseline = scores.loc[_BASELINE, "score"]
        scores = scores.drop(index=_BASELINE).iloc[::-1]
        position = np.arange(len(scores))
        ax.axvline(baseline, color=GREY, linestyle="--", label="baseline")
        bars = _N_ERRORS * scores["std_error"]
        ax.errorbar(scores["score"], position, xerr=bars, fmt="o", color=BLUE, ecolor=ink(), capsize=3, zorder=3)
        for height, value in zip(position, scores["score"], strict=True):
            ax.annotate(_number(value), (value, height), (0, 7), textcoords="offset points", ha="center", fontsize=9)
        names = [f"{name} ({n:,} rows)" for name, n in scores["n"].items()]
        ax.set_yticks(position, names)
        ax.set_ylim(-0.6, len(scores) - 0.3)
        ax.set_xlabel(f"{self.metric}, ± {_N_ERRORS} standard errors")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9, borderaxespad=0.2)
        return finish(ax)


@check_parameters(max_rows=[at_least(2)], random_state=RANDOM_STATE)
def oob_report(
    forest: Any,
    X_valid: Any,
    y_valid: Any,
    *,
    X: Any = None,
    y: Any = None,
    metric: str | None = None,
    max_rows: int = 20_000,
    random_state: int = 0,
    sample_weight: Any = None,
    sample_weight_valid: Any = None,
) -> OobReport:
    """Compare the error of a forest on its training rows, out of bag, and on validation rows.

    Each training row is predicted out of bag by the trees that did not draw it: it is new to these trees, but comes
    from the same distribution. A gap from training to out-of-bag error is therefore overfitting, while a gap from
    out-of-bag to validation error means that the rows differ, often because the data changed over time.

    Parameters
    ----------
    forest : estimator
        A fitted forest of one output with ``bootstrap=True``, ours or scikit-learn's, or a pipeline that ends in one.
    X_valid : table or array-like of shape (n_valid, n_features)
        Rows held out of fit, later ones where time matters.
    y_valid : array-like of shape (n_valid,)
        Their target.
    X : table or array-like of shape (n_rows, n_features), default=None
        The rows of `fit`, in its order, for the training error. For scikit-learn's forests and those fitted with
        ``oob_score=False``, the out-of-bag error needs them too.
    y : array-like of shape (n_rows,), default=None
        Their target.
    metric : {"rmse", "mae", "r2"} or {"accuracy", "log_loss"}, default=None
        Metric of the scores; None is RMSE for a regressor and accuracy for a classifier.
    max_rows : int, default=20_000
        Number of training rows that are drawn for the training error; the other errors use all rows.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of that draw.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows of fit, for the baseline and the training and out-of-bag errors; needs `X`. None weights all
        rows equally, or as in fit where the weights of fit were whole. A row of whole weight k counts as k rows.
    sample_weight_valid : array-like of shape (n_valid,), default=None
        Weights of the validation rows.

    Returns
    -------
    OobReport
        The errors, and findings on their differences.

    Raises
    ------
    TypeError
        The model is not a forest.
    ValueError
        No out-of-bag rows (a single tree, ``bootstrap=False``, every row drawn by every tree), rows that are missing or
        not those of fit, several outputs.

    See Also
    --------
    domain_shift : Which columns differ between training and new rows.
    confidence : Intervals from out-of-bag errors.

    References
    ----------
    Howard, J. & Gugger, S. *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Out-of-Bag Error".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import oob_report
    >>> sales = make_auctions(400, random_state=0)
    >>> X, y = sales[["YearMade", "ProductSize", "saledate"]], sales["SalePrice"]
    >>> forest = ForestRegressor(n_estimators=30, random_state=0).fit(X[:300], y[:300])
    >>> found = oob_report(forest, X[300:], y[300:], X=X[:300], y=y[:300])
    >>> found.table["rows"].tolist()
    ['baseline', 'train', 'out of bag', 'validation']
    """
    trees = read_trees(forest, "oob_report", instead="domain_shift, which shows whether new rows differ")
    _check_request(trees, X, y)
    if sample_weight is not None and X is None:
        raise ValueError("sample_weight weights the rows of fit: pass X and y too.")
    scorer = read_metric(forest, metric)
    numeric = not trees.is_classifier
    check_row_labels(X_valid, y_valid=y_valid)
    target = check_target(y_valid, len(read_frame(X_valid)), "oob_report", numeric=numeric).reshape(-1)
    held_out, weights_valid = weigh_rows(X_valid, sample_weight_valid)
    weights = None
    if X is not None:
        weights = weights_of_copies(trees.training_positions(trees.n_training_rows), weight_of_rows(X, sample_weight))
    out_of_bag, baseline = _out_of_bag_rows(trees, X, y, weights)
    predict = predictor(forest)
    target = target[held_out]
    parts = {_BASELINE: _Scored(target, np.tile(baseline, (len(target), 1)), weights_valid)}
    if X is not None:
        known = _read_training_target(trees, X, y)
        rows = trees.training_positions(len(known))
        used = np.arange(len(rows)) if weights is None else np.flatnonzero(weights)
        drawn = used[sample_rows(len(used), max_rows, np.random.default_rng(random_state))]
        of_drawn = None if weights is None else weights[drawn]
        parts[_TRAIN] = _Scored(known[rows[drawn]], predict(take_rows(X, rows[drawn])), of_drawn)
    parts |= {_OOB: out_of_bag, _VALID: _Scored(target, predict(X_valid)[held_out], weights_valid)}
    scores = {name: _score(scorer, part, trees.classes) for name, part in parts.items()}
    table = pd.DataFrame([(name, *score[:3]) for name, score in scores.items()], columns=["rows", *_Score._fields[:3]])
    late = late_columns(trees, X_valid, None if X is None else lambda: read_training_rows(trees, X, y, "").matrix)
    against = _against_baseline(scores, scorer, parts[_VALID], parts[_BASELINE].predicted, trees.classes)
    return OobReport(table, scorer.name, _explain(scores, scorer, late, against))


def _check_request(trees: FittedTrees, X: Any, y: Any) -> None:
    name = type(trees.estimator).__name__
    if trees.n_outputs > 1:
        raise ValueError(f"oob_report is for one output, but this {name} has {trees.n_outputs}: fit a forest for each.")
    if not trees.draws_rows:
        raise ValueError(
            f"oob_report needs rows that trees left out, but in this {name} every tree has seen every row: fit a "
            "forest with bootstrap=True."
        )
    if (X is None) != (y is None):
        raise ValueError("X and y, the rows of fit, go together: pass both or neither.")
    if X is not None:
        check_fitted_rows(trees, X, "oob_report")
    elif not trees.keeps_out_of_bag:
        raise ValueError(f"oob_report needs X and y, the rows of fit: this {name} keeps no out-of-bag targets.")


def _read_training_target(trees: FittedTrees, X: Any, y: Any) -> np.ndarray:
    check_row_labels(X, y=y)
    target = check_target(y, len(read_frame(X)), "oob_report", numeric=not trees.is_classifier).reshape(-1)
    if not trees.has_target(target):
        raise ValueError(
            "oob_report: y is not the target that the forest was fitted on: pass X and y as passed to fit."
        )
    return target


def _out_of_bag_rows(trees: FittedTrees, X: Any, y: Any, weights: np.ndarray | None) -> tuple[_Scored, np.ndarray]:
    """The rows that some tree left out, and the mean target, or the class shares, of all."""
    if trees.keeps_out_of_bag:
        found = trees.kept_out_of_bag()
    else:
        found = predict_training_rows(trees, read_training_rows(trees, X, y, "oob_report"))
    seen = found.count > 0 if weights is None else (found.count > 0) & (weights > 0)
    if not seen.any():
        raise ValueError("No row is out of bag: every tree drew every row. Grow more trees.")
    target = found.y.reshape(-1)
    parts = target[:, None] if trees.classes is None else target[:, None] == np.asarray(trees.classes)
    baseline = np.average(parts, axis=0, weights=weights)
    return _Scored(target[seen], found.prediction[seen], None if weights is None else weights[seen]), baseline


def _score(metric: Metric, rows: _Scored, classes: Any) -> _Score:
    gains = metric.gains(rows.y, rows.predicted, classes, rows.weights)
    score, error = metric.score(gains, rows.weights), metric.standard_error(gains, rows.weights)
    return _Score(len(gains), score, error, gains, rows.weights)


def _explain(
    scores: dict[str, _Score], metric: Metric, late: dict[str, float], against_baseline: Finding | None
) -> list[Finding]:
    if 1 in (scores[_VALID].n, scores[_OOB].n):
        return [
            Finding(
                "too few rows",
                2,
                (),
                "The score of a single row cannot show a difference between the rows.",
                f"{scores[_OOB].n} row(s) out of bag, {scores[_VALID].n} in validation.",
                "Pass more rows: the score of one row has no standard error.",
            )
        ]
    findings = [against_baseline, _against_out_of_bag(scores, metric, late)]
    if _TRAIN in scores:
        findings.append(_against_train(scores, metric))
    return sorted((finding for finding in findings if finding), key=lambda finding: finding.severity)


def _against_out_of_bag(scores: dict[str, _Score], metric: Metric, late: dict[str, float]) -> Finding:
    worse = _worse(scores, metric, _VALID, _OOB)
    evidence = f"{metric.name} {_show(scores, _OOB)} out of bag, {_show(scores, _VALID)} on validation rows"
    if worse > _N_ERRORS:
        when = "".join(f"; {share:.0%} of them later in {name!r}" for name, share in late.items())
        return Finding(
            "distribution shift",
            1,
            tuple(late),
            "Validation rows are predicted worse than out-of-bag rows: the rows differ, which is not overfitting.",
            f"{evidence}; {worse:.1f} standard errors apart{when}.",
            "Find the columns that differ with domain_shift, and try the model without them with drop_and_compare.",
        )
    if worse < -_N_ERRORS:
        return Finding(
            "easier validation rows",
            2,
            (),
            "Validation rows are predicted better than out-of-bag rows: they are easier, or contain copies of training "
            "rows.",
            f"{evidence}; {-worse:.1f} standard errors apart.",
            "Check whether one person, machine or day has rows on both sides of the split.",
        )
    return Finding(
        "no distribution shift",
        3,
        tuple(late),
        "Validation rows are predicted about as well as out-of-bag rows: no sign that the data changed.",
        f"{evidence}; {abs(worse):.1f} standard errors apart.",
        "The out-of-bag error can replace a validation error here.",
    )


def _against_train(scores: dict[str, _Score], metric: Metric) -> Finding:
    evidence = f"{metric.name} {_show(scores, _TRAIN)} in training, {_show(scores, _OOB)} out of bag."
    worse = _worse(scores, metric, _OOB, _TRAIN)
    near = _loss(scores, metric, _OOB) <= _CLOSE * _loss(scores, metric, _TRAIN)
    if worse <= _N_ERRORS or near:
        return Finding(
            "little overfitting",
            3,
            (),
            "The out-of-bag error is close to the training error: the forest overfits little.",
            evidence,
            "It may underfit: try a smaller min_samples_leaf or more columns.",
        )
    return Finding(
        "overfitting",
        3,
        (),
        "The out-of-bag error is larger than the training error: the forest overfits. That is usual for fully grown "
        "trees and does no harm by itself.",
        evidence,
        "Judge the model by its out-of-bag and validation errors; a larger min_samples_leaf may help.",
    )


def _against_baseline(
    scores: dict[str, _Score], metric: Metric, valid: _Scored, baseline: np.ndarray, classes: Any
) -> Finding | None:
    guessed, predicted = scores[_BASELINE], scores[_VALID]
    error = metric.paired_error(predicted.gains, guessed.gains, predicted.weights)
    if _in_errors(_loss(scores, metric, _BASELINE) - _loss(scores, metric, _VALID), error) > _N_ERRORS:
        return None
    is_better, by_probability = beats_baseline(valid.y, valid.predicted, baseline, classes, valid.weights)
    if classes is not None and is_better:
        return None
    return Finding(
        "no better than the baseline",
        1,
        (),
        "On validation rows the forest is not clearly better than the mean or the class shares of the training target.",
        f"{metric.name} {_show(scores, _VALID)}, baseline {_show(scores, _BASELINE)}"
        + (f"; {by_probability} (two standard errors)." if classes is not None else "."),
        "Before using it for such rows, run domain_shift and leakage_check.",
    )


def _worse(scores: dict[str, _Score], metric: Metric, part: str, than: str) -> float:
    """By how many standard errors of the difference one score is worse than another."""
    difference = _loss(scores, metric, part) - _loss(scores, metric, than)
    return _in_errors(difference, math.hypot(scores[part].std_error, scores[than].std_error))


def _in_errors(difference: float, error: float) -> float:
    if error == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / error


def _loss(scores: dict[str, _Score], metric: Metric, part: str) -> float:
    return 1 - scores[part].score if metric.greater_is_better else scores[part].score


def _show(scores: dict[str, _Score], part: str) -> str:
    return f"{_number(scores[part].score)} (standard error {_number(scores[part].std_error)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
