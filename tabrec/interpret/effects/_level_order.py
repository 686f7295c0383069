"""An order of labels that have none: those next to each other whose rows are alike in the other columns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tabrec.tables.columns import Column, to_columns

_N_QUANTILES = 100


def order_levels(codes: np.ndarray, n_levels: int, others: pd.DataFrame) -> np.ndarray:
    """Levels by their place on the line that keeps their distances best (classical scaling in one dimension).

    The distance of two levels is the sum, over the other columns, of that of their rows' distributions: Kolmogorov and
    Smirnov's for numbers, half the sum of the differences of shares for labels.

    Parameters
    ----------
    codes : ndarray of int, of shape (n_rows,)
        The level of each row; -1 for none.
    n_levels : int
    others : pandas.DataFrame of n_rows rows

    Returns
    -------
    ndarray of int, of shape (n_levels,)

    References
    ----------
    Apley & Zhu, "Visualizing the effects of predictor variables in black box supervised learning models", Journal of
    the Royal Statistical Society B 82(4), 2020, appendix E.
    """
    if n_levels < 3:
        return np.arange(n_levels)
    used = codes >= 0
    distance = np.zeros((n_levels, n_levels))
    for column in to_columns(others).values():
        distance += _distance(codes[used], n_levels, column, used)
    return np.argsort(_scale(distance), kind="stable")


def _distance(codes: np.ndarray, n_levels: int, column: Column, used: np.ndarray) -> np.ndarray:
    """Between the distributions of one column in the rows of each level."""
    if column.is_label or column.is_boolean:
        values = np.asarray(column.as_labels().codes)[used]
        shares = _shares(codes, n_levels, values)
        return np.stack([np.abs(shares - level).sum(axis=1) / 2 for level in shares])
    numbers = np.asarray(column.values.asi8 if column.is_date else column.values, dtype=np.float64)[used]
    present = ~column.missing[used]
    if not present.any():
        return np.zeros((n_levels, n_levels))
    quantiles = np.unique(np.quantile(numbers[present], np.linspace(0, 1, _N_QUANTILES + 1)))
    bins = np.searchsorted(quantiles, numbers[present])
    cumulated = _shares(codes[present], n_levels, bins).cumsum(axis=1)
    return np.abs(cumulated[:, None] - cumulated[None]).max(axis=2)


def _shares(codes: np.ndarray, n_levels: int, values: np.ndarray) -> np.ndarray:
    """For each level the share of its rows that hold each value: shape (n_levels, n_values)."""
    _, places = np.unique(values, return_inverse=True)
    n_values = places.max() + 1
    counts = np.bincount(codes * n_values + places, minlength=n_levels * n_values).reshape(n_levels, n_values)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _scale(distance: np.ndarray) -> np.ndarray:
    squares = distance**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    _, vectors = np.linalg.eigh(-centred / 2)
    first = vectors[:, -1]
    return first * np.sign(first[np.argmax(np.abs(first))])
