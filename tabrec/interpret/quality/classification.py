"""`classification_curves`: ROC, precision-recall, calibration and thresholds of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import is_classifier
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._parameters import check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret._weights import weigh_rows
from tabrec.interpret.models import predictor
from tabrec.interpret.without_columns import read_target
from tabrec.plotting.axes import BLUE, GREY, ORANGE, finish, make_axes, shorten
from tabrec.tables.columns import read_frame

KINDS = ("roc", "precision_recall", "calibration", "gain")
_N_BINS = 10
_THRESHOLDS = np.round(np.arange(0.05, 1, 0.05), 2)
# Number of simulated calibrated targets with which the calibration error is compared.
_N_DRAWS = 500
# A calibration error is reported if it is at least this large and significant.
_LEAST_ERROR, _RARE = 0.02, 0.01
_COST = [Interval(Real, 0, None, closed="left")]


@dataclass(frozen=True, repr=False)
class ClassificationCurves(Result):
    """Curves, calibration and thresholds of a classifier; the result of `classification_curves`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each threshold from 0.05 to 0.95, and one for `best_threshold`: ``threshold``; ``selected``, the
        share of rows with at least this probability; ``precision``; ``recall``; ``false_positive_rate``; ``cost``, the
        mean cost of a row.
    scores : pandas.Series
        ``roc_auc`` and its standard error ``roc_auc_error`` (Hanley & McNeil 1982), ``average_precision``, ``log_loss``
        and ``brier`` of the class against the rest, ``calibration_error`` (the mean absolute difference between
        predicted probability and observed share over ten bins of as many rows), and ``prevalence``.
    bins : pandas.DataFrame
        The ten bins: ``predicted``, the mean probability; ``observed``, the share of the class; ``low`` and ``high``,
        its 95% interval (Wilson 1927); ``n``, the number of rows; ``weight``, their total weight.
    output : object
        The class.
    best_threshold : float
        The threshold of the lowest cost on these rows.
    findings : list of Finding
        Whether the probabilities are miscalibrated.

    See Also
    --------
    classification_curves : Makes it.
    """

    table: pd.DataFrame
    scores: pd.Series
    bins: pd.DataFrame
    output: Any
    best_threshold: float
    findings: list[Finding]
    _is_class: np.ndarray
    _probability: np.ndarray
    _weights: np.ndarray

    def confusion(self, threshold: float | None = None) -> pd.DataFrame:
        """Count the rows by actual and predicted class at a threshold.

        Parameters
        ----------
        threshold : float, default=None
            Rows of at least this probability are predicted to be of the class; None uses `best_threshold`.

        Returns
        -------
        pandas.DataFrame
            Sums of weights, with the actual class as rows and the predicted class as columns.
        """
        limit = self.best_threshold if threshold is None else threshold
        predicted = self._probability >= limit
        cells = [
            [self._weights[(self._is_class == actual) & (predicted == guess)].sum() for guess in (True, False)]
            for actual in (True, False)
        ]
        names = [str(self.output), f"not {self.output}"]
        return pd.DataFrame(cells, pd.Index(names, name="actual"), pd.Index(names, name="predicted"))

    @check_parameters(kind=[StrOptions(set(KINDS))])
    def plot(self, ax: Any = None, kind: str = "roc") -> Any:
        """Draw a curve.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        kind : {"roc", "precision_recall", "calibration", "gain"}, default="roc"
            "roc" draws the true positive rate against the false positive rate; "precision_recall" the precision
            against the recall; "calibration" the observed share against the predicted probability, with 95% intervals;
            "gain" the share of the class found against the share of rows taken, the most probable first.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        ax = make_axes(ax, (4.2, 3.8))
        getattr(self, f"_draw_{kind}")(ax)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        return finish(ax)

    def _draw_roc(self, ax: Any) -> None:
        false, true, _ = roc_curve(self._is_class, self._probability, sample_weight=self._weights)
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        ax.plot(false, true, color=BLUE)
        ax.set(xlabel="false positive rate", ylabel="true positive rate", title=f"ROC AUC {self.scores['roc_auc']:.3f}")

    def _draw_precision_recall(self, ax: Any) -> None:
        precision, recall, _ = precision_recall_curve(self._is_class, self._probability, sample_weight=self._weights)
        ax.axhline(self.scores["prevalence"], color=GREY, linewidth=1)
        ax.plot(recall, precision, color=BLUE, drawstyle="steps-post")
        title = f"Average precision {self.scores['average_precision']:.3f}"
        ax.set(xlabel="recall", ylabel="precision", title=title)

    def _draw_calibration(self, ax: Any) -> None:
        bins = self.bins
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        ends = [bins["observed"] - bins["low"], bins["high"] - bins["observed"]]
        ax.errorbar(bins["predicted"], bins["observed"], np.maximum(ends, 0), fmt="o-", color=BLUE, markersize=4)
        title = f"Calibration error {self.scores['calibration_error']:.3f}"
        label = shorten(self.output, 20)
        ax.set(xlabel=f"predicted probability of {label}", ylabel=f"observed share of {label}", title=title)

    def _draw_gain(self, ax: Any) -> None:
        order = np.argsort(-self._probability, kind="stable")
        taken = np.cumsum(self._weights[order]) / self._weights.sum()
        found = np.cumsum((self._weights * self._is_class)[order]) / (self._weights * self._is_class).sum()
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1)
        ax.plot([0, self.scores["prevalence"], 1], [0, 1, 1], color=ORANGE, linewidth=1, label="best possible")
        ax.plot(np.append(0, taken), np.append(0, found), color=BLUE, label="model")
        ax.legend(frameon=False, fontsize=8, loc="lower right")
        ax.set(
            xlabel="share of rows taken", ylabel=f"share of {shorten(self.output, 20)} found", title="Cumulative gain"
        )


