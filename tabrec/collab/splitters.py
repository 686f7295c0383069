"""Cross-validation by user: on the last ratings of each user, or on a random part of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator

from tabrec.preprocess.time_split import get_column, read_times
from tabrec.tables.columns import as_frame

Fold = tuple[np.ndarray, np.ndarray]


def _make_generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1))
    return np.random.default_rng(random_state)


class _UserSplitter(BaseCrossValidator):
    """Base of the splitters by user."""

    n_splits: int

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Generate the folds.

        Parameters
        ----------
        X : dataframe (pandas, polars or pyarrow) or array-like of shape (n_rows, n_columns)
            Table with the columns that the parameters name.
        y, groups : object, default=None
            Ignored.

        Returns
        -------
        folds : iterator of (train_idx, test_idx)
            Row positions as arrays of int, in the order of the rows.
        """
        return iter(self._make_folds(X))

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored.

        Returns
        -------
        n_splits : int
            The parameter `n_splits`.
        """
        n_splits = _check_count("n_splits", self.n_splits)
        self._check_parameters()
        return n_splits

    def _check_parameters(self) -> None:
        """Raise a ValueError for parameters that contradict `n_splits` or are out of range."""

    @abstractmethod
    def _make_folds(self, X: Any) -> list[Fold]:
        """Return the folds, all of them at once, so that `split` raises errors when it is called."""


class LeaveLastOut(_UserSplitter):
    """Cross-validation on the last ratings of each user: train on the earlier ones.

    The first fold tests on the last `n` rows of each user and trains on the rows of the user before them. The second
    tests on the `n` rows before those, and so on. Users without rows left to train on are not tested: all their rows
    are in the training set. Rows of the same time keep the order of the table.

    Parameters
    ----------
    n : int, default=1
        Number of rows of each user to test on, at least 1.
    user : str, default=None
        Column of the users; None uses the first one. The columns of a numpy array are named `"x0"`, `"x1"`, …
    time : str, default="timestamp"
        Column of the times: dates, text in the form of dates, or numbers. None uses the order of the rows, each later
        than the one before.
    n_splits : int, default=1
        Number of folds, at least 1.

    Raises
    ------
    ValueError
        By `split`, if a parameter is out of range, a column is absent or has missing values, or no user has enough rows
        for some fold.

    See Also
    --------
    tabrec.TimeSplit : One moment for all users: no row of the training set is later than the test set.
    PerUserSplit : A random part of the rows of each user.

    References
    ----------
    .. [1] X. He et al., "Neural Collaborative Filtering", WWW 2017, section 4.1.
    .. [2] Y. Ji et al., "A Critical Study on Data Leakage in Recommender System Offline Evaluation", ACM
       Transactions on Information Systems 41 (3), 2023: later rows of other users are in the training set here;
       `tabrec.TimeSplit` excludes them.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.splitters import LeaveLastOut
    >>> ratings = pd.DataFrame({"user": [1, 1, 1, 2, 2, 3], "timestamp": [30, 10, 20, 5, 6, 9]})
    >>> for train, test in LeaveLastOut(n_splits=2).split(ratings):
    ...     print(train, test)
    [1 2 3 5] [0 4]
    [1 3 4 5] [2]
    """

    def __init__(self, n: int = 1, *, user: str | None = None, time: str | None = "timestamp", n_splits: int = 1):
        self.n = n
        self.user = user
        self.time = time
        self.n_splits = n_splits

    def _make_folds(self, X: Any) -> list[Fold]:
        n, n_splits = _check_count("n", self.n), self.get_n_splits()
        frame = as_frame(X)
        users = _user_codes(frame, self.user)
        n_rows = np.bincount(users)[users]  # (n_rows,): number of rows of the user of each row
        if n_rows.max() <= n * n_splits:
            raise ValueError(
                f"No user has more than {n * n_splits} rows, the busiest {n_rows.max()}: n={n} rows in each of "
                f"n_splits={n_splits} folds leave none for training. Use a smaller n or fewer folds."
            )
        block = _rows_after(users, self._times(frame)) // n
        folds = []
        for fold in range(n_splits):
            has_enough = n_rows > n * (fold + 1)
            train, test = ~has_enough | (block > fold), has_enough & (block == fold)
            folds.append((np.flatnonzero(train), np.flatnonzero(test)))
        return folds

    def _times(self, frame: pd.DataFrame) -> np.ndarray:
        if self.time is None:
            return np.zeros(len(frame))
        times = read_times(get_column(frame, self.time))
        return times.asi8 if isinstance(times, pd.DatetimeIndex) else times.to_numpy()


class PerUserSplit(_UserSplitter):
    """Cross-validation on a random part of the rows of each user.

    The same share of rows is drawn for every user, whether the user has few rows or many. A user with at least two rows
    keeps at least one in the training set.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 1; at least 2 if `test_size` is None.
    user : str, default=None
        Column of the users; None uses the first one. The columns of a numpy array are named `"x0"`, `"x1"`, …
    test_size : float, default=0.2
        Share of the rows of each user to test on, between 0 and 1, rounded to whole rows (halves to the even number).
        At least one row remains in the training set. Folds are drawn independently. None divides the rows of each user
        into `n_splits` parts: every row is in exactly one test set, and sizes differ by one row at most, for each user
        and overall.
    random_state : None, int, numpy.random.Generator or numpy.random.RandomState, default=None
        Seed of the draw. An int gives the same folds in every call.

    Raises
    ------
    ValueError
        By `split`, if a parameter is out of range, the column is absent or has missing values, or there are too few
        rows.

    See Also
    --------
    LeaveLastOut : The last rows of each user.
    tabrec.TimeSplit : One moment for all users.

    References
    ----------
    .. [1] M. D. Ekstrand et al., "Rethinking the Recommender Research Ecosystem: Reproducibility, Openness,
       and LensKit", RecSys 2011.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec.collab.splitters import PerUserSplit
    >>> ratings = pd.DataFrame({"user": [1] * 10 + [2] * 5})
    >>> (train, test), = PerUserSplit(n_splits=1, random_state=0).split(ratings)
    >>> ratings["user"].iloc[test].tolist()
    [1, 1, 2]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        user: str | None = None,
        test_size: float | None = 0.2,
        random_state: Any = None,
    ):
        self.n_splits = n_splits
        self.user = user
        self.test_size = test_size
        self.random_state = random_state

    def _make_folds(self, X: Any) -> list[Fold]:
        n_splits, rng = self.get_n_splits(), _make_generator(self.random_state)
        users = _user_codes(as_frame(X), self.user)
        if self.test_size is None:
            folds = _share_out(users, n_splits, rng)
            tests = [folds == fold for fold in range(n_splits)]
        else:
            n_rows = np.bincount(users)
            n_test = np.minimum(np.rint(self.test_size * n_rows), n_rows - 1)
            if not n_test.any():
                raise ValueError(
                    f"test_size={self.test_size} of a user's rows is less than one row for every user, the busiest of "
                    f"whom has {n_rows.max()}. Choose a larger test_size."
                )
            tests = [_rows_after(users, rng.random(len(users))) < n_test[users] for _ in range(n_splits)]
        return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in tests]

    def _check_parameters(self) -> None:
        if self.test_size is None:
            if self.n_splits == 1:
                raise ValueError("n_splits=1 leaves nothing to train on; with test_size=None it must be at least 2.")
        elif not isinstance(self.test_size, Real) or not 0 < self.test_size < 1:
            raise ValueError(f"test_size={self.test_size!r} must be a number between 0 and 1, or None.")


