"""`oob_report`: training, out-of-bag and validation error side by side, to separate overfitting from data shift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabrec.interpret._numbers import show_number
from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret._result import Finding, Result
from tabrec.interpret._weights import weigh_rows, weight_of_rows, weights_of_copies
from tabrec.interpret.certainty._oob_findings import (
    BASELINE,
    OOB,
    TRAIN,
    VALID,
    PredictedRows,
    against_baseline,
    explain,
)
from tabrec.interpret.certainty._time_order import late_columns
from tabrec.interpret.metrics import read_metric
from tabrec.interpret.models import predictor
from tabrec.plotting.axes import BLUE, GREY, finish, ink, make_axes, number_axis
from tabrec.tables.columns import read_frame
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.rows import sample_rows, take_rows
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees, read_trees
from tabrec.trees.out_of_bag import map_in_order
from tabrec.trees.training_rows import check_fitted_rows, predict_training_rows, read_training_rows

_N_ERRORS = 2  # half-width of error bars in standard errors
_COLUMNS = ["n", "score", "std_error"]


@dataclass(frozen=True, repr=False)
class OobReport(Result):
    """Errors of a forest in training, out of bag and in validation.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns `rows` ("baseline": the mean or the class shares of the training target, on the validation rows;
        "train", if X and y were given; "out of bag"; "validation"), `n`, `score` and its `std_error`, NaN for one
        row.
    metric : str
        The metric of `score`.
    findings : list of Finding
        The meaning of the differences between them.

    See Also
    --------
    oob_report : Compares the errors of a forest.
    """

    table: pd.DataFrame
    metric: str
    findings: list[Finding]

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores, with bars of two standard errors, and the baseline as a line.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        ax = make_axes(ax, (6.4, 2.6))
        scores = self.table.set_index("rows")
        baseline = scores.loc[BASELINE, "score"]
        scores = scores.drop(index=BASELINE).iloc[::-1]
        position = np.arange(len(scores))
        ax.axvline(baseline, color=GREY, linestyle="--", label="baseline")
        bars = _N_ERRORS * scores["std_error"]
        ax.errorbar(scores["score"], position, xerr=bars, fmt="o", color=BLUE, ecolor=ink(), capsize=3, zorder=3)
        for height, value in zip(position, scores["score"], strict=True):
            ax.annotate(
                show_number(value, 3), (value, height), (0, 7), textcoords="offset points", ha="center", fontsize=9
            )
        names = [f"{name} ({n:,} rows)" for name, n in scores["n"].items()]
        ax.set_yticks(position, names)
        ax.set_ylim(-0.6, len(scores) - 0.3)
        number_axis(ax.xaxis, n_ticks=5)
        ax.set_xlabel(f"{self.metric}, ± {_N_ERRORS} standard errors")
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False, fontsize=9, borderaxespad=0.2)
        return finish(ax)


@check_parameters(max_rows=[at_least(2)], random_state=RANDOM_STATE)
def oob_report(
    forest: Any,
    X_valid: Any,
    y_valid: Any,
    *,
    X: Any = None,
    y: Any = None,
    metric: str | None = None,
    max_rows: int = 20_000,
    random_state: int = 0,
    sample_weight: Any = None,
    sample_weight_valid: Any = None,
) -> OobReport:
    """Compare the error of a forest on its training rows, out of bag, and on validation rows.

    Each training row is predicted out of bag by the trees that did not draw it: it is new to these trees, but comes
    from the same distribution. A gap from training to out-of-bag error is therefore overfitting, while a gap from
    out-of-bag to validation error means that the rows differ, often because the data changed over time.

    Parameters
    ----------
    forest : estimator
        A fitted forest of one output with ``bootstrap=True``, ours or scikit-learn's, or a pipeline that ends in one.
    X_valid : table or array-like of shape (n_valid, n_features)
        Rows held out of fit, later ones where time matters.
    y_valid : array-like of shape (n_valid,)
        Their target.
    X : table or array-like of shape (n_rows, n_features), default=None
        The rows of `fit`, in its order, for the training error. For scikit-learn's forests and those fitted with
        ``oob_score=False``, the out-of-bag error needs them too.
    y : array-like of shape (n_rows,), default=None
        Their target.
    metric : {"rmse", "mae", "r2"} or {"accuracy", "log_loss"}, default=None
        Metric of the scores; None is RMSE for a regressor and log loss for a classifier.
    max_rows : int, default=20_000
        Number of training rows that are drawn for the training error; the other errors use all rows.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of that draw, and of the trees that a validation row is compared by.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows of fit, for the baseline and the training and out-of-bag errors; needs `X`. None weights all
        rows equally, or as in fit if the weights of fit were integers. A row of integer weight k counts as k rows.
    sample_weight_valid : array-like of shape (n_valid,), default=None
        Weights of the validation rows.

    Returns
    -------
    OobReport
        The errors, and findings on their differences.

    Raises
    ------
    TypeError
        The model is not a forest.
    ValueError
        No out-of-bag rows (a single tree, ``bootstrap=False``, every row drawn by every tree), rows that are missing or
        not those of fit, several outputs.

    See Also
    --------
    domain_shift : Which columns differ between training and new rows.
    confidence : Intervals from out-of-bag errors.

    Notes
    -----
    Only about a third of the trees have left a row out, and fewer trees predict worse. The findings therefore compare
    out-of-bag rows with validation rows that are predicted by as many trees, drawn at random for each row; the table
    has the scores of all trees. The out-of-bag log loss is measured with one more tree, which gives all classes the
    same probability, as few trees often leave a class without any.

    References
    ----------
    Howard, J. & Gugger, S. *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Out-of-Bag Error".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import oob_report
    >>> sales = make_auctions(400, random_state=0)
    >>> X, y = sales[["YearMade", "ProductSize", "saledate"]], sales["SalePrice"]
    >>> forest = ForestRegressor(n_estimators=30, random_state=0).fit(X[:300], y[:300])
    >>> found = oob_report(forest, X[300:], y[300:], X=X[:300], y=y[:300])
    >>> found.table["rows"].tolist()
    ['baseline', 'train', 'out of bag', 'validation']
    """
    trees = read_trees(forest, "oob_report", instead="domain_shift, which shows whether new rows differ")
    _check_request(trees, X, y)
    if sample_weight is not None and X is None:
        raise ValueError("sample_weight weights the rows of fit: pass X and y too.")
    scorer = read_metric(forest, metric)
    rng = np.random.default_rng(random_state)
    check_row_labels(X_valid, y_valid=y_valid)
    n_valid, is_class = len(read_frame(X_valid)), trees.is_classifier
    target = check_target(y_valid, n_valid, "oob_report", numeric=not is_class).reshape(-1)
    held_out, weights_valid = weigh_rows(X_valid, sample_weight_valid)
    weights = None
    if X is not None:
        weights = weights_of_copies(trees.training_positions(trees.n_training_rows), weight_of_rows(X, sample_weight))
    out_of_bag, baseline = _out_of_bag_rows(trees, X, y, weights)
    predict, truth = predictor(forest), target[held_out]
    parts = {BASELINE: PredictedRows(truth, np.tile(baseline, (len(truth), 1)), weights_valid)}
    if X is not None:
        known = _read_training_target(trees, X, y)
        rows = trees.training_positions(len(known))
        used = np.arange(len(rows)) if weights is None else np.flatnonzero(weights)
        drawn = used[sample_rows(len(used), max_rows, rng)]
        of_drawn = None if weights is None else weights[drawn]
        parts[TRAIN] = PredictedRows(known[rows[drawn]], predict(take_rows(X, rows[drawn])), of_drawn)
    parts |= {OOB: out_of_bag, VALID: PredictedRows(truth, predict(X_valid)[held_out], weights_valid)}
    scores = {name: part.score(scorer, trees.classes) for name, part in parts.items()}
    table = pd.DataFrame([(name, *score[:3]) for name, score in scores.items()], columns=["rows", *_COLUMNS])
    late = late_columns(trees, X_valid, None if X is None else lambda: read_training_rows(trees, X, y, "").matrix)
    by_as_many = _predict_by_some(trees, X_valid, out_of_bag, rng).take(held_out, target, weights_valid)
    against = against_baseline(scores, scorer, parts[VALID], parts[BASELINE].predicted, trees.classes)
    return OobReport(
        table, scorer.name, explain(scores, scorer, late, against, by_as_many.score(scorer, trees.classes))
    )


def _check_request(trees: FittedTrees, X: Any, y: Any) -> None:
    name = type(trees.estimator).__name__
    if trees.n_outputs > 1:
        raise ValueError(f"oob_report is for one output, but this {name} has {trees.n_outputs}: fit a forest for each.")
    if not trees.draws_rows:
        raise ValueError(
            f"oob_report needs rows that trees left out, but in this {name} every tree has seen every row: fit a "
            "forest with bootstrap=True."
        )
    if (X is None) != (y is None):
        raise ValueError("X and y, the rows of fit, go together: pass both or neither.")
    if X is not None:
        check_fitted_rows(trees, X, "oob_report")
    elif not trees.keeps_out_of_bag:
        raise ValueError(f"oob_report needs X and y, the rows of fit: this {name} keeps no out-of-bag targets.")


def _read_training_target(trees: FittedTrees, X: Any, y: Any) -> np.ndarray:
    check_row_labels(X, y=y)
    target = check_target(y, len(read_frame(X)), "oob_report", numeric=not trees.is_classifier).reshape(-1)
    if not trees.has_target(target):
        raise ValueError(
            "oob_report: y is not the target that the forest was fitted on: pass X and y as passed to fit."
        )
    return target


def _out_of_bag_rows(
    trees: FittedTrees, X: Any, y: Any, weights: np.ndarray | None
) -> tuple[PredictedRows, np.ndarray]:
    """Return the out-of-bag rows, and the mean target, or the class shares, of all training rows."""
    if trees.keeps_out_of_bag:
        found = trees.kept_out_of_bag()
    else:
        found = predict_training_rows(trees, read_training_rows(trees, X, y, "oob_report"))
    seen = found.count > 0 if weights is None else (found.count > 0) & (weights > 0)
    if not seen.any():
        raise ValueError("No row is out of bag: every tree drew every row. Grow more trees.")
    target = found.y.reshape(-1)
    parts = target[:, None] if trees.classes is None else target[:, None] == np.asarray(trees.classes)
    baseline = np.average(parts, axis=0, weights=weights)
    of_seen = None if weights is None else weights[seen]
    return PredictedRows(target[seen], found.prediction[seen], of_seen, found.count[seen]), baseline


@dataclass(frozen=True)
class _BySomeTrees:
    """Predictions of rows by a subset of the trees, and the number of trees for each row."""

    predicted: np.ndarray
    n_trees: np.ndarray

    def take(self, rows: np.ndarray, target: np.ndarray, weights: np.ndarray | None) -> PredictedRows:
        """Return those of the given rows that have a prediction."""
        has_any = self.n_trees[rows] > 0
        rows = rows[has_any]
        return PredictedRows(
            target[rows], self.predicted[rows], None if weights is None else weights[has_any], self.n_trees[rows]
        )


def _predict_by_some(trees: FittedTrees, X: Any, out_of_bag: PredictedRows, rng: np.random.Generator) -> _BySomeTrees:
    """Predict each row by a random subset of the trees, on average as many as leave out a training row."""
    matrix = np.ascontiguousarray(trees.matrix(X))
    share = float(np.mean(out_of_bag.n_trees)) / len(trees.trees)  # type: ignore[arg-type]

    def predict(tree: Any, of_tree: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        rows = np.flatnonzero(of_tree.random(len(matrix)) < share)
        return rows, trees.predict_rows(tree, matrix, rows)

    total, count = np.zeros((len(matrix), out_of_bag.predicted.shape[1])), np.zeros(len(matrix))
    generators = rng.spawn(len(trees.trees))
    for rows, predicted in map_in_order(predict, trees.trees, generators, n_jobs=trees.n_jobs, n_rows=len(matrix)):
        total[rows] += predicted
        count[rows] += 1
    return _BySomeTrees(total / np.maximum(count, 1)[:, None], count)
