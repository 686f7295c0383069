"""`feature_importance`: importance of columns by impurity, permutation or dropping, with standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._column_groups import read_groups, sources_of
from tabrec.interpret._parameters import METRIC, RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret.metrics import read_metric
from tabrec.interpret.models import predictor
from tabrec.interpret.reliance._importance_methods import (
    FUNCTION,
    VERDICTS,
    as_table,
    cross_validated_rows,
    drop_columns,
    held_out_rows,
    out_of_bag_rows,
    raw_columns,
)
from tabrec.interpret.without_columns import draws_rows
from tabrec.plotting.axes import BLUE, GREY, finish, row_axes
from tabrec.tables.columns import read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import as_named
from tabrec.tables.rows import take_rows
from tabrec.trees.fitted_trees import FittedTrees, read_trees, split_pipeline

_AXES = {
    "oob": "loss of out-of-bag {metric} when permuted",
    "permutation": "loss of held-out {metric} when permuted",
    "cv": "loss of cross-validated {metric} when permuted",
    "drop": "loss of {metric} when refitted without",
    "impurity": "share of the decrease of impurity",
}
# Impurity overrates a column with many split points: at least this share of the number of rows, and this many times as
# many as another column.
_MANY_PLACES, _TIMES_AS_MANY = 0.1, 10


@dataclass(frozen=True, repr=False)
class FeatureImportance(Result):
    """Importance of columns; the result of `feature_importance`.

    Attributes
    ----------
    table : pandas.DataFrame
        The most important first: ``column`` (encoded for "oob" and "impurity", raw for the other methods) or name of a
        group, ``importance``, ``std_error``, ``source`` (the raw column; for a group all of them), ``is_group``, and
        ``verdict``: "clear" if the importance is above 0 by more than 2 standard errors, "harmful" if it is below 0 by
        more than 3, "none" if 2 standard errors more would be at most 1% of the largest importance, else "weak": these
        rows do not show whether the column matters. "none" holds for this model: refitted without the column, another
        one may be worse.
    method : {"oob", "permutation", "cv", "drop", "impurity"}
        How importance was measured.
    metric : str
        Name of the score whose loss is the importance, as "R²"; "decrease of impurity" for impurity.
    score : float
        The metric with all columns unchanged; NaN for impurity.
    groups : dict
        Members of each group by its name.
    unknown_origin : tuple of str
        Encoded columns whose raw column is not known, since a step of the pipeline mixes columns; each is its own
        ``source``.
    findings : list of Finding
        One where no column is clearly important, and one for columns of unknown origin.

    See Also
    --------
    feature_importance : Makes it.
    """

    table: pd.DataFrame
    method: str
    metric: str
    score: float
    groups: dict[str, list[str]]
    unknown_origin: tuple[str, ...] = ()

    @property
    def is_clear(self) -> pd.Series:
        """Whether each row of the table is above 0 by more than 2 standard errors."""
        return self.table["verdict"] == "clear"

    @property
    def verdicts(self) -> pd.Series:
        """The verdict on each raw column: the strongest of those on it, its parts and the groups that it is in.

        A column that is clear only in a group with other columns is "clear together".
        """
        is_group = self.table["is_group"]
        own, source = self.table[~is_group], self.table[~is_group].set_index("column")["source"]
        verdict = self.table[is_group].set_index("column")["verdict"]
        found = {name: set(rows) for name, rows in own.groupby("source", sort=False)["verdict"]}
        for name, members in self.groups.items():
            sources = dict.fromkeys(source[member] for member in members)
            shared = {"clear": "clear together"}.get(verdict[name], "none") if len(sources) > 1 else verdict[name]
            for each in sources:
                found[each].add(shared)
        return pd.Series({name: min(each, key=VERDICTS.index) for name, each in found.items()}, dtype=object)

    @property
    def findings(self) -> list[Finding]:
        """One where no column is clearly important, and one for columns of unknown origin."""
        return self._nothing_relied_on() + self._unknown()

    def _unknown(self) -> list[Finding]:
        if not self.unknown_origin:
            return []
        text = f"The raw columns of {len(self.unknown_origin)} encoded column(s) are not known."
        evidence = f"Among them {', '.join(self.unknown_origin[:5])}."
        action = "Measure raw columns instead, with held-out rows and method='permutation'."
        return [Finding("unknown origin", 3, self.unknown_origin, text, evidence, action)]

    def _nothing_relied_on(self) -> list[Finding]:
        if self.is_clear.any() or self.table.empty:
            return []
        if self.method == "impurity":
            text, evidence = "The trees split on no column.", "They predict the same for every row."
        else:
            largest = self.table.iloc[0]
            text = "No column was found that the model clearly relies on."
            evidence = (
                f"The largest {_AXES[self.method].format(metric=self.metric)} is {largest['importance']:.2g}, of "
                f"{largest['column']}, with a standard error of {largest['std_error']:.2g}."
            )
        action = "Check the score: it may be no better than a guess. Otherwise columns may be redundant; group them."
        return [Finding("nothing relied on", 2, (), text, evidence, action)]

    def plot(self, ax: Any = None, n: int = 30) -> Any:
        """Draw the most important columns with two standard errors; those not clearly above 0 are grey.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.
        n : int, default=30
            Number of columns to draw.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        table = self.table.head(n)
        ax = row_axes(ax, [self._label(row) for row in table.itertuples()], (7.0, 1.0, 0.24))
        colours, at = np.where(self.is_clear.head(n), BLUE, GREY), np.arange(len(table))
        error = 2 * table["std_error"].fillna(0)
        ax.barh(at, table["importance"], color=colours, height=0.7, xerr=error, error_kw={"lw": 1, "alpha": 0.7})
        ax.axvline(0, color=GREY, lw=1)
        what = _AXES[self.method].format(metric=self.metric)
        ax.set_xlabel(what.replace(" when", "\nwhen") + " (± 2 standard errors)")
        ax.set_axisbelow(True)
        said = [finding.text for finding in self._nothing_relied_on()]
        said += [f"the first {len(table)} of {len(self.table)}"] if len(table) < len(self.table) else []
        ax.set_title(" ".join(said), fontsize=9, loc="left")
        return finish(ax)

    def _label(self, row: Any) -> str:
        return f"{row.column} ({len(self.groups[row.column])} columns)" if row.is_group else row.column


