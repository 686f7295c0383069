"""Test whether single columns, and correlations of pairs, differ between two tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, mannwhitneyu, norm, rankdata

from tabrec.interpret.change._shift_columns import ColumnPair

# Labels with fewer expected rows in either table are pooled for the chi-squared test (Cochran's rule).
_EXPECTED_ROWS = 5
_MOSTLY_RARE = 0.5  # share of rows with rare labels
# Correlations are clipped, because Fisher's transform is unbounded.
_LARGEST_CORRELATION = 0.999
_MOST_CORRELATED = 60  # limits the number of pairs of columns of numbers that are compared


@dataclass(frozen=True)
class ColumnTest:
    """The test of one column.

    `distance` is the largest difference of the cumulative shares of numbers and dates (the Kolmogorov-Smirnov
    statistic), half the sum of the differences of the shares of labels, rare ones pooled (total variation), or the
    difference of the shares of missing values if that is larger. If most rows have a rare label, as in columns of ids,
    labels are also compared by their order, like numbers.
    """

    p_value: float  # the smallest p-value of the tests of values and missing values, times their number
    distance: float


@dataclass(frozen=True)
class CorrelationTest:
    """The test of the pair of columns whose rank correlation differs most significantly."""

    columns: tuple[str, str]
    train: float
    new: float
    p_value: float  # p-value times the number of pairs


def compare_column(pair: ColumnPair) -> ColumnTest:
    """Compare the values and the missing values of a column."""
    train, new = (values[~np.isnan(values)] for values in (pair.train, pair.new))
    p_values, distances = [], [0.0]
    if len(train) < len(pair.train) or len(new) < len(pair.new):
        p_value, distance = _compare_missing(len(train), len(pair.train), len(new), len(pair.new))
        p_values, distances = [p_value], [distance]
    if len(train) and len(new):
        found, distance = _compare_labels(train, new) if pair.family == "labels" else _compare_numbers(train, new)
        p_values, distances = [*p_values, *found], [*distances, distance]
    return ColumnTest(min(min(p_values) * len(p_values), 1.0), max(distances))


def adjust_p_values(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for their number, controlling the false discovery rate (Benjamini & Hochberg 1995)."""
    n = len(p_values)
    order = np.argsort(p_values)
    scaled = p_values[order] * n / np.arange(1, n + 1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def compare_correlations(pairs: list[ColumnPair]) -> CorrelationTest | None:
    """Compare the rank correlations of all pairs of numbers; None with fewer than two columns of numbers.

    A difference of Fisher's transforms has a variance of (1 + ρ² / 2) / (n - 3) from each table (Bonett & Wright 2000).
    """
    numbers = [pair for pair in pairs if pair.family == "numbers" and _varies(pair)][:_MOST_CORRELATED]
    if len(numbers) < 2:
        return None
    sides = [_rank_correlations([getattr(pair, side) for pair in numbers]) for side in ("train", "new")]
    transforms, variances = [], []
    for correlation, n in sides:
        limited = np.clip(correlation, -_LARGEST_CORRELATION, _LARGEST_CORRELATION)
        transforms.append(np.arctanh(limited))
        variances.append((1 + limited**2 / 2) / np.maximum(n - 3, 1))
    z = (transforms[1] - transforms[0]) / np.sqrt(variances[0] + variances[1])
    first, second = np.triu_indices(len(numbers), k=1)
    worst = int(np.abs(z[first, second]).argmax())
    i, j = int(first[worst]), int(second[worst])
    p_value = min(2 * float(norm.sf(abs(z[i, j]))) * len(first), 1.0)
    before, now = float(sides[0][0][i, j]), float(sides[1][0][i, j])
    return CorrelationTest((numbers[i].name, numbers[j].name), before, now, p_value)


def detectable_shift(n_train: int, n_new: int, n_tests: int, level: float) -> float:
    """Return the shift of a mean, in standard deviations, that the tests detect with a power of about 90 %.

    It is computed for the Mann-Whitney test of one of `n_tests` columns of normal numbers.
    """
    needed = norm.isf(level / (4 * n_tests)) + norm.ppf(0.9)
    return float(np.sqrt(np.pi / 3) * needed * np.sqrt(1 / n_train + 1 / n_new))


def _compare_numbers(train: np.ndarray, new: np.ndarray) -> tuple[list[float], float]:
    """Compare numbers by the Kolmogorov-Smirnov test, for any difference, and the Mann-Whitney test, for location."""
    any_difference = ks_2samp(train, new, method="auto" if len(train) * len(new) < 10_000 else "asymp")
    location = mannwhitneyu(train, new)
    return [float(any_difference.pvalue), float(location.pvalue)], float(any_difference.statistic)


def _compare_labels(train: np.ndarray, new: np.ndarray) -> tuple[list[float], float]:
    labels, codes = np.unique(np.concatenate([train, new]), return_inverse=True)
    counts = np.stack([np.bincount(side, minlength=len(labels)) for side in np.split(codes, [len(train)])])
    expected = counts.sum(axis=0) * min(len(train), len(new)) / (len(train) + len(new))
    rare = expected < _EXPECTED_ROWS
    pooled = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)]) if rare.any() else counts
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    distance = float(np.abs(np.diff(pooled / pooled.sum(axis=1, keepdims=True), axis=0)).sum() / 2)
    p_values = [_test_shares(pooled)] if pooled.shape[1] > 1 else []
    if counts[:, rare].sum() > _MOSTLY_RARE * counts.sum():
        by_order, moved = _compare_numbers(train, new)
        return [*p_values, *by_order], max(distance, moved)
    return p_values or [1.0], distance


def _compare_missing(n_train: int, all_train: int, n_new: int, all_new: int) -> tuple[float, float]:
    """Compare the shares of missing values, given the numbers of present and of all values."""
    counts = np.array([[n_train, all_train - n_train], [n_new, all_new - n_new]])
    distance = abs(n_train / all_train - n_new / all_new)
    return (1.0, 0.0) if not distance else (_test_shares(counts), distance)


def _test_shares(counts: np.ndarray) -> float:
    if counts.shape == (2, 2):
        return float(fisher_exact(counts).pvalue)
    return float(chi2_contingency(counts, correction=False).pvalue)


def _varies(pair: ColumnPair) -> bool:
    return all(len(np.unique(values[~np.isnan(values)])) > 2 for values in (pair.train, pair.new))


def _rank_correlations(columns: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rank correlation of each pair over rows without missing values, and the numbers of these rows."""
    present = np.stack([~np.isnan(column) for column in columns]).astype(np.float64)
    ranks = np.stack([_scaled_ranks(column) for column in columns])
    n = present @ present.T
    means = (ranks @ present.T) / np.maximum(n, 1)
    squares = (ranks**2) @ present.T / np.maximum(n, 1) - means**2
    products = (ranks @ ranks.T) / np.maximum(n, 1) - means * means.T
    spread = np.sqrt(np.maximum(squares, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = products / (spread * spread.T)
    return np.nan_to_num(correlation), n


def _scaled_ranks(column: np.ndarray) -> np.ndarray:
    """Return the ranks scaled to [-0.5, 0.5], and 0 for missing values."""
    ranks = rankdata(column, nan_policy="omit")
    n = np.count_nonzero(~np.isnan(column))
    return np.where(np.isnan(column), 0.0, (ranks - 0.5) / max(n, 1) - 0.5)
