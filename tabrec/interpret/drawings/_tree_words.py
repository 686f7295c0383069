"""One tree in words: what its splits ask, by column and label names, and what its nodes predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples

from tabrec.interpret._models import Trees, _encoders, find_dates
from tabrec.plotting.axes import shorten
from tabrec.tables.columns import is_table, read_frame
from tabrec.tables.rows import take_rows

_LONGEST_LABEL = 24
_FEW_LABELS = 3
_HALF_DAY, _SECONDS_OFF = 43_200, 128

# The codes that can still arrive at a node, by position of the column: the lowest and the highest.
Bounds = dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Words:
    """How to speak of the columns that trees see.

    Attributes
    ----------
    trees : Trees
    """

    trees: Trees

    def column(self, position: int) -> str:
        """What a split on an encoded column asks about."""
        name = self.trees.names[position]
        if name in self._indicators:
            return f"{plain(self._indicators[name], 40)} missing"
        return plain(self._dates.get(name, (name, None))[0], 40)

    def value(self, position: int, number: float, digits: int = 6) -> str:
        """A value of an encoded column: its label, date, or number of so many digits."""
        name = self.trees.names[position]
        if np.isnan(number):
            return "missing"
        if name in self.trees.labels:
            labels = self.trees.labels[name]
            code = int(number)
            return _label(labels, code) if 0 <= code < len(labels) else str(code)
        if self.is_flag(position):
            return "yes" if number > 0.5 else "no"
        number = self._restore(name, number)
        return self._date(name, number) if name in self._dates else write_number(number, digits)

    def conditions(
        self, position: int, threshold: float, bounds: Bounds, *, width: int = 60, missing: str | None = None
    ) -> tuple[str, str]:
        """What holds of the rows that a split sends left, and of those that it sends right.

        Parameters
        ----------
        position : int
            Of the encoded column.
        threshold : float
        bounds : dict
            The codes that can still arrive here.
        width : int, default=60
            Letters that lists of labels may take.
        missing : {"left", "right"} or None, default=None
            Where missing numbers go, if there are any.
        """
        name = self.trees.names[position]
        if name in self.trees.labels:
            return self._label_conditions(name, threshold, self.codes(position, bounds), width)
        if self.is_flag(position):
            return "= no", "= yes"
        at = self.value(position, threshold)
        left, right = (" or missing" if missing == side else "" for side in ("left", "right"))
        of_target = "mean target " if name in self._target_encoded else ""
        return f"{of_target}≤ {at}{left}", f"{of_target}> {at}{right}"

    def codes(self, position: int, bounds: Bounds) -> tuple[int, int]:
        """The lowest and the highest code of a column that can arrive at a node."""
        return bounds.get(position, (0, len(self.trees.labels[self.trees.names[position]]) - 1))

    def has_labels(self, position: int) -> bool:
        return self.trees.names[position] in self.trees.labels

    def is_flag(self, position: int) -> bool:
        """Whether an encoded column is a matter of yes or no."""
        return self.trees.names[position] in self._flags

    def narrowed(self, position: int, threshold: float, bounds: Bounds) -> tuple[Bounds, Bounds]:
        """The codes that can arrive at the left and at the right child of a split."""
        if not self.has_labels(position):
            return bounds, bounds
        low, high = self.codes(position, bounds)
        last = int(np.floor(threshold))
        return bounds | {position: (low, min(high, last))}, bounds | {position: (max(low, last + 1), high)}

    def prediction(self, values: np.ndarray) -> str:
        """What a node predicts: values of shape (n_outputs, n_values)."""
        if not self.trees.is_classifier:
            return ", ".join(write_amount(output[0]) for output in values)
        return ", ".join(
            f"{plain(classes[shares.argmax()], _LONGEST_LABEL)} {write_share(shares.max())}"
            for classes, shares in zip(self.classes, values, strict=True)
        )

    @property
    def classes(self) -> list[Any]:
        """The classes of each output."""
        return self.trees.classes if self.trees.n_outputs > 1 else [self.trees.classes]

    def _label_conditions(self, name: str, threshold: float, codes: tuple[int, int], width: int) -> tuple[str, str]:
        labels, last = self.trees.labels[name], int(np.floor(threshold))
        left = [_label(labels, code) for code in range(codes[0], last + 1)]
        right = [_label(labels, code) for code in range(max(last + 1, codes[0]), codes[1] + 1)]
        return _membership(left, right, width), _membership(right, left, width)

    def _restore(self, name: str, number: float) -> float:
        """A normalised number in the units of its column."""
        restore = self._restorers.get(name)
        return number if restore is None else float(restore(name, np.array([number]))[0])

    def _date(self, name: str, seconds: float) -> str:
        date = pd.Timestamp(int(np.floor(seconds)), unit="s")
        zone = self._dates[name][1]
        if zone is not None:
            date = date.tz_localize("UTC").tz_convert(zone)
        # Between two days without a time of day a threshold stands at midnight or at noon, as near as float32 has it.
        near = date + pd.Timedelta(seconds=_SECONDS_OFF)
        if (near.hour * 3600 + near.minute * 60 + near.second) % _HALF_DAY <= 2 * _SECONDS_OFF:
            return f"{near:%Y-%m-%d}"
        return f"{date:%Y-%m-%d %H:%M}"

    @cached_property
    def _steps(self) -> list[Any]:
        """The fitted transformers of the model, with those inside of a preprocessor."""
        steps = _encoders(self.trees.model)
        return steps + [
            part for step in steps for part in (getattr(step, key, None) for key in _PARTS) if part is not None
        ]

    def elapsed_zone(self, name: str) -> tuple[bool, str | None]:
        """Whether an encoded column holds seconds since 1970 as they are, and the time zone of its dates."""
        _, zone = self._dates.get(name, (None, None))
        return name in self._dates and name not in self._restorers, zone

    @cached_property
    def _dates(self) -> dict[str, tuple[str, str | None]]:
        """Columns of seconds since 1970: the date column that each is of, and its time zone."""
        zones: dict[str, Any] = {}
        for step in self._steps:
            zones |= getattr(step, "time_zones_", {})
        return {parts[-1]: (name, zones.get(name)) for name, parts in find_dates(self.trees.model).items()}

    @cached_property
    def _indicators(self) -> dict[str, str]:
        return {f"{name}_na": name for step in self._steps for name in getattr(step, "indicators_", [])}

    @cached_property
    def _flags(self) -> set[str]:
        of_dates = {part for parts in find_dates(self.trees.model).values() for part in parts if "Is_" in part}
        given = {str(name) for step in self._steps for name in getattr(step, "_flags", [])}
        return of_dates | given | set(self._indicators)

    @cached_property
    def _restorers(self) -> dict[str, Callable]:
        return {name: step._restore for step in self._steps for name in getattr(step, "means_", {})}

    @property
    def _target_encoded(self) -> list[str]:
        encoded = getattr(self.trees.estimator, "target_encoded_", [])
        return [name for name in self.trees.names if name in encoded or self._is_class_of(name, encoded)]

    def _is_class_of(self, name: str, encoded: list[str]) -> bool:
        return any(name.startswith(f"{column}_") for column in encoded) and name not in self.trees.labels


_PARTS = ("fill_missing_", "normalize_")


def read_tree(trees: Trees, tree: int) -> Any:
    """Tree number `tree` of a forest, or a ValueError saying how many there are."""
    n_trees = len(trees.trees)
    if not is_whole(tree) or not 0 <= tree < n_trees:
        raise ValueError(f"tree={tree!r} must be a whole number from 0 to {n_trees - 1}: the model has {n_trees}.")
    return trees.trees[tree]


def read_row(trees: Trees, X: Any, row: Any) -> np.ndarray:
    """One row as the trees see it, (1, n_encoded): a table of one row, a Series, a list, or a position in X."""
    if is_whole(row):
        if X is None:
            raise ValueError(f"row={row!r} is a position in X, but no X is given: pass X, or the row itself.")
        frame = read_frame(X)
        if not 0 <= row < len(frame):
            raise ValueError(f"row={row!r} must be a position in X, from 0 to {len(frame) - 1}.")
        return trees.matrix(take_rows(X, frame, np.array([row])))
    if isinstance(row, pd.Series):
        row = row.to_frame().T.infer_objects()
    elif not is_table(row):
        row = np.atleast_2d(np.asarray(row))
    if _num_samples(row) != 1:
        raise ValueError(f"row must be one row, but has {_num_samples(row)}.")
    return trees.matrix(row)


def check_depth(max_depth: Any) -> None:
    if max_depth is not None and (not is_whole(max_depth) or max_depth < 0):
        raise ValueError(f"max_depth={max_depth!r} must be a whole number of at least 0, or None for the whole tree.")


def is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool)


def plain(label: Any, longest: int) -> str:
    """A label in one short line, as plain text."""
    return shorten(label, longest).replace(r"\$", "$")


def write_number(number: float, digits: int = 6) -> str:
    """A number of a column: so many digits, more where they stand before the point."""
    if number != 0 and not 1e-4 <= abs(number) < 1e15:
        return f"{number:.4g}"
    digits = max(digits, int(np.log10(max(abs(number), 1))) + 2)
    return np.format_float_positional(number, precision=digits, unique=False, fractional=False, trim="-")


def write_amount(number: float) -> str:
    """A prediction: four digits, thousands set apart."""
    return f"{number:,.0f}" if 1e3 <= abs(number) < 1e15 else f"{number:.4g}"


def write_share(share: float) -> str:
    return "<1%" if 0 < share < 0.01 else f"{share:.0%}"


def _label(labels: list, code: int) -> str:
    return "missing" if code == 0 else plain(labels[code], _LONGEST_LABEL) or "(empty)"


def _membership(here: list[str], other: list[str], width: int) -> str:
    """That a label is among those here, said by those of the other side where they are few and these many."""
    if len(other) <= _FEW_LABELS < len(here):
        return f"≠ {other[0]}" if len(other) == 1 else f"not in {_listed(other, width - 4)}"
    return f"= {here[0]}" if len(here) == 1 else f"in {_listed(here, width)}"


def _listed(labels: list[str], width: int) -> str:
    """Labels in braces, as many as there is room for, and how many more."""
    if not labels:
        return "{}"
    if len(", ".join(labels)) <= width - len("in {}"):
        return "{" + ", ".join(labels) + "}"
    room, shown = width - len("in {, … +99}"), 1
    while shown < len(labels) and len(", ".join(labels[: shown + 1])) <= room:
        shown += 1
    more = f", … +{len(labels) - shown}" if shown < len(labels) else ""
    first = [plain(labels[0], max(room, 4)), *labels[1:shown]]
    return "{" + ", ".join(first) + more + "}"
