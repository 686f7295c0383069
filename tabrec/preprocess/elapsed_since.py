"""`ElapsedSince`: days since and until an event, and how often it occurs around each row."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Number, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pandas.api import types
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import Origin, Origins
from tabrec.tables.columns import Column
from tabrec.tables.dates import as_dates, learn_dates
from tabrec.tables.names import check_named

_Events = tuple[np.ndarray, np.ndarray]  # groups and moments
_NO_EVENTS: _Events = (np.array([], dtype=np.int64), np.array([], dtype="datetime64[us]"))
_LONGEST_WINDOW = 1_000_000  # in days; datetime64[us] overflows beyond
_MICROSECONDS_PER_DAY = 24 * 60 * 60 * 10**6
_SINCE, _UNTIL = ("After{}", "{}_bw"), ("Before{}", "{}_fw")
_NAMES = {"both": _SINCE + _UNTIL, "since": _SINCE, "until": _UNTIL}


class ElapsedSince(FrameTransformer):
    """Add the days since the last event and until the next one, and counts of events around each row.

    For each event column, such as ``promo``, and within each group, such as a store, four columns are added:

    - ``Afterpromo``: days since the last event, 0 on the day of an event
    - ``promo_bw``: number of moments with an event in the `window` that ends with the row
    - ``Beforepromo``: days until the next event, 0 on the day of an event
    - ``promo_fw``: number of moments with an event in the `window` that starts with the row

    All other columns, including the event columns, pass through.

    Parameters
    ----------
    events : list of str, default=None
        Columns of booleans, or of 0 and 1, that say in which rows the event takes place; a missing value means no
        event. None selects every column of booleans except `group`; a table without any is returned unchanged.
    date : str, default="date"
        The column of dates, or of text that reads as dates. It is only needed if there are events.
    group : str, default=None
        The column whose labels have their own events, such as a store. None puts all rows into one group.
    direction : {"both", "since", "until"}, default="both"
        Which columns to add: "since" adds ``After…`` and ``…_bw``, "until" adds ``Before…`` and ``…_fw``.
    window : float, default=7
        Length in days of the windows in which events are counted. With one row per day, 7 covers the day of the row
        and the six days before or after it.

    Attributes
    ----------
    events_ : list of str
        The event columns.
    groups_ : dict of label to int
        Number of each group seen in fit.
    history_ : dict of str to (ndarray of int, ndarray of datetime64)
        Groups and moments of each event in fit, ordered by group and moment.
    date_format_ : str or None
        Format of the dates if they are text; None for a column of dates.
    time_zone_ : str or None
        Time zone in whose local time days are counted; dates in other zones are converted to it.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each input column, and the input column that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns seen in fit, and their names if X has any.

    Raises
    ------
    ValueError
        A column is missing, an event column holds something else than true and false, there are no dates, a new
        column has the name of an existing one, or in transform groups or dates are of another kind than in fit.
    TypeError
        `events` is a string instead of a list.

    See Also
    --------
    DateParts : Replaces dates by their parts.

    Notes
    -----
    *Known events.* `transform` uses the events of fit together with those of the table it is given, counting each
    moment once. Rows after the training period therefore know when the last event was. A row has the same values
    alone and in a batch, except for events that occur only in other rows of the batch.

    *Future events.* ``Before…`` and ``…_fw`` depend on the future. They suit events that are known in advance, such
    as holidays and planned promotions. For other events use ``direction="since"``; otherwise the target leaks.

    *Missing values.* Days are NaN if a group has no event on that side. All new columns are NaN if the date or the
    group of a row is missing, and an event in such a row is not counted. Days are fractional if the dates have a time
    of day. They are local if dates have a time zone: noon to noon is one day, also across a change to daylight saving
    time.

    *Differences from fastai*, whose column names are used: there, no event gives 0, days until the next event are
    negative, and windows cover 7 rows regardless of their dates.

    References
    ----------
    .. [1] The function `add_elapsed_times` of fastai 2, ``tabular/core.py``.
    .. [2] C. Guo and F. Berkhahn, "Entity Embeddings of Categorical Variables", 2016, arXiv:1604.06737, which uses
       these features for the Rossmann store sales.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import ElapsedSince
    >>> days = pd.DataFrame({
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-04", "2024-01-12"]),
    ...     "store": [1, 1, 1, 1],
    ...     "promo": [False, True, False, True],
    ... })
    >>> elapsed = ElapsedSince(["promo"], group="store").fit(days)
    >>> elapsed.transform(days).drop(columns=["date", "store"])
       promo  Afterpromo  promo_bw  Beforepromo  promo_fw
    0  False         NaN       0.0          2.0       1.0
    1   True         0.0       1.0          0.0       1.0
    2  False         1.0       1.0          8.0       0.0
    3   True         0.0       1.0          0.0       1.0

    Events of fit are known in transform:

    >>> later = pd.DataFrame({"date": [pd.Timestamp("2024-01-15")], "store": [1], "promo": [False]})
    >>> elapsed.transform(later)["Afterpromo"].tolist()
    [3.0]
    """

    _parameter_constraints: ClassVar[dict] = {
        "date": [str],
        "group": [str, None],
        "direction": [StrOptions({"both", "since", "until"})],
        "window": [Interval(Real, 0, _LONGEST_WINDOW, closed="right")],
    }

    def __init__(
        self,
        events: Sequence[str] | None = None,
        *,
        date: str = "date",
        group: str | None = None,
        direction: str = "both",
        window: float = 7,
    ):
        self.events = events
        self.date = date
        self.group = group
        self.direction = direction
        self.window = window

    def _learn_settings(self, columns: dict[str, Column]) -> None:
        if self.group is not None:
            check_named("group", [self.group], columns)
        if self.events is None:
            self.events_ = [name for name in columns if name != self.group and _is_boolean(columns[name])]
        else:
            self.events_ = check_named("events", self.events, columns)
        names = [*columns, *(template.format(event) for event in self.events_ for template in _NAMES[self.direction])]
        taken = sorted({name for name in names if names.count(name) > 1})
        if taken:
            raise ValueError(f"The table already has columns with the names of the new columns {taken}; rename them.")
        self.groups_: dict[Any, int] = {}
        self._group_is_number: bool | None = None
        self.history_: dict[str, _Events] = dict.fromkeys(self.events_, _NO_EVENTS)
        self.date_format_, self.time_zone_ = None, None
        if self.events_:
            check_named("date", [self.date], columns)
            self.date_format_, self.time_zone_ = learn_dates(columns[self.date], None)

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        if reset:
            self._learn_settings(columns)
        if not self.events_:
            return
        groups, known = self._group_numbers(columns)
        moments = self._moments(columns)
        history = {}
        for event in self.events_:
            timeline = _Timeline(self.history_[event], _find_events(columns[event], groups, moments))
            history[event] = (timeline.groups, timeline.moments)
        self.history_, self.groups_ = history, known
        if self.group is not None and not columns[self.group].missing.all():
            self._group_is_number = columns[self.group].is_number

    def _new_origins(self) -> Origins:
        return {
            template.format(event): Origin(event, "elapsed", part=template.format("").strip("_"))
            for event in self.events_
            for template in _NAMES[self.direction]
        }

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        out = {name: column.raw for name, column in columns.items()}
        if not self.events_:
            return out
        groups, _ = self._group_numbers(columns)
        moments = self._moments(columns)
        rows = np.flatnonzero((groups >= 0) & ~np.isnat(moments))
        # Sorting by group and moment makes the searches below access memory in order, which is several times faster.
        rows = rows[np.lexsort((moments[rows], groups[rows]))]
        window = np.timedelta64(round(self.window * _MICROSECONDS_PER_DAY), "us")
        for event in self.events_:
            past_groups, past_moments = self.history_[event]
            asked = np.isin(past_groups, groups)
            past = past_groups[asked], past_moments[asked]
            timeline = _Timeline(past, _find_events(columns[event], groups, moments))
            features = timeline.features(groups[rows], moments[rows], window, self.direction)
            for name, values in features.items():
                out[name.format(event)] = spread = np.full(len(groups), np.nan)
                spread[rows] = values
        return out

    def _group_numbers(self, columns: dict[str, Column]) -> tuple[np.ndarray, dict[Any, int]]:
        """Number the group of each row (-1 if missing); also returns the number of each label."""
        if self.group is None:
            return np.zeros(len(columns[self.date].raw), dtype=np.int64), {}
        column = columns[self.group]
        self._check_group(column)
        codes, labels = column.as_labels()
        in_use = np.zeros(len(labels) + 1, dtype=bool)
        in_use[codes] = True
        known = dict(self.groups_)
        numbers_ = [
            known.setdefault(label, len(known)) if used else -1 for label, used in zip(labels, in_use[:-1], strict=True)
        ]
        return np.array([*numbers_, -1], dtype=np.int64)[codes], known

    def _check_group(self, column: Column) -> None:
        if column.is_date:
            raise ValueError(f"group={column.name!r} must be a column of labels or numbers, but it holds dates.")
        if self._group_is_number in (None, column.is_number) or column.missing.all():
            return
        held = "numbers" if self._group_is_number else "labels"
        raise ValueError(
            f"Column {column.name!r} held {held} in fit, but now holds {column.family()} such as {column.example()!r}."
        )

    def _moments(self, columns: dict[str, Column]) -> np.ndarray:
        """Return the local time of each row: datetime64[us] array of shape (n_rows,), NaT where missing."""
        dates, rows = as_dates(columns[self.date], self.date_format_, self.time_zone_)
        local = dates.tz_localize(None).to_numpy().astype("datetime64[us]")
        return np.append(local, np.datetime64("NaT", "us"))[rows]


class _Timeline:
    """The distinct moments of an event in each group, ordered by group and then by moment."""

    def __init__(self, past: _Events, present: _Events):
        groups, moments = (np.concatenate(parts) for parts in zip(past, present, strict=True))
        # Keys order the pairs of group and moment; each group has one more key than there are moments.
        self._distinct = np.sort(pd.unique(moments))
        self._keys_per_group = len(self._distinct) + 1
        self._keys = np.sort(pd.unique(groups * self._keys_per_group + np.searchsorted(self._distinct, moments)))
        self.groups, ranks = np.divmod(self._keys, self._keys_per_group)
        self.moments = self._distinct[ranks]

    def features(self, groups: np.ndarray, moments: np.ndarray, window: Any, direction: str) -> dict[str, np.ndarray]:
        """Compute the new columns of one direction, by name template; each has shape (n_rows,)."""
        found = {}
        if direction != "until":
            position = self._position(groups, moments, "right")
            found["After{}"] = self._days(groups, moments, position - 1)
            found["{}_bw"] = position - self._position(groups, moments - window, "right")
        if direction != "since":
            position = self._position(groups, moments, "left")
            found["Before{}"] = self._days(groups, moments, position)
            found["{}_fw"] = self._position(groups, moments + window, "left") - position
        return found

    def _position(self, groups: np.ndarray, moments: np.ndarray, side: Any) -> np.ndarray:
        ranks = np.searchsorted(self._distinct, moments, side=side)
        return np.searchsorted(self._keys, groups * self._keys_per_group + ranks)

    def _days(self, groups: np.ndarray, moments: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Return days between each row and the event at a position, NaN if that event belongs to another group."""
        own = np.append(self.groups, -1)[position] == groups
        gap = np.abs(np.append(self.moments, np.datetime64("NaT", "us"))[position] - moments)
        return np.where(own, gap / np.timedelta64(1, "D"), np.nan)


def _is_boolean(column: Column) -> bool:
    """Return whether a column holds true and false, possibly with missing values."""
    dtype = column.raw.dtype
    if not (types.is_bool_dtype(dtype) or types.is_object_dtype(dtype)):
        return False
    if column.is_label:
        return all(isinstance(label, bool) for label in column.values.in_use)
    return column.is_boolean


def _find_events(column: Column, groups: np.ndarray, moments: np.ndarray) -> _Events:
    """Return groups and moments of the rows in which an event takes place."""
    if column.is_date:
        raise ValueError(f"The event column {column.name!r} must hold true or false, but holds dates.")
    values = column.as_labels()
    for label in values.in_use:
        if not isinstance(label, Number) or label not in (0, 1):
            raise ValueError(f"The event column {column.name!r} must hold true or false, or 1 or 0, got {label!r}.")
    is_true = [isinstance(label, Number) and label == 1 for label in values.labels]
    happened = np.array([*is_true, False])[values.codes] & (groups >= 0) & ~np.isnat(moments)
    return groups[happened], moments[happened]
