"""Findings of `oob_report` on the differences between its scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.interpret.metrics import Metric, add_even_tree, beats_baseline

BASELINE, TRAIN, OOB, VALID = "baseline", "train", "out of bag", "validation"
_N_ERRORS = 2  # larger differences, in standard errors, are significant
_CLOSE = 1.15


class RowScore(NamedTuple):
    """A score, and the gain of each row."""

    n: int
    score: float
    std_error: float
    gains: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True)
class PredictedRows:
    """Rows to score, with target, predictions, weights and, if few trees predict each row, their number."""

    y: np.ndarray
    predicted: np.ndarray
    weights: np.ndarray | None
    n_trees: np.ndarray | None = None

    def score(self, metric: Metric, classes: Any) -> RowScore:
        predicted = self.predicted
        if self.n_trees is not None and metric.name == "log loss":
            predicted = add_even_tree(predicted, self.n_trees)
        gains = metric.gains(self.y, predicted, classes, self.weights)
        score, error = metric.score(gains, self.weights), metric.standard_error(gains, self.weights)
        return RowScore(len(gains), score, error, gains, self.weights)


def explain(
    scores: dict[str, RowScore],
    metric: Metric,
    late: dict[str, float],
    against_baseline: Finding | None,
    by_as_many: RowScore,
) -> list[Finding]:
    """Explain the scores; `by_as_many` is the score of validation rows by as many trees as out of bag."""
    if 1 in (scores[VALID].n, scores[OOB].n):
        return [
            Finding(
                "too few rows",
                2,
                (),
                "The score of a single row cannot show a difference between the rows.",
                f"{scores[OOB].n} row(s) out of bag, {scores[VALID].n} in validation.",
                "Pass more rows: the score of one row has no standard error.",
            )
        ]
    findings = [against_baseline, _against_out_of_bag(scores | {VALID: by_as_many}, metric, late)]
    if TRAIN in scores:
        findings.append(_against_train(scores, metric))
    return sorted((finding for finding in findings if finding), key=lambda finding: finding.severity)


def _against_out_of_bag(scores: dict[str, RowScore], metric: Metric, late: dict[str, float]) -> Finding:
    worse = _worse(scores, metric, VALID, OOB)
    evidence = (
        f"{metric.name} {_show(scores, OOB)} out of bag, {_show(scores, VALID)} on validation rows predicted by as "
        "many trees"
    )
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


def _against_train(scores: dict[str, RowScore], metric: Metric) -> Finding:
    evidence = f"{metric.name} {_show(scores, TRAIN)} in training, {_show(scores, OOB)} out of bag."
    worse = _worse(scores, metric, OOB, TRAIN)
    near = _loss(scores, metric, OOB) <= _CLOSE * _loss(scores, metric, TRAIN)
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


def against_baseline(
    scores: dict[str, RowScore], metric: Metric, valid: PredictedRows, baseline: np.ndarray, classes: Any
) -> Finding | None:
    """Return a finding if the validation score is not clearly better than that of a baseline, otherwise None."""
    guessed, predicted = scores[BASELINE], scores[VALID]
    error = metric.paired_error(predicted.gains, guessed.gains, predicted.weights)
    if _in_errors(_loss(scores, metric, BASELINE) - _loss(scores, metric, VALID), error) > _N_ERRORS:
        return None
    is_better, by_probability = beats_baseline(valid.y, valid.predicted, baseline, classes, valid.weights)
    if classes is not None and is_better:
        return None
    return Finding(
        "no better than the baseline",
        1,
        (),
        "On validation rows the forest is not clearly better than the mean or the class shares of the training target.",
        f"{metric.name} {_show(scores, VALID)}, baseline {_show(scores, BASELINE)}"
        + (f"; {by_probability} (two standard errors)." if classes is not None else "."),
        "Before using it for such rows, run domain_shift and leakage_check.",
    )


def _worse(scores: dict[str, RowScore], metric: Metric, part: str, than: str) -> float:
    """Return how much worse one score is than another, in standard errors of the difference."""
    difference = _loss(scores, metric, part) - _loss(scores, metric, than)
    return _in_errors(difference, math.hypot(scores[part].std_error, scores[than].std_error))


def _in_errors(difference: float, error: float) -> float:
    if error == 0:
        return math.copysign(math.inf, difference) if difference else 0.0
    return difference / error


def _loss(scores: dict[str, RowScore], metric: Metric, part: str) -> float:
    return 1 - scores[part].score if metric.greater_is_better else scores[part].score


def _show(scores: dict[str, RowScore], part: str) -> str:
    return f"{show_number(scores[part].score, 3)} (standard error {show_number(scores[part].std_error, 2)})"
