"""Folds of rows: random ones for a number, or those of a splitter."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

Folds = list[tuple[np.ndarray, np.ndarray]]


def random_folds(codes: np.ndarray | None, n_rows: int, n_splits: int, random_state: Any) -> Folds:
    """Return random folds, with the same class frequencies if there are codes of classes."""
    # Classes cannot be divided among more folds than the largest one has rows.
    is_stratified = codes is not None and np.bincount(codes).max() >= n_splits
    splitter = (StratifiedKFold if is_stratified else KFold)(n_splits, shuffle=True, random_state=random_state)
    with warnings.catch_warnings(action="ignore"):  # scikit-learn warns of rare classes, which some folds lack
        return list(splitter.split(np.zeros(n_rows), codes if is_stratified else None))


def make_folds(
    cv: Any, frame: Any, y: np.ndarray, groups: Any, *, codes: np.ndarray | None, n_repeats: int = 1, seed: int = 0
) -> Folds:
    """Return the training and test rows of each fold: random and repeated for a number, else those of the splitter.

    If `cv` is larger than the number of rows, the folds are those of leave-one-out.
    """
    if is_random(cv):
        n_splits = min(5 if cv is None else int(cv), len(y))
        if n_splits < 2:
            raise ValueError(f"Folds need at least 2 rows, but n_samples={len(y)}.")
        return [fold for repeat in range(n_repeats) for fold in random_folds(codes, len(y), n_splits, seed + repeat)]
    if n_repeats != 1:
        raise ValueError(f"n_repeats={n_repeats} requires a number of random folds; cv={cv!r} makes its own.")
    splitter = check_cv(cv, y, classifier=codes is not None)
    return [(_positions(train, len(y)), _positions(test, len(y))) for train, test in splitter.split(frame, y, groups)]


def is_random(cv: Any) -> bool:
    """Return whether folds are drawn at random: a number of them, or None for 5."""
    return cv is None or isinstance(cv, (int, np.integer))


def keep_weighted(folds: Sequence[tuple[np.ndarray, np.ndarray]], has_weight: np.ndarray) -> Folds:
    """Remove rows of weight 0 from folds, and folds without training or test rows."""
    kept = [(train[has_weight[train]], test[has_weight[test]]) for train, test in folds]
    return [(train, test) for train, test in kept if len(train) and len(test)]


def _positions(rows: Any, n_rows: int) -> np.ndarray:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else np.arange(n_rows)[rows]
