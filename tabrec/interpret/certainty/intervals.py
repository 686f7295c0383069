"""How sure a model is of each row: intervals for numbers, sets of labels for classes."""

from __future__ import annotations

from numbers import Real
from typing import Any

import pandas as pd
from sklearn.base import is_classifier

from tabrec.interpret._result import Finding
from tabrec.interpret.certainty._confidence_methods import METHODS, Pair, Rows, label_sets, several_outputs
from tabrec.interpret.certainty._confidence_result import Confidence
from tabrec.interpret.certainty._time_order import late_columns
from tabrec.interpret.models import predictor
from tabrec.tables.columns import read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees, is_forest, read_trees
from tabrec.trees.training_rows import check_fitted_rows


def confidence(
    model: Any,
    X: Any,
    level: float = 0.9,
    method: str = "conformal",
    *,
    training: Pair | None = None,
    calibration: Pair | None = None,
) -> Confidence:
    """Tell how sure a fitted model is of each row, without fitting it again.

    Parameters
    ----------
    model : estimator
        A fitted regressor or classifier of one output.
    X : table or array-like of shape (n_rows, n_features)
        Rows to predict, as the model takes them.
    level : float, default=0.9
        Share of new rows whose truth is to lie within, between 0 and 1.
    method : {"conformal", "quantile", "spread"}, default="conformal"
        - ``"conformal"``: the prediction ± a quantile of how far predictions of rows not learned from were off, each as
          a share of the error that the disagreement of the trees lets expect. Holds the level on average over rows
          that are like those it was settled on. Forests use their out-of-bag predictions; every other model needs
          `calibration`. Of a classifier: the set of labels whose probability is high enough, the most probable one
          always among them (so that sets of a model that is right more often than `level` hold more than promised).
        - ``"quantile"``: a quantile regression forest: quantiles of the training targets that share leaves with the
          row, whether the tree drew them or not. Widths follow the row most closely, but no level is promised; needs
          `training`.
        - ``"spread"``: the mean ± a normal quantile of the standard deviation over the trees. It ranks rows by doubt
          but is no interval: it may cover far less, or more, than `level`.
    training : (X, y), default=None
        The rows of `fit`, in its order: needed by ``"quantile"``, and by ``"conformal"`` for scikit-learn's forests
        and forests fitted with ``oob_score=False``. With scikit-learn's forests it also tells which rows are late.
    calibration : (X, y), default=None
        Rows held out of `fit`, for ``"conformal"``, at least level / (1 - level) of them. Where rows come in time, the
        latest ones with a known target.

    Returns
    -------
    Confidence

    Raises
    ------
    TypeError
        The method reads trees, of which the model has none.
    ValueError
        An unknown method or level, rows that the method needs or has no use for, several outputs, or too few rows for
        the level.

    Warns
    -----
    UserWarning
        Rows of X are later than the training rows in a date column that a forest takes apart, so that the level
        promises nothing for them. It is among the `findings` too.

    Notes
    -----
    Out-of-bag predictions rest on about a third of the trees. So what their smaller number adds to the squared error is
    taken off, and widths follow the spread of as many trees, not of all: coverage then holds for few trees as well.

    References
    ----------
    Johansson, U., Boström, H., Löfström, T. & Linusson, H. (2014). Regression conformal prediction with random forests.
    Machine Learning 97, 155-176.

    Meinshausen, N. (2006). Quantile Regression Forests. Journal of Machine Learning Research 7, 983-999.

    Sadinle, M., Lei, J. & Wasserman, L. (2019). Least ambiguous set-valued classifiers with bounded error levels.
    Journal of the American Statistical Association 114, 223-234.

    Howard, J. & Gugger, S. *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Tree Variance for Prediction
    Confidence".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import confidence
    >>> sales = make_auctions(600, random_state=0)
    >>> X, y = sales[["YearMade", "ProductSize", "Enclosure"]], sales["SalePrice"]
    >>> forest = ForestRegressor(n_estimators=40, random_state=0).fit(X[:400], y[:400])
    >>> found = confidence(forest, X[400:], level=0.8)
    >>> list(found.table)
    ['prediction', 'lower', 'upper', 'spread']
    >>> bool(0.7 < found.coverage(y[400:]).loc["all", "coverage"] < 0.9)
    True
    """
    _check_request(method, level, is_classifier(model), training, calibration)
    trees = _read_trees(model, method, training, calibration)
    frame = read_frame(X)
    rows = Rows(model, trees, X, training, calibration)
    columns, findings = (label_sets if is_classifier(model) else METHODS[method])(rows, level)
    findings = _late_rows(rows, method) + findings
    return Confidence(pd.DataFrame(columns, index=frame.index), level, method, findings, frame)


