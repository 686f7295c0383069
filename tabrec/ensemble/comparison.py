"""`compare_models`: models fitted to the same folds and scored on the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import cross_validate
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import StrOptions, validate_params

from tabrec.ensemble.folds import Folds, make_folds
from tabrec.ensemble.members import KINDS, Members, is_pair, read_members
from tabrec.plotting.axes import BLUE, GREY, finish, row_axes
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.messages import distinct_warnings, warn_caller
from tabrec.tables.progress import Progress, show_progress
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target, has_numbers_to_predict
from tabrec.tables.verbosity import VERBOSE

_RMSE = "neg_root_mean_squared_error"
# Names of scores in tables that differ from those of scikit-learn's scorers.
_NAMES = {_RMSE: "rmse"}
_ROW_PITCH = (6.4, 1.2, 0.32)


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """A leaderboard of models, with the scores of each fold behind it.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each model, the best first: `model`, the mean of the metric over the folds, its `standard_error` over
        the folds, and `fit_seconds` and `predict_seconds`, means of one fold. Metrics with names that begin with
        "neg_" are errors: they are shown without this prefix, as positive numbers.
    by_fold : pandas.DataFrame
        A row for each model and fold: `model`, `fold`, the metrics, `fit_seconds` and `predict_seconds`.
    metric : str
        Name of the metric in the tables.
    estimators : dict of str to list of estimators
        The models fitted to each fold, with ``return_estimator=True``.

    See Also
    --------
    compare_models : Makes a comparison.

    Examples
    --------
    >>> from tabrec import compare_models
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(200, random_state=0)[["SalePrice", "YearMade", "ProductSize"]]
    >>> comparison = compare_models(auctions, auctions.pop("SalePrice"), ["forest", "linear"], cv=2)
    >>> comparison.by_fold["model"].value_counts().to_dict()
    {'forest': 2, 'linear': 2}
    """

    table: pd.DataFrame
    by_fold: pd.DataFrame
    metric: str
    estimators: dict[str, list[Any]] = field(default_factory=dict, repr=False)

    def plot(self, *, ax: Any = None) -> Any:
        """Draw the metric of each model: the folds, their mean and its standard error.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None makes a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        ax = row_axes(ax, self.table["model"], _ROW_PITCH)
        rows = dict(zip(self.table["model"], range(len(self.table)), strict=True))
        folds = self.by_fold
        ax.scatter(folds[self.metric], folds["model"].map(rows), s=14, color=GREY, alpha=0.6, label="folds")
        means, errors = self.table[self.metric], self.table["standard_error"].fillna(0)
        ax.errorbar(
            means, list(rows.values()), xerr=errors, fmt="o", color=BLUE, capsize=3, label="mean ± standard error"
        )
        ax.set_xlabel(f"{self.metric.replace('_', ' ')}, {folds['fold'].nunique()} folds")
        ax.legend()
        return finish(ax)

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)


