"""Which columns a model relies on, with standard errors: by impurity, by permuting, by dropping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._column_groups import read_groups, sources_of
from tabrec.interpret._models import Trees, predictor, read_trees, split_pipeline
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.metrics import Metric, read_metric
from tabrec.interpret.reliance._importance_methods import (
    FUNCTION,
    Scored,
    as_table,
    drop_columns,
    held_out_rows,
    out_of_bag_rows,
    raw_columns,
    shares_by_tree,
)
from tabrec.interpret.without_columns import draws_rows
from tabrec.plotting.axes import BLUE, GREY, finish, make_axes, shorten
from tabrec.tables.columns import read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import as_named
from tabrec.tables.rows import take_rows
from tabrec.trees.forest_base import ForestMixin

_METHODS = ("auto", "oob", "permutation", "drop", "impurity")
_AXES = {
    "oob": "loss of out-of-bag {metric} when permuted",
    "permutation": "loss of held-out {metric} when permuted",
    "drop": "loss of {metric} when refitted without",
    "impurity": "share of the decrease of impurity",
}
# Impurity flatters a column that trees split in so many places, a share of the rows, and so many times as many as
# another column.
_MANY_PLACES, _TIMES_AS_MANY = 0.1, 10


@dataclass(frozen=True, repr=False)
class FeatureImportance(Result):
    """Importance of columns; what `feature_importance` returns.

    Attributes
    ----------
    table : pandas.DataFrame
        The most important first: ``column`` (encoded for "oob" and "impurity", raw for "permutation" and "drop") or
        name of a group, ``importance``, ``std_error``, ``source`` (the raw column; of a group all of them) and
        ``is_group``.
    method : {"oob", "permutation", "drop", "impurity"}
    metric : str
        What importance is a loss of, as "R²"; "decrease of impurity" for impurity.
    score : float
        The metric with all columns as they are; NaN for impurity.
    groups : dict
        Members of each group by its name.
    findings : list of Finding
        Says so where the model relies on no column.
    """

    table: pd.DataFrame
    method: str
    metric: str
    score: float
    groups: dict[str, list[str]]

    @property
    def is_clear(self) -> pd.Series:
        """Whether each row of the table is above 0 by more than 2 standard errors."""
        table = self.table
        return table["importance"] > 2 * table["std_error"].fillna(0)

    @property
    def findings(self) -> list[Finding]:
        """That no column matters clearly, where none does."""
        return [] if self.is_clear.any() or self.table.empty else [self._nothing_matters()]

    def _nothing_matters(self) -> Finding:
        if self.method == "impurity":
            text, evidence = "The trees split on no column.", "They predict the same for every row."
        else:
            largest = self.table.iloc[0]
            text = "The model relies on no column clearly."
            evidence = (
                f"The largest {_AXES[self.method].format(metric=self.metric)} is {largest['importance']:.2g}, of "
                f"{largest['column']}, with a standard error of {largest['std_error']:.2g}."
            )
        action = (
            "Look at its score: it may be no better than a guess. Else columns stand in for one another; group them."
        )
        return Finding("nothing relied on", 2, (), text, evidence, action)

    def plot(self, ax: Any = None, n: int = 30) -> Any:
        """Rank the `n` most important: bars with 2 standard errors, grey where not clearly above 0.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            That of a new figure where None.
        n : int, default=30

        Returns
        -------
        matplotlib.axes.Axes
        """
        table = self.table.head(n)
        ax = make_axes(ax, (7.0, 1.0 + 0.24 * len(table)))
        colours = np.where(self.is_clear.head(n), BLUE, GREY)
        at = np.arange(len(table))
        error = 2 * table["std_error"].fillna(0)
        ax.barh(at, table["importance"], color=colours, height=0.7, xerr=error, error_kw={"lw": 1, "alpha": 0.7})
        ax.axvline(0, color=GREY, lw=1)
        ax.set_yticks(at, [self._label(row) for row in table.itertuples()], fontsize=8)
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlabel(_AXES[self.method].format(metric=self.metric) + "\n(± 2 standard errors)")
        ax.set_axisbelow(True)
        said = [finding.text for finding in self.findings]
        said += [f"the first {len(table)} of {len(self.table)}"] if len(table) < len(self.table) else []
        ax.set_title(" ".join(said), fontsize=9, loc="left")
        return finish(ax)

    def _label(self, row: Any) -> str:
        label = shorten(row.column)
        return f"{label} ({len(self.groups[row.column])} columns)" if row.is_group else label


def feature_importance(
    model: Any,
    X: Any = None,
    y: Any = None,
    method: str = "auto",
    *,
    groups: Any = None,
    metric: str | None = None,
    n_repeats: int | None = None,
    max_rows: int | None = 20_000,
    random_state: Any = 0,
) -> FeatureImportance:
    """Which columns a fitted model relies on.

    Parameters
    ----------
    model : estimator
        Fitted; any regressor or classifier, or a pipeline.
    X : table or array-like of shape (n_rows, n_features), default=None
    y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
    method : {"auto", "oob", "permutation", "drop", "impurity"}, default="auto"
        - "oob": for forests that draw rows. X and y are those of fit. Each encoded column is permuted, and each row
          predicted by the trees that left it out. One permutation serves all trees, so that results are comparable
          with those of "permutation" on rows held out.
        - "permutation": for any model. X and y are rows held out of fit. Each raw column is permuted.
        - "drop": X and y are those of fit. The model is refitted (without weights) without each raw column, and scored
          out of bag, or by 5 folds where it leaves no rows out.
        - "impurity": how much the splits on a column decrease impurity in training. It needs no rows, but flatters
          columns of many distinct values: a warning names them, with X and y (of fit) only those whose out-of-bag
          importance is not above 0 within 2 standard errors.
        - "auto": without X impurity; with as many rows as a forest that draws rows was fitted on "oob"; otherwise
          "permutation".
    groups : None, "source", dict, list of lists, or the result of `redundancy`, default=None
        Columns to permute (or drop) together, besides each alone: "source" for all encoded columns of a raw one (as the
        parts of a date), a dict of lists by name, lists, or clusters of redundant columns.
    metric : {"r2", "rmse", "mae", "accuracy", "log_loss"}, default=None
        What importance is a loss of; by default R² of a regressor, accuracy of a classifier.
    n_repeats : int, default=None
        Permutations of each column; by default as many as make up 20,000 rows, from 1 to 5.
    max_rows : int, default=20_000
        At most so many rows, drawn at random, are scored by "oob" and "permutation"; None for all.
    random_state : int, numpy.random.Generator or None, default=0

    Returns
    -------
    FeatureImportance

    Raises
    ------
    ValueError
        Rows that are not those of fit for "oob", one row only for "permutation", missing columns, an unknown column in
        `groups`, or an unknown option.
    TypeError
        "impurity" or "oob" of a model without trees.

    Notes
    -----
    Standard errors are those of the scored rows and permutations for this one model (for "drop", of the rows); they do
    not tell how another fit would differ.

    References
    ----------
    Breiman, "Random Forests", Machine Learning 45 (2001). Howard & Gugger, *Deep Learning for Coders with fastai and
    PyTorch*, chapter 9, "Feature Importance". Strobl et al., "Bias in random forest variable importance measures", BMC
    Bioinformatics 8 (2007).

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import feature_importance
    >>> sales = make_auctions(300, random_state=0)
    >>> X = sales[["YearMade", "ProductSize", "SalesID"]]
    >>> forest = ForestRegressor(n_estimators=20, random_state=0).fit(X, sales["SalePrice"])
    >>> found = feature_importance(forest, X, sales["SalePrice"])
    >>> found.method, found.table["column"][0]
    ('oob', 'ProductSize')
    """
    check_is_fitted(split_pipeline(model)[1])
    X = X if X is None else as_named(model, X)
    method = _choose(model, X, y, method)
    _check_counts(n_repeats, max_rows)
    rng = np.random.default_rng(random_state)
    if method == "impurity":
        return _impurity(model, X, y, groups, rng)
    measure = read_metric(model, metric, default="r2")
    if method == "drop":
        predictor(model)(take_rows(X, np.arange(1)))  # names what is missing
        columns = raw_columns(model, X)
        named = read_groups(groups, columns, sources_of(model, columns))
        _check_some_left([*[[name] for name in columns], *named.values()], columns)
        blocks = [[name] for name in columns] + list(named.values())
        losses, score = drop_columns(model, X, y, metric, blocks, rng)
        return _result(method, columns, named, losses, {}, measure.name, score)
    if method == "oob":
        trees = read_trees(model, f"{FUNCTION} with method='oob'", instead="method='permutation' with rows held out")
        _check_one_output(trees)
        scored, columns, sources = out_of_bag_rows(trees, X, y, max_rows, rng), trees.names, trees.sources
        named = read_groups(groups, columns, sources)
    else:
        columns = raw_columns(model, X)
        named, sources = read_groups(groups, columns, sources_of(model, columns)), {}
        scored = held_out_rows(model, X, y, max_rows, rng)
    return _permuted(method, scored, columns, named, sources, measure, n_repeats, rng)


def _permuted(
    method: str,
    scored: Scored,
    columns: list[str],
    groups: dict[str, list[str]],
    sources: dict[str, str],
    metric: Metric,
    n_repeats: int | None,
    rng: np.random.Generator,
) -> FeatureImportance:
    blocks = [[name] for name in columns] + list(groups.values())
    losses = scored.losses(metric, blocks, n_repeats, rng)
    return _result(method, columns, groups, losses, sources, metric.name, scored.score(metric))


def _result(
    method: str,
    columns: list[str],
    groups: dict[str, list[str]],
    losses: np.ndarray,
    sources: dict[str, str],
    metric: str,
    score: float,
) -> FeatureImportance:
    of_columns = [sources.get(name, name) for name in columns]
    of_groups = [", ".join(dict.fromkeys(sources.get(name, name) for name in members)) for members in groups.values()]
    table = as_table([*columns, *groups], losses, of_columns + of_groups, len(groups))
    return FeatureImportance(table, method, metric, score, groups)


def _impurity(model: Any, X: Any, y: Any, groups: Any, rng: np.random.Generator) -> FeatureImportance:
    trees = read_trees(model, f"{FUNCTION} without rows", instead="X and y with method='permutation'")
    shares = shares_by_tree(trees)
    named = read_groups(groups, trees.names, trees.sources)
    position = {name: i for i, name in enumerate(trees.names)}
    blocks = [[name] for name in trees.names] + list(named.values())
    by_block = np.column_stack([shares[:, [position[name] for name in block]].sum(axis=1) for block in blocks])
    # Trees without splits have no shares, and scikit-learn leaves them out of the mean.
    by_block = by_block[shares.any(axis=1)] if shares.any() else by_block
    n_trees = len(by_block)
    error = by_block.std(axis=0, ddof=1) / np.sqrt(n_trees) if n_trees > 1 else np.full(len(blocks), np.nan)
    losses = np.column_stack([by_block.mean(axis=0), error])
    found = _result("impurity", trees.names, named, losses, trees.sources, "decrease of impurity", np.nan)
    _warn_of_flattery(trees, found, X, y, rng)
    return found


def _warn_of_flattery(trees: Trees, found: FeatureImportance, X: Any, y: Any, rng: np.random.Generator) -> None:
    flattered = _split_in_many_places(trees, found.table)
    if not flattered:
        return
    if X is not None and y is not None and draws_rows(trees.model) and trees.n_outputs == 1:
        honest = feature_importance(trees.model, X, y, "oob", random_state=rng)
        clear = set(honest.table["column"][honest.is_clear])
        flattered = [name for name in flattered if name not in clear]
        advice = "permuting them costs no out-of-bag score (not above 0 within 2 standard errors)."
    else:
        advice = "see feature_importance with X and y, which permutes instead."
    if flattered:
        names = ", ".join(repr(name) for name in flattered)
        warn_caller(f"Impurity flatters columns of many distinct values, here perhaps {names}: {advice}")


def _split_in_many_places(trees: Trees, table: pd.DataFrame) -> list[str]:
    """Columns above the average that trees split in many places, far more than those of another column."""
    places = np.zeros(len(trees.names))
    feature = np.concatenate([tree.feature for tree in trees.trees])
    threshold = np.concatenate([tree.threshold for tree in trees.trees])
    splits = pd.DataFrame({"feature": feature, "threshold": threshold})[feature >= 0].drop_duplicates()
    np.add.at(places, splits["feature"].to_numpy(), 1)
    if not places.any():
        return []
    n_rows = trees.trees[0].n_node_samples[0]
    many = (places >= _MANY_PLACES * n_rows) & (places > _TIMES_AS_MANY * places[places > 0].min())
    names = {name for name, is_many in zip(trees.names, many, strict=True) if is_many}
    above = table[(table["importance"] > 1 / len(trees.names)) & ~table["is_group"]]
    return [name for name in above["column"] if name in names]


def _choose(model: Any, X: Any, y: Any, method: str) -> str:
    if method not in _METHODS:
        raise ValueError(f"method={method!r} must be one of {', '.join(_METHODS)}.")
    if method == "impurity" or (method == "auto" and X is None):
        return "impurity"
    if X is None or y is None:
        given = "X" if X is None else "y"
        raise ValueError(f"{FUNCTION}: method={method!r} needs X and y, but {given} is None.")
    if method != "auto":
        return method
    return "oob" if draws_rows(model) and len(read_frame(X)) == _n_fitted(model) else "permutation"


def _n_fitted(model: Any) -> int:
    forest = split_pipeline(model)[1]
    return forest._n_raw_rows if isinstance(forest, ForestMixin) else forest._n_samples


def _check_counts(n_repeats: int | None, max_rows: int | None) -> None:
    for name, value in {"n_repeats": n_repeats, "max_rows": max_rows}.items():
        if value is not None and not (isinstance(value, (int, np.integer)) and value >= 1):
            raise ValueError(f"{name}={value!r} must be an integer of at least 1, or None.")


def _check_one_output(trees: Trees) -> None:
    if trees.is_classifier and trees.n_outputs > 1:
        raise ValueError(
            f"{FUNCTION} is for one target of classes, but the forest was fitted on {trees.n_outputs}: fit one forest "
            "for each."
        )


def _check_some_left(blocks: list[list[str]], columns: list[str]) -> None:
    if any(len(block) == len(columns) for block in blocks):
        raise ValueError(f"{FUNCTION}: method='drop' needs columns left to refit on, but all {len(columns)} would go.")
