"""`Popular`: the most popular items, overall, recently or in a segment of users."""

from __future__ import annotations

import time
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval

from tabrec.collab.ids import as_column
from tabrec.collab.ranking_recommender import RankingRecommender
from tabrec.collab.reader import RatingsReader
from tabrec.collab.side_table import index_by_id
from tabrec.collab.strengths import StrengthScorer
from tabrec.tables.columns import to_columns
from tabrec.tables.dates import as_dates, learn_dates, looks_like_dates
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import check_named

_SECONDS_OF_DAY = 86_400
# Greater times since 1970 (the year 5138 in seconds) are in milliseconds or a smaller unit, so they are divided.
_MOST_SECONDS, _STEP_OF_UNIT = 1e11, 1e3
# If a smaller share of times is in the past, they are not dates of events.
_LEAST_PAST = 0.5
# Popularity among all users counts as much as popularity among this many users of a segment.
_DAMPING = 20.0


class Popular(RankingRecommender):
    """Recommend the most popular items: the baseline of every other recommender, and the answer for unknown users.

    Parameters
    ----------
    time : str, default=None
        Column of the times of the interactions, dates or seconds; required for `half_life`.
    half_life : float, default=None
        Number of days after which an interaction counts half. None counts all interactions equally.
    segment : str, default=None
        Column of `user_features`, such as a country: users are recommended the popular items of their segment.
    rating_weight : float, "value" or callable, default=0.0
        How a value of y becomes the strength of an interaction. A float w gives 1 + w · (y - mean) / std, with
        deviations beyond two standard deviations cut off, so that 0 ignores y. "value" uses y as it is. A callable is
        applied to the array of values and must return positive numbers.
    user, item : str, default=None
        Columns of the ids; None takes those of two, or those with usual names such as "userId", or else the first two.
    user_features, item_features : pandas.DataFrame, default=None
        Side tables indexed by id; that of users has the column `segment`. Those of items are not used.

    Attributes
    ----------
    users_, items_ : pandas.Index
        Ids with interactions.
    user_name_, item_name_ : str
        Columns of the ids.
    ratings_ : pandas.DataFrame
        All interactions that the model holds: `user`, `item` and `rating`, the value of y or 1.
    user_counts_, item_counts_ : pandas.Series
        Number of interactions by id.
    n_features_in_ : int
        Number of columns in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns in fit, where X named them.

    Raises
    ------
    ValueError
        As for `EASE`, or `half_life` is given without `time`, or a column is missing.

    See Also
    --------
    EASE : Personal recommendations.
    evaluate : Compares a recommender with the most popular items.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import Popular
    >>> clicks = pd.DataFrame({"user": [1, 2, 3, 1, 2], "item": ["a", "a", "a", "b", "c"]})
    >>> Popular().fit(clicks).recommend(4, n=1)["item"].tolist()
    ['a']
    """

    _parameter_constraints: ClassVar[dict] = {
        **RankingRecommender._parameter_constraints,
        "time": [str, None],
        "half_life": [Interval(Real, 0, None, closed="neither"), None],
        "segment": [str, None],
    }

    def __init__(
        self,
        *,
        time: str | None = None,
        half_life: float | None = None,
        segment: str | None = None,
        rating_weight: Any = 0.0,
        user: str | None = None,
        item: str | None = None,
        user_features: pd.DataFrame | None = None,
        item_features: pd.DataFrame | None = None,
    ):
        self.time = time
        self.half_life = half_life
        self.segment = segment
        self.rating_weight = rating_weight
        self.user = user
        self.item = item
        self.user_features = user_features
        self.item_features = item_features

    def _make_scorer(self) -> PopularScorer:
        return PopularScorer(self.get_params(deep=False))

    def _read_weights(self, frame: pd.DataFrame, sample_weight: Any, reset: bool) -> Any:
        if self.half_life is None:
            return sample_weight
        days = read_days(frame, check_named("time", [self.time], frame.columns)[0])
        if reset:
            self.newest_day_ = _newest(days)
        decay = 0.5 ** (np.maximum(self.newest_day_ - days, 0.0) / self.half_life)
        return decay if sample_weight is None else decay * np.asarray(sample_weight, dtype=np.float64)


