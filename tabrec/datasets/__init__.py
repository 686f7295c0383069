"""Tables that are generated, read from files or downloaded."""

from tabrec.datasets._errors import FetchError, NoHeaderError
from tabrec.datasets.baskets import read_baskets
from tabrec.datasets.fetching import DATASETS, fetch_dataset
from tabrec.datasets.grouplens import fetch_movielens
from tabrec.datasets.kaggle_competitions import fetch_kaggle, submit_kaggle
from tabrec.datasets.movielens import load_movielens, load_movielens_fold, load_movielens_interactions
from tabrec.datasets.queries import read_query
from tabrec.datasets.real_tables import load_adult, load_bulldozers, load_house_prices
from tabrec.datasets.submissions import check_submission
from tabrec.datasets.synthetic import make_auctions
from tabrec.datasets.synthetic_interactions import make_interactions
from tabrec.datasets.synthetic_ratings import make_ratings
from tabrec.datasets.tables import read_table
from tabrec.datasets.uci import fetch_adult

__all__ = [
    "DATASETS",
    "FetchError",
    "NoHeaderError",
    "check_submission",
    "fetch_adult",
    "fetch_dataset",
    "fetch_kaggle",
    "fetch_movielens",
    "load_adult",
    "load_bulldozers",
    "load_house_prices",
    "load_movielens",
    "load_movielens_fold",
    "load_movielens_interactions",
    "make_auctions",
    "make_interactions",
    "make_ratings",
    "read_baskets",
    "read_query",
    "read_table",
    "submit_kaggle",
]
