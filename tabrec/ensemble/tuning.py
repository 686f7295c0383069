"""`tune`: parameters of a model, searched by cross-validation within a budget of seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from tabrec.ensemble.candidates import (
    Candidate,
    SearchRecord,
    check_space,
    make_draws,
    read_draw,
    score_candidate,
    search_key,
)
from tabrec.ensemble.clock import Clock, OutOfTime
from tabrec.ensemble.comparison import check_scoring, default_scoring, score_name
from tabrec.ensemble.folds import make_folds
from tabrec.ensemble.members import read_members
from tabrec.ensemble.search_spaces import search_space
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.messages import distinct_warnings
from tabrec.tables.progress import show_progress
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target
from tabrec.tables.verbosity import VERBOSE


@dataclass(frozen=True, eq=False)
class Tuning:
    """The best parameters of a search, with all candidates behind them.

    Attributes
    ----------
    best_params : dict of str to object
        Parameters of the candidate with the best mean over the folds; empty if these are the given ones.
    best_estimator : estimator
        The given estimator with these parameters, not fitted.
    table : pandas.DataFrame
        A row for each candidate in the order of the search, the first with the given parameters: `trial`, the mean of
        the metric, its `standard_error` over the folds, `n_folds` (fewer for candidates that were given up), `seconds`
        and the parameters. Metrics with names that begin with "neg_" are errors, shown as positive numbers.
    metric : str
        Name of the metric in the table.

    See Also
    --------
    tune : Makes a search.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from tabrec import tune
    >>> tuning = tune(Ridge(), [[row] for row in range(30)], range(30), n_trials=3)
    >>> tuning.table["trial"].tolist()
    [0, 1, 2]
    """

    table: pd.DataFrame
    metric: str
    best_params: dict[str, Any]
    best_estimator: Any

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "budget": [Interval(Real, 0, None, closed="neither"), None],
        "n_trials": [Interval(Integral, 1, None, closed="left"), None],
        "space": [dict, None],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "path": [str, os.PathLike, None],
        "random_state": [Integral],
        "verbose": VERBOSE,
    },
    prefer_skip_nested_validation=False,
)
def tune(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    budget: float | None = 300.0,
    n_trials: int | None = None,
    space: Mapping[str, Any] | None = None,
    cv: Any = 5,
    scoring: Any = None,
    groups: Any = None,
    path: str | os.PathLike | None = None,
    random_state: int = 0,
    verbose: bool | int | str = "auto",
) -> Tuning:
    """Search parameters of a model by cross-validation.

    The given parameters are the first candidate; the others are proposed by Optuna (``pip install tabrec[tune]``), or
    drawn at random where it is not installed. Candidates that are worse than the best one are given up early.

    Parameters
    ----------
    estimator : estimator
        A forest, boosting or a net, or any estimator with `space`.
    X : table or array-like of shape (n_rows, n_features)
        A raw pandas, polars or arrow table.
    y : array-like of shape (n_rows,)
        Target, without gaps.
    budget : float, default=300
        Seconds of this call; the candidate that is then being fitted is dropped. None sets no limit, and requires
        `n_trials`.
    n_trials : int, default=None
        Number of candidates, those of an earlier call included. None is as many as the budget allows.
    space : dict of str to list or distribution, default=None
        Values of parameters, as for `sklearn.model_selection.RandomizedSearchCV`. None is `search_space(estimator)`.
    cv : int, cross-validation splitter, iterable or None, default=5
        Number of random folds (None is 5), or folds by a splitter.
    scoring : str, callable or None, default=None
        As in `compare_models`.
    groups : array-like of shape (n_rows,), default=None
        Groups, or times, of the rows, for the splitter `cv`.
    path : str or path-like, default=None
        File of the search, which is written after every candidate. If it exists, the search in it is continued.
    random_state : int, default=0
        Seed of random folds, of the candidates, and of the estimator if its own is None.
    verbose : bool, int or "auto", default="auto"
        Whether to show a table by candidate and the time left; "auto" does so in terminals and notebooks.

    Returns
    -------
    Tuning
        The best parameters and a table of all candidates.

    Raises
    ------
    ValueError
        If the data or the space are invalid, the budget is too short for the first candidate, or the file at `path`
        holds the search of another estimator, table or space.

    See Also
    --------
    search_space : The parameters that are searched, and their values.
    compare_models : Scores of models with given parameters.
    sklearn.model_selection.HalvingRandomSearchCV : A search by growing numbers of rows.

    References
    ----------
    Akiba, Sano, Yanase, Ohta & Koyama (2019), "Optuna: a next-generation hyperparameter optimization framework".

    Examples
    --------
    >>> from tabrec import BoostingRegressor, tune
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(200, random_state=0)[["SalePrice", "YearMade", "ProductSize"]]
    >>> price = auctions.pop("SalePrice")
    >>> space = {"learning_rate": [0.02, 0.05, 0.1, 0.2]}
    >>> tuning = tune(BoostingRegressor(max_iter=20), auctions, price, n_trials=3, space=space, cv=2)
    >>> best = tuning.best_estimator.fit(auctions, price)
    """
    if budget is None and n_trials is None:
        raise ValueError("budget=None requires n_trials: the search would not end.")
    frame = read_frame(X)
    check_row_labels(X, y=y, groups=groups)
    of_classes = is_classifier(estimator)
    y = check_target(y, len(frame), "tune", numeric=not of_classes)
    [(_, base)] = read_members("estimator", [("model", estimator)], of_classes=of_classes, seed=int(random_state))
    space = check_space(base, search_space(base) if space is None else dict(space))
    if isinstance(scoring, str):
        check_scoring(scoring, y, of_classes=of_classes)
    codes = np.unique(y, return_inverse=True)[1] if of_classes else None
    folds = make_folds(cv, frame, y, groups, codes=codes, seed=int(random_state))
    tests = np.concatenate([test for _, test in folds])
    record = SearchRecord(path, search_key(base, y, tests, sorted(space), getattr(scoring, "__qualname__", scoring)))
    clock, draws = Clock(budget), make_draws(space, int(random_state), record.candidates)
    scored = (frame if is_table(X) else frame.to_numpy(), y, folds, scoring or default_scoring(of_classes=of_classes))
    started, seconds = time.perf_counter(), None if budget is None else int(np.ceil(budget))
    with (
        distinct_warnings(),
        show_progress("Tuning, seconds", seconds, verbose, lambda: int(time.perf_counter() - started)) as progress,
    ):
        while n_trials is None or len(record.candidates) < n_trials:
            draw = draws.ask() if record.candidates else {}
            try:
                with clock.limit():
                    candidate, metric = score_candidate(base, draw, read_draw(draw, space), *scored, record.best)
            except OutOfTime:
                break
            record.add(candidate, metric)
            draws.tell(candidate)
            progress.add_row(_describe(candidate, record))
    return _summarise(record, base, space, budget)


def _sign(metric: str) -> int:
    return -1 if metric.startswith("neg_") else 1


def _describe(candidate: Candidate, record: SearchRecord) -> dict[str, str]:
    """Return a line of the table that is shown."""
    best, sign = record.best, _sign(record.metric)
    return {
        "trial": str(len(record.candidates) - 1),
        score_name(record.metric): f"{sign * candidate.mean:.4g}" if candidate.error is None else "failed",
        "best": "" if best is None else f"{sign * best.mean:.4g}",
        "folds": str(len(candidate.scores)),
        "seconds": f"{candidate.seconds:.1f}",
    }


def _summarise(record: SearchRecord, base: Any, space: dict[str, Any], budget: float | None) -> Tuning:
    best = record.best
    if best is None:
        raise ValueError(f"budget={budget} is too short for the first candidate, {base!r}: raise it.")
    metric, sign = score_name(record.metric), _sign(record.metric)
    rows = [
        {
            "trial": number,
            metric: sign * found.mean if found.error is None else np.nan,
            "standard_error": np.std(found.scores, ddof=1) / np.sqrt(len(found.scores)) if found.scores[1:] else np.nan,
            "n_folds": len(found.scores),
            "seconds": found.seconds,
            **(base.get_params() | read_draw(found.draw, space) if space else {}),
        }
        for number, found in enumerate(record.candidates)
    ]
    table = pd.DataFrame(rows)[["trial", metric, "standard_error", "n_folds", "seconds", *space]]
    params = read_draw(best.draw, space)
    return Tuning(table, metric, params, clone(base).set_params(**params))
