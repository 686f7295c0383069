"""`RecommenderRun`: the base of the runs of recommenders, of ratings or interactions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from tabrec.runs.run import Run
from tabrec.tables.messages import warn_caller


class RecommenderRun(Run):
    """A recommender with its scores: a `RatingRun` or a `RankingRun`; `RecommenderRun.open` opens both.

    Attributes
    ----------
    model : recommender
        Fitted to all rows, including those that were held out for the scores.
    metadata : dict
        The columns, the options and the numbers of rows, users and items.
    metrics : dict of str to dict of str to float
        Scores on held-out rows, by model and metric.
    predictions : pandas.DataFrame or None
        The predicted ratings of the rows held out; None for models that do not predict ratings.

    See Also
    --------
    rate : Train a recommender on ratings.
    rank : Train a recommender on interactions.
    """

    _other_kind = "which is not a recommender: use `tabrec predict`"

    @property
    def scores(self) -> pd.DataFrame:
        """The metrics as a table: a row for each model, a column for each metric."""
        return pd.DataFrame.from_dict(self.metrics, orient="index")

    def recommend(self, users: Any = None, n: int = 10, *, exclude_seen: bool = True) -> pd.DataFrame:
        """Recommend the items with the highest scores.

        Parameters
        ----------
        users : id or array-like of ids, default=None
            The users; None takes all users that the model has learned from.
        n : int, default=10
            Number of items for each user.
        exclude_seen : bool, default=True
            Whether to leave out the items that the user has rated or taken.

        Returns
        -------
        pandas.DataFrame
            `user`, `rank`, `item` and `score`, best first.
        """
        return self.model.recommend(self.model.users_ if users is None else users, n, exclude_seen=exclude_seen)

    def unknown_users(self, users: Any) -> set:
        """Return the users that the recommender does not know.

        Parameters
        ----------
        users : array-like of ids
            The users to look up.

        Returns
        -------
        set
            Those without ratings and without features: their predictions are the same for all of them.
        """
        model = self.model
        pairs = pd.DataFrame({model.user_name_: list(users), model.item_name_: model.items_.tolist()[0]})
        paths = model.predict(pairs, return_path=True)[1]
        return {user for user, path in zip(users, paths, strict=True) if path == "item bias"}

    def _report(self, table: str | os.PathLike | None, new: Any, verbose: Any) -> Any:
        from tabrec.interpret import report

        return report(self.model, scores=self.scores, title=self._title, verbose=verbose)


def drop_missing_ids(frame: pd.DataFrame, user: str, item: str, rows: str) -> pd.DataFrame:
    """Drop rows without a user or an item, with a warning of their number; `rows` is the word for them."""
    missing = frame[user].isna() | frame[item].isna()
    if missing.any():
        warn_caller(
            f"{int(missing.sum())} of {len(frame)} {rows} have no {user} or no {item} and are left out: the first in "
            f"row {int(np.argmax(missing))} (counted from 0)."
        )
    return frame[~missing]


def parse_ids(texts: list[str], known: pd.Index) -> list:
    """Return ids given on a command line, converted to the type of the known ids."""
    if not pd.api.types.is_numeric_dtype(known):
        return texts
    try:
        return [float(text) if "." in text else int(text) for text in texts]
    except ValueError as error:
        raise ValueError(f"{known.name} {texts} should be numbers, such as {known.tolist()[0]!r}.") from error
