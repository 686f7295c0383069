"""`ColumnPair`: a column of two tables as numbers, and a description of the difference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from tabrec.preprocess import column_kinds
from tabrec.preprocess.categorify import sorted_labels
from tabrec.preprocess.column_kinds import is_date
from tabrec.tables.columns import Column, read_frame, to_columns
from tabrec.tables.dates import as_dates, learn_dates
from tabrec.tables.text_numbers import read_text_numbers

# Smallest difference of shares, or of an AUC from 0.5, that is described.
_LEAST_DIFFERENCE = 0.05
_FEW = 0.01
_N_ERRORS = 3  # smallest number of standard errors of such a difference
# A column holds ids if it has at least _MANY distinct values, and nearly as many as rows.
_MANY, _NEARLY_ALL = 50, 0.95
# Larger numbers are shown without decimals.
_LARGE = 10_000


@dataclass(frozen=True)
class ColumnPair:
    """A column of both tables as numbers in its natural order."""

    name: str
    kind: str  # kind in the training table, by column_kinds
    family: str  # "numbers", "dates" or "labels"
    train: np.ndarray  # numbers, seconds since 1970, or codes of labels; NaN if missing
    new: np.ndarray
    labels: list  # labels by code
    id_reason: str  # why the column looks like an id or a clock; otherwise empty

    @cached_property
    def how(self) -> str:
        """A description of how the new rows differ; empty if they hardly do."""
        train, new = (values[~np.isnan(values)] for values in (self.train, self.new))
        parts = []
        if self.family == "labels" and len(new):
            unseen = float(np.mean(~np.isin(new, train)))
            parts.append(f"labels never seen: {_percent(unseen)}" if unseen >= _FEW else "")
        if len(train) and len(new):
            order = "" if self.family == "labels" else self._order(train, new)
            parts.append(order or self._most_changed(train, new))
            parts += [] if self.family == "labels" else self._beyond(train, new)
        before, now = float(np.isnan(self.train).mean()), float(np.isnan(self.new).mean())
        if _is_change(before, now, len(self.train), len(self.new)):
            parts.append(f"missing {'more' if now > before else 'less'} often ({_percent(before)} → {_percent(now)})")
        return "; ".join(part for part in parts if part)

    def _order(self, train: np.ndarray, new: np.ndarray) -> str:
        more, less = ("later", "earlier") if self.family == "dates" else ("larger", "smaller")
        above = _share_above(train, new)
        std_error = np.sqrt((len(train) + len(new) + 1) / (12 * len(train) * len(new)))
        if abs(above - 0.5) < max(_LEAST_DIFFERENCE, _N_ERRORS * std_error):
            return ""
        middle = f"median {self._show(np.median(train))} → {self._show(np.median(new))}"
        return f"new values {more if above > 0.5 else less} ({middle})"

    def _beyond(self, train: np.ndarray, new: np.ndarray) -> list[str]:
        above, below = "above the largest", "below the smallest"
        if self.family == "dates":
            above, below = "after the last", "before the first"
        shares = {above: np.mean(new > train.max()), below: np.mean(new < train.min())}
        return [f"{_percent(share)} {where} in training" for where, share in shares.items() if share >= _FEW]

    def _most_changed(self, train: np.ndarray, new: np.ndarray) -> str:
        """Return the value whose share has changed most, if it has clearly changed."""
        values, codes = np.unique(np.concatenate([train, new]), return_inverse=True)
        before = np.bincount(codes[: len(train)], minlength=len(values)) / len(train)
        now = np.bincount(codes[len(train) :], minlength=len(values)) / len(new)
        largest = int(np.argmax(np.abs(now - before)))
        was, is_ = float(before[largest]), float(now[largest])
        if not _is_change(was, is_, len(train), len(new)):
            return ""
        more = "more" if is_ > was else "less"
        return f"{self._show(values[largest])} {more} often ({_percent(was)} → {_percent(is_)})"

    def _show(self, value: float) -> str:
        if self.family == "labels":
            return repr(self.labels[int(value)])
        if self.family == "dates":
            return str(pd.Timestamp(value, unit="s").date())
        return str(round(value)) if float(value).is_integer() or abs(value) >= _LARGE else f"{value:.4g}"


def pair_columns(X_train: Any, X_new: Any) -> tuple[list[ColumnPair], list[str], list[str]]:
    """Return the columns in both tables, and the names of the columns in only one.

    Raises a ValueError if no column is shared, or if the type of a column (numbers, dates, labels) differs.
    """
    frame = read_frame(X_train)
    train, new = to_columns(frame), to_columns(read_frame(X_new))
    shared = [name for name in train if name in new]
    for name in shared:
        train[name], new[name] = _read_text(train[name], new[name])
    if not shared:
        raise ValueError(
            f"X_train and X_new share no column: X_train has {list(train)[:20]}, X_new has {list(new)[:20]}."
        )
    kinds = dict(zip(train, column_kinds(frame)["kind"], strict=True))
    pairs = [_pair(train[name], new[name], kinds[name]) for name in shared]
    return pairs, [name for name in train if name not in new], [name for name in new if name not in train]


def _read_text(train: Column, new: Column) -> tuple[Column, Column]:
    """Read text as numbers in both tables if it is numbers in one of them."""
    for column in (train, new):
        if column.is_label and not is_date(column) and (read := read_text_numbers(column)) is not None:
            return read[1].read_new(train, set()), read[1].read_new(new, set())
    return train, new


def _pair(train: Column, new: Column, kind: str) -> ColumnPair:
    family = _shared_family(train, new)
    labels: list = []
    if family == "dates":
        before, now = _as_seconds(train, new)
    elif family == "labels":
        before, now, labels = _as_codes(train, new)
    else:
        before, now = _as_floats(train), _as_floats(new)
    reason = "" if kind == "constant" else _id_reason(kind, family, before)
    return ColumnPair(train.name, kind, family, before, now, labels, reason)


def _shared_family(train: Column, new: Column) -> str:
    """Return the family of a column in both tables; a column without values takes the family of the other."""
    families = [_family(column) for column in (train, new) if not column.missing.all()]
    if not families:
        return "numbers"
    if len(set(families)) == 1:
        return families[0]
    if "dates" in families and (train.is_label or new.is_label):
        return "dates"  # read as dates if one table has dates; `as_dates` raises an error for other values
    if {train.family(), new.family()} == {"labels", "booleans"}:
        return "labels"
    raise ValueError(
        f"Column {train.name!r} holds {families[0]} such as {train.example()!r} in X_train, but {families[1]} such as "
        f"{new.example()!r} in X_new: bring both to one type."
    )


def _family(column: Column) -> str:
    if column.is_label:
        return "dates" if is_date(column) else "labels"
    return "dates" if column.is_date else "numbers"


def _as_floats(column: Column) -> np.ndarray:
    if column.missing.all():
        return np.full(len(column.values if not column.is_label else column.values.codes), np.nan)
    return column.values.astype(np.float64)


def _as_codes(train: Column, new: Column) -> tuple[np.ndarray, np.ndarray, list]:
    sides = [column.as_labels() for column in (train, new)]
    labels = sorted_labels(list(dict.fromkeys(label for side in sides for label in side.in_use)))
    code_of = {label: float(code) for code, label in enumerate(labels)}
    before, now = (np.array([*(code_of.get(label, np.nan) for label in s.labels), np.nan])[s.codes] for s in sides)
    return before, now, labels


def _as_seconds(train: Column, new: Column) -> tuple[np.ndarray, np.ndarray]:
    """Convert dates to seconds; text with an ambiguous format is read in the format of the other table."""
    formats = [learn_dates(column, None)[0] if _is_settled(column) else None for column in (train, new)]
    formats = [own or other for own, other in zip(formats, formats[::-1], strict=True)]
    pairs = zip((train, new), formats, strict=True)
    sides = [as_dates(column, form, learn_dates(column, form)[1]) for column, form in pairs]
    if len({distinct.tz is None for distinct, _ in sides if len(distinct)}) > 1:
        raise ValueError(
            f"Column {train.name!r} holds dates with a time zone in one table and without in the other: "
            "localise or convert it so that X_train and X_new agree."
        )
    before, now = (_seconds(distinct)[rows] for distinct, rows in sides)
    return before, now


def _is_settled(column: Column) -> bool:
    return not column.missing.all() and is_date(column)


def _seconds(dates: pd.DatetimeIndex) -> np.ndarray:
    """Convert dates to seconds since 1970, with NaN appended for code -1, a missing date."""
    naive = dates if dates.tz is None else dates.tz_convert("UTC").tz_localize(None)
    return np.append((naive - pd.Timestamp(0)) / pd.Timedelta(seconds=1), np.nan)


def _id_reason(kind: str, family: str, train: np.ndarray) -> str:
    present = train[~np.isnan(train)]
    n_distinct = len(np.unique(present))
    counts = family == "labels" or (family == "numbers" and np.array_equal(present, np.round(present)))
    if n_distinct == len(present) and kind == "id":
        return "looks like an id: each training row has a different value"
    if counts and n_distinct >= max(_MANY, _NEARLY_ALL * len(present)):
        return f"looks like an id: {n_distinct} values in {len(present)} training rows"
    if n_distinct > _MANY and np.ptp(np.sign(np.diff(present))) <= 1:
        return "increases or decreases along the training rows"
    return ""


def _share_above(train: np.ndarray, new: np.ndarray) -> float:
    """Return the probability that a new value is larger than a training value; ties count half."""
    order = np.sort(train)
    below, up_to = np.searchsorted(order, new, "left"), np.searchsorted(order, new, "right")
    return float((below + up_to).mean() / (2 * len(order)))


def _is_change(before: float, now: float, n_before: int, n_now: int) -> bool:
    """Return whether two shares differ significantly, and by at least the smallest difference described."""
    both = (before * n_before + now * n_now) / (n_before + n_now)
    std_error = np.sqrt(both * (1 - both) * (1 / n_before + 1 / n_now))
    return bool(abs(now - before) >= max(_LEAST_DIFFERENCE, _N_ERRORS * std_error))


def _percent(share: float) -> str:
    return f"{share:.0%}"
