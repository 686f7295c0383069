"""`extrapolation_check`: which new rows lie outside the range of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier

from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.audit.placeholders import read_dates_of
from tabrec.interpret.change._extrapolation_findings import find_outside
from tabrec.interpret.models import find_labels, fitted_columns, predictor, with_numbers
from tabrec.plotting.axes import BLUE, GREEN, GREY, ORANGE, finish, ink, row_axes
from tabrec.preprocess.column_kinds import is_date
from tabrec.tables.columns import Column, is_table, read_frame, to_columns
from tabrec.tables.names import as_named
from tabrec.tables.numbers import as_numbers
from tabrec.tables.rows import sample_rows, take_rows
from tabrec.trees.fitted_trees import is_forest, read_trees

_MOST_DRAWN = 15
_WAYS = {"below_min": BLUE, "above_max": ORANGE, "unseen": GREEN, "newly_missing": GREY}
_IN_WORDS = {
    "below_min": "below",
    "above_max": "above",
    "unseen": "label unseen in training",
    "newly_missing": "missing, but never missing in training",
}
# Predictions within this share of the range from the lowest or highest training prediction are at the edge.
_AT_EDGE = 0.01
_SAME = 1e-9
_MOST_TRIED = 2_000  # largest number of rows predicted again for each column


@dataclass(frozen=True, repr=False)
class ExtrapolationCheck(Result):
    """Columns and rows outside the training range; the result of `extrapolation_check`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row per raw column, most often outside first:

        - ``column``, and ``kind``: "number", "date" or "labels".
        - ``train_min`` and ``train_max``: training range; None for labels.
        - ``n_labels``: number of labels in training.
        - ``below_min``, ``above_max``: shares of new rows below and above the training range.
        - ``unseen``: share of new rows whose label is not in training.
        - ``newly_missing``: share of new rows with a missing value, if none was missing in training.
        - ``outside``: sum of these four shares.
        - ``most_extreme``: value farthest outside the range, or most frequent unseen label.
        - ``clipped``: of the rows below or above, the share whose prediction does not change if the value is clipped to
          the training range; NaN without such rows.
        - ``change``: mean absolute change of the prediction in these rows.
    rows : pandas.Series
        The number of columns in which each new row is outside.
    prediction_range : pandas.Series
        ``min`` and ``max`` of the predictions for training rows; the shares of new rows predicted within 1% of the
        range of these limits, or beyond them, ``share_at_min`` and ``share_at_max``; and the same shares of training
        rows, ``train_share_at_min`` and ``train_share_at_max``. NaN for a classifier.
    findings : list of Finding
        Columns and predictions to act on, worst first.

    See Also
    --------
    extrapolation_check : Makes it.
    """

    table: pd.DataFrame
    rows: pd.Series
    prediction_range: pd.Series
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the shares of new rows outside of the training range, for at most 15 columns.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        shown = self.table[self.table["outside"] > 0].head(_MOST_DRAWN)
        ax = row_axes(ax, shown["column"], (6.8, 1.5, 0.24))
        if shown.empty:
            ax.text(0.5, 0.5, "No new row is outside the training range", ha="center", color=ink())
            ax.set(xlim=(0, 1), ylim=(0, 1), yticks=[], xlabel="share of new rows outside")
            return finish(ax)
        places, start = np.arange(len(shown)), np.zeros(len(shown))
        for way, color in _WAYS.items():
            if shown[way].any():
                ax.barh(places, shown[way], left=start, color=color, label=_IN_WORDS[way], height=0.7)
                start = start + shown[way].to_numpy()
        ax.set(xlim=(0, min(1.0, start.max() * 1.05)), xlabel="share of new rows outside the training range")
        ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8, frameon=False)
        finish(ax).grid(visible=False, axis="y")
        return ax


@dataclass(frozen=True)
class _Column:
    """A column in both tables: its row in the result, and masks of new rows outside the range, by kind."""

    line: dict[str, Any]
    ways: dict[str, np.ndarray]
    edges: np.ndarray  # positions of the smallest and largest training values

    @property
    def beyond(self) -> np.ndarray:
        return self.ways["below_min"] | self.ways["above_max"]


@check_parameters(max_rows=[at_least(1)], random_state=RANDOM_STATE)
def extrapolation_check(
    model: Any, X_train: Any, X_new: Any, *, max_rows: int = 20_000, random_state: Any = 0
) -> ExtrapolationCheck:
    """Find where new rows lie outside the range of training, and how far that pins the predictions.

    A tree cannot extrapolate: beyond the last training value its prediction stays constant. For forests the check sets
    the encoded values of a column (all parts of a date) to the edge of the training range and predicts again; for other
    models the raw value.

    Parameters
    ----------
    model : fitted estimator
        A regressor, or a classifier with probabilities.
    X_train : table or array-like of shape (n_train, n_features)
        The rows that the model was fitted on.
    X_new : table or array-like of shape (n_new, n_features)
        The rows to check.
    max_rows : int, default=20_000
        At most this many rows of each table are drawn to compare predictions, and 2,000 rows for each column for
        ``clipped`` and ``change``; the other shares are of all rows.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of those draws.

    Returns
    -------
    ExtrapolationCheck

    Raises
    ------
    ValueError
        Columns that the model needs are missing, or a parameter is out of range.
    TypeError
        The model neither predicts nor gives probabilities.

    See Also
    --------
    domain_shift : Tests whether new rows differ from the training rows.
    confidence : Prediction intervals for each row.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "The Extrapolation Problem".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from tabrec.interpret import extrapolation_check
    >>> old, new = np.arange(20.0)[:, None], np.arange(15.0, 25.0)[:, None]
    >>> forest = RandomForestRegressor(10, random_state=0).fit(old, old.ravel())
    >>> extrapolation_check(forest, old, new).table[["column", "above_max", "most_extreme", "clipped"]]
      column  above_max  most_extreme  clipped
    0     x0        0.5          24.0      1.0
    """
    predict = predictor(model)
    generator = np.random.default_rng(random_state)
    X_train, X_new = _as_numbers(model, X_train), _as_numbers(model, X_new)
    predict(take_rows(X_new, np.arange(1)))  # raises an error that names missing columns
    train, new = read_frame(X_train), read_frame(X_new)
    limits = _edge_of_predictions(model, predict, X_train, X_new, max_rows, generator)
    checked = _check_columns(model, train, new)
    trial = _Trial(predict, read_trees(model, "extrapolation_check") if is_forest(model) else None, X_train, X_new)
    for found in checked.values():
        beyond = np.flatnonzero(found.beyond)
        beyond = beyond[sample_rows(len(beyond), _MOST_TRIED, generator)]
        found.line["clipped"], found.line["change"] = trial.at_the_edge(found, beyond)
    table = pd.DataFrame([found.line for found in checked.values()])
    table = table.sort_values("outside", ascending=False, kind="stable", ignore_index=True)
    n_outside = sum(np.any(list(found.ways.values()), axis=0).astype(np.int64) for found in checked.values())
    rows = pd.Series(n_outside, index=new.index, name="n_columns_outside")
    return ExtrapolationCheck(table, rows, limits, find_outside(table, limits, len(train), len(new), is_forest(model)))


def _as_numbers(model: Any, X: Any) -> Any:
    """Return X with the column names of fit, and with text as numbers if the model reads it so."""
    named = as_named(model, X)
    return with_numbers(model, read_frame(named)) if is_table(named) else named


def _check_columns(model: Any, train: pd.DataFrame, new: pd.DataFrame) -> dict[str, _Column]:
    """Return the columns of the model that both tables have."""
    names = [name for name in fitted_columns(model, train) if name in train.columns and name in new.columns]
    if not names:  # the model was fitted on a table and is given arrays, or the reverse
        new = new.set_axis(train.columns, axis=1)
        names = list(train.columns)
    before, after = to_columns(train[names]), to_columns(new[names])
    coded = find_labels(model)
    return {name: _compare(before[name], after[name], name in coded) for name in names}


def _compare(train: Column, new: Column, is_coded: bool) -> _Column:
    if is_date(train):
        return _compare_numbers(train.name, "date", read_dates_of(train).to_numpy(), read_dates_of(new).to_numpy())
    if train.is_label or is_coded:
        return _compare_labels(train, new)
    return _compare_numbers(train.name, "number", as_numbers(train), as_numbers(new))


def _compare_numbers(name: str, kind: str, train: np.ndarray, new: np.ndarray) -> _Column:
    """Compare numbers or dates, NaN or NaT if missing, with the training range."""
    known, present = ~pd.isna(train), ~pd.isna(new)
    if not known.any():
        nothing = np.zeros(len(new), dtype=bool)
        ways = {"below_min": nothing, "above_max": nothing, "unseen": present, "newly_missing": nothing}
        return _Column(_line(name, kind, ways), ways, np.zeros(2, dtype=np.intp))
    positions = np.flatnonzero(known)
    edges = positions[[train[known].argmin(), train[known].argmax()]]
    lowest, highest = train[edges]
    ways = {
        "below_min": present & (new < lowest),
        "above_max": present & (new > highest),
        "unseen": np.zeros(len(new), dtype=bool),
        "newly_missing": ~present & known.all(),
    }
    line = _line(name, kind, ways) | {"train_min": _plain(lowest), "train_max": _plain(highest)}
    if (ways["below_min"] | ways["above_max"]).any():
        least, most = new[present].min(), new[present].max()
        line["most_extreme"] = _plain(least if lowest - least > most - highest else most)
    return _Column(line, ways, edges)


def _compare_labels(train: Column, new: Column) -> _Column:
    known, (codes, labels) = set(train.as_labels().in_use), new.as_labels()
    is_unseen = np.array([label not in known for label in labels] + [False])  # the last entry is for missing values
    unseen, nothing = is_unseen[codes], np.zeros(len(codes), dtype=bool)
    newly_missing = new.missing & (not train.missing.any())
    ways = {"below_min": nothing, "above_max": nothing, "unseen": unseen, "newly_missing": newly_missing}
    line = _line(train.name, "labels", ways) | {"n_labels": len(known)}
    if unseen.any():
        line["most_extreme"] = pd.Series([labels[code] for code in codes[unseen]], dtype=object).mode()[0]
    return _Column(line, ways, np.zeros(2, dtype=np.intp))


def _line(name: str, kind: str, ways: dict[str, np.ndarray]) -> dict[str, Any]:
    shares = {way: float(rows.mean()) for way, rows in ways.items()}
    empty = {"train_min": None, "train_max": None, "n_labels": np.nan}
    return {"column": name, "kind": kind} | empty | shares | {"outside": sum(shares.values()), "most_extreme": None}


def _plain(value: Any) -> Any:
    return pd.Timestamp(value) if isinstance(value, np.datetime64) else value.item()


@dataclass(frozen=True)
class _Trial:
    """Predicts new rows with a column clipped to its training range."""

    predict: Any
    trees: Any  # None for models other than forests
    X_train: Any
    X_new: Any

    def at_the_edge(self, column: _Column, rows: np.ndarray) -> tuple[float, float]:
        """Return the share of the given rows whose prediction does not change, and the mean absolute change."""
        if not len(rows):
            return np.nan, np.nan
        name = column.line["column"]
        sources = {} if self.trees is None else self.trees.sources
        seen = [position for position, source in enumerate(sources.values()) if source == name]
        before, after = self._of_trees(seen, rows) if seen else self._of_rows(name, column, rows)
        change = np.abs(after - before).max(axis=1)
        return float((change <= _SAME * (1 + np.abs(before).max())).mean()), float(change.mean())

    def _of_trees(self, seen: list[int], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the predictions before and after all encoded values of the column are clipped."""
        matrix = self._new[rows]
        changed = matrix.copy()
        lowest, highest = self._range
        changed[:, seen] = np.clip(matrix[:, seen], lowest[seen], highest[seen])
        return self._predict_matrix(matrix), self._predict_matrix(changed)

    def _of_rows(self, name: str, column: _Column, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the predictions before and after the raw value is clipped."""
        given, train = take_rows(self.X_new, rows), read_frame(self.X_train)
        frame = read_frame(given)
        edge = column.edges[column.ways["above_max"][rows].astype(np.intp)]
        position = list(train.columns).index(name)
        label = name if name in frame.columns else frame.columns[position]
        changed = frame.assign(**{label: train[name].iloc[edge].set_axis(frame.index)})
        return self.predict(given), self.predict(changed if is_table(given) else changed.to_numpy())

    @cached_property
    def _new(self) -> np.ndarray:
        return self.trees.matrix(self.X_new)

    @cached_property
    def _range(self) -> np.ndarray:
        matrix = self.trees.matrix(self.X_train)
        return np.stack([matrix.min(axis=0), matrix.max(axis=0)])

    def _predict_matrix(self, matrix: np.ndarray) -> np.ndarray:
        trees: Any = self.trees
        total: Any = sum(trees.values(tree)[tree.apply(matrix)] for tree in trees.trees)
        return total.reshape(len(matrix), -1) / len(trees.trees)


_EDGE_NAMES = ["min", "max", "share_at_min", "share_at_max", "train_share_at_min", "train_share_at_max"]


def _edge_of_predictions(
    model: Any, predict: Any, X_train: Any, X_new: Any, most: int, generator: np.random.Generator
) -> pd.Series:
    if is_classifier(model):
        return pd.Series(np.nan, index=_EDGE_NAMES)
    train, new = (predict(take_rows(X, sample_rows(len(read_frame(X)), most, generator))) for X in (X_train, X_new))
    lowest, highest = train.min(axis=0), train.max(axis=0)
    near = _AT_EDGE * (highest - lowest)
    shares = [
        is_there.any(axis=1).mean()
        for predicted in (new, train)
        for is_there in (predicted <= lowest + near, predicted >= highest - near)
    ]
    return pd.Series([lowest.min(), highest.max(), *shares], index=_EDGE_NAMES)
