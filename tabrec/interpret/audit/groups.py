"""Groups of rows, such as those of one person or machine, that are on both sides of a split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._result import Finding
from tabrec.interpret.audit.copies import compare_scores
from tabrec.preprocess import column_kinds
from tabrec.tables.columns import read_frame

# Values of a column are groups if there are many of them, most of few rows, and enough of these have several.
_LEAST_GROUPS, _LARGEST_MEAN, _LEAST_REPEATED = 20, 20, 0.2
_LEAST_SHARED = 0.05  # of the held-out rows
_LEAST_PAIRS, _MOST_CLASSES = 20, 30
_LEAST_LIKENESS, _N_ERRORS = 0.1, 4
_CLEARLY = 3  # standard errors of a correlation, or of the likeness of neighbouring groups
_MOST_NAMES = 3


@dataclass(frozen=True)
class SharedGroups:
    """A column whose values are groups of similar rows, some of them on both sides of the split.

    `likeness` says by how much less the targets of two rows of one group differ (in squares) than those of any two
    rows: 0 if the group does not matter, 1 if it fixes the target.
    """

    column: str
    likeness: float
    is_seen: np.ndarray  # bool, (n_valid,): whether the group of a held-out row has training rows
    n_groups: int


def find_shared_groups(X: pd.DataFrame, y: np.ndarray, X_valid: Any, is_class: bool) -> list[SharedGroups]:
    """Find the columns whose groups are on both sides of a split, the most alike first."""
    if X_valid is None:
        return []
    held_out, kinds = read_frame(X_valid), column_kinds(X)["kind"]
    names = [name for name in X.columns if name in held_out and kinds[name] not in ("date", "constant")]
    found = [_share_groups(name, X[name], held_out[name], y, is_class) for name in names]
    return sorted((each for each in found if each is not None), key=lambda each: -each.likeness)


def describe_shared_groups(found: list[SharedGroups], model: Any, X_valid: Any, y_valid: Any) -> list[Finding]:
    """Return one finding on the groups that are most alike, which names the other columns."""
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
    """Return Spearman's correlation of the values with the target, the largest over classes."""
    known = codes >= 0
    targets = (
        [y] if y.dtype.kind in "fiu" and len(np.unique(y)) > _MOST_CLASSES else [y == each for each in np.unique(y)]
    )
    found = [pd.Series(codes[known]).corr(pd.Series(each[known]).astype(float), "spearman") for each in targets]
    return float(np.nanmax(np.abs(found)))


def _can_sort(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or all(isinstance(value, str) for value in column.dropna().head(1000))


def _compare_pairs(codes: np.ndarray, y: np.ndarray, is_class: bool, is_label: bool) -> tuple[float, float, bool]:
    """Return the likeness of rows in one group, its standard errors above 0, and whether neighbouring groups are alike.

    Pairs of a group are compared with pairs of any rows, and those of numbers also with pairs of neighbouring values:
    where the target follows a number, as a price follows an area, these are alike too, and the number is not an id.
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
    """By which share differences are smaller, and the number of standard errors."""
    gap, error = far.mean() - near.mean(), np.sqrt(near.var(ddof=1) / len(near) + far.var(ddof=1) / len(far))
    return float(gap / far.mean()), float(gap / max(error, 1e-300))
