"""`embedding_map`: what a model has learned of labels, as a map."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from tabrec.interpret._models import is_forest, split_pipeline
from tabrec.interpret._result import Result
from tabrec.interpret.attribution._shown_values import to_text
from tabrec.interpret.drawings._tree_words import is_whole
from tabrec.plotting.axes import GREY, make_axes, shorten
from tabrec.plotting.maps import draw_labelled, principal_components


@dataclass(frozen=True, repr=False)
class EmbeddingMap(Result):
    """The vectors of a column's labels by their first two principal components.

    Attributes
    ----------
    column : str
    table : pandas.DataFrame
        `label`, `first` and `second`, and of a recommender `count`, the ratings of each; ordered by count, or where
        there are none, by how far labels lie from the middle.
    shares : (float, float)
        Of the variance of the vectors, that along each component.
    n : int
        How many labels, the first of the table, the picture writes.
    """

    column: str
    table: pd.DataFrame = field(repr=False)
    shares: tuple[float, float]
    n: int

    def plot(self, ax: Any = None) -> Any:
        """Draw the map: all labels as points, `n` of them by name.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            That of a new figure where None.

        Returns
        -------
        matplotlib.axes.Axes
        """
        points = self.table[["first", "second"]].to_numpy()
        ax = make_axes(ax, (9.5, 6.8))
        ax.scatter(*points[self.n :].T, s=8, color=GREY, alpha=0.5, linewidth=0, zorder=2)
        texts = [shorten(to_text(label)) for label in self.table["label"].iloc[: self.n]]
        draw_labelled(points[: self.n], texts, self._title(len(texts)), ax)
        for axis, which, share in zip((ax.xaxis, ax.yaxis), ("first", "second"), self.shares, strict=True):
            axis.set_label_text(f"{which} principal component ({share:.0%} of variance)")
        return ax

    def _title(self, n_written: int) -> str:
        column, n_labels = shorten(self.column), len(self.table)
        if n_written == n_labels:
            return f"{column}: what the model learned of {n_labels} labels"
        which = "with most ratings" if "count" in self.table else "furthest from the middle"
        return f"{column}: the {n_written} {which}, of {n_labels}"


def embedding_map(model: Any, column: str, *, n: int = 50) -> EmbeddingMap:
    """Map what a model has learned of the labels of a column.

    Labels that are alike to the model lie together: its vectors by their first two principal components.

    Parameters
    ----------
    model : TabularRegressor, TabularClassifier, EmbeddingEncoder, recommender, or a Pipeline that holds one
        Fitted.
    column : str
        A category column, by encoded name; of a recommender that of the users or of the items, or "user" or "item".
    n : int, default=50
        How many labels the picture writes: of a recommender those with most ratings, of a net those that lie furthest
        from the middle. The table has all.

    Returns
    -------
    EmbeddingMap
        `table`, `shares` of the variance, and `plot(ax=None)`. Of a net, the label ``"#na#"`` stands for what is
        missing or was not seen in fit.

    Raises
    ------
    TypeError
        The model learns no vectors of labels.
    ValueError
        No such column, fewer than two labels, or `n` is less than 1.

    Notes
    -----
    Vectors begin at random, and a label is moved only by rows that bear it: with the default of our nets,
    ``embedding_std=0.5``, much of that start remains. For a net to be looked at, set ``embedding_std=0.01``, fastai's.

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
    if not is_whole(n) or n < 1:
        raise ValueError(f"n={n!r} must be a whole number of at least 1.")
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
    """The net, encoder or recommender in a model."""
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
    advice = (
        "For what a forest makes of a column's labels use partial_dependence; for its splits, draw_tree."
        if is_forest(model)
        else "For what other models make of a column's labels use partial_dependence."
    )
    raise TypeError(
        f"embedding_map reads models that learn vectors of labels (TabularRegressor, TabularClassifier, "
        f"EmbeddingEncoder, recommenders), not {name}. {advice}"
    )


def _read_vectors(learner: Any, column: str) -> tuple[pd.DataFrame, np.ndarray | None]:
    """A vector a label, and where they are known, counts."""
    if not hasattr(type(learner), "item_factors_"):
        frames = learner.embeddings_
        _check_column(column, list(frames))
        return frames[column], None
    names = {"user": learner.user_name_, "item": learner.item_name_}
    kind_of = {learner.user_name_: "user", learner.item_name_: "item"} | {
        kind: kind for kind in ("user", "item") if kind not in names.values()
    }
    _check_column(column, list(kind_of))
    return _of_recommender(learner, kind_of[column])


def _of_recommender(learner: Any, kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    side = learner._side(kind)
    known = side.known()
    vectors = pd.DataFrame(learner._vectors(kind)[known], index=side.ids.names_of(known))
    return vectors, learner._ratings.counts(kind, side.n_codes)[known]


def _check_column(column: str, available: list[str]) -> None:
    if column not in available:
        raise ValueError(
            f"column={column!r} has no vectors: the model has learned those of "
            f"{', '.join(map(repr, available)) or 'no column'}."
        )
