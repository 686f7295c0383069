"""`TabularPreprocessor`: the whole way from a raw frame to an encoded one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess.categorify import Categorify
from tabrec.preprocess.column_kinds import is_continuous, is_date
from tabrec.preprocess.date_parts import DateParts
from tabrec.preprocess.fill_missing import FillMissing
from tabrec.preprocess.frame_transformer import FrameTransformer
from tabrec.preprocess.lineage import Origins, compose_origins, input_names, values_of
from tabrec.preprocess.normalize import Normalize
from tabrec.tables.columns import Column, Labels, read_in_threads
from tabrec.tables.dates import looks_like_dates
from tabrec.tables.messages import warn_caller
from tabrec.tables.names import check_named
from tabrec.tables.numbers import as_numbers

_MAX_CARD = {"forest": 0, "net": 20}
_NORMALIZE = {"forest": None, "net": "standard"}


class TabularPreprocessor(FrameTransformer):
    """Encode a raw frame: `DateParts`, `Categorify`, `FillMissing` and `Normalize`, each on the columns it suits.

    The output is the *encoded frame* that every model of this package takes, and that histogram boosting, LightGBM
    and XGBoost understand by its dtypes: ``category`` columns whose categories are the integers 0..K (0: missing or
    never seen in fit), float32 columns without NaN, bool flags and ``<name>_na`` indicators. A frame that is encoded
    already is used as it is.

    Parameters
    ----------
    for_ : {"forest", "net"}, default="forest"
        Who the frame is for. A forest takes whole numbers as numbers and needs no scaling; for a net, whole numbers
        with at most 20 distinct values become categories, and numbers are normalised.
    date_columns : list of str or dict of str to str, default=None
        Columns of dates, with formats if a dict. None takes datetimes, and text that reads as dates in one format only.
    categorical_columns, continuous_columns : list of str, default=None
        Columns whose kind is settled here instead of by their dtype; columns of an array may be named by position.
    drop_columns : list of str, default=None
        Columns to leave out; transform does without them.
    ordered : dict of str to list, default=None
        Levels of ordered columns; see `Categorify`.
    max_card : int, default=None
        Whole numbers with at most this many distinct values are categories. None means 0 for a forest and 20 for a net.
    min_frequency : int or float, default=None
    max_categories : int, default=None
        See `Categorify`.
    time : bool, default=False
        Whether dates give the parts of the time of day too.
    fill_strategy : {"median", "most_frequent", "constant"}, default="median"
        See `FillMissing`.
    add_indicator : bool, default=True
        See `FillMissing`.
    normalize : {"auto", "standard", "quantile", None}, default="auto"
        See `Normalize`; "auto" is None for a forest and "standard" for a net.
    random_state : int, default=0

    Attributes
    ----------
    kinds_ : dict of str to {"continuous", "categorical", "date", "dropped"}
        What each raw column was taken for.
    date_parts_, categorify_, fill_missing_, normalize_ : transformers
        The fitted steps; `normalize_` is None where there is none.
    categories_ : dict of str to list
        Labels by code of each categorical column: ``categories_["state"][code]``.
    input_to_outputs_ : dict of str to list of str
        Output columns that come from each input column.
    output_to_input_ : dict of str to str
        Input column that each output column comes from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)

    Raises
    ------
    ValueError
        Whatever `DateParts`, `Categorify`, `FillMissing` or `Normalize` refuse, a column of two kinds, nothing left
        to encode.

    Notes
    -----
    `partial_fit` settles the kinds on the first chunk; vocabularies, means and standard deviations are
    then those of one fit over all rows, medians up to the error given in `FillMissing`. Statistics leave missing
    numbers out, before anything is filled.

    Ids whose rows are all distinct stay in: as whole numbers they are continuous, as text they are categories.
    `column_kinds` names them, `drop_columns` leaves them out.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabrec import TabularPreprocessor
    >>> sales = pd.DataFrame({
    ...     "saledate": ["2011-01-30", "2011-02-03", "2012-03-01"],
    ...     "state": ["Ohio", None, "Utah"],
    ...     "hours": [12.0, None, 700.0],
    ... })
    >>> encoded = TabularPreprocessor().fit_transform(sales)
    >>> encoded[["state", "hours", "hours_na", "saleYear", "saleIs_month_start"]]
      state  hours  hours_na  saleYear  saleIs_month_start
    0     1   12.0     False    2011.0               False
    1     0  356.0      True    2011.0               False
    2     2  700.0     False    2012.0                True
    """

    def __init__(
        self,
        for_: str = "forest",
        *,
        date_columns: Sequence[str] | Mapping[str, str | None] | None = None,
        categorical_columns: Sequence[str] | None = None,
        continuous_columns: Sequence[str] | None = None,
        drop_columns: Sequence[str] | None = None,
        ordered: Mapping[str, Sequence] | None = None,
        max_card: int | None = None,
        min_frequency: int | float | None = None,
        max_categories: int | None = None,
        time: bool = False,
        fill_strategy: str = "median",
        add_indicator: bool = True,
        normalize: str | None = "auto",
        random_state: int = 0,
    ):
        self.for_ = for_
        self.date_columns = date_columns
        self.categorical_columns = categorical_columns
        self.continuous_columns = continuous_columns
        self.drop_columns = drop_columns
        self.ordered = ordered
        self.max_card = max_card
        self.min_frequency = min_frequency
        self.max_categories = max_categories
        self.time = time
        self.fill_strategy = fill_strategy
        self.add_indicator = add_indicator
        self.normalize = normalize
        self.random_state = random_state

    def partial_fit(self, X: Any, y: Any = None) -> TabularPreprocessor:
        """Learn from one more chunk of a table that need not fit into memory; see Notes for what is exact.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
        y : object, default=None
            Passed over.

        Returns
        -------
        TabularPreprocessor
            Itself.
        """
        return self._learn_more(X)

    @property
    def categories_(self) -> dict[str, list]:
        """Labels by code of each categorical column."""
        return self.categorify_.categories_

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        read_in_threads(columns.values())
        if reset:
            if self.for_ not in _MAX_CARD:
                raise ValueError(f"for_={self.for_!r} must be one of {tuple(_MAX_CARD)}.")
            self._is_encoded = all(_is_encoded(column) for column in columns.values())
            self._flags = [name for name, column in columns.items() if self._is_encoded and column.is_boolean]
            self._warned: set[str] = set()
            self.kinds_ = self._choose_kinds(columns)
            self._empty = [name for name, column in columns.items() if self._is_empty(column)]
        columns = self._enter(columns)
        if reset:
            self.date_parts_ = DateParts(self._date_formats(), time=self.time)._fit_to_columns(columns)
        columns = self.date_parts_._apply(columns)
        if reset:
            self._make_steps(columns)
        for step in self._steps()[1:]:
            step._fit_to_columns(columns, reset)

    def _steps(self) -> list[FrameTransformer]:
        steps = [self.date_parts_, self.categorify_, self.fill_missing_, self.normalize_]
        return [step for step in steps if step is not None]

    def _choose_kinds(self, columns: dict[str, Column]) -> dict[str, str]:
        told: dict[str, str] = {}
        parameters = {"date": "date_columns", "categorical": "categorical_columns", "continuous": "continuous_columns"}
        for kind, parameter in (parameters | {"dropped": "drop_columns"}).items():
            for name in check_named(parameter, getattr(self, parameter) or [], columns):
                if name in told:
                    raise ValueError(f"Column {name!r} cannot be both {told[name]} and {kind}: name it once.")
                told[name] = kind
        for name in check_named("ordered", self.ordered or {}, columns):
            told.setdefault(name, "categorical")
        kinds = {name: told.get(name) or self._kind(column) for name, column in columns.items()}
        if set(kinds.values()) == {"dropped"}:
            raise ValueError(f"drop_columns={self.drop_columns} leaves no column to encode.")
        return kinds

    def _kind(self, column: Column) -> str:
        if self._is_encoded:
            return "categorical" if column.is_label else "continuous"
        if is_date(column):
            return "date"
        if column.is_label and looks_like_dates(column.values.in_use):
            warn_caller(
                f"Column {column.name!r} looks like dates, such as {column.example()!r}, but its format is not beyond "
                f"doubt: it is taken as labels. Name the format, as in date_columns={{{column.name!r}: '%d/%m/%Y'}}."
            )
        return "continuous" if is_continuous(column, self._max_card()) else "categorical"

    def _max_card(self) -> int:
        return _MAX_CARD[self.for_] if self.max_card is None else self.max_card

    def _date_formats(self) -> dict[str, str | None]:
        given = self.date_columns if isinstance(self.date_columns, Mapping) else {}
        return {name: given.get(name) for name, kind in self.kinds_.items() if kind == "date"}

    def _make_steps(self, columns: dict[str, Column]) -> None:
        """Choose the columns of each step, now that dates are numbers."""
        categorical = [name for name, kind in self.kinds_.items() if kind == "categorical"]
        continuous = [name for name, kind in self.kinds_.items() if kind == "continuous" and name not in self._flags]
        for name, column in columns.items():
            if name not in self.kinds_ and column.is_number:
                (continuous if is_continuous(column, self._max_card()) else categorical).append(name)
        ordered = dict(self.ordered or {})
        if self._is_encoded:
            ordered = {name: list(range(1, len(columns[name].raw.categories))) for name in categorical}
        self.categorify_ = Categorify(
            categorical, ordered=ordered, min_frequency=self.min_frequency, max_categories=self.max_categories
        )
        self.fill_missing_ = FillMissing(
            self.fill_strategy, add_indicator=self.add_indicator, columns=continuous, random_state=self.random_state
        )
        method = _NORMALIZE[self.for_] if self.normalize == "auto" else self.normalize
        self.normalize_ = None
        if method is not None and not self._is_encoded:
            self.normalize_ = Normalize(method, columns=continuous, random_state=self.random_state)

    def _is_empty(self, column: Column) -> bool:
        """Whether a column was taken for numbers only because it held nothing."""
        told = check_named("continuous_columns", self.continuous_columns or [], self.kinds_)
        return self.kinds_[column.name] == "continuous" and column.name not in told and bool(column.missing.all())

    def _enter(self, columns: dict[str, Column]) -> dict[str, Column]:
        """The columns that are used; code 0 of an already encoded column is taken as missing, which it means."""
        for name in self._empty:
            _check_still_numbers(columns[name])
        used = {name: column for name, column in columns.items() if self.kinds_[name] != "dropped"}
        if self._is_encoded:
            for name, column in used.items():
                if name in self._flags:
                    used[name] = self._flag(column)
                elif column.is_label:
                    used[name] = _without_code_0(column)
        return used

    def _flag(self, column: Column) -> Column:
        """A column of true and false, which it is again where it comes as another type."""
        if column.raw.dtype == np.dtype(bool):
            return column
        numbers = as_numbers(column)
        missing = np.isnan(numbers)
        odd = numbers[~missing & (numbers != 0) & (numbers != 1)]
        if len(odd):
            raise ValueError(f"Column {column.name!r} held true and false in fit, but now holds {odd[0]:g}.")
        if missing.any() and column.name not in self._warned:
            self._warned.add(column.name)
            warn_caller(
                f"Column {column.name!r} had no missing values in fit but has some now: they are taken for False."
            )
        return Column(column.name, numbers == 1)

    def _unused(self) -> list[str]:
        return [name for name, kind in self.kinds_.items() if kind == "dropped"]

    def origins(self) -> Origins:
        origins = values_of(name for name in input_names(self) if self.kinds_[name] != "dropped")
        # Normalize is fitted before gaps are filled, so it does not know the indicators, and it renames nothing.
        for step in (self.date_parts_, self.categorify_, self.fill_missing_):
            origins = compose_origins(origins, step.origins())
        return origins

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        read_in_threads(columns.values())
        columns = self._enter(columns)
        for step in self._steps():
            columns = step._apply(columns)
        return {name: column.raw for name, column in columns.items()}


def _is_encoded(column: Column) -> bool:
    """Whether a column is already as an encoded frame holds it."""
    dtype = column.raw.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        codes = dtype.categories
        return codes.dtype.kind in "iu" and len(codes) > 0 and np.array_equal(codes, np.arange(len(codes)))
    return dtype == np.dtype(bool) or (dtype == np.float32 and not np.isnan(column.raw).any())


def _check_still_numbers(column: Column) -> None:
    if (column.is_label or column.is_date) and not column.missing.all():
        raise ValueError(
            f"Column {column.name!r} was missing in every row of fit, so that it was taken for numbers, but now holds "
            f"{column.family()} such as {column.example()!r}: name its kind in categorical_columns or date_columns, "
            "or leave it out by drop_columns."
        )


def _without_code_0(column: Column) -> Column:
    codes, labels = column.values
    entered = Column(column.name, column.raw)
    zero = [position for position, label in enumerate(labels) if isinstance(label, int) and label == 0]
    entered._values = Labels(np.where(np.isin(codes, zero), -1, codes), labels)
    return entered
