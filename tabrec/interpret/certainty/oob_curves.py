"""`oob_curve`: out-of-bag error of a forest by its number of trees, for several settings of max_features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._parameters import METRIC, check_parameters
from tabrec.interpret._result import Result
from tabrec.interpret._weights import as_fit_parameter, weight_of_rows, weights_of_copies
from tabrec.interpret.metrics import Metric, add_even_tree, read_metric
from tabrec.plotting.axes import PALETTE, finish, make_axes, number_axis
from tabrec.trees.fitted_trees import FittedTrees, read_trees
from tabrec.trees.out_of_bag import map_in_order
from tabrec.trees.training_rows import TrainingRows, read_drawn_rows

_MOST_POINTS = 100


@dataclass(frozen=True, repr=False)
class OobCurve(Result):
    """Out-of-bag scores of forests by their number of trees.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns `max_features` (as text), `n_estimators`, `score` of the first `n_estimators` trees with its
        `std_error`, and `rows`, the number of scored rows: those that at least one of these trees left out.
    metric : str
        The metric of `score`.

    See Also
    --------
    oob_curve : Computes the scores.
    """

    table: pd.DataFrame
    metric: str

    def plot(self, ax: Any = None) -> Any:
        """Draw a line for each setting, from the first number of trees that leaves out nearly all rows.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        ax = make_axes(ax)
        shown = self.table[self.table["rows"] >= 0.99 * self.table["rows"].max()]
        for position, (name, curve) in enumerate(shown.groupby("max_features", sort=False)):
            colour, style = PALETTE[position % len(PALETTE)], "-" if position < len(PALETTE) else "--"
            ax.plot(curve["n_estimators"], curve["score"], color=colour, linestyle=style, label=str(name))
        ax.set_xlabel("number of trees")
        ax.set_ylabel(f"out-of-bag {self.metric}")
        number_axis(ax.xaxis, whole=True)
        ax.legend(title="max_features", frameon=False, fontsize=9)
        return finish(ax)


@check_parameters(max_features=["array-like", None], metric=METRIC)
def oob_curve(
    forest: Any,
    X: Any,
    y: Any,
    *,
    max_features: Sequence[Any] | None = None,
    metric: str | None = None,
    sample_weight: Any = None,
) -> OobCurve:
    """Compute the out-of-bag error of a forest by its number of trees, without a refit for each number.

    The curve shows when further trees no longer help; several curves, how many columns each split should choose from.

    Parameters
    ----------
    forest : estimator
        A forest with ``bootstrap=True``, ours or scikit-learn's, or a pipeline that ends in one. A fitted one is used
        as it is, unless `max_features` is given.
    X : table or array-like of shape (n_rows, n_features)
        The rows to grow the forests on; those of `fit`, in its order, for a fitted forest.
    y : array-like of shape (n_rows,)
        Their target.
    max_features : sequence, default=None
        Values of `max_features` to compare, as in ``["sqrt", 0.5, None]``; a clone of `forest` is fitted with each.
        None uses that of `forest`.
    metric : {"rmse", "mae", "r2"} or {"accuracy", "log_loss"}, default=None
        Metric of the scores; None is RMSE for a regressor and log loss for a classifier (see Notes of
        `feature_importance`).
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows, in scores and in fits; None weights all rows equally, or as in fit where the weights of fit
        were integers. A row of integer weight k counts as k rows.

    Returns
    -------
    OobCurve
        The scores by number of trees; more than 100 numbers of trees are thinned out.

    Raises
    ------
    TypeError
        The model is not a forest.
    ValueError
        No tree leaves rows out (``bootstrap=False``), X and y are not the rows of fit, or a classifier has several
        outputs.

    See Also
    --------
    oob_report : Compares training, out-of-bag and validation errors.

    Notes
    -----
    Each row is predicted by those of the first trees that did not draw it, about a third of them: the score of n trees
    is that of a forest of about n / 3, so that it is slightly pessimistic for few trees. It is not an unbiased error of
    the best setting, which was chosen by it.

    References
    ----------
    Breiman, L. (2001), "Random Forests", section 3.1. Howard, J. & Gugger, S. (2020), *Deep Learning for Coders with
    fastai and PyTorch*, chapter 9.

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import oob_curve
    >>> sales = make_auctions(300, random_state=0)
    >>> X, y = sales[["YearMade", "ProductSize", "saledate"]], sales["SalePrice"]
    >>> curve = oob_curve(ForestRegressor(20, random_state=0), X, y, max_features=[0.3, 1.0])
    >>> curve.table["max_features"].unique().tolist()
    ['0.3', '1.0']
    """
    curves = []
    scorer = read_metric(forest, metric)
    weights = weight_of_rows(X, sample_weight)
    for name, model in _forests(forest, X, y, max_features, weights):
        trees = read_trees(model, "oob_curve")
        if trees.is_classifier and trees.n_outputs > 1:
            raise ValueError(f"oob_curve is for one output of a classifier, but this one has {trees.n_outputs}.")
        training = read_drawn_rows(trees, X, y, "oob_curve")
        scores = _score_by_trees(trees, training, scorer, weights_of_copies(training.rows, weights))
        curves.append(pd.DataFrame(scores, columns=["n_estimators", "score", "std_error", "rows"]))
        curves[-1].insert(0, "max_features", name)
    return OobCurve(pd.concat(curves, ignore_index=True), scorer.name)


