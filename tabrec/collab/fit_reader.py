"""`fit_reader`: fit a recommender to ratings that are read already."""

from __future__ import annotations

from tabrec.collab.reader import RatingsReader
from tabrec.collab.recommender import Recommender


def fit_reader(recommender: Recommender, reader: RatingsReader) -> None:
    """Learn from the ratings of a reader, without context; the names of the columns are not learned."""
    scorer = recommender._check_parameters()
    recommender._take(reader)
    recommender._learn(scorer, None)
