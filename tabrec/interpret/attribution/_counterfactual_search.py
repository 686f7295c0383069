"""Search for the fewest changes of a row that reach a goal, and how unusual changed rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tabrec.interpret.attribution._shown_values import has_order

# Number of combinations to which one more change is added (beam width), and of rows predicted in one call.
_BEAM, _ROWS_AT_ONCE = 400, 20_000
_MOST_COMPARED, _MOST_TYPICAL = 2_000, 300
KEEP = -1


@dataclass(frozen=True)
class GoalSearch:
    """Combinations of changes that reach a goal, as the rows from which the value of each column is taken."""

    donors: np.ndarray  # (n_found, n_columns), KEEP if the column is not changed
    scores: np.ndarray  # (n_found,)
    is_complete: bool  # whether all combinations of fewer changes were tried
    n_tried: int


def choose_donors(values: pd.Series, own: object, n_values: int) -> np.ndarray:
    """Choose rows whose values are tried: the most frequent labels, or numbers and dates spread evenly by rank."""
    same = values.isna() if pd.isna(own) else values == own  # type: ignore[call-overload]
    others = np.flatnonzero(~same.fillna(False).to_numpy(dtype=bool))
    if not len(others):
        return others
    codes, distinct = pd.factorize(values.iloc[others], use_na_sentinel=False)
    first = others[np.unique(codes, return_index=True)[1]]
    if len(distinct) <= n_values:
        return first
    if not has_order(values):
        return first[np.argsort(-np.bincount(codes), kind="stable")[:n_values]]
    by_size = others[np.argsort(values.iloc[others].rank(na_option="bottom").to_numpy(), kind="stable")]
    spread = by_size[np.linspace(0, len(by_size) - 1, n_values).round().astype(np.intp)]
    _, kept = np.unique(pd.factorize(values.iloc[spread], use_na_sentinel=False)[0], return_index=True)
    return spread[kept]


def search(
    score: Callable[[np.ndarray], np.ndarray], donors: list[np.ndarray], max_changes: int
) -> tuple[GoalSearch, np.ndarray]:
    """Search the smallest combinations with a score of at least 0; also returns the best one that was tried.

    `score` takes combinations, (n, n_columns). All single changes are tried first, then the best combinations of each
    size with one more change (beam search).
    """
    n_columns = len(donors)
    singles = [(column, donor) for column, each in enumerate(donors) for donor in each]
    frontier, n_tried = np.full((1, n_columns), KEEP), 0
    is_complete, is_full = True, True  # whether all combinations up to this size were tried
    best, best_score = frontier[0], -np.inf
    for _ in range(min(max_changes, n_columns)):
        extended = _extend(frontier, singles)
        if not len(extended):
            break
        scores = np.concatenate([score(part) for part in _parts(extended)])
        n_tried += len(extended)
        if scores.max() > best_score:
            best, best_score = extended[int(scores.argmax())], float(scores.max())
        if best_score >= 0:
            reached = scores >= 0
            return GoalSearch(extended[reached], scores[reached], is_complete, n_tried), best
        is_complete, is_full = is_complete and is_full, is_full and len(extended) <= _BEAM
        frontier = extended[np.argsort(-scores, kind="stable")[:_BEAM]]
    return GoalSearch(np.empty((0, n_columns), dtype=np.intp), np.empty(0), is_complete, n_tried), best


def _extend(frontier: np.ndarray, singles: list[tuple[int, int]]) -> np.ndarray:
    """Add one more change to the combinations in all ways, without duplicates."""
    parts = [np.empty((0, frontier.shape[1]), dtype=frontier.dtype)]
    for column, donor in singles:
        more = frontier[frontier[:, column] == KEEP].copy()
        more[:, column] = donor
        parts.append(more)
    return np.unique(np.concatenate(parts), axis=0)


def _parts(combinations: np.ndarray) -> list[np.ndarray]:
    return np.array_split(combinations, -(-len(combinations) // _ROWS_AT_ONCE))


class Distances:
    """Gower's distance, from 0 to 1, in which numbers and dates are compared by rank.

    Its rows are those of the data, followed by the row that is explained.
    """

    def __init__(self, table: pd.DataFrame):
        self._has_order = np.array([has_order(column) for _, column in table.items()])
        columns = [_ranks(column) if has_order(column) else _codes(column) for _, column in table.items()]
        self.coded = np.column_stack(columns)

    def to_rows(self, row: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the distances of one encoded row from several rows."""
        apart = np.abs(rows - row)
        apart[:, ~self._has_order] = apart[:, ~self._has_order] != 0
        one_missing = np.isnan(rows) != np.isnan(row)
        return np.where(one_missing, 1.0, np.nan_to_num(apart)).mean(axis=1)

    def plausibility(self, changed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the share of data rows whose nearest neighbour is at least as far as that of a changed row.

        Copies of the explained row do not count as neighbours.
        """
        data = self.coded[:-1][self.to_rows(self.coded[-1], self.coded[:-1]) > 0]
        if len(data) < 2:
            return np.zeros(len(changed))
        data = data[rng.permutation(len(data))[:_MOST_COMPARED]]
        own = [self.to_rows(data[i], np.delete(data, i, axis=0)).min() for i in range(min(len(data), _MOST_TYPICAL))]
        nearest = np.array([self.to_rows(row, data).min() for row in changed])
        return (np.asarray(own)[None, :] >= nearest[:, None] - 1e-12).mean(axis=1)


def _ranks(column: pd.Series) -> np.ndarray:
    return column.rank(pct=True).to_numpy(np.float64, na_value=np.nan)


def _codes(column: pd.Series) -> np.ndarray:
    return pd.factorize(column, use_na_sentinel=False)[0].astype(np.float64)
