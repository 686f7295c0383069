"""Hold out interactions to compare recommenders, and warn of splits that are not in the order of time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tabrec.collab.rating_columns import InteractionColumns, find_time_column
from tabrec.collab.splitters import LeaveLastOut
from tabrec.preprocess import TimeSplit
from tabrec.preprocess.time_split import get_column, read_times
from tabrec.tables.messages import warn_caller

_SHARE = 0.2
SPLITS = ("time", "last", "random")


class HeldOut(NamedTuple):
    """Positions of the training and the test rows, and a description of the split."""

    train: np.ndarray
    test: np.ndarray
    description: str


def hold_out_interactions(
    frame: pd.DataFrame,
    columns: InteractionColumns,
    split: str | None,
    test_size: float | int | None,
    random_state: int,
) -> HeldOut:
    """Split interactions by one of `SPLITS`; None uses "time" if there are times, otherwise "random"."""
    if split is None:
        split = "random" if columns.time is None else "time"
    if split == "random":
        if columns.time is not None:
            warn_caller(
                f"The split is random although column {columns.time!r} has times, so models train on interactions that "
                'follow some test interactions. split="time" tests on later interactions only.'
            )
        return _hold_out_random(len(frame), test_size, random_state)
    if columns.time is None:
        raise ValueError(f'split={split!r} needs the times of the interactions: set time, or use split="random".')
    if split == "last":
        n = 1 if test_size is None else test_size
        splitter = LeaveLastOut(int(n) if n == int(n) else n, user=columns.user, time=columns.time)  # type: ignore[arg-type]
        train, test = next(splitter.split(frame[[columns.user, columns.time]]))
        return HeldOut(train, test, f"the last {n} interaction(s) of each user by {columns.time!r}")
    share = _SHARE if test_size is None else test_size
    train, test = next(TimeSplit(n_splits=1, column=columns.time, test_size=share).split(frame[[columns.time]]))
    return HeldOut(np.sort(train), np.sort(test), f"the latest {_describe_size(share)} by {columns.time!r}")


def warn_of_time_order(train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Warn if a column of times says that the training rows are not all before the test rows."""
    name = find_time_column(train)
    if name is None or name not in test.columns:
        return
    try:
        known, held_out = (read_times(get_column(frame, name)) for frame in (train, test))
        later = np.asarray(known > held_out.min())
    except (TypeError, ValueError):  # missing times, or times of several types, cannot be compared
        return
    if later.any():
        warn_caller(
            f"{later.mean():.0%} of the rows of train are later (column {name!r}) than the first row of test: the "
            "model knows the future. tabrec.split_by_time and compare_recommenders(split='time') test on the future."
        )


def _hold_out_random(n_rows: int, test_size: float | int | None, random_state: int) -> HeldOut:
    share = _SHARE if test_size is None else test_size
    n_test = int(share) if share >= 1 else max(1, int(share * n_rows))
    if n_test >= n_rows:
        raise ValueError(f"test_size={test_size!r} leaves none of {n_rows} interactions to fit to.")
    order = np.random.default_rng(random_state).permutation(n_rows)
    return HeldOut(np.sort(order[n_test:]), np.sort(order[:n_test]), f"a random {_describe_size(share)}")


def _describe_size(size: Any) -> str:
    return f"{size:.0%} of the interactions" if isinstance(size, float) and size < 1 else f"{size} interactions"
