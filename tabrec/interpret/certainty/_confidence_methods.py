"""The ways in which `confidence` finds intervals and sets of labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from tabrec.interpret._result import Finding
from tabrec.interpret.certainty._conformal import conformal_quantile, oob_scores, unbiased, unfitted_scale
from tabrec.interpret.certainty._quantile_forest import forest_quantiles
from tabrec.interpret.models import predictor
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees
from tabrec.trees.out_of_bag import OutOfBagRows, TreeSpread
from tabrec.trees.training_rows import TrainingRows, predict_training_rows, read_training_rows

Pair = tuple[Any, Any]
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ConfidenceTask:
    """A fitted model, the rows to predict, and the rows that intervals may rest on."""

    model: Any
    trees: FittedTrees | None
    X: Any
    training: Pair | None
    calibration: Pair | None

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
        """Predictions and their spread, which is NaN for a model without trees."""
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
    scores, scale, n_trees = oob_scores(rows.left_out(), len(rows.trees.trees))
    quantile = conformal_quantile(scores, level)
    # The spread of as many trees as left out a training row: that of more trees would be less noisy than the scores.
    found = rows.predict(rows.X, n_trees)
    half = quantile * scale.of(unbiased(found.of_first, n_trees))
    return _around(found, half), [_width(half, level, len(scores), "out-of-bag")]


def _split_intervals(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    assert rows.calibration is not None
    known = rows.predict(rows.calibration[0])
    n = len(known.mean)
    y = check_target(rows.calibration[1], n, "confidence", numeric=True).reshape(n)
    scale = unfitted_scale(known.spread)
    quantile = conformal_quantile(np.abs(y - known.mean) / scale.of(known.spread), level)
    found = rows.predict(rows.X)
    half = quantile * scale.of(found.spread)
    return _around(found, half), [_width(half, level, n, "calibration")]


def _quantile(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    assert rows.trees is not None
    learned = rows.learned
    tails = (1 - level) / 2, (1 + level) / 2
    lower, upper = forest_quantiles(
        rows.trees, learned.matrix, learned.y.reshape(-1), rows.trees.matrix(rows.X), tails
    ).T
    finding = _width((upper - lower) / 2, level, len(learned.y), "training")
    found = rows.predict(rows.X)
    return {"prediction": found.mean, "lower": lower, "upper": upper, "spread": found.spread}, [finding]


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
    return _around(found, norm.ppf((1 + level) / 2) * found.spread), [finding]


def _around(found: TreeSpread, half: np.ndarray) -> dict[str, Any]:
    return {
        "prediction": found.mean,
        "lower": found.mean - half,
        "upper": found.mean + half,
        "spread": found.spread,
    }


def label_sets(rows: ConfidenceTask, level: float) -> tuple[dict[str, Any], list[Finding]]:
    """Least ambiguous sets: all labels at least as probable as the true label is for a share `level` of the rows."""
    predict = predictor(rows.model)
    if rows.calibration is None:
        left_out = rows.left_out()
        seen = left_out.count > 0
        y, known = left_out.y[seen].reshape(-1), left_out.prediction[seen]
    else:
        known = predict(rows.calibration[0])
        y = check_target(rows.calibration[1], len(known), "confidence", numeric=False).reshape(len(known))
    classes = np.asarray(rows.model.classes_)
    of_truth = np.where(y[:, None] == classes, known, 0).sum(axis=1)  # 0 for a label that the model does not know
    threshold = 1 - conformal_quantile(1 - of_truth, level)
    probabilities = predict(rows.X)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sizes = np.maximum((probabilities >= threshold - _ROUNDING).sum(axis=1), 1)
    sets = [tuple(classes[row[:size]].tolist()) for row, size in zip(order, sizes, strict=True)]
    columns = {
        "prediction": classes[order[:, 0]],
        "probability": probabilities.max(axis=1),
        "set": pd.Series(sets, dtype=object).array,
        "size": sizes,
    }
    return columns, [_set_sizes(sizes, threshold, level)]


METHODS = {"conformal": _conformal, "quantile": _quantile, "spread": _spread}


def several_outputs(model: Any, n_outputs: int) -> str:
    return f"confidence is for one output, but this {type(model).__name__} has {n_outputs}: fit a model for each."


def _width(half: np.ndarray, level: float, n_rows: int, source: str) -> Finding:
    typical, wide = np.quantile(half, [0.5, 0.9])
    return Finding(
        "interval width",
        3,
        (),
        f"Half of the {level:.0%} intervals extend {_number(typical)} or less to either side of their centre; "
        f"the widest tenth extend {_number(wide)} or more.",
        f"From {n_rows:,} {source} rows.",
        "Check their coverage(y) on rows held out of fit, by the subgroups that matter.",
    )


def _set_sizes(sizes: np.ndarray, threshold: float, level: float) -> Finding:
    return Finding(
        "set size",
        3,
        (),
        f"{np.mean(sizes == 1):.0%} of the rows have a {level:.0%} set of one label; the sets hold {sizes.mean():.3g} "
        "labels on average.",
        f"A label is in a set if its probability is at least {threshold:.3f}.",
        "Inspect rows with several labels; check coverage(y) of the sets on rows held out of fit.",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
