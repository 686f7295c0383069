"""`confidence`: the uncertainty of each prediction, as intervals for numbers and sets of labels for classes."""

from __future__ import annotations

from numbers import Real
from typing import Any

import pandas as pd
from sklearn.base import is_classifier
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.interpret._parameters import check_parameters
from tabrec.interpret._result import Finding
from tabrec.interpret.certainty._confidence_methods import METHODS, ConfidenceTask, Pair, label_sets, several_outputs
from tabrec.interpret.certainty._confidence_result import Confidence
from tabrec.interpret.certainty._time_order import late_columns
from tabrec.interpret.models import predictor
from tabrec.tables.columns import read_frame
from tabrec.tables.messages import warn_caller
from tabrec.tables.row_labels import check_row_labels
from tabrec.tables.target import check_target
from tabrec.trees.fitted_trees import FittedTrees, is_forest, read_trees
from tabrec.trees.training_rows import check_fitted_rows


@check_parameters(
    level=[Interval(Real, 0, 1, closed="neither")],
    method=[StrOptions(set(METHODS))],
    training=[tuple, list, None],
    calibration=[tuple, list, None],
)
def confidence(
    model: Any,
    X: Any,
    level: float = 0.9,
    method: str = "conformal",
    *,
    training: Pair | None = None,
    calibration: Pair | None = None,
    sample_weight: Any = None,
) -> Confidence:
    """Estimate the uncertainty of each prediction of a fitted model, without refitting.

    Parameters
    ----------
    model : estimator
        A fitted regressor or classifier of one output.
    X : table or array-like of shape (n_rows, n_features)
        Rows to predict, as the model takes them.
    level : float, default=0.9
        Share of new rows that the intervals or sets should cover, between 0 and 1.
    method : {"conformal", "quantile", "spread"}, default="conformal"
        - ``"conformal"``: intervals from the errors on rows that the model was not fitted on, each relative to its
          expected error, calibrated separately for the lower and upper bound. Coverage is at least `level` on average
          over rows exchangeable with these. Forests use their out-of-bag predictions; every other model needs
          `calibration`. The expected error is that of a second, small forest of the errors if there are at least 200
          rows of `training` or 400 of `calibration`, so that the level also holds approximately in parts of the table;
          else it follows from the spread of the trees. Intervals of targets that are never negative start at 0 or
          above. For a classifier: the set of labels whose probability is high enough for their class, so that each
          class is covered at this level, however rare it is. A set may lack the most probable label. Where many rows of
          a class have the same probability, 0 for example, a forest's sets hold the label for a share of such rows,
          which are chosen by a hash of the row.
        - ``"quantile"``: a quantile regression forest: quantiles of the targets of all training rows in the same
          leaves. Widths adapt to the row most closely, but coverage is not guaranteed; needs `training`.
        - ``"spread"``: the mean ± a normal quantile of the standard deviation over the trees. It ranks rows by
          uncertainty, but may cover far less, or more, than `level`.
    training : (X, y), default=None
        The rows of `fit`, in its order: makes the widths of a forest follow its errors more closely; needed by
        ``"quantile"``, and by ``"conformal"`` for scikit-learn's forests and forests fitted with ``oob_score=False``.
        For scikit-learn's forests it also shows which rows are later.
    calibration : (X, y), default=None
        Rows held out of `fit`, for ``"conformal"``, at least level / (1 - level) of them. For data ordered in time, the
        latest rows with a known target.
    sample_weight : array-like of shape (n_calibration,) or (n_training,), default=None
        Weights of the rows that intervals or sets rest on: those of `calibration`, else the rows of fit. None weights
        all rows equally, or out of bag as in fit if the weights of fit were integers. A row of integer weight k counts
        as k rows. With other weights, the level holds for rows that are drawn by them, such as new rows of a known
        shift. ``"spread"`` takes none.

    Returns
    -------
    Confidence
        The intervals or sets, and findings on them.

    Raises
    ------
    TypeError
        The method needs trees, but the model has none.
    ValueError
        An unknown method or level, rows that are missing or unused by the method, several outputs, or too few rows for
        the level.

    Warns
    -----
    UserWarning
        Rows of X are later than the training rows in a date column that a forest splits into parts, so coverage is not
        guaranteed for them. It is among the `findings` too.

    See Also
    --------
    oob_report : Training, out-of-bag and validation error side by side.
    domain_shift : Whether new rows differ from the training rows.

    Notes
    -----
    Out-of-bag predictions average about a third of the trees. The squared error that the smaller number of trees adds
    is therefore subtracted, and widths use the spread of as many trees, so that coverage holds for few trees as well.

    The two sides are quantiles of the relative errors of rows with similar predictions and expected errors; a factor
    for each, a conformal quantile, then makes the level hold. If more targets than the lower tail are 0, intervals
    start at 0.

    Weighted quantiles are those of Tibshirani, Barber, Candès & Ramdas (2019), "Conformal prediction under covariate
    shift", with a mean weight for the new row; weights that are not whole reduce the number of rows (Kish 1965).

    References
    ----------
    Johansson, Boström, Löfström & Linusson (2014), "Regression conformal prediction with random forests", Machine
    Learning 97. Romano, Patterson & Candès (2019), "Conformalized quantile regression", NeurIPS. Vovk (2012),
    "Conditional validity of inductive conformal predictors", ACML. Meinshausen (2006), "Quantile regression forests",
    Journal of Machine Learning Research 7. Sadinle, Lei & Wasserman (2019), "Least ambiguous set-valued classifiers
    with bounded error levels", Journal of the American Statistical Association 114. Howard & Gugger (2020), *Deep
    Learning for Coders with fastai and PyTorch*, chapter 9, "Tree variance for prediction confidence".

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
    _check_request(method, is_classifier(model), training, calibration)
    if sample_weight is not None and method == "spread":
        raise ValueError("sample_weight is for methods that rest on rows; method='spread' rests on the trees alone.")
    if sample_weight is not None and (rests_on := calibration or training) is not None:
        check_row_labels(rests_on[0], sample_weight=sample_weight)
    trees = _read_trees(model, method, training, calibration)
    frame = read_frame(X)
    rows = ConfidenceTask(model, trees, X, training, calibration, sample_weight)
    columns, findings = (label_sets if is_classifier(model) else METHODS[method])(rows, level)
    findings = _late_rows(rows, method) + findings
    known = trees.kept_out_of_bag().y.reshape(-1) if trees is not None and trees.keeps_out_of_bag else None
    return Confidence(pd.DataFrame(columns, index=frame.index), level, method, findings, frame, known)


def _late_rows(rows: ConfidenceTask, method: str) -> list[Finding]:
    """Return a finding, and warn, for every date column in which X is later than the rows behind the intervals."""
    if rows.trees is None:
        return []
    late = late_columns(rows.trees, rows.X, rows.training_matrix)
    if late and rows.calibration is not None:
        covered = late_columns(rows.trees, rows.calibration[0], rows.training_matrix)
        late = {name: share for name, share in late.items() if name not in covered}
    findings = [
        Finding(
            "later than training",
            1,
            (column,),
            f"The predicted rows are later in {column!r} than all rows that the intervals rest on, so these may be too "
            "narrow or biased.",
            f"{share:.0%} of the rows that are predicted.",
            "Pass calibration=(X, y) of the latest rows with a known target, with method='conformal'.",
        )
        for column, share in late.items()
    ]
    for finding in findings:
        warn_caller(str(finding))
    return findings


def _check_request(method: str, of_classes: bool, training: Pair | None, calibration: Pair | None) -> None:
    if of_classes and method != "conformal":
        raise ValueError(f"method={method!r} is for regressors: use method='conformal' for a classifier.")
    for name, pair in (("training", training), ("calibration", calibration)):
        if pair is not None and len(pair) != 2:
            raise TypeError(f"{name} must be a pair (X, y), but has {len(pair)} items.")
        if pair is not None:
            check_row_labels(pair[0], y=pair[1])
    if calibration is not None and method != "conformal":
        raise ValueError(f"calibration is for method='conformal', not method={method!r}.")
    if method == "quantile" and training is None:
        raise ValueError("method='quantile' needs training=(X, y), the rows of fit: their targets are the quantiles.")


def _read_trees(model: Any, method: str, training: Pair | None, calibration: Pair | None) -> FittedTrees | None:
    """Return the trees of a forest after checking that the method has its data; None for other models."""
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
            "tree has seen every row, so no row is out of bag."
        )
    if training is None:
        raise ValueError(
            f"confidence needs out-of-bag predictions, which this {name} does not keep with their targets: pass "
            "training=(X, y), the rows of fit, or calibration=(X, y), rows held out of it."
        )