def _forests(
    forest: Any, X: Any, y: Any, max_features: Sequence[Any] | None, weights: np.ndarray | None
) -> Iterator[tuple[str, Any]]:
    """Yield the fitted forests with the names of their curves."""
    given = {} if weights is None else as_fit_parameter(forest, weights)
    prefix = f"{forest.steps[-1][0]}__" if isinstance(forest, Pipeline) else ""
    known = forest.get_params()
    if f"{prefix}max_features" not in known:
        raise TypeError(f"oob_curve needs a forest, but {type(forest).__name__} has no max_features.")
    if max_features is None:
        name = _as_text(known[f"{prefix}max_features"])
        yield name, forest if _is_fitted(forest) else clone(forest).fit(X, y, **given)
        return
    for value in max_features:
        yield _as_text(value), clone(forest).set_params(**{f"{prefix}max_features": value}).fit(X, y, **given)


def _as_text(max_features: Any) -> str:
    return "all" if max_features is None else str(max_features)


def _is_fitted(forest: Any) -> bool:
    try:
        check_is_fitted(forest)
    except NotFittedError:
        return False
    return True


def _score_by_trees(
    trees: FittedTrees, training: TrainingRows, scorer: Metric, weights: np.ndarray | None
) -> list[tuple[int, float, float, int]]:
    """Score the first trees for several numbers of trees: score, standard error and number of rows."""
    n_trees, n_rows = len(trees.trees), len(training.matrix)
    numbers = set(np.unique(np.linspace(1, n_trees, min(n_trees, _MOST_POINTS)).round().astype(int)).tolist())
    total = np.zeros((n_rows, max(trees.n_classes) if trees.is_classifier else trees.n_outputs))
    count = np.zeros(n_rows, dtype=np.int32)

    def predict_left_out(position: int) -> tuple[np.ndarray, Any]:
        rows = training.left_out(position)
        return rows, trees.predict_tree(trees.trees[position], training.matrix[rows]) if len(rows) else None

    found = []
    left_out = map_in_order(predict_left_out, range(n_trees), n_jobs=trees.n_jobs, n_rows=n_rows)
    for n, (rows, predicted) in enumerate(left_out, start=1):
        if predicted is not None:
            total[rows] += predicted
            count[rows] += 1
        seen = count > 0 if weights is None else (count > 0) & (weights > 0)
        if n in numbers and seen.any():
            of_seen = None if weights is None else weights[seen]
            predicted = total[seen] / count[seen, None]
            if trees.is_classifier:
                predicted = add_even_tree(predicted, count[seen])
            gains = scorer.gains(training.y[seen], predicted, trees.classes, of_seen)
            found.append((n, scorer.score(gains, of_seen), scorer.standard_error(gains, of_seen), len(gains)))
    if not found:
        raise ValueError("No row is out of bag: every tree drew every row. Grow more trees.")
    return found
