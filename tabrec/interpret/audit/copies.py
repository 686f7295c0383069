"""Find duplicate rows among training rows, and between training and held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._numbers import show_number
from tabrec.interpret._result import Finding
from tabrec.interpret.metrics import read_metric
from tabrec.interpret.models import classes_of, predictor
from tabrec.preprocess import column_kinds
from tabrec.tables.columns import read_frame

# Equal rows count as copies if the expected number of equal rows under independent columns is below this.
_RARE = 1e-4
_LEAST_SHARE, _MANY = 0.001, 0.01  # shares of rows: the smallest that is reported, and the smallest that is a finding
_CLEAR = 2  # standard errors
# A column of few levels, relative to the rows, is determined by the others if it hardly adds distinct rows.
_FEW_LEVELS, _ADDS = 0.05, 1.05
_LEAST_ROWS = 10  # smallest number of rows whose scores are compared
_MOST_NAMES = 3


@dataclass(frozen=True)
class Copies:
    """Masks of rows that equal another row in the target and all columns except ids."""

    of_train: np.ndarray  # bool, (n_rows,): a training row that equals an earlier one
    of_valid: np.ndarray  # bool, (n_valid,): a held-out row that equals a training row
    ids: list[str]  # columns that were not compared


def find_copies(X: pd.DataFrame, y: np.ndarray, X_valid: Any, y_valid: np.ndarray | None) -> Copies:
    """Find copies of rows, ignoring rows that may be equal by chance."""
    kinds = column_kinds(X)["kind"]
    ids = kinds.index[kinds == "id"].tolist()
    held_out = X.head(0) if X_valid is None else read_frame(X_valid)
    pairs = [(X[name], held_out[name]) for name in X.columns if name not in ids and name in held_out]
    pairs.append((pd.Series(y), pd.Series(y[:0] if y_valid is None else y_valid)))
    columns = [(pd.factorize(pd.concat(pair, ignore_index=True))[0] + 1).astype(np.int32) for pair in pairs]
    n, n_distinct = len(X), 1
    key, chance = np.zeros(n + len(held_out), dtype=np.int64), np.zeros(n + len(held_out))
    for codes in sorted(columns, key=lambda codes: codes.max()):
        key, before = pd.factorize(key * (int(codes.max()) + 1) + codes)[0], n_distinct
        n_distinct = len(np.unique(key[:n]))
        if codes.max() <= _FEW_LEVELS * n and n_distinct < _ADDS * before:
            continue  # determined by other columns, such as the same label in another spelling
        share = np.bincount(codes[:n], minlength=codes.max() + 1) / n
        with np.errstate(divide="ignore"):
            chance += np.log(share)[codes]
    is_rare = n * np.exp(chance) < _RARE
    of_train = pd.Series(key[:n]).duplicated().to_numpy() & is_rare[:n]
    return Copies(of_train, np.isin(key[n:], key[:n]) & is_rare[n:], ids)


def describe_copies(copies: Copies, model: Any, X_valid: Any, y_valid: Any) -> list[Finding]:
    """Describe copies among held-out rows, with their effect on the score, and among training rows."""
    where = "every column and in the target"
    if copies.ids:
        more = ", …" if len(copies.ids) > _MOST_NAMES else ""
        where = f"every column but {', '.join(copies.ids[:_MOST_NAMES])}{more}, and in the target"
    chance = "Rows with such values would hardly be equal by chance, if the columns were independent of each other."
    found = []
    n, share = _summarise(copies.of_valid)
    if share >= _LEAST_SHARE:
        scores, is_easier = ("", False) if model is None else compare_scores(model, X_valid, y_valid, copies.of_valid)
        text = f"{_count(n, 'held-out row')} ({share:.1%}) equal a training row in {where}."
        action = "If they are copies of one event, leave them out, or split so that copies stay together; score again."
        severity = 3 if share < _MANY else 1 if is_easier else 2
        found.append(Finding("copies across the split", severity, (), text, chance + scores, action))
    n, share = _summarise(copies.of_train)
    if share >= _LEAST_SHARE:
        text = f"{_count(n, 'training row')} ({share:.1%}) equal an earlier one in {where}."
        action = (
            "If they are copies of one event, drop them: out-of-bag and cross-validated scores predict a row by its "
            "copy. If they are separate events, keep them."
        )
        found.append(Finding("copied rows", 3 if share < _MANY else 2, (), text, chance, action))
    return found


def _summarise(is_copy: np.ndarray) -> tuple[int, float]:
    """Return the number and the share of the copies."""
    return int(is_copy.sum()), float(is_copy.mean()) if len(is_copy) else 0.0


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' if n > 1 else ''}"


def compare_scores(model: Any, X: Any, y: np.ndarray, chosen: np.ndarray) -> tuple[str, bool]:
    """Compare the scores of chosen rows and the others; returns a sentence, and whether the chosen are clearly better.

    The sentence is empty if there are fewer than 10 chosen or 10 other rows.
    """
    if min(chosen.sum(), (~chosen).sum()) < _LEAST_ROWS:
        return "", False
    classes = classes_of(model)
    metric = read_metric(model, None)
    predicted = predictor(model)(X)
    parts = [metric.gains(y[rows], predicted[rows], classes) for rows in (chosen, ~chosen)]
    scores, errors = [metric.score(each) for each in parts], [metric.standard_error(each) for each in parts]
    z = metric.gain(scores[1], scores[0]) / max(np.hypot(errors[0], errors[1]), 1e-300)
    text = f" {metric.name} {show_number(scores[0])} on them and {show_number(scores[1])} on the other held-out rows"
    return f"{text}, {abs(z):.1f} standard errors apart.", z > _CLEAR