class PopularScorer(StrengthScorer):
    """Counts the strengths of each item, in each segment."""

    def check_parameters(self) -> None:
        parameters = self.parameters
        if parameters["half_life"] is not None and parameters["time"] is None:
            raise ValueError(f"half_life={parameters['half_life']} needs the times of the interactions: set time.")
        if parameters["segment"] is None:
            return
        if parameters["user_features"] is None:
            raise ValueError(f"segment={parameters['segment']!r} must be a column of user_features, which is None.")
        check_named("segment", [parameters["segment"]], parameters["user_features"].columns)

    segments: np.ndarray  # (n_user_codes,): the segment of each user, from 1; 0 if unknown
    by_segment: np.ndarray  # (n_segments + 1, n_item_codes): mean strength of each item, over all users in row 0

    def take(self, data: RatingsReader) -> None:
        super().take(data)
        self.segments = self._segments()

    def learn(self) -> None:
        has_items = np.diff(self.matrix.indptr) > 0
        overall = np.asarray(self.matrix.sum(axis=0)).ravel() / max(1, np.count_nonzero(has_items))
        self.by_segment = overall[None]
        for segment in range(1, self.segments.max(initial=0) + 1):
            rows = self.segments == segment
            totals = np.asarray(self.matrix[rows].sum(axis=0)).ravel()
            n_users = np.count_nonzero(has_items & rows)
            mean = (totals + _DAMPING * overall) / (n_users + _DAMPING)
            self.by_segment = np.vstack([self.by_segment, mean])

    def score(self, pairs: Any) -> np.ndarray:
        return self.score_known(pairs.users, pairs.items)

    def score_block(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.block_known(users, items)

    def score_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.by_segment[self.segments[users], items]

    def block_known(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        return self.by_segment[np.ix_(self.segments[users], items)]

    def explain(self, user: int, item: int) -> dict[str, float]:
        return {"item": float(self.by_segment[self.segments[user], item])}

    def _segments(self) -> np.ndarray:
        segments = np.zeros(self.data.users.n_codes, dtype=np.intp)
        name, table = self.parameters["segment"], self.parameters["user_features"]
        if name is not None:
            ids = self.data.users.ids
            table = index_by_id("user_features", table, ids)
            users = ids.encode(as_column(self.data.user_name, table.index))
            segments[users] = pd.factorize(table[name], sort=True)[0] + 1
            segments[0] = 0
        return segments


def _newest(days: np.ndarray) -> float:
    """Return the latest day; future days are ignored, unless they are the majority."""
    today = time.time() / _SECONDS_OF_DAY + 1  # a day later, for any time zone
    is_past = days <= today
    if is_past.all() or is_past.mean() < _LEAST_PAST:
        return float(days.max())
    warn_caller(
        f"{int((~is_past).sum())} of {len(days)} times are in the future, the latest on "
        f"{np.datetime64(int(days.max()), 'D')}: they count as the newest of the others."
    )
    return float(days[is_past].max())


def read_days(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Convert dates, seconds, or times since 1970 in smaller units, to days."""
    column = to_columns(frame[[name]])[name]
    if column.missing.any():
        raise ValueError(f"Column {name!r} has no time in row {int(np.argmax(column.missing))} (counted from 0).")
    if column.is_number:
        seconds = column.values.astype(np.float64)
        while np.median(seconds) >= _MOST_SECONDS:
            seconds = seconds / _STEP_OF_UNIT
        return seconds / _SECONDS_OF_DAY
    if not column.is_date and not (column.is_label and looks_like_dates(column.values.in_use)):
        raise ValueError(f"Column {name!r} must hold times, dates or seconds, but holds {column.example()!r}.")
    dates, rows = as_dates(column, *learn_dates(column, None))
    since = dates.tz_localize(None) - pd.Timestamp(0).as_unit("s")
    return since.total_seconds().to_numpy()[rows] / _SECONDS_OF_DAY
