"""Where tables come from."""

from tabrec.datasets.made import make_auctions, make_ratings

__all__ = ["make_auctions", "make_ratings"]
