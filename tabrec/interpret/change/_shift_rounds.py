"""Rounds of a classifier that distinguishes new rows from training rows, each without the columns removed before."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier

from tabrec.interpret.change._shift_columns import ColumnPair

# Below this AUC a shift may be significant, but is too small to attribute to columns.
CLOSE_TO_HALF = 0.55
_ALONE_TELLS = 0.99
# From this AUC on a single column of ids or dates is set aside.
_ID_TELLS = 0.6
# Columns whose importance in a round is at least this part of the largest are set aside together.
_PART_OF_LARGEST = 0.5
# With leaves of at least a 200th of the rows small shifts in many rows are found, which deep trees lose in noise.
_SMALLEST_LEAF, _LEAVES = 5, 200
_MOST_BINS, _N_QUANTILES = 64, 32
# Values with fewer rows are put into quantiles, of so many rows each: single values have no share in the other half.
_FEWEST_OF_VALUE, _ROWS_OF_QUANTILE = 4, 8
_ROWS_TO_SHUFFLE = 2_000
_PERMUTATIONS_AT_ONCE = 100


@dataclass(frozen=True)
class Sample:
    """The same number of rows of each table, in codes, half of them held out."""

    codes: np.ndarray  # (n, n_columns): position among the distinct values of a column, 0 where missing
    is_new: np.ndarray  # bool, (n,)
    is_held_out: np.ndarray  # bool, (n,): as many rows of each table


@dataclass(frozen=True)
class Round:
    """The results of the classifier with the columns of one round."""

    names: list[str]
    auc: float
    oob_auc: float
    p_value: float
    importance: dict[str, float]  # by column; empty where no shift was found
    removed_columns: dict[str, str]  # columns left out from here on, most telling first, with the reason


def draw_sample(pairs: list[ColumnPair], max_rows: int, rng: np.random.Generator) -> Sample:
    """Return rows drawn without replacement, the same number of each table."""
    n_train, n_new = len(pairs[0].train), len(pairs[0].new)
    n = min(n_train, n_new, max_rows)
    of_train, of_new = (rng.permutation(size)[:n] for size in (n_train, n_new))
    codes = np.column_stack([_codes(np.concatenate([pair.train[of_train], pair.new[of_new]])) for pair in pairs])
    is_held_out = np.tile(np.arange(n) % 2 == 1, 2)  # rows are in random order already
    return Sample(codes, np.repeat([False, True], n), is_held_out)


def single_aucs(sample: Sample) -> np.ndarray:
    """Return AUC of each column alone, whichever way it differs: ndarray of shape (n_columns,).

    Values, or their quantiles, are scored by their share of new rows in the other half: 0.5 is expected without shift.
    """
    return np.array([_single_auc(_bins(codes), sample) for codes in sample.codes.T])


@dataclass(frozen=True)
class ShiftTest:
    """The classifier of every round, and the test of whether it distinguishes the tables."""

    level: float
    n_permutations: int
    n_estimators: int
    rng: np.random.Generator

    def rounds(self, pairs: list[ColumnPair], sample: Sample, aucs: np.ndarray) -> list[Round]:
        """Rounds until no shift is found, each without the columns set aside before; `aucs` are of single columns."""
        left = np.arange(len(pairs))
        rounds: list[Round] = []
        while len(left):
            found = self._round([pairs[position] for position in left], sample, left, aucs[left])
            rounds.append(found)
            if not found.removed_columns:
                break
            left = np.array(
                [position for position in left if pairs[position].name not in found.removed_columns], dtype=int
            )
        return rounds

    def _round(self, pairs: list[ColumnPair], sample: Sample, columns: np.ndarray, aucs: np.ndarray) -> Round:
        """Fit on one half, test on the other, and choose the columns to set aside."""
        codes, held_out = sample.codes[:, columns], sample.is_held_out
        forest = RandomForestClassifier(
            self.n_estimators,
            min_samples_leaf=max(_SMALLEST_LEAF, len(codes) // _LEAVES),
            max_features=0.5,
            oob_score=True,
            random_state=int(self.rng.integers(2**31)),
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
            forest.fit(codes[~held_out], sample.is_new[~held_out])
        oob = forest.oob_decision_function_
        seen = oob.sum(axis=1) > 0
        oob_auc = auc_of(oob[seen, 1], sample.is_new[~held_out][seen])
        scores, is_new = forest.predict_proba(codes[held_out])[:, 1], sample.is_new[held_out]
        auc = auc_of(scores, is_new)
        p_value = permutation_p_value(scores, is_new, self.n_permutations, self.rng)
        names = [pair.name for pair in pairs]
        if p_value > self.level or auc < CLOSE_TO_HALF:
            return Round(names, auc, oob_auc, p_value, {}, {})
        importance = _shuffle(forest, codes[held_out], is_new, self.rng)
        worth = dict(zip(names, importance.tolist(), strict=True))
        return Round(names, auc, oob_auc, p_value, worth, _choose(pairs, aucs, importance))


def permutation_p_value(scores: np.ndarray, is_new: np.ndarray, n_permutations: int, rng: np.random.Generator) -> float:
    """Return the share of permutations of the sides with an AUC at least that of the scores (Phipson & Smyth 2010).

    The scores must not depend on the sides of these rows.
    """
    ranks = rankdata(scores)
    n_new = int(is_new.sum())
    observed = ranks[is_new].sum()
    reached = 0
    for start in range(0, n_permutations, _PERMUTATIONS_AT_ONCE):
        n_here = min(_PERMUTATIONS_AT_ONCE, n_permutations - start)
        shuffled = rng.permuted(np.tile(ranks, (n_here, 1)), axis=1)
        reached += int((shuffled[:, :n_new].sum(axis=1) >= observed).sum())
    return (1 + reached) / (1 + n_permutations)


def auc_of(scores: np.ndarray, is_new: np.ndarray) -> float:
    """Return the probability that a new row has a higher score than a training row, ties counting half."""
    n_new, n_train = int(is_new.sum()), int((~is_new).sum())
    if not n_new or not n_train:
        return float("nan")
    return float((rankdata(scores)[is_new].sum() - n_new * (n_new + 1) / 2) / (n_new * n_train))


def _shuffle(forest: Any, codes: np.ndarray, is_new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the loss of the probability of the true table when a column is shuffled: ndarray of shape (n_columns,).

    Unlike a loss of AUC it does not vanish where another column distinguishes the tables as well.
    """
    rows = rng.permutation(len(codes))[:_ROWS_TO_SHUFFLE]
    codes, right = codes[rows], is_new[rows].astype(int)
    shuffled = rng.permuted(codes, axis=0)
    each = np.arange(len(rows))
    losses = np.zeros(codes.shape[1])
    for member in forest.estimators_:
        tree = member.tree_
        before = tree.predict(codes)[each, right].mean()
        for position in np.unique(tree.feature[tree.feature >= 0]):
            kept = codes[:, position].copy()
            codes[:, position] = shuffled[:, position]
            losses[position] += before - tree.predict(codes)[each, right].mean()
            codes[:, position] = kept
    return losses / len(forest.estimators_)


