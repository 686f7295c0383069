"""Plots of recommenders: items by the principal components of their vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabrec.plotting.axes import shorten
from tabrec.plotting.maps import draw_labelled, principal_components

# Components are computed from the items with most ratings: vectors of rarely rated items are hardly trained.
_MOST_FOR_COMPONENTS = 1000


def draw_items(vectors: np.ndarray, counts: np.ndarray, names: list, n: int, ax: Any) -> Any:
    """Draw the items with most ratings by the principal components of their vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, n_dimensions)
    counts : ndarray of shape (n_items,)
        Ratings of each.
    names : list of length n_items
    n : int
    ax : matplotlib.axes.Axes or None
    """
    busiest = np.argsort(-counts, kind="stable")[:_MOST_FOR_COMPONENTS]
    shown = min(n, len(busiest))
    texts = [shorten(names[item]) for item in busiest[:shown]]
    title = f"The {shown} items with most ratings"
    return draw_labelled(principal_components(vectors[busiest])[:shown], texts, title, ax)
