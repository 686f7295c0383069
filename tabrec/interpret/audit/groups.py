"""Find groups of rows, such as those of one person or machine, on both sides of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.audit.copies import compare_scores
from tabrec.preprocess import column_kinds
from tabrec.tables.columns import read_frame

# The values of a column are groups if they are many and have few rows each, but enough of them repeat.
_LEAST_GROUPS, _LARGEST_MEAN, _LEAST_REPEATED = 20, 20, 0.2
_LEAST_SHARED = 0.05  # share of the held-out rows
_LEAST_PAIRS, _MOST_CLASSES = 20, 30
_LEAST_LIKENESS, _N_ERRORS = 0.1, 4
_CLEARLY = 3  # number of standard errors of a correlation, or of the likeness of neighbouring groups
_MOST_NAMES = 3


@dataclass(frozen=True)
class SharedGroups:
    """A column whose values are groups of similar rows, some of them on both sides of the split.

    `likeness` is the relative reduction of the mean squared difference of targets within a group, compared with that of
    any two rows: 0 if the group has no effect, 1 if it determines the target.
    """

    column: str
    likeness: float
    is_seen: np.ndarray  # bool, (n_valid,): held-out rows whose group has training rows
    n_groups: int


def find_shared_groups(X: pd.DataFrame, y: np.ndarray, X_valid: Any, is_class: bool) -> list[SharedGroups]:
    """Find the columns whose groups are on both sides of a split, in descending order of likeness."""
    if X_valid is None:
        return []
    held_out, kinds = read_frame(X_valid), column_kinds(X)["kind"]
    names = [name for name in X.columns if name in held_out and kinds[name] not in ("date", "constant")]
    found = [_share_groups(name, X[name], held_out[name], y, is_class) for name in names]
    return sorted((each for each in found if each is not None), key=lambda each: -each.likeness)


def describe_shared_groups(found: list[SharedGroups], model: Any, X_valid: Any, y_valid: Any) -> list[Finding]:
    """Describe the first column, which has the greatest likeness, in a finding that also names the other columns."""
    if not found:
        return []
    first, names = found[0], tuple(each.column for each in found)
    also = f" The same holds for {', '.join(names[1 : 1 + _MOST_NAMES])}" if len(names) > 1 else ""
    also += ", …" if len(names) > 1 + _MOST_NAMES else "." if also else ""
    text = (
        f"Rows of one {first.column} have similar targets, and {first.is_seen.mean():.0%} of the held-out rows share "
        f"theirs with training rows.{also}"
    )
    evidence = (
        f"{first.n_groups:,} groups; squared differences of the target are {first.likeness:.0%} smaller within a group "
        "than between any rows."
    )
    if model is not None:
        evidence += compare_scores(model, X_valid, y_valid, first.is_seen)[0]
    action = f"If new rows will be of other groups, split by {first.column}, as with GroupKFold, and score again."
    return [Finding("groups across the split", 2, names, text, evidence, action)]


def _share_groups(name: str, train: pd.Series, valid: pd.Series, y: np.ndarray, is_class: bool) -> SharedGroups | None:
    codes, values = pd.factorize(train, sort=_can_sort(train))
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    n = counts.sum()
    if len(values) < _LEAST_GROUPS or n > _LARGEST_MEAN * len(values):
        return None
    is_seen = valid.isin(values).to_numpy()
    if counts[counts > 1].sum() < _LEAST_REPEATED * n or is_seen.mean() < _LEAST_SHARED:
        return None
    is_label = not pd.api.types.is_numeric_dtype(train)
    likeness, z, are_neighbours_alike = _compare_pairs(codes, y, is_class, is_label)
    least = max(_LEAST_LIKENESS, _CLEARLY / np.sqrt(len(values)))
    is_quantity = not is_label and (are_neighbours_alike or _rank_correlation(codes, y) >= least)
    if likeness < _LEAST_LIKENESS or z < _N_ERRORS or is_quantity:
        return None
    return SharedGroups(name, likeness, is_seen, len(values))


def _rank_correlation(codes: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's correlation of the values with the target, or the largest with an indicator of a class."""
    known = codes >= 0
    targets = (
        [y] if y.dtype.kind in "fiu" and len(np.unique(y)) > _MOST_CLASSES else [y == each for each in np.unique(y)]
    )
    found = [pd.Series(codes[known]).corr(pd.Series(each[known]).astype(float), "spearman") for each in targets]
    return float(np.nanmax(np.abs(found)))


def _can_sort(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or all(isinstance(value, str) for value in column.dropna().head(1000))


def _compare_pairs(codes: np.ndarray, y: np.ndarray, is_class: bool, is_label: bool) -> tuple[float, float, bool]:
    """Return the likeness within groups, divided by its standard error too, and whether neighbours are alike.

    Pairs within a group are compared with random pairs. If values are numbers, pairs of neighbouring values are
    compared too: if the target depends on a quantity, as a price depends on an area, neighbours are alike, and the
    number is not an id.
    """
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    steps, values = np.diff(codes[order]), y if is_class else y.astype(np.float64)

    def apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (values[first] != values[second]).astype(float) if is_class else (values[first] - values[second]) ** 2

    near, far = apart(order[1:], order[:-1]), apart(order, np.roll(order, len(order) // 2))
    within, between = near[steps == 0], near[steps > 0]
    if min(len(within), len(between)) < _LEAST_PAIRS or min(between.mean(), far.mean()) == 0:
        return 0.0, 0.0, False
    likeness, z = _likeness(within, far)
    beyond_neighbours, at_least = _likeness(within, between)
    if not is_label and (beyond_neighbours < _LEAST_LIKENESS or at_least < _CLEARLY):
        return 0.0, 0.0, True
    of_neighbours, clearly = _likeness(between, far)
    return likeness, z, of_neighbours >= _LEAST_LIKENESS and clearly >= _CLEARLY


def _likeness(near: np.ndarray, far: np.ndarray) -> tuple[float, float]:
    """Return the share by which `near` differences are smaller, and that share in standard errors."""
    gap, error = far.mean() - near.mean(), np.sqrt(near.var(ddof=1) / len(near) + far.var(ddof=1) / len(far))
    return float(gap / far.mean()), float(gap / max(error, 1e-300))