@check_parameters(false_positive_cost=_COST, false_negative_cost=_COST)
def classification_curves(
    model: Any,
    X: Any,
    y: Any,
    *,
    output: Any = None,
    sample_weight: Any = None,
    false_positive_cost: float = 1.0,
    false_negative_cost: float = 1.0,
) -> ClassificationCurves:
    """Judge a classifier on one class against the rest: ranking, calibration and thresholds.

    Pass rows that the model was not fitted on: on training rows all of this is too optimistic.

    Parameters
    ----------
    model : classifier
        A fitted classifier with ``predict_proba``.
    X : table of shape (n_rows, n_features)
        Held-out rows, as the model takes them.
    y : array-like of shape (n_rows,)
        Their classes.
    output : object, default=None
        The class; None takes the second of two classes, or the most frequent in `y` of more than two.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows; None weights all rows equally.
    false_positive_cost : float, default=1.0
        Cost of a row of the rest that is predicted to be of the class.
    false_negative_cost : float, default=1.0
        Cost of a row of the class that is not predicted to be of it.

    Returns
    -------
    ClassificationCurves
        The result, with a plot of each curve.

    Raises
    ------
    TypeError
        The model is not a classifier, or gives no probabilities.
    ValueError
        `output` is not a class of the model, or all rows of `y` are of the class, or none.

    See Also
    --------
    error_segments : The rows on which a model is worst.
    confidence : Sets of labels that contain the right one.

    References
    ----------
    Hanley & McNeil (1982), "The meaning and use of the area under a receiver operating characteristic curve".

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from tabrec import ForestClassifier
    >>> from tabrec.interpret import classification_curves
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> forest = ForestClassifier(n_estimators=20, random_state=0).fit(X[:400], y[:400])
    >>> result = classification_curves(forest, X[400:], y[400:], false_positive_cost=5)
    >>> bool(result.scores["roc_auc"] > 0.95)
    True
    >>> result.confusion().to_numpy().sum()
    np.float64(169.0)
    """
    check_is_fitted(model)
    if not is_classifier(model):
        raise TypeError(f"classification_curves needs a classifier, not {type(model).__name__}.")
    target = read_target(model, X, y, "classification_curves")
    rows, given = weigh_rows(X, sample_weight)
    target, weights = target[rows], np.ones(len(rows)) if given is None else given
    classes = np.asarray(model.classes_).tolist()
    output = _choose(classes, target) if output is None else output
    if output not in classes:
        raise ValueError(f"output={output!r} must be one of the model's classes, {classes[:40]}.")
    is_class = target == output
    if not 0 < (weights * is_class).sum() < weights.sum():
        raise ValueError(f"y needs rows of {output!r} and others, but {int(is_class.sum())} of {len(target)} rows are.")
    probability = predictor(model)(read_frame(X))[rows, classes.index(output)]
    return _judge(output, is_class, probability, weights, (false_positive_cost, false_negative_cost))


def _choose(classes: list, target: np.ndarray) -> Any:
    if len(classes) == 2:
        return classes[1]
    values, counts = np.unique(target, return_counts=True)
    return values[counts.argmax()]


def _judge(
    output: Any, is_class: np.ndarray, probability: np.ndarray, weights: np.ndarray, costs: tuple[float, float]
) -> ClassificationCurves:
    thresholds, best = _tabulate(is_class, probability, weights, costs)
    bins = _bin(is_class, probability, weights)
    error = _calibration_error(bins)
    clipped = np.clip(probability, np.finfo(float).eps, 1 - np.finfo(float).eps)
    scores = {
        "roc_auc": roc_auc_score(is_class, probability, sample_weight=weights),
        "average_precision": average_precision_score(is_class, probability, sample_weight=weights),
        "log_loss": -np.average(np.where(is_class, np.log(clipped), np.log1p(-clipped)), weights=weights),
        "brier": np.average(np.square(is_class - probability), weights=weights),
        "calibration_error": error,
        "prevalence": np.average(is_class, weights=weights),
    }
    scores["roc_auc_error"] = _auc_error(scores["roc_auc"], int(is_class.sum()), int((~is_class).sum()))
    findings = _find_miscalibration(output, error, probability, weights, bins)
    found = pd.Series(scores, dtype=np.float64)
    return ClassificationCurves(thresholds, found, bins, output, best, findings, is_class, probability, weights)