def _late_rows(rows: Rows, method: str) -> list[Finding]:
    """A finding and a warning for every date column in which X is later than whatever the intervals rest on."""
    if rows.trees is None:
        return []
    late = late_columns(rows.trees, rows.X, rows.training_matrix)
    if late and rows.calibration is not None:
        covered = late_columns(rows.trees, rows.calibration[0], rows.training_matrix)
        late = {name: share for name, share in late.items() if name not in covered}
    findings = [_late_finding(name, share) for name, share in late.items()]
    for finding in findings:
        warn_caller(str(finding))
    return findings


def _late_finding(column: str, share: float) -> Finding:
    return Finding(
        "later than training",
        1,
        (column,),
        f"Rows of X are later in {column!r} than every row that the intervals were learned from, so they may be too "
        "narrow or off.",
        f"{share:.0%} of the rows of X.",
        "Pass calibration=(X, y) of the latest rows with a known target, with method='conformal'.",
    )


def _check_request(
    method: str, level: float, of_classes: bool, training: Pair | None, calibration: Pair | None
) -> None:
    methods = ["conformal"] if of_classes else list(METHODS)
    if method not in methods:
        kind = "classifier" if of_classes else "regressor"
        raise ValueError(f"method={method!r} must be one of {', '.join(methods)} for a {kind}.")
    if not (isinstance(level, Real) and 0 < level < 1):
        raise ValueError(f"level={level!r} must be a share between 0 and 1, such as 0.9.")
    for name, pair in (("training", training), ("calibration", calibration)):
        if pair is not None and not (isinstance(pair, (tuple, list)) and len(pair) == 2):
            raise TypeError(f"{name} must be a pair (X, y), not {type(pair).__name__}.")
    if calibration is not None and method != "conformal":
        raise ValueError(f"calibration serves method='conformal', not method={method!r}.")
    if method == "quantile" and training is None:
        raise ValueError("method='quantile' needs training=(X, y), the rows of fit: their targets are the quantiles.")


def _read_trees(model: Any, method: str, training: Pair | None, calibration: Pair | None) -> FittedTrees | None:
    """The trees of a forest, checked to have what the method reads; None of another model."""
    if method == "conformal" and not is_forest(model):
        predictor(model)
        if calibration is None:
            raise ValueError(
                f"confidence of a {type(model).__name__}, which has no out-of-bag predictions, needs "
                "calibration=(X, y): rows held out of fit."
            )
        return None
    trees = read_trees(model, f"confidence with method={method!r}", "method='conformal' with calibration=(X, y)")
    if trees.n_outputs > 1:
        raise ValueError(several_outputs(model, trees.n_outputs))
    if method == "conformal" and calibration is None and not trees.keeps_out_of_bag:
        _check_leaves_out(trees, training)
    if training is not None:
        check_fitted_rows(trees, training[0], "confidence")
        check_target(training[1], len(read_frame(training[0])), "confidence", numeric=not trees.is_classifier)
    return trees


def _check_leaves_out(trees: FittedTrees, training: Pair | None) -> None:
    name = type(trees.estimator).__name__
    if not trees.draws_rows:
        raise ValueError(
            f"confidence of this {name} needs calibration=(X, y), rows held out of fit: without bootstrap=True every "
            "tree has seen every row, so that none has out-of-bag predictions."
        )
    if training is None:
        raise ValueError(
            f"confidence needs out-of-bag predictions, which this {name} does not keep with their targets: pass "
            "training=(X, y), the rows of fit, or calibration=(X, y), rows held out of it."
        )
