"""`Explanation`: why a rating is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a rating is predicted.

    Attributes
    ----------
    user, item : id
    prediction : float
    path : str
        How it came about; see `Recommender.predict`.
    parts : pandas.Series
        "mean", "user", "item", "features" and "factors", in units of the rating; they sum to the prediction.
    ratings : pandas.DataFrame
        `item`, `rating` and `argues`: ratings of the user, by how much each one raises (or, below 0, lowers) the
        prediction, those that raise it most first.
    """

    user: Any
    item: Any
    prediction: float
    path: str
    parts: pd.Series
    ratings: pd.DataFrame
