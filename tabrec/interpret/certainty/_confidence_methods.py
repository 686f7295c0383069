"""The methods of `confidence`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from tabrec.interpret._result import Finding
from tabrec.interpret._weights import weights_of_copies
from tabrec.interpret.certainty._conformal import (
    KnownErrors,
    conformal_quantile,
    count_rows,
    equal_sides,
    fit_sides,
    needed_rows,
    oob_errors,
    unbiased,
    unfitted_scale,
)
from tabrec.interpret.certainty._expected_errors import MIN_ROWS, ExpectedErrors
from tabrec.interpret.certainty._quantile_forest import forest_quantiles
from tabrec.interpret.models import predictor
from tabrec.tables.rows import take_rows
from tabrec.tables.target import check_target
from tabrec.tables.weights import check_weights
from tabrec.trees.fitted_trees import FittedTrees
from tabrec.trees.out_of_bag import OutOfBagRows, TreeSpread
from tabrec.trees.training_rows import TrainingRows, predict_training_rows, read_training_rows

Pair = tuple[Any, Any]
_ROUNDING, _TIE = 1e-14, 1e-9


@dataclass(frozen=True)
class ConfidenceTask:
    """A fitted model, the rows to predict, and the rows from which intervals are computed."""

    model: Any
    trees: FittedTrees | None
    X: Any
    training: Pair | None
    calibration: Pair | None
    sample_weight: Any = None

    @property
    def weights_of_fit(self) -> np.ndarray | None:
        """The weight of each training row of the forest; None if all are equal."""
        assert self.trees is not None
        if self.sample_weight is None:
            return None
        weights = check_weights(self.sample_weight, self.trees.n_training_rows)
        return weights_of_copies(self.trees.training_positions(len(weights)), weights)

    def weights_of_calibration(self, n_rows: int) -> np.ndarray | None:
        return None if self.sample_weight is None else check_weights(self.sample_weight, n_rows)

    @cached_property
    def learned(self) -> TrainingRows:
        """The training rows as the trees saw them."""
        assert self.trees is not None
        assert self.training is not None
        X, y = self.training
        return read_training_rows(self.trees, X, y, "confidence")

    @property
    def training_matrix(self) -> Callable[[], np.ndarray] | None:
        return None if self.training is None else lambda: self.learned.matrix

    def left_out(self) -> OutOfBagRows:
        assert self.trees is not None
        if not self.trees.keeps_out_of_bag:
            return predict_training_rows(self.trees, self.learned)
        return self.trees.kept_out_of_bag()

    def predict(self, X: Any, n_first: int = 1) -> TreeSpread:
        """Return the predictions and their spread, which is NaN for a model without trees."""
        if self.trees is not None:
            return self.trees.predict_with_spread(X, n_first)
        predicted = predictor(self.model)(X)
        if predicted.shape[1] != 1:
            raise ValueError(several_outputs(self.model, predicted.shape[1]))
        unknown = np.full(len(predicted), np.nan)
        return TreeSpread(predicted[:, 0], unknown, unknown)


def _conformal(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    return _out_of_bag_intervals(rows, level) if rows.calibration is None else _split_intervals(rows, level)


def _out_of_bag_intervals(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    assert rows.trees is not None
    left_out = rows.left_out()
    weights = rows.weights_of_fit
    known, scale, n_trees = oob_errors(left_out, len(rows.trees.trees), weights)
    # The spread over the number of trees that leave out a training row, for the same noise as in out-of-bag spreads.
    found = rows.predict(rows.X, n_trees)
    expected = scale.of(unbiased(found.of_first, n_trees))
    if rows.training is not None and len(known.error) >= MIN_ROWS:
        seen = left_out.count > 0 if weights is None else (left_out.count > 0) & (weights > 0)
        positions = rows.learned.rows[seen]
        errors = ExpectedErrors(take_rows(rows.training[0], positions), np.abs(known.error), known.weights)
        known, expected = known._replace(expected=errors.of_rows), errors.of(rows.X)
    sides = fit_sides(known, level)
    ends = sides.intervals(found.mean, expected, sides.factors(known, level))
    return _between(found, *ends), [_width(*ends, level, known.n_rows, "out-of-bag")]


def _split_intervals(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    assert rows.calibration is not None
    X = rows.calibration[0]
    known = rows.predict(X)
    y = check_target(rows.calibration[1], len(known.mean), "confidence", numeric=True).reshape(len(known.mean))
    weights = rows.weights_of_calibration(len(y))
    used = np.arange(len(y)) if weights is None else np.flatnonzero(weights)
    scale = unfitted_scale(known.spread[used])
    found = rows.predict(rows.X)
    errors = KnownErrors(known.mean, scale.of(known.spread), y - known.mean, y).take(used)
    errors = errors if weights is None else errors._replace(weights=count_rows(weights[used]))
    if len(used) < 2 * MIN_ROWS:
        sides = equal_sides(errors.actual)
        factors, expected = sides.factors(errors, level), scale.of(found.spread)
    else:
        # Half of the rows determine the shape of intervals, and the other half their scale; coverage of the same rows
        # would be too high.
        shaping, stretching = np.arange(0, len(used), 2), np.arange(1, len(used), 2)
        shape = errors.take(shaping)
        model = ExpectedErrors(take_rows(X, used[shaping]), np.abs(shape.error), shape.weights)
        sides = fit_sides(shape._replace(expected=model.of_rows), level)
        held = errors.take(stretching)._replace(expected=model.of(take_rows(X, used[stretching])))
        factors, expected = sides.factors(held, level), model.of(rows.X)
    ends = sides.intervals(found.mean, expected, factors)
    return _between(found, *ends), [_width(*ends, level, errors.n_rows, "calibration")]


def _quantile(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    assert rows.trees is not None
    learned = rows.learned
    tails = (1 - level) / 2, (1 + level) / 2
    lower, upper = forest_quantiles(
        rows.trees, learned.matrix, learned.y.reshape(-1), rows.trees.matrix(rows.X), tails, rows.weights_of_fit
    ).T
    finding = _width(lower, upper, level, len(learned.y), "training")
    return _between(rows.predict(rows.X), lower, upper), [finding]


def _spread(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    found = rows.predict(rows.X)
    finding = Finding(
        "no coverage guarantee",
        2,
        (),
        "The spread of the trees ranks rows by uncertainty; it is not an interval with a known coverage.",
        f"{level:.0%} requested; on synthetic data spreads of nominal 90% covered 48% (2 trees) to 91% (100 trees).",
        "Use method='conformal' if the level has to hold.",
    )
    half = norm.ppf((1 + level) / 2) * found.spread
    return _between(found, found.mean - half, found.mean + half), [finding]


def _between(found: TreeSpread, lower: np.ndarray, upper: np.ndarray) -> dict[str, Any]:
    return {"prediction": found.mean, "lower": lower, "upper": upper, "spread": found.spread}


def label_sets(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    """Make class-conditional sets, which contain the true label of a share `level` of the rows of each class."""
    predict = predictor(rows.model)
    if rows.calibration is None:
        left_out = rows.left_out()
        weights = rows.weights_of_fit
        seen = left_out.count > 0 if weights is None else (left_out.count > 0) & (weights > 0)
        y, known = left_out.y[seen].reshape(-1), left_out.prediction[seen]
        weights = None if weights is None else weights[seen]
    else:
        known = predict(rows.calibration[0])
        y = check_target(rows.calibration[1], len(known), "confidence", numeric=False).reshape(len(known))
        weights = rows.weights_of_calibration(len(known))
    probabilities = predict(rows.X)
    scores = probabilities
    if rows.trees is not None:
        # Ties are broken by a hash of the row; otherwise, with few trees, every set would contain rare classes.
        known = known + _TIE * np.random.default_rng(0).random((len(known), 1))
        scores = probabilities + _TIE * _row_hash(rows.trees.matrix(rows.X))[:, None]
    classes = np.asarray(rows.model.classes_)
    thresholds, counts = _thresholds(y, known, weights, classes, level)
    is_known = counts >= needed_rows(level)
    belongs = scores >= thresholds - _ROUNDING
    # A set contains at least the label that is nearest to its threshold.
    belongs[np.arange(len(belongs)), (scores / np.maximum(thresholds, _ROUNDING)).argmax(axis=1)] = True
    order = np.argsort(-probabilities, axis=1, kind="stable")
    in_order = np.take_along_axis(belongs, order, axis=1)
    sets = [tuple(classes[row[held]].tolist()) for row, held in zip(order, in_order, strict=True)]
    sizes = belongs.sum(axis=1)
    columns = {
        "prediction": classes[order[:, 0]],
        "probability": probabilities.max(axis=1),
        "set": pd.Series(sets, dtype=object).array,
        "size": sizes,
    }
    rare = classes[~is_known].tolist()
    return columns, [_set_sizes(sizes, thresholds, level), *_rare_classes(rare, counts[~is_known], level)]


def _thresholds(
    y: np.ndarray, known: np.ndarray, weights: np.ndarray | None, classes: np.ndarray, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest probability at which each class is in a set, 0 with too few rows, and its number of rows."""
    each = [None if weights is None else count_rows(weights[y == label]) for label in classes]
    counts = np.array(
        [np.count_nonzero(y == label) if w is None else w.sum() for label, w in zip(classes, each, strict=True)]
    )
    if counts.sum() < needed_rows(level):
        conformal_quantile(np.zeros(int(counts.sum())), level)  # raises an error with the number of rows needed
    thresholds = [
        1 - conformal_quantile(1 - known[y == label, k], level, each[k]) if counts[k] >= needed_rows(level) else 0.0
        for k, label in enumerate(classes)
    ]
    return np.array(thresholds), counts


