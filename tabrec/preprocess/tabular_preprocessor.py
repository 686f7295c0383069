"""`TabularPreprocessor`: encode a raw frame by all steps in one transformer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from tabrec.preprocess.categorify import Categorify
from tabrec.preprocess.column_kinds import check_still_numbers, is_continuous, is_date
from tabrec.preprocess.date_parts import DateParts, may_be_part
from tabrec.preprocess.encoded_frames import are_encoded, read_flag, without_code_0
from tabrec.preprocess.fill_missing import FillMissing
from tabrec.preprocess.frame_transformer import InvertibleTransformer, verbose_if_large
from tabrec.preprocess.lineage import Origins, compose_origins, input_names, values_of
from tabrec.preprocess.normalize import Normalize
from tabrec.preprocess.table_survey import TableSurvey
from tabrec.preprocess.text_columns import (
    learn_given_numbers,
    leave_out_row_numbers,
    read_numbers,
    warn_of_formats,
    warn_of_labels,
    warn_of_text,
)
from tabrec.preprocess.warm_start import describe_parameters
from tabrec.tables.columns import Column, read_in_threads
from tabrec.tables.dates import find_date_marks, without_marks
from tabrec.tables.failed_fit import restores_on_failure
from tabrec.tables.names import check_named
from tabrec.tables.progress import show_progress, track
from tabrec.tables.text_numbers import NumberFormat, read_text_numbers

_ADVICE = "List a column in categorical_columns to keep its labels, or convert it before fit if it is read wrongly."
# Parameters that may name parts of dates.
_OF_PARTS = {"categorical_columns": "categorical", "continuous_columns": "continuous"}
_MAX_CARD = {"forest": 0, "net": 20}
_NORMALIZE = {"forest": None, "net": "standard"}


class TabularPreprocessor(InvertibleTransformer):
    """Encode a raw frame by `DateParts`, `Categorify`, `FillMissing` and `Normalize`, each on the columns it suits.

    The output is the *encoded frame* that every model of this package takes, and whose dtypes histogram boosting,
    LightGBM and XGBoost understand: ``category`` columns whose categories are the integers 0..K (0 means missing or
    never seen in fit), float32 columns without NaN, bool flags and ``<name>_na`` indicators. Columns of which float32
    would merge distinct values, such as long ids and time stamps, are float64. A frame that is already encoded is
    returned unchanged.

    Parameters
    ----------
    purpose : {"forest", "net"}, default="forest"
        The model that the frame is for. For a forest, whole numbers stay numbers and nothing is scaled. For a net,
        whole numbers with at most 20 distinct values become categories, and numbers are normalised.
    date_columns : list of str or dict of str to str, default=None
        Columns of dates; a dict gives their formats. None selects datetimes and text that fits a single date format.
    categorical_columns, continuous_columns : list of str, default=None
        Columns whose kind is given here instead of inferred; continuous ones may be text that is numbers. Columns of
        an array may be given by position, and parts of dates by the name that they will have, as "saleElapsed".
    drop_columns : list of str, default=None
        Columns to leave out; `transform` does not need them.
    ordered : dict of str to list, default=None
        Levels of ordered columns, lowest first; see `Categorify`.
    max_card : int, default=None
        Maximum number of distinct values for whole numbers to become categories. None is 0 for a forest and 20 for a
        net.
    min_frequency : int or float, default=None
        Labels with fewer rows (int), or with a smaller share of the rows (float), are encoded as 0.
    max_categories : int, default=None
        Maximum number of labels per column that have a code of their own.
    time : bool or "auto", default="auto"
        Whether to add hour, minute and second of dates; see `DateParts`.
    fill_strategy : {"median", "most_frequent", "constant"}, default="median"
        The replacement for missing numbers; "constant" is 0.
    add_indicator : bool, default=True
        Whether to add a bool column ``<name>_na`` for each column of numbers with missing values in fit.
    normalize : {"auto", "standard", "quantile"} or None, default="auto"
        Method of `Normalize`, or None for no scaling. "auto" is None for a forest and "standard" for a net.
    random_state : int, default=0
        Seed of the samples from which medians and quantiles of very long columns are computed.

    Attributes
    ----------
    kinds_ : dict of str to {"continuous", "categorical", "date", "dropped"}
        Kind of each raw column.
    number_formats_ : dict of str to NumberFormat
        How numbers are written in each continuous column of text: its `decimal` mark, `unit` and `marks` of missing
        values.
    date_marks_ : dict of str to list
        Labels of each text column of dates that stand for missing dates.
    date_parts_, categorify_, fill_missing_, normalize_ : transformers
        The fitted steps; `normalize_` is None without normalisation.
    categories_ : dict of str to list
        Labels of each categorical column: ``categories_["state"][code]``; position 0 holds ``"#na#"``.
    input_to_outputs_, output_to_input_ : dict
        Output columns that come from each input column, and the input column that each output column comes from.
    n_features_in_, feature_names_in_ : int, ndarray of str
        Number of columns seen in fit, and their names if X has any.

    Raises
    ------
    ValueError
        One of the steps raises, a column is given two kinds, or no column is left to encode.

    See Also
    --------
    DateParts : Replaces dates by their parts.
    Categorify : Encodes labels.
    FillMissing : Fills missing numbers.
    Normalize : Scales numbers.
    column_kinds : Shows the kind of each column of a table.

    Notes
    -----
    `partial_fit` determines the kinds from the first chunk, unless `start_fit` has. Labels, means and standard
    deviations are then those of one fit to all rows; medians have the error given in `FillMissing`. Statistics are
    computed before missing numbers are filled.

    Text whose labels are numbers is read as numbers, with a warning: ``"1,234.5"``, ``"1.234,5"``, ``"12,5"``,
    ``"$1,234.00"``, ``"37%"`` (37), ``"(1,234)"`` (-1234). If a comma can be either mark, as in ``"1,234"``, it
    separates thousands. Blanks, "n/a", "?", "-", "unknown" and other common marks are missing, in up to half of the
    rows; so are up to 5 other labels in up to 5 % of the rows, if there are 10 numbers for each. Codes stay labels:
    leading zeros, more than 15 digits, or whole numbers that all have the same number of digits (4 or more, except
    years), as do columns of ``category`` dtype and those in `categorical_columns`. In `transform`, such columns hold
    numbers or text, and a label that is not a number is missing, with a warning; an error if most rows are other text.

    A column without a name, or named ``Unnamed: 0`` by pandas, whose values are mostly distinct whole numbers is the
    index of a saved frame: it is left out, with a warning, unless its kind is given.

    `inverse_transform` returns the raw columns, without the dropped ones: labels for codes, numbers (float64, with the
    precision of the frame) in their units, missing values where an indicator or code 0 says so, and dates. Text that
    is numbers or dates comes back as numbers or dates. Numbers without an indicator stay filled, and the labels that
    share code 0 are missing. Dates are exact where ``Elapsed`` is float64 or categorical; where it is float32, they
    are exact to the finest of the parts year to second that the frame has.

    Columns of ids, whose values are all distinct, are kept: whole numbers as numbers, text as categories.
    `column_kinds` finds them, and `drop_columns` leaves them out.

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

    _parameter_constraints: ClassVar[dict] = {
        "purpose": [StrOptions({"forest", "net"})],
        "ordered": Categorify._parameter_constraints["ordered"],
        "max_card": [Interval(Integral, 0, None, closed="left"), None],
        "min_frequency": Categorify._parameter_constraints["min_frequency"],
        "max_categories": Categorify._parameter_constraints["max_categories"],
        "time": DateParts._parameter_constraints["time"],
        "fill_strategy": FillMissing._parameter_constraints["strategy"],
        "add_indicator": ["boolean"],
        "normalize": [StrOptions({"auto", "standard", "quantile"}), None],
        "random_state": FillMissing._parameter_constraints["random_state"],
    }

    date_parts_: DateParts
    categorify_: Categorify
    fill_missing_: FillMissing
    normalize_: Normalize | None

    def __init__(
        self,
        purpose: str = "forest",
        *,
        date_columns: Sequence[str] | Mapping[str, str | None] | None = None,
        categorical_columns: Sequence[str] | None = None,
        continuous_columns: Sequence[str] | None = None,
        drop_columns: Sequence[str] | None = None,
        ordered: Mapping[str, Sequence] | None = None,
        max_card: int | None = None,
        min_frequency: int | float | None = None,
        max_categories: int | None = None,
        time: bool | str = "auto",
        fill_strategy: str = "median",
        add_indicator: bool = True,
        normalize: str | None = "auto",
        random_state: int = 0,
    ):
        self.purpose = purpose
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

    @property
    def categories_(self) -> dict[str, list]:
        """Labels by code of each categorical column."""
        return self.categorify_.categories_

    def _fit_columns(self, columns: dict[str, Column], reset: bool) -> None:
        with show_progress("Learning the columns", 2, verbose_if_large(columns)) as shown:
            read_in_threads(columns.values())
            columns = self._learn_kinds(columns) if reset else self.date_parts_._apply(self._read_encoded(columns))
            shown.advance()
            self._learn_steps(columns, reset)

    @restores_on_failure
    def start_fit(self, survey: TableSurvey) -> Self:
        """Choose the kind of each column of a whole table; `partial_fit` then learns from its chunks.

        Parameters
        ----------
        survey : TableSurvey
            The survey of all chunks.

        Returns
        -------
        self
        """
        self._validate_params()
        self._kept_parameters = describe_parameters(self, self.get_params(deep=False))
        self.n_features_in_, self.feature_names_in_ = len(survey.names), np.asarray(survey.names, dtype=object)
        columns = self._learn_kinds(survey.columns())
        self._learn_steps({name: Column(name, column.raw[:0]) for name, column in columns.items()}, reset=True)
        return self

    def _learn_steps(self, columns: dict[str, Column], reset: bool) -> None:
        """Fit the steps that follow `DateParts`."""
        # Copies are fitted, so that the steps of an earlier fit stay unchanged if one fails.
        self.categorify_ = copy(self.categorify_)._fit_to_columns(columns, reset)
        self.fill_missing_ = copy(self.fill_missing_)._fit_to_columns(columns, reset)
        if self.normalize_ is not None:
            self.normalize_ = copy(self.normalize_)._fit_to_columns(columns, reset)

    def _learn_kinds(self, columns: dict[str, Column]) -> dict[str, Column]:
        """Choose the kinds of the columns and make the steps; returns the columns after `DateParts`."""
        self._is_encoded = are_encoded(list(columns.values()))
        self._flags = [name for name, column in columns.items() if self._is_encoded and column.is_boolean]
        self._warned: set[str] = set()
        self.number_formats_: dict[str, NumberFormat] = {}
        self.date_marks_: dict[str, list] = {}
        self.kinds_ = self._choose_kinds(columns)
        warn_of_text(self.number_formats_, self.date_marks_, _ADVICE)
        self._empty = [name for name, column in columns.items() if self._is_empty(column)]
        columns = self._read_encoded(columns)
        self.date_parts_ = DateParts(self._date_formats(), time=self.time)._fit_to_columns(columns)
        warn_of_formats(self.date_parts_.formats_)
        columns = self.date_parts_._apply(columns)
        self._make_steps(columns)
        return columns

    def _choose_kinds(self, columns: dict[str, Column]) -> dict[str, str]:
        given: dict[str, str] = {}
        parameters = {"date": "date_columns", "categorical": "categorical_columns", "continuous": "continuous_columns"}
        for kind, parameter in (parameters | {"dropped": "drop_columns"}).items():
            for name in check_named(parameter, self._of_table(parameter, columns), columns):
                if name in given:
                    raise ValueError(f"Column {name!r} cannot be both {given[name]} and {kind}.")
                given[name] = kind
        for name in check_named("ordered", self.ordered or {}, columns):
            given.setdefault(name, "categorical")
        self.number_formats_ |= learn_given_numbers(columns, [n for n, kind in given.items() if kind == "continuous"])
        kinds = {name: given.get(name) or self._kind(column) for name, column in columns.items()}
        if not self._is_encoded:
            leave_out_row_numbers(columns, kinds, given)
        for name, kind in kinds.items():
            if kind == "date" and columns[name].is_label:
                self.date_marks_[name] = find_date_marks(columns[name]) or []
        if set(kinds.values()) == {"dropped"}:
            raise ValueError(f"drop_columns={self.drop_columns} leaves no column to encode.")
        return kinds

    def _kind(self, column: Column) -> str:
        if self._is_encoded:
            return "categorical" if column.is_label else "continuous"
        if is_date(column):
            return "date"
        read = read_text_numbers(column)
        if read is not None and is_continuous(read[0], self._max_card()):
            self.number_formats_[column.name] = read[1]
            return "continuous"
        if read is None and column.is_label:
            warn_of_labels(column)
        return "continuous" if is_continuous(column, self._max_card()) else "categorical"

    def _max_card(self) -> int:
        return _MAX_CARD[self.purpose] if self.max_card is None else self.max_card

    def _date_formats(self) -> dict[str, str | None]:
        given = self.date_columns if isinstance(self.date_columns, Mapping) else {}
        return {name: given.get(name) for name, kind in self.kinds_.items() if kind == "date"}

    def _of_table(self, parameter: str, columns: Collection[str]) -> Iterable:
        """Return the columns that a parameter names, without date parts."""
        names = getattr(self, parameter) or []
        if parameter not in _OF_PARTS or isinstance(names, str):
            return names
        return [name for name in names if name in columns or not may_be_part(name, columns)]

    def _kinds_of_parts(self, columns: dict[str, Column]) -> dict[str, str]:
        """Return the kinds of the date parts that parameters name; raises a ValueError for unknown parts."""
        kinds: dict[str, str] = {}
        for parameter, kind in _OF_PARTS.items():
            parts = [str(name) for name in getattr(self, parameter) or [] if may_be_part(name, self.kinds_)]
            named = check_named(parameter, [name for name in parts if name not in self.kinds_], columns)
            if twice := [name for name in named if name in kinds]:
                raise ValueError(f"Column {twice[0]!r} cannot be both categorical and continuous.")
            kinds |= dict.fromkeys(named, kind)
        return kinds

    def _make_steps(self, columns: dict[str, Column]) -> None:
        """Choose the columns of each step; date parts are numbers by now."""
        given = self._kinds_of_parts(columns)
        categorical = [name for name, kind in self.kinds_.items() if kind == "categorical"]
        continuous = [name for name, kind in self.kinds_.items() if kind == "continuous" and name not in self._flags]
        for name, column in columns.items():
            if name not in self.kinds_ and (column.is_number or name in given):
                inferred = "continuous" if is_continuous(column, self._max_card()) else "categorical"
                (continuous if given.get(name, inferred) == "continuous" else categorical).append(name)
        ordered = dict(self.ordered or {})
        if self._is_encoded:
            ordered = {name: list(range(1, len(columns[name].raw.categories))) for name in categorical}
        self.categorify_ = Categorify(
            categorical, ordered=ordered, min_frequency=self.min_frequency, max_categories=self.max_categories
        )
        self.fill_missing_ = FillMissing(
            self.fill_strategy, add_indicator=self.add_indicator, columns=continuous, random_state=self.random_state
        )
        method = _NORMALIZE[self.purpose] if self.normalize == "auto" else self.normalize
        self.normalize_ = None
        if method is not None and not self._is_encoded:
            self.normalize_ = Normalize(method, columns=continuous, random_state=self.random_state)

    def _is_empty(self, column: Column) -> bool:
        """Return whether a column is treated as numbers only because it had no values in fit."""
        given = check_named("continuous_columns", self._of_table("continuous_columns", self.kinds_), self.kinds_)
        return self.kinds_[column.name] == "continuous" and column.name not in given and bool(column.missing.all())

    def _read_encoded(self, columns: dict[str, Column], kept: Collection[str] = ()) -> dict[str, Column]:
        """Drop unused columns; in an encoded frame, read flags as booleans and code 0, if not in `kept`, as missing."""
        for name in self._empty:
            check_still_numbers(columns[name])
        used = {name: column for name, column in columns.items() if self.kinds_[name] != "dropped"}
        used = read_numbers(used, self.number_formats_, self._warned)
        for name, marks in self.date_marks_.items():
            if used[name].is_label:
                used[name] = without_marks(used[name], marks)
        if self._is_encoded:
            for name, column in used.items():
                if name in self._flags:
                    used[name] = read_flag(column, self._warned)
                elif name not in kept and column.is_label:
                    used[name] = without_code_0(column)
        return used

    def _unused(self) -> list[str]:
        return [name for name, kind in self.kinds_.items() if kind == "dropped"]

    def origins(self) -> Origins:
        """Return where each encoded column comes from, by name in the order of the encoded columns."""
        origins = values_of(name for name in input_names(self) if self.kinds_[name] != "dropped")
        # Normalize is left out: it renames nothing, and it is fitted before the indicators are added.
        for step in (self.date_parts_, self.categorify_, self.fill_missing_):
            origins = compose_origins(origins, step.origins())
        return origins

    def _transform_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        kept = {name for name, column in columns.items() if self._is_encoded and self.categorify_._keeps(column)}
        read_in_threads(column for name, column in columns.items() if name not in kept)
        columns = self._read_encoded(columns, kept)
        steps = self.date_parts_, self.categorify_, self.fill_missing_, self.normalize_
        for step in track(steps, "Encoding columns", len(steps), verbose_if_large(columns)):
            columns = columns if step is None else step._apply(columns)
        return {name: column.raw for name, column in columns.items()}

    def _restored_from(self) -> Iterable[str]:
        return self.origins()

    def _restore_columns(self, columns: dict[str, Column]) -> dict[str, Any]:
        rounded = [name for name, column in columns.items() if column.raw.dtype == np.float32]
        for step in (self.normalize_, self.fill_missing_, self.categorify_):
            columns = columns if step is None else step._restore(columns)
        arrays = self.date_parts_._restore_dates(columns, rounded)
        return {name: arrays[name] for name, kind in self.kinds_.items() if kind != "dropped"}