def _choose(pairs: list[ColumnPair], aucs: np.ndarray, importance: np.ndarray) -> dict[str, str]:
    """The columns to set aside, with the reason: by their nature where there are such, else the most important."""
    reasons = [_give_away(pair, auc) for pair, auc in zip(pairs, aucs, strict=True)]
    chosen = [position for position in np.argsort(-aucs, kind="stable") if reasons[position]]
    if chosen:
        return {pairs[position].name: reasons[position] for position in chosen}
    worth = importance if importance.max() > 0 else aucs
    telling = [position for position in np.argsort(-worth, kind="stable") if worth[position] > 0]
    chosen = [position for position in telling if worth[position] >= _PART_OF_LARGEST * worth.max()]
    reason = "most important to the classifier" if importance.max() > 0 else "differs most by itself"
    return {pairs[position].name: reason for position in chosen}


def _give_away(pair: ColumnPair, auc: float) -> str:
    """Return why a column distinguishes the tables by its nature, not by a change of its distribution; else empty."""
    if pair.id_reason and auc >= _ID_TELLS:
        return pair.id_reason
    if pair.family == "dates" and auc >= _ID_TELLS:
        return "dates of another period"
    return "distinguishes the tables by itself" if auc >= _ALONE_TELLS else ""


def _codes(values: np.ndarray) -> np.ndarray:
    """Positions among the distinct values, from 1, and 0 where missing: trees split them as they split the values."""
    codes = np.zeros(len(values), dtype=np.float32)
    present = ~np.isnan(values)
    codes[present] = np.unique(values[present], return_inverse=True)[1] + 1
    return codes


def _bins(codes: np.ndarray) -> np.ndarray:
    """Return the codes, or their quantiles where there are many, or few rows of each; 0 stays 0."""
    present = codes[codes > 0]
    if codes.max() <= min(_MOST_BINS, len(present) / _FEWEST_OF_VALUE):
        return codes.astype(int)
    n_quantiles = min(_N_QUANTILES, max(2, len(present) // _ROWS_OF_QUANTILE))
    edges = np.quantile(present, np.linspace(0, 1, n_quantiles + 1)[1:-1])
    return np.where(codes > 0, 1 + np.searchsorted(edges, codes, side="right"), 0)


def _single_auc(bins: np.ndarray, sample: Sample) -> float:
    aucs = []
    for here in (sample.is_held_out, ~sample.is_held_out):
        n_all = np.bincount(bins[~here], minlength=bins.max() + 1)
        n_new = np.bincount(bins[~here & sample.is_new], minlength=bins.max() + 1)
        share = (n_new + 1) / (n_all + 2)
        aucs.append(auc_of(share[bins[here]], sample.is_new[here]))
    return float(np.mean(aucs))
