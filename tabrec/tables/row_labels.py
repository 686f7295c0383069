"""Rows of a table and of its target are matched by position; index labels that contradict this are an error."""

from __future__ import annotations

from typing import Any

import pandas as pd


class CheckedScoreMixin:
    """Let `score` refuse a target that is in another order than X; goes before scikit-learn's mixins."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute scikit-learn's default score on given rows: R² of a regressor, accuracy of a classifier.

        Parameters
        ----------
        X : table or array-like of shape (n_rows, n_columns)
            The rows, as `predict` takes them.
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Greater is better; 1 is best.
        """
        check_row_labels(X, y=y, sample_weight=sample_weight)
        return super().score(X, y, sample_weight)  # type: ignore[misc]


def check_row_labels(X: Any, **others: Any) -> None:
    """Refuse pandas objects whose index has the labels of that of X in another order.

    As in scikit-learn, rows are matched by position, not by their labels. The same labels in another order are
    rows that belong together by label, such as a target that was not shuffled with its table.

    Parameters
    ----------
    X : table or array-like
        Only pandas objects have an index.
    **others : array-like or None
        Objects with one entry per row of X, by the name of the parameter.
    """
    for name, values in others.items():
        if _are_reordered(X, values):
            pairs = zip(X.index.tolist(), values.index.tolist(), strict=True)
            row, given, other = next((row, a, b) for row, (a, b) in enumerate(pairs) if a != b and (a == a or b == b))
            by_label = f"{name}.loc[X.index] to match rows by label, or " if X.index.is_unique else ""
            raise ValueError(
                f"{name} has the index labels of X in another order: row {row} (counted from 0) is {given!r} in X and "
                f"{other!r} in {name}. Pass {by_label}{name}.to_numpy() to match them by position."
            )


def _are_reordered(X: Any, values: Any) -> bool:
    if not (isinstance(X, (pd.DataFrame, pd.Series)) and isinstance(values, (pd.DataFrame, pd.Series))):
        return False
    given, other = X.index, values.index
    if len(given) != len(other) or given.nlevels != other.nlevels or given.equals(other):
        return False
    if not given.isin(other[:1]).any():  # different labels, as a rule
        return False
    counts = given.value_counts(sort=False, dropna=False)
    return bool(counts.sub(other.value_counts(sort=False, dropna=False), fill_value=0).eq(0).all())
