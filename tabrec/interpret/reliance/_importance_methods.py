"""The methods of `feature_importance`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from tabrec.interpret._weights import weigh_rows, weight_of_rows, weights_of_copies
from tabrec.interpret.metrics import Metric, add_even_tree
from tabrec.interpret.models import classes_of, fitted_columns, predictor
from tabrec.interpret.reliance._permuted_trees import PermutedTrees
from tabrec.interpret.without_columns import read_target, read_trials
from tabrec.preprocess import TabularPreprocessor
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.rows import sample_rows, take_rows
from tabrec.trees.fitted_trees import FittedTrees, is_forest, read_trees
from tabrec.trees.training_rows import read_drawn_rows

FUNCTION = "feature_importance"
CLEAR, HARMFUL = 2, -3  # in standard errors
VERDICTS = ["clear", "clear together", "harmful", "weak", "none"]  # in descending order of strength
_NEGLIGIBLE = 0.01  # as a share of the largest importance
_N_FOLDS = 5
_LEAST_ROWS = 10  # with fewer scored rows, the standard error is NaN
# Permutations are repeated until this many rows have been scored, up to _MOST_REPEATS times.
_ENOUGH_ROWS, _MOST_REPEATS = 20_000, 5


# Largest number of cells of permuted tables that are predicted in one call.
_CELLS_AT_ONCE = 2_000_000

Move = tuple[list[str], np.ndarray]  # columns, and the rows from which they take their values


@dataclass(frozen=True)
class Scored:
    """The scored rows, with a function that predicts them after columns are permuted."""

    y: np.ndarray  # target of the rows in `seen`
    predicted: np.ndarray  # predictions of the rows in `seen`
    seen: np.ndarray  # bool, (n_rows,): rows with a prediction
    classes: Any
    permuted: Callable[[Sequence[Move]], Iterable[np.ndarray]]  # yields the predictions of all rows after each move
    n_jobs: int = 1
    n_trees: np.ndarray | None = None  # the number of trees that predict each row, for forests of classes
    weights: np.ndarray | None = None  # weights of all rows; None if they are equal
    rows_at_once: int = 1  # number of moves that `permuted` should predict in one call

    @property
    def weights_seen(self) -> np.ndarray | None:
        return None if self.weights is None else self.weights[self.seen]

    def gains(self, metric: Metric, predicted: np.ndarray) -> np.ndarray:
        if self.n_trees is not None:
            predicted = add_even_tree(predicted, self.n_trees)
        return metric.gains(self.y, predicted, self.classes, self.weights_seen)

    def score(self, metric: Metric) -> float:
        return metric.score(self.gains(metric, self.predicted), self.weights_seen)

    def losses(
        self, metric: Metric, blocks: list[list[str]], n_repeats: int | None, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the importance and standard error of each block of columns, (n_blocks, 2)."""
        gains, n_rows = self.gains(metric, self.predicted), len(self.seen)
        n_repeats = n_repeats or int(np.clip(-(-_ENOUGH_ROWS // n_rows), 1, _MOST_REPEATS))

        def losses_of(part: list[tuple[list[str], np.random.Generator]]) -> list[tuple[float, float]]:
            donors = [[self._draw_donors(own) for _ in range(n_repeats)] for _, own in part]
            moves = [
                (columns, rows)
                for (columns, _), permutations in zip(part, donors, strict=True)
                for rows in permutations
            ]
            permuted = (self.gains(metric, predicted[self.seen]) for predicted in self.permuted(moves))
            return [_loss_by_permuting(metric, gains, permuted, self.seen, rows, self.weights_seen) for rows in donors]

        tasks = list(zip(blocks, rng.spawn(len(blocks)), strict=True))
        size = max(1, self.rows_at_once // (n_rows * n_repeats))
        parts = [tasks[start : start + size] for start in range(0, len(tasks), size)]
        found = Parallel(n_jobs=self.n_jobs, require="sharedmem")(delayed(losses_of)(part) for part in parts)
        return np.array([loss for part in found for loss in part])

    def _draw_donors(self, rng: np.random.Generator) -> np.ndarray:
        """Permute rows or, with weights, draw them by weight, which preserves the weighted distribution of values."""
        n_rows = len(self.seen)
        if self.weights is None:
            return rng.permutation(n_rows)
        return rng.choice(n_rows, n_rows, p=self.weights / self.weights.sum())


def out_of_bag_rows(
    trees: FittedTrees, X: Any, y: Any, max_rows: int | None, rng: np.random.Generator, sample_weight: Any = None
) -> Scored:
    """Score the training rows of a forest out of bag; encoded columns are permuted."""
    y = read_target(trees.estimator, X, y, FUNCTION)
    training = read_drawn_rows(trees, X, y, FUNCTION)
    weights = weights_of_copies(training.rows, weight_of_rows(X, sample_weight))
    used = np.arange(len(training.rows)) if weights is None else np.flatnonzero(weights)
    scored = used[sample_rows(len(used), max_rows, rng)]
    place = np.full(len(training.matrix), -1)
    place[scored] = np.arange(len(scored))

    def rows_of_tree(tree: int) -> np.ndarray:
        rows = place[training.left_out(tree)]
        return rows[rows >= 0]

    found = _by_trees(trees, training.matrix[scored], training.y[scored], rows_of_tree, {})
    return found if weights is None else replace(found, weights=weights[scored])


def held_out_rows(
    model: Any, X: Any, y: Any, max_rows: int | None, rng: np.random.Generator, sample_weight: Any = None
) -> Scored:
    """Score rows that a model was not fitted on; raw columns are permuted."""
    frame = read_frame(X)
    y = read_target(model, X, y, FUNCTION)
    rows, weights = weigh_rows(X, sample_weight)
    sampled = sample_rows(len(rows), max_rows, rng)
    rows, weights = rows[sampled], None if weights is None else weights[sampled]
    if len(rows) < 2:
        raise ValueError(f"{FUNCTION}: permuting exchanges the values of rows, but there is only 1: give at least 2.")
    if sample_weight is not None or len(rows) < len(frame):
        X, y = take_rows(X, rows), y[rows]
    trees = read_trees(model, FUNCTION) if is_forest(model) else None
    parts = None if trees is None else _parts_of(trees, raw_columns(model, X))
    if trees is not None and parts is not None:
        found = _by_trees(trees, trees.matrix(X), y, lambda tree: np.arange(len(rows)), parts)
        return replace(found, weights=weights)
    predict, frame, table = predictor(model), read_frame(X), is_table(X)

    def permuted(moves: Sequence[Move]) -> Iterable[np.ndarray]:
        moved = _move_each(frame, moves)
        return np.split(predict(moved if table else moved.to_numpy()), len(moves))

    is_seen, at_once = np.ones(len(rows), bool), _CELLS_AT_ONCE // frame.shape[1]
    return Scored(y, predict(X), is_seen, classes_of(model), permuted, rows_at_once=at_once, weights=weights)


def cross_validated_rows(
    model: Any, X: Any, y: Any, max_rows: int | None, rng: np.random.Generator, sample_weight: Any = None
) -> Scored:
    """Score all rows by cross-validated refits of the model; raw columns are permuted among all rows."""
    y, weights = read_target(model, X, y, FUNCTION), weight_of_rows(X, sample_weight)
    rows = np.arange(len(y)) if weights is None else np.flatnonzero(weights)
    rows = rows[sample_rows(len(rows), max_rows, rng)]
    X, y, weights = take_rows(X, rows), y[rows], None if weights is None else weights[rows]
    trials = read_trials(model, X, y, cv=_N_FOLDS, random_state=rng, sample_weight=weights, function=FUNCTION)
    models, frame, table = list(trials.fit_by_folds(X)), read_frame(X), is_table(X)
    found = trials.predict_by_folds(models, X)

    def permuted(moves: Sequence[Move]) -> Iterable[np.ndarray]:
        moved = _move_each(frame, moves)
        found = trials.predict_by_folds(models, moved if table else moved.to_numpy(), n_copies=len(moves))
        return np.split(found.predicted, len(moves))

    y, at_once = y[found.seen], _CELLS_AT_ONCE // frame.shape[1]
    n_trees = None if found.n_trees is None else found.n_trees[found.seen]
    known: dict[str, Any] = {"n_trees": n_trees, "rows_at_once": at_once, "weights": weights}
    return Scored(y, found.predicted[found.seen], found.seen, found.classes, permuted, **known)


def _move_each(frame: pd.DataFrame, moves: Sequence[Move]) -> pd.DataFrame:
    """Concatenate the frames after each of the moves."""
    if len(moves) == 1:
        return _move(frame, *moves[0])
    return pd.concat([_move(frame, *move) for move in moves], ignore_index=True)


def _move(frame: pd.DataFrame, columns: list[str], donors: np.ndarray) -> pd.DataFrame:
    """Return a frame in which some columns take their values from other rows."""
    moved = frame.copy(deep=False)
    for name in columns:
        moved[name] = frame[name].array.take(donors)
    return moved


def drop_columns(
    model: Any,
    X: Any,
    y: Any,
    metric: str | None,
    blocks: list[list[str]],
    rng: np.random.Generator,
    sample_weight: Any = None,
) -> tuple[np.ndarray, float]:
    """Refit without each block; returns importance and standard error, (n_blocks, 2), and the full score."""
    options: dict[str, Any] = {"sample_weight": sample_weight, "function": FUNCTION}
    trials = read_trials(model, X, y, metric=metric, random_state=rng, **options)
    changes = [trials.without(block) for block in blocks]
    losses = [(trials.metric.gain(change["after"], change["before"]), change["std_error"]) for change in changes]
    return np.array(losses), trials.baseline


def raw_columns(model: Any, X: Any) -> list[str]:
    """Return the columns of a table or array that a model was fitted on."""
    columns = read_frame(X).columns.tolist()
    return [name for name in fitted_columns(model, X) if name in columns]


def _by_trees(trees: FittedTrees, matrix: np.ndarray, y: np.ndarray, rows_of_tree: Any, parts: dict) -> Scored:
    engine = PermutedTrees(trees, matrix, rows_of_tree)
    seen = engine.seen
    if not seen.any():
        raise ValueError(
            f"{FUNCTION}: no tree has left out any of the rows: grow more trees, or use rows held out of fit with "
            "method='permutation'."
        )
    position = {name: i for i, name in enumerate(trees.names)}

    def permuted(moves: Sequence[Move]) -> Iterable[np.ndarray]:
        for columns, donors in moves:
            encoded = [position[part] for name in columns for part in parts.get(name, [name])]
            yield engine.permuted(encoded, donors)

    n_trees = engine.n_trees[seen] if trees.is_classifier else None
    return Scored(y[seen], engine.predicted[seen], seen, trees.classes, permuted, engine.n_jobs, n_trees)


def _parts_of(trees: FittedTrees, columns: list[str]) -> dict[str, list[str]] | None:
    """Return the encoded columns computed row by row from each raw column alone; None if unknown."""
    ours = trees.preprocessor is not None
    if trees.steps is not None or (ours and not isinstance(trees.preprocessor, TabularPreprocessor)):
        return None
    if set(trees.sources.values()) <= set(columns):
        return {name: [part for part in trees.names if trees.sources[part] == name] for name in columns}
    # X is a table, but the forest was fitted on an array.
    by_place = not ours and len(columns) == len(trees.names)
    return {name: [part] for name, part in zip(columns, trees.names, strict=True)} if by_place else None


def as_table(
    columns: list[str],
    groups: dict[str, list[str]],
    losses: np.ndarray,
    sources: dict[str, str],
    *,
    measured_on_rows: bool = True,
) -> pd.DataFrame:
    """Return a tidy frame of columns and groups, the most important first."""
    of_columns = [sources.get(name, name) for name in columns]
    of_groups = [", ".join(dict.fromkeys(sources.get(name, name) for name in members)) for members in groups.values()]
    losses = losses.reshape(-1, 2)
    table = pd.DataFrame(
        {
            "column": [*columns, *groups],
            "importance": losses[:, 0],
            "std_error": losses[:, 1],
            "source": of_columns + of_groups,
            "is_group": np.arange(len(losses)) >= len(columns),
            "verdict": _judge(losses[:, 0], losses[:, 1] if measured_on_rows else np.nan_to_num(losses[:, 1])),
        }
    )
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _judge(importance: np.ndarray, std_error: np.ndarray) -> np.ndarray:
    """Return the verdict on each column; "none" requires that the interval excludes a relevant importance."""
    error = np.where(np.isnan(std_error), np.inf, std_error)
    negligible = _NEGLIGIBLE * max(importance.max(initial=0.0), 0.0)
    is_known = [importance > CLEAR * error, importance < HARMFUL * error, importance + CLEAR * error <= negligible]
    return np.select(is_known, ["clear", "harmful", "none"], "weak")


def _loss_by_permuting(
    metric: Metric,
    gains: np.ndarray,
    gains_permuted: Iterator[np.ndarray],
    seen: np.ndarray,
    permutations: Sequence[np.ndarray],
    weights: np.ndarray | None = None,
) -> tuple[float, float]:
    """Return the loss of a score by permuting, averaged over permutations, and its standard error.

    `gains_permuted` yields the gains of the rows in `seen` for each permutation. Each row enters twice: as the row
    being predicted and as the donor of another row's permuted values. For a loss θ + a(i) + b(j) + c(i, j) of row i
    with the values of row j, the variance of the mean over n rows is [var a + var b + 2 cov(a, b) + var c] / n. More
    permutations would divide the last term if rows were independent. Out-of-bag rows are not, since each is predicted
    by trees that were fitted on others of them, and the standard error agrees with simulations without that division.
    With weights, the loss of each row is multiplied by its weight, and donors are drawn by weight.
    """
    losses, variances = [], []
    score, linear = metric.score(gains, weights), metric.linear(gains, weights)
    share = np.full(len(gains), 1 / len(gains)) if weights is None else weights / weights.sum()
    for donors in permutations:
        permuted = next(gains_permuted)
        losses.append(metric.gain(metric.score(permuted, weights), score))
        lost = linear - metric.linear(permuted, weights)
        centred = np.zeros(len(seen))
        centred[seen] = share * (lost - share @ lost)
        variances.append(centred @ centred + 2 * centred @ centred[donors])
    error = float(np.sqrt(max(np.mean(variances), 0.0)))
    return float(np.mean(losses)), error if len(gains) >= _LEAST_ROWS else np.nan