def _row_hash(matrix: np.ndarray) -> np.ndarray:
    """Hash each row to a number from 0 to 1."""
    hashes = pd.util.hash_pandas_object(pd.DataFrame(matrix), index=False).to_numpy()
    return hashes / 2.0**64


METHODS = {"conformal": _conformal, "quantile": _quantile, "spread": _spread}


def several_outputs(model: Any, n_outputs: int) -> str:
    return f"confidence is for one output, but this {type(model).__name__} has {n_outputs}: fit a model for each."


def _width(lower: np.ndarray, upper: np.ndarray, level: float, n_rows: float, source: str) -> Finding:
    typical, wide = map(_number, np.quantile(upper - lower, [0.5, 0.9]))
    text = f"Half of the {level:.0%} intervals are at most {typical} wide; the widest tenth are at least {wide} wide."
    return Finding(
        "interval width",
        3,
        (),
        f"Nearly all {level:.0%} intervals are at most {wide} wide." if typical == wide else text,
        f"From {n_rows:,.0f} {source} rows.",
        "Check their coverage(y) on rows held out of fit, by the subgroups that matter.",
    )


def _set_sizes(sizes: np.ndarray, thresholds: np.ndarray, level: float) -> Finding:
    return Finding(
        "set size",
        3,
        (),
        f"{np.mean(sizes == 1):.0%} of the rows have a {level:.0%} set of one label; the sets hold {sizes.mean():.3g} "
        "labels on average.",
        "Each class has its own threshold of the probability, so that rare classes are covered too: from "
        f"{thresholds.min():.3f} to {thresholds.max():.3f}.",
        "Inspect rows with several labels; check coverage(y) of the sets on rows held out of fit.",
    )


def _rare_classes(rare: list, counts: np.ndarray, level: float) -> list[Finding]:
    """Name the classes with too few rows for a threshold of their own."""
    if not rare:
        return []
    names = ", ".join(map(str, rare[:8])) + (", …" if len(rare) > 8 else "")
    text = f"Every set holds {names}, as too few rows are known to exclude {'it' if len(rare) == 1 else 'them'}."
    evidence = (
        f"A {level:.0%} threshold needs {needed_rows(level)} rows of a class; at most {counts.max():.4g} are known."
    )
    return [Finding("rare classes", 2, (), text, evidence, "Lower the level, or pass more rows of these classes.")]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