@check_parameters(
    method=[StrOptions({"auto", "oob", "permutation", "cv", "drop", "impurity"})],
    metric=METRIC,
    n_repeats=[at_least(1), None],
    max_rows=[at_least(1), None],
    random_state=RANDOM_STATE,
)
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
    sample_weight: Any = None,
) -> FeatureImportance:
    """Measure how much a fitted model relies on each column.

    Parameters
    ----------
    model : estimator
        A fitted regressor or classifier, or a pipeline.
    X : table or array-like of shape (n_rows, n_features), default=None
        The rows to score, which `method` describes.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs), default=None
        Their target.
    method : {"auto", "oob", "permutation", "cv", "drop", "impurity"}, default="auto"
        - "oob": for forests that draw rows. X and y are those of fit. Each encoded column is permuted, and each row
          predicted by the trees that left it out. All trees see the same permutation, so that results are comparable
          with those of "permutation" on held-out rows.
        - "permutation": for any model. X and y are held-out rows. Each raw column is permuted.
        - "cv": for any model. X and y are those of fit. The model is refitted to 4 of 5 parts of the rows, and each raw
          column permuted in the part left out: with few held-out rows, the standard errors are smaller than those of
          "permutation".
        - "drop": X and y are those of fit. The model is refitted without each raw column, and scored on out-of-bag
          rows, or by 5 folds where it leaves no rows out.
        - "impurity": how much the splits on a column decrease impurity in training. It needs no rows, but overrates
          columns of many distinct values: a warning names them, with X and y (of fit) only those whose out-of-bag
          importance is not above 0 within 2 standard errors.
        - "auto": "impurity" without X; "oob" for a forest that draws rows and as many rows as it was fitted on;
          otherwise "permutation".
    groups : None, "source", dict, list of lists, or the result of `redundancy`, default=None
        Columns to permute (or drop) together, besides each alone: "source" for all encoded columns of a raw one (such
        as the parts of a date), a dict of lists by name, lists, or clusters of redundant columns.
    metric : {"r2", "rmse", "mae", "accuracy", "log_loss"}, default=None
        The score whose loss is the importance; None is R² for a regressor and log loss for a classifier.
    n_repeats : int, default=None
        Permutations of each column; None is as many as score 20,000 rows, from 1 to 5.
    max_rows : int, default=20_000
        At most this many rows, drawn at random, are scored by "oob", "permutation" and "cv", which also refits on them;
        None for all.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of draws, permutations and folds.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, in scores and in refits; None weights all rows equally, or out of bag as in fit where the
        weights of fit were integers. A row of integer weight k counts as k rows; "impurity" uses the weights of fit.

    Returns
    -------
    FeatureImportance

    Raises
    ------
    ValueError
        Rows that are not those of fit for "oob", a single row for "permutation", missing columns, an unknown column in
        `groups`, or a parameter out of range.
    TypeError
        "impurity" or "oob" for a model without trees.

    See Also
    --------
    drop_unimportant : Refits without the columns that matter little.
    redundancy : Clusters of redundant columns, to be permuted together.
    partial_dependence : How the prediction depends on a column.

    Notes
    -----
    Standard errors are those of the scored rows and permutations for this one model (for "drop", of the rows). They do
    not include how another fit would differ, and are NaN for fewer than 10 scored rows.

    The log loss of a forest is measured with one more tree, which gives all classes the same probability: a class that
    no tree votes for would otherwise hide all other losses.

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
    rng = np.random.default_rng(random_state)
    if method == "impurity":
        return _impurity(model, X, y, groups, rng)
    measure = read_metric(model, metric, default="r2")
    if method == "oob":
        trees = read_trees(model, f"{FUNCTION} with method='oob'", instead="method='permutation' with rows held out")
        if trees.is_classifier and trees.n_outputs > 1:
            raise ValueError(f"{FUNCTION} is for one target of classes, not {trees.n_outputs}: fit a forest for each.")
        scored = out_of_bag_rows(trees, X, y, max_rows, rng, sample_weight)
        columns, sources, unknown = trees.names, trees.sources, _unknown_origin(trees)
        named = read_groups(groups, columns, sources)
    else:
        columns, sources, unknown = raw_columns(model, X), {}, ()
        named = read_groups(groups, columns, sources_of(model, columns))
    blocks = [[name] for name in columns] + list(named.values())
    if method == "drop":
        predictor(model)(take_rows(X, np.arange(1)))  # names missing columns before any fit
        if any(len(block) == len(columns) for block in blocks):
            raise ValueError(f"{FUNCTION}: method='drop' needs columns to refit on, but all {len(columns)} would go.")
        losses, score = drop_columns(model, X, y, metric, blocks, rng, sample_weight)
    else:
        if method != "oob":
            score_rows = {"permutation": held_out_rows, "cv": cross_validated_rows}[method]
            scored = score_rows(model, X, y, max_rows, rng, sample_weight)
        losses, score = scored.losses(measure, blocks, n_repeats, rng), scored.score(measure)
    return FeatureImportance(as_table(columns, named, losses, sources), method, measure.name, score, named, unknown)


def _impurity(model: Any, X: Any, y: Any, groups: Any, rng: np.random.Generator) -> FeatureImportance:
    trees = read_trees(model, f"{FUNCTION} without rows", instead="X and y with method='permutation'")
    shares = np.array([tree.compute_feature_importances(normalize=True) for tree in trees.trees])
    named = read_groups(groups, trees.names, trees.sources)
    position = {name: i for i, name in enumerate(trees.names)}
    blocks = [[name] for name in trees.names] + list(named.values())
    by_block = np.column_stack([shares[:, [position[name] for name in block]].sum(axis=1) for block in blocks])
    # Trees without splits have no importances, and scikit-learn leaves them out of the mean.
    by_block = by_block[shares.any(axis=1)] if shares.any() else by_block
    n_trees = len(by_block)
    error = by_block.std(axis=0, ddof=1) / np.sqrt(n_trees) if n_trees > 1 else np.full(len(blocks), np.nan)
    table = as_table(
        trees.names, named, np.column_stack([by_block.mean(axis=0), error]), trees.sources, measured_on_rows=False
    )
    _warn_of_overrated(trees, table, X, y, rng)
    return FeatureImportance(table, "impurity", "decrease of impurity", np.nan, named, _unknown_origin(trees))


def _unknown_origin(trees: FittedTrees) -> tuple[str, ...]:
    return tuple(name for name, origin in trees.origins.items() if origin is None)


def _warn_of_overrated(trees: FittedTrees, table: pd.DataFrame, X: Any, y: Any, rng: np.random.Generator) -> None:
    overrated = _split_in_many_places(trees, table)
    if not overrated:
        return
    advice = "see feature_importance with X and y, which permutes instead."
    if X is not None and y is not None and draws_rows(trees.model) and trees.n_outputs == 1:
        permuted = feature_importance(trees.model, X, y, "oob", random_state=rng)
        clear = set(permuted.table["column"][permuted.is_clear])
        overrated = [name for name in overrated if name not in clear]
        advice = "permuting them costs no out-of-bag score (not above 0 within 2 standard errors)."
    if overrated:
        names = ", ".join(repr(name) for name in overrated)
        warn_caller(f"Impurity overrates columns of many distinct values, here perhaps {names}: {advice}")


def _split_in_many_places(trees: FittedTrees, table: pd.DataFrame) -> list[str]:
    """Return columns of above-average importance that have far more split points than another column."""
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
    if method == "impurity" or (method == "auto" and X is None):
        return "impurity"
    if X is None or y is None:
        given = "X" if X is None else "y"
        raise ValueError(f"{FUNCTION}: method={method!r} needs X and y, but {given} is None.")
    if method != "auto":
        return method
    has_training_rows = draws_rows(model) and len(read_frame(X)) == read_trees(model, FUNCTION).n_training_rows
    return "oob" if has_training_rows else "permutation"