def _tabulate(
    is_class: np.ndarray, probability: np.ndarray, weights: np.ndarray, costs: tuple[float, float]
) -> tuple[pd.DataFrame, float]:
    """Tabulate thresholds; also returns the threshold with the lowest cost."""
    order = np.argsort(-probability, kind="stable")
    ranked, hits = probability[order], (weights * is_class)[order]
    # In entry i, the first i rows are predicted to be of the class.
    selected, true = (np.append(0, np.cumsum(values)) for values in (weights[order], hits))
    cost = (costs[0] * (selected - true) + costs[1] * (true[-1] - true)) / selected[-1]
    ends = np.append(np.append(0, np.flatnonzero(np.diff(ranked)) + 1), len(ranked))  # ties stay together
    least = ends[cost[ends].argmin()]
    # The threshold is midway between the two adjacent probabilities.
    above, below = (1.0 if least == 0 else ranked[least - 1]), (0.0 if least == len(ranked) else ranked[least])
    best = float(1.0 + np.finfo(float).eps if least == 0 and above == below else (above + below) / 2)
    limits = np.sort(np.append(_THRESHOLDS, best))
    at = np.searchsorted(-ranked, -limits, side="right")
    with np.errstate(invalid="ignore"):
        columns = {
            "threshold": limits,
            "selected": selected[at] / selected[-1],
            "precision": true[at] / selected[at],
            "recall": true[at] / true[-1],
            "false_positive_rate": (selected - true)[at] / (selected - true)[-1],
            "cost": cost[at],
        }
    return pd.DataFrame(columns), best


def _assign_bins(probability: np.ndarray) -> np.ndarray:
    """Assign rows to bins of about equal size; rows with equal probabilities share a bin."""
    order = np.argsort(probability, kind="stable")
    starts = np.searchsorted(probability[order], probability[order][np.arange(_N_BINS) * len(order) // _N_BINS])
    bins = np.empty(len(order), dtype=np.intp)
    bins[order] = np.searchsorted(np.unique(starts), np.arange(len(order)), side="right") - 1
    return bins


def _bin(is_class: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    bins = _assign_bins(probability)
    n, weight = np.bincount(bins), np.bincount(bins, weights)
    kept = weight > 0
    predicted, observed = (np.bincount(bins, weights * of)[kept] / weight[kept] for of in (probability, is_class))
    # Weights reduce the effective number of rows (Kish 1965).
    size = (np.square(weight) / np.bincount(bins, np.square(weights)).clip(1e-300))[kept]
    low, high = _wilson(observed, size)
    columns = {"predicted": predicted, "observed": observed, "low": low, "high": high, "n": n[kept]}
    return pd.DataFrame(columns).assign(weight=weight[kept])


def _wilson(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = norm.ppf(0.975)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return middle - half, middle + half


def _calibration_error(bins: pd.DataFrame) -> float:
    return float(np.average((bins["predicted"] - bins["observed"]).abs(), weights=bins["weight"]))


def _errors_by_chance(probability: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Simulate the calibration errors of targets drawn with the predicted probabilities."""
    bins, generator = _assign_bins(probability), np.random.default_rng(0)
    draws = (generator.random(len(probability)) < probability for _ in range(_N_DRAWS))
    differences = np.array([np.bincount(bins, weights * (probability - draw)) for draw in draws])
    return np.abs(differences).sum(axis=1) / weights.sum()


def _auc_error(auc: float, n_class: int, n_rest: int) -> float:
    of_class, of_rest = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_class - 1) * (of_class - auc**2) + (n_rest - 1) * (of_rest - auc**2)
    return float(np.sqrt(max(variance, 0.0) / (n_class * n_rest)))


def _find_miscalibration(
    output: Any, error: float, probability: np.ndarray, weights: np.ndarray, bins: pd.DataFrame
) -> list[Finding]:
    """Return a finding if the calibration error is significant."""
    if error < _LEAST_ERROR:
        return []
    by_chance = _errors_by_chance(probability, weights)
    if (by_chance >= error).mean() > _RARE:
        return []
    worst = bins.iloc[int((bins["predicted"] - bins["observed"]).abs().argmax())]
    text = (
        f"The probabilities of {output} are not calibrated: they differ from the observed shares by {error:.1%} on "
        "average."
    )
    evidence = (
        f"{by_chance.mean():.1%} is expected of calibrated probabilities on {len(probability):,} rows; where "
        f"{worst['predicted']:.0%} is predicted, {worst['observed']:.0%} are observed."
    )
    action = "Calibrate them with scikit-learn's CalibratedClassifierCV before they are used as probabilities."
    return [Finding("miscalibrated probabilities", 2, (), text, evidence, action)]
