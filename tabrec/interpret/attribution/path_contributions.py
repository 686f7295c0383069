"""`contributions`: the contribution of each column to the prediction of each row."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._parameters import RANDOM_STATE, at_least, check_parameters
from tabrec.interpret.attribution._contribution_result import Contributions
from tabrec.interpret.attribution._occlusion import AgainstBackground, occlude
from tabrec.interpret.attribution._row_contributions import RowContributions
from tabrec.interpret.attribution._shown_values import show_encoded
from tabrec.interpret.attribution._tree_paths import sum_by_column, sum_by_set
from tabrec.interpret.models import classes_of, fitted_columns, predictor
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.names import as_named
from tabrec.trees.fitted_trees import FittedTrees, is_forest, origins_of, read_trees, split_pipeline

__all__ = ["Contributions", "RowContributions", "contributions"]

_METHODS = ("auto", "path", "occlusion", "integrated_gradients")


@check_parameters(
    joint=["boolean"], method=[StrOptions(set(_METHODS))], max_background=[at_least(1)], random_state=RANDOM_STATE
)
def contributions(
    model: Any,
    X: Any,
    joint: bool = False,
    *,
    method: str = "auto",
    background: Any = None,
    max_background: int = 50,
    random_state: int | np.random.Generator | None = 0,
) -> Contributions:
    """Decompose predictions: each is a bias plus the contribution of each column.

    Parameters
    ----------
    model : estimator
        A fitted regressor or classifier: forests and single trees (ours, scikit-learn's random forests, extra trees and
        decision trees), our nets, boosting, ensembles, pipelines.
    X : table or array-like of shape (n_rows, n_features)
        Rows to explain, as the model takes them.
    joint : bool, default=False
        Whether to compute the contributions of sets of columns too; for forests and trees only.
    method : {"auto", "path", "occlusion", "integrated_gradients"}, default="auto"
        "path", for forests and trees: the bias is the mean prediction at the roots, and each split on the path to the
        leaf adds the change of the node's mean to the column that it tests. Exact; by encoded column.

        "occlusion", for any model: the bias is the mean prediction of the background rows. From a background row to the
        row, the columns are replaced one after the other, in a random order and in the reverse of it; a column's
        contribution is the change of the prediction when it is replaced, averaged over the background rows. This
        estimates Shapley values; the contributions add up exactly, and each has a standard error. It takes
        ``2 * n_background * (n_columns - 1)`` predictions per row.

        "integrated_gradients", for our nets: the same bias; the gradient is integrated along the straight line from
        each background row to the row, between embedded columns, and summed by raw column.

        "auto" is "path" for forests and trees, "integrated_gradients" for our nets and "occlusion" for others.
    background : table or array-like of shape (n_background, n_features), default=None
        Reference rows, such as training rows; needed by all methods but "path", which ignores it.
    max_background : int, default=50
        Maximum number of background rows to use, drawn at random.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of that draw, and of the orders of "occlusion".

    Returns
    -------
    Contributions
        With `prediction`, `bias` and `contributions`; ``.row(i)`` for one row, ``.by_source()`` for raw columns.

    Raises
    ------
    TypeError
        The method does not support the model, or the model does not predict.
    ValueError
        An unknown method, no `background` for a method that needs one, columns of fit that are missing, or `joint` for
        another method than "path".
    sklearn.exceptions.NotFittedError

    See Also
    --------
    shap_values : Exact Shapley values of forests and trees.
    waterfall : Plot of the contributions to one prediction.
    feature_importance : Importance of columns over many rows.

    References
    ----------
    Howard & Gugger (2020), *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Tree interpreter".
    Saabas (2014), "Interpreting random forests". Štrumbelj & Kononenko (2014), "Explaining prediction models and
    individual predictions with feature contributions". Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep
    networks".

    Examples
    --------
    >>> from tabrec import ForestRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import contributions
    >>> auctions = make_auctions(300, random_state=0)[["YearMade", "ProductSize", "saledate", "SalePrice"]]
    >>> price = auctions.pop("SalePrice")
    >>> forest = ForestRegressor(n_estimators=10, random_state=0).fit(auctions, price)
    >>> reasons = contributions(forest, auctions.head(2)).by_source()
    >>> reasons.row(0).table["column"].tolist()
    ['ProductSize', 'YearMade', 'saledate']
    >>> abs(reasons.bias + reasons.contributions.sum(axis=1) - reasons.prediction).max() < 1e-9
    np.True_
    """
    method = _choose_method(model, method)
    if joint and method != "path":
        raise ValueError(f"joint=True is for forests and single trees, not for method={method!r}: leave it out.")
    if method == "path":
        return _by_path(read_trees(model, "contributions", "method='occlusion' with background="), X, joint)
    check_is_fitted(model)
    rng = np.random.default_rng(random_state)
    if method == "integrated_gradients":
        return _by_gradients(model, X, _read_background(background, method, max_background, rng))
    predict = predictor(model)
    return _by_occlusion(model, predict, X, _read_background(background, method, max_background, rng), rng)


def _choose_method(model: Any, method: str) -> str:
    net = _is_net(model)
    if method == "auto":
        return "path" if is_forest(model) else "integrated_gradients" if net else "occlusion"
    if method == "integrated_gradients" and not net:
        name = type(split_pipeline(model)[1]).__name__
        name += " with a module of its own" if getattr(split_pipeline(model)[1], "module", None) else ""
        raise TypeError(
            "method='integrated_gradients' is for fitted TabularRegressor and TabularClassifier, not for "
            f"{name}: pass method='auto'."
        )
    return method


def _is_net(model: Any) -> bool:
    """Return whether the model is a net of this package, without importing torch for other models."""
    room, last = sys.modules.get("tabrec.neural.tabular_estimator"), split_pipeline(model)[1]
    return room is not None and isinstance(last, room.TabularEstimator) and last.module is None


def _read_background(background: Any, method: str, most: int, rng: np.random.Generator) -> Any:
    """Sample at most `most` background rows; tables stay tables."""
    if background is None:
        raise ValueError(
            f"method={method!r} compares each row with background rows: pass them, such as background=X_train."
        )
    frame = read_frame(background)
    chosen = np.sort(rng.choice(len(frame), min(most, len(frame)), replace=False))
    frame = frame.iloc[chosen]
    return frame if is_table(background) else frame.to_numpy()


def _by_path(trees: FittedTrees, X: Any, joint: bool) -> Contributions:
    encoded = trees.encode(X)
    matrix = trees.to_matrix(encoded)
    found = describe(trees, X, encoded, "path", *sum_by_column(trees, matrix))
    if not joint:
        return found
    return replace(found, joint=_name_sets(sum_by_set(trees, matrix), trees.names, found.outputs is None))


def describe(
    trees: FittedTrees,
    X: Any,
    encoded: pd.DataFrame,
    method: str,
    prediction: np.ndarray,
    bias: np.ndarray,
    gains: np.ndarray,
) -> Contributions:
    """Make the result from contributions to the predictions of trees.

    `prediction`, `bias` and `gains` have shapes (n_rows, n_outputs), (n_outputs,) and (n_rows, n_columns, n_outputs).
    """
    raw = read_frame(as_named(trees.model, X))
    found = AgainstBackground(prediction, bias, gains)
    return _make_result(found, trees.classes, raw, method, trees.sources, show_encoded(trees, raw, encoded))


def _name_sets(found: list[dict], names: list[str], is_single: bool) -> list[dict]:
    return [
        {
            tuple(names[column] for column in columns): float(gain[0]) if is_single else gain
            for columns, gain in by_set.items()
        }
        for by_set in found
    ]


def _by_occlusion(model: Any, predict: Any, X: Any, background: Any, rng: np.random.Generator) -> Contributions:
    raw, others, columns = _read_pair(model, X, background)
    as_array = not is_table(X) and not hasattr(model, "feature_names_in_")
    found = occlude(predict, raw[columns], others[columns], rng, as_array)
    return _of_raw_columns(model, raw, columns, "occlusion", found)


def _by_gradients(model: Any, X: Any, background: Any) -> Contributions:
    from tabrec.interpret.attribution._net_contributions import integrate_gradients

    raw, _, columns = _read_pair(model, X, background)
    steps, net = split_pipeline(model)
    origins = origins_of(model, [str(name) for name in net.encoded_names_])
    sources = {name: name if origin is None else origin.column for name, origin in origins.items()}
    lost = [name for name, source in sources.items() if source not in columns]
    if lost:
        raise ValueError(f"Cannot trace net input {lost[0]!r} to a column of X; use method='occlusion'.")
    entered = (X, background) if steps is None else (steps.transform(X), steps.transform(background))
    found = integrate_gradients(net, *entered, sources, columns)
    return _of_raw_columns(model, raw, columns, "integrated_gradients", found)


def _read_pair(model: Any, X: Any, background: Any) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Read X and the background as frames; also returns the columns of the model."""
    predictor(model)(X)  # raises the errors of the model for invalid X
    raw, others = (read_frame(as_named(model, table)) for table in (X, background))
    columns = [name for name in fitted_columns(model, raw) if name in raw]
    absent = [name for name in columns if name not in others]
    if absent:
        raise ValueError(f"background lacks the column(s) {absent[:20]}: pass rows with the columns of X.")
    return raw, others, columns


