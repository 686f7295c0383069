"""Where tables come from."""

from tabrec.datasets._errors import FetchError
from tabrec.datasets.fetching import DATASETS, fetch_dataset
from tabrec.datasets.made import make_auctions
from tabrec.datasets.made_ratings import make_ratings
from tabrec.datasets.movielens import load_movielens, load_movielens_fold
from tabrec.datasets.tables import read_table

__all__ = [
    "DATASETS",
    "FetchError",
    "fetch_dataset",
    "load_movielens",
    "load_movielens_fold",
    "make_auctions",
    "make_ratings",
    "read_table",
]