def _check_count(name: str, value: Any) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be an integer of at least 1.")
    return int(value)


def _user_codes(frame: pd.DataFrame, user: str | None) -> np.ndarray:
    """Return the user of each row, as codes from 0: int array of shape (n_rows,)."""
    name = frame.columns[0] if user is None else user
    column = get_column(frame, name)
    missing = np.flatnonzero(column.missing)
    if len(missing):
        raise ValueError(
            f"Column {name!r} has {len(missing)} missing users, the first in row {missing[0]} (counted from 0); "
            "drop those rows, or give these users an id."
        )
    values = column.values
    return pd.factorize(pd.Series(values.labels).take(values.codes) if column.is_label else values)[0]


def _rows_after(users: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return the number of rows of the same user that are later than each row: int array of shape (n_rows,)."""
    order = np.lexsort((times, users))  # stable, so that rows of the same time keep their order
    ends = np.cumsum(np.bincount(users))
    after = np.empty(len(users), dtype=np.intp)
    after[order] = ends[users[order]] - 1 - np.arange(len(users))
    return after


def _share_out(users: np.ndarray, n_splits: int, rng: np.random.Generator) -> np.ndarray:
    """Return the test fold of each row: rows are shuffled within users and dealt to the folds in turn."""
    if len(users) < n_splits:
        raise ValueError(f"n_splits={n_splits} folds need as many rows, but there are {len(users)}.")
    # Users and their rows are in random order, and dealing spreads the rows of each user, and all rows, evenly.
    shuffled = rng.permutation(users.max() + 1)[users]
    folds = np.empty(len(users), dtype=np.intp)
    folds[np.lexsort((rng.random(len(users)), shuffled))] = np.arange(len(users)) % n_splits
    return folds
