"""Predictions tree by tree, in threads: their mean and spread, and those of out-of-bag rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

# Results that wait for earlier ones hold at most about this many rows together.
_MOST_WAITING = 200_000


def map_in_order(work: Callable, *inputs: Iterable, n_jobs: int | None, n_rows: int = _MOST_WAITING) -> Iterator[Any]:
    """Apply `map` in threads, with results in the order of the inputs, so that sums are reproducible.

    Only a limited number of results, of `n_rows` rows each, waits to be consumed.
    """
    n_threads = effective_n_jobs(n_jobs)
    if n_threads == 1:
        yield from map(work, *inputs)
        return
    tasks = (delayed(work)(*arguments) for arguments in zip(*inputs, strict=True))
    with Parallel(n_jobs=n_threads, require="sharedmem") as parallel:
        while batch := list(islice(tasks, max(2 * n_threads, _MOST_WAITING // n_rows))):
            yield from parallel(batch)


class TreeSpread(NamedTuple):
    """Mean and standard deviation over trees, each of the shape of one tree's prediction."""

    mean: np.ndarray
    spread: np.ndarray
    of_first: np.ndarray  # the spread over the first `n_first` trees


def mean_and_spread(predictions: Iterable[np.ndarray], n_first: int = 1) -> TreeSpread:
    """Compute the mean and standard deviation over trees in one pass and constant memory (Welford's algorithm)."""
    n, mean, squares, of_first = 0, np.zeros(1), np.zeros(1), np.zeros(1)
    for prediction in predictions:
        n += 1
        step = prediction - mean
        mean = mean + step / n
        squares = squares + step * (prediction - mean)
        if n == n_first:
            of_first = np.sqrt(squares / n)
    return TreeSpread(mean, np.sqrt(squares / n), of_first)


@dataclass(frozen=True)
class OutOfBagRows:
    """Out-of-bag predictions of the rows that a forest was grown on; a row of weight k occurs k times."""

    y: np.ndarray  # (n,) or (n, n_outputs)
    prediction: np.ndarray  # (n, n_outputs), for a classifier (n, n_classes); NaN where no tree left the row out
    spread: np.ndarray  # (n,), over the trees that left the row out; 0 for classifiers and for several outputs
    count: np.ndarray  # number of trees that left the row out


def left_out_rows(rows: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the positions of the rows of which a tree drew no copy.

    `rows` holds the position in the caller's table of each row of the matrix, and `drawn` the rows of the matrix that
    the tree drew.
    """
    in_bag = np.zeros(rows.max() + 1, dtype=bool)
    in_bag[rows[drawn]] = True
    return np.flatnonzero(~in_bag[rows])


def predict_out_of_bag(
    predict: Callable[[Any, np.ndarray, np.ndarray], np.ndarray],
    trees: Iterable[Any],
    drawn: Iterable[np.ndarray],
    matrix: np.ndarray,
    rows: np.ndarray,
    *,
    shape: tuple[int, ...],
    centre: Any = None,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict each training row by the trees that drew no copy of it; `shape` is that of a row's prediction.

    `predict` is given a tree, the matrix and the positions of the rows to predict.

    Returns the mean and the standard deviation over these trees, NaN for rows without such trees, and the number of
    these trees. `centre`, a value near the predictions, is subtracted before squares are summed, which keeps the spread
    accurate; without it the deviations are 0. See `left_out_rows` for `rows` and `drawn`.
    """

    def predict_left_out(tree: Any, drawn: np.ndarray) -> tuple[np.ndarray, Any]:
        left_out = left_out_rows(rows, drawn)
        return left_out, predict(tree, matrix, left_out) if len(left_out) else None

    total = np.zeros((len(matrix), *shape))
    squares = np.zeros_like(total)
    count = np.zeros(len(matrix), dtype=np.int32)
    for left_out, prediction in map_in_order(predict_left_out, trees, drawn, n_jobs=n_jobs, n_rows=len(matrix)):
        if prediction is None:
            continue
        total[left_out] += prediction
        if centre is not None:
            squares[left_out] += (prediction - centre) ** 2
        count[left_out] += 1
    n_trees = count.reshape(-1, *[1] * len(shape))
    with np.errstate(invalid="ignore"):
        mean = total / n_trees
        # Without a centre the squares are 0, and so is the spread.
        spread = np.sqrt(np.maximum(squares / n_trees - (mean - (0 if centre is None else centre)) ** 2, 0))
    return mean, spread, count