@validate_params(
    {
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "task": [StrOptions({"auto", "regression", "classification"})],
        "return_estimator": ["boolean"],
        "random_state": ["random_state"],
        "verbose": VERBOSE,
    },
    prefer_skip_nested_validation=False,
)
def compare_models(
    X: Any,
    y: Any,
    models: Any = "all",
    *,
    cv: Any = 5,
    scoring: Any = None,
    groups: Any = None,
    task: str = "auto",
    return_estimator: bool = False,
    random_state: Any = 0,
    verbose: bool | int | str = "auto",
) -> ModelComparison:
    """Compare models by cross-validation on the same folds.

    Parameters
    ----------
    X : table or array-like of shape (n_rows, n_features)
        A raw pandas, polars or arrow table; each model encodes it by itself.
    y : array-like of shape (n_rows,)
        Target, without gaps.
    models : "all" or list of str and of (str, estimator), default="all"
        Short names of models with default parameters ("forest", "extra_trees", "linear", "boosting", "net",
        "neighbors"; "all" is all of them), and pairs of a name and an estimator.
    cv : int, cross-validation splitter, iterable or None, default=5
        Number of random folds (5 for None), or folds by a splitter, such as ``TimeSplit(3, column="saledate")``.
    scoring : str, callable or None, default=None
        A scorer of scikit-learn, or a function ``scoring(model, X, y)`` that returns a number or a dict of numbers, of
        which the first ranks the models; greater is better. None takes the RMSE, or the log-loss over the rows whose
        class is in the training rows.
    groups : array-like of shape (n_rows,), default=None
        Groups, or times, of the rows, for the splitter `cv`.
    task : {"auto", "regression", "classification"}, default="auto"
        "auto" is the task of the first estimator given, or else classification for text, booleans, categories and two
        distinct numbers.
    return_estimator : bool, default=False
        Whether to keep the models fitted to each fold.
    random_state : int, RandomState or None, default=0
        Seed of random folds, and of models whose own is None.
    verbose : bool, int or "auto", default="auto"
        Whether to show a table by model and the time left; "auto" does so in terminals and notebooks.

    Returns
    -------
    ModelComparison
        The leaderboard, the scores of each fold and a plot.

    Raises
    ------
    ValueError
        If the data or the names of models are invalid. If all models fail, the error of the first one.

    Warns
    -----
    UserWarning
        A model fails: it is left out.

    See Also
    --------
    EnsembleRegressor, EnsembleClassifier : Weighted means of such models, with a leaderboard of the same kind.
    tabrec.runs.train : Compares models on a table and saves the best one.

    Examples
    --------
    >>> from tabrec import BoostingRegressor, ForestRegressor, compare_models
    >>> from tabrec.datasets import make_auctions
    >>> auctions = make_auctions(300, random_state=0)[["SalePrice", "YearMade", "ProductSize"]]
    >>> price = auctions.pop("SalePrice")
    >>> models = [("forest", ForestRegressor(20)), ("boosting", BoostingRegressor(max_iter=20)), "linear"]
    >>> comparison = compare_models(auctions, price, models, cv=3)
    >>> comparison.table.columns.tolist()
    ['model', 'rmse', 'standard_error', 'fit_seconds', 'predict_seconds']
    """
    frame = read_frame(X)
    check_row_labels(X, y=y, groups=groups)
    given = list(KINDS) if isinstance(models, str) and models == "all" else models
    of_classes = _is_classification(given, y, task)
    y = check_target(y, len(frame), "compare_models", numeric=not of_classes)
    is_seed = isinstance(random_state, (int, np.integer))
    seed = random_state if is_seed else int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    members = read_members("models", given, of_classes=of_classes, seed=seed)
    codes = np.unique(y, return_inverse=True)[1] if of_classes else None
    folds = make_folds(cv, frame, y, groups, codes=codes, seed=seed)
    if isinstance(scoring, str):
        check_scoring(scoring, y, of_classes=of_classes)
    scoring = scoring or default_scoring(of_classes=of_classes)
    table = frame if is_table(X) else frame.to_numpy()
    with distinct_warnings(), show_progress("Comparing models", len(members) * len(folds), verbose) as progress:
        scores, kept = _score_all(members, table, y, folds, scoring, return_estimator, progress)
    errors = [name for name in scores.columns if name.startswith("neg_")]
    by_fold = scores.assign(**{name: -scores[name] for name in errors}).rename(columns=score_name)
    metric = by_fold.columns[2]
    return ModelComparison(_summarise(by_fold, metric, scores.columns[2] in errors), by_fold, metric, kept)


def check_scoring(scoring: str, y: np.ndarray, *, of_classes: bool) -> None:
    """Raise a ValueError if a scorer of scikit-learn cannot score predictions of `y`, before any model is fitted."""
    rows = np.zeros((len(y), 1))
    model = (DummyClassifier(strategy="prior") if of_classes else DummyRegressor()).fit(rows, y)
    try:
        get_scorer(scoring)(model, rows, y)
    except (AttributeError, ValueError) as error:
        what = "classes" if of_classes else "numbers"
        raise ValueError(f"scoring={scoring!r} cannot score predictions of {what} such as y: {error}") from error


