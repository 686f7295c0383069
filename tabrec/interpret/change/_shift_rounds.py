"""`ShiftTest`: rounds of a classifier that distinguishes new from training rows, without columns removed before."""

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
# Smallest AUC at which a single column of ids or dates is set aside.
_ID_TELLS = 0.6
# Columns whose importance is at least this share of the largest are set aside in the same round.
_PART_OF_LARGEST = 0.5
# Leaves have at least 1 / _LEAVES of the rows, because deep trees miss small shifts of many rows.
_SMALLEST_LEAF, _LEAVES = 5, 200
_MOST_BINS, _N_QUANTILES = 64, 32
# Rarer values are binned by quantiles of this many rows, because single values may be absent from the other half.
_FEWEST_OF_VALUE, _ROWS_OF_QUANTILE = 4, 8
_ROWS_TO_SHUFFLE = 2_000
_PERMUTATIONS_AT_ONCE = 100


@dataclass(frozen=True)
class Sample:
    """An equal number of rows of each table, as codes, half of them held out."""

    codes: np.ndarray  # (n, n_columns): position among the distinct values of a column from 1; 0 if missing
    is_new: np.ndarray  # bool, (n,)
    is_held_out: np.ndarray  # bool, (n,): equally many rows of each table


@dataclass(frozen=True)
class Round:
    """The results of the classifier with the columns of one round."""

    names: list[str]
    auc: float
    oob_auc: float
    p_value: float
    importance: dict[str, float]  # by column; empty if no shift was found
    removed_columns: dict[str, str]  # columns left out of later rounds, with the reason; the strongest first


def draw_sample(pairs: list[ColumnPair], max_rows: int, rng: np.random.Generator) -> Sample:
    """Draw rows without replacement, the same number of each table."""
    n_train, n_new = len(pairs[0].train), len(pairs[0].new)
    n = min(n_train, n_new, max_rows)
    of_train, of_new = (rng.permutation(size)[:n] for size in (n_train, n_new))
    codes = np.column_stack([_codes(np.concatenate([pair.train[of_train], pair.new[of_new]])) for pair in pairs])
    is_held_out = np.tile(np.arange(n) % 2 == 1, 2)  # rows are already in random order
    return Sample(codes, np.repeat([False, True], n), is_held_out)


def single_aucs(sample: Sample) -> np.ndarray:
    """Return the AUC of each column alone, at least 0.5 in expectation: ndarray of shape (n_columns,).

    Values, or their quantiles, are scored by their share of new rows in the other half, so the AUC is about 0.5 without
    shift, whatever the direction of the difference.
    """
    return np.array([_single_auc(_bins(codes), sample) for codes in sample.codes.T])


@dataclass(frozen=True)
class ShiftTest:
    """Fits a classifier in every round, and tests whether it distinguishes the tables."""

    level: float
    n_permutations: int
    n_estimators: int
    rng: np.random.Generator

    def rounds(self, pairs: list[ColumnPair], sample: Sample, aucs: np.ndarray) -> list[Round]:
        """Run rounds until no shift is found, without columns set aside before; `aucs` are those of single columns."""
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
        """Fit on one half of the rows, test on the other, and choose the columns to set aside."""
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
    """Return the p-value of an AUC by permuting the tables of rows (Phipson & Smyth 2010).

    The scores must be independent of the tables to which these rows belong.
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
    """Return the probability that a new row has a higher score than a training row; ties count half."""
    n_new, n_train = int(is_new.sum()), int((~is_new).sum())
    if not n_new or not n_train:
        return float("nan")
    return float((rankdata(scores)[is_new].sum() - n_new * (n_new + 1) / 2) / (n_new * n_train))


def _shuffle(forest: Any, codes: np.ndarray, is_new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the decrease of the probability of the true table when each column is permuted: (n_columns,).

    Unlike a decrease of AUC, it does not vanish if another column distinguishes the tables too.
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
    """Choose columns to set aside, with the reason: ids and clocks if there are any, else the most important."""
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
    """Return why a column, such as an id, distinguishes the tables without a change of distribution; else empty."""
    if pair.id_reason and auc >= _ID_TELLS:
        return pair.id_reason
    if pair.family == "dates" and auc >= _ID_TELLS:
        return "dates of another period"
    return "distinguishes the tables by itself" if auc >= _ALONE_TELLS else ""


def _codes(values: np.ndarray) -> np.ndarray:
    """Convert values to positions among the distinct values, 0 if missing, which give trees the same splits."""
    codes = np.zeros(len(values), dtype=np.float32)
    present = ~np.isnan(values)
    codes[present] = np.unique(values[present], return_inverse=True)[1] + 1
    return codes


def _bins(codes: np.ndarray) -> np.ndarray:
    """Bin codes by quantiles if there are many codes or few rows of each; 0 stays 0."""
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