def _of_raw_columns(
    model: Any, raw: pd.DataFrame, columns: list[str], method: str, found: AgainstBackground
) -> Contributions:
    return _make_result(found, classes_of(model), raw, method, {name: name for name in columns}, raw[columns].copy())


def _make_result(
    found: AgainstBackground,
    classes: Any,
    raw: pd.DataFrame,
    method: str,
    sources: dict[str, str],
    values: pd.DataFrame,
) -> Contributions:
    names = _output_names(classes, found.prediction.shape[1])

    def squeeze(array: Any) -> Any:
        """Remove the axis of outputs if there is only one."""
        return array if array is None or names is not None else array[..., 0]

    return Contributions(
        prediction=squeeze(found.prediction),
        bias=squeeze(np.tile(found.base, (len(raw), 1))),
        contributions=squeeze(found.contributions),
        columns=list(sources),
        sources=sources,
        values=values,
        outputs=names,
        is_classifier=classes is not None,
        raw=raw.copy(),
        method=method,
        standard_error=squeeze(found.standard_error),
        residual=squeeze(found.residual),
    )


def _output_names(classes: Any, n_outputs: int) -> list | None:
    """Return the classes, the numbers of outputs, or pairs of both; None for a single numeric output."""
    if classes is None:
        return None if n_outputs == 1 else list(range(n_outputs))
    if isinstance(classes, list):
        return [(output, label) for output, of_output in enumerate(classes) for label in of_output.tolist()]
    return classes.tolist()
