"""The data sets that can be downloaded; imports nothing slow, because completion reads it."""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """A data set in the list: its source, the size of the download, and a file that shows that it exists."""

    source: str
    size: str
    file: str


DATASETS = {
    "bulldozers": Listed("Kaggle", "50 MB", "bulldozers/Train.csv"),
    "house-prices": Listed("Kaggle", "0.2 MB", "house-prices/train.csv"),
    "adult": Listed("UCI", "0.6 MB", "adult/adult.data"),
    "movielens-100k": Listed("GroupLens", "5 MB", "ml-100k/u.data"),
    "movielens-latest-small": Listed("GroupLens", "1 MB", "ml-latest-small/ratings.csv"),
    "movielens-1m": Listed("GroupLens", "6 MB", "ml-1m/ratings.dat"),
    "movielens-25m": Listed("GroupLens", "260 MB", "ml-25m/ratings.csv"),
}
