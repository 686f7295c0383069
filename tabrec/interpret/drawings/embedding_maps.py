"""`embedding_map`: principal components of the learned vectors of the labels of a column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._parameters import at_least, check_parameters
from tabrec.interpret._result import Result
from tabrec.interpret.attribution._shown_values import to_text
from tabrec.plotting.axes import GREY, make_axes, shorten, shorten_all
from tabrec.plotting.maps import draw_labelled, principal_components
from tabrec.trees.fitted_trees import is_forest, split_pipeline


@dataclass(frozen=True, repr=False)
class EmbeddingMap(Result):
    """The labels of a column by the first two principal components of their vectors.

    Attributes
    ----------
    column : str
        The column.
    table : pandas.DataFrame
        Columns `label`, `first` and `second`; for a recommender also `count`, the number of ratings. Sorted by count,
        or else by distance from the centre, in descending order.
    shares : (float, float)
        Share of the variance explained by each component.
    n : int
        Number of labels that the plot writes, from the top of the table.

    See Also
    --------
    embedding_map : Makes one.
    """

    column: str
    table: pd.DataFrame = field(repr=False)
    shares: tuple[float, float]
    n: int

    def plot(self, ax: Any = None) -> Any:
        """Draw all labels as points, with the names of the first `n` of `embedding_map`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw on; None creates a figure.

        Returns
        -------
        matplotlib.axes.Axes
            The axes drawn on.
        """
        points = self.table[["first", "second"]].to_numpy()
        ax = make_axes(ax, (9.5, 6.8))
        ax.scatter(*points[self.n :].T, s=8, color=GREY, alpha=0.5, linewidth=0, zorder=2)
        texts = shorten_all(to_text(label) for label in self.table["label"].iloc[: self.n])
        draw_labelled(points[: self.n], texts, self._title(len(texts)), ax)
        for axis, which, share in zip((ax.xaxis, ax.yaxis), ("first", "second"), self.shares, strict=True):
            axis.set_label_text(f"{which} principal component ({share:.0%} of variance)")
        return ax

    def _title(self, n_written: int) -> str:
        column, n_labels = shorten(self.column), len(self.table)
        if n_written == n_labels:
            return f"{column}: vectors of {n_labels} labels"
        which = "with most ratings" if "count" in self.table else "furthest from the centre"
        return f"{column}: the {n_written} labels {which}, of {n_labels}"


@check_parameters(n=[at_least(1)])
def embedding_map(model: Any, column: str, *, n: int = 50) -> EmbeddingMap:
    """Project the learned vectors of the labels of a column onto their first two principal components.

    Labels that the model treats alike are close to each other.

    Parameters
    ----------
    model : TabularRegressor, TabularClassifier, EmbeddingEncoder, recommender, or a Pipeline that holds one
        The fitted model.
    column : str
        Encoded name of a categorical column; for a recommender the column of users or of items, or "user" or "item".
    n : int, default=50
        Number of labels that the plot writes: for a recommender those with most ratings, otherwise those furthest from
        the centre. The table has all labels.

    Returns
    -------
    EmbeddingMap
        The map. The label ``"#na#"`` stands for values that are missing or were not seen in fit.

    Raises
    ------
    TypeError
        The model has no vectors of labels.
    ValueError
        The column has no vectors or fewer than two labels, or `n` is less than 1.

    See Also
    --------
    partial_dependence : Effect of the labels on the prediction of any model.

    Notes
    -----
    Vectors are initialised at random, and only rows with a label move its vector. With the default
    ``embedding_std=0.5`` of our networks much of the initial position remains; ``embedding_std=0.01``, the default of
    fastai, gives a clearer map.

    References
    ----------
    Howard & Gugger, *Deep Learning for Coders with fastai and PyTorch*, chapter 9, "Categorical embeddings". Guo &
    Berkhahn (2016), "Entity embeddings of categorical variables".

    Examples
    --------
    >>> from tabrec import TabularRegressor
    >>> from tabrec.datasets import make_auctions
    >>> from tabrec.interpret import embedding_map
    >>> auctions = make_auctions(300, random_state=0)[["ProductSize", "YearMade", "SalePrice"]]
    >>> price = auctions.pop("SalePrice")
    >>> net = TabularRegressor(epochs=2, random_state=0).fit(auctions, price)
    >>> sizes = embedding_map(net, "ProductSize")
    >>> sorted(sizes.table["label"])
    ['#na#', 'Compact', 'Large', 'Large / Medium', 'Medium', 'Mini', 'Small']
    >>> ax = sizes.plot()
    """
    vectors, counts = _read_vectors(_find_learner(model), column)
    if len(vectors) < 2:
        raise ValueError(f"Column {column!r} has {len(vectors)} label: a map needs at least two.")
    values = vectors.to_numpy(dtype=np.float64)
    points = principal_components(values)
    total = np.square(values - values.mean(axis=0)).sum()
    shares = np.square(points).sum(axis=0) / (total or 1.0)
    table = pd.DataFrame({"label": vectors.index.astype(object), "first": points[:, 0], "second": points[:, 1]})
    prominence = np.hypot(*points.T)
    if counts is not None:
        table["count"] = prominence = counts
    table = table.iloc[np.argsort(-prominence, kind="stable")].reset_index(drop=True)
    return EmbeddingMap(str(column), table, (float(shares[0]), float(shares[1])), int(n))


def _find_learner(model: Any) -> Any:
    """Return the net, encoder or recommender in a model."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    for step in steps:
        if hasattr(type(step), "embeddings_") or hasattr(type(step), "item_factors_"):
            check_is_fitted(step)
            return step
        if hasattr(step, "estimator_") and hasattr(type(step.estimator_), "embeddings_"):
            return step.estimator_
    for step in steps:
        if type(step).__name__ == "EmbeddingEncoder":
            check_is_fitted(step)
    name = type(split_pipeline(model)[1]).__name__
    kind, more = ("a forest", "; for its splits, draw_tree") if is_forest(model) else ("other models", "")
    raise TypeError(
        f"embedding_map needs a model that learns vectors of labels (TabularRegressor, TabularClassifier, "
        f"EmbeddingEncoder, recommenders), not {name}. For the effect of labels in {kind} use partial_dependence{more}."
    )


def _read_vectors(learner: Any, column: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return the vectors by label and, for a recommender, the counts."""
    kinds: dict[str, str] = {}
    if hasattr(type(learner), "item_factors_"):
        own = {learner.user_name_: "user", learner.item_name_: "item"}
        kinds = own | {"user": "user", "item": "item"} | own  # the items may be named "user"
    available = list(kinds or learner.embeddings_)
    if column not in available:
        held = ", ".join(map(repr, available)) or "no column"
        raise ValueError(f"column={column!r} has no vectors; the model has vectors for {held}.")
    if not kinds:
        return learner.embeddings_[column], None
    return getattr(learner, f"{kinds[column]}_vectors_"), getattr(learner, f"{kinds[column]}_counts_").to_numpy()
