"""Scores of the leakage check: how well single columns, missing values and ids predict the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2, rankdata
from scipy.stats import f as f_distribution
from sklearn.base import is_classifier

from tabrec.interpret.audit.placeholders import read_dates_of
from tabrec.interpret.metrics import Metric
from tabrec.interpret.models import predictor
from tabrec.interpret.reliance._importance_methods import held_out_rows, out_of_bag_rows
from tabrec.preprocess.column_kinds import is_date
from tabrec.tables.columns import Column
from tabrec.tables.rows import take_rows
from tabrec.tables.target import check_target, has_numbers_to_predict
from tabrec.tables.text_numbers import read_text_numbers
from tabrec.trees.fitted_trees import is_forest, read_trees
from tabrec.trees.training_rows import find_drawn_rows

_N_FOLDS = 5
# Numbers are binned into bins of this many rows and into this many bins; the better result is used.
_ROWS_A_BIN, _FEW_BINS = 20, 20
_MOST_ROWS_FOR_IDS = 5_000
_MOST_SUMMED, _LEAST_SUMMED = 60, 20  # largest number of columns whose pairs are tested, and smallest number of rows
_TARGET = " target"  # differs from all column names


@dataclass(frozen=True)
class Target:
    """A target as centred columns, scaled so that the squares of a row sum to 1 on average."""

    values: np.ndarray  # (n_rows, n_columns): the target, or an indicator column per class; centred and scaled
    ranks: np.ndarray | None  # only for a regression
    is_class: bool


def read_target(model: Any, y: Any, n_rows: int) -> tuple[np.ndarray, bool]:
    """Return the target and whether it holds classes; raises a ValueError for several outputs and constants."""
    is_class = is_classifier(model) if model is not None else not has_numbers_to_predict(np.asarray(y).ravel())
    y = check_target(y, n_rows, "leakage_check", numeric=not is_class)
    if y.ndim == 2 and y.shape[1] > 1:
        raise ValueError(f"leakage_check is for one target, but y has {y.shape[1]} columns: pass them one by one.")
    y = y.ravel()
    if len(pd.unique(y)) < 2:
        raise ValueError(f"y is constant ({y.tolist()[0]!r}): leakage is undefined.")
    return y, is_class


def make_target(y: np.ndarray, is_class: bool) -> Target:
    values = pd.get_dummies(pd.Series(y)).to_numpy(np.float64) if is_class else y.astype(np.float64)[:, None]
    values = values - values.mean(axis=0)
    values /= np.sqrt(np.square(values).sum(axis=1).mean())
    return Target(values, None if is_class else rankdata(y), is_class)


def read_numbers(column: Column) -> np.ndarray | None:
    """Read numbers and dates as floats, NaN if missing; None for labels."""
    if is_date(column):
        dates = read_dates_of(column)
        return np.where(dates.isna(), np.nan, dates.as_unit("s").asi8.astype(np.float64))
    return None if column.is_label else column.values.astype(np.float64)


def score_alone(column: Column, target: Target, folds: np.ndarray) -> tuple[float, float, float]:
    """Return the variance that a column alone explains out of fold, its standard error, and Spearman's correlation.

    The correlation is that with the target of a regression, NaN for classes.
    """
    numbers = read_numbers(column)
    codes = [] if numbers is not None else [column.values.codes + 1]
    if numbers is None and (text := read_text_numbers(column)) is not None:
        numbers = text[0].values.astype(np.float64)
    if numbers is not None:
        codes += [_bin(numbers, n_bins) for n_bins in sorted({max(len(numbers) // _ROWS_A_BIN, 2), _FEW_BINS})]
    score, error = max(_explained(each, target, folds) for each in codes)
    return score, error, np.nan if numbers is None else _rank_correlation(numbers, target)


def _bin(numbers: np.ndarray, n_bins: int) -> np.ndarray:
    """Bin numbers by quantiles, or by distinct value if there are few; code 0 is missing."""
    present = numbers[~np.isnan(numbers)]
    edges = np.unique(present)
    if len(edges) > n_bins:
        edges = np.unique(np.quantile(present, np.arange(n_bins) / n_bins, method="lower"))
    return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right"))


def _explained(codes: np.ndarray, target: Target, folds: np.ndarray) -> tuple[float, float]:
    """Return the share of the variance that out-of-fold means by code explain, and its standard error.

    The means of codes are shrunk towards 0, the mean of all, by the ratio of the variance within to that between codes
    (empirical Bayes), so that codes of few rows explain nothing by chance.
    """
    codes = np.unique(codes, return_inverse=True)[1]
    n_codes = codes.max() + 1
    cells = codes * _N_FOLDS + folds
    counts = np.bincount(cells, minlength=n_codes * _N_FOLDS).reshape(n_codes, _N_FOLDS)
    sums = np.stack(
        [np.bincount(cells, v, minlength=n_codes * _N_FOLDS).reshape(n_codes, _N_FOLDS) for v in target.values.T],
        axis=2,
    )
    n, total = counts.sum(axis=1), sums.sum(axis=1)
    squares_within = len(codes) - (np.square(total).sum(axis=1) / n).sum()
    within = squares_within / max(len(codes) - n_codes, 1) if n_codes < len(codes) else 1.0
    shrinkage = within / max(1 - within, 1e-9)
    others, count = total[:, None, :] - sums, (n[:, None] - counts)[:, :, None]
    predicted = (others / np.maximum(count + shrinkage, 1e-12))[codes, folds]
    left, whole = np.square(target.values - predicted).sum(axis=1), np.square(target.values).sum(axis=1)
    # The standard error of 1 minus a ratio of means, by the delta method.
    error = (left - left.mean() * whole).std() / np.sqrt(len(left))
    return float(1 - left.mean()), float(error)


class TwoColumns(NamedTuple):
    """Two columns whose weighted sum equals the target of a regression."""

    names: tuple[str, str]
    weights: np.ndarray  # (2,)
    explained: float  # share of the variance that the sum explains


def find_sums(columns: dict[str, Column], y: np.ndarray, least: float) -> list[TwoColumns]:
    """Find pairs of columns whose weighted sum explains at least `least` of the variance, the best first."""
    numbers = {name: column.values.astype(np.float64) for name, column in columns.items() if column.is_number}
    values = pd.DataFrame({name: each for name, each in numbers.items() if np.nanstd(each) > 0})
    values = values[values.columns[:_MOST_SUMMED]]
    correlation = values.assign(**{_TARGET: y}).fillna(values.mean()).corr().to_numpy()
    of_target, between = correlation[:-1, -1], correlation[:-1, :-1]
    first, second = np.triu_indices(len(of_target), k=1)
    a, b, r = of_target[first], of_target[second], between[first, second]
    rough = (a**2 + b**2 - 2 * a * b * r) / np.maximum(1 - r**2, 1e-9)
    # The first filter is lenient, because missing values weaken correlations.
    pairs = zip(values.columns[first[rough > 0.5]], values.columns[second[rough > 0.5]], strict=True)
    found = [_fit_sum(pair, values, y) for pair in pairs]
    return sorted((each for each in found if each.explained >= least), key=lambda each: -each.explained)


def _fit_sum(names: tuple[str, str], values: pd.DataFrame, y: np.ndarray) -> TwoColumns:
    X = values[list(names)].to_numpy()
    present = ~np.isnan(X).any(axis=1)
    X, y = X[present] - X[present].mean(axis=0), y[present] - y[present].mean()
    weights = np.linalg.lstsq(X, y, rcond=None)[0]
    total = float(y @ y)
    enough = len(y) >= _LEAST_SUMMED and total > 0
    return TwoColumns(names, weights, 1 - float(np.square(y - X @ weights).sum()) / total if enough else 0.0)


def _rank_correlation(numbers: np.ndarray, target: Target) -> float:
    present = ~np.isnan(numbers)
    if target.ranks is None or len(np.unique(numbers[present])) < 3:
        return np.nan
    a, b = rankdata(numbers[present]), rankdata(target.ranks[present])
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(b) > 0 else np.nan


def missing_effect(missing: np.ndarray, target: Target) -> tuple[float, float]:
    """Return the share of the variance that missing values explain, and its p-value.

    They are η² with an F test or, for classes, Goodman and Kruskal's tau with a χ² test; NaN if no or all values are
    missing.
    """
    n, n_missing = len(missing), int(missing.sum())
    if n_missing in (0, n):
        return np.nan, np.nan
    means = target.values[missing].mean(axis=0)
    effect = float(min(np.square(means).sum() * n_missing / (n - n_missing), 1.0))
    if target.is_class:
        n_classes = target.values.shape[1]
        return effect, float(chi2.sf((n - 1) * (n_classes - 1) * effect, n_classes - 1))
    return effect, float(f_distribution.sf(effect / max(1 - effect, 1e-12) * (n - 2), 1, n - 2))


def model_score(model: Any, X: Any, y: np.ndarray, rows: np.ndarray) -> tuple[float, bool]:
    """Return the share of the variance that the model explains, and whether it was measured out of bag.

    It is measured out of bag if a forest has kept the predictions of these rows, otherwise on the given rows.
    """
    kept = _kept_out_of_bag(model, y)
    predicted = predictor(model)(take_rows(X, rows)) if kept is None else kept[rows]
    seen = ~np.isnan(predicted).any(axis=1)
    if not seen.any():
        return np.nan, True
    truth, predicted = _truth(model, y[rows])[seen], predicted[seen]
    return float(1 - np.square(truth - predicted).sum(axis=1).mean() / _spread(truth)), kept is not None


def _kept_out_of_bag(model: Any, y: np.ndarray) -> np.ndarray | None:
    """Return the out-of-bag predictions that a forest, or its pipeline, kept for this target; None if none."""
    if not is_forest(model):
        return None
    trees = read_trees(model, "leakage_check")
    if not trees.keeps_out_of_bag or len(y) != trees.n_training_rows or not trees.has_target(y):
        return None
    return trees.kept_oob_prediction


def id_importance(model: Any, X: Any, y: np.ndarray, names: list[str], seed: Any) -> dict[str, tuple[float, float]]:
    """Return the loss in explained variance when an id is permuted, and its standard error.

    It is measured out of bag for the training rows of a forest, otherwise on the given rows.
    """
    if not names:
        return {}
    rng = np.random.default_rng(seed)
    trees = read_trees(model, "leakage_check") if is_forest(model) else None
    blocks = [[name] for name in names]
    if trees is not None and find_drawn_rows(trees, X, y) is not None:
        scored = out_of_bag_rows(trees, X, y, _MOST_ROWS_FOR_IDS, rng)
        blocks = [[part for part in trees.names if trees.sources[part] == name] for name in names]
    else:
        scored = held_out_rows(model, X, y, _MOST_ROWS_FOR_IDS, rng)

    def gains(y: np.ndarray, predicted: np.ndarray, classes: Any, weights: Any = None) -> np.ndarray:
        truth = _truth(model, y)
        return 1 - np.square(truth - predicted).sum(axis=1) / _spread(truth)

    metric = Metric("explained share", gains, lambda each, weights: float(np.mean(each)), True)
    losses = scored.losses(metric, blocks, None, rng)
    return {name: (float(loss), float(error)) for name, (loss, error) in zip(names, losses, strict=True)}


def _truth(model: Any, y: np.ndarray) -> np.ndarray:
    """Return the target in the form of predictions: numbers, or an indicator column per class."""
    if is_classifier(model):
        return (np.asarray(model.classes_)[None, :] == y[:, None]).astype(np.float64)
    return y.astype(np.float64)[:, None]


def _spread(truth: np.ndarray) -> float:
    return float(np.square(truth - truth.mean(axis=0)).sum(axis=1).mean())
