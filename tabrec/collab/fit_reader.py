"""`fit_reader`: fit a recommender to ratings that have been read."""

from __future__ import annotations

from tabrec.collab.reader import RatingsReader
from tabrec.collab.recommender import Recommender


def fit_reader(recommender: Recommender, reader: RatingsReader) -> None:
    """Fit to the ratings of a reader, without context and without learning the names of columns."""
    scorer = recommender._check_parameters()
    recommender._take(reader)
    recommender._learn(scorer, None)
