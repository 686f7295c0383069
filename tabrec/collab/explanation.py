"""`Explanation`: the result of `Recommender.explain`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Explanation:
    """The parts of a prediction, and the ratings that contribute to it.

    Attributes
    ----------
    user, item : id
        The pair.
    prediction : float
        The predicted rating.
    path : str
        The source of the prediction; see `Recommender.predict`.
    parts : pandas.Series
        "mean", "user", "item", "features" and "factors", in units of the rating; they sum to the prediction.
    ratings : pandas.DataFrame
        `item`, `rating` and `contribution`: ratings of the user, and how much each raises (or, below 0, lowers) the
        prediction, those that raise it most first.
    features : pandas.DataFrame or None
        `feature`, `value` and `contribution`: features of the pair, and how much each adds to the prediction, the
        largest first. None for models without a ranker.

    See Also
    --------
    Recommender.explain : Returns an explanation.
    """

    user: Any
    item: Any
    prediction: float
    path: str
    parts: pd.Series
    ratings: pd.DataFrame
    features: pd.DataFrame | None = None

    def __str__(self) -> str:
        lines = [f"{self.user!r}, {self.item!r}: {self.prediction:.2f} ({self.path})"]
        lines += [f"  {name:<9}{round(part, 2) + 0.0:+.2f}" for name, part in self.parts.items()]
        if len(self.ratings):
            lines += ["  contributions of the user's ratings:"]
            lines += [
                f"    {row.item!r}, rated {row.rating:g}: {row.contribution:+.3f}"
                for row in self.ratings.itertuples(index=False)
            ]
        if self.features is not None and len(self.features):
            lines += ["  contributions of features:"]
            lines += [
                f"    {row.feature} = {_shorten(row.value)}: {row.contribution:+.3f}"
                for row in self.features.itertuples(index=False)
            ]
        return "\n".join(lines)


def _shorten(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float | np.floating) else str(value)
