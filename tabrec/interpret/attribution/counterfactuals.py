"""`counterfactuals`: the fewest changes of a row that would change its prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.interpret._numbers import show_number
from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.attribution._counterfactual_search import KEEP, Distances, GoalSearch, choose_donors, search
from tabrec.interpret.attribution._shown_values import to_text
from tabrec.interpret.models import classes_of, fitted_columns, predictor
from tabrec.plotting.axes import BLUE, GREY, finish, ink, number_axis, row_axes, shorten
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.names import as_named

_UNUSUAL = 0.05  # changed rows of lower plausibility are reported as unlike the data


@dataclass(frozen=True, repr=False)
class Counterfactuals(Result):
    """The fewest changes of a row that reach another prediction; the result of `counterfactuals`.

    Attributes
    ----------
    table : pandas.DataFrame
        One row for each set of changes, those that resemble the data and change least first: ``changes``, in words;
        ``n_changes``; ``prediction``, or the probability of the wanted class; ``distance`` from the row, from 0 to 1,
        the mean over the columns (a difference of ranks for numbers and dates, 1 for another label); ``plausibility``,
        the share of rows of the data that are at least as far from the nearest other row: near 0 where no row is
        similar to the changed one. Empty if none was found.
    rows : pandas.DataFrame
        The changed rows, in the order of the table.
    prediction : float
        The prediction of the unchanged row, or its probability of the wanted class.
    goal : object
        The wanted class, or the interval (low, high) of wanted predictions.
    threshold : float or None
        The probability to reach; None where the wanted class has to be the most probable one.
    is_complete : bool
        Whether all combinations of fewer changes of the tried values were tried, so that none of them reaches the goal.
    findings : list of Finding
        The first changes in a sentence, or that none was found.

    See Also
    --------
    counterfactuals : Makes it.
    """

    table: pd.DataFrame
    rows: pd.DataFrame
    prediction: float
    goal: Any
    threshold: float | None
    is_complete: bool
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the prediction of the row and of each set of changes; grey ones are unlike the data.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        names = ["the row as it is", *self.table["changes"]]
        ax = row_axes(ax, [], (7.0, 1.4 + 0.34 * len(names), 0))
        ax.set_yticks(range(len(names)), [shorten(name, 60) for name in names], fontsize=8)
        ax.set_ylim(len(names) - 0.4, -0.6)
        values = [self.prediction, *self.table["prediction"]]
        colours = [BLUE if each >= _UNUSUAL else GREY for each in self.table["plausibility"]]
        ax.hlines(range(1, len(names)), self.prediction, values[1:], color=GREY, linewidth=1)
        ax.scatter(values, range(len(names)), color=[ink(), *colours], zorder=3)
        is_number = isinstance(self.goal, tuple)
        for end in self.goal if is_number else (np.inf if self.threshold is None else self.threshold,):
            if np.isfinite(end):
                ax.axvline(end, color=ink(), linestyle=":", linewidth=1)
        number_axis(ax.xaxis)
        note = "; grey: unlike the data" if GREY in colours else ""
        ax.set_xlabel(f"prediction{note}" if is_number else f"probability of {shorten(self.goal, 20)}{note}")
        return finish(ax)


@check_parameters(
    changeable=["array-like"],
    threshold=[Interval(Real, 0, 1, closed="neither"), None],
    max_changes=[at_least(1)],
    n_values=[at_least(1)],
    n_largest=[at_least(1)],
    random_state=RANDOM_STATE,
)
def counterfactuals(
    model: Any,
    row: Any,
    X: Any,
    changeable: Sequence[str],
    *,
    goal: Any = None,
    threshold: float | None = None,
    max_changes: int = 3,
    n_values: int = 20,
    n_largest: int = 5,
    random_state: Any = 0,
) -> Counterfactuals:
    """Find the fewest changes of a row that would change its prediction, with values that occur in the data.

    They say what would change the answer of the model, not what a change would do in the real world.

    Parameters
    ----------
    model : estimator
        A fitted regressor of one output or a classifier, or a pipeline.
    row : table or array-like of shape (1, n_features)
        The row to explain, as the model takes it.
    X : table or array-like of shape (n_rows, n_features)
        The data that values are taken from, such as the training rows.
    changeable : list of str
        The columns that may be changed, such as those that a person can influence.
    goal : object, default=None
        The class to reach; None takes the other one of two classes. For a regressor the interval ``(low, high)`` to
        reach, in which None sets no limit.
    threshold : float, default=None
        The probability of the class to reach; None is that it is the most probable one.
    max_changes : int, default=3
        The largest number of columns to change.
    n_values : int, default=20
        Number of values of each column to try: the most frequent labels, or numbers and dates evenly spread by rank.
    n_largest : int, default=5
        Number of sets of changes to return, as far as possible of different columns.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the rows that changed rows are compared with, at most 2,000.

    Returns
    -------
    Counterfactuals

    Raises
    ------
    ValueError
        Not one row, an unknown column or class, a goal that the row reaches already, or none where one is needed.

    See Also
    --------
    contributions : Why the row has its prediction.
    partial_dependence : The mean prediction by the value of a column.

    Notes
    -----
    All single changes are tried, then the best 400 combinations of each size with one more change, until some reach the
    goal. Combinations of two columns are thus complete for up to 400 values of all columns together.

    References
    ----------
    Wachter, Mittelstadt & Russell (2017), "Counterfactual explanations without opening the black box". Keane & Smyth
    (2020), "Good counterfactuals and where to find them". Gower (1971), "A general coefficient of similarity and some
    of its properties".

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from tabrec.interpret import counterfactuals
    >>> X = pd.DataFrame({"income": [1, 2, 3, 4, 5, 6], "debts": [2, 0, 1, 0, 2, 1]})
    >>> model = DecisionTreeClassifier(random_state=0).fit(X, ["no", "no", "no", "yes", "yes", "yes"])
    >>> found = counterfactuals(model, X.head(1), X, ["income"], n_largest=1)
    >>> found.table["changes"].tolist()
    ['income: 1 → 4']
    """
    one, data = (read_frame(as_named(model, given)).reset_index(drop=True) for given in (row, X))
    columns = [name for name in fitted_columns(model, one) if name in one]
    _check_request(one, data, columns, changeable)
    as_array = not is_table(row) and not hasattr(model, "feature_names_in_")
    both = pd.concat([data[columns], one[columns]], ignore_index=True)
    start = predictor(model)(one[columns].to_numpy() if as_array else one[columns])
    task = _ChangedRow(model, both, list(changeable), _read_goal(model, goal, threshold, start[0]), as_array)
    if task.goal.scores(start)[0] >= 0:
        raise ValueError(f"The row reaches goal={task.goal.wanted!r} as it is: its prediction is {start[0]}.")
    own = both.iloc[-1]
    donors = [choose_donors(both[name].iloc[:-1], own[name], n_values) for name in changeable]
    found, best = search(lambda combinations: task.goal.scores(task.predict(combinations)), donors, max_changes)
    unchanged = float(task.goal.shown(start)[0])
    chosen, table = _describe(task, found, n_largest, np.random.default_rng(random_state))
    finding = _state_found(task, table, unchanged, found) if len(table) else _state_none(task, unchanged, found, best)
    wanted, limit = task.goal.wanted, task.goal.threshold
    return Counterfactuals(table, task.changed(chosen), unchanged, wanted, limit, found.is_complete, [finding])


@dataclass(frozen=True)
class _Goal:
    """The goal: a class, by its position, or an interval of predictions."""

    wanted: Any
    position: int | None
    threshold: float | None

    def shown(self, predicted: np.ndarray) -> np.ndarray:
        """Return the predictions, or the probabilities of the wanted class."""
        return predicted[:, 0 if self.position is None else self.position]

    def scores(self, predicted: np.ndarray) -> np.ndarray:
        """Return the margin by which predictions reach the goal; negative if they miss it."""
        shown = self.shown(predicted)
        if self.position is None:
            return np.minimum(shown - self.wanted[0], self.wanted[1] - shown)
        if self.threshold is not None:
            return shown - self.threshold
        others = np.delete(predicted, self.position, axis=1).max(axis=1)
        return np.where(shown > others, shown - others, np.minimum(shown - others, -1e-12))


@dataclass(frozen=True)
class _ChangedRow:
    """A task: the model, the data followed by the row to explain, the changeable columns and the goal."""

    model: Any
    table: pd.DataFrame
    changeable: list[str]
    goal: _Goal
    as_array: bool

    def sources(self, combinations: np.ndarray) -> np.ndarray:
        """Return the rows from which the changeable columns of changed rows are taken."""
        return np.where(combinations == KEEP, len(self.table) - 1, combinations)

    def changed(self, combinations: np.ndarray) -> pd.DataFrame:
        rows = self.table.iloc[np.full(len(combinations), len(self.table) - 1)].reset_index(drop=True)
        for name, sources in zip(self.changeable, self.sources(combinations).T, strict=True):
            rows[name] = self.table[name].array.take(sources)
        return rows

    def predict(self, combinations: np.ndarray) -> np.ndarray:
        rows = self.changed(combinations)
        return predictor(self.model)(rows.to_numpy() if self.as_array else rows)

    def in_words(self, combination: np.ndarray) -> str:
        own = self.table.iloc[-1]
        pairs = zip(self.changeable, combination, strict=True)
        return ", ".join(
            f"{name}: {to_text(own[name])} → {to_text(self.table[name].iloc[donor])}"
            for name, donor in pairs
            if donor != KEEP
        )


def _check_request(one: pd.DataFrame, data: pd.DataFrame, columns: list[str], changeable: Sequence[str]) -> None:
    if len(one) != 1:
        raise ValueError(f"row must be one row, as in X.iloc[[0]], but has {len(one)}.")
    if len(data) < 2:
        raise ValueError(f"X has {len(data)} row(s): values are taken from at least 2.")
    unknown = [name for name in changeable if name not in columns]
    if unknown or not len(changeable):
        raise ValueError(f"changeable={list(changeable)!r} must name columns of the model: {columns[:20]}.")
    absent = [name for name in columns if name not in data]
    if absent:
        raise ValueError(f"X lacks the column(s) {absent[:20]} of the row.")


def _read_goal(model: Any, goal: Any, threshold: float | None, predicted: np.ndarray) -> _Goal:
    classes = classes_of(model)
    if classes is None:
        if threshold is not None:
            raise ValueError("threshold is a probability, for classifiers: give goal=(low, high) for a regressor.")
        if not isinstance(goal, (tuple, list)) or len(goal) != 2 or all(end is None for end in goal):
            raise ValueError(f"goal={goal!r} must be an interval (low, high) for a regressor, with None for no limit.")
        low, high = (-np.inf if goal[0] is None else goal[0]), (np.inf if goal[1] is None else goal[1])
        if not low <= high:
            raise ValueError(f"goal={goal!r} must have low ≤ high.")
        return _Goal((float(low), float(high)), None, None)
    names = classes.tolist()
    if goal is None and len(names) != 2:
        raise ValueError(f"goal must be one of the {len(names)} classes: {names[:20]}.")
    if goal is not None and goal not in names:
        raise ValueError(f"goal={goal!r} must be one of the classes: {names[:20]}.")
    position = int(predicted.argmin()) if goal is None else names.index(goal)
    return _Goal(names[position], position, threshold)


def _describe(
    task: _ChangedRow, found: GoalSearch, n_largest: int, rng: np.random.Generator
) -> tuple[np.ndarray, pd.DataFrame]:
    """Choose the combinations to return, the best of each set of columns first, and make their table."""
    distances = Distances(task.table)
    coded = np.repeat(distances.coded[-1:], len(found.donors), axis=0)
    places = [task.table.columns.get_loc(name) for name in task.changeable]
    sources = task.sources(found.donors)
    for at, place in enumerate(places):
        coded[:, place] = distances.coded[sources[:, at], place]
    apart = distances.to_rows(distances.coded[-1], coded) if len(coded) else np.empty(0)
    nearest = np.argsort(apart, kind="stable")[:200]
    plausible = distances.plausibility(coded[nearest], rng)
    order = np.lexsort([apart[nearest], plausible < _UNUSUAL])
    sets = pd.Series([tuple(donors != KEEP) for donors in found.donors[nearest][order]], dtype=object)
    repeats = sets.groupby(sets).cumcount().to_numpy() if len(sets) else np.empty(0, dtype=int)
    order = order[np.argsort(repeats, kind="stable")[:n_largest]]
    chosen = found.donors[nearest[order]]
    table = pd.DataFrame(
        {
            "changes": [task.in_words(donors) for donors in chosen],
            "n_changes": (chosen != KEEP).sum(axis=1),
            "prediction": task.goal.shown(task.predict(chosen)) if len(chosen) else np.empty(0),
            "distance": apart[nearest[order]],
            "plausibility": plausible[order],
        }
    )
    return chosen, table


def _state_none(task: _ChangedRow, before: float, found: GoalSearch, best: np.ndarray) -> Finding:
    n_changes = (best != KEEP).sum()
    text = f"No change of the {len(task.changeable)} changeable columns was found that reaches the goal."
    evidence = f"{found.n_tried:,} combinations of values of the data were tried."
    if n_changes:
        closest = task.goal.shown(task.predict(best[None]))[0]
        closest = f"{show_number(closest)} instead of {show_number(before)}, with {task.in_words(best)}"
        evidence = f"{evidence[:-1]}; the closest is {closest}."
    action = "Allow more changes or more columns: the prediction may rest on the columns that cannot change."
    return Finding("no counterfactual", 3, tuple(task.changeable), text, evidence, action)


def _state_found(task: _ChangedRow, table: pd.DataFrame, before: float, found: GoalSearch) -> Finding:
    first = table.iloc[0]
    what = "The prediction" if task.goal.position is None else f"The probability of {task.goal.wanted}"
    names = tuple(name for name in task.changeable if f"{name}: " in first["changes"])
    text = (
        f"{what} would be {show_number(first['prediction'])} instead of {show_number(before)} with {first['changes']}."
    )
    fewer = "none of fewer changes reaches the goal" if found.is_complete else "fewer changes may reach it too"
    evidence = f"{found.n_tried:,} combinations of values of the data were tried; {fewer}."
    if first["plausibility"] < _UNUSUAL:
        evidence += " The changed row is unlike the rows of the data."
    else:
        evidence += f" {first['plausibility']:.0%} of the rows of the data are at least as far from their nearest row."
    action = "This describes the model: changing the value in the real world may do something else."
    return Finding("counterfactual", 3, names, text, evidence, action)
