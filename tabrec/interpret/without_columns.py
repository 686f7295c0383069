"""`Trials`: score a model with and without some columns on the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.base import is_classifier
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.interpret._weights import as_fit_parameter, weight_of_rows
from tabrec.interpret.metrics import Metric, add_even_tree, read_metric
from tabrec.interpret.models import classes_of, make_model, predictor
from tabrec.preprocess.time_split import TimeSplit, get_column, read_times
from tabrec.tables.columns import is_table, read_frame, to_columns
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.rows import take_rows
from tabrec.tables.target import check_target
from tabrec.tables.weights import Weighting, read_weights
from tabrec.trees.fitted_trees import is_forest, read_trees, split_pipeline
from tabrec.trees.training_rows import predict_training_rows, read_drawn_rows

CLEAR = 2  # number of standard errors of a significant change
# Differences below this share of the score are rounding errors.
_ROUNDING = 1e-9
_N_FOLDS = 5
_MOST_NAMES = 3


@dataclass(frozen=True)
class Predictions:
    """Predictions by models that were not fitted on the predicted rows."""

    predicted: np.ndarray  # (n_rows, n_outputs), or (n_rows, n_classes) for a classifier
    seen: np.ndarray  # bool, (n_rows,): the rows that have a prediction
    classes: Any  # None for a regressor
    n_trees: np.ndarray | None = None  # number of trees that predict each row, for forest classifiers


@dataclass(frozen=True)
class Trials:
    """A model to be fitted and scored on the same rows, with all columns and without some.

    With neither `valid` nor `folds`, out-of-bag rows are scored.
    """

    model_factory: Any
    X: Any  # the rows to fit on
    y: np.ndarray
    valid: Any  # (X, y) of the rows to score, if given
    folds: Any  # pairs of positions of training and test rows
    rows: str  # name of the scored rows
    metric: Metric
    seed: int  # seed of models whose random_state is None, so that all fits use the same
    function: str  # name of the calling function, for messages
    weights: np.ndarray | None = None  # weights of the rows to fit on
    weights_valid: np.ndarray | None = None  # weights of the rows of `valid`
    n_repeats: int = 1  # number of fits with different seeds whose predictions are averaged

    @cached_property
    def full(self) -> Predictions:
        """The predictions with all columns."""
        return self.predict()

    @property
    def baseline(self) -> float:
        """The score with all columns."""
        rows, weights = self._scored(self.full.seen)
        return self.metric.score(self._gains(self.full, rows, weights), weights)

    def fit(self, dropped: Iterable[str] = ()) -> Any:
        """Return a model fitted on all rows of X without some columns."""
        return self._fit(without(self.X, dropped), self.y, self.weights)

    def predict(self, dropped: Iterable[str] = (), model: Any = None) -> Predictions:
        """Predict the scored rows without some columns; `model`, if given, is the result of `fit(dropped)`."""
        if self.n_repeats > 1 and model is None:
            return _mean([trial.predict(dropped) for trial in self._repeats()])
        if self.folds is not None:
            X = without(self.X, dropped)
            return self.predict_by_folds(self.fit_by_folds(X), X)
        model = self.fit(dropped) if model is None else model
        if self.valid is None:
            return out_of_bag_predictions(model, without(self.X, dropped), self.y, self.function)
        predicted = predictor(model)(without(self.valid[0], dropped))
        n_trees = _count_trees(model, len(predicted))
        return Predictions(predicted, np.ones(len(predicted), bool), classes_of(model), n_trees)

    def without(self, dropped: Iterable[str], n_compared: int = 1) -> dict[str, Any]:
        """Compare the model without some columns with that of all columns; see `compare` for `n_compared`."""
        return self.compare(self.full, self.predict(dropped), n_compared)

    def compare(self, before: Predictions, after: Predictions, n_compared: int = 1) -> dict[str, Any]:
        """Compare two models on the rows that both predict.

        Returns the scores ``before`` and ``after``; ``change``, after minus before; its ``std_error``, from pairs of
        predictions; ``verdict``, with Bonferroni correction for `n_compared` comparisons; and ``n_rows``.
        """
        both = before.seen & after.seen
        rows, weights = self._scored(both)
        gains = [self._gains(found, rows, weights) for found in (before, after)]
        scores = [self.metric.score(each, weights) for each in gains]
        std_error = self.metric.paired_error(gains[0], gains[1], weights)
        gain = self.metric.gain(*scores)
        needed = float(norm.isf(norm.sf(CLEAR) / n_compared))
        least = needed * std_error + _ROUNDING * abs(scores[0])  # NaN for one row gives no clear change
        verdict = "better" if gain > least else "worse" if gain < -least else "no clear change"
        change = {"before": scores[0], "after": scores[1], "change": scores[1] - scores[0], "std_error": std_error}
        return change | {"verdict": verdict, "n_rows": len(rows)}

    def finding(self, dropped: Iterable[str], change: Any) -> Finding:
        """Describe the result of a comparison."""
        names = tuple(dropped)
        called = ", ".join(names) if len(names) <= _MOST_NAMES else f"{len(names)} columns"
        evidence = describe_change(change, self.metric, self.rows)
        it = "it" if len(names) == 1 else "them"
        if change["verdict"] == "worse":
            text = f"The model predicts clearly worse without {called}."
            return Finding("keep", 3, names, text, evidence, f"Keep {it if it == 'it' else 'some of them'}.")
        if change["verdict"] == "better":
            text = f"The model predicts clearly better without {called}."
            return Finding("better without", 2, names, text, evidence, f"Leave {it} out.")
        text = f"No clear change was found without {called}."
        action = f"{'It' if it == 'it' else 'They'} can be left out: a smaller model is easier to explain and maintain."
        return Finding("can go", 3, names, text, evidence, action)

    def _scored(self, seen: np.ndarray) -> Weighting:
        """Return those of the given rows that are scored, repeated by integer weights, and their weights."""
        rows, weights = read_weights(self.weights if self.valid is None else self.weights_valid, len(seen))
        used = seen[rows]
        if not used.any():
            raise ValueError(f"{self.function}: no row is out of bag in both models. Use more trees, or pass cv=.")
        return Weighting(rows[used], None if weights is None else weights[used])

    def _gains(self, found: Predictions, rows: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        y = self.y if self.valid is None else self.valid[1]
        predicted = found.predicted[rows]
        if found.n_trees is not None:
            predicted = add_even_tree(predicted, found.n_trees[rows])
        return self.metric.gains(y[rows], predicted, found.classes, weights)

    def _repeats(self) -> Iterator[Trials]:
        """Yield a copy of these trials for each seed."""
        for repeat in range(self.n_repeats):
            model = _seed(make_model(self.model_factory), self.seed, repeat)
            yield replace(self, model_factory=model, n_repeats=1)

    def _fit(self, X: Any, y: np.ndarray, weights: np.ndarray | None) -> Any:
        model = _seed(make_model(self.model_factory), self.seed)
        return model.fit(X, y) if weights is None else model.fit(X, y, **as_fit_parameter(model, weights))

    def predict_by_folds(self, models: Any, X: Any, n_copies: int = 1) -> Predictions:
        """Predict the rows of each fold by its model; X may hold several copies of the rows."""
        classes = np.unique(self.y) if is_classifier(make_model(self.model_factory)) else None
        predicted: Any = None
        n_trees: Any = None
        n_rows, seen = len(self.y), np.zeros(n_copies * len(self.y), dtype=bool)
        for model, (_, test) in zip(models, self.folds, strict=True):
            test = (test + n_rows * np.arange(n_copies)[:, None]).ravel()
            values = predictor(model)(take_rows(X, test))
            if predicted is None:
                predicted = np.zeros((len(seen), values.shape[1] if classes is None else len(classes)))
            # A fold may lack classes.
            columns = slice(None) if classes is None else np.searchsorted(classes, model.classes_)
            predicted[test[:, None], np.arange(predicted.shape[1])[columns]] = values
            seen[test] = True
            counted = _count_trees(model, len(test))
            if counted is not None:
                n_trees = np.zeros(len(seen)) if n_trees is None else n_trees
                n_trees[test] = counted
        return Predictions(predicted, seen, classes, n_trees)

    def fit_by_folds(self, X: Any) -> Iterator[Any]:
        """Yield a model fitted on the training rows of each fold."""
        weights = self.weights
        return (
            self._fit(take_rows(X, train), self.y[train], None if weights is None else weights[train])
            for train, _ in self.folds
        )


def read_trials(
    model_factory: Any,
    X: Any,
    y: Any,
    *,
    function: str,
    cv: Any = None,
    time: Any = None,
    metric: str | None = None,
    default_metric: str = "r2",
    random_state: Any = 0,
    sample_weight: Any = None,
    n_repeats: int = 1,
) -> Trials:
    """Check the arguments before any fit.

    `cv` is None, int, splitter, iterable of (train, test), or tuple (X_valid, y_valid), with the weights of these rows
    as a third item: None is out-of-bag rows for a forest that draws rows and 5 folds for other models. `time` holds the
    times for a `TimeSplit` without a column.
    """
    frame, model = read_frame(X), make_model(model_factory)
    y = read_target(model, X, y, function)
    measure = read_metric(model, metric, default=default_metric)
    seed = int(np.random.default_rng(random_state).integers(2**31))
    weights, weights_valid = weight_of_rows(X, sample_weight), None
    if weights is not None:
        as_fit_parameter(model, weights)  # raises an error before any fit if a model takes no weights
    valid = folds = None
    if _is_rows(cv):
        rows, X_valid = "validation", _like(cv[0], X)
        valid = X_valid, read_target(model, X_valid, cv[1], function)
        weights_valid = weight_of_rows(X_valid, *cv[2:]) if len(cv) == 3 else None
    elif cv is None and draws_rows(model):
        rows = "out of bag"
    else:
        rows = "later rows" if isinstance(cv, TimeSplit) else "cross-validation"
        splitter = _splitter(cv, y, is_classifier(model), seed)
        folds = [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(frame, y, time)]
        if weights is not None:
            folds = [(train[weights[train] > 0], test[weights[test] > 0]) for train, test in folds]
    model_seed = random_state if isinstance(random_state, (int, np.integer)) else seed
    found = (model_factory, X, y, valid, folds, rows, measure, int(model_seed), function)
    return Trials(*found, weights, weights_valid, n_repeats)


def read_moments(time: Any, X: Any) -> pd.Index:
    """Read the time of each row, from the name of a column or from the times themselves."""
    frame = read_frame(X)
    if isinstance(time, str):
        return read_times(get_column(frame, time))
    series = time.to_pandas() if hasattr(time, "to_pandas") else pd.Series(time)
    if len(series) != len(frame):
        raise ValueError(f"time has {len(series)} moments, but X has {len(frame)} rows: give one for each row.")
    return read_times(to_columns(series.to_frame("time"))["time"])


def describe_change(change: Any, metric: Metric, rows: str) -> str:
    """Describe the numbers of a comparison in a sentence."""
    return (
        f"{rows} ({change['n_rows']:,} rows): {metric.name} {show_number(change['before'])} → "
        f"{show_number(change['after'])}, a change of {change['change']:+.2g} ± {change['std_error']:.1g} (standard "
        "error)."
    )


def draws_rows(model: Any) -> bool:
    """Return whether a model is a forest whose trees draw rows."""
    return is_forest(model) and getattr(split_pipeline(model)[1], "bootstrap", False)


def read_target(model: Any, X: Any, y: Any, function: str) -> np.ndarray:
    """Read the target in the form of metrics; raises a ValueError for several outputs of classes."""
    check_row_labels(X, y=y)
    target = check_target(y, len(read_frame(X)), function, numeric=not is_classifier(model))
    if target.ndim == 2 and target.shape[1] == 1:
        target = target.ravel()
    if is_classifier(model) and target.ndim == 2:
        raise ValueError(
            f"{function} is for one target of classes, but y has {target.shape[1]}: fit one model for each."
        )
    return target


def out_of_bag_predictions(model: Any, X: Any, y: Any, function: str) -> Predictions:
    """Return out-of-bag predictions of the training rows of a forest, in the order of the table."""
    trees = read_trees(model, function)
    training = read_drawn_rows(trees, X, y, function)
    found = predict_training_rows(trees, training)
    predicted = np.zeros((trees.n_training_rows, found.prediction.shape[1]))
    count = np.zeros(len(predicted))
    predicted[training.rows], count[training.rows] = found.prediction, found.count
    return Predictions(predicted, count > 0, trees.classes, count if trees.is_classifier else None)


def without(X: Any, columns: Iterable[str]) -> Any:
    """Return a table or an array without the given columns."""
    dropped = set(columns)
    if not dropped:
        return X
    frame = read_frame(X)
    kept = [position for position, name in enumerate(frame.columns) if name not in dropped]
    return frame.iloc[:, kept] if is_table(X) else np.asarray(X)[:, kept]


def _is_rows(cv: Any) -> bool:
    """Return whether cv is (X_valid, y_valid) or (X_valid, y_valid, sample_weight) rather than splits."""
    if isinstance(cv, tuple) and len(cv) not in (2, 3) and any(map(is_table, cv)):
        raise ValueError(
            "cv: validation rows are a tuple (X_valid, y_valid) or (X_valid, y_valid, sample_weight); got a tuple of "
            f"length {len(cv)}."
        )
    return isinstance(cv, tuple) and len(cv) in (2, 3) and (is_table(cv[0]) or getattr(cv[0], "ndim", 0) == 2)


def _like(X_valid: Any, X: Any) -> Any:
    """Return validation rows with the columns of X in the same order; raises a ValueError if one is missing."""
    if not (is_table(X_valid) and is_table(X)):
        return X_valid
    frame, columns = read_frame(X_valid), read_frame(X).columns.tolist()
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ValueError(f"cv: X_valid lacks column(s) {absent} of X; it has {frame.columns.tolist()[:20]}.")
    return frame[columns]


def _splitter(cv: Any, y: np.ndarray, of_classes: bool, seed: int) -> Any:
    if cv is not None and not isinstance(cv, (int, np.integer)):
        return check_cv(cv, y, classifier=of_classes)
    n_folds = _N_FOLDS if cv is None else int(cv)
    if not 2 <= n_folds <= len(y):
        raise ValueError(f"cv={cv!r}: the number of folds must be at least 2 and at most the number of rows, {len(y)}.")
    fills_folds = of_classes and np.unique(y, return_counts=True)[1].min() >= n_folds
    return (StratifiedKFold if fills_folds else KFold)(n_folds, shuffle=True, random_state=seed)


def _seed(model: Any, seed: int, repeat: int = 0) -> Any:
    """Set the random states that are None, so that all fits of a repeat use the same seed."""
    parameters = model.get_params() if hasattr(model, "get_params") else {}
    states = {name: value for name, value in parameters.items() if name.split("__")[-1] == "random_state"}
    seeds = {name: seed + repeat for name, value in states.items() if value is None}
    if repeat:
        seeds |= {name: value + repeat for name, value in states.items() if isinstance(value, (int, np.integer))}
    return model.set_params(**seeds) if seeds else model


def _mean(found: list[Predictions]) -> Predictions:
    """Average the predictions of each row over the fits that predict it."""
    n_seen = sum(each.seen.astype(np.float64) for each in found)
    total = sum(np.where(each.seen[:, None], each.predicted, 0.0) for each in found)
    seen = np.asarray(n_seen > 0)
    counts = [each.n_trees for each in found if each.n_trees is not None]
    n_trees = np.sum(counts, axis=0) if counts else None
    return Predictions(total / np.maximum(n_seen, 1)[:, None], seen, found[0].classes, n_trees)


def _count_trees(model: Any, n_rows: int) -> np.ndarray | None:
    """Return the number of trees that predict each row of a forest classifier; None for other models."""
    if not (is_classifier(model) and is_forest(model)):
        return None
    return np.full(n_rows, len(read_trees(model, "log_loss").trees))
