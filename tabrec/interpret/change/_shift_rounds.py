"""Which side is a row from? A forest that learns it, an exact test of whether it can, and rounds without what told."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier

from tabrec.interpret.change._shift_columns import ColumnPair

# Below this a shift may be certain, but is too small to look for columns.
CLOSE_TO_HALF = 0.55
_ALONE_TELLS = 0.99
# Beyond chance for a single column that looks like an id, or of dates.
_ID_TELLS = 0.6
# Columns whose share in a round is at least this part of the largest go together.
_PART_OF_LARGEST = 0.5
# Leaves as large as this part of all rows find small shifts in many rows, which deep trees lose in noise.
_SMALLEST_LEAF, _LEAVES = 5, 200
_MOST_BINS, _N_QUANTILES = 64, 32
_ROWS_TO_SHUFFLE = 2_000
_PERMUTATIONS_AT_ONCE = 100


@dataclass(frozen=True)
class Sample:
    """As many rows of each side, in codes, and the half of them that is held out.

    Attributes
    ----------
    codes : ndarray of float32, of shape (n, n_columns)
        Position of each value among the distinct ones of its column, 0 where missing.
    is_new : ndarray of bool, of shape (n,)
    is_held_out : ndarray of bool, of shape (n,)
        The same number of rows of each side.
    """

    codes: np.ndarray
    is_new: np.ndarray
    is_held_out: np.ndarray


@dataclass(frozen=True)
class Round:
    """What the classifier found on the columns of one round.

    Attributes
    ----------
    names : list of str
    auc, oob_auc, p_value : float
    importance : dict of str to float
        What each column was worth to the classifier; empty where there was nothing to tell.
    set_aside : dict of str to str
        Columns left out from here on, most telling first, with the reason.
    """

    names: list[str]
    auc: float
    oob_auc: float
    p_value: float
    importance: dict[str, float]
    set_aside: dict[str, str]


def draw_sample(pairs: list[ColumnPair], max_rows: int, rng: np.random.Generator) -> Sample:
    """Rows drawn without replacement, as many of each side."""
    n_train, n_new = len(pairs[0].train), len(pairs[0].new)
    n = min(n_train, n_new, max_rows)
    of_train, of_new = (rng.permutation(size)[:n] for size in (n_train, n_new))
    codes = np.column_stack([_codes(np.concatenate([pair.train[of_train], pair.new[of_new]])) for pair in pairs])
    is_held_out = np.tile(np.arange(n) % 2 == 1, 2)  # rows are in random order already
    return Sample(codes, np.repeat([False, True], n), is_held_out)


def single_aucs(sample: Sample) -> np.ndarray:
    """How well each column alone tells the sides apart, whichever way it differs: ndarray of shape (n_columns,).

    Values (quantiles of many) are scored by their share of new rows in the other half, so that 0.5 is expected
    without shift.
    """
    return np.array([_single_auc(_bins(codes), sample) for codes in sample.codes.T])


def run_rounds(
    pairs: list[ColumnPair],
    sample: Sample,
    aucs: np.ndarray,
    *,
    level: float,
    n_permutations: int,
    n_estimators: int,
    rng: np.random.Generator,
) -> list[Round]:
    """Rounds until the sides can no longer be told apart, each without the columns that told before.

    `aucs` are those of the single columns.
    """
    left = np.arange(len(pairs))
    rounds: list[Round] = []
    while len(left):
        forest = RandomForestClassifier(
            n_estimators,
            min_samples_leaf=max(_SMALLEST_LEAF, len(sample.codes) // _LEAVES),
            max_features=0.5,
            oob_score=True,
            random_state=int(rng.integers(2**31)),
        )
        chosen = [pairs[position] for position in left]
        found = _play(forest, chosen, sample, left, aucs[left], level, n_permutations, rng)
        rounds.append(found)
        if not found.set_aside:
            break
        left = np.array([position for position in left if pairs[position].name not in found.set_aside], dtype=int)
    return rounds


def permutation_p_value(scores: np.ndarray, is_new: np.ndarray, n_permutations: int, rng: np.random.Generator) -> float:
    """The share of permutations of the sides with an AUC at least that of the scores (Phipson & Smyth 2010).

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
    """The chance that a new row has a higher score than one of training, ties counting half."""
    n_new, n_train = int(is_new.sum()), int((~is_new).sum())
    if not n_new or not n_train:
        return float("nan")
    return float((rankdata(scores)[is_new].sum() - n_new * (n_new + 1) / 2) / (n_new * n_train))