def default_scoring(*, of_classes: bool) -> Any:
    """Return the scoring of the RMSE, or of the log-loss over known classes."""
    return _log_loss_of_known if of_classes else _RMSE


def score_name(scorer: Any) -> str:
    """Return the name of a scorer of scikit-learn in tables, where errors are positive."""
    return _NAMES.get(scorer, scorer.removeprefix("neg_"))


def _score_all(
    members: Members, X: Any, y: np.ndarray, folds: Folds, scoring: Any, keeps: bool, progress: Progress
) -> tuple[pd.DataFrame, dict[str, list[Any]]]:
    """Score all models that can be fitted: a row per model and fold, and the fitted models if `keeps`."""
    rows: list[dict[str, Any]] = []
    kept: dict[str, list[Any]] = {}
    errors: dict[str, Exception] = {}
    for name, estimator in members:
        try:
            found = []
            for fold in folds:
                found.append(score_fold(estimator, X, y, fold, scoring))
                progress.advance()
        except Exception as error:
            errors[name] = error
            continue
        rows += [{"model": name, "fold": number, **row} for number, (row, _) in enumerate(found, start=1)]
        if keeps:
            kept[name] = [model for _, model in found]
        progress.add_row(_describe(name, [row for row, _ in found]))
    if not rows:
        raise next(iter(errors.values()))
    for name, failure in errors.items():
        warn_caller(f"Model {name!r} is left out: {type(failure).__name__}: {failure}")
    return pd.DataFrame(rows), kept


def score_fold(
    estimator: Any, X: Any, y: np.ndarray, fold: tuple[np.ndarray, np.ndarray], scoring: Any
) -> tuple[dict[str, float], Any]:
    """Fit and score a model on a fold; returns the scores, the seconds to fit and predict, and the model."""
    found = cross_validate(estimator, X, y, cv=[fold], scoring=scoring, error_score="raise", return_estimator=True)
    scores = {key.removeprefix("test_"): float(values[0]) for key, values in found.items() if key.startswith("test_")}
    if isinstance(scoring, str):
        scores = {scoring: scores["score"]}
    return {**scores, "fit_seconds": found["fit_time"][0], "predict_seconds": found["score_time"][0]}, found[
        "estimator"
    ][0]


def _describe(name: str, rows: list[dict[str, float]]) -> dict[str, str]:
    """Return a row of the progress table."""
    metric = next(iter(rows[0]))
    mean = np.mean([row[metric] for row in rows]) * (-1 if metric.startswith("neg_") else 1)
    seconds = sum(row["fit_seconds"] + row["predict_seconds"] for row in rows)
    return {"model": name, score_name(metric): f"{mean:.4g}", "seconds": f"{seconds:.1f}"}


def _summarise(by_fold: pd.DataFrame, metric: str, is_error: bool) -> pd.DataFrame:
    """Return a row for each model, the best first."""
    groups = by_fold.groupby("model", sort=False)
    table = pd.DataFrame(
        {
            metric: groups[metric].mean(),
            "standard_error": groups[metric].std(ddof=1) / np.sqrt(groups[metric].count()),
            "fit_seconds": groups["fit_seconds"].mean(),
            "predict_seconds": groups["predict_seconds"].mean(),
        }
    )
    return table.sort_values(metric, ascending=is_error, kind="stable").reset_index()


def _log_loss_of_known(model: Any, X: Any, y: np.ndarray) -> dict[str, float]:
    """Return the log-loss over rows of classes that occur in training; NaN if there are none."""
    known = np.isin(y, model.classes_)
    if not known.any() or len(model.classes_) < 2:
        return {"neg_log_loss": 0.0 if known.any() else np.nan}
    probabilities = model.predict_proba(X)[known]
    return {"neg_log_loss": -float(log_loss(y[known], probabilities, labels=model.classes_))}


def _is_classification(models: Any, y: Any, task: str) -> bool:
    if task != "auto":
        return task == "classification"
    estimators = [entry[1] for entry in models if is_pair(entry) and hasattr(entry[1], "fit")]
    return is_classifier(estimators[0]) if estimators else not has_numbers_to_predict(y)