def _play(
    forest: Any,
    pairs: list[ColumnPair],
    sample: Sample,
    columns: np.ndarray,
    aucs: np.ndarray,
    level: float,
    n_permutations: int,
    rng: np.random.Generator,
) -> Round:
    """One round: fit on one half, test on the other, and name what told."""
    codes, held_out = sample.codes[:, columns], sample.is_held_out
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
        forest.fit(codes[~held_out], sample.is_new[~held_out])
    oob = forest.oob_decision_function_
    seen = oob.sum(axis=1) > 0
    oob_auc = auc_of(oob[seen, 1], sample.is_new[~held_out][seen])
    scores = forest.predict_proba(codes[held_out])[:, 1]
    is_new = sample.is_new[held_out]
    auc = auc_of(scores, is_new)
    p_value = permutation_p_value(scores, is_new, n_permutations, rng)
    names = [pair.name for pair in pairs]
    if p_value > level or auc < CLOSE_TO_HALF:
        return Round(names, auc, oob_auc, p_value, {}, {})
    importance = _shuffle(forest, codes[held_out], is_new, rng)
    set_aside = _choose(pairs, aucs, importance)
    return Round(names, auc, oob_auc, p_value, dict(zip(names, importance.tolist(), strict=True)), set_aside)


def _shuffle(forest: Any, codes: np.ndarray, is_new: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much less probability the right side gets where a column is shuffled: ndarray of shape (n_columns,).

    Unlike a loss of AUC it is not hidden where another column tells the sides apart as well.
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
    """Columns that give the sides away by their nature; where there are none, those that told most."""
    reasons = [_give_away(pair, auc) for pair, auc in zip(pairs, aucs, strict=True)]
    chosen = [position for position in np.argsort(-aucs, kind="stable") if reasons[position]]
    if chosen:
        return {pairs[position].name: reasons[position] for position in chosen}
    worth = importance if importance.max() > 0 else aucs
    telling = [position for position in np.argsort(-worth, kind="stable") if worth[position] > 0]
    chosen = [position for position in telling if worth[position] >= _PART_OF_LARGEST * worth.max()]
    reason = "told most of those left" if importance.max() > 0 else "differs most by itself"
    return {pairs[position].name: reason for position in chosen}


def _give_away(pair: ColumnPair, auc: float) -> str:
    """Why a column tells the sides apart by what it is, rather than by how the world has changed."""
    if pair.id_reason and auc >= _ID_TELLS:
        return pair.id_reason
    if pair.family == "dates" and auc >= _ID_TELLS:
        return "dates of another time"
    return "tells the two apart by itself" if auc >= _ALONE_TELLS else ""


def _codes(values: np.ndarray) -> np.ndarray:
    """Positions among the distinct values from 1 on, 0 where missing: what a tree sees as it sees the values."""
    codes = np.zeros(len(values), dtype=np.float32)
    present = ~np.isnan(values)
    codes[present] = np.unique(values[present], return_inverse=True)[1] + 1
    return codes


def _bins(codes: np.ndarray) -> np.ndarray:
    """Codes, or where they are many the quantile that each falls into, 0 staying 0."""
    if codes.max() <= _MOST_BINS:
        return codes.astype(int)
    edges = np.quantile(codes[codes > 0], np.linspace(0, 1, _N_QUANTILES + 1)[1:-1])
    return np.where(codes > 0, 1 + np.searchsorted(edges, codes, side="right"), 0)


def _single_auc(bins: np.ndarray, sample: Sample) -> float:
    aucs = []
    for here in (sample.is_held_out, ~sample.is_held_out):
        n_all = np.bincount(bins[~here], minlength=bins.max() + 1)
        n_new = np.bincount(bins[~here & sample.is_new], minlength=bins.max() + 1)
        share = (n_new + 1) / (n_all + 2)
        aucs.append(auc_of(share[bins[here]], sample.is_new[here]))
    return float(np.mean(aucs))
